"""compile, bind, evaluate: what a user calls; and that a wrong result is never called right."""

from __future__ import annotations

from dataclasses import replace

import cirq
import numpy as np
import pytest

import qattn_compiler as qattn
from qattn_compiler.compiled import Estimate
from qattn_compiler.errors import (
    OptionError,
    ShapeError,
    TargetError,
    VerificationError,
    WeightError,
)
from qattn_compiler.passes import Route
from qattn_compiler.progress import silent
from qattn_compiler.proof import prove

EXPRESSION = "softmax(Q @ K.T / sqrt(d)) @ V"
RNG = np.random.default_rng(0)
WEIGHTS = {"Q": RNG.normal(size=(5, 3)), "K": RNG.normal(size=(5, 3)), "V": RNG.normal(size=(5, 4))}


@pytest.fixture(scope="module")
def compiled():
    return qattn.compile(EXPRESSION, WEIGHTS, rows=[3, 1], components=slice(0, 2))


def test_circuits_and_readouts_in_order(compiled):
    assert isinstance(compiled.circuits, tuple)
    assert all(isinstance(c, cirq.Circuit) for c in compiled.circuits)
    assert [r.position for r in compiled.readouts] == [(3, 0), (3, 1), (1, 0), (1, 1)]
    assert [r.circuit for r in compiled.readouts] == [0, 1, 2, 3]
    expected = qattn.reference(EXPRESSION, WEIGHTS)[np.ix_([3, 1], [0, 1])]
    np.testing.assert_allclose(compiled.evaluate(), expected, atol=1e-9)
    assert repr(compiled) == "<Compiled for google.willow: 4 circuits, 4 numbers, verified>"


def test_sampling_has_error_bars(compiled):
    estimate = compiled.evaluate(shots=4000, sampler=cirq.Simulator(seed=1))
    assert isinstance(estimate, Estimate)
    assert estimate.shots == 4000
    assert estimate.standard_error.shape == estimate.shape == (2, 2)
    assert (np.abs(estimate - compiled.evaluate()) < 6 * estimate.standard_error).all()
    assert estimate[0].standard_error is None  # of the whole array only
    assert (estimate * 2).shots is None
    one = compiled.evaluate(shots=1)
    assert (one.standard_error > 0).all()


def test_the_noisy_machine_by_name(compiled):
    estimate = compiled.evaluate(shots=200, sampler="google.willow")
    assert (np.abs(estimate - compiled.evaluate()) < 1.0).all()
    assert (estimate.standard_error > 0).all()


def test_noisy_or_not(compiled, monkeypatch):
    monkeypatch.setattr("qattn_compiler.compiled.SHOTS", 300)
    for options in ({"sampler": "google.willow", "noisy": True}, {"noisy": True}):
        assert compiled.evaluate(**options).shots == 300
    ideal = compiled.evaluate(shots=4000, sampler="google.willow", noisy=False)
    assert (np.abs(ideal - compiled.evaluate()) < 6 * ideal.standard_error).all()


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"shots": 0}, OptionError),
        ({"shots": True}, OptionError),
        ({"shots": 1.5}, OptionError),
        ({"sampler": cirq.Simulator(), "noisy": False}, OptionError),
        ({"sampler": "full:4", "noisy": True}, TargetError),
        ({"shots": 5, "sampler": 3}, OptionError),
        ({"shots": 5, "sampler": "ibm.nowhere"}, TargetError),
    ],
)
def test_bad_sampling(compiled, options, error):
    with pytest.raises(error):
        compiled.evaluate(**options)


def test_scalars_vectors_and_stacks():
    assert qattn.compile("w @ x", {"w": [1.0, 2], "x": [0.5, -1]}).evaluate().shape == ()
    assert qattn.compile("W @ x", {"W": np.ones((3, 2)), "x": [0.5, -1]}, rows=[2]).evaluate().shape == (1,)
    stack = {name: RNG.normal(size=(2, 4, 3)) for name in "QKV"}
    c = qattn.compile(EXPRESSION, stack, rows=[1], components=[0, 2])
    assert c.evaluate().shape == (2, 1, 2)
    expected = qattn.reference(EXPRESSION, stack)[:, [1]][:, :, [0, 2]]
    np.testing.assert_allclose(c.evaluate(), expected, atol=1e-9)


@pytest.mark.parametrize(
    "options",
    [
        {"rows": [5]},
        {"rows": [0, 0]},
        {"rows": []},
        {"rows": [1.5]},
        {"components": 9},
        {"optimization_level": 5},
        {"seed": -1},
        {"encoding": "phase"},
        {"error": 0.0},
        {"free": {"Z": (1,)}},
        {"free": {"V": (5, 4)}},
    ],
)
def test_bad_options(options):
    with pytest.raises(OptionError):
        qattn.compile(EXPRESSION, WEIGHTS, **options)


