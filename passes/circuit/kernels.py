"""Hot loops of routing: arrays in, arrays out.

`Dag`, `Chip` and `_State` are named bundles of arrays (Numba passes them as plain tuples). What the inner
loops see are views that own nothing (`jit.bare`), and functions that make no array count no references
(`circuit/jit.py`): counting took nine tenths of the time, and more where threads share a circuit.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit.jit import bare, inline, keep, plain
from qattn_compiler.circuit.random_kernels import below, seeded

I32 = NDArray[np.int32]
I64 = NDArray[np.int64]
F64 = NDArray[np.float64]
U64 = NDArray[np.uint64]

LOOKAHEAD: Final = 0
AHEAD_WEIGHT: Final = 1
FRONT_SCALED: Final = 2
DECAY: Final = 3
ABSORB: Final = 4
PATIENCE: Final = 5
FADE: Final = 6
POWER: Final = 7
NUM_KNOBS: Final = 8
"""Columns of a row of knobs: size and weight of the extended set, whether the front's distance is divided by
its size, decay for each SWAP of a qubit, reward of a SWAP that joins the last gate of its pair, SWAPs without
progress, how much less each gate of the extended set weighs than the one before (1: all the same), and which
power of the distance a gate of the front layer counts (1: the distance; less: near gates count more, which
is better where many gates commute and any of them may be next)."""

SWAPS: Final = 0
COST: Final = 1
DEPTH: Final = 2
ERROR: Final = 3
"""Entries of the score of one routing pass."""

_HEAD: Final = 0
_TAIL: Final = 1
_FRONT: Final = 2
_AHEAD: Final = 3
_SWAPS: Final = 4
_COST: Final = 5
_EVENTS: Final = 6
_STALE: Final = 7
_WORK: Final = 8
_TALLIES: Final = 9
_NEAR: Final = 1
"""Entries of `tally`; and of `error`, behind minus log fidelity, the front layer's distance."""

_FRESH: Final = -1
_CLOSED: Final = -2

_QUEUED: Final = -9

_LEAST_PATIENCE: Final = 8.0
_ALBUM: Final = 2_000_000
"""Whole numbers that the copies of states may take."""
_DECAY_RESET: Final = 5

# What the running block on a pair is: 0 nothing, 1..3 native gates and last a gate, 4 a bare SWAP, 5 two
# gates' worth and last a SWAP, 6 three gates' worth and last a SWAP. CZ and SWAP together are an iSWAP, two
# gates.
_WORTH: Final = np.array([0, 1, 2, 3, 3, 2, 3], np.int64)
_SWAP_COST: Final = np.array([3, 1, 1, 0, -3, -1, 0], np.int64)
_SWAP_TO: Final = np.array([4, 5, 6, 6, 0, 1, 3], np.int64)
# SWAPs saved by a SWAP there, in thirds; nothing for a SWAP after a SWAP, which would only go back.
_SAVED: Final = np.array([0, 2, 2, 3, 0, 0, 0], np.int64)


class Dag(NamedTuple):
    """The rows that matter to routing, and which must wait for which.

    Attributes:
        first, second: shape (gates,): logical qubits; -1 for a row that needs no coupling (a wide
            measurement) and for a joint, which stands for no row.
        first_era, second_era: shape (gates,): numbers of the blocks of commuting rows that the gate is in, on
            each of its qubits; all gates of an era may change places there.
        weight: shape (gates,): native two-qubit gates that the row costs by itself, 1..3.
        touch_start, touch: qubits of gate g, if it needs no coupling, are
            `touch[touch_start[g]:touch_start[g + 1]]`.
        start, after: successors of gate g are `after[start[g]:start[g + 1]]`.
        waits: shape (gates,): how many entries of `after` name the gate.
    """

    first: I32
    second: I32
    first_era: I32
    second_era: I32
    weight: I32
    touch_start: I32
    touch: I32
    start: I32
    after: I32
    waits: I32


class Chip(NamedTuple):
    """The coupling graph.

    Attributes:
        neighbours: shape (n, largest degree), -1 fills up.
        mirror: shape (n, largest degree): which neighbour of `neighbours[p, k]` p is.
        distance: shape (n, n): hops; n where there is no path.
        error: shape (n, n): minus log fidelity of one native gate on that edge.
    """

    neighbours: I32
    mirror: I32
    distance: I32
    error: F64


class _State(NamedTuple):
    place: I32
    holder: I32
    waiting: I32
    queue: I32
    front: I32
    spot: I32
    head: I32
    next: I32
    last: I32
    near: F64
    stale: I32
    gain: F64
    ahead: I32
    ahead_head: I32
    ahead_next: I32
    ahead_mate: I32
    ahead_weight: F64
    partner: I32
    block: I32
    era: I32
    open: I32
    opener: I32
    noted: I32
    level: I64
    decay: F64
    tally: I64
    error: F64
    scratch: I32
    trace: I32


@plain
def _steps(out: F64, power: float) -> None:
    """Fill in what each distance 0, 1, ... counts, in units of the last step, from two hops to one."""
    out[0] = 0.0
    out[1] = 0.0
    for hops in range(2, len(out)):
        if power == 1.0:
            out[hops] = hops - 1.0
        else:
            out[hops] = np.log2(hops) if power == 0 else (hops**power - 1.0) / (2.0**power - 1.0)


