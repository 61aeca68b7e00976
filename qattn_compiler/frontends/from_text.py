"""Text -> Expr. The text is a subset of Python expressions, read with `ast` and never evaluated.

    softmax(Q @ K.T / sqrt(d)) @ V
    sum(w[i] * relu(x[i]) for i in range(n))
    softmax(mask(Q @ K.T / sqrt(d), causal)) @ V
    concat(softmax(Q[0] @ K[0].T / sqrt(d)) @ V[0], softmax(Q[1] @ K[1].T / sqrt(d)) @ V[1])
    phi(Q) @ (phi(K).T @ V)

What differs from NumPy: `.T` swaps the last two axes of arrays with more than two, so that batched heads
(heads, tokens, d) read like one head. `mask(scores, M)`: M is 1 (true) where a score counts and 0 where it is
masked, as in PyTorch's scaled_dot_product_attention; `causal` is the lower triangle. `phi` is elu + 1.

Three stages, each reporting all of its errors at once: `_scan` (characters, brackets, limits; linear time, so
that hostile text never reaches Python's parser), `ast.parse`, `_Converter`.
"""

from __future__ import annotations

import ast
import difflib
import re
import unicodedata
from collections.abc import Callable
from keyword import iskeyword
from typing import Any

from qattn_compiler.errors import ParseError, QattnError, raise_all
from qattn_compiler.expr.node import Expr, call, getitem, index, make, number, record_spans, sum_over, tensor
from qattn_compiler.expr.ops import BY_NAME, OPS, RESERVED, At, Item, Loop, Slice
from qattn_compiler.source import Source, Span

MAX_CHARACTERS = 20_000
MAX_BRACKETS = 100
"""Nested brackets, and nesting of the syntax tree: keeps the recursion of the converter shallow."""
MAX_OPERATORS = 1_000
MAX_PREFIXES = 20
"""Signs in a row."""
MAX_POWERS = 50
MAX_DIGITS = 40
MAX_ERRORS = 20
"""Errors of one stage that are reported."""

