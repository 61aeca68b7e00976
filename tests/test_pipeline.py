"""Pipelines: order, hook, fixpoint, errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pytest

from qattn_compiler.errors import CircuitError, PassError
from qattn_compiler.pipeline import MAX_ROUNDS, Pipeline, run_all


@dataclass(frozen=True)
class Halve:
    """Halve even numbers; the same object for odd ones."""

    name: ClassVar[str] = "halve"

    def run(self, ir: list[int], /) -> list[int]:
        return ir if ir[0] % 2 else [ir[0] // 2]


@dataclass(frozen=True)
class Flip:
    name: ClassVar[str] = "flip"

    def run(self, ir: list[int], /) -> list[int]:
        return [-ir[0]]


@dataclass(frozen=True)
class Fail:
    place: str | None = None
    name: ClassVar[str] = "fail"

    def run(self, ir: list[int], /) -> list[int]:
        raise CircuitError("no", place=self.place)


def test_once_and_to_the_fixpoint():
    start = [8]
    assert Pipeline((Halve(),)).run(start) == [4]
    assert Pipeline((Halve(),), repeat=True).run(start) == [1]
    assert run_all((Halve(), Flip()), start) == [-4]
    assert start == [8]


def test_same_object_when_nothing_changes():
    odd = [7]
    assert Pipeline((Halve(), Halve()), repeat=True).run(odd) is odd
    assert Pipeline(()).run(odd) is odd


def test_hook_sees_every_pass_of_nested_pipelines():
    seen = []
    inner = Pipeline((Halve(),), repeat=True, label="inner")
    Pipeline((inner, Flip())).run([4], lambda *args: seen.append(args))
    assert [(before[0], step.name, after[0]) for before, step, after, _ in seen] == [
        (4, "halve", 2), (2, "halve", 1), (1, "halve", 1), (1, "flip", -1)
    ]  # fmt: skip
    assert all(seconds >= 0 for *_, seconds in seen)


def test_a_pipeline_is_a_pass():
    assert Pipeline((Pipeline((Halve(),)), Halve())).run([4]) == [1]
    assert Pipeline((Halve(),)) == Pipeline((Halve(),))
    assert Pipeline.name == "pipeline"


def test_passes_that_undo_each_other_are_stopped():
    with pytest.raises(PassError, match=f"inner did not settle in {MAX_ROUNDS} rounds"):
        Pipeline((Flip(),), repeat=True, label="inner").run([1])


def test_errors_say_in_which_pass():
    with pytest.raises(CircuitError, match=r"no\nin pass fail"):
        Pipeline((Halve(), Fail())).run([4])
    with pytest.raises(CircuitError, match=r"no\nrow 3"):
        Pipeline((Fail("row 3"),)).run([4])
