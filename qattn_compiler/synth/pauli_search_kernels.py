"""The greedy synthesis of Pauli rotations and a Clifford, over bits.

All strings stand in columns: per qubit one row of 64-bit words for the X parts and one for the Z parts, a
bit a string. First come the strings of a window, whose order is looked at, then those of the frame, then the
rotations that are still to come; a two-qubit gate conjugates 64 strings in a dozen operations. How much a
string of the window counts, by the layers of rotations that stand before it, is a number of six bits; a plane
of bits holds one binary digit of all of them, so that weighted counts are sums of bits.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit.bit_kernels import bits_set, lowest_bit
from qattn_compiler.circuit.random_kernels import uniform, uniform_state
from qattn_compiler.synth.pauli import BIAS

Codes = NDArray[np.uint8]
Words = NDArray[np.uint64]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

TQE, TURN = 0, 1
"""What a synthesised step is: a two-qubit gate or a rotation."""

PLANES = 6
"""Binary digits of a string's share in a score."""
FULL = (1 << PLANES) - 1
"""The share of a rotation before which no other stands."""
MAX_LAYERS = 32
"""Layers beyond count nothing."""

_ONE = np.uint64(1)
_NONE = np.uint64(0)
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)


@numba.njit(cache=True, nogil=True)
def _bit(words: Words, position: int) -> int:
    """Bit `position` of a row of words."""
    return int((words[position >> 6] >> np.uint64(position & 63)) & _ONE)


@numba.njit(cache=True, nogil=True)
def _packed(
    codes: Codes, signs: NDArray[np.int8], frame: Codes, frame_signs: NDArray[np.int8], begin: int, rest: int
) -> tuple[Words, Words, Words]:
    """X parts, Z parts (qubits, words) and signs (words,): the frame from word `begin` on, then rotations
    from `rest` on."""
    m, size = codes.shape
    total = rest + (m + 63) // 64
    x = np.zeros((size, total), dtype=np.uint64)
    z = np.zeros((size, total), dtype=np.uint64)
    s = np.zeros(total, dtype=np.uint64)
    for k in range(2 * size + m):
        own = k < 2 * size
        row = frame[k] if own else codes[k - 2 * size]
        minus = frame_signs[k] if own else signs[k - 2 * size]
        at = 64 * begin + k if own else 64 * rest + k - 2 * size
        word, bit = at >> 6, np.uint64(at & 63)
        if minus:
            s[word] |= _ONE << bit
        for q in range(size):
            x[q, word] |= np.uint64(row[q] & 1) << bit
            z[q, word] |= np.uint64(row[q] >> 1) << bit
    return x, z, s


@numba.njit(cache=True, nogil=True)
def _conjugate(x: Words, z: Words, s: Words, a: int, b: int, gate: int, begin: int, end: int) -> None:
    """Conjugate the strings of words begin..end by a two-qubit gate C(P, Q) on qubits a and b.

    A gains P where B crosses Q, and B gains Q where A crosses P; where both happen and the two products turn
    the same way, the sign changes.
    """
    p, q = gate // 3 + 1, gate % 3 + 1
    px, pz = _ALL * np.uint64(p & 1), _ALL * np.uint64(p >> 1)
    qx, qz = _ALL * np.uint64(q & 1), _ALL * np.uint64(q >> 1)
    for w in range(begin, end):
        xa, za, xb, zb = x[a, w], z[a, w], x[b, w], z[b, w]
        to_a = (xb & qz) ^ (zb & qx)
        to_b = (xa & pz) ^ (za & px)
        turn_a = ~xa if p == 1 else (za if p == 2 else xa)
        turn_b = xb if q == 1 else (~zb if q == 2 else ~xb)
        s[w] ^= to_a & to_b & ~(turn_a ^ turn_b)
        x[a, w] = xa ^ (to_a & px)
        z[a, w] = za ^ (to_a & pz)
        x[b, w] = xb ^ (to_b & qx)
        z[b, w] = zb ^ (to_b & qz)


