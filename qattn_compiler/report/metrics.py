"""What a circuit costs on a machine: gates, depth, duration, estimated fidelity, shots."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import ceil, isfinite, log

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit.gates import GATES, MEASURE, NUM_QUBITS, PHASED_XZ, RESET
from qattn_compiler.circuit.stats import stats
from qattn_compiler.circuit.table import Circuit
from qattn_compiler.device import Device

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Metrics:
    """Costs of one circuit.

    Attributes:
        gates: count by gate name, measurements included.
        gates_1q: single-qubit unitary gates; `pulses` leaves out those that only turn the frame (diagonal
            ones).
        gates_2q: unitary gates on two and more qubits.
        depth: layers of all operations; `depth_2q` counts only gates on two and more qubits.
        qubits: qubits that some operation acts on.
    """

    gates: dict[str, int]
    gates_1q: int
    gates_2q: int
    pulses: int
    depth: int
    depth_2q: int
    qubits: int

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return asdict(self)


def metrics(circuit: Circuit) -> Metrics:
    """Count a circuit, symbolic or not."""
    counted = stats(circuit)
    wires = circuit.wires
    single = NUM_QUBITS[circuit.op] == 1
    return Metrics(
        gates=dict(counted.counts),
        gates_1q=counted.one_qubit,
        gates_2q=counted.two_qubit,
        pulses=int((single & ~_is_frame_change(circuit)).sum()),
        depth=counted.depth,
        depth_2q=counted.two_qubit_depth,
        qubits=len(np.unique(wires[(wires >= 0) & (wires < circuit.num_qubits)])),
    )


def _is_frame_change(circuit: Circuit) -> NDArray[np.bool_]:
    diagonal = np.array([g.num_qubits == 1 and g.axes == ("Z",) for g in GATES])[circuit.op]
    no_x = (circuit.op == PHASED_XZ) & (circuit.angles[:, 0] == 0) & ~circuit.symbolic_rows
    out: NDArray[np.bool_] = diagonal | no_x
    return out


@dataclass(frozen=True)
class Execution:
    """What running one circuit on a device is like, by the device's calibration.

    Attributes:
        duration_ns: critical path with the device's own times, measurement included; None if a time is
            unknown.
        fidelity: product of (1 - error) over gates, idling (T1 decay over the duration of each used qubit's
            idle time) and read-out; None if a rate is unknown. An estimate: errors are taken as independent,
            and a CZ error measured per cycle includes the single-qubit gates of that cycle, so it errs on the
            low side.
    """

    duration_ns: float | None
    fidelity: float | None

    def to_dict(self) -> dict[str, float | None]:
        """Plain data."""
        return {"duration_ns": self.duration_ns, "fidelity": self.fidelity}


def execution(circuit: Circuit, device: Device) -> Execution:
    """Duration and estimated fidelity of a circuit on the device's qubits in native gates."""
    nanoseconds = _durations(circuit, device)
    if not np.isfinite(nanoseconds).all():
        return Execution(None, None)
    from qattn_compiler.circuit.kernels import critical_path

    done = critical_path(nanoseconds, circuit.wires, circuit.num_wires)[: circuit.num_qubits]
    return Execution(float(done.max(initial=0.0)), _fidelity(circuit, device, nanoseconds, done))


def _durations(circuit: Circuit, device: Device) -> Floats:
    by_code = np.array([device.durations.get(g.name, np.nan) for g in GATES])
    out = by_code[circuit.op]
    out[_is_frame_change(circuit)] = 0.0
    return out


def _fidelity(circuit: Circuit, device: Device, nanoseconds: Floats, done: Floats) -> float | None:
    pulses = (NUM_QUBITS[circuit.op] == 1) & ~_is_frame_change(circuit)
    total = np.log1p(-device.qubit_error[circuit.operands[pulses, 0]]).sum()
    pairs = np.sort(circuit.operands[NUM_QUBITS[circuit.op] == 2], axis=1)
    edges = [device.edge_index[(a, b)] for a, b in pairs.tolist()]
    total += np.log1p(-device.edge_error[edges]).sum()
    busy = np.zeros(circuit.num_qubits)
    for row in range(len(circuit)):
        extra = circuit.extras[circuit.extra[row]] if circuit.extra[row] >= 0 else None
        qubits = (
            extra.operands if extra is not None and extra.operands else tuple(circuit.operands[row].tolist())
        )
        acting = [q for q in qubits if q >= 0]
        busy[acting] += nanoseconds[row]
        if circuit.op[row] == MEASURE:
            total += np.log1p(-device.readout_error[acting].mean(axis=1)).sum()
        elif circuit.op[row] == RESET:
            return None
    idle = np.where(busy > 0, done - busy, 0.0)
    used = idle > 0
    total -= (idle[used] / device.t1[used]).sum()
    return float(np.exp(total)) if isfinite(total) else None


def shots_for_standard_error(error: float, scale: float, expectation: float) -> int:
    """Shots until the standard error of scale * <observable> is `error`; at least 1."""
    if scale == 0:
        return 1
    variance = max(0.0, 1.0 - expectation**2)
    return max(1, ceil(variance * (scale / error) ** 2 - 1e-9))


def shots_for_bound(error: float, scale: float, confidence: float = 0.95) -> int:
    """Shots until |estimate - value| <= error with this confidence, whatever the value (Hoeffding)."""
    if scale == 0:
        return 1
    return max(1, ceil(2 * log(2 / (1 - confidence)) * (scale / error) ** 2 - 1e-9))
