"""Route circuits of CNOT and Z rotations by building their regions anew on the machine's graph.

Between the other gates such a circuit is a linear map of basis states and phases of parities. Instead of
inserting SWAPs into the gates that are there, a parity network is built from CX on edges (`synth.steiner`),
and where each qubit ends is left to it. Qubits of the machine that the circuit does not use are passed
through and given back as they were, whatever they hold.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import pi
from typing import ClassVar, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qattn_compiler.circuit.edit import Rule, Step, expand
from qattn_compiler.circuit.gates import BY_NAME, GATES, OPAQUE
from qattn_compiler.circuit.layout import Routed
from qattn_compiler.circuit.params import Affine
from qattn_compiler.circuit.regions import cut, joined
from qattn_compiler.circuit.table import Circuit, Extra
from qattn_compiler.device import Device
from qattn_compiler.passes.circuit.problem import zones
from qattn_compiler.passes.circuit.simplify_boundaries import SimplifyBoundaries
from qattn_compiler.synth import steiner
from qattn_compiler.synth.steiner import Bits, Ints, Network

Bools = NDArray[np.bool_]
Layout = NDArray[np.int32]

_RZ: Final = BY_NAME["rz"].code
_CX: Final = BY_NAME["cx"].code
_X: Final = BY_NAME["x"].code
_DENSE: Final = 12
"""CX and CZ in a region from which on networks are likely to win (`suits`)."""
_NEGLIGIBLE: Final = 1e-12
_MOST_BITS: Final = 1 << 27
"""Circuits with more rows times qubits are left to other routers."""
_MOST_WORK: Final = 3e8
"""So are those whose networks take more work each (`_work`)."""
_WORK: Final = 4e5
"""Work spent on layouts."""
_MOST_TRIES: Final = 200
_GAIN: Final = 1.6
"""The search for a layout seldom makes networks cheaper by more than this factor."""


def _turned(name: str) -> Rule:
    """A Z rotation or a fixed case of it."""
    angle = {"z": pi, "s": pi / 2, "sdg": -pi / 2, "t": pi / 4, "tdg": -pi / 4}[name]
    return Rule((Step("rz", (0,), (angle, ())),), (angle / 2, ()))


def _both(constant: float, factor: float, single: tuple[int, ...], phase: float) -> Rule:
    """Half of an angle on some operands, and minus half on the parity of both; the angle is `constant` plus
    `factor` times the gate's."""
    half = (constant / 2, (factor / 2,))
    parity = Step("rz", (1,), (-constant / 2, (-factor / 2,)))
    steps = (*(Step("rz", (q,), half) for q in single), Step("cx", (0, 1)), parity, Step("cx", (0, 1)))
    return Rule(steps, (phase * constant, (phase * factor,)))


_RULES: Final = {
    **{name: _turned(name) for name in ("z", "s", "sdg", "t", "tdg")},
    "cz": _both(pi, 0.0, (0, 1), 0.25),
    "cphase": _both(0.0, 1.0, (0, 1), 0.25),
    "crz": _both(0.0, 1.0, (1,), 0.0),
    "rzz": Rule((Step("cx", (0, 1)), Step("rz", (1,), (0.0, (1.0,))), Step("cx", (0, 1)))),
}
"""What gates become, so that regions hold nothing but RZ, X, CX and SWAP."""
_RULE_OF: Final = np.full(len(GATES), -1, dtype=np.int64)
for _number, _name in enumerate(_RULES):
    _RULE_OF[BY_NAME[_name].code] = _number
_KIND: Final = np.full(len(GATES), -1, dtype=np.int64)
"""The kinds of `steiner_kernels.follow`."""
for _number, _name in enumerate(("rz", "x", "cx", "swap")):
    _KIND[BY_NAME[_name].code] = _number


