"""Hot loop of `replay`: the rows of a routed circuit are taken one by one, each as what its wires expect or
as an inserted SWAP."""

from __future__ import annotations

from typing import TypeAlias

import numba
import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit.jit import plain

Ints = NDArray[np.int64]
Wires = NDArray[np.int32]
Content: TypeAlias = tuple[NDArray[np.uint8], Ints, Ints, Ints, NDArray[np.bool_]]
"""What a row is, wires apart: op (rows,), the bits of its angles (rows, 3), numbers of its symbolic terms
and of its `Extra` (rows,), equal ones for equal contents, and whether its two qubits may change places
(rows,)."""


@numba.njit(cache=True, nogil=True)
def runs(wires: Wires, axes: NDArray[np.int8], num_wires: int) -> tuple[Ints, Ints, Ints, Ints]:
    """The runs of each wire: rows next to each other that are diagonal in the same Pauli basis there.

    Args:
        wires: shape (rows, width), -1 fills up.
        axes: shape (rows, 2): axis of the first two wires, 0 for none.
        num_wires: wire numbers are below this.

    Returns:
        numbers of the runs that each row is in, shape (rows, width); how many rows each run has; the run that
        follows on its wire, or -1; and the first run of each wire, or -1.
    """
    rows, width = wires.shape
    of = np.full((rows, width), -1, dtype=np.int64)
    left, after = np.zeros(rows * width, dtype=np.int64), np.full(rows * width, -1, dtype=np.int64)
    first, run = np.full((2, num_wires), -1, dtype=np.int64)
    last = np.zeros(num_wires, dtype=np.int8)
    count = 0
    for row in range(rows):
        for k in range(width):
            wire = wires[row, k]
            if wire < 0:
                break
            axis = axes[row, k] if k < 2 else np.int8(0)
            if run[wire] < 0 or axis == 0 or axis != last[wire]:
                if run[wire] < 0:
                    first[wire] = count
                else:
                    after[run[wire]] = count
                run[wire] = count
                count += 1
            last[wire] = axis
            of[row, k] = run[wire]
            left[run[wire]] += 1
    return of, left[:count], after[:count], first


@plain
def _straighten(places: Ints, symmetric: bool) -> None:
    """The places of a row whose two qubits may change places, in one order."""
    if symmetric and len(places) > 1 and places[1] >= 0 and places[0] > places[1]:
        places[0], places[1] = places[1], places[0]


@plain
def _bucket(content: Content, row: int, places: Ints, buckets: int) -> int:
    """A hash of a row and the runs that it is in."""
    x = np.uint64(content[0][row])
    for k in range(3):
        x = (x ^ np.uint64(content[1][row, k])) * np.uint64(0xBF58476D1CE4E5B9)
        x ^= x >> np.uint64(29)
    for k in range(len(places)):
        x = (x ^ np.uint64(places[k])) * np.uint64(0x94D049BB133111EB)
        x ^= x >> np.uint64(31)
    return int(x & np.uint64(buckets - 1))


@plain
def _same(a: Content, i: int, b: Content, j: int) -> bool:
    """Whether two rows are equal, wires apart."""
    for k in range(3):
        if a[1][i, k] != b[1][j, k]:
            return False
    return bool(a[0][i] == b[0][j] and a[2][i] == b[2][j] and a[3][i] == b[3][j])


@plain
def _equal(a: Ints, b: Ints) -> bool:
    for k in range(max(len(a), len(b))):
        if (a[k] if k < len(a) else -1) != (b[k] if k < len(b) else -1):
            return False
    return True


@numba.njit(cache=True, nogil=True)
def replay(
    before: Content,
    of: Ints,
    left: Ints,
    after: Ints,
    current: Ints,
    routed: Content,
    wires: Wires,
    plain_swap: NDArray[np.bool_],
    holder: Ints,
) -> tuple[int, NDArray[np.bool_]]:
    """Take all rows of a routed circuit.

    Args:
        before: the rows before.
        of, left, after: their runs, as `runs` gives them; `left` is changed.
        current: shape (wires,): the run that each wire expects, or -1; changed.
        routed: the rows to take.
        wires: shape (rows, width): places and keys of these, -1 fills up.
        plain_swap: shape (rows,): whether a row may be an inserted SWAP.
        holder: shape (places + keys,): the wire on each place, or -1, a key on its own; changed.

    Returns:
        the first row that may not come, or -1; and which rows before have not come, shape (rows before,).
    """
    rows = len(of)
    buckets = 16
    while buckets < rows:
        buckets *= 2
    waiting = np.ones(rows, dtype=np.bool_)
    first, behind = np.full(buckets, -1, dtype=np.int64), np.full(rows, -1, dtype=np.int64)
    for row in range(rows - 1, -1, -1):
        _straighten(of[row], before[4][row])
        bucket = _bucket(before, row, _cut(of[row]), buckets)
        behind[row], first[bucket] = first[bucket], row
    places = np.empty(wires.shape[1], dtype=np.int64)
    for row in range(len(wires)):
        count = 0
        for k in range(wires.shape[1]):
            if wires[row, k] < 0:
                break
            wire = holder[wires[row, k]]
            places[k] = current[wire] if wire >= 0 else -2
            count += 1
        _straighten(places[:count], routed[4][row])
        bucket = _bucket(routed, row, places[:count], buckets)
        found, previous = first[bucket], -1
        while found >= 0 and not (_same(before, found, routed, row) and _equal(of[found], places[:count])):
            found, previous = behind[found], found
        if found >= 0:
            waiting[found] = False
            if previous < 0:
                first[bucket] = behind[found]
            else:
                behind[previous] = behind[found]
            for k in range(count):
                left[places[k]] -= 1
            for k in range(count):
                wire = holder[wires[row, k]]
                if left[current[wire]] == 0:
                    current[wire] = after[current[wire]]
        elif plain_swap[row]:
            a, b = wires[row, 0], wires[row, 1]
            holder[a], holder[b] = holder[b], holder[a]
        else:
            return row, waiting
    return -1, waiting


@numba.njit(cache=True, nogil=True)
def _cut(places: Ints) -> Ints:
    """Without what fills up."""
    count = 0
    while count < len(places) and places[count] >= 0:
        count += 1
    return places[:count]
