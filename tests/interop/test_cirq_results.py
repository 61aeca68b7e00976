"""JSON, sampling, taking foreign gates apart."""

from __future__ import annotations

import cirq
import numpy as np
import pytest
import sympy
from cirq.circuits.qasm_output import QasmUGate

from qattn_compiler.circuit.gates import GATES, OPAQUE
from qattn_compiler.errors import CircuitError
from qattn_compiler.interop import cirq_io, cirq_results
from qattn_compiler.interop.cirq_io import from_cirq, to_cirq
from qattn_compiler.interop.cirq_read import read

Q = cirq.GridQubit.rect(1, 3)


def pulses(seed: int) -> cirq.Circuit:
    x, z, a = np.random.default_rng(seed).uniform(-1, 1, 3)
    gate = cirq.PhasedXZGate(x_exponent=x, z_exponent=z, axis_phase_exponent=a)
    return cirq.Circuit(
        gate.on(Q[0]),
        cirq.CZ(Q[0], Q[1]),
        cirq.Z(Q[2]) ** z,
        cirq.CZ(Q[1], Q[0]),
        cirq.measure(Q[0], key="m"),
    )


def test_the_fast_writer_writes_what_cirq_writes():
    writer = cirq_results.JsonWriter()
    for seed in range(5):
        circuit = pulses(seed)
        assert writer.text(circuit) == cirq.to_json(circuit, indent=None)
    assert writer._trusted


@pytest.mark.parametrize(
    "circuit",
    [
        cirq.Circuit(),
        cirq.Circuit(
            cirq.X(Q[0]).with_tags("t"), cirq.X(Q[1]).with_classical_controls("m"), cirq.depolarize(0.1)(Q[2])
        ),
        cirq.Circuit(cirq.X(Q[0]) ** sympy.Symbol("a")),
        cirq.Circuit(cirq.CircuitOperation(cirq.FrozenCircuit(cirq.X(Q[0])))),
    ],
    ids=["empty", "walls", "symbols", "nested"],
)
def test_unusual_circuits_are_written_as_cirq_does(circuit):
    writer = cirq_results.JsonWriter()
    assert writer.text(pulses(0)) == cirq.to_json(pulses(0), indent=None)
    assert cirq.read_json(json_text=writer.text(circuit)) == circuit


def test_should_cirq_change_its_format_all_is_left_to_it(monkeypatch):
    original = cirq.to_json

    def other(obj, *args, **kwargs):
        text = original(obj, *args, **kwargs)
        return text.replace('"Circuit"', '"NewCircuit"') if isinstance(obj, cirq.Circuit) else text

    monkeypatch.setattr(cirq, "to_json", other)
    writer = cirq_results.JsonWriter()
    assert "NewCircuit" in writer.text(pulses(0))
    assert "NewCircuit" in writer.text(pulses(1))


def test_what_has_no_json_form():
    with pytest.raises(CircuitError, match="no JSON form"):
        cirq_results.to_json(cirq.Circuit(cirq.X(Q[0]) ** sympy.sin(sympy.Symbol("a"))))


def test_sampled_bits():
    circuits = [
        cirq.Circuit(cirq.X(Q[0]), cirq.measure(Q[0], key=cirq_results.READ_KEY)),
        cirq.Circuit(cirq.X.on_each(Q[:2]), cirq.measure(*Q[:2], key=cirq_results.READ_KEY)),
    ]
    seen = []
    bits = list(cirq_results.sampled_bits(circuits, cirq.Simulator(), 3, lambda *step: seen.append(step)))
    assert [shots.tolist() for shots in bits] == [[[1]] * 3, [[1, 1]] * 3]
    assert seen == [("sample", 1, 2), ("sample", 2, 2)]