@dataclass(frozen=True, eq=False)
class _Stage:
    """All regions of one level as one, on all logical qubits, and the rows after it.

    Attributes:
        outputs, flipped: the affine map of basis states (`steiner_kernels.follow`).
        parities: shape (rotations, qubits): different from one another.
        angles: shape (rotations,): radians, the constant part.
        symbols: the symbolic part; its slots count rotations.
        phase: global phase, radians.
        walls: rows of the circuit that come next.
    """

    outputs: Bits
    flipped: Bits
    parities: Bits
    angles: NDArray[np.float64]
    symbols: Affine
    phase: float
    walls: Ints

    @property
    def is_local(self) -> bool:
        """Whether it takes no CX."""
        unmoved = np.array_equal(self.outputs, np.eye(len(self.outputs), dtype=np.uint8))
        return unmoved and bool((self.parities.sum(axis=1) == 1).all())


@dataclass(frozen=True, eq=False)
class _Part:
    """The part of a machine that is used.

    Attributes:
        vertices: shape (wires,): qubits of the machine, ascending.
        neighbours: shape (wires, degree): the graph among them (`steiner.neighbours_of`).
    """

    vertices: Ints
    neighbours: NDArray[np.int32]


@dataclass(frozen=True)
class RouteParities:
    """Parity networks on the machine's graph, as a candidate beside `Route` (module docstring).

    Keeps: meaning and global phase exactly (see `zero_inputs`), gates that are in no region, tagged and
    structural rows in order, parameters. Gives CX, RZ and X in the place of regions, and no SWAP.

    Attributes:
        device: the machine.
        seed: of choices among equals.
        tries: networks built for each region once the layout is chosen.
        climbs: changes of the layout that are tried, at most.
        zero_inputs: the circuit begins in |0...0>, and only what becomes of that is kept
            (`SimplifyBoundaries`).
    """

    device: Device
    seed: int = 0
    tries: int = 8
    climbs: int = _MOST_TRIES
    zero_inputs: bool = False
    name: ClassVar[str] = "route-parities"

    def route(
        self, circuit: Circuit, initial: ArrayLike | None = None, limit: int = 1 << 60
    ) -> Routed | None:
        """The circuit on the machine.

        Args:
            circuit: on any qubits.
            initial: shape (logical,): logical index -> physical index, a layout to begin the search with;
                None: a compact part of the machine.
            limit: the most CX that are of use.

        Returns:
            the circuit with its layouts, or None if a gate on several qubits is in no region, or the circuit
            does not fit on a connected part of the machine, or the search would take too long, or seems to
            end above the limit.
        """
        if self.zero_inputs:
            circuit = SimplifyBoundaries(inputs_zero=True).run(circuit)
        ready = _readied(circuit)
        if ready is None or len(ready) * ready.num_qubits > _MOST_BITS:
            return None
        start = _start(ready, self.device, initial)
        if start is None:
            return None
        stages = _stages(ready)
        part = _part(self.device, start)
        if _work(stages, part) > _MOST_WORK:
            return None
        begin = np.searchsorted(part.vertices, start)
        place: Ints | None = begin
        if self.climbs:
            place = _climbed(stages, part, begin, self.seed, _GAIN * limit, self.climbs)
        found = None if place is None else _networks(stages, part, place, self.seed, self.tries, limit)
        return None if found is None else _written(ready, self.device, stages, part, found)


def suits(circuit: Circuit) -> bool:
    """Whether parity networks are likely to win: many CX and CZ between gates of other kinds, and few phases
    on parities of several qubits, whose place SWAPs would find as well."""
    from qattn_compiler.circuit.kernels import layers

    plain = circuit.extra < 0
    code = np.where(plain, circuit.op, OPAQUE)
    inner = circuit.is_two_qubit & ((_RULE_OF[code] >= 0) | (_KIND[code] >= 0))
    if not inner.any() or (circuit.is_two_qubit & ~inner).any():
        return False
    phases = plain & np.isin(circuit.op, [BY_NAME[name].code for name in ("rzz", "cphase", "crz")])
    links = int(inner.sum()) - int(phases.sum())
    if links < _DENSE or phases.sum() > links / 4:
        return False
    walls = ~inner & (_RULE_OF[code] < 0) & (_KIND[code] < 0)
    one_behind_another = int(layers(walls.astype(np.int64), circuit.wires, circuit.num_wires).max())
    if (one_behind_another - 2) * _DENSE > links:
        return False
    stages = [stage for stage in _stages(_readied(circuit) or circuit) if not stage.is_local]
    wide = sum(int((stage.parities.sum(axis=1) > 1).sum()) for stage in stages)
    return len(stages) * _DENSE <= links and wide <= links / 4


