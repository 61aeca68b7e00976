"""`verify`: whether two circuits mean the same, be they Cirq's, OpenQASM, or our own."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cirq
import numpy as np

from qattn_compiler.circuit.table import Circuit, Qubit
from qattn_compiler.errors import CircuitError, OptionError
from qattn_compiler.interop.cirq_files import from_qasm, read_circuit
from qattn_compiler.interop.cirq_read import read
from qattn_compiler.verify.branches import Foreign
from qattn_compiler.verify.equivalence import TOLERANCE, Equivalence, equivalent, same_expectation

Given = cirq.AbstractCircuit | Circuit | str | Path
Layout = Mapping[Any, Any] | Sequence[Any]


def verify(
    a: Given,
    b: Given,
    *,
    initial_layout: Layout | None = None,
    final_layout: Layout | None = None,
    observed: Sequence[Any] | None = None,
    seed: int = 0,
    tolerance: float = TOLERANCE,
) -> Equivalence:
    """Whether two circuits mean the same, up to global phase; the result is true if they do.

    Args:
        a: a Cirq circuit, a `Circuit`, a path to a .qasm or .json file, or OpenQASM text.
        b: another; it may have more qubits, which start in |0> and must end there.
        initial_layout: qubit of `a` -> qubit of `b` on which it starts; or the qubits of `b` in the order of
            a's. Qubits may be given as they are, or as their text. If not given, qubits of the same name
            belong together; if no name is in both, qubits in order.
        final_layout: the same at the end; like `initial_layout` if not given.
        observed: promise no more than the expectation of the product of Z over these qubits of `a`, from
            |0...0>.
        seed: of random states and values.
        tolerance: what the two may differ by; see `Equivalence.tolerance`.

    Raises:
        CircuitError: a circuit cannot be read.
        OptionError: a layout is none, or it cannot be said which qubits belong together.

    >>> import cirq
    >>> p, q = cirq.LineQubit.range(2)
    >>> bool(verify(cirq.Circuit(cirq.SWAP(p, q)), cirq.Circuit(cirq.CX(p, q), cirq.CX(q, p), cirq.CX(p, q))))
    True
    >>> bool(verify(cirq.Circuit(cirq.S(p), cirq.CX(p, q)), cirq.Circuit(cirq.S(p), cirq.CZ(p, q))))
    False
    """
    if not (np.isfinite(tolerance) and tolerance >= 0):
        raise OptionError(f"tolerance is {tolerance!r}; a number, 0 or more, was expected")
    one, two = _read(a), _read(b)
    if initial_layout is None:
        one, two, initial = _by_name(one, two, both=final_layout is None)
    else:
        two, initial = _placed(one, two, initial_layout, "initial")
    final = initial
    if final_layout is not None:
        two, final = _placed(one, two, final_layout, "final")
    if observed is not None:
        where = [_find(one.qubits, q, "observed qubit") for q in observed]
        return same_expectation(one, two, where, [final[q] for q in where], seed=seed, tolerance=tolerance)
    return equivalent(one, two, initial, final, seed=seed, tolerance=tolerance, opener=opened)


def _read(given: Given) -> Circuit:
    if isinstance(given, Circuit):
        return given
    if isinstance(given, str) and "OPENQASM" in given:
        return read(from_qasm("the text", given))
    if isinstance(given, str | Path):
        return read(read_circuit(Path(given)))
    if not isinstance(given, cirq.AbstractCircuit):
        raise CircuitError(f"a circuit is a {type(given).__name__}; one of Cirq or a file was expected")
    return read(given)


def _by_name(a: Circuit, b: Circuit, both: bool) -> tuple[Circuit, Circuit, list[int]]:
    """b with all qubits of a, a with all of b (if `both`), and the qubit of b for each of a: by name, or else
    by order.

    Raises:
        OptionError: no name is in both, and they have not equally many qubits.
    """
    known = set(b.qubits)
    if a.qubits and b.qubits and known.isdisjoint(a.qubits):
        if a.num_qubits != b.num_qubits:
            raise OptionError(
                f"no qubit is in both circuits, and they have {a.num_qubits} and {b.num_qubits}",
                hint="say by initial_layout which qubits belong together",
            )
        return a, b, list(range(a.num_qubits))
    b = _with_more(b, [q for q in a.qubits if q not in known])
    if both:
        own = set(a.qubits)
        a = _with_more(a, [q for q in b.qubits if q not in own])
    number = {q: i for i, q in enumerate(b.qubits)}
    return a, b, [number[q] for q in a.qubits]


def _with_more(circuit: Circuit, more: Sequence[Qubit]) -> Circuit:
    return replace(circuit, qubits=(*circuit.qubits, *more)) if more else circuit


def _placed(a: Circuit, b: Circuit, layout: Layout, which: str) -> tuple[Circuit, list[int]]:
    """b, with the qubits that only the layout names, and the qubit of b for each of a.

    Raises:
        OptionError: the layout does not place each qubit of a once.
    """
    if isinstance(layout, Mapping):
        names = _names(layout)
        missing = [q for q in a.qubits if q not in layout and str(q) not in names]
        if missing:
            raise OptionError(f"the {which} layout says nothing of qubit {missing[0]}")
        wanted = [layout[q] if q in layout else names[str(q)] for q in a.qubits]
    else:
        wanted = list(layout)
        if len(wanted) != a.num_qubits:
            raise OptionError(f"the {which} layout has {len(wanted)} qubits, not {a.num_qubits}")
    known = set(b.qubits) | set(map(str, b.qubits))
    more = [q for q in wanted if q not in known and str(q) not in known]
    if len(set(map(str, wanted))) != len(wanted):
        raise OptionError(f"the {which} layout puts two qubits on one")
    b = _with_more(b, more)
    return b, [_find(b.qubits, q, "qubit of the layout") for q in wanted]


def _names(layout: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(q): place for q, place in layout.items()}


def _find(qubits: Sequence[Qubit], wanted: Hashable, what: str) -> int:
    """The number of a qubit, by itself or by its text.

    Raises:
        OptionError: there is none.
    """
    if wanted in qubits:
        return qubits.index(wanted)
    found = [i for i, q in enumerate(qubits) if str(q) == str(wanted)]
    if not found:
        raise OptionError(f"{what} {wanted} is not in the circuit")
    return found[0]


def opened(payload: object) -> Foreign | None:
    """What an operation that is no row of the gate table does; None if that cannot be said."""
    if not isinstance(payload, cirq.Operation) or any(q.dimension != 2 for q in payload.qubits):
        return None
    conditions = tuple(payload.classical_controls)
    inner = payload.without_classical_controls()
    if cirq.is_measurement(inner) or cirq.is_parameterized(inner):
        return None
    kraus = cirq.kraus(inner, None)
    if kraus is None:
        return None
    if not conditions:
        return Foreign(tuple(np.asarray(one, dtype=complex) for one in kraus))

    def holds(record: Mapping[str, tuple[tuple[int, ...], ...]]) -> bool:
        store = cirq.ClassicalDataDictionaryStore(
            _records={cirq.MeasurementKey.parse_serialized(key): list(bits) for key, bits in record.items()},
            _measured_qubits={
                cirq.MeasurementKey.parse_serialized(key): [
                    tuple(cirq.LineQubit.range(len(one))) for one in bits
                ]
                for key, bits in record.items()
            },
        )
        try:
            return all(condition.resolve(store) for condition in conditions)
        except ValueError as error:
            raise CircuitError(f"the condition of {payload} cannot be read: {error}") from error

    return Foreign(tuple(np.asarray(one, dtype=complex) for one in kraus), holds)
