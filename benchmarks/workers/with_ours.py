"""QAttn Compiler: `transpile` onto machines, `Optimize.relabelled` where all qubits are coupled, and
`prepare_state` for states.

It begins and ends with a `cirq.Circuit`; both ways count. Results are not verified here: the judge does that
for all.
"""

from __future__ import annotations

import time
from typing import Any

import cirq
import numpy as np
import with_cirq
from serve import Answer, Case, Compiler, serve, two_qubit_cost

import qattn_compiler
from qattn_compiler import kernel_cache
from qattn_compiler.circuit.gates import GATES
from qattn_compiler.circuit.table import Circuit
from qattn_compiler.interop import cirq_io
from qattn_compiler.interop.cirq_read import read
from qattn_compiler.passes.circuit import resynthesise_three_qubit
from qattn_compiler.passes.circuit.decompose import DecomposeTwoQubit
from qattn_compiler.passes.circuit.fuse_single_qubit import FuseSingleQubit
from qattn_compiler.passes.circuit.optimize import Optimize
from qattn_compiler.synth import chip_state, orthogonal


def prepare(case: Case) -> Any:
    """The case as a cirq.Circuit, or a state's amplitudes.

    Qubits have names: a circuit on all of a machine's own qubits counts as placed, and a line has LineQubits.
    """
    if case.state is not None:
        return np.array(case.state)
    return with_cirq.prepare(case).transform_qubits(lambda q: named(q.x))


def named(number: int) -> cirq.NamedQubit:
    """The qubit of that number; names sort by it."""
    return cirq.NamedQubit(f"q{number}")


def forget() -> None:
    """What an earlier run found must not help."""
    resynthesise_three_qubit._shrunk.cache_clear()
    orthogonal._chain.cache_clear()
    chip_state._planned.cache_clear()


def compile_(circuit: Any, case: Case, number: int) -> tuple[cirq.Circuit, Any, Any]:
    """The circuit and, by qubit of the input, where each starts and ends."""
    level, atol = case.options["level"], case.options["atol"]
    effort = case.options.get("effort", "usual")
    if case.state is not None:
        found = qattn_compiler.prepare_state(circuit, machine(case), optimization_level=level, verify=False)
        return found.circuit, found.initial_layout, found.final_layout
    if case.edges is None:
        source = read(circuit)
        found = Optimize(level, atol, effort=effort).relabelled(source)
        native = FuseSingleQubit().run(DecomposeTwoQubit().run(found.circuit))
        out = cirq_io.to_cirq(native, global_phase=False)
        qubits = native.qubits
        return out, dict(zip(qubits, qubits, strict=True)), final_of(qubits, found.place)
    found = qattn_compiler.transpile(
        circuit, case.options["target"], optimization_level=level, atol=atol, effort=effort, verify=False
    )
    return found.circuit, found.initial_layout, found.final_layout


def final_of(qubits: tuple[Any, ...], place: Any) -> dict[Any, Any]:
    """Qubit -> qubit that has its content at the end."""
    return {q: qubits[p] for q, p in zip(qubits, place.tolist(), strict=True)}


def cost(found: tuple[cirq.Circuit, Any, Any]) -> tuple[int, int]:
    """Two-qubit gates and their depth."""
    return two_qubit_cost([tuple(op.qubits) for op in found[0].all_operations() if len(op.qubits) == 2])


def machine(case: Case) -> str:
    """Name of the target."""
    return f"full:{case.num_qubits}" if case.edges is None else str(case.options["target"])


def finish(found: tuple[cirq.Circuit, Any, Any], source: Any, case: Case) -> Answer:
    """Columns and layout on the machine's numbers."""
    circuit, starts, ends = found
    columns = read(circuit)
    bind = None
    if case.values:
        names = {p.name: case.values[p.name] for p in columns.params}
        bind = binding_seconds(columns, list(names.values()))
        columns = columns.bind(names)
    number = numbers(case)
    wires = np.array([number[q] for q in columns.qubits], dtype=np.int32)
    rows = {
        "names": np.array([gate.name for gate in GATES]),
        "op": columns.op.astype(np.int32),
        "operands": np.where(columns.operands >= 0, wires[columns.operands], -1),
        "angles": columns.angles,
    }
    free = iter(sorted(set(number.values()) - {number[q] for q in starts.values()}))
    places = []
    for q in map(named, range(case.num_qubits)):
        if q in starts:
            places.append((number[starts[q]], number[ends[q]]))
        else:  # no gate is on it
            places.append((next(free),) * 2)
    return Answer(rows, [a for a, _ in places], [b for _, b in places], bind)


def binding_seconds(columns: Circuit, values: list[float]) -> float:
    """One set of values out of a hundred, all bound in one step."""
    sets = np.tile(np.array(values), (100, 1))
    columns.bind_batch(sets[:2])
    begin = time.perf_counter()
    columns.bind_batch(sets)
    return (time.perf_counter() - begin) / len(sets)


def numbers(case: Case) -> dict[Any, int]:
    """Qubit of the result -> number on the machine."""
    if case.edges is None and case.state is None:
        return {named(q): q for q in range(case.num_qubits)}
    device = qattn_compiler.targets.get(machine(case)).device
    return {q: i for i, q in enumerate(device.qubits)}


if __name__ == "__main__":
    kernel_cache.warm(kernel_cache.stages(3))
    packages = ("qattn-compiler", "cirq-core", "numba", "numpy")
    serve(Compiler(prepare, compile_, finish, cost, packages, forget))
