"""Merge rotations about the same axis through everything that commutes with them.

Z rotations pass CZ, controls of CX, RZZ and all that is diagonal; X rotations pass CX targets and RXX; and
so on, by the axes in the gate table. Angles are added, so symbols survive. Linear time: rows with the same
axis and epoch (`kernels.axis_epochs`) on all their wires are one group, and the whole group is one rotation.

Source: commutation rules as in Nam, Ross, Su, Childs, Maslov, npj Quantum Information 4, 23 (2018), section
"Optimization subroutines", here keyed by Pauli axis.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit.gates import (
    AXIS_CODES,
    GATES,
    ROTATION_ANGLE,
    ROTATION_FAMILY,
    ROTATION_PHASE,
    SYMMETRIC,
)
from qattn_compiler.circuit.params import GLOBAL_PHASE, Affine
from qattn_compiler.circuit.table import Circuit
from qattn_compiler.passes.circuit.base import CirqTransformer

ROUNDING = 1e-14
"""An angle this close to a full turn is one: sums of exact fractions of pi end here."""

_FULL_TURN_IS_PHASE = np.array([g.name in {"rx", "ry", "rz", "rxx", "ryy", "rzz"} for g in GATES])
_PERIOD = np.array(
    [2 * np.pi if _FULL_TURN_IS_PHASE[g.code] or g.name == "cphase" else 4 * np.pi for g in GATES]
)


@dataclass(frozen=True)
class MergeRotations(CirqTransformer):
    """Merge same-axis rotations, numeric and symbolic (module docstring).

    Keeps: meaning and global phase exactly, order of everything else, rows with tags or other extras.
    """

    name: ClassVar[str] = "merge-rotations"

    def run(self, circuit: Circuit, /) -> Circuit:
        """The circuit with each group of rotations in the place of its first member."""
        while (group := _groups(circuit)) is not None:  # what vanishes may let others meet
            circuit = _merged(circuit, *group)
        return circuit


def _groups(circuit: Circuit) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]] | None:
    """(member rows, head row of each group, group number of each member), for groups of two and more."""
    from qattn_compiler.circuit.kernels import axis_epochs

    family = ROTATION_FAMILY[circuit.op].astype(np.int64)
    rows = np.flatnonzero((family >= 0) & (circuit.extra < 0))
    if len(rows) < 2:
        return None
    epoch = axis_epochs(AXIS_CODES[circuit.op], circuit.wires, circuit.num_wires)[rows]
    wires = circuit.operands[rows].astype(np.int64)
    swap = SYMMETRIC[family[rows]] & (wires[:, 1] >= 0) & (wires[:, 0] > wires[:, 1])
    wires[swap], epoch[swap] = wires[swap][:, ::-1], epoch[swap][:, ::-1]
    keys = np.column_stack([family[rows], wires, epoch])
    order = np.lexsort((rows, *keys.T))
    rows, keys = rows[order], keys[order]
    starts = np.r_[True, (keys[1:] != keys[:-1]).any(axis=1)]
    label = np.cumsum(starts) - 1
    size = np.bincount(label)
    shared = size[label] > 1
    if not shared.any():
        return None
    rows, starts = rows[shared], starts[shared]
    return rows, rows[starts], np.cumsum(starts) - 1


def _merged(
    circuit: Circuit, rows: NDArray[np.int64], first: NDArray[np.int64], label: NDArray[np.int64]
) -> Circuit:
    family = ROTATION_FAMILY[circuit.op[first]]
    angle = np.bincount(label, circuit.angles[rows, 0] + ROTATION_ANGLE[circuit.op[rows]])
    phase = circuit.phase + float(ROTATION_PHASE[circuit.op[rows]].sum())
    turns = np.round(angle / _PERIOD[family])
    angle = angle - turns * _PERIOD[family]
    phase += np.pi * float(turns[_FULL_TURN_IS_PHASE[family]].sum() % 2)

    op, angles = circuit.op.copy(), circuit.angles.copy()
    op[first] = family
    angles[rows] = 0.0
    angles[first, 0] = angle
    slot = circuit.affine.slot.copy()
    head = np.arange(len(circuit))
    head[rows] = first[label]
    inner = slot != GLOBAL_PHASE
    slot[inner] = 3 * head[slot[inner] // 3] + slot[inner] % 3
    affine = Affine.of(slot, circuit.affine.param, circuit.affine.coef)
    merged = replace(circuit, op=op, angles=angles, affine=affine, phase=phase)

    keep = np.ones(len(circuit), dtype=bool)
    keep[rows] = False
    keep[first] = merged.symbolic_rows[first] | (np.abs(angle) > ROUNDING)
    return merged.with_rows(np.flatnonzero(keep))