def _readied(circuit: Circuit) -> Circuit | None:
    """The circuit with nothing but RZ, X, CX and SWAP in its regions, or None if it has other gates on
    several qubits."""
    plain = circuit.extra < 0
    code = np.where(plain, circuit.op, OPAQUE)
    other = circuit.is_two_qubit & (_RULE_OF[code] < 0) & (_KIND[code] < 0)
    if other.any():
        return None
    return expand(circuit, np.where(plain, _RULE_OF[circuit.op], -1), tuple(_RULES.values()))


def _stages(circuit: Circuit) -> list[_Stage]:
    regions, walls = cut(circuit, (_KIND[circuit.op] < 0) | (circuit.extra >= 0))
    none = np.zeros(0, dtype=np.int64)
    return [
        _stage(circuit, np.sort(np.concatenate([none, *(one.rows for one in level)])), after)
        for level, after in zip(regions, walls, strict=True)
    ]


def _stage(circuit: Circuit, rows: Ints, walls: Ints) -> _Stage:
    from qattn_compiler.synth.steiner_kernels import follow

    size = circuit.num_qubits
    kind = _KIND[circuit.op[rows]]
    outputs, flipped, parities, negated = follow(kind, circuit.operands[rows], size)
    turns = rows[kind == 0]
    sign = 1.0 - 2.0 * negated
    different, group = np.unique(parities, axis=0, return_inverse=True)
    group = group.reshape(-1)
    angles = np.zeros(len(different))
    np.add.at(angles, group, sign * circuit.angles[turns, 0])
    symbols = circuit.affine.gathered(turns)
    inner = symbols.slot >= 0
    row = symbols.slot[inner] // 3
    symbols = Affine.of(group[row], symbols.param[inner], symbols.coef[inner] * sign[row])
    return _without_half_turns(outputs, flipped, different, angles, symbols, walls)


def _without_half_turns(
    outputs: Bits, flipped: Bits, parities: Bits, angles: NDArray[np.float64], symbols: Affine, walls: Ints
) -> _Stage:
    """The stage in which half turns of parities are half turns of wires: Z Z = Z x Z, and
    RZ(pi) = -i Z."""
    size = len(outputs)
    symbolic = np.zeros(len(angles), dtype=bool)
    symbolic[symbols.slot] = True
    halves = np.round(angles / pi)
    is_half = ~symbolic & (np.abs(angles - halves * pi) < _NEGLIGIBLE)
    odd = is_half & (halves % 2 == 1)
    flips = parities[odd].sum(axis=0) % 2
    phase = -pi / 2 * float(halves[is_half].sum()) + pi / 2 * float(flips.sum())
    wires = np.flatnonzero(flips)
    kept = np.flatnonzero(~is_half)
    number = np.full(len(angles), -1, dtype=np.int64)
    number[kept] = np.arange(len(kept))
    symbols = Affine.of(number[symbols.slot], symbols.param, symbols.coef)
    parities, angles = parities[kept], angles[kept]
    single = np.full(size, -1, dtype=np.int64)
    alone = np.flatnonzero(parities.sum(axis=1) == 1)
    single[parities[alone].argmax(axis=1)] = alone
    met = single[wires]
    angles[met[met >= 0]] += pi
    new = wires[met < 0]
    parities = np.concatenate([parities, np.eye(size, dtype=np.uint8)[new]])
    angles = np.concatenate([angles, np.full(len(new), pi)])
    return _Stage(outputs, flipped, parities, angles, symbols, phase, walls)


