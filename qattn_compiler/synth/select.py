"""Selection among circuits of one skeleton: entanglers stay uncontrolled, rotations are multiplexed.

Given U_0, ..., U_{m-1} with the same gates on the same qubits and other angles, `select` makes
sum_x |x><x| (x) U_x. Textbooks control every gate; here a rotation R_P(theta_x) about a Pauli string P
becomes rotations about P with controlled Paulis between them that turn its sign around for half of the
addresses: all 2^a angles, by a Walsh transform and a Gray code.

The controlled Paulis are not undone rotation by rotation. After each gate, what was emitted is F U, with a
frame F = sum_x i^phase(x) |x><x| (x) W(x), where W(x) is the product over the set bits of x of one Pauli
string a bit. Clifford gates of the skeleton carry the frame along, a rotation sees it as the parity of the
address at which its walk begins, and only at the very end is it undone, by as many controlled Paulis as its
strings are long; a Hadamard test does not even do that, but reads the string. So a rotation takes 2^a - 1
two-qubit gates, not 2^a.

Source: multiplexed rotations of Mottonen et al., Phys. Rev. Lett. 93, 130502 (2004); Pauli frames as in
Knill, Nature 434, 39 (2005). To carry the multiplexors' own gates along as a frame is ours.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from math import pi
from typing import Final

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit.gates import AXIS_CODES, BY_NAME, GATES, INVERSE, NUM_QUBITS, Gate
from qattn_compiler.circuit.params import GLOBAL_PHASE, Parameter
from qattn_compiler.circuit.table import Angle, Builder, Circuit, Qubit
from qattn_compiler.errors import CircuitError
from qattn_compiler.synth.multiplexor import walsh_transform

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Angles = dict[str | None, Floats]
"""An angle for each address, shape (2^a,) each: the constants (None), and each parameter's coefficients."""

I, X, Z, Y = range(4)  # noqa: E741 - the Paulis' own names; bit 0 says X, bit 1 says Z
CONTROLLED: Final = {X: "cx", Z: "cz", Y: "cy"}
TURNS: Final = {"rx": (X,), "ry": (Y,), "rz": (Z,), "rxx": (X, X), "ryy": (Y, Y), "rzz": (Z, Z)}
"""Rotations about a Pauli string."""
SIGNS: Final = {"crx": (X, "cz"), "cry": (Y, "cz"), "crz": (Z, "cx")}
"""Controlled rotations: the axis, and the controlled Pauli that turns its sign around."""
TO_Z: Final[dict[int, tuple[str, ...]]] = {X: ("h",), Z: (), Y: ("sdg", "h")}
"""Gates after which Z reads a letter."""
_POWER: Final = np.array([[0, 0, 0, 0], [0, 0, 3, 1], [0, 1, 0, 3], [0, 3, 1, 0]])
"""The product of two Paulis is i to this power times their sum as bits."""

MAX_ADDRESS: Final = 12
"""Address bits: 4096 circuits."""
NOTHING: Final = 4e-15
"""Walsh coefficients up to this share of the largest angle are rounding errors."""
TRIES: Final = 300
"""Circuits that are built to find which Paulis turn signs around most cheaply."""
WORK: Final = 50_000
"""Rows times addresses that are built in all while looking for that."""


def select(circuits: Sequence[Circuit], address: Sequence[Qubit]) -> Circuit:
    """The circuit that runs `circuits[x]` on the data where the address is x.

    Exact, global phases of the circuits included; angles may have parameters (equal names are equal
    parameters). Addresses from `len(circuits)` on run the last circuit.

    Args:
        circuits: m circuits on the same qubits with the same gates; angles may differ.
        address: ceil(log2 m) labels of the address qubits, the most significant first.

    Returns:
        a circuit on the address qubits, then the data.

    Raises:
        CircuitError: skeletons differ, a row is no unitary gate, or the address is too short, too long or
            shares a qubit with the data.
    """
    given = _Branches.of(circuits, address)
    return _cheapest(given, lambda choices: _Selection(given, choices).finished()).builder.build()


