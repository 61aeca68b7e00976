"""Real orthogonal matrices and diagonals: circuits multiplied out, and exact counts."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import unitary

from qattn_compiler.circuit.gates import NUM_QUBITS
from qattn_compiler.circuit.table import Builder
from qattn_compiler.errors import CircuitError
from qattn_compiler.synth.cosine_sine import cosine_sine, demultiplexed, rotate_pairs, turns
from qattn_compiler.synth.diagonal import add_diagonal, diagonal_angles, diagonal_count
from qattn_compiler.synth.orthogonal import (
    add_orthogonal,
    add_reflection,
    orthogonal_angles,
    orthogonal_circuit,
    orthogonal_count,
    orthogonal_size,
)

COUNTS = {1: 0, 2: 2, 3: 10, 4: 42, 5: 201, 6: 869}
COMPLEX = {4: 100, 5: 444, 6: 1868, 7: 7660, 8: 31020}  # 23/48 4^k - 3/2 2^k + 4/3 (Shende et al.)
SPARE_COUNTS = {1: 0, 2: 2, 3: 15, 4: 77, 5: 341}


def special(rng, size):
    q, r = np.linalg.qr(rng.normal(size=(size, size)))
    q *= np.sign(np.diag(r))
    q[0] *= np.sign(np.linalg.det(q))
    return q


def near_identity(rng, size, distance):
    generator = distance * rng.normal(size=(size, size))
    q, r = np.linalg.qr(np.eye(size) + generator - generator.T)
    return q * np.sign(np.diag(r))


def structured(size):
    """Matrices of determinant 1 whose decompositions are degenerate."""
    rng = np.random.default_rng(size)
    index = np.arange(size)
    cycle = np.eye(size)[[1, 2, 0, *range(3, size)]] if size > 2 else np.eye(2)
    shift = np.roll(np.eye(size), 1, axis=0) * np.where(index == 0, -1, 1)
    half = special(rng, size // 2)
    signs = np.ones(size)
    signs[: size // 2 * 2 : 2] = -1
    signs[0] *= np.prod(signs)
    yield from (np.eye(size), cycle, shift, np.diag(signs))
    yield from (np.kron(np.eye(2), half), np.kron(half, np.eye(2)), -np.eye(size))
    yield from (near_identity(rng, size, d) for d in (1e-3, 1e-6, 1e-9, 1e-12, 1e-15))
    yield cycle @ near_identity(rng, size, 1e-8)
    yield np.diag(signs) @ near_identity(rng, size, 1e-10)


def two_qubit_gates(circuit):
    return int((NUM_QUBITS[circuit.op] == 2).sum())


def assert_exact(matrix, form):
    width = len(matrix).bit_length() - 1
    builder = Builder(range(width))
    angles = orthogonal_angles(matrix, form=form)
    assert angles.shape == (orthogonal_size(width, form=form),)
    add_orthogonal(builder, angles.tolist(), range(width), form=form)
    circuit = builder.build()
    np.testing.assert_allclose(unitary(circuit), matrix, atol=1e-12)
    assert two_qubit_gates(circuit) == orthogonal_count(width, form=form)


@pytest.mark.parametrize("width", [1, 2, 3, 4, 5])
def test_random_rotations(width):
    rng = np.random.default_rng(width)
    for _ in range(60 >> width):
        matrix = special(rng, 2**width)
        assert_exact(matrix, "short")
        assert_exact(matrix, "closed")


@pytest.mark.parametrize("width", [1, 2, 3, 4, 5])
def test_structured_rotations(width):
    for matrix in structured(2**width):
        assert_exact(matrix, "closed")


def test_structured_rotations_of_four_qubits():
    """As few gates as for any other, nearly singular ones included."""
    for matrix in structured(16):
        assert_exact(matrix, "short")


def test_counts():
    assert {k: orthogonal_count(k) for k in COUNTS} == COUNTS
    assert {k: orthogonal_count(k, form="closed") for k in SPARE_COUNTS} == SPARE_COUNTS
    assert orthogonal_count(0) == orthogonal_size(0) == 0
    assert all(2 * orthogonal_count(k) <= count for k, count in COMPLEX.items())


@pytest.mark.parametrize("width", [2, 3, 4])
@pytest.mark.parametrize("determinant", [1, -1])
def test_any_orthogonal_matrix(width, determinant):
    rng = np.random.default_rng(width)
    most = {2: (2, 3), 3: (10, 14), 4: (42, 42 + 14)}[width][determinant < 0]
    matrix = special(rng, 2**width)
    matrix[1] *= determinant
    circuit = orthogonal_circuit(matrix)
    np.testing.assert_allclose(unitary(circuit), matrix, atol=1e-12)
    assert two_qubit_gates(circuit) <= most


@pytest.mark.parametrize("width", [1, 2, 3])
def test_structured_orthogonal_matrices(width):
    reflected = np.ones(2**width)
    reflected[0] = -1
    for matrix in structured(2**width):
        for either in (matrix, matrix * reflected):
            before = either.copy()
            circuit = orthogonal_circuit(either)
            np.testing.assert_allclose(unitary(circuit), either, atol=1e-10)
            assert two_qubit_gates(circuit) <= {1: 0, 2: 3, 3: 16}[width]
            np.testing.assert_array_equal(either, before)


def test_a_batch_has_the_angles_of_its_members():
    rng = np.random.default_rng(0)
    some = [special(rng, 8) for _ in range(3)]
    batch = np.array([some[0], some[1], some[0], some[2]])
    expected = [orthogonal_angles(matrix) for matrix in batch]
    np.testing.assert_array_equal(orthogonal_angles(batch), expected)


def test_decompositions():
    rng = np.random.default_rng(1)
    for size in (4, 8, 16):
        for matrix in (special(rng, size), *structured(size)):
            (u1, u2), angles, (v1, v2) = cosine_sine(matrix)
            zero = np.zeros((size // 2, size // 2))
            c, s = np.diag(np.cos(angles)), np.diag(np.sin(angles))
            left, right = np.block([[u1, zero], [zero, u2]]), np.block([[v1, zero], [zero, v2]])
            np.testing.assert_allclose(left @ np.block([[c, -s], [s, c]]) @ right, matrix, atol=1e-13)
            np.testing.assert_allclose([np.linalg.det(b) for b in (u1, u2, v1, v2)], 1, atol=1e-12)
            basis, pairs = turns(matrix)
            np.testing.assert_allclose(basis @ rotate_pairs(basis.T, pairs), matrix, atol=1e-12)
            other = special(rng, size)
            outer, pairs, inner = demultiplexed(matrix, other)
            np.testing.assert_allclose(outer @ rotate_pairs(inner, pairs / 2), matrix, atol=1e-12)
            np.testing.assert_allclose(outer @ rotate_pairs(inner, -pairs / 2), other, atol=1e-12)


@pytest.mark.parametrize("width", [1, 2, 3, 4, 5])
def test_diagonals(width):
    phases = np.random.default_rng(width).uniform(-9, 9, 2**width)
    builder = Builder(range(width))
    add_diagonal(builder, diagonal_angles(phases).tolist(), range(width))
    circuit = builder.build()
    np.testing.assert_allclose(unitary(circuit), np.diag(np.exp(1j * phases)), atol=1e-12)
    assert two_qubit_gates(circuit) == diagonal_count(width) == 2**width - 2


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_reflections(width):
    builder = Builder(range(width))
    add_reflection(builder, range(width))
    wanted = np.diag([1.0] * (2**width - 1) + [-1.0])
    np.testing.assert_allclose(unitary(builder.build()), wanted, atol=1e-12)


def test_errors():
    for wrong in (np.ones((4, 4)), np.eye(4)[[1, 0, 2, 3]], np.eye(3)):
        with pytest.raises(CircuitError, match="rotation of 2\\^k coordinates"):
            orthogonal_angles(wrong)
    with pytest.raises(CircuitError, match="2\\^k x 2\\^k"):
        orthogonal_circuit(np.eye(3))
    with pytest.raises(CircuitError, match="6 angles"):
        add_orthogonal(Builder(range(2)), [0.0], range(2))
    with pytest.raises(CircuitError, match="power of two"):
        diagonal_angles(np.zeros(3))
    with pytest.raises(CircuitError, match="4 angles"):
        add_diagonal(Builder(range(2)), [0.0], range(2))
