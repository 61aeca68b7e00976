"""Cirq circuits to columns and back. Nothing is lost: what has no row in the gate table is a wall that is
carried.

Global phase is exact in both directions. Moments are packed anew (as early as possible) on the way out.
"""

from __future__ import annotations

import gc
import math
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from itertools import count, pairwise
from typing import Any

import cirq
import numpy as np
from cirq.circuits.qasm_output import QasmUGate
from numpy.typing import NDArray

from qattn_compiler.circuit.gates import (
    BY_NAME,
    FULL_TURN_IS_PHASE,
    GATES,
    MEASURE,
    NUM_QUBITS,
    PERIOD,
    PHASED_XZ,
    RESET,
    ROTATION_ANGLE,
    ROTATION_FAMILY,
    SYMMETRIC,
)
from qattn_compiler.circuit.params import GLOBAL_PHASE, Affine, ranges
from qattn_compiler.circuit.su2 import quaternions
from qattn_compiler.circuit.table import Angle, Builder, Circuit, Extra
from qattn_compiler.errors import CircuitError
from qattn_compiler.interop.cirq_angles import (
    HalfTurns,
    angle_of_unit,
    is_symbolic,
    plus,
    scaled,
    times,
    unit,
)
from qattn_compiler.interop.cirq_results import WIDE, three_qubit

PI = math.pi
Row = tuple[str, tuple[int, ...], tuple[Angle, ...]]
"""(gate name, positions in the operation's qubits, angles)."""
Rows = tuple[list[Row], Angle]
"""Rows and a global phase."""


# -- in ------------------------------------------------------------------------------------------


def from_cirq(
    circuit: cirq.AbstractCircuit,
    *,
    qubits: Sequence[cirq.Qid] | None = None,
    tags_to_ignore: Iterable[Hashable] = (),
    split_gates: bool = True,
    open_wide: bool = False,
) -> Circuit:
    """Columns of a Cirq circuit.

    Args:
        circuit: any Cirq circuit; operations without a row in the gate table become walls.
        qubits: the order of the qubits; sorted if not given. May hold more qubits than the circuit uses.
        tags_to_ignore: operations with such a tag become walls, as Cirq's transformers treat them.
        split_gates: whether a gate that the table has only as several two-qubit gates is taken apart (or a
            wall).
        open_wide: take Toffoli gates and their like apart (`cirq_results.three_qubit`).

    Raises:
        CircuitError: a qubit of the circuit is not in `qubits`, or an angle is complex or not finite.
    """
    with _without_collecting():
        used = circuit.all_qubits()
        labels = tuple(sorted(used)) if qubits is None else tuple(qubits)
        if missing := used - set(labels):
            raise CircuitError(f"the circuit uses {min(missing)}, which is not among the given qubits")
        reader = _Reader(labels, frozenset(tags_to_ignore), split_gates, open_wide)
        for moment in circuit.moments:
            reader.read(moment.operations)
        return reader.build()


