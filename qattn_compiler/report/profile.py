"""Where the time goes and where the errors come from when a circuit runs on a machine.

A circuit's rows start as early as their wires let them (this is also how circuits are written out); each row
lasts as long as the machine's own times say. A loss is -ln(1 - error): losses add where the probabilities of
success multiply, so a part's share of the error is its loss divided by the whole.

The estimate of success takes errors as independent and each as fatal (Nishio, Pan, Satoh, Amano, Van Meter,
ACM JETC 16, 32 (2020)). Waiting for t is the Pauli error of decay and dephasing, twirled:
(1 - exp(-t/T1)) / 4 + (1 - exp(-t/T2)) / 2 (Tomita, Svore, PRA 90, 062320 (2014)); what a calibration calls a
gate's Pauli error is the same measure.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit.gates import GATES, MEASURE, NUM_QUBITS, OPAQUE, PHASED_XZ, RESET
from qattn_compiler.circuit.table import Circuit
from qattn_compiler.device import Device
from qattn_compiler.errors import TargetError

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PARTS = ("gates_1q", "gates_2q", "idle", "readout")
"""What the error is split into."""


@dataclass(frozen=True, eq=False)
class Profile:
    """One circuit on one machine. What is unknown is NaN; unused qubits and edges have zeros.

    Attributes:
        device: the machine.
        duration_ns: from the first row's start to the last one's end.
        used: shape (qubits,): whether any operation acts on the qubit.
        pulses: shape (qubits,): single-qubit gates that are more than a turn of the frame.
        entanglers: shape (edges,): two-qubit gates on each edge of the device.
        readouts: shape (qubits,): measurements.
        busy_ns: shape (qubits,): time in operations.
        idle_ns: shape (qubits,): time between a qubit's first operation and its last in which it only waits.
            Before its first operation it is in |0> and loses nothing.
        unrated: operations whose error no machine gives: resets, foreign operations.
        pulse_loss, idle_loss, readout_loss: shape (qubits,).
        entangler_loss: shape (edges,).
    """

    device: Device
    duration_ns: float
    used: Bools
    pulses: Ints
    entanglers: Ints
    readouts: Ints
    busy_ns: Floats
    idle_ns: Floats
    unrated: int
    pulse_loss: Floats
    idle_loss: Floats
    readout_loss: Floats
    entangler_loss: Floats

    @cached_property
    def losses(self) -> dict[str, float]:
        """The loss of each of PARTS."""
        whole = (self.pulse_loss, self.entangler_loss, self.idle_loss, self.readout_loss)
        return {part: float(loss.sum()) for part, loss in zip(PARTS, whole, strict=True)}

    @property
    def loss(self) -> float:
        """All losses together; NaN if any is unknown, or an operation has no known error."""
        return float("nan") if self.unrated else sum(self.losses.values())

    @property
    def success(self) -> float:
        """Estimated probability that nothing goes wrong."""
        return float(np.exp(-self.loss))

    @cached_property
    def qubit_loss(self) -> Floats:
        """Shape (qubits,): what is lost on each qubit alone; two-qubit gates count for their edge."""
        return self.pulse_loss + self.idle_loss + self.readout_loss

    @cached_property
    def gates_on(self) -> Ints:
        """Shape (qubits,): gates and measurements on each qubit, two-qubit gates on both of theirs."""
        size = self.device.num_qubits
        twice = np.repeat(self.entanglers, 2)
        both = np.bincount(self.device.edges.ravel(), weights=twice, minlength=size)
        return self.pulses + self.readouts + both.astype(np.int64)

    def to_dict(self) -> dict[str, Any]:
        """Plain data: the split, and a line for each used qubit and edge."""
        success = {part: float(np.exp(-loss)) for part, loss in self.losses.items()}
        return {
            "idle_ns": float(self.idle_ns.sum()),
            "success": {"total": self.success, **success},
            "share": {part: self._share(loss) for part, loss in self.losses.items()},
            "qubits": list(self._qubit_lines()),
            "edges": list(self._edge_lines()),
        }

    def _share(self, loss: float) -> float:
        return 0.0 if self.loss == 0 else loss / self.loss

    def _qubit_lines(self) -> Iterator[dict[str, Any]]:
        for q in np.flatnonzero(self.used).tolist():
            yield {
                "qubit": str(self.device.qubits[q]),
                "gates_1q": int(self.pulses[q]),
                "gates_2q": int(self.gates_on[q] - self.pulses[q] - self.readouts[q]),
                "readouts": int(self.readouts[q]),
                "busy_ns": float(self.busy_ns[q]),
                "idle_ns": float(self.idle_ns[q]),
                "share": self._share(float(self.qubit_loss[q])),
            }

    def _edge_lines(self) -> Iterator[dict[str, Any]]:
        for e in np.flatnonzero(self.entanglers).tolist():
            yield {
                "qubits": [str(self.device.qubits[q]) for q in self.device.edges[e]],
                "gates": int(self.entanglers[e]),
                "error": float(self.device.edge_error[e]),
                "share": self._share(float(self.entangler_loss[e])),
            }


def profile(circuit: Circuit, device: Device) -> Profile:
    """Time and errors of a circuit on the device's qubits, in one pass over its columns.

    Args:
        circuit: on the device's own qubits, two-qubit gates on its edges; symbolic or not.
        device: whose times and error rates count.

    Raises:
        TargetError: the circuit has another number of qubits, or a two-qubit gate is on no edge.
    """
    size = device.num_qubits
    if circuit.num_qubits != size:
        raise TargetError(f"{device.name} has {size} qubits, not {circuit.num_qubits} as the circuit")
    nanoseconds = durations(circuit, device)
    row, column = np.nonzero((circuit.wires >= 0) & (circuit.wires < size))
    qubit = circuit.wires[row, column]
    busy = np.bincount(qubit, weights=nanoseconds[row], minlength=size).astype(np.float64)
    first, done = _first_and_last(circuit, nanoseconds, row, qubit)
    idle = np.where(busy == 0, 0.0, np.maximum(done - first - busy, 0.0))
    single = (NUM_QUBITS[circuit.op] == 1) & ~is_frame_change(circuit)
    pulses = np.bincount(circuit.operands[single, 0], minlength=size)
    readouts = np.bincount(qubit[circuit.op[row] == MEASURE], minlength=size)
    entanglers = np.bincount(_edges(circuit, device), minlength=len(device.edges))
    return Profile(
        device=device,
        duration_ns=float(done.max(initial=0.0)),  # NaN stays NaN
        used=np.bincount(qubit, minlength=size) > 0,
        pulses=pulses,
        entanglers=entanglers,
        readouts=readouts,
        busy_ns=busy,
        idle_ns=idle,
        unrated=int(((circuit.op == RESET) | (circuit.op == OPAQUE)).sum()),
        pulse_loss=_times(pulses, -np.log1p(-device.qubit_error)),
        idle_loss=_idle_loss(idle, device),
        readout_loss=_times(readouts, -np.log1p(-device.readout_error.mean(axis=1))),
        entangler_loss=_times(entanglers, -np.log1p(-device.edge_error)),
    )


def durations(circuit: Circuit, device: Device) -> Floats:
    """How long each row lasts, shape (rows,), nanoseconds; NaN where the device does not say."""
    by_code = np.array([device.durations.get(g.name, np.nan) for g in GATES])
    out: Floats = by_code[circuit.op]
    out[is_frame_change(circuit)] = 0.0
    return out


def is_frame_change(circuit: Circuit) -> Bools:
    """Shape (rows,): single-qubit gates that are diagonal: a later pulse's phase does them."""
    diagonal = np.array([g.num_qubits == 1 and g.axes == ("Z",) for g in GATES])[circuit.op]
    no_x = (circuit.op == PHASED_XZ) & (circuit.angles[:, 0] == 0) & ~circuit.symbolic_rows
    out: Bools = diagonal | no_x
    return out


