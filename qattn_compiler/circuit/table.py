"""Circuit: gates as flat columns.

Row i is one operation: `op[i]` (a code of the gate table), `operands[i]` (indices into `qubits`, -1 where
there is no second), `angles[i]` (radians). Rows stand in an order in which they may be executed. What does
not fit in columns (measurement keys, classical controls, tags, foreign operations, operations on more than
two qubits) is an `Extra`, found by `extra[i]`. Arrays are read-only; passes make new circuits, or give back
the very same object when they change nothing.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit.gates import BY_NAME, GATES, MEASURE, NUM_QUBITS, OPAQUE, RESET
from qattn_compiler.circuit.params import GLOBAL_PHASE, Affine, Parameter
from qattn_compiler.errors import CircuitError

Qubit = Hashable
Angle = float | tuple[float, dict[str, float]]
"""A number, or (constant, {parameter name: coefficient})."""

MAX_QUBITS = 1 << 24


@dataclass(frozen=True)
class Extra:
    """What a row has beside its columns.

    Attributes:
        operands: all qubit indices, for rows on any number of qubits (measure, reset, opaque).
        reads: classical keys that the row depends on.
        writes: classical keys that the row sets.
        tags: whatever was attached to the operation outside.
        payload: the foreign operation itself (opaque rows), never looked into.
        invert: per measured qubit, whether the written bit is flipped.
    """

    operands: tuple[int, ...] = ()
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    tags: tuple[Hashable, ...] = ()
    payload: object = None
    invert: tuple[bool, ...] = ()


@dataclass(frozen=True, eq=False)
class Circuit:
    """A circuit in columns (module docstring).

    Attributes:
        qubits: labels, one for each qubit index.
        op: shape (rows,), uint8 codes of the gate table.
        operands: shape (rows, 2), int32.
        angles: shape (rows, 3), float64, radians: the constant part.
        extra: shape (rows,), int32 index into `extras`, or -1.
        extras: side table.
        affine: the symbolic part of the angles and of the global phase.
        params: the parameters that `affine` counts.
        phase: constant part of the global phase, radians.
    """

    qubits: tuple[Qubit, ...]
    op: NDArray[np.uint8]
    operands: NDArray[np.int32]
    angles: NDArray[np.float64]
    extra: NDArray[np.int32]
    extras: tuple[Extra, ...] = ()
    affine: Affine = field(default_factory=Affine.empty)
    params: tuple[Parameter, ...] = ()
    phase: float = 0.0

    def __post_init__(self) -> None:
        for column in (self.op, self.operands, self.angles, self.extra):
            column.setflags(write=False)

    def __len__(self) -> int:
        return len(self.op)

    def __repr__(self) -> str:
        symbols = f", {len(self.params)} parameters" if self.params else ""
        return f"<Circuit: {len(self.qubits)} qubits, {len(self)} rows{symbols}>"

    @property
    def num_qubits(self) -> int:
        """How many qubits it has, idle ones included."""
        return len(self.qubits)

    @property
    def is_symbolic(self) -> bool:
        """Whether any angle still depends on a parameter."""
        return len(self.affine) > 0

    @cached_property
    def symbolic_rows(self) -> NDArray[np.bool_]:
        """Shape (rows,): which rows have an angle that depends on a parameter."""
        return self.affine.rows(len(self))

    @cached_property
    def is_two_qubit(self) -> NDArray[np.bool_]:
        """Shape (rows,): which rows entangle, i.e. are unitary gates on two or more qubits."""
        mask: NDArray[np.bool_] = NUM_QUBITS[self.op] == 2
        for row in np.flatnonzero(self.op == OPAQUE).tolist():
            mask[row] = len(self.extras[self.extra[row]].operands) >= 2
        return mask

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """All classical keys, in order of first appearance."""
        seen: dict[str, None] = {}
        for index in self.extra[self.extra >= 0]:
            extra = self.extras[index]
            seen.update(dict.fromkeys((*extra.reads, *extra.writes)))
        return tuple(seen)

    @cached_property
    def wires(self) -> NDArray[np.int32]:
        """Shape (rows, width >= 2): everything that orders rows: qubits, then classical keys numbered from
        `num_qubits` on; -1 fills up."""
        wide: dict[int, tuple[int, ...]] = {}
        key_wire = {key: self.num_qubits + i for i, key in enumerate(self.keys)}
        for row in np.flatnonzero(self.extra >= 0).tolist():
            extra = self.extras[self.extra[row]]
            qubits = extra.operands or tuple(q for q in self.operands[row].tolist() if q >= 0)
            keys = dict.fromkeys(key_wire[key] for key in (*extra.reads, *extra.writes))
            wide[row] = (*qubits, *keys)
        width = max((len(w) for w in wide.values()), default=2)
        if width <= 2:
            table = self.operands
        else:
            table = np.full((len(self), width), -1, dtype=np.int32)
            table[:, :2] = self.operands
        table = table.copy()
        for row, wires in wide.items():
            table[row] = -1
            table[row, : len(wires)] = wires
        table.setflags(write=False)
        return table

    @property
    def num_wires(self) -> int:
        """Qubits and classical keys together."""
        return self.num_qubits + len(self.keys)

    def with_rows(self, rows: NDArray[np.int64]) -> Circuit:
        """The circuit made of these rows of this one, in this order (each at most once)."""
        new_row = np.full(len(self), -1, dtype=np.int64)
        new_row[rows] = np.arange(len(rows))
        return replace(
            self,
            op=self.op[rows],
            operands=self.operands[rows],
            angles=self.angles[rows],
            extra=self.extra[rows],
            affine=self.affine.moved(new_row),
        )

    def bind_batch(self, values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Angles (batch, rows, 3) and global phases (batch,) for parameter values of shape (batch,
        params)."""
        return self.affine.evaluate(self.angles, self.phase, values)

    def bind(self, values: dict[str, float]) -> Circuit:
        """The circuit with these parameters set; parameters without a value stay free.

        Raises:
            CircuitError: a name is unknown, or a value is not finite.
        """
        names = {p.name: i for i, p in enumerate(self.params)}
        for name, value in values.items():
            if name not in names:
                raise CircuitError(
                    f"the circuit has no parameter {name!r}; it has {', '.join(names) or 'none'}"
                )
            if not np.isfinite(value):
                raise CircuitError(f"parameter {name!r} is {value}; a finite number was expected")
        if not values:
            return self
        known = np.zeros(len(self.params))
        is_known = np.zeros(len(self.params), dtype=bool)
        for name, value in values.items():
            known[names[name]] = value
            is_known[names[name]] = True
        angles, phases = self.affine.evaluate(self.angles, self.phase, known[None])
        keep = ~is_known[self.affine.param]
        left = np.flatnonzero(~is_known)
        renumber = np.cumsum(~is_known) - 1
        affine = Affine.of(self.affine.slot[keep], renumber[self.affine.param[keep]], self.affine.coef[keep])
        params = tuple(self.params[i] for i in left)
        return replace(self, angles=angles[0], phase=float(phases[0]), affine=affine, params=params)


