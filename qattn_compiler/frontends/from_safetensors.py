"""`.safetensors` files: 8 bytes of length, a JSON header, the arrays' bytes.

The header is a stranger's word. Everything it says is checked against the size of the file before a byte of
an array is read, so a lying header costs no memory. The rules are those of the format's own library (the
tests compare with it); reading the bytes ourselves gives bfloat16 and a message with the key in it.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.errors import WeightError
from qattn_compiler.frontends.weights import ArrayFile, Stored, show

MAX_HEADER = 32 << 20
"""Bytes of header; a model with a hundred thousand tensors needs half of it."""

MAX_DIMENSIONS = 32

DTYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": "<u2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "|i1",
    "U64": "<u8",
    "U32": "<u4",
    "U16": "<u2",
    "U8": "|u1",
    "BOOL": "|u1",
}
"""Type in the header -> how NumPy reads its bytes."""


class _Span(NamedTuple):
    """Where an array's bytes are, counted from the end of the header."""

    key: str
    begin: int
    end: int


def open_safetensors(path: Path) -> ArrayFile:
    """Open a file; its arrays are read when they are asked for.

    Raises:
        WeightError: damaged; the place is the file and the key.
        OSError: cannot be read.
    """
    size = path.stat().st_size
    header, start = _read_header(path, size)
    metadata = _metadata(path, header.pop("__metadata__", {}))
    arrays: dict[str, Stored] = {}
    spans: list[_Span] = []
    for key, entry in header.items():
        dtype, shape, span = _entry(path, key, entry, size - start)
        arrays[key] = Stored(dtype, shape, _Reader(path, key, dtype, shape, start + span.begin))
        spans.append(span)
    _check_layout(path, spans, size - start)
    return ArrayFile(path, arrays, metadata)


def _read_header(path: Path, size: int) -> tuple[dict[str, Any], int]:
    """The header, and where the arrays' bytes begin."""
    with path.open("rb") as file:
        first = file.read(8)
        if len(first) < 8:
            raise WeightError(f"the file is cut off: {size} bytes hold no header length", place=str(path))
        length = int.from_bytes(first, "little")
        if length > min(size - 8, MAX_HEADER):
            raise WeightError(
                f"the header claims {length} bytes; the file has {max(size - 8, 0)} after its length, "
                f"and at most {MAX_HEADER} are read",
                place=str(path),
                hint="the file is cut off, or is no .safetensors file",
            )
        text = file.read(length)
    return _parse(path, text), 8 + length


def _parse(path: Path, text: bytes) -> dict[str, Any]:
    try:
        header = json.loads(text.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant)
    except RecursionError:
        raise WeightError("the header is nested too deeply", place=str(path)) from None
    except ValueError as error:
        raise WeightError(
            f"the header is no valid JSON: {error}",
            place=str(path),
            hint="the file is damaged, or is no .safetensors file",
        ) from None
    if not isinstance(header, dict):
        raise WeightError("the header is no JSON object", place=str(path))
    return header


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"key {show(twice)!r} stands twice")
    return found


def _no_constant(word: str) -> Any:
    raise ValueError(f"{word} is no JSON")


def _metadata(path: Path, found: Any) -> dict[str, str]:
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise WeightError("the metadata is no table of texts", place=f"{path}: __metadata__")
    return found


def _entry(path: Path, key: str, entry: Any, available: int) -> tuple[str, tuple[int, ...], _Span]:
    """One checked entry of the header: type, shape, where its bytes are."""

    def fail(message: str) -> WeightError:
        return WeightError(message, place=f"{path}: {show(key)}")

    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise fail("the entry must have dtype, shape and data_offsets, and nothing else")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise fail(f"type {show(str(dtype))} is not read; known: {', '.join(DTYPES)}")
    if not _whole_numbers(shape):
        raise fail(f"shape {show(str(shape))} is no list of whole numbers, 0 or more")
    if len(shape) > MAX_DIMENSIONS:
        raise fail(f"{len(shape)} dimensions; at most {MAX_DIMENSIONS} are read")
    if not _whole_numbers(offsets) or len(offsets) != 2 or not offsets[0] <= offsets[1] <= available:
        raise fail(
            f"bytes {show(str(offsets))} are not within the {available} bytes of the file after its header"
        )
    needed, given = prod(shape) * np.dtype(DTYPES[dtype]).itemsize, offsets[1] - offsets[0]
    if needed != given:
        raise fail(f"shape {tuple(shape)} of {dtype} needs {needed} bytes; the entry has {given}")
    return dtype, tuple(shape), _Span(key, offsets[0], offsets[1])


def _whole_numbers(values: Any) -> bool:
    """A list of integers that fit into 64 bits (`True` is an int to Python, but none to us)."""
    return isinstance(values, list) and all(type(v) is int and 0 <= v < 2**63 for v in values)


def _check_layout(path: Path, spans: list[_Span], available: int) -> None:
    """The arrays' bytes follow one another without gap or overlap, up to the end of the file."""
    at, before = 0, "the header"
    for span in sorted(spans, key=lambda span: (span.begin, span.end)):
        if span.begin != at:
            what = "overlap with" if span.begin < at else "leave a gap after"
            raise WeightError(f"its bytes {what} {show(before)}", place=f"{path}: {show(span.key)}")
        at, before = span.end, span.key
    if at != available:
        raise WeightError(f"{available - at} bytes at the end belong to no array", place=str(path))


@dataclass(frozen=True)
class _Reader:
    """Reads one array."""

    path: Path
    key: str
    dtype: str
    shape: tuple[int, ...]
    at: int

    def __call__(self) -> NDArray[Any]:
        kind = np.dtype(DTYPES[self.dtype])
        size = prod(self.shape) * kind.itemsize
        place = f"{self.path}: {show(self.key)}"
        try:
            with self.path.open("rb") as file:
                file.seek(self.at)
                data = file.read(size)
        except OSError as error:
            raise WeightError(f"the file cannot be read: {error}", place=place) from error
        if len(data) != size:
            raise WeightError("the file became shorter while it was read", place=place)
        flat = np.frombuffer(data, dtype=kind)
        if self.dtype == "BF16":  # the upper half of a float32
            flat = (flat.astype(np.uint32) << 16).view(np.float32)
        elif self.dtype == "BOOL":
            if flat.size and int(flat.max()) > 1:
                raise WeightError("a truth value is neither 0 nor 1", place=place)
            flat = flat.astype(np.bool_)
        return flat.reshape(self.shape)
