"""Prepare: any state, real or complex, dense or sparse, onto a machine, in the way that costs least there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qattn_compiler import kernel_cache, targets
from qattn_compiler.circuit.table import Builder, Circuit
from qattn_compiler.errors import CircuitError, OptionError, TargetError, VerificationError
from qattn_compiler.interop import cirq_io
from qattn_compiler.progress import Progress, silent
from qattn_compiler.synth.chip_state import MAX_QUBITS, plan_state
from qattn_compiler.synth.complex_state import add_complex_state, complex_state_count
from qattn_compiler.synth.diagonal import add_diagonal, diagonal_angles, diagonal_count
from qattn_compiler.synth.real_state import SIZES, RealState
from qattn_compiler.synth.schmidt import LEAST_LINE, SchmidtState
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


@dataclass(frozen=True, eq=False)
class _Aim:
    """A state to prepare in the place of the wanted one.

    Attributes:
        state: shape (2^size,), of norm 1.
        fidelity: its squared overlap with the wanted state.
        cut: what was left out, in words; empty for the state itself.
    """

    state: Amplitudes
    fidelity: float = 1.0
    cut: str = ""


@dataclass(frozen=True)
class _Way:
    """A way to prepare the state.

    Attributes:
        name: for the report.
        least: its two-qubit gates with all couplings, or fewer.
        write: appends it to a builder on the state's qubits.
        planned: the same with its own count, None if it cannot be done; for ways that take long to plan.
    """

    name: str
    least: int
    write: Callable[[Builder], None]
    planned: Callable[[], _Way | None] | None = None


def prepare_state(
    amplitudes: ArrayLike,
    target: str | Target = "google.willow",
    *,
    optimization_level: int = 2,
    seed: int = 0,
    objective: str = "count",
    fidelity: float = 1.0,
    verify: bool | Literal["auto"] = "auto",
    progress: Progress = silent,
) -> Transpiled:
    """A circuit that prepares a state from |0...0> on a machine, up to global phase.

    Every way that might be the cheapest is compiled for the machine: circuits that are real whatever
    their angles, the Schmidt form (real or complex), a cascade of multiplexed rotations, the same with the
    machine's own couplings, magnitudes and phases one after the other, and the support's states merged one by
    one. The report's "preparation" names them.

    With `fidelity` below 1, states near the wanted one are tried as well: of the least Schmidt rank of the
    halves (1, 2, 4, ...; products again by their halves) and of the fewest amplitudes that keep it. What was
    cut is in the report, with the squared overlap that is left; `objective="fidelity"` weighs it against the
    errors of the machine's gates.

    Args:
        amplitudes: shape (2^k,), 1 <= k <= 16, real or complex, of norm 1 (big-endian: the first qubit is the
            most significant bit).
        target: name of the machine, or a `Target`.
        optimization_level, seed, objective, verify, progress: as in `transpile`.
        fidelity: the least squared overlap |<wanted|prepared>|^2, 0 to 1.

    Returns:
        as `transpile`; the state's qubits are `cirq.NamedQubit("q0")`, ... in its layouts.

    Raises:
        CircuitError: the amplitudes are no state.
        OptionError, TargetError: as in `transpile`; the fidelity is none.
        VerificationError: the result is wrong (a bug).
    """
    state, size, norm = _checked(amplitudes)
    machine = targets.get(target) if isinstance(target, str) else target
    check_level(optimization_level)
    kernel_cache.warm(kernel_cache.stages(optimization_level), progress)
    if size > machine.device.num_qubits:
        raise TargetError(f"the state has {size} qubits, {machine.name} has {machine.device.num_qubits}")
    best: Transpiled | None = None
    chosen, least = _Way("", 0, lambda _: None), _Aim(state, 0.0)
    tried: list[dict[str, Any]] = []
    aims = _aims(state, size, fidelity)
    ways = [(way, aim) for aim in aims for way in _ways(aim.state, size, machine, seed)]
    way: _Way | None
    for way, aim in sorted(ways, key=lambda one: one[0].least):
        worse = objective != "fidelity" or aim.fidelity <= least.fidelity
        most = best.report.data["metrics"]["gates_2q"] if best is not None and worse else np.inf
        if way.least <= most and way.planned is not None:
            way = way.planned()
        if way is None or way.least > most:
            continue
        circuit = _written(way, aim.state, size)
        if circuit is None:
            continue
        found = transpile(
            cirq_io.to_cirq(circuit, global_phase=False),
            machine,
            optimization_level=optimization_level,
            seed=seed,
            objective=objective,
            effort="long",
            verify=verify,
            progress=progress,
        )
        cost = found.report.data["metrics"]
        tried.append({"way": way.name, "gates_2q": cost["gates_2q"], "depth_2q": cost["depth_2q"]})
        tried[-1] |= {"fidelity": aim.fidelity, "cut": aim.cut} if aim.cut else {}
        if best is None or _cost(found, objective, aim) < _cost(best, objective, least):
            best, chosen, least = found, way, aim
    if best is None:
        raise VerificationError("no way to prepare the state came to an end")
    data: dict[str, Any] = {"way": chosen.name, "fidelity": least.fidelity, "cut": least.cut}
    data |= {"tried": tried, "norm_of_input": norm}
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


def _aims(state: Amplitudes, size: int, fidelity: float) -> list[_Aim]:
    """The state, and those near it that may take fewer gates.

    Raises:
        OptionError: the fidelity is none.
    """
    if isinstance(fidelity, bool) or not 0 < fidelity <= 1:
        raise OptionError(f"fidelity is {fidelity!r}; a number above 0, at most 1, was expected")
    exact = _Aim(state)
    if fidelity == 1:
        return [exact]
    near, kept = _low_rank(state, size, fidelity), _few(state, fidelity)
    made = {"Schmidt rank": near, "amplitudes": kept}
    out = [exact]
    for what, (other, words) in made.items():
        overlap = float(abs(np.vdot(other, state)) ** 2)
        if words and overlap >= fidelity - NORM**2:
            out.append(_Aim(other, min(1.0, overlap), f"{what} {words}"))
    return out


def _low_rank(state: Amplitudes, size: int, fidelity: float) -> tuple[Amplitudes, str]:
    """The nearest state whose halves have the least Schmidt rank (a power of 2) that keeps the fidelity, and
    that rank; "" if nothing can be cut. A product's halves are cut again, with what is left of it."""
    if size < 2:
        return state, ""
    half = size // 2
    u, values, vh = np.linalg.svd(state.reshape(1 << half, -1), full_matrices=False)
    weights = np.cumsum(values**2)
    full = 1 << (int((values > REAL).sum()) - 1).bit_length()
    rank = 1
    while weights[rank - 1] < fidelity:
        rank *= 2
    if rank > 1:
        near = (u[:, :rank] * values[:rank]) @ vh[:rank]
        return _unit(near.reshape(-1)), f"{rank} of {full}" if rank < full else ""
    left = float(np.sqrt(min(1.0, fidelity / weights[0])))
    parts = [_low_rank(one, n, left) for one, n in ((u[:, 0], half), (vh[0], size - half))]
    words = ", ".join(part[1] for part in parts if part[1])
    own = f"1 of {full}" if full > 1 else ""
    joined = f"{own or '1'} (halves: {words})" if words else own
    return _unit(np.kron(parts[0][0], parts[1][0])), joined


