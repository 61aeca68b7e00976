"""Hot loops of `simplify_boundaries`: one sweep forward from known inputs, one backward from measurements.

Single-qubit states are pairs of amplitudes; their phase never matters, because only ratios of what a gate
makes of them are used. `Rows`, `Known` and `Draft` are named bundles of arrays (Numba passes them as plain
tuples).
"""
# mypy: disallow-untyped-decorators=False

from __future__ import annotations

from typing import Final, NamedTuple, TypeAlias

import numba
import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit.gates import BY_NAME, GATES, MEASURE, RESET
from qattn_compiler.circuit.jit import plain

I8 = NDArray[np.int8]
I32 = NDArray[np.int32]
I64 = NDArray[np.int64]
F64 = NDArray[np.float64]
C128 = NDArray[np.complex128]
Bools = NDArray[np.bool_]
Spinor: TypeAlias = tuple[complex, complex]

SLOTS: Final = 5
"""Gates that one row becomes at most."""
EMPTY: Final = -1
TURN: Final = -2
"""Codes in slots: no gate; the single-qubit gate of a quaternion."""
KEEP: Final = -1
DROP: Final = -2
"""What becomes of a row, if not the number of an edit."""

_CX: Final = BY_NAME["cx"].code
_CY: Final = BY_NAME["cy"].code
_CZ: Final = BY_NAME["cz"].code
_CPHASE: Final = BY_NAME["cphase"].code
_GIVENS: Final = BY_NAME["givens"].code
_FSIM: Final = BY_NAME["fsim"].code
_SWAP: Final = BY_NAME["swap"].code
_ISWAP: Final = BY_NAME["iswap"].code
_ISWAPDG: Final = BY_NAME["iswapdg"].code
_PAULIS: Final = np.array([-1, BY_NAME["x"].code, BY_NAME["y"].code, BY_NAME["z"].code])
_TURNS: Final = np.array([-1, BY_NAME["rx"].code, BY_NAME["ry"].code, BY_NAME["rz"].code])
_CONTROLLED: Final = np.array([-1, _CX, _CY, _CZ])
_CONTROLLED_TURNS: Final = np.array([-1, BY_NAME["crx"].code, BY_NAME["cry"].code, BY_NAME["crz"].code])
_PAIR_TURNS: Final = np.array([-1, BY_NAME["rxx"].code, BY_NAME["ryy"].code, BY_NAME["rzz"].code])
"""By axis code."""
_KEEPS_EXCITATIONS: Final = np.array([g.name in {"givens", "fsim", "siswap", "siswapdg"} for g in GATES])
_KEEPS_PARITY: Final = _KEEPS_EXCITATIONS | np.array([g.name in {"rxx", "ryy"} for g in GATES])
"""By gate code: gates that turn |01> and |10> only; gates that keep the sum of the two values mod 2."""

GENERAL: Final = 0
DIAGONAL: Final = 1
FLIP: Final = 2
"""Kinds of single-qubit gates: FLIP exchanges |0> and |1>, but for phases."""

_NEARLY_ORTHOGONAL: Final = 1e-9
_ROUNDING: Final = 1e-14
_ROOT: Final = 2**-0.5


class Rows(NamedTuple):
    """A circuit, as the sweeps read it.

    Attributes:
        op: shape (rows,).
        wires: shape (rows, width), -1 fills up; those from the number of qubits on are classical keys.
        angles: shape (rows, 3).
        free: shape (rows,): gates of the table that may be changed.
        symbolic: shape (rows,).
        quaternions: shape (rows, 4), of the single-qubit rows.
        phases: shape (rows,), of the single-qubit rows.
        kinds: shape (rows,): GENERAL, DIAGONAL or FLIP, of the single-qubit rows.
        width: shape (gates,): number of qubits of each gate.
        axes: shape (gates, 2): axis codes of each gate.
        costly: shape (gates,): two-qubit gates that take more than one entangler.
        parts: shape (gates, 3, 4, 4): a two-qubit gate is parts 0 + parts 1 cos(k t) + parts 2 sin(k t) at
            its first angle t.
        pace: shape (gates,): that k.
    """

    op: NDArray[np.uint8]
    wires: I32
    angles: F64
    free: Bools
    symbolic: Bools
    quaternions: F64
    phases: F64
    kinds: I8
    width: I8
    axes: I8
    costly: Bools
    parts: C128
    pace: F64


class Known(NamedTuple):
    """What is known of the qubits.

    Attributes:
        is_known: shape (qubits,): whether the qubit is in a pure state of its own.
        state: shape (qubits, 2): that state.
        label, bit: shape (qubits,): in every computational basis state that has an amplitude, the qubit's
            value is `bit` plus a sum (mod 2) of unknown bits. `label` is the exclusive or of random numbers,
            one for each of these: equal labels mean equal sums, 0 means none (but for a chance of 2^-64).
        unknown: shape (1,): how many unknown bits there have been.
    """

    is_known: Bools
    state: C128
    label: NDArray[np.uint64]
    bit: Bools
    unknown: I64


class Draft(NamedTuple):
    """What the row at hand becomes.

    Attributes:
        used: shape (1,): how many slots are in use, or KEEP.
        gates: shape (SLOTS, 3): code, first and second qubit.
        turns: shape (SLOTS, 6): quaternion; constant and coefficient of the row's own first angle.
        phase: shape (3,): constant, and coefficients of the row's first two angles.
    """

    used: I64
    gates: I64
    turns: F64
    phase: F64


