"""transpile: any circuit onto the chip."""

from __future__ import annotations

from itertools import pairwise

import cirq
import pytest
import sympy

import qattn_compiler as qattn
from qattn_compiler import targets
from qattn_compiler.errors import OptionError, PassError, TargetError

Q = cirq.LineQubit.range(6)


@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_levels_on_a_fourier_transform(level):
    t = qattn.transpile(cirq.Circuit(cirq.qft(*Q[:4])), optimization_level=level)
    targets.get("google.willow").cirq_device.validate_circuit(t.circuit)
    assert t.verification.passed
    assert set(t.initial_layout) == set(Q[:4])
    assert t.summary()["gates_2q"] <= 36
    assert "two-qubit gates" in t.report.to_markdown()


def test_measurements_keep_their_keys():
    circuit = cirq.Circuit(
        cirq.H(Q[0]), cirq.CX(Q[0], Q[1]), cirq.CX(Q[0], Q[2]), cirq.measure(*Q[:3], key="z")
    )
    t = qattn.transpile(circuit)
    assert t.circuit.all_measurement_key_names() == {"z"}
    counts = cirq.Simulator(seed=0).run(t.circuit, repetitions=200).histogram(key="z")
    assert set(counts) == {0, 7}
    assert t.verification.passed


def test_a_wide_chain_finds_its_place():
    chain = cirq.LineQubit.range(60)
    t = qattn.transpile(cirq.Circuit(cirq.CZ(a, b) for a, b in pairwise(chain)))
    assert t.report.data["swaps"] == 0
    assert t.verification.passed  # though it is too wide for a unitary
    assert "route by replay" in t.verification.method


def test_small_rotations_are_dropped_and_reported():
    circuit = cirq.Circuit(cirq.rx(1e-5)(Q[0]), cirq.rz(2e-5)(Q[1]), cirq.CZ(Q[0], Q[1]))
    assert qattn.transpile(circuit).report.data["dropped_radians"] == 0
    t = qattn.transpile(circuit, atol=1e-4)
    assert t.report.data["dropped_radians"] == pytest.approx(3e-5)
    assert t.summary()["gates_1q"] == 0
    assert t.verification.passed


def test_symbols_survive():
    s = sympy.Symbol("s")
    t = qattn.transpile(
        cirq.Circuit(cirq.rx(s)(Q[0]), cirq.CZ(Q[0], Q[1]) ** s, cirq.CX(Q[1], Q[2]) ** (2 * s))
    )
    assert cirq.parameter_names(t.circuit) == {"s"}
    assert t.verification.passed


def test_nothing_and_empty():
    assert qattn.transpile(cirq.Circuit()).circuit == cirq.Circuit()
    t = qattn.transpile(cirq.Circuit(cirq.X(Q[0]), cirq.X(Q[0])))
    assert t.summary()["gates_1q"] == 0


def test_same_seed_same_circuit():
    circuit = cirq.testing.random_circuit(Q, 20, 0.8, random_state=3)
    assert qattn.transpile(circuit, seed=4).circuit == qattn.transpile(circuit, seed=4).circuit


def test_refusals():
    wide = cirq.LineQubit.range(107)
    with pytest.raises(TargetError, match=r"107 qubits.* 2 are missing"):
        qattn.transpile(cirq.Circuit(cirq.X.on_each(*wide)))
    with pytest.raises(TargetError, match="refuses"):
        qattn.transpile(cirq.Circuit(cirq.measure(Q[0], key="m"), cirq.X(Q[1]).with_classical_controls("m")))
    with pytest.raises(TargetError):
        qattn.transpile(cirq.Circuit(cirq.depolarize(0.1)(Q[0])))
    with pytest.raises(OptionError, match="atol"):
        qattn.transpile(cirq.Circuit(), atol=-1)
    with pytest.raises(OptionError, match="level"):
        qattn.transpile(cirq.Circuit(), optimization_level=4)
    with pytest.raises(TargetError, match="no target"):
        qattn.transpile(cirq.Circuit(), target="ibm.eaglet")


@pytest.mark.parametrize("objective", ["count", "depth", "fidelity"])
def test_objectives_choose_among_circuits(objective):
    toffolis = [cirq.CCX(*Q[:3]), cirq.CX(Q[2], Q[3]), cirq.CCX(Q[1], Q[2], Q[3]), cirq.CCX(*Q[:3])]
    found = {
        name: qattn.transpile(cirq.Circuit(toffolis), optimization_level=3, objective=name, seed=1)
        for name in {"count", "depth", objective}
    }
    light = qattn.transpile(cirq.Circuit(toffolis), optimization_level=1, objective=objective, seed=1)
    best = found[objective]
    assert best.verification.passed
    for other in (*found.values(), light):
        if objective == "fidelity":
            fidelity = best.report.data["execution"]["fidelity"]
            assert fidelity >= other.report.data["execution"]["fidelity"] - 0.01
        else:
            key = {"count": "gates_2q", "depth": "depth_2q"}[objective]
            assert best.summary()[key] <= other.summary()[key] + 1  # searches are heuristic
    assert best.summary()["gates_2q"] < light.summary()["gates_2q"]


def test_unknown_effort_is_refused():
    with pytest.raises(PassError, match="no effort 'short'"):
        qattn.transpile(cirq.Circuit(cirq.CZ(*Q[:2])), optimization_level=3, effort="short")


def test_unknown_objective_is_refused():
    with pytest.raises(OptionError, match="no objective 'beauty'"):
        qattn.transpile(cirq.Circuit(cirq.H(Q[0])), objective="beauty")


def test_a_fidelity_budget_saves_entanglers_and_is_reported():
    any_gate = cirq.MatrixGate(cirq.testing.random_special_unitary(4, random_state=3))
    circuit = cirq.Circuit(any_gate(*Q[:2]))
    exact = qattn.transpile(circuit)
    assert exact.report.data["infidelity"] == 0
    near = qattn.transpile(circuit, fidelity=0.9)
    assert near.summary()["gates_2q"] < exact.summary()["gates_2q"]
    assert 0 < near.report.data["infidelity"] <= 0.1
    assert near.verification.passed
    assert any("approximated" in note for note in near.report.data["notes"])
