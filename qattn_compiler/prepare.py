"""Prepare: any state, real or complex, dense or sparse, onto a machine, in the way that costs least there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qattn_compiler import kernel_cache, targets
from qattn_compiler.circuit.table import Builder, Circuit
from qattn_compiler.errors import CircuitError, TargetError, VerificationError
from qattn_compiler.interop import cirq_io
from qattn_compiler.progress import Progress, silent
from qattn_compiler.synth.chip_state import MAX_QUBITS, plan_state
from qattn_compiler.synth.complex_state import add_complex_state, complex_state_count
from qattn_compiler.synth.diagonal import add_diagonal, diagonal_angles, diagonal_count
from qattn_compiler.synth.schmidt import SchmidtState
from qattn_compiler.synth.sparse_state import add_sparse_state, sparse_steps
from qattn_compiler.synth.state_prep import add_real_state, real_state_angles, real_state_count
from qattn_compiler.targets.target import Target, check_level
from qattn_compiler.transpile import Transpiled, transpile
from qattn_compiler.verify.compare import state_distances
from qattn_compiler.verify.simulate import joint_states, simulate

Amplitudes = NDArray[np.complex128]

NORM: Final = 1e-6
"""How far from 1 a state's norm may be; it is then rescaled to 1."""
REAL: Final = 1e-14
"""Imaginary parts up to here, the global phase taken off, are 0."""
CLOSE: Final = 1e-9
"""Largest distance of a synthesised state from the wanted one."""


@dataclass(frozen=True)
class _Way:
    """A way to prepare the state.

    Attributes:
        name: for the report.
        least: its two-qubit gates with all couplings.
        write: appends it to a builder on the state's qubits.
    """

    name: str
    least: int
    write: Callable[[Builder], None]


def prepare_state(
    amplitudes: ArrayLike,
    target: str | Target = "google.willow",
    *,
    optimization_level: int = 2,
    seed: int = 0,
    objective: str = "count",
    verify: bool | Literal["auto"] = "auto",
    progress: Progress = silent,
) -> Transpiled:
    """A circuit that prepares a state from |0...0> on a machine, up to global phase.

    Every way that might be the cheapest is compiled for the machine: the Schmidt form (real or complex), a
    cascade of multiplexed rotations, the same with the machine's own couplings, magnitudes and phases one
    after the other, and the support's states merged one by one. The report's "preparation" names them.

    Args:
        amplitudes: shape (2^k,), 1 <= k <= 16, real or complex, of norm 1 (big-endian: the first qubit is the
            most significant bit).
        target: name of the machine, or a `Target`.
        optimization_level, seed, objective, verify, progress: as in `transpile`.

    Returns:
        as `transpile`; the state's qubits are `cirq.NamedQubit("q0")`, ... in its layouts.

    Raises:
        CircuitError: the amplitudes are no state.
        OptionError, TargetError: as in `transpile`.
        VerificationError: the result is wrong (a bug).
    """
    state, size, norm = _checked(amplitudes)
    machine = targets.get(target) if isinstance(target, str) else target
    check_level(optimization_level)
    kernel_cache.warm(kernel_cache.stages(optimization_level), progress)
    if size > machine.device.num_qubits:
        raise TargetError(f"the state has {size} qubits, {machine.name} has {machine.device.num_qubits}")
    best: Transpiled | None = None
    tried: list[dict[str, Any]] = []
    for way in sorted(_ways(state, size, machine, seed), key=lambda way: way.least):
        if best is not None and way.least > best.report.data["metrics"]["gates_2q"]:
            continue
        circuit = _written(way, state, size)
        if circuit is None:
            continue
        found = transpile(
            cirq_io.to_cirq(circuit, global_phase=False),
            machine,
            optimization_level=optimization_level,
            seed=seed,
            objective=objective,
            verify=verify,
            progress=progress,
        )
        cost = found.report.data["metrics"]
        tried.append({"way": way.name, "gates_2q": cost["gates_2q"], "depth_2q": cost["depth_2q"]})
        if best is None or _cost(found, objective) < _cost(best, objective):
            best, chosen = found, way.name
    if best is None:
        raise VerificationError("no way to prepare the state came to an end")
    data = {"way": chosen, "tried": tried, "norm_of_input": norm}
    report = replace(best.report, data={**best.report.data, "preparation": data})
    initial, final = _layouts(best, size, machine)
    return replace(best, report=report, initial_layout=initial, final_layout=final)


