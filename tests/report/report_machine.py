"""A small machine and circuits on it, for the tests of reports."""

from __future__ import annotations

from types import MappingProxyType

import cirq
import numpy as np

from qattn_compiler.circuit.table import Builder, Circuit
from qattn_compiler.device import Device

NANOSECONDS = MappingProxyType({"cz": 40.0, "phased_xz": 20.0, "rz": 0.0, "x": 20.0, "measure": 500.0})


def device(**changes) -> Device:
    """A grid of 2 x 3: qubits 0 1 2 above 3 4 5; edges 0-1 0-3 1-2 1-4 2-5 3-4 4-5."""
    plain = {
        "name": "grid",
        "qubits": tuple(cirq.GridQubit.rect(2, 3)),
        "edges": np.array([[0, 1], [0, 3], [1, 2], [1, 4], [2, 5], [3, 4], [4, 5]]),
        "native": frozenset({"cz", "phased_xz", "rz", "x"}),
        "durations": NANOSECONDS,
        "edge_error": np.array([0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07]),
        "qubit_error": np.array([0.001, 0.002, 0.003, 0.004, 0.005, 0.006]),
        "readout_error": np.array([[0.01, 0.03]] * 6),
        "t1": np.array([1e4, 2e4, 3e4, 4e4, 5e4, 6e4]),
    }
    return Device(**(plain | changes))


def example() -> Circuit:
    """Qubit 0: 0-20 pulse, 20-60 CZ with 1, 100-140 CZ with 1, read until 640. Qubit 1: 20-60, 60-100 CZ with
    4, 100-140. Qubit 4: 0 rz, 60-100. Qubits 2, 3, 5: nothing."""
    builder = Builder(cirq.GridQubit.rect(2, 3))
    builder.add("phased_xz", [0], (1.0, 0.2, 0.3))
    builder.add("phased_xz", [4], (0.0, 0.2, 0.3))
    builder.add("cz", [1, 0])
    builder.add("cz", [1, 4])
    builder.add("cz", [0, 1])
    builder.measure([0], "m")
    return builder.build()
