"""Clifford: regions of Clifford gates through a tableau."""

from math import pi

import numpy as np
import pytest
from helpers import assert_same_meaning, circuits, make, random_circuit, walls
from hypothesis import given, settings

from qattn_compiler.circuit.gates import GATES
from qattn_compiler.errors import PassError
from qattn_compiler.passes.circuit.clifford import Clifford, is_clifford
from qattn_compiler.passes.circuit.cost import entanglers


@given(circuits(max_rows=30))
@settings(max_examples=120)
def test_meaning_is_kept_and_cost_falls(circuit):
    result = Clifford(effort=2).run(circuit)
    assert_same_meaning(circuit, result)
    assert walls(result) == walls(circuit)
    assert result is circuit or entanglers(result) < entanglers(circuit)


@pytest.mark.parametrize("size", [3, 5])
def test_longer_circuits(size):
    rng = np.random.default_rng(size)
    for _ in range(5):
        names = ("cx", "cz", "h", "s", "swap", "iswap", "t", "sx", "cy")
        circuit = random_circuit(rng, size, 80, names, symbolic=0, walls=0.02)
        result = Clifford(effort=3).run(circuit)
        assert_same_meaning(circuit, result)
        assert entanglers(result) <= entanglers(circuit)


def test_other_gates_stay():
    circuit = make(
        2,
        ("cx", (0, 1)),
        ("cx", (1, 0)),
        ("cx", (0, 1)),
        ("t", 0),
        ("rx", 1, "a"),
        ("cz", (0, 1)),
        ("cz", (0, 1)),
    )
    result = Clifford(free_swaps=True).run(circuit)
    names = [GATES[op].name for op in result.op]
    assert names.count("t") == names.count("rx") == 1
    assert entanglers(result) == 3  # one SWAP
    assert names.count("swap") == 1


def test_what_is_a_clifford_gate():
    circuit = make(
        2,
        ("h", 0),
        ("t", 0),
        ("rz", 0, pi / 2),
        ("rz", 0, pi / 4),
        ("rzz", (0, 1), -3 * pi / 2),
        ("cphase", (0, 1), pi / 2),
        ("cphase", (0, 1), 3 * pi),
        ("rx", 0, "a"),
        ("siswap", (0, 1)),
        ("phased_xz", 0, pi, 0.0, 0.0),
    )
    expected = [True, False, True, False, True, False, True, False, False, False]
    assert is_clifford(circuit).tolist() == expected


def test_bad_effort_is_refused():
    with pytest.raises(PassError, match="effort"):
        Clifford(effort=0)
