"""Gates turned round for edges that go one way."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import assert_pass, cz_cost, make, shown

from qattn_compiler.device import Device
from qattn_compiler.errors import PassError, TargetError
from qattn_compiler.passes.circuit.orient import Orient

EDGES = np.array([[0, 1], [1, 2]])
DEVICE = Device("d", (0, 1, 2), EDGES, frozenset({"cx", "cz", "h"}), one_way=frozenset({(1, 0)}))


def test_gates_against_an_edge():
    before = make(3, ("cx", (0, 1)), ("cx", (1, 0)), ("cx", (1, 2)), ("cx", (2, 1)), ("cz", (0, 1)))
    after = assert_pass(Orient(DEVICE), before, cost=cz_cost)
    assert shown(after) == [
        *("h 0", "h 1", "cx 1 0", "h 0", "h 1"),
        *("cx 1 0", "cx 1 2", "cx 2 1", "cz 1 0"),
    ]
    DEVICE.check(after)
    with pytest.raises(TargetError, match="1 to 0 only"):
        DEVICE.check(before)


def test_a_gate_that_cannot_be_turned_round():
    with pytest.raises(PassError, match=r"crx \(row 1\) goes from 0 to 1, where d has 1 to 0 only"):
        Orient(DEVICE).run(make(3, ("crx", (1, 0), 0.3), ("crx", (0, 1), 0.3)))
