"""Single-qubit gates as unit quaternions and phases, for whole columns (and batches of columns) at once.

U = exp(i phase) (q0 - i (q1 X + q2 Y + q3 Z)). `phased_xz` angles are radians: x, z, a of
RZ(z + a) RX(x) RZ(-a), which is Cirq's PhasedXZ gate times exp(-i (x + z) / 2).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit.gates import BY_NAME, PHASED_XZ, ROTATION_ANGLE, ROTATION_FAMILY, ROTATION_PHASE

Floats = NDArray[np.float64]

EPS: Final = 1e-13
"""Below this, the sine or cosine of half the X angle counts as rounding error."""

_AXIS: Final = {BY_NAME["rx"].code: 1, BY_NAME["ry"].code: 2, BY_NAME["rz"].code: 3}
_HADAMARD, _XZ = 4, 5
_KIND: Final = np.array([_AXIS.get(int(family), 0) for family in ROTATION_FAMILY])
"""By gate code: 1 to 3 for rotations about X, Y, Z, then _HADAMARD and _XZ, 0 for all others."""
_TURNS: Final = np.array([False, True, True, True, False, False])
_PHASE: Final = np.where(_KIND > 0, ROTATION_PHASE, 0.0)
_KIND[BY_NAME["h"].code], _PHASE[BY_NAME["h"].code] = _HADAMARD, np.pi / 2
_KIND[PHASED_XZ] = _XZ


def quaternions(op: NDArray[np.uint8], angles: Floats) -> tuple[Floats, Floats]:
    """Quaternions and phases of single-qubit rows.

    Args:
        op: shape (rows,): gate codes; rows that are no single-qubit gates come out as the identity.
        angles: shape (..., rows, 3): radians.

    Returns:
        quaternions of shape (..., rows, 4), phases of shape (rows,) (they do not depend on the angles).
    """
    out = np.zeros((*angles.shape[:-1], 4))
    out[..., 0] = 1.0
    kind = _KIND[op]
    rows = np.flatnonzero(_TURNS[kind])
    if len(rows):
        half = (angles[..., rows, 0] + ROTATION_ANGLE[op[rows]]) / 2
        out[..., rows, 0] = np.cos(half)
        out[..., rows, kind[rows]] = np.sin(half)
    rows = np.flatnonzero(kind == _HADAMARD)
    if len(rows):
        out[..., rows, :] = [0.0, 2**-0.5, 0.0, 2**-0.5]
    rows = np.flatnonzero(kind == _XZ)
    if len(rows):
        out[..., rows, :] = from_xza(angles[..., rows, :])
    return out, _PHASE[op]


def multiply(a: Floats, b: Floats) -> Floats:
    """Product a b of quaternions of shape (..., 4): b acts first."""
    a0, a1, a2, a3 = a[..., 0], a[..., 1], a[..., 2], a[..., 3]
    b0, b1, b2, b3 = b[..., 0], b[..., 1], b[..., 2], b[..., 3]
    first = a0 * b0 - a1 * b1 - a2 * b2 - a3 * b3
    out = np.empty((*first.shape, 4))
    out[..., 0] = first
    out[..., 1] = a0 * b1 + a1 * b0 + a2 * b3 - a3 * b2
    out[..., 2] = a0 * b2 + a2 * b0 + a3 * b1 - a1 * b3
    out[..., 3] = a0 * b3 + a3 * b0 + a1 * b2 - a2 * b1
    return out


def from_xza(angles: Floats) -> Floats:
    """Quaternions (..., 4) of RZ(z + a) RX(x) RZ(-a) for angles (..., 3)."""
    x, z, a = angles[..., 0], angles[..., 1], angles[..., 2]
    total, difference = z / 2, z / 2 + a
    cos, sin = np.cos(x / 2), np.sin(x / 2)
    out = np.empty((*total.shape, 4))
    out[..., 0], out[..., 1] = cos * np.cos(total), sin * np.cos(difference)
    out[..., 2], out[..., 3] = sin * np.sin(difference), cos * np.sin(total)
    return out


def to_xza(q: Floats) -> tuple[Floats, Floats]:
    """The canonical `phased_xz` angles of quaternions, and the sign that is left over as a phase.

    x lies in [0, pi], z and a in (-pi, pi]; a is 0 where there is no X part, z is 0 where x is pi.

    Args:
        q: shape (..., 4).

    Returns:
        angles of shape (..., 3) and phases (0 or pi) of shape (...).
    """
    cos, sin = np.hypot(q[..., 0], q[..., 3]), np.hypot(q[..., 1], q[..., 2])
    no_x, no_z = sin < EPS, cos < EPS
    x = np.where(no_x, 0.0, np.where(no_z, np.pi, 2 * np.arctan2(sin, cos)))
    total = np.where(no_z, 0.0, 2 * np.arctan2(q[..., 3], q[..., 0]))
    difference = np.where(no_x, total, 2 * np.arctan2(q[..., 2], q[..., 1]))
    z, a = _wrap(total), _wrap((difference - total) / 2)
    angles = np.stack([x, z, a], axis=-1)
    return angles, np.where(np.sum(from_xza(angles) * q, axis=-1) < 0, np.pi, 0.0)


def _wrap(angle: Floats) -> Floats:
    """Into (-pi, pi], with values within rounding of -pi taken to pi, so that equal gates look equal."""
    wrapped = angle - 2 * np.pi * np.round(angle / (2 * np.pi))
    wrapped = np.where(np.abs(wrapped) < EPS, 0.0, wrapped)
    return np.where(wrapped < -np.pi + EPS, np.pi, wrapped)
