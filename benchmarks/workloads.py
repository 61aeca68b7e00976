"""The circuits that are compiled: attention tasks, the families that everybody uses, known optima, symbols,
and growing sizes. All are generated here, by fixed seeds; the rows of MiniLM come with the package
(qattn_compiler/data/LICENSE-minilm.md).

A circuit is a list of gates (name, qubits, angles) with the names of OpenQASM's qelib1; an angle (radians) is
a number, or a pair (symbol, coefficient). Every compiler's worker builds its own objects from that list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.optimizer import QUBITS, TURNS, random_gates

Angle = float | tuple[str, float]
Gate = tuple[str, tuple[int, ...], tuple[Angle, ...]]
Floats = NDArray[np.float64]


@dataclass
class Gates:
    """A circuit in the making.

    Attributes:
        num_qubits: how many qubits it has.
        gates: what is done, in order.
    """

    num_qubits: int
    gates: list[Gate] = field(default_factory=list)

    def add(self, name: str, *qubits: int, angle: Angle | None = None) -> None:
        """One more gate; at most one angle."""
        self.gates.append((name, tuple(int(q) for q in qubits), () if angle is None else (_plain(angle),)))

    def extend(self, gates: Sequence[Gate]) -> None:
        """More gates."""
        self.gates.extend(gates)

    def inverse(self) -> list[Gate]:
        """The adjoint of all that is there."""
        return [
            (ADJOINT.get(name, name), qubits, tuple(_negated(angle) for angle in angles))
            for name, qubits, angles in reversed(self.gates)
        ]


ADJOINT = {"s": "sdg", "sdg": "s", "t": "tdg", "tdg": "t", "sx": "sxdg", "sxdg": "sx"}
"""Gates that are not their own inverse and have no angle."""


def _plain(angle: Angle) -> Angle:
    return (angle[0], float(angle[1])) if isinstance(angle, tuple) else float(angle)


def _negated(angle: Angle) -> Angle:
    return (angle[0], -angle[1]) if isinstance(angle, tuple) else -angle


@dataclass(frozen=True)
class Workload:
    """A circuit with a name.

    Attributes:
        name: unique.
        family: workloads that are averaged together.
        build: makes the circuit, when it is needed.
        quick: part of the quick run.
        targets: where it is compiled; None is everywhere.
        known: two-qubit depth of a solution on `targets` with the gates as they stand; 0 where none is known.
        size: gates, for growth curves; 0 elsewhere.
        values: how its symbols are bound; empty if it has none.
        state: makes the real amplitudes that |0...0> must become, however a compiler does it; the circuit is
            then only one way.
    """

    name: str
    family: str
    build: Callable[[], Gates]
    quick: bool = False
    targets: tuple[str, ...] | None = None
    known: int = 0
    size: int = 0
    values: tuple[tuple[str, float], ...] = ()
    state: Callable[[], Floats] | None = None


# -- multiplexors and state preparation ---------------------------------------------------------------------


def multiplexed(out: Gates, name: str, angles: Floats, controls: Sequence[int], target: int) -> None:
    """A uniformly controlled rotation: 2^k rotations and 2^k CX in Gray code (Moettoenen et al.,
    quant-ph/0404089, figure 2). `angles[i]` is done where the controls, the first one highest, read i.

    For `rx` the CX become CZ, which anticommute with the rotations in the same way.
    """
    k = len(controls)
    if k == 0:
        out.add(name, target, angle=float(angles[0]))
        return
    gray = np.arange(2**k) ^ (np.arange(2**k) >> 1)
    meets = np.bitwise_count(gray[:, None] & np.arange(2**k)[None, :]) % 2
    turns = (1 - 2.0 * meets) @ angles / 2**k
    entangler = "cz" if name == "rx" else "cx"
    for step, turn in enumerate(turns):
        out.add(name, target, angle=float(turn))
        changed = (gray[step] ^ gray[(step + 1) % 2**k]).item().bit_length() - 1
        out.add(entangler, controls[k - 1 - changed], target)


def prepare(out: Gates, amplitudes: Floats, qubits: Sequence[int]) -> None:
    """|0> to the state of real amplitudes: the plain cascade, 2^k - 2 CX."""
    tree = [np.asarray(amplitudes, dtype=float)]
    signed = True
    turns: list[Floats] = []
    for _ in qubits:
        pairs = tree[-1].reshape(-1, 2)
        turns.append(2 * np.arctan2(pairs[:, 1], pairs[:, 0] if signed else np.abs(pairs[:, 0])))
        tree.append(np.hypot(pairs[:, 0], pairs[:, 1]))
        signed = False
    for level, angles in enumerate(reversed(turns)):
        multiplexed(out, "ry", angles, qubits[:level], qubits[level])


def random_row(k: int) -> Floats:
    """Square roots of a softmax row over 2^k random scores."""
    scores = np.random.default_rng(100 + k).normal(size=2**k)
    amplitudes: Floats = np.sqrt(np.exp(scores) / np.exp(scores).sum())
    return amplitudes


@cache
def head(number: int, tokens: int) -> dict[str, Any]:
    """Q, K, V of a MiniLM head and its attention matrix A."""
    from qattn_compiler import load_example

    weights = load_example(head=number, tokens=tokens)
    q, k, v = (np.asarray(weights[letter], dtype=float) for letter in "QKV")
    scores = q @ k.T / np.sqrt(q.shape[1])
    exponentials = np.exp(scores - scores.max(axis=1, keepdims=True))
    return {"Q": q, "K": k, "V": v, "A": exponentials / exponentials.sum(axis=1, keepdims=True)}


# -- attention ----------------------------------------------------------------------------------------------


def prep(k: int) -> Gates:
    """State preparation of a random softmax row."""
    out = Gates(k)
    prepare(out, random_row(k), range(k))
    return out


def prep_minilm(k: int) -> Gates:
    """State preparation of row 1 of MiniLM's head 0 on 2^k tokens."""
    out = Gates(k)
    prepare(out, np.sqrt(head(0, 2**k)["A"][1]), range(k))
    return out


