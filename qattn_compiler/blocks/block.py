"""The block IR: what an attention circuit is made of, before anyone knows which gates it will cost.

A block names its registers and a slot: the vector of numbers (amplitudes, angles) that fill it. The structure
is one `Program`; the numbers come separately, a whole batch at a time, so that one compile serves every row
and component of an attention matrix. A block knows its exact meaning on state vectors (`apply`, plain NumPy,
the reference for its circuit), its circuit with one parameter a rotation (`build`), the values of those
parameters (`values`), and its count of two-qubit gates before routing.

Parameters are in half turns (angle = pi * parameter), so that they appear bare in Cirq's exponents.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import pi
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit.table import Angle, Builder
from qattn_compiler.synth.multiplexor import add_multiplexor, multiplexor_angles
from qattn_compiler.synth.state_prep import add_real_state, real_state_angles, real_state_count

Floats = NDArray[np.float64]
States = NDArray[np.complex128]
Wires = Mapping[str, Sequence[int]]
"""Register name -> its qubit numbers, most significant first."""


class Block(Protocol):
    """What every block offers."""

    @property
    def registers(self) -> tuple[str, ...]:
        """Names of the registers it touches."""
        ...

    def slots(self, wires: Wires) -> dict[str, int]:
        """Slot name -> how many numbers it takes."""
        ...

    def two_qubit_count(self, wires: Wires) -> int:
        """Two-qubit gates with all-to-all coupling."""
        ...

    def build(self, builder: Builder, wires: Wires) -> None:
        """Append its rows, with parameters `slot_0`, `slot_1`, ... in half turns."""
        ...

    def values(self, numbers: Mapping[str, Floats]) -> dict[str, Floats]:
        """Slot name -> parameter values of shape (batch, parameters), for numbers of shape (batch, slot
        size)."""
        ...

    def apply(self, states: States, numbers: Mapping[str, Floats], wires: Wires) -> States:
        """Exact meaning: shape (batch, 2, 2, ..., 2) in and out, one axis a qubit."""
        ...


@dataclass(frozen=True)
class PrepareState:
    """|0...0> of a register to sum_j amplitude_j |j>; amplitudes real, norm 1.

    Attributes:
        register: where.
        slot: 2^width amplitudes.
    """

    register: str
    slot: str

    @property
    def registers(self) -> tuple[str, ...]:
        """Names of the registers it touches."""
        return (self.register,)

    def slots(self, wires: Wires) -> dict[str, int]:
        """Slot name -> how many numbers it takes."""
        return {self.slot: 2 ** len(wires[self.register])}

    def two_qubit_count(self, wires: Wires) -> int:
        """2^k - k - 1."""
        return real_state_count(len(wires[self.register]))

    def build(self, builder: Builder, wires: Wires) -> None:
        """Append the cascade of multiplexed RY."""
        qubits = wires[self.register]
        add_real_state(builder, parameters(builder, self.slot, 2 ** len(qubits) - 1), qubits)

    def values(self, numbers: Mapping[str, Floats]) -> dict[str, Floats]:
        """Rotation angles in half turns."""
        return {self.slot: real_state_angles(numbers[self.slot]) / pi}

    def apply(self, states: States, numbers: Mapping[str, Floats], wires: Wires) -> States:
        """Amplitudes put where the register was |0...0>."""
        axes = [1 + q for q in wires[self.register]]
        width = len(axes)
        front = np.moveaxis(states, axes, range(1, 1 + width))
        ground = front.reshape(len(states), 2**width, *front.shape[1 + width :])[:, 0]
        amplitudes = numbers[self.slot].reshape(len(states), *(2,) * width)
        amplitudes = amplitudes.reshape(*amplitudes.shape, *(1,) * (ground.ndim - 1))
        out = amplitudes * ground.reshape(len(states), *(1,) * width, *ground.shape[1:])
        return np.moveaxis(out, range(1, 1 + width), axes)


@dataclass(frozen=True)
class Multiplexor:
    """A rotation of one qubit by an angle that the controls select.

    Attributes:
        axis: "x" or "y".
        controls: register; its value j selects angle j.
        target: register of width 1.
        slot: 2^c angles, radians.
        up_to_cz: followed by CZ(first control, target): one CZ less, and harmless before reading Z of the
            target.
    """

    axis: str
    controls: str
    target: str
    slot: str
    up_to_cz: bool = False

    @property
    def registers(self) -> tuple[str, ...]:
        """Names of the registers it touches."""
        return (self.controls, self.target)

    def slots(self, wires: Wires) -> dict[str, int]:
        """Slot name -> how many numbers it takes."""
        return {self.slot: 2 ** len(wires[self.controls])}

    def two_qubit_count(self, wires: Wires) -> int:
        """2^c, one less if up to CZ, none without controls."""
        count = len(wires[self.controls])
        return 0 if count == 0 else 2**count - self.up_to_cz

    def build(self, builder: Builder, wires: Wires) -> None:
        """Append rotations and CZ along a Gray code."""
        controls = wires[self.controls]
        angles = parameters(builder, self.slot, 2 ** len(controls))
        add_multiplexor(builder, self.axis, angles, controls, wires[self.target][0], drop_last=self.up_to_cz)

    def values(self, numbers: Mapping[str, Floats]) -> dict[str, Floats]:
        """Walsh transform of the angles, in half turns."""
        return {self.slot: multiplexor_angles(numbers[self.slot]) / pi}

    def apply(self, states: States, numbers: Mapping[str, Floats], wires: Wires) -> States:
        """Block-diagonal rotation, then the CZ if it is part of the block."""
        controls, target = wires[self.controls], wires[self.target][0]
        count = len(controls)
        axes = [1 + q for q in controls] + [1 + target]
        front = np.moveaxis(states, axes, range(1, 2 + count))
        shape = front.shape
        flat = front.reshape(len(states), 2**count, 2, -1)
        out = np.einsum("bjst,bjtr->bjsr", _rotations(self.axis, numbers[self.slot]), flat)
        if self.up_to_cz and count:
            out[:, 2 ** (count - 1) :, 1] *= -1
        return np.moveaxis(out.reshape(shape), range(1, 2 + count), axes)


@dataclass(frozen=True)
class RotationLayer:
    """A rotation of its own on each qubit of a register.

    Attributes:
        axis: "x", "y" or "z".
        register: where.
        slot: one angle a qubit, radians.
    """

    axis: str
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
        """None."""
        return 0

    def build(self, builder: Builder, wires: Wires) -> None:
        """Append one rotation a qubit."""
        qubits = wires[self.register]
        for qubit, angle in zip(qubits, parameters(builder, self.slot, len(qubits)), strict=True):
            builder.add("r" + self.axis, [qubit], [angle])

    def values(self, numbers: Mapping[str, Floats]) -> dict[str, Floats]:
        """Angles in half turns."""
        return {self.slot: numbers[self.slot] / pi}

    def apply(self, states: States, numbers: Mapping[str, Floats], wires: Wires) -> States:
        """One 2 x 2 rotation after the other."""
        for k, qubit in enumerate(wires[self.register]):
            rotation = _rotations(self.axis, numbers[self.slot][:, k])
            front = np.moveaxis(states, 1 + qubit, 1)
            flat = front.reshape(len(states), 2, -1)
            states = np.moveaxis(np.einsum("bst,btr->bsr", rotation, flat).reshape(front.shape), 1, 1 + qubit)
        return states


@dataclass(frozen=True)
class Measure:
    """Read a register in the Z basis under a key."""

    register: str
    key: str

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
        """Append the measurement."""
        builder.measure(wires[self.register], self.key)

    def values(self, numbers: Mapping[str, Floats]) -> dict[str, Floats]:
        """It has no parameters."""
        return {}

    def apply(self, states: States, numbers: Mapping[str, Floats], wires: Wires) -> States:
        """Terminal: the state before it is what read-outs are computed from."""
        return states


def parameters(builder: Builder, slot: str, count: int) -> list[Angle]:
    """Angles of pi times new parameters `slot_0`, `slot_1`, ..."""
    out: list[Angle] = []
    for k in range(count):
        name = f"{slot}_{k}"
        builder.parameter(name)
        out.append((0.0, {name: pi}))
    return out


def _rotations(axis: str, angles: Floats) -> States:
    """exp(-i angle P / 2), shape (*angles.shape, 2, 2)."""
    cos, sin = np.cos(angles / 2), np.sin(angles / 2)
    out = np.zeros((*angles.shape, 2, 2), dtype=complex)
    if axis == "z":
        out[..., 0, 0], out[..., 1, 1] = cos - 1j * sin, cos + 1j * sin
        return out
    out[..., 0, 0] = out[..., 1, 1] = cos
    out[..., 0, 1] = -1j * sin if axis == "x" else -sin
    out[..., 1, 0] = -1j * sin if axis == "x" else sin
    return out
