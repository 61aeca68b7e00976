"""Report: what was compiled, what it costs, stage by stage, how it is decoded, what was proved."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

MARKDOWN_DIGITS = 4


@dataclass(frozen=True)
class Report:
    """Plain data with three ways to print it.

    Attributes:
        data: nested dicts, lists, strings and numbers only.
        page: makes the lines of the page for people.
    """

    data: Mapping[str, Any]
    page: Callable[[dict[str, Any]], list[str]] = lambda data: compile_page(data)

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
        """The same page as a self-contained HTML file."""
        return _html(self.to_markdown(), str(self.data.get("expression", "")))


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
    return lines


def _passes(steps: list[dict[str, Any]]) -> list[str]:
    header = ("stage", "pass", "two-qubit", "two-qubit depth", "single-qubit", "depth", "ms")
    lines = [f"| {' | '.join(header)} |", f"|{'---|' * len(header)}"]
    for step in steps:
        row = (
            step["stage"],
            step["pass"],
            step["gates_2q"],
            step["depth_2q"],
            step["gates_1q"],
            step["depth"],
        )
        lines.append(f"| {' | '.join(_cell(v) for v in (*row, 1e3 * step['seconds']))} |")
    return lines


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
    return [*lines, *(f"- {note}" for note in data["notes"])]


def _cell(value: Any) -> str:
    if value is None:
        return "unknown"
    return f"{value:.{MARKDOWN_DIGITS}g}" if isinstance(value, float) else str(value)


def _unit_of(value: float | None, unit: str) -> str | None:
    return None if value is None else f"{value:.0f} {unit}"


def _html(markdown: str, title: str) -> str:
    """Headings, tables, lists and code of our own pages; nothing else occurs in them."""
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
        body.append(_html_line(line, text, code))
    if table:
        body.append("</table>")
    style = "body{font:15px sans-serif;margin:2em;max-width:60em}td,th{border:1px solid #ccc;padding:3px 8px}"
    style += "table{border-collapse:collapse}pre{background:#f4f4f4;padding:8px}"
    head = f'<!doctype html><meta charset="utf-8"><title>{escape(title)}</title><style>{style}</style>'
    return head + "\n" + "\n".join(line for line in body if line) + "\n"


def _html_line(line: str, text: str, code: bool) -> str:
    if code:
        return text
    if line.startswith("|"):
        cells = [c.strip() for c in text.strip("|").split(" | ")]
        return (
            ""
            if set(line) <= set("|-")
            else "<tr>" + "".join(f"<td>{c.strip('| ')}</td>" for c in cells) + "</tr>"
        )
    for prefix, tag in (("## ", "h2"), ("# ", "h1"), ("- ", "li")):
        if line.startswith(prefix):
            return f"<{tag}>{text[len(prefix) :]}</{tag}>"
    return f"<p>{text.replace('**', '')}</p>" if text else ""
