"""Placement: perfect where a perfect placement exists, and on the good part of the chip."""

from __future__ import annotations

import importlib
import sys
from itertools import pairwise
from pathlib import Path

import networkx as nx
import numpy as np
import pytest

from qattn_compiler.circuit.table import Builder, Circuit
from qattn_compiler.device import Device
from qattn_compiler.errors import TargetError
from qattn_compiler.passes.circuit import layout_kernels
from qattn_compiler.passes.circuit.embed import perfect
from qattn_compiler.passes.circuit.place import Place
from qattn_compiler.passes.circuit.problem import chip_of, homes, read
from qattn_compiler.passes.circuit.route import Route
from qattn_compiler.passes.circuit.starts import special_starts

sys.path.append(str(Path(__file__).resolve().parents[3]))
optima = importlib.import_module("benchmarks.optima")


def device_of(graph: nx.Graph, **errors: np.ndarray) -> Device:
    graph = nx.convert_node_labels_to_integers(graph)
    edges = np.array(sorted(tuple(sorted(e)) for e in graph.edges), dtype=np.int32).reshape(-1, 2)
    return Device("test", tuple(f"p{i}" for i in range(len(graph))), edges, frozenset({"cz"}), **errors)


def circuit_of(graph: nx.Graph, idle: int = 0) -> Circuit:
    graph = nx.convert_node_labels_to_integers(graph)
    builder = Builder(range(len(graph) + idle))
    for a, b in graph.edges:
        builder.add("cz", [a, b])
    return builder.build()


def is_perfect(circuit: Circuit, device: Device, layout: np.ndarray) -> bool:
    pairs = read(circuit).pairs
    assert len(np.unique(layout)) == circuit.num_qubits
    return bool(device.adjacency[layout[pairs[:, 0]], layout[pairs[:, 1]]].all())


@pytest.mark.parametrize(
    ("small", "big"),
    [
        (nx.path_graph(60), nx.grid_2d_graph(8, 8)),
        (nx.cycle_graph(60), nx.grid_2d_graph(8, 8)),
        (nx.cycle_graph(12), nx.hexagonal_lattice_graph(3, 3)),
        (nx.grid_2d_graph(3, 4), nx.grid_2d_graph(7, 7)),
        (nx.star_graph(4), nx.grid_2d_graph(5, 5)),
        (nx.balanced_tree(2, 2), nx.grid_2d_graph(5, 5)),
        (nx.disjoint_union(nx.path_graph(5), nx.path_graph(4)), nx.path_graph(9)),
        (nx.path_graph(1), nx.path_graph(3)),
    ],
)
def test_finds_perfect_placements(small: nx.Graph, big: nx.Graph) -> None:
    circuit, device = circuit_of(small), device_of(big)
    assert is_perfect(circuit, device, Place(device).place(circuit))


@pytest.mark.parametrize("small", [nx.cycle_graph(41), nx.complete_graph(5), nx.star_graph(6)])
def test_hopeless_cases_have_no_perfect_placement(small: nx.Graph) -> None:
    device = device_of(nx.grid_2d_graph(9, 9))
    problem = read(circuit_of(small))
    assert perfect(problem, device) is None


def test_takes_the_good_part_of_the_chip() -> None:
    graph = nx.convert_node_labels_to_integers(nx.grid_2d_graph(5, 5))
    edges = np.array(sorted(tuple(sorted(e)) for e in graph.edges))
    error = np.where((edges >= 15).all(axis=1), 0.001, 0.02)
    device = device_of(graph, edge_error=error)
    layout = Place(device).place(circuit_of(nx.path_graph(4)))
    assert (layout >= 15).all()


def test_unknown_errors_are_neutral() -> None:
    graph = nx.grid_2d_graph(4, 4)
    error = np.full(graph.number_of_edges(), np.nan)
    error[0] = 0.01
    layout = Place(device_of(graph, edge_error=error)).place(circuit_of(nx.path_graph(4), idle=2))
    assert len(np.unique(layout)) == 6


