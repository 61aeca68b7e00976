"""Bring the angles of RZZ into 0 .. pi/2, for machines that have no others (IBM's fractional gates).

RZZ(t + 2 pi) = -RZZ(t), RZZ(t + pi) = i RZ(pi) RZ(pi) RZZ(t), and RZZ(-t) = X RZZ(t) X with X on one side: no
two-qubit gate more or less.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import pi
from typing import ClassVar, Final

import numpy as np

from qattn_compiler.circuit.edit import Rule, Step, expand
from qattn_compiler.circuit.gates import BY_NAME
from qattn_compiler.circuit.table import Circuit
from qattn_compiler.passes.circuit.base import CirqTransformer

HIGHEST: Final = pi / 2
"""The largest angle that is left, radians; the least is 0."""
ROUNDING: Final = 1e-12
"""Angles this far out are rounding errors and stay."""

_X: Final = Step("x", (0,))
_HALF_TURNS: Final = (Step("rz", (0,), (pi, ())), Step("rz", (1,), (pi, ())))


def _rzz(constant: float, factor: float) -> Step:
    return Step("rzz", (0, 1), (constant, (factor,)))


_RULES: Final = (
    Rule((_X, _rzz(0.0, -1.0), _X)),
    Rule((_X, _rzz(pi, -1.0), _X, *_HALF_TURNS), (pi / 2, ())),
    Rule((_rzz(pi, 1.0), *_HALF_TURNS), (-pi / 2, ())),
)
"""For angles in (-pi/2, 0), (pi/2, pi], (-pi, -pi/2)."""


@dataclass(frozen=True)
class LimitAngles(CirqTransformer):
    """RZZ with angles from 0 to pi/2 only (module docstring).

    Keeps: meaning and global phase exactly, symbolic gates, rows with tags or other extras.
    """

    name: ClassVar[str] = "limit-angles"
    opens_gates: ClassVar[bool] = True

    def run(self, circuit: Circuit, /) -> Circuit:
        """The circuit with its angles brought in."""
        fit = (circuit.op == BY_NAME["rzz"].code) & (circuit.extra < 0) & ~circuit.symbolic_rows
        angle = circuit.angles[:, 0]
        out = fit & ((angle < -ROUNDING) | (angle > HIGHEST + ROUNDING))
        if not out.any():
            return circuit
        turns = np.where(out, np.ceil(angle / (2 * pi) - 0.5), 0.0)
        angles = circuit.angles.copy()
        angles[:, 0] -= 2 * pi * turns
        phase = float(np.remainder(circuit.phase + pi * turns.sum(), 2 * pi))
        wrapped = replace(circuit, angles=angles, phase=phase)
        angle = angles[:, 0]
        kinds = (angle < -HIGHEST - ROUNDING, angle < -ROUNDING, angle > HIGHEST + ROUNDING)
        program = np.where(out, np.select(kinds, (2, 0, 1), -1), -1)
        return expand(wrapped, program, _RULES)
