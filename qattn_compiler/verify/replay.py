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
from collections.abc import Hashable

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
    _check_phase(before, routed)
    replay = _Replay(before, routed, start)
    for row in range(len(routed)):
        if routed.is_two_qubit[row]:
            _check_edge(routed, row, adjacency)
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


def _check_phase(before: Circuit, routed: Circuit) -> None:
    if before.params != routed.params:
        raise VerificationError("the parameters have changed")
    same_terms = _terms(before).get(-1) == _terms(routed).get(-1)
    if before.phase != routed.phase or not same_terms:
        raise VerificationError("the global phase has changed")


def _check_edge(routed: Circuit, row: int, adjacency: NDArray[np.bool_]) -> None:
    qubits = _operands(routed, row)
    if len(qubits) > 2 or not adjacency[qubits[0], qubits[1]]:
        labels = ", ".join(str(routed.qubits[q]) for q in qubits)
        name = GATES[routed.op[row]].name
        raise VerificationError(f"row {row} ({name}) acts on {labels}, which are not coupled")


def _operands(circuit: Circuit, row: int) -> tuple[int, ...]:
    extra = _extra(circuit, row)
    if extra is not None and extra.operands:
        return extra.operands
    return tuple(q for q in circuit.operands[row].tolist() if q >= 0)


def _extra(circuit: Circuit, row: int) -> Extra | None:
    index = int(circuit.extra[row])
    return circuit.extras[index] if index >= 0 else None


def _axes(circuit: Circuit, row: int, wires: int) -> tuple[int, ...]:
    """The Pauli axis of a row on each of its wires, 0 for none."""
    if circuit.extra[row] >= 0:
        return (0,) * wires
    return tuple(AXIS_CODES[circuit.op[row], :wires].tolist())


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

    def __init__(self, before: Circuit, routed: Circuit, start: list[int]) -> None:
        self.before = before
        self.routed = routed
        self.holder = {place: q for q, place in enumerate(start)}
        self.terms = (_terms(before), _terms(routed))
        self.left: dict[Wire, list[int]] = defaultdict(list)  # rows still to come of each run
        self.run: dict[Wire, int] = defaultdict(int)  # the run that is expected
        self.rows: dict[Hashable, deque[int]] = defaultdict(deque)
        last: dict[Wire, int] = {}
        for row in range(len(before)):
            wires = self._wires(before, row, _operands(before, row))
            for wire, axis in zip(wires, _axes(before, row, len(wires)), strict=True):
                if not axis or axis != last.get(wire):
                    self.left[wire].append(0)
                self.left[wire][-1] += 1
                last[wire] = axis
            runs = tuple(len(self.left[wire]) - 1 for wire in wires)
            self.rows[self._key(before, row, wires, runs)].append(row)

    @staticmethod
    def _wires(circuit: Circuit, row: int, qubits: tuple[int, ...]) -> tuple[Wire, ...]:
        extra = _extra(circuit, row)
        keys = () if extra is None else tuple(dict.fromkeys((*extra.reads, *extra.writes)))
        return (*qubits, *keys)

    def _key(self, circuit: Circuit, row: int, wires: tuple[Wire, ...], runs: tuple[int, ...]) -> Hashable:
        """What tells rows apart: gate, angles, wires and the run on each."""
        places = tuple(zip(wires, runs, strict=True))
        if SYMMETRIC[circuit.op[row]]:
            places = tuple(sorted(places, key=repr))
        terms = self.terms[0 if circuit is self.before else 1].get(row, ())
        return int(circuit.op[row]), circuit.angles[row].tobytes(), tuple(terms), places

    def take(self, row: int) -> None:
        """Match one routed row with the original, or move the permutation."""
        physical = _operands(self.routed, row)
        logical = tuple(self.holder.get(p, -1) for p in physical)
        wires = self._wires(self.routed, row, logical)
        key = self._key(self.routed, row, wires, tuple(self.run[wire] for wire in wires))
        waiting = self.rows.get(key, deque())
        # Rows on no wire commute with all: any that is equal will do. Elsewhere equal keys mean equal rows.
        found = next((old for old in waiting if self._equal(old, row)), None)
        if found is not None:
            waiting.remove(found)
            self._use(wires)
        elif self.routed.op[row] == SWAP and self.routed.extra[row] < 0:
            self._swap(physical)
        else:
            raise VerificationError(
                f"row {row} of the routed circuit is {GATES[self.routed.op[row]].name} on logical qubits "
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
        return _columns_agree(self.routed, new) and _same_extra(
            _extra(self.before, old), _extra(self.routed, new)
        )

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


def _columns_agree(circuit: Circuit, row: int) -> bool:
    """Whether the operand columns say the same as the side table."""
    qubits = _operands(circuit, row)
    first = qubits[0] if qubits else -1
    second = qubits[1] if len(qubits) > 1 else -1
    return bool(circuit.operands[row].tolist() == [first, second])


def _same_extra(old: Extra | None, new: Extra | None) -> bool:
    if old is None or new is None:
        return old is new
    return (
        bool(old.operands) == bool(new.operands)
        and (old.reads, old.writes, old.tags, old.invert) == (new.reads, new.writes, new.tags, new.invert)
        and (old.payload is new.payload or old.payload == new.payload)
    )
