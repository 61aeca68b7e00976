"""compile and transpile: the whole story, one line a stage. Whoever opens the project starts here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from os import PathLike
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qattn_compiler import targets
from qattn_compiler.compiled import Compiled
from qattn_compiler.describe import Story, describe
from qattn_compiler.errors import LoweringError, OptionError, ShapeError
from qattn_compiler.expr.evaluate import whole_numbers
from qattn_compiler.expr.node import Expr
from qattn_compiler.expr.shapes import resolve_sizes
from qattn_compiler.frontends import read
from qattn_compiler.frontends.weights import Weights, check_weights, load_weights
from qattn_compiler.lower import amplitude, angle
from qattn_compiler.lower.batch import Batch, Terms
from qattn_compiler.lower.weighted_sum import weighted_sums
from qattn_compiler.passes.symbolic.drop_dead import DropDead
from qattn_compiler.passes.symbolic.fold_constants import FoldConstants
from qattn_compiler.passes.symbolic.fuse_scales import FuseScales
from qattn_compiler.pipeline import Pipeline
from qattn_compiler.progress import Progress, silent
from qattn_compiler.proof import prove
from qattn_compiler.targets.target import Target, check_level
from qattn_compiler.unit import Unit, compile_unit
from qattn_compiler.verify.compare import NOT_VERIFIED
from qattn_compiler.verify.reference import reference

Floats = NDArray[np.float64]
Choice = Iterable[int] | slice | int | None
ENCODINGS = {"amplitude": amplitude.encode, "angle": angle.encode}
SIMPLIFY: Pipeline[Expr] = Pipeline(
    (FoldConstants(), FuseScales(), DropDead()), repeat=True, label="symbolic"
)


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
    progress: Progress = silent,
) -> Compiled:
    """Compile an attention expression with its weights to verified circuits for a machine.

    Args:
        source: text such as "softmax(Q @ K.T / sqrt(d)) @ V", a sympy expression, an `Expr`, or a pair of
            arrays (weights, values) for their product.
        weights: name -> array, or a path to a .safetensors or .npz file with the expression's names.
        target: name of the machine (`qattn targets` lists them), or a `Target`.
        encoding: "amplitude" (computes the expression, exact) or "angle" (see `lower.angle` for what it
            computes).
        optimization_level: 0 only makes it run, 1 is light, 2 the default, 3 everything.
        seed: of placement and routing; same input, same bytes.
        rows: which rows of the output to compile; all by default.
        components: which columns; all by default.
        free: name -> shape of tensors that get their values later, by `Compiled.bind`.
        verify: prove the result (see `Compiled.verification`).
        error: the standard error that the report plans shots for, in units of the output.
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
    clock = Clock()
    expr, own = read(source)
    job = read_job(expr, own, weights, free or {}, encoding)
    clock.lap("read")
    machine = targets.get(target) if isinstance(target, str) else target
    clock.lap("target")
    choose(job, rows, components)
    batches = job.batches(job.values)
    clock.lap("lower")
    warm_kernels(progress)
    clock.lap("kernels")
    units = compile_units(batches, machine, optimization_level, seed, bound=not job.free, progress=progress)
    clock.lap("compile")
    story = tell(job, clock, optimization_level, seed, error)
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
    return finish(compiled, job, story, clock, verify, progress)


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
    if encoding not in ENCODINGS:
        raise OptionError(f"encoding {encoding!r} is unknown; known: {', '.join(ENCODINGS)}")
    check_level(level)
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise OptionError(f"seed is {seed!r}; a whole number, 0 or more, was expected")
    if not (np.isfinite(error) and error > 0):
        raise OptionError(f"error is {error!r}; a positive number was expected")


@dataclass
class Job:
    """What is to be compiled.

    Attributes:
        expr: as the user wrote it.
        simplified: what is lowered; means the same.
        values: an array for every name; random stand-ins for free tensors.
        free: shapes of free tensors.
        encoding: name.
        notes: for the report.
        origin: where the weights came from.
        shape: of the whole output.
        chosen: indices along each axis.
        positions: shape (outputs, axes).
    """

    expr: Expr
    simplified: Expr
    values: dict[str, Floats]
    free: dict[str, tuple[int, ...]]
    encoding: str
    notes: list[str]
    origin: str
    shape: tuple[int, ...] = ()
    chosen: tuple[NDArray[np.int64], ...] = ()
    positions: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 0), dtype=np.int64))

    def terms(self, values: Mapping[str, Floats]) -> Terms:
        """The chosen outputs as weighted sums."""
        return weighted_sums(self.simplified, values, root=self.expr).at(self.positions)

    def batches(self, values: Mapping[str, Floats]) -> list[Batch]:
        """The chosen outputs in the encoding."""
        return ENCODINGS[self.encoding](self.terms(values), full=bool(self.free))

    def wanted(self, values: Mapping[str, Floats]) -> Floats:
        """What the decoded numbers must be, shape of `evaluate`."""
        shape = tuple(len(axis) for axis in self.chosen)
        if self.encoding == "angle":
            return angle.reference(self.terms(values)).reshape(shape)
        whole = np.asarray(reference(self.expr, values))
        chosen: Floats = whole[tuple(self.positions.T)].reshape(shape)
        return chosen