def test_measured_qubits_go_where_reading_is_good() -> None:
    readout = np.full((9, 2), 0.1)
    readout[7] = 0.001
    device = device_of(nx.path_graph(9), readout_error=readout)
    builder = Builder(range(2))
    builder.add("cz", [0, 1])
    builder.measure([1], "m")
    assert Place(device).place(builder.build())[1] == 7


def test_components_go_where_they_fit() -> None:
    chip = nx.disjoint_union(nx.path_graph(3), nx.path_graph(5))
    three = nx.disjoint_union(nx.path_graph(3), nx.disjoint_union(nx.path_graph(3), nx.path_graph(2)))
    circuit, device = circuit_of(three), device_of(chip)
    assert is_perfect(circuit, device, Place(device).place(circuit))
    with pytest.raises(TargetError, match="unconnected parts of 3, 5 qubits"):
        Place(device).place(circuit_of(nx.path_graph(6)))


def test_run_relabels_onto_the_device() -> None:
    device = device_of(nx.path_graph(5))
    circuit = circuit_of(nx.path_graph(3), idle=1)
    placed = Place(device).run(circuit)
    assert placed.qubits == device.qubits
    assert Place(device).run(placed) is placed
    assert len(placed) == len(circuit)


@pytest.mark.parametrize("length", [4, 30, 62, 64])
def test_rings_and_paths_are_simple(length: int) -> None:
    device = device_of(nx.grid_2d_graph(8, 8))
    neighbours, allowed = chip_of(device).neighbours, np.ones(64, dtype=np.bool_)
    ring = layout_kernels.ring(neighbours, allowed, length, 1_000_000, 1)
    path = layout_kernels.long_path(neighbours, allowed, length, 1_000, 1)
    assert len(np.unique(ring)) == length
    assert device.adjacency[ring, np.roll(ring, 1)].all()
    assert len(np.unique(path)) == len(path)
    assert device.adjacency[path[1:], path[:-1]].all()


# -- Circuits whose best routing is known


@pytest.mark.parametrize("name", list(optima.GRAPHS))
@pytest.mark.parametrize("density", [0.2, 0.9])
def test_queko_circuits_are_placed_perfectly(name: str, density: float) -> None:
    graph = optima.GRAPHS[name]()
    device = device_of(graph)
    for seed in range(4):
        pairs = optima.queko(graph, 5 + 20 * seed, density, np.random.default_rng(seed))
        assert Route(device).route(optima.circuit_of(len(graph), pairs)).swaps == 0


def test_qubikos_circuits_need_as_many_swaps_as_they_say() -> None:
    graph = optima.tokyo_20()
    pairs = optima.qubikos(graph, 5, 20, np.random.default_rng(0))
    assert Route(device_of(graph), passes=720.0).route(optima.circuit_of(20, pairs)).swaps == 5


def special(small: nx.Graph, big: nx.Graph) -> list[list[int]]:
    circuit, device = circuit_of(small), device_of(big)
    problem = read(circuit)
    return [layout.tolist() for layout in special_starts(problem, device, homes(problem, device), 0)]


@pytest.mark.parametrize("small", [nx.grid_2d_graph(4, 4), nx.complete_graph(9)])
@pytest.mark.parametrize("spare", [0, 3])
def test_qubits_may_start_in_their_own_order_along_a_line(small: nx.Graph, spare: int) -> None:
    size = len(small)
    assert list(range(size)) in special(small, nx.path_graph(size + spare))


def test_qubits_may_start_in_their_own_order_around_a_ring() -> None:
    found = special(nx.grid_2d_graph(3, 3), nx.cycle_graph(12))
    assert any({(b - a) % 12 for a, b in pairwise(layout)} in ({1}, {11}) for layout in found)


def test_their_own_order_is_on_the_part_of_the_chip_that_has_room() -> None:
    parts = nx.disjoint_union(nx.path_graph(7), nx.path_graph(10))
    assert list(range(7, 16)) in special(nx.wheel_graph(9), parts)


def test_their_own_order_is_no_start_where_there_are_many_ways() -> None:
    assert all(sorted(one) != one for one in special(nx.wheel_graph(9), nx.grid_2d_graph(4, 4)))
