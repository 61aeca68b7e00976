"""A drawing of the machine with a circuit on it: which qubits and couplings work, and where the errors come
from. SVG as text; PNG where CairoSVG is installed.

Thickness and size say how often, colour says how large a part of the circuit's error. Each element has a
tooltip with its numbers. Light by default, dark where the reader's system is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from importlib import import_module

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit.table import Circuit
from qattn_compiler.device import Device
from qattn_compiler.report.places import places
from qattn_compiler.report.profile import PARTS, Profile, profile

Floats = NDArray[np.float64]

UNIT = 46.0
"""Pixels between neighbours."""
MARGIN = 26.0
TOP = 126.0
"""Where the machine begins, below the words and its column numbers."""
SMALLEST, LARGEST = 9.0, 16.0
"""Radii of used qubits, by how often they are used."""
UNUSED = 6.5
THIN, THICK = 3.0, 12.0
"""Widths of used couplings, by how often they are used."""
FEW = 4
NARROWEST = 680.0
"""Width that the words need."""
LONGEST_TITLE = 60
MOST_COUPLINGS = 4
"""Unused couplings are left out where a machine has more than so many for each qubit."""

UNKNOWN = "#9fb6cd"
RAMP = ("#fdebc0", "#fbc46d", "#f39044", "#dd5638", "#b02a3c", "#7a1240")
"""From none to most of the error; light to dark, so that it reads without colours, too."""

STYLE = """\
.qattn-chip{font-family:Helvetica,Arial,sans-serif}
.qattn-chip .page{fill:#ffffff;stroke:#dadce0}
.qattn-chip text{fill:#3c4043;font-size:12px}
.qattn-chip .name{font-size:18px;font-weight:bold;fill:#202124}
.qattn-chip .faint{fill:#80868b;font-size:10px}
.qattn-chip .halo{stroke:#ffffff;stroke-width:3;stroke-linejoin:round}
.qattn-chip .middle{text-anchor:middle}
.qattn-chip .end{text-anchor:end}
.qattn-chip .idle-edge{stroke:#dfe1e5;stroke-width:2}
.qattn-chip .idle-qubit{fill:#f1f3f4;stroke:#c4c7cc;stroke-width:1}
.qattn-chip .rim{stroke:#3c4043;stroke-width:1.2}
.qattn-chip .casing{stroke:#3c4043;stroke-linecap:round}
.qattn-chip .edge{stroke-linecap:round}
.qattn-chip .number{text-anchor:middle;font-weight:bold}
.qattn-chip .on-light{fill:#202124}
.qattn-chip .on-dark{fill:#ffffff}
@media (prefers-color-scheme: dark){
.qattn-chip .page{fill:#1f2124;stroke:#3c4043}
.qattn-chip text{fill:#d0d3d8}
.qattn-chip .name{fill:#f1f3f4}
.qattn-chip .faint{fill:#9aa0a6}
.qattn-chip .halo{stroke:#1f2124}
.qattn-chip .idle-edge{stroke:#3a3d42}
.qattn-chip .idle-qubit{fill:#2b2d31;stroke:#5f6368}
.qattn-chip .rim,.qattn-chip .casing{stroke:#e8eaed}
.qattn-chip .on-light{fill:#202124}
.qattn-chip .on-dark{fill:#ffffff}
}"""


def draw_chip(
    circuit: Circuit,
    device: Device,
    *,
    initial: Sequence[int] | NDArray[np.int32] | None = None,
    final: Sequence[int] | NDArray[np.int32] | None = None,
    title: str = "",
) -> str:
    """The machine as SVG, with the circuit's qubits and couplings shaded by use and by error.

    Args:
        circuit: on the device's own qubits, two-qubit gates on its edges.
        device: the machine.
        initial: logical qubit -> device qubit index before the first row; used qubits bear these numbers.
        final: the same after the last row; said where it differs.
        title: the device's name by default.

    Raises:
        TargetError: a two-qubit gate is on no edge of the device.
    """
    begin = {int(q): k for k, q in enumerate(initial if initial is not None else ())}
    end = {int(q): k for k, q in enumerate(final if final is not None else ())}
    drawing = _Drawing(profile(circuit, device), begin, end or begin, title or device.name)
    return drawing.svg()


def to_png(svg: str, scale: float = 2.0) -> bytes | None:
    """The drawing in pixels, in its light colours; None where CairoSVG (or its C library) is missing."""
    try:
        cairosvg = import_module("cairosvg")
    except (ImportError, OSError):
        return None
    out: bytes = cairosvg.svg2png(bytestring=svg.encode("utf-8"), scale=scale)
    return out


@dataclass(frozen=True, eq=False)
class _Drawing:
    found: Profile
    begin: dict[int, int]
    end: dict[int, int]
    title: str

    def svg(self) -> str:
        right, bottom = self.corner
        size = f'viewBox="0 0 {_n(right)} {_n(bottom)}" width="{_n(right)}" height="{_n(bottom)}"'
        lines = [f'<svg xmlns="http://www.w3.org/2000/svg" class="qattn-chip" {size} role="img">']
        lines += [f"<title>{escape(self.title)}</title>", f"<style>{STYLE}</style>"]
        lines.append(
            f'<rect class="page" x="0.5" y="0.5" width="{_n(right - 1)}" height="{_n(bottom - 1)}" rx="8"/>'
        )
        parts = (self.words(), self.rulers(), self.couplings(), self.qubits(), self.legend())
        lines += [line for part in parts for line in part]
        return "\n".join([*lines, "</svg>"]) + "\n"

    # -- geometry

    @cached_property
    def has_rulers(self) -> bool:
        """Whether all qubits have a row and a column."""
        return all(hasattr(q, "row") and hasattr(q, "col") for q in self.found.device.qubits)

    @cached_property
    def where(self) -> Floats:
        out = places(self.found.device) * UNIT
        width = float(out[:, 0].max(initial=0.0))
        out += (max(MARGIN + UNIT, (NARROWEST - width) / 2), TOP)
        return out

    @property
    def corner(self) -> tuple[float, float]:
        right, bottom = self.where.max(axis=0, initial=TOP)
        return max(NARROWEST, float(right) + UNIT + MARGIN), float(bottom) + 118.0

    # -- what is shown

    @cached_property
    def is_dense(self) -> bool:
        """Whether there are too many couplings to draw them all."""
        device = self.found.device
        return len(device.edges) > MOST_COUPLINGS * device.num_qubits

    @cached_property
    def edge_use(self) -> Floats:
        return self.found.entanglers / self.most_gates

    @cached_property
    def qubit_use(self) -> Floats:
        return self.found.gates_on / max(1, int(self.found.gates_on.max(initial=0)))

    @cached_property
    def most_gates(self) -> int:
        """On one coupling; few gates are not drawn thick."""
        return max(FEW, int(self.found.entanglers.max(initial=0)))

    @cached_property
    def whole(self) -> float:
        """The circuit's loss, as far as it is known."""
        found = self.found
        return float(np.nansum(found.qubit_loss) + np.nansum(found.entangler_loss))

    @cached_property
    def shares(self) -> tuple[Floats, Floats]:
        """Share of the error of each qubit and each edge; NaN where unknown."""
        whole = self.whole if self.whole > 0 else np.inf
        return self.found.qubit_loss / whole, self.found.entangler_loss / whole

    @cached_property
    def most(self) -> float:
        """The largest share of all."""
        return max(float(np.nanmax(s, initial=0.0)) for s in self.shares)

    def shade(self, share: float) -> int:
        """Its place on the ramp; -1 if unknown."""
        if not (self.most > 0 and np.isfinite(share)):
            return -1
        return min(int(len(RAMP) * share / self.most), len(RAMP) - 1)

    # -- words

    def words(self) -> Iterator[str]:
        short = len(self.title) <= LONGEST_TITLE
        yield _text(MARGIN, 36, self.title if short else self.title[:LONGEST_TITLE] + "…", "name")
        yield _text(MARGIN, 58, self.counts())
        yield _text(MARGIN, 76, self.estimate())

    def counts(self) -> str:
        found = self.found
        gates, pulses = int(found.entanglers.sum()), int(found.pulses.sum())
        time = f", {found.duration_ns:.0f} ns" if np.isfinite(found.duration_ns) else ""
        used = f"{int(found.used.sum())} of {_count(found.device.num_qubits, 'qubit')}"
        return f"{used}, {_count(gates, 'two-qubit gate')}, {_count(pulses, 'single-qubit pulse')}{time}"

    def estimate(self) -> str:
        found = self.found
        if not np.isfinite(found.loss):
            return "estimated success unknown: the machine's data do not cover this circuit"
        names = dict(zip(PARTS, ("1q gates", "2q gates", "waiting", "read-out"), strict=True))
        split = " × ".join(f"{names[part]} {np.exp(-loss):.4f}" for part, loss in found.losses.items())
        return f"estimated success {found.success:.4f} = {split}"

    # -- the machine

    def rulers(self) -> Iterator[str]:
        """Row and column numbers, where qubits have them."""
        qubits = self.found.device.qubits
        if not (qubits and self.has_rulers):
            return
        left, top = self.where.min(axis=0)
        columns = {getattr(q, "col"): x for q, x in zip(qubits, self.where[:, 0], strict=True)}  # noqa: B009
        rows = {getattr(q, "row"): y for q, y in zip(qubits, self.where[:, 1], strict=True)}  # noqa: B009
        for column, x in sorted(columns.items()):
            yield _text(x, top - 24, str(column), "faint middle")
        for row, y in sorted(rows.items()):
            yield _text(left - 24, y + 3.5, str(row), "faint end")

    def couplings(self) -> Iterator[str]:
        found, device = self.found, self.found.device
        used = found.entanglers > 0
        if not self.is_dense:
            for e in np.flatnonzero(~used).tolist():
                yield self.line(
                    e, 'class="idle-edge"', f"error {_percent(device.edge_error[e])} a gate, unused"
                )
        for e in sorted(np.flatnonzero(used).tolist(), key=lambda e: (found.entanglers[e], e)):
            share = float(self.shares[1][e])
            width = THIN + (THICK - THIN) * float(self.edge_use[e])
            tip = f"{_count(int(found.entanglers[e]), 'gate')}, error {_percent(device.edge_error[e])} each"
            yield self.line(e, f'class="casing" stroke-width="{_n(width + 2)}"')
            look = f'class="edge" stroke="{self.colour(share)}" stroke-width="{_n(width)}"'
            yield self.line(e, look, f"{tip}, {_percent(share)} of the error")

    def line(self, edge: int, look: str, tip: str = "") -> str:
        a, b = self.found.device.edges[edge].tolist()
        (x1, y1), (x2, y2) = self.where[a], self.where[b]
        label = f"{self.found.device.qubits[a]} - {self.found.device.qubits[b]}: "
        inner = f"<title>{escape(label + tip)}</title>" if tip else ""
        return f'<line x1="{_n(x1)}" y1="{_n(y1)}" x2="{_n(x2)}" y2="{_n(y2)}" {look}>{inner}</line>'

    def qubits(self) -> Iterator[str]:
        found = self.found
        for q in np.flatnonzero(~found.used).tolist():
            yield self.circle(q, UNUSED, 'class="idle-qubit"', "unused")
        for q in np.flatnonzero(found.used).tolist():
            share = float(self.shares[0][q])
            radius = SMALLEST + (LARGEST - SMALLEST) * float(self.qubit_use[q])
            pairs = int(found.gates_on[q] - found.pulses[q] - found.readouts[q])
            counts = {"pulse": found.pulses[q], "two-qubit gate": pairs, "measurement": found.readouts[q]}
            tip = ", ".join(_count(int(number), noun) for noun, number in counts.items())
            if np.isfinite(found.duration_ns):
                tip += f", {found.busy_ns[q]:.0f} ns busy, {found.idle_ns[q]:.0f} ns waiting"
            tip += f", {_percent(share)} of the error (two-qubit gates aside)"
            yield self.circle(q, radius, f'class="rim" fill="{self.colour(share)}"', tip)
            yield from self.numbers(q, radius, share)

    def circle(self, qubit: int, radius: float, look: str, tip: str) -> str:
        x, y = self.where[qubit]
        label = escape(f"{self.found.device.qubits[qubit]}: {tip}")
        return f'<circle cx="{_n(x)}" cy="{_n(y)}" r="{_n(radius)}" {look}><title>{label}</title></circle>'

    def numbers(self, qubit: int, radius: float, share: float) -> Iterator[str]:
        """The logical qubit that begins here, and the one that ends here if it is another."""
        x, y = self.where[qubit]
        first, last = self.begin.get(qubit), self.end.get(qubit)
        ink = "on-dark" if self.shade(share) >= 3 else "on-light"
        if first is not None:
            size = min(12.0, 2.6 * radius / (1 + len(str(first))))
            yield _text(x, y + 0.36 * size, str(first), f"number {ink}", f'style="font-size:{_n(size)}px"')
        if first != last:
            yield from self.arrow(qubit, radius, "→empty" if last is None else f"→{last}")

    def arrow(self, qubit: int, radius: float, words: str) -> Iterator[str]:
        """Words at the lower right, on the outside where couplings go everywhere; legible on any ground."""
        x, y = self.where[qubit]
        place, look = (x + 0.8 * radius + 1, y + radius + 8), "faint"
        if self.is_dense:
            outwards = self.where[qubit] - self.where.mean(axis=0)
            along = (radius + 13) * outwards / max(float(np.linalg.norm(outwards)), 1.0)
            place, look = (x + along[0], y + along[1] + 3.5), "faint middle"
        yield _text(*place, words, f"halo {look}")
        yield _text(*place, words, look)

    def colour(self, share: float) -> str:
        level = self.shade(share)
        return RAMP[level] if level >= 0 else UNKNOWN

    # -- legend

    def legend(self) -> Iterator[str]:
        _, bottom = self.corner
        y = bottom - 62
        yield from self.colours(MARGIN, y)
        yield from self.widths(MARGIN + 260, y)
        yield from self.sizes(MARGIN + 420, y)

    def colours(self, x: float, y: float) -> Iterator[str]:
        if self.most <= 0:
            yield _text(x, y, "error rates unknown")
            return
        known = np.isfinite(self.found.loss)
        yield _text(x, y, "share of the error" if known else "share of the known error (blue: unknown)")
        for k, colour in enumerate(RAMP):
            yield f'<rect x="{_n(x + 30 * k)}" y="{_n(y + 10)}" width="30" height="12" fill="{colour}"/>'
        for k in (0, 3, 6):
            yield _text(
                x + 30 * k, y + 36, _percent(self.most * k / 6), "faint" if k == 0 else "faint middle"
            )

    def widths(self, x: float, y: float) -> Iterator[str]:
        most = int(self.found.entanglers.max(initial=0))
        if most == 0:
            return
        yield _text(x, y, "gates on a coupling")
        for k, count in enumerate(sorted({1, most})):
            width = THIN + (THICK - THIN) * count / self.most_gates
            at = f'x1="{_n(x + 8 + 62 * k)}" y1="{_n(y + 16)}" x2="{_n(x + 38 + 62 * k)}" y2="{_n(y + 16)}"'
            yield f'<line {at} class="casing" stroke-width="{_n(width)}"/>'
            yield _text(x + 23 + 62 * k, y + 36, str(count), "faint middle")

    def sizes(self, x: float, y: float) -> Iterator[str]:
        yield _text(x, y, "size: operations on a qubit")
        if self.begin:
            yield _text(x, y + 18, "number: logical qubit")
        if self.begin != self.end:
            yield _text(x, y + 36, "→n: logical qubit n ends here")


def _percent(value: float) -> str:
    return f"{100 * value:.3g} %" if np.isfinite(value) else "unknown"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _n(value: float) -> str:
    """A coordinate: one decimal, no needless zeros."""
    return f"{value:.1f}".removesuffix(".0")


def _text(x: float, y: float, words: str, look: str = "", more: str = "") -> str:
    kind = f' class="{look}"' if look else ""
    return f'<text x="{_n(x)}" y="{_n(y)}"{kind}{" " + more if more else ""}>{escape(words)}</text>'
