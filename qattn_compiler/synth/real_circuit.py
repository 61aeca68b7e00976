"""Circuits of CZ and single-qubit gates that are real whatever their angles: which gates may stand where.

Let K be complex conjugation and A = P K for a product P of Paulis with an even number of Y. Unitaries that
commute with A are real in some basis. So are products of gates that lead from one such A to another. On a
qubit where P has Y ("quaternion qubit") every gate of SU(2) keeps A; on the others P can be 1 ("real qubit"),
where RY does. What a CZ makes of P, with the gates before and after it that bring P to this form again:

- keep: one qubit of either kind stays what it is (S on the real one), or both are real;
- make: both real, H S before on either: X X becomes Y Y;
- join: the other way around, Y Y becomes X X, S^dagger H behind;
- move: one of either kind, H S on the real one before, S^dagger H on the other behind: Y X becomes X Y.

The matrix of a circuit that begins and ends with real qubits only is real up to its phase.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit import su2

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Move = tuple[int, int, str]
"""Qubits of a CZ, and what it does: "keep", "make", "join" or "move"."""

ONE: Final = np.array([1.0, 0.0, 0.0, 0.0])
S: Final = np.array([0.5**0.5, 0.0, 0.0, 0.5**0.5])
ENTER: Final = su2.multiply(np.array([0.0, 0.5**0.5, 0.0, 0.5**0.5]), S)
"""H S."""
LEAVE: Final = ENTER * [1.0, -1.0, -1.0, -1.0]
_Y: Final = np.array([0.0, 0.0, 1.0, 0.0])


@dataclass(frozen=True, eq=False)
class RealCircuit:
    """CZ, and what the gates between them may be: gate g is before[g] u[g] after[g], with u[g] any gate of
    SU(2) on a quaternion qubit and RY on a real one.

    Attributes:
        pairs: shape (k, 2): the qubits of each CZ.
        before, after: shape (n + 2 k, 4): quaternions; gates are counted as in `instantiate.Ansatz`.
        free: shape (n + 2 k,), bool: whether the gate is any of SU(2).
        first: shape (n + 2 k + 1,): parameters first[g] to first[g + 1] are those of gate g.
        axes: shape (parameters, 3): their axes, as turns behind the gate. Turns about Z that commute with the
            CZ that follows are left out.
    """

    pairs: Ints
    before: Floats
    after: Floats
    free: NDArray[np.bool_]
    first: Ints
    axes: Floats

    @staticmethod
    def of(size: int, moves: Sequence[Move]) -> RealCircuit:
        """The circuit of these CZ on so many qubits, from real qubits to real qubits.

        Raises:
            ValueError: a move is not possible, or a quaternion qubit is left.
        """
        pairs = np.array([move[:2] for move in moves], dtype=np.int64).reshape(-1, 2)
        count = size + 2 * len(moves)
        before, after = np.tile(ONE, (count, 1)), np.tile(ONE, (count, 1))
        free = np.zeros(count, dtype=bool)
        open_gate, is_free = list(range(size)), [False] * size
        for k, (a, b, kind) in enumerate(moves):
            kinds = _turned(kind, is_free[a], is_free[b])
            for side, (qubit, (enter, leave, now)) in enumerate(zip((a, b), kinds, strict=True)):
                before[open_gate[qubit]] = enter
                gate = open_gate[qubit] = size + 2 * k + side
                after[gate], free[gate] = leave, now
                is_free[qubit] = now
        if any(is_free):
            raise ValueError("a quaternion qubit is left at the end")
        axes: list[Floats] = []
        first = [0]
        for gate in range(count):
            axes += _directions(before[gate], bool(free[gate]), gate in open_gate)
            first.append(len(axes))
        return RealCircuit(pairs, before, after, free, np.array(first), np.array(axes).reshape(-1, 3))

    def gates(self, turns: Floats) -> Floats:
        """The gates with these u (quaternions, shape (n + 2 k, 4))."""
        return np.asarray(su2.multiply(self.before, su2.multiply(turns, self.after)))

    def random(self, rng: np.random.Generator) -> Floats:
        """Random gates."""
        turns = rng.normal(size=(len(self.free), 4))
        turns[~self.free, 1] = turns[~self.free, 3] = 0.0
        return self.gates(turns / np.linalg.norm(turns, axis=1, keepdims=True))

    def moved(self, gates: Floats, step: Floats) -> Floats:
        """Gates after a step, shape (parameters,)."""
        starts = np.minimum(self.first[:-1], len(step) - 1)
        sums = np.add.reduceat(step[:, None] * self.axes, starts, axis=0)
        vectors = np.where((np.diff(self.first) > 0)[:, None], sums, 0.0)
        return np.asarray(su2.multiply(exponential(vectors), gates))


def exponential(vectors: Floats) -> Floats:
    """exp(-i d.(X, Y, Z) / 2) as quaternions, shape (..., 4), of vectors of shape (..., 3)."""
    half = np.linalg.norm(vectors, axis=-1, keepdims=True) / 2
    return np.concatenate([np.cos(half), np.sinc(half / np.pi) * vectors / 2], axis=-1)


def kept(pairs: Iterable[tuple[int, int]]) -> list[Move]:
    """CZ on pairs that keep what their qubits are."""
    return [(a, b, "keep") for a, b in pairs]


def _turned(kind: str, a: bool, b: bool) -> tuple[tuple[Floats, Floats, bool], tuple[Floats, Floats, bool]]:
    """For each qubit of a CZ: gates before and behind it, and whether it is a quaternion qubit then."""
    if kind == "keep" and not (a and b):
        behind = S if a != b else ONE
        return (ONE, ONE if a else behind, a), (ONE, ONE if b else behind, b)
    if kind == "make" and not (a or b):
        return (ENTER, ONE, True), (ENTER, ONE, True)
    if kind == "join" and a and b:
        return (ONE, LEAVE, False), (ONE, LEAVE, False)
    if kind == "move" and a != b:
        leaves, comes = (ONE, LEAVE, False), (ENTER, ONE, True)
        return (leaves, comes) if a else (comes, leaves)
    raise ValueError(f"no {kind} for quaternion qubits {a}, {b}")


def _directions(before: Floats, free: bool, is_last: bool) -> list[Floats]:
    """Axes of the turns behind a gate that its u can make, without Z unless nothing follows."""
    if free:
        return list(np.eye(3)[: 3 if is_last else 2])
    conjugate = before * [1.0, -1.0, -1.0, -1.0]
    axis = su2.multiply(before, su2.multiply(_Y, conjugate))[1:]
    return [] if not is_last and abs(axis[2]) > 0.5 else [axis]
