"""Rebuild circuits as Pauli rotations and a Clifford, greedily (`synth.pauli`).

Everything between two walls (measurements, resets, foreign operations, tagged gates) is one region. A region
becomes rotations about Pauli strings, pulled to its front, and one Clifford; equal strings that meet merge;
then gates are made anew. Several settings of the greedy search run, forwards and backwards, and the fewest
two-qubit gates win; a region that would not get cheaper stays as it is. Angles are carried, so symbols
survive.

Sources: PCOAST (arXiv:2305.10966), Rustiq (arXiv:2404.03280), and the papers named in `synth.pauli`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit.edit import Rule, Step, expand
from qattn_compiler.circuit.gates import BY_NAME, GATES, NUM_QUBITS
from qattn_compiler.circuit.params import GLOBAL_PHASE, Affine
from qattn_compiler.circuit.regions import replaced
from qattn_compiler.circuit.table import Circuit
from qattn_compiler.errors import PassError
from qattn_compiler.passes.circuit.base import CirqTransformer
from qattn_compiler.passes.circuit.cost import entanglers
from qattn_compiler.synth import pauli
from qattn_compiler.synth.two_qubit_rules import RULES
from qattn_compiler.threads import pool

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

MAX_QUBITS = 512
"""Wider regions are left alone: strings would be long, and so would the search."""
_PI = float(np.pi)


@dataclass(frozen=True)
class ResynthesisePaulis(CirqTransformer):
    """Greedy Pauli synthesis of whole regions (module docstring).

    Attributes:
        effort: how many settings of the search are tried, 1 to 512.
        seed: of the random part of scores.
        free_swaps: SWAPs at the end of a region cost nothing (someone relabels them away); otherwise 3 each.
        always: take the new circuit even where it is not cheaper (another pass will choose).
        window: how many rotations the search looks at together; time is in proportion.

    Keeps: meaning and global phase exactly, walls and tagged rows, parameters.
    """

    effort: int = 4
    seed: int = 0
    free_swaps: bool = False
    always: bool = False
    window: int = 256
    name: ClassVar[str] = "resynthesise-paulis"

    def __post_init__(self) -> None:
        if not 1 <= self.effort <= MAX_EFFORT:
            raise PassError(f"{self.name}: effort is {self.effort}; 1 to {MAX_EFFORT} was expected")
        if not 2 <= self.window <= MAX_WINDOW:
            raise PassError(f"{self.name}: window is {self.window}; 2 to {MAX_WINDOW} was expected")

    def run(self, circuit: Circuit, /) -> Circuit:
        """The circuit with its regions rebuilt where that saves two-qubit gates."""
        return replaced(circuit, (NUM_QUBITS[circuit.op] == 0) | (circuit.extra >= 0), self.rebuilt)

    def rebuilt(self, part: Circuit) -> Circuit | None:
        """A cheaper circuit for a region, or None."""
        before = entanglers(part)
        if part.num_qubits > MAX_QUBITS or before < 2:
            return None
        limit = 4 * before + 64 if self.always else before - 1
        circuit = normalised(part)
        forms = forms_of(circuit)
        if not self.always and len(forms[0]) > DENSE * before:
            return None
        tries = efforts(self.effort, self.seed, self.window)
        large = not self.always and before * part.num_qubits > LARGE
        best = _cheapest(forms, tries, 0 if self.free_swaps else 3, limit, hopeful=not large)
        if best is None:
            return None
        chosen, back = best
        return written(circuit, forms[back], pauli.instructions(chosen), back)


def _cheapest(
    forms: tuple[pauli.PauliForm, pauli.PauliForm],
    tries: Sequence[tuple[pauli.Effort, bool]],
    swap: int,
    limit: int,
    hopeful: bool,
) -> tuple[pauli.Synthesis, bool] | None:
    """The synthesis with the fewest two-qubit gates (then layers, then the first), and its direction.

    The first tries say whether it is worth going on: they must find something that is near enough to the
    limit (`_STAGES`; at once within it if not `hopeful`). What is found tightens the limit of the tries that
    follow, in both threads; as ties are kept, the result does not depend on which thread is faster.
    """
    least = [limit]
    found: list[tuple[int, int, int, pauli.Synthesis]] = []

    def search(chosen: range) -> None:
        for k in chosen:
            effort, back = tries[k]
            made = pauli.synthesise(forms[back], effort, least[0])
            if made is not None and (price := made.gates + swap * len(made.swaps)) <= least[0]:
                least[0] = min(least[0], price)
                found.append((price, made.depth, k, made))

    def search_all(begin: int, end: int) -> None:
        wide = (end - begin) * len(forms[0]) >= SMALL
        parts = WORKERS if wide else 1
        with pool(wide, WORKERS) as threads:
            list(threads.map(search, (range(begin + i, end, parts) for i in range(parts))))

    begin = 0
    for end, more, few in _STAGES if hopeful else ((2, 0.0, 0), *_STAGES[-1:]):
        reach = limit + int(more * limit) + few
        least[0] = min([reach, *(price for price, *_ in found)])
        search_all(begin, min(end, len(tries)))
        begin = end
        if begin >= len(tries) or not any(price <= reach for price, *_ in found):
            break
    fit = [one for one in found if one[0] <= limit]
    if not fit:
        return None
    *_, k, made = min(fit, key=lambda one: one[:3])
    return made, tries[k][1]


_STAGES: Final = ((2, 1 / 3, 4), (8, 0.1, 2), (16, 0.02, 2), (1 << 30, 0.0, 0))
"""After so many tries something must have been found within the limit, a share of it and a few more gates."""
DENSE: Final = 4
"""With more rotations than this for each entangler, as in random blocks, nothing is to be gained."""
LARGE: Final = 4000
"""Qubits times entanglers from which on a short search must find something at once."""
SMALL: Final = 2000
"""Tries times rotations below which threads cost more than they bring."""
MAX_EFFORT: Final = 512
MAX_WINDOW: Final = 4096
WORKERS: Final = 2
_WAYS: Final = (
    (0.15, 0.1, False, 0.0, True),
    (0.7, 0.0, False, 0.01, False),
    (0.29, 0.005, False, 0.0, False),
    (0.8, 0.6, False, 0.01, True),
    (0.22, 0.0, True, 0.0, True),
    (0.77, 0.1, False, 0.2, False),
    (0.16, 0.1, False, 0.0, False),
    (0.59, 0.6, False, 0.0, True),
    (0.53, 0.05, True, 0.05, True),
    (0.85, 0.05, False, 0.0, True),
    (0.21, 0.3, False, 0.0, True),
    (0.46, 0.005, True, 0.2, True),
    (0.68, 0.6, False, 0.2, True),
    (0.61, 0.1, False, 0.0, False),
    (0.41, 0.005, False, 0.0, True),
    (0.38, 0.05, False, 0.05, False),
    (0.15, 0.005, False, 0.01, True),
    (0.59, 0.02, True, 0.0, True),
    (0.17, 0.0, False, 0.0, True),
    (0.38, 0.1, False, 0.2, False),
    (0.76, 0.005, False, 0.2, False),
    (0.38, 0.1, False, 0.2, True),
    (0.85, 0.6, True, 0.2, True),
    (0.18, 0.3, False, 0.01, False),
)
"""Discount, tail, wide and deep (see `pauli.Effort`) of the first settings, and whether backwards: of 800
drawn by chance, each is the one that helps most beside those before it, on average over 65 circuits."""


@lru_cache(maxsize=64)
def efforts(count: int, seed: int, window: int = 256) -> tuple[tuple[pauli.Effort, bool], ...]:
    """Settings of the search, each with whether it works on the inverse circuit."""
    rng = np.random.default_rng(seed)
    out = []
    for k in range(count):
        if k < len(_WAYS):
            discount, tail, wide, deep, back = _WAYS[k]
            noise = 0.0
        else:
            discount, tail = float(rng.uniform(0.15, 0.9)), float(rng.choice([0.0, 0.02, 0.1, 0.3, 0.6]))
            deep, noise = float(rng.choice([0.0, 0.01, 0.05, 0.2])), float(rng.choice([0.0, 0.1, 0.4]))
            wide, back = bool(rng.integers(4) == 0), k % 2 == 1
        out.append((pauli.Effort(discount, tail, wide, noise, deep, seed + k, window), back))
    return tuple(out)


def forms_of(circuit: Circuit) -> tuple[pauli.PauliForm, pauli.PauliForm]:
    """The Pauli forms of a normalised circuit and of its inverse."""
    kind = _KIND[circuit.op]
    operands = np.ascontiguousarray(circuit.operands.T.astype(np.int64))
    form = pauli.pull(
        kind, operands[0], operands[1], circuit.angles[:, 0].copy(), circuit.affine, circuit.num_qubits
    )
    return form, form.inverse()


_KIND = np.full(len(GATES), -1, dtype=np.int64)
_KIND[pauli.CODES] = np.arange(len(pauli.CODES))


def written(circuit: Circuit, form: pauli.PauliForm, program: pauli.Program, backwards: bool) -> Circuit:
    """The circuit of a program for a form (`backwards`: its inverse), with the angles of `circuit`."""
    steps, rotation, minus = program
    new = steps[rotation < 0]
    phase = pauli.phase_between(form.clifford, new, circuit.num_qubits)
    if backwards:
        steps, rotation, minus = steps[::-1].copy(), rotation[::-1], minus[::-1]
        gates = rotation < 0
        steps[gates] = pauli.inverted(steps[gates][::-1])
        phase = -phase
    place = np.full(max(len(form), 1), -1, dtype=np.int64)
    turns = np.flatnonzero(rotation >= 0)
    place[rotation[turns]] = turns
    target = np.where(form.members >= 0, place[form.members], -1)
    sign = np.where(np.append(minus, False)[target], -1.0, 1.0) * form.factors
    kept = target >= 0
    angles = np.zeros((len(steps), 3))
    angles[:, 0] = np.bincount(target[kept], (sign * circuit.angles[form.rows, 0])[kept], len(steps))
    return replace(
        circuit,
        op=pauli.CODES[steps[:, 0]].astype(np.uint8),
        operands=steps[:, 1:].astype(np.int32),
        angles=angles,
        extra=np.full(len(steps), -1, dtype=np.int32),
        affine=_moved(circuit.affine, form.rows[kept], target[kept], sign[kept]),
        phase=circuit.phase + form.phase + phase,
    )


def _moved(affine: Affine, rows: Ints, target: Ints, sign: Floats) -> Affine:
    """The terms of the rows' angles, signed, at their new rows; those of the global phase stay."""
    if not len(affine):
        return affine
    to = np.full(int(affine.slot.max()) // 3 + 1, -1, dtype=np.int64)
    factor = np.zeros(len(to))
    inside = rows < len(to)
    to[rows[inside]], factor[rows[inside]] = target[inside], sign[inside]
    is_phase = affine.slot == GLOBAL_PHASE
    row = np.where(is_phase, 0, affine.slot // 3)
    slot = np.where(is_phase, GLOBAL_PHASE, 3 * to[row])
    weight = np.where(is_phase, 1.0, factor[row])
    keep = is_phase | (to[row] >= 0)
    return Affine.of(slot[keep], affine.param[keep], (affine.coef * weight)[keep])


# -- into instructions


def _turn(name: str, constant: float, *coefficients: float) -> Step:
    return Step(name, (0,), (constant, coefficients))


_QUARTERS = {
    "rz": ((), ("s",), ("z",), ("sdg",)),
    "rx": ((), ("h", "s", "h"), ("x",), ("h", "sdg", "h")),
    "ry": ((), ("sdg", "h", "s", "h", "s"), ("y",), ("sdg", "h", "sdg", "h", "s")),
}
"""Rotations by k quarter turns, up to the phase exp(-i k pi / 4) (for k = 3: exp(i pi / 4), and a turn)."""
_PAIRS = {"rzz": ((), ()), "rxx": (("h",), ("h",)), "ryy": (("sdg", "h"), ("h", "s"))}


@cache
def _rules() -> tuple[Ints, Ints, tuple[Rule, ...]]:
    """Rule numbers, -1 for none: by gate code, shape (gates,); by that of a rotation and its quarter turns
    (4: some other angle), shape (gates, 5)."""
    rules: list[Rule] = []
    by_code = np.full(len(GATES), -1, dtype=np.int64)
    by_quarter = np.full((len(GATES), 5), -1, dtype=np.int64)
    for gate in GATES:
        if gate.name in pauli.INSTRUCTIONS or gate.num_qubits == 0:
            continue
        by_code[gate.code] = len(rules)
        if gate.name in RULES:
            rules.append(RULES[gate.name])
        elif gate.name == "phased_xz":
            rules.append(Rule((_turn("rz", 0, 0, 0, -1.0), _turn("rx", 0, 1.0), _turn("rz", 0, 0, 1.0, 1.0))))
        else:
            assert gate.rotation is not None
            family, angle, phase = gate.rotation
            rules.append(Rule((Step(family, (0,), (angle, ())),), (phase, ())))
    for family, words in _QUARTERS.items():
        for k, names in enumerate(words):
            by_quarter[BY_NAME[family].code, k] = len(rules)
            rules.append(Rule(tuple(Step(name, (0,)) for name in names), (_quarter_phase(k), ())))
    for family, (before, after) in _PAIRS.items():
        for k in range(4):
            by_quarter[BY_NAME[family].code, k] = len(rules)
            rules.append(Rule(_pair(before, after, k), (_quarter_phase(k), ())))
    return by_code, by_quarter, tuple(rules)


def _quarter_phase(k: int) -> float:
    return (0.0, -_PI / 4, -_PI / 2, _PI / 4 + _PI)[k]


def _pair(before: tuple[str, ...], after: tuple[str, ...], k: int) -> tuple[Step, ...]:
    if k == 0:
        return ()
    around = [Step(name, (q,)) for name in before for q in (0, 1)]
    back = [Step(name, (q,)) for name in after for q in (0, 1)]
    if k == 2:
        return (*around, Step("z", (0,)), Step("z", (1,)), *back)
    inner = (Step("cx", (0, 1)), Step(("", "s", "", "sdg")[k], (1,)), Step("cx", (0, 1)))
    return (*around, *inner, *back)


def normalised(circuit: Circuit) -> Circuit:
    """The circuit over `pauli.INSTRUCTIONS`, numeric rotations by quarter turns as Clifford gates."""
    by_code, by_quarter, rules = _rules()
    circuit = expand(circuit, by_code[circuit.op], rules)
    turns = np.round(circuit.angles[:, 0] / (_PI / 2))
    exact = np.abs(circuit.angles[:, 0] - turns * (_PI / 2)) < pauli.QUARTER
    quarter = np.where(exact & ~circuit.symbolic_rows, turns % 4, 4).astype(np.int64)
    program = by_quarter[circuit.op, quarter]
    fit = program >= 0
    whole = int(((turns[fit] - quarter[fit]) / 4).sum())
    out = expand(circuit, program, rules)
    return out if not whole % 2 else replace(out, phase=out.phase + _PI)
