"""Writing results: a file or a folder appears whole or not at all, and nothing of a stranger is touched.

Everything is written beside its place under a name of its own, brought to the disk, and renamed.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from os import PathLike
from pathlib import Path, PurePosixPath

from qattn_compiler.errors import OutputError

MARKERS = ("report.json", "decoding.json")
"""A folder with these is an earlier output, if it holds nothing else than outputs hold."""

KINDS = frozenset({"report.json", "report.md", "report.html", "decoding.json", "circuits/#.json"}) | {
    f"{name}.{ending}" for name in ("chip", "chip-#") for ending in ("svg", "png")
}
"""Files of an output; # is a number."""

SYNCS_AT_ONCE = 16


def write_folder(
    path: str | PathLike[str], files: Mapping[str, bytes | str], *, overwrite: bool = True
) -> None:
    """Write a folder that holds exactly these files.

    An empty folder and an earlier output are replaced; if anything fails they are left or put back as they
    were. Missing parents are made.

    Args:
        files: name with `/` between folders -> content; text is written as UTF-8.
        overwrite: whether an earlier output may be replaced.

    Raises:
        OutputError: the folder cannot be written, or something else is there.
    """
    target = _place(path)
    contents = {_inner_name(target, name): _bytes(target, data) for name, data in files.items()}
    _check_replaceable(target, KINDS | _kinds(files), overwrite)
    with _reporting(target), _parents(target.parent):
        temporary = _sibling(target, "part")
        try:
            _fill(temporary, contents)
            _swap(temporary, target)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        _sync(target.parent)


def write_file(path: str | PathLike[str], data: bytes | str) -> None:
    """Write one file; what was there stays if anything fails.

    Args:
        data: text is written as UTF-8.

    Raises:
        OutputError: the file cannot be written, or no ordinary file is there.
    """
    target = _place(path)
    content = _bytes(target, data)
    with _reporting(target):
        if _there(target) and not target.is_file():
            what = "a folder" if target.is_dir() else "no ordinary file"
            raise OutputError(f"{target} cannot be written: {what} is there")
        temporary = _sibling(target, "part")
        try:
            _write_new(temporary, content)
            os.replace(temporary, target)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise
        _sync(target.parent)


def check_writable(path: str | PathLike[str], *, overwrite: bool = True) -> None:
    """Raise now if `write_folder` would fail, before the long work. Leaves nothing behind.

    Raises:
        OutputError: as `write_folder`.
    """
    target = _place(path)
    _check_replaceable(target, KINDS, overwrite)
    with _reporting(target):
        base = next(parent for parent in target.parents if _there(parent))
        probe = _sibling(base / "x", "part")
        try:
            (probe / target.relative_to(base)).mkdir(
                parents=True
            )  # a name may be one that no folder can have
        finally:
            shutil.rmtree(probe, ignore_errors=True)


# -- what may be replaced


def _check_replaceable(target: Path, kinds: frozenset[str], overwrite: bool) -> None:
    with _reporting(target):
        if not _there(target):
            return
        if not target.is_dir():
            raise OutputError(f"{target} cannot be written: a file is there")
        _check_movable(target)
        if not any(target.iterdir()):
            return
        foreign = _first_foreign(target, kinds)
    if foreign is not None:
        raise OutputError(
            f"{target} holds other files and is left alone: {foreign}",
            hint="choose a new or an empty folder",
        )
    if not overwrite:
        raise OutputError(f"{target} holds an earlier output", hint="choose another folder, or overwrite it")


def _check_movable(target: Path) -> None:
    """A folder that is in use under its name cannot be exchanged by renaming."""
    if os.path.ismount(target):
        raise OutputError(f"{target} is where a file system is mounted", hint="choose a folder below it")
    here = Path(os.path.realpath(os.curdir))
    if target == here or target in here.parents:
        raise OutputError(f"{target} is the folder that you are in", hint="choose a folder below it")


def _first_foreign(target: Path, kinds: frozenset[str]) -> str | None:
    """What shows that the folder is no earlier output; None if it is one."""
    for folder, names, files in os.walk(target):
        links = [name for name in names if os.path.islink(os.path.join(folder, name))]
        for name in sorted([*files, *links]):
            inner = Path(folder, name).relative_to(target).as_posix()
            if _kind(inner) not in kinds:
                return inner
    missing = [name for name in MARKERS if not (target / name).is_file()]
    return f"there is no {missing[0]}, so it is no earlier output" if missing else None


