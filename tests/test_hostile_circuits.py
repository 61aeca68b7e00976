"""Hostile circuits and machines: limits before anything is allocated, errors that say what is wrong."""

from __future__ import annotations

import json
import time
from pathlib import Path

import cirq
import numpy as np
import pytest
import sympy

import qattn_compiler as qattn
from qattn_compiler import targets
from qattn_compiler.errors import CircuitError, TargetError
from qattn_compiler.interop.cirq_files import from_qasm, read_circuit
from qattn_compiler.interop.cirq_io import to_cirq
from qattn_compiler.interop.cirq_read import read
from qattn_compiler.interop.qasm_limits import MAX_OPERATIONS

HEAD = 'OPENQASM 2.0;\ninclude "qelib1.inc";\n'
Q = cirq.LineQubit.range(4)


# -- OpenQASM ------------------------------------------------------------------------------------------------

LAUGHS = "gate g0 a { h a; h a; }\n" + "".join(
    f"gate g{i} a {{ g{i - 1} a; g{i - 1} a; }}\n" for i in range(1, 60)
)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("qreg q[99999999];\nh q[0];", "99999999 bits; at most 65536"),
        ("qubit[99999999] q;\nx q[0];", "99999999 bits"),
        ("qreg q[1];\ncreg c[9999999];\nif (c==1) x q[0];", "9999999 bits"),
        ("qreg q[60000];\n" + "h q;\n" * 100, f"more than {MAX_OPERATIONS} operations"),
        (LAUGHS + "qreg q[1];\ng59 q[0];", f"more than {MAX_OPERATIONS} operations"),
        ("qreg q[1];\nrx(9^9^9^9) q[0];", "OverflowError"),
        ("qreg q[1];\nrx(1/0) q[0];", "division by zero"),
        ("qreg q[1];\nrx(sqrt(-1)) q[0];", "finite"),
        ("qreg q[1];\nrx((-1)^0.5) q[0];", "must be real"),
        ("qreg q[1];\nrx(" + "9" * 9000 + ") q[0];", "limit"),
        ("gate f a { f a; }\nqreg q[1];\nf q[0];", "Unknown gate"),
        ("qreg q[2];\ncreg c[1];\nmeasure q[0]->c[0];\nif (c==1) x q;", "whole register"),
        ("qreg q[2];\ncreg c[1];\nmeasure q[0]->c[0];\nif (c==2) x q[0];", "not so many bits"),
    ],
)
def test_qasm(text, says):
    with np.errstate(all="ignore"), pytest.raises(CircuitError, match=says):
        read(from_qasm("text", HEAD + text))


@pytest.mark.parametrize(
    "piece", ["a", " ", "gate a ", "gate a{", "qreg ", "a==", "if(", "-", "(", "q[", "//", "\n"]
)
def test_no_text_makes_the_estimate_slow(piece):
    from qattn_compiler.interop.qasm_limits import check_qasm

    begin = time.perf_counter()
    for text in (piece * (400_000 // len(piece)), "if (" + piece * 50_000, "gate g" + piece * 50_000 + "}"):
        check_qasm("text", text)
    assert time.perf_counter() - begin < 5


def test_sound_qasm_is_read_as_before():
    text = "qreg q[2];\ncreg c[2];\ngate both(t) a,b { rz(t) a; cx a,b; }\nh q;\n"
    made = from_qasm(
        "text", HEAD + text + "both(2^2/8) q[0],q[1]; // if (\nmeasure q -> c;\nif (c==3) x q[0];\n"
    )
    assert len(list(made.all_operations())) == 6
    numeric = from_qasm("text", HEAD + "qreg q[1];\nrx(2^3) q[0];")
    np.testing.assert_allclose(numeric.unitary(), cirq.unitary(cirq.rx(8)), atol=1e-7)


# -- Cirq ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        {"cirq_type": "Circuit", "moments": [3]},
        {"cirq_type": "Circuit", "moments": None},
        {"cirq_type": "LineQubit", "x": 0},
        {"cirq_type": "nonsense"},
        [],
        None,
    ],
)
def test_json_that_is_no_circuit(tmp_path, data):
    path = tmp_path / "c.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(CircuitError, match=r"c\.json"):
        read_circuit(path)


