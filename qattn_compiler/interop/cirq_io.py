"""Cirq circuits to columns and back. Nothing is lost: what has no row in the gate table is a wall that is
carried.

Global phase is exact in both directions. Moments are packed anew (as early as possible) on the way out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any

import cirq
import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit.gates import BY_NAME, GATES, MEASURE, NUM_QUBITS, OPAQUE, PHASED_XZ, RESET
from qattn_compiler.circuit.params import GLOBAL_PHASE
from qattn_compiler.circuit.su2 import quaternions
from qattn_compiler.circuit.table import Angle, Builder, Circuit, Extra
from qattn_compiler.errors import CircuitError
from qattn_compiler.interop.cirq_angles import expression, half_turns, plus, scaled, times

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
) -> Circuit:
    """Columns of a Cirq circuit.

    Args:
        circuit: any Cirq circuit; operations without a row in the gate table become walls.
        qubits: the order of the qubits; sorted if not given. May hold more qubits than the circuit uses.
        tags_to_ignore: operations with such a tag become walls, as Cirq's transformers treat them.
        split_gates: whether a gate that the table has only as several two-qubit gates is taken apart (or a
            wall).

    Raises:
        CircuitError: a qubit of the circuit is not in `qubits`, or an angle is complex or not finite.
    """
    labels = tuple(sorted(circuit.all_qubits())) if qubits is None else tuple(qubits)
    missing = circuit.all_qubits() - set(labels)
    if missing:
        raise CircuitError(f"the circuit uses {min(missing)}, which is not among the given qubits")
    builder = Builder(labels)
    index = {q: i for i, q in enumerate(labels)}
    ignored = frozenset(tags_to_ignore)
    for operation in circuit.all_operations():
        try:
            _read(builder, index, operation, ignored, split_gates)
        except CircuitError as error:
            error.place = error.place or f"in operation {operation}"
            raise
    return builder.build()


def _read(
    builder: Builder,
    index: Mapping[cirq.Qid, int],
    operation: cirq.Operation,
    ignored: frozenset[Hashable],
    split_gates: bool,
) -> None:
    place = [index[q] for q in operation.qubits]
    tags = operation.tags
    bare = operation.untagged
    gate = bare.gate
    if not ignored.isdisjoint(tags) or any(q.dimension != 2 for q in operation.qubits):
        return _wall(builder, place, operation)
    if isinstance(gate, cirq.MeasurementGate) and not gate.confusion_map:
        return builder.measure(
            place, gate.key, tags, gate.full_invert_mask() if any(gate.invert_mask) else ()
        )
    if isinstance(gate, cirq.ResetChannel):
        return builder.reset(place[0], tags)
    rows = None if gate is None else rows_of(builder, gate)
    if rows is None or (tags and len(rows[0]) != 1):  # a tag belongs to exactly one row
        return _wall(builder, place, operation)
    if not split_gates and sum(len(where) == 2 for _, where, _ in rows[0]) > 1:
        return _wall(builder, place, operation)
    extra = Extra(tags=tags) if tags else None
    for name, where, angles in rows[0]:
        builder.add(name, [place[k] for k in where], angles, extra)
    return builder.add_phase(rows[1])


def _wall(builder: Builder, place: list[int], operation: cirq.Operation) -> None:
    reads = tuple(sorted(str(key) for key in cirq.control_keys(operation)))
    writes = tuple(sorted(str(key) for key in cirq.measurement_key_objs(operation)))
    builder.opaque(place, operation, reads, writes, ())


def count_rows(gate: cirq.Gate) -> int | None:
    """How many rows of the gate table the gate becomes; None if it has none (and is a wall)."""
    rows = rows_of(Builder(("a", "b")), gate)
    return None if rows is None else len(rows[0])


def rows_of(builder: Builder, gate: cirq.Gate) -> Rows | None:
    """The rows of a gate, or None if it has none."""
    for kind in type(gate).__mro__:
        reader = _READERS.get(kind)
        if reader is not None:
            return reader(builder, gate)
    if cirq.num_qubits(gate) == 1 and not cirq.is_parameterized(gate) and cirq.has_unitary(gate):
        return _from_matrix(cirq.unitary(gate))
    return None


def _from_matrix(matrix: np.ndarray[Any, np.dtype[Any]]) -> Rows:
    """A single-qubit unitary as `phased_xz` and a phase."""
    from qattn_compiler.circuit.su2 import to_xza

    phase = float(np.angle(np.linalg.det(matrix))) / 2
    u = matrix * np.exp(-1j * phase)
    q = np.array([u[0, 0].real, -u[0, 1].imag, u[1, 0].real, -u[0, 0].imag])
    angles, sign = to_xza(q / np.linalg.norm(q))
    x, z, a = (float(v) for v in angles)
    return [("phased_xz", (0,), (x, z, a))], phase + float(sign)


def _power(fixed: Mapping[float, str], family: str, half: float) -> Callable[[Builder, Any], Rows]:
    """Reader of an EigenGate `P**e`: a named gate for some exponents, else exp(i pi e half) * family(pi
    e)."""
    wires = tuple(range(BY_NAME[family].num_qubits))

    def read(builder: Builder, gate: Any) -> Rows:
        exponent = gate.exponent
        shift = scaled(builder, exponent, PI * gate.global_shift)
        if not cirq.is_parameterized(gate):
            period = 2.0
            name = fixed.get(_wrapped(float(exponent), period))
            if name is not None:
                return [(name, wires, ())], shift
        angle = scaled(builder, exponent, PI)
        return [(family, wires, (angle,))], plus(times(angle, half), 0.0, shift)

    return read


def _wrapped(exponent: float, period: float) -> float:
    """Into (-1, 1]: `P**e` has period 2 in e when the global shift is taken apart."""
    value = exponent - period * round(exponent / period)
    return 1.0 if value == -1.0 else value


def _h(builder: Builder, gate: Any) -> Rows | None:
    if cirq.is_parameterized(gate):
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
        if not cirq.is_parameterized(gate) and _wrapped(float(gate.exponent), 2.0) == 1.0:
            return [(fixed, (0, 1), ())], shift
        e = scaled(builder, gate.exponent, PI)
        return [("rz", (0,), (times(e, 0.5),)), (rotation, (0, 1), (e,))], plus(times(e, 0.25), 0.0, shift)

    return read


def _swap(builder: Builder, gate: Any) -> Rows:
    shift = scaled(builder, gate.exponent, PI * gate.global_shift)
    if not cirq.is_parameterized(gate) and _wrapped(float(gate.exponent), 2.0) == 1.0:
        return [("swap", (0, 1), ())], shift
    e = scaled(builder, gate.exponent, PI / 2)
    return [(name, (0, 1), (e,)) for name in ("rxx", "ryy", "rzz")], plus(times(e, 0.5), 0.0, shift)


def _iswap(builder: Builder, gate: Any) -> Rows:
    shift = scaled(builder, gate.exponent, PI * gate.global_shift)
    names = {1.0: "iswap", -1.0: "iswapdg", 0.5: "siswap", -0.5: "siswapdg"}
    if not cirq.is_parameterized(gate):
        value = float(gate.exponent)
        name = names.get(value - 4.0 * round(value / 4.0))
        if name is not None:
            return [(name, (0, 1), ())], shift
    e = scaled(builder, gate.exponent, -PI / 2)
    return [("rxx", (0, 1), (e,)), ("ryy", (0, 1), (e,))], shift


def _phased_iswap(builder: Builder, gate: Any) -> Rows | None:
    if cirq.is_parameterized(gate.phase_exponent) or gate.phase_exponent != 0.25:
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
    import sympy

    if not isinstance(gate.coefficient, sympy.exp):
        return None
    angle = sympy.expand(gate.coefficient.args[0] / sympy.I)
    return None if angle.has(sympy.I) else ([], scaled(builder, angle, 1.0))


def _clifford(_: Builder, gate: Any) -> Rows:
    return _from_matrix(cirq.unitary(gate))


_READERS: dict[type, Callable[[Builder, Any], Rows | None]] = {
    cirq.XPowGate: _power({1.0: "x", 0.5: "sx", -0.5: "sxdg"}, "rx", 0.5),
    cirq.YPowGate: _power({1.0: "y"}, "ry", 0.5),
    cirq.ZPowGate: _power({1.0: "z", 0.5: "s", -0.5: "sdg", 0.25: "t", -0.25: "tdg"}, "rz", 0.5),
    cirq.Rx: _power({}, "rx", 0.5),
    cirq.Ry: _power({}, "ry", 0.5),
    cirq.Rz: _power({}, "rz", 0.5),
    cirq.HPowGate: _h,
    cirq.PhasedXPowGate: _phased_x,
    cirq.PhasedXZGate: _phased_xz,
    cirq.CZPowGate: _power({1.0: "cz"}, "cphase", 0.0),
    cirq.CXPowGate: _controlled_power("cx", "crx"),
    cirq.CYPowGate: _controlled_power("cy", "cry"),
    cirq.SwapPowGate: _swap,
    cirq.ISwapPowGate: _iswap,
    cirq.PhasedISwapPowGate: _phased_iswap,
    cirq.XXPowGate: _power({}, "rxx", 0.5),
    cirq.YYPowGate: _power({}, "ryy", 0.5),
    cirq.ZZPowGate: _power({}, "rzz", 0.5),
    cirq.FSimGate: _fsim,
    cirq.IdentityGate: _identity,
    cirq.GlobalPhaseGate: _global_phase,
    cirq.SingleQubitCliffordGate: _clifford,
    cirq.WaitGate: lambda _, __: None,  # an identity that takes time
}


# -- out ------------------------------------------------------------------------------------------


def to_cirq(circuit: Circuit, *, global_phase: bool = True) -> cirq.Circuit:
    """The Cirq circuit of these columns, in core Cirq gates, packed as early as possible.

    Args:
        circuit: its qubits must be Cirq qubits.
        global_phase: whether to end with a global phase operation where the phase is not 0 (devices refuse
            it).

    Raises:
        CircuitError: a qubit label is no `cirq.Qid`.
    """
    from qattn_compiler.circuit.kernels import layers

    if not all(isinstance(q, cirq.Qid) for q in circuit.qubits):
        raise CircuitError("to write a Cirq circuit, the qubits must be Cirq qubits (cirq.Qid)")
    writer = _Writer(circuit)
    weight = np.ones(len(circuit), dtype=np.int64)
    layer = layers(weight, circuit.wires, circuit.num_wires)
    moments: list[list[cirq.Operation]] = [[] for _ in range(int(layer.max(initial=0)))]
    for row, moment in enumerate(layer.tolist()):
        moments[moment - 1].append(writer.operation(row))
    out = cirq.Circuit.from_moments(*(cirq.Moment.from_ops(*ops) for ops in moments))
    if global_phase:
        out += writer.phase_operation()
    return out


def column_distance(a: Circuit, b: Circuit) -> float:
    """How far two numeric circuits on the same qubits are apart, gate by gate; infinite if their structures
    differ.

    Rows are paired by layer and qubit, single-qubit gates compared as unit quaternions (up to sign), so the
    order in which a writer lists a moment's operations, and the name of a gate, do not matter.
    """
    if a.qubits != b.qubits or len(a) != len(b):
        return math.inf
    rows_a, rows_b = _canonical_rows(a), _canonical_rows(b)
    if not np.array_equal(a.operands[rows_a], b.operands[rows_b]):
        return math.inf
    op_a, op_b = a.op[rows_a], b.op[rows_b]
    single = NUM_QUBITS[op_a] == 1
    if not np.array_equal(single, NUM_QUBITS[op_b] == 1) or not np.array_equal(op_a[~single], op_b[~single]):
        return math.inf
    angles_a, angles_b = a.angles[rows_a], b.angles[rows_b]
    worst = float(np.abs(angles_a[~single] - angles_b[~single]).max(initial=0.0))
    q, _ = quaternions(op_a[single], angles_a[single])
    p, _ = quaternions(op_b[single], angles_b[single])
    apart = np.minimum(np.abs(q - p).max(axis=1, initial=0.0), np.abs(q + p).max(axis=1, initial=0.0))
    return max(worst, float(apart.max(initial=0.0)))


def _canonical_rows(circuit: Circuit) -> NDArray[np.int64]:
    from qattn_compiler.circuit.kernels import layers

    layer = layers(np.ones(len(circuit), dtype=np.int64), circuit.wires, circuit.num_wires)
    return np.lexsort((circuit.operands[:, 0], layer))


class _Writer:
    """Makes operations; equal gates are one object."""

    def __init__(self, circuit: Circuit) -> None:
        self.circuit = circuit
        self.cache: dict[object, cirq.Gate] = {}
        self.symbolic = circuit.symbolic_rows.tolist()
        self.op = circuit.op.tolist()
        self.operands = circuit.operands.tolist()
        self.angles = circuit.angles.tolist()
        self.phase = circuit.phase
        self.phase_terms = _symbolic_phase(circuit)
        self.powers = _powers(circuit, self.phase_terms)

    def operation(self, row: int) -> cirq.Operation:
        code = self.op[row]
        extra = self._extra(row)
        if extra is not None and code in (MEASURE, RESET, OPAQUE):
            return self._structural(code, extra)
        gate = self._gate(row, code)
        qubits = self.circuit.qubits
        a, b = self.operands[row]
        out: cirq.Operation = gate.on(qubits[a]) if b < 0 else gate.on(qubits[a], qubits[b])
        return out if extra is None else out.with_tags(*extra.tags)

    def phase_operation(self) -> list[cirq.Operation]:
        """The global phase that the gates do not bring themselves."""
        terms = [(index, c) for index, c in self.phase_terms.items() if abs(c) > 1e-12]
        value = expression(self.circuit, terms, self.phase)
        if terms:
            import sympy

            return [cirq.global_phase_operation(sympy.exp(sympy.I * sympy.pi * value))]
        turns = float(value) % 2.0
        if min(turns, 2.0 - turns) < 1e-12:
            return []
        return [cirq.global_phase_operation(complex(np.exp(1j * PI * turns)))]

    def _extra(self, row: int) -> Extra | None:
        index = self.circuit.extra[row]
        return self.circuit.extras[index] if index >= 0 else None

    def _structural(self, code: int, extra: Extra) -> cirq.Operation:
        qubits: list[Any] = [self.circuit.qubits[q] for q in extra.operands]
        out: cirq.Operation
        if code == MEASURE:
            out = cirq.measure(*qubits, key=extra.writes[0], invert_mask=extra.invert)
        elif code == RESET:
            out = cirq.reset(qubits[0])
        else:
            payload: Any = extra.payload
            return payload if list(payload.qubits) == qubits else payload.with_qubits(*qubits)  # type: ignore[no-any-return]
        return out.with_tags(*extra.tags) if extra.tags else out

    def _gate(self, row: int, code: int) -> cirq.Gate:
        name = GATES[code].name
        width = GATES[code].num_angles
        if self.symbolic[row]:
            turns = [half_turns(self.circuit, 3 * row + k, self.angles[row][k]) for k in range(width)]
        else:
            turns = [angle / PI for angle in self.angles[row][:width]]
        if name == "phased_xz":  # Cirq's gate is ours times exp(i (x + z) / 2)
            self.phase -= float(self.angles[row][0] + self.angles[row][1]) / 2
        is_power = row in self.powers
        if is_power:
            self.phase -= float(self.angles[row][0]) / 2
        key = (code, is_power, *turns)
        if key not in self.cache:
            self.cache[key] = _POWERS[name](exponent=turns[0]) if is_power else _WRITERS[name](*turns)
        return self.cache[key]


def _powers(circuit: Circuit, phase: dict[int, float]) -> frozenset[int]:
    """Symbolic rotation rows to be written as `P**e`, which is exp(i angle / 2) times our rotation.

    Each uses up some of `phase` (parameter index -> coefficient; changed in place). Cirq cannot draw
    circuits with a symbolic global phase, and `X**t` should come out as it went in.
    """
    halves = {
        row: {index: c / 2 for index, c in circuit.affine.at(3 * row)}
        for row in np.flatnonzero(circuit.symbolic_rows).tolist()
        if GATES[circuit.op[row]].name in _POWERS
    }

    def rank(row: int) -> tuple[bool, float]:
        sizes = [abs(c) / PI * 48 for c in halves[row].values()]
        return any(abs(size - round(size)) > 1e-9 for size in sizes), -sum(sizes)

    taken = set()
    for row in sorted(halves, key=rank):  # exponents with simple coefficients first, large ones first
        half = halves[row]
        if all(phase.get(index, 0.0) * np.sign(c) >= abs(c) - 1e-12 for index, c in half.items()):
            taken.add(row)
            for index, c in half.items():
                phase[index] -= c
    return frozenset(taken)


def _symbolic_phase(circuit: Circuit) -> dict[int, float]:
    """{parameter index: coefficient} of the global phase, radians, without what Cirq's `PhasedXZ` gates
    bring."""
    terms = dict(circuit.affine.at(GLOBAL_PHASE))
    row, column = np.divmod(circuit.affine.slot, 3)
    for i in np.flatnonzero((circuit.affine.slot >= 0) & (column < 2)):
        if circuit.op[row[i]] == PHASED_XZ:
            index = int(circuit.affine.param[i])
            terms[index] = terms.get(index, 0.0) - float(circuit.affine.coef[i]) / 2
    return terms


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
    if gate.num_controls() != 1 or gate.control_values != cirq.ProductOfSums([(1,)]):
        return None
    sub = rows_of(builder, gate.sub_gate)
    names = {"x": "cx", "y": "cy", "z": "cz", "h": "ch", "rx": "crx", "ry": "cry", "rz": "crz"}
    if sub is None or len(sub[0]) != 1:
        return None
    (name, _, angles), phase = sub[0][0], sub[1]
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
