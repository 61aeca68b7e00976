"""Blocks of the unary encoding: n numbers are the amplitudes of n qubits of which exactly one is in |1>.

A unary register holds one excitation or none; on states with more of them these blocks have no meaning here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import pi

import numpy as np

from qattn_compiler.blocks.block import Floats, States, Wires, parameters
from qattn_compiler.circuit.table import Angle, Builder
from qattn_compiler.errors import LoweringError
from qattn_compiler.synth.givens import (
    add_network,
    add_unary_state,
    network_matrix,
    pyramid,
    pyramid_angles,
    unary_state_angles,
    unary_state_count,
)

NOTHING = 1e-12
"""Amplitudes up to here are rounding errors."""


@dataclass(frozen=True)
class PrepareUnary:
    """|0...0> of a register to sum_i amplitude_i |only qubit i in |1>>; amplitudes real, norm 1.

    Attributes:
        register: where; two qubits at least.
        slot: one amplitude a qubit.
    """

    register: str
    slot: str

    @property
    def registers(self) -> tuple[str, ...]:
        """Names of the registers it touches."""
        return (self.register,)

    def slots(self, wires: Wires) -> dict[str, int]:
        """Slot name -> how many numbers it takes."""
        return {self.slot: len(wires[self.register])}

    def two_qubit_count(self, wires: Wires) -> int:
        """2 n - 3."""
        return unary_state_count(len(wires[self.register]))

    def build(self, builder: Builder, wires: Wires) -> None:
        """Append the chain of Givens rotations."""
        qubits = wires[self.register]
        add_unary_state(builder, parameters(builder, self.slot, len(qubits) - 1), qubits)

    def values(self, numbers: Mapping[str, Floats]) -> dict[str, Floats]:
        """Rotation angles in half turns."""
        return {self.slot: unary_state_angles(numbers[self.slot]) / pi}

    def apply(self, states: States, numbers: Mapping[str, Floats], wires: Wires) -> States:
        """Amplitudes put where the register was |0...0>."""
        axes = [1 + q for q in wires[self.register]]
        flat, shape = _front(states, axes)
        out = np.zeros_like(flat)
        out[:, _one_hot(len(axes))] = numbers[self.slot][:, :, None] * flat[:, :1]
        return _back(out, shape, axes)


@dataclass(frozen=True)
class RotateUnary:
    """The numbers of a unary register times an orthogonal matrix.

    Attributes:
        register: where.
        slot: n^2 entries of the matrix, row by row.
        rank: how many columns (rows, if `inverse`) matter; the others are as `completed` gives them for
            those, whatever the slot has.
        inverse: it is the matrix's first rows that matter.
    """

    register: str
    slot: str
    rank: int
    inverse: bool = False

    @property
    def registers(self) -> tuple[str, ...]:
        """Names of the registers it touches."""
        return (self.register,)

    def slots(self, wires: Wires) -> dict[str, int]:
        """Slot name -> how many numbers it takes."""
        return {self.slot: len(wires[self.register]) ** 2}

    def two_qubit_count(self, wires: Wires) -> int:
        """Two a Givens rotation."""
        return 2 * len(pyramid(len(wires[self.register]), self.rank))

    def build(self, builder: Builder, wires: Wires) -> None:
        """Append the pyramid, and the sign of the last number."""
        qubits = wires[self.register]
        pairs = pyramid(len(qubits), self.rank)
        *angles, sign = parameters(builder, self.slot, len(pairs) + 1)
        if self.inverse:
            add_network(builder, pairs[::-1], angles, qubits)
        _add_sign(builder, sign, qubits[-1])
        if not self.inverse:
            add_network(builder, pairs, angles, qubits)

    def values(self, numbers: Mapping[str, Floats]) -> dict[str, Floats]:
        """Rotation angles in half turns; the last is 1 for the sign -1."""
        unique, place = np.unique(numbers[self.slot], axis=0, return_inverse=True)
        found = np.array([self._turns(one) for one in unique])
        return {self.slot: found[place.reshape(-1)]}

    def _turns(self, entries: Floats) -> Floats:
        size = round(len(entries) ** 0.5)
        matrix = entries.reshape(size, size)
        angles, sign = pyramid_angles((matrix.T if self.inverse else matrix)[:, : self.rank])
        angles = -angles[::-1] if self.inverse else angles
        return np.append(angles / pi, 1.0 if sign < 0 else 0.0)

    def apply(self, states: States, numbers: Mapping[str, Floats], wires: Wires) -> States:
        """The matrix on the states with one excitation.

        Raises:
            LoweringError: there are states with more.
        """
        axes = [1 + q for q in wires[self.register]]
        size = len(axes)
        flat, shape = _front(states, axes)
        out = np.zeros_like(flat)
        known = [0, *_one_hot(size)]
        out[:, known] = flat[:, known]
        if np.abs(flat - out).max(initial=0.0) > NOTHING:
            raise LoweringError("a unary register has more than one excitation")
        unique, place = np.unique(numbers[self.slot], axis=0, return_inverse=True)
        matrices = np.array([self._whole(one.reshape(size, size)) for one in unique])[place.reshape(-1)]
        out[:, _one_hot(size)] = matrices @ flat[:, _one_hot(size)]
        return _back(out, shape, axes)

    def _whole(self, matrix: Floats) -> Floats:
        """The matrix with the columns that do not matter as the pyramid has them: where those that do have
        entries that only rounding errors tell from 0, the slot's own may be others.

        Raises:
            LoweringError: those that matter are not orthonormal.
        """
        columns = (matrix.T if self.inverse else matrix)[:, : self.rank]
        whole = completed(columns)
        if not np.abs(whole[:, : self.rank] - columns).max(initial=0.0) < NOTHING:
            raise LoweringError("the columns of a unary rotation are not orthonormal")
        return whole.T if self.inverse else whole


@dataclass(frozen=True)
class ExchangeUnary:
    """A Givens rotation of each qubit of a register with its partner in another: number x and partner p
    become cos(t) x - sin(t) p and sin(t) x + cos(t) p.

    Attributes:
        register: where.
        partner: as wide.
        slot: one angle t a pair, radians.
    """

    register: str
    partner: str
    slot: str

    @property
    def registers(self) -> tuple[str, ...]:
        """Names of the registers it touches."""
        return (self.register, self.partner)

    def slots(self, wires: Wires) -> dict[str, int]:
        """Slot name -> how many numbers it takes."""
        return {self.slot: len(wires[self.register])}

    def two_qubit_count(self, wires: Wires) -> int:
        """Two a Givens rotation."""
        return 2 * len(wires[self.register])

    def build(self, builder: Builder, wires: Wires) -> None:
        """Append the rotations."""
        first, second = wires[self.register], wires[self.partner]
        pairs = tuple((k, len(first) + k) for k in range(len(first)))
        add_network(builder, pairs, parameters(builder, self.slot, len(pairs)), [*first, *second])

    def values(self, numbers: Mapping[str, Floats]) -> dict[str, Floats]:
        """Angles in half turns."""
        return {self.slot: numbers[self.slot] / pi}

    def apply(self, states: States, numbers: Mapping[str, Floats], wires: Wires) -> States:
        """One 2 x 2 rotation after the other; two excitations and none stay."""
        for k, (first, second) in enumerate(zip(wires[self.register], wires[self.partner], strict=True)):
            angle = numbers[self.slot][:, k, None]
            flat, shape = _front(states, [1 + first, 1 + second])
            x, p = flat[:, 2], flat[:, 1]
            out = flat.copy()
            out[:, 2] = np.cos(angle) * x - np.sin(angle) * p
            out[:, 1] = np.sin(angle) * x + np.cos(angle) * p
            states = _back(out, shape, [1 + first, 1 + second])
        return states


def completed(columns: Floats) -> Floats:
    """An orthogonal matrix with these first columns: what the pyramid for them does to the other coordinates.

    Args:
        columns: shape (n, rank), orthonormal.
    """
    size, rank = columns.shape
    angles, sign = pyramid_angles(columns)
    out = network_matrix(pyramid(size, rank), angles, size)
    out[:, -1] *= sign
    return out


def _add_sign(builder: Builder, half_turns: Angle, qubit: int) -> None:
    """Z if the parameter is 1, nothing if it is 0; global phase included."""
    assert isinstance(half_turns, tuple)
    builder.add("rz", [qubit], [half_turns])
    builder.add_phase((0.0, {name: factor / 2 for name, factor in half_turns[1].items()}))


def _one_hot(size: int) -> list[int]:
    return [1 << (size - 1 - i) for i in range(size)]


def _front(states: States, axes: list[int]) -> tuple[States, tuple[int, ...]]:
    """States as (batch, 2^k, rest) with these axes first, and the shape to go back from."""
    front = np.moveaxis(states, axes, range(1, 1 + len(axes)))
    return front.reshape(len(states), 2 ** len(axes), -1), front.shape


def _back(flat: States, shape: tuple[int, ...], axes: list[int]) -> States:
    return np.moveaxis(flat.reshape(shape), range(1, 1 + len(axes)), axes)
