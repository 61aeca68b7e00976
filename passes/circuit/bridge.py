"""Replace a SWAP, one gate, and the same SWAP back by a bridge: CX over a qubit between in 4 CX.

`CX(a, b) CZ(b, c) CX(a, b) CZ(b, c)` is `CZ(a, c)`: the parity of a and b meets c, then b alone does. A CX
goes the same way. Two bare SWAPs cost 6 CZ more than the gate between them, a bridge 3 more; but a SWAP
beside a two-qubit block on the same pair is absorbed there. So a bridge is built only where both SWAPs
together cost 4 CZ or more.

Source: the bridge gate of Shende, Bullock, Markov, quant-ph/0406176, and of Itoko et al., arXiv:1907.02686.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit.gates import BY_NAME, CZ, NUM_QUBITS, OPAQUE, SWAP
from qattn_compiler.circuit.table import Circuit
from qattn_compiler.passes.circuit.base import CirqTransformer
from qattn_compiler.synth.two_qubit_rules import CZ_COUNT

Ints = NDArray[np.int64]

_CX: Final = BY_NAME["cx"].code
_COST: Final = (3, 1, 1, 0)
"""CZ that a SWAP adds to a block of so many beside it."""
_LEAST: Final = 4
_FAR: Final = 2_000
"""SWAPs with more rows between them are left alone, so that time stays linear."""


@dataclass(frozen=True)
class Bridge(CirqTransformer):
    """Bridges in the place of SWAPs that are undone after one CX or CZ (module docstring).

    Keeps: meaning and global phase exactly, rows with tags or other extras, and which couplings are used.
    """

    name: ClassVar[str] = "bridge"

    def run(self, circuit: Circuit, /) -> Circuit:
        """The circuit with bridges; those that share a SWAP are built one after another."""
        while (found := _found(circuit)) is not None:
            circuit = _bridged(circuit, found)
        return circuit


def _found(circuit: Circuit) -> Ints | None:
    """Shape (bridges, 5): the SWAP, the gate, the SWAP back, which operand of the first is the middle, and
    whether a block on the same pair stands before it; no row twice. None if there is none."""
    plain = circuit.extra < 0
    swap = plain & (circuit.op == SWAP)
    if np.count_nonzero(swap) < 2:
        return None
    before, after = _neighbours(circuit)
    rows = np.flatnonzero(swap)
    found: list[list[int]] = []
    used = np.zeros(len(circuit), dtype=bool)
    for middle in (0, 1):
        back, gate = after[rows, 1 - middle], after[rows, middle]
        fits = (gate >= 0) & (gate != back) & (back > rows) & (back - rows < _FAR)
        fits &= swap[back] & plain[gate] & np.isin(circuit.op[gate], (_CX, CZ))
        pair, other = np.sort(circuit.operands[rows], axis=1), np.sort(circuit.operands[back], axis=1)
        fits &= (pair == other).all(axis=1)
        wire = circuit.operands[rows, middle]
        side = (circuit.operands[gate, 1] == wire).astype(np.int64)
        fits &= after[gate, side] == back
        for k in np.flatnonzero(fits).tolist():
            one = [int(rows[k]), int(gate[k]), int(back[k])]
            first, last = _added(circuit, before[one[0]]), _added(circuit, after[one[2]])
            if first + last >= _LEAST and not used[one].any():
                used[one] = True
                found.append([*one, middle, int(first < _COST[0])])
    return np.array(found, dtype=np.int64) if found else None


def _neighbours(circuit: Circuit) -> tuple[Ints, Ints]:
    """Shape (rows, 2) each: the row before and the row after on each operand, rows of one plain gate on one
    qubit left out; -1 if there is none."""
    hard = (NUM_QUBITS[circuit.op] != 1) | (circuit.extra >= 0) | (circuit.op == OPAQUE)
    rows = np.flatnonzero(hard)
    row, column = np.nonzero(circuit.wires[rows] >= 0)
    row, wire = rows[row], circuit.wires[rows][row, column]
    order = np.lexsort((row, wire))
    row, wire, column = row[order], wire[order], column[order]
    same = wire[1:] == wire[:-1]
    before = np.full((len(circuit), circuit.wires.shape[1]), -1, dtype=np.int64)
    after = before.copy()
    before[row[1:][same], column[1:][same]] = row[:-1][same]
    after[row[:-1][same], column[:-1][same]] = row[1:][same]
    return before[:, :2], after[:, :2]


def _added(circuit: Circuit, beside: Ints) -> int:
    """CZ that a SWAP adds to what stands beside it on its qubits."""
    row = int(beside[0])
    if row < 0 or row != int(beside[1]) or circuit.extra[row] >= 0:
        return _COST[0]
    return 0 if circuit.op[row] == SWAP else _COST[min(3, int(CZ_COUNT[circuit.op[row]]))]


def _bridged(circuit: Circuit, found: Ints) -> Circuit:
    """The circuit with these bridges."""
    lengths = np.ones(len(circuit), dtype=np.int64)
    lengths[found[:, [0, 2]]] = 0
    lengths[found[:, 1]] = 4
    start = np.cumsum(lengths) - lengths
    source = np.repeat(np.arange(len(circuit)), lengths)
    op, operands = circuit.op[source].copy(), _exchanged(circuit, found)[source].copy()
    for swap, gate, _, column, block in found.tolist():
        middle, end = circuit.operands[swap, column], circuit.operands[swap, 1 - column]
        first, second = circuit.operands[gate].tolist()
        if circuit.op[gate] == CZ or first == middle:
            outer, inner = (end, middle), (first, second)
        else:
            outer, inner = (middle, end), (first, second)
        steps = [(_CX, outer), (int(circuit.op[gate]), inner)] * 2
        for k, (code, pair) in enumerate(steps if block else steps[::-1]):
            op[start[gate] + k], operands[start[gate] + k] = code, pair
    new_row = np.where(lengths > 0, start, -1)
    return replace(
        circuit,
        op=op,
        operands=operands,
        angles=circuit.angles[source],
        extra=circuit.extra[source],
        affine=circuit.affine.moved(new_row),
    )


def _exchanged(circuit: Circuit, found: Ints) -> NDArray[np.int32]:
    """Operands of all rows, those between the SWAPs of a bridge on each other's qubits."""
    out = circuit.operands.copy()
    for swap, gate, back, *_ in found.tolist():
        a, b = circuit.operands[swap].tolist()
        inner = np.arange(swap + 1, back)
        inner = inner[inner != gate]
        on_a, on_b = (out[inner, 0] == a, out[inner, 0] == b)
        single = (NUM_QUBITS[circuit.op[inner]] == 1) & (circuit.extra[inner] < 0)
        out[inner[on_a & single], 0] = b
        out[inner[on_b & single], 0] = a
    return out
