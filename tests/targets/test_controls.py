"""Gates under classical control become gates that the machine has, under the same conditions."""

from __future__ import annotations

from itertools import pairwise

import cirq
import numpy as np
import pytest
import sympy

import qattn_compiler as qattn
from qattn_compiler import targets
from qattn_compiler.errors import TargetError, VerificationError
from qattn_compiler.targets import controls
from qattn_compiler.targets.controls import native_controls

Q = cirq.LineQubit.range(5)
GATES = [
    *(
        cirq.H,
        cirq.Y**0.3,
        cirq.X,
        cirq.PhasedXZGate(x_exponent=0.2, z_exponent=0.1, axis_phase_exponent=0.7),
    ),
    *(cirq.CZ, cirq.SWAP, cirq.ISWAP**0.5, cirq.ZZ**0.3, cirq.FSimGate(0.3, 0.2), cirq.CNOT**0.4),
    cirq.Z ** sympy.Integer(2),
    *(cirq.TOFFOLI, cirq.CSWAP, cirq.CCZ**0.3, cirq.H.controlled(2)),
    cirq.MatrixGate(cirq.testing.random_unitary(4, random_state=1)),
]
CONDITIONS = [
    ("m",),
    (sympy.Symbol("m") + sympy.Symbol("n") > 1,),
    ("m", sympy.Eq(sympy.Symbol("n"), 0)),
]


def given(gate: cirq.Gate, conditions: tuple[object, ...] = ("m",)) -> cirq.Circuit:
    """A gate on scattered qubits under conditions on two random results."""
    width = cirq.num_qubits(gate)
    return cirq.Circuit(
        (cirq.Ry(rads=0.4 + 0.3 * k)(q) for k, q in enumerate(Q)),
        (cirq.CX(a, b) for a, b in pairwise(Q)),
        cirq.measure(Q[0], key="m"),
        cirq.measure(Q[3], key="n"),
        gate(*(Q[4], Q[1], Q[2])[:width]).with_classical_controls(*conditions),
        cirq.rx(0.3)(Q[4]),
        cirq.measure(*Q, key="z"),
    )


def distribution(circuit: cirq.Circuit) -> dict[tuple[str, ...], float]:
    """The probability of every record, by Cirq alone: the state of each history, with its weight."""
    qubits = sorted(circuit.all_qubits())
    branches = [({}, cirq.one_hot(shape=(2,) * len(qubits), dtype=complex))]
    for operation in circuit.all_operations():
        axes = [qubits.index(q) for q in operation.qubits]
        after = []
        for record, state in branches:
            if cirq.is_measurement(operation):
                for bits in np.ndindex(*(2,) * len(axes)):
                    place = [slice(None)] * len(qubits)
                    for axis, bit in zip(axes, bits, strict=True):
                        place[axis] = slice(bit, bit + 1)
                    part = np.zeros_like(state)
                    part[tuple(place)] = state[tuple(place)]
                    if np.linalg.norm(part) > 1e-9:
                        after.append(({**record, cirq.measurement_key_name(operation): bits}, part))
                continue
            values = {name: sum(b << k for k, b in enumerate(bits[::-1])) for name, bits in record.items()}
            holds = all(
                bool(condition.expr.subs(values))
                if isinstance(condition, cirq.SympyCondition)
                else bool(values[str(condition)])
                for condition in operation.classical_controls
            )
            if holds:
                inner = operation.without_classical_controls()
                state = cirq.targeted_left_multiply(
                    cirq.unitary(cirq.resolve_parameters(inner, {"none": 0})).reshape((2,) * 2 * len(axes)),
                    state,
                    axes,
                )
            after.append((record, state))
        branches = after
    out: dict[tuple[str, ...], float] = {}
    for record, state in branches:
        key = tuple(f"{name}{bits}" for name, bits in sorted(record.items()))
        out[key] = out.get(key, 0.0) + float(np.linalg.norm(state) ** 2)
    return out


@pytest.mark.parametrize("gate", GATES, ids=str)
@pytest.mark.parametrize("level", [0, 2])
def test_the_meaning_stays(gate: cirq.Gate, level: int) -> None:
    circuit = given(gate)
    found = qattn.transpile(circuit, "line:5", optimization_level=level)
    assert found.verification.passed
    one, two = distribution(circuit), distribution(found.circuit)
    assert one.keys() == two.keys()
    assert max(abs(one[key] - two[key]) for key in one) < 1e-7


