"""Layers: weighted sums that share weights and values, as rows of weights times one matrix."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from qattn_compiler.errors import LoweringError
from qattn_compiler.lower.batch import Floats, Ints, Terms


@dataclass(frozen=True, eq=False)
class Layer:
    """output[position[r]] = matrix[column[r]] . rows[row[r]] + offset[position[r]].

    Attributes:
        rows: shape (rows, n): weights.
        matrix: shape (columns, n): values.
        row: shape (outputs,).
        column: shape (outputs,).
        position: shape (outputs,): index into the list of chosen outputs.
    """

    rows: Floats
    matrix: Floats
    row: Ints
    column: Ints
    position: Ints

    @property
    def norms(self) -> Floats:
        """Euclidean norms of the rows, shape (rows,).

        Raises:
            LoweringError: one overflows.
        """
        largest = np.abs(self.rows).max(axis=1, initial=0.0)
        safe = np.where(largest > 0, largest, 1.0)
        with np.errstate(over="ignore"):
            norms: Floats = largest * np.linalg.norm(self.rows / safe[:, None], axis=1)
        return norms

    @property
    def directions(self) -> Floats:
        """The rows over their norms; the first unit vector for a row of zeros."""
        largest = np.abs(self.rows).max(axis=1, initial=0.0)
        scaled = self.rows / np.where(largest > 0, largest, 1.0)[:, None]
        scaled[largest == 0, 0] = 1.0
        out: Floats = scaled / np.linalg.norm(scaled, axis=1, keepdims=True)
        return out


def layers(terms: Terms, *, full: bool) -> list[Layer]:
    """The outputs cut into layers that share neither weights nor values, in the order of their first output.

    Args:
        terms: the weighted sums.
        full: keep terms whose weight is 0 in all rows, so that the layers do not depend on the weights.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    like = terms if terms.like is None else terms.like
    rows, row = _distinct(terms.weights, like.weights)
    columns, column = _distinct(terms.values, like.values)
    size = len(rows) + len(columns)
    edges = coo_array((np.ones(len(row)), (row, len(rows) + column)), shape=(size, size))
    _, group = connected_components(edges, directed=False)
    out = []
    for label in dict.fromkeys(group[row].tolist()):
        position = np.flatnonzero(group[row] == label)
        own_rows, own_row = np.unique(row[position], return_inverse=True)
        own_columns, own_column = np.unique(column[position], return_inverse=True)
        layer = Layer(rows[own_rows], columns[own_columns], own_row, own_column, position)
        out.append(layer if full else _trimmed(layer))
    return out


def _distinct(vectors: Floats, like: Floats) -> tuple[Floats, Ints]:
    """Vectors in the order in which they come first, one for all that are equal in `like`, and which of them
    each is."""
    if vectors.shape[1] == 0:
        vectors = like = np.zeros((len(vectors), 1))
    _, first, place = np.unique(like, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return vectors[first[order]], rank[place.reshape(-1)]


def _trimmed(layer: Layer) -> Layer:
    used = (layer.rows != 0).any(axis=0)
    used[0] |= not used.any()
    return replace(layer, rows=layer.rows[:, used], matrix=layer.matrix[:, used])


def singular_values(layer: Layer) -> tuple[float, Floats, Floats, Floats]:
    """The largest singular value of a layer's matrix, and U, s, V^T of the matrix over it, s descending.

    A matrix of zeros is taken for one with entry 1 at its start, with largest singular value 0.

    Raises:
        LoweringError: it overflows.
    """
    top = np.abs(layer.matrix).max(initial=0.0)
    if not np.isfinite(top):
        raise LoweringError("a value of an output overflows", hint="rescale the weights or the values")
    scaled = layer.matrix / top if top > 0 else np.eye(*layer.matrix.shape)
    left, values, right = np.linalg.svd(scaled, full_matrices=False)
    with np.errstate(over="ignore"):
        largest = float(top * values[0])
    return largest, left, np.minimum(values / values[0], 1.0), right


def scales(norms: Floats, largest: float) -> Floats:
    """The products of the rows' norms with the largest singular value.

    Raises:
        LoweringError: one overflows.
    """
    with np.errstate(over="ignore"):
        out: Floats = norms * largest
    if not np.isfinite(out).all():
        raise LoweringError(
            "the scale ||w|| sigma_max of an output overflows", hint="rescale the weights or the values"
        )
    return out
