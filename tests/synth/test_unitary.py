"""Unitaries, complex states and sparse states: circuits multiplied out, exact counts."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import unitary
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import unitary_group

from qattn_compiler.circuit.gates import NUM_QUBITS
from qattn_compiler.circuit.table import Builder
from qattn_compiler.errors import CircuitError
from qattn_compiler.synth.complex_state import add_complex_state, complex_state_count
from qattn_compiler.synth.sparse_state import add_sparse_state, sparse_steps
from qattn_compiler.synth.unitary import add_unitary, diagonal_behind, takes_two, unitary_count

COUNTS = {1: 0, 2: 3, 3: 14, 4: 79, 5: 363, 6: 1547}
STATE_COUNTS = {1: 0, 2: 1, 3: 3, 4: 8, 5: 19, 6: 34, 7: 99, 8: 169}


def two_qubit_gates(circuit):
    return int((NUM_QUBITS[circuit.op] == 2).sum())


def complex_state(size, seed=0):
    rng = np.random.default_rng(seed)
    state = rng.normal(size=2**size) + 1j * rng.normal(size=2**size)
    return state / np.linalg.norm(state)


def first_column(builder):
    return unitary(builder.build())[:, 0]


@pytest.mark.parametrize("width", COUNTS)
def test_random_unitaries(width):
    for seed in range(3 if width < 5 else 1):
        matrix = unitary_group.rvs(2**width, random_state=seed)
        builder = Builder(range(width))
        add_unitary(builder, matrix, range(width))
        circuit = builder.build()
        assert two_qubit_gates(circuit) == unitary_count(width) == COUNTS[width]
        np.testing.assert_allclose(unitary(circuit), matrix, atol=1e-12)


def structured(size):
    index = np.arange(size)
    yield np.eye(size)
    yield np.eye(size)[::-1]
    yield np.diag(np.exp(1j * index))
    yield np.fft.fft(np.eye(size)) / np.sqrt(size)
    yield np.roll(np.eye(size), 1, axis=0)
    yield -1j * np.diag(np.where(index == size - 1, -1.0, 1.0))


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_structured_unitaries(width):
    for matrix in structured(2**width):
        builder = Builder(range(width))
        add_unitary(builder, matrix.astype(complex), range(width))
        circuit = builder.build()
        assert two_qubit_gates(circuit) <= unitary_count(width)
        np.testing.assert_allclose(unitary(circuit), matrix, atol=1e-11)


def test_a_diagonal_leaves_two():
    for seed in range(20):
        matrix = unitary_group.rvs(4, random_state=seed)
        assert not takes_two(matrix)
        phases = diagonal_behind(matrix)
        np.testing.assert_allclose(np.abs(phases), 1.0)
        assert takes_two(matrix * phases)


def test_what_is_no_unitary():
    with pytest.raises(CircuitError, match="unitary matrix of 4 x 4"):
        add_unitary(Builder(range(2)), np.ones((4, 4), dtype=complex), range(2))
    with pytest.raises(CircuitError, match="unitary matrix of 4 x 4"):
        add_unitary(Builder(range(2)), np.eye(2, dtype=complex), range(2))


@pytest.mark.parametrize("size", STATE_COUNTS)
def test_complex_states(size):
    state = complex_state(size)
    builder = Builder(range(size))
    add_complex_state(builder, state, range(size))
    assert two_qubit_gates(builder.build()) == complex_state_count(size) == STATE_COUNTS[size]
    assert size < 3 or STATE_COUNTS[size] <= 11 / 12 * 2**size
    np.testing.assert_allclose(first_column(builder), state, atol=1e-12)


def test_complex_states_of_low_rank():
    a, b = complex_state(3, 1), complex_state(3, 2)
    builder = Builder(range(6))
    add_complex_state(builder, np.kron(a, b), range(6))
    assert two_qubit_gates(builder.build()) == 6
    np.testing.assert_allclose(first_column(builder), np.kron(a, b), atol=1e-12)
    ghz = np.zeros(16, dtype=complex)
    ghz[[0, -1]] = np.sqrt(0.5), 1j * np.sqrt(0.5)
    builder = Builder(range(4))
    add_complex_state(builder, ghz, range(4))
    np.testing.assert_allclose(first_column(builder), ghz, atol=1e-12)
    with pytest.raises(CircuitError, match="16 amplitudes, not 8"):
        add_complex_state(builder, ghz[:8], range(4))


def sparse(size, support, seed, is_complex):
    rng = np.random.default_rng(seed)
    state = np.zeros(2**size, dtype=complex)
    where = rng.choice(2**size, support, replace=False)
    state[where] = rng.normal(size=support) + (1j * rng.normal(size=support) if is_complex else 0)
    return state / np.linalg.norm(state)


def up_to_phase(found, wanted):
    overlap = np.vdot(wanted, found)
    return np.abs(found - wanted * overlap / abs(overlap)).max()


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 7), st.integers(1, 12), st.integers(0, 99), st.booleans())
def test_sparse_states(size, support, seed, is_complex):
    state = sparse(size, min(support, 2**size), seed, is_complex)
    steps = sparse_steps(state, 10**6)
    builder = Builder(range(size))
    add_sparse_state(builder, steps, range(size))
    assert two_qubit_gates(builder.build()) == sum(step.two_qubit_count for step in steps)
    assert up_to_phase(first_column(builder), state) < 1e-12


def test_sparse_states_are_cheap():
    ghz = np.zeros(2**10, dtype=complex)
    ghz[[0, -1]] = np.sqrt(0.5)
    assert sum(step.two_qubit_count for step in sparse_steps(ghz, 100)) == 9
    assert sparse_steps(sparse(8, 128, 0, True), 20) is None
    with pytest.raises(CircuitError, match="more than 3 qubits"):
        add_sparse_state(Builder(range(3)), sparse_steps(ghz, 100), range(3))
