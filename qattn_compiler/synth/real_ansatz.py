"""Circuits whose unitary is real whatever their angles, with three parameters for each CZ.

Real gates alone (RY between CZ) have two parameters for each CZ, so that a matrix of SO(N) on n qubits takes
(N (N - 1) / 2 - n) / 2 of them. More are to be had where the gates are real in another sense. Let A = P K with
complex conjugation K and P = Y on two qubits, the identity on the others. A^2 = 1, so the unitaries that
commute with A are SO(N) in some basis; and they have gates of their own on the single qubits: all of SU(2) on
the two with Y ("quaternion qubits": two of them are a quaternion, multiplied from the left and from the
right), RY on the others ("real qubits"). exp(-i pi/4 Z Z) = CZ (S x S) up to phase commutes with A if one of
its qubits is of either kind. After it two turns on the quaternion qubit and one on the real one are new
(turns about Z commute with it). One CZ between the quaternion qubits leads from K to A, another one back, as
CZ (X x X) CZ = Y x Y up to sign, and H S takes the identity to X in S^T H H S = X.

So (N (N - 1) / 2 - n - 4) / 3 + 2 CZ is the least for SO(N) here, 9, 40, 165 for 3, 4, 5 qubits, where real
gates take 13, 58, 246 at least and quantum Shannon decompositions of complex matrices 20, 100, 444. That a fit
(`real_kernels`) finds every matrix with so few, or with a few more, is not proved; PAIRS of SO(16) did for all
that were tried, degenerate and nearly degenerate ones among them.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit import su2
from qattn_compiler.synth.instantiate import EXACT, Ansatz, Floats, Matrix

PAIRS: Final = ((0, 1), *((0, 2), (1, 3), (0, 3), (1, 2)) * 10, (0, 1))
"""CZ of the circuit of a matrix of SO(16): one more round than the 120 parameters ask for, as nearly singular
matrices want it."""
STARTS: Final = 32
"""Random starts for one matrix; nearly all need one."""
LIMIT: Final = 200
"""Evaluations for each."""

_S: Final = np.array([0.5**0.5, 0.0, 0.0, 0.5**0.5])
_H: Final = np.array([0.0, 0.5**0.5, 0.0, 0.5**0.5])
_ENTER: Final = su2.multiply(_H, _S)
_LEAVE: Final = _ENTER * [1.0, -1.0, -1.0, -1.0]


def fit_real(matrix: Floats, seed: int = 0) -> Ansatz:
    """A matrix of SO(16), up to its phase, over `PAIRS`.

    Args:
        matrix: shape (16, 16).
        seed: of the random starts.

    Raises:
        ArithmeticError: no start led to it.
    """
    from qattn_compiler.synth.real_kernels import fit

    width, inner = 4, np.array(PAIRS[1:-1])
    last = np.zeros(width + 2 * len(inner), dtype=np.int64)
    last[Ansatz(inner, np.zeros((len(last), 4))).last_gates()] = 1
    target = np.ascontiguousarray(_in_real_basis(matrix).T)
    for number in range(STARTS):
        gates = _random_gates(inner, width, np.random.default_rng((seed, number)))
        if fit(target, inner, gates, last, LIMIT)[0] < EXACT:
            return _dressed(inner, gates, width)
    raise ArithmeticError(f"a matrix of SO({len(matrix)}) was not found in {len(PAIRS)} CZ")


def _in_real_basis(matrix: Floats) -> Floats:
    """What the circuit without its first and last CZ has to be, in the kernels' coordinates."""
    enter, basis = _frame(len(matrix).bit_length() - 1)
    inner = basis.conj().T @ enter @ matrix @ enter.conj().T @ basis
    return np.ascontiguousarray(inner.real)


@lru_cache(maxsize=4)
def _frame(width: int) -> tuple[Matrix, Matrix]:
    """The circuit's beginning as a matrix (its end is the inverse), and the real basis: column (c, k) is unit
    quaternion c times [[0, 1], [-1, 0]] on the first two qubits, over sqrt 2, and bits k on the others."""
    one = _matrix(_ENTER)
    enter = np.diag([1, 1, 1, -1]) @ np.kron(one, one)
    units = _matrix(np.eye(4)) @ np.array([[0.0, 1.0], [-1.0, 0.0]]) / np.sqrt(2)
    rest = np.eye(2 ** (width - 2))
    return np.kron(enter, rest), np.kron(units.reshape(4, 4).T, rest)


def _matrix(quaternions: Floats) -> Matrix:
    """Shape (..., 2, 2), of quaternions of shape (..., 4)."""
    w, x, y, z = np.moveaxis(quaternions, -1, 0)
    rows = [np.stack(row, axis=-1) for row in ((w - 1j * z, -y - 1j * x), (y - 1j * x, w + 1j * z))]
    return np.stack(rows, axis=-2)


def _random_gates(inner: NDArray[np.int64], width: int, rng: np.random.Generator) -> Floats:
    """Gates as the kernels take them: quaternions on qubits 0 and 1, angles on the others."""
    qubits = np.concatenate([np.arange(width), inner.reshape(-1)])
    gates = rng.normal(size=(len(qubits), 4))
    gates /= np.linalg.norm(gates, axis=1, keepdims=True)
    real = qubits >= 2
    gates[real] = 0.0
    gates[real, 0] = rng.uniform(-2 * np.pi, 2 * np.pi, np.count_nonzero(real))
    return gates


def _dressed(inner: NDArray[np.int64], gates: Floats, width: int) -> Ansatz:
    """The whole circuit: entered and left by a CZ, each entangler a CZ with S behind."""
    qubits = np.concatenate([np.arange(width), inner.reshape(-1)])
    real = qubits >= 2
    half = gates[real, 0] / 2
    turns = gates.copy()
    turns[real] = np.stack([np.cos(half), 0 * half, np.sin(half), 0 * half], axis=1)
    turns[width:] = su2.multiply(turns[width:], np.broadcast_to(_S, turns[width:].shape))
    first = np.tile([1.0, 0.0, 0.0, 0.0], (width, 1))
    first[:2], first[2:] = _ENTER, turns[2:width]
    turns = np.concatenate([first, turns[:2], turns[width:], np.tile(_LEAVE, (2, 1))])
    pairs = np.concatenate([[[0, 1]], inner, [[0, 1]]])
    return Ansatz(pairs, turns)
