"""What a compiled circuit is worth, and whether it is right; the same for all compilers.

Two-qubit counts are of the circuit as it came. For pulses and depth every two-qubit gate is written over CZ
and single-qubit runs are multiplied, for all compilers alike; a run that only turns the frame is no pulse.
Duration and fidelity are of that circuit on the machine, where the machine has a calibration.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.machines import Machine, device
from benchmarks.workloads import Angle, Gates
from qattn_compiler.circuit.gates import BY_NAME, GATES, NUM_QUBITS
from qattn_compiler.circuit.stats import stats
from qattn_compiler.circuit.table import Builder, Circuit
from qattn_compiler.errors import QattnError
from qattn_compiler.passes.circuit.decompose import DecomposeTwoQubit
from qattn_compiler.passes.circuit.fuse_single_qubit import FuseSingleQubit
from qattn_compiler.report.metrics import execution, metrics

COMPARED = 10
"""Circuits of up to so many qubits are compared with the input."""
WIDEST = 18
"""Unless the result uses more of the machine's qubits than that."""
STATES = 2
"""Random input states of a comparison."""
ROUNDING = 1e-6
"""Allowed distance of results that drop nothing."""
NATIVE = {"cz", "cx", "ecr"}
"""Two-qubit gates of which each counts as one."""
ALIASES = {"id": "", "u1": "rz", "p": "rz"}


@dataclass(frozen=True)
class Result:
    """A circuit from a worker.

    Attributes:
        circuit: on as many qubits as the machine has.
        initial, final: machine qubit on which each qubit starts and ends.
        bind_seconds: one binding of all symbols, or None.
    """

    circuit: Circuit
    initial: NDArray[np.int32]
    final: NDArray[np.int32]
    bind_seconds: float | None


def load(path: Path, num_qubits: int) -> Result:
    """Read what `serve.write` wrote.

    Raises:
        ValueError: a gate or a qubit that does not exist.
    """
    with np.load(path) as file:
        names = [ALIASES.get(str(name), str(name)) for name in file["names"]]
        unknown = sorted({names[i] for i in np.unique(file["op"])} - set(BY_NAME) - {""})
        if unknown:
            raise ValueError(f"not native: {', '.join(unknown)}")
        codes = np.array([BY_NAME[name].code if name in BY_NAME else 255 for name in names], dtype=np.uint8)
        op, operands, angles = codes[file["op"]], file["operands"], file["angles"]
        initial, final, bind = file["initial"], file["final"], float(file["bind_seconds"])
    keep = op != 255
    op, operands, angles = op[keep], operands[keep].astype(np.int32), angles[keep]
    if operands.size and operands.max() >= num_qubits:
        raise ValueError(f"qubit {operands.max()} does not exist")
    extra = np.full(len(op), -1, dtype=np.int32)
    circuit = Circuit(tuple(range(num_qubits)), op, operands, angles, extra)
    return Result(circuit, initial, final, bind if isfinite(bind) else None)


def judge(
    given: Gates,
    values: Mapping[str, float],
    machine: Machine,
    result: Result,
    atol: float,
    prepares: bool = False,
) -> Any:
    """Figures of a result, and what was checked.

    Args:
        given: the workload.
        values: of its symbols.
        machine: where the result must run.
        result: of a compiler.
        atol: rotations up to this were allowed to be dropped.
        prepares: only what becomes of |0...0> matters.

    Raises:
        ValueError: the result is wrong; the message says how.
    """
    circuit = result.circuit
    check_native(circuit, machine)
    for places in (result.initial, result.final):
        if len(np.unique(places)) != given.num_qubits:
            raise ValueError("the layout puts two qubits on one place")
    error = distance(given, values, result, prepares)
    allowed = ROUNDING + atol * max(10.0, len(given.gates)) ** 0.5
    if error is not None and error > allowed:
        raise ValueError(f"not equivalent: distance {error:.3g}, allowed {allowed:.3g}")
    counted, fused = stats(circuit), FuseSingleQubit().run(DecomposeTwoQubit().run(circuit))
    tidy = metrics(fused)
    return {
        "two_qubit": counted.two_qubit,
        "two_qubit_depth": counted.two_qubit_depth,
        "depth": tidy.depth,
        "pulses": tidy.pulses,
        **_on_machine(fused, machine),
        "bind_seconds": result.bind_seconds,
        "error": error,
    }


def check_native(circuit: Circuit, machine: Machine) -> None:
    """Raise unless all two-qubit gates are native and on couplings.

    Raises:
        ValueError: names a gate.
    """
    two = NUM_QUBITS[circuit.op] == 2
    for code in np.unique(circuit.op[two]).tolist():
        if GATES[code].name not in NATIVE:
            raise ValueError(f"not native: {GATES[code].name}")
    if (NUM_QUBITS[circuit.op] == 0).any():
        raise ValueError("something else than gates is in the result")
    if machine.edges is None:
        return
    coupled = np.zeros((machine.num_qubits,) * 2, dtype=bool)
    a, b = np.array(machine.edges).T
    coupled[a, b] = coupled[b, a] = True
    pairs = circuit.operands[two]
    bad = ~coupled[pairs[:, 0], pairs[:, 1]]
    if bad.any():
        raise ValueError(f"a gate on qubits {pairs[bad][0].tolist()}, which are not coupled")


