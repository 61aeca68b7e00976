"""How fast attention heads compile and verify: circuits per second and the share of each stage.

    python benchmarks/compile_heads.py                                  # the embedded example
    python benchmarks/compile_heads.py --model model.safetensors --hidden hidden_states.safetensors

The first line warms the kernels and is not counted. Figures are of one process; compare ratios, not seconds.
"""

from __future__ import annotations

import argparse
from collections import Counter
from time import perf_counter

import numpy as np

import qattn_compiler as qattn

EXPRESSION = "softmax(Q @ K.T / sqrt(d)) @ V"


def heads(arguments: argparse.Namespace):
    """(label, weights) of each head and sentence."""
    if arguments.model is None:
        for tokens in arguments.tokens:
            for head in (0, 3, 7, 11):
                yield f"example head {head}, {tokens} tokens", qattn.load_example(head=head, tokens=tokens)
        return
    for tokens in arguments.tokens:
        for head in arguments.heads:
            weights = qattn.load_weights(
                arguments.model,
                layer=0,
                head=head,
                hidden=arguments.hidden,
                hidden_key=arguments.hidden_key.format(tokens=tokens),
            )
            yield f"head {head}, {tokens} tokens", weights


def main() -> None:
    """Compile, verify and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model")
    parser.add_argument("--hidden")
    parser.add_argument("--hidden-key", default="layer0.tokens{tokens}")
    parser.add_argument("--heads", type=int, nargs="*", default=list(range(12)))
    parser.add_argument("--tokens", type=int, nargs="*", default=[8, 16, 32])
    parser.add_argument("-O", "--level", type=int, default=2)
    arguments = parser.parse_args()

    qattn.compile(EXPRESSION, qattn.load_example(tokens=8), rows=[0], components=[0])
    stages: Counter[str] = Counter()
    circuits, worst, total = 0, 0.0, 0.0
    print(f"{'':<28}{'circuits':>9}{'seconds':>9}{'per s':>8}{'CZ':>5}{'depth':>7}{'error':>10}")
    for label, weights in heads(arguments):
        begin = perf_counter()
        compiled = qattn.compile(EXPRESSION, weights, optimization_level=arguments.level)
        seconds = perf_counter() - begin
        error = float(np.abs(compiled.evaluate() - qattn.reference(EXPRESSION, weights)).max())
        data = compiled.report.data
        count, totals = len(compiled.circuits), data["totals"]
        stages.update(data["seconds"])
        circuits, worst, total = circuits + count, max(worst, error), total + seconds
        print(
            f"{label:<28}{count:>9}{seconds:>9.2f}{count / seconds:>8.0f}"
            f"{totals['gates_2q_max']:>5}{totals['depth_max']:>7}{error:>10.1e}"
        )
    print(
        f"{circuits} circuits in {total:.1f} s: {circuits / total:.0f} circuits/s; largest error {worst:.1e}"
    )
    print(", ".join(f"{name} {seconds / sum(stages.values()):.0%}" for name, seconds in stages.most_common()))


if __name__ == "__main__":
    main()
