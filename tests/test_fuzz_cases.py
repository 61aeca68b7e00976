"""Ten thousand cases of the fuzzer (with those of `test_fuzz_passes`), and all that failed once."""

from __future__ import annotations

import inspect
import sys
import warnings
from pathlib import Path

import cirq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.append(str(Path(__file__).parent / "expr"))  # run by itself, pytest has not been there yet

import strategies
from fuzzing import circuits
from fuzzing.cases import TARGETS, corpus, failure, many
from fuzzing.choices import Choices, Given, shrink

from qattn_compiler.errors import ParseError
from qattn_compiler.frontends import parse

CASES = {
    "text": 3000,
    "job": 600,
    "qasm": 100,
    "cirq-json": 200,
    "circuit-text": 1400,
    "pipeline-text": 800,
    "npz": 900,
    "safetensors": 900,
    "arrays": 200,
    "toml": 200,
    "machine-json": 200,
    "machine-name": 100,
    "expression": 200,
    "round-trip": 100,
    "pipeline": 60,
    "transpile": 24,
    "compile": 16,
}
CHUNKS = {"round-trip": 4, "pipeline": 2, "transpile": 8, "compile": 4, "text": 3, "job": 3, "expression": 2}
PARTS = [
    pytest.param(name, range(count * part // parts, count * (part + 1) // parts), id=f"{name}-{part}")
    for name, count in CASES.items()
    for parts in (CHUNKS.get(name, 1),)
    for part in range(parts)
]


def test_ten_thousand_cases():
    from test_fuzz_passes import CASES as PASSES

    assert set(CASES) == set(TARGETS)
    assert sum(CASES.values()) + PASSES >= 10_000


@pytest.mark.parametrize(("name", "seeds"), PARTS)
def test_cases(name, seeds):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tally = many(name, seeds, shrinks=False)
    found = [f"{f.signature}: {f.message}\nGiven({f.made})" for f in tally.failures.values()]
    assert not found, "\n".join(found)
    assert tally.accepted[name], "every case was refused: the generator is no use"


@pytest.mark.parametrize(("name", "made"), [pytest.param(n, m, id=file) for n, m, file in corpus()])
def test_what_failed_once(name, made):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = failure(name, made)
    assert found is None, found


# -- the fuzzer itself ---------------------------------------------------------------------------------------


def test_decisions_repeat_a_case():
    c = Choices(5)
    made = circuits.circuit(c)
    assert circuits.circuit(Given(c.made)) == made
    assert circuits.circuit(Given.of_bytes(b"".join(n.to_bytes(4, "little") for n in c.made))) == made


def test_shrinking_finds_the_least():
    c = Choices(1)
    made = [c.below(1000) for _ in range(40)]
    assert shrink(lambda numbers: any(n >= 100 for n in numbers), made) == [100]


def test_a_planted_fault_is_found_and_shrunk(monkeypatch):
    import fuzzing.cases

    def planted(c: Choices) -> bool:
        c.below(10)
        if c.between(0, 50) > 20:
            raise KeyError("planted")
        return True

    monkeypatch.setitem(fuzzing.cases.TARGETS, "planted", fuzzing.cases.Target(planted, 1, True))
    tally = many("planted", range(20))
    (found,) = tally.failures.values()
    assert found.signature.startswith("KeyError at test_fuzz_cases.py")
    assert found.made == [0, 21]
    assert tally.failed.total() > 1


def test_no_gate_of_cirq_is_forgotten():
    """All classes of gates that Cirq exports can come, but for abstract ones and these."""
    never = {
        "ArithmeticGate",  # abstract
        "EigenGate",
        "Gate",
        "Pauli",
        "BaseDensePauliString",
        "MutableDensePauliString",  # cannot be hashed
        "StatePreparationChannel",  # slow, and a channel like others
        "UniformSuperpositionGate",
        "CCYPowGate",  # of some versions
        "MeasurementGate",  # made otherwise
        "PauliMeasurementGate",
        "GlobalPhaseGate",
    }
    kinds = {name for name, kind in inspect.getmembers(cirq, inspect.isclass) if issubclass(kind, cirq.Gate)}
    exported = {getattr(cirq, name).__name__ for name in kinds}
    assert exported - never <= circuits.gates()


@settings(max_examples=25)
@given(strategies.hostile_texts())
def test_strategies_texts(text):
    try:
        made = parse(text)
    except ParseError:
        return
    assert parse(str(made)) is made


@settings(max_examples=10)
@given(strategies.cirq_circuits(), strategies.machines(6), strategies.pipelines(), st.data())
def test_strategies_are_what_they_say(circuit, machine, pipeline, data):
    assert isinstance(circuit, cirq.Circuit)
    assert 1 <= machine.device.num_qubits <= 20
    assert pipeline.passes
    graph = data.draw(strategies.coupling_graphs())
    assert len(graph)
    assert data.draw(strategies.weights({"Q": (2, 3)}))["Q"].shape == (2, 3)
    assert not data.draw(strategies.expressions()).free
