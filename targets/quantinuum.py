"""Quantinuum's machines: all-to-all, ZZ rotations by any angle, pulses about any axis of the equator."""

from __future__ import annotations

from qattn_compiler.targets.files import packaged
from qattn_compiler.targets.target import Target


def h2(gate: str | None = None) -> Target:
    """`quantinuum.h2`: 56 ions."""
    return packaged("quantinuum.h2", gate)
