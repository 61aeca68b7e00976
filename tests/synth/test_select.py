"""Selection of circuits of one skeleton: exact against block-diagonal unitaries, and its gate counts."""

from __future__ import annotations

from dataclasses import replace
from math import ceil, log2

import numpy as np
import pytest
import sympy
from helpers import ALL_GATES, circuits, make, random_circuit, random_values, unitary
from hypothesis import given
from hypothesis import strategies as st

from qattn_compiler.circuit.gates import BY_NAME, GATES, NUM_QUBITS
from qattn_compiler.circuit.params import Parameter
from qattn_compiler.circuit.table import Builder, Circuit
from qattn_compiler.errors import CircuitError
from qattn_compiler.synth import select as module
from qattn_compiler.synth.select import controlled, hadamard_test, select

RNG = np.random.default_rng(0)


def count(circuit: Circuit) -> int:
    return int((NUM_QUBITS[circuit.op] == 2).sum())


def address(circuits_given) -> list[str]:
    return [f"a{i}" for i in range(ceil(log2(len(circuits_given))))]


def others(model: Circuit, number: int, rng: np.random.Generator, share: float = 0.3) -> list[Circuit]:
    """The model, and circuits of its skeleton with other angles in most places, and other phases."""
    in_use = np.array([[c < GATES[op].num_angles for c in range(3)] for op in model.op], dtype=bool)
    out = [model]
    for _ in range(number - 1):
        changed = in_use.reshape(-1, 3) & (rng.random((len(model), 1)) > share)
        angles = np.where(changed, rng.normal(size=model.angles.shape) * 2, model.angles)
        coef = model.affine.coef * rng.choice([1.0, -0.5, 2.0], size=len(model.affine))
        affine = replace(model.affine, coef=coef)
        out.append(replace(model, angles=angles, affine=affine, phase=float(rng.normal())))
    return out


def assert_selects(given_circuits: list[Circuit], atol: float = 1e-9) -> Circuit:
    """Block x of the unitary is circuit x (the last one from there on), at random parameter values."""
    out = select(given_circuits, address(given_circuits))
    values = random_values(given_circuits[0], np.random.default_rng(1))
    size = 2 ** given_circuits[0].num_qubits
    addresses = 2 ** len(address(given_circuits))
    wanted = np.zeros((size * addresses,) * 2, dtype=complex)
    for x in range(addresses):
        part = slice(x * size, (x + 1) * size)
        wanted[part, part] = unitary(given_circuits[min(x, len(given_circuits) - 1)], values)
    np.testing.assert_allclose(unitary(out, values), wanted, atol=atol)
    return out


def overlap(first: Circuit, second: Circuit, values) -> complex:
    return complex(np.vdot(unitary(first, values)[:, 0], unitary(second, values)[:, 0]))


def assert_tests(first: Circuit, second: Circuit) -> None:
    """Both read-outs of the Hadamard test are the overlap."""
    values = random_values(first, np.random.default_rng(1))
    parts = []
    for imaginary in (False, True):
        test = hadamard_test(first, second, "test", imaginary=imaginary)
        state = np.abs(unitary(test.circuit, values)[:, 0]) ** 2
        index, width = np.arange(len(state)), test.circuit.num_qubits
        parity = sum((index >> (width - 1 - q)) & 1 for q in test.observed) % 2
        parts.append(state @ (1 - 2.0 * np.asarray(parity)))
    np.testing.assert_allclose(complex(*parts), overlap(first, second, values), atol=1e-9)


@pytest.mark.parametrize("name", [name for name in ALL_GATES if BY_NAME[name].num_angles])
@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_every_gate_with_angles(name, number):
    model = make(
        2, ("h", 0), ("ry", 1, 0.3), ("cx", (0, 1)), _row(name), ("s", 0), ("cz", (1, 0)), _row(name)
    )
    assert_selects(others(model, number, np.random.default_rng(number), share=0.0))


def _row(name):
    gate = BY_NAME[name]
    return (name, (1, 0)[: gate.num_qubits], *([0.7, -1.1, 0.4][: gate.num_angles]))


