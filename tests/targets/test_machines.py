"""Every machine by a set of circuits: valid by its own validator, equivalent, deterministic. And what is
known of each machine.

QATTN_FULL_MATRIX=1 runs all levels of all circuits on all machines; else each machine sees each circuit once.
"""

from __future__ import annotations

import os
from itertools import product

import cirq
import numpy as np
import pytest
import sympy

import qattn_compiler as qattn
from qattn_compiler import targets
from qattn_compiler.circuit.gates import BY_NAME
from qattn_compiler.errors import TargetError
from qattn_compiler.synth.entanglers import ENTANGLERS

MACHINES = [name for name in targets.names() if ":" not in name]
OPTIONS = ["google.weber?gate=syc", "google.weber?gate=cz", "rigetti.ankaa?gate=cz"]
OPTIONS += ["ibm.heron?gate=rzz"]
SHAPES = ["line:5", "ring:5", "grid:2x3", "star:5", "full:5", "heavyhex:3"]
GATED = [f"full:5?gate={gate}" for gate in targets.GATES]
ALL = [*MACHINES, *OPTIONS, *SHAPES, *GATED]

Q = cirq.LineQubit.range(4)
A, B = sympy.symbols("a b")


def random_blocks() -> cirq.Circuit:
    rows = []
    for seed, pair in enumerate([(0, 1), (2, 3), (1, 2)]):
        unitary = cirq.testing.random_unitary(4, random_state=seed)
        rows.append(cirq.MatrixGate(unitary).on(*(Q[k] for k in pair)))
    return cirq.Circuit(rows)


CIRCUITS = {
    "qft": cirq.Circuit(cirq.qft(*Q)),
    "su4": random_blocks(),
    "ansatz": cirq.Circuit(
        [cirq.ry(A)(Q[0]), cirq.rx(B)(Q[1]), cirq.rz(2 * A + 0.5)(Q[2])],
        [cirq.ZZ(Q[0], Q[1]) ** A, cirq.CZ(Q[1], Q[2]) ** B, cirq.ISWAP(Q[2], Q[3]) ** A],
        cirq.PhasedXZGate(x_exponent=A, z_exponent=B, axis_phase_exponent=A)(Q[3]),
        [cirq.FSimGate(A, B)(Q[0], Q[3]), cirq.XX(Q[0], Q[2]) ** B, cirq.CX(Q[0], Q[1]) ** A],
    ),
    "ghz": cirq.Circuit(
        [cirq.H(Q[0]), cirq.CX(Q[0], Q[1]), cirq.CX(Q[1], Q[2]), cirq.measure(Q[2], key="mid")],
        [cirq.H(Q[2]), cirq.CX(Q[2], Q[3]), cirq.T(Q[3]), cirq.measure(*Q, key="end")],
    ),
}
RNG = np.random.default_rng(0)
WEIGHTS = {"Q": RNG.normal(size=(4, 3)), "K": RNG.normal(size=(4, 3)), "V": RNG.normal(size=(4, 2))}
ROW = "softmax(Q @ K.T / sqrt(d)) @ V"

