"""ResynthesiseThreeQubit."""

from __future__ import annotations

from math import pi

import numpy as np
import pytest
from helpers import GATE_SETS, assert_pass, circuits, cz_cost, make, random_circuit, shown
from hypothesis import given, settings

from qattn_compiler.circuit.table import Builder, Extra
from qattn_compiler.errors import PassError
from qattn_compiler.passes.circuit import resynthesise_three_qubit as module
from qattn_compiler.passes.circuit.resynthesise_three_qubit import ResynthesiseThreeQubit


@pytest.fixture
def short(monkeypatch):
    """Searches that cost little."""
    monkeypatch.setattr(module, "TRIES", {3: 10, 4: 10})
    monkeypatch.setattr(module, "FEWEST_TRIES", 5)


def check(circuit, **options):
    return assert_pass(ResynthesiseThreeQubit(**options), circuit, cost=cz_cost)


def toffoli(a, b, c):
    """Six CX; a and b are the controls."""
    steps = [("h", c), ("cx", (b, c)), ("tdg", c), ("cx", (a, c)), ("t", c), ("cx", (b, c)), ("tdg", c)]
    steps += [("cx", (a, c)), ("t", b), ("t", c), ("h", c), ("cx", (a, b)), ("t", a), ("tdg", b)]
    return [*steps, ("cx", (a, b))]


@pytest.mark.usefixtures("short")
class TestPromises:
    @settings(max_examples=40)
    @given(circuits(max_rows=20))
    def test_small(self, circuit):
        check(circuit)

    @settings(max_examples=20)
    @given(circuits(gates="entangling", max_rows=24))
    def test_where_much_entangles(self, circuit):
        check(circuit, width=4)

    @pytest.mark.parametrize("names", GATE_SETS)
    def test_longer_circuits(self, names):
        rng = np.random.default_rng(17)
        for symbolic in (0.0, 0.2):
            check(random_circuit(rng, 5, 40, GATE_SETS[names], symbolic, walls=0.05))

    @pytest.mark.parametrize("width", [3, 4])
    def test_many_blocks_in_one_another(self, width):
        rng = np.random.default_rng(18)
        for walls in (0.0, 0.0, 0.0, 0.03):
            circuit = random_circuit(rng, 6, 50, GATE_SETS["entangling"], 0, walls)
            if circuit.num_wires < 8:
                check(circuit, width=width)

    def test_shuffles(self):
        check(random_circuit(np.random.default_rng(19), 4, 40, GATE_SETS["clifford"], 0, 0.02), shuffles=2)


@pytest.mark.parametrize("width", [3, 4])
def test_the_rows_of_a_block_need_not_be_neighbours(width):
    rng = np.random.default_rng(3)
    rows = []
    for row in [*toffoli(0, 1, 2), ("t", 0), *toffoli(0, 1, 2)]:
        rows += [row, ("cx", rng.permutation([3, 4, 5])[:2].tolist()), ("rx", int(rng.integers(6)), 0.3)][:2]
    out = check(make(6, *rows), width=width)
    assert not [row for row in shown(out) if row.startswith("c") and set(row.split()[1:]) & {*"012"}]


def test_before_and_behind_a_block():
    """What feeds the block stays before it, what uses it comes behind."""
    rows = [("cx", (3, 2)), ("cx", (0, 1)), ("cx", (4, 2)), *toffoli(0, 1, 2), ("cx", (0, 5)), ("cx", (1, 2))]
    out = check(make(6, *rows, ("h", 0), ("cx", (0, 5)), ("swap", (2, 3))))
    assert cz_cost(out) < cz_cost(make(6, *rows)) + 4


@pytest.mark.parametrize(
    ("rows", "count"),
    [
        (toffoli(0, 1, 2), 6),
        ([*toffoli(0, 1, 2), *toffoli(0, 1, 2)], 0),
        ([*toffoli(0, 1, 2), ("cz", (1, 2)), ("rz", 0, 0.3), *toffoli(0, 1, 2)], 5),
        ([("cx", (2, 1)), *toffoli(0, 1, 2), ("cx", (2, 1))], 7),
        ([("cphase", (1, 2), -pi / 2), ("h", 2), *toffoli(0, 1, 2), ("h", 2), ("cphase", (0, 1), pi / 2)], 7),
        ([("cz", (i % 2, i % 2 + 1)) for i in range(20)], 0),
    ],
)
def test_counts(rows, count):
    assert cz_cost(check(make(3, *rows))) <= count


@pytest.mark.usefixtures("short")
def test_a_long_block_gets_14():
    circuit = random_circuit(np.random.default_rng(5), 3, 60, ("phased_xz", "cx", "cry"), symbolic=0)
    assert cz_cost(circuit) > 40
    assert cz_cost(check(circuit)) <= 14


