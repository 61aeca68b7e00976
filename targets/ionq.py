"""IonQ's machines: all-to-all; quarter and half turns about X, virtual Z, and XX or ZZ by any angle.

Circuits are compiled in gates of core Cirq that IonQ's interface takes as they are (`X**0.5`, `X`, `Z**t`,
`XX**t`, `ZZ**t`), one for one what the ions do. `to_native` writes them as GPI, GPI2, MS and ZZ, with the
turns about Z taken into the phases of the pulses; `to_json` is what IonQ's interface is sent. Both need
cirq-ionq (the extra `ionq`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from typing import Any

import cirq

from qattn_compiler.errors import TargetError
from qattn_compiler.targets.files import packaged
from qattn_compiler.targets.machine import without_tags
from qattn_compiler.targets.target import Target

_SAME = 1e-9
"""Turns up to here are none."""


def aria(gate: str | None = None) -> Target:
    """`ionq.aria`: 25 ions, Mølmer-Sørensen gates."""
    return _judged(packaged("ionq.aria", gate))


def forte(gate: str | None = None) -> Target:
    """`ionq.forte`: 36 ions, ZZ gates."""
    return _judged(packaged("ionq.forte", gate))


def _judged(target: Target) -> Target:
    """With cirq-ionq's device as the judge where it is installed, else our own."""
    target = replace(target, arrange=without_tags)
    try:
        vendor = import_module("cirq_ionq")
    except ImportError:
        return target
    return replace(target, cirq_device=vendor.IonQAPIDevice(target.device.num_qubits))


def to_native(circuit: cirq.AbstractCircuit) -> cirq.Circuit:
    """A circuit compiled for `ionq.aria` or `ionq.forte`, in GPI, GPI2, MS and ZZ gates.

    It is the same up to global phase, but for turns about Z right before a measurement, which do nothing.

    Args:
        circuit: without symbols (IonQ's native gates have none).

    Raises:
        TargetError: an operation is not one of the machine's, or cirq-ionq is not installed.
    """
    writer = _Writer(_cirq_ionq())
    operations = [op for operation in circuit.all_operations() for op in writer.written(operation)]
    return cirq.Circuit([*operations, *writer.last()])


def to_json(circuit: cirq.AbstractCircuit) -> str:
    """The JSON of a compiled circuit in native gates, as cirq-ionq's serialiser writes it.

    Raises:
        TargetError: as `to_native`; or it is no circuit for the interface (measurements must be at the end).
    """
    vendor = _cirq_ionq()
    native = to_native(circuit)
    try:
        program = vendor.Serializer().serialize_single_circuit(native)
    except ValueError as error:
        raise TargetError(f"IonQ's interface refuses the circuit: {error}") from error
    return json.dumps({"input": program.input, "metadata": program.metadata})


def _cirq_ionq() -> Any:
    try:
        return import_module("cirq_ionq")
    except ImportError as error:
        raise TargetError(
            "IonQ's native gates are in cirq-ionq, which is not installed",
            hint='pip install "qattn-compiler[ionq]"',
        ) from error


class _Writer:
    """Writes operations one by one and remembers the turn about Z that each qubit is behind."""

    def __init__(self, vendor: Any) -> None:
        self.vendor = vendor
        self.frame: dict[cirq.Qid, float] = {}
        self.measured: set[cirq.Qid] = set()

    def written(self, operation: cirq.Operation) -> Iterator[cirq.Operation]:
        """The native operations of one compiled operation.

        Raises:
            TargetError: it is none of the machine's, or holds a symbol.
        """
        gate, qubits = operation.gate, operation.qubits
        if gate is None or cirq.is_parameterized(gate):
            raise TargetError(
                f"{operation} has no native form on IonQ's machines: it is no number or no gate"
            )
        if isinstance(gate, cirq.MeasurementGate):
            self.measured.update(qubits)
            yield operation.untagged
            return
        self.measured.difference_update(qubits)
        phases = [-self.frame.get(q, 0.0) for q in qubits]
        if isinstance(gate, cirq.ZPowGate):
            self.frame[qubits[0]] = (self.frame.get(qubits[0], 0.0) + float(gate.exponent) / 2) % 1.0
        elif isinstance(gate, cirq.XPowGate) and gate.exponent in (0.5, -0.5, 1):
            turned = phases[0] + (0.5 if gate.exponent < 0 else 0.0)
            kind = self.vendor.GPIGate if gate.exponent == 1 else self.vendor.GPI2Gate
            yield kind(phi=turned % 1.0).on(*qubits)
        elif isinstance(gate, cirq.XXPowGate):
            theta = _turns(gate.exponent)
            first = phases[0] + (0.5 if theta < 0 else 0.0)
            yield self.vendor.MSGate(phi0=first % 1.0, phi1=phases[1] % 1.0, theta=abs(theta)).on(*qubits)
        elif isinstance(gate, cirq.ZZPowGate):
            yield self.vendor.ZZGate(theta=_turns(gate.exponent)).on(*qubits)
        else:
            raise TargetError(f"{operation} has no native form on IonQ's machines; compile for them first")

    def last(self) -> Iterator[cirq.Operation]:
        """The turns that are left on qubits that are not measured, by two half turns each."""
        for qubit, turn in self.frame.items():
            if qubit in self.measured or min(turn, 1 - turn) < _SAME:
                continue
            yield self.vendor.GPIGate(phi=0.0).on(qubit)
            yield self.vendor.GPIGate(phi=turn / 2).on(qubit)


def _turns(exponent: Any) -> float:
    """Half turns of a rotation about XX or ZZ as MS and ZZ count them, from -1/2 to 1/2."""
    theta = float(exponent) / 2
    return theta - round(theta)