class Builder:
    """Appends rows and makes a `Circuit`.

    Args:
        qubits: labels of the qubits; rows name qubits by index.
    """

    def __init__(self, qubits: Sequence[Qubit]) -> None:
        if len(set(qubits)) != len(qubits):
            raise CircuitError("the qubits of a circuit must differ from one another")
        self.qubits = tuple(qubits)
        self.phase = 0.0
        self._op: list[int] = []
        self._operands: list[tuple[int, int]] = []
        self._angles: list[tuple[float, float, float]] = []
        self._extra: list[int] = []
        self._extras: list[Extra] = []
        self._params: dict[str, int] = {}
        self._param_list: list[Parameter] = []
        self._terms: list[tuple[int, int, float]] = []

    def __len__(self) -> int:
        return len(self._op)

    def parameter(self, name: str, expression: Any = None) -> int:
        """Index of the parameter of that name, added if new."""
        if name not in self._params:
            self._params[name] = len(self._param_list)
            self._param_list.append(Parameter(name, expression))
        return self._params[name]

    def add(
        self, name: str, qubits: Sequence[int], angles: Sequence[Angle] = (), extra: Extra | None = None
    ) -> None:
        """Append a gate of the table.

        Raises:
            CircuitError: unknown name, wrong number of qubits or angles, equal qubits, an angle not finite.
        """
        if name not in BY_NAME:
            raise CircuitError(f"the gate table has no {name!r}")
        row = BY_NAME[name]
        self._check(row.name, row.num_qubits, row.num_angles, qubits, angles)
        first, second = (qubits[0], qubits[1] if len(qubits) > 1 else -1) if qubits else (-1, -1)
        constants = [self._constant(angle, column) for column, angle in enumerate(angles)]
        constants += [0.0] * (3 - len(constants))
        self._push(row.code, (first, second), (constants[0], constants[1], constants[2]), extra)

    def measure(
        self, qubits: Sequence[int], key: str, tags: tuple[Hashable, ...] = (), invert: tuple[bool, ...] = ()
    ) -> None:
        """Append a measurement of these qubits under that key."""
        self._structural(MEASURE, Extra(tuple(qubits), writes=(key,), tags=tags, invert=invert))

    def reset(self, qubit: int, tags: tuple[Hashable, ...] = ()) -> None:
        """Append a reset to |0>."""
        self._structural(RESET, Extra((qubit,), tags=tags))

    def opaque(
        self,
        qubits: Sequence[int],
        payload: object,
        reads: tuple[str, ...] = (),
        writes: tuple[str, ...] = (),
        tags: tuple[Hashable, ...] = (),
    ) -> None:
        """Append an operation that nobody looks into: a wall on its qubits and keys."""
        self._structural(OPAQUE, Extra(tuple(qubits), reads, writes, tags, payload))

    def add_phase(self, angle: Angle) -> None:
        """Multiply the circuit by exp(i angle)."""
        if isinstance(angle, tuple):
            constant, terms = angle
            self.phase += constant
            self._terms += [(GLOBAL_PHASE, self.parameter(name), c) for name, c in terms.items()]
        else:
            self.phase += angle

    def build(self) -> Circuit:
        """The circuit of all rows appended so far."""
        size = len(self._op)
        slot, param, coef = zip(*self._terms, strict=True) if self._terms else ((), (), ())
        return Circuit(
            self.qubits,
            np.array(self._op, dtype=np.uint8),
            np.array(self._operands, dtype=np.int32).reshape(size, 2),
            np.array(self._angles, dtype=np.float64).reshape(size, 3),
            np.array(self._extra, dtype=np.int32),
            tuple(self._extras),
            Affine.of(slot, param, coef),
            tuple(self._param_list),
            self.phase,
        )

    def _check(
        self, name: str, num_qubits: int, num_angles: int, qubits: Sequence[int], angles: Sequence[Angle]
    ) -> None:
        if len(qubits) != num_qubits or len(set(qubits)) != num_qubits:
            raise CircuitError(f"{name} acts on {num_qubits} different qubits, not on {tuple(qubits)}")
        if len(angles) != num_angles:
            raise CircuitError(f"{name} has {num_angles} angles, not {len(angles)}")
        if any(not 0 <= q < len(self.qubits) for q in qubits):
            raise CircuitError(f"{name} on {tuple(qubits)}: there are only {len(self.qubits)} qubits")

    def _constant(self, angle: Angle, column: int) -> float:
        constant, terms = angle if isinstance(angle, tuple) else (angle, {})
        if not math.isfinite(constant) or not all(map(math.isfinite, terms.values())):
            raise CircuitError(f"angle {angle!r} is not finite")
        if terms:
            slot = 3 * len(self._op) + column
            self._terms += [(slot, self.parameter(name), c) for name, c in terms.items()]
        return float(constant)

    def _structural(self, code: int, extra: Extra) -> None:
        qubits = extra.operands
        if len(set(qubits)) != len(qubits) or any(not 0 <= q < len(self.qubits) for q in qubits):
            raise CircuitError(f"{GATES[code].name} on {qubits}: {len(self.qubits)} different qubits exist")
        first = qubits[0] if qubits else -1
        second = qubits[1] if len(qubits) > 1 else -1
        self._push(code, (first, second), (0.0, 0.0, 0.0), extra)

    def _push(
        self, code: int, operands: tuple[int, int], angles: tuple[float, float, float], extra: Extra | None
    ) -> None:
        self._op.append(code)
        self._operands.append(operands)
        self._angles.append(angles)
        self._extra.append(-1 if extra is None else len(self._extras))
        if extra is not None:
            self._extras.append(extra)


