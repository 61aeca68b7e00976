"""Budget: what a compile may leave out for fewer gates: the account, and the part that is spent on terms.

`max_error` is the greatest allowed |deviation| of a decoded output number, in units of the output. Every
output has an account of its own, in which prices add up; it is spent on, in this order:

- *terms*, here, before anything is lowered (below);
- *Schmidt rank*, *small angles*, *two-qubit gates*: on the circuits, by `trim`, with what the terms left.

Terms come first because they make the address space of a row narrower, which halves its circuit:

- those that contribute least are left out (masks, top-k, peaked softmax rows), the same for all outputs of a
  row of weights;
- where every output has circuits of its own, terms of nearly the same value become one: their weights are
  added, their value is the mean by weight.

Joining terms keeps the sum, so it would allow any output to be one term, the answer. Its price is therefore
counted term by term, sum_j |w_j| |v_j - v'_j|, which bounds the deviation and does not cancel; `trim` counts
outcome by outcome for the same reason. The proof measures the deviation of every output from the exact
reference.

Which is better on a machine that errs, the exact circuits or the smaller ones, is a matter of both errors:
`expected_errors` estimates the machine's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.errors import OptionError
from qattn_compiler.lower.batch import Floats, Terms
from qattn_compiler.unit import Unit

RANK, ANGLES, GATES = "Schmidt rank", "small angles", "two-qubit gates"
"""What is made smaller after terms were left out: each takes from what those before it have left."""


@dataclass(frozen=True)
class Cut:
    """What one kind of approximation of the circuits took.

    Attributes:
        kind: RANK, ANGLES or GATES.
        circuits: how many were changed.
        gates_2q: two-qubit gates saved, all circuits together.
        price: the largest of an output: its scale times the sum, over all outcomes of measuring the circuit's
            qubits, of what their probabilities changed by.
    """

    kind: str
    circuits: int
    gates_2q: int
    price: float

    @property
    def words(self) -> str:
        """For the report."""
        return (
            f"{self.kind}: {self.gates_2q} two-qubit gates less in {self.circuits} circuits (an output "
            f"changes by at most {self.price:.3g})"
        )


@dataclass(frozen=True)
class Spent:
    """What was left out.

    Attributes:
        terms: how many of the terms that are not 0 anyway, all outputs together.
        outputs: how many outputs lost some.
        deviation: the largest of an output, by what it lost.
        joined: how many terms went into others.
        price: the largest of an output, each of its terms counted by itself.
        cuts: what was changed in the circuits themselves.
        total: the largest price of an output, everything together.
        prices: shape (outputs,): of the terms; None if there is none.
    """

    terms: int = 0
    outputs: int = 0
    deviation: float = 0.0
    joined: int = 0
    price: float = 0.0
    cuts: tuple[Cut, ...] = ()
    total: float = 0.0
    prices: Floats | None = field(default=None, compare=False, repr=False)

    @property
    def words(self) -> str:
        """For the report."""
        out = f"{self.terms} terms of {self.outputs} outputs were left out"
        if self.joined:
            out += f" and {self.joined} joined to others of nearly the same value (the terms of an output "
            out += f"change by at most {self.price:.3g} together)"
        out += f", which changes an output by at most {self.deviation:.3g}"
        return "; ".join([out, *(cut.words for cut in self.cuts)])

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        out = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("cuts", "prices")}
        return {**out, "cuts": [asdict(cut) for cut in self.cuts]}


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


def spend(
    terms: Terms, max_error: float, *, alone: bool, exact: NDArray[np.bool_] | None = None
) -> tuple[Terms, Spent]:
    """Leave out and join terms, where rows get narrower and no output changes too much.

    Args:
        terms: weighted sums.
        max_error: the greatest allowed change of an output.
        alone: whether every output has circuits of its own, so that its terms may be joined.
        exact: shape (outputs,): those of them that stay as they are; only where they are alone.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # the encoding refuses what overflows
        less, spent = prune(terms, max_error)
        if not alone:
            return less, spent
        return _with_joined(terms, less, max_error, False if exact is None else exact[:, None])


def _with_joined(
    terms: Terms, less: Terms, max_error: float, exact: NDArray[np.bool_] | bool
) -> tuple[Terms, Spent]:
    """For each output the better of two: terms are left out and then joined, or only joined."""
    full = terms.weights * terms.values
    gone = np.abs((less.weights * terms.values - full).sum(axis=1))
    direct = _joined(terms, np.full(len(gone), max_error))
    after = direct if less is terms else _joined(less, np.maximum(max_error - gone, 0.0))
    changes = [np.abs((j.weights * j.values - full).sum(axis=1)) for j in (direct, after)]
    widths = [_widths(j.weights) for j in (direct, after)]
    better = (widths[0] < widths[1]) | ((widths[0] == widths[1]) & (changes[0] < changes[1]))
    change, better = np.where(better, *changes), better[:, None]
    weights = np.where(exact, terms.weights, np.where(better, direct.weights, after.weights))
    values = np.where(exact, terms.values, np.where(better, direct.values, after.values))
    base = np.where(exact | better, terms.weights, less.weights)
    left = (terms.weights != 0).sum(axis=1) - (base != 0).sum(axis=1)
    joined = (base != 0).sum(axis=1) - (weights != 0).sum(axis=1)
    price = np.where(better[:, 0], direct.price, after.price + gone)
    lost = left + joined > 0
    if not lost.any():
        return terms, Spent()
    worst = float(change[lost].max()), float(price[lost].max())
    prices = np.where(lost, price, 0.0)
    spent = Spent(int(left.sum()), int(lost.sum()), worst[0], int(joined.sum()), worst[1], prices=prices)
    return replace(terms, weights=weights, values=values), spent


