"""Hot loops of parity networks and linear maps on a coupling graph."""

from __future__ import annotations

from typing import Any, Final

import numba
import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit.jit import plain

U8 = NDArray[np.uint8]
I32 = NDArray[np.int32]
I64 = NDArray[np.int64]
Bools = NDArray[np.bool_]

RZ: Final = 0
X: Final = 1
CX: Final = 2
SWAP: Final = 3

_COLUMNS: Final = 6
"""How many columns are priced in a step."""
_BEAM: Final = 32
"""How many paths are grown side by side (`_path`)."""
_SEARCHES: Final = 8
"""How many such searches, each with other weights."""
_STAR: Final = 6
"""Outputs made of this many wires are worth a walk."""
_WORK: Final = 240
"""How many terminals are joined to trees for each of them, over all roots."""
_SEEN: Final = 0
_BACK: Final = 1
_INSIDE: Final = 2
_QUEUE: Final = 3
_ORDER: Final = 4
_PARENT: Final = 5
_ROOM: Final = 6
"""Rows of the room in which trees are grown."""


@numba.njit(cache=True, nogil=True)
def follow(kind: I64, operands: I32, size: int) -> tuple[U8, U8, U8, U8]:
    """What a region of CX, SWAP, X and Z rotations does to basis states.

    Args:
        kind: shape (rows,): RZ, X, CX or SWAP.
        operands: shape (rows, 2).
        size: how many wires.

    Returns:
        outputs of shape (size, size): row w has a 1 for each input in the parity that wire w ends with;
        flipped of shape (size,): whether it ends negated; parities of shape (rotations, size) and negated of
        shape (rotations,): the same for the wire of each rotation when its turn comes.
    """
    outputs = np.eye(size, dtype=np.uint8)
    flipped = np.zeros(size, dtype=np.uint8)
    count = 0
    for k in kind:
        count += k == RZ
    parities = np.zeros((count, size), dtype=np.uint8)
    negated = np.zeros(count, dtype=np.uint8)
    at = 0
    for row in range(len(kind)):
        a, b = operands[row]
        if kind[row] == RZ:
            parities[at] = outputs[a]
            negated[at] = flipped[a]
            at += 1
        elif kind[row] == X:
            flipped[a] ^= 1
        elif kind[row] == CX:
            outputs[b] ^= outputs[a]
            flipped[b] ^= flipped[a]
        else:
            for q in range(size):
                outputs[a, q], outputs[b, q] = outputs[b, q], outputs[a, q]
            flipped[a], flipped[b] = flipped[b], flipped[a]
    return outputs, flipped, parities, negated


@numba.njit(cache=True, nogil=True)
def inverse(matrix: U8) -> U8:
    """The inverse of an invertible matrix over GF(2)."""
    size = len(matrix)
    left = matrix.copy()
    right = np.eye(size, dtype=np.uint8)
    for column in range(size):
        pivot = column
        while not left[pivot, column]:
            pivot += 1
        if pivot != column:
            left[column] ^= left[pivot]
            right[column] ^= right[pivot]
        for row in range(size):
            if row != column and left[row, column]:
                left[row] ^= left[column]
                right[row] ^= right[column]
    return right


@numba.njit(cache=True, nogil=True)
def _room(size: int) -> I64:
    """Where `_tree` works: see there."""
    return np.zeros((_ROOM, size), dtype=np.int64)


