"""Real states prepared in their Schmidt form: about half the two-qubit gates of a cascade.

A state of k qubits, cut into halves A and B, is sum_i s_i |u_i> |v_i>. So: the state of the s_i on some
qubits of A, a CX from each of them to one of B, then the u_i and the v_i as columns of a rotation of either
half (Plesch and Brukner, Phys. Rev. A 83, 032302 (2011)). Everything here is real, the rotations are those of
`synth.orthogonal`, and the s_i are prepared in the same way: 3, 7, 15, 26, 58, 95 CZ for k = 3, 4, ..., 8,
where the cascade takes 2^k - k - 1 = 4, 11, 26, 57, 120, 247.

Free choices keep the rotations away from the singular points of SO(8) (`orthogonal`): columns that do not
matter are random, and the order and the signs of those that do are changed where a rotation was not found.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit.table import Angle, Builder
from qattn_compiler.errors import CircuitError
from qattn_compiler.synth.orthogonal import (
    Form,
    add_orthogonal,
    orthogonal_angles,
    orthogonal_count,
    orthogonal_size,
)
from qattn_compiler.synth.state_prep import (
    add_real_state,
    check_amplitudes,
    check_angles,
    real_state_angles,
)

Floats = NDArray[np.float64]

NULL: Final = 1e-14
"""Schmidt coefficients up to here are 0: their vectors are free."""
LEAST_LINE: Final = 7
"""From so many qubits on the forms "short" and "line" differ."""
MOST_SPLIT: Final = 8
"""Halves of states of more qubits are not asked for lower ranks themselves."""
TRIES: Final = 8
"""Orders and signs of the Schmidt vectors that are tried."""


@dataclass(frozen=True)
class SchmidtState:
    """How to prepare any real state of some qubits whose Schmidt rank is limited.

    Attributes:
        size: how many qubits.
        rank: the Schmidt rank of the halves is at most 2^rank; the first half has size // 2 qubits.
        form: of the rotations (`orthogonal_count`); "closed" fits any numbers.
        parts: the halves, each prepared alone, where nothing entangles them (rank 0).
    """

    size: int
    rank: int
    form: Form = "short"
    parts: tuple[SchmidtState, SchmidtState] | None = None

    @staticmethod
    def of(size: int, states: Floats | None = None, *, form: Form = "short") -> SchmidtState:
        """For any real states of that many qubits, or for those of a batch.

        Args:
            size: how many qubits.
            states: shape (n, 2^size).
            form: see `SchmidtState`.
        """
        half = size // 2
        if states is None or size < 2:
            return SchmidtState(size, half, form)
        u, values, vh = np.linalg.svd(states.reshape(-1, 2**half, 2 ** (size - half)), full_matrices=False)
        rank = int((values > NULL).sum(axis=1).max(initial=1))
        if rank > 1:
            return SchmidtState(size, (rank - 1).bit_length(), form)
        first, last = (
            SchmidtState.of(width, part, form=form)
            for width, part in ((half, u[:, :, 0]), (size - half, vh[:, 0]))
        )
        return SchmidtState(size, 0, form, (first, last))

    def nearest(self, states: Floats) -> Floats:
        """The nearest real state of this form to each: the largest Schmidt coefficients, and of a product the
        halves' own nearest.

        Args:
            states: shape (n, 2^size), each of norm 1.

        Returns:
            shape (n, 2^size), each of norm 1.
        """
        half = self.size // 2
        if self.size < 2 or (not self.parts and self.rank >= half):
            return states
        u, values, vh = np.linalg.svd(
            states.reshape(-1, 2**half, 2 ** (self.size - half)), full_matrices=False
        )
        if self.parts:
            first, last = (
                part.nearest(vectors)
                for part, vectors in zip(self.parts, (u[:, :, 0], vh[:, 0]), strict=True)
            )
            sign = np.sign(
                np.einsum(
                    "nij,ni,nj->n", states.reshape(-1, *u.shape[1:2], 2 ** (self.size - half)), first, last
                )
            )
            near = np.where(sign < 0, -1.0, 1.0)[:, None, None] * first[:, :, None] * last[:, None, :]
        else:
            kept = 2**self.rank
            near = (u[:, :, :kept] * values[:, None, :kept]) @ vh[:, :kept]
        flat = near.reshape(len(states), -1)
        out: Floats = flat / np.linalg.norm(flat, axis=1, keepdims=True)
        return out

    @property
    def two_qubit_count(self) -> int:
        """CZ and CX."""
        if self.parts:
            return sum(part.two_qubit_count for part in self.parts)
        if self.size <= 2:
            return self.size // 2
        halves = sum(orthogonal_count(width, form=self.form) for width in self._halves)
        count: int = self._core.two_qubit_count + self.rank + halves
        return count

    @property
    def num_angles(self) -> int:
        """How many angles it takes."""
        if self.parts:
            return sum(part.num_angles for part in self.parts)
        if self.size <= 2:
            return (1 << self.size) - 1
        halves = sum(orthogonal_size(width, form=self.form) for width in self._halves)
        count: int = self._core.num_angles + halves
        return count

    @property
    def milliseconds(self) -> int:
        """About how long the angles of one state take: a millisecond for each SO(8), 15 for each SO(16)."""
        if self.parts:
            return sum(part.milliseconds for part in self.parts)
        if self.size <= 2 or self.form == "closed":
            return 0
        parts = sum(15 << 2 * (width - 4) if width > 3 else width // 3 for width in self._halves)
        return self._core.milliseconds + parts

    @property
    def _halves(self) -> tuple[int, int]:
        return self.size // 2, self.size - self.size // 2

    @property
    def _core(self) -> SchmidtState:
        """The state of the Schmidt coefficients."""
        return SchmidtState.of(self.rank, form=self.form)

    def add(self, builder: Builder, angles: Sequence[Angle], qubits: Sequence[int]) -> None:
        """Append the gates, from |0...0>.

        Args:
            builder: where the rows go.
            angles: `num_angles` angles (radians), in circuit order (`angles`).
            qubits: `size` qubits, the first the most significant.

        Raises:
            CircuitError: it is not the right number of angles or qubits.
        """
        check_angles(self.size, self.num_angles, angles, qubits)
        first, last = qubits[: self.size // 2], qubits[self.size // 2 :]
        if self.parts:
            middle = self.parts[0].num_angles
            self.parts[0].add(builder, angles[:middle], first)
            self.parts[1].add(builder, angles[middle:], last)
            return
        if self.size <= 2:
            add_real_state(builder, angles, qubits)
            return
        core = self._core
        busy = first[len(first) - self.rank :]
        core.add(builder, angles[: core.num_angles], busy)
        for control, target in zip(busy, last[len(last) - self.rank :], strict=True):
            builder.add("cx", (control, target))
        middle = core.num_angles + orthogonal_size(len(first), form=self.form)
        add_orthogonal(builder, angles[core.num_angles : middle], first, form=self.form)
        add_orthogonal(builder, angles[middle:], last, form=self.form)

    def angles(self, amplitudes: Floats) -> Floats:
        """Angles (radians) in circuit order.

        Args:
            amplitudes: shape (..., 2^size), real, each of norm 1 (big-endian: first qubit most significant).

        Returns:
            shape (..., num_angles).

        Raises:
            CircuitError: the number of amplitudes is not 2^size, or a Schmidt rank is too large.
            ArithmeticError: a rotation was not found (never with "closed").
        """
        check_amplitudes(self.size, amplitudes)
        flat = amplitudes.reshape(-1, 2**self.size)
        if self.size <= 2 and not self.parts:
            found = real_state_angles(flat)
        else:
            unique, inverse = np.unique(flat, axis=0, return_inverse=True)
            found = self._found(unique)[inverse.reshape(-1)]
        return found.reshape(*amplitudes.shape[:-1], self.num_angles)

    def _found(self, states: Floats) -> Floats:
        """Of different states."""
        first, last = self._halves
        u, values, vh = np.linalg.svd(states.reshape(-1, 2**first, 2**last))
        if (values[:, 2**self.rank :] > 2 * NULL).any():
            raise CircuitError(f"a state has a Schmidt rank above {2**self.rank}")
        v = vh.transpose(0, 2, 1)
        if self.parts:
            halves = zip(self.parts, (u, v), strict=True)
            return np.concatenate([part.angles(basis[:, :, 0]) for part, basis in halves], axis=1)
        _freshen(u, values)
        _freshen(v, values)
        try:
            return self._turned(u, values, v, np.arange(values.shape[1]), np.ones(values.shape[1]))
        except ArithmeticError:
            parts = zip(u[:, None], values[:, None], v[:, None], strict=True)
            return np.concatenate([self._tried(*part) for part in parts])

    def _tried(self, u: Floats, values: Floats, v: Floats) -> Floats:
        """Of one state, with its Schmidt vectors in one order after the other."""
        for order, signs in _orders(values.shape[1], 2**self.rank):
            with suppress(ArithmeticError):
                return self._turned(u, values, v, order, signs)
        raise ArithmeticError(f"a state was not found in {self.two_qubit_count} two-qubit gates")

    def _turned(
        self, u: Floats, values: Floats, v: Floats, order: NDArray[np.int64], signs: Floats
    ) -> Floats:
        """Of states, each with its Schmidt vectors in an order and with signs."""
        core, bases = values[:, order], []
        for basis in (u, v):
            turned = basis.copy()
            turned[:, :, : len(order)] = basis[:, :, order] * signs
            flip = np.sign(np.linalg.det(turned))
            turned[:, :, -1] *= flip[:, None]
            if turned.shape[-1] == core.shape[-1]:
                core[:, -1] *= flip
            bases.append(turned)
        parts = [self._core.angles(core[:, : 2**self.rank])]
        parts += [orthogonal_angles(basis, form=self.form) for basis in bases]
        return np.concatenate(parts, axis=1)


def schmidt_forms(size: int) -> list[SchmidtState]:
    """All forms of lower Schmidt rank: of the halves (powers of 2), and if these are not entangled at all, of
    their own halves; those with the fewest two-qubit gates first."""
    half = size // 2
    if size < 2:
        return [SchmidtState(size, half)]
    ranked = [SchmidtState(size, rank) for rank in range(1, half + 1)]
    split = [
        schmidt_forms(width) if size <= MOST_SPLIT else [SchmidtState.of(width)]
        for width in (half, size - half)
    ]
    products = [SchmidtState(size, 0, parts=(a, b)) for a in split[0] for b in split[1]]
    return sorted([*products, *ranked], key=lambda form: form.two_qubit_count)


def _orders(values: int, rank: int) -> Iterator[tuple[NDArray[np.int64], Floats]]:
    """Orders and signs of the Schmidt vectors: as they come, then random ones among the first `rank`."""
    rng = np.random.default_rng(0)
    yield np.arange(values), np.ones(values)
    for _ in range(TRIES - 1):
        order = np.concatenate([rng.permutation(rank), np.arange(rank, values)])
        yield order, rng.choice([-1.0, 1.0], values)


def _freshen(bases: Floats, values: Floats) -> None:
    """Columns of bases, shape (n, d, d), that belong to no Schmidt coefficient, turned at random."""
    size = bases.shape[-1]
    ranks = (values > NULL).sum(axis=1)
    for rank in np.unique(ranks):
        some = ranks == rank
        turn, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(size - rank, size - rank)))
        bases[some, :, rank:] = bases[some, :, rank:] @ turn
