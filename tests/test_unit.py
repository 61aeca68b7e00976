"""Units: blocks placed on the machine are a candidate of every compile, and circuits may be taken apart."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest

import qattn_compiler as qattn
from qattn_compiler import unit as units
from qattn_compiler.lower import lcu, swap
from qattn_compiler.lower.batch import Terms
from qattn_compiler.targets import get
from qattn_compiler.unit import Way, compile_unit


def numbers(count: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(count)
    return {"w": rng.dirichlet(np.ones(count)), "x": rng.normal(size=count)}


def names(found) -> list[str]:
    return [step["pass"] for one in found.report.data["structures"] for step in one["passes"]]


def without_placement(monkeypatch, *arguments, **options):
    with monkeypatch.context() as patch:
        patch.setattr(units, "PLACED", dict.fromkeys(range(4), inf))
        return qattn.compile(*arguments, **options)


@pytest.mark.parametrize(("encoding", "count", "target"), [("lcu", 64, "line:10"), ("swap", 128, "line:20")])
def test_placed_blocks_save_gates(monkeypatch, encoding, count, target):
    """Where a router has to bring every control to its target, blocks built where they lie take fewer."""
    given = ("w @ x", numbers(count))
    options = {"encoding": encoding, "target": target}
    routed = without_placement(monkeypatch, *given, **options, verify=False)
    placed = qattn.compile(*given, **options)
    assert placed.verification.passed
    assert "place blocks" in names(placed)
    assert "place blocks" not in names(routed)
    assert placed.report.data["totals"]["gates_2q"] <= 0.95 * routed.report.data["totals"]["gates_2q"]


def test_numbers_come_later(monkeypatch):
    """Structure once: templates are symbolic, placed or not."""
    given = numbers(64)
    options = {"encoding": "lcu", "target": "line:10", "free": {"w": (64,)}}
    free = qattn.compile("w @ x", {"x": given["x"]}, **options)
    assert free.verification.passed
    routed = without_placement(monkeypatch, "w @ x", {"x": given["x"]}, **options, verify=False)
    assert free.report.data["totals"]["gates_2q"] < routed.report.data["totals"]["gates_2q"]
    for seed in (1, 2):
        bound = free.bind({"w": np.random.default_rng(seed).dirichlet(np.ones(64))})
        assert bound.verification.passed


@pytest.mark.parametrize(("target", "count"), [("full:10", 64), ("google.willow", 8)])
def test_not_asked_where_it_cannot_win_or_is_not_cheap(target, count):
    """All-to-all there is no SWAP to save; small structures are routed well."""
    assert "place blocks" not in names(
        qattn.compile("w @ x", numbers(count), encoding="lcu", target=target, verify=False)
    )


def test_level_three_always_asks():
    found = qattn.compile(
        "w @ x", numbers(8), encoding="lcu", target="line:6", optimization_level=3, verify=False
    )
    assert "place blocks" in names(found)


@pytest.mark.parametrize("encoding", [lcu.encode, swap.encode])
@pytest.mark.parametrize("objective", ["count", "depth", "fidelity"])
def test_every_objective_keeps_the_better_one(encoding, objective, monkeypatch):
    given = numbers(32)
    (batch,) = encoding(Terms(given["w"][None], given["x"][None], np.zeros(1)))
    way = Way(get("google.willow"), 3, objective=objective)
    asked = compile_unit(batch, way, bound=True)
    monkeypatch.setattr(units, "PLACED", dict.fromkeys(range(4), inf))
    assert way.price(asked) <= way.price(compile_unit(batch, way, bound=True))


def test_some_of_the_circuits():
    weights = qattn.load_example(head=0, tokens=8)
    found = qattn.compile("softmax(Q @ K.T / sqrt(d)) @ V", weights, rows=[1], verify=False)
    (unit,) = found.units
    some = unit.take(np.array([5, 2]))
    assert some.batch.circuits == 2
    assert some.batch.position.tolist() == [p for p in unit.batch.position.tolist() if p in (5, 2)]
    by_place = dict(zip(unit.batch.position.tolist(), unit.expectations()[unit.batch.member], strict=True))
    own = some.expectations()[some.batch.member]
    assert own == pytest.approx([by_place[p] for p in some.batch.position.tolist()], abs=1e-14)
