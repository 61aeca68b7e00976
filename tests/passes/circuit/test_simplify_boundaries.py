"""SimplifyBoundaries."""

from __future__ import annotations

from math import pi
from typing import Any

import cirq
import numpy as np
import pytest
from helpers import (
    GATE_SETS,
    _values_of_slots,
    circuits,
    cz_cost,
    make,
    random_circuit,
    random_unitary,
    random_values,
    shown,
    walls,
)
from hypothesis import given

from qattn_compiler.circuit import spec, su2
from qattn_compiler.circuit.gates import BY_NAME, GATES, MEASURE, RESET
from qattn_compiler.circuit.params import GLOBAL_PHASE
from qattn_compiler.circuit.table import Builder, Circuit, Extra, append, same
from qattn_compiler.errors import PassError
from qattn_compiler.interop.cirq_io import to_cirq
from qattn_compiler.passes.circuit.simplify_boundaries import SimplifyBoundaries, named

ZERO = SimplifyBoundaries()
RESETS = SimplifyBoundaries(inputs_zero=False)
MEASURED = SimplifyBoundaries(measured_only=True)
RELABEL = SimplifyBoundaries(measured_only=True, relabel=True)


# -- meaning: a state with one more qubit for each measured bit, each reset and each foreign operation ------


class World:
    """A pure state in which everything that a wall does to the outside is on a qubit of its own.

    A measurement copies each bit (inverted or not) to a fresh qubit and mixes it into its key's qubit; a
    reset exchanges its qubit with a fresh one; a foreign operation is a random unitary on its qubits, its
    keys and a fresh qubit. So two circuits have the same pure state exactly if all branches have the same
    amplitudes.
    """

    def __init__(self, circuit: Circuit, values: dict[str, float], start: np.ndarray | None = None) -> None:
        self.circuit = circuit
        n = circuit.num_qubits
        first = np.eye(2**n)[0] if start is None else start
        self.state = first.astype(complex).reshape((2,) * n)
        self.bits: list[int] = []
        self.given: list[int] = []
        self.keys = {key: self._fresh() for key in circuit.keys}
        angles, phase = _values_of_slots(circuit, values)
        for row in range(len(circuit)):
            self._step(row, angles[row])
        self.state = self.state * np.exp(1j * phase)

    def _fresh(self) -> int:
        self.state = np.multiply.outer(self.state, np.array([1.0, 0.0]))
        return self.state.ndim - 1

    def _apply(self, matrix: np.ndarray, axes: list[int]) -> None:
        k = len(axes)
        out = np.tensordot(matrix.reshape((2,) * 2 * k), self.state, axes=(list(range(k, 2 * k)), axes))
        self.state = np.moveaxis(out, list(range(k)), axes)

    def _step(self, row: int, angles: np.ndarray) -> None:
        circuit = self.circuit
        gate = GATES[circuit.op[row]]
        if gate.matrix is not None:
            axes = circuit.operands[row, : gate.num_qubits].tolist()
            return self._apply(gate.matrix(*angles[: gate.num_angles]), axes)
        extra = circuit.extras[circuit.extra[row]]
        if gate.code == MEASURE:
            return self._measure(extra)
        if gate.code == RESET:
            return self._apply(GATES[BY_NAME["swap"].code].matrix(), [extra.operands[0], self._fresh()])
        axes = [*extra.operands, *(self.keys[k] for k in sorted({*extra.reads, *extra.writes}))]
        axes.append(self._fresh())
        self.given.append(axes[-1])
        seed = sum(map(ord, str(extra.payload))) + len(axes)
        return self._apply(random_unitary(np.random.default_rng(seed), 2 ** len(axes)), axes)

    def _measure(self, extra: Extra) -> None:
        cx, x = BY_NAME["cx"].matrix(), BY_NAME["x"].matrix()
        for k, qubit in enumerate(extra.operands):
            bit = self._fresh()
            self.bits.append(bit)
            self._apply(cx, [qubit, bit])
            if k < len(extra.invert) and extra.invert[k]:
                self._apply(x, [bit])
            self._apply(cx, [bit, self.keys[extra.writes[0]]])

    def density(self) -> np.ndarray:
        """The reduced state of all that is seen: measured bits, keys, and what foreign operations gave."""
        rest = [*self.given, *self.keys.values()]
        seen = [*self.bits, *rest]
        front = np.moveaxis(self.state, seen, range(len(seen))).reshape(
            2 ** len(self.bits), 2 ** len(rest), -1
        )
        return np.einsum("bij,bkj->bik", front, front.conj())  # measured bits are not coherent


