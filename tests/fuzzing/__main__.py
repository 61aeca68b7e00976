"""Fuzz for as many cases as wanted, in two processes.

python tests/fuzzing 100000                  all targets, each its share
python tests/fuzzing 5000 transpile qasm     these only
python tests/fuzzing --replay                the corpus
python tests/fuzzing --atheris text          coverage-guided, if atheris is installed; runs until stopped
"""

from __future__ import annotations

import argparse
import os
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from time import perf_counter
from typing import Any

os.environ.setdefault("NUMBA_NUM_THREADS", "1")
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "expr"), str(TESTS.parent)]
CHUNK = 100
PAUSE = 10.0
"""Seconds between two lines of progress."""


def _many(name: str, seeds: range) -> Any:
    from fuzzing.cases import many

    return many(name, seeds)


def _chunks(count: int, names: list[str], first: int) -> list[tuple[str, range]]:
    """Which seeds of which target, in turns, so that the progress says how long it will take."""
    from fuzzing.cases import TARGETS

    whole = sum(TARGETS[name].share for name in names)
    out = []
    for name in names:
        own = -(-count * TARGETS[name].share // whole)
        size = max(1, min(CHUNK, own // 20))
        starts = range(first, first + own, size)
        out += [
            ((at + 1) / len(starts), name, range(s, min(s + size, first + own)))
            for at, s in enumerate(starts)
        ]
    return [(name, seeds) for _, name, seeds in sorted(out, key=lambda chunk: (chunk[0], chunk[1]))]


def fuzz(count: int, names: list[str], first: int, processes: int, save: bool) -> int:
    """Run the cases and tell; how many kinds of failure there are."""
    from fuzzing.cases import Tally

    total, begin = Tally(), perf_counter()
    chunks = _chunks(count, names, first)
    told = begin
    with ProcessPoolExecutor(processes) as pool:
        futures = [pool.submit(_many, *chunk) for chunk in chunks]
        for future in as_completed(futures):
            tally = future.result()
            for same, found in tally.failures.items():
                if same not in total.failures:
                    place = f"  {found.save()}" if save else ""
                    print(
                        f"FAILED {found.target}: {same}: {found.message[:300]}\n  {found.made}{place}",
                        flush=True,
                    )
            total.add(tally)
            if perf_counter() - told > PAUSE:
                told = perf_counter()
                _progress(total, told - begin)
    _tell(total, perf_counter() - begin)
    return len(total.failures)


def _progress(total: Any, seconds: float) -> None:
    done, failed = sum(total.cases.values()), len(total.failures)
    print(f"{done} cases, {seconds:.0f} s, {failed} kinds of failure", flush=True)


def _tell(total: Any, seconds: float) -> None:
    print(f"{'target':<14} {'cases':>8} {'accepted':>8} {'seconds':>8} {'ms/case':>8}  slowest (seed)")
    for name, cases in total.cases.items():
        spent = total.seconds[name]
        share = total.accepted[name] / cases
        worst, seed = total.slowest[name]
        figures = f"{cases:>8} {share:>8.0%} {spent:>8.1f} {1000 * spent / cases:>8.2f}"
        print(f"{name:<14} {figures}  {worst:.2f} s ({seed})")
    print(f"{sum(total.cases.values())} cases in {seconds:.0f} s; {len(total.failures)} kinds of failure")
    for same, count in total.failed.most_common():
        print(f"  {count} x {same}")


def replay() -> int:
    """Run the corpus; how many of its cases fail."""
    from fuzzing.cases import corpus, failure

    failed = 0
    for name, made, file in corpus():
        found = failure(name, made)
        if found is not None:
            failed += 1
            print(f"FAILED {file}: {found.signature}: {found.message[:300]}", flush=True)
    print(f"{len(corpus())} cases, {failed} failed")
    return failed


def guided(name: str, rest: list[str]) -> None:
    """Coverage-guided fuzzing of a target by atheris; `rest` goes to libFuzzer."""
    import atheris

    with atheris.instrument_imports(include=["qattn_compiler", "passes", "targets"]):
        from fuzzing.cases import TARGETS, run
    from fuzzing.choices import Given

    if name not in TARGETS:
        sys.exit(f"no target {name}; there are {', '.join(TARGETS)}")
    atheris.Setup([sys.argv[0], *rest], lambda data: run(TARGETS[name], Given.of_bytes(data)))
    atheris.Fuzz()


def main() -> None:
    """Read the arguments."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("count", type=int, nargs="?", default=10_000)
    parser.add_argument("targets", nargs="*", metavar="target")
    parser.add_argument(
        "--first", type=int, default=1_000_000, help="first seed (CI has those below a million)"
    )
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--no-save", action="store_true", help="leave the corpus as it is")
    parser.add_argument("--replay", action="store_true")
    parser.add_argument("--atheris", metavar="TARGET")
    given, rest = parser.parse_known_args()
    if given.atheris:
        guided(given.atheris, rest)
        return
    if rest:
        parser.error(f"unknown: {' '.join(rest)}")
    if given.replay:
        sys.exit(replay() > 0)
    from fuzzing.cases import TARGETS

    unknown = set(given.targets) - set(TARGETS)
    if unknown:
        parser.error(f"no target {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}")
    names = given.targets or list(TARGETS)
    sys.exit(fuzz(given.count, names, given.first, given.processes, not given.no_save) > 0)


if __name__ == "__main__":
    main()
