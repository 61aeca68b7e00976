"""Place: which physical qubit each logical qubit starts on.

1. A perfect placement, where every interaction is on an edge: paths and rings by growing them in the chip,
   other graphs by backtracking with a budget, after conditions that rule most hopeless cases
   out at once.
2. Else the layout from which routing costs least: SABRE's bidirectional search (Li, Ding, Xie 2019,
   arXiv:1809.02573) from many starts, then hill climbing over parts of
   the best routes.

Of several equal layouts the one with the best expected fidelity is taken; an unknown error rate counts as the
median.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit.gates import GATES, MEASURE, NUM_QUBITS, OPAQUE
from qattn_compiler.circuit.table import Circuit
from qattn_compiler.device import Device
from qattn_compiler.errors import OptionError, PassError, TargetError
from qattn_compiler.passes.circuit.dependencies import Eras, dags

if TYPE_CHECKING:
    from qattn_compiler.passes.circuit.kernels import Chip, Dag

Layout = NDArray[np.int32]
T = TypeVar("T")

_CLASS: Final = {"cx": 1, "cy": 1, "cz": 1, "ch": 1, "swap": 3, "fsim": 3}
WEIGHT: Final = np.array(
    [_CLASS.get(gate.name, 2 if gate.num_qubits == 2 else 3) for gate in GATES],
    dtype=np.int32,
)
"""Native two-qubit gates that a gate costs by itself: the class of its matrix needs that many CZ."""

PRICES: Final = {
    "count": (1e-6, 1.0, 1e-4, 1e-5),
    "depth": (1e-6, 1e-3, 1.0, 1e-5),
    "fidelity": (1e-6, 1e-4, 1e-6, 1.0),
}
"""Objective -> weights of (swaps, native gates, depth, minus log fidelity)."""

_EMBED_STEPS: Final = (3_000,) * 8 + (30_000,) * 6
"""Qubits tried by each search for a perfect placement."""
_EMBEDDED: Final = 40
"""Perfect placements that each looks for if they differ."""
_SPREAD: Final = 5
_BEGUN_STEPS: Final = 2_000
"""The same for a placement of a circuit's beginning."""
_CHAINS: Final = 12
_CHAIN_QUBITS: Final = 2_000
"""Chains that are looked at for their errors: at least so many, and of so many qubits in all."""
_LONG: Final = 8_000
_MOST_STRETCHES: Final = 600
_SHORT: Final = 10_000.0
"""Microseconds of search below which threads are not worth their start."""
_FEW: Final = 8
"""Circuits on fewer qubits need no special starts."""
_CHAIN_STEPS: Final = 300_000
_ANNEAL: Final = 1500
_HEAT: Final = (4.0, 0.0, 2.0, 8.0)


@dataclass(frozen=True, eq=False)
class Problem:
    """What placement and routing need to know of a circuit.

    Attributes:
        circuit: the circuit.
        eras: the rows on two and more wires (hard rows), and which of them commute on which wire.
        ways: the hard rows and who waits for whom, forward and reversed: as free as commutation allows, and,
            if that makes a difference, in the order that each wire has now.
        pairs: shape (pairs, 2): logical qubits that interact, first < second.
        weights: shape (pairs,): native gates on them.
        early: shape (pairs,): how often they interact, later gates counting less.
        mild: shape (pairs,): the same, but less so.
        turns: shape (logical,): single-qubit rows.
        reads: shape (logical,): how often it is measured.
    """

    circuit: Circuit
    eras: Eras
    ways: tuple[tuple[Dag, Dag], ...]
    pairs: NDArray[np.int32]
    weights: NDArray[np.float64]
    early: NDArray[np.float64]
    mild: NDArray[np.float64]
    turns: NDArray[np.float64]
    reads: NDArray[np.float64]

    @property
    def size(self) -> int:
        """Logical qubits."""
        return self.circuit.num_qubits


def read(circuit: Circuit) -> Problem:
    """Read the dependencies and interactions of a circuit.

    Raises:
        PassError: a unitary row acts on more than two qubits.
    """
    _refuse_wide(circuit)
    eras = Eras.of(circuit)
    hard = eras.hard
    coupled = circuit.is_two_qubit[hard]
    ends = circuit.wires[hard, :2]
    weight = WEIGHT[circuit.op[hard]]
    inner = np.flatnonzero(coupled)
    pairs, which = np.unique(np.sort(ends[inner], axis=1), axis=0, return_inverse=True)
    which = which.reshape(-1)
    order = np.arange(len(inner)) / (circuit.num_qubits + 1.0)
    return Problem(
        circuit,
        eras,
        tuple(dags(circuit, eras, weight, free) for free in ((True, False) if eras.commute else (False,))),
        pairs.astype(np.int32).reshape(-1, 2),
        np.bincount(which, weight[inner], len(pairs)).astype(np.float64),
        np.bincount(which, np.exp(-order / 3), len(pairs)).astype(np.float64),
        np.bincount(which, np.exp(-order / 8), len(pairs)).astype(np.float64),
        _per_qubit(circuit, NUM_QUBITS[circuit.op] == 1),
        _per_qubit(circuit, circuit.op == MEASURE),
    )


