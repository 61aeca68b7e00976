"""Two circuits on the same qubits, and how far they are from one another.

`Pair` takes off what does not matter: measurements at the end that both have, gates that both begin or end
with, qubits on which nothing happens. `Pair.distance` compares what is left on given input states.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit.gates import NUM_QUBITS, SYMMETRIC
from qattn_compiler.circuit.table import Circuit
from qattn_compiler.verify.branches import (
    Final,
    Opener,
    Record,
    histories,
    map_distance,
    output_groups,
    relabelled,
    without_final,
)

Ints = NDArray[np.int64]
States = NDArray[np.complex128]
Outputs = dict[Record, list[States]]


@dataclass(frozen=True, eq=False)
class Pair:
    """Two circuits on the same m qubits, numbered alike at the start.

    Attributes:
        a, b: the circuits.
        end: shape (m,): qubit of b that holds at the end what qubit q of a holds; -1 for those that only b
            has, which start in |0> and must end in |0>.
        last: measurements at the end of both, taken off, on a's qubits.
    """

    a: Circuit
    b: Circuit
    end: Ints
    last: tuple[Final, ...] = ()

    @staticmethod
    def of(a: Circuit, b: Circuit, initial: Ints, final: Ints) -> Pair:
        """A pair from layouts; qubits are numbered as in b, and have the names of a where they have one."""
        size = b.num_qubits
        end = np.full(size, -1, dtype=np.int64)
        end[initial] = final
        labels = [f"{q} of the second" for q in b.qubits]
        for q, label in zip(initial.tolist(), a.qubits, strict=True):
            labels[q] = str(label)
        return Pair(relabelled(a, initial, tuple(labels)), relabelled(b, np.arange(size), tuple(labels)), end)

    @property
    def size(self) -> int:
        """Qubits."""
        return len(self.end)

    @property
    def names(self) -> tuple[str, ...]:
        """Of all parameters."""
        return tuple(sorted({p.name for p in (*self.a.params, *self.b.params)}))

    @property
    def is_unitary(self) -> bool:
        """Whether there are only gates, tagged ones included."""
        return bool((NUM_QUBITS[self.a.op] > 0).all() and (NUM_QUBITS[self.b.op] > 0).all())

    @property
    def own(self) -> Ints:
        """The qubits that a has."""
        return np.flatnonzero(self.end >= 0)

    def bound(self, values: dict[str, float]) -> Pair:
        """At values of the parameters."""
        a, b = (c.bind({p.name: values[p.name] for p in c.params}) for c in (self.a, self.b))
        return replace(self, a=a, b=b)

    def without_last(self) -> Pair:
        """Without the measurements at the end, if both have the same ones."""
        a, mine = without_final(self.a)
        b, other = without_final(self.b)
        there = tuple(replace(one, qubits=tuple(int(self.end[q]) for q in one.qubits)) for one in mine)
        return replace(self, a=a, b=b, last=mine) if mine and there == other else self

    def stripped(self, ends: bool = True) -> Pair:
        """Without the gates that both begin with, and (if `ends`) end with; and `compact`.

        Gates are invertible: what is left differs if and only if the pair did, but for measurements at the
        end (`last`), which gates at the end do not pass.
        """
        one, two = _shared(self.a, self.b)
        pair = replace(self, a=self.a.with_rows(one), b=self.b.with_rows(two))
        if ends:
            place = np.where(self.end >= 0, self.end, 0)
            back_a = relabelled(_reversed(pair.a), place, pair.a.qubits)
            one, two = _shared(back_a, _reversed(pair.b))
            keep_a, keep_b = len(pair.a) - 1 - one[::-1], len(pair.b) - 1 - two[::-1]
            pair = replace(pair, a=pair.a.with_rows(keep_a), b=pair.b.with_rows(keep_b))
        return pair.compact()

    def compact(self) -> Pair:
        """Without the qubits on which nothing happens."""
        used = (self.end >= 0) & (self.end != np.arange(self.size))
        for circuit in (self.a, self.b):
            used[circuit.wires[(circuit.wires >= 0) & (circuit.wires < self.size)]] = True
        for one in self.last:
            used[list(one.qubits)] = True
        used[self.end[used & (self.end >= 0)]] = True
        if used.all():
            return self
        keep = np.flatnonzero(used)
        number = np.where(used, np.cumsum(used) - 1, 0)
        labels = tuple(self.a.qubits[q] for q in keep.tolist())
        a, b = (relabelled(circuit, number, labels) for circuit in (self.a, self.b))
        end = np.where(self.end[keep] >= 0, number[self.end[keep]], -1)
        last = tuple(replace(one, qubits=tuple(int(number[q]) for q in one.qubits)) for one in self.last)
        return Pair(a, b, end, last)

    def with_layouts(self) -> tuple[Circuit, Circuit, Ints, Ints]:
        """a on its own qubits alone, b, and on which of b's they start and end."""
        own = self.own
        number = np.where(self.end >= 0, np.cumsum(self.end >= 0) - 1, 0)
        labels = tuple(self.a.qubits[q] for q in own.tolist())
        return relabelled(self.a, number, labels), self.b, own, self.end[own]

    def embedded(self, states: States) -> States:
        """States of a's qubits as those of all, the others in |0>: (2^n, columns) to (2^m, columns)."""
        index = np.arange(len(states))
        own = self.own.tolist()
        spread = sum(
            (((index >> (len(own) - 1 - k)) & 1) << (self.size - 1 - q) for k, q in enumerate(own)),
            start=np.zeros(len(states), dtype=np.int64),
        )
        out = np.zeros((1 << self.size, states.shape[1]), dtype=complex)
        out[spread] = states
        return out

    def outputs(self, states: States, opener: Opener | None) -> tuple[Outputs, Outputs]:
        """What both make of input states of a's qubits, history by history, on b's qubits.

        Raises:
            Unknown: it cannot be said.
        """
        given = self.embedded(states)
        one, two = (histories(circuit, given, opener) for circuit in (self.a, self.b))
        to = _whole(self.end)
        return {record: [_moved(part, to) for part in parts] for record, parts in one.items()}, two

    def distance(self, states: States, opener: Opener | None) -> float:
        """How far the outputs are from one another at most: `branches.map_distance`, over all histories.

        Args:
            states: shape (2^n, columns): input states of a's qubits.
            opener: of opaque rows.

        Raises:
            Unknown: it cannot be said.
        """
        one, two = self.outputs(states, opener)
        last = tuple(replace(m, qubits=tuple(int(self.end[q]) for q in m.qubits)) for m in self.last)
        groups = output_groups(last, self.size)
        nothing = [np.zeros((1 << self.size, states.shape[1]), dtype=complex)]
        return max(
            map_distance(one.get(record, nothing), two.get(record, nothing), groups)
            for record in {**one, **two}
        )


