"""Cirq in and out: exact meaning, and nothing lost."""

from __future__ import annotations

from dataclasses import replace

import cirq
import numpy as np
import pytest
import sympy
from cirq.circuits.qasm_output import QasmUGate
from helpers import circuits, make, random_circuit, random_values, unitary
from hypothesis import given

from qattn_compiler.circuit import spec
from qattn_compiler.circuit.gates import GATES, OPAQUE
from qattn_compiler.circuit.stats import stats
from qattn_compiler.circuit.table import Builder, Circuit, Extra
from qattn_compiler.errors import CircuitError
from qattn_compiler.interop.cirq_angles import unit
from qattn_compiler.interop.cirq_io import count_rows, from_cirq, to_cirq

Q = cirq.LineQubit.range(3)
S, T = sympy.symbols("s t")
VALUES = {"s": 0.37, "t": -1.21, "a": 0.4, "b": -0.7, "c": 1.9}


def cirq_unitary(circuit: cirq.AbstractCircuit, qubits=Q) -> np.ndarray:
    resolved = cirq.resolve_parameters(circuit, VALUES)
    return resolved.unitary(qubit_order=qubits, qubits_that_should_be_present=qubits, dtype=np.complex128)


def our_unitary(circuit: Circuit) -> np.ndarray:
    values = {
        p.name: VALUES[p.name] if p.expression is None else float(p.expression.subs(VALUES))
        for p in circuit.params
    }
    return unitary(circuit, values)


def on_line(circuit: Circuit) -> Circuit:
    return replace(circuit, qubits=tuple(cirq.LineQubit.range(circuit.num_qubits)))


# -- gates --------------------------------------------------------------------------------------------------

KNOWN = [
    cirq.X,
    cirq.Y,
    cirq.Z,
    cirq.H,
    cirq.S,
    cirq.T**-1,
    cirq.I,
    cirq.X**0.5,
    cirq.X**-0.5,
    cirq.X**0.3,
    cirq.X**3,
    cirq.X**-1.5,
    cirq.XPowGate(exponent=1.0, global_shift=0.3),
    cirq.Y**1.7,
    cirq.Z**2.25,
    cirq.Z**S,
    cirq.X**0,
    cirq.X ** (2 * S + T / 3 - 1),
    cirq.H**0.3,
    cirq.H**S,
    cirq.H**3,
    cirq.rx(S * T),
    cirq.rz(sympy.sin(S) + 2 * T),
    cirq.ry(0.7),
    cirq.PhasedXPowGate(exponent=S, phase_exponent=T, global_shift=0.2),
    cirq.S**-2.5,
    cirq.PhasedXPowGate(exponent=0.3, phase_exponent=0.1),
    cirq.SingleQubitCliffordGate.X_sqrt,
    cirq.PhasedXZGate(x_exponent=S, z_exponent=T, axis_phase_exponent=S - T),
    cirq.PhasedXZGate(x_exponent=0.1, z_exponent=0.2, axis_phase_exponent=0.3),
    cirq.MatrixGate(cirq.testing.random_unitary(2, random_state=1)),
    cirq.MatrixGate(-np.eye(2)),
    cirq.CZ,
    cirq.CX,
    cirq.CZ**S,
    cirq.CX**S,
    cirq.CX**0.4,
    cirq.CX**-1,
    cirq.CZPowGate(exponent=0.3, global_shift=0.7),
    cirq.SWAP,
    cirq.SWAP**S,
    cirq.SWAP**0.3,
    cirq.SWAP**-1,
    cirq.ISWAP**S,
    cirq.ISWAP,
    cirq.ISWAP**3,
    cirq.ISWAP**2.5,
    cirq.SQRT_ISWAP,
    cirq.SQRT_ISWAP_INV,
    cirq.riswap(0.3),
    cirq.XX**S,
    cirq.XX,
    cirq.YY**0.2,
    cirq.ZZ,
    cirq.ms(0.2),
    cirq.FSimGate(S, T),
    cirq.FSimGate(0.2, -0.4),
    cirq.givens(S),
    cirq.givens(0.3),
    cirq.cphase(S),
    cirq.PhasedISwapPowGate(phase_exponent=S, exponent=T),
    cirq.PhasedISwapPowGate(phase_exponent=0.3, exponent=0.2),
    cirq.X.controlled(),
    cirq.Y.controlled(),
    cirq.H.controlled(),
    (cirq.X**S).controlled(),
    cirq.rx(S).controlled(),
    cirq.rz(0.3).controlled(),
    (cirq.Y**0.3).controlled(),
    cirq.T.controlled(),
    (cirq.X**0.5).controlled(),
    cirq.CYPowGate() if hasattr(cirq, "CYPowGate") else cirq.CX,
]


