"""Route: insert SWAPs so that every two-qubit gate acts on neighbours.

SABRE (Li, Ding, Xie 2019, arXiv:1809.02573) with relative scores and a release valve (LightSABRE,
arXiv:2409.08368).
Unlike those it prices a SWAP by what it adds to the block before it: right after a CZ on the same pair it
    costs one more CZ, not three.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qattn_compiler.circuit.gates import MEASURE, SWAP
from qattn_compiler.circuit.layout import Routed
from qattn_compiler.circuit.table import Circuit, Extra
from qattn_compiler.device import Device
from qattn_compiler.errors import PassError, TargetError
from qattn_compiler.passes.circuit.choice import Choice
from qattn_compiler.passes.circuit.contest import Contest, Rules
from qattn_compiler.passes.circuit.cost import entanglers
from qattn_compiler.passes.circuit.embed import perfect
from qattn_compiler.passes.circuit.problem import Layout, Problem, homes, loss, read, zones

if TYPE_CHECKING:
    from qattn_compiler.interop.cirq_route import (
        AbstractCircuit,
        AbstractInitialMapper,
        Maps,
        TransformerContext,
    )


_WORTH: Final = 0.8
"""Where one circuit needs no SWAP, others are routed if they have at most this share of its entanglers."""


@dataclass(frozen=True)
class Route:
    """Insert SWAPs (as rows "swap", to be decomposed later).

    It can be called as `cirq.RouteCQC` is, with a graph for the device: `Route(graph)(circuit)`.

    Needs gates on at most two qubits. Keeps every row, in an order that the wires allow, with angles,
    symbols, keys and tags. Gives back the very same circuit if it is on the device's qubits and needs no
    SWAP.

    Attributes:
        device: the machine; or a coupling graph (`interop.cirq_graph.device_of`).
        seed: of all random choices.
        passes: how long the search is (`contest.Contest`), in passes over the circuit.
        lookahead: size of the extended set.
        decay: how much a qubit's price grows with each SWAP it is in; more gives less depth.
        objective: "count" (native two-qubit gates), "depth" or "fidelity".
    """

    device: Device
    seed: int = 0
    passes: float = 24.0
    lookahead: int = 20
    decay: float = 0.001
    objective: str = "count"
    name: ClassVar[str] = "route"

    def __post_init__(self) -> None:
        if not isinstance(self.device, Device):
            from qattn_compiler.interop.cirq_graph import device_of

            object.__setattr__(self, "device", device_of(self.device))

    def __call__(self, circuit: AbstractCircuit, **options: Any) -> AbstractCircuit:
        """Route a Cirq circuit; see `route_circuit`."""
        return self.route_circuit(circuit, **options)[0]

    def route_circuit(
        self,
        circuit: AbstractCircuit,
        *,
        lookahead_radius: int | None = None,
        tag_inserted_swaps: bool = False,
        initial_mapper: AbstractInitialMapper | None = None,
        context: TransformerContext | None = None,
    ) -> Maps:
        """Route a Cirq circuit, with the arguments and results of `cirq.RouteCQC.route_circuit`.

        Args:
            circuit: with operations on at most two qubits, but for measurements.
            lookahead_radius: accepted for Cirq's sake; `lookahead` is what counts here.
            tag_inserted_swaps: put `cirq.RoutingSwapTag` on SWAPs that were inserted.
            initial_mapper: chooses the initial mapping; the router does if None.
            context: `deep` unrolls nested circuits first.

        Returns:
            the routed circuit; qubit -> where it starts; where a qubit of the machine starts -> where its
            content ends, for all that are used.

        Raises:
            ValueError: an operation acts on three or more qubits.
            PassError: the mapper leaves out a qubit, or a gate stands against an edge that goes one way.
            TargetError: the circuit does not fit.
        """
        from qattn_compiler.interop import cirq_route
        from qattn_compiler.passes.circuit.orient import Orient

        return cirq_route.route_circuit(
            self.route,
            Orient(self.device).run,
            self.device,
            circuit,
            tag_inserted_swaps=tag_inserted_swaps,
            initial_mapper=initial_mapper,
            context=context,
        )

    def run(self, circuit: Circuit, /) -> Circuit:
        """The routed circuit alone; see `route`."""
        return self.route(circuit).circuit

    def route(self, circuit: Circuit, initial: ArrayLike | None = None) -> Routed:
        """Route from a given layout, or from the best one found.

        Args:
            circuit: on any qubits. If they are the device's own, in its order, each starts where it is.
            initial: shape (logical,): logical index -> physical index. None: chosen.

        Raises:
            TargetError: the circuit does not fit on the device, or `initial` separates two qubits that
                interact.
            PassError: a unitary acts on more than two qubits, or `initial` is no layout.
            OptionError: an option means nothing.
        """
        return self.best([circuit], initial)[0][1]

    def best(self, circuits: Sequence[Circuit], initial: ArrayLike | None = None) -> list[tuple[int, Routed]]:
        """Good routes of some of several circuits, the one that seems cheapest first.

        Args:
            circuits: that mean the same; as for `route`.
            initial: as for `route`.

        Returns:
            (number of the circuit, its route); at least one.

        Raises:
            TargetError, PassError, OptionError: see `route`.
        """
        rules = Rules(self.seed, self.passes, self.lookahead, self.decay, self.objective)
        begun = [self._begun(circuit, initial) for circuit in circuits]
        done = [(number, one[2]) for number, one in enumerate(begun) if one[2] is not None]
        least = _WORTH * min((entanglers(routed.circuit) for _, routed in done), default=1 << 60)
        open_ones = [
            number
            for number, one in enumerate(begun)
            if one[2] is None and entanglers(circuits[number]) < least
        ]
        if not open_ones:
            return sorted(done, key=lambda one: entanglers(one[1].circuit))
        problems = [begun[number][0] for number in open_ones]
        layout = begun[open_ones[0]][1]
        for number, choice in Contest(problems, self.device, rules, layout).routes():
            routed = _insert(problems[number], self.device, choice)
            routed = routed if layout is not None else _settle(routed, self.device, self.seed)
            done.append((open_ones[number], routed))
        return done

    def _begun(
        self, circuit: Circuit, initial: ArrayLike | None
    ) -> tuple[Problem, Layout | None, Routed | None]:
        """What is to be routed, from which layout if that is given, and the route if no SWAP is needed."""
        problem = read(circuit)
        homes(problem, self.device)
        at_home = circuit.qubits == self.device.qubits
        if initial is None and at_home:
            initial = np.arange(circuit.num_qubits)
        layout = None if initial is None else _checked(initial, problem, self.device)
        start = perfect(problem, self.device, self.seed) if layout is None else layout
        if start is None or not _fits(problem, self.device, start):
            return problem, layout, None
        unmoved = at_home and np.array_equal(start, np.arange(len(start)))
        out = circuit if unmoved else relabel(circuit, self.device, start)
        return problem, layout, Routed(out, start, start.copy(), 0)


def relabel(circuit: Circuit, device: Device, layout: Layout) -> Circuit:
    """The circuit on the device's qubits, each logical qubit at its place."""
    no_swaps = np.full((len(circuit), 2), -1, np.int32)
    return _assemble(circuit, device, np.arange(len(circuit)), no_swaps, layout)[0]


