"""The op table: one record for each op, with its arity, attributes, shape rule, NumPy meaning and text form.

Everything that must know an op asks this table: the constructor (arity, attributes), `shapes` (shape rule),
`evaluate` (NumPy meaning), `text` and the parser (text form). `verify/reference.py` defines the same meanings
a second time, slowly, and shares nothing with this file but the names.

=============  =========================  ==============================================================
op             args                       attrs
=============  =========================  ==============================================================
tensor         -                          name: an array, or a scalar, or a size
number         -                          value: a finite int or float
index          -                          name: the running index of an enclosing sum_over
add sub mul    a, b                       -
div pow        a, b                       -
neg            a                          -
matmul         a, b                       -
transpose      a                          - (last two axes swapped; a vector stays as it is)
getitem        a                          items: a tuple of At, Slice and Loop
sum_over       body, start, stop          index: body summed over index = start .. stop-1
sum            a                          axis: int or None (all), keepdims: bool
softmax        a                          axis: int
mask           scores, keep               - (keep is 1 where attended, 0 where masked)
causal_mask    scores                     - (row i attends to columns 0..i)
concat         a, b, ...                  axis: int
split_heads    a, heads                   - ((n, h*d) -> (h, n, d))
concat_heads   a                          - ((h, n, d) -> (n, h*d))
relu tanh sigmoid gelu gelu_tanh elu phi  (a), elementwise; phi = elu + 1
exp log cos sin sqrt abs                  (a), elementwise
maximum minimum  a, b                     elementwise
where          condition, a, b            elementwise; a where condition is not 0
=============  =========================  ==============================================================
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.expr import dims
from qattn_compiler.expr.dims import Dim, DimError, Shape

Array = NDArray[np.float64]
Attrs = Mapping[str, Any]
ShapeRule = Callable[[Attrs, Sequence[Shape], Sequence[Dim | None]], Shape]
"""(attributes, shapes of args, value of each arg as a size or None) -> shape. Raises DimError."""
Meaning = Callable[..., Array]
"""(attributes, number of leading axes, *arrays) -> array. Leading axes are loop indices, carried along."""

REQUIRED = object()
"""Default of an attribute that has none."""


@dataclass(frozen=True)
class At:
    """`A[3]`: one position; negative counts from the end."""

    position: int


@dataclass(frozen=True)
class Slice:
    """`A[start:stop]` with constant bounds; None is the end of the axis."""

    start: int | None = None
    stop: int | None = None


@dataclass(frozen=True)
class Loop:
    """`A[i + offset]` where i is the index of an enclosing sum."""

    index: str
    offset: int = 0


Item = At | Slice | Loop


@dataclass(frozen=True)
class Op:
    """One row of the table.

    Attributes:
        name: as in `Expr.op`.
        arity: (fewest, most) args; most None is any number.
        attrs: attribute name -> default (REQUIRED: none), in the order in which nodes hold them.
        shape: the shape rule; None where `shapes` must look at the node itself.
        meaning: vectorised NumPy; None where `evaluate` must look at the node itself.
        symbol: the infix or prefix operator, None for functions and leaves.
        level: binding strength of the text form (see `text.LEVELS`).
        elementwise: acts on each entry alone, after broadcasting.
        commutative: args may be exchanged, bit for bit.
        doc: one line for users.
    """

    name: str
    arity: tuple[int, int | None]
    doc: str
    attrs: tuple[tuple[str, Any], ...] = ()
    shape: ShapeRule | None = None
    meaning: Meaning | None = None
    symbol: str | None = None
    level: int = 6
    elementwise: bool = False
    commutative: bool = False

    @property
    def is_call(self) -> bool:
        """The text form is `name(args)`."""
        return self.symbol is None and self.name not in _NOT_CALLS


_NOT_CALLS = frozenset(
    {"tensor", "number", "index", "getitem", "sum_over", "transpose", "causal_mask", "sum"}
)


# Shape rules.


def _broadcast_rule(_: Attrs, shapes: Sequence[Shape], __: Sequence[Dim | None]) -> Shape:
    return dims.broadcast(*shapes)


def _same_rule(_: Attrs, shapes: Sequence[Shape], __: Sequence[Dim | None]) -> Shape:
    return shapes[0]


def _scalar_rule(_: Attrs, __: Sequence[Shape], ___: Sequence[Dim | None]) -> Shape:
    return ()


def _matmul_rule(_: Attrs, shapes: Sequence[Shape], __: Sequence[Dim | None]) -> Shape:
    a, b = shapes
    both = f"{dims.show(a)} and {dims.show(b)}"
    if not a or not b:
        raise DimError(f"@ needs vectors or matrices, but the shapes are {both}; use * for a scalar")
    inner_b = b[-2] if len(b) > 1 else b[0]
    if a[-1] != inner_b:
        raise DimError(f"shapes {both} do not fit for @: the inner sizes {a[-1]} and {inner_b} differ")
    batch = dims.broadcast(a[:-2], b[:-2])
    return (*batch, *a[-2:-1], *(b[-1:] if len(b) > 1 else ()))


def _transpose_rule(_: Attrs, shapes: Sequence[Shape], __: Sequence[Dim | None]) -> Shape:
    (shape,) = shapes
    return shape if len(shape) < 2 else (*shape[:-2], shape[-1], shape[-2])


def axis_of(axis: int, shape: Sequence[object]) -> int:
    """`axis` counted from 0.

    Raises:
        DimError: there is no such axis.
    """
    if not -len(shape) <= axis < len(shape):
        raise DimError(f"there is no axis {axis} in a shape with {len(shape)} axes")
    return axis % len(shape)


def _sum_rule(attrs: Attrs, shapes: Sequence[Shape], _: Sequence[Dim | None]) -> Shape:
    (shape,) = shapes
    if attrs["axis"] is None:
        return (1,) * len(shape) if attrs["keepdims"] else ()
    axis = axis_of(attrs["axis"], shape)
    return (*shape[:axis], *((1,) if attrs["keepdims"] else ()), *shape[axis + 1 :])


def _softmax_rule(attrs: Attrs, shapes: Sequence[Shape], _: Sequence[Dim | None]) -> Shape:
    (shape,) = shapes
    if shape[axis_of(attrs["axis"], shape)] == 0:
        raise DimError(f"softmax over an empty axis of {dims.show(shape)}")
    return shape


def _mask_rule(_: Attrs, shapes: Sequence[Shape], __: Sequence[Dim | None]) -> Shape:
    scores, keep = shapes
    if dims.broadcast(scores, keep) != scores:
        raise DimError(f"a mask of shape {dims.show(keep)} does not fit scores of shape {dims.show(scores)}")
    return scores


def _causal_rule(_: Attrs, shapes: Sequence[Shape], __: Sequence[Dim | None]) -> Shape:
    if len(shapes[0]) < 2:
        raise DimError(f"a causal mask needs a matrix of scores, not shape {dims.show(shapes[0])}")
    return shapes[0]


def _concat_rule(attrs: Attrs, shapes: Sequence[Shape], _: Sequence[Dim | None]) -> Shape:
    listed = ", ".join(map(dims.show, shapes))
    if len({len(s) for s in shapes}) > 1:
        raise DimError(f"concat needs the same number of axes everywhere, not shapes {listed}")
    axis = axis_of(attrs["axis"], shapes[0])
    rests = {(*s[:axis], *s[axis + 1 :]) for s in shapes}
    if len(rests) > 1:
        raise DimError(f"concat along axis {attrs['axis']} needs the other sizes equal, not shapes {listed}")
    return (*shapes[0][:axis], dims.add(*(s[axis] for s in shapes)), *shapes[0][axis + 1 :])


def _split_rule(_: Attrs, shapes: Sequence[Shape], values: Sequence[Dim | None]) -> Shape:
    shape, heads = shapes[0], values[1]
    if len(shape) != 2:
        raise DimError(f"split_heads needs a matrix (n, h*d), not shape {dims.show(shape)}")
    if heads is None or shapes[1]:
        raise DimError("the number of heads must be a whole number or the name of one")
    return heads, shape[0], dims.divide(shape[1], heads)


def _concat_heads_rule(_: Attrs, shapes: Sequence[Shape], __: Sequence[Dim | None]) -> Shape:
    (shape,) = shapes
    if len(shape) != 3:
        raise DimError(f"concat_heads needs (heads, tokens, d), not shape {dims.show(shape)}")
    return shape[1], dims.multiply(shape[0], shape[2])


def _getitem_rule(attrs: Attrs, shapes: Sequence[Shape], _: Sequence[Dim | None]) -> Shape:
    items, (shape,) = attrs["items"], shapes
    if len(items) > len(shape):
        raise DimError(f"{len(items)} indices for shape {dims.show(shape)}")
    kept = [
        _slice_length(item, dim)
        for item, dim in zip(items, shape, strict=False)
        if isinstance(item, Slice) or _position_fits(item, dim, shape)
    ]
    return (*(d for d in kept if d is not None), *shape[len(items) :])


def _position_fits(item: Item, dim: Dim, shape: Shape) -> bool:
    if isinstance(item, At) and isinstance(dim, int) and not -dim <= item.position < dim:
        raise DimError(f"position {item.position} is outside an axis of {dim}, of shape {dims.show(shape)}")
    return True


def _slice_length(item: Item, dim: Dim) -> Dim | None:
    if not isinstance(item, Slice):
        return None
    if item == Slice():
        return dim
    start, stop = item.start or 0, item.stop
    if isinstance(dim, str):
        if start < 0 or stop is None or stop < 0:
            raise DimError(f"the bounds of this slice need the size {dim} as a number")
        return stop - start
    if abs(start) > dim or (stop is not None and abs(stop) > dim):
        raise DimError(f"slice {start}:{dim if stop is None else stop} leaves an axis of {dim}")
    length = len(range(*slice(item.start, item.stop).indices(dim)))
    if length == 0:
        raise DimError(f"slice {start}:{dim if stop is None else stop} of an axis of {dim} is empty")
    return length


# Meanings. Axes are counted within the node's own shape; `lead` index axes come first in every array.


def _elementwise(function: Callable[..., Any]) -> Meaning:
    def meaning(_: Attrs, __: int, *arrays: Array) -> Array:
        return np.asarray(function(*arrays), dtype=np.float64)

    return meaning


def _sigmoid(x: Array) -> Array:
    z = np.exp(-np.abs(x))  # never overflows
    return np.where(x >= 0, 1.0, z) / (1.0 + z)


def _gelu(x: Array) -> Array:
    from scipy.special import erfc  # slow import, rarely needed

    return np.asarray(0.5 * x * erfc(-x / math.sqrt(2.0)))  # erfc keeps the digits of the negative tail


def _gelu_tanh(x: Array) -> Array:
    # 0.5*(1 + tanh(y)) = sigmoid(2*y): keeps the digits of the negative tail
    return x * _sigmoid(2.0 * math.sqrt(2.0 / math.pi) * (x + 0.044715 * x**3))


def _elu(x: Array) -> Array:
    return np.where(x > 0, x, np.expm1(np.minimum(x, 0.0)))


def _phi(x: Array) -> Array:
    return np.where(x > 0, x + 1.0, np.exp(np.minimum(x, 0.0)))


def _matmul(_: Attrs, lead: int, a: Array, b: Array) -> Array:
    row, column = a.ndim == lead + 1, b.ndim == lead + 1
    a, b = a[..., None, :] if row else a, b[..., None] if column else b
    product = np.matmul(*align((a, lead), (b, lead)))
    product = product[..., 0, :] if row else product
    return product[..., 0] if column else product


def align(*operands: tuple[Array, int]) -> list[Array]:
    """Arrays with unit axes between their leading axes and their own, so that NumPy broadcasts right."""
    rank = max(array.ndim - lead for array, lead in operands)
    return [
        array.reshape(array.shape[:lead] + (1,) * (rank - array.ndim + lead) + array.shape[lead:])
        for array, lead in operands
    ]


def _transpose(_: Attrs, lead: int, x: Array) -> Array:
    return x if x.ndim < lead + 2 else np.swapaxes(x, -1, -2)


def _sum(attrs: Attrs, lead: int, x: Array) -> Array:
    axis = attrs["axis"]
    axes = tuple(range(lead, x.ndim)) if axis is None else (lead + axis_of(axis, x.shape[lead:]),)
    return np.asarray(np.sum(x, axis=axes, keepdims=attrs["keepdims"]))


def _softmax(attrs: Attrs, lead: int, x: Array) -> Array:
    axis = lead + axis_of(attrs["axis"], x.shape[lead:])
    weight = np.exp(x - np.max(x, axis=axis, keepdims=True))  # the largest exponent is 0: no overflow
    return np.asarray(weight / np.sum(weight, axis=axis, keepdims=True))


def _mask(_: Attrs, lead: int, scores: Array, keep: Array) -> Array:
    scores, keep = align((scores, lead), (keep, lead))
    return np.where(keep != 0, scores, -np.inf)


def _causal_mask(_: Attrs, __: int, scores: Array) -> Array:
    return np.where(np.tri(*scores.shape[-2:]) != 0, scores, -np.inf)


def _concat(attrs: Attrs, lead: int, *parts: Array) -> Array:
    front = np.broadcast_shapes(*(p.shape[:lead] for p in parts))
    whole = [np.broadcast_to(p, front + p.shape[lead:]) for p in parts]
    return np.concatenate(whole, axis=lead + axis_of(attrs["axis"], parts[0].shape[lead:]))


def _split_heads(_: Attrs, __: int, x: Array, heads: Array) -> Array:
    count = int(heads.reshape(-1)[0])
    *front, tokens, width = x.shape
    return np.swapaxes(x.reshape(*front, tokens, count, width // count), -2, -3)


def _concat_heads(_: Attrs, __: int, x: Array) -> Array:
    *front, heads, tokens, width = x.shape
    return np.swapaxes(x, -2, -3).reshape(*front, tokens, heads * width)


# The table.


def _leaf(name: str, attr: str, doc: str, shape: ShapeRule | None = None) -> Op:
    return Op(name, (0, 0), doc, ((attr, REQUIRED),), shape, level=7)


def _infix(
    name: str, symbol: str, level: int, function: Callable[..., Any], doc: str, swap: bool = False
) -> Op:
    return Op(
        name,
        (2, 2),
        doc,
        shape=_broadcast_rule,
        meaning=_elementwise(function),
        symbol=symbol,
        level=level,
        elementwise=True,
        commutative=swap,
    )


def _function(name: str, function: Callable[..., Any], doc: str, arity: int = 1, swap: bool = False) -> Op:
    return Op(
        name,
        (arity, arity),
        doc,
        shape=_broadcast_rule,
        meaning=_elementwise(function),
        elementwise=True,
        commutative=swap,
    )


OPS: tuple[Op, ...] = (
    _leaf("tensor", "name", "an array, a scalar or a size, given by name"),
    _leaf("number", "value", "a constant", _scalar_rule),
    _leaf("index", "name", "the index of an enclosing sum", _scalar_rule),
    _infix("add", "+", 1, np.add, "a + b", swap=True),
    _infix("sub", "-", 1, np.subtract, "a - b"),
    _infix("mul", "*", 2, np.multiply, "a * b, entry by entry", swap=True),
    _infix("div", "/", 2, np.divide, "a / b, entry by entry"),
    Op("matmul", (2, 2), "a @ b as NumPy has it", (), _matmul_rule, _matmul, "@", 2),
    Op("neg", (1, 1), "-a", (), _same_rule, _elementwise(np.negative), "-", 3, elementwise=True),
    _infix("pow", "**", 4, np.power, "a ** b, entry by entry"),
    Op("transpose", (1, 1), "a.T: the last two axes swapped", (), _transpose_rule, _transpose),
    Op("getitem", (1, 1), "a[i, 0, 2:4]", (("items", REQUIRED),), _getitem_rule),
    Op("sum_over", (3, 3), "sum(body for i in range(start, stop))", (("index", REQUIRED),)),
    Op(
        "sum",
        (1, 1),
        "sum of all entries, or along an axis",
        (("axis", None), ("keepdims", False)),
        _sum_rule,
        _sum,
    ),
    Op("softmax", (1, 1), "exp(a) / sum(exp(a)) along an axis", (("axis", -1),), _softmax_rule, _softmax),
    Op("mask", (2, 2), "scores where keep is 1, -inf where keep is 0", (), _mask_rule, _mask),
    Op("causal_mask", (1, 1), "scores for j <= i, -inf elsewhere", (), _causal_rule, _causal_mask),
    Op("concat", (1, None), "arrays side by side along an axis", (("axis", -1),), _concat_rule, _concat),
    Op("split_heads", (2, 2), "(n, h*d) -> (h, n, d)", (), _split_rule, _split_heads),
    Op("concat_heads", (1, 1), "(h, n, d) -> (n, h*d)", (), _concat_heads_rule, _concat_heads),
    _function("relu", lambda x: np.maximum(x, 0.0), "max(a, 0)"),
    _function("tanh", np.tanh, "hyperbolic tangent"),
    _function("sigmoid", _sigmoid, "1 / (1 + exp(-a))"),
    _function("gelu", _gelu, "a * Phi(a), exact (erf)"),
    _function("gelu_tanh", _gelu_tanh, "the tanh approximation of gelu"),
    _function("elu", _elu, "a for a > 0, exp(a) - 1 elsewhere"),
    _function("phi", _phi, "elu(a) + 1, the feature map of linear attention (Katharopoulos et al. 2020)"),
    _function("exp", np.exp, "e ** a"),
    _function("log", np.log, "natural logarithm"),
    _function("cos", np.cos, "cosine"),
    _function("sin", np.sin, "sine"),
    _function("sqrt", np.sqrt, "square root"),
    _function("abs", np.abs, "absolute value"),
    _function("maximum", np.maximum, "the larger of two, entry by entry", 2, swap=True),
    _function("minimum", np.minimum, "the smaller of two, entry by entry", 2, swap=True),
    _function("where", lambda c, a, b: np.where(c != 0, a, b), "a where the condition is not 0, else b", 3),
)

BY_NAME: Mapping[str, Op] = {op.name: op for op in OPS}

RESERVED: Mapping[str, float | None] = {"pi": math.pi, "e": math.e, "causal": None}
"""Names that are not tensors: constants and the word `causal`."""
