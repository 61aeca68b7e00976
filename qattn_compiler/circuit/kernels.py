"""Hot loops over columns: arrays in, arrays out. Each has a plain-Python twin in the tests."""

from __future__ import annotations

from typing import TypeAlias

import numba
import numpy as np
from numpy.typing import NDArray


@numba.njit(cache=True, nogil=True)
def fuse_runs(
    fusable: NDArray[np.bool_],
    quaternions: NDArray[np.float64],
    wires: NDArray[np.int32],
    num_wires: int,
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
    """Multiply runs of single-qubit rows.

    Args:
        fusable: shape (rows,): whether a row takes part in runs; all others end the runs on their wires.
        quaternions: shape (rows, 4): unit quaternions of the fusable rows, U = q0 - i (q1 X + q2 Y + q3 Z).
        wires: shape (rows, width), -1 fills up.
        num_wires: wire numbers are below this.

    Returns:
        head: shape (rows,): the first row of the run that a row belongs to; -1 for rows in no run.
        product: shape (rows, 4): at each head, the run's product (later rows from the left).
        length: shape (rows,): at each head, how many rows the run has.
    """
    rows, width = wires.shape
    head = np.full(rows, -1, dtype=np.int64)
    length = np.zeros(rows, dtype=np.int64)
    product = np.zeros((rows, 4))
    run = np.full(num_wires, -1, dtype=np.int64)
    for row in range(rows):
        if not fusable[row]:
            for k in range(width):
                wire = wires[row, k]
                if wire < 0:
                    break
                run[wire] = -1
            continue
        wire = wires[row, 0]
        if run[wire] < 0:
            run[wire] = row
            product[row] = quaternions[row]
        else:
            h = run[wire]
            a0, a1, a2, a3 = quaternions[row]
            b0, b1, b2, b3 = product[h]
            product[h, 0] = a0 * b0 - a1 * b1 - a2 * b2 - a3 * b3
            product[h, 1] = a0 * b1 + a1 * b0 + a2 * b3 - a3 * b2
            product[h, 2] = a0 * b2 + a2 * b0 + a3 * b1 - a1 * b3
            product[h, 3] = a0 * b3 + a3 * b0 + a1 * b2 - a2 * b1
        head[row] = run[wire]
        length[run[wire]] += 1
    return head, product, length


@numba.njit(cache=True, nogil=True)
def layers(weight: NDArray[np.int64], wires: NDArray[np.int32], num_wires: int) -> NDArray[np.int64]:
    """As-soon-as-possible layer of each row, counting only rows of weight 1.

    Args:
        weight: shape (rows,): 1 for rows that take up a layer, 0 for those that only order others.
        wires: shape (rows, width), -1 fills up.
        num_wires: wire numbers are below this.

    Returns:
        shape (rows,): the layer at whose end the row is done; the depth is the largest of them.
    """
    rows, width = wires.shape
    done = np.zeros(num_wires, dtype=np.int64)
    out = np.zeros(rows, dtype=np.int64)
    for row in range(rows):
        start = 0
        for k in range(width):
            wire = wires[row, k]
            if wire < 0:
                break
            start = max(start, done[wire])
        out[row] = start + weight[row]
        for k in range(width):
            wire = wires[row, k]
            if wire < 0:
                break
            done[wire] = out[row]
    return out


@numba.njit(cache=True, nogil=True)
def critical_path(
    nanoseconds: NDArray[np.float64], wires: NDArray[np.int32], num_wires: int
) -> NDArray[np.float64]:
    """When each wire is done (shape (num_wires,)), each row lasting `nanoseconds[row]` after all its
    wires."""
    rows, width = wires.shape
    done = np.zeros(num_wires)
    for row in range(rows):
        start = 0.0
        for k in range(width):
            wire = wires[row, k]
            if wire < 0:
                break
            start = max(start, done[wire])
        for k in range(width):
            wire = wires[row, k]
            if wire < 0:
                break
            done[wire] = start + nanoseconds[row]
    return done


# -- stacks of blocks ----------------------------------------------------------------------------------------
#
# `merge_groups` and `cancel_pairs` read a circuit once. Each wire has a stack of blocks; a block is a run of
# rows that are diagonal on the same Pauli axis there, or one single row without an axis. A row that is read
# joins the top block or opens one on top of it. Two rows with the same operands can meet if the earlier one's
# blocks are on top on all its wires: all that stands between them shares its axis on the wires that it shares
# with them. A block whose rows have all gone is taken off, so that what it held apart can meet at once, and
# one sweep does what repeated searching would. Rows that can never go and have no axis empty the stack.


Stacks: TypeAlias = tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]
"""top, shape (wires,): block on top, or -1; blocks, shape (blocks, 4): axis, number of rows, block below,
exclusive or of the rows; home, shape (rows, 2): the block of each operand."""


