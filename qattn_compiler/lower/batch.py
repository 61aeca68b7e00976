"""Batch: what a lowering gives: one program, many sets of numbers, and how its read-outs become output
numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.blocks.program import Program

Floats = NDArray[np.float64]
States = NDArray[np.complex128]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Observable:
    """What a shot counts: the sign (-1)^(sum of some bits, and of products of two), but 0 unless other bits
    are as wanted.

    Attributes:
        parity: the bits of the sign, by their places in `Program.observed`.
        given: (place, bit) of those that must be found.
        both: pairs of places that turn the sign around where both bits are 1.
    """

    parity: tuple[int, ...]
    given: tuple[tuple[int, int], ...] = ()
    both: tuple[tuple[int, int], ...] = ()

    def counts(self, bits: NDArray[np.integer]) -> Floats:
        """1, -1 or 0 for each shot: shape (shots, observed qubits) -> (shots,)."""
        found = np.ones(len(bits), dtype=bool)
        for place, bit in self.given:
            found &= bits[:, place] == bit
        odd = bits[:, list(self.parity)].sum(axis=1)
        for first, second in self.both:
            odd = odd + (bits[:, first] & bits[:, second])
        signs: Floats = 1.0 - 2.0 * (odd % 2)
        return signs * found


@dataclass(frozen=True, eq=False)
class Batch:
    """Circuits that share a structure.

    output[position[r]] = scale[r] * <observable which[r]>_{circuit member[r]} + offset[r]

    Attributes:
        program: the structure.
        numbers: slot -> shape (circuits, slot size).
        member: shape (readouts,): which circuit of the batch.
        position: shape (readouts,): index into the list of chosen outputs.
        scale: shape (readouts,).
        offset: shape (readouts,).
        observables: what is read; the product of Z of all observed qubits, if none are named.
        which: shape (readouts,): index into them.
        success: shape (circuits,): with which probability the circuit's auxiliary qubits are found in |0>;
            None where there are none.
        near: shape (circuits, 2^qubits): states that the circuits prepare in the place of the blocks' own,
            before the Hadamard gates at the end, because an error budget allows it; None: the blocks' own.
    """

    program: Program
    numbers: Mapping[str, Floats]
    member: Ints
    position: Ints
    scale: Floats
    offset: Floats
    observables: tuple[Observable, ...] = ()
    which: Ints | None = None
    success: Floats | None = None
    near: States | None = None

    @property
    def circuits(self) -> int:
        """How many circuits."""
        return len(next(iter(self.numbers.values())))

    def prepared(self) -> States:
        """The states that the circuits prepare, before the Hadamard gates at the end, shape (circuits,
        2^qubits)."""
        return self.program.prepared(self.numbers) if self.near is None else self.near

    def states(self) -> States:
        """The states in which the circuits end, shape (circuits, 2^qubits)."""
        return self.program.finished(self.prepared())

    def away(self) -> Floats:
        """How far each circuit's outcomes are from those of its blocks, shape (circuits,): the sum, over all
        outcomes of measuring every qubit, of what their probabilities differ by. No mean of signs differs by
        more."""
        if self.near is None:
            return np.zeros(self.circuits)
        return distances(self.states(), self.program.states(self.numbers))

    def take(self, members: Ints) -> Batch:
        """Some of the circuits, in this order, with the outputs that are read from them."""
        place = np.full(self.circuits, -1, dtype=np.int64)
        place[members] = np.arange(len(members))
        reads = place[self.member] >= 0
        return replace(
            self,
            numbers={slot: values[members] for slot, values in self.numbers.items()},
            member=place[self.member[reads]],
            position=self.position[reads],
            scale=self.scale[reads],
            offset=self.offset[reads],
            which=None if self.which is None else self.which[reads],
            success=None if self.success is None else self.success[members],
            near=None if self.near is None else self.near[members],
        )

    @property
    def reads(self) -> tuple[tuple[Observable, ...], Ints]:
        """The observables, and which of them each read-out takes."""
        if self.which is not None:
            return self.observables, self.which
        everything = Observable(tuple(range(len(self.program.observed))))
        return (everything,), np.zeros(len(self.position), dtype=np.int64)


def distances(a: States, b: States) -> Floats:
    """Sums, over all outcomes, of what their probabilities differ by, shape (batch,); states (batch, 2^n)."""
    found: Floats = np.abs(np.abs(a) ** 2 - np.abs(b) ** 2).sum(axis=1)
    return found


@dataclass(frozen=True, eq=False)
class Terms:
    """Outputs as weighted sums: output[p] = sum_j weights[p, j] * values[p, j] + offset[p].

    Attributes:
        weights: shape (outputs, n).
        values: shape (outputs, n).
        offset: shape (outputs,): the part that is computed classically.
        like: sums of the same structure with generic numbers, which tell what is equal by coincidence only;
            None if nothing is to be bound later.
    """

    weights: Floats
    values: Floats
    offset: Floats
    like: Terms | None = None
