"""Equality of circuits of any width by their Pauli rotations: exact, angles may be symbols.

Every gate of the table is a product of rotations exp(-i t P / 2) of at most two qubits. With the Clifford
ones (quarter turns) moved to the end, A B^dagger is a word of rotations on strings, and a Clifford. Rotations
on equal strings add up where all between commute. If the word cancels and the Clifford is the identity, up to
the qubits' renaming, then A = B up to global phase. What cannot be cancelled says nothing: the answer is then
None.

This sees what is not local: folded phases, parity networks, Clifford circuits, circuits that were built anew
from their Pauli rotations. Walls are letters of the word that commute with what acts on other wires.

Sources: Litinski, Quantum 3, 128 (2019), section 1 (moving Clifford gates to the end); Zhang, Chen,
arXiv:1903.12456, section 3 (merging by commutation).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit.gates import AXES, AXIS_CODES, BY_NAME, GATES, NUM_QUBITS
from qattn_compiler.circuit.table import Circuit
from qattn_compiler.verify.windows import Walls, wall_content

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

REACH: Final = 1 << 15
"""How many rotations are looked back."""
EXACT: Final = 1e-9
"""Angles (radians) this close to a multiple of a quarter turn may be one; the distance is then added to the
error."""
CLIFFORD: Final = 0.1
"""No Clifford circuit that is no renaming is nearer to one (largest entry of the difference) than 0.29."""
FORMS: Final = 3
"""Symbolic angles are compared by the values of their linear forms at so many random points."""

_LETTER: Final = tuple("IXYZ".index(axis or "I") for axis in AXES)
"""Axis codes of the gate table as letters of a string."""

Turn = tuple[str, float, tuple[float, ...]]
"""Axes on the operands ("ZX", "IY"), constant angle, and coefficients of the gate's angles."""
_PI: Final = float(np.pi)

TURNS: Final[dict[str, tuple[Turn, ...]]] = {
    "x": (("X", _PI, ()),),
    "y": (("Y", _PI, ()),),
    "z": (("Z", _PI, ()),),
    "h": (("Y", _PI / 2, ()), ("X", _PI, ())),
    "s": (("Z", _PI / 2, ()),),
    "sdg": (("Z", -_PI / 2, ()),),
    "t": (("Z", _PI / 4, ()),),
    "tdg": (("Z", -_PI / 4, ()),),
    "sx": (("X", _PI / 2, ()),),
    "sxdg": (("X", -_PI / 2, ()),),
    "rx": (("X", 0, (1,)),),
    "ry": (("Y", 0, (1,)),),
    "rz": (("Z", 0, (1,)),),
    "phased_xz": (("Z", 0, (0, 0, -1)), ("X", 0, (1,)), ("Z", 0, (0, 1, 1))),
    "cx": (("ZI", _PI / 2, ()), ("IX", _PI / 2, ()), ("ZX", -_PI / 2, ())),
    "cy": (("ZI", _PI / 2, ()), ("IY", _PI / 2, ()), ("ZY", -_PI / 2, ())),
    "cz": (("ZI", _PI / 2, ()), ("IZ", _PI / 2, ()), ("ZZ", -_PI / 2, ())),
    "ch": (
        *(("IY", -_PI / 4, ()), ("ZI", _PI / 2, ()), ("IZ", _PI / 2, ())),
        *(("ZZ", -_PI / 2, ()), ("IY", _PI / 4, ())),
    ),
    "swap": (("XX", _PI / 2, ()), ("YY", _PI / 2, ()), ("ZZ", _PI / 2, ())),
    "iswap": (("XX", -_PI / 2, ()), ("YY", -_PI / 2, ())),
    "iswapdg": (("XX", _PI / 2, ()), ("YY", _PI / 2, ())),
    "siswap": (("XX", -_PI / 4, ()), ("YY", -_PI / 4, ())),
    "siswapdg": (("XX", _PI / 4, ()), ("YY", _PI / 4, ())),
    "crx": (("IX", 0, (0.5,)), ("ZX", 0, (-0.5,))),
    "cry": (("IY", 0, (0.5,)), ("ZY", 0, (-0.5,))),
    "crz": (("IZ", 0, (0.5,)), ("ZZ", 0, (-0.5,))),
    "cphase": (("ZI", 0, (0.5,)), ("IZ", 0, (0.5,)), ("ZZ", 0, (-0.5,))),
    "rxx": (("XX", 0, (1,)),),
    "ryy": (("YY", 0, (1,)),),
    "rzz": (("ZZ", 0, (1,)),),
    "givens": (("YX", 0, (1,)), ("XY", 0, (-1,))),
    "fsim": (
        *(("XX", 0, (1,)), ("YY", 0, (1,))),
        *(("ZI", 0, (0, -0.5)), ("IZ", 0, (0, -0.5)), ("ZZ", 0, (0, 0.5))),
    ),
}
"""Each gate as rotations, the first to act first, up to global phase."""


