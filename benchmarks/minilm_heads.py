"""Heads of MiniLM's first layer on Willow: two-qubit gates, their depth, estimated fidelity; ours and peers.

    python benchmarks/minilm_heads.py --model model.safetensors --hidden hidden_states.safetensors \
        [--tokens 8 16 32 64] [--heads 0 ... 11] [--peer-python PYTHON]

One circuit of each head: the last token's row, component 0. Medians; in brackets least, quartiles, most.
Ours compiles the expression, exactly and with `max_error`; peers get the exact state that our circuit
prepares before it reads, by their own routines. Fidelity is the product of the couplings' (1 - error), for
all alike; single-qubit gates and waiting are not in it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np

import qattn_compiler as qattn
from qattn_compiler import targets
from qattn_compiler.circuit.gates import NUM_QUBITS

EXPRESSION = "softmax(Q @ K.T / sqrt(d)) @ V"
WORKER = Path(__file__).parent / "workers" / "states_with_peers.py"
TARGET = "google.willow"
Figures = tuple[int, int, float]


def figures(pairs: list[list[int]], errors: dict[frozenset[int], float]) -> Figures:
    """Two-qubit gates, their depth, and fidelity."""
    depth: dict[int, int] = {}
    for a, b in pairs:
        depth[a] = depth[b] = 1 + max(depth.get(a, 0), depth.get(b, 0))
    kept = float(np.prod([1 - errors[frozenset(pair)] for pair in pairs]))
    return len(pairs), max(depth.values(), default=0), kept


def pairs_of(unit: Any) -> list[list[int]]:
    """Couplings of a unit's two-qubit gates, in order."""
    circuit = unit.template
    rows = circuit.operands[NUM_QUBITS[circuit.op] == 2]
    return [[int(a), int(b)] for a, b in rows]


def compiled(arguments: argparse.Namespace, tokens: int, head: int, max_error: float) -> tuple[Any, float]:
    """The unit of one head's circuit, and how far its number is off."""
    weights = qattn.load_weights(
        arguments.model, layer=0, head=head, hidden=arguments.hidden, hidden_key=f"layer0.tokens{tokens}"
    )
    chosen = {"rows": [tokens - 1], "components": [0]}
    made = qattn.compile(EXPRESSION, weights, target=TARGET, max_error=max_error, **chosen)
    exact = qattn.reference(EXPRESSION, weights)
    off = float(np.abs(np.asarray(made.evaluate()).reshape(-1) - exact[tokens - 1, :1]).max())
    (unit,) = made.units
    return unit, off


def by_peers(python: str, states: list[Any], edges: list[list[int]]) -> dict[str, list[list[list[int]]]]:
    """Pairs of every peer's circuit for every state."""
    given = json.dumps({"edges": edges, "states": [state.tolist() for state in states]})
    done = subprocess.run([python, str(WORKER)], input=given, capture_output=True, text=True, check=True)
    found: dict[str, list[list[list[int]]]] = json.loads(done.stdout)
    return found


def spread(numbers: tuple[float, ...], digits: str) -> str:
    """Median, and in brackets least, quartiles, most."""
    least, low, middle, high, most = np.quantile(numbers, [0, 0.25, 0.5, 0.75, 1])
    return f"{middle:{digits}} ({least:{digits}}, {low:{digits}}, {high:{digits}}, {most:{digits}})"


def line(tokens: int, name: str, rows: list[Figures], error: float | None) -> str:
    """A row of the table."""
    gates, depth, kept = zip(*rows, strict=True)
    said = "" if error is None else f"{error:.2g}"
    parts = spread(gates, "g"), spread(depth, "g"), spread(kept, ".3f")
    return f"| {tokens} | {name} | {' | '.join(parts)} | {said} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--hidden", required=True)
    parser.add_argument("--tokens", type=int, nargs="*", default=[8, 16, 32, 64])
    parser.add_argument("--heads", type=int, nargs="*", default=list(range(12)))
    parser.add_argument("--max-error", type=float, default=1e-2)
    parser.add_argument("--peer-python")
    arguments = parser.parse_args()
    device = targets.get(TARGET).device
    edges = [[int(a), int(b)] for a, b in device.edges]
    errors = {frozenset(e): float(x) for e, x in zip(edges, device.edge_error, strict=True)}
    print("| tokens | compiler | two-qubit gates | depth | fidelity | error |\n|---|---|---|---|---|---|")
    for tokens in arguments.tokens:
        states = []
        for name, max_error in (
            ("QAttn", 0.0),
            (f"QAttn, max_error={arguments.max_error:g}", arguments.max_error),
        ):
            found = [compiled(arguments, tokens, head, max_error) for head in arguments.heads]
            rows = [figures(pairs_of(unit), errors) for unit, _ in found]
            print(line(tokens, name, rows, max(error for _, error in found)), flush=True)
            if not max_error:
                states = [unit.batch.program.prepared(unit.batch.numbers)[0].real for unit, _ in found]
        if arguments.peer_python:
            for name, every in by_peers(arguments.peer_python, states, edges).items():
                print(line(tokens, name, [figures(one, errors) for one in every], None), flush=True)


if __name__ == "__main__":
    main()
