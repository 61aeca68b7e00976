"""What a circuit may hold at each stage, as a table, and the checks that every circuit passes at all stages.

The last stage, "what this machine runs", is `Device.check`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NoReturn

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.circuit.gates import GATES, MEASURE, NUM_ANGLES, NUM_QUBITS, OPAQUE, RESET
from qattn_compiler.circuit.params import GLOBAL_PHASE
from qattn_compiler.circuit.table import Circuit, Extra
from qattn_compiler.errors import CircuitError


def check(circuit: Circuit, stage: str = "logical") -> None:
    """Raise unless the circuit is well formed and holds only what the stage allows.

    Args:
        circuit: any circuit.
        stage: a name of `STAGES`.

    Raises:
        CircuitError: names the row and the gate, or the column; or there is no such stage.
    """
    if stage not in STAGES:
        raise CircuitError(f"there is no stage {stage!r}; the stages are {', '.join(STAGES)}")
    for rule in (*_STRUCTURE, *STAGES[stage]):
        rule(circuit)


def _fail(circuit: Circuit, row: int, message: str) -> NoReturn:
    code = int(circuit.op[row])
    name = GATES[code].name if code < len(GATES) else f"gate code {code}"
    raise CircuitError(f"row {row} ({name}) {message}")


def _extras(circuit: Circuit) -> Iterator[tuple[int, Extra]]:
    for row in np.flatnonzero(circuit.extra >= 0).tolist():
        yield row, circuit.extras[circuit.extra[row]]


# -- structure -----------------------------------------------------------------------------------------------


def _columns(circuit: Circuit) -> None:
    rows = len(circuit.op)
    shapes = {"op": (rows,), "operands": (rows, 2), "angles": (rows, 3), "extra": (rows,)}
    for name, shape in shapes.items():
        column: NDArray[np.generic] = getattr(circuit, name)
        if column.shape != shape:
            raise CircuitError(f"column {name} has shape {column.shape}, expected {shape}")
        if column.flags.writeable:
            raise CircuitError(f"column {name} can be written to")
    for row in np.flatnonzero(circuit.op >= len(GATES))[:1]:
        _fail(circuit, int(row), "is not in the gate table")
    for row in np.flatnonzero((circuit.extra < -1) | (circuit.extra >= len(circuit.extras)))[:1]:
        _fail(circuit, int(row), f"has extra {circuit.extra[row]} of {len(circuit.extras)}")


def _operands(circuit: Circuit) -> None:
    width, operands = NUM_QUBITS[circuit.op], circuit.operands
    inside = (operands >= 0) & (operands < circuit.num_qubits)
    used = np.arange(2) < width[:, None]
    bad = (used & ~inside).any(axis=1) | ((width == 2) & (operands[:, 0] == operands[:, 1]))
    bad |= (width == 1) & (operands[:, 1] != -1)
    for row in np.flatnonzero(bad)[:1]:
        _fail(circuit, int(row), f"acts on {operands[row].tolist()}; there are {circuit.num_qubits} qubits")


def _angles(circuit: Circuit) -> None:
    unused = np.arange(3) >= NUM_ANGLES[circuit.op][:, None]
    bad = ~np.isfinite(circuit.angles) | (unused & (circuit.angles != 0))
    for row in np.flatnonzero(bad.any(axis=1))[:1]:
        _fail(circuit, int(row), f"has angles {circuit.angles[row].tolist()}")
    if not np.isfinite(circuit.phase):
        raise CircuitError(f"the global phase is {circuit.phase}")


def _affine(circuit: Circuit) -> None:
    slot, param, coef = circuit.affine.slot, circuit.affine.param.astype(np.int64), circuit.affine.coef
    if not len(slot) == len(param) == len(coef):
        raise CircuitError("the columns of the symbolic angles differ in length")
    if not len(slot):
        return
    if (np.diff(slot) < 0).any() or ((np.diff(slot) == 0) & (np.diff(param) <= 0)).any():
        raise CircuitError("symbolic angles are not sorted by slot and parameter, each pair once")
    if param.min() < 0 or param.max() >= len(circuit.params):
        raise CircuitError(f"a symbolic angle names a parameter out of the {len(circuit.params)} that exist")
    if not np.isfinite(coef).all() or (coef == 0).any():
        raise CircuitError("a symbolic angle has a coefficient that is zero or not finite")
    if slot.min() < GLOBAL_PHASE or slot.max() >= 3 * len(circuit):
        raise CircuitError("a symbolic angle belongs to no row")
    row, column = np.divmod(slot[slot >= 0], 3)
    for wrong in row[column >= NUM_ANGLES[circuit.op[row]]][:1]:
        _fail(circuit, int(wrong), "has a symbol in an angle that the gate has not")


def _names(circuit: Circuit) -> None:
    if len(set(circuit.qubits)) != circuit.num_qubits:
        raise CircuitError("two qubits have the same label")
    if len({p.name for p in circuit.params}) != len(circuit.params):
        raise CircuitError("two parameters have the same name")


def _side_table(circuit: Circuit) -> None:
    for row in np.flatnonzero((NUM_QUBITS[circuit.op] == 0) & (circuit.extra < 0))[:1]:
        _fail(circuit, int(row), "has no extra that says what it acts on")
    for row, extra in _extras(circuit):
        columns = tuple(q for q in circuit.operands[row].tolist() if q >= 0)
        if NUM_QUBITS[circuit.op[row]]:
            if extra.operands not in ((), columns):
                _fail(circuit, row, f"acts on {columns}, but its extra says {extra.operands}")
            continue
        if len(set(extra.operands)) != len(extra.operands) or columns != extra.operands[:2]:
            _fail(circuit, row, f"acts on {columns}, but its extra says {extra.operands}")
        if any(not 0 <= q < circuit.num_qubits for q in extra.operands):
            _fail(circuit, row, f"acts on {extra.operands}; there are {circuit.num_qubits} qubits")
        _structural(circuit, row, extra)


def _structural(circuit: Circuit, row: int, extra: Extra) -> None:
    if circuit.op[row] == MEASURE:
        if len(extra.writes) != 1 or extra.reads or extra.payload is not None:
            _fail(circuit, row, "must write exactly one key and read none")
        if len(extra.invert) > len(extra.operands):
            _fail(circuit, row, f"inverts {len(extra.invert)} bits of {len(extra.operands)}")
    elif circuit.op[row] == RESET and (len(extra.operands) != 1 or extra.writes or extra.reads):
        _fail(circuit, row, "must act on one qubit and no key")


_STRUCTURE: Final = (_columns, _operands, _angles, _affine, _names, _side_table)


# -- stages --------------------------------------------------------------------------------------------------


def _no_wide(circuit: Circuit) -> None:
    for row, extra in _extras(circuit):
        if circuit.op[row] == OPAQUE and len(extra.operands) > 2 and not extra.writes:
            _fail(circuit, row, f"acts on {len(extra.operands)} qubits: {extra.payload}")


STAGES: Final[dict[str, tuple[Callable[[Circuit], None], ...]]] = {
    "logical": (),
    "two-qubit": (_no_wide,),
}
"""Stage -> what holds there beyond well-formedness: "logical" takes anything, "two-qubit" no gate on more
than two qubits (a foreign operation that writes no key counts as a gate)."""
