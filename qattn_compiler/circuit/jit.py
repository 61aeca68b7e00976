"""How the small functions in the kernels are compiled.

Numba counts references of every array that such a function is handed, or reads from a tuple, by calls that
the optimizer cannot see through: in the search for a route they took four fifths of the time. A function that
makes no array and gives none back needs no counting, as whoever calls it keeps its arrays alive. Where one
makes an array all the same, `a[i] = b[j]` for rows among that, Numba says so when it compiles.
"""

from __future__ import annotations

from typing import Any

import numba
from numba.core import cgutils
from numba.extending import intrinsic

plain = numba.njit(cache=True, nogil=True, _nrt=False)
"""For functions that make no array, give none back, and call only such."""
inline = numba.njit(cache=True, nogil=True, _nrt=False, forceinline=True)
"""The same, put into each place where it is called."""


@intrinsic
def bare(typing: Any, array: Any) -> Any:
    """A view of an array that owns nothing: whoever calls keeps the array alive."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        view = cgutils.create_struct_proxy(signature.return_type)(context, builder, value=args[0])
        view.meminfo = cgutils.get_null_value(view.meminfo.type)
        view.parent = cgutils.get_null_value(view.parent.type)
        return view._getvalue()

    return array(array), build


@intrinsic
def keep(typing: Any, rooms: Any) -> Any:
    """Nothing; but until here the rooms are alive."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return context.get_dummy_value()

    return numba.types.none(rooms), build
