"""Compile attention expressions with trained weights to verified, hardware-ready Cirq circuits.

Nothing heavy is imported until a name is used.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# In a checkout the packages inside are found where they lie, beside this one (`python -m`, `python -c`).
if not os.path.isdir(os.path.join(__path__[0], "passes")):
    __path__.append(os.path.dirname(__path__[0]))

if TYPE_CHECKING:
    from qattn_compiler.compile import compile  # noqa: A004
    from qattn_compiler.compiled import Compiled, Readout
    from qattn_compiler.device import Device
    from qattn_compiler.errors import QattnError
    from qattn_compiler.expr.node import Expr
    from qattn_compiler.frontends.example import load_example
    from qattn_compiler.frontends.from_text import parse
    from qattn_compiler.frontends.weights import load_weights
    from qattn_compiler.interop.cirq_verify import verify
    from qattn_compiler.pipeline import Pass, Pipeline
    from qattn_compiler.prepare import prepare_state
    from qattn_compiler.targets.target import Target
    from qattn_compiler.transpile import Transpiled, transpile
    from qattn_compiler.verify.equivalence import Equivalence
    from qattn_compiler.verify.reference import reference

_HOMES = {
    "Compiled": "compiled",
    "Device": "device",
    "Equivalence": "verify.equivalence",
    "Expr": "expr.node",
    "Pass": "pipeline",
    "Pipeline": "pipeline",
    "QattnError": "errors",
    "Readout": "compiled",
    "Target": "targets.target",
    "Transpiled": "transpile",
    "compile": "compile",
    "load_example": "frontends.example",
    "load_weights": "frontends.weights",
    "parse": "frontends.from_text",
    "prepare_state": "prepare",
    "reference": "verify.reference",
    "transpile": "transpile",
    "verify": "interop.cirq_verify",
}

__all__ = [
    "Compiled",
    "Device",
    "Equivalence",
    "Expr",
    "Pass",
    "Pipeline",
    "QattnError",
    "Readout",
    "Target",
    "Transpiled",
    "compile",
    "load_example",
    "load_weights",
    "parse",
    "prepare_state",
    "reference",
    "transpile",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])


class _Package(ModuleType):
    """Keeps `compile`, `transpile` and `verify` the functions: importing what has the same name would put
    it here."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in _HOMES and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
