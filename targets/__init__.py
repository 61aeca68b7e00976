if __name__ != "qattn_compiler.targets":
    raise ImportError(
        f"import qattn_compiler.targets, not {__name__}: this folder is mapped into the package"
    )

import difflib
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING

from qattn_compiler.errors import TargetError

if TYPE_CHECKING:
    from qattn_compiler.targets.target import Target

NAMED = {
    "google.willow": ("google", "willow", "105 qubits, square grid, CZ (Google, willow_pink)"),
    "google.weber": ("google", "weber", "53 qubits, square grid, sqrt-iSWAP (Google)"),
    "google.rainbow": ("google", "rainbow", "23 qubits, square grid, sqrt-iSWAP (Google)"),
    "google.sycamore": ("google", "sycamore", "54 qubits, square grid, sqrt-iSWAP (Google)"),
    "ibm.eagle": ("ibm", "eagle", "127 qubits, heavy hexagons, CX, as ECR (IBM Eagle r3)"),
    "ibm.heron": ("ibm", "heron", "133 qubits, heavy hexagons, CZ (IBM Heron r1)"),
    "ibm.heron2": ("ibm", "heron2", "156 qubits, heavy hexagons, CZ (IBM Heron r2)"),
    "rigetti.ankaa": ("rigetti", "ankaa", "84 qubits, square grid, iSWAP (Rigetti Ankaa)"),
    "ionq.aria": ("ionq", "aria", "25 qubits, all-to-all, MS with any angle (IonQ)"),
    "ionq.forte": ("ionq", "forte", "36 qubits, all-to-all, ZZ with any angle (IonQ)"),
    "quantinuum.h2": ("quantinuum", "h2", "56 qubits, all-to-all, ZZ with any angle (Quantinuum)"),
    "iqm.garnet": ("iqm", "garnet", "20 qubits, square grid, CZ, no virtual Z (IQM)"),
    "aqt.ibex": ("aqt", "ibex", "12 qubits, all-to-all, XX with any angle (AQT)"),
    "pasqal.virtual": ("pasqal", "virtual", "25 qubits, square grid by distance, CZ (Pasqal)"),
}
"""Target name -> (module, function, one line for people)."""

SHAPES = {
    "line": "line:N",
    "ring": "ring:N",
    "grid": "grid:RxC",
    "star": "star:N",
    "full": "full:N",
    "heavyhex": "heavyhex:D",
}
"""Shape -> how it is written."""

GATES = ("cz", "cx", "siswap", "iswap", "syc", "zz", "rzz", "ms", "rxx", "cphase")
"""What `?gate=` may say: the entanglers."""

_FILES = (".toml", ".json")


def names() -> dict[str, str]:
    """Target name -> one line about it; imports nothing heavy."""
    shapes = dict.fromkeys(SHAPES.values(), f"a shape; ?gate= {', '.join(GATES)}")
    return {name: line for name, (_, _, line) in NAMED.items()} | shapes


def check_name(name: str) -> None:
    """Raise unless the target exists, before anything heavy is imported.

    Raises:
        TargetError: names the nearest ones, or says what of the name is wrong.
    """
    bare, gate = _parts(name)
    if gate is not None and gate not in GATES:
        raise TargetError(f"{name!r}: gate is {gate!r}; {', '.join(GATES)} are known")
    shape, colon, _ = bare.partition(":")
    if bare in NAMED or (colon and shape in SHAPES) or bare.endswith(_FILES):
        return
    known = (*NAMED, *SHAPES.values())
    if shape in SHAPES:
        raise TargetError(f"{name!r} says no size", hint=f"such as {SHAPES[shape]}")
    close = difflib.get_close_matches(bare, known, n=3, cutoff=0.3)
    hint = f"did you mean {' or '.join(close)}?" if close else "`qattn targets` lists them"
    raise TargetError(f"there is no target {name!r}; known: {', '.join(known)}", hint=hint)


def _parts(name: str) -> tuple[str, str | None]:
    """The name and what `?gate=` says.

    Raises:
        TargetError: something else stands behind the question mark.
    """
    bare, mark, options = name.partition("?")
    if not mark:
        return bare, None
    key, _, gate = options.partition("=")
    if key != "gate":
        raise TargetError(f"{name!r}: only gate=... is known behind the question mark")
    return bare, gate


@lru_cache(maxsize=64)
def _made(name: str) -> "Target":
    bare, gate = _parts(name)
    if bare in NAMED:
        module, function, _ = NAMED[bare]
        make = getattr(import_module(f"qattn_compiler.targets.{module}"), function)
        target: Target = make() if gate is None else make(gate)
        return target
    from qattn_compiler.targets.shapes import make as make_shape

    shape, _, size = bare.partition(":")
    return make_shape(shape, size, gate or "cz", name)


def get(name: str) -> "Target":
    """The target of that name.

    Args:
        name: of `names()`; a shape such as "grid:3x4?gate=siswap"; or the path of a .toml or .json file
            (`targets.files`). `?gate=` chooses the entangler where there is a choice.

    Raises:
        TargetError: there is none; the message names the nearest ones.
    """
    check_name(name)
    path, gate = _parts(name)
    if path.endswith(_FILES):
        from qattn_compiler.targets.files import read

        return read(path, gate)
    return _made(name)
