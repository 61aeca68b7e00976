"""Threads: a pool of them, or none where the work is shorter than their start."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


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


def pool(wide: bool) -> Pool:
    """Threads, or none where they are not worth their start."""
    return ThreadPoolExecutor(_workers()) if wide else Alone()


def _workers() -> int:
    """Threads for the search. The result is the same for any number of them."""
    return max(1, min(8, os.cpu_count() or 1))
