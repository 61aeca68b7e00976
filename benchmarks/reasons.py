"""Why a peer beats us, as far as known, by family, machine and peer; where nothing is known, it says so."""

from __future__ import annotations

from typing import Any

DENSE = (
    "dense circuits on sparse machines reward a longer search: with twice the starts and the polish, in "
    "twice the time, level 3 took 4875 on Eagle and 6963 on the ring"
)
LUCK = "one seed of ours beside the best of five (their median is 1569)"
FOUR_QUBITS = (
    "BQSKit searches a whole circuit of four qubits numerically, for tens of seconds; our search stops at "
    "blocks of three"
)
KNOWN: tuple[tuple[str, str, str, str], ...] = (
    ("", "all-to-all", "bqskit", FOUR_QUBITS),
    ("quantum volume", "", "qiskit-3", DENSE),
    ("Heisenberg", "eagle", "qiskit-3", LUCK),
)
"""(family, machine, peer, reason); empty strings match all; the first match counts."""


def reason(row: dict[str, Any], peer: str) -> str:
    """Of our row that lost to a peer."""
    for family, target, who, why in KNOWN:
        if family in ("", row["family"]) and target in ("", row["target"]) and who in ("", peer):
            return why
    return "not known"