@plain
def _tree(ones: U8, root: int, alive: Bools, neighbours: I32, room: I64, limit: int) -> tuple[int, int]:
    """A tree that joins the root with all wires where `ones` is 1.

    Takahashi and Matsuyama 1980: again and again the shortest path to the next wire.

    Args:
        ones: shape (wires,): 1 for those to be joined.
        root: the first of the tree.
        alive: shape (wires,): which wires may be used.
        neighbours: shape (wires, degree), -1 fills up.
        room: of `_room`: when each wire was last seen, from where, whether it is in the tree, a queue; filled
            with the tree in _ORDER, parents before children, and in _PARENT the parent of each wire.
        limit: stop when the tree costs that many CX or more.

    Returns:
        the number of wires in the tree, and how many CX `_eliminate` takes for it.
    """
    size = len(ones)
    left = 0
    for q in range(size):
        left += ones[q] and q != root
        room[_SEEN, q] = room[_INSIDE, q] = 0
    room[_INSIDE, root] = 1
    room[_ORDER, 0] = root
    count = 1
    cost = 0 if ones[root] else 1
    turn = 0
    while left:
        turn += 1
        found = _next_wire(ones, alive, neighbours, count, room, turn)
        if found < 0:
            return -1, 1 << 60
        length = 0
        u = found
        while not room[_INSIDE, u]:
            length += 1
            u = room[_BACK, u]
        u = found
        for i in range(length):
            room[_ORDER, count + length - 1 - i] = u
            room[_PARENT, u] = room[_BACK, u]
            room[_INSIDE, u] = 1
            u = room[_BACK, u]
        count += length
        cost += 2 * length - 1
        left -= 1
        if cost >= limit:
            return count, cost
    return count, cost if count > 1 else 0


@plain
def _next_wire(ones: U8, alive: Bools, neighbours: I32, count: int, room: I64, turn: int) -> int:
    """The wanted wire that is nearest to the tree of `count` wires, breadth first; -1 if there is none."""
    end = count
    for i in range(count):
        room[_QUEUE, i] = room[_ORDER, i]
        room[_SEEN, room[_ORDER, i]] = turn
    head = 0
    while head < end:
        u = room[_QUEUE, head]
        head += 1
        for j in range(neighbours.shape[1]):
            v = neighbours[u, j]
            if v < 0 or not alive[v] or room[_SEEN, v] == turn:
                continue
            room[_SEEN, v] = turn
            room[_BACK, v] = u
            if ones[v]:
                return v
            room[_QUEUE, end] = v
            end += 1
    return -1


@plain
def _add(table: U8, source: int, target: int) -> None:
    """Add a row to another over GF(2). A loop: Numba takes long to compile the same in one expression."""
    for k in range(table.shape[1]):
        table[target, k] ^= table[source, k]


@numba.njit(cache=True, nogil=True)
def _cx(control: int, target: int, tables: tuple[U8, U8, U8], steps: I64, count: int) -> tuple[I64, int]:
    """Note a CX, and what it does to the tables (`network`)."""
    wanted, dual, waiting = tables
    _add(wanted, control, target)
    _add(dual, target, control)
    _add(waiting, target, control)
    return _noted(steps, count, control, target, -1)


@numba.njit(cache=True, nogil=True)
def _noted(steps: I64, count: int, first: int, second: int, third: int) -> tuple[I64, int]:
    if count == len(steps):
        longer = np.zeros((2 * count, 3), dtype=np.int64)
        longer[:count] = steps
        steps = longer
    steps[count, 0], steps[count, 1], steps[count, 2] = first, second, third
    return steps, count + 1


@numba.njit(cache=True, nogil=True)
def _eliminate(
    column: U8, root: int, alive: Bools, neighbours: I32, back: bool, tables: Any, steps: I64, count: int
) -> tuple[I64, int]:
    """CX that leave of a table's column a single 1, at the root.

    Nash, Gheorghiu, Mosca, arXiv:1904.01972, section 3: along a tree fill the zeros from below, then clear
    every wire by its parent, again from below.

    Args:
        column: shape (wires,): the column; it is changed.
        root: where the 1 stays.
        alive, neighbours: as in `_tree`.
        back: the table is one of those whose rows are added from target to control.
        tables, steps, count: as in `_cx`.
    """
    room = _room(len(column))
    length, _ = _tree(column, root, alive, neighbours, room, 1 << 60)
    for i in range(length - 1, 0, -1):
        v = room[_ORDER, i]
        p = room[_PARENT, v]
        if not column[p]:
            column[p] = 1
            control, target = (p, v) if back else (v, p)
            steps, count = _cx(control, target, tables, steps, count)
    for i in range(length - 1, 0, -1):
        v = room[_ORDER, i]
        p = room[_PARENT, v]
        control, target = (v, p) if back else (p, v)
        steps, count = _cx(control, target, tables, steps, count)
    return steps, count


