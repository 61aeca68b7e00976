"""Encoding `coherent`: all rows of the output in one circuit, told apart by a row address. Exact.

The circuit for component c prepares sum_ij sqrt(p_i |w_ij| / ||w_i||_1) |i>|j> in one piece, rotates the
read-out qubit by RY(arccos(sign(w_ij) v_jc / s_c)), s_c = max_j |v_jc|, and reads its Z. Only shots counted
where the row address is i:

    <Z> = p_i sum_j w_ij v_jc / (||w_i||_1 s_c),     y_ic = ||w_i||_1 s_c / p_i <Z>.

The rows' shares p_i are proportional to ||w_i||_1^2 (but at least 1e-6 of the largest), which gives all rows
the same error; for a softmax they are equal. Two-qubit gates before routing, for 2^r rows of 2^k terms:
2^(r + k) - (r + k) - 1 to prepare, and 2^k - 1 for the values, or 2^(r + k) - 1 where a column of weights has
both signs.
"""

from __future__ import annotations

import numpy as np

from qattn_compiler.blocks.block import Measure, Multiplexor, PrepareState
from qattn_compiler.blocks.program import Program, Register
from qattn_compiler.errors import LoweringError
from qattn_compiler.lower.amplitude import shares
from qattn_compiler.lower.batch import Batch, Floats, Observable, Terms
from qattn_compiler.lower.layers import Layer, layers

MAX_WIDTH = 14
"""Qubits of both addresses together; beyond, a circuit has tens of thousands of gates."""

LEAST = 1e-3
"""Norm of a row, over the largest, below which its share falls no further."""


def encode(terms: Terms, *, full: bool = False) -> list[Batch]:
    """One batch for each set of outputs that share weights or values, one circuit for each component.

    Args:
        terms: the weighted sums.
        full: keep everything, so that the structure does not depend on the numbers.

    Raises:
        LoweringError: the addresses are too wide, or a scale overflows.
    """
    return [_encode(layer, terms.offset, full) for layer in layers(terms, full=full)]


def program(row: int, address: int, *, mixed: bool) -> Program:
    """The structure for 2^row rows of 2^address terms; `mixed` if the signs differ within a column."""
    return Program(
        registers=(Register("row", row), Register("address", address), Register("readout", 1)),
        blocks=(
            PrepareState("both", "prepare"),
            Multiplexor("y", "both" if mixed else "address", "readout", "value", up_to_cz=True),
            Measure("measured", "readout"),
        ),
        read=("measured",),
        meaning="<Z>, counted where row is i, = p_i sum_j a_ij u_j; p: shares of the rows, a: weights of the "
        "row over their 1-norm, u: values over their maximum",
        joined=(("both", ("row", "address")), ("measured", ("readout", "row"))),
    )


def _encode(layer: Layer, offset: Floats, full: bool) -> Batch:
    rows, terms = layer.rows.shape
    row, address = (rows - 1).bit_length(), (terms - 1).bit_length()
    if row + address > MAX_WIDTH:
        raise LoweringError(
            f"{rows} rows of {terms} terms are too many for the coherent encoding; rows times terms go up to "
            f"{2**MAX_WIDTH}",
            hint="choose fewer rows=, or use encoding='amplitude'",
        )
    norms, parts = shares(layer.rows)
    share = np.maximum(norms / (norms.max() or 1.0), LEAST) ** 2
    share /= share.sum()
    table = np.zeros((2**row, 2**address))
    table[:rows, :terms] = np.sqrt(share[:, None] * parts)
    top = np.abs(layer.matrix).max(axis=1)
    unit = np.clip(layer.matrix / np.where(top > 0, top, 1.0)[:, None], -1.0, 1.0)
    below = layer.rows < 0
    mixed = full or bool((below.any(axis=0) & (layer.rows > 0).any(axis=0)).any())
    # One rotation for each row and term, or for each term alone, whose sign is that of its column of weights.
    sign = np.where(below if mixed else below.any(axis=0, keepdims=True), -1.0, 1.0)
    turned = np.zeros((len(unit), 2**row if mixed else 1, 2**address))
    turned[:, : len(sign), :terms] = sign * unit[:, None, :]
    with np.errstate(over="ignore"):
        scale = (norms / share)[layer.row] * top[layer.column]
    if not np.isfinite(scale).all():
        raise LoweringError(
            "the scale ||w||_1 max|v| / p of an output overflows", hint="rescale the weights or the values"
        )
    return Batch(
        program(row, address, mixed=mixed),
        {
            "prepare": np.tile(table.reshape(-1), (len(unit), 1)),
            "value": np.arccos(turned.reshape(len(unit), -1)),
        },
        member=layer.column,
        position=layer.position,
        scale=scale,
        offset=offset[layer.position],
        observables=tuple(_observable(i, row) for i in range(rows)),
        which=layer.row,
    )


def _observable(index: int, width: int) -> Observable:
    """The sign of the read-out qubit, where the row is `index`."""
    return Observable((0,), tuple((1 + i, (index >> (width - 1 - i)) & 1) for i in range(width)))
