"""encoding="auto": of the encodings that compute the expression, the one that costs least on the target.

What is counted: the two-qubit gates that are run until every output has the wanted standard error. A circuit
of fidelity F shows F times its signal, which 1 / F^2 times the shots make up for; so gates that a machine
runs badly cost more than those it runs well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import inf

from qattn_compiler.budget import Spent
from qattn_compiler.describe import shots_by_circuit
from qattn_compiler.errors import LoweringError, QattnError, TargetError
from qattn_compiler.job import ENCODINGS, Job
from qattn_compiler.lower.batch import Batch
from qattn_compiler.unit import Unit, Way

AUTO = "auto"
"""What the option is called."""
OTHERS = ("angle", "swap", "swap-ancilla")
"""Not tried: `angle` does not compute the expression; a swap test needs twice the scale of `hadamard` and
more gates."""
MOST = 12
"""How many times the two-qubit gates of the smallest circuits (before routing) are worth a compile."""

Make = Callable[[list[Batch]], tuple[Unit, ...]]


@dataclass(frozen=True)
class Candidate:
    """An encoding that was compiled.

    Attributes:
        encoding: name.
        units: compiled.
        cost: see `cost_of`.
        words: its numbers, for the report.
    """

    encoding: str
    units: tuple[Unit, ...]
    cost: float
    words: str


def choose_encoding(job: Job, make: Make, way: Way, error: float) -> tuple[Unit, ...]:
    """Choose the job's encoding, note why, and give its units.

    Args:
        job: its `encoding` is set, and its notes get a line for each encoding.
        make: compiles batches.
        way: how it does.
        error: the wanted standard error, in units of the output.

    Raises:
        LoweringError, TargetError: no encoding fits; the error is that of the first.
    """
    lowered: dict[str, list[Batch]] = {}
    failed: dict[str, QattnError] = {}
    spent: dict[str, Spent] = {}
    for name in ENCODINGS:
        if name in OTHERS:
            continue
        try:
            lowered[name] = ENCODINGS[name](job.terms(job.values, name), full=bool(job.free))
            spent[name] = job.spent
        except LoweringError as problem:
            failed[name] = problem
    sizes = {name: _largest(batches) for name, batches in lowered.items()}
    most = MOST * max(1, min(sizes.values(), default=1))
    found = []
    for name, size in sizes.items():
        if size > most:
            continue
        try:
            units, spent[name] = job.trimmed(make(lowered[name]), way, name, spent[name])
            found.append(_candidate(name, units, error))
        except TargetError as problem:
            failed[name] = problem
    if not found:
        raise next(iter(failed.values()))
    best = min(found, key=lambda one: one.cost)
    job.encoding, job.spent = best.encoding, spent[best.encoding]
    job.notes.append(
        f"auto: encoding {best.encoding} was chosen, which runs the fewest two-qubit gates on the target, "
        f"shots against noise included, until every output has the standard error {error:g}"
    )
    job.notes.extend(_notes(found, sizes, most, failed))
    return best.units


def cost_of(unit: Unit, error: float) -> float:
    """Two-qubit gates (and one more a run) until the standard error is reached, over F^2."""
    fidelity = unit.execution().fidelity
    signal = 1.0 if fidelity is None else fidelity**2
    gates = float(sum(shots_by_circuit(unit, error))) * (unit.metrics().gates_2q + 1)
    return gates / signal if signal else inf


def _largest(batches: list[Batch]) -> int:
    return max((batch.program.least_two_qubit_count for batch in batches), default=0)


def _candidate(name: str, units: tuple[Unit, ...], error: float) -> Candidate:
    bound = [unit if unit.fused is not None else unit.with_numbers(unit.batch) for unit in units]
    gates = max((unit.metrics().gates_2q for unit in units), default=0)
    circuits = sum(unit.batch.circuits for unit in units)
    shots = sum(sum(shots_by_circuit(unit, error)) for unit in bound)
    words = f"{circuits} circuits of at most {gates} two-qubit gates, {shots} shots in all"
    return Candidate(name, units, sum(cost_of(unit, error) for unit in bound), words)


def _notes(
    found: list[Candidate],
    sizes: dict[str, int],
    most: int,
    failed: dict[str, QattnError],
) -> Iterator[str]:
    for one in sorted(found, key=lambda one: one.cost):
        yield f"auto: {one.encoding}: {one.words}, cost {one.cost:.3g}"
    for name, size in sizes.items():
        if size > most:
            yield f"auto: {name} was not tried: {size} two-qubit gates a circuit before routing"
    for name, problem in failed.items():
        yield f"auto: {name} is not possible: {str(problem).splitlines()[0]}"
