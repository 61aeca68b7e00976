"""Compiled loops of `place_blocks`: what blocks cost on some places, and the search for places."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit.jit import plain
from qattn_compiler.circuit.random_kernels import uniform, uniform_state
from qattn_compiler.synth.chip_state_kernels import LATE, SOON, beside, walk

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

SWAP = 3.0
"""CX of a SWAP."""
FEW = 3
"""Wires to which the search for places would swap a target."""
APART = 4.0
"""A block whose qubits are not connected costs so many times what its gates would, moved one by one."""


@numba.njit(cache=True, nogil=True)
def toward(near: NDArray[np.bool_], parent: Ints, distance: Ints) -> None:
    """Breadth first from the last wire: hops (-1: not reached), and through which wire it is reached."""
    size = len(near)
    distance[:] = -1
    queue = np.zeros(size, dtype=np.int64)
    queue[0], distance[size - 1], parent[size - 1], reached, at = size - 1, 0, -1, 1, 0
    while at < reached:
        for v in range(size):
            if near[queue[at], v] and distance[v] < 0:
                distance[v], parent[v] = distance[queue[at]] + 1, queue[at]
                queue[reached] = v
                reached += 1
        at += 1


@plain
def exchanged(parent: Ints, goal: int, wires: Ints) -> None:
    """Write on which wire each content is after the last one has been swapped to a goal, hop by hop."""
    size = len(parent)
    for k in range(size):
        wires[k] = k
    at = goal
    while parent[at] >= 0:  # what was on `at` comes one hop nearer to where the last one was
        wires[at] = parent[at]
        at = parent[at]
    wires[size - 1] = goal


@numba.njit(cache=True, nogil=True)
def arrange(near: NDArray[np.bool_], flips: int, cap: int, price: float, few: int) -> tuple[float, int]:
    """To which wire a block's target should be swapped before its walk.

    Args:
        near: shape (size, size): couplings among the controls' wires and, last, the target's.
        flips: CX that the block has; fewer than a walk for all parities takes a share of it.
        cap: steps of a walk that are made; longer ones are extrapolated.
        price: of a hop.
        few: how many wires are looked at, those with the most neighbours first.

    Returns:
        CX, about, and the wire; -1 if the controls cannot all be reached.
    """
    size = len(near)
    level = size - 1
    parent, distance, wires = np.zeros((3, size), dtype=np.int64)
    toward(near, parent, distance)
    degree = np.zeros(size, dtype=np.int64)
    for k in range(size):
        if distance[k] < 0:
            return -1.0, -1
        for v in range(size):
            degree[k] += near[k, v]
    masks, none = np.zeros(size, dtype=np.int64), np.zeros((0, 3), dtype=np.int64)
    moved = np.zeros((size, size), dtype=np.bool_)
    left = np.ones(size, dtype=np.bool_)
    least, best = -1.0, -1
    for number in range(min(few, size)):
        goal = -1
        for k in range(size):
            if left[k] and (
                goal < 0
                or degree[k] > degree[goal]
                or (degree[k] == degree[goal] and distance[k] < distance[goal])
            ):
                goal = k
        if number == 0:
            goal = size - 1
        left[goal] = False
        exchanged(parent, goal, wires)
        for i in range(size):
            for k in range(size):
                moved[i, k] = near[wires[i], wires[k]]
        for k in range(level):
            masks[k] = 1 << k
        masks[level] = 0
        count, steps = walk(moved, masks, level, level, cap, SOON, LATE, none, none[:, 0])
        if count < 0:
            continue
        cost = min(flips, 1 << level) * count / max(1, steps) + price * distance[goal]
        if least < 0 or cost < least:
            least, best = cost, goal
    return least, best


@numba.njit(cache=True, nogil=True)
def block_cost(
    adjacent: NDArray[np.bool_],
    distance: NDArray[np.int32],
    places: Ints,
    qubits: Ints,
    size: int,
    flips: int,
    cap: int,
) -> float:
    """About how many CX a block takes on some places, its target swapped there and back.

    Args:
        adjacent, distance: shape (machine qubits, machine qubits).
        places: shape (qubits,): machine qubit of each qubit.
        qubits: the block's controls and then its target, `size` of them; more may follow.
        size: how many.
        flips: how many CX it has.
        cap: steps of a walk that are made; longer ones are extrapolated.
    """
    near = np.zeros((size, size), dtype=np.bool_)
    for i in range(size):
        for k in range(size):
            near[i, k] = adjacent[places[qubits[i]], places[qubits[k]]]
    cost, _ = arrange(near, flips, cap, 2 * SWAP, FEW)
    if cost >= 0:
        return cost
    level, apart = size - 1, 0.0
    for k in range(level):
        apart += 1.0 + SWAP * (distance[places[qubits[k]], places[qubits[level]]] - 1)
    return APART * flips * apart / level


@plain
def _free(
    adjacent: NDArray[np.bool_],
    places: Ints,
    count: int,
    inside: NDArray[np.bool_],
    state: NDArray[np.uint64],
) -> int:
    """A random free machine qubit beside one of the first `count` places; any free one if there is none."""
    chosen, seen = beside(adjacent, places, count, inside, state), 0
    for v in range(len(inside) if chosen < 0 else 0):
        if not inside[v]:
            seen += 1
            if uniform(state) * seen < 1.0:
                chosen = v
    return chosen


@numba.njit(cache=True, nogil=True)
def _part(
    adjacent: NDArray[np.bool_],
    distance: NDArray[np.int32],
    places: Ints,
    blocks: Ints,
    sizes: Ints,
    flips: Ints,
    weights: Floats,
    pairs: Ints,
    cap: int,
    number: int,
) -> float:
    """What a block costs, or behind the blocks a pair of qubits that interact beside them."""
    if number < len(sizes):
        one = block_cost(adjacent, distance, places, blocks[number], sizes[number], flips[number], cap)
        return one * weights[number]
    a, b = pairs[number - len(sizes)]
    return weights[number] * (1.0 + SWAP * (distance[places[a], places[b]] - 1))


@numba.njit(cache=True, nogil=True)
def search(
    adjacent: NDArray[np.bool_],
    distance: NDArray[np.int32],
    order: Ints,
    blocks: Ints,
    sizes: Ints,
    flips: Ints,
    weights: Floats,
    pairs: Ints,
    begin: Ints,
    parts: Ints,
    tries: int,
    cap: int,
    hot: float,
    seed: int,
    start: Ints,
) -> tuple[float, Ints]:
    """Places for all qubits, by simulated annealing; only what a change touches is counted again.

    Args:
        adjacent, distance: shape (machine qubits, machine qubits).
        order: the qubits in the order in which they are laid down at first.
        blocks: shape (blocks, most qubits): controls and then the target of each block.
        sizes, flips: shape (blocks,): its qubits, its CX.
        weights: shape (blocks + pairs,): how often there is such a block, or pair.
        pairs: shape (pairs, 2).
        begin, parts: parts[begin[q] : begin[q + 1]] are the blocks, and then the pairs, that qubit q is in.
        tries: changes that are tried.
        cap: see `block_cost`.
        hot: the first temperature, as a share of the cost.
        seed: of the random choices.
        start: shape (qubits,): places to begin with; -1 at the first for random ones beside one another.

    Returns:
        the cost and the places, shape (qubits,).
    """
    machine, size = len(adjacent), len(order)
    state = uniform_state(seed)
    inside, places = np.zeros(machine, dtype=np.bool_), start.copy()
    if start[0] < 0:
        laid = np.full(size, -1, dtype=np.int64)
        for k in range(size):
            laid[k] = int(uniform(state) * machine) if k == 0 else _free(adjacent, laid, k, inside, state)
            inside[laid[k]] = True
            places[order[k]] = laid[k]
    for k in range(size):
        inside[places[k]] = True
    count = len(sizes) + len(pairs)
    costs, stamp = np.zeros(count), np.zeros(count, dtype=np.int64)
    given = (blocks, sizes, flips, weights, pairs, cap)
    now = 0.0
    for number in range(count):
        costs[number] = _part(adjacent, distance, places, *given, number)
        now += costs[number]
    best, least = places.copy(), now
    changed, before = np.zeros(count, dtype=np.int64), np.zeros(count)
    for step in range(1, tries + 1):
        heat = hot * now * (1.0 - step / tries) ** 2
        i, k = int(uniform(state) * size), int(uniform(state) * size)
        old_i, old_k = places[i], places[k]
        if uniform(state) < 0.5:
            if i == k:
                continue
            places[i], places[k] = old_k, old_i
        else:
            k = i
            inside[old_i] = False
            places[i] = -1
            new = _free(adjacent, places, size, inside, state)
            places[i] = new
            inside[new] = True
        touched, after = 0, now
        for q in (i, k):
            for at in range(begin[q], begin[q + 1]):
                number = parts[at]
                if stamp[number] == step:
                    continue
                stamp[number] = step
                changed[touched], before[touched] = number, costs[number]
                touched += 1
                costs[number] = _part(adjacent, distance, places, *given, number)
                after += costs[number] - before[touched - 1]
        if after <= now or uniform(state) < np.exp((now - after) / max(heat, 1e-9)):
            now = after
            if now < least - 1e-9:
                best[:], least = places, now
            continue
        for t in range(touched):
            costs[changed[t]] = before[t]
        inside[places[i]] = False
        inside[places[k]] = False
        places[k] = old_k
        places[i] = old_i
        inside[old_i], inside[old_k] = True, True
    return least, best
