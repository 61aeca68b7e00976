"""What users of Cirq have reported about its transformers, against our passes.

Numbers are issues of quantumlib/Cirq. Classical control and its order (#7472, #7474, #7622, #7623, #6727,
#7620) and tagged operations (#6791, #7831) are in `test_cirq_transformer.py`; routing (#6752, #7885, #6293,
#7892) belongs to `tests/passes/circuit/test_route.py`.
"""

from __future__ import annotations

from time import perf_counter

import cirq
import numpy as np
import pytest
import sympy

from qattn_compiler.interop.cirq_io import from_cirq, to_cirq
from qattn_compiler.interop.cirq_transformer import apply
from qattn_compiler.passes import (
    AbsorbSwaps,
    CancelInverses,
    DecomposeTwoQubit,
    DropNegligible,
    FuseSingleQubit,
    MergeRotations,
    parse_pipeline,
)

PASSES = [
    MergeRotations(),
    CancelInverses(),
    AbsorbSwaps(),
    DropNegligible(),
    DecomposeTwoQubit(),
    FuseSingleQubit(),
]
Q = cirq.LineQubit.range(4)
A, B = sympy.symbols("a b")

every_pass = pytest.mark.parametrize("step", PASSES, ids=lambda step: step.name)


def two_qubit(circuit: cirq.AbstractCircuit) -> int:
    return sum(cirq.num_qubits(op) == 2 for op in circuit.all_operations())


def check_same(before: cirq.AbstractCircuit, after: cirq.AbstractCircuit, **values: float) -> None:
    """Equal unitaries, global phase included."""
    order = sorted(before.all_qubits() | after.all_qubits())
    resolved = [cirq.resolve_parameters(circuit, values) for circuit in (before, after)]
    matrices = [c.unitary(qubit_order=order, qubits_that_should_be_present=order) for c in resolved]
    np.testing.assert_allclose(*matrices, atol=1e-7)


def native(circuit: cirq.AbstractCircuit) -> cirq.AbstractCircuit:
    names = "merge-rotations,cancel-inverses,decompose-two-qubit,cancel-inverses,fuse-single-qubit"
    return apply(parse_pipeline(names), circuit)


# -- merging with symbols: #4501, #6994, #7149, #2534 -------------------------------------------------------


def test_symbolic_rotations_meet_through_cx():
    given = cirq.Circuit(
        cirq.rz(A)(Q[0]), cirq.CX(*Q[:2]), cirq.rz(B)(Q[0]), cirq.CX(*Q[:2]), cirq.rz(-A)(Q[0])
    )
    after = apply(parse_pipeline("merge-rotations,cancel-inverses"), given)
    assert after == cirq.Circuit(cirq.rz(B)(Q[0]))
    check_same(given, after, a=0.7, b=-1.1)


def test_symbolic_rotations_of_cirqs_undetermined_pairs():
    """`cirq.commutes` knows nothing of Z**a and the control of a CX, nor of ZZ**a and CZ."""
    given = cirq.Circuit(
        cirq.Z(Q[0]) ** A,
        cirq.X(Q[1]) ** B,
        cirq.ZZ(Q[0], Q[2]) ** A,
        cirq.CX(*Q[:2]),
        cirq.CZ(Q[0], Q[2]),
        cirq.Z(Q[0]) ** A,
        cirq.X(Q[1]) ** B,
        cirq.ZZ(Q[2], Q[0]) ** A,
    )
    after = MergeRotations()(given)
    assert len(list(after.all_operations())) == 5
    check_same(given, after, a=0.3, b=1.9)


def test_a_symbolic_circuit_becomes_native_or_says_what_is_not():
    """No gateset of Cirq compiles this strictly, and the lenient way gives back what is not native."""
    given = cirq.Circuit(cirq.rz(A)(Q[0]), cirq.CZ(*Q[:2]) ** B, cirq.rx(A)(Q[1]))
    after = native(given)
    pulses = (cirq.PhasedXZGate, cirq.XPowGate, cirq.YPowGate, cirq.ZPowGate, cirq.GlobalPhaseGate)
    assert all(op.gate == cirq.CZ or isinstance(op.gate, pulses) for op in after.all_operations())
    assert cirq.parameter_names(after) == {"a", "b"}
    check_same(given, after, a=0.4, b=0.9)


