"""The op table: its rows against one another, against the text form and against the reference."""

import numpy as np
import pytest

from qattn_compiler.expr import ops
from qattn_compiler.expr.evaluate import evaluate
from qattn_compiler.expr.node import tensor
from qattn_compiler.expr.ops import BY_NAME, OPS
from qattn_compiler.expr.shapes import infer_shapes
from qattn_compiler.frontends import parse
from qattn_compiler.frontends.from_text import FUNCTIONS
from qattn_compiler.verify.reference import reference

RNG = np.random.default_rng(3)
VALUES = {
    "a": RNG.uniform(0.5, 2, size=(4, 4)),
    "b": RNG.uniform(-2, 2, size=(4, 4)),
    "H": RNG.normal(size=(2, 3, 4)),
    "keep": np.tri(4),
}
EXAMPLE = {
    "tensor": "a",
    "number": "2.5",
    "index": "sum(i * a for i in range(3))",
    "add": "a + b",
    "sub": "a - b",
    "mul": "a * b",
    "div": "b / a",
    "matmul": "a @ b",
    "neg": "-a",
    "pow": "a**b",
    "transpose": "H.T",
    "getitem": "a[0, 1:3]",
    "sum_over": "sum(a[i] for i in range(n))",
    "sum": "sum(a, axis=0)",
    "softmax": "softmax(b)",
    "mask": "softmax(mask(b, keep))",
    "causal_mask": "softmax(mask(b, causal))",
    "concat": "concat(a, b, b)",
    "split_heads": "split_heads(a, 2)",
    "concat_heads": "concat_heads(H)",
    "where": "where(relu(b), a, b)",
    "maximum": "maximum(a, b)",
    "minimum": "minimum(a, b)",
    "log": "log(a)",
    "sqrt": "sqrt(a)",
}


def example(name):
    return parse(EXAMPLE.get(name, f"{name}(b)"))


def test_names_are_unique():
    assert len(BY_NAME) == len(OPS)


@pytest.mark.parametrize("op", OPS, ids=lambda op: op.name)
def test_row_fits_its_example(op):
    node = next(n for n in example(op.name).walk() if n.op == op.name)
    fewest, most = op.arity
    assert fewest <= len(node.args)
    assert most is None or len(node.args) <= most
    assert [name for name, _ in node.attrs] == [name for name, _ in op.attrs]
    assert op.doc
    assert op.name in ops.__doc__
    assert not op.elementwise or (op.shape is not None and op.meaning is not None)
    assert not op.commutative or op.elementwise
    assert op.is_call == (op.name in FUNCTIONS and op.name not in ("sum", "transpose", "causal_mask"))


@pytest.mark.parametrize("op", OPS, ids=lambda op: op.name)
def test_shape_rule_and_meaning_agree_with_the_reference(op):
    expr = example(op.name)
    expected = reference(expr, VALUES)
    shapes = infer_shapes(expr, {name: value.shape for name, value in VALUES.items()})
    assert shapes[expr] == expected.shape
    np.testing.assert_allclose(evaluate(expr, VALUES), expected, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("op", [op for op in OPS if op.elementwise], ids=lambda op: op.name)
def test_elementwise_ops_act_on_each_entry_alone(op):
    tensors = [tensor(name) for name in ("a", "b", "c")[: op.arity[0]]]
    values = {name: RNG.uniform(0.5, 2, size=(2, 3)) for name in "abc"}
    from qattn_compiler.expr.node import make

    whole = evaluate(make(op.name, tuple(tensors)), values)
    one = evaluate(make(op.name, tuple(t[1, 2] for t in tensors)), values)
    assert whole[1, 2] == one


@pytest.mark.parametrize("op", [op for op in OPS if op.commutative], ids=lambda op: op.name)
def test_commutative_ops_commute_to_the_last_bit(op):
    x, y = RNG.normal(size=100), RNG.normal(size=100)
    assert (op.meaning({}, 0, x, y) == op.meaning({}, 0, y, x)).all()


@pytest.mark.parametrize("name", ["sigmoid", "gelu", "gelu_tanh", "elu", "phi", "tanh", "relu"])
def test_no_overflow_and_no_lost_digits_in_the_tails(name):
    x = np.array([-700.0, -40.0, -10.0, -1e-9, 0.0, 1e-9, 10.0, 700.0])
    expr = parse(f"{name}(x)")
    np.testing.assert_allclose(evaluate(expr, {"x": x}), reference(expr, {"x": x}), rtol=1e-12, atol=1e-300)
