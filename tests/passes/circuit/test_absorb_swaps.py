"""AbsorbSwaps."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import assert_pass, circuits, cz_cost, make, random_circuit, shown
from hypothesis import given

from qattn_compiler.circuit.table import Builder, Extra
from qattn_compiler.passes import AbsorbSwaps


@given(circuits(gates="entangling", max_rows=20))
def test_promises(circuit):
    assert_pass(AbsorbSwaps(), circuit, cost=cz_cost)


@given(circuits())
def test_promises_on_all_gates(circuit):
    assert_pass(AbsorbSwaps(), circuit, cost=cz_cost)


def test_longer_circuits():
    rng = np.random.default_rng(37)
    for _ in range(40):
        names = ("cz", "cx", "swap", "swap", "rz", "rx")
        circuit = random_circuit(rng, 3, 30, names, walls=0.05)
        assert_pass(AbsorbSwaps(), circuit, cost=cz_cost)


@pytest.mark.parametrize(
    "rows",
    [
        [("cz", (0, 1)), ("swap", (0, 1))],
        [("swap", (0, 1)), ("cz", (1, 0))],
        [("cx", (0, 1)), ("swap", (1, 0))],
        [("swap", (0, 1)), ("cx", (0, 1))],
        [("cx", (1, 0)), ("h", 0), ("rz", 1, "s"), ("swap", (0, 1)), ("t", 0)],
        [("swap", (0, 1)), ("rz", 0, "s"), ("t", 1), ("cx", (1, 0))],
    ],
)
def test_two_cz_instead_of_four(rows):
    out = assert_pass(AbsorbSwaps(), make(2, *rows), cost=cz_cost)
    assert cz_cost(out) == 2
    assert sum(line.startswith("iswap") for line in shown(out)) == 1


def test_cz_and_swap():
    out = assert_pass(AbsorbSwaps(), make(2, ("cz", (0, 1)), ("swap", (0, 1))), cost=cz_cost)
    assert shown(out) == ["iswap 0 1", "sdg 0", "sdg 1"]


def test_a_swap_on_either_side_leaves_the_gate_alone():
    out = assert_pass(
        AbsorbSwaps(), make(2, ("swap", (0, 1)), ("cz", (0, 1)), ("swap", (0, 1))), cost=cz_cost
    )
    assert cz_cost(out) == 1


def test_two_swaps_with_single_qubit_gates_between_them_go():
    rows = [("swap", (0, 1)), ("h", 0), ("rz", 0, "s"), ("t", 1), ("swap", (1, 0)), ("x", 0)]
    out = assert_pass(AbsorbSwaps(), make(2, *rows), cost=cz_cost)
    assert shown(out) == ["h 1", "rz 1", "t 0", "x 0"]


@pytest.mark.parametrize("angle", [0.7, "s"])
@pytest.mark.parametrize("name", ["rzz", "rxx", "ryy", "crz", "crx", "cry", "cphase"])
@pytest.mark.parametrize("first", [True, False])
def test_a_rotation_and_a_swap_are_three(name, angle, first):
    rows = [(name, (0, 1), angle), ("h", 0), ("rz", 1, 0.3), ("swap", (1, 0))]
    out = assert_pass(AbsorbSwaps(), make(2, *(rows if first else rows[::-1])), cost=cz_cost)
    assert cz_cost(out) == 3


@pytest.mark.parametrize("name", ["iswap", "iswapdg"])
def test_an_iswap_and_a_swap_are_one(name):
    assert cz_cost(assert_pass(AbsorbSwaps(), make(2, (name, (0, 1)), ("swap", (0, 1))), cost=cz_cost)) == 1


@pytest.mark.parametrize(
    "rows",
    [
        [("swap", (0, 1))],
        [("cz", (0, 1)), ("cz", (1, 2)), ("swap", (0, 1))],
        [("cz", (0, 2)), ("swap", (0, 1))],
        [("givens", (0, 1), 0.5), ("swap", (0, 1))],
    ],
)
def test_nothing_to_absorb(rows):
    circuit = make(3, *rows)
    assert AbsorbSwaps().run(circuit) is circuit


def test_not_through_a_measurement_or_a_tagged_gate():
    for wall in (lambda b: b.measure([0], "m"), lambda b: b.add("t", [0], extra=Extra(tags=("keep",)))):
        builder = Builder(range(2))
        builder.add("cz", [0, 1])
        wall(builder)
        builder.add("swap", [0, 1])
        circuit = builder.build()
        assert AbsorbSwaps().run(circuit) is circuit
