"""Selections, overlaps and combinations of Cirq circuits; see `synth.select` and `synth.combination`.

The circuits that share a skeleton may come from one function called with other angles: gates are compared in
layers, not in the order in which they were appended, and an angle that makes Cirq's gate another row (a Z for
an RZ, a CZ for a controlled phase) makes no difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cirq
import numpy as np

from qattn_compiler.circuit.gates import MEASURE, ROTATION_ANGLE, ROTATION_FAMILY, ROTATION_PHASE
from qattn_compiler.circuit.table import Circuit
from qattn_compiler.errors import CircuitError
from qattn_compiler.interop.cirq_io import from_cirq, to_cirq
from qattn_compiler.interop.cirq_read import read
from qattn_compiler.interop.cirq_results import z_product
from qattn_compiler.synth import combination
from qattn_compiler.synth import select as selection


@dataclass(frozen=True, eq=False)
class Overlap:
    """A circuit that reads an overlap, without measurements.

    Attributes:
        circuit: what to run.
        observable: product of Z whose expectation is the overlap.
        pairs: of qubits, for a SWAP test: each pair measured as 1 and 1 turns the sign of the shot around;
            the observable is then empty.
    """

    circuit: cirq.Circuit
    observable: cirq.PauliString[cirq.Qid]
    pairs: tuple[tuple[cirq.Qid, cirq.Qid], ...] = ()


@dataclass(frozen=True, eq=False)
class Combination:
    """A linear combination of unitaries as a circuit, without measurements.

    Attributes:
        circuit: what to run; the address begins in |0...0>.
        address: its qubits; the combination is applied where they are all measured as 0.
        norm: the 1-norm of the weights: what is applied is the combination over this.
    """

    circuit: cirq.Circuit
    address: tuple[cirq.Qid, ...]
    norm: float


def select(circuits: Sequence[cirq.AbstractCircuit], address: Sequence[cirq.Qid]) -> cirq.Circuit:
    """The circuit that runs `circuits[x]` where the address is x; see `synth.select.select`.

    Args:
        circuits: m circuits that share their skeleton.
        address: ceil(log2 m) qubits, the most significant first.

    Raises:
        CircuitError: skeletons differ, a circuit measures, or the address does not fit.
    """
    return to_cirq(selection.select(_alike(circuits), address))


def controlled(circuit: cirq.AbstractCircuit, control: cirq.Qid) -> cirq.Circuit:
    """The circuit, run where the control is 1; see `synth.select.controlled`.

    Raises:
        CircuitError: the fixed gates do not cancel, or the circuit measures.
    """
    return to_cirq(selection.controlled(read(circuit), control))


def hadamard_test(
    first: cirq.AbstractCircuit, second: cirq.AbstractCircuit, test: cirq.Qid, *, imaginary: bool = False
) -> Overlap:
    """The circuit that reads Re <0|first^dagger second|0>; see `synth.select.hadamard_test`.

    Args:
        first: unitary.
        second: unitary, of the same skeleton.
        test: the test qubit.
        imaginary: read the imaginary part.

    Raises:
        CircuitError: skeletons differ, a circuit measures, or the test qubit is one of theirs.
    """
    left, right = _alike([first, second])
    found = selection.hadamard_test(left, right, test, imaginary=imaginary)
    qubits = [found.circuit.qubits[q] for q in found.observed]
    return Overlap(to_cirq(found.circuit), z_product(qubits))


def swap_test(first: cirq.AbstractCircuit, second: cirq.AbstractCircuit) -> Overlap:
    """The destructive SWAP test that reads |<0|first^dagger second|0>|^2; see `synth.combination.swap_test`.

    Args:
        first: unitary.
        second: unitary, on as many other qubits; the qubits pair up in their sorted order.

    Raises:
        CircuitError: the circuits share a qubit, differ in size, or measure.
    """
    found = combination.swap_test(_unitary(read(first)), _unitary(read(second)))
    labels = [*sorted(first.all_qubits()), *sorted(second.all_qubits())]
    pairs = tuple((labels[a], labels[b]) for a, b in found.pairs)
    return Overlap(to_cirq(found.circuit), cirq.PauliString(), pairs)


def linear_combination(
    weights: Sequence[complex], circuits: Sequence[cirq.AbstractCircuit], address: Sequence[cirq.Qid]
) -> Combination:
    """The circuit for sum_j weights[j] circuits[j]; see `synth.combination.linear_combination`.

    Args:
        weights: m of them, real or complex.
        circuits: m circuits.
        address: ceil(log2 m) qubits (the circuits then share a skeleton), or one for each circuit.

    Raises:
        CircuitError: the weights are all 0 or not finite, the address does not fit, skeletons differ (binary
            address), or a circuit cannot be controlled (one-hot address).
    """
    one_hot = len(address) == len(circuits) > 1
    given = _on_same_qubits(circuits) if one_hot else _alike(circuits)
    found = combination.linear_combination(weights, given, address)
    return Combination(to_cirq(found.circuit), tuple(address), found.norm)


def _on_same_qubits(circuits: Sequence[cirq.AbstractCircuit]) -> list[Circuit]:
    labels = sorted({q for circuit in circuits for q in circuit.all_qubits()})
    return [_unitary(from_cirq(circuit, qubits=labels, open_wide=True)) for circuit in circuits]


def _unitary(circuit: Circuit) -> Circuit:
    if MEASURE in circuit.op:
        raise CircuitError("the circuit measures", hint="select and combine before measuring")
    return circuit


def _alike(circuits: Sequence[cirq.AbstractCircuit]) -> list[Circuit]:
    """Columns with rows in order of layers, and one row name where only angles differ."""
    read_in = [_in_layers(circuit) for circuit in _on_same_qubits(circuits)]
    if len({len(circuit) for circuit in read_in}) != 1:
        return read_in
    names = np.stack([circuit.op for circuit in read_in])
    mixed = (names != names[0]).any(axis=0)
    return [_as_rotations(circuit, mixed) for circuit in read_in]


def _in_layers(circuit: Circuit) -> Circuit:
    from qattn_compiler.circuit.kernels import layers

    layer = layers(np.ones(len(circuit), dtype=np.int64), circuit.wires, circuit.num_wires)
    return circuit.with_rows(np.lexsort((circuit.wires[:, 0], layer)))


def _as_rotations(circuit: Circuit, mixed: np.ndarray) -> Circuit:
    """Fixed gates of some rows as cases of their rotations."""
    rows = np.flatnonzero(mixed & (ROTATION_FAMILY[circuit.op] >= 0))
    if not len(rows):
        return circuit
    old = circuit.op[rows]
    op, angles = circuit.op.copy(), circuit.angles.copy()
    op[rows] = ROTATION_FAMILY[old]
    angles[rows, 0] += ROTATION_ANGLE[old]
    return replace(circuit, op=op, angles=angles, phase=circuit.phase + float(ROTATION_PHASE[old].sum()))