@contextmanager
def _without_collecting() -> Iterator[None]:
    """No garbage collection: it would visit a million new objects again and again, and free none."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


class _Reader:
    """Reads operations one by one.

    A gate object is looked into once: its rows go into a library, and every operation of it is a number in a
    list. The circuit is gathered from the library in the end, with array work. Operations that carry more
    than a gate (tags, keys, controls) are an entry of their own, with their own qubits.
    """

    def __init__(
        self, labels: tuple[cirq.Qid, ...], ignored: frozenset[Hashable], split_gates: bool, open_wide: bool
    ) -> None:
        self.builder = Builder(labels)
        self.index = {q: i for i, q in enumerate(labels)}
        self.ignored = ignored
        self.split_gates = split_gates
        self.open_wide = open_wide
        self.all_plain = all(q.dimension == 2 for q in labels)
        self.entry_of: dict[int, int] = {}  # by id: the circuit keeps the gates alive
        self.start: list[int] = []  # of each entry: first row in the library, or ~place in `powers`,
        self.count: list[int] = []  # rows,
        self.width: list[int] = []  # qubits; 0 where the rows have their own already,
        self.phase: list[Angle] = []  # global phase
        self.powers = _Powers(self.builder)
        self.entries: list[int] = []  # of each operation
        self.qubits: list[cirq.Qid] = []  # of all operations with a width

    def read(self, operations: Iterable[cirq.Operation]) -> None:
        """Take in operations.

        Raises:
            CircuitError: an angle is complex or not finite.
        """
        entry_of, entries, all_plain = self.entry_of, self.entries, self.all_plain
        for operation in operations:
            try:
                if all_plain and isinstance(operation, cirq.GateOperation):
                    gate = operation.gate
                    entry = entry_of.get(id(gate))
                    if entry is None:
                        entry = entry_of[id(gate)] = self._entry_of_gate(gate)
                    if entry >= 0:
                        entries.append(entry)
                        self.qubits += operation.qubits
                        continue
                elif all_plain and type(operation) is cirq.ControlledOperation:
                    entry = self._entry_of_controlled(operation)
                    if entry >= 0:
                        entries.append(entry)
                        self.qubits += operation.qubits
                        continue
                entries.append(self._entry_of_operation(operation))
            except CircuitError as error:
                error.place = error.place or f"in operation {operation}"
                raise

    def _entry_of_gate(self, gate: cirq.Gate) -> int:
        """The entry of a gate on whatever qubits; -1 for those whose operations must be looked at."""
        width = self.powers.add(gate, _reader_of(type(gate)))
        if width:
            return self._entry(~(len(self.powers) - 1), 1, width, 0.0)
        rows = None if isinstance(gate, (cirq.MeasurementGate, cirq.ResetChannel)) else self._rows(gate)
        return -1 if rows is None else self._entry_of_rows(rows, cirq.num_qubits(gate))

    def _entry_of_controlled(self, operation: cirq.ControlledOperation) -> int:
        """The entry of a gate on one qubit with one plain control; -1 if it is none or has no rows. (Cirq
        makes a `ControlledGate` each time it is asked for the gate, which takes ten times as long.)"""
        sub = operation.sub_operation
        if type(sub) is not cirq.GateOperation or len(operation.qubits) != 2:
            return -1
        rows = _controlled_rows(self.builder, sub.gate) if operation.control_values == _ONE_CONTROL else None
        if rows is None or (len(rows[0]) > 1 and not self.split_gates):
            return -1
        return self._entry_of_rows(rows, 2)

    def _entry_of_rows(self, rows: Rows, width: int) -> int:
        first = len(self.builder)
        for name, where, angles in rows[0]:
            self.builder.add(name, where, angles)
        return self._entry(first, len(rows[0]), width, rows[1])

    def _entry(self, start: int, count: int, width: int, phase: Angle) -> int:
        self.start.append(start)
        self.count.append(count)
        self.width.append(width)
        self.phase.append(phase)
        return len(self.start) - 1

    def _rows(self, gate: cirq.Gate) -> Rows | None:
        """The rows of a gate; None if it is to be a wall."""
        if self.open_wide and isinstance(gate, WIDE):
            return self._opened(gate)
        rows = rows_of(self.builder, gate)
        if rows is not None and not self.split_gates and sum(len(w) == 2 for _, w, _ in rows[0]) > 1:
            return None
        return rows

    def _opened(self, gate: cirq.Gate) -> Rows | None:
        """The rows of a gate on three qubits; None if it stays a wall."""
        place: dict[Any, int] = {q: k for k, q in enumerate(cirq.LineQubit.range(3))}
        parts = three_qubit(gate.on(*place))
        rows: list[Row] = []
        phase: Angle = 0.0
        for part in parts or ():
            where = [place[q] for q in part.qubits]
            found = None if part.gate is None else self._rows(part.gate)
            if found is None:
                return None
            rows += [(name, tuple(where[k] for k in places), angles) for name, places, angles in found[0]]
            phase = plus(phase, 0.0, found[1])
        return (rows, phase) if parts else None

    def _entry_of_operation(self, operation: cirq.Operation) -> int:
        first = len(self.builder)
        phase = self._add_operation(operation, [self.index[q] for q in operation.qubits])
        return self._entry(first, len(self.builder) - first, 0, phase)

    def _add_operation(self, operation: cirq.Operation, place: list[int]) -> Angle:
        """Append the operation's rows to the library, and give back its global phase."""
        tags = operation.tags
        gate = operation.untagged.gate
        if not all(isinstance(tag, Hashable) for tag in tags):
            raise CircuitError("a tag is not hashable")
        if not self.ignored.isdisjoint(tags) or any(q.dimension != 2 for q in operation.qubits):
            return self._wall(place, operation)
        if isinstance(gate, cirq.MeasurementGate) and not gate.confusion_map:
            invert = gate.full_invert_mask() if any(gate.invert_mask) else ()
            self.builder.measure(place, gate.key, tags, invert)
            return 0.0
        if isinstance(gate, cirq.ResetChannel):
            self.builder.reset(place[0], tags)
            return 0.0
        rows = None if gate is None else self._rows(gate)
        if rows is None or (tags and len(rows[0]) != 1):  # a tag belongs to exactly one row
            return self._wall(place, operation)
        extra = Extra(tags=tags) if tags else None
        for name, where, angles in rows[0]:
            self.builder.add(name, [place[k] for k in where], angles, extra)
        return rows[1]

    def _wall(self, place: list[int], operation: cirq.Operation) -> float:
        reads = tuple(sorted(str(key) for key in cirq.control_keys(operation)))
        writes = tuple(sorted(str(key) for key in cirq.measurement_key_objs(operation)))
        self.builder.opaque(place, operation, reads, writes, ())
        return 0.0

    def build(self) -> Circuit:
        """The circuit of all operations read so far."""
        powers = self.powers.columns()
        start = np.array(self.start, dtype=np.int64)
        is_power = start < 0
        uses = np.bincount(np.array(self.entries, dtype=np.int64), minlength=len(start))
        power_uses = uses[is_power]
        for entry, angle in enumerate(self.phase):
            if angle != 0.0:
                self.builder.add_phase(times(angle, float(uses[entry])))
        self.builder.add_phase(float(powers.phase @ power_uses))
        library = self.builder.build()
        start[is_power] = len(library) + ~start[is_power]
        term, affine = powers.term, library.affine
        row, column = np.divmod(term, 3)
        joined = replace(
            library,
            op=np.concatenate([library.op, powers.op]),
            operands=np.concatenate([library.operands, np.full((len(powers.op), 2), [0, 1], np.int32)]),
            angles=np.concatenate([library.angles, powers.angles]),
            extra=np.concatenate([library.extra, np.full(len(powers.op), -1, dtype=np.int32)]),
            affine=Affine.of(
                np.concatenate([affine.slot, 3 * len(library) + term, np.full(len(term), GLOBAL_PHASE)]),
                np.concatenate([affine.param, powers.param, powers.param]),
                np.concatenate(
                    [affine.coef, powers.coef, powers.coef * power_uses[row] * powers.weight[row, column]]
                ),
            ),
        )
        return self._gathered(joined, start)

    def _gathered(self, library: Circuit, start: NDArray[np.int64]) -> Circuit:
        """The rows of all operations, taken from the library and put on their qubits."""
        entries = np.array(self.entries, dtype=np.int64)
        count = np.array(self.count, dtype=np.int64)[entries]
        width = np.array(self.width, dtype=np.int64)[entries]
        place = self._places()
        rows = ranges(start[entries], count)
        operands = library.operands[rows]
        fits = NUM_QUBITS[library.op[rows]][:, None] > np.arange(2)
        moves = fits & (np.repeat(width, count) > 0)[:, None]
        where = np.repeat(np.cumsum(width) - width, count)[:, None] + operands
        operands[moves] = place[where[moves]]
        operands[~fits & (np.repeat(width, count) > 0)[:, None]] = -1
        return replace(
            library,
            op=library.op[rows],
            operands=operands,
            angles=library.angles[rows],
            extra=library.extra[rows],
            affine=library.affine.gathered(rows),
        )

    def _places(self) -> NDArray[np.int32]:
        """The indices of `qubits`; by identity, as Cirq's qubits hash slowly, where all are the labels."""
        by_id = {id(q): i for q, i in self.index.items()}
        found = list(map(by_id.get, map(id, self.qubits)))
        if None in found:
            found = [self.index[q] for q in self.qubits]
        return np.array(found, dtype=np.int32)


