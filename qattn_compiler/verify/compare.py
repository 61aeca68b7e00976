"""Whether two circuits mean the same: as unitaries, as states, in an expectation; with layouts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit.table import Circuit
from qattn_compiler.verify.simulate import unitary

States = NDArray[np.complex128]


def distance_up_to_phase(a: States, b: States) -> float:
    """Largest entry of a - exp(i t) b for the best common phase t; shapes must agree."""
    overlap = np.vdot(b, a)
    phase = overlap / abs(overlap) if abs(overlap) > 0 else 1.0
    return float(np.abs(a - phase * b).max(initial=0.0))


def state_distances(a: States, b: States) -> NDArray[np.float64]:
    """For each pair of states (batch, 2^n), the largest entry of a - exp(i t) b; shape (batch,)."""
    overlap = np.einsum("bi,bi->b", b.conj(), a)
    size = np.abs(overlap)
    phase = np.where(size > 0, overlap / np.where(size > 0, size, 1.0), 1.0)
    return np.asarray(np.abs(a - phase[:, None] * b).max(axis=1, initial=0.0), dtype=np.float64)


def unitary_distance(
    before: Circuit,
    after: Circuit,
    initial: Sequence[int] | None = None,
    final: Sequence[int] | None = None,
) -> float:
    """How far `after` is from `before` as unitaries, up to global phase.

    Args:
        before: numeric, n qubits.
        after: numeric, m >= n qubits (m at most 12).
        initial: qubit of `after` that holds qubit i of `before` at the start; the same numbers if not given.
        final: the same at the end. Other qubits of `after` start in |0> and must end in |0>.

    Returns:
        the largest entry of the difference of the isometries.
    """
    n, m = before.num_qubits, after.num_qubits
    initial = range(n) if initial is None else initial
    final = initial if final is None else final
    index = np.arange(2**n)
    spread_in = sum(((index >> (n - 1 - i)) & 1) << (m - 1 - q) for i, q in enumerate(initial))
    spread_out = sum(((index >> (n - 1 - i)) & 1) << (m - 1 - q) for i, q in enumerate(final))
    wanted = np.zeros((2**m, 2**n), dtype=complex)
    wanted[spread_out] = unitary(before)
    return distance_up_to_phase(unitary(after)[:, spread_in], wanted)


@dataclass(frozen=True)
class Verification:
    """What was checked, and how it came out.

    Attributes:
        method: in words; "none" if verification was switched off.
        error: largest deviation of a decoded number from the reference.
        tolerance: what is allowed.
        passed: None if nothing was checked.
        checks: the single checks: name -> largest deviation (or count of what was looked at).
    """

    method: str
    error: float
    tolerance: float
    passed: bool | None
    checks: dict[str, float]

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return asdict(self)


NOT_VERIFIED = Verification("none", float("nan"), float("nan"), None, {})