def weighted_sum(row: Floats, values: Floats) -> Gates:
    """sum_j row_j values_j as a <Z>: preparation, then one multiplexed rotation of a read-out qubit."""
    k = int(np.log2(len(row)))
    out = Gates(k + 1)
    prepare(out, np.sqrt(row), range(k))
    multiplexed(out, "ry", np.arccos(values / np.abs(values).max()), range(k), k)
    return out


def weighted_sum_random(k: int) -> Gates:
    """A weighted sum of random values."""
    return weighted_sum(random_row(k) ** 2, np.random.default_rng(200 + k).uniform(-1, 1, 2**k))


def weighted_sum_minilm(number: int, k: int) -> Gates:
    """Component 0 of row 1 of a MiniLM head on 2^k tokens."""
    arrays = head(number, 2**k)
    return weighted_sum(arrays["A"][1], arrays["V"][:, 0])


def score_minilm(number: int) -> Gates:
    """|<q|k>|^2 of a MiniLM head's second and third token: prepare q, then unprepare k; 5 qubits."""
    arrays = head(number, 8)
    q, k = (row / np.linalg.norm(row) for row in (arrays["Q"][1], arrays["K"][2]))
    out, back = Gates(5), Gates(5)
    prepare(out, q, range(5))
    prepare(back, k, range(5))
    out.extend(back.inverse())
    return out


def score_swap(n: int) -> Gates:
    """SWAP test between two angle-encoded tokens of n qubits each."""
    rng = np.random.default_rng(300 + n)
    out = Gates(2 * n + 1)
    for q in range(1, 2 * n + 1):
        out.add("ry", q, angle=rng.uniform(-np.pi, np.pi))
    for first in (1, n + 1):
        for q in range(first, first + n - 1):
            out.add("cx", q, q + 1)
    out.add("h", 0)
    for q in range(1, n + 1):
        out.add("cx", n + q, q)
        out.add("ccx", 0, q, n + q)
        out.add("cx", n + q, q)
    out.add("h", 0)
    return out


def score_hadamard(n: int) -> Gates:
    """Hadamard test Re<q|k>, ansaetze controlled gate by gate (RY layer, CX ring each)."""
    rng = np.random.default_rng(400 + n)
    out = Gates(n + 1)
    out.add("h", 0)
    for part in range(2):
        for q in range(1, n + 1):
            out.add("cry", 0, q, angle=rng.uniform(-np.pi, np.pi))
        ring = [(q, q % n + 1) for q in range(1, n + 1)]
        for a, b in ring if part == 0 else reversed(ring):
            out.add("ccx", 0, a, b)
    out.add("h", 0)
    return out


