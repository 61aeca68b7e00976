"""Circuits as Pauli rotations and a Clifford, and back again: U = C R_m ... R_1.

`pull` moves every rotation to the front of a circuit, so that what is left of its Clifford gates is one frame
at the end; equal rotations that meet become one, and those by quarter turns join the frame. `synthesise`
makes gates of it greedily: it takes two-qubit Clifford gates that make the strings of the coming rotations
lighter, until each of them is a rotation of one qubit.

Sources: Schmitz et al., "Graph optimization perspective for low-depth Trotter-Suzuki decomposition"
(arXiv:2103.08602) and PCOAST (arXiv:2305.10966), section IV: greedy synthesis by two-qubit Clifford gates;
Paykin et al., ibid., merging; de Brugiere, Martiel, Rustiq (arXiv:2404.03280): discounted weights; Bravyi,
Shaydulin, Hu, Maslov, Quantum 5, 580 (2021), section 4: cost of a pair of a tableau. Angles are only carried
along, so they may be symbols.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit.gates import BY_NAME
from qattn_compiler.circuit.params import Affine

Codes = NDArray[np.uint8]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

INSTRUCTIONS: Final = (
    *("h", "s", "sdg", "x", "y", "z", "cx", "cz", "swap"),
    *("rx", "ry", "rz", "rxx", "ryy", "rzz"),
)
"""Gates that `pull` reads, in the order of the kernels' numbers."""
H, S, SDG, X, Y, Z, CX, CZ, SWAP = range(9)
_INVERSE: Final = (H, SDG, S, X, Y, Z, CX, CZ, SWAP)

QUARTER = 1e-13
"""An angle this close to a multiple of a quarter turn is one (radians)."""
REACH = 4096
"""How many rotations are looked back to find one to merge with."""


@dataclass(frozen=True, eq=False)
class PauliForm:
    """U = C R_m ... R_1 up to global phase, R_k = exp(-i angle_k P_k / 2).

    Attributes:
        codes: shape (m, qubits): strings (0 I, 1 X, 2 Z, 3 Y).
        signs: shape (m,): 1 for minus.
        members: shape (sources,): the rotation to which a source row's angle belongs, -1 if it is gone.
        factors: shape (sources,): +1 or -1, by which that angle counts.
        rows: shape (sources,): the source rows.
        frame: shape (2 qubits, qubits): C^dagger X_q C and C^dagger Z_q C.
        frame_signs: shape (2 qubits,).
        clifford: instructions (count, 3) whose product is C up to the phase `phase`.
        phase: radians.
    """

    codes: Codes
    signs: NDArray[np.int8]
    members: Ints
    factors: Floats
    rows: Ints
    frame: Codes
    frame_signs: NDArray[np.int8]
    clifford: Ints
    phase: float

    def __len__(self) -> int:
        return len(self.codes)

    def inverse(self) -> PauliForm:
        """The form of U^dagger = C^dagger Q_1^dagger ... Q_m^dagger with Q = C R C^dagger.

        Its angles count negatively; `factors` and `phase` are left as they are in U.
        """
        from qattn_compiler.synth.pauli_kernels import extract

        back = inverted(self.clifford)
        size = self.codes.shape[1]
        *_, frame, signs = extract(*_columns(back), size)
        codes, flips = conjugated(self.codes[::-1], self.signs[::-1], frame, signs)
        members = np.where(self.members >= 0, len(self) - 1 - self.members, -1)
        return PauliForm(codes, flips, members, self.factors, self.rows, frame, signs, back, self.phase)


@dataclass(frozen=True)
class Effort:
    """One way to run the greedy synthesis (`pauli_search_kernels.synthesise` has the meanings)."""

    discount: float
    tail: float
    wide: bool
    noise: float = 0.0
    deep: float = 0.0
    seed: int = 0
    window: int = 256


BIAS: Final = 8
"""Added to changes of cost, so that none is negative."""


