"""The canonical text of an expression: `parse(to_text(e)) is e`, with as few brackets as that needs."""

from __future__ import annotations

import math

from qattn_compiler.errors import ParseError
from qattn_compiler.expr.node import Expr
from qattn_compiler.expr.ops import REQUIRED, At, Item, Slice

MAX_TEXT = 1_000_000
"""Characters. A shared node is written out at each use, so that a small graph can have an endless text."""

LEVELS = {"sum": 1, "product": 2, "minus": 3, "power": 4, "number": 5, "postfix": 6, "atom": 7}
"""Binding strength, weakest first. A whole expression is read at level 1."""

_Piece = str | tuple[Expr, int]


def to_text(expr: Expr) -> str:
    """The text that parses back to `expr`.

    Raises:
        ParseError: the text would be longer than `MAX_TEXT`.
    """
    text = _write(expr, MAX_TEXT)
    if len(text) > MAX_TEXT:
        raise ParseError(f"the text of this expression is longer than {MAX_TEXT} characters")
    return text


def short_text(expr: Expr, limit: int = 80) -> str:
    """The text for messages, cut after `limit` characters."""
    text = _write(expr, limit)
    return text if len(text) <= limit else text[: limit - 3] + "..."


def _write(expr: Expr, limit: int) -> str:
    out: list[str] = []
    length = 0
    stack: list[_Piece] = [(expr, LEVELS["sum"])]
    while stack and length <= limit:
        piece = stack.pop()
        if isinstance(piece, str):
            out.append(piece)
            length += len(piece)
            continue
        node, least = piece
        pieces, level = _pieces(node)
        if level < least:
            pieces = ["(", *pieces, ")"]
        stack.extend(reversed(pieces))
    return "".join(out)


def _pieces(node: Expr) -> tuple[list[_Piece], int]:
    """The node's text with its operands (each with the level it must have), and its own level."""
    row = node.info
    if node.op in ("tensor", "index"):
        return [node.name], LEVELS["atom"]
    if node.op == "number":
        return _number(node.value)
    if node.op == "pow":  # to its right a minus may stand without brackets
        return [(node.args[0], LEVELS["number"]), "**", (node.args[1], LEVELS["minus"])], row.level
    if row.symbol is not None and len(node.args) == 2:
        return [(node.args[0], row.level), f" {row.symbol} ", (node.args[1], row.level + 1)], row.level
    if row.symbol is not None:
        return [row.symbol, (node.args[0], row.level)], row.level
    if node.op == "transpose":
        return [(node.args[0], LEVELS["postfix"]), ".T"], LEVELS["postfix"]
    if node.op == "getitem":
        items = ", ".join(map(_item, node.attr("items")))
        return [(node.args[0], LEVELS["postfix"]), f"[{items}]"], LEVELS["postfix"]
    if node.op == "sum_over":
        return _sum_over(node), LEVELS["postfix"]
    return _call(node), LEVELS["postfix"]


def _number(value: float) -> tuple[list[_Piece], int]:
    if isinstance(value, float) and abs(value) in (math.pi, math.e):
        text = "pi" if abs(value) == math.pi else "e"
        return (["-", text], LEVELS["minus"]) if value < 0 else ([text], LEVELS["atom"])
    text = repr(value)
    # -2 is read like a minus sign, and 2.T or 2[0] are no Python: a number binds less than a name
    return [text], LEVELS["minus"] if text.startswith("-") else LEVELS["number"]


def _item(item: Item) -> str:
    if isinstance(item, At):
        return str(item.position)
    if isinstance(item, Slice):
        return ":".join("" if bound is None else str(bound) for bound in (item.start, item.stop))
    if item.offset == 0:
        return item.index
    return f"{item.index} {'+' if item.offset > 0 else '-'} {abs(item.offset)}"


def _sum_over(node: Expr) -> list[_Piece]:
    clauses: list[_Piece] = []
    while True:  # directly nested sums are written as one
        body, start, stop = node.args
        begin = "" if start.value == 0 else f"{start.value}, "
        clauses += [f" for {node.attr('index')} in range({begin}", (stop, LEVELS["sum"]), ")"]
        if body.op != "sum_over":
            return ["sum(", (body, LEVELS["sum"]), *clauses, ")"]
        node = body


def _call(node: Expr) -> list[_Piece]:
    pieces: list[_Piece] = []
    for arg in node.args:
        pieces += [(arg, LEVELS["sum"]), ", "]
    if node.op == "causal_mask":
        pieces += ["causal", ", "]
    for name, default in node.info.attrs:
        value = node.attr(name)
        if default is REQUIRED or value != default:
            pieces += [f"{name}={value}", ", "]
    function = "mask" if node.op == "causal_mask" else node.op
    return [f"{function}(", *pieces[:-1], ")"]