class _Rooms(NamedTuple):
    """Memory for a `_State`: nothing of it may be used once these are gone (`jit.keep`)."""

    whole: I32
    long: I64
    real: F64


@numba.njit(cache=True, nogil=True)
def _bare_dag(d: Dag) -> Dag:
    return Dag(
        bare(d.first),
        bare(d.second),
        bare(d.first_era),
        bare(d.second_era),
        bare(d.weight),
        bare(d.touch_start),
        bare(d.touch),
        bare(d.start),
        bare(d.after),
        bare(d.waits),
    )


@numba.njit(cache=True, nogil=True)
def _bare_chip(c: Chip) -> Chip:
    return Chip(bare(c.neighbours), bare(c.mirror), bare(c.distance), bare(c.error))


@numba.njit(cache=True, nogil=True)
def _rooms(dag: Dag, chip: Chip, logical: int, size: int) -> _Rooms:
    """Memory for the states of a circuit with an extended set of up to `size` gates."""
    gates, (n, degree) = len(dag.first), chip.neighbours.shape
    scratch = 2 * (gates + len(dag.after)) + 16
    whole = 12 * gates + 2 + 4 * logical + 5 * size + 5 + 4 * n + 2 * n * degree + scratch
    return _Rooms(
        np.empty(whole, np.int32),
        np.empty(n + _TALLIES, np.int64),
        np.empty(2 * n + 4 + logical * degree + size, np.float64),
    )


@numba.njit(cache=True, nogil=True, forceinline=True)
def _whole(rooms: _Rooms, at: int, count: int) -> tuple[I32, int]:
    """The next `count` whole numbers of the room from `at` on; and what is next then."""
    return bare(rooms.whole[at : at + count]), at + count


@numba.njit(cache=True, nogil=True, forceinline=True)
def _real(rooms: _Rooms, at: int, count: int) -> tuple[F64, int]:
    """The same of real numbers."""
    return bare(rooms.real[at : at + count]), at + count


@numba.njit(cache=True, nogil=True)
def _views(dag: Dag, chip: Chip, logical: int, size: int, rooms: _Rooms) -> _State:
    """The state in such rooms, with nothing in it."""
    gates, (n, degree) = len(dag.first), chip.neighbours.shape
    place, at = _whole(rooms, 0, logical)
    holder, at = _whole(rooms, at, n)
    waiting, at = _whole(rooms, at, gates)
    queue, at = _whole(rooms, at, 2 * gates + 1)
    front, at = _whole(rooms, at, gates)
    spot, at = _whole(rooms, at, gates)
    noted, at = _whole(rooms, at, gates)
    following, at = _whole(rooms, at, 2 * gates)
    last, at = _whole(rooms, at, 2 * gates)
    head, at = _whole(rooms, at, logical)
    stale, at = _whole(rooms, at, logical)
    ahead, at = _whole(rooms, at, size + 1)
    ahead_head, at = _whole(rooms, at, logical)
    ahead_next, at = _whole(rooms, at, 2 * size + 2)
    ahead_mate, at = _whole(rooms, at, 2 * size + 2)
    partner, at = _whole(rooms, at, n)
    block, at = _whole(rooms, at, n)
    era, at = _whole(rooms, at, n)
    still_open, at = _whole(rooms, at, n * degree)
    opener, at = _whole(rooms, at, n * degree)
    trace, at = _whole(rooms, at, gates + 1)
    scratch, at = _whole(rooms, at, 2 * (gates + len(dag.after)) + 16)
    near, to = _real(rooms, 0, n + 1)
    gain, to = _real(rooms, to, logical * degree)
    weight, to = _real(rooms, to, size + 1)
    decay, to = _real(rooms, to, n)
    error, to = _real(rooms, to, 2)
    return _State(
        place,
        holder,
        waiting,
        queue,
        front,
        spot,
        head,
        following,
        last,
        near,
        stale,
        bare(gain.reshape((logical, degree))),
        ahead,
        ahead_head,
        ahead_next,
        ahead_mate,
        weight,
        partner,
        block,
        era,
        bare(still_open.reshape((n, degree))),
        bare(opener.reshape((n, degree))),
        noted,
        bare(rooms.long[:n]),
        decay,
        bare(rooms.long[n:]),
        error,
        scratch,
        trace,
    )


@plain
def _tune(s: _State, knobs: F64) -> None:
    """Set what depends on the knobs."""
    _steps(s.near, knobs[POWER])
    s.ahead_weight[0] = 1.0
    for k in range(1, len(s.ahead_weight)):
        s.ahead_weight[k] = s.ahead_weight[k - 1] * knobs[FADE]


@plain
def _reset(dag: Dag, s: _State, place: I32, knobs: F64) -> None:
    """The state in which no gate has run."""
    s.holder[:] = -1
    for q in range(len(place)):
        s.place[q] = place[q]
        s.holder[place[q]] = q
    for g in range(len(dag.waits)):
        s.waiting[g] = dag.waits[g]
    s.head[:] = -1
    s.stale[:] = 1
    s.ahead_head[:] = -1
    s.partner[:] = -1
    s.block[:] = 0
    s.era[:] = _FRESH
    s.open[:] = 0
    s.level[:] = 0
    s.decay[:] = 1.0
    s.tally[:] = 0
    s.error[:] = 0.0
    _tune(s, knobs)


