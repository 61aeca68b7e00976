"""Hot loops that cut circuits into regions."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray


@numba.njit(cache=True, nogil=True)
def levels(
    is_wall: NDArray[np.bool_], ordered: NDArray[np.bool_], wires: NDArray[np.int32], num_wires: int
) -> NDArray[np.int64]:
    """How many walls stand before each row, along the worst path.

    Args:
        is_wall: shape (rows,).
        ordered: shape (rows,): walls that keep their order among themselves.
        wires: shape (rows, width), -1 fills up.
        num_wires: wire numbers are below this.

    Returns:
        shape (rows,), not falling from one ordered wall to the next. Rows of level 0, walls of level 0,
        rows of level 1, ... is an order of execution.
    """
    rows, width = wires.shape
    reached = np.zeros(num_wires, dtype=np.int64)
    out = np.zeros(rows, dtype=np.int64)
    last = 0
    for row in range(rows):
        level = 0
        for k in range(width):
            if wires[row, k] < 0:
                break
            level = max(level, reached[wires[row, k]])
        if is_wall[row] and ordered[row]:
            level = max(level, last)
            last = level
        out[row] = level
        after = level + 1 if is_wall[row] else level
        for k in range(width):
            if wires[row, k] < 0:
                break
            reached[wires[row, k]] = after
    return out


@numba.njit(cache=True, nogil=True)
def components(pairs: NDArray[np.int32], size: int) -> NDArray[np.int64]:
    """The connected part of each qubit, as the least qubit in it.

    Args:
        pairs: shape (rows, 2): qubits of each row, -1 in the second column where there is one only.
        size: number of qubits.
    """
    parent = np.arange(size)
    for row in range(len(pairs)):
        if pairs[row, 1] < 0:
            continue
        a, b = pairs[row, 0], pairs[row, 1]
        while parent[a] != a:
            parent[a] = parent[parent[a]]
            a = parent[a]
        while parent[b] != b:
            parent[b] = parent[parent[b]]
            b = parent[b]
        parent[max(a, b)] = min(a, b)
    for q in range(size):
        parent[q] = parent[parent[q]]  # parents are smaller, so theirs are known
    return parent


@numba.njit(cache=True, nogil=True)
def sink_swaps(
    is_swap: NDArray[np.bool_], wires: NDArray[np.int32], num_qubits: int
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Where every row acts when SWAPs are not done but remembered.

    Args:
        is_swap: shape (rows,).
        wires: shape (rows, width), -1 fills up; those from `num_qubits` on stay as they are.
        num_qubits: number of qubits.

    Returns:
        new wires, same shape; and for each qubit of the circuit the one where its content ends.
    """
    place = np.arange(num_qubits).astype(np.int32)
    out = wires.copy()
    for row in range(len(wires)):
        if is_swap[row]:
            a, b = wires[row, 0], wires[row, 1]
            place[a], place[b] = place[b], place[a]
            continue
        for k in range(wires.shape[1]):
            wire = wires[row, k]
            if wire < 0:
                break
            if wire < num_qubits:
                out[row, k] = place[wire]
    return out, place
