"""Unit: one circuit structure, compiled once, with as many sets of numbers as there are circuits."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from math import inf
from time import perf_counter
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit.gates import SWAP
from qattn_compiler.circuit.layout import Routed
from qattn_compiler.circuit.table import Builder, Circuit
from qattn_compiler.errors import TargetError
from qattn_compiler.lower.batch import Batch
from qattn_compiler.passes.circuit.fuse_single_qubit import FusedBatch
from qattn_compiler.passes.circuit.route import Route
from qattn_compiler.passes.placement.place_blocks import PlaceBlocks
from qattn_compiler.pipeline import Pass
from qattn_compiler.report.chip import draw_chip
from qattn_compiler.report.metrics import Execution, Metrics, execution, metrics
from qattn_compiler.synth.chip_state import MAX_QUBITS, ChipState, plan_state
from qattn_compiler.synth.orthogonal import Form
from qattn_compiler.synth.real_state import SIZES, RealState
from qattn_compiler.synth.schmidt import LEAST_LINE, SchmidtState
from qattn_compiler.synth.state_prep import real_state_count
from qattn_compiler.targets.target import Target
from qattn_compiler.verify.simulate import Group, expectation_z, simulate

Floats = NDArray[np.float64]
Plan = ChipState | RealState | SchmidtState
"""How a real state is prepared: its gates, and their angles for any amplitudes."""


@dataclass(frozen=True)
class Step:
    """One line of the report: a pass and what it left.

    Attributes:
        name: the pass.
        stage: "lower", "logical", "route" or "physical".
        seconds: time it took.
        after: costs after it.
    """

    name: str
    stage: str
    seconds: float
    after: Metrics

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {"pass": self.name, "stage": self.stage, "seconds": self.seconds, **self.after.to_dict()}


@dataclass(frozen=True, eq=False)
class Unit:
    """A compiled structure and its numbers.

    Attributes:
        target: the machine.
        batch: program, numbers, decoding.
        logical: the program's circuit, all-to-all, with parameters.
        template: on the target's qubits, native but for symbolic single-qubit runs, with the same parameters.
        routed: the layouts.
        steps: what each pass left.
        fused: native angles of every circuit; None while tensors are free.
        plan: how the program's state is prepared; None if its blocks' own gates were routed.
    """

    target: Target
    batch: Batch
    logical: Circuit
    template: Circuit
    routed: Routed
    steps: tuple[Step, ...]
    fused: FusedBatch | None
    plan: Plan | None = None
    cache: dict[str, Any] = field(default_factory=dict)

    @property
    def observed(self) -> tuple[int, ...]:
        """Device qubit indices whose product of Z is read."""
        return tuple(int(self.routed.final[q]) for q in self.batch.program.observed)

    @property
    def structure(self) -> Circuit:
        """The symbolic template; if bound, the machine's pulses at angles that are no special case, so that
        every pulse is counted."""
        if "structure" not in self.cache:
            bound = None if self.fused is None else self.target.typical(self.fused)
            self.cache["structure"] = self.template if bound is None else bound
        value: Circuit = self.cache["structure"]
        return value

    def with_numbers(self, batch: Batch) -> Unit:
        """The same structure with other numbers: nothing is compiled again."""
        unit = replace(self, batch=batch, cache={})
        return replace(unit, fused=unit.target.fuse_batch(unit.template, unit.parameter_values()))

    def take(self, members: NDArray[np.int64]) -> Unit:
        """Some of the circuits, bound as they are."""
        batch, fused = self.batch.take(members), self.fused
        assert fused is not None
        some = replace(fused, angles=fused.angles[members], phases=fused.phases[members])
        return replace(self, batch=batch, fused=some, cache={})

    def parameter_values(self) -> Floats:
        """Values of the template's parameters, shape (circuits, parameters)."""
        if self.plan is not None:
            return self.planned_values(self.batch.prepared().real)
        values = self.batch.program.parameter_values(self.logical, self.batch.numbers)
        column = {p.name: i for i, p in enumerate(self.logical.params)}
        return values[:, [column[p.name] for p in self.template.params]]

    def planned_values(self, states: Floats) -> Floats:
        """The same for any real states of the program's qubits, shape (circuits, 2^qubits), by the plan."""
        assert self.plan is not None
        turns = self.plan.angles(states) / np.pi
        return turns[:, [int(p.name.removeprefix(_TURN)) for p in self.template.params]]

    def metrics(self) -> Metrics:
        """Costs of the structure (a circuit may have fewer single-qubit gates, where its angles vanish)."""
        if "metrics" not in self.cache:
            self.cache["metrics"] = metrics(self.structure)
        value: Metrics = self.cache["metrics"]
        return value

    def execution(self) -> Execution:
        """Duration and estimated fidelity of the structure."""
        if "execution" not in self.cache:
            self.cache["execution"] = execution(self.structure, self.target.device)
        value: Execution = self.cache["execution"]
        return value

    def drawing(self) -> str:
        """The machine with the structure on it, as SVG."""
        begin, end = self.routed.initial, self.routed.final
        return draw_chip(self.structure, self.target.device, initial=begin, final=end)

    def states(self) -> list[Group]:
        """Final states of all circuits, by the NumPy simulator."""
        if "states" not in self.cache:
            assert self.fused is not None
            self.cache["states"] = simulate(self.fused.circuit, self.fused.angles)
        value: list[Group] = self.cache["states"]
        return value

    def expectations(self) -> Floats:
        """Exact expectation of each circuit's observable, shape (circuits,)."""
        return expectation_z(self.states(), self.observed)

    def cirq_circuit(self, index: int) -> Any:
        """One circuit for Cirq, native, without global phase."""
        assert self.fused is not None
        return self.target.to_cirq(self.target.member(self.fused, index))

    def cirq_template(self) -> Any:
        """The circuit with free symbols, for Cirq."""
        return self.target.to_cirq(self.template)


