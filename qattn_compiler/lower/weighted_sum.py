"""Find the weighted sums in an expression: every output number as sum_j weights[j] * values[j] + offset.

A matrix product is one (rows of the left factor weigh columns of the right), so is a sum over an index;
scaling, adding, transposing, indexing and joining keep the form. Whatever else an expression computes
(softmax, relu, ...) is evaluated classically, inside the weights and the values, or in the offset of a sum.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from itertools import count

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.errors import LoweringError
from qattn_compiler.expr.evaluate import evaluate
from qattn_compiler.expr.node import Expr, make, number, place_of, tensor
from qattn_compiler.expr.ops import At, Loop, Slice
from qattn_compiler.lower.batch import Terms

Floats = NDArray[np.float64]
Values = Mapping[str, Floats]

MAX_TERMS = 1 << 28
"""Weights of all outputs together; beyond, they would not fit into memory."""


@dataclass(frozen=True, eq=False)
class Form:
    """An array of weighted sums.

    Attributes:
        weights: shape (*shape, n).
        values: shape (*shape, n).
        offset: shape (*shape,).
    """

    weights: Floats
    values: Floats
    offset: Floats

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the output."""
        return self.offset.shape

    def at(self, positions: NDArray[np.int64]) -> Terms:
        """The chosen outputs, as flat lists; positions has shape (outputs, axes).

        Raises:
            LoweringError: the weights of all outputs would not fit into memory.
        """
        if len(positions) * self.weights.shape[-1] > MAX_TERMS:
            raise LoweringError(
                f"{len(positions)} outputs of {self.weights.shape[-1]} terms each do not fit into memory",
                hint="choose some with rows= and components=",
            )
        place = tuple(positions.T) if positions.shape[1] else (None,)
        return Terms(self.weights[place], self.values[place], self.offset[place])


def weighted_sums(expr: Expr, values: Values, *, root: Expr | None = None) -> Form:
    """The expression's outputs as weighted sums.

    Args:
        expr: the expression.
        values: an array for each of its names.
        root: the expression as it was parsed, whose text errors point into.

    Raises:
        LoweringError: it is no weighted sum; the message names the node and says what is.
        WeightError, ShapeError: as `evaluate`.
    """
    return _Reader(expr if root is None else root, values).form(expr)


_SUMS = ("matmul", "sum_over", "sum")
_KEEPING = ("neg", "transpose", "getitem", "concat", "split_heads", "concat_heads", "div")


def is_weighted_sum(expr: Expr) -> bool:
    """Whether the expression's outputs are weighted sums."""
    if expr.op in _SUMS:
        return True
    if expr.op in ("add", "sub", "mul"):
        return any(is_weighted_sum(arg) for arg in expr.args)
    return expr.op in _KEEPING and is_weighted_sum(expr.args[0])


