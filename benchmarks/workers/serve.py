"""The loop of a worker: one JSON request a line on standard input, one JSON answer a line on standard output.

A compiler is a function from a case to an `Answer`; this file times it, measures its memory and writes its
circuit for the judge. Needs NumPy alone.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

Row = tuple[str, tuple[int, ...], tuple[float, ...]]
"""A gate of the result: name (of our gate table), qubits, angles in radians."""


@dataclass(frozen=True)
class Case:
    """What is to be compiled.

    Attributes:
        num_qubits: of the circuit.
        gates: (name, qubits, angles) as in benchmarks/workloads.py.
        machine_qubits: of the machine.
        edges: couplings, each once; None is all of them.
        values: of the symbols.
        options: of the compiler, such as its level.
        state: real amplitudes (first qubit most significant) that |0...0> must become; the gates are then
            only one way to do it. None where the gates are what is meant.
    """

    num_qubits: int
    gates: list[Any]
    machine_qubits: int
    edges: list[tuple[int, int]] | None
    values: dict[str, float]
    options: dict[str, Any]
    state: list[float] | None = None


@dataclass
class Answer:
    """A compiled circuit.

    Attributes:
        rows: its gates on the machine's qubits, symbols bound; or columns (see `columns`).
        initial: machine qubit on which each qubit starts; None is its own number.
        final: machine qubit on which each qubit ends.
        bind_seconds: one binding of all symbols.
    """

    rows: Any
    initial: list[int] | None = None
    final: list[int] | None = None
    bind_seconds: float | None = None


@dataclass(frozen=True)
class Compiler:
    """How a worker compiles.

    Attributes:
        prepare: the case in the compiler's own objects; not timed.
        compile: what is timed; gets the prepared circuit, the case and the number of the run.
        finish: the result as an `Answer`; not timed.
        cost: what the best of several runs has least of.
        packages: whose versions are noted.
        forget: empties caches between runs.
    """

    prepare: Callable[[Case], Any]
    compile: Callable[[Any, Case, int], Any]
    finish: Callable[[Any, Any, Case], Answer]
    cost: Callable[[Any], tuple[int, int]]
    packages: tuple[str, ...]
    forget: Callable[[], None] = field(default=lambda: None)


def serve(compiler: Compiler) -> None:
    """Answer until standard input ends. What libraries print goes to standard error."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    versions = {name: version_of(name) for name in compiler.packages}
    _say(out, {"versions": versions, "python": sys.version.split()[0]})
    for line in sys.stdin:
        try:
            answer = run(compiler, json.loads(line))
        except MemoryError:
            answer = {"status": "failed", "reason": "out of memory"}
        except Exception as error:  # whatever a compiler throws is a row
            answer = {"status": "failed", "reason": reason(error)}
        _say(out, answer)


def _say(out: Any, answer: dict[str, Any]) -> None:
    out.write(json.dumps(answer) + "\n")
    out.flush()


def version_of(name: str) -> str | None:
    """Of an installed package."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def reason(error: Exception) -> str:
    """One line that says what and where."""
    places = traceback.extract_tb(error.__traceback__)
    where = f" ({Path(places[-1].filename).name}:{places[-1].lineno})" if places else ""
    text = " ".join(str(error).split())[:200]
    return f"{type(error).__name__}: {text}{where}"


def run(compiler: Compiler, request: dict[str, Any]) -> dict[str, Any]:
    """Compile a case as often as asked, or as the time allows; the cheapest result goes to the judge."""
    given = json.loads(Path(request["circuit"]).read_text())
    edges = request["edges"]
    case = Case(
        given["num_qubits"],
        given["gates"],
        request["machine_qubits"],
        None if edges is None else [(a, b) for a, b in edges],
        request["values"],
        request["options"],
        given.get("state"),
    )
    source = compiler.prepare(case)
    memory = Memory()
    seconds: list[float] = []
    costs: list[tuple[int, int]] = []
    best = None
    for number in range(request["runs"]):
        compiler.forget()
        begin = time.perf_counter()
        found = compiler.compile(source, case, number)
        seconds.append(time.perf_counter() - begin)
        costs.append(compiler.cost(found))
        if best is None or costs[-1] < min(costs[:-1]):
            best = found
        if sum(seconds) + median(seconds) > request["enough"]:
            break
    used = memory.peak()
    write(Path(request["result"]), compiler.finish(best, source, case), case)
    return {"status": "ok", "seconds": seconds, "costs": costs, "memory_mb": used}


class Memory:
    """Peak resident memory since it was made, where the system lets one ask; since the process began
    elsewhere."""

    STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")

    def __init__(self) -> None:
        try:
            self.CLEAR.write_text("5")
        except OSError:
            return

    def peak(self) -> float:
        """Megabytes."""
        try:
            lines = self.STATUS.read_text().splitlines()
            return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
        except (OSError, StopIteration):
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def write(path: Path, answer: Answer, case: Case) -> None:
    """The result as columns, for the judge."""
    identity = list(range(case.num_qubits))
    parts = answer.rows if isinstance(answer.rows, dict) else columns(answer.rows)
    np.savez(
        path,
        **parts,
        initial=np.array(identity if answer.initial is None else answer.initial, dtype=np.int32),
        final=np.array(identity if answer.final is None else answer.final, dtype=np.int32),
        bind_seconds=np.array(np.nan if answer.bind_seconds is None else answer.bind_seconds),
    )


def columns(rows: Iterator[Row] | list[Row]) -> dict[str, Any]:
    """Rows as arrays: `names`, and for each row `op` (index of names), `operands` (2), `angles` (3)."""
    names: dict[str, int] = {}
    op, operands, angles = [], [], []
    for name, qubits, turns in rows:
        op.append(names.setdefault(name, len(names)))
        operands.append((*qubits, -1, -1)[:2])
        angles.append((*turns, 0.0, 0.0, 0.0)[:3])
    return {
        "names": np.array(list(names), dtype=np.str_),
        "op": np.array(op, dtype=np.int32),
        "operands": np.array(operands, dtype=np.int32).reshape(-1, 2),
        "angles": np.array(angles, dtype=np.float64).reshape(-1, 3),
    }


def two_qubit_cost(pairs: list[tuple[int, int]]) -> tuple[int, int]:
    """(gates, depth) of two-qubit gates, given their qubits in order."""
    level: dict[int, int] = {}
    for a, b in pairs:
        level[a] = level[b] = max(level.get(a, 0), level.get(b, 0)) + 1
    return len(pairs), max(level.values(), default=0)
