"""Texts and bytes that were valid once: flips, cuts, copies, splices, words and numbers in odd places."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, TypeVar

from fuzzing.choices import Choices

Text = TypeVar("Text", str, bytes)

NUMBERS = (
    *("0", "1", "-1", "2", "1e9", "1e400", "-1e-400", "nan", "inf", "4294967296", "9223372036854775808"),
    *("99999999999999999999", "1000000", "0x10", "1_000", "1.5", "07", "1e", "0.1", "3.0", "-0.0", "1j"),
)
CHARACTERS = " \t\n\r\0'\"()[]{}.,:;=+-*/@#\\<>~^%$&|!?_aTQ09\x7f\x80éα²\u200b\u2028\ud800\U0001d7d9"
COPIES = (2, 3, 10, 60, 300, 3000)


def mutated(c: Choices, seeds: Sequence[Text], words: Sequence[Text], most: int = 5) -> Text:
    """One of the seeds, changed in up to so many ways."""
    text = c.pick(seeds)
    for _ in range(c.below(most + 1)):
        text = c.pick(CHANGES)(c, text, seeds, words)
    return text


def _span(c: Choices, text: Any) -> tuple[int, int]:
    """Begin and end of a piece, mostly a short one."""
    begin = c.below(len(text) + 1)
    return begin, min(len(text), begin + c.below(1 + min(len(text), c.pick((1, 4, 20, 1000)))))


def _insert(c: Choices, text: Any, _: Any, words: Any) -> Any:
    at = c.below(len(text) + 1)
    return text[:at] + c.pick(words) + text[at:]


def _replace(c: Choices, text: Any, _: Any, words: Any) -> Any:
    begin, end = _span(c, text)
    return text[:begin] + c.pick(words) + text[end:]


def _delete(c: Choices, text: Any, _: Any, __: Any) -> Any:
    begin, end = _span(c, text)
    return text[:begin] + text[end:]


def _copy(c: Choices, text: Any, _: Any, __: Any) -> Any:
    begin, end = _span(c, text)
    at = c.below(len(text) + 1)
    return (text[:at] + text[begin:end] * c.pick(COPIES) + text[at:])[:100_000]


def _cut(c: Choices, text: Any, _: Any, __: Any) -> Any:
    return text[: c.below(len(text) + 1)]


def _splice(c: Choices, text: Any, seeds: Any, _: Any) -> Any:
    other = c.pick(seeds)
    return text[: c.below(len(text) + 1)] + other[c.below(len(other) + 1) :]


def _flip(c: Choices, text: Any, _: Any, __: Any) -> Any:
    if not text:
        return text
    at = c.below(len(text))
    if isinstance(text, bytes):
        return text[:at] + bytes([text[at] ^ (1 << c.below(8))]) + text[at + 1 :]
    return text[:at] + c.pick(CHARACTERS) + text[at + 1 :]


def _number(c: Choices, text: Any, _: Any, __: Any) -> Any:
    """Another number where one stands."""
    as_bytes = isinstance(text, bytes)
    found = list(re.finditer(rb"[0-9]+" if as_bytes else r"[0-9]+", text))
    if not found:
        return text
    place, new = c.pick(found), c.pick(NUMBERS)
    return text[: place.start()] + (new.encode() if as_bytes else new) + text[place.end() :]


CHANGES = (_insert, _replace, _delete, _number, _flip, _splice, _copy, _cut)


def reshaped(c: Choices, data: Any, leaves: Sequence[Any], percent: int = 12) -> Any:
    """Plain data (dicts, lists, texts, numbers) with some of its parts replaced, lost or doubled."""
    if c.chance(percent):
        return c.pick(leaves)
    if isinstance(data, dict):
        out = {}
        for key, value in data.items():
            if c.chance(3):
                continue
            name = c.pick(("", "cirq_type", "name", "é", *data)) if c.chance(2) else key
            out[name] = reshaped(c, value, leaves, percent // 2)
        return out
    if isinstance(data, list):
        kept = [reshaped(c, value, leaves, percent // 2) for value in data if not c.chance(3)]
        return kept + kept[: c.pick((1, 3, 100))] if c.chance(4) else kept
    return data
