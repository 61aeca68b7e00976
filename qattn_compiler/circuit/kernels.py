"""Hot loops over columns: arrays in, arrays out. Each has a plain-Python twin in the tests."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray


@numba.njit(cache=True, nogil=True)
def axis_epochs(axes: NDArray[np.int8], wires: NDArray[np.int32], num_wires: int) -> NDArray[np.int64]:
    """When the row's axis on each of its wires was last disturbed.

    Two rows with equal axis and equal epoch on a wire have nothing between them there that fails to be
    diagonal on that axis; if that holds on every wire of both, the rows commute with all that stands between
    them.

    Args:
        axes: shape (rows, 2): axis code of each operand, 0 for none.
        wires: shape (rows, width): wires of each row, -1 fills up. Beyond column 1 the axis is 0.
        num_wires: wire numbers are below this.

    Returns:
        shape (rows, 2): the epoch of each operand (-1 where there is no operand or no axis).
    """
    rows, width = wires.shape
    epoch = np.full((rows, 2), -1, dtype=np.int64)
    current = np.zeros((num_wires, 4), dtype=np.int64)
    for row in range(rows):
        for k in range(width):
            wire = wires[row, k]
            if wire < 0:
                break
            axis = axes[row, k] if k < 2 else 0
            for other in range(1, 4):
                if other != axis:
                    current[wire, other] += 1
            if axis > 0:
                epoch[row, k] = current[wire, axis]
    return epoch


@numba.njit(cache=True, nogil=True)
def cancel_adjacent(
    form: NDArray[np.int64], inverse_form: NDArray[np.int64], wires: NDArray[np.int32], num_wires: int
) -> NDArray[np.bool_]:
    """Remove neighbours that undo each other, again and again, in one sweep.

    Args:
        form: shape (rows,): equal numbers mean equal gate, operands and angles; -1: never removed.
        inverse_form: shape (rows,): the form that would undo the row; -1 if none is known.
        wires: shape (rows, width), -1 fills up.
        num_wires: wire numbers are below this.

    Returns:
        shape (rows,): which rows stay.
    """
    rows, width = wires.shape
    keep = np.ones(rows, dtype=np.bool_)
    last = np.full(num_wires, -1, dtype=np.int64)
    before = np.full((rows, width), -1, dtype=np.int64)
    for row in range(rows):
        first = wires[row, 0]
        partner = last[first] if first >= 0 else -1
        matches = partner >= 0 and form[row] >= 0
        if matches:  # asked from both sides: rounding may hide one of the two
            matches = form[partner] == inverse_form[row] or form[row] == inverse_form[partner]
        if matches:
            for k in range(width):
                wire = wires[row, k]
                if wire < 0:
                    break
                if last[wire] != partner:
                    matches = False
                    break
        if matches:
            keep[row] = False
            keep[partner] = False
            for k in range(width):
                wire = wires[partner, k]
                if wire < 0:
                    break
                last[wire] = before[partner, k]
        else:
            for k in range(width):
                wire = wires[row, k]
                if wire < 0:
                    break
                before[row, k] = last[wire]
                last[wire] = row
    return keep


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
