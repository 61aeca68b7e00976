"""Dynamical decoupling: pulses that together do nothing, in windows in which a qubit only waits.

The sequence turns the qubit so that slow phase errors of its first half are undone by the second. It goes
into windows between two gates of a qubit: before its first gate, after a measurement or a reset, and before
either of them, there is no phase to protect.

A circuit has no clock, only an order. So each pulse carries its time with it, as a tag: its slot, in whose
middle it stands (`schedule.slot_tag`). `schedule.start_times` honours that, by either policy, as long as the
rows about it stay as they are; the slots of a window fill it, so nothing is delayed. Who writes the circuit
out must honour it as well. `to_cirq` packs operations into the earliest moment and does not know of time: for
circuits that are run moment by moment there is `spacing="moments"`, which fills the idle moments of a window
one by one, and so has its pulses evenly spaced without any clock.

Sources: Viola, Knill, Lloyd, PRL 82, 2417 (1999) (decoupling, XY4); Meiboom, Gill, Rev. Sci. Instrum. 29,
688 (1958) (two pulses at 1/4 and 3/4); Ezzell, Pokharel, Tewala, Quiroz, Lidar, PR Applied 20, 064027 (2023)
(comparison on superconducting devices; symmetric placing).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf, isfinite, pi
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit.gates import BY_NAME, MEASURE, RESET
from qattn_compiler.circuit.table import Builder, Circuit, Extra
from qattn_compiler.device import Device
from qattn_compiler.errors import PassError
from qattn_compiler.passes.circuit.base import CirqTransformer
from qattn_compiler.passes.circuit.schedule import (
    ROUNDING,
    IdleWindows,
    check_options,
    durations,
    gaps,
    idle_windows,
    slot_tag,
)
from qattn_compiler.report import metrics

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

TAG: Final = "decoupling"
"""The tag of every inserted pulse; other passes leave tagged gates alone."""

SEQUENCES: Final = {"xx": "xx", "xy4": "xyxy"}
SPACINGS: Final = ("time", "moments")

_PULSES: Final = {
    "x": (("x", ()), ("phased_xz", (pi, 0.0, 0.0)), ("rx", (pi,))),
    "y": (("y", ()), ("phased_xz", (pi, 0.0, pi / 2)), ("ry", (pi,))),
}
"""Pulse -> gates that do it, the best first."""


@dataclass(frozen=True)
class Decouple(CirqTransformer):
    """Insert decoupling sequences (module docstring).

    Keeps: meaning and global phase exactly, every row and its order; only tagged rows come to it. In
    nanoseconds, the duration of the whole; in moments, the depth.

    Attributes:
        device: whose durations count, and one of whose native gates is the pulse.
        sequence: "xx" (two X) or "xy4" (X Y X Y).
        minimum: how many times as long as its pulses a window must be; 1 or more.
        longest: nanoseconds; a window longer than that holds the sequence as often as makes it shorter for
            each, if it is long enough for that.
        policy: "asap" or "alap": how the circuit is to be scheduled (`schedule`). Moments are always "asap".
        spacing: "time": pulse k of n has its middle at (k + 1/2) / n of the window, whose length in
            nanoseconds counts. "moments": the window is counted in moments, and is filled with one pulse in
            each, as far as whole sequences go.
        unknown: nanoseconds of rows whose duration the device does not give; NaN makes them an error.

    Raises:
        PassError: an option is not one of those; the device has no pulse.
    """

    device: Device
    sequence: str = "xy4"
    minimum: float = 2.0
    longest: float = inf
    policy: str = "alap"
    spacing: str = "time"
    unknown: float = float("nan")
    name: ClassVar[str] = "decouple"

    def __post_init__(self) -> None:
        check_options(self.name, self.policy, self.unknown)
        if self.sequence not in SEQUENCES:
            raise PassError(f"{self.name}: there is no sequence {self.sequence!r}; there are xx, xy4")
        if self.spacing not in SPACINGS:
            raise PassError(f"{self.name}: there is no spacing {self.spacing!r}; there are time, moments")
        if not (isfinite(self.minimum) and self.minimum >= 1):
            raise PassError(f"{self.name}: minimum is {self.minimum}; 1 or more was expected")
        if not self.longest > 0:
            raise PassError(f"{self.name}: longest is {self.longest}; nanoseconds above 0 were expected")
        self._pulses()

    def run(self, circuit: Circuit, /) -> Circuit:
        """The circuit with the pulses, each right before the row that ends its window.

        Raises:
            TargetError: the device does not give the duration of a row or of the pulse.
        """
        windows, slots = self._filled(circuit)
        return _inserted(circuit, windows, slots, self._pulses()) if len(windows) else circuit

    def _filled(self, circuit: Circuit) -> tuple[IdleWindows, tuple[Ints, Floats | None]]:
        """The windows to fill; how many pulses go into each, and how long a slot is (None: a moment)."""
        in_time = self.spacing == "time"
        if in_time:
            windows = idle_windows(circuit, self.device, self.policy, self.unknown)
            pulse = self._pulse_nanoseconds(circuit)
        else:
            windows, pulse = gaps(circuit, np.ones(len(circuit)), "asap"), 1.0
        windows = windows.take(np.flatnonzero(_is_between_gates(circuit, windows)))
        pulses = len(SEQUENCES[self.sequence])
        length = windows.length + ROUNDING
        most = np.floor(length / max(pulses * pulse * self.minimum, ROUNDING))
        if in_time:
            wanted = np.maximum(np.ceil(windows.length / self.longest - ROUNDING), 1.0)
            times = np.minimum(wanted, most).astype(np.int64)
        else:
            times = np.where(most > 0, length // pulses, 0).astype(np.int64)
        windows, count = windows.take(np.flatnonzero(times)), pulses * times[times > 0]
        return windows, (count, windows.length / count if in_time else None)

    def _pulses(self) -> list[tuple[str, tuple[float, ...]]]:
        """The gate (name, angles) of each pulse of the sequence."""
        return [self._pulse(letter) for letter in SEQUENCES[self.sequence]]

    def _pulse(self, letter: str) -> tuple[str, tuple[float, ...]]:
        for name, angles in _PULSES[letter]:
            if name in self.device.native:
                return name, angles
        names = ", ".join(name for name, _ in _PULSES[letter])
        raise PassError(f"{self.name}: {self.device.name} has none of the gates {names}")

    def _pulse_nanoseconds(self, circuit: Circuit) -> float:
        builder = Builder(circuit.qubits[:1])
        for name, angles in self._pulses() if circuit.num_qubits else ():
            builder.add(name, (0,), angles)
        return float(durations(builder.build(), self.device, self.unknown).max(initial=0.0))


def _is_between_gates(circuit: Circuit, windows: IdleWindows) -> NDArray[np.bool_]:
    """Shape (windows,): whether, gates that only turn the frame aside, a gate stands on either side."""
    acts = ~metrics.is_frame_change(circuit)
    row, column = np.nonzero((circuit.wires >= 0) & (circuit.wires < circuit.num_qubits) & acts[:, None])
    size = len(circuit) + 1
    key = np.sort(circuit.wires[row, column].astype(np.int64) * size + row)
    key = np.concatenate([[-1], key, [circuit.num_qubits * size]])
    before = key[np.searchsorted(key, windows.qubit * size + windows.before, side="right") - 1]
    after = key[np.searchsorted(key, windows.qubit * size + windows.after)]
    ends = np.isin(circuit.op, (MEASURE, RESET))
    out = np.ones(len(windows), dtype=bool)
    for found in (before, after):
        out &= (found >= 0) & (found // size == windows.qubit)
        out &= ~ends[np.where(out, found % size, 0)]
    return out


def _inserted(
    circuit: Circuit,
    windows: IdleWindows,
    slots: tuple[Ints, Floats | None],
    pulses: list[tuple[str, tuple[float, ...]]],
) -> Circuit:
    """The circuit with `slots[0]` pulses in each window, each in a slot of `slots[1]` nanoseconds."""
    count, length = slots
    window = np.repeat(np.arange(len(windows)), count)
    total = len(window)
    number = (np.arange(total) - np.repeat(np.cumsum(count) - count, count)) % len(pulses)
    order = np.argsort(windows.after[window], kind="stable")
    place = np.arange(total) + windows.after[window[order]]
    window, number = window[order], number[order]

    size = len(circuit) + total
    kept = np.delete(np.arange(size), place)
    op = np.zeros(size, dtype=np.uint8)
    operands = np.full((size, 2), -1, dtype=np.int32)
    angles = np.zeros((size, 3))
    extra = np.full(size, -1, dtype=np.int32)
    op[kept], operands[kept] = circuit.op, circuit.operands
    angles[kept], extra[kept] = circuit.angles, circuit.extra
    operands[place, 0] = windows.qubit[window]
    net = np.eye(2, dtype=complex)
    for k, (name, values) in enumerate(pulses):
        gate = BY_NAME[name]
        assert gate.matrix is not None
        op[place[number == k]] = gate.code
        angles[place[number == k], : len(values)] = values
        net = gate.matrix(*values) @ net
    tags, which = _tags(length, len(windows))
    extra[place] = len(circuit.extras) + which[window]
    phase = circuit.phase - float(np.angle(net[0, 0])) * (total // len(pulses))
    return replace(
        circuit,
        op=op,
        operands=operands,
        angles=angles,
        extra=extra,
        extras=(*circuit.extras, *tags),
        affine=circuit.affine.moved(kept),
        phase=float(np.remainder(phase, 2 * pi)),
    )


def _tags(length: Floats | None, windows: int) -> tuple[list[Extra], Ints]:
    """The extras of pulses, and which of them each window's pulses have."""
    if length is None:
        return [Extra(tags=(TAG,))], np.zeros(windows, dtype=np.int64)
    values, which = np.unique(length, return_inverse=True)
    return [Extra(tags=(TAG, slot_tag(value))) for value in values.tolist()], which
