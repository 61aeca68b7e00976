"""Fast evaluation: vectorised NumPy over the graph, each node once.

A loop index becomes a leading axis of every array that depends on it, so that `sum(... for i in range(n))` is
one NumPy sum; a sum too large for memory is taken in slabs of its index. The meaning is that of
`verify/reference.py`, which defines it slowly.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from qattn_compiler.errors import QattnError, ShapeError, WeightError, raise_all
from qattn_compiler.expr.dims import Shape
from qattn_compiler.expr.node import Expr, place_of
from qattn_compiler.expr.ops import Array, At, Loop, Slice, align, axis_of
from qattn_compiler.expr.shapes import bound_value, infer_shapes, resolve_sizes
from qattn_compiler.expr.text import short_text

MAX_ENTRIES = 1 << 23
"""Entries of the largest array within a sum (64 MB); larger sums are cut into slabs."""


def evaluate(expr: Expr, values: Mapping[str, ArrayLike]) -> Array:
    """The value of `expr`, float64.

    Args:
        values: arrays and scalars by name; sizes such as `d` may be left out (see `resolve_sizes`).

    Raises:
        ShapeError: shapes do not fit, or a name has no value.
        WeightError: a value is not real or not finite, a result is not finite, or a row is masked entirely.
    """
    arrays = as_arrays(expr, values)
    shapes: dict[str, Shape] = {name: np.shape(value) for name, value in {**values, **arrays}.items()}
    sizes = whole_numbers(arrays)
    known = infer_shapes(expr, shapes, sizes)
    for name, size in resolve_sizes(expr, shapes, sizes).items():
        sizes[name] = int(size.value)
        arrays[name] = np.asarray(size.value, dtype=np.float64)
    _check_sizes(expr, known, sizes)
    with np.errstate(all="ignore"):  # what is not finite is found and named below
        result = _Evaluator(expr, arrays, sizes, known).value(expr, {}).array
    if not np.isfinite(result).all():
        raise WeightError(
            "the result is -inf where scores are masked", place=place_of(expr, expr), hint=_MASK_HINT
        )
    return np.array(result, dtype=np.float64)


def _check_sizes(expr: Expr, shapes: Mapping[Expr, Shape], sizes: Mapping[str, int]) -> None:
    """Every size must be a number by now: a scalar that is not whole cannot be one."""
    errors: list[QattnError] = []
    for node, shape in shapes.items():
        bounds = node.args[1:] if node.op == "sum_over" else ()
        names = [dim for dim in (*shape, *(bound_value(b, sizes) for b in bounds)) if isinstance(dim, str)]
        if names and not errors:
            message = f"{names[0]} must be a whole number, to be a size"
            errors.append(ShapeError(message, place=place_of(expr, node)))
    raise_all(errors)


_MASK_HINT = "masked scores must go through softmax"


def as_arrays(expr: Expr, values: Mapping[str, ArrayLike]) -> dict[str, Array]:
    """The values that `expr` uses, as float64 arrays.

    Raises:
        WeightError: a value is not a real array or not finite. All at once.
    """
    errors: list[QattnError] = []
    arrays: dict[str, Array] = {}
    for name in expr.tensors():
        if name not in values:
            continue
        try:
            arrays[name] = real_array(name, values[name])
        except WeightError as error:
            errors.append(error)
    raise_all(errors)
    return arrays


def real_array(name: str, value: ArrayLike) -> Array:
    """One value as a float64 array.

    Raises:
        WeightError: not numbers, complex, ragged, or not finite.
    """
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise WeightError(f"{name} is not an array: {error}") from error
    if array.dtype.kind not in "biuf":
        raise WeightError(f"{name} must hold real numbers, not {array.dtype}")
    array = array.astype(np.float64)
    bad = np.argwhere(~np.isfinite(array))
    if len(bad):
        place = f"{name}[{', '.join(map(str, bad[0]))}]" if array.ndim else name
        raise WeightError(f"{len(bad)} entries of {name} are not finite", place=f"the first is {place}")
    return array


def whole_numbers(arrays: Mapping[str, Array]) -> dict[str, int]:
    """Scalars that are whole numbers: they can be sizes."""
    return {n: int(a) for n, a in arrays.items() if a.ndim == 0 and abs(a) < 2**53 and a == np.floor(a)}


@dataclass(frozen=True)
class _Value:
    """An array whose first axes are the loop indices `lead`, in the order in which the sums bind them."""

    array: Array
    lead: tuple[str, ...]


_Ranges = Mapping[str, tuple[int, int]]
"""Index -> (first, last + 1), outermost sum first."""


class _Evaluator:
    def __init__(
        self, root: Expr, arrays: Mapping[str, Array], sizes: Mapping[str, int], shapes: Mapping[Expr, Shape]
    ) -> None:
        self.root, self.arrays, self.sizes, self.shapes = root, arrays, sizes, shapes
        self.memo: dict[tuple[Expr, tuple[tuple[int, int], ...]], _Value] = {}

    def key(self, node: Expr, ranges: _Ranges) -> tuple[Expr, tuple[tuple[int, int], ...]]:
        """A node means the same wherever its free indices run over the same ranges."""
        return node, tuple(ranges[name] for name in ranges if name in node.free)

    def value(self, root: Expr, ranges: _Ranges) -> _Value:
        stack: list[tuple[Expr, bool]] = [(root, False)]
        while stack:
            node, ready = stack.pop()
            if self.key(node, ranges) in self.memo:
                continue
            if ready:
                made = self._compute(node, ranges)
                self._check(node, made, ranges)
                self.memo[self.key(node, ranges)] = made
            else:
                stack.append((node, True))
                if node.op != "sum_over":  # its body is evaluated with one more index
                    stack.extend((arg, False) for arg in reversed(node.args))
        return self.memo[self.key(root, ranges)]

    def _compute(self, node: Expr, ranges: _Ranges) -> _Value:
        if node.op == "tensor":
            return _Value(self.arrays[node.name], ())
        if node.op == "number":
            return _Value(np.asarray(node.value, dtype=np.float64), ())
        if node.op == "index":
            return _Value(np.arange(*ranges[node.name], dtype=np.float64), (node.name,))
        if node.op == "sum_over":
            return self._sum_over(node, ranges)
        args = [self.memo[self.key(arg, ranges)] for arg in node.args]
        if node.op == "getitem":
            return _getitem(node, args[0], ranges)
        lead = tuple(name for name in ranges if any(name in arg.lead for arg in args))
        arrays = [_with_lead(arg, lead) for arg in args]
        if node.info.elementwise and lead:
            arrays = align(*((array, len(lead)) for array in arrays))
        meaning = node.info.meaning
        assert meaning is not None, node.op
        if node.op == "mask":
            self._check_mask(node, arrays[1])
        if node.op == "softmax":
            self._check_rows(node, arrays[0], len(lead))
        return _Value(meaning(dict(node.attrs), len(lead), *arrays), lead)

    # Sums over an index.

    def _sum_over(self, node: Expr, ranges: _Ranges) -> _Value:
        body, start, stop = node.args
        name = node.attr("index")
        first, last = int(bound_value(start, self.sizes)), int(bound_value(stop, self.sizes))
        lead = tuple(i for i in ranges if i in body.free and i != name)
        if last <= first:
            shape = tuple(ranges[i][1] - ranges[i][0] for i in lead) + tuple(
                int(d) for d in self.shapes[node]
            )
            return _Value(np.zeros(shape), lead)
        total: Array | None = None
        step = self._slab(body, name, {**ranges, name: (first, last)})
        for begin in range(first, last, step):
            part = self._slab_sum(body, name, {**ranges, name: (begin, min(begin + step, last))})
            total = part if total is None else total + part
        assert total is not None
        return _Value(total, lead)

    def _slab(self, body: Expr, name: str, ranges: _Ranges) -> int:
        """How many positions of the index fit into memory at once."""
        first, last = ranges[name]
        largest = 1
        for node in body.walk():
            if name in node.free:
                own = math.prod(int(d) for d in self.shapes[node])
                others = math.prod(
                    ranges[i][1] - ranges[i][0] for i in ranges if i in node.free and i != name
                )
                largest = max(largest, own * others)
        return max(1, min(last - first, MAX_ENTRIES // largest))

    def _slab_sum(self, body: Expr, name: str, ranges: _Ranges) -> Array:
        value = self.value(body, ranges)
        # nothing that depends on this slab is needed again
        self.memo = {key: known for key, known in self.memo.items() if name not in key[0].free}
        length = ranges[name][1] - ranges[name][0]
        if name not in value.lead:
            return np.asarray(value.array * length)
        return np.asarray(np.sum(value.array, axis=value.lead.index(name)))

    # Checks.

    def _check(self, node: Expr, made: _Value, ranges: _Ranges) -> None:
        """-inf may only come from a mask, and pass on; NaN and inf never."""
        array = made.array
        finite = np.isfinite(array)
        if finite.all():
            return
        inherited = node.op in ("mask", "causal_mask", "sum_over") or any(
            not np.isfinite(self.memo[self.key(arg, ranges)].array).all() for arg in node.args
        )
        only_minus = bool(np.isneginf(array[~finite]).all())
        if not (inherited and only_minus):
            count = int((~finite).sum())
            raise WeightError(
                f"{count} of {array.size} entries of {short_text(node)} are not finite (overflow, a zero "
                "divisor, a root or logarithm of what is not positive)",
                place=place_of(self.root, node),
                hint=_MASK_HINT if inherited else None,
            )

    def _check_mask(self, node: Expr, keep: Array) -> None:
        if not np.isin(keep, (0.0, 1.0)).all():
            raise WeightError(
                f"the mask {short_text(node.args[1])} must be 0 (masked) or 1 (attended) everywhere",
                place=place_of(self.root, node),
            )

    def _check_rows(self, node: Expr, scores: Array, lead: int) -> None:
        axis = lead + axis_of(node.attr("axis"), scores.shape[lead:])
        empty = np.argwhere(np.isneginf(scores).all(axis=axis))
        if len(empty):
            row = ", ".join(map(str, empty[0][lead:])) or "0"
            raise WeightError(
                f"softmax of row {row} has nothing to attend to: all of its scores are masked",
                place=place_of(self.root, node),
                hint=f"{len(empty)} such rows; let each row attend to itself at least",
            )


def _with_lead(value: _Value, lead: tuple[str, ...]) -> Array:
    """The array with a unit axis for each index of `lead` that it does not depend on."""
    sizes = dict(zip(value.lead, value.array.shape, strict=False))
    return value.array.reshape(
        tuple(sizes.get(name, 1) for name in lead) + value.array.shape[len(value.lead) :]
    )


def _getitem(node: Expr, value: _Value, ranges: _Ranges) -> _Value:
    items = node.attr("items")
    array, inner = value.array, len(value.lead)
    constant = [_constant_index(item) for item in items]
    array = array[(slice(None),) * inner + tuple(constant)]
    loops = [item for item in items if isinstance(item, Loop)]
    if not loops:
        return _Value(array, value.lead)
    # the axes that an index runs over go to the front, beside the leading axes, for one gather
    kept = [item for item in items if not isinstance(item, At)]
    axes = [inner + position for position, item in enumerate(kept) if isinstance(item, Loop)]
    array = np.moveaxis(array, axes, range(inner, inner + len(axes)))
    names = {*value.lead, *(loop.index for loop in loops)}
    lead = tuple(name for name in ranges if name in names)
    gather = [_along(np.arange(array.shape[k]), name, lead) for k, name in enumerate(value.lead)]
    gather += [_along(np.arange(*ranges[loop.index]) + loop.offset, loop.index, lead) for loop in loops]
    return _Value(array[tuple(gather)], lead)


def _constant_index(item: At | Slice | Loop) -> int | slice:
    if isinstance(item, At):
        return item.position
    return slice(item.start, item.stop) if isinstance(item, Slice) else slice(None)


def _along(
    positions: np.ndarray[tuple[int], np.dtype[np.int_]], name: str, lead: tuple[str, ...]
) -> np.ndarray[tuple[int, ...], np.dtype[np.int_]]:
    """Positions as an array along the axis of index `name`, with unit axes for the others."""
    return positions.reshape(tuple(len(positions) if name == other else 1 for other in lead))