def lcu(m: int, data: int = 4) -> Gates:
    """A linear combination of m Pauli rotations by softmax weights: prepare, select by a Toffoli ladder that
    marks each address on an ancilla, unprepare."""
    rng = np.random.default_rng(500 + m)
    a = int(np.log2(m))
    address, marks = list(range(a)), list(range(a, 2 * a - 1))
    first = 2 * a - 1 if a > 1 else 1
    wires = list(range(first, first + data))
    out, loader = Gates(first + data), Gates(first + data)
    prepare(loader, random_row(a), address)
    out.extend(loader.gates)
    for j in range(m):
        zeros = [q for i, q in enumerate(address) if not j >> (a - 1 - i) & 1]
        ladder = Gates(out.num_qubits)
        for q in zeros:
            ladder.add("x", q)
        last = address[0]
        for q, mark in zip(address[1:], marks, strict=True):
            ladder.add("ccx", last, q, mark)
            last = mark
        out.extend(ladder.gates)
        _controlled_pauli(out, last, wires, rng)
        out.extend(ladder.inverse())
    out.extend(loader.inverse())
    return out


def _controlled_pauli(out: Gates, control: int, wires: list[int], rng: np.random.Generator) -> None:
    """A controlled rotation about a random Pauli string."""
    letters = [(q, str(rng.choice(list("XYZ")))) for q in wires if rng.random() < 0.75] or [(wires[0], "Z")]
    basis = Gates(out.num_qubits)
    for q, letter in letters:
        if letter == "Y":
            basis.add("sdg", q)
        if letter in "XY":
            basis.add("h", q)
    for (a, _), (b, _) in pairwise(letters):
        basis.add("cx", a, b)
    out.extend(basis.gates)
    out.add("crz", control, letters[-1][0], angle=rng.uniform(-np.pi, np.pi))
    out.extend(basis.inverse())


def qsann(n: int, layers: int, symbolic: bool = False) -> Gates:
    """The ansatz of QSANN (arXiv:2205.05625, figure 3): H, RX, RY on all; then CX ring and RY, repeated."""
    rng = np.random.default_rng(600 + n)
    out = Gates(n)
    count = 0

    def turn(name: str, q: int) -> None:
        nonlocal count
        angle = rng.uniform(-np.pi, np.pi)
        out.add(name, q, angle=(f"s{count}", 1.0) if symbolic else angle)
        count += 1

    for q in range(n):
        out.add("h", q)
        turn("rx", q)
        turn("ry", q)
    for _ in range(layers):
        for q in range(n):
            out.add("cx", q, (q + 1) % n)
        for q in range(n):
            turn("ry", q)
    return out


def sasquatch(n: int) -> Gates:
    """SASQuaTCh (arXiv:2403.14753): tokens, QFT, rotations on each qubit, inverse QFT, read-out qubit."""
    rng = np.random.default_rng(700 + n)
    out, transform = Gates(n), qft(n, swaps=True)
    for q in range(n):
        out.add("ry", q, angle=rng.uniform(-np.pi, np.pi))
    out.extend(transform.gates)
    for q in range(n):
        for name in ("rx", "rz", "rx", "rz"):
            out.add(name, q, angle=rng.uniform(-np.pi, np.pi))
    out.extend(transform.inverse())
    for q in range(n - 1):
        out.add("crx", q, n - 1, angle=rng.uniform(-np.pi, np.pi))
    return out


def givens(n: int, symbolic: bool = False) -> Gates:
    """An orthogonal layer: a pyramid of n(n-1)/2 Givens rotations (arXiv:2209.08167), 2 CX each."""
    rng = np.random.default_rng(800 + n)
    out = Gates(n)
    out.add("x", 0)
    count = 0
    for step in range(2 * n - 3):
        for q in range(step % 2, min(step, 2 * n - 4 - step) + 1, 2):
            angle = rng.uniform(-np.pi, np.pi)
            turn: Angle = (f"s{count}", 1.0) if symbolic else angle
            count += 1
            for name in ("h", "cx", "ry", "cx", "h"):
                if name == "h":
                    out.add("h", q)
                elif name == "cx":
                    out.add("cx", q, q + 1)
                else:
                    out.add("ry", q, angle=turn)
                    out.add("ry", q + 1, angle=turn)
    return out


