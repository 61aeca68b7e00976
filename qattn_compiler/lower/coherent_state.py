"""Encoding `coherent-state`: the whole output as one state, by preparing, selecting and unpreparing. Exact.

Let b_ij = w_ij ||v_j||, n_i = ||b_i||_1 and alpha^2 = sum_i n_i^2. The circuit prepares
sum_ij n_i / alpha sqrt(|b_ij| / n_i) |i>|j> on row and address, selects v_j / ||v_j|| onto the data register,
and takes the address back to |0> by the inverse of the preparation of sum_j sign(b_ij) sqrt(|b_ij| / n_i) |j>
for each row. Where the address is 0 then stands, with probability ||Y||_F^2 / alpha^2,

    sum_ic y_ic / alpha |i>|c>.

A branch qubit in (|0> + |1>) / sqrt 2 carries a reference beside it, on which the same gates give equal
amplitudes of all R d outputs, so that their signs can be read: with X of the branch, counted where row is i,
data c and address 0, <X> = y_ic / (alpha sqrt(R d)). Whoever wants the state alone takes branch 0.

Two-qubit gates before routing, for 2^r rows of 2^k terms with 2^m components: 2^(1 + r + k) - (2 + r + k) to
prepare, 2^(1 + k) (2^m - 1) - m to select, 2^r (2^k - 1) - k to unprepare. The multiplexors leave out their
last CZ: those of the selection only change signs of the reference, which is prepared with them; those that
unprepare do nothing where the address is 0.
"""

from __future__ import annotations

import numpy as np

from qattn_compiler.blocks.block import Block, Measure, Multiplexor, PrepareState
from qattn_compiler.blocks.orthogonal import Hadamards
from qattn_compiler.blocks.program import Program, Register
from qattn_compiler.errors import LoweringError
from qattn_compiler.lower.amplitude import shares
from qattn_compiler.lower.batch import Batch, Floats, Observable, Terms
from qattn_compiler.lower.layers import Layer, layers

MAX_QUBITS = 14
"""Beyond, a circuit has tens of thousands of gates."""


def encode(terms: Terms, *, full: bool = False) -> list[Batch]:
    """One batch of one circuit for each set of outputs that share weights or values.

    Args:
        terms: the weighted sums.
        full: keep everything, so that the structure does not depend on the numbers.

    Raises:
        LoweringError: a circuit would have more than MAX_QUBITS qubits, or a scale overflows.
    """
    return [_encode(layer, terms.offset) for layer in layers(terms, full=full)]


def program(row: int, address: int, data: int) -> Program:
    """The structure for 2^row rows of 2^address terms with 2^data components."""
    addresses = [f"address{k}" for k in range(address)]
    places = [f"data{k}" for k in range(data)]
    joined: list[tuple[str, tuple[str, ...]]] = [
        ("start", ("branch", "row", *addresses)),
        ("readout", ("branch", "row", *addresses, *places)),
    ]
    blocks: list[Block] = [PrepareState("start", "prepare")]
    for level, name in enumerate(places):
        joined.append((f"select{level}", ("branch", *addresses, *places[:level])))
        blocks.append(Multiplexor("y", f"select{level}", name, f"value{level}", up_to_cz=True))
    for level, name in reversed(list(enumerate(addresses))):
        joined.append((f"unprepare{level}", ("row", *addresses[:level])))
        blocks.append(Multiplexor("y", f"unprepare{level}", name, f"weight{level}", up_to_cz=True))
    single = [Register(name, 1) for name in (*addresses, *places)]
    return Program(
        registers=(Register("branch", 1), Register("row", row), *single),
        blocks=(*blocks, Hadamards("branch"), Measure("readout", "readout")),
        read=("readout",),
        meaning="<X_branch>, counted where row is i, data c and address 0, = y_ic / (alpha sqrt(R d)); "
        "before the last H, branch 0 and address 0 hold the state sum_ic y_ic |i>|c> / (alpha sqrt 2)",
        joined=tuple(joined),
    )


