"""Passes called as Cirq transformers."""

from __future__ import annotations

import cirq
import numpy as np
import pytest
import sympy

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
    FuseSingleQubit(),
    DropNegligible(),
    DecomposeTwoQubit(),
    AbsorbSwaps(),
]
Q = cirq.LineQubit.range(4)
S = sympy.Symbol("s")

every_pass = pytest.mark.parametrize("step", PASSES, ids=lambda step: step.name)


def check_same(before: cirq.AbstractCircuit, after: cirq.AbstractCircuit) -> None:
    """Equal unitaries, global phase included."""
    order = sorted(before.all_qubits() | after.all_qubits())
    matrices = [c.unitary(qubit_order=order, qubits_that_should_be_present=order) for c in (before, after)]
    np.testing.assert_allclose(*matrices, atol=1e-6)


@every_pass
def test_random_circuits_keep_their_unitary_with_phase(step):
    for seed in range(8):
        given = cirq.testing.random_circuit(4, 12, 0.8, random_state=seed)
        copy = given.copy()
        after = step(given)
        assert given == copy
        check_same(given, after)


@every_pass
def test_nothing_to_do_is_the_very_same_circuit(step):
    pulse = cirq.PhasedXZGate(x_exponent=0.5, z_exponent=0.25, axis_phase_exponent=0.1)
    given = cirq.Circuit(
        pulse(Q[0]), cirq.CZ(*Q[:2]), cirq.CCX(*Q[:3]), cirq.measure(Q[0], key="m"), tags=["c"]
    )
    assert step(given) is given
    frozen = given.freeze()
    assert step(frozen) is frozen
    empty = cirq.Circuit()
    assert step(empty, context=cirq.TransformerContext(deep=True)) is empty


@every_pass
def test_signature_is_cirqs(step):
    with pytest.raises(TypeError):
        step(cirq.Circuit(), cirq.TransformerContext())
    transformer: cirq.TRANSFORMER = step
    assert transformer(cirq.Circuit(), context=None) == cirq.Circuit()


# -- tags, deep, logger -------------------------------------------------------------------------------------


def test_tags_to_ignore():
    given = cirq.Circuit(cirq.H(Q[0]), cirq.H(Q[0]).with_tags("keep"), cirq.H(Q[0]), cirq.H(Q[0]))
    context = cirq.TransformerContext(tags_to_ignore=("keep",))
    after = CancelInverses()(given, context=context)
    assert after == cirq.Circuit(cirq.H(Q[0]), cirq.H(Q[0]).with_tags("keep"))
    for step in PASSES:
        for op in (cirq.X(Q[0]) ** 0.5, cirq.rz(1e-12)(Q[0]), cirq.SWAP(*Q[:2]), cirq.CX(*Q[:2])):
            tagged = op.with_tags("keep")
            circuit = cirq.Circuit(op, tagged, op, cirq.CZ(*Q[:2]), tagged)
            kept = [o for o in step(circuit, context=context).all_operations() if "keep" in o.tags]
            assert kept == [tagged, tagged]


def test_tagged_operations_survive_without_being_ignored():
    """Cirq #6791 and #7831: eject on a tagged operation, tags ignored."""
    given = cirq.Circuit(
        cirq.Z(Q[0]) ** 0.3, cirq.Z(Q[0]).with_tags("t"), cirq.CZ(*Q[:2]).with_tags("u"), cirq.T(Q[0])
    )
    for step in PASSES[:4]:
        after = step(given)
        assert [op for op in after.all_operations() if op.tags] == [
            cirq.Z(Q[0]).with_tags("t"),
            cirq.CZ(*Q[:2]).with_tags("u"),
        ]
        check_same(given, after)


def nested(tag: str = "sub") -> tuple[cirq.CircuitOperation, cirq.Circuit]:
    inner = cirq.FrozenCircuit(
        cirq.H(Q[0]),
        cirq.H(Q[0]),
        cirq.rz(S)(Q[1]),
        cirq.CX(Q[1], Q[0]),
        cirq.rz(S)(Q[1]),
        cirq.measure(Q[0], key="m"),
    )
    op = cirq.CircuitOperation(
        inner,
        repetitions=3,
        use_repetition_ids=True,
        qubit_map={Q[0]: Q[2]},
        measurement_key_map={"m": "k"},
        param_resolver={"s": 0.25},
    )
    outer = cirq.FrozenCircuit(cirq.X(Q[1]), op.with_tags(tag), cirq.X(Q[3]), cirq.X(Q[3]))
    return op, cirq.Circuit(cirq.CircuitOperation(outer).with_tags("outer"), cirq.CZ(*Q[:2]))


