"""Ours beside Qiskit and pytket, on random OpenQASM: reading, transpiling, verifying.

    python tests/fuzzing/differential.py 200 --peer-python INTERPRETER

The peers need not be installed beside us: `INTERPRETER` is a Python that has qiskit and pytket, and runs
this file with `--peer`. For each text it is asked for the unitary that each peer reads, for that of what we
transpiled, and for the peers' own optimised circuits, which `qattn.verify` must call equal to the text and,
with one gate more, must not. No `^` in angles: pytket does not read it. None below 1e-2: Qiskit drops what
it takes for nothing.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

ONE = {"x": 0, "y": 0, "z": 0, "h": 0, "s": 0, "sdg": 0, "t": 0, "tdg": 0, "sx": 0, "rx": 1, "ry": 1, "rz": 1}
ONE |= {"u1": 1, "u2": 2, "u3": 3}
TWO = {
    "cx": 0,
    "cz": 0,
    "cy": 0,
    "ch": 0,
    "swap": 0,
    "crz": 1,
    "crx": 1,
    "cry": 1,
    "cu1": 1,
    "rzz": 1,
    "rxx": 1,
}
TWO |= {"cu3": 3, "cu": 4}
THREE = {"ccx": 0, "cswap": 0}
ANGLES = ("pi/2", "-pi/4", "0.3", "3*pi/8", "2*pi-0.1", "-(1.5+pi)", "5e-2", "sin(0.5)", "4")


def text_of(random: Random) -> str:
    """OpenQASM 2 of random gates of `qelib1.inc`, with gates of its own now and then."""
    size = random.randint(2, 4)
    lines = ["OPENQASM 2.0;", 'include "qelib1.inc";']
    own = random.random() < 0.3
    if own:
        lines.append("gate own(t,u) a,b { rz(t/2) a; cx a,b; u3(u,-t,0.1) b; cx a,b; }")
    split = random.randint(1, size - 1)
    lines += [f"qreg a[{split}];", f"qreg b[{size - split}];"]
    wires = [f"a[{i}]" for i in range(split)] + [f"b[{i}]" for i in range(size - split)]
    for _ in range(random.randint(1, 15)):
        names = random.choice([ONE, TWO, THREE if size > 2 else TWO])
        name = random.choice(sorted(names))
        count = 1 if names is ONE else 2 if names is TWO else 3
        angles = names[name]
        if own and names is TWO and random.random() < 0.3:
            name, angles = "own", 2
        given = "(" + ",".join(random.choice(ANGLES) for _ in range(angles)) + ")" if angles else ""
        lines.append(f"{name}{given} {','.join(random.sample(wires, count))};")
    if random.random() < 0.2:
        lines.append("h a;")
    return "\n".join(lines) + "\n"


# -- in the peers' interpreter -------------------------------------------------------------------------------


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Unitaries of a text (big-endian), and the peers' optimised texts of it."""
    from pytket.passes import DecomposeBoxes, FullPeepholeOptimise
    from pytket.qasm import circuit_from_qasm_str, circuit_to_qasm_str
    from qiskit import qasm2, transpile
    from qiskit.quantum_info import Operator

    text = request["text"]
    circuit = qasm2.loads(text, custom_instructions=qasm2.LEGACY_CUSTOM_INSTRUCTIONS)
    other = circuit_from_qasm_str(text)
    unitaries = {"qiskit": Operator(circuit).reverse_qargs().data, "pytket": other.get_unitary()}
    out: dict[str, Any] = {name: [u.real.tolist(), u.imag.tolist()] for name, u in unitaries.items()}
    if request["optimise"]:
        better = transpile(
            circuit, basis_gates=["cz", "rz", "sx", "x"], optimization_level=3, seed_transpiler=1
        )
        DecomposeBoxes().apply(other)
        FullPeepholeOptimise(allow_swaps=False).apply(other)
        out["texts"] = {"qiskit": qasm2.dumps(better), "pytket": circuit_to_qasm_str(other)}
        same = list(range(circuit.num_qubits))
        out["places"] = {
            "qiskit": better.layout.final_index_layout() if better.layout else same,
            "pytket": same,
        }
    return out


def serve() -> None:
    """Answer requests, one a line."""
    for line in sys.stdin:
        try:
            found = answer(json.loads(line))
        except Exception as error:
            found = {"error": f"{type(error).__name__}: {str(error)[:300]}"}
        print(json.dumps(found), flush=True)


# -- in ours -------------------------------------------------------------------------------------------------


def distance(u: Any, v: Any) -> float:
    """The largest entry of the difference, up to global phase."""
    phase = np.vdot(u, v)
    return float(np.abs(u * phase / abs(phase) - v).max()) if abs(phase) > 1e-9 else 1.0


