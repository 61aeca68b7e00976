"""What placement and routing need to know of a circuit and of a machine."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit.gates import GATES, MEASURE, NUM_QUBITS, OPAQUE
from qattn_compiler.circuit.table import Circuit
from qattn_compiler.device import Device
from qattn_compiler.errors import PassError, TargetError
from qattn_compiler.passes.circuit.dependencies import Eras, dags

if TYPE_CHECKING:
    from qattn_compiler.passes.circuit.kernels import Chip, Dag

Layout = NDArray[np.int32]

_CLASS: Final = {"cx": 1, "cy": 1, "cz": 1, "ch": 1, "swap": 3, "fsim": 3}
WEIGHT: Final = np.array(
    [_CLASS.get(gate.name, 2 if gate.num_qubits == 2 else 3) for gate in GATES],
    dtype=np.int32,
)
"""Native two-qubit gates that a gate costs by itself: the class of its matrix needs that many CZ."""


@dataclass(frozen=True, eq=False)
class Problem:
    """What placement and routing need to know of a circuit.

    Attributes:
        circuit: the circuit.
        eras: the rows on two and more wires (hard rows), and which of them commute on which wire.
        ways: the hard rows and who waits for whom, forward and reversed: as free as commutation allows, and,
            if that makes a difference, in the order that each wire has now.
        pairs: shape (pairs, 2): logical qubits that interact, first < second.
        weights: shape (pairs,): native gates on them.
        early: shape (pairs,): how often they interact, later gates counting less.
        mild: shape (pairs,): the same, but less so.
        turns: shape (logical,): single-qubit rows.
        reads: shape (logical,): how often it is measured.
    """

    circuit: Circuit
    eras: Eras
    ways: tuple[tuple[Dag, Dag], ...]
    pairs: NDArray[np.int32]
    weights: NDArray[np.float64]
    early: NDArray[np.float64]
    mild: NDArray[np.float64]
    turns: NDArray[np.float64]
    reads: NDArray[np.float64]

    @property
    def size(self) -> int:
        """Logical qubits."""
        return self.circuit.num_qubits


def read(circuit: Circuit) -> Problem:
    """Read the dependencies and interactions of a circuit.

    Raises:
        PassError: a unitary row acts on more than two qubits.
    """
    _refuse_wide(circuit)
    eras = Eras.of(circuit)
    hard = eras.hard
    coupled = circuit.is_two_qubit[hard]
    ends = circuit.wires[hard, :2]
    weight = WEIGHT[circuit.op[hard]]
    inner = np.flatnonzero(coupled)
    pairs, which = np.unique(np.sort(ends[inner], axis=1), axis=0, return_inverse=True)
    which = which.reshape(-1)
    order = np.arange(len(inner)) / (circuit.num_qubits + 1.0)
    return Problem(
        circuit,
        eras,
        tuple(dags(circuit, eras, weight, free) for free in ((True, False) if eras.commute else (False,))),
        pairs.astype(np.int32).reshape(-1, 2),
        np.bincount(which, weight[inner], len(pairs)).astype(np.float64),
        np.bincount(which, np.exp(-order / 3), len(pairs)).astype(np.float64),
        np.bincount(which, np.exp(-order / 8), len(pairs)).astype(np.float64),
        _per_qubit(circuit, NUM_QUBITS[circuit.op] == 1),
        _per_qubit(circuit, circuit.op == MEASURE),
    )


def _refuse_wide(circuit: Circuit) -> None:
    for row in np.flatnonzero(circuit.op == OPAQUE).tolist():
        extra = circuit.extras[circuit.extra[row]]
        if len(extra.operands) > 2:
            labels = ", ".join(str(circuit.qubits[q]) for q in extra.operands)
            raise PassError(
                f"row {row} ({extra.payload}) acts on {len(extra.operands)} qubits: {labels}",
                hint="decompose it into gates on at most two qubits before routing",
            )


def _per_qubit(circuit: Circuit, rows: NDArray[np.bool_]) -> NDArray[np.float64]:
    """How many of these rows act on each qubit."""
    wires = circuit.wires[rows]
    return np.bincount(
        wires[(wires >= 0) & (wires < circuit.num_qubits)], minlength=circuit.num_qubits
    ).astype(np.float64)


@lru_cache(maxsize=16)
def chip_of(device: Device) -> Chip:
    """The coupling graph as the kernels want it."""
    from qattn_compiler.passes.circuit.kernels import Chip

    n = device.num_qubits
    near: list[list[int]] = [[] for _ in range(n)]
    for a, b in device.edges.tolist():
        near[a].append(b)
        near[b].append(a)
    width = max((len(x) for x in near), default=0)
    neighbours = np.full((n, max(width, 1)), -1, dtype=np.int32)
    for p, others in enumerate(near):
        neighbours[p, : len(others)] = sorted(others)
    mirror = np.full_like(neighbours, -1)
    for p, others in enumerate(near):
        mirror[p, : len(others)] = [sorted(near[q]).index(p) for q in sorted(others)]
    error = np.zeros((n, n))
    edge = losses(device.edge_error)
    error[device.edges[:, 0], device.edges[:, 1]] = edge
    error[device.edges[:, 1], device.edges[:, 0]] = edge
    return Chip(neighbours, mirror, np.ascontiguousarray(device.distance), error)


def losses(error: NDArray[np.float64]) -> NDArray[np.float64]:
    """Minus log fidelity; what is unknown is the median of what is known, or 0."""
    known = error[np.isfinite(error)]
    middle = float(np.median(known)) if len(known) else 0.0
    return np.asarray(-np.log1p(-np.clip(np.where(np.isfinite(error), error, middle), 0.0, 0.999)))


def loss(problem: Problem, device: Device, layouts: Layout) -> NDArray[np.float64]:
    """Minus log fidelity of layouts, for a circuit whose pairs all are on edges.

    Args:
        layouts: shape (layouts, logical).

    Returns:
        shape (layouts,).
    """
    error = chip_of(device).error
    first, second = layouts[:, problem.pairs[:, 0]], layouts[:, problem.pairs[:, 1]]
    total = error[first, second] @ problem.weights
    total += losses(device.qubit_error)[layouts] @ problem.turns
    total += losses(device.readout_error).mean(axis=1)[layouts] @ problem.reads
    return np.asarray(total)


# --- components


@lru_cache(maxsize=16)
def zones(device: Device) -> NDArray[np.int32]:
    """Shape (n,): number of the connected component of each physical qubit."""
    return components(device.num_qubits, device.edges)


def components(n: int, edges: NDArray[np.int32]) -> NDArray[np.int32]:
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    matrix = csr_array((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(n, n))
    return np.asarray(connected_components(matrix, directed=False)[1], dtype=np.int32)


def homes(problem: Problem, device: Device) -> NDArray[np.int32]:
    """Shape (logical,): the component of the chip that each logical qubit goes to; -1: idle, goes anywhere.

    Raises:
        TargetError: the circuit does not fit.
    """
    missing = problem.size - device.num_qubits
    if missing > 0:
        raise TargetError(
            f"the circuit has {problem.size} qubits, {device.name} has {device.num_qubits}: "
            f"{missing} {'is' if missing == 1 else 'are'} missing"
        )
    home = np.full(problem.size, -1, dtype=np.int32)
    busy = np.unique(problem.pairs)
    if not zones(device).any():  # all of the chip is connected
        home[busy] = 0
        return home
    if not len(busy):
        return home
    group = components(problem.size, problem.pairs)
    names, sizes = np.unique(group[busy], return_counts=True)
    rooms = np.bincount(zones(device))
    chosen = _pack(sorted(zip(sizes.tolist(), names.tolist(), strict=True), reverse=True), rooms.tolist())
    if chosen is None:
        raise TargetError(
            f"{device.name} falls into {len(rooms)} unconnected parts of "
            f"{', '.join(map(str, rooms))} qubits; "
            f"the circuit's connected parts have {', '.join(map(str, sizes))}",
            hint="route across the parts is impossible: split the circuit or choose another target",
        )
    for name, zone in chosen.items():
        home[busy[group[busy] == name]] = zone
    return home


def _pack(items: list[tuple[int, int]], rooms: list[int], budget: int = 20_000) -> dict[int, int] | None:
    """Largest first, into the fullest room that still has space; with backtracking within a budget."""
    left = [budget]

    def place(i: int) -> dict[int, int] | None:
        left[0] -= 1
        if i == len(items) or left[0] < 0:
            return {} if i == len(items) else None
        size, name = items[i]
        tried: set[int] = set()
        for room in sorted(range(len(rooms)), key=rooms.__getitem__):
            if rooms[room] < size or rooms[room] in tried:
                continue
            tried.add(rooms[room])
            rooms[room] -= size
            rest = place(i + 1)
            rooms[room] += size
            if rest is not None:
                return {name: room, **rest}
        return None

    return place(0)
