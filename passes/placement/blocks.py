"""Find multiplexed rotations in a circuit: rotations of a qubit about one axis, between CX or CZ from others.

Between two CX onto it (or CZ with it) a rotation of the target about an axis at right angles to theirs is a
rotation whose sign a parity of the controls decides. Such rotations all commute, so that the order in which
the CX come does not matter: the block is what it does, not its gates.

Source: Mottonen et al., Phys. Rev. Lett. 93, 130502 (2004), for the cascade that is undone here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit import su2
from qattn_compiler.circuit.gates import AXES, AXIS_CODES, BY_NAME, CZ, NUM_QUBITS
from qattn_compiler.circuit.params import GLOBAL_PHASE
from qattn_compiler.circuit.table import Angle, Builder, Circuit
from qattn_compiler.synth.chip_multiplexor import ChipMultiplexor

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

MOST_CONTROLS: Final = 14
FEWEST_CONTROLS: Final = 2
FEWEST_FLIPS: Final = 4
"""What less is has nothing to gain from its graph."""
SMALL: Final = 1e-12
"""An axis (a unit vector) is another one, or not at right angles, from here on."""
_CX: Final = BY_NAME["cx"].code
_X, _Y, _Z = 0, 1, 2
_AXIS: Final = {BY_NAME["rx"].code: _X, BY_NAME["ry"].code: _Y, BY_NAME["rz"].code: _Z}
_Z_AXIS: Final = AXES.index("Z")
_UNITS: Final = np.eye(3)


@dataclass(eq=False)
class Block:
    """A rotation of a target by an angle that a parity of controls decides, for several parities, then a
    parity that is left on the target.

    Attributes:
        target: a qubit.
        flip: 0 or 2: which Pauli (X or Z) a control puts on the target.
        axis: shape (3,): the rotations' axis, at right angles to it; None before the first.
        controls: qubits; bit i of a parity is controls[i].
        turns: parity -> the angle (radians): constant, and coefficients of parameters by index.
        rest: the parity that is left on the target by its CX or CZ.
        flips: how many CX or CZ there were.
        phase: global phase, radians.
        rows: of the circuit.
    """

    target: int
    flip: int
    axis: Floats | None = None
    controls: list[int] = field(default_factory=list)
    turns: dict[int, tuple[float, dict[int, float]]] = field(default_factory=dict)
    rest: int = 0
    flips: int = 0
    phase: float = 0.0
    rows: list[int] = field(default_factory=list)

    @property
    def parities(self) -> Ints:
        """Those that have a rotation, ascending."""
        wanted = [p for p, (constant, terms) in self.turns.items() if terms or abs(constant) > SMALL]
        return np.array(sorted(wanted), dtype=np.int64)

    @property
    def is_worth_it(self) -> bool:
        """Whether its gates may be placed and ordered better than they are."""
        return len(self.controls) >= FEWEST_CONTROLS and self.flips >= FEWEST_FLIPS and self.axis is not None

    def toggle(self, control: int, row: int) -> None:
        """One more CX or CZ."""
        if control not in self.controls:
            self.controls.append(control)
        self.rest ^= 1 << self.controls.index(control)
        self.flips += 1
        self.rows.append(row)

    def turn(self, axis: Floats, angle: float, terms: dict[int, float], phase: float, row: int) -> bool:
        """One more rotation, if it is about the block's axis; whether it is."""
        if abs(axis[self.flip]) > SMALL:
            return False
        if self.axis is None:
            self.axis = axis
        along = float(axis @ self.axis)
        if abs(abs(along) - 1) > SMALL:
            return False
        sign = 1.0 if along > 0 else -1.0
        constant, known = self.turns.get(self.rest, (0.0, {}))
        merged = {p: known.get(p, 0.0) + sign * terms.get(p, 0.0) for p in (*known, *terms)}
        merged = {p: coef for p, coef in merged.items() if coef}
        self.turns[self.rest] = constant + sign * angle, merged
        self.phase += phase
        self.rows.append(row)
        return True

    def write(
        self, builder: Builder, names: Sequence[str], wires: Sequence[int], plan: ChipMultiplexor
    ) -> None:
        """Append the block, by other CX.

        Args:
            builder: where the rows go.
            names: of the parameters.
            wires: where the controls and then the target are.
            plan: on these wires.
        """
        assert self.axis is not None
        frame, end = _frame(self.flip, self.axis), wires[int(plan.ends[-1])]
        for name, angle in frame:
            builder.add(name, [wires[-1]], [angle])
        for one, two, number in plan.steps.tolist():
            if number < 0:
                builder.add("cx", [wires[one], wires[two]])
                continue
            constant, terms = self.turns[int(plan.parities[number])]
            named = {names[p]: coef for p, coef in terms.items()}
            turn: Angle = (constant, named) if named else constant
            builder.add("rz", [wires[two]], [turn])
        for name, angle in reversed(frame):
            builder.add(name, [end], [-angle])
        builder.add_phase(self.phase)


