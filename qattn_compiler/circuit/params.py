"""Angles that are affine in symbols: which parameter enters which angle, and with what coefficient.

A slot is a place for an angle: `3 * row + column`, or GLOBAL_PHASE for the circuit's global phase. The value
of a slot is its constant (in the circuit's `angles`) plus the sum of `coefficient * parameter` over its
terms. The terms are kept in coordinate form, sorted by slot, then by parameter, with no duplicates and no
zeros.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    import sympy

GLOBAL_PHASE: Final = -1


@dataclass(frozen=True)
class Parameter:
    """A free number of a circuit.

    Attributes:
        name: its name; unique within a circuit.
        expression: for a derived parameter (an angle that is not affine in the user's symbols), the sympy
            expression to evaluate at bind; None for a plain symbol.
    """

    name: str
    expression: sympy.Expr | None = None


@dataclass(frozen=True, eq=False)
class Affine:
    """Terms `coefficient * parameter` of slots, in sorted coordinate form (module docstring)."""

    slot: NDArray[np.int64]
    param: NDArray[np.int32]
    coef: NDArray[np.float64]

    @staticmethod
    def empty() -> Affine:
        """No terms: every angle is a number."""
        return _EMPTY

    @staticmethod
    def of(slot: ArrayLike, param: ArrayLike, coef: ArrayLike) -> Affine:
        """Sort, add up duplicates, drop zeros."""
        s = np.asarray(slot, dtype=np.int64)
        p = np.asarray(param, dtype=np.int32)
        c = np.asarray(coef, dtype=np.float64)
        if not len(s):
            return _EMPTY
        if not ((s[1:] > s[:-1]) | ((s[1:] == s[:-1]) & (p[1:] >= p[:-1]))).all():
            order = np.lexsort((p, s))
            s, p, c = s[order], p[order], c[order]
        first = np.ones(len(s), dtype=bool)
        first[1:] = (s[1:] != s[:-1]) | (p[1:] != p[:-1])
        c = np.add.reduceat(c, np.flatnonzero(first))
        s, p = s[first], p[first]
        keep = c != 0
        return Affine(_frozen(s[keep]), _frozen(p[keep]), _frozen(c[keep]))

    def __len__(self) -> int:
        return len(self.slot)

    def rows(self, size: int) -> NDArray[np.bool_]:
        """Shape (size,): whether a gate row has a symbolic angle."""
        out = np.zeros(size, dtype=bool)
        out[self.slot[self.slot >= 0] // 3] = True
        return out

    def moved(self, new_row: NDArray[np.int64]) -> Affine:
        """The terms after rows moved: row i is now `new_row[i]`, or gone if that is negative."""
        if not len(self):
            return self
        row, column = np.divmod(self.slot, 3)
        is_phase = self.slot < 0
        target = np.where(is_phase, 0, new_row[np.where(is_phase, 0, row)] if len(new_row) else 0)
        slot = np.where(is_phase, GLOBAL_PHASE, 3 * target + column)
        keep = is_phase | (target >= 0)
        return Affine.of(slot[keep], self.param[keep], self.coef[keep])

    def gathered(self, rows: NDArray[np.int64]) -> Affine:
        """The terms if new row i is a copy of row `rows[i]`; those of the global phase stay."""
        first = int(np.searchsorted(self.slot, 0))
        if first == len(self):
            return self
        begin = np.searchsorted(self.slot, 3 * rows)
        length = np.searchsorted(self.slot, 3 * rows + 3) - begin
        term = np.concatenate([np.arange(first), ranges(begin, length)])
        new_row = np.repeat(np.arange(len(rows)), length)
        slot = np.concatenate([self.slot[:first], 3 * new_row + self.slot[term[first:]] % 3])
        return Affine.of(slot, self.param[term], self.coef[term])

    def at(self, slot: int) -> tuple[tuple[int, float], ...]:
        """The (parameter, coefficient) pairs of one slot."""
        low, high = np.searchsorted(self.slot, [slot, slot + 1])
        return tuple(zip(self.param[low:high].tolist(), self.coef[low:high].tolist(), strict=True))

    def evaluate(
        self, angles: NDArray[np.float64], phase: float, values: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """All angles for a batch of parameter values.

        Args:
            angles: shape (rows, 3): the constants.
            phase: the constant of the global phase.
            values: shape (batch, parameters).

        Returns:
            angles of shape (batch, rows, 3) and global phases of shape (batch,).
        """
        batch = len(values)
        flat = np.broadcast_to(angles.reshape(-1), (batch, angles.size)).copy()
        phases = np.full(batch, phase)
        if len(self):
            terms = values[:, self.param] * self.coef
            starts = np.flatnonzero(np.r_[True, self.slot[1:] != self.slot[:-1]])
            sums = terms if len(starts) == len(self) else np.add.reduceat(terms, starts, axis=1)
            slots = self.slot[starts]
            inner = slots >= 0
            flat[:, slots[inner]] += sums[:, inner]
            if not inner.all():
                phases += sums[:, ~inner][:, 0]
        return flat.reshape(batch, *angles.shape), phases


def ranges(start: NDArray[np.int64], length: NDArray[np.int64]) -> NDArray[np.int64]:
    """`start[0], start[0] + 1, ...` for `length[0]` numbers, then those of `start[1]`, and so on."""
    offset = np.cumsum(length) - length
    out: NDArray[np.int64] = np.arange(int(length.sum())) + np.repeat(start - offset, length)
    return out


_T = TypeVar("_T", bound=np.generic)


def _frozen(array: NDArray[_T]) -> NDArray[_T]:
    array.setflags(write=False)
    return array


_EMPTY: Final = Affine(
    _frozen(np.zeros(0, np.int64)), _frozen(np.zeros(0, np.int32)), _frozen(np.zeros(0, np.float64))
)
