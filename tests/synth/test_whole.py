"""Every kind of block as a whole: unitaries up to 10 qubits, states up to 16, against their exact matrices.

One of each kind has 10 qubits; what takes more than a few seconds runs with QATTN_FULL_SIZES=1 in the
environment (about half an hour, most of it unitaries of 9 and 10 qubits; -s prints the figures).
"""

from __future__ import annotations

import os
from itertools import combinations
from time import perf_counter

import numpy as np
import pytest
from helpers import random_circuit
from helpers import unitary as slowly
from scipy.stats import ortho_group, unitary_group

from qattn_compiler import targets
from qattn_compiler.circuit.gates import GATES, NUM_QUBITS
from qattn_compiler.circuit.table import Builder, Circuit, append
from qattn_compiler.synth.chip_multiplexor import plan_multiplexor
from qattn_compiler.synth.chip_state import plan_state
from qattn_compiler.synth.complex_state import add_complex_state
from qattn_compiler.synth.diagonal import add_diagonal, diagonal_angles, diagonal_count
from qattn_compiler.synth.givens import add_network, butterfly, cross, network_matrix, pyramid
from qattn_compiler.synth.multiplexor import add_multiplexor, multiplexor_angles
from qattn_compiler.synth.orthogonal import add_orthogonal, orthogonal_angles, orthogonal_count
from qattn_compiler.synth.schmidt import SchmidtState
from qattn_compiler.synth.select import select
from qattn_compiler.synth.sparse_state import add_sparse_state, sparse_steps
from qattn_compiler.synth.state_prep import add_real_state, real_state_angles, real_state_count
from qattn_compiler.synth.unitary import add_unitary, unitary_count
from qattn_compiler.verify.simulate import joint_states, simulate

FULL = bool(os.environ.get("QATTN_FULL_SIZES"))
WINDOW = 6
PAULIS = {"x": [[0, 1], [1, 0]], "y": [[0, -1j], [1j, 0]], "z": [[1, 0], [0, -1]]}
EXACT = 1e-11


def sizes(always: list[int], heavy: list[int]) -> list[int]:
    """Those that run here."""
    return [*always, *heavy] if FULL else always


# -- unitaries of long circuits


def whole(circuit: Circuit) -> np.ndarray:
    """The unitary, global phase included: rows on few qubits are multiplied among themselves first."""
    out = np.eye(2**circuit.num_qubits, dtype=complex)
    waiting: list[tuple[list[int], np.ndarray]] = []
    held: set[int] = set()
    for row in range(len(circuit)):
        gate = GATES[circuit.op[row]]
        qubits = circuit.operands[row, : gate.num_qubits].tolist()
        if len(held.union(qubits)) > WINDOW:
            out = through(out, sorted(held), together(waiting, sorted(held)))
            waiting, held = [], set()
        held.update(qubits)
        waiting.append((qubits, gate.matrix(*circuit.angles[row, : gate.num_angles].tolist())))
    out = through(out, sorted(held), together(waiting, sorted(held)))
    return np.exp(1j * circuit.phase) * out


def together(rows: list[tuple[list[int], np.ndarray]], held: list[int]) -> np.ndarray:
    """The product of some gates on the qubits that they hold."""
    out = np.eye(2 ** len(held), dtype=complex)
    for qubits, matrix in rows:
        out = through(out, [held.index(q) for q in qubits], matrix)
    return out


def through(unitary: np.ndarray, qubits: list[int], matrix: np.ndarray) -> np.ndarray:
    """A gate after a unitary."""
    if not qubits:
        return unitary
    count = len(unitary).bit_length() - 1
    split = np.moveaxis(unitary.reshape(*(2,) * count, -1), qubits, range(len(qubits)))
    moved = (matrix @ split.reshape(2 ** len(qubits), -1)).reshape(split.shape)
    return np.moveaxis(moved, range(len(qubits)), qubits).reshape(unitary.shape)


def assert_whole(what: str, builder: Builder, wanted: np.ndarray, gates: int | None = None) -> None:
    """The circuit's unitary is the matrix, but for a phase; its two-qubit gates are as many as said."""
    begin = perf_counter()
    circuit = builder.build()
    found = whole(circuit)
    phase = np.vdot(wanted, found)
    off = np.abs(found - wanted * (phase / abs(phase))).max()
    count = int((NUM_QUBITS[circuit.op] == 2).sum())
    print(f"{what}: {count} two-qubit gates, off by {off:.1e}, {perf_counter() - begin:.1f} s")
    assert off < EXACT
    assert gates is None or count <= gates


def test_the_multiplication_itself():
    for seed in range(5):
        circuit = random_circuit(np.random.default_rng(seed), 8, 60, symbolic=0.0)
        np.testing.assert_allclose(whole(circuit), slowly(circuit), atol=1e-12)


def test_a_fault_is_seen():
    builder = Builder(range(10))
    phases = np.random.default_rng(0).uniform(-3, 3, 1024)
    angles = diagonal_angles(phases)
    angles[517] += 1e-6
    add_diagonal(builder, angles.tolist(), range(10))
    with pytest.raises(AssertionError):
        assert_whole("fault", builder, np.diag(np.exp(1j * phases)))


