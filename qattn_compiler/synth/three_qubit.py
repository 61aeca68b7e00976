"""Three-qubit circuits with few CZ, by numerical instantiation.

Every three-qubit unitary has a circuit of 14 CZ on alternating pairs: as many as counting parameters asks for
(4 k + 9 >= 63; Shende, Markov, Bullock, arXiv:quant-ph/0308033, section 3), and the fit finds it from nearly
every start. Structured unitaries have far shorter ones. `shrink` looks for them: it leaves out one CZ after
the other and refits (gate deletion, as BQSKit's scanning gate removal), and where that ends it tries all
skeletons (sequences of pairs) with one CZ less, or a sample of them, from random starts. What it finds is
exact to rounding; what it does not find may exist.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, product
from typing import Final

import numpy as np

from qattn_compiler.circuit import su2
from qattn_compiler.synth.instantiate import Ansatz, Ints, Matrix, Target, random_gates

PAIRS: Final = ((0, 1), (0, 2), (1, 2))
GENERIC: Final = 14
"""CZ that suffice for every three-qubit unitary, and that nearly every one needs."""
LONGEST: Final = 16
"""CZ that `synthesise_three` goes up to should 14 fail; they never have."""
GENERIC_STARTS: Final = 64
"""Random starts for a generic unitary; most need one, products of smaller ones up to eleven."""
STARTS: Final = 8
"""Random starts for one skeleton at most."""
RANK: Final = 1e-7
"""Singular values up to here are zeros of an operator's Schmidt decomposition."""


def synthesise_three(unitary: Matrix, tries: int = 400, seed: int = 0) -> Ansatz:
    """A circuit for a three-qubit unitary, up to global phase, with at most 14 CZ.

    Args:
        unitary: shape (8, 8).
        tries: fits that the search for a shorter one may take at each length; with 0 it only leaves out what
            it can.
        seed: of the random starts.

    Raises:
        ArithmeticError: no fit came to an end, which happens only if the matrix is not unitary.
    """
    target = Target.of(unitary)
    return _descend(target, _generic(target, seed), least_degrees(unitary), tries, seed)


def shrink(start: Ansatz, tries: int, seed: int = 0) -> Ansatz:
    """The same unitary, up to global phase, with as few CZ as the search finds.

    Args:
        start: a circuit on three or four qubits.
        tries: fits from random starts at each length.
        seed: of the random starts.

    Returns:
        a shorter circuit, or `start` itself.
    """
    unitary = start.unitary()
    target = Target.of(unitary)
    first = start
    if len(start) > GENERIC and start.num_qubits == 3:
        generic = _generic(target, seed)
        first = generic if len(generic) < len(start) else start
    return _descend(target, first, least_degrees(unitary), tries, seed)


def _generic(target: Target, seed: int) -> Ansatz:
    """The target over alternating pairs, in 14 CZ or a few more."""
    for length in range(GENERIC, LONGEST + 1):
        pairs = np.array([PAIRS[i % 3] for i in range(length)])
        for number in range(GENERIC_STARTS):
            found, _ = target.fit(Ansatz(pairs, random_gates(3 + 2 * length, number, seed)), 400)
            if found is not None:
                return found
    raise ArithmeticError("the three-qubit unitary could not be fitted; is it unitary?")


