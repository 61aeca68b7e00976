"""Seconds, gates and memory of the circuit passes, of Qiskit's level 3 and of Cirq, side by side in one run.

Run: python benchmarks/optimizer.py [--sizes 1000,10000,100000] [--peer-python PATH] [--json FILE]

Every figure is made by a process of its own, so that peak memory is that of one tool and one size. Ours
begins and ends with a `cirq.Circuit`, and its time counts both conversions; Qiskit's is the time of
`transpile` alone, on a circuit that is there already. `--peer-python` names an interpreter that has Qiskit
(by default this one is asked; without Qiskit its columns stay empty).
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Gate = tuple[str, tuple[int, ...], float]
"""(name, qubits, angle in radians; 0 where the gate has none)."""

ONE = ("h", "t", "sx", "rz", "rx")
TWO = ("cx", "cz")
TURNS = ("rz", "rx")
QUBITS = 64
CIRQ_LIMIT = 1_000
"""Gates up to which Cirq's own passes are run; beyond, they take minutes."""


def random_gates(size: int, seed: int = 7) -> list[Gate]:
    """Gates on random qubits of 64, half of them on two; the same for every tool."""
    rng = np.random.default_rng(seed)
    two = rng.random(size) < 0.5
    names = np.where(two, rng.integers(len(TWO), size=size), rng.integers(len(ONE), size=size)).tolist()
    first = rng.integers(QUBITS, size=size)
    second = (first + rng.integers(1, QUBITS, size=size)) % QUBITS
    angles = rng.uniform(-np.pi, np.pi, size).tolist()
    wires = np.stack([first, second], axis=1).tolist()
    out: list[Gate] = []
    for is_two, name, (a, b), angle in zip(two.tolist(), names, wires, angles, strict=True):
        if is_two:
            out.append((TWO[name], (a, b), 0.0))
        else:
            out.append((ONE[name], (a,), angle if ONE[name] in TURNS else 0.0))
    return out


# -- circuits of the tools ----------------------------------------------------------------------------------


def cirq_circuit(gates: list[Gate]) -> Any:
    """As a Cirq user would write it: gates that recur are one object, rotations are not."""
    import cirq

    fixed = {"h": cirq.H, "t": cirq.T, "sx": cirq.X**0.5, "cx": cirq.CX, "cz": cirq.CZ}
    turns: dict[str, Callable[[float], Any]] = {"rz": cirq.rz, "rx": cirq.rx}
    qubits = cirq.LineQubit.range(QUBITS)
    return cirq.Circuit(
        (turns[name](angle) if name in turns else fixed[name]).on(*(qubits[q] for q in wires))
        for name, wires, angle in gates
    )


def qiskit_circuit(gates: list[Gate]) -> Any:
    """The same in Qiskit."""
    from qiskit import QuantumCircuit

    out = QuantumCircuit(QUBITS)
    for name, wires, angle in gates:
        method = getattr(out, name)
        method(angle, *wires) if name in TURNS else method(*wires)
    return out


