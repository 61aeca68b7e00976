import time

import numpy as np
import pytest

from qattn_compiler.errors import ParseError, ShapeError, WeightError
from qattn_compiler.verify.reference import reference

RNG = np.random.default_rng(2)


def naive_softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def test_attention():
    Q, K, V = (RNG.normal(size=(5, 4)) for _ in range(3))
    expected = naive_softmax(Q @ K.T / 2.0) @ V
    np.testing.assert_allclose(
        reference("softmax(Q @ K.T / sqrt(d)) @ V", {"Q": Q, "K": K, "V": V}), expected
    )


def test_causal_attention():
    Q, K, V = (RNG.normal(size=(5, 4)) for _ in range(3))
    scores = np.where(np.tri(5, dtype=bool), Q @ K.T / 2.0, -np.inf)
    got = reference("softmax(mask(Q @ K.T / sqrt(d), causal)) @ V", {"Q": Q, "K": K, "V": V})
    np.testing.assert_allclose(got, naive_softmax(scores) @ V)


def test_multi_head():
    X = RNG.normal(size=(5, 6))
    W = {name: RNG.normal(size=(6, 6)) for name in ("Wq", "Wk", "Wv")}
    text = (
        "concat_heads(softmax(split_heads(X @ Wq, h) @ split_heads(X @ Wk, h).T / sqrt(d))"
        " @ split_heads(X @ Wv, h))"
    )
    q, k, v = (X @ W[name] for name in ("Wq", "Wk", "Wv"))
    heads = [slice(2 * h, 2 * h + 2) for h in range(3)]
    parts = [naive_softmax(q[:, s] @ k[:, s].T / np.sqrt(2)) @ v[:, s] for s in heads]
    np.testing.assert_allclose(reference(text, {"X": X, "h": 3, **W}), np.hstack(parts))


def test_heads_as_a_batch_and_as_a_concat():
    Q, K, V = (RNG.normal(size=(2, 5, 4)) for _ in range(3))
    values = {"Q": Q, "K": K, "V": V}
    batch = reference("concat_heads(softmax(Q @ K.T / sqrt(d)) @ V)", values)
    head = "softmax(Q[{0}] @ K[{0}].T / sqrt(d)) @ V[{0}]"
    each = reference(f"concat({head.format(0)}, {head.format(1)})", values)
    np.testing.assert_allclose(batch, each, rtol=1e-14)
    np.testing.assert_allclose(batch[:, :4], naive_softmax(Q[0] @ K[0].T / 2) @ V[0])


def test_linear_attention():
    Q, K, V = (RNG.normal(size=(5, 4)) for _ in range(3))
    phi = lambda x: np.where(x > 0, x + 1, np.exp(x))  # noqa: E731
    np.testing.assert_allclose(
        reference("phi(Q) @ (phi(K).T @ V)", {"Q": Q, "K": K, "V": V}), phi(Q) @ (phi(K).T @ V)
    )


def test_sums():
    w, x, A = RNG.normal(size=5), RNG.normal(size=5), RNG.normal(size=(5, 3))
    values = {"w": w, "x": x, "A": A}
    assert np.isclose(reference("sum(w[i] * relu(x[i]) for i in range(n))", values), w @ np.maximum(x, 0))
    assert np.isclose(reference("sum(w[i] for i in range(2, n))", values), w[2:].sum())
    assert np.isclose(
        reference("sum(A[i, j] * w[i] for i in range(n) for j in range(m))", values), (w @ A).sum()
    )
    np.testing.assert_allclose(reference("sum(A[i] * i for i in range(n))", values), np.arange(5) @ A)
    np.testing.assert_array_equal(reference("sum(A[i] for i in range(0))", values), np.zeros(3))
    np.testing.assert_allclose(
        reference("sum(w[i] * x[i + 1] for i in range(n - 1))", values), w[:-1] @ x[1:]
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x[0] @ x[1]", 11.0),
        ("x.T", [[1, 3], [2, 4]]),
        ("x @ x[0]", [5, 11]),
        ("x[0] @ x", [7, 10]),
        ("sum(x)", 10),
        ("sum(x, axis=1, keepdims=True)", [[3], [7]]),
        ("sum(x, keepdims=True)", [[10]]),
        ("concat(x, x, axis=0)[3]", [3, 4]),
        ("where(x - 1, x, -x)", [[-1, 2], [3, 4]]),
        ("x[:, -1] ** 2", [4, 16]),
        ("gelu(x - x)", [[0, 0], [0, 0]]),
    ],
)
def test_small_values(text, expected):
    np.testing.assert_allclose(reference(text, {"x": [[1, 2], [3, 4]]}), expected)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("x @", ParseError),
        ("x @ 2", ShapeError),
        ("x @ x[:, 0:1] @ x", ShapeError),
        ("x @ z", ShapeError),
        ("x[5]", ShapeError),
        ("x[0, 0, 0]", ShapeError),
        ("x[:, 2:2]", ShapeError),
        ("x + x[:, 0:1].T[0, 0:1] + concat(x, x)", ShapeError),
        ("concat(x, x[0])", ShapeError),
        ("mask(x[0], causal)", ShapeError),
        ("split_heads(x, 3)", ShapeError),
        ("concat_heads(x)", ShapeError),
        ("sum(x, axis=2)", ShapeError),
        ("sum(x[i] for i in range(3))", ShapeError),
        ("sum(x[i - 1] for i in range(2))", ShapeError),
        ("sum(x for i in range(half))", ShapeError),
        ("1 / (x - x)", WeightError),
        ("log(-x)", WeightError),
        ("(-x)**0.5", WeightError),
        ("exp(1000 * x)", WeightError),
        ("mask(x, causal)", WeightError),
        ("softmax(mask(x, x - x))", WeightError),
        ("softmax(mask(x, x))", WeightError),
        ("bad", WeightError),
        ("imaginary", WeightError),
    ],
)
def test_errors(text, error):
    values = {"x": [[1.0, 2.0], [3.0, 4.0]], "bad": [np.nan], "imaginary": [1j], "half": 0.5}
    with pytest.raises(error):
        reference(text, values)


def test_minilm_sizes_are_bearable():
    X = RNG.normal(size=(64, 384)) / 20
    W = {name: RNG.normal(size=(384, 32)) for name in ("Wq", "Wk", "Wv")}
    begin = time.perf_counter()
    reference("softmax((X @ Wq) @ (X @ Wk).T / sqrt(d)) @ (X @ Wv)", {"X": X, **W})
    assert time.perf_counter() - begin < 5
