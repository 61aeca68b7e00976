"""Replay a routed circuit against the circuit before: an independent check, in linear time, of any router.

It knows nothing of how the routing was found. It walks over the routed rows, keeps the permutation, and
takes each row either as one that its wires expect or, if it is a plain SWAP that no wire expects, as an
inserted one.

What a wire expects: its rows fall into runs that are diagonal in the same Pauli basis there (the commutation
table of the gates; a row with an `Extra` is a run of its own). Rows of a run commute, and a wire expects any
row of the first run that is not used up. Two rows that share wires and are in one run on each commute; if
they are in different runs on some wire, that wire keeps their order. So what is accepted means the same.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qattn_compiler.circuit.gates import AXIS_CODES, GATES, SWAP, SYMMETRIC
from qattn_compiler.circuit.table import Circuit, Extra
from qattn_compiler.errors import VerificationError

Wire = int | str
"""A qubit's index, or a classical key."""
Terms = dict[int, list[tuple[int, str, float]]]


def check_routing(
    before: Circuit, routed: Circuit, initial: ArrayLike, final: ArrayLike, adjacency: NDArray[np.bool_]
) -> None:
    """Raise unless `routed` is `before` with qubits renamed, SWAPs inserted and rows reordered only where
    they share no wire (qubit or classical key) or commute.

    Args:
        before: the circuit on logical qubits.
        routed: the circuit on physical qubits.
        initial: shape (logical,): logical -> physical before the first row.
        final: shape (logical,): logical -> physical after the last row.
        adjacency: shape (physical, physical): which pairs a two-qubit row may use.

    Raises:
        VerificationError: names the first row that is wrong, and why.
    """
    start = _layout(initial, before, routed, "initial")
    wanted = _layout(final, before, routed, "final")
    if len(adjacency) != routed.num_qubits:
        raise VerificationError(
            f"{len(adjacency)} qubits in the graph, but {routed.num_qubits} in the routed circuit"
        )
    rows = _Rows(before), _Rows(routed)
    _check_phase(*rows)
    replay = _Replay(*rows, start)
    for row in np.flatnonzero(routed.is_two_qubit).tolist():
        _check_edge(rows[1], row, adjacency)
    for row in range(len(routed)):
        replay.take(row)
    replay.finish(wanted)


def _layout(layout: ArrayLike, before: Circuit, routed: Circuit, which: str) -> list[int]:
    places: list[int] = np.asarray(layout).tolist()
    if len(places) != before.num_qubits or len(set(places)) != len(places):
        raise VerificationError(
            f"the {which} layout must place each of {before.num_qubits} qubits once: {places}"
        )
    if any(not 0 <= p < routed.num_qubits for p in places):
        raise VerificationError(f"the {which} layout leaves the chip: {places}")
    return places


class _Rows:
    """A circuit's columns as lists, which Python reads faster than arrays.

    Attributes:
        circuit: the circuit.
        op: codes.
        columns: the operand columns.
        operands: the qubits of each row.
        extra: of each row, or None.
        angles: the bytes of each row's angles.
        axes: the Pauli axes on its first two wires, 0 for none.
        symmetric: whether its two qubits may change places.
        terms: symbolic terms by row.
    """

    def __init__(self, circuit: Circuit) -> None:
        self.circuit = circuit
        self.op: list[int] = circuit.op.tolist()
        self.columns: list[list[int]] = circuit.operands.tolist()
        self.extra = [circuit.extras[i] if i >= 0 else None for i in circuit.extra.tolist()]
        both = zip(self.extra, self.columns, strict=True)
        self.operands = [
            extra.operands if extra is not None and extra.operands else tuple(q for q in pair if q >= 0)
            for extra, pair in both
        ]
        data, width = circuit.angles.tobytes(), circuit.angles.itemsize * circuit.angles.shape[1]
        self.angles = [data[width * row : width * (row + 1)] for row in range(len(circuit))]
        self.axes: list[list[int]] = AXIS_CODES[circuit.op].tolist()
        self.symmetric: list[bool] = SYMMETRIC[circuit.op].tolist()
        self.terms = _terms(circuit)

    def axes_of(self, row: int, wires: int) -> Sequence[int]:
        """The Pauli axis of a row on each of its wires, 0 for none."""
        return (0,) * wires if self.extra[row] is not None else self.axes[row][:wires]

    def wires(self, row: int, qubits: tuple[int, ...]) -> tuple[Wire, ...]:
        """These qubits and the row's classical keys."""
        extra = self.extra[row]
        if extra is None:
            return qubits
        return (*qubits, *dict.fromkeys((*extra.reads, *extra.writes)))


def _check_phase(before: _Rows, routed: _Rows) -> None:
    if before.circuit.params != routed.circuit.params:
        raise VerificationError("the parameters have changed")
    same_terms = before.terms.get(-1) == routed.terms.get(-1)
    if before.circuit.phase != routed.circuit.phase or not same_terms:
        raise VerificationError("the global phase has changed")


def _check_edge(routed: _Rows, row: int, adjacency: NDArray[np.bool_]) -> None:
    qubits = routed.operands[row]
    if len(qubits) > 2 or not adjacency[qubits[0], qubits[1]]:
        labels = ", ".join(str(routed.circuit.qubits[q]) for q in qubits)
        raise VerificationError(
            f"row {row} ({GATES[routed.op[row]].name}) acts on {labels}, which are not coupled"
        )


