"""Unitaries of any kind: 1 gate, 3, 14 CZ for one, two, three qubits, more by quantum Shannon decomposition.

A matrix of 2n is (u1 + u2) [[C, -S], [S, C]] (v1 + v2), + being the direct sum, and a direct sum is
(V + V) (D + D^dagger) (W + W) with u1 u2^dagger = V D^2 V^dagger: four matrices of half the size and three
multiplexed rotations, the last CZ of the middle one taken in by u2: 79, 363 CZ for four and five qubits.
The 14 CZ for three qubits stand on a chain of pairs, which most chips have where they have no triangles.

Source: Shende, Bullock, Markov, IEEE TCAD 25, 1000 (2006), theorems 11 and 12; three qubits: `three_qubit`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit.table import Builder
from qattn_compiler.errors import CircuitError
from qattn_compiler.synth.instantiate import Ansatz, Target, random_gates
from qattn_compiler.synth.multiplexor import add_multiplexor, multiplexor_angles
from qattn_compiler.synth.orthogonal import add_pairs, ansatz_angles, first_bit, quaternion_of
from qattn_compiler.synth.three_qubit import shrink, synthesise_three

Matrix = NDArray[np.complex128]
Floats = NDArray[np.float64]

EXACT: Final = 1e-10
"""Largest entry of matrix matrix^dagger - 1 of what counts as unitary."""
STARTS: Final = 64
"""Random starts; nearly every one ends at a solution."""
_YY: Final = np.fliplr(np.diag([-1.0, 1.0, 1.0, -1.0]))
_ZZ: Final = np.diag([1.0, -1.0, -1.0, 1.0])


def unitary_count(width: int) -> int:
    """CZ for any unitary of that many qubits, at most."""
    if width <= 3:
        return (0, 0, 3, 14)[width]
    return 4 * unitary_count(width - 1) + 3 * (1 << (width - 1)) - 1


def add_unitary(builder: Builder, matrix: Matrix, qubits: Sequence[int]) -> None:
    """Append a circuit for a unitary, global phase included.

    Args:
        builder: where the rows go.
        matrix: shape (2^k, 2^k).
        qubits: k qubits, the first the most significant.

    Raises:
        CircuitError: the matrix is not unitary, or its size is not 2^k.
    """
    size = 1 << len(qubits)
    if matrix.shape != (size, size) or not np.abs(matrix @ matrix.conj().T - np.eye(size)).max() < EXACT:
        raise CircuitError(f"a unitary matrix of {size} x {size} was expected for {len(qubits)} qubits")
    _add(builder, matrix, qubits)


def _add(builder: Builder, matrix: Matrix, qubits: Sequence[int]) -> None:
    if len(qubits) <= 3:
        found = _small(matrix, len(qubits))
        add_pairs(builder, ansatz_angles(found, matrix).tolist(), qubits, found.pairs.tolist())
        return
    from scipy.linalg import cossin

    half = len(matrix) // 2
    (u1, u2), angles, (v1, v2) = cossin(matrix, p=half, q=half, separate=True)
    _add_direct_sum(builder, v1, v2, qubits)
    middle = multiplexor_angles(2 * angles).tolist()
    add_multiplexor(builder, "y", middle, qubits[1:], qubits[0], drop_last=True)
    _add_direct_sum(builder, u1, u2 * first_bit(half), qubits)


def _small(matrix: Matrix, width: int) -> Ansatz:
    if width < 2:
        special = matrix / np.sqrt(np.linalg.det(matrix)) if width else np.eye(2, dtype=np.complex128)
        return Ansatz(np.zeros((0, 2), dtype=np.int64), quaternion_of(special)[None][:width])
    target = Target.of(matrix)
    if width == 3:
        found = _fitted(target, width, 14)
        return synthesise_three(matrix, 0) if found is None else shrink(found, 0)
    for count in (2, 3) if takes_two(matrix) else (3,):
        found = _fitted(target, width, count)
        if found is not None:
            return found
    return _closed(matrix)


def _closed(matrix: Matrix) -> Ansatz:
    """A two-qubit unitary by its Weyl decomposition, which no fit is needed for (near special points of the
    chamber fits may stop short)."""
    from qattn_compiler.synth import weyl
    from qattn_compiler.synth.entanglers import ENTANGLERS

    kak, native = weyl.kak(matrix[None]), ENTANGLERS["cz"]
    counts = native.counts(kak.coordinates, 1e-13, 1.0)
    count = int(counts[0])
    gates = native.build(kak, counts).layers[0, : count + 1].reshape(-1, 4)
    return Ansatz(np.tile(np.array([[0, 1]]), (count, 1)), gates)


def _fitted(target: Target, width: int, count: int) -> Ansatz | None:
    """The target over CZ along a chain of the qubits, if a random start leads there."""
    pairs = np.array([((0, 1), (1, 2))[i % (width - 1)] for i in range(count)])
    for number in range(STARTS):
        found, _ = target.fit(Ansatz(pairs, random_gates(width + 2 * count, number)))
        if found is not None:
            return found
    return None


def _add_direct_sum(builder: Builder, first: Matrix, second: Matrix, qubits: Sequence[int]) -> None:
    from scipy.linalg import schur

    form, outer = schur(first @ second.conj().T, output="complex")
    angles = np.angle(np.diag(form)) / 2
    inner = np.exp(1j * angles)[:, None] * (outer.conj().T @ second)
    _add(builder, inner, qubits[1:])
    builder.add("h", qubits[:1])
    middle = multiplexor_angles(-2 * angles).tolist()
    add_multiplexor(builder, "x", middle, qubits[1:], qubits[0], drop_last=False)
    builder.add("h", qubits[:1])
    _add(builder, outer, qubits[1:])


def _invariants(matrix: Matrix) -> tuple[complex, complex]:
    """tr U YY U^T YY, and the same with ZZ behind U, for U of determinant 1."""
    special = matrix / np.linalg.det(matrix) ** 0.25
    plain, turned = (np.trace(special @ middle @ _YY @ special.T @ _YY) for middle in (np.eye(4), _ZZ))
    return complex(plain), complex(turned)


def takes_two(matrix: Matrix) -> bool:
    """Whether two CZ do: tr U YY U^T YY is real (Shende, Bullock, Markov, Phys. Rev. A 69, 062321 (2004))."""
    return abs(_invariants(matrix)[0].imag) < 1e-9


def diagonal_behind(matrix: Matrix) -> Matrix:
    """The phases d, shape (4,), of a diagonal exp(i t ZZ) that leaves two CZ of a two-qubit unitary: matrix
    diag(d) takes two (theorem 14 of Shende, Bullock, Markov, IEEE TCAD 25, 1000 (2006))."""
    plain, turned = _invariants(matrix)
    angle = np.arctan2(-plain.imag, turned.real) / 2
    out: Matrix = np.exp(1j * angle * np.diag(_ZZ))
    return out
