"""Hot loops of placement: layouts grown and annealed, subgraphs, long paths and rings."""

from __future__ import annotations

from typing import Any, Final

import numba
import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit.jit import bare, plain
from qattn_compiler.circuit.random_kernels import HALF, below, drawn, scaled, seeded
from qattn_compiler.passes.circuit.kernels import Chip

I32 = NDArray[np.int32]
F64 = NDArray[np.float64]
U64 = NDArray[np.uint64]

_HOT, _COLD = 3.0, 0.2
_COOLED: Final = 256
"""Annealing: the first and the last temperature, in hops; steps at one temperature."""
_LOW, _TOLL = np.uint64(0xFFFFFFFF), np.uint64(1023)


@plain
def _exits(neighbours: I32, free: NDArray[np.bool_], p: int) -> int:
    """Free neighbours of p. Places with few of them go first: they are hard to use later."""
    count = 0
    for k in range(neighbours.shape[1]):
        q = neighbours[p, k]
        if q >= 0 and free[q]:
            count += 1
    return count


@numba.njit(cache=True, nogil=True)
def grow_layout(
    pairs: I32, weights: F64, chip: Chip, zone: I32, home: I32, center: int, noise: float, seed: int
) -> I32:
    """A layout grown from one qubit: next comes the qubit with the strongest ties to those placed, and goes
    to the free place that is nearest to them.

    Args:
        pairs: shape (pairs, 2): logical qubits that interact.
        weights: shape (pairs,): how much.
        chip: where.
        zone: shape (n,): component of each physical qubit.
        home: shape (logical,): the component that each logical qubit must go to, -1 for any.
        center: physical qubit to begin with, where it fits.
        noise: size of the random part of a place's price, in hops.
        seed: of the noise.

    Returns:
        shape (logical,): logical -> physical.
    """
    logical, n = len(home), len(zone)
    rng = seeded(seed)
    tie = np.zeros((logical, logical))
    for k in range(len(pairs)):
        tie[pairs[k, 0], pairs[k, 1]] += weights[k]
        tie[pairs[k, 1], pairs[k, 0]] += weights[k]
    load = tie.sum(axis=1)
    pull = np.zeros(logical)
    place = np.full(logical, -1, np.int32)
    free = np.ones(n, np.bool_)
    for _ in range(logical):
        x, best = -1, -np.inf
        for q in range(logical):
            if place[q] >= 0:
                continue
            value = pull[q] * 1e6 + load[q] * (1.0 + noise * below(rng, 1000) / 1000.0)
            # Qubits with a home go first: the others take what is left.
            value -= 1e18 if home[q] < 0 else 0.0
            if value > best:
                x, best = q, value
        ties = np.flatnonzero((tie[x] > 0) & (place >= 0))
        spot, least = -1, np.inf
        for p in range(n):
            if not free[p] or (home[x] >= 0 and zone[p] != home[x]):
                continue
            price = noise * below(rng, 1000) / 1000.0
            for other in ties:
                price += tie[x, other] / pull[x] * chip.distance[p, place[other]]
            if len(ties) == 0:
                price += chip.distance[p, center]
            price += 0.02 * _exits(chip.neighbours, free, p)
            if price < least:
                spot, least = p, price
        place[x] = spot
        free[spot] = False
        for q in range(logical):
            pull[q] += tie[x, q]
    return place


@numba.njit(cache=True, nogil=True)
def anneal_layout(
    start: I32,
    near: I32,
    begin: I32,
    weights: F64,
    chip: Chip,
    zone: I32,
    home: I32,
    steps: int,
    seed: int,
) -> I32:
    """A layout with a small sum of weight * distance, by simulated annealing: exchanges of what two places
    hold, accepted by Metropolis' rule while it cools from _HOT to _COLD.

    Args:
        start: shape (logical,): the layout to begin with.
        near, begin, weights: partners of qubit q are `near[begin[q]:begin[q + 1]]`, with these weights, whose
            mean is about 1.
        chip: where.
        zone, home: as in `grow_layout`.
        steps: exchanges to try.
        seed: of the choices.

    Returns:
        shape (logical,): logical -> physical.
    """
    n, size, width = len(zone), len(start), chip.neighbours.shape[1]
    state = seeded(seed)[0]
    place, holder = start.copy(), np.full(n, -1, np.int32)
    for x in range(size):
        holder[place[x]] = x
    neighbours, d, tolls = bare(chip.neighbours), chip.distance.astype(np.int16), _tolls()
    heat, cooling = _HOT, (_COLD / _HOT) ** (_COOLED / max(steps, 1))
    for step in range(steps):
        if step % _COOLED == _COOLED - 1:
            heat *= cooling
        state, one = drawn(state)
        state, two = drawn(state)
        x = scaled(one >> HALF, size)
        p, first, ends = place[x], begin[x], begin[x + 1]
        if step & 3 and first < ends:  # beside a partner: at the end other moves seldom help
            beside = place[near[first + scaled(one & _LOW, ends - first)]]
            q = neighbours[beside, scaled(two >> HALF, width)]
            if q < 0:
                continue
        else:
            q = np.int32(scaled(two >> HALF, n))
        y = holder[q]
        if (
            p == q
            or (home[x] >= 0 and zone[q] != home[x])
            or (y >= 0 and home[y] >= 0 and zone[p] != home[y])
        ):
            continue
        gain = 0.0
        for k in range(first, ends):
            r = place[near[k]]
            if r != q:
                gain += weights[k] * (d[q, r] - d[p, r])
        if y >= 0:
            for k in range(begin[y], begin[y + 1]):
                r = place[near[k]]
                if r != p:
                    gain += weights[k] * (d[p, r] - d[q, r])
        if gain > heat * tolls[two & _TOLL]:
            continue
        place[x] = q
        holder[q] = x
        holder[p] = y
        if y >= 0:
            place[y] = p
    return place


