"""Weights: files or arrays of a user -> named float64 arrays that are checked.

A file is opened as an `ArrayFile`, which knows what it holds and reads an array only when it is asked for,
after everything that the file says about it was checked. Nothing here runs code from a file.
"""

from __future__ import annotations

import keyword
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from math import prod
from os import PathLike, fspath
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.errors import OptionError, QattnError, WeightError, raise_all

Floats = NDArray[np.float64]

MAX_BYTES = 1 << 30
"""All arrays of one compile together, as float64. More is refused before it is read."""

SHOWN = 8
"""How many names an error lists."""

LOW_PRECISION = {"float16": "float16", "F16": "float16", "BF16": "bfloat16"}
"""Stored types whose values were rounded before we got them -> the name in the note."""


# -- what a reader gives


class Stored(NamedTuple):
    """An array in a file.

    Attributes:
        dtype: as the file calls it.
        shape: as the file says it, checked against the bytes that are there.
        read: reads it, in its own precision.
    """

    dtype: str
    shape: tuple[int, ...]
    read: Callable[[], NDArray[Any]]


class ArrayFile(NamedTuple):
    """An opened file of arrays; `metadata` is text that the file carries beside them."""

    path: Path
    arrays: Mapping[str, Stored]
    metadata: Mapping[str, str]

    def place(self, key: str) -> str:
        """`file: key`, for errors."""
        return f"{self.path}: {show(key)}"

    def get(self, key: str) -> Floats:
        """One array as float64.

        Raises:
            WeightError: damaged, too large, not real, not finite or empty.
        """
        entry = self.arrays[key]
        check_size(prod(entry.shape), self.place(key))
        return real_floats(entry.read(), key, self.place(key))


# -- what the rest of the compiler gets


@dataclass(frozen=True, eq=False, repr=False)
class Weights(Mapping[str, Floats]):
    """Named arrays: float64, C-contiguous, finite, read-only.

    Attributes:
        notes: what a report must say: conversions, choices that were made for the user.
        origin: where they came from, for people.
    """

    _arrays: dict[str, Floats] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    origin: str = "arrays"

    def __getitem__(self, name: str) -> Floats:
        return self._arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def __eq__(self, other: object) -> bool:
        """Same names, same arrays; notes and origin do not count."""
        if not isinstance(other, Weights):
            return NotImplemented
        return self.keys() == other.keys() and all(np.array_equal(self[n], other[n]) for n in self)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        inside = ", ".join(f"{name} {array.shape}" for name, array in self._arrays.items())
        return f"<Weights {inside or 'none'}; {self.origin}>"


def check_weights(arrays: Mapping[str, Any], *, notes: Sequence[str] = (), origin: str = "arrays") -> Weights:
    """Arrays, nested lists or numbers as `Weights`. Booleans (masks) become 0 and 1.

    Args:
        arrays: name -> anything NumPy reads as real numbers; copied.
        notes: put before the notes about conversions.

    Raises:
        WeightError: a name is no identifier; an array is ragged, empty, complex, no numbers, not finite or
            too large. All mistakes at once.
    """
    if isinstance(arrays, Weights):
        return arrays
    if not isinstance(arrays, Mapping):
        raise WeightError(
            f"weights are a mapping from names to arrays or the path of a file, not {type(arrays).__name__}"
        )
    errors: list[QattnError] = []
    checked: dict[str, Floats] = {}
    said = list(notes)
    entries = 0
    for name, value in arrays.items():
        try:
            check_name(name)
            raw = as_array(value, name)
            entries += raw.size
            check_size(entries, name)
            checked[name] = real_floats(raw, name)
            said += conversion_notes(name, raw.dtype.name, checked[name])
        except WeightError as error:
            errors.append(error)
    raise_all(errors)
    return Weights(checked, tuple(said), origin)


