"""Three-qubit circuits with few CZ: known optima, generic and real matrices, bounds."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import random_unitary

from qattn_compiler.circuit import su2
from qattn_compiler.synth.instantiate import Ansatz
from qattn_compiler.synth.orthogonal import synthesise_orthogonal
from qattn_compiler.synth.three_qubit import least_degrees, shrink, synthesise_three


def controlled(size, *block):
    """Identity but for a block at the end."""
    out = np.eye(size, dtype=complex)
    out[-len(block) :, -len(block) :] = block
    return out


I2, X = np.eye(2), np.array([[0, 1], [1, 0]])
TOFFOLI = controlled(8, [0, 1], [1, 0])
FREDKIN = np.eye(8)[[0, 1, 2, 3, 4, 6, 5, 7]].astype(complex)
SWAP = np.eye(4)[[0, 2, 1, 3]].astype(complex)
FOURIER = np.exp(2j * np.pi * np.outer(range(8), range(8)) / 8) / 8**0.5
KNOWN = {
    "identity": (np.eye(8, dtype=complex), 0),
    "local": (np.kron(np.kron(X, I2), (X + np.diag([1, -1])) / 2**0.5), 0),
    "cz": (np.kron(np.diag([1, 1, 1, -1]), I2), 1),
    "swap": (np.kron(SWAP, I2), 3),
    "margolus": (TOFFOLI @ np.diag([1, 1, 1, 1, 1, -1, 1, 1]), 3),
    "toffoli": (TOFFOLI, 6),
    "ccz": (np.diag([1, 1, 1, 1, 1, 1, 1, -1]), 6),
    "fredkin": (FREDKIN, 7),
    "fourier": (FOURIER, 6),
    "increment": (np.roll(np.eye(8), 1, axis=0), 5),
}


def assert_is(ansatz, unitary, most, atol=1e-11):
    assert len(ansatz) <= most
    overlap = np.vdot(unitary, ansatz.unitary())
    assert np.linalg.norm(ansatz.unitary() - unitary * overlap / abs(overlap), 2) < atol


@pytest.mark.parametrize("name", KNOWN)
def test_known_gates(name):
    unitary, count = KNOWN[name]
    found = synthesise_three(unitary.astype(complex), tries=400)
    assert_is(found, unitary, count)
    assert len(found) == count


def test_every_unitary_in_14():
    rng = np.random.default_rng(1)
    for _ in range(100):
        unitary = random_unitary(rng, 8)
        assert_is(synthesise_three(unitary, tries=0), unitary, 14)


def test_structured_unitaries_in_14():
    rng = np.random.default_rng(2)
    for _ in range(25):
        blocks = [random_unitary(rng, 4) for _ in range(2)]
        multiplexed = np.kron(np.diag([1, 0]), blocks[0]) + np.kron(np.diag([0, 1]), blocks[1])
        permutation = np.eye(8)[rng.permutation(8)] * np.exp(1j * rng.normal(size=8))
        for unitary in (multiplexed, permutation, np.kron(random_unitary(rng, 2), blocks[0])):
            assert_is(synthesise_three(unitary, tries=0), unitary, 14)


def random_orthogonal(rng, determinant):
    q, r = np.linalg.qr(rng.normal(size=(8, 8)))
    q *= np.sign(np.diag(r))
    q[0] *= np.sign(np.linalg.det(q)) * determinant
    return q


def test_real_unitaries_in_10():
    rng = np.random.default_rng(3)
    for _ in range(20):
        matrix = random_orthogonal(rng, 1)
        assert_is(synthesise_orthogonal(matrix), matrix, 10)
    even = np.eye(8)[[1, 2, 0, 3, 5, 4, 7, 6]]
    assert_is(synthesise_orthogonal(even), even, 10)
    assert_is(synthesise_orthogonal(np.eye(8), tries=50), np.eye(8), 0)


def test_real_unitaries_of_determinant_minus_one_in_14():
    matrix = random_orthogonal(np.random.default_rng(4), -1)
    assert_is(synthesise_orthogonal(matrix), matrix, 14)


def test_no_unitary_no_circuit():
    with pytest.raises(ArithmeticError, match="is it unitary"):
        synthesise_three(np.diag([1, 1, 1, 1, 1, 1, 1, 2]).astype(complex))


@pytest.mark.parametrize(
    ("name", "degrees"),
    [("identity", [0, 0, 0]), ("cz", [1, 1, 0]), ("swap", [2, 2, 0]), ("toffoli", [1, 1, 1])],
)
def test_degrees(name, degrees):
    assert least_degrees(KNOWN[name][0]).tolist() == degrees


def test_degrees_on_four_qubits():
    assert least_degrees(np.kron(SWAP, TOFFOLI.reshape(8, 8)[4:, 4:])).tolist() == [2, 2, 1, 1]
    assert least_degrees(random_unitary(np.random.default_rng(5), 16)).tolist() == [2, 2, 2, 2]


def random_start(rng, num_qubits, length):
    pairs = np.array([rng.permutation(num_qubits)[:2] for _ in range(length)])
    gates = rng.normal(size=(num_qubits + 2 * length, 4))
    return Ansatz(pairs, gates / np.linalg.norm(gates, axis=1, keepdims=True))


@pytest.mark.parametrize(("num_qubits", "length", "most"), [(3, 5, 5), (3, 20, 14), (4, 6, 6)])
def test_shrink_is_never_longer(num_qubits, length, most):
    start = random_start(np.random.default_rng(6), num_qubits, length)
    assert_is(shrink(start, 20), start.unitary(), most)


def test_shrink_gives_the_start_back():
    start = random_start(np.random.default_rng(7), 3, 4)
    assert shrink(start, 50) is start


@pytest.mark.parametrize("num_qubits", [3, 4])
def test_shrink_finds_what_cancels(num_qubits):
    rng = np.random.default_rng(8)
    half = random_start(rng, num_qubits, 4)
    n = num_qubits
    gates = [*half.gates]
    last = half.last_gates()
    for k in range(3, -1, -1):  # the inverse, gate by gate, behind it
        for side in range(2):
            g = n + 2 * k + side
            inverse = half.gates[g] * [1, -1, -1, -1]
            at = last[half.pairs[k, side]]
            gates[at] = su2.multiply(inverse, gates[at])
        for side in range(2):
            last[half.pairs[k, side]] = len(gates) + side
        gates += [np.array([1.0, 0, 0, 0])] * 2
    start = Ansatz(np.concatenate([half.pairs, half.pairs[::-1]]), np.array(gates))
    assert len(shrink(start, 20)) == 0
