"""IQM's machines: CZ and pulses about any axis of the equator (PRX); turns about Z are moved to the end."""

from __future__ import annotations

from qattn_compiler.targets.files import packaged
from qattn_compiler.targets.target import Target


def garnet(gate: str | None = None) -> Target:
    """`iqm.garnet`: 20 qubits on a square lattice, named QB1 to QB20 as IQM names them."""
    return packaged("iqm.garnet", gate)
