"""Placement: perfect where a perfect placement exists, and on the good part of the chip."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

from qattn_compiler.circuit.table import Builder, Circuit
from qattn_compiler.device import Device
from qattn_compiler.errors import TargetError
from qattn_compiler.passes.circuit import kernels, place
from qattn_compiler.passes.circuit.place import Place
from qattn_compiler.passes.circuit.route import Route


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
    pairs = place.read(circuit).pairs
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
    problem = place.read(circuit_of(small))
    assert place.perfect(problem, device) is None


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
    neighbours, allowed = place.chip_of(device).neighbours, np.ones(64, dtype=np.bool_)
    ring = kernels.ring(neighbours, allowed, length, 1_000_000, 1)
    path = kernels.long_path(neighbours, allowed, length, 1_000, 1)
    assert len(np.unique(ring)) == length
    assert device.adjacency[ring, np.roll(ring, 1)].all()
    assert len(np.unique(path)) == len(path)
    assert device.adjacency[path[1:], path[:-1]].all()


# -- QUEKO: circuits with a perfect placement by construction (Tan, Cong 2020, arXiv:2002.09783)


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


def queko(graph: nx.Graph, depth: int, density: float, rng: np.random.Generator) -> Circuit:
    """Layers of gates on edges, each layer with a gate that must wait for the one before; then all qubits get
    new names."""
    names = rng.permutation(len(graph)).tolist()
    builder = Builder(range(len(graph)))
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
        for a, b in layer:
            builder.add("cx", [names[a], names[b]])
            builder.add("t", [names[a]])
    return builder.build()


@pytest.mark.parametrize("graph", [aspen_16(), tokyo_20(), rochester_53(), sycamore_54()])
@pytest.mark.parametrize("density", [0.2, 0.9])
def test_queko_circuits_are_placed_perfectly(graph: nx.Graph, density: float) -> None:
    device = device_of(graph)
    for seed in range(4):
        circuit = queko(graph, 5 + 20 * seed, density, np.random.default_rng(seed))
        routed = Route(device).route(circuit)
        assert routed.swaps == 0
