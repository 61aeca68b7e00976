"""Embed: layouts with every interaction on a coupling.

Paths and rings are grown in the chip, other graphs put there by backtracking with a budget, after conditions
that rule most hopeless cases out at once. Of several layouts the one with the best expected fidelity is
taken; an unknown error rate counts as the median.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.device import Device
from qattn_compiler.passes.circuit.problem import Layout, Problem, chip_of, loss, losses

if TYPE_CHECKING:
    from qattn_compiler.passes.circuit.kernels import Chip

_EMBED_STEPS: Final = (3_000,) * 8 + (30_000,) * 6
"""Qubits tried by each search for a perfect placement."""
_EMBEDDED: Final = 40
"""Perfect placements that each looks for if they differ."""
_SPREAD: Final = 5
_CHAINS: Final = 12
_CHAIN_QUBITS: Final = 2_000
"""Chains that are looked at for their errors: at least so many, and of so many qubits in all."""
CHAIN_STEPS: Final = 300_000


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
        more, is_all = embedded(problem.pairs, problem.size, chip, near, enough, steps, rng)
        found += more
        if is_all or (len(found) >= enough and (enough == 1 or attempt >= _SPREAD)):
            break
    return found


def embedded(
    pairs: NDArray[np.int32],
    size: int,
    chip: Chip,
    near: NDArray[np.bool_],
    most: int,
    steps: int,
    rng: np.random.Generator,
) -> tuple[list[dict[int, int]], bool]:
    """Ways to put pairs on couplings (`layout_kernels.embed`), and whether these are all."""
    from qattn_compiler.passes.circuit import layout_kernels

    order = _outwards(pairs, size, rng)
    rank = np.empty(size, dtype=np.int64)
    rank[order] = np.arange(len(order))
    ends = np.sort(rank[pairs], axis=1)
    ends = ends[np.argsort(ends[:, 1], kind="stable")]
    begin = np.searchsorted(ends[:, 1], np.arange(len(order) + 1)).astype(np.int32)
    later = np.bincount(ends[:, 0], minlength=len(order)).astype(np.int32)
    pick = int(rng.integers(1 << 30))
    ways, is_all = layout_kernels.embed(
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
    rings, paths = orders(problem.pairs)
    if len(rings) > 1 or (rings and paths):
        return
    order = rings[0] if rings else [q for path in paths for q in path]
    chip = chip_of(device)
    found = missed = 0
    enough = max(_CHAINS, _CHAIN_QUBITS // max(len(order), 1)) if _has_errors(device) else 1
    steps = min(CHAIN_STEPS, CHAIN_STEPS // 100 * len(order))
    while found < enough and missed < 3:
        spots = chain(chip, len(order), bool(rings), steps, int(rng.integers(1 << 30)))
        if len(spots) < len(order):
            missed += 1
            continue
        found += 1
        for turned in (spots, spots[::-1]):
            yield dict(zip(order, turned.tolist(), strict=True))


def chain(
    chip: Chip, length: int, closed: bool, steps: int, seed: int, allowed: NDArray[np.bool_] | None = None
) -> NDArray[np.int32]:
    """A ring of that length, or a path that is at most that long; of qubits that are allowed."""
    from qattn_compiler.passes.circuit import layout_kernels

    if allowed is None:
        allowed = np.ones(len(chip.neighbours), dtype=np.bool_)
    if closed:
        return np.asarray(layout_kernels.ring(chip.neighbours, allowed, length, steps, seed))
    # A path is cut from a ring where there is one: rings grow by bumps and do not get stuck at their ends.
    around = layout_kernels.ring(chip.neighbours, allowed, max(4, length + length % 2), steps, seed)
    if len(around):
        cut = seed % len(around)
        return np.asarray(np.roll(around, cut)[:length])
    return np.asarray(layout_kernels.long_path(chip.neighbours, allowed, length, steps, seed))


def orders(pairs: NDArray[np.int32]) -> tuple[list[list[int]], list[list[int]]]:
    """Qubits of each ring and of each path of a graph of degree at most 2, in order; `pairs`: its edges."""
    near: dict[int, list[int]] = {}
    for a, b in pairs.tolist():
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
    readout = losses(device.readout_error).mean(axis=1)
    quality = np.argsort(readout + losses(device.qubit_error), kind="stable")
    layouts = np.full((len(found), problem.size), -1, dtype=np.int32)
    for layout, mapping in zip(layouts, found, strict=True):
        layout[list(mapping)] = list(mapping.values())
        used = set(mapping.values())
        alone = np.flatnonzero(layout < 0)
        layout[alone] = [p for p in quality.tolist() if p not in used][: len(alone)]
    return np.asarray(layouts[np.argmin(loss(problem, device, layouts))])
