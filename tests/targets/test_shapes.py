"""Shapes, graphs, files, and machines that others describe."""

from __future__ import annotations

import json
import subprocess
import sys
from types import SimpleNamespace

import cirq
import networkx as nx
import numpy as np
import pytest
import sympy

import qattn_compiler as qattn
from qattn_compiler import targets
from qattn_compiler.errors import TargetError
from qattn_compiler.targets.shapes import heavy_hex_rows
from qattn_compiler.targets.target import Target

Q = cirq.LineQubit.range(4)
QFT = cirq.Circuit(cirq.qft(*Q))


@pytest.mark.parametrize(
    ("name", "qubits", "edges"),
    [
        ("line:1", 1, 0),
        ("line:7", 7, 6),
        ("ring:3", 3, 3),
        ("star:6", 6, 5),
        ("full:6", 6, 15),
        ("grid:3x4", 12, 17),
        ("grid:1x4", 4, 3),
        ("heavyhex:1", 1, 0),
        ("heavyhex:3", 19, 20),
        ("heavyhex:5", 57, 64),
    ],
)
def test_sizes(name, qubits, edges):
    device = targets.get(name).device
    assert (device.num_qubits, len(device.edges)) == (qubits, edges)
    graph = targets.get(name).cirq_device.metadata.nx_graph
    assert nx.is_connected(graph)
    assert set(graph.nodes) == set(device.qubits)


def test_qubits_of_shapes():
    assert targets.get("line:3").device.qubits == tuple(cirq.LineQubit.range(3))
    assert targets.get("grid:2x2").device.qubits == tuple(cirq.GridQubit.rect(2, 2))
    assert targets.get("line:3") is targets.get("line:3")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("line", "says no size"),
        ("line:", "a whole number, such as line:5"),
        ("line:-3", "a whole number"),
        ("line:0", "least size of line is 1"),
        ("ring:2", "least size of ring is 3"),
        ("grid:3", "ROWSxCOLUMNS"),
        ("grid:3x", "ROWSxCOLUMNS"),
        ("grid:0x3", "least size of grid"),
        ("full:5000", "at most 4096"),
        ("heavyhex:4", "odd number"),
        ("line:3?gate=warp", "gate is 'warp'; cz, cx"),
        ("line:3?entangler=cz", r"only gate=\.\.\. is known"),
        ("gird:2x2", "there is no target 'gird:2x2'"),
        ("google.sycamor", r"did you mean google\.sycamore"),
        ("ibm.hero", r"did you mean ibm\.heron"),
        ("/nowhere/machine.toml", "No such file"),
    ],
)
def test_wrong_names(name, message):
    with pytest.raises(TargetError, match=message):
        targets.get(name)


def test_names_import_nothing_heavy(tmp_path):  # elsewhere, so that what is installed is imported
    script = (
        "import sys; from qattn_compiler import targets; targets.names(); targets.check_name('full:3');"
        "print([m for m in ('cirq', 'numpy', 'networkx') if m in sys.modules])"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.strip() == "[]"


# -- graphs


@pytest.mark.parametrize(
    "graph",
    [
        nx.cycle_graph(4),
        nx.DiGraph([(0, 1), (1, 0), (1, 2), (2, 3), (3, 0)]),
        [(0, 1), (1, 2), (3, 2), (3, 0)],
        {0: [1, 3], 1: [0, 2], 2: [3], 3: []},
        [(a, b) for a, b in nx.cycle_graph(cirq.LineQubit.range(4)).edges],
    ],
)
def test_graphs_of_every_kind(graph):
    target = Target.from_graph(graph, name="mine")
    assert target.device.qubits == tuple(Q)
    assert target.device.edges.tolist() == [[0, 1], [0, 3], [1, 2], [2, 3]]
    result = qattn.transpile(QFT, target)
    assert result.verification.passed
    assert target.name == "mine"


def test_labels_and_numbers_of_graphs():
    assert Target.from_graph([("b", "a")]).device.qubits == (cirq.NamedQubit("a"), cirq.NamedQubit("b"))
    assert Target.from_graph([((0, 1), (0, 2))]).device.qubits == tuple(cirq.GridQubit.rect(1, 2, 0, 1))
    known = Target.from_graph([(0, 1)], edge_error=np.array([0.1]), durations={"cz": 30.0})
    assert known.device.edge_error.tolist() == [0.1]
    lonely = Target.from_graph(nx.empty_graph(3))
    assert (lonely.device.num_qubits, len(lonely.device.edges)) == (3, 0)


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (None, "is no graph"),
        (7, "is no graph"),
        ([(0, 1, 2)], "is no graph"),
        ([], "has no qubits"),
        ([(1, 1)], "coupled to itself"),
        ([(1.5, 2.5)], "is no qubit"),
    ],
)
def test_what_is_no_graph(graph, message):
    with pytest.raises(TargetError, match=message):
        Target.from_graph(graph)


