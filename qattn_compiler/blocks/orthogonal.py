"""Blocks on a binary register: real orthogonal matrices, and Hadamard gates before reading X."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import pi

import numpy as np

from qattn_compiler.blocks.block import Floats, States, Wires, parameters
from qattn_compiler.circuit.table import Builder
from qattn_compiler.synth.orthogonal import (
    Form,
    add_orthogonal,
    orthogonal_angles,
    orthogonal_count,
    orthogonal_size,
)


@dataclass(frozen=True)
class Rotate:
    """The amplitudes of a register times a matrix of SO(2^k).

    Attributes:
        register: where.
        slot: 4^k entries of the matrix, row by row.
        form: of the circuit (see `synth.orthogonal`).
    """

    register: str
    slot: str
    form: Form = "short"

    @property
    def registers(self) -> tuple[str, ...]:
        """Names of the registers it touches."""
        return (self.register,)

    def slots(self, wires: Wires) -> dict[str, int]:
        """Slot name -> how many numbers it takes."""
        return {self.slot: 4 ** len(wires[self.register])}

    def two_qubit_count(self, wires: Wires) -> int:
        """2, 10, 42, 201, ... for 2, 3, 4, 5, ... qubits."""
        return orthogonal_count(len(wires[self.register]), form=self.form)

    def build(self, builder: Builder, wires: Wires) -> None:
        """Append its circuit."""
        qubits = wires[self.register]
        angles = parameters(builder, self.slot, orthogonal_size(len(qubits), form=self.form))
        add_orthogonal(builder, angles, qubits, form=self.form)

    def values(self, numbers: Mapping[str, Floats]) -> dict[str, Floats]:
        """Angles in half turns."""
        entries = numbers[self.slot]
        size = round(entries.shape[-1] ** 0.5)
        matrices = entries.reshape(-1, size, size)
        return {self.slot: orthogonal_angles(matrices, form=self.form) / pi}

    def apply(self, states: States, numbers: Mapping[str, Floats], wires: Wires) -> States:
        """The matrix on the register's axes."""
        axes = [1 + q for q in wires[self.register]]
        size = 2 ** len(axes)
        front = np.moveaxis(states, axes, range(1, 1 + len(axes)))
        flat = numbers[self.slot].reshape(-1, size, size) @ front.reshape(len(states), size, -1)
        return np.moveaxis(flat.reshape(front.shape), range(1, 1 + len(axes)), axes)


@dataclass(frozen=True)
class Hadamards:
    """H on each qubit of a register: reading Z after it is reading X before it.

    Attributes:
        register: where.
    """

    register: str

    @property
    def registers(self) -> tuple[str, ...]:
        """Names of the registers it touches."""
        return (self.register,)

    def slots(self, wires: Wires) -> dict[str, int]:
        """It takes no numbers."""
        return {}

    def two_qubit_count(self, wires: Wires) -> int:
        """None."""
        return 0

    def build(self, builder: Builder, wires: Wires) -> None:
        """Append the gates."""
        for qubit in wires[self.register]:
            builder.add("h", [qubit], ())

    def values(self, numbers: Mapping[str, Floats]) -> dict[str, Floats]:
        """It has no parameters."""
        return {}

    def apply(self, states: States, numbers: Mapping[str, Floats], wires: Wires) -> States:
        """Sum and difference over each axis."""
        for qubit in wires[self.register]:
            zero, one = np.take(states, 0, axis=1 + qubit), np.take(states, 1, axis=1 + qubit)
            states = np.stack([zero + one, zero - one], axis=1 + qubit) / np.sqrt(2)
        return states
