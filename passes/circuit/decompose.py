"""Rewrite every two-qubit gate that the machine does not run over its native entangler.

The rules are exact, global phase included, and hold for symbols (`synth.two_qubit_rules`,
`synth.native_rules`). Single-qubit gates are left to `native_single_qubit`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit.edit import Rule, expand
from qattn_compiler.circuit.gates import BY_NAME, GATES
from qattn_compiler.circuit.table import Circuit
from qattn_compiler.errors import PassError
from qattn_compiler.passes.circuit.base import CirqTransformer
from qattn_compiler.synth.two_qubit_rules import RULES

_SAME = 1e-12
"""Angles (radians) this close to those of the entangler are meant to be them."""


@dataclass(frozen=True)
class DecomposeTwoQubit(CirqTransformer):
    """Two-qubit gates to the native one (module docstring).

    Attributes:
        keep: names of two-qubit gates to leave as they are; the entangler is always among them.
        entangler: a name of `synth.entanglers.ENTANGLERS`. One with fixed angles is kept at these only.
        symbolic_only: leave gates without symbols to `resynthesise_two_qubit`, which needs fewer entanglers
            for them.

    Keeps: meaning and global phase exactly, single-qubit gates, foreign operations. Tags of a gate that is
    taken apart go (there is no gate left that they would describe).

    Raises:
        PassError: no such gate, or no such entangler.
    """

    keep: frozenset[str] = frozenset()
    entangler: str = "cz"
    symbolic_only: bool = False
    name: ClassVar[str] = "decompose-two-qubit"
    opens_gates: ClassVar[bool] = True

    def __post_init__(self) -> None:
        unknown = self.keep - {g.name for g in GATES}
        if unknown:
            raise PassError(f"{self.name}: the gate table has no {', '.join(sorted(unknown))}")
        if self.entangler == "cz":
            return
        from qattn_compiler.synth.entanglers import ENTANGLERS

        if self.entangler not in ENTANGLERS:
            hint = f"there are {', '.join(ENTANGLERS)}"
            raise PassError(f"{self.name}: there is no entangler {self.entangler!r}", hint=hint)

    def run(self, circuit: Circuit, /) -> Circuit:
        """The circuit over the entangler and single-qubit gates."""
        if self.entangler == "cz":
            return self._rewritten(circuit, RULES, "cz", ())
        from qattn_compiler.synth.entanglers import ENTANGLERS
        from qattn_compiler.synth.native_rules import rules_over

        native = ENTANGLERS[self.entangler]
        return self._rewritten(circuit, rules_over(self.entangler), native.gate, native.angles or ())

    def _rewritten(
        self, circuit: Circuit, rules: Mapping[str, Rule], gate: str, angles: tuple[float, ...]
    ) -> Circuit:
        by_code = np.full(len(GATES), -1, dtype=np.int64)
        for number, name in enumerate(rules):
            if name not in self.keep:
                by_code[BY_NAME[name].code] = number
        program = by_code[circuit.op]
        program[_is_entangler(circuit, gate, angles)] = -1
        if self.symbolic_only:
            program[~circuit.symbolic_rows] = -1
        out = expand(circuit, program, tuple(rules.values()))
        return _completed(out, angles) if len(angles) > 1 and out is not circuit else out


def _is_entangler(circuit: Circuit, gate: str, angles: tuple[float, ...]) -> NDArray[np.bool_]:
    """Shape (rows,): which rows are the native gate, at its own angles if these are fixed."""
    same: NDArray[np.bool_] = circuit.op == BY_NAME[gate].code
    if angles:
        same &= ~circuit.symbolic_rows
        same &= (np.abs(circuit.angles[:, : len(angles)] - angles) <= _SAME).all(axis=1)
    return same


def _completed(circuit: Circuit, angles: tuple[float, ...]) -> Circuit:
    """Steps of rules have one angle; that of an entangler with more is NaN, and all are put in here."""
    new = circuit.angles.copy()
    new[np.isnan(new[:, 0]), : len(angles)] = angles
    return replace(circuit, angles=new)
