"""Hot loops over Pauli strings: circuits as Pauli rotations and a Clifford, and their greedy synthesis.

A string is a row of codes, one a qubit (0 I, 1 X, 2 Z, 3 Y: bit 0 is the X part, bit 1 the Z part), with a
power r of i in front: i**r times the product of X**x Z**z over the qubits. Products are XORs; the power grows
by 2 for each Z that passes an X. A Hermitian string has r = (number of Y) or that plus 2; the latter is
minus.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from qattn_compiler.synth.pauli import BIAS

Codes = NDArray[np.uint8]
Packed = NDArray[np.uint64]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

H, S, SDG, X, Y, Z, CX, CZ, SWAP, RX, RY, RZ, RXX, RYY, RZZ = range(15)
"""Instructions: Clifford gates, then rotations."""

TQE, TURN = 0, 1
"""What a synthesised step is: a two-qubit gate or a rotation."""


@numba.njit(cache=True, nogil=True)
def _times(a: Codes, ra: int, b: Codes, rb: int, out: Codes) -> int:
    """Write the codes of the product a b to `out`; the product's power of i."""
    passed = 0
    for q in range(len(a)):
        passed += (a[q] >> 1) & b[q] & 1
        out[q] = a[q] ^ b[q]
    return (ra + rb + 2 * passed) & 3


@numba.njit(cache=True, nogil=True)
def _anticommute(a: Codes, b: Codes) -> bool:
    count = 0
    for q in range(len(a)):
        count ^= ((a[q] >> 1) & b[q] & 1) ^ ((b[q] >> 1) & a[q] & 1)
    return count == 1


@numba.njit(cache=True, nogil=True)
def _sign(code: Codes, r: int) -> int:
    """0 for plus, 1 for minus."""
    ys = 0
    for q in range(len(code)):
        ys += code[q] == 3
    return ((r - ys) & 3) >> 1


@numba.njit(cache=True, nogil=True)
def extract(
    kind: Ints, first: Ints, second: Ints, size: int
) -> tuple[Codes, NDArray[np.int8], Ints, Codes, NDArray[np.int8]]:
    """Pull every rotation to the front of a circuit: U = C R_m ... R_1.

    Args:
        kind: shape (rows,): instructions.
        first, second: shape (rows,): their qubits.
        size: number of qubits.

    Returns:
        codes (m, size) and signs (m,) of the rotations' strings, the rows they come from (m,), and the
        strings C^dagger X_q C (rows 2q) and C^dagger Z_q C (rows 2q + 1) with signs.
    """
    frame = np.zeros((2 * size, size), dtype=np.uint8)
    power = np.zeros(2 * size, dtype=np.int64)
    for q in range(size):
        frame[2 * q, q] = 1
        frame[2 * q + 1, q] = 2
    count = 0
    for row in range(len(kind)):
        count += kind[row] >= RX
    codes = np.zeros((count, size), dtype=np.uint8)
    signs = np.zeros(count, dtype=np.int8)
    source = np.zeros(count, dtype=np.int64)
    temporary = np.zeros(size, dtype=np.uint8)
    other = np.zeros(size, dtype=np.uint8)
    m = 0
    for row in range(len(kind)):
        k, a, b = kind[row], first[row], second[row]
        if k < RX:
            _step_back(frame, power, k, a, b)
        else:
            axis = (k - RX) % 3
            r = _axis(frame, power, a, axis, temporary)
            if k >= RXX:
                rb = _axis(frame, power, b, axis, other)
                r = _times(temporary, r, other, rb, temporary)
            codes[m] = temporary
            signs[m] = _sign(temporary, r)
            source[m] = row
            m += 1
    out = np.zeros(2 * size, dtype=np.int8)
    for j in range(2 * size):
        out[j] = _sign(frame[j], power[j])
    return codes, signs, source, frame, out


