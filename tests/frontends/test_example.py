"""The embedded example: it is what it says it is."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from qattn_compiler.errors import OptionError
from qattn_compiler.frontends.example import example_names, example_tokens, load_example
from qattn_compiler.frontends.weights import load_weights

DATA = resources.files("qattn_compiler.data")
SCRIPT = Path(__file__).parents[2] / "benchmarks" / "make_example.py"
HEADS, TOKENS = (0, 3, 7, 11), (8, 16, 32)


@pytest.mark.parametrize("tokens", TOKENS)
@pytest.mark.parametrize("head", HEADS)
def test_every_head_and_sentence(head, tokens):
    found = load_example("minilm", head=head, tokens=tokens)
    shapes = {name: array.shape for name, array in found.items()}
    assert shapes == {"Q": (tokens, 32), "K": (tokens, 32), "V": (tokens, 32), "d": ()}
    assert found["d"] == 32
    assert all(
        a.dtype == np.float64 and a.flags.c_contiguous and not a.flags.writeable for a in found.values()
    )
    assert found.notes == ()
    assert found.origin.endswith(f"all-MiniLM-L6-v2, layer 0, head {head}, {tokens} tokens")
    assert len(example_tokens("minilm", tokens)) == tokens


@pytest.mark.parametrize("head", HEADS)
def test_it_attends_as_a_trained_head_does(head):
    found = load_example(head=head, tokens=32)
    scores = found["Q"] @ found["K"].T / np.sqrt(found["d"])
    rows = np.exp(scores - scores.max(axis=1, keepdims=True))
    rows /= rows.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(rows.sum(axis=1), 1)
    assert np.abs(scores).max() < 100
    assert rows.max() > 3 / 32  # it looks somewhere
    assert 0.01 < np.abs(rows @ found["V"]).max() < 10


def test_defaults():
    assert example_names() == ("minilm",)
    assert load_example() == load_example("minilm", head=0, tokens=8)
    assert example_tokens()[0] == "[CLS]"
    assert load_example(head=0) != load_example(head=3)


def test_the_numbers_are_the_layer_applied_to_the_sentence():
    arrays = {key: array.astype(float) for key, array in load_file(DATA / "minilm.safetensors").items()}
    found = load_example(head=3, tokens=16)
    for name, role in (("Q", "query"), ("K", "key"), ("V", "value")):
        weight, bias = arrays[f"head3.{role}.weight"], arrays[f"head3.{role}.bias"]
        np.testing.assert_allclose(found[name], arrays["layer0.tokens16"] @ weight.T + bias, atol=1e-12)


def test_the_data_is_small_and_says_what_it_is():
    files = [file for file in DATA.iterdir() if file.is_file()]
    assert sum(len(file.read_bytes()) for file in files) < 1_000_000
    card = json.loads((DATA / "minilm.json").read_text(encoding="utf-8"))
    assert (tuple(card["heads"]), card["d_head"], card["hidden_size"]) == (HEADS, 32, 384)
    assert card["licence"] == "Apache-2.0"
    licence = (DATA / "LICENSE-minilm.md").read_text(encoding="utf-8")
    assert card["source"] in licence
    assert "Apache License" in licence


@pytest.fixture
def source(tmp_path):
    """A folder like the one the example is made of, with other numbers."""
    rng = np.random.default_rng(0)
    arrays = {}
    for role in ("query", "key", "value"):
        stem = f"encoder.layer.0.attention.self.{role}"
        arrays[f"{stem}.weight"] = rng.normal(size=(384, 384)).astype(np.float32)
        arrays[f"{stem}.bias"] = rng.normal(size=384).astype(np.float32)
    save_file(arrays, tmp_path / "model.safetensors")
    hidden = {f"layer0.tokens{n}": rng.normal(size=(n, 384)).astype(np.float32) for n in (*TOKENS, 64)}
    save_file(hidden, tmp_path / "hidden_states.safetensors")
    (tmp_path / "tokens.json").write_text(json.dumps({str(n): ["x"] * n for n in (*TOKENS, 64)}))
    return tmp_path


@pytest.mark.skipif(not SCRIPT.exists(), reason="benchmarks are not here")
def test_the_script_keeps_the_right_rows(source, monkeypatch):
    made = [source / "a", source / "b"]
    for folder in made:
        folder.mkdir()
        subprocess.run([sys.executable, SCRIPT, source, "--to", folder], check=True, timeout=60)
    for name in ("minilm.safetensors", "minilm.json"):
        assert (made[0] / name).read_bytes() == (made[1] / name).read_bytes()
    monkeypatch.setattr("qattn_compiler.frontends.example._data", lambda name: made[0] / name)
    for head in HEADS:
        whole = load_weights(
            source / "model.safetensors",
            layer=0,
            head=head,
            hidden=source / "hidden_states.safetensors",
            hidden_key="layer0.tokens16",
            num_heads=12,
        )
        assert load_example(head=head, tokens=16) == whole


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"name": "maxilm"}, "there are minilm\nhint: did you mean minilm?"),
        ({"name": 3}, "there are minilm"),
        ({"name": []}, "there are minilm"),
        ({"head": 1}, "head of the example minilm is 1; it may be 0, 3, 7, 11"),
        ({"head": False}, "may be 0, 3, 7, 11"),
        ({"head": "all"}, "may be 0, 3, 7, 11"),
        ({"head": 3.0}, "may be 0, 3, 7, 11"),
        ({"tokens": 64}, "tokens of the example minilm is 64; it may be 8, 16, 32"),
    ],
)
def test_what_there_is_not(arguments, says):
    with pytest.raises(OptionError) as caught:
        load_example(**arguments)
    assert says in str(caught.value)
