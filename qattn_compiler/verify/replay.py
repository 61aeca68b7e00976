"""Replay a routed circuit against the circuit before: an independent check, in linear time, of any router.

It knows nothing of how the routing was found. It walks over the routed rows, keeps the permutation, and
takes each row either as one that its wires expect or, if it is a plain SWAP that no wire expects, as an
inserted one.

What a wire expects: its rows fall into runs that are diagonal in the same Pauli basis there (the commutation
table of the gates; a row with an `Extra` is a run of its own). Rows of a run commute, and a wire expects any
row of the first run that is not used up. Two rows that share wires and are in one run on each commute; if
they are in different runs on some wire, that wire keeps their order. So what is accepted means the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qattn_compiler.circuit.gates import AXIS_CODES, GATES, SWAP, SYMMETRIC
from qattn_compiler.circuit.params import Affine
from qattn_compiler.circuit.table import Circuit
from qattn_compiler.errors import VerificationError
from qattn_compiler.verify.windows import Walls

if TYPE_CHECKING:
    from qattn_compiler.verify.replay_kernels import Content

Ints = NDArray[np.int64]
_NEVER: Final = -2
"""Number of the side entry of a row that is equal to none."""


def check_routing(
    before: Circuit, routed: Circuit, initial: ArrayLike, final: ArrayLike, adjacency: NDArray[np.bool_]
) -> None:
    """Raise unless `routed` is `before` with qubits renamed, SWAPs inserted and rows reordered only where
    they share no wire (qubit or classical key) or commute.

    Args:
        before: the circuit on logical qubits.
        routed: the circuit on physical qubits.
        initial: shape (logical,): logical -> physical before the first row.
        final: shape (logical,): logical -> physical after the last row.
        adjacency: shape (physical, physical): which pairs a two-qubit row may use.

    Raises:
        VerificationError: names the first row that is wrong, and why.
    """
    from qattn_compiler.verify import replay_kernels as kernels

    start = _layout(initial, before, routed, "initial")
    wanted = _layout(final, before, routed, "final")
    if len(adjacency) != routed.num_qubits:
        raise VerificationError(
            f"{len(adjacency)} qubits in the graph, but {routed.num_qubits} in the routed circuit"
        )
    _check_phase(before, routed)
    _check_edges(routed, adjacency)
    size, places = before.num_qubits, routed.num_qubits
    keys = {key: size + k for k, key in enumerate(before.keys)}
    holder = np.full(routed.num_wires, -1, dtype=np.int64)
    holder[start] = np.arange(size)
    holder[places:] = [keys.get(key, -1) for key in routed.keys]
    axes = np.where((before.extra >= 0)[:, None], 0, AXIS_CODES[before.op])
    of, left, after, current = kernels.runs(before.wires, axes, before.num_wires)
    rows, others = _contents(before, routed)
    swaps = (routed.op == SWAP) & (routed.extra < 0)
    given = rows, of, left, after, current, others, routed.wires, swaps, holder
    wrong, waiting = kernels.replay(*given)
    if wrong >= 0:
        raise _unexpected(routed, wrong, holder)
    if waiting.any():
        row = int(np.argmax(waiting))
        raise VerificationError(
            f"{int(waiting.sum())} rows of the original are missing, the first is row {row} "
            f"({GATES[before.op[row]].name})"
        )
    off = np.flatnonzero(holder[wanted] != np.arange(size))
    if len(off):
        q = int(off[0])
        place = int(np.flatnonzero(holder[:places] == q)[0])
        raise VerificationError(f"qubit {q} ends on {place}, the final layout says {wanted[q]}")


def _layout(layout: ArrayLike, before: Circuit, routed: Circuit, which: str) -> Ints:
    places = np.asarray(layout, dtype=np.int64)
    if places.shape != (before.num_qubits,) or len(np.unique(places)) != len(places):
        raise VerificationError(
            f"the {which} layout must place each of {before.num_qubits} qubits once: {places.tolist()}"
        )
    if ((places < 0) | (places >= routed.num_qubits)).any():
        raise VerificationError(f"the {which} layout leaves the chip: {places.tolist()}")
    return places


def _check_phase(before: Circuit, routed: Circuit) -> None:
    if before.params != routed.params:
        raise VerificationError("the parameters have changed")
    one, two = (_phase_terms(circuit.affine) for circuit in (before, routed))
    if before.phase != routed.phase or one != two:
        raise VerificationError("the global phase has changed")


def _phase_terms(affine: Affine) -> list[tuple[int, float]]:
    """Parameters and coefficients of the global phase."""
    own = affine.slot < 0
    return list(zip(affine.param[own].tolist(), affine.coef[own].tolist(), strict=True))


def _check_edges(routed: Circuit, adjacency: NDArray[np.bool_]) -> None:
    rows = np.flatnonzero(routed.is_two_qubit)
    wires = routed.wires[rows]
    qubits = (wires >= 0) & (wires < routed.num_qubits)
    pairs = np.where(qubits[:, :2], wires[:, :2], 0)
    off = (qubits.sum(axis=1) != 2) | ~adjacency[pairs[:, 0], pairs[:, 1]]
    if not off.any():
        return
    first = int(np.argmax(off))
    labels = ", ".join(str(routed.qubits[q]) for q in wires[first][qubits[first]])
    row = int(rows[first])
    raise VerificationError(
        f"row {row} ({GATES[routed.op[row]].name}) acts on {labels}, which are not coupled"
    )


def _unexpected(routed: Circuit, row: int, holder: Ints) -> VerificationError:
    wires = routed.wires[row]
    logical = tuple(holder[wires[(wires >= 0) & (wires < routed.num_qubits)]].tolist())
    return VerificationError(
        f"row {row} of the routed circuit is {GATES[routed.op[row]].name} on logical qubits "
        f"{logical}; there the original has nothing that is equal and may come now"
    )


def _contents(before: Circuit, routed: Circuit) -> tuple[Content, Content]:
    """Both circuits as `replay_kernels.Content`."""
    terms, walls, out = _numbered_terms(before, routed), Walls(), []
    for circuit, own in zip((before, routed), terms, strict=True):
        extra = np.full(len(circuit), -1, dtype=np.int64)
        for row in np.flatnonzero(circuit.extra >= 0).tolist():
            one = circuit.extras[circuit.extra[row]]
            content = (bool(one.operands), one.reads, one.writes, one.tags, one.invert, one.payload)
            extra[row] = walls.number(content)
        if circuit is routed:
            extra[~_columns_agree(circuit)] = _NEVER
        angles = np.ascontiguousarray(circuit.angles).view(np.int64)
        out.append((circuit.op, angles, own, extra, SYMMETRIC[circuit.op]))
    return out[0], out[1]


def _columns_agree(circuit: Circuit) -> NDArray[np.bool_]:
    """Shape (rows,): whether the operand columns say the same as the side table."""
    wires = circuit.wires[:, :2]
    agree: NDArray[np.bool_] = (circuit.operands == np.where(wires < circuit.num_qubits, wires, -1)).all(
        axis=1
    )
    return agree


def _numbered_terms(before: Circuit, routed: Circuit) -> tuple[Ints, Ints]:
    """For each row a number for its symbolic terms (column, parameter, coefficient), 0 for none; equal ones
    for equal terms. Both circuits have the same parameters."""
    numbers = np.zeros(len(before) + len(routed), dtype=np.int64)
    one, two = before.affine, routed.affine
    slot = np.concatenate([one.slot, np.where(two.slot < 0, -1, two.slot + 3 * len(before))])
    row, column = np.divmod(slot[slot >= 0], 3)
    if len(row):
        param = np.concatenate([one.param, two.param])[slot >= 0]
        coef = np.concatenate([one.coef, two.coef])[slot >= 0]
        _, value = np.unique(coef.view(np.int64), return_inverse=True)
        word = (3 * param.astype(np.int64) + column) * (1 + value.max()) + value
        _, word = np.unique(word, return_inverse=True)
        starts = np.flatnonzero(np.r_[True, row[1:] != row[:-1]])
        place = np.arange(len(row)) - np.repeat(starts, np.diff(np.r_[starts, len(row)]))
        words = used = 1 + int(word.max())
        for k in range(1 + int(place.max())):  # the number of a row's first terms and the next one
            here = place == k
            _, number = np.unique(numbers[row[here]] * words + word[here], return_inverse=True)
            numbers[row[here]] = used + number
            used += len(number)
    return numbers[: len(before)], numbers[len(before) :]
