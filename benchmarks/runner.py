"""Runs cases: workers, time limits, resuming, rows."""

from __future__ import annotations

import json
import os
import platform
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Container, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory, TemporaryFile
from typing import IO, Any

from benchmarks import judge, machines
from benchmarks.compilers import EXACT, IMPORTS, Entry
from benchmarks.workloads import MQT, Gates, Workload, workloads

HERE = Path(__file__).parent
RESULTS = "results.jsonl"
Row = dict[str, Any]
START_LIMIT = 300.0
"""Seconds for a worker to import its compiler and to compile kernels."""
GRACE = 1.5
"""A case is ended after so many times its limit: what the worker does besides is not counted."""
REPEATED = 0.1
"""Share of the limit after which a compiler without seeds is not timed again."""
GROWTH_LIMIT = 4.0
"""Growing circuits have so many times the limit."""


@dataclass(frozen=True)
class Case:
    """One workload on one machine by one compiler."""

    workload: Workload
    target: str
    entry: Entry

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes a row unique."""
        return self.workload.name, self.target, self.entry.name


@dataclass
class Options:
    """What the command line says.

    Attributes:
        out: folder of the results.
        quick: the short run.
        families, targets, compilers: only those; empty is all.
        peer_python: interpreter that has the peers.
        limit: seconds for one compiler on one circuit.
        budget: minutes after which no further case is begun.
    """

    out: Path
    quick: bool = False
    families: Sequence[str] = ()
    targets: Sequence[str] = ()
    compilers: Sequence[Entry] = ()
    peer_python: str = sys.executable
    limit: float = 20.0
    budget: float = 115.0


# -- workers ------------------------------------------------------------------------------------------------


class WorkerError(Exception):
    """A worker that cannot be used: it did not start, died, or took too long."""


@dataclass
class Worker:
    """A compiler's process; started when it is first needed, and anew after it was ended.

    Attributes:
        script: file in `workers/`.
        python: interpreter.
        hello: what it said of itself when it began.
    """

    script: str
    python: str
    hello: Row = field(default_factory=dict)
    dead: str = ""
    _process: subprocess.Popen[bytes] | None = None
    _said: IO[bytes] | None = None

    def ask(self, request: Row, seconds: float) -> Row:
        """The answer to a request.

        Raises:
            WorkerError: it cannot be had.
            TimeoutError: nor within that time; the process is ended.
        """
        self.start()
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        self._process.stdin.flush()
        return self._answer(seconds)

    def start(self) -> None:
        """Start the process, if it does not run.

        Raises:
            WorkerError: it cannot be had.
        """
        if self._process is not None:
            return
        if self.dead:
            raise WorkerError(self.dead)
        path = HERE / "workers" / f"{self.script}.py"
        self._said = TemporaryFile()  # noqa: SIM115  # lives as long as the process
        self._process = subprocess.Popen(
            [self.python, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            env=os.environ | {"PYTHONHASHSEED": "0", "QISKIT_PARALLEL": "FALSE"},
            cwd=HERE.parent,
            start_new_session=True,  # so that what it starts can be ended with it
        )
        try:
            self.hello = self._answer(START_LIMIT)
        except (WorkerError, TimeoutError) as error:
            self.dead = str(error) or "the worker did not start"
            raise WorkerError(self.dead) from None

    def _answer(self, seconds: float) -> Row:
        assert self._process is not None
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            ready = selector.select(seconds)
        if not ready:
            self.stop()
            raise TimeoutError
        line = self._process.stdout.readline()
        if line:
            out: Row = json.loads(line)
            return out
        code = self._process.wait()
        assert self._said is not None
        self._said.seek(0)
        lines = self._said.read().decode(errors="replace").strip().splitlines()
        self.stop()
        raise WorkerError(lines[-1] if lines else f"the process ended with code {code}")

    def stop(self) -> None:
        """End the process and all that it started."""
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._said):
            if stream is not None:
                stream.close()
        self._process = None


# -- what is to be done -------------------------------------------------------------------------------------


def plan(options: Options, more: Iterable[Workload] = ()) -> list[Case]:
    """All cases, in order: by workload and machine, so that compilers meet each case one after another."""
    out = []
    for workload in (*workloads(), *more):
        if (options.quick and not workload.quick) or not _wanted(workload.family, options.families):
            continue
        targets = machines.QUICK if options.quick else machines.NAMES
        for target in options.targets or targets:
            if workload.targets is not None and target not in workload.targets:
                continue
            out += [
                Case(workload, target, entry) for entry in options.compilers if takes(entry, workload, target)
            ]
    return sorted(out, key=lambda case: urgency(case.workload, case.target))


def urgency(workload: Workload, target: str) -> int:
    """What is done first where a budget may end the run: a little of everything, then the first two machines,
    then the rest; growing circuits last."""
    if workload.quick:
        return 0
    if workload.size:
        return 3 + workload.size
    return 1 if target in machines.QUICK else 2


def takes(entry: Entry, workload: Workload, target: str) -> bool:
    """Whether a compiler is there for such a case at all."""
    if not entry.routes and target != "all-to-all":
        return False
    return (entry.symbols or not workload.values) and (entry.prepares or workload.state is None)


def _wanted(name: str, chosen: Sequence[str]) -> bool:
    return not chosen or name in chosen


def too_large(case: Case, given: Gates) -> str:
    """Why a compiler is not tried on a circuit, by its size; empty if it is."""
    entry = case.entry
    if entry.most_gates is not None and len(given.gates) > entry.most_gates:
        return f"not tried above {entry.most_gates} gates"
    if entry.most_qubits is not None and given.num_qubits > entry.most_qubits:
        return f"not tried above {entry.most_qubits} qubits"
    return ""


# -- running ------------------------------------------------------------------------------------------------


class Run:
    """A run: its workers, its scratch folder and its file of rows.

    Args:
        options: of the command line.
        say: called with (what, done, total) before each case.
    """

    def __init__(self, options: Options, say: Callable[[str, int, int], None]) -> None:
        self.options = options
        self.say = say
        self.begin = time.monotonic()
        self.workers: dict[str, Worker] = {}
        self.given: tuple[str, Gates, Path] | None = None
        self.slow: dict[tuple[str, str, str], str] = {}
        self.timed_out: set[tuple[str, str, str]] = set()

    def run(self) -> tuple[int, int]:
        """Do what is not done yet.

        Returns:
            cases with a row now, and cases in all.
        """
        options = self.options
        options.out.mkdir(parents=True, exist_ok=True)
        path = options.out / RESULTS
        rows = read_rows(path)
        cases = [row for row in rows if row["kind"] == "case"]
        kept = [row for row in cases if not worth_again(row, options.limit)]
        done = {key_of(row) for row in kept}
        self.timed_out |= {key_of(row) for row in kept if row["status"] == "timeout"}
        with TemporaryDirectory() as scratch, path.open("a", encoding="utf-8") as file:
            self.scratch = Path(scratch)
            try:
                facts = {"kind": "machine", **machine_facts(), "quick": options.quick, "limit": options.limit}
                timed = timed_imports(rows)
                facts["compilers"] = self.hellos(options.compilers, timed)
                _append(file, facts)
                planned = plan(options, self.from_mqt())
                left = [case for case in planned if case.key not in done]
                for number, case in enumerate(left):
                    if time.monotonic() - self.begin > 60 * options.budget:
                        return len(planned) - len(left) + number, len(planned)
                    self.say(" · ".join(case.key), len(planned) - len(left) + number, len(planned))
                    _append(file, self.row(case))
                return len(planned), len(planned)
            finally:
                for worker in self.workers.values():
                    worker.stop()

    def worker(self, entry: Entry) -> Worker:
        """The process for a compiler; entries that differ only in settings share one."""
        python = sys.executable if entry.home else self.options.peer_python
        return self.workers.setdefault(entry.worker, Worker(entry.worker, python))

    def hellos(self, entries: Sequence[Entry], timed: Container[str]) -> Row:
        """Versions of each worker, and import seconds of those that an earlier run has not timed."""
        out: Row = {}
        for entry in entries:
            if entry.worker in out:
                continue
            worker = self.worker(entry)
            try:
                worker.start()
                out[entry.worker] = worker.hello | {
                    "import_seconds": import_seconds(entry.worker, worker.python)
                }
            except (WorkerError, TimeoutError) as error:
                out[entry.worker] = {"failed": str(error)}
        return out

    def from_mqt(self) -> list[Workload]:
        """Circuits of mqt.bench, if the peers' interpreter has it."""
        if self.options.quick or not _wanted("mqt.bench", self.options.families):
            return []
        makers = [entry for entry in self.options.compilers if entry.worker == "with_qiskit"]
        out: list[Workload] = []
        for name, n in MQT if makers else ():
            circuit, result = self.scratch / "empty.json", self.scratch / f"mqt-{name}.npz"
            circuit.write_text(json.dumps({"num_qubits": n, "gates": []}))
            request = {"circuit": str(circuit), "machine_qubits": n, "edges": None, "values": {}, "runs": 1}
            request |= {"options": {"mqt": [name, n]}, "enough": 0, "result": str(result)}
            try:
                answer = self.worker(makers[0]).ask(request, 60)
            except (WorkerError, TimeoutError):
                return out
            if answer["status"] == "ok":
                build = partial(as_gates, result, n)
                out.append(Workload(f"mqt-{name}-n{n}", "mqt.bench", build))
        return out

    def row(self, case: Case) -> Row:
        """Compile a case, judge it, and say all of it in one row."""
        workload, entry = case.workload, case.entry
        row: Row = {"kind": "case", "workload": workload.name, "family": workload.family}
        row |= {"target": case.target, "compiler": entry.name}
        try:
            given, path = self.prepared(workload)
            machine = machines.machine(case.target, given.num_qubits)
        except Exception as error:  # a target that is broken is a row, too
            return row | {"status": "failed", "reason": f"{type(error).__name__}: {error}"}
        row |= {"qubits": given.num_qubits, "gates": len(given.gates)}
        row |= {"size": workload.size, "known": workload.known}
        why = too_large(case, given) or self.slow.get((workload.family, case.target, entry.name), "")
        why = why or self.told_by_another(case)
        if machine.num_qubits < given.num_qubits:
            why = f"the machine has {machine.num_qubits} qubits"
        if why:
            return row | {"status": "skipped", "reason": why}
        limit = self.options.limit * entry.patience * (GROWTH_LIMIT if workload.size >= 10_000 else 1)
        result = self.scratch / "result.npz"
        request = {
            "circuit": str(path),
            "machine_qubits": machine.num_qubits,
            "edges": machine.edges,
            "values": dict(workload.values),
            "options": {**entry.options, "target": machine.target},
            "runs": 1 if workload.size > 10_000 else entry.runs,
            "enough": limit if entry.seeded else limit * REPEATED,
            "result": str(result),
        }
        row |= {"load": os.getloadavg()[0], "limit": limit}
        try:
            answer = self.worker(entry).ask(request, limit * GRACE)
        except TimeoutError:
            self.timed_out.add(case.key)
            if workload.size:
                self.slow[workload.family, case.target, entry.name] = f"timed out on {workload.name}"
            return row | {"status": "timeout", "reason": f"more than {limit * GRACE:.0f} s"}
        except WorkerError as error:
            return row | {"status": "failed", "reason": str(error)}
        if answer["status"] != "ok":
            return row | answer
        return row | self.judged(case, given, machine, answer, result)

    def told_by_another(self, case: Case) -> str:
        """Why another entry for the same compiler says enough; empty if it does not."""
        other = case.entry.after
        if other and case.workload.size:
            return f"growth is that of {other}"
        if other and (case.workload.name, case.target, other) in self.timed_out:
            return f"{other} timed out"
        return ""

    def judged(self, case: Case, given: Gates, machine: machines.Machine, answer: Row, path: Path) -> Row:
        """The part of a row that says how good a result is."""
        atol = EXACT if case.entry.exact else case.entry.options.get("atol", 1e-4)
        try:
            result = judge.load(path, machine.num_qubits)
            values, prepares = dict(case.workload.values), case.workload.state is not None
            figures = judge.judge(given, values, machine, result, atol, prepares)
        except ValueError as error:
            return {"status": "wrong", "reason": str(error)}
        costs = sorted(answer["costs"])
        return {
            "status": "ok",
            **figures,
            "two_qubit_median": int(median(cost[0] for cost in costs)),
            "seconds": median(answer["seconds"]),
            "runs": len(answer["seconds"]),
            "memory_mb": answer["memory_mb"],
        }

    def prepared(self, workload: Workload) -> tuple[Gates, Path]:
        """The circuit, and the file that workers read; made once for all compilers in a row."""
        if self.given is None or self.given[0] != workload.name:
            gates, path = workload.build(), self.scratch / "circuit.json"
            circuit: Row = {"num_qubits": gates.num_qubits, "gates": gates.gates}
            if workload.state is not None:
                circuit["state"] = workload.state().tolist()
            path.write_text(json.dumps(circuit))
            self.given = (workload.name, gates, path)
        return self.given[1], self.given[2]