_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n]+)
    |(?P<number>(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)(?:[eE][+-]?[0-9][0-9_]*)?)
    |(?P<attribute>\.[ \t]*[^\W\d]\w*)
    |(?P<word>[^\W\d]\w*)
    |(?P<string>'[^'\\\r\n]*'|"[^"\\\r\n]*")
    |(?P<open>[(\[{])
    |(?P<close>[)\]}])
    |(?P<operator>\*\*|//|:=|[<>=!]=|->|[-+*/@=<>,:%&|^~])
    |(?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_CLOSES = {")": "(", "]": "[", "}": "{"}
_WORDS_ALLOWED = frozenset({"for", "in", "True", "False"})
_HINTS = {
    ";": "give one expression only",
    "#": "leave comments out",
    "\\": "put brackets around an expression that spans lines",
}


def parse(text: str, name: str = "<expression>") -> Expr:
    """The expression that `text` stands for.

    Args:
        text: one expression; it may span lines inside brackets.
        name: what error messages call the text.

    Raises:
        ParseError: with a caret under the place; all errors of a stage at once.
    """
    if not isinstance(text, str):
        raise ParseError(f"an expression must be a str, not {type(text).__name__}")
    source = Source(text, name)
    _Scanner(source).run()
    stripped = text.strip(" \t\r\n")
    shift = text.index(stripped)
    tree = _syntax_tree(source, stripped, shift)
    return _Converter(source, Source(stripped, name), shift).run(tree)


class _Scanner:
    """Tokens only: every limit that Python's own parser must be protected by."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.errors: list[QattnError] = []
        self.brackets: list[tuple[str, int]] = []
        self.prefixes = 0
        self.powers = 0
        self.operators = 0
        self.after_number = False

    def run(self) -> None:
        text = self.source.text
        if not text.strip():
            raise ParseError("the expression is empty", hint="for example: softmax(Q @ K.T / sqrt(d)) @ V")
        if len(text) > MAX_CHARACTERS:
            raise ParseError(f"the expression has {len(text)} characters; at most {MAX_CHARACTERS} are read")
        end = len(text.rstrip(" \t\r\n"))
        begin = len(text) - len(text.lstrip(" \t\r\n"))
        last: re.Match[str] | None = None
        for match in _TOKEN.finditer(text, begin, end):
            kind = match.lastgroup or "other"
            getattr(self, f"_{kind}")(match.group(), match.start())
            self.after_number = kind == "number"
            if kind not in ("space", "operator"):
                self.prefixes = 0
            if kind != "space":
                last = match
            if len(self.errors) >= MAX_ERRORS:
                break
        if last is not None and last.lastgroup == "operator" and not self.errors:
            self.fail(f"nothing follows {last.group()!r}", last.start(), len(last.group()))
        for bracket, start in self.brackets[-3:]:
            self.fail(f"{bracket!r} is never closed", start, 1)
        raise_all(self.errors)
        if not text.isascii() and not unicodedata.is_normalized("NFKC", text):
            start = next(i for i, c in enumerate(text) if not c.isascii())
            self.fail("two spellings of the same letter: write it in its plain form", start, 1)
            raise_all(self.errors)

    def fail(self, message: str, start: int, length: int, hint: str | None = None) -> None:
        place = self.source.span(start, start + length).show()
        self.errors.append(ParseError(message, place=place, hint=hint))

    def stop(self, message: str, start: int, length: int) -> None:
        self.fail(message, start, length)
        raise_all(self.errors)

    def _space(self, text: str, start: int) -> None:
        if not self.brackets and ("\n" in text or "\r" in text):
            hint = "put brackets around an expression that spans lines"
            self.fail(
                "there is more than one line, but only one expression is read", start + len(text), 1, hint
            )

    def _number(self, text: str, start: int) -> None:
        if len(text) > MAX_DIGITS:
            self.fail(f"a number of {len(text)} characters; at most {MAX_DIGITS} are read", start, len(text))

    def _word(self, text: str, start: int) -> None:
        if self.after_number:
            self.fail("a name directly after a number", start, len(text), "write the operator: 2*x")
        elif iskeyword(text) and text not in _WORDS_ALLOWED:
            self.fail(f"{text!r} is not part of an attention expression", start, len(text))
        elif text.startswith("__"):
            self.fail(f"names that begin with __ are not allowed: {text[:40]}", start, len(text))

    def _attribute(self, text: str, start: int) -> None:
        if text[1:].strip() != "T":
            hint = "call functions by their plain name: exp(x)"
            self.fail(f"the only attribute is .T, not {text[:40]}", start, len(text), hint)

    def _string(self, text: str, start: int) -> None:
        if text[1:-1] not in ("none", "tanh"):  # gelu(x, approximate="tanh")
            self.fail("a string is not part of an attention expression", start, len(text))

    def _open(self, text: str, start: int) -> None:
        self.brackets.append((text, start))
        if len(self.brackets) > MAX_BRACKETS:
            self.brackets = []
            self.stop(f"more than {MAX_BRACKETS} nested brackets", start, 1)

    def _close(self, text: str, start: int) -> None:
        if not self.brackets:
            self.fail(f"{text!r} closes no bracket", start, 1)
        elif self.brackets[-1][0] != _CLOSES[text]:
            self.fail(f"{text!r} cannot close {self.brackets[-1][0]!r}", start, 1)
            self.brackets.pop()
        else:
            self.brackets.pop()

    def _operator(self, text: str, start: int) -> None:
        if text in ("=", ":=") and (text == ":=" or not self.brackets):
            hint = "give the right-hand side only"
            self.fail("only one expression is read, not an assignment", start, len(text), hint)
        self.operators += text not in (",", ":")
        self.powers += text == "**"
        self.prefixes = self.prefixes + 1 if text in "-+~" else 0
        if self.operators > MAX_OPERATORS:
            self.stop(f"more than {MAX_OPERATORS} operators", start, len(text))
        if self.powers > MAX_POWERS:
            self.stop(f"more than {MAX_POWERS} powers", start, len(text))
        if self.prefixes > MAX_PREFIXES:
            self.stop(f"more than {MAX_PREFIXES} signs in a row", start, len(text))

    def _other(self, text: str, start: int) -> None:
        shown = repr(text) if text.isprintable() else f"U+{ord(text):04X}"
        self.fail(f"the character {shown} is not part of an expression", start, 1, _HINTS.get(text))


def _syntax_tree(source: Source, text: str, shift: int) -> ast.expr:
    try:
        return ast.parse(text, mode="eval").body
    except SyntaxError as error:
        inner = Source(text)
        line = min(max(error.lineno or 1, 1), len(inner.line_starts))
        start = shift + inner.line_starts[line - 1] + max((error.offset or 1) - 1, 0)
        message, place = f"this is not a Python expression: {error.msg}", source.span(start, start + 1).show()
    except (RecursionError, MemoryError):
        message, place = "the expression is nested too deep", f"{source.name}:1:1"
    except (ValueError, OverflowError) as error:
        message, place = f"this is not a Python expression: {error}", f"{source.name}:1:1"
    raise ParseError(message, place=place)


_BINARY: dict[type[ast.operator], str] = {
    ast.Add: "add",
    ast.Sub: "sub",
    ast.Mult: "mul",
    ast.Div: "div",
    ast.MatMult: "matmul",
    ast.Pow: "pow",
}
_OPERATOR_HINTS: dict[type[ast.operator], str] = {
    ast.BitXor: "powers are written **",
    ast.FloorDiv: "division is written /",
}
_KINDS = {
    "Attribute": "an attribute",
    "BoolOp": "and/or",
    "Compare": "a comparison",
    "Dict": "a dictionary",
    "GeneratorExp": "a generator outside sum(...)",
    "JoinedStr": "a string",
    "List": "a list",
    "ListComp": "a list comprehension",
    "NamedExpr": "an assignment",
    "Set": "a set",
    "Slice": "a slice outside an index",
    "Starred": "a starred argument",
    "Tuple": "several expressions",
}
_POISON = make("tensor", (), {"name": "?"})
"""Stands for a part that is in error; no text can name it."""

FUNCTIONS: tuple[str, ...] = (
    *(op.name for op in OPS if op.is_call),
    "sum",
    "transpose",
    "dot",
    "causal_mask",
)
"""What may be called."""


class _Converter:
    """Syntax tree -> nodes. Collects errors; a part in error becomes `_POISON`."""

    def __init__(self, source: Source, inner: Source, shift: int) -> None:
        self.source, self.inner, self.shift = source, inner, shift
        self.errors: list[QattnError] = []
        self.spans: dict[Expr, Span] = {}
        self.loops: list[str] = []
        self.depth = 0

    def run(self, tree: ast.expr) -> Expr:
        """The expression, its places recorded."""
        root = self.convert(tree)
        raise_all(self.errors[:MAX_ERRORS])
        record_spans(root, self.spans)
        return root

    def span(self, node: Any) -> Span:
        start = self.inner.offset_of_byte(node.lineno, node.col_offset)
        end = self.inner.offset_of_byte(node.end_lineno or node.lineno, node.end_col_offset or 0)
        return self.source.span(start + self.shift, end + self.shift)

    def fail(self, node: Any, message: str, hint: str | None = None) -> Expr:
        self.errors.append(ParseError(message, place=self.span(node).show(), hint=hint))
        return _POISON

    def built(self, node: ast.expr, build: Callable[[], Expr]) -> Expr:
        """What `build` makes, its place recorded; an error it raises gets the place."""
        try:
            made = build()
        except ParseError as error:
            return self.fail(node, error.message, error.hint)
        self.spans.setdefault(made, self.span(node))
        return made

    def convert(self, node: ast.expr) -> Expr:
        """One node of the syntax tree, of any kind."""
        method = getattr(self, f"_{type(node).__name__}", None)
        if method is None:
            kind = _KINDS.get(type(node).__name__, type(node).__name__)
            return self.fail(node, f"{kind} is not part of an attention expression")
        if self.depth >= MAX_BRACKETS:
            return self.fail(node, f"more than {MAX_BRACKETS} nested parts")
        self.depth += 1
        try:
            made: Expr = method(node)
            return made
        finally:
            self.depth -= 1

    def _Name(self, node: ast.Name) -> Expr:
        if node.id in self.loops:
            return self.built(node, lambda: index(node.id))
        value = RESERVED.get(node.id)
        if value is not None:
            return self.built(node, lambda: number(value))
        if node.id in RESERVED:
            return self.fail(node, f"{node.id!r} stands only in mask(scores, {node.id})")
        return self.built(node, lambda: tensor(node.id))

    def _Constant(self, node: ast.Constant) -> Expr:
        value = node.value
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return self.fail(node, f"a constant must be a real number, not {type(value).__name__}")
        return self.built(node, lambda: number(value))

    def _UnaryOp(self, node: ast.UnaryOp) -> Expr:
        operand = self.convert(node.operand)
        if isinstance(node.op, ast.UAdd):
            return operand
        if not isinstance(node.op, ast.USub):
            return self.fail(node, "the only signs are - and +")
        return self.built(node, lambda: -operand)

    def _BinOp(self, node: ast.BinOp) -> Expr:
        chain = [node]  # a long sum is a chain to the left: walk it instead of recursing
        while isinstance(chain[-1].left, ast.BinOp):
            chain.append(chain[-1].left)
        left = self.convert(chain[-1].left)
        for step in reversed(chain):
            left = self._binary(step, left, self.convert(step.right))
        return left

    def _binary(self, node: ast.BinOp, left: Expr, right: Expr) -> Expr:
        op = _BINARY.get(type(node.op))
        if op is None:
            return self.fail(node, "the operators are + - * / ** @", _OPERATOR_HINTS.get(type(node.op)))
        return self.built(node, lambda: make(op, (left, right)))

    def _Attribute(self, node: ast.Attribute) -> Expr:
        chain = [node]
        while isinstance(chain[-1].value, ast.Attribute):
            chain.append(chain[-1].value)
        made = self.convert(chain[-1].value)
        for step in reversed(chain):
            made = self._transposed(step, made)
        return made

    def _transposed(self, node: ast.Attribute, operand: Expr) -> Expr:
        if node.attr != "T":
            return self.fail(node, f"the only attribute is .T, not .{node.attr}")
        return self.built(node, lambda: operand.T)

    # Indexing.

    def _Subscript(self, node: ast.Subscript) -> Expr:
        array = self.convert(node.value)
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        items = tuple(self._item(part) for part in parts)
        return self.built(node, lambda: getitem(array, items))

    def _item(self, node: ast.expr) -> Item:
        if isinstance(node, ast.Slice):
            if node.step is not None:
                self.fail(node.step, "a slice has no step here", "write A[:, 0:32]")
            return Slice(self._bound(node.lower), self._bound(node.upper))
        value = _whole_number(node)
        if value is not None:
            return At(value)
        if isinstance(node, ast.Name) and node.id in self.loops:
            return Loop(node.id)
        if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub)):
            shifted = self._shifted(node)
            if shifted is not None:
                return shifted
        hint = "i must be the index of an enclosing sum(... for i in range(n))"
        self.fail(node, "an index is a whole number, i, i + 1, i - 1 or a slice with constant bounds", hint)
        return At(0)

    def _shifted(self, node: ast.BinOp) -> Loop | None:
        sign = 1 if isinstance(node.op, ast.Add) else -1
        pairs = [(node.left, node.right)] + ([(node.right, node.left)] if sign == 1 else [])
        for name, shift in pairs:
            value = _whole_number(shift)
            if isinstance(name, ast.Name) and name.id in self.loops and value is not None:
                return Loop(name.id, sign * value)
        return None

    def _bound(self, node: ast.expr | None) -> int | None:
        if node is None:
            return None
        value = _whole_number(node)
        if value is None:
            self.fail(node, "the bounds of a slice must be whole numbers")
        return value

    # Calls.

    def _Call(self, node: ast.Call) -> Expr:
        if not isinstance(node.func, ast.Name):
            return self.fail(node.func, "only functions can be called, by their plain name")
        name = node.func.id
        if name not in FUNCTIONS:
            near = difflib.get_close_matches(name, FUNCTIONS, 3)
            known = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(FUNCTIONS)}"
            return self.fail(node.func, f"there is no function {name[:40]!r}", known)
        if name == "sum" and len(node.args) == 1 and isinstance(node.args[0], ast.GeneratorExp):
            return self._sum_over(node, node.args[0])
        attrs = self._keywords(node, name)
        last = node.args[-1] if node.args else None
        if name == "mask" and isinstance(last, ast.Name) and last.id == "causal" and len(node.args) == 2:
            name, arguments = "causal_mask", node.args[:1]
        else:
            arguments = node.args
        op = {"dot": "matmul", "gelu": attrs.pop("approximate", "gelu")}.get(name, name)
        args = [self.convert(argument) for argument in arguments]
        return self.built(node, lambda: call(op, *args, **attrs))

    def _keywords(self, node: ast.Call, function: str) -> dict[str, Any]:
        known = {name for name, _ in BY_NAME[function].attrs} if function in BY_NAME else set()
        known |= {"approximate"} if function == "gelu" else set()
        found: dict[str, Any] = {}
        for keyword in node.keywords:
            if keyword.arg not in known:
                takes = ", ".join(sorted(known)) or "no keywords"
                self.fail(keyword, f"{function} takes {takes}, not {keyword.arg or '**'}")
                continue
            value = _keyword_value(keyword.arg, keyword.value)
            if value is None:
                self.fail(keyword, f"{keyword.arg} must be {_KEYWORD_VALUES[keyword.arg]}")
            else:
                found[keyword.arg] = value
        return found

    def _sum_over(self, node: ast.Call, generator: ast.GeneratorExp) -> Expr:
        if node.keywords:
            self.fail(node.keywords[0], "sum over a range takes no keywords")
        ranges: list[tuple[str, Expr, Expr]] = []
        opened = len(self.loops)
        for clause in generator.generators:
            found = self._range(clause)
            if found is not None:
                ranges.append(found)
                self.loops.append(found[0])
        body = self.convert(generator.elt)
        del self.loops[opened:]
        if len(ranges) < len(generator.generators):
            return _POISON

        for name, start, stop in reversed(ranges):
            body = self.built(node, lambda b=body, r=(name, start, stop): sum_over(b, *r))  # type: ignore[misc]
        return body

    def _range(self, clause: ast.comprehension) -> tuple[str, Expr, Expr] | None:
        failed = len(self.errors)
        if clause.ifs:
            self.fail(clause.ifs[0], "a sum has no condition")
        if clause.is_async or not isinstance(clause.target, ast.Name):
            self.fail(clause.target, "a sum runs over one index: for i in range(n)")
            return None
        name = clause.target.id
        if name in self.loops:
            self.fail(clause.target, f"the index {name} is already in use", "give it another name")
        if name in RESERVED:
            self.fail(clause.target, f"{name} is a constant and cannot be an index")
        source = clause.iter
        if not (
            isinstance(source, ast.Call)
            and isinstance(source.func, ast.Name)
            and source.func.id == "range"
            and 1 <= len(source.args) <= 2
            and not source.keywords
        ):
            self.fail(source, "a sum runs over range(n) or range(start, n)")
            return None
        bounds = [self.convert(bound) for bound in source.args]
        for bound, made in zip(source.args, bounds, strict=True):
            if made.free:
                self.fail(bound, "the range of a sum cannot depend on another index")
        if len(self.errors) > failed:
            return None
        return name, number(0) if len(bounds) == 1 else bounds[0], bounds[-1]


_KEYWORD_VALUES = {
    "axis": "a whole number",
    "keepdims": "True or False",
    "approximate": '"none" or "tanh"',
}


def _keyword_value(name: str, node: ast.expr) -> int | bool | str | None:
    value = node.value if isinstance(node, ast.Constant) else None
    if name == "keepdims":
        return value if isinstance(value, bool) else None
    if name == "approximate":
        return {"none": "gelu", "tanh": "gelu_tanh"}.get(value) if isinstance(value, str) else None
    return _whole_number(node)


def _whole_number(node: ast.expr) -> int | None:
    sign = 1
    while isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
        sign *= -1 if isinstance(node.op, ast.USub) else 1
        node = node.operand
    if isinstance(node, ast.Constant) and type(node.value) is int and abs(node.value) < 2**31:
        return sign * node.value
    return None
