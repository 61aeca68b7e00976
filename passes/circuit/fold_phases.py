"""Fold phases: Z rotations on equal parities become one, wherever in the circuit they stand.

A circuit is a sum over paths: each wire carries an XOR of path variables, which CX, X and SWAP change in the
plain way, diagonal gates not at all, and all other gates replace by a new variable. A rotation RZ(t) there is
a factor exp(-i t (-1)^f / 2) of every path, and RZZ(t) one on the XOR of two wires, so that all rotations on
the same f add up, through Hadamards and whatever else lies between. On a parity without variables a rotation
is a global phase.

Parities are compared by 128 pseudo-random bits for each set of variables; two different ones among a million
are taken for equal with a probability below 1e-26. One linear sweep.

Sources: Amy, Maslov, Mosca, IEEE TCAD 33, 1476 (2014), "T-par"; Nam, Ross, Su, Childs, Maslov, npj Quantum
Information 4, 23 (2018), rotation merging.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit.gates import (
    AXIS_CODES,
    BY_NAME,
    GATES,
    ROTATION_ANGLE,
    ROTATION_FAMILY,
    ROTATION_PHASE,
)
from qattn_compiler.circuit.params import GLOBAL_PHASE, Affine
from qattn_compiler.circuit.table import Circuit
from qattn_compiler.passes.circuit.base import CirqTransformer
from qattn_compiler.passes.circuit.merge_rotations import ROUNDING

Ints = NDArray[np.int64]

_RZ: Final = BY_NAME["rz"].code
_RZZ: Final = BY_NAME["rzz"].code
_FLIPS: Final = ("x", "y")
_ADDS: Final = ("cx", "cy")
_EXCHANGES: Final = ("swap", "iswap", "iswapdg")


def _actions() -> NDArray[np.int8]:
    """Per gate, its number in `parity_kernels` (FRESH 0, KEEP 1, FLIP 2, ADD 3, EXCHANGE 4)."""
    out = np.zeros(len(GATES), dtype=np.int8)
    for gate in GATES:
        if gate.num_qubits and all(axis == "Z" for axis in gate.axes):
            out[gate.code] = 1
    for number, names in ((2, _FLIPS), (3, _ADDS), (4, _EXCHANGES)):
        out[[BY_NAME[name].code for name in names]] = number
    return out


_ACTION: Final = _actions()


@dataclass(frozen=True)
class FoldPhases(CirqTransformer):
    """Fold Z and ZZ rotations on equal parities, numeric and symbolic (module docstring).

    A group's sum stands at its first single-qubit member, or at its first member if all are RZZ, so that the
    number of two-qubit gates never grows.

    Keeps: meaning and global phase exactly, all other rows, rows with tags or other extras.
    """

    name: ClassVar[str] = "fold-phases"

    def run(self, circuit: Circuit, /) -> Circuit:
        """The circuit with each parity's rotations in one."""
        family = ROTATION_FAMILY[circuit.op]
        rows = np.flatnonzero(((family == _RZ) | (family == _RZZ)) & (circuit.extra < 0))
        if not len(rows):
            return circuit
        from qattn_compiler.passes.circuit.parity_kernels import parities

        action = np.where(circuit.extra < 0, _ACTION[circuit.op], 0).astype(np.int8)
        axes = np.where((circuit.extra < 0)[:, None], AXIS_CODES[circuit.op], 0).astype(np.int8)
        words, flipped = parities(action, axes, circuit.wires, circuit.num_wires)
        label, nothing = _groups(words[rows])
        size = np.bincount(label)
        alone = size[label] == 1
        chosen = ~alone | nothing[label]
        if not chosen.any():
            return circuit
        return _folded(circuit, rows[chosen], label[chosen], flipped[rows[chosen]], nothing)


def _groups(words: NDArray[np.uint64]) -> tuple[Ints, NDArray[np.bool_]]:
    """A number for each row's parity, and per number whether that parity has no variables."""
    order = np.lexsort((words[:, 1], words[:, 0]))
    ordered = words[order]
    starts = np.r_[True, (ordered[1:] != ordered[:-1]).any(axis=1)]
    label = np.empty(len(words), dtype=np.int64)
    label[order] = np.cumsum(starts) - 1
    return label, (ordered[starts] == 0).all(axis=1)


def _folded(
    circuit: Circuit, rows: Ints, label: Ints, flipped: NDArray[np.bool_], nothing: NDArray[np.bool_]
) -> Circuit:
    """The circuit with the rotations `rows`, of the groups `label`, added up."""
    family = ROTATION_FAMILY[circuit.op[rows]]
    order = np.lexsort((rows, family == _RZZ, label))
    first = order[np.r_[True, label[order][1:] != label[order][:-1]]]
    head = np.full(int(label.max()) + 1, -1, dtype=np.int64)
    head[label[first]] = first
    sign = np.where(flipped, -1.0, 1.0)
    total = np.bincount(label, sign * (circuit.angles[rows, 0] + ROTATION_ANGLE[circuit.op[rows]]))
    at = rows[head[label]]
    relative = sign * sign[head[label]]
    gone = nothing[label]
    phase = circuit.phase + float(ROTATION_PHASE[circuit.op[rows]].sum())
    phase -= float(total[nothing[: len(total)]].sum()) / 2

    lead = rows[first]
    angle = sign[first] * total[label[first]]
    turns = np.round(angle / (2 * np.pi))
    real = ~nothing[label[first]]
    phase += np.pi * float(turns[real].sum() % 2)
    op, angles = circuit.op.copy(), circuit.angles.copy()
    op[lead] = family[first]
    angles[rows] = 0.0
    angles[lead, 0] = np.where(real, angle - 2 * np.pi * turns, 0.0)
    folded = replace(
        circuit,
        op=op,
        angles=angles,
        affine=_moved(
            circuit, rows, np.where(gone, GLOBAL_PHASE, 3 * at), np.where(gone, -sign / 2, relative)
        ),
        phase=phase,
    )
    keep = np.ones(len(circuit), dtype=bool)
    keep[rows] = False
    keep[lead] = real & (folded.symbolic_rows[lead] | (np.abs(angles[lead, 0]) > ROUNDING))
    return folded.with_rows(np.flatnonzero(keep))


def _moved(circuit: Circuit, rows: Ints, slots: Ints, factors: NDArray[np.float64]) -> Affine:
    """The symbolic terms of the rows at other slots, multiplied by factors."""
    affine = circuit.affine
    if not len(affine):
        return affine
    target, factor = 3 * np.arange(len(circuit)), np.ones(len(circuit))
    target[rows], factor[rows] = slots, factors
    moves = np.zeros(len(circuit), dtype=bool)
    moves[rows] = True
    inner = affine.slot != GLOBAL_PHASE
    row = np.where(inner, affine.slot // 3, 0)
    moving = inner & moves[row]
    slot = np.where(moving, target[row], affine.slot)
    coef = np.where(moving, affine.coef * factor[row], affine.coef)
    return Affine.of(slot, affine.param, coef)
