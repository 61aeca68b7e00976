"""DropNegligible."""

from __future__ import annotations

import pytest
from helpers import ALL_GATES, assert_pass, circuits, make, shown
from hypothesis import given
from hypothesis import strategies as st

from qattn_compiler.circuit.gates import BY_NAME
from qattn_compiler.circuit.table import Builder, Extra
from qattn_compiler.errors import PassError
from qattn_compiler.passes import DropNegligible


@given(circuits(), st.sampled_from([0.0, 1e-8, 0.1, 1.0]))
def test_promises_and_the_error_that_it_reports(circuit, atol):
    step = DropNegligible(atol)
    out = assert_pass(step, circuit, atol=step.dropped(circuit) + 1e-8)
    assert step.dropped(out) == 0
    if out is circuit:
        assert step.dropped(circuit) == 0


@pytest.mark.parametrize("name", [name for name in ALL_GATES if BY_NAME[name].num_angles])
def test_error_of_one_gate(name):
    gate = BY_NAME[name]
    circuit = make(2, (name, (0, 1)[: gate.num_qubits], *[0.01, -0.005, 0.3][: gate.num_angles]))
    step = DropNegligible(0.02)
    out = assert_pass(step, circuit, atol=step.dropped(circuit))
    assert len(out) == 0
    assert step.dropped(circuit) == pytest.approx([0.01, 0.015, 0.015][gate.num_angles - 1])


def test_which_rows_go():
    rows = [("rz", 0, 1e-9), ("rz", 0, 1e-7), ("t", 0), ("phased_xz", 0, 0.0, 0.0, 2.0), ("rx", 0, "s")]
    circuit = make(2, *rows, ("fsim", (0, 1), 1e-9, 0.0), ("givens", (0, 1), -1e-9), ("cphase", (0, 1), 0.0))
    out = assert_pass(DropNegligible(), circuit)
    assert shown(out) == ["rz 0", "t 0", "rx 0"]


def test_tagged_rows_stay():
    builder = Builder([0])
    builder.add("rz", [0], [0.0], Extra(tags=("virtual",)))
    circuit = builder.build()
    assert DropNegligible().run(circuit) is circuit


@pytest.mark.parametrize("atol", [-1.0, float("nan"), float("inf")])
def test_bad_tolerance(atol):
    with pytest.raises(PassError, match="atol is"):
        DropNegligible(atol)
