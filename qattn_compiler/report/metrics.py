"""What a circuit costs on a machine: gates, depth, duration, estimated fidelity, shots."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil, isfinite, log
from typing import Any

import numpy as np

from qattn_compiler.circuit.gates import NUM_QUBITS
from qattn_compiler.circuit.stats import stats
from qattn_compiler.circuit.table import Circuit
from qattn_compiler.device import Device
from qattn_compiler.report.profile import Profile, profile
from qattn_compiler.report.profile import durations as durations  # passes have them from here
from qattn_compiler.report.profile import is_frame_change as is_frame_change


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
        return {**vars(self), "gates": dict(self.gates)}


def metrics(circuit: Circuit) -> Metrics:
    """Count a circuit, symbolic or not."""
    counted = stats(circuit)
    used = np.zeros(circuit.num_wires + 1, dtype=bool)
    used[circuit.wires] = True  # the place behind the end is for no wire
    single = NUM_QUBITS[circuit.op] == 1
    return Metrics(
        gates=dict(counted.counts),
        gates_1q=counted.one_qubit,
        gates_2q=counted.two_qubit,
        pulses=int((single & ~is_frame_change(circuit)).sum()),
        depth=counted.depth,
        depth_2q=counted.two_qubit_depth,
        qubits=int(used[: circuit.num_qubits].sum()),
    )


@dataclass(frozen=True)
class Execution:
    """What running one circuit on a device is like, by the device's calibration.

    Attributes:
        duration_ns: critical path with the device's own times, measurement included; None if a time is
            unknown.
        fidelity: product of (1 - error) over gates, waiting and read-out; None if a rate is unknown. An
            estimate: errors are taken as independent, and a CZ error measured per cycle includes the
            single-qubit gates of that cycle, so it errs on the low side.
        profile: what the two are made of.
    """

    duration_ns: float | None
    fidelity: float | None
    profile: Profile | None = field(default=None, compare=False, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        split = None if self.profile is None else self.profile.to_dict()
        return {"duration_ns": self.duration_ns, "fidelity": self.fidelity, "profile": split}


def execution(circuit: Circuit, device: Device) -> Execution:
    """Duration and estimated fidelity of a circuit on the device's qubits in native gates.

    Raises:
        TargetError: a two-qubit gate is on no edge of the device.
    """
    found = profile(circuit, device)
    return Execution(_known(found.duration_ns), _known(found.success), found)


def _known(value: float) -> float | None:
    return value if isfinite(value) else None


def shots_for_standard_error(error: float, scale: float, expectation: float, square: float = 1.0) -> int:
    """Shots until the standard error of scale * <observable> is `error`; at least 1.

    Args:
        error: in units of the output.
        scale: the sub-normalisation.
        expectation: of the observable.
        square: of its square: 1 where every shot counts 1 or -1.
    """
    if scale == 0:
        return 1
    variance = max(0.0, square - expectation**2)
    return max(1, ceil(variance * (scale / error) ** 2 - 1e-9))


def shots_for_bound(error: float, scale: float, confidence: float = 0.95) -> int:
    """Shots until |estimate - value| <= error with this confidence, whatever the value (Hoeffding)."""
    if scale == 0:
        return 1
    return max(1, ceil(2 * log(2 / (1 - confidence)) * (scale / error) ** 2 - 1e-9))
