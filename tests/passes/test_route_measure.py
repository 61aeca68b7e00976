"""Measurements at the end stay at the end, whatever SWAPs the router inserts."""

import cirq
import numpy as np
import pytest

import qattn_compiler as qattn

QUBITS = cirq.LineQubit.range(5)


def early(seed: int) -> cirq.Circuit:
    """Two qubits are ready, and measured together, long before the others."""
    rng = np.random.default_rng(seed)
    out = cirq.Circuit(cirq.CNOT(QUBITS[0], QUBITS[1]), cirq.measure(QUBITS[1], QUBITS[0], key="a"))
    for _ in range(12):
        a, b = rng.choice([2, 3, 4], 2, replace=False)
        out.append([cirq.CZ(QUBITS[a], QUBITS[b]) ** 0.3, cirq.X(QUBITS[a]) ** 0.2])
    out.append([cirq.CNOT(QUBITS[4], QUBITS[2]), cirq.measure(QUBITS[3], QUBITS[2], QUBITS[4], key="b")])
    return out


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("level", [0, 1, 2])
def test_what_is_measured_last_is_measured_last(seed, level):
    result = qattn.transpile(early(seed), "line:5", optimization_level=level, seed=seed)
    assert result.circuit.are_all_measurements_terminal()
    assert result.verification.passed


def test_a_measurement_that_controls_stays_where_it_is():
    circuit = early(0)
    circuit.append(cirq.X(QUBITS[3]).with_classical_controls("b"))
    circuit.append(cirq.measure(QUBITS[3], key="c"))
    result = qattn.transpile(circuit, "line:5")
    assert result.verification.passed
    assert not result.circuit.are_all_measurements_terminal()
