"""Programs over every entangler: exact near every edge of the chamber, and as short as known."""

from __future__ import annotations

from math import pi

import numpy as np
import pytest
from weyl_samples import all_kinds, haar, locals_, norms

from qattn_compiler.circuit import su2
from qattn_compiler.circuit.gates import BY_NAME
from qattn_compiler.synth import weyl
from qattn_compiler.synth.entanglers import ENTANGLERS, synthesise

NAMES = pytest.mark.parametrize("name", ENTANGLERS)
UNIT = pi / 24


def slow_unitaries(programs):
    """The programs' meaning, from the gate table alone."""
    gate = BY_NAME[programs.gate]
    out = []
    for i, count in enumerate(programs.counts.tolist()):
        total = np.exp(1j * programs.phase[i]) * weyl.local(programs.layers[i, 0])
        for k in range(count):
            matrix = gate.matrix(*programs.angles[i, k, : gate.num_angles])
            total = weyl.local(programs.layers[i, k + 1]) @ matrix @ total
        out.append(total)
    return np.array(out)


def counts_of(name, unitaries):
    return synthesise(unitaries, name).counts.tolist()


@NAMES
def test_programs_are_exact(name):
    unitaries = all_kinds(20)
    programs = synthesise(unitaries, name)
    assert norms(programs.unitaries() - unitaries).max() <= 1.01e-10
    assert norms(synthesise(unitaries, name, 0.0).unitaries() - unitaries).max() <= 1e-12


@NAMES
def test_programs_on_the_borders_of_what_counts_reach(name):
    rng = np.random.default_rng(21)
    grid = rng.integers(0, 13, size=(3, 1500)) / 2
    x, y, z = UNIT * np.where(rng.random(grid.shape) < 0.5, grid, rng.uniform(0, 6, grid.shape))
    borders = [
        (x, y, z),
        (y + z, y, z),
        (15 * UNIT - y - z, y, z),
        (3 * UNIT - y - z, y, z),
        (10 * UNIT - y, y, 0 * z),
    ]
    coordinates = np.concatenate([np.column_stack(border) for border in borders])
    coordinates += 10.0 ** rng.uniform(-17, -5, coordinates.shape) * rng.choice([-1, 0, 1], coordinates.shape)
    n = len(coordinates)
    unitaries = locals_(rng, n) @ weyl.interaction(coordinates) @ locals_(rng, n)
    assert norms(synthesise(unitaries, name).unitaries() - unitaries).max() <= 1.01e-10


@NAMES
def test_programs_mean_what_they_say(name):
    unitaries = all_kinds(22)[::7]
    programs = synthesise(unitaries, name)
    assert norms(slow_unitaries(programs) - unitaries).max() <= 1.01e-10
    assert programs.gate == ENTANGLERS[name].gate
    if (angles := ENTANGLERS[name].angles) is not None:
        for i, count in enumerate(programs.counts.tolist()):
            assert (programs.angles[i, :count, : len(angles)] == angles).all()


@NAMES
def test_the_entangler_itself_takes_one(name):
    native = ENTANGLERS[name]
    angles = native.angles if native.angles is not None else (0.9,)
    gate = BY_NAME[native.gate].matrix(*angles)
    rng = np.random.default_rng(23)
    assert counts_of(name, locals_(rng, 50) @ gate @ locals_(rng, 50)) == [1] * 50
    assert counts_of(name, locals_(rng, 50)) == [0] * 50


@pytest.mark.parametrize("name", ["cz", "cx", "zz", "ms", "iswap", "rzz", "rxx", "cphase"])
def test_random_gates_take_three(name):
    assert counts_of(name, haar(np.random.default_rng(24), 200)) == [3] * 200


KNOWN = {
    "cz": {"swap": 3, "iswap": 2, "siswap": 2, "rzz": 2},
    "ms": {"swap": 3, "iswap": 2, "cz": 1, "rzz": 2},
    "zz": {"swap": 3, "iswap": 2, "cz": 1, "rzz": 2},
    "iswap": {"swap": 3, "iswap": 1, "cz": 2, "siswap": 2},
    "siswap": {"swap": 3, "iswap": 2, "cz": 2, "rzz": 2},
    "syc": {"swap": 3, "iswap": 3, "cz": 2, "rzz": 2, "cphase": 2, "siswap": 2},
    "rzz": {"swap": 3, "iswap": 2, "cz": 1, "crx": 1, "cphase": 1},
    "cphase": {"swap": 3, "iswap": 2, "cz": 1, "crx": 1, "rxx": 1},
}


@pytest.mark.parametrize(("name", "known"), KNOWN.items())
def test_counts_of_known_gates(name, known):
    for gate, count in known.items():
        matrix = BY_NAME[gate].matrix(*[0.9][: BY_NAME[gate].num_angles])
        assert counts_of(name, matrix[None]) == [count], gate


def test_four_in_five_random_gates_take_two_siswap():
    counts = synthesise(haar(np.random.default_rng(25), 4000), "siswap").counts
    assert np.bincount(counts, minlength=4)[[0, 1]].sum() == 0
    assert np.mean(counts == 2) == pytest.approx(0.79, abs=0.02)


def test_random_gates_take_three_syc():
    counts = synthesise(haar(np.random.default_rng(26), 4000), "syc").counts
    assert np.mean(counts == 3) > 0.995
    assert counts.max() <= 4


@pytest.mark.parametrize(("name", "regions"), [("siswap", (2,)), ("syc", (2, 3))])
def test_what_products_of_the_gate_reach(name, regions):
    """Random products of so many gates never lie outside of what the counts say."""
    native = ENTANGLERS[name]
    gate = BY_NAME[native.gate].matrix(*native.angles)
    rng = np.random.default_rng(27)
    for count in regions:
        product = gate
        for _ in range(count - 1):
            product = gate @ locals_(rng, 5000) @ product
        found = native.counts(weyl.kak(product).coordinates, 1e-7)
        assert found.max() == count


@pytest.mark.parametrize("name", ["rzz", "rxx", "cphase"])
def test_fractional_angles_are_positive_and_small(name):
    programs = synthesise(all_kinds(28), name)
    assert programs.angles.min() >= 0
    assert programs.angles.max() <= (pi if name == "cphase" else pi / 2) + 1e-12


def test_z_turns_sink_through_diagonal_gates():
    circuit = synthesise(all_kinds(29), "cz")
    before = circuit.layers[:, :-1][np.arange(4) < circuit.counts[:, None]]
    assert np.abs(su2.to_xza(before)[0][..., 1]).max() < 1e-12


@NAMES
def test_a_fidelity_budget(name):
    rng = np.random.default_rng(30)
    coordinates = np.sort(rng.uniform(0, 0.25, size=(400, 3)), axis=1)[:, ::-1]
    unitaries = locals_(rng, 400) @ weyl.interaction(coordinates) @ locals_(rng, 400)
    exact, cheaper = synthesise(unitaries, name), synthesise(unitaries, name, min_fidelity=0.98)
    assert (cheaper.counts <= exact.counts).all()
    assert cheaper.counts.sum() < exact.counts.sum()
    trace = np.einsum("nij,nij->n", cheaper.unitaries(), unitaries.conj())
    fidelity = (4 + np.abs(trace) ** 2) / 20
    assert fidelity.min() >= 0.98
    native = ENTANGLERS[name]
    found = weyl.kak(unitaries).coordinates
    np.testing.assert_allclose(
        weyl.fidelity(found, native.reached(found, cheaper.counts)), fidelity, atol=1e-9
    )


def test_an_empty_stack():
    assert len(synthesise(np.zeros((0, 4, 4)), "syc").counts) == 0
