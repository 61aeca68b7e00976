"""Optimize: levels, candidates, costs, and what they keep."""

import numpy as np
import pytest
from helpers import GATE_SETS, assert_same_meaning, circuits, make, random_circuit, walls
from hypothesis import given, settings
from hypothesis import strategies as st

from qattn_compiler.circuit.gates import BY_NAME, GATES
from qattn_compiler.circuit.relabel import with_swaps
from qattn_compiler.circuit.spec import check
from qattn_compiler.errors import PassError
from qattn_compiler.passes.circuit import optimize
from qattn_compiler.passes.circuit.cost import COSTS, depth, entangler_depth, entanglers, two_qubit
from qattn_compiler.passes.circuit.optimize import Optimize
from qattn_compiler.synth.two_qubit_rules import CZ_COUNT, RULES

EFFORTS = st.sampled_from(["usual", "long"])


@given(circuits(max_rows=20), st.integers(0, 3), EFFORTS)
@settings(max_examples=60)
def test_meaning_is_kept_and_the_cost_never_grows(circuit, level, effort):
    result = Optimize(level, effort=effort).run(circuit)
    check(result)
    assert_same_meaning(circuit, result)
    assert walls(result) == walls(circuit)
    assert result is circuit or two_qubit(result) < two_qubit(circuit)


@given(circuits(max_rows=20), st.integers(1, 3), EFFORTS)
@settings(max_examples=30)
def test_every_candidate_means_the_same(circuit, level, effort):
    for found in Optimize(level, effort=effort).candidates(circuit):
        assert_same_meaning(circuit, with_swaps(found.circuit, found.place))


@pytest.mark.parametrize("names", sorted(GATE_SETS))
def test_longer_circuits(names):
    rng = np.random.default_rng(11)
    for n in (3, 4):
        circuit = random_circuit(rng, n, 50, GATE_SETS[names], symbolic=0.1, walls=0.02)
        assert_same_meaning(circuit, Optimize(3).run(circuit))
        assert_same_meaning(circuit, Optimize(3, effort="long").run(circuit))


def test_long_searches_find_more():
    rng = np.random.default_rng(4)
    rows = []
    for pair in [(0, 1), (1, 2), (0, 2)] * 6:  # 18 CZ for a real unitary, which never needs more than 14
        rows += [("cz", pair), *(("ry", (q,), float(rng.uniform(-3, 3))) for q in pair)]
    circuit = make(3, *rows)
    usual, long = (Optimize(3, effort=effort).run(circuit) for effort in ("usual", "long"))
    assert_same_meaning(circuit, long)
    assert entanglers(long) <= 14 < entanglers(usual) <= 18


def test_higher_levels_cost_no_more():
    rng = np.random.default_rng(2)
    for _ in range(6):
        circuit = random_circuit(rng, 4, 50, GATE_SETS["clifford"], symbolic=0)
        costs = [entanglers(Optimize(level).relabelled(circuit).circuit) for level in range(4)]
        assert costs == sorted(costs, reverse=True)


def test_swaps_are_free_where_names_may_change():
    circuit = make(3, ("swap", (0, 1)), ("cx", (1, 2)), ("swap", (1, 2)))
    found = Optimize(1).relabelled(circuit)
    assert entanglers(found.circuit) == 1
    assert found.place.tolist() == [1, 2, 0]
    assert_same_meaning(circuit, Optimize(3).run(circuit))


def test_what_is_dropped_is_told():
    circuit = make(2, ("rz", 0, 1e-5), ("cphase", (0, 1), 2e-5), ("h", 0))
    found = Optimize(2, atol=1e-4).relabelled(circuit)
    assert found.dropped == pytest.approx(3e-5)
    assert [GATES[op].name for op in found.circuit.op] == ["h"]
    assert Optimize(2).relabelled(circuit).dropped == 0


def test_costs_count_what_the_rules_make():
    for gate in GATES:
        if gate.num_qubits == 2:
            made = 1 if gate.name == "cz" else sum(step.name == "cz" for step in RULES[gate.name].steps)
            assert CZ_COUNT[gate.code] == made
    circuit = make(3, ("rzz", (0, 1), 0.3), ("cz", (1, 2)), ("h", 0), ("swap", (0, 1)))
    assert entanglers(circuit) == 6
    assert entangler_depth(circuit) == 6
    assert two_qubit(circuit) == (6, 6, 4)
    assert depth(circuit) == (6, 6, 4)
    assert entanglers(make(1, ("h", 0))) == 0
    assert CZ_COUNT[BY_NAME["h"].code] == 0


def test_depth_as_the_cost():
    circuit = make(4, ("cx", (0, 1)), ("cx", (1, 2)), ("cx", (2, 3)), ("cx", (0, 1)), ("cx", (2, 3)))
    assert COSTS["depth"](Optimize(3, cost="depth").run(circuit)) <= depth(circuit)


def test_large_circuits_are_tried_by_a_sample(monkeypatch):
    monkeypatch.setattr(optimize, "PAULI_GATES", 10)
    monkeypatch.setattr(optimize, "SAMPLE", 8)
    rng = np.random.default_rng(0)
    wasteful = random_circuit(rng, 4, 60, ("cx", "h", "s"), symbolic=0)
    assert len(Optimize(3).candidates(wasteful)) > 1
    sparse = make(12, *[("cz", (k, k + 1)) for k in range(11)])
    assert len(Optimize(3).candidates(sparse)) == 1


@pytest.mark.parametrize("options", [{"level": 4}, {"cost": "beauty"}, {"atol": -1.0}, {"effort": "short"}])
def test_bad_options_are_refused(options):
    with pytest.raises(PassError):
        Optimize(**options)