def count_walls(circuit: Circuit) -> int:
    return sum(len(e.operands) + 1 for i in circuit.extra if i >= 0 for e in [circuit.extras[i]])


def assert_promises(step: SimplifyBoundaries, circuit: Circuit) -> Circuit:
    """All that the pass promises for its options."""
    before = (circuit.op.tobytes(), circuit.angles.tobytes(), circuit.operands.tobytes(), circuit.phase)
    result = step.run(circuit)
    assert before == (
        circuit.op.tobytes(),
        circuit.angles.tobytes(),
        circuit.operands.tobytes(),
        circuit.phase,
    )
    spec.check(result)
    assert result.params == circuit.params
    assert result.qubits == circuit.qubits
    assert set(result.keys) == set(circuit.keys)
    assert cz_cost(result) <= cz_cost(circuit)
    assert step.run(result) is result
    if result is not circuit:
        assert not same(result, circuit)
    if not step.relabel:
        assert walls(result) == walls(circuit)
    if circuit.num_qubits + len(circuit.keys) + count_walls(circuit) <= 14:
        assert_meaning(step, circuit, result)
    return result


def assert_meaning(step: SimplifyBoundaries, circuit: Circuit, result: Circuit) -> None:
    rng = np.random.default_rng(5)
    for _ in range(2 if circuit.is_symbolic else 1):
        values = random_values(circuit, rng)
        start = None
        if not step.inputs_zero:
            start = rng.normal(size=2**circuit.num_qubits) + 1j * rng.normal(size=2**circuit.num_qubits)
            start /= np.linalg.norm(start)
        one, two = World(circuit, values, start), World(result, values, start)
        if step.measured_only:
            assert np.abs(one.density() - two.density()).max() < 1e-9
        else:
            assert np.abs(one.state - two.state).max() < 1e-9


@given(circuits())
def test_promises(circuit):
    assert_promises(ZERO, circuit)


@given(circuits(max_rows=10))
def test_promises_for_unknown_inputs(circuit):
    assert_promises(RESETS, circuit)


@given(circuits(max_rows=10))
def test_promises_for_measurements(circuit):
    assert_promises(MEASURED, circuit)
    assert_promises(RELABEL, circuit)


def measured(circuit: Circuit, rng: np.random.Generator) -> Circuit:
    """The circuit with some qubits measured at the end, in one or several keys."""
    builder = Builder(circuit.qubits)
    append(builder, circuit)
    chosen = rng.permutation(circuit.num_qubits)[: rng.integers(1, circuit.num_qubits + 1)].tolist()
    if rng.random() < 0.5:
        builder.measure(chosen, "all", (), (True,) if rng.random() < 0.5 else ())
    else:
        for q in chosen:
            builder.measure([q], f"q{q}")
    return builder.build()


@pytest.mark.parametrize("names", GATE_SETS)
def test_promises_on_longer_circuits(names):
    rng = np.random.default_rng(17)
    for _ in range(25):
        circuit = random_circuit(rng, 4, 25, GATE_SETS[names], walls=0.05)
        assert_promises(ZERO, circuit)
        assert_promises(RESETS, circuit)
        last = measured(random_circuit(rng, 4, 12, GATE_SETS[names], walls=0.05), rng)
        for step in (ZERO, MEASURED, RELABEL):
            assert_promises(step, last)


