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

    flat = cirq.unroll_circuit_op(circuit, deep=True, tags_to_check=None) if unroll else circuit
    operations = (
        [op]
        if keep(op)
        else cirq.decompose(op, intercepting_decomposer=three_qubit, keep=keep, on_stuck_raise=None)
        for op in flat.all_operations()
    )
    return cirq.Circuit(op.untagged if loses_tags(op) else op for part in operations for op in part)


WIDE = (cirq.CCZPowGate, cirq.CCXPowGate, cirq.CSwapGate)
"""The gates that `three_qubit` takes apart."""


def three_qubit(operation: cirq.Operation) -> list[cirq.Operation] | None:
    """CCZ**e, CCX**e and CSWAP with the fewest CX; None for all else.

    (-1)^(abc) is a phase on each of the seven parities of a, b and c, since 4abc is the sum of those of one
    and three bits without those of two (Nielsen and Chuang, section 4.3; Shende and Markov, arXiv:0803.2316).
    """
    gate = operation.untagged.gate
    if isinstance(gate, cirq.CSwapGate):
        a, b, c = operation.qubits
        return [cirq.CX(c, b), cirq.CCX(a, b, c), cirq.CX(c, b)]
    if not isinstance(gate, cirq.CCZPowGate | cirq.CCXPowGate) or gate.global_shift != 0:
        return None
    a, b, c = operation.qubits
    plus, minus = cirq.Z ** (gate.exponent / 4), cirq.Z ** (-gate.exponent / 4)
    phases = [
        cirq.CX(b, c),
        minus(c),
        cirq.CX(a, c),
        plus(c),
        cirq.CX(b, c),
        minus(c),
        cirq.CX(a, c),
        plus(c),
        plus(b),
        cirq.CX(a, b),
        minus(b),
        cirq.CX(a, b),
        plus(a),
    ]
    return phases if isinstance(gate, cirq.CCZPowGate) else [cirq.H(c), *phases, cirq.H(c)]
