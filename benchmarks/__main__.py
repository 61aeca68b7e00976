"""Benchmarks beside other compilers.

    python -m benchmarks run [--quick] [--resume] [--peer-python PATH]   measure; rows: OUT/results.jsonl
    python -m benchmarks page                                            docs/benchmarks.md and its plots
    python -m benchmarks check                                           compare with the stored baseline

Peers that are not installed are rows that say so. `pip install ".[bench]"` installs them.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks import baseline, machines
from benchmarks.compilers import BY_NAME, ENTRIES, Entry
from benchmarks.runner import RESULTS, Options, Run, read_rows
from benchmarks.workloads import workloads

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "build" / "benchmarks"
QUICK = {"limit": 4.0, "budget": 9.0}
WHOLE = {"limit": 25.0, "budget": 118.0}


def parser() -> argparse.ArgumentParser:
    """The command line."""
    out = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    commands = out.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="measure")
    families = sorted({workload.family for workload in workloads()} | {"mqt.bench"})
    run.add_argument("--quick", action="store_true", help="under 10 minutes on 2 cores")
    run.add_argument("--resume", action="store_true", help="go on where a run of the same folder stopped")
    run.add_argument("--family", nargs="+", default=[], choices=families, metavar="FAMILY")
    run.add_argument("--target", nargs="+", default=[], choices=machines.NAMES)
    run.add_argument("--peers", nargs="*", default=None, choices=[e.name for e in ENTRIES if not e.is_ours])
    run.add_argument("--ours", nargs="*", default=None, choices=[e.name for e in ENTRIES if e.is_ours])
    run.add_argument("--peer-python", default=sys.executable, help="interpreter that has the peers")
    run.add_argument("--limit", type=float, help="seconds for one compiler on one circuit")
    run.add_argument("--budget", type=float, help="minutes after which no further case is begun")
    page = commands.add_parser("page", help="write docs/benchmarks.md and its plots")
    page.add_argument("--docs", type=Path, default=ROOT / "docs")
    check = commands.add_parser("check", help="compare with the stored baseline")
    check.add_argument("--baseline", type=Path, default=baseline.STORED)
    for command in (run, page, check):
        command.add_argument("--out", type=Path, default=OUT, help="folder of the results")
    return out


def main(words: list[str] | None = None) -> int:
    """Run the command; 1 if something got worse."""
    arguments = parser().parse_args(words)
    if arguments.command == "run":
        return run(arguments)
    path = arguments.out / RESULTS
    rows = read_rows(path)
    if not rows:
        print(f"{path} has no rows: `python -m benchmarks run` makes them", file=sys.stderr)
        return 2
    if arguments.command == "check":
        return baseline.check(rows, read_rows(arguments.baseline))
    from benchmarks.page import write

    for written in write(rows, arguments.docs):
        print(written)
    return 0


def run(arguments: argparse.Namespace) -> int:
    """Measure, with a bar."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    path = arguments.out / RESULTS
    if path.exists() and not arguments.resume:
        print(f"{path} exists: --resume goes on with it, --out names another folder", file=sys.stderr)
        return 2
    usual = QUICK if arguments.quick else WHOLE
    options = Options(
        arguments.out,
        arguments.quick,
        arguments.family,
        arguments.target,
        chosen(arguments),
        arguments.peer_python,
        arguments.limit or usual["limit"],
        arguments.budget or usual["budget"],
    )
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with Progress(*columns) as bar:
        task = bar.add_task("starting")

        def say(what: str, done: int, total: int) -> None:
            bar.update(task, description=what, completed=done, total=total)

        done, total = Run(options, say).run()
        bar.update(task, description="done", completed=done, total=total)
    if done < total:
        print(f"{total - done} of {total} cases are left: --resume goes on")
    print(path)
    return 0


def chosen(arguments: argparse.Namespace) -> tuple[Entry, ...]:
    """The compilers that take part."""
    out = []
    for entry in BY_NAME.values():
        names = arguments.ours if entry.is_ours else arguments.peers
        if names is None:
            names = [entry.name] if entry.quick or not arguments.quick else []
        if entry.name in names:
            out.append(entry)
    return tuple(out)


if __name__ == "__main__":
    sys.exit(main())