MATRIX = [
    (name, circuit, level)
    for place, name in enumerate(ALL)
    for number, (circuit, level) in enumerate(product(CIRCUITS, range(4)))
    if "QATTN_FULL_MATRIX" in os.environ or level == (place + number // 4 + 2) % 4
]


def refuses_measurement_in_the_middle(name: str) -> bool:
    return name == "pasqal.virtual"


@pytest.mark.parametrize(("name", "kind", "level"), MATRIX)
def test_matrix(name, kind, level):
    circuit = CIRCUITS[kind]
    if kind == "ghz" and refuses_measurement_in_the_middle(name):
        with pytest.raises(TargetError, match="after measurement"):
            qattn.transpile(circuit, name, optimization_level=level, seed=1)
        return
    result = qattn.transpile(circuit, name, optimization_level=level, seed=1)
    target = targets.get(name)
    target.cirq_device.validate_circuit(result.circuit)
    assert not any(isinstance(op.gate, cirq.GlobalPhaseGate) for op in result.circuit.all_operations())
    if kind == "ghz":
        assert same_outcomes(circuit, result.circuit)
    else:
        assert result.verification.passed
    again = qattn.transpile(circuit, name, optimization_level=level, seed=1)
    assert again.circuit == result.circuit
    native = ENTANGLERS[target.entangler].gate
    two = {BY_NAME[native].name} & set(result.report.data["metrics"]["gates"])
    assert two == {native}


def same_outcomes(before: cirq.Circuit, after: cirq.Circuit) -> bool:
    """Whether all measurements have the same joint probabilities, exactly."""
    return np.allclose(outcomes(before), outcomes(after), atol=1e-7)


def outcomes(circuit: cirq.Circuit) -> np.ndarray:
    """Probabilities of mid (1 bit), then end (4 bits)."""
    deferred = cirq.defer_measurements(circuit)
    final = {
        cirq.measurement_key_name(op): op.qubits for _, op in deferred.findall_operations(cirq.is_measurement)
    }
    bare = cirq.drop_terminal_measurements(deferred)
    unitary = cirq.Circuit(op for op in bare.all_operations() if not cirq.is_measurement(op))
    order = [*final["mid"], *final["end"]]
    rest = sorted(unitary.all_qubits() - set(order))
    state = unitary.final_state_vector(qubit_order=[*order, *rest], dtype=np.complex128)
    return (np.abs(state) ** 2).reshape(32, -1).sum(axis=1)


@pytest.mark.parametrize(
    ("name", "level"),
    [(n, k) for p, n in enumerate(ALL) for k in range(4) if "QATTN_FULL_MATRIX" in os.environ or k == p % 4],
)
def test_an_attention_row(name, level):
    result = qattn.compile(
        ROW, WEIGHTS, rows=[1], components=slice(0, 2), target=name, optimization_level=level
    )
    assert result.verification.passed
    for circuit in result.circuits:
        targets.get(name).cirq_device.validate_circuit(circuit)
    counted = result.units[0].metrics()
    assert ENTANGLERS[targets.get(name).entangler].gate in counted.gates


@pytest.mark.parametrize("name", ["ibm.heron", "iqm.garnet", "quantinuum.h2", "full:8?gate=syc"])
def test_free_tensors_are_bound_without_compiling_again(name):
    bare = {k: v for k, v in WEIGHTS.items() if k != "V"}
    options = {"rows": [1], "components": slice(0, 1), "target": name}
    free = qattn.compile(ROW, bare, free={"V": (4, 2)}, **options)
    bound = free.bind({"V": WEIGHTS["V"]})
    assert bound.verification.passed
    expected = qattn.reference(ROW, WEIGHTS)[np.ix_([1], [0])]
    np.testing.assert_allclose(bound.evaluate(), expected, atol=1e-9)


# -- what is known of the machines


@pytest.mark.parametrize(
    ("name", "qubits", "edges"),
    [
        ("google.weber", 53, 86),
        ("google.rainbow", 23, 32),
        ("google.sycamore", 54, 88),
        ("ibm.eagle", 127, 144),
        ("ibm.heron", 133, 150),
        ("ibm.heron2", 156, 176),
        ("rigetti.ankaa", 84, 149),
        ("ionq.aria", 25, 300),
        ("ionq.forte", 36, 630),
        ("quantinuum.h2", 56, 1540),
        ("iqm.garnet", 20, 30),
        ("aqt.ibex", 12, 66),
        ("pasqal.virtual", 25, 40),
    ],
)
def test_sizes(name, qubits, edges):
    device = targets.get(name).device
    assert (device.num_qubits, len(device.edges)) == (qubits, edges)
    assert device.source
    assert max(dict(device.graph.degree).values()) <= (3 if name.startswith("ibm") else qubits)


def test_ibm_numbers_its_qubits_like_this():
    eagle = {tuple(edge) for edge in targets.get("ibm.eagle").device.edges.tolist()}
    assert {(0, 14), (14, 18), (12, 17), (17, 30), (20, 33), (33, 39), (109, 114), (112, 126)} <= eagle
    heron = {tuple(edge) for edge in targets.get("ibm.heron2").device.edges.tolist()}
    assert {(3, 16), (16, 23), (15, 19), (19, 35), (21, 36), (33, 39)} <= heron


def test_the_entangler_that_costs_least():
    assert targets.get("google.weber").entangler == "siswap"
    device = targets.get("google.weber").device
    assert np.median(device.edge_error) == pytest.approx(2.1156e-2, rel=1e-3)
    assert device.durations["measure"] == 4000  # not the 4 ms of the specification
    assert (device.durations["siswap"], device.durations["rz"]) == (32, 0)
    syc = targets.get("google.weber?gate=syc").device
    assert np.median(syc.edge_error) == pytest.approx(1.8686e-2, rel=1e-3)
    assert syc.durations["fsim"] == 12
    cz = targets.get("google.weber?gate=cz").device
    assert np.isnan(cz.edge_error).all()
    assert "cz" not in cz.durations  # "0 ns" in the specification: unknown


def test_ecr_is_cx_up_to_single_qubit_gates():
    x, z, one = np.array([[0, 1], [1, 0]]), np.diag([1, -1]), np.eye(2)
    half = (np.kron(one, one) - 1j * np.kron(z, x)) / np.sqrt(2)  # RZX(pi/2)
    ecr = np.kron(x, one) @ half
    made = np.kron(x, one) @ BY_NAME["cx"].matrix() @ np.kron(BY_NAME["s"].matrix(), BY_NAME["sx"].matrix())
    phase = np.vdot(made, ecr) / 4
    assert abs(phase) == pytest.approx(1)
    np.testing.assert_allclose(made * phase, ecr, atol=1e-12)


@pytest.mark.parametrize("gate", ["cz", "cx", "zz", "ms", "iswap", "siswap", "syc", "rzz", "rxx", "cphase"])
def test_entangler_counts(gate):
    counts = {}
    circuits = {
        "givens": cirq.givens(0.3)(*Q[:2]),
        "cphase": cirq.CZ(*Q[:2]) ** 0.3,
        "symbolic givens": cirq.givens(A)(*Q[:2]),
        "symbolic cphase": cirq.CZ(*Q[:2]) ** A,
    }
    for name, operation in circuits.items():
        out = qattn.transpile(cirq.Circuit(operation), f"full:2?gate={gate}")
        counts[name] = out.summary()["gates_2q"]
    fewest = {"syc": (2, 2, 4, 4), "siswap": (2, 2, 2, 4)}
    one = (2, 1, 2, 1) if gate in ("rzz", "rxx", "cphase") else (2, 2, 2, 2)
    assert tuple(counts.values()) == fewest.get(gate, one)


def test_refusals():
    with pytest.raises(TargetError, match=r"14 qubits, aqt\.ibex has 12: 2 are missing"):
        qattn.transpile(cirq.Circuit(cirq.H.on_each(*cirq.LineQubit.range(14))), "aqt.ibex")
    reset = cirq.Circuit(cirq.reset(Q[0]), cirq.H(Q[0]))
    with pytest.raises(TargetError, match=r"refuses the circuit: reset.* is not native"):
        qattn.transpile(reset, "iqm.garnet")
    channel = cirq.Circuit(cirq.depolarize(0.1)(Q[0]))
    with pytest.raises(TargetError, match=r"depolarize.* is not native"):
        qattn.transpile(channel, "line:2")
    with pytest.raises(TargetError, match="has no gate 'syc'; it has cz, rzz"):
        targets.get("ibm.heron?gate=syc")
    with pytest.raises(TargetError, match="has no gate 'rzz'"):
        targets.get("google.sycamore?gate=rzz")


def test_classical_control_where_the_machine_has_it():
    circuit = cirq.Circuit(
        cirq.measure(Q[0], key="m"), cirq.X(Q[1]).with_classical_controls("m"), cirq.measure(Q[1], key="n")
    )
    out = qattn.transpile(circuit, "ibm.heron").circuit
    targets.get("ibm.heron").cirq_device.validate_circuit(out)
    with pytest.raises(TargetError, match="depends on a measurement"):
        qattn.transpile(circuit, "iqm.garnet")


def test_fractional_gates_of_heron():
    target = targets.get("ibm.heron?gate=rzz")
    circuit = cirq.Circuit(cirq.ZZ(Q[0], Q[1]) ** t for t in (-0.3, 0.9, 2.7)) + cirq.Circuit(
        cirq.X(Q[0]) ** 0.3, cirq.ZZ(Q[0], Q[1]) ** -0.2, cirq.CZ(Q[1], Q[2]) ** A
    )
    for level in range(4):
        out = qattn.transpile(circuit, target, optimization_level=level)
        target.cirq_device.validate_circuit(out.circuit)
        angles = [op.gate.exponent for op in out.circuit.all_operations() if len(op.qubits) == 2]
        assert all(-1e-9 < t < 0.5 + 1e-9 for t in angles)
        assert len(angles) <= 6
    q = target.device.qubits
    for bad in (cirq.ZZ(q[0], q[1]) ** 0.7, cirq.ZZ(q[0], q[1]) ** -0.2, cirq.ZZ(q[0], q[1]) ** A):
        with pytest.raises(ValueError, match=r"exponents from 0 to 0\.5"):
            target.cirq_device.validate_operation(bad)
    assert cirq.read_json(json_text=cirq.to_json(target.cirq_device)) == target.cirq_device
