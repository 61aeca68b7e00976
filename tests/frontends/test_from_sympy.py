import numpy as np
import pytest
import sympy as sp

from qattn_compiler.errors import ParseError
from qattn_compiler.frontends import parse, read, to_expr
from qattn_compiler.frontends.from_sympy import is_sympy
from qattn_compiler.verify.reference import reference

n, m, d, x, y = sp.symbols("n m d x y")
j = sp.Symbol("j")
i = sp.Idx("i", n)
w, X = sp.IndexedBase("w"), sp.IndexedBase("x")
Q, K = sp.MatrixSymbol("Q", n, d), sp.MatrixSymbol("K", n, d)
A = sp.MatrixSymbol("A", 3, 3)
softmax, relu = sp.Function("softmax"), sp.Function("relu")


@pytest.mark.parametrize(
    ("obj", "text"),
    [
        (sp.Sum(w[i] * sp.Max(0, X[i]), (i, 0, n - 1)), "sum(w[i] * relu(x[i]) for i in range(n))"),
        (sp.Sum(w[j] * X[j + 1], (j, 1, n)), "sum(w[j] * x[j + 1] for j in range(1, n + 1))"),
        (sp.Sum(A[i, j] * j, (j, 0, 2), (i, 0, 1)), "sum(j * A[i, j] for i in range(2) for j in range(3))"),
        (softmax(Q * K.T / sp.sqrt(d)), "softmax(Q @ K.T / sqrt(d))"),
        (2 * softmax(A) * softmax(A.T), "2 * (softmax(A) @ softmax(A.T))"),
        ((Q * K.T).applyfunc(sp.tanh), "tanh(Q @ K.T)"),
        (A.applyfunc(lambda t: t / d), "A / d"),
        (A.applyfunc(lambda t: t**2), "A**2"),
        (sp.HadamardProduct(Q, K), "Q * K"),
        (sp.HadamardPower(A, 2), "A**2"),
        (Q - 2 * K, "Q - 2 * K"),
        (-Q * K.T, "-(Q @ K.T)"),
        (A**3, "A @ A @ A"),
        (Q[0, 1], "Q[0, 1]"),
        (A[0, :], "A[:1, :]"),
        (A[1:3, 0:2], "A[1:, :2]"),
        (sp.Piecewise((x, x > 0), (0, True)), "relu(x)"),
        (sp.Piecewise((0, x < 0), (x, True)), "relu(x)"),
        (sp.Max(x, y), "maximum(x, y)"),
        (sp.Min(x, y), "minimum(x, y)"),
        (sp.sqrt(x) + sp.exp(y), "sqrt(x) + exp(y)"),
        (1 / (1 + sp.exp(-x)), "1 / (1 + exp(-x))"),
        (x**-2, "1 / x**2"),
        (x / y, "x / y"),
        (sp.Rational(1, 3) * sp.pi, "1 / 3 * pi"),
        (sp.cos(x) * sp.sin(y) + sp.log(x), "log(x) + sin(y) * cos(x)"),
        (sp.Abs(x) - sp.Float(0.5), "abs(x) - 0.5"),
        (relu(x), "relu(x)"),
        (softmax(sp.Function("mask")(A, sp.Symbol("causal"))), "softmax(mask(A, causal))"),
    ],
)
def test_sympy_becomes_the_same_expression(obj, text):
    assert is_sympy(obj)
    made, expected = to_expr(obj), parse(text)
    if made is not expected:  # sympy orders commutative operands as it likes
        values = {name: np.random.default_rng(5).uniform(0.5, 1.5, size=3) for name in ("w", "x", "y")}
        values = {name: v if "[" in text and name in ("w", "x") else v[0] for name, v in values.items()}
        values |= {name: np.random.default_rng(6).normal(size=(3, 3)) for name in "AQK"} | {"n": 2, "d": 3}
        np.testing.assert_allclose(reference(made, values), reference(expected, values), rtol=1e-13)


@pytest.mark.parametrize(
    ("obj", "message"),
    [
        (sp.Matrix([[1, 2]]), "weights"),
        (sp.Matrix([[x, 2]]), "real numbers"),
        (sp.Integral(x, x), "Integral"),
        (sp.oo, "Infinity"),
        (sp.I * x, "ImaginaryUnit"),
        (sp.nan, "NaN"),
        (sp.Symbol("a b"), "cannot be a name"),
        (sp.Dummy("t"), "Dummy"),
        (sp.Function("softmx")(x), "softmx"),
        (A.I, "Inverse"),
        (A**n, "MatPow"),
        (A**100, "MatPow"),
        (sp.Sum(w[2 * j], (j, 0, 3)), "index"),
        (sp.Sum(w[j], (j, 0, x * y)), "last bound"),
        (sp.Sum(sp.Sum(w[j], (j, 0, 3)) * w[j], (j, 0, 3)), "index"),
        (sp.Piecewise((x, x > 1), (0, True)), "Piecewise"),
        (sp.Piecewise((0, x > 0), (x, True)), "Piecewise"),
        (sp.Piecewise((-x, x > 0), (0, True)), "Piecewise"),
        (A[0:3:2, :], "MatrixSlice"),
        (sp.Integer(10) ** 400, "finite"),
        (x > 0, "StrictGreaterThan"),
        (sp.Trace(A), "Trace"),
        (w[j], "index"),
    ],
)
def test_unknown_parts_are_named(obj, message):
    with pytest.raises(ParseError, match=message):
        to_expr(obj)


def test_explicit_matrices_come_beside_the_expression():
    made, arrays = read(sp.Matrix([[1, 2], [3, 4]]) * sp.MatrixSymbol("V", 2, 2) * sp.Matrix([[1], [-1]]))
    assert made is parse("_M0 @ V @ _M1")
    np.testing.assert_array_equal(arrays["_M0"], [[1, 2], [3, 4]])
    np.testing.assert_array_equal(arrays["_M1"], [[1], [-1]])


def test_deep_sympy_expression():
    e = x
    for _ in range(300):
        e = sp.tanh(e, evaluate=False)
    with pytest.raises(ParseError, match="nested deeper"):
        to_expr(e)


def test_what_is_not_sympy():
    assert not is_sympy("x")
    assert not is_sympy(3)
