"""Canonical decompositions, Weyl coordinates, CZ counts; Cirq is the judge of coordinates."""

from __future__ import annotations

from itertools import product
from math import pi

import cirq
import numpy as np
import pytest
from weyl_samples import QUARTER, SWAP, all_kinds, cliffords, haar, near_edges, norms

from qattn_compiler.circuit.gates import BY_NAME, GATES
from qattn_compiler.synth import weyl
from qattn_compiler.synth.weyl_gates import two_qubit_matrices

# -- decomposition


def test_every_decomposition_multiplies_out():
    unitaries = all_kinds(0)
    kak = weyl.kak(unitaries)
    assert norms(kak.unitaries() - unitaries).max() < 2e-14
    assert np.abs(np.linalg.norm(kak.left, axis=-1) - 1).max() < 1e-14
    assert np.abs(np.linalg.norm(kak.right, axis=-1) - 1).max() < 1e-14


def test_coordinates_lie_in_the_chamber():
    x, y, z = weyl.kak(all_kinds(1)).coordinates.T
    assert (x <= QUARTER + 2e-13).all()
    assert (x >= y).all()
    assert (y >= np.abs(z)).all()
    assert (z[x > QUARTER - 1e-14] >= 0).all()


def test_coordinates_are_those_of_cirq():
    rng = np.random.default_rng(2)
    unitaries = np.concatenate([haar(rng, 150), cliffords(rng, 50)])
    for unitary, ours in zip(unitaries, weyl.kak(unitaries).coordinates, strict=True):
        theirs = cirq.kak_decomposition(unitary).interaction_coefficients
        assert ours == pytest.approx(theirs, abs=1e-7)


def test_interaction_is_the_exponential():
    rng = np.random.default_rng(3)
    for c in rng.uniform(-2, 2, size=(10, 3)):
        rotations = [BY_NAME[n].matrix(-2 * t) for n, t in zip(("rxx", "ryy", "rzz"), c, strict=True)]
        np.testing.assert_allclose(
            weyl.interaction(c), rotations[0] @ rotations[1] @ rotations[2], atol=1e-14
        )


def test_known_coordinates():
    known = {
        "cz": (1, 0, 0),
        "cx": (1, 0, 0),
        "ch": (1, 0, 0),
        "swap": (1, 1, 1),
        "iswap": (1, 1, 0),
        "siswap": (0.5, 0.5, 0),
        "iswapdg": (1, 1, 0),
    }
    for name, units in known.items():
        found = weyl.kak(BY_NAME[name].matrix()[None]).coordinates[0]
        assert found == pytest.approx(np.array(units) * QUARTER, abs=1e-15), name
    syc = weyl.kak(BY_NAME["fsim"].matrix(pi / 2, pi / 6)[None]).coordinates[0]
    assert syc == pytest.approx([QUARTER, QUARTER, pi / 24], abs=1e-15)


def test_decomposing_is_deterministic():
    unitaries = all_kinds(4)
    first, second = weyl.kak(unitaries), weyl.kak(unitaries[::-1])
    np.testing.assert_array_equal(first.left, second.left[::-1])
    np.testing.assert_array_equal(first.coordinates, second.coordinates[::-1])


def test_an_empty_stack():
    assert weyl.kak(np.zeros((0, 4, 4))).coordinates.shape == (0, 3)


def test_close_to_crosses_the_edge():
    kak = weyl.kak(weyl.interaction(np.array([[QUARTER - 1e-12, 0.4, -0.2]])))
    other = kak.close_to(np.array([[QUARTER + 1e-12, 0.4, 0.2]]))
    assert other.coordinates[0] == pytest.approx([QUARTER + 1e-12, 0.4, 0.2], abs=1e-14)
    assert norms(other.unitaries() - kak.unitaries()).max() < 1e-14


# -- SWAP


