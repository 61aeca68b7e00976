"""Hot loops of `words`: a circuit times the inverse of another as a word of Pauli rotations, cancelled.

A string is 2 W words of bits: the X parts of all wires, then the Z parts; with a power r of i in front, it
is i**r times the product of X**x Z**z over the wires. A rotation has one string. A wall has, for each wire,
the string of the axis on which it is diagonal there, or those of X and Z, and commutes with what commutes
with all.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit.jit import plain

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Strings = NDArray[np.uint64]

ONE = np.uint64(1)
QUARTER = np.pi / 2
NONE = -(1 << 40)
ROUNDING = 1e-9
"""Symbolic parts of angles up to this are none: what is dropped is numbers."""
HOPELESS = 256
"""With more elements of the second half than this that met nothing, and a quarter of what it read, while more
than that are left of the first, the rest is not read."""


@plain
def _parity(x: np.uint64) -> int:
    x ^= x >> np.uint64(32)
    x ^= x >> np.uint64(16)
    x ^= x >> np.uint64(8)
    x ^= x >> np.uint64(4)
    x ^= x >> np.uint64(2)
    x ^= x >> np.uint64(1)
    return int(x & ONE)


@plain
def _bits(x: np.uint64) -> int:
    count = 0
    while x:
        x &= x - ONE
        count += 1
    return count


@plain
def _anticommute(a: Strings, b: Strings) -> bool:
    w = len(a) // 2
    total = np.uint64(0)
    for k in range(w):
        total ^= (a[k] & b[w + k]) ^ (a[w + k] & b[k])
    return _parity(total) == 1


@plain
def _times(a: Strings, ra: int, b: Strings, rb: int, out: Strings) -> int:
    """Write the product to `out` (which may be one of them); its power of i.

    A Z of the first passes an X of the second with -1.
    """
    w = len(a) // 2
    passed = np.uint64(0)
    for k in range(w):
        passed ^= a[w + k] & b[k]
    flips = _parity(passed)
    for k in range(2 * w):
        out[k] = a[k] ^ b[k]
    return (ra + rb + 2 * flips) & 3


@plain
def _minus(a: Strings, r: int) -> bool:
    """Whether a Hermitian string has the sign minus."""
    w = len(a) // 2
    ys = 0
    for k in range(w):
        ys += _bits(a[k] & a[w + k])
    return ((r - ys) & 3) == 2


@plain
def _same(a: Strings, b: Strings) -> bool:
    for k in range(len(a)):  # noqa: SIM110 - a loop, for Numba
        if a[k] != b[k]:
            return False
    return True


@plain
def _turn(p: Strings, rp: int, s: Strings, r: int, turns: int) -> int:
    """Conjugate a string by a rotation about p (exp(-i t P / 2), t = turns quarter turns): R^dagger S R."""
    if not _anticommute(p, s):
        return r
    if turns == 2:
        return (r + 2) & 3
    # R^dagger S R = S R^2 = -i S P for a quarter turn, that is i P S
    return (_times(p, rp, s, r, s) + (1 if turns == 1 else 3)) & 3


@plain
def _axis(frame: Strings, power: Ints, wire: int, axis: int, out: Strings) -> int:
    """Write the image of X (1), Y (2) or Z (3) of a wire; its power of i."""
    if axis != 2:
        row = 2 * wire + (axis == 3)
        for k in range(len(out)):
            out[k] = frame[row, k]
        return power[row]
    return (_times(frame[2 * wire], power[2 * wire], frame[2 * wire + 1], power[2 * wire + 1], out) + 1) & 3


@plain
def spell(
    op: NDArray[np.uint8],
    operands: NDArray[np.int32],
    special: NDArray[np.bool_],
    forms: Floats,
    label: Ints,
    tables: tuple[Ints, Ints, Floats],
    backwards: bool,
    wires: Ints,
    axes: Ints,
    angles: Floats,
) -> None:
    """Write the letters of a circuit; those of walls are left as they are.

    Args:
        op, operands: of the rows.
        special: shape (rows,): walls, which are one letter each.
        forms: shape (forms, rows, 3): the angles, and their symbolic parts at some values (radians).
        label: the name of each qubit.
        tables: of each gate how many rotations it is; their axes, shape (gates, 5, 2); their angles as a
            constant and three coefficients, shape (gates, 5, 4).
        backwards: write the inverse of the circuit.
        wires, axes, angles: written: shape (steps, 2), (steps, 2), (steps, forms).
    """
    counts, all_axes, affine = tables
    sign = -1.0 if backwards else 1.0
    step = len(wires) - 1 if backwards else 0
    for row in range(len(op)):
        gate = op[row]
        for part in range(1 if special[row] else counts[gate]):
            if not special[row]:
                at = 0
                for k in range(2):
                    if all_axes[gate, part, k]:
                        axes[step, at] = all_axes[gate, part, k]
                        wires[step, at] = label[operands[row, k]]
                        at += 1
                for f in range(len(forms)):
                    angle = affine[gate, part, 0] if f == 0 else 0.0
                    for k in range(3):
                        angle += affine[gate, part, 1 + k] * forms[f, row, k]
                    angles[step, f] = sign * angle
            step += -1 if backwards else 1


@numba.njit(cache=True, nogil=True)
def cancel(  # noqa: C901 - one loop with its state
    wires: Ints,
    axes: Ints,
    angles: Floats,
    wall: Ints,
    wall_begin: Ints,
    wall_wires: Ints,
    num_wires: int,
    reach: int,
    tol: float,
    fine: float,
    turn: int,
) -> tuple[Strings, Ints, Ints, Floats, float]:
    """Read a word of rotations and walls from the left, cancelling and merging what can meet.

    Clifford rotations go into a frame at the end. What is read meets an earlier element with the same string
    if all between commute. Of an angle that is almost a multiple of a quarter turn the multiple goes into the
    frame and the rest stays, so that it may still meet its like; at the end it is given up.

    Args:
        wires, axes: shape (steps, 2): wires and axes (0 I, 1 X, 2 Y, 3 Z) of each rotation.
        angles: shape (steps, forms): the angle (radians) and its symbolic part at some values.
        wall: shape (steps,): -1 for a rotation; +number + 1 for a wall, -number - 1 for its inverse.
        wall_begin, wall_wires: the strings of each step that is a wall, 4 * wire + axis: wall_begin[step] to
            the next.
        num_wires: wire numbers are below this.
        reach: how many elements are looked back at most.
        tol: an angle this close to a multiple of a quarter turn is almost one (radians).
        fine: so small a rest of it is given up at once.
        turn: the first step of the second half, which gives up once it is hopeless (see HOPELESS); `steps`
            for never.

    Returns:
        the frame (2 wires, 2 W) with its powers, the steps of the elements that are left, their angles (left,
        forms), and the sum of the angles that were given up (radians).
    """
    half = (num_wires + 63) // 64
    steps = len(wall)
    forms = angles.shape[1]
    count = 0
    for step in range(steps):
        count += 1 if wall[step] == 0 else wall_begin[step + 1] - wall_begin[step]
    strings = np.zeros((count, 2 * half), dtype=np.uint64)
    powers = np.zeros(count, dtype=np.int64)
    begin = np.zeros(steps + 1, dtype=np.int64)
    angle = np.zeros((steps, forms))
    back, ahead = np.full(steps + 1, steps, dtype=np.int64), np.full(steps + 1, steps, dtype=np.int64)
    frame = np.zeros((2 * num_wires, 2 * half), dtype=np.uint64)
    power = np.zeros(2 * num_wires, dtype=np.int64)
    for q in range(num_wires):
        frame[2 * q, q // 64] |= ONE << np.uint64(q % 64)
        frame[2 * q + 1, half + q // 64] |= ONE << np.uint64(q % 64)
    string, other = np.zeros((2, 2 * half), dtype=np.uint64)
    buckets = 16
    while buckets < steps:
        buckets *= 2
    first, after = np.full(buckets, -1, dtype=np.int64), np.full(steps, -1, dtype=np.int64)
    used = 0
    lost = 0.0
    read, fresh, old = 0, 0, 0  # elements read since the turn; of those left, since the turn and before
    for step in range(steps):
        read += 1 if step >= turn else 0
        if fresh > HOPELESS + read // 4 and old > fresh:
            break
        begin[step] = begin[step + 1] = used
        if wall[step] == 0:
            quarter = _quarters(angles[step], tol)
            r = _axis(frame, power, wires[step, 0], axes[step, 0], string)
            if axes[step, 1]:
                rb = _axis(frame, power, wires[step, 1], axes[step, 1], other)
                r = _times(string, r, other, rb, string)
            angle[step] = angles[step]
            if quarter != NONE:
                angle[step, 0] -= quarter * QUARTER
                if quarter % 4:
                    _step(frame, power, wires[step], axes[step], string, r, quarter % 4)
                if _is_small(angle[step], fine):
                    lost += abs(angle[step, 0])
                    read -= 1 if step >= turn else 0
                    continue
            strings[used] = string
            powers[used] = r
            used += 1
        else:
            for k in range(wall_begin[step], wall_begin[step + 1]):
                powers[used] = _axis(frame, power, wall_wires[k] // 4, wall_wires[k] % 4, strings[used])
                used += 1
        begin[step + 1] = used
        found = first[_bucket(strings, begin, step, buckets)]
        while found >= 0:
            if wall[found] == -wall[step] and _equal(strings, powers, begin, found, step, wall[step] != 0):
                break
            found = after[found]
        at = back[steps]
        seen = 0
        while found >= 0 and at != found:
            seen += 1
            if seen > reach or not _commute(strings, begin, at, step):
                found = -1
            at = back[at]
        if found < 0:
            last = back[steps]
            ahead[last] = back[steps] = step
            back[step], ahead[step] = last, steps
            bucket = _bucket(strings, begin, step, buckets)
            after[step], first[bucket] = first[bucket], step
            if step >= turn:
                fresh += 1
            else:
                old += 1
            continue
        if wall[step] == 0:
            flip = _minus(strings[begin[found]], powers[begin[found]]) != _minus(string, powers[begin[step]])
            for k in range(forms):
                angle[found, k] += -angle[step, k] if flip else angle[step, k]
            used = begin[step]
            quarter = _quarters(angle[found], tol)
            if quarter == NONE:
                continue
            angle[found, 0] -= quarter * QUARTER
            if quarter % 4:
                p, rp = strings[begin[found]].copy(), powers[begin[found]]
                at = ahead[found]
                while at != steps:
                    _forget(first, after, _bucket(strings, begin, at, buckets), at)
                    for k in range(begin[at], begin[at + 1]):
                        powers[k] = _turn(p, rp, strings[k], powers[k], quarter % 4)
                    at = ahead[at]
                at = ahead[found]
                while at != steps:
                    bucket = _bucket(strings, begin, at, buckets)
                    after[at], first[bucket] = first[bucket], at
                    at = ahead[at]
                for k in range(2 * num_wires):
                    power[k] = _turn(p, rp, frame[k], power[k], quarter % 4)
            if not _is_small(angle[found], fine):
                continue
            lost += abs(angle[found, 0])
        _forget(first, after, _bucket(strings, begin, found, buckets), found)
        back[ahead[found]], ahead[back[found]] = back[found], ahead[found]
        if found >= turn:
            fresh -= 1
        else:
            old -= 1
    left = []
    at = ahead[steps]
    while at != steps:
        if wall[at] == 0 and _is_small(angle[at], tol):
            lost += abs(angle[at, 0])
        else:
            left.append(at)
        at = ahead[at]
    steps_left = np.array([*left, 0])[: len(left)]
    return frame, power, steps_left, angle[steps_left], lost


@plain
def _quarters(angle: Floats, tol: float) -> int:
    """How many quarter turns an angle almost is; NONE if it is not, or has a symbolic part."""
    if not _is_number(angle):
        return NONE
    turns = np.round(angle[0] / QUARTER)
    return NONE if abs(angle[0] - turns * QUARTER) > tol else int(turns)


@plain
def _is_small(angle: Floats, tol: float) -> bool:
    """Whether an angle is almost 0 and has no symbolic part."""
    return abs(angle[0]) <= tol and _is_number(angle)


@plain
def _is_number(angle: Floats) -> bool:
    for k in range(1, len(angle)):  # noqa: SIM110 - a loop, for Numba
        if abs(angle[k]) > ROUNDING:
            return False
    return True


@plain
def _step(
    frame: Strings, power: Ints, wires: Ints, axes: Ints, string: Strings, r: int, quarter: int
) -> None:
    """One more Clifford rotation in the frame: it turns the images of what it does not commute with."""
    for k in range(2):
        for part in range(2 if axes[k] else 0):
            if axes[k] != 1 + 2 * part:
                row = 2 * wires[k] + part
                power[row] = _turn(string, r, frame[row], power[row], quarter)


@plain
def _bucket(strings: Strings, begin: Ints, at: int, buckets: int) -> int:
    """A hash of an element's first string; a wall on no wires has none."""
    x = np.uint64(0x9E3779B97F4A7C15)
    for k in range(strings.shape[1] if begin[at] < begin[at + 1] else 0):
        x = (x ^ strings[begin[at], k]) * np.uint64(0xBF58476D1CE4E5B9)
        x ^= x >> np.uint64(29)
    return int(x & np.uint64(buckets - 1))


@plain
def _forget(first: Ints, after: Ints, bucket: int, at: int) -> None:
    """Take an element out of its bucket."""
    if first[bucket] == at:
        first[bucket] = after[at]
        return
    one = first[bucket]
    while after[one] != at:
        one = after[one]
    after[one] = after[at]


@plain
def _equal(strings: Strings, powers: Ints, begin: Ints, a: int, b: int, signed: bool) -> bool:
    """Whether two elements have the same strings; those of walls with their signs."""
    size = begin[a + 1] - begin[a]
    if size != begin[b + 1] - begin[b]:
        return False
    for k in range(size):
        if not _same(strings[begin[a] + k], strings[begin[b] + k]):
            return False
        if signed and powers[begin[a] + k] != powers[begin[b] + k]:
            return False
    return True


@plain
def _commute(strings: Strings, begin: Ints, a: int, b: int) -> bool:
    for i in range(begin[a], begin[a + 1]):
        for j in range(begin[b], begin[b + 1]):
            if _anticommute(strings[i], strings[j]):
                return False
    return True