def test_unknown_gates_of_graphs():
    with pytest.raises(TargetError, match="there is no gate 'warp'"):
        Target.from_graph([(0, 1)], entangler="warp")
    with pytest.raises(TargetError, match="there is no basis 'warp'"):
        Target.from_graph([(0, 1)], basis="warp")


# -- files

DATA = {
    "name": "lab.chip",
    "entanglers": ["siswap", "cz"],
    "basis": "zsx",
    "qubits": 4,
    "edges": [[0, 1], [1, 2], [2, 3]],
    "durations": {"sx": 25, "siswap": {"value": 32, "date": "2026-01-01", "source": "the lab"}},
    "numbers": {"edge_error": [0.01, 0.02, 0.03], "t1": 50e3, "readout_error": [0.01, 0.02]},
}


def written(folder, **changes):
    path = folder / "machine.json"
    path.write_text(json.dumps({k: v for k, v in {**DATA, **changes}.items() if v is not None}))
    return str(path)


def test_a_file(tmp_path):
    target = targets.get(written(tmp_path))
    assert (target.name, target.entangler, target.basis) == ("lab.chip", "siswap", "zsx")
    assert target.device.edge_error.tolist() == [0.01, 0.02, 0.03]
    assert target.device.readout_error.tolist() == [[0.01, 0.02]] * 4
    assert dict(target.device.durations) == {"rz": 0.0, "sx": 25.0, "siswap": 32.0}
    assert np.isnan(target.device.qubit_error).all()
    assert "the lab (2026-01-01)" in target.device.source
    assert qattn.transpile(QFT, target).verification.passed
    assert Target.from_file(written(tmp_path), "cz").entangler == "cz"


def test_a_toml_file(tmp_path):
    path = tmp_path / "chip.toml"
    path.write_text('name = "chip"\nshape = "grid:2x3"\nbasis = "prx_rz"\nentanglers = ["rzz"]\n')
    assert qattn.transpile(QFT, str(path)).verification.passed


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"colour": 1}, "unknown key 'colour'"),
        ({"shape": "line:3"}, "one of shape, edges and heavy_hex"),
        ({"edges": None}, "one of shape, edges and heavy_hex"),
        ({"edges": [[0, 1, 2]]}, "a list of pairs"),
        ({"edges": [[0, 9]]}, "no pair of qubits"),
        ({"edges": [[1, 1]]}, "no pair of qubits"),
        ({"qubits": "four"}, "how many there are"),
        ({"qubits": 10**9}, "how many there are"),
        ({"entanglers": []}, "a list of names"),
        ({"entanglers": ["warp"]}, "there is no gate 'warp'"),
        ({"basis": "warp"}, "there is no basis"),
        ({"numbers": {"speed": 1}}, "unknown key 'speed'"),
        ({"numbers": {"edge_error": [0.1]}}, None),
        ({"numbers": {"edge_error": [0.1, 0.2]}}, "were expected"),
        ({"numbers": {"qubit_error": -0.1}}, "out of range"),
        ({"numbers": {"qubit_error": 2}}, "out of range"),
        ({"numbers": []}, "a table was expected"),
        ({"durations": {"sx": "fast"}}, "were expected"),
    ],
)
def test_wrong_files(tmp_path, changes, message):
    path = written(tmp_path, **changes)
    if message is None:
        assert targets.get(path).device.edge_error.tolist() == [0.1] * 3
        return
    with pytest.raises(TargetError, match=message) as caught:
        targets.get(path)
    assert "machine.json" in str(caught.value) or "lab.chip" in str(caught.value)


def test_files_that_are_no_files(tmp_path):
    for text in ("[1, 2]", "{", '"x"'):
        (tmp_path / "x.json").write_text(text)
        with pytest.raises(TargetError, match=r"x\.json"):
            targets.get(str(tmp_path / "x.json"))


# -- Cirq's devices and gatesets


def test_cirq_devices():
    from cirq_google import Sycamore

    target = Target.from_cirq_device(Sycamore, name="syc")
    assert (target.entangler, target.basis, target.cirq_device) == ("siswap", "phased_xz", Sycamore)
    assert qattn.transpile(QFT, target).verification.passed
    ring = cirq.testing.construct_ring_device(5, directed=True)
    with pytest.raises(TargetError, match="has no gateset"):
        Target.from_cirq_device(ring)
    one_way = Target.from_cirq_device(ring, entangler="siswap", basis="phased_xz")
    assert qattn.transpile(QFT, one_way).verification.passed  # the ring's own validator looks at directions
    for level in range(4):  # CX is turned round by Hadamard gates
        one_way = Target.from_cirq_device(ring, entangler="cx", basis="zsx")
        assert qattn.transpile(QFT, one_way, optimization_level=level).verification.passed


