"""Nodes of the symbolic IR: frozen and interned, so that equal means identical.

Two nodes with the same op, args and attributes are one object; a fixpoint test is `is`, a common
subexpression is shared without a pass. The table of living nodes holds them weakly. Where a node stood in a
text is not part of it: `record_spans` keeps that beside the root of the parsed expression.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterator, Mapping
from keyword import iskeyword
from threading import RLock
from typing import Any, NoReturn
from weakref import WeakKeyDictionary, WeakValueDictionary

import numpy as np

from qattn_compiler.errors import ParseError
from qattn_compiler.expr.ops import BY_NAME, REQUIRED, RESERVED, At, Item, Loop, Op, Slice
from qattn_compiler.source import Span

MAX_LOOPS = 12
"""Nested sums; each is an axis in `evaluate`, and NumPy has 32 at most in its older versions."""

MAX_EXACT_INT = 2**53
"""Whole numbers beyond it are floats: float64 could not tell them apart anyway."""

_Key = tuple[str, tuple["Expr", ...], str]
_NODES: WeakValueDictionary[_Key, Expr] = WeakValueDictionary()
_LOCK = RLock()


class Expr:
    """One node. Build it with the functions of this module or with operators, never directly.

    Attributes:
        op: name in the op table (`expr/ops.py`).
        args: the operands.
        attrs: (name, value) pairs in the table's order.
        free: loop indices that the node uses and does not bind.
        loops: depth of nested sums within.
    """

    __slots__ = ("__weakref__", "args", "attrs", "free", "loops", "op")
    __array_ufunc__ = None  # a NumPy scalar on the left leaves the operator to us

    op: str
    args: tuple[Expr, ...]
    attrs: tuple[tuple[str, Any], ...]
    free: frozenset[str]
    loops: int

    def __init__(self) -> None:
        raise TypeError("build expressions with the functions of qattn_compiler.expr.node")

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"an expression never changes: {name}")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"an expression never changes: {name}")

    def __copy__(self) -> Expr:
        return self

    def __deepcopy__(self, _: object) -> Expr:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return make, (self.op, self.args, self.attrs)

    def attr(self, name: str) -> Any:
        """The value of one attribute."""
        return dict(self.attrs)[name]

    @property
    def name(self) -> str:
        """The name of a tensor or an index."""
        return str(self.attr("name"))

    @property
    def value(self) -> int | float:
        """The value of a number."""
        value: int | float = self.attr("value")
        return value

    @property
    def info(self) -> Op:
        """The row of the op table."""
        return BY_NAME[self.op]

    def walk(self) -> Iterator[Expr]:
        """Each node below and this one, once; operands first, left before right."""
        seen: set[Expr] = set()
        stack: list[tuple[Expr, bool]] = [(self, False)]
        while stack:
            node, ready = stack.pop()
            if ready:
                yield node
            elif node not in seen:
                seen.add(node)
                stack.append((node, True))
                stack.extend((arg, False) for arg in reversed(node.args))

    def tensors(self) -> tuple[str, ...]:
        """Names of all leaves that want a value, in the order of the text."""
        return tuple(node.name for node in self.walk() if node.op == "tensor")

    def __str__(self) -> str:
        from qattn_compiler.expr.text import MAX_TEXT, short_text  # text imports this module

        return short_text(self, MAX_TEXT)

    def __repr__(self) -> str:
        from qattn_compiler.expr.text import short_text

        return f"Expr({short_text(self)!r})"

    def to_text(self) -> str:
        """The canonical text; `parse` gives back this very object."""
        from qattn_compiler.expr.text import to_text

        return to_text(self)

    def __iter__(self) -> NoReturn:
        raise TypeError("an expression has no length to iterate over")

    def __bool__(self) -> NoReturn:
        raise TypeError("an expression is neither true nor false; compare with `is`")

    # Operators, so that Python code reads like the text.

    def __add__(self, other: Operand) -> Expr:
        return make("add", (self, as_expr(other)))

    def __radd__(self, other: Operand) -> Expr:
        return make("add", (as_expr(other), self))

    def __sub__(self, other: Operand) -> Expr:
        return make("sub", (self, as_expr(other)))

    def __rsub__(self, other: Operand) -> Expr:
        return make("sub", (as_expr(other), self))

    def __mul__(self, other: Operand) -> Expr:
        return make("mul", (self, as_expr(other)))

    def __rmul__(self, other: Operand) -> Expr:
        return make("mul", (as_expr(other), self))

    def __truediv__(self, other: Operand) -> Expr:
        return make("div", (self, as_expr(other)))

    def __rtruediv__(self, other: Operand) -> Expr:
        return make("div", (as_expr(other), self))

    def __pow__(self, other: Operand) -> Expr:
        return make("pow", (self, as_expr(other)))

    def __rpow__(self, other: Operand) -> Expr:
        return make("pow", (as_expr(other), self))

    def __matmul__(self, other: Expr) -> Expr:
        return make("matmul", (self, other))

    def __neg__(self) -> Expr:
        return make("neg", (self,))

    @property
    def T(self) -> Expr:
        """The last two axes swapped."""
        return make("transpose", (self,))

    def __getitem__(self, items: int | slice | Item | tuple[int | slice | Item, ...]) -> Expr:
        listed = items if isinstance(items, tuple) else (items,)
        return getitem(self, tuple(_as_item(item) for item in listed))


Operand = Expr | int | float


def make(
    op: str, args: tuple[Expr, ...] = (), attrs: Mapping[str, Any] | tuple[tuple[str, Any], ...] = ()
) -> Expr:
    """The one node with this op, these args and attributes (missing ones get their defaults).

    `neg` of a number is the negative number, for the text `-2` is one of them only.

    Raises:
        ParseError: unknown op, wrong number of args or attributes (a bug of the caller).
    """
    row = BY_NAME.get(op)
    if row is None:
        raise ParseError(f"there is no op {op!r}")
    fewest, most = row.arity
    if len(args) < fewest or (most is not None and len(args) > most):
        raise ParseError(f"{op} takes {_arity_text(fewest, most)}, not {len(args)}")
    if op == "neg" and args[0].op == "number":
        return number(-args[0].value)
    given = dict(attrs)
    full = tuple((name, given.pop(name, default)) for name, default in row.attrs)
    if given or any(value is REQUIRED for _, value in full):
        raise ParseError(
            f"{op} has the attributes {[name for name, _ in row.attrs]}, not {list(dict(attrs))}"
        )
    return _intern(op, args, full)


def _intern(op: str, args: tuple[Expr, ...], attrs: tuple[tuple[str, Any], ...]) -> Expr:
    key = (op, args, repr(attrs))  # repr tells 1, 1.0 and -0.0 apart, == does not
    with _LOCK:
        node = _NODES.get(key)
        if node is None:
            node = object.__new__(Expr)
            inner = max((arg.loops for arg in args), default=0)
            for name, value in (
                ("op", op),
                ("args", args),
                ("attrs", attrs),
                ("free", _free(op, args, attrs)),
                ("loops", inner + (op == "sum_over")),
            ):
                object.__setattr__(node, name, value)
            _NODES[key] = node
    return node


def _free(op: str, args: tuple[Expr, ...], attrs: tuple[tuple[str, Any], ...]) -> frozenset[str]:
    free = frozenset[str]().union(*(arg.free for arg in args))
    if op == "index":
        return frozenset({attrs[0][1]})
    if op == "getitem":
        return free | {item.index for item in attrs[0][1] if isinstance(item, Loop)}
    return free - {attrs[0][1]} if op == "sum_over" else free


def _arity_text(fewest: int, most: int | None) -> str:
    if most is None:
        return f"at least {fewest} argument{'s' * (fewest != 1)}"
    return f"{most} argument{'s' * (most != 1)}"


def as_expr(value: Operand) -> Expr:
    """An expression as it is, a number as a node."""
    return value if isinstance(value, Expr) else number(value)


def tensor(name: str) -> Expr:
    """A named array, scalar or size.

    Raises:
        ParseError: the name cannot stand in a text.
    """
    return make("tensor", (), {"name": _checked_name(name)})


def index(name: str) -> Expr:
    """The value of a loop index."""
    return make("index", (), {"name": _checked_name(name)})


def _checked_name(name: str) -> str:
    fits = name.isidentifier() and not iskeyword(name) and unicodedata.normalize("NFKC", name) == name
    if not fits or name in RESERVED or name.startswith("__"):
        raise ParseError(f"{name!r} cannot be a name in an expression", hint="use letters, digits and _")
    return name


def number(value: float) -> Expr:
    """A constant; NumPy scalars become Python's, whole numbers beyond 2**53 become floats.

    Raises:
        ParseError: not a finite real number.
    """
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise ParseError(f"a constant must be a real number, not {type(value).__name__}")
    if isinstance(value, (int, np.integer)) and abs(int(value)) <= MAX_EXACT_INT:
        return make("number", (), {"value": int(value)})
    try:
        value = float(value)
    except OverflowError:
        value = math.inf
    if not math.isfinite(value):
        raise ParseError("a constant must be finite and fit into a float")
    return make("number", (), {"value": value})


def call(op: str, *args: Operand, **attrs: Any) -> Expr:
    """A function: `call("softmax", x, axis=0)`."""
    return make(op, tuple(as_expr(arg) for arg in args), attrs)


def getitem(x: Expr, items: tuple[Item, ...]) -> Expr:
    """`x[items]`.

    Raises:
        ParseError: there are no items.
    """
    if not items:
        raise ParseError("an index needs at least one position")
    return make("getitem", (x,), {"items": items})


def _as_item(item: object) -> Item:
    if isinstance(item, (At, Slice, Loop)):
        return item
    if isinstance(item, slice) and item.step is None:
        return Slice(item.start, item.stop)
    if isinstance(item, (int, np.integer)) and not isinstance(item, bool):
        return At(int(item))
    raise TypeError(f"{item!r} cannot index an expression")


def sum_over(body: Expr, name: str, start: Operand, stop: Expr | int) -> Expr:
    """`sum(body for name in range(start, stop))`; stop is a number, a size, or a size plus or minus a number.

    Raises:
        ParseError: the bounds are something else, the index is already bound within the body or is also a
            tensor there, or the sums are nested too deep.
    """
    _checked_name(name)
    first, last = as_expr(start), as_expr(stop)
    if first.op != "number" or not isinstance(first.value, int) or first.value < 0:
        raise ParseError("the first bound of a range must be a whole number that is not negative")
    if split_bound(last) is None:
        raise ParseError("the last bound of a range must be a whole number, a size, or a size +- a number")
    for node in body.walk():
        if node.op == "sum_over" and node.attr("index") == name:
            raise ParseError(f"the index {name} is already in use by an inner sum", hint="rename one of them")
        if node.op == "tensor" and node.name == name:
            raise ParseError(f"{name} is a tensor and an index at once", hint="rename the index")
    if body.loops >= MAX_LOOPS:
        raise ParseError(f"more than {MAX_LOOPS} nested sums")
    return make("sum_over", (body, first, last), {"index": name})


def split_bound(bound: Expr) -> tuple[str | None, int] | None:
    """A range bound as (size name or None, constant): `n - 1` is ("n", -1); None if it is anything else."""
    if bound.op == "number":
        return (None, bound.value) if isinstance(bound.value, int) else None
    if bound.op == "tensor":
        return bound.name, 0
    if bound.op not in ("add", "sub"):
        return None
    left, right = bound.args
    if bound.op == "add" and left.op == "number":
        left, right = right, left
    if left.op != "tensor" or right.op != "number" or not isinstance(right.value, int):
        return None
    return left.name, right.value if bound.op == "add" else -right.value


# Places in a text, beside the nodes.

_SPANS: WeakKeyDictionary[Expr, Mapping[int, Span]] = WeakKeyDictionary()


def record_spans(root: Expr, spans: Mapping[Expr, Span]) -> None:
    """Remember where the nodes of `root` stood in the text it was parsed from; the latest text counts."""
    # keyed by id: a node as key would keep the root alive, while all nodes live at least as long as the root
    alive = {id(node) for node in root.walk()}
    _SPANS[root] = {id(node): span for node, span in spans.items() if id(node) in alive}


def span_of(root: Expr, node: Expr) -> Span | None:
    """Where `node` stood in the text of `root`."""
    return _SPANS.get(root, {}).get(id(node))


def place_of(root: Expr, node: Expr) -> str:
    """The place for an error: a caret under the node, or its own text."""
    span = span_of(root, node)
    if span is not None:
        return span.show()
    from qattn_compiler.expr.text import short_text  # text imports this module

    return f"in {short_text(node)}"
