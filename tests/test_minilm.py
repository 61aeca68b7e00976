"""The main job on real weights: heads of a trained transformer, decoded by two independent judges."""

from __future__ import annotations

import cirq
import numpy as np
import pytest

import qattn_compiler as qattn
from qattn_compiler import targets

EXPRESSION = "softmax(Q @ K.T / sqrt(d)) @ V"


def attention(weights):
    """Written out once more, without any of our code."""
    scores = weights["Q"] @ weights["K"].T / np.sqrt(weights["Q"].shape[1])
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True) @ weights["V"]


@pytest.mark.parametrize("head", [0, 3, 7, 11])
def test_every_number_of_a_head(head):
    weights = qattn.load_example(head=head, tokens=8)
    c = qattn.compile(EXPRESSION, weights)
    assert c.evaluate().shape == (8, 32)
    assert len(c.circuits) == len(c.readouts) == 256
    np.testing.assert_allclose(c.evaluate(), attention(weights), rtol=0, atol=1e-9)
    np.testing.assert_allclose(qattn.reference(EXPRESSION, weights), attention(weights), rtol=0, atol=1e-12)
    assert c.verification.passed
    assert c.verification.error < 1e-9
    assert c.report.data["totals"]["gates_2q_max"] <= 14


@pytest.mark.parametrize(("tokens", "most"), [(16, 31), (32, 70)])
def test_rows_of_longer_sentences(tokens, most):
    weights = qattn.load_example(head=3, tokens=tokens)
    rows, components = [0, tokens // 2, tokens - 1], [0, 5, 31]
    c = qattn.compile(EXPRESSION, weights, rows=rows, components=components)
    np.testing.assert_allclose(c.evaluate(), attention(weights)[np.ix_(rows, components)], rtol=0, atol=1e-9)
    assert c.report.data["totals"]["gates_2q_max"] <= most


def test_causal_rows_use_only_the_tokens_they_see():
    weights = qattn.load_example(head=7, tokens=8)
    c = qattn.compile("softmax(mask(Q @ K.T / sqrt(d), causal)) @ V", weights, components=[0])
    widths = [len(c.circuits[r.circuit].all_qubits()) for r in c.readouts]
    assert widths[0] == 1  # the first token sees itself: no address at all
    assert widths[1] == 2
    assert c.verification.passed


def test_cirq_and_the_device_agree():
    weights = qattn.load_example(head=11, tokens=8)
    c = qattn.compile(EXPRESSION, weights, rows=[2], components=[0, 1, 2])
    device = targets.get("google.willow").cirq_device
    simulator = cirq.Simulator(dtype=np.complex128)
    for readout, expected in zip(c.readouts, attention(weights)[2, :3], strict=True):
        circuit = c.circuits[readout.circuit]
        device.validate_circuit(circuit)
        unitary_part = cirq.drop_terminal_measurements(circuit)
        mean = simulator.simulate_expectation_values(unitary_part, [readout.observable])[0].real
        assert readout.scale * mean + readout.offset == pytest.approx(expected, abs=1e-9)
        assert not readout.postselect


def test_same_input_same_bytes():
    weights = qattn.load_example(head=0, tokens=8)
    first, second = (
        [cirq.to_json(circuit) for circuit in qattn.compile(EXPRESSION, weights, rows=[4]).circuits]
        for _ in range(2)
    )
    assert first == second
