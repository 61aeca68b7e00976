"""Rewrite single-qubit gates in what the machine plays: as few pulses as can be, Z rotations for nothing.

Bases (`BASES`):
- "phased_xz": each run of numeric gates is one `phased_xz`; symbolic rotations stay as they are.
- "prx_rz": pulses about any axis of the equator (`phased_xz` with z = 0, `rx`, `ry`), and virtual `rz`. A run
  is one pulse and one `rz`.
- "zsx": quarter and half turns about X (`sx`, `x`), and virtual `rz`. A run is at most two pulses, one where
  its X angle is pi / 2 or pi, none where it is diagonal. Symbolic turns become `rz` between pulses.
- "prx": pulses about any axis of the equator alone. Z rotations are moved through pulses (which turn with
  them) and through gates that are diagonal in Z, up to the end of the wire or to a wall, where two pulses
  remain.

Source: virtual Z gates and the form rz sx rz sx rz: McKay et al., PRA 96, 022330 (2017), equation 3.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import pi
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit import su2
from qattn_compiler.circuit.edit import Rule, Step, expand
from qattn_compiler.circuit.gates import AXES, AXIS_CODES, BY_NAME, GATES, NUM_QUBITS, PHASED_XZ
from qattn_compiler.circuit.params import Affine
from qattn_compiler.circuit.table import Circuit
from qattn_compiler.errors import PassError
from qattn_compiler.passes.circuit.base import CirqTransformer
from qattn_compiler.passes.circuit.fuse_single_qubit import FusedBatch, FuseSingleQubit

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

BASES: Final[dict[str, frozenset[str]]] = {
    "phased_xz": frozenset({"phased_xz", "rx", "ry", "rz"}),
    "prx_rz": frozenset({"phased_xz", "rx", "ry", "rz"}),
    "zsx": frozenset({"rz", "sx", "x"}),
    "prx": frozenset({"phased_xz", "rx", "ry"}),
}
"""Basis -> the gates of the table that are left."""

_SAME: Final = 1.7e-12
"""X angles (radians) this close to 0, pi / 2 and pi are taken for them. No round number: a round angle must
not lie on the border, where rounding errors would decide."""
_LOOSE: Final = 1e-4
"""X angles this close to 0 or pi leave the other angles ill-determined."""
_GRAIN: Final = 1e-13
"""How much that rounding may turn a gate (radians)."""
_ROUNDS: Final = 10
"""More rounds than symbols ever need to cancel one after another."""

_RZ: Final = BY_NAME["rz"].code
_X_AXIS: Final = {BY_NAME["rx"].code: 0.0, BY_NAME["ry"].code: pi / 2}


def _turn(name: str, constant: float, *factors: float) -> Step:
    return Step(name, (0,), (constant, factors))


def _plain(*names: str) -> tuple[Step, ...]:
    return tuple(Step(name, (0,)) for name in names)


_ZHZHZ: Final = Rule(
    (
        _turn("rz", 0.0, 0, 0, -1),
        *_plain("h"),
        _turn("rz", 0.0, 1),
        *_plain("h"),
        _turn("rz", 0.0, 0, 1, 1),
    )
)
_BY_Z: Final = {
    "rx": Rule((*_plain("h"), _turn("rz", 0.0, 1), *_plain("h"))),
    "ry": Rule((*_plain("sdg", "h"), _turn("rz", 0.0, 1), *_plain("h", "s"))),
    "phased_xz": _ZHZHZ,
}
"""Symbolic turns by turns about Z."""
_PULSES: Final = (
    Rule((_turn("rz", 0.0, 0, 1),)),
    Rule((_turn("rz", 0.0, 0, 0, -1), *_plain("sx"), _turn("rz", 0.0, 0, 1, 1)), (-pi / 4, ())),
    Rule((*_plain("x"), _turn("rz", 0.0, 0, 1, 2)), (-pi / 2, ())),
    Rule(
        (
            _turn("rz", pi / 2, 0, 0, -1),
            *_plain("sx"),
            _turn("rz", pi, 1),
            *_plain("sx"),
            _turn("rz", pi / 2, 0, 1, 1),
        ),
        (pi / 2, ()),
    ),
)
"""Numeric `phased_xz` by quarter turns: X angle 0, pi / 2, pi, any."""
_SPLIT: Final = (
    Rule((_turn("rz", 0.0, 0, 1),)),
    Rule(()),
    Rule((_turn("phased_xz", 0.0, 1), _turn("rz", 0.0, 0, 1))),
)
"""`phased_xz` without an X part, without a Z part (not used), and with both: a pulse, whose axis is put in
afterwards, and a turn about Z."""
_TWO: Final = Rule((_turn("phased_xz", 0.0), _turn("phased_xz", 0.0)))
"""Two pulses (their angles are put in afterwards)."""
_Z_BY_PULSES: Final = Rule((_turn("phased_xz", 0.0, 0), _turn("phased_xz", 0.0, 0.5)), (pi, ()))
"""`rz` by two half turns (their X angles are put in afterwards, and the axis of the second)."""


@dataclass(frozen=True)
class NativeSingleQubit(CirqTransformer):
    """Single-qubit gates in a basis (module docstring).

    Attributes:
        basis: a name of `BASES`.

    Keeps: meaning and global phase exactly, gates on two qubits, walls. A tagged gate that is not of the
    basis loses its tags.

    Raises:
        PassError: no such basis.
    """

    basis: str = "phased_xz"
    name: ClassVar[str] = "native-single-qubit"

    def __post_init__(self) -> None:
        if self.basis not in BASES:
            raise PassError(
                f"{self.name}: there is no basis {self.basis!r}", hint=f"there are {', '.join(BASES)}"
            )

    def run(self, circuit: Circuit, /) -> Circuit:
        """The circuit in the basis."""
        if self.basis == "phased_xz":
            return FuseSingleQubit().run(circuit)
        bare = _without_tags(circuit, BASES[self.basis])
        make = {"prx_rz": _by_equator, "zsx": _by_quarter_turns, "prx": _by_pulses_alone}[self.basis]
        after = make(bare)
        for _ in range(_ROUNDS if circuit.is_symbolic else 0):
            again = make(after)  # symbols may have met and gone, and what they held apart can be one pulse
            if _same_rows(after, again):
                break
            after = again
        return circuit if _same_rows(circuit, after) else after


def _without_tags(circuit: Circuit, native: frozenset[str]) -> Circuit:
    """Tagged single-qubit gates that the basis has not become plain ones."""
    tagged = (circuit.extra >= 0) & (NUM_QUBITS[circuit.op] == 1)
    foreign = tagged & ~np.array([g.name in native for g in GATES])[circuit.op]
    foreign |= tagged & (circuit.op == PHASED_XZ)
    if not foreign.any():
        return circuit
    return replace(circuit, extra=np.where(foreign, np.int32(-1), circuit.extra).astype(np.int32))


def _same_rows(a: Circuit, b: Circuit) -> bool:
    """Whether `b`, which is in the basis, has no other rows than `a`, which then is in the basis too."""
    if a is b:
        return True
    pulses = a.op == PHASED_XZ
    columns = ((a.op, b.op), (a.operands, b.operands), (a.extra, b.extra))
    if not all(np.array_equal(x, y) for x, y in columns):
        return False
    return not bool((pulses & _has_z(a)).any())


def _has_z(circuit: Circuit) -> Bools:
    """Which rows have a second angle, symbolic or not: for `phased_xz`, a Z part."""
    out: Bools = np.array(np.abs(circuit.angles[:, 1]) > _SAME)
    out[circuit.affine.slot[circuit.affine.slot % 3 == 1] // 3] = True
    return out


def _numeric_pulses(circuit: Circuit) -> Bools:
    pulses: Bools = (circuit.op == PHASED_XZ) & (circuit.extra < 0) & ~circuit.symbolic_rows
    return pulses


def _fused(circuit: Circuit) -> Circuit:
    """One `phased_xz` a run, whose angles come out the same if the pulses made of it are fused again.

    Where X turns by nearly nothing, `a` is known to rounding error / x only, and where it turns by nearly pi,
    so is z. There they are rounded to what is known, which changes the gate by no more than rounding errors.
    """
    circuit = FuseSingleQubit().run(circuit)
    pulses = _numeric_pulses(circuit)
    x, z, a = circuit.angles[pulses].T
    half, none = np.abs(x - pi) <= _SAME, np.abs(x) <= _SAME
    x, z, a = np.select([half, none], [pi, 0.0], x), np.where(half, 0.0, z), np.where(half, a + z / 2, a)
    off = np.minimum(x, pi - x)
    known = (off >= _LOOSE) | (off == 0)
    grid = pi / 2 / np.ceil(pi / 2 * np.where(known, 1.0, off) / _GRAIN)
    total = z + 2 * a
    z = np.where(known | (x < 1), z, np.round(z / grid) * grid)
    a = np.select([known, x < 1], [a, np.round(a / grid) * grid], (total - z) / 2)
    settled = np.stack([x, np.where(np.abs(z) <= _SAME, 0.0, z), np.where(none, 0.0, a)], axis=1)
    if (settled == circuit.angles[pulses]).all():
        return circuit
    angles = circuit.angles.copy()
    angles[pulses] = settled
    return replace(circuit, angles=angles)


def _expand_symbolic(circuit: Circuit, rules: dict[str, Rule]) -> Circuit:
    """Apply rules to symbolic rows of these gates."""
    program = np.full(len(GATES), -1, dtype=np.int64)
    for number, name in enumerate(rules):
        program[BY_NAME[name].code] = number
    chosen = np.where(circuit.symbolic_rows & (circuit.extra < 0), program[circuit.op], -1)
    return expand(circuit, chosen, tuple(rules.values()))


# -- virtual Z and quarter turns


def _by_quarter_turns(circuit: Circuit) -> Circuit:
    circuit = _fused(_expand_symbolic(circuit, _BY_Z))
    x = circuit.angles[:, 0]
    kind = np.select([np.abs(x - at) <= _SAME for at in (0.0, pi / 2, pi)], (0, 1, 2), 3)
    return _merge_turns(expand(circuit, np.where(_numeric_pulses(circuit), kind, -1), _PULSES))


# -- virtual Z and pulses about any axis


def _by_equator(circuit: Circuit) -> Circuit:
    return _merge_turns(_split(_fused(_split(circuit))))


def _split(circuit: Circuit) -> Circuit:
    """`phased_xz` with a Z part as a pulse and `rz`."""
    pulses = (circuit.op == PHASED_XZ) & (circuit.extra < 0)
    affine = circuit.affine
    turns = np.abs(circuit.angles[:, 0]) > _SAME
    turns[affine.slot[(affine.slot >= 0) & (affine.slot % 3 == 0)] // 3] = True
    kind = np.where(turns, np.where(_has_z(circuit), 2, 1), 0)
    program = np.where(pulses & (kind != 1), kind, -1)
    out = expand(circuit, program, _SPLIT)
    if out is circuit:
        return circuit
    split = program == 2
    place = (np.cumsum(np.array([1, 1, 2])[np.where(program >= 0, program, 1)]) - 2)[split]
    angles = out.angles.copy()
    angles[place, 2] = circuit.angles[split, 2]
    target = np.full(len(circuit), -1, dtype=np.int64)
    target[split] = place
    axis = (affine.slot >= 0) & (affine.slot % 3 == 2)
    axis[axis] = split[affine.slot[axis] // 3]
    moved = Affine.of(
        np.concatenate([out.affine.slot, 3 * target[affine.slot[axis] // 3] + 2]),
        np.concatenate([out.affine.param, affine.param[axis]]),
        np.concatenate([out.affine.coef, affine.coef[axis]]),
    )
    return replace(out, angles=angles, affine=moved)


def _merge_turns(circuit: Circuit) -> Circuit:
    """Add up `rz` that stand side by side on a wire, and drop those that are nothing."""
    turn = (circuit.op == _RZ) & (circuit.extra < 0)
    if not turn.any():
        return circuit
    rows, wire = _incidences(circuit)
    joined = np.zeros(len(rows), dtype=bool)
    joined[1:] = (wire[1:] == wire[:-1]) & turn[rows[1:]] & turn[rows[:-1]]
    first = np.maximum.accumulate(np.where(joined, 0, np.arange(len(rows))))
    head = np.arange(len(circuit))
    alone = turn[rows]
    head[rows[alone]] = rows[first[alone]]
    angles = circuit.angles.copy()
    total = np.bincount(head[turn], circuit.angles[turn, 0], minlength=len(circuit))
    turns = np.round(total / (2 * pi))
    angles[turn, 0] = (total - 2 * pi * turns)[turn]
    phase = circuit.phase + pi * float(turns[turn & (head == np.arange(len(circuit)))].sum())
    affine = circuit.affine
    slot = affine.slot.copy()
    inner = np.flatnonzero(slot >= 0)
    moved = inner[turn[slot[inner] // 3]]
    slot[moved] = 3 * head[slot[moved] // 3]
    merged = replace(
        circuit,
        angles=angles,
        affine=Affine.of(slot, affine.param, affine.coef),
        phase=float(np.remainder(phase, 2 * pi)),
    )
    nothing = (np.abs(angles[:, 0]) <= _SAME) & ~merged.symbolic_rows
    keep = ~turn | ((head == np.arange(len(circuit))) & ~nothing)
    return merged.with_rows(np.flatnonzero(keep))


def _incidences(circuit: Circuit) -> tuple[Ints, Ints]:
    """(row, wire) for every row on every wire, by wire, then by row."""
    rows, column = np.nonzero(circuit.wires >= 0)
    wire = circuit.wires[rows, column].astype(np.int64)
    order = np.lexsort((rows, wire))
    return rows[order], wire[order]


# -- pulses alone


def _by_pulses_alone(circuit: Circuit) -> Circuit:
    circuit = _split(circuit)
    circuit = _z_by_pulses(circuit, circuit.symbolic_rows & (circuit.op == _RZ) & (circuit.extra < 0))
    circuit = _fused(_push_z(_split(_fused(circuit))))
    return _two_pulses(circuit)


def _z_by_pulses(circuit: Circuit, chosen: Bools) -> Circuit:
    """These `rz`, symbolic or not, as two half turns."""
    if not chosen.any():
        return circuit
    out = expand(circuit, np.where(chosen, 0, -1), (_Z_BY_PULSES,))
    length = np.where(chosen, 2, 1)
    second = (np.cumsum(length) - 1)[chosen]
    angles = out.angles.copy()
    angles[second, 2] = angles[second, 0]
    angles[second, 0] = angles[second - 1, 0] = pi
    is_second = np.zeros(len(out), dtype=bool)
    is_second[second] = True
    slot = out.affine.slot
    inner = slot >= 0
    moved = np.where(inner & is_second[np.where(inner, slot // 3, 0)], slot + 2, slot)
    return replace(out, angles=angles, affine=Affine.of(moved, out.affine.param, out.affine.coef))


@dataclass(frozen=True, eq=False)
class _Stretches:
    """The wires of a circuit, cut at its walls: along a stretch, turns about Z can be moved freely.

    Attributes:
        rows: shape (incidences,): rows in the order of each wire, wire by wire; a wall ends its stretch.
        number: shape (incidences,): which stretch.
        wire: shape (stretches,).
        wall: shape (stretches,): the row that ends the stretch, or how many rows there are.
        last: shape (stretches,): the last pulse, or -1.
    """

    rows: Ints
    number: Ints
    wire: Ints
    wall: Ints
    last: Ints

    @staticmethod
    def of(circuit: Circuit, pulses: Bools) -> _Stretches:
        """Of a circuit whose single-qubit rows are these pulses, turns about Z, and walls."""
        plain = (NUM_QUBITS[circuit.op] > 0) & (circuit.extra < 0)
        free = np.zeros(circuit.wires.shape, dtype=bool)
        free[:, :2] = (AXIS_CODES[circuit.op] == AXES.index("Z")) & plain[:, None]
        free[:, 0] |= pulses
        row, column = np.nonzero(circuit.wires >= 0)
        order = np.lexsort((row, circuit.wires[row, column]))
        rows, wire = row[order], circuit.wires[row, column][order].astype(np.int64)
        is_wall = ~free[rows, column[order]]
        begins = np.ones(len(rows), dtype=bool)
        begins[1:] = (wire[1:] != wire[:-1]) | is_wall[:-1]
        number = np.cumsum(begins) - 1
        ends = np.flatnonzero(np.r_[begins[1:], True]) if len(rows) else np.zeros(0, dtype=np.int64)
        last = np.full(len(ends), -1, dtype=np.int64)
        chosen = pulses[rows]
        np.maximum.at(last, number[chosen], rows[chosen])
        wall = np.where(is_wall[ends], rows[ends], len(circuit))
        return _Stretches(rows, number, wire[ends], wall, last)

    def sums(self, turns: Floats) -> tuple[Floats, Floats]:
        """Turns before each row on its stretch, and in all.

        Args:
            turns: shape (..., rows): by how much each single-qubit row turns about Z.

        Returns:
            shape (..., rows) (of use on single-qubit rows only), and shape (..., stretches).
        """
        angle = turns[..., self.rows]
        before = np.cumsum(angle, axis=-1) - angle
        begins = np.searchsorted(self.number, np.arange(len(self.wire)))
        ends = np.append(begins[1:], len(self.rows)) - 1
        frame = np.zeros_like(turns)
        frame[..., self.rows] = before - before[..., begins][..., self.number]
        return frame, (before + angle)[..., ends] - before[..., begins]


def _push_z(circuit: Circuit) -> Circuit:
    """Numeric `rz` moved along their wires behind the last pulse before a wall or the end; the pulses that
    they pass turn with them."""
    n = len(circuit)
    turn = (circuit.op == _RZ) & (circuit.extra < 0) & ~circuit.symbolic_rows
    if not turn.any():
        return circuit
    pulse = (NUM_QUBITS[circuit.op] == 1) & (circuit.extra < 0) & ~turn
    cut = _Stretches.of(circuit, pulse)
    frame, total = cut.sums(np.where(turn, circuit.angles[:, 0], 0.0))
    axis = np.array([_X_AXIS.get(g.code, np.nan) for g in GATES])[circuit.op]
    angles, op = circuit.angles.copy(), circuit.op.copy()
    turned = pulse & (frame != 0)
    angles[turned, 2] = np.where(np.isnan(axis), angles[:, 2], axis)[turned] - frame[turned]
    op[turned] = PHASED_XZ

    need = np.flatnonzero(np.abs(total) > _SAME)
    place = np.where(cut.last >= 0, cut.last + 0.5, cut.wall - 0.5)[need]
    none = np.full(len(need), -1, dtype=np.int32)
    joined = replace(
        circuit,
        op=np.concatenate([op, np.full(len(need), _RZ, dtype=np.uint8)]),
        operands=np.concatenate([circuit.operands, np.stack([cut.wire[need], none], 1).astype(np.int32)]),
        angles=np.concatenate([angles, np.pad(total[need, None], ((0, 0), (0, 2)))]),
        extra=np.concatenate([circuit.extra, none]),
    )
    order = np.argsort(np.concatenate([np.arange(n), place]), kind="stable")
    return joined.with_rows(order[(order >= n) | ~turn[np.minimum(order, n - 1)]])


def pulses_alone(fused: FusedBatch) -> FusedBatch:
    """A batch in the basis "prx": turns about Z are moved behind the last pulse, which becomes two.

    Args:
        fused: one `phased_xz` for each run, as `fuse_batch` gives it.
    """
    circuit, angles = fused.circuit, fused.angles.copy()
    pulse = (circuit.op == PHASED_XZ) & (circuit.extra < 0)
    cut = _Stretches.of(circuit, pulse)
    frame, total = cut.sums(np.where(pulse, angles[..., 1], 0.0))
    angles[:, pulse, 2] -= frame[:, pulse]
    angles[:, pulse, 1] = 0.0
    ends = np.flatnonzero(cut.last >= 0)
    rows = cut.last[ends]
    turns = total[:, ends]
    angles[:, rows, 1] = np.where(np.abs(np.remainder(turns + pi, 2 * pi) - pi) > _SAME, turns, 0.0)
    phases = fused.phases + pi * np.round((turns - angles[:, rows, 1]) / (2 * pi)).sum(axis=1)
    first, second, signs = _as_two(angles[:, rows])
    lengths = np.ones(len(circuit), dtype=np.int64)
    lengths[rows] = 2
    copies = np.repeat(np.arange(len(circuit)), lengths)
    place = (np.cumsum(lengths) - 2)[rows]
    angles = angles[:, copies]
    angles[:, place], angles[:, place + 1] = first, second
    chosen = np.zeros(len(circuit), dtype=bool)
    chosen[rows] = True
    shape = expand(circuit, np.where(chosen, 0, -1), (_TWO,))
    return FusedBatch(shape, angles, np.remainder(phases + signs.sum(axis=1), 2 * pi))


def _as_two(angles: Floats) -> tuple[Floats, Floats, Floats]:
    """`phased_xz` as two pulses about the equator: U = PRX(pi, b) V; the second is nothing if one is enough.

    Args:
        angles: shape (..., 3).

    Returns:
        angles of V and of PRX(pi, b), each of shape (..., 3), and phases (...).
    """
    q = su2.from_xza(angles)
    flat = np.hypot(q[..., 1], q[..., 2]) <= _SAME
    b = np.where(flat, 0.0, np.arctan2(q[..., 2], q[..., 1]))
    none = np.zeros_like(b)
    undo = np.stack([none, -np.cos(b), -np.sin(b), none], axis=-1)
    inner, signs = su2.to_xza(su2.multiply(undo, q))
    inner[..., 1] = 0.0
    one = np.abs(angles[..., 1]) <= _SAME
    first = np.where(one[..., None], angles * np.array([1.0, 0.0, 1.0]), inner)
    second = np.where(one[..., None], 0.0, np.stack([none + pi, none, b], axis=-1))
    return first, second, np.where(one, 0.0, signs)


def _two_pulses(circuit: Circuit) -> Circuit:
    """Numeric `phased_xz` with a Z part as two pulses."""
    chosen = _numeric_pulses(circuit) & (np.abs(circuit.angles[:, 1]) > _SAME)
    if not chosen.any():
        return circuit
    first, second, signs = _as_two(circuit.angles[chosen])
    out = expand(circuit, np.where(chosen, 0, -1), (_TWO,))
    place = (np.cumsum(np.where(chosen, 2, 1)) - 1)[chosen]
    angles = out.angles.copy()
    angles[place - 1], angles[place] = first, second
    return replace(out, angles=angles, phase=float(np.remainder(out.phase + signs.sum(), 2 * pi)))
