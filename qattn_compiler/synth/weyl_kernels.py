"""Canonical (KAK) decomposition of stacks of two-qubit unitaries: arrays in, arrays out.

Single-qubit gates are unit quaternions, U = q0 - i (q1 X + q2 Y + q3 Z), as in `circuit.su2`.
"""
# mypy: disallow-untyped-decorators=False

from __future__ import annotations

from typing import Final

import numba
import numpy as np
from numpy.typing import NDArray

C128 = NDArray[np.complex128]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

_SWEEPS: Final = 60
"""More Jacobi sweeps than rounding can keep busy (five are usual)."""
_SMALL: Final = 1e-17
"""An off-diagonal entry of a unitary below this is zero."""
_EDGE: Final = 1e-13
"""This close to x = pi/4, the two signs of z are one class, and z >= 0 is chosen."""

_MAGIC: Final[C128] = np.array([[1, 0, 0, 1j], [0, 1j, 1, 0], [0, 1j, -1, 0], [1, 0, 0, -1j]]) / np.sqrt(2)
"""Its columns are Bell states, in which local gates are real and XX, YY, ZZ are diagonal."""


def _local_images() -> tuple[I64, F64]:
    """The sixteen products s_i x s_j (s_0 = 1, s_k = -i Pauli_k) in the magic basis, which are signed
    permutations: the column and the sign of the entry in each row, shapes (4, 4, 4)."""
    x, y, z = np.array([[0, 1], [1, 0]]), np.array([[0, -1j], [1j, 0]]), np.diag([1, -1])
    basis = (np.eye(2), -1j * x, -1j * y, -1j * z)
    column, sign = np.zeros((4, 4, 4), np.int64), np.zeros((4, 4, 4))
    for i in range(4):
        for j in range(4):
            image = (_MAGIC.conj().T @ np.kron(basis[i], basis[j]) @ _MAGIC).real
            column[i, j] = np.abs(image).argmax(axis=1)
            sign[i, j] = np.sign(image[np.arange(4), column[i, j]])
    return column, sign


_COLUMN, _SIGN = _local_images()


@numba.njit(cache=True, nogil=True)
def multiply(a: F64, b: F64, out: F64) -> None:
    """out = a b for quaternions; `out` may be either of them."""
    a0, a1, a2, a3 = a[0], a[1], a[2], a[3]
    b0, b1, b2, b3 = b[0], b[1], b[2], b[3]
    out[0] = a0 * b0 - a1 * b1 - a2 * b2 - a3 * b3
    out[1] = a0 * b1 + a1 * b0 + a2 * b3 - a3 * b2
    out[2] = a0 * b2 + a2 * b0 + a3 * b1 - a1 * b3
    out[3] = a0 * b3 + a3 * b0 + a1 * b2 - a2 * b1


@numba.njit(cache=True, nogil=True)
def _rotate(a: F64, i: int, j: int, cos: float, sin: float) -> None:
    """a -> G^T a G for the plane rotation G of columns i and j."""
    for k in range(4):
        u, v = a[k, i], a[k, j]
        a[k, i] = cos * u + sin * v
        a[k, j] = cos * v - sin * u
    for k in range(4):
        u, v = a[i, k], a[j, k]
        a[i, k] = cos * u + sin * v
        a[j, k] = cos * v - sin * u


@numba.njit(cache=True, nogil=True)
def _diagonalise(a: F64, b: F64, vectors: F64) -> None:
    """Make two commuting symmetric 4x4 matrices diagonal by one real rotation, in place.

    Jacobi angles for simultaneous diagonalisation: Cardoso, Souloumiac, SIAM J. Matrix Anal. Appl. 17, 161
    (1996), equation (3) and theorem 1. Equal eigenvalues need no care: there is nothing to rotate.
    """
    vectors[:] = 0.0
    for k in range(4):
        vectors[k, k] = 1.0
    for _ in range(_SWEEPS):
        busy = False
        for i in range(3):
            for j in range(i + 1, 4):
                if abs(a[i, j]) <= _SMALL and abs(b[i, j]) <= _SMALL:
                    continue
                da, db = a[i, i] - a[j, j], b[i, i] - b[j, j]
                ea, eb = 2.0 * a[i, j], 2.0 * b[i, j]
                on = da * da + db * db - ea * ea - eb * eb
                off = 2.0 * (da * ea + db * eb)
                angle = 0.25 * np.arctan2(off, on)
                cos, sin = np.cos(angle), np.sin(angle)
                if abs(sin) <= 1e-16:
                    continue
                busy = True
                _rotate(a, i, j, cos, sin)
                _rotate(b, i, j, cos, sin)
                for k in range(4):
                    u, v = vectors[k, i], vectors[k, j]
                    vectors[k, i] = cos * u + sin * v
                    vectors[k, j] = cos * v - sin * u
        if not busy:
            break


