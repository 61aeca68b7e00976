"""Choice: a route that a search has found, and how it is written down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.device import Device
from qattn_compiler.passes.circuit.problem import Layout, Problem, chip_of, homes, read, zones
from qattn_compiler.passes.circuit.starts import grown

if TYPE_CHECKING:
    from qattn_compiler.passes.circuit.kernels import Chip, Dag

_LONG: Final = 8_000
"""Gates from which on a search sees the first quarter of so many."""


@dataclass(frozen=True, eq=False)
class Choice:
    """A route.

    Attributes:
        layout: where it starts.
        events: gates and SWAPs, as the kernel records them.
        total: its price.
    """

    layout: Layout
    events: NDArray[np.int32]
    total: float


def beginning(problem: Problem) -> Problem:
    """The problem, or the beginning of a long one."""
    hard = problem.eras.hard
    return read(problem.circuit.with_rows(np.arange(hard[_LONG // 4]))) if len(hard) > _LONG else problem


def through(
    problem: Problem,
    device: Device,
    layout: Layout,
    knobs: NDArray[np.float64],
    how: int,
    seed: int,
    movable: bool,
) -> Choice:
    """One pass over a long circuit, from the layout that is best for its beginning.

    Args:
        knobs: shape (NUM_KNOBS,): set number `how`.
        movable: whether another layout may be taken.
    """
    # Idle in the beginning is not idle for good: only a layout that keeps the parts together will do.
    home = homes(problem, device)
    if movable and ((home >= 0) & (zones(device)[layout] != home)).any():
        layout = grown(problem, device, home, 0, np.random.default_rng(seed))
    dag, _ = problem.ways[how % len(problem.ways)]
    return Choice(layout, record(dag, chip_of(device), layout, knobs, seed), 0.0)


def record(dag: Dag, chip: Chip, layout: Layout, knobs: NDArray[np.float64], seed: int) -> NDArray[np.int32]:
    """Repeat a pass of the search, this time recording its events."""
    from qattn_compiler.passes.circuit import kernels

    room = 5 * len(dag.first) + 64
    while True:
        events = np.full((room, 2), -1, np.int32)
        used = kernels.turn(dag, dag, chip, layout, knobs, seed, _UNPRICED, np.inf, False, events)[-1]
        if used <= room:
            return events[:used].copy()
        room = used


_UNPRICED: Final = np.zeros(4)