@pytest.mark.parametrize("gate", KNOWN, ids=str)
def test_known_gates_in_and_out(gate):
    given_ = cirq.Circuit(gate.on(*Q[: cirq.num_qubits(gate)]))
    columns = from_cirq(given_, qubits=Q)
    spec.check(columns)
    assert count_rows(gate) is not None
    assert (columns.op != OPAQUE).all()
    expected = cirq_unitary(given_)
    np.testing.assert_allclose(our_unitary(columns), expected, atol=1e-7)
    np.testing.assert_allclose(cirq_unitary(to_cirq(columns)), expected, atol=1e-7)


UNKNOWN = [
    cirq.CCX,
    cirq.CSWAP,
    cirq.depolarize(0.1),
    cirq.MatrixGate(cirq.testing.random_unitary(4, random_state=1)),
    cirq.X.controlled(control_values=[0]),
    cirq.Z.controlled(2),
    cirq.ParallelGate(cirq.X, 2),
    cirq.QubitPermutationGate([1, 0]),
    cirq.WaitGate(cirq.Duration(nanos=3)),
    cirq.amplitude_damp(0.2),
    cirq.PauliMeasurementGate([cirq.X], key="p"),
    cirq.SingleQubitCliffordGate.H.controlled(control_values=[0]),
    cirq.KrausChannel([np.eye(2)], key="k"),
    cirq.MeasurementGate(1, key="c", confusion_map={(0,): np.array([[0.9, 0.1], [0.2, 0.8]])}),
]


@pytest.mark.parametrize("gate", UNKNOWN, ids=str)
def test_unknown_gates_are_carried(gate):
    given_ = cirq.Circuit(gate.on(*Q[: cirq.num_qubits(gate)]).with_tags("tag"))
    columns = from_cirq(given_)
    assert columns.op.tolist() == [OPAQUE]
    assert columns.keys == tuple(sorted(cirq.measurement_key_names(given_)))
    cirq.testing.assert_same_circuits(to_cirq(columns), given_)


def test_qudits_are_carried():
    qutrit = cirq.LineQid(5, 3)
    given_ = cirq.Circuit(cirq.IdentityGate(qid_shape=(3,)).on(qutrit), cirq.XPowGate(dimension=3).on(qutrit))
    cirq.testing.assert_same_circuits(to_cirq(from_cirq(given_)), given_)


# -- whole circuits -----------------------------------------------------------------------------------------


@given(circuits(walls=False))
def test_round_trip_keeps_the_meaning(circuit):
    circuit = on_line(circuit)
    out = to_cirq(circuit)
    expected = our_unitary(circuit)
    np.testing.assert_allclose(cirq_unitary(out, circuit.qubits), expected, atol=1e-6)
    back = from_cirq(out, qubits=circuit.qubits)
    assert (back.op != OPAQUE).all()
    np.testing.assert_allclose(our_unitary(back), expected, atol=1e-6)


def test_entangling_rows_come_back_one_for_one():
    rng = np.random.default_rng(41)
    for _ in range(30):
        circuit = on_line(random_circuit(rng, 3, 12, symbolic=0))
        back = from_cirq(to_cirq(circuit), qubits=circuit.qubits)
        assert stats(back).two_qubit == stats(circuit).two_qubit


@given(circuits())
def test_walls_and_tags_come_back_in_order(circuit):
    """Opaque payloads are made operations that Cirq can hold; everything else is the helper's."""
    builder = Builder(cirq.LineQubit.range(circuit.num_qubits))
    for row in range(len(circuit)):
        gate = GATES[circuit.op[row]]
        extra = circuit.extras[circuit.extra[row]] if circuit.extra[row] >= 0 else Extra()
        wires = list(extra.operands) or circuit.operands[row, : gate.num_qubits].tolist()
        qubits = [builder.qubits[w] for w in wires]
        if gate.name == "measure":
            invert = (*extra.invert, *[False] * len(wires))[: len(wires)] if extra.invert else ()
            builder.measure(wires, extra.writes[0], extra.tags, invert)
        elif gate.name == "reset":
            builder.reset(wires[0])
        elif gate.name == "opaque" and extra.operands:
            builder.opaque(wires, cirq.WaitGate(cirq.Duration(nanos=1 + row), len(wires)).on(*qubits))
        elif gate.num_qubits:
            builder.add(gate.name, wires, [np.pi / 2] * gate.num_angles, extra if extra.tags else None)
    built = builder.build()
    once = to_cirq(built)
    back = from_cirq(once, qubits=built.qubits)
    kept = [
        [
            (op.qubits, op.tags) if op.tags else op
            for op in c.all_operations()
            if op.tags or not cirq.has_unitary(op)
        ]
        for c in (once, to_cirq(back))
    ]
    assert kept[0] == kept[1]
    assert sorted(map(repr, back.extras)) == sorted(map(repr, built.extras))


