"""Google's machines, from the device specifications and median calibrations that cirq-google ships."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import cirq
import numpy as np
from numpy.typing import NDArray

from qattn_compiler.device import Device
from qattn_compiler.errors import TargetError
from qattn_compiler.targets.shapes import native_gates
from qattn_compiler.targets.target import Target

_MICRO = 1000.0
"""Nanoseconds in a microsecond."""

_SINGLE = ("x", "y", "z", "h", "s", "sdg", "t", "tdg", "sx", "sxdg", "rx", "ry", "rz", "phased_xz")
_VIRTUAL = ("z", "s", "sdg", "t", "tdg", "rz")
"""Diagonal gates: a change of frame, no pulse."""


_ENTANGLERS = {
    "cz": ("cz", cirq.CZ),
    "siswap": ("siswap", cirq.SQRT_ISWAP),
    "syc": ("fsim", cirq.FSimGate(np.pi / 2, np.pi / 6)),
}
"""Entangler -> gate of the table, gate of Cirq."""
_XEB = {
    "cz": "two_qubit_parallel_cz_gate_xeb_pauli_error_per_cycle",
    "siswap": "two_qubit_parallel_sqrt_iswap_gate_xeb_pauli_error_per_cycle",
    "syc": "two_qubit_parallel_sycamore_gate_xeb_pauli_error_per_cycle",
}
"""Entangler -> the calibration's metric of its error, Pauli error per cycle."""
_PER_UNITARY = {"cz": 3.0, "siswap": 2.21, "syc": 4.0}
"""How many of the entangler a random two-qubit unitary takes on average: what it costs is this times its
error."""
_MEASURE_NANOS = 4000.0
"""Measurement on the chips before Willow. The device specifications say 4 ms, a slip for 4 microseconds, as
`cirq_google.engine` itself has it (`DEFAULT_GATE_NS` of the noise properties)."""


def willow(gate: str | None = None) -> Target:
    """`google.willow`: the 105-qubit `willow_pink` grid, CZ and PhasedXZ, per-edge CZ errors of its
    calibration."""
    return _machine("google.willow", "willow_pink", ("cz",), gate)


def weber(gate: str | None = None) -> Target:
    """`google.weber`: 53 qubits; sqrt-iSWAP or SYC, whichever costs less by its calibration, or `gate`.

    CZ is native too (`?gate=cz`), but has no calibrated error and no duration.
    """
    return _machine("google.weber", "weber", ("siswap", "syc", "cz"), gate)


def rainbow(gate: str | None = None) -> Target:
    """`google.rainbow`: 23 qubits; see `weber`."""
    return _machine("google.rainbow", "rainbow", ("siswap", "syc", "cz"), gate)


def sycamore(gate: str | None = None) -> Target:
    """`google.sycamore`: the 54 qubits of the Sycamore paper, sqrt-iSWAP or SYC.

    No calibration comes with it, so that sqrt-iSWAP is taken, of which fewer are needed."""
    return _machine("google.sycamore", None, ("siswap", "syc"), gate)


def _machine(name: str, processor: str | None, entanglers: tuple[str, ...], gate: str | None) -> Target:
    """A chip of cirq-google's, with what its calibration knows.

    Args:
        name: what users say.
        processor: cirq-google's name; None for `cirq_google.Sycamore`, which has no calibration.
        entanglers: that the chip has.
        gate: which of them; the one that costs least if None.

    Raises:
        TargetError: the chip does not have that gate.
    """
    if gate is not None and gate not in entanglers:
        raise TargetError(f"{name} has no gate {gate!r}; it has {', '.join(entanglers)}")
    cirq_device, calibration = _load(processor)
    qubits = tuple(sorted(cirq_device.metadata.qubit_set))
    edges = _edges(qubits, cirq_device.metadata.qubit_pairs)
    pairs = [(qubits[a], qubits[b]) for a, b in edges.tolist()]
    per_edge = _reader(calibration, pairs)
    gate = gate or min(entanglers, key=lambda e: _cost(per_edge(_XEB[e]), e))
    native, fixed = native_gates(gate, "phased_xz")
    device = Device(
        name=name,
        qubits=qubits,
        edges=edges,
        native=native,
        fixed=fixed,
        durations=MappingProxyType(_durations(cirq_device, gate)),
        edge_error=per_edge(_XEB[gate]),
        **_per_qubit(calibration, qubits),
        source=_source(processor, calibration),
    )
    sampler = None if processor is None else lambda: _noisy_sampler(processor)
    return Target(device, cirq_device, sampler, entangler=gate)


