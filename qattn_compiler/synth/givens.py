"""Unary encoding: n numbers are the amplitudes of n qubits of which exactly one is in |1>.

A Givens rotation of two qubits (`givens` of the gate table; 2 CZ, 2 sqrt-iSWAP, 4 SYC) rotates two of the
numbers, so that a network of them is an orthogonal matrix of n x n, exactly as large as it looks:

- `pyramid`: n (n - 1) / 2 rotations of neighbours on a line give every matrix (but for a sign); the first
  `rank` columns of it take rank (2 n - rank - 1) / 2;
- `cross` (X): 2 n - 3 rotations of neighbours in depth n - 1; `butterfly`: n / 2 log2 n rotations in depth
  log2 n for all-to-all coupling; both give some matrices only, and are used with free angles.

Angles may be symbols. A rotation of (a, b) by t takes x_a, x_b to cos(t) x_a - sin(t) x_b, sin(t) x_a +
cos(t) x_b.

Sources: Kerenidis, Landman, Mathur, arXiv:2106.07198 (pyramid, loaders); Cherrat et al., Quantum 8, 1265
(2024), section 3 (X, butterfly).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit.table import Angle, Builder
from qattn_compiler.errors import CircuitError

Floats = NDArray[np.float64]
Pairs = tuple[tuple[int, int], ...]


def pyramid(size: int, rank: int | None = None) -> Pairs:
    """Pairs of neighbours, in the order of time, that give the first `rank` (by default all) columns of any
    matrix of O(size), but for a sign (`pyramid_angles`).

    >>> pyramid(3)
    ((1, 2), (0, 1), (1, 2))
    >>> pyramid(4, 1)
    ((0, 1), (1, 2), (2, 3))
    """
    columns = range(size if rank is None else rank)
    cleared = [(i - 1, i) for column in columns for i in range(size - 1, column, -1)]
    return tuple(reversed(cleared))


def cross(size: int) -> Pairs:
    """Two diagonals of neighbours that cross.

    >>> cross(4)
    ((0, 1), (2, 3), (1, 2), (0, 1), (2, 3))
    """
    out: list[tuple[int, int]] = []
    for step in range(size - 1):
        out += [(i, i + 1) for i in sorted({step, size - 2 - step})]
    return tuple(out)


def butterfly(size: int) -> Pairs:
    """The pairs of a fast Fourier transform.

    >>> butterfly(4)
    ((0, 2), (1, 3), (0, 1), (2, 3))

    Raises:
        CircuitError: the size is no power of two.
    """
    if size & (size - 1) or size == 0:
        raise CircuitError(f"a butterfly has a power of two of wires, not {size}")
    steps = [1 << level for level in reversed(range(size.bit_length() - 1))]
    return tuple((i, i + step) for step in steps for i in range(size) if not i & step)


def network_matrix(pairs: Pairs, angles: Floats, size: int) -> Floats:
    """The orthogonal matrix of a network.

    Args:
        pairs: in the order of time.
        angles: shape (len(pairs),), radians.
        size: of the matrix.
    """
    out = np.eye(size)
    for (a, b), angle in zip(pairs, angles.tolist(), strict=True):
        _rotate(out, a, b, angle)
    return out


def pyramid_angles(columns: Floats) -> tuple[Floats, float]:
    """Angles (radians) of a pyramid for orthonormal columns, and the sign of the last coordinate before it.

    The sign is 1 unless the columns are a square matrix of determinant -1.

    Args:
        columns: shape (n, rank).

    Returns:
        angles of shape (len(pyramid(n, rank)),), and 1 or -1.
    """
    left = columns.copy()
    angles = []
    for column in range(left.shape[1]):
        for i in range(len(left) - 1, column, -1):
            angle = float(np.arctan2(left[i, column], left[i - 1, column]))
            _rotate(left, i - 1, i, -angle)
            angles.append(angle)
    square = left.shape[0] == left.shape[1]
    return np.array(angles[::-1]), -1.0 if square and left[-1, -1] < 0 else 1.0


def _rotate(matrix: Floats, a: int, b: int, angle: float) -> None:
    """Rows a and b, in place."""
    cos, sin = np.cos(angle), np.sin(angle)
    matrix[a], matrix[b] = cos * matrix[a] - sin * matrix[b], sin * matrix[a] + cos * matrix[b]


def add_network(builder: Builder, pairs: Pairs, angles: Sequence[Angle], qubits: Sequence[int]) -> None:
    """Append a network of Givens rotations.

    Args:
        builder: where the rows go.
        pairs: in the order of time.
        angles: one for each pair, radians.
        qubits: the wires.
    """
    for (a, b), angle in zip(pairs, angles, strict=True):
        builder.add("givens", [qubits[b], qubits[a]], [angle])


def unary_state_count(size: int) -> int:
    """CZ of `add_unary_state`: the first rotation starts from a known state and takes one."""
    return max(0, 2 * size - 3)


def unary_state_angles(amplitudes: Floats) -> Floats:
    """Angles (radians) of the rotations that load a vector: shape (..., n) -> (..., n - 1).

    Args:
        amplitudes: real, of norm 1; n is at least 2.
    """
    rest = np.sqrt(np.cumsum(amplitudes[..., ::-1] ** 2, axis=-1))[..., ::-1][..., 1:]
    rest = np.concatenate([rest[..., :-1], amplitudes[..., -1:]], axis=-1)
    angles: Floats = np.arctan2(rest, amplitudes[..., :-1])
    return angles


def add_unary_state(builder: Builder, angles: Sequence[Angle], qubits: Sequence[int]) -> None:
    """Append the chain of rotations that loads a vector, from |0...0>.

    Args:
        builder: where the rows go.
        angles: n - 1, in circuit order (`unary_state_angles`).
        qubits: n of them.

    Raises:
        CircuitError: the number of angles is not n - 1, or n is below 2.
    """
    if len(qubits) < 2 or len(angles) != len(qubits) - 1:
        raise CircuitError(f"{len(qubits)} qubits need one angle less, and at least one, not {len(angles)}")
    first, second = qubits[:2]
    builder.add("x", [first], ())
    builder.add("ry", [second], [_doubled(angles[0])])
    builder.add("cx", [second, first], ())
    chain = tuple((i, i + 1) for i in range(1, len(qubits) - 1))
    add_network(builder, chain, angles[1:], qubits)


def _doubled(angle: Angle) -> Angle:
    if isinstance(angle, tuple):
        return 2 * angle[0], {name: 2 * factor for name, factor in angle[1].items()}
    return 2 * angle