# -- known inputs, case by case ------------------------------------------------------------------------------


def simplified(num_qubits: int, *rows: Any, step: SimplifyBoundaries = ZERO) -> Circuit:
    return assert_promises(step, make(num_qubits, *rows))


def test_controls_on_zero_never_fire():
    names = ("cx", "cy", "cz", "ch")
    rows = [*((name, (0, 1)) for name in names), *((name, (0, 1), 0.3) for name in ("crx", "cry", "crz"))]
    out = simplified(
        2, ("h", 1), *rows, ("cphase", (1, 0), 0.7), ("cphase", (1, 0), "s"), ("crx", (0, 1), "s")
    )
    assert shown(out) == ["h 1"]
    assert out.phase == 0
    assert not len(out.affine)


def test_controls_on_one_always_fire():
    rows = [
        ("cx", (0, 1)),
        ("ch", (0, 1)),
        ("crz", (0, 1), 0.5),
        ("cphase", (1, 0), 0.25),
        ("crx", (0, 1), "s"),
    ]
    out = simplified(3, ("x", 0), ("cx", (1, 2)), ("rx", 1, "t"), *rows)
    assert shown(out) == ["x 0", "rx 1", "x 1", "h 1", "rz 1", "rz 1", "rx 1"]
    assert out.angles[4:6, 0].tolist() == pytest.approx([0.5, 0.25])
    assert out.affine.at(3 * 6) == ((1, 1.0),)
    assert out.phase == pytest.approx(0.125)


def test_targets_in_an_eigenstate_kick_back():
    unknown = ("rx", 0, "t")
    minus = [("x", 1), ("h", 1)]
    assert shown(simplified(2, unknown, ("h", 1), ("cx", (0, 1)))) == ["rx 0", "h 1"]
    assert shown(simplified(2, unknown, *minus, ("cx", (0, 1)))) == ["rx 0", "x 1", "h 1", "z 0"]
    assert shown(simplified(2, unknown, ("sxdg", 1), ("cy", (0, 1)))) == ["rx 0", "sxdg 1"]
    out = simplified(2, unknown, *minus, ("crx", (0, 1), "s"))
    assert shown(out) == ["rx 0", "x 1", "h 1", "rz 0"]
    assert out.affine.at(9) == ((1, 0.5),)
    assert out.affine.at(GLOBAL_PHASE) == ((1, 0.25),)


def test_diagonals_on_a_basis_state_are_a_phase():
    out = simplified(2, ("rz", 0, 0.5), ("t", 0), ("x", 1), ("rz", 1, "s"), ("s", 1), ("rzz", (0, 1), 0.5))
    assert shown(out) == ["x 1"]
    assert out.phase == pytest.approx((-0.25 + pi / 2 + 0.25) % (2 * pi))
    assert out.affine.at(GLOBAL_PHASE) == ((0, 0.5),)


def test_two_known_states_that_stay_apart_are_turned_alone():
    out = simplified(2, ("h", 0), ("h", 1), ("cz", (0, 1)), ("h", 1))
    assert shown(out) == ["h 0", "h 1", "cz 0 1", "h 1"]
    out = simplified(2, ("h", 0), ("h", 1), ("rzz", (0, 1), pi))
    assert shown(out) == ["h 0", "h 1", "z 0", "z 1"]
    assert shown(simplified(2, ("x", 0), ("iswap", (0, 1)))) == ["x 0", "x 0", "x 1"]
    assert shown(simplified(2, ("swap", (0, 1)), ("givens", (0, 1), 0.5), ("fsim", (0, 1), "s", 0.25))) == []


def test_excitations_keep_both_ones():
    out = simplified(2, ("x", 0), ("x", 1), ("fsim", (0, 1), "s", "t"), ("givens", (0, 1), "s"))
    assert shown(out) == ["x 0", "x 1"]
    assert out.affine.at(GLOBAL_PHASE) == ((1, -1.0),)


