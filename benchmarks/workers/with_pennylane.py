"""PennyLane: `qml.compile` with its default passes to a fixpoint, over CNOT and rotations; all-to-all only.

PennyLane plans for simulators: it has no pass that resynthesises two-qubit blocks or looks for a layout.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pennylane as qml
from serve import Answer, Case, Compiler, serve, two_qubit_cost

OPERATIONS = {
    "h": qml.Hadamard,
    "x": qml.PauliX,
    "y": qml.PauliY,
    "z": qml.PauliZ,
    "s": qml.S,
    "sdg": lambda wires: qml.adjoint(qml.S(wires)),
    "t": qml.T,
    "tdg": lambda wires: qml.adjoint(qml.T(wires)),
    "sx": qml.SX,
    "sxdg": lambda wires: qml.adjoint(qml.SX(wires)),
    "rx": qml.RX,
    "ry": qml.RY,
    "rz": qml.RZ,
    "p": qml.PhaseShift,
    "cx": qml.CNOT,
    "cz": qml.CZ,
    "swap": qml.SWAP,
    "cp": qml.ControlledPhaseShift,
    "crx": qml.CRX,
    "cry": qml.CRY,
    "crz": qml.CRZ,
    "rxx": qml.IsingXX,
    "ryy": qml.IsingYY,
    "rzz": qml.IsingZZ,
    "ccx": qml.Toffoli,
}
BASIS = ["CNOT", "RX", "RY", "RZ"]
NAMES = {"CNOT": "cx", "RX": "rx", "RY": "ry", "RZ": "rz"}
IGNORED = ("GlobalPhase", "Identity", "Barrier")


def prepare(case: Case) -> Any:
    """The case as a tape."""
    if case.edges is not None:
        raise NotImplementedError("not run: PennyLane's router takes gates of any kind but finds no layout")
    if case.values:
        raise NotImplementedError("PennyLane has no symbols")
    if case.state is not None:
        preparation = qml.MottonenStatePreparation(np.array(case.state), wires=range(case.num_qubits))
        return qml.tape.QuantumScript([preparation])
    return qml.tape.QuantumScript(
        [OPERATIONS[name](*angles, wires=wires) for name, wires, angles in case.gates]
    )


def compile_(tape: Any, case: Case, number: int) -> Any:
    """Two rounds of commuting, cancelling and merging, before and after the decomposition."""
    passes = [
        qml.transforms.commute_controlled,
        qml.transforms.cancel_inverses,
        qml.transforms.merge_rotations,
    ]
    (out,), _ = qml.compile(tape, pipeline=passes, num_passes=2)
    (out,), _ = qml.compile(out, pipeline=passes, basis_set=BASIS, num_passes=2)
    return out


def cost(tape: Any) -> tuple[int, int]:
    """Two-qubit gates and their depth."""
    return two_qubit_cost([tuple(op.wires) for op in tape.operations if len(op.wires) == 2])


def finish(tape: Any, source: Any, case: Case) -> Answer:
    """Rows; PennyLane moves nothing."""
    return Answer(
        [
            (NAMES[op.name], tuple(op.wires), tuple(float(p) for p in op.parameters))
            for op in tape.operations
            if op.name not in IGNORED
        ]
    )


if __name__ == "__main__":
    serve(Compiler(prepare, compile_, finish, cost, ("pennylane",)))
