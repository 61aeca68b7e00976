"""Givens networks in the unary encoding, against matrices and simulated states."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import cz_cost, unitary

from qattn_compiler.circuit.table import Builder
from qattn_compiler.errors import CircuitError
from qattn_compiler.synth.givens import (
    add_network,
    add_unary_state,
    butterfly,
    cross,
    network_matrix,
    pyramid,
    pyramid_angles,
    unary_state_angles,
    unary_state_count,
)
from qattn_compiler.synth.native_rules import rules_over


def one_hot(size):
    return 1 << np.arange(size)[::-1]


def orthogonal(rng, size, determinant):
    q = np.linalg.qr(rng.normal(size=(size, size)))[0]
    q[0] *= np.sign(np.linalg.det(q)) * determinant
    return q


def unary_block(builder, size):
    """What a circuit does to states with one excitation."""
    whole = unitary(builder.build())
    block = whole[np.ix_(one_hot(size), one_hot(size))]
    np.testing.assert_allclose(block @ block.T, np.eye(size), atol=1e-12)
    return block


@pytest.mark.parametrize("size", [1, 2, 3, 5])
@pytest.mark.parametrize("determinant", [1, -1])
def test_pyramids_give_every_matrix(size, determinant):
    rng = np.random.default_rng(size)
    permuted = np.eye(size)[rng.permutation(size)]
    permuted[0] *= np.linalg.det(permuted) * determinant
    for matrix in (orthogonal(rng, size, determinant), permuted):
        for rank in range(1, size + 1):
            pairs = pyramid(size, rank)
            assert len(pairs) == rank * (2 * size - rank - 1) // 2
            angles, sign = pyramid_angles(matrix[:, :rank])
            signs = np.ones(size)
            signs[-1] = sign
            found = network_matrix(pairs, angles, size) * signs
            np.testing.assert_allclose(found[:, :rank], matrix[:, :rank], atol=1e-12)
            builder = Builder(range(size))
            add_network(builder, pairs, angles.tolist(), range(size))
            np.testing.assert_allclose(unary_block(builder, size) * signs, found, atol=1e-12)
            assert cz_cost(builder.build()) == 2 * len(pairs)


@pytest.mark.parametrize("network", [pyramid, cross, butterfly])
def test_networks_with_symbols(network):
    size = 4
    pairs = network(size)
    builder = Builder(range(size))
    names = [f"t{k}" for k in range(len(pairs))]
    for name in names:
        builder.parameter(name)
    add_network(builder, pairs, [(0.0, {name: 1.0}) for name in names], range(size))
    values = np.random.default_rng(0).normal(size=len(pairs))
    whole = unitary(builder.build(), dict(zip(names, values.tolist(), strict=True)))
    block = whole[np.ix_(one_hot(size), one_hot(size))]
    np.testing.assert_allclose(block, network_matrix(pairs, values, size), atol=1e-12)


def test_counts_and_depths():
    def depth(pairs):
        free = {}
        for a, b in pairs:
            free[a] = free[b] = max(free.get(a, 0), free.get(b, 0)) + 1
        return max(free.values())

    for size in (2, 4, 8, 16):
        assert len(pyramid(size)) == size * (size - 1) // 2
        assert depth(pyramid(size)) == 2 * size - 3
        assert len(cross(size)) == 2 * size - 3
        assert depth(cross(size)) == size - 1
        assert len(butterfly(size)) == size // 2 * (size.bit_length() - 1)
        assert depth(butterfly(size)) == size.bit_length() - 1


@pytest.mark.parametrize("size", [2, 3, 4, 6])
def test_loading_a_vector(size):
    rng = np.random.default_rng(size)
    vectors = rng.normal(size=(4, size))
    vectors[1, -1] = 0
    vectors[2] = 0
    vectors[2, 0] = -1
    vectors[3] = np.eye(size)[-1] * -1
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    for vector, angles in zip(vectors, unary_state_angles(vectors), strict=True):
        builder = Builder(range(size))
        add_unary_state(builder, angles.tolist(), range(size))
        circuit = builder.build()
        wanted = np.zeros(2**size)
        wanted[one_hot(size)] = vector
        np.testing.assert_allclose(unitary(circuit)[:, 0], wanted, atol=1e-12)
        assert cz_cost(circuit) == unary_state_count(size) == 2 * size - 3


def test_errors():
    with pytest.raises(CircuitError, match="power of two of wires"):
        butterfly(6)
    with pytest.raises(CircuitError, match="one angle less"):
        add_unary_state(Builder(range(3)), [0.0], range(3))


@pytest.mark.parametrize(("entangler", "gate", "count"), [("siswap", "siswap", 2), ("syc", "fsim", 4)])
def test_a_rotation_over_native_entanglers(entangler, gate, count):
    steps = rules_over(entangler)["givens"].steps
    assert sum(step.name == gate for step in steps) == count
    assert all(len(step.on) == 1 or step.name == gate for step in steps)