@pytest.mark.parametrize("name", [name for name in ALL_GATES if not BY_NAME[name].num_angles])
def test_the_frame_passes_every_fixed_gate(name):
    wires = (1, 0)[: BY_NAME[name].num_qubits]
    layer = [(axis, q, 0.2) for q in (0, 1) for axis in ("ry", "rz", "rx")]
    model = make(2, *layer, (name, wires), *layer)
    branches = others(model, 4, np.random.default_rng(4), share=0.0)
    assert_selects(branches)
    assert_tests(*branches[:2])


@given(
    circuits(max_qubits=3, max_rows=10, walls=False), st.integers(1, 5), st.integers(0, 9), st.floats(0, 1)
)
def test_any_circuits_of_one_skeleton(model, number, seed, share):
    branches = others(model, number, np.random.default_rng(seed), share)
    assert_selects(branches, 1e-8)
    if number == 2:
        assert_tests(*branches)


def ring(builder: Builder, qubits: list[int], inverse: bool = False, turns=None) -> list[float]:
    """RY on each qubit, then CX around; gives the angles."""
    turns = RNG.normal(size=len(qubits)).tolist() if turns is None else turns
    pairs = [(q, qubits[(i + 1) % len(qubits)]) for i, q in enumerate(qubits)]
    for q, angle in zip(qubits, turns, strict=True):
        if not inverse:
            builder.add("ry", [q], [angle])
    for pair in reversed(pairs) if inverse else pairs:
        builder.add("cx", pair)
    for q, angle in zip(qubits, turns, strict=True):
        if inverse:
            builder.add("ry", [q], [-angle])
    return turns


DECODER = ([0, 1, 2], [3, 4, 5], [0, 1, 2, 3, 4, 5])
"""Registers of the public hybrid decoder (arXiv:2502.19214, CUDA-Q's example), w = 6, one layer."""


def decoder_state(turns) -> Circuit:
    builder = Builder(range(6))
    for qubits, angles in zip(DECODER, turns, strict=True):
        ring(builder, qubits, turns=angles)
    return builder.build()


def test_hadamard_test_of_the_public_decoder():
    """As published: U_i, then controlled U_i^dagger and U_j: 12 CX, 24 Toffoli gates (6 CX each) and 24 CRY
    (2 each) = 204. With uncontrolled entanglers and multiplexed rotations 36; with a carried frame 24."""
    i, j = ([RNG.normal(size=len(r)).tolist() for r in DECODER] for _ in range(2))
    first, second = decoder_state(i), decoder_state(j)
    published = 12 + 24 * 6 + 24 * 2
    assert published == 204
    before, back, forth = Builder(range(6)), Builder(range(6)), Builder(range(6))
    for qubits, angles in zip(DECODER, i, strict=True):
        ring(before, qubits, turns=angles)
    for qubits, angles in reversed(list(zip(DECODER, i, strict=True))):
        ring(back, qubits, inverse=True, turns=angles)
    for qubits, angles in zip(DECODER, j, strict=True):
        ring(forth, qubits, turns=angles)
    given_unitary = unitary(before.build())
    taken = unitary(forth.build()) @ unitary(back.build()) @ given_unitary
    wanted = np.kron(np.diag([1, 0]), given_unitary) + np.kron(np.diag([0, 1]), taken)
    out = select([first, second], ["test"])
    np.testing.assert_allclose(unitary(out), wanted, atol=1e-12)
    assert count(out) == 24
    assert count(hadamard_test(first, second, "test").circuit) == 12
    assert_tests(first, second)


def quixer(qubits: int, layers: int) -> Circuit:
    """Ansatz 14 of Sim et al., as Quixer uses it (arXiv:2406.04305)."""
    builder = Builder(range(qubits))
    for _ in range(layers):
        for order, step in ((range(qubits - 1, -1, -1), 1), ((qubits - 1, *range(qubits - 1)), -1)):
            for q in range(qubits):
                builder.add("ry", [q], [RNG.normal()])
            for q in order:
                builder.add("crx", [q, (q + step) % qubits], [RNG.normal()])
    return builder.build()


