"""Weights that the package ships, so that it can be tried without a file."""

from __future__ import annotations

import json
from difflib import get_close_matches
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any, NamedTuple

from qattn_compiler.errors import OptionError
from qattn_compiler.frontends.from_huggingface import ROLES, Projection, project
from qattn_compiler.frontends.weights import ArrayFile, Weights, open_arrays

NAMES = ("minilm",)


class _Card(NamedTuple):
    """What `<name>.json` says: where it is from, and what is kept of it. The first is the default."""

    source: str
    layer: int
    heads: tuple[int, ...]
    sentences: dict[int, tuple[str, ...]]


def example_names() -> tuple[str, ...]:
    """Names of the examples.

    >>> example_names()
    ('minilm',)
    """
    return NAMES


def load_example(name: str = "minilm", *, head: int | None = None, tokens: int | None = None) -> Weights:
    """A head of a trained transformer, applied to a sentence: Q, K, V (tokens, d_head) and `d` = d_head.

    Args:
        name: see `example_names`.
        head: 0, 3, 7 or 11 of the 12 heads of MiniLM's first layer. Default: 0.
        tokens: length of the sentence: 8, 16 or 32. Default: 8.

    Raises:
        OptionError: there is no such example, head or sentence; the message says what there is.

    >>> load_example(head=3, tokens=16)["Q"].shape
    (16, 32)
    """
    card = _card(name)
    head = _choose("head", head, card.heads, name)
    tokens = _choose("tokens", tokens, tuple(card.sentences), name)
    with resources.as_file(_data(f"{name}.safetensors")) as path:
        file = open_arrays(path)
        states = file.get(f"layer{card.layer}.tokens{tokens}")
        projections = {letter: _projection(file, f"head{head}.{role}") for letter, role in ROLES.items()}
    origin = f"example {name}: {card.source}, layer {card.layer}, head {head}, {tokens} tokens"
    return Weights(project(states, projections, count=1, head=0), (), origin)


def example_tokens(name: str = "minilm", tokens: int | None = None) -> tuple[str, ...]:
    """The sentence's tokens, one for each row of Q, K and V.

    Args:
        name: see `example_names`.
        tokens: how many. Default: 8.

    Raises:
        OptionError: there is no such example or sentence.

    >>> example_tokens()
    ('[CLS]', 'attention', 'is', 'all', 'you', 'need', '.', '[SEP]')
    """
    sentences = _card(name).sentences
    return sentences[_choose("tokens", tokens, tuple(sentences), name)]


def _projection(file: ArrayFile, stem: str) -> Projection:
    return Projection(file.get(f"{stem}.weight"), file.get(f"{stem}.bias"))


def _data(name: str) -> Traversable:
    return resources.files("qattn_compiler.data") / name


def _card(name: str) -> _Card:
    if name not in NAMES:
        close = get_close_matches(str(name), NAMES, n=1, cutoff=0.5)
        raise OptionError(
            f"there is no example {name!r}; there are {', '.join(NAMES)}",
            hint=f"did you mean {close[0]}?" if close else None,
        )
    said: dict[str, Any] = json.loads(_data(f"{name}.json").read_text(encoding="utf-8"))
    sentences = {int(length): tuple(words) for length, words in said["sentences"].items()}
    return _Card(said["source"], said["layer"], tuple(said["heads"]), sentences)


def _choose(option: str, value: int | None, choices: tuple[int, ...], name: str) -> int:
    if value is None:
        return choices[0]
    if type(value) is not int or value not in choices:
        listed = ", ".join(map(str, choices))
        raise OptionError(f"{option} of the example {name} is {value!r}; it may be {listed}")
    return value
