"""Program: named registers, blocks in order, and what is read at the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.blocks.block import Block, Floats, Measure, States
from qattn_compiler.blocks.orthogonal import Hadamards
from qattn_compiler.circuit.table import Builder, Circuit
from qattn_compiler.errors import LoweringError
from qattn_compiler.synth.schmidt import SchmidtState

MAX_STATE_QUBITS = 24
"""A dense state above this would not fit; callers check before they ask for one."""


@dataclass(frozen=True)
class Register:
    """A named row of qubits, most significant first."""

    name: str
    width: int


@dataclass(frozen=True)
class Program:
    """Blocks on registers (their numbers come separately, see `block`).

    Attributes:
        registers: qubits are numbered through them in this order.
        blocks: in order of execution.
        read: names of the registers whose product of Z is the observable.
        meaning: in words, what the observable's expectation is.
        joined: names for several registers as one: (name, registers in order).
    """

    registers: tuple[Register, ...]
    blocks: tuple[Block, ...]
    read: tuple[str, ...]
    meaning: str
    joined: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def __post_init__(self) -> None:
        names = [r.name for r in self.registers] + [name for name, _ in self.joined]
        unknown = {n for block in self.blocks for n in block.registers} - set(names)
        if len(set(names)) != len(names) or unknown or not set(self.read) <= set(names):
            raise LoweringError(f"registers {names} do not fit the blocks (unknown: {sorted(unknown)})")

    @property
    def num_qubits(self) -> int:
        """All registers together."""
        return sum(r.width for r in self.registers)

    @property
    def wires(self) -> dict[str, tuple[int, ...]]:
        """Name of a register, or of several joined -> qubit numbers."""
        out: dict[str, tuple[int, ...]] = {}
        start = 0
        for register in self.registers:
            out[register.name] = tuple(range(start, start + register.width))
            start += register.width
        for name, parts in self.joined:
            out[name] = tuple(q for part in parts for q in out[part])
        return out

    @property
    def observed(self) -> tuple[int, ...]:
        """Qubits whose product of Z is read."""
        return tuple(q for name in self.read for q in self.wires[name])

    @property
    def two_qubit_count(self) -> int:
        """Two-qubit gates with all-to-all coupling, by the blocks' own formulas."""
        return sum(block.two_qubit_count(self.wires) for block in self.blocks)

    @property
    def least_two_qubit_count(self) -> int:
        """The same, or that of preparing the final state, if the program does no more than that."""
        if not self.is_real_state:
            return self.two_qubit_count
        return min(self.two_qubit_count, SchmidtState.of(self.num_qubits).two_qubit_count)

    @property
    def is_real_state(self) -> bool:
        """Whether the blocks, but for Hadamard gates and measurements at the end, only prepare a state with
        real amplitudes (and do not undo or compare what others prepared)."""
        before = self.blocks[: self._end]
        plain = (
            getattr(block, "axis", "y") == "y" and not getattr(block, "interferes", False) for block in before
        )
        return bool(before) and all(plain) and not any(isinstance(block, Measure) for block in before)

    @property
    def is_read_as_prepared(self) -> bool:
        """Whether such a state is measured as it is, so that the phases of its amplitudes do not matter."""
        return self.is_real_state and not any(isinstance(b, Hadamards) for b in self.blocks[self._end :])

    @property
    def _end(self) -> int:
        """How many blocks stand before the Hadamard gates and measurements at the end."""
        end = len(self.blocks)
        while end and isinstance(self.blocks[end - 1], (Hadamards, Measure)):
            end -= 1
        return end

    def finish(self, builder: Builder) -> None:
        """Append the Hadamard gates and measurements at the end alone."""
        for block in self.blocks[self._end :]:
            block.build(builder, self.wires)

    def to_text(self) -> str:
        """Registers and blocks, a line each."""
        lines = [f"register {r.name}[{r.width}]" for r in self.registers]
        lines += [f"{name} = {', '.join(parts)}" for name, parts in self.joined]
        lines += [str(block) for block in self.blocks]
        return "\n".join([*lines, f"read Z of {', '.join(self.read)}: {self.meaning}"])

    def circuit(self) -> Circuit:
        """The blocks as gates, all-to-all, with one parameter a rotation; qubit labels are numbers."""
        builder = Builder(range(self.num_qubits))
        for block in self.blocks:
            block.build(builder, self.wires)
        return builder.build()

    def parameter_values(self, circuit: Circuit, numbers: Mapping[str, Floats]) -> NDArray[np.float64]:
        """Values of the circuit's parameters, shape (batch, parameters), in its parameter order.

        Raises:
            LoweringError: a slot has no numbers, or the wrong count of them.
        """
        found: dict[str, Floats] = {}
        for block in self.blocks:
            for slot, size in block.slots(self.wires).items():
                if slot not in numbers or numbers[slot].shape[-1] != size:
                    raise LoweringError(f"slot {slot!r} takes {size} numbers")
            for slot, values in block.values(numbers).items():
                found.update({f"{slot}_{k}": values[:, k] for k in range(values.shape[1])})
        batch = len(next(iter(numbers.values())))
        columns = [found[p.name] for p in circuit.params]
        return np.stack(columns, axis=1) if columns else np.zeros((batch, 0))

    def states(self, numbers: Mapping[str, Floats]) -> States:
        """Exact states before measurement, shape (batch, 2^n), by the blocks' own meaning.

        Raises:
            LoweringError: more qubits than a dense state can have.
        """
        return self.finished(self.prepared(numbers))

    def prepared(self, numbers: Mapping[str, Floats]) -> States:
        """The same before the Hadamard gates at the end.

        Raises:
            LoweringError: more qubits than a dense state can have.
        """
        if self.num_qubits > MAX_STATE_QUBITS:
            raise LoweringError(f"{self.num_qubits} qubits are too many for a dense state")
        batch = len(next(iter(numbers.values())))
        states = np.zeros((batch, 2**self.num_qubits), dtype=complex)
        states[:, 0] = 1.0
        return self._applied(self.blocks[: self._end], states, numbers)

    def finished(self, states: States) -> States:
        """What the Hadamard gates at the end make of states, shape (batch, 2^n) in and out."""
        return self._applied(self.blocks[self._end :], states, {})

    def _applied(self, blocks: Sequence[Block], states: States, numbers: Mapping[str, Floats]) -> States:
        split = states.reshape(len(states), *(2,) * self.num_qubits)
        for block in blocks:
            split = block.apply(split, numbers, self.wires)
        return split.reshape(len(states), -1)
