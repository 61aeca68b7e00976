"""Whether the Numba kernels are compiled already, and how to compile them.

Numba keeps machine code beside the module (or in the user's cache folder); the first process of an
installation makes it, which takes some ten seconds for each stage, and every later one loads it. Numba
writes each file beside its place and renames it, so processes that warm one cache at once do no harm.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO, Final

from qattn_compiler.progress import Progress, silent

MESSAGE = "compiling kernels (first run only)"

MODULES: Final[dict[str, tuple[str, ...]]] = {
    "compile": (
        "qattn_compiler.circuit.bit_kernels",
        "qattn_compiler.circuit.kernels",
        "qattn_compiler.circuit.random_kernels",
        "qattn_compiler.passes.circuit.block_kernels",
        "qattn_compiler.passes.circuit.kernels",
        "qattn_compiler.passes.circuit.layout_kernels",
        "qattn_compiler.synth.chip_state_kernels",
        "qattn_compiler.synth.instantiate_kernels",
        "qattn_compiler.synth.near_kernels",
        "qattn_compiler.synth.real_kernels",
        "qattn_compiler.synth.real_state_kernels",
        "qattn_compiler.synth.weyl_kernels",
    ),
    "optimize": (
        "qattn_compiler.circuit.region_kernels",
        "qattn_compiler.passes.circuit.parity_kernels",
        "qattn_compiler.synth.pauli_kernels",
        "qattn_compiler.synth.pauli_search_kernels",
    ),
    "search": (
        "qattn_compiler.passes.circuit.boundary_kernels",
        "qattn_compiler.passes.circuit.schedule_kernels",
        "qattn_compiler.passes.circuit.three_qubit_kernels",
        "qattn_compiler.passes.placement.kernels",
        "qattn_compiler.synth.parity_kernels",
        "qattn_compiler.synth.steiner_kernels",
    ),
    "proof": (
        "qattn_compiler.verify.replay_kernels",
        "qattn_compiler.verify.window_kernels",
        "qattn_compiler.verify.word_kernels",
    ),
}
"""Modules with kernels by the stage that needs them: attention; circuits at level 2; circuits at level 3 and
passes that only run when they are asked for; proofs of circuits."""

RARE: Final = frozenset({"canonicalise_all", "reflect_towards"})
"""Kernels for entanglers that few machines have; compiled when they are first used."""

_LENGTHS: Final = {0x42: 4, 0x58: 4, 0x8D: 8, 0x8E: 8, 0x95: 8, 0x96: 8}
"""Opcodes of Python's pickle format that stand before a counted piece (BINBYTES, BINUNICODE, BINUNICODE8,
BINBYTES8, FRAME, BYTEARRAY8 of `pickletools`) -> how many bytes the count has."""

_PROTO: Final = 0x80
"""The opcode that begins a pickle; an index (.nbi) holds two, Numba's version first."""

_SHORT: Final = 4
"""Fewer bytes stand without a frame around them, whatever they are."""


def stages(level: int) -> tuple[str, ...]:
    """The stages that optimising circuits at a level needs."""
    return ("compile", "optimize", "search")[: max(1, level)]


def is_cold(wanted: tuple[str, ...] = ("compile",)) -> bool:
    """Whether any public kernel of these stages has no machine code on disk yet."""
    return any(not _has_code(kernel) for stage in wanted for kernel in _kernels(stage))