@pytest.mark.parametrize(
    ("qubits", "tokens", "layers", "gates"), [(2, 2, 1, 20), (3, 4, 1, 66), (4, 4, 2, 176)]
)
def test_quixer_select(qubits, tokens, layers, gates):
    """Multiplexors by the book take 6 q n L: 24 for the smallest."""
    branches = [quixer(qubits, layers) for _ in range(tokens)]
    out = assert_selects(branches)
    assert count(out) == gates <= 6 * qubits * tokens * layers


def ansatz(angles, chain: bool = True) -> list[tuple]:
    n = angles.shape[1]
    rows = [("ry", q, angles[0, q]) for q in range(n)]
    rows += [("cx", (q, q + 1)) for q in range(n - 1) if chain]
    return rows + [("rz", q, angles[1, q]) for q in range(n)]


def inverse(rows: list[tuple]) -> list[tuple]:
    return [(name, wires, *(-a for a in angles)) for name, wires, *angles in reversed(rows)]


def test_controlled_overlap_circuit():
    """V(a)^dagger V(b) on 8 qubits, controlled gate by gate: 14 Toffoli gates and 32 controlled rotations."""
    a, b = RNG.normal(size=(2, 2, 8))
    circuit = make(8, *ansatz(b), *inverse(ansatz(a)))
    out = controlled(circuit, "test")
    wanted = np.kron(np.diag([1, 0]), np.eye(256)) + np.kron(np.diag([0, 1]), unitary(circuit))
    np.testing.assert_allclose(unitary(out), wanted, atol=1e-12)
    assert count(out) == 46 < 14 * 6 + 32 * 2
    first, second = make(8, *ansatz(a)), make(8, *ansatz(b))
    test = hadamard_test(first, second, "test")
    assert count(test.circuit) == 15  # one a qubit and the chain
    assert_tests(first, second)


def test_controlled_keeps_what_encloses():
    """A Pauli rotation: the ladder and the change of basis stay, one rotation is controlled."""
    ladder = [("h", 0), ("sx", 1), ("cx", (0, 1)), ("cx", (1, 2)), ("ry", 2, 0.3)]
    back = [("ry", 2, -0.3), ("cx", (1, 2)), ("cx", (0, 1)), ("sxdg", 1), ("h", 0)]
    circuit = replace(make(3, *ladder, ("rz", 2, "t"), *back), phase=0.4)
    out = controlled(circuit, "c")
    values = {"t": 0.7}
    wanted = np.kron(np.diag([1, 0]), np.eye(8)) + np.kron(np.diag([0, 1]), unitary(circuit, values))
    np.testing.assert_allclose(unitary(out, values), wanted, atol=1e-12)
    assert count(out) == 6


def test_controlled_symbols_cancel():
    circuit = make(2, ("ry", 0, "a"), ("cx", (0, 1)), ("rz", 1, "b"), ("cx", (0, 1)), ("ry", 0, "-a"))
    out = controlled(circuit, "c")
    assert count(out) == 4
    values = {"a": 0.3, "b": -1.2}
    wanted = np.kron(np.diag([1, 0]), np.eye(4)) + np.kron(np.diag([0, 1]), unitary(circuit, values))
    np.testing.assert_allclose(unitary(out, values), wanted, atol=1e-12)


def test_controlled_symbolic_phase():
    builder = Builder([0])
    for name, angles in (("h", []), ("rz", [0.3]), ("h", [])):
        builder.add(name, [0], angles)
    builder.add_phase((0.1, {"p": 2.0}))
    circuit, values = builder.build(), {"p": 0.7}
    wanted = np.kron(np.diag([1, 0]), np.eye(2)) + np.kron(np.diag([0, 1]), unitary(circuit, values))
    np.testing.assert_allclose(unitary(controlled(circuit, "c"), values), wanted, atol=1e-12)


