"""Replay a routed circuit against the circuit before: an independent check, in linear time, of any router.

It knows nothing of how the routing was found. It walks over the routed rows, keeps the permutation, and takes
each row either as the next row that its wires expect (the "next" relation of the original's wires is the
whole dependency order) or, if it is a plain SWAP that no wire expects, as an inserted one.
"""

from __future__ import annotations

from collections import defaultdict, deque

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qattn_compiler.circuit.gates import GATES, SWAP, SYMMETRIC
from qattn_compiler.circuit.table import Circuit, Extra
from qattn_compiler.errors import VerificationError

Terms = dict[int, list[tuple[int, str, float]]]


def check_routing(
    before: Circuit, routed: Circuit, initial: ArrayLike, final: ArrayLike, adjacency: NDArray[np.bool_]
) -> None:
    """Raise unless `routed` is `before` with qubits renamed, SWAPs inserted and rows reordered only where no
    wire (qubit or classical key) forbids it.

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


def _terms(circuit: Circuit) -> Terms:
    """Row (or -1 for the global phase) -> its symbolic terms (column, parameter, coefficient)."""
    out: Terms = defaultdict(list)
    table = circuit.affine
    for slot, param, coef in zip(table.slot.tolist(), table.param.tolist(), table.coef.tolist(), strict=True):
        row, column = (-1, 0) if slot < 0 else divmod(slot, 3)
        out[row].append((column, circuit.params[param].name, coef))
    return out


class _Replay:
    """The state of a replay: the permutation, and the rows still to come on each wire."""

    def __init__(self, before: Circuit, routed: Circuit, start: list[int]) -> None:
        self.before = before
        self.routed = routed
        self.holder = {place: q for q, place in enumerate(start)}
        self.terms = (_terms(before), _terms(routed))
        self.queues: dict[int | str, deque[int]] = defaultdict(deque)
        self.free: deque[int] = deque()
        for row in range(len(before)):
            wires = self._wires(before, row, _operands(before, row))
            for wire in wires:
                self.queues[wire].append(row)
            if not wires:
                self.free.append(row)
        self.left = len(before)

    @staticmethod
    def _wires(circuit: Circuit, row: int, qubits: tuple[int, ...]) -> tuple[int | str, ...]:
        extra = _extra(circuit, row)
        keys = () if extra is None else tuple(dict.fromkeys((*extra.reads, *extra.writes)))
        return (*qubits, *keys)

    def take(self, row: int) -> None:
        """Match one routed row with the original, or move the permutation."""
        physical = _operands(self.routed, row)
        logical = tuple(self.holder.get(p, -1) for p in physical)
        expected = self._expected(row, logical)
        plain_swap = self.routed.op[row] == SWAP and self.routed.extra[row] < 0
        if expected is not None and self._equal(expected, row, logical):
            self._pop(expected, row, logical)
        elif plain_swap:
            self._swap(physical)
        else:
            name = GATES[self.routed.op[row]].name
            what = "nothing"
            if expected is not None:
                what = f"row {expected} ({GATES[self.before.op[expected]].name})"
            raise VerificationError(
                f"row {row} of the routed circuit is {name} on logical qubits {logical}; "
                f"there the original has {what}"
            )

    def _expected(self, row: int, logical: tuple[int, ...]) -> int | None:
        """The original row that is next on every one of these wires, if there is one."""
        wires = self._wires(self.routed, row, logical)
        if not wires:
            # A row on no wire commutes with all: any that is left and equal will do.
            return next((r for r in self.free if self._equal(r, row, logical)), None)
        fronts = {self.queues[wire][0] if self.queues.get(wire) else None for wire in wires}
        return fronts.pop() if len(fronts) == 1 else None

    def _pop(self, expected: int, row: int, logical: tuple[int, ...]) -> None:
        wires = self._wires(self.routed, row, logical)
        for wire in wires:
            self.queues[wire].popleft()
        if not wires:
            self.free.remove(expected)
        self.left -= 1

    def _swap(self, physical: tuple[int, ...]) -> None:
        p, q = physical
        x, y = self.holder.pop(p, None), self.holder.pop(q, None)
        if x is not None:
            self.holder[q] = x
        if y is not None:
            self.holder[p] = y

    def _equal(self, old: int, new: int, logical: tuple[int, ...]) -> bool:
        """Whether routed row `new` is original row `old`, operands included."""
        before, routed = self.before, self.routed
        if before.op[old] != routed.op[new] or not np.array_equal(before.angles[old], routed.angles[new]):
            return False
        qubits = _operands(before, old)
        turned = bool(SYMMETRIC[before.op[old]]) and logical == qubits[::-1]
        if logical != qubits and not turned:
            return False
        if self.terms[0].get(old) != self.terms[1].get(new):
            return False
        if not _columns_agree(routed, new):
            return False
        return _same_extra(_extra(before, old), _extra(routed, new))

    def finish(self, wanted: list[int]) -> None:
        """Raise if rows are left over or the permutation is not the final layout."""
        if self.left:
            missing = min([q[0] for q in self.queues.values() if q] + list(self.free))
            raise VerificationError(
                f"{self.left} rows of the original are missing, the first is row {missing} "
                f"({GATES[self.before.op[missing]].name})"
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
