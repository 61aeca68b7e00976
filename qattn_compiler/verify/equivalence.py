"""Whether two circuits mean the same, by whatever argument is strong enough and cheap enough.

Gates that both begin or end with are taken off first. What is left is compared as whole isometries if it is
small; by its word of Pauli rotations, or by local windows, at any size; on random states up to some twenty
qubits. What none of these decides is not decided, and the answer says so.

Circuits are equal up to global phase. With layouts, further qubits of the second start in |0> and must end
in |0>. Measurements, resets, channels and classical control are compared by what is written under each key,
and by what is left of the qubits then (`branches`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit.gates import MEASURE
from qattn_compiler.circuit.params import Parameter
from qattn_compiler.circuit.table import Circuit
from qattn_compiler.errors import VerificationError
from qattn_compiler.verify import witness
from qattn_compiler.verify.branches import Opener, Unknown
from qattn_compiler.verify.pairs import Pair
from qattn_compiler.verify.simulate import expectation_z, simulate
from qattn_compiler.verify.windows import SPLIT, by_windows
from qattn_compiler.verify.witness import Witness
from qattn_compiler.verify.words import by_words

Ints = NDArray[np.int64]
States = NDArray[np.complex128]
Values = dict[str, float]

TOLERANCE: Final = 1e-7
"""Allowed entry of the difference of two isometries or states, and allowed sum of what is rounded off."""
FEW: Final = 32
"""Where there may be more classical histories, what proves circuits of any size is tried before them."""
MAX_UNITARY: Final = 10
"""Circuits on up to so many qubits are compared as whole isometries,"""
UNITARY_WORK: Final = 3e8
"""if gates times amplitudes stay below this."""
MAX_STATE: Final = 22
"""Circuits on up to so many qubits are compared on random states,"""
STATE_WORK: Final = 4e9
"""if gates times amplitudes stay below this."""
POINTS: Final = 3
"""Symbolic circuits are compared at so many random values of their parameters."""
COARSE: Final = 1e-5
"""Windows are split this coarsely where they do not come apart otherwise; what it costs is added up."""
GRAIN: Final = 2.0**-52
"""Distance of random numbers between 0 and 1."""


@dataclass(frozen=True, eq=False)
class Equivalence:
    """The answer of `verify`; it is true if the circuits are equal.

    Attributes:
        equal: True or False; None if it could not be decided.
        method: "same", "unitary", "pauli-words", "windows", "states", "expectation" or "undecided".
        checked: in words, what was compared and how.
        deviation: for "unitary" and "states" the largest that was found; for "pauli-words" and "windows" an
            upper bound of it if not refuted, of A B^dagger and a lower bound if so; NaN if unknown.
        tolerance: what is allowed.
        exact: no random number decided: only rounding errors stand between this and a proof.
        error_probability: in exact arithmetic, how likely circuits that differ are called equal at most.
        witness: where they differ; None if they do not, or if it is not known.
    """

    equal: bool | None
    method: str
    checked: str
    deviation: float
    tolerance: float
    exact: bool = True
    error_probability: float = 0.0
    witness: Witness | None = None

    def __bool__(self) -> bool:
        return self.equal is True

    def describe(self) -> str:
        """In words, for people."""
        verdict = {True: "equal", False: "different", None: "undecided"}[self.equal]
        lines = [f"{verdict}: {self.checked} ({self.method}; deviation {self.deviation:.2g})"]
        if self.equal and not self.exact:
            lines.append(
                f"  random numbers decided; in exact arithmetic they err with {self.error_probability:.1g}"
            )
        return "\n".join(lines if self.witness is None else [*lines, self.witness.describe()])

    def to_dict(self) -> dict[str, Any]:
        """Plain data; numbers that are none are None."""
        names = ("equal", "method", "checked", "deviation", "tolerance", "exact", "error_probability")
        shown = None if self.witness is None else self.witness.to_dict()
        plain = {name: getattr(self, name) for name in names}
        plain["deviation"] = None if np.isnan(self.deviation) else self.deviation
        return {**plain, "witness": shown}


def equivalent(
    a: Circuit,
    b: Circuit,
    initial: Sequence[int] | None = None,
    final: Sequence[int] | None = None,
    *,
    seed: int = 0,
    tolerance: float = TOLERANCE,
    opener: Opener | None = None,
) -> Equivalence:
    """Whether b means what a means.

    Args:
        a: n qubits.
        b: m >= n qubits.
        initial: qubit of b that holds each of a's at the start; the same numbers if not given.
        final: the same at the end; like `initial` if not given.
        seed: of random states and values.
        tolerance: see `Equivalence.tolerance`.
        opener: what foreign operations do; without it they are only ever equal to themselves.

    Raises:
        VerificationError: a layout is none.
    """
    start, end = _layout(initial, a, b), _layout(initial if final is None else final, a, b)
    if a is b and (start == np.arange(a.num_qubits)).all() and (end == start).all():
        return Equivalence(True, "same", "the very same circuit", 0.0, tolerance)
    return _Judge(Pair.of(a, _apart(a, b), start, end), seed, tolerance, opener).answer()


def same_expectation(
    a: Circuit,
    b: Circuit,
    observed: Sequence[int],
    there: Sequence[int],
    *,
    seed: int = 0,
    tolerance: float = TOLERANCE,
) -> Equivalence:
    """Whether the product of Z over some qubits has the same expectation after both, from |0...0>.

    Args:
        a, b: gates, and measurements at the end.
        observed: qubits of a.
        there: the same of b.
        seed: of the values of parameters.
        tolerance: largest difference.
    """
    b, own = _apart(a, b), np.arange(max(a.num_qubits, b.num_qubits))
    points = _points(Pair(a, b, own), seed)
    what = "one expectation" + (f", at {POINTS} random values of the parameters" if points != [{}] else "")
    try:
        worst = max(
            (
                abs(_expectation(a, observed, values) - _expectation(b, there, values))
                for values in points or ()
            ),
            default=float("nan"),
        )
    except VerificationError as error:
        return Equivalence(None, "undecided", error.message, float("nan"), tolerance, False, 1.0)
    exact = points == [{}]
    return Equivalence(bool(worst <= tolerance), "expectation", what, worst, tolerance, exact)


def _expectation(circuit: Circuit, observed: Sequence[int], values: Values) -> float:
    given = np.array([[values[p.name] for p in circuit.params]]).reshape(1, len(circuit.params))
    return float(expectation_z(simulate(circuit, circuit.bind_batch(given)[0]), observed)[0])


def _layout(given: Sequence[int] | None, a: Circuit, b: Circuit) -> Ints:
    layout = np.arange(a.num_qubits) if given is None else np.asarray(given, dtype=np.int64)
    fits = layout.shape == (a.num_qubits,) and len(np.unique(layout)) == len(layout)
    if not fits or not ((layout >= 0) & (layout < b.num_qubits)).all():
        raise VerificationError(f"a layout must place each of {a.num_qubits} qubits once on {b.num_qubits}")
    return layout.astype(np.int64)


def _apart(a: Circuit, b: Circuit) -> Circuit:
    """b, with those derived parameters renamed that mean something else in a."""
    known = {p.name: p.expression for p in a.params}
    params = tuple(
        p
        if known.get(p.name, p.expression) == p.expression
        else Parameter(f"{p.name} of the second", p.expression)
        for p in b.params
    )
    return b if params == b.params else replace(b, params=params)


@dataclass(frozen=True, eq=False)
class _Judge:
    """Tries one argument after the other."""

    pair: Pair
    seed: int
    tolerance: float
    opener: Opener | None

    def answer(self) -> Equivalence:
        """The first that decides."""
        plain = self.pair.without_last()
        core = replace(plain, last=()).stripped()
        whole = plain.stripped(ends=False) if plain.last else core
        if not core.size:
            return Equivalence(True, "same", "gate by gate", 0.0, self.tolerance)
        points = _points(core, self.seed)
        if points is None:
            return self._undecided("derived parameters have no real values where they were tried")
        if _histories(core) > FEW and (proved := self._at_any_size(core, whole is core, points)).equal:
            return proved
        found = self._on_basis(core, points)
        if found is not None and found.equal is False:
            if whole is not core:
                found = self._on_basis(whole, points)
            return self._on_states(whole, points) if found is None else found
        if found is not None and found.exact:
            return found
        proved = self._at_any_size(core, whole is core, points)
        if proved.equal is not None:
            return proved
        last = self._on_states(whole, points) if found is None else found
        return replace(proved, checked=f"{proved.checked}; {last.checked}") if last.equal is None else last

    def _on_basis(self, pair: Pair, points: list[Values]) -> Equivalence | None:
        """Compare all of both, at some values of the parameters."""
        columns = 1 << len(pair.own)
        if pair.size > MAX_UNITARY or _work(pair, columns, points) > UNITARY_WORK:
            return None
        eye = np.eye(columns, dtype=complex)
        found = self._compared(pair, eye, points)
        what = "whole isometries" if pair.is_unitary else "whole maps, classical history by history"
        if pair.last:
            what += ", up to phases between measured results"
        exact = not pair.names
        return None if found is None else self._said("unitary", what, pair, points, found, exact)

    def _on_states(self, pair: Pair, points: list[Values]) -> Equivalence:
        """Compare what becomes of |0...0>, and of random states."""
        if pair.size > MAX_STATE or _work(pair, 4, points) > STATE_WORK:
            return self._undecided(
                f"{pair.size} qubits and {len(pair.a)} gates are left, too many for states"
            )
        found = self._compared(pair, self._states(len(pair.own)), points)
        if found is None:
            return self._undecided("an operation cannot be looked into, or there are too many histories")
        what = "|0...0>, a random product state and two random states"
        return self._said("states", what, pair, points, found, False)

    def _compared(self, pair: Pair, states: States, points: list[Values]) -> tuple[float, Values] | None:
        """The largest deviation, and where; None if it cannot be said."""
        found = -1.0, points[0]
        try:
            for values in points:
                deviation = pair.bound(values).distance(states, self.opener)
                found = max(found, (deviation, values), key=lambda one: one[0])
        except Unknown:
            return None
        return found

    def _said(
        self,
        method: str,
        what: str,
        pair: Pair,
        points: list[Values],
        found: tuple[float, Values],
        exact: bool,
    ) -> Equivalence:
        deviation, values = found
        equal = deviation <= self.tolerance
        if pair.names:
            what += f", at {len(points)} random values of the parameters"
        shown = None if equal else witness.find(pair.bound(values), values, self.opener)
        odds = 0.0 if exact or not equal else _odds(pair, len(points))
        return Equivalence(equal, method, what, deviation, self.tolerance, exact or not equal, odds, shown)

    def _at_any_size(self, pair: Pair, refutes: bool, points: list[Values]) -> Equivalence:
        """By rotations or by windows; that they find a difference counts only for gates without measurement,
        without further qubits and without parameters that depend on one another."""
        a, b, initial, final = pair.with_layouts()
        word = by_words(a, b, initial, final, self.seed)
        if word.equal and word.error <= self.tolerance:
            what = "both as words of Pauli rotations" + ", for all values of the parameters" * bool(
                pair.names
            )
            return Equivalence(True, "pauli-words", what, word.error, self.tolerance)
        values = np.array([[one[name] for name in pair.names] for one in points]).reshape(len(points), -1)
        for split in (max(SPLIT, self.tolerance), COARSE):
            window = by_windows(a, b, initial, final, values, pair.names, split=split)
            if window.equal or window.deviation - window.error > self.tolerance:
                break
        bound = window.error, points[0]
        if window.equal and window.error <= self.tolerance:
            return self._said("windows", "local windows", pair, points, bound, not pair.names)
        if refutes and pair.is_unitary and pair.size == len(pair.own) and not _derived(pair):
            for method, found in (("windows", window), ("pauli-words", word)):
                least = found.deviation - found.error
                if found.equal is False and least > self.tolerance:
                    return self._said(method, found.detail, pair, points, (least, points[0]), True)
        if window.equal:
            return self._undecided(f"local windows agree but for {window.error:.2g} at most", window.error)
        return self._undecided(f"{word.detail}; {window.detail}")

    def _undecided(self, why: str, bound: float = float("nan")) -> Equivalence:
        return Equivalence(None, "undecided", why, bound, self.tolerance, False, 1.0)

    def _states(self, qubits: int) -> States:
        """|0...0>, a random product state, two random states: shape (2^n, 4)."""
        rng = np.random.default_rng(self.seed)
        out = np.zeros((1 << qubits, 4), dtype=complex)
        out[0, 0] = 1.0
        product = np.ones(1, dtype=complex)
        for _ in range(qubits):
            product = np.kron(product, _normal(rng, 2))
        out[:, 1] = product
        out[:, 2], out[:, 3] = _normal(rng, 1 << qubits), _normal(rng, 1 << qubits)
        return out


def _normal(rng: np.random.Generator, size: int) -> States:
    """A random state."""
    state = rng.normal(size=size) + 1j * rng.normal(size=size)
    out: States = state / np.linalg.norm(state)
    return out


def _work(pair: Pair, columns: int, points: list[Values]) -> float:
    return float(len(pair.a) + len(pair.b)) * (1 << min(pair.size, 60)) * columns * len(points)


def _histories(pair: Pair) -> int:
    """How many there may be in either circuit."""
    bits = (
        sum(len(circuit.extras[k].operands) for k in circuit.extra[circuit.op == MEASURE].tolist())
        for circuit in (pair.a, pair.b)
    )
    return 1 << min(62, max(bits))


def _derived(pair: Pair) -> bool:
    return any(p.expression is not None for p in (*pair.a.params, *pair.b.params))


def _points(pair: Pair, seed: int) -> list[Values] | None:
    """Random values of all parameters; None if derived ones are not real anywhere."""
    if not pair.names:
        return [{}]
    rng = np.random.default_rng(seed)
    for low, high in ((-np.pi, np.pi), (0.1, 3.0), (0.1, 0.9)):
        points = [_drawn(pair, rng, low, high) for _ in range(POINTS)]
        if all(values is not None for values in points):
            return [values for values in points if values is not None]
    return None


def _drawn(pair: Pair, rng: np.random.Generator, low: float, high: float) -> Values | None:
    """Values of all parameters, those of derived ones by their expressions."""
    plain: dict[Any, float] = {}
    out: Values = {}
    for p in sorted({*pair.a.params, *pair.b.params}, key=lambda p: p.name):
        if p.expression is None:
            out[p.name] = plain.setdefault(p.name, float(rng.uniform(low, high)))
            continue
        symbols = sorted(p.expression.free_symbols, key=str)
        given = {s: plain.setdefault(s.name, float(rng.uniform(low, high))) for s in symbols}
        value = complex(p.expression.evalf(subs=given))
        if value.imag or not np.isfinite(value.real):
            return None
        out[p.name] = value.real
    return out


def _odds(pair: Pair, points: int) -> float:
    """How likely a polynomial in exp(i s / 2), s the parameters, that is not 0 is 0 at all points: its degree
    is at most twice the sum of all coefficients (Schwartz, J. ACM 27, 701 (1980)); points have 52 bits."""
    degree = sum(2 * float(np.abs(circuit.affine.coef).sum()) for circuit in (pair.a, pair.b))
    return float(min(1.0, max(degree, 1.0) * GRAIN) ** points)