@numba.njit(cache=True, nogil=True, forceinline=True)
def _stacks(rows: int, num_wires: int) -> Stacks:
    top = np.full(num_wires, -1, dtype=np.int32)
    blocks = np.empty((2 * rows, 4), dtype=np.int32)
    return top, blocks, np.full((rows, 2), -1, dtype=np.int32)


@numba.njit(cache=True, nogil=True, forceinline=True)
def _enter(
    row: int, axes: NDArray[np.int8], wires: NDArray[np.int32], wall: bool, stacks: Stacks, used: int
) -> int:
    """Put a row on the stacks of its wires; how many blocks are in use then. A wall never goes."""
    top, blocks, home = stacks
    for k in range(wires.shape[1]):
        wire = wires[row, k]
        if wire < 0:
            break
        axis = axes[row, k] if k < 2 else 0
        if wall and axis == 0:
            top[wire] = -1
            continue
        below = top[wire]
        if axis > 0 and below >= 0 and blocks[below, 0] == axis:
            blocks[below, 1] += 1
            blocks[below, 3] ^= row
        else:
            blocks[used, 0], blocks[used, 1], blocks[used, 2], blocks[used, 3] = axis, 1, below, row
            top[wire] = used
            used += 1
        if k < 2:
            home[row, k] = top[wire]
    return used


@numba.njit(cache=True, nogil=True, forceinline=True)
def _is_on_top(row: int, wires: NDArray[np.int32], stacks: Stacks) -> bool:
    """Whether a row on at most two wires can meet a row that comes now."""
    top, _, home = stacks
    for k in range(2):
        wire = wires[row, k]
        if wire >= 0 and top[wire] != home[row, k]:
            return False
    return True


@numba.njit(cache=True, nogil=True, forceinline=True)
def _leave(row: int, wires: NDArray[np.int32], stacks: Stacks) -> None:
    """Take away a row that is on top."""
    top, blocks, home = stacks
    for k in range(2):
        wire = wires[row, k]
        if wire < 0:
            break
        block = home[row, k]
        blocks[block, 1] -= 1
        blocks[block, 3] ^= row
        if blocks[block, 1] == 0:
            top[wire] = blocks[block, 2]


@numba.njit(cache=True, nogil=True, forceinline=True)
def _mixed(value: np.uint64, more: np.uint64) -> np.uint64:
    """One more number into a hash (the mixing step of SplitMix64)."""
    z = (value ^ more) + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@numba.njit(cache=True, nogil=True, forceinline=True)
def _place(table: NDArray[np.uint64], key: np.uint64) -> int:
    """Where a key (not 0) stands in an open table, or would stand; its length is a power of two."""
    mask = len(table) - 1
    at = np.int64(key & np.uint64(mask))
    while table[at] != 0 and table[at] != key:
        at = (at + 1) & mask
    return int(at)


@numba.njit(cache=True, nogil=True, forceinline=True)
def _table_size(rows: int) -> int:
    size = 16
    while size < 2 * rows:
        size *= 2
    return size


