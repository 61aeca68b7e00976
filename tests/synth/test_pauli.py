"""Pauli forms: codes, signs and phases against matrices."""

import itertools

import numpy as np
import pytest

from qattn_compiler.circuit.gates import BY_NAME
from qattn_compiler.circuit.params import Affine
from qattn_compiler.synth import pauli
from qattn_compiler.synth.pauli_kernels import extract, zero_amplitude

PAULIS = [np.eye(2), BY_NAME["x"].matrix(), BY_NAME["z"].matrix(), BY_NAME["y"].matrix()]


def string(codes, sign=0):
    out = np.eye(1)
    for code in codes:
        out = np.kron(out, PAULIS[code])
    return (-1) ** int(sign) * out


def matrix(instructions, n):
    out = np.eye(2**n, dtype=complex)
    for kind, a, b in instructions:
        gate = BY_NAME[pauli.INSTRUCTIONS[kind]].matrix()
        wires = [a] if b < 0 else [a, b]
        full = np.zeros((2**n, 2**n), dtype=complex)
        for i, j in itertools.product(range(2**n), repeat=2):
            bits = [((i >> (n - 1 - q)) & 1, (j >> (n - 1 - q)) & 1) for q in range(n)]
            if all(x == y for q, (x, y) in enumerate(bits) if q not in wires):
                row = int("".join(str(bits[q][0]) for q in wires), 2)
                column = int("".join(str(bits[q][1]) for q in wires), 2)
                full[i, j] = gate[row, column]
        out = full @ out
    return out


def random_instructions(rng, n, count):
    rows = []
    for _ in range(count):
        kind = int(rng.integers(9))
        a, b = rng.permutation(n)[:2].tolist()
        rows.append((kind, a, b if kind >= pauli.CX else -1))
    return np.array(rows, dtype=np.int64).reshape(-1, 3)


@pytest.mark.parametrize("gate", range(9))
def test_table_of_two_qubit_gates(gate):
    image, flip, lightens, _ = pauli.tables()
    p, q = string([gate // 3 + 1, 0]), string([0, gate % 3 + 1])
    unitary = (np.eye(4) + p + q - p @ q) / 2
    for a, b in itertools.product(range(4), repeat=2):
        new = int(image[gate, 4 * a + b])
        expected = unitary @ string([a, b]) @ unitary.conj().T
        assert np.allclose(string([new >> 2, new & 3], flip[gate, 4 * a + b]), expected)
        weight = (new >> 2 > 0) + (new & 3 > 0) - (a > 0) - (b > 0)
        assert (lightens[4 * a + b] >> gate) & 1 == (weight < 0)


def test_frame_of_random_cliffords():
    rng = np.random.default_rng(0)
    for _ in range(60):
        steps = random_instructions(rng, 3, int(rng.integers(1, 20)))
        *_, frame, signs = extract(*np.ascontiguousarray(steps.T), 3)
        c = matrix(steps, 3)
        for q, part in itertools.product(range(3), range(2)):
            codes = [0, 0, 0]
            codes[q] = part + 1
            pulled = c.conj().T @ string(codes) @ c
            assert np.allclose(string(frame[2 * q + part], signs[2 * q + part]), pulled)


def test_phase_of_random_cliffords():
    rng = np.random.default_rng(1)
    for _ in range(150):
        n = int(rng.integers(2, 5))
        steps = random_instructions(rng, n, int(rng.integers(1, 30)))
        form = pauli.pull(*np.ascontiguousarray(steps.T), np.zeros(len(steps)), Affine.empty(), n)
        made = pauli.synthesise(form, pauli.Effort(0.7, 0.0, bool(rng.integers(2))))
        new = pauli.instructions(made)[0]
        phase = pauli.phase_between(steps, new, n)
        assert np.allclose(matrix(steps, n), np.exp(1j * phase) * matrix(new, n))


def test_amplitude_is_zero_or_a_phase():
    steps = np.array([[pauli.X, 0, -1]])
    assert zero_amplitude(*np.ascontiguousarray(steps.T), 1) == 0
    with pytest.raises(AssertionError, match="differ"):
        pauli.phase_between(steps, steps[:0], 1)


def test_gates_are_given_up_beyond_the_limit():
    rng = np.random.default_rng(2)
    steps = random_instructions(rng, 5, 200)
    form = pauli.pull(*np.ascontiguousarray(steps.T), np.zeros(200), Affine.empty(), 5)
    assert pauli.synthesise(form, pauli.Effort(0.7, 0.0, False), limit=2) is None


def test_inverse_form_is_that_of_the_inverse():
    rng = np.random.default_rng(3)
    steps = random_instructions(rng, 3, 25)
    form = pauli.pull(*np.ascontiguousarray(steps.T), np.zeros(25), Affine.empty(), 3)
    made = pauli.instructions(pauli.synthesise(form.inverse(), pauli.Effort(0.7, 0.0, False)))[0]
    product = matrix(made, 3) @ matrix(steps, 3)
    assert abs(abs(np.trace(product)) - 8) < 1e-9