def _start(circuit: Circuit, device: Device, initial: ArrayLike | None) -> Ints | None:
    """A layout within one component of the machine."""
    zone = zones(device)
    if initial is not None:
        given = np.asarray(initial, dtype=np.int64)
        return given if (zone[given] == zone[given[0]]).all() else None
    sizes = np.bincount(zone)
    if not circuit.num_qubits or sizes.max(initial=0) < circuit.num_qubits:
        return None
    compact = _grown(device, np.zeros(0, dtype=np.int64), zone == sizes.argmax(), circuit.num_qubits)
    pairs = circuit.operands[circuit.is_two_qubit]
    weight = np.bincount(pairs.reshape(-1), minlength=circuit.num_qubits)
    out = np.zeros(circuit.num_qubits, dtype=np.int64)
    out[np.argsort(-weight, kind="stable")] = compact
    return out


def _grown(device: Device, chosen: Ints, allowed: Bools, size: int) -> Ints:
    """Qubits of the machine, `chosen` and more that keep close to them: next comes the one with the most
    neighbours among them, and of several the one nearest to the first."""
    order = chosen.tolist()
    if not order:
        inner = np.flatnonzero(allowed)
        order = [int(inner[device.distance[np.ix_(inner, inner)].sum(axis=1).argmin()])]
    beside = device.adjacency[order].sum(axis=0)
    left = allowed.copy()
    left[order] = False
    while len(order) < size and (left & (beside > 0)).any():
        score = np.where(left & (beside > 0), beside - device.distance[order[0]] / 1e4, -np.inf)
        order.append(int(score.argmax()))
        left[order[-1]] = False
        beside = beside + device.adjacency[order[-1]]
    return np.array(order, dtype=np.int64)


def _part(device: Device, start: Ints) -> _Part:
    """The qubits of a layout, and some around them."""
    from scipy.sparse.csgraph import connected_components

    size = len(start) + int(np.ceil(np.sqrt(len(start))))
    everywhere = np.ones(device.num_qubits, dtype=bool)
    vertices = np.sort(_grown(device, start, everywhere, size))
    count, _ = connected_components(device.adjacency[np.ix_(vertices, vertices)], directed=False)
    if count > 1:
        zone = zones(device)
        vertices = np.flatnonzero(zone == zone[start[0]])
    number = np.full(device.num_qubits, -1, dtype=np.int64)
    number[vertices] = np.arange(len(vertices))
    edges = number[device.edges]
    edges = edges[(edges >= 0).all(axis=1)]
    return _Part(vertices, steiner.neighbours_of(len(vertices), edges))


def _networks(
    stages: list[_Stage], part: _Part, place: Ints, seed: int, tries: int, limit: int, first: int = 0
) -> tuple[list[Network | None], list[Ints]] | None:
    """The networks of all stages from a layout (None: no CX needed), and the layouts before and after each;
    or None if they take more than `limit` CX."""
    nets: list[Network | None] = []
    places = [place]
    size = len(part.vertices)
    for stage in stages:
        if stage.is_local:
            nets.append(None)
            places.append(place)
            continue
        outputs = np.eye(size, dtype=np.uint8)
        outputs[place[:, None], place] = stage.outputs
        parities = np.zeros((len(stage.parities), size), dtype=np.uint8)
        parities[:, place] = stage.parities
        net = steiner.synthesise(outputs, parities, part.neighbours, seed, tries, limit, first)
        if net is None:
            return None
        limit -= net.gates
        place = net.place[place]
        nets.append(net)
        places.append(place)
    return nets, places


def _work(stages: list[_Stage], part: _Part) -> float:
    """About how much work the networks of all stages are: outputs are finished one by one by looking at all
    wires, and parities by changing all others."""
    size = len(part.vertices)
    return float(sum(size**2 + len(s.parities) ** 2 * size / 8 for s in stages if not s.is_local))


def _climbed(
    stages: list[_Stage], part: _Part, place: Ints, seed: int, limit: float, climbs: int
) -> Ints | None:
    """A layout from which the networks take fewer CX: exchanges of two wires that help are kept. None if they
    take more than `limit` CX from the first."""
    size, work = len(part.vertices), _work(stages, part)
    if not work or size < 2:
        return place
    rng = np.random.default_rng(seed)
    most = int(min(limit, 1 << 60))
    costs = [_gates(_networks(stages, part, place, seed, 1, most, first)) for first in (0, 1)]
    least, first = min(costs), int(costs[1] <= costs[0])
    if least > limit:
        return None
    for _ in range(min(climbs, int(_WORK / work))):
        a, b = place[rng.integers(len(place))], rng.integers(size)
        moved = np.where(place == a, b, np.where(place == b, a, place))
        found = _networks(stages, part, moved, seed, 1, least, first)
        if found is not None:
            place, least = moved, _gates(found)
    return place