class _Reader:
    def __init__(self, root: Expr, values: Values) -> None:
        self.root = root
        self.values = dict(values)
        self.fresh = (f"_{i}" for i in count() if f"_{i}" not in values)

    def evaluate(self, expr: Expr) -> Floats:
        return evaluate(expr, self.values)

    def form(self, expr: Expr) -> Form:
        if not is_weighted_sum(expr):
            raise LoweringError(
                f"{expr.op} is no weighted sum, so no read-out gives its value",
                place=place_of(self.root, expr),
                hint="compile the sum inside it (a matrix product or sum(... for i in range(n))), "
                "and apply the rest to the decoded numbers",
            )
        read = getattr(self, f"_{expr.op}", None)
        assert read is not None
        out: Form = read(expr)
        return out

    # sums

    def _matmul(self, expr: Expr) -> Form:
        first, *rest = _chain(expr)
        left = self.evaluate(first)
        right = self.evaluate(reduce(lambda a, b: a @ b, rest))
        vector_left, vector_right = left.ndim == 1, right.ndim == 1
        a = left[None, :] if vector_left else left
        b = right[:, None] if vector_right else right
        weights, columns = a[..., :, None, :], np.swapaxes(b, -1, -2)[..., None, :, :]
        weights, columns = np.broadcast_arrays(weights, columns)
        if vector_left:
            weights, columns = weights[..., 0, :, :], columns[..., 0, :, :]
        if vector_right:
            weights, columns = weights[..., 0, :], columns[..., 0, :]
        return Form(weights, columns, np.zeros(weights.shape[:-1]))

    def _sum_over(self, expr: Expr) -> Form:
        body, start, stop = expr.args
        index = expr.attr("index")
        body = self._settle(body)
        first, last = int(start.value), int(self.evaluate(stop))
        if last <= first:
            raise LoweringError(
                f"this sum runs over nothing: {index} from {first} to {last - 1}",
                place=place_of(self.root, expr),
            )
        parts = [self._terms(_substitute(body, index, i)) for i in range(first, last)]
        return _join(parts)

    def _sum(self, expr: Expr) -> Form:
        axis, keep = expr.attr("axis"), expr.attr("keepdims")
        split = [self._split(term) for term in _products(expr.args[0])]
        shape = np.broadcast_shapes(*(np.shape(part) for pair in split for part in pair))
        parts = []
        for pair in split:
            weight, value = (np.broadcast_to(part, shape) for part in pair)
            if axis is None:
                weight, value = weight.reshape(-1), value.reshape(-1)
                lead: tuple[int, ...] = (1,) * len(shape) if keep else ()
            else:
                weight, value = np.moveaxis(weight, axis, -1), np.moveaxis(value, axis, -1)
                lead = weight.shape[:-1]
                if keep:
                    lead = (*shape[: axis % len(shape)], 1, *shape[axis % len(shape) + 1 :])
            full = (*lead, weight.shape[-1])
            parts.append(Form(weight.reshape(full), value.reshape(full), np.zeros(lead)))
        return _join(parts)

    def _settle(self, body: Expr) -> Expr:
        """The body with everything that does not depend on an index replaced by its value."""
        done: dict[Expr, Expr] = {}
        for node in body.walk():
            if not node.free and node.op not in ("tensor", "number"):
                name = next(self.fresh)
                self.values[name] = self.evaluate(node)
                done[node] = tensor(name)
            else:
                args = tuple(done[a] for a in node.args)
                done[node] = node if args == node.args else make(node.op, args, node.attrs)
        return done[body]

    def _terms(self, body: Expr) -> Form:
        """A body without index as weighted terms: one a product, more where it is itself a sum."""
        if body.op in ("sum_over", "sum", "matmul"):
            return self.form(body)
        parts = []
        for term in _products(body):
            weight, value = self._split(term)
            weight, value = np.broadcast_arrays(weight, value)
            parts.append(Form(weight[..., None], value[..., None], np.zeros(weight.shape)))
        return _join(parts)

    def _split(self, term: _Product) -> tuple[Floats, Floats]:
        """The weight and the value of a product."""
        weight = next((f for f in term.factors if _is_bare(f)), term.factors[0])
        others = list(term.factors)
        others.remove(weight)
        if not others and not term.divisors:
            value = self.evaluate(weight) * term.sign
            return np.ones_like(value), value
        value = np.asarray(term.sign)
        for factor in others:
            value = value * self.evaluate(factor)
        for divisor in term.divisors:
            value = value / self.evaluate(divisor)
        return self.evaluate(weight), value

    # what keeps the form

    def _neg(self, expr: Expr) -> Form:
        return _scaled(self.form(expr.args[0]), np.asarray(-1.0))

    def _mul(self, expr: Expr) -> Form:
        a, b = expr.args
        if not is_weighted_sum(a):
            a, b = b, a
        return _scaled(self.form(a), self.evaluate(b))

    def _div(self, expr: Expr) -> Form:
        a, b = expr.args
        return _scaled(self.form(a), 1.0 / self.evaluate(b))

    def _add(self, expr: Expr) -> Form:
        return self._sum_of_two(expr, 1.0)

    def _sub(self, expr: Expr) -> Form:
        return self._sum_of_two(expr, -1.0)

    def _sum_of_two(self, expr: Expr, sign: float) -> Form:
        forms = [self.form(arg) if is_weighted_sum(arg) else self._constant(arg) for arg in expr.args]
        return _join([forms[0], _scaled(forms[1], np.asarray(sign))])

    def _constant(self, expr: Expr) -> Form:
        value = self.evaluate(expr)
        return Form(np.zeros((*value.shape, 0)), np.zeros((*value.shape, 0)), value)

    def _transpose(self, expr: Expr) -> Form:
        form = self.form(expr.args[0])
        if form.offset.ndim < 2:
            return form
        return Form(*(np.swapaxes(a, -2 - k, -1 - k) for a, k in _arrays(form)))

    def _getitem(self, expr: Expr) -> Form:
        form = self.form(expr.args[0])
        place = tuple(_python_index(item) for item in expr.attr("items"))
        return Form(form.weights[place], form.values[place], form.offset[place])

    def _concat(self, expr: Expr) -> Form:
        forms = [self.form(arg) if is_weighted_sum(arg) else self._constant(arg) for arg in expr.args]
        width = max(f.weights.shape[-1] for f in forms)
        forms = [_widened(f, width) for f in forms]
        axis = expr.attr("axis") % forms[0].offset.ndim
        columns = zip(*((f.weights, f.values, f.offset) for f in forms), strict=True)
        return Form(*(np.concatenate(arrays, axis=axis) for arrays in columns))

    def _split_heads(self, expr: Expr) -> Form:
        form, heads = self.form(expr.args[0]), int(self.evaluate(expr.args[1]))
        tokens, width = form.shape
        return Form(
            *(
                np.moveaxis(a.reshape(tokens, heads, width // heads, *a.shape[2:]), 1, 0)
                for a in (form.weights, form.values, form.offset)
            )
        )

    def _concat_heads(self, expr: Expr) -> Form:
        form = self.form(expr.args[0])
        heads, tokens, width = form.shape
        return Form(
            *(
                np.moveaxis(a, 0, 1).reshape(tokens, heads * width, *a.shape[3:])
                for a in (form.weights, form.values, form.offset)
            )
        )


@dataclass(frozen=True)
class _Product:
    factors: tuple[Expr, ...]
    divisors: tuple[Expr, ...] = ()
    sign: float = 1.0


def _products(expr: Expr) -> list[_Product]:
    """A sum as its products."""
    if expr.op == "add":
        return [*_products(expr.args[0]), *_products(expr.args[1])]
    if expr.op == "sub":
        negative = [_Product(p.factors, p.divisors, -p.sign) for p in _products(expr.args[1])]
        return [*_products(expr.args[0]), *negative]
    return [_product(expr)]


def _product(expr: Expr) -> _Product:
    if expr.op == "neg":
        inner = _product(expr.args[0])
        return _Product(inner.factors, inner.divisors, -inner.sign)
    if expr.op == "mul":
        a, b = _product(expr.args[0]), _product(expr.args[1])
        return _Product((*a.factors, *b.factors), (*a.divisors, *b.divisors), a.sign * b.sign)
    if expr.op == "div":
        inner = _product(expr.args[0])
        return _Product(inner.factors, (*inner.divisors, expr.args[1]), inner.sign)
    return _Product((expr,))


def _is_bare(expr: Expr) -> bool:
    """A tensor, or an entry of one."""
    return expr.op == "tensor" or (expr.op == "getitem" and expr.args[0].op == "tensor")


def _chain(expr: Expr) -> list[Expr]:
    """Factors of a matrix product, left to right: the first weighs the product of the others."""
    if expr.op != "matmul":
        return [expr]
    return [*_chain(expr.args[0]), expr.args[1]]


def _substitute(body: Expr, index: str, value: int) -> Expr:
    """The body with a number for a loop index."""
    done: dict[Expr, Expr] = {}
    for node in body.walk():
        if node.op == "index" and node.name == index:
            done[node] = number(value)
            continue
        args = tuple(done[a] for a in node.args)
        attrs = node.attrs
        if node.op == "getitem":
            items = tuple(
                At(value + item.offset) if isinstance(item, Loop) and item.index == index else item
                for item in node.attr("items")
            )
            attrs = (("items", items),)
        done[node] = make(node.op, args, attrs) if args != node.args or attrs != node.attrs else node
    return done[body]


def _python_index(item: object) -> int | slice:
    if isinstance(item, At):
        return item.position
    assert isinstance(item, Slice)
    return slice(item.start, item.stop)


def _arrays(form: Form) -> tuple[tuple[Floats, int], ...]:
    """Each array with the number of axes behind the output's own."""
    return ((form.weights, 1), (form.values, 1), (form.offset, 0))


def _scaled(form: Form, factor: Floats) -> Form:
    """The form times an array that broadcasts with its shape."""
    shape = np.broadcast_shapes(form.shape, factor.shape)
    wide = (*shape, form.weights.shape[-1])
    lead = len(shape) - form.offset.ndim
    grown = (1,) * lead
    values = form.values.reshape(grown + form.values.shape) * factor[..., None]
    weights = np.broadcast_to(form.weights.reshape(grown + form.weights.shape), wide)
    return Form(weights, np.broadcast_to(values, wide), np.broadcast_to(form.offset * factor, shape))


def _join(forms: list[Form]) -> Form:
    """The sum of forms: their terms side by side, their offsets added."""
    shape = np.broadcast_shapes(*(f.shape for f in forms))
    stretched = [_scaled(f, np.ones(shape)) if f.shape != shape else f for f in forms]
    return Form(
        np.concatenate([f.weights for f in stretched], axis=-1),
        np.concatenate([f.values for f in stretched], axis=-1),
        np.sum([f.offset for f in stretched], axis=0),
    )


def _widened(form: Form, width: int) -> Form:
    padding = [(0, 0)] * form.offset.ndim + [(0, width - form.weights.shape[-1])]
    return Form(np.pad(form.weights, padding), np.pad(form.values, padding), form.offset)
