"""The contest: valid routes within its budget, the same for any number of threads, whatever the circuit."""

from __future__ import annotations

from itertools import permutations

import networkx as nx
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qattn_compiler import threads
from qattn_compiler.circuit.table import Builder, Circuit, same
from qattn_compiler.device import Device
from qattn_compiler.passes.circuit import choice, contest, kernels, layout_kernels
from qattn_compiler.passes.circuit.choice import record
from qattn_compiler.passes.circuit.contest import Contest, Rules
from qattn_compiler.passes.circuit.cost import entanglers
from qattn_compiler.passes.circuit.knobs import PRICES, knob_sets
from qattn_compiler.passes.circuit.problem import chip_of, read
from qattn_compiler.passes.circuit.route import Route
from qattn_compiler.passes.circuit.route_parities import RouteParities, suits
from qattn_compiler.passes.placement.place_blocks import PlaceBlocks
from qattn_compiler.verify.replay import check_routing

GRAPHS = {
    "line": lambda seed: nx.path_graph(9),
    "ring": lambda seed: nx.cycle_graph(9),
    "star": lambda seed: nx.star_graph(8),
    "tree": lambda seed: nx.random_labeled_tree(10, seed=seed),
    "grid": lambda seed: nx.grid_2d_graph(3, 4),
    "two_parts": lambda seed: nx.disjoint_union(nx.path_graph(8), nx.cycle_graph(5)),
}


def device_of(graph: nx.Graph) -> Device:
    graph = nx.convert_node_labels_to_integers(graph)
    edges = np.array(sorted(tuple(sorted(e)) for e in graph.edges), dtype=np.int32).reshape(-1, 2)
    return Device("test", tuple(f"p{i}" for i in range(len(graph))), edges, frozenset({"cz"}))


def circuit_of(seed: int, qubits: int, rows: int, names: tuple[str, ...] = ("cz", "cx", "rzz")) -> Circuit:
    builder, rng = Builder(range(qubits)), np.random.default_rng(seed)
    for _ in range(rows):
        name = names[int(rng.integers(len(names)))]
        builder.add(name, rng.permutation(qubits)[:2].tolist(), [float(rng.normal())] * (name == "rzz"))
        builder.add("h", [int(rng.integers(qubits))])
    return builder.build()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(GRAPHS)), st.integers(0, 10**6), st.integers(2, 7), st.integers(0, 40))
def test_any_circuit_on_any_graph(shape: str, seed: int, qubits: int, rows: int) -> None:
    device, circuit = device_of(GRAPHS[shape](seed)), circuit_of(seed, qubits, rows)
    routed = Route(device, seed=seed % 5, passes=8.0).route(circuit)
    check_routing(circuit, routed.circuit, routed.initial, routed.final, device.adjacency)


def test_a_given_layout_is_kept() -> None:
    device, circuit = device_of(nx.grid_2d_graph(3, 4)), circuit_of(1, 7, 60)
    initial = np.random.default_rng(0).permutation(12)[:7]
    routed = Route(device, passes=20.0).route(circuit, initial)
    np.testing.assert_array_equal(routed.initial, initial)
    check_routing(circuit, routed.circuit, routed.initial, routed.final, device.adjacency)


def test_the_number_of_threads_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contest, "_SMALL", 0)
    device, circuits = device_of(nx.grid_2d_graph(4, 4)), [circuit_of(k, 9, 120) for k in (2, 2, 3)]
    results = []
    for workers in (1, 5):
        monkeypatch.setattr(threads, "_workers", lambda workers=workers: workers)
        results.append(Route(device, seed=2, passes=40.0).best(circuits))
    assert [number for number, _ in results[0]] == [number for number, _ in results[1]]
    assert all(same(a.circuit, b.circuit) for (_, a), (_, b) in zip(*results, strict=True))


def test_a_long_circuit_is_placed_by_its_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "_LONG", 20)
    for shape in ("grid", "two_parts"):
        device, circuit = device_of(GRAPHS[shape](0)), circuit_of(8, 6, 90)
        routed = Route(device, passes=8.0).route(circuit)
        check_routing(circuit, routed.circuit, routed.initial, routed.final, device.adjacency)


def test_more_passes_help_and_the_budget_holds() -> None:
    device = device_of(nx.grid_2d_graph(4, 4))
    problems = [read(circuit_of(k, 14, 300)) for k in range(6)]
    costs = []
    for passes in (4.0, 40.0, 400.0):
        total = 0.0
        for problem in problems:
            match = Contest([problem], device, Rules(0, passes))
            ((_, found),) = match.routes()
            total += found.total
            assert match.spent <= 1.2 * match.budget + 10 * match.budget / passes
        costs.append(total)
    assert costs[2] < costs[1] < costs[0]


def test_of_several_circuits_the_cheap_one_is_routed() -> None:
    device = device_of(nx.path_graph(8))
    dear, cheap = circuit_of(5, 8, 80), circuit_of(5, 8, 40)
    routes = Route(device, passes=20.0).best([dear, cheap])
    assert [number for number, _ in routes] == [1]
    perfect = Builder(range(8))
    for q in range(7):
        perfect.add("cz", [q, q + 1])
    assert [n for n, _ in Route(device, passes=20.0).best([dear, perfect.build()])] == [1]


