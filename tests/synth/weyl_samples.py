"""Two-qubit unitaries of all kinds: random, near the edges of the chamber, Clifford, gates of the table."""

from __future__ import annotations

from math import pi

import numpy as np

from qattn_compiler.circuit import su2
from qattn_compiler.circuit.gates import BY_NAME, GATES
from qattn_compiler.synth import weyl

QUARTER = pi / 4
SWAP = BY_NAME["swap"].matrix()
CORNERS = [
    *[(0, 0, 0), (1, 0, 0), (1, 1, 0), (1, 1, 1), (0.5, 0, 0), (0.5, 0.5, 0), (0.5, 0.5, 0.5)],
    *[(1, 0.5, 0), (0.5, 0.5, -0.5), (1, 0.3, 0.3), (0.7, 0.3, -0.3), (0.7, 0.7, 0.2), (0.75, 0.25, 0)],
    *[(0.7, 0.5, -0.2), (1, 0.5, 0.5), (1, 1, 1 / 6), (5 / 6, 5 / 6, 5 / 6), (5 / 6, 5 / 6, 0)],
]
"""Points on corners, edges and walls of the chamber, in units of pi / 4."""


def haar(rng, n):
    q, r = np.linalg.qr(rng.normal(size=(n, 4, 4)) + 1j * rng.normal(size=(n, 4, 4)))
    diagonal = np.einsum("nii->ni", r)
    return q * (diagonal / np.abs(diagonal))[:, None, :]


def locals_(rng, n, clifford=0.3):
    """Random gates on both qubits; some are Cliffords, which make many entries equal or zero."""
    pair = rng.normal(size=(n, 2, 4))
    pair /= np.linalg.norm(pair, axis=-1, keepdims=True)
    special = rng.random(n) < clifford
    pair[special] = su2.from_xza(rng.choice([0, pi / 2, pi, -pi / 2], size=(special.sum(), 2, 3)))
    return weyl.local(pair)


def near_edges(rng, each=6):
    """Classes 0 and 1e-16 to 1e-4 away from corners, edges and walls, by a distance for each coordinate."""
    points = np.repeat(np.array(CORNERS) * QUARTER, 13 * each, axis=0)
    scale = np.tile(np.repeat(np.r_[0.0, 10.0 ** np.arange(-15, -3)], each), len(CORNERS))[:, None]
    spread = 10.0 ** rng.uniform(-3, 0, size=points.shape) * rng.choice([-1, 0, 1], size=points.shape)
    coordinates = points + scale * spread
    n = len(coordinates)
    phase = np.exp(1j * rng.uniform(0, 2 * pi, size=n))[:, None, None]
    return phase * locals_(rng, n) @ weyl.interaction(coordinates) @ locals_(rng, n)


def cliffords(rng, n=400):
    """Products of fixed gates: permutation-like matrices with many equal eigenvalues."""
    names = ("cx", "cz", "swap", "iswap", "ch", "cy")
    out = np.tile(np.eye(4, dtype=complex), (n, 1, 1))
    for k in range(4):
        chosen = np.array([BY_NAME[name].matrix() for name in names])[rng.integers(len(names), size=n)]
        turned = np.where((rng.random(n) < 0.5)[:, None, None], SWAP @ chosen @ SWAP, chosen)
        out = turned @ out
        if k % 2:
            out = locals_(rng, n, 1.0) @ out
    return out


def all_kinds(seed):
    rng = np.random.default_rng(seed)
    single = [BY_NAME[g.name].matrix(*[0.7, 1.1][: g.num_angles]) for g in GATES if g.num_qubits == 2]
    return np.concatenate([haar(rng, 500), near_edges(rng), cliffords(rng), np.array(single)])


def norms(matrices):
    return np.linalg.norm(matrices, 2, axis=(1, 2))
