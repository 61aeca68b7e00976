"""Rewriting bottom-up over the graph: each node once, and the very same object when nothing changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from qattn_compiler.errors import PassError
from qattn_compiler.expr.node import Expr, Operand, as_expr, make, number

Rule = Callable[[Expr], Expr]
"""Node -> what to put in its place (the same node: nothing to do). Its operands are rewritten already."""

MAX_ROUNDS = 100
"""Rules that still change something after so many rounds undo each other."""


def rewrite(expr: Expr, rule: Rule) -> Expr:
    """`expr` with `rule` applied to every node, operands first."""
    done: dict[Expr, Expr] = {}
    for node in expr.walk():
        done[node] = rule(with_args(node, tuple(done[arg] for arg in node.args)))
    return done[expr]


def fixpoint(expr: Expr, rule: Rule) -> Expr:
    """`rewrite` until nothing changes.

    Raises:
        PassError: that never happens (a bug of the rule).
    """
    for _ in range(MAX_ROUNDS):
        after = rewrite(expr, rule)
        if after is expr:
            return expr
        expr = after
    raise PassError(f"rules on {expr!r} did not settle in {MAX_ROUNDS} rounds", hint="please report this")


def with_args(node: Expr, args: tuple[Expr, ...]) -> Expr:
    """The node with other operands; the node itself when they are the same."""
    if all(new is old for new, old in zip(args, node.args, strict=True)):
        return node
    return make(node.op, args, node.attrs)


def substitute(expr: Expr, values: Mapping[str, Operand]) -> Expr:
    """`expr` with named tensors replaced, for example sizes by numbers: `{"d": 4}`.

    Replacements must not contain free loop indices. Constants in range bounds are added up, so that
    `range(n - 1)` stays a range.
    """

    def rule(node: Expr) -> Expr:
        if node.op == "tensor" and node.name in values:
            return as_expr(values[node.name])
        if node.op == "sum_over":
            return with_args(node, (node.args[0], node.args[1], _added(node.args[2])))
        return node

    return rewrite(expr, rule)


def _added(bound: Expr) -> Expr:
    if bound.op not in ("add", "sub") or any(arg.op != "number" for arg in bound.args):
        return bound
    a, b = (arg.value for arg in bound.args)
    return number(a + b if bound.op == "add" else a - b)
