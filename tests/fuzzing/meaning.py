"""Valid inputs of all kinds: what comes out of the compiler means the same, say Cirq and NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cirq
import numpy as np
import test_fuzz_passes
from helpers import GATE_SETS, assert_same_meaning, random_circuit, walls
from random_exprs import VALUES as ARRAYS
from random_exprs import random_expr

import qattn_compiler as qattn
from fuzzing.choices import Choices
from fuzzing.circuits import VALUES, circuit
from fuzzing.graphs import machine
from qattn_compiler.circuit import spec
from qattn_compiler.errors import LoweringError, TargetError, WeightError
from qattn_compiler.expr.evaluate import evaluate
from qattn_compiler.frontends import parse
from qattn_compiler.interop.cirq_io import from_cirq, to_cirq
from qattn_compiler.interop.cirq_read import read
from qattn_compiler.job import ENCODINGS
from qattn_compiler.pipeline import Pipeline
from qattn_compiler.verify.reference import reference

DENSE = 9
"""Machines up to so many qubits are compared as whole unitaries."""


class _AsRandom:
    """Decisions for code that wants a `random.Random`."""

    def __init__(self, c: Choices) -> None:
        self.c = c

    def randint(self, low: int, high: int) -> int:
        return self.c.between(low, high)

    def choice(self, items: Sequence[Any]) -> Any:
        return self.c.pick(items)

    def random(self) -> float:
        return self.c.below(1000) / 1000


def any_expression(c: Choices, steps: int = 8) -> Any:
    """A closed expression over `ARRAYS`."""
    return random_expr(_AsRandom(c), steps)


def any_weights(c: Choices, shapes: dict[str, tuple[int, ...]]) -> dict[str, Any]:
    """Arrays of these shapes: ordinary numbers, whole ones with ties, zeros, very large and small ones."""
    out = {}
    for name, shape in shapes.items():
        plain = c.rng().normal(size=shape)
        size = 10.0 ** c.pick((0, 0, 0, 2, -3, 100, -100))
        out[name] = c.pick((plain * size, plain, np.round(plain), np.zeros(shape), np.ones(shape)))
    return out


def any_pipeline(c: Choices) -> Pipeline[Any]:
    """Up to four passes with any options."""
    return Pipeline(tuple(test_fuzz_passes.draw(c.rng()) for _ in range(c.between(1, 4))))


def expression(c: Choices) -> bool:
    """Written and read again the same; both evaluators agree."""
    made = any_expression(c)
    assert parse(str(made)) is made
    try:
        expected = reference(made, ARRAYS)
    except WeightError:
        return False
    if np.abs(expected).max(initial=0.0) < 1e4:
        found = evaluate(made, ARRAYS)
        assert found.shape == np.shape(expected)
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)
    return True


# -- Cirq and back -------------------------------------------------------------------------------------------


def resolved(given: cirq.AbstractCircuit) -> cirq.Circuit:
    """Numbers for symbols."""
    made: cirq.Circuit = cirq.resolve_parameters(given, VALUES)
    return made


def assert_same(before: cirq.Circuit, after: cirq.Circuit) -> None:
    """Equal unitaries, phase included, or equal channels, or else what `qattn.verify` can say."""
    qubits = sorted(before.all_qubits() | after.all_qubits())
    assert before.all_measurement_key_names() == after.all_measurement_key_names()
    one, two = resolved(before), resolved(after)
    if cirq.has_unitary(one):
        try:
            matrices = [c.unitary(qubits, qubits, dtype=np.complex128) for c in (one, two)]
        except TypeError:  # Cirq says that there is one, and has none (CZ**sympy.Integer(2))
            return
        np.testing.assert_allclose(matrices[1], matrices[0], atol=1e-6)
        return
    assert qattn.verify(before, after).equal is not False
    if len(qubits) < 4 and one._has_superoperator_():
        idle = cirq.Circuit(cirq.I.on_each(*qubits))
        try:
            channels = [(idle + c)._superoperator_() for c in (one, two)]
        except TypeError:  # Cirq says that it has one, and has none
            return
        np.testing.assert_allclose(channels[1], channels[0], atol=1e-6)


def round_trip(c: Choices) -> bool:
    """Read by `from_cirq` or `read`, and written."""
    given = circuit(c)
    columns = (from_cirq, read)[c.below(2)](given)
    spec.check(columns)
    made = to_cirq(columns)
    assert_same(cirq.unroll_circuit_op(given, deep=True, tags_to_check=None), made)
    again = to_cirq(from_cirq(made, qubits=columns.qubits))
    assert_same(made, again)
    return True


# -- passes --------------------------------------------------------------------------------------------------


def pipeline(c: Choices) -> bool:
    """Passes in any order on the columns of a Cirq circuit, or on any rows of the gate table."""
    if c.chance(50):
        names = GATE_SETS[c.pick(sorted(GATE_SETS))]
        share, wall = c.pick((0, 0.3)), c.pick((0, 0.1))
        columns = random_circuit(c.rng(), c.between(2, 4), c.between(1, 24), names, share, wall)
    else:
        columns = (read, from_cirq)[c.below(2)](circuit(c))
    if columns.num_qubits + len(columns.keys) > 7:
        return False
    steps = any_pipeline(c)
    try:
        result = steps.run(columns)
        spec.check(result)
        assert result.params == columns.params
        assert_same_meaning(columns, result, atol=1e-7)
        tagged = not any(step.name in test_fuzz_passes.OPENS for step in steps.passes)
        assert walls(result, tagged) == walls(columns, tagged)
    except Exception as error:
        error.add_note(f"passes: {steps.passes}")
        raise
    return True


# -- the whole compiler --------------------------------------------------------------------------------------


def spread(layout: Any, order: Sequence[Any], every: Sequence[Any]) -> Any:
    """Basis states of the machine's qubits that hold each basis state of the circuit's."""
    k, m = len(order), len(every)
    index = np.arange(2**k)
    return sum(
        (((index >> (k - 1 - i)) & 1) << (m - 1 - every.index(layout[q])) for i, q in enumerate(order)),
        np.zeros(2**k, dtype=np.int64),
    )


def transpile(c: Choices) -> bool:
    """Any circuit onto any machine: refused because it does not fit, or proved, valid, and right for Cirq."""
    place = machine(c)
    given = circuit(c, most_qubits=5, most_operations=12, walls=c.chance(40))
    level, seed = c.pick((1, 2, 0, 1, 2, 3)), c.below(3)
    objective = c.pick(("count", "depth", "count"))
    try:
        t = qattn.transpile(given, place, optimization_level=level, seed=seed, objective=objective)
    except TargetError:
        return False
    assert t.verification.passed is not False
    place.validate(t.circuit)
    order = sorted(given.all_qubits())
    assert set(t.initial_layout) == set(t.final_layout) == set(order)
    assert t.circuit.all_measurement_key_names() == given.all_measurement_key_names()
    every = sorted({*t.circuit.all_qubits(), *t.initial_layout.values(), *t.final_layout.values()})
    one, two = resolved(given), resolved(t.circuit)
    if every and len(every) <= DENSE and cirq.has_unitary(one):
        found = two.unitary(every, every, dtype=np.complex128)[:, spread(t.initial_layout, order, every)]
        wanted = np.zeros_like(found)
        wanted[spread(t.final_layout, order, every)] = one.unitary(order, dtype=np.complex128)
        phase = np.vdot(wanted, found)
        np.testing.assert_allclose(found, wanted * phase / abs(phase), atol=2e-6)
    return True


def compiled(c: Choices) -> bool:
    """A random expression in any encoding: no circuit for it, or the reference's numbers."""
    made = any_expression(c, 5)
    arrays = ARRAYS | any_weights(c, {"Q": (3, 4), "K": (3, 4), "w": (3,)}) if c.chance(50) else ARRAYS
    encoding = c.pick(("amplitude", "auto", *ENCODINGS))
    target = c.pick(("google.willow", "ionq.forte", "line:20", "ibm.heron"))
    try:
        result = qattn.compile(made, arrays, target=target, encoding=encoding, optimization_level=c.below(3))
    except (LoweringError, TargetError, WeightError):
        return False
    assert result.verification.passed
    if encoding != "angle":
        expected = reference(made, arrays)
        scale = max(1.0, *(abs(r.scale) for r in result.readouts)) if result.readouts else 1.0
        assert result.evaluate().shape == np.shape(expected)
        np.testing.assert_allclose(result.evaluate(), expected, rtol=1e-7, atol=1e-8 * scale)
    return True
