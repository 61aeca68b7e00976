"""Blocks on three or four wires: which rows can be brought together, in one sweep behind a first one.

A window is a first row (a two-qubit gate) and more wires, those that its wires meet next. Rows are visited in
order; `late` marks wires on which something has been left out that must come after the block. A row joins if
it is a numeric gate on the window's wires and none of them is late; a row that does not join and touches the
block or a late wire makes all its wires late; all others can stay before the block. So a block is convex by
construction.

Marks on wires are numbers, those of the window in hand count: nothing has to be wiped.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

I64 = NDArray[np.int64]
I32 = NDArray[np.int32]
I8 = NDArray[np.int8]

SPAN = 2000
"""A window ends this many rows behind its first at the latest."""
INSIDE, USED, LATE = 0, 1, 2
"""Rows of `marks`: wires of the window, wires that a member has used, wires on which rows must come later."""


@numba.njit(cache=True, nogil=True)
def _grow(
    at: int, width: int, longest: int, order: I64, price: I8, wires: I32, marks: I64, members: I64
) -> int:
    """Positions of the rows that join the window marked INSIDE, into `members`: how many."""
    stamp = marks[0, -1]
    count, total, closed = 0, 0, 0
    for position in range(at, min(len(order), at + SPAN)):
        row = order[position]
        cost = price[row]
        joins = cost >= 0 and total + cost <= longest
        touches = False
        for k in range(wires.shape[1]):
            w = wires[row, k]
            if w < 0:
                break
            if marks[INSIDE, w] != stamp or marks[LATE, w] == stamp:
                joins = False
            if marks[USED, w] == stamp or marks[LATE, w] == stamp:
                touches = True
        if joins and cost == 0 and not touches:
            continue  # a turn of a wire that has not joined yet stays before the block
        if joins:
            members[count] = position
            count += 1
            total += cost
            marks[USED, wires[row, 0]] = stamp
            if cost > 0:
                marks[USED, wires[row, 1]] = stamp
        elif touches:
            for k in range(wires.shape[1]):
                w = wires[row, k]
                if w < 0:
                    break
                closed += marks[INSIDE, w] == stamp and marks[LATE, w] != stamp
                marks[LATE, w] = stamp
            if closed >= width - 1:
                break
    while count > 0 and price[order[members[count - 1]]] == 0:
        count -= 1  # turns at the end stay behind the block
    return count


@numba.njit(cache=True, nogil=True)
def next_window(
    at: int,
    side: int,
    width: int,
    longest: int,
    fewest: int,
    order: I64,
    price: I8,
    wires: I32,
    failed: I64,
    marks: I64,
    members: I64,
) -> tuple[int, int, int, int]:
    """The next window from position `at` on that is worth a search.

    Args:
        at, side: where to start; side is the choice of partners: that of the row's first or second wire (and,
            for a fourth wire, that of one of the three).
        width: wires of a window, 3 or 4.
        longest, fewest: CZ of a window at most, at least.
        order: shape (rows,): the rows in their present order.
        price: shape (rows,): CZ that the row costs, 0 for single-qubit gates, -1 for walls.
        wires: shape (rows, width of the table).
        failed: shape (rows,): the last window tried that has the row; windows inside one such are skipped.
        marks: shape (3, wires + 1): scratch, zeros at first; the last number of row 0 counts windows.
        members: shape (SPAN,): the positions of the window's rows.

    Returns:
        position of the first row, side, number of members, CZ count; position len(order) if there is none.
    """
    sides = 2 if width == 3 else 6
    block = np.empty(4, np.int64)
    tried = np.empty((6, 2), np.int64)
    while at < len(order):
        row = order[at]
        if price[row] > 0:
            while side < sides:
                fits = _choose(at, side, width, order, wires, block)
                for k in range(2):
                    tried[side, k] = block[2 + k] if fits and k < width - 2 else -1
                for earlier in range(side):
                    same = tried[earlier, 0] == tried[side, 0] and tried[earlier, 1] == tried[side, 1]
                    turned = tried[earlier, 0] == tried[side, 1] and tried[earlier, 1] == tried[side, 0]
                    fits = fits and not same and not (width == 4 and turned)
                if fits:
                    marks[0, -1] += 1
                    for k in range(width):
                        marks[INSIDE, block[k]] = marks[0, -1]
                    count = _grow(at, width, longest, order, price, wires, marks, members)
                    total = 0
                    for i in range(count):
                        total += price[order[members[i]]]
                    whole = True
                    for k in range(width):
                        whole = whole and marks[USED, block[k]] == marks[0, -1]
                    if total >= fewest and whole and not _known(count, members, order, failed):
                        return at, side, count, total
                side += 1
        at += 1
        side = 0
    return at, 0, 0, 0


@numba.njit(cache=True, nogil=True)
def _choose(at: int, side: int, width: int, order: I64, wires: I32, block: I64) -> bool:
    """The window's wires, into `block`; whether there are enough."""
    row = order[at]
    block[0], block[1] = wires[row, 0], wires[row, 1]
    joined, block[2] = _partner(at, side % 2, 2, order, wires, block)
    if block[2] < 0 or width == 3:
        return bool(block[2] >= 0)
    which = side // 2
    _, block[3] = _partner(joined if which == 2 else at, which, 3, order, wires, block)
    return bool(block[3] >= 0)


