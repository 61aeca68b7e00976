"""The face of `cirq.RouteCQC`."""

from __future__ import annotations

import cirq
import networkx as nx
import numpy as np
import pytest
import sympy
from cirq.testing import assert_circuits_have_same_unitary_given_final_permutation as assert_same

from qattn_compiler.errors import PassError, TargetError
from qattn_compiler.passes import Route

GRID = nx.grid_2d_graph(3, 3)
GRID_Q = nx.relabel_nodes(GRID, {node: cirq.GridQubit(*node) for node in GRID})
GRAPHS = [
    GRID_Q,
    cirq.testing.construct_ring_device(8).metadata.nx_graph,
    cirq.testing.construct_grid_device(3, 3).metadata.nx_graph,
    nx.relabel_nodes(nx.star_graph(7), dict(enumerate(cirq.LineQubit.range(8)))),
]


def random_circuit(seed: int, count: int = 6) -> cirq.Circuit:
    gates = {cirq.CX: 2, cirq.CZ**0.3: 2, cirq.SWAP: 2, cirq.T: 1, cirq.H: 1, cirq.ISWAP**0.3: 2}
    qubits = cirq.NamedQubit.range(count, prefix="v")
    return cirq.testing.random_circuit(qubits, 12, 0.7, gates, random_state=seed)


def check(graph: nx.Graph, circuit: cirq.Circuit, routed: cirq.Circuit, initial: dict, ends: dict) -> None:
    for op in routed.all_operations():
        assert len(op.qubits) < 2 or cirq.is_measurement(op) or graph.has_edge(*op.qubits)
    assert set(ends) == set(ends.values())
    used = sorted(routed.all_qubits() | set(initial.values()) | set(ends))
    everything = {q: ends.get(q, q) for q in used}
    moved = circuit.transform_qubits(initial)
    idle = cirq.Circuit(cirq.I.on_each(*used))
    assert_same(routed + idle, moved + idle, everything)


@pytest.mark.parametrize("graph", GRAPHS)
@pytest.mark.parametrize("seed", range(4))
def test_the_unitary_up_to_the_permutation(graph, seed):
    circuit = random_circuit(seed)
    routed, initial, ends = Route(graph, passes=12.0).route_circuit(circuit)
    assert set(initial) == set(circuit.all_qubits())
    check(graph, circuit, routed, initial, ends)


def test_it_is_a_transformer():
    circuit = random_circuit(1)
    route = Route(GRID_Q)
    out = route(circuit, lookahead_radius=8, context=cirq.TransformerContext())
    assert out == route.route_circuit(circuit, lookahead_radius=8)[0]
    assert route.run is not None


def test_a_mapper_of_cirq_and_one_of_your_own():
    circuit = random_circuit(2)
    mapper = cirq.LineInitialMapper(GRID_Q)
    routed, initial, ends = Route(GRID_Q).route_circuit(circuit, initial_mapper=mapper)
    assert initial == mapper.initial_mapping(circuit)
    check(GRID_Q, circuit, routed, initial, ends)
    places = dict(zip(sorted(circuit.all_qubits()), sorted(GRID_Q), strict=False))
    found = Route(GRID_Q).route_circuit(circuit, initial_mapper=cirq.HardCodedInitialMapper(places))
    assert found[1] == places
    elsewhere = cirq.HardCodedInitialMapper({q: cirq.q(9, 9) for q in places})
    with pytest.raises(PassError, match="no qubit of the graph"):
        Route(GRID_Q).route_circuit(circuit, initial_mapper=elsewhere)
    together = cirq.HardCodedInitialMapper(dict.fromkeys(places, cirq.q(0, 0)))
    with pytest.raises(PassError, match="different qubits"):
        Route(GRID_Q).route_circuit(circuit, initial_mapper=together)


