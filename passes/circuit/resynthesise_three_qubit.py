"""Resynthesise blocks on three qubits where that saves CZ.

Blocks are convex: rows on three wires that can be brought together (`three_qubit_kernels`). Each is taken as
one unitary for which `synth.three_qubit.shrink` looks for a circuit with fewer CZ: pairs of Toffoli gates
become relative-phase ones, compute and uncompute share their gates, and whatever is longer than 14 CZ
becomes at most that long. Sweeps go on until one finds nothing. Where they end depends on the circuits that
stand for the blocks; a shuffle exchanges them for others of the same length, and sweeps start anew.

Work is counted in blocks, not in seconds, so that the result depends on the circuit alone: equal blocks are
searched once (up to the names of their wires and the single-qubit gates at their ends), and a sweep searches
at most `BLOCKS * effort` different ones. A circuit with more gets fewer tries for each, in proportion, and
so do blocks after several that gave nothing; the blocks of a circuit with more than that are searched from
the front.

Source: partitioning and numerical synthesis as in BQSKit (Younis, Sen, Yelick, Iancu, arXiv:2103.07093).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import ClassVar, Final
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit import su2
from qattn_compiler.circuit.edit import expand
from qattn_compiler.circuit.gates import BY_NAME, CZ, GATES, PHASED_XZ
from qattn_compiler.circuit.table import Circuit
from qattn_compiler.errors import PassError
from qattn_compiler.passes.circuit.base import CirqTransformer
from qattn_compiler.synth.instantiate import Ansatz
from qattn_compiler.synth.two_qubit_rules import RULES

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

BLOCKS: Final = 1000
"""Different blocks searched in one sweep, for each unit of effort."""
TRIES: Final = {3: 120, 4: 150}
"""Wires of a block -> fits from random starts at each of its lengths, for each unit of effort."""
SHUFFLE_TRIES: Final = 60
"""Fits that a shuffle makes for a block."""
SHUFFLED: Final = 9
"""Blocks of up to so many CZ are shuffled: longer ones take long."""
FEWEST_TRIES: Final = 2
"""Fits that blocks of long circuits get at least."""
LONG: Final = 200
"""Two-qubit rows from which blocks get fewer tries, in proportion."""
PATIENCE: Final = 4
"""Blocks in a row that give nothing before the others get half as many tries."""
IDENTITY: Final = 1e-14
"""Angles (radians) of a new single-qubit gate up to here are rounding errors."""
FEWEST: Final = {3: 4, 4: 6}
"""Wires of a block -> CZ that it has at least: of fewer, connected ones, none can be saved as a rule."""
LONGEST: Final = {3: 40, 4: 16}
"""Wires of a block -> CZ that it has at most."""

_PRICE: Final = np.array(
    [-1 if not g.num_qubits else 0 if g.num_qubits == 1 else {"swap": 3}.get(g.name, 2) for g in GATES],
    dtype=np.int8,
)
_PRICE[[BY_NAME[name].code for name in ("cz", "cx", "cy", "ch")]] = 1
_RULES: Final = tuple(RULES.values())
_RULE: Final = np.array([list(RULES).index(g.name) if g.name in RULES else -1 for g in GATES])
_STEPS: Final = np.array([len(RULES[g.name].steps) if g.name in RULES else 1 for g in GATES])
_PHASE: Final = np.zeros((len(GATES), 4))
"""What a gate's rule adds to the phase: constant, and factors of its angles."""
for _name, _rule in RULES.items():
    _PHASE[BY_NAME[_name].code, : 1 + len(_rule.phase[1])] = _rule.phase[0], *_rule.phase[1]


@dataclass(frozen=True)
class ResynthesiseThreeQubit(CirqTransformer):
    """Fewer CZ for blocks on three qubits (module docstring).

    Attributes:
        effort: how long the search goes on, 1 or more; time is in proportion.
        seed: of the random starts.
        shuffles: how many shuffles in vain end the search. A shuffle takes about as long as the first sweeps.
        width: 3, or 4 to go on with blocks on four qubits: some ten times the time, and a few CZ less.

    Keeps: meaning and global phase exactly (to rounding), symbolic gates, rows with tags or other extras, all
    rows of blocks that get no shorter.

    Raises:
        PassError: effort is below 1, seed or shuffles is negative, or width is neither 3 nor 4.
    """

    effort: int = 1
    seed: int = 0
    shuffles: int = 0
    width: int = 3
    name: ClassVar[str] = "resynthesise-three-qubit"
    opens_gates: ClassVar[bool] = True

    def __post_init__(self) -> None:
        for option, least in (("effort", 1), ("seed", 0), ("shuffles", 0)):
            if (value := getattr(self, option)) < least:
                raise PassError(f"{self.name}: {option} is {value}; {least} or more was expected")
        if self.width not in FEWEST:
            raise PassError(f"{self.name}: width is {self.width}; 3 or 4 was expected")

    def run(self, circuit: Circuit, /) -> Circuit:
        """The circuit with its blocks replaced."""
        best = at = self._settled(circuit)
        vain = 0
        while vain < self.shuffles:
            at = self._settled(_Sweep.of(at, 3, self.effort, self.seed, shuffle=vain).run())
            vain += 1
            if _PRICE[at.op].clip(0).sum() < _PRICE[best.op].clip(0).sum():
                best, vain = at, 0
        return best

    def _settled(self, circuit: Circuit) -> Circuit:
        """The circuit after sweeps until none finds anything, each width only after those below."""
        width = 3
        while width <= self.width:
            new = _Sweep.of(circuit, width, self.effort, self.seed).run()
            width = width + 1 if new is circuit else 3
            circuit = new
        return circuit


