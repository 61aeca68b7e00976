"""Matrices of SO(16) over circuits that are real whatever their angles, with three parameters for each CZ.

Real gates alone (RY between CZ) have two parameters for each CZ, so that a matrix of SO(N) on n qubits takes
(N (N - 1) / 2 - n) / 2 of them. More are to be had where the gates are real in another sense
(`real_circuit`): with two quaternion qubits, which together are a quaternion, multiplied from the left and
from the right. exp(-i pi/4 Z Z) = CZ (S x S) up to phase is real in that sense between a quaternion qubit and
a real one. After it two turns on the former and one on the latter are new (turns about Z commute with it).

So (N (N - 1) / 2 - n - 4) / 3 + 2 CZ is the least for SO(N) here, 9, 40, 165 for 3, 4, 5 qubits, where real
gates take 13, 58, 246 at least and quantum Shannon decompositions of complex matrices 20, 100, 444. That a
fit (`levenberg`) finds every matrix with so few, or with a few more, is not proved; RING did for all that
were tried, degenerate and nearly degenerate ones among them, LINE for all but those 1e-10 to 1e-2 off the
identity and its like.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit import su2
from qattn_compiler.synth.instantiate import EXACT, Ansatz, Floats, Matrix
from qattn_compiler.synth.levenberg import levenberg
from qattn_compiler.synth.real_circuit import ONE, Move, RealCircuit, S, exponential, kept
from qattn_compiler.synth.weyl import matrices

RING: Final[tuple[Move, ...]] = (
    (0, 1, "make"),
    *kept(((0, 2), (1, 3), (0, 3), (1, 2)) * 10),
    (0, 1, "join"),
)
"""One more round than the 120 parameters ask for, as nearly singular matrices want it."""
LINE: Final[tuple[Move, ...]] = (
    *((0, 1, "make"), (1, 2, "move")),
    *kept(((0, 1), (2, 3), (2, 1)) * 13),
    *((1, 2, "move"), (0, 1, "join")),
)
"""On neighbours only: more CZ to enter and to leave."""
STARTS: Final = 32
"""Random starts for one matrix; nearly all need one."""
LIMIT: Final = 200
"""Evaluations for each."""


def fit_real(matrix: Floats, moves: Sequence[Move], seed: int = 0) -> Ansatz:
    """A matrix of SO(16), up to its phase.

    Args:
        matrix: shape (16, 16).
        moves: RING or LINE.
        seed: of the random starts.

    Raises:
        ArithmeticError: no start led to it.
    """
    frame = _Frame.of(tuple(moves))
    model = _Model(np.ascontiguousarray(frame.inner(matrix).T), frame.pairs)
    for number in range(STARTS):
        start = _random_gates(model.qubits, np.random.default_rng((seed, number)))
        gates, distance = levenberg(model, start, LIMIT, len(matrix))
        if distance < EXACT:
            return frame.ansatz(gates)
    raise ArithmeticError(f"a matrix of SO({len(matrix)}) was not found in {len(moves)} CZ")


@dataclass(frozen=True, eq=False)
class _Frame:
    """What stands around the CZ that keep the kinds of qubits. The kernels' qubits 0 and 1 are the quaternion
    qubits.

    Attributes:
        circuit: the whole.
        order: shape (4,): the circuit's qubits in the kernels' order.
        open_gates: shape (4,): the gates of those after the CZ before the first that is kept.
        outside: CZ before the first that is kept, as many as behind the last.
        pairs: those between, on the kernels' qubits, a quaternion qubit first.
        enter: what comes before them as a matrix; its inverse comes after.
        basis: shape (16, 16): column (c, k) is unit quaternion c times [[0, 1], [-1, 0]] over sqrt 2 on the
            quaternion qubits, and bits k on the others.
    """

    circuit: RealCircuit
    order: NDArray[np.int64]
    open_gates: NDArray[np.int64]
    outside: int
    pairs: NDArray[np.int64]
    enter: Matrix
    basis: Matrix

    @staticmethod
    @lru_cache(maxsize=4)
    def of(moves: tuple[Move, ...]) -> _Frame:
        """For these moves on four qubits."""
        circuit = RealCircuit.of(4, moves)
        outside = next(k for k, move in enumerate(moves) if move[2] == "keep")
        fixed = circuit.gates(np.tile(ONE, (len(circuit.free), 1)))[: 4 + 2 * outside]
        before = Ansatz(circuit.pairs[:outside], fixed)
        open_gates = before.last_gates()
        order = np.argsort(~circuit.free[open_gates], kind="stable")
        pairs = np.argsort(order)[circuit.pairs[outside : len(moves) - outside]]
        units = matrices(np.eye(4)) @ np.array([[0.0, 1.0], [-1.0, 0.0]]) / np.sqrt(2)
        basis = np.kron(units.reshape(4, 4).T, np.eye(4))
        return _Frame(circuit, order, open_gates[order], outside, pairs, before.unitary(), basis)

    def inner(self, matrix: Floats) -> Floats:
        """What the CZ that keep have to make for the whole to be a matrix, in the kernels' coordinates."""
        whole = self.enter @ matrix @ self.enter.conj().T
        axes = (*self.order, *(4 + self.order))
        turned = whole.reshape((2,) * 8).transpose(axes).reshape(16, 16)
        return np.ascontiguousarray((self.basis.conj().T @ turned @ self.basis).real)

    def ansatz(self, gates: Floats) -> Ansatz:
        """The whole circuit with the kernels' gates."""
        turns = np.tile(ONE, (len(self.circuit.free), 1))
        where = np.concatenate([self.open_gates, 4 + 2 * self.outside + np.arange(2 * len(self.pairs))])
        real = ~self.circuit.free[where]
        half = gates[real, 0] / 2
        turns[where[real]] = np.stack([np.cos(half), 0 * half, np.sin(half), 0 * half], axis=1)
        turned = gates.copy()
        turned[4:] = su2.multiply(gates[4:], S)  # of the entangler, CZ (S x S)
        turns[where[~real]] = turned[~real]
        return Ansatz(self.circuit.pairs, self.circuit.gates(turns))