# -- a draft ------------------------------------------------------------------------------------------------


@plain
def _add(draft: Draft, code: int, first: int, second: int, constant: float, coefficient: float) -> None:
    """A gate of the table; its angle is the constant plus coefficient * (the row's first angle)."""
    at = draft.used[0]
    draft.gates[at, 0], draft.gates[at, 1], draft.gates[at, 2] = code, first, second
    draft.turns[at, 4], draft.turns[at, 5] = constant, coefficient
    draft.used[0] = at + 1


@plain
def _add_unitary(
    draft: Draft, qubit: int, u00: complex, u01: complex, u10: complex, u11: complex, atol: float
) -> None:
    """A single-qubit unitary, its phase included; nothing but a phase if it is the identity."""
    phase = np.angle(u00 * u11 - u01 * u10) / 2
    turn = np.exp(-1j * phase)
    q0, q1 = (u00 * turn).real, -(u01 * turn).imag
    q2, q3 = (u10 * turn).real, -(u00 * turn).imag
    norm = np.sqrt(q0 * q0 + q1 * q1 + q2 * q2 + q3 * q3)
    if np.sqrt(q1 * q1 + q2 * q2 + q3 * q3) <= atol * norm:
        draft.phase[0] += phase + (np.pi if q0 < 0 else 0.0)
        return
    at = draft.used[0]
    draft.gates[at, 0], draft.gates[at, 1], draft.gates[at, 2] = TURN, qubit, -1
    draft.turns[at, 0], draft.turns[at, 1] = q0 / norm, q1 / norm
    draft.turns[at, 2], draft.turns[at, 3] = q2 / norm, q3 / norm
    draft.phase[0] += phase
    draft.used[0] = at + 1


@plain
def _add_preparation(draft: Draft, qubit: int, old: Spinor, new: Spinor, atol: float) -> None:
    """The smallest turn that takes one state to another; the phase is such that old becomes new exactly."""
    v0, v1 = old
    w0, w1 = new
    overlap = v0.conjugate() * w0 + v1.conjugate() * w1
    if abs(v0 * w1 - v1 * w0) <= atol:
        draft.phase[0] += np.angle(overlap)
        return
    if abs(overlap) > _NEARLY_ORTHOGONAL:
        alpha = -np.angle(overlap)
    else:  # any axis across the two: one without a Y part if that says something, else one without Z
        across = w1 * v0.conjugate() - w0 * v1.conjugate()
        along = w0 * v0.conjugate() - w1 * v1.conjugate()
        alpha = np.pi / 2 - np.angle(across) if abs(across) > 0.1 else -np.angle(along)
    draft.phase[0] -= alpha
    a, b = np.exp(1j * alpha), np.exp(-1j * alpha)
    _add_unitary(
        draft,
        qubit,
        a * w0 * v0.conjugate() + b * w1.conjugate() * v1,
        a * w0 * v1.conjugate() - b * w1.conjugate() * v0,
        a * w1 * v0.conjugate() - b * w0.conjugate() * v1,
        a * w1 * v1.conjugate() + b * w0.conjugate() * v0,
        atol,
    )


# -- known states -------------------------------------------------------------------------------------------


@plain
def _get(known: Known, qubit: int) -> Spinor:
    return known.state[qubit, 0], known.state[qubit, 1]


@plain
def _set(known: Known, qubit: int, v0: complex, v1: complex) -> None:
    norm = np.sqrt(v0.real**2 + v0.imag**2 + v1.real**2 + v1.imag**2)
    known.is_known[qubit] = True
    known.state[qubit, 0], known.state[qubit, 1] = v0 / norm, v1 / norm


@plain
def _eigenvalue(known: Known, qubit: int, axis: int, atol: float) -> int:
    """1 or -1 if the qubit is known to be in that eigenstate of the Pauli; 0 if not."""
    if not known.is_known[qubit] or axis == 0:
        return 0
    v0, v1 = _get(known, qubit)
    if axis == 3:
        plus, minus = v0, v1
    else:
        turned = v1 if axis == 1 else -1j * v1
        plus, minus = (v0 + turned) * _ROOT, (v0 - turned) * _ROOT
    if abs(minus) <= atol:
        return 1
    return -1 if abs(plus) <= atol else 0


@plain
def _keep_eigenstate(known: Known, qubit: int, axis: int, atol: float) -> None:
    """What is known of a qubit after an unknown turn about an axis."""
    known.is_known[qubit] = _eigenvalue(known, qubit, axis, atol) != 0


@plain
def _axis_in(code: int, table: I64) -> int:
    for axis in range(1, 4):
        if table[axis] == code:
            return axis
    return 0


# -- sums of unknown bits -----------------------------------------------------------------------------------


@plain
def _forget(known: Known, qubit: int) -> None:
    """The qubit's value becomes an unknown bit of its own (the number: SplitMix64)."""
    known.unknown[0] += 1
    z = np.uint64(known.unknown[0]) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    known.label[qubit] = z ^ (z >> np.uint64(31))
    known.bit[qubit] = False


