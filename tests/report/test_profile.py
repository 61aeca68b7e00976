"""Profiles: figures by hand, against a plain loop over rows, and against Cirq's decoherence."""

from __future__ import annotations

from dataclasses import replace

import cirq
import numpy as np
import pytest
from report_machine import device, example

from qattn_compiler.circuit.gates import GATES
from qattn_compiler.circuit.table import Builder, Circuit, Extra
from qattn_compiler.device import Device
from qattn_compiler.errors import TargetError
from qattn_compiler.report.metrics import Execution, execution
from qattn_compiler.report.profile import PARTS, profile


def test_by_hand():
    found = profile(example(), device())
    assert found.duration_ns == 640
    assert found.used.tolist() == [True, True, False, False, True, False]
    assert found.pulses.tolist() == [1, 0, 0, 0, 0, 0]  # that on qubit 4 only turns the frame
    assert found.entanglers.tolist() == [2, 0, 0, 1, 0, 0, 0]
    assert found.readouts.tolist() == [1, 0, 0, 0, 0, 0]
    assert found.gates_on.tolist() == [4, 3, 0, 0, 1, 0]
    assert found.busy_ns.tolist() == [600, 120, 0, 0, 40, 0]
    # Qubit 1 waits in |0> until its first CZ; qubit 4 has begun, if only by a turn of its frame.
    assert found.idle_ns.tolist() == [40, 0, 0, 0, 60, 0]
    success = {
        "gates_1q": 0.999,
        "gates_2q": 0.99**2 * 0.96,
        "idle": np.exp(-40 / 1e4 - 60 / 5e4),
        "readout": 0.98,
    }
    data = found.to_dict()
    assert data["success"] == pytest.approx(success | {"total": np.prod(list(success.values()))}, rel=1e-12)
    shares = {part: np.log(success[part]) / np.log(data["success"]["total"]) for part in PARTS}
    assert data["share"] == pytest.approx(shares, rel=1e-12)
    lines = [*data["qubits"], *data["edges"]]
    assert sum(line["share"] for line in lines) == pytest.approx(1, rel=1e-12)
    assert [line["qubit"] for line in data["qubits"]] == ["q(0, 0)", "q(0, 1)", "q(1, 1)"]
    assert [(e["qubits"], e["gates"], e["error"]) for e in data["edges"]] == [
        (["q(0, 0)", "q(0, 1)"], 2, 0.01),
        (["q(0, 1)", "q(1, 1)"], 1, 0.04),
    ]
    assert data["qubits"][0] | {"share": None} == {
        "qubit": "q(0, 0)",
        "gates_1q": 1,
        "gates_2q": 2,
        "readouts": 1,
        "busy_ns": 600,
        "idle_ns": 40,
        "share": None,
    }


def test_execution_has_the_profile():
    run = execution(example(), device())
    assert run == Execution(640.0, pytest.approx(run.profile.success))
    assert run.to_dict() == {**run.to_dict(), "duration_ns": 640.0, "profile": run.profile.to_dict()}
    assert Execution(None, None).to_dict() == {"duration_ns": None, "fidelity": None, "profile": None}


# -- against a plain loop


def slow_profile(circuit: Circuit, machine: Device) -> dict[str, list[float]]:
    """Row by row."""
    size = machine.num_qubits
    done: dict[int, float] = {}
    begun: dict[int, float] = {}
    out = {name: [0.0] * size for name in ("busy", "idle", "pulses", "readouts", "used")}
    out["entanglers"] = [0] * len(machine.edges)
    for row in range(len(circuit)):
        name = GATES[circuit.op[row]].name
        wires = [int(w) for w in circuit.wires[row] if w >= 0]
        virtual = name == "rz" or (name == "phased_xz" and circuit.angles[row, 0] == 0)
        length = 0.0 if virtual else machine.durations[name]
        start = max((done.get(w, 0.0) for w in wires), default=0.0)
        for w in wires:
            begun.setdefault(w, start)
            done[w] = start + length
        qubits = [w for w in wires if w < size]
        for q in qubits:
            out["busy"][q] += length
            out["used"][q] = 1
            out["readouts"][q] += name == "measure"
            out["pulses"][q] += name in ("x", "phased_xz") and not virtual
        if name == "cz":
            out["entanglers"][machine.edge_index[tuple(sorted(qubits))]] += 1
    for q in range(size):
        if out["busy"][q]:
            out["idle"][q] = done[q] - begun[q] - out["busy"][q]
    out["duration"] = [max((done[q] for q in done if q < size), default=0.0)]
    return out


def random_on(machine: Device, rows: int, rng: np.random.Generator) -> Circuit:
    """Native gates on edges, some controlled by measured keys, and measurements of several qubits."""
    builder = Builder(machine.qubits)
    keys: list[str] = []
    for _ in range(rows):
        kind = rng.choice(["cz", "phased_xz", "rz", "x", "measure"], p=[0.4, 0.3, 0.1, 0.1, 0.1])
        qubits = [int(q) for q in rng.choice(machine.num_qubits, 1 + int(rng.integers(4)), replace=False)]
        if kind == "measure":
            keys.append(f"k{len(keys)}")
            builder.measure(qubits, keys[-1])
        elif kind == "cz":
            pair = machine.edges[rng.integers(len(machine.edges))].tolist()
            builder.add("cz", pair[:: int(rng.choice([-1, 1]))])
        else:
            angles = {"phased_xz": [float(rng.integers(2)), 0.1, 0.2], "rz": [0.3], "x": []}[kind]
            reads = (str(rng.choice(keys)),) if keys and kind == "x" else ()
            builder.add(kind, qubits[:1], angles, Extra(reads=reads) if reads else None)
    return builder.build()


