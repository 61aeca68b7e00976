"""Two-qubit unitaries as the fewest gates of one native kind, with single-qubit gates between them.

Everything is vectorised over a stack of unitaries. The constructions are in `entangler_cz`,
`entangler_fractional`, `entangler_siswap` and `entangler_syc`; the tests multiply them out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from qattn_compiler.synth import entangler_cz, entangler_fractional, entangler_siswap, entangler_syc, weyl
from qattn_compiler.synth.entangler_programs import PI, Programs
from qattn_compiler.synth.weyl import Complexes, Floats, Ints, Kak


@dataclass(frozen=True)
class Entangler:
    """A native two-qubit gate and how to build everything of it.

    Attributes:
        gate: the gate of the table.
        angles: its angles, radians; None if every angle is native.
        most: how many gates always suffice.
        nearest: (coordinates (n, 3), count) -> the closest coordinates that `count` gates reach.
        build: (decompositions, counts) -> programs of what `nearest` gives for these counts.
    """

    gate: str
    angles: tuple[float, ...] | None
    most: int
    nearest: Callable[[Floats, int], Floats]
    build: Callable[[Kak, Ints], Programs]

    def counts(self, coordinates: Floats, atol: float = 1e-10, min_fidelity: float = 1.0) -> Ints:
        """The fewest gates for each class, shape (n,) (see `weyl.counts`)."""
        return weyl.counts(coordinates, self.nearest, self.most, atol, min_fidelity)

    def reached(self, coordinates: Floats, counts: Ints) -> Floats:
        """The coordinates of what is built with these counts, shape (n, 3)."""
        out = coordinates.copy()
        for count in np.unique(counts).tolist():
            rows = counts == count
            out[rows] = self.nearest(coordinates[rows], count)
        return out


_nearest_zz = entangler_fractional.nearest_fractional

ENTANGLERS: Final[dict[str, Entangler]] = {
    "cz": Entangler("cz", (), 3, weyl.nearest, entangler_cz.build_cz),
    "cx": Entangler("cx", (), 3, weyl.nearest, entangler_cz.build_cx),
    "zz": Entangler("rzz", (PI / 2,), 3, weyl.nearest, entangler_cz.build_zz),
    "ms": Entangler("rxx", (PI / 2,), 3, weyl.nearest, entangler_cz.build_ms),
    "iswap": Entangler("iswap", (), 3, entangler_cz.nearest_iswap, entangler_cz.build_iswap),
    "siswap": Entangler("siswap", (), 3, entangler_siswap.nearest_siswap, entangler_siswap.build_siswap),
    "syc": Entangler("fsim", entangler_syc.ANGLES, 4, entangler_syc.nearest_syc, entangler_syc.build_syc),
    "rzz": Entangler("rzz", None, 3, _nearest_zz, entangler_fractional.build_rzz),
    "rxx": Entangler("rxx", None, 3, _nearest_zz, entangler_fractional.build_rxx),
    "cphase": Entangler("cphase", None, 3, _nearest_zz, entangler_fractional.build_cphase),
}
"""What `synthesise` and the pass know, by name: "zz" and "ms" are rzz(pi/2) and rxx(pi/2), "syc" is
fsim(pi/2, pi/6); "rzz", "rxx" and "cphase" take any angle."""


def synthesise(
    unitaries: Complexes, entangler: str = "cz", atol: float = 1e-10, min_fidelity: float = 1.0
) -> Programs:
    """The unitaries over one entangler, with as few of it as possible.

    Args:
        unitaries: shape (n, 4, 4).
        entangler: a name of `ENTANGLERS`.
        atol: a unitary this close (operator norm) to one with fewer entanglers is taken for it.
        min_fidelity: so is one whose average gate fidelity with it is at least this.

    Raises:
        KeyError: there is no such entangler.
    """
    native = ENTANGLERS[entangler]
    kak = weyl.kak(unitaries)
    return native.build(kak, native.counts(kak.coordinates, atol, min_fidelity))
