"""Rebuild regions of CX, CZ, SWAP, X and Z rotations.

Such a region adds a phase for each of some parities of its wires, and ends in a linear map. A parity
network (GraySynth) brings every parity onto some wire; what is left is a Clifford, cleared greedily. The
greedy search of `resynthesise_paulis` is tried beside it, and both forwards and backwards; the fewest
two-qubit gates win. A region that would not get cheaper stays as it is. Symbolic angles only ride along.

Sources: Amy, Azimzadeh, Mosca, Quantum Sci. Technol. 4, 015002 (2018) (parity networks); Patel, Markov,
Hayes, Quantum Inf. Comput. 8, 282 (2008) (linear maps), here by the tableau search of `synth.pauli`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit.gates import BY_NAME, GATES
from qattn_compiler.circuit.params import Affine
from qattn_compiler.circuit.regions import replaced
from qattn_compiler.circuit.table import Circuit
from qattn_compiler.passes.circuit.base import CirqTransformer
from qattn_compiler.passes.circuit.cost import entanglers
from qattn_compiler.passes.circuit.resynthesise_paulis import (
    ResynthesisePaulis,
    efforts,
    forms_of,
    normalised,
    written,
)
from qattn_compiler.synth import pauli

_IN_REGION: Final = np.array([bool(g.axes) and all(axis == "Z" for axis in g.axes) for g in GATES])
"""Diagonal gates, and those that permute the basis states linearly."""
for _name in ("cx", "swap", "x"):
    _IN_REGION[BY_NAME[_name].code] = True


@dataclass(frozen=True)
class ResynthesiseParities(CirqTransformer):
    """Fewer two-qubit gates for regions of CX and Z rotations (module docstring).

    Attributes:
        effort: how many settings of the searches are tried, 1 to 512.
        seed: of the random part of scores.
        free_swaps: SWAPs at the end of a region cost nothing (someone relabels them away); otherwise 3 each.

    Keeps: meaning and global phase exactly, all other gates, tagged rows, parameters.

    Raises:
        PassError: effort is out of range.
    """

    effort: int = 4
    seed: int = 0
    free_swaps: bool = False
    name: ClassVar[str] = "resynthesise-parities"

    def __post_init__(self) -> None:
        ResynthesisePaulis(self.effort)

    def run(self, circuit: Circuit, /) -> Circuit:
        """The circuit with its regions rebuilt where that saves two-qubit gates."""
        return replaced(circuit, ~(_IN_REGION[circuit.op] & (circuit.extra < 0)), self.rebuilt)

    def rebuilt(self, part: Circuit) -> Circuit | None:
        """A cheaper circuit for a region, or None."""
        least = entanglers(part)
        if least < 2:
            return None
        circuit = normalised(part)
        forms = forms_of(circuit)
        best: tuple[pauli.Program, bool] | None = None
        for effort, back in efforts(self.effort, self.seed):
            for make in (_network, _greedy):
                found = make(forms[back], effort, least - 1)
                if found is not None and (cost := self._cost(found)) < least:
                    best, least = (found, back), cost
        return None if best is None else written(circuit, forms[best[1]], *best)

    def _cost(self, program: pauli.Program) -> int:
        kind = program[0][:, 0]
        swap = 0 if self.free_swaps else 3
        return int(np.isin(kind, (pauli.CX, pauli.CZ)).sum()) + swap * int((kind == pauli.SWAP).sum())


def _greedy(form: pauli.PauliForm, effort: pauli.Effort, limit: int) -> pauli.Program | None:
    made = pauli.synthesise(form, effort, limit)
    return None if made is None else pauli.instructions(made)


def _network(form: pauli.PauliForm, effort: pauli.Effort, limit: int) -> pauli.Program | None:
    """A parity network for the rotations, then the Clifford that is left."""
    from qattn_compiler.synth.parity_kernels import gray_synth

    steps, gates = gray_synth((form.codes >> 1).astype(np.uint8), limit)
    if gates < 0:
        return None
    is_gate = steps[:, 0] >= 0
    kind = np.where(is_gate, pauli.CX, _RZ)
    first = np.where(is_gate, steps[:, 0], steps[:, 1])
    network = np.column_stack([kind, first, np.where(is_gate, steps[:, 1], -1)]).astype(np.int64)
    rotation = np.where(is_gate, -1, steps[:, 2])
    minus = ~is_gate & (np.append(form.signs, 0)[rotation] == 1)
    rest = pauli.synthesise(_after(form, network[is_gate]), effort, limit - gates)
    if rest is None:
        return None
    tail, none, forwards = pauli.instructions(rest)
    return (
        np.concatenate([network, tail]),
        np.concatenate([rotation, none]),
        np.concatenate([minus, forwards]),
    )


_RZ: Final = pauli.INSTRUCTIONS.index("rz")


def _after(form: pauli.PauliForm, done: NDArray[np.int64]) -> pauli.PauliForm:
    """The form of what is left of a form's Clifford after these gates."""
    left = np.concatenate([pauli.inverted(done), form.clifford])
    kind, first, second = np.ascontiguousarray(left.T)
    return pauli.pull(kind, first, second, np.zeros(len(left)), Affine.empty(), form.codes.shape[1])
