"""The gate table: its columns proved against one another, and its matrices against Cirq's."""

from __future__ import annotations

from itertools import permutations
from math import pi

import cirq
import numpy as np
import pytest

from qattn_compiler.circuit import gates
from qattn_compiler.circuit.gates import AXES, BY_NAME, GATES, Gate

UNITARY = [gate for gate in GATES if gate.num_qubits]
PAULIS = {"X": cirq.unitary(cirq.X), "Y": cirq.unitary(cirq.Y), "Z": cirq.unitary(cirq.Z)}
ANGLES = np.random.default_rng(0).normal(size=(4, 3)) * 3

CIRQ = {
    "x": cirq.X,
    "y": cirq.Y,
    "z": cirq.Z,
    "h": cirq.H,
    "s": cirq.S,
    "sdg": cirq.S**-1,
    "t": cirq.T,
    "tdg": cirq.T**-1,
    "sx": cirq.X**0.5,
    "sxdg": cirq.X**-0.5,
    "rx": cirq.rx,
    "ry": cirq.ry,
    "rz": cirq.rz,
    "cx": cirq.CX,
    "cy": cirq.Y.controlled(),
    "cz": cirq.CZ,
    "ch": cirq.H.controlled(),
    "swap": cirq.SWAP,
    "iswap": cirq.ISWAP,
    "iswapdg": cirq.ISWAP**-1,
    "siswap": cirq.SQRT_ISWAP,
    "siswapdg": cirq.SQRT_ISWAP_INV,
    "crx": lambda t: cirq.rx(t).controlled(),
    "cry": lambda t: cirq.ry(t).controlled(),
    "crz": lambda t: cirq.rz(t).controlled(),
    "cphase": cirq.cphase,
    "givens": cirq.givens,
    "fsim": cirq.FSimGate,
    "rxx": lambda t: cirq.XXPowGate(exponent=t / pi, global_shift=-0.5),
    "ryy": lambda t: cirq.YYPowGate(exponent=t / pi, global_shift=-0.5),
    "rzz": lambda t: cirq.ZZPowGate(exponent=t / pi, global_shift=-0.5),
}


def matrix(gate: Gate, angles: np.ndarray) -> np.ndarray:
    assert gate.matrix is not None
    return gate.matrix(*angles[: gate.num_angles])


def every_gate(function):
    return pytest.mark.parametrize("gate", UNITARY, ids=lambda gate: gate.name)(function)


def test_rows_are_numbered_and_named_once():
    assert [gate.code for gate in GATES] == list(range(len(GATES)))
    assert len(BY_NAME) == len(GATES)
    assert gates.gate("cz") is GATES[gates.CZ]
    with pytest.raises(KeyError):
        gates.gate("toffoli")


@every_gate
def test_matrix_is_unitary_and_cirqs(gate):
    for angles in ANGLES:
        u = matrix(gate, angles)
        np.testing.assert_allclose(u @ u.conj().T, np.eye(2**gate.num_qubits), atol=1e-12)
        if gate.name == "phased_xz":
            x, z, a = angles / pi
            peer = cirq.unitary(cirq.PhasedXZGate(x_exponent=x, z_exponent=z, axis_phase_exponent=a))
            peer = peer * np.exp(-0.5j * (angles[0] + angles[1]))
        else:
            peer = CIRQ[gate.name]
            peer = cirq.unitary(peer(*angles[: gate.num_angles]) if gate.num_angles else peer)
        np.testing.assert_allclose(u, peer, atol=1e-7)


@every_gate
def test_inverse(gate):
    assert gate.inverse is not None
    back = BY_NAME[gate.inverse]
    assert back.inverse == gate.name
    for angles in ANGLES:
        undone = np.array(gate.inverse_map) @ angles[: gate.num_angles] if gate.num_angles else angles
        product = matrix(gate, angles) @ matrix(back, undone)
        np.testing.assert_allclose(product, np.eye(len(product)), atol=1e-12)


