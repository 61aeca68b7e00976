"""Place multiplexed rotations on a machine and build each anew from its own couplings.

A router sees CX gates, in an order that was best where all qubits are coupled. A multiplexed rotation
(`blocks`) may visit its parities in any order, and move its qubits: once they have places, its target is
swapped to where a walk is short, and it is synthesised there (`synth.chip_multiplexor`). Places are searched
for all blocks of a circuit together, by what their walks would cost, and by the distances of what interacts
beside them, so that a control that is wanted often is beside its target, blocks that share qubits agree, and
those that share none lie side by side.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit.gates import SWAP
from qattn_compiler.circuit.params import GLOBAL_PHASE, Affine
from qattn_compiler.circuit.table import Builder, Circuit, append
from qattn_compiler.device import Device
from qattn_compiler.errors import PassError
from qattn_compiler.passes.placement.blocks import Block, find_blocks, most_flips
from qattn_compiler.synth.chip_multiplexor import plan_parities

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

STARTS: Final = 6
TRIES: Final = 1500
"""Searches for places, and changes that each tries."""
TRIED: Final = 3
"""Places for which the circuit is written."""
CAPS: Final = (63, 1023)
"""Steps of each walk that the searches look at, and the one that refines the best."""
HOT: Final = (0.03, 0.004)
"""Their first temperatures, as shares of the cost."""
SHARE: Final = 0.3
"""Circuits of which less than this share of CX and CZ is in blocks are left to the router."""
GLANCE: Final = 400
"""Rows by which a circuit is judged at first."""
MOST_ROWS: Final = 100_000
"""Longer circuits are left to the router."""
MOST_WORK: Final = 2e8
"""Steps of walks that a search may take, about."""


@dataclass(frozen=True, eq=False)
class Placed:
    """A circuit whose blocks are built for their places.

    Attributes:
        circuit: on the qubits of the one that was given, taken for wires; what blocks do is on couplings of
            the places, SWAPs among it.
        places: shape (qubits,): machine qubit of each wire.
        final: shape (qubits,): the wire on which each qubit's content is at the end.
        blocks: how many were built anew.
        cost: CX, about, once what is beside the blocks is routed.
    """

    circuit: Circuit
    places: Ints
    final: NDArray[np.int32]
    blocks: int
    cost: float


@dataclass(frozen=True)
class PlaceBlocks:
    """Multiplexed rotations placed and built on the machine's graph (module docstring).

    Keeps: meaning and global phase exactly but for the qubits' final places, rows that are in no block,
    parameters. Rows that commute may change places.

    Attributes:
        device: the machine; among equal places those with the smallest errors are taken.
        seed: of the search.
        starts, tries: searches for places, and changes that each tries.
        least: circuits whose largest block has fewer CX and CZ are left to the router.
    """

    device: Device
    seed: int = 0
    starts: int = STARTS
    tries: int = TRIES
    least: int = 0
    name: ClassVar[str] = "place-blocks"

    def place(self, circuit: Circuit) -> Placed | None:
        """Places for all qubits of a circuit, and its blocks built anew for them.

        Returns:
            None if too little of it is multiplexed rotations, or none can be built where its qubits lie, or
            it is too long.

        Raises:
            PassError: the circuit has more qubits than the machine.
        """
        if circuit.num_qubits > self.device.num_qubits:
            raise PassError(
                f"the circuit has {circuit.num_qubits} qubits, the machine {self.device.num_qubits}"
            )
        may = len(circuit) <= MOST_ROWS and most_flips(circuit) >= self.least and self._may_gain(circuit)
        pieces = find_blocks(circuit) if may else []
        blocks = [piece for piece in pieces if isinstance(piece, Block)]
        rows = np.array([piece for piece in pieces if not isinstance(piece, Block)], dtype=np.int64)
        share = SHARE * max(1, int(circuit.is_two_qubit.sum()))
        if not blocks or sum(block.flips for block in blocks) < share:
            return None
        if max(block.flips for block in blocks) < self.least:
            return None
        made = [self._written(circuit, pieces, places) for places in self._places(circuit, blocks, rows)]
        return min((one for one in made if one.blocks), key=lambda one: one.cost, default=None)

    def _may_gain(self, circuit: Circuit) -> bool:
        """Whether the beginning of a circuit has blocks enough; not asked unless `least` is."""
        if not self.least or len(circuit) <= 2 * GLANCE:
            return True
        part = replace(circuit.with_rows(np.arange(GLANCE)), phase=0.0)
        blocks = [piece for piece in find_blocks(part) if isinstance(piece, Block)]
        return sum(block.flips for block in blocks) >= SHARE / 2 * max(1, int(part.is_two_qubit.sum()))

    def _written(self, circuit: Circuit, pieces: list[int | Block], places: Ints) -> Placed:
        writing = _Writing(circuit, self.device, places, self.seed)
        for piece in pieces:
            if isinstance(piece, Block):
                writing.add_block(piece)
            else:
                writing.add_rows([piece])
        out = writing.finished()
        pairs = places[out.operands[out.is_two_qubit]]
        hops = self.device.distance[pairs[:, 0], pairs[:, 1]].astype(np.float64)
        swaps = int((out.op == SWAP).sum())
        cost = float((3 * hops - 2).sum() + 2 * swaps)
        return Placed(out, places, writing.wire.astype(np.int32), writing.built, cost)

    def _places(self, circuit: Circuit, blocks: list[Block], rows: Ints) -> list[Ints]:
        """Some good ones."""
        from qattn_compiler.passes.placement import kernels

        problem = _Problem.of(circuit, blocks, rows)
        adjacent, distance = np.ascontiguousarray(self.device.adjacency), self.device.distance
        order = np.argsort(-np.bincount(problem.parts_of, minlength=circuit.num_qubits), kind="stable")
        anywhere = np.full(circuit.num_qubits, -1, dtype=np.int64)
        given = (adjacent, np.ascontiguousarray(distance, dtype=np.int32), order, *problem.columns)

        def searched(start: Ints, tries: int, cap: int, hot: float, seed: int) -> tuple[float, Ints]:
            tries = int(min(tries, MOST_WORK / max(1.0, problem.work(cap))))
            found: tuple[float, Ints] = kernels.search(*given, tries, cap, hot, seed, start)
            return found

        seeds = range(self.seed * STARTS, self.seed * STARTS + self.starts)
        found = [searched(anywhere, self.tries, CAPS[0], HOT[0], seed) for seed in seeds]
        found.sort(key=lambda one: (round(one[0], 6), self._loss(problem, one[1])))
        if problem.sizes.max() - 1 > np.log2(CAPS[0] + 1):
            found = [searched(one[1], self.tries // 4, CAPS[1], HOT[1], self.seed) for one in found[:2]]
        return [one[1] for one in found[:TRIED]]

    def _loss(self, problem: _Problem, places: Ints) -> float:
        """The sum of the errors of the couplings that blocks and pairs lie on, where they are known."""
        error = np.zeros((self.device.num_qubits, self.device.num_qubits))
        known = np.where(np.isfinite(self.device.edge_error), self.device.edge_error, 0.0)
        a, b = self.device.edges.T
        error[a, b] = error[b, a] = known
        total = 0.0
        for qubits, size, count in zip(problem.blocks, problem.sizes, problem.flips, strict=True):
            wires = places[qubits[:size]]
            total += float(count * error[wires[:-1], wires[-1]].mean())
        return total + float(error[places[problem.pairs[:, 0]], places[problem.pairs[:, 1]]].sum())


class _Writing:
    """The new circuit as it grows, on wires.

    Attributes:
        wire: shape (qubits,): where each qubit's content is now.
        built: blocks built anew so far.
    """

    def __init__(self, circuit: Circuit, device: Device, places: Ints, seed: int) -> None:
        self.circuit, self.device, self.places, self.seed = circuit, device, places, seed
        self.wire = np.arange(circuit.num_qubits)
        self.built = 0
        self._waiting: list[int] = []
        self._builder = Builder(circuit.qubits)
        for p in circuit.params:
            self._builder.parameter(p.name, p.expression)
        self._names = [p.name for p in circuit.params]

    def add_rows(self, rows: list[int]) -> None:
        """Rows of the circuit, as they are."""
        self._waiting += rows

    def add_block(self, block: Block) -> None:
        """A block, its target swapped to where its walk is short; as it is if that takes no fewer CX."""
        qubits = np.array([*block.controls, block.target])
        moves, wires = self._arranged(block, self.wire[qubits])
        plan = plan_parities(self.device, self.places[wires], block.parities, block.rest, self.seed)
        at = self.places[self.wire[qubits]]
        away = self.device.distance[at[:-1], at[-1]] - 1
        if plan is None or plan.two_qubit_count + 3 * len(moves) > block.flips * (1 + 3 * float(away.mean())):
            self.add_rows(block.rows)
            return
        self._flush()
        for a, b in moves:
            self._builder.add("swap", [a, b])
        self.wire[qubits] = wires[plan.ends]
        block.write(self._builder, self._names, wires.tolist(), plan)
        self.built += 1

    def finished(self) -> Circuit:
        """All of it."""
        self._flush()
        constant = replace(self.circuit.with_rows(np.zeros(0, dtype=np.int64)), qubits=self.circuit.qubits)
        append(self._builder, constant)
        return self._builder.build()

    def _arranged(self, block: Block, wires: Ints) -> tuple[list[tuple[int, int]], Ints]:
        """SWAPs of wires to make before a block's walk, and where its qubits are then."""
        from qattn_compiler.passes.placement import kernels

        at, size = self.places[wires], len(wires)
        near = np.ascontiguousarray(self.device.adjacency[np.ix_(at, at)])
        _, goal = kernels.arrange(near, block.flips, CAPS[1], kernels.SWAP, size)
        if goal < 0 or goal == size - 1:
            return [], wires
        parent, distance, after = np.zeros((3, size), dtype=np.int64)
        kernels.toward(near, parent, distance)
        kernels.exchanged(parent, goal, after)
        path = [goal]
        while parent[path[-1]] >= 0:
            path.append(int(parent[path[-1]]))
        hops = [(int(wires[a]), int(wires[b])) for a, b in pairwise(reversed(path))]
        return hops, wires[after]

    def _flush(self) -> None:
        """Write the rows that wait."""
        rows = np.array(self._waiting, dtype=np.int64)
        self._waiting = []
        if not len(rows):
            return
        part = self.circuit.with_rows(rows)
        operands = np.where(part.operands >= 0, self.wire[part.operands], -1).astype(np.int32)
        moved = [replace(e, operands=tuple(int(self.wire[q]) for q in e.operands)) for e in part.extras]
        affine = part.affine
        inner = affine.slot != GLOBAL_PHASE
        affine = Affine.of(affine.slot[inner], affine.param[inner], affine.coef[inner])
        append(self._builder, replace(part, operands=operands, extras=tuple(moved), phase=0.0, affine=affine))


