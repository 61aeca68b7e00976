"""Cirq's exponents (numbers or sympy expressions, in half turns) to affine angles in radians, and back."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from qattn_compiler.circuit.table import Angle, Builder, Circuit
from qattn_compiler.errors import CircuitError

if TYPE_CHECKING:
    import sympy


def is_symbolic(value: Any) -> bool:
    """Whether an exponent is a sympy expression; a sympy number counts as one, as it does in Cirq."""
    return not isinstance(value, (int, float)) and hasattr(type(value), "free_symbols")


def scaled(builder: Builder, value: Any, factor: float) -> Angle:
    """`factor * value` as an affine angle; what is not affine becomes a derived parameter.

    Raises:
        CircuitError: the value is complex or not finite.
    """
    if type(value) is float or not is_symbolic(value):
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
    if type(value) is float and math.isfinite(value):
        return value
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
    simple = _simple_terms(value)
    if simple is not None:
        for name in simple:
            if name:
                builder.parameter(name)
        return simple
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


def _simple_terms(value: sympy.Expr) -> dict[str, float] | None:
    """A sum of plain symbols times numbers, which most exponents are; None if it is something else."""
    terms: dict[str, float] = {}
    for part in value.args if value.is_Add else (value,):
        found = ("", _number_of(part)) if part.is_Number else _simple_term(part)
        if found is None:
            return None
        name, coefficient = found
        terms[name] = terms.get(name, 0.0) + coefficient
    return terms


def _simple_term(value: sympy.Expr) -> tuple[str, float] | None:
    """(name, coefficient) of a plain symbol times numbers."""
    factors = value.args if value.is_Mul else (value,)
    symbols = [factor for factor in factors if factor.is_Symbol]
    others = [factor for factor in factors if not factor.is_Symbol]
    if len(symbols) != 1 or not all(map(_is_free, others)):
        return None
    symbol = symbols[0]
    plain = _symbol(symbol.name)  # one with assumptions is another symbol
    return (symbol.name, _product(others)) if symbol is plain or symbol == plain else None


def _is_free(value: sympy.Expr) -> bool:
    """Whether no symbol is in it."""
    return value.is_Number or not value.free_symbols


def _product(factors: list[sympy.Expr]) -> float:
    if len(factors) == 1 and factors[0].is_Number:
        return _number_of(factors[0])
    return _number(tuple(factors)) if factors else 1.0


def _number_of(value: sympy.Expr) -> float:
    """The value of one of sympy's numbers: `complex` would take ten times as long."""
    number = float(value) if value.is_extended_real else math.nan
    return number if math.isfinite(number) else _finite(value)


@lru_cache(maxsize=1024)
def _number(factors: tuple[sympy.Expr, ...]) -> float:
    import sympy

    return _finite(sympy.Mul(*factors))


@lru_cache(maxsize=1 << 16)
def _symbol(name: str) -> sympy.Symbol:
    import sympy

    return sympy.Symbol(name)


def unit(angle: sympy.Expr) -> sympy.Expr:
    """exp(i angle) in the form that Cirq can put numbers into.

    Cirq 1.7 takes the number that becomes of exp(I*x) for real where its imaginary part is zero, and fails.
    """
    import sympy

    return sympy.cos(angle) + sympy.I * sympy.sin(angle)


def angle_of_unit(value: sympy.Expr) -> sympy.Expr | None:
    """The angle of what `unit` gives, or of exp(I * angle); None if it is something else."""
    import sympy

    if isinstance(value, sympy.exp):
        angle = sympy.expand(value.args[0] / sympy.I)
        return None if angle.has(sympy.I) else angle
    for term in value.args if value.is_Add and len(value.args) == 2 else ():
        sign, function = (-1, -term) if term.could_extract_minus_sign() else (1, term)
        if not isinstance(function, sympy.cos | sympy.sin):
            continue
        inner = function.args[0]  # cos(x + pi / 2) has become -sin(x)
        if isinstance(function, sympy.sin):
            inner -= sympy.pi / 2
        for angle in (inner, -inner):
            angle += 0 if sign > 0 else sympy.pi
            if unit(angle) == value:
                return angle
    return None


class HalfTurns:
    """Angles of a circuit as Cirq's exponents: numbers, or sympy expressions of the parameters."""

    def __init__(self, circuit: Circuit) -> None:
        self.params = circuit.params
        self.terms: dict[int, list[tuple[int, float]]] = {}
        affine = circuit.affine
        for slot, index, coefficient in zip(
            affine.slot.tolist(), affine.param.tolist(), affine.coef.tolist(), strict=True
        ):
            self.terms.setdefault(slot, []).append((index, coefficient))

    def at(self, slot: int, constant: float) -> Any:
        """The value of a slot (its constant in radians) in half turns."""
        return self.of(self.terms.get(slot, ()), constant)

    def of(self, terms: Iterable[tuple[int, float]], constant: float) -> Any:
        """`constant` plus (parameter index, coefficient) terms, in radians, as half turns."""
        terms = tuple(terms)
        if not terms:
            return constant / math.pi
        import sympy

        parts = [self._term(*term) for term in terms]
        if constant:
            parts.insert(0, sympy.Float(constant / math.pi))
        return parts[0] if len(parts) == 1 else sympy.Add(*parts)

    def _term(self, index: int, coefficient: float) -> Any:
        param = self.params[index]
        symbol = _symbol(param.name) if param.expression is None else param.expression
        return symbol if coefficient == math.pi else symbol * _tidy(coefficient / math.pi, coefficient)


@lru_cache(maxsize=1024)
def _tidy(half_turns: float, radians: float) -> sympy.Expr:
    """A coefficient in half turns, as a whole number or one over pi where it is that: `s`, `s/pi`."""
    import sympy

    for value, unit in ((half_turns, sympy.Integer(1)), (radians, 1 / sympy.pi)):
        nearest = round(value)
        if nearest and abs(value - nearest) <= 1e-15 * abs(nearest):
            return nearest * unit
    return sympy.Float(half_turns)