def timed_imports(rows: Iterable[Row]) -> set[str]:
    """Workers whose import seconds are in rows."""
    told = [row["compilers"] for row in rows if row["kind"] == "machine"]
    return {worker for hellos in told for worker, hello in hellos.items() if "import_seconds" in hello}


def key_of(row: Row) -> tuple[str, str, str]:
    """What makes a row unique."""
    return row["workload"], row["target"], row["compiler"]


def worth_again(row: Row, limit: float) -> bool:
    """Whether a case ran out of a time that was shorter than what it has now."""
    return bool(row["status"] == "timeout" and row["limit"] < limit)


def as_gates(path: Path, num_qubits: int) -> Gates:
    """A worker's result as a workload."""
    import numpy as np

    with np.load(path) as file:
        names = [str(name) for name in file["names"]]
        rows = zip(file["op"].tolist(), file["operands"].tolist(), file["angles"].tolist(), strict=True)
        out = Gates(num_qubits)
        for op, qubits, angles in rows:
            turns = 1 if names[op] in TURNED else 0
            wires = tuple(q for q in qubits if q >= 0)
            out.gates.append((names[op], wires, tuple(angles[:turns])))
    return out


TURNED = {"rx", "ry", "rz", "p", "cp", "crx", "cry", "crz", "rxx", "ryy", "rzz"}
"""Gates with an angle."""


