"""Machine code on disk: cut-off files are made anew, processes that warm one cache at once do no harm."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from qattn_compiler import kernel_cache

SOURCE = """
import numba

@numba.njit(cache=True, nogil=True)
def twice(x):
    return 2 * x
"""
CALL = """
import sys
sys.path.insert(0, sys.argv[1])
import tiny_kernels
assert tiny_kernels.twice(21) == 42
print(sum(tiny_kernels.twice.stats.cache_hits.values()))
"""


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """A function that imports a module of one kernel anew, as another process would."""
    import numba

    (tmp_path / "tiny_kernels.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setitem(kernel_cache.MODULES, "tiny", ("tiny_kernels",))

    def load():
        sys.modules.pop("tiny_kernels", None)
        kernel_cache.mend.cache_clear()
        return importlib.import_module("tiny_kernels").twice

    yield load
    sys.modules.pop("tiny_kernels", None)
    kernel_cache.mend.cache_clear()


def files_of(kernel) -> list[Path]:
    folder = Path(kernel.stats.cache_path)
    return [next(folder.glob(f"*.{ending}")) for ending in ("nbi", "nbc")]


def cuts(data: bytes) -> list[bytes]:
    """Pieces that a full disk or lost power leave."""
    version = data.index(b".", 20) + 1  # of an index, the first of its two pickles
    sizes = {0, 1, 2, 3, version, len(data) // 3, len(data) // 2, len(data) - 2, len(data) - 1}
    return [*(data[:size] for size in sorted(sizes)), bytes(len(data)), data[:50] + bytes(len(data) - 50)]


def test_whole_files_are_kept(tiny):
    kernel = tiny()
    assert kernel_cache.is_cold(("tiny",))
    assert kernel(21) == 42
    before = [path.stat().st_mtime_ns for path in files_of(kernel)]
    assert tiny() is not kernel
    assert not kernel_cache.is_cold(("tiny",))
    assert tiny()(21) == 42
    assert [path.stat().st_mtime_ns for path in files_of(kernel)] == before


@pytest.mark.parametrize("which", [0, 1], ids=["index", "code"])
def test_every_cut_is_noticed(tiny, which):
    kernel = tiny()
    kernel(21)
    path = files_of(kernel)[which]
    for cut in cuts(path.read_bytes()):
        path.write_bytes(cut)
        kernel_cache.mend.cache_clear()
        kernel_cache.mend(path.parent)
        assert not path.exists(), f"{path.suffix} of {len(cut)} bytes"


@pytest.mark.parametrize("which", [0, 1], ids=["index", "code"])
def test_a_cut_off_cache_is_made_anew(tiny, which):
    kernel = tiny()
    kernel(21)
    path = files_of(kernel)[which]
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    kernel = tiny()
    assert kernel_cache.is_cold(("tiny",)) == (which == 0)
    assert kernel(21) == 42
    assert sum(kernel.stats.cache_misses.values()) == 1
    again = tiny()
    assert again(21) == 42
    assert sum(again.stats.cache_hits.values()) == 1


def test_a_cache_that_cannot_be_written_is_left(tiny, monkeypatch):
    kernel = tiny()
    kernel(21)
    path = files_of(kernel)[1]
    path.write_bytes(b"")

    def refuse(self):
        raise PermissionError(13, "not yours", str(self))

    monkeypatch.setattr(Path, "unlink", refuse)
    kernel_cache.mend.cache_clear()
    kernel_cache.mend(path.parent)
    assert path.exists()


def test_processes_that_warm_one_cache(tmp_path):
    (tmp_path / "tiny_kernels.py").write_text(SOURCE)
    command = [sys.executable, "-c", CALL, str(tmp_path)]
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache")}

    def start():
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)

    both = [start(), start()]
    assert [process.communicate(timeout=120)[0] != "" for process in both] == [True, True]
    assert [process.returncode for process in both] == [0, 0]
    later = start()
    assert later.communicate(timeout=120)[0].strip() == "1"
    assert later.returncode == 0
    assert not list(tmp_path.rglob("*.tmp.*"))


EXAMPLES = """
from qattn_compiler import kernel_cache
for own, other in kernel_cache._EXAMPLES.values():
    own()
    other()
every = [
    kernel
    for modules in kernel_cache.MODULES.values()
    for module in modules
    for kernel in vars(kernel_cache.import_module(module)).values()
    if hasattr(kernel, "py_func")
]
used = [kernel for kernel in every if kernel.signatures]
for kernel in used:  # those that are called by compiled ones are compiled with them
    names = kernel.py_func.__code__.co_names
    called = [kernel.py_func.__globals__.get(name) for name in names]
    used += [one for one in called if hasattr(one, "py_func") and one not in used]
print(*(
    f"{stage}: {kernel.__name__}"
    for stage in kernel_cache.MODULES
    for kernel in kernel_cache._kernels(stage)
    if kernel not in used
))
"""


def test_every_kernel_of_a_stage_is_compiled_by_its_examples():
    """Else the stage is cold for ever, and each process runs the examples again."""
    assert set(kernel_cache._EXAMPLES) == set(kernel_cache.MODULES)
    done = subprocess.run([sys.executable, "-c", EXAMPLES], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[0] == ""


def test_every_module_of_kernels_belongs_to_a_stage():
    root = Path(kernel_cache.__file__).parents[1]
    known = {module for modules in kernel_cache.MODULES.values() for module in modules}
    for folder, package in (("qattn_compiler", "qattn_compiler"), ("passes", "qattn_compiler.passes")):
        for path in (root / folder).rglob("*kernels.py"):
            inner = path.relative_to(root / folder).with_suffix("").as_posix().replace("/", ".")
            assert f"{package}.{inner}" in known, path
