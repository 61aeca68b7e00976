"""Target: a machine's data, the passes that bring a circuit onto it, and Cirq's own judge of the result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import cirq
import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit.gates import NUM_QUBITS
from qattn_compiler.circuit.table import Circuit
from qattn_compiler.device import Device
from qattn_compiler.errors import OptionError, TargetError
from qattn_compiler.interop.cirq_io import to_cirq
from qattn_compiler.interop.cirq_route import turned
from qattn_compiler.passes.circuit.absorb_swaps import AbsorbSwaps
from qattn_compiler.passes.circuit.cancel_inverses import CancelInverses
from qattn_compiler.passes.circuit.decompose import DecomposeTwoQubit
from qattn_compiler.passes.circuit.drop_negligible import DropNegligible
from qattn_compiler.passes.circuit.fuse_single_qubit import FusedBatch, FuseSingleQubit, fuse_batch
from qattn_compiler.passes.circuit.limit_angles import LimitAngles
from qattn_compiler.passes.circuit.merge_rotations import MergeRotations
from qattn_compiler.passes.circuit.native_single_qubit import NativeSingleQubit, pulses_alone
from qattn_compiler.passes.circuit.optimize import Optimize
from qattn_compiler.passes.circuit.orient import Orient
from qattn_compiler.passes.circuit.resynthesise_two_qubit import ResynthesiseTwoQubit
from qattn_compiler.passes.circuit.route import Route
from qattn_compiler.pipeline import Pass, Pipeline
from qattn_compiler.synth.entanglers import ENTANGLERS
from qattn_compiler.targets.gateset import NativeGateset, native_passes
from qattn_compiler.targets.machine import EQUATORIAL, as_phased_x

LEVELS = (0, 1, 2, 3)
_PASSES = {"usual": (4.0, 12.0, 24.0, 36.0), "long": (4.0, 36.0, 600.0, 1200.0)}
"""The router's budget by optimization level, in passes over the circuit (`contest.Contest`)."""


