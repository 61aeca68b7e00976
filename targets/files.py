"""Machines from TOML or JSON files: those that come with the package (`targets/data`) and anybody's own.

A file says what two-qubit gates and single-qubit gates are made of (`entanglers`, the first by default, and
`basis`; `highest` gives the largest angle of an entangler that has not all), and one of `shape`
("grid:7x12"), `edges` (with `qubits`: how many, or their names) or `heavy_hex` (the arguments of
`shapes.heavy_hex_rows`). Under `[numbers]` stand error rates and times: a number, a list, or a table with
`value`, `date` and `source`. What is unknown is left out.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import cirq
import numpy as np

from qattn_compiler.errors import TargetError
from qattn_compiler.interop.cirq_graph import qubit_of
from qattn_compiler.targets import shapes
from qattn_compiler.targets.target import Target

MAX_BYTES = 1 << 24
_GRAPH_KEYS = ("shape", "edges", "qubits", "heavy_hex")
_OTHER_KEYS = ("name", "about", "entanglers", "highest", "basis", "resets", "controls", "source", "date")
_KEYS = frozenset((*_GRAPH_KEYS, *_OTHER_KEYS, "numbers", "durations"))
_SIZES = {"edge_error": "edges", "qubit_error": "qubits", "readout_error": "qubits"}
_SIZES |= {"t1": "qubits", "t2": "qubits"}
"""Numbers of a file (error probabilities; t1 and t2 in nanoseconds) -> what there is one of for each."""


def packaged(name: str, gate: str | None = None) -> Target:
    """A machine of `targets/data`.

    Args:
        name: of the file, without its suffix, which is also the machine's name.
        gate: which of its entanglers; the first if None.
    """
    return from_data(_load(Path(__file__).parent / "data" / f"{name}.toml"), name, gate)


def read(path: str | Path, gate: str | None = None) -> Target:
    """A machine from a .toml or .json file (module docstring).

    Raises:
        TargetError: the file cannot be read, or says what cannot be; names the file and the key.
    """
    return from_data(_load(Path(path)), str(path), gate)


def _load(path: Path) -> Any:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise TargetError(f"{path}: larger than {MAX_BYTES} bytes")
        text = path.read_text(encoding="utf-8")
        return json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        raise TargetError(f"{path}: {error}") from error


def from_data(data: Any, place: str, gate: str | None = None) -> Target:
    """A machine from what a file says.

    Args:
        data: the file as plain data.
        place: where it comes from, for messages.
        gate: which of its entanglers; the first if None.

    Raises:
        TargetError: names the key that is wrong, and what was expected.
    """
    if not isinstance(data, Mapping):
        raise TargetError(f"{place}: a table was expected")
    unknown = sorted(set(data) - _KEYS)
    if unknown:
        raise TargetError(f"{place}: unknown key {unknown[0]!r}; known: {', '.join(sorted(_KEYS))}")
    name = str(data.get("name", place))
    entanglers = _texts(data.get("entanglers", ["cz"]), f"{place}: entanglers")
    gate = gate or entanglers[0]
    if gate not in entanglers:
        raise TargetError(f"{name} has no gate {gate!r}; it has {', '.join(entanglers)}")
    qubits, pairs = _graph(data, place)
    basis = str(data.get("basis", "phased_xz"))
    options = {key: bool(data.get(key, True)) for key in ("resets", "controls")}
    highest = _table(data.get("highest", {}), f"{place}: highest").get(gate)
    if highest is not None:
        highest = float(_filled(highest, (), f"{place}: highest", False))
    bare = shapes.from_pairs(
        qubits, pairs, name=name, entangler=gate, basis=basis, highest=highest, **options
    )
    return replace(bare, device=replace(bare.device, **_known(data, bare, place)))


def _texts(value: Any, what: str) -> list[str]:
    if not isinstance(value, list) or not value or not all(isinstance(item, str) for item in value):
        raise TargetError(f"{what}: a list of names was expected, not {value!r}")
    return value


def _graph(data: Mapping[str, Any], place: str) -> tuple[list[cirq.Qid], list[tuple[int, int]]]:
    given = [key for key in ("shape", "edges", "heavy_hex") if key in data]
    if len(given) != 1:
        raise TargetError(f"{place}: one of shape, edges and heavy_hex was expected, not {given or 'none'}")
    if given == ["shape"]:
        shape, _, size = str(data["shape"]).partition(":")
        if shape not in shapes.SHAPES:
            raise TargetError(f"{place}: there is no shape {data['shape']!r}; {', '.join(shapes.SHAPES)}")
        return shapes.graph(shape, size, str(data["shape"]))
    if given == ["heavy_hex"]:
        try:
            pairs = shapes.heavy_hex_rows(**data["heavy_hex"])
        except TypeError as error:
            raise TargetError(f"{place}: heavy_hex: {error}") from error
        if not pairs:
            raise TargetError(f"{place}: heavy_hex: there are no couplings")
        return [*cirq.LineQubit.range(1 + max(map(max, pairs)))], pairs
    return _edges(data, place)


def _edges(data: Mapping[str, Any], place: str) -> tuple[list[cirq.Qid], list[tuple[int, int]]]:
    edges, said = data["edges"], data.get("qubits")
    whole = isinstance(edges, list) and all(isinstance(e, list) and len(e) == 2 for e in edges)
    if not whole:
        raise TargetError(f"{place}: edges: a list of pairs was expected")
    if isinstance(said, int) and not isinstance(said, bool) and 0 < said <= shapes.MAX_QUBITS:
        labels: list[Any] = list(range(said))
    elif isinstance(said, list) and said:
        labels = [_label(label, place) for label in said]
    else:
        raise TargetError(f"{place}: qubits: how many there are, or a list of their names, was expected")
    index = {label: i for i, label in enumerate(labels)}
    pairs = []
    for edge in edges:
        a, b = (_label(end, place) for end in edge)
        if a not in index or b not in index or a == b:
            raise TargetError(f"{place}: edges: {edge!r} is no pair of qubits")
        pairs.append((index[a], index[b]))
    return [qubit_of(label, place) for label in labels], pairs


def _label(said: Any, place: str) -> Any:
    """A qubit's name as one that can be looked up: a list is a pair (row, column)."""
    label = tuple(said) if isinstance(said, list) else said
    qubit_of(label, place)
    return label


