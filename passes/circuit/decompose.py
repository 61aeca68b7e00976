"""Rewrite every two-qubit gate that the machine does not run over its native entangler.

The rules are exact, global phase included, and hold for symbols (`synth.two_qubit_rules`). Single-qubit
gates are left to `fuse_single_qubit`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qattn_compiler.circuit.edit import expand
from qattn_compiler.circuit.gates import GATES
from qattn_compiler.circuit.table import Circuit
from qattn_compiler.errors import PassError
from qattn_compiler.passes.circuit.base import CirqTransformer
from qattn_compiler.synth.two_qubit_rules import RULES

_NAMES = tuple(RULES)
_RULES = tuple(RULES.values())


@dataclass(frozen=True)
class DecomposeTwoQubit(CirqTransformer):
    """Two-qubit gates to CZ (module docstring).

    Attributes:
        keep: names of two-qubit gates to leave as they are; CZ is always among them.

    Keeps: meaning and global phase exactly, single-qubit gates, foreign operations. Tags of a gate that is
    taken apart go (there is no gate left that they would describe).
    """

    keep: frozenset[str] = frozenset()
    name: ClassVar[str] = "decompose-two-qubit"
    opens_gates: ClassVar[bool] = True

    def __post_init__(self) -> None:
        unknown = self.keep - {g.name for g in GATES}
        if unknown:
            raise PassError(f"{self.name}: the gate table has no {', '.join(sorted(unknown))}")

    def run(self, circuit: Circuit, /) -> Circuit:
        """The circuit over CZ and single-qubit gates."""
        by_code = np.full(len(GATES), -1, dtype=np.int64)
        for gate in GATES:
            if gate.name in RULES and gate.name not in self.keep:
                by_code[gate.code] = _NAMES.index(gate.name)
        return expand(circuit, by_code[circuit.op], _RULES)
