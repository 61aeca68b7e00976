"""Diagonal unitaries by multiplexed RZ: 2^k - 2 two-qubit gates for k qubits.

Before a measurement in the Z basis of all its qubits a diagonal does nothing and costs nothing: leave it out.

Source: Bullock and Markov, Quantum Information and Computation 4, 27 (2004), section 3.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit.table import Angle, Builder
from qattn_compiler.errors import CircuitError
from qattn_compiler.synth.multiplexor import add_multiplexor, multiplexor_angles

Floats = NDArray[np.float64]


def diagonal_count(width: int) -> int:
    """Two-qubit gates of a diagonal of `width` qubits."""
    return 2**width - 2 if width else 0


def diagonal_angles(phases: Floats) -> Floats:
    """Angles (radians) of the rotations in circuit order, then the global phase.

    Args:
        phases: shape (..., 2^k), radians: the unitary is diag(exp(i phases)), first qubit most significant.

    Returns:
        shape (..., 2^k).
    """
    size = phases.shape[-1]
    if size & (size - 1) or size == 0:
        raise CircuitError(f"a diagonal has a power of two of phases, not {size}")
    parts = []
    while phases.shape[-1] > 1:
        pairs = phases.reshape(*phases.shape[:-1], -1, 2)
        parts.append(multiplexor_angles(pairs[..., 1] - pairs[..., 0]))
        phases = pairs.mean(axis=-1)
    return np.concatenate([*parts, phases], axis=-1)


def add_diagonal(builder: Builder, angles: Sequence[Angle], qubits: Sequence[int]) -> None:
    """Append a diagonal.

    Args:
        builder: where the rows go.
        angles: 2^k angles in circuit order (`diagonal_angles`).
        qubits: k qubits, the first the most significant.

    Raises:
        CircuitError: the number of angles is not 2^k.
    """
    width = len(qubits)
    if len(angles) != 2**width:
        raise CircuitError(f"a diagonal of {width} qubits has {2**width} angles, not {len(angles)}")
    start = 0
    for level in reversed(range(width)):
        part = angles[start : start + 2**level]
        start += 2**level
        if level == 0:
            builder.add("rz", [qubits[0]], list(part))
            continue
        builder.add("h", [qubits[level]], ())
        add_multiplexor(builder, "x", part, qubits[:level], qubits[level], drop_last=False)
        builder.add("h", [qubits[level]], ())
    builder.add_phase(angles[-1])
