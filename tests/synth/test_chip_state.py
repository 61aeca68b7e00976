"""Real states on a machine's couplings: exact on every graph, and how many gates they take."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import qattn_compiler as qattn
from qattn_compiler import targets
from qattn_compiler.circuit.gates import NUM_QUBITS
from qattn_compiler.circuit.table import Builder
from qattn_compiler.errors import CircuitError
from qattn_compiler.synth.chip_state import ChipState, plan_state, walked
from qattn_compiler.targets.target import Target
from qattn_compiler.verify.simulate import joint_states, simulate

GRAPHS = {
    "line": nx.path_graph(7),
    "ring": nx.cycle_graph(7),
    "star": nx.star_graph(6),
    "full": nx.complete_graph(7),
    "grid": nx.convert_node_labels_to_integers(nx.grid_2d_graph(3, 3)),
    "tree": nx.balanced_tree(2, 2),
}


def plan_on(graph: nx.Graph, size: int) -> ChipState:
    plan = plan_state(Target.from_graph(graph).device, size)
    assert plan is not None
    return plan


def prepared(plan: ChipState, states: np.ndarray) -> np.ndarray:
    builder = Builder(range(plan.size))
    names = [f"a{k}" for k in range(2**plan.size - 1)]
    plan.add(builder, [(0.0, {name: 1.0}) for name in names], range(plan.size))
    circuit = builder.build()
    values = plan.angles(states)[:, [int(p.name[1:]) for p in circuit.params]]
    angles, _ = circuit.bind_batch(values)
    assert (NUM_QUBITS[circuit.op] == 2).sum() == plan.two_qubit_count
    return joint_states(simulate(circuit, angles), range(plan.size))


def random_states(size: int, count: int = 4) -> np.ndarray:
    rng = np.random.default_rng(size)
    out = rng.normal(size=(count, 2**size))
    return out / np.linalg.norm(out, axis=1, keepdims=True)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7])
@pytest.mark.parametrize("graph", GRAPHS)
def test_every_state_on_every_graph(graph, size):
    plan = plan_on(GRAPHS[graph], size)
    adjacency = nx.to_numpy_array(GRAPHS[graph], nodelist=sorted(GRAPHS[graph])).astype(bool)
    for level, qubit in zip(plan.levels, range(size), strict=True):
        assert sorted(level.parities) == list(range(2**qubit))
        for kind, a, b in level.events.tolist():
            pair = plan.places[[a, qubit if kind == 0 else b]]
            assert adjacency[pair[0], pair[1]]
    states = random_states(size)
    np.testing.assert_allclose(prepared(plan, states), states, atol=1e-12)


PLANS = {name: plan_on(GRAPHS[name], 4) for name in ("line", "grid", "tree")}


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(sorted(PLANS)),
    arrays(
        float, 16, elements=st.one_of(st.sampled_from([0.0, 1.0, -1.0, 5e-324, 1e-200]), st.floats(-1, 1))
    ),
)
def test_zeros_signs_and_denormals(name, amplitudes):
    norm = np.linalg.norm(amplitudes)
    state = amplitudes / norm if norm > 1e-100 else np.eye(16)[int(np.abs(amplitudes).argmax())]
    found = prepared(PLANS[name], state[None])
    np.testing.assert_allclose(found[0], state, atol=1e-12)


def test_one_hot_states():
    np.testing.assert_allclose(prepared(PLANS["grid"], np.eye(16)), np.eye(16), atol=1e-12)


@pytest.mark.parametrize("size", range(1, 8))
def test_all_to_all_is_a_gray_code(size):
    assert plan_on(GRAPHS["full"], size).two_qubit_count == 2**size - size - 1


@pytest.mark.parametrize(
    ("name", "ratio"), [("google.willow", 1.22), ("ibm.heron", 1.36), ("line:16", 1.60), ("grid:4x4", 1.22)]
)
def test_counts_on_machines(name, ratio):
    device = targets.get(name).device
    counts = {size: plan_state(device, size).two_qubit_count for size in range(4, 11)}
    logs = [np.log(count / (2**size - size - 1)) for size, count in counts.items()]
    assert np.exp(np.mean(logs)) < ratio


def test_no_room_and_bad_sizes():
    apart = Target.from_graph(nx.Graph([(0, 1), (2, 3)])).device
    assert plan_state(apart, 2) is not None
    assert plan_state(apart, 3) is None
    assert walked(apart.adjacency, np.array([0, 2])) is None
    plan = PLANS["line"]
    with pytest.raises(CircuitError, match="1 to 16 qubits"):
        plan_state(apart, 17)
    with pytest.raises(CircuitError, match="16 amplitudes, not 8"):
        plan.angles(np.ones((1, 8)))
    with pytest.raises(CircuitError, match="15 angles, not 3"):
        plan.add(Builder(range(4)), [0.0] * 3, range(4))


def test_a_lost_sign_or_start_is_noticed():
    plan = plan_on(GRAPHS["line"], 5)
    states = random_states(5)
    ends = [level for level in plan.levels if level.end]
    assert ends
    for level in ends[:1]:
        object.__setattr__(level, "end", 0)
    broken = ChipState(plan.places, plan.levels, plan.lines)
    assert np.abs(prepared(broken, states) - states).max() > 1e-3


def test_compile_takes_it_where_it_saves():
    rng = np.random.default_rng(0)
    weights, values = rng.random((3, 32)), rng.normal(size=(32, 2))
    routed = qattn.compile((weights, values), target="line:8", optimization_level=1)
    made = qattn.compile((weights, values), target="line:8")
    assert made.units[0].plan is not None
    assert made.units[0].metrics().gates_2q < 0.8 * routed.units[0].metrics().gates_2q
    assert made.verification.passed
    assert any(step.name == "synthesise on the chip" for step in made.units[0].steps)
    np.testing.assert_allclose(made.evaluate(), weights @ values, atol=1e-9)


def test_free_tensors_are_bound_on_a_plan():
    rng = np.random.default_rng(1)
    q, k, v = rng.normal(size=(16, 3)), rng.normal(size=(16, 3)), rng.normal(size=(16, 2))
    text = "softmax(Q @ K.T) @ V"
    free = qattn.compile(text, {"Q": q, "K": k}, free={"V": (16, 2)}, target="line:6", rows=[2])
    assert free.units[0].plan is not None
    assert free.verification.passed
    bound = free.bind({"V": v})
    assert bound.verification.passed
    expected = qattn.reference(text, {"Q": q, "K": k, "V": v})[[2]]
    np.testing.assert_allclose(bound.evaluate(), expected, atol=1e-9)