@numba.njit(cache=True, nogil=True)
def _negative_determinant(m: F64) -> bool:
    """Whether a 4x4 orthogonal matrix is a reflection."""
    low = np.empty(6)
    high = np.empty(6)
    k = 0
    for i in range(3):
        for j in range(i + 1, 4):
            low[k] = m[0, i] * m[1, j] - m[0, j] * m[1, i]
            high[k] = m[2, i] * m[3, j] - m[2, j] * m[3, i]
            k += 1
    determinant = (
        low[0] * high[5]
        - low[1] * high[4]
        + low[2] * high[3]
        + low[3] * high[2]
        - low[4] * high[1]
        + low[5] * high[0]
    )
    return bool(determinant < 0)


@numba.njit(cache=True, nogil=True)
def _split(m: F64, first: F64, second: F64) -> None:
    """The two quaternions of a rotation of the magic basis: a product of one qubit's gates each."""
    outer = np.zeros((4, 4))
    best, largest = 0, -1.0
    for i in range(4):
        size = 0.0
        for j in range(4):
            total = 0.0
            for row in range(4):
                total += _SIGN[i, j, row] * m[row, _COLUMN[i, j, row]]
            outer[i, j] = total
            size += total * total
        if size > largest:
            best, largest = i, size
    norm = np.sqrt(largest)
    for j in range(4):
        second[j] = outer[best, j] / norm
    total = 0.0
    for i in range(4):
        first[i] = 0.0
        for j in range(4):
            first[i] += outer[i, j] * second[j]
        total += first[i] * first[i]
    for i in range(4):
        first[i] /= np.sqrt(total)


@numba.njit(cache=True, nogil=True)
def _times_axis(q: F64, axis: int, power: int) -> None:
    """q -> q s^power with s = -i Pauli_axis."""
    s = np.zeros(4)
    s[axis + 1] = 1.0
    for _ in range(power % 4):
        multiply(q, s, q)


@numba.njit(cache=True, nogil=True)
def _exchange(c: F64, left: F64, right: F64, i: int, j: int) -> None:
    """Exchange coordinates i and j by a quarter turn about the third axis on both qubits."""
    third = 3 - i - j
    turn, back = np.zeros(4), np.zeros(4)
    turn[0] = back[0] = np.sqrt(0.5)
    turn[third + 1], back[third + 1] = np.sqrt(0.5), -np.sqrt(0.5)
    c[i], c[j] = c[j], c[i]
    for k in range(2):
        multiply(left[k], back, left[k])
        multiply(turn, right[k], right[k])


@numba.njit(cache=True, nogil=True)
def _negate(c: F64, left: F64, right: F64, i: int, j: int) -> None:
    """Change the signs of coordinates i and j by a half turn about the third axis on the first qubit."""
    third = 3 - i - j
    c[i], c[j] = -c[i], -c[j]
    _times_axis(left[0], third, 1)
    back = np.zeros(4)
    back[third + 1] = -1.0
    multiply(back, right[0], right[0])


@numba.njit(cache=True, nogil=True)
def canonicalise(c: F64, left: F64, right: F64) -> float:
    """Move coordinates into the Weyl chamber pi/4 >= x >= y >= |z| (z >= 0 where x = pi/4), in place.

    Args:
        c: shape (3,): any coordinates.
        left: shape (2, 4): the gates that act after the interaction.
        right: shape (2, 4): those that act before.

    Returns:
        what is to be added to the phase.
    """
    phase = 0.0
    for k in range(3):
        turns = int(np.round(c[k] / (np.pi / 2)))
        c[k] -= turns * (np.pi / 2)
        phase -= turns * (np.pi / 2)
        for q in range(2):
            _times_axis(left[q], k, turns)
    if abs(c[0]) < abs(c[1]):
        _exchange(c, left, right, 0, 1)
    if abs(c[1]) < abs(c[2]):
        _exchange(c, left, right, 1, 2)
    if abs(c[0]) < abs(c[1]):
        _exchange(c, left, right, 0, 1)
    if c[0] < 0 and c[1] < 0:
        _negate(c, left, right, 0, 1)
    elif c[0] < 0:
        _negate(c, left, right, 0, 2)
    elif c[1] < 0:
        _negate(c, left, right, 1, 2)
    if c[2] < 0 and c[0] > np.pi / 4 - _EDGE:
        phase += reflect(c, left, right)
    return phase


@numba.njit(cache=True, nogil=True)
def reflect(c: F64, left: F64, right: F64) -> float:
    """(x, y, z) -> (pi/2 - x, y, -z), in place; the phase to be added is given back."""
    c[0] -= np.pi / 2
    for q in range(2):
        _times_axis(left[q], 0, 1)
    _negate(c, left, right, 0, 2)
    return -np.pi / 2


