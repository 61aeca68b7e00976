"""Cirq devices, gatesets and vendors' gates."""

from __future__ import annotations

import json

import cirq
import pytest
import sympy

import qattn_compiler as qattn
from qattn_compiler import targets
from qattn_compiler.errors import TargetError
from qattn_compiler.targets import ionq
from qattn_compiler.targets.machine import MachineDevice, one_by_one

Q = cirq.LineQubit.range(3)
S = sympy.Symbol("s")
SYMBOLIC = cirq.Circuit(
    cirq.rz(S)(Q[0]), cirq.CZ(*Q[:2]) ** S, cirq.ry(2 * S)(Q[1]), cirq.XX(Q[1], Q[2]) ** S, cirq.H(Q[2])
)
NUMERIC = cirq.Circuit(
    cirq.qft(*Q), cirq.CCX(*Q), cirq.MatrixGate(cirq.testing.random_unitary(4, random_state=1))(*Q[1:])
)
NAMES = [name for name in targets.names() if ":" not in name] + ["full:3?gate=syc", "full:3?gate=cphase"]


@pytest.mark.parametrize("name", NAMES)
def test_gatesets_compile_everything(name):
    gateset = targets.get(name).cirq_gateset
    assert isinstance(gateset, cirq.CompilationTargetGateset)
    for circuit in (SYMBOLIC, NUMERIC):
        out = cirq.optimize_for_target_gateset(circuit, gateset=gateset, ignore_failures=False)
        assert gateset.validate(out)
        values = cirq.ParamResolver({"s": 0.37})
        pair = [cirq.resolve_parameters(c, values).unitary(qubit_order=Q) for c in (circuit, out)]
        assert cirq.equal_up_to_global_phase(*pair, atol=1e-7)
    assert cirq.read_json(json_text=cirq.to_json(gateset)) == gateset


def test_gatesets_leave_walls():
    gateset = targets.get("ibm.heron").cirq_gateset
    circuit = cirq.Circuit(cirq.H(Q[0]), cirq.measure(Q[0], key="m"), cirq.H(Q[0]))
    out = cirq.optimize_for_target_gateset(circuit, gateset=gateset, ignore_failures=False)
    assert out.all_measurement_key_names() == {"m"}
    broken = cirq.Circuit(cirq.depolarize(0.1)(Q[0]))
    with pytest.raises(ValueError, match="Unable to convert"):
        cirq.optimize_for_target_gateset(broken, gateset=gateset, ignore_failures=False)


@pytest.mark.parametrize("name", ["grid:2x3?gate=siswap", "ibm.heron", "iqm.garnet", "quantinuum.h2"])
def test_our_devices(name):
    device = targets.get(name).cirq_device
    assert isinstance(device, MachineDevice)
    assert cirq.read_json(json_text=cirq.to_json(device)) == device
    assert cirq.read_json(json_text=cirq.to_json(device.metadata)) is not None
    pair = device.couplings[0]
    with pytest.raises(ValueError, match="is not native"):
        device.validate_operation(cirq.CCX(*device.qubits[:3]))
    with pytest.raises(ValueError, match="not a qubit of the machine"):
        device.validate_operation(cirq.X(cirq.NamedQubit("elsewhere")))
    gate = {"siswap": cirq.SQRT_ISWAP, "cz": cirq.CZ, "rzz": cirq.ZZ}[device.entanglers[0]]
    device.validate_operation(gate(*pair))
    for far in sorted(set(device.qubits) - {pair[0], *device.metadata.nx_graph[pair[0]]})[:2]:
        with pytest.raises(ValueError, match="are not coupled"):
            device.validate_operation(gate(pair[0], far))


def test_one_by_one():
    circuit = cirq.Circuit(cirq.H.on_each(*Q), cirq.measure(Q[0], key="a"), cirq.X(Q[1]), cirq.measure(Q[1]))
    out = one_by_one(circuit)
    assert [len(moment) for moment in out] == [1, 1, 1, 1, 2]
    assert out.all_measurement_key_names() == circuit.all_measurement_key_names()


def test_vendors_judge_where_they_are_installed():
    for package, name, kind in [
        ("cirq_aqt", "aqt.ibex", "AQTDevice"),
        ("cirq_pasqal", "pasqal.virtual", "PasqalVirtualDevice"),
        ("cirq_ionq", "ionq.aria", "IonQAPIDevice"),
    ]:
        pytest.importorskip(package)
        assert type(targets.get(name).cirq_device).__name__ == kind


@pytest.mark.parametrize("name", ["ionq.aria", "ionq.forte"])
def test_native_gates_of_ionq(name):
    vendor = pytest.importorskip("cirq_ionq")
    gateset = vendor.AriaNativeGateset() if name == "ionq.aria" else vendor.ForteNativeGateset()
    for level in range(4):
        compiled = qattn.transpile(NUMERIC, name, optimization_level=level).circuit
        native = ionq.to_native(compiled)
        assert gateset.validate(native)
        order = sorted(compiled.all_qubits())
        pair = [c.unitary(qubit_order=order) for c in (compiled, native)]
        assert cirq.equal_up_to_global_phase(*pair, atol=1e-7)


def test_json_of_ionq():
    pytest.importorskip("cirq_ionq")
    bell = cirq.Circuit(cirq.H(Q[0]), cirq.CX(*Q[:2]), cirq.T(Q[0]), cirq.measure(*Q[:2], key="z"))
    program = json.loads(ionq.to_json(qattn.transpile(bell, "ionq.aria").circuit))
    assert program["input"]["gateset"] == "native"
    assert {row["gate"] for row in program["input"]["circuit"]} <= {"gpi", "gpi2", "ms"}
    assert sum(row["gate"] == "ms" for row in program["input"]["circuit"]) == 1
    with pytest.raises(TargetError, match="refuses the circuit"):
        ionq.to_json(cirq.Circuit())


def test_what_ionq_has_no_gates_for():
    pytest.importorskip("cirq_ionq")
    with pytest.raises(TargetError, match="no number or no gate"):
        ionq.to_native(cirq.Circuit(cirq.XX(*Q[:2]) ** S))
    with pytest.raises(TargetError, match="compile for them first"):
        ionq.to_native(cirq.Circuit(cirq.CX(*Q[:2])))


def test_the_extra_is_named(monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(ionq, "import_module", missing)
    with pytest.raises(TargetError, match=r"qattn-compiler\[ionq\]"):
        ionq.to_native(cirq.Circuit())
    assert isinstance(ionq.aria().cirq_device, MachineDevice)
