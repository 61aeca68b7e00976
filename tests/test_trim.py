"""Circuits near those of their programs: within the budget, output by output, with fewer gates, proved."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import qattn_compiler as qattn
from qattn_compiler import targets, trim
from qattn_compiler.budget import ANGLES, GATES, RANK, Spent
from qattn_compiler.errors import VerificationError
from qattn_compiler.lower import amplitude
from qattn_compiler.lower.batch import Terms, distances
from qattn_compiler.synth.near_state import Skeleton, random_gates
from qattn_compiler.synth.schmidt import SchmidtState, schmidt_forms
from qattn_compiler.unit import Way, compile_unit

CZ = np.diag([1, 1, 1, -1]).astype(complex)
EXPRESSION = "softmax(Q @ K.T / sqrt(d)) @ V"


# -- the fit


def skeleton(size: int, count: int) -> Skeleton:
    pairs = np.array([(k % (size - 1), k % (size - 1) + 1) for k in range(count)], dtype=np.int64)
    return Skeleton(size, pairs.reshape(-1, 2), np.array([CZ] * count).reshape(-1, 4, 4))


def unit_vectors(rng: np.random.Generator, *shape: int) -> np.ndarray:
    parts = rng.normal(size=shape) + 1j * rng.normal(size=shape)
    return parts / np.linalg.norm(parts, axis=-1, keepdims=True)


def plainly(wanted: np.ndarray, what: Skeleton, gates: np.ndarray, sweeps: int, free: bool) -> np.ndarray:
    """The kernel's sweeps by whole matrices and singular values, for one circuit."""
    gates = gates.copy()

    def lifted(gate: np.ndarray, qubit: int) -> np.ndarray:
        return np.kron(np.kron(np.eye(2**qubit), gate), np.eye(2 ** (what.size - qubit - 1)))

    def steps() -> list[tuple[int, int, np.ndarray]]:
        out = [(q, q, np.eye(2**what.size)) for q in range(what.size)]
        for k, pair in enumerate(what.pairs.tolist()):
            bits = np.arange(2**what.size)[:, None] >> (what.size - 1 - np.array(pair)) & 1
            entangler = np.diag(np.where(bits.all(axis=1), -1.0, 1.0))
            out += [
                (what.size + 2 * k, pair[0], entangler),
                (what.size + 2 * k + 1, pair[1], np.eye(len(bits))),
            ]
        return out

    for _ in range(sweeps):
        aim = wanted
        if free:
            now = what.states(gates[None])[0]
            aim = np.abs(wanted) * now / np.abs(now)
        for number, (g, qubit, _) in enumerate(steps()):
            before = np.eye(2**what.size)[:, 0].astype(complex)
            for h, q, first in steps()[:number]:
                before = lifted(gates[h], q) @ first @ before
            before = steps()[number][2] @ before
            after = aim
            for h, q, first in reversed(steps()[number + 1 :]):
                after = first.conj().T @ lifted(gates[h], q).conj().T @ after
            both = (v.reshape(2**qubit, 2, -1) for v in (after, before))
            u, _, vh = np.linalg.svd(
                np.einsum("aib,ajb->ij", *(v if i == 0 else v.conj() for i, v in enumerate(both)))
            )
            gates[g] = u @ vh
    return gates


@pytest.mark.parametrize("free", [False, True])
def test_sweeps_are_what_they_say(free):
    rng = np.random.default_rng(5)
    what = skeleton(3, 3)
    wanted, start = unit_vectors(rng, 1, 8), random_gates(rng, (1, what.num_gates))
    found, overlap, _ = what.fit(wanted, start, free=free, sweeps=3)
    expected = plainly(wanted[0], what, start[0], 3, free)
    assert np.abs(distances(what.states(found), what.states(expected[None]))).max() < 1e-10
    own = what.states(found)[0]
    meant = np.abs(own) @ np.abs(wanted[0]) if free else abs(np.vdot(wanted[0], own))
    # The overlap is with the phases from before the last sweep.
    assert overlap[0] <= meant**2 + 1e-12
    assert overlap[0] == pytest.approx(meant**2, abs=0.05 if free else 1e-12)


