"""Preparation of states with complex amplitudes in their Schmidt form: 1, 3, 8, 19, 34, 99, 169 CZ for 2 to 8
qubits, where 2^k - k - 1 real angles and as many phases would take twice that of a cascade.

As in `schmidt`, but the u_i and v_i are columns of unitaries. A diagonal in front of one half's unitary does
the same as one in front of the other's, so a two-qubit unitary on A takes 2 CZ, not 3, and hands its diagonal
on to B; where B has one column in two to itself, it takes 2 by the phases of the others.

Sources: Plesch, Brukner, Phys. Rev. A 83, 032302 (2011); Shende, Bullock, Markov, IEEE TCAD 25, 1000 (2006).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit.table import Builder
from qattn_compiler.errors import CircuitError
from qattn_compiler.synth.schmidt import NULL, SchmidtState
from qattn_compiler.synth.unitary import add_unitary, diagonal_behind, unitary_count

Matrix = NDArray[np.complex128]


def complex_state_count(size: int) -> int:
    """Two-qubit gates for any state of that many qubits, at most."""
    if size < 2:
        return 0
    first, last = size // 2, size - size // 2
    halves = sum(2 if width == 2 and first != last else unitary_count(width) for width in (first, last))
    core = SchmidtState.of(first).two_qubit_count
    return core + first + halves - (first == last == 2)


def add_complex_state(builder: Builder, amplitudes: Matrix, qubits: Sequence[int]) -> None:
    """Append a preparation from |0...0>, global phase included.

    Args:
        builder: where the rows go.
        amplitudes: shape (2^k,), of norm 1 (big-endian: first qubit most significant).
        qubits: k qubits.

    Raises:
        CircuitError: the number of amplitudes is not 2^k.
        ArithmeticError: the Schmidt coefficients' own state was not found.
    """
    size = len(qubits)
    if amplitudes.shape != (1 << size,):
        raise CircuitError(f"{size} qubits have {1 << size} amplitudes, not {amplitudes.size}")
    if size < 2:
        add_unitary(builder, _completed(amplitudes), qubits)
        return
    first, last = qubits[: size // 2], qubits[size // 2 :]
    u, values, vh = np.linalg.svd(amplitudes.reshape(1 << len(first), 1 << len(last)))
    v, rank = vh.T.copy(), int((values > NULL).sum())
    if rank == 1:
        add_complex_state(builder, u[:, 0] * values[0], first)
        add_complex_state(builder, v[:, 0], last)
        return
    width = (rank - 1).bit_length()
    core = SchmidtState.of(width, values[None, : 1 << width])
    busy = first[len(first) - width :]
    core.add(builder, core.angles(values[: 1 << width]).tolist(), busy)
    for control, target in zip(busy, last[len(last) - width :], strict=True):
        builder.add("cx", (control, target))
    u, v = _fewer(u, v)
    add_unitary(builder, u, first)
    add_unitary(builder, v, last)


def _completed(column: Matrix) -> Matrix:
    """A unitary of one qubit with that first column; without qubits, the column's phase."""
    if len(column) == 1:
        return column[:, None]
    a, b = column
    return np.array([[a, -b.conjugate()], [b, a.conjugate()]])


def _fewer(u: Matrix, v: Matrix) -> tuple[Matrix, Matrix]:
    """The unitaries with phases of their columns such that those on two qubits take two CZ."""
    if len(u) == 4:
        phases = diagonal_behind(u)
        u = u * phases
        v = v * np.concatenate([phases.conj(), np.ones(len(v) - 4)])
    elif len(v) == 4:
        half = diagonal_behind(v)[
            0
        ]  # exp(i t ZZ) and RZ(2t) of the second qubit leave the first columns alone
        v = v * np.array([1.0, 1.0, half**-2, half**2])
    return u, v
