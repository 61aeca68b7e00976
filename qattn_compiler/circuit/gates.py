"""The gate table: one row a gate, and every fact that passes, simulators and writers need of it.

A row says how many qubits and angles a gate has, its matrix, its inverse, on which Pauli axis it is diagonal
on each of its qubits (this is the whole commutation table), and which rotation it is a fixed case of. The
tests prove the columns against one another and against Cirq's unitaries.

Conventions: angles in radians; big-endian operands (the first is the most significant bit); rotations are
special unitary (`rx(t) = exp(-i t X / 2)`); fixed gates have the textbook phase. Everything is exact,
global phase included.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.complex128]

AXES: Final = ("", "X", "Y", "Z")
"""Axis codes 0..3 used in kernels: 0 means diagonal in no Pauli basis."""

_I2 = np.eye(2, dtype=complex)
_X = np.array([[0, 1], [1, 0]], dtype=complex)
_Y = np.array([[0, -1j], [1j, 0]], dtype=complex)
_Z = np.diag([1, -1]).astype(complex)
_H = (_X + _Z) / np.sqrt(2)


def _fixed(matrix: Matrix) -> Callable[..., Matrix]:
    return lambda: matrix


def _rotation(generator: Matrix) -> Callable[[float], Matrix]:
    """t -> exp(-i t G / 2) for an involution G."""
    identity = np.eye(len(generator), dtype=complex)
    return lambda t: np.cos(t / 2) * identity - 1j * np.sin(t / 2) * generator


def _controlled(inner: Callable[..., Matrix]) -> Callable[..., Matrix]:
    def matrix(*angles: float) -> Matrix:
        out = np.eye(4, dtype=complex)
        out[2:, 2:] = inner(*angles)
        return out

    return matrix


def _exchange(c: complex, s: complex, last: complex = 1.0, back: complex | None = None) -> Matrix:
    """Identity on |00>, `last` on |11>, [[c, s], [back, c]] on {|01>, |10>}."""
    out = np.eye(4, dtype=complex)
    out[1, 1] = out[2, 2] = c
    out[1, 2] = s
    out[2, 1] = s if back is None else back
    out[3, 3] = last
    return out


def _phased_xz(x: float, z: float, a: float) -> Matrix:
    rz, rx = _rotation(_Z), _rotation(_X)
    return rz(z + a) @ rx(x) @ rz(-a)


def _fsim(theta: float, phi: float) -> Matrix:
    return _exchange(np.cos(theta), -1j * np.sin(theta), last=np.exp(-1j * phi))


def _givens(t: float) -> Matrix:
    return _exchange(np.cos(t), -np.sin(t), back=np.sin(t))


@dataclass(frozen=True)
class Gate:
    """One row of the gate table.

    Attributes:
        name: the name in text, reports and options.
        num_qubits: 1 or 2; 0 for structural rows whose operands vary.
        num_angles: how many of a row's three angle columns are in use.
        matrix: angles -> unitary of shape (2**num_qubits, 2**num_qubits); None for structural rows.
        axes: per operand, the Pauli in whose eigenbasis the gate is block-diagonal ("" for none). Two gates
            commute if on every shared qubit both have the same axis.
        symmetric: exchanging the two operands changes nothing.
        inverse: name of the gate that undoes it, with angles `inverse_map @ angles`.
        rotation: (family, angle, phase): the gate is exp(i phase) * family(angle), for fixed gates that are
            special cases of a rotation; rotations name themselves with angle 0 added.
        code: row number, set by the table.
    """

    name: str
    num_qubits: int
    num_angles: int
    matrix: Callable[..., Matrix] | None
    axes: tuple[str, ...] = ()
    symmetric: bool = False
    inverse: str | None = None
    inverse_map: tuple[tuple[float, ...], ...] = ()
    rotation: tuple[str, float, float] | None = None
    code: int = field(default=-1, compare=False)


def _one(
    name: str, matrix: Matrix, axis: str, inverse: str, rotation: tuple[str, float, float] | None
) -> Gate:
    return Gate(name, 1, 0, _fixed(matrix), (axis,), inverse=inverse, rotation=rotation)


def _turn(name: str, generator: Matrix, axis: str) -> Gate:
    """A rotation exp(-i t G / 2) with the same axis on each of its qubits."""
    width = 1 if len(generator) == 2 else 2
    return Gate(
        name, width, 1, _rotation(generator), (axis,) * width, width == 2, name, ((-1.0,),), (name, 0.0, 0.0)
    )


def _two(
    name: str,
    matrix: Callable[..., Matrix],
    axes: tuple[str, str],
    inverse: str,
    angles: int = 0,
    symmetric: bool = False,
    rotation: tuple[str, float, float] | None = None,
) -> Gate:
    negate = tuple(tuple(-1.0 if i == j else 0.0 for j in range(angles)) for i in range(angles))
    return Gate(name, 2, angles, matrix, axes, symmetric, inverse, negate, rotation)


_PI = float(np.pi)
_SX = (_I2 + _X) / 2 + 1j * (_I2 - _X) / 2
_PHASED_XZ_INVERSE = ((-1.0, 0.0, 0.0), (0.0, -1.0, 0.0), (0.0, 1.0, 1.0))

_ROWS: tuple[Gate, ...] = (
    _one("x", _X, "X", "x", ("rx", _PI, _PI / 2)),
    _one("y", _Y, "Y", "y", ("ry", _PI, _PI / 2)),
    _one("z", _Z, "Z", "z", ("rz", _PI, _PI / 2)),
    _one("h", _H, "", "h", None),
    _one("s", np.diag([1, 1j]), "Z", "sdg", ("rz", _PI / 2, _PI / 4)),
    _one("sdg", np.diag([1, -1j]), "Z", "s", ("rz", -_PI / 2, -_PI / 4)),
    _one("t", np.diag([1, np.exp(1j * _PI / 4)]), "Z", "tdg", ("rz", _PI / 4, _PI / 8)),
    _one("tdg", np.diag([1, np.exp(-1j * _PI / 4)]), "Z", "t", ("rz", -_PI / 4, -_PI / 8)),
    _one("sx", _SX, "X", "sxdg", ("rx", _PI / 2, _PI / 4)),
    _one("sxdg", _SX.conj(), "X", "sx", ("rx", -_PI / 2, -_PI / 4)),
    _turn("rx", _X, "X"),
    _turn("ry", _Y, "Y"),
    _turn("rz", _Z, "Z"),
    Gate("phased_xz", 1, 3, _phased_xz, ("",), inverse="phased_xz", inverse_map=_PHASED_XZ_INVERSE),
    _two("cx", _controlled(_fixed(_X)), ("Z", "X"), "cx"),
    _two("cy", _controlled(_fixed(_Y)), ("Z", "Y"), "cy"),
    _two("cz", _controlled(_fixed(_Z)), ("Z", "Z"), "cz", symmetric=True, rotation=("cphase", _PI, 0.0)),
    _two("ch", _controlled(_fixed(_H)), ("Z", ""), "ch"),
    _two("swap", _fixed(_exchange(0, 1)), ("", ""), "swap", symmetric=True),
    _two("iswap", _fixed(_exchange(0, 1j)), ("", ""), "iswapdg", symmetric=True),
    _two("iswapdg", _fixed(_exchange(0, -1j)), ("", ""), "iswap", symmetric=True),
    _two("siswap", _fixed(_exchange(2**-0.5, 1j * 2**-0.5)), ("", ""), "siswapdg", symmetric=True),
    _two("siswapdg", _fixed(_exchange(2**-0.5, -1j * 2**-0.5)), ("", ""), "siswap", symmetric=True),
    _two("crx", _controlled(_rotation(_X)), ("Z", "X"), "crx", 1, rotation=("crx", 0.0, 0.0)),
    _two("cry", _controlled(_rotation(_Y)), ("Z", "Y"), "cry", 1, rotation=("cry", 0.0, 0.0)),
    _two("crz", _controlled(_rotation(_Z)), ("Z", "Z"), "crz", 1, rotation=("crz", 0.0, 0.0)),
    _two(
        "cphase",
        lambda t: np.diag([1, 1, 1, np.exp(1j * t)]),
        ("Z", "Z"),
        "cphase",
        1,
        symmetric=True,
        rotation=("cphase", 0.0, 0.0),
    ),
    _turn("rxx", np.kron(_X, _X), "X"),
    _turn("ryy", np.kron(_Y, _Y), "Y"),
    _turn("rzz", np.kron(_Z, _Z), "Z"),
    _two("givens", _givens, ("", ""), "givens", 1, rotation=("givens", 0.0, 0.0)),
    _two("fsim", _fsim, ("", ""), "fsim", 2, symmetric=True),
    Gate("measure", 0, 0, None),
    Gate("reset", 0, 0, None),
    Gate("opaque", 0, 0, None),
)


def _number(rows: tuple[Gate, ...]) -> tuple[Gate, ...]:
    return tuple(
        Gate(**{**{k: getattr(g, k) for k in Gate.__dataclass_fields__}, "code": i})
        for i, g in enumerate(rows)
    )


GATES: Final[tuple[Gate, ...]] = _number(_ROWS)
BY_NAME: Final[dict[str, Gate]] = {gate.name: gate for gate in GATES}

MEASURE: Final = BY_NAME["measure"].code
RESET: Final = BY_NAME["reset"].code
OPAQUE: Final = BY_NAME["opaque"].code
CZ: Final = BY_NAME["cz"].code
SWAP: Final = BY_NAME["swap"].code
PHASED_XZ: Final = BY_NAME["phased_xz"].code

NUM_QUBITS: Final = np.array([g.num_qubits for g in GATES], dtype=np.int8)
NUM_ANGLES: Final = np.array([g.num_angles for g in GATES], dtype=np.int8)
AXIS_CODES: Final = np.array([[AXES.index(a) for a in (*g.axes, "", "")[:2]] for g in GATES], dtype=np.int8)
"""Shape (gates, 2): the axis code of each operand."""
SYMMETRIC: Final = np.array([g.symmetric for g in GATES], dtype=np.bool_)
INVERSE: Final = np.array([BY_NAME[g.inverse].code if g.inverse else -1 for g in GATES], dtype=np.int16)

_HALF_PERIOD: Final = frozenset({"cphase", "givens", "fsim"})

ROTATION_FAMILY: Final = np.array(
    [BY_NAME[g.rotation[0]].code if g.rotation else -1 for g in GATES], np.int16
)
ROTATION_ANGLE: Final = np.array([g.rotation[1] if g.rotation else 0.0 for g in GATES])
ROTATION_PHASE: Final = np.array([g.rotation[2] if g.rotation else 0.0 for g in GATES])

PERIOD: Final = np.array(
    [
        0.0 if not g.num_angles or g.num_angles == 3 else (2 * _PI if g.name in _HALF_PERIOD else 4 * _PI)
        for g in GATES
    ]
)
"""The angle after which the gate is the same matrix again, in each of its angles; 0 where that is not
asked."""
FULL_TURN_IS_PHASE: Final = np.array([g.name in {"rx", "ry", "rz", "rxx", "ryy", "rzz"} for g in GATES])
"""Whether half of PERIOD is the matrix times -1."""


def gate(name: str) -> Gate:
    """The row of that name.

    Raises:
        KeyError: there is no such gate.
    """
    return BY_NAME[name]