@pytest.mark.parametrize("name", ["crx", "cry", "crz", "cphase", "rxx", "ryy", "rzz"])
@pytest.mark.parametrize("known", [0, 1])
def test_a_turn_of_a_known_qubit_takes_one_entangler(name, known):
    for seed in range(5):
        rng = np.random.default_rng(seed)
        angle, x, z, a = (float(v) for v in rng.normal(size=4))
        out = simplified(2, ("rx", 1 - known, "t"), ("phased_xz", known, x, z, a), (name, (0, 1), angle))
        assert cz_cost(out) == 1


@pytest.mark.parametrize("state", [(), ("x",), ("h",), ("x", "h"), ("sx",), ("sxdg",)])
@pytest.mark.parametrize("name", ["crx", "cry", "crz", "cphase", "rxx", "ryy", "rzz"])
@pytest.mark.parametrize("known", [0, 1])
def test_symbolic_turns_of_pauli_eigenstates(name, known, state):
    rows = [("rx", 1 - known, "t"), ("ry", 1 - known, "u"), *((gate, known) for gate in state)]
    out = simplified(2, *rows, (name, (0, 1), "s"))
    by_axis = {(): "Z", ("x",): "Z", ("h",): "X", ("x", "h"): "X", ("sx",): "Y", ("sxdg",): "Y"}[state]
    axis, other = BY_NAME[name].axes[known], BY_NAME[name].axes[1 - known]
    if by_axis == axis:
        assert cz_cost(out) == 0
    elif known == 0 and name in ("crx", "cry", "crz"):
        assert cz_cost(out) == 2  # the control is in no state that helps
    else:
        assert cz_cost(out) == (1 if "Z" in (by_axis, other) else 2)


def test_any_gate_on_two_known_qubits_takes_one_entangler():
    for name in ("fsim", "givens", "siswap", "iswapdg", "iswap", "swap", "rxx"):
        rng = np.random.default_rng(3)
        gate = BY_NAME[name]
        for _ in range(5):
            turns = [("phased_xz", q, *(float(v) for v in rng.normal(size=3))) for q in (0, 1)]
            angles = [float(v) for v in rng.normal(size=gate.num_angles)]
            assert cz_cost(simplified(2, *turns, (name, (1, 0), *angles))) <= 1


def test_a_swap_of_a_known_qubit_takes_two_cx():
    out = simplified(2, ("rx", 0, "t"), ("x", 1), ("swap", (0, 1)), ("cx", (0, 1)), ("h", 1))
    assert shown(out) == ["rx 0", "x 1", "x 1", "cx 0 1", "cx 1 0", "x 0", "x 1", "h 1"]
    out = simplified(3, ("rx", 0, "t"), ("iswap", (0, 1)), ("cx", (0, 2)))
    assert shown(out) == ["rx 0", "iswap 0 1"]  # what is known has moved


def test_one_entangler_is_left_as_it_is():
    for name in ("cx", "cy", "cz", "ch"):
        circuit = make(2, ("rx", 0, "t"), ("ry", 1, 0.4), (name, (0, 1)))
        assert ZERO.run(circuit) is circuit


def test_what_is_known_ends_at_walls():
    builder = Builder(range(2))
    builder.opaque([0], "noise")
    builder.add("cx", (0, 1))
    builder.add("h", (0,))
    builder.measure([0], "m")
    builder.add("cx", (0, 1))
    builder.reset(0)
    builder.add("cx", (0, 1))
    circuit = builder.build()
    assert shown(assert_promises(ZERO, circuit)) == [
        *("opaque 0", "cx 0 1", "h 0", "measure 0", "cx 0 1", "reset 0"),
    ]
    assert len(RESETS.run(circuit)) == 6


