"""Random weights with zeros, ties, signs, denormals and one-hot rows: synthesis and encodings stay exact."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import unitary
from hypothesis import example, given, settings
from hypothesis import strategies as st

import qattn_compiler as qattn
from qattn_compiler import targets
from qattn_compiler.circuit.table import Builder
from qattn_compiler.synth.chip_multiplexor import plan_multiplexor
from qattn_compiler.synth.chip_state import plan_state
from qattn_compiler.synth.complex_state import add_complex_state
from qattn_compiler.synth.multiplexor import add_multiplexor, multiplexor_angles
from qattn_compiler.synth.schmidt import SchmidtState
from qattn_compiler.synth.sparse_state import add_sparse_state, sparse_steps
from qattn_compiler.synth.state_prep import add_real_state, real_state_angles

KINDS = ("random", "zeros", "ties", "signs", "denormal", "one-hot", "minus one-hot", "peaked", "tiny")
ENCODINGS = {
    "amplitude": 9,
    "coherent": 5,
    "coherent-state": 4,
    "hadamard": 6,
    "qcrank": 6,
    "lcu": 5,
    "swap": 4,
    "swap-ancilla": 3,
    "unary": 4,
    "block": 4,
}
"""Encoding -> terms of a row up to which it is tried here."""


def row(rng: np.random.Generator, kind: str, count: int) -> np.ndarray:
    """Numbers of that kind; not all of them 0."""
    out = rng.normal(size=count)
    if kind == "zeros":
        out *= rng.choice([0.0, -0.0, 1.0], count)
    elif kind == "ties":
        out = rng.choice([0.25, -0.25, 1.0], count)
    elif kind == "signs":
        out = np.abs(out) * rng.choice([1.0, -1.0], count)
    elif kind == "denormal":
        out = np.where(rng.random(count) < 0.5, rng.choice([5e-324, -5e-324, 1e-310], count), out)
    elif kind in ("one-hot", "minus one-hot"):
        out = np.eye(count)[rng.integers(count)] * (1 if kind == "one-hot" else -1)
    elif kind == "peaked":
        out = np.exp(rng.normal(size=count) * 20)
    elif kind == "tiny":
        out *= 1e-160
    return out if np.abs(out).max() > 1e-300 else np.eye(count)[0]


def radians(rng: np.random.Generator, kind: str, count: int) -> np.ndarray:
    """Such numbers as angles: large ones would be known to fewer digits only."""
    numbers = row(rng, kind, count)
    return 4 * numbers / max(1.0, np.abs(numbers).max())


def state(rng: np.random.Generator, kind: str, size: int) -> np.ndarray:
    numbers = row(rng, kind, 2**size)
    numbers = numbers / np.abs(numbers).max()
    return numbers / np.linalg.norm(numbers)


seeds, kinds = st.integers(0, 10**6), st.sampled_from(KINDS)


def away(builder: Builder, wanted: np.ndarray) -> float:
    """Of the circuit's state, up to a phase."""
    found = unitary(builder.build())[:, 0]
    overlap = np.vdot(wanted, found)
    return float(np.abs(found - wanted * overlap / abs(overlap)).max())


@given(seeds, kinds, st.integers(1, 6))
@example(4, "peaked", 4)
@settings(deadline=None, max_examples=60)
def test_states(seed, kind, size):
    rng = np.random.default_rng(seed)
    wanted = state(rng, kind, size)
    builder = Builder(range(size))
    add_real_state(builder, real_state_angles(wanted).tolist(), range(size))
    assert away(builder, wanted) < 1e-12
    for form in ("short", "closed"):
        plan = SchmidtState.of(size, wanted[None], form=form)
        builder = Builder(range(size))
        try:
            plan.add(builder, plan.angles(wanted).tolist(), range(size))
        except ArithmeticError:
            assert form == "short"
            continue
        assert away(builder, wanted) < 1e-11
    turned = wanted * np.exp(1j * radians(rng, kind, 2**size))
    builder = Builder(range(size))
    add_complex_state(builder, turned, range(size))
    assert away(builder, turned) < 1e-11
    for one in (wanted.astype(complex), turned):
        steps = sparse_steps(one, 10**6)
        builder = Builder(range(size))
        add_sparse_state(builder, steps, range(size))
        assert away(builder, one) < 1e-11


@given(seeds, kinds, st.sampled_from(["line:5", "grid:2x3", "star:5"]))
@settings(deadline=None, max_examples=15)
def test_states_on_machines(seed, kind, name):
    wanted = state(np.random.default_rng(seed), kind, 4)
    plan = plan_state(targets.get(name).device, 4)
    builder = Builder(range(4))
    plan.add(builder, plan.angles(wanted).tolist(), range(4))
    assert away(builder, wanted) < 1e-12


@given(seeds, kinds, st.integers(0, 5), st.sampled_from(["x", "y"]), st.sampled_from(["full:6", "line:6"]))
@settings(deadline=None, max_examples=40)
def test_multiplexors(seed, kind, controls, axis, name):
    angles = radians(np.random.default_rng(seed), kind, 2**controls)
    pauli = np.array([[0, 1], [1, 0]] if axis == "x" else [[0, -1j], [1j, 0]])
    wanted = np.zeros((2**controls, 2, 2**controls, 2), dtype=complex)
    for k, angle in enumerate(angles):
        wanted[k, :, k, :] = np.cos(angle / 2) * np.eye(2) - 1j * np.sin(angle / 2) * pauli
    wanted = wanted.reshape(2 ** (controls + 1), -1)
    builder = Builder(range(controls + 1))
    turns = multiplexor_angles(angles).tolist()
    add_multiplexor(builder, axis, turns, range(controls), controls, drop_last=False)
    np.testing.assert_allclose(unitary(builder.build()), wanted, atol=1e-12)
    plan = plan_multiplexor(targets.get(name).device, controls, angles=angles)
    builder = Builder(range(controls + 1))
    plan.add(builder, axis, plan.angles(angles), range(controls + 1))
    split = wanted.reshape(*(2,) * (controls + 1), -1)
    moved = np.moveaxis(split, range(controls + 1), plan.ends.tolist()).reshape(wanted.shape)
    found = unitary(builder.build())
    phase = np.vdot(moved, found)
    np.testing.assert_allclose(found, moved * phase / abs(phase), atol=1e-9)


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(seed=seeds, first=kinds, second=kinds, third=kinds)
@settings(deadline=None, max_examples=8)
def test_weighted_sums(encoding, seed, first, second, third):
    """The proof holds every circuit against its blocks and every number against the reference."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, ENCODINGS[encoding] + 1))
    weights = np.stack([row(rng, kind, count) for kind in (first, second)])
    values = np.stack([row(rng, third, count), rng.normal(size=count)], axis=1)
    found = qattn.compile(
        "w @ x", {"w": weights, "x": values}, encoding=encoding, target="full:12", optimization_level=1
    )
    assert found.verification.passed
    scale = max(1.0, found.report.data["scale_max"])
    assert np.abs(found.evaluate() - weights @ values).max() <= 1e-9 * scale
