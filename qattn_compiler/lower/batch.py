"""Batch: what a lowering gives: one program, many sets of numbers, and how its read-outs become output
numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.blocks.program import Program

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Batch:
    """Circuits that share a structure.

    output[position[r]] = scale[r] * <product of Z>_{circuit member[r]} + offset[r]

    Attributes:
        program: the structure.
        numbers: slot -> shape (circuits, slot size).
        member: shape (readouts,): which circuit of the batch.
        position: shape (readouts,): index into the list of chosen outputs.
        scale: shape (readouts,).
        offset: shape (readouts,).
    """

    program: Program
    numbers: Mapping[str, Floats]
    member: Ints
    position: Ints
    scale: Floats
    offset: Floats

    @property
    def circuits(self) -> int:
        """How many circuits."""
        return len(next(iter(self.numbers.values())))


@dataclass(frozen=True, eq=False)
class Terms:
    """Outputs as weighted sums: output[p] = sum_j weights[p, j] * values[p, j] + offset[p].

    Attributes:
        weights: shape (outputs, n).
        values: shape (outputs, n).
        offset: shape (outputs,): the part that is computed classically.
    """

    weights: Floats
    values: Floats
    offset: Floats