def test_a_measured_basis_state_stays_known():
    builder = Builder(range(2))
    builder.add("x", (0,))
    builder.measure([0, 1], "m")
    builder.add("cx", (0, 1))
    assert shown(assert_promises(ZERO, builder.build())) == ["x 0", "measure 0 1", "x 1"]


def test_tagged_gates_stay_and_are_followed():
    builder = Builder(range(2))
    builder.add("x", (0,), (), Extra(tags=("a",)))
    builder.add("cx", (0, 1), (), Extra(tags=("b",)))
    builder.add("z", (1,), (), Extra(tags=("c",)))
    builder.add("z", (1,))
    out = assert_promises(ZERO, builder.build())
    assert shown(out) == ["x 0", "cx 0 1", "z 1"]
    assert out.phase == pytest.approx(pi)


def test_inputs_that_are_not_zero():
    circuit = make(2, ("cx", (0, 1)), ("rz", 0, 0.5))
    assert RESETS.run(circuit) is circuit


def test_negligible_rotations_go_by_atol():
    circuit = make(1, ("rx", 0, 1e-6))
    assert ZERO.run(circuit) is circuit
    assert len(SimplifyBoundaries(atol=1e-6).run(circuit)) == 0


def test_many_edits():
    out = simplified(2, ("x", 0), *[("crx", (0, 1), 0.1 + k) for k in range(100)])
    assert shown(out) == ["x 0", *["rx 1"] * 100]
    assert np.cos(out.angles[1:, 0]) == pytest.approx(np.cos(0.1 + np.arange(100)))


def test_knowledge_goes_from_gate_to_gate():
    rows = [("ry", 0, 0.3), ("cry", (1, 0), 0.4), ("cx", (2, 1))]
    assert shown(simplified(3, *rows)) == ["ry 0"]


def twins(*rows: Any, flipped: bool = False) -> list[str]:
    """What is left of rows after two qubits with always equal (or never equal) values have been made."""
    begin = [("rx", 0, "t"), ("cx", (0, 1)), *([("x", 1)] if flipped else [])]
    out = shown(simplified(3, *begin, *rows))
    assert out[: len(begin)] == ["rx 0", "cx 0 1", *(["x 1"] if flipped else [])]
    return out[len(begin) :]


def test_gates_on_equal_qubits():
    assert twins(("cz", (0, 1))) == ["z 0"]
    assert twins(("cphase", (1, 0), 0.3)) == ["rz 1"]
    assert twins(("cphase", (1, 0), "s"), ("crz", (0, 1), "s")) == ["rz 1", "rz 0"]
    assert twins(("rzz", (0, 1), "s"), ("rzz", (0, 1), 0.5)) == []
    assert twins(("swap", (0, 1)), ("givens", (0, 1), 0.3), ("givens", (0, 1), "s"), ("iswap", (1, 0))) == []
    assert twins(("fsim", (0, 1), 0.3, 0.4), ("siswap", (0, 1)), ("cz", (0, 1))) == ["rz 0", "z 0"]
    assert twins(("crx", (0, 1), 0.3)) == ["crx 0 1"]


def test_gates_on_qubits_that_are_never_equal():
    assert twins(("cz", (0, 1)), flipped=True) == []
    assert twins(("cphase", (1, 0), "s"), ("rzz", (0, 1), "s"), flipped=True) == []
    assert twins(("crz", (0, 1), "s"), ("crz", (0, 1), 0.2), flipped=True) == ["rz 0", "rz 0"]
    assert twins(("swap", (0, 1)), flipped=True) == ["x 0", "x 1"]
    assert twins(("givens", (0, 1), "s"), flipped=True) == ["givens 0 1"]


