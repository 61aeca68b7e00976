"""A plain NumPy state-vector simulator over columns: the judge of circuits. No kernels, no Cirq.

It works on a batch (one structure, many sets of angles) and splits a circuit into the groups of qubits that
its rows connect, so that a product of a hundred single qubits costs a hundred small simulations.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit.gates import GATES, MEASURE, PHASED_XZ
from qattn_compiler.circuit.table import Circuit
from qattn_compiler.errors import VerificationError

Floats = NDArray[np.float64]
States = NDArray[np.complex128]

MAX_QUBITS = 22
"""Largest connected group of qubits that is simulated densely."""
CHUNK = 1 << 21
"""Amplitudes held at once: batches are cut to this."""
WINDOW = 6
"""Qubits on which gates are multiplied out before they meet a state of twice as many or more."""

Step = tuple[list[int], States]
"""Axes of the states, counted from 1, and matrices of shape (batch or 1, 2^k, 2^k)."""


@dataclass(frozen=True, eq=False)
class Group:
    """Final states of one connected group of qubits.

    Attributes:
        qubits: their numbers in the circuit; the first is the most significant bit.
        states: shape (batch, 2^len(qubits)); the global phase of the circuit is not included.
    """

    qubits: tuple[int, ...]
    states: States


def connected_groups(circuit: Circuit) -> list[tuple[int, ...]]:
    """The groups of qubits that rows connect, each sorted; qubits without a row are left out."""
    parent = list(range(circuit.num_qubits))
    used = np.zeros(circuit.num_qubits, dtype=bool)

    def root(q: int) -> int:
        while parent[q] != q:
            parent[q] = parent[parent[q]]
            q = parent[q]
        return q

    for row in range(len(circuit)):
        extra = circuit.extras[circuit.extra[row]] if circuit.extra[row] >= 0 else None
        qubits = (
            circuit.operands[row].tolist() if extra is None or not extra.operands else list(extra.operands)
        )
        qubits = [q for q in qubits if q >= 0]
        used[qubits] = True
        if circuit.op[row] != MEASURE:
            for q in qubits[1:]:
                parent[root(q)] = root(qubits[0])
    groups: dict[int, list[int]] = {}
    for q in np.flatnonzero(used).tolist():
        groups.setdefault(root(q), []).append(q)
    return [tuple(members) for members in groups.values()]


def simulate(circuit: Circuit, angles: Floats) -> list[Group]:
    """Final states from |0...0>, measurements at the end left out.

    Args:
        circuit: structure; unitary rows of the gate table, and measurements that nothing follows.
        angles: shape (batch, rows, 3), radians; two-qubit rows must have the same angles throughout the
            batch.

    Raises:
        VerificationError: a row that is no unitary of the table, a gate after a measurement, or a connected
            group of more than MAX_QUBITS qubits.
    """
    groups = connected_groups(circuit)
    rows_of = _rows_by_group(circuit, groups)
    out = []
    for qubits, rows in zip(groups, rows_of, strict=True):
        if len(qubits) > MAX_QUBITS:
            raise VerificationError(f"{len(qubits)} connected qubits are too many for a dense state")
        chunk = max(1, CHUNK >> len(qubits))
        parts = [_run(circuit, angles[lo : lo + chunk], qubits, rows) for lo in range(0, len(angles), chunk)]
        out.append(Group(qubits, np.concatenate(parts)))
    return out


def expectation_z(groups: Sequence[Group], observed: Sequence[int]) -> Floats:
    """Expectation of the product of Z over some qubits, shape (batch,); a qubit in no group is |0>."""
    total: Floats | float = 1.0
    for group in groups:
        here = [group.qubits.index(q) for q in observed if q in group.qubits]
        if here:
            width = len(group.qubits)
            index = np.arange(2**width)
            parity = sum((index >> (width - 1 - k)) & 1 for k in here) % 2
            total = total * ((np.abs(group.states) ** 2) @ (1.0 - 2.0 * parity))
    batch = len(groups[0].states) if groups else 1
    return np.broadcast_to(np.asarray(total, dtype=np.float64), (batch,)).copy()


def probabilities(groups: Sequence[Group], qubits: Sequence[int]) -> Floats:
    """Of each outcome of measuring some qubits, shape (batch, 2^n); a qubit in no group is |0>."""
    batch = len(groups[0].states) if groups else 1
    order: list[int] = []
    joint: Floats = np.ones((batch, 1))
    for group in groups:
        kept = [q for q in group.qubits if q in qubits]
        others = tuple(1 + i for i, q in enumerate(group.qubits) if q not in qubits)
        squares = (np.abs(group.states) ** 2).reshape(batch, *(2,) * len(group.qubits))
        joint = np.einsum("bi,bj->bij", joint, squares.sum(axis=others).reshape(batch, -1)).reshape(batch, -1)
        order += kept
    idle = [q for q in qubits if q not in order]
    joint = np.pad(joint[:, :, None], ((0, 0), (0, 0), (0, 2 ** len(idle) - 1)))
    order += idle
    joint = joint.reshape(batch, *(2,) * len(order))
    return np.transpose(joint, (0, *(1 + order.index(q) for q in qubits))).reshape(batch, -1)


def joint_states(groups: Sequence[Group], qubits: Sequence[int]) -> States:
    """States of the named qubits in that order, shape (batch, 2^n); all other qubits must be in |0>.

    Raises:
        VerificationError: another qubit is not in |0>.
    """
    batch = len(groups[0].states) if groups else 1
    order: list[int] = []
    states: States = np.ones((batch, 1), dtype=complex)
    for group in groups:
        kept, reduced = _drop_ground(group, set(qubits))
        states = np.einsum("bi,bj->bij", states, reduced).reshape(batch, -1)
        order += kept
    idle = [q for q in qubits if q not in order]
    ground: States = np.zeros((batch, 2 ** len(idle)), dtype=complex)
    ground[:, 0] = 1.0
    states = np.einsum("bi,bj->bij", states, ground).reshape(batch, *(2,) * len(qubits))
    order += idle
    return np.transpose(states, (0, *(1 + order.index(q) for q in qubits))).reshape(batch, -1)


def _drop_ground(group: Group, wanted: set[int]) -> tuple[list[int], States]:
    """The group's states on the wanted qubits alone, checking that the others are in |0>."""
    batch, width = len(group.states), len(group.qubits)
    states = group.states.reshape(batch, *(2,) * width)
    index = tuple(slice(None) if q in wanted else 0 for q in group.qubits)
    reduced = states[(slice(None), *index)].reshape(batch, -1)
    lost = 1.0 - (np.abs(reduced) ** 2).sum(axis=1)
    if lost.max(initial=0.0) > 1e-9:
        raise VerificationError(f"an auxiliary qubit is left out of |0> with probability {lost.max():.3g}")
    return [q for q in group.qubits if q in wanted], reduced


