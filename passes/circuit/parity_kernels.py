"""Hot loops over parities: which XOR of path variables each wire carries."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

FRESH, KEEP, FLIP, ADD, EXCHANGE = range(5)
"""What a row does to its wires: each that is not diagonal gets a new variable; nothing; the value is
complemented; the first is added to the second; the two change places."""


@numba.njit(cache=True, nogil=True)
def _mix(x: np.uint64) -> np.uint64:
    """SplitMix64: a well-mixed word for each number."""
    x += np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@numba.njit(cache=True, nogil=True)
def parities(
    action: NDArray[np.int8], axes: NDArray[np.int8], wires: NDArray[np.int32], num_wires: int
) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """The parity on which a row's wires (both together, if it has two) stand before it.

    Args:
        action: shape (rows,): what the row does to its wires.
        axes: shape (rows, 2): axis code of each operand; 3 (Z) keeps the wire's parity under FRESH.
        wires: shape (rows, width), -1 fills up.
        num_wires: wire numbers are below this.

    Returns:
        words of shape (rows, 2): 128 bits that stand for the set of variables (0: no variable); and of shape
        (rows,): whether the value is complemented.
    """
    rows = len(wires)
    word = np.zeros((num_wires, 2), dtype=np.uint64)
    minus = np.zeros(num_wires, dtype=np.bool_)
    seed = np.uint64(0)
    for wire in range(num_wires):
        for j in range(2):
            seed += np.uint64(1)
            word[wire, j] = _mix(seed)
    out = np.zeros((rows, 2), dtype=np.uint64)
    flipped = np.zeros(rows, dtype=np.bool_)
    for row in range(rows):
        a, b = wires[row, 0], wires[row, 1]
        if a < 0:
            continue
        for j in range(2):
            out[row, j] = word[a, j] ^ (word[b, j] if b >= 0 else np.uint64(0))
        flipped[row] = minus[a] ^ (minus[b] if b >= 0 else False)
        if action[row] == FLIP:
            minus[a] = not minus[a]
        elif action[row] == ADD:
            word[b] ^= word[a]
            minus[b] ^= minus[a]
        elif action[row] == EXCHANGE:
            for j in range(2):
                word[a, j], word[b, j] = word[b, j], word[a, j]
            minus[a], minus[b] = minus[b], minus[a]
        elif action[row] == FRESH:
            seed = _renew(word, minus, wires[row], axes[row], seed)
    return out, flipped


@numba.njit(cache=True, nogil=True)
def _renew(
    word: NDArray[np.uint64],
    minus: NDArray[np.bool_],
    wires: NDArray[np.int32],
    axes: NDArray[np.int8],
    seed: np.uint64,
) -> np.uint64:
    """Give each wire on which a row is not diagonal a variable of its own; the last seed."""
    for k in range(len(wires)):
        wire = wires[k]
        if wire < 0:
            break
        if k < 2 and axes[k] == 3:
            continue
        for j in range(2):
            seed += np.uint64(1)
            word[wire, j] = _mix(seed)
        minus[wire] = False
    return seed
