"""Where two circuits differ: a pair of short circuits, a simple input state, the first gates that differ."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit.table import Circuit
from qattn_compiler.circuit.text import to_text
from qattn_compiler.verify.branches import Opener, Unknown
from qattn_compiler.verify.pairs import Pair, row_keys

Ints = NDArray[np.int64]

MAX_TRIALS: Final = 120
"""Pairs of circuits that are compared while shrinking,"""
MAX_ROWS: Final = 400
"""if each has at most so many rows,"""
MAX_QUBITS: Final = 8
"""and both together so many qubits."""
SHOWN: Final = 30
"""Longer circuits are not printed."""
KEPT: Final = 0.5
"""A shrunk pair must differ by this share of the difference of the whole at least."""


@dataclass(frozen=True, eq=False)
class Witness:
    """Two short circuits that differ as the two given ones do.

    Attributes:
        first: the first gate of each circuit that the other does not have there, in words.
        circuits: what is left of both when gates that both have are taken off; equal circuits would leave
            equal ones. Qubits have the names of the first circuit.
        start: qubit -> "0", "1" or "+": an input of these circuits for which the outputs differ; empty if
            none was looked for.
        end: qubit -> the one on which its content is at the end of the second circuit, where it moves.
        values: of the parameters.
        deviation: how far the outputs differ (largest amplitude).
    """

    first: tuple[str, str]
    circuits: tuple[Circuit, Circuit]
    start: dict[str, str]
    end: dict[str, str]
    values: dict[str, float]
    deviation: float

    def describe(self) -> str:
        """In words, for people."""
        lines = [f"  they part at: {self.first[0]}  |  {self.first[1]}"]
        if self.start:
            inputs = ", ".join(f"{q} in |{state}>" for q, state in self.start.items())
            lines.append(f"  outputs differ by {self.deviation:.3g} for {inputs}, of:")
        for circuit in self.circuits if len(self.circuits[0]) <= SHOWN >= len(self.circuits[1]) else ():
            lines += [f"    {line}" for line in to_text(circuit).splitlines()]
        lines += [f"  {q} ends on {place}" for q, place in self.end.items()]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Plain data; circuits as text."""
        return {
            "first": list(self.first),
            "circuits": [to_text(circuit) for circuit in self.circuits],
            "start": self.start,
            "end": self.end,
            "values": self.values,
            "deviation": None if np.isnan(self.deviation) else self.deviation,
        }


def find(pair: Pair, values: dict[str, float], opener: Opener | None) -> Witness:
    """The witness of a numeric pair that differs, its shared beginning taken off."""
    small = pair.compact()
    if small.size <= MAX_QUBITS and not small.last:
        small = shrunk(small, opener)
    start, deviation = _start(small, opener)
    names = [str(q) for q in small.a.qubits]
    moved = {names[q]: names[p] for q, p in enumerate(small.end.tolist()) if p not in (q, -1)}
    first = _first(pair.a), _first(pair.b)
    return Witness(first, (small.a, small.b), start, moved, values, deviation)


def _first(circuit: Circuit) -> str:
    """The first row, in words."""
    if not len(circuit):
        return "the end"
    one = replace(circuit.with_rows(np.arange(1)), phase=0.0)
    text = to_text(one).strip().splitlines()[-1]
    names = dict(zip((f"q{q}" for q in range(circuit.num_qubits)), map(str, circuit.qubits), strict=True))
    return " ".join(names.get(word, word) for word in text.split(" "))


def shrunk(pair: Pair, opener: Opener | None) -> Pair:
    """A pair with fewer gates that both have, which differs still (delta debugging; Zeller, Hildebrandt, IEEE
    TSE 28, 183 (2002))."""
    if max(len(pair.a), len(pair.b)) > MAX_ROWS:
        return pair
    wanted = _deviation(pair, opener) * KEPT
    keys = row_keys(pair.a), row_keys(pair.b)
    blocks = SequenceMatcher(None, *keys, autojunk=False).get_matching_blocks()
    both = [
        (i, j) for a, b, size in blocks for i, j in zip(range(a, a + size), range(b, b + size), strict=True)
    ]
    both = [(i, j) for i, j in both if keys[0][i] is not None]

    def without(gone: list[tuple[int, int]]) -> Pair:
        one = np.delete(np.arange(len(pair.a)), [i for i, _ in gone])
        two = np.delete(np.arange(len(pair.b)), [j for _, j in gone])
        return replace(pair, a=pair.a.with_rows(one), b=pair.b.with_rows(two)).compact()

    gone = removable(both, lambda rows: _deviation(without(rows), opener) >= wanted)
    return without(gone)


def removable(rows: list[Any], fits: Callable[[list[Any]], bool], trials: int = MAX_TRIALS) -> list[Any]:
    """As many of these as can be removed, in ever smaller chunks, while what is left fits.

    Args:
        rows: what may be removed.
        fits: whether what is left without these is still of interest.
        trials: how often it is asked at most.
    """
    gone: list[Any] = []
    chunk = len(rows)
    while chunk and trials:
        left = [row for row in rows if row not in gone]
        for begin in range(0, len(left), chunk):
            if not trials:
                break
            trials -= 1
            more = gone + left[begin : begin + chunk]
            if fits(more):
                gone = more
        chunk //= 2
    return gone


def _deviation(pair: Pair, opener: Opener | None) -> float:
    try:
        return pair.distance(np.eye(1 << len(pair.own), dtype=complex), opener)
    except Unknown:
        return 0.0


def _start(pair: Pair, opener: Opener | None) -> tuple[dict[str, str], float]:
    """An input for which the outputs differ most, and by how much: a basis state, or one with a qubit in
    |+> if all basis states only get different phases."""
    own = pair.own.tolist()
    if pair.size > MAX_QUBITS or max(len(pair.a), len(pair.b)) > 10 * MAX_ROWS:
        return {}, float("nan")
    eye: NDArray[np.complex128] = np.eye(1 << len(own), dtype=complex)
    best, chosen, letters = 0.0, 0, -1
    try:
        for index in range(len(eye)):
            found = pair.distance(eye[:, index : index + 1], opener)
            if found > best * 1.1 + 1e-9:
                best, chosen = found, index
        whole = _deviation(pair, opener)
        for index in range(len(eye)) if best < 0.1 * whole else ():
            for k in range(len(own)):
                other = index | 1 << (len(own) - 1 - k)
                found = (
                    pair.distance((eye[:, [index]] + eye[:, [other]]) / np.sqrt(2), opener)
                    if other != index
                    else 0
                )
                if found > best * 1.1 + 1e-9:
                    best, chosen, letters = found, index, k
    except Unknown:
        return {}, float("nan")
    bits = [str((chosen >> (len(own) - 1 - k)) & 1) for k in range(len(own))]
    if letters >= 0:
        bits[letters] = "+"
    return {str(pair.a.qubits[q]): bit for q, bit in zip(own, bits, strict=True)}, best
