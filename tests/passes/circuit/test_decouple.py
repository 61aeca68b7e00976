"""Decouple."""

from __future__ import annotations

from dataclasses import replace
from math import inf
from types import MappingProxyType

import numpy as np
import pytest
from helpers import GATE_SETS, assert_same_meaning, circuits, make, random_circuit, shown
from hypothesis import given

from qattn_compiler.circuit import spec
from qattn_compiler.circuit.gates import GATES
from qattn_compiler.circuit.kernels import layers
from qattn_compiler.circuit.table import Builder, Circuit, same
from qattn_compiler.device import Device
from qattn_compiler.errors import PassError
from qattn_compiler.passes import FuseSingleQubit, MergeRotations
from qattn_compiler.passes.circuit.cancel_inverses import CancelInverses
from qattn_compiler.passes.circuit.decouple import TAG, Decouple
from qattn_compiler.passes.circuit.schedule import durations, idle_windows, start_times

TIMES = {
    "x": 20,
    "y": 20,
    "h": 20,
    "phased_xz": 20,
    "rx": 20,
    "ry": 20,
    "cz": 40,
    "measure": 500,
    "reset": 100,
}
DEVICE = Device(
    "toy", tuple(range(3)), np.array([[0, 1], [1, 2]]), frozenset({"x", "y", "cz"}), MappingProxyType(TIMES)
)
EVERY = replace(
    DEVICE,
    durations=MappingProxyType(
        {g.name: float(3 + 7 * g.code % 23) for g in GATES if g.name not in ("opaque", "siswap")}
    ),
)


def is_pulse(circuit: Circuit) -> np.ndarray:
    return np.array([i >= 0 and TAG in circuit.extras[i].tags for i in circuit.extra], dtype=bool)


def assert_promises(step: Decouple, circuit: Circuit) -> Circuit:
    result = step.run(circuit)
    spec.check(result)
    assert step.run(result) is result
    pulses = is_pulse(result)
    assert result is circuit or pulses.any()
    rest = result.with_rows(np.flatnonzero(~pulses))
    assert same(replace(rest, phase=circuit.phase), circuit)
    assert_same_meaning(circuit, result)
    if step.spacing == "moments":
        before, after = (layers(np.ones(len(c), np.int64), c.wires, c.num_wires) for c in (circuit, result))
        assert np.array_equal(after[~pulses], before)
    else:
        old, new = (start_times(c, step.device, step.policy, step.unknown) for c in (circuit, result))
        assert new[~pulses] == pytest.approx(old)
    return result


OPTIONS = [
    {},
    {"sequence": "xx", "minimum": 1.0},
    {"policy": "asap", "minimum": 1.0},
    {"policy": "asap", "minimum": 1.0, "sequence": "xx", "longest": 30.0},
    {"spacing": "moments", "minimum": 1.0, "sequence": "xx"},
    {"spacing": "moments"},
]


@pytest.mark.parametrize("options", OPTIONS)
@given(circuit=circuits(max_rows=20))
def test_promises(circuit, options):
    assert_promises(Decouple(EVERY, unknown=9.0, **options), circuit)


@pytest.mark.parametrize("names", GATE_SETS)
def test_promises_on_longer_circuits(names):
    rng = np.random.default_rng(3)
    found = 0
    for number in range(24):
        circuit = random_circuit(rng, 4, 40, GATE_SETS[names], walls=0.05)
        options = OPTIONS[number % len(OPTIONS)]
        found += int(is_pulse(assert_promises(Decouple(EVERY, unknown=9.0, **options), circuit)).sum())
    assert found or names == "one"


def waiting(gap: int, first: str = "h") -> Circuit:
    """Qubit 0 waits for so many x of 20 ns on qubit 1, between two CZ."""
    return make(2, (first, 0), ("cz", (0, 1)), *[("x", 1)] * gap, ("cz", (0, 1)), ("h", 0))


@pytest.mark.parametrize("policy", ["asap", "alap"])
def test_four_pulses_with_their_middles_at_eighths(policy):
    out = assert_promises(Decouple(DEVICE, policy=policy), waiting(8))
    pulses = np.flatnonzero(is_pulse(out))
    assert [shown(out)[r] for r in pulses] == ["x 0", "y 0", "x 0", "y 0"]
    assert shown(out)[pulses[-1] + 1] == "cz 0 1"
    middles = start_times(out, DEVICE, policy)[pulses] + 10
    assert (middles - 60).tolist() == [160 * k / 8 for k in (1, 3, 5, 7)]
    assert not len(idle_windows(out, DEVICE, policy))
    assert np.exp(1j * out.phase) == pytest.approx(-1)


def test_two_pulses_at_quarters():
    out = assert_promises(Decouple(DEVICE, sequence="xx"), waiting(5))
    middles = start_times(out, DEVICE)[is_pulse(out)] + 10
    assert (middles - 60).tolist() == [25, 75]
    assert np.exp(1j * out.phase) == pytest.approx(1)


def test_only_windows_of_the_minimum():
    assert is_pulse(Decouple(DEVICE, minimum=2.0).run(waiting(8))).sum() == 4
    circuit = waiting(7)
    assert Decouple(DEVICE, minimum=2.0).run(circuit) is circuit
    assert is_pulse(Decouple(DEVICE, minimum=1.0).run(waiting(4))).sum() == 4
    circuit = waiting(3)
    assert Decouple(DEVICE, minimum=1.0).run(circuit) is circuit


