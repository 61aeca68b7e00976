"""Comparison with stored rows: counts exactly, times as ratios to a peer in the same run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.compilers import BY_NAME
from benchmarks.runner import key_of, worth_again

STORED = Path(__file__).with_name("baseline.jsonl")
Row = dict[str, Any]
COUNTS = ("two_qubit", "two_qubit_depth", "depth", "pulses")
PEER = "qiskit-3"
SLOWER = 1.5
"""How many times the stored ratio to the peer a geometric mean of times may be."""
FEWEST = 5
"""Cases that a comparison of times needs: a single time says little."""


def check(now: list[Row], stored: list[Row]) -> int:
    """Print what got worse, and what got better.

    Returns:
        1 if something got worse or broke, 2 if there was nothing to compare, else 0.
    """
    was, found = by_key(stored), by_key(now)
    both = [key for key in found if key in was and BY_NAME[key[2]].is_ours]
    if not both:
        print("no case of ours is in both files")
        return 2
    worse, better = [], []
    for key in both:
        bad, good = compared(was[key], found[key])
        worse += [f"{' · '.join(key)}: {text}" for text in bad]
        better += [f"{' · '.join(key)}: {text}" for text in good]
    slower = times(was, found, both)
    for title, lines in (("better", better), ("worse", worse), ("slower", slower)):
        if lines:
            print(f"{title} ({len(lines)}):", *(f"  {line}" for line in lines), sep="\n")
    print(f"{len(both)} cases compared: {len(worse) + len(slower)} worse, {len(better)} better")
    return 1 if worse or slower else 0


def by_key(rows: list[Row]) -> dict[tuple[str, str, str], Row]:
    """Case -> its last row."""
    return {key_of(row): row for row in rows if row["kind"] == "case"}


def compared(was: Row, now: Row) -> tuple[list[str], list[str]]:
    """What got worse and what got better in a case. More of one count is no loss where two-qubit gates, the
    first of them, are fewer."""
    if was["status"] != "ok" or now["status"] != "ok":
        if was["status"] == now["status"] or worth_again(now, was["limit"]):
            return [], []
        said = f"{was['status']}, now {now['status']} {now.get('reason', '')}".strip()
        return ([said], []) if was["status"] == "ok" else ([], [said])
    changes = [(name, was[name], now[name]) for name in COUNTS if was[name] != now[name]]
    if not changes:
        return [], []
    fewer = now["two_qubit"] < was["two_qubit"]
    bad = [f"{name} {a} -> {b}" for name, a, b in changes if b > a and not fewer]
    good = [f"{name} {a} -> {b}" for name, a, b in changes if b < a]
    return bad, good


def times(
    was: dict[tuple[str, str, str], Row],
    now: dict[tuple[str, str, str], Row],
    keys: list[tuple[str, str, str]],
) -> list[str]:
    """Compilers of ours whose time beside the peer's grew."""
    from benchmarks.quality import geometric_mean

    growth: dict[str, list[float]] = {}
    for workload, target, name in keys:
        ratios = []
        for rows in (was, now):
            mine, peer = rows[workload, target, name], rows.get((workload, target, PEER))
            if peer is not None and mine["status"] == peer["status"] == "ok":
                ratios.append(mine["seconds"] / peer["seconds"])
        if len(ratios) == 2:
            growth.setdefault(name, []).append(ratios[1] / ratios[0])
    if not growth:
        print(f"times are not compared: {PEER} is not in both runs")
    out = []
    for name, ratios in growth.items():
        mean = geometric_mean(ratios)
        print(f"{name}: time over {PEER}'s, now over stored: {mean:.2f} ({len(ratios)} cases)")
        if len(ratios) >= FEWEST and mean > SLOWER:
            out.append(f"{name}: {mean:.2f} times as slow beside {PEER} as stored")
    return out
