"""Merge rotations about the same axis through everything that commutes with them.

Z rotations pass CZ, controls of CX, RZZ and all that is diagonal; X rotations pass CX targets and RXX; and
so on, by the axes in the gate table. Givens rotations and fSim gates, which have no axis, meet where nothing
is left between them. Angles are added, so symbols survive. One sweep (`kernels.merge_groups`) in linear time
finds everything, also what meets because something between it vanished.

Source: commutation rules as in Nam, Ross, Su, Childs, Maslov, npj Quantum Information 4, 23 (2018), section
"Optimization subroutines", here keyed by Pauli axis.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit.gates import (
    AXIS_CODES,
    BY_NAME,
    FULL_TURN_IS_PHASE,
    PERIOD,
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

_FSIM: Final = BY_NAME["fsim"].code
_FAMILY: Final = np.where(np.arange(len(PERIOD)) == _FSIM, _FSIM, ROTATION_FAMILY).astype(np.int16)
"""The rotations of the gate table, and fsim, both of whose angles add up."""

_TURN: Final = np.where(FULL_TURN_IS_PHASE, PERIOD / 2, PERIOD)
_SYMMETRY: Final = SYMMETRIC.astype(np.int8)
_SYMMETRY[BY_NAME["givens"].code] = -1


@dataclass(frozen=True)
class MergeRotations(CirqTransformer):
    """Merge same-axis rotations, numeric and symbolic (module docstring).

    Keeps: meaning and global phase exactly, order of everything else, rows with tags or other extras.
    """

    name: ClassVar[str] = "merge-rotations"

    def run(self, circuit: Circuit, /) -> Circuit:
        """The circuit with each group of rotations in the place of its first member."""
        from qattn_compiler.circuit.kernels import merge_groups

        family = np.where(circuit.extra < 0, _FAMILY[circuit.op], np.int16(-1))
        angles = circuit.angles[:, :2].copy()
        angles[:, 0] += ROTATION_ANGLE[circuit.op]
        head, sign, total, gone = merge_groups(
            family,
            angles,
            _TURN,
            _SYMMETRY,
            AXIS_CODES[circuit.op],
            circuit.wires,
            circuit.num_wires,
            ROUNDING,
            *_terms(circuit),
        )
        members = np.flatnonzero(_size(head)[head] > 1) if len(head) else head
        return _merged(circuit, members, head, sign, total, gone) if len(members) else circuit


def _size(head: NDArray[np.int32]) -> NDArray[np.int64]:
    """How many members each head has; the last entry is for rows without one, and 0."""
    return np.append(np.bincount(head[head >= 0], minlength=len(head)), 0)


def _terms(
    circuit: Circuit,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """The symbolic terms as `kernels.merge_groups` takes them: begin, param, coef, probe."""
    affine = circuit.affine
    first = int(np.searchsorted(affine.slot, 0))  # those of the global phase stand in front
    begin = np.searchsorted(affine.slot[first:], 3 * np.arange(len(circuit) + 1))
    param = 3 * affine.param[first:].astype(np.int64) + affine.slot[first:] % 3
    probe = np.random.default_rng(0).normal(size=3 * len(circuit.params))
    return begin, param, affine.coef[first:], probe


def _merged(
    circuit: Circuit,
    rows: NDArray[np.int64],
    head: NDArray[np.int32],
    sign: NDArray[np.float64],
    total: NDArray[np.float64],
    gone: NDArray[np.bool_],
) -> Circuit:
    """The circuit with the members `rows` of groups of two and more in one."""
    first = rows[head[rows] == rows]
    family = _FAMILY[circuit.op[first]]
    turns = np.rint(total[first] / _TURN[family][:, None])
    phase = circuit.phase + float(ROTATION_PHASE[circuit.op[rows]].sum())
    phase += np.pi * float(turns[FULL_TURN_IS_PHASE[family], 0].sum() % 2)

    op, angles = circuit.op.copy(), circuit.angles.copy()
    op[first] = family
    angles[rows] = 0.0
    angles[first, :2] = sign[first, None] * (total[first] - turns * _TURN[family][:, None])
    merged = replace(circuit, op=op, angles=angles, affine=_moved(circuit, rows, head, sign), phase=phase)
    keep = np.ones(len(circuit), dtype=bool)
    keep[rows] = False
    keep[first] = ~gone[first]
    return merged.with_rows(np.flatnonzero(keep))


def _moved(
    circuit: Circuit, rows: NDArray[np.int64], head: NDArray[np.int32], sign: NDArray[np.float64]
) -> Affine:
    """The symbolic terms of the members, at their heads."""
    affine = circuit.affine
    if not len(affine):
        return affine
    target, factor = np.arange(len(circuit)), np.ones(len(circuit))
    target[rows] = head[rows]
    factor[rows] = sign[rows] * sign[head[rows]]
    row, column = np.divmod(affine.slot, 3)
    inner = affine.slot != GLOBAL_PHASE
    slot = np.where(inner, 3 * target[row] + column, GLOBAL_PHASE)
    return Affine.of(slot, affine.param, np.where(inner, factor[row] * affine.coef, affine.coef))
