"""Blocks of overlap circuits: preparations undone, and what swap tests do to two registers.

All are real. Those that undo or compare what other blocks prepared say `interferes`: a program with one of
them is more than the preparation of its final state.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import pi
from typing import ClassVar

import numpy as np

from qattn_compiler.blocks.block import Floats, Multiplexor, States, Wires, parameters
from qattn_compiler.circuit.gates import GATES
from qattn_compiler.circuit.table import Angle, Builder
from qattn_compiler.synth.state_prep import add_real_state, real_state_angles, real_state_count

_H = np.array([[1.0, 1.0], [1.0, -1.0]]) / np.sqrt(2)
_CX = np.eye(4)[[0, 1, 3, 2]]


@dataclass(frozen=True)
class UnprepareState:
    """The gates of `PrepareState`, backwards: its state goes to |0...0>, all others somewhere else.

    Attributes:
        register: where.
        slot: 2^width amplitudes, real, norm 1.
    """

    register: str
    slot: str
    interferes: ClassVar[bool] = True

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
        """Append the cascade's rows from the last to the first, turned the other way round."""
        qubits = wires[self.register]
        count = 2 ** len(qubits) - 1
        cascade = Builder(range(max(qubits, default=0) + 1))
        add_real_state(cascade, parameters(cascade, self.slot, count), qubits)
        parameters(builder, self.slot, count)
        gates = cascade.build()
        names = [param.name for param in gates.params]
        turns = dict(zip((gates.affine.slot // 3).tolist(), gates.affine.param.tolist(), strict=True))
        for row in range(len(gates) - 1, -1, -1):
            wires_of = [q for q in gates.operands[row].tolist() if q >= 0]
            angles: list[Angle] = [(0.0, {names[turns[row]]: -pi})] if row in turns else []
            builder.add(GATES[gates.op[row]].name, wires_of, angles)

    def values(self, numbers: Mapping[str, Floats]) -> dict[str, Floats]:
        """Rotation angles in half turns."""
        return {self.slot: real_state_angles(numbers[self.slot]) / pi}

    def apply(self, states: States, numbers: Mapping[str, Floats], wires: Wires) -> States:
        """Level by level, the last first: CZ with the first qubit, then RY by the qubits before, backwards.

        The turns are those of the tree of norms of the amplitudes, with the sign of every CZ(first qubit,
        another) taken into them.
        """
        qubits = wires[self.register]
        width = len(qubits)
        index = np.arange(2**width)
        bits = [(index >> (width - 1 - q)) & 1 for q in range(width)]
        odd = sum((bits[0] & bit for bit in bits[1:]), np.zeros(2**width, dtype=np.int64)) % 2
        amplitudes = numbers[self.slot] * np.where(odd == 1, -1.0, 1.0)
        for level in range(width - 1, -1, -1):
            pairs = amplitudes.reshape(len(states), 2**level, 2, -1)
            low, high = pairs[:, :, 0, :], pairs[:, :, 1, :]
            if level < width - 1:
                low, high = np.linalg.norm(low, axis=-1), np.linalg.norm(high, axis=-1)
            turns = 2 * np.arctan2(high.reshape(len(states), -1), low.reshape(len(states), -1))
            if level:
                states = _applied(np.diag([1.0, 1, 1, -1]), states, [qubits[0], qubits[level]])
            there = {"before": qubits[:level], "qubit": [qubits[level]]}
            states = Multiplexor("y", "before", "qubit", "turn").apply(states, {"turn": -turns}, there)
        return states


@dataclass(frozen=True)
class BellBasis:
    """Each pair of two registers from the basis of Bell states: the singlet, where SWAP is -1, to |11>.

    Attributes:
        left: register; becomes the phase bits.
        right: register of the same width; becomes the parity bits.
    """

    left: str
    right: str
    interferes: ClassVar[bool] = True

    @property
    def registers(self) -> tuple[str, ...]:
        """Names of the registers it touches."""
        return (self.left, self.right)

    def slots(self, wires: Wires) -> dict[str, int]:
        """It takes no numbers."""
        return {}

    def two_qubit_count(self, wires: Wires) -> int:
        """One a pair."""
        return len(wires[self.left])

    def build(self, builder: Builder, wires: Wires) -> None:
        """Append CX and H a pair."""
        for pair in zip(wires[self.left], wires[self.right], strict=True):
            builder.add("cx", pair)
            builder.add("h", pair[:1])

    def values(self, numbers: Mapping[str, Floats]) -> dict[str, Floats]:
        """It has no parameters."""
        return {}

    def apply(self, states: States, numbers: Mapping[str, Floats], wires: Wires) -> States:
        """(H (x) 1) CX on each pair."""
        for pair in zip(wires[self.left], wires[self.right], strict=True):
            states = _applied(np.kron(_H, np.eye(2)) @ _CX, states, pair)
        return states


@dataclass(frozen=True)
class CountPairs:
    """A qubit turned over for each pair of two registers that is |11>, up to signs of basis states.

    The signs do not matter where the registers are not used again: three CX a pair (Margolus, see Barenco et
    al., Phys. Rev. A 52, 3457 (1995), section VI.B), where a Toffoli gate takes six.

    Attributes:
        left: register.
        right: register of the same width.
        target: register of width 1.
    """

    left: str
    right: str
    target: str
    interferes: ClassVar[bool] = True

    @property
    def registers(self) -> tuple[str, ...]:
        """Names of the registers it touches."""
        return (self.left, self.right, self.target)

    def slots(self, wires: Wires) -> dict[str, int]:
        """It takes no numbers."""
        return {}

    def two_qubit_count(self, wires: Wires) -> int:
        """Three a pair."""
        return 3 * len(wires[self.left])

    def build(self, builder: Builder, wires: Wires) -> None:
        """Append Margolus' gate a pair."""
        target = wires[self.target][0]
        for a, b in zip(wires[self.left], wires[self.right], strict=True):
            for turn, control in ((pi / 4, b), (pi / 4, a), (-pi / 4, b)):
                builder.add("ry", [target], [turn])
                builder.add("cx", [control, target])
            builder.add("ry", [target], [-pi / 4])

    def values(self, numbers: Mapping[str, Floats]) -> dict[str, Floats]:
        """It has no parameters."""
        return {}

    def apply(self, states: States, numbers: Mapping[str, Floats], wires: Wires) -> States:
        """Where the left bit is 1: X if the right bit is 1 as well, Z if not."""
        gate = np.eye(8)
        gate[4:6, 4:6] = np.diag([1.0, -1.0])
        gate[6:, 6:] = [[0.0, 1.0], [1.0, 0.0]]
        for pair in zip(wires[self.left], wires[self.right], strict=True):
            states = _applied(gate, states, [*pair, wires[self.target][0]])
        return states


def _applied(matrix: Floats, states: States, qubits: Sequence[int]) -> States:
    """A real gate on some qubits of a batch of states."""
    axes = [1 + q for q in qubits]
    front = np.moveaxis(states, axes, range(1, 1 + len(axes)))
    out = matrix @ front.reshape(len(states), len(matrix), -1)
    return np.moveaxis(out.reshape(front.shape), range(1, 1 + len(axes)), axes)
