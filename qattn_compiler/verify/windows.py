"""Equality of circuits of any width by local windows: exact where two circuits differ only locally.

Both circuits are read side by side and what is between them is kept as a tensor product of small matrices
(`window_kernels`; the scheme "G -> I <- G'" of Burgholzer and Wille, IEEE TCAD 40, 1810 (2021), with small
blocks in the place of decision diagrams). Nothing is known of the pass between them: merging, cancelling,
commuting, resynthesis of blocks on a few qubits, decomposition and routing all keep the blocks small. Where a
block outgrows its limit the answer is "stuck", never "equal".

A symbolic circuit is compared at some random values of its parameters at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit.gates import AXES, AXIS_CODES, GATES, MEASURE, NUM_QUBITS, PHASED_XZ, SWAP
from qattn_compiler.circuit.table import Circuit, Extra
from qattn_compiler.verify.simulate import phased_xz_matrices

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Matrices = NDArray[np.complex128]

ATTEMPTS: Final = ((False, 3), (True, 4), (False, 5), (True, 6))
"""Whether commuting rows may be read in any order, and the largest window (qubits): tried in this order."""
Z_AXIS: Final = AXES.index("Z")
SPLIT: Final = 1e-8
"""A block this near to a product (Frobenius) is taken for one; the distance is added to the error."""


@dataclass(frozen=True, eq=False)
class Difference:
    """A block of A B^dagger that is not what it should be.

    Attributes:
        wires: wires of A, and of B, between which it stands, most significant first.
        matrix: shape (d, d), at the first of the parameter values.
    """

    wires: tuple[tuple[int, ...], tuple[int, ...]]
    matrix: Matrices


@dataclass(frozen=True, eq=False)
class Windows:
    """What the comparison found.

    Attributes:
        equal: True or False if everything was read, None if a window outgrew the limit.
        error: bound of the operator norm of what was rounded off, at the worst parameter values.
        deviation: how far A B^dagger is from the identity at least, or 0 (entry of the difference).
        phase: global phase of A over that of B, at each of the values, radians; only if equal.
        rows: per circuit the first row that could not be read, or -1.
        difference: the first block that is not the identity, or None.
    """

    equal: bool | None
    error: float
    deviation: float = 0.0
    phase: tuple[float, ...] = ()
    rows: tuple[int, int] = (-1, -1)
    difference: Difference | None = None

    @property
    def detail(self) -> str:
        """In words, if they are not equal."""
        if self.equal:
            return ""
        if self.difference is None:
            return f"a window outgrew its limit before rows {self.rows[0]} and {self.rows[1]}"
        one, two = self.difference.wires
        return f"outputs {one} of the first and {two} of the second differ by {self.deviation:.3g}"


def by_windows(
    a: Circuit,
    b: Circuit,
    initial: Ints,
    final: Ints,
    values: Floats,
    names: tuple[str, ...],
    attempts: tuple[tuple[bool, int], ...] = ATTEMPTS,
    split: float = SPLIT,
) -> Windows:
    """Whether b is a, with qubits placed.

    Args:
        a: n qubits.
        b: m >= n qubits; those that no qubit of `a` starts on must not matter, and end anywhere.
        initial, final: shape (n,): qubit of b for each of a, at the start and at the end.
        values: shape (batch, parameters): where symbolic angles are looked at.
        names: of the parameters.
        attempts: how to read, as in ATTEMPTS.
        split: a block this near to a product, or to the identity (Frobenius), is taken for one; the distance
            is added to the error.
    """
    keys = tuple(sorted({*a.keys, *b.keys}))
    size = max(a.num_qubits, b.num_qubits)
    walls = Walls()
    sides = [_side(circuit, size, keys, values, names, walls) for circuit in (a, b)]
    start, stop = _places(initial, size, len(keys)), _places(final, size, len(keys))
    rows = (-1, -1)
    for commuting, limit in attempts:
        read = _read(sides, start, commuting, limit, split)
        if read.rows == (-1, -1):
            return _judged(a, b, read, stop, values, names, split)
        rows = max(rows, read.rows)
    return Windows(None, 0.0, rows=rows)


def _judged(
    a: Circuit, b: Circuit, read: _Read, stop: Ints, values: Floats, names: tuple[str, ...], split: float
) -> Windows:
    """What the blocks that are left say."""
    error, phase, members, sizes, matrix = read.error, read.phase, read.members, read.sizes, read.matrix
    worst, found = 0.0, None
    lone = np.flatnonzero(sizes == 1)
    off_lone = _off_lone(members[:, lone, 0], matrix[lone, :, :2, :2], stop, a.num_qubits)
    error += float(off_lone[off_lone <= split].sum())
    others = np.flatnonzero(sizes > 1).tolist() + lone[off_lone > split].tolist()
    for block in sorted(others):
        count = int(sizes[block])
        wires = tuple(members[0, block, :count].tolist()), tuple(members[1, block, :count].tolist())
        off = _off(wires, matrix[block, :, : 1 << count, : 1 << count], stop, a.num_qubits)
        if off <= split:
            error += off
        elif off > worst:
            worst, found = off, Difference(wires, matrix[block, 0, : 1 << count, : 1 << count])
    if found is None:
        return Windows(True, error, phase=tuple(_phases(a, b, phase, values, names)))
    entry = worst / len(found.matrix)  # of the norm's square, some entry has this share at least
    return Windows(False, error, entry, difference=found)


@dataclass(frozen=True, eq=False)
class _Read:
    """One attempt: the first rows that were not read (-1: none), and what `compare` gives."""

    rows: tuple[int, int]
    error: float
    phase: Matrices
    members: Ints
    sizes: Ints
    matrix: Matrices


def _read(sides: list[_Side], start: Ints, commuting: bool, limit: int, split: float) -> _Read:
    from qattn_compiler.verify import window_kernels as kernels

    given = [
        (
            *(one.kind, one.wires, one.gates, one.wall),
            *kernels.order(one.axes if commuting else np.zeros_like(one.axes), one.wires, len(start)),
            one.passable,
        )
        for one in sides
    ]
    error, phase, members, sizes, matrix = kernels.compare(*given, start, limit, split)
    rows = [-1 if side[10].all() else int(np.argmin(side[10])) for side in given]
    return _Read((rows[0], rows[1]), error, phase, members, sizes, matrix)


@dataclass(frozen=True, eq=False)
class _Side:
    """A circuit as the kernel reads it (`window_kernels.Side`), and the axes that order it."""

    kind: Ints
    wires: NDArray[np.int32]
    gates: tuple[Matrices, Matrices, Ints]
    wall: Ints
    axes: NDArray[np.int8]
    passable: NDArray[np.int8]


def _places(layout: Ints, size: int, keys: int) -> Ints:
    """A layout for all wires: the other qubits anywhere, keys after them."""
    others = np.setdiff1d(np.arange(size), layout)
    return np.concatenate([np.asarray(layout, dtype=np.int64), others, size + np.arange(keys)])


def _off(wires: tuple[tuple[int, ...], tuple[int, ...]], matrix: Matrices, stop: Ints, logical: int) -> float:
    """How far a block is from the identity between wires that belong together (Frobenius); 2 if they do
    not. What is on no qubit of A may end anywhere."""
    left, right = wires
    ends = [int(stop[w]) if w < logical else -1 for w in left]
    places = [right.index(end) if end in right else -1 for end in ends]
    lost = [k for k in range(len(right)) if k not in places]
    if any(place < 0 <= end for place, end in zip(places, ends, strict=True)):
        return 2.0
    if any(right[k] in stop[:logical] for k in lost):
        return 2.0
    places = [place if place >= 0 else lost.pop(0) for place in places]
    size = len(left)
    shaped = matrix.reshape((len(matrix),) + (2,) * 2 * size)
    order = (*range(1 + size), *(1 + size + place for place in places))
    straight = shaped.transpose((0, *order[1:])).reshape(matrix.shape)
    trace = np.einsum("bii->b", straight)
    phase = np.where(np.abs(trace) > 1e-12, trace, 1.0)
    phase = phase / np.abs(phase)
    off = straight - phase[:, None, None] * np.eye(matrix.shape[1])
    return float(np.sqrt((np.abs(off) ** 2).sum(axis=(1, 2))).max())


def _off_lone(wires: Ints, matrix: Matrices, stop: Ints, logical: int) -> Floats:
    """`_off` of many blocks on one wire, `wires` of shape (2, blocks); above 1 where that has to look."""
    left, right = wires
    ours = left < logical
    wanted = np.zeros(len(stop), dtype=bool)
    wanted[stop[:logical]] = True
    fits = np.where(ours, stop[np.where(ours, left, 0)] == right, ~wanted[right])
    trace = matrix[..., 0, 0] + matrix[..., 1, 1]
    phase = np.where(np.abs(trace) > 1e-12, trace, 1.0)
    off = matrix - (phase / np.abs(phase))[..., None, None] * np.eye(2)
    out: Floats = np.sqrt((np.abs(off) ** 2).sum(axis=(2, 3))).max(axis=1, initial=0.0)
    return np.where(fits, out, 2.0)


def _phases(a: Circuit, b: Circuit, phase: Matrices, values: Floats, names: tuple[str, ...]) -> list[float]:
    own = [_angles(circuit, values, names)[1] for circuit in (a, b)]
    total: list[float] = np.angle(phase * np.exp(1j * (own[0] - own[1]))).tolist()
    return total


def _angles(circuit: Circuit, values: Floats, names: tuple[str, ...]) -> tuple[Floats, Floats]:
    """Angles (batch, rows, 3) and phases (batch,) at values of the named parameters."""
    column = {name: k for k, name in enumerate(names)}
    return circuit.bind_batch(values[:, [column[p.name] for p in circuit.params]])


def _side(
    circuit: Circuit,
    size: int,
    keys: tuple[str, ...],
    values: Floats,
    names: tuple[str, ...],
    walls: Walls,
) -> _Side:
    from qattn_compiler.verify import window_kernels as kernels

    wires = circuit.wires.astype(np.int32)
    if circuit.keys:
        key = np.array([size + keys.index(k) for k in circuit.keys], dtype=np.int32)
        is_key = wires >= circuit.num_qubits
        wires[is_key] = key[wires[is_key] - circuit.num_qubits]
    special = circuit.extra >= 0
    kind = np.where(circuit.op == SWAP, kernels.SWAP, kernels.GATE)
    kind[special] = kernels.WALL
    wall = np.full(len(circuit), -1, dtype=np.int64)
    angles, _ = _angles(circuit, values, names)
    for row in np.flatnonzero(special).tolist():
        wall[row] = walls.number(wall_content(circuit, row, angles[:, row]))
    axes = AXIS_CODES[circuit.op]
    passable = np.zeros(wires.shape, dtype=np.int8)
    passable[:, :2] = axes
    passable[circuit.op == MEASURE] = Z_AXIS
    gates = _gates(circuit.op, np.where(special[None, :, None], 0.0, angles))
    return _Side(kind, np.ascontiguousarray(wires), gates, wall, axes, passable)


class Walls:
    """Numbers for walls, equal ones for equal contents (payloads need not be hashable)."""

    def __init__(self) -> None:
        self._known: dict[tuple[Any, ...], list[tuple[object, int]]] = {}
        self._seen: dict[tuple[Any, ...], int] = {}
        self._count = 0

    def number(self, content: tuple[Any, ...]) -> int:
        """The number of what `wall_content` gives."""
        *rest, payload = content
        object_itself = *rest, id(payload)  # the circuits keep it alive
        if object_itself not in self._seen:
            self._seen[object_itself] = self._found(tuple(rest), payload)
        return self._seen[object_itself]

    def _found(self, rest: tuple[Any, ...], payload: object) -> int:
        same = self._known.setdefault(rest, [])
        for known, number in same:
            if known == payload:
                return number
        same.append((payload, self._count))
        self._count += 1
        return self._count - 1


def wall_content(circuit: Circuit, row: int, angles: Floats) -> tuple[Any, ...]:
    """All of a wall but its qubits."""
    extra: Extra = circuit.extras[circuit.extra[row]]
    width = len(extra.operands) or int(NUM_QUBITS[circuit.op[row]])
    shown = tuple(np.round(angles, 9).reshape(-1).tolist())
    op = int(circuit.op[row])
    return op, width, extra.reads, extra.writes, extra.tags, extra.invert, shown, extra.payload


# -- matrices of all rows at once


@cache
def _shape_of(code: int) -> Matrices:
    """Coefficients of a one-angle gate's matrix in 1, cos t/2, sin t/2, cos t, sin t: shape (5, d * d)."""
    matrix = GATES[code].matrix
    assert matrix is not None
    samples = np.linspace(0.1, 0.1 + 3.5 * np.pi, 8)
    wanted = np.stack([matrix(float(t)).reshape(-1) for t in samples])
    found, *_ = np.linalg.lstsq(_functions(samples).astype(np.complex128), wanted, rcond=None)
    return found.astype(np.complex128)


