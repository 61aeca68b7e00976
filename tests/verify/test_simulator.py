"""The NumPy simulator and the comparison of circuits, against Cirq."""

from __future__ import annotations

from dataclasses import replace

import cirq
import numpy as np
import pytest
from helpers import random_circuit

from qattn_compiler.circuit.gates import GATES
from qattn_compiler.circuit.table import Builder
from qattn_compiler.errors import VerificationError
from qattn_compiler.interop.cirq_io import to_cirq
from qattn_compiler.verify.compare import state_distances, unitary_distance
from qattn_compiler.verify.simulate import (
    connected_groups,
    expectation_z,
    joint_states,
    probabilities,
    simulate,
    unitary,
)

NAMES = tuple(g.name for g in GATES if g.num_qubits)


@pytest.mark.parametrize("seed", range(20))
def test_against_cirq(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 5))
    circuit = random_circuit(rng, n, 15, NAMES, walls=0.0)
    circuit = replace(
        circuit.bind({p.name: 0.3 for p in circuit.params}), qubits=tuple(cirq.LineQubit.range(n))
    )
    expected = to_cirq(circuit).unitary(circuit.qubits, circuit.qubits)
    np.testing.assert_allclose(unitary(circuit), expected, atol=1e-7)
    groups = simulate(circuit, circuit.angles[None])
    states = joint_states(groups, range(n)) if groups else np.eye(1, 2**n)
    assert state_distances(states, expected[None, :, 0]).max() < 1e-7
    bits = np.arange(2**n)
    parity = 1 - 2 * (((bits >> (n - 1)) & 1) ^ (bits & 1 if n > 1 else 0))
    observed = (0, n - 1) if n > 1 else (0,)
    assert expectation_z(groups, observed)[0] == pytest.approx((abs(states[0]) ** 2 * parity).sum(), abs=1e-7)


def test_wide_products_are_split():
    builder = Builder(range(60))
    for q in range(60):
        builder.add("rx", [q], [0.1 * q])
    builder.add("cx", [3, 7])
    circuit = builder.build()
    assert sorted(map(len, connected_groups(circuit)))[-2:] == [1, 2]
    groups = simulate(circuit, circuit.angles[None])
    assert expectation_z(groups, [0, 5, 59])[0] == pytest.approx(np.cos(0.5) * np.cos(5.9))


def test_what_a_state_vector_cannot_follow():
    for fill in (
        lambda b: (b.measure([0], "m"), b.add("x", [0])),
        lambda b: b.reset(0),
        lambda b: b.opaque([0, 1], "wall"),
    ):
        builder = Builder(range(2))
        fill(builder)
        circuit = builder.build()
        with pytest.raises(VerificationError):
            simulate(circuit, circuit.angles[None])


def test_auxiliary_qubits_must_come_back():
    builder = Builder(range(2))
    builder.add("x", [1])
    circuit = builder.build()
    with pytest.raises(VerificationError, match="auxiliary"):
        joint_states([*simulate(circuit, circuit.angles[None])], [0])


def pair():
    before, after = Builder(range(2)), Builder(range(3))
    before.add("h", [0])
    before.add("cx", [0, 1])
    after.add("h", [2])
    after.add("cx", [2, 0])
    after.add("swap", [0, 1])
    after.add_phase(0.7)
    return before, after


def test_layouts_and_phase():
    before, after = (b.build() for b in pair())
    assert unitary_distance(before, after, [2, 0], [2, 1]) < 1e-12
    assert unitary_distance(before, after, [2, 0], [2, 0]) > 0.1
    assert unitary_distance(before, after, [0, 2], [1, 2]) > 0.1


@pytest.mark.parametrize("gate", ["z", "x", "t"])
def test_differences_are_seen(gate):
    before, after = pair()
    after.add(gate, [1])
    assert unitary_distance(before.build(), after.build(), [2, 0], [2, 1]) > 0.1


def test_limits():
    with pytest.raises(VerificationError, match="at most 12"):
        unitary(Builder(range(13)).build())


def test_probabilities_are_those_of_the_state():
    rng = np.random.default_rng(5)
    circuit = random_circuit(rng, 5, 8, symbolic=0.0)
    groups = simulate(circuit, circuit.angles[None])
    whole = np.abs(joint_states(groups, range(5))).reshape((2,) * 5) ** 2
    for qubits in ((0, 1, 2, 3, 4), (3, 1), (4,), (2, 0, 4), ()):
        rest = tuple(q for q in range(5) if q not in qubits)
        order = [sorted(qubits).index(q) for q in qubits]
        expected = whole.sum(axis=rest).transpose(order).reshape(-1)
        np.testing.assert_allclose(probabilities(groups, qubits)[0], expected, atol=1e-12)


def test_a_batch_is_its_members():
    rng = np.random.default_rng(6)
    circuit = random_circuit(rng, 5, 40, NAMES, symbolic=0.0, walls=0.0)
    angles = rng.normal(size=(3, *circuit.angles.shape))
    whole = joint_states(simulate(circuit, angles), range(5))
    for member, state in zip(angles, whole, strict=True):
        one = replace(circuit, angles=member)
        assert state_distances(unitary(one)[None, :, 0], state[None]).max() < 1e-12