@numba.njit(cache=True, nogil=True)
def _begin(dag: Dag, chip: Chip, place: I32, knobs: F64, rooms: _Rooms) -> _State:
    """A state in which no gate has run; `_rooms` of the same circuit and at least the same extended set."""
    s = _views(dag, chip, len(place), int(knobs[LOOKAHEAD]), rooms)
    _reset(dag, s, place, knobs)
    return s


@inline
def _spend(chip: Chip, s: _State, p: int, q: int, cost: int, block: int) -> None:
    """Account for `cost` native gates on the edge (p, q), whose block has the code `block` afterwards."""
    s.partner[p] = q
    s.partner[q] = p
    s.block[p] = block
    s.block[q] = block
    level = max(s.level[p], s.level[q]) + cost
    s.level[p] = level
    s.level[q] = level
    s.tally[_COST] += cost
    s.error[0] += cost * chip.error[p, q]


@inline
def _joined(s: _State, p: int, q: int) -> Any:
    """The code of the running block on (p, q): 0 if something else came between."""
    if s.partner[p] == q and s.partner[q] == p:
        return s.block[p]
    return 0


@inline
def _slot(neighbours: I32, p: int, q: int) -> int:
    """Which neighbour of p is q."""
    k = 0
    while neighbours[p, k] != q:
        k += 1
    return k


@inline
def _set_open(chip: Chip, s: _State, p: int, q: int, block: int, opener: int) -> None:
    """Remember that a bare block on (p, q) can still be joined: by a SWAP if `block` says that it is a gate,
    by a gate if it says that it is a SWAP."""
    k = _slot(chip.neighbours, p, q)
    j = chip.mirror[p, k]
    s.open[p, k] = block
    s.open[q, j] = block
    s.opener[p, k] = opener
    s.opener[q, j] = opener


@inline
def _close(chip: Chip, s: _State, p: int) -> None:
    """No block of p can be joined any more, but by what comes right behind."""
    for k in range(chip.neighbours.shape[1]):
        if s.open[p, k] != 0:
            s.open[p, k] = 0
            s.open[chip.neighbours[p, k], chip.mirror[p, k]] = 0


@inline
def _enter(chip: Chip, s: _State, p: int, era: int) -> None:
    """The next gate on p belongs to this era: it commutes with the gates before only if they do as well."""
    if s.era[p] == era:
        return
    if s.era[p] != _FRESH:
        _close(chip, s, p)
    s.era[p] = era


@inline
def _execute(dag: Dag, chip: Chip, s: _State, g: int, events: I32) -> None:
    """Account for gate g, record it, and lower what waits for it.

    A gate joins the SWAP before it on the same pair if all between commutes with it: it will stand right
    behind that SWAP.
    """
    a, b = dag.first[g], dag.second[g]
    beside = -1
    s.trace[s.tally[_EVENTS] - s.tally[_SWAPS]] = s.tally[_COST]
    if a >= 0:
        p, q = s.place[a], s.place[b]
        _enter(chip, s, p, dag.first_era[g])
        _enter(chip, s, q, dag.second_era[g])
        block = _joined(s, p, q)
        k = _slot(chip.neighbours, p, q)
        if block == 0 and s.open[p, k] == 4:
            beside = 2 * s.opener[p, k] + 1
            _set_open(chip, s, p, q, 0, -1)
            cost = -1 if dag.weight[g] == 1 else 0
            s.tally[_COST] += cost
            s.error[0] += cost * chip.error[p, q]
        else:
            worth = min(3, _WORTH[block] + dag.weight[g])
            if block == 4 and dag.weight[g] == 1:
                worth = 2
            _spend(chip, s, p, q, worth - _WORTH[block], worth)
            _set_open(chip, s, p, q, worth if block == 0 else 0, g)
    for k in range(dag.touch_start[g], dag.touch_start[g + 1]):
        _close(chip, s, s.place[dag.touch[k]])
        s.era[s.place[dag.touch[k]]] = _CLOSED
    s.noted[g] = s.tally[_EVENTS]
    _note(s, events, g, beside)
    for k in range(dag.start[g], dag.start[g + 1]):
        s.waiting[dag.after[k]] -= 1


@inline
def _drain(dag: Dag, chip: Chip, s: _State, events: I32) -> bool:
    """Execute every gate that can be; the rest of the queue goes to the front layer."""
    progress = False
    while s.tally[_HEAD] < s.tally[_TAIL]:
        g = s.queue[s.tally[_HEAD]]
        s.tally[_HEAD] += 1
        a, b = dag.first[g], dag.second[g]
        if a >= 0 and chip.distance[s.place[a], s.place[b]] != 1:
            s.spot[g] = s.tally[_FRONT]
            s.front[s.tally[_FRONT]] = g
            s.tally[_FRONT] += 1
            s.error[_NEAR] += s.near[chip.distance[s.place[a], s.place[b]]]
            _hang(chip, s, a, 2 * g, s.place[b])
            _hang(chip, s, b, 2 * g + 1, s.place[a])
            continue
        progress = True
        _execute(dag, chip, s, g, events)
        for k in range(dag.start[g], dag.start[g + 1]):
            t = dag.after[k]
            if s.waiting[t] == 0:
                # Two wires may lead to the same gate: it joins the queue once.
                s.waiting[t] = _QUEUED
                s.queue[s.tally[_TAIL]] = t
                s.tally[_TAIL] += 1
    return progress