def test_deep_goes_into_circuit_operations_and_keeps_what_they_carry():
    _, given = nested()
    for step, inside in ((CancelInverses(), 4), (MergeRotations(), 5)):
        assert step(given) is given
        copy = given.copy()
        after = step(given, context=cirq.TransformerContext(deep=True))
        assert given == copy
        outer = next(op for op in after.all_operations() if "outer" in op.tags)
        sub = next(op for op in outer.untagged.circuit.all_operations() if "sub" in op.tags).untagged
        assert len(list(sub.circuit.all_operations())) == inside
        assert sub.repetitions == 3
        assert sub.repetition_ids == ["0", "1", "2"]
        assert sub.qubit_map == {Q[0]: Q[2]}
        assert sub.measurement_key_map == {"m": "k"}
        assert sub.param_resolver == cirq.ParamResolver({"s": 0.25})
        assert cirq.measurement_key_names(after) == cirq.measurement_key_names(given)


def test_deep_leaves_ignored_sub_circuits_alone():
    op, given = nested("keep")
    after = CancelInverses()(given, context=cirq.TransformerContext(deep=True, tags_to_ignore=("keep",)))
    outer = next(op for op in after.all_operations() if "outer" in op.tags)
    assert list(outer.untagged.circuit.all_operations()) == [cirq.X(Q[1]), op.with_tags("keep")]


def test_deep_keeps_the_phase_of_a_sub_circuit():
    """An exact phase is what makes it right inside a controlled circuit."""
    inner = cirq.CircuitOperation(
        cirq.FrozenCircuit(cirq.rx(np.pi)(Q[0]), cirq.rx(np.pi)(Q[0]), cirq.X(Q[1]))
    )
    given = cirq.Circuit(inner)
    after = MergeRotations()(given, context=cirq.TransformerContext(deep=True))
    assert len(list(next(after.all_operations()).untagged.circuit.all_operations())) == 2
    check_same(given, after)


def test_logger_is_told():
    logger = cirq.TransformerLogger()
    given = cirq.Circuit(cirq.X(Q[0]), cirq.X(Q[0]))
    after = CancelInverses()(given, context=cirq.TransformerContext(logger=logger))
    MergeRotations()(after, context=cirq.TransformerContext(logger=logger))
    names = [log.transformer_name for log in logger._logs]
    assert names == ["cancel-inverses", "merge-rotations"]
    assert logger._logs[0].initial_circuit == given
    assert logger._logs[0].final_circuit == after
    assert any("2 rows before, 0 after" in str(line) for _, line in logger._logs[0].logs)


def test_circuit_tags_stay():
    given = cirq.Circuit(cirq.X(Q[0]), cirq.X(Q[0]), cirq.Y(Q[1]), tags=["mine"])
    assert CancelInverses()(given).tags == ("mine",)


# -- what Cirq's own transformers got wrong -----------------------------------------------------------------


def feed_forward(rng: np.random.Generator) -> cirq.Circuit:
    """Random gates, measurements with keys of their own, and gates under classical control."""
    keys: list[str] = []
    ops: list[cirq.Operation] = []
    for _ in range(18):
        a, b = (Q[int(i)] for i in rng.permutation(3)[:2])
        kind = rng.integers(8)
        gate = [cirq.X, cirq.Z, cirq.T, cirq.H, cirq.S**-1, cirq.X**0.5][rng.integers(6)]
        if kind == 0 and len(keys) < 3:
            keys.append(f"m{len(keys)}")
            ops.append(cirq.measure(a, key=keys[-1]))
        elif kind in (1, 2) and keys:
            ops.append(gate(a).with_classical_controls(keys[rng.integers(len(keys))]))
        elif kind in (3, 4):
            ops.append([cirq.CX, cirq.CZ, cirq.SWAP][rng.integers(3)](a, b))
        else:
            ops.append(gate(a))
    return cirq.Circuit(ops)


@every_pass
def test_measurement_and_classical_control_keep_their_order(step):
    """Cirq #7472, #7474, #7622, #7623, #6727, #7620: compared as unitaries with deferred measurements."""
    rng = np.random.default_rng(47)
    for _ in range(12):
        given = feed_forward(rng)
        after = step(given)
        assert after.all_measurement_key_names() == given.all_measurement_key_names()
        deferred = []
        for circuit in (given, after):
            pure = cirq.defer_measurements(circuit)
            deferred.append(cirq.Circuit(op for op in pure.all_operations() if not cirq.is_measurement(op)))
        check_same(*deferred)


