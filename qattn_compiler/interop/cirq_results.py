"""Observables, samplers and JSON of Cirq, for decoding and saving results."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import cirq
import numpy as np
from numpy.typing import NDArray

from qattn_compiler.errors import CircuitError, OptionError
from qattn_compiler.interop.cirq_angles import unit
from qattn_compiler.interop.qasm_limits import MAX_OPERATIONS

READ_KEY = "readout"
"""Measurement key of compiled circuits: the observed qubits in the order of the observable."""


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """Making a thousand circuits makes a million objects and no cycles: collecting would only walk them."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def z_product(qubits: Sequence[Any]) -> cirq.PauliString[Any]:
    """The product of Z over some qubits."""
    return cirq.PauliString(dict.fromkeys(qubits, cirq.Z))


def to_json(circuit: cirq.AbstractCircuit) -> str:
    """Cirq's own JSON, without white space.

    Raises:
        CircuitError: something in the circuit has no JSON form (a sympy function, say).
    """
    try:
        return cirq.to_json(circuit, indent=None)
    except (TypeError, ValueError) as error:
        raise CircuitError(f"the circuit has no JSON form: {error}") from error


class JsonWriter:
    """The text of `to_json` for many circuits that share qubits and most gates, several times faster.

    Operations are written by Cirq once and then reused; only the angles of `PhasedXZ` gates are put into a
    text that Cirq wrote for another angle. The first circuit is compared with what Cirq writes; should Cirq
    ever write something else, all circuits are left to Cirq.
    """

    def __init__(self) -> None:
        self._operations: dict[tuple[int, tuple[cirq.Qid, ...]], tuple[Any, str]] = {}
        self._pulses: dict[Any, str] = {}
        self._trusted: bool | None = None

    def text(self, circuit: cirq.Circuit) -> str:
        """The circuit's JSON.

        Raises:
            CircuitError: something in the circuit has no JSON form.
        """
        if self._trusted is False or cirq.is_parameterized(circuit) or circuit.tags:
            return to_json(circuit)
        moments = ", ".join(
            f'{{"cirq_type": "Moment", "operations": [{", ".join(map(self._operation, moment.operations))}]}}'
            for moment in circuit.moments
        )
        made = f'{{"cirq_type": "Circuit", "moments": [{moments}]}}'
        if self._trusted is None:
            self._trusted = made == to_json(circuit)
            return self.text(circuit)
        return made

    def _operation(self, operation: cirq.Operation) -> str:
        gate, qubits = operation.gate, operation.qubits
        if type(operation) is not cirq.GateOperation:
            return cirq.to_json(operation, indent=None)
        if type(gate) is cirq.PhasedXZGate:
            return self._pulse(gate, qubits[0])
        key = (id(gate), qubits)  # the gate is kept beside its text, so that its id stays its own
        if key not in self._operations:
            self._operations[key] = (gate, cirq.to_json(operation, indent=None))
        return self._operations[key][1]

    def _pulse(self, gate: cirq.PhasedXZGate, qubit: cirq.Qid) -> str:
        if qubit not in self._pulses:
            marked = cirq.PhasedXZGate(x_exponent=1.5, z_exponent=2.5, axis_phase_exponent=3.5)
            text = cirq.to_json(marked.on(qubit), indent=None)
            for mark, name in (("3.5", "%(a)s"), ("1.5", "%(x)s"), ("2.5", "%(z)s")):
                text = text.replace(f'exponent": {mark}', f'exponent": {name}')
            self._pulses[qubit] = text
        angles = {"x": gate.x_exponent, "z": gate.z_exponent, "a": gate.axis_phase_exponent}
        return self._pulses[qubit] % {name: _number(angle) for name, angle in angles.items()}


def _number(value: Any) -> str:
    return repr(value) if type(value) is float else json.dumps(value)


def check_sampler(sampler: Any) -> Any:
    """The sampler, or the default simulator for None.

    Raises:
        OptionError: it is no `cirq.Sampler`.
    """
    if sampler is None:
        return cirq.Simulator(seed=0)
    if not isinstance(sampler, cirq.Sampler):
        raise OptionError(f"sampler is {sampler!r}; a cirq.Sampler or the name of a target was expected")
    return sampler


def sampled_bits(
    circuits: Sequence[cirq.AbstractCircuit],
    sampler: cirq.Sampler,
    shots: int,
    progress: Callable[[str, int, int], None],
) -> Iterator[NDArray[np.integer]]:
    """The bits under READ_KEY of each circuit, shape (shots, qubits)."""
    for i, circuit in enumerate(circuits):
        yield sampler.run(circuit, repetitions=shots).measurements[READ_KEY]
        progress("sample", i + 1, len(circuits))