def _rows_by_group(circuit: Circuit, groups: Sequence[tuple[int, ...]]) -> list[list[int]]:
    where = {q: g for g, qubits in enumerate(groups) for q in qubits}
    rows: list[list[int]] = [[] for _ in groups]
    measured: set[int] = set()
    for row in range(len(circuit)):
        gate = GATES[circuit.op[row]]
        extra = circuit.extras[circuit.extra[row]] if circuit.extra[row] >= 0 else None
        if circuit.op[row] == MEASURE and extra is not None:
            measured.update(extra.operands)
            continue
        if gate.matrix is None:
            raise VerificationError(f"row {row} ({gate.name}) is no gate that a state vector can follow")
        qubits = circuit.operands[row, : gate.num_qubits].tolist()
        if not measured.isdisjoint(qubits):
            raise VerificationError(f"row {row} ({gate.name}) follows a measurement of its qubit")
        rows[where[qubits[0]]].append(row)
    return rows


def _run(circuit: Circuit, angles: Floats, qubits: tuple[int, ...], rows: list[int]) -> States:
    batch, width = len(angles), len(qubits)
    states = np.zeros((batch, 2**width), dtype=complex)
    states[:, 0] = 1.0
    steps: Iterator[Step] = _matrices(circuit, angles, qubits, rows)
    return _evolve(states, _windows(steps) if width >= 2 * WINDOW else steps)


def _evolve(states: States, steps: Iterable[Step]) -> States:
    """States of shape (batch, 2^n, or more: what follows the axes is carried along) after some steps."""
    waiting: dict[int, States] = {}  # by axis: the product of single-qubit gates, done once it is needed
    for axes, matrices in steps:
        if len(axes) == 1:
            known = waiting.get(axes[0])
            waiting[axes[0]] = matrices if known is None else matrices @ known
            continue
        for axis in axes:
            if axis in waiting:
                _turn(states, axis, waiting.pop(axis))
        if np.count_nonzero(matrices) == np.count_nonzero(np.diagonal(matrices, axis1=1, axis2=2)):
            _rephase(states, axes, matrices)
        else:
            moved = _apply(states.reshape(len(states), *(2,) * max(axes), -1), axes, matrices)
            states = np.ascontiguousarray(moved).reshape(len(states), -1)
    for axis, matrices in waiting.items():
        _turn(states, axis, matrices)
    return states


def _windows(steps: Iterable[Step]) -> Iterator[Step]:
    """The same steps, those in a row on at most WINDOW axes multiplied out: large states are passed less."""
    window: list[Step] = []
    reach: set[int] = set()
    for axes, matrices in steps:
        if window and len(reach.union(axes)) > WINDOW:
            yield _product(window, sorted(reach))
            window, reach = [], set()
        window.append((axes, matrices))
        reach.update(axes)
    if window:
        yield _product(window, sorted(reach))


