"""Linear combinations of unitaries (PREPARE, SELECT, PREPARE^dagger), and SWAP tests of circuits.

For weights w_j and circuits U_j the block of a combination at address 0 is sum_j w_j U_j / ||w||_1. The
address is

- binary, ceil(log2 m) qubits, for circuits of one skeleton: SELECT multiplexes their rotations
  (`select.select`);
- one-hot, a qubit for each circuit, for any circuits that `select.controlled` can control: each is controlled
  by a qubit of its own, and PREPARE is a chain of Givens rotations. More qubits, but m controlled circuits
  and 4 m - 6 further two-qubit gates are all there is: no unary iteration, no Toffoli gates.

Source: Childs and Wiebe, Quantum Inf. Comput. 12, 901 (2012); destructive SWAP test: Garcia-Escartin and
Chamorro-Posada, Phys. Rev. A 87, 052330 (2013).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from qattn_compiler.circuit.gates import BY_NAME, GATES
from qattn_compiler.circuit.table import Builder, Circuit, Qubit, append
from qattn_compiler.errors import CircuitError
from qattn_compiler.synth.givens import add_unary_state, unary_state_angles
from qattn_compiler.synth.select import controlled, select
from qattn_compiler.synth.state_prep import add_real_state, real_state_angles


@dataclass(frozen=True, eq=False)
class Combination:
    """A linear combination of unitaries as a circuit.

    Attributes:
        circuit: on the address, then the data; the address begins in |0...0>.
        address: how many address qubits there are; the combination is applied where they end in |0...0>.
        norm: the 1-norm of the weights: the block is the combination over this.
    """

    circuit: Circuit
    address: int
    norm: float

    def success(self, state: np.ndarray) -> float:
        """The probability that the address is found in |0...0>.

        Args:
            state: shape (2^data qubits,): what the combination of the circuits, with its weights, makes of
                the data, not normalised.
        """
        return float(np.linalg.norm(state / self.norm) ** 2)


def linear_combination(
    weights: Sequence[complex], circuits: Sequence[Circuit], address: Sequence[Qubit]
) -> Combination:
    """The circuit for sum_j weights[j] circuits[j].

    Args:
        weights: m of them, real or complex.
        circuits: m circuits on the same qubits.
        address: labels of the address qubits: ceil(log2 m) for a binary address, m (at least 2) for a one-hot
            one.

    Raises:
        CircuitError: the weights are all 0 or not finite, the address has another size, skeletons differ
            (binary), or a circuit cannot be controlled (one-hot).
    """
    w = np.asarray(weights, dtype=complex)
    count, width = len(circuits), len(address)
    if w.shape != (count,) or not np.isfinite(w).all() or not w.any():
        raise CircuitError(f"{count} circuits take {count} finite weights that are not all 0")
    turned = [
        replace(circuit, phase=circuit.phase + float(np.angle(weight)))
        for weight, circuit in zip(w, circuits, strict=True)
    ]
    norm = float(np.abs(w).sum())
    roots = np.sqrt(np.abs(w) / norm)
    binary = 2**width >= count > 2 ** (width - 1)
    if not binary and (width != count or count < 2):
        raise CircuitError(f"an address of {width} qubits is neither binary nor one-hot for {count} circuits")
    builder = Builder((*address, *circuits[0].qubits))
    prepare = Builder(builder.qubits)
    if binary:
        amplitudes = np.pad(roots, (0, 2**width - count))
        add_real_state(prepare, real_state_angles(amplitudes).tolist(), range(width))
        chosen = [select(turned, address)]
    else:
        add_unary_state(prepare, unary_state_angles(roots).tolist(), range(width))
        chosen = [controlled(circuit, label) for label, circuit in zip(address, turned, strict=True)]
    first = prepare.build()
    append(builder, first)
    for part in chosen:
        append(builder, _widened(part, builder.qubits))
    append(builder, _inverse(first))
    return Combination(builder.build(), width, norm)


@dataclass(frozen=True, eq=False)
class SwapTest:
    """A circuit whose read-out is the squared overlap of two states.

    Attributes:
        circuit: without measurements; all its qubits are to be read.
        pairs: qubit indices: |<a|b>|^2 is the mean of (-1)^(number of pairs read as 11).
    """

    circuit: Circuit
    pairs: tuple[tuple[int, int], ...]


def swap_test(first: Circuit, second: Circuit) -> SwapTest:
    """The destructive SWAP test of first|0> and second|0>: one CX a pair of qubits.

    Args:
        first: unitary.
        second: unitary, on as many other qubits.

    Raises:
        CircuitError: the circuits share a qubit, or differ in size.
    """
    size = first.num_qubits
    if second.num_qubits != size:
        raise CircuitError(f"states of {size} and {second.num_qubits} qubits have no overlap")
    builder = Builder((*first.qubits, *second.qubits))
    pairs = tuple((q, size + q) for q in range(size))
    for part in (first, second):
        append(builder, _widened(part, builder.qubits))
    for pair in pairs:
        builder.add("cx", pair)
        builder.add("h", pair[:1])
    return SwapTest(builder.build(), pairs)


def _widened(circuit: Circuit, qubits: tuple[Qubit, ...]) -> Circuit:
    """The circuit on more qubits."""
    place = np.array([qubits.index(q) for q in circuit.qubits] + [-1], dtype=np.int32)
    return replace(circuit, qubits=qubits, operands=place[circuit.operands])


def _inverse(circuit: Circuit) -> Circuit:
    """The inverse of a numeric circuit of plain gates."""
    builder = Builder(circuit.qubits)
    for row in range(len(circuit) - 1, -1, -1):
        gate = GATES[circuit.op[row]]
        assert gate.inverse is not None
        angles = np.array(gate.inverse_map or [[]]) @ circuit.angles[row, : gate.num_angles]
        wires = circuit.operands[row, : gate.num_qubits].tolist()
        builder.add(BY_NAME[gate.inverse].name, wires, angles[: gate.num_angles].tolist())
    builder.add_phase(-circuit.phase)
    return builder.build()