def expand_unknown(
    circuit: cirq.AbstractCircuit,
    rows_of: Callable[[cirq.Gate], int | None],
    *,
    unroll: bool = True,
    tags_to_ignore: Iterable[Hashable] = (),
) -> cirq.Circuit:
    """Take apart what has no row in the gate table: nested circuits, wide gates, matrices; walls stay.

    Cirq's own decompositions are used, but for Toffoli gates and their like, which take six CX here (Cirq's
    eight are for qubits in a row); what has none (channels, classical control) stays as it is. A tag
    survives on a gate that is one row; a gate that becomes several rows, or none, loses it.

    Args:
        circuit: any Cirq circuit.
        rows_of: how many rows of the gate table a gate becomes; None if it has none.
        unroll: take nested circuits apart as well.
        tags_to_ignore: operations with one of these tags stay as they are.

    Raises:
        CircuitError: nested circuits stand for more than `MAX_OPERATIONS`.
    """
    ignored = frozenset(tags_to_ignore)

    def keep(operation: cirq.Operation) -> bool:
        bare = operation.untagged
        if not ignored.isdisjoint(operation.tags) or (not unroll and isinstance(bare, cirq.CircuitOperation)):
            return True
        if isinstance(bare, cirq.ClassicallyControlledOperation) or cirq.is_measurement(bare):
            return not isinstance(bare.without_classical_controls(), cirq.CircuitOperation)
        return bare.gate is not None and rows_of(bare.gate) is not None

    def loses_tags(operation: cirq.Operation) -> bool:
        gate = operation.untagged.gate
        known = bool(operation.tags) and ignored.isdisjoint(operation.tags)
        return known and gate is not None and rows_of(gate) not in (None, 1)

    if unroll:
        _check_size(circuit)
    flat = cirq.unroll_circuit_op(circuit, deep=True, tags_to_check=None) if unroll else circuit
    operations = (
        [op]
        if keep(op)
        else cirq.decompose(op, intercepting_decomposer=three_qubit, keep=keep, on_stuck_raise=None)
        for op in flat.all_operations()
    )
    return cirq.Circuit(op.untagged if loses_tags(op) else op for part in operations for op in part)


def _check_size(circuit: cirq.AbstractCircuit) -> None:
    """Raise if nested circuits, with all their repetitions, are too large to be written out."""
    known: dict[int, int] = {}

    def size(inner: cirq.AbstractCircuit) -> int:
        if id(inner) not in known:
            total = 0
            for operation in inner.all_operations():
                nested = operation.untagged
                times = nested.repetitions if isinstance(nested, cirq.CircuitOperation) else None
                total += 1
                if isinstance(nested, cirq.CircuitOperation) and isinstance(times, int | np.integer):
                    total += abs(int(times)) * size(nested.circuit)
            known[id(inner)] = total
        return known[id(inner)]

    if size(circuit) > MAX_OPERATIONS:
        raise CircuitError(
            f"nested circuits stand for {size(circuit):.3g} operations (about 1 kB each); at most "
            f"{MAX_OPERATIONS} are written out"
        )


WIDE = (cirq.CCZPowGate, cirq.CCXPowGate, cirq.CSwapGate, cirq.ThreeQubitDiagonalGate)
"""The gates that `three_qubit` takes apart."""


def three_qubit(operation: cirq.Operation) -> list[cirq.Operation] | None:
    """CCZ**e, CCX**e, CSWAP and diagonal gates with the fewest CX; None for all else.

    (-1)^(abc) is a phase on each of the seven parities of a, b and c, since 4abc is the sum of those of one
    and three bits without those of two (Nielsen and Chuang, section 4.3; Shende and Markov, arXiv:0803.2316).
    """
    gate = operation.untagged.gate
    if isinstance(gate, cirq.ControlledGate) and isinstance(gate.sub_gate, cirq.ThreeQubitDiagonalGate):
        controls, wires = operation.qubits[: gate.num_controls()], operation.qubits[gate.num_controls() :]
        inner = three_qubit(gate.sub_gate.on(*wires)) or []
        return [part.controlled_by(*controls, control_values=gate.control_values) for part in inner]
    if isinstance(gate, cirq.ThreeQubitDiagonalGate):
        return _diagonal(gate, *operation.qubits)
    if isinstance(gate, cirq.CSwapGate):
        a, b, c = operation.qubits
        return [cirq.CX(c, b), cirq.CCX(a, b, c), cirq.CX(c, b)]
    if not isinstance(gate, cirq.CCZPowGate | cirq.CCXPowGate) or gate.global_shift != 0:
        return None
    a, b, c = operation.qubits
    plus, minus = gate.exponent / 4, -gate.exponent / 4
    phases = _parity_phases(operation.qubits, (plus, plus, minus, plus, minus, minus, plus))
    return phases if isinstance(gate, cirq.CCZPowGate) else [cirq.H(c), *phases, cirq.H(c)]


def _parity_phases(qubits: Sequence[cirq.Qid], half_turns: Sequence[Any]) -> list[cirq.Operation]:
    """Phases on the parities c, b, bc, a, ac, ab, abc of three qubits a, b, c, in six CX."""
    a, b, c = qubits
    of_c, of_b, of_bc, of_a, of_ac, of_ab, of_abc = (cirq.ZPowGate(exponent=turns) for turns in half_turns)
    return [
        cirq.CX(b, c),
        of_bc(c),
        cirq.CX(a, c),
        of_abc(c),
        cirq.CX(b, c),
        of_ac(c),
        cirq.CX(a, c),
        of_c(c),
        of_b(b),
        cirq.CX(a, b),
        of_ab(b),
        cirq.CX(a, b),
        of_a(a),
    ]


def _diagonal(gate: cirq.ThreeQubitDiagonalGate, *qubits: cirq.Qid) -> list[cirq.Operation]:
    """A diagonal gate as phases on parities, which are its Walsh transform.

    Cirq's own decomposition (1.7) changes the order of qubits that are no neighbours and forgets to change
    that of the angles.
    """
    angles = gate._diag_angles_radians
    signs = [[1 - 2 * ((mask & x).bit_count() % 2) for x in range(8)] for mask in range(1, 8)]
    sums = [sum(sign * angle for sign, angle in zip(row, angles, strict=True)) for row in signs]
    if cirq.is_parameterized(gate):
        import sympy

        turns = [-total / (4 * sympy.pi) for total in sums]
        phase = cirq.global_phase_operation(unit(angles[0]))
    else:
        turns = [-total / (4 * np.pi) for total in sums]
        phase = cirq.global_phase_operation(complex(np.exp(1j * angles[0])))
    return [*_parity_phases(qubits, turns), phase]