def test_bad_weights():
    with pytest.raises(ShapeError, match="V"):
        qattn.compile(EXPRESSION, {"Q": WEIGHTS["Q"], "K": WEIGHTS["K"]})
    with pytest.raises(ShapeError, match="inner sizes"):
        qattn.compile(EXPRESSION, WEIGHTS | {"V": np.ones((4, 2))})
    with pytest.raises(WeightError, match="K"):
        qattn.compile(EXPRESSION, WEIGHTS | {"K": np.full((5, 3), np.nan)})
    with pytest.raises(WeightError, match="attend"):
        qattn.compile("softmax(mask(Q @ K.T, M)) @ V", WEIGHTS | {"M": np.zeros((5, 5))})
    with pytest.raises(OptionError, match="single number"):
        qattn.compile("w @ x", {"w": [1.0], "x": [1.0]}, rows=[0])
    with pytest.raises(OptionError, match="no components"):
        qattn.compile("W @ x", {"W": np.ones((2, 1)), "x": [1.0]}, components=[0])


def test_free_tensors_are_bound_without_compiling_again(monkeypatch):
    c = qattn.compile(EXPRESSION, {k: WEIGHTS[k] for k in "QK"}, free={"V": (5, 4)})
    assert not c.is_bound
    assert cirq.is_parameterized(c.circuits[0])
    assert c.verification.passed
    with pytest.raises(OptionError, match="bind"):
        c.evaluate()

    def fail(*_):
        raise AssertionError("routed again")

    monkeypatch.setattr(Route, "route", fail)
    for scale in (1.0, -3.0):
        bound = c.bind({"V": scale * WEIGHTS["V"]})
        expected = qattn.reference(EXPRESSION, WEIGHTS | {"V": scale * WEIGHTS["V"]})
        np.testing.assert_allclose(bound.evaluate(), expected, atol=1e-9)
        assert bound.verification.passed
        assert not cirq.is_parameterized(bound.circuits[0])
    assert c.report.to_markdown()


def test_bad_bindings():
    c = qattn.compile("w @ x", {"x": [1.0, 2.0]}, free={"w": (2,)})
    for values, error in (
        ({}, OptionError),
        ({"w": [1.0, 2.0], "x": [1.0, 2.0]}, OptionError),
        ({"w": [1.0]}, ShapeError),
        ({"w": [np.nan, 1.0]}, WeightError),
    ):
        with pytest.raises(error):
            c.bind(values)


def fault_angle(unit):
    angles = unit.fused.angles.copy()
    row = int(np.flatnonzero(unit.fused.circuit.op == unit.fused.circuit.op[0])[-1])
    angles[0, row] += [1e-4, 0.0, 0.0]
    return replace(unit, fused=replace(unit.fused, angles=angles), cache={})


def fault_scale(unit):
    return replace(unit, batch=replace(unit.batch, scale=unit.batch.scale * 1.0001), cache={})


def fault_layout(unit):
    final = unit.routed.final.copy()
    final[[0, -1]] = final[[-1, 0]]
    return replace(unit, routed=replace(unit.routed, final=final), cache={})


def fault_missing_gate(unit):
    shape = unit.fused.circuit
    rows = np.delete(np.arange(len(shape)), np.flatnonzero(shape.is_two_qubit)[0])
    fused = replace(unit.fused, circuit=shape.with_rows(rows), angles=unit.fused.angles[:, rows])
    return replace(unit, fused=fused, cache={})


def fault_order(unit):
    member = unit.batch.member[::-1].copy()
    return replace(unit, batch=replace(unit.batch, member=member), cache={})


@pytest.mark.parametrize("fault", [fault_angle, fault_scale, fault_layout, fault_missing_gate, fault_order])
def test_planted_faults_are_caught(compiled, fault):
    expected = compiled.evaluate()
    assert prove(replace(compiled), expected, silent).passed
    wrong = replace(compiled, units=tuple(fault(unit) for unit in compiled.units))
    with pytest.raises(VerificationError):
        prove(wrong, expected, silent)


def test_without_verification():
    c = qattn.compile("w @ x", {"w": [1.0, 2], "x": [0.5, -1]}, verify=False)
    assert c.verification.passed is None
    assert "not done" in c.report.to_markdown()


def test_report_tells_the_story(compiled):
    data = compiled.report.to_dict()
    (structure,) = data["structures"]
    assert [step["pass"] for step in structure["passes"]][:2] == ["synthesise", "merge-rotations"]
    assert structure["passes"][-1]["gates_2q"] == data["totals"]["gates_2q_max"]
    assert structure["gates_2q_ideal"] == 11
    assert 0 < data["totals"]["fidelity_min"] < 1
    assert data["shots"]["per_circuit_max"] > 0
    assert any("contracted dimension" in note for note in data["notes"])
    assert "verification" in compiled.report.to_markdown()
    assert "<table>" in compiled.report.to_html()
