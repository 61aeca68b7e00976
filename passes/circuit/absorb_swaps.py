"""Absorb a SWAP into a two-qubit gate on the same pair: a CZ and a SWAP cost two CZ together instead of four.

`CZ . SWAP = iSWAP . (S^-1 x S^-1)`, and an iSWAP is two CZ; a rotation such as RZZ(t), symbolic or not, and a
SWAP are three instead of five; an iSWAP and a SWAP are one. Single-qubit gates between the two do not matter:
a SWAP moves past them by exchanging their wires, and meets another SWAP there too. Each gate takes in at
most one SWAP in a sweep.

Source: mirror gates, MIRAGE (McKinney, Hatridge, Jones, arXiv:2308.03874).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Final

import numpy as np

from qattn_compiler.circuit.edit import Rule, Step, expand
from qattn_compiler.circuit.gates import GATES, NUM_QUBITS, SWAP
from qattn_compiler.circuit.table import Circuit
from qattn_compiler.passes.circuit.base import CirqTransformer


def _on(qubit: int, *names: str) -> tuple[Step, ...]:
    return tuple(Step(name, (qubit,)) for name in names)


def _rz(qubit: int, factor: float) -> Step:
    return Step("rz", (qubit,), (0.0, (factor,)))


def _zz(factor: float) -> tuple[Step, ...]:
    """RZZ(factor * t), then SWAP: the last CX of one meets the first of the other."""
    return (Step("cx", (0, 1)), _rz(1, factor), Step("cx", (1, 0)), Step("cx", (0, 1)))


_CZ: Final = (Step("iswap", (0, 1)), *_on(0, "sdg"), *_on(1, "sdg"))
_CRZ: Final = (_rz(1, 0.5), *_zz(-0.5))
_X_TO_Z: Final = (*_on(0, "h"), *_on(1, "h"))
_Y_TO_Z: Final = (*_on(0, "sdg", "h"), *_on(1, "sdg", "h"))
_Z_TO_Y: Final = (*_on(0, "h", "s"), *_on(1, "h", "s"))

THEN_SWAP: Final[dict[str, Rule]] = {
    "cz": Rule(_CZ),
    "cx": Rule((*_on(1, "h"), *_CZ, *_on(0, "h"))),
    "cy": Rule((*_on(1, "sdg", "h"), *_CZ, *_on(0, "h", "s"))),
    "iswap": Rule((Step("cz", (0, 1)), *_on(0, "s"), *_on(1, "s"))),
    "iswapdg": Rule((Step("cz", (0, 1)), *_on(0, "sdg"), *_on(1, "sdg"))),
    "rzz": Rule(_zz(1.0)),
    "rxx": Rule((*_X_TO_Z, *_zz(1.0), *_X_TO_Z)),
    "ryy": Rule((*_Y_TO_Z, *_zz(1.0), *_Z_TO_Y)),
    "crz": Rule(_CRZ),
    "crx": Rule((*_on(1, "h"), *_CRZ, *_on(0, "h"))),
    "cry": Rule((*_on(1, "sdg", "h"), *_CRZ, *_on(0, "h", "s"))),
    "cphase": Rule((_rz(0, 0.5), _rz(1, 0.5), *_zz(-0.5)), (0.0, (0.25,))),
}
"""What a gate and the SWAP after it become; the SWAP before it is the same with the operands exchanged."""


def _swap_first(rule: Rule) -> Rule:
    """SWAP then G(0, 1) is G(1, 0) then SWAP."""
    return Rule(tuple(replace(s, on=tuple(1 - q for q in s.on)) for s in rule.steps), rule.phase)


_NAMES: Final = tuple(THEN_SWAP)
_RULES: Final = (Rule(()), *THEN_SWAP.values(), *map(_swap_first, THEN_SWAP.values()))
_THEN_SWAP: Final = np.array([1 + _NAMES.index(g.name) if g.name in THEN_SWAP else -1 for g in GATES])
"""Gate code -> rule for the gate and a SWAP after it, or -1; len(_NAMES) further on: a SWAP before it. Rule 0
drops a row."""


@dataclass(frozen=True)
class AbsorbSwaps(CirqTransformer):
    """Absorb SWAPs into neighbouring two-qubit gates (module docstring).

    Keeps: meaning and global phase exactly, rows with tags or other extras.
    """

    name: ClassVar[str] = "absorb-swaps"

    def run(self, circuit: Circuit, /) -> Circuit:
        """The circuit with the rules' gates in the place of absorbed pairs."""
        while (circuit.op == SWAP).any():
            after = _swept(circuit)
            if after is circuit:
                break
            circuit = after
        return circuit


def _swept(circuit: Circuit) -> Circuit:
    """The circuit after one sweep; the same one if nothing was found."""
    from qattn_compiler.circuit.kernels import absorb_swaps

    num_qubits = np.where(circuit.extra < 0, NUM_QUBITS[circuit.op], np.int8(0))
    operands = circuit.operands.copy()
    program = absorb_swaps(
        circuit.op, num_qubits, operands, circuit.wires, circuit.num_wires, SWAP, _THEN_SWAP, len(_NAMES)
    )
    if (program < 0).all():
        return circuit
    return expand(replace(circuit, operands=operands), program, _RULES)
