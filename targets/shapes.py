"""Machines that are a shape: `line:N ring:N grid:RxC star:N full:N heavyhex:D`, with `?gate=` for the
entangler, and machines from any graph."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import combinations
from math import pi
from typing import Any

import cirq
import numpy as np

from qattn_compiler.device import Device
from qattn_compiler.errors import TargetError
from qattn_compiler.interop.cirq_graph import is_directed, nodes_and_pairs, one_way, qubit_of
from qattn_compiler.passes.circuit.native_single_qubit import BASES
from qattn_compiler.synth.entanglers import ENTANGLERS
from qattn_compiler.targets.machine import MachineDevice
from qattn_compiler.targets.target import Target

MAX_QUBITS = 4096
Pairs = list[tuple[int, int]]


def make(shape: str, size: str, entangler: str, name: str) -> Target:
    """The machine of a shape.

    Args:
        shape: of `SHAPES`.
        size: what stands after the colon.
        entangler: a name of `synth.entanglers.ENTANGLERS`.
        name: what the user said, which becomes the machine's name.

    Raises:
        TargetError: the size is none of this shape.
    """
    qubits, pairs = graph(shape, size, name)
    return from_pairs(qubits, pairs, name=name, entangler=entangler)


def graph(shape: str, size: str, name: str) -> tuple[list[cirq.Qid], Pairs]:
    """Qubits of a shape, and pairs of their indices.

    Raises:
        TargetError: the size is none of this shape.
    """
    numbers = _numbers(shape, size, name)
    if shape == "grid":
        rows, columns = numbers
        right = [(i, i + 1) for i in range(rows * columns) if (i + 1) % columns]
        below = [(i, i + columns) for i in range((rows - 1) * columns)]
        return [*cirq.GridQubit.rect(rows, columns)], right + below
    count, pairs = _ONE_SIZE[shape](numbers[0])
    return [*cirq.LineQubit.range(count)], pairs


def _numbers(shape: str, size: str, name: str) -> list[int]:
    wanted = "ROWSxCOLUMNS, such as grid:4x5" if shape == "grid" else f"a whole number, such as {shape}:5"
    pattern = r"\d{1,6}x\d{1,6}" if shape == "grid" else r"\d{1,6}"
    if not re.fullmatch(pattern, size):
        raise TargetError(f"{name!r}: after {shape}: comes {wanted}")
    numbers = [int(part) for part in size.split("x")]
    least = {"ring": 3, "star": 2}.get(shape, 1)
    if min(numbers) < least:
        raise TargetError(f"{name!r}: the least size of {shape} is {least}")
    if shape == "heavyhex" and numbers[0] % 2 == 0:
        raise TargetError(f"{name!r}: the distance of heavyhex is an odd number, such as heavyhex:5")
    total = (5 * numbers[0] ** 2) // 2 if shape == "heavyhex" else int(np.prod(numbers))
    if total > MAX_QUBITS:
        raise TargetError(f"{name!r} has {total} qubits; at most {MAX_QUBITS} were expected")
    return numbers


def _line(n: int) -> tuple[int, Pairs]:
    return n, [(i, i + 1) for i in range(n - 1)]


def _ring(n: int) -> tuple[int, Pairs]:
    return n, [(i, i + 1) for i in range(n - 1)] + [(0, n - 1)]


def _star(n: int) -> tuple[int, Pairs]:
    return n, [(0, i) for i in range(1, n)]


def _full(n: int) -> tuple[int, Pairs]:
    return n, list(combinations(range(n), 2))


def _heavy_hex(distance: int) -> tuple[int, Pairs]:
    """The heavy-hexagon code of that distance, (5 d^2 - 2 d - 1) / 2 qubits (Chamberland et al., PRX 10,
    011022 (2020))."""
    import rustworkx as rx

    graph = rx.generators.heavy_hex_graph(distance)
    return graph.num_nodes(), [(int(a), int(b)) for a, b in graph.edge_list()]


_ONE_SIZE: dict[str, Callable[[int], tuple[int, Pairs]]] = {
    "line": _line,
    "ring": _ring,
    "star": _star,
    "full": _full,
    "heavyhex": _heavy_hex,
}
"""Shape -> number of qubits and couplings for a size."""
SHAPES = (*_ONE_SIZE, "grid")


def heavy_hex_rows(rows: int, columns: int, first: int, ends: int = 0, trailing: bool = False) -> Pairs:
    """The heavy hexagons of IBM's chips, numbered row by row as IBM numbers them.

    Rows of qubits in a line, and between two rows one qubit in every fourth column.

    Args:
        rows, columns: of the lines.
        first: first column with a qubit below it in even rows; in odd rows it is two columns further (modulo
            four).
        ends: how many qubits the first row lacks at its end, and the last at its beginning.
        trailing: whether there is one more row of single qubits below the last line.

    Raises:
        TargetError: these are no such numbers, or it would be too large.
    """
    given = (rows, columns, first, ends)
    if not all(type(n) is int and 0 <= n <= MAX_QUBITS for n in given) or rows * columns > MAX_QUBITS:
        raise TargetError(
            f"heavy hexagons of {given}: whole numbers for at most {MAX_QUBITS} qubits were expected"
        )
    if (rows and ends >= columns) or (rows == 1 and ends):
        raise TargetError(f"heavy hexagons of {columns} columns cannot lack {ends} qubits at an end")
    number: dict[tuple[int, int], int] = {}
    pairs: Pairs = []
    count = 0
    above: list[tuple[int, int]] = []
    for row in range(rows):
        low, high = (ends if row == rows - 1 else 0), columns - (ends if row == 0 else 0)
        for column in range(low, high):
            number[row, column] = count
            if column > low:
                pairs.append((count - 1, count))
            count += 1
        pairs += [(qubit, number[row, column]) for column, qubit in above if (row, column) in number]
        begin = first if row % 2 == 0 else (first + 2) % 4
        above = []
        if row < rows - 1 or trailing:
            for column in range(begin, columns, 4):
                if (row, column) in number:
                    above.append((column, count))
                    pairs.append((number[row, column], count))
                    count += 1
    return pairs


# -- any graph


def from_pairs(
    qubits: Sequence[cirq.Qid],
    pairs: Iterable[Sequence[int]],
    *,
    name: str,
    directed: bool = False,
    entangler: str = "cz",
    basis: str = "phased_xz",
    resets: bool = True,
    controls: bool = True,
    highest: float | None = None,
    **known: Any,
) -> Target:
    """A machine of these qubits, coupled as `pairs` of their indices say.

    Args:
        qubits: in the order of the machine.
        pairs: of indices, in any order; a pair may be given both ways round.
        name: what it is called.
        directed: whether two-qubit gates go the way that a pair says, and no other.
        entangler: a name of `synth.entanglers.ENTANGLERS`.
        basis: a name of `passes.circuit.native_single_qubit.BASES`.
        resets, controls: whether the machine resets qubits, and has operations that depend on measurements.
        highest: the largest angle of the entangler, if it has not all; RZZ up to pi / 2 is what we can do.
        known: more fields of `Device`.

    Raises:
        TargetError: no such entangler or basis, a qubit twice, or a pair that is none.
    """
    check_gates(name, entangler, basis)
    if len(set(qubits)) != len(qubits):
        raise TargetError(f"{name}: a qubit is there twice")
    given = [(int(a), int(b)) for a, b in pairs]
    edges = np.array(sorted({(min(p), max(p)) for p in given}), dtype=np.int32).reshape(-1, 2)
    known |= {"one_way": one_way(given)} if directed else {}
    native, fixed = native_gates(entangler, basis)
    most = {} if highest is None else {ENTANGLERS[entangler].gate: highest}
    if highest is not None and (entangler != "rzz" or abs(highest - pi / 2) > 1e-6):
        raise TargetError(f"{name}: angles up to {highest} of {entangler!r}; we can do up to pi / 2 of 'rzz'")
    labels = tuple(qubits)
    device = Device(name=name, qubits=labels, edges=edges, native=native, fixed=fixed, highest=most, **known)
    judge = MachineDevice.of(device, (entangler,), basis, resets=resets, controls=controls, highest=most)
    return Target(device, judge, entangler=entangler, basis=basis)


def check_gates(name: str, entangler: str, basis: str) -> None:
    """Raise TargetError unless there are such an entangler and such a basis."""
    if entangler not in ENTANGLERS:
        raise TargetError(f"{name}: there is no gate {entangler!r}; there are {', '.join(ENTANGLERS)}")
    if basis not in BASES:
        raise TargetError(f"{name}: there is no basis {basis!r}; there are {', '.join(BASES)}")


def native_gates(entangler: str, basis: str) -> tuple[frozenset[str], dict[str, tuple[float | None, ...]]]:
    """What `Device.native` and `Device.fixed` are for these."""
    native = ENTANGLERS[entangler]
    names = BASES[basis] if basis != "phased_xz" else BASES[basis] | _FIXED_GATES
    fixed: dict[str, tuple[float | None, ...]] = {native.gate: native.angles} if native.angles else {}
    if basis in ("prx", "prx_rz"):
        fixed["phased_xz"] = (None, 0.0, None)
    return names | {native.gate}, fixed


_FIXED_GATES = frozenset({"x", "y", "z", "h", "s", "sdg", "t", "tdg", "sx", "sxdg"})


def from_graph(
    graph: Any, *, name: str = "graph", entangler: str = "cz", basis: str = "phased_xz", **known: Any
) -> Target:
    """A machine from a coupling graph.

    Args:
        graph: a `networkx` graph, directed or not; an edge list; or a dict from qubit to its neighbours.
            Nodes are Cirq qubits, or whole numbers, which become `cirq.LineQubit`s, or pairs of them
            (`cirq.GridQubit`s), or strings (`cirq.NamedQubit`s).
        name: what it is called.
        entangler: a name of `synth.entanglers.ENTANGLERS`.
        basis: a name of `passes.circuit.native_single_qubit.BASES`.
        known: more fields of `Device`: error rates, durations.

    Raises:
        TargetError: it is no such graph, or has no qubits.
    """
    nodes, pairs = nodes_and_pairs(graph, name)
    label = {node: qubit_of(node, name) for node in nodes}
    qubits = sorted(label.values())
    index = {q: i for i, q in enumerate(qubits)}
    numbers = [(index[label[a]], index[label[b]]) for a, b in pairs]
    directed = is_directed(graph)
    options: dict[str, Any] = {"entangler": entangler, "basis": basis, "directed": directed}
    return from_pairs(qubits, numbers, name=name, **options, **known)