def warm(wanted: tuple[str, ...] = ("compile",), progress: Progress = silent) -> None:
    """Compile every kernel of these stages that has no machine code yet, and say so while doing it.

    Half of a stage is compiled in a process of its own, at the same time.
    """
    cold = [stage for stage in wanted if stage not in _WARM and is_cold((stage,))]
    _WARM.update(set(wanted) - set(cold))
    for number, stage in enumerate(cold):
        progress(MESSAGE, number, len(cold))
        own, other = _EXAMPLES[stage]
        call = f"from qattn_compiler import kernel_cache; kernel_cache.{other.__name__}()"
        helper = subprocess.Popen(
            [sys.executable, "-c", call], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            own()
        finally:
            helper.wait()
        other()  # from the cache now, or here if the helper could not
        progress(MESSAGE, number + 1, len(cold))


_WARM: Final[set[str]] = set()
"""Stages that this process has found on disk: looking takes milliseconds."""


def _kernels(stage: str) -> list[Any]:
    found = []
    for name in MODULES[stage]:
        module = import_module(name)
        found += [value for value in vars(module).values() if hasattr(value, "py_func")]
    for folder in {kernel.stats.cache_path for kernel in found}:
        mend(Path(folder))
    return [kernel for kernel in found if not kernel.__name__.startswith("_") and kernel.__name__ not in RARE]


def _has_code(kernel: Any) -> bool:
    if kernel.signatures:
        return True
    folder = Path(kernel.stats.cache_path)
    return any(folder.glob(f"*{kernel.__name__}-*.nbi"))


@cache
def mend(folder: Path) -> None:
    """Take away files of machine code that are cut off, once a process; they are made anew when needed.

    Numba itself ends with an EOFError at such a file, which a full disk, lost power or a broken copy leaves.

    Args:
        folder: where Numba keeps its .nbi (index) and .nbc (code) files.
    """
    for path in (*folder.glob("*.nbi"), *folder.glob("*.nbc")):
        with suppress(OSError):  # another process took it away, or it is not ours to take away
            if not _is_whole(path):
                path.unlink()


def _is_whole(path: Path) -> bool:
    """Whether the pickles in a file have all the bytes that they announce; nothing of them is loaded."""
    size, pickles = path.stat().st_size, 0
    with path.open("rb") as file:
        while size - file.tell() >= _SHORT:
            code = file.read(1)[0]
            pickles += code == _PROTO
            _skip(file, code)
        if file.tell() > size or pickles < (2 if path.suffix == ".nbi" else 1):
            return False
        file.seek(-1, 2)
        return file.read() == b"."


def _skip(file: BinaryIO, code: int) -> None:
    """Go behind what belongs to an opcode."""
    if code == _PROTO:
        file.seek(1, 1)
    elif code in _LENGTHS:
        file.seek(int.from_bytes(file.read(_LENGTHS[code]), "little"), 1)


def program_example() -> None:
    """A small attention program, two-qubit blocks with a wall, and gates that are fitted."""
    import numpy as np

    from qattn_compiler import targets
    from qattn_compiler.lower.amplitude import encode
    from qattn_compiler.lower.batch import Terms
    from qattn_compiler.passes.circuit.absorb_swaps import AbsorbSwaps
    from qattn_compiler.passes.circuit.resynthesise_two_qubit import ResynthesiseTwoQubit
    from qattn_compiler.synth.near_state import Skeleton
    from qattn_compiler.synth.orthogonal import orthogonal_angles
    from qattn_compiler.synth.real_state import RealState
    from qattn_compiler.unit import Way, compile_unit

    ResynthesiseTwoQubit().run(_written((("cz", 0, 1), ("h", 0), ("cz", 0, 1), ("measure", 0, 1))))
    AbsorbSwaps().run(_written((("cz", 0, 1), ("swap", 0, 1), ("h", 0))))
    target = targets.get("google.willow")
    weights = np.full((1, 4), 0.25)
    batch = encode(Terms(weights, weights, np.zeros(1)))[0]
    unit = compile_unit(batch, Way(target), bound=True)
    unit.execution()
    pair, same = Skeleton(2, np.array([[0, 1]]), np.eye(4, dtype=complex)[None]), np.eye(2, dtype=complex)
    pair.fit(np.eye(4, dtype=complex)[:1], np.stack([same] * 4)[None])
    RealState.on_line(4).angles(np.full(16, 0.25))
    for size in (8, 16):
        orthogonal_angles(np.eye(size))


def route_example() -> None:
    """A chain too long for a ring on the default machine, so that paths are searched as well; a state."""
    from qattn_compiler import targets
    from qattn_compiler.synth.chip_state import plan_state

    chain = _written(tuple(("cz", qubit, qubit + 1) for qubit in range(99)))
    willow = targets.get("google.willow")
    willow.route(1, 0).route(chain)
    pairs = [(a, b) for a in range(5) for b in range(a)]
    willow.route(2, 0).route(_written(tuple(("cz", a, b) for a, b in pairs)))
    plan_state(willow.device, 3)


def pauli_example() -> None:
    """Toffoli gates whose rotations merge into quarter and half turns, SWAPs, a wall."""
    from qattn_compiler.passes.circuit.optimize import Optimize
    from qattn_compiler.passes.circuit.resynthesise_paulis import ResynthesisePaulis

    gates = (*_TOFFOLI, ("cx", 1, 3), ("swap", 2, 3), *_TOFFOLI, ("t", 1), ("h", 1), ("t", 1))
    Optimize(2).candidates(_written((*gates, ("measure", 2), *_TOFFOLI)))
    ResynthesisePaulis(2, always=True).run(_written((*gates, ("measure", 2), *_TOFFOLI)))
    ResynthesisePaulis(2, always=True).run(_written((*_TOFFOLI, *(("t", 3), ("cx", 3, 0), ("cx", 3, 0)) * 4)))


def fold_example() -> None:
    """Phases on parities."""
    from qattn_compiler.passes.circuit.fold_phases import FoldPhases

    FoldPhases().run(_written((*_TOFFOLI, *_TOFFOLI)))


def search_example() -> None:
    """Blocks of three qubits that can be shorter, and a region of CX and T."""
    from qattn_compiler.passes.circuit.resynthesise_parities import ResynthesiseParities
    from qattn_compiler.passes.circuit.resynthesise_three_qubit import ResynthesiseThreeQubit

    ResynthesiseThreeQubit().run(_written((("cx", 0, 1), ("cx", 1, 2), ("cx", 0, 1), ("cx", 1, 2))))
    ResynthesiseParities(2).run(_written(_TOFFOLI[1:-1]))


def boundary_example() -> None:
    """Known inputs, measurements, SWAPs; a schedule; a parity network and a multiplexor on a machine."""
    from qattn_compiler import targets
    from qattn_compiler.circuit.table import Builder
    from qattn_compiler.passes.circuit.decouple import Decouple
    from qattn_compiler.passes.circuit.route_parities import RouteParities
    from qattn_compiler.passes.circuit.schedule import Schedule
    from qattn_compiler.passes.circuit.simplify_boundaries import SimplifyBoundaries
    from qattn_compiler.passes.placement.place_blocks import PlaceBlocks

    SimplifyBoundaries(True, True, True).run(_written((*_TOFFOLI, ("swap", 1, 2), ("measure", 1))))
    device = targets.get("google.willow").device
    Decouple(device).run(Schedule(device).run(Builder(device.qubits).build()))
    RouteParities(device).route(_written(_TOFFOLI[1:-1]))
    PlaceBlocks(device).place(_written((("cz", 0, 2), ("sx", 2), ("cz", 1, 2), ("sxdg", 2)) * 2))


def word_example() -> None:
    """Gates on one and two qubits and a wall, as words of Pauli rotations; a replay of a routing."""
    import numpy as np

    from qattn_compiler.verify.replay import check_routing
    from qattn_compiler.verify.words import by_words

    here = np.arange(3)
    one = _written((*_TOFFOLI, ("measure", 1)))
    by_words(one, one.with_rows(np.arange(len(one))), here, here)
    check_routing(one, one, here, here, np.ones((3, 3), dtype=bool))


def window_example() -> None:
    """Two circuits that differ by a gate and its inverse, and by the order of gates that commute."""
    import numpy as np

    from qattn_compiler.verify.windows import by_windows

    here = np.arange(3)
    one = _written((*_TOFFOLI, ("measure", 1)))
    other = _written((("h", 0), ("h", 0), *_TOFFOLI, ("measure", 1)))
    by_windows(one, other, here, here, np.zeros((1, 0)), ())


_TOFFOLI: Final[tuple[tuple[Any, ...], ...]] = (
    *(("h", 2), ("cx", 1, 2), ("tdg", 2), ("cx", 0, 2), ("t", 2), ("cx", 1, 2), ("tdg", 2), ("cx", 0, 2)),
    *(("t", 1), ("t", 2), ("cx", 0, 1), ("t", 0), ("tdg", 1), ("cx", 0, 1), ("h", 2)),
)


def _written(rows: tuple[tuple[Any, ...], ...]) -> Any:
    """The circuit of some (gate, qubits) on as many qubits as they name."""
    from qattn_compiler.circuit.table import Builder

    builder = Builder(range(1 + max(qubit for _, *wires in rows for qubit in wires)))
    for number, (name, *wires) in enumerate(rows):
        if name == "measure":
            builder.measure(wires, f"m{number}")
        else:
            builder.add(name, wires)
    return builder.build()


_EXAMPLES: Final[dict[str, tuple[Callable[[], None], Callable[[], None]]]] = {
    "compile": (program_example, route_example),
    "optimize": (pauli_example, fold_example),
    "search": (search_example, boundary_example),
    "proof": (word_example, window_example),
}
