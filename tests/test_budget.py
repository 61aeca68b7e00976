"""The error budget: what is left out is within it, saves gates, and is reported; objectives choose."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import qattn_compiler as qattn
from qattn_compiler import budget
from qattn_compiler.errors import OptionError, VerificationError
from qattn_compiler.lower.batch import Terms

EXPRESSION = "softmax(Q @ K.T / sqrt(d)) @ V"


@given(st.integers(0, 10**6), st.sampled_from([1e-9, 1e-3, 0.1, 1.0, 100.0]))
def test_no_output_changes_by_more(seed, allowed):
    rng = np.random.default_rng(seed)
    outputs, n = rng.integers(1, 6), rng.integers(1, 20)
    weights = rng.normal(size=(outputs, n)) * rng.choice([0, 1, 1e-4], size=(outputs, n))
    weights[rng.integers(outputs)] = weights[0]
    terms = Terms(weights, rng.normal(size=(outputs, n)), np.zeros(outputs))
    less, spent = budget.prune(terms, allowed)
    change = np.abs(((less.weights - terms.weights) * terms.values).sum(axis=1)).max()
    assert change <= allowed + 1e-12
    assert change == pytest.approx(spent.deviation, abs=1e-12)
    assert ((less.weights == terms.weights) | (less.weights == 0)).all()
    before, after = ((t.weights * t.values != 0).sum(axis=1) for t in (terms, less))
    assert spent.terms == (before - after).sum()
    changed = after < before
    assert changed.sum() <= spent.outputs
    for left in after[changed]:  # nothing is left out in vain
        assert left & (left - 1) == 0
    same = (weights == weights[0]).all(axis=1)
    assert (less.weights[same] == less.weights[0]).all()


def test_nothing_is_left_out_without_a_budget():
    terms = Terms(np.ones((2, 5)), np.ones((2, 5)), np.zeros(2))
    assert budget.prune(terms, 0.5) == (terms, budget.Spent())


def test_a_peaked_row_gets_narrow():
    weights = np.array([[0.9, 0.09, 0.005, 0.005]])
    less, spent = budget.prune(Terms(weights, np.ones((1, 4)), np.zeros(1)), 0.02)
    assert np.flatnonzero(less.weights[0]).tolist() == [0, 1]
    assert spent == budget.Spent(2, 1, pytest.approx(0.01))


@pytest.mark.parametrize("encoding", ["amplitude", "unary", "block", "coherent", "hadamard", "auto"])
def test_compiles_within_the_budget(encoding):
    weights = qattn.load_example(head=0, tokens=8)
    options = {"encoding": encoding, "rows": [0, 3], "components": [0, 5]}
    exact = qattn.compile(EXPRESSION, weights, **options)
    less = qattn.compile(EXPRESSION, weights, max_error=0.3, **options)
    deviation = np.abs(less.evaluate() - exact.evaluate()).max()
    assert less.verification.passed
    assert 1e-6 < deviation <= 0.3
    assert less.verification.error == pytest.approx(deviation, abs=1e-9)
    assert any("max_error 0.3" in note for note in less.report.to_dict()["notes"])
    if encoding != "auto":  # which may choose larger circuits that need fewer shots
        assert less.report.to_dict()["totals"]["gates_2q"] <= exact.report.to_dict()["totals"]["gates_2q"]
    if encoding == "amplitude":
        assert less.report.to_dict()["totals"]["gates_2q"] < exact.report.to_dict()["totals"]["gates_2q"]


def test_a_planted_fault_is_noticed(monkeypatch):
    weights = qattn.load_example(head=0, tokens=8)
    real = budget.prune
    monkeypatch.setattr("qattn_compiler.job.prune", lambda terms, allowed: real(terms, 10 * allowed))
    with pytest.raises(VerificationError, match="decoded numbers"):
        qattn.compile(EXPRESSION, weights, rows=[0], components=[0, 1, 2], max_error=0.05)


@pytest.mark.parametrize("objective", ["count", "depth", "fidelity"])
def test_objectives(objective):
    weights = qattn.load_example(head=0, tokens=16)
    options = {"rows": [0], "components": [0]}
    chosen = qattn.compile(EXPRESSION, weights, objective=objective, **options)
    assert chosen.verification.passed
    found, usual = (
        c.report.to_dict()["totals"] for c in (chosen, qattn.compile(EXPRESSION, weights, **options))
    )
    if objective == "depth":
        assert found["depth_2q_max"] <= usual["depth_2q_max"] + 1
    if objective == "fidelity":
        assert found["fidelity_min"] >= usual["fidelity_min"] - 0.01


@settings(deadline=None, max_examples=4)
@given(st.integers(0, 100))
def test_fidelity_decides_whether_less_is_more(seed):
    rng = np.random.default_rng(seed)
    weights = {"w": np.array([0.6, 0.3, 0.1 * rng.random(), 0.05, 0.01]), "x": rng.normal(size=5)}
    found = qattn.compile("w @ x", weights, max_error=0.2, objective="fidelity")
    (note,) = (n for n in found.report.to_dict()["notes"] if n.startswith("objective fidelity"))
    less, more = (float(word) for word in note.replace(",", "").split() if word[0].isdigit())
    assert found.verification.passed
    assert (found.verification.error > 1e-9) == (less <= more and found.report.to_dict() is not None)


@pytest.mark.parametrize("wrong", [-1.0, float("nan"), float("inf"), True])
def test_wrong_budgets(wrong):
    with pytest.raises(OptionError, match="max_error"):
        qattn.compile("w @ x", {"w": np.ones(2), "x": np.ones(2)}, max_error=wrong)


def test_free_tensors_have_no_budget():
    with pytest.raises(OptionError, match="x is free"):
        qattn.compile("w @ x", {"w": np.ones(2)}, free={"x": (2,)}, max_error=0.1)


def test_unknown_objective():
    with pytest.raises(OptionError, match="there is no objective 'beauty'"):
        qattn.compile("w @ x", {"w": np.ones(2), "x": np.ones(2)}, objective="beauty")
