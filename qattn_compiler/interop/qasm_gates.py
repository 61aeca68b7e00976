"""OpenQASM's controlled U gates by their definition; Cirq's parser loses a sign or refuses them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import cirq
import numpy as np
from cirq.circuits.qasm_output import QasmUGate
from cirq.contrib.qasm_import._parser import QasmGateStatement, QasmParser


def parser() -> QasmParser:
    """Cirq's parser, with `cu3` and `cu` of `qelib1.inc`, and powers as floats."""
    made = QasmParser()
    made.binary_operators["^"] = _power
    made.qelib_gates = made.qelib_gates | {"cu3": _ControlledU("cu3", 3), "cu": _ControlledU("cu", 4)}
    return made


def _power(base: Any, exponent: Any) -> Any:
    """Of floats: whole numbers such as 9^9^9^9 would be worked out to the last digit."""
    return float(base) ** float(exponent)


class _ControlledU(QasmGateStatement):
    """cu3(theta, phi, lambda), and cu(theta, phi, lambda, gamma), which has the phase gamma besides.

    Cirq takes theta modulo 2 pi. U3 changes its sign there, which is a phase of the control; and it knows no
    fourth angle. (OpenQASM 2, arXiv:1707.03429, section 3.2; `qelib1.inc`.)
    """

    def __init__(self, name: str, num_params: int) -> None:
        super().__init__(name, lambda _: cirq.CZ, num_params, 2)

    def on(self, params: list[Any], args: list[list[cirq.Qid]], lineno: int) -> Iterable[cirq.Operation]:
        self._validate_params(params, lineno)
        theta, phi, lam, *gamma = (angle / np.pi for angle in params)
        gates = _numeric(theta, phi, lam) if _is_number(theta) else _symbolic(theta, phi, lam)
        gates += [cirq.Z**angle for angle in gamma if not (_is_number(angle) and angle % 2 == 0)]
        self._validate_args(args, lineno)
        for gate in gates:
            kind, width = (args, 2) if isinstance(gate, cirq.ControlledGate) else (args[:1], 1)
            yield from QasmGateStatement(self.qasm_gate, gate, 0, width).on([], kind, lineno)


def _is_number(angle: Any) -> bool:
    return not cirq.is_parameterized(angle)


def _numeric(theta: Any, phi: Any, lam: Any) -> list[cirq.Gate]:
    """One controlled U3 of 0 <= theta < 2, by U3(-theta, phi, lambda) = U3(theta, phi + 1, lambda + 1)."""
    theta = (theta + 2) % 4 - 2
    turn = int(theta < 0)
    if theta == -2:  # U3(2 pi, ...) = -U3(0, ...)
        return [cirq.ControlledGate(QasmUGate(0, phi, lam)), cirq.Z]
    return [cirq.ControlledGate(QasmUGate(abs(theta), phi + turn, lam + turn))]


def _symbolic(theta: Any, phi: Any, lam: Any) -> list[cirq.Gate]:
    """U3 = e^{i (phi + lambda) / 2} RZ(phi) RY(theta) RZ(lambda), each controlled."""
    turns: Sequence[cirq.Gate] = (cirq.rz(lam * np.pi), cirq.ry(theta * np.pi), cirq.rz(phi * np.pi))
    return [*map(cirq.ControlledGate, turns), cirq.Z ** ((phi + lam) / 2)]
