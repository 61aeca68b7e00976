"""Replacing rows by programs."""

from __future__ import annotations

import numpy as np
from helpers import assert_same_meaning, circuits, make, shown
from hypothesis import given

from qattn_compiler.circuit import spec
from qattn_compiler.circuit.edit import Rule, Step, expand
from qattn_compiler.circuit.gates import BY_NAME
from qattn_compiler.circuit.params import GLOBAL_PHASE

RULES = (
    Rule((Step("h", (1,)), Step("cz", (0, 1)), Step("h", (1,)))),  # cx
    Rule((Step("rz", (0,), (0.0, (1.0,))),), (0.0, (0.5,))),  # exp(i t / 2) rz(t)
    Rule(()),
)


def test_nothing_to_replace_is_the_same_object():
    circuit = make(2, ("cx", (0, 1)))
    assert expand(circuit, np.array([-1]), RULES) is circuit


def test_steps_stand_where_the_row_stood():
    circuit = make(3, ("x", 0), ("cx", (2, 1)), ("y", 0), ("cx", (1, 0)))
    out = expand(circuit, np.array([-1, 0, -1, 2]), RULES)
    assert shown(out) == ["x 0", "h 1", "cz 2 1", "h 1", "y 0"]


def test_symbols_reach_steps_and_phase():
    circuit = make(1, ("rx", 0, "s"), ("rx", 0, 0.5))
    out = expand(circuit, np.array([1, 1]), RULES)
    assert out.affine.at(0) == ((0, 1.0),)
    assert out.affine.at(GLOBAL_PHASE) == ((0, 0.5),)
    assert out.angles[:, 0].tolist() == [0.0, 0.5]
    assert out.phase == 0.25


def test_no_rows():
    circuit = make(2)
    assert expand(circuit, np.zeros(0, dtype=np.int64), RULES) is circuit


@given(circuits())
def test_true_rules_keep_the_meaning(circuit):
    program = np.full(len(circuit), -1, dtype=np.int64)
    program[(circuit.op == BY_NAME["cx"].code) & (circuit.extra < 0)] = 0
    out = expand(circuit, program, RULES)
    spec.check(out)
    assert_same_meaning(circuit, out)
