"""Where a machine's qubits are drawn: on their own grid, on a line, on a circle, or by their couplings."""

from __future__ import annotations

from collections.abc import Hashable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.device import Device

Floats = NDArray[np.float64]

ROUNDS = 300
"""Steps of the layout by couplings; a lattice of a hundred qubits stands still after about two hundred."""

PAIRS = 8_000_000
"""Pairs of qubits that all steps together may look at: about a second. Large machines get fewer steps."""

LONGEST_LINE = 16
"""Qubits of a chain that are drawn in one row; a longer one goes back and forth."""


@lru_cache(maxsize=16)
def places(device: Device) -> Floats:
    """Shape (qubits, 2): x to the right and y downwards of each qubit; neighbours are about 1 apart.

    Qubits that say where they are (row and col, or x and y) are drawn there.
    """
    where = _places(device)
    where.setflags(write=False)
    return where


def _places(device: Device) -> Floats:
    if device.num_qubits < 2:
        return np.zeros((device.num_qubits, 2))
    own = _own_places(device.qubits)
    if own is not None:
        return own if _spread(own) >= 1 else own / _spread(own)
    degrees = np.bincount(device.edges.ravel(), minlength=device.num_qubits)
    if _is_chain(device, degrees):
        return _back_and_forth(device, degrees)
    if (degrees == device.num_qubits - 1).all() or (degrees == 0).all():
        return _circle(device.num_qubits)
    return _by_couplings(device)


def _own_places(qubits: tuple[Hashable, ...]) -> Floats | None:
    for down, right in (("row", "col"), ("y", "x")):
        found = [(getattr(q, right, None), getattr(q, down, None)) for q in qubits]
        if all(isinstance(v, (int, float)) for pair in found for v in pair):
            out: Floats = np.array(found, dtype=np.float64)
            out -= out.min(axis=0)
            return out if len(np.unique(out, axis=0)) == len(qubits) else None
    return None


def _spread(where: Floats) -> float:
    """The smallest distance of two points."""
    from scipy.spatial import cKDTree

    return float(cKDTree(where).query(where, k=2)[0][:, 1].min())


def _is_chain(device: Device, degrees: NDArray[np.int64]) -> bool:
    hops = device.distance.max()
    return len(device.edges) == device.num_qubits - 1 == hops and int(degrees.max()) <= 2


def _back_and_forth(device: Device, degrees: NDArray[np.int64]) -> Floats:
    """A chain in rows, every other one from right to left."""
    along = device.distance[int(np.flatnonzero(degrees == 1)[0])]
    size = device.num_qubits
    width = size if size <= LONGEST_LINE else max(LONGEST_LINE, round(np.sqrt(2 * size)))
    row, column = np.divmod(along, width)
    return np.stack([np.where(row % 2 == 0, column, width - 1 - column), row], axis=1).astype(np.float64)


def _circle(size: int) -> Floats:
    turn = 2 * np.pi * np.arange(size) / size - np.pi / 2
    radius = 0.5 / np.sin(np.pi / size)
    where: Floats = radius * (np.stack([np.cos(turn), np.sin(turn)], axis=1) + 1)
    return where


def _by_couplings(device: Device) -> Floats:
    """Distances on the page as near to the numbers of hops as can be.

    Classical scaling to start with, then majorisation of the stress with weights hops^-2: Gansner, Koren,
    North, Graph Drawing 2004, eqs. 1 and 8 (the energy of Kamada and Kawai). Deterministic.
    """
    size = device.num_qubits
    hops = device.distance.astype(np.float64)
    reached = hops[hops < size]
    hops = np.where(hops < size, hops, reached.max() + 2)  # apart, but on the same page
    where = _classical_scaling(hops)
    np.fill_diagonal(hops, 1.0)
    weight = hops**-2
    np.fill_diagonal(weight, 0.0)
    laplacian = np.diag(weight.sum(axis=1)) - weight
    inverse = np.linalg.pinv(laplacian)
    for _ in range(min(ROUNDS, PAIRS // size**2)):
        apart = np.linalg.norm(where[:, None] - where[None], axis=2)
        pull = weight * hops / np.maximum(apart, 1e-9)
        np.fill_diagonal(pull, 0.0)
        where = inverse @ (pull.sum(axis=1)[:, None] * where - pull @ where)
    return _upright(where, device)


def _classical_scaling(hops: Floats) -> Floats:
    centred = hops**2 - (hops**2).mean(axis=0)
    centred = -0.5 * (centred - centred.mean(axis=1)[:, None])
    values, vectors = np.linalg.eigh(centred)
    out: Floats = vectors[:, [-1, -2]] * np.sqrt(np.maximum(values[[-1, -2]], 0.0))
    # Two axes need not tell all qubits apart, and what starts in one place never parts.
    nudge = 1e-3 * np.linspace(-1, 1, len(hops))
    return out + np.stack([nudge, nudge**2], axis=1)


def _upright(where: Floats, device: Device) -> Floats:
    """Turned by as little as lays couplings along the axes where they can, the first qubit to the upper left;
    the usual coupling is 1 long and no two qubits are close."""
    edge = where[device.edges[:, 1]] - where[device.edges[:, 0]]
    length = np.linalg.norm(edge, axis=1)
    angle = np.arctan2(edge[:, 1], edge[:, 0])
    square, hexagonal = np.exp(4j * angle).mean(), np.exp(6j * angle).mean()
    turn = np.angle(square) / 4 if abs(square) > abs(hexagonal) else np.angle(hexagonal) / 6
    where = where @ np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    where = where - where.mean(axis=0)
    where = where * np.where(where[0] > 0, -1, 1)
    where = where / min(float(np.median(length)), _spread(where) / 0.7)
    where -= where.min(axis=0)
    return where
