"""pytket: FullPeepholeOptimise, placement, routing and rebase; or GreedyPauliSimp where all qubits are
coupled. Sequences follow the documentation's default passes at levels 2 and 3."""

from __future__ import annotations

import time
from math import pi
from typing import Any

import numpy as np
from pytket import Circuit, OpType
from pytket.architecture import Architecture
from pytket.circuit import StatePreparationBox
from pytket.passes import (
    AutoRebase,
    CliffordSimp,
    CXMappingPass,
    DecomposeBoxes,
    FullPeepholeOptimise,
    GreedyPauliSimp,
    KAKDecomposition,
    NaivePlacementPass,
    RemoveRedundancies,
    SequencePass,
    SynthesiseTket,
)
from pytket.placement import GraphPlacement
from pytket.predicates import CompilationUnit
from serve import Answer, Case, Compiler, serve

TYPES = {
    "h": OpType.H,
    "x": OpType.X,
    "y": OpType.Y,
    "z": OpType.Z,
    "s": OpType.S,
    "sdg": OpType.Sdg,
    "t": OpType.T,
    "tdg": OpType.Tdg,
    "sx": OpType.SX,
    "sxdg": OpType.SXdg,
    "rx": OpType.Rx,
    "ry": OpType.Ry,
    "rz": OpType.Rz,
    "p": OpType.U1,
    "cx": OpType.CX,
    "cz": OpType.CZ,
    "swap": OpType.SWAP,
    "cp": OpType.CU1,
    "crx": OpType.CRx,
    "cry": OpType.CRy,
    "crz": OpType.CRz,
    "rxx": OpType.XXPhase,
    "ryy": OpType.YYPhase,
    "rzz": OpType.ZZPhase,
    "ccx": OpType.CCX,
}
NAMES = {OpType.CZ: "cz", OpType.Rz: "rz", OpType.SX: "sx", OpType.X: "x"}
REBASE = AutoRebase({OpType.CZ, OpType.Rz, OpType.SX, OpType.X})


def prepare(case: Case) -> Any:
    """The case as a pytket Circuit; angles are half turns there."""
    from sympy import Symbol

    def angle(value: Any) -> Any:
        return value[1] * Symbol(value[0]) / pi if isinstance(value, list) else value / pi

    out = Circuit(case.num_qubits)
    if case.state is not None:
        out.add_gate(StatePreparationBox(np.array(case.state)), list(range(case.num_qubits)))
        return out
    for name, qubits, angles in case.gates:
        out.add_gate(TYPES[name], [angle(a) for a in angles], qubits)
    return out


def compile_(circuit: Any, case: Case, number: int) -> Any:
    """The sequence for the machine."""
    unit = CompilationUnit(circuit)
    greedy = case.options["way"] == "greedy"
    if greedy:
        steps = [AutoRebase({OpType.CX, OpType.Rz, OpType.H}), GreedyPauliSimp(), FullPeepholeOptimise()]
    else:
        steps = [FullPeepholeOptimise()]
    if case.edges is not None:
        architecture = Architecture(case.edges)
        steps += [
            CXMappingPass(
                architecture, GraphPlacement(architecture), directed_cx=False, delay_measures=False
            ),
            NaivePlacementPass(architecture),
            KAKDecomposition(allow_swaps=False),
            CliffordSimp(False),
            SynthesiseTket(),
        ]
    SequencePass([DecomposeBoxes(), *steps, REBASE, RemoveRedundancies()]).apply(unit)
    return unit


def cost(unit: Any) -> tuple[int, int]:
    """Two-qubit gates and their depth."""
    return unit.circuit.n_2qb_gates(), unit.circuit.depth_2q()


def finish(unit: Any, source: Any, case: Case) -> Answer:
    """Rows and layout: where a qubit starts and ends, implicit permutations included."""
    circuit, bind = unit.circuit, None
    if case.values:
        from sympy import Symbol

        values = {Symbol(name): value for name, value in case.values.items()}
        circuit = unit.circuit.copy()
        begin = time.perf_counter()
        circuit.symbol_substitution(values)
        bind = time.perf_counter() - begin
    wire = {output: first for first, output in circuit.implicit_qubit_permutation().items()}
    rows = []
    for command in circuit.get_commands():
        wires = tuple(q.index[0] for q in command.qubits)
        rows.append((NAMES[command.op.type], wires, tuple(float(p) * pi for p in command.op.params)))
    start = {q: unit.initial_map[q].index[0] for q in source.qubits}
    end = {q: wire.get(unit.final_map[q], unit.final_map[q]).index[0] for q in source.qubits}
    return Answer(rows, [start[q] for q in source.qubits], [end[q] for q in source.qubits], bind)


if __name__ == "__main__":
    serve(Compiler(prepare, compile_, finish, cost, ("pytket",)))