def _whole(end: Ints) -> list[int]:
    """`end` with the other qubits on the places that are left."""
    out = end.copy()
    out[end < 0] = np.setdiff1d(np.arange(len(end)), end)
    whole: list[int] = out.tolist()
    return whole


def _moved(state: States, to: list[int]) -> States:
    """A state (2^m, columns) with qubit q renamed to[q]."""
    shaped = state.reshape((2,) * len(to) + (-1,))
    return np.moveaxis(shaped, range(len(to)), to).reshape(state.shape)


def _reversed(circuit: Circuit) -> Circuit:
    return circuit.with_rows(np.arange(len(circuit))[::-1])


def _shared(a: Circuit, b: Circuit) -> tuple[Ints, Ints]:
    """The rows of each that are left when gates that both begin with are taken off, in one sweep."""
    rows_b: list[list[int]] = [[] for _ in range(b.num_qubits)]
    wires_b = b.wires.tolist()
    for row in range(len(b))[::-1]:
        for wire in wires_b[row]:
            if 0 <= wire < b.num_qubits:
                rows_b[wire].append(row)
    keys_a, keys_b = row_keys(a), row_keys(b)
    blocked = np.zeros(a.num_wires, dtype=bool).tolist()
    keep_a, gone_b = [], np.zeros(len(b), dtype=bool)
    for row, wires in enumerate(a.wires.tolist()):
        wires = [wire for wire in wires if wire >= 0]
        key = keys_a[row]
        if key is not None and not any(blocked[wire] for wire in wires):
            first = rows_b[wires[0]][-1] if rows_b[wires[0]] else -1
            if (
                first >= 0
                and keys_b[first] == key
                and all(rows_b[w] and rows_b[w][-1] == first for w in wires)
            ):
                for wire in wires:
                    rows_b[wire].pop()
                gone_b[first] = True
                continue
        for wire in wires:
            blocked[wire] = True
        keep_a.append(row)
    return np.array(keep_a, dtype=np.int64), np.flatnonzero(~gone_b)


def row_keys(circuit: Circuit) -> list[Hashable]:
    """What a row is: gate, angles, qubits; None for rows that are no gate. Tags mean nothing."""
    terms: dict[int, list[tuple[int, str, float]]] = {}
    table = circuit.affine
    for slot, param, coef in zip(table.slot.tolist(), table.param.tolist(), table.coef.tolist(), strict=True):
        if slot >= 0:
            terms.setdefault(slot // 3, []).append((slot % 3, circuit.params[param].name, coef))
    operands = np.where(
        SYMMETRIC[circuit.op][:, None], np.sort(circuit.operands, axis=1), circuit.operands
    ).tolist()
    angles = (circuit.angles + 0.0).tolist()  # without -0.0
    is_gate = (NUM_QUBITS[circuit.op] > 0).tolist()
    return [
        (code, *operands[row], *angles[row], *sorted(terms.get(row, ()))) if is_gate[row] else None
        for row, code in enumerate(circuit.op.tolist())
    ]
