"""The replay checker accepts what is right and catches every fault that is planted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers import unitary

from qattn_compiler.circuit.gates import AXIS_CODES, BY_NAME, GATES, SWAP
from qattn_compiler.circuit.layout import Routed
from qattn_compiler.circuit.params import Affine
from qattn_compiler.circuit.table import Builder, Circuit, Extra
from qattn_compiler.device import Device
from qattn_compiler.errors import VerificationError
from qattn_compiler.passes.circuit.route import Route
from qattn_compiler.verify.replay import check_routing

LINE = Device("line", tuple("abcdef"), np.array([(i, i + 1) for i in range(5)]), frozenset({"cz"}))


def original() -> Circuit:
    builder = Builder(range(5))
    builder.add_phase((0.1, {"g": 2.0}))
    for a, b in [(0, 1), (0, 4), (2, 3), (1, 4), (3, 0)]:
        builder.add("rx", [a], [(0.3 + a, {"s": 0.5})])
        builder.add("cx", [a, b])
        builder.add("swap", [b, a])
        builder.add("t", [b])
    builder.opaque([1, 3], payload="wall", tags=("w",))
    builder.measure([0, 2, 4], "m", invert=(True,))
    builder.add("x", [1], (), Extra(reads=("m",)))
    builder.opaque([], payload="global")
    return builder.build()


@pytest.fixture
def pair() -> tuple[Circuit, Routed]:
    before = original()
    return before, Route(LINE, seed=1).route(before)


def refuse(
    before: Circuit, routed: Circuit, initial: np.ndarray, final: np.ndarray, match: str | None = None
) -> None:
    with pytest.raises(VerificationError, match=match):
        check_routing(before, routed, initial, final, LINE.adjacency)


def test_accepts_the_router(pair: tuple[Circuit, Routed]) -> None:
    before, routed = pair
    assert routed.swaps > 0
    check_routing(before, routed.circuit, routed.initial, routed.final, LINE.adjacency)


def test_every_dropped_row_is_seen(pair: tuple[Circuit, Routed]) -> None:
    before, routed = pair
    for row in range(len(routed.circuit)):
        left = np.delete(np.arange(len(routed.circuit)), row)
        refuse(before, routed.circuit.with_rows(left), routed.initial, routed.final)


def test_every_doubled_row_is_seen(pair: tuple[Circuit, Routed]) -> None:
    before, routed = pair
    circuit = routed.circuit
    for row in np.flatnonzero(circuit.op != SWAP):
        rows = np.insert(np.arange(len(circuit)), row, row)
        doubled = replace(
            circuit,
            op=circuit.op[rows],
            operands=circuit.operands[rows],
            angles=circuit.angles[rows],
            extra=circuit.extra[rows],
            affine=Affine.empty(),
        )
        plain = replace(before, affine=Affine.empty())
        refuse(plain, doubled, routed.initial, routed.final)


def test_exchanged_rows_on_a_wire_are_seen(pair: tuple[Circuit, Routed]) -> None:
    before, routed = pair
    circuit, tried = routed.circuit, 0
    for row in range(len(circuit) - 1):
        wires, others = (set(circuit.wires[r][circuit.wires[r] >= 0].tolist()) for r in (row, row + 1))
        if not wires & others or {circuit.op[row], circuit.op[row + 1]} == {SWAP}:
            continue
        order = np.arange(len(circuit))
        order[[row, row + 1]] = row + 1, row
        refuse(before, circuit.with_rows(order), routed.initial, routed.final)
        tried += 1
    assert tried > 5


def exchanged(first: tuple[str, list[int]], second: tuple[str, list[int]]) -> tuple[Circuit, Circuit]:
    """Two rows on the line, and the same the other way round."""
    builder = Builder(LINE.qubits)
    builder.add("h", [1])
    for name, qubits in (first, second):
        builder.add(name, qubits, [0.3] * GATES[BY_NAME[name].code].num_angles)
    circuit = builder.build()
    return circuit, circuit.with_rows(np.array([0, 2, 1]))


ROWS = [
    *(("cz", [0, 1]), ("cx", [0, 1]), ("cx", [1, 0]), ("cx", [1, 2]), ("cx", [2, 1]), ("cy", [2, 1])),
    *(("rzz", [1, 2]), ("rxx", [1, 2]), ("ryy", [0, 1]), ("crx", [2, 1]), ("swap", [1, 2]), ("fsim", [0, 1])),
    *(("t", [1]), ("rx", [1]), ("y", [1]), ("h", [1]), ("phased_xz", [1])),
]


@pytest.mark.parametrize("first", ROWS)
@pytest.mark.parametrize("second", ROWS)
def test_commuting_rows_and_no_others_may_be_exchanged(
    first: tuple[str, list[int]], second: tuple[str, list[int]]
) -> None:
    """Whether the table says so or not, what is accepted has the same unitary."""
    circuit, turned = exchanged(first, second)
    same = np.allclose(unitary(circuit), unitary(turned), atol=1e-9)
    table = [
        {AXIS_CODES[BY_NAME[name].code, qubits.index(q)] for name, qubits in (first, second)}
        for q in set(first[1]) & set(second[1])
    ]
    home = np.arange(6)
    if first == second or all(len(axes) == 1 and 0 not in axes for axes in table):
        assert same
        check_routing(circuit, turned, home, home, LINE.adjacency)
    else:
        refuse(circuit, turned, home, home)


def test_commuting_rows_do_not_cross_what_does_not_commute() -> None:
    builder = Builder(LINE.qubits)
    for name, qubits in (
        ("cz", [0, 1]),
        ("cz", [1, 2]),
        ("h", [1]),
        ("cz", [1, 2]),
        ("rz", [1]),
        ("cz", [0, 1]),
    ):
        builder.add(name, qubits, [0.3] * (name == "rz"))
    circuit, home = builder.build(), np.arange(6)
    for order in ([1, 0, 2, 3, 4, 5], [0, 1, 2, 5, 3, 4], [1, 0, 2, 4, 5, 3]):
        check_routing(circuit, circuit.with_rows(np.array(order)), home, home, LINE.adjacency)
    for order in ([2, 0, 1, 3, 4, 5], [0, 2, 1, 3, 4, 5], [0, 1, 3, 2, 4, 5], [0, 1, 4, 2, 3, 5]):
        refuse(circuit, circuit.with_rows(np.array(order)), home, home)


def test_tags_and_keys_do_not_commute() -> None:
    for extra in (Extra(tags=("keep",)), Extra(reads=("m",))):
        builder = Builder(LINE.qubits)
        builder.add("cz", [0, 1], (), extra)
        builder.add("cz", [1, 2])
        circuit, home = builder.build(), np.arange(6)
        refuse(circuit, circuit.with_rows(np.array([1, 0])), home, home)


def test_a_long_commuting_circuit_in_any_order() -> None:
    rng = np.random.default_rng(0)
    builder = Builder(LINE.qubits)
    for a, angle in zip(rng.integers(5, size=16_000).tolist(), rng.normal(size=16_000).tolist(), strict=True):
        builder.add("rzz", [a, a + 1], [angle])
    circuit = builder.build()
    turned = circuit.with_rows(rng.permutation(16_000))
    check_routing(circuit, turned, np.arange(6), np.arange(6), LINE.adjacency)


def test_independent_rows_may_be_exchanged() -> None:
    builder = Builder(range(6))
    builder.add("h", [0])
    builder.add("cz", [2, 3])
    circuit = builder.build()
    turned = replace(circuit.with_rows(np.array([1, 0])), qubits=LINE.qubits)
    check_routing(circuit, turned, np.arange(6), np.arange(6), LINE.adjacency)


def test_wrong_layouts_are_seen(pair: tuple[Circuit, Routed]) -> None:
    before, routed = pair
    other = routed.initial.copy()
    other[[0, 1]] = other[[1, 0]]
    refuse(before, routed.circuit, other, routed.final)
    other = routed.final.copy()
    other[[0, 1]] = other[[1, 0]]
    refuse(before, routed.circuit, routed.initial, other, "final layout")
    refuse(before, routed.circuit, routed.initial[:-1], routed.final, "initial layout")
    refuse(before, routed.circuit, routed.initial + 9, routed.final, "leaves the chip")


def test_changed_columns_are_seen(pair: tuple[Circuit, Routed]) -> None:
    before, routed = pair
    circuit = routed.circuit
    rx = int(np.flatnonzero(circuit.op == BY_NAME["rx"].code)[0])
    cx = int(np.flatnonzero(circuit.op == BY_NAME["cx"].code)[0])
    angles, operands, op = circuit.angles.copy(), circuit.operands.copy(), circuit.op.copy()
    angles[rx, 0] += 1e-12
    operands[cx] = operands[cx][::-1].copy()
    op[cx] = BY_NAME["cz"].code
    coef = circuit.affine.coef.copy()
    coef[1] *= 2
    for change in (
        {"angles": angles},
        {"operands": operands},
        {"op": op},
        {"phase": 0.0},
        {"params": circuit.params[::-1]},
        {"affine": replace(circuit.affine, coef=coef)},
        {"affine": Affine.empty()},
        {"extras": tuple(replace(e, tags=("?",)) for e in circuit.extras)},
        {"extras": tuple(replace(e, operands=e.operands[::-1]) for e in circuit.extras)},
        {"extras": tuple(replace(e, invert=()) for e in circuit.extras)},
    ):
        refuse(before, replace(circuit, **change), routed.initial, routed.final)


def test_gates_off_the_edges_are_seen() -> None:
    builder = Builder(range(6))
    builder.add("cz", [0, 2])
    circuit = builder.build()
    refuse(circuit, replace(circuit, qubits=LINE.qubits), np.arange(6), np.arange(6), "not coupled")
    with pytest.raises(VerificationError, match="qubits in the graph"):
        check_routing(circuit, circuit, np.arange(6), np.arange(6), np.ones((3, 3), dtype=bool))
