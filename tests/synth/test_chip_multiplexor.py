"""Multiplexed rotations on graphs: equal to their definition, and as short as they can be."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from helpers import unitary
from hypothesis import given, settings
from hypothesis import strategies as st

from qattn_compiler import targets
from qattn_compiler.circuit.table import Builder
from qattn_compiler.errors import CircuitError
from qattn_compiler.synth.chip_multiplexor import FRAMES, ChipMultiplexor, plan_multiplexor
from qattn_compiler.targets.target import Target

GRAPHS = {
    "line": nx.path_graph(6),
    "grid": nx.grid_2d_graph(3, 3),
    "star": nx.star_graph(5),
    "full": nx.complete_graph(6),
    "tree": nx.balanced_tree(2, 2),
}
TURNS = {"x": [[0, 1], [1, 0]], "y": [[0, -1j], [1j, 0]], "z": [[1, 0], [0, -1]]}


def device(name: str):
    return Target.from_graph(GRAPHS[name]).device


def made(plan: ChipMultiplexor, axis: str, angles) -> Builder:
    builder = Builder(range(len(plan.places)))
    plan.add(builder, axis, plan.angles(angles), range(len(plan.places)))
    return builder


def wanted(axis: str, angles: np.ndarray) -> np.ndarray:
    """The block-diagonal matrix by definition."""
    size = 2 * len(angles)
    out = np.zeros((size, size), dtype=complex)
    for k, angle in enumerate(angles):
        turn = np.cos(angle / 2) * np.eye(2) - 1j * np.sin(angle / 2) * np.array(TURNS[axis])
        out[2 * k : 2 * k + 2, 2 * k : 2 * k + 2] = turn
    return out


def linear(rows: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """The permutation of basis states that leaves on place ends[i] the parity rows[i]."""
    n = len(rows)
    out = np.zeros((1 << n, 1 << n))
    for x in range(1 << n):
        bits = np.array([(x >> (n - 1 - k)) & 1 for k in range(n)])
        held = np.zeros(n, dtype=int)
        held[ends] = rows @ bits % 2
        out[int("".join(map(str, held)), 2), x] = 1
    return out


def framed(plan: ChipMultiplexor, axis: str, angles: np.ndarray) -> np.ndarray:
    """The definition, and then the linear map in the target's own basis."""
    n = len(plan.places)
    frames = []
    for names, target in zip(FRAMES[axis], (n - 1, int(plan.ends[-1])), strict=True):
        builder = Builder(range(n))
        builder.add("z", [0])
        builder.add("z", [0])
        for name in names:
            builder.add(name, [target])
        frames.append(unitary(builder.build()))
    before, after = frames
    return after @ linear(plan.outputs, plan.ends) @ before @ wanted(axis, angles)


def same(a: np.ndarray, b: np.ndarray) -> bool:
    phase = np.vdot(b, a)
    return bool(np.allclose(a, b * phase / abs(phase), atol=1e-9))


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("axis", ["x", "y", "z"])
@pytest.mark.parametrize("restore", [True, False])
@settings(deadline=None, max_examples=8)
@given(data=st.data())
def test_the_unitary_is_the_definition(name, axis, restore, data):
    controls = data.draw(st.integers(1, 4))
    values = st.sampled_from([0.0, 1.0, -0.3, np.pi, 2.7, 1e-300]) | st.floats(-7, 7)
    angles = np.array(data.draw(st.lists(values, min_size=1 << controls, max_size=1 << controls)))
    sparse = data.draw(st.booleans())
    plan = plan_multiplexor(device(name), controls, angles=angles if sparse else None, restore=restore)
    assert plan is not None
    circuit = made(plan, axis, angles).build()
    assert all(
        device(name).adjacency[plan.places[a], plan.places[b]]
        for a, b in circuit.operands[circuit.is_two_qubit].tolist()
    )
    assert same(unitary(circuit), framed(plan, axis, angles))
    if restore:
        assert np.array_equal(plan.outputs, np.eye(controls + 1))


