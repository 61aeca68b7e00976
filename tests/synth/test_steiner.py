"""Parity networks on graphs: edges, parities and outputs replayed; fixed counts."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qattn_compiler.synth.steiner import Network, neighbours_of, synthesise


def graph(kind: str, size: int, seed: int = 0) -> np.ndarray:
    """The edges of a connected graph on 0 .. size - 1."""
    made = {
        "line": lambda: nx.path_graph(size),
        "ring": lambda: nx.cycle_graph(size) if size > 2 else nx.path_graph(size),
        "star": lambda: nx.star_graph(size - 1),
        "tree": lambda: nx.random_labeled_tree(size, seed=seed),
        "grid": lambda: nx.convert_node_labels_to_integers(nx.grid_2d_graph(2, size // 2)),
        "complete": lambda: nx.complete_graph(size),
    }[kind]()
    return np.array(sorted(tuple(sorted(e)) for e in made.edges), dtype=np.int32).reshape(-1, 2)


def random_map(rng: np.random.Generator, size: int, gates: int) -> np.ndarray:
    out = np.eye(size, dtype=np.uint8)
    for _ in range(gates if size > 1 else 0):
        a, b = rng.permutation(size)[:2]
        out[b] ^= out[a]
    return out


def check(net: Network, outputs: np.ndarray, parities: np.ndarray, edges: np.ndarray) -> None:
    """Replay a network: each CX on an edge, each parity once where it is said to stand, each output."""
    pairs = {tuple(e) for e in edges.tolist()} | {tuple(e[::-1]) for e in edges.tolist()}
    state = np.eye(len(outputs), dtype=np.uint8)
    stood, gates = [], 0
    for first, second, parity in net.steps.tolist():
        if first < 0:
            assert np.array_equal(state[second], parities[parity])
            stood.append(parity)
        else:
            assert (first, second) in pairs
            state[second] ^= state[first]
            gates += 1
    assert sorted(stood) == list(range(len(parities)))
    assert gates == net.gates
    assert sorted(net.place.tolist()) == list(range(len(outputs)))
    assert np.array_equal(state[net.place], outputs)


@pytest.mark.parametrize("kind", ["line", "ring", "star", "tree", "grid", "complete"])
@pytest.mark.parametrize("tries", [1, 4])
@given(st.integers(0, 1 << 30), st.integers(1, 8))
def test_random_networks(kind, tries, seed, size):
    rng = np.random.default_rng(seed)
    size += size % 2 if kind == "grid" else 0
    edges = graph(kind, size, seed)
    outputs = random_map(rng, size, int(rng.integers(0, size**2 + 1)))
    parities = rng.integers(0, 2, (int(rng.integers(0, 7)), size), dtype=np.uint8)
    parities = parities[parities.any(axis=1)]
    net = synthesise(outputs, parities, neighbours_of(size, edges), seed % 7, tries)
    assert net is not None
    check(net, outputs, parities, edges)


def made(outputs: list[list[int]], parities: list[list[int]], kind: str) -> Network:
    table = np.array(outputs, dtype=np.uint8)
    wanted = np.array(parities, dtype=np.uint8).reshape(-1, len(table))
    edges = graph(kind, len(table))
    net = synthesise(table, wanted, neighbours_of(len(table), edges))
    assert net is not None
    check(net, table, wanted, edges)
    return net


def test_fixed_counts():
    assert made([[1, 0], [0, 1]], [], "line").gates == 0
    assert made([[0, 1], [1, 0]], [], "line").gates == 0, "outputs may end anywhere"
    assert made([[1, 0], [1, 1]], [], "line").gates == 1
    assert made([[1, 0], [0, 1]], [[1, 1]], "line").gates == 2
    assert made([[1, 0], [0, 1]], [[1, 0], [0, 1]], "line").gates == 0
    assert made([[1, 0, 0], [0, 1, 0], [0, 1, 1]], [], "line").gates == 1


@pytest.mark.parametrize("across", [False, True])
def test_an_output_of_all_wires_walks(across):
    size = 64
    grid = nx.convert_node_labels_to_integers(nx.grid_2d_graph(8, 8))
    edges = np.array(sorted(grid.edges), dtype=np.int32)
    outputs = np.eye(size, dtype=np.uint8)
    outputs[0] = 1
    outputs = np.ascontiguousarray(outputs.T) if across else outputs
    parities = np.zeros((0, size), dtype=np.uint8)
    net = synthesise(outputs, parities, neighbours_of(size, edges))
    assert net is not None
    check(net, outputs, parities, edges)
    # a tree with a fixed root of degree 2 takes 2 * 63 - 2
    assert net.gates <= 105


def test_the_limit():
    edges = graph("line", 4)
    outputs = random_map(np.random.default_rng(1), 4, 20)
    parities = np.zeros((0, 4), dtype=np.uint8)
    neighbours = neighbours_of(4, edges)
    net = synthesise(outputs, parities, neighbours)
    assert net is not None
    assert synthesise(outputs, parities, neighbours, limit=net.gates) is not None
    assert synthesise(outputs, parities, neighbours, limit=net.gates - 1) is None


def test_the_same_again():
    edges = graph("ring", 9)
    outputs = random_map(np.random.default_rng(3), 9, 60)
    parities = np.unique(np.random.default_rng(4).integers(0, 2, (6, 9), dtype=np.uint8), axis=0)
    first, second = (synthesise(outputs, parities, neighbours_of(9, edges), 5) for _ in range(2))
    assert np.array_equal(first.steps, second.steps)


def test_neighbours():
    assert neighbours_of(1, np.zeros((0, 2), dtype=np.int32)).tolist() == [[-1]]
    assert neighbours_of(3, np.array([[0, 1], [1, 2]])).tolist() == [[1, -1], [0, 2], [1, -1]]
