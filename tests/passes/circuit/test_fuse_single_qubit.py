"""FuseSingleQubit and fuse_batch."""

from __future__ import annotations

from math import pi

import numpy as np
import pytest
from helpers import GATE_SETS, assert_pass, circuits, make, random_circuit, shown, unitary
from hypothesis import given
from hypothesis import strategies as st

from qattn_compiler.circuit import spec
from qattn_compiler.circuit.gates import NUM_QUBITS, PHASED_XZ
from qattn_compiler.circuit.table import Builder, Extra
from qattn_compiler.passes import FuseSingleQubit
from qattn_compiler.passes.circuit.fuse_single_qubit import fuse_batch


@given(circuits())
def test_promises(circuit):
    assert_pass(FuseSingleQubit(), circuit)


@given(circuits(gates="one", max_qubits=2, max_rows=20))
def test_promises_on_long_runs(circuit):
    assert_pass(FuseSingleQubit(), circuit)


@given(circuits(symbolic=False, walls=False))
def test_one_gate_for_each_run(circuit):
    out = FuseSingleQubit().run(circuit)
    single = NUM_QUBITS[out.op] == 1
    assert (out.op[single] == PHASED_XZ).all()
    for row in np.flatnonzero(single):
        wire = out.operands[row, 0]
        later = np.flatnonzero((out.operands[row + 1 :] == wire).any(axis=1))
        if len(later):
            assert not single[row + 1 + later[0]]


def test_a_run_becomes_one_pulse_and_phases_stay():
    out = assert_pass(
        FuseSingleQubit(), make(2, ("h", 0), ("t", 0), ("cz", (0, 1)), ("h", 0), ("z", 1), ("h", 0))
    )
    assert shown(out) == ["phased_xz 0", "cz 0 1", "phased_xz 1"]
    assert out.angles[2].tolist() == [0, pi, 0]


@pytest.mark.parametrize(
    "rows", [[("x", 0)] * 2, [("h", 0)] * 2, [("s", 0)] * 4, [("rz", 0, 2 * pi)], [("t", 0)] * 8]
)
def test_identities_vanish(rows):
    assert len(assert_pass(FuseSingleQubit(), make(1, *rows))) == 0


def test_x_squared_leaves_no_phase():
    out = FuseSingleQubit().run(make(1, ("rx", 0, pi), ("rx", 0, pi)))
    assert len(out) == 0
    assert np.exp(1j * out.phase) == pytest.approx(-1)


def test_canonical_pulses_are_left_alone():
    circuit = make(1, ("phased_xz", 0, 0.5, 0.25, -1.0))
    assert FuseSingleQubit().run(circuit) is circuit


def test_symbolic_gates_end_runs():
    circuit = make(1, ("h", 0), ("t", 0), ("rz", 0, "s"), ("h", 0))
    assert shown(assert_pass(FuseSingleQubit(), circuit)) == ["phased_xz 0", "rz 0", "phased_xz 0"]


def test_tagged_gates_and_measurements_end_runs():
    builder = Builder(range(1))
    builder.add("h", [0])
    builder.add("h", [0], extra=Extra(tags=("keep",)))
    builder.add("h", [0])
    builder.measure([0], "m")
    builder.add("h", [0])
    out = assert_pass(FuseSingleQubit(), builder.build())
    assert len(out) == 5


# -- batches ------------------------------------------------------------------------------------------------


@given(circuits(), st.integers(1, 4))
def test_batch_is_bind_and_fuse_for_each(circuit, size):
    values = np.random.default_rng(5).normal(size=(size, len(circuit.params))) * 2
    batch = fuse_batch(circuit, values)
    assert batch.angles.shape == (size, len(batch.circuit), 3)
    assert batch.phases.shape == (size,)
    for index in range(size):
        bound = circuit.bind(dict(zip("abc", values[index].tolist(), strict=True)))
        member = batch.member(index)
        spec.check(member)
        np.testing.assert_allclose(unitary(member), unitary(bound), atol=1e-8)
        assert len(member) == len(FuseSingleQubit().run(bound))


def test_batch_without_symbols():
    circuit = make(2, ("h", 0), ("h", 0), ("cz", (0, 1)))
    batch = fuse_batch(circuit, np.zeros((2, 0)))
    assert shown(batch.circuit) == ["phased_xz 0", "cz 0 1"]
    assert shown(batch.member(1)) == ["cz 0 1"]


@pytest.mark.parametrize("names", GATE_SETS)
def test_batch_on_longer_circuits(names):
    rng = np.random.default_rng(29)
    circuit = random_circuit(rng, 3, 60, GATE_SETS[names], symbolic=0.5)
    values = rng.normal(size=(3, 3))
    batch = fuse_batch(circuit, values)
    for index in range(3):
        expected = unitary(circuit, dict(zip("abc", values[index], strict=True)))
        np.testing.assert_allclose(unitary(batch.member(index)), expected, atol=1e-8)