@given(st.integers(0, 10**6), st.integers(1, 4), st.integers(0, 6), st.booleans())
@settings(deadline=None, max_examples=25)
def test_no_sweep_makes_it_worse(seed, size, count, free):
    rng = np.random.default_rng(seed)
    what = skeleton(size, count if size > 1 else 0)
    wanted = unit_vectors(rng, 2, 2**size)
    if seed % 3 == 0:
        wanted[0] = np.eye(2**size)[rng.integers(2**size)]
    gates, last = random_gates(rng, (2, what.num_gates)), np.zeros(2)
    for _ in range(4):
        gates, overlap, _ = what.fit(wanted, gates, free=free, sweeps=1)
        assert (overlap >= last - 1e-12).all()
        last = overlap
    same = gates @ gates.conj().swapaxes(-1, -2)
    assert np.abs(same - np.eye(2)).max() < 1e-12


def test_enough_is_enough():
    rng = np.random.default_rng(1)
    what = skeleton(3, 4)
    wanted, start = np.abs(unit_vectors(rng, 5, 8)).astype(complex), random_gates(rng, (5, what.num_gates))
    whole, near = (what.fit(wanted, start, free=True, enough=e) for e in (0.0, 1e-3))
    assert near[2] < whole[2]
    assert (near[1] >= np.minimum(whole[1], 1 - 1e-3) - 1e-12).all()


def test_gates_are_left_out_and_added():
    rng = np.random.default_rng(0)
    what = skeleton(3, 4)
    gates = random_gates(rng, (2, what.num_gates))
    less, start = what.without(np.array([1, 3]), gates)
    assert less.pairs.tolist() == what.pairs[[0, 2]].tolist()
    plain = replace(what, matrices=np.array([CZ, np.eye(4), CZ, np.eye(4)]))
    np.testing.assert_allclose(less.states(start), plain.states(gates), atol=1e-12)
    more, start = less.grown(np.array([0, 2]), np.eye(4, dtype=complex), start)
    assert more.num_gates == less.num_gates + 2
    np.testing.assert_allclose(more.states(start), plain.states(gates), atol=1e-12)


def test_magnitudes_take_fewer_gates_than_states():
    """7 CZ prepare any real state of 4 qubits; 15 magnitudes take about half."""
    rng = np.random.default_rng(3)
    wanted = np.abs(unit_vectors(rng, 8, 16)).astype(complex)
    what = skeleton(4, 6)
    away = []
    for _ in range(4):
        found, _, _ = what.fit(wanted, random_gates(rng, (8, what.num_gates)), free=True)
        away.append(distances(what.states(found), wanted))
    assert (np.min(away, axis=0) < 1e-2).all()


# -- lower Schmidt rank