@dataclass(frozen=True)
class Word:
    """What the cancellation found.

    Attributes:
        equal: True; False if at most one rotation is left and the rest is no identity; None if more is left,
            which proves nothing.
        error: sum of the angles that were given up, halved: bounds the operator norm of the difference.
        left: how many rotations and walls did not cancel.
        deviation: if not equal, how far A B^dagger is from any renaming at least (largest entry of the
            difference, at random values of the parameters).
    """

    equal: bool | None
    error: float
    left: int
    deviation: float = 0.0

    @property
    def detail(self) -> str:
        """In words, if they are not equal."""
        if self.equal:
            return ""
        rest = "a Clifford circuit that is not the identity" if not self.left else "that does not cancel"
        return rest if not self.left else f"{self.left} Pauli rotations or walls are left {rest}"


def by_words(
    a: Circuit,
    b: Circuit,
    initial: Ints,
    final: Ints,
    seed: int = 0,
    tolerance: float = EXACT,
    patient: bool = True,
) -> Word:
    """Whether b is a, with qubits placed.

    Args:
        a: n qubits.
        b: m >= n qubits; those that no qubit of `a` starts on must not matter, and end anywhere.
        initial, final: shape (n,): qubit of b for each of a, at the start and at the end.
        seed: of the points at which symbolic angles are compared.
        tolerance: angles (radians) this close to a multiple of a quarter turn may be one, where that helps.
        patient: read on where little of b has met something of a (`word_kernels.HOPELESS`).
    """
    from qattn_compiler.verify.word_kernels import cancel

    size = max(a.num_qubits, b.num_qubits)
    keys = tuple(sorted({*a.keys, *b.keys}))
    names = tuple(sorted({p.name for p in (*a.params, *b.params)}))
    points = np.random.default_rng(seed).uniform(1, 2, (FORMS, len(names)))
    label = np.full(size, -1, dtype=np.int64)  # of the qubits of b: that of a which ends there
    label[np.asarray(final, dtype=np.int64)] = np.arange(a.num_qubits)
    label[label < 0] = np.arange(a.num_qubits, size)
    spelling = _Spelling(size, keys, names, points)
    both = spelling.of(_in_layers(a), np.arange(size), _in_layers(b), label)
    end = label[np.asarray(initial, dtype=np.int64)]
    # What is small is kept first, as both may have it, and given up if it stands in the way.
    for fine in dict.fromkeys((EXACT, tolerance)):
        frame, power, left, angles, lost = cancel(
            *(both.wires, both.axes, both.angles, both.wall, both.begin, both.wall_wires),
            *(size + len(keys), REACH, tolerance, fine, len(both.wall) if patient else both.middle),
        )
        if not len(left) and _renames(frame, power, end, size + len(keys)):
            return Word(True, lost / 2, 0)
        if lost <= EXACT * len(both.wall):
            break
    # A Clifford circuit that renames otherwise, or one rotation that is not Clifford, is no identity.
    if len(left) > 1 or both.wall[left].any() or has_channels(a) or has_channels(b):
        return Word(None, lost / 2, len(left))
    off = CLIFFORD if not len(left) else _least(float(angles[0, :2].sum()))
    return Word(False, lost / 2, len(left), max(0.0, off - lost / 2))


def _in_layers(circuit: Circuit) -> Circuit:
    """The rows in the order of the layers in which they may be done, so that what meets is near."""
    from qattn_compiler.circuit.kernels import layers

    layer = layers(np.ones(len(circuit), dtype=np.int64), circuit.wires, circuit.num_wires)
    if (layer[1:] >= layer[:-1]).all():
        return circuit
    return circuit.with_rows(np.argsort(layer, kind="stable"))


def has_channels(circuit: Circuit) -> bool:
    """Whether anything is in it behind which a difference may not be seen, such as a measurement."""
    return bool((NUM_QUBITS[circuit.op] == 0).any())


def _least(angle: float) -> float:
    """Roughly how far a Clifford circuit and a rotation by this angle are from any renaming at least."""
    off = abs(angle - round(angle / (_PI / 2)) * _PI / 2)
    return min(CLIFFORD, off / 4)


def _renames(frame: NDArray[np.uint64], power: Ints, end: Ints, wires: int) -> bool:
    """Whether a frame only renames qubits: those of `a` go to `end`, the others anywhere, keys stay."""
    half = frame.shape[1] // 2
    bits = np.unpackbits(frame.view(np.uint8), axis=1, bitorder="little")
    parts = bits[:, : 64 * half][:, :wires], bits[:, 64 * half :][:, :wires]
    x, z = (part.astype(bool) for part in parts)
    place = x[0::2].argmax(axis=1)
    wanted = np.zeros((wires, wires), dtype=bool)
    wanted[np.arange(wires), place] = True
    clean = (x[0::2] == wanted).all() and (z[1::2] == wanted).all()
    clean = clean and not z[0::2].any() and not x[1::2].any() and not power.any()
    return bool(clean and (place[end] == np.arange(len(end))).all())


