"""What an OpenQASM text stands for, estimated before it is read: a few lines can name billions of gates.

Gates of a definition count as often as they are used, statements on whole registers once for each qubit. Two
statements that Cirq's reader (1.7) takes for something else are refused: `if` before a statement on a whole
register, of which it keeps the first gate, and `if` with a value that the register cannot have, of which it
forgets the upper bits.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from qattn_compiler.errors import CircuitError

MAX_OPERATIONS: Final = 1 << 22
"""Operations of a circuit that is read, about 4 GB of Cirq's objects."""
MAX_REGISTER: Final = 1 << 16
"""Bits of a register."""
MAX_DIGITS: Final = 4000
"""Digits of a number; Python reads 4300."""

_COMMENT: Final = re.compile(r"//[^\n]*+")
_PIECE: Final = re.compile(r"([^;{}]*+)([;{}]?)")
_OLD_REGISTER: Final = re.compile(r"\s*+(?:qreg|creg)\s++(\w++)\s*+\[\s*+(\d++)")
_NEW_REGISTER: Final = re.compile(r"\s*+(?:qubit|bit)\s*+\[\s*+(\d++)\s*+\]\s*+(\w++)")
_BARE_WORD: Final = re.compile(r"\b[A-Za-z_]\w*+(?!\s*+\[)")
_CONDITION: Final = re.compile(r"\s*+if\s*+\(([^)]*+)\)(.*+)", re.DOTALL)
_EQUAL: Final = re.compile(r"\b(\w++)\s*+==\s*+(\d++)")
# "++" gives nothing back once taken: no text makes these patterns slow


def check_qasm(path: str, text: str) -> None:
    """Raise if the circuit would be too large, or would be read wrongly.

    Args:
        path: where the text comes from, for messages.
        text: OpenQASM 2 or 3, right or not.

    Raises:
        CircuitError: with the estimate and the limit, or the statement.
    """
    sizes: dict[str, int] = {}
    gates: dict[str, int] = {}
    defined: str | None = None
    total = inside = 0
    for piece in _PIECE.finditer(_COMMENT.sub("", text)):
        statement, end = piece.groups()
        if end == "{":
            words = statement.split(None, 2)
            defined = words[1].partition("(")[0] if words[:1] == ["gate"] and len(words) > 1 else None
            inside = 0
        elif end == "}" and defined is not None:
            gates[defined], defined = inside, None
        elif defined is not None:
            inside = min(inside + gates.get(_first_word(statement), 1), MAX_OPERATIONS + 1)
        elif statement:
            register = _register(path, statement)
            sizes |= register
            total += 0 if register else _count(path, statement, sizes, gates)
        if total > MAX_OPERATIONS:
            raise CircuitError(
                f"{path} stands for more than {MAX_OPERATIONS} operations (about 1 kB each); no more are read"
            )


def _register(path: str, statement: str) -> dict[str, int]:
    """The register that the statement declares, and its size."""
    old, new = _OLD_REGISTER.match(statement), _NEW_REGISTER.match(statement)
    if old is None and new is None:
        return {}
    name, size = old.groups() if old else new.groups()[::-1] if new else ("", "0")
    if len(size) > 9 or int(size) > MAX_REGISTER:
        raise CircuitError(
            f"{path}: register {name[:40]} has {size[:40]} bits; at most {MAX_REGISTER} are read"
        )
    return {name: int(size)}


def _first_word(statement: str) -> str:
    words = statement.split(None, 1)
    return words[0].partition("(")[0] if words else ""


def _count(path: str, statement: str, sizes: Mapping[str, int], gates: Mapping[str, int]) -> int:
    """Operations of one statement; a condition is one for each bit that it looks at."""
    condition = _CONDITION.match(statement)
    looked_at = 0
    if condition is not None:
        for register, value in _EQUAL.findall(condition[1]):
            looked_at += sizes.get(register, 1)
            if len(value) > MAX_DIGITS or int(value).bit_length() > sizes.get(register, MAX_REGISTER):
                raise CircuitError(f"{path}: {register} has not so many bits as in {statement.strip()[:80]}")
        statement = condition[2]
    width = max((sizes.get(word, 1) for word in _BARE_WORD.findall(statement)), default=1)
    if condition is not None and width > 1:
        raise CircuitError(
            f"{path}: {condition[0].strip()[:80]}: a condition before a statement on a whole register",
            hint="write the statement for each qubit",
        )
    return width * gates.get(_first_word(statement), 1) + looked_at
