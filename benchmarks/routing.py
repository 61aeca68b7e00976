"""Two-qubit gates, depth and seconds on machines: ours beside Qiskit, pytket and Cirq, in one run.

Run: python benchmarks/routing.py FOLDER_OF_QASM [--targets willow eagle line] [--peer-python PATH]
        [--only NAME ...] [--level 3] [--effort usual] [--rows FILE.jsonl]

For each circuit and machine: Qiskit's level 3 (fewest gates of 5 seeds), pytket's FullPeepholeOptimise,
placement, routing and KAK resynthesis, Cirq's RouteCQC with its CZ gateset, and our `transpile`, all over
CZ and single-qubit gates, at the same tolerance: Qiskit's level 3 drops rotations below about 1e-4, so that
is our atol here. Each peer runs in a process of its own, warm; seconds are medians, in-process, reading and
writing files not counted, ours with the way from and to `cirq.Circuit` and the check of the routing. `line`
has as many qubits as the circuit. Rows are kept in `--rows` as they come; a second run goes on where the
first ended, or repeats ours alone (`--again`).
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

import networkx as nx
from quality import geometric_mean

PEER = r"""
import json, sys, time
from statistics import median
name, path, edges, seeds = sys.argv[1], sys.argv[2], json.loads(sys.argv[3]), int(sys.argv[4])

