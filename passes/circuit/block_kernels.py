"""Hot loops over two-qubit blocks: arrays in, arrays out."""
# mypy: disallow-untyped-decorators=False

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]
C128 = NDArray[np.complex128]


@numba.njit(cache=True, nogil=True)
def collect_blocks(
    width: NDArray[np.int8],
    pair: I64,
    axes: NDArray[np.int8],
    wires: NDArray[np.int32],
    num_wires: int,
    num_pairs: int,
) -> tuple[I64, I64]:
    """Group rows into blocks on two wires, through rows that commute.

    A block begins with a two-qubit row. A later row on its wires joins it if, on each wire of the row, all
    rows since the block was left there are diagonal on the row's own axis (or the block was never left). So
    a row that joins commutes with every row outside that it passes, and each block may be put, whole and in
    order, in the place of its first row. One row costs constant time.

    Args:
        width: shape (rows,): 1 or 2 for rows that may belong to blocks, 0 for all others.
        pair: shape (rows,): number of the (unordered) pair of wires of rows of width 2.
        axes: shape (rows, 2): axis code of each operand, 0 for none.
        wires: shape (rows, any): wires of each row, -1 fills up. Beyond column 1 the axis is 0.
        num_wires: wire numbers are below this.
        num_pairs: pair numbers are below this.

    Returns:
        block: shape (rows,): the row's block, -1 for none; blocks are numbered by their first row.
        first: shape (blocks,): the block's first row.
    """
    rows = len(width)
    length = np.zeros(num_wires, np.int64)  # rows on the wire so far
    disturbed = np.zeros((num_wires, 4), np.int64)  # length at the last row that is not of that axis
    owner = np.full(num_wires, -1, np.int64)  # block of the wire's last row
    latest = np.full(num_pairs, -1, np.int64)  # last block on the pair
    block = np.full(rows, -1, np.int64)
    first = np.empty(rows, np.int64)
    end = np.empty((rows, 2), np.int64)  # length of the wire when the block was left there
    blocks = 0
    for row in range(rows):
        mine = -1
        if width[row] == 1:
            mine = owner[wires[row, 0]]
        elif width[row] == 2:
            mine = latest[pair[row]]
        for k in range(width[row]):
            if mine < 0:
                break
            wire, axis = wires[row, k], axes[row, k]
            left = end[mine, int(wire != wires[first[mine], 0])]
            if left != length[wire] and (axis == 0 or disturbed[wire, axis] > left):
                mine = -1
        if mine < 0 and width[row] == 2:
            mine = blocks
            blocks += 1
            latest[pair[row]] = mine
            first[mine] = row
            for k in range(2):
                end[mine, k] = length[wires[row, k]]
        block[row] = mine
        for k in range(wires.shape[1]):
            wire = wires[row, k]
            if wire < 0:
                break
            axis = axes[row, k] if k < 2 else 0
            side = int(mine >= 0 and wire != wires[first[mine], 0])
            if mine >= 0 and end[mine, side] == length[wire]:
                end[mine, side] += 1
            length[wire] += 1
            owner[wire] = mine
            for other in range(1, 4):
                if other != axis:
                    disturbed[wire, other] = length[wire]
    return block, first[:blocks]


@numba.njit(cache=True, nogil=True)
def block_unitaries(
    block: I64, side: NDArray[np.int8], gate: I64, quaternions: F64, matrices: C128, num_blocks: int
) -> C128:
    """Products of the rows of blocks.

    Args:
        block: shape (rows,): the block of each row, in the order in which the rows act.
        side: shape (rows,): which wire of its block a single-qubit row acts on; of a two-qubit row, 1 if its
            operands stand the other way round.
        gate: shape (rows,): index into `matrices`, -1 for single-qubit rows.
        quaternions: shape (rows, 4): of single-qubit rows.
        matrices: shape (gates, 4, 4).
        num_blocks: block numbers are below this.

    Returns:
        shape (num_blocks, 4, 4).
    """
    out = np.zeros((num_blocks, 4, 4), np.complex128)
    for b in range(num_blocks):
        for k in range(4):
            out[b, k, k] = 1.0
    scratch = np.empty((4, 4), np.complex128)
    for row in range(len(block)):
        total = out[block[row]]
        if gate[row] < 0:
            _times_single(quaternions[row], side[row], total)
            continue
        matrix = matrices[gate[row]]
        for i in range(4):
            for j in range(4):
                scratch[i, j] = 0.0
            for k in range(4):
                entry = matrix[_turned(i), _turned(k)] if side[row] else matrix[i, k]
                if entry != 0:
                    for j in range(4):
                        scratch[i, j] += entry * total[k, j]
        total[:] = scratch
    return out


@numba.njit(cache=True, nogil=True)
def _turned(index: int) -> int:
    """The basis state with its two qubits exchanged."""
    return (index >> 1) | ((index & 1) << 1)


@numba.njit(cache=True, nogil=True)
def _times_single(q: F64, side: int, total: C128) -> None:
    """total -> (gate on that side) total, in place."""
    upper, lower = complex(q[0], -q[3]), complex(q[0], q[3])
    right, left = complex(-q[2], -q[1]), complex(q[2], -q[1])
    step = 1 if side else 2
    for i in range(2):
        low = i * (3 - step)
        high = low + step
        for j in range(4):
            u, v = total[low, j], total[high, j]
            total[low, j] = upper * u + right * v
            total[high, j] = left * u + lower * v
