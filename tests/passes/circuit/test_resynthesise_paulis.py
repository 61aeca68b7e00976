"""ResynthesisePaulis: whole regions rebuilt as Pauli rotations and a Clifford."""

from math import pi

import numpy as np
import pytest
from helpers import (
    GATE_SETS,
    assert_same_meaning,
    circuits,
    make,
    random_circuit,
    walls,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from qattn_compiler.circuit.gates import GATES
from qattn_compiler.circuit.spec import check
from qattn_compiler.circuit.table import Builder, Circuit
from qattn_compiler.errors import PassError
from qattn_compiler.passes.circuit.cost import entanglers
from qattn_compiler.passes.circuit.resynthesise_paulis import ResynthesisePaulis, efforts, normalised


def rebuilt(circuit: Circuit, **options) -> Circuit:
    """The result, checked for all that the pass promises."""
    step = ResynthesisePaulis(**options)
    result = step.run(circuit)
    check(result)
    assert_same_meaning(circuit, result)
    assert walls(result) == walls(circuit)
    assert result.params == circuit.params
    if not step.always:
        assert result is circuit or entanglers(result) < entanglers(circuit)
        assert entanglers(step.run(result)) <= entanglers(result)
    return result


@given(circuits(), st.integers(1, 24))
@settings(max_examples=150)
def test_meaning_and_phase_are_kept(circuit, effort):
    rebuilt(circuit, effort=effort)
    rebuilt(circuit, effort=1, always=True)


@pytest.mark.parametrize("names", sorted(GATE_SETS))
def test_longer_circuits(names):
    rng = np.random.default_rng(5)
    for n in (2, 4, 6):
        circuit = random_circuit(rng, n, 60, GATE_SETS[names], symbolic=0.2, walls=0.02)
        rebuilt(circuit, effort=3, always=True)


def test_numeric_circuits_merge_into_cliffords():
    # t t = s: quarter and half turns that only merging makes are taken into the frame, phase included
    rng = np.random.default_rng(3)
    for _ in range(60):
        circuit = random_circuit(rng, 3, 40, GATE_SETS["clifford"], symbolic=0)
        rebuilt(circuit, effort=2, always=True)


def toffoli(builder: Builder, a: int, b: int, c: int) -> None:
    builder.add("h", [c])
    for name, wires in [
        ("cx", [b, c]),
        ("tdg", [c]),
        ("cx", [a, c]),
        ("t", [c]),
        ("cx", [b, c]),
        ("tdg", [c]),
        ("cx", [a, c]),
        ("t", [b]),
        ("t", [c]),
        ("cx", [a, b]),
        ("t", [a]),
        ("tdg", [b]),
        ("cx", [a, b]),
    ]:
        builder.add(name, wires)
    builder.add("h", [c])


def test_two_toffolis_cancel():
    builder = Builder(range(3))
    toffoli(builder, 0, 1, 2)
    builder.add("rz", [0], [0.3])
    toffoli(builder, 0, 1, 2)
    assert entanglers(rebuilt(builder.build())) == 0


def test_equal_strings_meet_through_cliffords():
    # the same ZZ rotation, written on either wire and behind a Clifford
    circuit = make(
        2,
        ("cx", (0, 1)),
        ("rz", 1, "a"),
        ("cx", (0, 1)),
        ("cx", (1, 0)),
        ("rz", 0, "-a"),
        ("cx", (1, 0)),
    )
    result = rebuilt(circuit, effort=2)
    assert entanglers(result) == 0
    assert not result.is_symbolic


def test_symbols_ride_along():
    circuit = make(3, ("rzz", (0, 1), "a"), ("rzz", (1, 2), "b"), ("rzz", (0, 2), "c"), ("rzz", (0, 1), 0.3))
    result = rebuilt(circuit, effort=8)
    assert entanglers(result) <= 5
    assert {p.name for p in result.params} == {"a", "b", "c"}


def test_random_cliffords_shrink():
    rng = np.random.default_rng(0)
    circuit = random_circuit(rng, 8, 400, ("cx", "h", "s", "cz", "swap"), symbolic=0)
    assert entanglers(rebuilt(circuit, effort=4, free_swaps=True)) < 60


def test_identity_vanishes():
    rng = np.random.default_rng(1)
    part = random_circuit(rng, 4, 30, ("cx", "h", "t", "s"), symbolic=0)
    builder = Builder(part.qubits)
    inverse = {"t": "tdg", "s": "sdg"}
    rows = [(GATES[part.op[k]].name, part.operands[k]) for k in range(len(part))]
    for name, wires in rows + [(inverse.get(name, name), wires) for name, wires in rows[::-1]]:
        builder.add(name, [q for q in wires.tolist() if q >= 0])
    assert entanglers(rebuilt(builder.build())) == 0


def test_what_is_not_cheaper_stays():
    circuit = make(4, ("h", 0), ("cx", (0, 1)), ("cx", (1, 2)), ("cx", (2, 3)))
    assert ResynthesisePaulis().run(circuit) is circuit


def test_same_seed_same_circuit():
    rng = np.random.default_rng(2)
    circuit = random_circuit(rng, 5, 80, GATE_SETS["clifford"], symbolic=0)
    first, second = (ResynthesisePaulis(40, seed=7).run(circuit) for _ in range(2))
    assert first.op.tobytes() == second.op.tobytes()
    assert first.operands.tobytes() == second.operands.tobytes()
    assert efforts(40, 7) == efforts(40, 7)


def test_normal_form_keeps_everything():
    rng = np.random.default_rng(4)
    for _ in range(40):
        circuit = random_circuit(rng, 3, 12, walls=0.1)
        assert_same_meaning(circuit, normalised(circuit))
    for turns in range(-9, 10):
        for name in ("rx", "ry", "rz", "rxx", "ryy", "rzz"):
            wires = (0, 1) if len(name) == 3 else 0
            circuit = make(2, (name, wires, turns * pi / 2))
            result = normalised(circuit)
            assert_same_meaning(circuit, result)
            assert all(GATES[op].num_angles == 0 for op in result.op)


@pytest.mark.parametrize("effort", [0, -1, 513])
def test_bad_effort_is_refused(effort):
    with pytest.raises(PassError, match="effort"):
        ResynthesisePaulis(effort)
