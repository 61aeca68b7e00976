"""Routing with the face of `cirq.RouteCQC`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeAlias

import cirq
import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit.gates import BY_NAME, NUM_QUBITS
from qattn_compiler.circuit.layout import Routed
from qattn_compiler.circuit.table import Circuit, Extra
from qattn_compiler.device import Device
from qattn_compiler.errors import PassError
from qattn_compiler.interop.cirq_io import from_cirq, to_cirq

_SWAP = BY_NAME["swap"].code
_OWN = ("qattn_compiler.own_swap",)
"""Marks the SWAPs of the input while the router inserts others."""

AbstractCircuit: TypeAlias = cirq.AbstractCircuit
AbstractInitialMapper: TypeAlias = cirq.AbstractInitialMapper
TransformerContext: TypeAlias = cirq.TransformerContext
Maps: TypeAlias = tuple[cirq.AbstractCircuit, dict[cirq.Qid, cirq.Qid], dict[cirq.Qid, cirq.Qid]]


def route_circuit(
    route: Callable[[Circuit, NDArray[np.int32] | None], Routed],
    orient: Callable[[Circuit], Circuit],
    device: Device,
    circuit: cirq.AbstractCircuit,
    *,
    tag_inserted_swaps: bool = False,
    initial_mapper: cirq.AbstractInitialMapper | None = None,
    context: cirq.TransformerContext | None = None,
) -> Maps:
    """Route a Cirq circuit; arguments and results are those of `cirq.RouteCQC.route_circuit`.

    Args:
        route: (columns, initial layout or None) -> the routed columns.
        orient: turns gates round where edges go one way.
        device: what is routed on.
        circuit: with operations on at most two qubits, but for measurements.
        tag_inserted_swaps: put `cirq.RoutingSwapTag` on SWAPs that were inserted.
        initial_mapper: chooses the initial mapping; the router does if None.
        context: `deep` unrolls nested circuits first.

    Returns:
        the routed circuit; qubit -> where it starts; where a qubit of the machine starts -> where its content
        ends, for all qubits that the circuit uses.

    Raises:
        ValueError: an operation acts on three or more qubits.
        PassError: the mapper leaves out a qubit, or names one that the machine does not have.
        TargetError: the circuit does not fit.
    """
    if context is not None and context.deep:
        circuit = cirq.unroll_circuit_op(circuit, deep=True, tags_to_check=None)
    wide = [op for op in circuit.all_operations() if cirq.num_qubits(op) > 2 and not cirq.is_measurement(op)]
    if wide:
        raise ValueError(f"Input circuit must only have ops that act on 1 or 2 qubits, not {wide[0]}")
    qubits = sorted(circuit.all_qubits())
    columns = from_cirq(circuit, qubits=qubits, split_gates=False)
    columns = replace(_marked(columns), qubits=tuple(range(len(qubits))))
    routed = route(columns, _initial(initial_mapper, circuit, qubits, device))
    inserted = (routed.circuit.op == _SWAP) & (routed.circuit.extra < 0)
    ends = _ends(routed, inserted)
    rows = _unmarked(orient(_tagged(routed.circuit, inserted, tag_inserted_swaps)))
    labels: Any = device.qubits
    out = turned(to_cirq(rows), frozenset((labels[a], labels[b]) for a, b in device.one_way), device.name)
    initial_map = {q: labels[p] for q, p in zip(qubits, routed.initial.tolist(), strict=True)}
    return out, initial_map, {labels[a]: labels[b] for a, b in ends.items()}


def turned(circuit: cirq.Circuit, one_way: frozenset[tuple[Any, Any]], name: str) -> cirq.Circuit:
    """The circuit with operations turned round that are the same either way and stand against an edge.

    Args:
        circuit: on the machine's qubits.
        one_way: (from, to) of couplings that are there one way only.
        name: what messages call the machine.

    Raises:
        PassError: an operation stands against an edge and is not the same either way.
    """
    if not one_way:
        return circuit

    def rewritten(operation: cirq.Operation) -> cirq.Operation:
        a, b = operation.qubits if len(operation.qubits) == 2 else (None, None)
        if (b, a) not in one_way or cirq.is_measurement(operation):
            return operation
        if not isinstance(operation.without_classical_controls().gate, cirq.InterchangeableQubitsGate):
            raise PassError(f"{operation} goes from {a} to {b}, where {name} has {b} to {a} only")
        return operation.with_qubits(*operation.qubits[::-1])

    moments = circuit.moments
    return cirq.Circuit.from_moments(*(cirq.Moment(map(rewritten, moment.operations)) for moment in moments))


def _initial(
    mapper: cirq.AbstractInitialMapper | None,
    circuit: cirq.AbstractCircuit,
    qubits: list[cirq.Qid],
    device: Device,
) -> NDArray[np.int32] | None:
    if mapper is None:
        return None
    places = mapper.initial_mapping(cirq.Circuit(circuit))
    index = {q: i for i, q in enumerate(device.qubits)}
    for qubit in qubits:
        if places.get(qubit) not in index:
            raise PassError(f"the initial mapper puts {qubit} on {places.get(qubit)}, no qubit of the graph")
    return np.array([index[places[q]] for q in qubits], dtype=np.int32)


def _ends(routed: Routed, inserted: NDArray[np.bool_]) -> dict[int, int]:
    """Start -> end of the content of every machine qubit that holds a qubit of the input, or meets one."""
    holder = np.arange(len(routed.circuit.qubits))
    for a, b in routed.circuit.operands[inserted].tolist():
        holder[[a, b]] = holder[[b, a]]
    touched = {*routed.initial.tolist(), *routed.circuit.operands[inserted].ravel().tolist()}
    place = {int(start): end for end, start in enumerate(holder.tolist())}
    return {start: place[start] for start in sorted(touched)}


def _marked(circuit: Circuit) -> Circuit:
    """With a tag on the SWAPs of the input that have none."""
    return _tagged(circuit, (circuit.op == _SWAP) & (circuit.extra < 0), True, _OWN)


def _tagged(
    circuit: Circuit, rows: NDArray[np.bool_], wanted: bool, tags: tuple[Any, ...] | None = None
) -> Circuit:
    if not wanted or not rows.any():
        return circuit
    extra = circuit.extra.copy()
    extra[rows] = len(circuit.extras)
    new = Extra(tags=(cirq.RoutingSwapTag(),) if tags is None else tags)
    return replace(circuit, extra=extra, extras=(*circuit.extras, new))


def _unmarked(circuit: Circuit) -> Circuit:
    """Without the marks of `_marked`."""
    own = [number for number, extra in enumerate(circuit.extras) if extra.tags == _OWN]
    if not own:
        return circuit
    plain = np.isin(circuit.extra, own) & (NUM_QUBITS[circuit.op] == 2)
    return replace(circuit, extra=np.where(plain, np.int32(-1), circuit.extra).astype(np.int32))