@plain
def _agree(known: Known, qubit: int, atol: float) -> None:
    """Take from each description of a qubit what the other one lacks."""
    value = _eigenvalue(known, qubit, 3, atol)
    if value != 0:
        known.label[qubit] = np.uint64(0)
        known.bit[qubit] = value < 0
    elif known.label[qubit] == 0 and not known.is_known[qubit]:
        one = 1.0 if known.bit[qubit] else 0.0
        _set(known, qubit, complex(1.0 - one), complex(one))


@plain
def _follow_single(kind: int, qubit: int, known: Known) -> None:
    """What a single-qubit gate does to the value."""
    if kind == FLIP:
        known.bit[qubit] = not known.bit[qubit]
    elif kind == GENERAL:
        _forget(known, qubit)


@plain
def _follow_pair(code: int, a: int, b: int, axes: I8, known: Known) -> None:
    """What a two-qubit gate does to the values."""
    label, bit = known.label, known.bit
    parity, odd = label[a] ^ label[b], bit[a] != bit[b]
    if code in (_CX, _CY):
        label[b], bit[b] = parity, odd
    elif code in (_SWAP, _ISWAP, _ISWAPDG):
        label[a], label[b] = label[b], label[a]
        bit[a], bit[b] = bit[b], bit[a]
    elif _KEEPS_PARITY[code]:
        if _KEEPS_EXCITATIONS[code] and parity == 0 and not odd:
            return
        _forget(known, a)
        label[b], bit[b] = label[a] ^ parity, bit[a] != odd
    elif axes[code, 1] != 3:  # all others are diagonal on their first qubit
        _forget(known, b)


@numba.njit(cache=True, nogil=True)
def _numeric_twins(row: int, rows: Rows, known: Known, draft: Draft, atol: float) -> None:
    """A gate on two qubits whose values are always equal, or never: the other basis states do not matter.

    If the gate leaves the two that do as they are, but for phases, it is diagonal on either qubit; if it
    exchanges them, both are flipped.
    """
    a, b = rows.wires[row, 0], rows.wires[row, 1]
    first = 1 if known.bit[a] != known.bit[b] else 0
    second = 3 - first
    matrix = np.empty((4, 4), np.complex128)
    _matrix(row, rows, matrix)
    zero, one = complex(0.0), complex(1.0)
    off = max(abs(matrix[second, first]), abs(matrix[first, second]))
    on = max(abs(matrix[first, first]), abs(matrix[second, second]))
    for column in (first, second):  # nothing may leave the two
        if max(abs(matrix[1 - first, column]), abs(matrix[2 + first, column])) > atol:
            return
    if off <= atol:
        draft.used[0] = 0
        _add_unitary(draft, a, matrix[first, first], zero, zero, matrix[second, second], atol)
    elif on <= atol:
        draft.used[0] = 0
        _add_unitary(draft, a, zero, matrix[first, second], matrix[second, first], zero, atol)
        _add_unitary(draft, b, zero, one, one, zero, atol)


@plain
def _symbolic_twins(row: int, rows: Rows, known: Known, draft: Draft) -> None:
    """The same for symbolic gates."""
    code, a = rows.op[row], rows.wires[row, 0]
    odd = known.bit[a] != known.bit[rows.wires[row, 1]]
    sign = -1.0 if odd else 1.0
    if code == _PAIR_TURNS[3]:
        draft.used[0] = 0
        draft.phase[1] -= sign / 2
    elif code == _CONTROLLED_TURNS[3]:
        draft.used[0] = 0
        _add(draft, _TURNS[3], a, -1, 0.0, sign / 2)
        draft.phase[1] += sign / 4
    elif code == _CPHASE:
        draft.used[0] = 0
        if not odd:
            _add(draft, _TURNS[3], a, -1, 0.0, 1.0)
            draft.phase[1] += 0.5
    elif code == _GIVENS and not odd:
        draft.used[0] = 0


# -- single-qubit rows --------------------------------------------------------------------------------------


@plain
def _single(row: int, rows: Rows, known: Known, draft: Draft, atol: float) -> None:
    """A gate on a known qubit."""
    qubit = rows.wires[row, 0]
    if rows.symbolic[row]:
        axis = _axis_in(rows.op[row], _TURNS)
        value = _eigenvalue(known, qubit, axis, atol)
        known.is_known[qubit] = value != 0
        if value != 0:
            draft.used[0] = 0
            draft.phase[1] -= value / 2
        return
    q0, q1, q2, q3 = rows.quaternions[row]
    v0, v1 = _get(known, qubit)
    w0 = complex(q0, -q3) * v0 + complex(-q2, -q1) * v1
    w1 = complex(q2, -q1) * v0 + complex(q0, q3) * v1
    if rows.free[row] and abs(v0 * w1 - v1 * w0) <= atol:
        draft.used[0] = 0
        draft.phase[0] += rows.phases[row] + np.angle(v0.conjugate() * w0 + v1.conjugate() * w1)
    else:
        _set(known, qubit, w0, w1)


# -- two-qubit rows with a symbol ---------------------------------------------------------------------------


