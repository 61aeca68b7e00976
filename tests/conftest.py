"""What all tests share: finding the package in a bare checkout, hypothesis settings, golden files."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parents[1]


def _find_package() -> None:
    """Without an installation: take the package from the checkout, and its mapped folders by hand."""
    if importlib.util.find_spec("qattn_compiler") is None:
        sys.path.insert(0, str(ROOT))
    for folder in ("passes", "targets"):
        name = f"qattn_compiler.{folder}"
        if importlib.util.find_spec(name) is not None:
            continue
        place = ROOT / folder
        spec = importlib.util.spec_from_file_location(
            name, place / "__init__.py", submodule_search_locations=[str(place)]
        )
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
        setattr(sys.modules["qattn_compiler"], folder, module)


_find_package()

settings.register_profile("house", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("house")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write tests/golden/ anew")


@pytest.fixture
def golden(request: pytest.FixtureRequest):
    """`golden(text)` compares with tests/golden/<file>/<test>.txt; `pytest --update-golden` writes it."""
    folder = ROOT / "tests" / "golden" / request.path.stem
    path = folder / f"{re.sub(r'[^A-Za-z0-9_.-]+', '_', request.node.name).strip('_')}.txt"

    def check(text: str) -> None:
        text = text.rstrip("\n") + "\n"
        if request.config.getoption("--update-golden"):
            folder.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        if not path.is_file():
            pytest.fail(f"{path.relative_to(ROOT)} is missing: write it with pytest --update-golden")
        assert text == path.read_text(encoding="utf-8"), f"not as in {path.relative_to(ROOT)}"

    return check
