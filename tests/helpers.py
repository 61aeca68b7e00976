"""What all tests of circuits share: random circuits, a circuit's plain meaning, what every pass promises."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import pi
from typing import Any

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

from qattn_compiler.circuit import spec
from qattn_compiler.circuit.gates import BY_NAME, GATES, MEASURE, OPAQUE, RESET
from qattn_compiler.circuit.table import Builder, Circuit, Extra

settings.register_profile("qattn", deadline=None, max_examples=100, print_blob=True)
settings.load_profile("qattn")

PARAMS = ("a", "b", "c")
COEFFICIENTS = (1.0, -1.0, 0.5, -2.0)
ALL_GATES = tuple(gate.name for gate in GATES if gate.num_qubits)
GATE_SETS = {
    "all": ALL_GATES,
    "entangling": ("cz", "cx", "swap", "h", "rz"),
    "clifford": ("cx", "t", "tdg", "s", "sdg", "x", "z", "cz", "sx", "sxdg"),
    "rotations": ("rz", "cz", "cx", "rx", "rzz", "cphase", "crz"),
    "one": tuple(gate.name for gate in GATES if gate.num_qubits == 1),
}


# -- random circuits ----------------------------------------------------------------------------------------


def random_circuit(
    rng: np.random.Generator,
    num_qubits: int,
    rows: int,
    names: Sequence[str] = ALL_GATES,
    symbolic: float = 0.3,
    walls: float = 0.0,
) -> Circuit:
    """Gates of these names; half the angles are multiples of pi / 4; some hold a symbol."""
    builder = Builder(range(num_qubits))
    for name in PARAMS:
        builder.parameter(name)
    for _ in range(rows):
        if rng.random() < walls:
            _add_wall(builder, int(rng.integers(len(_WALLS))), rng.permutation(num_qubits).tolist())
            continue
        gate = BY_NAME[names[rng.integers(len(names))]]
        if gate.num_qubits <= num_qubits:
            wires = rng.permutation(num_qubits)[: gate.num_qubits].tolist()
            builder.add(gate.name, wires, [_random_angle(rng, symbolic) for _ in range(gate.num_angles)])
    return builder.build()


def _random_angle(rng: np.random.Generator, symbolic: float) -> Any:
    constant = float(rng.integers(-4, 5) * pi / 4) if rng.random() < 0.5 else float(rng.normal() * 3)
    if rng.random() >= symbolic:
        return constant
    return (constant, {PARAMS[rng.integers(3)]: COEFFICIENTS[rng.integers(4)]})


_WALLS: tuple[Callable[[Builder, list[int]], None], ...] = (
    lambda b, q: b.measure(q[:1], "m"),
    lambda b, q: b.measure(q[:2], "k", (), (True,)),
    lambda b, q: b.reset(q[0]),
    lambda b, q: b.opaque(q[:1], "channel"),
    lambda b, q: b.opaque(q[:1], "if m", reads=("m",)),
    lambda b, q: b.opaque(q[:3], "wide", writes=("w",)),
    lambda b, q: b.opaque((), "clock", reads=("m",), writes=("k",)),
    lambda b, q: b.add("z", q[:1], (), Extra(tags=("keep",))),
    lambda b, q: b.add("rx", q[:1], (0.25,), Extra(tags=(7,))),
    lambda b, q: b.add("cz", q[:2], (), Extra(tags=())) if len(q) > 1 else b.reset(q[0]),
)


def _add_wall(builder: Builder, number: int, wires: list[int]) -> None:
    _WALLS[number](builder, wires)


def angles() -> st.SearchStrategy[Any]:
    """Angles: fractions of pi, any size, nearly nothing, and affine in the parameters."""
    number = st.one_of(
        st.integers(-8, 8).map(lambda k: k * pi / 4),
        st.floats(-20, 20, allow_subnormal=False),
        st.sampled_from((1e-9, -1e-12, 3e-15, pi + 1e-13, 2 * pi - 1e-15)),
    )
    terms = st.dictionaries(st.sampled_from(PARAMS), st.sampled_from(COEFFICIENTS), min_size=1, max_size=2)
    return st.one_of(number, number, st.tuples(number, terms))


@st.composite
def circuits(
    draw: st.DrawFn,
    max_qubits: int = 4,
    max_rows: int = 14,
    gates: str | None = None,
    symbolic: bool = True,
    walls: bool = True,
) -> Circuit:
    """Circuits over a gate set of `GATE_SETS` (any of them, if None), with symbols and walls."""
    names = GATE_SETS[gates or draw(st.sampled_from(sorted(GATE_SETS)))]
    size = draw(st.integers(1, max_qubits))
    names = tuple(name for name in names if BY_NAME[name].num_qubits <= size)
    builder = Builder(range(size))
    for name in PARAMS:
        builder.parameter(name)
    angle = angles() if symbolic else angles().filter(lambda a: not isinstance(a, tuple))
    for _ in range(draw(st.integers(0, max_rows))):
        wires = draw(st.permutations(range(size)))
        choice = draw(st.integers(0, 9 * len(names)))
        if walls and choice >= 8 * len(names):
            _add_wall(builder, choice % len(_WALLS), wires)
        else:
            gate = BY_NAME[names[choice % len(names)]]
            builder.add(gate.name, wires[: gate.num_qubits], [draw(angle) for _ in range(gate.num_angles)])
    builder.add_phase(draw(angle))
    return builder.build()


# -- meaning ------------------------------------------------------------------------------------------------


def random_values(circuit: Circuit, rng: np.random.Generator) -> dict[str, float]:
    """A value for each parameter."""
    return {param.name: float(rng.normal() * 2) for param in circuit.params}


def unitary(circuit: Circuit, values: dict[str, float] | None = None) -> np.ndarray[Any, Any]:
    """The dense unitary, global phase included, from the gate table's matrices alone.

    A wall (measurement, reset, foreign operation) is replaced by a random unitary of its own on its qubits
    and on one more wire for each classical key, so that circuits are equal only if no gate has crossed a
    wall and no two walls that share a qubit or key have changed places.
    """
    angles, phase = _values_of_slots(circuit, values or {})
    size = circuit.num_qubits + len(circuit.keys)
    state = np.eye(2**size, dtype=complex).reshape((2,) * size + (2**size,))
    for row in range(len(circuit)):
        matrix, wires = _matrix(circuit, row, angles[row])
        k = len(wires)
        state = np.tensordot(matrix.reshape((2,) * 2 * k), state, axes=(list(range(k, 2 * k)), wires))
        state = np.moveaxis(state, list(range(k)), wires)
    return np.exp(1j * phase) * state.reshape(2**size, 2**size)


def _values_of_slots(circuit: Circuit, values: dict[str, float]) -> tuple[np.ndarray[Any, Any], float]:
    """Angles (rows, 3) and phase, term by term (what `Affine.evaluate` does for a batch)."""
    angles, phase = circuit.angles.copy(), circuit.phase
    affine = circuit.affine
    for slot, param, coef in zip(affine.slot, affine.param, affine.coef, strict=True):
        value = coef * values[circuit.params[param].name]
        if slot < 0:
            phase += value
        else:
            angles[slot // 3, slot % 3] += value
    return angles, phase


def _matrix(
    circuit: Circuit, row: int, angles: np.ndarray[Any, Any]
) -> tuple[np.ndarray[Any, Any], list[int]]:
    gate = GATES[circuit.op[row]]
    if gate.matrix is not None:
        return gate.matrix(*angles[: gate.num_angles]), circuit.operands[row, : gate.num_qubits].tolist()
    extra = circuit.extras[circuit.extra[row]]
    keys = sorted({circuit.keys.index(key) for key in (*extra.reads, *extra.writes)})
    wires = [*extra.operands, *(circuit.num_qubits + key for key in keys)]
    name = repr(
        (gate.name, extra.reads, extra.writes, extra.tags, repr(extra.payload), extra.invert, len(wires))
    )
    return random_unitary(np.random.default_rng(zlib.crc32(name.encode())), 2 ** len(wires)), wires


def random_unitary(rng: np.random.Generator, size: int) -> np.ndarray[Any, Any]:
    """A Haar-random unitary."""
    q, r = np.linalg.qr(rng.normal(size=(size, size)) + 1j * rng.normal(size=(size, size)))
    return q * (np.diag(r) / np.abs(np.diag(r)))


def assert_same_meaning(before: Circuit, after: Circuit, atol: float = 1e-8) -> None:
    """Equal qubits, keys, parameters and unitary (global phase included) at random parameter values."""
    assert after.qubits == before.qubits
    assert after.keys == before.keys
    rng = np.random.default_rng(7)
    for _ in range(2 if before.is_symbolic else 1):
        values = random_values(before, rng)
        error = np.linalg.norm(unitary(before, values) - unitary(after, values), 2)
        assert error <= atol, f"operator norm of the difference: {error:.2e}"


# -- passes -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Snapshot:
    """A deep copy of what a pass must not change."""

    columns: tuple[bytes, ...]
    rest: tuple[Any, ...]

    @staticmethod
    def of(circuit: Circuit) -> _Snapshot:
        affine = circuit.affine
        columns = (circuit.op, circuit.operands, circuit.angles, circuit.extra)
        terms = (affine.slot, affine.param, affine.coef)
        rest = (circuit.qubits, circuit.extras, circuit.params, circuit.phase)
        return _Snapshot(tuple(column.tobytes() for column in (*columns, *terms)), rest)


def assert_pass(
    step: Any,
    circuit: Circuit,
    *,
    cost: Callable[[Circuit], float] = len,
    atol: float = 1e-8,
    keeps_tagged: bool = True,
    stage: str = "logical",
) -> Circuit:
    """Run a pass and check all that it promises; give its result back.

    Args:
        step: the pass.
        circuit: its input.
        cost: what the pass must never make worse.
        atol: how far the result's unitary may be from the input's, in operator norm.
        keeps_tagged: whether gates with tags must stay (walls always must).
        stage: what the result must satisfy.
    """
    before = _Snapshot.of(circuit)
    result: Circuit = step.run(circuit)
    assert _Snapshot.of(circuit) == before, f"{step.name} changed its input"
    spec.check(result, stage)
    assert result.params == circuit.params
    assert_same_meaning(circuit, result, atol)
    assert walls(result, keeps_tagged) == walls(circuit, keeps_tagged)
    assert cost(result) <= cost(circuit)
    assert step.run(result) is result, f"{step.name} found more to do in its own result"
    if result is not circuit:
        assert _Snapshot.of(result) != before, f"{step.name} changed nothing, but made a new object"
    return result


def walls(circuit: Circuit, tagged: bool = True) -> list[tuple[Any, ...]]:
    """Rows that no pass may touch, in order: measurements, resets, foreign operations, tagged gates."""
    out = []
    for row in np.flatnonzero(circuit.extra >= 0):
        if tagged or circuit.op[row] in (MEASURE, RESET, OPAQUE):
            columns = (circuit.op[row], circuit.operands[row].tolist(), circuit.angles[row].tolist())
            out.append((*columns, circuit.extras[circuit.extra[row]]))
    return out


CZ_COST = {"cz": 1, "swap": 3, "cx": 1, "cy": 1, "ch": 1, "iswap": 2, "iswapdg": 2}


def cz_cost(circuit: Circuit) -> int:
    """How many CZ the circuit takes (two for every two-qubit gate that is not in `CZ_COST`)."""
    return sum(CZ_COST.get(GATES[op].name, 2) for op in circuit.op if GATES[op].num_qubits == 2)


def make(num_qubits: int, *rows: Any) -> Circuit:
    """A circuit written down: rows are (name, qubits, *angles); an angle may name a parameter: "s", "-s"."""
    builder = Builder(range(num_qubits))
    for name, wires, *given in rows:
        values: list[Any] = []
        for angle in given:
            if isinstance(angle, str):
                values.append((0.0, {angle.lstrip("-"): -1.0 if angle.startswith("-") else 1.0}))
            else:
                values.append(angle)
        builder.add(name, (wires,) if isinstance(wires, int) else wires, values)
    return builder.build()


def shown(circuit: Circuit) -> list[str]:
    """Rows in short: "cx 0 1"."""
    out = []
    for row in range(len(circuit)):
        gate = GATES[circuit.op[row]]
        out.append(" ".join([gate.name, *(str(q) for q in circuit.operands[row] if q >= 0)]))
    return out
