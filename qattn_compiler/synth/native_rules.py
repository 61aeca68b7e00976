"""Every two-qubit gate of the table over any native entangler, as exact rules that hold for symbols.

Gates with an angle are built from the rules over CZ (`two_qubit_rules`), or over ZZ rotations where the
machine turns by any angle; gates without one are synthesised with the fewest entanglers (`entanglers`). An
even number of CZ is as many iSWAP: each is SWAP CZ between quarter turns, and the SWAPs undo one another.
The tests multiply every rule out.

Sources: controlled rotations as one ZZ (or XX) gate: Maslov, New J. Phys. 19, 023035 (2017); the rule
of Givens rotations over sqrt-iSWAP was found by search.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from math import nan, pi
from typing import Final

import numpy as np

from qattn_compiler.circuit import su2
from qattn_compiler.circuit.edit import Rule, Step
from qattn_compiler.circuit.gates import BY_NAME, GATES
from qattn_compiler.synth.entangler_programs import Programs
from qattn_compiler.synth.entanglers import ENTANGLERS, synthesise
from qattn_compiler.synth.two_qubit_rules import RULES

Angle = tuple[float, tuple[float, ...]]


def _turn(name: str, qubit: int, constant: float, *coefficients: float) -> Step:
    return Step(name, (qubit,), (constant, coefficients))


def _both(*names: str) -> tuple[Step, ...]:
    return tuple(Step(name, (q,)) for name in names for q in (0, 1))


def _pair(name: str, constant: float, *coefficients: float) -> Step:
    return Step(name, (0, 1), (constant, coefficients))


def _second(inner: tuple[Step, ...], before: tuple[str, ...], after: tuple[str, ...]) -> tuple[Step, ...]:
    return (*(Step(name, (1,)) for name in before), *inner, *(Step(name, (1,)) for name in after))


_QUARTERS: Final = (_turn("rz", 0, -pi / 2), _turn("rz", 1, -pi / 2))
_CZ: Final = Rule((_pair("rzz", pi / 2), *_QUARTERS), (-pi / 4, ()))
_CRZ: Final = (_turn("rz", 1, 0.0, 0.5), _pair("rzz", 0.0, -0.5))
_SWAP: Final = tuple(_pair(name, pi / 2) for name in ("rxx", "ryy", "rzz"))


def _exchange(constant: float, *coefficients: float) -> tuple[Step, ...]:
    """exp(-i t (XX + YY) / 2)."""
    return (_pair("rxx", constant, *coefficients), _pair("ryy", constant, *coefficients))


_CONTROLLED_TURNS: Final = (_turn("rz", 0, 0.0, 0.5), _turn("rz", 1, 0.0, 0.5))

OVER_ZZ: Final[dict[str, Rule]] = {
    "cz": _CZ,
    "cx": Rule(_second(_CZ.steps, ("h",), ("h",)), _CZ.phase),
    "cy": Rule(_second(_CZ.steps, ("sdg", "h"), ("h", "s")), _CZ.phase),
    "ch": Rule((_turn("ry", 1, -pi / 4), *_CZ.steps, _turn("ry", 1, pi / 4)), _CZ.phase),
    "swap": Rule(_SWAP, (pi / 4, ())),
    "iswap": Rule(_exchange(-pi / 2)),
    "iswapdg": Rule(_exchange(pi / 2)),
    "siswap": Rule(_exchange(-pi / 4)),
    "siswapdg": Rule(_exchange(pi / 4)),
    "crz": Rule(_CRZ),
    "crx": Rule(_second(_CRZ, ("h",), ("h",))),
    "cry": Rule(_second(_CRZ, ("sdg", "h"), ("h", "s"))),
    "cphase": Rule((*_CONTROLLED_TURNS, _pair("rzz", 0.0, -0.5)), (0.0, (0.25,))),
    "rxx": Rule((*_both("h"), _pair("rzz", 0.0, 1.0), *_both("h"))),
    "ryy": Rule((*_both("sdg", "h"), _pair("rzz", 0.0, 1.0), *_both("h", "s"))),
    "givens": Rule((Step("s", (1,)), *_exchange(0.0, 1.0), Step("sdg", (1,)))),
    "fsim": Rule(
        (
            *_exchange(0.0, 1.0, 0.0),
            _turn("rz", 0, 0.0, 0.0, -0.5),
            _turn("rz", 1, 0.0, 0.0, -0.5),
            _pair("rzz", 0.0, 0.0, 0.5),
        ),
        (0.0, (0.0, -0.25)),
    ),
}
"""Every two-qubit gate but rzz over rotations about ZZ, XX and YY."""

_ZZ_OVER: Final[dict[str, Rule]] = {
    "rzz": Rule((_pair("rzz", 0.0, 1.0),)),
    "rxx": Rule((*_both("h"), _pair("rxx", 0.0, 1.0), *_both("h"))),
    "cphase": Rule(
        (_pair("cphase", 0.0, -2.0), _turn("rz", 0, 0.0, 1.0), _turn("rz", 1, 0.0, 1.0)), (0.0, (0.5,))
    ),
}
"""rzz over each entangler that turns by any angle."""

_GIVENS_OVER_SISWAP: Final = (
    Step("siswap", (0, 1)),
    _turn("rz", 0, pi / 2, -1.0),
    _turn("rz", 1, -pi / 2, 1.0),
    Step("siswap", (0, 1)),
    _turn("rz", 0, -pi / 2),
    _turn("rz", 1, pi / 2),
)


def composed(rule: Rule, inner: Mapping[str, Rule]) -> Rule:
    """The rule with each of its steps that `inner` names (a gate with at most one angle) taken apart."""
    steps: list[Step] = []
    phase, factors = rule.phase[0], np.zeros(3)
    factors[: len(rule.phase[1])] = rule.phase[1]
    for step in rule.steps:
        found = inner.get(step.name)
        if found is None:
            steps.append(step)
            continue
        steps += [
            Step(s.name, tuple(step.on[q] for q in s.on), None if s.angle is None else _after(s.angle, step))
            for s in found.steps
        ]
        constant, more = _after(found.phase, step)
        phase += constant
        factors[: len(more)] += more
    return Rule(tuple(steps), (phase, tuple(factors.tolist())))


def _after(angle: Angle, step: Step) -> Angle:
    """An angle that depends on that of `step`, in terms of what the angle of `step` depends on."""
    constant, factors = angle
    if not any(factors) or step.angle is None:
        return constant, ()
    return constant + factors[0] * step.angle[0], tuple(factors[0] * f for f in step.angle[1])


@cache
def rules_over(entangler: str) -> Mapping[str, Rule]:
    """Rules for every two-qubit gate of the table that is not the entangler's own at its own angles.

    Args:
        entangler: a name of `ENTANGLERS`. Where it has more than one angle, that of its steps is NaN (a step
            has only one): `decompose_two_qubit` puts them in.

    Raises:
        KeyError: there is no such entangler.
    """
    native = ENTANGLERS[entangler]
    if entangler == "cz":
        return RULES
    if native.angles is None:
        return _over_rotation(native.gate)
    fixed = {g.name: _synthesised(g.name, entangler) for g in GATES if g.num_qubits == 2 and not g.num_angles}
    rules = fixed | _over_fixed(entangler, fixed["cz"])
    if not native.angles:
        del rules[native.gate]
    return rules


def _over_rotation(gate: str) -> dict[str, Rule]:
    zz = {"rzz": _ZZ_OVER[gate]}
    others = {name: composed(OVER_ZZ[name], zz) for name in ("rxx", "ryy")}
    if gate == "rxx":
        others = {"ryy": Rule((*_both("sdg"), _pair("rxx", 0.0, 1.0), *_both("s")))}
    rules = zz | {name: composed(rule, zz | others) for name, rule in OVER_ZZ.items()} | others
    if gate == "cphase":  # CZ is a case of it
        cz = {"cz": Rule((_pair("cphase", pi),))}
        rules |= cz | {name: composed(RULES[name], cz) for name in ("cx", "cy", "ch")}
    del rules[gate]
    return rules


def _over_fixed(entangler: str, cz: Rule) -> dict[str, Rule]:
    """Gates with angles: their CZ by the entangler."""
    rotations = {g.name: RULES[g.name] for g in GATES if g.num_qubits == 2 and g.num_angles}
    if entangler == "iswap":
        return {name: _paired(rule) for name, rule in rotations.items()}
    rules = {name: composed(rule, {"cz": cz}) for name, rule in rotations.items()}
    if entangler == "siswap":
        exchange = (Step("sdg", (1,)), _pair("givens", 0.0, 1.0, 0.0), Step("s", (1,)))
        phase = (Step("cphase", (0, 1), (0.0, (0.0, -1.0))),)
        rules["givens"] = Rule(_GIVENS_OVER_SISWAP)
        rules["fsim"] = composed(Rule((*exchange, *phase)), rules)
    return rules


def _paired(rule: Rule) -> Rule:
    """A rule with an even number of CZ, over as many iSWAP: CZ is SWAP iSWAP with a quarter turn back."""
    steps: list[Step] = []
    crossed = False
    for step in rule.steps:
        on = tuple(1 - q for q in step.on) if crossed else step.on
        if step.name != "cz":
            steps.append(Step(step.name, on, step.angle))
            continue
        steps += [Step("iswap", (0, 1)), Step("sdg", (0,)), Step("sdg", (1,))]
        crossed = not crossed
    return Rule(tuple(steps), rule.phase)


def _synthesised(name: str, entangler: str) -> Rule:
    """A gate without angles, with the fewest entanglers."""
    row = BY_NAME[name]
    assert row.matrix is not None
    return _rule_of(synthesise(row.matrix()[None], entangler))


def _rule_of(program: Programs) -> Rule:
    """The rule of a stack of one."""
    steps: list[Step] = []
    count = int(program.counts[0])
    xza, signs = su2.to_xza(program.layers[0])
    for k in range(count + 1):
        for q in (0, 1):
            x, z, a = xza[k, q].tolist()
            turns = (("rz", -a), ("rx", x), ("rz", z + a)) if x else (("rz", z),)
            steps += [_turn(gate, q, angle) for gate, angle in turns if angle]
        if k < count:
            angles = {0: None, 1: (float(program.angles[0, k, 0]), ())}
            steps.append(Step(program.gate, (0, 1), angles.get(BY_NAME[program.gate].num_angles, (nan, ()))))
    return Rule(tuple(steps), (float(program.phase[0] + signs[: count + 1].sum()), ()))
