"""Trim: circuits that prepare states near those of their programs with fewer two-qubit gates.

What `budget.spend` left of `max_error` is spent here on the circuits themselves, in this order:

- *Schmidt rank*: a circuit that only prepares a real state gets the nearest one of lower rank, of the halves
  or of their halves (`synth.schmidt`), and a plan for it;
- *small angles*: rotations of the blocks' own gates, smallest first, are left out, and what then cancels;
- *two-qubit gates*: circuits on the same couplings grow from no two-qubit gate at all until they are near
  enough; and native two-qubit gates, alone or all of a pair that stand together, are left out and
  the single-qubit gates fitted to make up for it (`synth.near_state`).

Where a state is measured as it was prepared, the phases of its amplitudes do not matter, so what is aimed at
is the magnitudes of the blocks' own. This alone saves about half of the gates, at hardly a price. Circuits
whose gates compare or undo states (`Program.is_read_as_prepared`) keep their own gates, phases and all: what
they compute is not put in place of how they compute it.

Each step must cost less by the objective, and its price fit: an output's scale times the sum, over all
outcomes of measuring every qubit of its circuit, of what their probabilities differ by from those of the
program's blocks. That bounds what the output changes, whatever is read, and differences do not cancel in it
(else any output could be a product state that gives the answer). The circuits of a structure that can take a
step get a structure of their own. The proof compares the circuits with the states that were chosen here,
these with the blocks' own within the budget, and the numbers with the exact reference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Final

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.budget import ANGLES, GATES, RANK, Cut, Spent
from qattn_compiler.circuit import su2
from qattn_compiler.circuit.gates import GATES as TABLE
from qattn_compiler.circuit.gates import MEASURE, NUM_QUBITS, PHASED_XZ
from qattn_compiler.circuit.table import Angle, Builder, Circuit
from qattn_compiler.lower.batch import Batch, States, distances
from qattn_compiler.synth.near_state import Skeleton, random_gates
from qattn_compiler.synth.schmidt import schmidt_forms
from qattn_compiler.unit import Step, Unit, Way, compile_near, compile_without
from qattn_compiler.verify.simulate import joint_states, phased_xz_matrices, simulate

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MOST_QUBITS: Final = 10
"""States of more qubits are left as they are."""
MOST_WORK: Final = {2: 1e8, 3: 1e9}
"""By level: sweeps times gates times amplitudes while a structure is fitted, at most; 5e7 take a second."""
FITS: Final = 3
USUAL: Final = 100
"""Starts of each fit, and the sweeps that they take together, about."""
GREEDY: Final = 5
"""Qubits up to which each two-qubit gate of a growing circuit is chosen by itself."""
HOPEFUL: Final = 3.0
"""All circuits of a structure are fitted once the first one is so many times as far away as it may be."""
CLOSE: Final = 1e-4
"""On a machine that errs, circuits this near are near enough."""
PLUS: Final = np.array([[1, -1], [1, 1]]) / np.sqrt(2)
"""A rotation of |0> to the sum of both basis states."""
MOST_PARTS: Final = 12
"""Structures that one may become."""
GLANCE: Final = 6
"""Sweeps after which it is judged which two-qubit gates are missed least."""
FITTED: Final = "fitted_"
"""Prefix of the parameters of fitted gates."""
SLACK: Final = 1e-10
"""Of the budget that rounding errors may take."""


@dataclass(frozen=True, eq=False)
class Trimmed:
    """A unit, and what its circuits may still change.

    Attributes:
        unit: bound.
        allowed: shape (circuits,): the largest `Batch.away` of each.
        cuts: what was done to them so far.
    """

    unit: Unit
    allowed: Floats
    cuts: tuple[Cut, ...] = ()


def trim(units: Sequence[Unit], left: Floats, spent: Spent, way: Way) -> tuple[tuple[Unit, ...], Spent]:
    """Spend what is left of the budget on the circuits of bound units.

    Args:
        units: compiled.
        left: shape (outputs,): how far each output may still change.
        spent: on terms so far.
        way: machine, level, seed, objective.

    Returns:
        units, of which some may share a program; what was spent in all.
    """
    out: list[Unit] = []
    cuts: list[Cut] = []
    for unit in units:
        begin = perf_counter()
        parts = _trimmed(unit, left, way)
        seconds = perf_counter() - begin
        for one in parts:
            step = Step("trim", "physical", seconds, one.unit.metrics())
            out.append(replace(one.unit, steps=(*one.unit.steps, step)) if one.cuts else one.unit)
            cuts += one.cuts
    prices = np.zeros(len(left)) if spent.prices is None else spent.prices.copy()
    for unit in out:
        batch = unit.batch
        prices[batch.position] += np.abs(batch.scale) * batch.away()[batch.member]
    return tuple(out), replace(spent, cuts=_summed(cuts), total=float(prices.max(initial=0.0)))


def _summed(cuts: Sequence[Cut]) -> tuple[Cut, ...]:
    out = []
    for kind in (RANK, ANGLES, GATES):
        some = [cut for cut in cuts if cut.kind == kind]
        if some:
            price = max(cut.price for cut in some)
            out.append(Cut(kind, sum(c.circuits for c in some), sum(c.gates_2q for c in some), price))
    return tuple(out)


def _trimmed(unit: Unit, left: Floats, way: Way) -> list[Trimmed]:
    batch = unit.batch
    first = [Trimmed(unit, _allowed(batch, left))]
    if way.level < 2 or batch.program.num_qubits > MOST_QUBITS or not unit.metrics().gates_2q:
        return first
    steps: tuple[Callable[[Trimmed, Way], list[Trimmed]], ...] = (_by_rank, _by_angles, _by_gates)
    for step in steps:
        first = [part for one in first for part in step(one, way)]
    return first


def _allowed(batch: Batch, left: Floats) -> Floats:
    """How far the outcomes of each circuit may be away, by the output that minds most."""
    scale, room = np.abs(batch.scale), left[batch.position]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        most = np.where(scale > 0, (1 - SLACK) * room / scale, np.where(room > 0, np.inf, 0.0))
    allowed = np.full(batch.circuits, np.inf)
    np.minimum.at(allowed, batch.member, most)
    return allowed


def _better(new: Unit, old: Unit, way: Way) -> bool:
    """Whether circuits that are farther away are worth it."""
    if (
        way.objective == "fidelity"
        and (lost := _lost(new)) is not None
        and (before := _lost(old)) is not None
    ):
        away = float((new.batch.away() - old.batch.away()).mean())
        return lost + away < before
    return way.price(new) < way.price(old)


def _lost(unit: Unit) -> float | None:
    fidelity = unit.execution().fidelity
    return None if fidelity is None else 1.0 - fidelity


def _parted(one: Trimmed, members: Ints, new: Unit, kind: str) -> tuple[Trimmed, Trimmed | None]:
    """The members with their new unit, and the rest with the old one."""
    old = one.unit.take(members)
    moved = distances(new.batch.states(), old.batch.states())
    price = float((np.abs(new.batch.scale) * moved[new.batch.member]).max(initial=0.0))
    saved = (old.metrics().gates_2q - new.metrics().gates_2q) * len(members)
    before, cut = _shared(one, len(members)), Cut(kind, len(members), saved, price)
    if before and before[-1].kind == kind:
        last = before[-1]
        before, cut = before[:-1], Cut(kind, len(members), last.gates_2q + saved, last.price + price)
    done = Trimmed(new, one.allowed[members], (*before, cut))
    rest = np.setdiff1d(np.arange(one.unit.batch.circuits), members)
    if not len(rest):
        return done, None
    return done, Trimmed(one.unit.take(rest), one.allowed[rest], _shared(one, len(rest)))


def _shared(one: Trimmed, members: int) -> tuple[Cut, ...]:
    """What was cut before, for some of the circuits."""
    total = one.unit.batch.circuits
    return tuple(replace(c, circuits=members, gates_2q=c.gates_2q // total * members) for c in one.cuts)


def _by_rank(one: Trimmed, way: Way) -> list[Trimmed]:
    """The nearest states of lower Schmidt rank."""
    program = one.unit.batch.program
    if not program.is_real_state or program.num_qubits < 2:
        return [one]
    out: list[Trimmed] = []
    rest: Trimmed | None = one
    for form in schmidt_forms(program.num_qubits):
        if rest is None or len(out) >= MOST_PARTS:
            break
        if form.two_qubit_count >= rest.unit.metrics().gates_2q:
            continue
        batch = rest.unit.batch
        near = form.nearest(_aim(batch)).astype(complex)
        moved = replace(batch, near=near)
        members = np.flatnonzero(moved.away() <= rest.allowed)
        new = compile_near(moved.take(members), way) if len(members) else None
        if new is not None and _better(new, rest.unit.take(members), way):
            done, rest = _parted(rest, members, new, RANK)
            out.append(done)
    return out if rest is None else [*out, rest]


def _aim(batch: Batch) -> Floats:
    """Real states to come near to: without signs, where nothing stands between them and the measurement."""
    states = batch.prepared().real
    return np.abs(states) if batch.program.is_read_as_prepared else states


def _by_angles(one: Trimmed, way: Way) -> list[Trimmed]:
    """Rotations of the blocks' own gates left out, those of the smallest angles first; the same ones for all
    circuits that then are a structure."""
    unit = one.unit
    batch, logical = unit.batch, unit.logical
    if batch.near is not None or not logical.params or logical.num_qubits != batch.program.num_qubits:
        return [one]
    values = batch.program.parameter_values(logical, batch.numbers)
    size = np.abs(values - 2 * np.round(values / 2))
    order = np.argsort(size.max(axis=0), kind="stable")
    counts = _most_left_out(unit, values[:, order], order, one.allowed)
    for count in sorted({int(np.median(counts)), int(counts.min())}, reverse=True):
        members = np.flatnonzero(counts >= count)
        if not count:
            continue
        some = batch.take(members)
        kept = values[members]
        kept[:, order[:count]] = 0.0
        some = replace(some, near=_prepared(unit, kept))
        dropped = [logical.params[k].name for k in order[:count].tolist()]
        new = compile_without(some, logical, dropped, way, unit.metrics().gates_2q)
        fits = new is not None and (some.away() <= one.allowed[members]).all()
        if new is not None and fits and _better(new, unit.take(members), way):
            done, rest = _parted(one, members, new, ANGLES)
            return [done] if rest is None else [done, rest]
    return [one]


def _most_left_out(unit: Unit, values: Floats, order: Ints, allowed: Floats) -> Ints:
    """How many of the first rotations of an order each circuit can do without, by halving, shape (circuits,).

    Args:
        unit: bound.
        values: shape (circuits, parameters): half turns, in the order.
        order: shape (parameters,): numbers of the circuit's parameters.
        allowed: shape (circuits,).
    """
    low, high = np.zeros(len(values), dtype=np.int64), np.full(len(values), values.shape[1], dtype=np.int64)
    exact = unit.batch.program.states(unit.batch.numbers)
    back = np.argsort(order)
    while (low < high).any():
        middle = (low + high + 1) // 2
        kept = np.where(np.arange(values.shape[1]) < middle[:, None], 0.0, values)[:, back]
        away = distances(unit.batch.program.finished(_prepared(unit, kept)), exact)
        fits = away <= allowed
        low, high = np.where(fits, middle, low), np.where(fits, high, middle - 1)
    return low


def _prepared(unit: Unit, values: Floats) -> States:
    """States of the blocks' own gates at some parameters, before the Hadamard gates at the end."""
    logical, program = unit.logical, unit.batch.program
    angles, _ = logical.bind_batch(values)
    return program.finished(joint_states(simulate(logical, angles), range(logical.num_qubits)))


