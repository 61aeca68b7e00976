"""Multiplexed rotations in circuits: found, placed together, built where they lie."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import networkx as nx
import numpy as np
import pytest
from helpers import PARAMS, make, random_values, unitary, walls
from hypothesis import given
from hypothesis import strategies as st

from qattn_compiler import targets
from qattn_compiler.circuit.gates import SWAP
from qattn_compiler.circuit.table import Builder, Circuit
from qattn_compiler.device import Device
from qattn_compiler.errors import PassError
from qattn_compiler.passes.placement.blocks import Block, find_blocks
from qattn_compiler.passes.placement.place_blocks import PlaceBlocks, Placed
from qattn_compiler.search import Search, Track
from qattn_compiler.targets.target import Target
from qattn_compiler.transpile_proof import Result, prove

AXES = {"y": "ry", "x": "rx", "z": "rz"}


def device(graph: Any, errors: dict[tuple[int, int], float] | None = None) -> Device:
    graph = nx.convert_node_labels_to_integers(graph)
    edges = np.array(sorted(tuple(sorted(e)) for e in graph.edges), dtype=np.int32).reshape(-1, 2)
    made = Device("made", tuple(f"p{i}" for i in range(len(graph))), edges, frozenset({"cz"}))
    if errors is None:
        return made
    return replace(made, edge_error=np.array([errors[tuple(edge)] for edge in edges.tolist()]))


def multiplexor(
    builder: Builder,
    controls: list[int],
    target: int,
    angle: Callable[[], Any],
    name: str = "ry",
    gate: str = "cx",
    trailing: bool = True,
) -> None:
    """The cascade of Mottonen et al.: a Gray code of CX or CZ with a rotation before each."""
    count = len(controls)
    for step in range(1, 2**count + 1):
        builder.add(name, [target], [angle()])
        if count and (step < 2**count or trailing):
            bit = min((step & -step).bit_length() - 1, count - 1)
            builder.add(gate, [controls[count - 1 - bit], target])


def cascade(size: int, seed: int = 0, gate: str = "cx") -> Circuit:
    rng, builder = np.random.default_rng(seed), Builder(range(size))
    for target in range(size):
        multiplexor(builder, list(range(target)), target, lambda: float(rng.normal()), gate=gate)
    return builder.build()


def blocks_of(circuit: Circuit) -> list[Block]:
    return [piece for piece in find_blocks(circuit) if isinstance(piece, Block)]


def assert_placed(before: Circuit, placed: Placed) -> None:
    """The same unitary but for where the qubits end, the same walls, no parameter lost."""
    after = placed.circuit
    assert after.qubits == before.qubits
    assert after.params == before.params
    assert sorted(placed.final.tolist()) == list(range(before.num_qubits))
    values = random_values(before, np.random.default_rng(1))
    size = before.num_qubits + len(before.keys)
    table = unitary(after, values).reshape((2,) * 2 * size)
    ends = [*placed.final.tolist(), *range(before.num_qubits, size)]
    table = table.transpose([*ends, *range(size, 2 * size)]).reshape(2**size, 2**size)
    assert np.abs(table - unitary(before, values)).max() < 1e-9
    assert len(walls(after)) == len(walls(before))


# -- finding them


@pytest.mark.parametrize("gate", ["cx", "cz"])
@pytest.mark.parametrize("size", [3, 4, 5])
def test_a_cascade_is_its_multiplexors(size, gate):
    found = blocks_of(cascade(size, gate=gate))
    assert [(block.target, sorted(block.controls)) for block in found] == [
        (k, list(range(k))) for k in range(2, size)
    ]
    assert all(block.flips == 2 ** len(block.controls) for block in found)
    assert all(len(block.parities) == block.flips - 1 for block in found)  # the first stands before it
    assert all(block.rest == 0 for block in found)


def test_a_dropped_last_gate_is_left_as_a_parity():
    builder = Builder(range(3))
    multiplexor(builder, [0, 1], 2, lambda: 0.3, trailing=False)
    (block,) = blocks_of(builder.build()) or [None]
    assert block is None  # three gates are too few
    builder = Builder(range(4))
    multiplexor(builder, [0, 1, 2], 3, lambda: 0.3, trailing=False)
    (block,) = blocks_of(builder.build())
    assert bin(block.rest).count("1") == 1


def test_gates_that_commute_do_not_end_a_block():
    rows = [("ry", 3, 0.1), ("cx", (0, 3)), ("rz", 0, 0.7), ("ry", 3, 0.2), ("cz", (0, 1)), ("cx", (1, 3))]
    rows += [("t", 1), ("h", 4), ("ry", 3, 0.4), ("cx", (0, 3)), ("ry", 3, 0.5), ("cx", (1, 3))]
    pieces = find_blocks(make(5, *rows))
    (block,) = [piece for piece in pieces if isinstance(piece, Block)]
    assert block.flips == 4
    assert len(pieces) == 1 + 5, "a rotation before the first CX is a row of its own"


@pytest.mark.parametrize("row", [("h", 0), ("h", 3), ("cx", (3, 4)), ("rx", 3, 0.2), ("swap", (0, 4))])
def test_gates_that_do_not_commute_end_it(row):
    rows = [("cx", (0, 3)), ("ry", 3, 0.2), ("cx", (1, 3)), ("ry", 3, 0.4)]
    pieces = find_blocks(make(5, *rows, row, ("cx", (0, 3)), ("ry", 3, 0.5), ("cx", (1, 3))))
    assert not [piece for piece in pieces if isinstance(piece, Block)]
    assert sorted(pieces) == list(range(8))


def test_measurements_and_tags_end_it():
    for wall in (
        lambda b: b.measure([0], "m"),
        lambda b: b.reset(3),
        lambda b: b.opaque([3], "foreign"),
    ):
        builder = Builder(range(4))
        multiplexor(builder, [0, 1], 3, lambda: 0.3, trailing=False)
        wall(builder)
        multiplexor(builder, [0, 1], 3, lambda: 0.3, trailing=False)
        assert not blocks_of(builder.build())


# -- meaning


def random_multiplexors(rng: np.random.Generator, size: int, count: int, symbolic: bool) -> Circuit:
    """Blocks of all kinds with other gates between and beside them."""
    builder = Builder(range(size))
    for name in PARAMS:
        builder.parameter(name)

    def angle() -> Any:
        constant = float(rng.choice([rng.normal(), np.pi / 2, 0.0]))
        if symbolic and rng.random() < 0.3:
            return constant, {PARAMS[rng.integers(3)]: float(rng.choice([1.0, -0.5, 2.0]))}
        return constant

    for _ in range(count):
        order = rng.permutation(size).tolist()
        width = int(rng.integers(2, min(4, size - 1) + 1))
        gate = ("cx", "cz")[rng.integers(2)]
        name = ("ry", "rz" if gate == "cx" else "rx")[rng.integers(2)]
        multiplexor(builder, order[:width], order[width], angle, name, gate, bool(rng.integers(2)))
        for _ in range(int(rng.integers(4))):
            wires = rng.permutation(size).tolist()
            choice = int(rng.integers(6))
            if choice == 0:
                builder.add("h", wires[:1])
            elif choice == 1:
                builder.add("phased_xz", wires[:1], [np.pi, 0.0, float(rng.normal())])
            elif choice == 2:
                builder.add("cphase", wires[:2], [angle()])
            elif choice == 3:
                builder.add("swap", wires[:2])
            elif choice == 4:
                builder.measure(wires[:1], f"m{len(builder)}") if rng.random() < 0.3 else None
            else:
                builder.add("x", wires[:1])
    builder.add_phase(0.3)
    return builder.build()


@given(st.integers(0, 2**32 - 1), st.booleans())
def test_the_meaning_stays(seed, symbolic):
    rng = np.random.default_rng(seed)
    size = int(rng.integers(3, 6))
    circuit = random_multiplexors(rng, size, int(rng.integers(1, 4)), symbolic)
    graphs = (nx.path_graph(size), nx.cycle_graph(size + 1), nx.star_graph(size - 1), nx.grid_2d_graph(2, 3))
    placed = PlaceBlocks(device(graphs[rng.integers(4)]), int(rng.integers(3))).place(circuit)
    if placed is not None:
        assert placed.blocks
        if len(circuit.keys) <= 2:
            assert_placed(circuit, placed)


def test_blocks_are_on_couplings():
    machine = device(nx.grid_2d_graph(3, 3))
    for gate in ("cx", "cz"):
        placed = PlaceBlocks(machine).place(cascade(7, gate=gate))
        assert placed.blocks >= 4
        pairs = placed.places[placed.circuit.operands[placed.circuit.is_two_qubit]]
        apart = (machine.distance[pairs[:, 0], pairs[:, 1]] > 1).sum()
        assert apart <= 2 + 4 * (5 - placed.blocks)  # the first CX are in no block
        assert_placed(cascade(7, gate=gate), placed)


def test_nothing_to_do():
    machine = device(nx.path_graph(5))
    assert PlaceBlocks(machine).place(make(2, ("cx", (0, 1)))) is None
    assert PlaceBlocks(machine).place(make(0)) is None
    with pytest.raises(PassError, match="the machine 5"):
        PlaceBlocks(machine).place(make(6, ("h", 0)))


# -- places


def count(placed: Placed) -> int:
    """CX, three for a SWAP."""
    return int(placed.circuit.is_two_qubit.sum() + 2 * (placed.circuit.op == SWAP).sum())


@pytest.mark.parametrize(
    ("machine", "size", "most"),
    [
        ("line:24?gate=cz", 7, 232),
        ("line:24?gate=cz", 8, 455),
        ("ibm.eagle", 8, 370),
        ("google.willow", 8, 315),
        ("google.willow", 10, 1200),
    ],
)
def test_counts_of_cascades(machine, size, most):
    """All-to-all they have 2^size - 2 CX; routed gate by gate 280, 578, 396, 306 and 1235."""
    placed = PlaceBlocks(targets.get(machine).device).place(cascade(size))
    assert placed.cost == count(placed) <= most


def test_independent_blocks_lie_side_by_side():
    rng, builder = np.random.default_rng(0), Builder(range(12))
    for first in (0, 4, 8):
        multiplexor(builder, [first, first + 1, first + 2], first + 3, lambda: float(rng.normal()))
    circuit = builder.build()
    placed = PlaceBlocks(device(nx.grid_2d_graph(5, 5))).place(circuit)
    assert placed.blocks == 3
    assert count(placed) <= 3 * 9
    assert np.array_equal(placed.final, np.arange(12))


def test_among_equal_places_the_errors_decide():
    graph = nx.disjoint_union(nx.star_graph(3), nx.star_graph(3))
    for good in (0, 1):
        errors = {tuple(e): (1e-3 if (e[0] >= 4) == good else 1e-2) for e in graph.edges}
        builder = Builder(range(4))
        multiplexor(builder, [0, 1, 2], 3, lambda: 0.3)
        placed = PlaceBlocks(device(graph, errors)).place(builder.build())
        assert ((placed.places >= 4) == good).all()


def test_the_same_twice():
    machine = targets.get("google.willow").device
    one, two = (PlaceBlocks(machine, 3).place(cascade(6)) for _ in range(2))
    assert np.array_equal(one.places, two.places)
    assert np.array_equal(one.circuit.angles, two.circuit.angles)


# -- in a transpile


@pytest.mark.parametrize("machine", ["line:10?gate=cz", "ibm.eagle"])
def test_level_three_takes_and_proves_them(machine):
    target, track = targets.get(machine), Track(1e-8, proves=True)
    source = cascade(7)
    routed, chosen = Search(target, 3, 0, "count", track).routed(source)
    assert chosen.trail[-1].name == "place-blocks"
    native = target.physical_passes(3, 1e-8).run(routed.circuit, track.hook("physical"))
    assert native.is_two_qubit.sum() < (235 if "line" in machine else 185)
    found = prove(Result(source, chosen, routed, native, target.to_cirq(native)), track)
    assert found.passed is True


def test_machines_in_two_parts():
    """Blocks on either part, and gates between what may lie on both: a route is found all the same."""
    graph = nx.disjoint_union(nx.grid_2d_graph(2, 3), nx.path_graph(6))
    target = Target.from_graph(graph, entangler="cz")
    for seed in range(6):
        source = random_multiplexors(np.random.default_rng(seed), 6, 2, symbolic=False)
        routed, _ = Search(target, 3, seed, "count", Track(1e-8)).routed(source)
        pairs = routed.circuit.operands[routed.circuit.is_two_qubit]
        assert target.device.adjacency[pairs[:, 0], pairs[:, 1]].all()
