"""Circuits that are real whatever their angles: matrices and states multiplied out, exact counts, plans."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import unitary
from hypothesis import given, settings
from hypothesis import strategies as st

import qattn_compiler as qattn
from qattn_compiler.circuit.gates import NUM_QUBITS
from qattn_compiler.circuit.table import Builder
from qattn_compiler.errors import CircuitError
from qattn_compiler.synth.instantiate import Ansatz
from qattn_compiler.synth.levenberg import levenberg
from qattn_compiler.synth.real_ansatz import LINE, RING, fit_real
from qattn_compiler.synth.real_circuit import RealCircuit
from qattn_compiler.synth.real_state import SIZES, RealState

COUNTS = {4: (6, 6), 5: (11, 13), 6: (22, 25), 7: (43, 50), 8: (87, 94)}
KINDS = ("keep", "make", "join", "move")


def walk(rng, size, steps):
    """Random moves that are possible, and what brings all qubits back."""
    free, moves = [False] * size, []

    def add(a, b, kind):
        moves.append((a, b, kind))
        if kind in ("make", "join"):
            free[a] = free[b] = kind == "make"
        elif kind == "move":
            free[a], free[b] = free[b], free[a]

    for _ in range(steps):
        a, b = map(int, rng.choice(size, 2, replace=False))
        both = free[a] + free[b]
        add(a, b, ("make", "move", "join")[both] if rng.random() < 0.4 or both == 2 else "keep")
    left = [q for q in range(size) if free[q]]
    for a, b in zip(left[::2], left[1::2], strict=True):
        add(a, b, "join")
    return moves


@given(st.integers(0, 2**32), st.integers(2, 5), st.integers(0, 20))
@settings(deadline=None, max_examples=60)
def test_any_angles_make_a_real_matrix(seed, size, steps):
    rng = np.random.default_rng(seed)
    circuit = RealCircuit.of(size, walk(rng, size, steps))
    gates = circuit.random(rng)
    gates = circuit.moved(gates, rng.normal(size=len(circuit.axes)))
    matrix = Ansatz(circuit.pairs, gates).unitary()
    phase = matrix.flat[np.abs(matrix).argmax()]
    np.testing.assert_allclose((matrix * abs(phase) / phase).imag, 0.0, atol=1e-12)


@pytest.mark.parametrize(
    "moves",
    [
        [(0, 1, "join")],
        [(0, 1, "move")],
        [(0, 1, "make"), (0, 1, "keep"), (0, 1, "join")],
        [(0, 1, "make"), (0, 2, "make")],
        [(0, 1, "make")],
        [(0, 1, "turn")],
    ],
)
def test_impossible_moves(moves):
    with pytest.raises(ValueError, match="quaternion qubit"):
        RealCircuit.of(3, moves)


def test_the_derivatives_are_those_of_the_states():
    from qattn_compiler.synth.real_state_kernels import states

    rng = np.random.default_rng(0)
    circuit = RealCircuit.of(5, RealState.on_line(5).moves)
    gates, columns = circuit.random(rng), 1 + len(circuit.axes)
    re, im = np.empty((32, columns)), np.empty((32, columns))
    states(circuit.pairs, gates, circuit.first, circuit.axes, re, im)
    assert columns > 2**5  # as many directions as a real state has, and some more
    for j in range(columns - 1):
        ends = []
        for sign in (-1, 1):
            moved = circuit.moved(gates, sign * 1e-5 * np.eye(columns - 1)[j])
            one = np.empty((32, 1)), np.empty((32, 1))
            states(circuit.pairs, moved, circuit.first, circuit.axes, *one)
            ends.append(one[0][:, 0] + 1j * one[1][:, 0])
        np.testing.assert_allclose((ends[1] - ends[0]) / 2e-5, re[:, 1 + j] + 1j * im[:, 1 + j], atol=1e-9)
    whole = Ansatz(circuit.pairs, gates).unitary()[:, 0]
    np.testing.assert_allclose(re[:, 0] + 1j * im[:, 0], whole, atol=1e-13)


class Parabola:
    """Residuals of a curved fit with a redundant parameter."""

    def misfit(self, x):
        r = np.array([2.0 - x[0] * x[1], 1.0 - x[0] - x[2]])
        return float(r @ r) / 2, r

    def jacobian(self, x):
        return np.array([[x[1], x[0], 0.0], [1.0, 0.0, 1.0]])

    def moved(self, x, step):
        return x + step


def test_levenberg():
    x, distance = levenberg(Parabola(), np.array([3.0, -1.0, 0.5]), 100, 1.0)
    assert distance < 1e-12
    np.testing.assert_allclose([x[0] * x[1], x[0] + x[2]], [2.0, 1.0], atol=1e-12)
    assert levenberg(Parabola(), np.array([3.0, -1.0, 0.5]), 2, 1.0)[1] > 1e-3  # it keeps to the limit


@pytest.mark.parametrize("moves", [RING, LINE])
def test_matrices_of_so16(moves):
    rng = np.random.default_rng(3)
    assert len(moves) == {RING: 42, LINE: 43}[moves]
    assert moves is RING or all(abs(a - b) == 1 for a, b, _ in moves)
    for _ in range(5):
        matrix = np.linalg.qr(rng.normal(size=(16, 16)))[0]
        matrix[0] *= np.linalg.det(matrix)
        found = fit_real(matrix, moves)
        np.testing.assert_array_equal(found.pairs, [move[:2] for move in moves])
        product = found.unitary()
        phase = np.vdot(matrix, product)
        np.testing.assert_allclose(product * abs(phase) / phase, matrix, atol=1e-11)


def test_a_matrix_that_is_none():
    with pytest.raises(ArithmeticError, match="SO"):
        fit_real(2 * np.eye(16), RING)


def written(plan, state):
    builder = Builder(range(plan.size))
    plan.add(builder, plan.angles(state).tolist(), range(plan.size))
    return builder.build()


@pytest.mark.parametrize("size", SIZES)
def test_states_and_counts(size):
    rng = np.random.default_rng(size)
    plans = (RealState.anywhere(size), RealState.on_line(size))
    assert tuple(plan.two_qubit_count for plan in plans) == COUNTS[size]
    assert all(abs(a - b) == 1 for a, b, _ in plans[1].moves)
    for plan in plans:
        for state in rng.normal(size=(2, 2**size)):
            state /= np.linalg.norm(state)
            circuit = written(plan, state)
            assert (NUM_QUBITS[circuit.op] == 2).sum() == plan.two_qubit_count
            np.testing.assert_allclose(unitary(circuit)[:, 0], state, atol=1e-11)


def special(size):
    """States that the fits are to find, or to refuse."""
    rng, index = np.random.default_rng(size), np.arange(2**size)
    yield from (
        np.eye(2**size)[5],
        np.ones(2**size),
        (index % 3 == 0) - 0.5,
        np.exp(3 * rng.normal(size=2**size)),
    )
    yield (index == 0) + (index == 2**size - 1)
    yield (index == 0) + 1e-7 * rng.normal(size=2**size)
    yield np.where(rng.random(2**size) < 0.8, 0.0, rng.normal(size=2**size))


@pytest.mark.parametrize("size", [4, 5, 6])
def test_special_states(size):
    found = 0
    for plan in (RealState.anywhere(size), RealState.on_line(size)):
        for state in special(size):
            state = state / np.linalg.norm(state)
            try:
                circuit = written(plan, state)
            except ArithmeticError:
                continue
            found += 1
            np.testing.assert_allclose(unitary(circuit)[:, 0], state, atol=1e-11)
    assert found >= 10


def test_a_batch_has_the_angles_of_its_members():
    states = np.random.default_rng(1).normal(size=(3, 16))[[0, 1, 0, 2]]
    states /= np.linalg.norm(states, axis=1, keepdims=True)
    plan = RealState.on_line(4)
    angles = plan.angles(states.reshape(2, 2, 16))
    assert angles.shape == (2, 2, plan.num_angles)
    np.testing.assert_array_equal(angles.reshape(4, -1), [plan.angles(state) for state in states])


def test_what_does_not_fit_is_refused():
    plan = RealState.on_line(4)
    for size in (3, 9):
        for make in (RealState.on_line, RealState.anywhere):
            with pytest.raises(CircuitError, match="4 to 8 qubits"):
                make(size)
    with pytest.raises(CircuitError, match="16 amplitudes, not 8"):
        plan.angles(np.ones(8) / np.sqrt(8))
    with pytest.raises(CircuitError, match="4 qubits and 49 angles"):
        plan.add(Builder(range(4)), [0.0] * 3, range(4))


@pytest.mark.parametrize("machine", ["google.willow", "ibm.eagle", "line:8", "full:8"])
def test_programs_take_it(machine):
    rng = np.random.default_rng(0)
    weights, values = rng.dirichlet(np.ones(32), 2), rng.normal(size=(32, 2))
    made = qattn.compile((weights, values), target=machine)
    assert isinstance(made.units[0].plan, RealState)
    assert made.units[0].metrics().gates_2q == (22 if machine == "full:8" else 25)
    assert made.verification.passed
