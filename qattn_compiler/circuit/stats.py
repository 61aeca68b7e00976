"""Counts and depths of a circuit: what the report, the benchmarks and the tests compare."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit.gates import GATES, MEASURE, NUM_QUBITS
from qattn_compiler.circuit.table import Circuit


@dataclass(frozen=True)
class Stats:
    """Counts of a circuit.

    Attributes:
        counts: rows by gate name, names in alphabetical order; foreign operations count as "opaque".
        two_qubit: rows that entangle: gates and foreign operations on two or more qubits, but no
            measurements.
        one_qubit: gates of the table on one qubit, Z rotations included.
        depth: layers of all rows, packed as early as possible; classical keys order rows as qubits do.
        two_qubit_depth: the same, with only the `two_qubit` rows taking up a layer.
        measurements: measurement rows.
        parameters: parameters that some angle still depends on.
    """

    counts: Mapping[str, int]
    two_qubit: int
    one_qubit: int
    depth: int
    two_qubit_depth: int
    measurements: int
    parameters: int

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and dicts, as JSON takes them."""
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {**plain, "counts": dict(self.counts)}


def stats(circuit: Circuit) -> Stats:
    """The counts of a circuit, in one pass over its columns."""
    numbers = np.bincount(circuit.op, minlength=len(GATES))
    counts = {gate.name: int(numbers[gate.code]) for gate in GATES if numbers[gate.code]}
    return Stats(
        counts=MappingProxyType(dict(sorted(counts.items()))),
        two_qubit=int(circuit.is_two_qubit.sum()),
        one_qubit=int((NUM_QUBITS[circuit.op] == 1).sum()),
        depth=_depth(circuit, np.ones(len(circuit), dtype=np.int64)),
        two_qubit_depth=_depth(circuit, circuit.is_two_qubit.astype(np.int64)),
        measurements=int(numbers[MEASURE]),
        parameters=len(np.unique(circuit.affine.param)) if len(circuit.affine.param) else 0,
    )


def _depth(circuit: Circuit, weight: NDArray[np.int64]) -> int:
    from qattn_compiler.circuit.kernels import layers

    return int(layers(weight, circuit.wires, circuit.num_wires).max(initial=0))
