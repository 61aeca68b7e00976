"""Programs over the square root of iSWAP: two for x >= y + |z| (79 % of random unitaries), three for all.

Source: Huang et al., PRL 130, 070601 (2023), arXiv:2105.06074: theorem 1 (the region W'), algorithm 1 (angles
of two gates). Their arccos are written here by half angles without differences of nearly equal numbers, so
that nothing is lost near the walls of the chamber.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from qattn_compiler.synth import weyl
from qattn_compiler.synth.entangler_programs import ONE, PI, Layer, Programs, empty, inverse, product, turn
from qattn_compiler.synth.weyl import Floats, Ints, Kak

_EIGHTH: Final = PI / 8
_GATE: Final = np.array([_EIGHTH, _EIGHTH, 0.0])
"""siswap is exp(i pi/8 (XX + YY))."""


def nearest_siswap(coordinates: Floats, count: int) -> Floats:
    """The closest coordinates that `count` gates reach."""
    if count == 0:
        return np.zeros_like(coordinates)
    if count == 1:
        return np.broadcast_to(_GATE, coordinates.shape)
    if count == 3:
        return coordinates
    x, y, z = np.moveaxis(coordinates, -1, 0)
    excess = np.maximum(y + np.abs(z) - x, 0.0)
    to_x = np.minimum(excess / 3, PI / 4 - np.minimum(x, PI / 4))
    from_z = np.minimum((excess - to_x) / 2, np.abs(z))
    return np.stack([x + to_x, y - (excess - to_x - from_z), np.sign(z) * (np.abs(z) - from_z)], axis=-1)


def build_siswap(kak: Kak, counts: Ints) -> Programs:
    """Programs over siswap for `nearest_siswap` of the decompositions."""
    out = empty("siswap", counts, kak.phase)
    for count in np.unique(counts).tolist():
        rows = np.flatnonzero(counts == count)
        coordinates = nearest_siswap(kak.coordinates[rows], count)
        if count == 2:
            layers, phase = _two(coordinates)
        elif count == 3:
            layers, phase = _three(coordinates)
        else:
            layers, phase = [(ONE, ONE)] * (count + 1), np.zeros(len(rows))
        out.put(rows, layers, phase)
        out.wrap(rows, count, kak)
    return out


def _two(coordinates: Floats) -> tuple[list[Layer], Floats]:
    """Layers and phases of interactions with x >= y + |z|."""
    middle = _middle(coordinates)
    gate = weyl.interaction(_GATE)
    made = weyl.kak(gate @ weyl.local(np.stack(middle, axis=1)) @ gate).close_to(coordinates)
    before, after = inverse(made.right), inverse(made.left)
    return [(before[:, 0], before[:, 1]), middle, (after[:, 0], after[:, 1])], -made.phase


def _middle(coordinates: Floats) -> Layer:
    """The gates between two siswap: Rz(g) Rx(a) Rz(g) and Rx(b), algorithm 1.

    With q = sin^2 x - sin^2 y + sin^2 z, the paper's cos a and cos b are 1 - 2 (q -+ sqrt C). The smaller of
    the two and the distance of the larger from 1 are written as quotients, in which nothing cancels.
    """
    x, y, z = coordinates.T
    x, z = np.minimum(x, PI / 4), np.clip(z, y - x, x - y)  # rounding may have left them just outside
    sx, sy, sz = np.sin(x) ** 2, np.sin(y) ** 2, np.sin(z) ** 2
    q = np.sin(x + y) * np.sin(x - y) + sz
    c = np.sin(x + y + z) * np.sin(x + y - z) * np.sin(x - y + z) * np.sin(x - y - z)
    root = np.sqrt(np.maximum(c, 0.0))
    larger, one_less_smaller = q + root, (1 - q) + root
    smaller = 4 * sx * (1 - sy) * sz / np.where(larger > 0, larger, 1.0)
    one_less_larger = (np.cos(2 * x) * np.cos(2 * z) + 2 * sy * (1 - 2 * sx * sz)) / one_less_smaller
    swing = 4 * (1 - sx) * (1 - sz) * sy
    rest = np.cos(2 * x) * np.cos(2 * y) * np.cos(2 * z)
    about_z = np.arctan2(_root(rest), np.where(z < 0, -1.0, 1.0) * np.sqrt(swing))
    twist = turn(3, about_z)
    about_x = turn(1, 2 * np.arctan2(_root(smaller), _root(one_less_smaller)))
    return product(twist, about_x, twist), turn(1, 2 * np.arctan2(_root(larger), _root(one_less_larger)))


def _root(value: Floats) -> Floats:
    """The square root, 0 for what rounding has made negative."""
    root: Floats = np.sqrt(np.maximum(value, 0.0))
    return root


def _peels() -> tuple[Floats, Floats]:
    """siswap turned to two of the axes with either sign: what it adds to the coordinates (12, 3), and the
    gates (12, 2, 4) that turn it there."""
    added, gates = [], []
    for idle, to in enumerate((turn(2, PI / 2), turn(1, PI / 2), ONE)):  # Z to the idle axis
        for flips in (0, 1, 2, 3):
            sign = np.where(np.arange(3) == idle, 0.0, _EIGHTH)
            first = to
            if flips & 1:
                first, sign = product(first, turn(3, PI)), -sign  # both are negated
            if flips & 2:
                one = 0 if idle else 1
                first = product(turn(one + 1, PI), first)
                sign = np.where(np.arange(3) == one, sign, -sign)
            added.append(sign)
            gates.append(np.stack([first, to]))
    return np.array(added), np.array(gates)


_ADDED, _TURNS = _peels()


def _three(coordinates: Floats) -> tuple[list[Layer], Floats]:
    """Layers and phases of any interactions: one siswap is taken off so that two reach what is left."""
    margin = np.empty((len(_ADDED), len(coordinates)))
    for k, added in enumerate(_ADDED):
        x, y, z = np.sort(np.abs(_folded(coordinates - added)), axis=-1)[:, ::-1].T
        margin[k] = x - y - z
    chosen = margin.argmax(axis=0)
    rest = weyl.kak(weyl.interaction(coordinates - _ADDED[chosen]))
    (before, middle, after), phase = _two(rest.coordinates)
    around = _TURNS[chosen]
    undone = product(inverse(around), rest.left)
    layers: list[Layer] = [
        (product(before[0], rest.right[:, 0]), product(before[1], rest.right[:, 1])),
        middle,
        (product(undone[:, 0], after[0]), product(undone[:, 1], after[1])),
        (around[:, 0], around[:, 1]),
    ]
    return layers, phase + rest.phase


def _folded(coordinates: Floats) -> Floats:
    """Coordinates modulo pi/2, from -pi/4 to pi/4."""
    folded: Floats = coordinates - np.round(coordinates / (PI / 2)) * (PI / 2)
    return folded
