"""Real cosine-sine decomposition and real demultiplexing: how large orthogonal matrices come apart.

A matrix of SO(2n) is (u1 + u2) [[C, -S], [S, C]] (v1 + v2), with + the direct sum. A direct sum u1 + u2 of
two rotations is (Q + Q) (B + B^T) (W + W): u1 u2^T = Q B^2 Q^T is the real Schur form, B being rotations of
pairs of coordinates. Q and W are real, so that the recursion stays real; the complex one (Shende, Bullock,
Markov, IEEE TCAD 25, 1000 (2006), theorem 12) diagonalises here.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

REAL: Final = 1e-12
"""Entries below the diagonal of a Schur form up to here are rounding errors: a real eigenvalue, 1 or -1."""


def cosine_sine(matrix: Floats) -> tuple[tuple[Floats, Floats], Floats, tuple[Floats, Floats]]:
    """The decomposition of a matrix of SO(2n), n even or 1, with all four blocks of determinant 1.

    Returns:
        (u1, u2), angles of shape (n,) in radians, (v1, v2).
    """
    from scipy.linalg import cossin

    half = len(matrix) // 2
    (u1, u2), angles, (v1, v2) = cossin(matrix, p=half, q=half, separate=True)
    # Signs of the first column or row of each block: their product is 1, as the determinant of the whole is.
    a, b, c, d = (np.sign(np.linalg.det(block)) for block in (u1, u2, v1, v2))
    u1[:, 0], u2[:, 0], v1[0], v2[0] = a * u1[:, 0], b * u2[:, 0], c * v1[0], d * v2[0]
    angles[0] = np.arctan2(b * c * np.sin(angles[0]), a * c * np.cos(angles[0]))
    return (u1, u2), angles, (v1, v2)


def demultiplexed(first: Floats, second: Floats) -> tuple[Floats, Floats, Floats]:
    """Q, angles and W with first = Q B W and second = Q B^T W, all of determinant 1.

    B rotates coordinates 2j and 2j + 1 by half of angle j: [[cos, -sin], [sin, cos]].

    Args:
        first, second: shape (n, n), n even, of SO(n).

    Returns:
        Q of shape (n, n), angles of shape (n / 2,) in radians, W of shape (n, n).
    """
    outer, angles = turns(first @ second.T)
    return outer, angles, rotate_pairs(outer.T @ second, angles / 2)


def rotate_pairs(matrix: Floats, angles: Floats) -> Floats:
    """Rows 2j and 2j + 1 of a matrix rotated by angle j."""
    cos, sin = np.cos(angles)[:, None], np.sin(angles)[:, None]
    out = np.empty_like(matrix)
    out[0::2] = cos * matrix[0::2] - sin * matrix[1::2]
    out[1::2] = sin * matrix[0::2] + cos * matrix[1::2]
    return out


def turns(matrix: Floats) -> tuple[Floats, Floats]:
    """A matrix of SO(n), n even, as rotations of pairs of coordinates in a basis of determinant 1.

    Returns:
        basis of shape (n, n), angles of shape (n / 2,) with matrix = basis B basis^T, B as in `demultiplexed`
        but by the whole angles.
    """
    from scipy.linalg import schur

    form, basis = schur(matrix, output="real")
    pairs, single = [], []
    k = 0
    while k < len(form):
        block = form[k : k + 2, k : k + 2]
        if k + 1 < len(form) and abs(block[1, 0]) > REAL:
            angle = np.arctan2(block[1, 0] - block[0, 1], block[0, 0] + block[1, 1])
            pairs.append((k, k + 1, angle))
            k += 2
        else:
            single.append(k)
            k += 1
    # An even number is -1, as the determinant is 1: equal ones make pairs of rotations by 0 or by pi.
    single.sort(key=lambda k: form[k, k])
    for i, j in zip(single[::2], single[1::2], strict=True):
        pairs.append((i, j, 0.0 if form[i, i] > 0 else np.pi))
    order = [k for i, j, _ in pairs for k in (i, j)]
    basis, angles = basis[:, order], np.array([angle for _, _, angle in pairs])
    if np.linalg.det(basis) < 0:  # a pair's other orientation
        basis[:, 1], angles[0] = -basis[:, 1], -angles[0]
    return basis, angles