def _gates(found: tuple[list[Network | None], list[Ints]] | None) -> int:
    return 1 << 60 if found is None else sum(net.gates for net in found[0] if net is not None)


def _written(
    circuit: Circuit,
    device: Device,
    stages: list[_Stage],
    part: _Part,
    found: tuple[list[Network | None], list[Ints]],
) -> Routed:
    """The circuit of the networks."""
    places = [part.vertices[place].astype(np.int32) for place in found[1]]
    moved = _walls_moved(circuit, device, stages, places[1:])
    pieces: list[Ints | tuple[Circuit, Ints]] = []
    own = np.arange(device.num_qubits)
    for stage, net, before, after in zip(stages, found[0], places[:-1], places[1:], strict=True):
        steps = _local_steps(stage, before) if net is None else _on_machine(net.steps, part.vertices)
        pieces += [(_region(moved, stage, steps, after), own), stage.walls]
    return Routed(joined(moved, pieces), places[0], places[-1], 0, is_rebuilt=True)


def _walls_moved(circuit: Circuit, device: Device, stages: list[_Stage], places: list[Layout]) -> Circuit:
    """The circuit on the machine's qubits, with all walls (and only those) where they belong."""
    operands = np.full((len(circuit), 2), -1, dtype=np.int32)
    extra = np.full(len(circuit), -1, dtype=np.int32)
    extras: list[Extra] = []
    for stage, place in zip(stages, places, strict=True):
        at = np.append(place, -1)
        operands[stage.walls] = at[circuit.operands[stage.walls]]
        for row in stage.walls[circuit.extra[stage.walls] >= 0].tolist():
            old = circuit.extras[circuit.extra[row]]
            extra[row] = len(extras)
            extras.append(
                replace(old, operands=tuple(at[list(old.operands)].tolist())) if old.operands else old
            )
    return replace(circuit, qubits=device.qubits, operands=operands, extra=extra, extras=tuple(extras))


def _local_steps(stage: _Stage, place: Layout) -> Ints:
    """Steps of a stage whose parities are wires."""
    turns = np.arange(len(stage.parities))
    return np.column_stack([np.full(len(turns), -1), place[np.nonzero(stage.parities)[1]], turns])


def _on_machine(steps: Ints, vertices: Ints) -> Ints:
    """Steps with qubits of the machine for wires."""
    out = steps.copy()
    out[:, 1] = vertices[steps[:, 1]]
    out[:, 0] = np.where(steps[:, 0] < 0, -1, vertices[steps[:, 0]])
    return out


def _region(circuit: Circuit, stage: _Stage, steps: Ints, after: Layout) -> Circuit:
    """CX, RZ and X for a stage, on the machine's qubits."""
    is_turn = steps[:, 0] < 0
    flips = after[np.flatnonzero(stage.flipped)]
    size = len(steps) + len(flips)
    op = np.full(size, _X, dtype=np.uint8)
    op[: len(steps)] = np.where(is_turn, _RZ, _CX)
    operands = np.full((size, 2), -1, dtype=np.int32)
    operands[: len(steps), 0] = np.where(is_turn, steps[:, 1], steps[:, 0])
    operands[: len(steps), 1] = np.where(is_turn, -1, steps[:, 1])
    operands[len(steps) :, 0] = flips
    angles = np.zeros((size, 3))
    turn = np.flatnonzero(is_turn)
    angles[turn, 0] = stage.angles[steps[turn, 2]]
    row = np.zeros(len(stage.angles), dtype=np.int64)
    row[steps[turn, 2]] = turn
    affine = Affine.of(3 * row[stage.symbols.slot], stage.symbols.param, stage.symbols.coef)
    extra = np.full(size, -1, dtype=np.int32)
    return Circuit(circuit.qubits, op, operands, angles, extra, (), affine, circuit.params, stage.phase)