def test_blocks_on_four_qubits():
    there = [("cx", (0, 1)), ("cx", (2, 3)), ("rz", 1, 0.7), ("cx", (1, 2)), ("cx", (0, 3)), ("ry", 3, 0.4)]
    there += [("cx", (1, 3)), ("cx", (0, 2))]
    back = [(name, wires, *(-angle for angle in angles)) for name, wires, *angles in there[::-1]]
    circuit = make(4, *there, ("cz", (0, 1)), *back)
    assert cz_cost(check(circuit)) == 13
    assert cz_cost(check(circuit, width=4)) == 1


def test_shuffles_lead_further(monkeypatch):
    monkeypatch.setattr(module, "TRIES", {3: 50})
    rows = [*toffoli(0, 3, 4), *toffoli(2, 3, 4), ("cx", (3, 4)), *toffoli(1, 2, 4), ("cx", (2, 4))]
    circuit = make(5, *rows, *toffoli(0, 1, 4), ("cx", (1, 4)), ("cx", (0, 4)))
    counts = [cz_cost(ResynthesiseThreeQubit(shuffles=n).run(circuit)) for n in (0, 3)]
    assert counts[1] < counts[0] < cz_cost(circuit)


def test_blocks_that_get_no_shorter_stay_as_they_are():
    builder = [("cx", (3, 4)), *toffoli(0, 1, 2), ("t", 0), *toffoli(0, 1, 2), ("ch", (3, 5)), ("cy", (4, 3))]
    out = check(make(6, *builder))
    assert {"cx 3 4", "ch 3 5", "cy 4 3"} <= set(shown(out))
    circuit = make(3, *toffoli(2, 0, 1))
    assert ResynthesiseThreeQubit().run(circuit) is circuit


def test_symbols_are_walls():
    rows = [*toffoli(0, 1, 2), ("rz", 1, "s"), *toffoli(0, 1, 2)]
    circuit = make(3, *rows)
    assert "rz 1" in shown(check(circuit))
    assert len(check(circuit).affine) == 1
    moved = check(make(4, ("rx", 3, "s"), *toffoli(0, 1, 2), *toffoli(0, 1, 2), ("rzz", (2, 3), "t")))
    assert shown(moved)[-1] == "rzz 2 3"
    assert cz_cost(moved) == 2


@pytest.mark.parametrize("wall", ["measure", "reset", "tag"])
def test_walls(wall):
    builder = Builder(range(3))
    for part in range(2):
        for name, wires in toffoli(0, 1, 2):
            builder.add(name, [wires] if isinstance(wires, int) else list(wires))
        if part:
            break
        if wall == "measure":
            builder.measure([1, 2], "m")
        elif wall == "reset":
            builder.reset(1)
        else:
            builder.add("cz", [0, 1], extra=Extra(tags=("keep",)))
    circuit = builder.build()
    assert cz_cost(check(circuit)) > 6


def test_equal_blocks_are_searched_once():
    module._shrunk.cache_clear()
    rows = [row for a in range(0, 30, 3) for row in toffoli(a, a + 1, a + 2)]
    circuit = make(30, *rows)
    assert ResynthesiseThreeQubit().run(circuit) is circuit
    assert module._shrunk.cache_info().misses == 1


def test_the_number_of_searches_is_bounded(monkeypatch):
    rows = []
    for a in range(0, 15, 3):
        for pair in [(a, a + 1), (a + 1, a + 2), (a, a + 2), (a, a + 1)]:
            rows += [("cz", pair), *[("phased_xz", q, 1 + 0.1 * a, 0.4, 0.3 * len(rows)) for q in pair]]
    circuit = make(15, *rows)
    for limit in (5, 2):
        monkeypatch.setattr(module, "BLOCKS", limit)
        module._shrunk.cache_clear()
        assert ResynthesiseThreeQubit().run(circuit) is circuit
        assert module._shrunk.cache_info().misses == limit


def test_results_are_the_same_every_time():
    circuit = random_circuit(np.random.default_rng(7), 4, 60, GATE_SETS["clifford"], symbolic=0)
    runs = []
    for _ in range(2):
        module._shrunk.cache_clear()
        runs.append(ResynthesiseThreeQubit().run(circuit))
    assert shown(runs[0]) == shown(runs[1])
    np.testing.assert_array_equal(runs[0].angles, runs[1].angles)


@pytest.mark.parametrize(
    "options", [{"effort": 0}, {"seed": -1}, {"shuffles": -1}, {"width": 2}, {"width": 5}]
)
def test_options_are_checked(options):
    with pytest.raises(PassError, match="resynthesise-three-qubit"):
        ResynthesiseThreeQubit(**options)


def test_nothing_to_do():
    for rows in ([], [("h", 0)], [("cx", (0, 1))] * 9):
        circuit = make(2, *rows)
        assert ResynthesiseThreeQubit().run(circuit) is circuit
