"""Real orthogonal matrices: SO(4) in 2 CZ, SO(8) in 10, SO(16) in 42, larger ones by a real cosine-sine
decomposition.

SO(4) is SU(2) x SU(2) in the magic basis, which takes one CZ to enter and one to leave (Vatan and Williams,
Phys. Rev. A 69, 032315 (2004), theorem 3).

SO(8) is instantiated numerically. It has 28 parameters, and real gates between CZ (one turn each) would need
13 CZ for them; the known construction has 14 CNOT (Pawlowski, arXiv:2512.18049, after 16 by Wei and Di). With
complex single-qubit gates on a chain of pairs, 10 CZ did for each of some ten thousand random matrices, to
rounding; that they always do is not proved. A random start ends at a solution about one time in forty, the
solution of another matrix every second time: its gates have the symmetry that makes the product real, and no
step breaks it. So the first start of a seed is random, and those solutions are the starts from then on (1 ms
a matrix). Very near the identity and its like (1e-8 to 1e-4 off) no start gets there: 10 CZ have a singular
point. The form "closed" has 15 CZ, which any numbers fit: a cosine-sine decomposition, whose outer
factors are one-qubit multiplexors in the magic basis.

SO(16) is instantiated as well, over circuits that are real whatever their angles (`real_ansatz`), on all four
pairs of a ring in 42 CZ, or on a line ("line") in 43. On the ring that did for all of some thousand matrices,
degenerate and nearly degenerate ones among them, on the line for all but nearly degenerate ones.

Beyond (and with "closed" from SO(16) on), a matrix is taken apart into four of half the size, two
demultiplexing layers of 2^(k-2) + 1 CZ and one of 2^(k-1) - 1 CZ (`cosine_sine`): 201, 869 CZ for k = 5, 6
qubits, less than half of what the quantum Shannon decomposition of a complex matrix takes (444, 1868) for
every k. The CZ that a layer would end with are real diagonals that the next block takes in.

Local gates and CZ have determinant 1 on three and more qubits, so a matrix of determinant -1 is a special one
after the reflection of the last coordinate: a CZ of all qubits (2^k - 2 CZ).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit import su2
from qattn_compiler.circuit.gates import BY_NAME
from qattn_compiler.circuit.table import Angle, Builder, Circuit
from qattn_compiler.errors import CircuitError
from qattn_compiler.synth.cosine_sine import cosine_sine, demultiplexed
from qattn_compiler.synth.diagonal import add_diagonal, diagonal_angles
from qattn_compiler.synth.instantiate import Ansatz, Target, random_gates
from qattn_compiler.synth.multiplexor import add_multiplexor, multiplexor_angles
from qattn_compiler.synth.real_ansatz import LINE, RING, fit_real
from qattn_compiler.synth.three_qubit import shrink, synthesise_three
from qattn_compiler.threads import pool

Floats = NDArray[np.float64]
Gate = NDArray[np.complex128]
Form = Literal["short", "line", "closed"]
"""Of circuits for SO(2^k): see `orthogonal_count`."""
_Map = Callable[[Callable[[Floats], Floats], Sequence[Floats]], Iterator[Floats]]

SHORTEST_PAIRS: Final = ((0, 1), (1, 2)) * 5
"""The pairs of the CZ that sufficed for every generic matrix of SO(8) tried."""
_SUM_PAIRS: Final = ((2, 1), (0, 1), (0, 1), (0, 2), (0, 2), (2, 1))
SPARE_PAIRS: Final = (*_SUM_PAIRS, (2, 0), (1, 0), (2, 0), *_SUM_PAIRS)
"""The pairs of the CZ that suffice for every matrix of SO(8)."""
SHORTEST: Final = len(SHORTEST_PAIRS)
SPARE: Final = len(SPARE_PAIRS)
_SIXTEEN: Final = {"short": RING, "line": LINE}
STARTS: Final = 64
"""Starts for a matrix of SO(8); beyond, it is taken to be near a singular point."""
RANDOM_STARTS: Final = 4000
"""Random starts for the first one."""
EXACT: Final = 1e-10
"""Largest entry of matrix matrix^T - 1 of what counts as orthogonal."""
_H: Final = np.array([[1, 1], [1, -1]]) / np.sqrt(2)
_S: Final = np.diag([1, 1j])
_ENTER: Final = np.eye(4)[[0, 3, 2, 1]] @ np.kron(_S, _H @ _S)
"""Into the magic basis, as `_add_four` does it."""


def orthogonal_count(width: int, *, form: Form = "short") -> int:
    """CZ for a matrix of SO(2^width).

    Args:
        width: qubits.
        form: "short", "line" (the same, SO(16) on a line of qubits) or "closed" (SPARE for each matrix of
            SO(8), larger ones taken apart, so that any numbers fit).
    """
    if width <= 3:
        return (0, 0, 2, SPARE if form == "closed" else SHORTEST)[width]
    if width == 4 and form != "closed":
        return len(_SIXTEEN[form])
    return 4 * orthogonal_count(width - 1, form=form) + (1 << width) + 1


def orthogonal_size(width: int, *, form: Form = "short") -> int:
    """How many angles the circuit of a matrix of SO(2^width) has."""
    if width <= 3:
        return (0, 1, 6, 3 * (3 + 2 * orthogonal_count(3, form=form)) + 1)[width]
    if width == 4 and form != "closed":
        return 3 * (4 + 2 * len(_SIXTEEN[form])) + 1
    return 4 * orthogonal_size(width - 1, form=form) + (1 << width)


def orthogonal_angles(matrices: Floats, *, form: Form = "short", seed: int = 0) -> Floats:
    """Angles (radians) in circuit order.

    Args:
        matrices: shape (..., 2^k, 2^k), of determinant 1.
        form: see `orthogonal_count`.
        seed: of random starts (k >= 3).

    Returns:
        shape (..., `orthogonal_size`).

    Raises:
        CircuitError: a matrix is not of SO(2^k).
        ArithmeticError: a matrix of SO(8) was not found in 10 CZ, or one of SO(16) in 42 (never with
            "closed").
    """
    size = matrices.shape[-1]
    width = size.bit_length() - 1
    flat = matrices.reshape(-1, size, size)
    near = np.abs(flat @ flat.transpose(0, 2, 1) - np.eye(size)).max(initial=0.0) < EXACT
    if size != 2**width or not near or (np.linalg.det(flat) < 0).any():
        raise CircuitError("a rotation of 2^k coordinates was expected: orthogonal, of determinant 1")
    if width <= 2:
        small: Floats = _small(flat).reshape(*matrices.shape[:-2], -1)
        return small
    unique, inverse = np.unique(flat.reshape(len(flat), -1), axis=0, return_inverse=True)
    with pool(True, 4) as threads:
        found = [_angles(one.reshape(size, size), width, form, seed, threads.map) for one in unique]
    table = np.array(found).reshape(len(unique), orthogonal_size(width, form=form))
    out: Floats = table[inverse.reshape(-1)].reshape(*matrices.shape[:-2], -1)
    return out


def _small(matrices: Floats) -> Floats:
    """Angles of matrices of at most two qubits, shape (n, d, d)."""
    if matrices.shape[-1] == 4:
        return _four(matrices)
    if matrices.shape[-1] == 2:
        whole: Floats = 2 * np.arctan2(matrices[:, 1, 0], matrices[:, 0, 0])[:, None]
        return whole
    return np.zeros((len(matrices), 0))


def _angles(matrix: Floats, width: int, form: Form, seed: int, apart: _Map = map) -> Floats:
    """Of one matrix; `apart` does the same for its four parts."""
    if width <= 2:
        small: Floats = _small(matrix[None])[0]
        return small
    if width == 3:
        return _eight(np.ascontiguousarray(matrix), form, seed)
    if width == 4 and form != "closed":
        return ansatz_angles(_sixteen(np.ascontiguousarray(matrix).tobytes(), form, seed), matrix)
    (u1, u2), angles, (v1, v2) = cosine_sine(matrix)
    u2 = u2 * first_bit(len(matrix) // 2)  # the CZ that the middle layer leaves out
    (last, turns, first), (end, more, begin) = (_taken_apart(*pair) for pair in ((v1, v2), (u1, u2)))
    inner = (first, last, begin, end)
    found = list(apart(lambda part: _angles(part, width - 1, form, seed), inner))
    middle = multiplexor_angles(2 * angles)
    return np.concatenate([found[0], turns, found[1], middle, found[2], more, found[3]])


def first_bit(size: int) -> Floats:
    """Z of the first qubit as a diagonal."""
    return np.where(np.arange(size) < size // 2, 1.0, -1.0)


def _taken_apart(first: Floats, second: Floats) -> tuple[Floats, Floats, Floats]:
    """The outer matrix, angles, and the inner matrix of a direct sum."""
    outer, angles, inner = demultiplexed(first, second)
    index = np.arange(len(outer))
    outer = outer * np.where((index >= len(outer) // 2) & (index % 2 == 1), -1.0, 1.0)
    return outer, multiplexor_angles(angles), inner


def _four(matrices: Floats) -> Floats:
    """Angles of the two gates of SO(4) in the magic basis, three each; shape (n, 4, 4) in, (n, 6) out."""
    return np.concatenate([turns_of(quaternion_of(gates)) for gates in _factors(matrices)], axis=-1)


def _factors(matrices: Floats) -> tuple[Gate, Gate]:
    """The two gates of SU(2), shape (n, 2, 2), that matrices of SO(4), (n, 4, 4), are in the magic basis."""
    product = _ENTER @ matrices @ _ENTER.conj().T
    blocks = product.reshape(-1, 2, 2, 2, 2).transpose(0, 1, 3, 2, 4).reshape(-1, 4, 2, 2)  # by the first
    largest = np.abs(blocks).max(axis=(2, 3)).argmax(axis=1)
    second = blocks[np.arange(len(blocks)), largest]
    second = second / np.sqrt(np.linalg.det(second))[:, None, None]
    return np.einsum("naij,nij->na", blocks, second.conj()).reshape(-1, 2, 2) / 2, second


def quaternion_of(gates: Gate) -> Floats:
    """Of matrices of SU(2), shape (..., 2, 2)."""
    parts = (gates[..., 0, 0].real, -gates[..., 0, 1].imag, -gates[..., 0, 1].real, -gates[..., 0, 0].imag)
    return np.stack(parts, axis=-1)


def turns_of(quaternions: Floats) -> Floats:
    """Angles of RZ, RX, RZ in the order of time, shape (..., 3); the sign goes into the last."""
    xza, sign = su2.to_xza(quaternions)
    x, z, a = np.moveaxis(xza, -1, 0)
    return np.stack([-a, x, z + a + 2 * sign], axis=-1)


def _eight(matrix: Floats, form: Form, seed: int) -> Floats:
    """Angles of SO(8): of its gates, and its phase."""
    found = _closed(matrix) if form == "closed" else _chain(matrix.tobytes(), seed)
    return ansatz_angles(found, matrix)


def ansatz_angles(ansatz: Ansatz, matrix: Floats | Gate) -> Floats:
    """Angles of an ansatz, three a gate, and the phase that it lacks; in the order of `add_pairs`."""
    missing = -np.angle(np.vdot(matrix, ansatz.unitary()))
    return np.append(turns_of(ansatz.gates).reshape(-1), missing)


@lru_cache(maxsize=4096)
def _chain(data: bytes, seed: int) -> Ansatz:
    """A matrix of SO(8), up to its phase, over SHORTEST CZ."""
    target = Target.of(np.frombuffer(data).reshape(8, 8).astype(np.complex128))
    for start in _real_starts(seed):
        found, _ = target.fit(start)
        if found is not None:
            return found
    raise ArithmeticError(f"a matrix of SO(8) was not found in {SHORTEST} CZ")


@lru_cache(maxsize=4096)
def _sixteen(data: bytes, form: Form, seed: int) -> Ansatz:
    """A matrix of SO(16), up to its phase, over RING or LINE."""
    return fit_real(np.frombuffer(data).reshape(16, 16), _SIXTEEN[form], seed)


@lru_cache(maxsize=4)
def _real_starts(seed: int) -> tuple[Ansatz, ...]:
    """The circuits of STARTS random matrices of SO(8), each found from those before it."""
    rng, pairs = np.random.default_rng(seed), np.array(SHORTEST_PAIRS)
    out: list[Ansatz] = []
    for number in range(RANDOM_STARTS):
        matrix = np.linalg.qr(rng.normal(size=(8, 8)))[0]
        matrix[:, 0] *= np.linalg.det(matrix)
        target = Target.of(matrix.astype(np.complex128))
        start = out[-1] if out else Ansatz(pairs, random_gates(3 + 2 * SHORTEST, number, seed))
        found, _ = target.fit(start)
        if found is not None:
            out.append(found)
        if len(out) == STARTS:
            return tuple(out)
    raise ArithmeticError("no start for matrices of SO(8) was found")


class _Script:
    """An ansatz that is written down gate by gate."""

    def __init__(self) -> None:
        self.pairs: list[tuple[int, int]] = []
        self.gates = [np.eye(2, dtype=complex) for _ in range(3)]
        self.last = [0, 1, 2]

    def turn(self, qubit: int, *gates: Gate) -> None:
        for gate in gates:
            self.gates[self.last[qubit]] = gate @ self.gates[self.last[qubit]]

    def cz(self, a: int, b: int) -> None:
        self.pairs.append((a, b))
        for qubit in (a, b):
            self.last[qubit] = len(self.gates)
            self.gates.append(np.eye(2, dtype=complex))

    def ansatz(self) -> Ansatz:
        special = [gate / np.sqrt(np.linalg.det(gate)) for gate in self.gates]
        return Ansatz(np.array(self.pairs), np.array([quaternion_of(gate) for gate in special]))


def _closed(matrix: Floats) -> Ansatz:
    """A matrix of SO(8), up to its phase, over SPARE CZ."""
    (u1, u2), angles, (v1, v2) = cosine_sine(matrix)
    u2 = u2 * first_bit(4)  # the CZ that the middle layer leaves out
    script = _Script()
    _write_direct_sum(script, v1, v2)
    for angle, control in zip(multiplexor_angles(2 * angles), (2, 1, 2, None), strict=True):
        script.turn(0, _rotation("y", angle))
        if control is not None:
            script.cz(control, 0)
    _write_direct_sum(script, u1, u2)
    return script.ansatz()


def _write_direct_sum(script: _Script, first: Floats, second: Floats) -> None:
    """Two matrices of SO(4), selected by qubit 0: in the magic basis they are gates, each of which is
    W, then exp(i angle Z Z) with qubit 0, then V."""
    script.turn(1, _S, _H)
    script.turn(2, _S, _H)
    script.cz(2, 1)
    script.turn(1, _H)
    factors = _factors(np.stack([first, second]))
    for qubit, (one, other) in zip((1, 2), factors, strict=True):
        basis, angle = _axis(one @ other.conj().T)
        turned = np.diag(np.exp([1j * angle, -1j * angle]))
        script.turn(qubit, turned @ basis.conj().T @ other, _H)
        script.cz(0, qubit)
        script.turn(qubit, _H, _rotation("z", -2 * angle), _H)
        script.cz(0, qubit)
        script.turn(qubit, _H, basis)
    script.turn(1, _H)
    script.cz(2, 1)
    script.turn(1, _H, _S.conj())
    script.turn(2, _H, _S.conj())


def _axis(gate: Gate) -> tuple[Gate, float]:
    """V and the angle with gate = V diag(exp(2i angle), exp(-2i angle)) V^dagger."""
    from scipy.linalg import schur

    form, basis = schur(gate, output="complex")
    return basis, float(np.angle(form[0, 0])) / 2


def _rotation(axis: str, angle: float) -> Gate:
    out = BY_NAME["r" + axis].matrix
    assert out is not None
    return out(angle)


def add_orthogonal(
    builder: Builder, angles: Sequence[Angle], qubits: Sequence[int], *, form: Form = "short"
) -> None:
    """Append the circuit of a matrix of SO(2^k), global phase included.

    Args:
        builder: where the rows go.
        angles: in circuit order (`orthogonal_angles`).
        qubits: k qubits, the first the most significant.
        form: see `orthogonal_count`.

    Raises:
        CircuitError: it is not the right number of angles.
    """
    width = len(qubits)
    if len(angles) != orthogonal_size(width, form=form):
        wanted = orthogonal_size(width, form=form)
        raise CircuitError(f"a rotation on {width} qubits has {wanted} angles here, not {len(angles)}")
    if width == 1:
        builder.add("ry", qubits, angles)
    elif width == 2:
        _add_four(builder, angles, qubits)
    elif width == 3:
        add_pairs(builder, angles, qubits, SPARE_PAIRS if form == "closed" else SHORTEST_PAIRS)
    elif width == 4 and form != "closed":
        add_pairs(builder, angles, qubits, [move[:2] for move in _SIXTEEN[form]])
    elif width:
        side = (len(angles) - 2 ** (width - 1)) // 2
        _add_direct_sum(builder, angles[:side], qubits, form)
        middle = angles[side : len(angles) - side]
        add_multiplexor(builder, "y", middle, qubits[1:], qubits[0], drop_last=True)
        _add_direct_sum(builder, angles[len(angles) - side :], qubits, form)


def _add_direct_sum(builder: Builder, angles: Sequence[Angle], qubits: Sequence[int], form: Form) -> None:
    side = orthogonal_size(len(qubits) - 1, form=form)
    first, last = qubits[0], qubits[-1]
    add_orthogonal(builder, angles[:side], qubits[1:], form=form)
    builder.add("cz", [first, last], ())
    middle = angles[side : len(angles) - side]
    add_multiplexor(builder, "y", middle, qubits[1:-1], last, drop_last=True)
    builder.add("cz", [first, last], ())
    add_orthogonal(builder, angles[len(angles) - side :], qubits[1:], form=form)


def _add_turns(builder: Builder, angles: Sequence[Angle], qubit: int) -> None:
    for name, angle in zip(("rz", "rx", "rz"), angles, strict=True):
        builder.add(name, [qubit], [angle])


def _add_four(builder: Builder, angles: Sequence[Angle], qubits: Sequence[int]) -> None:
    a, b = qubits
    for name, qubit in (("s", a), ("s", b), ("h", b), ("h", a)):
        builder.add(name, [qubit], ())
    builder.add("cz", [b, a], ())
    builder.add("h", [a], ())
    _add_turns(builder, angles[:3], a)
    _add_turns(builder, angles[3:], b)
    builder.add("h", [a], ())
    builder.add("cz", [b, a], ())
    for name, qubit in (("h", a), ("h", b), ("sdg", b), ("sdg", a)):
        builder.add(name, [qubit], ())


def add_pairs(
    builder: Builder, angles: Sequence[Angle], qubits: Sequence[int], pairs: Sequence[Sequence[int]]
) -> None:
    """Append CZ on pairs of the qubits with gates between them, and the phase: `ansatz_angles`."""
    first = len(qubits)
    gates = [angles[3 * k : 3 * k + 3] for k in range(first + 2 * len(pairs))]
    for qubit, gate in zip(qubits, gates[:first], strict=True):
        _add_turns(builder, gate, qubit)
    for k, pair in enumerate(pairs):
        builder.add("cz", [qubits[q] for q in pair], ())
        for side in range(2):
            _add_turns(builder, gates[first + 2 * k + side], qubits[pair[side]])
    builder.add_phase(angles[-1])


def add_reflection(builder: Builder, qubits: Sequence[int]) -> None:
    """Append the reflection of the last coordinate, diag(1, ..., 1, -1): Z, CZ, or a CZ of all qubits."""
    if len(qubits) <= 2:
        builder.add("z" if len(qubits) == 1 else "cz", qubits, ())
        return
    phases = np.zeros(2 ** len(qubits))
    phases[-1] = np.pi
    add_diagonal(builder, diagonal_angles(phases).tolist(), qubits)


def orthogonal_circuit(matrix: Floats, seed: int = 0) -> Circuit:
    """A circuit for any real orthogonal matrix, global phase included.

    Args:
        matrix: shape (2^k, 2^k).
        seed: of random starts.

    Returns:
        `orthogonal_count(k)` CZ if the determinant is 1; for -1 one more (k = 2) or 2^k - 2 more, but 14, or
        16 for a few, in all at k = 3. Where a part of it is not found, it has those of "closed".

    Raises:
        CircuitError: the matrix is not orthogonal, or its size is no power of two.
    """
    matrix = np.array(matrix, dtype=np.float64)
    width = len(matrix).bit_length() - 1
    if matrix.shape != (2**width, 2**width) or width == 0:
        raise CircuitError(f"a matrix of 2^k x 2^k was expected, not one of shape {matrix.shape}")
    builder = Builder(range(width))
    if np.linalg.det(matrix) < 0:
        if width == 3:
            return _reflected_eight(matrix, seed)
        add_reflection(builder, range(width))
        matrix[:, -1] *= -1
    forms: tuple[Form, ...] = ("short", "closed")
    for form in forms:
        try:
            angles = orthogonal_angles(matrix, form=form, seed=seed)
        except ArithmeticError:
            continue
        add_orthogonal(builder, angles.tolist(), range(width), form=form)
        break
    return builder.build()


def _reflected_eight(matrix: Floats, seed: int) -> Circuit:
    found = synthesise_three(matrix.astype(np.complex128), 0, seed)
    builder = Builder(range(3))
    add_pairs(builder, ansatz_angles(found, matrix).tolist(), range(3), found.pairs.tolist())
    return builder.build()


def synthesise_orthogonal(matrix: Floats, tries: int = 0, seed: int = 0) -> Ansatz:
    """A circuit for a real orthogonal matrix on three qubits: 10 CZ, or at most 14 if the determinant is -1.

    Args:
        matrix: shape (8, 8), real and orthogonal.
        tries: as in `synthesise_three`: how long still shorter circuits are looked for.
        seed: of the random starts.

    Returns:
        the circuit, equal to the matrix up to global phase.
    """
    if np.linalg.det(matrix) < 0:
        return synthesise_three(matrix.astype(np.complex128), tries, seed)
    try:
        return shrink(_chain(np.ascontiguousarray(matrix, dtype=np.float64).tobytes(), seed), tries, seed)
    except ArithmeticError:
        return shrink(_closed(matrix), tries, seed)
