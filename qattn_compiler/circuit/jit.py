"""How the small functions in the kernels are compiled.

Numba counts references of every array that such a function is handed, or reads from a tuple, by calls that
the optimizer cannot see through: in the search for a route they took four fifths of the time. A function that
makes no array and gives none back needs no counting, as whoever calls it keeps its arrays alive. Where one
makes an array all the same, `a[i] = b[j]` for rows among that, Numba says so when it compiles.
"""

from __future__ import annotations

import numba

plain = numba.njit(cache=True, nogil=True, _nrt=False)
"""For functions that make no array, give none back, and call only such."""
inline = numba.njit(cache=True, nogil=True, _nrt=False, forceinline=True)
"""The same, put into each place where it is called."""
