"""Hot loops of `windows`: two circuits read side by side, and what is between them kept as small matrices.

With A = a_m ... a_1 and B = b_l ... b_1, D = a_i ... a_1 b_1^dagger ... b_j^dagger is the difference of what
has been read so far. D is kept as a product of blocks: matrices from some wires of B to equally many wires of
A, at the start the identity on one wire each. A row that is read multiplies the blocks of its wires, which
become one; a block that is a tensor product is split again. SWAPs only rename wires. All is exact but for
rounding: when everything has been read, D says whether A = B.
"""

from __future__ import annotations

from typing import TypeAlias

import numba
import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit.jit import plain

Ints = NDArray[np.int64]
Matrices = NDArray[np.complex128]

GATE, SWAP, WALL = range(3)
"""What a row is: a gate with a matrix, a plain SWAP, a wall."""

Wide: TypeAlias = NDArray[np.int32]
Narrow: TypeAlias = NDArray[np.int8]
Gates: TypeAlias = tuple[Matrices, Matrices, Ints]
"""Of one qubit (n, batch, 2, 2) and of two (m, batch, 4, 4); for each row (rows,) which of the first it has,
or -1 - which of the others."""
Side: TypeAlias = tuple[Ints, Wide, Gates, Ints, Ints, Ints, Ints, Ints, Ints, Ints, Ints, Narrow]
"""kind (rows,), wires (rows, width), gates, wall (rows,): equal numbers for equal walls; then the order:
entries (the rows of each wire), first (rows, width): where in the entries the run
starts to which a row belongs on a wire, current (wires,): where the run starts that is expected, left
(entries,): at its start, how many rows of a run are still to come, low: at its start, where its first such
row is at the earliest, end: at its start, where a run ends, done (rows,); and passable (rows, width): in
which Pauli basis a block must be diagonal to pass a wall on a wire (0: it must be the identity)."""
Blocks: TypeAlias = tuple[Ints, Ints, Ints, Ints, Matrices]
"""of (2, wires): block of each wire of A and of B; members (2, blocks, size): the wires of each block; size
(blocks,); waiting (blocks,): 1 if the block is to be looked at, 2 if it is queued for that; matrix (blocks,
batch, d, d)."""


@numba.njit(cache=True, nogil=True)
def order(
    axes: NDArray[np.int8], wires: NDArray[np.int32], num_wires: int
) -> tuple[Ints, Ints, Ints, Ints, Ints, Ints, Ints]:
    """The runs of each wire: rows that are diagonal in the same Pauli basis there commute.

    Args:
        axes: shape (rows, 2): axis of each operand, 0 for none and for walls.
        wires: shape (rows, width), -1 fills up.
        num_wires: wire numbers are below this.

    Returns:
        the last seven arrays of `Side`.
    """
    rows, width = wires.shape
    count = np.zeros(num_wires + 1, dtype=np.int64)
    for row in range(rows):
        for k in range(width):
            if wires[row, k] < 0:
                break
            count[wires[row, k] + 1] += 1
    start = np.cumsum(count)
    total = start[-1]
    entries = np.zeros(total, dtype=np.int64)
    first = np.full((rows, width), -1, dtype=np.int64)
    left, low, end = np.zeros((3, total + 1), dtype=np.int64)
    place = start[:-1].copy()
    axis = np.zeros(num_wires, dtype=np.int64)
    run = np.full(num_wires, -1, dtype=np.int64)
    for row in range(rows):
        for k in range(width):
            wire = wires[row, k]
            if wire < 0:
                break
            own = axes[row, k] if k < 2 else 0
            at = place[wire]
            if own == 0 or own != axis[wire] or run[wire] < 0:
                run[wire] = at
                low[at] = at
            axis[wire] = own
            entries[at] = row
            first[row, k] = run[wire]
            left[run[wire]] += 1
            end[run[wire]] = at + 1
            place[wire] += 1
    current = np.full(num_wires, -1, dtype=np.int64)
    for wire in range(num_wires):
        if start[wire] < start[wire + 1]:
            current[wire] = start[wire]
    last = np.zeros(total + 1, dtype=np.int64)
    for wire in range(num_wires):  # the run behind a wire's last one is none
        if start[wire + 1] > start[wire]:
            last[start[wire + 1] - 1] = 1
    for at in range(total):
        if left[at] > 0 and last[end[at] - 1]:
            end[at] = -end[at]
    return entries, first, current, left, low, end, np.zeros(rows, dtype=np.int64)


