"""Random pipelines on random circuits: passes in any order, any number of times, change no meaning.

By hand, for as long as wanted: `python tests/test_fuzz_passes.py 100000 [first seed]`. It prints the seed of
each failure; `one(seed)` repeats it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from helpers import GATE_SETS, assert_same_meaning, random_circuit, walls

from qattn_compiler.circuit.spec import check
from qattn_compiler.circuit.table import Circuit
from qattn_compiler.passes import registry
from qattn_compiler.pipeline import Pass, Pipeline

CASES, CHUNK = 1000, 50
NEED_MORE = {"orient", "place", "route", "schedule", "decouple"}
"""Passes that need a machine."""
WEAKER = {"simplify-boundaries"}
"""Passes that keep less than the unitary."""
OPENS = {"decompose-two-qubit"}
"""Passes that take gates apart together with their tags."""


def draw(rng: np.random.Generator) -> Pass[Circuit]:
    """A pass with options of all kinds."""
    kinds = {name: kind for name, kind in registry().items() if name not in NEED_MORE | WEAKER}
    name = str(rng.choice(sorted(kinds)))
    options = {
        "optimize": {"level": int(rng.integers(4)), "seed": int(rng.integers(9))},
        "resynthesise-paulis": {"effort": int(rng.integers(1, 6)), "always": bool(rng.integers(2))},
        "clifford": {"effort": int(rng.integers(1, 4))},
        "resynthesise-two-qubit": {"entangler": str(rng.choice(["cz", "cx", "siswap", "syc", "rzz", "ms"]))},
        "drop-negligible": {"atol": 1e-12},
    }
    step: Pass[Circuit] = kinds[name](**options.get(name, {}))
    return step


def one(seed: int) -> tuple[Circuit, Pipeline[Circuit]]:
    """Run one case; the circuit and the pipeline."""
    rng = np.random.default_rng(seed)
    names = GATE_SETS[sorted(GATE_SETS)[rng.integers(len(GATE_SETS))]]
    size = int(rng.integers(2, 5))
    circuit = random_circuit(
        rng,
        size,
        int(rng.integers(1, 25)),
        names,
        float(rng.choice([0, 0, 0.3])),
        float(rng.choice([0, 0.1])),
    )
    steps = tuple(draw(rng) for _ in range(int(rng.integers(1, 5))))
    result = Pipeline(steps).run(circuit)
    check(result)
    assert result.params == circuit.params
    assert_same_meaning(circuit, result, atol=1e-7)
    tagged = not any(step.name in OPENS for step in steps)
    assert walls(result, tagged) == walls(circuit, tagged)
    return circuit, Pipeline(steps)


@pytest.mark.parametrize("start", range(0, CASES, CHUNK))
def test_random_pipelines(start):
    for seed in range(start, start + CHUNK):
        try:
            one(seed)
        except Exception as error:
            error.add_note(f"seed {seed}")
            raise


def main() -> None:
    """As many cases as asked for."""
    count, first = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else CASES
    failed = 0
    for seed in range(first, first + count):
        try:
            one(seed)
        except Exception as error:
            failed += 1
            print(f"seed {seed}: {type(error).__name__}: {str(error)[:200]}", flush=True)
        if (seed - first) % 1000 == 999:
            print(f"{seed - first + 1} of {count}, {failed} failed", flush=True)
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
