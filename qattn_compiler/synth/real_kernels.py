"""Hot loops of `synth.real_ansatz`: real circuits fitted to matrices of SO(N).

Coordinates: two quaternion qubits together are a quaternion (four real coordinates), which gates on the first
multiply from the left and gates on the second from the right; each real qubit is a factor of two coordinates.
Coordinate c of the quaternion and bits k of the real qubits are index c 2^(n-2) + k.

Method: that of `instantiate_kernels` with real numbers. U = A exp(d G) B has the derivative K U for
K = A G A^T, which is skew, and X = (T U^T - U T^T) / 2 is what sum_j d_j K_j has to be: linear least squares
over N (N - 1) / 2 numbers.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

HALF = 0.5**0.5


@numba.njit(cache=True, nogil=True)
def _multiplier(side: int, q: F64, m: F64) -> None:
    """The matrix of x -> q x (side 0) or x -> x conj(q) (side 1) on quaternions."""
    s = 1.0 if side == 0 else -1.0
    w, x, y, z = q[0], s * q[1], s * q[2], s * q[3]
    for i in range(4):
        m[i, i] = w
    m[1, 0], m[2, 0], m[3, 0] = x, y, z
    m[0, 1], m[0, 2], m[0, 3] = -x, -y, -z
    m[2, 1], m[3, 1], m[3, 2] = s * z, -s * y, s * x
    m[1, 2], m[1, 3], m[2, 3] = -s * z, s * y, -s * x


@numba.njit(cache=True, nogil=True)
def _times(a: F64, m: F64, k: int, step: int) -> None:
    """A <- A M on the four coordinates with real bits k; row i of `a` is column i of A."""
    for r in range(a.shape[1]):
        w, x, y, z = a[k, r], a[k + step, r], a[k + 2 * step, r], a[k + 3 * step, r]
        for j in range(4):
            a[k + j * step, r] = w * m[0, j] + x * m[1, j] + y * m[2, j] + z * m[3, j]


@numba.njit(cache=True, nogil=True)
def _turn(a: F64, qubit: int, bit: int, gate: F64, m: F64) -> None:
    """A <- A u: a quaternion on qubits 0 and 1, RY of the angle gate[0] on the others."""
    step = len(a) // 4
    if qubit < 2:
        _multiplier(qubit, gate, m)
        for k in range(step):
            _times(a, m, k, step)
        return
    c, s = np.cos(gate[0] / 2), np.sin(gate[0] / 2)
    for i in range(len(a)):
        if i & bit:
            continue
        for r in range(a.shape[1]):
            x, y = a[i, r], a[i | bit, r]
            a[i, r] = c * x + s * y
            a[i | bit, r] = c * y - s * x


@numba.njit(cache=True, nogil=True)
def _entangle(a: F64, qubit: int, bit: int, m: F64) -> None:
    """A <- A exp(-i pi/4 Z Z) of a quaternion qubit and a real one."""
    step = len(a) // 4
    for sign in (1.0, -1.0):
        _multiplier(qubit, np.array([HALF, 0.0, 0.0, sign * HALF]), m)
        for k in range(step):
            if (k & bit == 0) == (sign > 0):
                _times(a, m, k, step)


@numba.njit(cache=True, nogil=True)
def _add_skew(a: F64, i: int, j: int, scale: float, row: F64) -> None:
    """Row of the Jacobian += scale (a_i a_j^T - a_j a_i^T), the entries below the diagonal."""
    m = 0
    for r in range(1, a.shape[1]):
        x, y = scale * a[i, r], scale * a[j, r]
        for c in range(r):
            row[m + c] += x * a[j, c] - y * a[i, c]
        m += r


@numba.njit(cache=True, nogil=True)
def _directions(a: F64, qubit: int, bit: int, with_z: bool, jacobian: F64, j: int, units: F64, m: F64) -> int:
    """Rows j.. of the transposed Jacobian: turns at the right end of A; the next free row."""
    step = len(a) // 4
    if qubit >= 2:
        jacobian[j] = 0.0
        for i in range(len(a)):
            if i & bit == 0:
                _add_skew(a, i | bit, i, HALF, jacobian[j])
        return j + 1
    for axis in range(3 if with_z else 2):
        _multiplier(qubit, units[1 + axis], m)
        jacobian[j] = 0.0
        for up in range(4):
            for low in range(up):
                if m[up, low] != 0.0:
                    for k in range(step):
                        _add_skew(a, up * step + k, low * step + k, HALF * m[up, low], jacobian[j])
        j += 1
    return j


@numba.njit(cache=True, nogil=True)
def product(pairs: I64, gates: F64, last: I64, a: F64, jacobian: F64) -> None:
    """The circuit's matrix.

    Args:
        pairs: shape (k, 2): a quaternion qubit (0 or 1) and a real one (2, ...) for each entangler, in order.
        gates: shape (n + 2 k, 4): first one gate on each qubit, then two after each entangler: a quaternion,
            or an angle and three zeros.
        last: shape (n + 2 k,): 1 for the last gate of each qubit.
        a: shape (N, N): becomes the matrix, transposed.
        jacobian: shape (3 k + n + 4, N (N - 1) / 2), becomes the transposed Jacobian; or without rows.
    """
    n = len(gates) - 2 * len(pairs)
    m, units = np.empty((4, 4)), np.eye(4)
    a[:] = 0.0
    for i in range(len(a)):
        a[i, i] = 1.0
    column = 0
    for k in range(len(pairs) - 1, -2, -1):
        for side in range(2 if k >= 0 else n):
            g = n + 2 * k + side if k >= 0 else side
            qubit = pairs[k, side] if k >= 0 else side
            bit = 1 << (n - 1 - qubit)
            if len(jacobian):
                column = _directions(a, qubit, bit, last[g] == 1, jacobian, column, units, m)
            _turn(a, qubit, bit, gates[g], m)
        if k >= 0:
            _entangle(a, pairs[k, 0], 1 << (n - 1 - pairs[k, 1]), m)


@numba.njit(cache=True, nogil=True)
def misfit(a: F64, target: F64, residual: F64) -> float:
    """sqrt(2) X (below the diagonal) into `residual`; half of |T - U|^2. Both matrices transposed."""
    size = len(a)
    total, m = 0.0, 0
    for r in range(size):
        for c in range(r):
            x = 0.0
            for i in range(size):
                x += target[i, r] * a[i, c] - a[i, r] * target[i, c]
            residual[m] = HALF * x
            m += 1
        for i in range(size):
            x = target[i, r] - a[i, r]
            total += x * x
    return total / 2