def _append(file: Any, row: Row) -> None:
    file.write(json.dumps(row) + "\n")
    file.flush()


def read_rows(path: Path) -> list[Row]:
    """Rows of a file; none if there is no file. A line that a broken run left unfinished is dropped."""
    out = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
        try:
            out.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return out


def import_seconds(worker: str, python: str) -> float:
    """Of what a user imports: median of three processes."""
    code = f"import time; t = time.perf_counter(); {IMPORTS[worker]}; print(time.perf_counter() - t)"
    found = []
    for _ in range(3):
        done = subprocess.run(
            [python, "-c", code], capture_output=True, text=True, check=True, cwd=HERE.parent
        )
        found.append(float(done.stdout.split()[-1]))
    return median(found)


def machine_facts() -> Row:
    """Of this computer and this interpreter."""
    model = platform.processor()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        names = [
            line.split(":")[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line
        ]
        model = names[0] if names else model
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "system": platform.platform(),
        "processor": model,
        "cores": os.cpu_count(),
        "memory_gb": round(pages / 2**30, 1),
        "load": os.getloadavg()[0],
        "python": platform.python_version(),
        "numpy": version("numpy"),
        "sources": digest_of_sources(),
    }


def digest_of_sources() -> str:
    """Which state of our package was measured."""
    root, digest = HERE.parent, sha256()
    for folder in ("qattn_compiler", "passes", "targets"):
        for path in sorted((root / folder).rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