@dataclass(frozen=True, eq=False)
class _Fitted:
    """A unit as two-qubit gates with single-qubit gates between them that may be anything.

    Attributes:
        trimmed: the unit.
        source: the circuit whose two-qubit gates they are, on the machine's qubits.
        rows: their rows there.
        qubits: the machine's qubits that hold the program's, ascending.
        skeleton: on them.
        gates: shape (circuits, skeleton.num_gates, 2, 2).
        states: shape (circuits, 2^qubits): what the blocks prepare on them.
    """

    trimmed: Trimmed
    source: Circuit
    rows: Ints
    qubits: tuple[int, ...]
    skeleton: Skeleton
    gates: States
    states: States

    @property
    def free(self) -> bool:
        """Whether phases do not matter."""
        return self.trimmed.unit.batch.program.is_read_as_prepared


def _by_gates(one: Trimmed, way: Way) -> list[Trimmed]:
    """Two-qubit gates left out, one after the other."""
    begin = _fitted(one)
    if begin is None:
        return [one]
    out: list[Trimmed] = []
    work = _Work(MOST_WORK[min(way.level, 3)])
    grow = _grown_best if way.objective == "fidelity" and _lost(one.unit) is not None else _grown
    waiting = grow(begin, way, work) if begin.free else [begin]
    while waiting:
        now = waiting.pop()
        parts: list[_Fitted] | None = None
        glance = _cost(now.skeleton, GLANCE * len(now.rows) * len(now.gates))
        if len(now.rows) and len(out) + len(waiting) < MOST_PARTS and work.affords(2 * glance):
            parts = _with_fewer(now, way, work)
        if parts is None:
            out.append(now.trimmed)
        else:
            waiting += parts
    return out


