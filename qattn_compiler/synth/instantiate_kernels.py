"""Hot loops of numerical instantiation: a product of CZ and single-qubit gates fitted to a unitary.

An ansatz on n qubits with k CZ has n + 2 k single-qubit gates: one on each qubit first, then, after each CZ,
one on either of its qubits. A gate is a unit quaternion (`circuit.su2`), so it is special unitary.

Method: Levenberg-Marquardt in the Lie algebra. With U = A exp(-i d P / 2) u B, where A is what comes after
the gate u, the derivative for d is -i G U / 2 with G = A P A^+, a Hermitian matrix. Let W = exp(-i phi) U V^+
with the phase phi that makes tr W real and largest; its skew part K = (W - W^+) / 2i is what
sum_j d_j G_j / 2 has to be, so a step is a linear least-squares problem over the N^2 real numbers of a
Hermitian matrix, and convergence is quadratic. Z turns commute with the CZ after a gate; only the last gate
of each qubit has them, so no direction is counted twice: 4 k + 3 n parameters.

Source: the environment picture of QFactor (Kukliansky et al., arXiv:2306.08152); damping after Madsen,
Nielsen, Tingleff, Methods for Non-Linear Least Squares Problems (2004), algorithm 3.16.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

PATIENCE = 6
"""Evaluations between two looks at the progress."""
PROGRESS = 0.7
"""A fit is given up if the misfit has not fallen by this factor between two looks."""
NEAR = 1e-8
"""Misfit N - |tr V^+ U| from which on plain Gauss-Newton steps are judged by the residual: the misfit is
rounded to 1e-15, and so says nothing of errors below 3e-8."""
POLISH = 6
"""Gauss-Newton steps at the end at most."""


@numba.njit(cache=True, nogil=True)
def _turn_columns(re: F64, im: F64, bit: int, q: F64) -> None:
    """A <- A u for a gate u on the qubit of that bit; row i of `re`, `im` is column i of A."""
    size = len(re)
    for i in range(size):
        if i & bit:
            continue
        j = i | bit
        for r in range(size):
            xr, xi, yr, yi = re[i, r], im[i, r], re[j, r], im[j, r]
            # u = [[q0 - i q3, -q2 - i q1], [q2 - i q1, q0 + i q3]]
            re[i, r] = xr * q[0] + xi * q[3] + yr * q[2] + yi * q[1]
            im[i, r] = xi * q[0] - xr * q[3] + yi * q[2] - yr * q[1]
            re[j, r] = yr * q[0] - yi * q[3] - xr * q[2] + xi * q[1]
            im[j, r] = yi * q[0] + yr * q[3] - xi * q[2] - xr * q[1]


@numba.njit(cache=True, nogil=True)
def _flip_columns(re: F64, im: F64, both: int) -> None:
    """A <- A CZ; `both` has the bits of the two qubits."""
    for i in range(len(re)):
        if i & both == both:
            for r in range(len(re)):
                re[i, r] = -re[i, r]
                im[i, r] = -im[i, r]


@numba.njit(cache=True, nogil=True)
def _add_outer(mr: F64, mi: F64, xr: F64, xi: F64, yr: F64, yi: F64, scale: float) -> None:
    """M <- M + scale x y^+."""
    for r in range(len(xr)):
        a, b = scale * xr[r], scale * xi[r]
        for c in range(len(xr)):
            mr[r, c] += a * yr[c] + b * yi[c]
            mi[r, c] += b * yr[c] - a * yi[c]


@numba.njit(cache=True, nogil=True)
def _store(re: F64, im: F64, sign: float, column: F64) -> None:
    """Half of the Hermitian matrix M + M^+ for M = re + i sign im, as N^2 numbers of the same norm."""
    size = len(re)
    half = 0.5**0.5
    m = 0
    for r in range(size):
        for c in range(r):
            column[m] = half * (re[r, c] + re[c, r])
            column[m + 1] = half * sign * (im[r, c] - im[c, r])
            m += 2
    for r in range(size):
        column[m] = re[r, r]
        m += 1


@numba.njit(cache=True, nogil=True)
def _generators(re: F64, im: F64, bit: int, with_z: bool, jacobian: F64, j: int, mr: F64, mi: F64) -> int:
    """Rows j.. of the transposed Jacobian: X and Y (and Z) turns at the right end of A; the next free row."""
    mr[:] = 0.0
    mi[:] = 0.0
    for i in range(len(re)):
        if i & bit == 0:
            _add_outer(mr, mi, re[i], im[i], re[i | bit], im[i | bit], 1.0)
    _store(mr, mi, 1.0, jacobian[j])
    _store(mi, mr, -1.0, jacobian[j + 1])
    if not with_z:
        return j + 2
    mr[:] = 0.0
    mi[:] = 0.0
    for i in range(len(re)):
        _add_outer(mr, mi, re[i], im[i], re[i], im[i], -0.5 if i & bit else 0.5)
    _store(mr, mi, 1.0, jacobian[j + 2])
    return j + 3


@numba.njit(cache=True, nogil=True)
def _one(re: F64, im: F64) -> None:
    re[:] = 0.0
    im[:] = 0.0
    for i in range(len(re)):
        re[i, i] = 1.0


@numba.njit(cache=True, nogil=True)
def product(pairs: I64, gates: F64, num_qubits: int, re: F64, im: F64) -> None:
    """The ansatz's unitary, transposed, into `re`, `im` (shapes (N, N))."""
    _one(re, im)
    for k in range(len(pairs) - 1, -1, -1):
        a, b = 1 << (num_qubits - 1 - pairs[k, 0]), 1 << (num_qubits - 1 - pairs[k, 1])
        _turn_columns(re, im, a, gates[num_qubits + 2 * k])
        _turn_columns(re, im, b, gates[num_qubits + 2 * k + 1])
        _flip_columns(re, im, a | b)
    for q in range(num_qubits):
        _turn_columns(re, im, 1 << (num_qubits - 1 - q), gates[q])


