"""Columns, builder, wires, bind, concatenate."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import circuits, make, shown, unitary
from hypothesis import given

from qattn_compiler.circuit import spec
from qattn_compiler.circuit.params import Parameter
from qattn_compiler.circuit.table import Builder, Circuit, Extra, concatenate, same
from qattn_compiler.errors import CircuitError


def with_everything() -> Circuit:
    builder = Builder("xyz")
    builder.add("h", [0])
    builder.add("rz", [1], [(0.5, {"t": 2.0})])
    builder.add("cx", [0, 2], extra=Extra(tags=("hi",)))
    builder.measure([2, 0], "m", invert=(True, False))
    builder.opaque([1], "if m: X", reads=("m",), writes=("k",))
    builder.opaque([0, 1, 2], "CCX")
    builder.reset(1)
    builder.add_phase((0.25, {"t": 1.0}))
    return builder.build()


def test_builder_makes_columns():
    c = with_everything()
    spec.check(c)
    assert len(c) == 7
    assert c.num_qubits == 3
    assert repr(c) == "<Circuit: 3 qubits, 7 rows, 1 parameters>"
    assert c.keys == ("m", "k")
    assert c.num_wires == 5
    assert c.is_symbolic
    assert c.symbolic_rows.tolist() == [False, True, False, False, False, False, False]
    assert c.is_two_qubit.tolist() == [False, False, True, False, False, True, False]
    assert c.wires.tolist() == [
        [0, -1, -1], [1, -1, -1], [0, 2, -1], [2, 0, 3], [1, 3, 4], [0, 1, 2], [1, -1, -1]
    ]  # fmt: skip


def test_columns_cannot_be_written_to():
    c = with_everything()
    for column in (c.op, c.operands, c.angles, c.extra, c.wires, c.affine.coef):
        with pytest.raises(ValueError, match="read-only"):
            column[0] = 0


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (lambda b: b.add("foo", [0]), "the gate table has no 'foo'"),
        (lambda b: b.add("cx", [0]), "cx acts on 2 different qubits"),
        (lambda b: b.add("cx", [1, 1]), "cx acts on 2 different qubits"),
        (lambda b: b.add("rx", [0]), "rx has 1 angles, not 0"),
        (lambda b: b.add("h", [2]), "there are only 2 qubits"),
        (lambda b: b.add("rx", [0], [float("nan")]), "not finite"),
        (lambda b: b.add("rx", [0], [(0.0, {"a": float("inf")})]), "not finite"),
        (lambda b: b.measure([0, 0], "m"), "2 different qubits exist"),
        (lambda b: b.reset(5), "2 different qubits exist"),
    ],
)
def test_builder_refuses(rows, message):
    with pytest.raises(CircuitError, match=message):
        rows(Builder([0, 1]))


def test_equal_labels_are_refused():
    with pytest.raises(CircuitError, match="differ"):
        Builder(["a", "a"])


def test_bind_errors():
    c = with_everything()
    with pytest.raises(CircuitError, match=r"no parameter 'u'; it has t"):
        c.bind({"u": 1.0})
    with pytest.raises(CircuitError, match="'t' is nan"):
        c.bind({"t": float("nan")})
    assert c.bind({}) is c


def test_bind_batch_shapes():
    angles, phases = with_everything().bind_batch(np.array([[1.0], [2.0]]))
    assert angles.shape == (2, 7, 3)
    assert angles[:, 1, 0].tolist() == [2.5, 4.5]
    assert phases.tolist() == [1.25, 2.25]


@given(circuits())
def test_with_all_rows_is_the_same(circuit):
    assert same(circuit.with_rows(np.arange(len(circuit))), circuit)


@given(circuits(walls=False, max_qubits=3), circuits(walls=False, max_qubits=3))
def test_concatenate_multiplies(first, second):
    if first.num_qubits != second.num_qubits:
        with pytest.raises(CircuitError, match="same qubits"):
            concatenate(first.qubits, [first, second])
        return
    both = concatenate(first.qubits, [first, second])
    values = {"a": 0.3, "b": -1.2, "c": 0.7}
    np.testing.assert_allclose(
        unitary(both, values), unitary(second, values) @ unitary(first, values), atol=1e-8
    )


@given(circuits())
def test_concatenate_of_one_is_the_same(circuit):
    assert same(concatenate(circuit.qubits, [circuit]), circuit)


def test_concatenate_numbers_parameters_anew():
    c = concatenate((0,), [make(1, ("rz", 0, "s")), make(1, ("rz", 0, "t"), ("rz", 0, "s"))])
    assert c.params == (Parameter("s"), Parameter("t"))
    assert c.affine.param.tolist() == [0, 1, 0]
    assert shown(c) == ["rz 0"] * 3


def test_same_sees_every_column():
    a = with_everything()
    assert same(a, with_everything())
    builder = Builder("xyz")
    assert not same(a, builder.build())
    assert not same(make(1, ("rz", 0, 0.5)), make(1, ("rz", 0, 0.25)))
    assert not same(make(1, ("rz", 0, "s")), make(1, ("rz", 0, "-s")))
    one, two = Builder([0]), Builder([0])
    one.add("z", [0])
    two.add("z", [0], extra=Extra(tags=("t",)))
    assert not same(one.build(), two.build())
