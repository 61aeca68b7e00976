"""Make equal parts identical where the order of writing keeps them apart.

Nodes are interned, so that a part written twice in the same way is one object without any pass. What is left
to do here is little: `a * b` and `b * a` (also +, maximum, minimum) become the one that comes first, and
`A[i][j]` becomes `A[i, j]`. Sums are not reassociated: that would change rounding.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from qattn_compiler.expr.node import Expr, getitem
from qattn_compiler.expr.ops import Slice
from qattn_compiler.expr.rewrite import rewrite


def _one_index(node: Expr) -> Expr:
    """`A[i][j]` as `A[i, j]`, if the first index keeps none of its axes."""
    if node.op != "getitem" or node.args[0].op != "getitem":
        return node
    inner = node.args[0]
    if any(isinstance(item, Slice) for item in inner.attr("items")):
        return node
    return getitem(inner.args[0], (*inner.attr("items"), *node.attr("items")))


@dataclass(frozen=True)
class Share:
    """Let parts that differ in the order of operands only become one node (module docstring).

    Needs: nothing. Keeps: meaning to the last bit, shapes.
    """

    name: ClassVar[str] = "share"

    def run(self, expr: Expr, /) -> Expr:
        """The expression, with no two nodes that are mirror images."""
        first: dict[tuple[str, frozenset[Expr]], Expr] = {}

        def rule(node: Expr) -> Expr:
            if node.info.commutative:
                return first.setdefault((node.op, frozenset(node.args)), node)
            return _one_index(node)

        return rewrite(expr, rule)
