"""Qiskit: `transpile` at the asked level, one seed a run. Also makes the circuits of mqt.bench."""

from __future__ import annotations

import math
import time
from typing import Any

from qiskit import QuantumCircuit, transpile
from qiskit.circuit import Parameter
from qiskit.circuit.library import StatePreparation
from qiskit.transpiler import CouplingMap
from serve import Answer, Case, Compiler, serve

BASIS = ["cz", "rz", "sx", "x"]
OWN = [
    *("h", "x", "y", "z", "s", "sdg", "t", "tdg", "sx", "sxdg", "rx", "ry", "rz", "p"),
    *("cx", "cz", "swap", "cp", "crx", "cry", "crz", "rxx", "ryy", "rzz", "ccx"),
]
"""Gates that workloads may have."""


def prepare(case: Case) -> Any:
    """The case as a QuantumCircuit, or the request for a circuit of mqt.bench as it is."""
    if "mqt" in case.options:
        return None
    names: dict[str, Any] = {}

    def angle(value: Any) -> Any:
        if not isinstance(value, list):
            return value
        name, coefficient = value
        return coefficient * names.setdefault(name, Parameter(name))

    out = QuantumCircuit(case.num_qubits)
    if case.state is not None:  # Qiskit's first qubit is the least significant
        out.append(StatePreparation(case.state), range(case.num_qubits)[::-1])
        return out
    for name, qubits, angles in case.gates:
        getattr(out, name)(*map(angle, angles), *qubits)
    return out


def compile_(circuit: Any, case: Case, number: int) -> Any:
    """One seed."""
    if "mqt" in case.options:
        return from_mqt(*case.options["mqt"])
    coupling = None
    if case.edges is not None:
        coupling = CouplingMap([*case.edges, *((b, a) for a, b in case.edges)])
    return transpile(
        circuit,
        basis_gates=BASIS,
        coupling_map=coupling,
        optimization_level=case.options["level"],
        seed_transpiler=number,
    )


def from_mqt(name: str, num_qubits: int) -> Any:
    """A circuit of mqt.bench over `OWN`, without measurements and barriers."""
    from mqt.bench import BenchmarkLevel, get_benchmark

    given = get_benchmark(name, BenchmarkLevel.INDEP, num_qubits, random_parameters=False)
    if given.parameters:
        given = given.assign_parameters([0.1 + 0.7 * math.sin(k + 1) for k in range(given.num_parameters)])
    given.remove_final_measurements(inplace=True)
    return transpile(given, basis_gates=OWN, optimization_level=0, seed_transpiler=0)


def cost(circuit: Any) -> tuple[int, int]:
    """Two-qubit gates and their depth."""
    depth = circuit.depth(lambda i: i.operation.num_qubits == 2)
    return sum(i.operation.num_qubits == 2 for i in circuit.data), depth


def finish(circuit: Any, source: Any, case: Case) -> Answer:
    """Rows, layout and the seconds of one binding."""
    bind = None
    if circuit.num_parameters and case.values:
        values = {p: case.values[p.name] for p in circuit.parameters}
        circuit.assign_parameters(values)
        begin = time.perf_counter()
        circuit = circuit.assign_parameters(values)
        bind = time.perf_counter() - begin
    layout = circuit.layout
    initial = final = None
    if layout is not None:
        initial = layout.initial_index_layout(filter_ancillas=True)
        final = layout.final_index_layout(filter_ancillas=True)
    index = {qubit: i for i, qubit in enumerate(circuit.qubits)}
    rows = [
        (i.operation.name, tuple(index[q] for q in i.qubits), tuple(float(p) for p in i.operation.params))
        for i in circuit.data
        if i.operation.name != "barrier"
    ]
    return Answer(rows, initial, final, bind)


if __name__ == "__main__":
    serve(Compiler(prepare, compile_, finish, cost, ("qiskit", "mqt.bench")))
