"""The hot loop of `schedule`: arrays in, arrays out."""
# mypy: disallow-untyped-decorators=False

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray


@numba.njit(cache=True, nogil=True)
def starts(
    nanoseconds: NDArray[np.float64], wires: NDArray[np.int32], num_wires: int, late: bool
) -> NDArray[np.float64]:
    """When each row starts, if every wire does one row at a time, in order.

    Args:
        nanoseconds: shape (rows,): how long each row takes.
        wires: shape (rows, width), -1 fills up.
        num_wires: wire numbers are below this.
        late: as late as possible without making the whole longer, instead of as soon as possible.

    Returns:
        shape (rows,), from 0 on. Rows that share a wire never start against their order.
    """
    rows, width = wires.shape
    free = np.zeros(num_wires)
    out = np.zeros(rows)
    total = 0.0
    for step in range(rows):
        row = rows - 1 - step if late else step
        begin = 0.0
        for k in range(width):
            if wires[row, k] < 0:
                break
            begin = max(begin, free[wires[row, k]])
        end = begin + nanoseconds[row]
        out[row] = end if late else begin  # late: counted from the end of the whole, backward
        total = max(total, end)
        for k in range(width):
            if wires[row, k] < 0:
                break
            free[wires[row, k]] = end
    return total - out if late else out