def _fitted(one: Trimmed) -> _Fitted | None:
    """None if the unit has gates of other kinds, or on qubits beside those of its program."""
    unit = one.unit
    assert unit.fused is not None
    circuit, angles = unit.fused.circuit, unit.fused.angles
    two, single = NUM_QUBITS[circuit.op] == 2, circuit.op == PHASED_XZ
    rows = np.flatnonzero(two)
    final = unit.routed.final.tolist()
    qubits = tuple(sorted(final))
    local = {q: i for i, q in enumerate(qubits)}
    known = (two | single | (circuit.op == MEASURE)).all() and (angles[:, rows] == angles[:1, rows]).all()
    if not known or not len(rows) or not set(circuit.operands[rows].reshape(-1).tolist()) <= set(qubits):
        return None
    pairs = np.array([[local[q] for q in pair] for pair in circuit.operands[rows].tolist()], dtype=np.int64)
    matrices = []
    for row in rows.tolist():
        gate = TABLE[circuit.op[row]]
        assert gate.matrix is not None
        matrices.append(gate.matrix(*angles[0, row, : gate.num_angles].tolist()))
    skeleton = Skeleton(len(qubits), pairs, np.array(matrices, dtype=complex))
    gates = np.broadcast_to(np.eye(2, dtype=complex), (len(angles), skeleton.num_gates, 2, 2)).copy()
    at = list(range(len(qubits)))
    for row in np.flatnonzero(two | single).tolist():
        if two[row]:
            number = int(np.searchsorted(rows, row))
            for side in range(2):
                at[pairs[number, side]] = skeleton.size + 2 * number + side
        else:
            here = at[local[int(circuit.operands[row, 0])]]
            gates[:, here] = phased_xz_matrices(angles[:, row]) @ gates[:, here]
    exact = unit.batch.program.states(unit.batch.numbers).reshape(len(angles), *(2,) * len(final))
    states = np.transpose(exact, (0, *(1 + np.argsort(final)))).reshape(len(angles), -1)
    return _Fitted(one, replace(circuit, angles=angles[0]), rows, qubits, skeleton, gates, states)


