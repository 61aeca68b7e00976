"""Proofs of whole compiles: each pass's input and output are compared by a checker that knows no pass.

A chain of links, source -> optimised -> routed -> native, is proved if each link is: by its word of Pauli
rotations (`words`), or by local windows (`windows`). Both are exact but for rounding, which is added up, and
near-linear in the number of rows. A link that neither can prove is named, and the whole is then unproved,
never "passed".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import groupby, pairwise
from time import perf_counter
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qattn_compiler.circuit.table import Circuit, same
from qattn_compiler.errors import VerificationError
from qattn_compiler.threads import pool
from qattn_compiler.verify.windows import ATTEMPTS, by_windows
from qattn_compiler.verify.words import EXACT, by_words, has_channels

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

POINTS: Final = 2
"""Windows of symbolic circuits are compared at so many random values of their parameters."""
QUICK: Final = 2
"""How many of ATTEMPTS take no time."""
LONG: Final = 4000
"""Circuits with more rows are not compared by the others."""

THREADED: Final = 20_000
"""Parts of links on circuits with as many rows are checked two at a time."""


@dataclass(frozen=True, eq=False)
class Link:
    """What one pass claims: `after` is `before` with qubits placed.

    Attributes:
        name: of the pass.
        before: n qubits.
        after: m >= n qubits.
        initial, final: shape (n,): qubit of `after` for each of `before`, at the start and at the end; None
            stands for the same qubits.
        tolerance: rotations up to this angle (radians) may have been dropped, each on its own.
        local: windows are the likelier proof; circuits of numbers are then compared by them first (words are
            exact for symbols). Changes what a check costs, never its verdict.
    """

    name: str
    before: Circuit
    after: Circuit
    initial: ArrayLike | None = None
    final: ArrayLike | None = None
    tolerance: float = EXACT
    local: bool = False

    @property
    def places(self) -> tuple[Ints, Ints]:
        """Both layouts as arrays.

        Raises:
            VerificationError: a layout is none.
        """
        n, m = self.before.num_qubits, self.after.num_qubits
        out = []
        for which, given in (("initial", self.initial), ("final", self.final)):
            layout = np.arange(n) if given is None else np.asarray(given, dtype=np.int64)
            inside = ((layout >= 0) & (layout < m)).all()
            if layout.shape != (n,) or len(np.unique(layout)) != n or not inside:
                raise VerificationError(f"the {which} layout must place each of {n} qubits once on {m}")
            out.append(layout)
        return out[0], out[1]


@dataclass(frozen=True)
class Step:
    """The verdict on one link.

    Attributes:
        name: of the pass.
        equal: True, False, or None if it could not be decided.
        method: "same object", "words", "windows", or both if both failed ("words and windows").
        error: bound of the operator norm of what was rounded off or dropped.
        exact: False if symbols were compared at random values only.
        seconds: what the check took.
        detail: for what is not proved, where.
    """

    name: str
    equal: bool | None
    method: str
    error: float
    exact: bool
    seconds: float
    detail: str = ""


@dataclass(frozen=True)
class Proof:
    """The verdict on a chain.

    Attributes:
        equal: True if every link is proved, False if one is refuted, None else.
        steps: link by link.
        error: sum of the links' errors.
    """

    equal: bool | None
    steps: tuple[Step, ...]
    error: float

    @staticmethod
    def of(steps: Sequence[Step]) -> Proof:
        """The verdict that follows from those on the links."""
        verdicts = {step.equal for step in steps}
        equal = False if False in verdicts else None if None in verdicts else True
        return Proof(equal, tuple(steps), sum(step.error for step in steps))

    @property
    def unproved(self) -> tuple[Step, ...]:
        """The links that were not proved."""
        return tuple(step for step in self.steps if step.equal is not True)

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return asdict(self)


def check(whole: Link, parts: Sequence[Link] = (), seed: int = 0) -> Proof:
    """Prove a link at once, or else by the links that it is made of.

    Args:
        whole: what is claimed.
        parts: each starts with the circuit with which the one before ends; may be empty.
        seed: of the values at which symbols are compared.

    Raises:
        VerificationError: the parts do not fit together, or do not make the whole.
    """
    # Where something was left out windows fail at the very end, which takes long.
    mixed = len({part.tolerance for part in parts}) > 1 and len(whole.before) >= THREADED
    step = None if mixed else check_link(whole, seed, QUICK)
    if step is not None and step.equal is True:
        return Proof.of([step])
    if parts:
        _check_fit(whole, parts)
        proof = Proof.of(_by_halves(parts, seed))
        if proof.equal is not None:
            return proof
    if step is None or step.equal is None:
        step = check_link(whole, seed)
    return Proof.of([step]) if step.equal is not None or not parts else proof


def _by_halves(parts: Sequence[Link], seed: int) -> list[Step]:
    """The verdicts on parts that were not proved together: those of one tolerance at once, or else each half,
    or else its own halves."""
    if len(parts) == 1:
        return [check_link(parts[0], seed)]
    middle = len(parts) // 2
    pieces = [list(same) for _, same in groupby(parts, key=lambda part: part.tolerance)]
    if len(pieces) == 1:
        pieces = [list(parts[:middle]), list(parts[middle:])]
    with pool(max(len(part.before) for part in parts) >= THREADED, 2) as threads:
        return [step for steps in threads.map(lambda piece: _half(piece, seed), pieces) for step in steps]


def _half(parts: Sequence[Link], seed: int) -> list[Step]:
    """The verdict on parts at once if that proves them, else those on their halves."""
    if len(parts) > 1:
        step = check_link(_joined(parts), seed, QUICK)
        if step.equal is True:
            return [step]
    return _by_halves(parts, seed)


def _joined(parts: Sequence[Link]) -> Link:
    """What parts claim together."""
    first, last = parts[0], parts[-1]
    initial = final = np.arange(first.before.num_qubits)
    for part in parts:
        initial, final = part.places[0][initial], part.places[1][final]
    name = f"{first.name} to {last.name}"
    tolerance, local = max(part.tolerance for part in parts), any(part.local for part in parts)
    return Link(name, first.before, last.after, initial, final, tolerance, local)


def _check_fit(whole: Link, parts: Sequence[Link]) -> None:
    """Raise VerificationError unless the parts make the whole."""
    chain = [whole.before, *(circuit for part in parts for circuit in (part.before, part.after)), whole.after]
    for one, two in list(pairwise(chain))[::2]:
        if one is not two and not same(one, two):
            raise VerificationError(f"the passes {', '.join(part.name for part in parts)} are no chain")
    for which, claimed in enumerate(whole.places):
        place = np.arange(whole.before.num_qubits)
        for part in parts:
            place = part.places[which][place]
        if not np.array_equal(place, claimed):
            raise VerificationError(f"the links do not lead to the {('initial', 'final')[which]} layout")


def check_link(link: Link, seed: int = 0, attempts: int = len(ATTEMPTS)) -> Step:
    """Prove or refute one link, or say that neither worked.

    Args:
        link: what is claimed.
        seed: of the values at which symbols are compared.
        attempts: how many of `windows.ATTEMPTS` to make; circuits of over LONG rows get QUICK of them.
    """
    begin = perf_counter()
    initial, final = link.places
    unmoved = np.array_equal(initial, np.arange(link.before.num_qubits)) and np.array_equal(initial, final)
    if link.after is link.before and unmoved:
        return Step(link.name, True, "same object", 0.0, True, perf_counter() - begin)
    symbolic = link.before.is_symbolic or link.after.is_symbolic
    ways = (_windows, _words) if link.local and not symbolic else (_words, _windows)
    details = []
    for way in ways:
        found = way(link, seed, attempts)
        if found.equal is not None:
            return replace(found, seconds=perf_counter() - begin)
        details.append(found.detail)
    method = " and ".join(way.__name__[1:] for way in ways)
    return Step(link.name, None, method, 0.0, not symbolic, perf_counter() - begin, "; ".join(details))


def _words(link: Link, seed: int, attempts: int) -> Step:
    """The link by its words; what is small enough to have been allowed refutes nothing."""
    patient = attempts > QUICK
    found = by_words(link.before, link.after, *link.places, seed, max(EXACT, link.tolerance), patient)
    equal = None if found.equal is False and found.deviation <= _allowed(link) else found.equal
    return Step(link.name, equal, "words", found.error, True, 0.0, found.detail)


def _windows(link: Link, seed: int, attempts: int) -> Step:
    """The link by windows; behind a channel a difference may not be seen, and refutes nothing."""
    names, values = parameter_values(link.before, link.after, seed)
    symbolic = link.before.is_symbolic or link.after.is_symbolic
    rows = max(len(link.before), len(link.after))
    ways = ATTEMPTS[: attempts if rows <= LONG else QUICK]
    found = by_windows(link.before, link.after, *link.places, values, names, ways)
    small = found.deviation <= _allowed(link) or has_channels(link.before)
    equal = None if found.equal is False and small else found.equal
    return Step(link.name, equal, "windows", found.error, not symbolic, 0.0, found.detail)


def _allowed(link: Link) -> float:
    """How far a window may be from the identity where rotations of the tolerance are dropped."""
    return max(1e-6, link.tolerance * max(len(link.before), len(link.after)))


def parameter_values(
    a: Circuit, b: Circuit, seed: int, points: int = POINTS
) -> tuple[tuple[str, ...], Floats]:
    """The names of all parameters, and random values, shape (points, parameters); one row if there are
    none."""
    names = tuple(sorted({p.name for p in (*a.params, *b.params)}))
    rng = np.random.default_rng(seed)
    return names, rng.uniform(-np.pi, np.pi, (points if names else 1, len(names)))
