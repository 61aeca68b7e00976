"""Remove gates that undo each other, through everything that commutes with them.

A gate cancels with an inverse if all that stands between the two has, on each wire that it shares with them,
the same Pauli axis as they (`CX01 CX02 CX01` leaves `CX02`), or if nothing does (H H, SWAP SWAP, Givens(a)
Givens(-a)); on each operand one or the other. Angles may be symbols. Where nothing stands between them, three
CX in turns become a SWAP, which others can absorb, and powers of iSWAP one power, or a Z on each qubit. One
sweep (`kernels.cancel_pairs`) in linear time finds everything, also what meets because something between it
vanished.

Source: Nam, Ross, Su, Childs, Maslov, npj Quantum Information 4, 23 (2018), gate cancellation.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit.gates import (
    AXIS_CODES,
    BY_NAME,
    GATES,
    INVERSE,
    NUM_ANGLES,
    NUM_QUBITS,
    SWAP,
    SYMMETRIC,
)
from qattn_compiler.circuit.params import Affine
from qattn_compiler.circuit.table import Circuit
from qattn_compiler.passes.circuit.base import CirqTransformer

if TYPE_CHECKING:
    from qattn_compiler.circuit.kernels import Form, Powers

_INVERSE_MAP: Final = np.zeros((len(GATES), 3, 3))
for _gate in GATES:
    _INVERSE_MAP[_gate.code, : _gate.num_angles, : _gate.num_angles] = np.reshape(
        _gate.inverse_map, (_gate.num_angles, _gate.num_angles)
    )

_CX: Final = BY_NAME["cx"].code
_Z: Final = BY_NAME["z"].code
_POWERS: Final = {1: "siswap", 2: "iswap", 6: "iswapdg", 7: "siswapdg"}


def _powers() -> Powers:
    quarter, of_quarter = np.zeros(len(GATES), dtype=np.int8), np.full(8, -1, dtype=np.int16)
    of_quarter[4] = _Z
    for power, name in _POWERS.items():
        quarter[BY_NAME[name].code] = power
        of_quarter[power] = BY_NAME[name].code
    return quarter, of_quarter, AXIS_CODES, (_CX, SWAP, _Z)


@dataclass(frozen=True)
class CancelInverses(CirqTransformer):
    """Cancel inverse pairs (module docstring).

    Keeps: meaning and global phase exactly, rows with tags or other extras.
    """

    name: ClassVar[str] = "cancel-inverses"

    def run(self, circuit: Circuit, /) -> Circuit:
        """The circuit without the pairs."""
        while (after := _swept(circuit)) is not circuit:
            circuit = after
            if not (circuit.op == _CX).any():  # what goes after the last of three CX may uncover them
                break
        return circuit


def _swept(circuit: Circuit) -> Circuit:
    """The circuit after one sweep; the same one if nothing was found."""
    from qattn_compiler.circuit.kernels import cancel_pairs

    fit = (NUM_QUBITS[circuit.op] > 0) & (circuit.extra < 0)
    op, wires = circuit.op.copy(), circuit.wires.copy()
    rows = op, wires, SYMMETRIC, INVERSE, NUM_ANGLES
    keep = cancel_pairs(rows, fit, _forms(circuit), _powers(), circuit.num_wires)
    if keep.all() and np.array_equal(op, circuit.op):
        return circuit
    operands = np.where(fit[:, None], wires[:, :2], circuit.operands)
    return replace(circuit, op=op, operands=operands).with_rows(np.flatnonzero(keep))


def _forms(circuit: Circuit) -> tuple[Form, Form]:
    """The angles of the rows, and of the rows that would undo them."""
    undone = -circuit.angles
    mixing = np.flatnonzero(NUM_ANGLES[circuit.op] == 3)  # the others just change sign
    undone[mixing] = np.einsum("rij,rj->ri", _INVERSE_MAP[circuit.op[mixing]], circuit.angles[mixing])
    return _form(circuit.angles, circuit.affine), _form(undone, _undone_terms(circuit))


def _undone_terms(circuit: Circuit) -> Affine:
    """The symbolic terms of the angles of the inverses."""
    affine = circuit.affine
    inner = affine.slot >= 0
    row, column = np.divmod(affine.slot[inner], 3)
    weights = _INVERSE_MAP[circuit.op[row], :, column]  # to each angle of the inverse
    term, target = np.nonzero(weights)
    coef = affine.coef[inner][term] * weights[term, target]
    return Affine.of(3 * row[term] + target, affine.param[inner][term], coef)


def _form(angles: NDArray[np.float64], affine: Affine) -> Form:
    first = int(np.searchsorted(affine.slot, 0))  # the terms of the global phase stand in front
    slot = affine.slot[first:]
    begin = np.searchsorted(slot, 3 * np.arange(len(angles) + 1))
    param = 3 * affine.param[first:].astype(np.int64) + slot % 3
    return (angles + 0.0).view(np.uint64), begin, param, (affine.coef[first:] + 0.0).view(np.uint64)
