"""Passes in order, with one hook between them.

A pass is a frozen dataclass with a `name` and `run(x) -> x`; it gives back the very same object when it
changes nothing. Checking, timing, counting and progress all hang on the pipeline's one hook.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import ClassVar, Generic, Protocol, TypeVar

from qattn_compiler.errors import PassError, QattnError

T = TypeVar("T")
IR = TypeVar("IR")
IR_co = TypeVar("IR_co", covariant=True)

MAX_ROUNDS = 50
"""No fixpoint needs so many rounds; reaching it means that two passes undo each other."""


class Pass(Protocol[IR]):
    """What a pass offers: a name, and `run`, which never changes its input."""

    name: ClassVar[str]

    def run(self, ir: IR, /) -> IR:
        """The transformed IR; the same object if there was nothing to do."""
        ...


Hook = Callable[[T, "Pass[T]", T, float], None]
"""(before, pass, after, seconds), called after each pass."""


@dataclass(frozen=True)
class Pipeline(Generic[T]):
    """A tuple of passes that is itself a pass.

    Attributes:
        passes: run in this order.
        repeat: run the whole again until nothing changes.
        label: the name in reports.
    """

    passes: tuple[Pass[T], ...]
    repeat: bool = False
    label: str = "pipeline"
    name: ClassVar[str] = "pipeline"

    def run(self, ir: T, /, hook: Hook[T] | None = None) -> T:
        """Run all passes.

        Raises:
            PassError: the fixpoint did not settle.
        """
        for _ in range(MAX_ROUNDS):
            start = ir
            for step in self.passes:
                ir = _run_one(step, ir, hook)
            if ir is start or not self.repeat:
                return ir
        raise PassError(f"{self.label} did not settle in {MAX_ROUNDS} rounds", hint="please report this")


def _run_one(step: Pass[T], ir: T, hook: Hook[T] | None) -> T:
    if isinstance(step, Pipeline):
        inner: T = step.run(ir, hook)
        return inner
    begin = perf_counter()
    try:
        after = step.run(ir)
    except QattnError as error:
        error.place = error.place or f"in pass {step.name}"
        raise
    if hook is not None:
        hook(ir, step, after, perf_counter() - begin)
    return after


def run_all(passes: Sequence[Pass[T]], ir: T, hook: Hook[T] | None = None) -> T:
    """Run passes once, in order."""
    return Pipeline(tuple(passes)).run(ir, hook)
