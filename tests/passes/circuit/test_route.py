"""Routing: valid on the chip, equivalent to the input, never a hang, and as good as measured."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import cirq
import cirq_google
import networkx as nx
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qattn_compiler.circuit.gates import AXIS_CODES, BY_NAME, GATES, SWAP
from qattn_compiler.circuit.layout import Routed
from qattn_compiler.circuit.table import Builder, Circuit, Extra, same
from qattn_compiler.device import Device
from qattn_compiler.errors import OptionError, PassError, TargetError
from qattn_compiler.passes.circuit import kernels
from qattn_compiler.passes.circuit.absorb_swaps import AbsorbSwaps
from qattn_compiler.passes.circuit.cancel_inverses import CancelInverses
from qattn_compiler.passes.circuit.contest import Contest, Rules
from qattn_compiler.passes.circuit.cost import entanglers
from qattn_compiler.passes.circuit.knobs import knob_sets
from qattn_compiler.passes.circuit.problem import chip_of, read
from qattn_compiler.passes.circuit.resynthesise_two_qubit import ResynthesiseTwoQubit
from qattn_compiler.passes.circuit.route import Route, _insert
from qattn_compiler.verify.replay import check_routing

ONE = ("h", "t", "rx", "phased_xz")
TWO = ("cx", "cz", "swap", "rzz", "givens", "fsim", "cphase")


def device_of(graph: nx.Graph, **errors: np.ndarray) -> Device:
    graph = nx.convert_node_labels_to_integers(graph)
    edges = np.array(sorted(tuple(sorted(e)) for e in graph.edges), dtype=np.int32).reshape(-1, 2)
    qubits = tuple(f"p{i}" for i in range(len(graph)))
    return Device("test", qubits, edges, frozenset({"cz", "phased_xz"}), **errors)


def grid_with_holes(seed: int) -> nx.Graph:
    graph = nx.grid_2d_graph(4, 4)
    rng = np.random.default_rng(seed)
    for node in rng.permutation(sorted(graph.nodes))[:3]:
        smaller = graph.copy()
        smaller.remove_node(tuple(node))
        graph = smaller if nx.is_connected(smaller) else graph
    return graph


GRAPHS = {
    "line": lambda seed: nx.path_graph(9),
    "ring": lambda seed: nx.cycle_graph(9),
    "star": lambda seed: nx.star_graph(8),
    "tree": lambda seed: nx.random_labeled_tree(10, seed=seed),
    "grid": grid_with_holes,
    "full": lambda seed: nx.complete_graph(7),
    "heavy_hex": lambda seed: nx.Graph(
        [(i, i + 1) for i in (*range(6), *range(9, 15))] + [(0, 7), (4, 8), (7, 9), (8, 13)]
    ),
    "two_parts": lambda seed: nx.disjoint_union(nx.path_graph(8), nx.cycle_graph(5)),
}


def random_rows(rng: np.random.Generator, qubits: int, rows: int, unitary: bool = False) -> Circuit:
    """Gates, symbols and, unless `unitary`, measurements, resets, keys, controls and walls."""
    builder = Builder([f"q{i}" for i in range(qubits)])
    builder.add_phase((0.25, {"g": 0.5}))
    for row in range(rows):
        kind = rng.integers(20)
        picked = [int(q) for q in rng.permutation(qubits)]
        angles = [(float(rng.normal()), {f"s{row % 3}": 0.5} if rng.random() < 0.2 else {}) for _ in range(3)]
        if not unitary and kind == 0:
            builder.measure(picked[: 1 + int(rng.integers(qubits))], f"m{row % 4}", invert=(True,))
        elif not unitary and kind == 1:
            builder.reset(picked[0], tags=("again",))
        elif not unitary and kind == 2:
            builder.opaque(picked[: min(2, qubits)], payload="wall", reads=(f"m{row % 4}",))
        elif not unitary and kind == 3:
            builder.add("x", picked[:1], (), Extra(reads=(f"m{row % 4}",), tags=("if",)))
        elif kind < 8 or qubits < 2:
            name = ONE[int(rng.integers(len(ONE)))]
            builder.add(name, picked[:1], angles[: GATES[[g.name for g in GATES].index(name)].num_angles])
        else:
            name = TWO[int(rng.integers(len(TWO)))]
            builder.add(name, picked[:2], angles[: GATES[[g.name for g in GATES].index(name)].num_angles])
    return builder.build()


def check(circuit: Circuit, device: Device, routed: Routed) -> None:
    assert routed.circuit.qubits == device.qubits
    assert routed.initial.dtype == np.int32
    assert routed.final.dtype == np.int32
    count = int((routed.circuit.op == SWAP).sum()) - int((circuit.op == SWAP).sum())
    assert routed.swaps == count
    check_routing(circuit, routed.circuit, routed.initial, routed.final, device.adjacency)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(GRAPHS)), st.integers(0, 10**6), st.integers(1, 7), st.integers(0, 40))
def test_any_circuit_on_any_graph(shape: str, seed: int, qubits: int, rows: int) -> None:
    device = device_of(GRAPHS[shape](seed))
    circuit = random_rows(np.random.default_rng(seed), qubits, rows)
    check(circuit, device, Route(device, seed=seed % 7, passes=4.0).route(circuit))


def apply(circuit: Circuit, state: np.ndarray) -> np.ndarray:
    """A plain simulation, big-endian; columns of `state` are states."""
    n = circuit.num_qubits
    tensor = state.reshape((2,) * n + (-1,))
    for row in range(len(circuit)):
        gate = GATES[circuit.op[row]]
        qubits = circuit.operands[row, : gate.num_qubits].tolist()
        matrix = gate.matrix(*circuit.angles[row, : gate.num_angles]).reshape((2,) * (2 * len(qubits)))
        tensor = np.tensordot(matrix, tensor, (range(len(qubits), 2 * len(qubits)), qubits))
        tensor = np.moveaxis(tensor, range(len(qubits)), qubits)
    return np.exp(1j * circuit.phase) * tensor.reshape(2**n, -1)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(["line", "star", "ring"]), st.integers(0, 10**6), st.integers(2, 5))
def test_same_unitary_up_to_the_layouts(shape: str, seed: int, qubits: int) -> None:
    graph = {"line": nx.path_graph(6), "star": nx.star_graph(5), "ring": nx.cycle_graph(6)}[shape]
    device = device_of(graph)
    rng = np.random.default_rng(seed)
    circuit = random_rows(rng, qubits, 20, unitary=True)
    circuit = circuit.bind({p.name: float(rng.normal()) for p in circuit.params})
    routed = Route(device, passes=4.0).route(circuit)
    logical = rng.normal(size=2**qubits) + 1j * rng.normal(size=2**qubits)
    rest = 6 - qubits

    def spread(vector: np.ndarray, layout: np.ndarray) -> np.ndarray:
        padded = np.zeros((2**qubits, 2**rest), dtype=complex)
        padded[:, 0] = vector
        others = [p for p in range(6) if p not in layout]
        return np.moveaxis(padded.reshape((2,) * 6), range(6), [*layout.tolist(), *others]).reshape(-1)

    before = spread(apply(circuit, logical).reshape(-1), routed.final)
    after = apply(routed.circuit, spread(logical, routed.initial)).reshape(-1)
    np.testing.assert_allclose(after, before, atol=1e-9)


def test_cirq_agrees() -> None:
    device = device_of(nx.path_graph(4))
    builder = Builder(range(4))
    for a, b in [(0, 1), (0, 2), (0, 3), (1, 3), (1, 2), (2, 3)]:
        builder.add("h", [a])
        builder.add("t", [b])
        builder.add("cx", [a, b])
    circuit = builder.build()
    routed = Route(device).route(circuit, initial=[0, 1, 2, 3])
    line = cirq.LineQubit.range(4)
    names = {"h": cirq.H, "t": cirq.T, "cx": cirq.CX, "swap": cirq.SWAP}

    def to_cirq(source: Circuit) -> cirq.Circuit:
        rows = zip(source.op.tolist(), source.operands.tolist(), strict=True)
        return cirq.Circuit(names[GATES[op].name](*(line[q] for q in pair if q >= 0)) for op, pair in rows)

    cirq.testing.assert_circuits_have_same_unitary_given_final_permutation(
        to_cirq(routed.circuit), to_cirq(circuit), {line[i]: line[int(p)] for i, p in enumerate(routed.final)}
    )


def test_nothing_to_do_gives_the_same_object() -> None:
    device = device_of(nx.path_graph(3))
    builder = Builder(device.qubits)
    builder.add("cz", [0, 1])
    builder.add("cz", [1, 2])
    circuit = builder.build()
    routed = Route(device).route(circuit)
    assert routed.circuit is circuit
    assert routed.swaps == 0


def test_same_seed_same_bytes() -> None:
    device = device_of(nx.grid_2d_graph(4, 4))
    circuit = random_rows(np.random.default_rng(3), 8, 120)
    first, second = (Route(device, seed=5).route(circuit) for _ in range(2))
    assert same(first.circuit, second.circuit)
    np.testing.assert_array_equal(first.final, second.final)


def test_a_given_layout_is_kept() -> None:
    device = device_of(nx.path_graph(5))
    circuit = random_rows(np.random.default_rng(4), 4, 40)
    initial = np.array([4, 0, 2, 1])
    routed = Route(device).route(circuit, initial)
    np.testing.assert_array_equal(routed.initial, initial)
    check(circuit, device, routed)


def test_a_wide_measurement_is_no_gate() -> None:
    device = device_of(nx.star_graph(4))
    builder = Builder(range(5))
    builder.measure(range(5), "all")
    circuit = builder.build()
    assert Route(device).route(circuit).swaps == 0


def test_refusals_say_what_is_wrong() -> None:
    device = device_of(nx.path_graph(3))
    with pytest.raises(TargetError, match=r"5 qubits.*has 3: 2 are missing"):
        Route(device).route(random_rows(np.random.default_rng(0), 5, 9))
    builder = Builder(range(3))
    builder.opaque(range(3), payload="toffoli")
    with pytest.raises(PassError, match=r"toffoli.*3 qubits.*\n.*decompose"):
        Route(device).route(builder.build())
    parts = device_of(nx.disjoint_union(nx.path_graph(2), nx.path_graph(2)))
    builder = Builder(range(3))
    builder.add("cz", [0, 1])
    builder.add("cz", [1, 2])
    with pytest.raises(TargetError, match="unconnected parts"):
        Route(parts).route(builder.build())
    split = device_of(nx.disjoint_union(nx.path_graph(3), nx.path_graph(1)))
    with pytest.raises(TargetError, match="unconnected parts"):
        Route(split).route(builder.build(), [0, 1, 3])
    with pytest.raises(PassError, match="different qubits"):
        Route(device).route(builder.build(), [0, 0, 1])
    with pytest.raises(PassError, match="outside"):
        Route(device).route(builder.build(), [0, 1, 7])
    for bad in ({"objective": "best"}, {"passes": 0.0}, {"decay": 2.0}):
        with pytest.raises(OptionError):
            Route(device, **bad).route(builder.build())


@pytest.mark.parametrize("objective", ["count", "depth", "fidelity"])
def test_objectives(objective: str) -> None:
    graph = nx.grid_2d_graph(4, 4)
    rng = np.random.default_rng(1)
    errors = {"edge_error": rng.uniform(0.001, 0.02, graph.number_of_edges())}
    device = device_of(graph, **errors)
    circuit = random_rows(np.random.default_rng(2), 6, 80)
    check(circuit, device, Route(device, objective=objective).route(circuit))


def lattice(n: int) -> Circuit:
    """A ZZ rotation on every pair, in an order that no chip likes, between other gates."""
    builder = Builder([f"q{i}" for i in range(n)])
    for q in range(n):
        builder.add("h", [q])
    for step, (a, b) in enumerate(
        np.random.default_rng(n).permutation(list(combinations(range(n), 2))).tolist()
    ):
        builder.add("rzz", [a, b], [(0.1 * step, {"g": 1.0})])
        builder.add("rz", [a], [0.2])
    for q in range(n):
        builder.add("rx", [q], [0.3])
    builder.add("cx", [0, n - 1])
    return builder.build()


def cz_after_joining(routed: Routed) -> int:
    """Native gates once SWAPs have joined the gates beside them."""
    return entanglers(AbsorbSwaps().run(CancelInverses().run(routed.circuit)))


def test_commuting_gates_are_routed_in_the_cheapest_order() -> None:
    """All pairs on a line: n (n - 1) / 2 merged rotations of 3 gates each are a linear swap network."""
    device = device_of(nx.path_graph(7))
    circuit = lattice(7)
    routed = Route(device).route(circuit)
    check(circuit, device, routed)
    assert cz_after_joining(routed) <= 3 * 21 + 3
    kept = replace(
        circuit, op=np.where(circuit.op == BY_NAME["rzz"].code, BY_NAME["givens"].code, circuit.op)
    )
    assert cz_after_joining(Route(device).route(kept)) > 1.2 * 3 * 21


def test_the_cost_that_the_search_sees_is_what_comes_out() -> None:
    """A gate that joins a SWAP across others that commute really stands beside it."""
    for seed in range(12):
        rng = np.random.default_rng(seed)
        n = 7
        builder = Builder(range(n))
        for _ in range(40):
            name = ("cz", "rzz", "cx")[int(rng.integers(3 if seed % 2 else 2))]
            builder.add(name, rng.permutation(n)[:2].tolist(), [float(rng.normal())] * (name == "rzz"))
        circuit, device = builder.build(), device_of(GRAPHS[sorted(GRAPHS)[seed % 7]](seed))
        if device.num_qubits < n:
            continue
        problem = read(circuit)
        found = Contest([problem], device, Rules(0, 12.0)).routes()[0][1]
        routed = _insert(problem, device, found)
        check(circuit, device, routed)
        cost = entanglers(ResynthesiseTwoQubit().run(AbsorbSwaps().run(routed.circuit)))
        assert cost <= found.total + 1


def test_dependencies_are_linear_and_exact() -> None:
    """Reachability over joints is the transitive closure of all pairs that do not commute."""
    for seed in range(30):
        circuit = random_rows(np.random.default_rng(seed), 5, 24)
        problem = read(circuit)
        eras, dag = problem.eras, problem.ways[0][0]
        assert len(dag.after) <= 4 * len(eras.stop_row)
        hard, reach = len(eras.hard), nx.DiGraph()
        reach.add_nodes_from(range(len(dag.first)))
        for g in range(len(dag.first)):
            reach.add_edges_from((g, int(t)) for t in dag.after[dag.start[g] : dag.start[g + 1]])
        wanted = nx.DiGraph()
        wanted.add_nodes_from(range(len(circuit)))
        for late in range(len(circuit)):
            for early in range(late):
                if not may_exchange(circuit, early, late):
                    wanted.add_edge(early, late)
        found, needed = nx.transitive_closure(reach), nx.transitive_closure(wanted)
        for i in range(hard):
            for j in range(hard):
                assert found.has_edge(i, j) == needed.has_edge(int(eras.hard[i]), int(eras.hard[j]))


def may_exchange(circuit: Circuit, early: int, late: int) -> bool:
    for q in set(circuit.wires[early].tolist()) & set(circuit.wires[late].tolist()) - {-1}:
        axes = []
        for row in (early, late):
            column = circuit.wires[row].tolist().index(q)
            axes.append(0 if circuit.extra[row] >= 0 else AXIS_CODES[circuit.op[row], column])
        if 0 in axes or axes[0] != axes[1]:
            return False
    return True


def test_the_release_valve_ends_a_stall() -> None:
    """With no patience at all every step is the shortest path's."""
    device = device_of(nx.cycle_graph(12))
    circuit = random_rows(np.random.default_rng(9), 12, 200, unitary=True)
    problem = read(circuit)
    knobs = knob_sets(device, 20, 0.001)[0].copy()
    knobs[kernels.PATIENCE] = 0
    start = np.arange(12, dtype=np.int32)
    chip, unrecorded = chip_of(device), np.empty((0, 2), np.int32)
    swaps = np.array([1.0, 0.0, 0.0, 0.0])
    total = kernels.turn(*problem.ways[0], chip, start, knobs, 0, swaps, np.inf, False, unrecorded)[2]
    assert total <= len(problem.eras.hard) * 6


def willow() -> Device:
    graph = cirq_google.engine.create_device_from_processor_id("willow_pink").metadata.nx_graph
    qubits = sorted(graph.nodes)
    rng = np.random.default_rng(0)
    relabeled = nx.relabel_nodes(graph, {q: i for i, q in enumerate(qubits)})
    ordered = nx.Graph()
    ordered.add_nodes_from(range(len(qubits)))
    ordered.add_edges_from(relabeled.edges)
    return device_of(ordered, edge_error=rng.uniform(0.002, 0.01, ordered.number_of_edges()))


def test_small_circuit_on_a_big_chip_is_short() -> None:
    device = willow()
    circuit = random_rows(np.random.default_rng(5), 6, 100, unitary=True)
    routed = Route(device).route(circuit)
    check(circuit, device, routed)
    assert routed.swaps <= 35


def test_many_gates() -> None:
    device = device_of(nx.grid_2d_graph(5, 5))
    circuit = random_rows(np.random.default_rng(6), 25, 6_000, unitary=True)
    routed = Route(device).route(circuit)
    check(circuit, device, routed)
