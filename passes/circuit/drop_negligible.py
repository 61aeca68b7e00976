"""Drop rotations whose angle is below a tolerance, and say how much was dropped.

The error in operator norm is at most the sum of the dropped angles (half of it for rx, ry, rz and their
kind); `dropped` gives that sum for the report.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit.gates import BY_NAME, NUM_ANGLES, PHASED_XZ, ROTATION_FAMILY
from qattn_compiler.circuit.table import Circuit
from qattn_compiler.errors import PassError
from qattn_compiler.passes.circuit.base import CirqTransformer


@dataclass(frozen=True)
class DropNegligible(CirqTransformer):
    """Drop rotations with |angle| <= atol (radians).

    Keeps: symbolic gates, rows with tags or other extras.

    Raises:
        PassError: atol is negative or not finite.
    """

    atol: float = 1e-8
    name: ClassVar[str] = "drop-negligible"

    def __post_init__(self) -> None:
        if not (np.isfinite(self.atol) and self.atol >= 0):
            raise PassError(f"atol is {self.atol}; a finite number of radians, 0 or more, was expected")

    def run(self, circuit: Circuit, /) -> Circuit:
        """The circuit without those rows."""
        drop = self._negligible(circuit)
        return circuit.with_rows(np.flatnonzero(~drop)) if drop.any() else circuit

    def dropped(self, circuit: Circuit) -> float:
        """The sum of |angle| (radians) over the rows that `run` would drop."""
        return float(_size(circuit)[self._negligible(circuit)].sum())

    def _negligible(self, circuit: Circuit) -> NDArray[np.bool_]:
        fit = _TURNS[circuit.op] & (circuit.extra < 0) & ~circuit.symbolic_rows
        small: NDArray[np.bool_] = fit & (_size(circuit) <= self.atol)
        return small


_TURNS = (ROTATION_FAMILY >= 0) & (NUM_ANGLES > 0)
_TURNS[[PHASED_XZ, BY_NAME["givens"].code, BY_NAME["fsim"].code]] = True
"""By gate code: whether the gate does nothing at angle 0."""


def _size(circuit: Circuit) -> NDArray[np.float64]:
    """|angle| of one-angle rows; |x| + |z| of `phased_xz` (its a alone does nothing); |theta| + |phi| of
    fsim.

    Shape (rows,), radians.
    """
    sizes = np.abs(circuit.angles)
    sizes[circuit.op == PHASED_XZ, 2] = 0.0
    total: NDArray[np.float64] = sizes.sum(axis=1)
    return total
