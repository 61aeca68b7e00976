"""Gather the report of a compile from its parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from qattn_compiler.budget import Spent
from qattn_compiler.compiled import Compiled, moments
from qattn_compiler.report.metrics import shots_for_bound, shots_for_standard_error
from qattn_compiler.report.report import Report, picture_names
from qattn_compiler.unit import Unit


@dataclass(frozen=True)
class Story:
    """What the compile itself knows and the result does not.

    Attributes:
        expression: canonical text.
        encoding: name of the encoding.
        options: options as given.
        notes: what was inferred, chosen, dropped or approximated.
        origin: where the weights came from.
        seconds: stage -> time; filled while the compile runs.
        wanted_error: standard error that shots are planned for.
        spent: what `max_error` was spent on; None if nothing could be.
    """

    expression: str
    encoding: str
    options: Mapping[str, Any]
    notes: list[str]
    origin: str
    seconds: dict[str, float]
    wanted_error: float
    spent: Spent | None = None


def describe(compiled: Compiled, story: Story) -> Report:
    """The report of a compile."""
    target = compiled.target
    units = compiled.units
    executions = [unit.execution() for unit in units]
    pictures = {name: unit.drawing for name, unit in zip(picture_names(len(units)), units, strict=True)}
    data = {
        "expression": story.expression,
        "encoding": story.encoding,
        "meaning": units[0].batch.program.meaning if units else "",
        "target": {
            "name": target.name,
            "qubits": target.device.num_qubits,
            "native": sorted(target.device.native),
            "source": target.device.source,
        },
        "weights": story.origin,
        "options": dict(story.options),
        "output": {"shape": compiled.shape, "compiled": [axis.tolist() for axis in compiled.chosen]},
        "totals": {
            "outputs": len(compiled.positions),
            "circuits": sum(_circuits(u) for u in units),
            "gates_2q": sum(u.metrics().gates_2q * _circuits(u) for u in units),
            "gates_2q_max": max((u.metrics().gates_2q for u in units), default=0),
            "depth_max": max((u.metrics().depth for u in units), default=0),
            "depth_2q_max": max((u.metrics().depth_2q for u in units), default=0),
            "duration_ns_max": _extreme(max, [e.duration_ns for e in executions]),
            "fidelity_min": _extreme(min, [e.fidelity for e in executions]),
        },
        "shots": _shots(compiled, story.wanted_error),
        "scale_max": max((float(np.abs(u.batch.scale).max(initial=0)) for u in units), default=0.0),
        "success_min": _extreme(min, [_least_success(u) for u in units]),
        "structures": [_structure(compiled, u, name) for u, name in zip(units, pictures, strict=True)],
        "verification": compiled.verification.to_dict(),
        "notes": story.notes,
        "seconds": story.seconds,
    }
    if story.spent is not None:
        error = compiled.verification.error if compiled.verification.passed else None
        data["budget"] = {"max_error": story.options["max_error"], "error": error, **story.spent.to_dict()}
    return Report(data, pictures=pictures)


def _circuits(unit: Unit) -> int:
    return unit.batch.circuits if unit.fused is not None else 1


def _least_success(unit: Unit) -> float | None:
    """The lowest probability that the auxiliary qubits of a circuit end in |0>; None while unbound."""
    if unit.fused is None:
        return None
    return 1.0 if unit.batch.success is None else float(unit.batch.success.min(initial=1.0))


def _extreme(pick: Any, values: list[float | None]) -> float | None:
    return None if not values or None in values else pick(values)


def _structure(compiled: Compiled, unit: Unit, picture: str) -> dict[str, Any]:
    program = unit.batch.program
    labels = [str(compiled.target.device.qubits[q]) for q in unit.routed.initial]
    names = [f"{register.name}[{i}]" for register in program.registers for i in range(register.width)]
    measured = unit.metrics()
    return {
        "program": program.to_text(),
        "circuits": _circuits(unit),
        "qubits": measured.qubits,
        "gates_2q_ideal": program.two_qubit_count,
        "swaps": unit.routed.swaps,
        "layout": ", ".join(f"{n} on {q}" for n, q in zip(names, labels, strict=True)),
        "passes": [step.to_dict() for step in unit.steps],
        "metrics": measured.to_dict(),
        "execution": unit.execution().to_dict(),
        "picture": picture,
    }


def shots_by_circuit(unit: Unit, error: float) -> list[int]:
    """Shots of each circuit of a bound unit until every number read from it has this standard error."""
    wanted = [0] * unit.batch.circuits
    if not wanted:
        return wanted
    columns = (unit.batch.member, unit.batch.scale, *moments(unit))
    for member, *numbers in zip(*(column.tolist() for column in columns), strict=True):
        wanted[member] = max(wanted[member], shots_for_standard_error(error, *numbers))
    return wanted


def _shots(compiled: Compiled, error: float) -> dict[str, Any]:
    """Shots for a standard error, by the exact expectations, and for a guaranteed bound; None while
    unbound."""
    if not compiled.is_bound:
        return {"error": error, "per_circuit_max": None, "total": None, "hoeffding_95_max": None}
    largest, total, bound = 0, 0, 0
    for unit in compiled.units:
        wanted = shots_by_circuit(unit, error)
        largest, total = max([largest, *wanted]), total + sum(wanted)
        bound = max([bound, *(shots_for_bound(error, scale) for scale in unit.batch.scale.tolist())])
    return {"error": error, "per_circuit_max": largest, "total": total, "hoeffding_95_max": bound}
