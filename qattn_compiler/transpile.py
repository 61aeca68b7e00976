"""transpile: any Cirq circuit onto a machine, one line a stage."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qattn_compiler import kernel_cache, targets
from qattn_compiler.circuit.gates import MEASURE, NUM_QUBITS
from qattn_compiler.circuit.layout import Routed
from qattn_compiler.circuit.table import Circuit
from qattn_compiler.errors import OptionError, VerificationError
from qattn_compiler.interop.cirq_read import read
from qattn_compiler.passes.circuit.cancel_inverses import CancelInverses
from qattn_compiler.passes.circuit.cost import Cost, cost_function, entanglers
from qattn_compiler.passes.circuit.drop_negligible import DropNegligible
from qattn_compiler.passes.circuit.join_rotations import JoinRotations
from qattn_compiler.passes.circuit.merge_rotations import MergeRotations
from qattn_compiler.passes.circuit.optimize import Optimized
from qattn_compiler.passes.circuit.route import Route
from qattn_compiler.passes.circuit.route_parities import RouteParities
from qattn_compiler.pipeline import Pass, Pipeline
from qattn_compiler.progress import Progress, silent
from qattn_compiler.report.chip import draw_chip
from qattn_compiler.report.metrics import execution, metrics
from qattn_compiler.report.report import Report, picture_names, transpile_page
from qattn_compiler.targets.target import Target, check_level
from qattn_compiler.unit import Step
from qattn_compiler.verify.compare import NOT_VERIFIED, Verification, unitary_distance
from qattn_compiler.verify.replay import check_routing
from qattn_compiler.verify.words import by_words

MAX_UNITARY = 10
"""Circuits on up to this many machine qubits are compared as whole unitaries."""
TOLERANCE = 1e-7
"""Allowed entry of the difference of unitaries, beside what `atol` allows to drop."""


@dataclass(frozen=True, eq=False)
class Transpiled:
    """The result of `transpile`.

    Attributes:
        circuit: on the machine's qubits, in native gates.
        initial_layout: qubit of the input -> machine qubit that it starts on.
        final_layout: qubit of the input -> machine qubit that it ends on.
        report: costs by pass, what was dropped.
        verification: what was proved.
    """

    circuit: Any
    initial_layout: Mapping[Any, Any]
    final_layout: Mapping[Any, Any]
    report: Report
    verification: Verification

    def summary(self) -> dict[str, Any]:
        """The figures that machines want: gates, depths, seconds."""
        after, seconds = self.report.data["metrics"], self.report.data["seconds"]
        names = ("gates_2q", "depth_2q", "gates_1q", "depth")
        return {
            **{name: after[name] for name in names},
            "seconds": seconds,
            "passed": self.verification.passed,
        }


def transpile(
    circuit: Any,
    target: str | Target = "google.willow",
    *,
    optimization_level: int = 2,
    seed: int = 0,
    atol: float = 1e-8,
    objective: str = "count",
    fidelity: float = 1.0,
    verify: bool = True,
    progress: Progress = silent,
) -> Transpiled:
    """Bring a Cirq circuit onto a machine; symbols, measurement keys, tags and classical controls survive.

    Args:
        circuit: any `cirq.Circuit`.
        target: name of the machine, or a `Target`.
        optimization_level: 0 only makes it run, 1 is light, 2 the default, 3 everything.
        seed: of placement and routing.
        atol: rotations up to this angle (radians) may be dropped; their sum is reported.
        objective: what placement, routing and the choice among circuits save: "count" (entanglers, then their
            depth), "depth" or "fidelity" (as estimated from the machine's calibration).
        fidelity: a two-qubit block may be replaced by a cheaper one whose average gate fidelity is at least
            this; 1, the default, is exact. What was given away in all is reported.
        verify: prove the result where it is small enough; the report says how.
        progress: called with (stage, done, total) now and then.

    Raises:
        OptionError, TargetError, PassError, CircuitError: an input is wrong, or the machine cannot run it.
        VerificationError: the result is wrong (a bug).
    """
    check_level(optimization_level)
    if not (np.isfinite(atol) and atol >= 0):
        raise OptionError(f"atol is {atol!r}; a number of radians, 0 or more, was expected")
    machine = targets.get(target) if isinstance(target, str) else target
    kernel_cache.warm(kernel_cache.stages(optimization_level), progress)
    begin = perf_counter()
    source = read(circuit)
    track = Track(atol, fidelity, progress)
    search = Search(machine, optimization_level, seed, objective, track)
    routed, logical, place = search.routed(source)
    native = machine.physical_passes(optimization_level, atol).run(routed.circuit, track.hook("physical"))
    out = machine.to_cirq(native)
    machine.validate(out)
    if verify:
        check_route(logical, routed)
    routed = replace(routed, final=routed.final[place])
    verification = check(source, routed, native, _allowed(source, track)) if verify else NOT_VERIFIED
    report = tell(machine, native, routed, track, verification, perf_counter() - begin)
    places = (layout(source, machine, routed.initial), layout(source, machine, routed.final))
    return Transpiled(out, *places, report, verification)


@dataclass(frozen=True)
class Search:
    """The way from the optimizer's circuits to the cheapest routed one.

    Attributes:
        machine: the target.
        level: optimization level.
        seed: of all random choices.
        objective: what is saved, a name of `cost.cost_function`.
        track: is told what was done.

    Raises:
        OptionError: there is no such objective.
    """

    machine: Target
    level: int
    seed: int
    objective: str
    track: Track

    def __post_init__(self) -> None:
        cost_function(self.objective, self.machine.device)

    def routed(self, source: Circuit) -> tuple[Routed, Circuit, NDArray[np.int32]]:
        """The cheapest of the optimizer's circuits on the machine's qubits.

        Returns:
            the routed circuit, the optimizer's, and on which of its qubits each qubit's content ends.
        """
        track = self.track
        track.progress("optimize", 0, 1)
        started = perf_counter()
        optimizer = self.machine.optimizer(self.level, self.seed, track.atol, track.fidelity)
        found = [replace(one, circuit=self._joined(one.circuit)) for one in optimizer.candidates(source)]
        optimized = perf_counter() - started
        track.progress("optimize", 1, 1)
        routed, chosen = min(map(self._best_route, self._promising(found)), key=self._price_of)
        if self.level >= 3 and routed.swaps:
            routed, chosen = self._with_parities(found, routed, chosen)
        track.steps.append(Step("optimize", "logical", optimized, metrics(chosen.circuit)))
        track.progress("route", len(found), len(found))
        track.dropped += chosen.dropped
        track.infidelity = chosen.infidelity
        seconds = perf_counter() - started - optimized
        track.steps.append(Step("route", "route", seconds, metrics(routed.circuit)))
        return routed, chosen.circuit, chosen.place

    def _joined(self, circuit: Circuit) -> Circuit:
        """With CX RZ CX as one gate, so that the router sees what commutes."""
        if self.level < 2:
            return circuit
        return Pipeline((JoinRotations(), MergeRotations(), CancelInverses()), label="join").run(circuit)

    def _best_route(self, one: Optimized) -> tuple[Routed, Optimized]:
        """The route that costs least once it is native: the router does not see what becomes of its gates, so
        that the fewest gates may be best for any objective."""
        routers = [self._route(name) for name in dict.fromkeys((self.objective, "count"))]
        if self.level >= 3:
            routers.append(self._route("count", "quick"))
        routes = [(router.route(one.circuit), one) for router in routers]
        return routes[0] if len(routes) == 1 else min(routes, key=self._price_of)

    def _with_parities(
        self, found: list[Optimized], routed: Routed, chosen: Optimized
    ) -> tuple[Routed, Optimized]:
        """The route, or that of a circuit with its CNOT and phase regions built anew on the machine if this
        costs less; each circuit is tried, from two layouts."""
        router, limit = RouteParities(self.machine.device, self.seed), entanglers(routed.circuit)
        best = self._price(routed.circuit), routed, chosen
        for one in found:
            for initial in (None, routed.initial):
                other = router.route(one.circuit, initial, limit)
                if other is not None and (price := self._price(other.circuit)) < best[0]:
                    best = price, other, one
        return best[1:]

    def _route(self, objective: str, effort: str = "usual") -> Route:
        return self.machine.route(self.level, self.seed, effort, objective)

    def _price_of(self, way: tuple[Routed, Optimized]) -> Cost:
        return self._price(way[0].circuit)

    def _price(self, circuit: Circuit) -> Cost:
        """What a routed circuit costs once it is native."""
        finish = self.machine.physical_passes(self.level, self.track.atol)
        return cost_function(self.objective, self.machine.device)(finish.run(circuit))

    def _promising(self, found: list[Optimized]) -> list[Optimized]:
        """The circuits that cost least after a short search for a route: two of them at level 3, else one."""
        if len(found) == 1:
            return found
        quick = self._route("count", "quick")
        costs = []
        for number, one in enumerate(found):
            self.track.progress("route", number, len(found))
            costs.append(self._price(quick.route(one.circuit).circuit))
        order = sorted(range(len(found)), key=costs.__getitem__)
        return [found[number] for number in order[: 2 if self.level >= 3 else 1]]


class Track:
    """What the passes did: the pipeline's hook."""

    def __init__(self, atol: float, fidelity: float = 1.0, progress: Progress = silent) -> None:
        self.atol = atol
        self.fidelity = fidelity
        self.infidelity = 0.0
        self.progress = progress
        self.steps: list[Step] = []
        self.dropped = 0.0

    def hook(self, stage: str) -> Callable[[Circuit, Pass[Circuit], Circuit, float], None]:
        """The hook of one stage."""

        def note(before: Circuit, step: Pass[Circuit], after: Circuit, seconds: float) -> None:
            if isinstance(step, DropNegligible):
                self.dropped += step.dropped(before)
            self.steps.append(Step(step.name, stage, seconds, metrics(after)))

        return note


def layout(source: Circuit, machine: Target, places: Any) -> dict[Any, Any]:
    """Qubit of the input -> machine qubit."""
    return {q: machine.device.qubits[p] for q, p in zip(source.qubits, places.tolist(), strict=True)}


def check(source: Circuit, routed: Routed, native: Circuit, allowed: float) -> Verification:
    """Compare unitaries where the result is small and free of foreign operations; the routing is replayed
    already.

    Raises:
        VerificationError: something is wrong.
    """
    pair = _comparable(source, native, routed)
    if pair is None:
        method = "routing replayed gate by gate; the other passes were not checked on this circuit"
        return Verification(method, float("nan"), allowed, None, {})
    before, after, initial, final = pair
    error = unitary_distance(before, after, initial, final)
    if error > allowed:
        raise VerificationError(
            f"the result differs from the input by {error:.3g}", hint="please report this"
        )
    what = "whole unitary" + (" at random parameter values" if source.is_symbolic else "")
    return Verification(f"{what}, and routing replayed", error, allowed, True, {"unitary": error})


def check_route(logical: Circuit, routed: Routed) -> None:
    """Replay the routing gate by gate; where gates were built anew, compare both as Pauli rotations.

    Raises:
        VerificationError: they differ.
    """
    if not routed.is_rebuilt:
        check_routing(logical, routed.circuit, routed.initial, routed.final, _adjacency_of(routed))
        return
    layouts = routed.initial.astype(np.int64), routed.final.astype(np.int64)
    found = by_words(logical, routed.circuit, *layouts)
    if not found.equal or found.error > TOLERANCE:
        raise VerificationError(
            f"the routed circuit is not the optimizer's: {found.detail}", hint="please report this"
        )


def _allowed(source: Circuit, track: Track) -> float:
    """How far the result may be from the input, by what was dropped and given away.

    Blocks whose average gate fidelities are 1 - r_k differ by at most sqrt(5 r_k) each (Nielsen, Phys. Lett.
    A 303, 249 (2002): 1 - F = (16 - |tr|^2) / 20), all n of them by at most sqrt(5 n sum r_k).
    """
    blocks = max(1, int(source.is_two_qubit.sum()))
    return TOLERANCE + track.dropped + float(np.sqrt(5 * blocks * track.infidelity))


def _adjacency_of(routed: Routed) -> Any:
    """Couplings that the routed circuit uses; that they are the machine's is the device's own check."""
    size = routed.circuit.num_qubits
    out = np.zeros((size, size), dtype=bool)
    pairs = routed.circuit.operands[routed.circuit.is_two_qubit]
    out[pairs[:, 0], pairs[:, 1]] = True
    return out | out.T


def _comparable(source: Circuit, native: Circuit, routed: Routed) -> tuple[Circuit, Circuit, Any, Any] | None:
    """Input and output as small numeric circuits without final measurements, and the layouts between them."""
    before, after = _without_final_measurements(source), _without_final_measurements(native)
    if before is None or after is None:
        return None
    used = np.unique(np.concatenate([after.operands[after.operands >= 0], routed.initial, routed.final]))
    if len(used) > MAX_UNITARY:
        return None
    number = np.full(after.num_qubits, -1)
    number[used] = np.arange(len(used))
    operands = np.where(after.operands >= 0, number[after.operands], -1).astype(np.int32)
    small = replace(after, qubits=tuple(after.qubits[q] for q in used), operands=operands)
    rng = np.random.default_rng(0)
    symbols = sorted({p.name for p in (*before.params, *small.params)})
    values = dict(zip(symbols, rng.uniform(-2, 2, len(symbols)).tolist(), strict=True))
    bound = [c.bind({p.name: values[p.name] for p in c.params}) for c in (before, small)]
    return bound[0], bound[1], number[routed.initial], number[routed.final]


def _without_final_measurements(circuit: Circuit) -> Circuit | None:
    """The unitary part, or None if something else than gates and final measurements is in it."""
    gates = NUM_QUBITS[circuit.op] > 0
    if not (gates | (circuit.op == MEASURE)).all():
        return None
    measured: set[int] = set()
    for row in range(len(circuit)):
        wires = {int(w) for w in circuit.wires[row] if w >= 0}
        if not measured.isdisjoint(wires):
            return None
        if not gates[row]:
            measured |= wires
    return circuit.with_rows(np.flatnonzero(gates))


def tell(
    machine: Target, native: Circuit, routed: Routed, track: Track, verification: Verification, seconds: float
) -> Report:
    """The report of a transpile."""
    symbols = native.is_symbolic
    run = None if symbols else execution(native, machine.device)
    (picture,) = picture_names(1)
    drawing = partial(draw_chip, native, machine.device, initial=routed.initial, final=routed.final)
    notes = ["global phase is not kept: the machine has no such operation"]
    if track.dropped:
        notes.append(f"rotations dropped: {track.dropped:.3g} radians in all (atol {track.atol:.3g})")
    if track.infidelity:
        notes.append(
            f"two-qubit blocks approximated: average gate infidelities add up to {track.infidelity:.3g}"
        )
    data = {
        "target": machine.name,
        "metrics": metrics(native).to_dict(),
        "execution": None if run is None else run.to_dict(),
        "picture": picture,
        "swaps": routed.swaps,
        "dropped_radians": track.dropped,
        "infidelity": track.infidelity,
        "passes": [step.to_dict() for step in track.steps],
        "verification": verification.to_dict(),
        "notes": notes,
        "seconds": seconds,
    }
    return Report(data, transpile_page, {picture: drawing})