@numba.njit(cache=True, nogil=True)
def _misfit(re: F64, im: F64, vr: F64, vi: F64, mr: F64, mi: F64, residual: F64) -> float:
    """vec(K) into `residual`; N - |tr(V^+ U)|. All matrices transposed."""
    size = len(re)
    mr[:] = 0.0
    mi[:] = 0.0
    for i in range(size):
        _add_outer(mr, mi, re[i], im[i], vr[i], vi[i], 1.0)
    tr, ti = 0.0, 0.0
    for i in range(size):
        tr += mr[i, i]
        ti += mi[i, i]
    length = np.sqrt(tr * tr + ti * ti)
    pr, pi = (tr / length, ti / length) if length > 1e-12 else (1.0, 0.0)
    for r in range(size):
        for c in range(size):
            wr, wi = mr[r, c], mi[r, c]
            mr[r, c] = wi * pr - wr * pi  # -i e^(-i phi) W: its Hermitian part is K
            mi[r, c] = -(wr * pr + wi * pi)
    _store(mr, mi, 1.0, residual)
    return float(size - length)


@numba.njit(cache=True, nogil=True)
def normal_equations(by_entry: F64, residual: F64, hessian: F64, gradient: F64) -> None:
    """J^T J (lower triangle) and J^T r of a Jacobian of shape (entries, parameters)."""
    entries, p = by_entry.shape
    hessian[:] = 0.0
    gradient[:] = 0.0
    for m in range(entries):
        row = by_entry[m]
        for j in range(p):
            x = row[j]
            gradient[j] += x * residual[m]
            if x != 0.0:
                for k in range(j + 1):
                    hessian[j, k] += x * row[k]