def load_weights(
    path: str | PathLike[str],
    *,
    names: Sequence[str] | Mapping[str, str] | None = None,
    layer: int | None = None,
    head: int | str | None = None,
    hidden: Any = None,
    hidden_key: str | None = None,
    num_heads: int | None = None,
) -> Weights:
    """Weights from a .safetensors or .npz file.

    Without `layer` the file holds arrays under the names of the expression. With it the file is a Hugging
    Face BERT-style model, and the result is Q, K, V (tokens, d_head) and d: `from_huggingface.read_heads`.

    Args:
        names: which arrays to take, or name in the expression -> name in the file. Default: all.
        layer: layer of the model, from 0.
        head: head of the layer. Default, or "all": Q, K, V of all heads, (heads, tokens, d_head).
        hidden: what enters the layer: an array (tokens, hidden_size) or a path to a file that holds it.
        hidden_key: which array of the hidden states' file.
        num_heads: heads of the whole layer. Default: as `config.json` beside the file says, or the file's own
            metadata.

    Raises:
        WeightError: the file or an array in it is missing, damaged, too large, not finite or of the wrong
            kind; there is no such layer or head; `layer` is given without `hidden`, or another of these
            options without `layer`.
        OptionError: an option has a value that means nothing.
    """
    file = open_arrays(path)
    if layer is None:
        options = {"head": head, "hidden": hidden, "hidden_key": hidden_key, "num_heads": num_heads}
        _refuse_without_layer(file, [name for name, value in options.items() if value is not None])
        return _read_named(file, names)
    if names is not None:
        raise OptionError(
            "names= does not go with layer, head or hidden: a BERT-style head always gives Q, K, V and d"
        )
    from qattn_compiler.frontends.from_huggingface import read_heads

    return read_heads(file, layer, head, hidden, hidden_key, num_heads)


def _refuse_without_layer(file: ArrayFile, given: Sequence[str]) -> None:
    if given:
        raise WeightError(
            f"{', '.join(given)} {'is' if len(given) == 1 else 'are'} given, but no layer",
            place=str(file.path),
            hint="give layer (--layer) for a BERT-style model; for a file that holds Q, K and V themselves "
            f"leave out {', '.join(given)}",
        )


def _read_named(file: ArrayFile, names: Sequence[str] | Mapping[str, str] | None) -> Weights:
    """The arrays that the expression calls by name."""
    wanted = _wanted(file, names)
    errors: list[QattnError] = []
    arrays: dict[str, Floats] = {}
    notes: list[str] = []
    entries = 0
    for name, key in wanted.items():
        try:
            entries += prod(file.arrays[key].shape)
            check_size(entries, file.place(key))
            arrays[name] = file.get(key)
            notes += conversion_notes(name, file.arrays[key].dtype, arrays[name])
        except WeightError as error:
            errors.append(error)
    raise_all(errors)
    return Weights(arrays, tuple(notes), str(file.path))


def _wanted(file: ArrayFile, names: Sequence[str] | Mapping[str, str] | None) -> dict[str, str]:
    """Name in the expression -> key in the file."""
    if not file.arrays:
        raise WeightError("the file holds no arrays", place=str(file.path))
    if isinstance(names, str):
        names = [names]
    if names is None:
        names = list(file.arrays)
    wanted = dict(names) if isinstance(names, Mapping) else {name: name for name in names}
    missing = [key for key in wanted.values() if key not in file.arrays]
    if missing:
        raise WeightError(
            f"there is no array {some(missing)}; there are {some(file.arrays)}", place=str(file.path)
        )
    bad = [name for name in wanted if not is_name(name)]
    if bad:  # one error, not one for each array of a model
        raise WeightError(
            f"{some(bad)} cannot be {'names' if len(bad) > 1 else 'a name'} in an expression",
            place=str(file.path),
            hint=_hint_of_names(
                wanted[bad[0]], is_model=any(".attention.self." in key for key in file.arrays)
            ),
        )
    return wanted


def _hint_of_names(key: str, is_model: bool) -> str:
    if is_model:
        return "this is a BERT-style model: give layer, head and hidden (--layer, --head, --hidden)"
    return f"take it under another name: load_weights(..., names={{'Q': {show(key)!r}}})"