def controlled(circuit: Circuit, control: Qubit) -> Circuit:
    """The circuit, run where the control is 1: its skeleton uncontrolled, its rotations multiplexed.

    Gates that enclose the others and undo one another (a change of basis, a ladder of CX) stay as they are;
    of the rest, all angles are 0 where the control is 0. Then the rest must be the identity.

    Args:
        circuit: unitary; a circuit such as V(a)^dagger V(b), whose fixed gates cancel.
        control: label of the control qubit.

    Raises:
        CircuitError: the fixed gates do not cancel, or a row is no unitary gate.
    """
    inner = ~_enclosing(circuit)
    idle = circuit.angles.copy()
    idle[inner] = 0.0
    slot = circuit.affine.slot
    kept = (slot >= 0) & ~inner[np.maximum(slot, 0) // 3] if len(circuit) else np.zeros(len(slot), dtype=bool)
    affine = replace(
        circuit.affine,
        slot=slot[kept],
        param=circuit.affine.param[kept],
        coef=circuit.affine.coef[kept],
    )
    if not _cancels(circuit, np.flatnonzero(inner)):
        raise CircuitError(
            "the circuit is not the identity at angles 0, so it has no control that leaves its gates alone",
            hint="give select() the circuits of both branches",
        )
    return select([replace(circuit, angles=idle, affine=affine, phase=0.0), circuit], [control])


@dataclass(frozen=True, eq=False)
class HadamardTest:
    """A circuit whose read-out is an overlap of states.

    Attributes:
        circuit: on the test qubit, then the data; without measurements.
        observed: qubit indices; the expectation of the product of their Z is the overlap.
    """

    circuit: Circuit
    observed: tuple[int, ...]


def hadamard_test(first: Circuit, second: Circuit, test: Qubit, *, imaginary: bool = False) -> HadamardTest:
    """The circuit for Re <0|first^dagger second|0> of two circuits that share their skeleton.

    Only the difference of the two counts, so gates that both end with are left out, and the frame (module
    docstring) is not undone but read with the test qubit.

    Args:
        first: unitary.
        second: unitary, on the same qubits with the same gates; angles may differ.
        test: label of the test qubit.
        imaginary: read the imaginary part.

    Raises:
        CircuitError: skeletons differ, a row is no unitary gate, or the test qubit is one of the data.
    """
    given = _Branches.of([first, second], [test]).without_tail()
    found = _cheapest(given, lambda choices: _Selection(given, choices, [("h", 0)]))
    observed = found.read(imaginary)
    return HadamardTest(found.builder.build(), observed)


# -- what is selected


@dataclass(frozen=True, eq=False)
class _Branches:
    """Circuits of one skeleton.

    Attributes:
        model: the first of them, for its gates.
        address: labels.
        angles: (row, column) -> an angle for each address, for all angles in use.
        phase: of each address.
        params: of all circuits.
        rows: which rows of the model are there.
        tail: rows whose part that is common to all addresses does not count.
    """

    model: Circuit
    address: tuple[Qubit, ...]
    angles: dict[tuple[int, int], Angles]
    phase: Angles
    params: tuple[Parameter, ...]
    rows: tuple[int, ...]
    tail: frozenset[int] = frozenset()

    @property
    def size(self) -> int:
        """Addresses."""
        return 1 << len(self.address)

    @staticmethod
    def of(circuits: Sequence[Circuit], address: Sequence[Qubit]) -> _Branches:
        if not circuits:
            raise CircuitError("there is no circuit to select")
        model, width = circuits[0], len(address)
        if width > MAX_ADDRESS or not 2 ** (width - 1) < len(circuits) <= 2**width:
            raise CircuitError(f"{len(circuits)} circuits do not fit an address of {width} qubits")
        if not set(address).isdisjoint(model.qubits):
            raise CircuitError("the address shares a qubit with the circuits")
        for number, circuit in enumerate(circuits):
            _check(circuit, model, number)
        padded = [*circuits, *[circuits[-1]] * (2**width - len(circuits))]
        table = [_slots(circuit) for circuit in padded]
        used = [(r, c) for r in range(len(model)) for c in range(GATES[model.op[r]].num_angles)]
        constants = np.stack([circuit.angles for circuit in padded])
        angles: dict[tuple[int, int], Angles] = {}
        for row, column in used:
            angles[row, column] = _with_terms(constants[:, row, column], table, 3 * row + column)
        phases = np.array([circuit.phase for circuit in padded])
        phase = _with_terms(phases, table, GLOBAL_PHASE)
        params = _joined(circuits)
        return _Branches(model, tuple(address), angles, phase, params, tuple(range(len(model))))

    def is_common(self, row: int) -> bool:
        """Whether all addresses have the same angles there."""
        columns = range(GATES[self.model.op[row]].num_angles)
        return all(_is_constant(v) for c in columns for v in self.angles[row, c].values())

    def without_tail(self) -> _Branches:
        """Without the gates that all circuits end with."""
        closed: set[int] = set()
        kept, tail = [], set()
        for row in reversed(self.rows):
            operands = set(_operands(self.model, row))
            free = closed.isdisjoint(operands)
            if free and self.is_common(row):
                continue
            kept.append(row)
            if free:
                tail.add(row)
            closed |= operands
        return replace(self, rows=tuple(reversed(kept)), tail=frozenset(tail))


def _check(circuit: Circuit, model: Circuit, number: int) -> None:
    if (circuit.extra >= 0).any() or (NUM_QUBITS[circuit.op] == 0).any():
        raise CircuitError(
            f"circuit {number} has a row that is no plain unitary gate", hint="select before measuring"
        )
    if circuit.qubits != model.qubits:
        raise CircuitError(f"circuit {number} is on other qubits than circuit 0")
    if not np.array_equal(circuit.op, model.op) or not np.array_equal(circuit.operands, model.operands):
        raise CircuitError(
            f"circuit {number} has other gates than circuit 0",
            hint="circuits share a skeleton if their gates stand in the same order on the same qubits",
        )


def _joined(circuits: Sequence[Circuit]) -> tuple[Parameter, ...]:
    """The parameters of all circuits, one of each name."""
    found: dict[str, Parameter] = {}
    for param in (param for circuit in circuits for param in circuit.params):
        if found.setdefault(param.name, param) != param:
            raise CircuitError(f"circuits mean different things by the parameter {param.name!r}")
    return tuple(found.values())


def _slots(circuit: Circuit) -> dict[int, list[tuple[str, float]]]:
    out: dict[int, list[tuple[str, float]]] = {}
    terms = zip(circuit.affine.slot.tolist(), circuit.affine.param, circuit.affine.coef.tolist(), strict=True)
    for slot, param, coef in terms:
        out.setdefault(slot, []).append((circuit.params[param].name, coef))
    return out


def _with_terms(constants: Floats, table: list[dict[int, list[tuple[str, float]]]], slot: int) -> Angles:
    out: Angles = {None: constants.copy()}
    for address, terms in enumerate(table):
        for name, coef in terms.get(slot, ()):
            out.setdefault(name, np.zeros(len(table)))[address] += coef
    return out


def _operands(circuit: Circuit, row: int) -> tuple[int, ...]:
    return tuple(circuit.operands[row, : GATES[circuit.op[row]].num_qubits].tolist())


def _is_constant(values: Floats) -> bool:
    return bool((values == values[0]).all())


def _times(angles: Angles, factor: float) -> Angles:
    return {name: values * factor for name, values in angles.items()}


def _plus(a: Angles, b: Angles) -> Angles:
    out = dict(a)
    for name, values in b.items():
        out[name] = out[name] + values if name in out else values
    return out


# -- the frame


@lru_cache(maxsize=4096)
def _parity(size: int, mask: int) -> Ints:
    """Shape (size,): the parity of the address bits in a mask, for each address."""
    out = np.zeros(size, dtype=np.int64)
    index = np.arange(size)
    for bit in range(size.bit_length() - 1):
        if mask >> bit & 1:
            out ^= (index >> bit) & 1
    out.setflags(write=False)
    return out


@cache
def _conjugation(name: str) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """What a fixed gate makes of each Pauli string P on its qubits: G P G^dagger = i^power P'.

    Returns:
        strings and powers by string (the first qubit's letter times 4 plus the second's); None if the gate
        is no Clifford gate.
    """
    gate = BY_NAME[name]
    assert gate.matrix is not None
    strings = _strings(gate.num_qubits)
    matrix, images, powers = gate.matrix(), [], []
    for string in strings:
        image = matrix @ string @ matrix.conj().T
        overlaps = np.array([np.trace(s @ image).real for s in strings]) / len(matrix)
        best = int(np.abs(overlaps).argmax())
        if abs(overlaps[best]) < 1 - 1e-9:
            return None
        images.append(best)
        powers.append(0 if overlaps[best] > 0 else 2)
    return tuple(images), tuple(powers)


def _strings(width: int) -> list[NDArray[np.complex128]]:
    letters = [np.eye(2, dtype=np.complex128)]
    for name in "xzy":
        matrix = BY_NAME[name].matrix
        assert matrix is not None
        letters.append(matrix())
    return letters if width == 1 else [np.asarray(np.kron(a, b), complex) for a in letters for b in letters]


class _Frame:
    """F = sum_x i^power(x) |x><x| (x) W(x) (module docstring).

    `x` and `z` hold for each data qubit the address bits whose string has X or Z (Y: both) there.
    """

    def __init__(self, size: int, width: int) -> None:
        self.size = size
        self.x, self.z = [0] * width, [0] * width
        self.power = np.zeros(size, dtype=np.int64)

    def letter(self, qubit: int, bit: int) -> int:
        """The letter of one bit's string."""
        return (self.x[qubit] >> bit & 1) | (self.z[qubit] >> bit & 1) << 1

    def letters(self, qubit: int) -> Ints:
        """The letter of W(x) for each address."""
        return _parity(self.size, self.x[qubit]) + 2 * _parity(self.size, self.z[qubit])

    def against(self, letters: Sequence[int], qubits: Sequence[int]) -> int:
        """The address bits whose strings anticommute with a Pauli string."""
        mask = 0
        for letter, qubit in zip(letters, qubits, strict=True):
            mask ^= self.z[qubit] * (letter & 1) ^ self.x[qubit] * (letter >> 1)
        return mask

    def flip(self, bit: int, letter: int, qubit: int) -> None:
        """A controlled Pauli was appended."""
        on = _parity(self.size, 1 << bit)
        self.power += on * _POWER[letter, self.letters(qubit)]
        self.x[qubit] ^= (letter & 1) << bit
        self.z[qubit] ^= (letter >> 1) << bit

    def carry(self, images: Sequence[int], powers: Sequence[int], qubits: Sequence[int]) -> None:
        """A Clifford gate was appended to what is emitted and to what is wanted."""
        if not any(self.x[q] | self.z[q] for q in qubits):
            return
        before = self.letters(qubits[0])
        if len(qubits) == 2:
            before = 4 * before + self.letters(qubits[1])
        self.power += np.asarray(powers)[before]
        new = [[0, 0] for _ in qubits]
        for i, qubit in enumerate(qubits):
            for letter, mask in ((X, self.x[qubit]), (Z, self.z[qubit])):
                image = images[letter << 2 * (len(qubits) - 1 - i)]
                for j in range(len(qubits)):
                    out = image >> 2 * (len(qubits) - 1 - j) & 3
                    new[j][0] ^= mask * (out & 1)
                    new[j][1] ^= mask * (out >> 1)
        for qubit, (x, z) in zip(qubits, new, strict=True):
            self.x[qubit], self.z[qubit] = x, z


# -- what is emitted


class _Choices:
    """Answers to "which of these Paulis", 0 where nothing else was said, and how often it was asked."""

    def __init__(self, given: Sequence[int] = ()) -> None:
        self.given = list(given)
        self.options: list[int] = []

    def pick(self, options: int) -> int:
        """A number below `options`."""
        place = len(self.options)
        self.options.append(options)
        return self.given[place] % options if place < len(self.given) else 0


def _cheapest(given: _Branches, build: Callable[[_Choices], _Selection]) -> _Selection:
    """Try other Paulis one question at a time, as long as two-qubit gates fall."""
    best = build(_Choices())
    left = min(TRIES, WORK // max(1, len(given.rows) * given.size))
    place = 0
    while place < len(best.choices.options):
        kept = best.choices
        for answer in range(1, kept.options[place]):
            if left == 0:
                return best
            left -= 1
            answers = [
                *kept.given[:place],
                *[0] * (place - len(kept.given)),
                answer,
                *kept.given[place + 1 :],
            ]
            found = build(_Choices(answers))
            if found.two_qubit < best.two_qubit:
                best = found
        place += 1
    return best


class _Selection:
    """Emits the selection, gate by gate.

    Args:
        given: what is selected.
        choices: which Paulis turn signs around.
        start: gates on address qubits to begin with.
    """

    def __init__(self, given: _Branches, choices: _Choices, start: Sequence[tuple[str, int]] = ()) -> None:
        self.given, self.choices = given, choices
        self.bits = len(given.address)
        self.frame = _Frame(given.size, given.model.num_qubits)
        self.builder = Builder((*given.address, *given.model.qubits))
        for param in given.params:
            self.builder.parameter(param.name, param.expression)
        self.phase = given.phase
        self.two_qubit = 0
        for name, qubit in start:
            self.add(name, (qubit,))
        for row in given.rows:
            self.row(row)

    def finished(self) -> _Selection:
        """With the frame undone, and the phases put on the addresses."""
        for qubit in range(self.given.model.num_qubits):
            self.clear(qubit)
        self.phases()
        return self

    def read(self, imaginary: bool) -> tuple[int, ...]:
        """For one address bit: turns X of it times the frame's string into Z's; the qubits they are on."""
        self.phases()
        observed = [0]
        for name in ("sdg", "h") if imaginary else ("h",):
            self.add(name, (0,))
        for qubit in range(self.given.model.num_qubits):
            letter = self.frame.letter(qubit, 0)
            if letter != I:
                for name in TO_Z[letter]:
                    self.add(name, (self.bits + qubit,))
                observed.append(self.bits + qubit)
        return tuple(observed)

    def add(self, name: str, qubits: Sequence[int], angles: Sequence[Angle] = ()) -> None:
        """Append a gate; qubits are numbered as in the builder."""
        self.two_qubit += len(qubits) == 2
        self.builder.add(name, qubits, angles)

    # rows

    def row(self, row: int) -> None:
        """Select what one row is in each circuit."""
        model = self.given.model
        gate, qubits = GATES[model.op[row]], _operands(model, row)
        angles = [self.given.angles[row, column] for column in range(gate.num_angles)]
        common = row in self.given.tail
        if gate.num_angles == 0:
            self.fixed(gate.name, qubits)
        elif gate.name in TURNS:
            self.turn(gate.name, qubits, angles[0], common)
        elif gate.name == "phased_xz":
            x, z, a = angles
            self.turn("rz", qubits, _times(a, -1.0))
            self.turn("rx", qubits, x)
            self.turn("rz", qubits, _plus(z, a), common)
        elif self.given.is_common(row):
            self.plain(gate.name, qubits, angles)
        elif gate.name in SIGNS:
            self.signed(gate.name, qubits, angles[0])
        elif gate.name == "cphase":
            self.cphase(qubits, angles[0])
        else:
            self.exchange(gate.name, qubits, angles)

    def fixed(self, name: str, qubits: tuple[int, ...]) -> None:
        """A gate without angles: Clifford gates carry the frame along, T gates are rotations."""
        turned = _conjugation(name)
        if turned is not None:
            self.frame.carry(*turned, qubits)
            self.add(name, self.data(qubits))
        elif len(qubits) == 1:
            family, angle, phase = GATES[BY_NAME[name].code].rotation or ("", 0.0, 0.0)
            size = self.given.size
            self.turn(family, qubits, {None: np.full(size, angle)})
            self.phase = _plus(self.phase, {None: np.full(size, phase)})
        else:
            self.plain(name, qubits, ())

    def plain(self, name: str, qubits: tuple[int, ...], angles: Sequence[Angles]) -> None:
        """A gate that all circuits have, and that the frame may not pass."""
        for qubit, axis in zip(qubits, AXIS_CODES[BY_NAME[name].code].tolist(), strict=False):
            self.clear(qubit, (None, X, Y, Z)[axis])
        self.add(name, self.data(qubits), [_angle({n: v[0] for n, v in a.items()}) for a in angles])

    def turn(self, name: str, qubits: tuple[int, ...], angles: Angles, common: bool = False) -> None:
        """A rotation about a Pauli string; `common` parts are left out if asked."""
        letters = TURNS[name]
        for mask, angle in _walk(angles, self.frame.against(letters, qubits), common):
            self.bring(mask, letters, qubits)
            self.add(name, self.data(qubits), [angle])

    def signed(self, name: str, qubits: tuple[int, ...], angles: Angles) -> None:
        """A controlled rotation: half of it, and half the other way round where the control is 1."""
        axis, sign = SIGNS[name]
        for factor in (0.5, -0.5):
            self.turn("r" + "ixzy"[axis], qubits[1:], _times(angles, factor))
            self.fixed(sign, qubits)

    def cphase(self, qubits: tuple[int, ...], angles: Angles) -> None:
        """A controlled RZ, and the phase of its control."""
        self.signed("crz", qubits, angles)
        self.turn("rz", qubits[:1], _times(angles, 0.5))
        self.phase = _plus(self.phase, _times(angles, 0.25))

    def exchange(self, name: str, qubits: tuple[int, ...], angles: Sequence[Angles]) -> None:
        """Givens and fSim: Z on either qubit turns the exchange around."""
        for qubit in qubits:
            self.clear(qubit, Z)
        start = self.frame.against((X, X), qubits)
        for mask, angle in _walk(angles[0], start, False):
            self.bring(mask, (X, X), qubits, only=Z)
            self.add(name, self.data(qubits), [angle] if name == "givens" else [angle, 0.0])
        if name == "fsim":
            self.cphase(qubits, _times(angles[1], -1.0))

    # frames

    def data(self, qubits: Sequence[int]) -> tuple[int, ...]:
        """Data qubits as the builder counts them."""
        return tuple(self.bits + q for q in qubits)

    def bring(
        self, mask: int, letters: Sequence[int], qubits: Sequence[int], only: int | None = None
    ) -> None:
        """Make the frame anticommute with a Pauli string for the addresses of odd parity in `mask`."""
        wrong = mask ^ self.frame.against(letters, qubits)
        for bit in _bits(wrong):
            self.flip(bit, *self.turning(bit, letters, qubits, only))

    def turning(
        self, bit: int, letters: Sequence[int], qubits: Sequence[int], only: int | None
    ) -> tuple[int, int]:
        """The Pauli, and its qubit, that turns a string's sign around: if there is, one shortening F."""
        pairs = zip(letters, qubits, strict=True)
        ways = [(w, q) for p, q in pairs for w in (Z, X, Y) if w != p and only in (None, w)]
        short = [(w, q) for w, q in ways if self.frame.letter(q, bit) == w]
        return short[0] if short else ways[self.choices.pick(len(ways))]

    def clear(self, qubit: int, but: int | None = None) -> None:
        """Take the frame away from a data qubit, but for one letter."""
        for bit in range(self.bits):
            letter = self.frame.letter(qubit, bit)
            if letter not in (I, but):
                self.flip(bit, letter, qubit)

    def flip(self, bit: int, letter: int, qubit: int) -> None:
        """A Pauli on a data qubit where an address bit is 1."""
        self.frame.flip(bit, letter, qubit)
        self.add(CONTROLLED[letter], (self.bits - 1 - bit, self.bits + qubit))

    def phases(self) -> None:
        """The circuits' phases, and those of the frame away, on the address."""
        power = np.asarray(-pi / 2 * (self.frame.power % 4), dtype=np.float64)
        left = _plus(self.phase, {None: power})
        for last in range(self.bits - 1, -1, -1):
            pairs = {name: values.reshape(-1, 2) for name, values in left.items()}
            now = 0
            for mask, angle in _walk({n: v[:, 1] - v[:, 0] for n, v in pairs.items()}, 0, False):
                now = self.step(now, mask, last)
                self.add("rz", (last,), [angle])
            self.step(now, 0, last)
            left = {name: values.mean(axis=1) for name, values in pairs.items()}
        self.builder.add_phase(_angle({name: float(values[0]) for name, values in left.items()}))

    def step(self, now: int, mask: int, last: int) -> int:
        """CX from the address qubits before `last` onto it, from one parity to another."""
        for bit in _bits(now ^ mask):
            self.add("cx", (last - 1 - bit, last))
        return mask


def _walk(angles: Angles, start: int, relative: bool) -> Iterator[tuple[int, Angle]]:
    """The rotations that make an angle for each address.

    Args:
        angles: the angle of each address.
        start: the parity mask at the beginning.
        relative: leave out the rotation that is the same for all addresses.

    Yields:
        (parity mask, angle), along a Gray code from `start`.
    """
    size = len(angles[None])
    parts = {name: walsh_transform(values) / size for name, values in angles.items()}
    needed = np.zeros(size, dtype=bool)
    for name, values in angles.items():
        needed |= np.abs(parts[name]) > NOTHING * np.abs(values).max()
    needed[0] &= not relative
    masks = np.flatnonzero(needed)
    for mask in masks[np.argsort(_rank(masks ^ start))].tolist():
        yield mask, _angle({name: float(values[mask]) for name, values in parts.items()})


def _rank(codes: Ints) -> Ints:
    """The place of each number in the Gray code."""
    out, shift = codes.copy(), 1
    while shift <= 1 << MAX_ADDRESS.bit_length():
        out ^= out >> shift
        shift *= 2
    return out


def _angle(values: dict[str | None, float]) -> Angle:
    terms = {name: coef for name, coef in values.items() if name is not None and coef != 0}
    return (float(values[None]), terms) if terms else float(values[None])


def _bits(mask: int) -> list[int]:
    return [bit for bit in range(mask.bit_length()) if mask >> bit & 1]


# -- what cancels


def _enclosing(circuit: Circuit) -> NDArray[np.bool_]:
    """Shape (rows,): the gates of the outermost layers that undo one another around all the rest."""
    undone = _Undone(circuit)
    out = np.zeros(len(circuit), dtype=bool)
    lines: list[deque[int]] = [deque() for _ in circuit.qubits]
    for row in range(len(circuit)):
        for qubit in _operands(circuit, row):
            lines[qubit].append(row)
    waiting = list(range(circuit.num_qubits))
    while waiting:
        line = lines[waiting.pop()]
        if len(line) < 2 or not undone(line[0], line[-1]):
            continue
        first, last = line[0], line[-1]
        touched = [lines[q] for q in _operands(circuit, first)]
        if all(len(t) > 1 and t[0] == first and t[-1] == last for t in touched):
            for other in touched:
                other.popleft()
                other.pop()
            out[[first, last]] = True
            waiting += _operands(circuit, first)
            waiting += [q for row in (first, last) for q in _neighbours(circuit, lines, row)]
    return out


def _neighbours(circuit: Circuit, lines: list[deque[int]], row: int) -> list[int]:
    """Qubits of the gates that are now outermost on the row's qubits."""
    ends = [line[end] for line in (lines[q] for q in _operands(circuit, row)) if line for end in (0, -1)]
    return [q for end in ends for q in _operands(circuit, end)]


def _cancels(circuit: Circuit, rows: Ints) -> bool:
    """Whether the fixed gates among the rows cancel in pairs."""
    undone = _Undone(circuit)
    lines: list[list[int]] = [[] for _ in circuit.qubits]
    for row in rows.tolist():
        if GATES[circuit.op[row]].num_angles:
            continue
        touched = [lines[q] for q in _operands(circuit, row)]
        tops = {line[-1] if line else -1 for line in touched}
        top = tops.pop()
        if not tops and top >= 0 and undone(top, row):
            for line in touched:
                line.pop()
        else:
            for line in touched:
                line.append(row)
    return not any(lines)


class _Undone:
    """Whether one row is the inverse of another."""

    def __init__(self, circuit: Circuit) -> None:
        self.circuit, self.terms = circuit, _slots(circuit)

    def __call__(self, first: int, last: int) -> bool:
        ops, gate = self.circuit.op, GATES[self.circuit.op[first]]
        if ops[last] != INVERSE[ops[first]] or not self._same_place(first, last):
            return False
        turned = np.array(gate.inverse_map or [[0.0]]) @ self.circuit.angles[first, : gate.num_angles or 1]
        found = self.circuit.angles[last, : gate.num_angles]
        return np.array_equal(turned[: gate.num_angles], found) and self._terms(first, last, gate)

    def _same_place(self, first: int, last: int) -> bool:
        a, b = _operands(self.circuit, first), _operands(self.circuit, last)
        return a == b or (GATES[self.circuit.op[first]].symmetric and sorted(a) == sorted(b))

    def _terms(self, first: int, last: int, gate: Gate) -> bool:
        given = [dict(self.terms.get(3 * first + c, ())) for c in range(gate.num_angles)]
        found = [dict(self.terms.get(3 * last + c, ())) for c in range(gate.num_angles)]
        for row, terms in zip(gate.inverse_map, found, strict=True):
            total: dict[str, float] = {}
            for factor, part in zip(row, given, strict=True):
                for name, coef in part.items():
                    total[name] = total.get(name, 0.0) + factor * coef
            if {name: coef for name, coef in total.items() if coef} != terms:
                return False
        return True
