"""Prove a compile: every circuit against its blocks, every number against the reference, every circuit by the
device."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.blocks.program import MAX_STATE_QUBITS
from qattn_compiler.circuit import su2
from qattn_compiler.circuit.gates import NUM_QUBITS
from qattn_compiler.circuit.table import Circuit
from qattn_compiler.compiled import Compiled
from qattn_compiler.errors import VerificationError
from qattn_compiler.interop import cirq_io
from qattn_compiler.interop.cirq_results import no_garbage_collection
from qattn_compiler.passes.circuit.fuse_single_qubit import FuseSingleQubit
from qattn_compiler.progress import Progress
from qattn_compiler.unit import Unit
from qattn_compiler.verify.compare import Verification, state_distances
from qattn_compiler.verify.simulate import connected_groups, expectation_z, joint_states, simulate

TOLERANCE = 1e-9
"""Allowed deviation of a decoded number, relative to the scale of its read-out where that is above 1."""

NOTHING = TOLERANCE / 10
"""Runs of pulses this close to the identity are taken for it when circuits are compared."""

MAX_DENSE = 16
"""Programs up to this many qubits are compared as whole states."""


def prove(
    compiled: Compiled, reference: NDArray[np.float64] | None, progress: Progress, max_error: float = 0.0
) -> Verification:
    """Check a compile.

    1. The circuits as given out (`cirq.Circuit`s, read back) have the states of their programs' blocks, which
    are
       computed from the blocks' own definitions (up to MAX_DENSE qubits); or the states that were chosen near
    those, which then must be within `max_error` of them.
    2. The numbers decoded from them equal the reference of the expression.
    3. The device's own validator accepts each.

    Args:
        compiled: bound, or with free symbols (then 1 and 3 are checked at values drawn at random).
        reference: expected output in the shape of `evaluate`; None if tensors are free.
        progress: told how far it is.
        max_error: how far an output may be from the reference because something was left out.

    Raises:
        VerificationError: something is wrong; the message says what and by how much.
    """
    checks: dict[str, float] = {}
    if compiled.is_bound:
        with no_garbage_collection():
            checks["states"] = _check_circuits(compiled, progress)
    else:
        checks["states at random angles"] = max(
            (_check_template(unit, compiled) for unit in compiled.units), default=0
        )
    error = 0.0
    method = "state of every circuit against its blocks, device validation of every circuit"
    if reference is not None:
        error, beyond = _check_numbers(compiled, reference, max_error)
        checks["decoded numbers"] = beyond
        if max_error:
            checks["states changed on purpose, beyond the budget"] = _beyond(compiled, max_error)
        method = "every decoded number against the NumPy reference, " + method
    else:
        method = "at random angles (tensors are free): " + method
    worst = max(checks.values())
    if not worst <= TOLERANCE:
        raise VerificationError(
            f"the compiled circuits do not mean the expression: {checks}",
            hint="this is a bug; please report it",
        )
    if max_error and reference is not None:
        checks["decoded numbers, with what was left out"] = error
    checks["circuits accepted by the device"] = float(len(compiled.circuits))
    return Verification(method, error, max(TOLERANCE, max_error), True, checks)


def _check_numbers(
    compiled: Compiled, reference: NDArray[np.float64], max_error: float
) -> tuple[float, float]:
    """The largest deviation of a number, and the largest beyond what is allowed, relative to scales above
    1."""
    decoded = compiled.evaluate()
    scale = np.empty(len(compiled.positions))
    for unit in compiled.units:
        scale[unit.batch.position] = np.maximum(1.0, np.abs(unit.batch.scale))
    deviation = np.abs(decoded - reference)
    beyond = np.maximum(deviation - max_error, 0.0) / scale.reshape(decoded.shape)
    if not max_error:
        return float(beyond.max(initial=0.0)), float(beyond.max(initial=0.0))
    return float(deviation.max(initial=0.0)), float(beyond.max(initial=0.0))


def _beyond(compiled: Compiled, max_error: float) -> float:
    """How far the outcomes of circuits that prepare other states than their blocks do (`Batch.near`) are
    beyond what an output may change, relative to scales above 1."""
    worst = 0.0
    for unit in compiled.units:
        batch = unit.batch
        if batch.near is not None:
            size = np.abs(batch.scale)
            beyond = size * batch.away()[batch.member] - max_error
            worst = max(worst, float((beyond / np.maximum(1.0, size)).max(initial=0.0)))
    return worst


def _check_circuits(compiled: Compiled, progress: Progress) -> float:
    """Read every Cirq circuit back, and compare its state with its blocks; largest deviation."""
    worst, done = 0.0, 0
    places = {(id(unit), member): i for i, (unit, member) in enumerate(compiled._places)}
    total = len(compiled.circuits)
    for unit in compiled.units:
        assert unit.fused is not None
        dense = unit.batch.program.num_qubits <= min(MAX_DENSE, MAX_STATE_QUBITS)
        if dense:
            wanted = unit.batch.states()
            order = unit.routed.final.tolist()
            worst = max(
                worst, float(state_distances(joint_states(unit.states(), order), wanted).max(initial=0.0))
            )
        else:
            worst = max(worst, _wide_distance(unit))
        for member in range(unit.batch.circuits):
            circuit = compiled.circuits[places[(id(unit), member)]]
            compiled.target.validate(circuit)
            worst = max(worst, _read_back(unit, member, circuit))
            done += 1
            progress("verify", done, total)
    return worst


def _wide_distance(unit: Unit) -> float:
    """For programs too wide for one state: the observable, by the logical gates against the native ones."""
    values = unit.batch.program.parameter_values(unit.logical, unit.batch.numbers)
    angles, _ = unit.logical.bind_batch(values)
    expected = expectation_z(simulate(unit.logical, angles), unit.batch.program.observed)
    return float(np.abs(unit.expectations() - expected).max(initial=0.0))


def _read_back(unit: Unit, member: int, circuit: object) -> float:
    """How far the Cirq circuit's columns are from the ones that were simulated."""
    assert unit.fused is not None
    ours = unit.fused.member(member)
    back = cirq_io.from_cirq(circuit, qubits=ours.qubits)  # type: ignore[arg-type]
    if unit.target.basis == "phased_xz":
        return cirq_io.column_distance(ours, back)
    return cirq_io.column_distance(_one_a_run(ours), _one_a_run(back))


