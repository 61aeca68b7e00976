"""All-to-all counts of the building blocks, one test a recipe, each with its exact meaning.

Every figure is two-qubit gates with all couplings; where we take fewer than the recipe it is said. What the
recipes leave to whole models (QSANN, Quixer's state, QDSFormer, QKSAN) is not here.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from helpers import cz_cost, make, unitary
from scipy.stats import ortho_group, unitary_group

import qattn_compiler as qattn
from qattn_compiler.blocks.block import Multiplexor, PrepareState
from qattn_compiler.blocks.orthogonal import Rotate
from qattn_compiler.blocks.program import Program, Register
from qattn_compiler.circuit.gates import BY_NAME, NUM_QUBITS
from qattn_compiler.circuit.table import Builder, Circuit
from qattn_compiler.lower import amplitude, qcrank
from qattn_compiler.lower.batch import Terms
from qattn_compiler.synth.combination import swap_test
from qattn_compiler.synth.entanglers import synthesise
from qattn_compiler.synth.givens import add_network, butterfly, network_matrix, pyramid
from qattn_compiler.synth.native_rules import rules_over
from qattn_compiler.synth.orthogonal import add_orthogonal, orthogonal_angles
from qattn_compiler.synth.select import select
from qattn_compiler.synth.state_prep import add_real_state, real_state_angles

RNG = np.random.default_rng(6)


def count(circuit: Circuit) -> int:
    return int((NUM_QUBITS[circuit.op] == 2).sum())


@pytest.mark.parametrize(
    ("entangler", "gate", "gates"), [("cz", "cz", 2), ("siswap", "siswap", 2), ("syc", "fsim", 4)]
)
def test_a_givens_rotation(entangler, gate, gates):
    """With a symbol; a number takes 2 over Sycamore too."""
    matrix = BY_NAME["givens"].matrix(0.7)
    assert synthesise(matrix[None], entangler).counts.tolist() == [2]
    steps = rules_over(entangler)["givens"].steps
    assert sum(step.name == gate for step in steps) == gates


@pytest.mark.parametrize(("width", "gates"), [(2, 2), (3, 10)])
def test_rotations_of_four_and_eight_coordinates(width, gates):
    """The recipe: 2, and at most 14 (Cirq 20, Qiskit 19)."""
    matrix = ortho_group.rvs(2**width, random_state=1)
    matrix[0] *= np.sign(np.linalg.det(matrix))
    builder = Builder(range(width))
    add_orthogonal(builder, orthogonal_angles(matrix).tolist(), range(width))
    np.testing.assert_allclose(unitary(builder.build()), matrix, atol=1e-12)
    assert count(builder.build()) == gates


def test_any_two_qubit_gate_over_sycamore():
    """The recipe: 4 (Cirq's own way 6)."""
    found = synthesise(unitary_group.rvs(4, size=50, random_state=2), "syc")
    assert found.counts.max() <= 3


@pytest.mark.parametrize(("width", "gates"), [(2, 1), (3, 4), (4, 11), (5, 26), (6, 57)])
def test_real_states_by_a_cascade(width, gates):
    """RY and CZ only; in their Schmidt form they take 1, 3, 7, 15, 26."""
    state = RNG.normal(size=2**width)
    state /= np.linalg.norm(state)
    builder = Builder(range(width))
    add_real_state(builder, real_state_angles(state).tolist(), range(width))
    circuit = builder.build()
    np.testing.assert_allclose(np.abs(unitary(circuit)[:, 0] @ state), 1.0, atol=1e-12)
    assert count(circuit) == gates
    assert {BY_NAME["ry"].code, BY_NAME["cz"].code} == set(circuit.op.tolist())


@pytest.mark.parametrize(("terms", "gates", "compiled"), [(4, 4, 3), (8, 11, 6)])
def test_an_attention_row(terms, gates, compiled):
    weights, values = RNG.dirichlet(np.ones(terms)), RNG.normal(size=terms)
    (batch,) = amplitude.encode(Terms(weights[None], values[None], np.zeros(1)))
    assert batch.program.two_qubit_count == gates
    found = qattn.compile("w @ x", {"w": weights, "x": values}, target="full:4")
    assert abs(found.evaluate() - weights @ values) < 1e-12
    assert found.report.data["totals"]["gates_2q"] == compiled


def test_a_product_of_vectors_of_four():
    """QCrank: 2 d + 1 = 9 on 4 qubits; 2 d - 2 where both data qubits are read, the parity taken later."""
    weights, values = RNG.uniform(-1, 1, (2, 4))
    (batch,) = qcrank.encode(Terms(weights[None], values[None], np.zeros(1)))
    assert batch.program.num_qubits == 4
    assert batch.program.two_qubit_count == 6
    found = qattn.compile("w @ x", {"w": weights, "x": values}, encoding="qcrank", target="full:4")
    assert abs(found.evaluate() - weights @ values) < 1e-12
    (readout,) = found.readouts
    assert readout.scale == pytest.approx(4 * np.abs(weights).max() * np.abs(values).max())


@pytest.mark.parametrize("width", [1, 2, 3])
def test_a_destructive_swap_test(width):
    rows = [[("ry", q, float(RNG.normal())) for q in range(width)] for _ in range(2)]
    first, second = (make(width, *one) for one in rows)
    test = swap_test(first, Circuit(tuple("xyz"[:width]), *(getattr(second, n) for n in COLUMNS)))
    assert cz_cost(test.circuit) == width
    chances = np.abs(unitary(test.circuit)[:, 0]) ** 2
    index, size = np.arange(len(chances)), 2 * width - 1
    odd = sum((index >> (size - a)) & (index >> (size - b)) & 1 for a, b in test.pairs) % 2
    overlap = np.vdot(unitary(first)[:, 0], unitary(second)[:, 0])
    assert chances @ (1 - 2.0 * np.asarray(odd)) == pytest.approx(abs(overlap) ** 2, abs=1e-12)


COLUMNS = ("op", "operands", "angles", "extra")


def test_the_block_encoding_of_four_by_four():
    """8 CZ, 3 qubits, sub-normalisation the largest singular value."""
    left, values, right = np.linalg.svd(RNG.normal(size=(4, 4)))
    for side in (left.T, right):
        if np.linalg.det(side) < 0:
            side[-1] *= -1
            values[-1] *= -1
    blocks = (Rotate("data", "right"), Multiplexor("y", "data", "aux", "s"), Rotate("data", "left"))
    registers = (Register("aux", 1), Register("data", 2))
    program = Program(registers, (PrepareState("data", "x"), *blocks), ("aux",), "")
    given = np.eye(4)
    sines = 2 * np.arccos(values / abs(values).max())
    numbers = {"x": given} | {
        name: np.tile(a.reshape(-1), (4, 1)) for name, a in (("right", right), ("s", sines), ("left", left))
    }
    wanted = (left * values) @ right / abs(values).max()
    np.testing.assert_allclose(program.states(numbers)[:, :4].T, wanted, atol=1e-12)
    assert sum(block.two_qubit_count(program.wires) for block in blocks) == 8
    assert program.num_qubits == 3


def test_select_of_quixer():
    """6 q n L = 24 for q = n = 2, L = 1 by multiplexed rotations of the skeleton; 20 with a carried frame."""

    def branch() -> Circuit:
        builder = Builder(range(2))
        for order, step in (((1, 0), 1), ((1, 0), -1)):
            for q in range(2):
                builder.add("ry", [q], [RNG.normal()])
            for q in order:
                builder.add("crx", [q, (q + step) % 2], [RNG.normal()])
        return builder.build()

    branches = [branch(), branch()]
    out = select(branches, ["address"])
    wanted = np.zeros((2, 4, 2, 4), dtype=complex)
    for x, one in enumerate(branches):
        wanted[x, :, x, :] = unitary(one)
    np.testing.assert_allclose(unitary(out), wanted.reshape(8, 8), atol=1e-12)
    assert count(out) == 20 <= 24


def test_attention_parameters_of_quantum_vision_transformers():
    """Butterfly networks of d = 16: 32 angles a layer, 64 with the scores, 80 on n + d = 32 wires."""
    assert len(butterfly(16)) == 32
    assert 2 * len(butterfly(16)) == 64
    assert len(butterfly(32)) == 80


def test_two_excitations_are_minors():
    pairs = pyramid(5)
    angles = RNG.uniform(-3, 3, len(pairs))
    builder = Builder(range(5))
    add_network(builder, pairs, angles.tolist(), range(5))
    matrix = network_matrix(pairs, angles, 5)
    two = list(combinations(range(5), 2))
    place = [(1 << (4 - a)) + (1 << (4 - b)) for a, b in two]
    minors = [[np.linalg.det(matrix[np.ix_(rows, columns)]) for columns in two] for rows in two]
    np.testing.assert_allclose(unitary(builder.build())[np.ix_(place, place)], minors, atol=1e-12)