@numba.njit(cache=True, nogil=True)
def _normal(jacobian: F64, residual: F64, by_entry: F64, hessian: F64, gradient: F64) -> None:
    """The same of a transposed Jacobian; `by_entry` is room for it."""
    p, entries = jacobian.shape
    for m in range(entries):
        for j in range(p):
            by_entry[m, j] = jacobian[j, m]
    normal_equations(by_entry, residual, hessian, gradient)


@numba.njit(cache=True, nogil=True)
def solve(hessian: F64, damping: float, right: F64, work: F64, out: F64) -> bool:
    """(H + damping) out = right by Cholesky; whether the matrix was positive definite."""
    p = len(right)
    for j in range(p):
        for k in range(j + 1):
            work[j, k] = hessian[j, k]
        work[j, j] += damping
    for j in range(p):
        if work[j, j] <= 0.0:
            return False
        pivot = np.sqrt(work[j, j])
        work[j, j] = pivot
        for i in range(j + 1, p):
            work[i, j] /= pivot
            work[j, i] = work[i, j]
        for i in range(j + 1, p):
            x = work[i, j]
            for k in range(j + 1, i + 1):
                work[i, k] -= x * work[j, k]
    for j in range(p):
        s = right[j]
        for k in range(j):
            s -= work[j, k] * out[k]
        out[j] = s / work[j, j]
    for j in range(p - 1, -1, -1):
        s = out[j]
        for k in range(j + 1, p):
            s -= work[j, k] * out[k]
        out[j] = s / work[j, j]
    return True


@numba.njit(cache=True, nogil=True)
def _linearise(
    pairs: I64, gates: F64, num_qubits: int, last: I64, jacobian: F64, re: F64, im: F64, mr: F64, mi: F64
) -> None:
    """Columns of the Jacobian; `re`, `im` end as the unitary."""
    size = len(re)
    re[:] = 0.0
    im[:] = 0.0
    for i in range(size):
        re[i, i] = 1.0
    column = 0
    for k in range(len(pairs) - 1, -1, -1):
        both = 0
        for side in range(2):
            g = num_qubits + 2 * k + side
            bit = 1 << (num_qubits - 1 - pairs[k, side])
            both |= bit
            column = _generators(re, im, bit, last[g] == 1, jacobian, column, mr, mi)
            _turn_columns(re, im, bit, gates[g])
        _flip_columns(re, im, both)
    for q in range(num_qubits):
        bit = 1 << (num_qubits - 1 - q)
        column = _generators(re, im, bit, last[q] == 1, jacobian, column, mr, mi)
        _turn_columns(re, im, bit, gates[q])


@numba.njit(cache=True, nogil=True)
def _moved(pairs: I64, gates: F64, num_qubits: int, last: I64, step: F64, out: F64) -> None:
    """Gates after a step: u <- exp(-i d.P / 2) u."""
    column = 0
    for k in range(len(pairs) - 1, -2, -1):
        for side in range(2 if k >= 0 else num_qubits):
            g = num_qubits + 2 * k + side if k >= 0 else side
            x, y, z = step[column], step[column + 1], 0.0
            column += 2
            if last[g] == 1:
                z = step[column]
                column += 1
            angle = np.sqrt(x * x + y * y + z * z) / 2
            c = np.cos(angle)
            s = np.sin(angle) / (2 * angle) if angle > 1e-12 else 0.5
            x, y, z = s * x, s * y, s * z
            a, b, d, e = gates[g]
            out[g, 0] = c * a - x * b - y * d - z * e
            out[g, 1] = c * b + x * a + y * e - z * d
            out[g, 2] = c * d + y * a + z * b - x * e
            out[g, 3] = c * e + z * a + x * d - y * b
            norm = np.sqrt(np.sum(out[g] * out[g]))
            for i in range(4):
                out[g, i] /= norm