def test_the_reported_circuits():
    given = cirq.Circuit(
        cirq.X(Q[0]),
        cirq.measure(Q[0], key="m"),
        cirq.X(Q[0]),
        cirq.X(Q[1]).with_classical_controls("m"),
        cirq.measure(Q[1], key="n"),
        cirq.Z(Q[1]).with_classical_controls("n"),
        cirq.X(Q[1]),
    )
    for step in PASSES[:2]:
        assert step(given) is given
    fused = FuseSingleQubit()(given)
    names = [str(op.gate or op.without_classical_controls().gate) for op in fused.all_operations()]
    assert len(names) == 7


def test_repeated_keys_stay_in_order():
    given = cirq.Circuit(
        cirq.measure(Q[0], key="m"),
        cirq.measure(Q[1], key="m"),
        cirq.X(Q[2]),
        cirq.X(Q[2]),
        cirq.X(Q[2]).with_classical_controls("m"),
        cirq.measure(Q[0], key="m"),
    )
    after = CancelInverses()(given)
    keyed = [op for op in after.all_operations() if cirq.is_measurement(op) or cirq.control_keys(op)]
    assert keyed == [op for op in given.all_operations() if cirq.is_measurement(op) or cirq.control_keys(op)]


# -- use ----------------------------------------------------------------------------------------------------


def test_symbols_are_kept():
    given = cirq.Circuit(cirq.X(Q[0]) ** S, cirq.CX(Q[1], Q[0]), cirq.X(Q[0]) ** (2 * S), cirq.Y(Q[1]) ** S)
    after = MergeRotations()(given)
    assert cirq.parameter_names(after) == {"s"}
    assert "X^(3*s)" in str(after)
    check_same(*(cirq.resolve_parameters(c, {"s": 0.3}) for c in (given, after)))


def test_gates_with_no_row_of_their_own_stay_whole():
    given = cirq.Circuit(cirq.T(Q[0]), cirq.T(Q[0]), cirq.ISWAP(*Q[:2]) ** 0.3, cirq.SWAP(*Q[:2]) ** S)
    after = MergeRotations()(given)
    assert [op.gate for op in after.all_operations() if op.qubits][1:] == [cirq.ISWAP**0.3, cirq.SWAP**S]
    opened = DecomposeTwoQubit()(given)
    assert all(op.gate == cirq.CZ for op in opened.all_operations() if cirq.num_qubits(op) == 2)


def test_beside_cirqs_own_transformers():
    given = cirq.testing.random_circuit(3, 10, 0.8, random_state=3)
    circuit = given
    context = cirq.TransformerContext(logger=cirq.TransformerLogger())
    for transformer in (
        cirq.drop_empty_moments,
        MergeRotations(),
        cirq.eject_z,
        CancelInverses(),
        FuseSingleQubit(),
    ):
        circuit = transformer(circuit, context=context)
    cirq.testing.assert_allclose_up_to_global_phase(
        circuit.unitary(
            qubit_order=sorted(given.all_qubits()), qubits_that_should_be_present=given.all_qubits()
        ),
        given.unitary(),
        atol=1e-6,
    )


def test_a_pipeline_can_be_applied():
    given = cirq.Circuit(cirq.CX(*Q[:2]), cirq.H(Q[2]), cirq.H(Q[2]))
    after = apply(parse_pipeline("cancel-inverses,decompose-two-qubit,fuse-single-qubit"), given)
    assert len([op for op in after.all_operations() if op.qubits]) == 3
    check_same(given, after)


def test_json_round_trip():
    after = FuseSingleQubit()(cirq.testing.random_circuit(3, 8, 0.8, random_state=5))
    assert cirq.read_json(json_text=cirq.to_json(after)) == after


def test_frozen_circuits_come_back_as_circuits():
    frozen = cirq.FrozenCircuit(cirq.X(Q[0]), cirq.X(Q[0]), cirq.Y(Q[1]))
    for context in (None, cirq.TransformerContext(), cirq.TransformerContext(deep=True)):
        after = CancelInverses()(frozen, context=context)
        assert type(after) is cirq.Circuit
        assert after == cirq.Circuit(cirq.Y(Q[1]))


def test_wide_gates_are_opened_where_the_pass_wants_it():
    from qattn_compiler.passes import Optimize

    toffolis = [cirq.CCX(*Q[:3]), cirq.rz(sympy.Symbol("s"))(Q[0]), cirq.CCX(*Q[:3])]
    better = Optimize(level=2)(cirq.Circuit(toffolis))
    assert all(len(op.qubits) == 1 for op in better.all_operations())
    tagged = cirq.Circuit(toffolis[0].with_tags("keep"), toffolis[0])
    kept = Optimize(level=2)(tagged, context=cirq.TransformerContext(tags_to_ignore=("keep",)))
    assert toffolis[0].with_tags("keep") in kept.all_operations()
    same = cirq.Circuit(cirq.CCX(*Q[:3]), cirq.measure(*Q[:3]))
    assert MergeRotations()(same) is same
