"""Gather constant factors: `(2*x)*3` becomes `6*x`, `x/2` becomes `0.5*x`, `(2*A) @ (3*B)` is `6*(A @ B)`.

A circuit carries one scale in its read-out for free, while a scale on weights costs a rescaled state. Factors
move outward through what is linear (products, quotients, transposes, sums, indexing, heads); a factor before
a mask moves into it when it is positive, for masked scores are -inf.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from qattn_compiler.expr.node import Expr, make, number
from qattn_compiler.expr.rewrite import fixpoint, with_args

SAFE = 1e100
"""Factors beyond it, or below its inverse, stay where they are: moving them could overflow."""

_LINEAR = frozenset({"transpose", "sum", "getitem", "sum_over", "split_heads", "concat_heads"})
"""Linear in the first operand."""


def _split(node: Expr) -> tuple[float, Expr]:
    """The node as (factor, rest); the factor is 1 if there is none to move."""
    if node.op == "neg":
        return -1, node.args[0]
    if node.op in ("mul", "div"):
        left, right = node.args
        if node.op == "mul" and left.op == "number" and right.op != "number" and _safe(left.value):
            return left.value, right
        if right.op == "number" and left.op != "number" and _safe(right.value):
            return (right.value if node.op == "mul" else 1 / right.value), left
    return 1, node


def _safe(factor: float) -> bool:
    return 1 / SAFE < abs(factor) < SAFE


def _scaled(factor: float, rest: Expr, otherwise: Expr) -> Expr:
    """`factor * rest` in its one form, or `otherwise` if the factor is out of bounds."""
    if not _safe(factor) or not math.isfinite(factor):
        return otherwise
    if factor == 1:
        return rest
    if factor == -1:
        return -rest
    if rest.op in ("mask", "causal_mask") and factor > 0:
        return with_args(rest, (_scaled(factor, rest.args[0], number(factor) * rest.args[0]), *rest.args[1:]))
    return number(factor) * rest


def _product(node: Expr) -> Expr:
    a, b = node.args
    (ca, core_a), (cb, core_b) = _split(a), _split(b)
    if a.op == "number":
        return _scaled(a.value * cb, core_b, node) if _safe(a.value) else node
    if b.op == "number":
        return _scaled(ca * b.value, core_a, node) if _safe(b.value) else node
    return node if ca == cb == 1 else _scaled(ca * cb, make(node.op, (core_a, core_b)), node)


def _quotient(node: Expr) -> Expr:
    a, b = node.args
    (ca, core_a), (cb, core_b) = _split(a), _split(b)
    if b.op == "number":
        return _scaled(ca / b.value, core_a, node) if _safe(b.value) else node
    if a.op == "number":
        quotient = a.value / cb
        return node if cb == 1 or not _safe(quotient) else make("div", (number(quotient), core_b))
    return node if ca == cb == 1 else _scaled(ca / cb, make("div", (core_a, core_b)), node)


def _fused(node: Expr) -> Expr:
    if node.args and all(arg.op == "number" for arg in node.args):
        return node  # fold-constants does these
    if node.op in ("mul", "matmul"):
        return _product(node)
    if node.op == "div":
        return _quotient(node)
    if node.op == "neg":
        factor, core = _split(node.args[0])
        return node if factor == 1 else _scaled(-factor, core, node)
    if node.op in _LINEAR:
        factor, core = _split(node.args[0])
        return node if factor == 1 else _scaled(factor, with_args(node, (core, *node.args[1:])), node)
    return node


@dataclass(frozen=True)
class FuseScales:
    """Gather constant factors into one, as far outward as linearity carries them (module docstring).

    Needs: nothing; after fold-constants and drop-dead it finds more. Keeps: shapes, and meaning up to
    rounding (a few units in the last place for each factor that moves).
    """

    name: ClassVar[str] = "fuse-scales"

    def run(self, expr: Expr, /) -> Expr:
        """The expression with its constant factors gathered."""
        return fixpoint(expr, _fused)
