"""ResynthesiseTwoQubit."""

from __future__ import annotations

from math import pi

import cirq
import numpy as np
import pytest
from helpers import GATE_SETS, assert_pass, circuits, make, random_circuit, random_unitary, shown, unitary
from hypothesis import given, settings
from hypothesis import strategies as st

from qattn_compiler.circuit.gates import AXIS_CODES, BY_NAME, CZ, GATES, NUM_QUBITS
from qattn_compiler.circuit.table import Builder, Extra
from qattn_compiler.errors import PassError
from qattn_compiler.passes.circuit.block_kernels import block_unitaries, collect_blocks
from qattn_compiler.passes.circuit.resynthesise_two_qubit import ResynthesiseTwoQubit
from qattn_compiler.synth.entanglers import ENTANGLERS
from qattn_compiler.synth.two_qubit_rules import RULES

NAMES = pytest.mark.parametrize("name", ENTANGLERS)


def cost(circuit):
    """CZ gates after `decompose-two-qubit`."""
    total = 0
    for op in circuit.op:
        name = GATES[op].name
        total += name == "cz"
        total += sum(step.name == "cz" for step in RULES[name].steps) if name in RULES else 0
    return total


def entanglers(circuit):
    return [GATES[op].name for op in circuit.op if GATES[op].num_qubits == 2]


# -- promises


@given(circuits())
def test_promises(circuit):
    assert_pass(ResynthesiseTwoQubit(), circuit, cost=cost)


@given(circuits(max_qubits=3, max_rows=25, gates="entangling"))
def test_promises_where_blocks_are_long(circuit):
    assert_pass(ResynthesiseTwoQubit(), circuit, cost=cost)


@given(circuits(max_rows=20, gates="rotations"))
def test_promises_where_much_commutes(circuit):
    assert_pass(ResynthesiseTwoQubit("cx"), circuit, cost=cost)


@settings(max_examples=40)
@given(circuits(max_qubits=3), st.sampled_from(sorted(ENTANGLERS)))
def test_promises_over_other_entanglers(circuit, name):
    assert_pass(ResynthesiseTwoQubit(name), circuit, cost=lambda _: 0)


@pytest.mark.parametrize("names", GATE_SETS)
def test_promises_on_longer_circuits(names):
    rng = np.random.default_rng(17)
    for symbolic in (0.0, 0.1, 0.3) * 6:
        circuit = random_circuit(rng, 4, 50, GATE_SETS[names], symbolic, walls=0.04)
        assert_pass(ResynthesiseTwoQubit(), circuit, cost=cost)


@NAMES
def test_numeric_gates_become_native(name):
    rng = np.random.default_rng(18)
    circuit = random_circuit(rng, 4, 60, symbolic=0.0)
    out = assert_pass(ResynthesiseTwoQubit(name), circuit, cost=lambda _: 0)
    native = ENTANGLERS[name]
    if name not in ("cz", "cx"):
        assert set(entanglers(out)) == {native.gate}
        rows = out.angles[NUM_QUBITS[out.op] == 2]
        if native.angles is not None:
            assert (rows[:, : len(native.angles)] == native.angles).all()


# -- what comes out


def test_three_cz_are_enough():
    rng = np.random.default_rng(19)
    circuit = random_circuit(rng, 2, 60, ("cx", "rx", "rz", "cz", "h", "ch"), symbolic=0.0)
    assert entanglers(assert_pass(ResynthesiseTwoQubit(), circuit, cost=cost)) == ["cz"] * 3


def test_two_cz_for_real_blocks():
    rng = np.random.default_rng(20)
    circuit = random_circuit(rng, 2, 40, ("cz", "ry", "ry"), symbolic=0.0)
    assert entanglers(assert_pass(ResynthesiseTwoQubit(), circuit, cost=cost)) == ["cz"] * 2


@pytest.mark.parametrize(
    ("rows", "count"),
    [
        ([("cx", (0, 1)), ("cx", (1, 0)), ("cx", (0, 1)), ("cz", (0, 1))], 2),
        ([("cx", (0, 1)), ("cx", (1, 0)), ("cx", (0, 1)), ("swap", (1, 0))], 0),
        ([("swap", (0, 1)), ("iswap", (0, 1))], 1),
        ([("iswap", (0, 1)), ("cz", (1, 0)), ("t", 0), ("swap", (0, 1))], 0),
        ([("siswap", (0, 1)), ("siswap", (0, 1)), ("siswap", (0, 1)), ("siswapdg", (1, 0))], 2),
        ([("rzz", (0, 1), pi / 2)], 1),
        ([("rxx", (0, 1), 2 * pi)], 0),
        ([("crz", (0, 1), pi)], 1),
        ([("cphase", (0, 1), 0.5), ("h", 1), ("h", 1), ("cphase", (1, 0), pi - 0.5)], 1),
        ([("fsim", (0, 1), 0.3, 0.4)], 3),
        ([("fsim", (0, 1), 0.3, 0.0)], 2),
        ([("cx", (0, 1)), ("rz", 1, 0.3), ("cx", (0, 1)), ("ry", 0, 0.2), ("cx", (1, 0))], 2),
    ],
)
def test_fixed_blocks(rows, count):
    out = assert_pass(ResynthesiseTwoQubit(), make(2, *rows), cost=cost)
    assert cost(out) == count


