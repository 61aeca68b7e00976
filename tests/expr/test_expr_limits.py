"""What would take too much memory or time is refused by its shapes, before anything is allocated."""

from __future__ import annotations

import numpy as np
import pytest

import qattn_compiler as qattn
from qattn_compiler.errors import ShapeError
from qattn_compiler.expr import shapes
from qattn_compiler.expr.evaluate import evaluate
from qattn_compiler.frontends import parse

LONG, SOME = np.ones((200_000, 1)), np.ones(30_000)
WEIGHTS = {"Q": LONG, "K": LONG, "V": LONG, "x": SOME, "y": SOME, "z": SOME}
GIGA = "1000000000"
TOO_LARGE = {
    "softmax(Q @ K.T) @ V": (r"Q @ K\.T is too large: 4e\+10 entries, 3.2e\+11 bytes; at most 2.15 GB"),
    "Q @ (K.T @ V) + sum(Q @ K.T)": r"Q @ K\.T is too large",
    "sum(x[i] * y[j] for i in range(n) for j in range(n))": r"adds up 9e\+08 terms; at most 67108864",
    f"sum(x[0] for i in range({'9' * 15}))": r"adds up 1e\+15 terms",
    f"sum(sum(x[0] for i in range({GIGA})) for j in range({GIGA}))": r"adds up 1e\+09 terms",
}


@pytest.mark.parametrize(("text", "says"), TOO_LARGE.items())
@pytest.mark.parametrize("run", [evaluate, lambda e, w: qattn.compile(e, w, rows=0)])
def test_what_is_too_large(run, text, says):
    used = {name: value for name, value in WEIGHTS.items() if name in text}
    with pytest.raises(ShapeError, match=says) as caught:
        run(parse(text), used)
    assert len(caught.value.errors) == 1
    assert len(str(caught.value)) < 1000


def test_many_sums_of_sums_have_a_number_of_terms_without_end():
    text = "x[0]"
    for index in range(12):
        text = f"sum({text} for i{index} in range({'9' * 15}))"
    with pytest.raises(ShapeError, match=r"adds up (1e|far too many)"):
        evaluate(parse(text), {"x": SOME})


def test_the_limits_themselves_are_allowed(monkeypatch):
    monkeypatch.setattr(shapes, "MAX_ENTRIES", 9)
    monkeypatch.setattr(shapes, "MAX_STEPS", 6)
    three, two = np.ones((3, 1)), np.ones(2)
    assert evaluate(parse("sum(Q @ K.T)"), {"Q": three, "K": three}) == 9
    text = "sum(x[i] * y[j] for i in range(2) for j in range(3)) + sum(x[i] for i in range(2))"
    assert evaluate(parse(text), {"x": two, "y": np.ones(3)}) == 8
    for name in ("MAX_ENTRIES", "MAX_STEPS"):
        with monkeypatch.context() as lower:
            lower.setattr(shapes, name, getattr(shapes, name) - 1)
            with pytest.raises(ShapeError, match="at most"):
                evaluate(
                    parse("sum(Q @ K.T)" if name == "MAX_ENTRIES" else text),
                    {
                        "Q": three,
                        "K": three,
                        "x": two,
                        "y": np.ones(3),
                    },
                )
