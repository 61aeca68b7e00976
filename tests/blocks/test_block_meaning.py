"""Blocks: gates, meaning and count formula of each, against one another and against plain NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import unitary
from hypothesis import given
from hypothesis import strategies as st

from qattn_compiler.blocks.block import Multiplexor, PrepareState, RotationLayer
from qattn_compiler.blocks.program import Program, Register
from qattn_compiler.circuit.gates import NUM_QUBITS
from qattn_compiler.errors import CircuitError, LoweringError
from qattn_compiler.synth.multiplexor import add_multiplexor, gray_code, multiplexor_angles, walsh_transform
from qattn_compiler.synth.state_prep import real_state_angles


def assert_program(program: Program, numbers) -> None:
    """The program's circuit gives the states that its blocks define, with as many CZ as they say."""
    circuit = program.circuit()
    wanted = program.states(numbers)
    for values, state in zip(program.parameter_values(circuit, numbers), wanted, strict=True):
        bound = circuit.bind({p.name: v for p, v in zip(circuit.params, values.tolist(), strict=True)})
        np.testing.assert_allclose(unitary(bound)[:, 0], state, atol=1e-12)
    assert (NUM_QUBITS[circuit.op] == 2).sum() == program.two_qubit_count


@pytest.mark.parametrize("width", range(7))
def test_preparation_is_exact_and_counts(width):
    rng = np.random.default_rng(width)
    v = rng.normal(size=(3, 2**width))
    v /= np.linalg.norm(v, axis=1, keepdims=True)
    v = np.abs(v) if width == 0 else v  # no gate acts on nothing
    program = Program((Register("r", width),), (PrepareState("r", "v"),), (), "")
    np.testing.assert_allclose(program.states({"v": v}), v, atol=1e-14)
    assert_program(program, {"v": v})
    assert program.two_qubit_count == 2**width - width - 1


@given(st.lists(st.sampled_from([0.0, 1.0, -1.0, 1e-320, -3.0, 1e-160, 2.5]), min_size=8, max_size=8))
def test_preparation_of_odd_vectors(entries):
    v = np.array([entries])
    if not v.any():
        v[0, 3] = 1.0
    scaled = v / np.abs(v).max()
    v = scaled / np.linalg.norm(scaled)
    assert np.isfinite(real_state_angles(v)).all()
    assert_program(Program((Register("r", 3),), (PrepareState("r", "v"),), (), ""), {"v": v})


@pytest.mark.parametrize("up_to_cz", [False, True])
@pytest.mark.parametrize("axis", ["x", "y"])
@pytest.mark.parametrize("controls", range(5))
def test_multiplexor_on_a_superposition(controls, axis, up_to_cz):
    rng = np.random.default_rng(controls)
    start = rng.normal(size=(2, 2**controls))
    start = np.abs(start) / np.linalg.norm(start, axis=1, keepdims=True)
    angles = rng.uniform(-4, 4, (2, 2**controls))
    for order in (("c", "t"), ("t", "c")):
        program = Program(
            tuple(Register(name, {"c": controls, "t": 1}[name]) for name in order),
            (PrepareState("c", "start"), Multiplexor(axis, "c", "t", "angle", up_to_cz)),
            ("t",),
            "",
        )
        numbers = {"start": start, "angle": angles}
        assert_program(program, numbers)
        target = controls if order == ("c", "t") else 0
        states = program.states(numbers).reshape(2, *(2,) * (controls + 1))
        states = np.moveaxis(states, 1 + target, -1).reshape(2, -1, 2)
        sign = np.where(np.arange(2**controls) >= 2**controls / 2, -1, 1) if up_to_cz and controls else 1
        np.testing.assert_allclose(states[..., 0], start * np.cos(angles / 2), atol=1e-12)
        factor = 1.0 if axis == "y" else -1j
        np.testing.assert_allclose(states[..., 1], sign * factor * start * np.sin(angles / 2), atol=1e-12)


@pytest.mark.parametrize("axis", ["x", "y", "z"])
def test_rotation_layer(axis):
    angles = np.random.default_rng(0).uniform(-4, 4, (3, 4))
    assert_program(Program((Register("r", 4),), (RotationLayer(axis, "r", "a"),), ("r",), ""), {"a": angles})


def test_attention_row_counts():
    for width, count in ((1, 1), (2, 4), (3, 11), (4, 26), (5, 57)):
        blocks = (PrepareState("a", "p"), Multiplexor("y", "a", "r", "v", up_to_cz=True))
        program = Program((Register("a", width), Register("r", 1)), blocks, ("r",), "")
        assert program.two_qubit_count == count


def test_walsh_transform_is_its_definition():
    values = np.random.default_rng(1).normal(size=(2, 16))
    signs = np.array([[(-1) ** (i & j).bit_count() for j in range(16)] for i in range(16)])
    np.testing.assert_allclose(walsh_transform(values), values @ signs, atol=1e-12)
    np.testing.assert_allclose(
        multiplexor_angles(values), (values @ signs)[:, gray_code(16)] / 16, atol=1e-12
    )
    with pytest.raises(CircuitError, match="power of two"):
        walsh_transform(values[:, :3])


def test_errors():
    from qattn_compiler.circuit.table import Builder

    with pytest.raises(LoweringError, match="do not fit"):
        Program((Register("a", 1),), (PrepareState("b", "v"),), (), "")
    program = Program((Register("a", 1),), (PrepareState("a", "v"),), (), "")
    with pytest.raises(LoweringError, match="takes 2 numbers"):
        program.parameter_values(program.circuit(), {"v": np.ones((1, 3))})
    with pytest.raises(CircuitError, match="4 angles"):
        add_multiplexor(Builder(range(3)), "y", [0.0], [0, 1], 2, drop_last=False)
    with pytest.raises(CircuitError, match="about x or y"):
        add_multiplexor(Builder(range(3)), "z", [0.0] * 4, [0, 1], 2, drop_last=False)
    with pytest.raises(LoweringError, match="too many"):
        Program((Register("a", 30),), (), (), "").states({"v": np.ones((1, 1))})
    assert "PrepareState" in program.to_text()