@plain
def _symbolic_pair(row: int, rows: Rows, known: Known, draft: Draft, atol: float) -> None:
    """Replace a two-qubit rotation by what it does to the known states, where that is less."""
    code = rows.op[row]
    a, b = rows.wires[row, 0], rows.wires[row, 1]
    controlled = _axis_in(code, _CONTROLLED_TURNS)
    both = _axis_in(code, _PAIR_TURNS)
    same = 3 if code == _CPHASE else both
    if _eigenvalue(known, b, same, atol) != 0:  # symmetric gates; that takes no entangler, so it comes first
        a, b = b, a
    if controlled > 0:
        _controlled_turn(a, b, controlled, known, draft, atol)
    elif both > 0:
        if not _pair_turn(a, b, both, known, draft, atol):
            _pair_turn(b, a, both, known, draft, atol)
    elif code == _CPHASE:
        if not _controlled_phase(a, b, known, draft, atol):
            _controlled_phase(b, a, known, draft, atol)
    else:
        _excitation(a, b, code, known, draft, atol)
    if draft.used[0] == KEEP:
        known.is_known[a] = known.is_known[b] = False


@plain
def _kick(qubit: int, other: int, axis: int, turned: int, known: Known, draft: Draft, atol: float) -> int:
    """Begin to put a known qubit's part of exp(-i t P P' / 2) on it alone, between two controlled Paulis
    Q of which the first does nothing; the axis of Q, or 0 if there is none.

    Q anticommutes with the turn's axis P on the known qubit, and the qubit is in an eigenstate of Q, so that
    the first of the two is at most a P' on the other qubit.

    Args:
        qubit: the known one.
        other: the other one, on which the gate is diagonal along `axis`.
        axis: P', of the other qubit.
        turned: P, of the known qubit.
    """
    for q in range(1, 4):
        if q == turned or (q != 3 and axis != 3):  # the table has controlled Paulis only
            continue
        value = _eigenvalue(known, qubit, q, atol)
        if value != 0:
            draft.used[0] = 0
            if value < 0:
                _add(draft, _PAULIS[axis], other, -1, 0.0, 0.0)
            return q
    return 0


@plain
def _add_controlled(draft: Draft, qubit: int, pauli: int, other: int, axis: int) -> None:
    """The gate that is `pauli` on a qubit, controlled along `axis` by the other one; one of the two is Z."""
    if axis == 3:
        _add(draft, _CONTROLLED[pauli], other, qubit, 0.0, 0.0)
    else:
        _add(draft, _CONTROLLED[axis], qubit, other, 0.0, 0.0)


@plain
def _controlled_turn(a: int, b: int, axis: int, known: Known, draft: Draft, atol: float) -> None:
    control, target = _eigenvalue(known, a, 3, atol), _eigenvalue(known, b, axis, atol)
    if control != 0:
        draft.used[0] = 0
        if control < 0:
            _add(draft, _TURNS[axis], b, -1, 0.0, 1.0)
            _keep_eigenstate(known, b, axis, atol)
        return
    if target != 0:
        draft.used[0] = 0
        _add(draft, _TURNS[3], a, -1, 0.0, -target / 2)
        draft.phase[1] -= target / 4
        known.is_known[a] = False
        return
    pauli = _kick(b, a, 3, axis, known, draft, atol)
    if pauli != 0:
        _add(draft, _TURNS[axis], b, -1, 0.0, -0.5)
        _add_controlled(draft, b, pauli, a, 3)
        _add(draft, _TURNS[axis], b, -1, 0.0, 0.5)
        known.is_known[a] = known.is_known[b] = False


@plain
def _pair_turn(a: int, b: int, axis: int, known: Known, draft: Draft, atol: float) -> bool:
    """exp(-i t P P / 2), by what is known of qubit a."""
    value = _eigenvalue(known, a, axis, atol)
    if value != 0:
        draft.used[0] = 0
        _add(draft, _TURNS[axis], b, -1, 0.0, float(value))
        _keep_eigenstate(known, b, axis, atol)
        return True
    pauli = _kick(a, b, axis, axis, known, draft, atol)
    if pauli == 0:
        return False
    _add(draft, _TURNS[axis], a, -1, 0.0, 1.0)
    _add_controlled(draft, a, pauli, b, axis)
    known.is_known[a] = known.is_known[b] = False
    return True


@plain
def _controlled_phase(a: int, b: int, known: Known, draft: Draft, atol: float) -> bool:
    """cphase(t) = exp(i t / 4) rz(t / 2) rz(t / 2) rzz(-t / 2), by what is known of qubit a."""
    value = _eigenvalue(known, a, 3, atol)
    if value != 0:
        draft.used[0] = 0
        if value < 0:
            _add(draft, _TURNS[3], b, -1, 0.0, 1.0)
            draft.phase[1] += 0.5
            _keep_eigenstate(known, b, 3, atol)
        return True
    pauli = _kick(a, b, 3, 3, known, draft, atol)
    if pauli == 0:
        return False
    _add(draft, _TURNS[3], a, -1, 0.0, -0.5)
    _add_controlled(draft, a, pauli, b, 3)
    _add(draft, _TURNS[3], a, -1, 0.0, 0.5)
    _add(draft, _TURNS[3], b, -1, 0.0, 0.5)
    draft.phase[1] += 0.25
    known.is_known[a] = known.is_known[b] = False
    return True


@plain
def _excitation(a: int, b: int, code: int, known: Known, draft: Draft, atol: float) -> None:
    """Givens and fsim do nothing, but for a phase, to |00> and |11>."""
    value = _eigenvalue(known, a, 3, atol)
    if value == 0 or value != _eigenvalue(known, b, 3, atol):
        return
    draft.used[0] = 0
    if value < 0 and code == _FSIM:
        draft.phase[2] -= 1.0


