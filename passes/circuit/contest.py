"""Contest: many ways to route, and a budget of work that goes to those that do well.

A way is a circuit (there may be several of one meaning), a layout to start from, and a setting of the search.
All begin with one pass; circuits that are far behind get no more of them. Then the better half goes on with
another round of the bidirectional search, and so on (successive halving: Karnin, Koren, Somekh 2013). What is
left of the budget goes to hill climbing over the best routes (`kernels.climb`), by halves as well.

Work is counted in gates and scored SWAPs, never in seconds: the result does not depend on the machine nor on
the number of threads.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.device import Device
from qattn_compiler.passes.circuit.choice import Choice, beginning, record, through
from qattn_compiler.passes.circuit.knobs import PRICES, check_options, knob_sets
from qattn_compiler.passes.circuit.problem import Layout, Problem, chip_of, homes
from qattn_compiler.passes.circuit.starts import Ties, annealed, annealing_steps, grown, special_starts, ties
from qattn_compiler.threads import Pool, pool

if TYPE_CHECKING:
    from qattn_compiler.passes.circuit.kernels import Chip

_FIRST: Final = 2
"""Ways of each circuit that begin together."""
_BEHIND: Final = (1.4, 1.15, 1.08, 1.05)
"""A circuit gets no more ways if its best is so many times behind after one such turn, two, ..."""
_MOST: Final = 48
"""Ways of one circuit, in a contest of so many passes as at level 3 or fewer; in longer ones more in
proportion, as is the least work."""
_USUAL: Final = 36.0
"""Passes up to which a contest is not long."""
_OPENING: Final = 0.4
"""Share of the budget for first passes."""
_CLIMBING: Final = 0.6
"""Share of the budget for hill climbing, at least."""
_ORDER: Final = (0, 5, 4, 3, 6, 1, 2, 7)
_ORDERED: Final = (3, 4, 2, 0, 1)
"""Settings (`knobs.knob_sets`) in the order of their first turns, where gates commute and where not."""
_NEAR: Final = 1.4
"""Ways get a second round if their first pass is at most so many times as dear as the best."""
_LOST: Final = 1.6
"""A pass is given up when it costs so many times what the best one does."""
_SLACK: Final = 8
_CLOSE: Final = 1.03
"""Routes of other circuits up to so many times the best price are given as well."""
_ANNEALED: Final = 4
"""One way of so many starts from an annealed layout; every other one while such a one leads."""
_LEAST, _LEAST_LINE = 20_000.0, 6_000.0
"""Work that is always allowed; on a line or a ring, where there are fewer places to choose from."""
_LARGE: Final = 10_000.0
"""Work of a pass from which on there are more passes in proportion, up to `_MORE` times as many, if no gates
commute."""
_MORE: Final = 2.5
_HUGE: Final = 160_000.0
"""Work of a pass from which on there are fewer passes."""
_SPARSE, _LONG_ANNEALING, _LOOSE_ANNEALING = 2.5, (5.0, 12.0), 3.0
_WIDE: Final = 54
"""Where, not on a line or a ring, qubits interact in at most so many times as many pairs as are coupled, the
gates may nearly fit: all starts are annealed while such a one leads, and so many times as long, the second on
so many qubits or more; the third for loose circuits (see `_LOOSE`)."""
_RICH, _AHEAD = 2.0, 0.95
"""Times as many passes where an annealed layout is so far ahead: there is much to find."""
_LOOSE: Final = 6.0
"""The same for large circuits most of whose gates commute, as QAOA: there each pass ends elsewhere."""
_LOOSE_QUBITS, _LOOSE_WIDE, _LOOSE_GATES, _LOOSE_ERA = 30, 60, 300, 3.5
"""Such have so many qubits (up to the second number the factor grows with them) and gates, and so many that
commute, on average on one qubit."""
_FROM, _FROM_LOOSE, _FROM_LONG = 1, 2, 4
"""Routes climbed from to the end; for loose circuits; in long contests."""
_CLIMBERS: Final = 2
"""Times as many in the beginning."""
_ALIKE: Final = 0.01
"""See `_ranked`."""
_SMALL: Final = 3_000
"""Gates in all first passes below which threads are not worth their start."""


@dataclass(frozen=True)
class Rules:
    """What the contest goes by.

    Attributes:
        seed: of all random choices.
        passes: the budget, in work of a pass; small circuits get more, huge ones less.
        lookahead, decay, objective: see `route.Route`.

    Raises:
        OptionError: an option means nothing.
    """

    seed: int
    passes: float
    lookahead: int = 20
    decay: float = 0.001
    objective: str = "count"

    def __post_init__(self) -> None:
        check_options(self.passes, self.lookahead, self.decay, self.objective)


@dataclass(frozen=True, eq=False)
class _Field:
    """One circuit with all that its ways share.

    Attributes:
        whole: the circuit.
        problem: the same, or the beginning of a long one.
        home: the part of the chip that each qubit goes to.
        knobs: shape (sets, NUM_KNOBS): settings.
        special: layouts of good promise, tried first.
        ties: who interacts with whom, earlier gates counting more, and all alike (`starts.ties`).
        initial: the layout, if it is given.
        is_sparse: whether the gates may nearly fit the couplings (`_SPARSE`).
        is_loose: whether the circuit is large, most of its gates commute (`_LOOSE`); on lines
            only very large ones.
    """

    whole: Problem
    problem: Problem
    home: Layout
    knobs: NDArray[np.float64]
    special: list[Layout]
    ties: list[Ties]
    initial: Layout | None
    is_sparse: bool
    is_loose: bool


@dataclass(frozen=True, eq=False)
class _Way:
    """A way and its best pass so far.

    Attributes:
        field: number of the circuit.
        knobs: number of the setting.
        number: of the way, from which its random choices come.
        annealed: whether its start is.
        passes: so far.
        place: the layout at the beginning of the best pass.
        end: the layout at the end of the last one.
        total: price of the best pass.
        seed: of its tie breaks.
        work: done since it was last counted.
    """

    field: int
    knobs: int
    number: int
    annealed: bool = False
    passes: int = 0
    place: Layout | None = None
    end: Layout | None = None
    total: float = np.inf
    seed: int = 0
    work: int = 0


class Contest:
    """A contest of circuits on a device (module docstring)."""

    def __init__(
        self, problems: Sequence[Problem], device: Device, rules: Rules, initial: Layout | None = None
    ) -> None:
        self.device, self.rules = device, rules
        self.chip: Chip = chip_of(device)
        self.price = np.array(PRICES[rules.objective])
        self.width = self.chip.neighbours.shape[1]
        self.fields = [self._field(problem, initial) for problem in problems]
        self.spent = 0
        self.length = max(1.0, rules.passes / _USUAL)
        self.least = self.length * (_LEAST if self.width > 2 else _LEAST_LINE)
        self.budget = self.least

    def _field(self, problem: Problem, initial: Layout | None) -> _Field:
        home = homes(problem, self.device)
        free = len(problem.ways) > 1
        short = beginning(problem)
        wide = self.width > 2 or short.size >= _LOOSE_WIDE
        is_loose = wide and _is_loose(short)
        knobs = knob_sets(self.device, self.rules.lookahead, self.rules.decay, free, is_loose)
        special: list[Layout] = []
        if initial is None:
            special = special_starts(short, self.device, home, self.rules.seed)
        tie = ties(short, short.mild, short.weights)
        is_sparse = self.width > 2 and len(short.pairs) <= _SPARSE * len(self.device.edges)
        return _Field(problem, short, home, knobs, special, tie, initial, is_sparse, is_loose)

    def routes(self) -> list[tuple[int, Choice]]:
        """The best route found, and those of other circuits that are about as cheap, cheapest first, each
        with the number of its circuit."""
        usual = _FROM_LOOSE if any(field.is_loose for field in self.fields) else _FROM
        most = _FROM_LONG if self.length > 2 else usual
        gates = sum(len(field.problem.eras.hard) for field in self.fields)
        with pool(gates > _SMALL) as threads:
            ways = self._halved(threads, self._opened(threads), _CLIMBERS * most)
            if any(field.problem is not field.whole for field in self.fields):
                return [self._through(ways[0])]
            found = self._climbed(threads, ways, most)
        found.sort(key=lambda one: one[1].total)
        least = _CLOSE * found[0][1].total
        return [one for one in found if one is found[0] or (one[1].total <= least and one[0] != found[0][0])]

    # --- the rounds

    def _opened(self, threads: Pool) -> list[_Way]:
        """First passes."""
        ways: list[_Way] = []
        live, turn = list(range(len(self.fields))), 0
        while True:
            least = min((way.total for way in ways), default=np.inf)
            new = [self._new(f, _FIRST * turn + i, ways) for f in live for i in range(_FIRST)]
            new = self._all(threads, new, _LOST * least)
            least = _NEAR * min(least, *(way.total for way in new))
            ways += self._all(threads, [way for way in new if way.total <= least], np.inf)
            ways += [way for way in new if way.total > least]
            turn += 1
            self.budget = self._allowed(self.spent / (sum(way.passes for way in ways) or 1), ways)
            best = {f: min(way.total for way in ways if way.field == f) for f in live}
            least = min(best.values()) * _BEHIND[min(turn, len(_BEHIND)) - 1]
            live = [f for f in live if best[f] <= least]
            enough = turn * _FIRST >= self.length * _MOST
            if enough or self.spent * (turn + 1) / turn > _OPENING * self.budget:
                return [way for way in ways if way.field in live and way.place is not None]

    def _allowed(self, work: float, ways: list[_Way]) -> float:
        """The budget where a pass takes so much work, after these first passes."""
        work = max(work, 1.0)
        leader = min(ways, key=lambda way: way.total)
        field = self.fields[leader.field]
        others = min((way.total for way in ways if not way.annealed), default=np.inf)
        more = 1.0
        if leader.annealed and leader.total < _AHEAD * others:
            more = _RICH
        if field.is_loose:
            more *= _LOOSE * min(1.0, field.problem.size / _LOOSE_WIDE)
        if len(field.problem.ways) == 1:
            more = max(more, min(_MORE, work / _LARGE))
        passes = self.rules.passes * max(1.0, more / self.length)
        if work > _HUGE:
            passes *= (_HUGE / work) ** 0.5
        return float(self.least + passes * work)

    def _halved(self, threads: Pool, ways: list[_Way], most: int) -> list[_Way]:
        """The better half goes on, until few are left or the budget is."""
        ways = _ranked(ways)
        while len(ways) > most and self.spent < (1 - _CLIMBING) * self.budget:
            ways = ways[: max(most, (len(ways) + 1) // 2)]
            ways = _ranked(self._all(threads, ways, _LOST * ways[0].total))
        return ways[:most]

    def _all(self, threads: Pool, ways: Iterable[_Way], most: float) -> list[_Way]:
        """Ways after one more round, given up above `most`."""
        limit = most / self.price[1]
        done = list(threads.map(lambda way: self._turned(way, limit), ways))
        self.spent += sum(way.work for way in done)
        return [replace(way, work=0) for way in done]

    def _new(self, field: int, number: int, ways: list[_Way]) -> _Way:
        """A new way. Each setting has its turn, then those that do best."""
        own = self.fields[field]
        sets = len(own.knobs)
        order = _ORDER if sets == len(_ORDER) else _ORDERED
        mine = sorted((way for way in ways if way.field == field), key=lambda way: way.total)
        given = own.initial is not None or number < len(own.special)
        leads = bool(mine and mine[0].annealed) and (own.is_sparse or number % 2 == 1)
        annealed = not given and (number % _ANNEALED == 1 or leads)
        if number < len(order):
            return _Way(field, order[number], number, annealed)
        ranked = list(dict.fromkeys(way.knobs for way in mine))
        if number % 4 == 3:
            return _Way(field, number % sets, number, annealed)
        return _Way(field, ranked[number % 2 if len(ranked) > 1 else 0], number, annealed)

    def _turned(self, way: _Way, most: float) -> _Way:
        """One more round: a pass from the start, or back from the end and forth again."""
        from qattn_compiler.passes.circuit import kernels

        field = self.fields[way.field]
        forth, back = field.problem.ways[way.knobs % len(field.problem.ways)]
        begins = way.end is None or field.initial is not None
        at = self._start(field, way.number, way.annealed) if begins else way.end
        seed = self.rules.seed * 1000003 + way.number * 101 + way.passes
        knobs, nothing = field.knobs[way.knobs], np.empty((0, 2), np.int32)
        place, end, total, work, _ = kernels.turn(
            forth, back, self.chip, at, knobs, seed, self.price, most, not begins, nothing
        )
        after = replace(way, end=end, passes=way.passes + 2 - begins, work=way.work + work)
        return after if total >= way.total else replace(after, place=place, total=total, seed=seed)

    def _start(self, field: _Field, number: int, anneals: bool) -> Layout:
        """The layout that a way starts from."""
        if field.initial is not None:
            return field.initial
        if number < len(field.special):
            return field.special[number]
        rng = np.random.default_rng((self.rules.seed, number))
        layout = grown(field.problem, self.device, field.home, number, rng)
        if not anneals:
            return layout
        tie, pick = field.ties[number // _ANNEALED % len(field.ties)], int(rng.integers(1 << 30))
        steps = annealing_steps(field.problem, _length_of_annealing(field))
        return annealed(field.problem, self.device, field.home, layout, tie, steps, pick)

    # --- the end

    def _through(self, way: _Way) -> tuple[int, Choice]:
        """One pass over a long circuit."""
        field = self.fields[way.field]
        assert way.place is not None
        movable, knobs = field.initial is None, field.knobs[way.knobs]
        choice = through(field.whole, self.device, way.place, knobs, way.knobs, self.rules.seed, movable)
        return way.field, choice

    def _climbed(self, threads: Pool, ways: list[_Way], most: int) -> list[tuple[int, Choice]]:
        """The routes of the ways, climbed from by turns; each time the better half goes on."""
        climbers = list(zip(ways, threads.map(self._recorded, ways), strict=True))
        rounds = 1 + max(0, (len(ways) - 1) // most).bit_length()
        left = max(0.0, self.budget - self.spent) / rounds
        for number in range(rounds):
            climbers.sort(key=lambda one: one[1].total)
            climbers = climbers[: max(most, len(ways) >> number)]
            one = partial(self._climb, int(left / len(climbers)), number)
            found = list(threads.map(one, *zip(*climbers, strict=True)))
            climbers = [(way, choice) for (way, _), choice in zip(climbers, found, strict=True)]
        return [(way.field, choice) for way, choice in climbers]

    def _recorded(self, way: _Way) -> Choice:
        """The route of a way."""
        field = self.fields[way.field]
        forth, _ = field.problem.ways[way.knobs % len(field.problem.ways)]
        assert way.place is not None
        events = record(forth, self.chip, way.place, field.knobs[way.knobs], way.seed)
        return Choice(way.place, events, way.total)

    def _climb(self, budget: int, turn: int, way: _Way, route: Choice) -> Choice:
        """A route, stretches of it routed anew."""
        from qattn_compiler.passes.circuit import kernels

        field = self.fields[way.field]
        number = way.knobs % len(field.problem.ways)
        forth, back = field.problem.ways[number]
        if len(route.events) == len(forth.first) or budget < len(route.events):
            return route
        mine = np.ascontiguousarray(field.knobs[number :: len(field.problem.ways)])
        layout, better, least, _ = kernels.climb(
            forth,
            back,
            self.chip,
            route.layout,
            route.events,
            budget,
            mine,
            self.rules.seed + way.number + 1009 * turn,
            self.price,
            field.initial is None,
            _SLACK,
        )
        return Choice(layout, better, least)


def _length_of_annealing(field: _Field) -> float:
    """How many times as long as usual starts are annealed."""
    if not field.is_sparse:
        return 1.0
    if field.is_loose:
        return _LOOSE_ANNEALING
    least, most = _LONG_ANNEALING
    return min(most, max(least, most * field.problem.size / _WIDE))


def _is_loose(problem: Problem) -> bool:
    """Whether a circuit is large, and most of its gates commute."""
    eras = problem.eras
    many = problem.size >= _LOOSE_QUBITS and len(eras.hard) >= _LOOSE_GATES
    return many and len(eras.stop_row) >= _LOOSE_ERA * len(eras.wire)


def _ranked(ways: Iterable[_Way]) -> list[_Way]:
    """Ways in the order of their totals; of those with the same setting, which often end alike, each counts a
    little more than the one before."""
    seen: dict[tuple[int, int], int] = {}
    ranked: list[tuple[float, int, _Way]] = []
    for way in sorted(ways, key=lambda way: way.total):
        before = seen[way.field, way.knobs] = seen.get((way.field, way.knobs), -1) + 1
        ranked.append((way.total * (1 + _ALIKE * before), len(ranked), way))
    return [way for *_, way in sorted(ranked, key=lambda one: one[:2])]
