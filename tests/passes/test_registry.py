"""The table of passes and pipelines from text."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, is_dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

import qattn_compiler.passes as passes
from qattn_compiler.device import Device
from qattn_compiler.errors import PassError
from qattn_compiler.passes import DecomposeTwoQubit, DropNegligible, MergeRotations, parse_pipeline, registry
from qattn_compiler.passes.circuit.base import CirqTransformer

LINE = Device("line", ("a", "b"), np.array([[0, 1]]), frozenset({"cz", "phased_xz"}))


def test_names_are_the_passes_own():
    for name, kind in registry().items():
        assert kind.name == name
        assert is_dataclass(kind)
        assert kind.__dataclass_params__.frozen
        assert kind.__doc__


def test_every_pass_on_circuits_is_in_the_table():
    folder = Path(passes.__file__).parent / "circuit"
    found = set()
    for path in folder.glob("*.py"):
        module = importlib.import_module(f"qattn_compiler.passes.circuit.{path.stem}")
        for value in vars(module).values():
            if isinstance(value, type) and value.__module__ == module.__name__ and is_dataclass(value):
                found |= {value} if "name" in vars(value) and hasattr(value, "run") else set()
    assert found == set(registry().values())


def test_classes_can_be_imported_by_name():
    for kind in registry().values():
        assert getattr(passes, kind.__name__) is kind
        assert kind.__name__ in dir(passes)
    with pytest.raises(AttributeError, match="no attribute 'Mistake'"):
        passes.Mistake  # noqa: B018
    with pytest.raises(ImportError):
        importlib.import_module("qattn_compiler.passes.circuit.mistake")


def test_the_mixin_alone_does_nothing():
    with pytest.raises(NotImplementedError):
        CirqTransformer().run(None)


def test_pipelines_from_text():
    assert parse_pipeline("").passes == ()
    assert parse_pipeline("merge-rotations").passes == (MergeRotations(),)
    text = " merge-rotations , drop-negligible{ atol = 1e-9 },decompose-two-qubit{keep=cx|swap},"
    text += "drop-negligible{} "
    assert parse_pipeline(text).passes == (
        MergeRotations(),
        DropNegligible(1e-9),
        DecomposeTwoQubit(frozenset({"cx", "swap"})),
        DropNegligible(),
    )


def test_passes_that_need_a_device():
    place, route = parse_pipeline("place{seed=3},route{passes=5,decay=0.5,objective=depth}", LINE).passes
    assert place.device is LINE
    assert (place.seed, route.passes, route.decay, route.objective) == (3, 5, 0.5, "depth")
    with pytest.raises(PassError, match="route needs a device"):
        parse_pipeline("merge-rotations,route")


@dataclass(frozen=True)
class Options:
    flag: bool = False
    other: complex = 0
    name: ClassVar[str] = "options"


def test_all_types_of_options(monkeypatch):
    monkeypatch.setitem(passes._TABLE, "options", "x:Options")
    monkeypatch.setattr(passes, "_load", lambda entry: Options)
    assert parse_pipeline("options{flag=true}").passes == (Options(True),)
    assert parse_pipeline("options{flag=No}").passes == (Options(False),)
    with pytest.raises(PassError, match="flag is 'maybe'; true or false was expected"):
        parse_pipeline("options{flag=maybe}")
    with pytest.raises(PassError, match="'other' cannot be set from text"):
        parse_pipeline("options{other=1}")


@pytest.mark.parametrize(
    ("text", "message", "hint", "column"),
    [
        ("merge-rotation", "no pass 'merge-rotation'", "did you mean merge-rotations", 0),
        ("merge-rotations,zzz", "no pass 'zzz'", "there are optimize, fold-phases", 16),
        ("merge-rotations,", "no pass ''", None, 16),
        ("merge-rotations fuse-single-qubit", "`,` was expected", None, 16),
        ("drop-negligible{atole=1}", "no option 'atole'", "did you mean atol", 16),
        ("merge-rotations{x=1}", "no option 'x'", "merge-rotations has no options", 16),
        ("drop-negligible{atol=big}", "atol is 'big'; a number was expected", None, 21),
        ("drop-negligible{atol=1,atol=2}", "stands twice", None, 23),
        ("drop-negligible{atol=-1}", "atol is -1.0", None, 0),
        ("drop-negligible{atol}", "`=` was expected", None, 20),
        ("drop-negligible{atol=}", "a value for atol was expected", None, 21),
        ("drop-negligible{atol=1", "`,` was expected", None, 22),
        ("route{seed=1.5}", "seed is '1.5'; a whole number was expected", None, 11),
        ("route{device=x}", "no option 'device'", None, 6),
    ],
)
def test_errors_have_a_place(text, message, hint, column):
    with pytest.raises(PassError) as info:
        parse_pipeline(text, LINE)
    if text.endswith(","):
        message = "the name of a pass was expected"
    assert message in info.value.message
    line, caret = info.value.place.split("\n")
    assert line == f"  {text}"
    assert caret == " " * (column + 2) + "^"
    if hint is not None:
        assert hint in info.value.hint
