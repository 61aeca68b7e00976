"""Job: what is to be compiled: the expression, its weights, the sizes it leaves open, the outputs chosen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.budget import Spent, in_order, spend
from qattn_compiler.errors import OptionError
from qattn_compiler.expr.evaluate import whole_numbers
from qattn_compiler.expr.node import Expr
from qattn_compiler.expr.shapes import infer_shapes, resolve_sizes
from qattn_compiler.frontends.weights import Weights, check_weights, load_weights
from qattn_compiler.lower import (
    amplitude,
    angle,
    block_encoding,
    coherent,
    coherent_state,
    hadamard,
    lcu,
    qcrank,
    swap,
    unary,
)
from qattn_compiler.lower.batch import Batch, Terms
from qattn_compiler.lower.weighted_sum import Form, weighted_sums
from qattn_compiler.passes.symbolic.drop_dead import DropDead
from qattn_compiler.passes.symbolic.fold_constants import FoldConstants
from qattn_compiler.passes.symbolic.fuse_scales import FuseScales
from qattn_compiler.pipeline import Pipeline
from qattn_compiler.trim import trim
from qattn_compiler.unit import Unit, Way
from qattn_compiler.verify.reference import reference

Floats = NDArray[np.float64]
ALONE = ("amplitude", "lcu", "hadamard", "qcrank", "swap", "swap-ancilla")
"""Encodings where every output has a circuit of its own."""
STATES = ("angle", "coherent-state")
"""Encodings whose circuits stay as their programs say, whatever an error budget allows."""
Choice = Iterable[int] | slice | int | None
ENCODINGS: Mapping[str, Callable[..., list[Batch]]] = {
    "amplitude": amplitude.encode,
    "angle": angle.encode,
    "unary": unary.encode,
    "block": block_encoding.encode,
    "coherent": coherent.encode,
    "coherent-state": coherent_state.encode,
    "lcu": lcu.encode,
    "hadamard": hadamard.encode,
    "qcrank": qcrank.encode,
    "swap": swap.encode,
    "swap-ancilla": swap.encode_ancilla,
}
SIMPLIFY: Pipeline[Expr] = Pipeline(
    (FoldConstants(), FuseScales(), DropDead()), repeat=True, label="symbolic"
)


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
        spent: what `max_error` was spent on.
        origin: where the weights came from.
        shape: of the whole output.
        chosen: indices along each axis.
        positions: shape (outputs, axes).
        max_error: the greatest allowed |deviation| of an output (`budget`).
        share: of it that terms may take; the circuits get what is left.
        exact: shape (outputs,): those that have no use for it.
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
    max_error: float = 0.0
    share: float = 1.0
    exact: NDArray[np.bool_] | None = None
    spent: Spent = field(default_factory=Spent)
    _form: Form | None = None

    def terms(self, values: Mapping[str, Floats], encoding: str = "") -> Terms:
        """The chosen outputs as weighted sums, without what `max_error` may leave out in the encoding."""
        terms, encoding = self.form(values).at(self.positions), encoding or self.encoding
        if self.max_error and encoding != "angle":
            alone = encoding in ALONE
            most = self.share * self.max_error
            terms, self.spent = spend(terms, most, alone=alone, exact=self.exact)
            terms = in_order(terms) if alone else terms
        if not self.free or values is self.values:
            return terms
        return replace(terms, like=self.terms(self.values))

    def trimmed(
        self, units: tuple[Unit, ...], way: Way, encoding: str, spent: Spent
    ) -> tuple[tuple[Unit, ...], Spent]:
        """Compiled units after what the terms left of `max_error` was spent on their circuits, and what was
        spent in all; as they are where the states themselves are what is wanted.

        Args:
            units: compiled in the encoding.
            way: how.
            encoding: its name.
            spent: on terms.
        """
        if not self.max_error or encoding in STATES:
            return units, spent
        used = np.zeros(len(self.positions)) if spent.prices is None else spent.prices
        left = np.maximum(self.max_error - used, 0.0)
        return trim(units, left if self.exact is None else np.where(self.exact, 0.0, left), spent, way)

    def form(self, values: Mapping[str, Floats]) -> Form:
        """All outputs as weighted sums; found once for the job's own values."""
        if values is not self.values:
            return weighted_sums(self.simplified, values, root=self.expr)
        if self._form is None:
            self._form = weighted_sums(self.simplified, values, root=self.expr)
        return self._form

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
    infer_shapes(expr, {name: value.shape for name, value in values.items()}, whole_numbers(values))
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
    form = job.form(job.values)
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