@numba.njit(cache=True, nogil=True)
def _step_back(frame: Codes, power: Ints, k: int, a: int, b: int) -> None:
    """C^dagger P C for all P, after one more Clifford gate."""
    xa, za = 2 * a, 2 * a + 1
    if k == H:
        _exchange(frame, power, xa, za)
    elif k == SWAP:
        _exchange(frame, power, xa, 2 * b)
        _exchange(frame, power, za, 2 * b + 1)
    elif k in (S, SDG):  # X becomes -i X Z, or i X Z
        turn = 3 if k == S else 1
        power[xa] = (_times(frame[xa], power[xa], frame[za], power[za], frame[xa]) + turn) & 3
    elif k in (X, Y, Z):
        if k != X:
            power[xa] = (power[xa] + 2) & 3
        if k != Z:
            power[za] = (power[za] + 2) & 3
    else:
        xb, zb = 2 * b, 2 * b + 1
        if k == CZ:
            xb, zb = zb, xb
        power[xa] = _times(frame[xa], power[xa], frame[xb], power[xb], frame[xa])
        power[zb] = _times(frame[za], power[za], frame[zb], power[zb], frame[zb])


@numba.njit(cache=True, nogil=True)
def _exchange(frame: Codes, power: Ints, i: int, j: int) -> None:
    for q in range(frame.shape[1]):
        frame[i, q], frame[j, q] = frame[j, q], frame[i, q]
    power[i], power[j] = power[j], power[i]


@numba.njit(cache=True, nogil=True)
def _axis(frame: Codes, power: Ints, q: int, axis: int, out: Codes) -> int:
    """Write the string of X (axis 0), Y (1) or Z (2) of a qubit to `out`; its power of i."""
    if axis == 0:
        out[:] = frame[2 * q]
        return power[2 * q]
    if axis == 2:
        out[:] = frame[2 * q + 1]
        return power[2 * q + 1]
    return (_times(frame[2 * q], power[2 * q], frame[2 * q + 1], power[2 * q + 1], out) + 1) & 3


@numba.njit(cache=True, nogil=True)
def fold(codes: Codes, alive: NDArray[np.bool_], reach: int) -> Ints:
    """Which earlier rotation each one can be merged into: equal string, all between commuting.

    Args:
        codes: shape (m, size).
        alive: shape (m,): rotations that still count.
        reach: how many rotations to look back at most.

    Returns:
        shape (m,): the earliest member of each one's group (itself if alone).
    """
    m = len(codes)
    head = np.arange(m)
    for k in range(m):
        if not alive[k]:
            continue
        seen = 0
        for j in range(k - 1, -1, -1):
            if not alive[j] or head[j] != j:
                continue
            seen += 1
            if seen > reach:
                break
            equal = True
            parity = 0
            for q in range(codes.shape[1]):
                a, b = codes[k, q], codes[j, q]
                if a != b:
                    equal = False
                parity ^= ((a >> 1) & b & 1) ^ ((b >> 1) & a & 1)
            if equal:
                head[k] = j
                break
            if parity:
                break
    return head


@numba.njit(cache=True, nogil=True)
def absorb(
    codes: Codes,
    signs: NDArray[np.int8],
    alive: NDArray[np.bool_],
    which: int,
    minus: bool,
    frame: Codes,
    frame_signs: NDArray[np.int8],
) -> None:
    """Move a quarter-turn rotation, exp(-i pi/4 P) (`minus`: exp(i pi/4 P)), behind all later ones, into C.

    Later strings Q that anticommute with P become i P Q (`minus`: -i P Q); so do those of the frame.
    """
    p = codes[which].copy()
    rp = 2 * signs[which] + (2 if minus else 0)
    for q in range(len(p)):
        rp += p[q] == 3
    rp &= 3
    for k in range(which + 1, len(codes)):
        if alive[k]:
            signs[k] = _turned(p, rp, codes[k], signs[k])
    for k in range(len(frame)):
        frame_signs[k] = _turned(p, rp, frame[k], frame_signs[k])


@numba.njit(cache=True, nogil=True)
def reflect(
    codes: Codes,
    signs: NDArray[np.int8],
    alive: NDArray[np.bool_],
    which: int,
    frame: Codes,
    frame_signs: NDArray[np.int8],
) -> None:
    """Move a half-turn rotation, P itself, behind all later ones, into C: what anticommutes changes sign."""
    for k in range(which + 1, len(codes)):
        if alive[k] and _anticommute(codes[which], codes[k]):
            signs[k] ^= 1
    for k in range(len(frame)):
        if _anticommute(codes[which], frame[k]):
            frame_signs[k] ^= 1


