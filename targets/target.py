"""Target: a machine's data, the passes that bring a circuit onto it, and Cirq's own judge of the result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cirq

from qattn_compiler.circuit.table import Circuit
from qattn_compiler.device import Device
from qattn_compiler.errors import OptionError, TargetError
from qattn_compiler.passes.circuit.absorb_swaps import AbsorbSwaps
from qattn_compiler.passes.circuit.cancel_inverses import CancelInverses
from qattn_compiler.passes.circuit.decompose import DecomposeTwoQubit
from qattn_compiler.passes.circuit.drop_negligible import DropNegligible
from qattn_compiler.passes.circuit.fuse_single_qubit import FuseSingleQubit
from qattn_compiler.passes.circuit.merge_rotations import MergeRotations
from qattn_compiler.passes.circuit.optimize import Optimize
from qattn_compiler.passes.circuit.resynthesise_two_qubit import ResynthesiseTwoQubit
from qattn_compiler.passes.circuit.route import Route
from qattn_compiler.pipeline import Pass, Pipeline

LEVELS = (0, 1, 2, 3)
_TRIALS = (1, 8, 40, 160)
"""Router starts by optimization level."""


@dataclass(frozen=True, eq=False)
class Target:
    """A machine to compile for.

    Attributes:
        device: plain data that passes read.
        cirq_device: Cirq's device; its `validate_circuit` judges every result.
        noisy_sampler: makes a `cirq.Sampler` of the noisy machine, or None where there is none.
    """

    device: Device
    cirq_device: cirq.Device
    noisy_sampler: Callable[[], Any] | None = None

    @property
    def name(self) -> str:
        """The name that users say."""
        return self.device.name

    def logical_passes(self, level: int) -> Pipeline[Circuit]:
        """What runs before qubits are placed.

        Raises:
            OptionError: the level is not 0, 1, 2 or 3.
        """
        check_level(level)
        if level == 0:
            return Pipeline((), label="logical")
        return Pipeline((MergeRotations(), CancelInverses()), repeat=True, label="logical")

    def optimizer(self, level: int, seed: int, atol: float, fidelity: float = 1.0) -> Optimize:
        """What runs before qubits are placed, where SWAPs may be done by relabelling."""
        check_level(level)
        return Optimize(level, atol, seed=seed, fidelity=fidelity)

    def route(self, level: int, seed: int, quick: bool = False) -> Route:
        """The placement and routing pass (`quick`: a short search, to compare circuits)."""
        check_level(level)
        return Route(self.device, seed=seed, trials=_TRIALS[1] if quick else _TRIALS[level])

    def physical_passes(self, level: int, atol: float = 0.0) -> Pipeline[Circuit]:
        """What runs on physical qubits: native gates only at the end, symbolic single-qubit runs aside.

        Args:
            level: optimization level.
            atol: rotations up to this angle (radians) are dropped; 0 drops only those that are exactly 0.
        """
        check_level(level)
        native: tuple[Pass[Circuit], ...] = (DecomposeTwoQubit(),)
        if level >= 2:
            native = (CancelInverses(), AbsorbSwaps(), ResynthesiseTwoQubit(), *native)
        if level >= 1:
            simplify: tuple[Pass[Circuit], ...] = (DropNegligible(atol), MergeRotations(), CancelInverses())
            native = (*native, Pipeline(simplify, repeat=True, label="physical"))
        return Pipeline((*native, FuseSingleQubit()), label="physical")

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