@dataclass(frozen=True)
class _Block:
    """What replaces a block: its wires, rows over CZ, and the phase that they lack (radians)."""

    wires: Ints
    op: NDArray[np.uint8]
    operands: NDArray[np.int32]
    angles: Floats
    phase: float


@dataclass(frozen=True, eq=False)
class _Sweep:
    """One sweep over a circuit, from the front to the back.

    Attributes:
        circuit: the circuit before the sweep.
        width: wires of a block.
        tries: fits for each length of a block.
        blocks: how many different blocks are searched.
        seed: of the starts.
        shuffle: -1, or the number of a shuffle: blocks are then replaced by others of the same length.
        price: shape (rows,): CZ that the row costs, 0 for single-qubit gates, -1 for all that stays.
        order: shape (rows,): the rows in an order that is as good, changed by the sweep.
        start: shape (rows + 1,): where each row's rows over CZ begin.
        operands: shape (n, 2): qubits of the rows over CZ.
        turns: shape (n, 4): quaternions of the rows over CZ.
        phases: shape (rows,): the phase that each row has beside these.
    """

    circuit: Circuit
    width: int
    tries: int
    blocks: int
    seed: int
    shuffle: int
    price: NDArray[np.int8]
    order: Ints
    start: Ints
    operands: NDArray[np.int32]
    turns: Floats
    phases: Floats

    @staticmethod
    def of(circuit: Circuit, width: int, effort: int, seed: int, shuffle: int = -1) -> _Sweep:
        fixed = (circuit.extra >= 0) | circuit.symbolic_rows
        price = np.where(fixed, np.int8(-1), _PRICE[circuit.op])
        opened = ~fixed & (_RULE[circuit.op] >= 0)
        over_cz = expand(circuit, np.where(opened, _RULE[circuit.op], -1), _RULES)
        length = np.where(opened, _STEPS[circuit.op], 1)
        start = np.r_[0, np.cumsum(length)]
        turns, phases = su2.quaternions(over_cz.op, over_cz.angles)
        own = _PHASE[circuit.op, 0] + (_PHASE[circuit.op, 1:] * circuit.angles).sum(axis=1)
        own += np.add.reduceat(np.r_[phases, 0.0], start)[:-1]
        many = max(1, int((price > 0).sum()))
        tries = max(FEWEST_TRIES, TRIES[width] * effort * LONG // max(LONG, many))
        order, blocks = np.arange(len(circuit)), BLOCKS * effort
        rows = over_cz.operands, turns, own
        return _Sweep(circuit, width, tries, blocks, seed, shuffle, price, order, start, *rows)

    def run(self) -> Circuit:
        """The circuit after the sweep; the same object if no block gave way."""
        from qattn_compiler.passes.circuit import three_qubit_kernels as kernels

        circuit, order, price = self.circuit, self.order, self.price
        wires = _with_order_of_walls(circuit, self.width)
        failed = np.full(len(circuit), -1, dtype=np.int64)
        marks = np.zeros((3, circuit.num_wires + 2), dtype=np.int64)
        room = np.empty(kernels.SPAN, dtype=np.int64)
        found: dict[int, _Block] = {}
        gone = np.zeros(len(circuit), dtype=bool)
        known: dict[tuple[bytes, bytes], int] = {}
        at = side = window = vain = 0
        limits = self.width, LONGEST[self.width], FEWEST[self.width]
        while True:
            at, side, count, total = kernels.next_window(
                at, side, *limits, order, price, wires, failed, marks, room
            )
            if at >= len(order):
                break
            members = room[:count].copy()
            rows = order[members]
            tries, searched = max(FEWEST_TRIES, self.tries >> vain // PATIENCE), len(known)
            block = self._resynthesised(rows, total, known, tries)
            vain = vain + len(known) - searched if block is None else 0
            if block is None:
                failed[rows] = window
                window += 1
                side += 1
                continue
            kernels.gather(order, wires, members, marks)
            found[int(rows[0])] = block
            price[rows], wires[rows] = -1, -1  # from here on one row on all wires stands for the block
            wires[rows[0], : self.width] = block.wires
            gone[rows] = True
            side = 0
        return self._written(found, gone) if found else circuit

    def _resynthesised(
        self, rows: Ints, total: int, known: dict[tuple[bytes, bytes], int], tries: int
    ) -> _Block | None:
        """A block with fewer CZ than `total` for these rows, or None."""
        from qattn_compiler.passes.circuit.three_qubit_kernels import assemble

        n = self.width
        wires = np.empty(n, dtype=np.int64)
        pairs, gates, last = assemble(rows, self.start, self.operands, self.turns, wires)
        first, final = gates[:n].copy(), gates[last]
        core = gates.copy()
        core[:n] = core[last] = [1.0, 0.0, 0.0, 0.0]
        key = pairs.tobytes(), core.tobytes()
        if key not in known and len(known) >= self.blocks:
            return None
        tries = known.setdefault(key, tries)
        new = _shrunk(*key, tries, self.seed) if self.shuffle < 0 else _other(*key, self.shuffle)
        if new is None or len(new) >= total + (self.shuffle >= 0):
            return None
        inner = new.gates.copy()
        inner[:n] = su2.multiply(inner[:n], first)
        ends = new.last_gates()
        inner[ends] = su2.multiply(final, inner[ends])
        return _block(Ansatz(pairs, gates), Ansatz(new.pairs, inner), wires, float(self.phases[rows].sum()))

    def _written(self, found: dict[int, _Block], gone: NDArray[np.bool_]) -> Circuit:
        """The rows that stay, in their present order, and each block in the place of its first row."""
        circuit = self.circuit
        length = np.where(gone, 0, 1)
        heads = np.array(list(found), dtype=np.int64)
        length[heads] = [len(block.op) for block in found.values()]
        place = np.empty(len(circuit), dtype=np.int64)
        place[self.order] = np.cumsum(length[self.order]) - length[self.order]
        stay = np.flatnonzero(~gone)
        size = int(length.sum())
        op, operands = np.zeros(size, np.uint8), np.full((size, 2), -1, np.int32)
        angles, extra = np.zeros((size, 3)), np.full(size, -1, np.int32)
        op[place[stay]], operands[place[stay]] = circuit.op[stay], circuit.operands[stay]
        angles[place[stay]], extra[place[stay]] = circuit.angles[stay], circuit.extra[stay]
        for head, block in found.items():
            here = slice(place[head], place[head] + len(block.op))
            op[here], operands[here], angles[here] = block.op, block.operands, block.angles
        phase = circuit.phase + sum(block.phase for block in found.values())
        return replace(
            circuit,
            op=op,
            operands=operands,
            angles=angles,
            extra=extra,
            affine=circuit.affine.moved(np.where(gone, -1, place)),
            phase=float(np.remainder(phase, 2 * np.pi)),
        )


def _with_order_of_walls(circuit: Circuit, width: int) -> NDArray[np.int32]:
    """The circuit's wires, in `width` columns or more, and one more wire that keeps tagged rows in order."""
    wires = np.full((len(circuit), max(width, circuit.wires.shape[1] + 1)), -1, dtype=np.int32)
    wires[:, : circuit.wires.shape[1]] = circuit.wires
    walls = np.flatnonzero(circuit.extra >= 0)
    wires[walls, (wires[walls] >= 0).sum(axis=1)] = circuit.num_wires
    return wires


@lru_cache(maxsize=1 << 14)
def _shrunk(pairs: bytes, gates: bytes, tries: int, seed: int) -> Ansatz:
    """`shrink`, once for equal blocks."""
    from qattn_compiler.synth.three_qubit import shrink

    return shrink(_ansatz(pairs, gates), tries, seed)


def _other(pairs: bytes, gates: bytes, shuffle: int) -> Ansatz | None:
    """Another circuit of the same length, if one is found; each block and shuffle has starts of its own."""
    from qattn_compiler.synth.three_qubit import alternative

    start = _ansatz(pairs, gates)
    if len(start) > SHUFFLED:
        return None
    found = alternative(start, SHUFFLE_TRIES, crc32(gates, shuffle))
    return None if found is start else found


def _ansatz(pairs: bytes, gates: bytes) -> Ansatz:
    return Ansatz(np.frombuffer(pairs, np.int64).reshape(-1, 2), np.frombuffer(gates).reshape(-1, 4))


def _block(old: Ansatz, new: Ansatz, wires: Ints, phase: float) -> _Block:
    """The rows of `new`, equal to `old` times exp(i phase)."""
    new = new.tidied()
    overlap = np.vdot(new.unitary(), old.unitary())
    xza, signs = su2.to_xza(new.gates)
    phase += float(np.angle(overlap)) + float(signs.sum())
    idle: NDArray[np.bool_] = np.max(np.abs(xza[:, :2]), axis=1) < IDENTITY
    op, operands, angles = [], [], []

    def turn(gate: int, qubit: int) -> None:
        if not idle[gate]:
            op.append(PHASED_XZ)
            operands.append((wires[qubit], -1))
            angles.append(xza[gate])

    n = new.num_qubits
    for qubit in range(n):
        turn(qubit, qubit)
    for k, pair in enumerate(new.pairs):
        op.append(CZ)
        operands.append((wires[pair[0]], wires[pair[1]]))
        angles.append(np.zeros(3))
        for side in range(2):
            turn(n + 2 * k + side, pair[side])
    return _Block(
        wires,
        np.array(op, dtype=np.uint8),
        np.array(operands, dtype=np.int32).reshape(-1, 2),
        np.array(angles).reshape(-1, 3),
        phase,
    )