def test_tags_on_inserted_swaps_alone():
    q = cirq.LineQubit.range(4)
    graph = nx.relabel_nodes(nx.path_graph(4), dict(enumerate(q)))
    places = cirq.HardCodedInitialMapper(dict(zip(q, q, strict=True)))
    circuit = cirq.Circuit(
        cirq.SWAP(q[0], q[1]), cirq.CX(q[0], q[3]), cirq.SWAP(q[2], q[3]).with_tags("mine")
    )
    routed, *_ = Route(graph).route_circuit(circuit, tag_inserted_swaps=True, initial_mapper=places)
    tags = [op.tags for op in routed.all_operations() if op.gate == cirq.SWAP]
    assert tags.count(()) == 1
    assert tags.count(("mine",)) == 1
    assert all(tag in ((), ("mine",), (cirq.RoutingSwapTag(),)) for tag in tags)
    assert (cirq.RoutingSwapTag(),) in tags
    plain, *_ = Route(graph).route_circuit(circuit, initial_mapper=places)
    assert not any(cirq.RoutingSwapTag() in op.tags for op in plain.all_operations())


def test_measurements_symbols_and_nested_circuits():
    q = cirq.LineQubit.range(5)
    a = sympy.Symbol("a")
    inner = cirq.FrozenCircuit(
        cirq.CX(q[0], q[1]), cirq.CX(q[1], q[2]), cirq.rz(a)(q[2]), cirq.CX(q[0], q[2])
    )
    graph = nx.relabel_nodes(nx.path_graph(6), {i: cirq.LineQubit(i) for i in range(6)})
    circuit = cirq.Circuit(
        cirq.CircuitOperation(inner),
        cirq.measure(*q[:3], key="three"),
        cirq.X(q[4]).with_classical_controls("three"),
        cirq.CZ(q[0], q[4]) ** a,
        cirq.measure(q[0], q[4], key="two"),
    )
    with pytest.raises(ValueError, match="1 or 2 qubits"):
        Route(graph).route_circuit(circuit)
    routed, *_ = Route(graph).route_circuit(circuit, context=cirq.TransformerContext(deep=True))
    assert cirq.measurement_key_names(routed) == {"two", "three"}
    assert cirq.parameter_names(routed) == {"a"}
    for op in routed.all_operations():
        assert cirq.is_measurement(op) or len(op.qubits) < 2 or graph.has_edge(*op.qubits)


def test_directed_graphs():
    q = cirq.LineQubit.range(5)
    graph = nx.DiGraph([(q[1], q[0]), (q[1], q[2]), (q[3], q[2]), (q[3], q[4]), (q[4], q[3])])
    circuit = random_circuit(3, 5)
    routed, initial, ends = Route(graph).route_circuit(circuit)
    directed = [op for op in routed.all_operations() if op.gate == cirq.CX]
    assert directed
    for op in routed.all_operations():
        assert len(op.qubits) < 2 or graph.has_edge(*op.qubits)
    check(graph.to_undirected(), circuit, routed, initial, ends)


def test_graphs_in_other_forms():
    circuit = random_circuit(0, 4)
    for graph in (
        [(0, 1), (1, 2), (2, 3)],
        {0: [1, 2], 2: [3]},
        nx.path_graph(4),
        cirq.testing.construct_ring_device(4),
    ):
        routed, initial, _ = Route(graph).route_circuit(circuit)
        assert all(isinstance(q, cirq.LineQubit) for q in initial.values())
        assert routed
    for wrong in (5, [(0, 0)], [], "line"):
        with pytest.raises(TargetError):
            Route(wrong)
    with pytest.raises(TargetError, match="missing"):
        Route(nx.path_graph(3)).route_circuit(circuit)


def test_it_beats_cirq():
    ours, theirs = [], []
    for seed in range(6):
        circuit = random_circuit(seed, 8)
        counts = []
        for route in (Route(GRID_Q), cirq.RouteCQC(GRID_Q)):
            routed = route(circuit, tag_inserted_swaps=True)
            counts.append(sum(cirq.RoutingSwapTag() in op.tags for op in routed.all_operations()))
        ours.append(counts[0])
        theirs.append(counts[1])
    assert np.sum(ours) < np.sum(theirs)
