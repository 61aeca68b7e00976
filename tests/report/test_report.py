"""Pages and files of reports."""

from __future__ import annotations

import json
import sys
from functools import partial
from html.parser import HTMLParser

import numpy as np
import pytest
from report_machine import device, example

from qattn_compiler.errors import OutputError
from qattn_compiler.report.chip import draw_chip
from qattn_compiler.report.files import check_writable, write_folder
from qattn_compiler.report.metrics import execution, metrics
from qattn_compiler.report.report import MOST_LINES, Report, compile_page, picture_names, transpile_page

STEP = {"pass": "route", "stage": "route", "seconds": 0.25, **metrics(example()).to_dict()}
PROOF = {"passed": True, "error": 1e-12, "tolerance": 1e-8, "method": "by hand"}


def transpiled(run: dict | None) -> dict:
    return {
        "target": "grid",
        "metrics": metrics(example()).to_dict(),
        "execution": run,
        "picture": "chip.svg",
        "swaps": 1,
        "passes": [STEP],
        "verification": PROOF,
        "notes": ["a note"],
        "seconds": 0.5,
    }


def compiled() -> dict:
    run = execution(example(), device()).to_dict()
    unit = {
        "program": "![not a picture](chip.svg)\n| not a table |",
        "circuits": 3,
        "qubits": 3,
        "gates_2q_ideal": 2,
        "layout": "a[0] on q(0, 0)",
        "passes": [STEP],
        "metrics": metrics(example()).to_dict(),
        "execution": run,
    }
    return {
        "expression": "w @ x < 1",
        "encoding": "amplitude",
        "meaning": "a sum",
        "target": {"name": "grid"},
        "totals": {
            "outputs": 3,
            "circuits": 6,
            "gates_2q_max": 3,
            "depth_max": 5,
            "duration_ns_max": run["duration_ns"],
            "fidelity_min": run["fidelity"],
        },
        "shots": {"error": 0.01, "per_circuit_max": 100, "total": 600},
        "structures": [unit | {"picture": name} for name in picture_names(2)],
        "verification": PROOF,
        "notes": [],
        "seconds": {"compile": 1.0, "verify": 0.5},
    }


def drawing(title: str) -> partial[str]:
    return partial(draw_chip, example(), device(), title=title)


def test_page_of_a_transpile(golden):
    run = execution(example(), device())
    golden(Report(transpiled(run.to_dict()), transpile_page).to_markdown())


def test_page_of_a_compile(golden):
    golden(Report(compiled(), compile_page).to_markdown())


def test_without_a_profile():
    data = transpiled(None)
    del data["picture"]
    page = Report(data, transpile_page).to_markdown()
    assert "estimated fidelity | unknown" in page
    assert "Where time" not in page
    assert "![" not in page


def test_what_is_unknown_is_said():
    blind = device(t1=np.zeros(0))
    report = Report(transpiled(execution(example(), blind).to_dict()), transpile_page)
    split = report.to_dict()["execution"]["profile"]
    assert split["success"]["total"] is None
    assert split["share"]["gates_2q"] is None
    page = report.to_markdown()
    assert "| waiting | unknown | unknown |" in page
    assert "| two-qubit gates | 0.9409 | unknown |" in page
    assert "nan" not in page.lower()


def test_long_lists_are_cut():
    run = execution(example(), device()).to_dict()
    line = run["profile"]["qubits"][0]
    run["profile"]["qubits"] = [line | {"qubit": f"q{k}", "share": k / 190} for k in range(20)]
    page = Report(transpiled(run), transpile_page).to_markdown()
    shown = [row.split(" | ")[0] for row in page.splitlines() if row.startswith("| q") and " - " not in row]
    assert shown == ["| qubit", *(f"| q{k}" for k in reversed(range(20 - MOST_LINES, 20)))]
    assert "And 4 more qubits, with 3.16 %." in page


# -- pictures and files


class Outline(HTMLParser):
    """Names of the elements, in order; raises where they are not closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_html_holds_the_pictures():
    pictures = {name: drawing(f"drawn as {name}") for name in picture_names(2)}
    html = Report(compiled(), compile_page, pictures).to_html()
    outline = Outline(html)
    assert outline.open == []
    assert outline.seen.count("svg") == 2
    assert outline.seen.count("h3") == 2
    assert "![not a picture](chip.svg)\n| not a table |" in html  # code stays code
    assert html.index("drawn as chip-1.svg") < html.index("drawn as chip-2.svg")
    assert "w @ x &lt; 1" in html
    assert "prefers-color-scheme" in html


def test_pictures_are_drawn_once_and_when_asked_for():
    calls = []

    def draw() -> str:
        calls.append(1)
        return draw_chip(example(), device())

    report = Report(transpiled(None), transpile_page, {"chip.svg": draw})
    report.to_markdown()
    report.to_json()
    assert calls == []
    assert report.to_html() == report.to_html()
    report.files()
    assert calls == [1]


@pytest.mark.parametrize("pixels", [True, False])
def test_files(tmp_path, monkeypatch, pixels):
    if pixels:
        pytest.importorskip("cairosvg")
    else:
        monkeypatch.setitem(sys.modules, "cairosvg", None)
    report = Report(compiled(), compile_page, {name: drawing("x") for name in picture_names(2)})
    files = report.files()
    names = {"report.json", "report.md", "report.html", "chip-1.svg", "chip-2.svg"}
    assert set(files) == names | ({"chip-1.png", "chip-2.png"} if pixels else set())
    assert json.loads(files["report.json"]) == report.to_dict()
    out = tmp_path / "out"
    write_folder(out, files | {"decoding.json": "{}"})
    check_writable(out)  # its own kinds of files
    write_folder(out, {"report.json": "{}", "decoding.json": "{}"})
    assert sorted(p.name for p in out.iterdir()) == ["decoding.json", "report.json"]
    (out / "ship.svg").write_text("<svg/>")
    with pytest.raises(OutputError, match=r"ship\.svg"):
        check_writable(out)


def test_names_of_pictures():
    assert picture_names(0) == []
    assert picture_names(1) == ["chip.svg"]
    assert picture_names(3) == ["chip-1.svg", "chip-2.svg", "chip-3.svg"]
