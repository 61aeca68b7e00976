"""docs/benchmarks.md and its plots, from the rows of a run. Every number on the page is computed here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from math import inf
from pathlib import Path
from typing import Any

from benchmarks import machines, plots
from benchmarks.compilers import ATOL, BY_NAME, ENTRIES
from benchmarks.judge import COMPARED
from benchmarks.quality import geometric_mean
from benchmarks.reasons import reason
from benchmarks.runner import Options, key_of, plan

Row = dict[str, Any]
Case = dict[str, Row]
"""Compiler -> row, of one workload on one machine."""
Key = tuple[str, str]
"""(workload, machine)."""

MAIN, LIGHT, EXACT_ONE, QISKIT = "ours-3", "ours-2", "ours-3-exact", "qiskit-3"
LABELS = {entry.name: entry.label for entry in ENTRIES}
PEERS = tuple(entry.name for entry in ENTRIES if not entry.is_ours)
EXACT_PEERS = tuple(name for name in PEERS if BY_NAME[name].exact)
FIGURES = {
    "two_qubit": "two-qubit gates",
    "two_qubit_depth": "two-qubit depth",
    "depth": "depth",
    "pulses": "pulses",
}


class Rows:
    """The rows of a run, by case.

    Args:
        rows: all, in order; of a case that was run twice the last one counts.
    """

    def __init__(self, rows: Sequence[Row]) -> None:
        self.sessions = [row for row in rows if row["kind"] == "machine"]
        self.cases: dict[Key, Case] = {}
        for row in rows:
            if row["kind"] == "case":
                self.cases.setdefault((row["workload"], row["target"]), {})[row["compiler"]] = row
        self.compilers = [e.name for e in ENTRIES if any(e.name in case for case in self.cases.values())]
        found = {target for _, target in self.cases}
        self.targets = [name for name in machines.NAMES if name in found]
        self.families = list(dict.fromkeys(self._families()))

    def _families(self) -> Iterator[str]:
        for case in self.cases.values():
            yield next(iter(case.values()))["family"]

    def on(self, target: str, family: str | None = None) -> list[Case]:
        """Cases of a machine, and of a family."""
        return [
            case
            for (_, where), case in self.cases.items()
            if where == target and family in (None, next(iter(case.values()))["family"])
        ]


def figure(case: Case, compiler: str, name: str) -> float | None:
    """A figure of a compiler, if it has one."""
    row = case.get(compiler)
    return row.get(name) if row is not None and row["status"] == "ok" else None


def best(case: Case, name: str, among: Iterable[str] = PEERS) -> float | None:
    """The least of a figure."""
    found = [value for peer in among if (value := figure(case, peer, name)) is not None]
    return min(found, default=None)


def ratios(
    cases: Iterable[Case], ours: str, theirs: Callable[[Case], float | None], name: str
) -> list[float]:
    """Our figure over theirs, where both have one and neither is zero."""
    out = []
    for case in cases:
        mine, other = figure(case, ours, name), theirs(case)
        if mine and other:
            out.append(mine / other)
    return out


def mean(values: list[float]) -> str:
    """Geometric mean with the number of cases."""
    return f"{geometric_mean(values):.3f} ({len(values)})" if values else "-"


def table(heads: Sequence[str], lines: Iterable[Sequence[str]]) -> list[str]:
    """A table in Markdown."""
    out = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    return [*out, *(f"| {' | '.join(line)} |" for line in lines), ""]


# -- parts of the page --------------------------------------------------------------------------------------


SETTINGS = f"""\
**Tolerance.** Qiskit's levels 2 and 3 drop rotations below about 1e-4 radians without being asked. So
`QAttn 2` and `QAttn 3` run at `atol={ATOL:g}` here; `QAttn 3 exact` drops nothing above 1e-8, and stands
beside compilers that drop nothing either (pytket, Cirq, PennyLane, BQSKit, Qiskit's level 1). `QAttn 3 long`
has `effort="long"`.

**Settings.** Qiskit: `transpile`, level 3 (and 1), the best of 5 seeds; the median is in the rows.
pytket: FullPeepholeOptimise, graph placement, routing, KAKDecomposition, CliffordSimp, SynthesiseTket,
rebase (its level 2); "greedy" is GreedyPauliSimp, then FullPeepholeOptimise (its level 3), all-to-all
only. Cirq: RouteCQC, then the CZ gateset. PennyLane: its default passes twice, all-to-all only. BQSKit:
`compile`, level 3, all-to-all, up to 4 qubits. Ours has one seed (its times are medians of three runs),
from and to `cirq.Circuit`. All write CZ and single-qubit gates; an Eagle's ECR counts as a CZ. SWAPs may
be done by relabelling in all of them. Pulses are single-qubit runs that are more than a frame change;
depth counts such runs as one layer.

**Times** are medians, warm, of one process a compiler, side by side on the same machine in the same run.
They are worth something as ratios only; the load of the machine is in every row.
"""
REPEAT = """\
# Benchmarks

Written by `python -m benchmarks page` from the rows of `python -m benchmarks run`. To repeat it:

```sh
pip install ".[bench]"
python -m benchmarks run --quick     # under 10 minutes on 2 cores; without --quick under 2 hours
python -m benchmarks page
```
"""
BUSY = 1.5
"""Load from which a run of one process at a time had company."""


def opening(rows: Rows) -> list[str]:
    """What this is and how it was measured."""
    every = [row for case in rows.cases.values() for row in case.values()]
    counts = Counter(row["status"] for row in every)
    said = ", ".join(f"{count} {status}" for status, count in counts.most_common())
    compared = sum(row.get("error") is not None for row in every)
    lines = [
        *REPEAT.splitlines(),
        "",
        f"{len(every)} rows ({said}) over {len(rows.cases)} pairs of circuit and machine. Every result was",
        f"checked: gates native and on couplings; {compared} results of up to {COMPARED} qubits, compared",
        "with their input on random states. A result that fails is a row `wrong` and counts nowhere.",
        "",
        *SETTINGS.splitlines(),
        "",
    ]
    for session in rows.sessions:
        kind = "quick" if session["quick"] else "whole"
        lines += [
            f"- {session['when']}, {kind}, limit {session['limit']:g} s a case, load {session['load']:.1f}:",
            f"  {session['processor']}, {session['cores']} cores, {session['memory_gb']} GB, "
            f"Python {session['python']}, sources `{session['sources']}`",
        ]
    workers = [hello for session in rows.sessions for hello in session["compilers"].values()]
    versions = {name: number for hello in workers for name, number in hello.get("versions", {}).items()}
    lines += ["- " + ", ".join(f"{name} {number}" for name, number in sorted(versions.items()) if number), ""]
    loads = sorted(row["load"] for row in every if "load" in row)
    planned = {case.key for case in plan(Options(Path(), compilers=ENTRIES))}
    left = planned - {key_of(row) for row in every}
    if left:
        lines += [
            f"**This run is not whole**: {len(left)} of {len(planned)} cases have no row.",
            "",
        ]
    if loads and loads[len(loads) // 2] > BUSY:
        lines += [
            "**The machine was shared with other work during this run** (median load "
            f"{loads[len(loads) // 2]:.1f} on {rows.sessions[-1]['cores']} cores).",
            "Counts do not depend on that; seconds do, and more cases ran out of time than on a free one.",
            "",
        ]
    return lines


def summary(rows: Rows) -> list[str]:
    """Geometric means by machine."""
    lines = [
        "## In short",
        "",
        'Geometric means of our figure over theirs (number of cases); below 1 we need less. "Best peer" is',
        "the least of that figure that any peer reaches on that case.",
        "",
    ]
    for theirs, label in ((_best, "the best peer"), (_qiskit, "Qiskit 3, best of 5 seeds")):
        body = []
        for target in rows.targets:
            cases = rows.on(target)
            cells = [mean(ratios(cases, MAIN, theirs(name), name)) for name in FIGURES]
            body.append([target, *cells, mean(ratios(cases, MAIN, _of(QISKIT, "seconds"), "seconds"))])
        lines += [f"QAttn 3 over {label} (atol {ATOL:g}):", ""]
        lines += table(("machine", *FIGURES.values(), "seconds over Qiskit 3's"), body)
    body = []
    for target in rows.targets:
        cases = rows.on(target)
        cells = [mean(ratios(cases, LIGHT, _qiskit(name), name)) for name in FIGURES]
        body.append([target, *cells, mean(ratios(cases, LIGHT, _of(QISKIT, "seconds"), "seconds"))])
    lines += [f"QAttn 2 over Qiskit 3 (atol {ATOL:g}):", ""]
    lines += table(("machine", *FIGURES.values(), "seconds over Qiskit 3's"), body)
    body = []
    for target in rows.targets:
        cases = [case for case in rows.on(target) if figure(case, EXACT_ONE, "two_qubit") is not None]
        cells = [mean(ratios(cases, EXACT_ONE, _exact(name), name)) for name in FIGURES]
        if cases:
            body.append([target, *cells])
    if body:
        lines += ["Exact: QAttn 3 exact over the best peer that drops nothing:", ""]
        lines += table(("machine", *FIGURES.values()), body)
    return lines


def _of(compiler: str, name: str) -> Callable[[Case], float | None]:
    return lambda case: figure(case, compiler, name)


def _best(name: str) -> Callable[[Case], float | None]:
    return lambda case: best(case, name)


def _qiskit(name: str) -> Callable[[Case], float | None]:
    return _of(QISKIT, name)


def _exact(name: str) -> Callable[[Case], float | None]:
    return lambda case: best(case, name, EXACT_PEERS)


def families(rows: Rows) -> list[str]:
    """Geometric means by family and machine."""
    lines = [
        "## By family",
        "",
        f"QAttn 3 over the best peer, by machine (atol {ATOL:g}); geometric mean (cases).",
        "",
    ]
    for name, what in (("two_qubit", "Two-qubit gates"), ("two_qubit_depth", "Two-qubit depth")):
        body = [
            [
                family,
                *(mean(ratios(rows.on(target, family), MAIN, _best(name), name)) for target in rows.targets),
            ]
            for family in rows.families
        ]
        lines += [f"{what}:", "", *table(("family", *rows.targets), body)]
    return lines


def losses(rows: Rows) -> list[str]:
    """Every case where a peer is better."""
    body = []
    for (workload, target), case in rows.cases.items():
        if MAIN not in case:  # the run was ended before it came to that
            continue
        mine = cost(case, MAIN)
        found = [(there, peer) for peer in PEERS if (there := cost(case, peer)) is not None]
        if not found:
            continue
        least, peer = min(found)
        if mine is None:
            row = case[MAIN]
            cells = (f"{least[0]} / {least[1]}", row["status"])
            body.append((inf, workload, target, *cells, peer, row.get("reason", "")))
        elif least < mine:
            ratio = mine[0] / least[0] if least[0] else inf
            cells = (f"{least[0]} / {least[1]}", f"{mine[0]} / {mine[1]}")
            body.append((ratio, workload, target, *cells, peer, reason(case[MAIN], peer)))
    body.sort(key=lambda line: -line[0])
    fewer = sum(line[0] > 1 for line in body)
    played = sum(MAIN in case for case in rows.cases.values())
    lines = [
        "## Where a peer beats us",
        "",
        f"QAttn 3 against all peers, two-qubit gates first and then two-qubit depth (atol {ATOL:g}): of",
        f"{played} cases {fewer} where a peer has fewer gates (or we have no result), and",
        f"{len(body) - fewer} with as many gates and less depth.",
        "",
    ]
    heads = ("circuit", "machine", "peer", "its gates / depth", "ours", "ratio", "why, as far as known")
    named = [
        [w, t, LABELS[peer], there, here, f"{ratio:.3f}" if ratio < inf else "-", why]
        for ratio, w, t, there, here, peer, why in body
    ]
    return [*lines, *table(heads, named), *depth_losses(rows)]


def cost(case: Case, compiler: str) -> tuple[int, int] | None:
    """(two-qubit gates, two-qubit depth)."""
    row = case.get(compiler)
    return (row["two_qubit"], row["two_qubit_depth"]) if row is not None and row["status"] == "ok" else None


def depth_losses(rows: Rows) -> list[str]:
    """Cases with more depth than a peer though with no more gates than any."""
    body = []
    for (workload, target), case in rows.cases.items():
        mine = cost(case, MAIN)
        found = [(there[1], there[0], peer) for peer in PEERS if (there := cost(case, peer)) is not None]
        if mine is None or not found:
            continue
        least = min(found)
        if least[0] < mine[1]:
            cells = [LABELS[least[2]], f"{least[1]} / {least[0]}", f"{mine[0]} / {mine[1]}"]
            body.append((mine[1] / least[0], [workload, target, *cells, f"{mine[1] / least[0]:.3f}"]))
    body.sort(key=lambda line: -line[0])
    lines = [
        "### Less two-qubit depth",
        "",
        f"{len(body)} of {len(rows.cases)} cases where a peer has less two-qubit depth, whatever it spends.",
        'Our default counts gates first; `cost="depth"` counts depth first and was not measured here.',
        "All-to-all, a circuit that is built anew as Pauli rotations trades depth for gates (QFT), and",
        "pytket's greedy search does the opposite on cascades of multiplexors; on machines most of these",
        "results have more gates than ours.",
        "",
    ]
    heads = ("circuit", "machine", "peer", "its gates / depth", "ours", "depth ratio")
    return [*lines, *table(heads, [cells for _, cells in body])]


def slower(rows: Rows) -> list[str]:
    """Where we take longer than Qiskit."""
    lines = [
        "## Time",
        "",
        "Seconds to compile over Qiskit 3's on the same case, by machine: least, median, greatest.",
        "",
    ]
    body = []
    for target in rows.targets:
        for name in (LIGHT, MAIN, "pytket", "pytket-greedy", "cirq", "pennylane", "bqskit"):
            found = sorted(ratios(rows.on(target), name, _of(QISKIT, "seconds"), "seconds"))
            if found:
                cells = [f"{found[0]:.2f}", f"{found[len(found) // 2]:.2f}", f"{found[-1]:.1f}"]
                body.append([target, LABELS[name], *cells, mean(found)])
    lines += table(("machine", "compiler", "least", "median", "greatest", "geometric mean (cases)"), body)
    loading: dict[str, list[float]] = {}
    for session in rows.sessions:
        for worker, hello in session["compilers"].items():
            if "import_seconds" in hello:
                loading.setdefault(worker.removeprefix("with_"), []).append(hello["import_seconds"])
    lines += [
        "Import, until a first circuit could be built (median of three processes, the least of all runs):",
        "",
    ]
    lines += table(("compiler", "seconds"), [[name, f"{min(found):.2f}"] for name, found in loading.items()])
    return lines


def known(rows: Rows) -> list[str]:
    """Circuits whose optimum is known."""
    body = []
    for (workload, target), case in rows.cases.items():
        depth = next(iter(case.values())).get("known", 0)
        if depth:
            cells = [_cell(case.get(name)) for name in rows.compilers if BY_NAME[name].routes]
            body.append([workload, target, str(depth), *cells])
    if not body:
        return []
    heads = ("circuit", "machine", "least depth", *(LABELS[n] for n in rows.compilers if BY_NAME[n].routes))
    return ["## Known optimum (QUEKO)", "", "Two-qubit gates / depth.", "", *table(heads, body)]


def symbols(rows: Rows) -> list[str]:
    """Circuits with free angles."""
    body = []
    for (workload, target), case in rows.cases.items():
        if next(iter(case.values()))["family"] != "symbols":
            continue
        for name in rows.compilers:
            row = case.get(name)
            if row is None or row["status"] == "skipped":
                continue
            bind = row.get("bind_seconds")
            cells = [
                _cell(row),
                str(row.get("pulses", "-")),
                f"{1e3 * bind:.3f}" if bind is not None else "-",
            ]
            seconds = f"{row['seconds']:.2f}" if "seconds" in row else "-"
            body.append([workload, target, LABELS[name], *cells, seconds])
    if not body:
        return []
    heads = (
        "circuit",
        "machine",
        "compiler",
        "two-qubit gates / depth",
        "pulses when bound",
        "bind, ms",
        "compile, s",
    )
    text = (
        "Compiled with free angles, then bound. Ours binds a hundred sets at once; the time is that of one."
    )
    return ["## Symbols", "", text, "", *table(heads, body)]


def missing(rows: Rows) -> list[str]:
    """Failures, time-outs, wrong results; what was skipped is counted."""
    body: list[list[str]] = []
    skipped: dict[tuple[str, str], int] = {}
    for (workload, target), case in rows.cases.items():
        for name, row in case.items():
            if row["status"] == "skipped":
                key = (LABELS[name], row["reason"])
                skipped[key] = skipped.get(key, 0) + 1
            elif row["status"] != "ok":
                said = row.get("reason", "").replace("|", "/")
                body.append([LABELS[name], workload, target, row["status"], said])
    lines = [
        "## Failures and time-outs",
        "",
        *table(("compiler", "circuit", "machine", "what", "said"), sorted(body)),
    ]
    lines += ["Not tried:", ""]
    return [
        *lines,
        *table(("compiler", "why", "cases"), [[*key, str(count)] for key, count in sorted(skipped.items())]),
    ]


def everything(rows: Rows) -> list[str]:
    """All counts."""
    lines = [
        "## All counts",
        "",
        "Two-qubit gates / two-qubit depth; ours last, the best of each line in bold.",
        "",
    ]
    for target in rows.targets:
        names = [n for n in rows.compilers if target == "all-to-all" or BY_NAME[n].routes]
        names.sort(key=lambda name: BY_NAME[name].is_ours)
        body = []
        for (workload, where), case in rows.cases.items():
            if where != target:
                continue
            costs = [cost(case, name) for name in names]
            least = min((c for c in costs if c is not None), default=None)
            cells = [
                f"**{_cell(case.get(name))}**" if c is not None and c == least else _cell(case.get(name))
                for name, c in zip(names, costs, strict=True)
            ]
            body.append([workload, *cells])
        lines += [f"### {target}", "", *table(("circuit", *(LABELS[n] for n in names)), body)]
    return lines


def _cell(row: Row | None) -> str:
    if row is None:
        return ""
    if row["status"] != "ok":
        status = str(row["status"])
        return {"skipped": "-", "timeout": "time-out"}.get(status, status)
    return f"{row['two_qubit']} / {row['two_qubit_depth']}"


# -- plots --------------------------------------------------------------------------------------------------


def drawings(rows: Rows) -> dict[str, str]:
    """File name -> SVG."""
    out = {}
    for place, targets in (("all-to-all", rows.targets[:1]), ("routed", rows.targets[1:])):
        cases = [case for target in targets for case in rows.on(target)]
        for name in ("two_qubit", "two_qubit_depth"):
            profiles = {
                c: profile_of(cases, c, name, rows.compilers) for c in rows.compilers if c != EXACT_ONE
            }
            profiles = {c: values for c, values in profiles.items() if values and min(values) < inf}
            most = max((len(values) for values in profiles.values()), default=0)
            profiles = {c: values for c, values in profiles.items() if 2 * len(values) >= most}
            if profiles:
                title = f"{FIGURES[name].capitalize()}, {place}"
                out[f"profile-{place}-{name}.svg"] = plots.profile(profiles, LABELS, title)
    colours = dict(zip(rows.targets, ("#0b57d0", "#b3261e", "#137333", "#e37400", "#8430ce"), strict=False))
    for name in ("two_qubit", "two_qubit_depth"):
        groups: dict[str, dict[str, float]] = {}
        for family in rows.families:
            for target in rows.targets:
                found = ratios(rows.on(target, family), MAIN, _best(name), name)
                if found:
                    groups.setdefault(family, {})[target] = geometric_mean(found)
        if groups:
            title = f"{FIGURES[name].capitalize()}: QAttn 3 over the best peer"
            out[f"families-{name}.svg"] = plots.bars(groups, colours, title)
    for name, unit in (("seconds", "seconds"), ("memory_mb", "peak memory, MB")):
        curves = growth_of(rows, name)
        if curves:
            out[f"growth-{name}.svg"] = plots.growth(
                curves, LABELS, "Random circuits on 64 qubits, all-to-all", unit
            )
    return out


def profile_of(cases: list[Case], compiler: str, name: str, among: Sequence[str]) -> list[float]:
    """A compiler's figure over the best of all, for each case that it was tried on."""
    out = []
    for case in cases:
        least = best(case, name, [c for c in among if c != EXACT_ONE])
        if compiler not in case or case[compiler]["status"] == "skipped" or not least:
            continue
        value = figure(case, compiler, name)
        out.append(inf if value is None else value / least)
    return out


def growth_of(rows: Rows, name: str) -> dict[str, list[tuple[float, float]]]:
    """Points (gates, figure) of each compiler on the growing circuits."""
    out: dict[str, list[tuple[float, float]]] = {}
    for (_, target), case in rows.cases.items():
        size = next(iter(case.values())).get("size", 0)
        if size and target == "all-to-all":
            for compiler in rows.compilers:
                value = figure(case, compiler, name)
                if value:
                    out.setdefault(compiler, []).append((size, value))
    return {compiler: sorted(points) for compiler, points in out.items()}


def write(given: Sequence[Row], docs: Path) -> list[Path]:
    """Write the page and its plots.

    Args:
        given: rows of a run.
        docs: folder of the page; plots go to `benchmarks/` in it.

    Returns:
        what was written.
    """
    rows = Rows(given)
    folder = docs / "benchmarks"
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    pictures = drawings(rows)
    for name, svg in pictures.items():
        written.append(folder / name)
        written[-1].write_text(svg, encoding="utf-8")
    shown = {
        kind: [f"![{name}](benchmarks/{name})" for name in pictures if name.startswith(kind)]
        for kind in KINDS
    }
    lines = [*opening(rows), *summary(rows), *shown["profile"], "", *families(rows), *shown["families"], ""]
    lines += [*losses(rows), *known(rows), *slower(rows), *shown["growth"], "", *symbols(rows)]
    lines += [*missing(rows), *everything(rows)]
    page = docs / "benchmarks.md"
    page.write_text("\n".join(lines).rstrip("\n") + "\n", encoding="utf-8")
    return [page, *written]


KINDS = ("profile", "families", "growth")