@pytest.mark.parametrize("exponent", [1, -1, 0.5, 0.123, sympy.Symbol("s")])
@pytest.mark.parametrize("gate", [cirq.CCZ, cirq.CCX])
def test_toffolis_take_six_entanglers(gate, exponent):
    circuit = cirq.Circuit((gate**exponent)(*cirq.LineQubit.range(3)))
    out = cirq_results.expand_unknown(circuit, cirq_io.count_rows)
    assert sum(len(op.qubits) == 2 for op in out.all_operations()) == 6
    values = {"s": 0.7}
    expected, got = (cirq.unitary(cirq.resolve_parameters(c, values)) for c in (circuit, out))
    np.testing.assert_allclose(got, expected, atol=1e-9)


def test_other_gates_on_three_qubits():
    qubits = cirq.LineQubit.range(3)
    shifted = cirq.CCZPowGate(exponent=0.3, global_shift=0.5)
    for gate in (cirq.CSWAP, shifted, cirq.ControlledGate(cirq.ISWAP)):
        circuit = cirq.Circuit(gate(*qubits))
        out = cirq_results.expand_unknown(circuit, cirq_io.count_rows)
        assert max(len(op.qubits) for op in out.all_operations()) == 2
        np.testing.assert_allclose(out.unitary(qubits), circuit.unitary(qubits), atol=1e-6)


def test_reading_opens_only_what_is_unknown():
    plain = cirq.Circuit(cirq.CX(*Q[:2]), cirq.rz(0.3)(Q[0]), cirq.measure(Q[0], key="m"))
    assert len(read(plain)) == 3
    nested = cirq.Circuit(cirq.CircuitOperation(plain.freeze()), cirq.CCX(*Q))
    assert [GATES[op].name for op in read(nested).op].count("cx") == 7


def test_u_gates_of_qasm():
    rng = np.random.default_rng(0)
    for theta, phi, lmda in rng.uniform(-3, 3, (20, 3)):
        gate = QasmUGate(theta, phi, lmda)
        circuit = to_cirq(from_cirq(cirq.Circuit(gate(Q[0]))))
        np.testing.assert_allclose(circuit.unitary([Q[0]]), cirq.unitary(gate), atol=1e-9)
    s = sympy.Symbol("s")
    symbolic = to_cirq(from_cirq(cirq.Circuit(QasmUGate(s, 2 * s, 0.25)(Q[0]))))
    bound = cirq.resolve_parameters(symbolic, {"s": 0.3})
    np.testing.assert_allclose(bound.unitary([Q[0]]), cirq.unitary(QasmUGate(0.3, 0.6, 0.25)), atol=1e-9)


def test_toffoli_gates_are_read_at_once():
    a = sympy.Symbol("a")
    gates = [cirq.CCX, cirq.CCZ**0.3, cirq.CCX**a, cirq.CSWAP, cirq.CCZ, cirq.CCXPowGate(global_shift=0.5)]
    rng = np.random.default_rng(1)
    for gate in gates:
        place = [Q[k] for k in rng.permutation(3)]
        circuit = cirq.Circuit(cirq.H.on_each(*Q[:3]), gate(*place))
        rows = read(circuit)
        assert OPAQUE not in rows.op
        found, given = (cirq.resolve_parameters(c, {"a": 0.7}) for c in (to_cirq(rows), circuit))
        np.testing.assert_allclose(found.unitary(Q[:3]), given.unitary(Q[:3]), atol=1e-9)
        assert OPAQUE in from_cirq(circuit).op
    tagged = read(cirq.Circuit(cirq.CCX(*Q[:3]).with_tags("t")))
    assert OPAQUE not in tagged.op


def test_phases_with_a_control_as_qasm_has_them():
    for gate in (QasmUGate(0, 0.3, 0.4), QasmUGate(0.5, 0, 0), QasmUGate(0.3, 0.1, 0.7)):
        circuit = cirq.Circuit(cirq.H.on_each(*Q[:2]), gate(Q[1]).controlled_by(Q[0]))
        rows = read(circuit)
        np.testing.assert_allclose(to_cirq(rows).unitary(Q[:2]), circuit.unitary(Q[:2]), atol=1e-9)
    assert len(from_cirq(cirq.Circuit(QasmUGate(0, 0, 0.4)(Q[1]).controlled_by(Q[0])))) == 2
