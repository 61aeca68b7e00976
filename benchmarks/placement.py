"""What placing blocks on the machine saves `compile`: two-qubit gates routed, placed, and as compiled.

    python benchmarks/placement.py [--targets google.willow line] [--encodings lcu ...] [--terms 16 64]

One weighted sum of random numbers in each encoding. `own` is the blocks' gates all-to-all; `routed` the
cheapest way without `passes/placement` (a plan for the state, where there is one); `compiled` what `compile`
takes with it; seconds are those of the whole compile without and with it, kernels compiled.
"""

from __future__ import annotations

import argparse
import time
from math import inf
from typing import Any

import numpy as np

import qattn_compiler as qattn
from qattn_compiler import kernel_cache, unit
from qattn_compiler.errors import QattnError

ENCODINGS = ("lcu", "qcrank", "swap", "swap-ancilla", "coherent", "amplitude", "amplitude, free")


def compiled(encoding: str, terms: int, target: str, level: int) -> tuple[Any, float]:
    """A compile and its seconds."""
    rng = np.random.default_rng(terms)
    name, _, free = encoding.partition(", ")
    rows = (4, 2) if name == "coherent" else ((), ())
    weights = rng.dirichlet(np.ones(terms), size=rows[:1] if rows[0] else None)
    values = rng.normal(size=(terms, *rows[1:]) if rows[0] else terms)
    given = {"x": values} if free else {"w": weights, "x": values}
    options: dict[str, Any] = {"free": {"w": weights.shape}} if free else {}
    begin = time.perf_counter()
    found = qattn.compile(
        "w @ x", given, target=target, encoding=name, optimization_level=level, verify=False, **options
    )
    return found, time.perf_counter() - begin


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--targets", nargs="*", default=["google.willow", "ibm.eagle", "line"])
    parser.add_argument("--encodings", nargs="*", default=ENCODINGS)
    parser.add_argument("--terms", type=int, nargs="*", default=[16, 32, 64, 128, 256])
    parser.add_argument("-O", "--level", type=int, default=2)
    options = parser.parse_args()
    kernel_cache.warm(("compile", "search"))
    usual = unit.PLACED
    head = ("machine", "encoding", "terms", "own", "routed", "compiled", "ratio", "seconds")
    print(f"| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for name in options.targets:
        target = "line:20" if name == "line" else name
        for encoding in options.encodings:
            for terms in options.terms:
                try:
                    unit.PLACED = dict.fromkeys(usual, inf)  # type: ignore[misc]
                    without, slow = compiled(encoding, terms, target, options.level)
                    unit.PLACED = usual  # type: ignore[misc]
                    found, seconds = compiled(encoding, terms, target, options.level)
                except QattnError:  # too many terms for the encoding
                    continue
                own = max(one.batch.program.two_qubit_count for one in found.units)
                gates = [c.report.data["totals"]["gates_2q_max"] for c in (without, found)]
                cells = (name, encoding, terms, own, *gates, f"{gates[1] / gates[0]:.3f}")
                print(f"| {' | '.join(map(str, cells))} | {slow:.1f}, {seconds:.1f} |", flush=True)


if __name__ == "__main__":
    main()
