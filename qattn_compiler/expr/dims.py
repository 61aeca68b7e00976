"""Sizes of axes: a number, or the name of a size that is not known yet.

Arithmetic on named sizes only writes the formula down (`"h*d"`): it is compared by its text. sympy would
compare better but costs half a second to import, and every expression with weights has plain numbers.
"""

from __future__ import annotations

from collections.abc import Sequence

Dim = int | str
Shape = tuple[Dim, ...]


class DimError(ValueError):
    """Sizes do not fit; `expr.shapes` turns it into a `ShapeError` with a place."""


def show(shape: Shape) -> str:
    """`(4, n)`, as a user writes it."""
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"


def broadcast(*shapes: Shape) -> Shape:
    """NumPy's broadcasting; 1 stretches, a named size fits only itself.

    Raises:
        DimError: two sizes differ and neither is 1.
    """
    rank = max(map(len, shapes), default=0)
    padded = [(1,) * (rank - len(s)) + s for s in shapes]
    return tuple(_stretch(column, shapes) for column in zip(*padded, strict=True))


def _stretch(column: Sequence[Dim], shapes: Sequence[Shape]) -> Dim:
    distinct = list(dict.fromkeys(dim for dim in column if dim != 1))
    if len(distinct) > 1:
        raise DimError(f"shapes {' and '.join(map(show, shapes))} do not broadcast together")
    return distinct[0] if distinct else 1


def multiply(a: Dim, b: Dim) -> Dim:
    """a * b."""
    if isinstance(a, int) and isinstance(b, int):
        return a * b
    if a == 1:
        return b
    return a if b == 1 else f"{_factor(a)}*{_factor(b)}"


def divide(a: Dim, b: Dim) -> Dim:
    """a / b, which must be a whole number.

    Raises:
        DimError: b does not divide a.
    """
    if isinstance(a, int) and isinstance(b, int):
        if b <= 0 or a % b:
            raise DimError(f"size {a} cannot be split into {b} equal parts")
        return a // b
    if a == b:
        return 1
    return a if b == 1 else f"{_factor(a)}/{_factor(b)}"


def add(*dims: Dim) -> Dim:
    """The sum of sizes: numbers are added, names are written down."""
    numbers = sum(d for d in dims if isinstance(d, int))
    names = [d for d in dims if isinstance(d, str)]
    if not names:
        return numbers
    return " + ".join([*names, *([str(numbers)] if numbers else [])])


def _factor(dim: Dim) -> str:
    return str(dim) if isinstance(dim, int) or dim.isidentifier() else f"({dim})"