@dataclass(frozen=True)
class Way:
    """How programs are compiled.

    Attributes:
        target: the machine.
        level: optimization level.
        seed: of placement and routing.
        objective: what is saved: a name of `cost.cost_function`.
    """

    target: Target
    level: int = 2
    seed: int = 0
    objective: str = "count"

    def route(self, circuit: Circuit, objective: str | None = None) -> Route:
        """The router: it takes its time, as one structure serves many circuits, unless that is very long."""
        effort = "usual" if metrics(circuit).gates_2q > LONG else "long"
        return self.target.route(self.level, self.seed, effort, objective or self.objective)

    def price(self, unit: Unit) -> tuple[float, ...]:
        """What a unit costs; less is better. Fidelities are those of the numbers that it has."""
        found = unit.metrics()
        if self.objective == "depth":
            return (found.depth_2q, found.gates_2q)
        if self.objective == "fidelity" and not unit.structure.is_symbolic:
            fidelity = unit.execution().fidelity
            return (0.0 if fidelity is None else 1.0 - fidelity, found.gates_2q, found.depth_2q)
        return (found.gates_2q,)


def compile_unit(batch: Batch, way: Way, *, bound: bool) -> Unit:
    """Bring one program onto a machine.

    Args:
        batch: program and numbers.
        way: machine, level, seed, objective.
        bound: whether the numbers are real (or stand in for free tensors).

    Raises:
        TargetError: the machine is too small.
    """
    steps: list[Step] = []
    begin = perf_counter()
    logical = batch.program.circuit()
    steps.append(Step("synthesise", "lower", perf_counter() - begin, metrics(logical)))
    circuit = way.target.logical_passes(way.level).run(logical, _note(steps, "logical"))
    own = metrics(circuit).gates_2q
    plans = _plans(batch, way, bound) if own else []
    best = _prepared(None, [plan for plan in plans if plan.least <= own], batch, logical, way, bound, steps)
    if best is None or way.objective != "count" or best.metrics().gates_2q > own:
        routed = _routed(batch, logical, circuit, way, bound, steps)
        best = routed if best is None else _cheaper(best, routed, way)
        best = _prepared(
            best, [plan for plan in plans if plan.least > own], batch, logical, way, bound, steps
        )
        assert best is not None
    if bound:
        steps.append(Step("bind", "bind", 0.0, best.metrics()))
    return replace(best, steps=tuple(steps))