def _known(data: Mapping[str, Any], bare: Target, place: str) -> dict[str, Any]:
    """Numbers as fields of the device."""
    numbers = _table(data.get("numbers", {}), f"{place}: numbers")
    fields: dict[str, Any] = {}
    said = [str(data[key]) for key in ("source", "date") if key in data]
    for key, entry in numbers.items():
        if key not in _SIZES:
            raise TargetError(f"{place}: numbers: unknown key {key!r}; known: {', '.join(_SIZES)}")
        count = len(bare.device.edges) if _SIZES[key] == "edges" else bare.device.num_qubits
        shape = (count, 2) if key == "readout_error" else (count,)
        fields[key] = _filled(_value(entry), shape, f"{place}: {key}", key not in ("t1", "t2"))
        said += _origin(key, entry)
    durations = _table(data.get("durations", {}), f"{place}: durations")
    times = {gate: float(_filled(_value(t), (), f"{place}: {gate}", False)) for gate, t in durations.items()}
    said += [text for gate, entry in durations.items() for text in _origin(gate, entry)]
    virtual = {"rz": 0.0} if "rz" in bare.device.native else {}
    return {**fields, "durations": MappingProxyType(virtual | times), "source": "; ".join(said)}


def _table(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise TargetError(f"{what}: a table was expected, not {value!r}")
    return value


def _value(entry: Any) -> Any:
    return entry.get("value") if isinstance(entry, Mapping) else entry


def _origin(key: str, entry: Any) -> list[str]:
    if not isinstance(entry, Mapping):
        return []
    return [f"{key}: {entry.get('source', 'source not said')} ({entry.get('date', 'date not said')})"]


def _filled(value: Any, shape: tuple[int, ...], what: str, probability: bool) -> Any:
    """A number, or an array of them, in that shape."""
    try:
        array = np.broadcast_to(np.asarray(value, dtype=np.float64), shape).copy()
    except (TypeError, ValueError) as error:
        raise TargetError(f"{what}: a number or {shape} of them were expected, not {value!r}") from error
    known = array[~np.isnan(array)]
    if (known < 0).any() or np.isinf(known).any() or (probability and (known > 1).any()):
        raise TargetError(f"{what}: {value!r} is out of range")
    return array