def _grown(begin: _Fitted, way: Way, work: _Work) -> list[_Fitted]:
    """Circuits that grew from no two-qubit gate until they were near enough, with fewer than they had, and
    those that did not."""
    out: list[_Fitted] = []
    rest = begin
    rng = np.random.default_rng(0)
    for rows, skeleton, start in _growing(begin, work, rng):
        members = np.arange(min(len(rest.gates), work.affords(_cost(skeleton, USUAL))))
        if not len(members) or len(out) >= MOST_PARTS:
            break
        allowed = rest.trimmed.allowed[members]
        gates, states, away = _best_fit(skeleton, np.abs(rest.states[members]), start, rng, allowed, work)
        fits = away <= allowed
        if not fits.any():
            continue
        members = members[fits]
        new = _written(rest, members, rows, gates[fits], states[fits], way)
        if not _better(new, rest.trimmed.unit.take(members), way):
            continue
        done, others = _split(rest, members, new, skeleton, rows, gates[fits])
        out.append(done)
        if others is None:
            return out
        rest = others
    return [*out, rest]


def _grown_best(begin: _Fitted, way: Way, work: _Work) -> list[_Fitted]:
    """The same on a machine whose errors are known: of all lengths, each circuit gets the one at which what
    its gates lose and what it is away are least together."""
    rng = np.random.default_rng(0)
    count = len(begin.gates)
    score, chosen = np.full(count, np.inf), np.full(count, -1)
    found: list[tuple[Ints, Skeleton, States, States]] = []
    for rows, skeleton, start in _growing(begin, work, rng):
        if work.affords(_cost(skeleton, USUAL)) < count:
            break
        near = np.minimum(begin.trimmed.allowed, CLOSE)
        gates, states, away = _best_fit(skeleton, np.abs(begin.states), start, rng, near, work)
        lost = _lost(_written(begin, np.arange(count), rows, gates, states, way)) or 0.0
        total = np.where(away <= begin.trimmed.allowed, lost + away, np.inf)
        chosen = np.where(total < score, len(found), chosen)
        score = np.minimum(score, total)
        found.append((rows, skeleton, gates, states))
        if lost >= score.max():
            break
    out: list[_Fitted] = []
    rest, left = begin, np.arange(count)
    for number in np.unique(chosen[chosen >= 0]).tolist():
        rows, skeleton, gates, states = found[number]
        members = np.flatnonzero(chosen[left] == number)
        own = left[members]
        new = _written(rest, members, rows, gates[own], states[own], way)
        if not len(members) or not _better(new, rest.trimmed.unit.take(members), way):
            continue
        done, others = _split(rest, members, new, skeleton, rows, gates[own])
        out.append(done)
        if others is None:
            return out
        rest, left = others, np.delete(left, members)
    return [*out, rest]


