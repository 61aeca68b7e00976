"""Coupling graphs as others give them: networkx graphs, edge lists, dicts, Cirq's devices."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import cirq
import numpy as np

from qattn_compiler.circuit.gates import GATES
from qattn_compiler.device import Device
from qattn_compiler.errors import TargetError


def nodes_and_pairs(graph: Any, name: str) -> tuple[list[Any], list[tuple[Any, Any]]]:
    """Nodes and edges of whatever stands for a coupling graph.

    Raises:
        TargetError: it is no graph, has no nodes, or a node is coupled to itself.
    """
    if hasattr(graph, "nodes") and hasattr(graph, "edges"):
        nodes, pairs = list(graph.nodes), [(a, b) for a, b, *_ in graph.edges]
    elif isinstance(graph, dict):
        nodes, pairs = list(graph), [(a, b) for a, near in graph.items() for b in near]
    else:
        try:
            pairs = [(a, b) for a, b in graph]
        except (TypeError, ValueError) as error:
            raise TargetError(f"{name}: {graph!r} is no graph and no list of pairs of qubits") from error
        nodes = []
    nodes = list(dict.fromkeys([*nodes, *(q for pair in pairs for q in pair)]))
    if not nodes:
        raise TargetError(f"{name}: the graph has no qubits")
    for a, b in pairs:
        if a == b:
            raise TargetError(f"{name}: {a!r} is coupled to itself")
    return nodes, pairs


def is_directed(graph: Any) -> bool:
    """Whether a graph says which way its edges go."""
    return bool(getattr(graph, "is_directed", lambda: False)())


def qubit_of(node: Any, name: str) -> cirq.Qid:
    """The Cirq qubit that a node stands for.

    Raises:
        TargetError: it stands for none.
    """
    if isinstance(node, cirq.Qid):
        return node
    if isinstance(node, (int, np.integer)) and not isinstance(node, bool):
        return cirq.LineQubit(int(node))
    if isinstance(node, str):
        return cirq.NamedQubit(node)
    if isinstance(node, tuple) and len(node) == 2 and all(isinstance(part, int) for part in node):
        return cirq.GridQubit(*node)
    raise TargetError(f"{name}: {node!r} is no qubit; a cirq.Qid, int, (row, column) or str was expected")


def one_way(pairs: Iterable[tuple[Any, Any]]) -> frozenset[tuple[Any, Any]]:
    """The pairs of a directed graph that are there one way only."""
    all_pairs = set(pairs)
    return frozenset((a, b) for a, b in all_pairs if (b, a) not in all_pairs)


def device_of(graph: Any, name: str = "graph") -> Device:
    """A machine with that coupling graph and all gates of the table, to place and route on.

    Args:
        graph: networkx graph, directed or not, edge list, dict of neighbours, or a `cirq.Device` (or its
            metadata) with a graph.
        name: what messages call it.

    Raises:
        TargetError: it is none of these.
    """
    for attribute in ("metadata", "nx_graph"):
        graph = graph if hasattr(graph, "nodes") else getattr(graph, attribute, graph)
    nodes, pairs = nodes_and_pairs(graph, name)
    label = {node: qubit_of(node, name) for node in nodes}
    qubits = sorted(label.values())
    index = {q: i for i, q in enumerate(qubits)}
    numbers = [(index[label[a]], index[label[b]]) for a, b in pairs]
    return Device(
        name=name,
        qubits=tuple(qubits),
        edges=np.array(sorted({(min(p), max(p)) for p in numbers}), dtype=np.int32).reshape(-1, 2),
        native=frozenset(gate.name for gate in GATES if gate.num_qubits),
        one_way=one_way(numbers) if is_directed(graph) else frozenset(),
    )
