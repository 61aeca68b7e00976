"""Plots as SVG text: lines on log or linear axes, and bars about a ratio of one. No library is needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from math import ceil, floor, log2, log10

Points = Sequence[tuple[float, float]]

COLOURS = {
    "ours-3": "#0b57d0",
    "ours-2": "#7cacf8",
    "ours-3-long": "#1a237e",
    "ours-3-exact": "#041e49",
    "qiskit-3": "#b3261e",
    "qiskit-1": "#f2a29b",
    "pytket": "#137333",
    "pytket-greedy": "#7bc96f",
    "cirq": "#e37400",
    "pennylane": "#8430ce",
    "bqskit": "#5f6368",
}
STYLE = (
    "text{font-family:Helvetica,Arial,sans-serif;font-size:12px;fill:#3c4043}"
    ".title{font-size:15px;font-weight:bold;fill:#202124}.m{text-anchor:middle}.e{text-anchor:end}"
    ".grid{stroke:#e3e5e8}.axis{stroke:#80868b}"
)
LEFT, TOP, WIDTH, HEIGHT, LEGEND = 64, 44, 460, 300, 150


@dataclass
class Drawing:
    """SVG in the making.

    Attributes:
        width, height: pixels.
        parts: elements.
    """

    width: float
    height: float
    parts: list[str] = field(default_factory=list)

    def text(self, x: float, y: float, words: str, kind: str = "", turn: bool = False) -> None:
        """Words at a point."""
        rotate = f' transform="rotate(-90 {x:.1f} {y:.1f})"' if turn else ""
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}"{rotate}>{escape(words)}</text>')

    def line(self, x1: float, y1: float, x2: float, y2: float, kind: str) -> None:
        """A straight line."""
        self.parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>')

    def path(self, points: Points, colour: str, wide: bool) -> None:
        """A curve."""
        where = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        width = 3 if wide else 1.8
        self.parts.append(
            f'<polyline points="{where}" fill="none" stroke="{colour}" stroke-width="{width}"/>'
        )

    def dot(self, x: float, y: float, colour: str) -> None:
        """A measured point."""
        self.parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>')

    def bar(self, x: float, y: float, width: float, height: float, colour: str, words: str) -> None:
        """A bar that says its number when it is pointed at."""
        self.parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0.8):.1f}" height="{height:.1f}" '
            f'fill="{colour}"><title>{escape(words)}</title></rect>'
        )

    def svg(self) -> str:
        """All of it."""
        size = f'viewBox="0 0 {self.width:.0f} {self.height:.0f}" width="{self.width:.0f}"'
        head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">\n<style>{STYLE}</style>'
        page = '<rect width="100%" height="100%" fill="#ffffff"/>'
        return "\n".join([head, page, *self.parts, "</svg>"]) + "\n"


@dataclass(frozen=True)
class Axis:
    """Numbers to pixels.

    Attributes:
        low, high: numbers at its ends.
        begin, end: pixels there.
        log: whether equal ratios are equally far apart.
    """

    low: float
    high: float
    begin: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        scale: Callable[[float], float] = log10 if self.log else float
        share = (scale(value) - scale(self.low)) / (scale(self.high) - scale(self.low))
        return self.begin + share * (self.end - self.begin)


def decades(values: Sequence[float]) -> tuple[float, float]:
    """Powers of ten around all values."""
    low, high = floor(log10(min(values))), ceil(log10(max(values)))
    return 10.0**low, 10.0 ** max(high, low + 1)


def profile(ratios: Mapping[str, Sequence[float]], labels: Mapping[str, str], title: str) -> str:
    """A performance profile (Dolan and More, 2002): the share of cases within a factor of the best.

    Args:
        ratios: compiler -> its figure over the best, for each case; infinite where it has none.
        labels: compiler -> words.
        title: what is compared.
    """
    most = 4.0
    drawing = Drawing(LEFT + WIDTH + LEGEND + 20, TOP + HEIGHT + 56)
    x = Axis(1.0, most, LEFT, LEFT + WIDTH, log=True)
    y = Axis(0.0, 1.0, TOP + HEIGHT, TOP)
    drawing.text(LEFT, 24, title, "title")
    for tick in (1, 1.25, 1.5, 2, 3, 4):
        drawing.line(x(tick), TOP, x(tick), TOP + HEIGHT, "grid")
        drawing.text(x(tick), TOP + HEIGHT + 18, f"{tick:g}", "m")
    for tick in (0, 0.25, 0.5, 0.75, 1):
        drawing.line(LEFT, y(tick), LEFT + WIDTH, y(tick), "grid")
        drawing.text(LEFT - 8, y(tick) + 4, f"{tick:.0%}", "e")
    drawing.text(LEFT + WIDTH / 2, TOP + HEIGHT + 42, "times the best of all", "m")
    drawing.text(18, TOP + HEIGHT / 2, "share of cases", "m", turn=True)
    for name, values in ratios.items():
        ordered = sorted(values)
        points, share = [(x(1.0), y(0.0))], 0.0
        for count, value in enumerate(ordered, 1):
            if value > most:
                break
            points += [(x(value), y(share)), (x(value), y(count / len(ordered)))]
            share = count / len(ordered)
        drawing.path([*points, (x(most), y(share))], COLOURS[name], name == "ours-3")
    _legend(drawing, list(ratios), labels)
    return drawing.svg()


def growth(curves: Mapping[str, Points], labels: Mapping[str, str], title: str, unit: str) -> str:
    """Curves over the number of gates, both axes logarithmic."""
    drawing = Drawing(LEFT + WIDTH + LEGEND + 20, TOP + HEIGHT + 56)
    x = Axis(*decades([a for points in curves.values() for a, _ in points]), LEFT, LEFT + WIDTH, log=True)
    y = Axis(*decades([b for points in curves.values() for _, b in points]), TOP + HEIGHT, TOP, log=True)
    drawing.text(LEFT, 24, title, "title")
    for power in range(round(log10(x.low)), round(log10(x.high)) + 1):
        drawing.line(x(10.0**power), TOP, x(10.0**power), TOP + HEIGHT, "grid")
        drawing.text(x(10.0**power), TOP + HEIGHT + 18, f"{10**power:,}".replace(",", " "), "m")
    for power in range(round(log10(y.low)), round(log10(y.high)) + 1):
        drawing.line(LEFT, y(10.0**power), LEFT + WIDTH, y(10.0**power), "grid")
        drawing.text(LEFT - 8, y(10.0**power) + 4, f"{10.0**power:g}", "e")
    drawing.text(LEFT + WIDTH / 2, TOP + HEIGHT + 42, "gates", "m")
    drawing.text(14, TOP + HEIGHT / 2, unit, "m", turn=True)
    for name, points in curves.items():
        places = [(x(a), y(b)) for a, b in points]
        drawing.path(places, COLOURS[name], name == "ours-3")
        for place in places:
            drawing.dot(*place, COLOURS[name])
    _legend(drawing, list(curves), labels)
    return drawing.svg()


def bars(groups: Mapping[str, Mapping[str, float]], colours: Mapping[str, str], title: str) -> str:
    """Horizontal bars of ratios about 1, on a log axis: to the left we are better.

    Args:
        groups: what -> {bar's name -> ratio}.
        colours: bar's name -> colour; the order of bars.
        title: what is compared.
    """
    thick, gap, left = 11, 10, 150
    heights = [thick * max(1, len(group)) + gap for group in groups.values()]
    drawing = Drawing(left + WIDTH + LEGEND, TOP + sum(heights) + 50)
    values = [v for group in groups.values() for v in group.values()]
    low = min(0.5, 2.0 ** floor(log2(min(values)))) if values else 0.5
    high = max(2.0, 2.0 ** ceil(log2(max(values)))) if values else 2.0
    x = Axis(low, high, left, left + WIDTH, log=True)
    bottom = TOP + sum(heights)
    drawing.text(left, 24, title, "title")
    for power in range(round(log2(low)), round(log2(high)) + 1):
        drawing.line(x(2.0**power), TOP, x(2.0**power), bottom, "axis" if power == 0 else "grid")
        drawing.text(x(2.0**power), bottom + 18, f"{2.0**power:g}", "m")
    drawing.text(x(1.0), bottom + 40, "left of 1: we need fewer", "m")
    y = float(TOP)
    for (name, group), height in zip(groups.items(), heights, strict=True):
        drawing.text(left - 8, y + height / 2, name, "e")
        inner = y + gap / 2
        for key, colour in colours.items():
            if key not in group:
                continue
            value = group[key]
            begin, end = sorted((x(1.0), x(value)))
            drawing.bar(begin, inner, end - begin, thick - 1, colour, f"{name}, {key}: {value:.3f}")
            inner += thick
        y += height
    for number, (key, colour) in enumerate(colours.items()):
        drawing.bar(left + WIDTH + 16, TOP + 20 * number, 12, 12, colour, key)
        drawing.text(left + WIDTH + 34, TOP + 20 * number + 10, key)
    return drawing.svg()


def _legend(drawing: Drawing, names: Sequence[str], labels: Mapping[str, str]) -> None:
    for number, name in enumerate(names):
        y = TOP + 8 + 20 * number
        drawing.path([(LEFT + WIDTH + 16, y), (LEFT + WIDTH + 38, y)], COLOURS[name], name == "ours-3")
        drawing.text(LEFT + WIDTH + 44, y + 4, labels[name])