@numba.njit(cache=True, nogil=True)
def kak_one(u: C128, c: F64, left: F64, right: F64) -> float:
    """Decompose one unitary into canonical coordinates and gates; the phase is given back.

    Args:
        u: shape (4, 4), unitary.
        c: shape (3,), written.
        left: shape (2, 4), written: what acts after the interaction.
        right: shape (2, 4), written: what acts before.
    """
    m = np.empty((4, 4), np.complex128)
    for k in range(4):  # u in the magic basis; each of its columns has two entries
        p = (u[k, 0] + u[k, 3]) * np.sqrt(0.5)
        q = (u[k, 1] + u[k, 2]) * (1j * np.sqrt(0.5))
        r = (u[k, 1] - u[k, 2]) * np.sqrt(0.5)
        s = (u[k, 0] - u[k, 3]) * (1j * np.sqrt(0.5))
        m[k, 0], m[k, 1], m[k, 2], m[k, 3] = p, q, r, s
    for k in range(4):
        p = (m[0, k] + m[3, k]) * np.sqrt(0.5)
        q = (m[1, k] + m[2, k]) * (-1j * np.sqrt(0.5))
        r = (m[1, k] - m[2, k]) * np.sqrt(0.5)
        s = (m[0, k] - m[3, k]) * (-1j * np.sqrt(0.5))
        m[0, k], m[1, k], m[2, k], m[3, k] = p, q, r, s
    a, b, vectors = np.empty((4, 4)), np.empty((4, 4)), np.empty((4, 4))
    for i in range(4):
        for j in range(i, 4):
            total = 0j
            for k in range(4):
                total += m[k, i] * m[k, j]
            a[i, j] = a[j, i] = total.real
            b[i, j] = b[j, i] = total.imag
    _diagonalise(a, b, vectors)
    angle = np.empty(4)
    after, before = np.empty((4, 4)), np.empty((4, 4))
    for j in range(4):
        angle[j] = 0.5 * np.arctan2(b[j, j], a[j, j])
        cos, sin = np.cos(angle[j]), np.sin(angle[j])
        for i in range(4):
            total = 0j
            for k in range(4):
                total += m[i, k] * vectors[k, j]
            after[i, j] = total.real * cos + total.imag * sin
            before[j, i] = vectors[i, j]
    if _negative_determinant(after):
        angle[0] += np.pi
        for i in range(4):
            after[i, 0] = -after[i, 0]
    _split(after, left[0], left[1])
    _split(before, right[0], right[1])
    c[0] = (angle[0] + angle[1] - angle[2] - angle[3]) / 4
    c[1] = (-angle[0] + angle[1] - angle[2] + angle[3]) / 4
    c[2] = (angle[0] - angle[1] - angle[2] + angle[3]) / 4
    return float((angle[0] + angle[1] + angle[2] + angle[3]) / 4 + canonicalise(c, left, right))


@numba.njit(cache=True, nogil=True)
def kak(unitaries: C128) -> tuple[F64, F64, F64, F64]:
    """Decompose a stack of unitaries.

    Args:
        unitaries: shape (n, 4, 4).

    Returns:
        phases (n,), coordinates (n, 3), gates after the interaction (n, 2, 4), gates before it (n, 2, 4).
    """
    n = len(unitaries)
    phases, coordinates = np.empty(n), np.empty((n, 3))
    left, right = np.empty((n, 2, 4)), np.empty((n, 2, 4))
    for i in range(n):
        phases[i] = kak_one(unitaries[i], coordinates[i], left[i], right[i])
    return phases, coordinates, left, right


@numba.njit(cache=True, nogil=True)
def canonicalise_all(phases: F64, coordinates: F64, left: F64, right: F64) -> None:
    """`canonicalise` each entry of a stack (shapes as `kak` gives them), in place."""
    for i in range(len(phases)):
        phases[i] += canonicalise(coordinates[i], left[i], right[i])


@numba.njit(cache=True, nogil=True)
def reflect_towards(target: F64, phases: F64, coordinates: F64, left: F64, right: F64) -> None:
    """`reflect` each entry that is then closer to its target coordinates (n, 3), in place.

    The chamber is glued to itself at x = pi/4, so that rounding may put equal classes on either side.
    """
    for i in range(len(phases)):
        dx, dz = coordinates[i, 0] - target[i, 0], coordinates[i, 2] - target[i, 2]
        ex, ez = np.pi / 2 - coordinates[i, 0] - target[i, 0], coordinates[i, 2] + target[i, 2]
        if ex * ex + ez * ez < dx * dx + dz * dz:
            phases[i] += reflect(coordinates[i], left[i], right[i])
