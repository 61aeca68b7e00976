"""The embedded example: it is what it says it is."""

from __future__ import annotations

from importlib import resources

import numpy as np
import pytest
from safetensors.numpy import load_file

from qattn_compiler.errors import OptionError, WeightError
from qattn_compiler.frontends.example import HEADS, TOKENS, example_names, example_tokens, load_example
from qattn_compiler.frontends.weights import load_weights

DATA = resources.files("qattn_compiler.data")


@pytest.mark.parametrize("name", example_names())
def test_every_head_and_sentence(name):
    for head in HEADS[name]:
        for tokens in TOKENS[name]:
            found = load_example(name, head=head, tokens=tokens)
            assert {key: array.shape for key, array in found.items()} == {
                **dict.fromkeys("QKV", (tokens, 32)),
                "d": (),
            }
            assert found["d"] == 32
            assert found.notes == ()
            assert f"head {head}, {tokens} tokens" in found.origin
            assert len(example_tokens(name, tokens)) == tokens


def test_defaults():
    assert load_example() == load_example("minilm", head=0, tokens=8)
    assert example_tokens()[0] == "[CLS]"
    assert load_example(head=0) != load_example(head=3)


def test_the_numbers_are_the_layer_applied_to_the_sentence():
    arrays = {key: array.astype(float) for key, array in load_file(DATA / "minilm.safetensors").items()}
    found = load_example(head=3, tokens=16)
    for name, role in (("Q", "query"), ("K", "key"), ("V", "value")):
        stem = f"encoder.layer.0.attention.self.{role}"
        rows = slice(32, 64)  # the second of the two heads that are kept
        wanted = arrays["layer0.tokens16"] @ arrays[f"{stem}.weight"][rows].T + arrays[f"{stem}.bias"][rows]
        np.testing.assert_allclose(found[name], wanted, atol=1e-12)


def test_the_file_is_a_model_like_any_other():
    path = DATA / "minilm.safetensors"
    found = load_weights(path, layer=0, head=3, hidden=path, hidden_key="layer0.tokens8")
    assert found == load_example(head=3, tokens=8)
    with pytest.raises(WeightError, match="no head 1; there are 0, 3"):
        load_weights(path, layer=0, head=1, hidden=path, hidden_key="layer0.tokens8")


def test_the_licence_lies_beside_it():
    text = (DATA / "LICENSE-minilm.md").read_text(encoding="utf-8")
    assert "sentence-transformers/all-MiniLM-L6-v2" in text
    assert "Apache License" in text


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"name": "maxilm"}, "there are minilm\nhint: did you mean minilm?"),
        ({"name": 3}, "there are minilm"),
        ({"head": 1}, "head of the example minilm is 1; it may be 0, 3"),
        ({"head": False}, "may be 0, 3"),
        ({"head": "all"}, "may be 0, 3"),
        ({"tokens": 64}, "tokens of the example minilm is 64; it may be 8, 16, 32"),
    ],
)
def test_what_there_is_not(arguments, says):
    with pytest.raises(OptionError) as caught:
        load_example(**arguments)
    assert says in str(caught.value)
