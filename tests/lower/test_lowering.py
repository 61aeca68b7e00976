"""Lowering: expressions as weighted sums, and weighted sums as circuits."""

from __future__ import annotations

import numpy as np
import pytest

import qattn_compiler as qattn
from qattn_compiler.errors import LoweringError
from qattn_compiler.expr.evaluate import evaluate
from qattn_compiler.frontends import parse
from qattn_compiler.lower import amplitude, angle
from qattn_compiler.lower.batch import Terms
from qattn_compiler.lower.weighted_sum import weighted_sums

RNG = np.random.default_rng(0)
VALUES = {
    "A": RNG.normal(size=(3, 4)),
    "B": RNG.normal(size=(4, 2)),
    "C": RNG.normal(size=(2, 5)),
    "D": RNG.normal(size=(3, 2)),
    "T": RNG.normal(size=(2, 3, 4)),
    "U": RNG.normal(size=(2, 4, 6)),
    "w": RNG.normal(size=4),
    "x": RNG.normal(size=4),
    "s": np.array(2.5),
    "n": np.array(4.0),
}

FORMS = (
    *("A @ B", "A @ x", "w @ B", "w @ x", "A @ B @ C", "w @ B @ C", "T @ U", "softmax(A) @ B", "A @ (B @ C)"),
    *("(A @ B).T", "-(A @ B)", "3 * (A @ B)", "(A @ B) / s", "(A @ B) * D", "D * (A @ B)", "(A @ B) / D"),
    *("A @ B + D", "D - A @ B", "A @ B + softmax(A) @ B", "A @ B - D @ (C @ C.T)", "A @ x + 1"),
    *("(A @ B)[0]", "(A @ B)[1:, 0]", "(A @ B)[-1, 1]", "(T @ U)[1]", "concat(A @ B, A @ B @ C, D)"),
    *("concat(A @ B, D, axis=0)", "concat_heads(T @ U)", "split_heads(A @ B, 2)"),
    *(
        "sum(w[i] * x[i] for i in range(n))",
        "sum(w[i] * B[i, :] for i in range(n))",
        "sum(x[i] for i in range(n))",
    ),
    *(
        "sum(w[i] * x[j] * A[0, j] for i in range(n) for j in range(n))",
        "sum(w[i] * (x[i] + 2) for i in range(n))",
    ),
    *("sum(relu(x[i]) * w[i] / s - w[i] for i in range(1, 3))", "sum(A[0, :] @ B for i in range(2))"),
    *(
        "sum(sum(w[j] * x[i] for j in range(2)) for i in range(n))",
        "sum(softmax(A)[0, i] * x[i] for i in range(n))",
    ),
    *("sum(A)", "sum(A, axis=0)", "sum(w * x)", "sum(A * A, axis=1, keepdims=True)", "sum(-A / s, axis=0)"),
    "sum(A, keepdims=True)",
)


@pytest.mark.parametrize("text", FORMS)
def test_every_form_is_its_expression(text):
    expr = parse(text)
    values = {name: VALUES[name] for name in expr.tensors() if name in VALUES}
    form = weighted_sums(expr, values)
    expected = evaluate(expr, values)
    assert form.shape == expected.shape
    total = (form.weights * form.values).sum(axis=-1) + form.offset
    np.testing.assert_allclose(total, expected, atol=1e-12)


@pytest.mark.parametrize(
    ("text", "node"),
    [
        ("relu(A @ B)", "relu"),
        ("softmax(A)", "softmax"),
        ("A", "tensor"),
        ("1 / (A @ B)", "div"),
        ("A * 2", "mul"),
    ],
)
def test_what_is_no_weighted_sum_is_named(text, node):
    with pytest.raises(LoweringError, match=f"^{node} is no weighted sum") as caught:
        weighted_sums(parse(text), VALUES)
    assert "^" in str(caught.value)


def test_the_bare_factor_is_the_weight():
    form = weighted_sums(
        parse("sum(relu(x[i]) * w[i] for i in range(n))"),
        {"w": np.array([1.0, -2.0]), "x": np.array([3.0, 4.0]), "n": 2},
    )
    assert form.weights.tolist() == [1.0, -2.0]
    assert form.values.tolist() == [3.0, 4.0]


