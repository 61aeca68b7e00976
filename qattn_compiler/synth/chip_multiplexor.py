"""One multiplexed rotation on a machine's own couplings: its qubits placed, its parities visited there.

A rotation of a target by an angle that its c controls choose is a product of rotations, one for each parity
of the controls, whose angles are the Walsh transform of those wanted (Mottonen et al., Phys. Rev. Lett. 93,
130502 (2004)). In the basis in which the target's rotation is about Z, each is an RZ on a wire that carries
the target's own bit and that parity, and everything between them is CX: a parity network. Two ways to build
it on a graph compete:

- a walk (`chip_state_kernels.walk`): the target's neighbours' lines are added to it one by one, and lines
  move between the controls where a neighbour has to hold another one. With m neighbours it takes 2^c - 1 and
  about 2^(c + 1 - m) CX for all 2^c parities. A span of m lines has 2^m parities, and after one line has
  changed half of them were there already, so no walk with m = 4 takes less than 2^c - 1 + 2^(c - 3) - 2. If
  the controls have to be given back, the linear map that is left is undone: by the moves in reverse, or by a
  new CX circuit on the graph (`steiner`);
- Steiner trees for each parity (`steiner`), on any wire that it can be brought to: for few parities, that is
  angles with a sparse Walsh transform.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qattn_compiler.circuit.table import Angle, Builder
from qattn_compiler.device import Device
from qattn_compiler.errors import CircuitError
from qattn_compiler.synth import steiner
from qattn_compiler.synth.chip_state import CAPS, HOT, STARTS, TRIES, WEIGHTS
from qattn_compiler.synth.multiplexor import walsh_transform

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

MAX_CONTROLS: Final = 16
"""2^16 angles; more are not planned here."""
FEW: Final = 256
"""Up to so many parities are tried one by one."""
LOOKED: Final = 48
"""Lines that are looked at to take the last parity off the target."""
NOTHING: Final = 1e-12
"""Walsh coefficients up to here, beside the largest angle, are zeros."""
FRAMES: Final = {"x": (("h",), ("h",)), "y": (("sx",), ("sxdg",)), "z": ((), ())}
"""Axis -> the target's gates before and after, between which its rotations are about Z."""

Offer = tuple[int, int, int]
"""When a neighbour of the target holds a mask: moves taken back before, the neighbour, the mask."""


@dataclass(frozen=True, eq=False)
class ChipMultiplexor:
    """How to rotate a target by an angle that some controls choose, on some places of a machine.

    Attributes:
        places: shape (controls + 1,): the machine's qubits of the controls, the first the most significant,
            and of the target.
        steps: shape (count, 3): (from, to, -1) is a CX between two of the places, (-1, wire, k) the k-th
            rotation.
        parities: shape (rotations,): the parity of each rotation, a mask (bit i: control i).
        ends: shape (controls + 1,): the place on which each qubit's content is at the end.
        outputs: shape (controls + 1, controls + 1): row i has a 1 for each qubit (the target last, in the
            rotation's own basis) whose bit is in what place ends[i] holds; the identity if all was restored.
    """

    places: Ints
    steps: Ints
    parities: Ints
    ends: Ints
    outputs: NDArray[np.uint8]

    @property
    def num_controls(self) -> int:
        """How many controls."""
        return len(self.places) - 1

    @property
    def two_qubit_count(self) -> int:
        """How many CX."""
        return int((self.steps[:, 0] >= 0).sum())

    def angles(self, angles: Sequence[Angle] | Floats) -> list[Angle]:
        """The rotations' angles (radians), in circuit order.

        Args:
            angles: 2^controls wanted angles (radians), of each control value; numbers or affine in symbols.

        Raises:
            CircuitError: their number is not 2^controls, or they need a parity that was not planned.
        """
        table, names = _table(angles, self.num_controls)
        parts = _coefficients(table, self.num_controls)
        left = np.ones(parts.shape[1], dtype=bool)
        left[self.parities] = False
        if (np.abs(parts[:, left]) > NOTHING * max(1.0, float(np.abs(table).max()))).any():
            raise CircuitError("the angles need parities that the multiplexor was not planned for")
        return [_angle(parts[:, parity], names) for parity in self.parities.tolist()]

    def add(self, builder: Builder, axis: str, angles: Sequence[Angle], qubits: Sequence[int]) -> None:
        """Append the gates.

        Args:
            builder: where the rows go.
            axis: "x", "y" or "z".
            angles: of the rotations, in circuit order (`angles`).
            qubits: controls + 1 qubits, the target last.

        Raises:
            CircuitError: the number of angles or qubits is another, or there is no such axis.
        """
        if len(angles) != len(self.parities) or len(qubits) != len(self.places):
            raise CircuitError(
                f"{len(self.parities)} angles and {len(self.places)} qubits were expected, not "
                f"{len(angles)} and {len(qubits)}"
            )
        if axis not in FRAMES:
            raise CircuitError(f"axis {axis!r}; expected x, y or z")
        before, after = FRAMES[axis]
        for name in before:
            builder.add(name, [qubits[-1]])
        for one, two, number in self.steps.tolist():
            if number >= 0:
                builder.add("rz", [qubits[two]], [angles[number]])
            else:
                builder.add("cx", [qubits[one], qubits[two]])
        for name in after:
            builder.add(name, [qubits[int(self.ends[-1])]])


