"""Random numbers for kernels: our own generators, so that results do not depend on Numba's.

`random`, `below`, `drawn` and `scaled` are xorshift64* (Vigna, arXiv:1402.6246).
"""

from __future__ import annotations

from typing import Any, Final

import numba
import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit.jit import inline, plain

U64 = NDArray[np.uint64]

HALF: Final = np.uint64(32)


@inline
def drawn(state: Any) -> tuple[Any, Any]:
    """The next state, which may be kept in a register, and 64 random bits."""
    state ^= state >> np.uint64(12)
    state ^= state << np.uint64(25)
    state ^= state >> np.uint64(27)
    return state, state * np.uint64(2685821657736338717)


@plain
def random(state: U64) -> Any:
    """64 random bits."""
    state[0], bits = drawn(state[0])
    return bits


@plain
def below(state: U64, n: int) -> Any:
    """A random number below n."""
    return np.int64(random(state) >> np.uint64(33)) % n


@numba.njit(cache=True, nogil=True)
def seeded(seed: int) -> U64:
    """A state, shape (1,)."""
    state = np.empty(1, dtype=np.uint64)
    state[0] = np.uint64(seed) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(0x1234567)
    if state[0] == np.uint64(0):
        state[0] = np.uint64(1)
    for _ in range(4):
        random(state)
    return state


@inline
def scaled(drawn: Any, n: int) -> Any:
    """A number below n from 32 random bits."""
    return np.int64((drawn * np.uint64(n)) >> HALF)


@plain
def uniform(state: U64) -> float:
    """A random number from 0 to below 1, by another generator (xorshift64), which the searches for places and
    for Pauli strings have always used."""
    x = state[0]
    x ^= x << np.uint64(13)
    x ^= x >> np.uint64(7)
    x ^= x << np.uint64(17)
    state[0] = x
    return float(x >> np.uint64(11)) / 9007199254740992.0


@numba.njit(cache=True, nogil=True)
def uniform_state(seed: int) -> U64:
    """A state for `uniform`, shape (1,)."""
    return np.array([np.uint64(seed * 2654435761 + 88172645463325252)], dtype=np.uint64)