def compile_near(batch: Batch, way: Way) -> Unit | None:
    """Bring programs whose circuits prepare other states than their blocks do (`Batch.near`) onto a machine;
    None if no plan can."""
    steps: list[Step] = []
    logical = batch.program.circuit()
    found = _prepared(None, _plans(batch, way, True), batch, logical, way, True, steps)
    return None if found is None else replace(found, steps=tuple(steps))


def compile_without(batch: Batch, logical: Circuit, dropped: list[str], way: Way, most: int) -> Unit | None:
    """Bring programs onto a machine by their blocks' own gates, without some rotations.

    Args:
        batch: its `near` states are what is left then.
        logical: the program's circuit.
        dropped: names of parameters that become 0.
        way: machine, level, seed, objective.
        most: None is given if it takes as many two-qubit gates before it is routed.
    """
    steps: list[Step] = []
    less = logical.bind(dict.fromkeys(dropped, 0.0))
    circuit = way.target.logical_passes(way.level).run(less, _note(steps, "logical"))
    if metrics(circuit).gates_2q >= most:
        return None
    unit = _routed(batch, logical, circuit, way, True, steps)
    return replace(unit, steps=tuple(steps))


def _note(steps: list[Step], stage: str) -> Callable[[Circuit, Pass[Circuit], Circuit, float], None]:
    def note(_: Circuit, step: Pass[Circuit], after: Circuit, seconds: float) -> None:
        steps.append(Step(step.name, stage, seconds, metrics(after)))

    return note


def _routed(
    batch: Batch, logical: Circuit, circuit: Circuit, way: Way, bound: bool, steps: list[Step]
) -> Unit:
    """The unit with its blocks' own gates, routed."""
    begin = perf_counter()
    physical = way.target.physical_passes(way.level)
    routed = way.route(circuit).route(circuit)
    steps.append(Step("route", "route", perf_counter() - begin, metrics(routed.circuit)))
    template = physical.run(routed.circuit, _note(steps, "physical"))
    unit = Unit(way.target, batch, logical, template, routed, (), None)
    unit = unit.with_numbers(batch) if bound else unit
    if not routed.swaps:
        return unit
    if way.objective != "count":
        other = way.route(circuit, "count").route(circuit)
        native = physical.run(other.circuit)
        unit = _cheaper(unit, replace(unit, template=native, routed=other, cache={}, fused=None), way)
    own = metrics(circuit).gates_2q
    dear = own > LONG or unit.metrics().gates_2q >= DEAR * own
    if own < PLACED[min(way.level, 3)] or (way.level < 3 and not dear):
        return unit
    begin = perf_counter()
    placed = _placed(unit, circuit, way)
    best = unit if placed is None else _cheaper(unit, placed, way)
    steps.append(Step("place blocks", "route", perf_counter() - begin, metrics(best.template)))
    return best


def _placed(unit: Unit, circuit: Circuit, way: Way) -> Unit | None:
    """The unit with its multiplexed rotations placed on the machine and built anew there; None if there are
    none, or what is beside them cannot be routed."""
    placed = PlaceBlocks(way.target.device, way.seed).place(circuit)
    if placed is None:
        return None
    try:
        routed = way.route(placed.circuit).route(placed.circuit, placed.places)
    except TargetError:  # it lies on parts of the machine that are not connected
        return None
    template = way.target.physical_passes(way.level).run(routed.circuit)
    swaps = routed.swaps + int((placed.circuit.op == SWAP).sum())
    ends = replace(routed, final=routed.final[placed.final], swaps=swaps)
    return replace(unit, template=template, routed=ends, fused=None, cache={})


_TURN: Final = "turn_"
"""Prefix of a plan's parameters."""
PLACED: Final = {0: inf, 1: inf, 2: 100, 3: 1}
"""By level: two-qubit gates from which blocks are placed on the machine too, if a route needs SWAPs."""
DEAR: Final = 1.5
LONG: Final = 1000
"""At level 2 only if the route costs so many times as much as all-to-all, or there are so many gates; such
are routed in the usual time."""
MAX_AMPLITUDES: Final = 1 << 24
"""Circuits times amplitudes up to which states are prepared by a plan."""
MAX_FITTING: Final = {2: 8_000, 3: 50_000}
"""By level: milliseconds, about, that a plan may look for rotations."""


