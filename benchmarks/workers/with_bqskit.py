"""BQSKit: `compile` at optimisation level 3 with one worker, onto CZ and U3 and the machine's couplings.

The compiler's runtime is started once; its worker is a process of its own, whose memory is not counted.
"""

from __future__ import annotations

from typing import Any

import bqskit
from bqskit import Circuit, MachineModel
from bqskit.compiler import Compiler as Runtime
from bqskit.ir import gates as g
from serve import Answer, Case, Compiler, serve, two_qubit_cost

FIXED = {
    "h": g.HGate(),
    "x": g.XGate(),
    "y": g.YGate(),
    "z": g.ZGate(),
    "s": g.SGate(),
    "sdg": g.SdgGate(),
    "t": g.TGate(),
    "tdg": g.TdgGate(),
    "sx": g.SXGate(),
    "sxdg": g.DaggerGate(g.SXGate()),
    "cx": g.CXGate(),
    "cz": g.CZGate(),
    "swap": g.SwapGate(),
    "ccx": g.CCXGate(),
}
TURNS = {
    "rx": g.RXGate(),
    "ry": g.RYGate(),
    "rz": g.RZGate(),
    "p": g.U1Gate(),
    "cp": g.CPGate(),
    "crx": g.CRXGate(),
    "cry": g.CRYGate(),
    "crz": g.CRZGate(),
    "rxx": g.RXXGate(),
    "ryy": g.RYYGate(),
    "rzz": g.RZZGate(),
}
_RUNTIME: list[Runtime] = []


def runtime() -> Runtime:
    """One for all cases."""
    if not _RUNTIME:
        _RUNTIME.append(Runtime(num_workers=1))
    return _RUNTIME[0]


def prepare(case: Case) -> Any:
    """The case as a BQSKit Circuit."""
    if case.values:
        raise NotImplementedError("BQSKit has no symbols")
    runtime()
    out = Circuit(case.num_qubits)
    for name, wires, angles in case.gates:
        out.append_gate(FIXED[name] if name in FIXED else TURNS[name], wires, angles)
    return out


def compile_(circuit: Any, case: Case, number: int) -> Any:
    """The circuit and where its qubits start and end."""
    model = MachineModel(case.machine_qubits, case.edges, {g.CZGate(), g.U3Gate()})
    level = case.options["level"]
    return bqskit.compile(
        circuit, model, optimization_level=level, seed=number, with_mapping=True, compiler=runtime()
    )


def cost(found: Any) -> tuple[int, int]:
    """Two-qubit gates and their depth."""
    return two_qubit_cost([tuple(op.location) for op in found[0] if op.num_qudits == 2])


def finish(found: Any, source: Any, case: Case) -> Answer:
    """Rows, a U3 as three rotations, and layout."""
    circuit, initial, final = found
    rows: list[Any] = []
    for op in circuit:
        wires = tuple(op.location)
        if op.num_qudits == 2:
            rows.append(("cz" if isinstance(op.gate, g.CZGate) else op.gate.name, wires, ()))
            continue
        theta, phi, lam = op.params
        rows += [("rz", wires, (lam,)), ("ry", wires, (theta,)), ("rz", wires, (phi,))]
    return Answer(rows, list(initial), list(final))


if __name__ == "__main__":
    serve(Compiler(prepare, compile_, finish, cost, ("bqskit",)))