class Odd(cirq.Device):
    def __init__(self, metadata):
        self._given = metadata
        self.gateset = cirq.CZTargetGateset()

    @property
    def metadata(self):
        return self._given


def test_metadata_of_every_kind():
    pairs = [(Q[0], Q[1]), (Q[1], Q[2])]
    as_list = SimpleNamespace(qubit_set=frozenset(Q[:3]), nx_graph=pairs)
    assert len(Target.from_cirq_device(Odd(as_list)).device.edges) == 2
    for broken in (None, SimpleNamespace(qubit_set=frozenset(Q)), SimpleNamespace(qubit_set=(), nx_graph=7)):
        with pytest.raises(TargetError, match=r"no metadata|no coupling graph|is no graph"):
            Target.from_cirq_device(Odd(broken))
    device = Odd(as_list)
    device.gateset = cirq.Gateset(cirq.H, cirq.CZ)
    with pytest.raises(TargetError, match="no single-qubit gates"):
        Target.from_cirq_device(device)


@pytest.mark.parametrize(
    ("gateset", "entangler"),
    [
        (cirq.CZTargetGateset(), "cz"),
        (cirq.CZTargetGateset(allow_partial_czs=True), "cphase"),
        (cirq.SqrtIswapTargetGateset(), "siswap"),
    ],
)
def test_gatesets(gateset, entangler):
    s = sympy.Symbol("s")
    circuit = cirq.Circuit(cirq.ry(s)(Q[0]), cirq.ZZ(*Q[:2]) ** s, cirq.rz(s)(Q[1]))
    target = Target.from_gateset(gateset, nx.path_graph(4))
    assert target.entangler == entangler
    for each in (QFT, circuit):
        result = qattn.transpile(each, target)
        assert result.verification.passed
        assert gateset.validate(result.circuit)
    gate = {"siswap": cirq.SQRT_ISWAP}.get(entangler, cirq.CZ)
    with pytest.raises(ValueError, match="not coupled"):
        target.cirq_device.validate_circuit(cirq.Circuit(gate(Q[0], Q[3])))
    with pytest.raises(ValueError, match="not a qubit"):
        target.cirq_device.validate_circuit(cirq.Circuit(cirq.X(cirq.LineQubit(9))))
    with pytest.raises(TargetError, match="no two-qubit gates"):
        Target.from_gateset(cirq.Gateset(cirq.H), nx.path_graph(2))


# -- Qiskit, by what its objects look like


def qiskit_target(names=("cz", "rz", "sx", "x", "measure")):
    entry = lambda error, time: SimpleNamespace(error=error, duration=time)  # noqa: E731
    table = {
        "cz": {(1, 0): entry(0.008, 68e-9), (1, 2): entry(None, 70e-9)},
        "sx": {(i,): entry(1e-4, 32e-9) for i in range(3)},
        "rz": {(i,): entry(0.0, 0.0) for i in range(3)},
        "x": {(i,): None for i in range(3)},
        "measure": {(i,): entry(0.02, 1e-6) for i in range(3)},
    }

    class Fake(dict):
        operation_names, num_qubits, name = names, 3, "fake"
        qubit_properties = (SimpleNamespace(t1=1e-4), None, SimpleNamespace(t1=None))

        def qargs_for_operation_name(self, name):
            return list(self[name])

    return Fake(table)


def test_a_qiskit_target():
    target = Target.from_qiskit(SimpleNamespace(target=qiskit_target(), name="backend"))
    device = target.device
    assert (target.name, target.entangler, target.basis) == ("backend", "cz", "zsx")
    assert device.edges.tolist() == [[0, 1], [1, 2]]
    np.testing.assert_allclose(device.edge_error, [0.01, np.nan])
    np.testing.assert_allclose(device.qubit_error, 1.5e-4)
    np.testing.assert_allclose(device.t1, [1e5, np.nan, np.nan])
    assert (device.durations["sx"], device.durations["measure"]) == (pytest.approx(32), pytest.approx(1000))
    assert qattn.transpile(cirq.Circuit(cirq.qft(*Q[:3])), target).verification.passed


def test_what_is_no_qiskit_target():
    with pytest.raises(TargetError, match="no Qiskit Target"):
        Target.from_qiskit(7)
    with pytest.raises(TargetError, match="cannot make all gates"):
        Target.from_qiskit(qiskit_target(("h", "measure")))


def test_hexagons_that_are_none(tmp_path):
    for rows, columns, ends in ((1, 3, 1), (2, 2, 2)):
        shape = {"rows": rows, "columns": columns, "first": 0, "ends": ends}
        path = written(tmp_path, edges=None, heavy_hex=shape, qubits=None)
        with pytest.raises(TargetError, match="heavy hex"):
            targets.get(path)
    assert heavy_hex_rows(2, 5, 1, 2) == [(0, 1), (1, 2), (1, 3), (4, 5), (5, 6)]
