"""The decisions of a generator: drawn at random and remembered, or given.

A case is the list of its decisions. So a failure is repeated by its list, shrunk by making the list shorter
and its numbers smaller (0 is always the plainest choice), and one generator serves the fuzzer, hypothesis
(`strategies.py`) and coverage-guided fuzzing, which brings bytes (`Given.of_bytes`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from random import Random
from time import monotonic
from typing import Any

import numpy as np

SPECIAL = (0.0, 1.0, -1.0, 0.5, math.pi, 1e-9, -1e-13, 2 * math.pi - 1e-15, 1e6, 1e-300, 5e-324, -1e4)


class Choices:
    """Random decisions. `made` is what was decided so far."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.made: list[int] = []

    def _next(self, count: int) -> int:
        return self.random.randrange(count)

    def below(self, count: int) -> int:
        """A whole number, at least 0 and less than `count`."""
        value = self._next(count)
        self.made.append(value)
        return value

    def between(self, low: int, high: int) -> int:
        """A whole number; both ends are possible, `low` is the plainest."""
        return low + self.below(high - low + 1)

    def pick(self, items: Sequence[Any]) -> Any:
        """One of them; the first is the plainest."""
        return items[self.below(len(items))]

    def chance(self, percent: int) -> bool:
        """True in so many percent of all cases."""
        return self.below(100) >= 100 - percent

    def shuffled(self, items: Sequence[Any]) -> list[Any]:
        """In any order; decisions of 0 keep the order."""
        left = list(items)
        return [left.pop(self.below(len(left))) for _ in range(len(left))]

    def number(self) -> float:
        """A fraction of a turn, any number of ordinary size, or an odd one."""
        kind = self.below(8)
        if kind < 4:
            return self.between(-8, 8) / 4
        return float(self.pick(SPECIAL)) if kind == 4 else self.between(-4000, 4000) / 997

    def rng(self) -> np.random.Generator:
        """For what need not shrink."""
        return np.random.default_rng(self.below(1 << 32))


class Given(Choices):
    """Decisions that were made before; 0 after their end."""

    def __init__(self, decisions: Sequence[int]) -> None:
        super().__init__(0)
        self.left: Iterator[int] = iter(decisions)

    @staticmethod
    def of_bytes(data: bytes) -> Given:
        """Four bytes for each decision."""
        return Given(np.frombuffer(data[: len(data) // 4 * 4], dtype="<u4").tolist())

    def _next(self, count: int) -> int:
        return next(self.left, 0) % count


def shrink(fails: Callable[[list[int]], bool], made: Sequence[int], seconds: float = 6.0) -> list[int]:
    """A shorter and smaller list that still fails.

    Args:
        fails: whether a list of decisions fails in the same way.
        made: one that does.
        seconds: how long to try.
    """
    best, end = list(made), monotonic() + seconds
    improved = True
    while improved:
        improved = False
        for shorter in _smaller(best):
            if monotonic() > end:
                return best
            if shorter < best if len(shorter) == len(best) else len(shorter) < len(best):  # noqa: SIM102
                if fails(shorter):
                    best, improved = shorter, True
                    break
    return best


def _smaller(made: list[int]) -> Iterator[list[int]]:
    """Lists without a piece, then with a number made smaller."""
    size = len(made)
    while size:
        for start in range(0, len(made), size):
            yield made[:start] + made[start + size :]
        size //= 2
    for place, value in enumerate(made):
        for less in dict.fromkeys((0, value // 2, value - 1)):
            if 0 <= less < value:
                yield [*made[:place], less, *made[place + 1 :]]
