"""transpile: any Cirq circuit onto a machine, one line a stage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from time import perf_counter
from typing import Any, Literal

import numpy as np

from qattn_compiler import kernel_cache, targets
from qattn_compiler.circuit.layout import Routed
from qattn_compiler.circuit.table import Circuit
from qattn_compiler.errors import OptionError
from qattn_compiler.interop.cirq_read import read
from qattn_compiler.progress import Progress, silent
from qattn_compiler.report.chip import draw_chip
from qattn_compiler.report.metrics import execution, metrics
from qattn_compiler.report.report import Report, picture_names, transpile_page
from qattn_compiler.search import Search, Track
from qattn_compiler.targets.target import Target, check_level
from qattn_compiler.transpile_proof import Result, prove
from qattn_compiler.verify.compare import NOT_VERIFIED, Verification


@dataclass(frozen=True, eq=False)
class Transpiled:
    """The result of `transpile`.

    Attributes:
        circuit: on the machine's qubits, in native gates.
        initial_layout: qubit of the input -> machine qubit that it starts on.
        final_layout: qubit of the input -> machine qubit that it ends on.
        report: costs by pass, what was dropped.
        verification: what was proved.
    """

    circuit: Any
    initial_layout: Mapping[Any, Any]
    final_layout: Mapping[Any, Any]
    report: Report
    verification: Verification

    def summary(self) -> dict[str, Any]:
        """The figures that machines want: gates, depths, seconds."""
        after, seconds = self.report.data["metrics"], self.report.data["seconds"]
        names = ("gates_2q", "depth_2q", "gates_1q", "depth")
        return {
            **{name: after[name] for name in names},
            "seconds": seconds,
            "passed": self.verification.passed,
        }


def transpile(
    circuit: Any,
    target: str | Target = "google.willow",
    *,
    optimization_level: int = 2,
    seed: int = 0,
    atol: float = 1e-8,
    objective: str = "count",
    effort: str = "usual",
    fidelity: float = 1.0,
    verify: bool | Literal["auto"] = "auto",
    progress: Progress = silent,
) -> Transpiled:
    """Bring a Cirq circuit onto a machine; symbols, measurement keys, tags and classical controls survive.

    Args:
        circuit: any `cirq.Circuit`.
        target: name of the machine, or a `Target`.
        optimization_level: 0 only makes it run, 1 is light, 2 the default, 3 everything.
        seed: of placement and routing.
        atol: rotations up to this angle (radians) may be dropped; their sum is reported.
        objective: what placement, routing and the choice among circuits save: "count" (entanglers, then their
            depth), "depth" or "fidelity" (as estimated from the machine's calibration).
        effort: "usual", or "long": level 3 searches some twenty times as long, for circuits that run often.
        fidelity: a two-qubit block may be replaced by a cheaper one whose average gate fidelity is at least
            this; 1, the default, is exact. What was given away in all is reported.
        verify: prove the result ("auto", or True): link by link, and small circuits for which that does not
            succeed as a whole; the report says how, and what could not be proved. False: do not.
        progress: called with (stage, done, total) now and then.

    Raises:
        OptionError, TargetError, PassError, CircuitError: an input is wrong, or the machine cannot run it.
        VerificationError: the result is wrong (a bug).
    """
    check_level(optimization_level)
    if not (np.isfinite(atol) and atol >= 0):
        raise OptionError(f"atol is {atol!r}; a number of radians, 0 or more, was expected")
    if verify not in (True, False, "auto"):
        raise OptionError(f'verify is {verify!r}; True, False or "auto" was expected')
    machine = targets.get(target) if isinstance(target, str) else target
    stages = (*kernel_cache.stages(optimization_level), *(("proof",) if verify else ()))
    kernel_cache.warm(stages, progress)
    begin = perf_counter()
    track = Track(atol, fidelity, progress, proves=bool(verify))
    source = read(circuit, partial(_with_native_controls, machine, optimization_level, track))
    search = Search(machine, optimization_level, seed, objective, track, effort)
    routed, chosen = search.routed(source)
    native = search.native(routed)
    out = machine.to_cirq(native)
    machine.validate(out)
    verification = prove(Result(source, chosen, routed, native, out), track) if verify else NOT_VERIFIED
    routed = replace(routed, final=routed.final[chosen.place])
    report = tell(machine, native, routed, track, verification, perf_counter() - begin)
    places = (layout(source, machine, routed.initial), layout(source, machine, routed.final))
    return Transpiled(out, *places, report, verification)


def _with_native_controls(machine: Target, level: int, track: Track, circuit: Any) -> Any:
    """The circuit with conditional gates that the machine has, where it can have them."""
    from qattn_compiler.targets.controls import native_controls

    circuit, track.opened = native_controls(circuit, machine, level)
    return circuit


def layout(source: Circuit, machine: Target, places: Any) -> dict[Any, Any]:
    """Qubit of the input -> machine qubit."""
    return {q: machine.device.qubits[p] for q, p in zip(source.qubits, places.tolist(), strict=True)}


def tell(
    machine: Target, native: Circuit, routed: Routed, track: Track, verification: Verification, seconds: float
) -> Report:
    """The report of a transpile."""
    symbols = native.is_symbolic
    run = None if symbols else execution(native, machine.device)
    (picture,) = picture_names(1)
    drawing = partial(draw_chip, native, machine.device, initial=routed.initial, final=routed.final)
    notes = ["global phase is not kept: the machine has no such operation"]
    if track.dropped:
        notes.append(f"rotations dropped: {track.dropped:.3g} radians in all (atol {track.atol:.3g})")
    if track.infidelity:
        notes.append(
            f"two-qubit blocks approximated: average gate infidelities add up to {track.infidelity:.3g}"
        )
    if track.opened:
        notes.append(
            f"classically controlled gates taken apart, each compared as a matrix: {track.opened}; the proof "
            "begins behind that"
        )
    data = {
        "target": machine.name,
        "metrics": metrics(native).to_dict(),
        "execution": None if run is None else run.to_dict(),
        "picture": picture,
        "swaps": routed.swaps,
        "dropped_radians": track.dropped,
        "infidelity": track.infidelity,
        "passes": [step.to_dict() for step in track.steps],
        "verification": verification.to_dict(),
        "notes": notes,
        "seconds": seconds,
    }
    return Report(data, transpile_page, {picture: drawing})