def plan_multiplexor(
    device: Device,
    controls: int,
    *,
    angles: Sequence[Angle] | Floats | None = None,
    places: ArrayLike | None = None,
    restore: bool = True,
    seed: int = 0,
) -> ChipMultiplexor | None:
    """Places and CX for a multiplexed rotation on a machine; None if it has no room.

    Args:
        device: its couplings count, and among equals its errors.
        controls: how many.
        angles: the wanted ones, of which only the parities count that they need; None: all.
        places: shape (controls + 1,): machine qubits, the target last; None: chosen.
        restore: give back the controls; else a linear map of the basis states is left (`outputs`), for
            whoever goes on from there.
        seed: of the search.

    Raises:
        CircuitError: there are too many controls, or angles of another number, or the places are none.
    """
    if not 0 <= controls <= MAX_CONTROLS:
        raise CircuitError(f"a multiplexor has 0 to {MAX_CONTROLS} controls here, not {controls}")
    wanted = _wanted(angles, controls)
    given = None if places is None else [_checked(places, controls, device)]
    options = _places(device, controls, seed) if given is None else given
    plans = [plan for one in options for plan in _plans(device, one, wanted, restore, seed)]
    return min(plans, key=lambda plan: (plan.two_qubit_count, _loss(plan, device))) if plans else None


def plan_parities(
    device: Device, places: ArrayLike, parities: Ints, residual: int = 0, seed: int = 0
) -> ChipMultiplexor | None:
    """CX that bring the target past some parities of its controls, on given places; None if some parity
    cannot be reached there.

    Args:
        device: its couplings count.
        places: shape (controls + 1,): machine qubits, the target last.
        parities: masks (bit i: control i), ascending and different.
        residual: the parity that is left on the target at the end (a mask).
        seed: of the search.

    Raises:
        CircuitError: the places are none, or there are too many controls.
    """
    controls = len(np.asarray(places)) - 1
    if not 0 <= controls <= MAX_CONTROLS:
        raise CircuitError(f"a multiplexor has 0 to {MAX_CONTROLS} controls here, not {controls}")
    plans = _plans(device, _checked(places, controls, device), parities, True, seed, residual)
    return min(plans, key=lambda plan: plan.two_qubit_count) if plans else None


