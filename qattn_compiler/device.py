"""Device: what a machine can do, as plain data that passes read.

Qubits are numbered 0 .. n-1 in the order of `qubits`; `edges` are pairs of those numbers. What is not known
is NaN (error rates) or absent (durations), never invented.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit.gates import BY_NAME, GATES, NUM_QUBITS, OPAQUE, SYMMETRIC
from qattn_compiler.circuit.table import Circuit
from qattn_compiler.errors import TargetError

_SAME_ANGLE = 1e-9
"""Angles (radians) this close to the machine's are meant to be them."""


@dataclass(frozen=True, eq=False)
class Device:
    """A machine: qubits, coupling graph, native gates, durations, error rates.

    Attributes:
        name: the name that users say, such as "google.willow".
        qubits: labels in index order.
        edges: shape (edges, 2), int32, each with first < second, sorted, no duplicates.
        native: names of the gates (of the gate table) that the machine runs.
        durations: nanoseconds by gate name; "measure" and "reset" included where known.
        edge_error: shape (edges,): error probability (average gate infidelity scale is not mixed in: these
            are Pauli error rates) of the native two-qubit gate; NaN where unknown.
        qubit_error: shape (qubits,): Pauli error of a single-qubit gate; NaN where unknown.
        readout_error: shape (qubits, 2): P(read 1 | 0), P(read 0 | 1); NaN where unknown.
        t1: shape (qubits,): nanoseconds; NaN where unknown.
        t2: shape (qubits,): nanoseconds, with echo; NaN where unknown.
        fixed: gate name -> the angles (radians) that the machine has of it, None for any; gates that are not
            named here have any angles.
        highest: gate name -> the largest of its angles (radians) that the machine has; the least is then 0.
        one_way: (from, to) of couplings that are there one way only.
        source: where the numbers come from, with a date.
    """

    name: str
    qubits: tuple[Hashable, ...]
    edges: NDArray[np.int32]
    native: frozenset[str]
    durations: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    edge_error: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    qubit_error: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    readout_error: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 2)))
    t1: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    t2: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    source: str = ""
    fixed: Mapping[str, tuple[float | None, ...]] = field(default_factory=lambda: MappingProxyType({}))
    highest: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    one_way: frozenset[tuple[int, int]] = frozenset()

    def __post_init__(self) -> None:
        edges = np.asarray(self.edges, dtype=np.int32).reshape(-1, 2)
        if len(edges) and (edges.min() < 0 or edges.max() >= len(self.qubits)):
            raise TargetError(f"{self.name}: an edge names a qubit that is not there")
        if (edges[:, 0] >= edges[:, 1]).any():
            raise TargetError(f"{self.name}: edges must be given as (smaller, larger) index")
        if not {(min(p), max(p)) for p in self.one_way} <= set(map(tuple, edges.tolist())):
            raise TargetError(f"{self.name}: a pair that goes one way is no edge")
        unknown = (self.native | set(self.fixed) | set(self.highest)) - {g.name for g in GATES}
        if unknown:
            raise TargetError(f"{self.name}: unknown native gates {sorted(unknown)}")
        count = self.num_qubits
        sizes: dict[str, tuple[int, ...]] = {
            "edge_error": (len(edges),),
            "qubit_error": (count,),
            "readout_error": (count, 2),
            "t1": (count,),
            "t2": (count,),
        }
        object.__setattr__(self, "edges", edges)
        for name, shape in sizes.items():
            value = np.asarray(getattr(self, name), dtype=np.float64)
            value = np.full(shape, np.nan) if value.size == 0 else value
            if value.shape != shape:
                raise TargetError(f"{self.name}: {name} has shape {value.shape}, expected {shape}")
            object.__setattr__(self, name, value)

    @property
    def num_qubits(self) -> int:
        """How many qubits the machine has."""
        return len(self.qubits)

    @cached_property
    def graph(self) -> Any:
        """The coupling graph, a `networkx.Graph` over qubit indices with the label as node attribute."""
        import networkx as nx

        graph = nx.Graph(name=self.name)
        graph.add_nodes_from((i, {"label": q}) for i, q in enumerate(self.qubits))
        graph.add_edges_from(self.edges.tolist())
        return graph

    @cached_property
    def distance(self) -> NDArray[np.int32]:
        """Shape (n, n): hops between qubits; n where there is no path."""
        from scipy.sparse import csr_array
        from scipy.sparse.csgraph import shortest_path

        n = self.num_qubits
        ones = np.ones(len(self.edges))
        matrix = csr_array((ones, (self.edges[:, 0], self.edges[:, 1])), shape=(n, n))
        hops = shortest_path(matrix, directed=False, unweighted=True)
        return np.where(np.isfinite(hops), hops, n).astype(np.int32)

    @cached_property
    def adjacency(self) -> NDArray[np.bool_]:
        """Shape (n, n): whether two qubits are neighbours."""
        out = np.zeros((self.num_qubits, self.num_qubits), dtype=bool)
        out[self.edges[:, 0], self.edges[:, 1]] = True
        return out | out.T

    @cached_property
    def edge_index(self) -> dict[tuple[int, int], int]:
        """(smaller, larger) -> row of `edges`."""
        return {(a, b): i for i, (a, b) in enumerate(self.edges.tolist())}

    def check(self, circuit: Circuit) -> None:
        """Raise unless the circuit runs on this machine as it stands: qubits are the device's own in index
        order, gates native at angles that it has, two-qubit gates on edges.

        Raises:
            TargetError: names the row, the gate and its qubits, and what the machine has instead.
        """
        if circuit.qubits != self.qubits:
            raise TargetError(f"{self.name}: the circuit's qubits are not the machine's")
        native = np.array([g.num_qubits == 0 or g.name in self.native for g in GATES])
        for row in np.flatnonzero(~native[circuit.op] | (circuit.op == OPAQUE)):
            raise TargetError(self._gate_message(circuit, int(row)))
        for name, angles in self.fixed.items():
            self._check_angles(circuit, np.flatnonzero(circuit.op == BY_NAME[name].code), angles)
        for name, angle in self.highest.items():
            self._check_range(circuit, np.flatnonzero(circuit.op == BY_NAME[name].code), angle)
        pairs = circuit.operands[NUM_QUBITS[circuit.op] == 2]
        bad = ~self.adjacency[pairs[:, 0], pairs[:, 1]]
        if bad.any():
            a, b = pairs[bad][0]
            raise TargetError(f"{self.name}: {self.qubits[a]} and {self.qubits[b]} are not coupled")
        for a, b in (
            pairs[~SYMMETRIC[circuit.op[NUM_QUBITS[circuit.op] == 2]]].tolist() if self.one_way else ()
        ):
            if (b, a) in self.one_way:
                raise TargetError(f"{self.name} has {self.qubits[b]} to {self.qubits[a]} only")

    def _check_angles(
        self, circuit: Circuit, rows: NDArray[np.int64], angles: tuple[float | None, ...]
    ) -> None:
        symbolic = circuit.affine.slot
        for column, angle in enumerate(angles):
            if angle is None:
                continue
            off = np.abs(circuit.angles[rows, column] - angle) > _SAME_ANGLE
            off |= np.isin(3 * rows + column, symbolic)
            for row in rows[off]:
                raise TargetError(
                    f"{self._gate_message(circuit, int(row))}; angle {column} would have to be {angle:.6g}"
                )

    def _check_range(self, circuit: Circuit, rows: NDArray[np.int64], highest: float) -> None:
        angle = circuit.angles[rows, 0]
        off = (angle < -_SAME_ANGLE) | (angle > highest + _SAME_ANGLE) | circuit.symbolic_rows[rows]
        for row in rows[off]:
            message = self._gate_message(circuit, int(row))
            raise TargetError(f"{message}; the angle would have to be from 0 to {highest:.6g}")

    def _gate_message(self, circuit: Circuit, row: int) -> str:
        extra = circuit.extras[circuit.extra[row]] if circuit.extra[row] >= 0 else None
        what = GATES[circuit.op[row]].name if extra is None or extra.payload is None else str(extra.payload)
        return f"{self.name} does not run {what} (row {row}); its gates are {', '.join(sorted(self.native))}"