def _functions(t: Floats) -> Floats:
    columns = [np.ones_like(t), np.cos(t / 2), np.sin(t / 2), np.cos(t), np.sin(t)]
    out: Floats = np.stack(columns, axis=-1)
    return out


def matrices(op: NDArray[np.uint8], angles: Floats) -> Matrices:
    """The matrices of rows, shape (rows, batch, 4, 4); those of one qubit in the upper left corner.

    Args:
        op: shape (rows,).
        angles: shape (batch, rows, 3).
    """
    out = np.zeros((len(op), len(angles), 4, 4), dtype=complex)
    for code in np.unique(op).tolist():
        if GATES[code].matrix is not None:
            rows = np.flatnonzero(op == code)
            d = 1 << GATES[code].num_qubits
            out[rows, :, :d, :d] = _of_gate(code, angles[:, rows])
    return out


def _of_gate(code: int, angles: Floats) -> Matrices:
    """The matrices of one gate at angles (batch, rows, 3): shape (rows, batch, d, d); (1, batch, d, d) of one
    without angles."""
    gate = GATES[code]
    assert gate.matrix is not None
    d, batch = 1 << gate.num_qubits, len(angles)
    if gate.num_angles == 0:
        return np.broadcast_to(np.asarray(gate.matrix(), dtype=np.complex128), (1, batch, d, d))
    given = angles.transpose(1, 0, 2).reshape(-1, 3)
    if code == PHASED_XZ:
        made = phased_xz_matrices(given)
    elif gate.num_angles == 1:
        made = _functions(given[:, 0]) @ _shape_of(code)
    else:
        made = np.stack([gate.matrix(*one[: gate.num_angles]) for one in given.tolist()])
    return made.reshape(-1, batch, d, d)


def _gates(op: NDArray[np.uint8], angles: Floats) -> tuple[Matrices, Matrices, Ints]:
    """The matrices of rows as `window_kernels.Gates`: one for all rows of a gate without angles."""
    which, batch = np.zeros(len(op), dtype=np.int64), len(angles)
    parts: dict[int, list[Matrices]] = {d: [np.zeros((1, batch, d, d), dtype=complex)] for d in (2, 4)}
    counts = {2: 1, 4: 1}  # the first is that of rows without a matrix
    for code in np.unique(op).tolist():
        if GATES[code].matrix is None:
            continue
        rows, d = np.flatnonzero(op == code), 1 << GATES[code].num_qubits
        made = _of_gate(code, angles[:, rows])
        number = counts[d] + (np.arange(len(rows)) if len(made) > 1 else np.zeros(len(rows), dtype=np.int64))
        which[rows] = number if d == 2 else -1 - number
        parts[d].append(made)
        counts[d] += len(made)
    return np.concatenate(parts[2]), np.concatenate(parts[4]), which