@numba.njit(cache=True, nogil=True)
def substitute(
    codes: Codes, signs: NDArray[np.int8], frame: Codes, frame_signs: NDArray[np.int8]
) -> tuple[Codes, NDArray[np.int8]]:
    """Strings with X_q and Z_q replaced by frame rows 2q and 2q + 1; codes and signs."""
    m, size = codes.shape
    out = np.zeros((m, size), dtype=np.uint8)
    flips = np.zeros(m, dtype=np.int8)
    for k in range(m):
        r = 2 * signs[k]
        for q in range(size):
            r += codes[k, q] == 3
            for part in range(2):  # X before Z, as in the definition of a string
                if (codes[k, q] >> part) & 1:
                    ri = 2 * frame_signs[2 * q + part]
                    for p in range(size):
                        ri += frame[2 * q + part, p] == 3
                    r = _times(out[k], r & 3, frame[2 * q + part], ri & 3, out[k])
        flips[k] = _sign(out[k], r & 3)
    return out, flips


@numba.njit(cache=True, nogil=True)
def _turned(p: Codes, rp: int, code: Codes, sign: int) -> int:
    """Replace a string by i P times it if the two anticommute; the new sign."""
    if not _anticommute(p, code):
        return sign
    r = 2 * sign
    for q in range(len(p)):
        r += code[q] == 3
    r = (_times(p, rp, code, r & 3, code) + 1) & 3
    return _sign(code, r)


@numba.njit(cache=True, nogil=True)
def _random(state: NDArray[np.uint64]) -> float:
    """Xorshift: a number in [0, 1)."""
    x = state[0]
    x ^= x << np.uint64(13)
    x ^= x >> np.uint64(7)
    x ^= x << np.uint64(17)
    state[0] = x
    return float(x >> np.uint64(11)) / 9007199254740992.0


@numba.njit(cache=True, nogil=True)
def _conjugate(
    columns: Codes, signs: NDArray[np.int8], a: int, b: int, image: Ints, flip: Ints, begin: int, end: int
) -> None:
    """Conjugate strings begin..end, kept as columns (qubit, string), by a two-qubit gate."""
    for k in range(begin, end):
        index = 4 * columns[a, k] + columns[b, k]
        signs[k] ^= flip[index]
        columns[a, k] = image[index] >> 2
        columns[b, k] = image[index] & 3