@dataclass(frozen=True, eq=False)
class _Steps:
    """A word as `word_kernels.cancel` reads it."""

    wires: Ints
    axes: Ints
    angles: Floats
    wall: Ints
    begin: Ints
    wall_wires: Ints
    middle: int


@dataclass(frozen=True, eq=False)
class _Spelling:
    """How circuits become words.

    Attributes:
        size: of the labels of qubits; the keys come after them.
        keys: classical keys.
        names: of the parameters.
        points: shape (points, parameters): where symbolic angles are looked at.
    """

    size: int
    keys: tuple[str, ...]
    names: tuple[str, ...]
    points: Floats

    def of(self, a: Circuit, label: Ints, b: Circuit, other: Ints) -> _Steps:
        """The word of A B^dagger, with a label for each qubit of both."""
        from qattn_compiler.verify.word_kernels import spell

        tables = _tables()
        counts = [np.where(c.extra >= 0, 1, tables[0][c.op]) for c in (a, b)]
        middle, steps = int(counts[0].sum()), int(counts[0].sum() + counts[1].sum())
        wires, axes = np.zeros((2, steps, 2), dtype=np.int64)
        angles = np.zeros((steps, 1 + len(self.points) * bool(self.names)))
        wall, walls = np.zeros(steps, dtype=np.int64), Walls()
        strings: dict[int, list[int]] = {}
        for circuit, names, count in ((a, label, counts[0]), (b, other, counts[1])):
            back = count is counts[1]
            part = slice(middle, steps) if back else slice(middle)
            forms, special = self._forms(circuit), circuit.extra >= 0
            given = (circuit.op, circuit.operands, special, forms, names, tables, back)
            spell(*given, wires[part], axes[part], angles[part])
            last = np.cumsum(count) - 1
            for row in np.flatnonzero(special).tolist():
                step = steps - 1 - int(last[row]) if back else int(last[row])
                number = walls.number(wall_content(circuit, row, forms[:, row])) + 1
                wall[step] = -number if back else number
                strings[step] = self._strings(circuit, row, names)
        width = np.zeros(steps + 1, dtype=np.int64)
        width[[1 + step for step in strings]] = [len(one) for one in strings.values()]
        listed = [wire for step in sorted(strings) for wire in strings[step]]
        return _Steps(wires, axes, angles, wall, np.cumsum(width), np.array(listed, dtype=np.int64), middle)

    def _forms(self, circuit: Circuit) -> Floats:
        """Constants and symbolic parts of the angles, shape (1 or 1 + points, rows, 3)."""
        if not self.names:
            return circuit.angles[None]
        values = self.points[:, [self.names.index(p.name) for p in circuit.params]]
        bound, _ = circuit.bind_batch(values)
        forms = np.concatenate([circuit.angles[None], bound - circuit.angles[None]])
        forms.setflags(write=False)  # one kind of array for the kernel
        return forms

    def _strings(self, circuit: Circuit, row: int, label: Ints) -> list[int]:
        """What a wall acts with, 4 * wire + letter."""
        out: list[int] = []
        for k, w in enumerate(w for w in circuit.wires[row].tolist() if w >= 0):
            is_qubit = w < circuit.num_qubits
            wire = (
                int(label[w])
                if is_qubit
                else self.size + self.keys.index(circuit.keys[w - circuit.num_qubits])
            )
            axis = int(AXIS_CODES[circuit.op[row], k]) if k < 2 and is_qubit else 0
            out += [4 * wire + letter for letter in ((_LETTER[axis],) if axis else (1, 3))]
        return out


@cache
def _tables() -> tuple[Ints, Ints, Floats]:
    """Per gate: how many rotations; their axes, shape (gates, 5, 2); their angles as a constant and three
    coefficients, shape (gates, 5, 4)."""
    count = np.zeros(len(GATES), dtype=np.int64)
    axes = np.zeros((len(GATES), 5, 2), dtype=np.int64)
    affine = np.zeros((len(GATES), 5, 4))
    for name, turns in TURNS.items():
        code = BY_NAME[name].code
        count[code] = len(turns)
        for k, (letters, constant, coefficients) in enumerate(turns):
            axes[code, k, : len(letters)] = ["IXYZ".index(letter) for letter in letters]
            affine[code, k, 0] = constant
            affine[code, k, 1 : 1 + len(coefficients)] = coefficients
    return count, axes, affine