def _frame(flip: int, axis: Floats) -> list[tuple[str, float]]:
    """Rotations after which the Pauli `flip` is X, and the axis Z."""
    out = []
    if flip == _Z:  # about Y, Z goes to X, and X to -Z
        out.append(("ry", float(np.pi / 2)))
        axis = np.array([0.0, axis[_Y], -axis[_X]])
    angle = float(np.arctan2(axis[_Y], axis[_Z]))  # about X by this, Z would go to the axis's -Y
    if abs(angle) > SMALL:
        out.append(("rx", angle))
    return out


@dataclass(eq=False)
class _Scan:
    """Rows are read one by one; `pieces` is the circuit so far in an order that means the same.

    A block that is still open commutes with whatever was read since it began and is not in it.
    """

    circuit: Circuit
    pieces: list[int | Block] = field(default_factory=list)
    open: dict[int, Block] = field(default_factory=dict)

    def close(self, block: Block) -> None:
        del self.open[block.target]
        if block.is_worth_it:
            self.pieces.append(block)
        else:
            self.pieces += block.rows

    def close_at(self, wires: list[int], *, targets: bool = True, controls: bool = True) -> None:
        for block in list(self.open.values()):
            held = targets and block.target in wires
            if held or (controls and any(w in block.controls for w in wires)):
                self.close(block)

    def plain(self, row: int, wires: list[int]) -> None:
        """A row of no block: it may pass controls on which it is diagonal."""
        axes = AXIS_CODES[self.circuit.op[row]].tolist() if self.circuit.extra[row] < 0 else []
        for k, wire in enumerate(wires):
            diagonal = k < len(axes) and axes[k] == _Z_AXIS
            self.close_at([wire], controls=not diagonal)
        self.pieces.append(row)

    def flip(self, row: int, control: int, target: int, pauli: int) -> None:
        """A CX or CZ of a block."""
        self.close_at([control], controls=False)
        self.close_at([target], targets=False)
        block = self.open.get(target)
        full = block and len(block.controls) == MOST_CONTROLS and control not in block.controls
        if block and (block.flip != pauli or full):
            self.close(block)
            block = None
        if block is None:
            block = self.open[target] = Block(target, pauli)
        block.toggle(control, row)


def most_flips(circuit: Circuit) -> int:
    """No block of the circuit has more CX and CZ than this."""
    plain = circuit.extra < 0
    ends = circuit.wires[plain & (circuit.op == CZ), :2].ravel()
    targets = circuit.wires[plain & (circuit.op == _CX), 1]
    return int(np.bincount(np.concatenate([ends, targets]), minlength=1).max())