@cache
def tables() -> tuple[Ints, Ints, Ints, NDArray[np.uint64]]:
    """Two-qubit gates C(P, Q) = (1 + P + Q - P Q) / 2, numbered 3 (p - 1) + q - 1, as acting on codes.

    Returns:
        image and flip of shape (9, 16): new pair of codes (4 a + b) and whether the sign changes; shape
        (16,): a bit for each gate that takes such a pair off one of the qubits; and shape (256, 4): per codes
        of two strings on two qubits, 64 a0 + 16 b0 + 4 a1 + b1, by how many halves each gate changes the cost
        of the pair (`pauli_search_kernels._pair_total`), plus BIAS, gate by gate in 16 bits, so that sums of
        all nine are three additions; then a bit for each gate that lowers it.
    """
    image = np.zeros((9, 16), dtype=np.int64)
    flip = np.zeros((9, 16), dtype=np.int64)
    for gate in range(9):
        p, q = gate // 3 + 1, gate % 3 + 1
        for a in range(4):
            for b in range(4):
                image[gate, 4 * a + b], flip[gate, 4 * a + b] = _through(p, q, a, b)
    weight = np.array([(i >> 2 > 0) + (i & 3 > 0) for i in range(16)])
    lightens = ((weight[image] < weight) << np.arange(9)[:, None]).sum(axis=0)
    share = np.zeros((4, 4))
    for a in range(4):
        for b in range(4):
            share[a, b] = 1.5 if a and b and a != b else float(a > 0 or b > 0)
    i = np.arange(256)
    pair_cost = share[i >> 6, (i >> 2) & 3] + share[(i >> 4) & 3, i & 3]
    change = pair_cost[16 * image[:, i >> 4] + image[:, i & 15]] - pair_cost
    halves = (2 * change + BIAS).astype(np.uint64)
    packed = np.zeros((256, 4), dtype=np.uint64)
    for gate in range(9):
        packed[:, 3] |= (change[gate] < 0).astype(np.uint64) << np.uint64(gate)
        packed[:, gate // 4] |= halves[gate] << np.uint64(16 * (gate % 4))
    return image, flip, lightens, packed


def _crosses(a: int, b: int) -> bool:
    return bool(a and b and a != b)


def _product(a: int, b: int) -> tuple[int, int]:
    """(code, power of i) of the product of two Hermitian Paulis."""
    if not _crosses(a, b):
        return a ^ b, 0
    cyclic = {(1, 3), (3, 2), (2, 1)}  # XY = iZ, YZ = iX, ZX = iY
    return a ^ b, 1 if (a, b) in cyclic else 3


def _through(p: int, q: int, a: int, b: int) -> tuple[int, int]:
    """C(P, Q) A B C(P, Q): A gains P if B crosses Q, B gains Q if A crosses P."""
    to_a, to_b = _crosses(b, q), _crosses(a, p)
    power = 0
    if to_a and to_b:  # A B -> (A P)(Q B)
        a, one = _product(a, p)
        b, two = _product(q, b)
        power = one + two
    elif to_a:
        a = a ^ p  # A commutes with P, so that there is no i
    elif to_b:
        b = b ^ q
    return 4 * a + b, (power & 3) >> 1


def _columns(instructions: Ints) -> tuple[Ints, Ints, Ints]:
    columns = np.ascontiguousarray(instructions.reshape(-1, 3).T)
    return columns[0], columns[1], columns[2]


def inverted(clifford: Ints) -> Ints:
    """The instructions that undo Clifford instructions."""
    back = clifford[::-1].copy()
    back[:, 0] = np.array(_INVERSE)[back[:, 0]]
    return back


def conjugated(
    codes: Codes, signs: NDArray[np.int8], frame: Codes, frame_signs: NDArray[np.int8]
) -> tuple[Codes, NDArray[np.int8]]:
    """Strings with each X_q and Z_q replaced by its image in a frame."""
    from qattn_compiler.synth.pauli_kernels import substitute

    out: tuple[Codes, NDArray[np.int8]] = substitute(
        np.ascontiguousarray(codes), np.ascontiguousarray(signs), frame, frame_signs
    )
    return out


def pull(kind: Ints, first: Ints, second: Ints, angles: Floats, symbols: Affine, size: int) -> PauliForm:
    """The Pauli form of a circuit over INSTRUCTIONS, rotations merged.

    Args:
        kind, first, second: shape (rows,): numbers in INSTRUCTIONS, and qubits.
        angles: shape (rows,): radians, the constants.
        symbols: the symbolic part of the rows' angles.
        size: number of qubits.
    """
    from qattn_compiler.synth import pauli_kernels as kernels

    codes, signs, rows, frame, frame_signs = kernels.extract(kind, first, second, size)
    gates = kind < kernels.RX
    clifford = np.column_stack([kind[gates], first[gates], second[gates]])
    members = np.arange(len(rows))
    factors = np.ones(len(rows))
    source = np.full(len(kind) + 1, -1, dtype=np.int64)
    source[rows] = np.arange(len(rows))
    alive = np.ones(len(rows), dtype=bool)
    phase = 0.0
    quarter_turns: list[Ints] = []
    while True:
        head = kernels.fold(codes, alive, REACH)
        moved = head != np.arange(len(head))
        if moved.any():
            flipped = signs != signs[head]
            kept = members >= 0
            factors[kept] *= np.where(flipped[members[kept]], -1.0, 1.0)
            members[kept] = head[members[kept]]
            alive &= ~moved
        total = _totals(angles[rows], members, factors, len(codes))
        free = _symbolic(symbols, source, members, factors, len(codes))
        turns = np.round(total / (np.pi / 2))
        quarter = alive & ~free & (np.abs(total - turns * np.pi / 2) < QUARTER)
        if not quarter.any():
            break
        for k in np.flatnonzero(quarter).tolist():
            # exp(-i t P / 2) with t = turns * pi / 2
            alive[k] = False
            times = int(turns[k]) % 8
            if times >= 4:
                phase += np.pi
                times -= 4
            if times == 0:
                continue
            string, minus = codes[k].copy(), int(signs[k])
            if times == 2:
                phase -= np.pi / 2
                quarter_turns.append(_half_turn(string, minus))
                kernels.reflect(codes, signs, alive, k, frame, frame_signs)
                continue
            forward = times == 1
            phase += 0.0 if forward else np.pi
            part, offset = _quarter_turn(string, minus ^ (not forward))
            phase += offset
            quarter_turns.append(part)
            kernels.absorb(codes, signs, alive, k, not forward, frame, frame_signs)
        members = np.where((members >= 0) & ~quarter[np.maximum(members, 0)], members, -1)
    number = np.cumsum(alive) - 1
    members = np.where(members >= 0, number[np.maximum(members, 0)], -1)
    clifford = np.concatenate([*quarter_turns[::-1], clifford]) if quarter_turns else clifford
    return PauliForm(
        codes[alive],
        signs[alive],
        members,
        factors,
        rows,
        frame,
        frame_signs,
        clifford.astype(np.int64),
        phase,
    )


def _totals(angles: Floats, members: Ints, factors: Floats, count: int) -> Floats:
    kept = members >= 0
    total: Floats = np.bincount(members[kept], (angles * factors)[kept], count).astype(float)
    return total


def _symbolic(symbols: Affine, source: Ints, members: Ints, factors: Floats, count: int) -> NDArray[np.bool_]:
    """Which rotations have a symbol in their angle that does not cancel."""
    out = np.zeros(count, dtype=bool)
    inner = source[np.where(symbols.slot < 0, -1, symbols.slot // 3)]
    used = np.flatnonzero((inner >= 0) & (members[inner] >= 0)) if len(members) else inner[:0]
    inner = inner[used]
    left = Affine.of(members[inner], symbols.param[used], symbols.coef[used] * factors[inner])
    out[left.slot] = True
    return out


def _to_z(qubit: int, code: int) -> list[tuple[int, int, int]]:
    """Instructions that turn a Pauli into Z."""
    return {1: [(H, qubit, -1)], 2: [], 3: [(SDG, qubit, -1), (H, qubit, -1)]}[code]


def _half_turn(string: Codes, minus: int) -> Ints:
    """Instructions for P (a minus is a phase that the caller finds in the amplitude)."""
    kinds = {1: X, 2: Z, 3: Y}
    steps = [(kinds[int(code)], q, -1) for q, code in enumerate(string) if code]
    if minus:  # -1 = Z X Z X on any qubit
        steps += [(Z, 0, -1), (X, 0, -1), (Z, 0, -1), (X, 0, -1)]
    return np.array(steps, dtype=np.int64).reshape(-1, 3)


def _quarter_turn(string: Codes, minus: int) -> tuple[Ints, float]:
    """Instructions for exp(-i pi/4 P) (`minus`: exp(i pi/4 P)), and the phase they lack."""
    where = np.flatnonzero(string).tolist()
    change = [step for q in where for step in _to_z(q, int(string[q]))]
    ladder = [(CX, a, where[-1]) for a in where[:-1]]
    inner = change + ladder
    middle = [(SDG if minus else S, where[-1], -1)]
    steps = np.array(inner + middle, dtype=np.int64).reshape(-1, 3)
    back = inverted(np.array(inner, dtype=np.int64).reshape(-1, 3))
    return np.concatenate([steps, back]), (np.pi / 4 if minus else -np.pi / 4)


@dataclass(frozen=True, eq=False)
class Synthesis:
    """Gates for a `PauliForm`.

    Attributes:
        steps: shape (count, 4): (0, a, b, gate) for C(P, Q), (1, rotation, qubit, axis + 4 * minus) else.
        locals: Clifford instructions (count, 3) that end the circuit, on single qubits.
        swaps: shape (count, 2): SWAPs after them.
        depth: layers of two-qubit gates, without the SWAPs.
    """

    steps: Ints
    locals: Ints
    swaps: Ints
    depth: int

    @property
    def gates(self) -> int:
        """Two-qubit gates, without the SWAPs."""
        return int((self.steps[:, 0] == 0).sum())


def synthesise(form: PauliForm, effort: Effort, limit: int = 1 << 60) -> Synthesis | None:
    """Gates for a form, or None if they would have more than `limit` two-qubit gates."""
    from qattn_compiler.synth.pauli_search_kernels import synthesise as search

    steps, gates, depth, frame, signs = search(
        form.codes,
        form.signs,
        form.frame,
        form.frame_signs,
        *tables(),
        effort.window,
        effort.discount,
        effort.tail,
        effort.wide,
        effort.noise,
        effort.deep,
        effort.seed,
        limit,
    )
    if gates < 0:
        return None
    last, swaps = _cleared(frame, signs)
    return Synthesis(steps, last, swaps, depth)


_LOCAL: Final = {
    (1, 2): (),
    (2, 1): (H,),
    (3, 2): (SDG,),
    (1, 3): (H, S, H),
    (2, 3): (SDG, H),
    (3, 1): (H, S),
}
"""What turns a pair of Paulis into (X, Z), signs aside."""
_ACTION: Final = {
    H: {1: (2, 0), 2: (1, 0), 3: (3, 1)},
    S: {1: (3, 0), 2: (2, 0), 3: (1, 1)},
    SDG: {1: (3, 1), 2: (2, 0), 3: (1, 0)},
}


def _cleared(frame: Codes, signs: NDArray[np.int8]) -> tuple[Ints, Ints]:
    """The single-qubit gates and SWAPs that make a frame of weight 1 the identity."""
    size = frame.shape[1]
    at = frame[0::2].argmax(axis=1).tolist() if size else []
    steps: list[tuple[int, int, int]] = []
    for q, p in enumerate(at):
        pair = [int(frame[2 * q, p]), int(frame[2 * q + 1, p])]
        flips = [int(signs[2 * q]), int(signs[2 * q + 1])]
        for gate in _LOCAL[(pair[0], pair[1])]:
            steps.append((gate, p, -1))
            for j in range(2):
                pair[j], flip = _ACTION[gate][pair[j]]
                flips[j] ^= flip
        kinds = {(0, 0): -1, (1, 0): Z, (0, 1): X, (1, 1): Y}
        if kinds[(flips[0], flips[1])] >= 0:
            steps.append((kinds[(flips[0], flips[1])], p, -1))
    swaps = []
    for q in range(size):  # what stands on wire at[q] belongs on wire q
        p = at[q]
        if p != q:
            swaps.append((q, p))
            at[at.index(q)] = p
            at[q] = q
    return np.array(steps, dtype=np.int64).reshape(-1, 3), np.array(swaps, dtype=np.int64).reshape(-1, 2)


Program = tuple[Ints, Ints, NDArray[np.bool_]]
"""Instructions (count, 3); the rotation of each (-1 for Clifford gates); whether it turns backwards."""


@cache
def _templates() -> tuple[Ints, Ints]:
    """Per two-qubit gate: up to nine instructions (-1: none), and their operands (2: both), shape (9, 9)."""
    kinds = np.full((9, 9), -1, dtype=np.int64)
    operand = np.tile(np.array([0, 0, 1, 1, 2, 0, 0, 1, 1]), (9, 1))
    for gate in range(9):
        kinds[gate, 4] = CZ
        for which, code in enumerate((gate // 3 + 1, gate % 3 + 1)):
            before = [k for k, _, _ in _to_z(0, code)]
            after = [_INVERSE[k] for k in reversed(before)]
            kinds[gate, 2 * which : 2 * which + len(before)] = before
            kinds[gate, 5 + 2 * which : 5 + 2 * which + len(after)] = after
    return kinds, operand


def instructions(synthesis: Synthesis) -> Program:
    """All gates of a synthesis."""
    steps = synthesis.steps
    kinds, operand = _templates()
    is_gate = steps[:, 0] == 0
    kind = np.full((len(steps), 9), -1, dtype=np.int64)
    kind[is_gate] = kinds[steps[is_gate, 3]]
    turns = steps[~is_gate]
    axis = np.array([-1, 9, 11, 10])[turns[:, 3] & 3]
    kind[~is_gate, 4] = axis
    on = operand[np.where(is_gate, steps[:, 3], 0)]
    first = np.where(on == 1, steps[:, 2:3], steps[:, 1:2])
    first[~is_gate, 4] = turns[:, 2]
    second = np.where((on == 2) & is_gate[:, None], steps[:, 2:3], -1)
    rotation = np.full((len(steps), 9), -1, dtype=np.int64)
    rotation[~is_gate, 4] = turns[:, 1]
    minus = np.zeros((len(steps), 9), dtype=bool)
    minus[~is_gate, 4] = turns[:, 3] >= 4
    used = kind >= 0
    swaps = np.column_stack([np.full(len(synthesis.swaps), SWAP), synthesis.swaps]).astype(np.int64)
    tail = np.concatenate([synthesis.locals, swaps])
    body = np.column_stack([kind[used], first[used], second[used]])
    none = np.full(len(tail), -1, dtype=np.int64)
    return (
        np.concatenate([body, tail]),
        np.concatenate([rotation[used], none]),
        np.concatenate([minus[used], none > 0]),
    )


def phase_between(old: Ints, new: Ints, size: int) -> float:
    """The angle t in C_old = exp(i t) C_new, for instructions of the same Clifford.

    Raises:
        AssertionError: they are not the same.
    """
    from qattn_compiler.synth.pauli_kernels import zero_amplitude

    value = zero_amplitude(*_columns(np.concatenate([old, inverted(new)])), size)
    assert abs(abs(value) - 1) < 1e-6, "the two Clifford circuits differ"
    return float(np.round(np.angle(value) / (np.pi / 4)) * np.pi / 4)


CODES: Final = np.array([BY_NAME[name].code for name in INSTRUCTIONS])
"""Gate-table codes of INSTRUCTIONS."""
