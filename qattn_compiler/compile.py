"""compile: the whole story, one line a stage. Whoever opens the project starts here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from os import PathLike
from time import perf_counter
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from qattn_compiler import kernel_cache, targets
from qattn_compiler.auto import AUTO, choose_encoding
from qattn_compiler.budget import Spent, check_budget, expected_errors
from qattn_compiler.compiled import Compiled, outputs_of
from qattn_compiler.describe import Story, describe
from qattn_compiler.errors import LoweringError, OptionError, ShapeError
from qattn_compiler.frontends import read
from qattn_compiler.frontends.weights import check_weights
from qattn_compiler.job import ALONE, ENCODINGS, Choice, Job, choose, read_job
from qattn_compiler.lower.batch import Batch
from qattn_compiler.passes.circuit.cost import cost_function
from qattn_compiler.progress import Progress, silent
from qattn_compiler.proof import prove
from qattn_compiler.targets.target import Target, check_level
from qattn_compiler.unit import PLACED, Unit, Way, compile_unit
from qattn_compiler.verify.compare import NOT_VERIFIED

SHARES: Final = (1.0, 0.2, 0.04, 0.0)
"""Of the budget that terms may take, one after the other, where a machine's errors decide."""
Floats = NDArray[np.float64]


def compile(  # noqa: A001 - the field's own word
    source: Any,
    weights: Mapping[str, Any] | str | PathLike[str] | None = None,
    *,
    target: str | Target = "google.willow",
    encoding: str = "amplitude",
    optimization_level: int = 2,
    seed: int = 0,
    rows: Choice = None,
    components: Choice = None,
    free: Mapping[str, tuple[int, ...]] | None = None,
    verify: bool = True,
    error: float = 0.01,
    max_error: float = 0.0,
    objective: str = "count",
    progress: Progress = silent,
) -> Compiled:
    """Compile an attention expression with its weights to verified circuits for a machine.

    Args:
        source: text such as "softmax(Q @ K.T / sqrt(d)) @ V", a sympy expression, an `Expr`, or a pair of
            arrays (weights, values) for their product.
        weights: name -> array, or a path to a .safetensors or .npz file with the expression's names.
        target: name of the machine (`qattn targets` lists them), or a `Target`.
        encoding: how the expression is computed: "amplitude", "coherent", "coherent-state", "unary",
            "block", "lcu", "hadamard", "swap" or "swap-ancilla", all exact; "auto" for the one of them that
            costs least on the target; or "angle", which computes something else. The modules of `lower` say
            what each does and costs.
        optimization_level: 0 only makes it run, 1 is light, 2 the default, 3 everything.
        seed: of placement and routing; same input, same bytes.
        rows: which rows of the output to compile; all by default.
        components: which columns; all by default.
        free: name -> shape of tensors that get their values later, by `Compiled.bind`.
        verify: prove the result (see `Compiled.verification`).
        error: the standard error that the report plans shots for, in units of the output.
        max_error: the greatest allowed |deviation| of an output, spent where it saves gates: on terms
            (`budget`), then on Schmidt ranks, small angles and two-qubit gates (`trim`); 0, the default, is
            exact. The report says what each took and how far the outputs are.
        objective: what placement, routing and the choice among circuits save: "count" (two-qubit gates),
            "depth" or "fidelity" (as estimated from the machine's calibration; with `max_error` it also
            decides whether leaving something out is worth it).
        progress: told how far the work is.

    Returns:
        circuits, read-outs, report and verification.

    Raises:
        ParseError, ShapeError, WeightError: the input is wrong; all mistakes of a stage come at once.
        LoweringError: the expression has no circuit in this encoding.
        OptionError, TargetError: an option or the machine is wrong or too small.
        VerificationError: the result is wrong (a bug).
    """
    check_options(encoding, optimization_level, seed, error)
    check_budget(max_error, tuple(free or ()))
    if isinstance(target, str):
        targets.check_name(target)
    clock = Clock()
    expr, own = read(source)
    job = read_job(expr, own, weights, free or {}, encoding)
    job.max_error = float(max_error)
    clock.lap("read")
    machine = targets.get(target) if isinstance(target, str) else target
    cost_function(objective, machine.device)
    clock.lap("target")
    choose(job, rows, components)
    batches = [] if encoding == AUTO else job.batches(job.values)
    clock.lap("lower")
    kernel_cache.warm(kernels_for(batches, optimization_level), progress)
    clock.lap("kernels")

    way = Way(machine, optimization_level, seed, objective)

    def make(some: list[Batch]) -> tuple[Unit, ...]:
        return compile_units(some, way, bound=not job.free, progress=progress)

    if encoding == AUTO:
        units = choose_encoding(job, make, way, error)
    else:
        units, job.spent = job.trimmed(make(batches), way, encoding, job.spent)
    if job.max_error and objective == "fidelity":
        units = worth_it(job, units, make, way)
    if job.max_error:
        job.notes.append(f"max_error {job.max_error:g}: {job.spent.words}")
    clock.lap("compile")
    story = tell(job, encoding, clock, optimization_level, seed, error, objective)
    compiled = Compiled(
        machine,
        units,
        job.shape,
        job.chosen,
        job.positions,
        NOT_VERIFIED,
        rebind=lambda values: rebind(compiled, job, story, values, verify, progress),
        describe=lambda result: describe(result, story),
    )
    return finish(compiled, job, clock, verify, progress)


@dataclass
class Clock:
    """Seconds by stage."""

    seconds: dict[str, float] = field(default_factory=dict)
    start: float = field(default_factory=perf_counter)

    def lap(self, stage: str) -> None:
        """The time since the last lap goes to this stage."""
        now = perf_counter()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self.start
        self.start = now