@plain
def _ready(side: Side, row: int) -> bool:
    wires, first, current, done = side[1], side[5], side[6], side[10]
    if done[row]:
        return False
    for k in range(wires.shape[1]):
        wire = wires[row, k]
        if wire < 0:
            break
        if first[row, k] != current[wire]:
            return False
    return True


@plain
def _use(side: Side, row: int) -> None:
    """A row has been read."""
    wires, first, current, left, end, done = side[1], side[5], side[6], side[7], side[9], side[10]
    done[row] = 1
    for k in range(wires.shape[1]):
        wire = wires[row, k]
        if wire < 0:
            break
        run = first[row, k]
        left[run] -= 1
        if left[run] == 0:
            current[wire] = end[run] if end[run] > 0 else -1


@plain
def _span(side: Side, wire: int) -> tuple[int, int]:
    """Where in the entries the rows are that a wire expects."""
    entries, current, low, end, done = side[4], side[6], side[8], side[9], side[10]
    run = current[wire]
    if run < 0:
        return 0, 0
    stop = abs(end[run])
    at = low[run]
    while at < stop and done[entries[at]]:
        at += 1
    low[run] = at
    return at, stop


@plain
def _position(members: Ints, size: int, wire: int) -> int:
    for k in range(size):
        if members[k] == wire:
            return k
    return -1


@numba.njit(cache=True, nogil=True)
def _multiply(matrix: Matrices, gates: Matrices, size: int, p: int, q: int, columns: bool) -> None:
    """Multiply a block by a gate on its places p and q (-1: none), from the left, or by its inverse from the
    right."""
    d = 1 << size
    mp = 1 << (size - 1 - p)
    mq = 0 if q < 0 else 1 << (size - 1 - q)
    width = 2 if q < 0 else 4
    v = np.zeros(4, dtype=np.complex128)
    at = np.zeros(4, dtype=np.int64)
    for r in range(matrix.shape[0]):
        m, g = matrix[r], gates[r]
        for i in range(d):
            if i & (mp | mq):
                continue
            if width == 2:
                at[0], at[1] = i, i | mp
            else:
                at[0], at[1], at[2], at[3] = i, i | mq, i | mp, i | mp | mq
            for j in range(d):
                for k in range(width):
                    v[k] = m[j, at[k]] if columns else m[at[k], j]
                for k in range(width):
                    total = 0j
                    for n in range(width):
                        total += (g[k, n].conjugate() if columns else g[k, n]) * v[n]
                    if columns:
                        m[j, at[k]] = total
                    else:
                        m[at[k], j] = total


@plain
def _rename(blocks: Blocks, s: int, a: int, b: int) -> None:
    """A SWAP of two wires of a side."""
    of, members, size, waiting, _ = blocks
    ba, bb = of[s, a], of[s, b]
    pa, pb = _position(members[s, ba], size[ba], a), _position(members[s, bb], size[bb], b)
    members[s, ba, pa], members[s, bb, pb] = b, a
    of[s, a], of[s, b] = bb, ba
    waiting[ba] = waiting[bb] = 1


@numba.njit(cache=True, nogil=True)
def _absorb(sides: tuple[Side, Side], blocks: Blocks, block: int) -> int:
    """Read all rows that need no other block; how many."""
    read = 0
    while True:
        before = read
        read += _absorb_side(sides[0], blocks, block, 0)
        read += _absorb_side(sides[1], blocks, block, 1)
        if read == before:
            return read


