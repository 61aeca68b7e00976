"""Encoding `qcrank`: both factors of each term as rotations under one address, read as a parity. Exact.

For y = sum_j w_j v_j, n = 2^c terms, a = max|w|, b = max|v|: the address is in the uniform superposition,
and where it is j one data qubit is turned by RY(arccos(w_j / a)), another by RY(arccos(v_j / b)). They are
then in a product state of <Z> w_j / a and v_j / b, so that

    <Z Z> = (1 / n) sum_j (w_j / a) (v_j / b),     y = n a b <Z Z>.

No post-selection, no normalisation of vectors. Both qubits are read and the parity is formed afterwards,
which saves the CX of the circuit with one read-out; the last CZ of each multiplexor is diagonal and falls
away.
Terms with a factor 0 are left out, rows are filled up to a power of two with zeros.
Two-qubit gates before routing, with c = ceil(log2 n): 2 (2^c - 1).

Sources: QCrank, Balewski et al., arXiv:2301.07841; products of such values as in EHands, arXiv:2502.15928.
"""

from __future__ import annotations

import numpy as np

from qattn_compiler.blocks.block import Measure, Multiplexor
from qattn_compiler.blocks.orthogonal import Hadamards
from qattn_compiler.blocks.program import Program, Register
from qattn_compiler.lower.batch import Batch, Floats, Terms
from qattn_compiler.lower.rows import Rows, by_width, finite

MAX_ADDRESS = 13
"""2^13 terms a row: two data qubits, so one address qubit less than `amplitude`."""


def program(width: int) -> Program:
    """The structure for rows of up to 2^width terms."""
    return Program(
        registers=(Register("address", width), Register("weight", 1), Register("value", 1)),
        blocks=(
            Hadamards("address"),
            Multiplexor("y", "address", "weight", "weights", up_to_cz=True),
            Multiplexor("y", "address", "value", "values", up_to_cz=True),
            Measure("data", "readout"),
        ),
        read=("weight", "value"),
        meaning="<Z Z> = mean over j of p_j u_j; p: weights over their maximum, u: values over theirs",
        joined=(("data", ("weight", "value")),),
    )


def encode(terms: Terms, *, full: bool = False) -> list[Batch]:
    """One batch for each address width that occurs.

    Args:
        terms: the weighted sums.
        full: keep terms with a factor 0, so that the structure does not depend on the numbers.

    Raises:
        LoweringError: a row has more terms than an address can hold here, or its scale overflows.
    """
    present = (terms.weights != 0) & (terms.values != 0) | full
    return [_encode(rows, terms) for rows in by_width(terms, present, encoding="qcrank", most=MAX_ADDRESS)]


def _encode(rows: Rows, terms: Terms) -> Batch:
    (top, weights), (most, values) = _scaled(rows.weights), _scaled(rows.values)
    with np.errstate(over="ignore", invalid="ignore"):
        scale = finite(2.0**rows.width * top * most, "n max|w| max|v|")
    return Batch(
        program(rows.width),
        {"weights": np.arccos(weights), "values": np.arccos(values)},
        member=np.arange(len(rows.outputs)),
        position=rows.outputs,
        scale=scale,
        offset=terms.offset[rows.outputs],
    )


def _scaled(numbers: Floats) -> tuple[Floats, Floats]:
    """The largest magnitude of each row, and the row over it."""
    top = np.abs(numbers).max(axis=1)
    return top, np.clip(numbers / np.where(top > 0, top, 1.0)[:, None], -1.0, 1.0)