@numba.njit(cache=True, nogil=True, forceinline=True)
def _remainder(angle: float, period: float) -> float:
    """Into [-period / 2, period / 2]."""
    return angle - period * np.rint(angle / period)


@numba.njit(cache=True, nogil=True, forceinline=True)
def _symbols_vanish(
    last: int,
    before: NDArray[np.int32],
    sign: NDArray[np.float64],
    begin: NDArray[np.int64],
    param: NDArray[np.int64],
    coef: NDArray[np.float64],
    total: NDArray[np.float64],
    size: NDArray[np.float64],
) -> bool:
    """Whether the symbolic terms of a group add up to nothing, but for rounding; `total`, `size` are zero
    before and after."""
    row = last
    while row >= 0:
        for i in range(begin[row], begin[row + 1]):
            total[param[i]] += sign[row] * coef[i]
            size[param[i]] += abs(coef[i])
        row = before[row]
    gone = True
    row = last
    while row >= 0:
        for i in range(begin[row], begin[row + 1]):
            if abs(total[param[i]]) > 4e-16 * size[param[i]]:
                gone = False
            total[param[i]] = 0.0
            size[param[i]] = 0.0
        row = before[row]
    return gone


@numba.njit(cache=True, nogil=True)
def merge_groups(
    family: NDArray[np.int16],
    angles: NDArray[np.float64],
    turn: NDArray[np.float64],
    symmetry: NDArray[np.int8],
    axes: NDArray[np.int8],
    wires: NDArray[np.int32],
    num_wires: int,
    rounding: float,
    begin: NDArray[np.int64],
    param: NDArray[np.int64],
    coef: NDArray[np.float64],
    probe: NDArray[np.float64],
) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Rows of one family on the same operands that can meet become groups; a group that adds up to nothing
    vanishes at once and lets others meet.

    Args:
        family: shape (rows,): gate code of the rotation that a row is, -1 for the others.
        angles: shape (rows, 2): as that rotation, radians.
        turn: shape (gates,): the angle that is the identity up to a phase.
        symmetry: shape (gates,): 1 if exchanging the operands changes nothing, -1 if it negates the angle, 0
            if it makes another gate.
        axes: shape (rows, 2): axis code of each operand, 0 for none.
        wires: shape (rows, width), -1 fills up.
        num_wires: wire numbers are below this.
        rounding: a total angle up to here is none.
        begin: shape (rows + 1,): where the symbolic terms of a row's angles begin in `param` and `coef`.
        param: shape (terms,): three times the parameter, plus the column of the angle.
        coef: shape (terms,).
        probe: shape (3 * parameters,): random numbers; only where the terms of a group, multiplied by them,
            add up to about nothing are they looked at one by one.

    Returns:
        head: shape (rows,): first row of the row's group; -1 for rows of no family.
        sign: shape (rows,): what the row's angles are multiplied by in its group.
        total: shape (rows, 2): at each head, the sum of the group's angles.
        gone: shape (rows,): at each head, whether the group vanishes.
    """
    rows = len(wires)
    stacks = _stacks(rows, num_wires)
    used = 0
    table = np.zeros(_table_size(np.count_nonzero(family >= 0)), dtype=np.uint64)
    newest = np.full(len(table), -1, dtype=np.int32)
    older = np.full(rows, -1, dtype=np.int32)
    head = np.full(rows, -1, dtype=np.int32)
    sign = np.ones(rows)
    total = np.zeros((rows, 2))
    gone = np.zeros(rows, dtype=np.bool_)
    last = np.full(rows, -1, dtype=np.int32)  # at heads: the member read last; `before` leads back from it
    before = np.full(rows, -1, dtype=np.int32)
    seen = np.zeros(rows)  # at heads: the terms times `probe`, and their size
    seen_size = np.zeros(rows)
    sums, sizes = np.zeros(len(probe)), np.zeros(len(probe))
    for row in range(rows):
        kind = family[row]
        if kind < 0:
            used = _enter(row, axes, wires, True, stacks, used)
            continue
        a, b = wires[row, 0], wires[row, 1]
        if b >= 0 and symmetry[kind] != 0 and a > b:
            a, b = b, a
            sign[row] = symmetry[kind]
        key = np.uint64(1 + kind + 256 * (np.int64(a) + num_wires * np.int64(b + 1)))
        at = _place(table, _mixed(np.uint64(0), key))
        table[at] = _mixed(np.uint64(0), key)
        first = newest[at]
        if first < 0 or not _is_on_top(first, wires, stacks):
            used = _enter(row, axes, wires, False, stacks, used)
            first = row
            older[row] = newest[at]
            newest[at] = row
        head[row] = first
        before[row] = last[first]
        last[first] = row
        for i in range(begin[row], begin[row + 1]):
            seen[first] += sign[row] * coef[i] * probe[param[i]]
            seen_size[first] += abs(coef[i] * probe[param[i]])
        for k in range(2):
            total[first, k] += sign[row] * angles[row, k]
        if first == row or abs(seen[first]) > 1e-9 * seen_size[first]:
            continue
        if abs(_remainder(total[first, 0], turn[kind])) > rounding:
            continue
        if abs(_remainder(total[first, 1], turn[kind])) > rounding:
            continue
        if _symbols_vanish(row, before, sign, begin, param, coef, sums, sizes):
            gone[first] = True
            newest[at] = older[first]
            _leave(first, wires, stacks)
    return head, sign, total, gone


Form: TypeAlias = tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.int64], NDArray[np.uint64]]
"""The angles of rows as bits: constants, shape (rows, 3), without -0.0; begin, shape (rows + 1,); param and
coef, shape (terms,): the symbolic terms, sorted, param being three times the parameter plus the column."""

Rows: TypeAlias = tuple[
    NDArray[np.uint8], NDArray[np.int32], NDArray[np.bool_], NDArray[np.int16], NDArray[np.int8]
]
"""op, shape (rows,); wires, shape (rows, width); of the gates: whether their operands may be exchanged, their
inverses, and how many angles they have."""

Powers: TypeAlias = tuple[NDArray[np.int8], NDArray[np.int16], NDArray[np.int8], tuple[int, int, int]]
"""Which power of the square root of iSWAP a gate is (modulo 8; 0 for the others); the gate of each power, Z
(on both operands) for the fourth, -1 for none; axis codes, shape (gates, 2); the codes of CX, SWAP and Z."""

Index: TypeAlias = tuple[NDArray[np.uint64], NDArray[np.int32], NDArray[np.int32], NDArray[np.int64]]
"""table of keys; newest, beside it: the newest row of that key; older, shape (rows, 2): the row before it of
the same key; slot, shape (rows, 2): where the row's keys stand."""