def test_uncomputed_qubits_are_known_again():
    assert twins(("crz", (1, 2), 0.3), ("cx", (0, 1)), ("cx", (1, 2))) == ["rz 1", "cx 0 1"]
    rows = [("h", 2), ("crz", (1, 2), 0.3), ("cx", (0, 1)), ("cx", (1, 2))]
    assert twins(*rows)[-1] == "cx 0 1"
    assert twins(("x", 0), ("cx", (0, 1)), ("h", 2), ("cz", (1, 2))) == ["x 0", "cx 0 1", "h 2", "z 2"]
    # the sum of two qubits' values goes on through what keeps it
    kept = [("rxx", (0, 1), "s"), ("ryy", (0, 1), 0.3), ("cx", (0, 1)), ("cx", (1, 2))]
    assert twins(*kept) == ["rxx 0 1", "ryy 0 1", "cx 0 1"]


def test_a_copy_is_lost_when_one_of_the_two_is_turned():
    for row in (("h", 0), ("rx", 1, "s"), ("crx", (2, 0), 0.3), ("ry", 1, 0.2)):
        assert twins(("h", 2), row, ("cz", (0, 1)))[-1] == "cz 0 1"


def test_a_reset_ends_what_was_known_of_a_copy():
    builder = Builder(range(3))
    append(builder, make(3, ("rx", 0, "t"), ("cx", (0, 1)), ("ry", 2, "u")))
    builder.reset(1)
    append(builder, make(3, ("cx", (2, 1)), ("cz", (0, 1)), ("cz", (1, 2))))
    out = shown(assert_promises(ZERO, builder.build()))
    assert out == ["rx 0", "cx 0 1", "ry 2", "reset 1", "cx 2 1", "cz 0 1", "z 1"]


def test_other_gates_are_diagonal_on_their_first_qubit():
    """What `_follow_pair` takes for granted of the gates that it does not name."""
    named = {"swap", "iswap", "iswapdg", "givens", "fsim", "siswap", "siswapdg", "rxx", "ryy"}
    assert all(g.axes[0] == "Z" for g in GATES if g.num_qubits == 2 and g.name not in named)


def test_a_swap_of_a_known_qubit_leaves_it_known():
    out = simplified(3, ("rx", 0, "t"), ("swap", (0, 1)), ("cx", (0, 2)), ("cx", (1, 2)))
    assert shown(out) == ["rx 0", "cx 0 1", "cx 1 0", "cx 1 2"]


@pytest.mark.parametrize("name", ["x", "y", "z", "h", "s", "sdg", "t", "tdg", "sx", "sxdg", "rx", "ry", "rz"])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_named(name, sign):
    gate = BY_NAME[name]
    angles = np.zeros((1, 3))
    angles[0, : gate.num_angles] = 0.7
    q, _ = su2.quaternions(np.array([gate.code], dtype=np.uint8), angles)
    op, found, phase = named(sign * q)
    assert GATES[op[0]].name == name
    a, b, c, d = sign * q[0]
    unitary = np.array([[a - 1j * d, -c - 1j * b], [c - 1j * b, a + 1j * d]])
    named_unitary = np.exp(1j * phase) * gate.matrix(*found[0, : gate.num_angles])
    assert np.abs(named_unitary - unitary).max() < 1e-12


# -- measurements, case by case ------------------------------------------------------------------------------


def with_measurements(circuit: Circuit, *qubits: int) -> Circuit:
    builder = Builder(circuit.qubits)
    append(builder, circuit)
    for q in qubits:
        builder.measure([q], f"q{q}")
    return builder.build()


def left(step: SimplifyBoundaries, num_qubits: int, qubits: tuple[int, ...], *rows: Any) -> list[str]:
    """What is left of the rows before measurements of these qubits; inputs are not known."""
    step = SimplifyBoundaries(False, step.measured_only, step.relabel)
    return shown(assert_promises(step, with_measurements(make(num_qubits, *rows), *qubits)))


