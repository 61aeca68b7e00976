"""Every rule against the gate table's matrix, global phase included."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import unitary

from qattn_compiler.circuit.edit import expand
from qattn_compiler.circuit.gates import BY_NAME, GATES, NUM_QUBITS
from qattn_compiler.circuit.table import Builder
from qattn_compiler.synth.two_qubit_rules import RULES

CZ_COUNT = dict.fromkeys(RULES, 2) | {"cx": 1, "cy": 1, "ch": 1, "swap": 3, "fsim": 4}


def test_every_two_qubit_gate_has_a_rule():
    assert set(RULES) == {gate.name for gate in GATES if gate.num_qubits == 2} - {"cz"}


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_rule_is_the_gate(name, order):
    rng = np.random.default_rng(11)
    for symbolic in (False, True):
        builder = Builder(range(2))
        angles = [float(v) for v in rng.normal(size=BY_NAME[name].num_angles) * 3]
        builder.add(name, order, [(v, {f"p{k}": 1.5}) if symbolic else v for k, v in enumerate(angles)])
        circuit = builder.build()
        out = expand(circuit, np.array([0]), [RULES[name]])
        values = {param.name: float(rng.normal()) for param in circuit.params}
        np.testing.assert_allclose(unitary(out, values), unitary(circuit, values), atol=1e-12)
        two = [GATES[op].name for op in out.op if NUM_QUBITS[op] == 2]
        assert two == ["cz"] * CZ_COUNT[name]


@pytest.mark.parametrize("name", RULES)
def test_angles_are_used_as_they_are_declared(name):
    for step in RULES[name].steps:
        assert (step.angle is None) == (BY_NAME[step.name].num_angles == 0)
        assert len(step.on) == BY_NAME[step.name].num_qubits
        if step.angle is not None:
            assert len(step.angle[1]) <= BY_NAME[name].num_angles
