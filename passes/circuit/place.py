"""Place: which physical qubit each logical qubit starts on.

A perfect placement, where every interaction is on a coupling (`embed.py`); else the layout from which routing
costs least (`contest.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from qattn_compiler.circuit.table import Circuit
from qattn_compiler.device import Device
from qattn_compiler.passes.circuit.contest import Contest, Rules
from qattn_compiler.passes.circuit.embed import perfect
from qattn_compiler.passes.circuit.problem import Layout, homes, read


@dataclass(frozen=True)
class Place:
    """Choose the initial layout.

    Needs gates on at most two qubits (walls that are no unitary, such as wide measurements, may be wider).
    Keeps every row; `run` only renames the qubits to the device's.

    Attributes:
        device: the machine.
        seed: of the search.
        passes: how long the search is, in passes over the circuit.
        objective: "count" (native two-qubit gates), "depth" or "fidelity".
    """

    device: Device
    seed: int = 0
    passes: float = 24.0
    objective: str = "count"
    name: ClassVar[str] = "place"

    def place(self, circuit: Circuit) -> Layout:
        """The initial layout, shape (logical,), int32: logical index -> physical index.

        Raises:
            TargetError: the circuit does not fit on the device.
            PassError: a unitary acts on more than two qubits.
            OptionError: an option means nothing.
        """
        rules = Rules(self.seed, self.passes, objective=self.objective)
        problem = read(circuit)
        homes(problem, self.device)
        layout = perfect(problem, self.device, self.seed)
        if layout is not None:
            return layout
        return Contest([problem], self.device, rules).routes()[0][1].layout

    def run(self, circuit: Circuit, /) -> Circuit:
        """The circuit on the device's qubits, laid out by `place`; still to be routed unless the layout is
        perfect."""
        from qattn_compiler.passes.circuit.route import relabel

        if circuit.qubits == self.device.qubits:
            return circuit
        return relabel(circuit, self.device, self.place(circuit))
