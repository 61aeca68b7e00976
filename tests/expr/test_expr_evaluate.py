import numpy as np
import pytest
from hypothesis import given, settings
from random_exprs import VALUES, assert_near, exprs, value_or_skip

from qattn_compiler.errors import ShapeError, WeightError
from qattn_compiler.expr import evaluate as evaluate_module
from qattn_compiler.expr.evaluate import evaluate
from qattn_compiler.expr.shapes import infer_shapes
from qattn_compiler.frontends import parse
from qattn_compiler.verify.reference import reference

RNG = np.random.default_rng(1)
Q, K, V = (RNG.normal(size=(6, 4)) for _ in range(3))


def value(text, **values):
    return evaluate(parse(text), values)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(exprs())
def test_random_expressions_agree_with_the_reference(expr):
    assert_near(value_or_skip(expr), reference(expr, VALUES))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(exprs())
def test_slabs_do_not_change_the_value(expr):
    whole = value_or_skip(expr)
    limit = evaluate_module.MAX_ENTRIES
    evaluate_module.MAX_ENTRIES = 5
    try:
        assert_near(evaluate(expr, VALUES), whole)
    finally:
        evaluate_module.MAX_ENTRIES = limit


@settings(max_examples=60, deadline=None, derandomize=True)
@given(exprs())
def test_shapes_are_those_of_the_value(expr):
    result = value_or_skip(expr)
    shapes = {name: np.shape(v) for name, v in VALUES.items()}
    assert infer_shapes(expr, shapes, {"n": 3})[expr] == result.shape


def test_attention_as_numpy_has_it():
    scores = Q @ K.T / 2
    weights = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(
        value("softmax(Q @ K.T / sqrt(d)) @ V", Q=Q, K=K, V=V), weights @ V, rtol=1e-13
    )


def test_softmax_is_stable():
    result = value("softmax(x)", x=[1e4, 1e4, -1e4])
    np.testing.assert_allclose(result, [0.5, 0.5, 0.0])


def test_mask_keeps_where_it_is_one():
    keep = np.array([[True, False], [True, True]])
    result = value("softmax(mask(S, M))", S=np.zeros((2, 2)), M=keep)
    np.testing.assert_allclose(result, [[1, 0], [0.5, 0.5]])
    np.testing.assert_allclose(value("softmax(mask(S, causal))", S=np.zeros((2, 2))), result)


def test_fully_masked_row_is_named():
    keep = np.array([[1, 0], [0, 0]])
    with pytest.raises(WeightError, match="softmax of row 1 has nothing to attend to") as caught:
        value("softmax(mask(S, M)) @ S", S=np.ones((2, 2)), M=keep)
    assert "^" in caught.value.place


@pytest.mark.parametrize(
    ("text", "values", "message"),
    [
        ("log(x)", {"x": [1.0, -1.0]}, r"1 of 2 entries of log\(x\) are not finite"),
        ("1 / x", {"x": 0.0}, "not finite"),
        ("exp(x)", {"x": 1e4}, "not finite"),
        ("x ** 0.5", {"x": -1.0}, "not finite"),
        ("9**9**9", {}, "not finite"),
        ("mask(x, causal)", {"x": np.ones((2, 2))}, "-inf where scores are masked"),
        ("mask(x, causal) @ x", {"x": np.eye(2)}, "not finite"),
        ("softmax(mask(x, 0.5 * x))", {"x": np.ones((2, 2))}, "0 .masked. or 1"),
        ("x", {"x": [np.nan]}, "1 entries of x are not finite"),
        ("x", {"x": [1j]}, "real numbers"),
        ("x", {"x": ["a"]}, "real numbers"),
        ("x", {"x": [[1], [1, 2]]}, "not an array"),
        ("x", {"x": None}, "real numbers"),
    ],
)
def test_bad_values(text, values, message):
    with pytest.raises(WeightError, match=message):
        value(text, **values)


@pytest.mark.parametrize("text", ["sum(w[i] for i in range(n))", "split_heads(A, n)"])
def test_size_must_be_whole(text):
    with pytest.raises(ShapeError, match="n must be a whole number"):
        value(text, w=np.ones(4), A=np.ones((2, 4)), n=2.5)


def test_all_bad_arrays_at_once():
    with pytest.raises(WeightError) as caught:
        value("x + y", x=[np.inf], y=[1j])
    assert len(caught.value.errors) == 2


def test_inputs_are_not_changed_and_results_are_own():
    x = np.ones(3)
    result = value("x", x=x)
    result[0] = 5
    assert x[0] == 1


def test_unused_values_do_not_matter():
    assert value("x", x=1, other="text") == 1


def test_integers_and_single_precision():
    assert value("x / y", x=np.array([1], dtype=np.int8), y=np.float32(2)).dtype == np.float64


def test_empty_sum_is_zero():
    np.testing.assert_array_equal(value("sum(A[i] for i in range(n))", A=np.ones((2, 3)), n=0), np.zeros(3))


def test_large_sum_stays_within_memory():
    big = RNG.normal(size=3000)
    text = "sum(x[i] * x[j] * tanh(x[i] + x[j]) for i in range(n) for j in range(n))"
    expected = (big[:, None] * big * np.tanh(big[:, None] + big)).sum()
    np.testing.assert_allclose(value(text, x=big), expected, rtol=1e-9)


def test_shared_index_name_in_sums_with_different_ranges():
    text = "sum(w[i] for i in range(2)) * sum(w[i] for i in range(2, 4))"
    assert value(text, w=[1.0, 2, 3, 4]) == 3 * 7
