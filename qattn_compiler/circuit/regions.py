"""Cut circuits into regions between walls, and put them together again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit.params import GLOBAL_PHASE, Affine
from qattn_compiler.circuit.table import Circuit

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Region:
    """Rows of a circuit that may be replaced as a whole.

    Attributes:
        rows: shape (count,), ascending.
        circuit: these rows on the qubits that they use, without global phase; all parameters are kept.
        qubits: shape (circuit.num_qubits,): which qubit of the whole each of its qubits is.
    """

    rows: Ints
    circuit: Circuit
    qubits: Ints


def cut(circuit: Circuit, is_wall: NDArray[np.bool_]) -> tuple[list[list[Region]], list[Ints]]:
    """The regions between walls.

    Args:
        circuit: any.
        is_wall: shape (rows,): rows that stay, and that nothing passes; rows with extras must be among them,
            and keep their order.

    Returns:
        for each level its regions, on separate qubits, and the walls that come after them and before the next
        level: regions[0], walls[0], regions[1], ... is an order of execution.
    """
    if not is_wall.any():
        return [_parts(circuit, np.arange(len(circuit)))], [np.zeros(0, dtype=np.int64)]
    from qattn_compiler.circuit.region_kernels import levels

    level = levels(is_wall, circuit.extra >= 0, circuit.wires, circuit.num_wires)
    order = np.argsort(2 * level + is_wall, kind="stable")
    key = (2 * level + is_wall)[order]
    edges = np.searchsorted(key, np.arange(int(key[-1]) + 3))
    regions, walls = [], []
    for k in range(0, int(key[-1]) + 1, 2):
        regions.append(_parts(circuit, order[edges[k] : edges[k + 1]]))
        walls.append(order[edges[k + 1] : edges[k + 2]])
    return regions, walls


def _parts(circuit: Circuit, rows: Ints) -> list[Region]:
    """Rows as regions that share no qubit."""
    if not len(rows):
        return []
    from qattn_compiler.circuit.region_kernels import components

    pairs = circuit.operands[rows]
    number = components(pairs, circuit.num_qubits)[pairs[:, 0]]
    if (number == number[0]).all():
        return [region(circuit, rows)]
    order = np.argsort(number, kind="stable")
    begins = np.flatnonzero(np.diff(number[order], prepend=-1))
    return [region(circuit, rows[part]) for part in np.split(order, begins[1:])]


def region(circuit: Circuit, rows: Ints) -> Region:
    """The region of these rows, which must be rows of one or two qubits without extras."""
    part = circuit.with_rows(rows)
    qubits = np.unique(part.operands[part.operands >= 0])
    number = np.full(circuit.num_qubits + 1, -1, dtype=np.int32)  # the last entry stands for "none"
    number[qubits] = np.arange(len(qubits))
    keep = part.affine.slot != GLOBAL_PHASE
    affine = Affine.of(part.affine.slot[keep], part.affine.param[keep], part.affine.coef[keep])
    labels = tuple(circuit.qubits[q] for q in qubits.tolist())
    small = replace(part, qubits=labels, operands=number[part.operands], affine=affine, phase=0.0, extras=())
    return Region(rows, small, qubits.astype(np.int64))


def joined(circuit: Circuit, pieces: Sequence[Ints | tuple[Circuit, Ints]]) -> Circuit:
    """The circuit made of pieces: rows of it, or (new part, its qubits) in the place of a region.

    The phase of the whole is kept and those of the new parts are added.
    """
    columns: list[tuple[NDArray[np.uint8], NDArray[np.int32], NDArray[np.float64], NDArray[np.int32]]] = []
    phases = circuit.affine.slot == GLOBAL_PHASE
    terms = [(circuit.affine.slot[phases], circuit.affine.param[phases], circuit.affine.coef[phases])]
    phase, size = circuit.phase, 0
    for piece in pieces:
        if isinstance(piece, tuple):
            part, qubits = piece
            number = np.append(qubits, -1).astype(np.int32)
            operands = number[part.operands]
            phase += part.phase
        else:
            part = circuit.with_rows(piece)
            operands = part.operands
        inner = part.affine.slot != GLOBAL_PHASE
        if isinstance(piece, tuple):
            terms.append((part.affine.slot[~inner], part.affine.param[~inner], part.affine.coef[~inner]))
        terms.append((part.affine.slot[inner] + 3 * size, part.affine.param[inner], part.affine.coef[inner]))
        columns.append((part.op, operands, part.angles, part.extra))
        size += len(part)
    slot, param, coef = (np.concatenate(column) for column in zip(*terms, strict=True))
    op, operands, angles, extra = (np.concatenate(column) for column in zip(*columns, strict=True))
    affine = Affine.of(slot, param, coef)
    return replace(circuit, op=op, operands=operands, angles=angles, extra=extra, affine=affine, phase=phase)


def replaced(
    circuit: Circuit, is_wall: NDArray[np.bool_], rebuild: Callable[[Circuit], Circuit | None]
) -> Circuit:
    """The circuit with each region between walls replaced by what `rebuild` makes of it, unless that is None.

    Returns:
        the same object if every region stays.
    """
    regions, walls = cut(circuit, is_wall)
    pieces: list[Ints | tuple[Circuit, Ints]] = []
    changed = False
    for level, after in zip(regions, walls, strict=True):
        for one in level:
            new = rebuild(one.circuit)
            changed |= new is not None
            pieces.append(one.rows if new is None else (new, one.qubits))
        pieces.append(after)
    return joined(circuit, pieces) if changed else circuit
