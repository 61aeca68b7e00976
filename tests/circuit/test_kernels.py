"""Each hot loop against a plain-Python twin that follows its docstring and not its code."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from helpers import circuits, random_circuit
from hypothesis import given
from hypothesis import strategies as st

from qattn_compiler.circuit import kernels, su2
from qattn_compiler.circuit.gates import AXIS_CODES, GATES, INVERSE, NUM_ANGLES, NUM_QUBITS, SYMMETRIC
from qattn_compiler.circuit.table import Circuit
from qattn_compiler.passes import CancelInverses, MergeRotations


def wires_of(circuit: Circuit) -> list[list[int]]:
    return [[int(w) for w in row if w >= 0] for row in circuit.wires]


# -- twins --------------------------------------------------------------------------------------------------


def can_meet(circuit: Circuit, early: int, late: int, alive: set[int]) -> bool:
    """Whether rows on the same operands have, between them on each wire, only rows with their axis there."""
    wires = wires_of(circuit)
    for wire in wires[late]:
        axes = []
        for row in range(early, late + 1):
            if (row in alive or row == late) and wire in wires[row]:
                place = wires[row].index(wire)
                known = place < 2 and NUM_QUBITS[circuit.op[row]] > 0
                axes.append(int(AXIS_CODES[circuit.op[row], place]) if known else 0)
        if len(axes) > 2 and (len(set(axes)) > 1 or axes[0] == 0):
            return False
        if axes[0] != axes[-1]:
            return False
    return True


def merge_twin(circuit: Circuit, family: list[int]) -> list[tuple[int, tuple[int, ...], float]]:
    """(family, operands, angle) of what is left: any two rows that can meet are added up, from the start
    again after each."""
    angle = {row: float(circuit.angles[row, 0]) for row in range(len(circuit)) if family[row] >= 0}
    alive = set(range(len(circuit)))

    def place(row: int) -> tuple[int, ...]:
        wires = tuple(wires_of(circuit)[row])
        return tuple(sorted(wires)) if SYMMETRIC[family[row]] else wires

    def pair() -> tuple[int, int] | None:
        for late in sorted(angle):
            for early in sorted(angle):
                same = early < late and family[early] == family[late] and place(early) == place(late)
                if same and can_meet(circuit, early, late, alive):
                    return early, late
        return None

    while (found := pair()) is not None:
        early, late = found
        angle[early] += angle.pop(late)
        alive.discard(late)
        if angle[early] == 0:
            angle.pop(early)
            alive.discard(early)
    return sorted((family[row], place(row), total) for row, total in angle.items())


def cancel_twin(circuit: Circuit) -> list[list[str]]:
    """Rows left on each wire: search for a pair that can meet from the start again after every removal."""
    alive = set(range(len(circuit)))
    wires, names = wires_of(circuit), [GATES[op].name for op in circuit.op]

    def undoes(early: int, late: int) -> bool:
        back = GATES[circuit.op[late]].inverse
        same = sorted(wires[early]) == sorted(wires[late]) if SYMMETRIC[circuit.op[late]] else False
        return names[early] == back and (same or wires[early] == wires[late])

    def pair() -> tuple[int, int] | None:
        rows = [row for row in sorted(alive) if circuit.extra[row] < 0]
        for k, late in enumerate(rows):
            for early in rows[:k]:
                if undoes(early, late) and can_meet(circuit, early, late, alive):
                    return early, late
        return None

    while (found := pair()) is not None:
        alive -= set(found)
    return left_on_wires(circuit, alive)


def left_on_wires(circuit: Circuit, alive: set[int]) -> list[list[str]]:
    """Rows on each wire, in the order of blocks of one axis; within a block the order means nothing."""
    out = []
    for wire in range(circuit.num_wires):
        blocks: list[tuple[int, list[str]]] = []
        for row in sorted(alive):
            touched = wires_of(circuit)[row]
            if wire in touched:
                place = touched.index(wire)
                axis = int(AXIS_CODES[circuit.op[row], place]) if place < 2 else 0
                if not blocks or axis == 0 or blocks[-1][0] != axis:
                    blocks.append((axis, []))
                blocks[-1][1].append(f"{GATES[circuit.op[row]].name} {touched}")
        out.append([word for _, block in blocks for word in sorted(block)])
    return out


def runs_twin(fusable: list[bool], wires: list[list[int]]) -> list[list[int]]:
    """Rows of each run."""
    runs: list[list[int]] = []
    open_run: dict[int, list[int]] = {}
    for row, touched in enumerate(wires):
        if not fusable[row]:
            for wire in touched:
                open_run.pop(wire, None)
        elif touched[0] in open_run:
            open_run[touched[0]].append(row)
        else:
            open_run[touched[0]] = [row]
            runs.append(open_run[touched[0]])
    return runs


def longest_paths(weight: list[float], wires: list[list[int]]) -> list[float]:
    """Weight of the heaviest chain of rows that ends with each row."""
    out: list[float] = []
    for row, touched in enumerate(wires):
        before = [out[k] for k in range(row) if set(wires[k]) & set(touched)]
        out.append(max(before, default=0) + weight[row])
    return out


# -- tests --------------------------------------------------------------------------------------------------


@given(circuits(gates="rotations", max_qubits=3, max_rows=14, symbolic=False))
def test_merge_groups(circuit):
    turned = (NUM_ANGLES[circuit.op] == 1) & (circuit.extra < 0)
    family = np.where(turned, circuit.op.astype(np.int16), np.int16(-1))
    angles = np.zeros((len(circuit), 2))
    angles[:, 0] = np.sign(np.round(circuit.angles[:, 0]))  # whole numbers: sums are exact, and often 0
    circuit = replace(circuit, angles=np.pad(angles[:, :1], ((0, 0), (0, 2))))
    none = np.zeros(0)
    head, sign, total, gone = kernels.merge_groups(
        family,
        angles,
        np.full(len(GATES), 1000.0),
        SYMMETRIC.astype(np.int8),
        AXIS_CODES[circuit.op],
        circuit.wires,
        circuit.num_wires,
        1e-9,
        np.zeros(len(circuit) + 1, np.int64),
        none.astype(np.int64),
        none,
        none,
    )
    assert (sign == 1).all()
    left = []
    for row in np.flatnonzero((head == np.arange(len(circuit))) & ~gone).tolist():
        wires = wires_of(circuit)[row]
        place = tuple(sorted(wires) if SYMMETRIC[circuit.op[row]] else wires)
        left.append((int(family[row]), place, float(total[row, 0])))
    assert sorted(left) == merge_twin(circuit, family.tolist())


CANCELLED = ("cz", "h", "s", "sdg", "ch", "cy", "swap", "x")


def test_cancel_pairs():
    rng = np.random.default_rng(5)
    for _ in range(300):
        circuit = random_circuit(rng, 3, int(rng.integers(16)), CANCELLED, walls=0.05)
        none = np.zeros(0, dtype=np.int64)
        form = (
            circuit.angles.view(np.uint64),
            np.zeros(len(circuit) + 1, np.int64),
            none,
            none.view(np.uint64),
        )
        rows = circuit.op.copy(), circuit.wires.copy(), SYMMETRIC, INVERSE, NUM_ANGLES
        fit = (NUM_QUBITS[circuit.op] > 0) & (circuit.extra < 0)
        powers = np.zeros(len(GATES), np.int8), np.full(8, -1, np.int16), AXIS_CODES, (-1, -1, -1)
        keep = kernels.cancel_pairs(rows, fit, (form, form), powers, circuit.num_wires)
        np.testing.assert_array_equal(rows[0], circuit.op)
        assert left_on_wires(circuit, set(np.flatnonzero(keep).tolist())) == cancel_twin(circuit)


@given(circuits(symbolic=False))
def test_fuse_runs(circuit):
    fusable = (NUM_QUBITS[circuit.op] == 1) & (circuit.extra < 0)
    q, _ = su2.quaternions(circuit.op, circuit.angles)
    head, product, length = kernels.fuse_runs(fusable, q, circuit.wires, circuit.num_wires)
    runs = runs_twin(fusable.tolist(), wires_of(circuit))
    expected = np.full(len(circuit), -1)
    for run in runs:
        expected[run] = run[0]
        assert length[run[0]] == len(run)
        total = q[run[0]]
        for row in run[1:]:
            total = su2.multiply(q[row], total)
        np.testing.assert_allclose(product[run[0]], total, atol=1e-12)
    np.testing.assert_array_equal(head, expected)
    batch = np.stack([q, q])
    kernels.multiply_runs(head, batch)
    heads = np.flatnonzero(length)
    np.testing.assert_allclose(batch[:, heads], np.stack([product[heads]] * 2), atol=1e-12)
    assert length.sum() == fusable.sum()


@given(circuits(), st.lists(st.integers(0, 1), min_size=14, max_size=14))
def test_layers(circuit, weight):
    weight = weight[: len(circuit)]
    out = kernels.layers(np.array(weight, dtype=np.int64), circuit.wires, circuit.num_wires)
    assert out.tolist() == longest_paths(weight, wires_of(circuit))


@given(circuits(), st.lists(st.floats(0, 100), min_size=14, max_size=14))
def test_critical_path(circuit, nanoseconds):
    lasting = nanoseconds[: len(circuit)]
    done = kernels.critical_path(np.array(lasting, dtype=np.float64), circuit.wires, circuit.num_wires)
    ends = longest_paths(lasting, wires_of(circuit))
    for wire in range(circuit.num_wires):
        on_wire = [end for end, wires in zip(ends, wires_of(circuit), strict=True) if wire in wires]
        assert done[wire] == max(on_wire, default=0.0)


def test_empty_circuit():
    circuit = random_circuit(np.random.default_rng(0), 2, 0)
    none = np.zeros(0, dtype=np.int64)
    assert len(kernels.layers(none, circuit.wires, 2)) == 0
    assert kernels.critical_path(np.zeros(0), circuit.wires, 2).tolist() == [0, 0]
    assert CancelInverses().run(circuit) is circuit
    assert MergeRotations().run(circuit) is circuit
