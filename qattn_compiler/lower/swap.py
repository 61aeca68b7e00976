"""Encodings `swap` and `swap-ancilla`: weighted sums (scores q . k) by SWAP tests of two registers. Exact.

A SWAP test of |a>|b> reads <a|b>^2, without the sign of <a|b>. Here it is kept: for y = sum_j w_j v_j let
q = w / ||w||, k = v / ||v||, and r = |0> with the sign of q_0. One register holds a = (r + q) / ||r + q||,
the other (|0>_flag |k> + |1>_flag |r>) / sqrt(2), and the SWAP of both is read with X of the flag:

    <X_flag SWAP> = <k|a><a|r> = (<q|k> + <r|k>) / 2,     y = ||w|| ||v|| (2 <X_flag SWAP> - <r|k>).

`swap` is the destructive test: one CX and one H a pair of qubits bring it into the Bell basis, and every pair
read as 11 (the singlet, where SWAP is -1) turns the sign of the shot around. `swap-ancilla` counts these
pairs on a test qubit, three CX more a pair, so that two qubits are read, not all. No post-selection; the
sub-normalisation is 2 ||w|| ||v||. Terms with a factor 0 are left out. Two-qubit gates before routing, with
c = ceil(log2 n), at least 1: (2^c - c - 1) + (2^(c + 1) - c - 2) + c, with the test qubit 3 c more.
`hadamard` reads the same number with fewer; the point of a SWAP test is that the two states need no common
control.

Source: Buhrman, Cleve, Watrous, de Wolf, Phys. Rev. Lett. 87, 167902 (2001); destructive: Garcia-Escartin and
Chamorro-Posada, Phys. Rev. A 87, 052330 (2013). The reference that keeps the sign is ours.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from qattn_compiler.blocks.block import Block, Measure, PrepareState
from qattn_compiler.blocks.orthogonal import Hadamards
from qattn_compiler.blocks.overlap import BellBasis, CountPairs
from qattn_compiler.blocks.program import Program, Register
from qattn_compiler.lower.batch import Batch, Observable, Terms
from qattn_compiler.lower.rows import Rows, by_width, directions, finite

MAX_ADDRESS = 7
"""2^7 terms a row: two registers and two qubits, the widest whole state that is compared in a proof."""


def program(width: int, *, ancilla: bool) -> Program:
    """The structure for rows of up to 2^width terms."""
    registers = (Register("flag", 1), Register("left", width), Register("right", width))
    read = ("flag", "test") if ancilla else ("flag", "left", "right")
    end: tuple[Block, ...] = (CountPairs("left", "right", "test"),) if ancilla else ()
    return Program(
        registers=(*registers, Register("test", 1)) if ancilla else registers,
        blocks=(
            PrepareState("left", "left"),
            PrepareState("either", "right"),
            BellBasis("left", "right"),
            *end,
            Hadamards("flag"),
            Measure("measured", "readout"),
        ),
        read=("measured",),
        meaning="<X_flag SWAP> = (<q|k> + <r|k>) / 2; q: weights of the row over their Euclidean norm, "
        "k: values over theirs, r: |0> with the sign of q_0",
        joined=(("either", ("flag", "right")), ("measured", read)),
    )


def encode(terms: Terms, *, full: bool = False, ancilla: bool = False) -> list[Batch]:
    """One batch for each width that occurs.

    Args:
        terms: the weighted sums.
        full: keep terms with a factor 0, so that the structure does not depend on the numbers.
        ancilla: read a test qubit, not all pairs.

    Raises:
        LoweringError: a row has more terms than a register can hold here, or a norm overflows.
    """
    present = (terms.weights != 0) & (terms.values != 0) | full
    found = by_width(terms, present, encoding="swap", least=1, most=MAX_ADDRESS)
    return [_encode(rows, terms, ancilla) for rows in found]


encode_ancilla = partial(encode, ancilla=True)
"""`encode` with a test qubit."""


def _encode(rows: Rows, terms: Terms, ancilla: bool) -> Batch:
    (top, left, q), (most, right, k) = directions(rows.weights), directions(rows.values)
    reference = np.zeros_like(q)
    reference[:, 0] = np.where(q[:, 0] < 0, -1.0, 1.0)
    middle = directions(reference + q)[2]
    with np.errstate(over="ignore", invalid="ignore"):
        scale = finite(2 * top * most * (left * right), "2 ||w|| ||v||")
    count, width = len(rows.outputs), rows.width
    pairs = () if ancilla else tuple((1 + i, 1 + width + i) for i in range(width))
    return Batch(
        program(width, ancilla=ancilla),
        {"left": middle, "right": np.concatenate([k, reference], axis=1) / np.sqrt(2)},
        member=np.arange(count),
        position=rows.outputs,
        scale=scale,
        offset=terms.offset[rows.outputs] - scale / 2 * (reference * k).sum(axis=1),
        observables=(Observable((0, 1) if ancilla else (0,), both=pairs),),
        which=np.zeros(count, dtype=np.int64),
    )
