"""Cirq circuits of everything that Cirq has: all gates, symbols, tags, nested circuits, measurements,
classical control, resets, channels, operations that nobody knows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cirq
import numpy as np
import sympy

from fuzzing.choices import Choices

SYMBOLS = sympy.symbols("a b c")
VALUES = {"a": 0.37, "b": -1.1, "c": 2.3}
KEYS = ("m", "k", "z")


class Unheard(cirq.Gate):
    """A gate without unitary or decomposition."""

    def __init__(self, width: int) -> None:
        self.width = width

    def _num_qubits_(self) -> int:
        return self.width


class Decomposes(cirq.Gate):
    """A gate that says only what it is made of."""

    def _num_qubits_(self) -> int:
        return 2

    def _decompose_(self, qubits: Any) -> Any:
        a, b = qubits
        return [cirq.H(a), cirq.CX(a, b) ** 0.5, cirq.T(b)]


def exponent(c: Choices, symbolic: bool) -> Any:
    """A number, or (if allowed) an expression of symbols."""
    if not symbolic or not c.chance(40):
        return c.number()
    one, two = c.pick(SYMBOLS), c.pick(SYMBOLS)
    forms: tuple[Callable[[], Any], ...] = (
        lambda: one,
        lambda: -one / 2,
        lambda: one + two,
        lambda: 2 * one - two / 3 + 0.25,
        lambda: one / sympy.pi,
        lambda: sympy.sin(one) + two,
        lambda: one * two,
        lambda: sympy.Integer(2),
    )
    return c.pick(forms)()


def _unitary(c: Choices, width: int) -> Any:
    return cirq.MatrixGate(cirq.testing.random_unitary(2**width, random_state=c.below(10_000)))


def _pauli_word(c: Choices, width: int) -> str:
    return "".join(c.pick("ZXYI") for _ in range(width))


E = Callable[[], Any]
ONE: tuple[Callable[[Choices, E], Any], ...] = (
    lambda c, e: c.pick((cirq.X, cirq.Y, cirq.Z, cirq.H, cirq.S, cirq.T, cirq.I, cirq.S**-1, cirq.T**-1)),
    lambda c, e: cirq.X ** e(),
    lambda c, e: cirq.Y ** e(),
    lambda c, e: cirq.Z ** e(),
    lambda c, e: cirq.H ** e(),
    lambda c, e: cirq.rx(e()),
    lambda c, e: cirq.ry(e()),
    lambda c, e: cirq.rz(e()),
    lambda c, e: cirq.XPowGate(exponent=e(), global_shift=c.pick((0.25, -0.5, 1.3))),
    lambda c, e: cirq.ZPowGate(exponent=e(), global_shift=c.pick((0.3, -0.5))),
    lambda c, e: cirq.HPowGate(exponent=e(), global_shift=0.2),
    lambda c, e: cirq.PhasedXPowGate(exponent=e(), phase_exponent=e(), global_shift=c.pick((0, 0.1))),
    lambda c, e: cirq.PhasedXZGate(x_exponent=e(), z_exponent=e(), axis_phase_exponent=e()),
    lambda c, e: c.pick(cirq.SingleQubitCliffordGate.all_single_qubit_cliffords),
    lambda c, e: _unitary(c, 1),
    lambda c, e: cirq.PhaseGradientGate(num_qubits=1, exponent=e()),
    lambda c, e: cirq.WaitGate(cirq.Duration(nanos=c.below(50))),
    lambda c, e: cirq.DensePauliString(_pauli_word(c, 1), coefficient=c.pick((1, -1, 1j))),
    lambda c, e: cirq.IdentityGate(1),
)
TWO: tuple[Callable[[Choices, E], Any], ...] = (
    lambda c, e: c.pick((cirq.CZ, cirq.CX, cirq.SWAP, cirq.ISWAP, cirq.SQRT_ISWAP, cirq.SQRT_ISWAP_INV)),
    lambda c, e: cirq.CZ ** e(),
    lambda c, e: cirq.CX ** e(),
    lambda c, e: cirq.CYPowGate(exponent=e()) if hasattr(cirq, "CYPowGate") else cirq.CX,
    lambda c, e: cirq.SWAP ** e(),
    lambda c, e: cirq.ISWAP ** e(),
    lambda c, e: cirq.XX ** e(),
    lambda c, e: cirq.YY ** e(),
    lambda c, e: cirq.ZZ ** e(),
    lambda c, e: cirq.ms(e()),
    lambda c, e: cirq.CZPowGate(exponent=e(), global_shift=c.pick((0.25, -0.5, 1.3))),
    lambda c, e: cirq.SwapPowGate(exponent=e(), global_shift=0.4),
    lambda c, e: cirq.FSimGate(e(), e()),
    lambda c, e: cirq.PhasedFSimGate(e(), e(), e(), e(), e()),
    lambda c, e: cirq.PhasedISwapPowGate(phase_exponent=e(), exponent=e()),
    lambda c, e: cirq.givens(e()),
    lambda c, e: cirq.riswap(e()),
    lambda c, e: cirq.cphase(e()),
    lambda c, e: cirq.ControlledGate(c.pick((cirq.H, cirq.Y, cirq.S, cirq.T, cirq.X**0.5))),
    lambda c, e: cirq.ControlledGate(c.pick(ONE[1:14])(c, e), control_values=[c.pick((1, 0))]),
    lambda c, e: _unitary(c, 2),
    lambda c, e: cirq.TwoQubitDiagonalGate([e() for _ in range(4)]),
    lambda c, e: cirq.PauliInteractionGate(
        c.pick((cirq.X, cirq.Y, cirq.Z)), c.chance(50), c.pick((cirq.Z, cirq.X)), c.chance(50), exponent=e()
    ),
    lambda c, e: cirq.QubitPermutationGate([1, 0]),
    lambda c, e: cirq.ParallelGate(c.pick((cirq.X, cirq.H, cirq.T, cirq.X**0.3)), 2),
    lambda c, e: cirq.DensePauliString(_pauli_word(c, 2)),
    lambda c, e: cirq.PauliStringPhasorGate(
        cirq.DensePauliString(_pauli_word(c, 2)), exponent_neg=e(), exponent_pos=e()
    ),
    lambda c, e: cirq.DiagonalGate([c.number() for _ in range(4)]),
    lambda c, e: cirq.PhaseGradientGate(num_qubits=2, exponent=e()),
    lambda c, e: cirq.QuantumFourierTransformGate(2, without_reverse=c.chance(50)),
    lambda c, e: cirq.CliffordGate.from_op_list(
        [cirq.CX(*cirq.LineQubit.range(2)), cirq.H(cirq.LineQubit(0))], cirq.LineQubit.range(2)
    ),
    lambda c, e: cirq.IdentityGate(2),
    lambda c, e: Decomposes(),
    lambda c, e: cirq.BooleanHamiltonianGate(["x", "y"], ["x ^ y"], float(c.number())),
)
THREE: tuple[Callable[[Choices, E], Any], ...] = (
    lambda c, e: c.pick((cirq.CCX, cirq.CCZ, cirq.CSWAP)),
    lambda c, e: cirq.CCX ** e(),
    lambda c, e: cirq.CCZ ** e(),
    lambda c, e: cirq.ThreeQubitDiagonalGate([e() for _ in range(8)]),
    lambda c, e: _unitary(c, 3),
    lambda c, e: cirq.QuantumFourierTransformGate(3),
    lambda c, e: cirq.ControlledGate(c.pick(ONE[1:6])(c, e), num_controls=2),
    lambda c, e: cirq.ControlledGate(c.pick(TWO[1:9])(c, e)),
    lambda c, e: cirq.QubitPermutationGate(c.pick(([1, 2, 0], [2, 1, 0], [0, 2, 1]))),
    lambda c, e: cirq.PhaseGradientGate(num_qubits=3, exponent=e()),
    lambda c, e: cirq.DensePauliString(_pauli_word(c, 3)),
)
UNITARY = (ONE, TWO, THREE)
CHANNELS: tuple[Callable[[Choices], cirq.Gate], ...] = (
    lambda c: cirq.depolarize(0.1),
    lambda c: cirq.amplitude_damp(0.2),
    lambda c: cirq.phase_damp(0.3),
    lambda c: cirq.bit_flip(0.25),
    lambda c: cirq.phase_flip(0.25),
    lambda c: cirq.asymmetric_depolarize(0.1, 0.2, 0.3),
    lambda c: cirq.generalized_amplitude_damp(0.3, 0.2),
    lambda c: cirq.KrausChannel([np.diag([1, 0.6]), np.array([[0, 0.8], [0, 0]])]),
    lambda c: cirq.MixedUnitaryChannel([(0.5, cirq.unitary(cirq.X)), (0.5, np.eye(2))]),
    lambda c: cirq.X.with_probability(0.4),
    lambda c: cirq.ResetChannel(),
)


def gates() -> set[str]:
    """Names of the classes of all gates that can come (for the test that none of Cirq's is forgotten)."""
    found: set[str] = set()
    for seed in range(60):
        c = Choices(seed)
        for kinds in (*UNITARY, CHANNELS):
            for make in kinds:
                gate = make(c) if kinds is CHANNELS else make(c, lambda c=c: exponent(c, False))
                found |= {kind.__name__ for kind in type(gate).__mro__}
    return found


def circuit(
    c: Choices,
    *,
    most_qubits: int = 4,
    most_operations: int = 10,
    walls: bool = True,
    symbolic: bool | None = None,
) -> cirq.Circuit:
    """A circuit.

    Args:
        c: what decides.
        most_qubits, most_operations: how large it may be.
        walls: whether it may measure, reset, hold channels, classical control and unknown gates.
        symbolic: whether angles may hold symbols; decided, if None.
    """
    symbols = c.chance(35) if symbolic is None else symbolic
    line: list[cirq.Qid] = list(cirq.LineQubit.range(c.between(1, most_qubits)))
    qubits = [cirq.NamedQubit(f"q{i}") for i in range(len(line))] if c.chance(10) else line
    has_walls = walls and c.chance(50)
    moments: list[Any] = []
    measured: list[str] = []
    for _ in range(c.below(most_operations + 1)):
        moments.append(_operation(c, qubits, symbols, has_walls, measured))
    made = cirq.Circuit(moments, strategy=c.pick((cirq.InsertStrategy.EARLIEST, cirq.InsertStrategy.NEW)))
    if c.chance(10):
        made.insert(0, cirq.global_phase_operation(1j ** c.number()))
    if c.chance(12) and not measured:
        made = _nested(c, made)
    return made


def _nested(c: Choices, inner: cirq.Circuit) -> cirq.Circuit:
    """Operations on a nested circuit: repeated, its symbols bound, its qubits renamed, inside another."""
    operation = cirq.CircuitOperation(inner.freeze())
    if c.chance(50):
        operation = operation.repeat(c.between(1, 3))
    names = sorted(cirq.parameter_names(inner))
    if names and c.chance(50):
        operation = operation.with_params({names[0]: c.pick((0.5, sympy.Symbol("b"), 2 * sympy.Symbol("c")))})
    if c.chance(30) and len(inner.all_qubits()) > 1:
        a, b, *_ = sorted(inner.all_qubits())
        operation = operation.with_qubit_mapping({a: b, b: a})
    if c.chance(30):
        return cirq.Circuit(inner, cirq.CircuitOperation(cirq.FrozenCircuit(operation)), operation)
    return cirq.Circuit(operation)


def _operation(c: Choices, qubits: list[Any], symbols: bool, walls: bool, measured: list[str]) -> Any:
    order = c.shuffled(qubits)
    if walls and c.chance(30):
        return _wall(c, order, symbols, measured)
    made = _gate_operation(c, order, symbols)
    if walls and measured and c.chance(20):
        made = _controlled(c, made, measured)
    if c.chance(8):
        return made.with_tags(c.pick(("tag", 7, ("a", 1))))
    return made


def _gate_operation(c: Choices, order: list[Any], symbols: bool) -> Any:
    width = min(len(order), (1, 2, 1, 2, 2, 3)[c.below(6)])
    if c.chance(4):
        word = cirq.PauliString({q: c.pick((cirq.Z, cirq.X, cirq.Y)) for q in order[:width]})
        return cirq.PauliStringPhasor(word, exponent_neg=c.number()) if c.chance(60) else word
    gate = c.pick(UNITARY[width - 1])(c, lambda: exponent(c, symbols))
    return gate.on(*order[:width])


def _controlled(c: Choices, made: Any, measured: list[str]) -> Any:
    key = c.pick(measured)
    symbol = sympy.Symbol(key)
    conditions = (key, symbol > 0, sympy.Eq(symbol, 1), cirq.KeyCondition(cirq.MeasurementKey(key)))
    return made.with_classical_controls(c.pick(conditions))


def _wall(c: Choices, order: list[Any], symbols: bool, measured: list[str]) -> Any:
    kind = c.below(7)
    if kind < 3:
        left = [key for key in KEYS if key not in measured]
        if not left:
            return cirq.reset(order[0])
        measured.append(left[0])
        width = c.between(1, min(2, len(order)))
        if kind == 2:
            word = cirq.DensePauliString(_pauli_word(c, width).replace("I", "Z"))
            return cirq.PauliMeasurementGate(word, key=left[0]).on(*order[:width])
        return cirq.measure(
            *order[:width], key=left[0], invert_mask=c.pick(((), (True,), (False, True)))[:width]
        )
    if kind == 3:
        return cirq.reset(order[0])
    if kind == 4:
        return c.pick(CHANNELS)(c).on(order[0])
    if kind == 5:
        return Unheard(1 + (len(order) > 1)).on(*order[:2])
    return _gate_operation(c, order, symbols).with_tags("wall")
