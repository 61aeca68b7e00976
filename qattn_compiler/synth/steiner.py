"""Linear maps and parity networks on a coupling graph.

CX rows on edges bring each of some parities of the wires onto some wire at some time, and at the end each
output of an invertible linear map over GF(2) onto some wire. On which wire an output ends is chosen too:
whoever asks renames wires. Steiner trees join the wires that a parity is made of.

Sources: Kissinger and van de Griend, arXiv:1904.00633; Nash, Gheorghiu, Mosca, arXiv:1904.01972 (Steiner
trees); Griend and Li, arXiv:2205.00724 (PermRowCol: outputs on free wires); Vandaele, Martiel, de Brugiere,
arXiv:2104.00934 (parities one by one, the cheapest first).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Bits = NDArray[np.uint8]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Network:
    """A parity network on a graph.

    Attributes:
        steps: shape (count, 3): (control, target, -1) for a CX on an edge, (-1, wire, parity) where a parity
            stands on a wire.
        place: shape (wires,): the wire on which each output ends.
        gates: how many CX.
    """

    steps: Ints
    place: Ints
    gates: int


def neighbours_of(size: int, edges: NDArray[np.integer]) -> NDArray[np.int32]:
    """Shape (size, degree): the neighbours of each vertex of an undirected graph, -1 fills up.

    Args:
        size: how many vertices.
        edges: shape (edges, 2), each edge once.
    """
    ends = np.concatenate([edges, edges[:, ::-1]]).reshape(-1, 2)
    ends = ends[np.lexsort((ends[:, 1], ends[:, 0]))]
    degree = np.bincount(ends[:, 0], minlength=size)
    out = np.full((size, max(1, int(degree.max(initial=0)))), -1, dtype=np.int32)
    column = np.arange(len(ends)) - np.repeat(np.cumsum(degree) - degree, degree)
    out[ends[:, 0], column] = ends[:, 1]
    return out


def synthesise(
    outputs: Bits,
    parities: Bits,
    neighbours: NDArray[np.int32],
    seed: int = 0,
    tries: int = 4,
    limit: int = 1 << 60,
    first: int = 0,
) -> Network | None:
    """The network with the fewest CX of several tries.

    Args:
        outputs: shape (wires, wires): row j has a 1 for each wire in output j; invertible over GF(2).
        parities: shape (parities, wires): none of them empty.
        neighbours: shape (wires, degree): a connected graph (`neighbours_of`).
        seed: of choices among equals.
        tries: how many.
        limit: the most CX that are of use.
        first: number of the first try; four in a row differ in method.

    Returns:
        the network, or None if every try takes more than `limit` CX.
    """
    from qattn_compiler.synth.steiner_kernels import inverse, network

    dual = np.ascontiguousarray(outputs.T)
    wanted, waiting = inverse(outputs), np.ascontiguousarray(parities.T)
    best: Network | None = None
    for number in range(first, first + tries):
        mode = (3, 0, 2, 1)[number % 4]
        steps, place, gates = network(
            wanted.copy(), dual.copy(), waiting.copy(), neighbours, mode, seed + number, limit
        )
        if gates >= 0:
            best, limit = Network(steps, place, gates), gates - 1
    return best
