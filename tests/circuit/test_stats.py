"""Counts and depths, by hand and against Cirq's moments."""

from __future__ import annotations

import json
from dataclasses import replace

import cirq
import numpy as np
from helpers import circuits, make, random_circuit
from hypothesis import given

from qattn_compiler.circuit.stats import Stats, stats
from qattn_compiler.circuit.table import Builder
from qattn_compiler.interop.cirq_io import to_cirq


def test_by_hand():
    builder = Builder(range(3))
    builder.add("h", [0])
    builder.add("rz", [0], [(0.5, {"a": 1.0})])
    builder.add("cx", [0, 1])
    builder.add("cz", [1, 2])
    builder.opaque([0, 1, 2], "CCX")
    builder.measure([0, 1], "m")
    builder.opaque([2], "if m", reads=("m",))
    builder.reset(0)
    builder.parameter("unused")
    counts = {"cx": 1, "cz": 1, "h": 1, "measure": 1, "opaque": 2, "reset": 1, "rz": 1}
    assert stats(builder.build()) == Stats(counts, 3, 2, 7, 3, 1, 1)


def test_to_dict_is_plain():
    plain = stats(make(2, ("h", 0), ("cx", (0, 1)))).to_dict()
    assert json.loads(json.dumps(plain)) == plain
    assert plain["counts"] == {"cx": 1, "h": 1}
    assert plain["depth"] == 2


def test_nothing():
    assert stats(make(0)) == Stats({}, 0, 0, 0, 0, 0, 0)


@given(circuits(walls=False))
def test_depth_is_cirqs(circuit):
    circuit = replace(circuit, qubits=tuple(cirq.LineQubit.range(circuit.num_qubits)))
    found = stats(circuit)
    moments = to_cirq(circuit, global_phase=False)
    assert found.depth == len(moments)
    assert found.depth == len(cirq.Circuit(moments.all_operations()))
    two = [op for op in moments.all_operations() if cirq.num_qubits(op) > 1]
    assert found.two_qubit == len(two)
    assert found.two_qubit_depth == len(cirq.Circuit(two))
    assert found.one_qubit + found.two_qubit == len(circuit)


def test_depth_with_measurements_is_cirqs():
    rng = np.random.default_rng(5)
    q = cirq.LineQubit.range(3)
    for _ in range(20):
        circuit = random_circuit(rng, 3, 12, symbolic=0)
        builder = Builder(q)
        for row in range(len(circuit)):
            builder.add("cz", rng.permutation(3)[:2].tolist())
            builder.measure([int(rng.integers(3))], f"m{row % 3}")
        built = builder.build()
        assert stats(built).depth == len(cirq.Circuit(to_cirq(built).all_operations()))