@dataclass(frozen=True, eq=False)
class Target:
    """A machine to compile for.

    Attributes:
        device: plain data that passes read.
        cirq_device: Cirq's device; its `validate_circuit` judges every result.
        noisy_sampler: makes a `cirq.Sampler` of the noisy machine, or None where there is none.
        entangler: what two-qubit gates are made of, a name of `synth.entanglers.ENTANGLERS`.
        basis: what single-qubit gates are made of, a name of `passes.circuit.native_single_qubit.BASES`.
        arrange: rewrites the Cirq circuit as the machine's validator wants it (moments, say), or None.
    """

    device: Device
    cirq_device: cirq.Device
    noisy_sampler: Callable[[], Any] | None = None
    entangler: str = "cz"
    basis: str = "phased_xz"
    arrange: Callable[[cirq.Circuit], cirq.Circuit] | None = None

    @property
    def name(self) -> str:
        """The name that users say."""
        return self.device.name

    @property
    def cirq_gateset(self) -> NativeGateset:
        """The native gates for `cirq.optimize_for_target_gateset`."""
        return NativeGateset(self.entangler, self.basis, self.limited)

    @property
    def limited(self) -> bool:
        """Whether the entangler has angles from 0 to pi / 2 only."""
        return ENTANGLERS[self.entangler].gate in self.device.highest

    @staticmethod
    def from_graph(graph: Any, **options: Any) -> Target:
        """A machine from a coupling graph; see `shapes.from_graph`."""
        from qattn_compiler.targets import shapes

        return shapes.from_graph(graph, **options)

    @staticmethod
    def from_cirq_device(device: Any, **options: Any) -> Target:
        """A machine from any `cirq.Device`; see `foreign.from_cirq_device`."""
        from qattn_compiler.targets import foreign

        return foreign.from_cirq_device(device, **options)

    @staticmethod
    def from_gateset(gateset: cirq.Gateset, graph: Any, **options: Any) -> Target:
        """A machine from a gateset and a coupling graph; see `foreign.from_gateset`."""
        from qattn_compiler.targets import foreign

        return foreign.from_gateset(gateset, graph, **options)

    @staticmethod
    def from_qiskit(machine: Any, **options: Any) -> Target:
        """A machine from a Qiskit `Target` or `BackendV2`; see `foreign.from_qiskit`."""
        from qattn_compiler.targets import foreign

        return foreign.from_qiskit(machine, **options)

    @staticmethod
    def from_file(path: Any, gate: str | None = None) -> Target:
        """A machine from a TOML or JSON file; see `files.read`."""
        from qattn_compiler.targets import files

        return files.read(path, gate)

    def logical_passes(self, level: int) -> Pipeline[Circuit]:
        """What runs before qubits are placed.

        Raises:
            OptionError: the level is not 0, 1, 2 or 3.
        """
        check_level(level)
        if level == 0:
            return Pipeline((), label="logical")
        return Pipeline((MergeRotations(), CancelInverses()), repeat=True, label="logical")

    def optimizer(
        self, level: int, seed: int, atol: float, fidelity: float = 1.0, effort: str = "usual"
    ) -> Optimize:
        """What runs before qubits are placed, where SWAPs may be done by relabelling."""
        check_level(level)
        return Optimize(level, atol, seed=seed, fidelity=fidelity, effort=effort)

    def route(self, level: int, seed: int, effort: str = "usual", objective: str = "count") -> Route:
        """The placement and routing pass.

        Args:
            level: optimization level.
            seed: of all random choices.
            effort: "usual", or "long" for what runs often.
            objective: "count", "depth" or "fidelity".
        """
        check_level(level)
        return Route(self.device, seed=seed, objective=objective, passes=_PASSES[effort][level])

    def physical_passes(self, level: int, atol: float = 0.0) -> Pipeline[Circuit]:
        """What runs on physical qubits: native gates only at the end, symbolic ones included.

        Args:
            level: optimization level.
            atol: rotations up to this angle (radians) are dropped; 0 drops only those that are exactly 0.
        """
        check_level(level)
        if level == 0:
            first: tuple[Pass[Circuit], ...] = ()
            if self.limited:
                first = (DecomposeTwoQubit(entangler="cz", symbolic_only=True),)
            steps = (*first, DecomposeTwoQubit(entangler=self.entangler), *self._last)
            return Pipeline(steps, label="physical")
        first = (CancelInverses(), AbsorbSwaps()) if level >= 2 else ()
        if self.entangler != "cz":
            return native_passes(self.entangler, self._last, first, atol, self.limited)
        if level >= 2:
            first = (*first, ResynthesiseTwoQubit())
        tidy: tuple[Pass[Circuit], ...] = (DropNegligible(atol), MergeRotations(), CancelInverses())
        simplify = Pipeline(tidy, repeat=True, label="physical")
        return Pipeline((*first, DecomposeTwoQubit(), simplify, *self._last), label="physical")

    @property
    def _last(self) -> tuple[Pass[Circuit], ...]:
        steps: tuple[Pass[Circuit], ...] = (LimitAngles(),) if self.limited else ()
        steps += (Orient(self.device),) if self.device.one_way else ()
        return (*steps, self.single_qubit)

    @property
    def single_qubit(self) -> Pass[Circuit]:
        """The pass that makes single-qubit gates native."""
        return FuseSingleQubit() if self.basis == "phased_xz" else NativeSingleQubit(self.basis)

    def fuse_batch(self, circuit: Circuit, values: NDArray[np.float64]) -> FusedBatch:
        """Bind a batch of parameter values and fuse single-qubit runs; see `fuse_single_qubit.fuse_batch`.

        The rows stay `phased_xz` on every machine: the simulator reads them, and `member` gives the machine's
        own pulses. Only where the machine has no turns about Z are these moved away already.
        """
        fused = fuse_batch(circuit, values)
        return pulses_alone(fused) if self.basis == "prx" else fused

    def member(self, fused: FusedBatch, index: int) -> Circuit:
        """One circuit of a batch, in the machine's own pulses."""
        one = fused.member(index)
        return one if self.basis == "prx" else self.single_qubit.run(one)

    def typical(self, fused: FusedBatch) -> Circuit:
        """The structure of a batch with angles that are no special case, so that every pulse is counted, in
        the machine's own pulses.

        Raises:
            TargetError: it does not run on the machine.
        """
        single = NUM_QUBITS[fused.circuit.op] == 1
        angles = fused.angles[0].copy()
        angles[single] = [0.3, 0.0 if self.basis == "prx" else 0.3, 0.3]
        circuit = replace(fused.circuit, angles=angles)
        out = circuit if self.basis == "prx" else self.single_qubit.run(circuit)
        self.device.check(out)
        return out

    def to_cirq(self, circuit: Circuit) -> cirq.Circuit:
        """The Cirq circuit of a native one, as the machine's validator wants it, without global phase."""
        labels: Any = self.device.qubits
        one_way = frozenset((labels[a], labels[b]) for a, b in self.device.one_way)
        out = turned(to_cirq(circuit, global_phase=False), one_way, self.name)
        if self.basis in EQUATORIAL:
            out = as_phased_x(out)
        return out if self.arrange is None else self.arrange(out)

    def validate(self, circuit: cirq.AbstractCircuit) -> None:
        """Ask the Cirq device.

        Raises:
            TargetError: it refuses the circuit; its own words are kept.
        """
        try:
            self.cirq_device.validate_circuit(circuit)
        except ValueError as error:
            raise TargetError(f"{self.name} refuses the circuit: {error}") from error


def check_level(level: int) -> None:
    """Raise OptionError unless the level is one of LEVELS."""
    if level not in LEVELS:
        raise OptionError(f"optimization level {level!r} is unknown; 0, 1, 2 and 3 are known")