def symbolic_circuit(rotations: int, symbolic: bool) -> Any:
    """Rotations about two axes with CZs between them, each rotation with a symbol of its own (or a number).

    Each symbol comes back later with the opposite sign or doubled, so that there is something to merge.
    """
    import cirq
    import sympy

    rng = np.random.default_rng(3)
    qubits = cirq.LineQubit.range(50)
    symbols = sympy.symbols(f"s0:{rotations // 2}")
    angles = rng.normal(size=rotations // 2).tolist()
    ops: list[cirq.Operation] = []
    for k in range(rotations):
        angle = symbols[k // 2] if symbolic else angles[k // 2]
        q = int(rng.integers(50))
        gate = (cirq.Z, cirq.X)[int(rng.integers(2))]
        ops.append((gate**angle)(qubits[q]))
        if k % 2:
            ops.append(cirq.CZ(qubits[q], qubits[(q + 1 + int(rng.integers(49))) % 50]))
    return cirq.Circuit(ops)


# -- workers: each runs in its own process ------------------------------------------------------------------


def memory() -> float:
    """Peak resident memory of this process, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def passes() -> Any:
    """Ours: merge and cancel to a fixpoint, everything over CZ, one gate for each single-qubit run."""
    from qattn_compiler.passes import parse_pipeline, registry
    from qattn_compiler.pipeline import Pipeline

    parts = [
        Pipeline(parse_pipeline("merge-rotations,cancel-inverses").passes, repeat=True),
        parse_pipeline("decompose-two-qubit,fuse-single-qubit"),
    ]
    if "resynthesise-two-qubit" in registry():
        parts.append(parse_pipeline("resynthesise-two-qubit,fuse-single-qubit"))
    return Pipeline(tuple(parts))


def timed_passes(circuit: Any) -> dict[str, Any]:
    """Cirq in, passes, Cirq out: seconds of each stage."""
    from qattn_compiler.circuit.stats import stats
    from qattn_compiler.interop.cirq_io import from_cirq, to_cirq

    steps: dict[str, float] = {}

    def hook(_: Any, step: Any, __: Any, seconds: float) -> None:
        steps[step.name] = steps.get(step.name, 0.0) + seconds

    clock = [time.perf_counter()]
    columns = from_cirq(circuit)
    clock.append(time.perf_counter())
    optimised = passes().run(columns, hook)
    clock.append(time.perf_counter())
    to_cirq(optimised)
    clock.append(time.perf_counter())
    read, ran, wrote = np.diff(clock).tolist()
    counts = stats(optimised)
    return {
        "seconds": clock[-1] - clock[0],
        "in": read,
        "passes": ran,
        "out": wrote,
        "steps": steps,
        "two_qubit": counts.two_qubit,
        "one_qubit": counts.one_qubit,
        "memory": memory(),
    }


def ours(size: int) -> dict[str, Any]:
    """Our passes on the random circuit; kernels are loaded before the clock starts."""
    timed_passes(cirq_circuit(random_gates(200)))
    return timed_passes(cirq_circuit(random_gates(size)))


def qiskit(size: int) -> dict[str, Any]:
    """Qiskit's level 3 on the random circuit."""
    from qiskit import transpile

    def run(circuit: Any) -> Any:
        return transpile(
            circuit, basis_gates=["cz", "rz", "sx", "x"], optimization_level=3, seed_transpiler=1
        )

    run(qiskit_circuit(random_gates(200)))
    circuit = qiskit_circuit(random_gates(size))
    started = time.perf_counter()
    out = run(circuit)
    seconds = time.perf_counter() - started
    return {"seconds": seconds, "two_qubit": out.count_ops()["cz"], "memory": memory()}


def with_cirq(size: int) -> dict[str, Any]:
    """Cirq's CZ target on the random circuit."""
    import cirq

    circuit = cirq_circuit(random_gates(size))
    started = time.perf_counter()
    out = cirq.optimize_for_target_gateset(circuit, gateset=cirq.CZTargetGateset())
    seconds = time.perf_counter() - started
    two = sum(cirq.num_qubits(op) == 2 for op in out.all_operations())
    return {"seconds": seconds, "two_qubit": two, "memory": memory()}


def symbols(size: int) -> dict[str, Any]:
    """The same rotations with numbers and with symbols; best of three, as they take milliseconds."""
    timed_passes(symbolic_circuit(100, True))
    out: dict[str, Any] = {}
    for name, symbolic in (("numeric", False), ("symbolic", True)):
        circuit = symbolic_circuit(size, symbolic)
        runs = [timed_passes(circuit) for _ in range(3)]
        out[name] = min(runs, key=lambda run: run["passes"])
    return out


def symbols_cirq(size: int) -> dict[str, Any]:
    """Cirq's `eject_z` with symbols."""
    import cirq

    circuit = symbolic_circuit(size, True)
    started = time.perf_counter()
    cirq.eject_z(circuit, eject_parameterized=True)
    return {"seconds": time.perf_counter() - started}


def bind(size: int) -> dict[str, Any]:
    """1000 sets of values for `size` parameters, vectorised: seconds for one set."""
    import cirq
    import sympy

    from qattn_compiler.interop.cirq_io import from_cirq

    names = sympy.symbols(f"s0:{size}")
    qubits = cirq.LineQubit.range(50)
    columns = from_cirq(cirq.Circuit(cirq.rz(s)(qubits[k % 50]) for k, s in enumerate(names)))
    values = np.random.default_rng(1).normal(size=(1000, len(columns.params)))
    columns.bind_batch(values[:2])
    started = time.perf_counter()
    for begin in range(0, len(values), 100):  # 100 sets at a time: 24 MB of angles
        columns.bind_batch(values[begin : begin + 100])
    return {"seconds": (time.perf_counter() - started) / len(values), "memory": memory()}


def bind_cirq(size: int) -> dict[str, Any]:
    """Cirq's `resolve_parameters`, one set."""
    import cirq
    import sympy

    names = sympy.symbols(f"s0:{size}")
    qubits = cirq.LineQubit.range(50)
    circuit = cirq.Circuit(cirq.rz(s)(qubits[k % 50]) for k, s in enumerate(names))
    values = {f"s{k}": 0.1 * k for k in range(size)}
    started = time.perf_counter()
    cirq.resolve_parameters(circuit, values)
    return {"seconds": time.perf_counter() - started}


def bind_qiskit(size: int) -> dict[str, Any]:
    """Qiskit's `assign_parameters`, mean of five sets."""
    from qiskit import QuantumCircuit
    from qiskit.circuit import ParameterVector

    names = ParameterVector("s", size)
    circuit = QuantumCircuit(50)
    for k, name in enumerate(names):
        circuit.rz(name, k % 50)
    rng = np.random.default_rng(1)
    circuit.assign_parameters(rng.normal(size=size))
    started = time.perf_counter()
    for _ in range(5):
        circuit.assign_parameters(rng.normal(size=size))
    return {"seconds": (time.perf_counter() - started) / 5}


def kernels(_: int) -> dict[str, Any]:
    """What the first use of the kernels costs in a process that finds them compiled."""
    from qattn_compiler.interop.cirq_io import from_cirq

    columns = from_cirq(cirq_circuit(random_gates(200)))
    pipeline = passes()
    import numba  # noqa: F401  # the library itself is not a kernel

    clock = [time.perf_counter()]
    for _ in range(2):
        pipeline.run(columns)
        clock.append(time.perf_counter())
    first, second = np.diff(clock).tolist()
    return {"seconds": first - second}


WORKERS: dict[str, Callable[[int], dict[str, Any]]] = {
    "ours": ours,
    "qiskit": qiskit,
    "cirq": with_cirq,
    "symbols": symbols,
    "symbols-cirq": symbols_cirq,
    "bind": bind,
    "bind-cirq": bind_cirq,
    "bind-qiskit": bind_qiskit,
    "kernels": kernels,
}


def measured(worker: str, size: int, python: str = sys.executable) -> dict[str, Any] | None:
    """The worker's figures, from a process of its own; None if it cannot run there."""
    command = [python, str(Path(__file__).resolve()), "--worker", worker, "--sizes", str(size)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{worker} {size}: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
        return None
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


# -- tables -------------------------------------------------------------------------------------------------


def show_scaling(sizes: list[int], peer: str) -> list[dict[str, Any]]:
    """Random circuits: seconds of each stage, peers beside them, and the exponent of the growth."""
    print(f"random, {QUBITS} qubits, half of the gates on two; seconds, MB\n")
    print(
        "   gates     in  passes    out   ours   MB     CZ |  Qiskit   MB     CZ  ratio |   Cirq     CZ ratio"
    )
    rows = []
    for size in sizes:
        row = {"size": size, "ours": measured("ours", size), "qiskit": measured("qiskit", size, peer)}
        row["cirq"] = measured("cirq", size) if size <= CIRQ_LIMIT else None
        rows.append(row)
        us = row["ours"]
        line = f"{size:8} {us['in']:6.3f} {us['passes']:7.3f} {us['out']:6.3f} {us['seconds']:6.2f}"
        line += f" {us['memory']:4.0f} {us['two_qubit']:6}"
        if row["qiskit"]:
            q = row["qiskit"]
            line += f" | {q['seconds']:7.2f} {q['memory']:4.0f} {q['two_qubit']:6}"
            line += f" {q['seconds'] / us['seconds']:6.1f}"
        if row["cirq"]:
            c = row["cirq"]
            line += f" | {c['seconds']:6.2f} {c['two_qubit']:6} {c['seconds'] / us['seconds']:5.0f}"
        print(line, flush=True)
    for tool in ("ours", "qiskit"):
        points = [(row["size"], row[tool]["seconds"]) for row in rows if row[tool] and row["size"] >= 10_000]
        if len(points) >= 2:
            size, seconds = np.log(points).T
            print(f"exponent of {tool} from 10^4 gates on: {np.polyfit(size, seconds, 1)[0]:.2f}")
    steps = rows[-1]["ours"]["steps"]
    print("passes of the last row:", ", ".join(f"{name} {s:.3f}" for name, s in steps.items()))
    return rows


def show_symbols(rotations: int = 10_000, for_cirq: int = 200) -> dict[str, Any]:
    """Symbolic against numeric rotations, and Cirq on few of them."""
    out = {
        "ours": measured("symbols", rotations),
        "ours_few": measured("symbols", for_cirq),
        "cirq": measured("symbols-cirq", for_cirq),
    }
    us, few = out["ours"], out["ours_few"]
    print(f"\n{rotations} rotations, milliseconds (in, passes, out)")
    for name in ("numeric", "symbolic"):
        print(f"  {name:9}", *(f"{1e3 * us[name][stage]:7.1f}" for stage in ("in", "passes", "out")))
    print(f"  passes, symbolic / numeric: {us['symbolic']['passes'] / us['numeric']['passes']:.2f}")
    print(
        f"{for_cirq} rotations: ours {1e3 * few['symbolic']['seconds']:.1f} ms, "
        f"cirq.eject_z {1e3 * out['cirq']['seconds']:.0f} ms, "
        f"ratio {out['cirq']['seconds'] / few['symbolic']['seconds']:.0f}"
    )
    return out


def show_bind(peer: str, parameters: int = 10_000) -> dict[str, Any]:
    """One set of values out of a thousand."""
    out = {
        "ours": measured("bind", parameters),
        "cirq": measured("bind-cirq", parameters),
        "qiskit": measured("bind-qiskit", parameters, peer),
    }
    mine = out["ours"]["seconds"]
    print(f"\nbind {parameters} parameters, milliseconds a set: ours {1e3 * mine:.3f}")
    for name in ("cirq", "qiskit"):
        if out[name]:
            print(
                f"  {name} {1e3 * out[name]['seconds']:.1f}, {out[name]['seconds'] / mine:.0f} times as long"
            )
    return out


def main() -> None:
    """All tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", default="1000,10000,100000,1000000")
    parser.add_argument("--peer-python", default=sys.executable)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--worker", choices=WORKERS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    sizes = [int(size) for size in options.sizes.split(",")]
    if options.worker:
        print(json.dumps(WORKERS[options.worker](sizes[0])))
        return
    measured("ours", 200)  # compiles the kernels where they are not yet
    results: dict[str, Any] = {"scaling": show_scaling(sizes, options.peer_python)}
    results["symbols"] = show_symbols()
    results["bind"] = show_bind(options.peer_python)
    results["kernels"] = measured("kernels", 0)
    print(f"\nkernels from the cache: {results['kernels']['seconds']:.2f} s, once a process")
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
