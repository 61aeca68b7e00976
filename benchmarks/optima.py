"""Circuits whose best routing is known: QUEKO (no SWAP is needed) and QUBIKOS (so many are, and no fewer).

Run: python benchmarks/optima.py [--peer-python PATH] [--seeds 5] [--circuits 4]

QUEKO (Tan, Cong 2020, arXiv:2002.09783): layers of gates on couplings, then all qubits get new names.
QUBIKOS (arXiv:2502.08839): sections that need one SWAP each. A section is all couplings of a qubit of the
most neighbours, and a gate with one neighbour more: no layout has room for that. A chain of gates leads from
the end of each section to the next, so that every gate of a section waits for the one before. The SWAP
between (which brings the new neighbour) shows that one is enough. The gates are CZ between random
single-qubit gates, so that nothing commutes.

Printed are the SWAPs that our `Route` inserts (level 3 and 2) and those of Qiskit's level 3 layout and
routing, fewest of the seeds, with seconds of each run.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from itertools import pairwise
from typing import Any

import networkx as nx
import numpy as np

Pairs = list[tuple[int, int]]

PEER = r"""
import json, sys, time
import numpy as np
from qiskit import QuantumCircuit
from qiskit.transpiler import CouplingMap, generate_preset_pass_manager
size, edges, pairs, seeds = json.load(sys.stdin)
circuit, rng = QuantumCircuit(size), np.random.default_rng(0)
for a, b in pairs:
    circuit.cz(a, b)
    circuit.u(*rng.uniform(0, 6, 3), a)
    circuit.u(*rng.uniform(0, 6, 3), b)
coupling, found, begin = CouplingMap(edges + [[b, a] for a, b in edges]), [], time.perf_counter()
for seed in range(seeds):
    manager = generate_preset_pass_manager(
        3, coupling_map=coupling, basis_gates=["cz", "u", "swap"], seed_transpiler=seed
    )
    manager.optimization = manager.translation = manager.init = None
    found.append(manager.run(circuit).count_ops().get("swap", 0))
print(json.dumps([min(found), (time.perf_counter() - begin) / seeds]))
"""


def aspen_16() -> nx.Graph:
    """Two rings of eight, joined twice."""
    graph = nx.disjoint_union(nx.cycle_graph(8), nx.cycle_graph(8))
    graph.add_edges_from([(1, 14), (2, 13)])
    return graph


def tokyo_20() -> nx.Graph:
    """A grid of 4 x 5 with crosses in every other square."""
    graph = nx.convert_node_labels_to_integers(nx.grid_2d_graph(4, 5), ordering="sorted")
    crossed = [(1, 7), (2, 6), (3, 9), (4, 8), (5, 11), (6, 10), (7, 13), (8, 12), (11, 17), (12, 16)]
    graph.add_edges_from([*crossed, (13, 19), (14, 18)])
    return graph


def rochester_53() -> nx.Graph:
    """Rows of five and nine qubits with links between them, as IBM built it."""
    rows = [range(5), range(7, 16), range(19, 28), range(30, 39), range(42, 51)]
    graph = nx.Graph((a, a + 1) for row in rows for a in list(row)[:-1])
    links = [(0, 5, 9), (4, 6, 13), (7, 16, 19), (11, 17, 23), (15, 18, 27)]
    links += [(21, 28, 32), (25, 29, 36), (30, 39, 42), (34, 40, 46), (38, 41, 50)]
    graph.add_edges_from(edge for a, b, c in links for edge in ((a, b), (b, c)))
    graph.add_edges_from([(44, 51), (48, 52)])
    return graph


def sycamore_54() -> nx.Graph:
    """Nine by six qubits, each coupled to two in the next row."""
    graph = nx.Graph()
    for row in range(8):
        for column in range(6):
            for shift in (0, 1 if row % 2 else -1):
                if 0 <= column + shift < 6:
                    graph.add_edge(6 * row + column, 6 * row + 6 + column + shift)
    return graph


GRAPHS = {
    "Aspen-16": aspen_16,
    "Tokyo-20": tokyo_20,
    "Rochester-53": rochester_53,
    "Sycamore-54": sycamore_54,
}


def queko(graph: nx.Graph, depth: int, density: float, rng: np.random.Generator) -> Pairs:
    """Pairs of gates in layers on edges, each layer with a gate that must wait for the one before; then all
    qubits get new names."""
    names = rng.permutation(len(graph)).tolist()
    pairs: Pairs = []
    edges = [tuple(edge) for edge in graph.edges]
    last: set[int] = set()
    for _ in range(depth):
        chain = [edge for edge in edges if not last or last & set(edge)]
        layer = [chain[rng.integers(len(chain))]]
        last = set(layer[0])
        used = set(last)
        for number in rng.permutation(len(edges)).tolist():
            edge = edges[number]
            if not used & set(edge) and rng.random() < density:
                layer.append(edge)
                used |= set(edge)
        pairs += [(names[a], names[b]) for a, b in layer]
    return pairs


def qubikos(graph: nx.Graph, swaps: int, padding: int, rng: np.random.Generator) -> Pairs:
    """Pairs of gates that need `swaps` SWAPs, not one less, with `padding` more gates before each section.

    Args:
        graph: connected, on numbers from 0, not complete.
        swaps: how many sections.
        padding: gates on random couplings, which cost nothing from the right layout.
        rng: of all choices.
    """
    place = rng.permutation(len(graph))  # logical -> physical
    edges, most = list(graph.edges), max(degree for _, degree in graph.degree)
    centres = [p for p, degree in graph.degree if degree == most]
    end, pairs = int(rng.integers(len(graph))), []
    for _ in range(swaps):
        on = np.argsort(place)  # physical -> logical
        pairs += [
            (int(on[a]), int(on[b])) for a, b in (edges[k] for k in rng.integers(len(edges), size=padding))
        ]
        p = centres[rng.integers(len(centres))]
        path = nx.shortest_path(graph, end, p)
        pairs += [(int(on[a]), int(on[b])) for a, b in pairwise(path)]
        around = list(graph.neighbors(p))
        pairs += [(int(on[p]), int(on[q])) for q in rng.permutation(around).tolist()]
        # The neighbour that leaves and the qubit that takes its place, or p itself moves next to a new one.
        ways = [(q, r) for q in around for r in graph.neighbors(q) if r != p and r not in around]
        if not ways:
            raise ValueError("the graph has no second neighbours")
        q, r = ways[rng.integers(len(ways))]
        new = int(on[r])
        place[on[q]], place[on[r]] = r, q
        pairs.append((int(on[p]), new))
        end = int(place[new])
    return pairs


def circuit_of(size: int, pairs: Pairs) -> Any:
    """CZ on the pairs, random single-qubit gates between."""
    from qattn_compiler.circuit.table import Builder

    builder, rng = Builder(range(size)), np.random.default_rng(0)
    for a, b in pairs:
        builder.add("cz", [a, b])
        for q in (a, b):
            builder.add("phased_xz", [q], rng.uniform(0.1, 0.9, 3).tolist())
    return builder.build()


def ours(graph: nx.Graph, circuit: Any, level: int) -> tuple[int, float]:
    """SWAPs that `Route` inserts, checked by replay, and seconds."""
    from qattn_compiler.targets.target import Target
    from qattn_compiler.verify.replay import check_routing

    machine = Target.from_graph(graph)
    router = machine.route(level, 0)
    begin = time.perf_counter()
    routed = router.route(circuit)
    seconds = time.perf_counter() - begin
    check_routing(circuit, routed.circuit, routed.initial, routed.final, machine.device.adjacency)
    return routed.swaps, seconds


def qiskit(python: str, graph: nx.Graph, pairs: Pairs, seeds: int) -> tuple[int, float] | None:
    """The same of Qiskit's level 3; None if that fails."""
    given = json.dumps([len(graph), [list(edge) for edge in graph.edges], pairs, seeds])
    done = subprocess.run([python, "-c", PEER], input=given, capture_output=True, text=True, check=False)
    if not done.stdout:
        print(done.stderr[-300:], file=sys.stderr)
        return None
    swaps, seconds = json.loads(done.stdout)
    return int(swaps), float(seconds)