def _one_a_run(circuit: Circuit) -> Circuit:
    """Each run of pulses as one gate, so that circuits in different pulses can be compared; runs that do
    nothing are left out, so that rounding errors do not decide whether they are there."""
    fused = FuseSingleQubit().run(circuit)
    single = NUM_QUBITS[fused.op] == 1
    q, _ = su2.quaternions(fused.op, fused.angles)
    nothing = single & (fused.extra < 0) & (np.abs(q[:, 1:]).max(axis=1, initial=0.0) < NOTHING)
    return fused.with_rows(np.flatnonzero(~nothing))


def _check_template(unit: Unit, compiled: Compiled) -> float:
    """A structure with free symbols, at random angles: the logical circuit against the native one."""
    compiled.target.validate(unit.cirq_template())
    if unit.plan is not None:
        return _check_plan(unit)
    values = np.random.default_rng(0).uniform(-1, 1, (3, len(unit.logical.params)))
    column = {p.name: i for i, p in enumerate(unit.logical.params)}
    native = unit.target.fuse_batch(unit.template, values[:, [column[p.name] for p in unit.template.params]])
    angles, _ = unit.logical.bind_batch(values)
    order = unit.routed.final.tolist()
    wide = max((len(g) for g in connected_groups(unit.logical)), default=0) > MAX_DENSE
    if wide or unit.logical.num_qubits > MAX_DENSE:
        program = unit.batch.program
        before = expectation_z(simulate(unit.logical, angles), program.observed)
        after = expectation_z(simulate(native.circuit, native.angles), unit.observed)
        return float(np.abs(before - after).max())
    wanted = joint_states(simulate(unit.logical, angles), range(unit.logical.num_qubits))
    found = joint_states(simulate(native.circuit, native.angles), order)
    return float(state_distances(found, wanted).max())


def _check_plan(unit: Unit) -> float:
    """A structure that prepares any real state: random states against the native circuit."""
    wanted = np.random.default_rng(0).normal(size=(3, 2**unit.batch.program.num_qubits))
    wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
    native = unit.target.fuse_batch(unit.template, unit.planned_values(wanted))
    found = joint_states(simulate(native.circuit, native.angles), unit.routed.final.tolist())
    return float(state_distances(found, unit.batch.program.finished(wanted.astype(complex))).max())