@numba.njit(cache=True, nogil=True)
def synthesise(
    codes: Codes,
    signs: NDArray[np.int8],
    frame: Codes,
    frame_signs: NDArray[np.int8],
    image: Ints,
    flip: Ints,
    lighter: Floats,
    change: Packed,
    window: int,
    discount: float,
    tail: float,
    wide: bool,
    noise: float,
    deep: float,
    seed: int,
    limit: int,
) -> tuple[Ints, int, int, Codes, NDArray[np.int8]]:
    """Greedy synthesis of U = C R_m ... R_1 by two-qubit gates that make strings lighter.

    Rotations that nothing before them forbids and whose string has weight 1 are given out; otherwise the
    two-qubit gate is chosen that lowers the discounted sum of weights most. At last the frame is cleared.

    Args:
        codes, signs: the strings of R_1 ... R_m, shape (m, size) and (m,).
        frame, frame_signs: the strings of C (see `extract`).
        image, flip, lighter: shape (9, 16): per two-qubit gate and pair of codes, the new pair, whether the
            sign changes, and the change of weight.
        change: shape (256, 4): per codes of the two strings of a frame pair on two qubits, see `tables`.
        window: how many rotations are looked at together.
        discount: weight of a rotation by the number of anticommuting layers before it.
        tail: weight of the frame's strings while there are rotations.
        wide: while the frame is cleared, gates that help all pairs most are taken, as long as there are any.
        noise: size of the random part of a gate's score.
        deep: what a layer counts in a gate's score, for the deeper of its qubits.
        seed: of that.
        limit: give up when there are more two-qubit gates than this.

    Returns:
        steps of shape (count, 4): (TQE, a, b, gate) or (TURN, rotation, qubit, axis + 4 * sign); how many of
        them are two-qubit gates (-1: given up), and in how many layers; the frame, now of weight 1
        everywhere, and its signs.
    """
    m, size = codes.shape
    steps = np.zeros((1024, 4), dtype=np.int64)
    count, gates = 0, 0
    random = np.array([np.uint64(seed * 2654435761 + 88172645463325252)], dtype=np.uint64)
    # columns: the window's strings, then the frame's, then those of the gates so far (to load more)
    frame_at, own_at = window, window + 2 * size
    columns = np.zeros((size, window + 4 * size), dtype=np.uint8)
    sign = np.zeros(window + 4 * size, dtype=np.int8)
    columns[:, frame_at:own_at] = frame.T
    sign[frame_at:own_at] = frame_signs
    for k in range(2 * size):
        columns[k >> 1, own_at + k] = 1 + (k & 1)
    ident, level = np.zeros((2, window), dtype=np.int64)
    anti = np.zeros((window, window), dtype=np.bool_)
    done = np.zeros(window, dtype=np.bool_)
    wanted = np.zeros((size, size), dtype=np.int64)
    layer = np.zeros(size, dtype=np.int64)
    powers = discount ** np.arange(window + 1)
    used, loaded = 0, 0
    changed = True
    while used > 0 or loaded < m:
        if loaded < m and used <= window // 2:
            used, loaded = _load(codes, signs, columns, sign, ident, anti, done, used, loaded, window, own_at)
            changed = True
        if changed:  # two-qubit gates do not change what commutes
            _levels(anti, used, level)
        steps, given = _give_out(columns, sign, ident, level, done, used, steps, count)
        changed = given > count
        if changed:
            count = given
            used = _compact(columns, sign, ident, anti, done, used)
            continue
        _want(columns, level, used, lighter, wanted)
        a, b, gate = _best(
            columns, powers[level], used, frame_at, own_at, wanted, lighter, layer, tail, noise, deep, random
        )
        _conjugate(columns, sign, a, b, image[gate], flip[gate], 0, used)
        _conjugate(columns, sign, a, b, image[gate], flip[gate], frame_at, len(sign))
        layer[a] = layer[b] = max(layer[a], layer[b]) + 1
        steps = _pushed(steps, count, TQE, a, b, gate)
        count += 1
        gates += 1
        if gates > limit:
            return steps[:0], -1, 0, frame, frame_signs

    new = np.ascontiguousarray(columns[:, frame_at:own_at])
    new_sign = sign[frame_at:own_at].copy()
    steps, cleared = _clear_frame(
        new, new_sign, image, flip, change, wide, noise, deep, random, layer, steps, count, limit - gates
    )
    if cleared < 0:
        return steps[:0], -1, 0, frame, frame_signs
    gates, last = gates + cleared, layer.max() if size else 0
    return steps[: count + cleared].copy(), gates, last, np.ascontiguousarray(new.T), new_sign


@numba.njit(cache=True, nogil=True)
def _clear_frame(
    new: Codes,
    new_sign: NDArray[np.int8],
    image: Ints,
    flip: Ints,
    change: Packed,
    wide: bool,
    noise: float,
    deep: float,
    random: NDArray[np.uint64],
    layer: Ints,
    steps: Ints,
    count: int,
    limit: int,
) -> tuple[Ints, int]:
    """Two-qubit gates until every string of the frame has weight 1; the steps, how many (-1: too many)."""
    size = len(new)
    score = np.zeros((size, size, 9))
    version = np.ones(size, dtype=np.int64)  # how often a qubit's codes have changed
    known = np.zeros((size, size, 2), dtype=np.int64)  # for which versions a pair's scores hold
    totals = np.array([_pair_total(new, q) for q in range(size)])
    gates = 0
    pair = _easiest(totals)
    while pair >= 0:
        a, b, gate, least = _frame_gate(new, pair, change, score, version, known, layer, noise, deep, random)
        if wide:
            for i in range(size):
                for j in range(i + 1, size):
                    _frame_scores(new, i, j, change, score, version, known)
            a, b, gate, least = _freest(score, a, b, gate, least)
            wide = least < -0.1  # else it would be undone at once: pair by pair from here on
        for q in range(size):
            totals[q] += 0.5 * _unpacked(change[_pair_codes(new, a, b, q)], gate, 1)
        _conjugate(new, new_sign, a, b, image[gate], flip[gate], 0, 2 * size)
        version[a] += 1
        version[b] += 1
        layer[a] = layer[b] = max(layer[a], layer[b]) + 1
        steps = _pushed(steps, count + gates, TQE, a, b, gate)
        gates += 1
        if gates > limit:
            return steps, -1
        pair = _easiest(totals)
    return steps, gates


