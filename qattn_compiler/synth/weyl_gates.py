"""Matrices of many two-qubit rows at once, from the gate table's own matrices.

Every gate of the table is linear in 1 and in the cosines and sines of its angles and of their halves, so a
few samples of `Gate.matrix` give the coefficients, and one product gives the matrices of all rows.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit.gates import GATES

_SAMPLES = 64
_UNIT = 4
"""The coefficients are multiples of 1/4, so that rounding makes them exact."""


def two_qubit_matrices(op: NDArray[np.uint8], angles: NDArray[np.float64]) -> NDArray[np.complex128]:
    """Unitaries of two-qubit rows, shape (rows, 4, 4).

    Args:
        op: shape (rows,): codes of two-qubit gates.
        angles: shape (rows, 3): radians.
    """
    out = np.empty((len(op), 4, 4), dtype=complex)
    for code in np.unique(op).tolist():
        rows = np.flatnonzero(op == code)
        gate = GATES[code]
        assert gate.matrix is not None
        if gate.num_angles:
            features = _features(angles[rows, : gate.num_angles])
            out[rows] = (features @ _coefficients(code)).reshape(-1, 4, 4)
        else:
            out[rows] = gate.matrix()
    return out


def _features(angles: NDArray[np.float64]) -> NDArray[np.float64]:
    """1, cos a/2, sin a/2, cos a, sin a of each angle: (rows, k) -> (rows, 4 k + 1)."""
    waves = [wave(scale * angles) for scale in (0.5, 1.0) for wave in (np.cos, np.sin)]
    return np.concatenate([np.ones((len(angles), 1)), *waves], axis=1)


@cache
def _coefficients(code: int) -> NDArray[np.complex128]:
    gate = GATES[code]
    assert gate.matrix is not None
    samples = np.random.default_rng(0).uniform(-np.pi, np.pi, (_SAMPLES, gate.num_angles))
    matrices = np.array([gate.matrix(*one) for one in samples]).reshape(_SAMPLES, 16)
    found = np.linalg.lstsq(_features(samples).astype(complex), matrices, rcond=None)[0]
    exact: NDArray[np.complex128] = np.round(_UNIT * found) / _UNIT
    return exact
