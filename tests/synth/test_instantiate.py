"""Numerical instantiation: kernels against plain NumPy, fits that must succeed, fits that must not."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import random_unitary

from qattn_compiler.circuit import su2
from qattn_compiler.synth import instantiate_kernels as kernels
from qattn_compiler.synth.instantiate import Ansatz, Target, random_gates

PAULIS = np.array([[[1, 0], [0, 1]], [[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])


def random_ansatz(rng, num_qubits, length):
    pairs = np.array([rng.permutation(num_qubits)[:2] for _ in range(length)], dtype=int).reshape(length, 2)
    gates = rng.normal(size=(num_qubits + 2 * length, 4))
    return Ansatz(pairs, gates / np.linalg.norm(gates, axis=1, keepdims=True))


def matrix(q):
    return q[0] * PAULIS[0] - 1j * np.tensordot(q[1:], PAULIS[1:], axes=1)


def on(num_qubits, qubit, small):
    return np.kron(np.kron(np.eye(2**qubit), small), np.eye(2 ** (num_qubits - 1 - qubit)))


def plain(ansatz):
    """The unitary, from Kronecker products."""
    n = ansatz.num_qubits
    out = np.eye(2**n, dtype=complex)
    for qubit in range(n):
        out = on(n, qubit, matrix(ansatz.gates[qubit])) @ out
    for k, (a, b) in enumerate(ansatz.pairs):
        z = on(n, a, PAULIS[3]) @ on(n, b, PAULIS[3])
        out = (np.eye(2**n) + on(n, a, PAULIS[3]) + on(n, b, PAULIS[3]) - z) / 2 @ out
        for side, qubit in enumerate((a, b)):
            out = on(n, qubit, matrix(ansatz.gates[n + 2 * k + side])) @ out
    return out


def distance(a, b):
    """Operator norm of the difference, up to global phase."""
    overlap = np.vdot(b, a)
    return np.linalg.norm(a - b * overlap / abs(overlap), 2)


@pytest.mark.parametrize(("num_qubits", "length"), [(1, 0), (2, 3), (3, 0), (3, 5), (4, 6)])
def test_unitary(num_qubits, length):
    ansatz = random_ansatz(np.random.default_rng(1), num_qubits, length)
    assert len(ansatz) == length
    assert ansatz.num_qubits == num_qubits
    np.testing.assert_allclose(ansatz.unitary(), plain(ansatz), atol=1e-13)


@pytest.mark.parametrize(("num_qubits", "length"), [(2, 2), (3, 4), (4, 5)])
def test_derivatives_are_those_of_the_residual(num_qubits, length):
    rng = np.random.default_rng(2)
    ansatz = random_ansatz(rng, num_qubits, length)
    size, parameters = 2**num_qubits, 4 * length + 3 * num_qubits
    last = kernels._last_gates(ansatz.pairs, num_qubits)
    jacobian = np.empty((parameters, size * size))
    scratch = [np.empty((size, size)) for _ in range(4)]
    kernels._linearise(ansatz.pairs, ansatz.gates, num_qubits, last, jacobian, *scratch)
    target = Target.of(ansatz.unitary())
    for j in range(parameters):
        step = np.zeros(parameters)
        step[j] = 1e-6
        moved = ansatz.gates.copy()
        kernels._moved(ansatz.pairs, ansatz.gates, num_qubits, last, step, moved)
        re, im, mr, mi = scratch
        kernels.product(ansatz.pairs, moved, num_qubits, re, im)
        residual = np.empty(size * size)
        misfit = kernels._misfit(re, im, target.re, target.im, mr, mi, residual)
        assert misfit == pytest.approx(0, abs=1e-11)
        np.testing.assert_allclose(-residual / 1e-6, jacobian[j], atol=1e-5)


@pytest.mark.parametrize(("num_qubits", "length"), [(1, 0), (2, 1), (2, 2), (2, 3), (3, 3), (3, 5), (4, 5)])
def test_what_the_ansatz_can_do_is_found(num_qubits, length):
    rng = np.random.default_rng(3)
    for _ in range(5):
        wanted = random_ansatz(rng, num_qubits, length)
        unitary = np.exp(1j * rng.normal()) * wanted.unitary()
        target = Target.of(unitary)
        fits = (target.fit(Ansatz(wanted.pairs, random_gates(len(wanted.gates), i)))[0] for i in range(60))
        found = next(fit for fit in fits if fit is not None)
        assert distance(found.unitary(), unitary) < 1e-12
        np.testing.assert_allclose(np.linalg.norm(found.gates, axis=1), 1, atol=1e-14)


def test_what_it_cannot_do_is_not():
    rng = np.random.default_rng(4)
    target = Target.of(random_unitary(rng, 8))
    for i in range(20):
        found, used = target.fit(Ansatz(np.array([(0, 1), (1, 2), (0, 2)]), random_gates(9, i)), 50)
        assert found is None
        assert 0 < used <= 50


def test_a_fit_from_the_answer_stays_there():
    wanted = random_ansatz(np.random.default_rng(5), 3, 6)
    found, used = Target.of(wanted.unitary()).fit(wanted)
    assert used <= 3
    assert distance(found.unitary(), wanted.unitary()) < 1e-13
    assert wanted.gates is not found.gates


def test_fits_are_the_same_every_time():
    target = Target.of(random_unitary(np.random.default_rng(6), 4))
    start = Ansatz(np.array([(0, 1)] * 3), random_gates(8, 3, seed=5))
    a, b = (target.fit(start)[0] for _ in range(2))
    np.testing.assert_array_equal(a.gates, b.gates)


def test_starts_differ():
    starts = [random_gates(9, i, seed) for i in range(20) for seed in range(3)]
    assert len({start.tobytes() for start in starts}) == 60
    np.testing.assert_allclose(np.linalg.norm(np.concatenate(starts), axis=1), 1, atol=1e-14)


def test_tidied_moves_z_turns_to_the_end():
    rng = np.random.default_rng(7)
    for _ in range(20):
        ansatz = random_ansatz(rng, 3, 6)
        ansatz.gates[rng.integers(15)] = [0.6, 0.0, 0.0, 0.8]
        tidy = ansatz.tidied()
        np.testing.assert_allclose(tidy.unitary(), ansatz.unitary(), atol=1e-13)
        angles, _ = su2.to_xza(np.delete(tidy.gates, tidy.last_gates(), axis=0))
        turns = np.where(angles[:, 0] == 0, angles[:, 1], angles[:, 1] + angles[:, 2])
        np.testing.assert_allclose(np.sin(turns / 2), 0, atol=1e-12)


def test_last_gates():
    ansatz = random_ansatz(np.random.default_rng(8), 3, 0)
    assert ansatz.last_gates().tolist() == [0, 1, 2]
    pairs = np.array([(0, 1), (1, 0)])
    assert Ansatz(pairs, np.zeros((7, 4))).last_gates().tolist() == [6, 5, 2]
