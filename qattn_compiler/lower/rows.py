"""Rows: weighted sums sorted by how many terms they have, each filled up to a power of two with zeros."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.errors import LoweringError
from qattn_compiler.lower.batch import Floats, Ints, Terms


@dataclass(frozen=True, eq=False)
class Rows:
    """Outputs whose terms fit the same address.

    Attributes:
        width: of the address, qubits.
        outputs: shape (rows,): which outputs.
        weights: shape (rows, 2^width).
        values: shape (rows, 2^width).
    """

    width: int
    outputs: Ints
    weights: Floats
    values: Floats


def by_width(
    terms: Terms, present: NDArray[np.bool_], *, encoding: str, least: int = 0, most: int
) -> Iterator[Rows]:
    """The outputs by address width, narrow ones first.

    Args:
        terms: the weighted sums.
        present: shape (outputs, n): which terms count; the others are left out.
        encoding: its name, for the error.
        least: the narrowest address.
        most: the widest.

    Raises:
        LoweringError: a row has more terms than the widest address holds.
    """
    count = np.maximum(present.sum(axis=1), 1)
    widths = np.maximum(np.ceil(np.log2(count)).astype(int), least)
    if widths.max(initial=0) > most:
        raise LoweringError(
            f"a row has {count.max()} terms; the {encoding} encoding takes at most {2**most}",
            hint="mask or prune the row, or split the sum",
        )
    for width in np.unique(widths).tolist():
        outputs = np.flatnonzero(widths == width)
        # Terms that are there come first, in their order; the first columns then hold them all.
        order = np.argsort(~present[outputs], axis=1, kind="stable")[:, : 2**width]
        there = np.take_along_axis(present[outputs], order, axis=1)
        padding = ((0, 0), (0, 2**width - order.shape[1]))
        weights, values = (
            np.pad(np.where(there, np.take_along_axis(array[outputs], order, axis=1), 0.0), padding)
            for array in (terms.weights, terms.values)
        )
        yield Rows(width, outputs, weights, values)


def directions(vectors: Floats) -> tuple[Floats, Floats, Floats]:
    """Largest entries and Euclidean norms over them, shape (rows,) each, and unit vectors.

    The two factors of the norm are kept apart, since it may overflow or be too small for all its digits. A
    vector of zeros gives 0, 1 and the first unit vector.
    """
    largest = np.abs(vectors).max(axis=1)
    scaled = vectors / np.where(largest > 0, largest, 1.0)[:, None]
    scaled[largest == 0, 0] = 1.0
    lengths: Floats = np.linalg.norm(scaled, axis=1)
    return largest, lengths, scaled / lengths[:, None]


def finite(scale: Floats, name: str) -> Floats:
    """The scales.

    Raises:
        LoweringError: one overflows.
    """
    if not np.isfinite(scale).all():
        raise LoweringError(
            f"the scale {name} of an output overflows", hint="rescale the weights or the values"
        )
    return scale