def qiskit():
    import qiskit.qasm2
    from qiskit import QuantumCircuit, transpile
    from qiskit.transpiler import CouplingMap
    circuit = QuantumCircuit.from_qasm_file(path)
    coupling = CouplingMap(edges + [[b, a] for a, b in edges]) if edges else None
    found, seconds = [], []
    for seed in range(seeds):
        begin = time.perf_counter()
        out = transpile(
            circuit, basis_gates=["cz", "rz", "sx", "x"], coupling_map=coupling, optimization_level=3,
            seed_transpiler=seed,
        )
        seconds.append(time.perf_counter() - begin)
        pairs = [i for i in out.data if i.operation.num_qubits == 2]
        found.append((len(pairs), out.depth(lambda i: i.operation.num_qubits == 2)))
    middle = sorted(found)[len(found) // 2][0]
    return {"gates": min(found)[0], "median": middle, "depth": min(found)[1], "seconds": median(seconds)}

def pytket():
    from pytket import OpType
    from pytket.architecture import Architecture
    from pytket.passes import (
        AutoRebase, CliffordSimp, DecomposeBoxes, DefaultMappingPass, FullPeepholeOptimise, KAKDecomposition,
        RemoveRedundancies, SequencePass, SynthesiseTket,
    )
    from pytket.qasm import circuit_from_qasm
    circuit = circuit_from_qasm(path, maxwidth=64)
    rebase = AutoRebase({OpType.CZ, OpType.Rz, OpType.SX, OpType.X})
    steps = [DecomposeBoxes(), FullPeepholeOptimise()]
    if edges:
        steps += [
            DefaultMappingPass(Architecture([tuple(e) for e in edges]), True),
            KAKDecomposition(allow_swaps=False), CliffordSimp(False), SynthesiseTket(),
        ]
    begin = time.perf_counter()
    SequencePass([*steps, rebase, RemoveRedundancies()]).apply(circuit)
    seconds = time.perf_counter() - begin
    return {"gates": circuit.n_2qb_gates(), "depth": circuit.depth_2q(), "seconds": seconds}

def cirq():
    import cirq, networkx as nx
    from cirq.contrib.qasm_import import circuit_from_qasm
    circuit = circuit_from_qasm(open(path).read())
    begin = time.perf_counter()
    if edges:
        graph = nx.Graph([tuple(map(cirq.LineQubit, e)) for e in edges])
        circuit = cirq.optimize_for_target_gateset(circuit, gateset=cirq.CZTargetGateset())
        circuit = cirq.RouteCQC(graph)(circuit)
    circuit = cirq.optimize_for_target_gateset(circuit, gateset=cirq.CZTargetGateset())
    seconds = time.perf_counter() - begin
    pairs = [op for op in circuit.all_operations() if len(op.qubits) == 2 and not cirq.is_measurement(op)]
    depth = len(cirq.Circuit(pairs))
    return {"gates": len(pairs), "depth": depth, "seconds": seconds}

print(json.dumps({"qiskit": qiskit, "pytket": pytket, "cirq": cirq}[name]()))
"""
PEERS = ("qiskit", "pytket", "cirq")
ATOL = 1e-4
FREE = 1.02
"""A peer that needs no more than this many times its all-to-all gates inserts nothing."""


def graph_of(name: str, size: int) -> nx.Graph:
    """The couplings of a machine, on numbers in the machine's order."""
    from qattn_compiler import targets

    wanted = {"willow": "google.willow", "eagle": "ibm.eagle", "line": f"line:{size}"}.get(name, name)
    device = targets.get(wanted).device
    graph = nx.Graph()
    graph.add_nodes_from(range(device.num_qubits))
    graph.add_edges_from(device.edges.tolist())
    return graph


def peer(
    python: str, name: str, path: Path, graph: nx.Graph | None, seeds: int, limit: int
) -> dict[str, Any]:
    """A peer's figures, or the reason why there are none."""
    edges = [] if graph is None else [list(edge) for edge in graph.edges]
    command = [python, "-c", PEER, name, str(path), json.dumps(edges), str(seeds)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=limit)
    except subprocess.TimeoutExpired:
        return {"error": f"more than {limit} s"}
    out: dict[str, Any] = json.loads(done.stdout) if done.stdout else {"error": done.stderr[-200:]}
    return out


def ours(path: Path, graph: nx.Graph, level: int, rounds: int, effort: str = "usual") -> dict[str, Any]:
    """Gates, depth and seconds of `transpile`."""
    from cirq.contrib.qasm_import import circuit_from_qasm

    from qattn_compiler.passes.circuit import resynthesise_three_qubit
    from qattn_compiler.targets.target import Target
    from qattn_compiler.transpile import transpile

    machine = Target.from_graph(graph)
    given = circuit_from_qasm(path.read_text())
    seconds = []
    for _ in range(rounds):
        resynthesise_three_qubit._shrunk.cache_clear()  # what an earlier round found must not help
        begin = time.perf_counter()
        result = transpile(given, machine, optimization_level=level, atol=ATOL, effort=effort)
        seconds.append(time.perf_counter() - begin)
    summary = result.summary()
    return {"gates": summary["gates_2q"], "depth": summary["depth_2q"], "seconds": median(seconds)}


def width(path: Path) -> int:
    """Qubits of an OpenQASM 2 file."""
    import re

    return sum(
        int(size) for size in re.findall(r"^\s*qreg\s+\w+\s*\[(\d+)\]", path.read_text(), re.MULTILINE)
    )


def one(path: Path, target: str, options: argparse.Namespace, free: dict[str, int]) -> dict[str, Any]:
    """The row of one circuit on one machine."""
    graph = graph_of(target, width(path))
    row: dict[str, Any] = {"name": path.stem, "target": target, "level": options.level, "free": free}
    row["effort"] = options.effort
    for name in options.peers:
        python = sys.executable if name == "cirq" else options.peer_python
        row[name] = peer(python, name, path, graph, options.seeds, options.limit)
    return row | {"ours": ours(path, graph, options.level, options.rounds, options.effort)}


def all_to_all(path: Path, options: argparse.Namespace) -> dict[str, int]:
    """The peers' gates without a machine: what routing adds is seen against them."""
    out = {}
    for name in options.peers:
        python = sys.executable if name == "cirq" else options.peer_python
        found = peer(python, name, path, None, 1, options.limit)
        if "gates" in found:
            out[name] = found["gates"]
    return out


def show(rows: list[dict[str, Any]], target: str) -> None:
    """One line a circuit, then geometric means and every case where a peer is better."""
    rows = [row for row in rows if row["target"] == target]
    print(f"\n## {target}\n")
    heads = ("circuit", *(name.capitalize() for name in PEERS), "ours", "ours / best", "s Qiskit", "s ours")
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    hard, depths, times, worse = [], [], [], []
    for row in rows:
        known = {name: row[name] for name in PEERS if "gates" in row.get(name, {})}
        cells = [f"{row[n]['gates']} / {row[n]['depth']}" if n in known else "-" for n in PEERS]
        mine = row["ours"]
        best = min(known, key=lambda name: known[name]["gates"], default=None)
        if best is None:
            continue
        ratio = mine["gates"] / known[best]["gates"]
        if known[best]["gates"] > FREE * min(row["free"].values(), default=0):
            hard.append(ratio)
            depths.append(mine["depth"] / known[best]["depth"])
        if ratio > 1:
            worse.append(f"{row['name']} ({ratio:.3f})")
        seconds = known.get("qiskit", {}).get("seconds", float("nan"))
        times += [mine["seconds"] / seconds] if seconds == seconds else []
        cells += [
            f"{mine['gates']} / {mine['depth']}",
            f"{ratio:.3f}",
            f"{seconds:.3f}",
            f"{mine['seconds']:.3f}",
        ]
        print(f"| {row['name']} | {' | '.join(cells)} |")
    print(f"\n{len(rows)} circuits; the best peer needs routing for {len(hard)}; geometric means over these:")
    print(
        f"gates / best peer's {geometric_mean(hard):.3f}, two-qubit depth / its {geometric_mean(depths):.3f}"
    )
    print(f"seconds / Qiskit over all: {geometric_mean(times):.2f}, at most {max(times, default=0):.1f}")
    print("a peer is better at:", ", ".join(worse) or "none")


def main() -> None:
    """Read the options, run what is missing, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--targets", nargs="*", default=["willow", "eagle", "line"])
    parser.add_argument("--peer-python", default=sys.executable)
    parser.add_argument("--peers", nargs="*", default=PEERS, choices=PEERS)
    parser.add_argument("--only", nargs="*", default=None)
    parser.add_argument("--level", type=int, default=3, help="our level")
    parser.add_argument("--effort", default="usual", choices=("usual", "long"), help="our effort")
    parser.add_argument("--seeds", type=int, default=5, help="of Qiskit")
    parser.add_argument("--rounds", type=int, default=1, help="of ours, for the seconds")
    parser.add_argument("--limit", type=int, default=300, help="seconds for one peer and circuit")
    parser.add_argument("--rows", type=Path, default=None)
    parser.add_argument("--again", action="store_true", help="do ours anew for all rows that are kept")
    options = parser.parse_args()
    paths = [p for p in sorted(options.folder.glob("*.qasm")) if not options.only or p.stem in options.only]
    kept = options.rows.read_text().splitlines() if options.rows and options.rows.exists() else []
    rows = [json.loads(line) for line in kept]
    done = {(row["name"], row["target"]) for row in rows}
    ours(
        paths[0], nx.path_graph(width(paths[0])), options.level, 1
    )  # kernels are compiled before the clock starts
    if options.again:
        named = {path.stem: path for path in paths}
        for row in rows:
            if row["name"] not in named:
                continue
            path = named[row["name"]]
            row |= {"level": options.level, "effort": options.effort}
            graph = graph_of(row["target"], width(path))
            row["ours"] = ours(path, graph, options.level, options.rounds, options.effort)
            print(f"{path.stem} on {row['target']}: {row['ours']}", file=sys.stderr, flush=True)
        options.rows.write_text("".join(json.dumps(row) + "\n" for row in rows))
    for path in paths:
        missing = [target for target in options.targets if (path.stem, target) not in done]
        free = all_to_all(path, options) if missing else {}
        for target in missing:
            rows.append(one(path, target, options, free))
            if options.rows:
                with options.rows.open("a") as file:
                    file.write(json.dumps(rows[-1]) + "\n")
            print(f"{path.stem} on {target}: {rows[-1]['ours']}", file=sys.stderr, flush=True)
    for target in options.targets:
        show(rows, target)


if __name__ == "__main__":
    main()
