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

from qattn_compiler.circuit.bit_kernels import bits_set

Codes = NDArray[np.uint8]
Words = NDArray[np.uint64]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

H, S, SDG, X, Y, Z, CX, CZ, SWAP, RX, RY, RZ, RXX, RYY, RZZ = range(15)
"""Instructions: Clifford gates, then rotations."""


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
def packed(codes: Codes) -> tuple[Words, Words]:
    """X and Z parts of strings as bits in rows of words, shape (m, words)."""
    m, size = codes.shape
    x = np.zeros((m, (size + 63) // 64), dtype=np.uint64)
    z = np.zeros((m, (size + 63) // 64), dtype=np.uint64)
    for k in range(m):
        for q in range(size):
            code = codes[k, q]
            x[k, q >> 6] |= np.uint64(code & 1) << np.uint64(q & 63)
            z[k, q >> 6] |= np.uint64(code >> 1) << np.uint64(q & 63)
    return x, z


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
    x, z = packed(codes)
    head = np.arange(m)
    last = np.full(m, -1, dtype=np.int64)  # the head before each head
    newest = -1
    for k in range(m):
        if not alive[k]:
            continue
        j = newest
        for _ in range(reach):
            if j < 0:
                break
            differs, crossing = np.uint64(0), np.uint64(0)
            for w in range(x.shape[1]):
                differs |= (x[k, w] ^ x[j, w]) | (z[k, w] ^ z[j, w])
                crossing ^= (x[k, w] & z[j, w]) ^ (z[k, w] & x[j, w])
            if not differs:
                head[k] = j
                break
            if bits_set(crossing) & 1:
                break
            j = last[j]
        if head[k] == k:
            last[k], newest = newest, k
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
    fx, fz = packed(frame)
    power = np.zeros(2 * size, dtype=np.int64)
    for row in range(2 * size):
        power[row] = 2 * frame_signs[row]
        for w in range(fx.shape[1]):
            power[row] += bits_set(fx[row, w] & fz[row, w])
    out = np.zeros((m, size), dtype=np.uint8)
    flips = np.zeros(m, dtype=np.int8)
    x, z = np.zeros((2, fx.shape[1]), dtype=np.uint64)
    for k in range(m):
        x[:] = 0
        z[:] = 0
        r = 2 * signs[k]
        for q in range(size):
            code = codes[k, q]
            if not code:
                continue
            r += code == 3
            for part in range(2):  # X before Z, as in the definition of a string
                if (code >> part) & 1:
                    row = 2 * q + part
                    r += power[row]
                    for w in range(len(x)):
                        r += 2 * bits_set(z[w] & fx[row, w])
                        x[w] ^= fx[row, w]
                        z[w] ^= fz[row, w]
        for w in range(len(x)):
            r -= bits_set(x[w] & z[w])
        flips[k] = (r & 3) >> 1
        for q in range(size):
            bit = np.uint64(q & 63)
            out[k, q] = ((x[q >> 6] >> bit) & np.uint64(1)) | (
                ((z[q >> 6] >> bit) & np.uint64(1)) << np.uint64(1)
            )
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