def quixer(tokens: int, data: int) -> Gates:
    """Quixer's selection of token unitaries (arXiv:2406.04305): preparation, ansatz 14 with every rotation
    multiplexed by the address, unpreparation."""
    rng = np.random.default_rng(900 + tokens)
    a = int(np.log2(tokens))
    address, wires = list(range(a)), list(range(a, a + data))
    out, loader = Gates(a + data), Gates(a + data)
    prepare(loader, random_row(a), address)
    out.extend(loader.gates)
    forward = [(wires[i], wires[(i + 1) % data]) for i in reversed(range(data))]
    backward = [(wires[i], wires[i - 1]) for i in (data - 1, *range(data - 1))]
    for ring in (forward, backward):
        for q in wires:
            multiplexed(out, "ry", rng.uniform(-np.pi, np.pi, tokens), address, q)
        for control, target in ring:
            angles = np.zeros((tokens, 2))
            angles[:, 1] = rng.uniform(-np.pi, np.pi, tokens)
            multiplexed(out, "rx", angles.reshape(-1), [*address, control], target)
    out.extend(loader.inverse())
    return out


# -- the families that everybody uses -----------------------------------------------------------------------


def qft(n: int, swaps: bool = False) -> Gates:
    """The quantum Fourier transform."""
    out = Gates(n)
    for i in range(n):
        out.add("h", i)
        for j in range(i + 1, n):
            out.add("cp", j, i, angle=np.pi / 2 ** (j - i))
    for i in range(n // 2 if swaps else 0):
        out.add("swap", i, n - 1 - i)
    return out


def quantum_volume(n: int) -> Gates:
    """n layers of generic two-qubit unitaries (3 CX and 15 rotations) on random pairs."""
    rng = np.random.default_rng(1000 + n)
    out = Gates(n)
    for _ in range(n):
        order = rng.permutation(n)
        for a, b in order[: n // 2 * 2].reshape(-1, 2).tolist():
            _generic(out, a, b, rng)
    return out


def _generic(out: Gates, a: int, b: int, rng: np.random.Generator) -> None:
    """Any two-qubit unitary (Vatan and Williams, quant-ph/0308006, figure 6), random angles."""

    def turn(name: str, q: int) -> None:
        out.add(name, q, angle=rng.uniform(-np.pi, np.pi))

    for q in (a, b):
        for name in ("rz", "ry", "rz"):
            turn(name, q)
    out.add("cx", b, a)
    turn("rz", a)
    turn("ry", b)
    out.add("cx", a, b)
    turn("ry", b)
    out.add("cx", b, a)
    for q in (a, b):
        for name in ("rz", "ry", "rz"):
            turn(name, q)


def heisenberg(rows: int, columns: int, steps: int = 2) -> Gates:
    """Trotter steps of the Heisenberg model on a square lattice."""
    rng = np.random.default_rng(1100 + rows * columns)
    out = Gates(rows * columns)
    right = [(i * columns + j, i * columns + j + 1) for i in range(rows) for j in range(columns - 1)]
    down = [(i * columns + j, (i + 1) * columns + j) for i in range(rows - 1) for j in range(columns)]
    fields = rng.uniform(-1, 1, rows * columns)
    for _ in range(steps):
        for a, b in right + down:
            for name in ("rxx", "ryy", "rzz"):
                out.add(name, a, b, angle=0.2)
        for q, strength in enumerate(fields):
            out.add("rz", q, angle=0.2 * strength)
    return out


def qaoa(n: int, layers: int = 2, symbolic: bool = False) -> Gates:
    """QAOA for MaxCut on a Barabasi-Albert graph with 3 edges a vertex."""
    import networkx as nx

    edges = sorted(nx.barabasi_albert_graph(n, 3, seed=n).edges)
    out = Gates(n)
    for q in range(n):
        out.add("h", q)
    for layer in range(layers):
        for a, b in edges:
            out.add("rzz", a, b, angle=(f"g{layer}", 1.0) if symbolic else 0.4 + 0.3 * layer)
        for q in range(n):
            out.add("rx", q, angle=(f"b{layer}", 2.0) if symbolic else 1.1 - 0.2 * layer)
    return out


def bernstein_vazirani(n: int) -> Gates:
    """Bernstein-Vazirani, secret of ones."""
    out = Gates(n)
    out.add("x", n - 1)
    for q in range(n):
        out.add("h", q)
    for q in range(n - 1):
        out.add("cx", q, n - 1)
    for q in range(n - 1):
        out.add("h", q)
    return out


def ghz(n: int) -> Gates:
    """A GHZ state, its CX in a star."""
    out = Gates(n)
    out.add("h", 0)
    for q in range(1, n):
        out.add("cx", 0, q)
    return out


def adder(bits: int) -> Gates:
    """The ripple-carry adder of Cuccaro et al. (quant-ph/0410184, figure 4), 2 bits + 2 qubits."""
    out = Gates(2 * bits + 2)
    a, b = [1 + 2 * i + 1 for i in range(bits)], [1 + 2 * i for i in range(bits)]
    carry, last = [0, *a[:-1]], 2 * bits + 1
    majority = Gates(out.num_qubits)
    for c, y, x in zip(carry, b, a, strict=True):
        majority.add("cx", x, y)
        majority.add("cx", x, c)
        majority.add("ccx", c, y, x)
    out.extend(majority.gates)
    out.add("cx", a[-1], last)
    for c, y, x in reversed(list(zip(carry, b, a, strict=True))):
        out.add("ccx", c, y, x)
        out.add("cx", x, c)
        out.add("cx", c, y)
    return out


def clifford(n: int) -> Gates:
    """Random Clifford gates, n^2 / 2 of them CX."""
    rng = np.random.default_rng(1200 + n)
    out = Gates(n)
    for _ in range(n * n // 2):
        a, b = rng.choice(n, 2, replace=False).tolist()
        for q in (a, b):
            out.add(str(rng.choice(["h", "s", "sdg", "sx"])), q)
        out.add("cx", a, b)
    return out


def toffoli_ladder(n: int) -> Gates:
    """An n-controlled X by a ladder of 2n - 3 Toffolis and n - 2 ancillas."""
    out, up = Gates(2 * n - 1), Gates(2 * n - 1)
    up.add("ccx", 0, 1, n)
    for k in range(2, n - 1):
        up.add("ccx", k, n + k - 2, n + k - 1)
    out.extend(up.gates)
    out.add("ccx", n - 1, 2 * n - 3, 2 * n - 2)
    out.extend(up.inverse())
    return out


# -- known optima, growth, mqt.bench ------------------------------------------------------------------------


def queko(target: str, layers: int) -> Gates:
    """QUEKO (arXiv:2002.09783): layers of CX on disjoint couplings of a machine under random names; the
    machine runs it in exactly that many two-qubit layers. Random rotations keep CX from merging."""
    from benchmarks.machines import machine

    device = machine(target)
    assert device.edges is not None
    rng = np.random.default_rng(1300 + layers)
    names = rng.permutation(device.num_qubits).tolist()
    out = Gates(device.num_qubits)
    for _ in range(layers):
        for a, b in _matching(device.edges, rng):
            out.add("cx", names[a], names[b])
        for q in range(device.num_qubits):
            out.add("ry", q, angle=rng.uniform(0.3, 1.2))
            out.add("rz", q, angle=rng.uniform(0.3, 1.2))
    return out


def _matching(edges: Sequence[tuple[int, int]], rng: np.random.Generator) -> Iterator[tuple[int, int]]:
    """Disjoint couplings, a maximal set of them."""
    used: set[int] = set()
    for i in rng.permutation(len(edges)).tolist():
        a, b = edges[i]
        if used.isdisjoint((a, b)):
            used |= {a, b}
            yield a, b


def random_circuit(size: int) -> Gates:
    """Gates on random pairs of 64 qubits, the same as benchmarks/optimizer.py has."""
    given = random_gates(size)
    return Gates(QUBITS, [(name, wires, (angle,) if name in TURNS else ()) for name, wires, angle in given])


MQT = (("ae", 12), ("graphstate", 40), ("qpeexact", 14), ("vqe_real_amp", 12), ("wstate", 20), ("qnn", 8))
"""Circuits of mqt.bench (MIT), where it is installed; the run's Qiskit worker makes them."""

_EVERYWHERE = None
_QUICK_PREP, _BIG = (3, 4, 5, 6, 7), ("all-to-all", "willow")


@cache
def workloads() -> tuple[Workload, ...]:
    """All that are generated here; those of mqt.bench come with the run."""
    return (*_attention(), *_standard(), *_queko_all(), *_symbolic(), *_growth())


def _attention() -> Iterator[Workload]:
    for k in range(3, 13):
        where = _EVERYWHERE if k <= 9 else _BIG
        yield Workload(f"prep-k{k}", "state preparation", partial(prep, k), k in _QUICK_PREP, where)
    for k in (3, 4, 5):
        yield Workload(f"prep-minilm-k{k}", "state preparation", partial(prep_minilm, k), k == 4)
        yield Workload(f"wsum-minilm-h0-k{k}", "weighted sum", partial(weighted_sum_minilm, 0, k), k != 4)
    yield Workload("wsum-minilm-h7-k4", "weighted sum", partial(weighted_sum_minilm, 7, 4))
    for k in range(3, 10):
        make, state = partial(prep, k), partial(random_row, k)
        yield Workload(f"state-k{k}", "states, own way", make, k in (4, 6), _BIG, state=state)
    for k in (3, 5, 7):
        yield Workload(f"wsum-k{k}", "weighted sum", partial(weighted_sum_random, k), k == 5)
    for number in (0, 7):
        yield Workload(f"score-minilm-h{number}", "score", partial(score_minilm, number), number == 0)
    for n in (4, 8, 16):
        yield Workload(f"score-swap-n{n}", "score", partial(score_swap, n), n == 8)
    for n in (4, 8):
        yield Workload(f"score-hadamard-n{n}", "score", partial(score_hadamard, n), n == 8)
    for m in (4, 8, 16):
        yield Workload(f"lcu-m{m}", "LCU", partial(lcu, m), m == 4)
    for n, layers in ((8, 5), (16, 5), (64, 3)):
        yield Workload(f"qsann-n{n}-d{layers}", "QSANN", partial(qsann, n, layers), n < 64)
    for n in (8, 16, 32):
        yield Workload(f"sasquatch-n{n}", "SASQuaTCh", partial(sasquatch, n), n == 8)
    for n in (8, 16):
        yield Workload(f"givens-d{n}", "Givens layer", partial(givens, n), n == 8)
    for tokens, data in ((4, 3), (8, 4)):
        yield Workload(f"quixer-t{tokens}-q{data}", "Quixer", partial(quixer, tokens, data), tokens == 4)


def _standard() -> Iterator[Workload]:
    for n in (8, 18, 64):
        yield Workload(f"qft-n{n}", "QFT", partial(qft, n), n < 64)
    for n in (8, 16, 32):
        yield Workload(f"qv-n{n}", "quantum volume", partial(quantum_volume, n), n == 8)
    for rows, columns in ((1, 16), (4, 4), (8, 8)):
        name = f"heisenberg-{rows}x{columns}"
        yield Workload(name, "Heisenberg", partial(heisenberg, rows, columns), rows == 4)
    for n in (16, 30, 100):
        yield Workload(f"qaoa-ba-n{n}", "QAOA", partial(qaoa, n), n == 16)
    for n in (16, 100):
        yield Workload(f"bv-n{n}", "Bernstein-Vazirani", partial(bernstein_vazirani, n), n == 16)
        yield Workload(f"ghz-n{n}", "GHZ", partial(ghz, n), n == 16)
    for bits in (4, 8, 16):
        yield Workload(f"adder-b{bits}", "adder", partial(adder, bits), bits == 4)
    for n in (6, 12, 30):
        yield Workload(f"clifford-n{n}", "Clifford", partial(clifford, n), n == 6)
    for n in (5, 10):
        yield Workload(f"toffoli-n{n}", "Toffoli ladder", partial(toffoli_ladder, n), n == 5)


def _queko_all() -> Iterator[Workload]:
    for target, layers in (("willow", 5), ("willow", 15), ("willow", 40), ("eagle", 5), ("eagle", 15)):
        name, quick = f"queko-{target}-d{layers}", (target, layers) == ("willow", 5)
        yield Workload(name, "QUEKO", partial(queko, target, layers), quick, (target,), known=layers)


def _symbolic() -> Iterator[Workload]:
    cases: tuple[tuple[str, Callable[[], Gates], bool], ...] = (
        ("qsann-symbols-n16-d3", partial(qsann, 16, 3, symbolic=True), True),
        ("givens-symbols-d8", partial(givens, 8, symbolic=True), True),
        ("qaoa-symbols-n30", partial(qaoa, 30, symbolic=True), False),
        ("qsann-symbols-n64-d3", partial(qsann, 64, 3, symbolic=True), False),
    )
    for name, build, quick in cases:
        yield Workload(name, "symbols", build, quick, _BIG, values=bound(build()))


def bound(circuit: Gates) -> tuple[tuple[str, float], ...]:
    """A value for each symbol, random but fixed."""
    names = sorted({a[0] for _, _, angles in circuit.gates for a in angles if isinstance(a, tuple)})
    return tuple(zip(names, np.random.default_rng(5).uniform(-2, 2, len(names)).tolist(), strict=True))


def _growth() -> Iterator[Workload]:
    for power in (3, 4, 5, 6):
        size = 10**power
        where = _BIG if power <= 4 else ("all-to-all",)
        yield Workload(
            f"random-1e{power}", "growth", partial(random_circuit, size), power == 3, where, size=size
        )
