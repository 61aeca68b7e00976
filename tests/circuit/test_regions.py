"""Regions between walls, and SWAPs that only change names."""

import numpy as np
from helpers import assert_same_meaning, circuits, make, random_circuit, unitary, walls
from hypothesis import given, settings

from qattn_compiler.circuit.gates import NUM_QUBITS, SWAP
from qattn_compiler.circuit.regions import cut, joined
from qattn_compiler.circuit.relabel import with_swaps, without_swaps


@given(circuits())
@settings(max_examples=80)
def test_cut_and_joined_is_the_same_circuit(circuit):
    is_wall = (NUM_QUBITS[circuit.op] == 0) | (circuit.extra >= 0)
    regions, after = cut(circuit, is_wall)
    pieces = []
    for level, rows in zip(regions, after, strict=True):
        assert is_wall[rows].all()
        for region in level:
            assert not is_wall[region.rows].any()
            pieces.append((region.circuit, region.qubits))
        pieces.append(rows)
    again = joined(circuit, pieces)
    assert len(again) == len(circuit)
    assert walls(again) == walls(circuit)
    assert_same_meaning(circuit, again)


def test_a_wall_parts_only_its_own_wires():
    circuit = make(3, ("h", 0), ("h", 1), ("cz", (0, 1)), ("h", 2))
    regions, _ = cut(circuit, np.array([False, True, False, False]))
    assert [[part.rows.tolist() for part in level] for level in regions] == [[[0], [3]], [[2]]]
    assert [[part.qubits.tolist() for part in level] for level in regions] == [[[0], [2]], [[0, 1]]]


@given(circuits(gates="entangling", walls=False))
@settings(max_examples=80)
def test_swaps_become_names(circuit):
    moved, place = without_swaps(circuit)
    assert SWAP not in moved.op
    assert_same_meaning(circuit, with_swaps(moved, place))


def test_walls_move_with_their_qubits():
    rng = np.random.default_rng(1)
    for _ in range(60):
        circuit = random_circuit(rng, 4, 20, ("swap", "cx", "h", "rz"), walls=0.2)
        moved, place = without_swaps(circuit)
        # with the SWAPs put back at the end, walls that stand on the same wires mean the same
        assert (
            np.linalg.norm(
                unitary(circuit, dict.fromkeys("abc", 0.3))
                - unitary(with_swaps(moved, place), dict.fromkeys("abc", 0.3)),
                2,
            )
            < 1e-9
        )


def test_nothing_to_do():
    circuit = make(2, ("cz", (0, 1)))
    moved, place = without_swaps(circuit)
    assert moved is circuit
    assert place.tolist() == [0, 1]
    assert with_swaps(circuit, place) is circuit
