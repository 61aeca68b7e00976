"""Encodings that give many outputs by one circuit (unary, block, coherent): decoding, counts, limits."""

from __future__ import annotations

from dataclasses import replace

import cirq
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import qattn_compiler as qattn
from qattn_compiler import job
from qattn_compiler.blocks.block import Multiplexor
from qattn_compiler.blocks.orthogonal import Rotate
from qattn_compiler.blocks.unary import RotateUnary
from qattn_compiler.errors import LoweringError, VerificationError
from qattn_compiler.lower import block_encoding, coherent, coherent_state, unary
from qattn_compiler.lower.batch import Observable, Terms
from qattn_compiler.lower.layers import layers

ENCODINGS = {
    "unary": unary.encode,
    "block": block_encoding.encode,
    "coherent": coherent.encode,
    "coherent-state": coherent_state.encode,
}
EVERY = pytest.mark.parametrize("encoding", ENCODINGS)
EXPRESSION = "softmax(Q @ K.T / sqrt(d)) @ V"


def product(weights, values):
    """A matrix product as weighted sums, with offsets, and what it is."""
    rows, inner = weights.shape
    columns = values.shape[1]
    offset = np.arange(rows * columns) / 8
    terms = Terms(
        np.repeat(weights[:, None], columns, axis=1).reshape(-1, inner),
        np.repeat(values.T[None], rows, axis=0).reshape(-1, inner),
        offset,
    )
    return terms, (weights @ values).reshape(-1) + offset


def decoded(batches, count):
    """Output numbers from the exact states of the blocks."""
    out = np.full(count, np.nan)
    for batch in batches:
        size, observed = batch.program.num_qubits, batch.program.observed
        index = np.arange(2**size)
        bits = np.stack([(index >> (size - 1 - q)) & 1 for q in observed], axis=1)
        found = np.abs(batch.program.states(batch.numbers)) ** 2
        counts = np.stack([observable.counts(bits) for observable in batch.reads[0]])
        means = (found @ counts.T)[batch.member, batch.reads[1]]
        out[batch.position] = batch.scale * means + batch.offset
    return out


def matrices(rng, inner, columns):
    """Values: generic, with a column of zeros, all singular values equal, of rank 1, all zero."""
    generic = rng.normal(size=(inner, columns))
    zeroed = generic.copy()
    zeroed[:, 0] = 0
    left, _, right = np.linalg.svd(generic, full_matrices=False)
    yield from (generic, zeroed, 3 * left @ right, np.outer(generic[:, 0], generic[0]), 0 * generic)


@EVERY
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(
    "shape", [(1, 1, 1), (2, 2, 1), (3, 2, 2), (2, 3, 2), (2, 2, 4), (3, 4, 3), (1, 5, 2)]
)
def test_products_decode_exactly(encoding, shape, full):
    rows, inner, columns = shape
    rng = np.random.default_rng(sum(shape))
    for values in matrices(rng, inner, columns):
        weights = rng.normal(size=(rows, inner))
        weights[-1, 0] = 0
        for some in (weights, np.abs(weights), 0 * weights):
            terms, wanted = product(some, values)
            batches = ENCODINGS[encoding](terms, full=full)
            np.testing.assert_allclose(decoded(batches, len(wanted)), wanted, atol=1e-11)


@settings(max_examples=40)
@given(
    st.sampled_from(sorted(ENCODINGS)),
    st.lists(st.sampled_from([0.0, 1.0, -1.0, 0.5, 1e-300, -2e-160, 3.0, 1e-8]), min_size=10, max_size=10),
)
def test_odd_numbers(encoding, entries):
    weights, values = np.array(entries[:4]).reshape(2, 2), np.array(entries[4:]).reshape(2, 3)
    terms, wanted = product(weights, values)
    np.testing.assert_allclose(decoded(ENCODINGS[encoding](terms), 6), wanted, atol=1e-11)


@EVERY
def test_layers_that_share_nothing_are_apart(encoding):
    rng = np.random.default_rng(0)
    first, one = product(rng.normal(size=(2, 3)), rng.normal(size=(3, 2)))
    second, two = product(rng.normal(size=(2, 3)), rng.normal(size=(3, 2)))
    pairs = zip(
        (first.weights, first.values, first.offset),
        (second.weights, second.values, second.offset),
        strict=True,
    )
    both = Terms(*(np.concatenate(pair) for pair in pairs))
    assert [layer.position.tolist() for layer in layers(both, full=False)] == [[0, 1, 2, 3], [4, 5, 6, 7]]
    batches = ENCODINGS[encoding](both)
    assert len(batches) == 2
    np.testing.assert_allclose(decoded(batches, 8), np.concatenate([one, two]), atol=1e-11)


