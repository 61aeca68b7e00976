"""Multiplexed (uniformly controlled) rotations over CZ, by Gray code and Walsh transform.

For RX and RY, conjugation by CZ turns the rotation's angle around, so `2^c` rotations and `2^c` CZ along a
Gray code make any set of `2^c` angles; the last CZ stands at the end and may be left out where a diagonal
does not matter.

Source: Mottonen, Vartiainen, Bergholm, Salomaa, Phys. Rev. Lett. 93, 130502 (2004), with CZ for CNOT.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit.table import Angle, Builder
from qattn_compiler.errors import CircuitError

Floats = NDArray[np.float64]


def gray_code(count: int) -> NDArray[np.int64]:
    """The first `count` Gray codes."""
    j = np.arange(count)
    return j ^ (j >> 1)


def walsh_transform(values: Floats) -> Floats:
    """Sum over i of (-1)^popcount(i & j) * values[..., i], for each j; shape (..., 2^c), n log n
    operations."""
    out = np.array(values, dtype=np.float64)
    size = out.shape[-1]
    if size & (size - 1) or size == 0:
        raise CircuitError(f"a Walsh transform needs a power of two of values, not {size}")
    lead = out.shape[:-1]
    step = 1
    while step < size:
        pairs = out.reshape(*lead, size // (2 * step), 2, step)
        low, high = pairs[..., 0, :], pairs[..., 1, :]
        out = np.stack([low + high, low - high], axis=-2).reshape(*lead, size)
        step *= 2
    return out


def multiplexor_angles(angles: Floats) -> Floats:
    """The angles of the rotations in circuit order, shape (..., 2^c), for the wanted angle of each control
    value."""
    size = angles.shape[-1]
    out: Floats = walsh_transform(angles)[..., gray_code(size)] / size
    return out


def add_multiplexor(
    builder: Builder,
    axis: str,
    angles: Sequence[Angle],
    controls: Sequence[int],
    target: int,
    *,
    drop_last: bool,
) -> None:
    """Append a multiplexed rotation.

    Args:
        builder: where the rows go.
        axis: "x" or "y".
        angles: 2^c angles in circuit order (`multiplexor_angles`).
        controls: the first is the most significant bit of the control value.
        target: the rotated qubit.
        drop_last: leave out the trailing CZ(controls[0], target): the result is then the multiplexor followed
            by that CZ, for one CZ less.

    Raises:
        CircuitError: the number of angles is not 2^c, or the axis commutes with CZ.
    """
    count = len(controls)
    if len(angles) != 2**count:
        raise CircuitError(f"a multiplexor with {count} controls has {2**count} angles, not {len(angles)}")
    if axis not in ("x", "y"):
        raise CircuitError(f"a multiplexor over CZ rotates about x or y, not {axis!r}")
    codes = gray_code(2**count)
    for j, angle in enumerate(angles):
        builder.add("r" + axis, [target], [angle])
        last = j == 2**count - 1
        if count == 0 or (last and drop_last):
            continue
        bit = count - 1 if last else int(codes[j] ^ codes[j + 1]).bit_length() - 1
        builder.add("cz", [controls[count - 1 - bit], target])