def _on_machine(fused: Circuit, machine: Machine) -> dict[str, float | None]:
    """Duration and fidelity, where the machine knows."""
    nothing: dict[str, float | None] = {"duration_ns": None, "fidelity": None}
    if machine.edges is None:
        return nothing
    try:
        where = device(machine.name, machine.num_qubits)
        run = execution(replace(fused, qubits=where.qubits), where)
    except QattnError:
        return nothing
    return {"duration_ns": run.duration_ns, "fidelity": run.fidelity}


# -- equivalence --------------------------------------------------------------------------------------------


def distance(
    given: Gates, values: Mapping[str, float], result: Result, prepares: bool = False
) -> float | None:
    """Norm of the difference of both circuits' effects on random states (or on |0...0>, if that is all that
    matters), up to a phase; the machine's other qubits start and must end in |0>. None if that is too large
    to compare."""
    n = given.num_qubits
    if n > COMPARED:
        return None
    operands = result.circuit.operands
    used = np.unique(np.concatenate([operands[operands >= 0], result.initial, result.final]))
    if len(used) > WIDEST:
        return None
    number = {int(q): i for i, q in enumerate(used)}
    others = len(used) - n
    starts = [number[int(q)] for q in result.initial]
    ends = [number[int(q)] for q in result.final]
    after = [(op, tuple(number[q] for q in wires), matrix) for op, wires, matrix in _matrices(result.circuit)]
    before = _matrices(source(given, values))
    rng = np.random.default_rng(0)
    worst = 0.0
    for _ in range(STATES):
        state = np.zeros((2,) * n, dtype=complex)
        state[(0,) * n] = 1
        if not prepares:
            state = rng.normal(size=(2,) * n) + 1j * rng.normal(size=(2,) * n)
            state /= np.linalg.norm(state)
        wide = np.zeros((2,) * len(used), dtype=complex)
        wide[(0,) * others + (slice(None),) * n] = state
        wide = _moved(wide, starts, others)
        wide = apply(wide, after)
        wide = np.moveaxis(wide, ends, range(others, len(used)))
        expected = apply(state, before)
        inner = np.vdot(expected, wide[(0,) * others])
        worst = max(worst, float(np.sqrt(max(0.0, 2 - 2 * abs(inner)))))
    return worst


def _moved(wide: NDArray[Any], places: Sequence[int], others: int) -> NDArray[Any]:
    """The last axes to the given places, the others in between."""
    return np.moveaxis(wide, range(others, wide.ndim), places)


Operation = tuple[int, tuple[int, ...], NDArray[np.complex128]]


def _matrices(circuit: Circuit) -> list[Operation]:
    """Rows as (code, qubits, matrix)."""
    out = []
    for code, wires, angles in zip(circuit.op.tolist(), circuit.operands, circuit.angles, strict=True):
        gate = GATES[code]
        assert gate.matrix is not None
        k = gate.num_qubits
        out.append((code, tuple(wires[:k].tolist()), gate.matrix(*angles[: gate.num_angles])))
    return out


def apply(state: NDArray[Any], operations: Sequence[Operation]) -> NDArray[Any]:
    """Gates on a state with one axis a qubit."""
    for _, wires, matrix in operations:
        k = len(wires)
        block = matrix.reshape((2,) * 2 * k)
        state = np.moveaxis(np.tensordot(block, state, axes=(range(k, 2 * k), wires)), range(k), wires)
    return state


def source(given: Gates, values: Mapping[str, float]) -> Circuit:
    """The workload over the gate table, symbols bound; Toffolis by their textbook circuit."""
    builder = Builder(range(given.num_qubits))
    for name, qubits, angles in given.gates:
        if name == "ccx":
            _toffoli(builder, *qubits)
            continue
        written = {"p": "rz", "cp": "cphase"}.get(name, name)
        builder.add(written, list(qubits), [_number(angle, values) for angle in angles])
    return builder.build()


def _number(angle: Angle, values: Mapping[str, float]) -> float:
    return angle[1] * values[angle[0]] if isinstance(angle, (tuple, list)) else angle


def _toffoli(builder: Builder, a: int, b: int, c: int) -> None:
    """Six CX (Nielsen and Chuang, figure 4.9)."""
    builder.add("h", [c])
    for control, name in ((b, "tdg"), (a, "t"), (b, "tdg"), (a, "t")):
        builder.add("cx", [control, c])
        builder.add(name, [c])
    builder.add("t", [b])
    builder.add("h", [c])
    builder.add("cx", [a, b])
    builder.add("t", [a])
    builder.add("tdg", [b])
    builder.add("cx", [a, b])