def counts(encoding, rows, inner, columns, **options):
    rng = np.random.default_rng(0)
    terms, _ = product(np.abs(rng.normal(size=(rows, inner))), rng.normal(size=(inner, columns)))
    (batch,) = ENCODINGS[encoding](terms, **options)
    return batch.circuits, batch.program.num_qubits, batch.program.two_qubit_count


def test_sizes():
    assert counts("unary", 5, 4, 4) == (5, 1 + 4 + 3, 7 + 12 + 6 + 12)
    assert counts("unary", 5, 4, 2) == (5, 1 + 4 + 1, 7 + 10 + 2 + 2)
    assert counts("unary", 5, 8, 8) == (5, 16, 15 + 56 + 14 + 56)
    assert counts("block", 5, 4, 4) == (5, 4, 4 + 2 + 7 + 2)
    assert counts("block", 5, 8, 8) == (5, 5, 11 + 10 + 15 + 10)
    assert counts("block", 5, 8, 8, full=True) == (5, 5, 11 + 15 + 15 + 15)
    assert counts("coherent", 8, 8, 4) == (4, 7, (64 - 6 - 1) + 7)
    assert counts("coherent", 8, 8, 4, full=True) == (4, 7, (64 - 6 - 1) + 63)
    assert counts("coherent-state", 8, 8, 4) == (1, 9, (128 - 7 - 1) + 16 * 3 - 2 + 8 * 7 - 3)


def test_an_orthogonal_matrix_is_one_network():
    matrix = np.linalg.qr(np.random.default_rng(0).normal(size=(4, 4)))[0]
    for sign in (1, -1):
        terms, wanted = product(np.eye(4), matrix * np.array([sign, 1, 1, 1]))
        (one,) = unary.encode(terms)
        assert (one.program.num_qubits, one.program.two_qubit_count) == (5, 7 + 12)
        (two,) = block_encoding.encode(terms)
        assert (two.program.num_qubits, two.program.two_qubit_count) == (3, 4 + 2)
        for batch in (one, two):
            assert batch.success is None
            np.testing.assert_allclose(decoded([batch], 16), wanted, atol=1e-12)


def test_the_coherent_state_is_the_output():
    rng = np.random.default_rng(4)
    weights, values = rng.normal(size=(3, 5)), rng.normal(size=(5, 3))
    terms, _ = product(weights, values)
    (batch,) = coherent_state.encode(terms)
    program = replace(batch.program, blocks=batch.program.blocks[:-2])
    state = program.states(batch.numbers).reshape(2, 4, 8, 4)[0, :3, 0, :3] * np.sqrt(2)
    alpha = np.linalg.norm(np.abs(weights) @ np.linalg.norm(values, axis=1))
    np.testing.assert_allclose(state, weights @ values / alpha, atol=1e-12)
    success = np.linalg.norm(weights @ values) ** 2 / alpha**2
    np.testing.assert_allclose(batch.success, (1 + success) / 2, atol=1e-12)
    np.testing.assert_allclose(batch.scale, alpha * 3)


def test_the_success_probability_is_that_of_the_state():
    rng = np.random.default_rng(1)
    terms, _ = product(rng.normal(size=(3, 3)), rng.normal(size=(3, 2)))
    (batch,) = block_encoding.encode(terms)
    states = batch.program.states(batch.numbers)
    np.testing.assert_allclose(batch.success, (np.abs(states[:, ::2]) ** 2).sum(axis=1), atol=1e-12)


def test_limits():
    rng = np.random.default_rng(2)
    for encoding, shape, message in (
        ("unary", (1, 12, 12), "24 qubits in the unary encoding"),
        ("block", (1, 40, 2), "40 weights and 2 outputs are too many"),
        ("coherent", (200, 200, 1), "200 rows of 200 terms are too many"),
        ("coherent-state", (32, 32, 32), "take 16 qubits"),
    ):
        terms, _ = product(rng.normal(size=shape[:2]), rng.normal(size=shape[1:]))
        with pytest.raises(LoweringError, match=message):
            ENCODINGS[encoding](terms)
    huge = Terms(np.full((1, 2), 1e200), np.full((1, 2), 1e200), np.zeros(1))
    for encode in ENCODINGS.values():
        with pytest.raises(LoweringError, match="overflows"):
            encode(huge)


def test_what_a_shot_counts():
    bits = np.array([[0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 0]])
    assert Observable((0, 1)).counts(bits).tolist() == [1, -1, 1, -1]
    assert Observable((0,), ((2, 1),)).counts(bits).tolist() == [1, -1, -1, 0]