@every_gate
def test_axes_are_exactly_what_the_matrix_commutes_with(gate):
    """A row claims every axis it has: claiming too much is wrong, claiming too little loses merges."""
    for k in range(gate.num_qubits):
        for axis in AXES[1:]:
            factors = [np.eye(2)] * gate.num_qubits
            factors[k] = PAULIS[axis]
            pauli = factors[0] if gate.num_qubits == 1 else np.kron(*factors)
            u = matrix(gate, ANGLES[0])
            assert np.allclose(u @ pauli, pauli @ u) == (gate.axes[k] == axis)


def placed(gate: Gate, angles: np.ndarray, wires: tuple[int, ...]) -> np.ndarray:
    """The gate's matrix on these of three qubits."""
    u = matrix(gate, angles).reshape((2,) * 2 * len(wires))
    k = len(wires)
    out = np.tensordot(u, np.eye(8).reshape((2,) * 6), axes=(range(k, 2 * k), wires))
    return np.moveaxis(out, range(k), wires).reshape(8, 8)


@every_gate
def test_gates_with_equal_axes_on_shared_qubits_commute(gate):
    """The commutation table, row by row: this gate with every gate, on every overlap of their qubits."""
    own = tuple(range(gate.num_qubits))
    for other in UNITARY:
        for wires in permutations(range(3), other.num_qubits):
            shared = [(gate.axes[q], other.axes[wires.index(q)]) for q in own if q in wires]
            if shared and all(a and a == b for a, b in shared):
                u, v = placed(gate, ANGLES[0], own), placed(other, ANGLES[1], wires)
                np.testing.assert_allclose(u @ v, v @ u, atol=1e-12, err_msg=f"{other.name} on {wires}")


@every_gate
def test_symmetric(gate):
    if gate.num_qubits == 1:
        assert not gate.symmetric
        return
    u = matrix(gate, ANGLES[0])
    exchanged = u.reshape(2, 2, 2, 2).transpose(1, 0, 3, 2).reshape(4, 4)
    assert np.allclose(u, exchanged) == gate.symmetric


@every_gate
def test_rotation(gate):
    if gate.rotation is None:
        return
    family, angle, phase = gate.rotation
    for angles in ANGLES:
        turn = np.array([angle + (angles[0] if gate.num_angles else 0.0)])
        np.testing.assert_allclose(
            matrix(gate, angles), np.exp(1j * phase) * matrix(BY_NAME[family], turn), atol=1e-12
        )


@every_gate
def test_period(gate):
    period = float(gates.PERIOD[gate.code])
    if period:
        np.testing.assert_allclose(matrix(gate, ANGLES[0] + period), matrix(gate, ANGLES[0]), atol=1e-12)
        half = matrix(gate, ANGLES[0] + period / 2)
        assert not np.allclose(half, matrix(gate, ANGLES[0]))
        assert np.allclose(half, -matrix(gate, ANGLES[0])) == gates.FULL_TURN_IS_PHASE[gate.code]


def test_columns_repeat_the_rows():
    for gate in GATES:
        assert gates.NUM_QUBITS[gate.code] == gate.num_qubits
        assert gates.NUM_ANGLES[gate.code] == gate.num_angles
        assert gates.SYMMETRIC[gate.code] == gate.symmetric
        assert [AXES[a] for a in gates.AXIS_CODES[gate.code]] == [*gate.axes, "", ""][:2]
        assert gates.INVERSE[gate.code] == (BY_NAME[gate.inverse].code if gate.inverse else -1)
        if gate.rotation is None:
            assert gates.ROTATION_FAMILY[gate.code] == -1
        else:
            family, angle, phase = gate.rotation
            assert gates.ROTATION_FAMILY[gate.code] == BY_NAME[family].code
            assert (gates.ROTATION_ANGLE[gate.code], gates.ROTATION_PHASE[gate.code]) == (angle, phase)