@inline
def _hang(chip: Chip, s: _State, x: int, k: int, r: int) -> None:
    """Put end k (2 * gate, or 2 * gate + 1 for the second) into the list of front gates of qubit x; the
    other end is on r."""
    s.next[k] = s.head[x]
    s.last[k] = -1
    if s.head[x] >= 0:
        s.last[s.head[x]] = k
    s.head[x] = k
    if not s.stale[x]:
        _shift(chip.distance, chip.neighbours, s.near, s.place[x], r, 1.0, s.gain[x])


@plain
def _unhang(s: _State, x: int, k: int) -> None:
    if s.last[k] >= 0:
        s.next[s.last[k]] = s.next[k]
    else:
        s.head[x] = s.next[k]
    if s.next[k] >= 0:
        s.last[s.next[k]] = s.last[k]


@inline
def _note(s: _State, events: I32, what: int, other: int) -> None:
    """Record an event while there is room; the count goes on, so that the caller sees an overflow."""
    if s.tally[_EVENTS] < len(events):
        events[s.tally[_EVENTS], 0] = what
        events[s.tally[_EVENTS], 1] = other
    s.tally[_EVENTS] += 1


@inline
def _leave_front(dag: Dag, s: _State, g: int) -> None:
    s.tally[_FRONT] -= 1
    moved = s.front[s.tally[_FRONT]]
    s.front[s.spot[g]] = moved
    s.spot[moved] = s.spot[g]
    _unhang(s, dag.first[g], 2 * g)
    _unhang(s, dag.second[g], 2 * g + 1)
    if s.tally[_FRONT] == 0:
        s.error[_NEAR] = 0.0  # what rounding left
    s.queue[s.tally[_TAIL]] = g
    s.tally[_TAIL] += 1


@inline
def _look_ahead(dag: Dag, s: _State, size: int) -> None:
    """The next `size` two-qubit gates behind the front layer, with a list of mates for each qubit."""
    scratch = s.scratch
    for i in range(s.tally[_AHEAD]):
        s.ahead_head[dag.first[s.ahead[i]]] = -1
        s.ahead_head[dag.second[s.ahead[i]]] = -1
    found, head, taken = 0, 0, 0
    tail = s.tally[_FRONT]
    for i in range(tail):
        scratch[i] = s.front[i]
    # `waiting` is lowered as if the gates had run, and put back below: scratch's upper end remembers where.
    limit = len(scratch)
    while head < tail and found < size:
        g = scratch[head]
        head += 1
        for k in range(dag.start[g], dag.start[g + 1]):
            if tail + taken + 1 >= limit:
                break
            t = dag.after[k]
            s.waiting[t] -= 1
            taken += 1
            scratch[limit - taken] = t
            if s.waiting[t] != 0:
                continue
            scratch[tail] = t
            tail += 1
            if dag.first[t] >= 0 and found < size:
                s.ahead[found] = t
                found += 1
    for i in range(taken):
        s.waiting[scratch[limit - 1 - i]] += 1
    s.tally[_AHEAD] = found
    for i in range(found):
        a, b = dag.first[s.ahead[i]], dag.second[s.ahead[i]]
        s.ahead_mate[2 * i] = b
        s.ahead_next[2 * i] = s.ahead_head[a]
        s.ahead_head[a] = 2 * i
        s.ahead_mate[2 * i + 1] = a
        s.ahead_next[2 * i + 1] = s.ahead_head[b]
        s.ahead_head[b] = 2 * i + 1


@inline
def _shift(d: I32, neighbours: I32, near: F64, p: int, r: int, sign: float, gain: F64) -> None:
    """Add `sign` times the change of a front gate's distance, whose ends are on p and r, if what is on p
    moved to each neighbour."""
    now = near[d[p, r]]
    for i in range(len(gain)):
        q = neighbours[p, i]
        if q >= 0:
            gain[i] += sign * (near[d[q, r]] - now)


@inline
def _near_gains(
    d: I32, neighbours: I32, place: I32, ends: tuple[I32, I32], nxt: I32, near: F64, k: int, p: int, gain: F64
) -> None:
    """Set the change of the front layer's distance if the qubit on p, whose list of front gates begins with
    k, moved to each neighbour."""
    gain[:] = 0.0
    while k >= 0:
        _shift(d, neighbours, near, p, place[ends[1 - (k & 1)][k >> 1]], 1.0, gain)
        k = nxt[k]


@inline
def _far_gain(
    d: I32, place: I32, head: I32, nxt: I32, mate: I32, weight: F64, x: int, p: int, q: int
) -> float:
    """Change of the extended set's distance if logical qubit x moved from p to q."""
    if x < 0:
        return 0.0
    gain = 0.0
    k = head[x]
    while k >= 0:
        r = place[mate[k]]
        if r != q:
            gain += weight[k >> 1] * (d[q, r] - d[p, r])
        k = nxt[k]
    return gain


@inline
def _totals(dag: Dag, chip: Chip, s: _State) -> tuple[float, float]:
    """Distances of the front layer and of the extended set."""
    near, far = s.error[_NEAR], 0.0
    for i in range(s.tally[_AHEAD]):
        g = s.ahead[i]
        far += s.ahead_weight[i] * chip.distance[s.place[dag.first[g]], s.place[dag.second[g]]]
    return near, far