def read_job(
    expr: Expr,
    own: Mapping[str, Floats],
    weights: Mapping[str, Any] | str | PathLike[str] | None,
    free: Mapping[str, Any],
    encoding: str,
) -> Job:
    """Check weights and shapes, and find the sizes that the text leaves open.

    Raises:
        WeightError, ShapeError, OptionError: all mistakes of the stage.
    """
    given = read_weights(weights)
    shapes = check_free(expr, free, given)
    values = {**given, **own}
    rng = np.random.default_rng(0)
    values |= {name: rng.uniform(0.1, 1.0, shape) for name, shape in shapes.items()}
    sizes = resolve_sizes(expr, {name: value.shape for name, value in values.items()}, whole_numbers(values))
    notes = list(given.notes)
    for name, size in sizes.items():
        values[name] = np.asarray(float(size.value))
        notes.append(f"{name} = {size.value}: {size.reason}")
    unused = sorted(set(given) - set(expr.tensors()))
    if unused:
        notes.append(f"not used by the expression: {', '.join(unused)}")
    simplified = SIMPLIFY.run(expr)
    return Job(expr, simplified, values, shapes, encoding, notes, given.origin)


def read_weights(weights: Mapping[str, Any] | str | PathLike[str] | None) -> Weights:
    """Arrays from wherever they are."""
    if weights is None:
        return check_weights({})
    if isinstance(weights, Weights):
        return weights
    if isinstance(weights, Mapping):
        return check_weights(weights)
    return load_weights(weights)


def check_free(expr: Expr, free: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Shapes of the free tensors.

    Raises:
        OptionError: a name is not in the expression, has a value too, or its shape is none.
    """
    out = {}
    for name, shape in free.items():
        if name not in expr.tensors():
            raise OptionError(
                f"free tensor {name!r} is not in the expression; it has {', '.join(expr.tensors())}"
            )
        if name in given:
            raise OptionError(f"{name!r} is free and has a value: give it either in weights or in free")
        sizes = (shape,) if isinstance(shape, int) else tuple(shape)
        if not all(isinstance(s, (int, np.integer)) and not isinstance(s, bool) and s > 0 for s in sizes):
            raise OptionError(
                f"free tensor {name!r} has shape {shape!r}; positive whole numbers were expected"
            )
        out[name] = tuple(int(s) for s in sizes)
    return out


def choose(job: Job, rows: Choice, components: Choice) -> None:
    """Fill in which outputs are compiled.

    Raises:
        OptionError: an index is outside the output, or the output has no such axis.
    """
    form = weighted_sums(job.simplified, job.values, root=job.expr)
    job.shape = form.shape
    axes: list[NDArray[np.int64]] = [np.arange(size) for size in form.shape]
    row_axis, column_axis = (-2, -1) if len(axes) >= 2 else (-1, None)
    if rows is not None:
        if not axes:
            raise OptionError("the expression is a single number: it has no rows to choose")
        axes[row_axis] = _indices("rows", rows, form.shape[row_axis])
    if components is not None:
        if column_axis is None:
            raise OptionError(f"the output has shape {form.shape}: it has no components to choose")
        axes[column_axis] = _indices("components", components, form.shape[column_axis])
    job.chosen = tuple(axes)
    grid = np.meshgrid(*axes, indexing="ij") if axes else []
    count = int(np.prod([len(a) for a in axes])) if axes else 1
    job.positions = (
        np.stack([g.reshape(-1) for g in grid], axis=1) if grid else np.zeros((count, 0), dtype=np.int64)
    )
    if count == 0:
        raise OptionError("no output is chosen")


def _indices(what: str, choice: Choice, size: int) -> NDArray[np.int64]:
    if isinstance(choice, slice):
        return np.arange(size)[choice]
    listed = [choice] if isinstance(choice, (int, np.integer)) else list(choice or ())
    for index in listed:
        if isinstance(index, bool) or not isinstance(index, (int, np.integer)) or not -size <= index < size:
            raise OptionError(f"{what}: {index!r} is no index of an axis of {size}")
    normal = [int(i) % size for i in listed]
    if len(set(normal)) != len(normal):
        raise OptionError(f"{what}: an index stands twice in {listed}")
    return np.array(normal, dtype=np.int64)


def compile_units(
    batches: list[Batch], target: Target, level: int, seed: int, *, bound: bool, progress: Progress
) -> tuple[Unit, ...]:
    """One unit for each structure."""
    units = []
    progress("compile", 0, len(batches))
    for number, batch in enumerate(batches):
        units.append(compile_unit(batch, target, level=level, seed=seed, bound=bound, say=lambda _: None))
        progress("compile", number + 1, len(batches))
    return tuple(units)


def warm_kernels(progress: Progress) -> None:
    """Make the machine code of the kernels if this installation has none yet, and say so."""
    from qattn_compiler import kernel_cache

    if kernel_cache.is_cold():
        progress(kernel_cache.MESSAGE, 0, 1)
        kernel_cache.warm()
        progress(kernel_cache.MESSAGE, 1, 1)


def tell(job: Job, clock: Clock, level: int, seed: int, error: float) -> Story:
    """What the report says of the job."""
    options = {"encoding": job.encoding, "optimization_level": level, "seed": int(seed)}
    options |= {"free": {name: list(shape) for name, shape in job.free.items()}}
    return Story(str(job.expr), job.encoding, options, job.notes, job.origin, clock.seconds, error)


def finish(
    compiled: Compiled, job: Job, story: Story, clock: Clock, verify: bool, progress: Progress
) -> Compiled:
    """Prove the result, unless told not to."""
    del story
    if not verify:
        return compiled
    wanted = job.wanted(job.values) if compiled.is_bound else None
    proved = replace(compiled, verification=prove(compiled, wanted, progress))
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