# -- compiled


@pytest.mark.parametrize(
    ("encoding", "circuits", "gates"),
    [("unary", 2, 60), ("block", 2, 60), ("coherent", 3, 30), ("coherent-state", 1, 120)],
)
def test_trained_weights(encoding, circuits, gates):
    weights = qattn.load_example(head=7, tokens=8)
    chosen = {"rows": [1, 4], "components": [0, 5, 9]}
    compiled = qattn.compile(EXPRESSION, weights, encoding=encoding, **chosen)
    assert compiled.verification.passed
    assert len(compiled.circuits) == circuits
    report = compiled.report.to_dict()
    assert report["totals"]["gates_2q_max"] <= gates
    assert (report["success_min"] < 1.0) == (encoding in ("block", "coherent-state"))
    exact = compiled.evaluate()
    sampled = compiled.evaluate(shots=20000)
    assert (np.abs(sampled - exact) <= 5 * sampled.standard_error + 1e-9).all()
    assert_decoded_by_hand(compiled, exact)


def assert_decoded_by_hand(compiled, exact):
    """Decode as the rule of `decoding.json` says, from Cirq's own simulation."""
    simulator = cirq.Simulator(dtype=np.complex128)
    for readout, value in zip(compiled.readouts, exact.reshape(-1), strict=True):
        circuit = cirq.drop_terminal_measurements(compiled.circuits[readout.circuit])
        qubits = sorted(circuit.all_qubits())
        found = np.abs(simulator.simulate(circuit, qubit_order=qubits).final_state_vector) ** 2
        found = found.reshape((2,) * len(qubits))
        for qubit, bit in readout.postselect.items():
            keep = np.arange(2) == bit
            found = found * keep.reshape([2 if q == qubit else 1 for q in qubits])
        for qubit in readout.observable:
            found = found * np.array([1, -1]).reshape([2 if q == qubit else 1 for q in qubits])
        assert readout.scale * found.sum() + readout.offset == pytest.approx(value, abs=1e-9)


@EVERY
@pytest.mark.parametrize("name", ["Q", "V"])
def test_free_tensors(encoding, name):
    rng = np.random.default_rng(3)
    weights = {letter: rng.normal(size=(4, 4)) for letter in "QKV"}
    given = {letter: array for letter, array in weights.items() if letter != name}
    text = "softmax(Q @ K.T) @ V"
    options = {"encoding": encoding, "free": {name: (4, 4)}, "target": "full:12", "components": [0, 1]}
    compiled = qattn.compile(text, given, **options)
    assert compiled.verification.passed
    for value in (weights[name], np.eye(4), np.zeros((4, 4))):
        bound = compiled.bind({name: value})
        assert bound.verification.passed
        expected = qattn.compile(
            text, weights | {name: value}, target="full:12", components=[0, 1]
        ).evaluate()
        np.testing.assert_allclose(bound.evaluate(), expected, atol=1e-8)


@EVERY
@pytest.mark.parametrize("fault", ["scale", "which", "angles"])
def test_planted_faults_are_noticed(encoding, fault, monkeypatch):
    def wrong(terms, *, full=False):
        (batch,) = ENCODINGS[encoding](terms, full=full)
        if fault == "scale":
            return [replace(batch, scale=batch.scale * 1.0001)]
        return [replace(batch, which=batch.which[::-1]) if fault == "which" else batch]

    def off(self, numbers):
        return {slot: values + 1e-6 for slot, values in right(self, numbers).items()}

    block = {"unary": RotateUnary, "block": Rotate}.get(encoding, Multiplexor)
    right = block.values
    if fault == "angles":
        monkeypatch.setattr(block, "values", off)
    monkeypatch.setattr(job, "ENCODINGS", {encoding: wrong})
    rng = np.random.default_rng(6)
    weights = {"A": rng.normal(size=(2, 3)), "B": rng.normal(size=(3, 2))}
    with pytest.raises(VerificationError):
        qattn.compile("A @ B", weights, encoding=encoding, target="full:10", optimization_level=1)


@pytest.mark.parametrize(("level", "gates"), [(1, 46), (2, 11)])
def test_the_final_state_is_prepared_directly_where_that_is_cheaper(level, gates):
    rng = np.random.default_rng(8)
    weights = {"A": rng.normal(size=(2, 8)), "B": rng.normal(size=(8, 8))}
    options = {"encoding": "block", "target": "full:8", "optimization_level": level}
    compiled = qattn.compile("A @ B", weights, **options)
    assert compiled.report.to_dict()["totals"]["gates_2q_max"] == gates
