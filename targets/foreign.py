"""Machines from what others describe: Cirq devices and gatesets, Qiskit targets and backends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from math import pi
from types import MappingProxyType
from typing import Any

import cirq
import numpy as np
from numpy.typing import NDArray

from qattn_compiler.errors import TargetError
from qattn_compiler.interop.cirq_graph import is_directed, nodes_and_pairs, qubit_of
from qattn_compiler.targets import shapes
from qattn_compiler.targets.machine import as_phased_xz
from qattn_compiler.targets.target import Target

_ODD = 0.2937
"""A number of half turns that no gateset accepts by chance."""

_ENTANGLERS: dict[str, tuple[Any, ...]] = {
    "cphase": (cirq.CZ**_ODD,),
    "rzz": (cirq.ZZ**_ODD,),
    "rxx": (cirq.XX**_ODD,),
    "cz": (cirq.CZ,),
    "siswap": (cirq.SQRT_ISWAP,),
    "iswap": (cirq.ISWAP,),
    "cx": (cirq.CX,),
    "syc": (cirq.FSimGate(pi / 2, pi / 6),),
    "zz": (cirq.ZZ**0.5,),
    "ms": (cirq.XX**0.5,),
}
"""Entangler -> gates that a gateset must accept for it; the best first."""

_BASES: dict[str, tuple[Any, ...]] = {
    "phased_xz": (cirq.PhasedXZGate(x_exponent=_ODD, z_exponent=0.1, axis_phase_exponent=0.2),),
    "prx_rz": (cirq.PhasedXPowGate(exponent=_ODD, phase_exponent=0.1), cirq.Z**_ODD),
    "zsx": (cirq.X**0.5, cirq.X, cirq.Z**_ODD),
    "prx": (cirq.PhasedXPowGate(exponent=_ODD, phase_exponent=0.1),),
}
"""Single-qubit basis -> gates that a gateset must accept for it; the best first."""


class GatesetDevice(cirq.Device):
    """A judge made of a gateset and a coupling graph.

    Args:
        gateset: what is native.
        qubits, pairs: the machine's, pairs of qubits.
    """

    def __init__(
        self, gateset: cirq.Gateset, qubits: Iterable[cirq.Qid], pairs: Iterable[tuple[cirq.Qid, cirq.Qid]]
    ) -> None:
        import networkx as nx

        self.gateset = gateset
        graph = nx.Graph()
        graph.add_nodes_from(qubits)
        graph.add_edges_from(pairs)
        self._metadata = cirq.DeviceMetadata(list(graph.nodes), graph)

    @property
    def metadata(self) -> cirq.DeviceMetadata:
        """Qubits and the coupling graph."""
        return self._metadata

    def validate_operation(self, operation: cirq.Operation) -> None:
        """Raise ValueError unless the gateset has the operation and its qubits are coupled."""
        missing = [q for q in operation.qubits if q not in self._metadata.qubit_set]
        if missing:
            raise ValueError(f"{missing[0]!r} is not a qubit of the machine")
        if operation not in self.gateset and not cirq.is_measurement(operation):
            raise ValueError(f"{operation} is not in {self.gateset}")
        pair = len(operation.qubits) == 2 and not cirq.is_measurement(operation)
        if pair and not self._metadata.nx_graph.has_edge(*operation.qubits):
            raise ValueError(f"{operation.qubits[0]!r} and {operation.qubits[1]!r} are not coupled")


def from_cirq_device(
    device: Any, *, name: str | None = None, entangler: str | None = None, basis: str | None = None
) -> Target:
    """A machine from any `cirq.Device`; its own `validate_circuit` judges the results.

    The coupling graph may be a `networkx` graph, directed or not, or a list of pairs. What two-qubit and
    single-qubit gates are made of is found out by asking the device's gateset.

    Args:
        device: has `metadata`.
        name: what it is called; the name of its class if None.
        entangler: a name of `synth.entanglers.ENTANGLERS`, if the gateset does not say.
        basis: a name of `passes.circuit.native_single_qubit.BASES`, if the gateset does not say.

    Raises:
        TargetError: it has no coupling graph or no gateset, or no gate from which all can be made.
    """
    name = name or type(device).__name__
    metadata = getattr(device, "metadata", None)
    if metadata is None:
        raise TargetError(
            f"{name} has no metadata, so that its couplings are unknown",
            hint="say them: Target.from_graph(graph)",
        )
    pairs = getattr(metadata, "qubit_pairs", None)
    graph = getattr(metadata, "nx_graph", None) if pairs is None else [tuple(pair) for pair in pairs]
    if graph is None:
        raise TargetError(f"{name} has no coupling graph", hint="say it: Target.from_graph(graph)")
    if hasattr(graph, "nodes") or graph:
        nodes, edges = nodes_and_pairs(graph, name)
    else:
        nodes, edges = [], []
    qubits = sorted({*nodes, *metadata.qubit_set})
    gateset = getattr(metadata, "gateset", None) or getattr(device, "gateset", None)
    if gateset is None and (entangler is None or basis is None):
        raise TargetError(f"{name} has no gateset", hint="say its gates: entangler=..., basis=...")
    made = _made(name, qubits, edges, gateset, entangler, basis, directed=is_directed(graph))
    return replace(made, cirq_device=device)


def from_gateset(
    gateset: cirq.Gateset,
    graph: Any,
    *,
    name: str = "gateset",
    entangler: str | None = None,
    basis: str | None = None,
) -> Target:
    """A machine from a gateset (`cirq.CZTargetGateset()`, say) and a coupling graph.

    Args:
        gateset: what is native.
        graph: as `shapes.from_graph` takes it.
        name: what it is called.
        entangler: which of the gateset's gates to use; the best if None.
        basis: the same for single-qubit gates.

    Raises:
        TargetError: it is no graph, or there is no gate from which all can be made.
    """
    nodes, edges = nodes_and_pairs(graph, name)
    label = {node: qubit_of(node, name) for node in nodes}
    pairs = [(label[a], label[b]) for a, b in edges]
    qubits = sorted(label.values())
    target = _made(name, qubits, pairs, gateset, entangler, basis, directed=is_directed(graph))
    return replace(target, cirq_device=GatesetDevice(gateset, label.values(), pairs))


def _made(
    name: str,
    qubits: list[Any],
    edges: list[tuple[Any, Any]],
    gateset: cirq.Gateset | None,
    entangler: str | None,
    basis: str | None,
    directed: bool,
) -> Target:
    found = [choice or _first(gateset, table, name) for choice, table in _choices(entangler, basis)]
    index = {q: i for i, q in enumerate(qubits)}
    pairs = [(index[a], index[b]) for a, b in edges]
    options: dict[str, Any] = {"entangler": found[0], "basis": found[1], "directed": directed}
    target = shapes.from_pairs(qubits, pairs, name=name, **options)
    only_xz = found[1] == "phased_xz" and gateset is not None and not _accepts(gateset, cirq.X**_ODD)
    return replace(target, arrange=as_phased_xz) if only_xz else target


def _choices(
    entangler: str | None, basis: str | None
) -> tuple[tuple[str | None, dict[str, tuple[Any, ...]]], ...]:
    return (entangler, _ENTANGLERS), (basis, _BASES)


def _first(gateset: cirq.Gateset | None, table: Mapping[str, tuple[Any, ...]], name: str) -> str:
    """The first entry all of whose gates the gateset accepts."""
    for choice, gates in table.items():
        if gateset is not None and all(_accepts(gateset, gate) for gate in gates):
            return choice
    kind = "two-qubit" if table is _ENTANGLERS else "single-qubit"
    raise TargetError(
        f"{name} has no {kind} gates that we can make all others from; {', '.join(table)} are known"
    )


def _accepts(gateset: cirq.Gateset, gate: cirq.Gate) -> bool:
    return gate.on(*cirq.LineQubit.range(cirq.num_qubits(gate))) in gateset


# -- Qiskit

_QISKIT_ENTANGLERS = {"rzz": "rzz", "rxx": "rxx", "cp": "cphase", "cz": "cz", "ecr": "cx", "cx": "cx"}
_QISKIT_ENTANGLERS |= {"iswap": "iswap"}
"""Qiskit's name -> entangler, the best first ("ecr" is CX up to single-qubit gates)."""

