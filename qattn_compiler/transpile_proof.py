"""Prove a transpile: the circuit that is given out against the one that came in, at any size.

The chain source -> optimised -> routed -> native -> as written is proved link by link (`verify.certificate`,
`verify.replay`); small circuits for which that does not succeed are compared as whole unitaries.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

import numpy as np

from qattn_compiler.circuit.gates import MEASURE, NUM_QUBITS
from qattn_compiler.circuit.layout import Routed
from qattn_compiler.circuit.table import Circuit
from qattn_compiler.errors import VerificationError
from qattn_compiler.interop import cirq_io
from qattn_compiler.passes.circuit.optimize import Optimized
from qattn_compiler.search import Track
from qattn_compiler.threads import pool
from qattn_compiler.verify.certificate import Link, Proof, check
from qattn_compiler.verify.certificate import Step as Verdict
from qattn_compiler.verify.compare import Verification, unitary_distance
from qattn_compiler.verify.replay import check_routing
from qattn_compiler.verify.words import EXACT

MAX_UNITARY = 10
"""Circuits on up to this many machine qubits are compared as whole unitaries where nothing else helps."""
LONG = 5000
"""The links of circuits with as many rows are proved in threads."""
TOLERANCE = 1e-7
"""Allowed entry of the difference of unitaries, beside what `atol` allows to drop."""


@dataclass(frozen=True, eq=False)
class Result:
    """A transpiled circuit with all that it went through.

    Attributes:
        source: what came in.
        chosen: what the optimizer made of it.
        routed: on the machine, with the layouts of `chosen`'s qubits.
        native: in the machine's gates.
        written: the same, as a `cirq.Circuit`.
    """

    source: Circuit
    chosen: Optimized
    routed: Routed
    native: Circuit
    written: Any


def prove(result: Result, track: Track) -> Verification:
    """Check a transpile, link by link.

    Raises:
        VerificationError: it is wrong; the message names the link.
    """
    allowed = _allowed(result.source, track)
    proofs = _proofs(result, track)
    for name, proof in proofs.items():
        if proof.equal is False:
            raise VerificationError(
                f"the circuit changed its meaning ({name}: {proof.steps[-1].detail})",
                hint="this is a bug; please report it",
            )
    open_links = {name: proof for name, proof in proofs.items() if proof.equal is None}
    checks = {f"{name}: error at most": proof.error for name, proof in proofs.items() if proof.equal}
    error = sum(proof.error for proof in proofs.values())
    if not open_links and error <= allowed:
        symbols = all(step.exact for proof in proofs.values() for step in proof.steps)
        method = "every link proved: " + ", ".join(f"{n} by {_methods(p)}" for n, p in proofs.items())
        method += "" if symbols else "; symbols at random values"
        return Verification(method, error, allowed, True, checks)
    why = "; ".join(f"{name}: {step.name}" for name, proof in open_links.items() for step in proof.unproved)
    why = why or f"they add up to an error of at most {error:.3g}"
    return _by_unitary(result, allowed, checks, why)


def _proofs(result: Result, track: Track) -> dict[str, Proof]:
    """The links, each proved by itself; side by side for long circuits.

    Raises:
        VerificationError: the replay of the routing fails.
    """
    jobs: dict[str, Callable[[], Proof]] = {
        "native": lambda: _native(result, track),
        "write": lambda: _written(result),
        "optimise": lambda: _optimised(result, track),
        "route": lambda: _routed(result.chosen.circuit, result.routed),
    }
    with pool(len(result.native) >= LONG) as threads:
        found = dict(zip(jobs, threads.map(lambda job: job(), jobs.values()), strict=True))
    return {name: found[name] for name in ("optimise", "route", "native", "write")}


def _methods(proof: Proof) -> str:
    return " and ".join(dict.fromkeys(step.method for step in proof.steps))


def _optimised(result: Result, track: Track) -> Proof:
    """The optimizer's circuit is the given one, qubits renamed at the end."""
    chosen, tolerance = result.chosen, max(EXACT, track.atol)
    whole = Link("optimise", result.source, chosen.circuit, final=chosen.place, tolerance=tolerance)
    proof = check(whole, _links(chosen.trail or (), tolerance))
    return _lenient(proof, track)


def _native(result: Result, track: Track) -> Proof:
    """The native circuit is the routed one."""
    tolerance = max(EXACT, track.atol)
    whole = Link("native", result.routed.circuit, result.native, tolerance=tolerance, local=True)
    return check(whole, _links(track.claims, tolerance, local=True))


def _links(claims: Any, tolerance: float, local: bool = False) -> list[Link]:
    """What the passes claim; what may be left out in one of them, words find best."""
    return [
        Link(c.name, c.before, c.after, None, c.place, tolerance if c.loose else EXACT, local and not c.loose)
        for c in claims
    ]


def _lenient(proof: Proof, track: Track) -> Proof:
    """Where blocks were allowed to be approximations, that they differ refutes nothing."""
    if proof.equal is not False or not track.infidelity:
        return proof
    return Proof.of([replace(step, equal=None) if step.equal is False else step for step in proof.steps])


