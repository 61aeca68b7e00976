"""DecomposeTwoQubit."""

from __future__ import annotations

from math import pi

import numpy as np
import pytest
from helpers import assert_pass, assert_same_meaning, circuits, cz_cost, make, random_circuit, shown
from hypothesis import given

from qattn_compiler.circuit.gates import BY_NAME, CZ, NUM_QUBITS, OPAQUE
from qattn_compiler.circuit.table import Builder, Extra
from qattn_compiler.errors import PassError
from qattn_compiler.passes import DecomposeTwoQubit
from qattn_compiler.synth.entanglers import ENTANGLERS


def no_fsim(circuit):
    """CZ to come; fsim is counted as the four that its rule takes."""
    return cz_cost(circuit) + 2 * int((circuit.op == BY_NAME["fsim"].code).sum())


@given(circuits())
def test_promises(circuit):
    out = assert_pass(DecomposeTwoQubit(), circuit, cost=no_fsim, keeps_tagged=False)
    assert no_fsim(out) == no_fsim(circuit)
    assert (out.op[NUM_QUBITS[out.op] == 2] == CZ).all()


@given(circuits(gates="entangling"))
def test_kept_gates(circuit):
    keep = frozenset({"cx", "swap"})
    assert DecomposeTwoQubit(keep).run(circuit) is circuit


def test_longer_circuits():
    rng = np.random.default_rng(31)
    for _ in range(20):
        assert_pass(DecomposeTwoQubit(), random_circuit(rng, 4, 30), cost=no_fsim)


def test_single_qubit_gates_and_walls_stay():
    builder = Builder(range(3))
    builder.add("t", [0])
    builder.opaque([0, 1, 2], "CCX")
    builder.add("cx", [0, 1])
    builder.measure([0, 1], "m")
    out = assert_pass(DecomposeTwoQubit(), builder.build(), cost=no_fsim)
    assert shown(out) == ["t 0", "opaque 0 1", "h 1", "cz 0 1", "h 1", "measure 0 1"]
    assert (out.op == OPAQUE).sum() == 1


def test_only_cz_is_the_same_object():
    circuit = make(2, ("cz", (0, 1)), ("h", 0))
    assert DecomposeTwoQubit().run(circuit) is circuit


def test_tags_go_with_the_gate_that_they_describe():
    builder = Builder(range(2))
    builder.add("cx", [0, 1], extra=Extra(tags=("mine",)))
    builder.add("cz", [0, 1], extra=Extra(tags=("mine",)))
    out = DecomposeTwoQubit().run(builder.build())
    assert shown(out) == ["h 1", "cz 0 1", "h 1", "cz 0 1"]
    assert out.extra.tolist() == [-1, -1, -1, 1]


def test_unknown_names():
    with pytest.raises(PassError, match="decompose-two-qubit: the gate table has no ccx, foo"):
        DecomposeTwoQubit(frozenset({"cx", "foo", "ccx"}))


@pytest.mark.parametrize("entangler", ENTANGLERS)
def test_every_entangler(entangler):
    native = ENTANGLERS[entangler]
    rng = np.random.default_rng(2)
    for _ in range(8):
        circuit = random_circuit(rng, 3, 12, walls=0.05)
        out = DecomposeTwoQubit(entangler=entangler).run(circuit)
        assert_same_meaning(circuit, out)
        rows = np.flatnonzero(NUM_QUBITS[out.op] == 2)
        assert (out.op[rows] == BY_NAME[native.gate].code).all()
        if native.angles:
            np.testing.assert_allclose(out.angles[rows, : len(native.angles)] - native.angles, 0, atol=1e-12)
            assert not out.symbolic_rows[rows].any()
        assert DecomposeTwoQubit(entangler=entangler).run(out) is out


def test_gates_without_symbols_can_be_left():
    circuit = make(2, ("rzz", (0, 1), "s"), ("fsim", (0, 1), pi / 2, 0.0), ("cx", (0, 1)))
    out = DecomposeTwoQubit(entangler="syc", symbolic_only=True).run(circuit)
    assert_same_meaning(circuit, out)
    assert shown(out)[-2:] == ["fsim 0 1", "cx 0 1"]
    with pytest.raises(PassError, match="no entangler"):
        DecomposeTwoQubit(entangler="warp")
