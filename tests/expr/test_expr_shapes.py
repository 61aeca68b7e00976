import pytest

from qattn_compiler.errors import ShapeError
from qattn_compiler.expr import dims
from qattn_compiler.expr.dims import DimError
from qattn_compiler.expr.shapes import InferredSize, infer_shapes, resolve_sizes
from qattn_compiler.frontends import parse

SHAPES = {
    "Q": (5, 4),
    "K": (6, 4),
    "V": (6, 3),
    "w": (5,),
    "x": (5,),
    "A": (5, 6),
    "B": (2, 5, 4),
    "X": (5, 6),
}


def shape(text, shapes=SHAPES, sizes=None):
    expr = parse(text)
    return infer_shapes(expr, shapes, sizes)[expr]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("softmax(Q @ K.T / sqrt(d)) @ V", (5, 3)),
        ("w @ x", ()),
        ("w @ A", (6,)),
        ("A @ V[:, 0]", (5,)),
        ("B @ K.T", (2, 5, 6)),
        ("B @ B.T", (2, 5, 5)),
        ("w @ B", (2, 4)),
        ("w.T", (5,)),
        ("A[0]", (6,)),
        ("A[:, 1:3]", (5, 2)),
        ("A[-1, -2:]", (2,)),
        ("B[1, :, 0]", (5,)),
        ("sum(A[i] for i in range(n))", (6,)),
        ("sum(A[:, j] for j in range(2, 6))", (5,)),
        ("sum(A)", ()),
        ("sum(A, axis=0)", (6,)),
        ("sum(A, axis=1, keepdims=True)", (5, 1)),
        ("sum(A, keepdims=True)", (1, 1)),
        ("concat(A, Q)", (5, 10)),
        ("concat(V, V, axis=0)", (12, 3)),
        ("split_heads(X, 3)", (3, 5, 2)),
        ("concat_heads(B)", (5, 8)),
        ("Q * 2 + w[0]", (5, 4)),
        ("mask(A, A[0])", (5, 6)),
        ("sum(x[i] for i in range(0))", ()),
    ],
)
def test_shapes(text, expected):
    assert shape(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Q @ K", "inner sizes 4 and 6 differ"),
        ("Q @ 2", "needs vectors or matrices"),
        ("Q + K", r"shapes \(5, 4\) and \(6, 4\) do not broadcast"),
        ("Q[0, 0, 0]", "3 indices"),
        ("Q[5]", "position 5 is outside"),
        ("Q[-6]", "position -6 is outside"),
        ("Q[:, 0:9]", "leaves an axis of 4"),
        ("Q[:, 2:2]", "empty"),
        ("softmax(w[0])", "no axis -1"),
        ("sum(Q, axis=2)", "no axis 2"),
        ("mask(A[0], A)", "does not fit"),
        ("mask(w, causal)", "needs a matrix"),
        ("concat(Q, K)", "other sizes equal"),
        ("concat(Q, w)", "same number of axes"),
        ("split_heads(Q, 3)", "cannot be split into 3"),
        ("split_heads(w, 3)", "needs a matrix"),
        ("split_heads(Q, 2.5)", "number of heads"),
        ("concat_heads(Q)", "needs"),
        ("sum(w[i] for i in range(6))", "the axis has 5 entries"),
        ("sum(w[i - 1] for i in range(2))", "the axis has 5"),
        ("sum(w[i] * V[0, i] for i in range(n))", "several sizes at once"),
        ("sum(w[i] for i in range(Q))", "must be a number"),
        ("softmax(Q @ Ke.T)", "Ke has no value"),
    ],
)
def test_errors_name_the_place(text, message):
    with pytest.raises(ShapeError, match=message) as caught:
        shape(text)
    assert "^" in caught.value.place


def test_all_errors_at_once():
    with pytest.raises(ShapeError) as caught:
        shape("(Q @ K) * 2 + (w @ V) + missing + other")
    assert [e.message.split(":")[0] for e in caught.value.errors] == [
        "missing has no value",
        "other has no value",
        "Q @ K",
        "w @ V",
    ]


def test_error_shows_a_caret_under_the_node():
    with pytest.raises(ShapeError) as caught:
        shape("softmax(Q @ K) @ V")
    assert caught.value.place == "<expression>:1:9\n  softmax(Q @ K) @ V\n          ^^^^^"