@numba.njit(cache=True, nogil=True, forceinline=True)
def _operands(row: int, rows: Rows) -> tuple[int, int]:
    """Operands of a row, in order if their order does not matter."""
    op, wires, symmetric, _, _ = rows
    a, b = wires[row, 0], wires[row, 1]
    return (b, a) if symmetric[op[row]] and a > b else (a, b)


@numba.njit(cache=True, nogil=True, forceinline=True)
def _key(code: int, row: int, rows: Rows, form: Form, salt: int) -> np.uint64:
    """Hash of a gate with the operands of a row and the angles that the form gives it; not 0."""
    constants, begin, param, coef = form
    a, b = _operands(row, rows)
    gate = np.uint64(code + 256 * salt)
    key = _mixed(_mixed(np.uint64(0), gate), np.uint64(np.int64(a) + ((np.int64(b) + 1) << 32)))
    for k in range(3):
        if constants[row, k] != 0:
            key = _mixed(key, constants[row, k] + np.uint64(k))
    for i in range(begin[row], begin[row + 1]):
        key = _mixed(_mixed(key, np.uint64(param[i])), coef[i])
    return key | np.uint64(1)


@numba.njit(cache=True, nogil=True, forceinline=True)
def _agree(one: int, form: Form, other: int, other_form: Form) -> bool:
    """Whether two rows have the same angles in these forms."""
    constants, begin, param, coef = form
    constants_2, begin_2, param_2, coef_2 = other_form
    for k in range(3):
        if constants[one, k] != constants_2[other, k]:
            return False
    size = begin[one + 1] - begin[one]
    if begin_2[other + 1] - begin_2[other] != size:
        return False
    for i in range(size):
        here, there = begin[one] + i, begin_2[other] + i
        if param[here] != param_2[there] or coef[here] != coef_2[there]:
            return False
    return True