@numba.njit(cache=True, nogil=True)
def _absorb_side(side: Side, blocks: Blocks, block: int, s: int) -> int:
    of, members, size, _, matrix = blocks
    kind, wires, entries = side[0], side[1], side[4]
    small, large, which = side[2]
    d = 1 << size[block]
    read = 0
    for k in range(size[block]):
        at, stop = _span(side, members[s, block, k])
        for e in range(at, stop):
            row = entries[e]
            if kind[row] >= WALL or not _ready(side, row):
                continue
            a, b = wires[row, 0], wires[row, 1]
            if of[s, a] != block or (b >= 0 and of[s, b] != block):
                continue
            p = _position(members[s, block], size[block], a)
            q = -1 if b < 0 else _position(members[s, block], size[block], b)
            gate = small[which[row]] if which[row] >= 0 else large[-1 - which[row]]
            _multiply(matrix[block, :, :d, :d], gate, size[block], p, q, s == 1)
            _use(side, row)
            read += 1
    return read


@plain
def _swaps(side: Side, blocks: Blocks, s: int) -> int:
    """Read all SWAPs that may come by renaming wires; how many."""
    read = 0
    for wire in range(blocks[0].shape[1]):
        at, stop = _span(side, wire)
        for e in range(at, stop):
            row = side[4][e]
            if side[0][row] == SWAP and _ready(side, row):
                _use(side, row)
                _rename(blocks, s, side[1][row, 0], side[1][row, 1])
                read += 1
                break
    return read


@numba.njit(cache=True, nogil=True)
def _merge(blocks: Blocks, a: int, b: int) -> None:
    """Make one block of two, under the number of the first."""
    of, members, size, waiting, matrix = blocks
    na, nb = size[a], size[b]
    da, db = 1 << na, 1 << nb
    for r in range(matrix.shape[1]):
        left = matrix[a, r, :da, :da].copy()
        for i in range(da):
            for j in range(da):
                for k in range(db):
                    for n in range(db):
                        matrix[a, r, i * db + k, j * db + n] = left[i, j] * matrix[b, r, k, n]
    for s in range(2):
        for k in range(nb):
            members[s, a, na + k] = members[s, b, k]
            of[s, members[s, b, k]] = a
    size[a] = na + nb
    size[b] = 0
    waiting[b] = 0
    waiting[a] = 1


@numba.njit(cache=True, nogil=True)
def _spread(mask: int, inverse: int, size: int) -> tuple[Ints, Ints]:
    """All indices on the bits of a mask, and all on the other bits."""
    count = 0
    for k in range(size):
        count += (mask >> k) & 1
    inner = np.zeros(1 << count, dtype=np.int64)
    outer = np.zeros(1 << (size - count), dtype=np.int64)
    i = j = 0
    for x in range(1 << size):
        if x & inverse == 0:
            inner[i] = x
            i += 1
        if x & mask == 0:
            outer[j] = x
            j += 1
    return inner, outer


@numba.njit(cache=True, nogil=True)
def _factor(  # noqa: C901 - loops over the entries of a matrix
    m: Matrices, row: int, column: int, size: int, small: Matrices, rest: Matrices, tol: float
) -> float:
    """Write m = small (x) rest, for the wires in the masks row and column; the distance, or -1 if above tol.

    `m` and `rest` are unitary up to rounding; the distance is that of Frobenius.
    """
    full = (1 << size) - 1
    ri, ro = _spread(row, full ^ row, size)
    ci, co = _spread(column, full ^ column, size)
    ds, dr = len(ri), len(ro)
    best, pi, pj = -1.0, 0, 0
    for i in range(ds):
        for j in range(ds):
            norm = 0.0
            for k in range(dr):
                for n in range(dr):
                    z = m[ri[i] | ro[k], ci[j] | co[n]]
                    norm += z.real * z.real + z.imag * z.imag
            if norm > best:
                best, pi, pj = norm, i, j
    scale = np.sqrt(dr / best)
    for k in range(dr):
        for n in range(dr):
            rest[k, n] = m[ri[pi] | ro[k], ci[pj] | co[n]] * scale
    error = 0.0
    for i in range(ds):
        for j in range(ds):
            total = 0j
            for k in range(dr):
                for n in range(dr):
                    total += rest[k, n].conjugate() * m[ri[i] | ro[k], ci[j] | co[n]]
            total /= dr
            small[i, j] = total
            for k in range(dr):
                for n in range(dr):
                    z = m[ri[i] | ro[k], ci[j] | co[n]] - total * rest[k, n]
                    error += z.real * z.real + z.imag * z.imag
            if error > tol * tol:
                return -1.0
    return np.sqrt(error)