def _best_fit(
    skeleton: Skeleton,
    aims: Floats,
    start: States | None,
    rng: np.random.Generator,
    allowed: Floats,
    work: _Work,
) -> tuple[States, States, Floats]:
    """Of several fits of every circuit the one that comes nearest: gates, states, and how far these are away.

    Args:
        skeleton: to fit.
        aims: shape (circuits, 2^size): magnitudes.
        start: shape (num_gates, 2, 2): gates to start from, beside random ones; or None.
        rng: of random ones.
        allowed: shape (circuits,): how far away is near enough.
        work: what this takes is taken from it.
    """
    wanted: States = aims.astype(np.complex128)
    shape = (len(aims), skeleton.num_gates, 2, 2)
    kept: States = np.zeros(shape, dtype=np.complex128)
    made: States = np.zeros_like(wanted)
    best: Floats = np.full(len(aims), np.inf)
    for number in range(FITS):
        left = np.flatnonzero(best > allowed)
        if not len(left):
            break
        some = (len(left), *shape[1:])
        first = random_gates(rng, some[:2]) if start is None or number else np.broadcast_to(start, some)
        # Outcomes differ by at most twice the square root of what is missing of the overlap.
        enough = np.minimum(allowed[left], 2.0) ** 2 / 4
        gates, _, sweeps = skeleton.fit(wanted[left], first, free=True, enough=enough)
        work.left -= _cost(skeleton, sweeps)
        states = skeleton.states(gates)
        away = distances(states, wanted[left])
        nearer = away < best[left]
        some_left = left[nearer]
        kept[some_left], made[some_left], best[some_left] = gates[nearer], states[nearer], away[nearer]
    return kept, made, best