def test_missing_name_lists_what_is_given():
    with pytest.raises(ShapeError) as caught:
        shape("softmax(Q @ K.T) @ Vv", {"Q": (2, 3), "K": (2, 3), "V": (2, 3)})
    assert "given: Q, K, V" in caught.value.hint
    assert "did you mean V?" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("softmax(Q @ K.T / sqrt(d)) @ V", {"d": InferredSize(4, "contracted dimension of Q @ K.T")}),
        ("Q @ K.T * d_k**-0.5", {"d_k": InferredSize(4, "contracted dimension of Q @ K.T")}),
        ("Q @ K.T / d**0.5", {"d": InferredSize(4, "contracted dimension of Q @ K.T")}),
        ("1 / sqrt(d) * (Q @ K.T)", {"d": InferredSize(4, "contracted dimension of Q @ K.T")}),
        ("Q / sqrt(d) @ K.T", {"d": InferredSize(4, "contracted dimension of Q / sqrt(d) @ K.T")}),
        ("mask(Q @ K.T, A) / sqrt(d)", {"d": InferredSize(4, "contracted dimension of Q @ K.T")}),
        ("(Q @ K.T + A) / sqrt(d)", {"d": InferredSize(4, "contracted dimension of Q @ K.T")}),
        ("sum(w[i] * x[i] for i in range(n))", {"n": InferredSize(5, "range of i in w[i]")}),
        ("sum(w[i] * x[i + 1] for i in range(n - 1))", {"n": InferredSize(5, "range of i in x[i + 1]")}),
        ("sum(A[i, j] for i in range(n) for j in range(m))", {"n": 5, "m": 6}),
        ("sum(Q[i] @ K[j] / sqrt(d) for i in range(5) for j in range(6))", {"d": 4}),
        ("B @ B.T / sqrt(d_head)", {"d_head": 4}),
        ("Q @ K.T * size**(-1/2)", {"size": 4}),
        ("Q @ K.T / size**(1/2)", {"size": 4}),
        ("Q @ K.T * size**-(1/2)", {"size": 4}),
        ("Q @ K.T / d", {"d": 4}),
        ("Q @ K.T / head_dim", {"head_dim": 4}),
        ("w + x", {}),
    ],
)
def test_sizes_are_inferred(text, expected):
    found = resolve_sizes(parse(text), SHAPES)
    assert found.keys() == expected.keys()
    for name, size in expected.items():
        assert found[name] == size if isinstance(size, InferredSize) else found[name].value == size


def test_given_sizes_win():
    expr = parse("Q @ K.T / sqrt(d)")
    assert resolve_sizes(expr, {**SHAPES, "d": ()}) == {}
    with pytest.raises(ShapeError, match="7"):
        infer_shapes(parse("sum(w[i] for i in range(n))"), {**SHAPES, "n": ()}, {"n": 7})
    infer_shapes(parse("sum(w[i] for i in range(n))"), {**SHAPES, "n": ()}, {"n": 4})


def test_one_name_cannot_be_two_sizes():
    with pytest.raises(ShapeError, match=r"several sizes at once: 4 .* 6"):
        resolve_sizes(parse("softmax(Q @ K.T / sqrt(d)) @ V / sqrt(d)"), SHAPES)


@pytest.mark.parametrize(
    "text",
    ["Q * d", "sqrt(d) + Q @ K.T", "Q @ K.T / sqrt(d * k)", "Q @ d", "alpha * (Q @ K.T)", "Q @ K.T / tau"],
)
def test_names_that_cannot_be_inferred(text):
    with pytest.raises(ShapeError, match="has no value"):
        resolve_sizes(parse(text), SHAPES)


def test_reserved_names_cannot_be_given():
    with pytest.raises(ShapeError, match="e cannot name a tensor"):
        resolve_sizes(parse("Q"), {"Q": (1,), "e": (2,)})


def test_symbolic_sizes():
    shapes = {"Q": ("n", "d"), "K": ("m", "d"), "V": ("m", "k")}
    assert shape("softmax(Q @ K.T / sqrt(d)) @ V", shapes) == ("n", "k")
    assert resolve_sizes(parse("Q @ K.T / sqrt(d)"), shapes)["d"].value == "d"
    assert shape("split_heads(Q, h)", {**shapes, "h": ()}) == ("h", "n", "d/h")
    assert shape("concat_heads(B)", {"B": ("h", "n", "d")}) == ("n", "h*d")
    assert shape("concat(Q, Q)", shapes) == ("n", "d + d")
    assert shape("sum(Q[i] for i in range(n))", shapes) == ("d",)
    assert shape("Q[:, 0:3]", shapes) == ("n", 3)
    assert shape("Q * n", shapes) == ("n", "d")
    with pytest.raises(ShapeError, match="inner sizes d and k"):
        shape("Q @ V.T", shapes)
    with pytest.raises(ShapeError, match="as a number"):
        shape("Q[:, 1:]", shapes)


def test_dims():
    assert dims.broadcast((3, 1), (4,)) == (3, 4)
    assert dims.broadcast() == ()
    assert dims.broadcast(("n", 1), (1, 2)) == ("n", 2)
    assert dims.multiply("n", 1) == "n"
    assert dims.multiply(1, "n") == "n"
    assert dims.multiply("a + b", 2) == "(a + b)*2"
    assert dims.divide("n", "n") == 1
    assert dims.divide("n", 1) == "n"
    assert dims.add(1, "n", 2) == "n + 3"
    assert dims.show((3,)) == "(3,)"
    with pytest.raises(DimError):
        dims.divide(3, 0)
