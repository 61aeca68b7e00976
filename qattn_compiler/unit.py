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


def compile_unit(
    batch: Batch, target: Target, *, level: int, seed: int, bound: bool, say: Callable[[str], None]
) -> Unit:
    """Bring one program onto a machine.

    Args:
        batch: program and numbers.
        target: the machine.
        level: optimization level.
        seed: of placement and routing.
        bound: whether the numbers are real (or stand in for free tensors).
        say: told the name of each pass as it ends.

    Raises:
        TargetError: the machine is too small.
    """
    steps: list[Step] = []

    def hook(stage: str) -> Callable[[Circuit, Pass[Circuit], Circuit, float], None]:
        def note(_: Circuit, step: Pass[Circuit], after: Circuit, seconds: float) -> None:
            steps.append(Step(step.name, stage, seconds, metrics(after)))
            say(step.name)

        return note

    begin = perf_counter()
    logical = batch.program.circuit()
    steps.append(Step("synthesise", "lower", perf_counter() - begin, metrics(logical)))
    circuit = target.logical_passes(level).run(logical, hook("logical"))
    begin = perf_counter()
    routed = target.route(level, seed, "long").route(circuit)
    steps.append(Step("route", "route", perf_counter() - begin, metrics(routed.circuit)))
    template = target.physical_passes(level).run(routed.circuit, hook("physical"))
    unit = Unit(target, batch, logical, template, routed, (), None)
    if level >= 2:
        unit = _planned(unit, level, seed, steps)
    if bound:
        unit = unit.with_numbers(batch)
        steps.append(Step("bind", "bind", 0.0, unit.metrics()))
    return replace(unit, steps=tuple(steps))


_TURN = "turn_"
"""Prefix of a plan's parameters."""
MAX_AMPLITUDES = 1 << 24
"""Circuits times amplitudes up to which states are prepared by a plan."""


def _planned(unit: Unit, level: int, seed: int, steps: list[Step]) -> Unit:
    """The unit with its state prepared on the machine's couplings, if that takes fewer two-qubit gates."""
    program, size = unit.batch.program, unit.batch.program.num_qubits
    fits = program.is_real_state and 2 <= size <= MAX_QUBITS and unit.batch.circuits << size <= MAX_AMPLITUDES
    if not fits or metrics(unit.template).gates_2q <= program.least_two_qubit_count:
        return unit
    begin = perf_counter()
    plan = plan_state(unit.target.device, size, seed)
    if plan is None:
        return unit
    builder = Builder(range(size))
    plan.add(builder, [(0.0, {f"{_TURN}{k}": np.pi}) for k in range(2**size - 1)])
    program.finish(builder)
    route, gates = unit.target.route(level, seed, "long"), builder.build()
    routed = route.route(gates)  # where on the chip the same couplings err least
    if routed.swaps:
        routed = route.route(gates, plan.places)
    template = unit.target.physical_passes(level).run(routed.circuit)
    if metrics(template).gates_2q >= metrics(unit.template).gates_2q:
        return unit
    steps.append(Step("synthesise on the chip", "physical", perf_counter() - begin, metrics(template)))
    return replace(unit, template=template, routed=routed, plan=plan)
