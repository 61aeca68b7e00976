"""Two-qubit gates after everything, all-to-all: ours beside Qiskit's and pytket's best, in one run.

Run: python benchmarks/quality.py FOLDER_OF_QASM [--peer-python PATH] [--only NAME ...] [--json FILE]

For each circuit: Qiskit's level 3 (fewest of 5 seeds), pytket's FullPeepholeOptimise and GreedyPauliSimp
(with a time limit), and our `Optimize` (`--level`, 3 by default; `--effort`), all over CZ and single-qubit
gates, and for the time that it takes also `cirq.optimize_for_target_gateset`; all at the same tolerance:
Qiskit's level 3 drops rotations below about 1e-4, so that is our atol here. SWAPs may be done by relabelling
in all of them. `--peer-python` names an interpreter that has the peers. Up to 12 qubits our result is
compared with the input on a random state. Seconds are medians, in-process and warm; ours count the way from
and to `cirq.Circuit`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

PEER = r"""
import json, sys, time
from statistics import median

def qiskit(path):
    import qiskit.qasm2
    from qiskit import QuantumCircuit, transpile
    circuit = QuantumCircuit.from_qasm_file(path)
    found, seconds = [], []
    for seed in range(5):
        begin = time.perf_counter()
        out = transpile(
            circuit, basis_gates=["cz", "rz", "sx", "x"], optimization_level=3, seed_transpiler=seed
        )
        seconds.append(time.perf_counter() - begin)
        pairs = [i for i in out.data if i.operation.num_qubits == 2]
        found.append((len(pairs), out.depth(lambda i: i.operation.num_qubits == 2)))
    return {"gates": min(found)[0], "depth": min(found)[1], "seconds": median(seconds)}

def pytket(path, name):
    from pytket import OpType
    from pytket.passes import (
        AutoRebase, DecomposeBoxes, FullPeepholeOptimise, GreedyPauliSimp, RemoveRedundancies, SequencePass
    )
    from pytket.qasm import circuit_from_qasm
    circuit = circuit_from_qasm(path, maxwidth=64)
    circuit.remove_blank_wires()
    rebase = AutoRebase({OpType.CZ, OpType.Rz, OpType.SX, OpType.X})
    steps = {
        "full": [FullPeepholeOptimise()],
        "greedy": [AutoRebase({OpType.CX, OpType.Rz, OpType.H}), GreedyPauliSimp(), FullPeepholeOptimise()],
    }[name]
    begin = time.perf_counter()
    SequencePass([DecomposeBoxes(), *steps, rebase, RemoveRedundancies()]).apply(circuit)
    seconds = time.perf_counter() - begin
    return {
        "gates": circuit.n_2qb_gates(), "depth": circuit.depth_2q(), "seconds": seconds
    }

def cirq(path):
    import cirq
    from cirq.contrib.qasm_import import circuit_from_qasm
    circuit = circuit_from_qasm(open(path).read())
    seconds = []
    while len(seconds) < 3 and sum(seconds) < 5:
        begin = time.perf_counter()
        out = cirq.optimize_for_target_gateset(circuit, gateset=cirq.CZTargetGateset())
        seconds.append(time.perf_counter() - begin)
    pairs = [op for op in out.all_operations() if len(op.qubits) == 2 and not cirq.is_measurement(op)]
    return {"gates": len(pairs), "depth": len(cirq.Circuit(pairs)), "seconds": median(seconds)}

name, path = sys.argv[1:]
others = {"qiskit": qiskit, "cirq": cirq}
print(json.dumps(others[name](path) if name in others else pytket(path, name)))
"""
NAMES = ("qiskit", "full", "greedy")
TIMED = "cirq"
"""A peer that counts for its seconds alone."""
CHECKED = 12
"""Qubits up to which the result is compared with the input."""
ATOL = 1e-4


def peer(python: str, name: str, path: Path, limit: int) -> dict[str, Any]:
    """A peer's figures, or the reason why there are none; in a process of its own, for its compiled code does
    not let itself be interrupted."""
    try:
        done = subprocess.run(
            [python, "-c", PEER, name, str(path)], capture_output=True, text=True, check=False, timeout=limit
        )
    except subprocess.TimeoutExpired:
        return {"error": f"more than {limit} s"}
    out: dict[str, Any] = json.loads(done.stdout) if done.stdout else {"error": done.stderr[-200:]}
    return out


def ours(path: Path, level: int, effort: str) -> dict[str, Any]:
    """Gates, depth and seconds of `Optimize` at a level, and its error."""
    from cirq.contrib.qasm_import import circuit_from_qasm

    from qattn_compiler.interop import cirq_io
    from qattn_compiler.interop.cirq_read import read
    from qattn_compiler.passes.circuit import resynthesise_three_qubit
    from qattn_compiler.passes.circuit.cost import entangler_depth, entanglers
    from qattn_compiler.passes.circuit.fuse_single_qubit import FuseSingleQubit
    from qattn_compiler.passes.circuit.optimize import Optimize

    given = circuit_from_qasm(path.read_text())
    seconds = []
    for _ in range(3):
        resynthesise_three_qubit._shrunk.cache_clear()  # what an earlier round found must not help
        begin = time.perf_counter()
        source = read(given)
        found = Optimize(level, ATOL, effort=effort).relabelled(source)
        cirq_io.to_cirq(FuseSingleQubit().run(found.circuit), global_phase=False)
        seconds.append(time.perf_counter() - begin)
    out: dict[str, Any] = {
        "gates": entanglers(found.circuit),
        "depth": entangler_depth(found.circuit),
        "seconds": median(seconds),
    }
    if source.num_qubits <= CHECKED:
        out["error"] = distance(source, found)
    return out


def distance(source: Any, found: Any) -> float:
    """Norm of the difference of both circuits' results on a random state, without measurements."""
    from qattn_compiler.circuit.gates import NUM_QUBITS

    n = source.num_qubits
    rng = np.random.default_rng(0)
    state = rng.normal(size=2**n) + 1j * rng.normal(size=2**n)
    state /= np.linalg.norm(state)
    before = applied(source.with_rows(np.flatnonzero(NUM_QUBITS[source.op] > 0)), state)
    after = applied(found.circuit.with_rows(np.flatnonzero(NUM_QUBITS[found.circuit.op] > 0)), state)
    moved = np.moveaxis(after.reshape((2,) * n), found.place.tolist(), list(range(n))).reshape(-1)
    return float(np.linalg.norm(before - moved))


