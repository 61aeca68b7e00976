"""Hot loops of `synth.real_state`: the state that a circuit of CZ and single-qubit gates makes, and how it
changes with the gates.

A gate is a unit quaternion (`circuit.su2`); gate g comes on qubit g for g < n, then two after each CZ, on its
first and its second qubit.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]


@numba.njit(cache=True, nogil=True)
def _turn(re: F64, im: F64, bit: int, q0: float, q1: float, q2: float, q3: float, columns: int) -> None:
    """A gate on the first columns of states, shape (N, columns), in place."""
    for i in range(len(re)):
        if i & bit:
            continue
        ar, ai, br, bi = re[i], im[i], re[i | bit], im[i | bit]
        for c in range(columns):
            xr, xi, yr, yi = ar[c], ai[c], br[c], bi[c]
            ar[c] = q0 * xr + q3 * xi - q2 * yr + q1 * yi
            ai[c] = q0 * xi - q3 * xr - q2 * yi - q1 * yr
            br[c] = q2 * xr + q1 * xi + q0 * yr - q3 * yi
            bi[c] = q2 * xi - q1 * xr + q0 * yi + q3 * yr


@numba.njit(cache=True, nogil=True)
def states(pairs: I64, gates: F64, first: I64, axes: F64, re: F64, im: F64) -> None:
    """The state from |0...0> and its derivatives.

    Args:
        pairs: shape (k, 2): the qubits of each CZ, in order.
        gates: shape (n + 2 k, 4).
        first: shape (n + 2 k + 1,): parameters first[g] to first[g + 1] are those of gate g.
        axes: shape (parameters, 3): parameter d with axis a makes a gate u to exp(-i d a.(X, Y, Z) / 2) u.
        re, im: shape (N, 1 + parameters): become the state, and its derivatives. With one column the state
            alone.
    """
    n = len(gates) - 2 * len(pairs)
    most = re.shape[1]
    re[:] = 0.0
    im[:] = 0.0
    re[0, 0] = 1.0
    for g in range(len(gates)):
        k, side = (g - n) // 2, (g - n) % 2
        columns = min(1 + first[g], most)
        if g >= n and side == 0:
            both = (1 << (n - 1 - pairs[k, 0])) | (1 << (n - 1 - pairs[k, 1]))
            for i in range(len(re)):
                if i & both == both:
                    for c in range(columns):
                        re[i, c] = -re[i, c]
                        im[i, c] = -im[i, c]
        bit = 1 << (n - 1 - (g if g < n else pairs[k, side]))
        _turn(re, im, bit, gates[g, 0], gates[g, 1], gates[g, 2], gates[g, 3], columns)
        for j in range(first[g], first[g + 1]):
            if 1 + j < most:
                x, y, z = axes[j, 0] / 2, axes[j, 1] / 2, axes[j, 2] / 2
                column_re, column_im = re[:, 1 + j : 2 + j], im[:, 1 + j : 2 + j]
                column_re[:, 0] = re[:, 0]
                column_im[:, 0] = im[:, 0]
                _turn(column_re, column_im, bit, 0.0, x, y, z, 1)