# -- opening a file


def open_arrays(path: str | PathLike[str]) -> ArrayFile:
    """Open a .safetensors or .npz file and check all that it says about itself.

    Raises:
        WeightError: no such file, not a file, another suffix, or damaged.
    """
    from qattn_compiler.frontends.from_npz import open_npz
    from qattn_compiler.frontends.from_safetensors import open_safetensors

    readers = {".safetensors": open_safetensors, ".npz": open_npz}
    found = _regular_file(path, tuple(readers))
    suffix = found.suffix.lower()
    if suffix not in readers:
        raise WeightError(
            f"files ending in {' or '.join(readers)} are read, not {suffix or 'a file without a suffix'}",
            place=str(found),
            hint=_SUFFIX_HINTS.get(suffix),
        )
    try:
        return readers[suffix](found)
    except (OSError, MemoryError) as error:
        raise WeightError(f"the file cannot be read: {error}", place=str(found)) from error


_PICKLE = "files that can run code are not read: save the tensors with safetensors.torch.save_file"
_SUFFIX_HINTS = {
    ".npy": "one nameless array: save it under its name with np.savez(file, Q=..., K=..., V=...)",
    ".onnx": "export the initializers to .safetensors",
    ".h5": "convert the model to .safetensors",
} | dict.fromkeys((".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle"), _PICKLE)


def _regular_file(path: str | PathLike[str], suffixes: tuple[str, ...]) -> Path:
    """The path, if an ordinary file is there: a pipe or a device could be endless."""
    try:
        found = Path(fspath(path))
        mode = found.stat().st_mode
    except TypeError:
        raise WeightError(f"a path was expected, not {type(path).__name__}") from None
    except FileNotFoundError:
        near = [str(found.with_name(found.name + s)) for s in suffixes if _exists(found, s)]
        hint = f"did you mean {' or '.join(near)}?" if near else None
        raise WeightError("there is no such file", place=str(found), hint=hint) from None
    except (OSError, ValueError) as error:
        raise WeightError(f"the file cannot be read: {error}", place=show(str(path))) from None
    if stat.S_ISDIR(mode):
        inside = _names_inside(found, suffixes)
        hint = f"it holds {some(inside)}" if inside else None
        raise WeightError("this is a folder; a file was expected", place=str(found), hint=hint)
    if not stat.S_ISREG(mode):
        raise WeightError("this is no ordinary file", place=str(found))
    return found


def _names_inside(folder: Path, suffixes: tuple[str, ...]) -> list[str]:
    """Files in the folder that could be meant; none if one may not look into it."""
    try:
        return sorted(path.name for path in folder.iterdir() if path.suffix.lower() in suffixes)
    except OSError:
        return []


def _exists(path: Path, suffix: str) -> bool:
    return bool(path.name) and path.with_name(path.name + suffix).is_file()


# -- checks that all front ends share


def as_array(value: Any, name: str) -> NDArray[Any]:
    """Anything as an array, in its own precision.

    Raises:
        WeightError: ragged, or nothing that NumPy takes.
    """
    if np.ma.isMaskedArray(value) and np.ma.is_masked(value):
        raise WeightError(f"{name} is a masked array with masked entries: fill them first")
    try:
        return np.asarray(value)
    except (ValueError, TypeError, RuntimeError, OverflowError, BufferError) as error:
        if "inhomogeneous" in str(error):
            raise WeightError(f"{name} is ragged: its rows have different lengths") from None
        raise WeightError(f"{name} is not an array: {error}") from error


def real_floats(raw: NDArray[Any], name: str, place: str | None = None) -> Floats:
    """A read-only float64 copy of `raw`, same shape.

    Raises:
        WeightError: complex, no numbers, empty or not finite.
    """
    check_kind(raw.dtype, name, place)
    if raw.size == 0:
        raise WeightError(f"{show(name)} is empty: its shape is {raw.shape}", place=place)
    check_size(raw.size, place or name)
    with np.errstate(over="ignore"):  # of a wider float: found below
        floats = np.array(raw, dtype=np.float64, order="C", copy=True, subok=False)
    check_finite(floats, name, place)
    floats.setflags(write=False)
    return floats