def _growing(
    begin: _Fitted, work: _Work, rng: np.random.Generator
) -> Iterator[tuple[Ints, Skeleton, States | None]]:
    """Longer and longer rows of two-qubit gates on the couplings that a unit uses, with fewer than it has:
    the rows, as a skeleton, and gates to start from.

    Up to `GREEDY` qubits each is what brings the first circuit nearest; beyond, couplings take turns, and
    lengths begin where the free numbers are as many as the state's.
    """
    size, pairs, matrices = begin.skeleton.size, begin.skeleton.pairs, begin.skeleton.matrices
    _, kinds = np.unique(np.sort(pairs, axis=1), axis=0, return_index=True)
    if size > GREEDY:
        turns = kinds[_in_turn(pairs[kinds])]
        for length in range(max(0, (2**size - 1 - 2 * size) // 4 - size), len(begin.rows)):
            taken = turns[np.arange(length) % len(turns)]
            yield begin.rows[taken], Skeleton(size, pairs[taken], matrices[taken]), None
        return
    now = Skeleton(size, pairs[:0], matrices[:0])
    aim, allowed = np.abs(begin.states[:1]), begin.trimmed.allowed[:1]
    gates, _, away = _best_fit(now, aim, PLUS, rng, allowed, work)
    rows = begin.rows[:0]
    while len(rows) < len(begin.rows) and work.left > 0:
        if away[0] <= HOPEFUL * allowed[0]:
            yield rows, now, gates[0]
        tried = []
        for kind in kinds.tolist():
            longer, start = now.grown(pairs[kind], matrices[kind], gates)
            for number in range(FITS):
                if number:
                    start = np.concatenate([start[:, :-2], random_gates(rng, (1, 2))], axis=1)
                found, overlaps, sweeps = longer.fit(aim.astype(complex), start, free=True)
                work.left -= _cost(longer, sweeps)
                tried.append((1.0 - float(overlaps[0]), kind, longer, found))
        _, kind, now, gates = min(tried, key=lambda one: one[0])
        away = distances(now.states(gates), aim.astype(complex))
        rows = np.append(rows, begin.rows[kind])


def _in_turn(pairs: Ints) -> Ints:
    """An order of couplings in which as many as can be stand side by side: layers that share no qubit."""
    order: list[int] = []
    left = list(range(len(pairs)))
    while left:
        used: set[int] = set()
        for k in list(left):
            if used.isdisjoint(pairs[k].tolist()):
                used.update(pairs[k].tolist())
                order.append(k)
                left.remove(k)
    return np.array(order, dtype=np.int64)


@dataclass
class _Work:
    """How much may still be fitted: sweeps times gates times amplitudes."""

    left: float

    def affords(self, cost: float) -> int:
        """How many times."""
        return max(0, int(self.left // max(cost, 1.0)))


def _cost(skeleton: Skeleton, sweeps: int) -> float:
    """Of some sweeps of a circuit."""
    return float(sweeps) * skeleton.num_gates * (1 << skeleton.size)


def _split(
    now: _Fitted, members: Ints, new: Unit, skeleton: Skeleton, rows: Ints, gates: States
) -> tuple[_Fitted, _Fitted | None]:
    """The circuits with their new unit, and the others."""
    done, rest = _parted(now.trimmed, members, new, GATES)
    fitted = replace(now, trimmed=done, rows=rows, skeleton=skeleton, gates=gates, states=now.states[members])
    if rest is None:
        return fitted, None
    others = np.setdiff1d(np.arange(len(now.gates)), members)
    return fitted, replace(now, trimmed=rest, gates=now.gates[others], states=now.states[others])


def _choices(skeleton: Skeleton) -> Iterator[Ints]:
    """Two-qubit gates to leave out: those that stand together on a pair, all of them or one."""
    blocks: list[list[int]] = []
    last: dict[int, int] = {}
    for k, (a, b) in enumerate(skeleton.pairs.tolist()):
        here = last.get(a, -1)
        if here >= 0 and here == last.get(b, -1):
            blocks[here].append(k)
        else:
            blocks.append([k])
            here = len(blocks) - 1
        last[a] = last[b] = here
    for block in blocks:
        if len(block) > 1:
            yield np.array(block)
    for block in blocks:
        yield np.array(block[:1])


def _with_fewer(now: _Fitted, way: Way, work: _Work) -> list[_Fitted] | None:
    """The circuits that can do without some two-qubit gates, and the others; None if none can."""
    glances: list[tuple[float, int, Ints]] = []
    for number, dropped in enumerate(_choices(now.skeleton)):
        skeleton, start = now.skeleton.without(dropped, now.gates)
        gates, _, sweeps = skeleton.fit(now.states, start, free=now.free, sweeps=GLANCE)
        work.left -= _cost(skeleton, sweeps)
        away = distances(skeleton.states(gates), now.states)
        glances.append((float(np.median(away)) / len(dropped), number, dropped))
    for _, _, dropped in sorted(glances, key=lambda one: one[:2]):
        if work.left <= 0:
            break
        skeleton, start = now.skeleton.without(dropped, now.gates)
        gates, _, sweeps = skeleton.fit(now.states, start, free=now.free)
        work.left -= _cost(skeleton, sweeps)
        states = skeleton.states(gates)
        members = np.flatnonzero(distances(states, now.states) <= now.trimmed.allowed)
        if not len(members):
            continue
        rows = np.delete(now.rows, dropped)
        new = _written(now, members, rows, gates[members], states[members], way)
        if _better(new, now.trimmed.unit.take(members), way):
            done, rest = _split(now, members, new, skeleton, rows, gates[members])
            return [done] if rest is None else [done, rest]
    return None


def _written(now: _Fitted, members: Ints, rows: Ints, gates: States, states: States, way: Way) -> Unit:
    """The unit of some circuits with these two-qubit rows left, and fitted gates between them."""
    unit, source = now.trimmed.unit, now.source
    builder = Builder(source.qubits)
    count = 0

    def add(qubit: int) -> None:
        nonlocal count
        turns: list[Angle] = [(0.0, {f"{FITTED}{count + k}": np.pi}) for k in range(3)]
        builder.add("phased_xz", [qubit], turns)
        count += 3

    for qubit in now.qubits:
        add(qubit)
    for row in rows.tolist():
        gate, pair = TABLE[source.op[row]], source.operands[row].tolist()
        builder.add(gate.name, pair, source.angles[row, : gate.num_angles].tolist())
        for qubit in pair:
            add(qubit)
    for row in np.flatnonzero(source.op == MEASURE).tolist():
        extra = source.extras[source.extra[row]]
        builder.measure(extra.operands, extra.writes[0], extra.tags, extra.invert)
    template = builder.build()
    turns, _ = su2.to_xza(_quaternions(gates))
    column = [int(p.name.removeprefix(FITTED)) for p in template.params]
    values = turns.reshape(len(gates), -1)[:, column] / np.pi
    ends = unit.routed.final
    split = states.reshape(len(states), *(2,) * len(ends))
    ordered = np.transpose(split, (0, *(1 + np.searchsorted(now.qubits, ends)))).reshape(len(states), -1)
    batch = unit.batch.take(members)
    batch = replace(batch, near=batch.program.finished(ordered))
    fused = way.target.fuse_batch(template, values)
    here = replace(unit.routed, circuit=template, initial=ends, swaps=0)
    return replace(unit, batch=batch, template=template, routed=here, fused=fused, cache={})


def _quaternions(gates: States) -> Floats:
    """Of unitaries of shape (..., 2, 2), but for their phases (`circuit.su2`), shape (..., 4)."""
    det = gates[..., 0, 0] * gates[..., 1, 1] - gates[..., 0, 1] * gates[..., 1, 0]
    u = gates / np.sqrt(det)[..., None, None]
    one, x = (u[..., 0, 0] + u[..., 1, 1]).real, -(u[..., 0, 1] + u[..., 1, 0]).imag
    y, z = (u[..., 1, 0] - u[..., 0, 1]).real, (u[..., 1, 1] - u[..., 0, 0]).imag
    out: Floats = np.stack([one, x, y, z], axis=-1) / 2
    return out
