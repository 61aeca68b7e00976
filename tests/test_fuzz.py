"""Random expressions, weights and circuits through the whole compiler, judged by NumPy and by Cirq."""

from __future__ import annotations

import cirq
import numpy as np
import pytest
import sympy

import qattn_compiler as qattn
from qattn_compiler.errors import LoweringError, TargetError

TEXTS = (
    "softmax(Q @ K.T / sqrt(d)) @ V",
    "softmax(mask(Q @ K.T / sqrt(d), causal)) @ V",
    "softmax(mask(Q @ K.T, M)) @ V",
    "Q @ K.T",
    "phi(Q) @ (phi(K).T @ V)",
    "2 * (softmax(Q @ K.T) @ V) - V",
    "concat(softmax(Q @ K.T) @ V, Q @ K.T)",
    "(softmax(Q @ K.T) @ V).T",
    "(softmax(Q @ K.T) @ V)[0]",
    "softmax(Q @ K.T) @ V @ Wo",
    "sigmoid(Q) @ gelu(K).T",
    "sum(Q * K, axis=1)",
    "sum(w[i] * relu(x[i]) for i in range(n))",
    "sum(w[i] * V[i, :] for i in range(n))",
    "sum(w[i] * x[i] for i in range(1, n)) / 3 + 2",
    "sum(w[i] * tanh(x[j]) * x[j] for i in range(n) for j in range(n))",
    "sum(exp(-(w[i])**2) * x[i] for i in range(n))",
    "sum(w[i] * (x[i] + 1) for i in range(n))",
    "sum(w * x)",
    "W @ x",
    "x @ V",
    "-(x @ w)",
)


def draw(rng: np.random.Generator, *shape: int):
    """Ordinary numbers, whole ones, ties, zeros, and very large and small ones."""
    plain = rng.normal(size=shape)
    kinds = (
        lambda: plain,
        lambda: np.round(plain),
        lambda: np.zeros(shape),
        lambda: np.ones(shape),
        lambda: plain * 10.0 ** rng.integers(-150, 150),
    )
    return kinds[rng.choice(5, p=[0.6, 0.15, 0.075, 0.075, 0.1])]()


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("text", TEXTS)
def test_expressions(text, seed):
    rng = np.random.default_rng([seed, TEXTS.index(text)])
    n, d = int(rng.integers(1, 12)), int(rng.integers(1, 4))
    shapes = {"Q": (n, d), "K": (n, d), "V": (n, d + 1), "w": (n,), "x": (n,), "W": (3, n), "Wo": (d + 1, 2)}
    weights = {name: draw(rng, *shape) for name, shape in shapes.items()} | {"M": np.tri(n)}
    encoding = "angle" if seed == 5 else "amplitude"
    level = int(rng.integers(0, 3))
    try:
        c = qattn.compile(text, weights, encoding=encoding, optimization_level=level)
    except LoweringError as error:
        assert (n, "runs over nothing" in str(error)) == (1, True)  # noqa: PT017
        return
    except TargetError as error:
        assert (encoding, "qubits" in str(error)) == ("angle", True)  # noqa: PT017
        return
    assert c.verification.passed
    if encoding == "amplitude":
        expected = qattn.reference(text, weights)
        scale = max(1.0, *(abs(r.scale) for r in c.readouts))
        assert c.evaluate().shape == np.shape(expected)
        np.testing.assert_allclose(c.evaluate(), expected, rtol=0, atol=1e-9 * scale)


A, B = sympy.symbols("a b")
VALUES = {"a": 0.37, "b": -1.1}
ONE = (
    *(cirq.X, cirq.Y, cirq.Z, cirq.H, cirq.S, cirq.T, cirq.I, cirq.X**0.3, cirq.H**0.5, cirq.ry(2.2)),
    cirq.PhasedXZGate(x_exponent=0.2, z_exponent=0.7, axis_phase_exponent=-0.4),
    *(cirq.Z**A, cirq.X ** (A + B), cirq.rx(A), cirq.Y ** (2 * B - 0.5)),
)
TWO = (
    *(cirq.CZ, cirq.CX, cirq.SWAP, cirq.ISWAP, cirq.SQRT_ISWAP, cirq.CZ**0.3, cirq.CX**0.4, cirq.ISWAP**0.7),
    *(cirq.SWAP**0.5, cirq.XX**0.2, cirq.YY**0.4, cirq.ZZ**0.6, cirq.FSimGate(0.3, 0.5), cirq.givens(0.7)),
    *(cirq.PhasedFSimGate(0.1, 0.2, 0.3, 0.4, 0.5), cirq.ControlledGate(cirq.H)),
    *(cirq.CZ**A, cirq.ZZ**B, cirq.givens(A), cirq.ISWAP**A, cirq.cphase(B)),
)
THREE = (cirq.CCX, cirq.CCZ, cirq.CSWAP)


def random_cirq_circuit(rng: np.random.Generator) -> cirq.Circuit:
    """All kinds of gates, symbols, tags, matrices, nested circuits."""
    n = int(rng.integers(1, 6))
    qubits = cirq.LineQubit.range(n)
    symbolic = rng.random() < 0.4
    operations = []
    for _ in range(int(rng.integers(1, 16))):
        width = min(n, int(rng.choice([1, 2, 3], p=[0.45, 0.45, 0.1])))
        pool = (ONE, TWO, THREE)[width - 1]
        gate = pool[rng.integers(len(pool))]
        if rng.random() < 0.06:
            gate = cirq.MatrixGate(cirq.testing.random_unitary(2**width, random_state=int(rng.integers(1e6))))
        if symbolic or not cirq.is_parameterized(gate):
            operation = gate.on(*(qubits[i] for i in rng.permutation(n)[:width]))
            operations.append(operation.with_tags("t") if rng.random() < 0.1 else operation)
    circuit = cirq.Circuit(operations)
    nested = rng.random() < 0.15
    return cirq.Circuit(cirq.CircuitOperation(circuit.freeze(), repetitions=2)) if nested else circuit


def spread(layout, order, machine) -> np.ndarray:
    """Basis states of the machine's qubits that hold each basis state of the circuit's."""
    k, m = len(order), len(machine)
    index = np.arange(2**k)
    return sum(
        ((index >> (k - 1 - i)) & 1) << (m - 1 - machine.index(layout[q])) for i, q in enumerate(order)
    )


@pytest.mark.parametrize("seed", range(60))
def test_circuits(seed):
    rng = np.random.default_rng(seed)
    circuit = random_cirq_circuit(rng)
    order = sorted(circuit.all_qubits())
    t = qattn.transpile(circuit, optimization_level=int(rng.integers(0, 4)), seed=int(rng.integers(5)))
    assert t.verification.passed
    machine = sorted({*t.circuit.all_qubits(), *t.initial_layout.values(), *t.final_layout.values()})
    given, made = (cirq.resolve_parameters(c, VALUES) for c in (circuit, t.circuit))
    found = (
        made.unitary(machine, machine)[:, spread(t.initial_layout, order, machine)] if machine else np.eye(1)
    )
    wanted = np.zeros_like(found)
    wanted[spread(t.final_layout, order, machine) if order else 0] = given.unitary(order)
    phase = np.vdot(wanted, found)
    np.testing.assert_allclose(found, wanted * phase / abs(phase), atol=1e-6)
