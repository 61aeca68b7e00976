"""Observables, samplers and JSON of Cirq, for decoding and saving results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import cirq
import numpy as np
from numpy.typing import NDArray

from qattn_compiler.errors import CircuitError, OptionError

READ_KEY = "readout"
"""Measurement key of compiled circuits: the observed qubits in the order of the observable."""


def z_product(qubits: Sequence[Any]) -> cirq.PauliString[Any]:
    """The product of Z over some qubits."""
    return cirq.PauliString(dict.fromkeys(qubits, cirq.Z))


def to_json(circuit: cirq.AbstractCircuit) -> str:
    """Cirq's own JSON, without white space.

    Raises:
        CircuitError: something in the circuit has no JSON form (a sympy function, say).
    """
    try:
        return cirq.to_json(circuit, indent=None)
    except (TypeError, ValueError) as error:
        raise CircuitError(f"the circuit has no JSON form: {error}") from error


def check_sampler(sampler: Any) -> Any:
    """The sampler, or the default simulator for None.

    Raises:
        OptionError: it is no `cirq.Sampler`.
    """
    if sampler is None:
        return cirq.Simulator(seed=0)
    if not isinstance(sampler, cirq.Sampler):
        raise OptionError(f"sampler is {sampler!r}; a cirq.Sampler or the name of a target was expected")
    return sampler


def parity_means(
    circuits: Sequence[cirq.AbstractCircuit],
    sampler: cirq.Sampler,
    shots: int,
    progress: Callable[[str, int, int], None],
) -> NDArray[np.float64]:
    """Mean of (-1)^(sum of the bits under READ_KEY) of each circuit, over `shots` runs; shape (circuits,)."""
    out = np.empty(len(circuits))
    for i, circuit in enumerate(circuits):
        bits = sampler.run(circuit, repetitions=shots).measurements[READ_KEY]
        out[i] = 1.0 - 2.0 * (bits.sum(axis=1) % 2).mean()
        progress("sample", i + 1, len(circuits))
    return out


def expand_unknown(circuit: cirq.AbstractCircuit, rows_of: Callable[[cirq.Gate], int | None]) -> cirq.Circuit:
    """Take apart what has no row in the gate table: nested circuits, wide gates, matrices; walls stay.

    Cirq's own decompositions are used; what has none (channels, classical control) stays as it is. A tag
    survives on a gate that is one row; a gate that becomes several rows, or none, loses it.

    Args:
        circuit: any Cirq circuit.
        rows_of: how many rows of the gate table a gate becomes; None if it has none.
    """

    def keep(operation: cirq.Operation) -> bool:
        bare = operation.untagged
        if isinstance(bare, cirq.ClassicallyControlledOperation) or cirq.is_measurement(bare):
            return not isinstance(bare.without_classical_controls(), cirq.CircuitOperation)
        return bare.gate is not None and rows_of(bare.gate) is not None

    def loses_tags(operation: cirq.Operation) -> bool:
        gate = operation.untagged.gate
        return bool(operation.tags) and gate is not None and rows_of(gate) not in (None, 1)

    flat = cirq.unroll_circuit_op(circuit, deep=True, tags_to_check=None)
    operations = (
        cirq.decompose(op, keep=keep, on_stuck_raise=None) if not keep(op) else [op]
        for op in flat.all_operations()
    )
    return cirq.Circuit(op.untagged if loses_tags(op) else op for part in operations for op in part)
