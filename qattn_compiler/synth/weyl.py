"""Canonical (KAK) decomposition of two-qubit unitaries, Weyl coordinates and how many CZ they take.

U = exp(i phase) (A0 x A1) exp(i (x XX + y YY + z ZZ)) (B0 x B1), with coordinates in the Weyl chamber
pi/4 >= x >= y >= |z| (and z >= 0 where x = pi/4). Single-qubit gates are quaternions as in `circuit.su2`.

Sources: Kraus, Cirac, PRA 63, 062309 (2001); Zhang, Vala, Sastry, Whaley, PRA 67, 042313 (2003); counts:
Shende, Bullock, Markov, PRA 70, 012310 (2004), and Cross et al., PRA 100, 032328 (2019), appendix B, for the
closest classes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Complexes = NDArray[np.complex128]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

QUARTER: Final = float(np.pi / 4)
MAX_CZ: Final = 3
"""CZ gates that every two-qubit unitary can be built of."""


@dataclass(frozen=True, eq=False)
class Kak:
    """Canonical decompositions of n unitaries (module docstring).

    Attributes:
        phase: shape (n,), radians.
        coordinates: shape (n, 3): x, y, z, radians.
        left: shape (n, 2, 4): quaternions of the gates A0, A1 that act last.
        right: shape (n, 2, 4): quaternions of the gates B0, B1 that act first.
    """

    phase: Floats
    coordinates: Floats
    left: Floats
    right: Floats

    def unitaries(self) -> Complexes:
        """The product, shape (n, 4, 4)."""
        inner = np.exp(1j * self.phase)[:, None, None] * interaction(self.coordinates)
        total: Complexes = local(self.left) @ inner @ local(self.right)
        return total

    def take(self, chosen: Ints) -> Kak:
        """Only these."""
        return Kak(self.phase[chosen], self.coordinates[chosen], self.left[chosen], self.right[chosen])

    def after_swap(self) -> Kak:
        """Decompositions of SWAP times these unitaries."""
        from qattn_compiler.synth.weyl_kernels import canonicalise_all

        out = Kak(
            self.phase - QUARTER,
            self.coordinates + QUARTER,
            self.left[:, ::-1].copy(),
            self.right.copy(),
        )
        canonicalise_all(out.phase, out.coordinates, out.left, out.right)
        return out

    def close_to(self, coordinates: Floats) -> Kak:
        """These decompositions, moved across the edge x = pi/4 where that brings them closer to the given
        coordinates (n, 3), which may be on the other side by rounding."""
        from qattn_compiler.synth.weyl_kernels import reflect_towards

        out = Kak(self.phase.copy(), self.coordinates.copy(), self.left.copy(), self.right.copy())
        reflect_towards(coordinates, out.phase, out.coordinates, out.left, out.right)
        return out


def kak(unitaries: Complexes) -> Kak:
    """Decompose a stack of two-qubit unitaries.

    The real and the imaginary part of M^T M (M: the unitary in the magic basis) are made diagonal together by
    Jacobi rotations, so that equal or nearly equal eigenvalues cost no accuracy and nothing is random.

    Args:
        unitaries: shape (n, 4, 4), unitary up to rounding.
    """
    from qattn_compiler.synth import weyl_kernels

    return Kak(*weyl_kernels.kak(np.ascontiguousarray(unitaries, dtype=np.complex128)))


def matrices(quaternions: Floats) -> Complexes:
    """SU(2) matrices of quaternions: (..., 4) -> (..., 2, 2)."""
    q0, q1, q2, q3 = np.moveaxis(quaternions, -1, 0)
    rows = [[q0 - 1j * q3, -q2 - 1j * q1], [q2 - 1j * q1, q0 + 1j * q3]]
    return np.moveaxis(np.array(rows), (0, 1), (-2, -1))


def local(pair: Floats) -> Complexes:
    """Matrices of one gate on each qubit: (..., 2, 4) -> (..., 4, 4)."""
    first, second = matrices(pair[..., 0, :]), matrices(pair[..., 1, :])
    product = np.einsum("...ij,...kl->...ikjl", first, second)
    whole: Complexes = product.reshape(*pair.shape[:-2], 4, 4)
    return whole


def interaction(coordinates: Floats) -> Complexes:
    """exp(i (x XX + y YY + z ZZ)): (..., 3) -> (..., 4, 4)."""
    x, y, z = np.moveaxis(coordinates, -1, 0)
    out = np.zeros((*coordinates.shape[:-1], 4, 4), dtype=complex)
    even, odd = np.exp(1j * z), np.exp(-1j * z)
    out[..., 0, 0] = out[..., 3, 3] = even * np.cos(x - y)
    out[..., 0, 3] = out[..., 3, 0] = 1j * even * np.sin(x - y)
    out[..., 1, 1] = out[..., 2, 2] = odd * np.cos(x + y)
    out[..., 1, 2] = out[..., 2, 1] = 1j * odd * np.sin(x + y)
    return out


def mirrored(coordinates: Floats) -> Floats:
    """Weyl coordinates of SWAP times a gate with these Weyl coordinates: (..., 3) -> (..., 3).

    SWAP is exp(i pi/4 (XX + YY + ZZ)) up to phase, so all three move by pi/4 and are folded back.
    """
    x, y, z = np.moveaxis(coordinates, -1, 0)
    positive = z >= 0
    return np.stack([QUARTER - np.abs(z), QUARTER - y, np.where(positive, x - QUARTER, QUARTER - x)], axis=-1)


def nearest(coordinates: Floats, count: int) -> Floats:
    """What is closest to these coordinates and takes at most `count` CZ, with the same single-qubit gates."""
    if count >= MAX_CZ:
        return coordinates
    out = np.zeros_like(coordinates)
    if count == 1:
        out[..., 0] = QUARTER
    if count == 2:
        out[..., :2] = coordinates[..., :2]
    return out


def distance(a: Floats, b: Floats) -> Floats:
    """An upper bound of the operator norm of the difference of two interactions: sum of |difference|."""
    total: Floats = np.abs(a - b).sum(axis=-1)
    return total


def fidelity(a: Floats, b: Floats) -> Floats:
    """Average gate fidelity of two interactions with the same single-qubit gates around them.

    (4 + |tr|^2) / 20 with |tr| / 4 = |prod cos d - i prod sin d| (sign immaterial), d the differences:
    Cross et al., PRA 100, 032328 (2019), appendix B.
    """
    d = a - b
    trace = np.cos(d).prod(axis=-1) ** 2 + np.sin(d).prod(axis=-1) ** 2
    value: Floats = (1 + 4 * trace) / 5
    return value


def counts(
    coordinates: Floats,
    closest: Callable[[Floats, int], Floats],
    most: int,
    atol: float = 1e-10,
    min_fidelity: float = 1.0,
) -> Ints:
    """How many entanglers each class takes.

    Args:
        coordinates: shape (..., 3), in the Weyl chamber.
        closest: (coordinates, count) -> the closest class that `count` entanglers reach, such as `nearest`.
        most: how many entanglers always suffice.
        atol: a class may be taken for one that is this close in operator norm.
        min_fidelity: or for one whose average gate fidelity with it is at least this (1: not at all).

    Returns:
        counts of shape (...), from 0 to `most`.
    """
    out = np.full(coordinates.shape[:-1], most, dtype=np.int64)
    for count in range(most - 1, -1, -1):
        near = closest(coordinates, count)
        fits = distance(coordinates, near) <= atol
        if min_fidelity < 1.0:
            fits |= fidelity(coordinates, near) >= min_fidelity
        out[fits] = count
    return out


def cz_counts(coordinates: Floats, atol: float = 1e-10) -> Ints:
    """How many CZ each class takes, 0 to 3: `counts` with `nearest`."""
    return counts(coordinates, nearest, MAX_CZ, atol)


def mirror_counts(unitaries: Complexes, atol: float = 1e-10) -> tuple[Ints, Ints]:
    """CZ counts of blocks and of the same blocks followed by a SWAP, each of shape (n,), for routers."""
    coordinates = kak(unitaries).coordinates
    return cz_counts(coordinates, atol), cz_counts(mirrored(coordinates), atol)
