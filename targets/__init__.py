if __name__ != "qattn_compiler.targets":
    raise ImportError(
        f"import qattn_compiler.targets, not {__name__}: this folder is mapped into the package"
    )

import difflib
from importlib import import_module
from typing import TYPE_CHECKING

from qattn_compiler.errors import TargetError

if TYPE_CHECKING:
    from qattn_compiler.targets.target import Target

NAMED = {"google.willow": ("google", "willow", "105 qubits, square grid, CZ (Google, willow_pink)")}
"""Target name -> (module, function, one line for people)."""


def names() -> dict[str, str]:
    """Target name -> one line about it; imports nothing heavy."""
    return {name: line for name, (_, _, line) in NAMED.items()}


def check_name(name: str) -> None:
    """Raise unless the target exists, before anything heavy is imported.

    Raises:
        TargetError: names the nearest ones.
    """
    if name in NAMED:
        return
    close = difflib.get_close_matches(name, NAMED, n=3, cutoff=0.3)
    hint = f"did you mean {' or '.join(close)}?" if close else "`qattn targets` lists them"
    raise TargetError(f"there is no target {name!r}; known: {', '.join(NAMED)}", hint=hint)


def get(name: str) -> "Target":
    """The target of that name.

    Raises:
        TargetError: there is none; the message names the nearest ones.
    """
    check_name(name)
    module, function, _ = NAMED[name]
    target: Target = getattr(import_module(f"qattn_compiler.targets.{module}"), function)()
    return target
