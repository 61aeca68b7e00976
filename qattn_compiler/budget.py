"""Budget: what a compile may leave out for fewer gates, decided in one place.

`max_error` is the greatest allowed |deviation| of a decoded output number, in units of the output. It is
spent on the support of the weights: the terms that contribute least are left out where that halves the
address space of a row (masks, top-k and peaked softmax rows), as often as the budget allows. What is left is
computed exactly; the proof measures the deviation of every output from the exact reference.

Which is better on a machine that errs, the exact circuits or the smaller ones, is a matter of both errors:
`expected_error` adds them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.errors import OptionError
from qattn_compiler.lower.batch import Floats, Terms
from qattn_compiler.unit import Unit


@dataclass(frozen=True)
class Spent:
    """What was left out.

    Attributes:
        terms: how many of the terms that are not 0 anyway, all outputs together.
        outputs: how many outputs lost some.
        deviation: the largest of an output, by the terms that it lost.
    """

    terms: int = 0
    outputs: int = 0
    deviation: float = 0.0

    @property
    def words(self) -> str:
        """For the report."""
        return (
            f"{self.terms} terms of {self.outputs} outputs were left out, which changes an output by at most "
            f"{self.deviation:.3g}"
        )


def check_budget(max_error: float, free: Sequence[str] = ()) -> None:
    """Refuse a budget that means nothing.

    Raises:
        OptionError: it is no number, or negative; or tensors are free, whose sizes nobody knows yet.
    """
    if isinstance(max_error, bool) or not (np.isfinite(max_error) and max_error >= 0):
        raise OptionError(f"max_error is {max_error!r}; a number, 0 or more, was expected")
    if max_error and free:
        raise OptionError(
            f"max_error needs all numbers, but {', '.join(free)} {'is' if len(free) == 1 else 'are'} free",
            hint="compile with max_error=0, or give the values",
        )


def prune(terms: Terms, max_error: float) -> tuple[Terms, Spent]:
    """Leave out the terms that contribute least, where rows get narrower and no output changes too much.

    Outputs that share a row of weights lose the same terms, so that encodings that share circuits still can.

    Args:
        terms: weighted sums.
        max_error: the greatest allowed change of an output.
    """
    weights = terms.weights.copy()
    rows, group = np.unique(terms.weights, axis=0, return_inverse=True)
    group = group.reshape(-1)
    lost, outputs, worst = 0, 0, 0.0
    for number in range(len(rows)):
        members = np.flatnonzero(group == number)
        dropped, deviation = _dropped(rows[number] * terms.values[members], max_error)
        if not len(dropped):
            continue
        weights[np.ix_(members, dropped)] = 0.0
        lost, outputs = lost + len(dropped) * len(members), outputs + len(members)
        worst = max(worst, deviation)
    if not lost:
        return terms, Spent()
    return replace(terms, weights=weights), Spent(lost, outputs, worst)


def _dropped(parts: Floats, max_error: float) -> tuple[NDArray[np.int64], float]:
    """Which terms to leave out, and what that changes.

    Args:
        parts: shape (outputs, n): the terms' contributions.
        max_error: the greatest allowed change of an output.
    """
    size = np.abs(parts).max(axis=0)
    order = np.argsort(size, kind="stable")
    order = order[size[order] > 0]
    change = np.abs(np.cumsum(parts[:, order], axis=1)).max(axis=0, initial=0.0)
    for kept in (2**width for width in range(max(0, len(order) - 1).bit_length())):
        gone = len(order) - kept
        if change[gone - 1] <= max_error:
            return order[:gone], float(change[gone - 1])
    return order[:0], 0.0


def expected_error(units: Sequence[Unit], deviation: float) -> float:
    """How far the worst output of a noisy machine is expected to be from the exact one, shots aside.

    A circuit of estimated fidelity F is taken to give F times its expectation (errors leave nothing of it),
    so an output is off by (1 - F) |y| and by what was left out. Where F is unknown it is taken for 1.
    """
    worst = 0.0
    for unit in units:
        fidelity = unit.execution().fidelity
        signal = np.abs(unit.batch.scale).max(initial=0.0)
        worst = max(worst, (0.0 if fidelity is None else 1.0 - fidelity) * float(signal))
    return worst + deviation
