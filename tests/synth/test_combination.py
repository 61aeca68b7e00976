"""Linear combinations of circuits, and SWAP tests of them: exact, and how many gates they take."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from helpers import cz_cost, make, random_circuit, unitary

from qattn_compiler.errors import CircuitError
from qattn_compiler.synth.combination import linear_combination, swap_test

RNG = np.random.default_rng(0)


def pauli_rotation(letters: str, angle: float):
    """exp(-i angle P / 2): a change of basis, a ladder, one rotation."""
    wires = [q for q, letter in enumerate(letters) if letter != "I"]
    before = [("sx", q) if letters[q] == "Y" else ("h", q) for q in wires if letters[q] != "Z"]
    before += [("cx", pair) for pair in pairwise(wires)]
    names = {"sx": "sxdg", "h": "h", "cx": "cx"}
    after = [(names[name], w) for name, w in reversed(before)]
    return make(len(letters), *before, ("rz", wires[-1], angle), *after)


def ansatz(size: int = 3):
    angles = RNG.normal(size=(2, size))
    rows = [("ry", q, angles[0, q]) for q in range(size)] + [("cx", (q, q + 1)) for q in range(size - 1)]
    return make(size, *rows, *[("rx", q, angles[1, q]) for q in range(size)])


def assert_combines(weights, circuits, one_hot: bool):
    address = len(circuits) if one_hot else int(np.ceil(np.log2(len(circuits))))
    found = linear_combination(weights, circuits, [f"a{i}" for i in range(address)])
    size = 2 ** circuits[0].num_qubits
    wanted = sum(w * unitary(c) for w, c in zip(weights, circuits, strict=True))
    np.testing.assert_allclose(found.norm * unitary(found.circuit)[:size, :size], wanted, atol=1e-12)
    assert found.norm == pytest.approx(np.abs(weights).sum())
    assert found.address == address
    state = unitary(found.circuit)[:, 0][:size]
    assert found.success(wanted[:, 0]) == pytest.approx(np.linalg.norm(state) ** 2)
    return found.circuit


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5])
def test_circuits_of_one_skeleton(number):
    circuits = [ansatz() for _ in range(number)]
    assert_combines(RNG.normal(size=number), circuits, False)
    assert_combines(RNG.normal(size=number) + 1j * RNG.normal(size=number), circuits, False)


WORDS = ("XYZ", "ZZI", "YIY", "IXX")


@pytest.mark.parametrize("number", [3, 4])
def test_unlike_circuits_on_a_one_hot_address(number):
    circuits = [pauli_rotation(word, angle) for word, angle in zip(WORDS, RNG.normal(size=4), strict=True)]
    circuits = circuits[:number]
    weights = RNG.normal(size=number) + 1j * RNG.normal(size=number)
    out = assert_combines(weights, circuits, True)
    assert cz_cost(out) == 2 * (2 * number - 3) + 2 * number + sum(cz_cost(c) for c in circuits)


def test_zeros_among_weights():
    circuits = [pauli_rotation(word, 0.7) for word in WORDS]
    assert_combines(np.array([0.0, 1.0, 0.0, -2.0]), circuits, True)
    assert_combines(np.array([0.0, 1.0, 0.0, -2.0]), [ansatz() for _ in range(4)], False)


def test_swap_test_is_the_squared_overlap():
    first, second = (random_circuit(RNG, 3, 20, symbolic=0.0) for _ in range(2))
    test = swap_test(first, replace(second, qubits=("x", "y", "z")))
    chances = np.abs(unitary(test.circuit)[:, 0]) ** 2
    index = np.arange(64)
    odd = sum((index >> (5 - a)) & (index >> (5 - b)) & 1 for a, b in test.pairs) % 2
    overlap = np.vdot(unitary(first)[:, 0], unitary(second)[:, 0])
    assert chances @ (1 - 2.0 * odd) == pytest.approx(abs(overlap) ** 2)
    assert cz_cost(test.circuit) == cz_cost(first) + cz_cost(second) + 3


def test_errors():
    one, two = make(1, ("rx", 0, 0.1)), make(2, ("rx", 0, 0.1))
    for weights in ([1.0], [0.0, 0.0], [1.0, np.nan]):
        with pytest.raises(CircuitError, match="finite weights"):
            linear_combination(weights, [one, one], ["a"])
    with pytest.raises(CircuitError, match="neither binary nor one-hot"):
        linear_combination([1.0] * 4, [one] * 4, ["a", "b", "c"])
    with pytest.raises(CircuitError, match="no overlap"):
        swap_test(one, two)
    with pytest.raises(CircuitError, match="must differ"):
        swap_test(one, one)