def check_options(encoding: str, level: int, seed: int, error: float) -> None:
    """Refuse meaningless options before any work is done.

    Raises:
        OptionError: names the option and what it may be.
    """
    if encoding not in (known := (*ENCODINGS, AUTO)):
        raise OptionError(f"encoding {encoding!r} is unknown; known: {', '.join(known)}")
    check_level(level)
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise OptionError(f"seed is {seed!r}; a whole number, 0 or more, was expected")
    if not (np.isfinite(error) and error > 0):
        raise OptionError(f"error is {error!r}; a positive number was expected")


def kernels_for(batches: list[Batch], level: int) -> tuple[str, ...]:
    """The stages of kernels that a compile needs: those of the search too, if blocks may be placed."""
    large = max((batch.program.two_qubit_count for batch in batches), default=0) >= PLACED[level]
    return ("compile", "search") if large else ("compile",)


def compile_units(batches: list[Batch], way: Way, *, bound: bool, progress: Progress) -> tuple[Unit, ...]:
    """One unit for each structure."""
    units = []
    progress("compile", 0, len(batches))
    for number, batch in enumerate(batches):
        units.append(compile_unit(batch, way, bound=bound))
        progress("compile", number + 1, len(batches))
    return tuple(units)


def worth_it(
    job: Job, units: tuple[Unit, ...], make: Callable[[list[Batch]], tuple[Unit, ...]], way: Way
) -> tuple[Unit, ...]:
    """Of what leaves something out and what does not, the better on the machine with its noise: by outputs
    where each has a circuit of its own, else on average. Terms may take all of the budget or smaller shares
    of it, whichever comes nearest to the truth."""
    job.max_error, allowed = 0.0, job.max_error
    exact = make(job.batches(job.values))
    job.max_error = allowed
    count, alone = len(job.positions), job.encoding in ALONE
    wanted, more = outputs_of(exact, count), expected_errors(exact, count)
    best: tuple[float, float, tuple[Unit, ...], Spent, Floats] | None = None
    for share in SHARES:
        if best is not None:
            job.share = share
            units, job.spent = job.trimmed(make(job.batches(job.values)), way, job.encoding, job.spent)
        less = expected_errors(units, count) + np.abs(outputs_of(units, count) - wanted)
        mean = float((np.minimum(less, more) if alone else less).mean())
        if best is None or mean < best[0]:
            best = mean, share, units, job.spent, less
    assert best is not None
    _, job.share, units, job.spent, less = best
    worse = less > more if alone else np.full(count, less.mean() > more.mean())
    job.notes.append(
        f"objective fidelity: outputs are expected to be off by {less.mean():.3g} with less and by "
        f"{more.mean():.3g} without, on average; {worse.sum()} of {len(worse)} stay exact; terms may take "
        f"{job.share:g} of the budget"
    )
    if worse.all():
        job.spent = Spent()
        return exact
    if worse.any():
        job.exact = worse
        units, job.spent = job.trimmed(make(job.batches(job.values)), way, job.encoding, job.spent)
    return units


def tell(job: Job, encoding: str, clock: Clock, level: int, seed: int, error: float, objective: str) -> Story:
    """What the report says of the job, compiled with this option `encoding`."""
    options = {"encoding": encoding, "optimization_level": level, "seed": int(seed)}
    options |= {"objective": objective, "max_error": job.max_error}
    options |= {"free": {name: list(shape) for name, shape in job.free.items()}}
    spent = job.spent if job.max_error else None
    return Story(str(job.expr), job.encoding, options, job.notes, job.origin, clock.seconds, error, spent)


def finish(compiled: Compiled, job: Job, clock: Clock, verify: bool, progress: Progress) -> Compiled:
    """Prove the result, unless told not to."""
    if not verify:
        return compiled
    wanted = job.wanted(job.values) if compiled.is_bound else None
    proved = replace(compiled, verification=prove(compiled, wanted, progress, job.max_error))
    clock.lap("verify")
    return proved


def rebind(
    compiled: Compiled, job: Job, story: Story, values: Mapping[str, Any], verify: bool, progress: Progress
) -> Compiled:
    """New values for free tensors in the compiled structures.

    Raises:
        OptionError: nothing is free, a name is not free, or one is missing.
        ShapeError: a value has another shape than was said.
    """
    extra, missing = sorted(set(values) - set(job.free)), sorted(set(job.free) - set(values))
    if extra or missing:
        wrong = [f"{', '.join(extra)} not free"] if extra else []
        wrong += [f"{', '.join(missing)} missing"] if missing else []
        names = ", ".join(job.free) or "none (say free={name: shape} when compiling)"
        raise OptionError(f"bind: {'; '.join(wrong)}; free tensors: {names}")
    given = check_weights(values)
    for name, shape in job.free.items():
        if given[name].shape != shape:
            raise ShapeError(f"{name} has shape {given[name].shape}; it was compiled for {shape}")
    clock = Clock()
    full = job.values | dict(given)
    batches = job.batches(full)
    if len(batches) != len(compiled.units):
        raise LoweringError("the structures do not fit the new values")
    units = tuple(unit.with_numbers(batch) for unit, batch in zip(compiled.units, batches, strict=True))
    clock.lap("bind")
    new_story = replace(story, seconds=clock.seconds)
    bound = replace(
        compiled,
        units=units,
        verification=NOT_VERIFIED,
        describe=lambda result: describe(result, new_story),
    )
    if not verify:
        return bound
    proved = replace(bound, verification=prove(bound, job.wanted(full), progress))
    clock.lap("verify")
    return proved