def same(a: Circuit, b: Circuit) -> bool:
    """Whether two circuits have equal columns (not merely equal meaning)."""
    return (
        a.qubits == b.qubits
        and np.array_equal(a.op, b.op)
        and np.array_equal(a.operands, b.operands)
        and np.array_equal(a.angles, b.angles)
        and a.phase == b.phase
        and a.params == b.params
        and np.array_equal(a.affine.slot, b.affine.slot)
        and np.array_equal(a.affine.param, b.affine.param)
        and np.array_equal(a.affine.coef, b.affine.coef)
        and _extras_of(a) == _extras_of(b)
    )


def _extras_of(circuit: Circuit) -> list[Extra | None]:
    return [circuit.extras[i] if i >= 0 else None for i in circuit.extra.tolist()]


def concatenate(qubits: Sequence[Qubit], parts: Iterable[Circuit]) -> Circuit:
    """One circuit after another, on the same qubits.

    Raises:
        CircuitError: a part has other qubits.
    """
    builder = Builder(qubits)
    for part in parts:
        if part.qubits != builder.qubits:
            raise CircuitError("parts to join must have the same qubits in the same order")
        append(builder, part)
    return builder.build()


def append(builder: Builder, part: Circuit) -> None:
    """Append all rows of `part` to `builder`, whose qubits are numbered the same way."""
    for param in part.params:
        builder.parameter(param.name, param.expression)
    terms: dict[int, dict[str, float]] = {}
    for slot, param_index, coef in zip(
        part.affine.slot.tolist(), part.affine.param.tolist(), part.affine.coef.tolist(), strict=True
    ):
        terms.setdefault(slot, {})[part.params[param_index].name] = coef
    for row in range(len(part)):
        row_gate = GATES[part.op[row]]
        extra = part.extras[part.extra[row]] if part.extra[row] >= 0 else None
        if row_gate.num_qubits == 0:
            assert extra is not None
            builder._structural(row_gate.code, extra)
            continue
        angles: list[Angle] = []
        for column in range(row_gate.num_angles):
            constant = float(part.angles[row, column])
            symbols = terms.get(3 * row + column)
            angles.append((constant, symbols) if symbols else constant)
        builder.add(row_gate.name, part.operands[row, : row_gate.num_qubits].tolist(), angles, extra)
    builder.add_phase((part.phase, terms.get(GLOBAL_PHASE, {})))
