"""ResynthesiseParities: regions of CX and Z rotations, and the parity networks that they become."""

import numpy as np
import pytest
from helpers import assert_same_meaning, circuits, make, random_circuit, walls
from hypothesis import given, settings

from qattn_compiler.errors import PassError
from qattn_compiler.passes.circuit.cost import entanglers
from qattn_compiler.passes.circuit.resynthesise_parities import ResynthesiseParities
from qattn_compiler.synth.parity_kernels import gray_synth


def rebuilt(circuit, **options):
    result = ResynthesiseParities(**options).run(circuit)
    assert_same_meaning(circuit, result)
    assert walls(result) == walls(circuit)
    assert result is circuit or entanglers(result) < entanglers(circuit)
    return result


@given(circuits(max_rows=30))
@settings(max_examples=100)
def test_meaning_is_kept_and_cost_falls(circuit):
    rebuilt(circuit, effort=2)


@pytest.mark.parametrize("size", [2, 3, 5])
def test_longer_regions(size):
    rng = np.random.default_rng(size)
    names = ("cx", "cx", "rz", "t", "x", "swap", "cz", "rzz", "cphase", "crz")
    for symbolic in (0.0, 0.3):
        circuit = random_circuit(rng, size, 50, names, symbolic)
        assert entanglers(rebuilt(circuit)) < entanglers(circuit)
    mixed = random_circuit(rng, size, 60, (*names, "h", "rx"), 0.2, walls=0.03)
    rebuilt(mixed)


def test_a_cascade_of_cx_is_a_linear_map():
    rng = np.random.default_rng(0)
    circuit = random_circuit(rng, 6, 200, ("cx",))
    assert entanglers(rebuilt(circuit, free_swaps=True)) <= 20


def test_all_parities_of_four_wires():
    """2^4 - 1 parities need 2^4 - 5 CX by a Gray code, and a few to come back."""
    rows = []
    for mask in range(1, 16):
        wires = [q for q in range(4) if mask >> q & 1]
        ladder = [("cx", (a, wires[-1])) for a in wires[:-1]]
        rows += [*ladder, ("rz", wires[-1], 0.1 * mask), *ladder[::-1]]
    circuit = make(4, *rows)
    assert entanglers(rebuilt(circuit, effort=8)) <= 15


def test_one_phase_two_places():
    circuit = make(
        3, ("cx", (0, 1)), ("cx", (1, 2)), ("rz", 2, "a"), ("cx", (1, 2)), ("cx", (0, 1)), ("cx", (0, 1))
    )
    assert entanglers(rebuilt(circuit, effort=8)) <= 4


def test_networks_meet_every_parity():
    rng = np.random.default_rng(1)
    for _ in range(200):
        n = int(rng.integers(1, 8))
        masks = 1 + rng.permutation(2**n - 1)[: int(rng.integers(1, 20))]
        parities = ((masks[:, None] >> np.arange(n)) & 1).astype(np.uint8)
        steps, gates = gray_synth(parities, 10_000)
        wires, met = np.eye(n, dtype=np.uint8), set()
        for control, target, parity in steps.tolist():
            if control >= 0:
                wires[target] ^= wires[control]
            else:
                assert (wires[target] == parities[parity]).all()
                met.add(parity)
        assert met == set(range(len(parities)))
        assert gates == (steps[:, 0] >= 0).sum()
    assert gray_synth(parities, -1)[1] == -1 or len(parities) == 1


def test_bad_effort_is_refused():
    with pytest.raises(PassError, match="effort"):
        ResynthesiseParities(effort=0)