def test_a_thousand_symbolic_rotations_take_milliseconds():
    """`cirq.eject_z(eject_parameterized=True)` takes half a minute for these."""
    rng = np.random.default_rng(2)
    symbols = sympy.symbols("s0:1000")
    ops: list[cirq.Operation] = []
    for symbol in symbols:
        q = int(rng.integers(4))
        ops += [cirq.Z(Q[q]) ** symbol, cirq.CZ(Q[q], Q[(q + 1) % 4])]
    given = cirq.Circuit(ops)
    MergeRotations()(given[:8])  # loads the kernel
    started = perf_counter()
    after = MergeRotations()(given)
    assert perf_counter() - started < 1.0
    assert sum(cirq.num_qubits(op) == 1 for op in after.all_operations()) == 4
    assert cirq.parameter_names(after) == {symbol.name for symbol in symbols}


# -- what is left over: #6422, #756, #6771 ------------------------------------------------------------------


def test_cz_cancel_through_what_commutes():
    """#756, #6771: CX01 CX02 CX01 keeps three CZ in Cirq."""
    given = cirq.Circuit(cirq.CX(Q[0], Q[1]), cirq.CX(Q[0], Q[2]), cirq.CX(Q[0], Q[1]))
    assert CancelInverses()(given) == cirq.Circuit(cirq.CX(Q[0], Q[2]))
    given = cirq.Circuit(cirq.CZ(*Q[:2]), cirq.T(Q[0]), cirq.CZ(Q[1], Q[2]), cirq.CZ(Q[1], Q[0]))
    assert two_qubit(CancelInverses()(given)) == 1
    assert two_qubit(native(given)) == 1


def test_parametrised_two_qubit_gates_cancel_and_merge():
    given = cirq.Circuit(
        cirq.CZ(*Q[:2]) ** A, cirq.T(Q[1]), cirq.CZ(Q[1], Q[0]) ** -A, cirq.ZZ(Q[1], Q[2]) ** A
    )
    given += cirq.ZZ(Q[2], Q[1]) ** B
    after = MergeRotations()(given)
    assert two_qubit(after) == 1
    check_same(given, after, a=0.2, b=0.8)


def test_moments_are_packed_early():
    """#6422: three moments were wanted, five came."""
    given = cirq.Circuit(
        cirq.Moment(cirq.H(Q[0])), cirq.Moment(cirq.H(Q[1])), cirq.Moment(cirq.CZ(*Q[:2])), cirq.Moment()
    )
    given += [cirq.Moment(cirq.H(Q[0])), cirq.Moment(cirq.H(Q[1]))]
    assert len(FuseSingleQubit()(given)) == 3


# -- meaning: #6517, #6725, #6666 ---------------------------------------------------------------------------


@every_pass
def test_controlled_gates_with_a_global_shift_keep_their_meaning(step):
    """#6517: under a control, the shift is a rotation of the control."""
    for shift in (-0.5, 0.3):
        gates = [
            kind(exponent=1.0, global_shift=shift) for kind in (cirq.XPowGate, cirq.YPowGate, cirq.ZPowGate)
        ]
        given = cirq.Circuit(cirq.ControlledGate(gate).on(*Q[:2]) for gate in (*gates, *gates))
        check_same(given, step(given))
        check_same(given, native(given))


@every_pass
def test_a_pass_inside_a_controlled_circuit_keeps_its_phase(step):
    inner = cirq.FrozenCircuit(
        cirq.rx(np.pi)(Q[1]), cirq.rx(np.pi)(Q[1]), cirq.Z(Q[1]) ** 0.5, cirq.X(Q[1]), cirq.rz(3.0)(Q[1])
    )
    after = step(inner)
    lifted = [cirq.Circuit(cirq.CircuitOperation(c.freeze()).controlled_by(Q[0])) for c in (inner, after)]
    check_same(*lifted)


# -- measurements: #6293, and what else transformers break --------------------------------------------------


