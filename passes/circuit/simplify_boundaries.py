"""Simplify a circuit by what is known at its ends: the inputs are |0>, only measurements are looked at.

Forward, a sweep follows the qubits that are in a known pure state of their own (after the beginning, after a
reset, after a measurement of |0> or |1>) through every gate, numbers and all. A row that does nothing to the
known state goes; a two-qubit gate becomes single-qubit gates if that is what it does (its control is |0> or
|1>, its target is an eigenstate, two known states stay apart); one that costs two entanglers becomes one
with one (a controlled rotation of a known target, any gate on two known qubits); a SWAP of a known qubit
becomes two CX. Symbolic rotations are treated by the six Pauli eigenstates.
Beside states, the sweep follows values: that two entangled qubits are equal in every basis state that has an
amplitude, or never (a CX from |0> makes such a pair). A diagonal gate on them is one of a single qubit, and a
CX that takes the copy back leaves a known qubit.

Backward, a sweep follows what measurements can still see (Feynman light cone; diagonal gates before a
measurement). SWAPs go by giving later rows other qubits, flips before a last measurement by inverted bits.

Both sweeps are linear; they are repeated until nothing changes.

Sources: known product states: Liu, Bello, Zhou, "Relaxed Peephole Optimization", CGO 2021 (arXiv:2012.07711);
one CX for any state of two qubits: Shende, Bullock, Markov, "Synthesis of Quantum Logic Circuits"
(arXiv:quant-ph/0406176).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit import su2
from qattn_compiler.circuit.edit import Rule, Step, expand
from qattn_compiler.circuit.gates import (
    AXIS_CODES,
    BY_NAME,
    GATES,
    NUM_QUBITS,
    PERIOD,
    PHASED_XZ,
    SWAP,
)
from qattn_compiler.circuit.params import GLOBAL_PHASE, Affine
from qattn_compiler.circuit.table import Circuit, Extra
from qattn_compiler.errors import PassError
from qattn_compiler.passes.circuit.base import CirqTransformer

if TYPE_CHECKING:
    from qattn_compiler.interop.cirq_transformer import AbstractCircuit, TransformerContext
    from qattn_compiler.passes.circuit.boundary_kernels import Rows

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_ONE_ENTANGLER: Final = frozenset({"cz", "cx", "cy", "ch"})
_ISWAP_RULES: Final = tuple(
    Rule((Step(s, (0,)), Step(s, (1,)), Step("cz", (0, 1)), Step("swap", (0, 1)))) for s in ("s", "sdg")
)
_NAMED: Final = ("x", "y", "z", "h", "s", "sdg", "t", "tdg", "sx", "sxdg")


@dataclass(frozen=True)
class SimplifyBoundaries(CirqTransformer):
    """Simplify by known inputs and by what is measured (module docstring).

    Attributes:
        inputs_zero: all qubits begin in |0>. What is kept is not the unitary but what becomes of |0...0>:
            for every value of the parameters and every outcome of measurements, the same state with the same
            amplitude, global phase included, and the same state handed to foreign operations. What is known
            after a reset is used with or without this.
        measured_only: nobody looks at anything but measured keys. What is kept is the joint distribution of
            all keys, and what foreign operations are given. The state of the qubits at the end and the
            global phase are not kept. A circuit that sets no key is left alone.
        relabel: later operations may be moved to other qubits, and the bits of measurements inverted (as
            part of the measurement: the keys hold what they held). Needs `measured_only`, as the qubits at
            the end are permuted, and all-to-all coupling, i.e. a place before `place` and `route`. Walls and
            tagged gates move with their qubits.
        atol: how far (norm of the difference) a state may be from the one that it is taken for, at each row
            that is replaced. Negligible rotations of known states go by it.

    Keeps: parameters; walls and tagged rows, in order (but for `relabel`). The number of entanglers, counted
    in CZ, never grows; the number of single-qubit rows may. As a Cirq transformer it does not go into the
    parts of a circuit, whose qubits do not begin in |0>.

    Raises:
        PassError: `relabel` without `measured_only`; atol is negative or above 1e-3.
    """

    inputs_zero: bool = True
    measured_only: bool = False
    relabel: bool = False
    atol: float = 1e-12
    name: ClassVar[str] = "simplify-boundaries"

    def __post_init__(self) -> None:
        if self.relabel and not self.measured_only:
            raise PassError(
                f"{self.name}: relabel permutes the qubits at the end, so it needs measured_only=true"
            )
        if not 0 <= self.atol <= 1e-3:
            raise PassError(f"{self.name}: atol is {self.atol}; a number from 0 to 1e-3 was expected")

    def run(self, circuit: Circuit, /) -> Circuit:
        """The simplified circuit."""
        while True:
            is_read = self.measured_only and _sets_a_key(circuit)
            after = _without_swaps(circuit) if self.relabel and is_read else circuit
            after = _with_known_inputs(after, self.inputs_zero, self.atol)
            if is_read:
                after = _measured_only(after, self.relabel, self.atol)
            if after is circuit:
                return circuit
            circuit = after

    def __call__(
        self, circuit: AbstractCircuit, *, context: TransformerContext | None = None
    ) -> AbstractCircuit:
        """Run the pass on a Cirq circuit, never on the parts in its `CircuitOperation`s."""
        shallow = replace(context, deep=False) if context is not None else None
        return super().__call__(circuit, context=shallow)


def _sets_a_key(circuit: Circuit) -> bool:
    return any(circuit.extras[i].writes for i in circuit.extra[circuit.extra >= 0].tolist())


def _is_plain(circuit: Circuit) -> Bools:
    """Shape (rows,): gates of the table that touch no classical key."""
    plain: Bools = NUM_QUBITS[circuit.op] > 0
    for row in np.flatnonzero(plain & (circuit.extra >= 0)).tolist():
        extra = circuit.extras[circuit.extra[row]]
        plain[row] = not (extra.reads or extra.writes)
    return plain


def _rows(circuit: Circuit, atol: float) -> Rows:
    from qattn_compiler.passes.circuit.boundary_kernels import Rows

    quaternions, phases = su2.quaternions(circuit.op, circuit.angles)
    free = (NUM_QUBITS[circuit.op] > 0) & (circuit.extra < 0)
    costly = np.array([g.num_qubits == 2 and g.name not in _ONE_ENTANGLER for g in GATES])
    kinds = _kinds(circuit, quaternions, atol)
    columns = (circuit.op, circuit.wires, circuit.angles, free, circuit.symbolic_rows)
    return Rows(*columns, quaternions, phases, kinds, NUM_QUBITS, AXIS_CODES, costly, *_trigonometric())


def _kinds(circuit: Circuit, q: Floats, atol: float) -> NDArray[np.int8]:
    """What single-qubit rows, of quaternions `q`, do to the computational basis."""
    from qattn_compiler.passes.circuit.boundary_kernels import DIAGONAL, FLIP, GENERAL

    diagonal = np.hypot(q[:, 1], q[:, 2]) <= atol
    flip = np.hypot(q[:, 0], q[:, 3]) <= atol
    kinds = np.where(diagonal, DIAGONAL, np.where(flip, FLIP, GENERAL))
    symbolic = np.where(circuit.op == BY_NAME["rz"].code, DIAGONAL, GENERAL)
    return np.where(circuit.symbolic_rows, symbolic, kinds).astype(np.int8)


@cache
def _trigonometric() -> tuple[NDArray[np.complex128], Floats]:
    """Every two-qubit gate as A + B cos(k t) + C sin(k t) in its first angle t: (A, B, C) of shape (gates,
    3, 4, 4), and k of shape (gates,)."""
    parts = np.zeros((len(GATES), 3, 4, 4), dtype=complex)
    pace = 2 * np.pi / np.where(PERIOD > 0, PERIOD, 2 * np.pi)
    for gate in GATES:
        if gate.num_qubits != 2 or gate.matrix is None:
            continue
        if gate.num_angles == 0:
            parts[gate.code, 0] = gate.matrix()
            continue
        others = (0.0,) * (gate.num_angles - 1)
        quarter = np.pi / 2 / pace[gate.code]
        zero, one, two = (gate.matrix(k * quarter, *others) for k in range(3))
        middle = (zero + two) / 2
        parts[gate.code] = middle, (zero - two) / 2, one - middle
    return parts, pace


# -- known inputs --------------------------------------------------------------------------------------------


def _with_known_inputs(circuit: Circuit, zero: bool, atol: float) -> Circuit:
    from qattn_compiler.passes.circuit.boundary_kernels import KEEP, known_inputs

    plain = _is_plain(circuit)
    action, gates, turns, phases, phase = known_inputs(
        _rows(circuit, atol), plain, circuit.num_qubits, zero, atol
    )
    if (action == KEEP).all():
        return circuit
    return _edited(circuit, action, gates, turns, phases, phase)


def _edited(
    circuit: Circuit, action: Ints, gates: Ints, turns: Floats, phases: Floats, phase: float
) -> Circuit:
    """The circuit with rows dropped and replaced, as `known_inputs` says."""
    from qattn_compiler.passes.circuit.boundary_kernels import EMPTY, KEEP, TURN

    edited = np.flatnonzero(action >= 0)
    edit, slot = np.nonzero(gates[:, :, 0] != EMPTY)
    lengths = (action == KEEP).astype(np.int64)
    lengths[edited] = np.bincount(edit, minlength=len(gates))
    start = np.cumsum(lengths) - lengths
    size = int(lengths.sum())
    place = start[edited][edit] + slot

    op = np.zeros(size, dtype=np.uint8)
    operands = np.full((size, 2), -1, dtype=np.int32)
    angles = np.zeros((size, 3))
    extra = np.full(size, -1, dtype=np.int32)
    kept = np.flatnonzero(action == KEEP)
    new_row = np.full(len(circuit), -1, dtype=np.int64)
    new_row[kept] = start[kept]
    op[start[kept]], operands[start[kept]] = circuit.op[kept], circuit.operands[kept]
    angles[start[kept]], extra[start[kept]] = circuit.angles[kept], circuit.extra[kept]

    source = edited[edit]
    chosen, values = gates[edit, slot], turns[edit, slot]
    operands[place] = chosen[:, 1:]
    is_turn = chosen[:, 0] == TURN
    op[place[~is_turn]] = chosen[~is_turn, 0]
    angles[place[~is_turn], 0] = (values[:, 4] + values[:, 5] * circuit.angles[source, 0])[~is_turn]
    op[place[is_turn]], angles[place[is_turn]], shift = named(values[is_turn, :4])

    coefficient = np.where(is_turn, 0.0, values[:, 5])
    terms = [circuit.affine.moved(new_row), _first_angle_terms(circuit, source, 3 * place, coefficient)]
    terms += [_phase_terms(circuit, phases)]
    affine = Affine.of(*(np.concatenate([getattr(t, part) for t in terms]) for part in _PARTS))
    total = float(np.remainder(circuit.phase + phase + shift, 2 * np.pi))
    return replace(circuit, op=op, operands=operands, angles=angles, extra=extra, affine=affine, phase=total)


_PARTS: Final = ("slot", "param", "coef")


def _first_angle_terms(circuit: Circuit, source: Ints, slots: Ints, coefficient: Floats) -> Affine:
    """The symbols of the first angle of rows `source`, times a coefficient, aimed at slots."""
    affine = circuit.affine
    low = np.searchsorted(affine.slot, 3 * source)
    count = np.where(coefficient != 0, np.searchsorted(affine.slot, 3 * source + 1) - low, 0)
    which = np.repeat(np.arange(len(source)), count)
    term = np.arange(len(which)) - np.repeat(np.cumsum(count) - count, count) + low[which]
    return Affine.of(slots[which], affine.param[term], affine.coef[term] * coefficient[which])


def _phase_terms(circuit: Circuit, phases: Floats) -> Affine:
    """The symbols of the global phase: `phases` (rows, 2) times the symbols of the first two angles."""
    affine = circuit.affine
    inner = np.flatnonzero((affine.slot >= 0) & (affine.slot % 3 < 2))
    weight = phases[affine.slot[inner] // 3, affine.slot[inner] % 3]
    where = np.full(len(inner), GLOBAL_PHASE)
    return Affine.of(where, affine.param[inner], affine.coef[inner] * weight)


def named(quaternions: Floats) -> tuple[NDArray[np.uint8], Floats, float]:
    """Single-qubit gates by their simplest names: a fixed gate, a rotation about an axis, `phased_xz`.

    Args:
        quaternions: shape (rows, 4), unit quaternions.

    Returns:
        codes of shape (rows,), angles of shape (rows, 3), and the sum of the phases by which the quaternions
        are the gates times exp(i phase).
    """
    angles, phases = su2.to_xza(quaternions)
    op = np.full(len(quaternions), PHASED_XZ, dtype=np.uint8)
    sign = np.where(quaternions[:, 0] < 0, -1.0, 1.0)
    for axis, name in ((1, "rx"), (2, "ry"), (3, "rz")):
        others = np.delete(quaternions[:, 1:], axis - 1, axis=1)
        here = (np.abs(others) <= su2.EPS).all(axis=1)
        op[here] = BY_NAME[name].code
        angles[here] = 0.0
        angles[here, 0] = 2 * np.arctan2(sign * quaternions[:, axis], sign * quaternions[:, 0])[here]
        phases[here] = np.where(sign < 0, np.pi, 0.0)[here]
    codes = np.array([BY_NAME[name].code for name in _NAMED], dtype=np.uint8)
    table, offsets = su2.quaternions(codes, np.zeros((len(codes), 3)))
    for code, fixed, offset in zip(codes, table, offsets, strict=True):
        turn = np.where(quaternions @ fixed < 0, -1.0, 1.0)
        here = (np.abs(quaternions - turn[:, None] * fixed) <= su2.EPS).all(axis=1)
        op[here] = code
        angles[here] = 0.0
        phases[here] = np.where(turn < 0, np.pi, 0.0)[here] - offset
    return op, angles, float(phases.sum())


# -- what is measured ----------------------------------------------------------------------------------------


def _measured_only(circuit: Circuit, invert: bool, atol: float) -> Circuit:
    from qattn_compiler.passes.circuit.boundary_kernels import measured_only

    drop, inverted = measured_only(_rows(circuit, atol), _is_plain(circuit), circuit.num_qubits, invert)
    if not drop.any():
        return circuit
    flips = np.flatnonzero(inverted >= 0)
    changed: dict[int, Extra] = {}
    for row, qubit in zip(inverted[flips].tolist(), circuit.operands[flips, 0].tolist(), strict=True):
        extra = changed.get(row, circuit.extras[circuit.extra[row]])
        bits = [*extra.invert, *[False] * (len(extra.operands) - len(extra.invert))]
        at = extra.operands.index(qubit)
        bits[at] = not bits[at]
        changed[row] = replace(extra, invert=tuple(bits) if any(bits) else ())
    return _with_extras(circuit, changed).with_rows(np.flatnonzero(~drop))


def _with_extras(circuit: Circuit, changed: dict[int, Extra]) -> Circuit:
    """The circuit with other extras on some rows."""
    if not changed:
        return circuit
    extra = circuit.extra.copy()
    extra[list(changed)] = len(circuit.extras) + np.arange(len(changed))
    return replace(circuit, extra=extra, extras=(*circuit.extras, *changed.values()))


def _without_swaps(circuit: Circuit) -> Circuit:
    from qattn_compiler.passes.circuit.boundary_kernels import without_swaps

    program = np.full(len(circuit), -1, dtype=np.int64)
    for number, name in enumerate(("iswap", "iswapdg")):
        program[(circuit.op == BY_NAME[name].code) & (circuit.extra < 0)] = number
    circuit = expand(circuit, program, _ISWAP_RULES)
    elided = (circuit.op == SWAP) & (circuit.extra < 0)
    if not elided.any():
        return circuit
    wires, operands = without_swaps(elided, circuit.wires, circuit.operands, circuit.num_qubits)
    moved: dict[int, Extra] = {}
    for row in np.flatnonzero(circuit.extra >= 0).tolist():
        old = circuit.extras[circuit.extra[row]]
        if old.operands:
            moved[row] = replace(old, operands=tuple(wires[row, : len(old.operands)].tolist()))
    out = _with_extras(replace(circuit, operands=operands), moved)
    return out.with_rows(np.flatnonzero(~elided))
