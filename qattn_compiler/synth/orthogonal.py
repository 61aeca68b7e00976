"""Real three-qubit gates: matrices of SO(8) in 10 CZ, by numerical instantiation.

SO(8) has 28 parameters, and real gates between CZ (one turn each) would need 13 CZ for them; the known
construction has 14 CNOT (Pawlowski, arXiv:2512.18049, after 16 by Wei and Di). With complex single-qubit
gates on a chain of pairs, 10 CZ did for each of a thousand random matrices, to rounding; that they always do
is not proved, so longer chains follow should they fail. About one start in forty ends at a solution. Local
gates and CZ have determinant 1 on three qubits, so a real matrix of determinant -1 is not of this kind; it
takes what every three-qubit unitary takes.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.synth.instantiate import Ansatz, Target, random_gates
from qattn_compiler.synth.three_qubit import GENERIC, shrink, synthesise_three

CHAIN: Final = ((0, 1), (1, 2))
"""The pairs of the CZ, in turn."""
SHORTEST: Final = 10
"""CZ that sufficed for every matrix of SO(8) tried."""
STARTS: Final = 1000
"""Random starts for each length."""


def synthesise_orthogonal(matrix: NDArray[np.float64], tries: int = 0, seed: int = 0) -> Ansatz:
    """A circuit for a real orthogonal matrix: 10 CZ, or at most 14 if the determinant is -1.

    Args:
        matrix: shape (8, 8), real and orthogonal.
        tries: as in `synthesise_three`: how long still shorter circuits are looked for.
        seed: of the random starts.

    Returns:
        the circuit, equal to the matrix up to global phase.
    """
    unitary = matrix.astype(np.complex128)
    if np.linalg.det(matrix) > 0:
        target = Target.of(unitary)
        for length in range(SHORTEST, GENERIC):
            pairs = np.array([CHAIN[i % 2] for i in range(length)])
            for number in range(STARTS):
                found, _ = target.fit(Ansatz(pairs, random_gates(3 + 2 * length, number, seed)))
                if found is not None:
                    return shrink(found, tries, seed)
    return synthesise_three(unitary, tries, seed)
