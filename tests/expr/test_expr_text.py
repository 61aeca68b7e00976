import math

import pytest
from hypothesis import given, settings
from random_exprs import exprs

from qattn_compiler.expr.node import number, tensor
from qattn_compiler.frontends import parse

CANONICAL = """
softmax(Q @ K.T / sqrt(d)) @ V
sum(w[i] * relu(x[i]) for i in range(n))
sum(w[i] * x[i + 1] for i in range(2, n - 1))
sum(A[i, j] * x[j - 1] for i in range(n) for j in range(1, m))
softmax(mask(Q @ K.T / sqrt(d), causal)) @ V
softmax(mask(Q @ K.T, M), axis=0)
concat(softmax(Q[0] @ K[0].T / sqrt(d)) @ V[0], softmax(Q[1] @ K[1].T / sqrt(d)) @ V[1])
concat_heads(softmax(split_heads(Q, h) @ split_heads(K, h).T) @ split_heads(V, h))
phi(Q) @ (phi(K).T @ V)
a - (b - c) - (d + e1)
a / (b / c) * d
a / b / c
(a + b) * c @ (d * f)
-a**2
(-a)**2
-(a * b)
-a * b
--a
2**-x**2
(2**x)**y
(-2)**x
-2**x
x + -3
x - -3
(2).T
(2.5)[0]
(a + b).T.T
A[:, 0:32]
A[:3, -1]
sum(x)
sum(x, axis=0, keepdims=True)
sum(sum(x) for i in range(3))
sum(i * i for i in range(10))
where(c, a, maximum(a, -1e-05))
-pi * e
gelu_tanh(x) + gelu(x)
"""


@pytest.mark.parametrize("text", CANONICAL.strip().splitlines())
def test_canonical_text_is_kept(text):
    assert str(parse(text)) == text


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("(((a)))", "a"),
        ("( a\n + b )", "a + b"),
        ("+a", "a"),
        ("transpose(a)", "a.T"),
        ("dot(a, b)", "a @ b"),
        ("causal_mask(a)", "mask(a, causal)"),
        ("softmax(a, axis=-1)", "softmax(a)"),
        ("gelu(a, approximate='tanh')", "gelu_tanh(a)"),
        ('gelu(a, approximate="none")', "gelu(a)"),
        (
            "sum(sum(A[i] for j in range(2)) for i in range(3))",
            "sum(A[i] for i in range(3) for j in range(2))",
        ),
        ("3.141592653589793", "pi"),
        ("1_000 + .5 + 1e3", "1000 + 0.5 + 1000.0"),
        ("A[0,1 ,:]", "A[0, 1, :]"),
        ("sum(w[1 + i] for i in range(3))", "sum(w[i + 1] for i in range(3))"),
        ("-0", "0"),
    ],
)
def test_other_spellings(text, canonical):
    assert str(parse(text)) == canonical
    assert parse(canonical) is parse(text)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(exprs())
def test_parse_undoes_print(expr):
    text = expr.to_text()
    assert parse(text) is expr
    assert str(parse(text)) == text


@pytest.mark.parametrize("value", [0, -0.0, 5e-324, -1e300, 0.1, 2**53, -7, math.pi, -math.e, 1e22])
def test_numbers_keep_every_bit(value):
    x = tensor("x")
    for expr in (number(value), x ** number(value), number(value) ** x, number(value)[0], x - number(value)):
        assert parse(expr.to_text()) is expr
