"""Compiled: circuits, how to read them, what they cost, and the proof that they mean the expression."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from qattn_compiler.errors import OptionError
from qattn_compiler.interop import cirq_results
from qattn_compiler.progress import Progress, silent
from qattn_compiler.report.files import write_folder
from qattn_compiler.targets.target import Target
from qattn_compiler.unit import Unit
from qattn_compiler.verify.compare import Verification
from qattn_compiler.verify.simulate import probabilities

if TYPE_CHECKING:
    from qattn_compiler.report.report import Report

Floats = NDArray[np.float64]
MAX_SHOTS = 10**9
SHOTS = 10_000
"""Runs of each circuit, if a sampler is given and no number."""


class Estimate(np.ndarray[Any, np.dtype[np.float64]]):
    """An array of sampled numbers that carries its error bars.

    Attributes:
        standard_error: same shape: one standard deviation of each number.
        shots: runs of each circuit.
    """

    standard_error: Floats | None
    shots: int | None

    def __new__(cls, values: Floats, standard_error: Floats, shots: int) -> Estimate:
        """View `values` as an estimate."""
        out = np.asarray(values, dtype=np.float64).view(cls)
        out.standard_error, out.shots = standard_error, shots
        return out

    def __array_finalize__(self, obj: Any) -> None:
        """Error bars belong to the whole array; slices and results of arithmetic have none."""
        if obj is not None:
            self.standard_error, self.shots = None, None


@dataclass(frozen=True, eq=False)
class Readout:
    """How one number of the output is read: value = scale * <observable> + offset.

    A shot counts 0 where a qubit of `postselect` was measured as another bit, and its sign turns around for
    every pair of `pairs` of which both were measured as 1.

    Attributes:
        circuit: index into `Compiled.circuits`.
        position: index of the number in the expression's whole output array.
        observable: a `cirq.PauliString` on the circuit's qubits.
        scale: the sub-normalisation.
        offset: the classical part.
        postselect: qubit -> bit that must be measured; empty where every shot counts.
        pairs: of qubits; only destructive SWAP tests have some.
    """

    circuit: int
    position: tuple[int, ...]
    observable: Any
    scale: float
    offset: float
    postselect: Mapping[Any, int] = field(default_factory=lambda: MappingProxyType({}))
    pairs: tuple[tuple[Any, Any], ...] = ()


@dataclass(frozen=True, eq=False)
class Compiled:
    """The result of `compile`.

    Attributes:
        target: the machine.
        units: the compiled structures; `circuits` runs through their members.
        shape: shape of the expression's whole output.
        chosen: one array of indices for each axis of the output: what was compiled.
        positions: shape (outputs, axes): index of each chosen output, in order.
        verification: what was proved.
        rebind: gives the units for new values of the free tensors.
        describe: makes the report.
    """

    target: Target
    units: tuple[Unit, ...]
    shape: tuple[int, ...]
    chosen: tuple[NDArray[np.int64], ...]
    positions: NDArray[np.int64]
    verification: Verification
    rebind: Callable[[Mapping[str, Any]], Compiled]
    describe: Callable[[Compiled], Report]

    def __repr__(self) -> str:
        passed = {None: "not verified", True: "verified", False: "WRONG"}[self.verification.passed]
        sizes = f"{len(self._places)} circuits, {len(self.positions)} numbers"
        return f"<Compiled for {self.target.name}: {sizes}, {passed}>"

    @property
    def is_bound(self) -> bool:
        """Whether every tensor has its values (else the circuits have free symbols)."""
        return all(unit.fused is not None for unit in self.units)

    @cached_property
    def _places(self) -> list[tuple[Unit, int]]:
        """For each circuit, its unit and its number there; circuits stand in the order of the first output
        read."""
        if not self.is_bound:
            return [(unit, 0) for unit in self.units]
        first: list[tuple[int, int, int]] = []
        for u, unit in enumerate(self.units):
            members, index = np.unique(unit.batch.member, return_index=True)
            first += [(int(unit.batch.position[i]), u, int(m)) for m, i in zip(members, index, strict=True)]
        return [(self.units[u], m) for _, u, m in sorted(first)]

    @cached_property
    def circuits(self) -> tuple[Any, ...]:
        """`cirq.Circuit`s on the target's own qubits, in native gates, measurement included.

        While tensors are free: one circuit a structure, with symbols.
        """
        return tuple(
            unit.cirq_template() if unit.fused is None else unit.cirq_circuit(member)
            for unit, member in self._places
        )

    @cached_property
    def readouts(self) -> tuple[Readout, ...]:
        """One for each chosen number of the output, in row-major order."""
        number = {(id(unit), member): i for i, (unit, member) in enumerate(self._places)}
        out: list[Readout | None] = [None] * len(self.positions)
        for unit in self.units:
            qubits = [self.target.device.qubits[q] for q in unit.observed]
            batch = unit.batch
            observables, which = batch.reads
            signs = [cirq_results.z_product([qubits[i] for i in one.parity]) for one in observables]
            given = [MappingProxyType({qubits[i]: bit for i, bit in one.given}) for one in observables]
            pairs = [tuple((qubits[i], qubits[j]) for i, j in one.both) for one in observables]
            columns = zip(batch.member, batch.position, batch.scale, batch.offset, which, strict=True)
            for member, position, scale, offset, one in columns:
                circuit = number[(id(unit), int(member) if unit.fused is not None else 0)]
                place = tuple(self.positions[position].tolist())
                numbers = (float(scale), float(offset))
                out[position] = Readout(circuit, place, signs[one], *numbers, given[one], pairs[one])
        return tuple(r for r in out if r is not None)

    @cached_property
    def report(self) -> Report:
        """Costs by stage and pass, decoding, notes: `.to_dict()`, `.to_markdown()`."""
        return self.describe(self)

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of what `evaluate` gives: (len(rows), len(components)), or () for a scalar."""
        return tuple(len(axis) for axis in self.chosen)

    def evaluate(
        self,
        shots: int | None = None,
        sampler: Any = None,
        *,
        noisy: bool | None = None,
        progress: Progress = silent,
    ) -> NDArray[np.float64]:
        """The output, decoded from the circuits.

        Args:
            shots: runs of each circuit. None for exact expectations (by the package's own simulator), or for
                `SHOTS` runs if there is a sampler.
            sampler: any `cirq.Sampler`, or the name of a target for its noisy virtual machine.
            noisy: whether a machine that is named errs as the real one does (it does if nothing is said);
                true without a sampler is the noisy virtual machine of the target itself.
            progress: told how far sampling is.

        Returns:
            shape (len(rows), len(components)), () for a scalar expression; with shots an `Estimate`, which
            has `.standard_error` of the same shape.

        Raises:
            OptionError: tensors are still free, shots is no positive integer, or `noisy` was said of a
                sampler that is no name.
            TargetError: there is no noisy virtual machine of that name.
        """
        if not self.is_bound:
            raise OptionError(
                "the circuits have free symbols", hint="give their values with bind({...}) first"
            )
        if noisy is not None and not isinstance(sampler, str | None):
            raise OptionError("noisy says which virtual machine a name means; the sampler given is no name")
        if noisy and sampler is None:
            sampler = self.target.name
        if shots is None and sampler is None:
            return self._decode([moments(unit)[0] for unit in self.units])[0]
        if isinstance(sampler, str):
            sampler = _virtual_machine(sampler, noisy is not False)
        return self._sample(SHOTS if shots is None else _check_shots(shots), sampler, progress)

    def bind(self, values: Mapping[str, Any]) -> Compiled:
        """The same structures with values for the free tensors; nothing is compiled again.

        Raises:
            OptionError: a name is not free, or one is missing.
            WeightError, ShapeError: the values do not fit.
        """
        return self.rebind(values)

    def save(self, folder: Any, *, progress: Progress = silent) -> None:
        """Write circuits (Cirq JSON), decoding and report into a folder, whole or not at all.

        The folder then holds `circuits/<number>.json`, `decoding.json`, `report.json`, `report.md`,
        `report.html` and `chip.svg` (one for each structure, and `chip.png` where CairoSVG is installed).

        Raises:
            OutputError: the folder cannot be written.
        """
        with cirq_results.no_garbage_collection():
            files = self._files(progress)
        write_folder(folder, files)

    def decoding(self) -> dict[str, Any]:
        """The read-outs as plain data, with the rule that decodes them."""
        total = len(self._places)
        entries = []
        for readout in self.readouts:
            entries.append(
                {
                    "circuit": _file_name(readout.circuit, total),
                    "position": list(readout.position),
                    "observable": {str(q): "Z" for q in readout.observable},
                    "scale": readout.scale,
                    "offset": readout.offset,
                    "postselect": {str(q): bit for q, bit in readout.postselect.items()},
                    "pairs": [[str(q) for q in pair] for pair in readout.pairs],
                }
            )
        rule = (
            "value = scale * <product of the observable's Paulis> + offset, where a shot with another bit "
            "than one of postselect counts 0, and each of pairs read as 1 1 turns its sign around; "
            "shots come under measurement_key"
        )
        return {
            "rule": rule,
            "measurement_key": cirq_results.READ_KEY,
            "output_shape": list(self.shape),
            "readouts": entries,
        }

    def _files(self, progress: Progress) -> dict[str, bytes | str]:
        total = len(self.circuits)
        files = self.report.files() | {"decoding.json": json.dumps(self.decoding(), indent=1) + "\n"}
        writer = cirq_results.JsonWriter()
        for i, circuit in enumerate(self.circuits):
            files[_file_name(i, total)] = writer.text(circuit)
            progress("write", i + 1, total)
        return files

    def _decode(self, expectations: Sequence[Floats]) -> tuple[Floats, Floats]:
        """Outputs and scales in the shape of the output, from the expectations of each unit's read-outs."""
        flat, scales = np.empty(len(self.positions)), np.empty(len(self.positions))
        for unit, means in zip(self.units, expectations, strict=True):
            batch = unit.batch
            flat[batch.position] = batch.scale * means + batch.offset
            scales[batch.position] = batch.scale
        return flat.reshape(self.output_shape), scales.reshape(self.output_shape)

    def _sample(self, shots: int, sampler: Any, progress: Progress) -> Estimate:
        sampler = cirq_results.check_sampler(sampler)
        by_unit = {id(unit): np.zeros((2, len(unit.batch.position))) for unit in self.units}
        bits = cirq_results.sampled_bits(self.circuits, sampler, shots, progress)
        for shot_bits, (unit, member) in zip(bits, self._places, strict=True):
            observables, which = unit.batch.reads
            reads = np.flatnonzero(unit.batch.member == member)
            needed, place = np.unique(which[reads], return_inverse=True)
            counts = np.stack([observables[k].counts(shot_bits) for k in needed])
            found = np.stack([counts.mean(axis=1), (counts**2).mean(axis=1)])
            by_unit[id(unit)][:, reads] = found[:, place]
        values, scales = self._decode([by_unit[id(unit)][0] for unit in self.units])
        spread = np.empty(len(self.positions))
        for unit in self.units:
            mean, square = by_unit[id(unit)]
            spread[unit.batch.position] = square - mean**2
        # Unbiased variance of the mean. One shot says nothing about its spread: the largest there is.
        error = np.sqrt(spread / (shots - 1)) if shots > 1 else np.ones(len(spread))
        return Estimate(values, np.abs(scales) * error.reshape(self.output_shape), shots)


