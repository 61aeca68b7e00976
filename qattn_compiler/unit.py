"""Unit: one circuit structure, compiled once, with as many sets of numbers as there are circuits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit.layout import Routed
from qattn_compiler.circuit.table import Builder, Circuit
from qattn_compiler.lower.batch import Batch
from qattn_compiler.passes.circuit.fuse_single_qubit import FusedBatch
from qattn_compiler.passes.circuit.route import Route
from qattn_compiler.pipeline import Pass
from qattn_compiler.report.chip import draw_chip
from qattn_compiler.report.metrics import Execution, Metrics, execution, metrics
from qattn_compiler.synth.chip_state import MAX_QUBITS, ChipState, plan_state
from qattn_compiler.targets.target import Target
from qattn_compiler.verify.simulate import Group, expectation_z, simulate

Floats = NDArray[np.float64]


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
        plan: how the program's state is prepared on the machine's couplings; None if its gates were routed.
    """

    target: Target
    batch: Batch
    logical: Circuit
    template: Circuit
    routed: Routed
    steps: tuple[Step, ...]
    fused: FusedBatch | None
    plan: ChipState | None = None
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

    def parameter_values(self) -> Floats:
        """Values of the template's parameters, shape (circuits, parameters)."""
        if self.plan is not None:
            return self.planned_values(self.batch.program.prepared(self.batch.numbers).real)
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

    def route(self, objective: str | None = None) -> Route:
        """The router, for what is compiled once."""
        return self.target.route(self.level, self.seed, "long", objective or self.objective)

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
    target, level = way.target, way.level
    steps: list[Step] = []

    def hook(stage: str) -> Callable[[Circuit, Pass[Circuit], Circuit, float], None]:
        def note(_: Circuit, step: Pass[Circuit], after: Circuit, seconds: float) -> None:
            steps.append(Step(step.name, stage, seconds, metrics(after)))

        return note

    begin = perf_counter()
    logical = batch.program.circuit()
    steps.append(Step("synthesise", "lower", perf_counter() - begin, metrics(logical)))
    circuit = target.logical_passes(level).run(logical, hook("logical"))
    begin = perf_counter()
    routed = way.route().route(circuit)
    steps.append(Step("route", "route", perf_counter() - begin, metrics(routed.circuit)))
    template = target.physical_passes(level).run(routed.circuit, hook("physical"))
    unit = Unit(target, batch, logical, template, routed, (), None)
    unit = unit.with_numbers(batch) if bound else unit
    if way.objective != "count" and routed.swaps:
        other = way.route("count").route(circuit)
        native = target.physical_passes(level).run(other.circuit)
        unit = _cheaper(unit, replace(unit, template=native, routed=other, cache={}), way)
    if level >= 2:
        unit = _planned(unit, way, steps)
    if bound:
        steps.append(Step("bind", "bind", 0.0, unit.metrics()))
    return replace(unit, steps=tuple(steps))


_TURN = "turn_"
"""Prefix of a plan's parameters."""
MAX_AMPLITUDES = 1 << 24
"""Circuits times amplitudes up to which states are prepared by a plan."""


def _cheaper(unit: Unit, other: Unit, way: Way) -> Unit:
    """The one that costs less, the first of equals; the other gets the first one's numbers."""
    if unit.fused is not None:
        other = other.with_numbers(unit.batch)
    return other if way.price(other) < way.price(unit) else unit


def _planned(unit: Unit, way: Way, steps: list[Step]) -> Unit:
    """The unit with its state prepared on the machine's couplings, if that costs less."""
    program, size = unit.batch.program, unit.batch.program.num_qubits
    fits = program.is_real_state and 2 <= size <= MAX_QUBITS and unit.batch.circuits << size <= MAX_AMPLITUDES
    if not fits or metrics(unit.template).gates_2q <= program.least_two_qubit_count:
        return unit
    begin = perf_counter()
    plan = plan_state(unit.target.device, size, way.seed)
    if plan is None:
        return unit
    builder = Builder(range(size))
    plan.add(builder, [(0.0, {f"{_TURN}{k}": np.pi}) for k in range(2**size - 1)])
    program.finish(builder)
    route, gates = way.route(), builder.build()
    routed = route.route(gates)  # where on the chip the same couplings err least
    if routed.swaps:
        routed = route.route(gates, plan.places)
    template = unit.target.physical_passes(way.level).run(routed.circuit)
    other = replace(unit, template=template, routed=routed, plan=plan, cache={})
    if way.objective == "count" and metrics(template).gates_2q >= metrics(unit.template).gates_2q:
        return unit
    chosen = _cheaper(unit, other, way)
    if chosen is not unit:
        steps.append(Step("synthesise on the chip", "physical", perf_counter() - begin, metrics(template)))
    return chosen
