"""Encodings `hadamard`, `qcrank`, `lcu`, `swap`: exact decoding, counts, scales, limits, compiles."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import qattn_compiler as qattn
from qattn_compiler.errors import LoweringError
from qattn_compiler.lower import hadamard, lcu, qcrank, swap
from qattn_compiler.lower.batch import Observable, Terms

ENCODE = {
    "hadamard": hadamard.encode,
    "qcrank": qcrank.encode,
    "lcu": lcu.encode,
    "swap": swap.encode,
    "swap-ancilla": swap.encode_ancilla,
}
EVERY = pytest.mark.parametrize("name", ENCODE)


def decoded(terms: Terms, name: str, full: bool = False) -> np.ndarray:
    """Output numbers from the exact states of the blocks."""
    out = np.empty(len(terms.offset))
    for batch in ENCODE[name](terms, full=full):
        program = batch.program
        chances = np.abs(program.states(batch.numbers)) ** 2
        index = np.arange(chances.shape[1])
        bits = np.stack([(index >> (program.num_qubits - 1 - q)) & 1 for q in program.observed], axis=1)
        observables, which = batch.reads
        counts = np.stack([one.counts(bits) for one in observables])
        means = (chances @ counts.T)[batch.member, which]
        out[batch.position] = batch.scale * means + batch.offset
    return out


@EVERY
@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 8, 9])
def test_decodes_exactly(name, count):
    rng = np.random.default_rng(count)
    weights, values, offset = rng.normal(size=(6, count)), rng.normal(size=(6, count)), rng.normal(size=6)
    weights[0] = 0.0
    weights[1, 0] = 0.0
    values[2] = 0.0
    values[3, -1] = 0.0
    weights[4] = -np.abs(weights[4])
    values[5] = -weights[5]
    expected = (weights * values).sum(axis=1) + offset
    for full in (False, True):
        np.testing.assert_allclose(decoded(Terms(weights, values, offset), name, full), expected, atol=1e-12)


NUMBERS = st.sampled_from([0.0, 1.0, -1.0, 1e-320, -3.0, 1e-160, 2.5, 1e100, -1e100])


@EVERY
@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=5))
def test_odd_numbers(name, pairs):
    weights, values = (np.array([column]) for column in zip(*pairs, strict=True))
    (expected,) = (weights * values).sum(axis=1)
    (found,) = decoded(Terms(weights, values, np.zeros(1)), name)
    scale = max(
        float(np.abs(batch.scale).max()) for batch in ENCODE[name](Terms(weights, values, np.zeros(1)))
    )
    assert abs(found - expected) <= 1e-12 * max(scale, 1e-300)


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("hadamard", [0, 1, 4, 11, 26]),
        ("qcrank", [0, 2, 6, 14, 30]),
        ("lcu", [1, 3, 9, 23, 53]),
        ("swap", [2, 2, 7, 18, 41]),
        ("swap-ancilla", [5, 5, 13, 27, 53]),
    ],
)
def test_counts(name, counts):
    """Two-qubit gates for 1, 2, 4, 8, 16 terms."""
    for width, count in enumerate(counts):
        one = np.ones((1, 2**width))
        (batch,) = ENCODE[name](Terms(one, one, np.zeros(1)))
        assert batch.program.two_qubit_count == count


@EVERY
def test_masked_terms_make_narrower_circuits(name):
    weights = np.array([[1.0, 0, 0, 0, 0], [1, 1, 0, 0, 0], [1, 1, 1, 0, 1], [1, 1, 1, 1, 1]])
    terms = Terms(weights, np.ones_like(weights), np.zeros(4))
    sizes = [batch.program.num_qubits for batch in ENCODE[name](terms)]
    assert sizes == sorted(set(sizes))
    assert len(sizes) == (3 if name.startswith("swap") else 4)
    assert len(ENCODE[name](terms, full=True)) == 1


def test_scales_are_the_norms_they_say():
    weights, values = np.array([[1.0, 2.0, -2.0]]), np.array([[3.0, 0.5, 4.0]])
    terms = Terms(weights, values, np.zeros(1))
    (h,), (c,), (s,) = (ENCODE[name](terms) for name in ("hadamard", "lcu", "swap"))
    assert h.scale == pytest.approx(3 * np.linalg.norm(values))
    assert c.scale == pytest.approx(5 * 4)
    assert s.scale == pytest.approx(2 * h.scale)


def test_success_of_a_linear_combination():
    """The reported probability is that of finding the address in 0."""
    rng = np.random.default_rng(2)
    (batch,) = lcu.encode(Terms(rng.normal(size=(3, 4)), rng.normal(size=(3, 4)), np.zeros(3)))
    chances = np.abs(batch.program.states(batch.numbers)).reshape(3, 2, 4, 2) ** 2
    np.testing.assert_allclose(batch.success, chances[:, :, 0, :].sum(axis=(1, 2)), atol=1e-12)


def test_pairs_turn_the_sign_around():
    bits = np.array([[0, 1, 1, 1, 1], [1, 1, 1, 1, 0], [0, 1, 0, 1, 1], [0, 0, 1, 0, 1]])
    counts = Observable((0,), both=((1, 3), (2, 4))).counts(bits)
    assert counts.tolist() == [1.0, 1.0, -1.0, -1.0]


@EVERY
def test_limits(name):
    with pytest.raises(LoweringError, match="overflows"):
        ENCODE[name](Terms(np.full((1, 2), 1e200), np.full((1, 2), 1e200), np.zeros(1)))
    with pytest.raises(LoweringError, match=r"at most \d+"):
        ENCODE[name](Terms(np.ones((1, 20000)), np.ones((1, 20000)), np.zeros(1)))


WEIGHTS = {
    "Q": np.random.default_rng(0).normal(size=(2, 4)),
    "K": np.random.default_rng(1).normal(size=(3, 4)),
}


@EVERY
@pytest.mark.parametrize("target", ["google.willow", "ibm.eagle"])
def test_compiled_scores(name, target):
    compiled = qattn.compile("Q @ K.T / sqrt(d)", WEIGHTS, target=target, encoding=name)
    assert compiled.verification.passed
    np.testing.assert_allclose(compiled.evaluate(), WEIGHTS["Q"] @ WEIGHTS["K"].T / 2, atol=1e-9)
    report = compiled.report.to_dict()
    assert report["scale_max"] > 0
    assert report["shots"]["total"] > 0
    assert (report["success_min"] < 1) == (name == "lcu")


@EVERY
def test_sampled_scores(name):
    compiled = qattn.compile("Q @ K.T", WEIGHTS, encoding=name, rows=0)
    estimate = compiled.evaluate(shots=4000)
    exact = WEIGHTS["Q"][:1] @ WEIGHTS["K"].T
    assert (np.abs(estimate - exact) <= 5 * estimate.standard_error).all()
    entry = json.loads(json.dumps(compiled.decoding()))["readouts"][0]
    assert bool(entry["pairs"]) == (name == "swap")
    assert bool(entry["postselect"]) == (name == "lcu")


@EVERY
def test_bound_later(name):
    compiled = qattn.compile("Q @ K.T", {"K": WEIGHTS["K"]}, free={"Q": (2, 4)}, encoding=name)
    for values in (WEIGHTS["Q"], np.zeros((2, 4)), np.eye(2, 4)):
        bound = compiled.bind({"Q": values})
        assert bound.verification.passed
        np.testing.assert_allclose(bound.evaluate(), values @ WEIGHTS["K"].T, atol=1e-9)


@pytest.mark.parametrize("free", [False, True])
def test_a_plan_leaves_the_test_to_its_own_gate(free):
    """On the chip the joint state is prepared at once, but the Hadamard gate that compares comes after it."""
    rng = np.random.default_rng(5)
    values = {"w": rng.normal(size=32), "x": rng.normal(size=32)}
    given = {"weights": {"x": values["x"]}, "free": {"w": (32,)}} if free else {"weights": values}
    compiled = qattn.compile("w @ x", target="ibm.eagle", encoding="hadamard", **given)
    (unit,) = compiled.units
    assert unit.plan is not None
    bound = compiled.bind({"w": values["w"]}) if free else compiled
    assert bound.verification.passed
    assert float(bound.evaluate()) == pytest.approx(values["w"] @ values["x"])
    prepared = unit.batch.program.prepared(unit.batch.numbers).reshape(2, -1)
    np.testing.assert_allclose(np.linalg.norm(prepared, axis=1), np.sqrt([0.5, 0.5]))
