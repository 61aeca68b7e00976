"""Rules over every entangler, multiplied out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers import assert_same_meaning

from qattn_compiler.circuit.edit import expand
from qattn_compiler.circuit.gates import BY_NAME, GATES
from qattn_compiler.circuit.table import Builder
from qattn_compiler.synth.entanglers import ENTANGLERS
from qattn_compiler.synth.native_rules import rules_over

TWO = tuple(gate for gate in GATES if gate.num_qubits == 2)
COUNTS = {
    "cz": {"cx": 1, "swap": 3, "iswap": 2, "rzz": 2, "cphase": 2, "givens": 2, "fsim": 4},
    "iswap": {"cz": 2, "swap": 3, "iswapdg": 1, "rzz": 2, "cphase": 2, "givens": 2, "fsim": 4},
    "siswap": {"cz": 2, "swap": 3, "iswap": 2, "siswapdg": 1, "rzz": 4, "givens": 2, "fsim": 6},
    "syc": {"cz": 2, "swap": 3, "iswap": 3, "rzz": 4, "givens": 4, "fsim": 8},
    "rzz": {"cz": 1, "swap": 3, "rxx": 1, "ryy": 1, "crx": 1, "cphase": 1, "givens": 2, "fsim": 3},
    "rxx": {"cz": 1, "swap": 3, "rzz": 1, "ryy": 1, "crx": 1, "cphase": 1, "givens": 2, "fsim": 3},
    "cphase": {"cz": 1, "swap": 3, "rxx": 1, "ryy": 1, "crz": 1, "rzz": 1, "givens": 2, "fsim": 3},
    "ms": {"cz": 1, "swap": 3, "rzz": 2, "givens": 2},
}
"""How many entanglers the rules take."""


@pytest.mark.parametrize("entangler", ENTANGLERS)
def test_every_rule_is_exact(entangler):
    rng = np.random.default_rng(5)
    native, rules = ENTANGLERS[entangler], rules_over(entangler)
    for gate in TWO:
        if gate.name == native.gate and not native.angles:
            assert gate.name not in rules
            continue
        rule = rules[gate.name]
        assert {step.name for step in rule.steps if len(step.on) == 2} == {native.gate}
        builder = Builder(range(2))
        angles = [(float(rng.normal()), {"ab"[k]: 1.0}) for k in range(gate.num_angles)]
        builder.add(gate.name, (0, 1), angles)
        circuit = builder.build()
        out = expand(circuit, np.zeros(1, dtype=np.int64), [rule])
        if native.gate == "fsim":
            whole = out.angles.copy()
            whole[out.op == BY_NAME["fsim"].code, :2] = native.angles
            out = replace(out, angles=whole)
        assert_same_meaning(circuit, out, 1e-9)


@pytest.mark.parametrize("entangler", COUNTS)
def test_counts(entangler):
    rules = rules_over(entangler)
    for gate, count in COUNTS[entangler].items():
        assert sum(len(step.on) == 2 for step in rules[gate].steps) == count, gate


def test_a_planted_fault_is_noticed():
    rule = rules_over("siswap")["givens"]
    wrong = replace(rule, steps=rule.steps[:-1])
    builder = Builder(range(2))
    builder.add("givens", (0, 1), [(0.3, {"a": 1.0})])
    with pytest.raises(AssertionError):
        assert_same_meaning(builder.build(), expand(builder.build(), np.zeros(1, dtype=np.int64), [wrong]))
