"""prepare_state: any state on any machine, against Cirq's own simulation, and what it refuses."""

from __future__ import annotations

import cirq
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import qattn_compiler as qattn
from qattn_compiler import prepare
from qattn_compiler.errors import CircuitError, OptionError, TargetError, VerificationError

TARGETS = ("full:6", "google.willow", "ibm.eagle", "line:7", "ionq.aria", "google.sycamore")


def random_state(size, is_complex=False, seed=0):
    rng = np.random.default_rng(seed)
    state = rng.normal(size=2**size) + (1j * rng.normal(size=2**size) if is_complex else 0)
    return state / np.linalg.norm(state)


def distance(found, state):
    """How far Cirq's final state is from the wanted one, up to phase."""
    size = len(state).bit_length() - 1
    places = [found.final_layout[cirq.NamedQubit(f"q{k}")] for k in range(size)]
    others = sorted(found.circuit.all_qubits() - set(places))
    vector = found.circuit.final_state_vector(qubit_order=[*places, *others], dtype=np.complex128)
    vector = vector.reshape(2**size, -1)
    assert np.abs(vector[:, 1:]).max(initial=0.0) < 1e-7
    overlap = np.vdot(state, vector[:, 0])
    return np.abs(vector[:, 0] - state * overlap / abs(overlap)).max()


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("is_complex", [False, True])
@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_random_states(target, size, is_complex):
    state = random_state(size, is_complex)
    found = qattn.prepare_state(state, target)
    assert found.verification.passed
    assert distance(found, state) < 1e-7


@pytest.mark.parametrize(
    ("size", "is_complex", "gates"),
    [
        (3, False, 3),
        (4, False, 6),
        (5, False, 13),
        (6, False, 25),
        (4, True, 8),
        (5, True, 19),
        (6, True, 40),
    ],
)
def test_counts_on_willow(size, is_complex, gates):
    found = qattn.prepare_state(random_state(size, is_complex), "google.willow")
    assert found.summary()["gates_2q"] <= gates
    way = found.report.data["preparation"]["way"]
    assert way == "real circuit on a line" if size > 3 and not is_complex else way.endswith("Schmidt form")


def special_states():
    ghz = np.zeros(32)
    ghz[[0, -1]] = np.sqrt(0.5)
    yield ghz, 4
    yield ghz * 1j, 4
    yield np.ones(32) / np.sqrt(32), 0
    yield np.exp(1j * np.arange(32)) / np.sqrt(32), 0
    yield -np.eye(32)[7], 0
    w = np.zeros(32)
    w[[1, 2, 4, 8, 16]] = np.sqrt(0.2)
    yield w, 10
    masked = np.where(np.arange(32) < 3, 1.0, 0.0)
    yield masked / np.linalg.norm(masked), 1


@pytest.mark.parametrize("number", range(7))
def test_states_with_structure_cost_less(number):
    state, gates = list(special_states())[number]
    found = qattn.prepare_state(state, "full:5")
    assert found.summary()["gates_2q"] <= gates
    assert distance(found, state) < 1e-7


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 4), st.data())
def test_any_numbers(size, data):
    number = st.sampled_from([0.0, 1.0, -1.0, 1j, 0.3 - 0.2j, 1e-9, 5e-324, 1e-16j])
    raw = np.array(data.draw(st.lists(number, min_size=2**size, max_size=2**size)))
    if np.linalg.norm(raw) < 1e-3:
        raw[0] = 1.0
    state = raw / np.linalg.norm(raw)
    assert distance(qattn.prepare_state(state, "line:5"), state) < 1e-7


def test_every_way_is_reported():
    found = qattn.prepare_state(random_state(4), "ibm.eagle")
    tried = found.report.data["preparation"]["tried"]
    assert {"real circuit on a line", "real circuit"} <= {way["way"] for way in tried}
    assert found.summary()["gates_2q"] == min(way["gates_2q"] for way in tried)
    assert found.report.to_dict()["preparation"]["norm_of_input"] == pytest.approx(1.0)


def test_depth_may_count():
    flat = qattn.prepare_state(random_state(5), "full:5", objective="depth")
    assert flat.summary()["depth_2q"] <= qattn.prepare_state(random_state(5), "full:5").summary()["depth_2q"]


# -- near the state


def prepared(found, size):
    """Cirq's final state of the state's qubits."""
    places = [found.final_layout[cirq.NamedQubit(f"q{k}")] for k in range(size)]
    others = sorted(found.circuit.all_qubits() - set(places))
    vector = found.circuit.final_state_vector(qubit_order=[*places, *others], dtype=np.complex128)
    return vector.reshape(2**size, -1)[:, 0]