def main() -> None:
    """Print one line for each kind and graph: means over the circuits."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--peer-python", default=sys.executable)
    parser.add_argument("--seeds", type=int, default=5, help="of Qiskit")
    parser.add_argument("--circuits", type=int, default=4, help="of each kind, graph and size")
    options = parser.parse_args()
    ours(nx.path_graph(4), circuit_of(4, [(0, 1), (0, 2), (0, 3), (1, 3)]), 3)  # kernels are compiled
    print("| kind | graph | gates | least | ours, 3 | ours, 2 | Qiskit | s ours, 3 | s ours, 2 | s Qiskit |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    gaps: list[tuple[float, float, float]] = []
    for name, make in GRAPHS.items():
        graph = make()
        kinds = [("QUEKO", 0, lambda g, rng: queko(g, 25, 0.5, rng))]
        kinds += [("QUBIKOS", k, lambda g, rng, k=k: qubikos(g, k, 20, rng)) for k in (5, 20)]
        for kind, least, draw in kinds:
            rows = []
            for number in range(options.circuits):
                pairs = draw(graph, np.random.default_rng(number))
                circuit = circuit_of(len(graph), pairs)
                row = [*ours(graph, circuit, 3), *ours(graph, circuit, 2)]
                peer = qiskit(options.peer_python, graph, pairs, options.seeds)
                rows.append([len(pairs), *row, *(peer or (np.nan, np.nan))])
            gates, long, s_long, usual, s_usual, theirs, s_theirs = np.mean(rows, axis=0)
            if least:
                gaps.append((long - least, usual - least, theirs - least))
            print(
                f"| {kind} | {name} | {gates:.0f} | {least} | {long:.1f} | {usual:.1f} | {theirs:.1f} "
                f"| {s_long:.2f} | {s_usual:.2f} | {s_theirs:.2f} |",
                flush=True,
            )
    long, usual, theirs = np.sum(gaps, axis=0)
    print(f"\nQUBIKOS, SWAPs above the least / Qiskit's: {long / theirs:.3f} (3), {usual / theirs:.3f} (2)")


if __name__ == "__main__":
    main()
