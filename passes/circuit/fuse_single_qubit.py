"""Multiply each run of single-qubit gates into one `phased_xz`.

A run is all single-qubit gates on a qubit between two rows that are none. A run that is the identity
vanishes (its phase is kept). Gates with a symbolic angle end runs; `fuse_batch` multiplies whole runs,
symbolic ones too, once their values are known, so that a bound circuit has one pulse for each run.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit import su2
from qattn_compiler.circuit.gates import NUM_QUBITS, PHASED_XZ
from qattn_compiler.circuit.table import Circuit
from qattn_compiler.passes.circuit.base import CirqTransformer

IDENTITY = 1e-14
"""Angles (radians) of a fused gate up to here are rounding errors."""


@dataclass(frozen=True)
class FuseSingleQubit(CirqTransformer):
    """One `phased_xz` for each numeric single-qubit run (module docstring).

    Keeps: meaning and global phase exactly, symbolic gates, rows with tags or other extras.
    """

    name: ClassVar[str] = "fuse-single-qubit"

    def run(self, circuit: Circuit, /) -> Circuit:
        """The circuit with runs fused."""
        from qattn_compiler.circuit.kernels import fuse_runs

        fusable = (NUM_QUBITS[circuit.op] == 1) & (circuit.extra < 0) & ~circuit.symbolic_rows
        if not fusable.any():
            return circuit
        q, phases = su2.quaternions(circuit.op, circuit.angles)
        _, product, length = fuse_runs(fusable, q, circuit.wires, circuit.num_wires)
        heads = np.flatnonzero(length)
        angles, signs = su2.to_xza(product[heads])
        identity = (np.abs(angles) < IDENTITY).all(axis=1)
        untouched = (length[heads] == 1) & (circuit.op[heads] == PHASED_XZ)
        untouched &= np.isclose(circuit.angles[heads], angles, rtol=0, atol=4 * su2.EPS).all(axis=1)
        if (untouched & ~identity).all():
            return circuit
        op, new = circuit.op.copy(), circuit.angles.copy()
        change = ~untouched
        op[heads[change]], new[heads[change]] = PHASED_XZ, angles[change]
        phase = circuit.phase + float(phases[fusable].sum() + signs[change].sum())
        keep = ~fusable
        keep[heads[~identity]] = True
        fused = replace(circuit, op=op, angles=new, phase=float(np.remainder(phase, 2 * np.pi)))
        return fused.with_rows(np.flatnonzero(keep))


@dataclass(frozen=True, eq=False)
class FusedBatch:
    """One structure, many sets of angles: every single-qubit row is a `phased_xz`.

    Attributes:
        circuit: the structure (its angles are those of no particular set).
        angles: shape (batch, rows, 3), radians.
        phases: shape (batch,): global phases.
    """

    circuit: Circuit
    angles: NDArray[np.float64]
    phases: NDArray[np.float64]

    def member(self, index: int) -> Circuit:
        """The numeric circuit of one set, without its identity rows."""
        structure = self.circuit
        angles = self.angles[index]
        idle = (structure.op == PHASED_XZ) & (np.abs(angles) < IDENTITY).all(axis=1)
        one = replace(structure, angles=angles.copy(), phase=float(self.phases[index]))
        return one.with_rows(np.flatnonzero(~idle)) if idle.any() else one


def fuse_batch(circuit: Circuit, values: NDArray[np.float64]) -> FusedBatch:
    """Bind a batch of parameter values and fuse every single-qubit run, vectorised over the batch.

    Args:
        circuit: may have symbolic angles in single-qubit rows; in two-qubit rows they stay as they are bound.
        values: shape (batch, parameters).
    """
    from qattn_compiler.circuit.kernels import fuse_runs, multiply_runs

    angles, phases = circuit.bind_batch(values)
    fusable = (NUM_QUBITS[circuit.op] == 1) & (circuit.extra < 0)
    q, offsets = su2.quaternions(circuit.op, angles)
    dummy = np.zeros((len(circuit), 4))
    head, _, length = fuse_runs(fusable, dummy, circuit.wires, circuit.num_wires)
    heads = np.flatnonzero(length)
    multiply_runs(head, q)
    xza, signs = su2.to_xza(q[:, heads])
    angles[:, heads] = xza
    rows = np.flatnonzero(~fusable | (length > 0))
    op = circuit.op.copy()
    op[heads] = PHASED_XZ
    none = np.zeros_like(circuit.angles)
    shape = replace(circuit, op=op, affine=circuit.affine.empty(), params=(), angles=none)
    total = phases + float(offsets[fusable].sum()) + signs.sum(axis=1)
    return FusedBatch(shape.with_rows(rows), angles[:, rows], np.remainder(total, 2 * np.pi))
