"""Front ends: whatever an expression is written in -> Expr."""

from __future__ import annotations

from typing import Any

from qattn_compiler.errors import ParseError
from qattn_compiler.expr.node import Expr
from qattn_compiler.frontends.from_text import parse

__all__ = ["parse", "to_expr"]


def to_expr(source: Any) -> Expr:
    """The expression that `source` stands for: a text, a sympy object, or an expression already.

    Raises:
        ParseError: it is none of these, or cannot be read.
    """
    if isinstance(source, Expr):
        return source
    if isinstance(source, str):
        return parse(source)
    from qattn_compiler.frontends.from_sympy import from_sympy, is_sympy

    if is_sympy(source):
        return from_sympy(source)
    raise ParseError(
        f"an expression is a str, a sympy object or an Expr, not {type(source).__name__}",
        hint="for arrays: expr, values = qattn_compiler.frontends.from_numpy.from_arrays(weights, values)",
    )
