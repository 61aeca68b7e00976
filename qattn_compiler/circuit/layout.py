"""Where logical qubits sit on a machine, before and after routing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit.table import Circuit


@dataclass(frozen=True, eq=False)
class Routed:
    """A circuit on a machine's qubits and the two layouts that say what it means.

    Attributes:
        circuit: on the device's qubits, in index order; every two-qubit row is on an edge.
        initial: shape (logical qubits,), int32: logical index -> physical index before the first row.
        final: shape (logical qubits,), int32: logical index -> physical index after the last row.
        swaps: how many "swap" rows were inserted.
        is_rebuilt: gates were built anew, so that they cannot be followed one by one.
    """

    circuit: Circuit
    initial: NDArray[np.int32]
    final: NDArray[np.int32]
    swaps: int
    is_rebuilt: bool = False
