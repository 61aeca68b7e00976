"""Compiled loops of `synth.chip_state`: walks over parities, and the search for places.

A parity is a bit mask over the qubits prepared so far; a line is a qubit that holds one. Within a level,
masks are coordinates in a basis of lines ordered by distance from the target, and the order of a mask is its
highest bit: the step number i of a walk needs a neighbour of the target whose order is the number of trailing
zeros of i.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit.bit_kernels import highest_bit
from qattn_compiler.circuit.jit import plain
from qattn_compiler.circuit.random_kernels import uniform, uniform_state

Ints = NDArray[np.int64]

PATHS = 1200
"""Paths to a target's neighbours that are looked at."""
SHORT = 3
"""Up to so many steps, all simple paths are; beyond, one for each pair of ends."""
FLIP, MOVE = 0, 1
"""Events: a CZ of a neighbour and the target, a CX between lines."""
NEVER = 1e18
SOON, LATE = 1.0, 1.0
"""What the search for places takes for a walk's `soon` and `late`."""


@plain
def _distances(adjacent: NDArray[np.bool_], target: int, distance: Ints, queue: Ints) -> int:
    """Hops from the target, and the qubits in that order; how many are reached."""
    for v in range(len(distance)):
        distance[v] = len(distance) + 1
    distance[target], queue[0], reached = 0, target, 1
    at = 0
    while at < reached:
        for v in range(len(distance)):
            if adjacent[queue[at], v] and distance[v] > len(distance):
                distance[v] = distance[queue[at]] + 1
                queue[reached] = v
                reached += 1
        at += 1
    return reached


@plain
def _paths(
    adjacent: NDArray[np.bool_], target: int, pool: Ints, length: Ints, reached: NDArray[np.bool_]
) -> int:
    """Paths that end at a neighbour of the target and avoid the target, shortest first; how many. `reached`
    of shape (qubits, qubits) is all False."""
    size, count = len(adjacent), 0
    for u in range(size):
        if adjacent[target, u]:
            pool[count, 0], length[count] = u, 1
            reached[u, u] = True
            count += 1
    begin = 0
    for steps in range(1, size):
        end = count
        for number in range(begin, end):
            last = pool[number, steps - 1]  # paths are kept from their end to their start
            for v in range(size):
                if v == target or not adjacent[last, v] or count == PATHS:
                    continue
                known = steps > SHORT and reached[pool[number, 0], v]
                for k in range(steps):
                    known = known or pool[number, k] == v
                if known:
                    continue
                for k in range(steps):
                    pool[count, k] = pool[number, k]
                pool[count, steps], length[count] = v, steps + 1
                reached[pool[number, 0], v] = True
                count += 1
        begin = end
    return count


@numba.njit(cache=True, nogil=True)
def _coordinates(masks: Ints, queue: Ints, reached: int, basis: Ints, coordinate: Ints) -> int:
    """Coordinates of all masks in a basis of the first independent ones in a queue; its size."""
    size = 0
    pivot = np.full(64, -1, dtype=np.int64)  # highest bit -> row
    row, made = np.zeros(64, dtype=np.int64), np.zeros(64, dtype=np.int64)
    for k in range(1, reached):
        rest, coordinates = masks[queue[k]], 0
        while rest and pivot[highest_bit(rest)] >= 0:
            at = pivot[highest_bit(rest)]
            rest ^= row[at]
            coordinates ^= made[at]
        if rest:
            pivot[highest_bit(rest)], row[size], made[size] = size, rest, coordinates ^ (1 << size)
            basis[size] = masks[queue[k]]
            coordinates = 1 << size
            size += 1
        coordinate[queue[k]] = coordinates
    return size


@plain
def _nearest(coordinate: Ints, distance: Ints, target: int, orders: int, nearest: Ints) -> None:
    """For each order, how far the nearest line of that order is from the target."""
    for order in range(orders):
        nearest[order] = len(coordinate)
    for u in range(len(coordinate)):
        order = highest_bit(coordinate[u])
        if u != target and order >= 0:
            nearest[order] = min(nearest[order], distance[u])


