"""Schedule, start times, idle windows."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from helpers import GATE_SETS, assert_pass, circuits, make, random_circuit, shown
from hypothesis import given
from hypothesis import strategies as st

from qattn_compiler.circuit import spec
from qattn_compiler.circuit.gates import GATES
from qattn_compiler.circuit.table import Builder, Circuit, Extra, same
from qattn_compiler.device import Device
from qattn_compiler.errors import PassError, TargetError
from qattn_compiler.passes.circuit.schedule import (
    Schedule,
    durations,
    gaps,
    idle_windows,
    slot_tag,
    start_times,
)
from qattn_compiler.report.metrics import execution

TIMES = {"x": 25, "y": 25, "h": 25, "phased_xz": 25, "rz": 0, "cz": 42, "cx": 60, "measure": 600}
DEVICE = Device(
    "toy",
    tuple(range(3)),
    np.array([[0, 1], [1, 2]]),
    frozenset(TIMES) - {"measure"},
    MappingProxyType(TIMES),
)
EVERY = replace(
    DEVICE,
    durations=MappingProxyType(
        {g.name: float(7 * g.code % 11) for g in GATES if g.name not in ("opaque", "siswap")}
    ),
)
POLICIES = pytest.mark.parametrize("policy", ["asap", "alap"])


def plain_start_times(circuit: Circuit, nanoseconds: np.ndarray, policy: str) -> list[float]:
    """By hand: a row starts when all earlier rows on its wires are done; ALAP is ASAP of the reverse."""
    rows = range(len(circuit)) if policy == "asap" else range(len(circuit) - 1, -1, -1)
    done: dict[int, float] = {}
    start = [0.0] * len(circuit)
    for row in rows:
        wires = [w for w in circuit.wires[row].tolist() if w >= 0]
        start[row] = max((done.get(w, 0.0) for w in wires), default=0.0)
        done.update(dict.fromkeys(wires, start[row] + nanoseconds[row]))
    if policy == "asap":
        return start
    total = max((start[r] + nanoseconds[r] for r in rows), default=0.0)
    return [total - start[r] - nanoseconds[r] for r in range(len(circuit))]


def by_wire(circuit: Circuit) -> tuple[dict[Any, list[Any]], list[Any]]:
    """The rows on each qubit and key, in order, and all rows: what a schedule must keep."""
    wires: dict[Any, list[Any]] = {}
    rows = []
    for row in range(len(circuit)):
        extra = circuit.extras[circuit.extra[row]] if circuit.extra[row] >= 0 else None
        angles = [(circuit.angles[row, k], circuit.affine.at(3 * row + k)) for k in range(3)]
        rows.append((int(circuit.op[row]), circuit.operands[row].tolist(), angles, extra))
        for wire in circuit.wires[row].tolist():
            if wire >= 0:
                name = wire if wire < circuit.num_qubits else circuit.keys[wire - circuit.num_qubits]
                wires.setdefault(name, []).append(rows[-1])
    return wires, sorted(rows, key=repr)


def assert_promises(circuit: Circuit, policy: str) -> None:
    step = Schedule(EVERY, policy, unknown=5.0)
    before = (circuit.op.tobytes(), circuit.operands.tobytes(), circuit.angles.tobytes())
    out = step.run(circuit)
    assert (circuit.op.tobytes(), circuit.operands.tobytes(), circuit.angles.tobytes()) == before
    spec.check(out)
    assert by_wire(out) == by_wire(circuit)
    assert (out.qubits, out.params, out.phase) == (circuit.qubits, circuit.params, circuit.phase)
    assert step.run(out) is out
    assert out is circuit or not same(out, circuit)
    assert (np.diff(start_times(out, EVERY, policy, 5.0)) >= 0).all()


@POLICIES
@given(circuit=circuits())
def test_promises(circuit, policy):
    assert_promises(circuit, policy)


@POLICIES
@given(circuit=circuits(walls=False))
def test_promises_of_every_pass(circuit, policy):
    assert_pass(Schedule(EVERY, policy, unknown=5.0), circuit)


@POLICIES
@given(circuit=circuits())
def test_start_times_by_hand(circuit, policy):
    nanoseconds = durations(circuit, EVERY, 5.0)
    assert start_times(circuit, EVERY, policy, 5.0) == pytest.approx(
        np.array(plain_start_times(circuit, nanoseconds, policy))
    )


@given(circuits())
def test_both_policies_take_the_shortest_time(circuit):
    nanoseconds = durations(circuit, EVERY, 5.0)
    soon, late = (start_times(circuit, EVERY, policy, 5.0) for policy in ("asap", "alap"))
    assert (late >= soon - 1e-9).all()
    assert (late + nanoseconds).max(initial=0) == pytest.approx((soon + nanoseconds).max(initial=0))


@POLICIES
@given(circuit=circuits())
def test_windows_are_exactly_the_time_without_rows(circuit, policy):
    nanoseconds = durations(circuit, EVERY, 5.0)
    start = start_times(circuit, EVERY, policy, 5.0)
    windows = idle_windows(circuit, EVERY, policy, 5.0)
    assert (windows.length > 0).all()
    for qubit in range(circuit.num_qubits):
        rows = [r for r in range(len(circuit)) if qubit in circuit.wires[r]]
        mine = np.flatnonzero(windows.qubit == qubit)
        expected = [
            (a, b, start[a] + nanoseconds[a], start[b])
            for a, b in pairwise(rows)
            if start[b] > start[a] + nanoseconds[a] + 1e-6
        ]
        columns = (windows.before, windows.after, windows.start, windows.stop)
        assert [tuple(c[i] for c in columns) for i in mine] == expected


@pytest.mark.parametrize("names", GATE_SETS)
def test_promises_on_longer_circuits(names):
    rng = np.random.default_rng(3)
    for _ in range(20):
        circuit = random_circuit(rng, 4, 40, GATE_SETS[names], walls=0.05)
        for policy in ("asap", "alap"):
            assert_promises(circuit, policy)


def example() -> Circuit:
    return make(3, ("x", 0), ("cz", (0, 1)), ("x", 2), ("cz", (1, 2)), ("x", 0))


def test_asap():
    assert start_times(example(), DEVICE, "asap").tolist() == [0, 25, 0, 67, 67]
    assert shown(Schedule(DEVICE, "asap").run(example())) == ["x 0", "x 2", "cz 0 1", "cz 1 2", "x 0"]


def test_alap():
    assert start_times(example(), DEVICE, "alap").tolist() == [0, 25, 42, 67, 84]
    ordered = Schedule(DEVICE).run(example())
    assert shown(ordered) == ["x 0", "cz 0 1", "x 2", "cz 1 2", "x 0"]


def test_in_order_is_the_same_object():
    circuit = example()
    assert Schedule(DEVICE).run(circuit) is circuit


def test_symbols_and_extras_move_with_their_rows():
    circuit = make(3, ("cz", (0, 1)), ("cz", (0, 1)), ("rz", 2, "s"), ("x", 2))
    out = assert_pass(Schedule(DEVICE, "asap"), circuit)
    assert shown(out) == ["cz 0 1", "rz 2", "x 2", "cz 0 1"]
    assert out.affine.at(3) == ((0, 1.0),)


def test_a_control_waits_for_its_measurement():
    builder = Builder(range(2))
    builder.measure([0], "m")
    builder.opaque([1], "if m", reads=("m",))
    circuit = builder.build()
    assert start_times(circuit, DEVICE, "asap", unknown=10.0).tolist() == [0, 600]
    assert start_times(circuit, DEVICE, "alap", unknown=10.0).tolist() == [0, 600]


def test_frame_changes_take_no_time():
    circuit = make(1, ("phased_xz", 0, 0.0, 1.0, 0.0), ("rz", 0, 0.5), ("t", 0), ("phased_xz", 0, 0.5, 0, 0))
    assert durations(circuit, DEVICE).tolist() == [0, 0, 0, 25]


def test_the_end_is_that_of_the_report():
    circuit = example()
    device = replace(DEVICE, edge_error=np.full(2, 0.01), qubit_error=np.full(3, 0.01), t1=np.full(3, 1e4))
    start = start_times(circuit, device)
    assert (start + durations(circuit, device)).max() == execution(circuit, device).duration_ns


@POLICIES
def test_a_slot_holds_its_row_in_the_middle(policy):
    builder = Builder(range(2))
    builder.add("cz", (0, 1))
    builder.add("x", (0,), (), Extra(tags=("a", slot_tag(100.0), 7)))
    builder.add("cz", (0, 1))
    circuit = builder.build()
    assert start_times(circuit, DEVICE, policy).tolist() == [0, 42 + 37.5, 142]
    windows = idle_windows(circuit, DEVICE, policy)
    assert windows.qubit.tolist() == [1]
    assert (windows.start[0], windows.stop[0]) == (42, 142)


def test_a_slot_that_is_too_short_does_not_count():
    builder = Builder(range(1))
    builder.add("x", (0,), (), Extra(tags=(slot_tag(10.0),)))
    builder.add("x", (0,))
    assert start_times(builder.build(), DEVICE, "asap").tolist() == [0, 25]


def test_windows_in_any_unit():
    windows = gaps(example(), np.ones(5), "asap")
    assert list(zip(windows.qubit, windows.start, windows.stop, strict=True)) == [(2, 1, 2)]


def test_unknown_durations():
    circuit = make(2, ("x", 0), ("siswap", (0, 1)))
    with pytest.raises(TargetError, match="toy does not say how long siswap takes \\(row 1\\)"):
        Schedule(DEVICE).run(circuit)
    builder = Builder(range(1))
    builder.opaque([0], "noise")
    with pytest.raises(TargetError, match="how long noise takes"):
        start_times(builder.build(), DEVICE)
    assert start_times(circuit, DEVICE, "alap", unknown=3.0).tolist() == [0, 25]
    assert durations(circuit, DEVICE, unknown=3.0).tolist() == [25, 3]


@pytest.mark.parametrize("options", [{"policy": "soon"}, {"unknown": -1.0}, {"unknown": float("inf")}])
def test_bad_options(options):
    with pytest.raises(PassError):
        Schedule(DEVICE, **options)
    with pytest.raises(PassError):
        start_times(example(), DEVICE, **options)


@given(st.integers(0, 3))
def test_empty(size):
    circuit = Builder(range(size)).build()
    assert Schedule(DEVICE).run(circuit) is circuit
    assert len(idle_windows(circuit, DEVICE)) == 0
