"""Hot loop of parity networks."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray


@numba.njit(cache=True, nogil=True)
def gray_synth(parities: NDArray[np.uint8], limit: int) -> tuple[NDArray[np.int64], int]:
    """CX gates that bring each parity onto some wire at some time.

    GraySynth: Amy, Azimzadeh, Mosca, "On the controlled-NOT complexity of controlled-NOT-phase circuits",
    Quantum Sci. Technol. 4, 015002 (2018), algorithm 1. A stack holds sets of parities that agree on the
    wires split so far; a set that has a target wire is moved onto it.

    Args:
        parities: shape (m, n): 0 or 1, none of them empty.
        limit: give up when there are more CX than this.

    Returns:
        steps of shape (count, 3): (control, target, -1) for a CX, (-1, wire, parity) where a parity stands on
        a wire; and the number of CX (-1: given up).
    """
    m, n = parities.shape
    y = parities.copy()
    weight = np.zeros(m, dtype=np.int64)
    waiting = np.ones(m, dtype=np.bool_)
    steps = np.zeros((2 * m + 64, 3), dtype=np.int64)
    count, gates = 0, 0
    for k in range(m):
        for q in range(n):
            weight[k] += y[k, q]
        if weight[k] == 1:
            steps, count = _stands(steps, count, y, k)
            waiting[k] = False
    # the stack: members (by a shared array of rows and bounds), wires left to split, target wire
    order = np.arange(m)
    bounds = np.zeros((2 * n + m + 2, 2), dtype=np.int64)
    left = np.ones((2 * n + m + 2, n), dtype=np.bool_)
    target = np.full(2 * n + m + 2, -1, dtype=np.int64)
    bounds[0, 1] = m
    depth = 1
    while depth > 0:
        depth -= 1
        begin, end = bounds[depth]
        goal = target[depth]
        if begin == end:
            continue
        if goal >= 0:
            steps, count, more = _onto(y, weight, waiting, order, begin, end, goal, steps, count)
            gates += more
            if gates > limit:
                return steps[:0], -1
        end = _still(order, waiting, begin, end)
        if begin == end:
            continue
        wire = _split_wire(y, order, begin, end, left[depth])
        if wire < 0:
            continue
        middle = _zeros_first(y, order, begin, end, wire)
        remaining = left[depth].copy()
        remaining[wire] = False
        # the ones come later: they are below the zeros on the stack
        bounds[depth, 0], bounds[depth, 1] = middle, end
        left[depth] = remaining
        target[depth] = wire if goal < 0 else goal
        bounds[depth + 1, 0], bounds[depth + 1, 1] = begin, middle
        left[depth + 1] = remaining
        target[depth + 1] = goal
        depth += 2
    return steps[:count].copy(), gates


@numba.njit(cache=True, nogil=True)
def _onto(
    y: NDArray[np.uint8],
    weight: NDArray[np.int64],
    waiting: NDArray[np.bool_],
    order: NDArray[np.int64],
    begin: int,
    end: int,
    goal: int,
    steps: NDArray[np.int64],
    count: int,
) -> tuple[NDArray[np.int64], int, int]:
    """CX onto a wire from all others on which every parity of a set is 1; steps, their number, CX added."""
    gates = 0
    control = _common(y, order, begin, end, goal)
    while control >= 0:
        if count + 1 >= len(steps):
            steps = _longer(steps)
        steps[count, 0], steps[count, 1], steps[count, 2] = control, goal, -1
        count += 1
        gates += 1
        for k in range(len(y)):
            if not waiting[k] or not y[k, goal]:
                continue
            y[k, control] ^= 1
            weight[k] += 1 if y[k, control] else -1
            if weight[k] == 1:
                steps, count = _stands(steps, count, y, k)
                waiting[k] = False
        end = _still(order, waiting, begin, end)
        control = _common(y, order, begin, end, goal)
    return steps, count, gates


@numba.njit(cache=True, nogil=True)
def _longer(steps: NDArray[np.int64]) -> NDArray[np.int64]:
    out = np.zeros((2 * len(steps), 3), dtype=np.int64)
    out[: len(steps)] = steps
    return out


@numba.njit(cache=True, nogil=True)
def _stands(
    steps: NDArray[np.int64], count: int, y: NDArray[np.uint8], k: int
) -> tuple[NDArray[np.int64], int]:
    """Note that a parity stands on the one wire that it is made of."""
    if count + 1 >= len(steps):
        steps = _longer(steps)
    steps[count, 0], steps[count, 1], steps[count, 2] = -1, y[k].argmax(), k
    return steps, count + 1


@numba.njit(cache=True, nogil=True)
def _common(y: NDArray[np.uint8], order: NDArray[np.int64], begin: int, end: int, goal: int) -> int:
    """A wire beside the goal on which all parities of a set are 1, or -1."""
    if begin == end:
        return -1
    for q in range(y.shape[1]):
        if q == goal:
            continue
        every = True
        for i in range(begin, end):
            if not y[order[i], q]:
                every = False
                break
        if every:
            return q
    return -1


@numba.njit(cache=True, nogil=True)
def _still(order: NDArray[np.int64], waiting: NDArray[np.bool_], begin: int, end: int) -> int:
    """Move the parities of a set that still wait to its front; where they end."""
    to = begin
    for i in range(begin, end):
        if waiting[order[i]]:
            order[to], order[i] = order[i], order[to]
            to += 1
    return to


@numba.njit(cache=True, nogil=True)
def _split_wire(
    y: NDArray[np.uint8], order: NDArray[np.int64], begin: int, end: int, left: NDArray[np.bool_]
) -> int:
    """The wire on which the parities of a set agree most."""
    best, wire = -1, -1
    for q in range(y.shape[1]):
        if not left[q]:
            continue
        ones = 0
        for i in range(begin, end):
            ones += y[order[i], q]
        agree = max(ones, end - begin - ones)
        if agree > best:
            best, wire = agree, q
    return wire


@numba.njit(cache=True, nogil=True)
def _zeros_first(y: NDArray[np.uint8], order: NDArray[np.int64], begin: int, end: int, wire: int) -> int:
    """Sort a set by its value on a wire; where the ones begin."""
    to = begin
    for i in range(begin, end):
        if not y[order[i], wire]:
            order[to], order[i] = order[i], order[to]
            to += 1
    return to