# -- multiplexed rotations


def numbers(rng: np.random.Generator, count: int) -> np.ndarray:
    """Angles with zeros, ties, signs, denormals."""
    odd = rng.choice([0.0, -0.0, 1.0, -1.0, 5e-324, np.pi, 1e-9], count)
    return np.where(rng.random(count) < 0.3, odd, rng.uniform(-7, 7, count))


def rotations(axis: str, angles: np.ndarray) -> np.ndarray:
    """The block-diagonal matrix, the target last."""
    turns = np.cos(angles / 2)[:, None, None] * np.eye(2)
    turns = turns - 1j * np.sin(angles / 2)[:, None, None] * np.array(PAULIS[axis])
    out = np.zeros((len(angles), 2, len(angles), 2), dtype=complex)
    out[np.arange(len(angles)), :, np.arange(len(angles)), :] = turns
    return out.reshape(2 * len(angles), -1)


@pytest.mark.parametrize("size", sizes([6, 10], [7, 8, 9]))
@pytest.mark.parametrize("axis", ["x", "y"])
@pytest.mark.parametrize("drop_last", [True, False])
def test_multiplexors(size, axis, drop_last):
    angles = numbers(np.random.default_rng(size), 2 ** (size - 1))
    builder = Builder(range(size))
    turns = multiplexor_angles(angles).tolist()
    add_multiplexor(builder, axis, turns, range(size - 1), size - 1, drop_last=drop_last)
    wanted = rotations(axis, angles)
    if drop_last:
        index = np.arange(2**size)
        wanted = wanted * np.where((index >> (size - 1)) & index & 1, -1, 1)[:, None]
    assert_whole(f"multiplexor {axis}", builder, wanted, 2 ** (size - 1) - drop_last)


@pytest.mark.parametrize("size", sizes([6, 10], [7, 8, 9]))
@pytest.mark.parametrize("machine", ["google.willow", "ibm.eagle", "line:10", "full:10"])
def test_multiplexors_on_machines(size, machine):
    angles = numbers(np.random.default_rng(size), 2 ** (size - 1))
    plan = plan_multiplexor(targets.get(machine).device, size - 1)
    assert plan is not None
    builder = Builder(range(size))
    plan.add(builder, "y", plan.angles(angles), range(size))
    assert np.array_equal(plan.outputs, np.eye(size))
    split = rotations("y", angles).reshape(*(2,) * size, -1)
    wanted = np.moveaxis(split, range(size), plan.ends.tolist()).reshape(2**size, -1)
    assert_whole(f"multiplexor on {machine}", builder, wanted)


# -- selections, orthogonal matrices, unitaries, diagonals


@pytest.mark.parametrize(("address", "data"), [(2, 3), (4, 6), *([(2, 8), (6, 4)] if FULL else [])])
def test_selections(address, data):
    rng = np.random.default_rng(address)
    branches = []
    for _ in range(2**address):
        branch = Builder(range(data))
        for q in range(data):
            branch.add("ry", [q], [float(rng.choice([rng.normal(), 0.0, 0.3]))])
        for q in range(data - 1):
            branch.add("cx", [q, q + 1])
        for q in range(data):
            branch.add("rz", [q], [float(rng.normal())])
        branches.append(branch.build())
    out = select(branches, [f"a{i}" for i in range(address)])
    wanted = np.zeros((2**address, 2**data, 2**address, 2**data), dtype=complex)
    for x, branch in enumerate(branches):
        wanted[x, :, x, :] = slowly(branch)
    found = Builder(out.qubits)
    append(found, out)
    assert_whole("selection", found, wanted.reshape(2 ** (address + data), -1))


@pytest.mark.parametrize("size", sizes([5, 6], [7, 8, 9, 10]))
@pytest.mark.parametrize("form", ["short", "closed"])
def test_orthogonal_matrices(size, form):
    matrix = ortho_group.rvs(2**size, random_state=size)
    matrix[0] *= np.sign(np.linalg.slogdet(matrix)[0])
    builder = Builder(range(size))
    add_orthogonal(builder, orthogonal_angles(matrix, form=form).tolist(), range(size), form=form)
    assert_whole("orthogonal", builder, matrix, orthogonal_count(size, form=form))


@pytest.mark.parametrize("size", sizes([5, 6], [7, 8, 9, 10]))
def test_unitaries(size):
    matrix = unitary_group.rvs(2**size, random_state=size)
    builder = Builder(range(size))
    add_unitary(builder, matrix, range(size))
    assert_whole("unitary", builder, matrix, unitary_count(size))


@pytest.mark.parametrize("size", sizes([6, 10], [7, 8, 9]))
def test_diagonals(size):
    phases = numbers(np.random.default_rng(size), 2**size)
    builder = Builder(range(size))
    add_diagonal(builder, diagonal_angles(phases).tolist(), range(size))
    assert_whole("diagonal", builder, np.diag(np.exp(1j * phases)), diagonal_count(size))