@inline
def _pick_swap(dag: Dag, chip: Chip, s: _State, knobs: F64, rng: U64) -> tuple[int, int]:
    """The SWAP of least score among those that touch the front layer; ties are broken at random."""
    near_total, far_total = _totals(dag, chip, s) if knobs[DECAY] > 0 else (0.0, 0.0)
    near_scale = 1.0 / s.tally[_FRONT] if knobs[FRONT_SCALED] > 0 else 1.0
    far_weight = 0.0
    for i in range(s.tally[_AHEAD]):
        far_weight += s.ahead_weight[i]
    far_scale = knobs[AHEAD_WEIGHT] / max(1.0, far_weight)
    reward = knobs[ABSORB] * near_scale / 3.0
    best, best_p, best_q, ties, scored = np.inf, -1, -1, 0, 0
    d, place, holder, neighbours, decay = chip.distance, s.place, s.holder, chip.neighbours, s.decay
    far_head, far_next, far_mate, fade = s.ahead_head, s.ahead_next, s.ahead_mate, s.ahead_weight
    ends, nxt, steps = (dag.first, dag.second), s.next, s.near
    head, stale, gain, mirror = s.head, s.stale, s.gain, chip.mirror
    partner, block, still_open = s.partner, s.block, s.open
    for x in range(len(place)):
        if head[x] < 0:
            continue
        p = place[x]
        if stale[x]:
            stale[x] = 0
            _near_gains(d, neighbours, place, ends, nxt, steps, head[x], p, gain[x])
        for k in range(neighbours.shape[1]):
            q = neighbours[p, k]
            if q < 0:
                break
            y = holder[q]
            if y >= 0 and head[y] >= 0 and q < p:
                continue
            scored += 1
            near = near_total + gain[x, k]
            if y >= 0 and head[y] >= 0:
                if stale[y]:
                    stale[y] = 0
                    _near_gains(d, neighbours, place, ends, nxt, steps, head[y], q, gain[y])
                near += gain[y, mirror[p, k]]
            far = far_total + _far_gain(d, place, far_head, far_next, far_mate, fade, x, p, q)
            far += _far_gain(d, place, far_head, far_next, far_mate, fade, y, q, p)
            score = (near * near_scale + far * far_scale) * max(decay[p], decay[q])
            if partner[p] == q and partner[q] == p:
                score -= reward * _SAVED[block[p]]
            else:
                score -= reward * _SAVED[still_open[p, k]]
            if score < best - 1e-9:
                best, best_p, best_q, ties = score, p, q, 1
            elif score < best + 1e-9:
                ties += 1
                if below(rng, ties) == 0:
                    best_p, best_q = p, q
    s.tally[_WORK] += scored
    return best_p, best_q


@inline
def _apply_swap(dag: Dag, chip: Chip, s: _State, p: int, q: int, events: I32) -> None:
    """Exchange what p and q hold; front gates that became neighbours go back to the queue.

    The SWAP joins the last gate on its pair, if all between commutes with it: that gate will stand right
    before it.
    """
    block = _joined(s, p, q)
    k = _slot(chip.neighbours, p, q)
    if block == 0 and 0 < s.open[p, k] < 4:
        block = s.open[p, k]
        at = s.noted[s.opener[p, k]]
        if at < len(events):
            events[at, 1] = 2 * s.tally[_EVENTS]
    _spend(chip, s, p, q, _SWAP_COST[block], _SWAP_TO[block])
    _close(chip, s, p)
    _close(chip, s, q)
    s.era[p] = _FRESH
    s.era[q] = _FRESH
    if block == 0:
        _set_open(chip, s, p, q, 4, s.tally[_EVENTS])
    s.tally[_SWAPS] += 1
    _note(s, events, -1 - p, q)
    x, y = s.holder[p], s.holder[q]
    s.holder[p], s.holder[q] = y, x
    if x >= 0:
        s.place[x] = q
        _wake(dag, chip, s, x, p)
    if y >= 0:
        s.place[y] = p
        _wake(dag, chip, s, y, q)


@plain
def _wake(dag: Dag, chip: Chip, s: _State, x: int, old: int) -> None:
    """Qubit x has moved: front gates whose qubits are neighbours now go back to the queue."""
    d, neighbours, near, here = chip.distance, chip.neighbours, s.near, s.place[x]
    s.stale[x] = 1
    k = s.head[x]
    while k >= 0:
        g, after = k >> 1, s.next[k]
        mate = dag.second[g] if k & 1 == 0 else dag.first[g]
        p = s.place[mate]
        stays = d[p, here] != 1
        s.error[_NEAR] += (near[d[p, here]] if stays else 0.0) - near[d[p, old]]
        # Of its mates' gains this gate's part alone changes: where many gates commute each has many.
        if not s.stale[mate]:
            _shift(d, neighbours, near, p, old, -1.0, s.gain[mate])
            if stays:
                _shift(d, neighbours, near, p, here, 1.0, s.gain[mate])
        if not stays:
            _leave_front(dag, s, g)
        k = after


