"""MergeRotations."""

from __future__ import annotations

from math import pi

import numpy as np
import pytest
from helpers import GATE_SETS, assert_pass, circuits, make, random_circuit, shown
from hypothesis import given

from qattn_compiler.circuit.params import GLOBAL_PHASE
from qattn_compiler.circuit.table import Builder, Extra
from qattn_compiler.passes import MergeRotations


@given(circuits())
def test_promises(circuit):
    assert_pass(MergeRotations(), circuit)


@given(circuits(gates="rotations", max_rows=20))
def test_promises_where_much_commutes(circuit):
    assert_pass(MergeRotations(), circuit)


@pytest.mark.parametrize("names", GATE_SETS)
def test_promises_on_longer_circuits(names):
    rng = np.random.default_rng(17)
    for _ in range(25):
        assert_pass(MergeRotations(), random_circuit(rng, 4, 40, GATE_SETS[names], walls=0.05))


def test_through_controls_and_diagonals():
    circuit = make(2, ("rz", 0, 0.5), ("cx", (0, 1)), ("rz", 0, 0.25), ("cz", (0, 1)), ("t", 0))
    out = assert_pass(MergeRotations(), circuit)
    assert shown(out) == ["rz 0", "cx 0 1", "cz 0 1"]
    assert out.angles[0, 0] == pytest.approx(0.75 + pi / 4)


def test_not_through_a_target():
    circuit = make(2, ("rz", 1, 0.5), ("cx", (0, 1)), ("rz", 1, 0.25))
    assert MergeRotations().run(circuit) is circuit


def test_x_through_targets():
    circuit = make(2, ("rx", 1, 0.5), ("cx", (0, 1)), ("sx", 1))
    assert shown(assert_pass(MergeRotations(), circuit)) == ["rx 1", "cx 0 1"]


def test_two_qubit_rotations_in_either_order():
    circuit = make(
        2, ("rzz", (0, 1), 0.5), ("t", 0), ("rzz", (1, 0), "s"), ("cphase", (1, 0), 1.0), ("cz", (0, 1))
    )
    out = assert_pass(MergeRotations(), circuit)
    assert shown(out) == ["rzz 0 1", "t 0", "cphase 1 0"]
    assert out.affine.at(0) == ((0, 1.0),)


def test_controlled_rotations_are_not_symmetric():
    circuit = make(2, ("crz", (0, 1), 0.5), ("crz", (1, 0), 0.25))
    assert MergeRotations().run(circuit) is circuit


def test_rotations_without_an_axis_merge_side_by_side():
    rows = [("givens", (0, 1), 0.5), ("givens", (1, 0), "s"), ("givens", (0, 1), 0.25)]
    out = assert_pass(MergeRotations(), make(2, *rows))
    assert shown(out) == ["givens 0 1"]
    assert out.angles[0, 0] == pytest.approx(0.75)
    assert out.affine.at(0) == ((0, -1.0),)
    assert len(assert_pass(MergeRotations(), make(2, *rows[1:2], ("givens", (0, 1), "s")))) == 0
    apart = make(2, rows[0], ("t", 0), rows[2])
    assert MergeRotations().run(apart) is apart


def test_both_angles_of_fsim_add_up():
    rows = [("fsim", (0, 1), 0.5, "s"), ("fsim", (1, 0), "t", 0.25)]
    out = assert_pass(MergeRotations(), make(2, *rows))
    assert shown(out) == ["fsim 0 1"]
    assert out.angles[0, :2] == pytest.approx([0.5, 0.25])
    assert (out.affine.at(0), out.affine.at(1)) == (((1, 1.0),), ((0, 1.0),))
    assert len(assert_pass(MergeRotations(), make(2, *rows, ("fsim", (0, 1), -0.5, "-s")))) == 1


@pytest.mark.parametrize("name", ["rzz", "rxx", "ryy", "cphase", "crz", "crx", "cry", "givens"])
def test_parametrised_pairs_are_nothing(name):
    rows = [(name, (0, 1), "s"), (name, (0, 1), 0.25), (name, (0, 1), "-s"), (name, (0, 1), -0.25)]
    assert len(assert_pass(MergeRotations(), make(2, *rows))) == 0


def test_one_sweep_finds_what_is_nested_deep():
    rows = [(("rz", "rx", "ry")[k % 3], 0, 0.1 + k) for k in range(400)]
    undone = [(name, wire, -angle) for name, wire, angle in reversed(rows)]
    assert len(MergeRotations().run(make(1, *rows, *undone))) == 0


def test_coefficients_that_cancel_but_for_rounding():
    builder = Builder(range(1))
    for coefficient in (0.1, 0.2, -0.3):
        builder.add("rz", [0], [(0.0, {"s": coefficient})])
    assert len(MergeRotations().run(builder.build())) == 0


def test_symbols_that_cancel_leave_nothing():
    circuit = make(2, ("rz", 0, "s"), ("cx", (0, 1)), ("rz", 0, "-s"))
    assert shown(assert_pass(MergeRotations(), circuit)) == ["cx 0 1"]


def test_symbols_add_up():
    circuit = make(1, ("rz", 0, "s"), ("rz", 0, "t"), ("rz", 0, "s"), ("s", 0))
    out = assert_pass(MergeRotations(), circuit)
    assert out.affine.at(0) == ((0, 2.0), (1, 1.0))
    assert out.angles[0, 0] == pytest.approx(pi / 2)
    assert out.affine.at(GLOBAL_PHASE) == ()


def test_eight_t_are_nothing():
    out = assert_pass(MergeRotations(), make(1, *[("t", 0)] * 8))
    assert len(out) == 0
    assert np.exp(1j * out.phase) == pytest.approx(1)


@pytest.mark.parametrize("name", ["x", "y", "z"])
def test_two_paulis_are_nothing(name):
    out = assert_pass(MergeRotations(), make(1, (name, 0), (name, 0)))
    assert len(out) == 0
    assert np.exp(1j * out.phase) == pytest.approx(1)


def test_a_full_turn_is_minus_one():
    out = assert_pass(MergeRotations(), make(1, ("rx", 0, pi), ("rx", 0, pi)))
    assert len(out) == 0
    assert np.exp(1j * out.phase) == pytest.approx(-1)


def test_a_controlled_full_turn_is_a_z():
    out = assert_pass(MergeRotations(), make(2, ("crx", (0, 1), pi), ("crx", (0, 1), pi)))
    assert shown(out) == ["crx 0 1"]
    assert len(assert_pass(MergeRotations(), make(2, *[("crx", (0, 1), pi)] * 4))) == 0


def test_what_vanishes_lets_others_meet():
    rows = [("rz", 0, 0.5), ("rx", 0, 0.25), ("rx", 0, -0.25), ("rz", 0, 0.5)]
    out = assert_pass(MergeRotations(), make(1, *rows))
    assert shown(out) == ["rz 0"]


def test_tagged_gates_stay_but_can_be_passed():
    builder = Builder(range(1))
    builder.add("t", [0])
    builder.add("s", [0], extra=Extra(tags=("keep",)))
    builder.add("t", [0])
    out = assert_pass(MergeRotations(), builder.build())
    assert shown(out) == ["rz 0", "s 0"]


@pytest.mark.parametrize("wall", ["measure", "reset", "opaque"])
def test_walls(wall):
    builder = Builder(range(1))
    builder.add("t", [0])
    if wall == "measure":
        builder.measure([0], "m")
    elif wall == "reset":
        builder.reset(0)
    else:
        builder.opaque([0], "?")
    builder.add("t", [0])
    circuit = builder.build()
    assert MergeRotations().run(circuit) is circuit
