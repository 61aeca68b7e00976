"""SWAPs that are not done: the qubits change names instead."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit.gates import SWAP
from qattn_compiler.circuit.regions import joined
from qattn_compiler.circuit.table import Builder, Circuit

Ints = NDArray[np.int32]


def without_swaps(circuit: Circuit) -> tuple[Circuit, Ints]:
    """The circuit without its plain "swap" rows (those with tags stay), all later rows on other qubits.

    Returns:
        the circuit (the same object if it has none), and for each qubit the one on which its content is
        after the last row, shape (qubits,).
    """
    is_swap = (circuit.op == SWAP) & (circuit.extra < 0)
    if not is_swap.any():
        return circuit, np.arange(circuit.num_qubits, dtype=np.int32)
    from qattn_compiler.circuit.region_kernels import sink_swaps

    wires, place = sink_swaps(is_swap, circuit.wires, circuit.num_qubits)
    operands = np.where(circuit.operands >= 0, wires[:, :2], -1).astype(np.int32)
    extra, extras = circuit.extra.copy(), list(circuit.extras)
    for row in np.flatnonzero(circuit.extra >= 0).tolist():
        old = circuit.extras[circuit.extra[row]]
        if old.operands:
            extra[row] = len(extras)
            extras.append(replace(old, operands=tuple(wires[row, : len(old.operands)].tolist())))
    moved = replace(circuit, operands=operands, extra=extra, extras=tuple(extras))
    return moved.with_rows(np.flatnonzero(~is_swap)), place


def with_swaps(circuit: Circuit, place: Ints) -> Circuit:
    """The circuit followed by "swap" rows that bring the content of qubit place[q] to qubit q."""
    if (place == np.arange(len(place))).all():
        return circuit
    builder = Builder(circuit.qubits)
    at = place.tolist()
    for q, p in enumerate(at):
        if p != q:
            builder.add("swap", [q, p])
            at[at.index(q)] = p
            at[q] = q
    return joined(circuit, [np.arange(len(circuit)), (builder.build(), np.arange(circuit.num_qubits))])
