"""`.npz` files: a zip of `.npy` members.

Sizes are compared with the limit before anything is unpacked, each member's own header with the unpacked size
that the zip declares, and pickled objects are refused by their header: they could run code. The numbers are
then taken as bytes, so nothing is ever unpickled.
"""

from __future__ import annotations

import io
import struct
import tokenize
import zipfile
import zlib
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from qattn_compiler.errors import WeightError
from qattn_compiler.frontends.weights import ArrayFile, Stored, check_kind, check_size, show

MAX_MEMBERS = 100_000

MAX_HEADER = 1 << 16
"""Bytes of an array's own header. NumPy would unpack 4 GB if the header says so."""

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
    MemoryError,
    tokenize.TokenError,
)
"""What the zip and npy readers of Python and NumPy raise on damaged bytes."""

_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
"""Version 3 differs only in field names of structured types, which are not read."""


class _Header(NamedTuple):
    """What an array says about itself; its numbers begin `start` bytes after the member's begin."""

    shape: tuple[int, ...]
    fortran_order: bool
    dtype: np.dtype[Any]
    start: int


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
            header = _header(file)
    except DAMAGED as error:
        raise WeightError(f"the array's header is damaged: {error}", place=place) from None
    shape, _, dtype, start = header
    if dtype.hasobject:
        raise WeightError(
            "the array holds pickled Python objects, which could run code",
            place=place,
            hint="save arrays of numbers",
        )
    needed = prod(shape) * dtype.itemsize
    if start + needed != member.file_size:
        raise WeightError(
            f"shape {shape} of {dtype} needs {needed} bytes; the member has {member.file_size - start}",
            place=place,
        )
    return Stored(dtype.name, shape, _Reader(path, member.filename, key, place, header))


def _header(file: IO[bytes]) -> _Header:
    front = io.BytesIO(file.read(MAX_HEADER))
    version = npy.read_magic(front)
    if version not in _HEADERS:
        raise ValueError(f"version {version} of the npy format is not read")
    shape, fortran_order, dtype = _HEADERS[version](front)
    if not all(type(size) is int and 0 <= size < 2**63 for size in shape):
        raise ValueError(f"shape {shape}")
    if dtype.subdtype is not None or dtype.itemsize == 0:
        raise ValueError(f"type {dtype}")
    return _Header(shape, fortran_order, dtype, front.tell())


@dataclass(frozen=True)
class _Reader:
    """Unpacks one array."""

    path: Path
    member: str
    key: str
    place: str
    header: _Header

    def __call__(self) -> NDArray[Any]:
        shape, fortran_order, dtype, start = self.header
        check_kind(dtype, self.key, self.place)
        check_size(prod(shape), self.place)
        needed = prod(shape) * dtype.itemsize
        try:
            with zipfile.ZipFile(self.path) as archive, archive.open(self.member) as file:
                file.read(start)
                data = file.read(needed)
                if len(data) != needed or file.read(1):  # reading on makes zipfile compare the checksum
                    raise ValueError("its size is not what its header says")
            flat: NDArray[Any] = np.frombuffer(data, dtype=dtype)
            return flat.reshape(shape, order="F" if fortran_order else "C")
        except (*DAMAGED, OSError) as error:
            raise WeightError(f"the array is damaged: {error}", place=self.place) from None
