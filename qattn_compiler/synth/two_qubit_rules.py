"""Two-qubit gates over CZ and single-qubit gates: a table of exact rules, symbolic angles included.

Each rule is a short program on operands 0 and 1; an angle is a constant plus multiples of the gate's own
angles. The tests prove every rule against the gate table's matrices, global phase included.
"""

from __future__ import annotations

from math import pi
from typing import Final

import numpy as np

from qattn_compiler.circuit.edit import Rule, Step
from qattn_compiler.circuit.gates import GATES, Gate


def _h(q: int) -> Step:
    return Step("h", (q,))


def _cz() -> Step:
    return Step("cz", (0, 1))


def _turn(name: str, q: int, constant: float, *coefficients: float) -> Step:
    return Step(name, (q,), (constant, coefficients))


def _cx(control: int, target: int) -> tuple[Step, ...]:
    return (_h(target), _cz(), _h(target))


_ZZ: Final = (*_cx(0, 1), _turn("rz", 1, 0.0, 1.0), *_cx(0, 1))
"""exp(-i t ZZ / 2)."""
_HALF_ZZ: Final = (*_cx(0, 1), _turn("rz", 1, 0.0, -0.5), *_cx(0, 1))


def _conjugated(
    inner: tuple[Step, ...], before: tuple[Step, ...], after: tuple[Step, ...]
) -> tuple[Step, ...]:
    return (*before, *inner, *after)


_S = (Step("s", (0,)), Step("s", (1,)))
_SDG = (Step("sdg", (0,)), Step("sdg", (1,)))


def _exchange(constant: float, *coefficients: float) -> tuple[Step, ...]:
    """exp(-i t (XX + YY) / 2) with t the affine angle: two CZ.

    RXX(t) RYY(t) is diagonal after conjugation by RX(pi/2) on both and a CX: it becomes RX(t) on the control
    and RZ(t) on the target.
    """
    rx = (_turn("rx", 0, pi / 2), _turn("rx", 1, pi / 2))
    back = (_turn("rx", 0, -pi / 2), _turn("rx", 1, -pi / 2))
    core = (
        *_cx(0, 1),
        Step("rx", (0,), (constant, coefficients)),
        Step("rz", (1,), (constant, coefficients)),
        *_cx(0, 1),
    )
    return (*rx, *core, *back)


RULES: Final[dict[str, Rule]] = {
    "cx": Rule(_cx(0, 1)),
    "cy": Rule((Step("sdg", (1,)), *_cx(0, 1), Step("s", (1,)))),
    "ch": Rule((_turn("ry", 1, -pi / 4), _cz(), _turn("ry", 1, pi / 4))),
    "swap": Rule((*_cx(0, 1), *_cx(1, 0), *_cx(0, 1))),
    "iswap": Rule(_exchange(-pi / 2)),
    "iswapdg": Rule(_exchange(pi / 2)),
    "siswap": Rule(_exchange(-pi / 4)),
    "siswapdg": Rule(_exchange(pi / 4)),
    "crx": Rule((_h(1), *_cx(0, 1), _turn("rz", 1, 0.0, -0.5), *_cx(0, 1), _turn("rz", 1, 0.0, 0.5), _h(1))),
    "cry": Rule((_turn("ry", 1, 0.0, 0.5), _cz(), _turn("ry", 1, 0.0, -0.5), _cz())),
    "crz": Rule((_turn("rz", 1, 0.0, 0.5), *_HALF_ZZ)),
    "cphase": Rule((_turn("rz", 0, 0.0, 0.5), _turn("rz", 1, 0.0, 0.5), *_HALF_ZZ), (0.0, (0.25,))),
    "rxx": Rule(_conjugated(_ZZ, (_h(0), _h(1)), (_h(0), _h(1)))),
    "ryy": Rule(_conjugated(_ZZ, (*_SDG, _h(0), _h(1)), (_h(0), _h(1), *_S))),
    "rzz": Rule(_ZZ),
    "givens": Rule((Step("s", (1,)), *_exchange(0.0, 1.0), Step("sdg", (1,)))),
    "fsim": Rule(
        (
            *_exchange(0.0, 1.0, 0.0),
            _turn("rz", 0, 0.0, 0.0, -0.5),
            _turn("rz", 1, 0.0, 0.0, -0.5),
            *_cx(0, 1),
            _turn("rz", 1, 0.0, 0.0, 0.5),
            *_cx(0, 1),
        ),
        (0.0, (0.0, -0.25)),
    ),
}
"""Every two-qubit gate of the table but CZ itself."""


def _cz_of(gate: Gate) -> int:
    if gate.name in RULES:
        return sum(step.name == "cz" for step in RULES[gate.name].steps)
    return int(gate.num_qubits == 2)


CZ_COUNT: Final = np.array([_cz_of(gate) for gate in GATES], dtype=np.int64)
"""How many CZ each gate of the table takes by its rule; 0 for rows that are no gates."""
