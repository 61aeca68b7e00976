"""The error budget: what is left out is within it, saves gates, and is reported; objectives choose."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import qattn_compiler as qattn
from qattn_compiler import budget
from qattn_compiler.errors import LoweringError, OptionError, VerificationError
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


def row(weights, values) -> Terms:
    return Terms(np.array([weights]), np.array([values]), np.zeros(1))


def test_terms_of_nearly_the_same_value_are_joined():
    terms = row([0.3, -0.2, 0.1, 0.4], [1.0, -1.001, 0.5, 0.501])
    less, spent = budget.spend(terms, 1e-3, alone=True)
    assert (less.weights != 0).sum() == 2
    assert sorted(less.weights[less.weights != 0]) == pytest.approx([0.5, 0.5])
    assert less.weights @ less.values.T == pytest.approx(terms.weights @ terms.values.T)
    price = 0.3 * 4e-4 + 0.2 * 6e-4 + 0.1 * 8e-4 + 0.4 * 2e-4  # to the means 1.0004 and 0.5008
    assert spent == budget.Spent(0, 1, pytest.approx(0, abs=1e-15), 2, pytest.approx(price))
    assert "2 joined" in spent.words
    assert budget.spend(terms, 0.9 * price, alone=True) == (terms, budget.Spent())
    assert budget.spend(terms, 1e-3, alone=False) == (terms, budget.Spent())


def test_an_answer_is_no_circuit():
    """All terms as one would keep the sum; counted term by term it is far beyond the budget."""
    terms = row([0.25] * 4, [1.0, -1.0, 0.5, -0.5])
    assert budget.spend(terms, 0.7, alone=True)[1].joined < 3


def test_what_is_left_out_and_what_is_joined_share_the_budget():
    terms = row([0.5, 0.4, 1e-3, 1e-3, 1e-3], [1.0, 1.01, -1.0, 0.0, -0.2])
    less, spent = budget.spend(terms, 0.01, alone=True)
    assert (less.weights != 0).sum() == 1
    assert spent.price <= 0.01
    change = abs((less.weights * less.values - terms.weights * terms.values).sum())
    assert spent.deviation == pytest.approx(change)


@given(
    st.integers(0, 10**6), st.sampled_from([1e-9, 1e-2, 0.1, 1.0, 100.0]), st.sampled_from([1e-300, 1, 1e150])
)
def test_no_output_changes_by_more_than_its_price(seed, allowed, unit):
    rng = np.random.default_rng(seed)
    outputs, n = rng.integers(1, 6), rng.integers(1, 40)
    weights = rng.normal(size=(outputs, n)) ** 3 * rng.choice([0, 1, 1e-4, 1e-200], size=(outputs, n)) * unit
    values = rng.normal(size=(outputs, n)).round(rng.integers(4))
    terms, allowed = Terms(weights, values, np.zeros(outputs)), allowed * unit
    less, spent = budget.spend(terms, allowed, alone=True)
    change = np.abs((less.weights * less.values - weights * values).sum(axis=1)).max() / unit
    assert change == pytest.approx(spent.deviation / unit, abs=1e-12)
    assert change <= spent.price / unit + 1e-12
    assert spent.price <= allowed * (1 + 1e-12)
    before, after = ((w != 0).sum(axis=1) for w in (weights, less.weights))
    assert (before - after).sum() == spent.terms + spent.joined
    widths, narrower = budget._widths(weights), budget._widths(less.weights)
    assert (narrower <= widths).all()
    same = ((less.weights == weights) & (less.values == values)).all(axis=1)
    assert (same | (narrower < widths) | (after < before)).all()


@pytest.mark.parametrize(
    "encoding", ["amplitude", "unary", "block", "coherent", "hadamard", "qcrank", "lcu", "auto"]
)
def test_compiles_within_the_budget(encoding):
    weights = qattn.load_example(head=0, tokens=8)
    options = {"encoding": encoding, "rows": [0, 3], "components": [0, 5]}
    exact = qattn.compile(EXPRESSION, weights, **options)
    less = qattn.compile(EXPRESSION, weights, max_error=0.3, **options)
    deviation = np.abs(less.evaluate() - exact.evaluate()).max()
    assert less.verification.passed
    assert deviation <= 0.3
    assert deviation > 1e-6 or encoding not in ("unary", "block", "coherent")  # joined terms keep the sum
    assert less.verification.error == pytest.approx(deviation, abs=1e-9)
    budget = less.report.to_dict()["budget"]
    assert (budget["max_error"], budget["error"]) == (0.3, less.verification.error)
    assert budget["terms"] + budget["joined"] > 0
    assert deviation <= budget["total"] + 1e-9
    assert budget["total"] <= 0.3
    if not budget["cuts"]:
        assert budget["deviation"] == pytest.approx(deviation, abs=1e-9)
    assert "budget" not in exact.report.to_dict()
    assert any("max_error 0.3" in note for note in less.report.to_dict()["notes"])
    if encoding != "auto":  # which may choose larger circuits that need fewer shots
        assert less.report.to_dict()["totals"]["gates_2q"] <= exact.report.to_dict()["totals"]["gates_2q"]
    if encoding == "amplitude":
        assert less.report.to_dict()["totals"]["gates_2q"] < exact.report.to_dict()["totals"]["gates_2q"]


def test_a_planted_fault_is_noticed(monkeypatch):
    weights = qattn.load_example(head=0, tokens=8)
    real = budget.prune
    monkeypatch.setattr(budget, "prune", lambda terms, allowed: real(terms, 10 * allowed))
    with pytest.raises(VerificationError, match="decoded numbers"):
        qattn.compile(EXPRESSION, weights, rows=[0], components=[0, 1, 2], max_error=0.05)


def test_fidelity_decides_for_every_output():
    """A row whose last term is worth more than a machine's errors and too much to be joined to another, and
    one where it may be."""
    weights = {"w": np.array([[0.5, 0.42, 0.08], [0.6, 0.395, 0.005]]), "x": np.array([[1.0], [0.2], [-0.5]])}
    options = {"max_error": 0.06, "objective": "fidelity"}
    found = qattn.compile("w @ x", weights, **options)
    assert found.verification.passed
    budget = found.report.data["budget"]
    assert (budget["terms"], budget["joined"], budget["outputs"]) == (0, 1, 1)
    assert budget["deviation"] == pytest.approx(0, abs=1e-12)
    assert budget["price"] == pytest.approx(2 * 0.395 * 0.005 / 0.4 * 0.7)
    assert any("1 of 2 stay exact" in note for note in found.report.data["notes"])
    gates = [unit.metrics().gates_2q for unit in found.units]
    assert len(set(gates)) == 2


def test_a_wrong_mean_is_noticed(monkeypatch):
    weights = qattn.load_example(head=3, tokens=16)
    real = budget._joined

    def wrong(terms, allowed):
        out = real(terms, allowed)
        return replace(out, values=np.where(out.values != terms.values, out.values + 0.5, out.values))

    assert qattn.compile(EXPRESSION, weights, rows=[0], max_error=0.02).verification.passed
    monkeypatch.setattr(budget, "_joined", wrong)
    with pytest.raises(VerificationError, match="decoded numbers"):
        qattn.compile(EXPRESSION, weights, rows=[0], max_error=0.02)


@pytest.mark.parametrize("tokens", [8, 16])
def test_a_hundredth_saves_gates(tokens):
    weights = qattn.load_example(head=11, tokens=tokens)
    exact, less = (
        qattn.compile(EXPRESSION, weights, rows=[1, 4], max_error=m, verify=m > 0) for m in (0.0, 0.01)
    )
    assert less.verification.passed
    assert less.report.data["totals"]["gates_2q"] < exact.report.data["totals"]["gates_2q"]
    assert less.report.data["totals"]["gates_2q_max"] <= exact.report.data["totals"]["gates_2q_max"]


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
    less, more, *_ = (float(word) for word in note.replace(",", "").split() if word[0].isdigit())
    assert found.verification.passed
    exact = qattn.compile("w @ x", weights, objective="fidelity")
    fewer = found.report.data["totals"]["gates_2q"] < exact.report.data["totals"]["gates_2q"]
    assert fewer == (less <= more)


def test_what_overflows_is_refused_as_ever():
    huge = {"w": np.full(3, 1e200), "x": np.full(3, 1e200)}
    with pytest.raises(LoweringError, match="overflows"):
        qattn.compile("w @ x", huge, max_error=0.1)


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