def _refuse_wide(circuit: Circuit) -> None:
    for row in np.flatnonzero(circuit.op == OPAQUE).tolist():
        extra = circuit.extras[circuit.extra[row]]
        if len(extra.operands) > 2:
            labels = ", ".join(str(circuit.qubits[q]) for q in extra.operands)
            raise PassError(
                f"row {row} ({extra.payload}) acts on {len(extra.operands)} qubits: {labels}",
                hint="decompose it into gates on at most two qubits before routing",
            )


def _per_qubit(circuit: Circuit, rows: NDArray[np.bool_]) -> NDArray[np.float64]:
    """How many of these rows act on each qubit."""
    wires = circuit.wires[rows]
    return np.bincount(
        wires[(wires >= 0) & (wires < circuit.num_qubits)], minlength=circuit.num_qubits
    ).astype(np.float64)


@lru_cache(maxsize=16)
def chip_of(device: Device) -> Chip:
    """The coupling graph as the kernels want it."""
    from qattn_compiler.passes.circuit.kernels import Chip

    n = device.num_qubits
    near: list[list[int]] = [[] for _ in range(n)]
    for a, b in device.edges.tolist():
        near[a].append(b)
        near[b].append(a)
    width = max((len(x) for x in near), default=0)
    neighbours = np.full((n, max(width, 1)), -1, dtype=np.int32)
    for p, others in enumerate(near):
        neighbours[p, : len(others)] = sorted(others)
    mirror = np.full_like(neighbours, -1)
    for p, others in enumerate(near):
        mirror[p, : len(others)] = [sorted(near[q]).index(p) for q in sorted(others)]
    error = np.zeros((n, n))
    edge = _loss(device.edge_error)
    error[device.edges[:, 0], device.edges[:, 1]] = edge
    error[device.edges[:, 1], device.edges[:, 0]] = edge
    return Chip(neighbours, mirror, np.ascontiguousarray(device.distance), error)


def _loss(error: NDArray[np.float64]) -> NDArray[np.float64]:
    """Minus log fidelity; what is unknown is the median of what is known, or 0."""
    known = error[np.isfinite(error)]
    middle = float(np.median(known)) if len(known) else 0.0
    return np.asarray(-np.log1p(-np.clip(np.where(np.isfinite(error), error, middle), 0.0, 0.999)))


def loss(problem: Problem, device: Device, layouts: Layout) -> NDArray[np.float64]:
    """Minus log fidelity of layouts, for a circuit whose pairs all are on edges.

    Args:
        layouts: shape (layouts, logical).

    Returns:
        shape (layouts,).
    """
    error = chip_of(device).error
    first, second = layouts[:, problem.pairs[:, 0]], layouts[:, problem.pairs[:, 1]]
    total = error[first, second] @ problem.weights
    total += _loss(device.qubit_error)[layouts] @ problem.turns
    total += _loss(device.readout_error).mean(axis=1)[layouts] @ problem.reads
    return np.asarray(total)


# --- components


@lru_cache(maxsize=16)
def zones(device: Device) -> NDArray[np.int32]:
    """Shape (n,): number of the connected component of each physical qubit."""
    return _components(device.num_qubits, device.edges)


