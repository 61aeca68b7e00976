"""Cirq's exponents (numbers or sympy expressions, in half turns) to affine angles in radians, and back."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from qattn_compiler.circuit.table import Angle, Builder, Circuit
from qattn_compiler.errors import CircuitError

if TYPE_CHECKING:
    import sympy


def scaled(builder: Builder, value: Any, factor: float) -> Angle:
    """`factor * value` as an affine angle; what is not affine becomes a derived parameter.

    Raises:
        CircuitError: the value is complex or not finite.
    """
    if isinstance(value, (int, float)) or not hasattr(value, "free_symbols"):
        return _finite(value) * factor
    terms = _affine_terms(builder, value)
    constant = terms.pop("", 0.0) * factor
    return (constant, {name: c * factor for name, c in terms.items() if c}) if terms else constant


def plus(angle: Angle, constant: float, other: Angle = 0.0) -> Angle:
    """`angle + constant + other`."""
    a, terms = angle if isinstance(angle, tuple) else (angle, {})
    b, more = other if isinstance(other, tuple) else (other, {})
    if not terms and not more:
        return a + b + constant
    names = dict.fromkeys((*terms, *more))
    return (a + b + constant, {name: terms.get(name, 0.0) + more.get(name, 0.0) for name in names})


def times(angle: Angle, factor: float) -> Angle:
    """`factor * angle`."""
    if isinstance(angle, tuple):
        return (angle[0] * factor, {name: c * factor for name, c in angle[1].items()})
    return angle * factor


def _finite(value: Any) -> float:
    try:
        number = complex(value)
    except (TypeError, ValueError) as error:
        message = f"an angle of a gate is {value!r}; a number or a sympy expression was expected"
        raise CircuitError(message) from error
    if number.imag or not math.isfinite(number.real):
        raise CircuitError(f"an angle of a gate is {value}; a finite real number was expected")
    return number.real


def _affine_terms(builder: Builder, value: sympy.Expr) -> dict[str, float]:
    """{symbol name: coefficient}, the constant under ""."""
    import sympy

    terms: dict[str, float] = {}
    for term in sympy.Add.make_args(sympy.expand(value)):
        coefficient, monomial = term.as_independent(*term.free_symbols, as_Add=False)  # 2*s/pi: (2/pi, s)
        number = _finite(coefficient)
        if not term.free_symbols:
            terms[""] = terms.get("", 0.0) + number * _finite(monomial)
            continue
        name = monomial.name if monomial.is_Symbol else str(monomial)
        builder.parameter(name, None if monomial == sympy.Symbol(name) else monomial)
        terms[name] = terms.get(name, 0.0) + number
    return terms


def half_turns(circuit: Circuit, slot: int, constant: float) -> Any:
    """The value of a slot in half turns: a float, or a sympy expression of the parameters."""
    return expression(circuit, circuit.affine.at(slot), constant)


def expression(circuit: Circuit, terms: Iterable[tuple[int, float]], constant: float) -> Any:
    """`constant` plus (parameter index, coefficient) terms, in radians, as half turns: a float or a sympy
    one."""
    terms = tuple(terms)
    if not terms:
        return constant / math.pi
    import sympy

    total = sympy.Float(constant / math.pi) if constant else sympy.Integer(0)
    for index, coefficient in terms:
        param = circuit.params[index]
        symbol = sympy.Symbol(param.name) if param.expression is None else param.expression
        total += symbol * _tidy(coefficient / math.pi, coefficient)
    return total


def _tidy(half_turns: float, radians: float) -> sympy.Expr:
    """A coefficient in half turns, as a whole number or one over pi where it is that: `s`, `s/pi`."""
    import sympy

    for value, unit in ((half_turns, sympy.Integer(1)), (radians, 1 / sympy.pi)):
        nearest = round(value)
        if nearest and abs(value - nearest) <= 1e-15 * abs(nearest):
            return nearest * unit
    return sympy.Float(half_turns)
