"""Shapes of all nodes, and the sizes that an expression names without giving them.

A size such as `d` in `softmax(Q @ K.T / sqrt(d)) @ V` needs no value: beside a product it is the size that
the product contracts, and in `range(n)` it is the length of what is indexed. `resolve_sizes` finds these
values and says why; `infer_shapes` uses them.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import prod

from qattn_compiler.errors import QattnError, ShapeError, raise_all
from qattn_compiler.expr import dims
from qattn_compiler.expr.dims import Dim, DimError, Shape
from qattn_compiler.expr.node import Expr, place_of, split_bound
from qattn_compiler.expr.ops import OPS, RESERVED, Loop
from qattn_compiler.expr.text import short_text

Sizes = Mapping[str, Dim]

_SCALE_OPS = frozenset({"number", "tensor", "add", "sub", "mul", "div", "neg", "pow", "sqrt"})
"""What `sqrt(d)`, `d**-0.5` and the like are made of."""
_DIMENSION = re.compile(r"d(im)?([_0-9]\w*)?|head_dim")
"""Names that mean a dimension without a root: `Q @ K.T / d`. A forgotten `alpha * (Q @ K.T)` is an error."""
MAX_ENTRIES = 1 << 28
"""Entries of any part of an expression, 2 GB as float64."""
MAX_STEPS = 1 << 26
"""Terms of a `sum(... for ...)`, with all sums inside it."""
_KEEPS_PRODUCT = frozenset({"add", "sub", "neg", "mul", "div", "mask", "causal_mask", "transpose", "getitem"})
"""Ops between a product and its scale: `(Q @ K.T + B) / sqrt(d)`."""


@dataclass(frozen=True)
class InferredSize:
    """The value of a size that nobody gave, and why it has it."""

    value: Dim
    reason: str


def infer_shapes(expr: Expr, shapes: Mapping[str, Shape], sizes: Sizes | None = None) -> dict[Expr, Shape]:
    """The shape of each node of `expr`; loop indices count as scalars.

    Args:
        shapes: of the named tensors; sizes of axes are numbers or names.
        sizes: values of scalar tensors that are whole numbers, for `range(n)` and `split_heads(X, h)`.

    Raises:
        ShapeError: shapes do not fit, a range leaves its tensor, a name has no value, a part has more than
            `MAX_ENTRIES` entries, sums have more than `MAX_STEPS` terms. All at once.
    """
    try:
        inferred = resolve_sizes(expr, shapes, sizes)
    except ShapeError as error:  # what does not depend on the missing names is reported with them
        raise_all([*error.errors, *_Table(expr, shapes, sizes or {}).errors])
        raise
    known = {**(sizes or {}), **{name: size.value for name, size in inferred.items()}}
    table = _Table(expr, {**shapes, **dict.fromkeys(inferred, ())}, known)
    raise_all(table.errors)
    raise_all(list(_too_large(expr, table)))
    return {node: shape for node, shape in table.found.items() if shape is not None}


def _too_large(expr: Expr, table: _Table) -> Iterator[QattnError]:
    """An error for each part that takes too much memory or time; nothing is allocated by then."""
    entries: dict[Expr, int] = {}
    terms: dict[Expr, int] = {}
    for node, shape in table.found.items():
        entries[node] = prod(dim for dim in shape or () if isinstance(dim, int))
        if entries[node] > MAX_ENTRIES and all(entries[arg] <= MAX_ENTRIES for arg in node.args):
            size = f"{_shown(entries[node])} entries, {_shown(entries[node] * 8)} bytes"
            yield ShapeError(
                f"{short_text(node)} is too large: {size}; at most {MAX_ENTRIES * 8 / 1e9:.3g} GB are taken",
                place=place_of(expr, node),
                hint="take fewer rows of its operands, such as Q[0:8]",
            )
        below = terms[node] = max((terms[arg] for arg in node.args), default=1)
        if node.op == "sum_over":
            terms[node] *= _length(node, table.sizes)
        if terms[node] > MAX_STEPS >= below:
            yield ShapeError(
                f"{short_text(node)} adds up {_shown(terms[node])} terms; at most {MAX_STEPS} are",
                place=place_of(expr, node),
            )


def _length(node: Expr, sizes: Sizes) -> int:
    """How many terms a sum over an index has; 1 if its bounds are not known."""
    first, last = (bound_value(bound, sizes) for bound in node.args[1:])
    return max(1, last - first) if isinstance(first, int) and isinstance(last, int) else 1


def _shown(count: int) -> str:
    """A number of any size, in short."""
    return f"{count:.3g}" if count < 10**300 else "far too many"


def resolve_sizes(
    expr: Expr, shapes: Mapping[str, Shape], sizes: Sizes | None = None
) -> dict[str, InferredSize]:
    """Values of the names of `expr` that `shapes` does not have, in the order of the text.

    Raises:
        ShapeError: a name that cannot be inferred, or has two different values. All at once.
    """
    reserved = [name for name in RESERVED if name in shapes]
    if reserved:
        raise ShapeError(
            f"{', '.join(reserved)} cannot name a tensor: the word has a meaning of its own",
            hint="rename the tensor in the weights and in the expression",
        )
    leaves = {node.name: node for node in expr.walk() if node.op == "tensor"}
    missing = {name: node for name, node in leaves.items() if name not in shapes}
    if not missing:
        return {}
    table = _Table(expr, {**shapes, **dict.fromkeys(missing, ())}, sizes or {})
    found: dict[str, list[InferredSize]] = {name: [] for name in missing}
    for name, size in _candidates(expr, table, found):
        found[name].append(size)
    given_dims = {dim for shape in shapes.values() for dim in shape}
    for name, candidates in found.items():
        if not candidates and name in given_dims:
            candidates.append(InferredSize(name, "a named size of a given shape"))
    errors = [_size_error(expr, missing[name], found[name], shapes) for name in missing]
    raise_all([error for error in errors if error is not None])
    return {name: candidates[0] for name, candidates in found.items()}


def bound_value(bound: Expr, sizes: Sizes) -> Dim:
    """The value of a range bound; a size without a value stays a name."""
    split = split_bound(bound)
    assert split is not None, "sum_over checks its bounds"
    name, shift = split
    if name is None:
        return shift
    value = sizes.get(name, name)
    if isinstance(value, str) and shift:
        return f"{value} {'+' if shift > 0 else '-'} {abs(shift)}"
    return value if isinstance(value, str) else value + shift


class _Table:
    """Shapes of all nodes, None where operands are in error; and the errors."""

    def __init__(self, root: Expr, shapes: Mapping[str, Shape], sizes: Sizes) -> None:
        self.root, self.shapes, self.sizes = root, shapes, sizes
        self.errors: list[QattnError] = []
        self.found: dict[Expr, Shape | None] = {}
        for node in root.walk():
            self.found[node] = self._shape(node)

    def _shape(self, node: Expr) -> Shape | None:
        if node.op == "tensor":
            return self.shapes.get(node.name)
        known = [shape for shape in (self.found[arg] for arg in node.args) if shape is not None]
        if len(known) < len(node.args):
            return None
        try:
            if node.op == "sum_over":
                return self._sum_over(node, known)
            rule = node.info.shape
            assert rule is not None, node.op
            return rule(dict(node.attrs), known, [self._as_size(arg) for arg in node.args])
        except DimError as error:
            self.errors.append(ShapeError(f"{short_text(node)}: {error}", place=place_of(self.root, node)))
            return None

    def _as_size(self, arg: Expr) -> Dim | None:
        if arg.op == "number":
            return arg.value if isinstance(arg.value, int) else None
        return self.sizes.get(arg.name, arg.name) if arg.op == "tensor" else None

    def _sum_over(self, node: Expr, shapes: list[Shape]) -> Shape:
        body, start, stop = node.args
        if shapes[2] != ():
            raise DimError(
                f"the bound {short_text(stop)} of a range must be a number, not shape {dims.show(shapes[2])}"
            )
        first, last = bound_value(start, self.sizes), bound_value(stop, self.sizes)
        name = node.attr("index")
        if isinstance(last, int) and isinstance(first, int) and last > first:
            for user, loop, dim in _loop_uses(body, name, self.found):
                self._check_range(user, loop, dim, first, last)
        return shapes[0]

    def _check_range(self, user: Expr, loop: Loop, dim: Dim, first: int, last: int) -> None:
        low, high = first + loop.offset, last - 1 + loop.offset
        if low < 0 or (isinstance(dim, int) and high >= dim):
            runs = f"{short_text(user)}: {loop.index} runs over range({first}, {last})"
            message = f"{runs}, and the axis has {dim} entries"
            self.errors.append(ShapeError(message, place=place_of(self.root, user)))


def _loop_uses(body: Expr, name: str, found: Mapping[Expr, Shape | None]) -> Iterator[tuple[Expr, Loop, Dim]]:
    """(node, item, size of the axis) for each axis that the index `name` runs over."""
    for node in body.walk():
        if node.op != "getitem" or name not in node.free:
            continue
        shape = found[node.args[0]]
        for position, item in enumerate(node.attr("items")):
            if isinstance(item, Loop) and item.index == name and shape is not None and position < len(shape):
                yield node, item, shape[position]


# Sizes that can be inferred.


def _candidates(
    expr: Expr, table: _Table, missing: Mapping[str, object]
) -> Iterator[tuple[str, InferredSize]]:
    users = _users(expr)
    for node in expr.walk():
        if node.op == "sum_over":
            yield from _range_candidates(node, table, missing)
        for scale, scaled in _scalings(node):
            name = _only_name(scale, missing)
            if name is None:
                continue
            products = _products_within(scaled) or _products_above(node, users)
            for product in products:
                dim = _contracted(product, table)
                if dim is not None:
                    yield name, InferredSize(dim, f"contracted dimension of {short_text(product)}")


def _users(expr: Expr) -> dict[Expr, list[Expr]]:
    users: dict[Expr, list[Expr]] = {}
    for node in expr.walk():
        for arg in node.args:
            users.setdefault(arg, []).append(node)
    return users


def _scalings(node: Expr) -> list[tuple[Expr, Expr]]:
    """(scale, what is scaled) readings of a node."""
    if node.op == "div":
        return [(node.args[1], node.args[0])]
    if node.op == "mul":
        return [(node.args[0], node.args[1]), (node.args[1], node.args[0])]
    return []


def _only_name(scale: Expr, missing: Mapping[str, object]) -> str | None:
    names: set[str] = set()
    for node in scale.walk():
        if node.op not in _SCALE_OPS:
            return None
        if node.op == "tensor":
            names.add(node.name)
        if len(names) > 1:
            return None
    if not names or not names <= missing.keys():
        return None
    (name,) = names
    return name if _DIMENSION.fullmatch(name) or _has_root(scale, name) else None


def _has_root(scale: Expr, name: str) -> bool:
    """sqrt(name), name**0.5 or name**-0.5 occurs: then the name is a dimension, whatever it is called."""
    for node in scale.walk():
        of_name = bool(node.args) and node.args[0].op == "tensor" and node.args[0].name == name
        if of_name and (node.op == "sqrt" or (node.op == "pow" and _is_half(node.args[1]))):
            return True
    return False


def _is_half(exponent: Expr) -> bool:
    """0.5, 1 / 2, -1 / 2, -(1 / 2) and the like."""
    if exponent.op == "neg":
        return _is_half(exponent.args[0])
    if exponent.op == "div" and all(arg.op == "number" for arg in exponent.args):
        return abs(2 * exponent.args[0].value) == abs(exponent.args[1].value)
    return exponent.op == "number" and abs(exponent.value) == 0.5


def _products_within(scaled: Expr) -> list[Expr]:
    return _reach(scaled, lambda node: node.args if node.op in _KEEPS_PRODUCT else ())


def _products_above(scaled: Expr, users: Mapping[Expr, list[Expr]]) -> list[Expr]:
    """Products whose operand is scaled beforehand: `(Q / sqrt(d)) @ K.T`."""
    return _reach(scaled, lambda node: users.get(node, ()) if node.op in _KEEPS_PRODUCT else ())


def _reach(start: Expr, neighbours: Callable[[Expr], Iterable[Expr]]) -> list[Expr]:
    products: list[Expr] = []
    seen: set[Expr] = set()
    stack = [start]
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        if node.op == "matmul":
            products.append(node)
        else:
            stack.extend(reversed(tuple(neighbours(node))))
    return products


def _contracted(product: Expr, table: _Table) -> Dim | None:
    left = table.found[product.args[0]]
    return left[-1] if left and table.found[product] is not None else None


def _range_candidates(
    node: Expr, table: _Table, missing: Mapping[str, object]
) -> Iterator[tuple[str, InferredSize]]:
    body, _, stop = node.args
    name, shift = split_bound(stop) or (None, 0)
    if name is None or name not in missing:
        return
    lengths: dict[int, dict[Dim, Expr]] = {}
    for user, loop, dim in _loop_uses(body, node.attr("index"), table.found):
        lengths.setdefault(loop.offset, {}).setdefault(dim, user)
    # x[i] and x[i + 1] together: the index must stay within both, so that the larger offset decides
    offset = max(lengths, default=0)
    for dim, user in lengths.get(offset, {}).items():
        value = dims.add(dim, -offset - shift) if isinstance(dim, int) or offset + shift == 0 else None
        if value is not None:
            yield name, InferredSize(value, f"range of {node.attr('index')} in {short_text(user)}")


def _size_error(
    expr: Expr, leaf: Expr, candidates: list[InferredSize], shapes: Mapping[str, Shape]
) -> ShapeError | None:
    place = place_of(expr, leaf)
    if not candidates:
        near = difflib.get_close_matches(leaf.name, shapes, 1)
        functions = difflib.get_close_matches(leaf.name, [op.name for op in OPS], 1, 0.9)
        hint = f"given: {', '.join(shapes) or 'nothing'}"
        hint += f"; did you mean {near[0]}?" if near else ""
        hint += f"; {functions[0]} is a function" if functions else ""
        hint += "; a size is inferred only beside a product, as in A @ B / sqrt(d), and in range(n)"
        return ShapeError(f"{leaf.name} has no value", place=place, hint=hint)
    different = {size.value: size for size in candidates}
    if len(different) == 1:
        return None
    listed = "; ".join(f"{size.value} ({size.reason})" for size in different.values())
    return ShapeError(
        f"{leaf.name} would have to be several sizes at once: {listed}",
        place=place,
        hint=f"give {leaf.name} a value, or use different names",
    )
