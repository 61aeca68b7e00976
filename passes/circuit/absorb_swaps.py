"""Absorb a SWAP into a CZ or CX on the same pair: the two together cost two CZ instead of four.

`CZ . SWAP = iSWAP . (S^-1 x S^-1)`, and an iSWAP is two CZ. Single-qubit gates between the two do not
matter: a SWAP moves past them by exchanging their wires. Each CZ or CX takes in at most one SWAP, the first
that comes.

Source: mirror gates, MIRAGE (McKinney, Hatridge, Jones, arXiv:2308.03874).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np

from qattn_compiler.circuit.edit import Rule, Step, expand
from qattn_compiler.circuit.gates import BY_NAME, CZ, NUM_QUBITS, SWAP
from qattn_compiler.circuit.table import Circuit
from qattn_compiler.passes.circuit.base import CirqTransformer

_CX = BY_NAME["cx"].code
_ISWAP = (Step("iswap", (0, 1)), Step("sdg", (0,)), Step("sdg", (1,)))
_RULES = (
    Rule(()),
    Rule(_ISWAP),  # CZ, then SWAP (in either order)
    Rule((Step("h", (1,)), *_ISWAP, Step("h", (0,)))),  # CX, then SWAP
    Rule((Step("h", (0,)), *_ISWAP, Step("h", (1,)))),  # SWAP, then CX
)
_DROP, _CZ_SWAP, _CX_SWAP, _SWAP_CX = range(4)


@dataclass(frozen=True)
class AbsorbSwaps(CirqTransformer):
    """Absorb SWAPs into neighbouring CZ and CX (module docstring).

    Keeps: meaning and global phase exactly, rows with tags or other extras.
    """

    name: ClassVar[str] = "absorb-swaps"

    def run(self, circuit: Circuit, /) -> Circuit:
        """The circuit with `iswap` in the place of absorbed pairs."""
        while (circuit.op == SWAP).any():
            after = _Sweep(circuit).result()
            if after is circuit:
                break
            circuit = after
        return circuit


@dataclass
class _Sweep:
    """One pass over the rows: the last entangling row of each wire, and the single-qubit rows since."""

    circuit: Circuit
    last: dict[int, int] = field(default_factory=dict)
    since: dict[int, list[int]] = field(default_factory=dict)

    def result(self) -> Circuit:
        circuit = self.circuit
        self.program = np.full(len(circuit), -1, dtype=np.int64)
        self.operands = circuit.operands.copy()
        for row in range(len(circuit)):
            self._visit(row)
        if (self.program < 0).all():
            return circuit
        return expand(replace(circuit, operands=self.operands), self.program, _RULES)

    def _visit(self, row: int) -> None:
        circuit = self.circuit
        plain = circuit.extra[row] < 0
        if plain and NUM_QUBITS[circuit.op[row]] == 1:
            self.since.setdefault(int(circuit.operands[row, 0]), []).append(row)
            return
        if plain and NUM_QUBITS[circuit.op[row]] == 2 and self._absorb(row):
            return
        for wire in self._wires(row):
            self.last[wire] = row
            self.since[wire] = []

    def _wires(self, row: int) -> Iterator[int]:
        return (int(w) for w in self.circuit.wires[row] if w >= 0)

    def _absorb(self, row: int) -> bool:
        """Try to join this row with the entangling row before it; True if this row is gone."""
        op = self.circuit.op
        a, b = (int(q) for q in self.circuit.operands[row])
        before = self.last.get(a, -1)
        if before < 0 or before != self.last.get(b, -1) or self.program[before] != -1:
            return False
        if self.circuit.extra[before] >= 0 or {a, b} != {int(w) for w in self._wires(before)}:
            return False
        if op[row] == SWAP and op[before] in (CZ, _CX):
            self.program[row] = _DROP
            self.program[before] = _CZ_SWAP if op[before] == CZ else _CX_SWAP
        elif op[before] == SWAP and op[row] in (CZ, _CX):
            self.program[before] = _DROP
            self.program[row] = _CZ_SWAP if op[row] == CZ else _SWAP_CX
        else:
            return False
        for wire, other in ((a, b), (b, a)):
            self.operands[self.since.get(wire, []), 0] = other
        if op[row] != SWAP:
            return False
        self.since[a], self.since[b] = self.since.get(b, []), self.since.get(a, [])
        return True