def _wanted(angles: Sequence[Angle] | Floats | None, controls: int) -> Ints:
    """The parities that some angles need, ascending."""
    if angles is None:
        return np.arange(1 << controls)
    table, _ = _table(angles, controls)
    parts = _coefficients(table, controls)
    return np.flatnonzero((np.abs(parts) > NOTHING * float(np.abs(table).max())).any(axis=0))


def _table(angles: Sequence[Angle] | Floats, controls: int) -> tuple[Floats, list[str]]:
    """Shape (1 + symbols, 2^controls): constants, and each symbol's coefficients; the symbols."""
    if len(angles) != 1 << controls:
        raise CircuitError(f"{controls} controls choose among {1 << controls} angles, not {len(angles)}")
    split = [one if isinstance(one, tuple) else (float(one), {}) for one in angles]
    names = sorted({name for _, terms in split for name in terms})
    rows = [[constant for constant, _ in split], *([t.get(name, 0.0) for _, t in split] for name in names)]
    return np.array(rows, dtype=np.float64), names


def _coefficients(table: Floats, controls: int) -> Floats:
    """The Walsh transform of each row, by masks in which bit i is control i."""
    index, masks = np.arange(1 << controls), np.zeros(1 << controls, dtype=np.int64)
    for bit in range(controls):
        masks |= ((index >> (controls - 1 - bit)) & 1) << bit
    out = np.empty_like(table)
    out[:, masks] = walsh_transform(table) / (1 << controls)
    return out


def _angle(parts: Floats, names: list[str]) -> Angle:
    terms = {name: float(coef) for name, coef in zip(names, parts[1:], strict=True) if coef}
    return (float(parts[0]), terms) if terms else float(parts[0])


def _checked(places: ArrayLike, controls: int, device: Device) -> Ints:
    given = np.asarray(places, dtype=np.int64)
    inside = ((given >= 0) & (given < device.num_qubits)).all()
    if given.shape != (controls + 1,) or len(np.unique(given)) != len(given) or not inside:
        raise CircuitError(
            f"{controls + 1} different qubits of the machine were expected, not {given.tolist()}"
        )
    return given


def _places(device: Device, controls: int, seed: int) -> list[Ints]:
    """Places from which walks are short, the best first."""
    from qattn_compiler.synth import chip_state_kernels as kernels

    size, adjacent = controls + 1, np.ascontiguousarray(device.adjacency)
    if size > device.num_qubits:
        return []
    anywhere = np.full(size, -1, dtype=np.int64)
    starts = range(seed * STARTS, (seed + 1) * STARTS)
    found = [kernels.search(adjacent, anywhere, TRIES, CAPS[0], HOT[0], start, True) for start in starts]
    found = sorted((one for one in found if one[0] < kernels.NEVER), key=lambda one: one[0])[:4]
    if 1 << controls > CAPS[0] + 1:
        tries = TRIES // 4
        found += [kernels.search(adjacent, one[1], tries, CAPS[1], HOT[1], seed, True) for one in found[:2]]
    return [places for cost, places in found if cost < kernels.NEVER]


def _plans(
    device: Device, places: Ints, wanted: Ints, restore: bool, seed: int, residual: int = 0
) -> list[ChipMultiplexor]:
    """The walk, and for few parities the network, on given places."""
    near = np.ascontiguousarray(device.adjacency[np.ix_(places, places)])
    walked = _walked(near, places, wanted)
    if walked is not None and restore:
        walked = _restored(near, walked, seed, residual)
    net = None
    if len(wanted) <= FEW and _is_connected(near):
        limit = 1 << 60 if walked is None else walked.two_qubit_count
        net = _by_network(near, places, wanted, seed, residual, limit)
    return [plan for plan in (net, walked) if plan is not None]


def _is_connected(near: NDArray[np.bool_]) -> bool:
    from scipy.sparse.csgraph import connected_components

    return int(connected_components(near, directed=False)[0]) == 1


