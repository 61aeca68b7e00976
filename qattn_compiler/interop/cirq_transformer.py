"""A pass on columns as a Cirq transformer.

Cirq's conventions are kept: the input is never changed, operations with a tag in `tags_to_ignore` are walls,
`deep` goes into `CircuitOperation`s, the logger is told of every run. Beyond them: the very same circuit
comes back if there was nothing to do, the global phase is exact, and the tags of the circuit stay. Moments
are packed anew.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import TypeAlias

import cirq

from qattn_compiler.circuit.table import Circuit
from qattn_compiler.interop.cirq_io import count_rows, from_cirq, to_cirq
from qattn_compiler.interop.cirq_results import expand_unknown
from qattn_compiler.pipeline import Pass

AbstractCircuit: TypeAlias = cirq.AbstractCircuit
TransformerContext: TypeAlias = cirq.TransformerContext


def apply(
    step: Pass[Circuit],
    circuit: cirq.AbstractCircuit,
    context: cirq.TransformerContext | None = None,
    *,
    opens_gates: bool = True,
    opens_wide: bool = False,
) -> cirq.AbstractCircuit:
    """Run a pass (or a pipeline) on a Cirq circuit.

    Args:
        step: the pass.
        circuit: any Cirq circuit, frozen or not.
        context: Cirq's options: logger, tags_to_ignore, deep.
        opens_gates: whether gates that the gate table has only as several two-qubit gates are taken apart.
        opens_wide: whether unitary gates that the gate table does not have at all are taken apart.

    Returns:
        a `cirq.Circuit`, or `circuit` itself if the pass changed nothing.

    Raises:
        CircuitError: an angle of an operation is complex or not finite.
    """
    context = cirq.TransformerContext() if context is None else context
    context.logger.register_initial(circuit, step.name)
    out = _apply(step, circuit, context, opens_gates, opens_wide)
    context.logger.register_final(out, step.name)
    return out


def _apply(
    step: Pass[Circuit],
    circuit: cirq.AbstractCircuit,
    context: cirq.TransformerContext,
    opens_gates: bool,
    opens_wide: bool,
) -> cirq.AbstractCircuit:
    if context.deep:
        circuit = _inside(step, circuit, context, opens_gates, opens_wide)
    opened = _opened(circuit, context.tags_to_ignore) if opens_wide else circuit
    before = from_cirq(opened, tags_to_ignore=context.tags_to_ignore, split_gates=opens_gates)
    after = step.run(before)
    if after is before:
        return circuit
    context.logger.log(f"{step.name}: {len(before)} rows before, {len(after)} after")
    return to_cirq(after).with_tags(*circuit.tags)


def _opened(circuit: cirq.AbstractCircuit, tags_to_ignore: tuple[Hashable, ...]) -> cirq.AbstractCircuit:
    """The circuit with its unitary gates on three and more qubits, and its matrices, taken apart."""
    if not any(_is_wide(op) for op in circuit.all_operations()):
        return circuit
    return expand_unknown(circuit, count_rows, unroll=False, tags_to_ignore=tags_to_ignore)


def _is_wide(operation: cirq.Operation) -> bool:
    gate = operation.untagged.gate
    return gate is not None and count_rows(gate) is None and cirq.has_unitary(operation)


def _inside(
    step: Pass[Circuit],
    circuit: cirq.AbstractCircuit,
    context: cirq.TransformerContext,
    opens_gates: bool,
    opens_wide: bool,
) -> cirq.AbstractCircuit:
    """The circuit with the pass run in its CircuitOperations; the same circuit if none of them changed."""
    changes = []
    ignored = frozenset(context.tags_to_ignore)
    for moment, operation in circuit.findall_operations(lambda op: ignored.isdisjoint(op.tags)):
        inner = operation.untagged
        if not isinstance(inner, cirq.CircuitOperation):
            continue
        after = _apply(step, inner.circuit, context, opens_gates, opens_wide)
        if after is not inner.circuit:
            changed: cirq.Operation = inner.replace(circuit=after.freeze())
            changes.append((moment, operation, changed.with_tags(*operation.tags)))
    if not changes:
        return circuit
    out = circuit.unfreeze(copy=True).with_tags(*circuit.tags)
    out.batch_replace(changes)
    return out
