"""NativeSingleQubit, and batches without turns about Z."""

from __future__ import annotations

from math import pi

import numpy as np
import pytest
from helpers import GATE_SETS, assert_pass, assert_same_meaning, circuits, make, random_circuit, shown
from hypothesis import given, settings

from qattn_compiler.circuit.gates import GATES, NUM_QUBITS, PHASED_XZ
from qattn_compiler.circuit.table import Builder, Extra
from qattn_compiler.errors import PassError
from qattn_compiler.passes.circuit.decompose import DecomposeTwoQubit
from qattn_compiler.passes.circuit.fuse_single_qubit import fuse_batch
from qattn_compiler.passes.circuit.native_single_qubit import BASES, NativeSingleQubit, pulses_alone

EVERY = pytest.mark.parametrize("basis", BASES)


def entanglers(circuit):
    return int((NUM_QUBITS[circuit.op] == 2).sum())


def checked(basis, circuit):
    """All promises, and that only gates of the basis are left."""
    out = assert_pass(NativeSingleQubit(basis), circuit, cost=entanglers, keeps_tagged=basis == "phased_xz")
    if basis != "phased_xz":
        assert {GATES[op].name for op in out.op if GATES[op].num_qubits == 1} <= BASES[basis]
    if basis in ("prx", "prx_rz"):
        rows = np.flatnonzero(out.op == PHASED_XZ)
        assert (np.abs(out.angles[rows, 1]) <= 1e-12).all()
        assert not np.isin(3 * rows + 1, out.affine.slot).any()
    return out


def pulses(circuit):
    single = NUM_QUBITS[circuit.op] == 1
    return int((single & ~np.array([g.axes == ("Z",) for g in GATES])[circuit.op]).sum())


@EVERY
@settings(max_examples=60)
@given(circuit=circuits(max_qubits=3))
def test_promises(basis, circuit):
    checked(basis, DecomposeTwoQubit().run(circuit))


@EVERY
@pytest.mark.parametrize("names", ["all", "one", "rotations"])
def test_promises_on_longer_circuits(basis, names):
    rng = np.random.default_rng(8)
    for _ in range(6):
        checked(basis, random_circuit(rng, 3, 40, GATE_SETS[names], walls=0.08))


def test_a_run_is_at_most_two_quarter_turns():
    rng = np.random.default_rng(1)
    for _ in range(50):
        circuit = random_circuit(rng, 1, 6, GATE_SETS["one"], symbolic=0.0)
        assert pulses(checked("zsx", circuit)) <= 2
        assert pulses(checked("prx_rz", circuit)) <= 1
        assert pulses(checked("prx", circuit)) <= 2


def test_quarter_and_half_turns_are_one_pulse():
    assert shown(checked("zsx", make(1, ("h", 0)))) == ["rz 0", "sx 0", "rz 0"]
    assert shown(checked("zsx", make(1, ("y", 0)))) == ["x 0", "rz 0"]
    assert shown(checked("zsx", make(1, ("sx", 0)))) == ["sx 0"]
    assert shown(checked("zsx", make(1, ("t", 0), ("rz", 0, 0.2)))) == ["rz 0"]
    assert shown(checked("zsx", make(1, ("rx", 0, 0.3)))) == ["rz 0", "sx 0", "rz 0", "sx 0", "rz 0"]


def test_symbols_become_turns_between_pulses():
    out = checked("zsx", make(1, ("h", 0), ("rx", 0, "s"), ("h", 0)))
    assert shown(out) == ["rz 0"]
    assert out.affine.at(0) == ((0, 1.0),)
    assert pulses(checked("zsx", make(1, ("ry", 0, "s"), ("rz", 0, "t"), ("ry", 0, "s")))) <= 4


def test_symbolic_pulses_stay_pulses():
    circuit = make(1, ("phased_xz", 0, "s", "t", "s"))
    assert shown(checked("prx_rz", circuit)) == ["phased_xz 0", "rz 0"]
    assert shown(checked("prx", circuit)) == ["phased_xz 0"] * 3
    assert shown(checked("prx", make(1, ("phased_xz", 0, "s", 0.0, "t")))) == ["phased_xz 0"]


def test_symbols_that_meet_and_go_leave_one_pulse():
    circuit = make(1, ("rx", 0, 0.3), ("rz", 0, "s"), ("t", 0), ("rz", 0, "-s"), ("rx", 0, 0.4))
    assert pulses(checked("zsx", circuit)) == 2
    assert pulses(checked("prx_rz", circuit)) == 1


def test_turns_about_z_go_through_cz_to_the_last_pulse():
    circuit = make(2, ("h", 0), ("cz", (0, 1)), ("t", 0), ("cz", (0, 1)), ("rx", 0, 0.3), ("cz", (0, 1)))
    out = checked("prx", circuit)
    assert shown(out) == ["phased_xz 0", "cz 0 1", "cz 0 1", *["phased_xz 0"] * 2, "cz 0 1"]


def test_turns_about_z_stop_at_walls():
    builder = Builder(range(1))
    builder.add("t", [0])
    builder.reset(0)
    builder.add("rx", [0], [0.5])
    out = checked("prx", builder.build())
    assert shown(out) == ["phased_xz 0", "phased_xz 0", "reset 0", "phased_xz 0"]


def test_tagged_gates_become_native_too():
    builder = Builder(range(1))
    builder.add("h", [0], extra=Extra(tags=("mine",)))
    builder.add("sx", [0], extra=Extra(tags=("mine",)))
    assert shown(checked("zsx", builder.build())) == ["rz 0", "sx 0", "rz 0", "sx 0"]


def test_unknown_basis():
    with pytest.raises(PassError, match="no basis"):
        NativeSingleQubit("warp")


def test_batches_without_turns_about_z():
    rng = np.random.default_rng(3)
    for _ in range(20):
        circuit = DecomposeTwoQubit().run(random_circuit(rng, 3, 20, ("ry", "rz", "h", "cz", "rx", "x")))
        values = rng.normal(size=(3, len(circuit.params)))
        fused = pulses_alone(fuse_batch(circuit, values))
        assert (np.abs(fused.angles[:, fused.circuit.op == PHASED_XZ, 1]) <= 1e-12).all()
        for index in range(3):
            bound = circuit.bind({p.name: v for p, v in zip(circuit.params, values[index], strict=True)})
            assert_same_meaning(bound, fused.member(index))


def test_a_half_turn_more_in_a_batch():
    circuit = make(1, ("rx", 0, 0.4), ("rz", 0, pi), ("rz", 0, pi), ("rz", 0, "s"))
    fused = pulses_alone(fuse_batch(circuit, np.array([[0.0], [pi], [2 * pi], [0.3]])))
    assert [len(fused.member(i)) for i in range(4)] == [1, 2, 1, 2]
    for index, value in enumerate((0.0, pi, 2 * pi, 0.3)):
        assert_same_meaning(circuit.bind({"s": value}), fused.member(index))
