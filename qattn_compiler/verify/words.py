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
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit.gates import AXES, AXIS_CODES, BY_NAME, GATES, NUM_QUBITS
from qattn_compiler.circuit.table import Circuit
from qattn_compiler.verify.windows import wall_content

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

REACH: Final = 4096
"""How many rotations are looked back."""
EXACT: Final = 1e-9
"""Angles (radians) this close to a multiple of a quarter turn are one; the distance is added to the error."""
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
        error: sum of the angles that were rounded off, halved: bounds the operator norm of the difference.
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
    a: Circuit, b: Circuit, initial: Ints, final: Ints, seed: int = 0, tolerance: float = EXACT
) -> Word:
    """Whether b is a, with qubits placed.

    Args:
        a: n qubits.
        b: m >= n qubits; those that no qubit of `a` starts on must not matter, and end anywhere.
        initial, final: shape (n,): qubit of b for each of a, at the start and at the end.
        seed: of the points at which symbolic angles are compared.
        tolerance: angles (radians) this close to a multiple of a quarter turn are one.
    """
    from qattn_compiler.verify.word_kernels import cancel

    size = max(a.num_qubits, b.num_qubits)
    keys = tuple(sorted({*a.keys, *b.keys}))
    names = tuple(sorted({p.name for p in (*a.params, *b.params)}))
    points = np.random.default_rng(seed).uniform(1, 2, (FORMS, len(names)))
    walls: list[tuple[Any, ...]] = []
    label = np.full(size, -1, dtype=np.int64)  # of the qubits of b: that of a which ends there
    label[np.asarray(final, dtype=np.int64)] = np.arange(a.num_qubits)
    label[label < 0] = np.arange(a.num_qubits, size)
    one = _steps(a, np.arange(size), size, keys, names, points, walls)
    two = _steps(b, label, size, keys, names, points, walls).inverse()
    both = one.then(two)
    frame, power, left, angles, lost = cancel(
        *(both.wires, both.axes, both.angles, both.wall, both.begin, both.wall_wires),
        *(size + len(keys), REACH, tolerance),
    )
    end = label[np.asarray(initial, dtype=np.int64)]
    same = not len(left) and _renames(frame, power, end, size + len(keys))
    if same:
        return Word(True, lost / 2, 0)
    # A Clifford circuit that renames otherwise, or one rotation that is not Clifford, is no identity.
    if len(left) > 1 or both.wall[left].any() or has_channels(a) or has_channels(b):
        return Word(None, lost / 2, len(left))
    off = CLIFFORD if not len(left) else _least(float(angles[0, 0] + angles[0, 1]))
    return Word(False, lost / 2, len(left), max(0.0, off - lost / 2))


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

    def inverse(self) -> _Steps:
        """The word backwards, each letter inverted."""
        width = np.diff(self.begin)[::-1]
        begin = np.concatenate([[0], np.cumsum(width)])
        chosen = [self.wall_wires[self.begin[k] : self.begin[k + 1]] for k in np.flatnonzero(self.wall)[::-1]]
        wall_wires = np.concatenate([self.wall_wires[:0], *chosen])
        return _Steps(
            self.wires[::-1].copy(),
            self.axes[::-1].copy(),
            -self.angles[::-1],
            -self.wall[::-1],
            begin,
            wall_wires,
        )

    def then(self, other: _Steps) -> _Steps:
        """Two words in one."""
        return _Steps(
            np.concatenate([self.wires, other.wires]),
            np.concatenate([self.axes, other.axes]),
            np.concatenate([self.angles, other.angles]),
            np.concatenate([self.wall, other.wall]),
            np.concatenate([self.begin, other.begin[1:] + self.begin[-1]]),
            np.concatenate([self.wall_wires, other.wall_wires]),
        )


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


def _steps(
    circuit: Circuit,
    label: Ints,
    size: int,
    keys: tuple[str, ...],
    names: tuple[str, ...],
    points: Floats,
    walls: list[tuple[Any, ...]],
) -> _Steps:
    """The letters of a circuit: rotations gate by gate, and walls."""
    counts, all_axes, affine = _tables()
    special = circuit.extra >= 0
    count = np.where(special, 1, counts[circuit.op])
    row = np.repeat(np.arange(len(circuit)), count)
    part = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
    part = np.minimum(part, 4)
    op = circuit.op[row]
    axes = np.where(special[row][:, None], 0, all_axes[op, part])
    operands = circuit.operands[row].astype(np.int64)
    wires = np.where(operands >= 0, label[np.maximum(operands, 0)], 0)
    swapped = axes[:, 0] == 0
    axes[swapped], wires[swapped] = axes[swapped][:, ::-1], wires[swapped][:, ::-1]

    columns = [p.name for p in circuit.params]
    values = points[:, [names.index(name) for name in columns]]
    bound, _ = circuit.bind_batch(values)
    forms = np.concatenate([circuit.angles[None], bound - circuit.angles[None]])  # (1 + FORMS, rows, 3)
    coefficients = affine[op, part]
    angles = np.einsum("frk,rk->rf", forms[:, row], coefficients[:, 1:])
    angles[:, 0] += coefficients[:, 0]

    wall = np.zeros(len(row), dtype=np.int64)
    width = np.zeros(len(row), dtype=np.int64)
    wall_wires: list[int] = []
    for step in np.flatnonzero(special[row]).tolist():
        content = wall_content(circuit, int(row[step]), bound[:, row[step]])
        if content not in walls:
            walls.append(content)
        wall[step] = walls.index(content) + 1
        given = [int(w) for w in circuit.wires[row[step]] if w >= 0]
        named = [
            int(label[w])
            if w < circuit.num_qubits
            else size + keys.index(circuit.keys[w - circuit.num_qubits])
            for w in given
        ]
        for k, wire in enumerate(named):
            axis = int(AXIS_CODES[op[step], k]) if k < 2 else 0
            wall_wires += [4 * wire + letter for letter in ((_LETTER[axis],) if axis else (1, 3))]
        width[step] = len(wall_wires)
    begin = np.concatenate([[0], np.maximum.accumulate(width)])
    return _Steps(wires, axes, angles, wall, begin, np.array(wall_wires, dtype=np.int64))
