"""A Cirq device of our own for machines that have none, and how native circuits are written for Cirq."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import pi
from typing import Any

import cirq

from qattn_compiler.device import Device

_ENTANGLERS: dict[str, Any] = {
    "cz": cirq.CZ,
    "cx": cirq.CX,
    "iswap": cirq.ISWAP,
    "siswap": cirq.SQRT_ISWAP,
    "siswapdg": cirq.SQRT_ISWAP_INV,
    "syc": cirq.FSimGate(pi / 2, pi / 6),
    "zz": cirq.ZZ**0.5,
    "ms": cirq.XX**0.5,
    "rzz": cirq.ZZPowGate,
    "rxx": cirq.XXPowGate,
    "cphase": cirq.CZPowGate,
}
"""Name of an entangler -> what Cirq's gatesets call it."""

_BASES: dict[str, tuple[Any, ...]] = {
    "phased_xz": (
        cirq.PhasedXZGate,
        cirq.PhasedXPowGate,
        cirq.XPowGate,
        cirq.YPowGate,
        cirq.ZPowGate,
        cirq.H,
    ),
    "prx_rz": (cirq.PhasedXPowGate, cirq.XPowGate, cirq.YPowGate, cirq.ZPowGate),
    "zsx": (cirq.ZPowGate, cirq.X, cirq.X**0.5, cirq.X**-0.5),
    "prx": (cirq.PhasedXPowGate, cirq.XPowGate, cirq.YPowGate),
}

_SAME = 1e-9
"""Exponents this far out of range are rounding errors."""

EQUATORIAL = ("prx", "prx_rz")
"""Bases whose pulses Cirq calls `PhasedXPowGate`."""


def families(entanglers: Sequence[str], basis: str) -> tuple[Any, ...]:
    """What a Cirq gateset accepts of these native gates: gate types and gates up to their phase."""
    accepted = [*_BASES[basis], *(_ENTANGLERS[name] for name in entanglers), cirq.MeasurementGate]
    return tuple(
        item if isinstance(item, type) else cirq.GateFamily(item, ignore_global_phase=True)
        for item in accepted
    )