def _neighbours(near: NDArray[np.bool_]) -> NDArray[np.int32]:
    return steiner.neighbours_of(len(near), np.argwhere(np.triu(near)))


def _outputs(size: int, residual: int) -> NDArray[np.uint8]:
    """What the places hold at the end: each its own bit, the last (the target) a parity beside it."""
    out = np.eye(size, dtype=np.uint8)
    out[-1] ^= ((residual >> np.arange(size)) & 1).astype(np.uint8)
    return out


def _by_network(
    near: NDArray[np.bool_], places: Ints, wanted: Ints, seed: int, residual: int, limit: int
) -> ChipMultiplexor | None:
    """Each parity by a Steiner tree, and every qubit given back; None if that takes more CX than `limit`."""
    size = len(places)
    eye = _outputs(size, residual)
    masks = wanted | 1 << (size - 1)
    parities = ((masks[:, None] >> np.arange(size)) & 1).astype(np.uint8)
    if size == 1:
        steps = np.array([[-1, 0, k] for k in range(len(wanted))], dtype=np.int64).reshape(-1, 3)
        return ChipMultiplexor(places, steps, wanted, np.zeros(1, dtype=np.int64), eye)
    net = steiner.synthesise(eye, parities, _neighbours(near), seed, limit=limit)
    return None if net is None else ChipMultiplexor(places, net.steps, wanted, net.place, eye)


def _walked(near: NDArray[np.bool_], places: Ints, wanted: Ints) -> ChipMultiplexor | None:
    """All parities by a walk, rotations only where they are wanted; None if some cannot be reached."""
    from qattn_compiler.synth import chip_state_kernels as kernels

    controls = len(places) - 1
    none, best, chosen = np.zeros((0, 3), dtype=np.int64), -1, WEIGHTS[0]
    start = np.append(1 << np.arange(controls), 0)
    for weights in WEIGHTS if controls else ():
        count, _ = kernels.walk(
            near, start.copy(), controls, controls, 1 << controls, *weights, none, none[:, 0]
        )
        if count >= 0 and (best < 0 or count < best):
            best, chosen = count, weights
    if controls and best < 0:
        return None
    events, order, masks = np.zeros((max(best, 0), 3), np.int64), np.zeros(1 << controls, np.int64), start
    if controls:
        kernels.walk(near, masks, controls, controls, 1 << controls, *chosen, events, order)
    number = np.full(1 << controls, -1, dtype=np.int64)
    kept = order[np.isin(order, wanted)]
    number[kept] = np.arange(len(kept))
    steps, seen = [(-1, controls, int(number[order[0]]))], 0
    for kind, a, b in events.tolist():
        if kind == kernels.FLIP:
            seen += 1
            steps += [(a, controls, -1), (-1, controls, int(number[order[seen]]))]
        else:
            steps.append((a, b, -1))
    table = np.array([step for step in steps if step[0] >= 0 or step[2] >= 0], dtype=np.int64).reshape(-1, 3)
    masks[controls] = order[-1] | 1 << controls
    outputs = ((masks[:, None] >> np.arange(controls + 1)) & 1).astype(np.uint8)
    return ChipMultiplexor(places, table, kept, np.arange(controls + 1), outputs)


def _restored(near: NDArray[np.bool_], plan: ChipMultiplexor, seed: int, residual: int) -> ChipMultiplexor:
    """The walk, and what gives its qubits back with the fewest CX."""
    size = len(plan.places)
    eye, here = _outputs(size, residual), np.arange(size)
    if np.array_equal(plan.outputs, eye):
        return plan
    none = np.zeros((0, size), dtype=np.uint8)
    left = (eye.astype(np.int64) @ _inverse(plan.outputs) % 2).astype(np.uint8)
    net = steiner.synthesise(left, none, _neighbours(near), seed, 8)
    closings = [(net.steps, net.place)] if net is not None else []
    back = _backwards(near, plan, residual)
    if back is not None:
        closings.append((back, here))
    steps, ends = min(closings, key=lambda one: len(one[0]))
    return ChipMultiplexor(plan.places, np.concatenate([plan.steps, steps]), plan.parities, ends, eye)


