"""Arrays -> Expr: an attention matrix and the values it mixes, given as they are."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qattn_compiler.errors import QattnError, ShapeError, WeightError, raise_all
from qattn_compiler.expr.evaluate import real_array
from qattn_compiler.expr.node import Expr, tensor


def from_arrays(
    weights: ArrayLike, values: ArrayLike, names: tuple[str, str] = ("W", "V")
) -> tuple[Expr, dict[str, NDArray[np.float64]]]:
    """The expression `W @ V` and its arrays.

    Args:
        weights: (n, m) or (m,): row i says how much of each value goes into output i.
        values: (m, d) or (m,).
        names: what the two are called in the expression.

    Raises:
        WeightError: not real, not finite or empty. Both at once.
        ShapeError: the shapes do not fit.
    """
    errors: list[QattnError] = []
    arrays: dict[str, NDArray[np.float64]] = {}
    for name, value in zip(names, (weights, values), strict=True):
        try:
            arrays[name] = _matrix(name, value)
        except (WeightError, ShapeError) as error:
            errors.append(error)
    raise_all(errors)
    a, b = (arrays[name] for name in names)
    if a.shape[-1] != b.shape[0]:
        raise ShapeError(
            f"{names[0]} has shape {a.shape} and {names[1]} has shape {b.shape}: "
            f"{a.shape[-1]} weights for {b.shape[0]} values"
        )
    return tensor(names[0]) @ tensor(names[1]), arrays


def _matrix(name: str, value: ArrayLike) -> NDArray[np.float64]:
    array = real_array(name, value)
    if array.ndim not in (1, 2):
        raise ShapeError(f"{name} must be a vector or a matrix, not of shape {array.shape}")
    if array.size == 0:
        raise WeightError(f"{name} is empty: its shape is {array.shape}")
    return array
