"""IBM's machines: heavy hexagons, RZ (virtual), SX and X, and ECR or CZ.

Eagle's ECR gate is not in Cirq. It is a CX up to single-qubit gates, ECR(a, b) = X(a) CX(a, b) S(a) SX(b) as
a product of matrices, up to a phase, so circuits are written with `cirq.CX`, each of which costs one ECR;
which of the two qubits leads does not matter for the count, since ECR turned round is ECR between
single-qubit gates.
`tests/targets/test_machines.py` multiplies this out.
"""

from __future__ import annotations

from qattn_compiler.targets.files import packaged
from qattn_compiler.targets.target import Target


def eagle(gate: str | None = None) -> Target:
    """`ibm.eagle`: 127 qubits, ECR written as CX."""
    return packaged("ibm.eagle", gate)


def heron(gate: str | None = None) -> Target:
    """`ibm.heron`: Heron r1, 133 qubits, CZ."""
    return packaged("ibm.heron", gate)


def heron2(gate: str | None = None) -> Target:
    """`ibm.heron2`: Heron r2, 156 qubits, CZ."""
    return packaged("ibm.heron2", gate)
