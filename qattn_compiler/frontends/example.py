"""Weights that the package ships, so that it can be tried without a file."""

from __future__ import annotations

import json
from difflib import get_close_matches
from importlib import resources
from importlib.resources.abc import Traversable

from qattn_compiler.errors import OptionError
from qattn_compiler.frontends.from_huggingface import read_heads
from qattn_compiler.frontends.weights import Weights, open_arrays

HEADS = {"minilm": (0, 3)}
"""Example -> heads that are shipped. The first is the default."""

TOKENS = {"minilm": (8, 16, 32)}
"""Example -> lengths of its sentences. The first is the default."""

SOURCES = {"minilm": "example minilm: sentence-transformers/all-MiniLM-L6-v2, layer 0"}


def example_names() -> tuple[str, ...]:
    """Names of the examples.

    >>> example_names()
    ('minilm',)
    """
    return tuple(HEADS)


def load_example(name: str = "minilm", *, head: int | None = None, tokens: int | None = None) -> Weights:
    """A head of a trained transformer, applied to a sentence: Q, K, V (tokens, d_head) and `d`.

    Args:
        name: see `example_names`.
        head: 0 or 3 of the 12 heads of MiniLM's first layer. Default: 0.
        tokens: length of the sentence: 8, 16 or 32. Default: 8.

    Raises:
        OptionError: there is no such example, head or sentence; the message says what there is.

    >>> load_example(head=3, tokens=16)["Q"].shape
    (16, 32)
    """
    _check_example(name)
    head = _choose("head", head, HEADS[name], name)
    tokens = _choose("tokens", tokens, TOKENS[name], name)
    with resources.as_file(_data(f"{name}.safetensors")) as path:
        weights = read_heads(open_arrays(path), 0, head, path, f"layer0.tokens{tokens}", None)
    return Weights(dict(weights), (), f"{SOURCES[name]}, head {head}, {tokens} tokens")


def example_tokens(name: str = "minilm", tokens: int | None = None) -> tuple[str, ...]:
    """The sentence's tokens, one for each row of Q, K and V.

    Raises:
        OptionError: there is no such example or sentence.

    >>> example_tokens()
    ('[CLS]', 'attention', 'is', 'all', 'you', 'need', '.', '[SEP]')
    """
    _check_example(name)
    tokens = _choose("tokens", tokens, TOKENS[name], name)
    with resources.as_file(_data(f"{name}-tokens.json")) as path:
        return tuple(json.loads(path.read_text(encoding="utf-8"))[str(tokens)])


def _data(name: str) -> Traversable:
    return resources.files("qattn_compiler.data") / name


def _check_example(name: str) -> None:
    if name not in HEADS:
        close = get_close_matches(str(name), HEADS, n=1, cutoff=0.5)
        raise OptionError(
            f"there is no example {name!r}; there are {', '.join(HEADS)}",
            hint=f"did you mean {close[0]}?" if close else None,
        )


def _choose(option: str, value: int | None, choices: tuple[int, ...], name: str) -> int:
    if value is None:
        return choices[0]
    if isinstance(value, bool) or value not in choices:
        listed = ", ".join(map(str, choices))
        raise OptionError(f"{option} of the example {name} is {value!r}; it may be {listed}")
    return int(value)
