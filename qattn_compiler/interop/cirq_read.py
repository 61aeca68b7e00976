"""From any Cirq circuit to columns, with everything taken apart that can be."""

from __future__ import annotations

from collections.abc import Callable

import cirq

from qattn_compiler.circuit.gates import OPAQUE
from qattn_compiler.circuit.table import Circuit
from qattn_compiler.interop.cirq_io import count_rows, from_cirq
from qattn_compiler.interop.cirq_results import expand_unknown


def read(
    circuit: cirq.AbstractCircuit, then: Callable[[cirq.Circuit], cirq.Circuit] | None = None
) -> Circuit:
    """The columns of a circuit, after `expand_unknown` where it holds anything that has no row.

    Args:
        circuit: any.
        then: what is done after `expand_unknown`.

    Raises:
        CircuitError: an angle of an operation is complex or not finite.
    """
    plain = from_cirq(circuit, open_wide=True)
    if OPAQUE not in plain.op:
        return plain
    opened = expand_unknown(circuit, count_rows)
    if then is not None:
        opened = then(opened)
    every = circuit.all_qubits() | opened.all_qubits()  # some were only waited on
    return from_cirq(opened, qubits=sorted(every))
