"""Stacks of circuits on two qubits: layers of single-qubit gates with an entangler between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from qattn_compiler.circuit import su2
from qattn_compiler.circuit.gates import BY_NAME
from qattn_compiler.synth import weyl
from qattn_compiler.synth.weyl import Complexes, Floats, Ints, Kak
from qattn_compiler.synth.weyl_gates import two_qubit_matrices

MAX_COUNT: Final = 4
"""No entangler needs more of itself."""

PI: Final = float(np.pi)
ONE: Final = np.array([1.0, 0.0, 0.0, 0.0])
H: Final = np.array([0.0, 2**-0.5, 0.0, 2**-0.5])
"""The Hadamard gate but for its phase, a factor i."""

Layer = tuple[Floats, Floats]
"""Quaternions of the gates on the first and on the second qubit, each of shape (4,) or (n, 4)."""


@dataclass(frozen=True, eq=False)
class Programs:
    """n circuits (module docstring); layer k is followed by entangler k.

    Attributes:
        gate: the entangler, a gate of the table.
        counts: shape (n,): how many entanglers the circuit has; layers beyond are not used.
        angles: shape (n, MAX_COUNT, 3): the entanglers' angles, radians.
        layers: shape (n, MAX_COUNT + 1, 2, 4): quaternions, in the order of time.
        phase: shape (n,), radians.
    """

    gate: str
    counts: Ints
    angles: Floats
    layers: Floats
    phase: Floats

    def unitaries(self) -> Complexes:
        """The products, shape (n, 4, 4)."""
        total: Complexes = np.exp(1j * self.phase)[:, None, None] * weyl.local(self.layers[:, 0])
        for k in range(int(self.counts.max(initial=0))):
            here = np.flatnonzero(self.counts > k)
            op = np.full(len(here), BY_NAME[self.gate].code, dtype=np.uint8)
            gates = two_qubit_matrices(op, self.angles[here, k])
            total[here] = weyl.local(self.layers[here, k + 1]) @ gates @ total[here]
        return total

    def put(self, rows: Ints, layers: Sequence[Layer], phase: Floats | float = 0.0) -> None:
        """Write the layers of some programs, and add to their phases."""
        for k, pair in enumerate(layers):
            for q in range(2):
                self.layers[rows, k, q] = pair[q]
        self.phase[rows] += phase

    def wrap(self, rows: Ints, count: int, kak: Kak) -> None:
        """Put the outer gates of decompositions around programs of the interactions alone."""
        self.layers[rows, 0] = su2.multiply(self.layers[rows, 0], kak.right[rows])
        self.layers[rows, count] = su2.multiply(kak.left[rows], self.layers[rows, count])

    def over(self, gate: str, angles: Sequence[float], after: Layer, before: Layer, phase: float) -> Programs:
        """The same with each entangler E as exp(i phase) after E' before, E' being the gate of that name."""
        out = empty(gate, self.counts, self.phase + phase * self.counts)
        out.layers[:] = self.layers
        for k in range(MAX_COUNT):
            rows = np.flatnonzero(self.counts > k)
            out.angles[rows, k, : len(angles)] = angles
            for q in range(2):
                out.layers[rows, k, q] = product(before[q], out.layers[rows, k, q])
                out.layers[rows, k + 1, q] = product(out.layers[rows, k + 1, q], after[q])
        return out

    def sunk(self) -> Programs:
        """The same over a diagonal entangler, with the Z part of each gate moved through it to the end.

        What is left before an entangler turns about an axis of the equator, or is nothing.
        """
        out = empty(self.gate, self.counts, self.phase)
        out.angles[:], out.layers[:] = self.angles, self.layers
        for k in range(MAX_COUNT):
            rows = np.flatnonzero(self.counts > k)
            if not len(rows):
                break
            gate = out.layers[rows, k]
            flat = np.hypot(gate[..., 0], gate[..., 3]) < su2.EPS
            angle = np.where(flat, 0.0, 2 * np.arctan2(gate[..., 3], gate[..., 0]))
            out.layers[rows, k] = product(turn(3, -angle), gate)
            out.layers[rows, k + 1] = product(out.layers[rows, k + 1], turn(3, angle))
        return out

    def swapped(self) -> Programs:
        """The same with each (symmetric) entangler E as SWAP E', and SWAP^count in front of it all.

        The SWAPs meet and vanish when each is moved to the front: layer k has k of them on its right.
        """
        out = empty(self.gate, self.counts, self.phase)
        out.angles[:], out.layers[:] = self.angles, self.layers
        out.layers[:, 1::2] = self.layers[:, 1::2, ::-1]
        return out


def empty(gate: str, counts: Ints, phase: Floats) -> Programs:
    """Programs of this many identity layers."""
    n = len(counts)
    layers = np.tile(ONE, (n, MAX_COUNT + 1, 2, 1))
    return Programs(gate, counts, np.zeros((n, MAX_COUNT, 3)), layers, phase.copy())


def turn(axis: int, angle: Floats | float) -> Floats:
    """Quaternions of rotations about X, Y, Z (axis 1, 2, 3) by angles (...,): (..., 4)."""
    half = np.asarray(angle) / 2
    out = np.zeros((*half.shape, 4))
    out[..., 0], out[..., axis] = np.cos(half), np.sin(half)
    return out


def product(*factors: Floats) -> Floats:
    """Product of quaternions; the last factor acts first."""
    total = factors[0]
    for factor in factors[1:]:
        total = su2.multiply(total, factor)
    return total


def inverse(q: Floats) -> Floats:
    """Inverses of unit quaternions (..., 4)."""
    inverted: Floats = q * np.array([1.0, -1.0, -1.0, -1.0])
    return inverted
