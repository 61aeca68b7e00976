"""When each row of a circuit runs on a device, and the rows in that order.

Every qubit, and every classical key, does one row at a time; a row lasts as long as the device says (gates
that only turn the frame last 0 ns, as in `report.metrics`). "asap" starts rows as soon as their wires are
free, "alap" as late as is possible without making the whole longer, so that qubits stay in |0> as long as
they can. Both give the shortest total, which is the duration that `report.metrics.execution` reports.

Source: ASAP and ALAP scheduling, De Micheli, "Synthesis and Optimization of Digital Circuits" (1994),
chapter 5.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit.gates import GATES, NUM_QUBITS, OPAQUE
from qattn_compiler.circuit.table import Circuit
from qattn_compiler.device import Device
from qattn_compiler.errors import PassError, TargetError
from qattn_compiler.passes.circuit.base import CirqTransformer
from qattn_compiler.report import metrics

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

POLICIES: Final = ("asap", "alap")

ROUNDING: Final = 1e-6
"""Nanoseconds: less is a rounding error of sums."""

_SLOT: Final = "slot_ns="


@dataclass(frozen=True)
class Schedule(CirqTransformer):
    """Put the rows in the order of their start times; equal times keep their order.

    Keeps: every row as it is, and the order of rows that share a qubit or a key, so the meaning.

    Attributes:
        device: whose durations count.
        policy: "asap" or "alap" (module docstring).
        unknown: nanoseconds of rows whose duration the device does not give (foreign operations are such);
            NaN, the default, makes them an error.

    Raises:
        PassError: there is no such policy, or `unknown` is negative or infinite.
    """

    device: Device
    policy: str = "alap"
    unknown: float = float("nan")
    name: ClassVar[str] = "schedule"

    def __post_init__(self) -> None:
        check_options(self.name, self.policy, self.unknown)

    def run(self, circuit: Circuit, /) -> Circuit:
        """The circuit in the order of time.

        Raises:
            TargetError: the device does not give the duration of a row.
        """
        start = start_times(circuit, self.device, self.policy, self.unknown)
        if (np.diff(start) >= 0).all():
            return circuit
        return circuit.with_rows(np.argsort(start, kind="stable"))


@dataclass(frozen=True, eq=False)
class IdleWindows:
    """Times at which a qubit waits between two of its rows; sorted by qubit, then by time.

    Attributes:
        qubit: shape (windows,): qubit indices.
        before, after: shape (windows,): the rows that it waits between.
        start, stop: shape (windows,): nanoseconds; longer than ROUNDING.
    """

    qubit: Ints
    before: Ints
    after: Ints
    start: Floats
    stop: Floats

    def __len__(self) -> int:
        return len(self.qubit)

    @property
    def length(self) -> Floats:
        """Shape (windows,): nanoseconds."""
        return self.stop - self.start

    def take(self, which: Ints) -> IdleWindows:
        """These windows of them."""
        times = self.start[which], self.stop[which]
        return IdleWindows(self.qubit[which], self.before[which], self.after[which], *times)


def start_times(
    circuit: Circuit, device: Device, policy: str = "alap", unknown: float = float("nan")
) -> Floats:
    """When each row starts, shape (rows,), nanoseconds from the first row's start on.

    Args:
        circuit: on any qubits (durations are by gate, not by qubit). A row with a tag of `slot_tag` has that
            much time for itself, and stands in the middle of it.
        device: whose durations count.
        policy: "asap" or "alap".
        unknown: nanoseconds of rows whose duration the device does not give; NaN makes them an error.

    Raises:
        PassError: there is no such policy, or `unknown` is negative or infinite.
        TargetError: the device does not give the duration of a row.
    """
    check_options("start_times", policy, unknown)
    nanoseconds = durations(circuit, device, unknown)
    slots = np.fmax(nanoseconds, _slots(circuit))
    return _slot_starts(circuit, slots, policy) + (slots - nanoseconds) / 2


def idle_windows(
    circuit: Circuit, device: Device, policy: str = "alap", unknown: float = float("nan")
) -> IdleWindows:
    """All times at which a qubit waits between two of its rows (arguments and errors: `start_times`)."""
    check_options("idle_windows", policy, unknown)
    slots = np.fmax(durations(circuit, device, unknown), _slots(circuit))
    return gaps(circuit, slots, policy)


def gaps(circuit: Circuit, lengths: Floats, policy: str) -> IdleWindows:
    """The idle windows if row i takes `lengths[i]`, in whatever unit."""
    start = _slot_starts(circuit, lengths, policy)
    row, column = np.nonzero((circuit.wires >= 0) & (circuit.wires < circuit.num_qubits))
    qubit = circuit.wires[row, column].astype(np.int64)
    order = np.lexsort((row, qubit))
    row, qubit = row[order], qubit[order]
    begin, end = (start + lengths)[row[:-1]], start[row[1:]]
    idle = np.flatnonzero((qubit[:-1] == qubit[1:]) & (end > begin + ROUNDING))
    return IdleWindows(qubit[idle], row[idle], row[idle + 1], begin[idle], end[idle])


def _slot_starts(circuit: Circuit, lengths: Floats, policy: str) -> Floats:
    from qattn_compiler.passes.circuit.schedule_kernels import starts

    found: Floats = starts(lengths, circuit.wires, circuit.num_wires, policy == "alap")
    return found


def durations(circuit: Circuit, device: Device, unknown: float = float("nan")) -> Floats:
    """How long each row's operation takes, shape (rows,), nanoseconds (arguments: `start_times`).

    Raises:
        TargetError: the device does not give the duration of a row, and `unknown` is NaN.
    """
    out = metrics.durations(circuit, device)
    missing = np.isnan(out)
    if missing.any() and np.isnan(unknown):
        row = int(np.flatnonzero(missing)[0])
        what = GATES[circuit.op[row]].name
        if circuit.op[row] == OPAQUE:
            what = str(circuit.extras[circuit.extra[row]].payload)
        raise TargetError(
            f"{device.name} does not say how long {what} takes (row {row})",
            hint="decompose to native gates first, or give the nanoseconds as `unknown`",
        )
    out[missing] = unknown
    return out


def slot_tag(nanoseconds: float) -> str:
    """The tag of a row that has so much time on its qubit for itself and stands in the middle of it."""
    return f"{_SLOT}{nanoseconds!r}"


def _slots(circuit: Circuit) -> Floats:
    """The slots by tag, shape (rows,); NaN for rows without one."""
    by_extra = np.full(len(circuit.extras) + 1, np.nan)
    for number, extra in enumerate(circuit.extras):
        for tag in extra.tags:
            if isinstance(tag, str) and tag.startswith(_SLOT):
                by_extra[number] = float(tag.removeprefix(_SLOT))
    slots: Floats = by_extra[circuit.extra]  # row -1, the last entry, is that of rows without an extra
    slots[NUM_QUBITS[circuit.op] == 0] = np.nan
    return slots


def check_options(name: str, policy: str, unknown: float) -> None:
    """Raise PassError, in the name of a pass, unless the options make sense."""
    if policy not in POLICIES:
        raise PassError(f"{name}: there is no policy {policy!r}; there are {', '.join(POLICIES)}")
    if unknown < 0 or np.isinf(unknown):
        raise PassError(f"{name}: unknown is {unknown}; nanoseconds, 0 or more, were expected")
