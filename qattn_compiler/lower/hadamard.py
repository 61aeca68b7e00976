"""Encoding `hadamard`: a weighted sum as the inner product of two states, by a Hadamard test. Exact.

For y = sum_j w_j v_j let q = w / ||w|| and k = v / ||v||, Euclidean norms. A test qubit selects which of the
two is prepared; both share their skeleton, so that the selection is one more control of its multiplexors
(`synth.select`), that is the preparation of (|0>|q> + |1>|k>) / sqrt(2). After a Hadamard gate on the test
qubit

    <Z_test> = <q|k>,     y = ||w|| ||v|| <Z_test>.

No post-selection. The sub-normalisation ||w|| ||v|| is below that of `amplitude`, ||w||_1 max|v|, where few
large values meet many small ones, as in the scores q . k themselves. Terms with a factor 0 are left out.
Two-qubit gates before routing, with c = ceil(log2 n): 2^(c + 1) - c - 2.
On a machine the joint state is prepared on its couplings (`synth.chip_state`) where that takes fewer; the
Hadamard gate that compares always comes after it.

Source: Hadamard tests of attention scores as in Smaldone et al., arXiv:2502.19214.
"""

from __future__ import annotations

import numpy as np

from qattn_compiler.blocks.block import Measure, PrepareState
from qattn_compiler.blocks.orthogonal import Hadamards
from qattn_compiler.blocks.program import Program, Register
from qattn_compiler.lower.batch import Batch, Terms
from qattn_compiler.lower.rows import by_width, directions, finite

MAX_ADDRESS = 14
"""2^14 terms a row, as `amplitude`."""


def program(width: int) -> Program:
    """The structure for rows of up to 2^width terms."""
    return Program(
        registers=(Register("test", 1), Register("address", width)),
        blocks=(PrepareState("both", "states"), Hadamards("test"), Measure("test", "readout")),
        read=("test",),
        meaning="<Z> = <q|k>; q: weights of the row over their Euclidean norm, k: values over theirs",
        joined=(("both", ("test", "address")),),
    )


def encode(terms: Terms, *, full: bool = False) -> list[Batch]:
    """One batch for each address width that occurs.

    Args:
        terms: the weighted sums.
        full: keep terms with a factor 0, so that the structure does not depend on the numbers.

    Raises:
        LoweringError: a row has more terms than an address can hold here, or a norm overflows.
    """
    present = (terms.weights != 0) & (terms.values != 0) | full
    batches = []
    for rows in by_width(terms, present, encoding="hadamard", most=MAX_ADDRESS):
        (top, left, q), (most, right, k) = directions(rows.weights), directions(rows.values)
        with np.errstate(over="ignore", invalid="ignore"):
            scale = finite(top * most * (left * right), "||w|| ||v||")
        batches.append(
            Batch(
                program(rows.width),
                {"states": np.concatenate([q, k], axis=1) / np.sqrt(2)},
                member=np.arange(len(rows.outputs)),
                position=rows.outputs,
                scale=scale,
                offset=terms.offset[rows.outputs],
            )
        )
    return batches