@plain
def _popcount(x: int) -> int:
    count = 0
    while x:
        count += x & 1
        x >>= 1
    return count


@numba.njit(cache=True, nogil=True)
def _split(blocks: Blocks, block: int, tol: float) -> float:
    """Take off a factor on one or two wires if there is one: the distance, or -1."""
    _, _, size, _, matrix = blocks
    n = size[block]
    d = 1 << n
    batch = matrix.shape[1]
    small = np.zeros((batch, 4, 4), dtype=np.complex128)
    rest = np.zeros((batch, d, d), dtype=np.complex128)
    for take in range(1, min(2, n // 2) + 1):
        for row in range(1, d):
            if _popcount(row) != take or (2 * take == n and not row & 1):
                continue
            for column in range(1, d):
                if _popcount(column) != take:
                    continue
                error = 0.0
                for r in range(batch):
                    one = _factor(matrix[block, r], row, column, n, small[r], rest[r], tol)
                    if one < 0.0:
                        error = -1.0
                        break
                    error = max(error, one)
                if error >= 0.0:
                    _part(blocks, block, row, column, take, small, rest)
                    return error
    return -1.0


@numba.njit(cache=True, nogil=True)
def _part(
    blocks: Blocks,
    block: int,
    row: int,
    column: int,
    take: int,
    small: Matrices,
    rest: Matrices,
) -> None:
    """Write the two factors of a block, the second under its number, the first under a free one."""
    of, members, size, waiting, matrix = blocks
    n = size[block]
    other = 0
    while size[other]:
        other += 1
    for s in range(2):
        mask = row if s == 0 else column
        i = j = 0
        old = members[s, block].copy()
        for k in range(n):
            if (mask >> (n - 1 - k)) & 1:
                members[s, other, i] = old[k]
                of[s, old[k]] = other
                i += 1
            else:
                members[s, block, j] = old[k]
                j += 1
    size[other], size[block] = take, n - take
    ds, dr = 1 << take, 1 << (n - take)
    for r in range(matrix.shape[1]):
        matrix[other, r, :ds, :ds] = small[r, :ds, :ds]
        matrix[block, r, :dr, :dr] = rest[r, :dr, :dr]
    waiting[other] = waiting[block] = 1


@plain
def distance(m: Matrices) -> tuple[float, complex]:
    """Frobenius distance of a matrix from the nearest exp(i t) times the identity, and that factor."""
    d = len(m)
    trace = 0j
    for i in range(d):
        trace += m[i, i]
    factor = trace / abs(trace) if abs(trace) > 1e-300 else 1.0 + 0j
    total = 0.0
    for i in range(d):
        for j in range(d):
            z = m[i, j] - (factor if i == j else 0.0)
            total += z.real * z.real + z.imag * z.imag
    return np.sqrt(total), factor


@plain
def _settle(blocks: Blocks, block: int, tol: float, phase: Matrices) -> float:
    """Replace a block on one wire that is nearly a phase by the identity; by how far it was off."""
    matrix = blocks[4]
    worst = 0.0
    for r in range(matrix.shape[1]):
        error, _ = distance(matrix[block, r, :2, :2])
        if error > tol:
            return 0.0
        worst = max(worst, error)
    for r in range(matrix.shape[1]):
        _, factor = distance(matrix[block, r, :2, :2])
        phase[r] *= factor
        for i in range(2):
            for j in range(2):
                matrix[block, r, i, j] = 1.0 if i == j else 0.0
    return worst


@plain
def _is_crossed(side: Side, blocks: Blocks, s: int, a: int, b: int) -> bool:
    """Whether a row that may come acts on both blocks."""
    of, members, size, _, _ = blocks
    kind, wires, entries = side[0], side[1], side[4]
    for k in range(size[a]):
        at, stop = _span(side, members[s, a, k])
        for e in range(at, stop):
            row = entries[e]
            if kind[row] <= SWAP and wires[row, 1] >= 0 and _ready(side, row):
                x, y = of[s, wires[row, 0]], of[s, wires[row, 1]]
                if (x == a and y == b) or (x == b and y == a):
                    return True
    return False


@plain
def _partner(sides: tuple[Side, Side], blocks: Blocks, block: int, limit: int) -> int:
    """Another block that rows of both circuits join to this one next, or -1."""
    of, members, size, _, _ = blocks
    side = sides[0]
    kind, wires, entries = side[0], side[1], side[4]
    for k in range(size[block]):
        at, stop = _span(side, members[0, block, k])
        for e in range(at, stop):
            row = entries[e]
            if kind[row] > SWAP or wires[row, 1] < 0 or not _ready(side, row):
                continue
            x, y = of[0, wires[row, 0]], of[0, wires[row, 1]]
            other = y if x == block else x
            if other == block or size[block] + size[other] > limit:
                continue
            if _is_crossed(sides[1], blocks, 1, block, other):
                return other
    return -1


@plain
def _smallest(sides: tuple[Side, Side], blocks: Blocks, limit: int) -> tuple[int, int]:
    """The two blocks that a row of one circuit joins, of the smallest sum of sizes, then the earliest row."""
    best = (limit + 1, 0.0)
    pair = (-1, -1)
    for s in range(2):
        pair, best = _smallest_of(sides[0] if s == 0 else sides[1], blocks, s, pair, best)
    return pair


@plain
def _smallest_of(
    side: Side, blocks: Blocks, s: int, pair: tuple[int, int], best: tuple[int, float]
) -> tuple[tuple[int, int], tuple[int, float]]:
    of, _, size, _, _ = blocks
    kind, wires, entries = side[0], side[1], side[4]
    for wire in range(of.shape[1]):
        at, stop = _span(side, wire)
        for e in range(at, stop):
            row = entries[e]
            if kind[row] != GATE or wires[row, 1] < 0 or not _ready(side, row):
                continue
            a, b = of[s, wires[row, 0]], of[s, wires[row, 1]]
            key = (size[a] + size[b], row / len(kind))
            if a != b and key < best:
                best, pair = key, (a, b)
    return pair, best


@plain
def _passes(blocks: Blocks, block: int, axis: int) -> bool:
    """Whether a block on one wire commutes with the Pauli of an axis; with axis 0, whether it is a phase."""
    matrix = blocks[4]
    off = 0.0
    for r in range(matrix.shape[1]):
        m = matrix[block, r]
        if axis == 1 or axis == 2:
            sign = 1.0 if axis == 1 else -1.0
            off = max(off, abs(m[0, 0] - m[1, 1]) + abs(m[0, 1] - sign * m[1, 0]))
        else:
            off = max(off, abs(m[0, 1]) + abs(m[1, 0]) + (abs(m[0, 0] - m[1, 1]) if axis == 0 else 0.0))
    return off < 1e-12


@plain
def _walls(sides: tuple[Side, Side], blocks: Blocks) -> int:
    """Read all walls that both circuits have next; how many."""
    of, members, size, waiting, _ = blocks
    a, b = sides
    kind, wires, wall = a[0], a[1], a[3]
    read = 0
    for wire in range(of.shape[1]):
        at, stop = _span(a, wire)
        for e in range(at, stop):
            row = a[4][e]
            if kind[row] < WALL or not _ready(a, row):
                continue
            fit = True
            for k in range(wires.shape[1]):
                w = wires[row, k]
                if w < 0:
                    break
                block = of[0, w]
                fit = fit and size[block] == 1 and _passes(blocks, block, a[11][row, k])
            if not fit:
                continue
            other = _wall_of(b, wall[row], members[1, of[0, wires[row, 0]], 0])
            if other < 0:
                continue
            for k in range(wires.shape[1]):
                w = wires[row, k]
                v = b[1][other, k] if k < b[1].shape[1] else -1
                if w < 0 or v < 0:
                    fit = fit and w == v
                    break
                fit = fit and members[1, of[0, w], 0] == v
            if not fit:
                continue
            _use(a, row)
            _use(b, other)
            for k in range(wires.shape[1]):
                if wires[row, k] < 0:
                    break
                waiting[of[0, wires[row, k]]] = 1
            read += 1
            break
    return read


@plain
def _wall_of(side: Side, number: int, wire: int) -> int:
    at, stop = _span(side, wire)
    for e in range(at, stop):
        row = side[4][e]
        if side[0][row] >= WALL and side[3][row] == number and _ready(side, row):
            return row
    return -1


@numba.njit(cache=True, nogil=True)
def _enqueue(blocks: Blocks, queue: list[int]) -> None:
    """Queue the blocks that are to be looked at and are not queued yet."""
    size, waiting = blocks[2], blocks[3]
    for k in range(len(size)):
        if waiting[k] == 1 and size[k]:
            queue.append(k)
            waiting[k] = 2


@numba.njit(cache=True, nogil=True)
def compare(
    a: Side, b: Side, link: Ints, limit: int, tol: float
) -> tuple[float, Matrices, Ints, Ints, Matrices]:
    """Read both circuits to the end, or until a block would have more than `limit` wires.

    Args:
        a, b: the circuits, with equally many wires.
        link: shape (wires,): the wire of B that each wire of A is at the start.
        limit: largest block.
        tol: blocks are split, and dropped, if they are this near to a product, or the identity (Frobenius).

    Returns:
        the sum of what was rounded off (in operator norm); the phases of all dropped blocks, shape (batch,);
        and the blocks that are left: members, size, matrix. The rows' `done` say what was read.
    """
    num_wires, batch = len(link), a[2][0].shape[1]
    of = np.zeros((2, num_wires), dtype=np.int64)
    members = np.zeros((2, num_wires, limit), dtype=np.int64)
    size = np.ones(num_wires, dtype=np.int64)
    waiting = np.ones(num_wires, dtype=np.int64)
    matrix = np.zeros((num_wires, batch, 1 << limit, 1 << limit), dtype=np.complex128)
    for wire in range(num_wires):
        of[0, wire] = of[1, link[wire]] = wire
        members[0, wire, 0], members[1, wire, 0] = wire, link[wire]
        matrix[wire, :, 0, 0] = matrix[wire, :, 1, 1] = 1.0
    blocks = (of, members, size, waiting, matrix)
    phase = np.ones(batch, dtype=np.complex128)
    sides = (a, b)
    error = 0.0
    queue = list(range(num_wires))
    while True:
        while len(queue):
            block = queue.pop()
            if not size[block] or not waiting[block]:
                continue
            waiting[block] = 0
            _absorb(sides, blocks, block)
            while size[block] > 1:
                off = _split(blocks, block, tol)
                if off < 0.0:
                    break
                error += off
            if size[block] == 1:
                error += _settle(blocks, block, tol, phase)
            partner = _partner(sides, blocks, block, limit)
            if partner >= 0:
                _merge(blocks, block, partner)
            _enqueue(blocks, queue)
        if _walls(sides, blocks) + _swaps(a, blocks, 0) + _swaps(b, blocks, 1) == 0:
            x, y = _smallest(sides, blocks, limit)
            if x < 0:
                break
            _merge(blocks, x, y)
        _enqueue(blocks, queue)
    return error, phase, members, size, matrix
