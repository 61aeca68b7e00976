"""Bits of 64-bit words, each in one instruction of the processor, for kernels."""

from __future__ import annotations

from typing import Any

from numba import types
from numba.extending import intrinsic


@intrinsic
def bits_set(typing_context: Any, word: Any) -> Any:
    """How many bits of a word (uint64) are set, as int64."""

    def made(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.int64(types.uint64), made


@intrinsic
def lowest_bit(typing_context: Any, word: Any) -> Any:
    """The number of the lowest set bit of a word (uint64) that is not 0, as int64."""

    def made(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], context.get_constant(types.boolean, True))

    return types.int64(types.uint64), made


@intrinsic
def highest_bit(typing_context: Any, word: Any) -> Any:
    """The number of the highest set bit of a word (int64), as int64; -1 if it is 0."""

    def made(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        zeros = builder.ctlz(arguments[0], context.get_constant(types.boolean, False))
        return builder.sub(context.get_constant(types.int64, 63), zeros)

    return types.int64(types.int64), made
