"""Rebuild what acts on two qubits with fewer native entanglers.

Numeric gates on a pair of qubits are collected into blocks, also through gates of others that commute with
what joins (`block_kernels.collect_blocks`); each block is one unitary, and its Weyl coordinates say how many
entanglers it needs (`synth.weyl`). Blocks that need fewer than they have are built anew
(`synth.entanglers`). What is rebuilt may let others meet, so this repeats until nothing changes. Every round
is linear in the number of rows.

Sources: Cirq's and Qiskit's passes of the kind (collect blocks, consolidate); see `synth.entanglers` for the
circuits.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit import su2
from qattn_compiler.circuit.gates import AXIS_CODES, BY_NAME, NUM_ANGLES, NUM_QUBITS, PHASED_XZ
from qattn_compiler.circuit.table import Circuit
from qattn_compiler.errors import PassError
from qattn_compiler.passes.circuit.base import CirqTransformer
from qattn_compiler.synth import weyl
from qattn_compiler.synth.entangler_programs import Programs
from qattn_compiler.synth.entanglers import ENTANGLERS, Entangler
from qattn_compiler.synth.two_qubit_rules import CZ_COUNT
from qattn_compiler.synth.weyl_gates import two_qubit_matrices

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_SAME = 1e-12
"""Angles (radians) this close to those of the entangler are meant to be them."""


@dataclass(frozen=True)
class ResynthesiseTwoQubit(CirqTransformer):
    """Fewer entanglers for each two-qubit block (module docstring).

    Over CZ (or CX) a block is replaced if the number of CZ falls, a gate of another kind counting as many as
    `decompose_two_qubit` would make of it. Over other entanglers, every block that holds a numeric gate of
    another kind is replaced too, since nothing else would rewrite that gate.

    Attributes:
        entangler: what to build with, a name of `synth.entanglers.ENTANGLERS`.
        tolerance: a block this close (operator norm) to one with fewer entanglers becomes that one.
        fidelity: each replacement may lower the average gate fidelity of a block to this; 1 is exact.
            `infidelity` says how much was given away.

    Keeps: meaning (at fidelity 1, up to `tolerance`) and global phase, symbolic gates, rows with tags or
    other extras.

    Raises:
        PassError: no such entangler, or a number out of its range.
    """

    entangler: str = "cz"
    tolerance: float = 1e-10
    fidelity: float = 1.0
    name: ClassVar[str] = "resynthesise-two-qubit"

    def __post_init__(self) -> None:
        if self.entangler not in ENTANGLERS:
            hint = f"there are {', '.join(ENTANGLERS)}"
            raise PassError(f"{self.name}: there is no entangler {self.entangler!r}", hint=hint)
        if not 0 <= self.tolerance < 1:
            raise PassError(f"tolerance is {self.tolerance}; a number from 0 to below 1 was expected")
        if not 0 < self.fidelity <= 1:
            raise PassError(f"fidelity is {self.fidelity}; a number above 0, at most 1, was expected")

    def run(self, circuit: Circuit, /) -> Circuit:
        """The circuit with the blocks rebuilt."""
        return self._rebuilt(circuit)[0]

    def infidelity(self, circuit: Circuit) -> float:
        """The sum, over the blocks that `run` would replace, of one minus the average gate fidelity."""
        return self._rebuilt(circuit)[1]

    def _rebuilt(self, circuit: Circuit) -> tuple[Circuit, float]:
        lost = 0.0
        while (found := self._round(circuit)) is not None:
            circuit, more = found
            lost += more
        return circuit, lost

    def _round(self, circuit: Circuit) -> tuple[Circuit, float] | None:
        """All blocks of this circuit rebuilt once, and the infidelity; None if no block wants it."""
        native = ENTANGLERS[self.entangler]
        blocks = _candidates(circuit, native)
        if blocks is None:
            return None
        kak = weyl.kak(blocks.unitaries(circuit))
        counts = native.counts(kak.coordinates, self.tolerance, self.fidelity)
        change = np.flatnonzero((counts < blocks.cost) | blocks.foreign)
        if not len(change):
            return None
        kak, counts = kak.take(change), counts[change]
        fidelity = weyl.fidelity(kak.coordinates, native.reached(kak.coordinates, counts))
        rebuilt = _replaced(circuit, blocks.take(change), native.build(kak, counts))
        return rebuilt, float((1 - fidelity).sum())


@dataclass(frozen=True, eq=False)
class _Blocks:
    """Some blocks of a circuit.

    Attributes:
        first: shape (blocks,): the first row.
        cost: shape (blocks,): entanglers in it.
        foreign: shape (blocks,): whether it must be rebuilt in any case.
        rows: shape (members,): all rows of the blocks, by block, then in their order.
        block: shape (members,): which block the row belongs to.
    """

    first: Ints
    cost: Ints
    foreign: Bools
    rows: Ints
    block: Ints

    def take(self, chosen: Ints) -> _Blocks:
        """Only these blocks, numbered anew."""
        number = np.full(len(self.first), -1, dtype=np.int64)
        number[chosen] = np.arange(len(chosen))
        block = number[self.block]
        member = block >= 0
        first, cost, foreign = self.first[chosen], self.cost[chosen], self.foreign[chosen]
        return _Blocks(first, cost, foreign, self.rows[member], block[member])

    def unitaries(self, circuit: Circuit) -> NDArray[np.complex128]:
        """The products of their rows, without the phases of single-qubit gates: shape (blocks, 4, 4)."""
        from qattn_compiler.passes.circuit.block_kernels import block_unitaries

        op, angles = circuit.op[self.rows], circuit.angles[self.rows]
        two = NUM_QUBITS[op] == 2
        side = circuit.operands[self.rows, 0] != circuit.operands[self.first, 0][self.block]
        gate = np.where(two, np.cumsum(two) - 1, -1)
        matrices = two_qubit_matrices(op[two], angles[two])
        q, _ = su2.quaternions(op, angles)
        side8, blocks = side.astype(np.int8), len(self.first)
        found: NDArray[np.complex128] = block_unitaries(self.block, side8, gate, q, matrices, blocks)
        return found


def _candidates(circuit: Circuit, native: Entangler) -> _Blocks | None:
    """The blocks whose number of entanglers might fall, and those that must be rebuilt."""
    from qattn_compiler.passes.circuit.block_kernels import collect_blocks

    numeric = (circuit.extra < 0) & ~circuit.symbolic_rows
    width = np.where(numeric, NUM_QUBITS[circuit.op], 0).astype(np.int8)
    two = np.flatnonzero(width == 2)
    if not len(two):
        return None
    pair = np.full(len(circuit), -1, dtype=np.int64)
    pair[two], pairs = _numbered(circuit.operands[two], circuit.num_qubits)
    axes = AXIS_CODES[circuit.op]
    block, first = collect_blocks(width, pair, axes, circuit.wires, circuit.num_wires, pairs)

    cost, foreign, settled = _judged(circuit, two, native)
    total = np.bincount(block[two], cost, minlength=len(first)).astype(np.int64)
    strange = np.bincount(block[two], foreign, minlength=len(first)) > 0
    alone = np.bincount(block[two], minlength=len(first)) == 1
    idle = alone & (np.bincount(block[two], settled, minlength=len(first)) > 0)
    wanted = np.flatnonzero(strange | ~idle)
    if not len(wanted):
        return None
    member = np.flatnonzero(block >= 0)
    rows = member[np.argsort(block[member], kind="stable")]
    return _Blocks(first, total, strange, rows, block[rows]).take(wanted)


FEW: Final = 128
"""Qubits up to which every pair that there might be has a number of its own."""


def _numbered(operands: NDArray[np.int32], size: int) -> tuple[Ints, int]:
    """A number for the unordered pair of each row, and a bound on the numbers."""
    first, second = operands[:, 0].astype(np.int64), operands[:, 1]
    names = np.minimum(first, second) * size + np.maximum(first, second)
    if size <= FEW:
        return names, size * size
    found, number = np.unique(names, return_inverse=True)
    return number, len(found)


def _judged(circuit: Circuit, two: Ints, native: Entangler) -> tuple[Ints, Bools, Bools]:
    """Of two-qubit rows: their cost, whether they must be rebuilt, whether they are best as they are."""
    op = circuit.op[two]
    is_native = op == BY_NAME[native.gate].code
    if native.angles is not None:
        width = len(native.angles)
        is_native &= (np.abs(circuit.angles[two, :width] - native.angles) <= _SAME).all(axis=1)
    if native.gate in ("cz", "cx"):
        return CZ_COUNT[op], np.zeros(len(op), dtype=bool), NUM_ANGLES[op] == 0
    return np.ones(len(op), dtype=np.int64), ~is_native, is_native & (native.angles is not None)


def _replaced(circuit: Circuit, blocks: _Blocks, programs: Programs) -> Circuit:
    """The circuit with each block's program in the place of its first row."""
    op, side, angles, used, signs = _rows_of(programs)
    lengths = np.ones(len(circuit), dtype=np.int64)
    lengths[blocks.rows] = 0
    lengths[blocks.first] = used.sum(axis=1)
    start = np.cumsum(lengths) - lengths
    kept = np.ones(len(circuit), dtype=bool)
    kept[blocks.rows] = False
    rows = np.flatnonzero(kept)
    which, slot = np.nonzero(used)
    place = start[blocks.first][which] + (np.cumsum(used, axis=1) - 1)[which, slot]

    size = int(lengths.sum())
    new_op = np.empty(size, dtype=np.uint8)
    new_operands = np.full((size, 2), -1, dtype=np.int32)
    new_angles = np.zeros((size, 3))
    new_extra = np.full(size, -1, dtype=np.int32)
    to = start[rows]
    new_op[to], new_operands[to] = circuit.op[rows], circuit.operands[rows]
    new_angles[to], new_extra[to] = circuit.angles[rows], circuit.extra[rows]
    wires = circuit.operands[blocks.first][which]
    new_op[place], new_angles[place] = op[slot], angles[which, slot]
    new_operands[place, 0] = np.where(side[slot] == 1, wires[:, 1], wires[:, 0])
    new_operands[place, 1] = np.where(side[slot] == 2, wires[:, 1], -1)

    new_row = np.full(len(circuit), -1, dtype=np.int64)
    new_row[rows] = to
    _, singles = su2.quaternions(circuit.op[blocks.rows], circuit.angles[blocks.rows])
    phase = circuit.phase + float(singles.sum() + programs.phase.sum() + signs.sum())
    return replace(
        circuit,
        op=new_op,
        operands=new_operands,
        angles=new_angles,
        extra=new_extra,
        affine=circuit.affine.moved(new_row),
        phase=float(np.remainder(phase, 2 * np.pi)),
    )