def _few(state: Amplitudes, fidelity: float) -> tuple[Amplitudes, str]:
    """The largest amplitudes that keep the fidelity, and how many; "" if nothing can be cut."""
    order = np.argsort(-np.abs(state), kind="stable")
    count = int(np.searchsorted(np.cumsum(np.abs(state[order]) ** 2), fidelity)) + 1
    support = int((np.abs(state) > REAL).sum())
    if count >= support:
        return state, ""
    out = np.zeros_like(state)
    out[order[:count]] = state[order[:count]]
    return _unit(out), f"{count} of {support}"


def _unit(state: NDArray[Any]) -> Amplitudes:
    """With norm 1, the largest amplitude positive."""
    largest = state[np.abs(state).argmax()]
    out: Amplitudes = state * (abs(largest) / largest) / np.linalg.norm(state)
    return out


def _cost(found: Transpiled, objective: str, aim: _Aim) -> tuple[float, ...]:
    data = found.report.data
    gates, depth = data["metrics"]["gates_2q"], data["metrics"]["depth_2q"]
    if objective == "fidelity" and data["execution"] and data["execution"]["fidelity"] is not None:
        return (-data["execution"]["fidelity"] * aim.fidelity, gates, depth)
    return (*((depth, gates) if objective == "depth" else (gates, depth)), -aim.fidelity)


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
    return _unit(state), size, norm


def _ways(state: Amplitudes, size: int, machine: Target, seed: int) -> Iterator[_Way]:
    qubits = range(size)
    real = state.real / np.linalg.norm(state.real)
    if np.abs(state.imag).max() <= REAL:
        if size in SIZES:
            yield _planned("real circuit on a line", RealState.on_line(size), real)
            yield _planned("real circuit", RealState.anywhere(size), real)
        yield _planned("Schmidt form", SchmidtState.of(size, real[None]), real)
        if size >= LEAST_LINE:
            yield _planned("Schmidt form on lines", SchmidtState.of(size, real[None], form="line"), real)
        yield _planned("Schmidt form, closed", SchmidtState.of(size, real[None], form="closed"), real)
        turns = real_state_angles(real).tolist()
        yield _Way("cascade", real_state_count(size), lambda builder: add_real_state(builder, turns, qubits))
        name = "cascade on the couplings"

        def planned() -> _Way | None:
            plan = plan_state(machine.device, size, seed)
            if plan is None:
                return None
            angles = plan.angles(real).tolist()
            return _Way(name, plan.two_qubit_count, lambda builder: plan.add(builder, angles, qubits))

        yield _Way(name, real_state_count(size), lambda builder: None, planned)
    else:
        yield _Way(
            "complex Schmidt form",
            complex_state_count(size),
            lambda builder: add_complex_state(builder, state, qubits),
        )
        sizes = np.abs(state) / np.linalg.norm(np.abs(state))
        plain = SchmidtState.of(size, sizes[None], form="closed")

        def in_turn(builder: Builder) -> None:
            plain.add(builder, plain.angles(sizes).tolist(), qubits)
            add_diagonal(builder, diagonal_angles(np.angle(state)).tolist(), qubits)

        yield _Way("magnitudes, then phases", plain.two_qubit_count + diagonal_count(size), in_turn)
    steps = sparse_steps(state, 1 << size)
    if steps is not None:
        count = sum(step.two_qubit_count for step in steps)
        yield _Way("support merged", count, lambda builder: add_sparse_state(builder, steps, qubits))


def _planned(name: str, plan: RealState | SchmidtState, state: NDArray[np.float64]) -> _Way:
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
