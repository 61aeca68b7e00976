"""Controlled U of OpenQASM, judged by its definition: |0><0| x I + |1><1| x e^{i gamma} U3."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from qattn_compiler.errors import CircuitError
from qattn_compiler.interop.cirq_files import from_qasm

HEAD = 'OPENQASM 2.0;\ninclude "qelib1.inc";\n'
OWN = "gate own(a,b,c,d) x,y { cu(a,b,c,d) x,y; }\ngate own3(a,b,c) x,y { cu3(a,b,c) x,y; }\n"
ANGLE = st.floats(-15, 15)


def controlled(theta, phi, lam, gamma):
    cos, sin = np.cos(theta / 2), np.sin(theta / 2)
    u = [[cos, -np.exp(1j * lam) * sin], [np.exp(1j * phi) * sin, np.exp(1j * (phi + lam)) * cos]]
    return np.block([[np.eye(2), np.zeros((2, 2))], [np.zeros((2, 2)), np.exp(1j * gamma) * np.array(u)]])


@given(ANGLE, ANGLE, ANGLE, ANGLE, st.booleans())
@example(-0.3, 0.0, 0.0, 0.0, False)
@example(2 * np.pi, 1.0, 2.0, 0.0, False)
@example(-2 * np.pi, 1.0, 2.0, 3.0, True)
@example(6 * np.pi, 0.5, 0.0, 0.0, True)
def test_controlled_u_is_its_definition(theta, phi, lam, gamma, own):
    given = [f"{angle!r}" for angle in (theta, phi, lam, gamma)]
    names = ("own3", "own") if own else ("cu3", "cu")
    for name, count in zip(names, (3, 4), strict=True):
        text = f"{HEAD}{OWN}qreg q[2];\n{name}({','.join(given[:count])}) q[0],q[1];\n"
        expected = controlled(theta, phi, lam, gamma if count == 4 else 0)
        np.testing.assert_allclose(from_qasm("text", text).unitary(dtype=complex), expected, atol=1e-7)


def test_registers_are_broadcast_and_places_said():
    text = f"{HEAD}qreg a[2];\nqreg b[2];\ncu(-1,2,3,4) a,b;\n"
    np.testing.assert_allclose(
        from_qasm("text", text)
        .unitary(dtype=complex)
        .reshape((2,) * 8)
        .transpose(0, 2, 1, 3, 4, 6, 5, 7)
        .reshape(16, 16),
        np.kron(controlled(-1, 2, 3, 4), controlled(-1, 2, 3, 4)),
        atol=1e-7,
    )
    for wrong, says in (
        ("cu(1,2,3) a,b", "cu takes 4 .*line 6"),
        ("cu3(1,2,3) a", "cu3 only takes 2 .*line 6"),
    ):
        with pytest.raises(CircuitError, match=says):
            from_qasm("text", text + wrong + ";\n")