@numba.njit(cache=True, nogil=True, forceinline=True)
def _can_meet(row: int, axes: NDArray[np.int8], wires: NDArray[np.int32], stacks: Stacks) -> bool:
    """Whether the blocks on top of the row's wires have its axes; without that it meets nothing."""
    top, blocks, _ = stacks
    for k in range(2):
        wire = wires[row, k]
        if wire >= 0 and (top[wire] < 0 or blocks[top[wire], 0] != axes[row, k]):
            return False
    return True


@numba.njit(cache=True, nogil=True)
def _partner(row: int, rows: Rows, forms: tuple[Form, Form], stacks: Stacks, index: Index) -> int:
    """The row that this one undoes, if it can meet it; -1 if there is none.

    Asked from both sides, as rounding in the inverse of `phased_xz` may hide one of the two.
    """
    op, wires, _, inverse, width = rows
    table, newest = index[0], index[1]
    for side in range(2 if width[op[row]] == 3 else 1):
        code = int(inverse[op[row]]) if side == 0 else int(op[row])
        early = newest[_place(table, _key(code, row, rows, forms[1 - side], side))]
        if early < 0 or op[early] != inverse[op[row]] or _operands(early, rows) != _operands(row, rows):
            continue
        if _agree(early, forms[side], row, forms[1 - side]) and _is_on_top(early, wires, stacks):
            return int(early)
    return -1


@numba.njit(cache=True, nogil=True, forceinline=True)
def _list(row: int, rows: Rows, forms: tuple[Form, Form], index: Index) -> None:
    """Let later rows find this one."""
    op, _, _, inverse, width = rows
    table, newest, older, slot = index
    for side in range(2 if width[op[row]] == 3 else 1):
        code = int(op[row]) if side == 0 else int(inverse[op[row]])
        key = _key(code, row, rows, forms[side], side)
        at = _place(table, key)
        table[at] = key
        older[row, side] = newest[at]
        newest[at] = row
        slot[row, side] = at


@numba.njit(cache=True, nogil=True, forceinline=True)
def _drop(row: int, rows: Rows, stacks: Stacks, index: Index) -> None:
    """Take away a row that is on top, and so the newest of its keys."""
    _, newest, older, slot = index
    for side in range(2 if rows[4][rows[0][row]] == 3 else 1):
        newest[slot[row, side]] = older[row, side]
    _leave(row, rows[1], stacks)


@numba.njit(cache=True, nogil=True, forceinline=True)
def _alone(row: int, wires: NDArray[np.int32], stacks: Stacks) -> int:
    """The row that stands alone on top of both wires of this one; -1 if there is none."""
    top, blocks, _ = stacks
    if wires[row, 1] < 0:
        return -1
    a, b = top[wires[row, 0]], top[wires[row, 1]]
    if a < 0 or b < 0 or blocks[a, 1] != 1 or blocks[b, 1] != 1 or blocks[a, 3] != blocks[b, 3]:
        return -1
    return int(blocks[a, 3])