@pytest.mark.parametrize(
    "rows",
    [
        [("cx", (0, 1))],
        [("swap", (0, 1))],
        [("rzz", (0, 1), 0.3)],
        [("cx", (0, 1)), ("rx", 0, 0.3), ("cz", (0, 1)), ("h", 1)],
        [("iswap", (0, 1)), ("h", 1)],
        [("h", 0), ("rz", 1, 0.3)],
        [],
    ],
)
def test_what_is_best_stays(rows):
    circuit = make(2, *rows)
    assert ResynthesiseTwoQubit().run(circuit) is circuit


def test_syc_is_left_alone_by_its_own_kind():
    circuit = make(2, ("fsim", (0, 1), pi / 2, pi / 6), ("h", 0), ("fsim", (1, 0), pi / 2, pi / 6))
    assert ResynthesiseTwoQubit("syc").run(circuit) is circuit


def test_random_blocks_take_three_syc():
    rng = np.random.default_rng(21)
    circuit = random_circuit(rng, 2, 40, ("cz", "rx", "rz", "h"), symbolic=0.0)
    assert entanglers(assert_pass(ResynthesiseTwoQubit("syc"), circuit, cost=len)) == ["fsim"] * 3


def test_cirq_needs_as_many():
    rng = np.random.default_rng(22)
    for _ in range(40):
        circuit = random_circuit(rng, 2, int(rng.integers(1, 12)), ("cx", "cz", "h", "t", "rx", "ch"), 0.0)
        out = ResynthesiseTwoQubit().run(circuit)
        assert cost(out) == cirq.num_cnots_required(unitary(circuit))


# -- through commuting gates


def test_through_gates_that_commute():
    circuit = make(3, ("cx", (0, 1)), ("cz", (0, 2)), ("rz", 0, "s"), ("cx", (0, 1)), ("t", 0))
    out = assert_pass(ResynthesiseTwoQubit(), circuit, cost=cost)
    assert shown(out) == ["phased_xz 0", "cz 0 2", "rz 0"]


def test_through_gates_on_both_wires():
    circuit = make(4, ("cx", (0, 1)), ("cz", (0, 2)), ("cx", (3, 1)), ("rx", 1, "s"), ("cx", (0, 1)))
    assert cost(assert_pass(ResynthesiseTwoQubit(), circuit, cost=cost)) == 2


def test_blocks_that_overlap():
    ring = [("cz", (0, 1)), ("cz", (0, 2)), ("cz", (0, 1)), ("cz", (0, 2))]
    assert len(assert_pass(ResynthesiseTwoQubit(), make(3, *ring), cost=cost)) == 0


@pytest.mark.parametrize("between", [("cx", (2, 0)), ("rx", 0, "s"), ("ch", (2, 0)), ("swap", (0, 2))])
def test_not_through_gates_that_do_not_commute(between):
    circuit = make(3, ("cx", (0, 1)), between, ("cx", (0, 1)))
    assert ResynthesiseTwoQubit().run(circuit) is circuit


def test_a_joined_gate_must_commute_with_what_came_since():
    circuit = make(3, ("cz", (0, 1)), ("cz", (0, 2)), ("h", 0), ("cz", (0, 1)))
    assert ResynthesiseTwoQubit().run(circuit) is circuit


def test_walls_end_blocks():
    for wall in ("measure", "tag"):
        builder = Builder(range(2))
        builder.add("cx", (0, 1))
        if wall == "measure":
            builder.measure((0,), "m")
        else:
            builder.add("h", (0,), (), Extra(tags=("keep",)))
        builder.add("cx", (0, 1))
        circuit = builder.build()
        assert ResynthesiseTwoQubit().run(circuit) is circuit


def test_symbolic_gates_stay_outside():
    circuit = make(2, ("rx", 0, "s"), ("cx", (0, 1)), ("cx", (0, 1)), ("ry", 1, "t"), ("rzz", (0, 1), "s"))
    out = assert_pass(ResynthesiseTwoQubit(), circuit, cost=cost)
    assert shown(out) == ["rx 0", "ry 1", "rzz 0 1"]


