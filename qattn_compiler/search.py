"""Search: from the optimizer's circuits to the cheapest one on a machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Final

import numpy as np

from qattn_compiler.circuit.layout import Routed
from qattn_compiler.circuit.table import Circuit
from qattn_compiler.errors import TargetError
from qattn_compiler.passes.circuit.bridge import Bridge
from qattn_compiler.passes.circuit.cancel_inverses import CancelInverses
from qattn_compiler.passes.circuit.cost import Cost, cost_function, entanglers
from qattn_compiler.passes.circuit.drop_negligible import DropNegligible
from qattn_compiler.passes.circuit.join_rotations import JoinRotations
from qattn_compiler.passes.circuit.merge_rotations import MergeRotations
from qattn_compiler.passes.circuit.optimize import Claim, Optimized, check_effort
from qattn_compiler.passes.circuit.route import Route
from qattn_compiler.passes.circuit.route_parities import RouteParities, suits
from qattn_compiler.passes.placement.place_blocks import PlaceBlocks
from qattn_compiler.pipeline import Pass, Pipeline
from qattn_compiler.progress import Progress, silent
from qattn_compiler.report.metrics import metrics
from qattn_compiler.targets.target import Target
from qattn_compiler.unit import Step

LARGE: Final = 48
"""CX and CZ of a multiplexed rotation from which on it is built anew at usual effort."""

WORTH: Final = 1.15
"""Blocks built where they lie are routed if they seem to cost at most so many times the best route."""


Note = tuple[Circuit, Pass[Circuit], Circuit, float]
"""What a pipeline tells its hook."""


@dataclass(frozen=True, eq=False)
class _Finished:
    """A routed circuit, what it is in native gates, and what the passes between told."""

    routed: Circuit
    native: Circuit
    notes: list[Note]


@dataclass(frozen=True)
class Search:
    """The way from the optimizer's circuits to the cheapest routed one.

    Attributes:
        machine: the target.
        level: optimization level.
        seed: of all random choices.
        objective: what is saved, a name of `cost.cost_function`.
        track: is told what was done.
        effort: "usual" or "long" (`Optimize.effort`).

    Raises:
        OptionError: there is no such objective.
        PassError: there is no such effort.
    """

    machine: Target
    level: int
    seed: int
    objective: str
    track: Track
    effort: str = "usual"
    _done: dict[int, _Finished] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_effort(self.effort)
        cost_function(self.objective, self.machine.device)

    def routed(self, source: Circuit) -> tuple[Routed, Optimized]:
        """The cheapest of the optimizer's circuits on the machine's qubits, and before it was routed."""
        track = self.track
        track.progress("optimize", 0, 1)
        started = perf_counter()
        optimizer = self.machine.optimizer(self.level, self.seed, track.atol, track.fidelity, self.effort)
        found = [self._joined(one) for one in optimizer.candidates(source, traced=track.proves)]
        optimized = perf_counter() - started
        track.progress("optimize", 1, 1)
        routed, chosen = self._cheapest(found)
        track.steps.append(Step("optimize", "logical", optimized, metrics(chosen.circuit)))
        track.progress("route", len(found), len(found))
        track.dropped += chosen.dropped
        track.infidelity = chosen.infidelity
        seconds = perf_counter() - started - optimized
        track.steps.append(Step("route", "route", seconds, metrics(routed.circuit)))
        return routed, chosen

    def _cheapest(self, found: list[Optimized]) -> tuple[Routed, Optimized]:
        """All circuits at once, within one budget; then other ways to build them, where they may win."""
        circuits = [one.circuit for one in found]
        ways: list[tuple[Routed, Optimized]] = []
        for name in dict.fromkeys((self.objective, "count")):
            ways += [(routed, found[number]) for number, routed in self._route(name).best(circuits)]
        best = min(ways, key=self._price_of)
        if self.level < 3 or not best[0].swaps:
            return best
        return self._with_parities(found, *self._with_blocks(found, best))

    def _with_blocks(
        self, found: list[Optimized], best: tuple[Routed, Optimized]
    ) -> tuple[Routed, Optimized]:
        """The route, or that of a circuit with its multiplexed rotations built anew where they lie; at usual
        effort the large ones."""
        if self.effort == "usual":
            placer = PlaceBlocks(self.machine.device, self.seed, starts=1, tries=150, least=LARGE)
            built = self._built(found[:1], placer, WORTH * self._price_of(best)[0])
        else:
            built = self._built(found, PlaceBlocks(self.machine.device, self.seed), float("inf"))
        return min(best, built, key=self._price_of) if built else best

    def _with_parities(
        self, found: list[Optimized], routed: Routed, chosen: Optimized
    ) -> tuple[Routed, Optimized]:
        """The route, or that of a circuit with its CNOT and phase regions built anew on the machine if this
        costs less; at usual effort only where there are few and dense ones."""
        if self.effort == "usual":
            router = RouteParities(self.machine.device, self.seed, tries=1, climbs=0)
            return self._rebuilt([one for one in found if suits(one.circuit)], router, routed, chosen)
        return self._rebuilt(found, RouteParities(self.machine.device, self.seed), routed, chosen)

    def _joined(self, one: Optimized) -> Optimized:
        """With CX RZ CX as one gate, so that the router sees what commutes."""
        if self.level < 2:
            return one
        steps = Pipeline((JoinRotations(), MergeRotations(), CancelInverses()), label="join")
        joined, trail = steps.run(one.circuit), one.trail
        if trail is not None:
            here = np.arange(joined.num_qubits, dtype=np.int32)
            trail = (*trail, Claim("join-rotations", one.circuit, joined, here))
        return replace(one, circuit=joined, trail=trail)

    def _rebuilt(
        self, found: list[Optimized], router: RouteParities, routed: Routed, chosen: Optimized
    ) -> tuple[Routed, Optimized]:
        """The cheapest of a route and parity networks; each circuit is tried, from two layouts."""
        limit = entanglers(routed.circuit)
        best = self._price(routed.circuit), routed, chosen
        for one in found:
            for initial in (None, routed.initial):
                other = router.route(one.circuit, initial, limit)
                if other is not None and (price := self._price(other.circuit)) < best[0]:
                    best = price, other, one
        return best[1:]

    def _built(
        self, found: list[Optimized], placer: PlaceBlocks, limit: float
    ) -> tuple[Routed, Optimized] | None:
        """The circuit whose multiplexed rotations cost least where they lie, routed, if they seem to cost at
        most the limit."""
        free = [one for one in found if one.circuit.qubits != self.machine.device.qubits]
        ways = [(placed, one) for one in free if (placed := placer.place(one.circuit)) is not None]
        ways = [way for way in ways if way[0].cost <= limit]
        if not ways:
            return None
        placed, one = min(ways, key=lambda way: way[0].cost)
        trail = one.trail
        if trail is not None:
            trail = (*trail, Claim(placer.name, one.circuit, placed.circuit, placed.final))
        new = replace(one, circuit=placed.circuit, place=placed.final[one.place], trail=trail)
        try:
            return self._route("count").route(placed.circuit, placed.places), new
        except TargetError:  # what is beside the blocks lies on parts of the machine that are not connected
            return None

    def _route(self, objective: str) -> Route:
        return self.machine.route(self.level, self.seed, self.effort, objective)

    def _price_of(self, way: tuple[Routed, Optimized]) -> Cost:
        return self._price(way[0].circuit)

    def _price(self, circuit: Circuit) -> Cost:
        """What a routed circuit costs once it is native."""
        return cost_function(self.objective, self.machine.device)(self._finished(circuit).native)

    def _finished(self, circuit: Circuit) -> _Finished:
        """What the passes on the machine make of a routed circuit; each circuit is finished once."""
        known = self._done.get(id(circuit))
        if known is None:
            known = self._finish(circuit)
            if self.level >= 2 and Bridge().run(circuit) is not circuit:
                price = cost_function(self.objective, self.machine.device)
                known = min(known, self._finish(circuit, Bridge()), key=lambda one: price(one.native))
            self._done[id(circuit)] = known
        return known

    def _finish(self, circuit: Circuit, *first: Pass[Circuit]) -> _Finished:
        notes: list[Note] = []
        passes = Pipeline((*first, self.machine.physical_passes(self.level, self.track.atol)))
        native = passes.run(circuit, lambda *note: notes.append(note))
        return _Finished(circuit, native, notes)

    def native(self, routed: Routed) -> Circuit:
        """The native gates of a routed circuit; the track is told."""
        finished = self._finished(routed.circuit)
        hook = self.track.hook("physical")
        for note in finished.notes:
            hook(*note)
        return finished.native


class Track:
    """What the passes did: the pipeline's hook.

    Attributes:
        atol: rotations up to this angle (radians) may be dropped.
        fidelity: least average gate fidelity of blocks that are replaced.
        proves: whether all circuits on the way are kept, for the proof.
        claims: what the passes on the machine did, if so.
        infidelity, dropped: what was given away; the sum of the dropped angles.
        steps: for the report.
        opened: how many classically controlled operations were taken apart.
    """

    def __init__(
        self, atol: float, fidelity: float = 1.0, progress: Progress = silent, proves: bool = False
    ) -> None:
        self.atol = atol
        self.fidelity = fidelity
        self.proves = proves
        self.claims: list[Claim] = []
        self.infidelity = 0.0
        self.progress = progress
        self.steps: list[Step] = []
        self.dropped = 0.0
        self.opened = 0

    def hook(self, stage: str) -> Callable[[Circuit, Pass[Circuit], Circuit, float], None]:
        """The hook of one stage."""

        def note(before: Circuit, step: Pass[Circuit], after: Circuit, seconds: float) -> None:
            dropped = step.dropped(before) if isinstance(step, DropNegligible) else 0.0
            self.dropped += dropped
            self.steps.append(Step(step.name, stage, seconds, metrics(after)))
            if self.proves and after is not before:
                here = np.arange(after.num_qubits, dtype=np.int32)
                self.claims.append(Claim(step.name, before, after, here, dropped > 0))

        return note