@numba.njit(cache=True, nogil=True)
def _last_gates(pairs: I64, num_qubits: int) -> I64:
    """1 for the last gate of each qubit."""
    last = np.zeros(num_qubits + 2 * len(pairs), np.int64)
    seen = np.zeros(num_qubits, np.bool_)
    for k in range(len(pairs) - 1, -1, -1):
        for side in range(2):
            if not seen[pairs[k, side]]:
                seen[pairs[k, side]] = True
                last[num_qubits + 2 * k + side] = 1
    for q in range(num_qubits):
        if not seen[q]:
            last[q] = 1
    return last


@numba.njit(cache=True, nogil=True)
def fit(
    target_re: F64, target_im: F64, pairs: I64, gates: F64, num_qubits: int, limit: int
) -> tuple[float, int]:
    """Fit the gates, in place, to a target.

    Args:
        target_re, target_im: shape (N, N): the transposed target.
        pairs: shape (k, 2): qubits of each CZ, in order.
        gates: shape (n + 2 k, 4): quaternions; the start, then the best found.
        num_qubits: n.
        limit: at most this many evaluations.

    Returns:
        the distance (the smaller of the Frobenius norms of K and of U - exp(i phi) V, which agree where they
        are small), evaluations used.
    """
    size = 1 << num_qubits
    p = 4 * len(pairs) + 3 * num_qubits
    re, im = np.empty((size, size)), np.empty((size, size))
    mr, mi = np.empty((size, size)), np.empty((size, size))
    jacobian, by_entry = np.empty((p, size * size)), np.empty((size * size, p))
    hessian, work = np.empty((p, p)), np.empty((p, p))
    gradient, step = np.empty(p), np.empty(p)
    residual, tried = np.empty(size * size), np.empty(size * size)
    last = _last_gates(pairs, num_qubits)
    trial = gates.copy()

    _linearise(pairs, gates, num_qubits, last, jacobian, re, im, mr, mi)
    cost = _misfit(re, im, target_re, target_im, mr, mi, residual)
    _normal(jacobian, residual, by_entry, hessian, gradient)
    damping, growth, used = 0.01 * size, 2.0, 1
    milestone, ask_at = cost, PATIENCE
    while used < limit and cost > NEAR and damping < 1e6 * size:
        fits = solve(hessian, damping, gradient, work, step)
        _moved(pairs, gates, num_qubits, last, step, trial)
        product(pairs, trial, num_qubits, re, im)
        new = _misfit(re, im, target_re, target_im, mr, mi, tried)
        used += 1
        expected = 0.5 * np.sum(step * (damping * step + gradient))
        ratio = (cost - new) / expected if fits and expected > 0 else -1.0
        if ratio > 0.0:
            damping *= max(1 / 3, 1 - (2 * ratio - 1) ** 3)
            growth = 2.0
            gates[:] = trial
            cost = new
            residual[:] = tried
            _linearise(pairs, gates, num_qubits, last, jacobian, re, im, mr, mi)
            _normal(jacobian, residual, by_entry, hessian, gradient)
        else:
            damping *= growth
            growth *= 2.0
        if used >= ask_at:
            if cost > PROGRESS * milestone:
                break
            milestone, ask_at = cost, used + PATIENCE
    norm = np.sqrt(np.sum(residual * residual))
    if cost > NEAR:
        return np.sqrt(2 * cost), used
    for _ in range(POLISH):
        if not solve(hessian, 1e-9 * size, gradient, work, step):
            break
        _moved(pairs, gates, num_qubits, last, step, trial)
        product(pairs, trial, num_qubits, re, im)
        _misfit(re, im, target_re, target_im, mr, mi, tried)
        used += 1
        new = np.sqrt(np.sum(tried * tried))
        if new >= norm:
            break
        gates[:] = trial
        residual[:] = tried
        done = new > 0.5 * norm
        norm = new
        if done:
            break
        _linearise(pairs, gates, num_qubits, last, jacobian, re, im, mr, mi)
        _normal(jacobian, residual, by_entry, hessian, gradient)
    return norm, used
