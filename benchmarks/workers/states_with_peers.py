"""States prepared by Qiskit and pytket on a machine: {edges, states} in, {compiler: [pairs of each]} out."""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
from pytket.architecture import Architecture
from pytket.circuit import Circuit, OpType, StatePreparationBox
from pytket.passes import (
    AutoRebase,
    CliffordSimp,
    DecomposeBoxes,
    DefaultMappingPass,
    FullPeepholeOptimise,
    KAKDecomposition,
    SequencePass,
    SynthesiseTket,
)
from qiskit import QuantumCircuit, transpile
from qiskit.circuit.library import StatePreparation
from qiskit.transpiler import CouplingMap

Pairs = list[list[int]]
SEEDS = 5


def by_qiskit(state: Any, edges: Pairs) -> Pairs:
    """Its own StatePreparation at level 3, the best of SEEDS seeds."""
    size = len(state).bit_length() - 1
    circuit = QuantumCircuit(size)
    circuit.append(StatePreparation(state), range(size)[::-1])
    coupling = CouplingMap([*edges, *([b, a] for a, b in edges)])
    found = []
    for seed in range(SEEDS):
        out = transpile(
            circuit,
            basis_gates=["cz", "rz", "sx", "x"],
            coupling_map=coupling,
            optimization_level=3,
            seed_transpiler=seed,
        )
        rows = [[out.find_bit(q).index for q in row.qubits] for row in out.data if len(row.qubits) == 2]
        found.append(rows)
    return min(found, key=len)


def by_pytket(state: Any, edges: Pairs) -> Pairs:
    """Its StatePreparationBox, FullPeepholeOptimise, its placement and routing, and what it does then."""
    size = len(state).bit_length() - 1
    circuit = Circuit(size)
    circuit.add_gate(StatePreparationBox(np.array(state)), list(range(size)))
    SequencePass(
        [
            DecomposeBoxes(),
            FullPeepholeOptimise(),
            DefaultMappingPass(Architecture([tuple(e) for e in edges])),
            KAKDecomposition(allow_swaps=False),
            CliffordSimp(allow_swaps=False),
            SynthesiseTket(),
            AutoRebase({OpType.CZ, OpType.Rz, OpType.SX, OpType.X}),
        ]
    ).apply(circuit)
    return [[q.index[0] for q in gate.qubits] for gate in circuit.get_commands() if len(gate.qubits) == 2]


if __name__ == "__main__":
    given = json.load(sys.stdin)
    out: dict[str, list[Pairs]] = {}
    for name, prepare in (("Qiskit", by_qiskit), ("pytket", by_pytket)):
        out[name] = [prepare(state, given["edges"]) for state in given["states"]]
    json.dump(out, sys.stdout)
