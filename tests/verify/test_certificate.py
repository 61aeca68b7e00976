"""Chains of links: what proves them, what refutes them, and what is neither."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import cirq
import numpy as np
import pytest
from helpers import make, random_circuit

import qattn_compiler as qattn
from qattn_compiler import targets, transpile_proof
from qattn_compiler.circuit.table import Builder, Circuit
from qattn_compiler.errors import OptionError, VerificationError
from qattn_compiler.passes.circuit.decompose import DecomposeTwoQubit
from qattn_compiler.passes.circuit.drop_negligible import DropNegligible
from qattn_compiler.passes.circuit.fuse_single_qubit import FuseSingleQubit
from qattn_compiler.passes.circuit.merge_rotations import MergeRotations
from qattn_compiler.search import Search, Track
from qattn_compiler.transpile_proof import Result, prove
from qattn_compiler.verify import certificate
from qattn_compiler.verify.certificate import Link, Proof, check, check_link


def chain(seed: int = 0) -> list[Link]:
    """Decompose, merge, fuse."""
    now = random_circuit(np.random.default_rng(seed), 6, 60)
    out = []
    for step in (DecomposeTwoQubit(), MergeRotations(), FuseSingleQubit()):
        after = step.run(now)
        out.append(Link(step.name, now, after))
        now = after
    return out


def whole(links: list[Link]) -> Link:
    return Link("whole", links[0].before, links[-1].after)


def test_a_chain_is_proved():
    links = chain()
    proof = check(whole(links), links)
    assert proof.equal is True
    assert proof.error < 1e-9
    assert not proof.unproved
    assert all(step.seconds >= 0 for step in proof.steps)
    assert proof.to_dict()["equal"] is True


@pytest.mark.parametrize("local", [False, True])
@pytest.mark.parametrize("threaded", [0, 10**9])
def test_a_wrong_link_is_refuted_or_left_open_but_never_proved(local, threaded, monkeypatch):
    monkeypatch.setattr(certificate, "THREADED", threaded)
    for row in range(0, 40, 3):
        links = [replace(link, local=local) for link in chain(row)]
        wrong = links[1].after.with_rows(np.delete(np.arange(len(links[1].after)), row % len(links[1].after)))
        links[1] = replace(links[1], after=wrong)
        links[2] = replace(links[2], before=wrong, after=FuseSingleQubit().run(wrong))
        assert check(whole(links), links).equal is not True


@pytest.mark.parametrize("threaded", [0, 10**9])
def test_what_was_dropped_stands_apart(threaded, monkeypatch):
    """Parts of one tolerance are proved at once, and a wrong one beside a loose one is never proved."""
    monkeypatch.setattr(certificate, "THREADED", threaded)
    builder, rng = Builder(range(6)), np.random.default_rng(3)
    for k in range(300):
        a, b = rng.permutation(6)[:2].tolist()
        builder.add("rx", [a], [float(rng.uniform(-3, 3)) * (1e-6 if k % 20 == 0 else 1.0)])
        builder.add("cz", [a, b])
    now, links, dropped = builder.build(), [], 0.0
    for step in (MergeRotations(), DropNegligible(1e-5), MergeRotations(), FuseSingleQubit()):
        after = step.run(now)
        loose = isinstance(step, DropNegligible)
        dropped += step.dropped(now) if loose else 0.0
        links.append(Link(step.name, now, after, tolerance=1e-5 if loose else 1e-9, local=not loose))
        now = after
    proof = check(replace(whole(links), tolerance=1e-5, local=True), links)
    assert proof.equal is True
    assert 0 < proof.error <= dropped
    wrong = links[3].after.with_rows(np.arange(len(links[3].after) - 1))
    links[3] = replace(links[3], after=wrong)
    assert check(replace(whole(links), tolerance=1e-5, local=True), links).equal is not True


@pytest.mark.parametrize("threaded", [0, 10**9])
def test_parts_that_move_qubits_are_proved_by_halves(threaded, monkeypatch):
    """Qubits renamed at random in every part: what the halves claim is composed rightly."""
    monkeypatch.setattr(certificate, "THREADED", threaded)
    rng = np.random.default_rng(threaded % 7)
    now, links = random_circuit(rng, 6, 60), []
    for _ in range(5):
        place = rng.permutation(6)
        wires = np.where(now.operands >= 0, place[now.operands], -1).astype(now.operands.dtype)
        after = MergeRotations().run(replace(now, operands=wires))
        links.append(Link(f"part {len(links)}", now, after, initial=place, final=place))
        now = after
    composed = np.arange(6)
    for link in links:
        composed = np.asarray(link.final)[composed]
    claim = Link("whole", links[0].before, now, composed, composed)
    checked, real = [], certificate.check_link

    def only_parts(link: Link, *given: int) -> certificate.Step:
        checked.append(link.name)
        found = real(link, *given)
        assert found.equal is True
        return replace(found, equal=None) if len(checked) in (1, 2) else found

    monkeypatch.setattr(certificate, "check_link", only_parts)
    proof = check(claim, links)
    assert proof.equal is True
    assert checked[0] == "whole"
    assert any(" to " in name for name in checked[1:])
    assert 1 < len(proof.steps) < len(links)
    monkeypatch.setattr(certificate, "check_link", real)
    swapped = replace(claim, final=composed[[1, 0, 2, 3, 4, 5]])
    with pytest.raises(VerificationError, match="final layout"):
        check(swapped, links)


@pytest.mark.parametrize("local", [False, True])
def test_where_windows_come_first_the_verdict_is_the_same(local):
    for seed in range(20):
        links = [replace(link, local=local) for link in chain(seed)]
        assert check_link(replace(whole(links), local=local)).equal is True
        wrong = replace(links[0].before, angles=links[0].before.angles + 0.01)
        assert check_link(Link("wrong", wrong, links[0].after, local=local)).equal is not True


def test_links_must_fit():
    links = chain()
    other = links[0].before
    with pytest.raises(VerificationError, match="no chain"):
        check(replace(whole(links), after=_turned(links[-1].after)), links)
    with pytest.raises(VerificationError, match="layout"):
        check_link(Link("short", other, other, initial=[0, 1]))
    moved = replace(whole(links), final=[1, 0, 2, 3, 4, 5])
    with pytest.raises(VerificationError, match="final layout"):
        check(moved, links)


def _turned(circuit: Circuit) -> Circuit:
    return circuit.with_rows(np.arange(len(circuit))[::-1])


def test_the_same_object_needs_no_check():
    circuit = make(2, ("h", 0))
    assert check_link(Link("nothing", circuit, circuit)).method == "same object"
    assert check_link(Link("moved", circuit, circuit, final=[1, 0])).equal is not True


def test_what_was_dropped_is_an_error_and_no_refutation():
    a = make(2, ("rx", 0, 3e-6), ("cx", (0, 1)), ("rz", 1, 0.4), ("rz", 0, 1e-6))
    b = DropNegligible(1e-5).run(a)
    assert len(b) == 2
    step = check_link(Link("drop", a, b, tolerance=1e-5))
    assert step.equal is True
    assert step.error == pytest.approx(2e-6)
    assert check_link(Link("drop", a, b)).equal is not True
    large = make(2, ("cx", (0, 1)), ("rz", 1, 0.5))
    assert check_link(Link("drop", a, large, tolerance=1e-5)).equal is not True


def test_a_difference_that_a_measurement_hides_is_left_open():
    def measured(first: bool) -> Circuit:
        builder = Builder(range(1))
        builder.add("rx", [0], [0.3])
        builder.measure([0], "m")
        if first:
            builder.add("rz", [0], [0.3])
        return builder.build()

    assert check_link(Link("hidden", measured(True), measured(False))).equal is None


def test_proofs_of_nothing():
    assert Proof.of([]).equal is True
    empty = make(0)
    assert check(Link("empty", empty, empty)).equal is True


# -- a transpile


def transpiled(
    source: Circuit, level: int, atol: float = 1e-8, target: str = "google.willow"
) -> tuple[Result, Track]:
    machine, track = targets.get(target), Track(atol, proves=True)
    routed, chosen = Search(machine, level, 0, "count", track).routed(source)
    native = machine.physical_passes(level, atol).run(routed.circuit, track.hook("physical"))
    return Result(source, chosen, routed, native, machine.to_cirq(native)), track


@pytest.mark.parametrize("level", [0, 1, 2])
def test_a_hundred_qubits_are_proved_and_their_faults_found(level):
    rng = np.random.default_rng(level)
    source = random_circuit(rng, 100, 400, ("rx", "rz", "cz", "cx", "h", "t", "rzz"), symbolic=0.1)
    result, track = transpiled(source, level)
    found = prove(result, track)
    assert found.passed is True
    assert found.error <= found.tolerance
    assert "every link proved" in found.method
    row = int(np.flatnonzero(np.abs(result.native.angles[:, 0]) > 0.1)[7])
    angles = result.native.angles.copy()
    angles[row, 0] += 1e-3
    wrong = replace(result.native, angles=angles)
    for bad in (
        replace(result, native=wrong, written=targets.get("google.willow").to_cirq(wrong)),
        replace(result, written=targets.get("google.willow").to_cirq(wrong)),
        replace(result, source=result.source.with_rows(np.arange(1, len(source)))),
        replace(result, routed=replace(result.routed, initial=result.routed.initial[::-1])),
        replace(result, routed=replace(result.routed, final=result.routed.final[::-1])),
    ):
        with suppress(VerificationError):
            assert prove(bad, track).passed is not True


def test_more_error_than_allowed_is_not_passed(monkeypatch):
    """Rounding with a large `atol` must not hide an angle that is wrong by less than it."""
    monkeypatch.setattr(transpile_proof, "MAX_UNITARY", 0)
    source = make(2, ("rx", 0, 0.4), ("cx", (0, 1)), ("t", 1), ("h", 0), ("rx", 0, np.pi / 2))
    result, track = transpiled(source, 1, atol=1e-3)
    assert prove(result, track).passed is True
    angles = source.angles.copy()
    angles[4, 0] += 5e-4
    assert prove(replace(result, source=replace(source, angles=angles)), track).passed is not True


def test_verify_is_auto_true_or_false():
    circuit = cirq.Circuit(cirq.CX(*cirq.LineQubit.range(2)))
    for verify, passed in (("auto", True), (True, True), (False, None)):
        assert qattn.transpile(circuit, verify=verify).verification.passed is passed
    with pytest.raises(OptionError, match="verify"):
        qattn.transpile(circuit, verify="always")