@numba.njit(cache=True, nogil=True)
def _pushed(steps: Ints, count: int, kind: int, a: int, b: int, c: int) -> Ints:
    """The steps with one more at `count`."""
    if count == len(steps):
        more = np.zeros((2 * len(steps), 4), dtype=np.int64)
        more[: len(steps)] = steps
        steps = more
    steps[count, 0], steps[count, 1], steps[count, 2], steps[count, 3] = kind, a, b, c
    return steps


@numba.njit(cache=True, nogil=True)
def _give_out(
    columns: Codes,
    sign: NDArray[np.int8],
    ident: Ints,
    level: Ints,
    done: NDArray[np.bool_],
    used: int,
    steps: Ints,
    count: int,
) -> tuple[Ints, int]:
    """Turn the front's strings of weight 1 into rotations; the steps and how many there are now."""
    for k in range(used):
        if level[k] != 0:
            continue
        heavy, at = 0, 0
        for q in range(len(columns)):
            if columns[q, k]:
                heavy += 1
                at = q
        if heavy == 1:
            steps = _pushed(steps, count, TURN, ident[k], at, columns[at, k] + 4 * sign[k])
            count += 1
            done[k] = True
    return steps, count


@numba.njit(cache=True, nogil=True)
def _want(columns: Codes, level: Ints, used: int, lighter: Floats, wanted: Ints) -> None:
    """Mark the gates that make one of the lightest strings of the front lighter: only these surely get done.

    Bit `gate` of wanted[a, b], for a < b.
    """
    size = len(columns)
    wanted[:] = 0
    support = np.zeros(size, dtype=np.int64)
    weight = np.zeros(used, dtype=np.int64)
    lightest = size
    for k in range(used):
        if level[k] == 0:
            for q in range(size):
                weight[k] += columns[q, k] > 0
            lightest = min(lightest, weight[k])
    for k in range(used):
        if level[k] != 0 or weight[k] > lightest:
            continue
        heavy = 0
        for q in range(size):
            if columns[q, k]:
                support[heavy] = q
                heavy += 1
        for i in range(heavy):
            for j in range(i + 1, heavy):
                a, b = support[i], support[j]
                index = 4 * columns[a, k] + columns[b, k]
                for gate in range(9):
                    if lighter[gate, index] < 0:
                        wanted[a, b] |= 1 << gate


@numba.njit(cache=True, nogil=True)
def _best(
    columns: Codes,
    weight: Floats,
    used: int,
    frame_at: int,
    own_at: int,
    wanted: Ints,
    lighter: Floats,
    layer: Ints,
    tail: float,
    noise: float,
    deep: float,
    random: NDArray[np.uint64],
) -> tuple[int, int, int]:
    """The wanted gate with the least change of the sum of weights."""
    size = len(columns)
    counts = np.zeros(16)
    best, best_a, best_b, best_gate = 1e300, -1, -1, -1
    for a in range(size):
        for b in range(a + 1, size):
            if not wanted[a, b]:
                continue
            counts[:] = 0.0
            for k in range(used):
                counts[4 * columns[a, k] + columns[b, k]] += weight[k]
            if tail > 0:
                for k in range(frame_at, own_at):
                    counts[4 * columns[a, k] + columns[b, k]] += tail
            late = deep * max(layer[a], layer[b])
            for gate in range(9):
                if not (wanted[a, b] >> gate) & 1:
                    continue
                score = late + (noise * _random(random) if noise > 0 else 0.0)
                for index in range(1, 16):
                    score += counts[index] * lighter[gate, index]
                if score < best - 1e-12:
                    best, best_a, best_b, best_gate = score, a, b, gate
    return best_a, best_b, best_gate


@numba.njit(cache=True, nogil=True)
def _easiest(totals: Floats) -> int:
    """The pair of the frame's strings that needs the fewest gates, but some; -1 if there is none."""
    least, pair = 1e300, -1
    for q in range(len(totals)):
        if 0.25 < totals[q] < least - 0.25:
            least, pair = totals[q], q
    return pair