@pytest.mark.parametrize("seed", range(40))
def test_as_a_plain_loop(seed):
    rng = np.random.default_rng(seed)
    machine = device()
    circuit = random_on(machine, int(rng.integers(60)), rng)
    found, slow = profile(circuit, machine), slow_profile(circuit, machine)
    assert found.duration_ns == pytest.approx(slow["duration"][0])
    assert found.busy_ns == pytest.approx(slow["busy"])
    assert found.idle_ns == pytest.approx(slow["idle"])
    for name in ("pulses", "readouts", "used", "entanglers"):
        assert getattr(found, name).tolist() == slow[name]


# -- what is unknown


def test_unknown_times():
    found = profile(example(), device(durations={"cz": 40.0, "phased_xz": 20.0}))
    assert np.isnan(found.duration_ns)
    assert np.isnan(found.success)
    assert found.entanglers.tolist() == [2, 0, 0, 1, 0, 0, 0]
    assert np.isfinite(found.pulse_loss).all()
    assert execution(example(), device(durations={})) == Execution(None, None)


def test_what_is_not_used_may_be_unknown():
    plain = device()
    unknown = np.array([False, False, True, True, False, True])
    hidden = replace(
        plain,
        qubit_error=np.where(unknown, np.nan, plain.qubit_error),
        readout_error=np.where(unknown[:, None], np.nan, plain.readout_error),
        t1=np.where(unknown, np.nan, plain.t1),
        edge_error=np.where(profile(example(), plain).entanglers > 0, plain.edge_error, np.nan),
    )
    assert profile(example(), hidden).success == profile(example(), plain).success
    for name in ("qubit_error", "readout_error", "t1"):
        blind = replace(plain, **{name: np.full_like(getattr(plain, name), np.nan)})
        assert np.isnan(profile(example(), blind).success)
        assert execution(example(), blind) == Execution(640.0, None)


def test_resets_have_no_known_error():
    builder = Builder(device().qubits)
    builder.reset(0)
    found = profile(builder.build(), device(durations={"reset": 100.0}))
    assert (found.duration_ns, found.unrated) == (100, 1)
    assert np.isnan(found.success)
    assert np.isnan(found.to_dict()["qubits"][0]["share"])


def test_nothing_at_all():
    found = profile(Builder(device().qubits).build(), device())
    assert (found.duration_ns, found.success) == (0, 1)
    assert found.to_dict()["share"] == dict.fromkeys(PARTS, 0.0)
    bare = Device("bare", (), np.zeros((0, 2)), frozenset())
    assert profile(Builder(()).build(), bare).success == 1


def test_wrong_circuits():
    builder = Builder(device().qubits)
    builder.add("cz", [0, 5])
    with pytest.raises(TargetError, match=r"q\(0, 0\) and q\(1, 2\) are not coupled"):
        profile(builder.build(), device())
    with pytest.raises(TargetError, match="are not coupled"):
        profile(builder.build(), device(edges=np.zeros((0, 2)), edge_error=np.zeros(0)))
    with pytest.raises(TargetError, match="6 qubits, not 2"):
        profile(Builder(cirq.LineQubit.range(2)).build(), device())


def test_edges_in_any_order():
    plain = device()
    order = np.array([3, 0, 6, 5, 1, 2, 4])
    mixed = replace(plain, edges=plain.edges[order], edge_error=plain.edge_error[order])
    assert (
        profile(example(), mixed).entanglers.tolist() == profile(example(), plain).entanglers[order].tolist()
    )
    assert profile(example(), mixed).success == pytest.approx(profile(example(), plain).success, rel=1e-15)


# -- waiting


def test_waiting_with_t2_is_the_pauli_error_of_cirq():
    plain = device()
    t2 = np.array([1.2e4, 1e4, np.nan, 1e4, np.nan, 1e4])
    found = profile(example(), replace(plain, t2=t2))
    dephasing = 1 / (1 / 1.2e4 - 1 / 2e4)
    wanted = 1 - cirq.qis.decoherence_pauli_error(1e4, dephasing, 40)
    assert np.exp(-found.idle_loss[0]) == pytest.approx(wanted, rel=1e-12)
    assert found.idle_loss[4] == pytest.approx(60 / 5e4)  # T2 unknown there


def test_without_t2_waiting_is_as_with_two_thirds_of_t1():
    plain = device(t1=np.full(6, 1e9))
    with_t2 = profile(example(), replace(plain, t2=np.full(6, 2e9 / 3)))
    assert with_t2.idle_loss == pytest.approx(profile(example(), plain).idle_loss, rel=1e-6)
