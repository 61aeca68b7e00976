"""A machine's gates as a `cirq.CompilationTargetGateset` that decomposes with our passes, symbols too."""

from __future__ import annotations

from typing import Any

import cirq

from qattn_compiler.circuit.table import Circuit
from qattn_compiler.interop.cirq_io import from_cirq, to_cirq
from qattn_compiler.passes.circuit.absorb_swaps import AbsorbSwaps
from qattn_compiler.passes.circuit.cancel_inverses import CancelInverses
from qattn_compiler.passes.circuit.decompose import DecomposeTwoQubit
from qattn_compiler.passes.circuit.drop_negligible import DropNegligible
from qattn_compiler.passes.circuit.limit_angles import LimitAngles
from qattn_compiler.passes.circuit.merge_rotations import MergeRotations
from qattn_compiler.passes.circuit.native_single_qubit import NativeSingleQubit
from qattn_compiler.passes.circuit.resynthesise_two_qubit import ResynthesiseTwoQubit
from qattn_compiler.pipeline import Pass, Pipeline
from qattn_compiler.targets.machine import EQUATORIAL, as_phased_x, families


def native_passes(
    entangler: str,
    last: tuple[Pass[Circuit], ...],
    before: tuple[Pass[Circuit], ...] = (),
    atol: float = 0.0,
    limited: bool = False,
) -> Pipeline[Circuit]:
    """Two-qubit blocks over the entangler with as few as can be, then what makes the rest native.

    Args:
        entangler: a name of `synth.entanglers.ENTANGLERS`.
        last: passes that end it, with the one for single-qubit gates.
        before: passes to run first.
        atol: rotations up to this angle (radians) are dropped.
        limited: the entangler has angles from 0 to pi / 2 only; what is symbolic then goes over CZ, which is
            one of them.
    """
    tidy = Pipeline((DropNegligible(atol), MergeRotations(), CancelInverses()), repeat=True, label="physical")
    if entangler == "cz":
        return Pipeline((*before, DecomposeTwoQubit(), tidy, *last), label="physical")
    symbolic = DecomposeTwoQubit(entangler="cz" if limited else entangler, symbolic_only=True)
    blocks = (ResynthesiseTwoQubit(entangler), DecomposeTwoQubit(entangler=entangler))
    return Pipeline((*before, symbolic, tidy, *blocks, *last), label="physical")


@cirq.value_equality
class NativeGateset(cirq.CompilationTargetGateset):
    """The gates of a machine as a target of `cirq.optimize_for_target_gateset`.

    Circuits come out with the fewest native two-qubit gates for each block; symbolic gates are compiled too,
    so that `ignore_failures=False` works for them. Global phase is not kept, as in Cirq's own gatesets.

    Args:
        entangler: a name of `synth.entanglers.ENTANGLERS`.
        basis: a name of `passes.circuit.native_single_qubit.BASES`.
        limited: the entangler has angles from 0 to pi / 2 only (the gateset itself accepts them all).
    """

    def __init__(self, entangler: str = "cz", basis: str = "phased_xz", limited: bool = False) -> None:
        self.entangler, self.basis, self.limited = entangler, basis, limited
        super().__init__(*families((entangler,), basis), unroll_circuit_op=False)

    @property
    def num_qubits(self) -> int:
        """Operations on more qubits are left to Cirq's decompositions."""
        return 2

    def decompose_to_target_gateset(self, op: cirq.Operation, moment_idx: int) -> Any:
        """Native operations for one on at most two qubits; NotImplemented for what has no rows."""
        if len(op.qubits) > 2 or op.gate is None or cirq.is_measurement(op):
            return NotImplemented
        rows = from_cirq(cirq.Circuit(op.untagged), qubits=op.qubits)
        if (rows.extra >= 0).any():
            return NotImplemented
        return list(self._written(self._passes().run(rows)).all_operations())

    @property
    def preprocess_transformers(self) -> list[Any]:
        """What is on more than two qubits is taken apart, then whole blocks are rebuilt."""
        wide = cirq.create_transformer_with_kwargs(
            cirq.expand_composite, no_decomp=lambda op: cirq.num_qubits(op) <= 2
        )
        return [wide, self._transformer()]

    @property
    def postprocess_transformers(self) -> list[Any]:
        """Single-qubit runs are made one again."""
        return [self._transformer()]

    def _transformer(self) -> Any:
        def run(
            circuit: cirq.AbstractCircuit, *, context: cirq.TransformerContext | None = None
        ) -> cirq.AbstractCircuit:
            ignored = context.tags_to_ignore if context is not None else ()
            rows = from_cirq(circuit, tags_to_ignore=ignored)
            before = (CancelInverses(), AbsorbSwaps(), ResynthesiseTwoQubit(self.entangler))
            return self._written(self._passes(before).run(rows))

        return cirq.transformer(run)

    def _passes(self, before: tuple[Pass[Circuit], ...] = ()) -> Pipeline[Circuit]:
        single = NativeSingleQubit(self.basis)
        last = (LimitAngles(), single) if self.limited else (single,)
        return native_passes(self.entangler, last, before, limited=self.limited)

    def _written(self, rows: Circuit) -> cirq.Circuit:
        out = to_cirq(rows, global_phase=False)
        return as_phased_x(out) if self.basis in EQUATORIAL else out

    def _value_equality_values_(self) -> Any:
        return self.entangler, self.basis, self.limited

    def __repr__(self) -> str:
        values = f"{self.entangler!r}, {self.basis!r}, {self.limited!r}"
        return f"qattn_compiler.targets.gateset.NativeGateset({values})"

    def _json_dict_(self) -> dict[str, Any]:
        return cirq.obj_to_dict_helper(self, ["entangler", "basis", "limited"])

    @classmethod
    def _json_namespace_(cls) -> str:
        return "qattn_compiler"

    @classmethod
    def _from_json_dict_(  # type: ignore[override]
        cls, entangler: str, basis: str, limited: bool, **_: Any
    ) -> NativeGateset:
        return cls(entangler, basis, limited)