def _cheaper(unit: Unit, other: Unit, way: Way) -> Unit:
    """The one that costs less, the first of equals; the other gets the first one's numbers."""
    if unit.fused is not None and other.fused is None:
        other = other.with_numbers(unit.batch)
    return other if way.price(other) < way.price(unit) else unit


@dataclass(frozen=True)
class _Draft:
    """A plan that may be made.

    Attributes:
        least: its two-qubit gates with all couplings.
        make: makes it; None if the machine has no room.
        spare: whether it is only for numbers that the one before has no angles for.
    """

    least: int
    make: Callable[[], Plan | None]
    spare: bool = False


def _plans(batch: Batch, way: Way, bound: bool) -> list[_Draft]:
    """Ways to prepare a program's state, if it does no more than that; those that only fit the numbers at
    hand if they are real."""
    program, size = batch.program, batch.program.num_qubits
    real = way.level >= 2 and program.is_real_state
    if not real or not 2 <= size <= MAX_QUBITS or batch.circuits << size > MAX_AMPLITUDES:
        return []
    cascade = partial(plan_state, way.target.device, size, way.seed)
    return [*_fitted(batch, way, bound), _Draft(real_state_count(size), cascade)]


def _fitted(batch: Batch, way: Way, bound: bool) -> list[_Draft]:
    """Ways whose angles are looked for, as far as there is time."""
    size, most = batch.program.num_qubits, MAX_FITTING[min(way.level, 3)]
    device, drafts = way.target.device, []
    has_all = 2 * len(device.edges) == device.num_qubits * (device.num_qubits - 1)
    if bound and size in SIZES:
        whole = RealState.anywhere(size) if has_all else RealState.on_line(size)
        if batch.circuits * whole.milliseconds <= most:
            drafts.append(_draft(whole))
    if size <= 2 or batch.circuits * SchmidtState.of(size).milliseconds > most:
        return drafts
    if bound:
        form: Form = "short" if has_all or size < LEAST_LINE else "line"
        drafts.append(_draft(SchmidtState.of(size, batch.prepared().real, form=form)))
    return [*drafts, _draft(SchmidtState.of(size, form="closed"))]


def _draft(plan: RealState | SchmidtState) -> _Draft:
    is_spare = isinstance(plan, SchmidtState) and plan.form == "closed"
    return _Draft(plan.two_qubit_count, lambda: plan, is_spare)


def _prepared(
    best: Unit | None,
    drafts: list[_Draft],
    batch: Batch,
    logical: Circuit,
    way: Way,
    bound: bool,
    steps: list[Step],
) -> Unit | None:
    """The best unit, or one that prepares its state by a plan that costs less."""
    begin, before = perf_counter(), best
    for draft in drafts:
        if draft.spare and best and isinstance(best.plan, RealState | SchmidtState):
            continue
        most = best.metrics().gates_2q if best and way.objective == "count" else inf
        plan = draft.make() if draft.least < most else None
        if plan is None or plan.two_qubit_count >= most:
            continue
        other = _with_plan(plan, batch, logical, way)
        if metrics(other.template).gates_2q >= most:
            continue
        with suppress(ArithmeticError):  # numbers that a short form has no angles for
            other = other.with_numbers(batch) if bound else other
            best = other if best is None else _cheaper(best, other, way)
    if best is not None and best is not before:
        seconds = perf_counter() - begin
        steps.append(Step("synthesise on the chip", "physical", seconds, metrics(best.template)))
    return best


def _with_plan(plan: Plan, batch: Batch, logical: Circuit, way: Way) -> Unit:
    """A unit whose state is prepared by a plan, without numbers."""
    size = batch.program.num_qubits
    builder = Builder(range(size))
    plan.add(builder, [(0.0, {f"{_TURN}{k}": np.pi}) for k in range(plan.num_angles)], range(size))
    batch.program.finish(builder)
    gates = way.target.logical_passes(way.level).run(builder.build())
    route = way.route(gates)
    routed = route.route(gates)  # where on the chip the same couplings err least
    if routed.swaps and isinstance(plan, ChipState):
        routed = route.route(gates, plan.places)
    template = way.target.physical_passes(way.level).run(routed.circuit)
    return Unit(way.target, batch, logical, template, routed, (), None, plan)
