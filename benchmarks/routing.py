"""SWAPs and seconds of `Route` and of Cirq's `RouteCQC`, on Google's Willow graph.

Run: python benchmarks/routing.py [largest number of qubits for Cirq]
Times are of one machine, side by side in one run; our kernels are compiled before the clock starts.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

import cirq
import cirq_google
import numpy as np

from qattn_compiler.circuit.gates import GATES
from qattn_compiler.circuit.table import Builder, Circuit
from qattn_compiler.device import Device
from qattn_compiler.passes.circuit.route import Route
from qattn_compiler.verify.replay import check_routing


def willow() -> Device:
    """The coupling graph of willow_pink, without error rates."""
    graph = cirq_google.engine.create_device_from_processor_id("willow_pink").metadata.nx_graph
    qubits = sorted(graph.nodes)
    index = {q: i for i, q in enumerate(qubits)}
    edges = sorted(tuple(sorted((index[a], index[b]))) for a, b in graph.edges)
    return Device("willow", tuple(qubits), np.array(edges), frozenset({"cz", "phased_xz"}))


def qft(n: int) -> Circuit:
    """The quantum Fourier transform without its final SWAPs."""
    builder = Builder(range(n))
    for i in range(n):
        builder.add("h", [i])
        for j in range(i + 1, n):
            builder.add("cphase", [j, i], [np.pi / 2 ** (j - i)])
    return builder.build()


def pairs(n: int, chosen: list[tuple[int, int]]) -> Circuit:
    """One CZ for each pair, in that order."""
    builder = Builder(range(n))
    for a, b in chosen:
        builder.add("cz", [a, b])
    return builder.build()


def random_pairs(n: int, gates: int) -> Circuit:
    """CZs on random pairs."""
    rng = np.random.default_rng(n)
    return pairs(n, [tuple(rng.permutation(n)[:2].tolist()) for _ in range(gates)])


def qaoa(n: int) -> Circuit:
    """Two layers over a random 3-regular graph."""
    import networkx as nx

    return pairs(n, 2 * list(nx.random_regular_graph(3, n, seed=1).edges))


def multiplexor(n: int) -> Circuit:
    """A uniformly controlled rotation of the last qubit: the CXs follow a Gray code."""
    builder = Builder(range(n))
    for step in range(1, 2 ** (n - 1) + 1):
        control = min((step & -step).bit_length() - 1, n - 2)
        builder.add("ry", [n - 1], [0.1 * step])
        builder.add("cx", [control, n - 1])
    return builder.build()


def cases() -> Iterator[tuple[str, Circuit]]:
    """Name and circuit of each case."""
    yield "multiplexor 6", multiplexor(6)
    yield "multiplexor 8", multiplexor(8)
    yield "qft 10", qft(10)
    yield "qft 18", qft(18)
    yield "qaoa 20", qaoa(20)
    yield "qaoa 60", qaoa(60)
    yield "ring 60", pairs(60, [(i, (i + 1) % 60) for i in range(60)])
    yield "path 98", pairs(98, [(i, i + 1) for i in range(97)])
    yield "random 16, 200 gates", random_pairs(16, 200)
    yield "random 64, 1000 gates", random_pairs(64, 1_000)
    yield "random 64, 10000 gates", random_pairs(64, 10_000)
    yield "random 64, 100000 gates", random_pairs(64, 100_000)


def with_cirq(circuit: Circuit, device: Device) -> tuple[int, float]:
    """SWAPs and seconds of RouteCQC; what matters to it are the pairs, so every gate becomes a CZ."""
    qubits = cirq.LineQubit.range(circuit.num_qubits)
    two = [
        p for p, op in zip(circuit.operands.tolist(), circuit.op, strict=True) if GATES[op].num_qubits == 2
    ]
    source = cirq.Circuit(cirq.CZ(qubits[a], qubits[b]) for a, b in two)
    import networkx as nx

    graph = nx.relabel_nodes(nx.Graph(device.graph), dict(enumerate(device.qubits)))
    started = time.perf_counter()
    out = cirq.RouteCQC(graph)(source)
    seconds = time.perf_counter() - started
    return sum(op.gate == cirq.SWAP for op in out.all_operations()), seconds


def main(widest: int = 64, longest: int = 1_000) -> None:
    """Print the table; Cirq is left out where it would take minutes."""
    device = willow()
    Route(device, trials=10).route(qft(7))
    Route(device, trials=10).route(pairs(4, [(i, i + 1) for i in range(3)]))
    print(f"{'case':26}{'SWAPs':>8}{'seconds':>9}{'Cirq':>8}{'seconds':>9}")
    for name, circuit in cases():
        started = time.perf_counter()
        routed = Route(device).route(circuit)
        seconds = time.perf_counter() - started
        check_routing(circuit, routed.circuit, routed.initial, routed.final, device.adjacency)
        line = f"{name:26}{routed.swaps:8}{seconds:9.2f}"
        if circuit.num_qubits <= widest and len(circuit) <= longest:
            swaps, seconds = with_cirq(circuit, device)
            line += f"{swaps:8}{seconds:9.2f}"
        print(line, flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
