"""What a circuit costs: named functions that say which of two circuits is better.

A cost is a tuple of numbers, compared from left to right; less is better.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from qattn_compiler.circuit.gates import NUM_QUBITS
from qattn_compiler.circuit.table import Circuit
from qattn_compiler.device import Device
from qattn_compiler.errors import OptionError
from qattn_compiler.report.metrics import execution
from qattn_compiler.synth.two_qubit_rules import CZ_COUNT

Cost = tuple[float, ...]


def entanglers(circuit: Circuit) -> int:
    """How many CZ the circuit takes, gate by gate; foreign operations count once if they entangle."""
    total = int(CZ_COUNT[circuit.op].sum())
    if not circuit.extras:
        return total
    return total + int((circuit.is_two_qubit & (NUM_QUBITS[circuit.op] == 0)).sum())


def entangler_depth(circuit: Circuit) -> int:
    """Layers of CZ that the circuit takes, each gate as many as it takes CZ."""
    from qattn_compiler.circuit.kernels import layers

    weight = np.where(NUM_QUBITS[circuit.op] == 0, circuit.is_two_qubit, CZ_COUNT[circuit.op])
    return int(layers(weight.astype(np.int64), circuit.wires, circuit.num_wires).max(initial=0))


def two_qubit(circuit: Circuit) -> Cost:
    """Entanglers, then their depth, then the number of rows."""
    return (entanglers(circuit), entangler_depth(circuit), len(circuit))


def depth(circuit: Circuit) -> Cost:
    """Depth of the entanglers, then their number, then the number of rows."""
    return (entangler_depth(circuit), entanglers(circuit), len(circuit))


def infidelity(device: Device) -> Callable[[Circuit], Cost]:
    """The cost of native circuits on a machine: 1 - estimated fidelity, then the same as `two_qubit`.

    Where the machine's error rates are unknown or the circuit is symbolic, the estimate is left out.
    """

    def price(circuit: Circuit) -> Cost:
        known = None if circuit.is_symbolic else execution(circuit, device).fidelity
        return (0.0 if known is None else 1.0 - known, *two_qubit(circuit))

    return price


def cost_function(name: str, device: Device) -> Callable[[Circuit], Cost]:
    """The cost of that name for a machine: one of COSTS, or "fidelity" (`infidelity`).

    Raises:
        OptionError: there is none.
    """
    if name == "fidelity":
        return infidelity(device)
    if name not in COSTS:
        known = ", ".join((*COSTS, "fidelity"))
        raise OptionError(f"there is no objective {name!r}", hint=f"there are {known}")
    return COSTS[name]


COSTS: Final[dict[str, Callable[[Circuit], Cost]]] = {"count": two_qubit, "depth": depth}
"""Cost functions by the name that options use."""
