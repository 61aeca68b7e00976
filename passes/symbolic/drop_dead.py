"""Drop what does nothing: x + 0, x * 1, x**1, -(-x), x.T.T, x[:], concat of one, relu of relu, and the like.

Only rules under which the shape cannot change: `0 * x` stays, for its shape is that of x.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from qattn_compiler.expr.node import Expr
from qattn_compiler.expr.ops import Slice
from qattn_compiler.expr.rewrite import fixpoint

_IDEMPOTENT = frozenset({"relu", "abs"})


def _is(node: Expr, value: int) -> bool:
    return node.op == "number" and node.value == value


def _add(node: Expr) -> Expr:  # x + 0 / 0 + x -> x
    a, b = node.args
    if _is(b, 0):
        return a
    return b if _is(a, 0) else node


def _sub(node: Expr) -> Expr:  # x - 0 -> x / 0 - x -> -x
    a, b = node.args
    if _is(b, 0):
        return a
    return -b if _is(a, 0) else node


def _mul(node: Expr) -> Expr:  # x * 1 / 1 * x -> x
    a, b = node.args
    if _is(b, 1):
        return a
    return b if _is(a, 1) else node


def _by_one(node: Expr) -> Expr:  # x / 1 / x ** 1 -> x
    return node.args[0] if _is(node.args[1], 1) else node


def _undone(node: Expr) -> Expr:  # -(-x) / x.T.T -> x
    inner = node.args[0]
    return inner.args[0] if inner.op == node.op else node


def _whole(node: Expr) -> Expr:  # x[:, :] -> x
    return node.args[0] if all(item == Slice() for item in node.attr("items")) else node


def _alone(node: Expr) -> Expr:  # concat(x) -> x
    return node.args[0] if len(node.args) == 1 else node


def _rejoined(node: Expr) -> Expr:  # concat_heads(split_heads(x, h)) -> x
    inner = node.args[0]
    return inner.args[0] if inner.op == "split_heads" else node


def _equal_pair(node: Expr) -> Expr:  # maximum(x, x) -> x
    return node.args[0] if node.args[0] is node.args[1] else node


def _again(node: Expr) -> Expr:  # relu(relu(x)) -> relu(x)
    return node.args[0] if node.args[0].op == node.op else node


RULES: Mapping[str, Callable[[Expr], Expr]] = {
    "add": _add,
    "sub": _sub,
    "mul": _mul,
    "div": _by_one,
    "pow": _by_one,
    "neg": _undone,
    "transpose": _undone,
    "getitem": _whole,
    "concat": _alone,
    "concat_heads": _rejoined,
    "maximum": _equal_pair,
    "minimum": _equal_pair,
    **dict.fromkeys(_IDEMPOTENT, _again),
}


def _dropped(node: Expr) -> Expr:
    rule = RULES.get(node.op)
    return node if rule is None else rule(node)


@dataclass(frozen=True)
class DropDead:
    """Drop operations that change nothing (module docstring).

    Needs: an expression whose shapes have been checked, for a dropped node is not checked any more.
    Keeps: meaning to the last bit (up to the sign of a zero), shapes.
    """

    name: ClassVar[str] = "drop-dead"

    def run(self, expr: Expr, /) -> Expr:
        """The expression without operations that do nothing."""
        return fixpoint(expr, _dropped)
