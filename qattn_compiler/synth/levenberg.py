"""The Levenberg-Marquardt method for circuits whose gates are fitted.

`instantiate_kernels`, which says how, has a loop of its own: its fits take a millisecond.
"""

from __future__ import annotations

from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

DONE: Final = 1e-30
"""A misfit of so much of the scale is rounding."""
NEARLY: Final = 1e-27
"""The same once a step does not lower it."""


class Model(Protocol):
    """Gates, what they are off by, and the directions in which they may change."""

    def misfit(self, gates: Floats) -> tuple[float, Floats]:
        """Half the squared distance, without cancellation, and the residual, shape (entries,), which is about
        as long where that is short."""
        ...

    def jacobian(self, gates: Floats) -> Floats:
        """By how much the residual falls with each parameter, shape (entries, parameters)."""
        ...

    def moved(self, gates: Floats, step: Floats) -> Floats:
        """The gates after a step, shape (parameters,)."""
        ...


def levenberg(model: Model, gates: Floats, limit: int, scale: float) -> tuple[Floats, float]:
    """Fit gates.

    Args:
        model: what is fitted.
        gates: where to start.
        limit: at most this many evaluations.
        scale: the largest misfits are about so large.

    Returns:
        the best gates found, the length of what they are off by.
    """
    from qattn_compiler.synth.instantiate_kernels import PATIENCE, PROGRESS

    cost, residual = model.misfit(gates)
    equations = _Equations(model.jacobian(gates), residual)
    damping, growth, used = 0.01 * scale, 2.0, 1
    milestone, ask_at = cost, PATIENCE
    while used < limit and cost > DONE * scale and damping < 1e6 * scale:
        step = equations.step(damping)
        trial = gates if step is None else model.moved(gates, step)
        new, tried = model.misfit(trial)
        used += 1
        expected = 0.0 if step is None else 0.5 * float(np.sum(step * (damping * step + equations.gradient)))
        ratio = (cost - new) / expected if expected > 0 else -1.0
        if ratio > 0.0:
            # Damping in proportion to the misfit keeps the end quadratic where parameters are redundant
            # (Yamashita, Fukushima, Computing Suppl. 15, 239 (2001)).
            damping = min(damping * max(1 / 3, 1 - (2 * ratio - 1) ** 3), new)
            growth = 2.0
            gates, cost, residual = trial, new, tried
            equations = _Equations(model.jacobian(gates), residual)
        elif cost < NEARLY * scale:
            break
        else:
            damping *= growth
            growth *= 2.0
        if used >= ask_at:
            if cost > PROGRESS * milestone:
                break
            milestone, ask_at = cost, used + PATIENCE
    return gates, float(np.sqrt(2 * cost))


class _Equations:
    """Normal equations of a linearised fit."""

    def __init__(self, jacobian: Floats, residual: Floats) -> None:
        from qattn_compiler.synth.instantiate_kernels import normal_equations

        size = jacobian.shape[1]
        self.hessian, self.gradient = np.empty((size, size)), np.empty(size)
        normal_equations(jacobian, residual, self.hessian, self.gradient)

    def step(self, damping: float) -> Floats | None:
        """The damped solution; None if the equations are singular to rounding."""
        from qattn_compiler.synth.instantiate_kernels import solve

        out = np.empty_like(self.gradient)
        return out if solve(self.hessian, damping, self.gradient, np.empty_like(self.hessian), out) else None