def slow_blocks(width, pair, axes, wires):
    """`collect_blocks` by comparing each row with all rows before it."""
    blocks, number = [], []
    for row in range(len(width)):
        mine = -1
        if width[row] == 2:
            mine = max((b for b, rows in enumerate(blocks) if pair[rows[0]] == pair[row]), default=-1)
        elif width[row] == 1:
            last = [r for r in range(row) if wires[row, 0] in wires[r]]
            mine = number[last[-1]] if last else -1
        if mine >= 0 and not _joins(row, blocks[mine], width, axes, wires):
            mine = -1
        if mine < 0 and width[row] == 2:
            mine = len(blocks)
            blocks.append([])
        if mine >= 0:
            blocks[mine].append(row)
        number.append(mine)
    return number, [rows[0] for rows in blocks]


def _joins(row, block, width, axes, wires):
    for k in range(width[row]):
        wire, axis = wires[row, k], axes[row, k]
        foreign = [r for r in range(block[0], row) if wire in wires[r] and r not in block]
        if not foreign:
            continue
        since = [r for r in range(foreign[0], row) if wire in wires[r]]
        kinds = {axes[r, list(wires[r]).index(wire)] if list(wires[r]).index(wire) < 2 else 0 for r in since}
        if not axis or kinds != {axis}:
            return False
    return True


@given(circuits(max_rows=30))
def test_blocks_are_those_of_the_plain_twin(circuit):
    width = np.where((circuit.extra < 0) & ~circuit.symbolic_rows, NUM_QUBITS[circuit.op], 0).astype(np.int8)
    low, high = np.sort(circuit.operands, axis=1).T
    pair = np.where(width == 2, low * circuit.num_qubits + high, -1).astype(np.int64)
    axes = AXIS_CODES[circuit.op]
    args = (width, pair, axes, circuit.wires)
    block, first = collect_blocks(*args, circuit.num_wires, circuit.num_qubits**2)
    number, heads = slow_blocks(*args)
    assert block.tolist() == number
    assert first.tolist() == heads


def test_block_unitaries_are_products():
    rng = np.random.default_rng(23)
    matrices = np.array([random_unitary(rng, 4) for _ in range(3)])
    q = rng.normal(size=(5, 4))
    q /= np.linalg.norm(q, axis=1, keepdims=True)
    gate, side = np.array([0, -1, -1, 1, 2]), np.array([0, 0, 1, 1, 0], np.int8)
    found = block_unitaries(np.array([0, 0, 0, 0, 1]), side, gate, q, matrices, 2)

    def single(k):
        a, b, c, d = q[k]
        return np.array([[a - 1j * d, -c - 1j * b], [c - 1j * b, a + 1j * d]])

    swap = BY_NAME["swap"].matrix()
    expected = swap @ matrices[1] @ swap @ np.kron(single(1), single(2)) @ matrices[0]
    np.testing.assert_allclose(found, [expected, matrices[2]], atol=1e-14)


# -- options


def test_tolerance():
    circuit = make(2, ("rzz", (0, 1), 1e-6))
    assert ResynthesiseTwoQubit().run(circuit) is circuit
    assert len(ResynthesiseTwoQubit(tolerance=1e-5).run(circuit)) == 0


def test_fidelity_budget():
    circuit = make(2, ("rzz", (0, 1), 1.5), ("rxx", (0, 1), 0.03), ("h", 0), ("ryy", (0, 1), 0.02))
    exact, cheaper = ResynthesiseTwoQubit(), ResynthesiseTwoQubit(fidelity=0.99)
    assert cost(exact.run(circuit)) == 3
    assert exact.infidelity(circuit) < 1e-15
    out = cheaper.run(circuit)
    assert cost(out) == 1
    fidelity = (4 + abs(np.trace(unitary(out).conj().T @ unitary(circuit))) ** 2) / 20
    assert fidelity > 0.99
    assert cheaper.infidelity(circuit) == pytest.approx(1 - fidelity, abs=1e-12)
    assert cheaper.run(out) is out


@pytest.mark.parametrize(
    "options", [{"entangler": "cnot"}, {"tolerance": -1.0}, {"tolerance": float("nan")}, {"fidelity": 0.0}]
)
def test_bad_options(options):
    with pytest.raises(PassError):
        ResynthesiseTwoQubit(**options)


def test_over_cx():
    circuit = random_circuit(np.random.default_rng(24), 2, 60, ("cz", "rx", "rz"), symbolic=0.0)
    out = assert_pass(ResynthesiseTwoQubit("cx"), circuit, cost=cost)
    assert entanglers(out) == ["cx"] * 3
    assert CZ not in out.op
