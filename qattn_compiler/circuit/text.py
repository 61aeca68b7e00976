"""Text form of a circuit, one row a line, that reads back to the same columns.

    qubits 3
    params a b
    phase 0.25*a + 1.5
    h q0
    rz(0.5*a + 1.25) q1
    cx q0 q1 tags "layer 1"
    measure q0 q1 key "m" invert 1 0
    opaque q0 q1 reads "m" <"cirq.CCX(...)">

`qubits 3` means labels 0, 1, 2; other labels follow on a line `labels`, in the same order. Floats are written
with `repr`, so nothing is rounded. Names that are no identifiers stand in double quotes. What has no text
form (foreign operations, labels, tags and derived parameters) is shown as `<"...">`; such a circuit can be
read by people only. The text is read by the small reader below and never evaluated.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Final, NamedTuple, NoReturn

from qattn_compiler.circuit.gates import BY_NAME, GATES, OPAQUE
from qattn_compiler.circuit.params import GLOBAL_PHASE
from qattn_compiler.circuit.table import Angle, Builder, Circuit, Extra, Qubit
from qattn_compiler.errors import CircuitError

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z_0-9]*")
_TOKENS: Final = re.compile(
    r"""(?P<space>[ \t\r]+|\#.*)
    |(?P<string>"(?:[^"\\]|\\.)*")
    |(?P<foreign><\s*"(?:[^"\\]|\\.)*"\s*>)
    |(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
    |(?P<name>[A-Za-z_][A-Za-z_0-9]*)
    |(?P<mark>[()*,+-])""",
    re.VERBOSE,
)
_CLAUSES: Final = ("reads", "writes", "key", "invert", "tags")


# -- out -----------------------------------------------------------------------------------------------------


def to_text(circuit: Circuit) -> str:
    """The text of a circuit (module docstring); it ends with a newline."""
    return "\n".join((*_header(circuit), *(_row(circuit, row) for row in range(len(circuit))), ""))


def _header(circuit: Circuit) -> Iterator[str]:
    yield f"qubits {circuit.num_qubits}"
    if not _are_numbers(circuit.qubits):
        yield " ".join(("labels", *map(_label, circuit.qubits)))
    if circuit.params:
        names = (_foreign(p.name) if p.expression is not None else _name(p.name) for p in circuit.params)
        yield " ".join(("params", *names))
    phase = _angle(circuit, GLOBAL_PHASE, circuit.phase)
    if phase != "0.0":
        yield f"phase {phase}"


def _are_numbers(labels: Sequence[Qubit]) -> bool:
    return all(type(label) is int and label == i for i, label in enumerate(labels))


def _row(circuit: Circuit, row: int) -> str:
    gate = GATES[circuit.op[row]]
    extra = circuit.extras[circuit.extra[row]] if circuit.extra[row] >= 0 else None
    angles = ", ".join(
        _angle(circuit, 3 * row + k, float(circuit.angles[row, k])) for k in range(gate.num_angles)
    )
    wires = circuit.operands[row, : gate.num_qubits].tolist() if gate.num_qubits else ()
    if extra is not None and gate.num_qubits == 0:
        wires = extra.operands
    words = [f"{gate.name}({angles})" if angles else gate.name, *(f"q{wire}" for wire in wires)]
    return " ".join([*words, *_clauses(extra, gate.code == OPAQUE, gate.num_qubits > 0)])


def _clauses(extra: Extra | None, is_opaque: bool, is_gate: bool) -> Iterator[str]:
    if extra is None:
        return
    if extra.reads:
        yield " ".join(("reads", *map(json.dumps, extra.reads)))
    if extra.writes:
        yield " ".join(("writes" if is_opaque or is_gate else "key", *map(json.dumps, extra.writes)))
    if extra.invert:
        yield " ".join(("invert", *(str(int(bit)) for bit in extra.invert)))
    if extra.tags or is_gate:
        yield " ".join(("tags", *map(_label, extra.tags)))
    if is_opaque:
        yield _foreign(extra.payload)


def _angle(circuit: Circuit, slot: int, constant: float) -> str:
    """`0.5*a - b + 1.25`: terms in the order of the parameters, then the constant."""
    text = ""
    for index, coefficient in circuit.affine.at(slot):
        size = "" if abs(coefficient) == 1.0 else f"{abs(coefficient)!r}*"
        text += _signed(text, coefficient < 0, size + _name(circuit.params[index].name))
    if not text:
        return repr(float(constant) + 0.0)  # never -0.0, which reads back as 0.0
    return text + (_signed(text, constant < 0, repr(abs(constant))) if constant else "")


def _signed(before: str, negative: bool, what: str) -> str:
    if before:
        return f" {'-' if negative else '+'} {what}"
    return f"-{what}" if negative else what


def _name(name: str) -> str:
    return name if _NAME.fullmatch(name) else json.dumps(name)


def _label(label: Hashable) -> str:
    if type(label) is int:
        return str(label)
    return json.dumps(label) if isinstance(label, str) else _foreign(label)


def _foreign(thing: object) -> str:
    return f"<{json.dumps(str(thing))}>"


# -- in ------------------------------------------------------------------------------------------------------


def from_text(text: str) -> Circuit:
    """The circuit of a text; `same(from_text(to_text(c)), c)` holds for every circuit without foreign parts.

    Raises:
        CircuitError: the text is not in the form above, breaks a rule of circuits, or has a foreign part. The
            place is the line with a caret under it.
    """
    reader = _Reader()
    for number, line in enumerate(text.split("\n"), start=1):
        reader.line(_Line(number, line))
    return reader.circuit()


class _Token(NamedTuple):
    kind: str
    text: str
    column: int


class _Line:
    """The tokens of a line, and errors that point into it."""

    def __init__(self, number: int, text: str) -> None:
        self.number = number
        self.source = text
        self.tokens: list[_Token] = []
        self.next = 0
        at = 0
        while at < len(text):
            match = _TOKENS.match(text, at)
            if match is None:
                self.fail(f"{text[at]!r} means nothing here", at)
            kind = match.lastgroup or ""
            if kind != "space":
                self.tokens.append(_Token(kind, match.group(), at))
            at = match.end()
        self.tokens.append(_Token("end", "", len(text.rstrip())))

    def fail(self, message: str, column: int | None = None, hint: str | None = None) -> NoReturn:
        """Raise a CircuitError with a caret under the column, by default under the next token."""
        at = self.peek().column if column is None else column
        place = f"line {self.number}, column {at + 1}:\n  {self.source}\n  {' ' * at}^"
        raise CircuitError(message, place=place, hint=hint)

    def peek(self) -> _Token:
        return self.tokens[min(self.next, len(self.tokens) - 1)]

    def take(self, kind: str, expected: str) -> str:
        token = self.peek()
        if token.kind == "foreign" and kind != "foreign":
            self.fail("a foreign part cannot be read back from text", hint=_FOREIGN_HINT)
        if token.kind != kind:
            found = repr(token.text) if token.text else "the end of the line"
            self.fail(f"{expected} was expected, not {found}")
        self.next += 1
        return token.text

    def accept(self, text: str) -> bool:
        """Whether the next token is this mark or name; if so it is taken."""
        if self.peek().text != text or self.peek().kind not in ("mark", "name"):
            return False
        self.next += 1
        return True

    def end(self) -> None:
        self.take("end", "the end of the line")


_FOREIGN_HINT: Final = "what stands in <...> exists in memory only; write Cirq's JSON instead"


class _Reader:
    """Reads lines: the header, then rows."""

    def __init__(self) -> None:
        self.size: int | None = None
        self.labels: tuple[Hashable, ...] | None = None
        self.builder: Builder | None = None
        self.names: set[str] = set()
        self.started = False
        self.has_params = False

    def line(self, line: _Line) -> None:
        if line.peek().kind == "end":
            return
        word = line.take("name", "a gate or a header word")
        header: dict[str, Callable[[_Line], None]] = {
            "qubits": self._qubits, "labels": self._labels, "params": self._params, "phase": self._phase
        }  # fmt: skip
        if word in header:
            if self.started:
                line.fail(f"`{word}` belongs before the first gate", 0)
            header[word](line)
        else:
            self._gate(line, word)
        line.end()

    def circuit(self) -> Circuit:
        if self.size is None:
            raise CircuitError("a circuit's text starts with `qubits` and their number")
        return self._built().build()

    def _built(self) -> Builder:
        if self.builder is None:
            self.builder = Builder(self.labels if self.labels is not None else range(self.size or 0))
        return self.builder

    def _qubits(self, line: _Line) -> None:
        if self.size is not None:
            line.fail("`qubits` stands twice", 0)
        at = line.peek().column
        number = line.take("number", "the number of qubits")
        if not number.isdecimal() or len(number) > 6:
            line.fail("the number of qubits is a whole number below 10**6", at)
        self.size = int(number)

    def _labels(self, line: _Line) -> None:
        if self.size is None or self.builder is not None:
            line.fail("`labels` belongs right after `qubits`", 0)
        labels = tuple(_labels(line))
        if len(labels) != self.size or len(set(labels)) != self.size:
            line.fail(f"{self.size} different labels were expected", 0)
        self.labels = labels

    def _params(self, line: _Line) -> None:
        self._need_size(line)
        if self.has_params:
            line.fail("`params` stands twice", 0)
        self.has_params = True
        while line.peek().kind != "end":
            at = line.peek().column
            name = _read_name(line)
            if name in self.names:
                line.fail(f"parameter {name!r} stands twice", at)
            self.names.add(name)
            self._built().parameter(name)

    def _phase(self, line: _Line) -> None:
        self._need_size(line)
        self.has_params = True
        self._built().add_phase(self._angle(line))

    def _need_size(self, line: _Line) -> None:
        if self.size is None:
            line.fail("`qubits` and their number come first", 0)

    def _gate(self, line: _Line, word: str) -> None:
        self._need_size(line)
        self.started = True
        if word not in BY_NAME:
            line.fail(f"the gate table has no {word!r}", 0)
        angles: list[Angle] = []
        if line.accept("("):
            angles.append(self._angle(line))
            while line.accept(","):
                angles.append(self._angle(line))
            if not line.accept(")"):
                line.fail("`)` or `,` was expected")
        wires = []
        while line.peek().kind == "name" and line.peek().text not in _CLAUSES:
            wires.append(self._wire(line))
        extra = _extra(line)
        line.end()
        try:
            self._add(line, word, wires, angles, extra)
        except CircuitError as error:
            error.place or line.fail(error.message, 0)
            raise

    def _add(
        self, line: _Line, word: str, wires: list[int], angles: list[Angle], extra: Extra | None
    ) -> None:
        builder = self._built()
        if word == "opaque":
            line.fail("a wall cannot be read back from text", 0, _FOREIGN_HINT)
        if BY_NAME[word].num_qubits:
            return builder.add(word, wires, angles, extra)
        extra = extra or Extra()
        if angles or extra.reads:
            line.fail(f"{word} takes no angles and reads no key", 0)
        if word == "measure":
            if len(extra.writes) != 1 or len(extra.invert) > len(wires) or not wires:
                line.fail('measure takes qubits, `key "name"` and perhaps `invert` with bits for them', 0)
            return builder.measure(wires, extra.writes[0], extra.tags, extra.invert)
        if len(wires) != 1 or extra.writes or extra.invert:
            line.fail("reset takes one qubit", 0)
        return builder.reset(wires[0], extra.tags)

    def _wire(self, line: _Line) -> int:
        token = line.peek()
        if not re.fullmatch(r"q\d{1,8}", token.text, re.ASCII):
            line.fail(f"a qubit such as q0 was expected, not {token.text!r}")
        line.next += 1
        return int(token.text[1:])

    def _angle(self, line: _Line) -> Angle:
        constant, terms = 0.0, {}  # type: tuple[float, dict[str, float]]
        first = True
        while True:
            sign = -1.0 if line.accept("-") else 1.0
            if sign > 0 and not line.accept("+") and not first:
                break
            first = False
            constant += self._term(line, sign, terms)
        return (constant, terms) if terms else constant

    def _term(self, line: _Line, sign: float, terms: dict[str, float]) -> float:
        """Read `number`, `name` or `number * name`; a name goes to `terms`, a bare number is given back."""
        value = 1.0
        if line.peek().kind == "number":
            at = line.peek().column
            value = float(line.take("number", "a number"))
            if value == float("inf"):
                line.fail("the number is too large", at)
            if not line.accept("*"):
                return sign * value
        at = line.peek().column
        if line.peek().kind not in ("name", "string", "foreign"):
            line.fail("a number or a parameter was expected")
        name = _read_name(line)
        if name not in self.names:
            line.fail(f"the circuit has no parameter {name!r}", at, "name it on the line `params`")
        terms[name] = terms.get(name, 0.0) + sign * value
        return 0.0


def _extra(line: _Line) -> Extra | None:
    """The clauses at the end of a row; None if there is none."""
    found: dict[str, tuple[Hashable, ...]] = {}
    while line.peek().kind == "name":
        word = line.peek().text
        if word not in _CLAUSES or word in found:
            line.fail(f"one of {', '.join(_CLAUSES)} was expected, each once, not {word!r}")
        line.next += 1
        found[word] = tuple(_bits(line) if word == "invert" else _labels(line, strings=word != "tags"))
    if line.peek().kind == "foreign":
        line.fail("a wall cannot be read back from text", hint=_FOREIGN_HINT)
    if not found:
        return None
    writes = (*found.get("key", ()), *found.get("writes", ()))
    return Extra(
        reads=tuple(map(str, found.get("reads", ()))),
        writes=tuple(map(str, writes)),
        tags=found.get("tags", ()),
        invert=tuple(map(bool, found.get("invert", ()))),
    )


def _labels(line: _Line, strings: bool = False) -> Iterator[Hashable]:
    """Strings and whole numbers up to the next word."""
    while line.peek().kind not in ("end", "name"):
        if line.peek().kind == "string":
            yield _string(line)
        elif strings:
            line.take("string", "a name in double quotes")
        else:
            yield _whole(line)


def _whole(line: _Line) -> int:
    sign = -1 if line.accept("-") else 1
    at = line.peek().column
    digits = line.take("number", "a string or a whole number")
    if not digits.isdecimal() or len(digits) > 4000:  # int() refuses more digits
        line.fail("a whole number was expected", at)
    return sign * int(digits)


def _bits(line: _Line) -> Iterator[bool]:
    while line.peek().kind == "number":
        if line.peek().text not in ("0", "1"):
            line.fail("a bit, 0 or 1, was expected")
        yield line.take("number", "a bit") == "1"


def _read_name(line: _Line) -> str:
    return _string(line) if line.peek().kind == "string" else line.take("name", "the name of a parameter")


def _string(line: _Line) -> str:
    at = line.peek().column
    try:
        text = json.loads(line.take("string", "a string"))
    except json.JSONDecodeError as error:
        line.fail(f"the string is damaged: {error.msg}", at)
    return str(text)
