"""Proofs of whole compiles: each pass's input and output are compared by a checker that knows no pass.

A chain of links, source -> optimised -> routed -> physical, is proved if each link is: by local windows
(`windows`), or by its word of Pauli rotations (`words`). Both are exact but for rounding, which is added up,
and near-linear in the number of rows. A link that neither can prove is named, and the whole is then unproved,
never "passed".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from time import perf_counter
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qattn_compiler.circuit.table import Circuit, same
from qattn_compiler.errors import VerificationError
from qattn_compiler.verify.windows import by_windows
from qattn_compiler.verify.words import by_words

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

POINTS: Final = 2
"""Windows of symbolic circuits are compared at so many random values of their parameters."""


@dataclass(frozen=True, eq=False)
class Link:
    """What one pass claims: `after` is `before` with qubits placed.

    Attributes:
        name: of the pass.
        before: n qubits.
        after: m >= n qubits.
        initial, final: shape (n,): qubit of `after` for each of `before`, at the start and at the end; None
            stands for the same qubits.
    """

    name: str
    before: Circuit
    after: Circuit
    initial: ArrayLike | None = None
    final: ArrayLike | None = None

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
        method: "same object", "words", "windows", or both if both failed.
        error: bound of the operator norm of what was rounded off.
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

    @property
    def unproved(self) -> tuple[str, ...]:
        """Names of the passes that were not proved."""
        return tuple(step.name for step in self.steps if step.equal is not True)

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return asdict(self)


def check(links: Sequence[Link], initial: ArrayLike | None = None, final: ArrayLike | None = None) -> Proof:
    """Check a chain of links.

    Args:
        links: each starts with the circuit with which the one before ends.
        initial, final: what the whole claims: qubit of the last circuit for each of the first; None: not
            asked.

    Raises:
        VerificationError: the links do not fit together, or do not make these layouts.
    """
    for one, two in pairwise(links):
        if one.after is not two.before and not same(one.after, two.before):
            raise VerificationError(f"{two.name} does not start with the circuit that {one.name} gave")
    for which, claimed in enumerate((initial, final)):
        if claimed is None or not links:
            continue
        place = np.arange(links[0].before.num_qubits)
        for link in links:
            place = link.places[which][place]
        if not np.array_equal(place, np.asarray(claimed)):
            raise VerificationError(f"the links do not lead to the {('initial', 'final')[which]} layout")
    steps = tuple(check_link(link) for link in links)
    verdicts = {step.equal for step in steps}
    equal = False if False in verdicts else None if None in verdicts else True
    return Proof(equal, steps, sum(step.error for step in steps))


def check_link(link: Link, seed: int = 0) -> Step:
    """Prove or refute one link, or say that neither worked."""
    begin = perf_counter()
    initial, final = link.places
    identical = np.array_equal(initial, np.arange(link.before.num_qubits)) and np.array_equal(initial, final)
    if link.after is link.before and identical:
        return Step(link.name, True, "same object", 0.0, True, perf_counter() - begin)
    symbolic = link.before.is_symbolic or link.after.is_symbolic
    word = by_words(link.before, link.after, initial, final, seed)
    if word.equal is not None:
        return Step(link.name, word.equal, "words", word.error, True, perf_counter() - begin, word.detail)
    names, values = parameter_values(link.before, link.after, seed)
    found = by_windows(link.before, link.after, initial, final, values, names)
    method, detail = "windows", found.detail
    if found.equal is None:
        method, detail = "words and windows", f"{word.detail}; {found.detail}"
    return Step(link.name, found.equal, method, found.error, not symbolic, perf_counter() - begin, detail)


def parameter_values(
    a: Circuit, b: Circuit, seed: int, points: int = POINTS
) -> tuple[tuple[str, ...], Floats]:
    """The names of all parameters, and random values, shape (points, parameters); one row if there are
    none."""
    names = tuple(sorted({p.name for p in (*a.params, *b.params)}))
    rng = np.random.default_rng(seed)
    return names, rng.uniform(-np.pi, np.pi, (points if names else 1, len(names)))