# -- two-qubit rows with numbers ----------------------------------------------------------------------------


@plain
def _matrix(row: int, rows: Rows, out: C128) -> None:
    code = rows.op[row]
    t = rows.pace[code] * rows.angles[row, 0]
    cos, sin = np.cos(t), np.sin(t)
    for i in range(4):
        for j in range(4):
            part = rows.parts[code, :, i, j]
            out[i, j] = part[0] + cos * part[1] + sin * part[2]
    if code == _FSIM:
        out[3, 3] *= np.exp(-1j * rows.angles[row, 1])


@numba.njit(cache=True, nogil=True)
def _numeric_pair(row: int, rows: Rows, known: Known, draft: Draft, atol: float) -> None:
    a, b = rows.wires[row, 0], rows.wires[row, 1]
    matrix = np.empty((4, 4), np.complex128)
    _matrix(row, rows, matrix)
    code = rows.op[row]
    if known.is_known[a] and known.is_known[b]:
        if _to_product(a, b, matrix, known, draft, atol):
            return
    else:
        side = 0 if known.is_known[a] else 1
        if _beside_known(a, b, side, matrix, known, draft, atol):
            return
        if _moved(a, b, side, matrix, code == _SWAP, known, draft, atol):
            return
    if rows.costly[code]:
        for side in range(2):
            axis = rows.axes[code, 1 - side]
            if known.is_known[a if side == 0 else b] and axis > 0:
                _controlled_state(a, b, side, axis, matrix, known, draft, atol)
                break
        if draft.used[0] == KEEP and known.is_known[a] and known.is_known[b]:
            _prepare_pair(a, b, matrix, known, draft, atol)
    known.is_known[a] = known.is_known[b] = False


@numba.njit(cache=True, nogil=True)
def _pair_state(a: int, b: int, matrix: C128, known: Known) -> C128:
    """What the gate makes of two known states, shape (2, 2)."""
    out = np.zeros((2, 2), np.complex128)
    for i in range(4):
        for j in range(4):
            out[i >> 1, i & 1] += matrix[i, j] * known.state[a, j >> 1] * known.state[b, j & 1]
    return out


@numba.njit(cache=True, nogil=True)
def _to_product(a: int, b: int, matrix: C128, known: Known, draft: Draft, atol: float) -> bool:
    """Two known states that stay apart: each is turned by itself."""
    s = _pair_state(a, b, matrix, known)
    if abs(s[0, 0] * s[1, 1] - s[0, 1] * s[1, 0]) > atol:
        return False
    column = 0 if abs(s[0, 0]) ** 2 + abs(s[1, 0]) ** 2 >= 0.5 else 1
    old_a, old_b = _get(known, a), _get(known, b)
    _set(known, a, s[0, column], s[1, column])
    new_a = _get(known, a)
    c, d = new_a[0].conjugate(), new_a[1].conjugate()
    _set(known, b, c * s[0, 0] + d * s[1, 0], c * s[0, 1] + d * s[1, 1])
    draft.used[0] = 0
    _add_preparation(draft, a, old_a, new_a, atol)
    _add_preparation(draft, b, old_b, _get(known, b), atol)
    return True


@numba.njit(cache=True, nogil=True)
def _restricted(a: int, b: int, side: int, matrix: C128, known: Known) -> C128:
    """The gate with one operand's state put in, shape (2, 2, 2): [known qubit after, other after, other]."""
    out = np.zeros((2, 2, 2), np.complex128)
    v0, v1 = _get(known, a if side == 0 else b)
    for k in range(2):
        for u in range(2):
            i = 2 * k + u if side == 0 else 2 * u + k
            for w in range(2):
                first, second = (w, 2 + w) if side == 0 else (2 * w, 2 * w + 1)
                out[k, u, w] = matrix[i, first] * v0 + matrix[i, second] * v1
    return out


@plain
def _second_singular(t: C128) -> float:
    """The smaller singular value of a (2, 4) matrix whose squares add up to 2 (by Cauchy and Binet, so that
    tiny values are exact)."""
    total = 0.0
    for i in range(4):
        for j in range(i):
            total += abs(t[0, i] * t[1, j] - t[0, j] * t[1, i]) ** 2
    return float(np.sqrt(total / 2))


@plain
def _main_column(t: C128) -> Spinor:
    """The longest column of a (2, 4) matrix, as a unit vector."""
    best, at = 0.0, 0
    for j in range(4):
        size = abs(t[0, j]) ** 2 + abs(t[1, j]) ** 2
        if size > best:
            best, at = size, j
    norm = np.sqrt(best)
    return t[0, at] / norm, t[1, at] / norm


@numba.njit(cache=True, nogil=True)
def _beside_known(a: int, b: int, side: int, matrix: C128, known: Known, draft: Draft, atol: float) -> bool:
    """A gate that turns the known qubit to another known state, and the other one by itself."""
    t = _restricted(a, b, side, matrix, known)
    flat = t.copy().reshape(2, 4)
    if _second_singular(flat) > atol:
        return False
    qubit, other = (a, b) if side == 0 else (b, a)
    old, new = _get(known, qubit), _main_column(flat)
    _set(known, qubit, new[0], new[1])
    draft.used[0] = 0
    _add_preparation(draft, qubit, old, new, atol)
    c, d = new[0].conjugate(), new[1].conjugate()
    _add_unitary(
        draft,
        other,
        c * t[0, 0, 0] + d * t[1, 0, 0],
        c * t[0, 0, 1] + d * t[1, 0, 1],
        c * t[0, 1, 0] + d * t[1, 1, 0],
        c * t[0, 1, 1] + d * t[1, 1, 1],
        atol,
    )
    return True