def _descend(target: Target, best: Ansatz, least: Ints, tries: int, seed: int) -> Ansatz:
    found: Ansatz | None = best
    while found is not None:
        best = _without(target, found)
        found = _search(target, best, 1, least, tries, seed)
        if found is None:  # of two CZ that undo each other none can be spared alone
            found = _search(target, best, 2, least, tries // 4, seed)
    return best


def alternative(start: Ansatz, tries: int, seed: int) -> Ansatz:
    """Another circuit with as many CZ for the same unitary, from a random start; `start` if none is found."""
    unitary = start.unitary()
    found = _search(Target.of(unitary), start, 0, least_degrees(unitary), tries, seed)
    return start if found is None else found


def least_degrees(unitary: Matrix) -> Ints:
    """How many CZ each qubit takes part in at least, shape (n,), for a unitary of shape (2**n, 2**n).

    The operator's Schmidt rank between a qubit and the others at most doubles with each CZ (Nielsen et al.,
    arXiv:quant-ph/0208077): 1, 2, 3 or 4 take 0, 1, 2 or 2.
    """
    n = len(unitary).bit_length() - 1
    tensor = unitary.reshape((2,) * 2 * n)
    out = []
    for qubit in range(n):
        cut = np.moveaxis(tensor, (qubit, qubit + n), (0, 1)).reshape(4, -1)
        rank = int((np.linalg.svd(cut, compute_uv=False) > RANK).sum())
        out.append((rank - 1).bit_length())
    return np.array(out)


def _without(target: Target, best: Ansatz) -> Ansatz:
    """Leave out CZ, one at a time, as long as the gates left can make up for it."""
    i = 0
    while i < len(best):
        found, _ = target.fit(_left_out(best, i))
        if found is None:
            i += 1
        else:
            best, i = found, 0
    return best


def _left_out(ansatz: Ansatz, i: int) -> Ansatz:
    """Without CZ number i; its gates are multiplied onto those before them."""
    pairs, gates, n = ansatz.pairs, ansatz.gates.copy(), ansatz.num_qubits
    for side in range(2):
        qubit = pairs[i, side]
        before = [n + 2 * j + int(pairs[j, 1] == qubit) for j in range(i) if qubit in pairs[j]]
        g = before[-1] if before else qubit
        gates[g] = su2.multiply(gates[n + 2 * i + side], gates[g])
    return Ansatz(np.delete(pairs, i, axis=0), np.delete(gates, [n + 2 * i, n + 2 * i + 1], axis=0))


def _search(target: Target, best: Ansatz, fewer: int, least: Ints, tries: int, seed: int) -> Ansatz | None:
    """Any circuit of so many CZ fewer, from random starts."""
    if 2 * (len(best) - fewer) < least.sum():
        return None
    for number, pairs in enumerate(_skeletons(best, fewer, least, tries, seed)):
        start = random_gates(best.num_qubits + 2 * len(pairs), number, seed)
        found, _ = target.fit(Ansatz(pairs, start))
        if found is not None:
            return found
    return None


def _skeletons(best: Ansatz, fewer: int, least: Ints, tries: int, seed: int) -> Iterator[Ints]:
    """Shorter sequences of pairs to try: all of them, several times over, or a sample if they are too many.

    The sample has random sequences (on three qubits only: on more, few are any good) and variations of the
    best one in turn.
    """
    n, length = best.num_qubits, len(best) - fewer
    pairs = np.array(list(combinations(range(n), 2)))
    rng = np.random.default_rng(seed)
    if len(pairs) ** length <= 2 * tries:
        every = [np.array(p, dtype=np.int64).reshape(-1, 2) for p in product(pairs, repeat=length)]
        fit = [p for p in every if _may_do(p, least)]
        order = rng.permutation(len(fit))
        for number in range(min(tries, STARTS * len(fit))):
            yield fit[order[number % len(fit)]]
        return
    for number in range(tries):
        if n == 3 and number % 2 == 0:
            skeleton = pairs[rng.integers(len(pairs), size=length)]
        else:
            left = np.sort(rng.permutation(len(best))[:length])
            skeleton = _varied(best.pairs[left], pairs, rng)
        if _may_do(skeleton, least):
            yield skeleton


def _varied(skeleton: Ints, pairs: Ints, rng: np.random.Generator) -> Ints:
    """Up to three changes: another pair, a pair elsewhere, two neighbours exchanged."""
    out = list(skeleton)
    for _ in range(rng.integers(4)):
        kind, i, j = rng.integers(3), rng.integers(len(out)), rng.integers(len(out))
        if kind == 0:
            out[i] = pairs[rng.integers(len(pairs))]
        elif kind == 1:
            out.insert(j, out.pop(i))
        elif i:
            out[i - 1], out[i] = out[i], out[i - 1]
    return np.array(out)


def _may_do(skeleton: Ints, least: Ints) -> bool:
    """Whether each qubit has the CZ that it needs, and no pair more than three in a row (three are any)."""
    same = (skeleton[1:] == skeleton[:-1]).all(axis=1)
    run = same[:-2] & same[1:-1] & same[2:] if len(same) > 2 else same[:0]
    return bool((np.bincount(skeleton.ravel(), minlength=len(least)) >= least).all() and not run.any())
