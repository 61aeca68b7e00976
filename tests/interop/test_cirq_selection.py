"""Selections of Cirq circuits: against Cirq's own controlled operations and simulator."""

from __future__ import annotations

from itertools import pairwise

import cirq
import numpy as np
import pytest
import sympy

import qattn_compiler as qattn
from qattn_compiler.errors import CircuitError
from qattn_compiler.interop.cirq_selection import (
    controlled,
    hadamard_test,
    linear_combination,
    select,
    swap_test,
)

RNG = np.random.default_rng(0)
DATA = cirq.LineQubit.range(3)
ADDRESS = cirq.NamedQubit.range(4, prefix="a")


def ansatz(angles, qubits=DATA) -> cirq.Circuit:
    a = iter(angles)
    out = cirq.Circuit(cirq.ry(next(a))(q) for q in qubits)
    out += [cirq.CX(*pair) for pair in pairwise(qubits)]
    out += [cirq.Z(q) ** next(a) for q in qubits]
    out += [cirq.CZ(qubits[0], qubits[2]) ** next(a), cirq.ry(next(a)).controlled()(*qubits[1:])]
    return out


def state(circuit: cirq.Circuit) -> np.ndarray:
    return circuit.final_state_vector(qubit_order=sorted(circuit.all_qubits()))


def two_qubit(circuit: cirq.Circuit) -> int:
    return sum(len(op.qubits) == 2 for op in circuit.all_operations())


SPECIAL = ([1.0] * 8, [np.pi, 0, 1, 1.0, 0.5, -0.5, 1.0, 2.0], [0.3, 0.1, 0.4, 0.25, 1.0, 0.7, 0.2, -1.0])


def test_selects_like_controlled_gates():
    branches = [ansatz(angles) for angles in SPECIAL]
    out = select(branches, ADDRESS[:2])
    wanted = np.kron(np.diag([1, 0, 0, 0]), cirq.unitary(branches[0])).astype(complex)
    for x, branch in ((1, branches[1]), (2, branches[2]), (3, branches[2])):
        wanted += np.kron(np.diag(np.eye(4)[x]), cirq.unitary(branch))
    found = out.unitary(qubit_order=[*ADDRESS[:2], *DATA])
    np.testing.assert_allclose(found, wanted, atol=1e-7)


def test_order_of_appending_does_not_matter():
    one = cirq.Circuit([cirq.rx(0.1)(DATA[0]), cirq.rx(0.2)(DATA[1]), cirq.CZ(*DATA[:2])])
    other = cirq.Circuit([cirq.rx(0.4)(DATA[1]), cirq.rx(0.3)(DATA[0]), cirq.CZ(*DATA[:2])])
    assert two_qubit(select([one, other], ADDRESS[:1])) <= 5


def test_symbols_of_both_circuits():
    names = sympy.symbols("x0:8 y0:8")
    first, second = ansatz(names[:8]), ansatz(names[8:])
    values = dict(zip(names, RNG.normal(size=16), strict=True))
    out = cirq.resolve_parameters(select([first, second], ADDRESS[:1]), values)
    branches = [cirq.unitary(cirq.resolve_parameters(c, values)) for c in (first, second)]
    wanted = np.kron(np.diag([1, 0]), branches[0]) + np.kron(np.diag([0, 1]), branches[1])
    np.testing.assert_allclose(out.unitary(qubit_order=[ADDRESS[0], *DATA]), wanted, atol=1e-7)


def test_controlled():
    there = ansatz(RNG.normal(size=8))
    circuit = cirq.inverse(there) + cirq.ry(0.7)(DATA[1]) + there
    out = controlled(circuit, ADDRESS[0])
    wanted = cirq.Circuit(cirq.CircuitOperation(circuit.freeze()).controlled_by(ADDRESS[0]))
    order = [ADDRESS[0], *DATA]
    cirq.testing.assert_allclose_up_to_global_phase(
        out.unitary(qubit_order=order), wanted.unitary(qubit_order=order), atol=1e-6
    )
    assert two_qubit(out) == two_qubit(circuit) + 2


def test_overlaps():
    first, second = (ansatz(RNG.normal(size=8)) for _ in range(2))
    wanted = np.vdot(state(first), state(second))
    parts = []
    for imaginary in (False, True):
        test = hadamard_test(first, second, ADDRESS[0], imaginary=imaginary)
        order = {q: i for i, q in enumerate(sorted(test.circuit.all_qubits()))}
        parts.append(test.observable.expectation_from_state_vector(state(test.circuit), order).real)
    assert complex(*parts) == pytest.approx(wanted, abs=1e-6)
    moved = second.transform_qubits(lambda q: q + 10)
    swap = swap_test(first, moved)
    qubits = sorted(swap.circuit.all_qubits())
    index = np.arange(2 ** len(qubits))
    bit = {q: (index >> (len(qubits) - 1 - i)) & 1 for i, q in enumerate(qubits)}
    signs = 1 - 2 * (sum(bit[a] & bit[b] for a, b in swap.pairs) % 2)
    assert np.abs(state(swap.circuit)) ** 2 @ signs == pytest.approx(abs(wanted) ** 2, abs=1e-6)


@pytest.mark.parametrize("one_hot", [False, True])
def test_combinations(one_hot):
    angles = RNG.normal(size=3)
    words = (cirq.X, cirq.Y, cirq.Z)
    circuits = [ansatz(RNG.normal(size=8)) for _ in range(3)]
    if one_hot:
        pairs = [
            (p(DATA[0]) * w(DATA[i % 2 + 1]), t)
            for i, (p, w, t) in enumerate(zip(words, words, angles, strict=True))
        ]
        circuits = [cirq.Circuit(cirq.decompose(cirq.PauliStringPhasor(p, exponent_neg=t))) for p, t in pairs]
        circuits = [c + [cirq.Z(q) ** 0 for q in DATA] for c in circuits]
    weights = [0.3, -1.2, 0.5 + 0.4j]
    address = ADDRESS[: 3 if one_hot else 2]
    found = linear_combination(weights, circuits, address)
    block = found.circuit.unitary(qubit_order=[*address, *DATA])[:8, :8]
    wanted = sum(w * c.unitary(qubit_order=DATA) for w, c in zip(weights, circuits, strict=True))
    np.testing.assert_allclose(found.norm * block, wanted, atol=1e-6)


def test_the_result_goes_through_transpile():
    first, second = (ansatz(RNG.normal(size=8)) for _ in range(2))
    test = hadamard_test(first, second, DATA[0] + 20)
    out = qattn.transpile(test.circuit, "google.willow", verify=False)
    qubits = {out.final_layout[q]: cirq.Z for q in test.observable}
    order = {q: i for i, q in enumerate(sorted(out.circuit.all_qubits()))}
    found = cirq.PauliString(qubits).expectation_from_state_vector(state(out.circuit), order)
    assert found.real == pytest.approx(np.vdot(state(first), state(second)).real, abs=1e-6)


def test_errors():
    measured = cirq.Circuit(cirq.measure(DATA[0]))
    with pytest.raises(CircuitError, match="measures"):
        select([measured, measured], ADDRESS[:1])
    with pytest.raises(CircuitError, match="other gates"):
        select([cirq.Circuit(cirq.X(DATA[0])), cirq.Circuit(cirq.H(DATA[0]))], ADDRESS[:1])
    with pytest.raises(CircuitError, match="other gates"):
        select([cirq.Circuit(cirq.X(DATA[0])), ansatz(SPECIAL[0])], ADDRESS[:1])