@numba.njit(cache=True, nogil=True)
def _moved(
    a: int, b: int, side: int, matrix: C128, is_swap: bool, known: Known, draft: Draft, atol: float
) -> bool:
    """A gate that moves a known state to the other qubit; a SWAP of it takes two CX only."""
    t = _restricted(a, b, side, matrix, known)
    flat = np.empty((2, 4), np.complex128)
    for k in range(2):
        for u in range(2):
            for w in range(2):
                flat[u, 2 * k + w] = t[k, u, w]
    if _second_singular(flat) > atol:
        return False
    qubit, other = (a, b) if side == 0 else (b, a)
    old, new = _get(known, qubit), _main_column(flat)
    known.is_known[qubit] = False
    _set(known, other, new[0], new[1])
    if is_swap:
        zero = (complex(1.0), complex(0.0))
        draft.used[0] = 0
        _add_preparation(draft, qubit, old, zero, atol)
        _add(draft, _CX, other, qubit, 0.0, 0.0)
        _add(draft, _CX, qubit, other, 0.0, 0.0)
        _add_preparation(draft, other, zero, old, atol)
    return True


@numba.njit(cache=True, nogil=True)
def _controlled_state(
    a: int, b: int, side: int, axis: int, matrix: C128, known: Known, draft: Draft, atol: float
) -> None:
    """A gate that is diagonal along an axis on the other qubit, with one entangler.

    It takes the known state v to w0 or w1, as the other qubit is in the one or the other eigenstate of the
    axis. Two states are always V s and exp(i phi) V Z s for a turn V and a state s: so turn v to s, do a
    controlled Z (the control along the axis), turn by V, and give the second eigenstate its phase.
    """
    t = _restricted(a, b, side, matrix, known)
    qubit, other = (a, b) if side == 0 else (b, a)
    f0, f1 = complex(1.0), complex(0.0)
    g0, g1 = complex(0.0), complex(1.0)
    if axis != 3:
        f0 = g0 = complex(_ROOT)
        f1 = complex(_ROOT) if axis == 1 else complex(0.0, _ROOT)
        g1 = -f1
    w = np.zeros((2, 2), np.complex128)
    for k in range(2):
        w[0, k] = f0.conjugate() * (t[k, 0, 0] * f0 + t[k, 0, 1] * f1)
        w[0, k] += f1.conjugate() * (t[k, 1, 0] * f0 + t[k, 1, 1] * f1)
        w[1, k] = g0.conjugate() * (t[k, 0, 0] * g0 + t[k, 0, 1] * g1)
        w[1, k] += g1.conjugate() * (t[k, 1, 0] * g0 + t[k, 1, 1] * g1)
    overlap = w[0, 0].conjugate() * w[1, 0] + w[0, 1].conjugate() * w[1, 1]
    phi = np.angle(overlap) if abs(overlap) > _ROUNDING else 0.0
    half = np.arctan2(abs(w[0, 0] * w[1, 1] - w[0, 1] * w[1, 0]), abs(overlap)) / 2
    back = np.exp(-1j * phi)
    x0, x1 = w[0, 0] + back * w[1, 0], w[0, 1] + back * w[1, 1]
    norm = np.sqrt(abs(x0) ** 2 + abs(x1) ** 2)
    x0, x1 = x0 / norm, x1 / norm
    y0, y1 = -x1.conjugate(), x0.conjugate()
    turn = np.exp(1j * np.angle(y0.conjugate() * w[0, 0] + y1.conjugate() * w[0, 1]))
    draft.used[0] = 0
    _add_preparation(draft, qubit, _get(known, qubit), (complex(np.cos(half)), complex(np.sin(half))), atol)
    _add_controlled(draft, qubit, 3, other, axis)
    _add_unitary(draft, qubit, x0, turn * y0, x1, turn * y1, atol)
    if abs(phi) > atol:
        _add(draft, _TURNS[axis], other, -1, phi, 0.0)
    draft.phase[0] += phi / 2


