"""Hot loops of `near_state`: single-qubit gates between given two-qubit gates, fitted so that a circuit
prepares states as well as it can.

The circuits are those of `instantiate`: one gate on each qubit first, then, after each two-qubit gate, one on
either of its qubits. All gates but one being held, the overlap with the wanted state is tr(u M) for a matrix
M of 2 x 2, so the best u is the unitary factor of M's polar decomposition; every gate gets it in turn, and
the overlap never falls.

Source: the environment picture of QFactor (Kukliansky et al., arXiv:2306.08152), for states.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

C128 = NDArray[np.complex128]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

ROUNDING = 1e-15
"""One minus an overlap is rounded to about this."""


@numba.njit(cache=True, nogil=True)
def _turn(state: C128, bit: int, u: C128) -> None:
    """A single-qubit gate, in place."""
    for i in range(len(state)):
        if i & bit:
            continue
        x, y = state[i], state[i | bit]
        state[i] = u[0, 0] * x + u[0, 1] * y
        state[i | bit] = u[1, 0] * x + u[1, 1] * y


@numba.njit(cache=True, nogil=True)
def _turn_back(state: C128, bit: int, u: C128) -> None:
    """Its inverse."""
    for i in range(len(state)):
        if i & bit:
            continue
        x, y = state[i], state[i | bit]
        state[i] = np.conj(u[0, 0]) * x + np.conj(u[1, 0]) * y
        state[i | bit] = np.conj(u[0, 1]) * x + np.conj(u[1, 1]) * y


@numba.njit(cache=True, nogil=True)
def _entangle(state: C128, first: int, second: int, m: C128) -> None:
    """A two-qubit gate, in place; `first` is the more significant bit of its matrix."""
    for i in range(len(state)):
        if i & (first | second):
            continue
        a, b, c, d = state[i], state[i | second], state[i | first], state[i | first | second]
        state[i] = m[0, 0] * a + m[0, 1] * b + m[0, 2] * c + m[0, 3] * d
        state[i | second] = m[1, 0] * a + m[1, 1] * b + m[1, 2] * c + m[1, 3] * d
        state[i | first] = m[2, 0] * a + m[2, 1] * b + m[2, 2] * c + m[2, 3] * d
        state[i | first | second] = m[3, 0] * a + m[3, 1] * b + m[3, 2] * c + m[3, 3] * d


@numba.njit(cache=True, nogil=True)
def _best(before: C128, after: C128, bit: int, u: C128) -> None:
    """The gate that takes `before` nearest to `after`, in place; as it is if all do alike."""
    a = b = c = d = 0j  # rows: of `after`; columns: of `before`
    for i in range(len(before)):
        if i & bit:
            continue
        j = i | bit
        a += after[i] * np.conj(before[i])
        b += after[i] * np.conj(before[j])
        c += after[j] * np.conj(before[i])
        d += after[j] * np.conj(before[j])
    # The unitary factor of A = [[a, b], [c, d]] is A + exp(i arg det A) adj(A)^+, but for its length.
    det = a * d - b * c
    size = abs(det)
    turn = det / size if size > 1e-300 else 1.0 + 0j
    p, q = a + turn * np.conj(d), b - turn * np.conj(c)
    length = np.sqrt(abs(p) ** 2 + abs(q) ** 2)
    if length < 1e-12:
        return
    u[0, 0], u[0, 1] = p / length, q / length
    r, s = c - turn * np.conj(b), d + turn * np.conj(a)
    u[1, 0], u[1, 1] = r / length, s / length


@numba.njit(cache=True, nogil=True)
def _sweep(target: C128, bits: I64, matrices: C128, inverses: C128, gates: C128, size: int) -> float:
    """Every gate once, in place, from the first to the last; the squared overlap then."""
    count = len(bits)
    before = np.zeros(len(target), np.complex128)
    before[0] = 1.0
    after = target.copy()
    for k in range(count - 1, -1, -1):
        _turn_back(after, bits[k, 1], gates[size + 2 * k + 1])
        _turn_back(after, bits[k, 0], gates[size + 2 * k])
        _entangle(after, bits[k, 0], bits[k, 1], inverses[k])
    for q in range(size):
        _turn_back(after, 1 << (size - 1 - q), gates[q])
    for q in range(size):
        bit = 1 << (size - 1 - q)
        _turn(after, bit, gates[q])
        _best(before, after, bit, gates[q])
        _turn(before, bit, gates[q])
    for k in range(count):
        _entangle(before, bits[k, 0], bits[k, 1], matrices[k])
        _entangle(after, bits[k, 0], bits[k, 1], matrices[k])
        for side in range(2):
            g = size + 2 * k + side
            _turn(after, bits[k, side], gates[g])
            _best(before, after, bits[k, side], gates[g])
            _turn(before, bits[k, side], gates[g])
    overlap = 0j
    for i in range(len(target)):
        overlap += np.conj(target[i]) * before[i]
    return abs(overlap) ** 2


@numba.njit(cache=True, nogil=True)
def _rephase(aim: C128, bits: I64, matrices: C128, gates: C128, size: int) -> None:
    """The magnitudes of a state with the phases of what a circuit prepares, in place."""
    now = np.zeros(len(aim), np.complex128)
    now[0] = 1.0
    for q in range(size):
        _turn(now, 1 << (size - 1 - q), gates[q])
    for k in range(len(bits)):
        _entangle(now, bits[k, 0], bits[k, 1], matrices[k])
        for side in range(2):
            _turn(now, bits[k, side], gates[size + 2 * k + side])
    for i in range(len(aim)):
        length = abs(now[i])
        aim[i] = abs(aim[i]) * (now[i] / length if length > 1e-300 else 1.0)


@numba.njit(cache=True, nogil=True)
def fit_states(
    targets: C128,
    bits: I64,
    matrices: C128,
    gates: C128,
    size: int,
    sweeps: int,
    progress: float,
    free: bool,
    enough: F64,
) -> tuple[F64, I64]:
    """Fit the gates of every member, in place, to its target.

    Args:
        targets: shape (members, 2^size), each of norm 1.
        bits: shape (k, 2): the bits of the two qubits of each two-qubit gate, in order.
        matrices: shape (k, 4, 4): their unitaries, the first bit the more significant.
        gates: shape (members, size + 2 k, 2, 2): unitaries; the start, then the best found.
        size: qubits.
        sweeps: at most so many times over all gates.
        free: whether only the magnitudes of the targets count: before each sweep they get the phases that
            the circuit gives them now.
        enough: shape (members,): a member is done once no more than this is missing.
        progress: a member is given up once a sweep takes less than this share of what is missing.

    Returns:
        squared overlaps and how many sweeps were made, shape (members,) each.
    """
    inverses = np.empty_like(matrices)
    for k in range(len(matrices)):
        for i in range(4):
            for j in range(4):
                inverses[k, i, j] = np.conj(matrices[k, j, i])
    found, made = np.zeros(len(targets)), np.zeros(len(targets), np.int64)
    aim = np.empty(targets.shape[1], np.complex128)
    for n in range(len(targets)):
        missing = 1.0
        for _ in range(sweeps):
            aim[:] = targets[n]
            if free:
                _rephase(aim, bits, matrices, gates[n], size)
            found[n] = _sweep(aim, bits, matrices, inverses, gates[n], size)
            made[n] += 1
            left = 1.0 - found[n]
            if left <= enough[n] or left < ROUNDING or missing - left < progress * left:
                break
            missing = left
    return found, made