def in_order(terms: Terms) -> Terms:
    """The terms of each output in the order of their values, which makes its state smoother, and so easier to
    come near to (`trim`)."""
    signed = np.where(terms.weights < 0, -terms.values, terms.values)
    order = np.argsort(signed, axis=1, kind="stable")
    weights, values = (np.take_along_axis(a, order, axis=1) for a in (terms.weights, terms.values))
    return replace(terms, weights=weights, values=values)


@dataclass(frozen=True, eq=False)
class _Joined:
    """Terms after some were joined, and what that costs each output, term by term."""

    weights: Floats
    values: Floats
    price: Floats


def _joined(terms: Terms, allowed: Floats) -> _Joined:
    """Terms of nearly the same value as one, where an output's price is below what is allowed for it.

    Neighbours in the order of the values are joined, always the pair that adds least to the variance (Ward,
    J. Am. Stat. Assoc. 58, 236 (1963), on a line); n steps on arrays of (outputs, n).

    Args:
        terms: weighted sums.
        allowed: shape (outputs,).
    """
    signed = np.where(terms.weights < 0, -terms.values, terms.values)
    signed = np.where(terms.weights == 0, 0.0, signed)
    top, heavy = (np.abs(a).max(axis=1, initial=0.0) for a in (signed, terms.weights))
    with np.errstate(over="ignore", under="ignore"):
        unit, scale = signed / np.where(top > 0, top, 1.0)[:, None], heavy * top
    order = np.argsort(np.where(terms.weights == 0, np.inf, unit), axis=1, kind="stable")
    value = np.take_along_axis(unit, order, axis=1)
    mass = np.take_along_axis(np.abs(terms.weights), order, axis=1) / np.where(heavy > 0, heavy, 1.0)[:, None]
    begin = np.broadcast_to(np.arange(value.shape[1]), value.shape)
    width, count = _widths(terms.weights), value.shape[1]
    weights, values, price = terms.weights.copy(), terms.values.copy(), np.zeros(len(allowed))
    group_mass, group_value = mass, value
    while count > 1:
        group_mass, group_value, begin = _closest_joined(group_mass, group_value, begin)
        count -= 1
        rows = np.flatnonzero(width > (count - 1).bit_length())
        if count & (count - 1) or not len(rows):
            continue
        group = (np.arange(value.shape[1])[:, None] >= begin[rows, None, 1:]).sum(axis=2)
        away = np.abs(value[rows] - np.take_along_axis(group_value[rows], group, axis=1))
        cost = scale[rows] * (mass[rows] * away).sum(axis=1)
        fits = cost <= allowed[rows]
        if not fits.any():
            break
        chosen, group = rows[fits], group[fits]
        price[chosen] = cost[fits]
        first = np.take_along_axis(order[chosen], begin[chosen], axis=1)
        weights[chosen] = values[chosen] = 0.0
        weights[chosen[:, None], first] = group_mass[chosen] * heavy[chosen, None]
        values[chosen[:, None], first] = group_value[chosen] * top[chosen, None]
    return _Joined(weights, values, price)


def _closest_joined(
    mass: Floats, value: Floats, begin: NDArray[np.int64]
) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """One group less in each row: the two neighbours that differ least become one."""
    both = mass[:, :-1] + mass[:, 1:]
    share = np.divide(mass[:, 1:], both, out=np.zeros_like(both), where=both > 0)
    step = value[:, 1:] - value[:, :-1]
    rows, place = np.arange(len(mass)), np.argmin(mass[:, :-1] * share * step**2, axis=1)
    keep = np.arange(both.shape[1]) <= place[:, None]
    mean = value[rows, place] + share[rows, place] * step[rows, place]
    out = [np.where(keep, a[:, :-1], a[:, 1:]) for a in (mass, value)]
    out[0][rows, place], out[1][rows, place] = both[rows, place], mean
    return out[0], out[1], np.where(keep, begin[:, :-1], begin[:, 1:])


def _widths(weights: Floats) -> NDArray[np.int64]:
    """Qubits of the address of each row."""
    count = np.maximum((weights != 0).sum(axis=1), 1)
    widths: NDArray[np.int64] = np.ceil(np.log2(count)).astype(np.int64)
    return widths


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
    prices = np.abs(((weights - terms.weights) * terms.values).sum(axis=1))
    return replace(terms, weights=weights), Spent(lost, outputs, worst, prices=prices)


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


def expected_errors(units: Sequence[Unit], outputs: int) -> Floats:
    """How far each output of a noisy machine is expected to be from that of a perfect one, shots aside.

    A circuit of estimated fidelity F is taken to give F times its expectation (errors leave nothing of it),
    so an output is off by 1 - F times its scale at most. Where F is unknown it is taken for 1.

    Args:
        units: compiled.
        outputs: how many there are in all units.
    """
    out = np.zeros(outputs)
    for unit in units:
        fidelity = unit.execution().fidelity
        out[unit.batch.position] = (0.0 if fidelity is None else 1.0 - fidelity) * np.abs(unit.batch.scale)
    return out
