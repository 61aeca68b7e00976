"""Equality by local windows: what it must see, and that it is never wrong."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers import ALL_GATES, circuits, make, random_circuit, random_values, unitary
from hypothesis import given, settings
from hypothesis import strategies as st

from qattn_compiler.circuit.gates import GATES, MEASURE, NUM_QUBITS
from qattn_compiler.circuit.table import Builder, Circuit
from qattn_compiler.passes.circuit.cancel_inverses import CancelInverses
from qattn_compiler.passes.circuit.decompose import DecomposeTwoQubit
from qattn_compiler.passes.circuit.fuse_single_qubit import FuseSingleQubit
from qattn_compiler.passes.circuit.merge_rotations import MergeRotations
from qattn_compiler.passes.circuit.resynthesise_two_qubit import ResynthesiseTwoQubit
from qattn_compiler.verify.compare import distance_up_to_phase
from qattn_compiler.verify.windows import Windows, by_windows, matrices


def windows(a: Circuit, b: Circuit, values: dict[str, float] | None = None, **options: object) -> Windows:
    names = tuple(sorted({p.name for p in (*a.params, *b.params)}))
    rng = np.random.default_rng(0)
    points = np.array([[values[name] for name in names]]) if values else rng.uniform(-3, 3, (2, len(names)))
    here = np.arange(a.num_qubits)
    return by_windows(a, b, here, here, points, names, **options)


def test_matrices_are_those_of_the_table():
    rng = np.random.default_rng(0)
    op = np.flatnonzero(NUM_QUBITS > 0).astype(np.uint8)
    angles = rng.normal(size=(3, len(op), 3)) * 3
    found = matrices(op, angles)
    for row, code in enumerate(op.tolist()):
        d = 2 ** GATES[code].num_qubits
        for point in range(3):
            wanted = GATES[code].matrix(*angles[point, row, : GATES[code].num_angles])
            assert np.abs(found[row, point, :d, :d] - wanted).max() < 1e-12


@pytest.mark.parametrize(
    "step",
    [MergeRotations(), CancelInverses(), FuseSingleQubit(), DecomposeTwoQubit(), ResynthesiseTwoQubit()],
    ids=lambda step: step.name,
)
def test_it_proves_what_passes_do(step):
    rng = np.random.default_rng(1)
    proved = changed = 0
    for size, rows in ((4, 30), (10, 80), (40, 300)):
        for _ in range(4):
            a = random_circuit(rng, size, rows, symbolic=0.2, walls=0.02)
            b = step.run(a)
            if b is a:
                continue
            changed += 1
            found = windows(a, b)
            assert found.equal is not False, found.detail
            proved += found.equal is True
            if found.equal:
                assert found.error < 1e-9
                assert np.abs(np.exp(1j * np.array(found.phase)) - 1).max() < 1e-6  # passes keep the phase
    assert proved >= 0.7 * changed


@given(circuits(max_qubits=3, max_rows=9), st.data())
@settings(max_examples=150)
def test_it_is_never_wrong(circuit, data):
    rows = list(range(len(circuit)))
    if rows:
        at = data.draw(st.integers(0, len(rows) - 1))
        if data.draw(st.booleans()):
            del rows[at]
        else:
            rows.insert(data.draw(st.integers(0, len(rows) - 1)), rows.pop(at))
    other = circuit.with_rows(np.array(rows, dtype=np.int64))
    values = random_values(circuit, np.random.default_rng(0))
    found = windows(circuit, other, values)
    if circuit.keys != other.keys:  # the dense judge numbers keys as they come
        assert found.equal is not True or sorted(circuit.keys) == sorted(other.keys)
        return
    off = distance_up_to_phase(unitary(circuit, values), unitary(other, values))
    if MEASURE in circuit.op:
        return  # what the dense judge takes for a measurement lets no phase pass
    if found.equal:
        assert off <= 2 * found.error + 1e-8
    elif found.equal is False and not (NUM_QUBITS[circuit.op] == 0).any():
        assert off > 1e-9


def test_small_circuits_are_always_decided():
    rng = np.random.default_rng(4)
    for _ in range(60):
        a = random_circuit(rng, 3, 12, ALL_GATES, symbolic=0)
        b = a.with_rows(rng.permutation(len(a))) if rng.random() < 0.5 else FuseSingleQubit().run(a)
        off = distance_up_to_phase(unitary(a), unitary(b))
        assert windows(a, b).equal is bool(off < 1e-7)


def test_what_is_rounded_off_is_told():
    a = make(2, ("cx", (0, 1)), ("rz", 0, 0.3), ("rx", 1, 0.2))
    b = make(2, ("rz", 0, 0.3 + 2e-7), ("rx", 1, 0.2), ("cx", (0, 1)))
    found = windows(a, b)
    assert found.equal is False
    assert "differ by" in found.detail
    loose = windows(a, b, split=1e-5)
    assert loose.equal is True
    off = np.linalg.norm(unitary(a) - unitary(b) * np.exp(1j * loose.phase[0]), 2)
    assert 1e-8 < off <= loose.error


def test_layouts_and_swaps():
    a = make(3, ("h", 0), ("cx", (0, 1)), ("rz", 2, 0.4))
    b = make(4, ("h", 3), ("swap", (3, 1)), ("cx", (1, 2)), ("rz", 0, 0.4), ("swap", (0, 1)))
    initial, final = np.array([3, 2, 0]), np.array([0, 2, 1])
    none = np.zeros((1, 0))
    assert by_windows(a, b, initial, final, none, ()).equal is True
    for wrong in ((initial, np.array([1, 2, 0])), (np.array([2, 3, 0]), final), (initial, initial)):
        assert by_windows(a, b, *wrong, none, ()).equal is not True


def test_a_phase_may_pass_a_measurement_and_a_flip_may_not():
    def measured(*rows: str) -> Circuit:
        builder = Builder(range(1))
        for name in rows:
            builder.measure([0], "m") if name == "measure" else builder.add(name, [0])
        return builder.build()

    assert windows(measured("t", "measure"), measured("measure", "t")).equal is True
    assert windows(measured("x", "measure"), measured("measure", "x")).equal is not True


def test_wide_and_long():
    rng = np.random.default_rng(5)
    builder = Builder(range(100))
    for layer in range(60):
        for q in range(100):
            builder.add("phased_xz", [q], rng.normal(size=3).tolist())
        for q in range(layer % 2, 99, 2):
            builder.add("cx", [q, q + 1])
    a = builder.build()
    b = FuseSingleQubit().run(DecomposeTwoQubit().run(a))
    assert windows(a, b).equal is True
    row = int(np.flatnonzero(NUM_QUBITS[b.op] == 1)[1234])
    angles = b.angles.copy()
    angles[row] += 1e-3
    assert windows(a, replace(b, angles=angles)).equal is not True
    assert windows(a, b.with_rows(np.delete(np.arange(len(b)), 4321))).equal is not True
