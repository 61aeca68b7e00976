"""encoding="auto": what it chooses, and what it says of it."""

from __future__ import annotations

import numpy as np
import pytest

import qattn_compiler as qattn
from qattn_compiler.auto import OTHERS, cost_of
from qattn_compiler.errors import LoweringError, OptionError, TargetError
from qattn_compiler.job import ENCODINGS

EXPRESSION = "softmax(Q @ K.T / sqrt(d)) @ V"


def cost(compiled):
    return sum(cost_of(unit, 0.01) for unit in compiled.units)


@pytest.mark.parametrize("target", ["full:16", "google.willow"])
def test_nothing_tried_costs_less(target):
    weights = qattn.load_example(head=0, tokens=8)
    chosen = {"rows": [0, 3], "components": [1, 2, 7], "target": target}
    auto = qattn.compile(EXPRESSION, weights, encoding="auto", **chosen)
    assert auto.verification.passed
    data = auto.report.to_dict()
    notes = [note for note in data["notes"] if note.startswith("auto: ")]
    assert f"encoding {data['encoding']} was chosen" in notes[0]
    assert data["options"]["encoding"] == "auto"
    tried = [note.split(": ")[1] for note in notes[1:] if " cost " in note]
    assert tried[0] == data["encoding"]
    assert {note.split(": ")[1].split(" ")[0] for note in notes[1:]} == set(ENCODINGS) - set(OTHERS)
    costs = {name: cost(qattn.compile(EXPRESSION, weights, encoding=name, **chosen)) for name in tried}
    assert cost(auto) == pytest.approx(min(costs.values()))
    assert list(costs) == sorted(costs, key=lambda name: costs[name])


def test_free_tensors_are_bound_in_the_encoding_chosen():
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(3, 4)), rng.normal(size=(4, 3))
    free = qattn.compile("x @ w", {"w": w}, free={"x": (3, 4)}, encoding="auto", target="full:12")
    for values in (x, np.ones((3, 4))):
        np.testing.assert_allclose(free.bind({"x": values}).evaluate(), values @ w, atol=1e-9)


def test_when_nothing_fits():
    with pytest.raises(LoweringError, match="no weighted sum"):
        qattn.compile("relu(A)", {"A": np.ones(2)}, encoding="auto")
    with pytest.raises(LoweringError, match="amplitude encoding"):
        qattn.compile("A @ B", {"A": np.ones((1, 20000)), "B": np.ones((20000, 1))}, encoding="auto")
    with pytest.raises(TargetError):
        qattn.compile("A @ B", {"A": np.ones((1, 8)), "B": np.ones((8, 2))}, encoding="auto", target="full:2")
    with pytest.raises(OptionError, match="auto"):
        qattn.compile("A @ B", {"A": np.ones((1, 2)), "B": np.eye(2)}, encoding="automatic")