def _load(processor: str | None) -> tuple[Any, Any]:
    """Cirq's device and its median calibration."""
    if processor is None:
        from cirq_google import Sycamore

        return Sycamore, {}
    from cirq_google import engine

    calibration = engine.load_median_device_calibration(processor)
    return engine.create_device_from_processor_id(processor), calibration


def _cost(errors: NDArray[np.float64], entangler: str) -> tuple[bool, float]:
    """Mean error of a two-qubit unitary; entanglers without a known error come last, by count."""
    known = errors[np.isfinite(errors)]
    count = _PER_UNITARY[entangler]
    return (False, count * float(known.mean())) if len(known) else (True, count + 2 * (entangler == "cz"))


def _per_qubit(calibration: Any, qubits: Sequence[cirq.Qid]) -> dict[str, Any]:
    read = _reader(calibration, [(q,) for q in qubits])
    readout = [read("single_qubit_p00_error"), read("single_qubit_p11_error")]
    return {
        "qubit_error": read("single_qubit_rb_pauli_error_per_gate"),
        "readout_error": np.stack(readout, axis=1),
        "t1": read("single_qubit_idle_t1_micros") * _MICRO,
    }


def _source(processor: str | None, calibration: Any) -> str:
    if processor is None:
        return "cirq-google, cirq_google.Sycamore"
    stamp = datetime.fromtimestamp(calibration.timestamp / 1000, tz=UTC).date()
    return f"cirq-google, processor {processor}, median calibration of {stamp.isoformat()}"


def _edges(qubits: Sequence[cirq.Qid], pairs: Any) -> NDArray[np.int32]:
    index = {q: i for i, q in enumerate(qubits)}
    rows = sorted(tuple(sorted(index[q] for q in pair)) for pair in pairs)
    return np.array(rows, dtype=np.int32)


def _reader(calibration: Any, targets: Sequence[tuple[Any, ...]]) -> Callable[[str], NDArray[np.float64]]:
    """metric name -> its value for each target; NaN where the calibration has none."""

    def read(metric: str) -> NDArray[np.float64]:
        values = calibration.get(metric, {})
        return np.array([values.get(t, values.get(t[::-1], [np.nan]))[0] for t in targets])

    return read


def _durations(cirq_device: Any, entangler: str) -> dict[str, float]:
    """Nanoseconds by gate name, from the device's own table, without its slips."""
    table = cirq_device.metadata.gate_durations
    probe = cirq.LineQubit.range(2)
    name, gate = _ENTANGLERS[entangler]
    samples = {
        "phased_xz": cirq.PhasedXZGate(x_exponent=0.3, z_exponent=0.2, axis_phase_exponent=0.1),
        "measure": cirq.MeasurementGate(1, key="m"),
        "reset": cirq.ResetChannel(),
        name: gate,
    }
    nanos: dict[str, float] = {}
    for sample, kind in samples.items():
        operation = kind.on(*probe[: cirq.num_qubits(kind)])
        found = [float(time.total_nanos()) for family, time in table.items() if operation in family]
        if found and found[0] > 0:
            nanos[sample] = found[0]
    if nanos["measure"] > 1e6:
        nanos["measure"] = _MEASURE_NANOS
    pulses = dict.fromkeys(_SINGLE, nanos["phased_xz"])
    return {**pulses, **nanos, **dict.fromkeys(_VIRTUAL, 0.0)}


def _noisy_sampler(processor: str) -> Any:
    """The noisy virtual machine, on qsim where it is installed, else on density matrices (up to 10
    qubits)."""
    from cirq_google import engine

    try:
        import qsimcirq  # noqa: F401

        simulator = None
    except ImportError:
        simulator = cirq.DensityMatrixSimulator
    machine = engine.create_default_noisy_quantum_virtual_machine(processor, simulator_class=simulator)
    try:
        return machine.get_sampler(processor)
    except ValueError as error:
        raise TargetError(f"there is no noisy virtual machine for {processor}: {error}") from error
