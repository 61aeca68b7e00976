"""What makes a circuit pass a Cirq transformer as well."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from qattn_compiler.circuit.table import Circuit
    from qattn_compiler.interop.cirq_transformer import AbstractCircuit, TransformerContext


class CirqTransformer:
    """Mixin without fields: the pass can be called with a Cirq circuit.

    Attributes:
        opens_gates: whether the pass wants the parts of a Cirq gate that the gate table has only as several
            two-qubit gates (such as `ISWAP**0.3`). The others leave such a gate whole, as a wall.
        opens_wide: whether it wants those of unitary gates that the table does not have at all as well, such
            as Toffoli gates.
    """

    __slots__ = ()
    name: ClassVar[str]
    opens_gates: ClassVar[bool] = False
    opens_wide: ClassVar[bool] = False

    def run(self, circuit: Circuit, /) -> Circuit:
        """The transformed circuit; the same object if there was nothing to do."""
        raise NotImplementedError

    def __call__(
        self, circuit: AbstractCircuit, *, context: TransformerContext | None = None
    ) -> AbstractCircuit:
        """Run the pass on a Cirq circuit, as `cirq.TRANSFORMER` (see `interop.cirq_transformer.apply`)."""
        from qattn_compiler.interop.cirq_transformer import apply

        return apply(self, circuit, context, opens_gates=self.opens_gates, opens_wide=self.opens_wide)