def test_nothing_is_lost():
    given_ = cirq.Circuit(
        cirq.H(Q[0]).with_tags("hi"),
        cirq.measure(Q[0], key="m"),
        cirq.X(Q[1]).with_classical_controls("m"),
        cirq.measure(Q[1], Q[2], key="z", invert_mask=(True,)).with_tags("last"),
        cirq.X(Q[0]).with_classical_controls(sympy.Symbol("m") + sympy.Symbol("z") > 1),
        cirq.CCX(*Q),
        cirq.depolarize(0.1)(Q[0]),
        cirq.CircuitOperation(
            cirq.FrozenCircuit(cirq.X(Q[0]), cirq.measure(Q[0], key="in")),
            repetitions=2,
            use_repetition_ids=True,
        ),
        cirq.reset(Q[1]).with_tags("r"),
        cirq.I(Q[2]).with_tags("idle"),
        cirq.global_phase_operation(1j).with_classical_controls("m"),
    )
    columns = from_cirq(given_)
    assert columns.keys == ("m", "z", "0:in", "1:in")
    out = to_cirq(columns)
    for qubit in Q:
        touching = [[op for op in c.all_operations() if qubit in op.qubits] for c in (given_, out)]
        assert touching[0] == touching[1]
    keyed = [
        [op for op in c.all_operations() if cirq.control_keys(op) or cirq.measurement_key_objs(op)]
        for c in (given_, out)
    ]
    assert set(keyed[0]) == set(keyed[1])


def test_order_of_qubits():
    given_ = cirq.Circuit(cirq.CX(Q[2], Q[0]))
    assert from_cirq(given_).qubits == (Q[0], Q[2])
    columns = from_cirq(given_, qubits=Q[::-1])
    assert columns.qubits == tuple(Q[::-1])
    assert columns.operands.tolist() == [[0, 2]]
    with pytest.raises(CircuitError, match=r"the circuit uses q\(0\)"):
        from_cirq(given_, qubits=Q[1:])


def test_tags_to_ignore_make_walls():
    given_ = cirq.Circuit(cirq.X(Q[0]).with_tags("no"), cirq.X(Q[0]).with_tags("yes"))
    assert [GATES[op].name for op in from_cirq(given_, tags_to_ignore=["no"]).op] == ["opaque", "x"]


def test_gates_that_are_not_to_be_split():
    given_ = cirq.Circuit(cirq.ISWAP(*Q[:2]) ** 0.3, cirq.CX(*Q[:2]) ** 0.5, cirq.CZ(*Q[:2]))
    assert [GATES[op].name for op in from_cirq(given_, split_gates=False).op] == ["opaque", "rz", "crx", "cz"]


# -- symbols and phases -------------------------------------------------------------------------------------


def test_powers_come_out_as_they_went_in():
    """Without a symbolic global phase, which Cirq cannot draw."""
    given_ = cirq.Circuit(
        cirq.X(Q[0]) ** S, cirq.Z(Q[1]) ** (2 * T + 0.5), cirq.rx(T)(Q[0]), cirq.XX(Q[0], Q[1]) ** T
    )
    out = to_cirq(from_cirq(given_))
    assert "X^s" in str(out)
    np.testing.assert_allclose(cirq_unitary(out), cirq_unitary(given_), atol=1e-7)
    assert not any(isinstance(op.gate, cirq.GlobalPhaseGate) for op in out.all_operations())


def test_phases_that_no_gate_brings_stay():
    for gate in (cirq.rx(S), cirq.X**T):
        given_ = cirq.Circuit(gate(Q[0]), cirq.global_phase_operation(sympy.exp(2 * sympy.I * S)))
        out = to_cirq(from_cirq(given_))
        np.testing.assert_allclose(cirq_unitary(out), cirq_unitary(given_), atol=1e-7)


