"""Random numbers for kernels: our own generator, so that results do not depend on Numba's (xorshift64*)."""

from __future__ import annotations

from typing import Any, Final

import numba
import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit.jit import inline, plain

U64 = NDArray[np.uint64]

HALF: Final = np.uint64(32)


@plain
def random(state: U64) -> Any:
    """64 random bits."""
    x = state[0]
    x ^= x >> np.uint64(12)
    x ^= x << np.uint64(25)
    x ^= x >> np.uint64(27)
    state[0] = x
    return x * np.uint64(2685821657736338717)


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
def drawn(state: Any) -> tuple[Any, Any]:
    """`random` of a state that is kept in a register: the next one, and the number."""
    state ^= state >> np.uint64(12)
    state ^= state << np.uint64(25)
    state ^= state >> np.uint64(27)
    return state, state * np.uint64(2685821657736338717)


@inline
def scaled(drawn: Any, n: int) -> Any:
    """A number below n from 32 random bits."""
    return np.int64((drawn * np.uint64(n)) >> HALF)
