"""Real states prepared on a machine's own couplings, placed and synthesised at once.

A preparation is a cascade of multiplexed RY (`state_prep`). Between its 2^c rotations, a multiplexor needs
every parity of its c controls on its target once. All-to-all a Gray code brings them with one CZ each; on a
machine only neighbours reach the target. Here the neighbours' lines hold whatever parities they hold: a walk
(Gray code over a flag of subspaces, with any line that leaves the one and stays in the next) visits all
parities with one CZ each, and now and then CX gates between lines change what a neighbour holds.
Nothing is ever undone: a linear map of the basis states at the end, signs, and qubits that hold a parity
instead of 0 when their own level begins are all taken into the angles, that is into which state the cascade
is computed for. So a level with m neighbours takes about 2^c (1 + 2^(1 - m)) two-qubit gates.

Source: the cascade is Mottonen et al., Quantum Information and Computation 5, 467 (2005); parities between
rotations as in phase polynomials (Amy, Azimzadeh, Mosca, Quantum Sci. Technol. 4, 015002 (2018)). The walk
over lines that are never restored is ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit.table import Angle, Builder
from qattn_compiler.device import Device
from qattn_compiler.errors import CircuitError
from qattn_compiler.synth.multiplexor import walsh_transform
from qattn_compiler.synth.state_prep import check_amplitudes

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

MAX_QUBITS: Final = 16
"""2^16 amplitudes; wider states are not made here."""
STARTS: Final = 8
"""Searches for places."""
TRIES: Final = 1500
"""Changes that each tries."""
CAPS: Final = (63, 1023)
"""Steps of each walk that the searches look at, and the one that refines the best."""
HOT: Final = (0.03, 0.004)
"""Their first temperatures, as shares of the cost."""
WEIGHTS: Final = (
    (1.0, 1.0),
    (0.5, 1.0),
    (1.0, 0.5),
    (2.0, 1.0),
    (1.0, 2.0),
    (0.7, 0.2),
    (1.5, 0.0),
    (0.3, 0.3),
)
"""`soon` and `late` of the walks that are tried."""


@dataclass(frozen=True, eq=False)
class Level:
    """The multiplexed RY of one qubit.

    Attributes:
        events: shape (n, 3): (FLIP, neighbour, -1) is a CZ with the qubit, (MOVE, from, to) a CX.
        parities: shape (2^level,): on which parity of the qubits before it each rotation stands.
        start: the parity that the qubit holds at the beginning.
        end: the parity that is left on it as a sign.
    """

    events: Ints
    parities: Ints
    start: int
    end: int


@dataclass(frozen=True, eq=False)
class ChipState:
    """How to prepare any real state of some qubits on some places of a machine.

    Attributes:
        places: shape (qubits,): the machine's qubits, in the order of the state's qubits.
        levels: one for each qubit.
        lines: shape (qubits,): the parity of the levels' own bits that each qubit holds at the end.
    """

    places: Ints
    levels: tuple[Level, ...]
    lines: Ints

    @property
    def size(self) -> int:
        """How many qubits."""
        return len(self.places)

    @property
    def two_qubit_count(self) -> int:
        """CZ and CX."""
        return sum(len(level.events) for level in self.levels)

    @property
    def num_angles(self) -> int:
        """How many angles it takes."""
        return (1 << self.size) - 1

    def add(self, builder: Builder, angles: Sequence[Angle], qubits: Sequence[int]) -> None:
        """Append the gates, from |0...0>.

        Args:
            builder: where the rows go.
            angles: 2^size - 1 angles (radians), in circuit order (`angles`).
            qubits: `size` qubits, the first the most significant.

        Raises:
            CircuitError: the number of angles is not 2^size - 1.
        """
        from qattn_compiler.synth.chip_state_kernels import FLIP

        if len(angles) != self.num_angles:
            raise CircuitError(f"{self.size} qubits need {self.num_angles} angles, not {len(angles)}")
        left = iter(angles)
        for level, qubit in zip(self.levels, qubits, strict=True):
            builder.add("ry", (qubit,), (next(left),))
            for kind, a, b in level.events.tolist():
                if kind == FLIP:
                    builder.add("cz", (qubits[a], qubit))
                    builder.add("ry", (qubit,), (next(left),))
                else:
                    builder.add("cx", (qubits[a], qubits[b]))

    def angles(self, amplitudes: Floats) -> Floats:
        """Rotation angles (radians) in circuit order.

        Args:
            amplitudes: shape (..., 2^size), real, each of norm 1 (big-endian: first qubit most significant).

        Returns:
            shape (..., 2^size - 1).

        Raises:
            CircuitError: the number of amplitudes is not 2^size.
        """
        check_amplitudes(self.size, amplitudes)
        order, signs = self._frame
        state = amplitudes[..., order] * signs
        lead, parts = state.shape[:-1], []
        for qubit, level in enumerate(self.levels):
            if qubit == self.size - 1:
                weight = state.reshape(*lead, -1, 2)
            else:
                blocks = state.reshape(*lead, 2 ** (qubit + 1), -1)
                weight = np.linalg.norm(blocks, axis=-1).reshape(*lead, -1, 2)
            turns = 2 * np.arctan2(weight[..., 1], weight[..., 0])
            turns = turns - np.pi * _parity(level.start, qubit)
            parts.append(walsh_transform(turns)[..., _reversed(level.parities, qubit)] / 2**qubit)
        return np.concatenate(parts, axis=-1)

    @cached_property
    def _frame(self) -> tuple[Ints, Floats]:
        """For each basis state of the levels' own bits: what the qubits hold at the end, and the sign."""
        size = self.size
        held = sum(_parity(int(line), size) << (size - 1 - q) for q, line in enumerate(self.lines))
        odd = np.zeros(2**size, dtype=np.int64)
        for qubit, level in enumerate(self.levels):
            odd += _parity(level.end, size) & _parity(1 << qubit, size)
        return np.asarray(held, dtype=np.int64), np.where(odd % 2 == 1, -1.0, 1.0)


