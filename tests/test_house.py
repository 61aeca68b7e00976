"""The rules of the house, checked over the sources: layers, packaging, doctests, code of the pages, no
eval."""

from __future__ import annotations

import ast
import doctest
import fnmatch
import importlib
import os
import re
import runpy
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = {
    "qattn_compiler": "qattn_compiler",
    "passes": "qattn_compiler.passes",
    "targets": "qattn_compiler.targets",
}
"""Folder -> the package that it is."""

LAYERS = (
    *("errors", "progress", "threads", "source", "expr", "frontends", "circuit", "device", "synth", "blocks"),
    *("lower models", "pipeline", "verify", "report", "interop", "passes", "targets", "unit", "budget"),
    *("trim", "compiled", "describe", "proof", "kernel_cache", "job", "auto", "search", "transpile_proof"),
    *("compile transpile", "prepare", "cli", "__main__"),
)
"""A file imports from its own name and from names to the left; names of one string are strangers."""

RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names.split()}
EXEMPT = {"", "data"}
"""The package itself, which imports whatever is asked of it when it is asked, and the data."""

AT_HOME = {
    "cirq": ("interop", "targets"),
    "cirq_google": ("interop", "targets"),
    "numba": ("jit.py", "kernels.py"),
}
"""Foreign library -> layers or file names that may import it at all."""

LAZY = {"torch", "onnx", "qiskit", "pytket", "matplotlib", "sympy", "qsimcirq", "stim", "jinja2", "ply"}
"""Imported only inside functions."""

FORBIDDEN_CALLS = {"eval", "exec", "__import__", "sympify", "parse_expr", "execfile", "literal_eval"}
FORBIDDEN_MODULES = {"pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}


# -- the sources


@cache
def sources() -> tuple[Path, ...]:
    return tuple(path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py")))


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def module_name(path: Path) -> str:
    """passes/circuit/route.py -> qattn_compiler.passes.circuit.route."""
    folder, *inner = path.relative_to(ROOT).with_suffix("").parts
    return ".".join([FOLDERS[folder], *(part for part in inner if part != "__init__")])


def layer_of(module: str) -> str:
    """The name directly below the package; empty for the package itself."""
    return [*module.split("."), ""][1]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


SOURCES = pytest.mark.parametrize("path", sources(), ids=name_of)


def imports(path: Path) -> Iterator[tuple[str, int, bool]]:
    """(module, line, whether it is imported with the file) of every import, those in functions included."""
    inside = {id(child) for node in ast.walk(tree(path)) if is_later(node) for child in ast.walk(node)}
    for node in ast.walk(tree(path)):
        for module in imported(node, path):
            yield module, node.lineno, id(node) not in inside


def is_later(node: ast.AST) -> bool:
    """A function, or what only the type checker sees."""
    checking = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
    return checking or isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))


def imported(node: ast.AST, path: Path) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    module = node.module or ""
    if node.level:
        package = module_name(path).split(".")[: None if path.name == "__init__.py" else -1]
        module = ".".join([*package[: len(package) - node.level + 1], *([module] if module else [])])
    if module == "qattn_compiler":  # each name may be a module
        return [f"{module}.{alias.name}" for alias in node.names]
    return [module]


# -- layers


@SOURCES
def test_a_file_imports_from_its_left_only(path):
    own = layer_of(module_name(path))
    if own in EXEMPT:
        return
    assert own in RANK, f"{own} has no place in LAYERS"
    for module, line, _ in imports(path):
        if not module.startswith("qattn_compiler."):
            continue
        other = layer_of(module)
        public = other not in RANK and other not in EXEMPT
        assert not public, f"{path}:{line}: import from where it is defined, not {module}"
        allowed = other == own or other in EXEMPT or RANK[other] < RANK[own]
        assert allowed, f"{path}:{line}: {own} imports {other}, which is to its right"


@SOURCES
def test_foreign_libraries_stay_at_home(path):
    own = layer_of(module_name(path))
    for module, line, with_file in imports(path):
        library = module.partition(".")[0]
        if library in AT_HOME:
            name = "kernels.py" if path.name.endswith("_kernels.py") else path.name
            assert {own, name} & set(AT_HOME[library]), f"{path}:{line}: {library} does not belong here"
        if library in LAZY:
            later = not with_file
            assert later, f"{path}:{line}: import {library} inside the function that needs it"
        assert library not in ("passes", "targets"), f"{path}:{line}: import qattn_compiler.{library}"


def test_the_layer_check_sees_what_it_should():
    path = ROOT / "passes" / "circuit" / "x.py"
    text = (
        "import qattn_compiler.cli\nfrom qattn_compiler import compile\n"
        "from ..symbolic import share\nfrom . import y"
    )
    found = [module for node in ast.parse(text).body for module in imported(node, path)]
    assert found == [
        "qattn_compiler.cli",
        "qattn_compiler.compile",
        "qattn_compiler.passes.symbolic",
        "qattn_compiler.passes.circuit",
    ]
    assert RANK["compile"] > RANK["passes"] > RANK["expr"]


