"""Encoding `unary`: a row of weights on as many qubits, the values as a network of Givens rotations. Exact.

For y_c = sum_j w_j v_jc let A = V^T / s with s the largest singular value of V. The weights are loaded as
amplitudes w_j / ||w|| of states with one excitation, beside an amplitude of the same size on a reference
qubit; Givens rotations apply A; and X is read on all qubits:

    <X_reference X_c> = (A w)_c / ||w||,     y_c = ||w|| s <X_reference X_c>.

All outputs of a row come from the same circuit. An orthogonal matrix is one pyramid; any other is taken apart
into orthogonal, singular values, orthogonal, where a number is made smaller by a rotation with a qubit of its
own that is in |0> before. For n weights, d outputs and a matrix of rank r that is

    1 + n + (d - r) + (r - 1) qubits at most, and
    2 n - 1 CZ to load, r (2 n - r - 1) + 2 (r - 1) + r (2 d - r - 1) for the matrix.
"""

from __future__ import annotations

import numpy as np

from qattn_compiler.blocks.block import Block, Measure
from qattn_compiler.blocks.orthogonal import Hadamards
from qattn_compiler.blocks.program import Program, Register
from qattn_compiler.blocks.unary import ExchangeUnary, PrepareUnary, RotateUnary, completed
from qattn_compiler.errors import LoweringError
from qattn_compiler.lower.batch import Batch, Floats, Observable, Terms
from qattn_compiler.lower.layers import Layer, layers, scales, singular_values

MAX_QUBITS = 16
"""The widest circuit whose whole state is compared in a proof."""
RANK = 1e-13
"""Singular values up to here, over the largest, are zeros."""
ONE = 1e-13
"""Singular values this close to the largest are equal to it."""


def encode(terms: Terms, *, full: bool = False) -> list[Batch]:
    """One batch for each set of outputs that share weights or values, one circuit for each row of weights.

    Args:
        terms: the weighted sums.
        full: keep everything, so that the structure does not depend on the numbers.

    Raises:
        LoweringError: a circuit would have more than MAX_QUBITS qubits, or a scale overflows.
    """
    return [_encode(layer, terms.offset, full) for layer in layers(terms, full=full)]


def program(inputs: int, outputs: int, rank: int, damped: int, *, single: bool) -> Program:
    """The structure.

    Args:
        inputs: weights of a row.
        outputs: of a row.
        rank: of the matrix.
        damped: how many of its singular values are below the largest.
        single: all are equal to it, and as many as the smaller side: the matrix is one network.
    """
    widths = {"kept": rank - damped, "damped": damped, "spent": inputs - rank, "fresh": outputs - rank}
    core = tuple(name for name in ("kept", "damped") if widths[name])
    joined = {
        "core": core,
        "input": (*core, *(("spent",) if widths["spent"] else ())),
        "output": (*core, *(("fresh",) if widths["fresh"] else ())),
        "loaded": ("reference", "input"),
        "readout": ("reference", "output"),
    }
    if single:
        wide = "input" if inputs >= outputs else "output"
        blocks: tuple[Block, ...] = (RotateUnary(wide, "matrix", rank, inverse=inputs >= outputs),)
    else:
        exchange = (ExchangeUnary("damped", "lost", "values"),) if damped else ()
        right, left = RotateUnary("input", "right", rank, inverse=True), RotateUnary("output", "left", rank)
        blocks = (right, *exchange, left)
    widths = {"reference": 1, **widths, "lost": damped}
    return Program(
        registers=tuple(Register(name, width) for name, width in widths.items() if width),
        blocks=(
            PrepareUnary("loaded", "load"),
            *blocks,
            Hadamards("readout"),
            Measure("readout", "readout"),
        ),
        read=("readout",),
        meaning="<X_reference X_c> = (A w)_c / |w|; w: a row's weights, A: the values over their largest "
        "singular value",
        joined=tuple(joined.items()),
    )


def _encode(layer: Layer, offset: Floats, full: bool) -> Batch:
    outputs, inputs = layer.matrix.shape
    largest, left, values, right = singular_values(layer)
    rank = len(values) if full else int((values > RANK).sum())
    damped = rank - (1 if full else int((values > 1 - ONE).sum()))
    single = not full and damped == 0 and rank == min(inputs, outputs)
    qubits = 1 + inputs + (outputs - rank) + damped
    if qubits > MAX_QUBITS:
        raise LoweringError(
            f"{inputs} weights and {outputs} outputs of rank {rank} take {qubits} qubits in the unary "
            f"encoding; it goes up to {MAX_QUBITS}",
            hint="choose fewer components= of the output, or use encoding='amplitude'",
        )
    left, values, right = left[:, :rank], values[:rank], right[:rank]
    numbers: dict[str, Floats] = {}
    if single and inputs >= outputs:
        numbers["matrix"] = completed((left @ right).T).T
    elif single:
        numbers["matrix"] = completed(left @ right)
    else:
        numbers |= {"right": completed(right.T).T, "left": completed(left)}
        numbers |= {"values": np.arccos(values[rank - damped :])} if damped else {}
    rows = len(layer.rows)
    load = np.concatenate([np.ones((rows, 1)), layer.directions], axis=1) / np.sqrt(2)
    repeated = {name: np.tile(array.reshape(-1), (rows, 1)) for name, array in numbers.items()}
    return Batch(
        program(inputs, outputs, rank, damped, single=single),
        {"load": load, **repeated},
        member=layer.row,
        position=layer.position,
        scale=scales(layer.norms, largest)[layer.row],
        offset=offset[layer.position],
        observables=tuple(Observable((0, 1 + c)) for c in range(outputs)),
        which=layer.column,
    )
