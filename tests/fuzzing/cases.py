"""Targets, one case of one, many cases, the corpus of cases that failed once."""

from __future__ import annotations

import json
import resource
import signal
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from time import perf_counter
from typing import Any

from fuzzing import hostile, meaning
from fuzzing.choices import Choices, Given, shrink
from qattn_compiler import kernel_cache
from qattn_compiler.errors import QattnError, VerificationError

CORPUS = Path(__file__).parent / "corpus"
SECONDS = 60
"""A case that takes longer has failed,"""
MEMORY = 8 << 30
"""and so has one that wants more address space than this."""


@dataclass(frozen=True)
class Target:
    """What is fuzzed.

    Attributes:
        run: one case; says whether the input was accepted.
        share: of 1000 cases.
        hostile: whether any QattnError is a right answer (to valid input none is).
    """

    run: Callable[[Choices], bool]
    share: int
    hostile: bool


TARGETS = {
    "text": Target(hostile.expression, 420, True),
    "job": Target(hostile.job, 60, True),
    "qasm": Target(hostile.qasm, 5, True),
    "cirq-json": Target(hostile.cirq_json, 60, True),
    "circuit-text": Target(hostile.circuit_text, 100, True),
    "pipeline-text": Target(hostile.pipeline_text, 60, True),
    "npz": Target(hostile.npz, 80, True),
    "safetensors": Target(hostile.safetensors, 80, True),
    "arrays": Target(hostile.arrays, 20, True),
    "toml": Target(hostile.toml, 25, True),
    "machine-json": Target(hostile.machine_json, 30, True),
    "machine-name": Target(hostile.machine_name, 20, True),
    "expression": Target(meaning.expression, 15, False),
    "round-trip": Target(meaning.round_trip, 12, False),
    "pipeline": Target(meaning.pipeline, 7, False),
    "transpile": Target(meaning.transpile, 1, False),
    "compile": Target(meaning.compiled, 1, False),
}


class TooSlowError(Exception):
    """A case took longer than `SECONDS`."""


@contextmanager
def limits(seconds: int = SECONDS) -> Iterator[None]:
    """No case may hang or eat all memory."""

    def stop(*_: Any) -> None:
        raise TooSlowError(f"longer than {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, hard))
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def run(target: Target, c: Choices) -> str:
    """One case: "accepted" or "refused"; raises what is a failure."""
    with limits():
        try:
            return "accepted" if target.run(c) else "refused"
        except VerificationError:
            raise
        except QattnError:
            if not target.hostile:
                raise
            return "refused"


def signature(error: BaseException) -> str:
    """What makes two failures the same: the kind of error, and the innermost line outside of libraries."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [
        frame
        for frame in frames
        if "site-packages" not in frame.filename and "/lib/python" not in frame.filename
    ]
    where = (own or frames)[-1]
    return f"{type(error).__name__} at {Path(where.filename).name}:{where.lineno}"


@dataclass
class Failure:
    """A case that failed.

    Attributes:
        target: name.
        made: its decisions, shrunk.
        signature: see `signature`.
        message: of the error.
    """

    target: str
    made: list[int]
    signature: str
    message: str

    def save(self, folder: Path = CORPUS) -> Path:
        """Write it where CI replays it."""
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{self.target}-{self.signature}".replace(" at ", "-").replace(":", "-")
        path = folder / f"{name}.json"
        path.write_text(json.dumps(self.__dict__, indent=1) + "\n", encoding="utf-8")
        return path


def failure(name: str, made: list[int]) -> Failure | None:
    """Run a case by its decisions; None if it does not fail."""
    try:
        run(TARGETS[name], Given(made))
    except Exception as error:
        notes = " ".join(getattr(error, "__notes__", ()))
        return Failure(name, made, signature(error), f"{str(error)[:400]} {notes}".strip())
    return None


@dataclass
class Tally:
    """What many cases came to: how many of each target, accepted, seconds, failures by signature, the
    slowest case of each (seconds, seed)."""

    cases: Counter[str] = field(default_factory=Counter)
    accepted: Counter[str] = field(default_factory=Counter)
    seconds: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    failures: dict[str, Failure] = field(default_factory=dict)
    slowest: dict[str, tuple[float, int]] = field(default_factory=dict)

    def add(self, other: Tally) -> None:
        """Take in another's."""
        for mine, more in (
            (self.cases, other.cases),
            (self.accepted, other.accepted),
            (self.seconds, other.seconds),
            (self.failed, other.failed),
        ):
            mine.update(more)
        self.failures = other.failures | self.failures
        for name, slow in other.slowest.items():
            self.slowest[name] = max(slow, self.slowest.get(name, slow))


def many(name: str, seeds: range, shrinks: bool = True) -> Tally:
    """Cases of a target; of failures with the same signature the first is shrunk."""
    tally, target = Tally(), TARGETS[name]
    if not target.hostile:
        _warm()
    begin = perf_counter()
    for seed in seeds:
        start, c = perf_counter(), Choices(seed)
        tally.cases[name] += 1
        try:
            tally.accepted[name] += run(target, c) == "accepted"
        except Exception as error:
            same = signature(error)
            tally.failed[same] += 1
            if same not in tally.failures:
                tally.failures[same] = _shrunk(name, c.made, same, shrinks)
        tally.slowest[name] = max((perf_counter() - start, seed), tally.slowest.get(name, (0.0, seed)))
    tally.seconds[name] += perf_counter() - begin
    return tally


@cache
def _warm() -> None:
    """Compile kernels now: that takes longer than a case may."""
    kernel_cache.warm(tuple(kernel_cache.MODULES))


_SHRUNK: set[str] = set()
"""Signatures of failures that this process has shrunk: once is enough."""


def _shrunk(name: str, made: list[int], same: str, shrinks: bool) -> Failure:
    shrinks = shrinks and same not in _SHRUNK
    _SHRUNK.add(same)

    def fails(shorter: list[int]) -> bool:
        found = failure(name, shorter)
        return found is not None and found.signature == same

    best = shrink(fails, made) if shrinks and fails(made) else made
    return failure(name, best) or Failure(name, made, same, "not repeated")


def corpus(folder: Path = CORPUS) -> list[tuple[str, list[int], str]]:
    """(target, decisions, file) of all cases that failed once."""
    out = []
    for path in sorted(folder.glob("*.json")):
        with suppress(KeyError):
            data = json.loads(path.read_text(encoding="utf-8"))
            out.append((data["target"], data["made"], path.stem))
    return out