def test_json_with_parts_that_are_none(tmp_path):
    """Cirq takes any JSON for a tag, a qubit's number, an exponent."""
    good = json.loads(
        cirq.to_json(cirq.Circuit(cirq.X(Q[0]).with_tags("t"), cirq.rx(0.5)(Q[1]), cirq.CZ(*Q[:2])))
    )
    assert read_circuit(_json(tmp_path, good)) == cirq.read_json(json_text=json.dumps(good))
    for change in (
        lambda text: text.replace('"tags": ["t"]', '"tags": [["t"]]'),
        lambda text: text.replace('"x": 1', '"x": [1]'),
        lambda text: text.replace('"x": 1', '"x": "a"'),
        lambda text: text.replace('"rads": 0.5', '"rads": "a"'),
        lambda text: text.replace('"rads": 0.5', '"rads": NaN'),
    ):
        text = change(json.dumps(good))
        assert text != json.dumps(good)
        with pytest.raises(CircuitError):
            read_circuit(_json(tmp_path, json.loads(text)))


def _json(folder: Path, data: object) -> Path:
    path = folder / "c.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


def test_repetitions_are_counted_before_they_are_written_out():
    operation = cirq.CircuitOperation(cirq.FrozenCircuit(cirq.X(Q[0]), cirq.CZ(*Q[:2])))
    for _ in range(5):
        operation = cirq.CircuitOperation(cirq.FrozenCircuit(operation.repeat(1000)))
    with pytest.raises(CircuitError, match=r"2e\+15 operations"):
        read(cirq.Circuit(operation))
    with pytest.raises(CircuitError, match="operations"):
        qattn.transpile(cirq.Circuit(operation))


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1), (3, 0, 2), (2, 1, 0)])
def test_diagonal_gates_on_qubits_that_are_no_neighbours(order):
    """Cirq 1.7 decomposes these wrongly: it moves the qubits and leaves the angles."""
    angles = (0.1, 0.7, -0.3, 1.9, 0.5, -1.1, 0.2, 0.4)
    qubits = [Q[k] for k in order]
    for gate in (
        cirq.ThreeQubitDiagonalGate(angles),
        cirq.ThreeQubitDiagonalGate([sympy.Symbol("s"), *angles[1:]]),
    ):
        given = cirq.Circuit(gate.on(*qubits))
        one, two = (
            cirq.resolve_parameters(c, {"s": 0.6}).unitary(Q, Q, dtype=np.complex128)
            for c in (given, to_cirq(read(given)))
        )
        np.testing.assert_allclose(two, one, atol=1e-7)
    left = next(q for q in Q if q not in qubits)
    given = cirq.Circuit(cirq.ThreeQubitDiagonalGate(angles).on(*qubits).controlled_by(left))
    np.testing.assert_allclose(to_cirq(read(given)).unitary(Q), given.unitary(Q), atol=1e-7)


def test_a_qubit_that_is_only_waited_on_keeps_its_place():
    """Cirq decomposes a wait to nothing."""
    for given in (cirq.Circuit(cirq.WaitGate(cirq.Duration(nanos=3)).on(Q[1])), cirq.Circuit(cirq.I(Q[1]))):
        t = qattn.transpile(given, "line:3", optimization_level=0)
        assert set(t.initial_layout) == set(t.final_layout) == {Q[1]}


# -- machines ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("heavy_hex = { rows = 0, columns = 0, first = 0 }", "no couplings"),
        ("heavy_hex = { rows = 99999999, columns = 99999999, first = 0 }", "at most 4096"),
        ('heavy_hex = { rows = "a", columns = 3, first = 0 }', "whole numbers"),
        ("heavy_hex = { rows = -3, columns = 3, first = 0 }", "whole numbers"),
        ("qubits = [{}, {}]\nedges = []", "no qubit"),
        ("qubits = 2\nedges = [[{}, 1]]", "no qubit"),
        ("qubits = 2\nedges = [[[[1], 2], 1]]", "no qubit"),
        ("qubits = 999999999\nedges = []", "how many"),
        ('shape = "line:999999"', "at most 4096"),
    ],
)
def test_machine_files(tmp_path, text, says):
    path = tmp_path / "m.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(TargetError, match=says):
        targets.get(str(path))
