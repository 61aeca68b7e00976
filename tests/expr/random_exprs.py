"""Random expressions with fitting shapes, for hypothesis: grown from a pool, each step one op."""

import math
from random import Random

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

from qattn_compiler.errors import QattnError, WeightError
from qattn_compiler.expr.evaluate import evaluate
from qattn_compiler.expr.node import as_expr, call, index, sum_over, tensor
from qattn_compiler.expr.ops import At, Loop, Slice
from qattn_compiler.expr.shapes import infer_shapes

_RNG = np.random.default_rng(7)
VALUES = {
    "Q": _RNG.normal(size=(3, 4)),
    "K": _RNG.normal(size=(3, 4)),
    "A": _RNG.normal(size=(3, 3)),
    "B": _RNG.normal(size=(2, 3, 4)),
    "w": _RNG.normal(size=3),
    "s": np.array(1.25),
    "keep": np.eye(3) + np.tri(3, k=1) > 0,
    "n": np.array(3),
}
SHAPES = {name: np.shape(value) for name, value in VALUES.items()}
SIZES = {"n": 3}
i, j = Loop("i"), Loop("j")
LEAVES = [
    *(tensor(name) for name in ("Q", "K", "A", "B", "w", "s")),
    *(as_expr(v) for v in (0, 1, 2, -3, 0.5, -1.5, 1e-3, math.pi)),
    tensor("w")[i],
    tensor("w")[j],
    tensor("A")[i],
    tensor("A")[j, i],
    tensor("A")[i, i],
    tensor("Q")[i, Slice(1, 3)],
    tensor("A")[Slice(), j],
    tensor("B")[At(1), i],
    tensor("B")[Slice(), j],
    index("i"),
]
SAFE_UNARY = ("tanh", "sigmoid", "cos", "sin", "relu", "gelu", "gelu_tanh", "elu", "phi", "abs")
STEPS = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / (call("phi", b) + 0.5),
    "matmul": lambda a, b: a @ b,
    "maximum": lambda a, b: call("maximum", a, b),
    "minimum": lambda a, b: call("minimum", a, b),
    "where": lambda a, b: call("where", call("relu", a), b, a),
    "concat": lambda a, b: call("concat", a, b, axis=-1),
    "concat0": lambda a, b: call("concat", a, b, a, axis=0),
    "neg": lambda a, _: -a,
    "transpose": lambda a, _: a.T,
    "square": lambda a, _: a**2,
    "exp": lambda a, _: call("exp", call("tanh", a)),
    "log": lambda a, _: call("log", call("abs", a) + 0.5),
    "sqrt": lambda a, _: call("sqrt", call("phi", a)),
    "halve": lambda a, _: a / 2,
    "triple": lambda a, _: 3 * a,
    "softmax": lambda a, _: call("softmax", a),
    "softmax0": lambda a, _: call("softmax", a, axis=0),
    "masked": lambda a, _: call("softmax", call("mask", a, tensor("keep"))),
    "causal": lambda a, _: call("softmax", call("causal_mask", a) * 2),
    "sum": lambda a, _: call("sum", a),
    "sum0": lambda a, _: call("sum", a, axis=0),
    "sum1": lambda a, _: call("sum", a, axis=-1, keepdims=True),
    "first": lambda a, _: a[0],
    "last": lambda a, _: a[-1],
    "slice": lambda a, _: a[:, 0:2],
    "row": lambda a, _: a[Loop("i")],
    "column": lambda a, _: a[Slice(), Loop("j")],
    "one": lambda a, _: call("concat", a),
    "split": lambda a, _: call("split_heads", a, 2),
    "join": lambda a, _: call("concat_heads", a),
    "over_i": lambda a, _: sum_over(a, "i", 0, tensor("n")),
    "over_j": lambda a, _: sum_over(a, "j", 1, tensor("n") - 1),
    "over_i_few": lambda a, _: sum_over(a, "i", 1, 3),
} | {name: (lambda a, _, name=name: call(name, a)) for name in SAFE_UNARY}


@st.composite
def exprs(draw, steps=8):
    """A closed expression over VALUES whose shapes fit.

    hypothesis draws a seed only: its own choices favour trivial expressions.
    """
    return random_expr(Random(draw(st.integers(0, 2**32 - 1))), steps)


def random_expr(random, steps=8):
    """Such an expression, made by what has `randint`, `choice` and `random`."""
    pool = list(LEAVES)
    for _ in range(random.randint(1, steps)):
        grown = (_grown(random, pool) for _ in range(6))
        pool.extend([made for made in grown if made is not None][:1])
    return _closed(pool[-1])


def _grown(random, pool):
    """One more node, mostly above the latest; None if no operands fit the op that was chosen."""
    step = STEPS[random.choice(sorted(STEPS))]
    for attempt in range(30):
        a = pool[-1] if attempt < 10 else random.choice(pool)
        b = random.choice(pool[len(LEAVES) :] or pool) if random.random() < 0.3 else random.choice(pool)
        a, b = (b, a) if random.random() < 0.3 else (a, b)
        try:
            made = step(a, b)
            infer_shapes(_closed(made), SHAPES, SIZES)
        except QattnError:
            continue
        return made
    return None


def _closed(expr):
    for name in sorted(expr.free):
        expr = sum_over(expr, name, 0, 3)
    return expr


def value_or_skip(expr):
    """The value; examples that overflow are skipped."""
    try:
        value = evaluate(expr, VALUES)
    except WeightError:
        assume(False)
    assume(np.abs(value).max(initial=0) < 1e4)
    return value


def assert_near(actual, expected, rel=1e-12):
    """Equal shapes, and values within `rel` of the size of what was computed."""
    assert actual.shape == expected.shape
    scale = max(1.0, np.abs(expected).max(initial=0.0))
    np.testing.assert_allclose(actual, expected, rtol=0, atol=rel * 100 * scale)