@numba.njit(cache=True, nogil=True)
def _pair_codes(new: Codes, a: int, b: int, q: int) -> int:
    """The codes of a pair's two strings on two qubits, as `tables` numbers them."""
    return 64 * new[a, 2 * q] + 16 * new[b, 2 * q] + 4 * new[a, 2 * q + 1] + new[b, 2 * q + 1]


@numba.njit(cache=True, nogil=True)
def _frame_gate(
    new: Codes,
    pair: int,
    change: Packed,
    score: Floats,
    version: Ints,
    known: Ints,
    layer: Ints,
    noise: float,
    deep: float,
    random: NDArray[np.uint64],
) -> tuple[int, int, int, float]:
    """Of the gates that bring one pair nearer to its end, the one that is best for all of them."""
    best, best_a, best_b, best_gate, least = 1e300, -1, -1, -1, 0.0
    for a in range(len(new)):
        if not (new[a, 2 * pair] | new[a, 2 * pair + 1]):
            continue
        for b in range(a + 1, len(new)):
            if not (new[b, 2 * pair] | new[b, 2 * pair + 1]):
                continue
            index = _pair_codes(new, a, b, pair)
            _frame_scores(new, a, b, change, score, version, known)
            late = deep * max(layer[a], layer[b])
            lower = change[index, 3]
            for gate in range(9):
                if not (lower >> np.uint64(gate)) & np.uint64(1):
                    continue
                total = score[a, b, gate] + late + (noise * _random(random) if noise > 0 else 0.0)
                if total < best - 1e-12:
                    best, best_a, best_b, best_gate, least = total, a, b, gate, score[a, b, gate]
    return best_a, best_b, best_gate, least


@numba.njit(cache=True, nogil=True)
def _freest(score: Floats, a: int, b: int, gate: int, least: float) -> tuple[int, int, int, float]:
    """The best gate for all pairs together, if it is better than the one given."""
    for i in range(len(score)):
        for j in range(i + 1, len(score)):
            for g in range(9):
                if score[i, j, g] < least - 1e-9:
                    a, b, gate, least = i, j, g, score[i, j, g]
    return a, b, gate, least


@numba.njit(cache=True, nogil=True)
def _load(
    codes: Codes,
    signs: NDArray[np.int8],
    columns: Codes,
    sign: NDArray[np.int8],
    ident: Ints,
    anti: NDArray[np.bool_],
    done: NDArray[np.bool_],
    used: int,
    loaded: int,
    window: int,
    own_at: int,
) -> tuple[int, int]:
    """Fill the window with the next rotations, as the gates so far conjugate them."""
    size = codes.shape[1]
    now = np.zeros(size, dtype=np.uint8)
    image = np.zeros(size, dtype=np.uint8)
    while used < window and loaded < len(codes):
        now[:] = 0
        r = 2 * signs[loaded]
        for q in range(size):
            code = codes[loaded, q]
            if code == 3:
                r += 1
            for part in range(2):  # X before Z, as in the definition of a string
                if (code >> part) & 1:
                    ri = 2 * sign[own_at + 2 * q + part]
                    for p in range(size):
                        image[p] = columns[p, own_at + 2 * q + part]
                        ri += image[p] == 3
                    r = _times(now, r & 3, image, ri & 3, now)
        sign[used] = _sign(now, r & 3)
        for q in range(size):
            columns[q, used] = now[q]
        for k in range(used):
            parity = 0
            for q in range(size):
                b = columns[q, k]
                parity ^= ((now[q] >> 1) & b & 1) ^ ((b >> 1) & now[q] & 1)
            anti[used, k] = parity == 1
        ident[used] = loaded
        done[used] = False
        used += 1
        loaded += 1
    return used, loaded


@numba.njit(cache=True, nogil=True)
def _levels(anti: NDArray[np.bool_], used: int, level: Ints) -> None:
    """How many layers of rotations stand before each one."""
    for k in range(used):
        deepest = -1
        for j in range(k):
            if anti[k, j] and level[j] > deepest:
                deepest = level[j]
        level[k] = deepest + 1


