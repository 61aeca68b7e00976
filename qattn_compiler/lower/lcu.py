"""Encoding `lcu`: a row of weights as a linear combination of unitaries, w' = sum_j w_j U_j. Exact.

For y = sum_j w_j v_j let a_j = |w_j| / ||w||_1, u_j = sign(w_j) v_j / s with s = max_j |v_j|, and
U_j = RY(2 arccos u_j), whose <0|U_j|0> is u_j. PREPARE makes sum_j sqrt(a_j) |j> of an address, SELECT runs
U_j on a data qubit where the address is j, PREPARE^dagger comes back: where the address is then found in |0>,
the data qubit holds

    A |0> = sum_j a_j U_j |0> = w' |0> / ||w||_1,     with probability ||A |0>||^2.

The 1-norm of the weights is the sub-normalisation; a softmax has 1. To read the sign too, a test qubit in
|+> chooses between SELECT and nothing, and is read in the X basis, counted where address and data are |0>:

    <X_test> = <0| A |0> = sum_j a_j u_j,     y = ||w||_1 s <X_test>.

The address is found in |0> with probability (1 + ||A |0>||^2) / 2; the report's shots have this in them.
The entanglers of SELECT are those of one multiplexor (`synth.select`), so with c = ceil(log2 n) there are
2 (2^c - c - 1) + 2^(c + 1) - 1 two-qubit gates before routing. `amplitude` reads the same number without
coming back, for fewer; this is the block w' itself, as larger circuits use it.

Source: Childs and Wiebe, Quantum Inf. Comput. 12, 901 (2012).
"""

from __future__ import annotations

import numpy as np

from qattn_compiler.blocks.block import Measure, Multiplexor, PrepareState
from qattn_compiler.blocks.orthogonal import Hadamards
from qattn_compiler.blocks.overlap import UnprepareState
from qattn_compiler.blocks.program import Program, Register
from qattn_compiler.lower.amplitude import shares
from qattn_compiler.lower.batch import Batch, Observable, Terms
from qattn_compiler.lower.rows import Rows, by_width, finite

MAX_ADDRESS = 12
"""2^12 terms a row: beyond, a circuit has tens of thousands of gates."""


def program(width: int) -> Program:
    """The structure for rows of up to 2^width terms."""
    return Program(
        registers=(Register("test", 1), Register("address", width), Register("data", 1)),
        blocks=(
            PrepareState("address", "prepare"),
            Hadamards("test"),
            # The CZ(test, data) that is left over does nothing to data |0>, where shots are counted.
            Multiplexor("y", "select", "data", "value", up_to_cz=True),
            UnprepareState("address", "prepare"),
            Hadamards("test"),
            Measure("measured", "readout"),
        ),
        read=("measured",),
        meaning="<Z_test>, counted where address and data are 0, = <0| sum_j a_j U_j |0>; a: weights of the "
        "row over their 1-norm, <0|U_j|0>: values over their maximum",
        joined=(("select", ("test", "address")), ("measured", ("test", "data", "address"))),
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
    found = by_width(terms, present, encoding="lcu", most=MAX_ADDRESS)
    return [_encode(rows, terms) for rows in found]


def _encode(rows: Rows, terms: Terms) -> Batch:
    norm, parts = shares(rows.weights)
    signed = np.where(rows.weights < 0, -rows.values, rows.values)
    top = np.abs(signed).max(axis=1)
    unit = np.clip(signed / np.where(top > 0, top, 1.0)[:, None], -1.0, 1.0)
    turns = 2 * np.arccos(unit)
    with np.errstate(over="ignore", invalid="ignore"):
        scale = finite(norm * top, "||w||_1 max|v|")
    combined = np.stack([(parts * f(turns / 2)).sum(axis=1) for f in (np.cos, np.sin)])
    count = len(rows.outputs)
    return Batch(
        program(rows.width),
        {"prepare": np.sqrt(parts), "value": np.concatenate([np.zeros_like(turns), turns], axis=1)},
        member=np.arange(count),
        position=rows.outputs,
        scale=scale,
        offset=terms.offset[rows.outputs],
        observables=(Observable((0,), tuple((1 + i, 0) for i in range(1 + rows.width))),),
        which=np.zeros(count, dtype=np.int64),
        success=(1 + (combined**2).sum(axis=0)) / 2,
    )
