"""Encoding `block`: the values as a block of a unitary, by singular values, the weights as a state. Exact.

For y_c = sum_j w_j v_jc let A = V^T / s = U S Q^T with s the largest singular value of V, filled up to
2^k x 2^k. Q^T, then RY(2 arccos S_i) of an auxiliary qubit where the register is i, then U is a unitary that
has A where the auxiliary qubit stays in |0>: 8 CZ for a real 4 x 4 matrix, and no factor smaller than s is
possible. It acts on the first half of (|0> w / ||w|| + |1> Q U^T u) / sqrt 2; the second is taken to u, equal
amplitudes of the d outputs, so that the signs of the outputs can be read. With the branch qubit in X, and
only shots counted where the register is c and the auxiliary qubit is 0:

    <X_branch> = (A w)_c / (||w|| sqrt d),     y_c = ||w|| s sqrt d <X_branch>.

All outputs of a row come from the same circuit, on k + 2 qubits. The auxiliary qubit is found in |0> with
probability (1 + ||A w||^2 / ||w||^2) / 2. Where all singular values are equal there is none.

From level 2 on the circuit's final state is prepared directly where that takes fewer gates; levels 0 and 1
keep the matrix as a block of its own, which acts on any state.
"""

from __future__ import annotations

import numpy as np

from qattn_compiler.blocks.block import Block, Measure, Multiplexor, PrepareState
from qattn_compiler.blocks.orthogonal import Hadamards, Rotate
from qattn_compiler.blocks.program import Program, Register
from qattn_compiler.errors import LoweringError
from qattn_compiler.lower.batch import Batch, Floats, Observable, Terms
from qattn_compiler.lower.layers import Layer, layers, scales, singular_values
from qattn_compiler.synth.orthogonal import Form, orthogonal_angles

MAX_WIDTH = 5
"""Two matrices of SO(32) are 402 CZ."""
ONE = 1e-13
"""Singular values this close to the largest are equal to it."""


def encode(terms: Terms, *, full: bool = False) -> list[Batch]:
    """One batch for each set of outputs that share weights or values, one circuit for each row of weights.

    Args:
        terms: the weighted sums.
        full: keep everything, so that the structure does not depend on the numbers.

    Raises:
        LoweringError: a matrix is larger than 2^MAX_WIDTH, or a scale overflows.
    """
    return [_encode(layer, terms.offset, full) for layer in layers(terms, full=full)]


def program(width: int, *, orthogonal: bool, form: Form) -> Program:
    """The structure.

    Args:
        width: of the register that holds weights, and then outputs.
        orthogonal: the matrix is, so that no auxiliary qubit is needed.
        form: of the rotations (see `synth.orthogonal`).
    """
    registers = [Register("branch", 1), Register("data", width)]
    blocks: tuple[Block, ...] = (Rotate("data", "matrix", form),)
    read: tuple[str, ...] = ("branch", "data")
    if not orthogonal:
        registers.append(Register("auxiliary", 1))
        blocks = (
            Rotate("data", "right", form),
            Multiplexor("y", "both", "auxiliary", "values", up_to_cz=True),
            Rotate("data", "left", form),
        )
        read = (*read, "auxiliary")
    return Program(
        registers=tuple(registers),
        blocks=(
            PrepareState("both", "prepare"),
            *blocks,
            Hadamards("branch"),
            Measure("readout", "readout"),
        ),
        read=("readout",),
        meaning="<X_branch>, counted where data is c and auxiliary 0, = (A w)_c / (|w| sqrt d); w: a row's "
        "weights, A: the values over their largest singular value, d: outputs",
        joined=(("both", ("branch", "data")), ("readout", read)),
    )


def _encode(layer: Layer, offset: Floats, full: bool) -> Batch:
    outputs, inputs = layer.matrix.shape
    width = max(1, (max(outputs, inputs) - 1).bit_length())
    if width > MAX_WIDTH:
        raise LoweringError(
            f"{inputs} weights and {outputs} outputs are too many for the block encoding; it goes up to "
            f"{2**MAX_WIDTH} of each",
            hint="choose fewer components= of the output, or use encoding='amplitude'",
        )
    size = 2**width
    largest, left, values, right = singular_values(layer)
    left, values, right = _filled(left, values, right, size)
    wanted = np.where(np.arange(size) < outputs, outputs**-0.5, 0.0)
    orthogonal = not full and bool((values > 1 - ONE).all())
    if orthogonal:
        matrix = left @ right
        sign = np.sign(np.linalg.det(matrix))
        matrix[-1], wanted[-1] = sign * matrix[-1], sign * wanted[-1]
        numbers = {"matrix": matrix}
        reference = wanted @ matrix
    else:
        for side in (left.T, right):
            if np.linalg.det(side) < 0:
                side[-1], values[-1] = -side[-1], -values[-1]
        angles = 2 * np.arccos(np.clip(values, -1.0, 1.0))
        numbers = {"right": right, "values": np.append(angles, np.zeros(size)), "left": left}
        reference = wanted @ left @ right
    kept = ((layer.directions @ right[:, :inputs].T * values) ** 2).sum(axis=1)
    rows = len(layer.rows)
    states = np.zeros((rows, 2, size))
    states[:, 0, :inputs], states[:, 1] = layer.directions, reference
    states /= np.sqrt(2)
    repeated = {name: np.tile(array.reshape(-1), (rows, 1)) for name, array in numbers.items()}
    given = [numbers[name] for name in ("matrix", "right", "left") if name in numbers]
    form: Form = "closed" if full or not all(map(_fits, given)) else "short"
    return Batch(
        program(width, orthogonal=orthogonal, form=form),
        {"prepare": states.reshape(rows, -1), **repeated},
        member=layer.row,
        position=layer.position,
        scale=scales(layer.norms, largest * outputs**0.5)[layer.row],
        offset=offset[layer.position],
        observables=tuple(_observable(c, width, orthogonal) for c in range(outputs)),
        which=layer.column,
        success=None if orthogonal else (1 + kept) / 2,
    )


def _filled(left: Floats, values: Floats, right: Floats, size: int) -> tuple[Floats, Floats, Floats]:
    """The decomposition of the matrix as a corner of one of size x size.

    What fills it up has singular value 1: it takes inputs to outputs of which not both are in use.
    """
    filled = np.concatenate([values, np.ones(size - len(values))])
    return _basis(left, size), filled, _basis(right.T, size).T


def _basis(columns: Floats, size: int) -> Floats:
    """Orthonormal columns filled up with zeros below, and completed."""
    out = np.zeros((size, size))
    count = columns.shape[1]
    out[: len(columns), :count] = columns
    out[:, count:] = np.linalg.svd(out[:, :count])[0][:, count:]
    return out


def _observable(column: int, width: int, orthogonal: bool) -> Observable:
    """The sign of the branch qubit, where the data register is `column` and the auxiliary qubit 0."""
    given = [(1 + i, (column >> (width - 1 - i)) & 1) for i in range(width)]
    return Observable((0,), tuple(given if orthogonal else [*given, (1 + width, 0)]))


def _fits(matrix: Floats) -> bool:
    """Whether the matrix needs no spare gates."""
    try:
        orthogonal_angles(matrix)
    except ArithmeticError:
        return False
    return True