@dataclass(frozen=True, eq=False)
class _Problem:
    """What `kernels.search` needs to know: see there."""

    blocks: Ints
    sizes: Ints
    flips: Ints
    weights: Floats
    pairs: Ints
    begin: Ints
    parts: Ints

    @staticmethod
    def of(circuit: Circuit, blocks: list[Block], rows: Ints) -> _Problem:
        kinds = Counter((*block.controls, block.target, -block.flips) for block in blocks)
        most = max(len(kind) - 1 for kind in kinds)
        filled = [[*kind[:-1], *[-1] * (most + 1 - len(kind))] for kind in kinds]
        table = np.array(filled, dtype=np.int64)
        sizes = np.array([len(kind) - 1 for kind in kinds], dtype=np.int64)
        flips = np.array([-kind[-1] for kind in kinds], dtype=np.int64)
        two = rows[circuit.is_two_qubit[rows]]
        ends = np.sort(circuit.operands[two].astype(np.int64), axis=1)
        pairs, count = np.unique(ends, axis=0, return_counts=True)
        weights = np.array([*kinds.values(), *count], dtype=np.float64)
        members = [(q, k) for k, kind in enumerate(kinds) for q in kind[:-1]]
        members += [(q, len(kinds) + k) for k, pair in enumerate(pairs.tolist()) for q in pair]
        members.sort()
        owner = np.array([q for q, _ in members], dtype=np.int64)
        begin = np.searchsorted(owner, np.arange(circuit.num_qubits + 1))
        parts = np.array([k for _, k in members], dtype=np.int64)
        return _Problem(table, sizes, flips, weights, pairs, begin.astype(np.int64), parts)

    @property
    def columns(self) -> tuple[Ints, Ints, Ints, Floats, Ints, Ints, Ints]:
        return self.blocks, self.sizes, self.flips, self.weights, self.pairs, self.begin, self.parts

    @property
    def parts_of(self) -> Ints:
        """Each qubit, once for each block or pair in which it is."""
        return np.repeat(np.arange(len(self.begin) - 1), np.diff(self.begin))

    def work(self, cap: int) -> float:
        """Steps of walks for one change, about."""
        steps = np.minimum(cap, 2.0 ** (self.sizes - 1))
        return float(2 * (steps * self.sizes**2).mean() * len(self.parts) / len(self.begin))
