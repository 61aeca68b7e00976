"""Circuits with measurement, reset, channels and classical control, as all of their classical histories.

A history is what was written under each key; to each belong the operators that lead there (one, or several
where something is lost to the environment). Two circuits mean the same if to every history belongs the same
completely positive map. Measurements after which nothing happens are not followed one by one: they only let
the phases between their outcomes go.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit.gates import GATES, MEASURE, RESET
from qattn_compiler.circuit.table import Circuit, Extra, Qubit
from qattn_compiler.verify.windows import matrices

Ints = NDArray[np.int64]
States = NDArray[np.complex128]
Record = tuple[tuple[str, tuple[tuple[int, ...], ...]], ...]
"""Key by key, sorted: all bits written under it, in order."""

MAX_AMPLITUDES = 1 << 24
"""Held at once, over all histories."""
NOTHING = 1e-13
"""Histories with less norm than this are none."""


@dataclass(frozen=True, eq=False)
class Foreign:
    """What a foreign operation does.

    Attributes:
        kraus: operators on its qubits, each of shape (2^k, 2^k); their order says nothing.
        holds: whether it happens, given what was written under each key; None: always.
    """

    kraus: tuple[States, ...]
    holds: Callable[[Mapping[str, tuple[tuple[int, ...], ...]]], bool] | None = None


Opener = Callable[[object], Foreign | None]
"""From the payload of an opaque row; None if it cannot be said."""


class Unknown(Exception):  # noqa: N818 - an answer, no error
    """A row, or the number of histories, is beyond this method; the message says why."""


@dataclass(frozen=True)
class Final:
    """A measurement after which nothing happens to its qubits and its key.

    Attributes:
        key: of the record.
        qubits: measured, in order.
        invert: whether each bit is flipped.
    """

    key: str
    qubits: tuple[int, ...]
    invert: tuple[bool, ...]


def without_final(circuit: Circuit) -> tuple[Circuit, tuple[Final, ...]]:
    """The circuit without its last measurements, and these, by key."""
    touched: set[int] = set()  # wires of all later rows that stay
    keep = np.ones(len(circuit), dtype=bool)
    found = []
    is_measure = circuit.op == MEASURE
    if not is_measure.any():
        return circuit, ()
    for row, wires in zip(range(len(circuit))[::-1], circuit.wires[::-1].tolist(), strict=True):
        if not is_measure[row] or not touched.isdisjoint(w for w in wires if w >= 0):
            touched.update(wires)
            continue
        keep[row] = False
        extra = circuit.extras[circuit.extra[row]]
        invert = (*extra.invert, *(False,) * len(extra.operands))[: len(extra.operands)]
        found.append(Final(extra.writes[0], extra.operands, invert))
    if not found:
        return circuit, ()
    found.reverse()
    return circuit.with_rows(np.flatnonzero(keep)), tuple(sorted(found, key=lambda one: one.key))


def histories(circuit: Circuit, inputs: States, opener: Opener | None) -> dict[Record, list[States]]:
    """What becomes of some input states, history by history.

    Args:
        circuit: numeric, n qubits.
        inputs: shape (2^n, columns).
        opener: of opaque rows.

    Returns:
        for each history the operators that lead to it, applied to the inputs: each of shape (2^n, columns).

    Raises:
        Unknown: an opaque row that cannot be opened, or too many histories.
    """
    shape = (1, *(2,) * circuit.num_qubits, inputs.shape[1])
    held = _Branches([{}], inputs.reshape(shape))
    gates = matrices(circuit.op, circuit.angles[None])[:, 0]
    for row, code in enumerate(circuit.op.tolist()):
        extra = circuit.extras[circuit.extra[row]] if circuit.extra[row] >= 0 else None
        size = GATES[code].num_qubits
        if size:
            wires = circuit.operands[row, :size].tolist()
            held = replace(held, states=applied(gates[row, : 1 << size, : 1 << size], wires, held.states))
            continue
        assert extra is not None
        if code == MEASURE:
            held = _measured(held, extra)
        else:
            what = _RESET if code == RESET else opener(extra.payload) if opener else None
            if what is None or (code != RESET and extra.writes):
                raise Unknown(f"row {row} ({GATES[code].name}) cannot be looked into")
            held = _opened(held, what, list(extra.operands))
        if held.states.size > MAX_AMPLITUDES:
            raise Unknown(f"more than {MAX_AMPLITUDES} amplitudes over all histories at row {row}")
    out: dict[Record, list[States]] = {}
    for written, state in zip(held.records, held.states, strict=True):
        out.setdefault(tuple(sorted(written.items())), []).append(state.reshape(inputs.shape))
    return out


_RESET = Foreign((np.diag([1.0, 0.0]).astype(complex), np.array([[0, 1], [0, 0]], dtype=complex)))


@dataclass(frozen=True, eq=False)
class _Branches:
    """All histories so far.

    Attributes:
        records: what each has written.
        states: shape (histories, 2, ..., 2, columns): the operators that lead there, applied to the inputs.
    """

    records: list[dict[str, tuple[tuple[int, ...], ...]]]
    states: States

    def parts(self, records: list[dict[str, tuple[tuple[int, ...], ...]]], states: States) -> _Branches:
        """Others in their place, without those that do not happen."""
        norms = np.linalg.norm(states.reshape(len(states), -1), axis=1)
        kept = np.flatnonzero(norms > NOTHING)
        return _Branches([records[k] for k in kept.tolist()], states[kept])


def applied(gate: States, wires: list[int], states: States) -> States:
    """A gate on some qubits of states of shape (histories, 2, ..., 2, columns)."""
    size = len(wires)
    out = np.zeros_like(states)
    places = [_place(states.ndim, wires, value, size) for value in range(1 << size)]
    for row, column in np.argwhere(gate != 0).tolist():
        out[places[row]] += gate[row, column] * states[places[column]]
    return out


def _place(axes: int, wires: list[int], value: int, size: int) -> tuple[slice | int, ...]:
    """Where these qubits have the bits of a number."""
    place: list[slice | int] = [slice(None)] * axes
    for k, wire in enumerate(wires):
        place[1 + wire] = (value >> (size - 1 - k)) & 1
    return tuple(place)


def _measured(held: _Branches, extra: Extra) -> _Branches:
    key, wires = extra.writes[0], list(extra.operands)
    invert = (*extra.invert, *(False,) * len(wires))
    records, states = [], []
    for value, bits in enumerate(product((0, 1), repeat=len(wires))):
        place = _place(held.states.ndim, wires, value, len(wires))
        part = np.zeros_like(held.states)
        part[place] = held.states[place]
        written = tuple(bit ^ flip for bit, flip in zip(bits, invert, strict=False))
        records += [{**record, key: (*record.get(key, ()), written)} for record in held.records]
        states.append(part)
        if len(states) * part.size > 4 * MAX_AMPLITUDES:
            raise Unknown(
                f"more than {MAX_AMPLITUDES} amplitudes over all histories at the measurement {key}"
            )
    return held.parts(records, np.concatenate(states))


def _opened(held: _Branches, what: Foreign, wires: list[int]) -> _Branches:
    happens = np.array([what.holds is None or what.holds(record) for record in held.records], dtype=bool)
    here, records = np.flatnonzero(happens), [held.records[k] for k in np.flatnonzero(~happens).tolist()]
    states = [held.states[~happens]]
    for kraus in what.kraus:
        records += [held.records[k] for k in here.tolist()]
        states.append(applied(kraus, wires, held.states[here]))
    return held.parts(records, np.concatenate(states))


def map_distance(one: list[States], two: list[States], groups: Ints) -> float:
    """How far two maps are from one another, both given by their operators on the same inputs.

    Args:
        one, two: shape (2^n, columns) each.
        groups: shape (2^n,): outputs in different groups have no phase between them.

    Returns:
        for one operator each, the largest entry of the difference for the best phase of each group; else the
        Frobenius norm of the difference of the Choi matrices (on the span of the inputs).
    """
    order = np.argsort(groups, kind="stable")
    count = int(groups.max(initial=0)) + 1
    a, b = (np.stack([part[order].reshape(count, -1) for part in parts], axis=1) for parts in (one, two))
    if len(one) == len(two) == 1:
        overlap = np.einsum("gki,gki->g", b.conj(), a)
        size = np.abs(overlap)
        phase = np.where(size > 0, overlap / np.where(size > 0, size, 1.0), 1.0)
        return float(np.abs(a - phase[:, None, None] * b).max(initial=0.0))
    worst = 0.0
    for left, right in zip(a, b, strict=True):
        _, r = np.linalg.qr(np.concatenate([left, right]).T)
        signs = np.concatenate([np.ones(len(left)), -np.ones(len(right))])
        worst = max(worst, float(np.linalg.norm((r * signs) @ r.conj().T)))
    return worst


def output_groups(final: tuple[Final, ...], num_qubits: int) -> Ints:
    """Equal numbers for basis states with equal results of the last measurements, shape (2^n,)."""
    index = np.arange(1 << num_qubits)
    measured = sorted({q for one in final for q in one.qubits})
    out = np.zeros(1 << num_qubits, dtype=np.int64)
    for q in measured:
        out = 2 * out + ((index >> (num_qubits - 1 - q)) & 1)
    return out


def relabelled(circuit: Circuit, place: Ints, labels: tuple[Qubit, ...]) -> Circuit:
    """The circuit on qubits with these labels, qubit q being the one numbered place[q]."""
    operands = np.where(circuit.operands >= 0, place[np.maximum(circuit.operands, 0)], -1).astype(np.int32)
    extras = tuple(
        replace(one, operands=tuple(int(place[q]) for q in one.operands)) for one in circuit.extras
    )
    return replace(circuit, qubits=labels, operands=operands, extras=extras)
