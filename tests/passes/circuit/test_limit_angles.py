"""Angles of RZZ between 0 and a quarter turn."""

from __future__ import annotations

from math import pi

import numpy as np
import pytest
from helpers import assert_pass, circuits, cz_cost, make
from hypothesis import given, settings

from qattn_compiler.circuit.gates import BY_NAME
from qattn_compiler.passes.circuit.limit_angles import LimitAngles

RZZ = BY_NAME["rzz"].code
ANGLES = [0.0, 0.3, pi / 2, 1.6, 3.0, pi, 3.2, 4.7, 5.0, 2 * pi, 6.5, 12.0, 4 * pi, 1e3]


@pytest.mark.parametrize("angle", [sign * angle for angle in ANGLES for sign in (1, -1)])
def test_every_angle(angle):
    before = make(2, ("rzz", (0, 1), angle), ("h", (0,)))
    after = assert_pass(LimitAngles(), before, cost=cz_cost)
    rows = after.op == RZZ
    assert rows.sum() == 1
    assert (after.angles[rows, 0] > -1e-11).all()
    assert (after.angles[rows, 0] < pi / 2 + 1e-11).all()


@settings(max_examples=60)
@given(circuits())
def test_any_circuit(circuit):
    after = assert_pass(LimitAngles(), circuit, cost=cz_cost)
    free = (after.op == RZZ) & (after.extra < 0) & ~after.symbolic_rows
    assert (np.abs(after.angles[free, 0] - pi / 4) < pi / 4 + 1e-11).all()