@plain
def _release(dag: Dag, chip: Chip, s: _State, events: I32) -> None:
    """Bring the closest pair of the front layer together along a shortest path: progress for sure."""
    best = s.front[0]
    for i in range(s.tally[_FRONT]):
        g = s.front[i]
        d = chip.distance[s.place[dag.first[g]], s.place[dag.second[g]]]
        d_best = chip.distance[s.place[dag.first[best]], s.place[dag.second[best]]]
        if d < d_best or (d == d_best and g < best):
            best = g
    while True:
        p, r = s.place[dag.first[best]], s.place[dag.second[best]]
        if chip.distance[p, r] <= 1:
            return
        for k in range(chip.neighbours.shape[1]):
            q = chip.neighbours[p, k]
            if chip.distance[q, r] == chip.distance[p, r] - 1:
                _apply_swap(dag, chip, s, np.int64(p), np.int64(q), events)
                break


@numba.njit(cache=True, nogil=True)
def _score(s: _State) -> Any:
    score = np.empty(4, np.float64)
    score[SWAPS] = s.tally[_SWAPS]
    score[COST] = s.tally[_COST]
    score[DEPTH] = s.level.max() if len(s.level) else 0
    score[ERROR] = s.error[0]
    return score


@plain
def _fill_queue(s: _State) -> None:
    """Put every gate that waits for nothing into the queue."""
    for g in range(len(s.waiting)):
        if s.waiting[g] == 0:
            s.waiting[g] = _QUEUED
            s.queue[s.tally[_TAIL]] = g
            s.tally[_TAIL] += 1


@plain
def _go_on(
    dag: Dag, chip: Chip, s: _State, knobs: F64, rng: U64, events: I32, kicks: int, most: float, profile: I32
) -> bool:
    """Route from state s to the end.

    Args:
        kicks: random SWAPs to begin with.
        most: give up when more native gates than this are spent.
        profile: shape (gates + 1,): give up as well when more than this are spent after so many gates; or of
            shape (0,).

    Returns:
        whether the end was reached.
    """
    size, patience, fresh = int(knobs[LOOKAHEAD]), knobs[PATIENCE], True
    while True:
        if _drain(dag, chip, s, events) or fresh:
            if not fresh:
                s.tally[_STALE] = 0
                s.decay[:] = 1.0
            _look_ahead(dag, s, size)
            fresh = False
        if s.tally[_FRONT] == 0:
            return True
        if s.tally[_COST] > most:
            return False
        if len(profile) and s.tally[_COST] > profile[s.tally[_EVENTS] - s.tally[_SWAPS]]:
            return False
        if s.tally[_STALE] >= patience:
            _release(dag, chip, s, events)
            patience = max(_LEAST_PATIENCE, patience / 2)  # the knobs do not suit: waste no more time
            continue
        if kicks > 0:
            p, q = _any_swap(dag, chip, s, rng)
            kicks -= 1
        else:
            p, q = _pick_swap(dag, chip, s, knobs, rng)
        _apply_swap(dag, chip, s, p, q, events)
        s.tally[_STALE] += 1
        s.decay[p] += knobs[DECAY]
        s.decay[q] += knobs[DECAY]
        if s.tally[_STALE] % _DECAY_RESET == 0:
            s.decay[:] = 1.0


@plain
def _any_swap(dag: Dag, chip: Chip, s: _State, rng: U64) -> tuple[int, int]:
    """A random SWAP that touches the front layer."""
    g = s.front[below(rng, s.tally[_FRONT])]
    p = s.place[dag.first[g] if below(rng, 2) == 0 else dag.second[g]]
    degree = 1
    while degree < chip.neighbours.shape[1] and chip.neighbours[p, degree] >= 0:
        degree += 1
    return p, chip.neighbours[p, below(rng, degree)]


@numba.njit(cache=True, nogil=True)
def turn(
    dag: Dag,
    back: Dag,
    chip: Chip,
    place: I32,
    knobs: F64,
    seed: int,
    price: F64,
    most: float,
    returns: bool,
    events: I32,
) -> tuple[I32, I32, float, int, int]:
    """One round of the bidirectional layout search: SABRE (Li, Ding, Xie 2019, arXiv:1809.02573) with the
    relative scores and the release valve of LightSABRE (arXiv:2409.08368).

    At most PATIENCE SWAPs pass without a gate; then `_release` executes one with fewer SWAPs than the chip's
    diameter. So there are no more than gates * (PATIENCE + diameter) steps.

    Args:
        dag, back: the circuit and its reverse.
        chip: where; each pair of a gate in one component.
        place: shape (logical,): the layout at the beginning; or, if `returns`, the one at the end, from which
            a pass over the reversed circuit leads to a layout at the beginning.
        knobs: shape (NUM_KNOBS,).
        seed: of the tie breaks.
        price: shape (4,): weights of (SWAPs, native gates with SWAPs joined to their blocks, depth in native
            gates, minus log fidelity).
        most: give up when the forward pass spends more native gates than this.
        returns: whether a pass over the reversed circuit comes first.
        events: shape (gates + SWAPs, 2) to be filled by the forward pass with (gate, where) or (-1 - p, q)
            for a SWAP of p and q; or of shape (0, 2): nothing is recorded. `where` is -1, or 2 i for a gate
            that is to stand right before event i (a SWAP), 2 i + 1 right behind it.

    Returns:
        the layouts at the beginning and at the end of the forward pass, its total (infinite if it was given
        up), the work (gates, and SWAPs that were scored), and the forward pass's events.
    """
    work = 0
    rooms = _rooms(dag, chip, len(place), int(knobs[LOOKAHEAD]))
    nothing, none = np.empty((0, 2), np.int32), np.empty(0, np.int32)
    chip = _bare_chip(chip)
    # One call of the search for both ways: it is compiled into each place where it stands.
    for way in range(1 - returns, 2):
        d = _bare_dag(dag if way else back)
        s = _begin(d, chip, place, knobs, rooms)
        _fill_queue(s)
        out = bare(events) if way else nothing
        rng = seeded(seed if way else seed + 50)
        ended = _go_on(d, chip, s, knobs, rng, out, np.int64(0), most if way else np.inf, none)
        work += s.tally[_WORK] + s.tally[_EVENTS]
        if not way:
            place = s.place.copy()
    total: float = (_score(s) * price).sum() if ended else np.inf
    end, used = s.place.copy(), s.tally[_EVENTS]
    keep(rooms)
    return place, end, total, work, used