def find_blocks(circuit: Circuit) -> list[int | Block]:
    """The circuit as rows and multiplexed rotations, in an order of execution.

    Args:
        circuit: any; what is no CX, CZ or rotation of one qubit stays a row.

    Returns:
        row numbers, and blocks in the place of the rows that they hold.
    """
    scan = _Scan(circuit)
    plain = circuit.extra < 0
    single = plain & (NUM_QUBITS[circuit.op] == 1)
    turns, phases = su2.quaternions(circuit.op, circuit.angles)
    symbolic, after = circuit.symbolic_rows, _next_rows(circuit)
    terms = _terms(circuit)
    columns = circuit.op.tolist(), circuit.wires.tolist(), circuit.angles[:, 0].tolist(), single.tolist()
    for row, (op, ends, angle, alone) in enumerate(zip(*columns, strict=True)):
        wires = [w for w in ends if w >= 0]
        if alone:
            block = scan.open.get(wires[0])
            known = _rotation(op, turns[row], bool(symbolic[row]), angle) if block else None
            if block and known and block.turn(*known, terms.get(row, {}), float(phases[row]), row):
                continue
            scan.plain(row, wires)
        elif plain[row] and op == _CX:
            scan.flip(row, wires[0], wires[1], _X)
        elif plain[row] and op == CZ:
            target = _target(scan, wires, [single[n] and _leans(circuit, n, turns) for n in after[row]])
            if target is None:
                scan.plain(row, wires)
            else:
                scan.flip(row, wires[1 - target], wires[target], _Z)
        else:
            scan.plain(row, wires)
    for block in list(scan.open.values()):
        scan.close(block)
    return scan.pieces


def _rotation(op: int, turn: Floats, symbolic: bool, angle: float) -> tuple[Floats, float] | None:
    """Axis (unit vector) and angle (radians) of a row; None if it is no rotation about a known axis."""
    if op in _AXIS:
        return _UNITS[_AXIS[op]], angle
    if symbolic:
        return None
    length = float(np.linalg.norm(turn[1:]))
    if length < SMALL:
        return None
    return turn[1:] / length, 2 * float(np.arctan2(length, turn[0]))


def _terms(circuit: Circuit) -> dict[int, dict[int, float]]:
    """Row -> the symbolic part of its first angle."""
    out: dict[int, dict[int, float]] = {}
    affine = circuit.affine
    for slot, param, coef in zip(
        affine.slot.tolist(), affine.param.tolist(), affine.coef.tolist(), strict=True
    ):
        if slot != GLOBAL_PHASE and slot % 3 == 0:
            out.setdefault(slot // 3, {})[param] = coef
    return out


def _next_rows(circuit: Circuit) -> Ints:
    """Shape (rows, 2): the next row on each of the first two wires, or -1."""
    out = np.full((len(circuit), 2), -1, dtype=np.int64)
    last: dict[int, int] = {}
    wires = circuit.wires.tolist()
    for row in range(len(circuit) - 1, -1, -1):
        for k, wire in enumerate(wires[row]):
            if wire >= 0:
                if k < 2:
                    out[row, k] = last.get(wire, -1)
                last[wire] = row
    return out


def _leans(circuit: Circuit, row: int, turns: Floats) -> bool:
    """Whether a row of one qubit is not diagonal."""
    if row < 0:
        return False
    return int(circuit.op[row]) in (BY_NAME["rx"].code, BY_NAME["ry"].code) or bool(
        np.abs(turns[row, 1:3]).max() > SMALL
    )


def _target(scan: _Scan, wires: list[int], turned: list[bool]) -> int | None:
    """Which of a CZ's qubits is the target: one that already is, with the other for a control; the only one
    that is rotated next; one that already is."""
    held = [k for k, wire in enumerate(wires) if wire in scan.open and scan.open[wire].flip == _Z]
    known = [k for k in held if wires[1 - k] in scan.open[wires[k]].controls]
    if len(known) == 1:
        return known[0]
    if turned.count(True) == 1:
        return turned.index(True)
    return max(held, key=lambda k: scan.open[wires[k]].flips, default=None)
