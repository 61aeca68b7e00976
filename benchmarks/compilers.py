"""Who takes part, with which settings, and on what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

ATOL = 1e-4
"""Rotations up to this angle (radians) are dropped where we stand beside Qiskit's levels 2 and 3, which drop
them without being asked."""
EXACT = 1e-8


@dataclass(frozen=True)
class Entry:
    """A compiler with its settings.

    Attributes:
        name: in rows and on the page.
        worker: file in `workers/`, without its ending.
        label: what people read.
        options: for the worker.
        runs: how many seeds, or repetitions where there is no seed.
        seeded: whether runs have different seeds; else they are repeated for their times alone.
        quick: part of the quick run.
        home: runs in our own interpreter rather than in that of the peers.
        routes: can be given couplings.
        symbols: can be given symbols.
        prepares: has state preparation of its own.
        exact: drops nothing (or no more than rounding).
        most_gates: circuits with more gates are not tried; None is all.
        most_qubits: nor with more qubits.
        patience: how many times the limit it has.
        after: the same compiler with other settings: where that one runs out of time, this one is not tried,
            and it does not take part in the growth of times, which the other one shows.
    """

    name: str
    worker: str
    label: str
    options: Mapping[str, Any] = field(default_factory=dict)
    runs: int = 1
    seeded: bool = False
    quick: bool = True
    home: bool = False
    routes: bool = True
    symbols: bool = True
    prepares: bool = True
    exact: bool = True
    most_gates: int | None = None
    most_qubits: int | None = None
    patience: float = 1.0
    after: str = ""

    @property
    def is_ours(self) -> bool:
        """Whether it is this project's."""
        return self.worker == "with_ours"


ENTRIES = (
    Entry("qiskit-3", "with_qiskit", "Qiskit 3", {"level": 3}, runs=5, seeded=True, exact=False),
    Entry("ours-2", "with_ours", "QAttn 2", {"level": 2, "atol": ATOL}, runs=3, home=True, exact=False),
    Entry("ours-3", "with_ours", "QAttn 3", {"level": 3, "atol": ATOL}, runs=3, home=True, exact=False),
    Entry("pytket", "with_pytket", "pytket", {"way": "full"}),
    Entry("pytket-greedy", "with_pytket", "pytket greedy", {"way": "greedy"}, routes=False, symbols=False),
    Entry("cirq", "with_cirq", "Cirq", home=True, prepares=False),
    Entry(
        "ours-3-long",
        "with_ours",
        "QAttn 3 long",
        {"level": 3, "atol": ATOL, "effort": "long"},
        home=True,
        quick=False,
        exact=False,
        after="ours-3",
    ),
    Entry(
        "ours-3-exact",
        "with_ours",
        "QAttn 3 exact",
        {"level": 3, "atol": EXACT},
        home=True,
        quick=False,
        after="ours-3",
    ),
    Entry("qiskit-1", "with_qiskit", "Qiskit 1", {"level": 1}, runs=5, seeded=True, quick=False),
    Entry("pennylane", "with_pennylane", "PennyLane", routes=False, symbols=False, most_gates=20_000),
    Entry(
        "bqskit",
        "with_bqskit",
        "BQSKit",
        {"level": 3},
        quick=False,
        routes=False,
        symbols=False,
        prepares=False,
        most_gates=40,
        most_qubits=4,
        patience=3.0,
    ),
)
"""In the order in which they run on each case, so that those whose times are compared are neighbours."""
BY_NAME = {entry.name: entry for entry in ENTRIES}

IMPORTS = {
    "with_qiskit": "from qiskit import QuantumCircuit, transpile",
    "with_ours": "import cirq, qattn_compiler; qattn_compiler.transpile",
    "with_pytket": "import pytket, pytket.passes",
    "with_cirq": "import cirq",
    "with_pennylane": "import pennylane",
    "with_bqskit": "from bqskit import Circuit, compile",
}
"""What a user imports before the first circuit can be built and compiled; ours loads its kernels later."""
