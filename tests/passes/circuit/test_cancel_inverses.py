"""CancelInverses."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import ALL_GATES, GATE_SETS, assert_pass, circuits, make, random_circuit, shown
from hypothesis import given

from qattn_compiler.circuit.gates import BY_NAME
from qattn_compiler.circuit.table import Builder, Extra, concatenate
from qattn_compiler.passes import CancelInverses


@given(circuits())
def test_promises(circuit):
    assert_pass(CancelInverses(), circuit)


@given(circuits(gates="clifford", max_rows=24))
def test_promises_where_much_commutes(circuit):
    assert_pass(CancelInverses(), circuit)


@pytest.mark.parametrize("names", GATE_SETS)
def test_promises_on_longer_circuits(names):
    rng = np.random.default_rng(19)
    for _ in range(25):
        assert_pass(CancelInverses(), random_circuit(rng, 3, 50, GATE_SETS[names], symbolic=0.2, walls=0.05))


def inverse_of(circuit):
    """Rows in reverse order, each replaced by its inverse."""
    builder = Builder(circuit.qubits)
    for row in reversed(range(len(circuit))):
        gate = BY_NAME[ALL_GATES[circuit.op[row]]]
        weights = np.array(gate.inverse_map).reshape(gate.num_angles, gate.num_angles)
        constants = weights @ circuit.angles[row, : gate.num_angles]
        angles = []
        for column in range(gate.num_angles):
            terms: dict[str, float] = {}
            for inner in range(gate.num_angles):
                for param, coef in circuit.affine.at(3 * row + inner):
                    name = circuit.params[param].name
                    terms[name] = terms.get(name, 0.0) + weights[column, inner] * coef
            angles.append((float(constants[column]), terms))
        builder.add(str(gate.inverse), circuit.operands[row, : gate.num_qubits].tolist(), angles)
    return builder.build()


def test_a_circuit_and_its_inverse_are_nothing():
    rng = np.random.default_rng(23)
    for _ in range(30):
        circuit = random_circuit(rng, 3, 15, symbolic=0.3)
        both = concatenate(circuit.qubits, [circuit, inverse_of(circuit)])
        assert len(assert_pass(CancelInverses(), both)) == 0


def test_cx_meet_through_a_common_control():
    circuit = make(3, ("cx", (0, 1)), ("cx", (0, 2)), ("cx", (0, 1)))
    assert shown(assert_pass(CancelInverses(), circuit)) == ["cx 0 2"]


def test_cx_meet_through_a_common_target():
    circuit = make(3, ("cx", (0, 2)), ("cx", (1, 2)), ("sx", 2), ("t", 0), ("cx", (0, 2)))
    assert shown(assert_pass(CancelInverses(), circuit)) == ["cx 1 2", "sx 2", "t 0"]


def test_cx_do_not_meet_through_each_other():
    circuit = make(2, ("cx", (0, 1)), ("cx", (1, 0)), ("t", 0), ("cx", (0, 1)))
    assert CancelInverses().run(circuit) is circuit


@pytest.mark.parametrize(
    "rows",
    [
        [("h", 0), ("h", 0)],
        [("swap", (0, 1)), ("swap", (1, 0))],
        [("cz", (0, 1)), ("cz", (1, 0))],
        [("iswap", (0, 1)), ("iswapdg", (1, 0))],
        [("givens", (0, 1), "s"), ("givens", (0, 1), "-s")],
        [("givens", (0, 1), 0.25), ("givens", (0, 1), -0.25)],
        [("fsim", (0, 1), 0.1, 0.2), ("fsim", (1, 0), -0.1, -0.2)],
        [("rz", 0, "s"), ("rz", 0, "-s")],
        [("phased_xz", 0, 0.5, 0.25, 1.0), ("phased_xz", 0, -0.5, -0.25, 1.25)],
        [("s", 0), ("cz", (0, 1)), ("sdg", 0), ("cz", (0, 1))],
        [("h", 0), ("x", 1), ("swap", (0, 1)), ("swap", (0, 1)), ("x", 1), ("h", 0)],
        [("x", 0)] * 6,
        [("t", 0), ("tdg", 0), ("tdg", 0), ("t", 0)],
    ],
)
def test_nothing_is_left(rows):
    assert len(assert_pass(CancelInverses(), make(2, *rows))) == 0


@pytest.mark.parametrize(
    "rows",
    [
        [("givens", (0, 1), 0.25), ("givens", (1, 0), -0.25)],  # givens(t) is not symmetric: these add up
        [("crx", (0, 1), 0.5), ("crx", (1, 0), -0.5)],
        [("rz", 0, "s"), ("rz", 0, "-t")],
        [("t", 0)] * 8,  # that is for MergeRotations
        [("h", 0), ("cz", (0, 1)), ("h", 0)],
    ],
)
def test_everything_is_left(rows):
    circuit = make(2, *rows)
    assert CancelInverses().run(circuit) is circuit


@pytest.mark.parametrize(
    ("rows", "left"),
    [
        ([("cx", (0, 1)), ("cx", (1, 0)), ("cx", (0, 1))], ["swap 0 1"]),
        ([("cx", (0, 1)), ("t", 0), ("cx", (1, 0)), ("cx", (0, 1)), ("x", 1)], ["t 0", "swap 0 1", "x 1"]),
        ([("cx", (0, 1)), ("cx", (1, 0)), ("cx", (0, 1)), ("swap", (1, 0))], []),
        ([("cx", (0, 1)), ("cx", (1, 0)), ("t", 1), ("cx", (0, 1)), ("t", 1)], None),
        ([("cx", (0, 1)), ("cx", (1, 0)), ("t", 0), ("cx", (0, 1)), ("tdg", 0)], ["swap 0 1"]),
        ([("iswap", (0, 1)), ("iswap", (1, 0))], ["z 1", "z 0"]),
        ([("z", 0), ("iswap", (0, 1)), ("iswap", (1, 0)), ("z", 1)], []),
        ([("siswap", (0, 1)), ("siswap", (1, 0))], ["iswap 1 0"]),
        ([("siswap", (0, 1))] * 8, []),
        ([("siswapdg", (0, 1))] * 4, ["z 0", "z 1"]),
        ([("iswap", (0, 1)), ("siswapdg", (0, 1))], ["siswap 0 1"]),
        ([("iswap", (0, 1)), ("siswap", (0, 1))], None),
        ([("iswap", (0, 1)), ("t", 0), ("iswap", (0, 1))], None),
        ([("iswap", (0, 1)), ("iswap", (1, 2))], None),
    ],
)
def test_identities(rows, left):
    circuit = make(3, *rows)
    out = assert_pass(CancelInverses(), circuit)
    assert shown(out) == left if left is not None else out is circuit


def test_ch_meet_through_what_commutes_with_the_control():
    circuit = make(3, ("ch", (0, 1)), ("rz", 0, "s"), ("cx", (0, 2)), ("ch", (0, 1)))
    assert shown(assert_pass(CancelInverses(), circuit)) == ["rz 0", "cx 0 2"]


def test_one_of_three_is_left():
    assert shown(assert_pass(CancelInverses(), make(1, ("t", 0), ("tdg", 0), ("t", 0)))) == ["t 0"]


def test_tagged_gates_stay():
    builder = Builder(range(2))
    builder.add("cz", [0, 1], extra=Extra(tags=("keep",)))
    builder.add("cz", [0, 1])
    circuit = builder.build()
    assert CancelInverses().run(circuit) is circuit


def test_not_across_a_measurement_or_its_key():
    builder = Builder(range(2))
    builder.add("x", [0])
    builder.measure([0], "m")
    builder.add("x", [0])
    circuit = builder.build()
    assert CancelInverses().run(circuit) is circuit