def _layouts(found: Transpiled, size: int, machine: Target) -> tuple[dict[Any, Any], dict[Any, Any]]:
    """Both layouts with the qubits that no gate is on, which stay on places that nothing else uses."""
    used = {*found.initial_layout.values(), *found.final_layout.values(), *found.circuit.all_qubits()}
    free = iter([q for q in machine.device.qubits if q not in used])
    idle = [q for q in cirq_io.named_qubits(size) if q not in found.initial_layout]
    places = dict(zip(idle, free, strict=False))
    return {**found.initial_layout, **places}, {**found.final_layout, **places}


def _cost(found: Transpiled, objective: str) -> tuple[float, ...]:
    data = found.report.data
    gates, depth = data["metrics"]["gates_2q"], data["metrics"]["depth_2q"]
    if objective == "fidelity" and data["execution"] and data["execution"]["fidelity"] is not None:
        return (-data["execution"]["fidelity"], gates, depth)
    return (depth, gates) if objective == "depth" else (gates, depth)


def _checked(amplitudes: ArrayLike) -> tuple[Amplitudes, int, float]:
    """The state, its qubits, and the norm that it had."""
    try:
        state = np.array(amplitudes, dtype=np.complex128)
    except (TypeError, ValueError) as error:
        raise CircuitError(f"amplitudes: an array of numbers was expected: {error}") from None
    size = max(state.size, 1).bit_length() - 1
    if state.ndim != 1 or state.size != 1 << size or not 1 <= size <= MAX_QUBITS:
        raise CircuitError(
            f"amplitudes: shape (2^k,) with k of 1 to {MAX_QUBITS} was expected, not {state.shape}"
        )
    wrong = np.flatnonzero(~np.isfinite(state))
    if len(wrong):
        raise CircuitError(f"amplitude {wrong[0]} is {state[wrong[0]]}; a finite number was expected")
    norm = float(np.linalg.norm(state))
    if abs(norm - 1) > NORM:
        raise CircuitError(f"the amplitudes have norm {norm:.6g}; 1 was expected: divide by the norm")
    state /= norm
    largest = state[np.abs(state).argmax()]
    return state * (abs(largest) / largest), size, norm


def _ways(state: Amplitudes, size: int, machine: Target, seed: int) -> Iterator[_Way]:
    qubits = range(size)
    real = state.real / np.linalg.norm(state.real)
    if np.abs(state.imag).max() <= REAL:
        yield _schmidt("Schmidt form", SchmidtState.of(size, real[None]), real)
        yield _schmidt("Schmidt form, closed", SchmidtState.of(size, real[None], spare=True), real)
        turns = real_state_angles(real).tolist()
        yield _Way("cascade", real_state_count(size), lambda builder: add_real_state(builder, turns, qubits))
        plan = plan_state(machine.device, size, seed)
        if plan is not None:
            yield _Way(
                "cascade on the couplings",
                plan.two_qubit_count,
                lambda builder: plan.add(builder, plan.angles(real).tolist(), qubits),
            )
    else:
        yield _Way(
            "complex Schmidt form",
            complex_state_count(size),
            lambda builder: add_complex_state(builder, state, qubits),
        )
        sizes = np.abs(state) / np.linalg.norm(np.abs(state))
        plain = SchmidtState.of(size, sizes[None], spare=True)

        def in_turn(builder: Builder) -> None:
            plain.add(builder, plain.angles(sizes).tolist(), qubits)
            add_diagonal(builder, diagonal_angles(np.angle(state)).tolist(), qubits)

        yield _Way("magnitudes, then phases", plain.two_qubit_count + diagonal_count(size), in_turn)
    steps = sparse_steps(state, 1 << size)
    if steps is not None:
        count = sum(step.two_qubit_count for step in steps)
        yield _Way("support merged", count, lambda builder: add_sparse_state(builder, steps, qubits))


def _schmidt(name: str, plan: SchmidtState, state: NDArray[np.float64]) -> _Way:
    def write(builder: Builder) -> None:
        plan.add(builder, plan.angles(state).tolist(), range(plan.size))

    return _Way(name, plan.two_qubit_count, write)


def _written(way: _Way, state: Amplitudes, size: int) -> Circuit | None:
    """The circuit of a way, checked against the state; None if the way has no gates for these numbers.

    Raises:
        VerificationError: it prepares another state.
    """
    builder = Builder(cirq_io.named_qubits(size))
    try:
        way.write(builder)
    except ArithmeticError:
        return None
    circuit = builder.build()
    found = joint_states(simulate(circuit, circuit.angles[None]), range(size))
    distance = float(state_distances(found, state[None])[0])
    if not distance < CLOSE:
        raise VerificationError(f"{way.name}: the state is off by {distance:.3g}")
    return circuit
