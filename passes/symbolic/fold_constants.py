"""Fold constants: `2 * pi / 4` becomes one number.

What would not be finite (`1 / 0`, `9**9**9`) stays as it is, for `evaluate` to report with its place. Whole
numbers stay whole where the result is exact.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qattn_compiler.expr.node import MAX_EXACT_INT, Expr, number
from qattn_compiler.expr.rewrite import rewrite


def _int_power(base: int, exponent: int) -> int | None:
    if exponent < 0:
        return None
    # the size is judged before the power is computed: 9**9**9 has 370 million digits
    if abs(base) > 1 and exponent * math.log2(abs(base)) > 53:
        return None
    return int(base**exponent)


_EXACT: Mapping[str, Callable[..., int | None]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "pow": _int_power,
    "abs": abs,
    "relu": lambda a: max(a, 0),
    "maximum": max,
    "minimum": min,
}


def folded(node: Expr) -> Expr:
    """One node: its value if all operands are numbers and the value is finite, else the node."""
    if node.op == "sum_over":
        return _folded_sum(node)
    if not node.args or any(arg.op != "number" for arg in node.args):
        return node
    if node.op == "transpose" or (node.op == "sum" and node.attr("axis") is None):
        return node.args[0]  # a scalar is its own transpose and its own sum
    if not node.info.elementwise or node.info.meaning is None:
        return node
    values = [arg.value for arg in node.args]
    if node.op in _EXACT and all(isinstance(value, int) for value in values):
        exact = _EXACT[node.op](*values)
        if exact is not None and abs(exact) <= MAX_EXACT_INT:
            return number(exact)
    with np.errstate(all="ignore"):
        value = float(node.info.meaning({}, 0, *(np.asarray(v, dtype=np.float64) for v in values)))
    return number(value) if math.isfinite(value) else node


def _folded_sum(node: Expr) -> Expr:
    if any(arg.op != "number" for arg in node.args):
        return node
    body, start, stop = (arg.value for arg in node.args)
    value = max(0, int(stop) - int(start)) * body
    return number(value) if math.isfinite(value) else node


@dataclass(frozen=True)
class FoldConstants:
    """Replace operations on numbers alone by their value (module docstring).

    Needs: nothing. Keeps: meaning to the last bit of float64, shapes, tensors and sizes.
    """

    name: ClassVar[str] = "fold-constants"

    def run(self, expr: Expr, /) -> Expr:
        """The expression with no foldable constant left."""
        return rewrite(expr, folded)