@cirq.value_equality
class MachineDevice(cirq.Device):
    """A machine by its qubits, couplings and gates.

    Args:
        qubits: in the order of the machine.
        couplings: pairs of qubits.
        entanglers: names of native two-qubit gates.
        basis: the single-qubit basis, a name of `passes.circuit.native_single_qubit.BASES`.
        resets: whether a qubit can be reset.
        controls: whether operations can depend on earlier measurements.
        one_way: (from, to) of couplings that two-qubit gates cannot go the other way.
        highest: entangler -> its largest angle in radians, where not all are there; the least is then 0.
    """

    def __init__(
        self,
        qubits: Sequence[cirq.Qid],
        couplings: Sequence[tuple[cirq.Qid, cirq.Qid]],
        entanglers: Sequence[str],
        basis: str,
        resets: bool = True,
        controls: bool = True,
        highest: Mapping[str, float] | None = None,
        one_way: Iterable[Sequence[cirq.Qid]] = (),
    ) -> None:
        import networkx as nx

        self.qubits, self.couplings = tuple(qubits), tuple((a, b) for a, b in couplings)
        self.entanglers, self.basis = tuple(entanglers), basis
        self.resets, self.controls, self.highest = resets, controls, dict(highest or {})
        self.one_way = tuple(sorted((a, b) for a, b in one_way))
        graph = nx.Graph()
        graph.add_nodes_from(self.qubits)
        graph.add_edges_from(self.couplings)
        extra = (cirq.ResetChannel,) if resets else ()
        self.gateset = cirq.Gateset(*families(entanglers, basis), *extra)
        # What is equal to one of these is native; asking the gateset takes twenty times longer.
        self._known = {f.gate for f in self.gateset.gates if isinstance(f.gate, cirq.Gate)}
        self._types = {type(gate) for gate in self._known}
        self._classes = {f.gate for f in self.gateset.gates if type(f) is cirq.GateFamily} - self._known
        self._pairs = {frozenset(pair) for pair in self.couplings}
        self._metadata = cirq.DeviceMetadata(self.qubits, graph)

    @staticmethod
    def of(device: Device, entanglers: Sequence[str], basis: str, **more: Any) -> MachineDevice:
        """The Cirq device of plain data whose labels are Cirq qubits."""
        labels: tuple[Any, ...] = device.qubits
        pairs = [(labels[a], labels[b]) for a, b in device.edges.tolist()]
        one_way = [(labels[a], labels[b]) for a, b in device.one_way]
        return MachineDevice(labels, pairs, entanglers, basis, one_way=one_way, **more)

    @property
    def metadata(self) -> cirq.DeviceMetadata:
        """Qubits and the coupling graph."""
        return self._metadata

    def validate_moment(self, moment: cirq.Moment) -> None:
        """Raise ValueError unless the machine runs all operations of the moment."""
        qubits, classes = self._metadata.qubit_set, self._classes
        for operation in moment.operations:
            # A plain pulse on one qubit is what most operations are: it takes no longer look.
            plain = type(operation) is cirq.GateOperation and type(operation.gate) in classes
            if not plain or len(operation.qubits) > 1 or operation.qubits[0] not in qubits:
                self.validate_operation(operation)

    def validate_operation(self, operation: cirq.Operation) -> None:
        """Raise ValueError unless the machine runs the operation."""
        for qubit in operation.qubits:
            if qubit not in self._metadata.qubit_set:
                raise ValueError(f"{qubit!r} is not a qubit of the machine")
        bare = operation.untagged
        if type(bare) is not cirq.GateOperation and cirq.control_keys(bare):
            if not self.controls:
                raise ValueError(f"{operation} depends on a measurement; the machine has no such operations")
            bare = bare.without_classical_controls().untagged
        kind = type(bare.gate)
        known = kind in self._classes or (kind in self._types and bare.gate in self._known)
        if not known and bare not in self.gateset:
            raise ValueError(f"{operation} is not native; the machine has {', '.join(self._gates())}")
        if len(bare.qubits) < 2 or isinstance(bare.gate, cirq.MeasurementGate):
            return
        if any(isinstance(bare.gate, _ENTANGLERS[name]) for name in self.highest):
            self._check_angle(bare)
        if frozenset(bare.qubits) not in self._pairs:
            raise ValueError(f"{bare.qubits[0]!r} and {bare.qubits[1]!r} are not coupled")
        if bare.qubits[::-1] in self.one_way and not isinstance(bare.gate, cirq.InterchangeableQubitsGate):
            raise ValueError(f"{bare} stands against a coupling that goes one way only")

    def _check_angle(self, operation: cirq.Operation) -> None:
        exponent = getattr(operation.gate, "exponent", 0.0)
        most = min(self.highest.values()) / pi
        if cirq.is_parameterized(operation) or not -_SAME < exponent < most + _SAME:
            raise ValueError(f"{operation} is not native; exponents from 0 to {most:g} are")

    def _gates(self) -> list[str]:
        return sorted(str(getattr(family.gate, "__name__", family.gate)) for family in self.gateset.gates)

    def _value_equality_values_(self) -> Any:
        *values, highest, one_way = self._arguments()
        return (*values, tuple(sorted(highest.items())), one_way)

    def _arguments(self) -> tuple[Any, ...]:
        values = (self.qubits, self.couplings, self.entanglers, self.basis, self.resets, self.controls)
        return (*values, self.highest, self.one_way)

    def __repr__(self) -> str:
        values = ", ".join(map(repr, self._arguments()))
        return f"qattn_compiler.targets.machine.MachineDevice({values})"

    def _json_dict_(self) -> dict[str, Any]:
        names = ("qubits", "couplings", "entanglers", "basis", "resets", "controls", "highest", "one_way")
        return cirq.obj_to_dict_helper(self, names)

    @classmethod
    def _json_namespace_(cls) -> str:
        return "qattn_compiler"

    @classmethod
    def _from_json_dict_(
        cls,
        qubits: Sequence[cirq.Qid],
        couplings: Sequence[Sequence[cirq.Qid]],
        entanglers: Sequence[str],
        basis: str,
        resets: bool,
        controls: bool,
        highest: Mapping[str, float],
        one_way: Sequence[Sequence[cirq.Qid]],
        **_: Any,
    ) -> MachineDevice:
        pairs = [(a, b) for a, b in couplings]
        return cls(qubits, pairs, entanglers, basis, resets, controls, highest, one_way)


