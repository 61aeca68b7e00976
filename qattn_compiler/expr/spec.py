"""What an expression may contain at each stage, as a table.

`parsed` is what the front ends give; `folded` is what the symbolic passes give.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from qattn_compiler.errors import PassError, QattnError, raise_all
from qattn_compiler.expr.node import MAX_LOOPS, Expr, place_of, split_bound
from qattn_compiler.expr.ops import BY_NAME

Rule = Callable[[Expr], str | None]
"""Node -> what is wrong with it, or None."""


def _known_op(node: Expr) -> str | None:
    return None if node.op in BY_NAME else f"there is no op {node.op}"


def _named(node: Expr) -> str | None:
    return "a part in error is left over" if node.op == "tensor" and not node.name.isidentifier() else None


def _bounds(node: Expr) -> str | None:
    if node.op != "sum_over" or all(split_bound(bound) is not None for bound in node.args[1:]):
        return None
    return "the bounds of a sum must be numbers, sizes, or a size and a number"


def _loops(node: Expr) -> str | None:
    return f"more than {MAX_LOOPS} nested sums" if node.loops > MAX_LOOPS else None


def _unfolded(node: Expr) -> str | None:
    if not node.info.elementwise or not all(arg.op == "number" for arg in node.args):
        return None
    assert node.info.meaning is not None
    with np.errstate(all="ignore"):
        value = node.info.meaning({}, 0, *(np.asarray(arg.value, dtype=np.float64) for arg in node.args))
    return "a constant is not folded" if np.isfinite(value) else None


def _twice(node: Expr) -> str | None:
    same = node.op in ("neg", "transpose") and node.args[0].op == node.op
    return f"{node.op} is applied twice" if same else None


STAGES: Mapping[str, tuple[Rule, ...]] = {
    "parsed": (_known_op, _named, _bounds, _loops),
    "folded": (_known_op, _named, _bounds, _loops, _unfolded, _twice),
}


def check(expr: Expr, stage: str) -> None:
    """Compare `expr` with what may exist at `stage`.

    Raises:
        PassError: it has something else, or the stage is unknown. All at once.
    """
    if stage not in STAGES:
        raise PassError(f"there is no stage {stage!r}", hint=f"stages: {', '.join(STAGES)}")
    errors: list[QattnError] = []
    if expr.free:
        names = ", ".join(sorted(expr.free))
        errors.append(PassError(f"no sum binds the index {names}", place=place_of(expr, expr)))
    for node in expr.walk():
        for rule in STAGES[stage]:
            message = rule(node)
            if message is not None:
                errors.append(PassError(f"{message} ({stage})", place=place_of(expr, node)))
    raise_all(errors)
