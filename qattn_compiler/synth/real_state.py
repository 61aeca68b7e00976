"""Real states of four to eight qubits with a CZ for each three amplitudes, on neighbours of a line.

A real state of k qubits has 2^k - 1 parameters. Circuits that are real whatever their angles (`real_circuit`)
have up to three for each CZ, so that a third as many CZ do, where a cascade of multiplexed RY takes
2^k - k - 1 and a Schmidt form half of it. The gates are found numerically (`levenberg`); how many CZ suffice
for random states nearly always was tried: 6, 11, 22, 43, 87 where all pairs are coupled (quaternion qubits
against real ones), 6, 13, 25, 50, 94 on a line (every second qubit a quaternion qubit, CZ in brickwork).
States near a product of smaller ones may have none; then it is an ArithmeticError.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit.table import Angle, Builder
from qattn_compiler.errors import CircuitError
from qattn_compiler.synth.instantiate import EXACT
from qattn_compiler.synth.levenberg import levenberg
from qattn_compiler.synth.orthogonal import add_pairs, turns_of
from qattn_compiler.synth.real_circuit import Move, RealCircuit, kept
from qattn_compiler.synth.state_prep import check_amplitudes, check_angles

Floats = NDArray[np.float64]

SIZES: Final = range(4, 9)
"""Qubits of the states that are made here."""
_STARTS: Final = {4: 12, 5: 12, 6: 12, 7: 8, 8: 4}
"""Random starts for one state; most need one."""
_LIMIT: Final = 200
"""Evaluations for each."""
_MILLISECONDS: Final = {4: 2, 5: 5, 6: 15, 7: 80, 8: 600}
"""About what one state takes."""
_FREE: Final = {4: 2, 5: 2, 6: 2, 7: 2, 8: 4}
_KEPT: Final = {4: 4, 5: 9, 6: 20, 7: 41, 8: 83}
"""Where all pairs are coupled: quaternion qubits, and CZ between them and the others."""
_FOUR: Final[tuple[Move, ...]] = (
    *kept(((1, 2), (2, 3), (0, 1))),
    *((1, 2, "make"), (0, 1, "keep"), (1, 2, "join")),
)
_LINE_FREE: Final = {5: (1, 3), 6: (1, 3), 7: (1, 3), 8: (0, 2, 4, 6)}
_LINE_KEPT: Final = {5: 9, 6: 21, 7: 46, 8: 86}
"""On a line: quaternion qubits, and CZ in brickwork."""


@dataclass(frozen=True)
class RealState:
    """How to prepare nearly any real state of some qubits.

    Attributes:
        size: how many qubits.
        moves: the CZ.
    """

    size: int
    moves: tuple[Move, ...]

    @staticmethod
    def on_line(size: int) -> RealState:
        """With CZ between neighbours in the order of the qubits only.

        Raises:
            CircuitError: the size is not in SIZES.
        """
        _refuse(size)
        if size == 4:
            return RealState(size, _FOUR)
        free, edges = _LINE_FREE[size], [(q, q + 1) for q in range(size - 1)]
        layers = edges[1::2] + edges[::2] if size in (6, 7) else edges[::2] + edges[1::2]
        body = [layers[k % len(layers)] for k in range(_LINE_KEPT[size])]
        pairs = list(zip(free[::2], free[1::2], strict=True))
        apart: list[Move] = [(a + 1, b, "move") for a, b in pairs]
        begin: list[Move] = [(a, a + 1, "make") for a, _ in pairs]
        end: list[Move] = [(a, a + 1, "join") for a, _ in pairs]
        return RealState(size, (*begin, *apart, *kept(body), *apart, *end))

    @staticmethod
    def anywhere(size: int) -> RealState:
        """With CZ between any two qubits.

        Raises:
            CircuitError: the size is not in SIZES.
        """
        _refuse(size)
        free, others = _FREE[size], size - _FREE[size]
        rounds = range(-(-_KEPT[size] // free))
        body = [(q, free + (q + turn) % others) for turn in rounds for q in range(free)][: _KEPT[size]]
        pairs = [(q, q + 1) for q in range(0, free, 2)]
        begin: list[Move] = [(a, b, "make") for a, b in pairs]
        end: list[Move] = [(a, b, "join") for a, b in pairs]
        return RealState(size, (*begin, *kept(body), *end))

    @property
    def two_qubit_count(self) -> int:
        """CZ."""
        return len(self.moves)

    @property
    def num_angles(self) -> int:
        """How many angles it takes: three a gate, and the phase."""
        return 3 * (self.size + 2 * len(self.moves)) + 1

    @property
    def milliseconds(self) -> int:
        """About how long the angles of one state take."""
        return _MILLISECONDS[self.size]

    def add(self, builder: Builder, angles: Sequence[Angle], qubits: Sequence[int]) -> None:
        """Append the gates, from |0...0>.

        Args:
            builder: where the rows go.
            angles: `num_angles` angles (radians), in circuit order (`angles`).
            qubits: `size` qubits, the first the most significant.

        Raises:
            CircuitError: it is not the right number of angles or qubits.
        """
        check_angles(self.size, self.num_angles, angles, qubits)
        add_pairs(builder, angles, qubits, [move[:2] for move in self.moves])

    def angles(self, amplitudes: Floats) -> Floats:
        """Angles (radians) in circuit order.

        Args:
            amplitudes: shape (..., 2^size), real, each of norm 1 (big-endian: first qubit most significant).

        Returns:
            shape (..., num_angles).

        Raises:
            CircuitError: the number of amplitudes is not 2^size.
            ArithmeticError: the gates of a state were not found.
        """
        check_amplitudes(self.size, amplitudes)
        unique, inverse = np.unique(amplitudes.reshape(-1, 2**self.size), axis=0, return_inverse=True)
        found = np.array([_angles(self, one.tobytes()) for one in unique])
        return found[inverse.reshape(-1)].reshape(*amplitudes.shape[:-1], self.num_angles)


def _refuse(size: int) -> None:
    if size not in SIZES:
        raise CircuitError(f"a state has {SIZES[0]} to {SIZES[-1]} qubits here, not {size}")


@lru_cache(maxsize=64)
def _circuit(plan: RealState) -> RealCircuit:
    return RealCircuit.of(plan.size, plan.moves)


@lru_cache(maxsize=4096)
def _angles(plan: RealState, data: bytes) -> Floats:
    circuit = _circuit(plan)
    for number in range(_STARTS[plan.size]):
        start = circuit.random(np.random.default_rng(number))
        model = _Model(np.frombuffer(data), circuit, start)
        gates, distance = levenberg(model, start, _LIMIT, 1.0)
        if distance < EXACT:
            missing = np.angle(np.vdot(model.state(gates), model.target))
            return np.append(turns_of(gates).reshape(-1), missing)
    raise ArithmeticError(f"a state was not found in {plan.two_qubit_count} two-qubit gates")


class _Model:
    """A real state that gates are fitted to (`levenberg.Model`)."""

    def __init__(self, target: Floats, circuit: RealCircuit, start: Floats) -> None:
        self.target, self.circuit = target, circuit
        state = self.state(start)
        turn = np.exp(-0.5j * np.angle(np.sum(state * state)))  # makes it real
        self.turn = turn if (state * turn).real @ target > 0 else -turn

    def _run(self, gates: Floats, columns: int) -> tuple[Floats, Floats]:
        from qattn_compiler.synth.real_state_kernels import states

        re, im = np.empty((len(self.target), columns)), np.empty((len(self.target), columns))
        states(self.circuit.pairs, gates, self.circuit.first, self.circuit.axes, re, im)
        return re, im

    def state(self, gates: Floats) -> NDArray[np.complex128]:
        """Shape (2^k,)."""
        re, im = self._run(gates, 1)
        return (re + 1j * im)[:, 0]

    def misfit(self, gates: Floats) -> tuple[float, Floats]:
        """Half the squared distance, and what is missing."""
        residual = self.target - (self.state(gates) * self.turn).real
        return float(np.sum(residual * residual)) / 2, residual

    def jacobian(self, gates: Floats) -> Floats:
        """Shape (2^k, parameters)."""
        re, im = self._run(gates, 1 + len(self.circuit.axes))
        return np.ascontiguousarray(re[:, 1:] * self.turn.real - im[:, 1:] * self.turn.imag)

    def moved(self, gates: Floats, step: Floats) -> Floats:
        """Gates after a step."""
        return self.circuit.moved(gates, step)
