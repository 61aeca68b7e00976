"""Starts: layouts from which the search for a route begins."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.device import Device
from qattn_compiler.passes.circuit.embed import CHAIN_STEPS, chain, embedded, orders
from qattn_compiler.passes.circuit.problem import Layout, Problem, chip_of, zones

if TYPE_CHECKING:
    from qattn_compiler.passes.circuit.kernels import Chip

_BEGUN_STEPS: Final = 2_000
"""Qubits tried by each search for a placement of a circuit's beginning."""
_FEW: Final = 8
"""Circuits on fewer qubits need no special starts."""
_NOISE: Final = (0.1, 0.5, 1.0, 0.1, 0.5, 50.0)
"""How random grown layouts are, from compact to scattered."""
_ANNEAL: Final = 100
_ANNEAL_LEAST, _ANNEAL_MOST = 100, 1_000
"""Exchanges of annealing for each gate; least and most for each qubit."""
_ANNEAL_WIDE, _ANNEAL_SHARE = 54, 0.15
"""Circuits on fewer qubits find as good a layout with fewer exchanges: in proportion, down to that share."""


def special_starts(problem: Problem, device: Device, home: Layout, seed: int) -> list[Layout]:
    """Layouts along paths of the chip, for circuits that they suit."""
    chip, rng = chip_of(device), np.random.default_rng(seed)
    lined = _lined(problem, device, home, chip, int(rng.integers(1 << 30)))
    stretched = list(islice(_stretched(problem, device, home, chip, rng), 2))
    begun = _begun(problem, device, home, rng)
    given = _as_given(problem, device, home, chip)
    found = [one for one in (lined, begun, given, *stretched) if one is not None]
    zone = zones(device)
    return [layout for layout in found if not ((home >= 0) & (zone[layout] != home)).any()]


def _lined(problem: Problem, device: Device, home: Layout, chip: Chip, seed: int) -> Layout | None:
    """A start for circuits in which most pairs interact: all qubits along a path of the chip, in the order of
    their first gates. From there SWAPs of neighbours by turns bring every pair together, in a depth linear in
    the qubits (Kivlichan et al., arXiv:1711.04789)."""
    size = problem.size
    if size < _FEW or 4 * len(problem.pairs) < size * (size - 1) or len(np.unique(home)) > 1:
        return None
    path = chain(chip, size, False, CHAIN_STEPS, seed, _around(device, home))
    if len(path) < size:
        return None
    wires = problem.circuit.wires[problem.eras.hard]
    qubits, first = np.unique(wires[(wires >= 0) & (wires < size)], return_index=True)
    when = np.full(size, wires.size)
    when[qubits] = first
    layout = np.empty(size, dtype=np.int32)
    layout[np.argsort(when, kind="stable")] = path
    return layout


def _as_given(problem: Problem, device: Device, home: Layout, chip: Chip) -> Layout | None:
    """A start for lines and rings: the qubits in their own order, which often means something (the rows of a
    lattice)."""
    if problem.size < _FEW or chip.neighbours.shape[1] > 2 or len(np.unique(home)) > 1:
        return None
    rings, paths = orders(device.edges)
    allowed = _around(device, home)
    room = (one for one in paths + rings if len(one) >= problem.size and allowed[one[0]])
    return next((np.array(one[: problem.size], dtype=np.int32) for one in room), None)


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
        found = embedded(pairs[:middle], problem.size, chip, near, 1, _BEGUN_STEPS, rng)[0]
        low, high = (middle, high) if found else (low, middle - 1)
        best = found[0] if found else best
    layout = np.full(problem.size, -1, dtype=np.int32)
    layout[list(best)] = list(best.values())
    return _filled(problem, chip, layout, _around(device, home))


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


def _around(device: Device, home: Layout) -> NDArray[np.bool_]:
    """Shape (n,): the qubits of the part of the chip that the circuit's one part goes to."""
    zone = zones(device)
    inside = np.asarray(zone == home.max(initial=0))
    return inside if np.count_nonzero(inside) >= len(home) else np.ones(len(zone), dtype=np.bool_)


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
    rings, paths = orders(problem.pairs)
    order = [q for chain in rings + paths for q in chain]
    allowed = _around(device, home)
    for _ in range(4):
        spots: NDArray[np.int32] = np.zeros(0, dtype=np.int32)
        for length in range(len(order), max(3, len(order) - 24), -1):
            pick = int(rng.integers(1 << 30))
            found = chain(chip, length, False, CHAIN_STEPS // 10, pick, allowed)
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


def grown(problem: Problem, device: Device, home: Layout, number: int, rng: np.random.Generator) -> Layout:
    """A layout grown around a good centre or, every other number, any.

    Args:
        home: shape (logical,): the part of the chip that each qubit goes to (`homes`).
        number: of the start; with it go the centre, the weights of the gates, and how random it is.
        rng: for what is random.
    """
    from qattn_compiler.passes.circuit import layout_kernels

    centers = good_centers(device, min(problem.size, device.num_qubits))
    center = rng.integers(device.num_qubits) if number % 2 else centers[number // 2 % len(centers)]
    weights = problem.early if number % 4 < 2 else problem.weights
    noise = _NOISE[number // 4 % len(_NOISE)]
    pick = int(rng.integers(1 << 30))
    layout: Layout = layout_kernels.grow_layout(
        problem.pairs, weights, chip_of(device), zones(device), home, int(center), noise, pick
    )
    return layout


def annealing_steps(problem: Problem, length: float) -> int:
    """Exchanges that `annealed` tries, `length` times as many as usual."""
    size, gates = problem.size, len(problem.eras.hard)
    share = min(1.0, max(_ANNEAL_SHARE, size / _ANNEAL_WIDE))
    return int(share * length * min(max(_ANNEAL * gates, _ANNEAL_LEAST * size), _ANNEAL_MOST * size))


def annealed(
    problem: Problem, device: Device, home: Layout, layout: Layout, tie: Ties, steps: int, pick: int
) -> Layout:
    """A layout after exchanges that bring partners together (Kirkpatrick, Gelatt, Vecchi 1983).

    Args:
        home: shape (logical,): the part of the chip that each qubit goes to (`homes`).
        tie: what draws partners together.
        steps: exchanges that are tried.
        pick: seed.
    """
    from qattn_compiler.passes.circuit import layout_kernels

    return np.asarray(
        layout_kernels.anneal_layout(layout, *tie, chip_of(device), zones(device), home, steps, pick)
    )
