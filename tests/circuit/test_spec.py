"""Well-formedness and stages: every rule broken once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers import circuits, make
from hypothesis import given

from qattn_compiler.circuit import spec
from qattn_compiler.circuit.params import Affine, Parameter
from qattn_compiler.circuit.table import Builder, Extra
from qattn_compiler.errors import CircuitError


@given(circuits())
def test_builders_circuits_are_well_formed(circuit):
    spec.check(circuit)


def raw(slot, param, coef):
    return Affine(np.array(slot, np.int64), np.array(param, np.int32), np.array(coef, np.float64))


BASE = make(2, ("h", 0), ("rz", 1, "s"), ("cz", (0, 1)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"op": np.array([250, 0, 0], np.uint8)}, r"row 0 \(gate code 250\) is not in the gate table"),
        ({"op": BASE.op[:2]}, "column operands has shape"),
        ({"operands": np.array([[0, -1], [1, -1], [0, 2]], np.int32)}, r"row 2 \(cz\) acts on \[0, 2\]"),
        ({"operands": np.array([[0, -1], [1, -1], [1, 1]], np.int32)}, r"row 2 \(cz\)"),
        ({"operands": np.array([[0, -1], [-1, -1], [0, 1]], np.int32)}, r"row 1 \(rz\)"),
        ({"operands": np.array([[0, 1], [1, -1], [0, 1]], np.int32)}, r"row 0 \(h\)"),
        ({"angles": np.full((3, 3), np.nan)}, r"row 0 \(h\) has angles"),
        ({"angles": np.ones((3, 3))}, r"row 0 \(h\) has angles"),
        ({"phase": float("inf")}, "the global phase is inf"),
        ({"extra": np.array([-1, 4, -1], np.int32)}, r"row 1 \(rz\) has extra 4 of 0"),
        ({"affine": raw([4, 3], [0, 0], [1, 1])}, "not sorted"),
        ({"affine": raw([3, 3], [0, 0], [1, 1])}, "not sorted"),
        ({"affine": raw([3], [1], [1])}, "out of the 1"),
        ({"affine": raw([3], [0], [0])}, "zero or not finite"),
        ({"affine": raw([3], [0], [np.nan])}, "zero or not finite"),
        ({"affine": raw([9], [0], [1])}, "belongs to no row"),
        ({"affine": raw([-2], [0], [1])}, "belongs to no row"),
        ({"affine": raw([3], [0], [1, 2])}, "differ in length"),
        ({"affine": raw([4], [0], [1])}, r"row 1 \(rz\) has a symbol in an angle"),
        ({"affine": raw([0], [0], [1])}, r"row 0 \(h\) has a symbol in an angle"),
        ({"qubits": (0, 0)}, "same label"),
        ({"params": (Parameter("s"), Parameter("s"))}, "same name"),
        ({"extra": np.array([0, -1, -1], np.int32), "extras": (Extra((1,)),)}, r"row 0 \(h\) acts on \(0,\)"),
    ],
)
def test_broken_columns(change, message):
    spec.check(BASE)
    with pytest.raises(CircuitError, match=message):
        spec.check(replace(BASE, **change))


def test_writable_column():
    circuit = make(1, ("x", 0))
    object.__setattr__(circuit, "op", circuit.op.copy())
    with pytest.raises(CircuitError, match="column op can be written to"):
        spec.check(circuit)


def structural(name):
    builder = Builder(range(3))
    {
        "measure": lambda: builder.measure([0, 1], "m"),
        "reset": lambda: builder.reset(0),
        "opaque": lambda: builder.opaque([0, 1], "p"),
    }[name]()
    return builder.build()


@pytest.mark.parametrize(
    ("name", "extra", "message"),
    [
        ("measure", Extra((0, 1)), "exactly one key"),
        ("measure", Extra((0, 1), writes=("a", "b")), "exactly one key"),
        ("measure", Extra((0, 1), writes=("a",), invert=(True,) * 3), "inverts 3 bits of 2"),
        ("measure", Extra((1, 0), writes=("a",)), "but its extra says"),
        ("measure", Extra((0, 1, 5), writes=("a",)), "there are 3 qubits"),
        ("opaque", Extra((0, 1, 1)), "but its extra says"),
        ("reset", Extra((0,), writes=("m",)), "one qubit and no key"),
    ],
)
def test_broken_side_table(name, extra, message):
    with pytest.raises(CircuitError, match=message):
        spec.check(replace(structural(name), extras=(extra,)))


def test_structural_row_without_extra():
    with pytest.raises(CircuitError, match="has no extra"):
        spec.check(replace(structural("reset"), extra=np.array([-1], np.int32)))


def test_stages():
    builder = Builder(range(3))
    builder.measure([0, 1, 2], "m")
    builder.opaque([0, 1, 2], "parity", writes=("p",))
    spec.check(builder.build(), "two-qubit")
    builder.opaque([0, 1, 2], "CCX")
    spec.check(builder.build(), "logical")
    with pytest.raises(CircuitError, match=r"row 2 \(opaque\) acts on 3 qubits: CCX"):
        spec.check(builder.build(), "two-qubit")
    with pytest.raises(CircuitError, match="no stage 'physical'; the stages are logical, two-qubit"):
        spec.check(builder.build(), "physical")
