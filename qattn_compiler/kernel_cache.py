"""Whether the Numba kernels are compiled already, and how to compile them.

Numba keeps machine code beside the module (or in the user's cache folder); the first process of an
installation makes it, which takes some ten seconds, and every later one loads it.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

MODULES = (
    "qattn_compiler.circuit.kernels",
    "qattn_compiler.circuit.region_kernels",
    "qattn_compiler.passes.circuit.block_kernels",
    "qattn_compiler.passes.circuit.kernels",
    "qattn_compiler.synth.weyl_kernels",
)
"""What every compile needs; the searches of level 3 compile theirs when they are first used."""
MESSAGE = "compiling kernels (first run only)"


def _kernels() -> list[Any]:
    found = []
    for name in MODULES:
        module = import_module(name)
        found += [value for value in vars(module).values() if hasattr(value, "py_func")]
    return found


def is_cold() -> bool:
    """Whether any public kernel has no machine code on disk yet."""
    return any(not _has_code(kernel) for kernel in _kernels() if not kernel.__name__.startswith("_"))


def _has_code(kernel: Any) -> bool:
    if kernel.signatures:
        return True
    folder = Path(kernel.stats.cache_path)
    return any(folder.glob(f"*{kernel.__name__}-*.nbi"))


def warm() -> None:
    """Compile every kernel, by compiling a small program and routing a chain on the default machine."""
    import numpy as np

    from qattn_compiler import targets
    from qattn_compiler.circuit.table import Builder
    from qattn_compiler.lower.amplitude import encode
    from qattn_compiler.lower.batch import Terms
    from qattn_compiler.unit import compile_unit

    target = targets.get("google.willow")
    weights = np.full((1, 4), 0.25)
    batch = encode(Terms(weights, weights, np.zeros(1)))[0]
    unit = compile_unit(batch, target, level=2, seed=0, bound=True, say=lambda _: None)
    unit.execution(target)
    chain = Builder(range(100))  # too long for a ring on this machine, so that the search for paths runs too
    for qubit in range(99):
        chain.add("cz", [qubit, qubit + 1])
    target.route(1, 0).route(chain.build())