@every_pass
def test_measurements_keep_keys_qubits_and_inversion(step):
    given = cirq.Circuit(
        cirq.X(Q[0]),
        cirq.X(Q[0]),
        cirq.CX(*Q[:2]),
        cirq.measure(*Q[:3], key="mid", invert_mask=(True, False, True)),
        cirq.CX(*Q[:2]),
        cirq.measure(Q[3], key="end"),
    )
    before = [op for op in given.all_operations() if cirq.is_measurement(op)]
    assert [op for op in step(given).all_operations() if cirq.is_measurement(op)] == before


def test_tagged_gates_beside_overlapping_measurements():
    """`cirq.commutes(op, tagged, default=x)` raises TypeError in 1.7."""
    given = cirq.Circuit(
        cirq.Z(Q[0]).with_tags("t"), cirq.measure(*Q[:2], key="m"), cirq.X(Q[0]).with_tags("t"), cirq.X(Q[1])
    )
    for step in PASSES[:5]:
        assert step(given) is given


@every_pass
def test_channels_resets_and_unknown_gates_pass_through(step):
    class Foreign(cirq.Gate):
        def _num_qubits_(self) -> int:
            return 2

    kept = [cirq.depolarize(0.1)(Q[0]), cirq.reset(Q[1]), Foreign().on(*Q[:2]), cirq.CCX(*Q[:3])]
    given = cirq.Circuit(cirq.H(Q[0]), kept, cirq.H(Q[3]), cirq.H(Q[3]))
    names = {str(op) for op in step(given).all_operations()}
    assert {str(op) for op in kept} <= names


@every_pass
def test_the_input_is_never_changed_and_frozen_is_fine(step):
    given = cirq.testing.random_circuit(4, 10, 0.8, random_state=9)
    copy = given.copy()
    assert step(given.freeze()) == step(given)
    assert given == copy


# -- speed: #7720, #6097, #6091 -----------------------------------------------------------------------------


def test_equal_gates_and_operations_are_one_object():
    rng = np.random.default_rng(4)
    ops: list[cirq.Operation] = []
    for _ in range(300):
        a, b = (Q[int(i)] for i in rng.permutation(4)[:2])
        ops += [cirq.CZ(a, b), cirq.X(a) ** 0.5, cirq.rz(0.25 * int(rng.integers(4)))(b)]
    written = list(to_cirq(from_cirq(cirq.Circuit(ops))).all_operations())
    assert len({id(op) for op in written if op.gate == cirq.CZ}) <= 12
    assert len({id(op.gate) for op in written}) <= 6


def test_a_gate_object_that_is_used_often_counts_as_often():
    gates = [
        cirq.X**A,
        cirq.Z**0.3,
        cirq.H**A,
        cirq.CX**B,
        cirq.PhasedXZGate(x_exponent=A, z_exponent=0.2, axis_phase_exponent=B),
    ]
    given = cirq.Circuit(gate.on(*Q[k : k + cirq.num_qubits(gate)]) for gate in gates for k in (0, 1, 2))
    check_same(given, to_cirq(from_cirq(given)), a=0.37, b=-1.3)


def test_binding_is_array_work():
    """#6091: `resolve_parameters` is slower than building anew."""
    symbols = sympy.symbols("s0:500")
    given = cirq.Circuit(cirq.rz(s)(Q[k % 4]) for k, s in enumerate(symbols))
    columns = from_cirq(given)
    values = np.random.default_rng(6).normal(size=(3, 500))
    angles, phases = columns.bind_batch(values)
    assert [p.name for p in columns.params] == [s.name for s in symbols]
    np.testing.assert_allclose(angles[:, :, 0], values)
    assert not phases.any()


class Site(cirq.Qid):
    """A qubit of which there may be two equal objects."""

    def _comparison_key(self) -> int:
        return 7

    @property
    def dimension(self) -> int:
        return 2


def test_equal_qubits_that_are_not_one_object_are_one_qubit():
    columns = from_cirq(cirq.Circuit(cirq.H(Site()), cirq.CZ(Site(), Q[0])), qubits=[Q[0], Site()])
    assert columns.operands.tolist() == [[1, -1], [1, 0]]