class _Model:
    """A matrix as what the gates between entanglers are fitted to (`levenberg.Model`); gates as the kernels
    take them: quaternions on qubits 0 and 1, angles on the others."""

    def __init__(self, target: Floats, pairs: NDArray[np.int64]) -> None:
        self.target, self.pairs = target, pairs
        self.qubits = np.concatenate([np.arange(4), pairs.reshape(-1)])
        self.last = np.zeros(len(self.qubits), dtype=np.int64)
        self.last[Ansatz(pairs, np.empty((len(self.qubits), 4))).last_gates()] = 1
        # The kernels go from the last gate to the first: the parameters of each gate, x, y, z or an angle.
        backwards = [np.arange(4), *(4 + 2 * k + np.arange(2) for k in range(len(pairs)))]
        order = np.concatenate(backwards[::-1])
        counts = np.where(self.qubits >= 2, 1, 2 + self.last)[order]
        begins = np.cumsum(counts) - counts
        self.first = np.empty(len(order), dtype=np.int64)
        self.first[order] = begins
        self.size = int(counts.sum())

    def misfit(self, gates: Floats) -> tuple[float, Floats]:
        """Half the squared distance, and what the logarithm of the missing factor is to first order."""
        from qattn_compiler.synth.real_kernels import misfit, product

        size = len(self.target)
        entries = size * (size - 1) // 2
        found, residual = np.empty_like(self.target), np.empty(entries)
        product(self.pairs, gates, self.last, found, np.empty((0, entries)))
        return misfit(found, self.target, residual), residual

    def jacobian(self, gates: Floats) -> Floats:
        """Shape (entries, parameters)."""
        from qattn_compiler.synth.real_kernels import product

        size = len(self.target)
        jacobian = np.empty((self.size, size * (size - 1) // 2))
        product(self.pairs, gates, self.last, np.empty_like(self.target), jacobian)
        return np.ascontiguousarray(jacobian.T)

    def moved(self, gates: Floats, step: Floats) -> Floats:
        """Each gate u becomes exp(d (i, j, k) / 2) u, each angle a becomes a + d."""
        out, real = gates.copy(), self.qubits >= 2
        out[real, 0] += step[self.first[real]]
        turned = np.flatnonzero(~real)
        vectors = np.zeros((len(turned), 3))
        for axis in range(3):
            some = (axis < 2) | (self.last[turned] == 1)
            vectors[some, axis] = step[self.first[turned[some]] + axis]
        out[turned] = su2.multiply(exponential(vectors), gates[turned])
        return out


def _random_gates(qubits: NDArray[np.int64], rng: np.random.Generator) -> Floats:
    gates = rng.normal(size=(len(qubits), 4))
    gates /= np.linalg.norm(gates, axis=1, keepdims=True)
    real = qubits >= 2
    gates[real] = 0.0
    gates[real, 0] = rng.uniform(-2 * np.pi, 2 * np.pi, np.count_nonzero(real))
    return gates