def check_kind(dtype: np.dtype[Any], name: str, place: str | None = None) -> None:
    """Raise unless arrays of the type hold real numbers or truth values.

    Raises:
        WeightError: complex, or no numbers.
    """
    if dtype.kind == "c":
        raise WeightError(f"{show(name)} is complex; real numbers were expected", place=place)
    if dtype.kind not in "biuf":
        kind = "Python objects" if dtype.hasobject else show(str(dtype))
        raise WeightError(f"{show(name)} holds {kind}; real numbers were expected", place=place)


def check_finite(array: Floats, name: str, place: str | None = None) -> None:
    """Raise unless all entries are finite.

    Raises:
        WeightError: names the first that is not, and how many there are.
    """
    finite = np.isfinite(array)
    if finite.all():
        return
    first = np.unravel_index(int(np.argmin(finite)), array.shape)
    index = f"[{', '.join(str(int(i)) for i in first)}]" if array.ndim else ""
    count = int(array.size - np.count_nonzero(finite))
    entries = "1 entry is" if count == 1 else f"{count} entries are"
    raise WeightError(
        f"{entries} not finite in {show(name)}; the first is {show(name)}{index} = {array[first]}",
        place=place,
    )


def check_size(entries: int, place: str) -> None:
    """Raise if so many entries are too many.

    Raises:
        WeightError: with the estimate and the limit.
    """
    if entries * 8 > MAX_BYTES:
        raise WeightError(
            f"too large: {entries * 8 / 1e9:.3g} GB as float64, at most {MAX_BYTES / 1e9:.3g} GB are taken",
            place=place,
        )


def is_name(name: Any) -> bool:
    """Whether an expression can call an array so."""
    return isinstance(name, str) and name.isidentifier() and not keyword.iskeyword(name)


def check_name(name: Any) -> None:
    """Raise unless an expression can call an array so.

    Raises:
        WeightError: no str, or no identifier.
    """
    if not isinstance(name, str):
        raise WeightError(f"names of weights are str, not {type(name).__name__} ({show(repr(name))})")
    if not is_name(name):
        raise WeightError(f"{show(name)!r} cannot be a name in an expression")


def check_whole(option: str, value: Any, least: int = 0) -> int:
    """An option that is a whole number.

    Raises:
        OptionError: it is none, or too small.
    """
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)) or value < least:
        raise OptionError(f"{option} is {value!r}; a whole number, {least} or more, was expected")
    return int(value)


def conversion_notes(name: str, dtype: str, floats: Floats) -> list[str]:
    """What a report says about how `floats` were stored."""
    if dtype in LOW_PRECISION:
        return [f"{name} was stored as {LOW_PRECISION[dtype]}; it is computed with as float64"]
    if dtype.lower() in ("int64", "uint64", "i64", "u64") and np.abs(floats).max() >= 2.0**53:
        return [f"{name} has whole numbers beyond 2**53, which float64 rounds"]
    if dtype.startswith(("float128", "float96", "longdouble")):
        return [f"{name} was rounded from {dtype} to float64"]
    return []


# -- words for errors


def show(name: str) -> str:
    """A name from a file, safe to print and not too long."""
    text = name if name.isprintable() else ascii(name)[1:-1]
    return text if len(text) <= 80 else f"{text[:60]}...{text[-17:]}"


def some(names: Mapping[str, Any] | Sequence[str]) -> str:
    """The first names, and how many more there are."""
    listed = [show(name) for name in list(names)[:SHOWN]]
    more = len(names) - len(listed)
    return ", ".join(listed) + (f" and {more} more" if more > 0 else "") if listed else "none"


def nearest(name: str, names: Sequence[str]) -> str | None:
    """A hint that names what is spelt alike, if anything is."""
    close = get_close_matches(name, names, n=3, cutoff=0.5)
    return f"did you mean {' or '.join(map(show, close))}?" if close else None
