"""Affine angles: sorted coordinate form, moves, evaluation."""

from __future__ import annotations

import numpy as np
from helpers import circuits, random_values, unitary
from hypothesis import given
from hypothesis import strategies as st

from qattn_compiler.circuit.params import GLOBAL_PHASE, Affine

entries = st.lists(
    st.tuples(st.integers(-1, 11), st.integers(0, 2), st.sampled_from([1.0, -1.0, 0.5, 2.0])), max_size=20
)


def dense(affine: Affine, rows: int = 4, params: int = 3) -> np.ndarray:
    """Shape (1 + 3 rows, params): the global phase first."""
    out = np.zeros((1 + 3 * rows, params))
    np.add.at(out, (affine.slot + 1, affine.param), affine.coef)
    return out


def of(triples: list) -> Affine:
    slot, param, coef = zip(*triples, strict=True) if triples else ((), (), ())
    return Affine.of(slot, param, coef)


@given(entries)
def test_of_sorts_adds_and_drops_zeros(triples):
    affine = of(triples)
    expected = np.zeros((13, 3))
    for slot, param, coef in triples:
        expected[slot + 1, param] += coef
    np.testing.assert_array_equal(dense(affine), expected)
    pairs = list(zip(affine.slot.tolist(), affine.param.tolist(), strict=True))
    assert pairs == sorted(set(pairs))
    assert (affine.coef != 0).all()
    assert len(affine) == np.count_nonzero(expected)
    assert not affine.coef.flags.writeable


@given(entries)
def test_at_and_rows(triples):
    affine = of(triples)
    matrix = dense(affine)
    for slot in range(-1, 12):
        assert dict(affine.at(slot)) == {p: c for p, c in enumerate(matrix[slot + 1]) if c}
    np.testing.assert_array_equal(affine.rows(4), matrix[1:].reshape(4, 9).any(axis=1))


@given(entries, st.permutations([0, 1, 2, 3]), st.sets(st.integers(0, 3)))
def test_moved(triples, order, gone):
    affine = of(triples)
    new_row = np.array([-1 if row in gone else order[row] for row in range(4)])
    expected = np.zeros((13, 3))
    expected[0] = dense(affine)[0]
    for row in range(4):
        if new_row[row] >= 0:
            expected[1 + 3 * new_row[row] : 4 + 3 * new_row[row]] = dense(affine)[1 + 3 * row : 4 + 3 * row]
    np.testing.assert_array_equal(dense(affine.moved(new_row)), expected)


@given(entries)
def test_evaluate_is_the_matrix_product(triples):
    rng = np.random.default_rng(1)
    affine, constants, values = of(triples), rng.normal(size=(4, 3)), rng.normal(size=(5, 3))
    angles, phases = affine.evaluate(constants, 0.25, values)
    expected = values @ dense(affine).T
    np.testing.assert_allclose(phases, 0.25 + expected[:, 0], atol=1e-12)
    np.testing.assert_allclose(angles, constants + expected[:, 1:].reshape(5, 4, 3), atol=1e-12)


def test_nothing_symbolic():
    empty = Affine.of([], [], [])
    assert empty is Affine.empty()
    assert empty.moved(np.zeros(0, dtype=np.int64)) is empty
    angles, phases = empty.evaluate(np.ones((2, 3)), 1.5, np.zeros((3, 0)))
    assert (angles == 1).all()
    assert (phases == 1.5).all()


def test_phase_survives_when_all_rows_go():
    affine = Affine.of([GLOBAL_PHASE, 0], [0, 0], [1.0, 1.0])
    assert affine.moved(np.array([-1])).at(GLOBAL_PHASE) == ((0, 1.0),)
    assert Affine.of([GLOBAL_PHASE], [0], [1.0]).moved(np.zeros(0, np.int64)).at(GLOBAL_PHASE) == ((0, 1.0),)


@given(circuits(walls=False))
def test_bind_is_the_meaning_at_these_values(circuit):
    values = random_values(circuit, np.random.default_rng(3))
    bound = circuit.bind(values)
    assert not bound.is_symbolic
    assert bound.params == ()
    np.testing.assert_allclose(unitary(bound), unitary(circuit, values), atol=1e-9)
    half = circuit.bind({"a": values["a"]})
    assert [p.name for p in half.params] == ["b", "c"]
    np.testing.assert_allclose(unitary(half, values), unitary(circuit, values), atol=1e-9)