class _Album(NamedTuple):
    """Copies of the rooms of a state at some events of a route.

    Attributes:
        event: shape (copies,): how many events had been.
        whole, long, real: shape (copies, size of the room).
    """

    event: I64
    whole: I32
    long: I64
    real: F64


@numba.njit(cache=True, nogil=True)
def _album(rooms: _Rooms, events: int) -> _Album:
    """Room for the copies, evenly spread over that many events."""
    copies = int(max(2, min(24, events // 8, _ALBUM // len(rooms.whole))))
    return _Album(
        np.arange(copies) * events // copies,
        np.empty((copies, len(rooms.whole)), np.int32),
        np.empty((copies, len(rooms.long)), np.int64),
        np.empty((copies, len(rooms.real)), np.float64),
    )


@numba.njit(cache=True, nogil=True)
def _recall(album: _Album, k: int, rooms: _Rooms) -> None:
    """Put copy k back."""
    rooms.whole[:] = album.whole[k]
    rooms.long[:] = album.long[k]
    rooms.real[:] = album.real[k]


@numba.njit(cache=True, nogil=True)
def _rehearse(
    dag: Dag, chip: Chip, s: _State, rooms: _Rooms, album: _Album, events: I32, k: int, out: I32
) -> None:
    """Repeat a route from copy k on, which is there already, and take the copies behind it."""
    at = album.event[k]
    _recall(album, k, rooms)
    for i in range(at):
        out[i, 0] = events[i, 0]
        out[i, 1] = -1 if events[i, 0] >= 0 and events[i, 1] >= 2 * at else events[i, 1]
    for j in range(k + 1, len(album.event) + 1):
        cut = album.event[j] if j < len(album.event) else len(events)
        _follow(dag, chip, s, events, at, cut, out)
        at = cut
        if j < len(album.event):
            album.whole[j] = rooms.whole
            album.long[j] = rooms.long
            album.real[j] = rooms.real
    s.trace[len(dag.first)] = s.tally[_COST]


@numba.njit(cache=True, nogil=True)
def climb(
    dag: Dag,
    back: Dag,
    chip: Chip,
    place: I32,
    events: I32,
    budget: int,
    knobs: F64,
    seed: int,
    price: F64,
    both: bool,
    slack: int,
) -> tuple[I32, I32, float, int]:
    """Hill climbing over routes, within a budget of work: keep a random stretch from the beginning, route the
    rest anew, take what is not worse. A route read backwards is a route of the reversed circuit, so
    beginnings are improved the same way. A try ends early where it has spent `slack` native gates more than
    the route at hand had after as many gates, and begins at a copy of the state that was taken on the way.

    Args:
        dag, back, chip, seed, price: as in `turn`.
        place, events: the route to start from, as `turn` records it.
        budget: gates and scored SWAPs (`turn`).
        knobs: shape (sets, NUM_KNOBS): taken at random, a little changed.
        both: whether the layout at the beginning may change.
        slack: see above.

    Returns:
        the layout, the events, the total, and the work.
    """
    rng = seeded(seed + 77)
    spent, turned, backwards, size = 0, 0, 0, int(knobs[:, LOOKAHEAD].max())
    turns = max(1, min(12, budget // (8 * len(events) + 1)))
    rooms = _rooms(dag, chip, len(place), size)
    chip, ways = _bare_chip(chip), (_bare_dag(dag), _bare_dag(back))
    s = _views(ways[0], chip, len(place), size, rooms)
    place, events, total, album = _staged(ways[0], chip, s, rooms, place, events, knobs[0], price)
    bound = s.trace.copy() + np.int32(slack)
    while spent < budget:
        if both and turns > 1 and spent >= (turned + 1) * budget // turns:
            turned += 1
            backwards = 1 - backwards
            spent += 2 * len(events)
            place, events, total, album = _staged(
                ways[backwards], chip, s, rooms, _ending(place, events), events[::-1].copy(), knobs[0], price
            )
            bound = s.trace.copy() + np.int32(slack)
        d = ways[backwards]
        trial_knobs = _shaken(knobs, rng)
        cut = below(rng, len(events))
        k = np.searchsorted(album.event, cut, side="right") - 1
        _recall(album, k, rooms)
        _tune(s, trial_knobs)
        out = np.empty((2 * len(events) + 64, 2), np.int32)
        at = album.event[k]
        for i in range(at):
            out[i, 0] = events[i, 0]
            out[i, 1] = -1 if events[i, 0] >= 0 and events[i, 1] >= 2 * at else events[i, 1]
        _follow(d, chip, s, events, at, cut, bare(out))
        _fill_queue(s)
        limit = total / price[COST] + 4
        ended = _go_on(d, chip, s, trial_knobs, rng, bare(out), below(rng, 3), limit, bound)
        spent += s.tally[_WORK] - album.long[k, len(s.level) + _WORK] + 2 * (s.tally[_EVENTS] - at) + 20
        if not ended:
            continue
        value = (_score(s) * price).sum()
        if value <= total and s.tally[_EVENTS] <= len(out):
            total = value
            events = out[: s.tally[_EVENTS]].copy()
            spent += len(events) - at
            if album.event[-1] >= len(events):
                place, events, total, album = _staged(d, chip, s, rooms, place, events, knobs[0], price)
            else:
                out = np.empty((len(events), 2), np.int32)
                _rehearse(d, chip, s, rooms, album, events, k, out)
            bound = s.trace.copy() + np.int32(slack)
    if backwards:
        place, events = _ending(place, events), events[::-1].copy()
    place, events, total, album = _staged(ways[0], chip, s, rooms, place, events, knobs[0], price)
    keep(rooms)
    return place, events, total, spent


@numba.njit(cache=True, nogil=True)
def _staged(
    dag: Dag, chip: Chip, s: _State, rooms: _Rooms, place: I32, events: I32, knobs: F64, price: F64
) -> tuple[I32, I32, Any, _Album]:
    """A route repeated from its beginning: the layout there, its events as this direction records them, its
    total, and copies on the way."""
    _reset(dag, s, place, knobs)
    album = _album(rooms, len(events))
    album.whole[0] = rooms.whole
    album.long[0] = rooms.long
    album.real[0] = rooms.real
    out = np.empty((len(events), 2), np.int32)
    _rehearse(dag, chip, s, rooms, album, events, np.int64(0), out)
    total: float = (_score(s) * price).sum()
    return place.copy(), out, total, album


@numba.njit(cache=True, nogil=True)
def _ending(place: I32, events: I32) -> I32:
    """The layout at the end of a route."""
    out = place.copy()
    for i in range(len(events)):
        if events[i, 0] < 0:
            p, q = -1 - events[i, 0], events[i, 1]
            for x in range(len(out)):
                if out[x] == p:
                    out[x] = q
                elif out[x] == q:
                    out[x] = p
    return out


@inline
def _repeat(dag: Dag, chip: Chip, s: _State, what: int, other: int, out: I32) -> None:
    """Repeat one event."""
    if what >= 0:
        s.waiting[what] = _QUEUED
        _execute(dag, chip, s, what, out)
    else:
        _apply_swap(dag, chip, s, np.int64(-1 - what), np.int64(other), out)


@plain
def _follow(dag: Dag, chip: Chip, s: _State, events: I32, begin: int, cut: int, out: I32) -> None:
    """Repeat the events from `begin` up to `cut`."""
    for i in range(begin, cut):
        _repeat(dag, chip, s, events[i, 0], events[i, 1], out)


@numba.njit(cache=True, nogil=True)
def _shaken(knobs: F64, rng: U64) -> Any:
    """A set of knobs somewhere around one of the given."""
    out = knobs[below(rng, len(knobs))].copy()
    out[AHEAD_WEIGHT] *= 0.5 + below(rng, 1000) / 700.0
    out[ABSORB] *= 0.3 + below(rng, 1000) / 900.0
    out[LOOKAHEAD] = max(2, int(out[LOOKAHEAD]) // (1 + below(rng, 3)))
    return out


@numba.njit(cache=True, nogil=True)
def follow_layout(place: I32, swaps: I32, wires: I32, operands: I32) -> tuple[I32, I32, I32]:
    """Physical qubits of every row of a routed circuit.

    Args:
        place: shape (logical,): the layout before the first row.
        swaps: shape (rows, 2): the physical pair of an inserted SWAP, -1 on other rows.
        wires: shape (rows, width): logical wires; numbers beyond the layout (keys) and -1 stay.
        operands: shape (rows, 2): logical operands, -1 stays.

    Returns:
        `wires` and `operands` with physical qubits, and the layout after the last row.
    """
    logical = len(place)
    place = place.copy()
    holder = np.full(max(place.max() if logical else 0, swaps.max() if len(swaps) else 0) + 1, -1, np.int32)
    for q in range(logical):
        holder[place[q]] = q
    wires, operands = wires.copy(), operands.copy()
    for row in range(len(swaps)):
        p, q = swaps[row]
        if p >= 0:
            x, y = holder[p], holder[q]
            holder[p], holder[q] = y, x
            if x >= 0:
                place[x] = q
            if y >= 0:
                place[y] = p
            operands[row] = swaps[row]
            continue
        for k in range(wires.shape[1]):
            if 0 <= wires[row, k] < logical:
                wires[row, k] = place[wires[row, k]]
        for k in range(2):
            if operands[row, k] >= 0:
                operands[row, k] = place[operands[row, k]]
    return wires, operands, place
