"""Blocks of overlap circuits: gates, meaning and count against one another, and against what they are for."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import unitary

from qattn_compiler.blocks.block import PrepareState
from qattn_compiler.blocks.orthogonal import Hadamards
from qattn_compiler.blocks.overlap import BellBasis, CountPairs, UnprepareState
from qattn_compiler.blocks.program import Program, Register
from qattn_compiler.circuit.gates import NUM_QUBITS


def assert_block(block, widths, numbers=None) -> None:
    """On any state: the block's gates do what it says, with the two-qubit gates that it says."""
    numbers = {} if numbers is None else numbers
    registers = tuple(Register(name, width) for name, width in widths.items())
    program = Program(registers, (block,), (), "")
    circuit, size = program.circuit(), program.num_qubits
    rng = np.random.default_rng(1)
    batch = len(next(iter(numbers.values()))) if numbers else 2
    start = rng.normal(size=(batch, 2**size)) + 1j * rng.normal(size=(batch, 2**size))
    found = block.apply(start.reshape(batch, *(2,) * size), numbers, program.wires).reshape(batch, -1)
    values = program.parameter_values(circuit, numbers) if numbers else np.zeros((batch, 0))
    for one, state, out in zip(values, start, found, strict=True):
        bound = circuit.bind({p.name: v for p, v in zip(circuit.params, one.tolist(), strict=True)})
        np.testing.assert_allclose(unitary(bound) @ state, out, atol=1e-12)
    assert (NUM_QUBITS[circuit.op] == 2).sum() == program.two_qubit_count


def unit(rng, batch, size):
    out = rng.normal(size=(batch, size))
    return out / np.linalg.norm(out, axis=1, keepdims=True)


@pytest.mark.parametrize("width", range(1, 6))
def test_unprepare_is_its_gates_and_undoes_the_preparation(width):
    amplitudes = unit(np.random.default_rng(width), 3, 2**width)
    amplitudes[2] = np.eye(2**width)[-1]
    assert_block(UnprepareState("r", "v"), {"first": 1, "r": width}, {"v": amplitudes})
    blocks = (PrepareState("r", "v"), UnprepareState("r", "v"))
    states = Program((Register("r", width),), blocks, (), "").states({"v": amplitudes})
    np.testing.assert_allclose(states, np.eye(2**width)[[0, 0, 0]], atol=1e-12)


def test_the_others():
    assert_block(BellBasis("a", "b"), {"a": 2, "b": 2})
    assert_block(CountPairs("a", "b", "t"), {"t": 1, "a": 2, "b": 2})


@pytest.mark.parametrize("counted", [False, True])
def test_swap_tests_find_the_overlap(counted):
    rng = np.random.default_rng(0)
    numbers = {"x": unit(rng, 4, 8), "y": unit(rng, 4, 8)}
    blocks = [PrepareState("a", "x"), PrepareState("b", "y"), BellBasis("a", "b")]
    blocks += [CountPairs("a", "b", "t")] if counted else []
    program = Program((Register("t", 1), Register("a", 3), Register("b", 3)), tuple(blocks), (), "")
    found = np.abs(program.states(numbers)).reshape(4, 2, 8, 8) ** 2
    signs = [1.0, -1.0] if counted else [1.0, 0.0]
    pairs = (
        np.ones((8, 8)) if counted else [[(-1) ** (a & b).bit_count() for b in range(8)] for a in range(8)]
    )
    mean = np.einsum("ntab,t,ab->n", found, signs, pairs)
    np.testing.assert_allclose(mean, (numbers["x"] * numbers["y"]).sum(axis=1) ** 2, atol=1e-12)


def test_only_preparations_are_mere_states():
    register = (Register("r", 2),)
    prepare = (PrepareState("r", "v"), Hadamards("r"))
    assert Program(register, prepare, (), "").is_real_state
    assert not Program(register, (*prepare, UnprepareState("r", "v")), (), "").is_real_state