def _inverse(matrix: NDArray[np.uint8]) -> NDArray[np.uint8]:
    from qattn_compiler.synth.steiner_kernels import inverse

    out: NDArray[np.uint8] = inverse(matrix)
    return out


def _backwards(near: NDArray[np.bool_], plan: ChipMultiplexor, residual: int) -> Ints | None:
    """The moves in reverse, and on the way the target's parity taken off by what its neighbours hold then."""
    size = len(plan.places)
    target, moves = size - 1, plan.steps[(plan.steps[:, 0] >= 0) & (plan.steps[:, 1] != size - 1)]
    held = [int(sum(int(bit) << k for k, bit in enumerate(row))) for row in plan.outputs]
    beside = np.flatnonzero(near[target]).tolist()
    offers = []
    for time in range(len(moves) + 1):
        for u in beside:
            offers.append((time, u, held[u]))
        if time < len(moves):
            a, b, _ = moves[len(moves) - 1 - time].tolist()
            held[b] ^= held[a]
    chosen = _least_sum((held[target] ^ residual) & ~(1 << target), offers)
    if chosen is None:
        return None
    out: list[tuple[int, int, int]] = []
    for time in range(len(moves) + 1):
        out += [(u, target, -1) for when, u, _ in chosen if when == time]
        if time < len(moves):
            out.append(tuple(moves[len(moves) - 1 - time].tolist()))
    return np.array(out, dtype=np.int64).reshape(-1, 3)


def _least_sum(wanted: int, offers: list[Offer]) -> list[Offer] | None:
    """Offers whose masks add up to the wanted one: the fewest of those that are looked at, which are a basis
    of the first ones and some more."""
    looked: dict[int, Offer] = {}
    rows: dict[int, int] = {}  # highest bit -> mask
    for offer in offers:
        rest = offer[2]
        while rest and (bit := rest.bit_length()) in rows:
            rest ^= rows[bit]
        if rest:
            rows[rest.bit_length()] = rest
        if offer[2] and (rest or len(looked) < LOOKED):
            looked.setdefault(offer[2], offer)
    return _fewest(wanted, looked)


def _fewest(wanted: int, looked: dict[int, Offer]) -> list[Offer] | None:
    """Breadth first over what sums can be, from both ends: few of the sums are looked at."""
    sides: tuple[dict[int, Offer | None], ...] = ({0: None}, {wanted: None})
    levels = [[0], [wanted]]
    while all(levels):
        met = sides[0].keys() & sides[1].keys()
        if met:
            at = min(met)
            return [offer for side in sides for offer in _trace(at, side)]
        which = int(len(levels[1]) < len(levels[0]))
        fresh = []
        for total in levels[which]:
            for mask, offer in looked.items():
                if total ^ mask not in sides[which]:
                    sides[which][total ^ mask] = offer
                    fresh.append(total ^ mask)
        levels[which] = fresh
    return None


def _trace(at: int, side: dict[int, Offer | None]) -> list[Offer]:
    """The offers that lead to a sum."""
    out = []
    while (offer := side[at]) is not None:
        out.append(offer)
        at ^= offer[2]
    return out


def _loss(plan: ChipMultiplexor, device: Device) -> float:
    """The sum of the couplings' errors, where they are known."""
    error = np.zeros((device.num_qubits, device.num_qubits))
    known = np.where(np.isfinite(device.edge_error), device.edge_error, 0.0)
    error[device.edges[:, 0], device.edges[:, 1]] = error[device.edges[:, 1], device.edges[:, 0]] = known
    pairs = plan.places[plan.steps[plan.steps[:, 0] >= 0][:, :2]]
    return float(error[pairs[:, 0], pairs[:, 1]].sum())