def _parity(mask: int, bits: int) -> Ints:
    """Shape (2^bits,): the parity of a mask (bit i: qubit i) for each basis state (big-endian)."""
    out = np.zeros(2**bits, dtype=np.int64)
    index = np.arange(2**bits)
    for bit in range(bits):
        if mask >> bit & 1:
            out ^= (index >> (bits - 1 - bit)) & 1
    return out


def _reversed(masks: Ints, bits: int) -> Ints:
    """Masks (bit i: qubit i) as big-endian indices."""
    out = np.zeros_like(masks)
    for bit in range(bits):
        out |= ((masks >> bit) & 1) << (bits - 1 - bit)
    return out


def plan_state(device: Device, size: int, seed: int = 0) -> ChipState | None:
    """Places and gates for real states of `size` qubits on a machine; None if it has no room.

    Args:
        device: its couplings count.
        size: how many qubits, 1 to MAX_QUBITS.
        seed: of the search.

    Raises:
        CircuitError: the size is out of range.
    """
    if not 1 <= size <= MAX_QUBITS:
        raise CircuitError(f"a state has 1 to {MAX_QUBITS} qubits here, not {size}")
    return _planned(np.packbits(device.adjacency).tobytes(), device.num_qubits, size, seed)


@lru_cache(maxsize=64)
def _planned(packed: bytes, machine: int, size: int, seed: int) -> ChipState | None:
    from qattn_compiler.synth import chip_state_kernels as kernels

    bits = np.unpackbits(np.frombuffer(packed, np.uint8))[: machine * machine]
    adjacent = bits.reshape(machine, machine).astype(bool)
    anywhere = np.full(size, -1, dtype=np.int64)
    starts = range(seed * STARTS, (seed + 1) * STARTS)
    found = [kernels.search(adjacent, anywhere, TRIES, CAPS[0], HOT[0], start, False) for start in starts]
    found = sorted((one for one in found if one[0] < kernels.NEVER), key=lambda one: one[0])[:3]
    if 2**size > CAPS[0] + 1:
        found = [kernels.search(adjacent, one[1], TRIES // 4, CAPS[1], HOT[1], seed, False) for one in found]
    plans = [walked(adjacent, places) for _, places in found]
    fit = [plan for plan in plans if plan is not None]
    return min(fit, key=lambda plan: plan.two_qubit_count) if fit else None


def walked(adjacent: NDArray[np.bool_], places: Ints) -> ChipState | None:
    """The preparation on given places, level by level in their order; None if some parity cannot be reached.

    Args:
        adjacent: shape (machine qubits, machine qubits).
        places: shape (qubits,), different machine qubits.
    """
    size = len(places)
    near = np.ascontiguousarray(adjacent[np.ix_(places, places)])
    masks, levels = np.zeros(size, dtype=np.int64), []
    for qubit in range(size):
        start = int(masks[qubit])
        made = (
            _shortest(near, masks, qubit)
            if qubit
            else (np.zeros((0, 3), np.int64), np.zeros(1, np.int64), masks)
        )
        if made is None:
            return None
        events, parities, masks = made
        levels.append(Level(events, parities, start, int(parities[-1])))
        masks[qubit] = 1 << qubit
    return ChipState(places, tuple(levels), masks)


def _shortest(near: NDArray[np.bool_], masks: Ints, qubit: int) -> tuple[Ints, Ints, Ints] | None:
    """Of the walks by different weights the one with the fewest events, its parities and final masks."""
    from qattn_compiler.synth import chip_state_kernels as kernels

    none, count, chosen = np.zeros((0, 3), dtype=np.int64), -1, WEIGHTS[0]
    for soon, late in WEIGHTS:
        trial = masks.copy()
        events, _ = kernels.walk(near, trial, qubit, qubit, 1 << qubit, soon, late, none, none[:, 0])
        if events >= 0 and (count < 0 or events < count):
            count, chosen = events, (soon, late)
    if count < 0:
        return None
    events, parities = np.zeros((count, 3), dtype=np.int64), np.zeros(1 << qubit, dtype=np.int64)
    after = masks.copy()
    kernels.walk(near, after, qubit, qubit, 1 << qubit, *chosen, events, parities)
    return events, parities, after