@plain
def _provide(
    coordinate: Ints,
    wanted: int,
    orders: int,
    target: int,
    distance: Ints,
    pool: Ints,
    length: Ints,
    paths: int,
    ideal: Ints,
    trial: Ints,
    nearest: Ints,
    soon: float,
    late: float,
) -> int:
    """The path along which CX gates bring a line of the wanted order to a neighbour of the target at the
    least cost, now and for what is wanted next; -1 if there is none."""
    best, least = -1, NEVER
    for number in range(paths):
        cost = float(length[number] - 1)
        if cost >= least:
            break
        total = 0
        for k in range(length[number]):
            total ^= coordinate[pool[number, k]]
        if highest_bit(total) != wanted:
            continue
        for u in range(len(trial)):
            trial[u] = coordinate[u]
        for k in range(length[number] - 1, 0, -1):
            trial[pool[number, k - 1]] ^= trial[pool[number, k]]
        _nearest(trial, distance, target, orders, nearest)
        for order in range(orders):
            weight = soon if order < wanted else late * 0.5 ** (order - wanted + 1)
            cost += weight * max(0, nearest[order] - ideal[order])
        if cost < least:
            best, least = number, cost
    return best


@numba.njit(cache=True, nogil=True)
def walk(
    adjacent: NDArray[np.bool_],
    masks: Ints,
    target: int,
    level: int,
    cap: int,
    soon: float,
    late: float,
    events: Ints,
    parities: Ints,
) -> tuple[int, int]:
    """Visit every parity of `level` bits on the target, by CZ with its neighbours and CX between the others.

    Args:
        adjacent: shape (qubits, qubits).
        masks: shape (qubits,): what each line holds; changed to what it holds at the end.
        target: the qubit, whose own mask does not matter.
        level: how many independent bits the lines hold.
        cap: at most so many steps are made.
        soon, late: what it counts that a line of an order is farther away than at the beginning, for orders
            that are wanted before the present one is again, and for the others.
        events: shape (room, 3): gets (FLIP, neighbour, -1) and (MOVE, from, to).
        parities: shape (2^level,) or none: gets the parities in the order of the walk.

    Returns:
        how many events, and how many of them are steps; -1 if some parity cannot be brought near.
    """
    size = len(masks)
    distance, queue = np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.int64)
    reached = _distances(adjacent, target, distance, queue)
    basis, coordinate = np.zeros(64, dtype=np.int64), np.zeros(size, dtype=np.int64)
    if _coordinates(masks, queue, reached, basis, coordinate) < level:
        return -1, 0
    pool, length = np.empty((PATHS, size), dtype=np.int64), np.empty(PATHS, dtype=np.int64)
    paths = _paths(adjacent, target, pool, length, np.zeros((size, size), dtype=np.bool_))
    ideal, nearest = np.zeros(64, dtype=np.int64), np.zeros(64, dtype=np.int64)
    _nearest(coordinate, distance, target, level, ideal)
    trial = np.zeros(size, dtype=np.int64)
    count, parity, steps = 0, 0, min(cap, (1 << level) - 1)
    for step in range(1, steps + 1):
        wanted, rest = 0, step
        while not rest & 1:
            rest >>= 1
            wanted += 1
        hit = -1
        for u in range(size):
            if adjacent[target, u] and highest_bit(coordinate[u]) == wanted:
                hit = u
                break
        if hit < 0:
            number = _provide(
                coordinate,
                wanted,
                level,
                target,
                distance,
                pool,
                length,
                paths,
                ideal,
                trial,
                nearest,
                soon,
                late,
            )
            if number < 0:
                return -1, 0
            for k in range(length[number] - 1, 0, -1):
                a, b = pool[number, k], pool[number, k - 1]
                coordinate[b] ^= coordinate[a]
                if count < len(events):
                    events[count] = MOVE, a, b
                count += 1
            hit = pool[number, 0]
        if count < len(events):
            events[count] = FLIP, hit, -1
        count += 1
        parity ^= coordinate[hit]
        if step < len(parities):
            parities[step] = _mask(parity, basis, level)
    for u in range(size):
        masks[u] = _mask(coordinate[u], basis, level)
    return count, steps