def test_after_swap():
    unitaries = all_kinds(5)
    kak = weyl.kak(unitaries).after_swap()
    assert norms(kak.unitaries() - SWAP @ unitaries).max() < 3e-14


def test_mirrored_coordinates():
    unitaries = haar(np.random.default_rng(6), 300)
    theirs = weyl.kak(SWAP @ unitaries).coordinates
    np.testing.assert_allclose(weyl.mirrored(weyl.kak(unitaries).coordinates), theirs, atol=1e-13)


def test_mirror_counts():
    gates = [BY_NAME["swap"].matrix(), BY_NAME["cz"].matrix(), BY_NAME["iswap"].matrix(), np.eye(4)]
    plain, mirrored = weyl.mirror_counts(np.array(gates))
    assert plain.tolist() == [3, 1, 2, 0]
    assert mirrored.tolist() == [0, 2, 1, 3]


# -- counts


def test_counts_of_known_gates():
    known = {"cz": 1, "cx": 1, "cy": 1, "ch": 1, "swap": 3, "iswap": 2, "siswap": 2}
    for name, count in known.items():
        assert weyl.cz_counts(weyl.kak(BY_NAME[name].matrix()[None]).coordinates).tolist() == [count]
    assert (weyl.cz_counts(weyl.kak(haar(np.random.default_rng(7), 200)).coordinates) == 3).all()


def test_counts_of_known_gates_agree_with_cirq():
    rng = np.random.default_rng(8)
    unitaries = np.concatenate([cliffords(rng, 60), near_edges(rng, 1)[::13]])
    for unitary, count in zip(unitaries, weyl.cz_counts(weyl.kak(unitaries).coordinates, 1e-8), strict=True):
        assert cirq.num_cnots_required(unitary) == count


def test_real_orthogonal_gates_take_two():
    q, _ = np.linalg.qr(np.random.default_rng(9).normal(size=(500, 4, 4)))
    q[np.linalg.det(q) < 0, :, 0] *= -1
    assert weyl.cz_counts(weyl.kak(q.astype(complex)).coordinates).max() == 2


def test_tolerance_is_a_bound_of_the_norm():
    rng = np.random.default_rng(10)
    a, b = rng.uniform(-0.3, 0.3, size=(2, 200, 3))
    assert (norms(weyl.interaction(a) - weyl.interaction(b)) <= weyl.distance(a, b) + 1e-15).all()


def test_fidelity_is_the_average_gate_fidelity():
    rng = np.random.default_rng(11)
    a, b = rng.uniform(-1, 1, size=(2, 50, 3))
    trace = np.einsum("nij,nij->n", weyl.interaction(a), weyl.interaction(b).conj())
    np.testing.assert_allclose(weyl.fidelity(a, b), (4 + np.abs(trace) ** 2) / 20, atol=1e-14)


def test_a_fidelity_budget_lowers_counts():
    c = np.array([[QUARTER, 0.02, 0.01], [0.3, 0.2, 0.02], [0.02, 0.01, 0.0]])
    exact = weyl.counts(c, weyl.nearest, 3)
    assert exact.tolist() == [3, 3, 2]
    assert weyl.counts(c, weyl.nearest, 3, min_fidelity=0.999).tolist() == [1, 2, 0]


# -- matrices of rows


@pytest.mark.parametrize("gate", [g for g in GATES if g.num_qubits == 2], ids=lambda g: g.name)
def test_matrices_of_rows(gate):
    some = (0.0, -pi, 2 * pi, 0.3, -7.1, 1e-9)
    angles = [(*a, *[0.0] * (3 - gate.num_angles)) for a in product(some, repeat=gate.num_angles)]
    found = two_qubit_matrices(np.full(len(angles), gate.code, np.uint8), np.array(angles))
    for one, matrix in zip(angles, found, strict=True):
        np.testing.assert_allclose(matrix, gate.matrix(*one[: gate.num_angles]), atol=1e-15, rtol=0)
