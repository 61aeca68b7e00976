"""Machines: trees, rings, stars, grids with holes, heavy hexagons, two components, any graph."""

from __future__ import annotations

from typing import Any

import networkx as nx

from fuzzing.choices import Choices
from qattn_compiler.targets.shapes import from_graph
from qattn_compiler.targets.target import Target

ENTANGLERS = ("cz", "cx", "siswap", "iswap", "syc", "rzz", "ms")
BASES = ("phased_xz", "zsx", "prx", "prx_rz")


def graph(c: Choices, most: int = 9) -> nx.Graph[Any]:
    """A coupling graph of 1 to `most` qubits; in one of twelve cases it has more than one component."""
    size = c.between(1, most)
    made: nx.Graph[Any] = KINDS[c.below(len(KINDS))](c, size)
    if c.chance(8):
        made = nx.disjoint_union(made, KINDS[c.below(len(KINDS))](c, c.between(1, 3)))
    return nx.convert_node_labels_to_integers(made)


def _tree(c: Choices, size: int) -> Any:
    tree = nx.empty_graph(size)
    tree.add_edges_from((c.below(node), node) for node in range(1, size))
    return tree


def _grid_with_holes(c: Choices, size: int) -> Any:
    rows = c.between(1, 3)
    grid = nx.grid_2d_graph(rows, max(1, -(-size // rows)))
    for _ in range(c.below(3)):
        if len(grid) > 1:
            grid.remove_node(c.pick(sorted(grid)))
    return grid


def _any(c: Choices, size: int) -> Any:
    made = _tree(c, size)
    for _ in range(c.below(2 * size)):
        a, b = c.below(size), c.below(size)
        if a != b:
            made.add_edge(a, b)
    return made


def _heavy_hexagon(c: Choices, size: int) -> Any:
    """A hexagon with a qubit on each edge, cut down to the size."""
    ring = nx.cycle_graph(12)
    ring.add_edges_from(((0, 12), (6, 13)))
    keep = [*range(12 - c.below(3)), 12, 13]
    return ring.subgraph(keep[: max(size, 8)]).copy()


KINDS = (
    lambda _, size: nx.path_graph(size),
    lambda _, size: nx.cycle_graph(max(3, size)),
    lambda _, size: nx.star_graph(size - 1),
    lambda _, size: nx.complete_graph(size),
    _tree,
    _grid_with_holes,
    _heavy_hexagon,
    _any,
)


def machine(c: Choices, most: int = 9) -> Target:
    """A machine on such a graph, over any entangler and basis."""
    couplings = graph(c, most)
    entangler = c.pick(ENTANGLERS) if c.chance(40) else "cz"
    basis = c.pick(BASES) if c.chance(40) else "phased_xz"
    if entangler == "cx" and c.chance(40):
        couplings = nx.DiGraph(
            (min(e), max(e)) if c.chance(50) else (max(e), min(e)) for e in couplings.edges
        )
    if not len(couplings):
        couplings = nx.empty_graph(1)
    return from_graph(couplings, name="fuzzed", entangler=entangler, basis=basis)
