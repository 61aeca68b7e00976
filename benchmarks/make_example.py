"""Make the embedded example from the files of sentence-transformers/all-MiniLM-L6-v2.

    python benchmarks/make_example.py <folder with model.safetensors, hidden_states.safetensors, tokens.json>

The same input gives the same bytes. What is kept is said in qattn_compiler/data/LICENSE-minilm.md.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

HEADS, NUM_HEADS, D_HEAD, TOKENS = (0, 3), 12, 32, (8, 16, 32)
DATA = Path(__file__).resolve().parents[1] / "qattn_compiler" / "data"


def example(source: Path) -> dict:
    """The kept arrays: rows of some heads of layer 0, and the hidden states that enter it."""
    arrays = {}
    for key, array in load_file(source / "model.safetensors").items():
        per_head = array.reshape(NUM_HEADS, D_HEAD, *array.shape[1:])
        arrays[key] = per_head[list(HEADS)].reshape(-1, *array.shape[1:])
    hidden = load_file(source / "hidden_states.safetensors")
    return arrays | {f"layer0.tokens{n}": hidden[f"layer0.tokens{n}"] for n in TOKENS}


def safetensors_bytes(arrays: dict, metadata: dict[str, str]) -> bytes:
    """The format written by hand: the library shuffles the metadata."""
    header, at, parts = {"__metadata__": metadata}, 0, []
    for key in sorted(arrays):
        part = np.ascontiguousarray(arrays[key], dtype="<f4").tobytes()
        shape, offsets = list(arrays[key].shape), [at, at + len(part)]
        header[key] = {"dtype": "F32", "shape": shape, "data_offsets": offsets}
        parts.append(part)
        at += len(part)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + b"".join(parts)


def main() -> None:
    """Write the two files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("--to", type=Path, default=DATA)
    arguments = parser.parse_args()
    metadata = {"heads": ",".join(map(str, HEADS)), "num_attention_heads": str(NUM_HEADS)}
    data = safetensors_bytes(example(arguments.source), metadata)
    (arguments.to / "minilm.safetensors").write_bytes(data)
    words = json.loads((arguments.source / "tokens.json").read_text(encoding="utf-8"))
    kept = {str(n): words[str(n)] for n in TOKENS}
    (arguments.to / "minilm-tokens.json").write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
