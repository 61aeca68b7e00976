"""Draws docs/flow.svg: the way from an expression to verified circuits. `python docs/make_flow.py`."""

from __future__ import annotations

from html import escape
from pathlib import Path

STAGES = (
    ("expression + weights", "text, sympy, arrays;\n.safetensors, .npz, BERT", "#e8f0fe", "frontends/"),
    ("symbolic IR", "shapes, sizes,\nfolded and shared", "#e6f4ea", "expr/  passes/symbolic/"),
    ("blocks", "state preparation,\nmultiplexors, read-out", "#fef7e0", "lower/  blocks/"),
    ("circuit in columns", "one structure a shape,\nsymbolic angles", "#fce8e6", "synth/  circuit/"),
    (
        "on the chip",
        "placed, routed, native,\nall numbers bound at once",
        "#f3e8fd",
        "passes/circuit/  targets/",
    ),
    ("circuits + proof", "cirq.Circuit, decoding,\nreport", "#e0f2f1", "compiled  report/"),
)
WIDTH, HEIGHT, GAP = 186, 96, 24


def box(index: int, title: str, text: str, colour: str, folder: str) -> str:
    """One stage with its folder below."""
    x, y = 12 + index * (WIDTH + GAP), 12
    lines = [
        f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="10" fill="{colour}" stroke="#5f6368"/>',
        f'<text x="{x + WIDTH / 2}" y="{y + 28}" class="t">{escape(title)}</text>',
    ]
    for k, line in enumerate(text.split("\n")):
        lines.append(f'<text x="{x + WIDTH / 2}" y="{y + 54 + 18 * k}" class="s">{escape(line)}</text>')
    lines.append(f'<text x="{x + WIDTH / 2}" y="{y + HEIGHT + 18}" class="f">{escape(folder)}</text>')
    if index:
        a, b, m = x - GAP + 3, x - 4, y + HEIGHT / 2
        lines.append(f'<path d="M{a} {m} H{b}" stroke="#202124" stroke-width="2" marker-end="url(#a)"/>')
    return "\n".join(lines)


def main() -> None:
    """Write the picture beside this file."""
    width = 24 + len(STAGES) * WIDTH + (len(STAGES) - 1) * GAP
    left, right, y = 12 + WIDTH / 2, width - 12 - WIDTH / 2, 12 + HEIGHT + 34
    judge = (
        f'<path d="M{left} {y} V{y + 26} H{right} V{y + 4}" fill="none" stroke="#188038" stroke-width="2" '
        'stroke-dasharray="6 4" marker-end="url(#g)"/>'
        f'<text x="{width / 2}" y="{y + 46}" class="g">a plain NumPy reference, a NumPy simulator and the '
        "device's own validator check every number and every circuit</text>"
    )
    arrows = "".join(
        f'<marker id="{name}" markerWidth="7" markerHeight="7" refX="4" refY="3" orient="auto">'
        f'<path d="M0 0 L6 3 L0 6 z" fill="{colour}"/></marker>'
        for name, colour in (("a", "#202124"), ("g", "#188038"))
    )
    style = (
        "text{font-family:Helvetica,Arial,sans-serif;text-anchor:middle;fill:#202124}"
        ".t{font-size:15px;font-weight:bold}.s{font-size:12px}.f{font-size:11px;fill:#5f6368;font-family:monospace}"
        ".g{font-size:13px;fill:#188038}"
    )
    body = "\n".join(box(i, *stage) for i, stage in enumerate(STAGES))
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {y + 60}" width="{width}">\n'
        f'<style>{style}</style><defs>{arrows}</defs><rect width="100%" height="100%" fill="white"/>\n'
        f"{body}\n{judge}\n</svg>\n"
    )
    Path(__file__).with_name("flow.svg").write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    main()
