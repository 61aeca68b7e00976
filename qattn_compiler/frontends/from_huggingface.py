"""Hugging Face BERT-style models -> Q, K, V of attention heads.

PyTorch's linear layer is `y = x @ W.T + b`, and head h owns rows h * d_head to (h + 1) * d_head of W and b.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from qattn_compiler.errors import OptionError, QattnError, WeightError, raise_all
from qattn_compiler.frontends.weights import (
    ArrayFile,
    Floats,
    Stored,
    Weights,
    as_array,
    check_finite,
    check_size,
    check_whole,
    conversion_notes,
    nearest,
    open_arrays,
    real_floats,
    show,
    some,
)

ROLES = {"Q": "query", "K": "key", "V": "value"}
"""Name in the expression -> name in the model."""

HIDDEN_NAMES = ("hidden_states", "hidden")
"""Arrays that are taken for the hidden states whatever else the file holds."""

MAX_CONFIG = 1 << 20

_KEY = re.compile(
    r"(?P<prefix>(?:.*\.)?)encoder\.layer\.(?P<layer>0|[1-9][0-9]{0,5})"
    r"\.attention\.self\.(?:query|key|value)\.(?:weight|bias)",
    re.DOTALL,
)


@dataclass(frozen=True)
class Projection:
    """`x @ weight.T + bias`; weight (rows, hidden_size), bias (rows,)."""

    weight: Floats
    bias: Floats


class _States(NamedTuple):
    """Hidden states (tokens, hidden_size), and what they are called."""

    array: Floats
    name: str


def read_heads(
    file: ArrayFile,
    layer: int,
    head: int | str | None,
    hidden: Any,
    hidden_key: str | None,
    num_heads: int | None,
) -> Weights:
    """Q, K, V (tokens, d_head) of one head, or (heads, tokens, d_head) of all; `d` = d_head.

    Args:
        head: None or "all" for all heads.
        hidden: (tokens, hidden_size), with a leading batch axis of 1 if need be, or a path to it.
        hidden_key: which array of that path.
        num_heads: of the layer. None: as `config.json` beside the file or the file's metadata says.

    Raises:
        WeightError: the file is no such model, has no such layer or head, or something in it is wrong.
        OptionError: an option has a value that means nothing.
    """
    layer = _whole("layer", layer)
    every = head is None or (isinstance(head, str) and head == "all")
    wanted = None if every else _whole("head", head)
    if hidden is None:
        raise WeightError(
            f"layer {layer} is given, but not the hidden states that enter it",
            place=str(file.path),
            hint="give an array or a path as hidden (--hidden FILE); for a file that holds Q, K and V "
            "themselves leave out layer, head and num_heads",
        )
    notes: list[str] = []
    stem = f"{_find_prefix(file, layer)}encoder.layer.{layer}.attention.self."
    projections = _read_projections(file, stem, notes)
    hidden_size = projections["Q"].weight.shape[1]
    count = _count_heads(file, f"{stem}query.weight", projections["Q"].weight, num_heads, notes)
    if wanted is not None and not 0 <= wanted < count:
        raise WeightError(
            f"there is no head {wanted}; there are {_listed(range(count))}", place=file.place(f"{stem}*")
        )
    states = _hidden_states(hidden, hidden_key, layer, hidden_size, notes)
    arrays = project(states.array, projections, count, wanted)
    which = f"head {wanted}" if wanted is not None else f"heads {_listed(range(count))}"
    origin = f"{file.path.name}, layer {layer}, {which}, hidden {show(states.name)}"
    return Weights(arrays, tuple(notes), origin)


def project(
    states: Floats, projections: Mapping[str, Projection], count: int, head: int | None
) -> dict[str, Floats]:
    """The linear maps of `count` heads applied to hidden states: Q, K, V and `d`, read-only.

    Args:
        states: (tokens, hidden_size).
        projections: Q, K, V -> their linear maps, (count * d_head, hidden_size).
        head: gives (tokens, d_head). None: all heads, (count, tokens, d_head).

    Raises:
        WeightError: too large, or a result is not finite.
    """
    d_head = len(projections["Q"].bias) // count
    rows = slice(None) if head is None else slice(head * d_head, (head + 1) * d_head)
    arrays: dict[str, Floats] = {}
    for name, projection in projections.items():
        weight, bias = projection.weight[rows], projection.bias[rows]
        check_size(len(states) * len(bias), name)
        with np.errstate(over="ignore", invalid="ignore"):  # found below
            made: Floats = states @ weight.T + bias
        check_finite(made, name, "computed from the model's weights and the hidden states")
        arrays[name] = _frozen(made.reshape(-1, count, d_head).swapaxes(0, 1) if head is None else made)
    arrays["d"] = _frozen(np.asarray(float(d_head)))
    return arrays


def _frozen(array: Floats) -> Floats:
    array = np.array(array, dtype=np.float64, order="C", copy=True)
    array.setflags(write=False)
    return array


def _whole(option: str, value: Any) -> int:
    """A whole number; whether there is such a layer or head is for the file to say, negative ones too."""
    return check_whole(option, value, least=-sys.maxsize)


# -- the layer


def _find_prefix(file: ArrayFile, layer: int) -> str:
    """What stands before `encoder.layer.` in the keys of the layer.

    Raises:
        WeightError: no such layer, or the layer is there several times.
    """
    matches = [found for key in file.arrays if (found := _KEY.fullmatch(key))]
    if not matches:
        raise WeightError(
            "no key has the form encoder.layer.<n>.attention.self.query.weight; "
            f"the file holds {some(file.arrays)}",
            place=str(file.path),
            hint="BERT-style models are read; for a file that holds Q, K and V themselves leave out layer, "
            "head and hidden",
        )
    layers = sorted({int(found["layer"]) for found in matches})
    if layer not in layers:
        raise WeightError(f"there is no layer {layer}; there are {_listed(layers)}", place=str(file.path))
    prefixes = sorted({found["prefix"] for found in matches if int(found["layer"]) == layer})
    if len(prefixes) > 1:
        raise WeightError(
            f"layer {layer} is there {len(prefixes)} times, under the prefixes "
            f"{some([repr(show(prefix)) for prefix in prefixes])}",
            place=str(file.path),
            hint="save the model that is meant to a file of its own",
        )
    return prefixes[0]


def _read_projections(file: ArrayFile, stem: str, notes: list[str]) -> dict[str, Projection]:
    """Query, key and value of the layer, all of one shape.

    Raises:
        WeightError: all that is wrong with the six arrays.
    """
    keys = [f"{stem}{role}.{part}" for role in ROLES.values() for part in ("weight", "bias")]
    check_size(
        sum(prod(file.arrays[key].shape) for key in keys if key in file.arrays), file.place(f"{stem}*")
    )
    errors: list[QattnError] = []
    found: dict[str, Projection] = {}
    for name, role in ROLES.items():
        try:
            found[name] = _read_projection(file, f"{stem}{role}", notes)
        except WeightError as error:
            errors.append(error)
    raise_all(errors)
    shapes = {name: projection.weight.shape for name, projection in found.items()}
    if len(set(shapes.values())) > 1:
        listed = ", ".join(f"{ROLES[name]} {shape}" for name, shape in shapes.items())
        raise WeightError(f"the weights have different shapes: {listed}", place=file.place(f"{stem}*.weight"))
    return found


def _read_projection(file: ArrayFile, stem: str, notes: list[str]) -> Projection:
    key, bias_key = f"{stem}.weight", f"{stem}.bias"
    if key not in file.arrays:
        raise WeightError("the key is missing", place=file.place(key))
    weight = file.get(key)
    if weight.ndim != 2:
        raise WeightError(
            f"the weight has shape {weight.shape}; (rows, hidden_size) was expected", place=file.place(key)
        )
    notes += conversion_notes(key, file.arrays[key].dtype, weight)
    if bias_key not in file.arrays:
        notes.append(f"{bias_key} is not in {file.path.name}: taken as zero")
        return Projection(weight, np.zeros(len(weight)))
    bias = file.get(bias_key)
    if bias.shape != weight.shape[:1]:
        raise WeightError(
            f"the bias has shape {bias.shape}; {weight.shape[:1]} was expected, as the weight has "
            f"{weight.shape[0]} rows",
            place=file.place(bias_key),
        )
    notes += conversion_notes(bias_key, file.arrays[bias_key].dtype, bias)
    return Projection(weight, bias)


# -- how many heads


def _count_heads(file: ArrayFile, key: str, weight: Floats, num_heads: int | None, notes: list[str]) -> int:
    """How many heads share the rows of the weight.

    Raises:
        WeightError: nobody says, or the number does not fit the weight.
    """
    rows, hidden_size = weight.shape
    if rows != hidden_size:
        raise WeightError(
            f"the weight has shape {weight.shape}; BERT's is square, (hidden_size, hidden_size)",
            place=file.place(key),
        )
    count, source = _num_heads(file, num_heads, hidden_size)
    if num_heads is None:
        notes.append(f"{count} heads, as {source} says")
    if hidden_size % count:
        raise WeightError(
            f"{count} heads ({source}) do not divide the hidden size {hidden_size}",
            place=file.place(key),
            hint="give num_heads (--num-heads)",
        )
    return count


def _num_heads(file: ArrayFile, num_heads: int | None, hidden_size: int) -> tuple[int, str]:
    """The number of heads and who says so: the caller, `config.json` beside the file, or its metadata."""
    if num_heads is not None:
        return check_whole("num_heads", num_heads, 1), "num_heads"
    path = file.path.with_name("config.json")
    if path.is_file() and (count := _heads_of_config(path, hidden_size)) is not None:
        return count, "config.json"
    said = file.metadata.get("num_attention_heads")
    if said is None:
        raise WeightError(
            "the number of heads is not known: neither config.json beside the file nor its metadata says "
            "num_attention_heads",
            place=str(file.path),
            hint="give num_heads (--num-heads)",
        )
    if not re.fullmatch("[1-9][0-9]{0,5}", said):
        raise WeightError(
            f"{show(said)!r} is no number of heads",
            place=file.place("__metadata__: num_attention_heads"),
            hint="give num_heads (--num-heads)",
        )
    return int(said), "the file's metadata"


def _heads_of_config(path: Path, hidden_size: int) -> int | None:
    """The number of heads; None if the configuration does not say."""
    try:
        if path.stat().st_size > MAX_CONFIG:
            raise ValueError(f"more than {MAX_CONFIG} bytes")
        config = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(config, dict):
            raise ValueError("no JSON object")
    except (OSError, ValueError, RecursionError) as error:
        raise WeightError(
            f"the configuration cannot be read: {error}",
            place=str(path),
            hint="repair it, or give num_heads (--num-heads)",
        ) from None
    if "num_attention_heads" not in config:
        return None
    count = config["num_attention_heads"]
    if type(count) is not int or count < 1:
        raise WeightError(
            f"num_attention_heads is {show(repr(count))}; a whole number, 1 or more, was expected",
            place=str(path),
            hint="give num_heads (--num-heads)",
        )
    if config.get("hidden_size", hidden_size) != hidden_size:
        raise WeightError(
            f"hidden_size is {show(repr(config['hidden_size']))}, the weights take {hidden_size} numbers: "
            "this is another model's configuration",
            place=str(path),
            hint="give num_heads (--num-heads)",
        )
    return count


def _listed(numbers: Sequence[int]) -> str:
    """`0 to 11`, or the numbers one by one."""
    if len(numbers) > 2 and list(numbers) == list(range(numbers[0], numbers[-1] + 1)):
        return f"{numbers[0]} to {numbers[-1]}"
    return some([str(number) for number in numbers])


# -- hidden states


def _hidden_states(hidden: Any, key: str | None, layer: int, hidden_size: int, notes: list[str]) -> _States:
    """What enters the layer, (tokens, hidden_size), from an array or a path.

    Raises:
        WeightError: not there, damaged, of another shape.
    """
    if not isinstance(hidden, (str, PathLike)):
        if key is not None:
            raise OptionError("hidden_key names an array of a file; hidden is an array itself")
        states = real_floats(as_array(hidden, "hidden"), "hidden")
        return _States(_two_axes(states, hidden_size, "hidden", notes), "array")
    file = open_arrays(hidden)
    if not file.arrays:
        raise WeightError("the file holds no arrays", place=str(file.path))
    chosen = _given_key(file, key) if key is not None else _choose_key(file, layer, hidden_size, notes)
    states = file.get(chosen)
    notes += conversion_notes(chosen, file.arrays[chosen].dtype, states)
    return _States(_two_axes(states, hidden_size, file.place(chosen), notes), chosen)


def _given_key(file: ArrayFile, key: str) -> str:
    if key not in file.arrays:
        raise WeightError(
            f"there is no array {show(key)!r}; there are {some(file.arrays)}",
            place=str(file.path),
            hint=nearest(key, list(file.arrays)),
        )
    return key


def _choose_key(file: ArrayFile, layer: int, hidden_size: int, notes: list[str]) -> str:
    """The array that is meant if the user does not say: by name, by width, by layer, the first."""
    for name in HIDDEN_NAMES:
        if name in file.arrays:
            return name
    fitting = [key for key, entry in file.arrays.items() if _fits(key, entry, hidden_size)]
    if not fitting:
        raise WeightError(
            f"no array is (tokens, {hidden_size}); there are {_shapes(file.arrays)}", place=str(file.path)
        )
    if len(file.arrays) == 1:
        return fitting[0]
    of_layer = [key for key in fitting if key.startswith(f"layer{layer}.")]
    chosen, *others = sorted(of_layer or fitting, key=_natural)
    note = f"hidden states: {show(chosen)} {file.arrays[chosen].shape} of {file.path.name}"
    if others:
        note += f", CHOSEN BY ORDER; also there: {some(others)}; choose with hidden_key= / --hidden-key"
    notes.append(note)
    return chosen


def _fits(key: str, entry: Stored, hidden_size: int) -> bool:
    """Whether an array can be hidden states: by shape, and it is no weight of a model."""
    shape = entry.shape[1:] if len(entry.shape) == 3 and entry.shape[0] == 1 else entry.shape
    return len(shape) == 2 and shape[1] == hidden_size and not _KEY.fullmatch(key)


def _natural(key: str) -> list[tuple[int, int, str]]:
    """Sort key by which tokens8 comes before tokens16."""
    parts = re.split("([0-9]+)", key)
    return [(0, int(part[:400]), part) if part.isdecimal() else (1, 0, part) for part in parts if part]


def _shapes(arrays: Mapping[str, Stored]) -> str:
    return some([f"{show(key)} {entry.shape}" for key, entry in arrays.items()])


def _two_axes(states: Floats, hidden_size: int, place: str, notes: list[str]) -> Floats:
    if states.ndim == 3 and states.shape[0] == 1:
        notes.append("the hidden states' batch axis of 1 was left out")
        states = states[0]
    if states.ndim == 3:
        raise WeightError(
            f"the hidden states are a batch of {states.shape[0]}; one sentence, (tokens, {hidden_size}), was "
            "expected",
            place=place,
        )
    if states.ndim != 2 or states.shape[1] != hidden_size:
        raise WeightError(
            f"the hidden states have shape {states.shape}; (tokens, {hidden_size}) was expected", place=place
        )
    return states
