"""A process that is killed while it writes leaves a whole output or none, and an earlier one as it was."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest

from qattn_compiler.report.files import write_folder

OLD = {"report.json": "{}", "decoding.json": "[]", "circuits/0000.json": "old"}
NEW = {"report.json": "{1}", "decoding.json": "[1]", "circuits/0000.json": "new", "circuits/0001.json": "new"}
KILLED = """
import json, os, signal, sys
from qattn_compiler.report import files

folder, module, name, at, contents = *sys.argv[1:4], int(sys.argv[4]), json.loads(sys.argv[5])
where = {"os": os, "files": files}[module]
real, calls = getattr(where, name), 0

def until(*arguments, **options):
    global calls
    calls += 1
    if calls == at:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*arguments, **options)

setattr(where, name, until)
files.write_folder(folder, contents)
"""
MOMENTS = [
    ("files", "_write_new", 1),
    ("files", "_write_new", 3),
    ("files", "_sync", 2),
    ("os", "replace", 1),
]


def contents(folder):
    """{file: text} of a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()
    }


def killed(*command, **options):
    done = subprocess.run([sys.executable, *command], timeout=300, check=False, **options)
    assert done.returncode == -signal.SIGKILL


@pytest.mark.parametrize(("module", "name", "at"), MOMENTS)
def test_a_new_folder_is_there_whole_or_not_at_all(tmp_path, module, name, at):
    out = tmp_path / "out"
    killed("-c", KILLED, str(out), module, name, str(at), json.dumps(NEW))
    assert not out.exists()
    write_folder(out, NEW)  # what the killed process left is in nobody's way
    assert contents(out) == NEW


@pytest.mark.parametrize(("module", "name", "at"), [*MOMENTS[:3], ("os", "rename", 1)])
def test_an_earlier_output_is_not_harmed(tmp_path, module, name, at):
    out = tmp_path / "out"
    write_folder(out, OLD)
    killed("-c", KILLED, str(out), module, name, str(at), json.dumps(NEW))
    assert contents(out) == OLD
    write_folder(out, NEW)
    assert contents(out) == NEW


def test_between_two_renamings_the_earlier_output_is_beside_its_place(tmp_path):
    """The one moment in which neither is in its place: both are whole, under names of their own."""
    out = tmp_path / "out"
    write_folder(out, OLD)
    killed("-c", KILLED, str(out), "os", "replace", "1", json.dumps(NEW))
    assert not out.exists()
    assert [contents(path) for path in tmp_path.glob(".qattn-*.old")] == [OLD]
    assert [contents(path) for path in tmp_path.glob(".qattn-*.part")] == [NEW]


COMMAND = """
import os, signal
from qattn_compiler.report import files

real = files._write_new

def until(path, data, **options):
    if path.name == "0001.json":
        path.write_bytes(data[: len(data) // 2])
        os.kill(os.getpid(), signal.SIGKILL)
    real(path, data, **options)

files._write_new = until
from qattn_compiler.cli import main
main()
"""


def test_qattn_compile_killed_in_the_middle_of_a_file(tmp_path):
    out = tmp_path / "out"
    arguments = ["compile", "--example", "minilm", "--rows", "0", "--components", "0,1", "-q", "-o", str(out)]
    killed("-c", COMMAND, *arguments, cwd=tmp_path)
    assert not out.exists()
    assert [path.suffix for path in tmp_path.iterdir()] == [".part"]
