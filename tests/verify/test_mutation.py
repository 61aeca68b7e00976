"""Faults planted in results: every one that changes the meaning is caught, or at least not called proved.

What changes the meaning is decided by dense matrices of the tests' own, and for measured circuits by Cirq.
The number of faults is QATTN_MUTATIONS (300 if it is not set). `python tests/verify/test_mutation.py 10000`
prints a table.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import cirq
import numpy as np
import pytest
from helpers import random_circuit, random_values, unitary

from qattn_compiler import targets, transpile_proof
from qattn_compiler.circuit.gates import BY_NAME, GATES, NUM_ANGLES, NUM_QUBITS
from qattn_compiler.circuit.table import Circuit
from qattn_compiler.errors import QattnError
from qattn_compiler.interop.cirq_verify import verify
from qattn_compiler.search import Search, Track
from qattn_compiler.transpile_proof import Result, prove
from qattn_compiler.verify.equivalence import equivalent

FAULTS = int(os.environ.get("QATTN_MUTATIONS", "300"))
NEAR, FAR = 1e-7, 1e-4
"""Circuits nearer than the first mean the same; between the two, either answer is right."""
MACHINES = ("grid:2x3?gate=cz", "line:5?gate=cz", "ring:5?gate=cz")

Fault = Callable[[np.random.Generator, Circuit], Circuit]


# -- faults in columns


def _with(circuit: Circuit, row: int, **columns: object) -> Circuit:
    changed = {}
    for name, value in columns.items():
        changed[name] = getattr(circuit, name).copy()
        changed[name][row] = value
    return replace(circuit, **changed)


def _rows_with_angles(circuit: Circuit) -> np.ndarray:
    return np.flatnonzero(NUM_ANGLES[circuit.op] > 0)


def angle(rng: np.random.Generator, circuit: Circuit) -> Circuit:
    """One angle a little or quite wrong."""
    rows = _rows_with_angles(circuit)
    if not len(rows):
        return circuit
    row = int(rng.choice(rows))
    angles = circuit.angles[row].copy()
    angles[rng.integers(NUM_ANGLES[circuit.op[row]])] += rng.choice([1e-3, -0.1, np.pi / 2, np.pi])
    return _with(circuit, row, angles=angles)


def sign(rng: np.random.Generator, circuit: Circuit) -> Circuit:
    """One angle negated, or a gate for its inverse."""
    row = int(rng.integers(len(circuit)))
    if NUM_ANGLES[circuit.op[row]]:
        angles = circuit.angles[row].copy()
        angles[rng.integers(NUM_ANGLES[circuit.op[row]])] *= -1
        return _with(circuit, row, angles=angles)
    inverse = GATES[circuit.op[row]].inverse
    return _with(circuit, row, op=BY_NAME[inverse].code) if inverse else circuit


def symbol(rng: np.random.Generator, circuit: Circuit) -> Circuit:
    """One coefficient of a symbol with the other sign."""
    if not len(circuit.affine):
        return circuit
    coef = circuit.affine.coef.copy()
    coef[rng.integers(len(coef))] *= -1
    return replace(circuit, affine=replace(circuit.affine, coef=coef))


def qubit(rng: np.random.Generator, circuit: Circuit) -> Circuit:
    """One gate on another qubit."""
    row = int(rng.integers(len(circuit)))
    used = np.unique(circuit.operands[circuit.operands >= 0])
    free = np.setdiff1d(used, circuit.operands[row])
    if not len(free) or NUM_QUBITS[circuit.op[row]] == 0:
        return circuit
    operands = circuit.operands[row].copy()
    operands[rng.integers(NUM_QUBITS[circuit.op[row]])] = rng.choice(free)
    return _with(circuit, row, operands=operands)


def turned(rng: np.random.Generator, circuit: Circuit) -> Circuit:
    """A two-qubit gate the other way round."""
    rows = np.flatnonzero(NUM_QUBITS[circuit.op] == 2)
    if not len(rows):
        return circuit
    row = int(rng.choice(rows))
    return _with(circuit, row, operands=circuit.operands[row, ::-1])


def order(rng: np.random.Generator, circuit: Circuit) -> Circuit:
    """A gate somewhat later."""
    rows = np.arange(len(circuit)).tolist()
    at = int(rng.integers(len(rows)))
    rows.insert(min(len(rows), at + int(rng.integers(1, 4))), rows.pop(at))
    return circuit.with_rows(np.array(rows))


def missing(rng: np.random.Generator, circuit: Circuit) -> Circuit:
    """One gate less."""
    return circuit.with_rows(np.delete(np.arange(len(circuit)), rng.integers(len(circuit))))


def other_gate(rng: np.random.Generator, circuit: Circuit) -> Circuit:
    """One gate of another kind."""
    row = int(rng.integers(len(circuit)))
    size = NUM_QUBITS[circuit.op[row]]
    if size == 0:
        return circuit
    kinds = [
        gate.code
        for gate in GATES
        if gate.num_qubits == size and gate.num_angles == NUM_ANGLES[circuit.op[row]]
    ]
    return _with(circuit, row, op=int(rng.choice(kinds)))


FAULTS_OF: tuple[Fault, ...] = (angle, sign, symbol, qubit, turned, order, missing, other_gate)


# -- a transpile, and what is wrong with it


@dataclass(frozen=True)
class Case:
    """A right result, and all that its proof reads."""

    result: Result
    track: Track
    machine: targets.Target


@cache
def case(seed: int) -> Case:
    rng = np.random.default_rng(seed)
    machine = targets.get(MACHINES[seed % len(MACHINES)])
    level, size = int(rng.integers(0, 3)), int(rng.integers(2, 5))
    source = random_circuit(rng, size, int(rng.integers(4, 16)), symbolic=0.2 * (seed % 3 == 0))
    track = Track(1e-8, proves=True)
    routed, chosen = Search(machine, level, seed, "count", track).routed(source)
    native = machine.physical_passes(level, 1e-8).run(routed.circuit, track.hook("physical"))
    return Case(Result(source, chosen, routed, native, machine.to_cirq(native)), track, machine)


def planted(rng: np.random.Generator, right: Case) -> tuple[str, Result]:
    """A fault in the native circuit, in the one that is written, in the source, or in a layout."""
    result = right.result
    where = str(
        rng.choice(["native", "written", "source", "initial", "final"], p=[0.28, 0.28, 0.28, 0.08, 0.08])
    )
    if where in ("initial", "final"):
        layout = getattr(result.routed, where).copy()
        i, j = rng.permutation(len(layout))[:2]
        layout[[i, j]] = layout[[j, i]]
        return where, replace(result, routed=replace(result.routed, **{where: layout}))
    fault = FAULTS_OF[rng.integers(len(FAULTS_OF))]
    name = f"{where}, {fault.__name__}"
    if where == "source":
        return name, replace(result, source=fault(rng, result.source))
    wrong = fault(rng, result.native) if len(result.native) else result.native
    written = right.machine.to_cirq(wrong)
    return name, replace(result, written=written, native=wrong if where == "native" else result.native)


def distance(result: Result, machine: targets.Target) -> float:
    """How far what is given out is from the source, by the tests' own matrices."""
    from qattn_compiler.interop import cirq_io

    back = cirq_io.from_cirq(result.written, qubits=result.native.qubits)
    initial, final = result.routed.initial, result.routed.final[result.chosen.place]
    rng = np.random.default_rng(3)
    worst = 0.0
    for _ in range(2 if result.source.is_symbolic else 1):
        values = random_values(result.source, rng)
        worst = max(
            worst, isometry_distance(unitary(result.source, values), unitary(back, values), initial, final)
        )
    return worst