def test_diagonal_gates_before_measurements():
    rows = [
        ("h", 0),
        ("h", 1),
        ("rz", 0, "s"),
        ("t", 1),
        ("cz", (0, 1)),
        ("cphase", (0, 1), 0.3),
        ("rzz", (1, 0), 1.0),
    ]
    assert left(MEASURED, 2, (0, 1), *rows) == ["h 0", "h 1", "measure 0", "measure 1"]
    assert len(left(ZERO, 2, (0, 1), *rows)) == 9


def test_diagonal_gates_before_a_permutation():
    rows = [("h", 0), ("rz", 1, "s"), ("cx", (0, 1)), ("x", 1)]
    assert left(MEASURED, 2, (0, 1), *rows) == ["h 0", "cx 0 1", "x 1", "measure 0", "measure 1"]


def test_a_diagonal_gate_matters_to_what_is_turned():
    rows = [("h", 0), ("rz", 0, "s"), ("h", 0), ("cz", (0, 1)), ("h", 1)]
    assert left(MEASURED, 2, (0,), *rows) == ["h 0", "rz 0", "h 0", "measure 0"]
    assert len(left(MEASURED, 2, (0, 1), *rows)) == 7


def test_light_cone():
    rows = [("h", 0), ("cx", (0, 1)), ("cx", (1, 2)), ("h", 2), ("cx", (0, 2)), ("h", 0)]
    assert left(MEASURED, 3, (1,), *rows) == ["h 0", "cx 0 1", "measure 1"]


@pytest.mark.parametrize("name", ["swap", "iswap", "iswapdg"])
def test_light_cone_crosses_with_a_swap(name):
    rows = [("h", 0), ("t", 0), ("h", 1), ("s", 1), (name, (0, 1))]
    assert left(MEASURED, 2, (1,), *rows)[0] == "h 0"
    assert "t 0" not in left(MEASURED, 2, (1,), *rows)
    assert left(MEASURED, 2, (1,), *rows, ("h", 1))[:2] == ["h 0", "t 0"]
    assert left(MEASURED, 2, (0, 1), *rows) == ["h 0", "h 1", f"{name} 0 1", "measure 0", "measure 1"]


def test_no_measurement_no_light_cone():
    circuit = make(2, ("h", 0), ("rz", 0, "s"))
    assert RELABEL.run(circuit) is circuit


def test_before_a_reset_nothing_matters():
    builder = Builder(range(2))
    builder.add("h", (0,))
    builder.reset(0)
    builder.add("h", (0,))
    builder.measure([0], "m")
    assert shown(assert_promises(MEASURED, builder.build())) == ["reset 0", "h 0", "measure 0"]


def test_measured_qubits_that_are_used_again():
    builder = Builder(range(2))
    for _ in range(2):
        builder.add("h", (0,))
        builder.add("t", (0,))
        builder.measure([0], "m")
    assert shown(assert_promises(RELABEL, builder.build())) == ["h 0", "measure 0"] * 2


def test_what_a_foreign_operation_is_given_matters():
    builder = Builder(range(2))
    builder.add("h", (0,))
    builder.add("t", (0,))
    builder.opaque([0], "if m", reads=("m",))
    builder.measure([1], "m")
    assert len(assert_promises(MEASURED, builder.build())) == 4


def test_swaps_go_by_relabelling():
    out = left(RELABEL, 3, (1, 2), ("h", 0), ("swap", (0, 1)), ("rx", 1, "s"), ("cx", (1, 2)))
    assert out == ["h 0", "rx 0", "cx 0 2", "measure 0", "measure 2"]
    out = left(RELABEL, 2, (0, 1), ("h", 0), ("h", 1), ("iswap", (0, 1)), ("h", 0), ("h", 1))
    assert out == ["h 0", "h 1", "s 0", "s 1", "cz 0 1", "h 1", "h 0", "measure 1", "measure 0"]


