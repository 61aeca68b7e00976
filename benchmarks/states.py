"""Two-qubit gates of real states prepared on machines, against the all-to-all optimum 2^k - k - 1.

Run: python benchmarks/states.py [--targets google.willow ibm.eagle line] [--least 4] [--most 12] [-O 3]

Each line is one state of k qubits, as `compile` brings it onto the machine: routed, or synthesised on the
machine's own couplings (`synth.chip_state`), whichever takes fewer gates. Seconds are of the whole way of one
structure, kernels compiled. Qiskit's figures for such states are in `benchmarks/routing.py` (`prep_k*`).
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from qattn_compiler import kernel_cache, targets
from qattn_compiler.blocks.block import PrepareState
from qattn_compiler.blocks.program import Program, Register
from qattn_compiler.lower.batch import Batch
from qattn_compiler.synth.chip_state import ChipState
from qattn_compiler.synth.schmidt import SchmidtState
from qattn_compiler.unit import Way, compile_unit


def state(width: int) -> Batch:
    """A random real state of some qubits."""
    vector = np.random.default_rng(width).normal(size=(1, 2**width))
    program = Program(
        registers=(Register("state", width),),
        blocks=(PrepareState("state", "amplitudes"),),
        read=("state",),
        meaning="a state",
    )
    here = np.zeros(1, dtype=np.int64)
    numbers = {"amplitudes": vector / np.linalg.norm(vector)}
    return Batch(program, numbers, here, here, np.ones(1), np.zeros(1))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--targets", nargs="*", default=["google.willow", "ibm.eagle", "line"])
    parser.add_argument("--least", type=int, default=4)
    parser.add_argument("--most", type=int, default=12)
    parser.add_argument("-O", "--level", type=int, default=3)
    options = parser.parse_args()
    kernel_cache.warm()
    print(
        "| machine | k | optimum | two-qubit gates | ratio | way | seconds |\n|---|---|---|---|---|---|---|"
    )
    for name in options.targets:
        ratios = []
        for width in range(options.least, options.most + 1):
            machine = targets.get(f"line:{width}" if name == "line" else name)
            begin = time.perf_counter()
            unit = compile_unit(state(width), Way(machine, options.level), bound=True)
            seconds = time.perf_counter() - begin
            gates, least = unit.metrics().gates_2q, 2**width - width - 1
            ratios.append(gates / least)
            way = {ChipState: "cascade on the chip", SchmidtState: "Schmidt form"}.get(
                type(unit.plan), "routed"
            )
            print(
                f"| {name} | {width} | {least} | {gates} | {ratios[-1]:.3f} | {way} | {seconds:.2f} |",
                flush=True,
            )
        print(f"| {name} | geometric mean | | | {np.exp(np.mean(np.log(ratios))):.3f} | | |", flush=True)


if __name__ == "__main__":
    main()