_QISKIT_BASES = (
    (frozenset({"r", "rz"}), "prx_rz"),
    (frozenset({"sx", "rz"}), "zsx"),
    (frozenset({"rx", "rz"}), "zsx"),
    (frozenset({"u"}), "phased_xz"),
    (frozenset({"u3"}), "phased_xz"),
    (frozenset({"r"}), "prx"),
)
"""Qiskit's single-qubit gates -> basis, the best first."""

_PAULI = {1: 3 / 2, 2: 5 / 4}
"""Qubits of a gate -> Pauli error by average gate infidelity, (d + 1) / d."""

_NANO = 1e9
"""Nanoseconds in a second."""


def from_qiskit(machine: Any, *, name: str | None = None, entangler: str | None = None) -> Target:
    """A machine from a Qiskit `Target` or `BackendV2`: couplings, gates, errors, durations, T1.

    Qubit i is `cirq.LineQubit(i)`. Qiskit itself is not imported.

    Args:
        machine: what Qiskit's transpiler takes as `target` or `backend`.
        name: what it is called; the machine's own name if None.
        entangler: which of its two-qubit gates to use, by our name; the best if None.

    Raises:
        TargetError: it is no such object, or has no gates from which all can be made.
    """
    inner = getattr(machine, "target", machine)
    name = name or str(getattr(machine, "name", None) or "qiskit")
    try:
        operations, count = set(inner.operation_names), int(inner.num_qubits)
    except (AttributeError, TypeError) as error:
        raise TargetError(f"{name} is no Qiskit Target or BackendV2: {error}") from error
    known = {ours: theirs for theirs, ours in _QISKIT_ENTANGLERS.items() if theirs in operations}
    ours = entangler or next((g for g in _QISKIT_ENTANGLERS.values() if g in known), None)
    basis = next((basis for gates, basis in _QISKIT_BASES if gates <= operations), None)
    if ours not in known or basis is None:
        raise TargetError(f"{name}: we cannot make all gates from {', '.join(sorted(operations))}")
    pairs = inner.qargs_for_operation_name(known[ours])
    edges = sorted({(min(p), max(p)) for p in (pairs or _all_pairs(count))})
    entries = {operation: inner[operation] or {} for operation in operations}
    qubits = cirq.LineQubit.range(count)
    pulse = next(gate for gate in ("sx", "r", "rx", "u", "u3") if gate in operations)
    single = _rates(entries[pulse], [(q,) for q in range(count)], "error") * _PAULI[1]
    readout = _rates(entries.get("measure", {}), [(q,) for q in range(count)], "error")
    times = _durations(entries, {"measure": "measure", "reset": "reset"})
    times |= dict.fromkeys(("sx", "x", "rx", "ry", "phased_xz"), _durations(entries, {pulse: "it"}).get("it"))
    return shapes.from_pairs(
        qubits,
        edges,
        name=name,
        entangler=ours,
        basis=basis,
        edge_error=_rates(entries[known[ours]], edges, "error") * _PAULI[2],
        qubit_error=single,
        readout_error=np.stack([readout, readout], axis=1),
        t1=_t1(inner, count),
        durations=MappingProxyType({gate: time for gate, time in times.items() if time is not None}),
        source=f"Qiskit target {name}",
    )


def _all_pairs(count: int) -> list[tuple[int, int]]:
    return [(a, b) for a in range(count) for b in range(a + 1, count)]


def _rates(entries: Mapping[Any, Any], places: list[Any], attribute: str) -> NDArray[np.float64]:
    """An attribute of Qiskit's instruction properties at these qubits, in either order; NaN where unknown."""
    out = np.full(len(places), np.nan)
    for i, place in enumerate(places):
        found = [getattr(entries.get(key), attribute, None) for key in (place, place[::-1])]
        out[i] = next((float(value) for value in found if value is not None), np.nan)
    return out


def _durations(entries: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, float | None]:
    """Median nanoseconds by our name; None where unknown."""
    out: dict[str, float | None] = {}
    for theirs, ours in names.items():
        seconds = [getattr(p, "duration", None) for p in (entries.get(theirs) or {}).values()]
        known = [float(s) * _NANO for s in seconds if s is not None]
        out[ours] = float(np.median(known)) if known else None
    return out


def _t1(inner: Any, count: int) -> NDArray[np.float64]:
    properties = getattr(inner, "qubit_properties", None) or [None] * count
    seconds = [getattr(p, "t1", None) for p in properties]
    return np.array([np.nan if s is None else float(s) * _NANO for s in seconds])