@given(st.integers(0, 10**6), st.integers(2, 7))
@settings(deadline=None, max_examples=30)
def test_the_nearest_of_a_form(seed, size):
    rng = np.random.default_rng(seed)
    states = rng.normal(size=(3, 2**size)) * rng.choice([0, 1e-310, 1e-3, 1], size=(3, 2**size))
    states[0] = np.eye(2**size)[rng.integers(2**size)]
    lengths = np.linalg.norm(states, axis=1, keepdims=True)
    states = np.where(lengths > 1e-6, states / np.maximum(lengths, 1e-6), states[:1])
    forms = schmidt_forms(size)
    counts = [form.two_qubit_count for form in forms]
    assert counts == sorted(counts)
    assert counts[0] == 0
    for form in forms[:: max(1, len(forms) // 4)]:
        near = form.nearest(states)
        assert np.abs(np.linalg.norm(near, axis=1) - 1).max() < 1e-12
        assert SchmidtState.of(size, near).two_qubit_count <= form.two_qubit_count
        np.testing.assert_allclose(form.nearest(near), near, atol=1e-9)
    rank = SchmidtState(size, 0, parts=tuple(SchmidtState.of(n) for n in (size // 2, size - size // 2)))
    best = np.linalg.svd(states.reshape(3, 2 ** (size // 2), -1))[1][:, 0]
    np.testing.assert_allclose(np.abs((rank.nearest(states) * states).sum(axis=1)), best, atol=1e-9)


# -- in a compile


def unit_of(weights, values, target="google.willow", level=2):
    terms = Terms(np.atleast_2d(weights), np.atleast_2d(values), np.zeros(len(np.atleast_2d(weights))))
    (batch,) = amplitude.encode(terms)
    return compile_unit(batch, Way(targets.get(target), level), bound=True)


def smooth(count: int) -> dict[str, np.ndarray]:
    j = np.arange(count)
    return {"w": np.exp(-3 * j / count) / np.exp(-3 * j / count).sum(), "x": np.sin(3 * j / count)}


@pytest.mark.parametrize(
    ("encoding", "count", "kind"),
    [("amplitude", 128, RANK), ("lcu", 32, ANGLES), ("amplitude", 8, GATES), ("swap", 8, GATES)],
)
def test_every_kind_saves_gates(encoding, count, kind):
    weights = smooth(count)
    if kind == ANGLES:
        jitter = 1 + 1e-3 * np.random.default_rng(0).normal(size=count)
        weights = {"w": jitter / count, "x": np.linspace(-0.9, 1, count)}
    exact = qattn.compile("w @ x", weights, encoding=encoding, verify=False)
    less = qattn.compile("w @ x", weights, encoding=encoding, max_error=1e-3)
    budget = less.report.data["budget"]
    (cut,) = (c for c in budget["cuts"] if c["kind"] == kind)
    assert cut["gates_2q"] > 0
    assert cut["price"] > 0
    before, after = (c.report.data["totals"]["gates_2q"] for c in (exact, less))
    assert before - after >= sum(c["gates_2q"] for c in budget["cuts"])
    assert less.verification.passed
    assert less.verification.error == pytest.approx(budget["error"])
    assert budget["error"] <= budget["total"] <= 1e-3
    assert any(kind in note for note in less.report.data["notes"])


EDGES = st.sampled_from(["random", "ties", "one-hot", "zeros", "denormal", "signs", "tiny"])


def edge_weights(rng: np.random.Generator, kind: str, count: int) -> np.ndarray:
    weights = rng.dirichlet(np.ones(count))
    if kind == "ties":
        weights = rng.choice([0.25, 0.5], size=count)
    elif kind == "one-hot":
        weights = np.eye(count)[rng.integers(count)]
    elif kind == "zeros":
        weights = weights * rng.choice([0.0, 1.0], size=count)
    elif kind == "denormal":
        weights = np.where(rng.random(count) < 0.5, 5e-324, weights)
    elif kind == "signs":
        weights = weights * rng.choice([-1.0, 1.0], size=count)
    elif kind == "tiny":
        weights = weights * 1e-150
    return weights


@given(
    st.integers(0, 10**6),
    EDGES,
    EDGES,
    st.sampled_from([1e-6, 1e-3, 0.05]),
    st.sampled_from(["line:6", "grid:2x3?gate=siswap", "ibm.eagle", "aqt.ibex", "grid:2x3?gate=cphase"]),
)
@settings(deadline=None, max_examples=15)
def test_never_beyond_the_budget(seed, first, second, allowed, target):
    rng = np.random.default_rng(seed)
    count = int(rng.integers(2, 9))
    weights = np.stack([edge_weights(rng, kind, count) for kind in (first, second)])
    values = rng.normal(size=(count, 2)).round(int(rng.integers(3)))
    less = qattn.compile("w @ x", {"w": weights, "x": values}, max_error=allowed, target=target)
    budget = less.report.data["budget"]
    assert less.verification.passed
    off = np.abs(less.evaluate() - weights @ values).max()
    assert off <= budget["total"] + 1e-9
    assert budget["total"] <= allowed
    only = trimmed_less(weights, values, allowed, target)
    assert less.report.data["totals"]["gates_2q"] <= only


def trimmed_less(weights, values, allowed, target) -> int:
    """Two-qubit gates if only terms are left out."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trim, "_trimmed", lambda unit, left, way: [trim.Trimmed(unit, left)])
        found = qattn.compile(
            "w @ x", {"w": weights, "x": values}, max_error=allowed, target=target, verify=False
        )
    return int(found.report.data["totals"]["gates_2q"])


def test_many_circuits_of_a_structure_part_ways():
    weights = qattn.load_example(head=0, tokens=16)
    less = qattn.compile(EXPRESSION, weights, rows=[3, 9], max_error=0.01)
    only = len({unit.batch.program.num_qubits for unit in less.units})
    assert len(less.units) > only
    assert sorted(np.concatenate([unit.batch.position for unit in less.units])) == list(
        range(len(less.positions))
    )
    assert less.verification.passed
    assert np.abs(less.evaluate() - qattn.reference(EXPRESSION, weights)[[3, 9]]).max() <= 0.01


def test_without_a_budget_nothing_is_touched():
    unit = unit_of(np.full(8, 1 / 8), np.linspace(-1, 1, 8))
    same, spent = trim.trim([unit], np.zeros(1), Spent(), Way(unit.target))
    assert same == (unit,)
    assert spent == Spent()


def test_circuits_that_compare_states_keep_their_gates():
    """No state is put in the place of an interference."""
    weights = {
        "w": np.random.default_rng(1).dirichlet(np.ones(8)),
        "x": np.random.default_rng(2).normal(size=8),
    }
    for encoding, free in (("lcu", False), ("hadamard", False), ("amplitude", True), ("qcrank", True)):
        (unit,) = qattn.compile("w @ x", weights, encoding=encoding, verify=False).units
        assert unit.batch.program.is_read_as_prepared == free


def test_levels_below_two_only_leave_out_terms():
    weights = smooth(8)
    found = qattn.compile("w @ x", weights, max_error=1e-3, optimization_level=1)
    assert found.report.data["budget"]["cuts"] == []


@pytest.mark.parametrize("fault", ["beyond", "other state"])
def test_planted_faults_are_noticed(monkeypatch, fault):
    weights = smooth(8)
    if fault == "beyond":
        real = trim._allowed
        monkeypatch.setattr(trim, "_allowed", lambda batch, left: 1e4 * real(batch, left))
        monkeypatch.setattr(trim, "_better", lambda new, old, way: True)
    else:
        real = trim._quaternions
        monkeypatch.setattr(trim, "_quaternions", lambda gates: real(gates)[..., [0, 2, 1, 3]])
    with pytest.raises(VerificationError, match="do not mean the expression"):
        qattn.compile("w @ x", weights, max_error=1e-5)


def test_fidelity_takes_gates_out_only_where_it_pays():
    """On a machine that errs, the circuit with fewer gates is nearer to the truth."""
    weights = smooth(8)
    found = qattn.compile("w @ x", weights, max_error=0.02, objective="fidelity")
    assert found.verification.passed
    exact = qattn.compile("w @ x", weights, objective="fidelity")
    assert found.report.data["totals"]["fidelity_min"] > exact.report.data["totals"]["fidelity_min"]
    (note,) = (n for n in found.report.data["notes"] if n.startswith("objective fidelity"))
    assert "0 of 1 stay exact" in note


def test_fidelity_splits_the_budget_where_terms_cost_too_much():
    """All of a large budget on terms is worse than the exact circuits; a part of it is better."""
    weights = qattn.load_example(head=3, tokens=8)
    options = {"rows": [7], "components": [0], "max_error": 0.3, "objective": "fidelity"}
    found = qattn.compile(EXPRESSION, weights, **options)
    assert found.verification.passed
    (note,) = (n for n in found.report.data["notes"] if n.startswith("objective fidelity"))
    less, more, *_ = (float(word) for word in note.replace(",", "").split() if word[0].isdigit())
    assert less < more
    assert "0 of 1 stay exact" in note
    assert float(note.split("terms may take ")[1].split()[0]) < 1
