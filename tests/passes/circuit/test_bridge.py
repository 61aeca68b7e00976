"""Bridges: the same unitary, fewer entanglers, and only where SWAPs cost more."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import assert_pass

from qattn_compiler.circuit.gates import GATES
from qattn_compiler.circuit.table import Builder, Circuit, Extra
from qattn_compiler.passes.circuit.absorb_swaps import AbsorbSwaps
from qattn_compiler.passes.circuit.bridge import Bridge
from qattn_compiler.passes.circuit.cost import entanglers
from qattn_compiler.passes.circuit.resynthesise_two_qubit import ResynthesiseTwoQubit


def written(rows: list[tuple], size: int = 4) -> Circuit:
    builder = Builder(range(size))
    for name, *qubits in rows:
        builder.add(name, qubits, [0.3] * GATES[[g.name for g in GATES].index(name)].num_angles)
    return builder.build()


def native(circuit: Circuit) -> int:
    return entanglers(ResynthesiseTwoQubit().run(AbsorbSwaps().run(circuit)))


@pytest.mark.parametrize("gate", [("cz", 1, 2), ("cx", 1, 2), ("cx", 2, 1), ("cz", 2, 1)])
@pytest.mark.parametrize("pair", [(0, 1), (1, 0)])
@pytest.mark.parametrize("before", [[], [("cx", 0, 1)], [("h", 1), ("cx", 1, 2)]])
def test_a_swap_that_is_undone(gate: tuple, pair: tuple, before: list) -> None:
    swap = ("swap", *pair)
    circuit = written([*before, swap, ("t", 0), ("ry", 1), gate, ("h", 1), ("s", 0), swap, ("h", 0)])
    after = Bridge().run(circuit)
    assert not any(GATES[op].name == "swap" for op in after.op)
    assert native(after) < native(circuit)
    assert_pass(Bridge(), circuit, cost=native)


@pytest.mark.parametrize(
    "rows",
    [
        [("cx", 0, 1), ("swap", 0, 1), ("cz", 1, 2), ("swap", 0, 1), ("cx", 0, 1)],
        [("swap", 0, 1), ("cz", 1, 2), ("cz", 1, 3), ("swap", 0, 1)],
        [("swap", 0, 1), ("cz", 1, 2), ("cz", 0, 3), ("swap", 0, 1)],
        [("swap", 0, 1), ("rzz", 1, 2), ("swap", 0, 1)],
        [("swap", 0, 1), ("swap", 1, 2), ("swap", 0, 1)],
        [("swap", 0, 1), ("swap", 0, 1)],
    ],
)
def test_where_there_is_nothing_to_gain(rows: list[tuple]) -> None:
    circuit = written(rows)
    assert Bridge().run(circuit) is circuit


def test_tagged_swaps_and_measurements_stay() -> None:
    builder = Builder(range(3))
    builder.add("swap", [0, 1], (), Extra(tags=("mine",)))
    builder.add("cz", [1, 2])
    builder.add("swap", [0, 1])
    builder.add("swap", [0, 1])
    builder.measure([0], "m")
    builder.add("cz", [1, 2])
    builder.add("swap", [0, 1])
    circuit = builder.build()
    assert Bridge().run(circuit) is circuit


def test_random_circuits() -> None:
    for seed in range(40):
        rng, rows = np.random.default_rng(seed), []
        for _ in range(30):
            a = int(rng.integers(3))
            name = ("swap", "swap", "cz", "cx", "ry", "rzz")[int(rng.integers(6))]
            pair = (a, a + 1) if rng.random() < 0.5 else (a + 1, a)
            rows.append((name, *(pair[:1] if name == "ry" else pair)))
        assert_pass(Bridge(), written(rows), cost=entanglers)