def _rows_of(programs: Programs) -> tuple[NDArray[np.uint8], Ints, Floats, Bools, Floats]:
    """Programs as rows: three slots for each layer, the gate on either qubit and the entangler.

    Returns:
        op (slots,), operand 0 or 1 or both (2) of shape (slots,), angles (n, slots, 3), which slots are in
        use (n, slots), phases left over (n,).
    """
    n, layers = programs.layers.shape[:2]
    xza, signs = su2.to_xza(programs.layers)
    reached = np.arange(layers) <= programs.counts[:, None]
    angles, used = np.zeros((n, layers, 3, 3)), np.zeros((n, layers, 3), dtype=bool)
    angles[:, :, :2] = xza
    angles[:, :-1, 2] = programs.angles
    used[:, :, :2] = reached[:, :, None] & (xza != 0).any(axis=-1)
    used[:, :-1, 2] = reached[:, 1:]
    op = np.tile(np.array([PHASED_XZ, PHASED_XZ, BY_NAME[programs.gate].code], dtype=np.uint8), layers)
    side = np.tile(np.arange(3), layers)
    left_over = np.where(reached[:, :, None], signs, 0.0).sum(axis=(1, 2))
    return op, side, angles.reshape(n, 3 * layers, 3), used.reshape(n, 3 * layers), left_over
