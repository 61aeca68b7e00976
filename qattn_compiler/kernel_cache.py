"""Whether the Numba kernels are compiled already, and how to compile them.

Numba keeps machine code beside the module (or in the user's cache folder); the first process of an
installation makes it, which takes some ten seconds for each stage, and every later one loads it.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from qattn_compiler.progress import Progress, silent

MESSAGE = "compiling kernels (first run only)"

MODULES: Final[dict[str, tuple[str, ...]]] = {
    "compile": (
        "qattn_compiler.circuit.kernels",
        "qattn_compiler.circuit.region_kernels",
        "qattn_compiler.passes.circuit.block_kernels",
        "qattn_compiler.passes.circuit.kernels",
        "qattn_compiler.synth.weyl_kernels",
    ),
    "optimize": ("qattn_compiler.passes.circuit.parity_kernels", "qattn_compiler.synth.pauli_kernels"),
    "search": (
        "qattn_compiler.passes.circuit.three_qubit_kernels",
        "qattn_compiler.synth.instantiate_kernels",
        "qattn_compiler.synth.parity_kernels",
    ),
}
"""Modules with kernels by the stage that needs them: attention, circuits at level 2, circuits at level 3."""


def stages(level: int) -> tuple[str, ...]:
    """The stages that optimising circuits at a level needs."""
    return tuple(MODULES)[: max(1, level)]


def is_cold(wanted: tuple[str, ...] = ("compile",)) -> bool:
    """Whether any public kernel of these stages has no machine code on disk yet."""
    return any(not _has_code(kernel) for stage in wanted for kernel in _kernels(stage))


def warm(wanted: tuple[str, ...] = ("compile",), progress: Progress = silent) -> None:
    """Compile every kernel of these stages that has no machine code yet, and say so while doing it."""
    cold = [stage for stage in wanted if is_cold((stage,))]
    for number, stage in enumerate(cold):
        progress(MESSAGE, number, len(cold))
        _EXAMPLES[stage]()
        progress(MESSAGE, number + 1, len(cold))


def _kernels(stage: str) -> list[Any]:
    found = []
    for name in MODULES[stage]:
        module = import_module(name)
        found += [value for value in vars(module).values() if hasattr(value, "py_func")]
    return [kernel for kernel in found if not kernel.__name__.startswith("_")]


def _has_code(kernel: Any) -> bool:
    if kernel.signatures:
        return True
    folder = Path(kernel.stats.cache_path)
    return any(folder.glob(f"*{kernel.__name__}-*.nbi"))


def _compile_example() -> None:
    """A small program, and a chain too long for a ring on the default machine, so that paths are searched."""
    import numpy as np

    from qattn_compiler import targets
    from qattn_compiler.circuit.table import Builder
    from qattn_compiler.lower.amplitude import encode
    from qattn_compiler.lower.batch import Terms
    from qattn_compiler.passes.circuit.resynthesise_two_qubit import ResynthesiseTwoQubit
    from qattn_compiler.unit import compile_unit

    target = targets.get("google.willow")
    weights = np.full((1, 4), 0.25)
    batch = encode(Terms(weights, weights, np.zeros(1)))[0]
    unit = compile_unit(batch, target, level=2, seed=0, bound=True, say=lambda _: None)
    unit.execution(target)
    chain = Builder(range(100))
    for qubit in range(99):
        chain.add("cz", [qubit, qubit + 1])
    target.route(1, 0).route(chain.build())
    walled = Builder(range(2))
    for name in ("cz", "h", "cz"):
        walled.add(name, [0, 1] if name == "cz" else [0])
    walled.measure([0, 1], "m")
    ResynthesiseTwoQubit().run(walled.build())


def _toffolis() -> Any:
    """Two Toffoli gates with walls, which every pass has something to do with."""
    from qattn_compiler.circuit.table import Builder

    builder = Builder(range(4))
    for a, b, c in ((0, 1, 2), (1, 2, 3)):
        builder.add("h", [c])
        for pair, turned in (((b, c), "tdg"), ((a, c), "t"), ((b, c), "tdg"), ((a, c), "t")):
            builder.add("cx", pair)
            builder.add(turned, [c])
        for name, wires in (("t", [b]), ("cx", [a, b]), ("tdg", [b]), ("cx", [a, b]), ("t", [a]), ("h", [c])):
            builder.add(name, wires)
        builder.measure([c], f"m{c}")
    return builder.build()


def _optimize_example() -> None:
    from qattn_compiler.passes.circuit.optimize import Optimize

    Optimize(2).candidates(_toffolis())


def _search_example() -> None:
    from qattn_compiler.passes.circuit.optimize import Optimize

    Optimize(3).candidates(_toffolis())


_EXAMPLES: Final[dict[str, Callable[[], None]]] = {
    "compile": _compile_example,
    "optimize": _optimize_example,
    "search": _search_example,
}
