"""States near given ones that a circuit with fewer two-qubit gates prepares.

A circuit's two-qubit gates stay what and where they are, so that what was placed on a machine remains there;
its single-qubit gates are fitted (`near_kernels`). Without some of its two-qubit gates, or grown from none,
and fitted, it prepares the nearest state that it can find: how far that is, is for the caller to judge.

Where only outcomes of measurements count, the phases of the amplitudes are free (`free`), and far fewer do:
a state of k qubits has 2^k - 1 magnitudes, and every two-qubit gate brings four angles.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Matrices = NDArray[np.complex128]

SWEEPS: Final = 400
"""Times over all gates at most."""
PROGRESS: Final = 1e-3
"""A fit ends once a sweep takes less than this share of what is missing."""


@dataclass(frozen=True, eq=False)
class Skeleton:
    """Two-qubit gates, and where the single-qubit gates between them stand: one on each qubit first, then,
    after two-qubit gate number k, gate size + 2 k on its first and size + 2 k + 1 on its second qubit.

    Attributes:
        size: qubits.
        pairs: shape (k, 2), int64: the qubits of each two-qubit gate, in order.
        matrices: shape (k, 4, 4): their unitaries (big-endian in the order of the pair).
    """

    size: int
    pairs: Ints
    matrices: Matrices

    @property
    def num_gates(self) -> int:
        """How many single-qubit gates."""
        return self.size + 2 * len(self.pairs)

    def without(self, dropped: Ints, gates: Matrices) -> tuple[Skeleton, Matrices]:
        """The skeleton without some two-qubit gates, and gates to start from: what stood on either side of
        one is multiplied.

        Args:
            dropped: numbers of two-qubit gates.
            gates: shape (members, num_gates, 2, 2).
        """
        last = list(range(self.size))
        kept = gates.copy()
        keep = np.ones(self.num_gates, dtype=bool)
        gone = set(dropped.tolist())
        for k, pair in enumerate(self.pairs.tolist()):
            for side, qubit in enumerate(pair):
                number = self.size + 2 * k + side
                if k in gone:
                    kept[:, last[qubit]] = kept[:, number] @ kept[:, last[qubit]]
                    keep[number] = False
                else:
                    last[qubit] = number
        left = np.array([k for k in range(len(self.pairs)) if k not in gone], dtype=np.int64)
        return Skeleton(self.size, self.pairs[left], self.matrices[left]), kept[:, keep]

    def grown(self, pair: Ints, matrix: Matrices, gates: Matrices) -> tuple[Skeleton, Matrices]:
        """With one more two-qubit gate at the end, and gates to start from.

        Args:
            pair: shape (2,): its qubits.
            matrix: shape (4, 4): its unitary.
            gates: shape (members, num_gates, 2, 2).
        """
        pairs = np.concatenate([self.pairs.reshape(-1, 2), pair[None]])
        matrices = np.concatenate([self.matrices.reshape(-1, 4, 4), matrix[None]])
        idle = np.broadcast_to(np.eye(2, dtype=np.complex128), (len(gates), 2, 2, 2))
        return Skeleton(self.size, pairs, matrices), np.concatenate([gates, idle], axis=1)

    def fit(
        self,
        targets: Matrices,
        gates: Matrices,
        *,
        free: bool = False,
        sweeps: int = SWEEPS,
        enough: Floats | float = 0.0,
    ) -> tuple[Matrices, Floats, int]:
        """Gates that bring |0...0> near each target, from those given, the squared overlaps, and how many
        sweeps that took, all members together.

        Args:
            targets: shape (members, 2^size), each of norm 1 (big-endian: first qubit most significant).
            gates: shape (members, num_gates, 2, 2): unitaries.
            free: whether only the magnitudes of the targets count; overlaps are then those of magnitudes.
            sweeps: times over all gates at most.
            enough: a fit ends once no more than this is missing of the overlap, shape (members,) or ().

        Returns:
            gates of the same shape, shape (members,), a number.
        """
        from qattn_compiler.synth.near_kernels import fit_states

        bits = (1 << (self.size - 1 - self.pairs)).astype(np.int64).reshape(-1, 2)
        found = np.ascontiguousarray(gates, dtype=np.complex128).copy()
        wanted = np.ascontiguousarray(targets, dtype=np.complex128)
        matrices = np.ascontiguousarray(self.matrices, dtype=np.complex128).reshape(-1, 4, 4)
        ends = np.broadcast_to(np.asarray(enough, dtype=np.float64), (len(wanted),)).copy()
        numbers = (self.size, sweeps, PROGRESS, free, ends)
        overlaps, made = fit_states(wanted, bits, matrices, found, *numbers)
        return found, overlaps, int(made.sum())

    def states(self, gates: Matrices) -> Matrices:
        """What the circuits make of |0...0>, shape (members, 2^size), for gates of shape (members,
        num_gates, 2, 2)."""
        count = len(gates)
        flat = np.zeros((count, 1 << self.size), dtype=np.complex128)
        flat[:, 0] = 1.0
        out = flat.reshape(count, *(2,) * self.size)
        for qubit in range(self.size):
            out = _applied(out, (qubit,), gates[:, qubit])
        for k, pair in enumerate(self.pairs.tolist()):
            out = _applied(out, tuple(pair), self.matrices[None, k])
            for side, qubit in enumerate(pair):
                out = _applied(out, (qubit,), gates[:, self.size + 2 * k + side])
        return out.reshape(count, -1)


def random_gates(rng: np.random.Generator, shape: tuple[int, ...]) -> Matrices:
    """Unitaries, uniformly distributed but for their phases, shape (*shape, 2, 2)."""
    parts = rng.normal(size=(2, *shape, 2, 2))
    out: Matrices = np.linalg.qr(parts[0] + 1j * parts[1])[0]
    return out


def _applied(states: Matrices, qubits: tuple[int, ...], matrices: Matrices) -> Matrices:
    """A gate on some axes of states of shape (members, 2, ..., 2)."""
    places = range(1, 1 + len(qubits))
    front = np.moveaxis(states, [1 + q for q in qubits], places)
    out = np.matmul(matrices, front.reshape(len(states), 1 << len(qubits), -1))
    return np.moveaxis(out.reshape(front.shape), places, [1 + q for q in qubits])
