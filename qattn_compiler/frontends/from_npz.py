"""`.npz` files: a zip of `.npy` members.

Sizes are compared with the limit before anything is unpacked, each member's own header with the unpacked size
that the zip declares, and pickled objects are refused by their header: they could run code.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from qattn_compiler.errors import WeightError
from qattn_compiler.frontends.weights import ArrayFile, Stored, check_size, show

MAX_MEMBERS = 100_000

DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    ValueError,
    OverflowError,
    NotImplementedError,
    RuntimeError,
    SyntaxError,
    TypeError,
    IndexError,
    KeyError,
)
"""What the zip and npy readers of Python and NumPy raise on damaged bytes."""

_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
"""Version 3 differs only in field names of structured types, which are not read."""


def open_npz(path: Path) -> ArrayFile:
    """Open a file; its arrays are unpacked when they are asked for.

    Raises:
        WeightError: damaged, or a member is no plain array; the place is the file and the key.
        OSError: cannot be read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if len(members) > MAX_MEMBERS:
                raise WeightError(f"{len(members)} members; at most {MAX_MEMBERS} are read", place=str(path))
            arrays: dict[str, Stored] = {}
            for member in members:
                key = member.filename.removesuffix(".npy")
                if key in arrays:
                    raise WeightError("the name stands twice", place=f"{path}: {show(key)}")
                arrays[key] = _stored(path, archive, member, key)
    except WeightError:
        raise
    except DAMAGED as error:
        raise WeightError(
            f"the file is no readable zip: {error}",
            place=str(path),
            hint="the file is cut off, or was not written by np.savez",
        ) from None
    return ArrayFile(path, arrays, {})


def _stored(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo, key: str) -> Stored:
    """One member, its header checked against its size."""
    place = f"{path}: {show(key)}"
    if not member.filename.endswith(".npy"):
        raise WeightError("the member is no .npy array", place=place)
    if member.flag_bits & 1:
        raise WeightError("the member is encrypted", place=place)
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise WeightError("the member is packed in a way that np.savez does not use", place=place)
    try:
        with archive.open(member) as file:
            shape, dtype = _header(file)
            start = file.tell()
    except DAMAGED as error:
        raise WeightError(f"the array's header is damaged: {error}", place=place) from None
    if dtype.hasobject:
        raise WeightError(
            "the array holds pickled Python objects, which could run code",
            place=place,
            hint="save arrays of numbers",
        )
    entries = prod(shape)
    if start + entries * dtype.itemsize != member.file_size:
        raise WeightError(
            f"shape {shape} of {dtype} needs {entries * dtype.itemsize} bytes; "
            f"the member has {member.file_size - start}",
            place=place,
        )
    return Stored(dtype.name, shape, _Reader(path, member.filename, place, entries))


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = npy.read_magic(file)
    if version not in _HEADERS:
        raise ValueError(f"version {version} of the npy format is not read")
    shape, _, dtype = _HEADERS[version](file)
    if not all(type(size) is int and 0 <= size < 2**63 for size in shape):
        raise ValueError(f"shape {shape}")
    return shape, dtype


@dataclass(frozen=True)
class _Reader:
    """Unpacks one array."""

    path: Path
    member: str
    place: str
    entries: int

    def __call__(self) -> NDArray[Any]:
        check_size(self.entries, self.place)
        try:
            with zipfile.ZipFile(self.path) as archive, archive.open(self.member) as file:
                array: NDArray[Any] = npy.read_array(file, allow_pickle=False)
                if file.read(1):  # also makes zipfile compare the checksum
                    raise ValueError("there are bytes after the array")
        except (*DAMAGED, OSError) as error:
            raise WeightError(f"the array is damaged: {error}", place=self.place) from None
        return array