@numba.njit(cache=True, nogil=True)
def _prepare_pair(a: int, b: int, matrix: C128, known: Known, draft: Draft, atol: float) -> None:
    """Any state of two qubits with one CX, by its Schmidt form c |e f> + s |e' f'>."""
    s = _pair_state(a, b, matrix, known)
    x = 2 * (s[0, 0] * s[1, 0].conjugate() + s[0, 1] * s[1, 1].conjugate())
    z = abs(s[0, 0]) ** 2 + abs(s[0, 1]) ** 2 - abs(s[1, 0]) ** 2 - abs(s[1, 1]) ** 2
    theta, phi = np.arctan2(abs(x), z), -np.angle(x)
    e0, e1 = complex(np.cos(theta / 2)), np.sin(theta / 2) * np.exp(1j * phi)
    f0 = e0.conjugate() * s[0, 0] + e1.conjugate() * s[1, 0]
    f1 = e0.conjugate() * s[0, 1] + e1.conjugate() * s[1, 1]
    g0 = -e1 * s[0, 0] + e0.conjugate() * s[1, 0]
    g1 = -e1 * s[0, 1] + e0.conjugate() * s[1, 1]
    large, small = np.sqrt(abs(f0) ** 2 + abs(f1) ** 2), np.sqrt(abs(g0) ** 2 + abs(g1) ** 2)
    f0, f1 = f0 / large, f1 / large
    h0, h1 = -f1.conjugate(), f0.conjugate()
    turn = np.exp(1j * np.angle(h0.conjugate() * g0 + h1.conjugate() * g1))
    draft.used[0] = 0
    _add_preparation(draft, a, _get(known, a), (complex(large), complex(small)), atol)
    _add_preparation(draft, b, _get(known, b), (complex(1.0), complex(0.0)), atol)
    _add(draft, _CX, a, b, 0.0, 0.0)
    _add_unitary(draft, a, e0, -e1.conjugate(), e1, e0.conjugate(), atol)
    _add_unitary(draft, b, f0, turn * h0, f1, turn * h1, atol)


# -- walls and the sweep ------------------------------------------------------------------------------------


@plain
def _wall(row: int, rows: Rows, known: Known, atol: float) -> None:
    """A measurement leaves |0> and |1> as they are, a reset makes |0>, nothing is known after all else."""
    for k in range(rows.wires.shape[1]):
        qubit = rows.wires[row, k]
        if qubit < 0 or qubit >= len(known.is_known):
            continue
        if rows.op[row] == RESET:
            _set(known, qubit, complex(1.0), complex(0.0))
            _agree(known, qubit, atol)
        elif rows.op[row] == MEASURE:
            _keep_eigenstate(known, qubit, 3, atol)
        else:
            known.is_known[qubit] = False
            _forget(known, qubit)


@numba.njit(cache=True, nogil=True)
def _beside(row: int, rows: Rows, known: Known, draft: Draft, atol: float) -> None:
    """A two-qubit gate on a known qubit."""
    if rows.symbolic[row]:
        _symbolic_pair(row, rows, known, draft, atol)
    else:
        _numeric_pair(row, rows, known, draft, atol)


@numba.njit(cache=True, nogil=True)
def _twins(row: int, rows: Rows, known: Known, draft: Draft, atol: float) -> None:
    """A gate on two unknown qubits with equal labels."""
    if rows.symbolic[row]:
        _symbolic_twins(row, rows, known, draft)
    else:
        _numeric_twins(row, rows, known, draft, atol)


@numba.njit(cache=True, nogil=True)
def _start(num_qubits: int, zero: bool) -> Known:
    known = Known(
        np.full(num_qubits, zero),
        np.zeros((num_qubits, 2), np.complex128),
        np.zeros(num_qubits, np.uint64),
        np.zeros(num_qubits, np.bool_),
        np.zeros(1, np.int64),
    )
    known.state[:, 0] = 1.0
    if not zero:
        for qubit in range(num_qubits):
            _forget(known, qubit)
    return known


@numba.njit(cache=True, nogil=True)
def known_inputs(
    rows: Rows, plain: Bools, num_qubits: int, zero: bool, atol: float
) -> tuple[I64, I64, F64, F64, float]:
    """What rows may become, by what is known of the qubits that they act on.

    Args:
        rows: the circuit.
        plain: shape (rows,): gates of the table that touch no classical key.
        num_qubits: how many wires are qubits.
        zero: whether all qubits begin in |0>.
        atol: how far (norm of the difference) a state may be from the one that it is taken for.

    Returns:
        action: shape (rows,): KEEP, DROP or the number of an edit.
        gates: shape (edits, SLOTS, 3): code (EMPTY, TURN, or a gate's), first and second qubit.
        turns: shape (edits, SLOTS, 6): quaternion; constant and coefficient of the row's own first angle.
        phases: shape (rows, 2): coefficients of the row's first two angles in the global phase.
        phase: what is added to the global phase.
    """
    size = len(rows.op)
    known = _start(num_qubits, zero)
    draft = Draft(np.zeros(1, np.int64), np.zeros((SLOTS, 3), np.int64), np.zeros((SLOTS, 6)), np.zeros(3))
    action = np.full(size, KEEP, np.int64)
    phases = np.zeros((size, 2))
    gates = np.empty((16, SLOTS, 3), np.int64)
    turns = np.empty((16, SLOTS, 6))
    edits, phase = 0, 0.0
    for row in range(size):
        if not plain[row]:
            _wall(row, rows, known, atol)
            continue
        draft.used[0] = KEEP
        draft.phase[:] = 0.0
        a, b = rows.wires[row, 0], rows.wires[row, 1]
        if rows.width[rows.op[row]] == 1:
            if known.is_known[a]:
                _single(row, rows, known, draft, atol)
            _follow_single(rows.kinds[row], a, known)
        else:
            if known.is_known[a] or known.is_known[b]:
                _beside(row, rows, known, draft, atol)
            elif known.label[a] == known.label[b]:
                _twins(row, rows, known, draft, atol)
            _follow_pair(rows.op[row], a, b, rows.axes, known)
            if known.is_known[b] or known.label[b] == 0:
                _agree(known, b, atol)
        if known.is_known[a] or known.label[a] == 0:
            _agree(known, a, atol)
        if draft.used[0] == KEEP or not rows.free[row]:
            continue
        action[row] = DROP
        phase += draft.phase[0]
        for k in range(2):
            phase += draft.phase[1 + k] * rows.angles[row, k]
            phases[row, k] = draft.phase[1 + k]
        if draft.used[0] > 0:
            if edits == len(gates):
                gates, turns = np.concatenate((gates, gates)), np.concatenate((turns, turns))
            action[row] = edits
            gates[edits], turns[edits] = draft.gates, draft.turns
            gates[edits, draft.used[0] :, 0] = EMPTY
            edits += 1
    return action, gates[:edits], turns[:edits], phases, phase


