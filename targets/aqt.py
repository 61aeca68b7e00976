"""AQT's machines: all-to-all, XX rotations by any angle, pulses about any axis of the equator, virtual Z."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from typing import Any

import cirq

from qattn_compiler.targets.files import packaged
from qattn_compiler.targets.machine import without_tags
from qattn_compiler.targets.target import Target


def ibex(gate: str | None = None) -> Target:
    """`aqt.ibex`: 12 ions. cirq-aqt's device judges results where it is installed, else our own does."""
    target = replace(packaged("aqt.ibex", gate), arrange=without_tags)
    try:
        vendor = import_module("cirq_aqt.aqt_device")
    except ImportError:
        return target
    times = [cirq.Duration(micros=micros) for micros in (100, 200, 10)]  # cirq-aqt's own defaults
    labels: Any = target.device.qubits
    return replace(target, cirq_device=vendor.AQTDevice(*times, qubits=labels))