@numba.njit(cache=True, nogil=True)
def _partner(at: int, which: int, size: int, order: I64, wires: I32, block: I64) -> tuple[int, int]:
    """Where wire number `which` of the block next meets one beyond the first `size`; that one, or -1."""
    wire = block[which]
    for position in range(at + 1, min(len(order), at + SPAN)):
        row = order[position]
        if wire not in wires[row]:
            continue
        if wires.shape[1] > 2 and wires[row, 2] >= 0:
            return position, -1
        other = wires[row, 0] + wires[row, 1] - wire
        if wires[row, 1] >= 0 and other not in block[:size]:
            return position, other
    return at, -1


@numba.njit(cache=True, nogil=True)
def _known(count: int, members: I64, order: I64, failed: I64) -> bool:
    """Whether all rows were in one window that was tried in vain."""
    window = failed[order[members[0]]]
    if window < 0:
        return False
    inside = 1
    while inside < count and failed[order[members[inside]]] == window:
        inside += 1
    return inside == count


@numba.njit(cache=True, nogil=True)
def gather(order: I64, wires: I32, members: I64, marks: I64) -> None:
    """Bring a window's rows together, in `order`: what may stay before it, the window, what follows."""
    marks[0, -1] += 1
    stamp = marks[0, -1]
    first, last = members[0], members[-1]
    after, block = np.empty(last - first + 1, np.int64), np.empty(len(members), np.int64)
    num_after, num_block, place = 0, 0, first
    for position in range(first, last + 1):
        row = order[position]
        is_member = members[num_block] == position
        touches = False
        for k in range(wires.shape[1]):
            w = wires[row, k]
            touches = touches or (w >= 0 and (marks[USED, w] == stamp or marks[LATE, w] == stamp))
        if is_member:
            block[num_block] = row
            num_block += 1
        elif touches:
            after[num_after] = row
            num_after += 1
        else:
            order[place] = row
            place += 1
            continue
        for k in range(wires.shape[1]):
            if wires[row, k] >= 0:
                marks[USED if is_member else LATE, wires[row, k]] = stamp
    order[place : place + num_block] = block
    order[place + num_block : last + 1] = after[:num_after]


@numba.njit(cache=True, nogil=True)
def assemble(
    rows: I64, start: I64, operands: I32, turns: NDArray[np.float64], local: I64
) -> tuple[I64, NDArray[np.float64], I64]:
    """A window as CZ and quaternions (`synth.instantiate.Ansatz`).

    Args:
        rows: the window's rows.
        start: shape (rows + 1,): where each row's own rows over CZ begin.
        operands: shape (n, 2): qubits of the rows over CZ; a second one means a CZ.
        turns: shape (n, 4): quaternions of the single-qubit ones.
        local: shape (n,): filled with the window's wires, in order of use.

    Returns:
        pairs (k, 2), gates (n + 2 k, 4), index of the last gate on each of the n wires.
    """
    num_qubits, size = len(local), 0
    for row in rows:
        for step in range(start[row], start[row + 1]):
            size += operands[step, 1] >= 0
    pairs, gates = np.empty((size, 2), np.int64), np.zeros((num_qubits + 2 * size, 4))
    gates[:, 0] = 1.0
    last = np.arange(num_qubits)
    local[:] = -1
    k = 0
    for row in rows:
        for step in range(start[row], start[row + 1]):
            for side in range(2):
                wire = operands[step, side]
                if wire < 0:
                    break
                q = 0
                while local[q] >= 0 and local[q] != wire:
                    q += 1
                local[q] = wire
                if operands[step, 1] < 0:
                    a0, a1, a2, a3 = turns[step]
                    b0, b1, b2, b3 = gates[last[q]]
                    gates[last[q], 0] = a0 * b0 - a1 * b1 - a2 * b2 - a3 * b3
                    gates[last[q], 1] = a0 * b1 + a1 * b0 + a2 * b3 - a3 * b2
                    gates[last[q], 2] = a0 * b2 + a2 * b0 + a3 * b1 - a1 * b3
                    gates[last[q], 3] = a0 * b3 + a3 * b0 + a1 * b2 - a2 * b1
                else:
                    pairs[k, side] = q
                    last[q] = num_qubits + 2 * k + side
            k += operands[step, 1] >= 0
    return pairs, gates, last
