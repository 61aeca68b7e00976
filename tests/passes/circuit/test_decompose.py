"""DecomposeTwoQubit."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import assert_pass, circuits, cz_cost, make, random_circuit, shown
from hypothesis import given

from qattn_compiler.circuit.gates import BY_NAME, CZ, NUM_QUBITS, OPAQUE
from qattn_compiler.circuit.table import Builder, Extra
from qattn_compiler.errors import PassError
from qattn_compiler.passes import DecomposeTwoQubit


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