class Peers:
    """The other interpreter."""

    def __init__(self, python: str) -> None:
        self.process = subprocess.Popen(
            [python, __file__, "--peer"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, text: str, optimise: bool) -> dict[str, Any]:
        """What the peers say of a text."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"text": text, "optimise": optimise}) + "\n")
        self.process.stdin.flush()
        found: dict[str, Any] = json.loads(self.process.stdout.readline())
        if "error" in found:
            raise ValueError(f"a peer: {found['error']}\n{text}")
        return found


def matrix(parts: list[Any]) -> Any:
    """A unitary as it comes over the line."""
    return np.array(parts[0]) + 1j * np.array(parts[1])


def one(random: Random, peers: Peers, level: int) -> list[str]:
    """What is wrong with one text."""
    import cirq

    import qattn_compiler as qattn
    from qattn_compiler.interop.cirq_files import from_qasm

    text = text_of(random)
    given = from_qasm("text", text)
    order = [
        cirq.NamedQubit(f"{register}_{i}")
        for register, size in (
            line[5:].rstrip("];").split("[") for line in text.split("\n") if line[:4] == "qreg"
        )
        for i in range(int(size))
    ]
    # a qubit without a gate is no qubit of the circuit that is read
    idle = cirq.Circuit(cirq.I.on_each(*order))
    wrong = []
    u = given.unitary(order, order, dtype=np.complex128)
    said = peers.ask(text, True)
    wrong += [
        f"{n} reads something else" for n in ("qiskit", "pytket") if distance(u, matrix(said[n])) > 1e-6
    ]
    for name, theirs in said["texts"].items():
        last = {"initial_layout": order, "final_layout": [order[i] for i in said["places"][name]]}
        if qattn.verify(given + idle, from_named(theirs, order) + idle, **last).equal is not True:
            wrong.append(f"verify does not call {name}'s circuit equal")
        more = from_named(theirs, order) + cirq.Circuit(cirq.rx(0.01)(order[0]))
        if qattn.verify(given + idle, more + idle, **last).equal is not False:
            wrong.append(f"verify calls {name}'s circuit with one more gate equal")
    t = qattn.transpile(given, f"line:{len(order)}", optimization_level=level, seed=random.randint(0, 9))
    wires = sorted(cirq.LineQubit.range(len(order)))
    # OpenQASM numbers the qubits in their order; all must be in the circuit
    whole = cirq.Circuit(t.circuit, cirq.I.on_each(*wires))
    ours = {n: matrix(p) for n, p in peers.ask(whole.to_qasm(qubit_order=wires), False).items()}
    used = [q for q in order if q in t.initial_layout]
    place = [[wires.index(layout[q]) for q in used] for layout in (t.initial_layout, t.final_layout)]
    for name, v in ours.items():
        if distance(given.unitary(used, used, dtype=np.complex128), _kept(v, place)) > 2e-6:
            wrong.append(f"{name} says that what we transpiled differs")
    return [f"{what}\n{text}" for what in wrong]


def _kept(v: Any, place: list[list[int]]) -> Any:
    """The columns and rows of a machine's unitary where the qubits of the input are, the others in |0>."""
    size = int(np.log2(len(v)))

    def spread(where: list[int]) -> Any:
        index = np.arange(2 ** len(where))
        bits = [((index >> (len(where) - 1 - k)) & 1) << (size - 1 - w) for k, w in enumerate(where)]
        return sum(bits, np.zeros(len(index), dtype=np.int64))

    return v[np.ix_(spread(place[1]), spread(place[0]))]


def from_named(text: str, order: list[Any]) -> Any:
    """A peer's circuit on the qubits of the given one: its registers, in order."""
    import cirq

    from qattn_compiler.interop.cirq_files import from_qasm

    made = from_qasm("a peer's text", text)
    sizes = [line[5:].rstrip("];").split("[") for line in text.split("\n") if line[:4] == "qreg"]
    names = [cirq.NamedQubit(f"{register}_{i}") for register, size in sizes for i in range(int(size))]
    return made.transform_qubits(dict(zip(names, order, strict=True)))


def main() -> None:
    """Read the arguments."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("count", type=int, nargs="?", default=200)
    parser.add_argument("--peer-python", help="a Python with qiskit and pytket")
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--peer", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.peer:
        serve()
        return
    if given.peer_python is None:
        parser.error("--peer-python is needed")
    sys.path[:0] = [str(Path(__file__).resolve().parents[2])]
    peers, failed = Peers(given.peer_python), 0
    for seed in range(given.first, given.first + given.count):
        for what in one(Random(seed), peers, seed % 4 if seed % 40 == 3 else seed % 3):
            failed += 1
            print(f"seed {seed}: {what}", flush=True)
    print(f"{given.count} texts, {failed} differences")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