@numba.njit(cache=True, nogil=True)
def _weights(table: U8) -> I64:
    out = np.zeros(table.shape[1], dtype=np.int64)
    for row in range(table.shape[0]):
        for k in range(table.shape[1]):
            out[k] += table[row, k]
    return out


@plain
def _is_cut(vertex: int, alive: Bools, neighbours: I32, room: I64) -> bool:
    """Whether the living wires fall apart without that one."""
    total, first = 0, -1
    for q in range(len(alive)):
        room[_SEEN, q] = 0
        if alive[q] and q != vertex:
            total += 1
            first = q
    if not total:
        return False
    room[_SEEN, vertex] = room[_SEEN, first] = 1
    room[_QUEUE, 0] = first
    head, end = 0, 1
    while head < end:
        u = room[_QUEUE, head]
        head += 1
        for j in range(neighbours.shape[1]):
            v = neighbours[u, j]
            if v >= 0 and alive[v] and not room[_SEEN, v]:
                room[_SEEN, v] = 1
                room[_QUEUE, end] = v
                end += 1
    return end < total


@numba.njit(cache=True, nogil=True)
def _choose(tables: Any, alive: Bools, open_columns: Bools, neighbours: I32, heavy: bool) -> tuple[int, int]:
    """The wire to finish next, and the output that it shall hold."""
    wanted, dual, _ = tables
    size = len(alive)
    weight = _weights(wanted) + _weights(dual)
    room = _room(size)
    free = np.zeros(size, dtype=np.bool_)
    for q in range(size):
        free[q] = alive[q] and not _is_cut(q, alive, neighbours, room)
    is_left = False
    for column in range(size):
        if not open_columns[column]:
            continue
        if weight[column] > 2:
            is_left = True
        elif free[wanted[:, column].argmax()]:
            return wanted[:, column].argmax(), column
    rank = np.argsort((-weight if heavy else weight) * size + np.random.permutation(size))
    best_cost, best_wire, best_column, priced = 1 << 60, -1, -1, 0
    for column in rank:
        # an output that has come to stand alone waits until its wire may go
        if not open_columns[column] or (is_left and weight[column] == 2):
            continue
        if priced == (1 if heavy else _COLUMNS):
            break
        priced += 1
        one, other = wanted[:, column].copy(), dual[:, column].copy()
        tries = max(3, _WORK // weight[column])
        for root in np.random.permutation(size):
            if not free[root]:
                continue
            if tries == 0:
                break
            tries -= 1
            _, cost = _tree(one, root, alive, neighbours, room, best_cost)
            if cost < best_cost:
                cost += _tree(other, root, alive, neighbours, room, best_cost - cost)[1]
            if cost < best_cost:
                best_cost, best_wire, best_column = cost, root, column
    return best_wire, best_column


@plain
def _ones(table: U8) -> int:
    """How many there are."""
    total = 0
    for row in range(table.shape[0]):
        for k in range(table.shape[1]):
            total += table[row, k]
    return total


@numba.njit(cache=True, nogil=True)
def _lightest(waiting: U8, left: Bools, weight: I64, alive: Bools, neighbours: I32) -> int:
    """The parity that takes fewest CX to stand on some wire."""
    size = len(alive)
    column = np.zeros(size, dtype=np.uint8)
    room = _room(size)
    best_cost, best = 1 << 60, -1
    for ones in range(1, size + 1):
        if ones - 1 >= best_cost:
            break
        for k in range(len(left)):
            if not left[k] or weight[k] != ones:
                continue
            for q in range(size):
                column[q] = waiting[q, k]
            _, cost = _tree(column, column.argmax(), alive, neighbours, room, best_cost)
            if cost < best_cost:
                best_cost, best = cost, k
    return best


@numba.njit(cache=True, nogil=True)
def _best_root(column: U8, alive: Bools, neighbours: I32, tables: Any) -> int:
    """The wire for a parity that leaves the other parities lightest."""
    _, dual, waiting = tables
    best, root, tried = 1 << 60, -1, 0
    none = np.zeros((len(column), 0), dtype=np.uint8)
    for q in np.random.permutation(len(column)):
        if not column[q]:
            continue
        if tried == 4:
            break
        tried += 1
        trial = (none, dual.copy(), waiting.copy())
        _, count = _eliminate(
            column.copy(), q, alive, neighbours, True, trial, np.zeros((64, 3), dtype=np.int64), 0
        )
        score = 4 * count + _ones(trial[2]) + _ones(trial[1])
        if score < best:
            best, root = score, q
    return root


@plain
def _gain(v: int, ones: U8, alive: Bools, covered: Bools, neighbours: I32, border: int) -> tuple[int, int]:
    """How many CX a path saves if it goes on to a wire, and how much that wire is to be liked."""
    # a move costs 2, or 3 over a wire that is not wanted; wires beside the path cost 1 instead of 2
    gain = -(0 if ones[v] else 3) - (1 if covered[v] and ones[v] else 0)
    narrow = 0
    for j in range(neighbours.shape[1]):
        u = neighbours[v, j]
        if u < 0 or not ones[u] or not alive[u] or covered[u]:
            continue
        gain += 1
        narrow += border
        for k in range(neighbours.shape[1]):
            x = neighbours[u, k]
            narrow -= x >= 0 and ones[x] and not covered[x]
    return gain, narrow


@plain
def _holds(path: I64, length: int, v: int) -> bool:
    found = False
    for j in range(length):
        found |= path[j] == v
    return found


@numba.njit(cache=True, nogil=True)
def _grow_path(
    ones: U8, start: int, alive: Bools, neighbours: I32, border: int, noise: int
) -> tuple[int, I64]:
    """One beam search of `_path`.

    Args:
        ones, alive, neighbours: as in `_tree`.
        start: where the path begins.
        border: how much wires with few others around them are sought.
        noise: scores vary by less than this.

    Returns:
        about how many CX it takes, and the path.
    """
    size, total, keep = len(ones), 0, _BEAM
    for q in range(size):
        total += ones[q]
    paths = np.zeros((keep, size), dtype=np.int64)
    covered = np.zeros((keep, size), dtype=np.bool_)
    scores, lures = np.zeros(keep, dtype=np.int64), np.zeros(keep, dtype=np.int64)
    paths[0, 0] = start
    covered[0, start] = True
    for u in neighbours[start]:
        if u >= 0 and alive[u]:
            covered[0, u] = True
            scores[0] += ones[u]
    best, best_length, best_path = 2 * total - scores[0], 1, paths[0].copy()
    next_paths, next_covered = np.zeros_like(paths), np.zeros_like(covered)
    offers = np.zeros((keep * neighbours.shape[1], 4), dtype=np.int64)
    count, length = 1, 1
    while count and length < size:
        found = 0
        for i in range(count):
            for v in neighbours[paths[i, length - 1]]:
                if v < 0 or not alive[v] or _holds(paths[i], length, v):
                    continue
                gain, narrow = _gain(v, ones, alive, covered[i], neighbours, border)
                narrow += np.random.randint(noise)
                offers[found, 0], offers[found, 1], offers[found, 2] = scores[i] + gain, i, v
                offers[found, 3] = lures[i] + 8 * gain + narrow
                found += 1
        rank = np.argsort(-offers[:found, 3])
        count = min(keep, found)
        new_scores, new_lures = np.zeros(keep, dtype=np.int64), np.zeros(keep, dtype=np.int64)
        for k in range(count):
            score, i, v, lure = offers[rank[k]]
            next_paths[k] = paths[i]
            next_paths[k, length] = v
            next_covered[k] = covered[i]
            next_covered[k, v] = True
            for u in neighbours[v]:
                if u >= 0:
                    next_covered[k, u] = True
            new_scores[k], new_lures[k] = score, lure
            if 2 * total - score < best:
                best, best_length, best_path = 2 * total - score, length + 1, next_paths[k].copy()
        scores, lures = new_scores, new_lures
        paths, next_paths = next_paths, paths
        covered, next_covered = next_covered, covered
        length += 1
    return best, best_path[:best_length].copy()


@numba.njit(cache=True, nogil=True)
def _path(ones: U8, start: int, alive: Bools, neighbours: I32) -> I64:
    """A path from a wire that has as many of others on it or beside it as can be found: beam searches."""
    best, path = 1 << 60, np.full(1, start, dtype=np.int64)
    for turn in range(_SEARCHES):
        cost, found = _grow_path(ones, start, alive, neighbours, 1 + turn % 4, 1 + 4 * (turn // 4))
        if cost < best:
            best, path = cost, found
    return path


@numba.njit(cache=True, nogil=True)
def _walk(
    column: U8, start: int, alive: Bools, neighbours: I32, back: bool, tables: Any, steps: I64, count: int
) -> tuple[I64, int]:
    """`_eliminate` for an output that is on one wire so far: it moves along a path and takes up what is on
    the path (2 CX each) and beside it (1 CX each, never to be undone). A tree with a fixed root takes 2 CX
    for all but the root's neighbours, as what the other wires took up must be undone.
    """
    size = len(column)
    order = np.zeros(size, dtype=np.int64)
    parent = np.full(size, -1, dtype=np.int64)
    path = _path(column, start, alive, neighbours)
    is_on = np.zeros(size, dtype=np.bool_)
    is_on[path] = True
    # what each wire of the path takes up: paths to the wires left over, by the search of `_tree`
    rest = column.copy()
    rest[path] = 0
    owner = np.full(size, -1, dtype=np.int64)
    for i in range(len(path)):
        owner[path[i]] = i
    length = _hang(rest, path, alive, neighbours, order, parent, owner)
    for i in range(len(path)):
        here = path[i]
        for turn in range(2):
            for j in range(length - 1, len(path) - 1, -1):
                v = order[j]
                if owner[v] != i:
                    continue
                p = parent[v]
                if turn == 0 and not column[p]:
                    column[p] = 1
                    control, target = (p, v) if back else (v, p)
                elif turn == 1:
                    control, target = (v, p) if back else (p, v)
                else:
                    continue
                steps, count = _cx(control, target, tables, steps, count)
        if i + 1 == len(path):
            break
        there = path[i + 1]
        first, second = (here, there) if back else (there, here)
        if not column[there]:
            steps, count = _cx(second, first, tables, steps, count)
        steps, count = _cx(first, second, tables, steps, count)
        steps, count = _cx(second, first, tables, steps, count)
    return steps, count


@numba.njit(cache=True, nogil=True)
def _hang(ones: U8, path: I64, alive: Bools, neighbours: I32, order: I64, parent: I64, owner: I64) -> int:
    """Grow a path into a tree that joins all wires where `ones` is 1.

    Args:
        ones, alive, neighbours: as in `_tree`.
        order: shape (wires,): filled with the tree, parents before children.
        parent: shape (wires,): filled with the parents of the tree's wires.
        path: what the tree begins with.
        owner: shape (wires,): filled with the path's wire (its number) on which a wire hangs.

    Returns:
        the number of wires in the tree.
    """
    size = len(ones)
    count = len(path)
    order[:count] = path
    back = np.zeros(size, dtype=np.int64)
    queue = np.zeros(size, dtype=np.int64)
    while True:
        seen = owner >= 0
        queue[:count] = order[:count]
        head, end, found = 0, count, -1
        while head < end and found < 0:
            u = queue[head]
            head += 1
            for v in neighbours[u]:
                if v < 0 or not alive[v] or seen[v]:
                    continue
                seen[v] = True
                back[v] = u
                if ones[v]:
                    found = v
                    break
                queue[end] = v
                end += 1
        if found < 0:
            return count
        length = 0
        u = found
        while owner[u] < 0:
            length += 1
            u = back[u]
        top = owner[u]
        u = found
        for i in range(length):
            order[count + length - 1 - i] = u
            parent[u] = back[u]
            owner[u] = top
            u = back[u]
        count += length


@numba.njit(cache=True, nogil=True)
def _walk_all(alive: Bools, neighbours: I32, tables: Any, steps: I64, count: int) -> tuple[I64, int]:
    """`_walk` for every output that is on one wire and made of many, or the other way round."""
    wanted, dual, _ = tables
    for output in np.argsort(-(_weights(wanted) + _weights(dual))):
        one, other = wanted[:, output].copy(), dual[:, output].copy()
        if one.sum() == 1 and other.sum() >= _STAR:
            steps, count = _walk(other, one.argmax(), alive, neighbours, True, tables, steps, count)
        elif other.sum() == 1 and one.sum() >= _STAR:
            steps, count = _walk(one, other.argmax(), alive, neighbours, False, tables, steps, count)
    return steps, count


@numba.njit(cache=True, nogil=True)
def network(
    wanted: U8, dual: U8, waiting: U8, neighbours: I32, mode: int, seed: int, limit: int
) -> tuple[I64, I64, int]:
    """CX on the edges of a connected graph that bring every parity onto some wire at some time, and in the
    end every output onto some wire.

    Greedy: the cheapest parity first. Then wires are finished one by one (PermRowCol, Griend and Li,
    arXiv:2205.00724): a wire whose loss keeps the graph connected is given one output, and nothing else.

    Args:
        wanted: shape (wires, outputs): the inverse of the map's matrix (inputs, outputs); changed.
        dual: shape (wires, outputs): column j has a 1 for each wire in the parity of output j; changed.
        waiting: shape (wires, parities): the parities, each over the wires; changed.
        neighbours: shape (wires, degree), -1 fills up.
        mode: 0 light outputs first; 1 heavy ones first; 2 light ones, the map before its inverse; 3 walks
            for outputs of many wires, then as 0.
        seed: of choices among equals.
        limit: give up when there are more CX than this.

    Returns:
        steps of shape (count, 3): (control, target, -1) for a CX, (-1, wire, parity) where a parity stands on
        a wire; place of shape (outputs,): the wire on which each output ends; the number of CX, -1 if given
        up.
    """
    np.random.seed(seed)
    size = len(wanted)
    tables = (wanted, dual, waiting)
    alive = np.ones(size, dtype=np.bool_)
    place = np.full(size, -1, dtype=np.int64)
    steps = np.zeros((256, 3), dtype=np.int64)
    count, stood = 0, 0
    left = np.ones(waiting.shape[1], dtype=np.bool_)
    while True:
        weight = _weights(waiting)
        for k in range(len(left)):
            if left[k] and weight[k] == 1:
                steps, count = _noted(steps, count, -1, waiting[:, k].argmax(), k)
                waiting[:, k] = 0
                left[k] = False
                stood += 1
        if count - stood + len(left) - stood > limit:  # a CX makes one parity at most
            return steps[:0], place, -1
        k = _lightest(waiting, left, weight, alive, neighbours)
        if k < 0:
            break
        column = waiting[:, k].copy()
        root = _best_root(column, alive, neighbours, tables)
        steps, count = _eliminate(column, root, alive, neighbours, True, tables, steps, count)
    if mode == 3:
        steps, count = _walk_all(alive, neighbours, tables, steps, count)
    open_columns = np.ones(size, dtype=np.bool_)
    for _ in range(size):
        wire, output = _choose(tables, alive, open_columns, neighbours, mode == 1)
        for turn in range(2):
            back = (turn == 0) == (mode == 2)
            column = dual[:, output].copy() if back else wanted[:, output].copy()
            steps, count = _eliminate(column, wire, alive, neighbours, back, tables, steps, count)
        if count - stood > limit:
            return steps[:0], place, -1
        alive[wire] = False
        open_columns[output] = False
        place[output] = wire
    return steps[:count].copy(), place, count - stood
