"""Hypothesis strategies over the generators of `fuzzing`: expressions, weights, Cirq circuits with
everything, coupling graphs, machines, pipelines, hostile texts. hypothesis shrinks the decisions."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import cirq
import networkx as nx
import numpy as np
from hypothesis import strategies as st

sys.path.append(str(Path(__file__).parent / "expr"))

from fuzzing import circuits as circuit_choices
from fuzzing import graphs as graph_choices
from fuzzing import hostile, meaning
from fuzzing.choices import Choices
from fuzzing.mutate import mutated

Made = TypeVar("Made")


class Drawn(Choices):
    """Decisions that hypothesis makes."""

    def __init__(self, draw: st.DrawFn) -> None:
        super().__init__(0)
        self.draw = draw

    def _next(self, count: int) -> int:
        return self.draw(st.integers(0, count - 1))


def by(make: Callable[[Choices], Made]) -> st.SearchStrategy[Made]:
    """The strategy of what a generator makes."""
    return st.composite(lambda draw: make(Drawn(draw)))()


def cirq_circuits(**limits: Any) -> st.SearchStrategy[cirq.Circuit]:
    """Circuits of all of Cirq's gates; see `fuzzing.circuits.circuit`."""
    return by(lambda c: circuit_choices.circuit(c, **limits))


def coupling_graphs(most: int = 9) -> st.SearchStrategy[nx.Graph[Any]]:
    """Paths, trees, rings, stars, grids with holes, hexagons, complete graphs, two components."""
    return by(lambda c: graph_choices.graph(c, most))


def machines(most: int = 9) -> st.SearchStrategy[Any]:
    """Machines on such graphs, with any entangler and basis."""
    return by(lambda c: graph_choices.machine(c, most))


def expressions() -> st.SearchStrategy[Any]:
    """Closed expressions over `random_exprs.VALUES`."""
    return by(meaning.any_expression)


def pipelines() -> st.SearchStrategy[Any]:
    """Passes in any order, with options."""
    return by(meaning.any_pipeline)


def weights(shapes: dict[str, tuple[int, ...]]) -> st.SearchStrategy[dict[str, np.ndarray[Any, Any]]]:
    """Arrays of these shapes: ordinary numbers, zeros, ties, very large and very small ones."""
    return by(lambda c: meaning.any_weights(c, shapes))


def hostile_texts() -> st.SearchStrategy[str]:
    """What was an expression once."""
    return by(lambda c: mutated(c, hostile.EXPRESSIONS, hostile.TOKENS))
