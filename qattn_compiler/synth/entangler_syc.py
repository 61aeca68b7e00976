"""Programs over Google's Sycamore gate SYC = fsim(pi/2, pi/6): two for CPHASE, three for nearly everything.

Up to single-qubit gates SYC is SWAP exp(i a ZZ) with a = 5 pi/24; SWAPs are moved through a program and
vanish in pairs (`Programs.swapped`), so a program of k SYC for U is one of k gates D = exp(i a ZZ) for
SWAP^k U. k gates D reach: k = 1, (a, 0, 0); k = 2, z = 0 and x + y <= 2 a; k >= 3, x + y + |z| <= k a. All
programs here are closed forms.

Three D: with R = N W D^-1 (N the interaction, W local), R has z = 0 if and only if the trace of its
gamma invariant is real (Shende, Bullock, Markov, PRA 70, 012310 (2004), proposition III.3). W takes ZZ to a
product m.sigma x n.sigma, and the condition is linear in d_j = m_j n_j:

    sum_j d_j cos 2c_j sin 2c_k sin 2c_l = cot 2a sin 2x sin 2y sin 2z.

The plane cuts the edges of the octahedron |d_x| + |d_y| + |d_z| = 1 in a few points; one of them leaves R
within reach of two D.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit import su2
from qattn_compiler.synth import weyl
from qattn_compiler.synth.entangler_cz import swapped_where_odd
from qattn_compiler.synth.entangler_programs import ONE, PI, H, Layer, Programs, empty, inverse, product, turn
from qattn_compiler.synth.weyl import QUARTER, Complexes, Floats, Ints, Kak

ANGLES: Final = (PI / 2, PI / 6)
_A: Final = 5 * PI / 24
_TWO: Final = 2 * _A
_D: Final[Complexes] = weyl.interaction(np.array([0.0, 0.0, _A]))


def nearest_syc(coordinates: Floats, count: int) -> Floats:
    """The closest coordinates that `count` SYC reach (those of SWAP^count within reach of `count` D)."""
    x, y, z = np.moveaxis(coordinates, -1, 0)
    sign = np.where(z < 0, -1.0, 1.0)
    if count == 0:
        return np.zeros_like(coordinates)
    if count == 1:
        return np.stack([np.full_like(x, QUARTER), np.full_like(x, QUARTER), sign * PI / 24], axis=-1)
    if count == 2:
        excess = np.maximum(x + y - _TWO, 0.0) / 2
        return np.stack([x - excess, y - excess, np.zeros_like(z)], axis=-1)
    if count == 3:
        lack = np.maximum(3 * (QUARTER - _A) - (x + y + np.abs(z)), 0.0) / 3
        return np.stack([x + lack, y + lack, z + sign * lack], axis=-1)
    return coordinates


def build_syc(kak: Kak, counts: Ints) -> Programs:
    """Programs over SYC for `nearest_syc` of the decompositions."""
    reached = kak.coordinates.copy()
    for count in np.unique(counts).tolist():
        rows = counts == count
        reached[rows] = nearest_syc(kak.coordinates[rows], count)
    inner = swapped_where_odd(Kak(kak.phase, reached, kak.left, kak.right), counts)
    out = empty("rzz", counts, inner.phase)
    for count in np.unique(counts).tolist():
        rows = np.flatnonzero(counts == count)
        out.put(rows, *_BUILDERS[count](inner.coordinates[rows]))
        out.wrap(rows, count, inner)
    before = turn(3, PI / 12)
    return out.over("fsim", ANGLES, (ONE, ONE), (before, before), 7 * PI / 24).swapped()


def _zero(coordinates: Floats) -> tuple[list[Layer], Floats]:
    return [(ONE, ONE)], np.zeros(len(coordinates))


def _one(coordinates: Floats) -> tuple[list[Layer], Floats]:
    return [(H, H), (H, H)], np.zeros(len(coordinates))


def _two(coordinates: Floats) -> tuple[list[Layer], Floats]:
    """exp(i (x XX + y YY)): a quarter turn about Y takes ZZ to XX."""
    there = turn(2, PI / 2)
    layers = _plane(coordinates[:, 0], coordinates[:, 1])
    return _conjugated(layers, there), np.zeros(len(coordinates))


def _conjugated(layers: list[Layer], by: Floats) -> list[Layer]:
    """The program between these gates on both qubits and their inverses."""
    first, last = layers[0], layers[-1]
    begin = (product(first[0], inverse(by)), product(first[1], inverse(by)))
    return [begin, *layers[1:-1], (product(by, last[0]), product(by, last[1]))]


def _plane(z: Floats, y: Floats) -> list[Layer]:
    """exp(i (z ZZ + y YY)), |z| + |y| <= 2 a, as D, X rotations, D between X rotations.

    All of it commutes with XX. Where XX = +-1, X x 1 acts as sigma_x, ZZ as sigma_z, YY as -+sigma_z, and the
    program is exp(i t sigma_z) with t = z -+ y if sin t = cos f sin 2a for the half angle f between the D.
    """
    half, edge = [], []
    for t in (z - y, z + y):
        room = np.maximum(np.sin(_TWO - t) * np.sin(_TWO + t), 0.0)
        f = np.arctan2(np.sqrt(room), np.sin(t))
        half.append(f)
        edge.append(np.arctan2(-np.sin(f), np.cos(f) * np.cos(_TWO)) / 2)
    middle = (turn(1, half[0] + half[1]), turn(1, half[0] - half[1]))
    outer = (turn(1, edge[0] + edge[1]), turn(1, edge[0] - edge[1]))
    return [outer, middle, outer]


def _edges() -> tuple[Floats, Floats]:
    """Both ends of the twelve edges of the octahedron, (12, 3) each."""
    corners = np.concatenate([np.eye(3), -np.eye(3)])
    pairs = [(i, j) for i in range(6) for j in range(i + 1, 6) if j != i + 3]
    first, second = np.array(pairs).T
    return corners[first], corners[second]


_FIRST, _SECOND = _edges()


def _three(coordinates: Floats) -> tuple[list[Layer], Floats]:
    """Any interaction with x + y + |z| <= 3 a (module docstring)."""
    best = np.full(len(coordinates), np.inf)
    gates = np.tile(ONE, (len(coordinates), 2, 1))
    interaction = weyl.interaction(coordinates)
    for d, usable in _cuts(coordinates):
        rows = np.flatnonzero(usable)
        m = np.sqrt(np.abs(d[rows]))
        pair = np.stack([_from_z(m), _from_z(np.sign(d[rows]) * m)], axis=1)
        left = interaction[rows] @ weyl.local(pair) @ _D.conj().T
        x, y, z = weyl.kak(left).coordinates.T
        miss = np.maximum(x + y - _TWO, 0.0) + np.abs(z)
        better = miss < best[rows]
        best[rows[better]], gates[rows[better]] = miss[better], pair[better]
    rest = weyl.kak(interaction @ weyl.local(gates) @ _D.conj().T)
    layers, _ = _two(rest.coordinates)
    undone = inverse(gates)
    first, middle, last = layers
    return [
        (undone[:, 0], undone[:, 1]),
        (product(first[0], rest.right[:, 0]), product(first[1], rest.right[:, 1])),
        middle,
        (product(rest.left[:, 0], last[0]), product(rest.left[:, 1], last[1])),
    ], rest.phase


def _cuts(coordinates: Floats) -> list[tuple[Floats, NDArray[np.bool_]]]:
    """Where the plane cuts each edge: d of shape (n, 3), and for which of the n it does."""
    cos, sin = np.cos(2 * coordinates), np.sin(2 * coordinates)
    normal = np.stack([cos[:, k] * sin[:, k - 1] * sin[:, k - 2] for k in range(3)], axis=-1)
    offset = sin.prod(axis=-1) / np.tan(_TWO)
    rounding = 1e-13 * (np.abs(normal).sum(axis=-1) + np.abs(offset))
    out = []
    for first, second in zip(_FIRST, _SECOND, strict=True):
        f, g = normal @ first - offset, normal @ second - offset
        slope = np.where(f == g, 1.0, f - g)
        at = np.clip(f / slope, 0.0, 1.0)[:, None]
        touches = np.minimum(np.abs(f), np.abs(g)) <= rounding
        out.append(((1 - at) * first + at * second, touches | (f * g <= 0)))
    return out


def _from_z(vectors: Floats) -> Floats:
    """Quaternions (n, 4) of rotations that take the Z axis to unit vectors (n, 3)."""
    x, y, z = vectors.T
    sign = np.where(z < 0, -1.0, 1.0)
    q = np.stack([1 + np.abs(z), -sign * y, sign * x, np.zeros_like(z)], axis=-1)
    q /= np.linalg.norm(q, axis=-1, keepdims=True)
    return np.where((z < 0)[:, None], su2.multiply(q, np.broadcast_to(turn(1, PI), q.shape)), q)


def _four(coordinates: Floats) -> tuple[list[Layer], Floats]:
    """Any interaction, as (x, y', 0) and (0, y - y', z), which two D each reach."""
    x, y, z = coordinates.T
    taken = np.maximum(0.0, y - (_TWO - np.abs(z)))
    first = _conjugated(_plane(x, taken), turn(2, PI / 2))
    second = _plane(z, y - taken)
    joint = (product(first[0][0], second[2][0]), product(first[0][1], second[2][1]))
    return [*second[:2], joint, *first[1:]], np.zeros(len(coordinates))


_BUILDERS: Final = (_zero, _one, _two, _three, _four)
