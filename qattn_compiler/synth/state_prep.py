"""Preparation of real states by a cascade of multiplexed RY over CZ: 2^k - k - 1 CZ, all angles real.

The CZ that each level would end with is always CZ(first qubit, level's qubit); it commutes with all later
levels, so it is left out and its sign folded into the state that the cascade is computed for.

Source: Mottonen, Vartiainen, Bergholm, Salomaa, Quantum Information and Computation 5, 467 (2005), with CZ
for CNOT.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit.table import Angle, Builder
from qattn_compiler.errors import CircuitError
from qattn_compiler.synth.multiplexor import add_multiplexor, multiplexor_angles

Floats = NDArray[np.float64]


@cache
def _signs(width: int) -> Floats:
    """The diagonal of the product of CZ(0, level) over all levels, shape (2^width,)."""
    index = np.arange(2**width)
    first = (index >> (width - 1)) & 1
    flips = sum(((index >> (width - 1 - level)) & 1) * first for level in range(1, width))
    return np.where(np.asarray(flips) % 2 == 1, -1.0, 1.0)


def real_state_count(width: int) -> int:
    """CZ of the cascade for a state of that many qubits."""
    return (1 << width) - width - 1


def real_state_angles(amplitudes: Floats) -> Floats:
    """Rotation angles (radians) of the cascade, in circuit order.

    Args:
        amplitudes: shape (..., 2^k), real, each of norm 1 (big-endian: first qubit most significant).

    Returns:
        shape (..., 2^k - 1).
    """
    size = amplitudes.shape[-1]
    width = size.bit_length() - 1
    if size != 2**width:
        raise CircuitError(f"a state has a power of two of amplitudes, not {size}")
    lead = amplitudes.shape[:-1]
    signed = amplitudes * _signs(width)
    parts = []
    for level in range(width):
        if level == width - 1:
            weight = signed.reshape(*lead, -1, 2)
        else:
            weight = np.sqrt((signed.reshape(*lead, 2 ** (level + 1), -1) ** 2).sum(-1)).reshape(*lead, -1, 2)
        parts.append(multiplexor_angles(2 * np.arctan2(weight[..., 1], weight[..., 0])))
    return np.concatenate(parts, axis=-1) if parts else np.zeros((*lead, 0))


def check_amplitudes(size: int, amplitudes: Floats) -> None:
    """Raise CircuitError unless there are 2^size amplitudes, on the last axis."""
    if amplitudes.shape[-1] != 2**size:
        raise CircuitError(f"{size} qubits have {2**size} amplitudes, not {amplitudes.shape[-1]}")


def check_angles(size: int, count: int, angles: Sequence[Angle], qubits: Sequence[int]) -> None:
    """Raise CircuitError unless there are `size` qubits and `count` angles."""
    if len(angles) != count or len(qubits) != size:
        raise CircuitError(
            f"{size} qubits and {count} angles were expected, not {len(qubits)} and {len(angles)}"
        )


def add_real_state(builder: Builder, angles: Sequence[Angle], qubits: Sequence[int]) -> None:
    """Append the cascade, from |0...0>.

    Args:
        builder: where the rows go.
        angles: 2^k - 1 angles in circuit order (`real_state_angles`).
        qubits: k qubits, the first the most significant.

    Raises:
        CircuitError: the number of angles is not 2^k - 1.
    """
    if len(angles) != 2 ** len(qubits) - 1:
        raise CircuitError(f"{len(qubits)} qubits need {2 ** len(qubits) - 1} angles, not {len(angles)}")
    for level, qubit in enumerate(qubits):
        part = angles[2**level - 1 : 2 ** (level + 1) - 1]
        add_multiplexor(builder, "y", part, qubits[:level], qubit, drop_last=True)