def _product(window: Sequence[Step], axes: list[int]) -> Step:
    """The product of some steps, as one on all their axes."""
    if len(window) == 1:
        return window[0]
    place = {axis: 1 + i for i, axis in enumerate(axes)}
    size, batch = 2 ** len(axes), max(len(matrices) for _, matrices in window)
    start = np.tile(np.eye(size, dtype=complex).reshape(1, -1), (batch, 1))
    out = _evolve(start, (([place[axis] for axis in own], matrices) for own, matrices in window))
    return axes, out.reshape(batch, size, size)


def _turn(states: States, axis: int, matrices: States) -> None:
    """A single-qubit gate, in place; states of shape (batch, 2^n)."""
    halves = states.reshape(len(states), 2 ** (axis - 1), 2, -1)
    low, high = halves[:, :, 0].copy(), halves[:, :, 1]
    m = matrices[:, :, :, None, None]
    halves[:, :, 0] *= m[:, 0, 0]
    halves[:, :, 0] += m[:, 0, 1] * high
    high *= m[:, 1, 1]
    high += m[:, 1, 0] * low


def _rephase(states: States, axes: list[int], matrices: States) -> None:
    """A diagonal two-qubit gate, in place."""
    first, second = sorted(axes)
    parts = states.reshape(len(states), 2 ** (first - 1), 2, 2 ** (second - first - 1), 2, -1)
    for a in range(2):
        for b in range(2):
            k = 2 * a + b if axes[0] < axes[1] else 2 * b + a
            if (matrices[:, k, k] != 1).any():
                parts[:, :, a, :, b] *= matrices[:, k, k, None, None, None]


def _apply(states: States, axes: list[int], matrices: States) -> States:
    """A gate on some axes of the states, shape (batch, 2, ..., 2)."""
    front = np.moveaxis(states, axes, range(1, 1 + len(axes)))
    out = np.matmul(matrices, front.reshape(len(states), 2 ** len(axes), -1))
    return np.moveaxis(out.reshape(front.shape), range(1, 1 + len(axes)), axes)


def _matrices(circuit: Circuit, angles: Floats, qubits: tuple[int, ...], rows: list[int]) -> Iterator[Step]:
    """A step for each row."""
    axis = {q: 1 + i for i, q in enumerate(qubits)}
    for row in rows:
        gate = GATES[circuit.op[row]]
        assert gate.matrix is not None
        axes = [axis[q] for q in circuit.operands[row, : gate.num_qubits].tolist()]
        used = angles[:, row, : gate.num_angles]
        if gate.code == PHASED_XZ:
            yield axes, phased_xz_matrices(used)
        elif gate.num_angles == 0 or (used == used[:1]).all():
            yield axes, gate.matrix(*used[0].tolist())[None]
        else:
            yield axes, np.stack([gate.matrix(*one) for one in used.tolist()])


def phased_xz_matrices(angles: Floats) -> States:
    """RZ(z + a) RX(x) RZ(-a), shape (batch, 2, 2), for angles x, z, a of shape (batch, 3)."""
    x, z, a = angles.T
    cos, sin = np.cos(x / 2), -1j * np.sin(x / 2)
    left, right = (z + a) / 2, a / 2
    top, bottom = np.exp(-1j * left), np.exp(1j * left)
    out = np.empty((len(angles), 2, 2), dtype=complex)
    out[:, 0, 0] = top * cos * np.exp(1j * right)
    out[:, 0, 1] = top * sin * np.exp(-1j * right)
    out[:, 1, 0] = bottom * sin * np.exp(1j * right)
    out[:, 1, 1] = bottom * cos * np.exp(-1j * right)
    return out


def unitary(circuit: Circuit) -> States:
    """The unitary of a numeric circuit, global phase included, shape (2^n, 2^n).

    Raises:
        VerificationError: symbols are left, a row is no unitary of the table, or n is above 12.
    """
    n = circuit.num_qubits
    if circuit.is_symbolic or n > 12:
        raise VerificationError("a dense unitary needs a numeric circuit of at most 12 qubits")
    out = np.eye(2**n, dtype=complex).reshape(*(2,) * n, 2**n)
    everything = tuple(range(n))
    rows = [row for part in _rows_by_group(circuit, [everything]) for row in part]
    for axes, matrices in _matrices(circuit, circuit.angles[None], everything, rows):
        k = len(axes)
        places = [axis - 1 for axis in axes]
        out = np.tensordot(matrices[0].reshape((2,) * 2 * k), out, axes=(list(range(k, 2 * k)), places))
        out = np.moveaxis(out, range(k), places)
    whole: States = np.exp(1j * circuit.phase) * out.reshape(2**n, 2**n)
    return whole
