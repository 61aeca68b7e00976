"""Replace rows by small programs, for whole columns at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit.gates import BY_NAME
from qattn_compiler.circuit.params import GLOBAL_PHASE, Affine
from qattn_compiler.circuit.table import Circuit

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Step:
    """One gate of a rule.

    Attributes:
        name: gate of the table.
        on: operands of the replaced gate, 0 or 1.
        angle: (constant, coefficients of the replaced gate's angles), or None for gates without an angle.
    """

    name: str
    on: tuple[int, ...]
    angle: tuple[float, tuple[float, ...]] | None = None


@dataclass(frozen=True)
class Rule:
    """What a gate becomes: steps, and a global phase (constant, coefficients of the gate's angles)."""

    steps: tuple[Step, ...]
    phase: tuple[float, tuple[float, ...]] = (0.0, ())


def expand(circuit: Circuit, program: Ints, rules: Sequence[Rule]) -> Circuit:
    """Replace rows by the steps of rules.

    Args:
        circuit: rows to be replaced must be gates of the table without extras.
        program: shape (rows,): which of `rules` replaces the row, or -1 to keep it. A rule without steps
            drops it.
        rules: what the numbers mean.

    Returns:
        the circuit with the steps in the place of their row, symbolic angles and global phase included; the
        same object if every entry is -1.
    """
    chosen = np.flatnonzero(program >= 0)
    if not len(chosen):
        return circuit
    lengths = np.ones(len(circuit), dtype=np.int64)
    lengths[chosen] = np.array([len(rule.steps) for rule in rules])[program[chosen]]
    start = np.cumsum(lengths) - lengths
    size = int(lengths.sum())
    kept = np.flatnonzero(program < 0)
    op = np.zeros(size, dtype=np.uint8)
    operands = np.full((size, 2), -1, dtype=np.int32)
    angles = np.zeros((size, 3))
    extra = np.full(size, -1, dtype=np.int32)
    op[start[kept]], operands[start[kept]] = circuit.op[kept], circuit.operands[kept]
    angles[start[kept]], extra[start[kept]] = circuit.angles[kept], circuit.extra[kept]

    new_row = np.full(len(circuit), -1, dtype=np.int64)
    new_row[kept] = start[kept]
    terms = [circuit.affine.moved(new_row)]
    phase = circuit.phase
    order = chosen[np.argsort(program[chosen], kind="stable")]
    numbers, begins = np.unique(program[order], return_index=True)
    for number, rows in zip(numbers.tolist(), np.split(order, begins[1:]), strict=True):
        rule = rules[number]
        for offset, step in enumerate(rule.steps):
            place = start[rows] + offset
            op[place] = BY_NAME[step.name].code
            for k, which in enumerate(step.on):
                operands[place, k] = circuit.operands[rows, which]
            if step.angle is not None:
                angles[place, 0] = _constant(circuit, rows, step.angle)
                terms.append(_terms(circuit, rows, step.angle[1], 3 * place))
        phase += float(_constant(circuit, rows, rule.phase).sum())
        terms.append(_terms(circuit, rows, rule.phase[1], np.full(len(rows), GLOBAL_PHASE)))
    affine = Affine.of(
        np.concatenate([t.slot for t in terms]),
        np.concatenate([t.param for t in terms]),
        np.concatenate([t.coef for t in terms]),
    )
    return replace(circuit, op=op, operands=operands, angles=angles, extra=extra, affine=affine, phase=phase)


def _constant(circuit: Circuit, rows: Ints, angle: tuple[float, tuple[float, ...]]) -> Floats:
    constant, coefficients = angle
    if not any(coefficients):
        return np.full(len(rows), float(constant))
    total: Floats = constant + circuit.angles[rows][:, : len(coefficients)] @ np.array(
        coefficients, dtype=float
    )
    return total


def _terms(circuit: Circuit, rows: Ints, coefficients: tuple[float, ...], slots: Ints) -> Affine:
    """Symbolic part of `coefficients @ angles` of the rows, aimed at `slots`."""
    affine = circuit.affine
    if not len(affine) or not any(coefficients):
        return Affine.empty()
    target = np.full(len(circuit), -2, dtype=np.int64)
    target[rows] = slots
    inner = affine.slot >= 0
    row, column = affine.slot[inner] // 3, affine.slot[inner] % 3
    weight = np.zeros(3)
    weight[: len(coefficients)] = coefficients
    use = (target[row] != -2) & (weight[column] != 0)
    return Affine.of(target[row[use]], affine.param[inner][use], (affine.coef[inner] * weight[column])[use])
