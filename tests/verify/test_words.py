"""Equality by Pauli rotations: its table, what it must see, and that it is never wrong."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers import circuits, make, random_circuit, random_values, unitary
from hypothesis import given, settings
from hypothesis import strategies as st

from qattn_compiler.circuit.gates import GATES, NUM_ANGLES
from qattn_compiler.circuit.table import Builder, Circuit, Extra
from qattn_compiler.passes.circuit.cancel_inverses import CancelInverses
from qattn_compiler.passes.circuit.decompose import DecomposeTwoQubit
from qattn_compiler.passes.circuit.fold_phases import FoldPhases
from qattn_compiler.passes.circuit.fuse_single_qubit import FuseSingleQubit
from qattn_compiler.passes.circuit.merge_rotations import MergeRotations
from qattn_compiler.passes.circuit.resynthesise_parities import ResynthesiseParities
from qattn_compiler.passes.circuit.resynthesise_paulis import ResynthesisePaulis
from qattn_compiler.verify.compare import distance_up_to_phase
from qattn_compiler.verify.word_kernels import HOPELESS
from qattn_compiler.verify.words import TURNS, Word, by_words

PAULI = {
    "I": np.eye(2),
    "X": np.array([[0, 1], [1, 0]]),
    "Y": np.array([[0, -1j], [1j, 0]]),
    "Z": np.diag([1, -1]),
}
PHASES = ("cz", "cx", "rz", "t", "s", "tdg", "swap", "cphase", "rzz", "crz")
ROTATIONS = ("rx", "ry", "rz", "rxx", "ryy", "rzz", "h", "s", "cx", "cz", "swap", "t")


def words(a: Circuit, b: Circuit, **options: float) -> Word:
    here = np.arange(a.num_qubits)
    return by_words(a, b, here, here, **options)


@pytest.mark.parametrize("gate", [gate for gate in GATES if gate.num_qubits], ids=lambda gate: gate.name)
def test_the_table_against_the_matrices(gate):
    rng = np.random.default_rng(0)
    for _ in range(4):
        angles = rng.normal(size=gate.num_angles) * 2
        product = np.eye(2**gate.num_qubits)
        for letters, constant, coefficients in TURNS[gate.name]:
            pauli = PAULI[letters[0]] if len(letters) == 1 else np.kron(PAULI[letters[0]], PAULI[letters[1]])
            t = constant + np.dot(coefficients, angles[: len(coefficients)])
            product = (np.cos(t / 2) * np.eye(len(pauli)) - 1j * np.sin(t / 2) * pauli) @ product
        assert distance_up_to_phase(gate.matrix(*angles), product) < 1e-12


@pytest.mark.parametrize(
    ("step", "names"),
    [
        (MergeRotations(), ROTATIONS),
        (CancelInverses(), ROTATIONS),
        (FoldPhases(), PHASES),
        (ResynthesiseParities(2, 0), PHASES),
        (ResynthesisePaulis(2, always=True), ROTATIONS),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_it_proves_what_passes_do(step, names):
    rng = np.random.default_rng(1)
    changed = 0
    for size, rows in ((3, 30), (8, 80), (30, 300)):
        for _ in range(4):
            a = random_circuit(rng, size, rows, names, symbolic=0.3, walls=0.03)
            b = step.run(a)
            changed += b is not a
            found = words(a, b)
            assert found.equal is True, found.detail
            assert found.error < 1e-9
    assert changed >= 4


@given(circuits(max_qubits=3, max_rows=10), st.data())
@settings(max_examples=150)
def test_it_is_never_wrong(circuit, data):
    """Rows dropped, exchanged, or nothing done: equal only if all is equal, walls included."""
    rows = list(range(len(circuit)))
    if rows:
        at = data.draw(st.integers(0, len(rows) - 1))
        if data.draw(st.booleans()):
            del rows[at]
        else:
            rows.insert(data.draw(st.integers(0, len(rows) - 1)), rows.pop(at))
    other = circuit.with_rows(np.array(rows, dtype=np.int64))
    found = words(circuit, other)
    if circuit.keys != other.keys:  # the dense judge numbers keys as they come
        assert found.equal is not True or sorted(circuit.keys) == sorted(other.keys)
        return
    values = random_values(circuit, np.random.default_rng(0))
    off = distance_up_to_phase(unitary(circuit, values), unitary(other, values))
    if found.equal:
        assert off < 1e-7
        assert off <= 2 * found.error + 1e-9
    if found.equal is False:
        assert off > 0
    if found.equal is False and not circuit.is_symbolic:
        product = unitary(circuit, values) @ unitary(other, values).conj().T
        assert distance_up_to_phase(product, np.eye(len(product))) > found.deviation > 0


def test_any_order_of_the_qubits():
    rng = np.random.default_rng(2)
    a = random_circuit(rng, 5, 60, ("cx", "h", "rz", "swap", "t", "rxx"))
    place = rng.permutation(7)[:5]
    operands = np.where(a.operands >= 0, place[a.operands], -1).astype(np.int32)
    b = replace(a, qubits=tuple(range(7)), operands=operands)
    tail = make(7, ("swap", (int(place[0]), int(place[1]))), ("swap", (int(place[2]), 6)))
    b = replace(
        b,
        op=np.r_[b.op, tail.op],
        operands=np.r_[b.operands, tail.operands],
        angles=np.r_[b.angles, tail.angles],
        extra=np.r_[b.extra, tail.extra],
    )
    final = place.copy()
    final[[0, 1]] = final[[1, 0]]
    final[2] = 6 if 6 not in place else final[2]
    if 6 in place:
        at = list(place).index(6)
        final[2], final[at] = 6, place[2]
    assert by_words(a, b, place, final).equal is True
    assert by_words(a, b, place, place).equal is not True
    wrong = place.copy()
    wrong[[3, 4]] = wrong[[4, 3]]
    assert by_words(a, b, wrong, final).equal is not True


def test_one_rotation_left_is_a_difference_and_its_size():
    a = make(3, ("cx", (0, 1)), ("rz", 1, 0.5), ("cx", (0, 1)), ("h", 2))
    found = words(a, make(3, ("h", 2), ("rzz", (0, 1), 0.6)))
    assert found.equal is False
    assert found.left == 1
    assert found.deviation == pytest.approx(0.025)
    assert words(a, make(3, ("h", 2), ("rzz", (0, 1), 0.5 + 1e-10))).equal is True
    assert words(a, make(3, ("h", 2), ("rzz", (0, 1), 0.5 + 1e-6)), tolerance=1e-5).equal is True
    assert words(a, make(3, ("rzz", (0, 1), 0.5))).equal is False  # the Clifford part
    assert "Clifford" in words(a, make(3, ("rzz", (0, 1), 0.5))).detail
    assert words(a, make(3, ("rx", 0, 0.3), ("h", 2))).equal is None


def test_what_a_measurement_hides_is_not_refuted():
    one, two = Builder(range(2)), Builder(range(2))
    for builder in (one, two):
        builder.measure([0], "m")
    two.add("t", [0])
    assert words(one.build(), two.build()).equal is None


def test_walls_keep_their_order_contents_and_wires():
    def with_walls(*rows: tuple[str, int]) -> Circuit:
        builder = Builder(range(3))
        for name, q in rows:
            if name == "measure":
                builder.measure([q], f"m{q}")
            elif name == "clock":
                builder.opaque([], "clock")
            elif name == "tagged":
                builder.add("z", [q], (), Extra(tags=("keep",)))
            else:
                builder.add(name, [q])
        return builder.build()

    a = with_walls(("h", 0), ("measure", 0), ("t", 1), ("clock", 0), ("tagged", 2), ("measure", 1))
    same = with_walls(("t", 1), ("tagged", 2), ("measure", 1), ("clock", 0), ("h", 0), ("measure", 0))
    assert words(a, same).equal is True
    for rows in (
        (("measure", 0), ("h", 0), ("t", 1), ("clock", 0), ("tagged", 2), ("measure", 1)),
        (("h", 0), ("measure", 0), ("t", 1), ("tagged", 2), ("measure", 1)),
        (("h", 0), ("measure", 0), ("t", 1), ("clock", 0), ("tagged", 1), ("measure", 1)),
        (("h", 0), ("measure", 0), ("t", 1), ("clock", 0), ("clock", 0), ("tagged", 2), ("measure", 1)),
    ):
        assert words(a, with_walls(*rows)).equal is not True


def test_symbols_are_compared_as_forms():
    a = make(2, ("rz", 0, "s"), ("cx", (0, 1)), ("rz", 0, "t"), ("rz", 0, "-s"))
    assert words(a, make(2, ("cx", (0, 1)), ("rz", 0, "t"))).equal is True
    assert words(a, make(2, ("cx", (0, 1)), ("rz", 0, "-t"))).equal is False
    assert words(a, make(2, ("rz", 0, "u"), ("cx", (0, 1)))).equal is False


def test_a_hundred_qubits_and_many_gates():
    rng = np.random.default_rng(3)
    a = random_circuit(rng, 100, 20_000, ("cx", "rz", "h", "t", "cz", "rx"), symbolic=0)
    b = MergeRotations().run(DecomposeTwoQubit().run(a))
    assert words(a, b).equal is True
    row = int(np.flatnonzero(b.angles[:, 0])[500])
    angles = b.angles.copy()
    angles[row, 0] += 1e-4
    found = words(a, replace(b, angles=angles))
    assert found.equal is not True


# -- giving up


def deep(rng: np.random.Generator, layers: int) -> list[tuple]:
    """Generic rotations between CZs of neighbours: nothing merges."""
    rows: list[tuple] = []
    for layer in range(layers):
        for q in range(6):
            rows += [(axis, q, float(rng.uniform(1, 2))) for axis in ("rx", "rz", "rx")]
        rows += [("cz", (q, q + 1)) for q in range(layer % 2, 5, 2)]
    return rows


def test_an_impatient_reader_gives_up_where_a_patient_one_finds_nothing_either():
    a = make(6, *deep(np.random.default_rng(0), 60))
    b = FuseSingleQubit().run(a)
    patient, quick = words(a, b), words(a, b, patient=False)
    assert patient.equal is quick.equal is None
    assert 60 * 18 + HOPELESS < quick.left < patient.left


@pytest.mark.parametrize("patient", [False, True])
def test_what_is_computed_and_taken_back_meets_itself(patient):
    """A thousand rotations of the second circuit meet nothing of the first, and yet cancel."""
    rng = np.random.default_rng(1)
    there, tail = deep(rng, 60), deep(rng, 2)
    back = [(name, wires, *(-angle for angle in angles)) for name, wires, *angles in reversed(there)]
    long, short = make(6, *there, *back, *tail), make(6, *tail)
    for a, b in ((short, long), (long, short), (long, long)):
        assert words(a, b, patient=patient).equal is True


def test_angles_near_a_quarter_turn_cost_nothing_where_both_have_them():
    rng = np.random.default_rng(4)
    for seed in range(20):
        near = rng.uniform(-1e-5, 1e-5, 40) + rng.integers(-2, 3, 40) * np.pi / 2
        one = random_circuit(np.random.default_rng(seed), 5, 40, symbolic=0.0)
        turned = one.angles.copy()
        turned[:, 0] = np.where(NUM_ANGLES[one.op] > 0, near, 0.0)
        one = replace(one, angles=turned)
        found = words(one, MergeRotations().run(CancelInverses().run(one)), tolerance=1e-4)
        assert found.equal
        assert found.error < 1e-9


def test_only_what_was_left_out_is_counted():
    """Small rotations stand between others that do not commute with them."""
    for seed in range(20):
        rng = np.random.default_rng(seed)
        full, less, off = Builder(range(4)), Builder(range(4)), 0.0
        for _ in range(60):
            name, a, b = ("rx", "rz", "rzz", "ry")[rng.integers(4)], *rng.permutation(4)[:2].tolist()
            wires, small = [a, b] if name == "rzz" else [a], rng.random() < 0.2
            angle = float(rng.uniform(-1, 1)) * (1e-5 if small else 1.0)
            full.add(name, wires, [angle])
            if small:
                off += abs(angle) / 2
            else:
                less.add(name, wires, [angle])
        one, two = full.build(), less.build()
        found = words(one, two, tolerance=1e-4)
        assert found.equal
        assert found.error <= off + 1e-12  # small ones that meet may take each other back
        assert distance_up_to_phase(unitary(one), unitary(two)) <= found.error
        assert words(one, two).equal is not True


def test_small_multiples_of_symbols_are_no_small_angles():
    one, two = Builder(range(1)), Builder(range(1))
    one.add("rz", [0], [(0.0, {"a": 1e-6})])
    one.add("h", [0])
    two.add("h", [0])
    assert words(one.build(), two.build(), tolerance=1e-4).equal is not True