def test_relabelled_walls_and_tags():
    builder = Builder(range(3))
    builder.add("swap", (0, 2))
    builder.add("h", (0,), (), Extra((0,), tags=("a",)))
    builder.opaque([2, 0, 1], "wide")
    builder.reset(0)
    builder.measure([0, 1, 2], "m")
    out = assert_promises(SimplifyBoundaries(False, True, True), builder.build())
    assert [out.extras[i].operands for i in out.extra] == [(2,), (0, 2, 1), (2,), (2, 1, 0)]
    assert out.operands[:, 0].tolist() == [2, 0, 2, 2]


def test_flips_become_inverted_bits():
    builder = Builder(range(3))
    builder.add("h", (0,))
    for q in range(3):
        builder.add("x", (q,))
    builder.measure([1, 2, 0], "m", (), (True,))
    out = assert_promises(SimplifyBoundaries(False, True, True), builder.build())
    assert shown(out) == ["h 0", "measure 1 2"]
    assert out.extras[out.extra[1]].invert == (False, True, True)


def test_a_flip_stays_before_a_gate():
    for row in (("ch", (0, 1)), ("cz", (1, 0)), ("cry", (1, 0), 0.3), ("ch", (1, 0))):
        assert "x 1" in left(RELABEL, 2, (0, 1), ("x", 1), row, ("h", 0))


def test_a_flip_stays_before_a_measurement_that_is_not_the_last():
    builder = Builder(range(2))
    builder.add("x", (0,))
    builder.measure([0], "m")
    builder.add("h", (0,))
    builder.measure([0], "n")
    circuit = builder.build()
    assert SimplifyBoundaries(False, True, True).run(circuit) is circuit
    circuit = with_measurements(make(1, ("x", 0)), 0)
    assert MEASURED.run(circuit) is circuit


def test_all_at_once():
    """A prepared, entangled pair with a routed, phased read-out: the entangler and two turns are left."""
    rows = [
        ("rz", 1, 0.3),
        ("ry", 0, 0.8),
        ("cx", (1, 2)),
        ("crx", (0, 1), 0.9),
        ("swap", (1, 2)),
        ("t", 2),
        ("x", 0),
    ]
    out = assert_promises(RELABEL, with_measurements(make(3, *rows), 0, 2))
    assert cz_cost(out) == 1
    assert "swap" not in " ".join(shown(out))


# -- as a Cirq transformer, options --------------------------------------------------------------------------


def test_distribution_as_cirq_sees_it():
    rng = np.random.default_rng(11)
    qubits = cirq.LineQubit.range(3)
    for _ in range(10):
        plain = random_circuit(rng, 3, 12, symbolic=0.0)
        circuit = to_cirq(
            Circuit(tuple(qubits), plain.op, plain.operands, plain.angles, plain.extra, phase=plain.phase)
        )
        circuit += cirq.measure(*qubits, key="m", invert_mask=(True, False))
        after = RELABEL(circuit)
        counts = [
            np.bincount(
                cirq.Simulator(seed=1).run(c, repetitions=20000).measurements["m"] @ [4, 2, 1], minlength=8
            )
            for c in (circuit, after)
        ]
        assert np.abs(counts[0] - counts[1]).max() < 800


def test_parts_of_a_circuit_do_not_begin_at_zero():
    a, b = cirq.LineQubit.range(2)
    inner = cirq.FrozenCircuit(cirq.CX(a, b))
    circuit = cirq.Circuit(cirq.H(a), cirq.CircuitOperation(inner))
    assert ZERO(circuit, context=cirq.TransformerContext(deep=True)) is circuit
    assert ZERO(cirq.Circuit(cirq.CX(a, b))) == cirq.Circuit()


@pytest.mark.parametrize(
    "options", [{"relabel": True}, {"atol": -1.0}, {"atol": 0.1}, {"atol": float("nan")}]
)
def test_bad_options(options):
    with pytest.raises(PassError, match="simplify-boundaries"):
        SimplifyBoundaries(**options)


def test_empty():
    for size in (0, 2):
        circuit = Builder(range(size)).build()
        assert RELABEL.run(circuit) is circuit
