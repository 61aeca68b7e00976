"""Where text came from: a source, a span of characters in it, and the line with a caret under it."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property

WINDOW = 100
"""Columns of a line that an error shows; longer lines are cut around the span."""

_LINE_BREAK = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True)
class Source:
    """A text with a name (a file, or `<expression>`)."""

    text: str
    name: str = "<expression>"

    @cached_property
    def line_starts(self) -> tuple[int, ...]:
        """Character offset of each line's first character."""
        return (0, *(m.end() for m in _LINE_BREAK.finditer(self.text)))

    def line(self, number: int) -> str:
        """Line `number` (from 1), without its line break."""
        start = self.line_starts[number - 1]
        match = _LINE_BREAK.search(self.text, start)
        return self.text[start : match.start() if match else len(self.text)]

    def position(self, offset: int) -> tuple[int, int]:
        """(line, column) of a character offset, both from 1."""
        line = bisect_right(self.line_starts, offset)
        return line, offset - self.line_starts[line - 1] + 1

    def offset_of_byte(self, line: int, byte_column: int) -> int:
        """Character offset of a UTF-8 byte column (`ast` counts bytes), line from 1, column from 0."""
        if line > len(self.line_starts):
            return len(self.text)
        prefix = self.line(line).encode("utf-8", "surrogatepass")[: max(byte_column, 0)]
        return self.line_starts[line - 1] + len(prefix.decode("utf-8", "ignore"))

    def span(self, start: int, end: int) -> Span:
        """A span, its ends brought into the text."""
        start = min(max(start, 0), len(self.text))
        return Span(self, start, min(max(end, start), len(self.text)))


@dataclass(frozen=True)
class Span:
    """Characters `start` (included) to `end` (excluded) of a source."""

    source: Source
    start: int
    end: int

    @property
    def text(self) -> str:
        """The characters of the span."""
        return self.source.text[self.start : self.end]

    def show(self) -> str:
        """Three lines: `name:line:column`, the line of text, and carets under the span."""
        line, column = self.source.position(self.start)
        text = "".join(c if c.isprintable() else "?" for c in self.source.line(line).replace("\t", " "))
        begin = min(column - 1, len(text))
        width = max(1, min(self.end - self.start, len(text) - begin))
        text, begin, width = _window(text, begin, width)
        return f"{self.source.name}:{line}:{column}\n  {text}\n  {' ' * begin}{'^' * width}"


def _window(text: str, begin: int, width: int) -> tuple[str, int, int]:
    if len(text) <= WINDOW:
        return text, begin, width
    left = max(0, min(begin - WINDOW // 4, len(text) - WINDOW))
    right = left + WINDOW
    head, tail = "..." if left else "", "..." if right < len(text) else ""
    return head + text[left:right] + tail, begin - left + len(head), min(width, right - begin)
