"""Routing by parity networks: whole unitaries with layouts, stabilisers at 100 qubits, fixed counts."""

from __future__ import annotations

from typing import Any

import networkx as nx
import numpy as np
import pytest
from helpers import circuits, make, random_circuit, random_values, unitary, walls
from hypothesis import given
from hypothesis import strategies as st

from qattn_compiler.circuit.gates import BY_NAME, GATES
from qattn_compiler.circuit.layout import Routed
from qattn_compiler.circuit.table import Builder, Circuit
from qattn_compiler.device import Device
from qattn_compiler.passes.circuit.route_parities import RouteParities

REGION = ("rz", "cx", "cz", "swap", "x", "z", "s", "t", "tdg", "sdg", "crz", "cphase", "rzz")


def device(graph: Any) -> Device:
    graph = nx.convert_node_labels_to_integers(graph)
    edges = np.array(sorted(tuple(sorted(e)) for e in graph.edges), dtype=np.int32).reshape(-1, 2)
    return Device("made", tuple(f"p{i}" for i in range(len(graph))), edges, frozenset({"cz"}))


def assert_on_edges(routed: Routed, machine: Device) -> None:
    pairs = routed.circuit.operands[routed.circuit.is_two_qubit]
    assert machine.adjacency[pairs[:, 0], pairs[:, 1]].all()
    assert routed.circuit.qubits == machine.qubits


def assert_routed(before: Circuit, routed: Routed, machine: Device) -> None:
    """The machine's unitary is that of the circuit between the layouts, times a permutation of the other
    qubits."""
    assert_on_edges(routed, machine)
    assert routed.circuit.params == before.params
    size, inner = machine.num_qubits, before.num_qubits
    values = random_values(before, np.random.default_rng(size))
    wanted = unitary(before, values)
    table = unitary(routed.circuit, values).reshape((2,) * (2 * size))
    sides = []
    for layout, offset in ((routed.final, 0), (routed.initial, size)):
        rest = [q for q in range(size) if q not in layout]
        sides.append([offset + q for q in (*layout.tolist(), *rest)])
    shape = (2**inner, 2 ** (size - inner)) * 2
    table = table.transpose([*sides[0], *sides[1]]).reshape(shape)
    others = np.einsum("ij,iajb->ab", wanted.conj(), table) / 2**inner
    assert np.abs(table - np.einsum("ij,ab->iajb", wanted, others)).max() < 1e-8
    assert abs(others[0, 0] - 1) < 1e-8, "the global phase"
    assert np.allclose(others.sum(axis=0), 1), "other qubits are only permuted"


