"""Turn two-qubit gates round where the machine has an edge one way only.

Gates that are the same either way get their operands exchanged; a CX gets Hadamard gates on both sides of
both qubits, CX(a, b) = H H CX(b, a) H H.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit.edit import Rule, Step, expand
from qattn_compiler.circuit.gates import BY_NAME, GATES, NUM_QUBITS, SYMMETRIC
from qattn_compiler.circuit.table import Circuit
from qattn_compiler.device import Device
from qattn_compiler.errors import PassError

_CX: Final = BY_NAME["cx"].code
_HADAMARDS: Final = (Step("h", (0,)), Step("h", (1,)))
_REVERSED: Final = (Rule((*_HADAMARDS, Step("cx", (1, 0)), *_HADAMARDS)),)


@dataclass(frozen=True)
class Orient:
    """Two-qubit gates the way that the machine's edges go (module docstring).

    Attributes:
        device: the machine; the circuit is on its qubits.

    Keeps: meaning and global phase exactly; what has tags or is foreign keeps its place.

    Raises:
        PassError: a gate that is neither CX nor the same either way stands against an edge.
    """

    device: Device
    name: ClassVar[str] = "orient"

    def run(self, circuit: Circuit, /) -> Circuit:
        """The circuit with its gates turned round."""
        against = self._against(circuit)
        if not against.any():
            return circuit
        symmetric = against & SYMMETRIC[circuit.op]
        other = against & ~symmetric & ((circuit.op != _CX) | (circuit.extra >= 0))
        if other.any():
            row = int(np.flatnonzero(other)[0])
            a, b = (self.device.qubits[q] for q in circuit.operands[row])
            raise PassError(
                f"{self.name}: {GATES[circuit.op[row]].name} (row {row}) goes from {a} to {b}, where"
                f" {self.device.name} has {b} to {a} only",
                hint="decompose it to CX or to a gate that is the same either way",
            )
        operands = circuit.operands.copy()
        operands[symmetric] = operands[symmetric, ::-1]
        turned = replace(circuit, operands=operands)
        return expand(turned, np.where(against & ~symmetric, 0, -1), _REVERSED)

    def _against(self, circuit: Circuit) -> NDArray[np.bool_]:
        """Shape (rows,): which two-qubit rows stand against an edge that goes one way."""
        wrong = np.zeros((self.device.num_qubits, self.device.num_qubits), dtype=bool)
        for a, b in self.device.one_way:
            wrong[b, a] = True
        out: NDArray[np.bool_] = NUM_QUBITS[circuit.op] == 2
        pairs = circuit.operands[out]
        out[out] = wrong[pairs[:, 0], pairs[:, 1]]
        return out
