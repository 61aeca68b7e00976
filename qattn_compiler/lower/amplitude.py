"""Encoding `amplitude`: a row of weights as amplitudes, the values as rotations of one read-out qubit. Exact.

For y = sum_j w_j v_j let a_j = |w_j| / ||w||_1 and u_j = sign(w_j) v_j / s with s = max_j |v_j|. The circuit
prepares sum_j sqrt(a_j) |j>, rotates the read-out qubit by RY(arccos u_j) where the address is j, and reads Z
of it:

    <Z> = sum_j a_j cos(arccos u_j) = sum_j a_j u_j,     y = ||w||_1 s <Z>.

No post-selection; for a softmax row ||w||_1 is 1. Terms of weight 0 (masked tokens) are left out, and the
others are filled up to a power of two with weight 0, so that rows of equal address width share one circuit
structure. Two-qubit gates before routing, with k = ceil(log2 n): (2^k - k - 1) + (2^k - 1).
"""

from __future__ import annotations

import numpy as np

from qattn_compiler.blocks.block import Measure, Multiplexor, PrepareState
from qattn_compiler.blocks.program import Program, Register
from qattn_compiler.lower.batch import Batch, Floats, Terms
from qattn_compiler.lower.rows import Rows, by_width, finite

MAX_ADDRESS = 14
"""2^14 terms a row: beyond, a circuit has tens of thousands of gates and dense proofs end."""


def program(width: int) -> Program:
    """The structure for rows of up to 2^width terms."""
    return Program(
        registers=(Register("address", width), Register("readout", 1)),
        blocks=(
            PrepareState("address", "prepare"),
            Multiplexor("y", "address", "readout", "value", up_to_cz=True),
            Measure("readout", "readout"),
        ),
        read=("readout",),
        meaning="<Z> = sum_j a_j u_j; a: weights of the row over their 1-norm, u: values over their maximum",
    )


def encode(terms: Terms, *, full: bool = False) -> list[Batch]:
    """One batch for each address width that occurs.

    Args:
        terms: the weighted sums.
        full: keep terms of weight 0, so that the structure does not depend on the weights.

    Raises:
        LoweringError: a row has more terms than an address can hold here, or its 1-norm overflows.
    """
    present = (terms.weights != 0) | full
    return [_encode(rows, terms) for rows in by_width(terms, present, encoding="amplitude", most=MAX_ADDRESS)]


def _encode(rows: Rows, terms: Terms) -> Batch:
    weights, values, outputs = rows.weights, rows.values, rows.outputs
    norm, parts = shares(weights)
    signed = np.where(weights < 0, -values, values)
    signed = np.where(weights == 0, 0.0, signed)
    top = np.abs(signed).max(axis=1)
    unit = np.clip(signed / np.where(top > 0, top, 1.0)[:, None], -1.0, 1.0)
    with np.errstate(over="ignore", invalid="ignore"):
        scale = finite(norm * top, "||w||_1 max|v|")
    return Batch(
        program(rows.width),
        {"prepare": np.sqrt(parts), "value": np.arccos(unit)},
        member=np.arange(len(outputs)),
        position=outputs,
        scale=scale,
        offset=terms.offset[outputs],
    )


def shares(weights: Floats) -> tuple[Floats, Floats]:
    """1-norms, and |w| over them; a row of zeros gives norm 0 and the share 1 to its first term."""
    largest = np.abs(weights).max(axis=1)
    scaled = np.abs(weights) / np.where(largest > 0, largest, 1.0)[:, None]
    total = scaled.sum(axis=1)
    scaled[largest == 0, 0] = 1.0
    parts = scaled / np.where(largest > 0, total, 1.0)[:, None]
    with np.errstate(over="ignore"):
        return largest * total, parts
