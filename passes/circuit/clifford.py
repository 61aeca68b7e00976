"""Resynthesise the Clifford parts of circuits.

All that stands between gates that are no Clifford gates is cut into regions of qubits that meet; each region
is one tableau (the frame of `synth.pauli`), which is cleared greedily, pair by pair of its strings. A region
that would not need fewer two-qubit gates stays as it is.

Source: Bravyi, Shaydulin, Hu, Maslov, Quantum 5, 580 (2021), section 4 (greedy compiler).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit.gates import BY_NAME, GATES
from qattn_compiler.circuit.regions import replaced
from qattn_compiler.circuit.table import Circuit
from qattn_compiler.passes.circuit.base import CirqTransformer
from qattn_compiler.passes.circuit.resynthesise_paulis import ResynthesisePaulis
from qattn_compiler.synth.pauli import QUARTER

_ALWAYS: Final = np.zeros(len(GATES), dtype=bool)
for _name in ("x", "y", "z", "h", "s", "sdg", "sx", "sxdg", "cx", "cy", "cz", "swap", "iswap", "iswapdg"):
    _ALWAYS[BY_NAME[_name].code] = True
_STEP: Final = np.zeros(len(GATES))
"""Multiples of this angle (radians) make the gate a Clifford gate; 0: none do."""
for _names, _step in (("rx ry rz rxx ryy rzz", np.pi / 2), ("cphase", np.pi)):
    _STEP[[BY_NAME[name].code for name in _names.split()]] = _step


@dataclass(frozen=True)
class Clifford(CirqTransformer):
    """Fewer two-qubit gates for Clifford regions (module docstring).

    Attributes:
        effort: how many settings of the search are tried, 1 to 512.
        seed: of the random part of scores.
        free_swaps: SWAPs at the end of a region cost nothing (someone relabels them away); otherwise 3 each.

    Keeps: meaning and global phase exactly, all gates that are not of the Clifford group, tagged rows.

    Raises:
        PassError: effort is out of range.
    """

    effort: int = 4
    seed: int = 0
    free_swaps: bool = False
    name: ClassVar[str] = "clifford"

    def __post_init__(self) -> None:
        self._search()

    def run(self, circuit: Circuit, /) -> Circuit:
        """The circuit with its Clifford regions rebuilt where that saves two-qubit gates."""
        return replaced(circuit, ~is_clifford(circuit), self._search().rebuilt)

    def _search(self) -> ResynthesisePaulis:
        return ResynthesisePaulis(self.effort, self.seed, self.free_swaps)


def is_clifford(circuit: Circuit) -> NDArray[np.bool_]:
    """Which rows are Clifford gates, without extras; shape (rows,)."""
    step = _STEP[circuit.op]
    with np.errstate(divide="ignore", invalid="ignore"):
        turns = np.round(circuit.angles[:, 0] / step)
        exact = np.abs(circuit.angles[:, 0] - turns * step) < QUARTER
    numeric = (circuit.extra < 0) & ~circuit.symbolic_rows
    found: NDArray[np.bool_] = numeric & (_ALWAYS[circuit.op] | ((step > 0) & exact))
    return found