@dataclass(frozen=True)
class _PowerColumns:
    """Rows made of `_Powers`: `op`, `angles`, constant global `phase` of each; terms `coef * parameter` of
    angle `term` (3 * row + column); `weight`: how much of each angle goes into the global phase."""

    op: NDArray[np.uint8]
    angles: NDArray[np.float64]
    phase: NDArray[np.float64]
    term: NDArray[np.int64]
    param: NDArray[np.int32]
    coef: NDArray[np.float64]
    weight: NDArray[np.float64]


class _Powers:
    """Gates that are one row: kept as exponents, and turned into rows together."""

    def __init__(self, builder: Builder) -> None:
        self.builder = builder
        self.kind: list[int] = []
        self.exponents: list[tuple[float, float, float]] = []
        self.shift: list[float] = []
        self.terms: list[tuple[int, int, float]] = []

    def __len__(self) -> int:
        return len(self.kind)

    def add(self, gate: Any, reader: object) -> int:
        """Take in the gate, if it is one of these: its number of qubits, else 0."""
        if isinstance(reader, _Power):
            self.exponents.append((self._number(gate.exponent, 0), 0.0, 0.0))
            self.shift.append(gate.global_shift)
            self.kind.append(reader.kind)
            return reader.width
        if reader is not _phased_xz:
            return 0
        x, z, a = gate.x_exponent, gate.z_exponent, gate.axis_phase_exponent
        self.exponents.append((self._number(x, 0), self._number(z, 1), self._number(a, 2)))
        self.shift.append(0.0)
        self.kind.append(PHASED_XZ)
        return 1

    def _number(self, exponent: Any, column: int) -> float:
        """The constant part of an exponent of the next gate; what is symbolic becomes terms."""
        if type(exponent) is not float:
            angle = scaled(self.builder, exponent, 1.0)
            if isinstance(angle, tuple):
                slot = 3 * len(self.kind) + column
                self.terms += [(slot, self.builder.parameter(name), c) for name, c in angle[1].items()]
                angle = angle[0]
            exponent = angle
        if not -_HUGE < exponent < _HUGE:
            raise CircuitError(f"an angle of a gate is {exponent}; a finite real number was expected")
        return float(exponent)

    def columns(self) -> _PowerColumns:
        """All gates so far."""
        kind = np.array(self.kind, dtype=np.int64)
        exponents = np.array(self.exponents, dtype=np.float64).reshape(len(kind), 3)
        terms = np.array(self.terms, dtype=np.float64).reshape(len(self.terms), 3)
        term, param, coef = terms[:, 0].astype(np.int64), terms[:, 1].astype(np.int32), terms[:, 2] * PI
        op, angles = kind.astype(np.uint8), exponents * PI
        weight = np.zeros((len(kind), 3))
        weight[:, 0] = self.shift
        weight[kind == PHASED_XZ, :2] = 0.5
        phase = np.zeros(len(kind))
        symbolic = np.zeros(len(kind), dtype=bool)
        symbolic[term // 3] = True
        present = np.bincount(kind)
        for number in np.flatnonzero(present).tolist():
            reader = _POWER_OF.get(number)
            if reader is None:
                continue
            rows = np.flatnonzero(kind == number)
            op[rows] = BY_NAME[reader.family].code
            weight[rows, 0] += reader.half
            wrapped = exponents[rows, 0] - 2.0 * np.rint(exponents[rows, 0] / 2.0)
            wrapped[wrapped == -1.0] = 1.0
            wrapped[symbolic[rows]] = np.nan
            for value, name in reader.fixed.items():
                fixed = rows[wrapped == value]
                op[fixed] = BY_NAME[name].code
                phase[fixed] = np.array(self.shift)[fixed] * angles[fixed, 0]
                angles[fixed, 0] = 0.0
        phase += (weight * angles).sum(axis=1)
        return _PowerColumns(op, angles, phase, term, param, coef, weight)


def count_rows(gate: cirq.Gate) -> int | None:
    """How many rows of the gate table the gate becomes; None if it has none (and is a wall)."""
    rows = rows_of(Builder(("a", "b")), gate)
    return None if rows is None else len(rows[0])


def rows_of(builder: Builder, gate: cirq.Gate) -> Rows | None:
    """The rows of a gate, or None if it has none."""
    reader = _reader_of(type(gate))
    if reader is not None:
        return reader(builder, gate)
    if cirq.num_qubits(gate) == 1 and not cirq.is_parameterized(gate) and cirq.has_unitary(gate):
        return _from_matrix(cirq.unitary(gate))
    return None


@cache
def _reader_of(kind: type) -> Callable[[Builder, Any], Rows | None] | None:
    return next((_READERS[base] for base in kind.__mro__ if base in _READERS), None)


def _from_matrix(matrix: np.ndarray[Any, np.dtype[Any]]) -> Rows:
    """A single-qubit unitary as `phased_xz` and a phase."""
    from qattn_compiler.circuit.su2 import to_xza

    phase = float(np.angle(np.linalg.det(matrix))) / 2
    u = matrix * np.exp(-1j * phase)
    q = np.array([u[0, 0].real, -u[0, 1].imag, u[1, 0].real, -u[0, 0].imag])
    angles, sign = to_xza(q / np.linalg.norm(q))
    x, z, a = (float(v) for v in angles)
    return [("phased_xz", (0,), (x, z, a))], phase + float(sign)


_KINDS = count(len(GATES))
_HUGE = 1e300
"""Exponents beyond this might be no finite angle."""


@dataclass(frozen=True, eq=False)
class _Power:
    """Reader of an EigenGate `P**e`: a named gate for some e, else exp(i pi e half) * family(pi e)."""

    fixed: Mapping[float, str]
    family: str
    half: float
    kind: int = field(default_factory=lambda: next(_KINDS))

    @cached_property
    def width(self) -> int:
        """On how many qubits."""
        return BY_NAME[self.family].num_qubits

    def __call__(self, builder: Builder, gate: Any) -> Rows:
        wires = tuple(range(self.width))
        exponent = gate.exponent
        shift = scaled(builder, exponent, PI * gate.global_shift)
        if not is_symbolic(exponent):
            name = self.fixed.get(_wrapped(float(exponent), 2.0))
            if name is not None:
                return [(name, wires, ())], shift
        angle = scaled(builder, exponent, PI)
        return [(self.family, wires, (angle,))], plus(times(angle, self.half), 0.0, shift)


def _wrapped(exponent: float, period: float) -> float:
    """Into (-1, 1]: `P**e` has period 2 in e when the global shift is taken apart."""
    value = exponent - period * round(exponent / period)
    return 1.0 if value == -1.0 else value


def _h(builder: Builder, gate: Any) -> Rows | None:
    if is_symbolic(gate.exponent):
        e = scaled(builder, gate.exponent, PI)
        steps: list[Row] = [("ry", (0,), (-PI / 4,)), ("rz", (0,), (e,)), ("ry", (0,), (PI / 4,))]
        return steps, plus(times(e, 0.5), 0.0, scaled(builder, gate.exponent, PI * gate.global_shift))
    if _wrapped(float(gate.exponent), 2.0) == 1.0:
        return [("h", (0,), ())], PI * float(gate.exponent) * gate.global_shift
    return _from_matrix(cirq.unitary(gate))


def _phased_x(builder: Builder, gate: Any) -> Rows:
    x = scaled(builder, gate.exponent, PI)
    phase = plus(times(x, 0.5), 0.0, scaled(builder, gate.exponent, PI * gate.global_shift))
    return [("phased_xz", (0,), (x, 0.0, scaled(builder, gate.phase_exponent, PI)))], phase


def _phased_xz(builder: Builder, gate: Any) -> Rows:
    x = scaled(builder, gate.x_exponent, PI)
    z = scaled(builder, gate.z_exponent, PI)
    a = scaled(builder, gate.axis_phase_exponent, PI)
    return [("phased_xz", (0,), (x, z, a))], plus(times(x, 0.5), 0.0, times(z, 0.5))


def _controlled_power(fixed: str, rotation: str) -> Callable[[Builder, Any], Rows]:
    """Reader of a controlled `P**e`, which is a rotation of the control and a controlled rotation."""

    def read(builder: Builder, gate: Any) -> Rows:
        shift = scaled(builder, gate.exponent, PI * gate.global_shift)
        if not is_symbolic(gate.exponent) and _wrapped(float(gate.exponent), 2.0) == 1.0:
            return [(fixed, (0, 1), ())], shift
        e = scaled(builder, gate.exponent, PI)
        return [("rz", (0,), (times(e, 0.5),)), (rotation, (0, 1), (e,))], plus(times(e, 0.25), 0.0, shift)

    return read


def _swap(builder: Builder, gate: Any) -> Rows:
    shift = scaled(builder, gate.exponent, PI * gate.global_shift)
    if not is_symbolic(gate.exponent) and _wrapped(float(gate.exponent), 2.0) == 1.0:
        return [("swap", (0, 1), ())], shift
    e = scaled(builder, gate.exponent, PI / 2)
    return [(name, (0, 1), (e,)) for name in ("rxx", "ryy", "rzz")], plus(times(e, 0.5), 0.0, shift)


def _iswap(builder: Builder, gate: Any) -> Rows:
    shift = scaled(builder, gate.exponent, PI * gate.global_shift)
    names = {1.0: "iswap", -1.0: "iswapdg", 0.5: "siswap", -0.5: "siswapdg"}
    if not is_symbolic(gate.exponent):
        value = float(gate.exponent)
        name = names.get(value - 4.0 * round(value / 4.0))
        if name is not None:
            return [(name, (0, 1), ())], shift
    e = scaled(builder, gate.exponent, -PI / 2)
    return [("rxx", (0, 1), (e,)), ("ryy", (0, 1), (e,))], shift


def _phased_iswap(builder: Builder, gate: Any) -> Rows | None:
    if is_symbolic(gate.phase_exponent) or gate.phase_exponent != 0.25:
        p = scaled(builder, gate.phase_exponent, PI)
        inner = _iswap(builder, cirq.ISwapPowGate(exponent=gate.exponent))
        return [
            ("rz", (0,), (p,)),
            ("rz", (1,), (times(p, -1.0),)),
            *inner[0],
            ("rz", (0,), (times(p, -1.0),)),
            ("rz", (1,), (p,)),
        ], plus(inner[1], 0.0, scaled(builder, gate.exponent, PI * gate.global_shift))
    angle = scaled(builder, gate.exponent, PI / 2)
    return [("givens", (0, 1), (angle,))], scaled(builder, gate.exponent, PI * gate.global_shift)


def _fsim(builder: Builder, gate: Any) -> Rows:
    return [("fsim", (0, 1), (scaled(builder, gate.theta, 1.0), scaled(builder, gate.phi, 1.0)))], 0.0


def _identity(_: Builder, __: Any) -> Rows:
    return [], 0.0


def _global_phase(builder: Builder, gate: Any) -> Rows | None:
    if not cirq.is_parameterized(gate):
        return [], float(np.angle(gate.coefficient))
    angle = angle_of_unit(gate.coefficient)
    return None if angle is None else ([], scaled(builder, angle, 1.0))


def _clifford(_: Builder, gate: Any) -> Rows:
    return _from_matrix(cirq.unitary(gate))


def _qasm_u(builder: Builder, gate: QasmUGate) -> Rows:
    """RZ(phi) RY(theta) RZ(lambda) with OpenQASM's phase; RY is RX about an axis turned by pi / 2."""
    theta = scaled(builder, gate.theta, PI)
    phi, lmda = scaled(builder, gate.phi, PI), scaled(builder, gate.lmda, PI)
    turn = plus(phi, 0.0, lmda)
    if theta == 0.0:  # u1: what is diagonal shall look so
        return [("rz", (0,), (turn,))], times(turn, 0.5)
    return [("phased_xz", (0,), (theta, turn, plus(times(lmda, -1.0), PI / 2)))], times(turn, 0.5)


_READERS: dict[type, Callable[[Builder, Any], Rows | None]] = {
    cirq.XPowGate: _Power({1.0: "x", 0.5: "sx", -0.5: "sxdg"}, "rx", 0.5),
    cirq.YPowGate: _Power({1.0: "y"}, "ry", 0.5),
    cirq.ZPowGate: _Power({1.0: "z", 0.5: "s", -0.5: "sdg", 0.25: "t", -0.25: "tdg"}, "rz", 0.5),
    cirq.Rx: _Power({}, "rx", 0.5),
    cirq.Ry: _Power({}, "ry", 0.5),
    cirq.Rz: _Power({}, "rz", 0.5),
    cirq.HPowGate: _h,
    cirq.PhasedXPowGate: _phased_x,
    cirq.PhasedXZGate: _phased_xz,
    cirq.CZPowGate: _Power({1.0: "cz"}, "cphase", 0.0),
    cirq.CXPowGate: _controlled_power("cx", "crx"),
    cirq.CYPowGate: _controlled_power("cy", "cry"),
    cirq.SwapPowGate: _swap,
    cirq.ISwapPowGate: _iswap,
    cirq.PhasedISwapPowGate: _phased_iswap,
    cirq.XXPowGate: _Power({}, "rxx", 0.5),
    cirq.YYPowGate: _Power({}, "ryy", 0.5),
    cirq.ZZPowGate: _Power({}, "rzz", 0.5),
    cirq.FSimGate: _fsim,
    cirq.IdentityGate: _identity,
    cirq.GlobalPhaseGate: _global_phase,
    cirq.SingleQubitCliffordGate: _clifford,
    QasmUGate: _qasm_u,
    cirq.WaitGate: lambda _, __: None,  # an identity that takes time
}


# -- out ------------------------------------------------------------------------------------------


def to_cirq(circuit: Circuit, *, global_phase: bool = True) -> cirq.Circuit:
    """The Cirq circuit of these columns, in core Cirq gates, packed as early as possible.

    Args:
        circuit: its qubits must be Cirq qubits.
        global_phase: whether the first moment gets a global phase operation where the phase is not 0
            (devices refuse it).

    Raises:
        CircuitError: a qubit label is no `cirq.Qid`.
    """
    from qattn_compiler.circuit.kernels import layers

    if not all(isinstance(q, cirq.Qid) for q in circuit.qubits):
        raise CircuitError("to write a Cirq circuit, the qubits must be Cirq qubits (cirq.Qid)")
    layer = layers(np.ones(len(circuit), dtype=np.int64), circuit.wires, circuit.num_wires)
    order = np.argsort(layer, kind="stable").tolist()
    ends = np.cumsum(np.bincount(layer)).tolist()
    with _without_collecting():
        writer = _Writer(circuit)
        operations = writer.operations()
        packed = [operations[row] for row in order]
        moments = [packed[begin:end] for begin, end in pairwise(ends)]
        if global_phase and (phase := writer.phase_operation()):
            moments = [[*(moments[0] if moments else ()), *phase], *moments[1:]]
        return cirq.Circuit.from_moments(*(cirq.Moment.from_ops(*moment) for moment in moments))


def named_qubits(size: int) -> list[cirq.NamedQubit]:
    """q0, q1, ...: qubits that are on no machine."""
    return [cirq.NamedQubit(f"q{k}") for k in range(size)]


def unplaced(circuit: Circuit) -> Circuit:
    """The circuit with its foreign operations on the first qubits of a line: where they stand, the rows say.
    So operations are equal that were moved."""

    def moved(extra: Extra) -> Extra:
        if not isinstance(extra.payload, cirq.Operation):
            return extra
        places = cirq.LineQid.for_qid_shape(cirq.qid_shape(extra.payload))
        return replace(extra, payload=extra.payload.with_qubits(*places))

    return replace(circuit, extras=tuple(moved(extra) for extra in circuit.extras))


def column_distance(a: Circuit, b: Circuit) -> float:
    """How far two numeric circuits on the same qubits are apart, gate by gate; infinite if their structures
    differ.

    Rows are paired by layer and qubit, single-qubit gates compared as unit quaternions (up to sign), so the
    order in which a writer lists a moment's operations, and the name of a gate, do not matter.
    """
    if a.qubits != b.qubits or len(a) != len(b):
        return math.inf
    rows_a, rows_b = _canonical_rows(a), _canonical_rows(b)
    if not np.array_equal(_ordered(a)[rows_a], _ordered(b)[rows_b]):
        return math.inf
    (op_a, angles_a), (op_b, angles_b) = _as_rotations(a, rows_a), _as_rotations(b, rows_b)
    single = NUM_QUBITS[op_a] == 1
    if not np.array_equal(single, NUM_QUBITS[op_b] == 1) or not np.array_equal(op_a[~single], op_b[~single]):
        return math.inf
    off = np.abs(angles_a[~single] - angles_b[~single])
    period = np.where(FULL_TURN_IS_PHASE, PERIOD / 2, PERIOD)[op_a[~single]][:, None]
    turns = np.divide(off, period, out=np.zeros_like(off), where=period > 0)
    worst = float(np.abs(off - period * np.round(turns)).max(initial=0.0))
    q, _ = quaternions(op_a[single], angles_a[single])
    p, _ = quaternions(op_b[single], angles_b[single])
    apart = np.minimum(np.abs(q - p).max(axis=1, initial=0.0), np.abs(q + p).max(axis=1, initial=0.0))
    return max(worst, float(apart.max(initial=0.0)))


def _canonical_rows(circuit: Circuit) -> NDArray[np.int64]:
    from qattn_compiler.circuit.kernels import layers

    layer = layers(np.ones(len(circuit), dtype=np.int64), circuit.wires, circuit.num_wires)
    return np.lexsort((_ordered(circuit)[:, 0], layer))


def _ordered(circuit: Circuit) -> NDArray[np.int32]:
    """Operands, those of gates that may be turned round in rising order."""
    turnable = SYMMETRIC[circuit.op][:, None]
    return np.where(turnable, np.sort(circuit.operands, axis=1), circuit.operands)


def _as_rotations(
    circuit: Circuit, rows: NDArray[np.int64]
) -> tuple[NDArray[np.integer[Any]], NDArray[np.float64]]:
    """Gates and angles of these rows, two-qubit gates that are special rotations written as such."""
    op, angles = circuit.op[rows], circuit.angles[rows].copy()
    special = (NUM_QUBITS[op] == 2) & (ROTATION_FAMILY[op] >= 0)
    angles[special, 0] += ROTATION_ANGLE[op[special]]
    return np.where(special, ROTATION_FAMILY[op], op), angles


class _Writer:
    """Makes operations; equal gates, and equal operations without angles, are one object."""

    def __init__(self, circuit: Circuit) -> None:
        self.circuit = circuit
        self.qubits: tuple[Any, ...] = circuit.qubits
        self.turns = HalfTurns(circuit)
        self.phase_terms = _symbolic_phase(circuit)
        self.powers = _powers(circuit, self.phase_terms)
        pulses = circuit.op == PHASED_XZ  # Cirq's gate is ours times exp(i (x + z) / 2)
        brought = circuit.angles[pulses, :2].sum() + circuit.angles[sorted(self.powers), 0].sum()
        self.phase = circuit.phase - float(brought) / 2

    def operations(self) -> list[cirq.Operation]:
        """The operation of each row."""
        circuit = self.circuit
        out: list[Any] = [None] * len(circuit)
        gates = np.where(NUM_QUBITS[circuit.op] > 0, circuit.op, len(GATES))
        gates[circuit.symbolic_rows] = len(GATES)
        with cirq.with_debug(False):  # the columns have been checked; Cirq would check each operation again
            for code in np.flatnonzero(np.bincount(gates, minlength=len(GATES) + 1)[:-1]).tolist():
                rows = np.flatnonzero(gates == code)
                write = self._fixed if GATES[code].num_angles == 0 else self._turned
                for row, operation in zip(rows.tolist(), write(code, rows), strict=True):
                    out[row] = operation
            for row in np.flatnonzero(circuit.symbolic_rows).tolist():
                out[row] = cirq.GateOperation(self._symbolic(row), self._wires(row))
        for row in np.flatnonzero(circuit.extra >= 0).tolist():
            extra = circuit.extras[circuit.extra[row]]
            code = int(circuit.op[row])
            plain = out[row]
            out[row] = self._structural(code, extra) if plain is None else plain.with_tags(*extra.tags)
        return out

    def _wires(self, row: int) -> tuple[Any, ...]:
        return tuple(self.qubits[q] for q in self.circuit.operands[row].tolist() if q >= 0)

    def _fixed(self, code: int, rows: NDArray[np.int64]) -> Iterator[cirq.Operation]:
        """Operations of a gate without angles."""
        gate = _WRITERS[GATES[code].name]()
        made: dict[tuple[int, int], cirq.Operation] = {}
        for row, wires in zip(rows.tolist(), map(tuple, self.circuit.operands[rows].tolist()), strict=True):
            operation = made.get(wires)
            if operation is None:
                operation = made[wires] = cirq.GateOperation(gate, self._wires(row))
            yield operation

    def _turned(self, code: int, rows: NDArray[np.int64]) -> Iterator[cirq.Operation]:
        """Operations of a gate with angles that are numbers."""
        write = _WRITERS[GATES[code].name]
        gates: dict[tuple[float, ...], cirq.Gate] = {}
        qubits = self.qubits
        turns = (self.circuit.angles[rows, : GATES[code].num_angles] / PI).tolist()
        operands = self.circuit.operands[rows].tolist()
        for key, (a, b) in zip(map(tuple, turns), operands, strict=True):
            gate = gates.get(key)
            if gate is None:
                gate = gates[key] = write(*key)
            yield cirq.GateOperation(gate, (qubits[a],) if b < 0 else (qubits[a], qubits[b]))

    def _symbolic(self, row: int) -> cirq.Gate:
        gate = GATES[self.circuit.op[row]]
        constants = self.circuit.angles[row].tolist()
        turns = [self.turns.at(3 * row + k, constants[k]) for k in range(gate.num_angles)]
        return _POWERS[gate.name](exponent=turns[0]) if row in self.powers else _WRITERS[gate.name](*turns)

    def phase_operation(self) -> list[cirq.Operation]:
        """The global phase that the gates do not bring themselves."""
        terms = [(index, c) for index, c in self.phase_terms.items() if abs(c) > 1e-12]
        value = self.turns.of(terms, self.phase)
        if terms:
            import sympy

            return [cirq.global_phase_operation(unit(sympy.pi * value))]
        turns = float(value) % 2.0
        if min(turns, 2.0 - turns) < 1e-12:
            return []
        return [cirq.global_phase_operation(complex(np.exp(1j * PI * turns)))]

    def _structural(self, code: int, extra: Extra) -> cirq.Operation:
        qubits = [self.qubits[q] for q in extra.operands]
        out: cirq.Operation
        if code == MEASURE:
            out = cirq.measure(*qubits, key=extra.writes[0], invert_mask=extra.invert)
        elif code == RESET:
            out = cirq.reset(qubits[0])
        else:
            payload: Any = extra.payload
            return payload if list(payload.qubits) == qubits else payload.with_qubits(*qubits)  # type: ignore[no-any-return]
        return out.with_tags(*extra.tags) if extra.tags else out


def _powers(circuit: Circuit, phase: dict[int, float]) -> frozenset[int]:
    """Symbolic rotation rows to be written as `P**e`, which is exp(i angle / 2) times our rotation.

    Each uses up some of `phase` (parameter index -> coefficient; changed in place). Cirq cannot draw
    circuits with a symbolic global phase, and `X**t` should come out as it went in.
    """
    slots = np.flatnonzero(circuit.affine.slot >= 0)
    row_of, column = np.divmod(circuit.affine.slot[slots], 3)
    wanted = np.isin(circuit.affine.param[slots], [index for index, c in phase.items() if c])
    fits = wanted & (column == 0) & np.isin(circuit.op[row_of], [BY_NAME[name].code for name in _POWERS])
    halves: dict[int, dict[int, float]] = {}
    for row, index, coefficient in zip(
        row_of[fits].tolist(),
        circuit.affine.param[slots][fits].tolist(),
        circuit.affine.coef[slots][fits].tolist(),
        strict=True,
    ):
        halves.setdefault(row, {})[index] = coefficient / 2
    for row in set(row_of[~wanted].tolist()):  # it has a term that the phase has not
        halves.pop(row, None)

    def rank(row: int) -> tuple[bool, float]:
        sizes = [abs(c) / PI * 48 for c in halves[row].values()]
        return any(abs(size - round(size)) > 1e-9 for size in sizes), -sum(sizes)

    taken = set()
    for row in sorted(halves, key=rank):  # exponents with simple coefficients first, large ones first
        half = halves[row]
        if all(math.copysign(1.0, c) * phase[index] >= abs(c) - 1e-12 for index, c in half.items()):
            taken.add(row)
            for index, c in half.items():
                phase[index] -= c
    return frozenset(taken)


def _symbolic_phase(circuit: Circuit) -> dict[int, float]:
    """{parameter index: coefficient} of the global phase, radians, without what Cirq's `PhasedXZ` gates
    bring."""
    affine = circuit.affine
    row, column = np.divmod(affine.slot, 3)
    factor = (affine.slot == GLOBAL_PHASE).astype(np.float64)
    factor[np.isin(row, np.flatnonzero(circuit.op == PHASED_XZ)) & (column < 2)] = -0.5
    used = np.flatnonzero(factor)
    total = np.bincount(affine.param[used], affine.coef[used] * factor[used], len(circuit.params))
    return {index: float(total[index]) for index in dict.fromkeys(affine.param[used].tolist())}


_POWERS: dict[str, Callable[..., cirq.Gate]] = {
    "rx": cirq.XPowGate,
    "ry": cirq.YPowGate,
    "rz": cirq.ZPowGate,
    "rxx": cirq.XXPowGate,
    "ryy": cirq.YYPowGate,
    "rzz": cirq.ZZPowGate,
}

_WRITERS: dict[str, Callable[..., cirq.Gate]] = {
    "x": lambda: cirq.X,
    "y": lambda: cirq.Y,
    "z": lambda: cirq.Z,
    "h": lambda: cirq.H,
    "s": lambda: cirq.S,
    "sdg": lambda: cirq.S**-1,
    "t": lambda: cirq.T,
    "tdg": lambda: cirq.T**-1,
    "sx": lambda: cirq.X**0.5,
    "sxdg": lambda: cirq.X**-0.5,
    "rx": lambda t: cirq.XPowGate(exponent=t, global_shift=-0.5),
    "ry": lambda t: cirq.YPowGate(exponent=t, global_shift=-0.5),
    "rz": lambda t: cirq.ZPowGate(exponent=t, global_shift=-0.5),
    "z_power": lambda t: cirq.ZPowGate(exponent=t),
    "phased_xz": lambda x, z, a: cirq.PhasedXZGate(x_exponent=x, z_exponent=z, axis_phase_exponent=a),
    "cx": lambda: cirq.CX,
    "cy": lambda: cirq.ControlledGate(cirq.Y),
    "cz": lambda: cirq.CZ,
    "ch": lambda: cirq.ControlledGate(cirq.H),
    "swap": lambda: cirq.SWAP,
    "iswap": lambda: cirq.ISWAP,
    "iswapdg": lambda: cirq.ISWAP**-1,
    "siswap": lambda: cirq.SQRT_ISWAP,
    "siswapdg": lambda: cirq.SQRT_ISWAP_INV,
    "crx": lambda t: cirq.ControlledGate(cirq.XPowGate(exponent=t, global_shift=-0.5)),
    "cry": lambda t: cirq.ControlledGate(cirq.YPowGate(exponent=t, global_shift=-0.5)),
    "crz": lambda t: cirq.ControlledGate(cirq.ZPowGate(exponent=t, global_shift=-0.5)),
    "cphase": lambda t: cirq.CZPowGate(exponent=t),
    "rxx": lambda t: cirq.XXPowGate(exponent=t, global_shift=-0.5),
    "ryy": lambda t: cirq.YYPowGate(exponent=t, global_shift=-0.5),
    "rzz": lambda t: cirq.ZZPowGate(exponent=t, global_shift=-0.5),
    "givens": lambda t: cirq.PhasedISwapPowGate(phase_exponent=0.25, exponent=2 * t),
    "fsim": lambda t, p: cirq.FSimGate(theta=PI * t, phi=PI * p),
}


def _controlled(builder: Builder, gate: Any) -> Rows | None:
    """A gate with one plain control, where the table has it."""
    if gate.num_controls() != 1 or gate.control_values != _ONE_CONTROL:
        return None
    return _controlled_rows(builder, gate.sub_gate)


_POWER_OF = {reader.kind: reader for reader in _READERS.values() if isinstance(reader, _Power)}
_ONE_CONTROL = cirq.ProductOfSums([(1,)])


def _controlled_rows(builder: Builder, gate: Any) -> Rows | None:
    """A gate on one qubit with one plain control, where the table has it."""
    sub = rows_of(builder, gate)
    names = {"x": "cx", "y": "cy", "z": "cz", "h": "ch", "rx": "crx", "ry": "cry", "rz": "crz"}
    if sub is None or len(sub[0]) != 1:
        return None
    (name, _, angles), phase = sub[0][0], sub[1]
    if name == "phased_xz" and angles[0] == 0.0:  # a phase, as OpenQASM's cu1 gives it
        name, angles = "rz", angles[1:2]
    fixed = BY_NAME[name].rotation
    if name not in names and fixed is not None and not angles:  # s, t, sx, ...: as rotation and phase
        name, angles, phase = fixed[0], (fixed[1],), plus(phase, fixed[2])
    if name not in names:
        return None
    rows: list[Row] = [(names[name], (0, 1), angles)]
    if phase == 0.0:
        return rows, 0.0
    return [("rz", (0,), (phase,)), *rows], times(phase, 0.5)


_READERS[cirq.ControlledGate] = _controlled
