"""Writing results: whole or not at all, nothing of a stranger touched, nothing left behind."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from qattn_compiler.errors import OutputError
from qattn_compiler.report import files
from qattn_compiler.report.files import check_writable, write_file, write_folder

OLD = {"report.json": "{}", "decoding.json": "old", "circuits/0000.json": "old", "circuits/0001.json": b"old"}
NEW = {"report.json": "[]", "decoding.json": "new", "circuits/0000.json": "new", "report.md": "é"}


def content(folder: Path) -> dict[str, bytes]:
    """Every file below a folder; hidden ones too."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def as_bytes(contents: dict) -> dict[str, bytes]:
    return {name: data if isinstance(data, bytes) else data.encode() for name, data in contents.items()}


def everything(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


@pytest.fixture
def failing(monkeypatch):
    """`failing(module, name, error, at)`: the call number `at` of a function raises."""

    def install(module, name: str, error: BaseException, at: int = 1) -> None:
        real, calls = getattr(module, name), [0]

        def fail(*args, **kwargs):
            calls[0] += 1
            if calls[0] == at:
                raise error
            return real(*args, **kwargs)

        monkeypatch.setattr(module, name, fail)

    return install


# -- what works


def test_a_new_folder_with_its_parents(tmp_path):
    check_writable(tmp_path / "a" / "b" / "out")
    assert everything(tmp_path) == set()
    write_folder(tmp_path / "a" / "b" / "out", NEW)
    assert content(tmp_path) == {f"a/b/out/{name}": data for name, data in as_bytes(NEW).items()}


def test_an_empty_folder_and_an_earlier_output_are_replaced(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    for contents in (OLD, NEW, OLD):
        check_writable(out)
        write_folder(str(out), contents)
        assert content(tmp_path) == {f"out/{name}": data for name, data in as_bytes(contents).items()}


def test_modes_follow_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        write_folder(tmp_path / "out", OLD)
        write_file(tmp_path / "file", "x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o750
    assert stat.S_IMODE((tmp_path / "out" / "report.json").stat().st_mode) == 0o640
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "nowhere").symlink_to("later")
    (tmp_path / "f").symlink_to("g")
    write_folder(tmp_path / "link", OLD)
    write_folder(tmp_path / "nowhere", OLD)
    write_file(tmp_path / "f", "x")
    assert content(tmp_path / "real") == content(tmp_path / "later") == as_bytes(OLD)
    assert (tmp_path / "g").read_text() == "x"
    assert all((tmp_path / name).is_symlink() for name in ("link", "nowhere", "f"))


def test_files(tmp_path):
    write_file(tmp_path / "a.qasm", "é")
    write_file(tmp_path / "a.qasm", b"new")
    assert content(tmp_path) == {"a.qasm": b"new"}


# -- what is left alone


@pytest.mark.parametrize(
    "theirs",
    [
        {"thesis.tex": b"precious"},
        {"report.json": b"of another tool"},
        {"report.json": b"", "report.html": b""},
        as_bytes(OLD) | {"notes.txt": b"mine"},
        as_bytes(OLD) | {"circuits/mine.json": b"mine"},
        as_bytes(OLD) | {".git/config": b"mine"},
    ],
)
def test_a_folder_of_somebody_else(tmp_path, theirs):
    out = tmp_path / "out"
    for name, data in theirs.items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_bytes(data)
    for attempt in (lambda: check_writable(out), lambda: write_folder(out, NEW)):
        with pytest.raises(OutputError, match="is left alone") as caught:
            attempt()
        assert str(out) in str(caught.value)
        assert content(tmp_path) == {f"out/{name}": data for name, data in theirs.items()}


def test_a_link_within_an_earlier_output(tmp_path):
    out = tmp_path / "out"
    write_folder(out, OLD)
    (tmp_path / "precious").mkdir()
    (out / "data").symlink_to(tmp_path / "precious")
    with pytest.raises(OutputError, match="left alone: data"):
        write_folder(out, NEW)


def test_no_overwriting(tmp_path):
    write_folder(tmp_path / "out", OLD, overwrite=False)
    for attempt in (check_writable, lambda *a, **k: write_folder(*a, NEW, **k)):
        with pytest.raises(OutputError, match="holds an earlier output"):
            attempt(tmp_path / "out", overwrite=False)
    assert content(tmp_path / "out") == as_bytes(OLD)


def test_the_folder_that_one_is_in(tmp_path, monkeypatch):
    (tmp_path / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a" / "b")
    for place in (".", tmp_path / "a", ".."):
        with pytest.raises(OutputError, match="the folder that you are in"):
            check_writable(place)
    with pytest.raises(OutputError, match="mounted"):
        check_writable("/")


# -- what cannot be written


def test_places_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("in the way")
    places = (tmp_path / "file", tmp_path / "file" / "below", "/dev/null/x", "/proc/x", "/dev/null")
    for place in (*places, tmp_path / ("x" * 300), tmp_path / "\0", "", 7):
        for attempt in (check_writable, lambda p: write_folder(p, NEW)):
            with pytest.raises(OutputError) as caught:
                attempt(place)
            assert str(place) in str(caught.value) or "\0" in str(place)
    for place in (tmp_path, tmp_path / "no" / "file", *places[1:]):
        with pytest.raises(OutputError):
            write_file(place, "x")
    assert content(tmp_path) == {"file": b"in the way"}
    assert everything(tmp_path) == {"file"}
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


@pytest.mark.parametrize("name", ["", ".", "/etc/x", "../x", "a/../../x", "a\\b", "a\0b"])
def test_names_that_lead_out_of_the_folder(tmp_path, name):
    with pytest.raises(OutputError, match="no name of a file within"):
        write_folder(tmp_path / "out", {name: "x"})
    assert everything(tmp_path) == set()


def test_names_and_texts_that_cannot_be_written(tmp_path):
    for contents in ({"a": "x", "a/b": "y"}, {"a": "\ud800"}, {"x" * 300: "y"}):
        with pytest.raises(OutputError, match="cannot be written"):
            write_folder(tmp_path / "p" / "out", contents)
        assert everything(tmp_path) == set()
    with pytest.raises(OutputError, match="cannot be written"):
        write_file(tmp_path / "f", "\ud800")


FULL = OSError(28, "No space left on device")
BREAKS = [
    ("os", "replace", 1),
    ("os", "fsync", 1),
    ("os", "fsync", 3),
    ("files", "_write_new", 1),
    ("files", "_write_new", 3),
    ("os", "rename", 1),
]


@pytest.mark.parametrize(
    "error", [FULL, KeyboardInterrupt(), MemoryError()], ids=["full", "interrupt", "memory"]
)
@pytest.mark.parametrize(("module", "name", "at"), BREAKS)
@pytest.mark.parametrize("before", [None, {}, OLD], ids=["new", "empty", "old"])
def test_whatever_breaks_leaves_what_was_there(tmp_path, failing, error, module, name, at, before):
    out = tmp_path / "parent" / "out"
    if before is not None:
        out.mkdir(parents=True)
        if before:
            write_folder(out, before)
    elif name == "rename":
        pytest.skip("nothing is renamed aside")
    entries = everything(tmp_path)
    failing({"os": os, "files": files}[module], name, error, at)
    kind = OutputError if isinstance(error, OSError) else type(error)
    with pytest.raises(kind) as caught:
        write_folder(out, NEW)
    assert everything(tmp_path) == entries
    if before:
        assert content(out) == as_bytes(before)
    if kind is OutputError:
        assert str(out) in str(caught.value)
        assert "No space left" in str(caught.value)


@pytest.mark.parametrize("error", [FULL, KeyboardInterrupt()], ids=["full", "interrupt"])
@pytest.mark.parametrize("name", ["replace", "fsync"])
def test_a_file_that_breaks_leaves_what_was_there(tmp_path, failing, error, name):
    write_file(tmp_path / "f", "old")
    failing(os, name, error)
    with pytest.raises(OutputError if isinstance(error, OSError) else KeyboardInterrupt):
        write_file(tmp_path / "f", "new")
    assert content(tmp_path) == {"f": b"old"}


def test_the_old_output_goes_even_if_interrupted(tmp_path, failing):
    write_folder(tmp_path / "out", OLD)
    failing(files.shutil, "rmtree", KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        write_folder(tmp_path / "out", NEW)
    assert content(tmp_path) == {f"out/{name}": data for name, data in as_bytes(NEW).items()}


def test_a_file_system_that_cannot_sync_folders(tmp_path, monkeypatch):
    real = os.open

    def no_folders(path, *args, **kwargs):
        if os.path.isdir(path):
            raise PermissionError(13, "Permission denied")
        return real(path, *args, **kwargs)

    monkeypatch.setattr(os, "open", no_folders)
    write_folder(tmp_path / "out", OLD)
    assert content(tmp_path / "out") == as_bytes(OLD)
