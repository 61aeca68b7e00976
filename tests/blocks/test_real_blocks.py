"""Blocks of real maps, binary and unary: gates, meaning and counts against one another."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import cz_cost, unitary
from test_block_meaning import assert_program

from qattn_compiler.blocks.block import Multiplexor, PrepareState
from qattn_compiler.blocks.orthogonal import Hadamards, Rotate
from qattn_compiler.blocks.program import Program, Register
from qattn_compiler.blocks.unary import ExchangeUnary, PrepareUnary, RotateUnary, completed
from qattn_compiler.errors import LoweringError


def unit(rng, batch, size):
    v = rng.normal(size=(batch, size))
    return v / np.linalg.norm(v, axis=1, keepdims=True)


def special(rng, size):
    q = np.linalg.qr(rng.normal(size=(size, size)))[0]
    q[0] *= np.sign(np.linalg.det(q))
    return q


def one_hot(size):
    return 1 << np.arange(size)[::-1]


@pytest.mark.parametrize("form", ["short", "closed"])
@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_rotations_of_a_register(width, form):
    rng = np.random.default_rng(width)
    first, second = special(rng, 2**width), special(rng, 2**width)
    numbers = {
        "v": unit(rng, 3, 2 ** (width + 1)),
        "m": np.stack([first, second, first]).reshape(3, -1),
    }
    program = Program(
        (Register("other", 1), Register("r", width)),
        (PrepareState("all", "v"), Rotate("r", "m", form)),
        ("all",),
        "",
        (("all", ("other", "r")),),
    )
    assert_program(program, numbers)
    wanted = np.einsum("bij,bkj->bki", np.stack([first, second, first]), numbers["v"].reshape(3, 2, -1))
    np.testing.assert_allclose(program.states(numbers).reshape(3, 2, -1), wanted, atol=1e-12)
    assert "all = other, r" in program.to_text()


def test_the_block_encoding_of_a_real_matrix_takes_8():
    """W of 4 x 4 over its largest singular value, where the auxiliary qubit stays in 0."""
    rng = np.random.default_rng(0)
    w = rng.normal(size=(4, 4))
    left, values, right = np.linalg.svd(w)
    for side in (left.T, right):
        if np.linalg.det(side) < 0:
            side[-1] *= -1
            values[-1] *= -1
    blocks = (Rotate("data", "right"), Multiplexor("y", "data", "aux", "s"), Rotate("data", "left"))
    program = Program(
        (Register("aux", 1), Register("data", 2)), (PrepareState("data", "x"), *blocks), ("aux",), ""
    )
    x = unit(rng, 3, 4)
    sines = 2 * np.arccos(values / abs(values).max())
    repeated = {"right": right, "s": sines, "left": left}
    numbers = {"x": x} | {name: np.tile(a.reshape(-1), (3, 1)) for name, a in repeated.items()}
    assert_program(program, numbers)
    np.testing.assert_allclose(program.states(numbers)[:, :4], x @ w.T / abs(values).max(), atol=1e-12)
    assert sum(block.two_qubit_count(program.wires) for block in blocks) == 8
    assert program.num_qubits == 3


def test_hadamards():
    rng = np.random.default_rng(0)
    program = Program((Register("r", 3),), (PrepareState("r", "v"), Hadamards("r")), ("r",), "")
    assert_program(program, {"v": unit(rng, 2, 8)})


@pytest.mark.parametrize("inverse", [False, True])
@pytest.mark.parametrize(("size", "rank"), [(2, 1), (2, 2), (3, 2), (4, 1), (4, 4), (5, 3)])
def test_unary_rotations(size, rank, inverse):
    rng = np.random.default_rng(size)
    matrices = []
    for sign in (1, -1):
        columns = special(rng, size)[:, :rank] * sign
        matrix = completed(columns)
        np.testing.assert_allclose(matrix[:, :rank], columns, atol=1e-12)
        np.testing.assert_allclose(matrix @ matrix.T, np.eye(size), atol=1e-12)
        matrices.append(matrix.T if inverse else matrix)
    x = unit(rng, 2, size + 1)
    numbers = {"x": x, "m": np.array(matrices).reshape(2, -1)}
    program = Program(
        (Register("first", 1), Register("r", size)),
        (PrepareUnary("all", "x"), RotateUnary("r", "m", rank, inverse)),
        ("all",),
        "",
        (("all", ("first", "r")),),
    )
    blocks = program.blocks
    assert blocks[1].two_qubit_count(program.wires) == rank * (2 * size - rank - 1)
    wanted = np.concatenate([x[:, :1], np.einsum("bij,bj->bi", matrices, x[:, 1:])], axis=1)
    states = program.states(numbers)
    np.testing.assert_allclose(states[:, one_hot(size + 1)], wanted, atol=1e-12)
    assert_unary(program, numbers)


def test_unary_exchange():
    rng = np.random.default_rng(0)
    blocks = (PrepareUnary("r", "x"), ExchangeUnary("r", "p", "t"))
    program = Program((Register("r", 2), Register("p", 2)), blocks, ("r",), "")
    numbers = {"x": unit(rng, 3, 2), "t": rng.normal(size=(3, 2))}
    wanted = np.concatenate(
        [np.cos(numbers["t"]) * numbers["x"], np.sin(numbers["t"]) * numbers["x"]], axis=1
    )
    np.testing.assert_allclose(program.states(numbers)[:, one_hot(4)], wanted, atol=1e-12)
    assert_unary(program, numbers)


def assert_unary(program, numbers):
    """As `assert_program`, with two CZ counted for a Givens rotation."""
    circuit = program.circuit()
    wanted = program.states(numbers)
    for values, state in zip(program.parameter_values(circuit, numbers), wanted, strict=True):
        bound = circuit.bind({p.name: v for p, v in zip(circuit.params, values.tolist(), strict=True)})
        np.testing.assert_allclose(unitary(bound)[:, 0], state, atol=1e-12)
    assert cz_cost(circuit) == program.two_qubit_count


def test_two_excitations_have_no_meaning():
    blocks = (PrepareState("r", "x"), RotateUnary("r", "m", 2))
    program = Program((Register("r", 2),), blocks, ("r",), "")
    numbers = {"x": np.full((1, 4), 0.5), "m": np.eye(2).reshape(1, -1)}
    with pytest.raises(LoweringError, match="more than one excitation"):
        program.states(numbers)


def test_unary_rotations_of_columns_with_rounding_errors():
    """The pyramid's angles at 0, 0 are of rounding errors alone: which coordinates it leaves the others is no
    matter, but circuit and meaning agree on it; found by the fuzzer."""
    rng = np.random.default_rng(4)
    columns = np.zeros((6, 3))
    columns[:3] = special(rng, 3)
    noise = 1e-17 * rng.normal(size=(2, 6, 3))
    matrices = [completed(columns + off) for off in noise]
    columns[3:] = 1e-17
    matrices.append(completed(columns))
    x = unit(rng, 3, 7)
    numbers = {"x": x, "m": np.array(matrices).reshape(3, -1)}
    program = Program(
        (Register("first", 1), Register("r", 6)),
        (PrepareUnary("all", "x"), RotateUnary("r", "m", 3)),
        ("all",),
        "",
        joined=(("all", ("first", "r")),),
    )
    assert_unary(program, numbers)
    numbers["m"][0, 0] += 1e-3
    with pytest.raises(LoweringError, match="not orthonormal"):
        program.states(numbers)