def _encode(layer: Layer, offset: Floats) -> Batch:
    (rows, terms), columns = layer.rows.shape, len(layer.matrix)
    row, address, data = ((count - 1).bit_length() for count in (rows, terms, max(2, columns)))
    if 1 + row + address + data > MAX_QUBITS:
        raise LoweringError(
            f"{rows} rows of {terms} terms with {columns} components take {1 + row + address + data} qubits "
            f"in the encoding coherent-state; it goes up to {MAX_QUBITS}",
            hint="choose fewer rows= or components=, or use encoding='coherent'",
        )
    largest, lengths, directions = _vectors(layer.matrix.T, 2**data)
    top = np.abs(layer.rows).max(initial=0.0)
    norms, parts = shares(layer.rows / (top or 1.0) * lengths)
    total = np.linalg.norm(norms)
    with np.errstate(over="ignore"):
        alpha = float(top * largest * total)
        scale = alpha * np.sqrt(rows * columns)
    if not np.isfinite(scale):
        raise LoweringError(
            "the scale alpha sqrt(R d) of an output overflows", hint="rescale the weights or the values"
        )
    roots = np.zeros((2**row, 2**address))
    roots[rows:, 0] = 1.0
    roots[:rows, :terms] = np.sqrt(parts)
    signed = roots.copy()
    signed[:rows, :terms] *= np.where(layer.rows < 0, -1.0, 1.0)
    weight = np.zeros((2, 2**row, 1))
    weight[0, :rows, 0] = norms / total if total else np.full(rows, rows**-0.5)
    weight[1, :rows] = rows**-0.5
    start = weight * np.stack([roots, signed]) / np.sqrt(2)
    selected = np.zeros((2, 2**address, 2**data))
    selected[..., 0] = 1.0
    selected[0, :terms] = directions
    odd = sum((np.arange(2**data) >> k) & 1 for k in range(data)) % 2
    selected[1] = np.where(np.arange(2**data) < columns, columns**-0.5, 0.0) * (1 - 2 * odd)
    numbers = {"prepare": start, **_slots("value", selected, 1.0), **_slots("weight", signed, -1.0)}
    kept = (np.abs((layer.rows / (top or 1.0) * lengths) @ directions) ** 2).sum() / (total**2 or 1.0)
    return Batch(
        program(row, address, data),
        {name: array.reshape(1, -1) for name, array in numbers.items()},
        member=np.zeros(len(layer.position), dtype=np.int64),
        position=layer.position,
        scale=np.full(len(layer.position), scale),
        offset=offset[layer.position],
        observables=tuple(
            _observable(i, c, (row, address, data)) for i in range(rows) for c in range(columns)
        ),
        which=layer.row * columns + layer.column,
        success=np.array([(1.0 + kept) / 2]),
    )


def _vectors(vectors: Floats, size: int) -> tuple[float, Floats, Floats]:
    """The largest entry, the vectors' lengths over it, and their directions, filled up to `size`."""
    largest = float(np.abs(vectors).max(initial=0.0))
    scaled = np.zeros((len(vectors), size))
    scaled[:, : vectors.shape[1]] = vectors / (largest or 1.0)
    lengths, parts = shares(scaled**2)
    return largest, np.sqrt(lengths), np.sqrt(parts) * np.where(scaled < 0, -1.0, 1.0)


def _slots(name: str, states: Floats, sign: float) -> dict[str, Floats]:
    """Angles of the cascades that prepare the states (..., 2^k) from |0...0>, one slot a level."""
    out = {}
    width = states.shape[-1].bit_length() - 1
    for level in range(width):
        pairs = states.reshape(*states.shape[:-1], 2 ** (level + 1), -1)
        weight = pairs[..., 0] if level == width - 1 else np.sqrt((pairs**2).sum(axis=-1))
        weight = weight.reshape(*weight.shape[:-1], -1, 2)
        out[f"{name}{level}"] = sign * 2 * np.arctan2(weight[..., 1], weight[..., 0])
    return out


def _observable(row: int, column: int, widths: tuple[int, int, int]) -> Observable:
    """The sign of the branch qubit, where row and data are these and the address is 0."""
    bits = [
        (value >> (width - 1 - i)) & 1
        for value, width in zip((row, 0, column), widths, strict=True)
        for i in range(width)
    ]
    return Observable((0,), tuple((1 + place, bit) for place, bit in enumerate(bits)))