@numba.njit(cache=True, nogil=True)
def _tolls() -> Any:
    """How many temperatures a step may cost, by chance: minus the logarithm of evenly spread numbers."""
    count = int(_TOLL) + 1
    return -np.log((np.arange(count) + 0.5) / count)


@numba.njit(cache=True, nogil=True)
def embed(
    begin: I32,
    earlier: I32,
    later: I32,
    neighbours: I32,
    near: NDArray[np.bool_],
    most: int,
    steps: int,
    seed: int,
) -> tuple[I32, bool]:
    """Ways to put the vertices of a graph, one after the other, on different qubits so that its edges are on
    couplings: backtracking from random choices. A vertex stands beside those before it; one with no edge to
    these may stand anywhere.

    Args:
        begin, earlier: the neighbours of vertex v that come before it are
            `earlier[begin[v]:begin[v + 1]]`.
        later: shape (vertices,): how many of its neighbours come after it.
        neighbours: shape (n, largest degree), -1 fills up.
        near: shape (n, n): whether two qubits are coupled.
        most: ways to find.
        steps: qubits to try, over all.
        seed: of the choices.

    Returns:
        the ways, shape (found, vertices), and whether there are no others.
    """
    size, (n, degree) = len(later), neighbours.shape
    rng = seeded(seed)
    found, tried, v = 0, 0, 0
    out = np.empty((most, size), np.int32)
    if size == 0 or most == 0:
        return out[:0], False
    image, free = np.empty(size, np.int32), np.ones(n, np.bool_)
    tries, shift = np.zeros(size, np.int32), np.zeros(size, np.int32)
    shift[0] = below(rng, n)
    while True:
        lone = begin[v] == begin[v + 1]
        width = n if lone else degree
        chosen = np.int64(-1)
        while chosen < 0 and tries[v] < width:
            k = np.int64((tries[v] + shift[v]) % width)
            p = k
            if not lone:
                p = np.int64(neighbours[image[earlier[begin[v]]], k])
            tries[v] += 1
            if p < 0 or not free[p]:
                continue
            tried += 1
            fits = True
            for i in range(begin[v], begin[v + 1]):
                fits = fits and near[p, image[earlier[i]]]
            if fits and _exits(neighbours, free, p) >= later[v]:
                chosen = p
        if chosen >= 0:
            image[v] = chosen
            if v == size - 1:
                out[found] = image
                found += 1
                if found == most:
                    return out, False
                continue
            free[chosen] = False
            v += 1
            tries[v] = 0
            shift[v] = below(rng, n)
            if tried < steps:
                continue
        if tried >= steps:
            return out[:found], False
        v -= 1
        if v < 0:
            return out[:found], True
        free[image[v]] = True


@numba.njit(cache=True, nogil=True)
def long_path(neighbours: I32, allowed: NDArray[np.bool_], length: int, steps: int, seed: int) -> I32:
    """A simple path of up to `length` qubits: extend an end where a free neighbour is, else turn the path
    around at a neighbour that is on it (Pósa's rotation).

    Args:
        neighbours: shape (n, largest degree), -1 fills up.
        allowed: shape (n,): which qubits may be used.
        length: stop at this many.
        steps: rotations to try.
        seed: of the choices.

    Returns:
        the longest path found, in order.
    """
    n = len(neighbours)
    rng = seeded(seed)
    path = np.empty(n, np.int32)
    position = np.full(n, -1, np.int32)
    free = allowed.copy()
    usable = np.flatnonzero(allowed)
    path[0] = usable[below(rng, len(usable))]
    position[path[0]] = 0
    free[path[0]] = False
    size = 1
    best = path[:1].copy()
    for _ in range(steps):
        if size >= length:
            break
        q = _narrowest(neighbours, free, path[size - 1], rng)
        if q >= 0:
            path[size] = q
            position[q] = size
            free[q] = False
            size += 1
            if size > len(best):
                best = path[:size].copy()
            continue
        # Turn around the part behind a random neighbour on the path; or all of it, which frees the other end.
        low = 0
        k = below(rng, neighbours.shape[1] + 1)
        if k < neighbours.shape[1]:
            q = neighbours[path[size - 1], k]
            if q < 0 or position[q] < 0:
                continue
            low = position[q] + 1
        path[low:size] = path[low:size][::-1].copy()
        for i in range(low, size):
            position[path[i]] = i
    return best


