"""Remove gates that undo each other, through everything that commutes with them.

Two rules. Gates that are diagonal on a Pauli axis on each of their qubits (CZ, CX, S, ...) meet through all
that commutes with them, by axis epochs as in `merge_rotations`: `CX01 CX02 CX01` leaves `CX02`. All gates
cancel with an inverse that stands right beside them (H H, SWAP SWAP, Givens(a) Givens(-a), symbolic angles
too), in one sweep that also finds what becomes adjacent. Both are linear; they alternate until nothing
changes.

Source: Nam, Ross, Su, Childs, Maslov, npj Quantum Information 4, 23 (2018), gate cancellation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit.gates import AXIS_CODES, GATES, INVERSE, NUM_ANGLES, NUM_QUBITS, SYMMETRIC
from qattn_compiler.circuit.table import Circuit
from qattn_compiler.passes.circuit.base import CirqTransformer


@dataclass(frozen=True)
class CancelInverses(CirqTransformer):
    """Cancel inverse pairs (module docstring).

    Keeps: meaning and global phase exactly, rows with tags or other extras.
    """

    name: ClassVar[str] = "cancel-inverses"

    def run(self, circuit: Circuit, /) -> Circuit:
        """The circuit without the pairs."""
        while True:
            rows = _left_after_commuting(circuit)
            smaller = circuit if len(rows) == len(circuit) else circuit.with_rows(rows)
            rows = _left_after_adjacent(smaller)
            if len(rows) == len(smaller):
                if smaller is circuit:
                    return circuit
            else:
                smaller = smaller.with_rows(rows)
            circuit = smaller


def _ordered(circuit: Circuit) -> NDArray[np.int64]:
    """Operands as int64, those of symmetric gates sorted."""
    operands = circuit.operands.astype(np.int64)
    swap = SYMMETRIC[circuit.op] & (operands[:, 0] > operands[:, 1])
    operands[swap] = operands[swap][:, ::-1]
    return operands


def _left_after_commuting(circuit: Circuit) -> NDArray[np.int64]:
    from qattn_compiler.circuit.kernels import axis_epochs

    axes = AXIS_CODES[circuit.op]
    used = np.arange(2)[None] < NUM_QUBITS[circuit.op][:, None]
    fit = (NUM_QUBITS[circuit.op] > 0) & (NUM_ANGLES[circuit.op] == 0) & ((axes > 0) | ~used).all(axis=1)
    rows = np.flatnonzero(fit & (circuit.extra < 0))
    if len(rows) < 2:
        return np.arange(len(circuit))
    epoch = axis_epochs(axes, circuit.wires, circuit.num_wires)[rows]
    swap = SYMMETRIC[circuit.op[rows]] & (circuit.operands[rows, 0] > circuit.operands[rows, 1])
    epoch[swap] = epoch[swap][:, ::-1]
    op = circuit.op[rows].astype(np.int64)
    kind = np.minimum(op, INVERSE[op])
    keys = np.column_stack([kind, _ordered(circuit)[rows], epoch])
    order = np.lexsort((rows, *keys.T))
    rows, keys, op = rows[order], keys[order], op[order]
    label = np.cumsum(np.r_[True, (keys[1:] != keys[:-1]).any(axis=1)]) - 1
    self_inverse = INVERSE[op] == op
    plus = np.bincount(label, self_inverse | (op < INVERSE[op])).astype(np.int64)
    minus = np.bincount(label, ~self_inverse & (op > INVERSE[op])).astype(np.int64)
    parity = np.bincount(label, self_inverse) > 0
    net = np.where(parity, plus % 2, plus - minus)
    wanted = np.where(op <= INVERSE[op], np.maximum(net, 0)[label], np.maximum(-net, 0)[label])
    sign_key = 2 * label + (op > INVERSE[op])
    rank = _rank_within(sign_key)
    drop = rows[rank >= wanted]
    return np.setdiff1d(np.arange(len(circuit)), drop, assume_unique=True)


def _rank_within(key: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each entry, how many equal entries stand before it."""
    order = np.argsort(key, kind="stable")
    ordered = key[order]
    starts = np.r_[True, ordered[1:] != ordered[:-1]]
    begin = np.maximum.accumulate(np.where(starts, np.arange(len(key)), 0))
    rank = np.empty(len(key), dtype=np.int64)
    rank[order] = np.arange(len(key)) - begin
    return rank