def isometry_distance(a: np.ndarray, b: np.ndarray, initial: np.ndarray, final: np.ndarray) -> float:
    """Of the unitary b on m qubits from a on n, the other qubits from |0> to |0>."""
    n, m = len(initial), len(b).bit_length() - 1
    shaped = b.reshape((2,) * 2 * m)
    ins, outs = (np.setdiff1d(np.arange(m), layout) for layout in (initial, final))
    shaped = np.moveaxis(shaped, [*final, *outs, *(m + initial), *(m + ins)], range(2 * m))
    given = shaped.reshape(2**n, 2 ** (m - n), 2**n, 2 ** (m - n))[:, :, :, 0]
    wanted = np.zeros_like(given)
    wanted[:, 0] = a
    overlap = np.vdot(wanted, given)
    return float(np.abs(given - wanted * (overlap / abs(overlap) if abs(overlap) > 1e-12 else 1)).max())


def is_caught(result: Result, track: Track) -> bool:
    try:
        return prove(result, track).passed is not True
    except QattnError:
        return True


def verdicts(count: int, seed: int = 0) -> Counter[tuple[str, str]]:
    """How many faults of each kind were harmless, caught, missed, or harmless and refused."""
    rng = np.random.default_rng(seed)
    out: Counter[tuple[str, str]] = Counter()
    for number in range(count):
        right = case(1000 * seed + number % (8 + count // 20))
        if not len(right.result.source):
            continue
        name, wrong = planted(rng, right)
        off = distance(wrong, right.machine)
        caught = is_caught(wrong, right.track)
        kind = "near" if NEAR < off < FAR else "harmful" if off >= FAR else "harmless"
        out[name, f"{kind}, {'caught' if caught else 'passed'}"] += 1
    return out


@pytest.mark.parametrize("dense", [0, 10])
def test_every_harmful_fault_in_a_transpile_is_caught(dense, monkeypatch):
    """Without the help of whole unitaries, and with it."""
    monkeypatch.setattr(transpile_proof, "MAX_UNITARY", dense)
    found = verdicts(FAULTS // 2)
    assert not {name: n for (name, what), n in found.items() if what == "harmful, passed"}
    totals = total(found)
    assert totals["harmful, caught"] > 0.4 * (FAULTS // 2)
    assert totals["harmless, passed"] > 10 * totals["harmless, caught"]  # nor is all refused


def test_right_results_pass():
    for seed in range(12):
        right = case(seed)
        assert distance(right.result, right.machine) < NEAR
        assert prove(right.result, right.track).passed is True


# -- verify


@pytest.mark.parametrize("seed", range(4))
def test_verify_is_never_wrong_about_a_fault(seed):
    rng = np.random.default_rng(seed)
    for _ in range(FAULTS // 8):
        a = random_circuit(rng, int(rng.integers(1, 5)), int(rng.integers(1, 20)))
        if not len(a):
            continue
        b = FAULTS_OF[rng.integers(len(FAULTS_OF))](rng, a)
        values = random_values(a, np.random.default_rng(5))
        everything = np.arange(a.num_qubits)
        off = isometry_distance(unitary(a, values), unitary(b, values), everything, everything)
        found = equivalent(a, b)
        if off >= FAR:
            assert found.equal is False
            assert found.witness is not None
            assert found.witness.deviation > 1e-6
        elif off <= NEAR:
            assert found.equal is True or a.is_symbolic  # one point does not show that symbols agree


def conditioned(rng: np.random.Generator) -> list[cirq.Operation]:
    q = cirq.LineQubit.range(3)
    out: list[cirq.Operation] = []
    for k in range(8):
        out.append((cirq.H, cirq.T, cirq.X, cirq.S)[rng.integers(4)](q[rng.integers(3)]))
        a, b = rng.permutation(3)[:2]
        if k in (2, 5):
            out.append(cirq.measure(q[a], key=f"m{k}"))
        elif k > 2 and rng.random() < 0.6:
            key = f"m{2 if k < 6 or rng.random() < 0.5 else 5}"
            out.append((cirq.X, cirq.Z, cirq.H)[rng.integers(3)](q[b]).with_classical_controls(key))
        else:
            out.append(cirq.CX(q[a], q[b]))
    return out


def dropped(rng: np.random.Generator, operations: list[cirq.Operation]) -> list[cirq.Operation]:
    """A condition dropped, a condition on another key, an operation gone, two in another order."""
    at = int(rng.integers(len(operations) - 1))
    kind = rng.integers(4)
    controlled = [i for i, op in enumerate(operations) if op.classical_controls]
    out = [*operations]
    if kind == 0 and controlled:
        at = int(rng.choice(controlled))
        out[at] = out[at].without_classical_controls()
    elif kind == 1 and controlled:
        at = max(controlled)
        out[at] = out[at].without_classical_controls().with_classical_controls("m2")
    elif kind == 2 and not cirq.is_measurement(out[at]):
        del out[at]
    elif not {*cirq.control_keys(out[at + 1])} & {*cirq.measurement_key_objs(out[at])}:
        out[at], out[at + 1] = out[at + 1], out[at]
    return out


def map_of(operations: list[cirq.Operation]) -> np.ndarray:
    """All outcomes' unnormalised states for random inputs, as density matrices: by deferred measurement."""
    q = cirq.LineQubit.range(3)
    circuit = cirq.defer_measurements(cirq.Circuit(operations, [cirq.I(x) for x in q]))
    gates = cirq.Circuit(op for op in circuit.all_operations() if not cirq.is_measurement(op))
    others = sorted(circuit.all_qubits() - set(q), key=lambda x: str(x))
    out = []
    for seed in range(3):
        start = cirq.testing.random_superposition(8, random_state=seed)
        given = np.kron(start, np.eye(1, 2 ** len(others), dtype=complex)[0]).astype(complex)
        end = cirq.Simulator(dtype=np.complex128).simulate(
            gates, qubit_order=[*q, *others], initial_state=given
        )
        states = end.final_state_vector.reshape(8, -1)
        out.append(np.einsum("ir,jr->rij", states, states.conj()))
    return np.stack(out)


@pytest.mark.parametrize("seed", range(4))
def test_verify_is_never_wrong_about_a_dropped_condition(seed):
    rng = np.random.default_rng(seed)
    differing = 0
    for _ in range(max(4, FAULTS // 40)):
        a = conditioned(rng)
        b = dropped(rng, a)
        off = float(np.abs(map_of(a) - map_of(b)).max())
        equal = verify(cirq.Circuit(a), cirq.Circuit(b)).equal
        assert equal is (off < 1e-9), (a, b, off)
        differing += not equal
    assert differing


def total(found: Counter[tuple[str, str]]) -> Counter[str]:
    """All kinds of faults together."""
    out: Counter[str] = Counter()
    for (_, what), count in found.items():
        out[what] += count
    return out


if __name__ == "__main__":
    transpile_proof.MAX_UNITARY = 0
    table = verdicts(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    for (fault, what), count in sorted(table.items()):
        print(f"{fault:<24}{what:<20}{count}")
    print(dict(total(table)))
