"""Hadamard tests, linear combinations and SWAP tests as what they are, beside Qiskit on their gates.

Run: python benchmarks/selections.py FOLDER_OF_QASM [--peer-python PATH] [--only NAME ...] [--level 2]

The files `hadt_*`, `lcu_*` and `swapt_*` are such tasks written out gate by gate. Here each is read back as
what it is made of (the two states of an overlap, the weights and unitaries of a combination), built by
`synth.select` and `synth.combination`, and brought onto a machine by `transpile`. Qiskit gets the file: level
3, the fewest of 5 seeds, on the same couplings. A combination is tried with a binary and with a one-hot
address (both have the same block and the same success probability), and the better one counts.

Up to 17 qubits the circuits are compared, before and after `transpile`, with what the file reads.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from math import exp, log
from pathlib import Path
from typing import Any

import cirq
import numpy as np
from cirq.contrib.qasm_import import circuit_from_qasm

import qattn_compiler as qattn
from qattn_compiler import targets
from qattn_compiler.circuit.table import Builder, Circuit, concatenate
from qattn_compiler.interop.cirq_io import from_cirq, to_cirq
from qattn_compiler.interop.cirq_read import read as read_cirq
from qattn_compiler.synth.combination import linear_combination, swap_test
from qattn_compiler.synth.select import hadamard_test
from qattn_compiler.verify.simulate import joint_states, simulate

TARGETS = ("google.willow", "ibm.eagle")
SIMULATED = 17
PEER = r"""
import json, sys
import qiskit.qasm2
from qiskit import QuantumCircuit, transpile
from qiskit.transpiler import CouplingMap
path, edges = sys.argv[1], json.load(sys.stdin)
circuit = QuantumCircuit.from_qasm_file(path)
coupling = CouplingMap([e for a, b in edges for e in ((a, b), (b, a))])
found = []
for seed in range(5):
    out = transpile(circuit, coupling_map=coupling, basis_gates=["cz", "rz", "sx", "x"],
                    optimization_level=3, seed_transpiler=seed)
    pairs = [i for i in out.data if i.operation.num_qubits == 2]
    found.append((len(pairs), out.depth(lambda i: i.operation.num_qubits == 2)))