@numba.njit(cache=True, nogil=True)
def _compact(
    columns: Codes,
    sign: NDArray[np.int8],
    ident: Ints,
    anti: NDArray[np.bool_],
    done: NDArray[np.bool_],
    used: int,
) -> int:
    """Close the gaps of rotations that were given out."""
    left = 0
    for k in range(used):
        if done[k]:
            continue
        if left != k:
            for q in range(len(columns)):
                columns[q, left] = columns[q, k]
            sign[left] = sign[k]
            ident[left] = ident[k]
        position = 0
        for j in range(k):
            if not done[j]:
                anti[left, position] = anti[k, j]
                position += 1
        left += 1
    done[:used] = False
    return left


@numba.njit(cache=True, nogil=True)
def _unpacked(packed: Packed, gate: int, terms: int) -> int:
    """One gate's part of a sum of rows of the table of changes."""
    bits = packed[gate // 4] >> np.uint64(16 * (gate % 4))
    return int(bits & np.uint64(0xFFFF)) - BIAS * terms


@numba.njit(cache=True, nogil=True)
def _pair_total(new: Codes, q: int) -> float:
    """Two-qubit gates to bring a pair of strings onto one qubit: 3/2 for each two qubits where they
    anticommute beyond the first, 1 for each other one."""
    crossing, other = 0, 0
    for p in range(len(new)):
        a, b = new[p, 2 * q], new[p, 2 * q + 1]
        if a and b and a != b:
            crossing += 1
        elif a or b:
            other += 1
    return 1.5 * (crossing - 1) + other


@numba.njit(cache=True, nogil=True)
def _frame_scores(
    new: Codes, a: int, b: int, change: Packed, score: Floats, version: Ints, known: Ints
) -> None:
    """How each gate on (a, b) changes the sum of all pairs' costs, unless that is known already."""
    if known[a, b, 0] == version[a] and known[a, b, 1] == version[b]:
        return
    known[a, b, 0], known[a, b, 1] = version[a], version[b]
    low, middle, high = np.uint64(0), np.uint64(0), np.uint64(0)
    for q in range(len(new)):
        index = _pair_codes(new, a, b, q)
        low += change[index, 0]
        middle += change[index, 1]
        high += change[index, 2]
    total = np.array([low, middle, high])
    for gate in range(9):
        score[a, b, gate] = 0.5 * _unpacked(total, gate, len(new))


@numba.njit(cache=True, nogil=True)
def zero_amplitude(kind: Ints, first: Ints, second: Ints, size: int) -> complex:
    """The number w in C |0...0> = w |0...0>, for a Clifford circuit C that fixes |0...0> up to phase.

    Bravyi et al., Quantum 3, 181 (2019), section 4.1: the state is w U_C U_H |s>, with U_C known by its
    conjugations (F, G, M, gamma), which needs no exponential space and keeps the phase.
    """
    f = np.eye(size, dtype=np.uint8)
    g = np.eye(size, dtype=np.uint8)
    mm = np.zeros((size, size), dtype=np.uint8)
    gamma = np.zeros(size, dtype=np.int64)
    v = np.zeros(size, dtype=np.uint8)
    s = np.zeros(size, dtype=np.uint8)
    omega = 1.0 + 0.0j
    for row in range(len(kind)):
        k, a, b = kind[row], first[row], second[row]
        if k == H:
            omega *= _ch_hadamard(f, g, mm, gamma, v, s, a)
        elif k in (S, SDG, Z):
            _ch_s(g, mm, gamma, a, 1 if k == S else (3 if k == SDG else 2))
        elif k == X:
            omega *= _ch_hadamard(f, g, mm, gamma, v, s, a)
            _ch_s(g, mm, gamma, a, 2)
            omega *= _ch_hadamard(f, g, mm, gamma, v, s, a)
        elif k == Y:  # i X Z
            _ch_s(g, mm, gamma, a, 2)
            omega *= _ch_hadamard(f, g, mm, gamma, v, s, a)
            _ch_s(g, mm, gamma, a, 2)
            omega *= 1j * _ch_hadamard(f, g, mm, gamma, v, s, a)
        elif k == CZ:
            for q in range(size):
                mm[a, q] ^= g[b, q]
                mm[b, q] ^= g[a, q]
        elif k == CX:
            _ch_cx(f, g, mm, gamma, a, b)
        elif k == SWAP:
            _ch_cx(f, g, mm, gamma, a, b)
            _ch_cx(f, g, mm, gamma, b, a)
            _ch_cx(f, g, mm, gamma, a, b)
    for q in range(size):
        if v[q] or s[q]:
            return 0.0 + 0.0j
    return omega


@numba.njit(cache=True, nogil=True)
def _ch_s(g: Codes, mm: Codes, gamma: Ints, a: int, times: int) -> None:
    for _ in range(times):
        gamma[a] = (gamma[a] - 1) & 3
        for q in range(len(g)):
            mm[a, q] ^= g[a, q]


@numba.njit(cache=True, nogil=True)
def _ch_cx(f: Codes, g: Codes, mm: Codes, gamma: Ints, a: int, b: int) -> None:
    passed = 0
    for q in range(len(g)):
        passed ^= mm[a, q] & f[b, q]
    gamma[a] = (gamma[a] + gamma[b] + 2 * passed) & 3
    for q in range(len(g)):
        g[b, q] ^= g[a, q]
        f[a, q] ^= f[b, q]
        mm[a, q] ^= mm[b, q]


@numba.njit(cache=True, nogil=True)
def _ch_hadamard(f: Codes, g: Codes, mm: Codes, gamma: Ints, v: Codes, s: Codes, p: int) -> complex:
    """Apply H to a qubit; the factor of the state."""
    size = len(s)
    t = np.zeros(size, dtype=np.uint8)
    u = np.zeros(size, dtype=np.uint8)
    alpha, beta, differs = 0, 0, False
    for q in range(size):
        t[q] = s[q] ^ (g[p, q] & v[q])
        u[q] = s[q] ^ (f[p, q] & (1 - v[q])) ^ (mm[p, q] & v[q])
        alpha ^= g[p, q] & (1 - v[q]) & s[q]
        beta ^= mm[p, q] & (1 - v[q]) & s[q]
        beta ^= f[p, q] & v[q] & mm[p, q]
        beta ^= f[p, q] & v[q] & s[q]
        differs = differs or t[q] != u[q]
    delta = (gamma[p] + 2 * (alpha + beta)) & 3
    sign = -1.0 if alpha else 1.0
    if not differs:
        s[:] = t
        return sign * (1 + 1j**delta) / np.sqrt(2)
    pivot = _ch_pivot(f, g, mm, gamma, v, t, u)
    if t[pivot]:
        s[:] = u
        s[pivot] ^= 1
    else:
        s[:] = t
    y = s[pivot]
    omega = 1.0 + 0.0j
    a, b, c = False, True, False
    if not v[pivot]:
        omega = 1j ** (delta * y)
        turned = (-delta if y else delta) & 3
        c, a = turned >> 1 == 1, turned & 1 == 1
    elif delta & 1 == 0:
        b = False
        c = delta >> 1 == 1
        omega = -1.0 + 0.0j if c and y else 1.0 + 0.0j
    else:
        omega = (1 + 1j**delta) / np.sqrt(2)
        a = True
        c = not ((delta >> 1) ^ y)
    s[pivot] = 1 if c else 0
    if a:  # S from the right
        for r in range(size):
            mm[r, pivot] ^= f[r, pivot]
            gamma[r] = (gamma[r] - f[r, pivot]) & 3
    v[pivot] = 1 if b else 0
    return sign * omega


@numba.njit(cache=True, nogil=True)
def _ch_pivot(f: Codes, g: Codes, mm: Codes, gamma: Ints, v: Codes, t: Codes, u: Codes) -> int:
    """Multiply U_C from the right so that t and u differ on one qubit only, which is given back."""
    size = len(t)
    pivot = -1
    for q in range(size):
        if t[q] != u[q] and (pivot < 0 or (v[pivot] and not v[q])):
            pivot = q
    for q in range(size):
        if q == pivot or t[q] == u[q]:
            continue
        for r in range(size):
            if v[pivot]:  # CX(q, pivot)
                g[r, q] ^= g[r, pivot]
                f[r, pivot] ^= f[r, q]
                mm[r, q] ^= mm[r, pivot]
            elif v[q]:  # CZ(pivot, q)
                mm[r, pivot] ^= f[r, q]
                mm[r, q] ^= f[r, pivot]
                gamma[r] = (gamma[r] + 2 * (f[r, pivot] & f[r, q])) & 3
            else:  # CX(pivot, q)
                g[r, pivot] ^= g[r, q]
                f[r, q] ^= f[r, pivot]
                mm[r, pivot] ^= mm[r, q]
    return pivot
