"""FoldPhases: rotations on equal parities become one."""

from math import pi

import numpy as np
import pytest
from helpers import GATE_SETS, assert_pass, circuits, make, random_circuit, shown
from hypothesis import given, settings

from qattn_compiler.circuit.gates import GATES, ROTATION_FAMILY
from qattn_compiler.passes.circuit.fold_phases import FoldPhases

FOLD = FoldPhases()


def rotations(circuit):
    return sum(GATES[code].name in ("rz", "rzz") for code in ROTATION_FAMILY[circuit.op] if code >= 0)


@given(circuits())
@settings(max_examples=200)
def test_meaning_and_phase_are_kept(circuit):
    assert_pass(FOLD, circuit)


@pytest.mark.parametrize("names", sorted(GATE_SETS))
def test_longer_circuits(names):
    rng = np.random.default_rng(3)
    for _ in range(8):
        assert_pass(FOLD, random_circuit(rng, 4, 60, GATE_SETS[names], walls=0.03))


def test_equal_parities_on_different_wires_meet():
    circuit = make(
        2, ("cx", (0, 1)), ("rz", 1, 0.3), ("cx", (0, 1)), ("cx", (1, 0)), ("rz", 0, "a"), ("h", 0)
    )
    assert shown(assert_pass(FOLD, circuit)) == ["cx 0 1", "rz 1", "cx 0 1", "cx 1 0", "h 0"]


def test_rotations_meet_around_a_hadamard():
    # the Hadamard on wire 1 does not touch the parity of wire 0
    circuit = make(2, ("t", 0), ("cx", (0, 1)), ("h", 1), ("cx", (0, 1)), ("x", 0), ("tdg", 0))
    result = assert_pass(FOLD, circuit)
    assert shown(result) == ["rz 0", "cx 0 1", "h 1", "cx 0 1", "x 0"]
    assert result.angles[0, 0] == pytest.approx(pi / 2)


def test_a_hadamard_makes_a_new_variable():
    circuit = make(1, ("t", 0), ("h", 0), ("t", 0), ("h", 0), ("t", 0))
    assert FOLD.run(circuit) is circuit


def test_swaps_and_monomial_gates_carry_parities():
    circuit = make(2, ("rz", 0, 0.2), ("iswap", (0, 1)), ("rz", 1, 0.3), ("swap", (0, 1)), ("rz", 0, "a"))
    assert shown(assert_pass(FOLD, circuit)) == ["rz 0", "iswap 0 1", "swap 0 1"]
    circuit = make(2, ("rz", 1, 0.2), ("cy", (0, 1)), ("cy", (0, 1)), ("y", 1), ("rz", 1, 0.5))
    assert shown(assert_pass(FOLD, circuit)) == ["rz 1", "cy 0 1", "cy 0 1", "y 1"]


def test_a_pair_meets_a_single_rotation():
    circuit = make(2, ("rzz", (0, 1), "a"), ("cx", (0, 1)), ("rz", 1, 0.4), ("cx", (0, 1)))
    assert shown(assert_pass(FOLD, circuit)) == ["cx 0 1", "rz 1", "cx 0 1"]


def test_on_no_variable_it_is_a_phase():
    circuit = make(2, ("cx", (0, 1)), ("cx", (0, 1)), ("rzz", (0, 1), 0.3), ("cx", (0, 1)), ("cx", (1, 0)))
    assert_pass(FOLD, circuit)
    same = make(3, ("cx", (0, 1)), ("swap", (0, 2)), ("cx", (2, 1)), ("rz", 1, "a"), ("rz", 1, 1.0))
    assert rotations(assert_pass(FOLD, same)) == 1


def test_walls_end_parities():
    circuit = make(1, ("t", 0), ("t", 0))
    assert rotations(FOLD.run(circuit)) == 1
    rng = np.random.default_rng(8)
    for _ in range(30):
        assert_pass(FOLD, random_circuit(rng, 3, 25, GATE_SETS["clifford"], walls=0.3))


def test_toffoli_ladder_reaches_the_published_count():
    """Amy, Maslov, Mosca 2014, table of T-counts: Tof_4 needs 23 T gates after T-par, of 35."""
    rows = []
    for a, b, c in [(0, 1, 4), (2, 4, 5), (3, 5, 6), (2, 4, 5), (0, 1, 4)]:
        rows += toffoli(a, b, c)
    circuit = make(7, *rows)
    result = FOLD.run(circuit)
    quarter = np.abs(np.remainder(result.angles[:, 0], pi / 2)) > 1e-9
    t_like = [GATES[op].name in ("t", "tdg") for op in result.op]
    assert sum(t_like) + int((quarter & (result.op == result.op)).sum()) == 23


def toffoli(a, b, c):
    return [
        ("h", c),
        ("cx", (b, c)),
        ("tdg", c),
        ("cx", (a, c)),
        ("t", c),
        ("cx", (b, c)),
        ("tdg", c),
        ("cx", (a, c)),
        ("t", b),
        ("t", c),
        ("cx", (a, b)),
        ("t", a),
        ("tdg", b),
        ("cx", (a, b)),
        ("h", c),
    ]