@numba.njit(cache=True, nogil=True)
def _first_of_three(
    row: int, middle: int, rows: Rows, stacks: Stacks, index: Index, forms: tuple[Form, Form]
) -> int:
    """For a CX right after the row `middle`, if that is a CX the other way round: the CX right before it,
    equal to this one, or -1."""
    op, wires = rows[0], rows[1]
    top, blocks, home = stacks
    a, b = wires[row, 0], wires[row, 1]
    if op[middle] != op[row] or wires[middle, 0] != b or wires[middle, 1] != a:
        return -1
    early = index[1][_place(index[0], _key(op[row], row, rows, forms[0], 0))]
    if early < 0 or op[early] != op[row] or wires[early, 0] != a or wires[early, 1] != b:
        return -1
    is_below = home[early, 0] == blocks[top[a], 2] and home[early, 1] == blocks[top[b], 2]
    return int(early) if is_below else -1


@numba.njit(cache=True, nogil=True)
def _rewritten(
    row: int,
    alone: int,
    rows: Rows,
    forms: tuple[Form, Form],
    axes: NDArray[np.int8],
    keep: NDArray[np.bool_],
    stacks: Stacks,
    index: Index,
    powers: Powers,
) -> int:
    """Try the identities of `cancel_pairs` on a row that comes now, and the one that is alone before it.

    -1 if none fits, else the row to read next, which was changed: this one, or an earlier one, after which
    this one is to be read.
    """
    op, wires = rows[0], rows[1]
    quarter, of_quarter, gate_axes, (cx, swap, z) = powers
    if op[row] == cx:
        early = _first_of_three(row, alone, rows, stacks, index, forms)
        if early < 0:
            return -1
        _drop(alone, rows, stacks, index)
        _drop(early, rows, stacks, index)
        keep[early] = keep[alone] = False
        op[row] = swap
        axes[row] = gate_axes[swap]
        return row
    if quarter[op[row]] == 0 or quarter[op[alone]] == 0:
        return -1
    power = (quarter[op[alone]] + quarter[op[row]]) % 8
    if of_quarter[power] < 0:
        return -1
    _drop(alone, rows, stacks, index)
    op[row] = of_quarter[power]
    axes[row] = gate_axes[op[row]]
    if op[row] != z:
        keep[alone] = False
        return row
    op[alone], axes[alone] = z, gate_axes[z]
    wires[alone, 0], wires[row, 0] = wires[row, 0], wires[row, 1]
    wires[alone, 1] = wires[row, 1] = -1
    return alone


@numba.njit(cache=True, nogil=True)
def cancel_pairs(
    rows: Rows, fit: NDArray[np.bool_], forms: tuple[Form, Form], powers: Powers, num_wires: int
) -> NDArray[np.bool_]:
    """Take away rows that undo each other, and everything that can meet only then, in one sweep.

    Three CX in turns become a SWAP, and two powers of the square root of iSWAP one power or two Zs, where
    nothing is left between them.

    Args:
        rows: op and wires are changed in place.
        fit: shape (rows,): gates that may go; all others are walls.
        forms: the angles of the rows, and of their inverses.
        powers: see there.
        num_wires: wire numbers are below this.

    Returns:
        shape (rows,): which rows stay.
    """
    size, wires = len(fit), rows[1]
    stacks = _stacks(size, num_wires)
    used = 0
    table = np.zeros(_table_size(2 * np.count_nonzero(fit)), dtype=np.uint64)
    newest = np.full(len(table), -1, dtype=np.int32)
    index = table, newest, np.full((size, 2), -1, np.int32), np.full((size, 2), -1, np.int64)
    keep = np.ones(size, dtype=np.bool_)
    axes = powers[2][rows[0]]
    for start in range(size):
        row = start
        while fit[row]:
            early = -1
            if _can_meet(row, axes, wires, stacks):
                early = _partner(row, rows, forms, stacks, index)
            if early >= 0:
                _drop(early, rows, stacks, index)
                keep[early] = keep[row] = False
            else:
                alone = _alone(row, wires, stacks)
                if alone >= 0:
                    changed = _rewritten(row, alone, rows, forms, axes, keep, stacks, index, powers)
                    if changed >= 0:
                        row = changed
                        continue
                used = _enter(row, axes, wires, False, stacks, used)
                _list(row, rows, forms, index)
            if row == start:
                break
            row = start
        if not fit[start]:
            used = _enter(start, axes, wires, True, stacks, used)
    return keep