def _left_after_adjacent(circuit: Circuit) -> NDArray[np.int64]:
    from qattn_compiler.circuit.kernels import cancel_adjacent

    form, inverse = _forms(circuit)
    keep = cancel_adjacent(form, inverse, circuit.wires, circuit.num_wires)
    return np.flatnonzero(keep)


def _forms(circuit: Circuit) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Numbers for (gate, operands, angles) of each row and of its inverse; -1 for rows to leave alone."""
    fit = (NUM_QUBITS[circuit.op] > 0) & (circuit.extra < 0)
    symbolic = circuit.symbolic_rows & fit
    plain = np.flatnonzero(fit & ~symbolic)
    operands = _ordered(circuit)
    size = len(circuit)
    form, inverse = np.full(size, -1), np.full(size, -1)
    angles = circuit.angles[plain]
    columns = np.column_stack([circuit.op[plain], operands[plain], angles]) + 0.0
    undone = _inverse_angles(circuit, plain)
    backward = np.column_stack([INVERSE[circuit.op[plain]], operands[plain], undone]) + 0.0
    if len(plain):
        _, number = np.unique(np.concatenate([columns, backward]), axis=0, return_inverse=True)
        form[plain], inverse[plain] = number[: len(plain)], number[len(plain) :]
    _number_symbolic(circuit, np.flatnonzero(symbolic), operands, form, inverse)
    return form, inverse


def _inverse_angles(circuit: Circuit, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    out = np.zeros((len(rows), 3))
    for code in np.unique(circuit.op[rows]):
        width = int(NUM_ANGLES[code])
        if width:
            here = circuit.op[rows] == code
            out[here, :width] = circuit.angles[rows[here], :width] @ np.array(GATES[code].inverse_map).T
    return out


def _number_symbolic(
    circuit: Circuit,
    rows: NDArray[np.int64],
    operands: NDArray[np.int64],
    form: NDArray[np.int64],
    inverse: NDArray[np.int64],
) -> None:
    """Number the rows with symbols, whose angles are compared as affine forms."""
    seen: dict[object, int] = {}
    offset = 4 * len(circuit)
    for row in rows.tolist():
        gate = GATES[circuit.op[row]]
        place = tuple(operands[row].tolist())
        angles = [_terms(circuit, row, column) for column in range(gate.num_angles)]
        forward = (gate.code, place, tuple(tuple(sorted(a.items())) for a in angles))
        mapped = [_combine(weights, angles) for weights in gate.inverse_map]
        backward = (int(INVERSE[gate.code]), place, tuple(tuple(sorted(a.items())) for a in mapped))
        form[row] = offset + seen.setdefault(forward, len(seen))
        inverse[row] = offset + seen.setdefault(backward, len(seen))


def _terms(circuit: Circuit, row: int, column: int) -> dict[int, float]:
    """An angle as {parameter index: coefficient}, the constant under -1."""
    out = dict(circuit.affine.at(3 * row + column))
    constant = float(circuit.angles[row, column])
    return out | ({-1: constant} if constant else {})


def _combine(weights: tuple[float, ...], angles: list[dict[int, float]]) -> dict[int, float]:
    out: dict[int, float] = {}
    for weight, angle in zip(weights, angles, strict=True):
        for key, value in angle.items():
            out[key] = out.get(key, 0.0) + weight * value
    return {key: value for key, value in out.items() if value}
