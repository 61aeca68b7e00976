"""Google's machines, from the device specifications and median calibrations that cirq-google ships."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cache
from types import MappingProxyType
from typing import Any

import cirq
import numpy as np
from numpy.typing import NDArray

from qattn_compiler.device import Device
from qattn_compiler.errors import TargetError
from qattn_compiler.targets.target import Target

_MICRO = 1000.0
"""Nanoseconds in a microsecond."""

_SINGLE = ("x", "y", "z", "h", "s", "sdg", "t", "tdg", "sx", "sxdg", "rx", "ry", "rz", "phased_xz")
_VIRTUAL = ("z", "s", "sdg", "t", "tdg", "rz")
"""Diagonal gates: a change of frame, no pulse."""


@cache
def willow() -> Target:
    """`google.willow`: the 105-qubit `willow_pink` grid, CZ and PhasedXZ, per-edge CZ errors of its
    calibration."""
    from cirq_google import engine

    cirq_device = engine.create_device_from_processor_id("willow_pink")
    calibration = engine.load_median_device_calibration("willow_pink")
    qubits = tuple(sorted(cirq_device.metadata.qubit_set))
    edges = _edges(qubits, cirq_device.metadata.qubit_pairs)
    per_qubit = _reader(calibration, [(q,) for q in qubits])
    per_edge = _reader(calibration, [(qubits[a], qubits[b]) for a, b in edges.tolist()])
    stamp = datetime.fromtimestamp(calibration.timestamp / 1000, tz=UTC).date()
    readout = [per_qubit("single_qubit_p00_error"), per_qubit("single_qubit_p11_error")]
    device = Device(
        name="google.willow",
        qubits=qubits,
        edges=edges,
        native=frozenset((*_SINGLE, "cz")),
        durations=MappingProxyType(_durations(cirq_device)),
        edge_error=per_edge("two_qubit_parallel_cz_gate_xeb_pauli_error_per_cycle"),
        qubit_error=per_qubit("single_qubit_rb_pauli_error_per_gate"),
        readout_error=np.stack(readout, axis=1),
        t1=per_qubit("single_qubit_idle_t1_micros") * _MICRO,
        source=f"cirq-google, processor willow_pink, median calibration of {stamp.isoformat()}",
    )
    return Target(device, cirq_device, lambda: _noisy_sampler("willow_pink"))


def _edges(qubits: Sequence[cirq.Qid], pairs: Any) -> NDArray[np.int32]:
    index = {q: i for i, q in enumerate(qubits)}
    rows = sorted(tuple(sorted(index[q] for q in pair)) for pair in pairs)
    return np.array(rows, dtype=np.int32)


def _reader(calibration: Any, targets: Sequence[tuple[Any, ...]]) -> Callable[[str], NDArray[np.float64]]:
    """metric name -> its value for each target; NaN where the calibration has none."""

    def read(metric: str) -> NDArray[np.float64]:
        values = calibration[metric]
        return np.array([values.get(t, values.get(t[::-1], [np.nan]))[0] for t in targets])

    return read


def _durations(cirq_device: Any) -> dict[str, float]:
    """Nanoseconds by gate name, from the device's own table."""
    table = cirq_device.metadata.gate_durations
    probe = cirq.LineQubit.range(2)
    nanos: dict[str, float] = {}
    samples = {
        "cz": cirq.CZ,
        "phased_xz": cirq.PhasedXZGate(x_exponent=0.3, z_exponent=0.2, axis_phase_exponent=0.1),
    }
    samples |= {"measure": cirq.MeasurementGate(1, key="m"), "reset": cirq.ResetChannel()}
    for name, gate in samples.items():
        operation = gate.on(*probe[: cirq.num_qubits(gate)])
        nanos[name] = next(float(t.total_nanos()) for family, t in table.items() if operation in family)
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
