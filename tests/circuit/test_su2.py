"""Quaternions and canonical phased_xz angles."""

from __future__ import annotations

from math import pi

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qattn_compiler.circuit import su2
from qattn_compiler.circuit.gates import BY_NAME, GATES

PAULIS = np.array([np.eye(2), [[0, 1], [1, 0]], [[0, -1j], [1j, 0]], np.diag([1, -1])])
ONE = [gate for gate in GATES if gate.num_qubits == 1]

edge = st.sampled_from(
    [0.0, pi, -pi, pi / 2, -pi / 2, 2 * pi, 1e-13, -1e-13, 3e-13, 1e-9, pi - 1e-9, pi + 1e-12]
)
angle = st.one_of(edge, st.floats(-10, 10))
triple = st.tuples(angle, angle, angle)


def matrix(q: np.ndarray) -> np.ndarray:
    return np.tensordot(q * np.array([1, -1j, -1j, -1j]), PAULIS, axes=1)


def xza_matrix(angles: np.ndarray) -> np.ndarray:
    row = BY_NAME["phased_xz"].matrix
    assert row is not None
    return row(*angles)


@pytest.mark.parametrize("gate", ONE, ids=lambda gate: gate.name)
def test_quaternions_of_every_gate(gate):
    angles = np.random.default_rng(2).normal(size=(2, 1, 3)) * 3
    angles[..., gate.num_angles :] = 0
    q, phases = su2.quaternions(np.array([gate.code], dtype=np.uint8), angles)
    assert q.shape == (2, 1, 4)
    assert phases.shape == (1,)
    for k in range(2):
        assert gate.matrix is not None
        expected = gate.matrix(*angles[k, 0, : gate.num_angles])
        np.testing.assert_allclose(np.exp(1j * phases[0]) * matrix(q[k, 0]), expected, atol=1e-12)


def test_two_qubit_rows_are_the_identity():
    q, phases = su2.quaternions(
        np.array([BY_NAME["cz"].code, BY_NAME["rzz"].code], np.uint8), np.ones((2, 3))
    )
    assert q.tolist() == [[1, 0, 0, 0]] * 2
    assert phases.tolist() == [0, 0]


@given(triple, triple)
def test_multiply(first, second):
    p, q = su2.from_xza(np.array(first)), su2.from_xza(np.array(second))
    np.testing.assert_allclose(matrix(su2.multiply(p, q)), matrix(p) @ matrix(q), atol=1e-12)


@given(triple)
def test_from_xza(angles):
    q = su2.from_xza(np.array(angles))
    assert np.linalg.norm(q) == pytest.approx(1)
    np.testing.assert_allclose(matrix(q), xza_matrix(np.array(angles)), atol=1e-12)


@given(triple)
def test_to_xza_is_exact_and_canonical(angles):
    q = su2.from_xza(np.array(angles))
    out, phase = su2.to_xza(q)
    np.testing.assert_allclose(np.exp(1j * phase) * xza_matrix(out), matrix(q), atol=1e-12)
    x, z, a = out
    assert 0 <= x <= pi
    assert -pi < z <= pi
    assert -pi < a <= pi
    if x == 0:
        assert a == 0
    if x == pi:
        assert z == 0


@given(triple)
def test_to_xza_twice_is_once(angles):
    once, _ = su2.to_xza(su2.from_xza(np.array(angles)))
    twice, phase = su2.to_xza(su2.from_xza(once))
    np.testing.assert_allclose(twice, once, atol=4 * su2.EPS)
    assert phase == 0


@pytest.mark.parametrize(
    ("given_", "expected", "phase"),
    [
        ((0, 0, 0), (0, 0, 0), 0),
        ((0, 0, 1.25), (0, 0, 0), 0),
        ((2 * pi, 0, 0), (0, 0, 0), pi),
        ((0, 2 * pi, 0), (0, 0, 0), pi),
        ((0, pi, 0), (0, pi, 0), 0),
        ((0, -pi, 0), (0, pi, 0), pi),
        ((pi, 0, 0), (pi, 0, 0), 0),
        ((-pi, 0, 0), (pi, 0, pi), 0),
        ((pi, 1.0, 0.25), (pi, 0, 0.75), 0),
        ((1e-14, 0, 0), (0, 0, 0), 0),
        ((1e-9, 0, 0.5), (1e-9, 0, 0.5), 0),
        ((pi / 2, pi, 0), (pi / 2, pi, 0), 0),
    ],
)
def test_edges(given_, expected, phase):
    out, sign = su2.to_xza(su2.from_xza(np.array(given_, dtype=float)))
    np.testing.assert_allclose(out, expected, atol=1e-12)
    assert sign == pytest.approx(phase)


@given(st.lists(triple, min_size=1, max_size=6))
def test_batches_are_done_entry_by_entry(angles):
    q = su2.from_xza(np.array(angles))
    out, phases = su2.to_xza(q)
    for row in range(len(angles)):
        one, phase = su2.to_xza(q[row])
        np.testing.assert_array_equal(out[row], one)
        assert phases[row] == phase