def _checked(initial: ArrayLike, problem: Problem, device: Device) -> Layout:
    layout = np.asarray(initial, dtype=np.int32)
    n = device.num_qubits
    if layout.shape != (problem.size,) or len(np.unique(layout)) != len(layout):
        raise PassError(
            f"the initial layout must name {problem.size} different qubits, not {layout.tolist()}"
        )
    if len(layout) and (layout.min() < 0 or layout.max() >= n):
        raise PassError(f"the initial layout names qubits outside 0..{n - 1}")
    zone = zones(device)[layout]
    apart = zone[problem.pairs[:, 0]] != zone[problem.pairs[:, 1]]
    if apart.any():
        a, b = problem.pairs[apart][0]
        raise TargetError(f"the initial layout puts qubits {a} and {b} on unconnected parts of {device.name}")
    return layout


def _fits(problem: Problem, device: Device, layout: Layout) -> bool:
    return bool(device.adjacency[layout[problem.pairs[:, 0]], layout[problem.pairs[:, 1]]].all())


def _insert(problem: Problem, device: Device, choice: Choice) -> Routed:
    """The circuit of a route."""
    events = choice.events
    source, pairs = _schedule(problem, events)
    circuit, final = _assemble(problem.circuit, device, source, pairs, choice.layout)
    return Routed(circuit, choice.layout, final, int((events[:, 0] < 0).sum()))