def as_phased_x(circuit: cirq.Circuit) -> cirq.Circuit:
    """The same circuit, but for global phase, with every pulse about an axis of the equator as
    `PhasedXPowGate`."""

    def rewritten(operation: cirq.Operation) -> cirq.Operation:
        gate = operation.gate
        pulse = None if gate is None else _phased_x(gate)
        return operation if pulse is None else pulse.on(*operation.qubits).with_tags(*operation.tags)

    return mapped(circuit, rewritten)


def mapped(circuit: cirq.Circuit, rewrite: Callable[[cirq.Operation], cirq.Operation]) -> cirq.Circuit:
    """The circuit with each operation rewritten in its place."""
    return cirq.Circuit.from_moments(
        *(cirq.Moment.from_ops(*map(rewrite, moment.operations)) for moment in circuit.moments)
    )


def _phased_x(gate: cirq.Gate) -> cirq.PhasedXPowGate | None:
    if isinstance(gate, cirq.PhasedXZGate) and gate.z_exponent == 0:
        return cirq.PhasedXPowGate(exponent=gate.x_exponent, phase_exponent=gate.axis_phase_exponent)
    if isinstance(gate, cirq.XPowGate):
        return cirq.PhasedXPowGate(exponent=gate.exponent, phase_exponent=0.0)
    if isinstance(gate, cirq.YPowGate):
        return cirq.PhasedXPowGate(exponent=gate.exponent, phase_exponent=0.5)
    return None


def as_phased_xz(circuit: cirq.Circuit) -> cirq.Circuit:
    """The same circuit, but for global phase, with every turn about X, Y or Z as `PhasedXZGate`."""

    def rewritten(operation: cirq.Operation) -> cirq.Operation:
        gate = operation.gate
        if isinstance(gate, cirq.ZPowGate):
            angles = {"x_exponent": 0.0, "z_exponent": gate.exponent, "axis_phase_exponent": 0.0}
        elif isinstance(gate, (cirq.XPowGate, cirq.YPowGate)):
            axis = 0.0 if isinstance(gate, cirq.XPowGate) else 0.5
            angles = {"x_exponent": gate.exponent, "z_exponent": 0.0, "axis_phase_exponent": axis}
        else:
            return operation
        return cirq.PhasedXZGate(**angles).on(*operation.qubits).with_tags(*operation.tags)

    return mapped(circuit, rewritten)


def without_tags(circuit: cirq.Circuit) -> cirq.Circuit:
    """The same circuit without tags: some vendors' validators refuse them."""
    return mapped(circuit, lambda operation: operation.untagged)


def one_by_one(circuit: cirq.Circuit) -> cirq.Circuit:
    """The same circuit with each operation in a moment of its own, final measurements together at the end."""
    operations = list(circuit.all_operations())
    last = len(operations)
    measured: set[cirq.Qid] = set()
    later: list[cirq.Operation] = []
    for operation in reversed(operations):
        final = cirq.is_measurement(operation) and measured.isdisjoint(operation.qubits)
        if final and isinstance(operation.gate, cirq.MeasurementGate):
            later.append(operation)
        else:
            measured.update(operation.qubits)
    held = {id(operation) for operation in later}
    moments = [[op] for op in operations[:last] if id(op) not in held]
    if later:
        moments.append(later[::-1])
    return cirq.Circuit.from_moments(*(cirq.Moment.from_ops(*moment) for moment in moments))


def _class_of(cirq_type: str) -> Any:
    """Cirq's JSON resolver for the classes of this folder."""
    from qattn_compiler.targets.gateset import NativeGateset

    return {"MachineDevice": MachineDevice, "NativeGateset": NativeGateset}.get(
        cirq_type.removeprefix("qattn_compiler.") if cirq_type.startswith("qattn_compiler.") else ""
    )


cirq.DEFAULT_RESOLVERS.append(_class_of)