def _routed(logical: Circuit, routed: Routed) -> Proof:
    """Replay the routing gate by gate; where gates were built anew, compare both as Pauli rotations.

    Raises:
        VerificationError: the replay fails.
    """
    if routed.is_rebuilt:
        return check(Link("route", logical, routed.circuit, routed.initial, routed.final))
    check_routing(logical, routed.circuit, routed.initial, routed.final, _adjacency_of(routed))
    return Proof.of([Verdict("route", True, "replay", 0.0, True, 0.0)])


def _written(result: Result) -> Proof:
    """What is given out, read back, is the native circuit."""
    begin = perf_counter()
    qubits: Any = result.native.qubits
    back = cirq_io.from_cirq(result.written, qubits=qubits)
    plain = not result.native.is_symbolic and (result.native.extra < 0).all() and (back.extra < 0).all()
    if plain and not back.is_symbolic:
        error = cirq_io.column_distance(result.native, back) * len(back)
        if error <= TOLERANCE:
            return Proof.of([Verdict("write", True, "columns", error, True, perf_counter() - begin)])
    native, back = (cirq_io.unplaced(replace(one, phase=0.0)) for one in (result.native, back))
    return check(Link("write", native, back, local=True))


def _by_unitary(result: Result, allowed: float, checks: dict[str, float], why: str) -> Verification:
    """Compare whole unitaries where the result is small and free of foreign operations.

    Raises:
        VerificationError: they differ.
    """
    routed = replace(result.routed, final=result.routed.final[result.chosen.place])
    pair = _comparable(result.source, result.native, routed)
    if pair is None:
        method = f"not all links could be proved ({why})"
        return Verification(method, float("nan"), allowed, None, checks)
    before, after, initial, final = pair
    error = unitary_distance(before, after, initial, final)
    if error > allowed:
        raise VerificationError(
            f"the result differs from the input by {error:.3g}", hint="please report this"
        )
    what = "whole unitary" + (" at random parameter values" if result.source.is_symbolic else "")
    return Verification(what, error, allowed, True, checks | {"unitary": error})


def _allowed(source: Circuit, track: Track) -> float:
    """How far the result may be from the input, by what was dropped and given away.

    Blocks whose average gate fidelities are 1 - r_k differ by at most sqrt(5 r_k) each (Nielsen, Phys. Lett.
    A 303, 249 (2002): 1 - F = (16 - |tr|^2) / 20), all n of them by at most sqrt(5 n sum r_k).
    """
    blocks = max(1, int(source.is_two_qubit.sum()))
    return TOLERANCE + track.dropped + float(np.sqrt(5 * blocks * track.infidelity))


def _adjacency_of(routed: Routed) -> Any:
    """Couplings that the routed circuit uses; that they are the machine's is the device's own check."""
    size = routed.circuit.num_qubits
    out = np.zeros((size, size), dtype=bool)
    pairs = routed.circuit.operands[routed.circuit.is_two_qubit]
    out[pairs[:, 0], pairs[:, 1]] = True
    return out | out.T


def _comparable(source: Circuit, native: Circuit, routed: Routed) -> tuple[Circuit, Circuit, Any, Any] | None:
    """Input and output as small numeric circuits without final measurements, and the layouts between them."""
    gates = native.operands[NUM_QUBITS[native.op] > 0]
    if len(np.unique(gates[gates >= 0])) > MAX_UNITARY:
        return None
    before, after = _without_final_measurements(source), _without_final_measurements(native)
    if before is None or after is None:
        return None
    used = np.unique(np.concatenate([after.operands[after.operands >= 0], routed.initial, routed.final]))
    if len(used) > MAX_UNITARY:
        return None
    number = np.full(after.num_qubits, -1)
    number[used] = np.arange(len(used))
    operands = np.where(after.operands >= 0, number[after.operands], -1).astype(np.int32)
    small = replace(after, qubits=tuple(after.qubits[q] for q in used), operands=operands)
    rng = np.random.default_rng(0)
    symbols = sorted({p.name for p in (*before.params, *small.params)})
    values = dict(zip(symbols, rng.uniform(-2, 2, len(symbols)).tolist(), strict=True))
    bound = [c.bind({p.name: values[p.name] for p in c.params}) for c in (before, small)]
    return bound[0], bound[1], number[routed.initial], number[routed.final]


def _without_final_measurements(circuit: Circuit) -> Circuit | None:
    """The unitary part, or None if something else than gates and final measurements is in it."""
    gates = NUM_QUBITS[circuit.op] > 0
    if not (gates | (circuit.op == MEASURE)).all():
        return None
    measured: set[int] = set()
    for row in range(len(circuit)):
        wires = {int(w) for w in circuit.wires[row] if w >= 0}
        if not measured.isdisjoint(wires):
            return None
        if not gates[row]:
            measured |= wires
    return circuit.with_rows(np.flatnonzero(gates))
