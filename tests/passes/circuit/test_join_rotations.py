"""CX, Rz, CX is RZZ."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import assert_pass, circuits, cz_cost, make, random_circuit, shown
from hypothesis import given

from qattn_compiler.circuit.table import Builder, Circuit, Extra
from qattn_compiler.passes.circuit.join_rotations import JoinRotations

NAMES = ("cx", "cz", "rz", "rx", "h", "t", "phased_xz")


def join(circuit: Circuit) -> list[str]:
    return shown(assert_pass(JoinRotations(), circuit, cost=cz_cost))


@pytest.mark.parametrize("angle", [0.3, "s", "-s", -2.0, 5.0])
def test_cx_rz_cx(angle: float | str) -> None:
    assert join(make(2, ("cx", [0, 1]), ("rz", 1, angle), ("cx", [0, 1]))) == ["rzz 0 1"]
    assert join(make(2, ("cx", [1, 0]), ("rz", 0, angle), ("cx", [1, 0]))) == ["rzz 1 0"]


@pytest.mark.parametrize("angle", [0.3, "s"])
@pytest.mark.parametrize("turned", [[0, 1], [1, 0]])
def test_cz_rx_cz(angle: float | str, turned: list[int]) -> None:
    assert join(make(2, ("cz", [0, 1]), ("rx", 1, angle), ("cz", turned))) == ["h 1", "rzz 0 1", "h 1"]
    assert join(make(2, ("cz", [0, 1]), ("rx", 0, angle), ("cz", turned))) == ["h 0", "rzz 1 0", "h 0"]


def test_a_run_of_gates_counts_as_one_turn() -> None:
    rows = (("h", 1), ("t", 1), ("rz", 1, 0.4), ("h", 1))
    assert join(make(2, ("cz", [0, 1]), *rows, ("cz", [0, 1]))) == ["h 1", "rzz 0 1", "h 1"]
    assert join(make(2, ("cx", [0, 1]), ("s", 1), ("phased_xz", 1, 0.0, 0.3, 0.2), ("cx", [0, 1]))) == [
        "rzz 0 1"
    ]


def test_what_is_diagonal_may_stand_between_on_the_other_qubit() -> None:
    assert join(make(2, ("cx", [0, 1]), ("t", 0), ("rz", 1, "s"), ("cx", [0, 1]))) == ["t 0", "rzz 0 1"]
    assert join(make(2, ("cx", [0, 1]), ("rz", 0, "s"), ("rz", 1, 0.1), ("cx", [0, 1]))) == [
        "rz 0",
        "rzz 0 1",
    ]


@pytest.mark.parametrize(
    "rows",
    [
        (("cx", [0, 1]), ("rx", 1, 0.3), ("cx", [0, 1])),
        (("cx", [0, 1]), ("rz", 1, 0.3), ("cx", [1, 0])),
        (("cx", [0, 1]), ("h", 0), ("rz", 1, 0.3), ("cx", [0, 1])),
        (("cx", [0, 1]), ("rz", 0, 0.3), ("cx", [0, 1])),
        (("cx", [0, 1]), ("rz", 1, 0.3), ("cx", [2, 1])),
        (("cx", [0, 1]), ("cz", [0, 2]), ("rz", 1, 0.3), ("cx", [0, 1])),
        (("cz", [0, 1]), ("rz", 1, 0.3), ("cz", [0, 1])),
        (("cx", [0, 1]), ("rz", 1, "s"), ("rz", 1, 0.2), ("cx", [0, 1])),
    ],
)
def test_what_stays(rows: tuple[object, ...]) -> None:
    circuit = make(3, *rows)
    assert JoinRotations().run(circuit) is circuit


def test_a_gate_is_joined_once() -> None:
    rows = (("cx", [0, 1]), ("rz", 1, 0.3)) * 4
    assert join(make(2, *rows)) == ["rzz 0 1", "rz 1", "rzz 0 1", "rz 1"]


def test_tagged_gates_stay() -> None:
    for tagged in range(3):
        builder = Builder(range(2))
        for row, (name, qubits, angles) in enumerate(
            (("cx", [0, 1], []), ("rz", [1], [0.3]), ("cx", [0, 1], []))
        ):
            builder.add(name, qubits, angles, Extra(tags=("keep",)) if row == tagged else None)
        circuit = builder.build()
        assert JoinRotations().run(circuit) is circuit


@given(circuits())
def test_any_circuit(circuit: Circuit) -> None:
    assert_pass(JoinRotations(), circuit, cost=cz_cost)


def test_random_circuits() -> None:
    for seed in range(200):
        circuit = random_circuit(np.random.default_rng(seed), 3, 14, NAMES, walls=0.05)
        assert_pass(JoinRotations(), circuit, cost=cz_cost)


@pytest.mark.parametrize("ends", ["cx", "cz"])
def test_a_turn_in_the_middle_of_the_other_qubits_run(ends: str) -> None:
    """H X^t H is a turn about Z as a whole; the rotation must not stand within it."""
    turn = "rz" if ends == "cx" else "rx"
    rows = ((ends, [0, 1]), ("h", 0), (turn, 1, 0.3), ("rx", 0, 0.5), ("h", 0), (ends, [0, 1]))
    assert sum(row.startswith("rzz") for row in join(make(2, *rows))) == 1


def test_runs_around_one_another() -> None:
    rng = np.random.default_rng(5)
    for _ in range(300):
        names = [("cz", "h", "rx"), ("cx", "h", "rz", "x")][rng.integers(2)]
        join(random_circuit(rng, 2, int(rng.integers(4, 14)), names))