def test_climbing_gives_a_route_that_costs_what_it_says() -> None:
    """The plain meaning of a climb: its events replayed from its layout are a route of that total."""
    for seed in range(6):
        device, circuit = device_of(nx.grid_2d_graph(3, 4)), circuit_of(seed, 10, 80)
        problem, chip = read(circuit), chip_of(device)
        price, knobs = np.array(PRICES["count"]), knob_sets(device, 20, 0.001)
        (forth, back), start = problem.ways[0], np.arange(10, dtype=np.int32)
        events = record(forth, chip, start, knobs[0], seed)
        given = (forth, back, chip, start, events)
        before = kernels.climb(*given, 0, knobs, seed, price, True, 8)
        layout, better, total, spent = kernels.climb(*given, 60_000, knobs, seed, price, True, 8)
        assert total < before[2]
        assert spent >= 60_000
        assert sorted(better[better[:, 0] >= 0, 0]) == list(range(len(forth.first)))
        again = kernels.climb(forth, back, chip, layout, better, 0, knobs, seed, price, True, 8)
        assert again[2] == total
        where = layout.copy()
        for what, other in better.tolist():
            if what < 0:
                p, q = -1 - what, other
                assert device.adjacency[p, q]
                where = np.where(where == p, q, np.where(where == q, p, where))
            elif forth.first[what] >= 0:
                assert device.adjacency[where[forth.first[what]], where[forth.second[what]]]


def test_a_turn_is_a_pass_or_two() -> None:
    device, circuit = device_of(nx.grid_2d_graph(3, 4)), circuit_of(3, 10, 60)
    problem, chip = read(circuit), chip_of(device)
    price, knobs = np.array(PRICES["count"]), knob_sets(device, 20, 0.001)[0]
    (forth, back), start, nothing = problem.ways[0], np.arange(10, dtype=np.int32), np.empty((0, 2), np.int32)
    given = (chip, start, knobs, 7, price)
    place_, end, total, work, used = kernels.turn(forth, back, *given, np.inf, False, nothing)
    np.testing.assert_array_equal(place_, start)
    assert used > len(forth.first)
    assert work >= used
    events = record(forth, chip, start, knobs, 7)
    assert len(events) == used
    assert kernels.climb(forth, back, chip, start, events, 0, knobs[None], 7, price, True, 8)[2] == total
    begin = kernels.turn(back, forth, chip, end, knobs, 57, price, np.inf, False, nothing)[1]
    place_, _, _, more, _ = kernels.turn(forth, back, chip, end, knobs, 7, price, np.inf, True, nothing)
    np.testing.assert_array_equal(place_, begin)
    assert more > work
    assert kernels.turn(forth, back, *given, 10.0, False, nothing)[2] == np.inf


def embeddings(small: nx.Graph, big: nx.Graph) -> int:
    """By trying everything."""
    found = 0
    for image in permutations(big.nodes, len(small)):
        found += all(big.has_edge(image[a], image[b]) for a, b in small.edges)
    return found


@pytest.mark.parametrize("seed", range(8))
def test_backtracking_finds_every_embedding(seed: int) -> None:
    small = nx.gnp_random_graph(4, 0.6, seed=seed)
    big = nx.gnp_random_graph(6, 0.5, seed=seed + 100)
    big.add_nodes_from(range(6))
    device = device_of(big)
    chip, near = chip_of(device), np.ascontiguousarray(device.adjacency)
    earlier = [[u for u in small[v] if u < v] for v in small]
    begin = np.cumsum([0, *map(len, earlier)]).astype(np.int32)
    later = np.array([sum(u > v for u in small[v]) for v in small], dtype=np.int32)
    flat = np.array([u for one in earlier for u in one], dtype=np.int32)
    ways, is_all = layout_kernels.embed(begin, flat, later, chip.neighbours, near, 1000, 10**6, seed)
    assert is_all
    assert len({tuple(way) for way in ways.tolist()}) == len(ways) == embeddings(small, big)
    assert all(near[way[a], way[b]] for way in ways for a, b in small.edges)
    assert not layout_kernels.embed(begin, flat, later, chip.neighbours, near, 1000, 2, seed)[1]


def test_parities_suit_few_dense_regions() -> None:
    star, brick, phases = Builder(range(40)), Builder(range(40)), Builder(range(40))
    for q in range(39):
        star.add("cx", [q, 39])
        brick.add("cx", [q, q + 1])
        brick.add("h", [q + 1])
        phases.add("rzz", [q, 39], [0.3])
    assert suits(star.build())
    assert not suits(brick.build())
    assert not suits(phases.build())
    device = device_of(nx.grid_2d_graph(6, 7))
    routed = RouteParities(device, tries=2, climbs=0).route(star.build())
    assert routed is not None
    assert entanglers(routed.circuit) <= 60


def test_small_blocks_are_left_to_the_router() -> None:
    builder = Builder(range(4))
    for k in range(8):
        builder.add("ry", [3], [0.1 + k])
        builder.add("cx", [(0, 1, 0, 2)[k % 4], 3])
    device = device_of(nx.path_graph(4))
    assert PlaceBlocks(device).place(builder.build()) is not None
    assert PlaceBlocks(device, starts=1, tries=50, least=9).place(builder.build()) is None
