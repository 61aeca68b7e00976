"""The machines that circuits are compiled for: our own targets, and for everybody else their couplings.

All use CZ: a peer gets the same couplings and the basis CZ and single-qubit gates. An Eagle has ECR (our
target writes CX), which is a CZ but for single-qubit gates, and counts as one. `line` and `ring` have as
many qubits as the circuit.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

NAMES = ("all-to-all", "willow", "eagle", "line", "ring")
QUICK = ("all-to-all", "willow")
OURS = {
    "all-to-all": "full:{n}",
    "willow": "google.willow",
    "eagle": "ibm.eagle",
    "line": "line:{n}",
    "ring": "ring:{n}",
}
"""Name here -> name of our target."""


@dataclass(frozen=True)
class Machine:
    """What a compiler must know.

    Attributes:
        name: of `NAMES`.
        target: our target's name, for `qattn_compiler.transpile`.
        num_qubits: of the machine.
        edges: couplings, each once; None is all of them.
    """

    name: str
    target: str
    num_qubits: int
    edges: tuple[tuple[int, int], ...] | None


@cache
def machine(name: str, num_qubits: int = 0) -> Machine:
    """The machine for a circuit of so many qubits."""
    written = OURS[name].format(n=num_qubits)
    if name == "all-to-all":
        return Machine(name, written, num_qubits, None)
    found = device(name, num_qubits)
    return Machine(name, written, found.num_qubits, tuple((a, b) for a, b in found.edges.tolist()))


@cache
def device(name: str, num_qubits: int = 0) -> Any:
    """Our `Device`, with calibration where there is one."""
    from qattn_compiler import targets

    return targets.get(OURS[name].format(n=num_qubits)).device
