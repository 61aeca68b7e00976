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

SOURCE, LAYER = "sentence-transformers/all-MiniLM-L6-v2", 0
HEADS, NUM_HEADS, TOKENS = (0, 3, 7, 11), 12, (8, 16, 32)
DATA = Path(__file__).resolve().parents[1] / "qattn_compiler" / "data"


def kept_arrays(source: Path) -> dict[str, np.ndarray]:
    """Rows of some heads of the layer, each under its own name, and the hidden states that enter it."""
    model, hidden = load_file(source / "model.safetensors"), load_file(source / "hidden_states.safetensors")
    arrays = {f"layer{LAYER}.tokens{n}": hidden[f"layer{LAYER}.tokens{n}"] for n in TOKENS}
    for role in ("query", "key", "value"):
        for part in ("weight", "bias"):
            whole = model[f"encoder.layer.{LAYER}.attention.self.{role}.{part}"]
            per_head = whole.reshape(NUM_HEADS, -1, *whole.shape[1:])
            arrays |= {f"head{head}.{role}.{part}": per_head[head] for head in HEADS}
    return arrays


def safetensors_bytes(arrays: dict[str, np.ndarray]) -> bytes:
    """The format written by hand: the library does not promise an order."""
    header, at, parts = {}, 0, []
    for key in sorted(arrays):
        part = np.ascontiguousarray(arrays[key], dtype="<f4").tobytes()
        shape, offsets = list(arrays[key].shape), [at, at + len(part)]
        header[key] = {"dtype": "F32", "shape": shape, "data_offsets": offsets}
        parts.append(part)
        at += len(part)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + b"".join(parts)


def card(source: Path, arrays: dict[str, np.ndarray]) -> dict[str, object]:
    """What is kept, for the package and for people."""
    words = json.loads((source / "tokens.json").read_text(encoding="utf-8"))
    d_head, hidden_size = arrays[f"head{HEADS[0]}.query.weight"].shape
    return {
        "source": SOURCE,
        "licence": "Apache-2.0",
        "layer": LAYER,
        "heads": HEADS,
        "num_heads": NUM_HEADS,
        "d_head": d_head,
        "hidden_size": hidden_size,
        "sentences": {str(n): words[str(n)] for n in TOKENS},
    }


def main() -> None:
    """Write the two files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("--to", type=Path, default=DATA)
    arguments = parser.parse_args()
    arrays = kept_arrays(arguments.source)
    (arguments.to / "minilm.safetensors").write_bytes(safetensors_bytes(arrays))
    text = json.dumps(card(arguments.source, arrays), indent=1, ensure_ascii=False) + "\n"
    (arguments.to / "minilm.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