@pytest.mark.parametrize("conditions", CONDITIONS, ids=str)
def test_conditions_stay(conditions: tuple[object, ...]) -> None:
    circuit = given(cirq.ISWAP, conditions)
    found = qattn.transpile(circuit, "ibm.eagle").circuit
    kept = [op.classical_controls for op in found.all_operations() if op.classical_controls]
    wanted = next(op.classical_controls for op in circuit.all_operations() if op.classical_controls)
    assert len(kept) > 2
    assert set(kept) == {wanted}
    one, two = distribution(circuit), distribution(found)
    assert max(abs(one[key] - two[key]) for key in one) < 1e-7


def test_symbols_stay() -> None:
    circuit = given(cirq.CZ ** sympy.Symbol("a"))
    found = qattn.transpile(circuit, "line:5").circuit
    assert cirq.parameter_names(found) == {"a"}
    for value in (0.3, -1.1):
        one, two = (distribution(cirq.resolve_parameters(c, {"a": value})) for c in (circuit, found))
        assert max(abs(one[key] - two[key]) for key in one) < 1e-7


def test_symbols_of_which_cirq_has_no_names() -> None:
    gate = cirq.PhasedFSimGate(sympy.Symbol("a"), zeta=0.2, chi=sympy.Symbol("b"), gamma=0.1, phi=0.4)
    found = qattn.transpile(given(gate), "line:5").circuit
    circuit = given(cirq.resolve_parameters(gate, {"a": 0.3, "b": -0.8}))
    one, two = distribution(circuit), distribution(cirq.resolve_parameters(found, {"a": 0.3, "b": -0.8}))
    assert max(abs(one[key] - two[key]) for key in one) < 1e-7


def test_nested_circuits_under_a_condition() -> None:
    inner = cirq.FrozenCircuit(cirq.H(Q[1]), cirq.CZ(Q[1], Q[2]) ** 0.3)
    circuit = cirq.Circuit(
        cirq.H.on_each(Q[0], Q[1]),
        cirq.measure(Q[0], key="m"),
        cirq.CircuitOperation(inner).with_classical_controls("m"),
        cirq.measure(Q[1], Q[2], key="z"),
    )
    found = qattn.transpile(circuit, "line:3")
    flat = cirq.Circuit(
        cirq.H.on_each(Q[0], Q[1]),
        cirq.measure(Q[0], key="m"),
        [op.with_classical_controls("m") for op in inner.all_operations()],
        cirq.measure(Q[1], Q[2], key="z"),
    )
    one, two = distribution(flat), distribution(found.circuit)
    assert max(abs(one[key] - two[key]) for key in one) < 1e-7


def test_native_gates_and_tags_stay_as_they_are() -> None:
    machine = targets.get("ibm.eagle")
    operations = [
        cirq.measure(Q[0], key="m"),
        cirq.X(Q[1]).with_tags("in").with_classical_controls("m").with_tags("out"),
        cirq.CX(Q[1], Q[2]).with_classical_controls("m"),
    ]
    circuit = cirq.Circuit(operations)
    assert native_controls(circuit, machine, 2) == (circuit, 0)


def test_the_report_says_how_many() -> None:
    notes = qattn.transpile(given(cirq.SWAP), "line:5").report.data["notes"]
    assert any("taken apart" in note and ": 1;" in note for note in notes)


def test_machines_without_conditions_refuse() -> None:
    with pytest.raises(TargetError, match=r"SWAP.*with_classical_controls"):
        qattn.transpile(given(cirq.SWAP), "google.willow")
    with pytest.raises(TargetError, match="refuses"):
        qattn.transpile(given(cirq.TOFFOLI), "google.willow")


def test_channels_stay() -> None:
    machine = targets.get("line:5")
    circuit = cirq.Circuit(
        cirq.measure(Q[0], key="m"),
        cirq.depolarize(0.1)(Q[1]).with_classical_controls("m"),
    )
    assert native_controls(circuit, machine, 2) == (circuit, 0)


def test_a_wrong_replacement_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = cirq.Circuit(cirq.X(Q[0]))
    monkeypatch.setattr(type(targets.get("line:5")), "to_cirq", lambda *_: wrong)
    with pytest.raises(VerificationError, match="differ"):
        native_controls(given(cirq.SWAP), targets.get("line:5"), 2)
    assert controls.SAME < 1e-6