@pytest.mark.parametrize(
    "constant", [0, 0.3, -1.1, np.pi / 2, np.pi, -np.pi / 2, 2.0, sympy.pi / 2, sympy.pi]
)
@pytest.mark.parametrize("factor", [1, -1, 0.25, -2.5, 1 / np.pi, np.pi / 4, sympy.pi, -sympy.pi / 4])
def test_symbolic_global_phases_are_read_as_they_are_written(factor, constant):
    for terms in (factor * S, factor * S - 0.7 * T):
        angle = terms + constant
        for given_ in (unit(angle), sympy.exp(sympy.I * angle)):
            gate = cirq.GlobalPhaseGate(given_)
            columns = from_cirq(cirq.Circuit(gate()))
            assert columns.affine.slot.max() < 0, "a wall"
            back = from_cirq(to_cirq(columns))
            for s, t in ((0.3, -0.8), (1.0, 2.0), (-1.7, 0.0)):
                wanted = complex(sympy.exp(sympy.I * angle.subs({S: s, T: t})).evalf())
                for one in (columns, back):
                    phase = one.bind({p.name: {"s": s, "t": t}[p.name] for p in one.params}).phase
                    assert np.exp(1j * phase) == pytest.approx(wanted)


def test_cirq_puts_numbers_into_symbolic_global_phases():
    columns = from_cirq(cirq.Circuit(cirq.global_phase_operation(sympy.exp(sympy.I * sympy.pi * S))))
    for value in (1.0, -1.0, 2.0, 0.0, 0.5, 1 / 3):
        (operation,) = cirq.resolve_parameters(to_cirq(columns), {"s": value}).all_operations()
        assert complex(operation.gate.coefficient) == pytest.approx(np.exp(1j * np.pi * value))


def test_u1_of_openqasm_looks_diagonal():
    columns = from_cirq(cirq.Circuit(QasmUGate(0.0, 0.3, 0.4)(Q[0])))
    assert [GATES[code].name for code in columns.op] == ["rz"]
    given_ = cirq.Circuit(QasmUGate(0.0, 0.3, 0.4)(Q[0]))
    np.testing.assert_allclose(cirq_unitary(to_cirq(columns)), cirq_unitary(given_), atol=1e-9)


def test_numeric_global_phase():
    columns = from_cirq(cirq.Circuit(cirq.global_phase_operation(1j), cirq.X(Q[0])))
    assert columns.phase == pytest.approx(np.pi / 2)
    assert any(isinstance(op.gate, cirq.GlobalPhaseGate) for op in to_cirq(columns).all_operations())
    without = to_cirq(columns, global_phase=False)
    assert list(without.all_operations()) == [cirq.X(Q[0])]


def test_symbols_keep_their_assumptions():
    real = sympy.Symbol("u", real=True)
    out = to_cirq(from_cirq(cirq.Circuit(cirq.rx(2 * real)(Q[0]), cirq.rz(real)(Q[0]))))
    assert {symbol for op in out.all_operations() for symbol in op.gate.exponent.free_symbols} == {real}


def test_rx_of_a_symbol_is_a_plain_parameter():
    """Cirq writes rx(s) as the exponent s/pi."""
    columns = from_cirq(
        cirq.Circuit(cirq.rx(S)(Q[0]), cirq.X(Q[0]) ** S, cirq.rz(2 * S / 3 + sympy.pi / 2)(Q[0]))
    )
    assert [(p.name, p.expression) for p in columns.params] == [("s", None)]
    np.testing.assert_allclose(columns.affine.coef[-3:], [1, np.pi, 2 / 3])
    assert columns.angles[2, 0] == pytest.approx(np.pi / 2)
    exponents = [op.gate.exponent for op in to_cirq(columns).all_operations()]
    assert exponents[:2] == [S / sympy.pi, S]


def test_angles_that_are_not_affine_are_derived_parameters():
    columns = from_cirq(cirq.Circuit(cirq.rx(S * T + 2 * S)(Q[0])))
    assert {p.name: p.expression for p in columns.params} == {"s*t": S * T, "s": None}
    assert to_cirq(columns)[0].operations[0].gate.exponent.free_symbols == {S, T}


def test_complex_angles_are_refused_with_their_operation():
    with pytest.raises(CircuitError, match=r"finite real number was expected\nin operation"):
        from_cirq(cirq.Circuit(cirq.rx(sympy.I * S)(Q[0])))


def test_qubits_must_be_cirqs():
    with pytest.raises(CircuitError, match="must be Cirq qubits"):
        to_cirq(make(1, ("x", 0)))


def test_symbolic_circuits_at_random_values():
    rng = np.random.default_rng(43)
    for _ in range(15):
        circuit = on_line(random_circuit(rng, 3, 12, symbolic=0.6))
        values = random_values(circuit, rng)
        out = cirq.resolve_parameters(to_cirq(circuit), values)
        matrix = out.unitary(qubit_order=circuit.qubits, qubits_that_should_be_present=circuit.qubits)
        np.testing.assert_allclose(matrix, unitary(circuit, values), atol=1e-6)