def _components(n: int, edges: NDArray[np.int32]) -> NDArray[np.int32]:
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    matrix = csr_array((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(n, n))
    return np.asarray(connected_components(matrix, directed=False)[1], dtype=np.int32)


def homes(problem: Problem, device: Device) -> NDArray[np.int32]:
    """Shape (logical,): the component of the chip that each logical qubit goes to; -1: idle, goes anywhere.

    Raises:
        TargetError: the circuit does not fit.
    """
    missing = problem.size - device.num_qubits
    if missing > 0:
        raise TargetError(
            f"the circuit has {problem.size} qubits, {device.name} has {device.num_qubits}: "
            f"{missing} {'is' if missing == 1 else 'are'} missing"
        )
    home = np.full(problem.size, -1, dtype=np.int32)
    busy = np.unique(problem.pairs)
    if not zones(device).any():  # all of the chip is connected
        home[busy] = 0
        return home
    if not len(busy):
        return home
    group = _components(problem.size, problem.pairs)
    names, sizes = np.unique(group[busy], return_counts=True)
    rooms = np.bincount(zones(device))
    chosen = _pack(sorted(zip(sizes.tolist(), names.tolist(), strict=True), reverse=True), rooms.tolist())
    if chosen is None:
        raise TargetError(
            f"{device.name} falls into {len(rooms)} unconnected parts of "
            f"{', '.join(map(str, rooms))} qubits; "
            f"the circuit's connected parts have {', '.join(map(str, sizes))}",
            hint="route across the parts is impossible: split the circuit or choose another target",
        )
    for name, zone in chosen.items():
        home[busy[group[busy] == name]] = zone
    return home


def _pack(items: list[tuple[int, int]], rooms: list[int], budget: int = 20_000) -> dict[int, int] | None:
    """Largest first, into the fullest room that still has space; with backtracking within a budget."""
    left = [budget]

    def place(i: int) -> dict[int, int] | None:
        left[0] -= 1
        if i == len(items) or left[0] < 0:
            return {} if i == len(items) else None
        size, name = items[i]
        tried: set[int] = set()
        for room in sorted(range(len(rooms)), key=rooms.__getitem__):
            if rooms[room] < size or rooms[room] in tried:
                continue
            tried.add(rooms[room])
            rooms[room] -= size
            rest = place(i + 1)
            rooms[room] += size
            if rest is not None:
                return {name: room, **rest}
        return None

    return place(0)


# --- perfect placement


def perfect(problem: Problem, device: Device, seed: int = 0) -> Layout | None:
    """The best found layout with every interaction on an edge, or None if there is none or the budget
    ends."""
    if not len(problem.pairs):
        return _complete(problem, device, [{}])
    if problem.size > device.num_qubits or not _may_embed(problem, device):
        return None
    rng = np.random.default_rng(seed)
    degree = np.bincount(problem.pairs.ravel(), minlength=problem.size)
    if degree.max() <= 2:
        found = list(_chains(problem, device, rng))
        if found:
            return _complete(problem, device, found)
    return _complete(problem, device, _embeddings(problem, device, rng))


def _may_embed(problem: Problem, device: Device) -> bool:
    """Necessary conditions: edges, degrees, and no odd ring in a bipartite chip."""
    import networkx as nx

    if len(problem.pairs) > len(device.edges):
        return False
    want = np.sort(np.bincount(problem.pairs.ravel(), minlength=device.num_qubits))
    have = np.sort(np.bincount(device.edges.ravel(), minlength=device.num_qubits))
    if (want > have).any():
        return False
    return not _is_bipartite(device) or bool(nx.is_bipartite(nx.Graph(problem.pairs.tolist())))


@lru_cache(maxsize=16)
def _is_bipartite(device: Device) -> bool:
    import networkx as nx

    return bool(nx.is_bipartite(device.graph))


@lru_cache(maxsize=16)
def _has_errors(device: Device) -> bool:
    """Whether equal layouts differ in what is known of errors."""
    known = (device.edge_error, device.qubit_error, device.readout_error)
    return any(bool(np.isfinite(error).any()) for error in known)


def _embeddings(problem: Problem, device: Device, rng: np.random.Generator) -> list[dict[int, int]]:
    """Subgraph isomorphisms logical -> physical, from several places of the chip so that they are spread over
    it; one if nothing is known of errors."""
    chip, near = chip_of(device), np.ascontiguousarray(device.adjacency)
    enough = _EMBEDDED if _has_errors(device) else 1
    found: list[dict[int, int]] = []
    for attempt, steps in enumerate(_EMBED_STEPS):
        # A fresh order often ends in milliseconds what another does not find in minutes.
        more, is_all = _embedded(problem.pairs, problem.size, chip, near, enough, steps, rng)
        found += more
        if is_all or (len(found) >= enough and (enough == 1 or attempt >= _SPREAD)):
            break
    return found


def _embedded(
    pairs: NDArray[np.int32],
    size: int,
    chip: Chip,
    near: NDArray[np.bool_],
    most: int,
    steps: int,
    rng: np.random.Generator,
) -> tuple[list[dict[int, int]], bool]:
    """Ways to put pairs on couplings (`kernels.embed`), and whether these are all."""
    from qattn_compiler.passes.circuit import kernels

    order = _outwards(pairs, size, rng)
    rank = np.empty(size, dtype=np.int64)
    rank[order] = np.arange(len(order))
    ends = np.sort(rank[pairs], axis=1)
    ends = ends[np.argsort(ends[:, 1], kind="stable")]
    begin = np.searchsorted(ends[:, 1], np.arange(len(order) + 1)).astype(np.int32)
    later = np.bincount(ends[:, 0], minlength=len(order)).astype(np.int32)
    pick = int(rng.integers(1 << 30))
    ways, is_all = kernels.embed(
        begin, ends[:, 0].astype(np.int32), later, chip.neighbours, near, most, steps, pick
    )
    return [dict(zip(order, way.tolist(), strict=True)) for way in ways], bool(is_all)


def _outwards(pairs: NDArray[np.int32], size: int, rng: np.random.Generator) -> list[int]:
    """The interacting qubits, part by part, each next to those before it where that is possible: the one with
    most partners among them, then the one with most partners, then any."""
    near: dict[int, set[int]] = {}
    for a, b in pairs.tolist():
        near.setdefault(a, set()).add(b)
        near.setdefault(b, set()).add(a)
    luck = rng.random(size)
    ties = dict.fromkeys(near, 0)
    order: list[int] = []
    while ties:
        pick = max(ties, key=lambda q: (ties[q], len(near[q]), luck[q]))
        del ties[pick]
        order.append(pick)
        for other in near[pick] & ties.keys():
            ties[other] += 1
    return order


def _chains(problem: Problem, device: Device, rng: np.random.Generator) -> Iterator[dict[int, int]]:
    """Layouts of a circuit whose interactions are one ring, or paths (laid end to end)."""
    rings, paths = _orders(problem)
    if len(rings) > 1 or (rings and paths):
        return
    order = rings[0] if rings else [q for path in paths for q in path]
    chip = chip_of(device)
    found = missed = 0
    enough = max(_CHAINS, _CHAIN_QUBITS // max(len(order), 1)) if _has_errors(device) else 1
    steps = min(_CHAIN_STEPS, _CHAIN_STEPS // 100 * len(order))
    while found < enough and missed < 3:
        spots = _chain(chip, len(order), bool(rings), steps, int(rng.integers(1 << 30)))
        if len(spots) < len(order):
            missed += 1
            continue
        found += 1
        for turned in (spots, spots[::-1]):
            yield dict(zip(order, turned.tolist(), strict=True))


def _chain(
    chip: Chip, length: int, closed: bool, steps: int, seed: int, allowed: NDArray[np.bool_] | None = None
) -> NDArray[np.int32]:
    """A ring of that length, or a path that is at most that long; of qubits that are allowed."""
    from qattn_compiler.passes.circuit import kernels

    if allowed is None:
        allowed = np.ones(len(chip.neighbours), dtype=np.bool_)
    if closed:
        return np.asarray(kernels.ring(chip.neighbours, allowed, length, steps, seed))
    # A path is cut from a ring where there is one: rings grow by bumps and do not get stuck at their ends.
    around = kernels.ring(chip.neighbours, allowed, max(4, length + length % 2), steps, seed)
    if len(around):
        cut = seed % len(around)
        return np.asarray(np.roll(around, cut)[:length])
    return np.asarray(kernels.long_path(chip.neighbours, allowed, length, steps, seed))


def _orders(problem: Problem) -> tuple[list[list[int]], list[list[int]]]:
    """Qubits of each ring and of each path of an interaction graph of degree at most 2, in order."""
    near: dict[int, list[int]] = {}
    for a, b in problem.pairs.tolist():
        near.setdefault(a, []).append(b)
        near.setdefault(b, []).append(a)
    rings: list[list[int]] = []
    paths: list[list[int]] = []
    seen: set[int] = set()
    for begin in sorted(near, key=lambda q: (len(near[q]), q)):
        if begin in seen:
            continue
        order = [begin]
        seen.add(begin)
        while rest := [q for q in near[order[-1]] if q not in seen]:
            order.append(rest[0])
            seen.add(rest[0])
        (paths if len(near[begin]) == 1 else rings).append(order)
    return rings, paths


def _complete(problem: Problem, device: Device, found: list[dict[int, int]]) -> Layout | None:
    """Add the qubits without partner at their best places, and take the layout of best fidelity."""
    if not found:
        return None
    readout = _loss(device.readout_error).mean(axis=1)
    quality = np.argsort(readout + _loss(device.qubit_error), kind="stable")
    layouts = np.full((len(found), problem.size), -1, dtype=np.int32)
    for layout, mapping in zip(layouts, found, strict=True):
        layout[list(mapping)] = list(mapping.values())
        used = set(mapping.values())
        alone = np.flatnonzero(layout < 0)
        layout[alone] = [p for p in quality.tolist() if p not in used][: len(alone)]
    return np.asarray(layouts[np.argmin(loss(problem, device, layouts))])


# --- search


@dataclass(frozen=True, eq=False)
class Choice:
    """A route.

    Attributes:
        layout: where it starts.
        events: gates and SWAPs, as the kernel records them.
        total: its price.
        how: the knob set that found it.
    """

    layout: Layout
    events: NDArray[np.int32]
    total: float
    how: int


def knob_sets(device: Device, lookahead: int, decay: float, free: bool = False) -> NDArray[np.float64]:
    """Shape (sets, NUM_KNOBS): the settings that trials take in turn; no single one is best for all circuits.

    A block of two qubits is three rows, so that dense random circuits want to look far ahead.

    Args:
        free: whether gates commute. Every other set is then for an order in which many of them may be next;
            near ones count most there.
    """
    distance = device.distance
    reach = distance[distance < max(device.num_qubits, 1)]
    patience = 4.0 * float(reach.max() if len(reach) else 1) + 10.0
    ordered = [
        [lookahead, 0.5, 0, decay, 1.0, patience, 0.9, 1.0],
        [max(2, lookahead // 2), 0.5, 1, decay, 1.0, patience, 1.0, 1.0],
        [2 * lookahead, 1.0, 1, decay, 0.6, patience, 0.9, 1.0],
        [5 * lookahead, 0.5, 0, decay, 1.0, patience, 0.97, 1.0],
        [10 * lookahead, 1.0, 0, decay, 1.0, patience, 0.97, 1.0],
    ]
    loose = [
        [lookahead, 0.5, 0, 0.0, 0.3, patience, 0.9, -0.5],
        [lookahead, 0.5, 0, 0.0, 0.3, patience, 0.9, -1.5],
        [lookahead, 0.5, 0, decay, 1.0, patience, 0.9, 0.0],
        [lookahead, 0.5, 1, decay, 1.0, patience, 0.8, 0.4],
    ]
    if not free:
        return np.array(ordered)
    return np.array([sets for pair in zip(loose, ordered, strict=False) for sets in pair])


def search(
    problem: Problem,
    device: Device,
    *,
    seed: int = 0,
    trials: int = 20,
    lookahead: int = 20,
    decay: float = 0.001,
    polish: float = 1.0,
    objective: str = "count",
    initial: Layout | None = None,
) -> Choice:
    """The layout (or, with `initial`, the tie breaks) from which routing costs least.

    Raises:
        TargetError: the circuit does not fit.
        OptionError: an option means nothing.
    """
    from qattn_compiler.passes.circuit import kernels

    check_options(trials, lookahead, decay, objective)
    if not polish >= 0:
        raise OptionError(f"polish={polish}: a number, 0 or more, was expected")
    whole, home = problem, homes(problem, device)
    problem = beginning(whole)
    is_long = problem is not whole
    if is_long:
        trials = max(1, trials // 4)
    chip = chip_of(device)
    price = np.array(PRICES[objective])
    knobs = knob_sets(device, lookahead, decay, len(problem.ways) > 1)
    rng = np.random.default_rng(seed)
    effort = Effort.of(problem, trials, polish, initial is not None)
    if initial is None:
        starts = _starts(problem, device, home, chip, rng, effort.trials)
    else:
        starts = np.repeat(initial[None].astype(np.int32), effort.trials, axis=0)
    with _pool(problem, effort) as pool:
        tried = _tried(pool, problem, chip, starts, knobs, effort.rounds, seed, price)
        if is_long:
            layout, _, _, how = tried[0]
            return through(whole, device, layout, knobs[how], how, seed, initial is None)

        def polished(number: int) -> Choice:
            place, pass_seed, total, k = tried[number]
            way = k % len(problem.ways)
            dag, back = problem.ways[way]
            events = record(dag, chip, place, knobs[k], pass_seed)
            if len(events) == len(dag.first) or effort.tries < 8:
                return Choice(place, events, total, k)
            mine = np.ascontiguousarray(knobs[way :: len(problem.ways)])
            tries, free = effort.tries, initial is None
            layout, better, least = kernels.polish(
                dag, back, chip, place, events, tries, mine, seed + number, price, free
            )
            return Choice(layout, better, least, k)

        routes = list(pool.map(polished, range(min(effort.routes, len(tried)))))
    return min(routes, key=lambda route: route.total)


class Alone:
    """What stands for a pool of threads where starting them would take longer than the work."""

    def __enter__(self) -> Alone:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def map(self, function: Callable[..., T], *columns: Iterable[Any]) -> Iterator[T]:
        """The results, one after the other."""
        return map(function, *columns)


Pool = ThreadPoolExecutor | Alone


def pool(wide: bool) -> Pool:
    """Threads, or none where they are not worth their start."""
    return ThreadPoolExecutor(_workers()) if wide else Alone()


def _pool(problem: Problem, effort: Effort) -> Pool:
    """Threads, or none for a search of some milliseconds."""
    passes = effort.trials * (2 * effort.rounds - 1) + effort.routes * effort.tries
    return pool(passes * _microseconds(problem) >= _SHORT)


def _microseconds(problem: Problem) -> float:
    """About what one pass takes."""
    return max(1.0, len(problem.eras.hard) * (1.0 + problem.size / 8.0))


def _workers() -> int:
    """Threads for the search. The result is the same for any number of them."""
    return max(1, min(8, os.cpu_count() or 1))


def _tried(
    pool: Pool,
    problem: Problem,
    chip: Chip,
    starts: NDArray[np.int32],
    knobs: NDArray[np.float64],
    rounds: int,
    seed: int,
    price: NDArray[np.float64],
) -> list[tuple[Layout, int, float, int]]:
    """The best layout from each start, the seed of its pass, its total and its knob set, best first.

    Two starts go to each knob set in turn, the others to the two sets that did best.
    """
    from qattn_compiler.passes.circuit import kernels

    def one(t: int, k: int) -> tuple[Layout, int, float, int]:
        own = seed * 1000003 + t * 101
        return (
            *kernels.refine(
                *problem.ways[k % len(problem.ways)], chip, starts[t], knobs[k], rounds, own, price
            ),
            k,
        )

    fair = min(len(starts), 2 * len(knobs))
    found = list(pool.map(one, range(fair), np.arange(fair) % len(knobs)))
    ranked = list(dict.fromkeys(k for *_, k in sorted(found, key=lambda trial: trial[2])))[:2]
    rest = range(fair, len(starts))
    found += pool.map(one, rest, [ranked[t % len(ranked)] for t in rest])
    return sorted(found, key=lambda trial: trial[2])


def beginning(problem: Problem) -> Problem:
    """The problem, or the beginning of a long one."""
    hard = problem.eras.hard
    return read(problem.circuit.with_rows(np.arange(hard[_LONG // 4]))) if len(hard) > _LONG else problem


def through(
    problem: Problem,
    device: Device,
    layout: Layout,
    knobs: NDArray[np.float64],
    how: int,
    seed: int,
    movable: bool,
) -> Choice:
    """One pass over a long circuit, from the layout that is best for its beginning.

    Args:
        knobs: shape (NUM_KNOBS,): set number `how`.
        movable: whether another layout may be taken.
    """
    chip = chip_of(device)
    # Idle in the beginning is not idle for good: only a layout that keeps the parts together will do.
    home = homes(problem, device)
    if movable and ((home >= 0) & (zones(device)[layout] != home)).any():
        layout = _starts(problem, device, home, chip, np.random.default_rng(0), 1)[0]
    dag, _ = problem.ways[how % len(problem.ways)]
    return Choice(layout, record(dag, chip, layout, knobs, seed), 0.0, how)


def record(dag: Dag, chip: Chip, layout: Layout, knobs: NDArray[np.float64], seed: int) -> NDArray[np.int32]:
    """Repeat a pass of the search, this time recording its events."""
    from qattn_compiler.passes.circuit import kernels

    room = 5 * len(dag.first) + 64
    while True:
        events = np.full((room, 2), -1, np.int32)
        score = kernels.route_pass(dag, chip, layout, knobs, seed, events)[1]
        used = len(dag.first) + int(score[kernels.SWAPS])
        if used <= room:
            return events[:used].copy()
        room = used


def check_options(trials: int, lookahead: int, decay: float, objective: str) -> None:
    """Raise OptionError for an option that means nothing."""
    if objective not in PRICES:
        raise OptionError(f"objective {objective!r}; expected one of {', '.join(PRICES)}")
    if trials < 1 or lookahead < 0 or not 0 <= decay < 1:
        raise OptionError(
            f"trials={trials} lookahead={lookahead} decay={decay}: expected at least 1, at least 0, in [0, 1)"
        )


@dataclass(frozen=True)
class Effort:
    """How much to search: more for a small circuit, which is compiled once, and for a huge one so little that
    it takes seconds.

    Attributes:
        trials: layouts to start from.
        rounds: forward passes for each.
        routes: how many of the best routes to polish.
        tries: how many stretches of each to route anew.
    """

    trials: int
    rounds: int
    routes: int
    tries: int

    @staticmethod
    def of(problem: Problem, trials: int, polish: float, fixed: bool) -> Effort:
        """The effort for a problem; `fixed`: the layout is given."""
        cost = _microseconds(problem)
        passes = 30_000.0 * trials / cost
        rounds = 1 if fixed else (4 if passes > 50 else 2)
        starts = int(min(trials if cost > 500 else 2 * trials, max(2.0, passes / (2 * rounds - 1))))
        most = min(20.0 * trials * min(polish, 1.0), _MOST_STRETCHES)
        tries = int(min(most, 10_000.0 * trials * polish / cost))
        return Effort(starts, rounds, 3, tries) if tries >= 100 else Effort(starts, rounds, 1, 3 * tries)


def _starts(
    problem: Problem, device: Device, home: Layout, chip: Chip, rng: np.random.Generator, trials: int
) -> NDArray[np.int32]:
    """Shape (trials, logical): layouts grown from good centres, from compact to random."""
    from qattn_compiler.passes.circuit import kernels

    zone = zones(device)
    centers = good_centers(device, min(problem.size, device.num_qubits))
    starts = np.empty((trials, problem.size), dtype=np.int32)
    for t in range(trials):
        center = int(centers[t // 2 % len(centers)] if t % 2 else rng.integers(device.num_qubits))
        weights = problem.early if t % 4 < 2 else problem.weights
        noise = (0.1, 0.5, 1.0, 50.0)[t // 4 % 4]
        starts[t] = kernels.grow_layout(
            problem.pairs, weights, chip, zone, home, center, noise, int(rng.integers(1 << 30))
        )
    near, begin, tie = ties(problem, problem.weights)[0]
    for t in range(trials):
        hot = _HEAT[t % len(_HEAT)]
        if hot:
            steps, pick = _ANNEAL * problem.size, int(rng.integers(1 << 30))
            starts[t] = kernels.anneal_layout(starts[t], near, begin, tie, chip, zone, home, hot, steps, pick)
    for t, layout in enumerate(_stretched(problem, device, home, chip, rng)):
        starts[t % trials] = layout
    lined = _lined(problem, home, chip, int(rng.integers(1 << 30)))
    return starts if lined is None else np.concatenate([lined[None], starts])


def special_starts(problem: Problem, device: Device, home: Layout, seed: int) -> list[Layout]:
    """Layouts along paths of the chip, for circuits that they suit."""
    chip, rng = chip_of(device), np.random.default_rng(seed)
    lined = _lined(problem, home, chip, int(rng.integers(1 << 30)))
    stretched = list(islice(_stretched(problem, device, home, chip, rng), 2))
    begun = _begun(problem, device, home, rng)
    found = [one for one in (lined, begun, *stretched) if one is not None]
    zone = zones(device)
    return [layout for layout in found if not ((home >= 0) & (zone[layout] != home)).any()]


def _lined(problem: Problem, home: Layout, chip: Chip, seed: int) -> Layout | None:
    """A start for circuits in which most pairs interact: all qubits along a path of the chip, in the order of
    their first gates. From there SWAPs of neighbours by turns bring every pair together, in a depth linear in
    the qubits (Kivlichan et al., arXiv:1711.04789)."""
    size = problem.size
    if size < _FEW or 4 * len(problem.pairs) < size * (size - 1) or len(np.unique(home)) > 1:
        return None
    path = _chain(chip, size, False, _CHAIN_STEPS, seed, _around(chip, home))
    if len(path) < size:
        return None
    wires = problem.circuit.wires[problem.eras.hard]
    qubits, first = np.unique(wires[(wires >= 0) & (wires < size)], return_index=True)
    when = np.full(size, wires.size)
    when[qubits] = first
    layout = np.empty(size, dtype=np.int32)
    layout[np.argsort(when, kind="stable")] = path
    return layout


def _begun(problem: Problem, device: Device, home: Layout, rng: np.random.Generator) -> Layout | None:
    """A start from which no SWAP is needed for as long as possible, for circuits that keep to few pairs: as
    many of them as can be, in the order of their first gates, are on couplings; the other qubits near those
    that they meet soon."""
    if len(problem.pairs) > 6 * problem.size or len(np.unique(home)) > 1 or problem.size < _FEW:
        return None
    eras, circuit = problem.eras, problem.circuit
    inner = eras.hard[circuit.is_two_qubit[eras.hard]]
    ends = np.sort(circuit.wires[inner, :2], axis=1)
    _, first = np.unique(ends, axis=0, return_index=True)
    pairs = ends[np.sort(first)].astype(np.int32)
    chip, near = chip_of(device), np.ascontiguousarray(device.adjacency)
    low, high, best = 0, len(pairs), dict[int, int]()
    while low < high:
        middle = (low + high + 1) // 2
        found = _embedded(pairs[:middle], problem.size, chip, near, 1, _BEGUN_STEPS, rng)[0]
        low, high = (middle, high) if found else (low, middle - 1)
        best = found[0] if found else best
    layout = np.full(problem.size, -1, dtype=np.int32)
    layout[list(best)] = list(best.values())
    return _filled(problem, chip, layout, _around(chip, home))


def _filled(problem: Problem, chip: Chip, layout: Layout, allowed: NDArray[np.bool_]) -> Layout:
    """A layout with all qubits that had no place near those that they meet soon."""
    size = problem.size
    tie = np.zeros((size, size))
    tie[problem.pairs[:, 0], problem.pairs[:, 1]] = problem.early
    tie += tie.T
    free = allowed.copy()
    free[layout[layout >= 0]] = False
    while (layout < 0).any():
        placed = layout >= 0
        pull = np.where(placed, -1.0, tie[:, placed].sum(axis=1))
        x = int(pull.argmax())
        spots = np.flatnonzero(free)
        cost = chip.distance[np.ix_(spots, layout[placed])] @ tie[x, placed]
        layout[x] = spots[int(cost.argmin())]
        free[layout[x]] = False
    return layout


def _around(chip: Chip, home: Layout) -> NDArray[np.bool_]:
    """Shape (n,): the qubits of the part of the chip that the circuit's one part goes to."""
    zone = _parts_of(chip)
    inside = np.asarray(zone == home.max(initial=0))
    return inside if np.count_nonzero(inside) >= len(home) else np.ones(len(zone), dtype=np.bool_)


def _parts_of(chip: Chip) -> NDArray[np.int32]:
    n = len(chip.neighbours)
    first, k = np.nonzero(chip.neighbours >= 0)
    return _components(n, np.stack([first, chip.neighbours[first, k]], axis=1).astype(np.int32))


Ties = tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float64]]


def ties(problem: Problem, *weights: NDArray[np.float64]) -> list[Ties]:
    """For each kind of weights of the pairs: partners of each qubit, where each one's begin, and the weights,
    so that their mean is 1."""
    both = np.concatenate([problem.pairs, problem.pairs[:, ::-1]])
    order = np.argsort(both[:, 0], kind="stable")
    begin = np.searchsorted(both[order, 0], np.arange(problem.size + 1)).astype(np.int32)
    near = both[order, 1].astype(np.int32)
    scaled = [np.tile(kind / max(kind.mean(), 1e-9), 2) if len(both) else np.zeros(0) for kind in weights]
    return [(near, begin, kind[order]) for kind in scaled]


def _stretched(
    problem: Problem, device: Device, home: Layout, chip: Chip, rng: np.random.Generator
) -> Iterator[Layout]:
    """Starts for chains that do not fit as a whole: the longest stretch that does, the rest on the nearest
    free places."""
    degree = np.bincount(problem.pairs.ravel(), minlength=problem.size)
    if not len(problem.pairs) or degree.max() > 2 or len(np.unique(home)) > 1:
        return
    rings, paths = _orders(problem)
    order = [q for chain in rings + paths for q in chain]
    allowed = _around(chip, home)
    for _ in range(4):
        spots: NDArray[np.int32] = np.zeros(0, dtype=np.int32)
        for length in range(len(order), max(3, len(order) - 24), -1):
            pick = int(rng.integers(1 << 30))
            found = _chain(chip, length, False, _CHAIN_STEPS // 10, pick, allowed)
            spots = max(spots, found, key=len)
            if len(spots) >= length:
                break
        if not len(spots):
            return
        layout = np.full(problem.size, -1, dtype=np.int32)
        layout[order[: len(spots)]] = spots
        free = np.setdiff1d(np.flatnonzero(allowed), spots)
        for q in [*order[len(spots) :], *np.flatnonzero(degree == 0).tolist()]:
            near = chip.distance[free][:, [spots[0], spots[-1]]].sum(axis=1)
            pick = int(np.argmin(near))
            layout[q] = free[pick]
            free = np.delete(free, pick)
        yield layout


@lru_cache(maxsize=64)
def good_centers(device: Device, size: int) -> NDArray[np.int64]:
    """Physical qubits, those first whose `size` nearest are close together and err little."""
    n, chip = device.num_qubits, chip_of(device)
    reach = np.sort(chip.distance, axis=1)[:, :size].mean(axis=1)
    degree = np.maximum((chip.neighbours >= 0).sum(axis=1), 1)
    around = chip.error.sum(axis=1) / degree
    nearest = np.argsort(chip.distance, axis=1, kind="stable")[:, :size]
    bad = around[nearest].mean(axis=1)
    scale = bad.mean() if n and bad.mean() > 0 else 1.0
    return np.argsort(reach + bad / scale, kind="stable")


# --- the pass


@dataclass(frozen=True)
class Place:
    """Choose the initial layout.

    Needs gates on at most two qubits (walls that are no unitary, such as wide measurements, may be wider).
    Keeps every row; `run` only renames the qubits to the device's.

    Attributes:
        device: the machine.
        seed: of the search.
        trials: starts of the search.
        objective: "count" (native two-qubit gates), "depth" or "fidelity".
    """

    device: Device
    seed: int = 0
    trials: int = 20
    objective: str = "count"
    name: ClassVar[str] = "place"

    def place(self, circuit: Circuit) -> Layout:
        """The initial layout, shape (logical,), int32: logical index -> physical index.

        Raises:
            TargetError: the circuit does not fit on the device.
            PassError: a unitary acts on more than two qubits.
        """
        problem = read(circuit)
        homes(problem, self.device)
        layout = perfect(problem, self.device, self.seed)
        if layout is not None:
            return layout
        options: dict[str, Any] = {"seed": self.seed, "trials": self.trials, "objective": self.objective}
        return search(problem, self.device, **options).layout

    def run(self, circuit: Circuit, /) -> Circuit:
        """The circuit on the device's qubits, laid out by `place`; still to be routed unless the layout is
        perfect."""
        from qattn_compiler.passes.circuit.route import relabel

        if circuit.qubits == self.device.qubits:
            return circuit
        return relabel(circuit, self.device, self.place(circuit))
