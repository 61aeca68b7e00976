"""Which rows of a circuit must wait for which, when rows that commute need not wait for one another.

On each wire the rows fall into eras: runs of rows that are diagonal in the same Pauli basis there (the
commutation table of `circuit/gates.py`). The rows of an era commute, so only eras are ordered. A row that is
diagonal in no basis, and every row with an `Extra`, is an era of its own.

Between two eras of m and n rows stand m + n dependencies, not m n: a joint, which is no row, waits for all of
the first and holds back all of the second.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit.gates import AXIS_CODES
from qattn_compiler.circuit.table import Circuit

if TYPE_CHECKING:
    from qattn_compiler.passes.circuit.kernels import Dag

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Eras:
    """The runs of commuting rows on each wire that hold a hard row: one on two or more wires.

    Each place where a hard row meets a wire is a stop; stops are sorted by wire, then row.

    Attributes:
        hard: shape (hard,): the hard rows, in order.
        stop_row: shape (stops,): number of the hard row (an index into `hard`).
        stop_wire: shape (stops,).
        stop_column: shape (stops,): which of the row's wires it is.
        start: shape (eras + 1,): era e has the stops start[e] .. start[e + 1] - 1.
        wire: shape (eras,): its wire.
        soft: rows on at most one wire, in order.
        soft_era: shape (soft,): the era that the row is in or, if it is in none, the next one on its wire;
            -1 if there is none.
    """

    hard: Ints
    stop_row: Ints
    stop_wire: Ints
    stop_column: Ints
    start: Ints
    wire: Ints
    soft: Ints
    soft_era: Ints

    @staticmethod
    def of(circuit: Circuit) -> Eras:
        """Read a circuit, in one sort and a few sweeps."""
        wires = circuit.wires
        is_hard = (wires >= 0).sum(axis=1) >= 2
        hard = np.flatnonzero(is_hard)
        row, column = np.nonzero(wires >= 0)
        wire = wires[row, column].astype(np.int64)
        order = np.lexsort((row, wire))
        row, column, wire = row[order], column[order], wire[order]
        axis = np.where(
            (circuit.extra[row] < 0) & (column < 2), AXIS_CODES[circuit.op[row], np.minimum(column, 1)], 0
        )
        begins = np.ones(len(row), dtype=bool)
        begins[1:] = (wire[1:] != wire[:-1]) | (axis[1:] != axis[:-1]) | (axis[1:] == 0)
        run = np.cumsum(begins) - 1
        stop = is_hard[row]
        names, first = np.unique(run[stop], return_index=True)
        number = np.full(len(circuit), -1, dtype=np.int64)
        number[hard] = np.arange(len(hard))
        starts = np.append(first, np.count_nonzero(stop))
        era_wire = wire[stop][first] if len(first) else np.zeros(0, dtype=np.int64)
        soft = np.flatnonzero(~is_hard)
        soft_era = np.full(len(circuit), -1, dtype=np.int64)
        if len(names):
            ahead = np.searchsorted(names, run[~stop])
            safe = np.minimum(ahead, len(names) - 1)
            found = (ahead < len(names)) & (era_wire[safe] == wire[~stop])
            soft_era[row[~stop]] = np.where(found, ahead, -1)
        return Eras(hard, number[row[stop]], wire[stop], column[stop], starts, era_wire, soft, soft_era[soft])

    @property
    def commute(self) -> bool:
        """Whether any hard rows may change places on a wire that they share."""
        return bool((self.sizes > 1).any())

    @property
    def sizes(self) -> Ints:
        """Shape (eras,): rows of each."""
        return np.diff(self.start)

    @property
    def stop_era(self) -> Ints:
        """Shape (stops,): era of each stop."""
        return np.repeat(np.arange(len(self.wire)), self.sizes)

    def begins(self, time: NDArray[np.int64]) -> NDArray[np.int64]:
        """Shape (eras,): when the first row of each era comes, by the times of the hard rows."""
        if not len(self.wire):
            return np.zeros(0, dtype=np.int64)
        return np.minimum.reduceat(time[self.stop_row], self.start[:-1])

    def chain(self) -> tuple[Ints, Ints]:
        """Dependencies (earlier, later) between hard rows that keep the order on every wire."""
        meets = self.stop_wire[1:] == self.stop_wire[:-1]
        return self.stop_row[:-1][meets], self.stop_row[1:][meets]

    def links(self) -> tuple[Ints, Ints, int]:
        """Dependencies (earlier, later) between hard rows and joints, and how many joints there are, numbered
        from len(hard) on."""
        sizes, rows, era = self.sizes, self.stop_row, self.stop_era
        eras = len(sizes)
        follows = np.zeros(eras + 1, dtype=bool)  # era e has one before it on its wire
        follows[1:eras] = self.wire[1:] == self.wire[:-1]
        before = np.append(np.roll(sizes, 1), 0)
        single_tail, single_head = before == 1, np.append(sizes, 0) == 1
        needs_joint = follows & ~single_tail & ~single_head
        joint = len(self.hard) + np.cumsum(needs_joint) - 1
        # The only row of an era stands for it; else its joint does.
        lone = np.append(rows[self.start[:-1]], -1)
        tail = np.where(single_tail, np.roll(lone, 1), joint)
        head = np.where(single_head, lone, joint)
        enters = follows[era] & (single_tail[era] | ~single_head[era])
        leaves = follows[era + 1] & ~single_tail[era + 1]
        earlier = np.concatenate([tail[era[enters]], rows[leaves]])
        later = np.concatenate([rows[enters], head[era[leaves] + 1]])
        return earlier, later, int(needs_joint.sum())


def dags(circuit: Circuit, eras: Eras, weight: NDArray[np.int32], free: bool) -> tuple[Dag, Dag]:
    """The dependencies as the kernels want them, forward and reversed.

    Args:
        weight: shape (hard,): native two-qubit gates that each hard row costs.
        free: whether rows that commute may change places; else the order on each wire is kept.
    """
    earlier, later, joints = eras.links() if free else (*eras.chain(), 0)
    size = len(eras.hard) + joints
    ends = np.full((size, 2), -1, dtype=np.int64)
    kind = np.full((size, 2), -1, dtype=np.int64)
    coupled = circuit.is_two_qubit[eras.hard]
    ends[: len(eras.hard)][coupled] = circuit.wires[eras.hard[coupled], :2]
    mine = coupled[eras.stop_row] & (eras.stop_column < 2)
    kind[eras.stop_row[mine], eras.stop_column[mine]] = eras.stop_era[mine]
    weights = np.concatenate([weight, np.zeros(joints, dtype=np.int32)])
    loose = ~coupled[eras.stop_row] & (eras.stop_wire < circuit.num_qubits)
    order = np.argsort(eras.stop_row[loose], kind="stable")
    touch_start = np.searchsorted(eras.stop_row[loose][order], np.arange(size + 1))
    columns = (*ends.T, *kind.T, weights, touch_start, eras.stop_wire[loose][order])
    return _dag(columns, earlier, later), _dag(columns, later, earlier)


def _dag(columns: tuple[NDArray[np.generic], ...], tail: Ints, head: Ints) -> Dag:
    from qattn_compiler.passes.circuit.kernels import Dag

    size = len(columns[0])
    order = np.argsort(tail, kind="stable")
    start = np.searchsorted(tail[order], np.arange(size + 1))
    rest = (start, head[order], np.bincount(head, minlength=size))
    return Dag(*(np.ascontiguousarray(c, dtype=np.int32) for c in (*columns, *rest)))