print(json.dumps(min(found)))
"""
Row = tuple[str, list[int], list[float]]


@dataclass(frozen=True)
class Task:
    """A task in the forms that it can be built in.

    Attributes:
        forms: name -> circuit on numbered qubits.
        read: final state of a form (shape (2^n,)) -> the number or the state that counts.
        wanted: the same from the file's circuit; None where it is too wide.
    """

    forms: dict[str, Circuit]
    read: Callable[[str, np.ndarray], Any]
    wanted: Any


# -- reading the tasks back ---------------------------------------------------------------------------------


def rows_of(path: Path) -> Iterator[Row]:
    """(gate, qubits, angles) of each line."""
    for line in path.read_text().splitlines()[3:]:
        name, angle, wires = re.fullmatch(r"(\w+)(?:\((.*)\))? (.*);", line).groups()  # type: ignore[union-attr]
        yield name, [int(q) for q in re.findall(r"\d+", wires)], [float(angle)] if angle else []


def built(rows: list[Row], size: int, inverse: bool = False) -> Circuit:
    """A circuit of rotations and CX, or its inverse."""
    builder = Builder(range(size))
    for name, wires, angles in reversed(rows) if inverse else rows:
        builder.add(name, wires, [-a for a in angles] if inverse else angles)
    return builder.build()


def in_layers(rows: list[Row]) -> list[Row]:
    """Gates of a kind by their qubits, where they stand together (they commute or share no qubit)."""
    out: list[Row] = []
    for row in rows:
        place = len(out)
        while place and out[place - 1][0] == row[0] != "cx" and out[place - 1][1] > row[1]:
            place -= 1
        out.insert(place, row)
    return out


def overlap_task(path: Path) -> Task:
    """Hadamard test of V(a)^dagger V(b), every gate controlled by qubit 0."""
    plain = {"cry": "ry", "crz": "rz", "ccx": "cx"}
    rows = [(plain[n], [q - 1 for q in w[1:]], a) for n, w, a in rows_of(path) if n in plain]
    size = 1 + max(q for _, wires, _ in rows for q in wires)
    middle = len(rows) // 2
    first = [(n, w, [-x for x in a]) for n, w, a in reversed(rows[middle:])]
    states = [built(in_layers(half), size) for half in (first, rows[:middle])]
    test = hadamard_test(states[0], states[1], "test")

    def read(form: str, state: np.ndarray) -> float:
        return mean(state, lambda bits: bits[:, list(test.observed)].sum(axis=1))

    number = mean(final(path), lambda bits: bits[:, 0])
    return Task({"Hadamard test": test.circuit}, read, number)


def swap_task(path: Path) -> Task:
    """SWAP test of two registers that are prepared alike."""
    rows = [row for row in rows_of(path) if row[0] in ("ry", "cx")]
    size = max(q for _, wires, _ in rows for q in wires) // 2
    states = []
    for low in (1, 1 + size):
        own = [(n, [q - low for q in w], a) for n, w, a in rows if low <= w[0] < low + size]
        states.append(built(own, size))
    test = swap_test(states[0], replace(states[1], qubits=tuple(range(size, 2 * size))))

    def read(form: str, state: np.ndarray) -> float:
        return mean(state, lambda bits: sum(bits[:, a] & bits[:, b] for a, b in test.pairs))

    number = mean(final(path), lambda bits: bits[:, 0]) if 2 * size < SIMULATED else None
    return Task({"destructive": test.circuit}, read, number)


BASES = {(): "Z", ("h",): "X", ("sdg", "h"): "Y"}


def combination_task(path: Path) -> Task:
    """PREPARE, Pauli rotations each controlled by an address, PREPARE^dagger."""
    rows = list(rows_of(path))
    bits = next(i for i, row in enumerate(rows) if row[0] == "x")
    prepare = rows[:bits]
    width = 1 + max(q for _, wires, _ in prepare for q in wires)
    amplitudes = joint_states(run(built(prepare, width)), range(width))[0].real
    words = sorted(pauli_rotations(rows[bits:], width))
    data = sorted({q for _, _, word in words for q in word})
    weights = amplitudes[: len(words)] ** 2
    own = [pauli_rotation(angle, word, data) for _, angle, word in words]
    # One skeleton for all: every rotation in a row, all but one of them by nothing.
    alike = []
    for chosen, angle, _ in words:
        parts = [pauli_rotation(angle if address == chosen else 0.0, w, data) for address, _, w in words]
        alike.append(concatenate(parts[0].qubits, parts))
    addresses = {"binary": width, "one-hot": len(words)}
    forms = {}
    for name, circuits in (("binary", alike), ("one-hot", own)):
        labels = [f"a{i}" for i in range(addresses[name])]
        forms[name] = linear_combination(weights.tolist(), circuits, labels).circuit

    def read(form: str, state: np.ndarray) -> np.ndarray:
        return state.reshape(2 ** addresses[form], -1)[0]

    source = read_cirq(circuit_from_qasm(path.read_text()))
    order = [int(str(q).rsplit("_", 1)[1]) for q in source.qubits]
    idle = [q for q in order if q not in data]
    whole = final(path).reshape((2,) * len(order))
    wanted = whole[tuple(0 if q in idle else slice(None) for q in range(len(order)))].reshape(-1)
    return Task(forms, read, wanted)


def pauli_rotations(rows: list[Row], width: int) -> Iterator[tuple[int, float, dict[int, str]]]:
    """(address, angle, Pauli string) of each controlled rotation."""
    flipped = np.zeros(width, dtype=int)
    turned: dict[int, list[str]] = {}
    parity: dict[int, set[int]] = {}
    for name, wires, angles in rows:
        if name == "x":
            flipped[wires[0]] ^= 1
        elif name == "ccx":  # the last rotation's basis is undone by now
            turned, parity = {}, {}
        elif name == "cx" and max(wires) >= width:
            source, target = wires
            parity[target] = parity.get(target, {target}) ^ parity.get(source, {source})
        elif name == "crz":
            word = {q: BASES[tuple(turned.get(q, ()))] for q in parity.get(wires[1], {wires[1]})}
            address = sum(1 - int(bit) << (width - 1 - i) for i, bit in enumerate(flipped))
            yield address, angles[0], word
            turned, parity = {}, {}
        elif len(wires) == 1:
            turned.setdefault(wires[0], []).append(name)


def pauli_rotation(angle: float, word: dict[int, str], data: list[int]) -> Circuit:
    """exp(-i angle P / 2)."""
    wires = [data.index(q) for q in sorted(word)]
    before: list[Row] = []
    for q in sorted(word):
        names = next(names for names, letter in BASES.items() if letter == word[q])
        before += [(name, [data.index(q)], []) for name in names]
    before += [("cx", list(pair), []) for pair in pairwise(wires)]
    undo = {"h": "h", "sdg": "s", "cx": "cx"}
    after = [(undo[name], w, a) for name, w, a in reversed(before)]
    return built([*before, ("rz", wires[-1:], [angle]), *after], len(data))


KINDS = {"hadt": overlap_task, "lcu": combination_task, "swapt": swap_task}


# -- what they read -----------------------------------------------------------------------------------------


def run(circuit: Circuit) -> Any:
    """Groups of the final state."""
    return simulate(circuit, circuit.angles[None])


def final(path: Path) -> np.ndarray:
    """The final state of a file, qubits in order of their numbers."""
    source = read_cirq(circuit_from_qasm(path.read_text()))
    numbers = [int(str(q).rsplit("_", 1)[1]) for q in source.qubits]
    return joint_states(run(source), np.argsort(numbers).tolist())[0]


def mean(state: np.ndarray, odd: Callable[[np.ndarray], np.ndarray]) -> float:
    """Mean of (-1)^odd(bits)."""
    size = len(state).bit_length() - 1
    bits = (np.arange(len(state))[:, None] >> np.arange(size)[::-1]) & 1
    return float(np.abs(state) ** 2 @ (1.0 - 2.0 * (odd(bits) % 2)))


def error(task: Task, form: str, state: np.ndarray) -> float:
    """How far a form is from the file, but for a global phase."""
    found = np.asarray(task.read(form, state))
    phase = 1.0
    if found.ndim:
        overlap = np.vdot(found, task.wanted)
        phase = overlap / abs(overlap)
    return float(np.abs(phase * found - task.wanted).max())


# -- onto the machines --------------------------------------------------------------------------------------


def peer(python: str, path: Path, target: str) -> tuple[int, int] | None:
    """Two-qubit gates and their depth by Qiskit; None if there is no Qiskit."""
    edges = np.argwhere(np.triu(targets.get(target).device.adjacency)).tolist()
    command = [python, "-c", PEER, str(path)]
    try:
        done = subprocess.run(command, input=json.dumps(edges), capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    gates, depth = json.loads(done.stdout)
    return gates, depth


def ours(task: Task, target: str, level: int) -> tuple[int, int, float, str, float]:
    """Gates, depth, seconds and name of the best form, and the largest error of all forms."""
    rows, off = [], float("nan")
    for form, circuit in task.forms.items():
        numbered = replace(circuit, qubits=tuple(cirq.LineQubit.range(circuit.num_qubits)))
        begin = time.perf_counter()
        out = qattn.transpile(
            to_cirq(numbered, global_phase=False), target, optimization_level=level, verify=False
        )
        found, seconds = out.summary(), time.perf_counter() - begin
        if task.wanted is not None and circuit.num_qubits <= SIMULATED:
            off = float(np.fmax(off, max(error(task, form, state) for state in states(numbered, out))))
        rows.append((found["gates_2q"], found["depth_2q"], seconds, form))
    return (*min(rows), off)


def states(circuit: Circuit, out: Any) -> Iterator[np.ndarray]:
    """Final states of a circuit, and of what `transpile` made of it, in the circuit's order of qubits."""
    yield joint_states(run(circuit), range(circuit.num_qubits))[0]
    native = from_cirq(out.circuit)
    index = {q: i for i, q in enumerate(native.qubits)}
    used = [out.final_layout[q] for q in circuit.qubits]
    order = [index[q] for q in used]
    yield joint_states(run(native), order)[0]


