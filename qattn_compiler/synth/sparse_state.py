"""Preparation of states with few amplitudes that are not 0: about a CX for each qubit and amplitude.

Undone step by step: two basis states x, y of the support are told from the others by few qubits; CX gates
make them differ in one qubit only, and a rotation of it, controlled by those few, turns x and y into y. What
is left at the end is one basis state. The circuit is the inverse of that.

Source: Gleinig and Hoefler, An Efficient Algorithm for Sparse Quantum State Preparation, DAC 2021.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit.table import Builder
from qattn_compiler.errors import CircuitError
from qattn_compiler.synth.multiplexor import add_multiplexor, multiplexor_angles

Support = dict[int, complex]

ZERO: Final = 1e-15
"""Amplitudes up to here are 0."""


@dataclass(frozen=True)
class _Step:
    """One step: X on `target`, CX from `control` to it, or a rotation of it.

    Attributes:
        target: qubit, 0 being the most significant.
        controls: qubits that must be 1.
        axis: "" for X.
        angle: radians.
    """

    target: int
    controls: tuple[int, ...] = ()
    axis: str = ""
    angle: float = 0.0

    @property
    def two_qubit_count(self) -> int:
        return (1 << len(self.controls)) if self.axis and self.controls else len(self.controls)


def sparse_steps(amplitudes: NDArray[np.complex128], limit: int) -> list[_Step] | None:
    """The steps that prepare a state; None if they take more than `limit` two-qubit gates.

    Args:
        amplitudes: shape (2^k,), of norm 1.
        limit: of two-qubit gates.
    """
    size = len(amplitudes).bit_length() - 1
    support: Support = {int(k): complex(amplitudes[k]) for k in np.flatnonzero(np.abs(amplitudes) > ZERO)}
    steps: list[_Step] = []
    count = 0
    while len(support) > 1:
        merged, support = _merge(support, size)
        steps += merged
        count += sum(step.two_qubit_count for step in merged)
        if count > limit:
            return None
    (last,) = support
    steps += [_Step(q) for q in range(size) if last >> (size - 1 - q) & 1]
    return [_Step(s.target, s.controls, s.axis, -s.angle) for s in reversed(steps)]


def add_sparse_state(builder: Builder, steps: Sequence[_Step], qubits: Sequence[int]) -> None:
    """Append the steps, from |0...0>; the state comes up to a global phase.

    Args:
        builder: where the rows go.
        steps: of `sparse_steps`.
        qubits: k qubits.

    Raises:
        CircuitError: a step is on a qubit that is not there.
    """
    if any(step.target >= len(qubits) for step in steps):
        raise CircuitError(f"the steps are on more than {len(qubits)} qubits")
    for step in steps:
        target, controls = qubits[step.target], [qubits[q] for q in step.controls]
        if not step.axis:
            builder.add("cx" if controls else "x", [*controls, target])
            continue
        angles = np.zeros(1 << len(controls))
        angles[-1] = step.angle
        turned = [target] if step.axis == "z" else []
        for q in turned:
            builder.add("h", [q])
        axis = "y" if step.axis == "y" else "x"
        add_multiplexor(builder, axis, multiplexor_angles(angles).tolist(), controls, target, drop_last=False)
        for q in turned:
            builder.add("h", [q])


def _bit(state: int, qubit: int, size: int) -> int:
    return state >> (size - 1 - qubit) & 1


def _narrowed(states: list[int], size: int) -> tuple[list[int], list[int]]:
    """Qubits, one after the other, whose rarer values lead to one of the states."""
    left, asked = np.array(states), []
    bits = left[:, None] >> np.arange(size)[::-1] & 1
    while len(left) > 1:
        ones = bits.sum(axis=0)
        mixed = np.flatnonzero((ones > 0) & (ones < len(left)))
        qubit = int(mixed[np.abs(2 * ones[mixed] - len(left)).argmax()])
        rare = bits[:, qubit] == (2 * ones[qubit] <= len(left))
        left, bits = left[rare], bits[rare]
        asked.append(qubit)
    return left.tolist(), asked


def _merge(support: Support, size: int) -> tuple[list[_Step], Support]:
    """The steps that make two states of the support one, and what is left."""
    (x,), asked = _narrowed(sorted(support), size)
    target = asked.pop()
    like = [z for z in support if z != x and all(_bit(z, q, size) == _bit(x, q, size) for q in asked)]
    (y,), more = _narrowed(sorted(like), size)
    controls = sorted({*asked, *more} - {target})
    steps: list[_Step] = []

    def apply(step: _Step) -> None:
        nonlocal support, x, y
        steps.append(step)

        def moved(z: int) -> int:
            hit = all(_bit(z, q, size) for q in step.controls)
            return z ^ (1 << (size - 1 - step.target)) if hit else z

        support, x, y = {moved(z): a for z, a in support.items()}, moved(x), moved(y)

    if not _bit(x, target, size):
        apply(_Step(target))
    for q in range(size):
        if q != target and _bit(x, q, size) != _bit(y, q, size):
            apply(_Step(q, (target,)))
    for q in controls:
        if not _bit(y, q, size):
            apply(_Step(q))
    first, second = support.pop(x), support[y]  # x has a 1 on the target, y a 0
    turn = float(np.angle(first) - np.angle(second))
    if abs(turn) > ZERO:
        steps.append(_Step(target, tuple(controls), "z", -turn))
        first, second = first * np.exp(-0.5j * turn), second * np.exp(0.5j * turn)
    steps.append(_Step(target, tuple(controls), "y", -2 * float(np.arctan2(abs(first), abs(second)))))
    support[y] = second / abs(second) * float(np.hypot(abs(first), abs(second)))
    return steps, support
