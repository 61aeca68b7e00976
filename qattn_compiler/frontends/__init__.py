"""Front ends: whatever an expression is written in -> Expr."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.errors import ParseError
from qattn_compiler.expr.node import Expr
from qattn_compiler.frontends.from_text import parse

__all__ = ["parse", "read", "to_expr"]

Arrays = dict[str, NDArray[np.float64]]


def read(source: Any) -> tuple[Expr, Arrays]:
    """The expression that `source` stands for, and the weights that it brings along.

    Args:
        source: a text, a sympy object (explicit matrices become weights), an expression, or a pair of arrays:
            a matrix of weights and the values that it mixes.

    Raises:
        ParseError: it is none of these, or cannot be read.
        WeightError, ShapeError: the pair of arrays does not fit.
    """
    if isinstance(source, Expr):
        return source, {}
    if isinstance(source, str):
        return parse(source), {}
    from qattn_compiler.frontends.from_sympy import is_sympy, read_sympy

    if is_sympy(source):
        return read_sympy(source)
    if isinstance(source, (tuple, list)) and len(source) == 2:
        from qattn_compiler.frontends.from_numpy import from_arrays

        return from_arrays(*source)
    raise ParseError(
        f"an expression is a str, a sympy object, an Expr or a pair of arrays, not {type(source).__name__}"
    )


def to_expr(source: Any) -> Expr:
    """The expression that `source` stands for; it must not bring weights along (see `read`).

    Raises:
        ParseError: it is no expression, cannot be read, or has explicit matrices in it.
    """
    expr, arrays = read(source)
    if arrays:
        raise ParseError("this source brings weights along, not only an expression", hint="use `read`")
    return expr