def test_long_windows_repeat():
    assert is_pulse(Decouple(DEVICE, longest=200.0).run(waiting(40))).sum() == 16
    assert is_pulse(Decouple(DEVICE, longest=199.0).run(waiting(40))).sum() == 20
    assert is_pulse(Decouple(DEVICE, longest=1.0).run(waiting(40))).sum() == 20
    out = assert_promises(Decouple(DEVICE, sequence="xx", longest=300.0), waiting(40))
    middles = start_times(out, DEVICE)[is_pulse(out)] + 10
    assert (middles - 60) == pytest.approx([800 * (k + 0.5) / 6 for k in range(6)])


def test_not_before_the_first_gate_nor_after_the_last():
    circuit = make(3, *[("h", 0)] * 20, ("cz", (0, 1)), *[("h", 0)] * 20)
    for policy in ("asap", "alap"):
        assert Decouple(DEVICE, policy=policy).run(circuit) is circuit


def test_a_frame_change_is_no_gate():
    circuit = make(2, ("rz", 1, 0.5), *[("h", 0)] * 20, ("cz", (0, 1)))
    assert Decouple(DEVICE, policy="asap").run(circuit) is circuit
    circuit = make(2, ("h", 1), *[("h", 0)] * 20, ("cz", (0, 1)))
    assert is_pulse(assert_promises(Decouple(DEVICE, policy="asap"), circuit)).sum() == 4


@pytest.mark.parametrize("wall", ["measure", "reset"])
def test_not_beside_a_measurement_or_reset(wall):
    def build(first: bool) -> Circuit:
        builder = Builder(range(2))
        builder.add("h", (1,))
        if first:
            builder.reset(1) if wall == "reset" else builder.measure([1], "m")
            builder.add("t", (1,))
        for _ in range(50):
            builder.add("h", (0,))
        builder.add("cz", (0, 1))
        return builder.build()

    step = Decouple(DEVICE, policy="asap")
    circuit = build(True)
    assert step.run(circuit) is circuit
    assert is_pulse(step.run(build(False))).any()
    builder = Builder(range(2))
    builder.add("cz", (0, 1))
    for _ in range(20):
        builder.add("h", (0,))
    if wall == "reset":
        builder.opaque([0], "wait", writes=("k",))
        builder.opaque([1], "wait", writes=("k",))
        last = builder.build()
        assert is_pulse(Decouple(DEVICE, policy="asap", unknown=1.0).run(last)).any()
    else:
        builder.add("t", (1,))
        builder.measure([0, 1], "both")
        last = builder.build()
        assert Decouple(DEVICE, policy="asap").run(last) is last


def test_moments_are_filled_one_by_one():
    out = assert_promises(Decouple(DEVICE, spacing="moments"), waiting(9))
    layer = layers(np.ones(len(out), np.int64), out.wires, out.num_wires)
    assert layer[is_pulse(out)].tolist() == [3, 4, 5, 6, 7, 8, 9, 10]
    assert "slot" not in str(out.extras)


def test_moments_need_no_durations():
    device = replace(DEVICE, durations=MappingProxyType({}))
    assert is_pulse(Decouple(device, spacing="moments").run(waiting(8))).sum() == 8


@pytest.mark.parametrize(
    ("native", "expected", "phase"),
    [
        ({"x", "y"}, ["x", "y"], -1),
        ({"phased_xz"}, ["phased_xz", "phased_xz"], -1),
        ({"rx", "ry"}, ["rx", "ry"], -1),
        ({"x", "ry"}, ["x", "ry"], 1),
    ],
)
def test_pulses_by_what_is_native(native, expected, phase):
    out = assert_promises(Decouple(replace(DEVICE, native=frozenset(native))), waiting(8))
    names = [GATES[op].name for op in out.op[is_pulse(out)]]
    assert names == expected * 2
    assert np.exp(1j * out.phase) == pytest.approx(phase)


def test_windows_on_two_qubits_that_end_at_one_gate():
    rows = [("h", 0), ("h", 1), ("cz", (0, 1)), ("h", 2), *[("x", 2)] * 8, ("cz", (1, 2)), ("cz", (0, 1))]
    out = assert_promises(Decouple(DEVICE, sequence="xx", policy="asap"), make(3, *rows))
    assert sorted(shown(out)[r] for r in np.flatnonzero(is_pulse(out))) == ["x 0", "x 0", "x 1", "x 1"]


def test_other_passes_leave_the_pulses():
    out = Decouple(DEVICE).run(waiting(8))
    for step in (MergeRotations(), CancelInverses(), FuseSingleQubit()):
        assert is_pulse(step.run(out)).sum() == 4


def test_nothing_gets_longer():
    out = Decouple(DEVICE).run(waiting(9))
    ends = [(start_times(c, DEVICE) + durations(c, DEVICE)).max() for c in (waiting(9), out)]
    assert ends[0] == ends[1]


@pytest.mark.parametrize(
    "options",
    [
        {"sequence": "udd"},
        {"minimum": 0.5},
        {"minimum": inf},
        {"longest": 0.0},
        {"longest": float("nan")},
        {"policy": "soon"},
        {"spacing": "even"},
        {"unknown": -2.0},
    ],
)
def test_bad_options(options):
    with pytest.raises(PassError):
        Decouple(DEVICE, **options)


def test_a_device_without_pulses():
    with pytest.raises(PassError, match="toy has none of the gates x, phased_xz, rx"):
        Decouple(replace(DEVICE, native=frozenset({"cz"})))


def test_empty():
    for size in (0, 2):
        circuit = Builder(range(size)).build()
        assert Decouple(DEVICE).run(circuit) is circuit
