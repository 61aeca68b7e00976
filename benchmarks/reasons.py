"""Why a peer beats us, as far as known, by family, machine and peer; where nothing is known, it says so."""

from __future__ import annotations

from typing import Any

BRIDGES = (
    "pytket routes by BRIDGEs (a CX over a qubit in between as four CX), too, whose halves cancel between "
    "neighbours of a Gray code (`prep-k7`, line: 29 BRIDGEs, 21 SWAPs); our router has SWAPs alone"
)
FOUR_QUBITS = (
    "BQSKit searches a whole circuit of four qubits numerically, for tens of seconds; our search stops at "
    "blocks of three"
)
KNOWN: tuple[tuple[str, str, str, str], ...] = (
    ("", "all-to-all", "bqskit", FOUR_QUBITS),
    ("state preparation", "", "pytket", BRIDGES),
    ("weighted sum", "", "pytket", BRIDGES),
)
"""(family, machine, peer, reason); empty strings match all; the first match counts."""


def reason(row: dict[str, Any], peer: str) -> str:
    """Of our row that lost to a peer."""
    for family, target, who, why in KNOWN:
        if family in ("", row["family"]) and target in ("", row["target"]) and who in ("", peer):
            return why
    return "not known"
