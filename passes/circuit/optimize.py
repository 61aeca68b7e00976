"""All passes that need no machine, by level, run until the cost stops falling.

Level 1 merges and cancels. Level 2 also drops negligible rotations, folds phases, resynthesises two-qubit
blocks, and tries briefly to build the circuit anew as Pauli rotations and a Clifford. Level 3 does no more of
this (but routes at more length) unless it may take long: then it tries that with hundreds of settings, also
rebuilds regions of CX and Z rotations, and searches blocks of three qubits in all that it has found. A step
is kept only if the cost falls.

SWAPs are done by relabelling where the caller allows it (`Optimize.relabelled`), as a compiler that reports
a final layout may.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit.relabel import with_swaps, without_swaps
from qattn_compiler.circuit.table import Circuit
from qattn_compiler.errors import PassError
from qattn_compiler.passes.circuit.base import CirqTransformer
from qattn_compiler.passes.circuit.cancel_inverses import CancelInverses
from qattn_compiler.passes.circuit.cost import COSTS, entanglers
from qattn_compiler.passes.circuit.drop_negligible import DropNegligible
from qattn_compiler.passes.circuit.fold_phases import FoldPhases
from qattn_compiler.passes.circuit.merge_rotations import MergeRotations
from qattn_compiler.passes.circuit.resynthesise_parities import ResynthesiseParities
from qattn_compiler.passes.circuit.resynthesise_paulis import ResynthesisePaulis
from qattn_compiler.passes.circuit.resynthesise_three_qubit import ResynthesiseThreeQubit
from qattn_compiler.passes.circuit.resynthesise_two_qubit import ResynthesiseTwoQubit

LEVELS: Final = (0, 1, 2, 3)
EFFORTS: Final = ("usual", "long")
"""How long circuits may be searched for at level 3."""
MAX_ROUNDS: Final = 20
PAULI_GATES: Final = 6000
"""Circuits with more entanglers are tried by a sample before they are rebuilt as Pauli rotations."""
SAMPLE: Final = 600
"""Entanglers in that sample."""
TRIES: Final = (6, 64)
"""Settings of the Pauli search, least and most, unless it may take long."""
FEW_GATES: Final = 300
"""Settings times entanglers for circuits so small that there are more settings."""
LIGHT_WORK: Final = 2_500_000
"""Settings times entanglers times qubits, at most, unless it may take long."""
LONG_WORK: Final = 1_000_000
"""Settings times entanglers times qubits at level 3, if it may take long."""
PARITY_EFFORT: Final = 8
"""Settings tried for regions of CX and Z rotations."""
THREE_GATES: Final = 3000
"""Circuits with more entanglers are not searched for blocks of three qubits."""
CLOSE: Final = 1.25
"""Nor are those with this many times more than the best."""


def check_effort(effort: str) -> None:
    """Refuse an unknown effort.

    Raises:
        PassError: names those that there are.
    """
    if effort not in EFFORTS:
        raise PassError(f"there is no effort {effort!r}", hint=f"there are {', '.join(EFFORTS)}")


@dataclass(frozen=True, eq=False)
class Claim:
    """What a pass did: `after` is `before`, with the content of qubit q on qubit place[q] at the end.

    Attributes:
        name: of the pass.
        before: on the same qubits as `after`.
        after: what it gave.
        place: shape (qubits,).
        loose: whether it may have given up small angles.
    """

    name: str
    before: Circuit
    after: Circuit
    place: NDArray[np.int32]
    loose: bool = True


@dataclass(frozen=True, eq=False)
class Optimized:
    """A cheaper circuit and what it takes to read it.

    Attributes:
        circuit: the circuit.
        place: shape (qubits,): the qubit on which each qubit's content is at the end.
        dropped: sum of the |angle| (radians) of all rotations that were dropped.
        relabels: whether SWAPs are done by relabelling.
        infidelity: sum of one minus the average gate fidelity over all two-qubit blocks that were replaced by
            cheaper ones that are not quite equal.
        trail: pass by pass, from the given circuit to this one; None if that is not kept.
    """

    circuit: Circuit
    place: NDArray[np.int32]
    dropped: float = 0.0
    relabels: bool = True
    infidelity: float = 0.0
    trail: tuple[Claim, ...] | None = None

    @staticmethod
    def start(circuit: Circuit, relabels: bool, traced: bool = False) -> Optimized:
        """A circuit as it is, but for its SWAPs; `traced`: keep the trail."""
        here = np.arange(circuit.num_qubits, dtype=np.int32)
        after, place = without_swaps(circuit) if relabels else (circuit, here)
        trail = () if after is circuit else (Claim("relabel", circuit, after, place),)
        return Optimized(after, place, relabels=relabels, trail=trail if traced else None)

    def then(self, step: CirqTransformer) -> Optimized:
        """This, after one more pass, which may leave SWAPs."""
        after = step.run(self.circuit)
        if after is self.circuit:
            return self
        more = step.dropped(self.circuit) if isinstance(step, DropNegligible) else 0.0
        lost = 0.0
        if isinstance(step, ResynthesiseTwoQubit) and step.fidelity < 1:
            lost = step.infidelity(self.circuit)
        next_one = Optimized.start(after, self.relabels)
        trail = self.trail
        if trail is not None:
            trail = (*trail, Claim(step.name, self.circuit, next_one.circuit, next_one.place))
        return replace(
            next_one,
            place=next_one.place[self.place],
            dropped=self.dropped + more,
            infidelity=self.infidelity + lost,
            trail=trail,
        )


@dataclass(frozen=True)
class Optimize(CirqTransformer):
    """Optimise for all-to-all coupling over CZ and single-qubit gates (module docstring).

    Attributes:
        level: 0 (nothing) to 3 (everything).
        atol: rotations up to this angle (radians) are dropped.
        cost: a name of `cost.COSTS`.
        seed: of all searches.
        fidelity: from level 2 on, a two-qubit block may become a cheaper one whose average gate fidelity is
            at least this; 1 is exact. `Optimized.infidelity` says what was given away.
        effort: "usual", or "long": level 3 searches some twenty times as long, for circuits that run often.

    Keeps: meaning (up to what is dropped and given away) and global phase; walls and tagged rows.

    Raises:
        PassError: unknown level, cost or effort, or atol out of range.
    """

    level: int = 3
    atol: float = 0.0
    cost: str = "count"
    seed: int = 0
    fidelity: float = 1.0
    effort: str = "usual"
    name: ClassVar[str] = "optimize"
    opens_gates: ClassVar[bool] = True
    opens_wide: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.level not in LEVELS:
            raise PassError(f"{self.name}: level is {self.level}; 0, 1, 2 or 3 was expected")
        if self.cost not in COSTS:
            raise PassError(
                f"{self.name}: there is no cost {self.cost!r}", hint=f"there are {', '.join(COSTS)}"
            )
        check_effort(self.effort)
        DropNegligible(self.atol)
        ResynthesiseTwoQubit(fidelity=self.fidelity)

    @property
    def thorough(self) -> bool:
        """Whether everything is tried, at length."""
        return self.level == 3 and self.effort == "long"

    def run(self, circuit: Circuit, /) -> Circuit:
        """The cheapest circuit found, with SWAPs done by gates (walls stay on their qubits)."""
        if self.level == 0:
            return circuit
        price = COSTS[self.cost]
        relabels = bool((circuit.extra < 0).all())
        found = [with_swaps(best.circuit, best.place) for best in self.candidates(circuit, relabels)]
        best = min(found, key=price)
        return best if price(best) < price(circuit) else circuit

    def relabelled(self, circuit: Circuit) -> Optimized:
        """The cheapest circuit found, with SWAPs done by relabelling."""
        price = COSTS[self.cost]
        return min(self.candidates(circuit), key=lambda found: price(found.circuit))

    def candidates(self, circuit: Circuit, relabels: bool = True, traced: bool = False) -> list[Optimized]:
        """All circuits worth a look, the one that keeps the given structure first.

        Args:
            circuit: any.
            relabels: do SWAPs by relabelling; measurements and all other rows move with their qubits.
            traced: keep what each pass did (`Optimized.trail`).
        """
        if self.level == 0:
            return [Optimized.start(circuit, False, traced)]
        tidy = self._tidied(Optimized.start(circuit, relabels, traced))
        return [tidy, *self._searched(tidy)] if self.level >= 2 else [tidy]

    def _tidied(self, start: Optimized) -> Optimized:
        steps: tuple[CirqTransformer, ...] = (MergeRotations(), CancelInverses())
        if self.level >= 2:
            steps = (
                DropNegligible(self.atol),
                *steps,
                FoldPhases(),
                ResynthesiseTwoQubit(fidelity=self.fidelity),
            )
        price = COSTS[self.cost]
        best, least = start, price(start.circuit)
        # what each pass gave last, which it would leave alone
        done: list[Circuit | None] = [None] * len(steps)
        for _ in range(MAX_ROUNDS):
            now = best
            for number, step in enumerate(steps):
                if now.circuit is not done[number]:
                    before, now = now, now.then(step)
                    same = now is before or np.array_equal(now.place, before.place)
                    done[number] = now.circuit if same else None
            if now is best:
                break
            cost = price(now.circuit)
            if cost >= least:
                break
            best, least = now, cost
        return best

    def _searched(self, tidy: Optimized) -> Iterator[Optimized]:
        ways = [tidy]
        if self._worth_rebuilding(tidy.circuit):
            parities = ResynthesiseParities(PARITY_EFFORT, self.seed, free_swaps=tidy.relabels)
            for step in (parities, self._paulis(tidy)) if self.thorough else (self._paulis(tidy),):
                rebuilt = tidy.then(step)
                if rebuilt is not tidy:
                    ways.append(self._tidied(rebuilt))
                    yield ways[-1]
        least = min(entanglers(way.circuit) for way in ways)
        for way in ways if self.thorough else ():
            if entanglers(way.circuit) <= min(THREE_GATES, CLOSE * least):
                smaller = way.then(ResynthesiseThreeQubit(seed=self.seed))
                if smaller is not way:
                    yield self._tidied(smaller)

    def _paulis(self, start: Optimized) -> ResynthesisePaulis:
        """As many settings of the search as the level and the size allow."""
        circuit = start.circuit
        work = 1 + entanglers(circuit) * circuit.num_qubits
        if not self.thorough:
            most = int(np.clip(FEW_GATES / (1 + entanglers(circuit)), *TRIES))
            effort = int(np.clip(LIGHT_WORK / work, 2, most))
            return ResynthesisePaulis(effort, self.seed, start.relabels)
        effort = int(np.clip(LONG_WORK / work, 24, 256))
        return ResynthesisePaulis(effort, self.seed, start.relabels, always=True)

    def _worth_rebuilding(self, circuit: Circuit) -> bool:
        total = entanglers(circuit)
        if total <= PAULI_GATES:
            return total > 1
        rows = np.flatnonzero(np.cumsum(circuit.is_two_qubit) <= SAMPLE)
        sample = replace(circuit.with_rows(rows), phase=0.0)
        return ResynthesisePaulis(2, self.seed, free_swaps=True).run(sample) is not sample
