"""What the proof of a transpile costs, as a share of the compile itself, by size; and how often it succeeds.

Run: python -m benchmarks.verification [--gates 100,1000,100000] [--levels 1,2,3] [--limit S] [--json FILE]

Each circuit is transpiled onto google.willow (105 qubits) twice: with `verify=False`, and stage by stage with
what the proof needs kept, which is then timed on its own. Kernels are compiled before.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter

import numpy as np

from qattn_compiler import kernel_cache, targets
from qattn_compiler.circuit.table import Builder, Circuit
from qattn_compiler.search import Search, Track
from qattn_compiler.transpile_proof import Result, prove

TARGET = "google.willow"
ATOL = 1e-8


@dataclass(frozen=True)
class Row:
    """One circuit at one level.

    Attributes:
        family: what kind of circuit.
        qubits: of the input.
        gates: of the input.
        native: gates of the result.
        level: optimization level.
        compile: seconds without any proof.
        proof: seconds of the proof alone.
        passed: its verdict.
        method: how.
    """

    family: str
    qubits: int
    gates: int
    native: int
    level: int
    compile: float
    proof: float
    passed: bool | None
    method: str

    @property
    def share(self) -> float:
        """Proof over compile."""
        return self.proof / self.compile


def brick(qubits: int, gates: int) -> Circuit:
    """Rotations and CZs between neighbours of a line, in layers."""
    rng, builder, layer = np.random.default_rng(0), Builder(range(qubits)), 0
    while len(builder) < gates:
        for q in range(qubits):
            builder.add(("rx", "rz")[layer % 2], [q], [float(rng.normal())])
        for q in range(layer % 2, qubits - 1, 2):
            builder.add("cz", [q, q + 1])
        layer += 1
    return builder.build()


def anywhere(qubits: int, gates: int) -> Circuit:
    """Clifford+T gates on any qubits, so that routing has work to do."""
    rng, builder = np.random.default_rng(0), Builder(range(qubits))
    for _ in range(gates):
        name = ("h", "t", "s", "cx")[rng.integers(4)]
        builder.add(name, rng.permutation(qubits)[: 1 + (name == "cx")].tolist())
    return builder.build()


def phases(qubits: int, gates: int) -> Circuit:
    """exp(-i t Z...Z) on three qubits each, by CX and RZ, between layers of H: parities that meet again."""
    rng, builder = np.random.default_rng(0), Builder(range(qubits))
    while len(builder) < gates:
        a, b, c = rng.permutation(qubits)[:3].tolist()
        for name, wires in (("cx", [a, b]), ("cx", [b, c])):
            builder.add(name, wires)
        builder.add("rz", [c], [float(rng.normal())])
        for name, wires in (("cx", [b, c]), ("cx", [a, b])):
            builder.add(name, wires)
        if rng.random() < 0.1:
            builder.add("h", [a])
    return builder.build()


def symbols(qubits: int, gates: int) -> Circuit:
    """The bricks with forty symbols for angles."""
    rng, builder, layer = np.random.default_rng(0), Builder(range(qubits)), 0
    while len(builder) < gates:
        for q in range(qubits):
            builder.add(
                ("rx", "rz")[layer % 2], [q], [(0.0, {f"s{rng.integers(40)}": float(rng.choice([1, -1, 2]))})]
            )
        for q in range(layer % 2, qubits - 1, 2):
            builder.add("cx", [q, q + 1])
        layer += 1
    return builder.build()


FAMILIES: dict[str, Callable[[int, int], Circuit]] = {
    "bricks": brick,
    "anywhere": anywhere,
    "phases": phases,
    "symbols": symbols,
}


def measure(family: str, qubits: int, gates: int, level: int) -> Row:
    """Compile once without what a proof needs, once with it, and prove."""
    source = FAMILIES[family](qubits, gates)
    machine = targets.get(TARGET)

    def compiled(proves: bool) -> tuple[float, Result, Track]:
        track = Track(ATOL, proves=proves)
        begin = perf_counter()
        routed, chosen = Search(machine, level, 0, "count", track).routed(source)
        native = machine.physical_passes(level, ATOL).run(routed.circuit, track.hook("physical"))
        out = machine.to_cirq(native)
        machine.validate(out)
        return perf_counter() - begin, Result(source, chosen, routed, native, out), track

    seconds, _, _ = compiled(proves=False)
    _, result, track = compiled(proves=True)
    begin = perf_counter()
    found = prove(result, track)
    proof = perf_counter() - begin
    native = len(result.native)
    return Row(family, qubits, len(source), native, level, seconds, proof, found.passed, found.method)


def rows(sizes: list[int], levels: list[int], families: list[str], limit: float) -> Iterator[Row]:
    """All of them; a family that took longer than the limit (seconds) is not tried at the next size."""
    for family in families:
        for level in levels:
            for size in sizes:
                row = measure(family, min(105, max(4, size // 10)), size, level)
                yield row
                if row.compile + row.proof > limit:
                    break


def main() -> None:
    """Print a table, and write JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--gates", default="100,1000,10000,100000")
    parser.add_argument("--levels", default="1,2,3")
    parser.add_argument("--families", default=",".join(FAMILIES))
    parser.add_argument(
        "--limit", type=float, default=60.0, help="seconds after which larger ones are left out"
    )
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    sizes, levels = ([int(n) for n in text.split(",")] for text in (given.gates, given.levels))
    kernel_cache.warm((*kernel_cache.stages(max(levels)), "proof"))
    measure("anywhere", 12, 60, 2)  # loads the kernels
    print("| circuit | qubits | gates | native | level | compile s | proof s | share | proved | how |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    found = []
    for row in rows(sizes, levels, given.families.split(","), given.limit):
        found.append(row)
        print(
            f"| {row.family} | {row.qubits} | {row.gates} | {row.native} | {row.level} | {row.compile:.2f} "
            f"| {row.proof:.2f} | {row.share:.0%} | {row.passed} | {row.method} |",
            flush=True,
        )
    if given.json is not None:
        given.json.write_text(json.dumps([asdict(row) for row in found], indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