@settings(deadline=None, max_examples=25)
@given(st.integers(2, 5), st.integers(0, 2**32 - 1), st.booleans(), st.sampled_from([0.5, 0.9, 0.99, 0.9999]))
def test_the_fidelity_is_kept_and_reported(size, seed, is_complex, least):
    rng = np.random.default_rng(seed)
    state = random_state(size, is_complex, seed) * np.exp(-rng.integers(4) * rng.random(2**size) * 3)
    state /= np.linalg.norm(state)
    exact = qattn.prepare_state(state, "line:6")
    near = qattn.prepare_state(state, "line:6", fidelity=least)
    data = near.report.data["preparation"]
    overlap = abs(np.vdot(state, prepared(near, size))) ** 2
    assert overlap == pytest.approx(data["fidelity"], abs=1e-9)
    assert data["fidelity"] >= least - 1e-9
    assert near.summary()["gates_2q"] <= exact.summary()["gates_2q"]
    assert bool(data["cut"]) == (data["fidelity"] < 1)
    assert exact.report.data["preparation"]["fidelity"] == 1.0


def test_what_is_cut():
    u, v = np.linalg.qr(np.random.default_rng(1).normal(size=(2, 8, 8)))[0]
    values = np.array([1, 0.5, 0.03, 0.02, 0.01, 0.005, 0.001, 0.001])
    state = ((u * values) @ v).reshape(-1)
    state /= np.linalg.norm(state)
    near = qattn.prepare_state(state, "full:6", fidelity=0.99)
    assert near.report.data["preparation"]["cut"] == "Schmidt rank 2 of 8"
    assert near.summary()["gates_2q"] < qattn.prepare_state(state, "full:6").summary()["gates_2q"]
    peaked = np.where(np.arange(64) % 21 == 0, 1.0, 1e-3 * np.random.default_rng(2).normal(size=64))
    near = qattn.prepare_state(peaked / np.linalg.norm(peaked), "full:6", fidelity=0.999)
    assert near.report.data["preparation"]["cut"]
    assert near.summary()["gates_2q"] <= 12
    pair = np.kron([0.6, 0.8], np.kron([0.8, 0.6], [0.6, -0.8])) + 1e-4
    near = qattn.prepare_state(pair / np.linalg.norm(pair), "full:3", fidelity=0.999)
    assert near.summary()["gates_2q"] == 0
    assert "halves" in near.report.data["preparation"]["cut"]


def test_errors_of_gates_and_of_the_state_are_weighed():
    """On a machine that errs, a state nearer to a product may be the better one."""
    state = random_state(6)
    found = qattn.prepare_state(state, "google.willow", fidelity=0.5, objective="fidelity")
    data = found.report.data
    product = data["preparation"]["fidelity"] * data["execution"]["fidelity"]
    exact = qattn.prepare_state(state, "google.willow", objective="fidelity").report.data
    assert product >= exact["execution"]["fidelity"]


@pytest.mark.parametrize("fidelity", [0.0, -1.0, 1.1, np.nan, True])
def test_what_is_no_fidelity(fidelity):
    with pytest.raises(OptionError, match="above 0, at most 1"):
        qattn.prepare_state([1.0, 0.0], fidelity=fidelity)


@pytest.mark.parametrize(
    ("amplitudes", "message"),
    [
        ([1.0], "1 to 16"),
        ([], "1 to 16"),
        ([1.0, 0.0, 0.0], "1 to 16"),
        (np.eye(2), "1 to 16"),
        ([1.0, 1.0], "norm 1.41421"),
        ([np.nan, 1.0], "amplitude 0 is"),
        ([1.0, np.inf], "amplitude 1 is"),
        (["a", "b"], "an array of numbers"),
        ([0.0, 0.0], "norm 0"),
    ],
)
def test_what_is_no_state(amplitudes, message):
    with pytest.raises(CircuitError, match=message):
        qattn.prepare_state(amplitudes)


def test_other_errors(monkeypatch):
    with pytest.raises(OptionError, match="optimization level 9"):
        qattn.prepare_state([1.0, 0.0], optimization_level=9)
    with pytest.raises(TargetError, match="5 qubits, full:3 has 3"):
        qattn.prepare_state(np.eye(32)[0], "full:3")
    real = prepare.add_real_state
    monkeypatch.setattr(prepare.SchmidtState, "two_qubit_count", 99)
    monkeypatch.setattr(prepare, "add_real_state", lambda b, t, q: real(b, [x + 0.1 for x in t], q))
    with pytest.raises(VerificationError, match="cascade: the state is off"):
        qattn.prepare_state(random_state(3), "full:3")