def main() -> None:
    """Read the options, run everything, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--peer-python", default=sys.executable)
    parser.add_argument("--only", nargs="*", default=None)
    parser.add_argument("--level", type=int, default=3, help="our level")
    options = parser.parse_args()
    paths = [p for p in sorted(options.folder.glob("*.qasm")) if p.stem.split("_")[0] in KINDS]
    head = ("task", "machine", "Qiskit 3", "ours", "ours / Qiskit", "form", "s", "error")
    print(f"| {' | '.join(head)} |\n|{'---|' * len(head)}")
    ratios = []
    for path in paths:
        if options.only and path.stem not in options.only:
            continue
        task = KINDS[path.stem.split("_")[0]](path)
        for target in TARGETS:
            gates, depth, seconds, form, off = ours(task, target, options.level)
            other = peer(options.peer_python, path, target)
            ratio = gates / other[0] if other else float("nan")
            ratios += [ratio] if other else []
            theirs = f"{other[0]} / {other[1]}" if other else "-"
            cells = (path.stem, target, theirs, f"{gates} / {depth}", f"{ratio:.3f}", form)
            print(f"| {' | '.join(cells)} | {seconds:.2f} | {off:.1e} |", flush=True)
    if ratios:
        print(f"\ngeometric mean of ours / Qiskit: {exp(sum(map(log, ratios)) / len(ratios)):.3f}")


if __name__ == "__main__":
    main()