def applied(circuit: Any, state: Any) -> Any:
    """The state after a numeric circuit, gate by gate, from the gate table's matrices."""
    from qattn_compiler.circuit.gates import GATES

    n = circuit.num_qubits
    state = state.reshape((2,) * n)
    for row in range(len(circuit)):
        gate = GATES[circuit.op[row]]
        k = gate.num_qubits
        assert gate.matrix is not None
        wires = circuit.operands[row, :k].tolist()
        matrix = gate.matrix(*circuit.angles[row, : gate.num_angles]).reshape((2,) * 2 * k)
        state = np.tensordot(matrix, state, axes=(list(range(k, 2 * k)), wires))
        state = np.moveaxis(state, list(range(k)), wires)
    return np.exp(1j * circuit.phase) * state.reshape(-1)


def geometric_mean(values: list[float]) -> float:
    """exp of the mean log."""
    return float(np.exp(np.mean(np.log(values)))) if values else float("nan")


def show(rows: list[dict[str, Any]]) -> None:
    """The page: one line a circuit, then geometric means and every case where a peer is better."""
    heads = ("circuit", "Qiskit 3", "pytket full", "pytket greedy", "ours", "ours / best")
    heads += ("s Qiskit", "s Cirq", "s ours", "error")
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for row in rows:
        cells = [f"{row[n]['gates']} / {row[n]['depth']}" if "gates" in row[n] else "-" for n in NAMES]
        mine = row["ours"]
        cells += [f"{mine['gates']} / {mine['depth']}", f"{row['ratio']:.3f}"]
        cells += [f"{row[name].get('seconds', np.nan):.3f}" for name in ("qiskit", TIMED, "ours")]
        print(f"| {row['name']} | {' | '.join(cells)} | {mine.get('error', np.nan):.1e} |")
    against = [row["ours"]["gates"] / row["qiskit"]["gates"] for row in rows if "gates" in row["qiskit"]]
    depth = [row["ours"]["depth"] / row["qiskit"]["depth"] for row in rows if "gates" in row["qiskit"]]
    speed, slower = (
        [row["ours"]["seconds"] / row[name]["seconds"] for row in rows if "gates" in row[name]]
        for name in ("qiskit", TIMED)
    )
    print(
        f"\ngeometric means: gates / best peer {geometric_mean([row['ratio'] for row in rows]):.3f},", end=" "
    )
    print(
        f"gates / Qiskit {geometric_mean(against):.3f}, depth / Qiskit {geometric_mean(depth):.3f},", end=" "
    )
    print(f"seconds / Qiskit {geometric_mean(speed):.2f},", end=" ")
    print(f"Cirq's seconds / ours {1 / geometric_mean(slower):.1f} ({len(slower)} circuits)")
    worse = [f"{row['name']} ({row['ratio']:.3f})" for row in rows if row["ratio"] > 1]
    print("a peer is better at:", ", ".join(worse) or "none")


def main() -> None:
    """Read the options, run everything, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--peer-python", default=sys.executable)
    parser.add_argument("--only", nargs="*", default=None)
    parser.add_argument("--level", type=int, default=3, help="our level")
    parser.add_argument("--effort", default="usual", choices=("usual", "long"))
    parser.add_argument("--peers", nargs="*", default=(*NAMES, TIMED), choices=(*NAMES, TIMED))
    parser.add_argument("--limit", type=int, default=60, help="seconds for one peer and circuit")
    parser.add_argument("--json", type=Path, default=None)
    options = parser.parse_args()
    paths = sorted(options.folder.glob("*.qasm"))
    if options.only:
        paths = [path for path in paths if path.stem in options.only]
    ours(paths[0], options.level, options.effort)  # kernels are compiled before the clock starts
    rows = []
    for path in paths:
        row: dict[str, Any] = {name: {} for name in (*NAMES, TIMED)}
        row |= {name: peer(options.peer_python, name, path, options.limit) for name in options.peers}
        row["name"], row["ours"] = path.stem, ours(path, options.level, options.effort)
        peers = [row[name]["gates"] for name in NAMES if "gates" in row[name]]
        row["ratio"] = row["ours"]["gates"] / min(peers) if peers else float("nan")
        rows.append(row)
        print(f"{len(rows)} of {len(paths)}: {path.stem} {row['ratio']:.3f}", file=sys.stderr, flush=True)
    show(rows)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