def _first_and_last(
    circuit: Circuit, nanoseconds: Floats, row: Ints, qubit: NDArray[np.int32]
) -> tuple[Floats, Floats]:
    """When each qubit's first row starts and its last one ends; 0 for unused qubits, all NaN if any row's
    time is unknown. Row i of the pairs acts on the qubit beside it, rows in order.

    A row that is the first on any of its qubits gets a wire of its own, which then tells when the row ends.
    """
    from qattn_compiler.circuit.kernels import critical_path

    size = circuit.num_qubits
    if not np.isfinite(nanoseconds).all():
        return np.full(size, np.nan), np.full(size, np.nan)
    rows, width = circuit.wires.shape
    acting, index = np.unique(qubit, return_index=True)
    heads, head_of = np.unique(row[index], return_inverse=True)
    wires = np.full((rows, width + 1), -1, dtype=np.int32)
    wires[:, :width] = circuit.wires
    wires[heads, 1:] = circuit.wires[heads]
    wires[heads, 0] = circuit.num_wires + np.arange(len(heads))
    done = critical_path(nanoseconds, wires, circuit.num_wires + len(heads))
    first = np.zeros(size)
    first[acting] = (done[circuit.num_wires :] - nanoseconds[heads])[head_of]
    return first, done[:size]


def _edges(circuit: Circuit, device: Device) -> Ints:
    """The edge of each two-qubit gate of the table, in order."""
    pairs = circuit.operands[NUM_QUBITS[circuit.op] == 2].astype(np.int64)
    if not len(pairs):
        return np.zeros(0, dtype=np.int64)
    known = device.edges.astype(np.int64) @ (device.num_qubits, 1)
    wanted = np.sort(pairs, axis=1) @ (device.num_qubits, 1)
    order = np.argsort(known)
    found = np.searchsorted(known, wanted, sorter=order)
    edge = order[np.minimum(found, len(known) - 1)] if len(known) else found
    wrong = known[edge] != wanted if len(known) else np.ones(len(wanted), dtype=bool)
    if wrong.any():
        a, b = pairs[wrong][0]
        raise TargetError(f"{device.name}: {device.qubits[a]} and {device.qubits[b]} are not coupled")
    return edge


def _times(count: Ints, loss: Floats) -> Floats:
    """What is lost in so many uses; what is not used loses nothing, whatever is unknown of it."""
    return np.where(count > 0, count * loss, 0.0)


def _idle_loss(idle: Floats, device: Device) -> Floats:
    """Loss of waiting: the Pauli error of T1 and T2 (module docstring), t/T1 where T2 is unknown.

    To first order t/T1 is that error for T2 = 2/3 T1.
    """
    error = (1 - np.exp(-idle / device.t1)) / 4 + (1 - np.exp(-idle / device.t2)) / 2
    loss = np.where(np.isfinite(error), -np.log1p(-error), idle / device.t1)
    return np.where(idle == 0, 0.0, loss)