@numba.njit(cache=True, nogil=True)
def absorb_swaps(
    op: NDArray[np.uint8],
    num_qubits: NDArray[np.int8],
    operands: NDArray[np.int32],
    wires: NDArray[np.int32],
    num_wires: int,
    swap: int,
    program: NDArray[np.int64],
    first_swap: int,
) -> NDArray[np.int64]:
    """Which rule replaces each row, so that SWAPs go into the gate on the same pair before or after them.

    Single-qubit gates between the two change their wire, and two SWAPs with nothing but such gates between
    them go. A gate takes part once.

    Args:
        op: shape (rows,): gate codes.
        num_qubits: shape (rows,): 1 or 2; 0 for rows that nothing passes.
        operands: shape (rows, 2); changed in place.
        wires: shape (rows, width), -1 fills up.
        num_wires: wire numbers are below this.
        swap: code of SWAP.
        program: shape (gates,): the rule for a gate and a SWAP after it; -1 if there is none.
        first_swap: added to `program`: the rule for a SWAP and the gate after it. Rule 0 drops a row.

    Returns:
        shape (rows,): number of the rule, -1 for none.
    """
    rows, width = wires.shape
    out = np.full(rows, -1, dtype=np.int64)
    last = np.full(num_wires, -1, dtype=np.int64)  # row on two wires, or wall
    newest = np.full(num_wires, -1, dtype=np.int64)  # single-qubit row since then, and those before it
    older = np.full(rows, -1, dtype=np.int64)
    for row in range(rows):
        a, b = wires[row, 0], wires[row, 1]
        if num_qubits[row] == 1:
            older[row] = newest[a]
            newest[a] = row
            continue
        early = last[a] if num_qubits[row] == 2 else -1
        if early >= 0 and early == last[b] and out[early] < 0 and num_qubits[early] == 2:
            is_late, is_early = op[row] == swap, op[early] == swap
            if is_late and is_early:
                out[early], out[row] = 0, 0
            elif is_late and program[op[early]] >= 0:
                out[early], out[row] = program[op[early]], 0
            elif is_early and program[op[row]] >= 0:
                out[early], out[row] = 0, first_swap + program[op[row]]
            if out[row] >= 0:
                for wire, other in ((a, b), (b, a)):
                    single = newest[wire]
                    while single >= 0:
                        operands[single, 0] = other
                        single = older[single]
            if out[row] == 0:
                continue
        for k in range(width):
            wire = wires[row, k]
            if wire < 0:
                break
            last[wire] = row
            newest[wire] = -1
    return out


@numba.njit(cache=True, nogil=True)
def multiply_runs(head: NDArray[np.int64], quaternions: NDArray[np.float64]) -> None:
    """Multiply the runs that `fuse_runs` found, for many sets of angles.

    Args:
        head: shape (rows,): first row of each row's run; -1 for rows in none.
        quaternions: shape (batch, rows, 4); the products are left at the heads.
    """
    for number in range(len(quaternions)):
        for row in range(len(head)):
            h = head[row]
            if h < 0 or h == row:
                continue
            a0, a1, a2, a3 = quaternions[number, row]
            b0, b1, b2, b3 = quaternions[number, h]
            quaternions[number, h, 0] = a0 * b0 - a1 * b1 - a2 * b2 - a3 * b3
            quaternions[number, h, 1] = a0 * b1 + a1 * b0 + a2 * b3 - a3 * b2
            quaternions[number, h, 2] = a0 * b2 + a2 * b0 + a3 * b1 - a1 * b3
            quaternions[number, h, 3] = a0 * b3 + a3 * b0 + a1 * b2 - a2 * b1
