"""google.willow: the data, the passes, Cirq's judge; metrics on it."""

from __future__ import annotations

from dataclasses import replace

import cirq
import numpy as np
import pytest

from qattn_compiler import targets
from qattn_compiler.circuit.table import Builder
from qattn_compiler.errors import OptionError, TargetError
from qattn_compiler.report import metrics as m
from qattn_compiler.report.report import Report

WILLOW = targets.get("google.willow")
DEVICE = WILLOW.device


def test_the_chip():
    assert (DEVICE.num_qubits, len(DEVICE.edges)) == (105, 182)
    assert DEVICE.graph.number_of_edges() == 182
    durations = {name: DEVICE.durations[name] for name in ("cz", "phased_xz", "measure", "reset", "rz")}
    assert durations == {"cz": 42, "phased_xz": 25, "measure": 600, "reset": 160, "rz": 0}
    for numbers in (DEVICE.edge_error, DEVICE.qubit_error, DEVICE.readout_error, DEVICE.t1):
        assert np.isfinite(numbers).all()
        assert (numbers > 0).all()
    assert np.median(DEVICE.edge_error) == pytest.approx(3.44e-3, rel=0.01)
    assert "2024" in DEVICE.source


def test_unknown_names_say_what_is_near():
    with pytest.raises(TargetError, match=r"did you mean google\.willow"):
        targets.get("google.wilow")
    assert "google.willow" in targets.names()
    with pytest.raises(OptionError, match="level 4"):
        WILLOW.logical_passes(4)


def native(*gates) -> object:
    builder = Builder(DEVICE.qubits)
    for name, qubits, angles in gates:
        builder.add(name, qubits, angles)
    return builder


def test_the_device_refuses_what_it_cannot_run():
    a, b = DEVICE.edges[0].tolist()
    DEVICE.check(native(("cz", [a, b], ())).build())
    with pytest.raises(TargetError, match="does not run cx"):
        DEVICE.check(native(("cx", [a, b], ())).build())
    far = int(np.argmax(DEVICE.distance[a]))
    with pytest.raises(TargetError, match="are not coupled"):
        DEVICE.check(native(("cz", [a, far], ())).build())
    with pytest.raises(TargetError, match="not the machine's"):
        DEVICE.check(Builder(range(2)).build())
    WILLOW.validate(cirq.Circuit(cirq.CZ(DEVICE.qubits[a], DEVICE.qubits[b])))
    with pytest.raises(TargetError, match="refuses the circuit"):
        WILLOW.validate(cirq.Circuit(cirq.CZ(DEVICE.qubits[a], DEVICE.qubits[far])))


def test_bad_device_data():
    with pytest.raises(TargetError, match="edge names a qubit"):
        replace(DEVICE, edges=np.array([[0, 200]]), edge_error=np.zeros(1))
    with pytest.raises(TargetError, match="smaller, larger"):
        replace(DEVICE, edges=np.array([[3, 2]]), edge_error=np.zeros(1))
    with pytest.raises(TargetError, match="unknown native"):
        replace(DEVICE, native=frozenset({"warp"}))
    with pytest.raises(TargetError, match="shape"):
        replace(DEVICE, t1=np.zeros(3))


def test_metrics_by_hand():
    a, b = DEVICE.edges[5].tolist()
    builder = native(("phased_xz", [a], (1.0, 0.2, 0.3)), ("rz", [b], (0.4,)), ("cz", [a, b], ()))
    builder.measure([b], "m")
    circuit = builder.build()
    counted = m.metrics(circuit)
    assert (counted.gates_1q, counted.gates_2q, counted.pulses, counted.depth, counted.depth_2q) == (
        2,
        1,
        1,
        3,
        1,
    )
    assert counted.qubits == 2
    run = m.execution(circuit, DEVICE)
    assert run.duration_ns == 25 + 42 + 600
    idle = 25 / DEVICE.t1[b]  # b waits for the pulse on a
    expected = (1 - DEVICE.qubit_error[a]) * (1 - DEVICE.edge_error[5]) * np.exp(-idle)
    expected *= 1 - DEVICE.readout_error[b].mean()
    assert run.fidelity == pytest.approx(expected, rel=1e-12)
    unknown = replace(DEVICE, durations={})
    assert m.execution(circuit, unknown) == m.Execution(None, None)


def test_shots():
    assert m.shots_for_standard_error(0.01, 2.0, 0.0) == 40000
    assert m.shots_for_standard_error(0.01, 2.0, 1.0) == 1
    assert m.shots_for_standard_error(0.01, 0.0, 0.3) == 1
    assert m.shots_for_bound(0.1, 1.0) == 738  # 2 ln(40) / 0.01


def test_reports_are_plain_data():
    report = Report(
        {"a": float("nan"), "b": (1, 2.5), "c": {"d": float("inf")}}, lambda data: ["# t", "| a | b |"]
    )
    assert report.to_dict() == {"a": None, "b": [1, 2.5], "c": {"d": None}}
    assert report.to_markdown() == "# t\n| a | b |\n"
    assert "<h1>t</h1>" in report.to_html()
    assert "</table>" in report.to_html()