# -- backward from measurements -----------------------------------------------------------------------------

DEAD: Final = 0
DEPHASED: Final = 1
LIVE: Final = 2
"""What still matters of a qubit: nothing; only what a measurement in the computational basis would give,
jointly with the other dephased qubits; all."""


@numba.njit(cache=True, nogil=True)
def measured_only(rows: Rows, plain: Bools, num_qubits: int, invert: bool) -> tuple[Bools, I64]:
    """Which rows do not change what is measured.

    Swept backward: after every row, the outcomes do not change if all DEAD qubits are thrown away and all
    DEPHASED ones dephased. A gate that is diagonal on all that is not DEAD can then go.

    Args:
        rows: the circuit.
        plain: shape (rows,): gates of the table that touch no classical key.
        num_qubits: how many wires are qubits.
        invert: whether a flip before a last measurement of its qubit may become an inverted bit.

    Returns:
        drop: shape (rows,).
        inverted: shape (rows,): the measurement that a dropped flip inverts, -1 for none.
    """
    size = len(rows.op)
    mode = np.full(num_qubits, DEAD, np.int8)
    reader = np.full(num_qubits, -1, np.int64)
    drop = np.zeros(size, np.bool_)
    inverted = np.full(size, -1, np.int64)
    for row in range(size - 1, -1, -1):
        if not plain[row]:
            _open(row, rows, mode, reader)
            continue
        a, b = rows.wires[row, 0], rows.wires[row, 1]
        if rows.width[rows.op[row]] == 1:
            kind = rows.kinds[row]
            useless = mode[a] == DEAD or (mode[a] == DEPHASED and kind == DIAGONAL)
            if invert and rows.free[row] and kind == FLIP and reader[a] >= 0:
                useless = True
                inverted[row] = reader[a]
            if not useless and kind == GENERAL:
                mode[a] = LIVE
        else:
            useless = _pair_backward(rows.op[row], a, b, rows.axes, mode)
        if useless and rows.free[row]:
            drop[row] = True
            continue
        reader[a] = -1
        if b >= 0:
            reader[b] = -1
    return drop, inverted


@plain
def _open(row: int, rows: Rows, mode: I8, reader: I64) -> None:
    for k in range(rows.wires.shape[1]):
        qubit = rows.wires[row, k]
        if qubit < 0 or qubit >= len(mode):
            continue
        reader[qubit] = -1
        if rows.op[row] == RESET:
            mode[qubit] = DEAD
        elif rows.op[row] == MEASURE:
            reader[qubit] = row if mode[qubit] == DEAD else -1
            mode[qubit] = DEPHASED
        else:
            mode[qubit] = LIVE


@plain
def _pair_backward(code: int, a: int, b: int, axes: I8, mode: I8) -> bool:
    """Whether a two-qubit gate does nothing that matters; if not, `mode` becomes what matters before it."""
    m, n = mode[a], mode[b]
    if m == DEAD and n == DEAD:
        return True
    z_a, z_b = axes[code, 0] == 3, axes[code, 1] == 3
    if (z_a or m == DEAD) and (z_b or n == DEAD) and m != LIVE and n != LIVE:
        return True
    if code == _SWAP:
        mode[a], mode[b] = n, m
    elif code in (_ISWAP, _ISWAPDG):  # a SWAP and a gate that is diagonal
        mode[a], mode[b] = max(n, DEPHASED), max(m, DEPHASED)
    else:
        permutes = code in (_CX, _CY) and m != LIVE and n == DEPHASED
        mode[a] = max(m, DEPHASED) if z_a else LIVE
        mode[b] = max(n, DEPHASED) if z_b or permutes else LIVE
    return False


@numba.njit(cache=True, nogil=True)
def without_swaps(elided: Bools, wires: I32, operands: I32, num_qubits: int) -> tuple[I32, I32]:
    """Wires and operands of all rows after the elided SWAPs before them have exchanged the qubits' names.

    Args:
        elided: shape (rows,): SWAPs to be left out.
        wires: shape (rows, width): classical keys and -1 stay.
        operands: shape (rows, 2): -1 stays.
        num_qubits: how many wires are qubits.
    """
    place = np.arange(num_qubits).astype(np.int32)
    wires, operands = wires.copy(), operands.copy()
    for row in range(len(elided)):
        if elided[row]:
            a, b = operands[row]
            place[a], place[b] = place[b], place[a]
            continue
        for k in range(wires.shape[1]):
            if 0 <= wires[row, k] < num_qubits:
                wires[row, k] = place[wires[row, k]]
        for k in range(2):
            if operands[row, k] >= 0:
                operands[row, k] = place[operands[row, k]]
    return wires, operands