def _virtual_machine(name: str, noisy: bool) -> Any:
    """The sampler of a machine; None, for an ideal one, if it is not to be noisy."""
    from qattn_compiler import targets
    from qattn_compiler.errors import TargetError

    target = targets.get(name)
    if not noisy:
        return None
    if target.noisy_sampler is None:
        raise TargetError(f"there is no noisy virtual machine of {name}")
    return target.noisy_sampler()


def moments(unit: Unit) -> tuple[Floats, Floats]:
    """Exact expectations of what each read-out of a bound unit counts, and of its square: shape (readouts,)
    each."""
    batch = unit.batch
    if not batch.observables:
        means = unit.expectations()[batch.member]
        return means, np.ones_like(means)
    observables, which = batch.reads
    size = len(unit.observed)
    bits = (np.arange(2**size)[:, None] >> np.arange(size)[::-1]) & 1
    counts = np.stack([one.counts(bits) for one in observables])
    found = probabilities(unit.states(), unit.observed)
    return (found @ counts.T)[batch.member, which], (found @ (counts**2).T)[batch.member, which]


def outputs_of(units: Sequence[Unit], count: int) -> Floats:
    """All outputs of bound units, decoded from exact expectations, shape (count,)."""
    out = np.zeros(count)
    for unit in units:
        out[unit.batch.position] = unit.batch.scale * moments(unit)[0] + unit.batch.offset
    return out


def _file_name(index: int, total: int) -> str:
    return f"circuits/{index:0{max(4, len(str(total - 1)))}d}.json"


def _check_shots(shots: Any) -> int:
    if isinstance(shots, bool) or not isinstance(shots, (int, np.integer)) or not 1 <= shots <= MAX_SHOTS:
        raise OptionError(f"shots is {shots!r}; a whole number from 1 to {MAX_SHOTS} was expected")
    return int(shots)