@SOURCES
def test_nothing_runs_text_or_pickles(path):
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call):
            called = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            assert called not in FORBIDDEN_CALLS, f"{path}:{node.lineno}: {called}"
            for keyword in node.keywords:
                pickles = keyword.arg == "allow_pickle" and ast.unparse(keyword.value) != "False"
                assert not pickles, f"{path}:{node.lineno}: {ast.unparse(node)}"
        for module in imported(node, path):
            assert module.partition(".")[0] not in FORBIDDEN_MODULES, f"{path}:{node.lineno}: {module}"


# -- packaging


@cache
def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_packages_are_the_folders():
    listed = project()["tool"]["setuptools"]["packages"]
    there = [module_name(path) for path in sources() if path.name == "__init__.py"]
    assert sorted(listed) == sorted(there)
    assert len(set(listed)) == len(listed)


def test_every_source_is_in_a_package():
    for path in sources():
        assert (path.parent / "__init__.py").is_file(), f"{path.parent} has sources and no __init__.py"


def test_data_files_are_shipped():
    patterns = project()["tool"]["setuptools"]["package-data"]
    for folder, package in FOLDERS.items():
        for path in (ROOT / folder).rglob("*"):
            if not path.is_file() or path.suffix in (".py", ".pyc", ".nbi", ".nbc"):
                continue
            home = next(p for p in path.parents if (p / "__init__.py").is_file())
            inner = path.relative_to(home).as_posix()
            name = ".".join([package, *home.relative_to(ROOT / folder).parts])
            shipped = any(fnmatch.fnmatch(inner, pattern) for pattern in patterns.get(name, ()))
            assert shipped, f"{name_of(path)} is not in package-data[{name!r}]"


def test_the_example_is_small():
    data = [path for path in (ROOT / "qattn_compiler" / "data").iterdir() if path.is_file()]
    assert sum(path.stat().st_size for path in data) < 1 << 20


@pytest.mark.parametrize("folder", ["passes", "targets"])
def test_a_mapped_folder_refuses_its_other_name(folder):
    done = subprocess.run(
        [sys.executable, "-c", f"import {folder}"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert f"import qattn_compiler.{folder}" in done.stderr


def test_a_checkout_can_be_imported_as_it_lies():
    script = "import qattn_compiler.passes, qattn_compiler.targets as t; print(t.__file__)"
    command = [sys.executable, "-S", "-c", script]  # -S: nothing that is installed
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert Path(done.stdout.strip()).parent == ROOT / "targets"


def test_typings_lead_to_the_mapped_folders():
    for folder in ("passes", "targets"):
        assert (ROOT / "typings" / "qattn_compiler" / folder).resolve() == ROOT / folder


def test_the_package_imports_nothing_heavy():
    heavy = ("numpy", "numba", "cirq", "sympy", "scipy", "qattn_compiler.compile")
    script = f"import sys, qattn_compiler.cli; print([m for m in {heavy} if m in sys.modules])"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.skipif("QATTN_EXPECT_INSTALLED" not in os.environ, reason="said by .ci/run")
def test_the_installed_package_is_tested():
    for name in FOLDERS.values():
        place = Path(importlib.import_module(name).__file__).resolve()
        assert place.is_relative_to(Path(sys.prefix).resolve()), f"{name} is taken from {place}"


def test_public_names_are_there():
    import qattn_compiler

    for name in qattn_compiler.__all__:
        assert getattr(qattn_compiler, name) is not None


# -- words that run


@pytest.mark.parametrize(
    "path", [path for path in sources() if ">>>" in path.read_text("utf-8")], ids=name_of
)
def test_doctests(path):
    if path.name.endswith("kernels.py"):
        pytest.skip("compiled by Numba; its twins are tested")
    result = doctest.testmod(importlib.import_module(module_name(path)))
    assert result.attempted
    assert not result.failed


def test_every_module_can_be_imported():
    for path in sources():
        if path.name != "__main__.py":
            importlib.import_module(module_name(path))


def python_blocks(page: Path) -> list[str]:
    """The ```python blocks of a page, each behind as many blank lines as stand above it."""
    text = page.read_text(encoding="utf-8")
    found = re.finditer(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    return ["\n" * (text[: block.start(1)].count("\n")) + block[1] for block in found]


PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCKS = [
    pytest.param(block, id=f"{page.name}:{len(block) - len(block.lstrip()) + 1}")
    for page in PAGES
    for block in python_blocks(page)
]


@pytest.mark.parametrize("block", BLOCKS)
def test_code_of_the_pages_runs(block, tmp_path, monkeypatch):
    script = tmp_path / "block.py"
    script.write_text(block, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(script))