def _kinds(names: Iterable[str]) -> frozenset[str]:
    return frozenset(_kind(name) for name in names)


def _kind(name: str) -> str:
    """Numbers do not tell files of an output apart: circuits/0007.json -> circuits/#.json."""
    return re.sub("[0-9]+", "#", name)


# -- writing


def _fill(folder: Path, contents: Mapping[PurePosixPath, bytes]) -> None:
    """Make the folder. Files are synced together, after all are written: one by one takes far longer."""
    folder.mkdir()
    made = {folder}
    for name, data in contents.items():
        place = folder / name
        if place.parent not in made:
            place.parent.mkdir(parents=True, exist_ok=True)
            made.add(place.parent)
        _write_new(place, data, sync=False)
    with ThreadPoolExecutor(SYNCS_AT_ONCE) as pool:
        for places in ([folder / name for name in contents], made):  # what folders list is there by then
            list(pool.map(_sync, places))  # raises what a sync raised


def _write_new(path: Path, data: bytes, *, sync: bool = True) -> None:
    with path.open("xb") as file:
        file.write(data)
        if sync:
            file.flush()
            os.fsync(file.fileno())


def _swap(temporary: Path, target: Path) -> None:
    """Put the new folder in its place; the old one comes back if that fails."""
    aside = _sibling(target, "old")
    try:
        if _there(target):
            os.rename(target, aside)
        os.replace(temporary, target)
    finally:  # an interrupt may come after the renaming, too
        if _there(aside) and not _there(target):
            os.rename(aside, target)
        _remove(aside)


def _remove(aside: Path) -> None:
    try:
        shutil.rmtree(aside, ignore_errors=True)
    except BaseException:  # interrupted: the user wants to leave, but not half of a folder
        shutil.rmtree(aside, ignore_errors=True)
        raise


def _sync(path: Path) -> None:
    """Bring a file or a folder's list of names to the disk, where the system can."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:  # folders cannot be opened on every system
        return
    try:
        os.fsync(descriptor)
    except OSError:
        if not path.is_dir():  # some file systems sync files only
            raise
    finally:
        os.close(descriptor)


@contextmanager
def _parents(folder: Path) -> Iterator[None]:
    """Make the folder and what is above it; take away what was made if the work fails."""
    missing = []
    while not _there(folder):
        missing.append(folder)
        folder = folder.parent
    made = []
    try:
        for parent in reversed(missing):
            parent.mkdir(exist_ok=True)
            made.append(parent)
        yield
    except BaseException:
        for parent in reversed(made):
            with suppress(OSError):  # no longer empty: somebody else uses it
                parent.rmdir()
        raise


# -- names and errors


def _place(path: str | PathLike[str]) -> Path:
    """The absolute place; a symbolic link stays, and what it points to is written."""
    try:
        if not os.fspath(path):
            raise OutputError("the name of the output is empty")
        return Path(os.path.realpath(path))
    except (TypeError, ValueError) as error:
        raise OutputError(f"{path!r} cannot be written: {error}") from None


def _there(path: Path) -> bool:
    """Whether anything is there; OSError if nothing ever could be (name too long, a file above it)."""
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    return True


def _sibling(target: Path, ending: str) -> Path:
    return target.parent / f".qattn-{secrets.token_hex(6)}.{ending}"


def _inner_name(target: Path, name: str) -> PurePosixPath:
    inner = PurePosixPath(name)
    if not inner.parts or inner.is_absolute() or ".." in inner.parts or "\\" in name or "\0" in name:
        raise OutputError(f"{name!r} is no name of a file within {target}")
    return inner


def _bytes(target: Path, data: bytes | str) -> bytes:
    if isinstance(data, bytes):
        return data
    try:
        return data.encode("utf-8")
    except UnicodeEncodeError as error:
        raise OutputError(f"{target} cannot be written: {error}") from error


@contextmanager
def _reporting(target: Path) -> Iterator[None]:
    """Say every error of the operating system as an OutputError that names the target."""
    try:
        yield
    except OutputError:
        raise
    except OSError as error:
        reason = error.strerror or str(error)
        where = f" ({error.filename})" if error.filename and str(error.filename) != str(target) else ""
        raise OutputError(f"{target} cannot be written: {reason}{where}") from error