def compounds(matrix: np.ndarray) -> np.ndarray:
    """What a network of neighbours does to all excitations: minors, by the rows and columns excited."""
    size = len(matrix)
    out = np.zeros((2**size, 2**size))
    out[0, 0] = 1.0
    for excited in range(1, size + 1):
        chosen = np.array(list(combinations(range(size), excited)), dtype=np.int64).reshape(-1, excited)
        place = (1 << (size - 1 - chosen)).sum(axis=1)
        minors = matrix[chosen[:, None, :, None], chosen[None, :, None, :]]
        out[np.ix_(place, place)] = np.linalg.det(minors)
    return out


@pytest.mark.parametrize("size", sizes([4, 8], [10]))
@pytest.mark.parametrize("network", [pyramid, cross])
def test_givens_networks(size, network):
    """Every number of excitations, not one alone."""
    pairs = network(size)
    angles = np.random.default_rng(size).uniform(-3, 3, len(pairs))
    builder = Builder(range(size))
    add_network(builder, pairs, angles.tolist(), range(size))
    wanted = compounds(network_matrix(pairs, angles, size))
    assert_whole(f"Givens network, {network.__name__}", builder, wanted)


@pytest.mark.parametrize("size", [4, 8])
def test_butterflies(size):
    """Their wires are no neighbours: one excitation is what is defined."""
    pairs = butterfly(size)
    angles = np.random.default_rng(size).uniform(-3, 3, len(pairs))
    builder = Builder(range(size))
    add_network(builder, pairs, angles.tolist(), range(size))
    one = 1 << np.arange(size)[::-1]
    found = whole(builder.build())
    np.testing.assert_allclose(found[np.ix_(one, one)], network_matrix(pairs, angles, size), atol=EXACT)
    assert np.abs(found.conj().T @ found - np.eye(2**size)).max() < EXACT


# -- states


def amplitudes(rng: np.random.Generator, size: int) -> np.ndarray:
    """A real state with zeros, ties, signs, denormals."""
    count = 2**size
    odd = rng.choice([0.0, -0.0, 1.0, -1.0, 5e-324, 1e-9], count)
    state = np.where(rng.random(count) < 0.3, odd, rng.normal(size=count))
    return state / np.linalg.norm(state)


def assert_state(what: str, builder: Builder, wanted: np.ndarray) -> None:
    begin = perf_counter()
    circuit = builder.build()
    found = joint_states(simulate(circuit, circuit.angles[None]), range(circuit.num_qubits))[0]
    overlap = np.vdot(wanted, found)
    off = np.abs(found - wanted * (overlap / abs(overlap))).max()
    gates = int((NUM_QUBITS[circuit.op] == 2).sum())
    what = f"{what}, {circuit.num_qubits} qubits"
    print(f"{what}: {gates} two-qubit gates, off by {off:.1e}, {perf_counter() - begin:.1f} s")
    assert off < EXACT


STATES = sizes([6, 10, 12], [14, 16])


@pytest.mark.parametrize("size", STATES)
def test_cascades(size):
    state = amplitudes(np.random.default_rng(size), size)
    builder = Builder(range(size))
    add_real_state(builder, real_state_angles(state).tolist(), range(size))
    assert int((NUM_QUBITS[builder.build().op] == 2).sum()) == real_state_count(size)
    assert_state("cascade", builder, state)


@pytest.mark.parametrize("size", STATES)
@pytest.mark.parametrize("machine", ["google.willow", "line:16"])
def test_cascades_on_machines(size, machine):
    state = amplitudes(np.random.default_rng(size), size)
    plan = plan_state(targets.get(machine).device, size)
    assert plan is not None
    builder = Builder(range(size))
    plan.add(builder, plan.angles(state).tolist(), range(size))
    assert_state(f"cascade on {machine}", builder, state)


@pytest.mark.parametrize("size", STATES)
@pytest.mark.parametrize("form", ["short", "closed"])
def test_schmidt_forms(size, form):
    rng = np.random.default_rng(size)
    state = rng.normal(size=2**size)
    state /= np.linalg.norm(state)
    plan = SchmidtState.of(size, state[None], form=form)
    builder = Builder(range(size))
    plan.add(builder, plan.angles(state).tolist(), range(size))
    assert_state("Schmidt form", builder, state)


@pytest.mark.parametrize("size", sizes([6, 9], [10, 12, 14]))
def test_complex_states(size):
    rng = np.random.default_rng(size)
    state = rng.normal(size=2**size) + 1j * rng.normal(size=2**size)
    state /= np.linalg.norm(state)
    builder = Builder(range(size))
    add_complex_state(builder, state, range(size))
    assert_state("complex state", builder, state)


@pytest.mark.parametrize("size", [6, 10, 12, 14, 16])
def test_sparse_states(size):
    rng = np.random.default_rng(size)
    state = np.zeros(2**size, dtype=complex)
    where = rng.choice(2**size, 9, replace=False)
    state[where] = rng.normal(size=9) + 1j * rng.choice([0.0, 1.0], 9)
    state /= np.linalg.norm(state)
    steps = sparse_steps(state, 10**6)
    assert steps is not None
    builder = Builder(range(size))
    add_sparse_state(builder, steps, range(size))
    assert_state("sparse state", builder, state)
