"""Programs over exp(-i t ZZ / 2) and its kin at any angle: one gate for each coordinate that is not zero.

Two of them always have z = 0 (each is in the span of one axis), so z needs a third.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from qattn_compiler.synth.entangler_programs import ONE, PI, H, Layer, Programs, empty, inverse, product, turn
from qattn_compiler.synth.weyl import Floats, Ints, Kak

_TO_AXIS = (H, turn(1, -PI / 2), ONE)
"""Gates that take Z to X, Y, Z (up to sign)."""


def nearest_fractional(coordinates: Floats, count: int) -> Floats:
    """The closest coordinates that `count` gates reach: the first `count`, the others zero."""
    out = coordinates.copy()
    out[..., count:] = 0.0
    return out


def _build(kak: Kak, counts: Ints, sign: float) -> Programs:
    """Over rzz; the angles have that sign, where a flip of one qubit can choose it."""
    out = empty("rzz", counts, kak.phase)
    flip = turn(1, PI)
    for count in np.unique(counts).tolist():
        rows = np.flatnonzero(counts == count)
        c = kak.coordinates[rows]
        layers: list[Layer] = [(ONE, ONE)]
        for k in range(count):
            up = (sign * c[:, k] > 0)[:, None]  # exp(i c ZZ) is rzz(-2 c), and rzz(2 c) between flips
            first = product(_TO_AXIS[k], np.where(up, flip, ONE))
            _extend(layers, first, np.broadcast_to(_TO_AXIS[k], first.shape))
            out.angles[rows, k, 0] = 2 * sign * np.abs(c[:, k])
        out.put(rows, layers, 0.0)
        out.wrap(rows, count, kak)
    return out.sunk()


def _extend(layers: list[Layer], first: Floats, second: Floats) -> None:
    """Put an entangler between these gates and their inverses behind the last layer."""
    before = (product(inverse(first), layers[-1][0]), product(inverse(second), layers[-1][1]))
    layers[-1:] = [before, (first, second)]


def build_rzz(kak: Kak, counts: Ints) -> Programs:
    """Programs over rzz with angles from 0 to pi/2."""
    return _build(kak, counts, 1.0)


def build_rxx(kak: Kak, counts: Ints) -> Programs:
    """Programs over rxx with angles from 0 to pi/2."""
    return _renamed(_build(kak, counts, 1.0), "rxx", 1.0, (H, H))


def build_cphase(kak: Kak, counts: Ints) -> Programs:
    """Programs over cphase with angles from 0 to pi: rzz(t) is exp(i t/2) cphase(-2 t) with rz(t) on both."""
    inner = _build(kak, counts, -1.0)
    out = _renamed(inner, "cphase", -2.0, (ONE, ONE))
    for k in range(inner.angles.shape[1]):
        rows = np.flatnonzero(counts > k)
        angle = inner.angles[rows, k, 0]
        for q in range(2):
            out.layers[rows, k, q] = product(turn(3, angle), out.layers[rows, k, q])
        out.phase[rows] += angle / 2
    return out


def _renamed(inner: Programs, gate: str, scale: float, around: Sequence[Floats]) -> Programs:
    """Over another gate, which has `scale` times the angle and stands between these (self-inverse) gates."""
    out = inner.over(gate, (), (around[0], around[1]), (inverse(around[0]), inverse(around[1])), 0.0)
    out.angles[:] = scale * inner.angles
    return out
