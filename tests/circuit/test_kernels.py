"""Each hot loop against a plain-Python twin that follows its docstring and not its code."""

from __future__ import annotations

import numpy as np
from helpers import circuits, random_circuit
from hypothesis import given
from hypothesis import strategies as st

from qattn_compiler.circuit import kernels, su2
from qattn_compiler.circuit.gates import AXIS_CODES, NUM_QUBITS
from qattn_compiler.circuit.table import Circuit


def wires_of(circuit: Circuit) -> list[list[int]]:
    return [[int(w) for w in row if w >= 0] for row in circuit.wires]


# -- twins --------------------------------------------------------------------------------------------------


def disturbed(circuit: Circuit, wire: int, axis: int, low: int, high: int) -> bool:
    """Whether a row strictly between rows low and high is not diagonal on `axis` at `wire`."""
    for row in range(low + 1, high):
        wires = wires_of(circuit)[row]
        if wire in wires:
            place = wires.index(wire)
            here = AXIS_CODES[circuit.op[row], place] if place < 2 and NUM_QUBITS[circuit.op[row]] else 0
            if here != axis:
                return True
    return False


def cancel_twin(form: list[int], inverse: list[int], wires: list[list[int]]) -> list[bool]:
    """Search for a removable pair from the start again after every removal."""
    alive = list(range(len(form)))

    def pair() -> tuple[int, int] | None:
        for k, later in enumerate(alive):
            for early in reversed(alive[:k]):
                if set(wires[early]) & set(wires[later]):
                    fits = set(wires[early]) == set(wires[later]) and form[later] >= 0
                    if fits and form[early] == inverse[later] and len(wires[early]) == len(wires[later]):
                        return early, later
                    break
        return None

    while (found := pair()) is not None:
        alive = [row for row in alive if row not in found]
    return [row in alive for row in range(len(form))]


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


@given(circuits())
def test_axis_epochs(circuit):
    axes = AXIS_CODES[circuit.op]
    epoch = kernels.axis_epochs(axes, circuit.wires, circuit.num_wires)
    ends = [
        (row, place, wire)
        for row, wires in enumerate(wires_of(circuit))
        for place, wire in enumerate(wires[:2])
        if axes[row, place] > 0
    ]
    for row, place, wire in ends:
        for other, there, same_wire in ends:
            if same_wire == wire and other > row and axes[row, place] == axes[other, there]:
                apart = disturbed(circuit, wire, int(axes[row, place]), row, other)
                assert (epoch[row, place] != epoch[other, there]) == apart
    for row in range(len(circuit)):
        for place in range(2):
            if axes[row, place] == 0:
                assert epoch[row, place] == -1


@st.composite
def cancel_inputs(draw):
    """Rows whose forms pair up: 0 <-> 1, 2 is its own inverse, -1 is never removed."""
    rows = draw(
        st.lists(st.tuples(st.integers(-1, 2), st.sampled_from([(0,), (1,), (0, 1), (1, 2)])), max_size=16)
    )
    # a form fixes its operands, as in the pass
    forms, inverses, wires = [], [], []
    places = [(0,), (1,), (0, 1), (1, 2)]
    for kind, place in rows:
        base = 3 * places.index(place)
        forms.append(base + kind if kind >= 0 else -1)
        inverses.append(base + (1, 0, 2)[kind] if kind >= 0 else -1)
        wires.append(list(place))
    return forms, inverses, wires


@given(cancel_inputs())
def test_cancel_adjacent(inputs):
    forms, inverses, wires = inputs
    table = np.full((len(wires), 2), -1, dtype=np.int32)
    for row, touched in enumerate(wires):
        table[row, : len(touched)] = touched
    keep = kernels.cancel_adjacent(np.array(forms, np.int64), np.array(inverses, np.int64), table, 3)
    twin = cancel_twin(forms, inverses, wires)
    # which of several equal rows stay may differ; the forms left on each wire, in order, may not
    for wire in range(3):
        left = [forms[r] for r in range(len(forms)) if keep[r] and wire in wires[r]]
        assert left == [forms[r] for r in range(len(forms)) if twin[r] and wire in wires[r]]


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
    assert len(kernels.cancel_adjacent(none, none, circuit.wires, 2)) == 0
    assert kernels.axis_epochs(AXIS_CODES[circuit.op], circuit.wires, 2).shape == (0, 2)