@given(circuits(max_qubits=3, max_rows=8, walls=False), st.integers(0, 5))
def test_controlled_conjugated_rotation(model, seed):
    there = make(model.num_qubits)
    rows = [r for r in range(len(model)) if not GATES[model.op[r]].num_angles]
    rotation = ("rx", 0, 0.1 * (1 + seed))
    fixed = _as_rows(model, rows)
    undone = [(GATES[int(BY_NAME[n].code)].inverse, w) for n, w in reversed(fixed)]
    circuit = make(model.num_qubits, *fixed, rotation, *undone)
    out = controlled(circuit, "c")
    size = 2**there.num_qubits
    wanted = np.kron(np.diag([1, 0]), np.eye(size)) + np.kron(np.diag([0, 1]), unitary(circuit))
    np.testing.assert_allclose(unitary(out), wanted, atol=1e-9)


def _as_rows(model: Circuit, rows: list[int]) -> list[tuple]:
    out = []
    for r in rows:
        gate = GATES[model.op[r]]
        out.append((gate.name, tuple(model.operands[r, : gate.num_qubits].tolist())))
    return out


def test_equal_circuits_cost_nothing_more():
    circuit = make(3, ("ry", 0, 0.2), ("cx", (0, 1)), ("rzz", (1, 2), 0.4), ("t", 2), ("crx", (0, 2), 0.3))
    assert count(select([circuit] * 4, ["a", "b"])) == count(circuit)
    same = hadamard_test(circuit, circuit, "t")
    assert count(same.circuit) == 0


def test_one_bit_of_difference_costs_one_bit():
    """Angles that depend on one address bit of four take two gates, not sixteen."""
    branches = [make(1, ("ry", 0, 0.5 + (x >> 2 & 1))) for x in range(16)]
    assert count(assert_selects(branches)) == 2


def test_phases_stand_on_the_address():
    branches = [replace(make(1, ("h", 0)), phase=0.3 * x * x) for x in range(4)]
    assert count(assert_selects(branches)) == 2


def test_same_input_same_gates():
    branches = [quixer(3, 1) for _ in range(3)]
    first, second = (select(branches, ["a", "b"]) for _ in range(2))
    np.testing.assert_array_equal(first.operands, second.operands)
    np.testing.assert_array_equal(first.angles, second.angles)


def test_a_search_finds_what_the_first_try_misses(monkeypatch):
    first, second = (make(8, *ansatz(RNG.normal(size=(2, 8)))) for _ in range(2))
    monkeypatch.setattr(module, "TRIES", 0)
    assert count(hadamard_test(first, second, "t").circuit) == 23


def test_long_skeletons_are_linear():
    rng = np.random.default_rng(3)
    model = random_circuit(rng, 8, 3000, ("ry", "rz", "cx", "h"), symbolic=0.0)
    assert count(select(others(model, 2, rng), ["a"])) < 2 * len(model)


def test_errors():
    one, other = make(1, ("ry", 0, 0.1)), make(1, ("rx", 0, 0.1))
    with pytest.raises(CircuitError, match="circuit 1 has other gates"):
        select([one, other], ["a"])
    with pytest.raises(CircuitError, match="other qubits"):
        select([one, replace(one, qubits=(5,))], ["a"])
    with pytest.raises(CircuitError, match="no circuit"):
        select([], [])
    with pytest.raises(CircuitError, match="do not fit an address of 2"):
        select([one, one], ["a", "b"])
    with pytest.raises(CircuitError, match="do not fit an address of 0"):
        select([one, one], [])
    with pytest.raises(CircuitError, match="shares a qubit"):
        select([one, one], [0])
    symbolic = make(1, ("rx", 0, "p"))
    stranger = replace(symbolic, params=(Parameter("p", sympy.Symbol("q") ** 2),))
    with pytest.raises(CircuitError, match="different things by the parameter 'p'"):
        select([symbolic, stranger], ["a"])
    measured = Builder([0])
    measured.measure([0], "m")
    with pytest.raises(CircuitError, match="no plain unitary"):
        select([measured.build()] * 2, ["a"])
    with pytest.raises(CircuitError, match="not the identity"):
        controlled(make(2, ("cx", (0, 1)), ("rx", 0, 0.2)), "c")