@pytest.mark.parametrize("axis", ["x", "y", "z"])
def test_symbols_are_affine(axis):
    angles = [(0.2 * k, {"a": 1.0 - k, "b": float(k % 3)}) for k in range(8)]
    plan = plan_multiplexor(device("grid"), 3)
    assert plan is not None
    circuit = made(plan, axis, angles).build()
    for a, b in ((0.3, -1.2), (2.0, 0.7)):
        numbers = np.array([c + terms["a"] * a + terms["b"] * b for c, terms in angles])
        assert same(unitary(circuit.bind({"a": a, "b": b})), framed(plan, axis, numbers))


COUNTS = {
    "full": {5: 31, 6: 63, 7: 127, 8: 255},
    "grid": {5: 33, 6: 69, 7: 141, 8: 285},
    "hex": {5: 37, 6: 77, 7: 159, 8: 323},
    "line": {5: 47, 6: 99, 7: 205, 8: 417},
}
RESTORED = {"full": 1, "grid": 3, "hex": 5, "line": 7}
"""How many more give the controls back."""


@pytest.mark.parametrize("name", COUNTS)
def test_counts(name):
    graphs = {"full": nx.complete_graph(9), "grid": nx.grid_2d_graph(6, 6), "line": nx.path_graph(12)}
    machine = targets.get("ibm.eagle").device if name == "hex" else Target.from_graph(graphs[name]).device
    for controls, count in COUNTS[name].items():
        one, two = (plan_multiplexor(machine, controls, restore=restore) for restore in (False, True))
        assert one is not None
        assert two is not None
        assert one.two_qubit_count <= count
        assert two.two_qubit_count <= count + RESTORED[name]


def test_no_walk_on_a_grid_is_shorter_than_the_bound():
    machine = Target.from_graph(nx.grid_2d_graph(6, 6)).device
    for controls in (5, 6, 7, 8):
        plan = plan_multiplexor(machine, controls, restore=False)
        assert plan is not None
        assert plan.two_qubit_count == (1 << controls) - 1 + (1 << (controls - 3)) - 2


def test_sparse_angles_cost_what_their_support_costs():
    machine, controls = Target.from_graph(nx.grid_2d_graph(4, 4)).device, 6
    rng, index = np.random.default_rng(0), np.arange(1 << controls)
    angles = np.zeros(1 << controls)
    for mask in (0b000001, 0b100000, 0b110000, 0b000011):
        angles += rng.normal() * (1.0 - 2.0 * (np.bitwise_count(index & mask) % 2))
    plan = plan_multiplexor(machine, controls, angles=angles)
    assert plan is not None
    assert len(plan.parities) == 4
    assert plan.two_qubit_count <= 16
    equal = plan_multiplexor(machine, controls, angles=np.full(1 << controls, 0.3))
    assert equal is not None
    assert (equal.two_qubit_count, len(equal.parities)) == (0, 1)
    nothing = plan_multiplexor(machine, controls, angles=np.zeros(1 << controls))
    assert nothing is not None
    assert (nothing.two_qubit_count, len(nothing.parities)) == (0, 0)
    with pytest.raises(CircuitError, match="not planned"):
        plan.angles(rng.normal(size=1 << controls))


def test_given_places_and_errors_among_equals():
    machine = device("line")
    plan = plan_multiplexor(machine, 2, places=[0, 2, 1])
    assert plan is not None
    assert plan.places.tolist() == [0, 2, 1]
    assert plan.two_qubit_count == 4
    assert plan_multiplexor(machine, 2, places=[0, 5, 2], restore=False) is None
    assert plan_multiplexor(machine, 7) is None
    for places in ([0, 1], [0, 0, 1], [0, 1, 9]):
        with pytest.raises(CircuitError, match="different qubits"):
            plan_multiplexor(machine, 2, places=places)
    with pytest.raises(CircuitError, match="controls"):
        plan_multiplexor(machine, 17)
    with pytest.raises(CircuitError, match="4 angles"):
        plan_multiplexor(machine, 2, angles=[1.0])
    builder = Builder(range(3))
    with pytest.raises(CircuitError, match="axis"):
        plan.add(builder, "w", [0.0] * 4, range(3))
    with pytest.raises(CircuitError, match="were expected"):
        plan.add(builder, "x", [0.0] * 3, range(3))


def test_no_controls():
    plan = plan_multiplexor(device("line"), 0)
    assert plan is not None
    assert same(unitary(made(plan, "y", [0.7]).build()), wanted("y", np.array([0.7])))
