"""Pasqal's virtual device: CZ between atoms that are near enough, one gate at a time, measured at the end."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from typing import Any

import cirq

from qattn_compiler.targets.files import packaged
from qattn_compiler.targets.machine import one_by_one, without_tags
from qattn_compiler.targets.target import Target

RADIUS = 1.0
"""Distance, in steps of the grid, up to which two atoms are coupled."""


def virtual(gate: str | None = None) -> Target:
    """`pasqal.virtual`: 25 atoms. cirq-pasqal's device judges results where it is installed, else our own
    does."""
    target = replace(packaged("pasqal.virtual", gate), arrange=_arranged)
    try:
        vendor = import_module("cirq_pasqal")
    except ImportError:
        return target
    labels: Any = target.device.qubits
    return replace(target, cirq_device=vendor.PasqalVirtualDevice(RADIUS, labels))


def _arranged(circuit: cirq.Circuit) -> cirq.Circuit:
    return one_by_one(without_tags(circuit))
