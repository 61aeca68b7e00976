"""Encoding `angle`: one qubit a weight, each turned by RX(2 w_j), read as a product of Z.

What it computes, exactly: for a row of weights w, the number

    <Z x Z x ... x Z> = prod_j cos(2 w_j).

It does not compute the weighted sum, and the values of the expression (V, x, ...) are not encoded at all:
every output of a row has the same number. It costs n qubits and no two-qubit gate, and is there as the
baseline that published "weights as angles" circuits use; `amplitude` computes the expression itself.
"""

from __future__ import annotations

import numpy as np

from qattn_compiler.blocks.block import Measure, RotationLayer
from qattn_compiler.blocks.program import Program, Register
from qattn_compiler.errors import LoweringError
from qattn_compiler.lower.batch import Batch, Floats, Terms


def program(width: int) -> Program:
    """The structure for rows of `width` weights."""
    return Program(
        registers=(Register("weights", width),),
        blocks=(RotationLayer("x", "weights", "weight"), Measure("weights", "readout")),
        read=("weights",),
        meaning="<Z...Z> = prod_j cos(2 w_j) over the row's weights; the values are not encoded",
    )


def encode(terms: Terms, *, full: bool = False) -> list[Batch]:
    """One batch; one circuit a row of weights, shared by all outputs of that row.

    Args:
        terms: the weighted sums; their values and offsets are not used.
        full: no effect here: the structure never depends on the weights.

    Raises:
        LoweringError: an angle overflows.
    """
    del full
    _, first, member = np.unique(terms.weights, axis=0, return_index=True, return_inverse=True)
    count = len(terms.weights)
    with np.errstate(over="ignore"):
        turned = 2.0 * terms.weights[first]
    if not np.isfinite(turned).all():
        raise LoweringError("an angle 2 w overflows", hint="rescale the weights")
    # Into (-pi, pi] by way of sine and cosine, which know pi to all digits: large weights keep their meaning.
    turned = np.arctan2(np.sin(turned), np.cos(turned))
    batch = Batch(
        program(terms.weights.shape[1]),
        {"weight": turned},
        member=member.reshape(-1),
        position=np.arange(count),
        scale=np.ones(count),
        offset=np.zeros(count),
    )
    return [batch]


def reference(terms: Terms) -> Floats:
    """What the read-outs mean, shape (outputs,): prod_j cos(2 w_j)."""
    product: Floats = np.cos(2.0 * terms.weights).prod(axis=1)
    return product
