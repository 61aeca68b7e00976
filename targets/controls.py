"""Operations that depend on measurements, in gates that a machine has."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import cirq
import numpy as np

from qattn_compiler.circuit.gates import OPAQUE
from qattn_compiler.errors import VerificationError
from qattn_compiler.interop.cirq_read import read
from qattn_compiler.targets.target import Target

WIDEST: Final = 5
"""Gates on more qubits stay as they are."""
SAME: Final = 1e-7
"""Allowed entry of the difference of unitaries, up to global phase."""
POINTS: Final = 2
"""Gates with symbols are compared at so many random values of these."""

Parts = tuple[tuple[cirq.Gate, tuple[int, ...]], ...]
"""Gates, and the positions of their qubits."""


def native_controls(circuit: cirq.Circuit, machine: Target, level: int) -> tuple[cirq.Circuit, int]:
    """The circuit with each classically controlled gate that the machine lacks as several that it has, each
    under the same conditions.

    A gate and what stands for it are compared as matrices. Where the machine has no operations with
    conditions, gates on one and two qubits stay as they are, so that its refusal names what was given.

    Args:
        circuit: without nested circuits.
        machine: the target.
        level: optimization level.

    Returns:
        the circuit, and how many operations were taken apart.

    Raises:
        VerificationError: a gate is not what stands for it (a bug).
    """
    opener, out, taken = _Opener(machine, level), [], 0
    for operation in circuit.all_operations():
        parts = opener.parts(operation) if _is_conditional(operation) else None
        taken += parts is not None
        out.append([operation] if parts is None else parts)
    return (cirq.Circuit(out), taken) if taken else (circuit, 0)


def _is_conditional(operation: cirq.Operation) -> bool:
    """Whether it is a plain gate under conditions."""
    if not operation.classical_controls:
        return False
    return operation.without_classical_controls().gate is not None


@dataclass(frozen=True, eq=False)
class _Opener:
    """Takes gates apart for a machine, equal ones once."""

    machine: Target
    level: int
    known: dict[Any, Parts | None] = field(default_factory=dict)

    def parts(self, operation: cirq.Operation) -> list[cirq.Operation] | None:
        """What stands for an operation, or None if it stays."""
        inner = operation.without_classical_controls().untagged
        found = self._known_parts(inner.gate)
        if found is None:
            return None
        tags = operation.tags if len(found) == 1 else ()
        conditions = operation.classical_controls
        return [
            part.on(*(inner.qubits[k] for k in places)).with_classical_controls(*conditions).with_tags(*tags)
            for part, places in found
        ]

    def _known_parts(self, gate: Any) -> Parts | None:
        if not isinstance(gate, Hashable):
            return self._parts(gate)
        if gate not in self.known:
            self.known[gate] = self._parts(gate)
        return self.known[gate]

    def _parts(self, gate: Any) -> Parts | None:
        width = cirq.num_qubits(gate)
        qubits: list[cirq.Qid] = [*cirq.LineQubit.range(width)]
        if not 0 < width <= WIDEST or self._accepts(gate) or (width == 2 and self.machine.device.one_way):
            return None
        if not cirq.is_parameterized(gate) and not cirq.has_unitary(gate):
            return None
        given = read(cirq.Circuit(gate.on(*qubits)))
        if OPAQUE in given.op:
            return None
        native = self.machine.physical_passes(self.level).run(given)
        out = self.machine.to_cirq(native)
        parts = tuple(
            (op.gate, tuple(qubits.index(q) for q in op.qubits))
            for op in out.all_operations()
            if op.gate is not None
        )
        if width <= 2 and not all(self._accepts(part) for part, _ in parts):
            return None
        _check(gate, parts, qubits)
        return parts

    def _accepts(self, gate: cirq.Gate) -> bool:
        """Whether the machine runs the gate under a condition."""
        device, machine = self.machine.device, self.machine.cirq_device
        width = cirq.num_qubits(gate)
        if width > 2 or (width == 2 and not len(device.edges)):
            return False
        spots = [0] if width == 1 else device.edges[0].tolist()
        labels: Any = device.qubits
        operation = gate.on(*(labels[k] for k in spots)).with_classical_controls("condition")
        try:
            machine.validate_operation(operation)
        except ValueError:
            return False
        return True


def _check(gate: cirq.Gate, parts: Parts, qubits: Sequence[cirq.Qid]) -> None:
    """Raise VerificationError unless the parts make the gate, up to global phase."""
    import sympy

    given = cirq.Circuit(gate.on(*qubits))
    made = cirq.Circuit(part.on(*(qubits[k] for k in places)) for part, places in parts)
    # Cirq 1.7 forgets the names in a PhasedFSimGate.
    names = sorted(cirq.parameter_names(given) | cirq.parameter_names(made))
    rng = np.random.default_rng(0)
    for _ in range(POINTS if names else 1):
        values = {sympy.Symbol(name): float(rng.uniform(-1, 1)) for name in names or ("none",)}
        one, two = (cirq.resolve_parameters(c, values).unitary(qubit_order=qubits) for c in (given, made))
        overlap = np.vdot(two, one)
        off = float(np.abs(one - overlap / max(abs(overlap), 1e-12) * two).max())
        if off > SAME:
            raise VerificationError(
                f"{gate} under a condition became gates that differ from it by {off:.3g}",
                hint="this is a bug; please report it",
            )