def _terms(circuit: Circuit) -> Terms:
    """Row (or -1 for the global phase) -> its symbolic terms (column, parameter, coefficient)."""
    out: Terms = defaultdict(list)
    table = circuit.affine
    for slot, param, coef in zip(table.slot.tolist(), table.param.tolist(), table.coef.tolist(), strict=True):
        row, column = (-1, 0) if slot < 0 else divmod(slot, 3)
        out[row].append((column, circuit.params[param].name, coef))
    return out


class _Replay:
    """The state of a replay: the permutation, and the runs of rows still to come on each wire."""

    def __init__(self, before: _Rows, routed: _Rows, start: list[int]) -> None:
        self.before = before
        self.routed = routed
        self.holder = {place: q for q, place in enumerate(start)}
        self.left: dict[Wire, list[int]] = defaultdict(list)  # rows still to come of each run
        self.run: dict[Wire, int] = defaultdict(int)  # the run that is expected
        self.rows: dict[Hashable, deque[int]] = defaultdict(deque)
        last: dict[Wire, int] = {}
        for row, qubits in enumerate(before.operands):
            wires = before.wires(row, qubits)
            for wire, axis in zip(wires, before.axes_of(row, len(wires)), strict=True):
                if not axis or axis != last.get(wire):
                    self.left[wire].append(0)
                self.left[wire][-1] += 1
                last[wire] = axis
            runs = tuple([len(self.left[wire]) - 1 for wire in wires])
            self.rows[_key(before, row, wires, runs)].append(row)

    def take(self, row: int) -> None:
        """Match one routed row with the original, or move the permutation."""
        routed = self.routed
        physical = routed.operands[row]
        logical = tuple([self.holder.get(p, -1) for p in physical])
        wires = routed.wires(row, logical)
        key = _key(routed, row, wires, tuple([self.run[wire] for wire in wires]))
        waiting = self.rows.get(key, deque())
        # Rows on no wire commute with all: any that is equal will do. Elsewhere equal keys mean equal rows.
        found = next((old for old in waiting if self._equal(old, row)), None)
        if found is not None:
            waiting.remove(found)
            self._use(wires)
        elif routed.op[row] == SWAP and routed.extra[row] is None:
            self._swap(physical)
        else:
            raise VerificationError(
                f"row {row} of the routed circuit is {GATES[routed.op[row]].name} on logical qubits "
                f"{logical}; there the original has nothing that is equal and may come now"
            )

    def _use(self, wires: tuple[Wire, ...]) -> None:
        """One row less on these wires."""
        for wire in wires:
            left = self.left[wire]
            left[self.run[wire]] -= 1
            if not left[self.run[wire]]:
                self.run[wire] += 1

    def _swap(self, physical: tuple[int, ...]) -> None:
        p, q = physical
        x, y = self.holder.pop(p, None), self.holder.pop(q, None)
        if x is not None:
            self.holder[q] = x
        if y is not None:
            self.holder[p] = y

    def _equal(self, old: int, new: int) -> bool:
        """Whether routed row `new` is original row `old`, given that their keys are equal."""
        one, two = self.before.extra[old], self.routed.extra[new]
        return _columns_agree(self.routed, new) and (one is two or _same_extra(one, two))

    def finish(self, wanted: list[int]) -> None:
        """Raise if rows are left over or the permutation is not the final layout."""
        missing = sorted(row for rows in self.rows.values() for row in rows)
        if missing:
            raise VerificationError(
                f"{len(missing)} rows of the original are missing, the first is row {missing[0]} "
                f"({GATES[self.before.op[missing[0]]].name})"
            )
        places = {q: p for p, q in self.holder.items()}
        wrong = [q for q, p in enumerate(wanted) if places[q] != p]
        if wrong:
            q = wrong[0]
            raise VerificationError(f"qubit {q} ends on {places[q]}, the final layout says {wanted[q]}")


def _key(rows: _Rows, row: int, wires: tuple[Wire, ...], runs: tuple[int, ...]) -> Hashable:
    """What tells rows apart: gate, angles, wires and the run on each."""
    places = tuple(zip(wires, runs, strict=True))
    if rows.symmetric[row] and len(places) > 1:
        plain = rows.extra[row] is None  # then all wires are numbers
        places = tuple(sorted(places) if plain else sorted(places, key=repr))
    return rows.op[row], rows.angles[row], tuple(rows.terms.get(row, ())), places


def _columns_agree(rows: _Rows, row: int) -> bool:
    """Whether the operand columns say the same as the side table."""
    qubits = rows.operands[row]
    first = qubits[0] if qubits else -1
    second = qubits[1] if len(qubits) > 1 else -1
    return rows.columns[row] == [first, second]


def _same_extra(old: Extra | None, new: Extra | None) -> bool:
    if old is None or new is None:
        return old is new
    return (
        bool(old.operands) == bool(new.operands)
        and (old.reads, old.writes, old.tags, old.invert) == (new.reads, new.writes, new.tags, new.invert)
        and (old.payload is new.payload or old.payload == new.payload)
    )