@plain
def _narrowest(neighbours: I32, free: NDArray[np.bool_], p: int, rng: U64) -> int:
    """The free neighbour of p with fewest free neighbours, ties at random; -1 if p has none."""
    best, fewest, ties = -1, 1 << 30, 0
    for k in range(neighbours.shape[1]):
        q = neighbours[p, k]
        if q < 0 or not free[q]:
            continue
        count = _exits(neighbours, free, q)
        if count < fewest:
            best, fewest, ties = q, count, 1
        elif count == fewest:
            ties += 1
            if below(rng, ties) == 0:
                best = q
    return best


@numba.njit(cache=True, nogil=True)
def ring(neighbours: I32, allowed: NDArray[np.bool_], length: int, steps: int, seed: int) -> I32:
    """A simple cycle of exactly `length` qubits, or an empty array: a square that grows by bumps (two qubits
    more), while corners slide and, now and then, a bump is flattened so that growth can begin elsewhere.

    Args:
        neighbours, allowed, steps, seed: as in `long_path`.
        length: of the cycle; an odd one is found only where squares can become odd cycles.

    Returns:
        the cycle, in order, or shape (0,).
    """
    n = len(neighbours)
    rng = seeded(seed)
    after = np.full(n, -1, np.int32)
    before = np.full(n, -1, np.int32)
    usable = np.flatnonzero(allowed)
    size = 0
    for _ in range(50 if length >= 4 and len(usable) > 3 else 0):
        if size == 0 and _square(neighbours, allowed, usable[below(rng, len(usable))], after, before):
            size = 4
    for _ in range(steps if size else 0):
        if size == length:
            found: I32 = _in_order(after, length)
            return found
        u = usable[below(rng, len(usable))]
        a = neighbours[u, below(rng, neighbours.shape[1])]
        if after[u] < 0:
            continue
        if a >= 0 and allowed[a] and after[a] < 0 and size < length:
            if size + 2 <= length and _bump(neighbours, allowed, u, a, after, before):
                size += 2
            else:
                _slide(neighbours, u, a, after, before)
        if below(rng, 40) == 0 and size > 4 and _flatten(neighbours, u, after, before):
            size -= 2
    return np.empty(0, np.int32)


@plain
def _near(neighbours: I32, a: int, b: int) -> bool:
    for k in range(neighbours.shape[1]):  # noqa: SIM110 (Numba has no generator expressions)
        if neighbours[a, k] == b:
            return True
    return False


@numba.njit(cache=True, nogil=True)
def _in_order(after: I32, length: int) -> Any:
    out = np.empty(length, np.int32)
    at = np.flatnonzero(after >= 0)[0]
    for i in range(length):
        out[i] = at
        at = np.int64(after[at])
    return out


@plain
def _link(after: I32, before: I32, a: int, b: int) -> None:
    after[a] = b
    before[b] = a


@plain
def _square(neighbours: I32, allowed: NDArray[np.bool_], a: int, after: I32, before: I32) -> bool:
    """Make a square at qubit a the cycle, if there is one."""
    width = neighbours.shape[1]
    for i in range(width):
        for j in range(i):
            b, d = neighbours[a, i], neighbours[a, j]
            if b < 0 or d < 0 or not (allowed[b] and allowed[d]):
                continue
            for k in range(width):
                c = neighbours[b, k]
                if c >= 0 and c != a and allowed[c] and _near(neighbours, c, d):
                    _link(after, before, a, b)
                    _link(after, before, b, c)
                    _link(after, before, c, d)
                    _link(after, before, d, a)
                    return True
    return False


@plain
def _bump(neighbours: I32, allowed: NDArray[np.bool_], u: int, a: int, after: I32, before: I32) -> bool:
    """u - v becomes u - a - b - v for a free b."""
    v = after[u]
    for k in range(neighbours.shape[1]):
        b = neighbours[v, k]
        if b >= 0 and b != a and allowed[b] and after[b] < 0 and _near(neighbours, a, b):
            _link(after, before, u, a)
            _link(after, before, a, b)
            _link(after, before, b, v)
            return True
    return False


@plain
def _slide(neighbours: I32, u: int, a: int, after: I32, before: I32) -> None:
    """u - v - w becomes u - a - w, if a is next to w."""
    v = after[u]
    w = after[v]
    if w != u and _near(neighbours, a, w):
        _link(after, before, u, a)
        _link(after, before, a, w)
        after[v] = -1
        before[v] = -1


@plain
def _flatten(neighbours: I32, u: int, after: I32, before: I32) -> bool:
    """u - a - b - v becomes u - v, if they are neighbours."""
    a = after[u]
    b = after[a]
    v = after[b]
    if not _near(neighbours, u, v):
        return False
    _link(after, before, u, v)
    after[a], before[a], after[b], before[b] = -1, -1, -1, -1
    return True
