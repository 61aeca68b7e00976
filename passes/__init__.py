if __name__ != "qattn_compiler.passes":
    raise ImportError(f"import qattn_compiler.passes, not {__name__}: this folder is mapped into the package")

__doc__ = """What is done to programs and circuits: one pass, one file.

    from qattn_compiler.passes import MergeRotations, parse_pipeline
    parse_pipeline("merge-rotations,drop-negligible{atol=1e-9},fuse-single-qubit").run(circuit)

Pass classes are loaded when they are first asked for.
"""

import re
from collections.abc import Callable
from dataclasses import fields
from difflib import get_close_matches
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn

from qattn_compiler.errors import PassError

if TYPE_CHECKING:
    from qattn_compiler.circuit.table import Circuit
    from qattn_compiler.device import Device
    from qattn_compiler.pipeline import Pipeline

_TABLE = {
    "optimize": "circuit.optimize:Optimize",
    "fold-phases": "circuit.fold_phases:FoldPhases",
    "resynthesise-parities": "circuit.resynthesise_parities:ResynthesiseParities",
    "clifford": "circuit.clifford:Clifford",
    "resynthesise-paulis": "circuit.resynthesise_paulis:ResynthesisePaulis",
    "resynthesise-two-qubit": "circuit.resynthesise_two_qubit:ResynthesiseTwoQubit",
    "resynthesise-three-qubit": "circuit.resynthesise_three_qubit:ResynthesiseThreeQubit",
    "simplify-boundaries": "circuit.simplify_boundaries:SimplifyBoundaries",
    "decompose-two-qubit": "circuit.decompose:DecomposeTwoQubit",
    "merge-rotations": "circuit.merge_rotations:MergeRotations",
    "cancel-inverses": "circuit.cancel_inverses:CancelInverses",
    "absorb-swaps": "circuit.absorb_swaps:AbsorbSwaps",
    "place": "circuit.place:Place",
    "route": "circuit.route:Route",
    "bridge": "circuit.bridge:Bridge",
    "join-rotations": "circuit.join_rotations:JoinRotations",
    "orient": "circuit.orient:Orient",
    "drop-negligible": "circuit.drop_negligible:DropNegligible",
    "fuse-single-qubit": "circuit.fuse_single_qubit:FuseSingleQubit",
    "limit-angles": "circuit.limit_angles:LimitAngles",
    "native-single-qubit": "circuit.native_single_qubit:NativeSingleQubit",
    "schedule": "circuit.schedule:Schedule",
    "decouple": "circuit.decouple:Decouple",
}
"""Passes on circuits: name -> module:Class, in the order in which a compile uses them first."""

_CLASSES = {entry.partition(":")[2]: entry for entry in _TABLE.values()}


def _load(entry: str) -> type[Any]:
    module, _, name = entry.partition(":")
    found: type[Any] = getattr(import_module(f"{__name__}.{module}"), name)
    return found


def __getattr__(name: str) -> Any:
    if name not in _CLASSES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return _load(_CLASSES[name])


def __dir__() -> list[str]:
    return sorted({*globals(), *_CLASSES})


def registry() -> dict[str, type[Any]]:
    """Pass name -> pass class, for all passes on circuits."""
    return {name: _load(entry) for name, entry in _TABLE.items()}


def parse_pipeline(text: str, device: "Device | None" = None) -> "Pipeline[Circuit]":
    """The pipeline that a text names: passes with commas between them, options in braces.

    Args:
        text: such as `merge-rotations,drop-negligible{atol=1e-9},route{passes=5,objective=depth}`. Options
            are fields of the pass: whole numbers, numbers, `true`/`false`, words; sets are written `a|b|c`.
        device: handed to passes that need the machine.

    Raises:
        PassError: unknown pass or option, bad value, a pass that needs a device and gets none. The place is
            the text with a caret under it.
    """
    from qattn_compiler.pipeline import Pipeline

    reader = _Reader(text)
    if reader.at_end():
        return Pipeline(())
    passes = [_read_pass(reader, device)]
    while not reader.at_end():
        reader.mark(",")
        passes.append(_read_pass(reader, device))
    return Pipeline(tuple(passes))


class _Reader:
    """Takes words and marks off a text; its errors point into it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self._skip()

    def _skip(self) -> None:
        while self.text[self.at : self.at + 1].isspace():
            self.at += 1

    def at_end(self) -> bool:
        return self.at == len(self.text)

    def fail(self, message: str, at: int | None = None, hint: str | None = None) -> NoReturn:
        line = re.sub(r"\s", " ", self.text)
        place = f"  {line}\n  {' ' * (self.at if at is None else at)}^"
        raise PassError(message, place=place, hint=hint)

    def is_next(self, mark: str) -> bool:
        return self.text.startswith(mark, self.at)

    def mark(self, mark: str) -> None:
        if not self.is_next(mark):
            self.fail(f"`{mark}` was expected")
        self.at += len(mark)
        self._skip()

    def word(self, expected: str) -> str:
        found = re.compile(r"[^\s,={}]+").match(self.text, self.at)
        if found is None:
            self.fail(f"{expected} was expected")
        self.at = found.end()
        self._skip()
        return found.group()


def _read_pass(reader: _Reader, device: "Device | None") -> Any:
    start = reader.at
    name = reader.word("the name of a pass")
    if name not in _TABLE:
        reader.fail(f"there is no pass {name!r}", start, _nearest(name, _TABLE))
    kind = _load(_TABLE[name])
    types = {field.name: str(field.type) for field in fields(kind) if field.init}
    options: dict[str, Any] = {}
    if types.pop("device", None) is not None:
        if device is None:
            reader.fail(f"{name} needs a device", start, "name a target")
        options["device"] = device
    if reader.is_next("{"):
        reader.mark("{")
        while not reader.is_next("}"):
            _read_option(reader, name, types, options)
            if not reader.is_next("}"):
                reader.mark(",")
        reader.mark("}")
    try:
        return kind(**options)
    except PassError as error:
        reader.fail(error.message, start, error.hint)


def _read_option(reader: _Reader, name: str, types: dict[str, str], options: dict[str, Any]) -> None:
    start = reader.at
    option = reader.word("an option")
    field = option.replace("-", "_")
    if field not in types:
        hint = _nearest(field, types) if types else f"{name} has no options"
        reader.fail(f"{name} has no option {option!r}", start, hint)
    if field in options:
        reader.fail(f"option {option!r} stands twice", start)
    reader.mark("=")
    start = reader.at
    value = reader.word(f"a value for {option}")
    read, expected = _VALUES.get(types[field], (None, ""))
    if read is None:
        reader.fail(f"option {option!r} cannot be set from text", start)
    try:
        options[field] = read(value)
    except (KeyError, ValueError):
        reader.fail(f"{option} is {value!r}; {expected} was expected", start)


_BOOLS = {"true": True, "false": False, "1": True, "0": False, "yes": True, "no": False}
_VALUES: dict[str, tuple[Callable[[str], Any], str]] = {
    "int": (partial(int, base=10), "a whole number"),
    "float": (float, "a number"),
    "bool": (lambda word: _BOOLS[word.lower()], "true or false"),
    "str": (str, "a word"),
    "frozenset[str]": (lambda words: frozenset(words.split("|")), "words with | between them"),
}
"""Field type -> (reader, what it expects)."""


def _nearest(name: str, names: dict[str, str]) -> str:
    close = get_close_matches(name, names, n=3, cutoff=0.4)
    return f"did you mean {' or '.join(close)}?" if close else f"there are {', '.join(names)}"
