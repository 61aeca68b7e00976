"""sympy -> Expr: scalars, `Sum` over `Indexed`, matrix expressions, explicit matrices of numbers, functions.

Symbols and MatrixSymbols become tensors of the same name. `Sum(f, (i, a, b))` has its last bound included, as
sympy has it, and indices count from 0, as arrays do. Undefined functions named like ours (`softmax`, `relu`,
`phi`, ...) are ours. sympy has no product of `softmax(matrix)` with a matrix: convert the parts and join them
with `@`, or write the text.

Classes are told by name, so that this file does not import sympy (half a second) before somebody else has.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.errors import ParseError
from qattn_compiler.expr.node import Expr, call, getitem, index, number, sum_over, tensor
from qattn_compiler.expr.ops import BY_NAME, At, Item, Loop, Slice

MAX_DEPTH = 200
MAX_POWER = 16
"""Matrix powers are written out as products."""

_FUNCTIONS = {name: name for name in ("exp", "log", "tanh", "cos", "sin")} | {"Abs": "abs"}
_PAIRS = {"Max": "maximum", "Min": "minimum"}


def is_sympy(obj: object) -> bool:
    """Whether `obj` comes from sympy, without importing it."""
    return any(_from_sympy(cls) for cls in type(obj).__mro__)


def _from_sympy(cls: type) -> bool:
    return (cls.__module__ or "").split(".")[0] == "sympy"  # undefined functions have no module


def from_sympy(obj: Any) -> Expr:
    """The expression that a sympy object stands for.

    Raises:
        ParseError: a part has no counterpart here (the message names its class), or is an explicit matrix,
            whose numbers an expression cannot hold: `read_sympy` gives them beside it.
    """
    expr, constants = read_sympy(obj)
    if constants:
        raise ParseError(
            "explicit matrices are weights, not part of an expression",
            hint="use read_sympy, or give the sympy object to compile, which does",
        )
    return expr


def read_sympy(obj: Any) -> tuple[Expr, dict[str, NDArray[np.float64]]]:
    """The expression that a sympy object stands for, and its explicit matrices as weights `_M0`, `_M1`, ...

    Raises:
        ParseError: a part has no counterpart here, or an entry of a matrix is no finite number.
    """
    converter = _Converter()
    expr = converter.convert(obj)
    return expr, converter.constants


class _Converter:
    def __init__(self) -> None:
        self.constants: dict[str, NDArray[np.float64]] = {}
        self.loops: list[str] = []
        self.bound: dict[Any, Expr] = {}
        self.depth = 0

    def convert(self, obj: Any) -> Expr:
        if self.depth >= MAX_DEPTH:
            raise ParseError(f"the sympy expression is nested deeper than {MAX_DEPTH}")
        self.depth += 1
        try:
            for cls in type(obj).__mro__:
                method: Callable[[Any], Expr] | None = getattr(self, f"_{cls.__name__}", None)
                if method is not None and _from_sympy(cls):
                    return method(obj)
                if cls.__name__ in _FUNCTIONS:
                    return call(_FUNCTIONS[cls.__name__], self.convert(obj.args[0]))
                if cls.__name__ in _PAIRS:
                    return self._extreme(obj, _PAIRS[cls.__name__])
        finally:
            self.depth -= 1
        raise _unknown(obj, "this has no counterpart in an attention expression")

    # Leaves.

    def _Symbol(self, obj: Any) -> Expr:
        if obj in self.bound:
            return self.bound[obj]
        return index(obj.name) if obj.name in self.loops else tensor(obj.name)

    def _Dummy(self, obj: Any) -> Expr:
        if obj in self.bound:
            return self.bound[obj]
        raise _unknown(obj, "a Dummy has no name of its own: use a Symbol")

    def _Idx(self, obj: Any) -> Expr:
        return self._Symbol(obj.label)

    def _MatrixSymbol(self, obj: Any) -> Expr:
        return tensor(obj.name)

    def _Integer(self, obj: Any) -> Expr:
        return number(int(obj))

    def _Rational(self, obj: Any) -> Expr:
        return number(int(obj.p)) / number(int(obj.q))

    def _Float(self, obj: Any) -> Expr:
        return number(float(obj))

    def _NumberSymbol(self, obj: Any) -> Expr:
        return number(float(obj))

    # Scalar arithmetic.

    def _Add(self, obj: Any) -> Expr:
        first, *rest = obj.as_ordered_terms() if hasattr(obj, "as_ordered_terms") else obj.args
        total = self.convert(first)
        for term in rest:
            negative = term.could_extract_minus_sign()
            total = total - self.convert(-term) if negative else total + self.convert(term)
        return total

    _MatAdd = _Add

    def _Mul(self, obj: Any) -> Expr:
        scalars = [factor for factor in obj.args if factor.is_commutative]
        matrices = [factor for factor in obj.args if not factor.is_commutative]
        return self._scaled(scalars, matrices)

    def _MatMul(self, obj: Any) -> Expr:
        matrices = [factor for factor in obj.args if getattr(factor, "is_Matrix", False)]
        return self._scaled([factor for factor in obj.args if factor not in matrices], matrices)

    def _scaled(self, scalars: list[Any], matrices: list[Any]) -> Expr:
        """factors * (product of matrices) / factors with negative exponents."""
        below = [f for f in scalars if _is_inverse(f)]
        above = [self.convert(f) for f in scalars if not _is_inverse(f)]
        if matrices:
            above.append(reduce(lambda a, b: a @ b, map(self.convert, matrices)))
        if len(above) > 1 and above[0] is number(-1):
            above[:2] = [-above[1]]
        product = reduce(lambda a, b: a * b, above) if above else number(1)
        return reduce(lambda a, b: a / b, (self.convert(1 / f) for f in below), product)

    def _Pow(self, obj: Any) -> Expr:
        base, exponent = obj.args
        if _is_inverse(obj):
            return number(1) / self.convert(1 / obj)
        if exponent.is_Rational and exponent.p == 1 and exponent.q == 2:
            return call("sqrt", self.convert(base))
        return self.convert(base) ** self.convert(exponent)

    # Matrices.

    def _Transpose(self, obj: Any) -> Expr:
        return self.convert(obj.args[0]).T

    def _MatrixBase(self, obj: Any) -> Expr:
        """An explicit matrix: its numbers go beside the expression."""
        try:
            array = np.array(obj.tolist(), dtype=np.float64).reshape(obj.shape)
        except TypeError:
            raise _unknown(obj, "the entries of an explicit matrix must be real numbers") from None
        if not array.size or not np.isfinite(array).all():
            raise _unknown(obj, "an explicit matrix must have entries, all of them finite")
        name = f"_M{len(self.constants)}"
        self.constants[name] = array
        return tensor(name)

    _NDimArray = _MatrixBase

    def _HadamardProduct(self, obj: Any) -> Expr:
        return reduce(lambda a, b: a * b, map(self.convert, obj.args))

    def _HadamardPower(self, obj: Any) -> Expr:
        return self.convert(obj.args[0]) ** self.convert(obj.args[1])

    def _MatPow(self, obj: Any) -> Expr:
        base, exponent = obj.args
        if not exponent.is_Integer or not 1 <= int(exponent) <= MAX_POWER:
            raise _unknown(obj, f"a matrix power must be a whole number from 1 to {MAX_POWER}")
        return reduce(lambda a, b: a @ b, [self.convert(base)] * int(exponent))

    def _Inverse(self, obj: Any) -> Expr:
        raise _unknown(obj, "the inverse of a matrix is not part of an attention expression")

    def _ElementwiseApplyFunction(self, obj: Any) -> Expr:
        function, matrix = obj.function, obj.expr
        if len(function.signature) != 1:
            raise _unknown(obj, "a function applied entry by entry takes one argument")
        self.bound[function.signature[0]] = self.convert(matrix)
        return self.convert(function.expr)

    # Indexing and sums.

    def _Indexed(self, obj: Any) -> Expr:
        return getitem(tensor(str(obj.base.label)), tuple(map(self._item, obj.indices)))

    def _MatrixElement(self, obj: Any) -> Expr:
        return getitem(self.convert(obj.parent), (self._item(obj.i), self._item(obj.j)))

    def _MatrixSlice(self, obj: Any) -> Expr:
        bounds = zip((obj.rowslice, obj.colslice), obj.parent.shape, strict=True)
        return getitem(self.convert(obj.parent), tuple(_slice(obj, *pair) for pair in bounds))

    def _item(self, obj: Any) -> Item:
        if obj.is_Integer:
            return At(int(obj))
        offset, rest = obj.as_coeff_Add()
        name = str(getattr(rest, "label", rest))
        if name not in self.loops or not offset.is_Integer:
            raise _unknown(obj, "an index is a whole number, or the index of an enclosing Sum plus a number")
        return Loop(name, int(offset))

    def _Sum(self, obj: Any) -> Expr:
        limits = list(reversed(obj.limits))  # sympy lists the innermost sum first
        names = [str(getattr(limit[0], "label", limit[0])) for limit in limits]
        if any(len(limit) != 3 for limit in limits):
            raise _unknown(obj, "a Sum needs both bounds: (i, 0, n - 1)")
        if len({*names, *self.loops}) < len(names) + len(self.loops):
            raise _unknown(obj, "an index is used by two sums at once")
        bounds = [(self.convert(first), self.convert(last + 1)) for _, first, last in limits]
        self.loops += names
        body = self.convert(obj.function)
        del self.loops[len(self.loops) - len(names) :]
        for name, (start, stop) in zip(reversed(names), reversed(bounds), strict=True):
            body = sum_over(body, name, start, stop)
        return body

    # Functions.

    def _extreme(self, obj: Any, op: str) -> Expr:
        zero, rest = [a for a in obj.args if a == 0], [a for a in obj.args if a != 0]
        if op == "maximum" and zero and len(rest) == 1:
            return call("relu", self.convert(rest[0]))
        return reduce(lambda a, b: call(op, a, b), map(self.convert, obj.args))

    def _Piecewise(self, obj: Any) -> Expr:
        """Only relu, written in either order."""
        pairs = [(value, condition) for value, condition in obj.args]
        if len(pairs) == 2 and pairs[1][1] == True:  # noqa: E712 (sympy's true)
            (value, condition), (other, _) = pairs
            kept, bound = (value, ("Gt", "Ge")) if other == 0 else (other, ("Lt", "Le"))
            kinds = {"StrictGreaterThan": "Gt", "GreaterThan": "Ge", "StrictLessThan": "Lt", "LessThan": "Le"}
            kind = kinds.get(type(condition).__name__)
            zero_side = value if other != 0 else other
            if kind in bound and zero_side == 0 and condition.args == (kept, 0):
                return call("relu", self.convert(kept))
        raise _unknown(obj, "the only Piecewise is relu: Piecewise((x, x > 0), (0, True))")

    def _AppliedUndef(self, obj: Any) -> Expr:
        name = obj.func.__name__
        args = obj.args
        if name == "mask" and len(args) == 2 and str(args[1]) == "causal":
            return call("causal_mask", self.convert(args[0]))
        if name not in BY_NAME or not BY_NAME[name].is_call:
            raise _unknown(obj, f"there is no function {name!r}")
        return call(name, *map(self.convert, args))


def _is_inverse(obj: Any) -> bool:
    if not getattr(obj, "is_Pow", False):
        return False
    exponent = obj.args[1]
    return bool(exponent.is_Rational and exponent.is_negative)


def _slice(obj: Any, bounds: tuple[Any, Any, Any], size: Any) -> Slice:
    start, stop, step = bounds
    if step != 1 or not start.is_Integer or not (stop.is_Integer or stop == size):
        raise _unknown(obj, "the bounds of a slice must be whole numbers")
    return Slice(int(start) or None, None if stop == size else int(stop))


def _unknown(obj: Any, message: str) -> ParseError:
    text = str(obj)
    shown = text if len(text) <= 80 else f"{text[:77]}..."
    return ParseError(message, place=f"in {type(obj).__name__}: {shown}")
