"""Cirq: `RouteCQC` where couplings matter, then `optimize_for_target_gateset` with the CZ gateset."""

from __future__ import annotations

import time
from math import pi
from typing import Any

import cirq
import networkx as nx
from serve import Answer, Case, Compiler, Row, serve, two_qubit_cost

FIXED = {
    "h": cirq.H,
    "x": cirq.X,
    "y": cirq.Y,
    "z": cirq.Z,
    "s": cirq.S,
    "sdg": cirq.S**-1,
    "t": cirq.T,
    "tdg": cirq.T**-1,
    "sx": cirq.X**0.5,
    "sxdg": cirq.X**-0.5,
    "cx": cirq.CX,
    "cz": cirq.CZ,
    "swap": cirq.SWAP,
    "ccx": cirq.CCX,
}
TURNS = {
    "rx": cirq.rx,
    "ry": cirq.ry,
    "rz": cirq.rz,
    "p": lambda t: cirq.Z ** (t / pi),
    "cp": lambda t: cirq.CZ ** (t / pi),
    "crx": lambda t: cirq.ControlledGate(cirq.rx(t)),
    "cry": lambda t: cirq.ControlledGate(cirq.ry(t)),
    "crz": lambda t: cirq.ControlledGate(cirq.rz(t)),
    "rxx": lambda t: cirq.XXPowGate(exponent=t / pi, global_shift=-0.5),
    "ryy": lambda t: cirq.YYPowGate(exponent=t / pi, global_shift=-0.5),
    "rzz": lambda t: cirq.ZZPowGate(exponent=t / pi, global_shift=-0.5),
}


def prepare(case: Case) -> cirq.Circuit:
    """The case as a cirq.Circuit on a line of qubits."""
    import sympy

    qubits = cirq.LineQubit.range(case.num_qubits)
    symbols = {name: sympy.Symbol(name) for name in case.values}

    def gate(name: str, angles: list[Any]) -> cirq.Gate:
        if not angles:
            return FIXED[name]
        (angle,) = angles
        return TURNS[name](angle[1] * symbols[angle[0]] if isinstance(angle, list) else angle)

    return cirq.Circuit(
        gate(name, angles).on(*(qubits[q] for q in wires)) for name, wires, angles in case.gates
    )


def compile_(circuit: cirq.Circuit, case: Case, number: int) -> tuple[cirq.Circuit, Any, Any]:
    """The circuit, and the layouts where it was routed."""
    gateset = cirq.CZTargetGateset(preserve_moment_structure=False)
    initial = moved = None
    if case.edges is not None:
        graph = nx.Graph((cirq.LineQubit(a), cirq.LineQubit(b)) for a, b in case.edges)
        narrow = cirq.optimize_for_target_gateset(circuit, gateset=cirq.CZTargetGateset())
        circuit, initial, moved = cirq.RouteCQC(graph).route_circuit(narrow)
    return cirq.optimize_for_target_gateset(circuit, gateset=gateset), initial, moved


def cost(found: tuple[cirq.Circuit, Any, Any]) -> tuple[int, int]:
    """Two-qubit gates and their depth."""
    pairs = [tuple(op.qubits) for op in found[0].all_operations() if len(op.qubits) == 2]
    return two_qubit_cost(pairs)


def finish(found: tuple[cirq.Circuit, Any, Any], source: cirq.Circuit, case: Case) -> Answer:
    """Rows and layout."""
    circuit, starts, moved = found
    bind = None
    if case.values:
        begin = time.perf_counter()
        circuit = cirq.resolve_parameters(circuit, case.values)
        bind = time.perf_counter() - begin
        if any(len(op.qubits) == 2 and op.gate != cirq.CZ for op in circuit.all_operations()):
            circuit = cirq.optimize_for_target_gateset(circuit, gateset=cirq.CZTargetGateset())
    rows = [row_of(op) for op in circuit.all_operations() if not is_phase(op)]
    if starts is None:
        return Answer(rows, bind_seconds=bind)
    initial, final = [], []
    free = iter(sorted({q for edge in case.edges or () for q in edge} - {q.x for q in starts.values()}))
    for q in cirq.LineQubit.range(case.num_qubits):
        place = starts[q].x if q in starts else next(free)
        initial.append(place)
        final.append(moved.get(cirq.LineQubit(place), cirq.LineQubit(place)).x)
    return Answer(rows, initial, final, bind)


def is_phase(op: cirq.Operation) -> bool:
    """A global phase, which nobody needs."""
    return isinstance(op.gate, cirq.GlobalPhaseGate)


def row_of(op: cirq.Operation) -> Row:
    """A native gate as a row."""
    wires = tuple(q.x for q in op.qubits)
    if len(wires) == 2:
        return ("cz" if op.gate == cirq.CZ else str(op.gate)), wires, ()
    gate = cirq.PhasedXZGate.from_matrix(cirq.unitary(op))
    turns = (gate.x_exponent, gate.z_exponent, gate.axis_phase_exponent)
    return "phased_xz", wires, tuple(float(t) * pi for t in turns)


if __name__ == "__main__":
    serve(Compiler(prepare, compile_, finish, cost, ("cirq-core",)))
