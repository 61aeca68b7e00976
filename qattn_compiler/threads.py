"""Threads: a pool of them, or none where the work is shorter than their start."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")
MOST = 8


class Alone:
    """What stands for a pool of threads where starting them would take longer than the work."""

    def __enter__(self) -> Alone:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def map(self, function: Callable[..., T], *columns: Iterable[Any]) -> Iterator[T]:
        """The results, one after the other."""
        return map(function, *columns)


Pool = ThreadPoolExecutor | Alone


def pool(wide: bool, most: int = MOST) -> Pool:
    """As many threads as there are processors, at most so many; or none where they are not worth their start
    (`wide`). Whoever uses them gives the same result for any number of them."""
    return ThreadPoolExecutor(min(most, _workers())) if wide else Alone()


def _workers() -> int:
    return max(1, os.cpu_count() or 1)
