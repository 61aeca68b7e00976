"""Report: what was compiled, what it costs, stage by stage, how it is decoded, what was proved."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any

from qattn_compiler.report.chip import to_png

MARKDOWN_DIGITS = 4
MOST_LINES = 16
"""Qubits and couplings that a page lists, those with the largest errors first; the data have all."""

NORMS = {
    "scale_max": "sub-normalisation (scale of a read-out), largest",
    "success_min": "auxiliary qubits found in 0, least probability",
}
"""What a page says of how read-outs become numbers."""


@dataclass(frozen=True)
class Report:
    """Plain data with three ways to print it.

    Attributes:
        data: nested dicts, lists, strings and numbers only.
        page: makes the lines of the page for people.
        pictures: file name -> what draws it, as SVG; a page's line `![words](file name)` shows it.
    """

    data: Mapping[str, Any]
    page: Callable[[dict[str, Any]], list[str]] = lambda data: compile_page(data)
    pictures: Mapping[str, Callable[[], str]] = field(default_factory=lambda: MappingProxyType({}))

    def to_dict(self) -> dict[str, Any]:
        """The data, as a new dict."""
        return json.loads(self.to_json())  # type: ignore[no-any-return]

    def to_json(self) -> str:
        """JSON text; numbers that are not finite become null."""
        return json.dumps(_clean(self.data), indent=1) + "\n"

    def to_markdown(self) -> str:
        """A page for people."""
        return "\n".join(self.page(_clean(self.data))) + "\n"

    def to_html(self) -> str:
        """The same page as a self-contained HTML file, pictures included."""
        return _html(self.to_markdown(), str(self.data.get("expression", "")), self.drawings)

    @cached_property
    def drawings(self) -> dict[str, str]:
        """The pictures, drawn when first asked for: file name -> SVG."""
        return {name: draw() for name, draw in self.pictures.items()}

    def files(self) -> dict[str, bytes | str]:
        """All forms by file name: the three pages, the pictures, and their pixels where they can be made."""
        pixels = {name.removesuffix(".svg") + ".png": to_png(svg) for name, svg in self.drawings.items()}
        return {
            "report.json": self.to_json(),
            "report.md": self.to_markdown(),
            "report.html": self.to_html(),
            **self.drawings,
            **{name: data for name, data in pixels.items() if data is not None},
        }


def _clean(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _clean(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_clean(v) for v in value]
    if (isinstance(value, float) and value != value) or value in (float("inf"), float("-inf")):
        return None
    return value


def compile_page(data: dict[str, Any]) -> list[str]:
    """The page of a compile."""
    lines = [f"# {data['expression']}", "", f"compiled for **{data['target']['name']}**", ""]
    lines += _summary(data)
    for number, unit in enumerate(data["structures"]):
        lines += _unit(number, unit)
    if data["notes"]:
        lines += ["## Notes", "", *(f"- {note}" for note in data["notes"]), ""]
    return lines


def _summary(data: dict[str, Any]) -> list[str]:
    totals, proof = data["totals"], data["verification"]
    rows = [
        ("encoding", data["encoding"]),
        ("each read-out is", data["meaning"]),
        ("numbers", totals["outputs"]),
        ("circuits", totals["circuits"]),
        ("two-qubit gates, most in a circuit", totals["gates_2q_max"]),
        ("depth, most", totals["depth_max"]),
        ("duration, longest", _unit_of(totals["duration_ns_max"], "ns")),
        ("estimated fidelity, lowest", totals["fidelity_min"]),
        *((words, data[name]) for name, words in NORMS.items() if name in data),
        (
            f"shots a circuit for a standard error of {data['shots']['error']}",
            data["shots"]["per_circuit_max"],
        ),
        ("shots in all", data["shots"]["total"]),
        ("verification", _proof(proof)),
        ("seconds", sum(data["seconds"].values())),
    ]
    return ["| | |", "|---|---|", *(f"| {k} | {_cell(v)} |" for k, v in rows), ""]


def _proof(proof: dict[str, Any]) -> str:
    if proof["passed"] is None:
        return f"not done ({proof['method']})"
    word = "passed" if proof["passed"] else "FAILED"
    error, tolerance = _cell(proof["error"]), _cell(proof["tolerance"])
    return f"{word}: largest error {error} (allowed {tolerance}); {proof['method']}"


def _unit(number: int, unit: dict[str, Any]) -> list[str]:
    lines = [f"## Structure {number + 1}: {unit['circuits']} circuits on {unit['qubits']} qubits", ""]
    lines += ["```", unit["program"], "```", ""]
    lines += [
        f"Two-qubit gates with all-to-all coupling: {unit['gates_2q_ideal']}. Layout: {unit['layout']}.",
        "",
    ]
    lines += _passes(unit["passes"])
    gates = ", ".join(f"{count} {name}" for name, count in unit["metrics"]["gates"].items())
    lines += ["", f"Gates: {gates}.", ""]
    return [*lines, *_profile(unit.get("execution")), *_picture(unit.get("picture"))]


def _picture(name: str | None) -> list[str]:
    return [] if name is None else [f"![the machine with the circuit on it]({name})", ""]


def _profile(run: dict[str, Any] | None) -> list[str]:
    """Where time and errors go: by kind, by qubit, by coupling."""
    split = None if run is None else run.get("profile")
    if split is None:
        return []
    names = {"gates_1q": "single-qubit gates", "gates_2q": "two-qubit gates", "idle": "waiting"}
    names |= {"readout": "read-out", "total": "together"}
    share = {**split["share"], "total": None if split["success"]["total"] is None else 1.0}
    kinds = [(name, split["success"][part], _percent(share[part])) for part, name in names.items()]
    counts, times = ("gates_1q", "gates_2q", "readouts"), ("busy_ns", "idle_ns")
    qubits = [
        (q["qubit"], *(q[c] for c in counts), *(_unit_of(q[t], "ns") for t in times), q["share"])
        for q in split["qubits"]
    ]
    edges = [(" - ".join(e["qubits"]), e["gates"], e["error"], e["share"]) for e in split["edges"]]
    return [
        "### Where time and errors go",
        "",
        *_table(("", "estimated success", "share of the error"), kinds),
        "",
        f"Waiting, all qubits together: {_cell(_unit_of(split['idle_ns'], 'ns'))}.",
        "",
        *_largest(("qubit", "pulses", "two-qubit", "measured", "busy", "waiting"), qubits, "qubits"),
        *_largest(("coupling", "gates", "error of a gate"), edges, "couplings"),
    ]


def _largest(header: tuple[str, ...], rows: list[tuple[Any, ...]], what: str) -> list[str]:
    """The rows with the largest share (their last cell), and a line about the others."""
    if not rows:
        return []
    rows = sorted(rows, key=lambda row: -(row[-1] or 0.0))  # equal shares keep their order
    shown, rest = rows[:MOST_LINES], rows[MOST_LINES:]
    lines = _table((*header, "share of the error"), [(*row[:-1], _percent(row[-1])) for row in shown])
    if rest:
        lines += ["", f"And {len(rest)} more {what}, with {_percent(sum(row[-1] or 0.0 for row in rest))}."]
    return [*lines, ""]


def _percent(share: float | None) -> str | None:
    return None if share is None else f"{100 * share:.3g} %"


def _table(header: tuple[str, ...], rows: list[tuple[Any, ...]]) -> list[str]:
    lines = [f"| {' | '.join(header)} |", f"|{'---|' * len(header)}"]
    return [*lines, *(f"| {' | '.join(map(_cell, row))} |" for row in rows)]


def _passes(steps: list[dict[str, Any]]) -> list[str]:
    header = ("stage", "pass", "two-qubit", "two-qubit depth", "single-qubit", "depth", "ms")
    rows = [
        (
            step["stage"],
            step["pass"],
            step["gates_2q"],
            step["depth_2q"],
            step["gates_1q"],
            step["depth"],
            1e3 * step["seconds"],
        )
        for step in steps
    ]
    return _table(header, rows)


def transpile_page(data: dict[str, Any]) -> list[str]:
    """The page of a transpile."""
    after, run = data["metrics"], data["execution"] or {"duration_ns": None, "fidelity": None}
    rows = [
        ("two-qubit gates", after["gates_2q"]),
        ("two-qubit depth", after["depth_2q"]),
        ("single-qubit gates", after["gates_1q"]),
        ("depth", after["depth"]),
        ("inserted SWAPs", data["swaps"]),
        ("duration", _unit_of(run["duration_ns"], "ns")),
        ("estimated fidelity", run["fidelity"]),
        ("verification", _proof(data["verification"])),
        ("seconds", data["seconds"]),
    ]
    lines = [f"# transpiled for {data['target']}", "", "| | |", "|---|---|"]
    lines += [*(f"| {k} | {_cell(v)} |" for k, v in rows), "", *_passes(data["passes"]), ""]
    lines += [*_profile(data["execution"]), *_picture(data.get("picture"))]
    return [*lines, *(f"- {note}" for note in data["notes"])]


def _cell(value: Any) -> str:
    if value is None:
        return "unknown"
    return f"{value:.{MARKDOWN_DIGITS}g}" if isinstance(value, float) else str(value)


def _unit_of(value: float | None, unit: str) -> str | None:
    return None if value is None else f"{value:.0f} {unit}"


def _html(markdown: str, title: str, pictures: Mapping[str, str]) -> str:
    """Headings, tables, lists, code and pictures of our own pages; nothing else occurs in them."""
    from html import escape

    body: list[str] = []
    table = code = False
    for line in markdown.splitlines():
        if line.startswith("```"):
            code = not code
            body.append("<pre>" if code else "</pre>")
            continue
        text = escape(line)
        row = not code and line.startswith("|")
        if row != table:
            body.append("<table>" if row else "</table>")
            table = row
        body.append(text if code else _html_line(line, text, pictures))
    if table:
        body.append("</table>")
    style = "body{font:15px sans-serif;margin:2em;max-width:60em}td,th{border:1px solid #ccc;padding:3px 8px}"
    style += "table{border-collapse:collapse}pre{background:#f4f4f4;padding:8px}"
    style += "svg{max-width:100%;height:auto}"
    style += "@media (prefers-color-scheme:dark){body{background:#17181a;color:#e8eaed}"
    style += "td,th{border-color:#5f6368}pre{background:#26282c}}"
    head = f'<!doctype html><meta charset="utf-8"><title>{escape(title)}</title><style>{style}</style>'
    return head + "\n" + "\n".join(line for line in body if line) + "\n"


def _html_line(line: str, text: str, pictures: Mapping[str, str]) -> str:
    """A line outside of code."""
    picture = re.fullmatch(r"!\[.*\]\((.*)\)", line)
    if picture is not None:
        return pictures.get(picture[1], "")
    if line.startswith("|"):
        if set(line) <= set("|-"):
            return ""
        cells = [c.strip() for c in text.strip("|").split(" | ")]
        return "<tr>" + "".join(f"<td>{c.strip('| ')}</td>" for c in cells) + "</tr>"
    for prefix, tag in (("### ", "h3"), ("## ", "h2"), ("# ", "h1"), ("- ", "li")):
        if line.startswith(prefix):
            return f"<{tag}>{text[len(prefix) :]}</{tag}>"
    return f"<p>{text.replace('**', '')}</p>" if text else ""


def picture_names(count: int) -> list[str]:
    """File names of the drawings of so many structures: chip.svg, or chip-1.svg and on."""
    return ["chip.svg"] if count == 1 else [f"chip-{number + 1}.svg" for number in range(count)]
