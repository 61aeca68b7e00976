"""THE definition of what an expression means: slow, plain NumPy, one entry or one row at a time.

It shares no numeric code with `expr/ops.py` and `expr/evaluate.py`; those are tested against it. What it
takes from the front end is the syntax (nodes, the parser) and the rule for sizes that nobody gave.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qattn_compiler.errors import ShapeError, WeightError
from qattn_compiler.expr.node import Expr, place_of, split_bound
from qattn_compiler.expr.ops import At, Loop, Slice
from qattn_compiler.expr.shapes import resolve_sizes
from qattn_compiler.frontends.from_text import parse

Array = NDArray[np.float64]
Indices = Mapping[str, int]


def reference(expr: Expr | str, values: Mapping[str, ArrayLike]) -> Array:
    """The value of an expression, float64.

    Args:
        expr: nodes, or a text.
        values: arrays and scalars by name; sizes such as `d` may be left out.

    Raises:
        ParseError: the text is not an expression.
        ShapeError: shapes do not fit, or a name has no value.
        WeightError: a value or a result is not finite, or a row is masked entirely.
    """
    expr = parse(expr) if isinstance(expr, str) else expr
    arrays = {name: _array(name, values[name]) for name in expr.tensors() if name in values}
    whole = {n: int(a) for n, a in arrays.items() if a.shape == () and math.isfinite(a) and int(a) == a}
    sizes = resolve_sizes(expr, {name: array.shape for name, array in arrays.items()}, whole)
    for name, size in sizes.items():
        arrays[name] = np.array(float(size.value))
    result = _Interpreter(expr, arrays).value(expr, {}, {})
    if not np.isfinite(result).all():
        raise WeightError("the result is not finite", place=place_of(expr, expr))
    return result


def _array(name: str, value: ArrayLike) -> Array:
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise WeightError(f"{name} must hold real numbers, not {array.dtype}")
    if not np.isfinite(array).all():
        raise WeightError(f"{name} is not finite everywhere")
    return array.astype(np.float64)


class _Interpreter:
    """Evaluates with every loop index at one value at a time."""

    def __init__(self, root: Expr, arrays: Mapping[str, Array]) -> None:
        self.root, self.arrays = root, arrays
        self.closed: dict[Expr, Array] = {}

    def value(self, root: Expr, indices: Indices, outer: dict[Expr, Array]) -> Array:
        """The value with the indices as they are; `outer` holds nodes that are known already."""
        memo = dict(outer)
        stack = [(root, False)]
        while stack:
            node, ready = stack.pop()
            if node in memo or node in self.closed:
                continue
            if not ready:
                stack.append((node, True))
                if node.op != "sum_over":
                    stack.extend((arg, False) for arg in node.args)
                continue
            args = [memo[a] if a in memo else self.closed[a] for a in node.args if node.op != "sum_over"]
            made = self._checked(node, args, indices)
            (memo if node.free else self.closed)[node] = made
        return memo[root] if root in memo else self.closed[root]

    def _checked(self, node: Expr, args: list[Array], indices: Indices) -> Array:
        try:
            made = self._node(node, args, indices)
        except (WeightError, ShapeError) as error:
            error.place = error.place or place_of(self.root, node)
            raise
        except (ValueError, IndexError) as error:
            raise ShapeError(f"{node!r}: {error}", place=place_of(self.root, node)) from error
        masked = node.op in ("mask", "causal_mask", "sum_over") or any(np.isneginf(a).any() for a in args)
        allowed = np.isfinite(made) | (np.isneginf(made) if masked else False)
        if not np.all(allowed):
            raise WeightError(f"{node!r} is not finite", place=place_of(self.root, node))
        return made

    def _node(self, node: Expr, args: list[Array], indices: Indices) -> Array:
        if node.op == "tensor":
            return self.arrays[node.name]
        if node.op == "number":
            return np.array(float(node.value))
        if node.op == "index":
            return np.array(float(indices[node.name]))
        if node.op == "sum_over":
            return self._sum_over(node, indices)
        if node.op == "getitem":
            return _getitem(args[0], node.attr("items"), indices)
        if node.op in _SCALAR_FUNCTIONS:
            return _entry_by_entry(_SCALAR_FUNCTIONS[node.op], args)
        return _ARRAY_FUNCTIONS[node.op](*args, **dict(node.attrs))

    def _sum_over(self, node: Expr, indices: Indices) -> Array:
        body = node.args[0]
        total: Array | None = None
        for position in range(self._bound(node.args[1]), self._bound(node.args[2])):
            term = self.value(body, {**indices, node.attr("index"): position}, {})
            total = term.copy() if total is None else total + term
        return np.zeros(self._empty_shape(body, indices)) if total is None else total

    def _bound(self, bound: Expr) -> int:
        name, shift = split_bound(bound) or (None, 0)
        size = 0.0 if name is None else float(self.arrays[name])
        if size != math.floor(size):
            raise ShapeError(f"{bound} must be a whole number, not {size + shift}")
        return int(size) + shift

    def _empty_shape(self, body: Expr, indices: Indices) -> tuple[int, ...]:
        """The shape of a sum of nothing: that of the body, with all of its indices at 0."""
        try:
            return self.value(body, {**dict.fromkeys(body.free, 0), **indices}, {}).shape
        except WeightError:  # only the shape is wanted, but it takes a value to know it
            return ()


# One entry at a time.


def _entry_by_entry(function: Callable[..., float], args: list[Array]) -> Array:
    shape = np.broadcast_shapes(*(a.shape for a in args))
    columns = [np.broadcast_to(a, shape).ravel().tolist() for a in args]
    return np.array([_safely(function, *entry) for entry in zip(*columns, strict=True)]).reshape(shape)


def _safely(function: Callable[..., float], *entry: float) -> float:
    try:
        return function(*entry)
    except (ValueError, ZeroDivisionError, OverflowError):
        return math.nan  # outside the function's domain, or too large


def _sigmoid(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x)) if x >= 0 else math.exp(x) / (1.0 + math.exp(x))


def _gelu_tanh(x: float) -> float:
    # 0.5 * x * (1 + tanh(y)), written so that the digits of the negative tail survive
    return x * _sigmoid(2.0 * math.sqrt(2.0 / math.pi) * (x + 0.044715 * x * x * x))


_SCALAR_FUNCTIONS: Mapping[str, Callable[..., float]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "pow": math.pow,
    "neg": lambda a: -a,
    "relu": lambda a: max(a, 0.0),
    "tanh": math.tanh,
    "sigmoid": _sigmoid,
    "gelu": lambda a: 0.5 * a * math.erfc(-a / math.sqrt(2.0)),
    "gelu_tanh": _gelu_tanh,
    "elu": lambda a: a if a > 0 else math.expm1(a),
    "phi": lambda a: a + 1.0 if a > 0 else math.exp(a),
    "exp": math.exp,
    "log": math.log,
    "cos": math.cos,
    "sin": math.sin,
    "sqrt": math.sqrt,
    "abs": abs,
    "maximum": max,
    "minimum": min,
    "where": lambda condition, a, b: a if condition != 0 else b,
}


# One row at a time.


def _matmul(a: Array, b: Array) -> Array:
    """Entry (i, k) is the dot product of row i and column k; a vector is one row, or one column."""
    if a.ndim == 0 or b.ndim == 0:
        raise ShapeError("@ needs vectors or matrices")
    rows = a[None, :] if a.ndim == 1 else a
    columns = b[:, None] if b.ndim == 1 else b
    if rows.shape[-1] != columns.shape[-2]:
        raise ShapeError(f"the inner sizes of {a.shape} and {b.shape} differ")
    batch = np.broadcast_shapes(rows.shape[:-2], columns.shape[:-2])
    rows = np.broadcast_to(rows, batch + rows.shape[-2:])
    columns = np.broadcast_to(columns, batch + columns.shape[-2:])
    out = np.zeros((*batch, rows.shape[-2], columns.shape[-1]))
    for where in np.ndindex(*batch):
        for i in range(rows.shape[-2]):
            for k in range(columns.shape[-1]):
                out[(*where, i, k)] = np.dot(rows[(*where, i)], columns[(*where, slice(None), k)])
    if a.ndim == 1:
        out = out[..., 0, :]
    return out[..., 0] if b.ndim == 1 else out


def _transpose(a: Array) -> Array:
    if a.ndim < 2:
        return a
    *batch, rows, columns = a.shape
    out = np.zeros((*batch, columns, rows))
    for i in range(rows):
        out[..., :, i] = a[..., i, :]
    return out


def _softmax(a: Array, axis: int) -> Array:
    out = np.array(a)
    axis = _axis(a, axis)
    for outer in np.ndindex(*a.shape[:axis], *a.shape[axis + 1 :]):
        where = (*outer[:axis], slice(None), *outer[axis:])
        row = a[where]
        if np.isneginf(row).all():
            at = ", ".join(map(str, outer))
            raise WeightError(
                f"softmax of row {at or 0} has nothing to attend to: all of its scores are masked"
            )
        weights = [math.exp(score - row.max()) for score in row]
        out[where] = np.array(weights) / math.fsum(weights)
    return out


def _mask(scores: Array, keep: Array) -> Array:
    if not all(k in (0.0, 1.0) for k in keep.ravel()):
        raise WeightError("a mask must be 0 or 1 everywhere")
    keep = np.broadcast_to(keep, scores.shape)
    out = np.array(scores)
    for where in np.ndindex(*scores.shape):
        if keep[where] == 0.0:
            out[where] = -math.inf
    return out


def _causal_mask(scores: Array) -> Array:
    if scores.ndim < 2:
        raise ShapeError("a causal mask needs a matrix of scores")
    out = np.array(scores)
    for i in range(scores.shape[-2]):
        out[..., i, i + 1 :] = -math.inf
    return out


def _sum(a: Array, axis: int | None, keepdims: bool) -> Array:
    if axis is None:
        total = np.array(math.fsum(a.ravel().tolist()))
        return total.reshape((1,) * a.ndim) if keepdims else total
    axis = _axis(a, axis)
    shape = tuple(1 if k == axis else n for k, n in enumerate(a.shape))
    out = np.zeros(shape)
    for position in range(a.shape[axis]):
        out += a[(slice(None),) * axis + (slice(position, position + 1),)]
    return out if keepdims else out.reshape(shape[:axis] + shape[axis + 1 :])


def _axis(a: Array, axis: int) -> int:
    if not -a.ndim <= axis < a.ndim:
        raise ShapeError(f"there is no axis {axis} in a shape with {a.ndim} axes")
    return axis % a.ndim


def _concat(*parts: Array, axis: int) -> Array:
    axis = _axis(parts[0], axis)
    slabs = [
        part[(slice(None),) * axis + (slice(k, k + 1),)] for part in parts for k in range(part.shape[axis])
    ]
    shape = list(parts[0].shape)
    shape[axis] = len(slabs)
    out = np.zeros(shape)
    for k, slab in enumerate(slabs):
        if slab.shape != out[(slice(None),) * axis + (slice(k, k + 1),)].shape:
            raise ShapeError("concat needs the other sizes equal")
        out[(slice(None),) * axis + (slice(k, k + 1),)] = slab
    return out


def _split_heads(a: Array, heads: Array) -> Array:
    count = int(heads)
    if a.ndim != 2 or count <= 0 or count != heads or a.shape[1] % count:
        raise ShapeError(f"shape {a.shape} cannot be split into {heads} heads")
    width = a.shape[1] // count
    return np.stack([a[:, h * width : (h + 1) * width] for h in range(count)])


def _concat_heads(a: Array) -> Array:
    if a.ndim != 3:
        raise ShapeError(f"concat_heads needs (heads, tokens, d), not shape {a.shape}")
    return np.hstack([a[h] for h in range(a.shape[0])])


_ARRAY_FUNCTIONS: Mapping[str, Callable[..., Array]] = {
    "matmul": _matmul,
    "transpose": _transpose,
    "softmax": _softmax,
    "mask": _mask,
    "causal_mask": _causal_mask,
    "sum": _sum,
    "concat": _concat,
    "split_heads": _split_heads,
    "concat_heads": _concat_heads,
}


def _getitem(a: Array, items: tuple[At | Slice | Loop, ...], indices: Indices) -> Array:
    where: list[Any] = []
    for item, size in zip(items, a.shape, strict=False):
        if isinstance(item, Slice):
            if len(range(*slice(item.start, item.stop).indices(size))) == 0:
                raise ShapeError(f"slice {item.start}:{item.stop} of an axis of {size} is empty")
            where.append(slice(item.start, item.stop))
            continue
        position = item.position if isinstance(item, At) else indices[item.index] + item.offset
        if position >= size or position < (-size if isinstance(item, At) else 0):
            raise ShapeError(f"position {position} is outside an axis of {size}")
        where.append(position)
    if len(items) > a.ndim:
        raise ShapeError(f"{len(items)} indices for shape {a.shape}")
    return np.asarray(a[tuple(where)])