def random_device(rng: np.random.Generator, size: int) -> Device:
    kinds = (
        lambda: nx.path_graph(size),
        lambda: nx.cycle_graph(size),
        lambda: nx.star_graph(size - 1),
        lambda: nx.random_labeled_tree(size, seed=int(rng.integers(1 << 30))),
        lambda: nx.grid_2d_graph(2, max(1, size // 2)),
    )
    return device(kinds[int(rng.integers(len(kinds)))]())


@given(st.integers(0, 1 << 30))
def test_random_circuits(seed):
    rng = np.random.default_rng(seed)
    machine = random_device(rng, int(rng.integers(3, 7)))
    size = int(rng.integers(1, machine.num_qubits + 1))
    before = random_circuit(rng, size, int(rng.integers(0, 25)), (*REGION, "h", "rx"))
    routed = RouteParities(machine, seed % 5).route(before)
    assert routed is not None
    assert_routed(before, routed, machine)


def test_eight_qubits():
    rng = np.random.default_rng(8)
    machine = device(nx.grid_2d_graph(2, 4))
    before = random_circuit(rng, 8, 60, REGION)
    routed = RouteParities(machine).route(before)
    assert routed is not None
    assert_routed(before, routed, machine)


@given(circuits(max_qubits=4, max_rows=12))
def test_walls_stay(before):
    machine = device(nx.path_graph(before.num_qubits + 1))
    routed = RouteParities(machine).route(before)
    if routed is None:
        plain = before.is_two_qubit & (
            (before.extra >= 0) | ~np.isin(before.op, [BY_NAME[name].code for name in REGION])
        )
        assert plain.any()
        return
    assert_on_edges(routed, machine)
    short = [(row[0], row[3].reads, row[3].writes, row[3].tags) for row in walls(routed.circuit)]
    assert sorted(map(str, short)) == sorted(
        str((row[0], row[3].reads, row[3].writes, row[3].tags)) for row in walls(before)
    )


def test_measurements_move_with_their_qubits():
    builder = Builder(range(3))
    builder.add("x", (0,))
    builder.add("cx", (0, 2))
    builder.add("swap", (1, 2))
    for q in range(3):
        builder.measure((q,), f"m{q}")
    routed = RouteParities(device(nx.path_graph(3))).route(builder.build())
    assert routed is not None
    measured = {row[3].writes: row[3].operands for row in walls(routed.circuit)}
    assert measured == {(f"m{q}",): (int(routed.final[q]),) for q in range(3)}
    assert int(routed.circuit.is_two_qubit.sum()) == 1


def test_other_gates_are_refused():
    machine = device(nx.path_graph(3))
    assert RouteParities(machine).route(make(2, ("rxx", (0, 1), 0.3))) is None
    assert RouteParities(machine).route(make(4, ("cx", (0, 1)))) is None, "too wide"
    builder = Builder(range(2))
    builder.opaque((0, 1), "foreign")
    assert RouteParities(machine).route(builder.build()) is None


def test_two_components():
    machine = device(nx.disjoint_union(nx.path_graph(2), nx.path_graph(4)))
    before = make(3, ("cx", (0, 1)), ("cx", (1, 2)), ("rz", 2, "a"), ("cx", (0, 2)))
    routed = RouteParities(machine).route(before)
    assert routed is not None
    assert set(routed.initial.tolist()) <= {2, 3, 4, 5}
    assert_routed(before, routed, machine)
    assert RouteParities(machine).route(before, [0, 1, 2]) is None


@pytest.mark.parametrize("name", ["cx", "cz"])
def test_a_star_takes_up_wires_on_its_way(name):
    machine = device(nx.grid_2d_graph(5, 5))
    star = [(name, (q, 24)) for q in range(24)]
    routed = RouteParities(machine).route(make(25, *star))
    assert routed is not None
    assert_on_edges(routed, machine)
    assert int(routed.circuit.is_two_qubit.sum()) <= {"cx": 40, "cz": 70}[name]


def test_zero_inputs():
    rows = [("h", q) for q in range(5)] + [("x", 5), ("h", 5)] + [("cx", (q, 5)) for q in range(5)]
    routed = RouteParities(device(nx.path_graph(6)), zero_inputs=True).route(make(6, *rows))
    assert routed is not None
    assert not routed.circuit.is_two_qubit.any()


def test_symbols_and_equal_parities():
    machine = device(nx.path_graph(2))
    rows = ("rzz", (0, 1), "a"), ("x", 0), ("rzz", (0, 1), "b"), ("x", 0), ("rzz", (0, 1), 0.5)
    before = make(2, *rows)
    routed = RouteParities(machine).route(before)
    assert routed is not None
    assert_routed(before, routed, machine)
    names = [GATES[op].name for op in routed.circuit.op]
    assert sorted(names) == ["cx", "cx", "rz"]


def test_half_turns_of_parities_take_no_cx():
    rows = ("cx", (0, 1)), ("cx", (1, 2)), ("z", 2), ("cx", (1, 2)), ("cx", (0, 1))
    before = make(3, *rows)
    machine = device(nx.path_graph(3))
    routed = RouteParities(machine).route(before)
    assert routed is not None
    assert not routed.circuit.is_two_qubit.any()
    assert_routed(before, routed, machine)


def test_a_hundred_qubits_by_stabilisers():
    stim = pytest.importorskip("stim")
    rng = np.random.default_rng(2)
    machine = device(nx.grid_2d_graph(10, 10))
    builder = Builder(range(100))
    for _ in range(2):
        for _ in range(30):
            a, b = rng.permutation(100)[:2].tolist()
            builder.add("cx", (a, b))
            builder.add(("s", "x", "z")[int(rng.integers(3))], (a,))
        builder.add("h", (int(rng.integers(100)),))
    before = builder.build()
    routed = RouteParities(machine, tries=1).route(before)
    assert routed is not None
    assert_on_edges(routed, machine)
    assert _tableau(stim, before, np.arange(100), np.arange(100)) == _tableau(
        stim, routed.circuit, routed.initial, routed.final
    )


def _tableau(stim: Any, circuit: Circuit, initial: Any, final: Any) -> Any:
    """The tableau from the logical inputs to the logical outputs."""
    out = stim.Circuit()
    for place in range(100):
        out.append("I", [place])
    quarter = ("I", "S", "Z", "S_DAG")
    for op, wires, angle in zip(circuit.op, circuit.operands.tolist(), circuit.angles[:, 0], strict=True):
        name = GATES[op].name
        if name == "rz":
            turns = round(float(angle) / (np.pi / 2))
            assert abs(turns * np.pi / 2 - angle) < 1e-9
            name = quarter[turns % 4]
        out.append(name.upper(), [w for w in wires if w >= 0])
    tableau = out.to_tableau()
    back = np.argsort(final)
    x, z = [], []
    for q in range(100):
        for rows, output in ((x, tableau.x_output), (z, tableau.z_output)):
            old = output(int(initial[q]))
            new = stim.PauliString(100)
            for place in range(100):
                new[int(back[place])] = old[place]
            new.sign = old.sign
            rows.append(new)
    return stim.Tableau.from_conjugated_generators(xs=x, zs=z)