@numba.njit(cache=True, nogil=True)
def _conjugate_window(
    x: Words,
    z: Words,
    s: Words,
    a: int,
    b: int,
    gate: int,
    words: int,
    alive: Words,
    support: Words,
    weight: Ints,
    light: Words,
) -> None:
    """The same for the window, whose strings' supports and weights are known."""
    old = np.empty((2, words), dtype=np.uint64)
    for w in range(words):
        old[0, w] = x[a, w] | z[a, w]
        old[1, w] = x[b, w] | z[b, w]
    _conjugate(x, z, s, a, b, gate, 0, words)
    for i in range(2):
        q = b if i else a
        mark, place = _ONE << np.uint64(q & 63), q >> 6
        for w in range(words):
            new = x[q, w] | z[q, w]
            differs = (new ^ old[i, w]) & alive[w]
            while differs:
                bit = lowest_bit(differs)
                differs &= differs - _ONE
                k = 64 * w + bit
                support[k, place] ^= mark
                weight[k] += 1 if (new >> np.uint64(bit)) & _ONE else -1
                if weight[k] == 1:
                    light[w] |= _ONE << np.uint64(bit)
                else:
                    light[w] &= ~(_ONE << np.uint64(bit))


@numba.njit(cache=True, nogil=True)
def synthesise(
    codes: Codes,
    signs: NDArray[np.int8],
    frame: Codes,
    frame_signs: NDArray[np.int8],
    image: Ints,
    flip: Ints,
    lightens: Ints,
    change: Words,
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
    two-qubit gate is chosen that lowers the discounted sum of weights most, of those that make one of the
    lightest such strings lighter. At last the frame is cleared.

    Args:
        codes, signs: the strings of R_1 ... R_m, shape (m, size) and (m,).
        frame, frame_signs: the strings of C (see `pauli_kernels.extract`).
        image, flip: shape (9, 16): per two-qubit gate and pair of codes, the new pair, and whether the sign
            changes.
        lightens: shape (16,): per pair of codes a bit for each gate that makes it lighter.
        change: shape (256, 4): per codes of the two strings of a frame pair on two qubits (`pauli.tables`).
        window: how many rotations are looked at together; rounded up to 64.
        discount: share of a rotation by the number of anticommuting layers before it.
        tail: share of the frame's strings while there are rotations.
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
    words = (window + 63) // 64
    slots = 64 * words
    rest = words + (2 * size + 63) // 64
    x, z, s = _packed(codes, signs, frame, frame_signs, words, rest)
    ident, weight = np.zeros((2, slots), dtype=np.int64)
    support = np.zeros((slots, (size + 63) // 64), dtype=np.uint64)
    before = np.zeros((slots, words), dtype=np.uint64)
    alive, front, light = np.zeros((3, words), dtype=np.uint64)
    shares = _shares(discount)
    layers = np.zeros((len(shares), words), dtype=np.uint64)
    planes = np.zeros((PLANES, words), dtype=np.uint64)
    score = np.zeros((size, size, 9), dtype=np.float32)
    scored = np.zeros((size, size), dtype=np.int64)  # when a pair's scores were computed
    touched = np.ones(size, dtype=np.int64)  # when a qubit's strings, or their shares, last changed
    layer = np.zeros(size, dtype=np.int64)
    random = uniform_state(seed)
    steps = np.zeros((1024, 4), dtype=np.int64)
    scratch = np.zeros((2, max(size, 16)), dtype=np.int64)
    count, gates, used, loaded, now = 0, 0, 0, 0, 1
    changed = True
    while True:
        now += 1
        if loaded < m and 2 * used <= slots:
            used, loaded = _refill(
                x, z, s, alive, light, ident, weight, support, before, loaded, m, rest, words
            )
            touched[:] = now
            changed = True
        if used == 0:
            break
        if changed:  # two-qubit gates do not change what commutes
            _layers(before, alive, shares, layers, planes, front, support, touched, now)
        steps, given = _give_out(x, z, s, ident, support, front, light, alive, steps, count)
        changed = given > count
        if changed:
            used -= given - count
            count = given
            continue
        a, b, gate = _best(
            x, z, planes, front, support, weight, words, rest, lightens, score, scored, touched, now, layer,
            FULL * tail, FULL * noise, FULL * deep, random, scratch
        )  # fmt: skip
        now += 1
        touched[a] = touched[b] = now
        _conjugate_window(x, z, s, a, b, gate, words, alive, support, weight, light)
        _conjugate(x, z, s, a, b, gate, words, rest)
        _conjugate(x, z, s, a, b, gate, rest + (loaded >> 6), x.shape[1])
        layer[a] = layer[b] = max(layer[a], layer[b]) + 1
        steps = _pushed(steps, count, TQE, a, b, gate)
        count += 1
        gates += 1
        if gates > limit:
            return steps[:0], -1, 0, frame, frame_signs

    new, new_sign = _unpacked_frame(x, z, s, words)
    steps, cleared = _clear_frame(
        new, new_sign, image, flip, change, wide, noise, deep, random, layer, steps, count, limit - gates
    )
    if cleared < 0:
        return steps[:0], -1, 0, frame, frame_signs
    gates, last = gates + cleared, layer.max() if size else 0
    return steps[: count + cleared].copy(), gates, last, np.ascontiguousarray(new.T), new_sign


@numba.njit(cache=True, nogil=True)
def _shares(discount: float) -> Ints:
    """What a string counts by its layer; the last entry, 0, is for all layers beyond."""
    out = np.zeros(MAX_LAYERS + 1, dtype=np.int64)
    for level in range(MAX_LAYERS):
        out[level] = round(FULL * discount**level)
        if out[level] == 0:
            return out[: level + 1]
    return out


@numba.njit(cache=True, nogil=True)
def _unpacked_frame(x: Words, z: Words, s: Words, begin: int) -> tuple[Codes, NDArray[np.int8]]:
    """The frame as codes in columns (qubit, string), and its signs."""
    size = len(x)
    new = np.zeros((size, 2 * size), dtype=np.uint8)
    sign = np.zeros(2 * size, dtype=np.int8)
    for k in range(2 * size):
        at = 64 * begin + k
        sign[k] = _bit(s, at)
        for q in range(size):
            new[q, k] = _bit(x[q], at) + 2 * _bit(z[q], at)
    return new, sign


@numba.njit(cache=True, nogil=True)
def _refill(
    x: Words,
    z: Words,
    s: Words,
    alive: Words,
    light: Words,
    ident: Ints,
    weight: Ints,
    support: Words,
    before: Words,
    loaded: int,
    m: int,
    rest: int,
    words: int,
) -> tuple[int, int]:
    """Close the gaps in the window and fill it with the next rotations; how many it has, and were loaded."""
    slots = 64 * words
    source = np.zeros(slots, dtype=np.int64)
    used = 0
    for k in range(slots):
        if _bit(alive, k):
            source[used], ident[used] = k, ident[k]
            used += 1
    while used < slots and loaded < m:
        source[used], ident[used] = 64 * rest + loaded, loaded
        used += 1
        loaded += 1
    for q in range(len(x)):
        _gather(x[q], source, used, words)
        _gather(z[q], source, used, words)
    _gather(s, source, used, words)
    for w in range(words):
        count = min(max(used - 64 * w, 0), 64)
        alive[w] = _ALL >> np.uint64(64 - count) if count else _NONE
    _weigh(x, z, words, support, weight, light)
    _order(x, z, used, words, support, before)
    return used, loaded


@numba.njit(cache=True, nogil=True)
def _gather(row: Words, source: Ints, used: int, words: int) -> None:
    """Bits of a row from other places, to its first words."""
    word, filled = _NONE, 0
    made = np.zeros(words, dtype=np.uint64)
    for i in range(used):
        at = source[i]
        word |= ((row[at >> 6] >> np.uint64(at & 63)) & _ONE) << np.uint64(i & 63)
        if i & 63 == 63:
            made[filled] = word
            word, filled = _NONE, filled + 1
    if filled < words:
        made[filled] = word
    row[:words] = made


@numba.njit(cache=True, nogil=True)
def _weigh(x: Words, z: Words, words: int, support: Words, weight: Ints, light: Words) -> None:
    """The qubits of each string of the window, how many they are, and which strings have just one."""
    support[:] = _NONE
    weight[:] = 0
    for q in range(len(x)):
        mark, place = _ONE << np.uint64(q & 63), q >> 6
        for w in range(words):
            left = x[q, w] | z[q, w]
            while left:
                k = 64 * w + lowest_bit(left)
                left &= left - _ONE
                support[k, place] |= mark
                weight[k] += 1
    light[:] = _NONE
    for k in range(len(weight)):
        if weight[k] == 1:
            light[k >> 6] |= _ONE << np.uint64(k & 63)


@numba.njit(cache=True, nogil=True)
def _order(x: Words, z: Words, used: int, words: int, support: Words, before: Words) -> None:
    """Which strings of the window stand before each one and anticommute with it."""
    for k in range(used):
        row = before[k]
        row[:] = _NONE
        own, place = np.uint64(k & 63), k >> 6
        for p in range(support.shape[1]):
            left = support[k, p]
            while left:
                q = 64 * p + lowest_bit(left)
                left &= left - _ONE
                has_x, has_z = (x[q, place] >> own) & _ONE, (z[q, place] >> own) & _ONE
                for w in range(place + 1):
                    row[w] ^= (z[q, w] if has_x else _NONE) ^ (x[q, w] if has_z else _NONE)
        row[place] &= (_ONE << own) - _ONE


@numba.njit(cache=True, nogil=True)
def _layers(
    before: Words,
    alive: Words,
    shares: Ints,
    layers: Words,
    planes: Words,
    front: Words,
    support: Words,
    touched: Ints,
    now: int,
) -> None:
    """How many layers of rotations stand before each one: the front and the planes of shares.

    Qubits of strings whose share changes are touched.
    """
    words = len(alive)
    last = len(shares) - 1
    layers[:] = _NONE
    top = 0
    for w in range(words):
        left = alive[w]
        while left:
            bit = lowest_bit(left)
            left &= left - _ONE
            k = 64 * w + bit
            level = 0
            for other in range(top - 1, -1, -1):
                met = _NONE
                for v in range(w + 1):
                    met |= before[k, v] & layers[other, v]
                if met:
                    level = other + 1
                    break
            level = min(level, last)
            layers[level, w] |= _ONE << np.uint64(bit)
            top = max(top, level + 1)
    front[:] = layers[0]
    for w in range(words):
        differs = _NONE
        for j in range(PLANES):
            plane = _NONE
            for level in range(min(top, last)):
                if (shares[level] >> j) & 1:
                    plane |= layers[level, w]
            differs |= plane ^ planes[j, w]
            planes[j, w] = plane
        while differs:
            k = 64 * w + lowest_bit(differs)
            differs &= differs - _ONE
            for p in range(support.shape[1]):
                qubits = support[k, p]
                while qubits:
                    touched[64 * p + lowest_bit(qubits)] = now
                    qubits &= qubits - _ONE


@numba.njit(cache=True, nogil=True)
def _give_out(
    x: Words,
    z: Words,
    s: Words,
    ident: Ints,
    support: Words,
    front: Words,
    light: Words,
    alive: Words,
    steps: Ints,
    count: int,
) -> tuple[Ints, int]:
    """Turn the front's strings of weight 1 into rotations; the steps and how many there are now."""
    for w in range(len(front)):
        given = front[w] & light[w]
        alive[w] &= ~given
        front[w] &= ~given
        while given:
            k = 64 * w + lowest_bit(given)
            given &= given - _ONE
            at = 0
            for p in range(support.shape[1]):
                if support[k, p]:
                    at = 64 * p + lowest_bit(support[k, p])
            axis = _bit(x[at], k) + 2 * _bit(z[at], k)
            steps = _pushed(steps, count, TURN, ident[k], at, axis + 4 * _bit(s, k))
            count += 1
    return steps, count


@numba.njit(cache=True, nogil=True)
def _best(
    x: Words,
    z: Words,
    planes: Words,
    front: Words,
    support: Words,
    weight: Ints,
    words: int,
    rest: int,
    lightens: Ints,
    score: NDArray[np.float32],
    scored: Ints,
    touched: Ints,
    now: int,
    layer: Ints,
    tail: float,
    noise: float,
    deep: float,
    random: Words,
    scratch: Ints,
) -> tuple[int, int, int]:
    """The gate with the least change of the sum of weights, of those that make one of the lightest strings of
    the front lighter: only these surely get done."""
    lightest = 1 << 60
    for w in range(words):
        left = front[w]
        while left:
            lightest = min(lightest, weight[64 * w + lowest_bit(left)])
            left &= left - _ONE
    best, best_a, best_b, best_gate = 1e300, -1, -1, -1
    for w in range(words):
        left = front[w]
        while left:
            k = 64 * w + lowest_bit(left)
            left &= left - _ONE
            if weight[k] > lightest:
                continue
            heavy = _listed(x, z, support, k, scratch)
            for i in range(heavy):
                for j in range(i + 1, heavy):
                    a, b = scratch[0, i], scratch[0, j]
                    if scored[a, b] < touched[a] or scored[a, b] < touched[b]:
                        _scores(x, z, planes, words, rest, tail, score[a, b], a, b)
                        scored[a, b] = now
                    wanted = lightens[4 * scratch[1, i] + scratch[1, j]]
                    late = deep * max(layer[a], layer[b])
                    for gate in range(9):
                        if not (wanted >> gate) & 1:
                            continue
                        total = score[a, b, gate] + late + (noise * uniform(random) if noise > 0 else 0.0)
                        if total < best - 1e-6:
                            best, best_a, best_b, best_gate = total, a, b, gate
    return best_a, best_b, best_gate


@numba.njit(cache=True, nogil=True)
def _listed(x: Words, z: Words, support: Words, k: int, scratch: Ints) -> int:
    """Write the qubits of a string of the window and its codes there to `scratch`; how many they are."""
    heavy = 0
    for p in range(support.shape[1]):
        qubits = support[k, p]
        while qubits:
            q = 64 * p + lowest_bit(qubits)
            qubits &= qubits - _ONE
            scratch[0, heavy] = q
            scratch[1, heavy] = _bit(x[q], k) + 2 * _bit(z[q], k)
            heavy += 1
    return heavy


@numba.njit(cache=True, nogil=True)
def _scores(
    x: Words,
    z: Words,
    planes: Words,
    words: int,
    rest: int,
    tail: float,
    out: NDArray[np.float32],
    a: int,
    b: int,
) -> None:
    """How each gate on (a, b) changes the sum of weights, by shares.

    C(P, Q) brings a string onto a where it was only on b and crosses Q there, takes it off a where it was P
    and crosses Q on b, and so for b.
    """
    n = np.zeros(16)
    one = np.zeros(16, dtype=np.int64)
    for w in range(words if tail == 0.0 else rest):
        xa, za, xb, zb = x[a, w], z[a, w], x[b, w], z[b, w]
        a0, a1, a2, a3 = ~(xa | za), xa & ~za, za & ~xa, xa & za
        b0, b1, b2, b3 = ~(xb | zb), xb & ~zb, zb & ~xb, xb & zb
        framed = w >= words
        for j in range(1 if framed else PLANES):
            plane = _ALL if framed else planes[j, w]
            if not plane:
                continue
            c0, c1, c2, c3 = a0 & plane, a1 & plane, a2 & plane, a3 & plane
            one[1], one[2], one[3] = bits_set(c0 & b1), bits_set(c0 & b2), bits_set(c0 & b3)
            one[4], one[5], one[6], one[7] = (
                bits_set(c1 & b0), bits_set(c1 & b1), bits_set(c1 & b2), bits_set(c1 & b3)
            )  # fmt: skip
            one[8], one[9], one[10], one[11] = (
                bits_set(c2 & b0), bits_set(c2 & b1), bits_set(c2 & b2), bits_set(c2 & b3)
            )  # fmt: skip
            one[12], one[13], one[14], one[15] = (
                bits_set(c3 & b0), bits_set(c3 & b1), bits_set(c3 & b2), bits_set(c3 & b3)
            )  # fmt: skip
            share = tail if framed else float(1 << j)
            for i in range(1, 16):
                n[i] += share * one[i]
    for p in range(1, 4):
        for q in range(1, 4):
            total = 0.0
            for other in range(1, 4):
                if other != q:
                    total += n[other] - n[4 * p + other]
                if other != p:
                    total += n[4 * other] - n[4 * other + q]
            out[3 * (p - 1) + q - 1] = total


@numba.njit(cache=True, nogil=True)
def _clear_frame(
    new: Codes,
    new_sign: NDArray[np.int8],
    image: Ints,
    flip: Ints,
    change: Words,
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
    score = np.zeros((size, size, 9), dtype=np.float32)
    least = np.zeros((size, size), dtype=np.float32)  # the best of a pair's scores
    touched = np.ones(size, dtype=np.int64)  # when a qubit's codes last changed
    scored = np.zeros((size, size), dtype=np.int64)  # when a pair's scores were computed
    support = np.zeros((size, (size + 63) // 64), dtype=np.uint64)  # the frame's pairs on each qubit
    for q in range(size):
        _support(new, q, support)
    totals = np.array([_pair_total(new, q) for q in range(size)])
    gates = 0
    pair = _easiest(totals)
    while pair >= 0:
        now = gates + 2
        a, b, gate, found = _frame_gate(
            new, pair, change, support, score, least, touched, scored, now, layer, noise, deep, random
        )
        if wide:
            for i in range(size):
                for j in range(i + 1, size):
                    if scored[i, j] < touched[i] or scored[i, j] < touched[j]:
                        _frame_scores(new, i, j, change, support, score, least)
                        scored[i, j] = now
            a, b, gate, found = _freest(score, least, a, b, gate, found)
            wide = found < -0.1  # else it would be undone at once: pair by pair from here on
        for p in range(support.shape[1]):
            left = support[a, p] | support[b, p]
            while left:
                q = 64 * p + lowest_bit(left)
                left &= left - _ONE
                totals[q] += 0.5 * _unpacked(change[_pair_codes(new, a, b, q)], gate, 1)
        _conjugate_frame(new, new_sign, a, b, image[gate], flip[gate])
        _support(new, a, support)
        _support(new, b, support)
        touched[a] = touched[b] = now + 1
        layer[a] = layer[b] = max(layer[a], layer[b]) + 1
        steps = _pushed(steps, count + gates, TQE, a, b, gate)
        gates += 1
        if gates > limit:
            return steps, -1
        pair = _easiest(totals)
    return steps, gates


@numba.njit(cache=True, nogil=True)
def _support(new: Codes, q: int, support: Words) -> None:
    """Mark the pairs of the frame that have anything on a qubit."""
    support[q] = _NONE
    for k in range(len(new)):
        if new[q, 2 * k] | new[q, 2 * k + 1]:
            support[q, k >> 6] |= _ONE << np.uint64(k & 63)


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
    change: Words,
    support: Words,
    score: NDArray[np.float32],
    least: NDArray[np.float32],
    touched: Ints,
    scored: Ints,
    now: int,
    layer: Ints,
    noise: float,
    deep: float,
    random: NDArray[np.uint64],
) -> tuple[int, int, int, float]:
    """Of the gates that bring one pair nearer to its end, the one that is best for all of them."""
    best, best_a, best_b, best_gate, found = 1e300, -1, -1, -1, 0.0
    for a in range(len(new)):
        if not (new[a, 2 * pair] | new[a, 2 * pair + 1]):
            continue
        for b in range(a + 1, len(new)):
            if not (new[b, 2 * pair] | new[b, 2 * pair + 1]):
                continue
            if scored[a, b] < touched[a] or scored[a, b] < touched[b]:
                _frame_scores(new, a, b, change, support, score, least)
                scored[a, b] = now
            late = deep * max(layer[a], layer[b])
            if noise == 0.0 and least[a, b] + late >= best:
                continue
            lower = change[_pair_codes(new, a, b, pair), 3]
            while lower:
                gate = lowest_bit(lower)
                lower &= lower - _ONE
                total = score[a, b, gate] + late + (noise * uniform(random) if noise > 0 else 0.0)
                if total < best - 1e-6:
                    best, best_a, best_b, best_gate, found = total, a, b, gate, score[a, b, gate]
    return best_a, best_b, best_gate, found


@numba.njit(cache=True, nogil=True)
def _freest(
    score: NDArray[np.float32], least: NDArray[np.float32], a: int, b: int, gate: int, found: float
) -> tuple[int, int, int, float]:
    """The best gate for all pairs together, if it is better than the one given."""
    for i in range(len(score)):
        for j in range(i + 1, len(score)):
            if least[i, j] < found - 1e-6:
                a, b, found = i, j, least[i, j]
                gate = int(np.argmin(score[i, j]))
    return a, b, gate, found


@numba.njit(cache=True, nogil=True)
def _frame_scores(
    new: Codes,
    a: int,
    b: int,
    change: Words,
    support: Words,
    score: NDArray[np.float32],
    least: NDArray[np.float32],
) -> None:
    """How each gate on (a, b) changes the sum of all pairs' costs, and the least of that."""
    low, middle, high = _NONE, _NONE, _NONE
    terms = 0
    for p in range(support.shape[1]):
        left = support[a, p] | support[b, p]
        terms += bits_set(left)
        while left:
            q = 64 * p + lowest_bit(left)
            left &= left - _ONE
            index = _pair_codes(new, a, b, q)
            low += change[index, 0]
            middle += change[index, 1]
            high += change[index, 2]
    total = np.array([low, middle, high])
    best = 1 << 30
    for gate in range(9):
        halves = _unpacked(total, gate, terms)
        score[a, b, gate] = 0.5 * halves
        best = min(best, halves)
    least[a, b] = 0.5 * best


@numba.njit(cache=True, nogil=True)
def _unpacked(packed: Words, gate: int, terms: int) -> int:
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
def _conjugate_frame(
    columns: Codes, signs: NDArray[np.int8], a: int, b: int, image: Ints, flip: Ints
) -> None:
    """Conjugate the frame, kept as columns (qubit, string), by a two-qubit gate."""
    for k in range(len(signs)):
        index = 4 * columns[a, k] + columns[b, k]
        signs[k] ^= flip[index]
        columns[a, k] = image[index] >> 2
        columns[b, k] = image[index] & 3
