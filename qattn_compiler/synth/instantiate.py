"""Numerical instantiation: the single-qubit gates between given CZ that make a circuit a given unitary.

The work is done in `instantiate_kernels` (which says how); here are the circuit that is fitted, `Ansatz`, and
starts. Everything is deterministic: random starts come from a pool that a seed fills.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit import su2

Matrix = NDArray[np.complex128]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

EXACT = 1e-11
"""A fit at most this far off (Frobenius norm) counts as the target itself; most end below 1e-14."""

POOL = 4096
"""Random quaternions that are kept for a seed."""


@dataclass(frozen=True, eq=False)
class Ansatz:
    """CZ with single-qubit gates between them, on n qubits.

    Attributes:
        pairs: shape (k, 2), int64: the qubits of each CZ, in order.
        gates: shape (n + 2 k, 4): unit quaternions (`circuit.su2`): first one gate on each qubit, then, after
            CZ number i, gate n + 2 i on its first and n + 2 i + 1 on its second qubit.
    """

    pairs: Ints
    gates: Floats

    def __len__(self) -> int:
        return len(self.pairs)

    @property
    def num_qubits(self) -> int:
        """n."""
        return len(self.gates) - 2 * len(self.pairs)

    def unitary(self) -> Matrix:
        """Its unitary, shape (2**n, 2**n), big-endian."""
        from qattn_compiler.synth.instantiate_kernels import product

        size = 1 << self.num_qubits
        re, im = np.empty((size, size)), np.empty((size, size))
        product(self.pairs, self.gates, self.num_qubits, re, im)
        return (re + 1j * im).T

    def last_gates(self) -> Ints:
        """The index of each qubit's last gate, shape (n,)."""
        out = np.arange(self.num_qubits)
        for k, pair in enumerate(self.pairs):
            out[pair] = self.num_qubits + 2 * k + np.arange(2)
        return out

    def tidied(self) -> Ansatz:
        """The same unitary, with Z turns moved through the CZ behind them to the end of each qubit."""
        gates, at = self.gates.copy(), np.arange(self.num_qubits)
        for k, pair in enumerate(self.pairs):
            for side in range(2):
                g, after = at[pair[side]], self.num_qubits + 2 * k + side
                turn = _z_behind(gates[g])
                gates[g] = su2.multiply(turn * [1.0, 0.0, 0.0, -1.0], gates[g])
                gates[after] = su2.multiply(gates[after], turn)
                at[pair[side]] = after
        return Ansatz(self.pairs, gates)


def _z_behind(gate: Floats) -> Floats:
    """The Z turn that a gate ends with: RZ(z + a) of RZ(z + a) RX(x) RZ(-a), shape (4,)."""
    (x, z, a), _ = su2.to_xza(gate)
    half = (z + a) / 2 if x > 0 else z / 2
    return np.array([np.cos(half), 0.0, 0.0, np.sin(half)])


@dataclass(frozen=True, eq=False)
class Target:
    """What is fitted to: a unitary up to its phase, in the kernels' form.

    Attributes:
        re, im: shape (N, N): real and imaginary part of the transposed unitary.
    """

    re: Floats
    im: Floats

    @staticmethod
    def of(unitary: Matrix) -> Target:
        """The target of that unitary, shape (N, N)."""
        return Target(np.ascontiguousarray(unitary.T.real), np.ascontiguousarray(unitary.T.imag))

    def fit(self, start: Ansatz, limit: int = 200) -> tuple[Ansatz | None, int]:
        """Fit the gates of an ansatz, from those it has.

        Args:
            start: pairs, and the gates to start from.
            limit: at most this many evaluations.

        Returns:
            the ansatz with gates that give the target (None if the fit ended elsewhere), evaluations used.
        """
        from qattn_compiler.synth.instantiate_kernels import fit

        gates = start.gates.copy()
        distance, used = fit(self.re, self.im, start.pairs, gates, start.num_qubits, limit)
        return (Ansatz(start.pairs, gates) if distance < EXACT else None), used


@lru_cache(maxsize=4)
def _pool(seed: int) -> Floats:
    q = np.random.default_rng(seed).normal(size=(POOL, 4))
    q /= np.linalg.norm(q, axis=1, keepdims=True)
    q.setflags(write=False)
    return q


def random_gates(size: int, number: int, seed: int = 0) -> Floats:
    """Start number `number` of a seed: `size` random quaternions, shape (size, 4)."""
    rows = (number * 769 + np.arange(size)) % POOL
    return _pool(seed)[rows]
