"""Knobs: what the search for a route can be told."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.device import Device
from qattn_compiler.errors import OptionError

PRICES: Final = {
    "count": (1e-6, 1.0, 1e-4, 1e-5),
    "depth": (1e-6, 1e-3, 1.0, 1e-5),
    "fidelity": (1e-6, 1e-4, 1e-6, 1.0),
}
"""Objective -> weights of (swaps, native gates, depth, minus log fidelity)."""


def knob_sets(
    device: Device, lookahead: int, decay: float, free: bool = False, large: bool = False
) -> NDArray[np.float64]:
    """Shape (sets, NUM_KNOBS): the settings that trials take in turn; no single one is best for all circuits.

    A block of two qubits is three rows, so that dense random circuits want to look far ahead.

    Args:
        free: whether gates commute. Every other set is then for an order in which many of them may be next;
            near ones count most there.
        large: whether so many commute that the nearest alone matter.
    """
    distance = device.distance
    reach = distance[distance < max(device.num_qubits, 1)]
    patience = 4.0 * float(reach.max() if len(reach) else 1) + 10.0
    ordered = [
        [lookahead, 0.5, 0, decay, 1.0, patience, 0.9, 1.0],
        [max(2, lookahead // 2), 0.5, 1, decay, 1.0, patience, 1.0, 1.0],
        [2 * lookahead, 1.0, 1, decay, 0.6, patience, 0.9, 1.0],
        [5 * lookahead, 0.5, 0, decay, 1.0, patience, 0.97, 1.0],
        [10 * lookahead, 1.0, 0, decay, 1.0, patience, 0.97, 1.0],
    ]
    loose = [
        [2 * lookahead, 0.25, 0, 0.0, 0.2, patience, 0.9, -1.0]
        if large
        else [lookahead, 0.5, 0, 0.0, 0.3, patience, 0.9, -0.5],
        [lookahead, 0.5, 0, 0.0, 0.0, patience, 0.97, -1.5],
        [lookahead, 0.5, 0, decay, 1.0, patience, 0.9, 0.0],
        [lookahead, 0.5, 1, decay, 1.0, patience, 0.8, 0.4],
    ]
    if not free:
        return np.array(ordered)
    return np.array([sets for pair in zip(loose, ordered, strict=False) for sets in pair])


def check_options(passes: float, lookahead: int, decay: float, objective: str) -> None:
    """Refuse options that mean nothing.

    Raises:
        OptionError: what is wrong, and what was expected.
    """
    if objective not in PRICES:
        raise OptionError(f"objective {objective!r}; expected one of {', '.join(PRICES)}")
    if not 0 < passes < float("inf") or lookahead < 0 or not 0 <= decay < 1:
        raise OptionError(
            f"passes={passes} lookahead={lookahead} decay={decay}: a finite number above 0, "
            "0 or more, and [0, 1) were expected"
        )
