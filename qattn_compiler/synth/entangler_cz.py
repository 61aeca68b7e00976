"""CZ programs, and those of the gates that are CZ between single-qubit gates: CX, MS, ZZ(pi/2), and iSWAP.

Sources: three CZ: Vatan, Williams, PRA 69, 032315 (2004), figure 6; fewer: Shende, Bullock, Markov, PRA 70,
012310 (2004).
"""

from __future__ import annotations

import numpy as np

from qattn_compiler.synth import weyl
from qattn_compiler.synth.entangler_programs import ONE, PI, H, Layer, Programs, empty, product, turn
from qattn_compiler.synth.weyl import QUARTER, Floats, Ints, Kak

_BACK = turn(3, -PI / 2)


def _layers(coordinates: Floats, count: int) -> tuple[list[Layer], float]:
    """Layers and phase of exp(i (x XX + y YY + z ZZ)), whose class takes `count` CZ."""
    x, y, z = coordinates.T
    if count == 0:
        return [(ONE, ONE)], 0.0
    if count == 1:  # exp(i pi/4 ZZ) is CZ with a quarter turn on both; H makes it XX
        after = product(H, _BACK)
        return [(H, H), (after, after)], -QUARTER
    if count == 2:  # CX takes X x 1 to XX and 1 x Z to ZZ; a quarter turn about X takes ZZ to YY
        there, back = turn(1, -PI / 2), turn(1, PI / 2)
        middle = (turn(1, -2 * x), turn(1, -2 * y))
        return [(back, product(H, back)), middle, (there, product(there, H))], PI
    return [
        (H, turn(3, PI / 2)),
        (product(turn(3, PI / 2 - 2 * z), H), product(H, turn(2, PI / 2 - 2 * x))),
        (H, product(turn(2, 2 * y - PI / 2), H)),
        (product(_BACK, H), ONE),
    ], QUARTER + PI


def build_cz(kak: Kak, counts: Ints) -> Programs:
    """Programs over CZ for `weyl.nearest` of the decompositions."""
    out = empty("cz", counts, kak.phase)
    for count in np.unique(counts).tolist():
        rows = np.flatnonzero(counts == count)
        layers, phase = _layers(weyl.nearest(kak.coordinates[rows], count), count)
        out.put(rows, layers, phase)
        out.wrap(rows, count, kak)
    return out.sunk()


def build_cx(kak: Kak, counts: Ints) -> Programs:
    """CZ is CX between two H on the target."""
    return build_cz(kak, counts).over("cx", (), (ONE, H), (ONE, H), PI)


def build_zz(kak: Kak, counts: Ints) -> Programs:
    """CZ is exp(-i pi/4 ZZ) with a quarter turn back on both."""
    return build_cz(kak, counts).over("rzz", (PI / 2,), (_BACK, _BACK), (ONE, ONE), -QUARTER)


def build_ms(kak: Kak, counts: Ints) -> Programs:
    """The Mølmer-Sørensen gate exp(-i pi/4 XX) is that between H on both."""
    after = product(_BACK, H)
    return build_cz(kak, counts).over("rxx", (PI / 2,), (after, after), (H, H), -QUARTER)


def nearest_iswap(coordinates: Floats, count: int) -> Floats:
    """The closest coordinates that `count` iSWAP reach: iSWAP is SWAP CZ up to local gates."""
    if count == 1:
        return np.broadcast_to(np.array([QUARTER, QUARTER, 0.0]), coordinates.shape)
    return weyl.nearest(coordinates, count)


def build_iswap(kak: Kak, counts: Ints) -> Programs:
    """CZ is SWAP iSWAP with a quarter turn back on both; an odd number of SWAPs goes to the unitary."""
    inner = build_cz(swapped_where_odd(kak, counts), counts)
    return inner.over("iswap", (), (ONE, ONE), (_BACK, _BACK), -PI / 2).swapped()


def swapped_where_odd(kak: Kak, counts: Ints) -> Kak:
    """Decompositions of SWAP^count U."""
    other, odd = kak.after_swap(), counts % 2 == 1
    return Kak(
        np.where(odd, other.phase, kak.phase),
        np.where(odd[:, None], other.coordinates, kak.coordinates),
        np.where(odd[:, None, None], other.left, kak.left),
        np.where(odd[:, None, None], other.right, kak.right),
    )
