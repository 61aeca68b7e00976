"""Join two CXs and the rotation between them to the two-qubit rotation that they are.

`CX . Rz(t) . CX = RZZ(t)` (the rotation on the target), and `CZ . Rx(t) . CZ` is the same between Hadamards
on that qubit. Both cost two CZ, but RZZ says on which axis it is diagonal: two of them that share a qubit
commute, and the router may take them in any order. Rows on the other qubit may stand between if they are
diagonal in Z. A `phased_xz` that is a turn about Z becomes an `rz`, for the same reason.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit import su2
from qattn_compiler.circuit.gates import AXES, AXIS_CODES, BY_NAME, CZ, NUM_QUBITS, PHASED_XZ
from qattn_compiler.circuit.table import Circuit
from qattn_compiler.passes.circuit.base import CirqTransformer

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_CX: Final = BY_NAME["cx"].code
_RZZ: Final = BY_NAME["rzz"].code
_TURN: Final = np.array([BY_NAME["rx"].code, BY_NAME["rz"].code])
"""The rotation between two CZ, and between two CX."""

_SMALL: Final = 1e-14
"""Entries of a quaternion (and angles, radians) up to here are rounding errors."""


@dataclass(frozen=True)
class JoinRotations(CirqTransformer):
    """CX, Rz, CX become RZZ (module docstring), symbolic angles included.

    Keeps: meaning and global phase exactly, the number of CZ, rows with tags or other extras.
    """

    name: ClassVar[str] = "join-rotations"

    def run(self, circuit: Circuit, /) -> Circuit:
        """The circuit with rotations joined."""
        circuit = _named(circuit)
        if np.count_nonzero((circuit.op == _CX) | (circuit.op == CZ)) < 2:
            return circuit
        return _joined(circuit)


def _named(circuit: Circuit) -> Circuit:
    """Turns about Z that are written as `phased_xz` become `rz`."""
    turns = (circuit.op == PHASED_XZ) & (circuit.extra < 0) & ~circuit.symbolic_rows
    turns &= np.abs(circuit.angles[:, 0]) <= _SMALL
    if not turns.any():
        return circuit
    angles = circuit.angles.copy()
    angles[turns] = np.stack([angles[turns, 1], *np.zeros((2, turns.sum()))], axis=1)
    op = np.where(turns, BY_NAME["rz"].code, circuit.op).astype(np.uint8)
    return replace(circuit, op=op, angles=angles)


def _joined(circuit: Circuit) -> Circuit:
    from qattn_compiler.circuit.kernels import fuse_runs

    plain = circuit.extra < 0
    numeric = (NUM_QUBITS[circuit.op] == 1) & plain & ~circuit.symbolic_rows
    turns, phases = su2.quaternions(circuit.op, circuit.angles)
    head, product, _ = fuse_runs(numeric, turns, circuit.wires, circuit.num_wires)
    first = ~numeric | (head == np.arange(len(circuit)))
    before = _before(circuit, first)
    symbolic = (NUM_QUBITS[circuit.op] == 1) & plain & circuit.symbolic_rows
    # Which rows are turns about X and about Z; of a run, its first row speaks for all.
    is_turn = np.stack(
        [
            np.where(
                numeric, (np.abs(product[:, others]) <= _SMALL).all(axis=1), symbolic & (circuit.op == op)
            )
            for op, others in zip(_TURN, ([2, 3], [1, 2]), strict=True)
        ]
    )
    quiet = np.where(numeric, is_turn[1], plain & (AXIS_CODES[circuit.op, 0] == AXES.index("Z")))
    quiet &= NUM_QUBITS[circuit.op] == 1
    lasts, turned, sides = _matches(circuit, before, is_turn, quiet)
    if not len(lasts):
        return circuit
    return _replaced(circuit, lasts, turned, sides, before, head, product, phases)


def _before(circuit: Circuit, counts: Bools) -> Ints:
    """Shape (rows, 2): the row before this one on each of its operands' wires, among those that count; -1 if
    there is none."""
    wires = circuit.wires
    row, column = np.nonzero((wires >= 0) & counts[:, None])
    wire = wires[row, column]
    order = np.lexsort((row, wire))
    row, column, wire = row[order], column[order], wire[order]
    out = np.full((len(circuit), max(2, wires.shape[1])), -1, dtype=np.int64)
    meets = wire[1:] == wire[:-1]
    out[row[1:][meets], column[1:][meets]] = row[:-1][meets]
    return out[:, :2]


def _matches(circuit: Circuit, before: Ints, is_turn: Bools, quiet: Bools) -> tuple[Ints, Ints, Ints]:
    """Last gate, turn, and operand column of the turn of every match; no gate is in two of them."""
    gates = np.flatnonzero(((circuit.op == _CX) | (circuit.op == CZ)) & (circuit.extra < 0))
    found = []
    for side in (1, 0):
        turn, other = before[gates, side], before[gates, 1 - side]
        begin = np.where(turn >= 0, before[turn, 0], -1)
        skipped = np.where((other >= 0) & quiet[other], before[other, 0], other)
        fits = (turn >= 0) & (begin >= 0) & ((other == begin) | (skipped == begin))
        fits &= is_turn[(circuit.op[gates] == _CX).astype(int), turn]
        fits &= (circuit.op[begin] == circuit.op[gates]) & (circuit.extra[begin] < 0)
        same = (circuit.operands[begin] == circuit.operands[gates]).all(axis=1)
        turned_round = (circuit.operands[begin] == circuit.operands[gates][:, ::-1]).all(axis=1)
        fits &= same | (turned_round & (circuit.op[gates] == CZ))
        fits &= (side == 1) | (circuit.op[gates] == CZ)
        hits = np.flatnonzero(fits)
        found.append(np.stack([gates[hits], turn[hits], np.full(len(hits), side), begin[hits]], axis=1))
    table = np.concatenate(found)
    used: set[int] = set()
    chosen = []
    for number in np.argsort(table[:, 0], kind="stable").tolist():
        last, _, _, begin = table[number].tolist()
        if last not in used and begin not in used:
            used |= {last, begin}
            chosen.append(number)
    return table[chosen, 0], table[chosen, 1], table[chosen, 2]


def _replaced(
    circuit: Circuit,
    lasts: Ints,
    turned: Ints,
    sides: Ints,
    before: Ints,
    head: NDArray[np.int64],
    product: NDArray[np.float64],
    phases: NDArray[np.float64],
) -> Circuit:
    """The circuit with the matches joined.

    The rotation stands directly before the last gate: around the place where the turn stood may lie a run on
    the other wire that is a turn about Z only as a whole.
    """
    begins = before[turned, 0]
    op, operands, angles = circuit.op.copy(), circuit.operands.copy(), circuit.angles.copy()
    is_cx, on = circuit.op[lasts] == _CX, circuit.operands[turned, 0]
    keep = np.ones(len(circuit), dtype=bool)
    keep[np.concatenate([begins[is_cx], lasts[is_cx]])] = False
    for ends in (begins[~is_cx], lasts[~is_cx]):
        op[ends] = BY_NAME["h"].code
        operands[ends] = np.stack([on[~is_cx], np.full(np.count_nonzero(~is_cx), -1)], axis=1)
    op[turned] = _RZZ
    operands[turned] = np.stack([circuit.operands[lasts, 1 - sides], on], axis=1)
    numbers = head[turned] >= 0
    runs = turned[numbers]
    angles[runs] = 0.0
    axis = np.where(is_cx[numbers], 3, 1)
    angles[runs, 0] = 2.0 * np.arctan2(product[runs, axis], product[runs, 0])
    chosen = np.zeros(len(circuit) + 1, dtype=bool)
    chosen[runs] = True
    members = np.flatnonzero(chosen[head])
    keep[members] = chosen[members]
    phase = circuit.phase + float(phases[members].sum())
    joined = replace(
        circuit, op=op, operands=operands, angles=angles, phase=float(np.remainder(phase, 2 * np.pi))
    )
    place = np.arange(len(circuit), dtype=np.float64)
    place[turned] = lasts - 0.5
    kept = np.flatnonzero(keep)
    return joined.with_rows(kept[np.argsort(place[kept], kind="stable")])
