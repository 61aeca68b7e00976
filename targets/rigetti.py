"""Rigetti's machines: a square lattice, RZ (virtual), RX by a quarter or half turn, and iSWAP or CZ."""

from __future__ import annotations

from qattn_compiler.targets.files import packaged
from qattn_compiler.targets.target import Target


def ankaa(gate: str | None = None) -> Target:
    """`rigetti.ankaa`: 84 qubits, iSWAP; CZ with `?gate=cz`."""
    return packaged("rigetti.ankaa", gate)