def decoded(terms: Terms, encode=amplitude.encode, **options):
    """Output numbers from the exact states of the blocks."""
    out = np.empty(len(terms.offset))
    for batch in encode(terms, **options):
        program = batch.program
        states = np.abs(program.states(batch.numbers)) ** 2
        bits = np.arange(states.shape[1])
        parity = sum((bits >> (program.num_qubits - 1 - q)) & 1 for q in program.observed) % 2
        means = states @ (1 - 2.0 * parity)
        out[batch.position] = batch.scale * means[batch.member] + batch.offset
    return out


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7, 8, 9])
def test_amplitude_decodes_exactly(count):
    rng = np.random.default_rng(count)
    weights, values, offset = rng.normal(size=(6, count)), rng.normal(size=(6, count)), rng.normal(size=6)
    weights[0] = 0.0
    weights[1, 0] = 0.0
    values[2] = 0.0
    terms = Terms(weights, values, offset)
    expected = (weights * values).sum(axis=1) + offset
    for full in (False, True):
        np.testing.assert_allclose(decoded(terms, full=full), expected, atol=1e-12)


@pytest.mark.parametrize("size", [1e300, 1e-300, 5e-324, 1e150])
def test_amplitude_of_huge_and_tiny_weights(size):
    weights = np.array([[size, -size / 2, 0.0]]) if size > 1e-320 else np.array([[size, -size, 0.0]])
    values = np.array([[1.0, 0.25, 3.0]])
    expected = (weights * values).sum(axis=1)
    np.testing.assert_allclose(decoded(Terms(weights, values, np.zeros(1))), expected, rtol=1e-9, atol=1e-320)


def test_zero_weights_make_narrower_circuits():
    weights = np.array([[1.0, 0, 0, 0, 0], [1, 1, 0, 0, 0], [1, 1, 1, 0, 1], [1, 1, 1, 1, 1]])
    batches = amplitude.encode(Terms(weights, weights, np.zeros(4)))
    assert [b.program.num_qubits for b in batches] == [1, 2, 3, 4]
    assert [b.position.tolist() for b in batches] == [[0], [1], [2], [3]]
    assert [
        b.program.num_qubits for b in amplitude.encode(Terms(weights, weights, np.zeros(4)), full=True)
    ] == [4]


def test_limits():
    with pytest.raises(LoweringError, match="overflows"):
        amplitude.encode(Terms(np.full((1, 2), 1e200), np.full((1, 2), 1e200), np.zeros(1)))
    with pytest.raises(LoweringError, match="at most 16384"):
        amplitude.encode(Terms(np.ones((1, 20000)), np.ones((1, 20000)), np.zeros(1)))
    with pytest.raises(LoweringError, match="overflows"):
        angle.encode(Terms(np.full((1, 1), 1e308), np.ones((1, 1)), np.zeros(1)))
    with pytest.raises(LoweringError, match="runs over nothing"):
        weighted_sums(parse("sum(x[i] for i in range(1, 1))"), {"x": [1.0]})


def test_angle_computes_the_product_of_cosines():
    weights = np.array([[0.1, -0.7, 2.0], [0.1, -0.7, 2.0], [1e12, 0.0, 3.0]])
    terms = Terms(weights, np.ones_like(weights), np.ones(3))
    expected = np.cos(2 * weights).prod(axis=1)
    np.testing.assert_allclose(decoded(terms, angle.encode), expected, atol=1e-12)
    np.testing.assert_allclose(angle.reference(terms), expected, atol=1e-15)
    (batch,) = angle.encode(terms)
    assert batch.circuits == 2  # equal rows share a circuit


@pytest.mark.parametrize(
    "text",
    [
        "sum(X + 0.5)",
        "sum(X + 0.5, axis=0)",
        "sum(X + b, axis=0)",
        "sum(X + b, axis=1, keepdims=True)",
        "sum(X * 2 + b * 0.1 + 1, axis=-1)",
        "(X + b) @ X.T + sum(b + 1)",
    ],
)
def test_terms_of_a_sum_are_broadcast_before_it(text):
    """Found by the fuzzer: a term of a smaller shape counts as often as it is spread."""
    rng = np.random.default_rng(0)
    values = {"X": rng.normal(size=(3, 4)), "b": rng.normal(size=4)}
    made = qattn.compile(text, values, target="full:6")
    assert made.verification.passed
    np.testing.assert_allclose(made.evaluate(), qattn.reference(text, values), atol=1e-9)