@plain
def _mask(coordinates: int, basis: Ints, level: int) -> int:
    mask = 0
    for k in range(level):
        if coordinates >> k & 1:
            mask ^= basis[k]
    return mask


@numba.njit(cache=True, nogil=True)
def cost(adjacent: NDArray[np.bool_], places: Ints, cap: int, none: Ints, alone: bool) -> float:
    """Two-qubit gates of a preparation level by level on these places, those of long walks extrapolated.

    Args:
        adjacent: shape (machine qubits, machine qubits).
        places: shape (qubits,): machine qubits in the order of the levels.
        cap: steps that are made of each walk.
        none: an empty array of shape (0, 3).
        alone: only the last level counts, with every other qubit on a line of its own.
    """
    size = len(places)
    near = np.zeros((size, size), dtype=np.bool_)
    for i in range(size):
        for k in range(size):
            near[i, k] = adjacent[places[i], places[k]]
    masks = np.zeros(size, dtype=np.int64)
    for k in range(size - 1 if alone else 1):
        masks[k] = 1 << k
    total = 0.0
    for level in range(max(1, size - 1) if alone else 1, size):
        count, steps = walk(near, masks, level, level, cap, SOON, LATE, none, none[:, 0])
        if count < 0:
            return NEVER
        total += count * (((1 << level) - 1) / steps)
        masks[level] = 1 << level
    return total


@numba.njit(cache=True, nogil=True)
def search(
    adjacent: NDArray[np.bool_], start: Ints, tries: int, cap: int, hot: float, seed: int, alone: bool
) -> tuple[float, Ints]:
    """Places for the levels of a preparation, by simulated annealing.

    Args:
        adjacent: shape (machine qubits, machine qubits).
        start: shape (qubits,): places to begin with; -1 at the first for random connected ones.
        tries: changes that are tried.
        cap: see `cost`.
        hot: the first temperature, as a share of the cost.
        seed: of the random choices.
        alone: see `cost`.

    Returns:
        the cost (`NEVER` if nothing was found) and the places.
    """
    machine, size = len(adjacent), len(start)
    state = uniform_state(seed)
    none = np.zeros((0, 3), dtype=np.int64)
    places = start.copy()
    inside = np.zeros(machine, dtype=np.bool_)
    best, least = places.copy(), NEVER
    if start[0] < 0:
        places[0] = int(uniform(state) * machine)
    inside[places[0]] = True
    for k in range(1, size):
        if start[0] < 0:
            places[k] = beside(adjacent, places, k, inside, state)
        if places[k] < 0:
            return least, best
        inside[places[k]] = True
    now = cost(adjacent, places, cap, none, alone)
    best[:], least = places, now
    for step in range(tries):
        heat = hot * now * (1.0 - step / tries) ** 2
        i, k = int(uniform(state) * size), int(uniform(state) * size)
        old_i, old_k = places[i], places[k]
        if uniform(state) < 0.5:
            if i == k:
                continue
            places[i], places[k] = old_k, old_i
        else:
            inside[old_i] = False
            places[i] = places[size - 1]
            new = beside(adjacent, places, max(1, size - 1), inside, state)
            places[i] = old_i
            if new < 0:
                inside[old_i] = True
                continue
            places[i] = new
            inside[new] = True
        after = cost(adjacent, places, cap, none, alone)
        if after < NEVER and (after <= now or uniform(state) < np.exp((now - after) / max(heat, 1e-9))):
            now = after
            if now < least:
                best[:], least = places, now
            continue
        inside[places[i]] = False
        inside[places[k]] = False
        places[i], places[k] = old_i, old_k
        inside[old_i], inside[old_k] = True, True
    return least, best


@plain
def beside(
    adjacent: NDArray[np.bool_],
    places: Ints,
    count: int,
    inside: NDArray[np.bool_],
    state: NDArray[np.uint64],
) -> int:
    """A random machine qubit that is not `inside`, beside one of the first `count` places (-1: none of them
    yet); -1 if there is none."""
    chosen, seen = -1, 0
    for k in range(count):
        if places[k] < 0:
            continue
        for v in range(len(inside)):
            if adjacent[places[k], v] and not inside[v]:
                seen += 1
                if uniform(state) * seen < 1.0:
                    chosen = v
    return chosen