def _schedule(problem: Problem, events: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """The order of all rows: hard rows as the kernel says, each other row with the first hard row of its era,
    measurements that nothing follows at the end, behind every SWAP.

    Args:
        events: shape (events, 2): as the kernel records them.

    Returns:
        per output row: the source row, -1 for a SWAP; and the physical pair of a SWAP, -1 elsewhere.
    """
    eras, rows = problem.eras, len(problem.circuit)
    what, where = events[:, 0], events[:, 1].astype(np.int64)
    swaps, gates = np.flatnonzero(what < 0), np.flatnonzero((what >= 0) & (what < len(eras.hard)))
    # In quarters of an event: a gate may stand right before or right behind some SWAP.
    moved = 4 * (where[gates] // 2) + np.where(where[gates] % 2, 1, -1)
    hard_time = np.zeros(len(eras.hard), dtype=np.int64)
    hard_time[what[gates]] = np.where(where[gates] >= 0, moved, 4 * gates)
    time = np.full(rows, 4 * len(events), dtype=np.int64)
    time[eras.hard] = hard_time
    time[eras.soft] = np.append(eras.begins(hard_time), 4 * len(events))[eras.soft_era]
    time[_last_measurements(problem.circuit)] = 4 * len(events)
    source = np.concatenate([np.arange(rows), np.full(len(swaps), -1)])
    order = np.lexsort((source, np.concatenate([time, 4 * swaps])))
    pairs = np.full((len(source), 2), -1, np.int32)
    pairs[rows:, 0] = -1 - what[swaps]
    pairs[rows:, 1] = events[swaps, 1]
    return source[order], pairs[order]


def _last_measurements(circuit: Circuit) -> NDArray[np.int64]:
    """Measurements of whose qubits and keys no later row has any."""
    rows = np.flatnonzero(circuit.op == MEASURE)
    last = np.full(circuit.num_wires + 1, -1, dtype=np.int64)  # the place behind the end is for no wire
    if len(rows):
        np.maximum.at(last, circuit.wires, np.arange(len(circuit))[:, None])
    wires = circuit.wires[rows]
    out: NDArray[np.int64] = rows[((last[wires] == rows[:, None]) | (wires < 0)).all(axis=1)]
    return out


def _assemble(
    circuit: Circuit, device: Device, source: NDArray[np.int64], pairs: NDArray[np.int32], layout: Layout
) -> tuple[Circuit, Layout]:
    """Rows `source` (-1: a SWAP of `pairs`) on physical qubits, and the final layout."""
    from qattn_compiler.passes.circuit.kernels import follow_layout

    inserted = source < 0
    row = np.where(inserted, 0, source)
    blank = np.full((len(source), 2), -1, np.int32)
    logical_wires = circuit.wires[row] if len(circuit) else blank
    logical_operands = circuit.operands[row] if len(circuit) else blank
    wires, operands, final = follow_layout(
        np.ascontiguousarray(layout, dtype=np.int32), pairs, logical_wires, logical_operands
    )
    new_row = np.full(len(circuit), -1, dtype=np.int64)
    new_row[source[~inserted]] = np.flatnonzero(~inserted)
    extra, extras = _move_extras(circuit, source, wires)
    return (
        replace(
            circuit,
            qubits=device.qubits,
            op=np.where(inserted, SWAP, circuit.op[row]).astype(np.uint8),
            operands=operands,
            angles=np.where(inserted[:, None], 0.0, circuit.angles[row]),
            extra=extra,
            extras=extras,
            affine=circuit.affine.moved(new_row),
        ),
        final,
    )


def _move_extras(
    circuit: Circuit, source: NDArray[np.int64], wires: NDArray[np.int32]
) -> tuple[NDArray[np.int32], tuple[Extra, ...]]:
    """The side table with physical operands, one entry for each row that has one."""
    extra = np.full(len(source), -1, dtype=np.int32)
    extras: list[Extra] = []
    has = np.flatnonzero(circuit.extra[source] >= 0) if len(circuit) else np.zeros(0, dtype=np.int64)
    for row in has.tolist():
        if source[row] < 0:
            continue
        old = circuit.extras[circuit.extra[source[row]]]
        operands = tuple(wires[row, : len(old.operands)].tolist())
        extra[row] = len(extras)
        extras.append(replace(old, operands=operands) if old.operands else old)
    return extra, tuple(extras)


def _settle(routed: Routed, device: Device, seed: int) -> Routed:
    """Move the routed circuit as a whole to where the chip errs least; no SWAP more or less."""
    if not np.isfinite(device.edge_error).any():
        return routed
    problem = read(routed.circuit)
    move = perfect(problem, device, seed)
    if move is None:
        return routed
    both = np.stack([np.arange(device.num_qubits, dtype=np.int32), move])
    before, after = loss(problem, device, both)
    if after >= before:
        return routed
    circuit = relabel(routed.circuit, device, move)
    return Routed(circuit, move[routed.initial], move[routed.final], routed.swaps)
