"""A MiniLM attention row on the noisy Willow machine: what comes out, and how good the estimate of it is.

    python benchmarks/noisy_head.py                       # 8 tokens, row 0, all components of head 0
    python benchmarks/noisy_head.py --shots 40000 --components 4

Figures below: the first line, with the calibration of willow_pink that cirq-google 1.7 ships.

1. Decoded numbers. Every component of the row by noisy runs, with its error bar, beside the exact one. The
bars say how much shots scatter; the machine's own error is on top (4 000 runs: error 0.0187, bars 0.0126,
numbers 0.127, all root mean squares).

2. Estimated and simulated. The report's estimated fidelity is the probability that nothing goes wrong.
Against it stand two figures of Google's own noise model, by density matrices: the fidelity of the state
before read-out, and the slope of noisy expectations over exact ones, the factor by which decoded numbers
shrink. Estimated 0.937, state 0.905 (without read-out; the estimate without it is 0.945), slope 0.909. Why
they differ:

- Gates, 0.964 against 0.931 and 0.947. The model's CZ also turn by fixed wrong angles (`fsim_errors`), and
  such errors add up as amplitudes: five CZ of infidelity r on one coupling, as here on two of the three, may
  cost 25 r where the estimate has 5 r. Placement goes by the calibrated error, which on these couplings is
  no larger than the model's wrong angles alone. (That a calibrated error of a CZ cycle contains its pulses,
  which are then counted twice, makes no difference here: the noise model counts them twice, too. It will on
  the machine.)
- Waiting, 0.980 against 0.972 and 0.975. The estimate has T1 alone and takes t/T1, as if T2 were 2/3 T1. The
  model lets qubits wait after their last gate as well, the estimate does not.
- Read-out, 0.992 against a slope of 0.984. A flip with probability e takes 2 e from an expectation, not e;
  that the two flips are not equally likely is an offset, not a slope.

3. Dynamical decoupling: pulses in idle moments (`passes.circuit.decouple`, one a moment, since this machine
runs moment by moment). Google's model has no memory, so there is nothing that a pulse could undo, and each
costs its error: the fidelity of the state falls (0.9049, with XX 0.9031, with XY4 0.9033). The error of the
expectations falls too, if by little (0.0197, 0.0186, 0.0191): pulses also turn wrong angles around. Against
noise that is slow it works: in the last columns gates are perfect, but every qubit's frequency is off by an
amount that stays within a run and is drawn anew for each (normal, standard deviation sqrt(2) / T2*; T2* is
an assumption, no calibration has it). There XX and XY4 leave little more than a third of the error.

4. Exact and budgeted compiles (`max_error`). Columns: what leaving out changes by itself, what noise changes
by itself, both together without decoupling and with it, and both with shots (root mean squares). For 0.1 most
circuits here keep four of eight terms: 5 CZ for 13, fidelity 0.979 for 0.937, the machine's own error 0.0050
for 0.0167; what was left out is 0.0244. `objective="fidelity"` weighs the two against one another.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from time import perf_counter

import cirq
import cirq_google
import numpy as np
from cirq_google import engine

import qattn_compiler as qattn
from qattn_compiler.circuit.gates import GATES
from qattn_compiler.circuit.table import Builder, Circuit
from qattn_compiler.device import Device
from qattn_compiler.interop import cirq_io, cirq_results
from qattn_compiler.passes.circuit.decouple import Decouple
from qattn_compiler.report.profile import durations
from qattn_compiler.verify.simulate import expectation_z, simulate

EXPRESSION = "softmax(Q @ K.T / sqrt(d)) @ V"
MACHINE, PROCESSOR = "google.willow", "willow_pink"
NEVER = 1e15
"""Nanoseconds: a coherence time that is as good as none."""


def main() -> None:
    """Compile, sample, simulate, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tokens", type=int, default=8)
    parser.add_argument("--head", type=int, default=0)
    parser.add_argument("--row", type=int, default=0)
    parser.add_argument("--components", type=int, default=None, help="the first so many; all by default")
    parser.add_argument("--shots", type=int, default=4_000)
    parser.add_argument("-O", "--level", type=int, default=2)
    parser.add_argument("--budgets", type=float, nargs="*", default=[0.0, 0.01, 0.03, 0.1])
    parser.add_argument("--t2star", type=float, default=5_000.0, help="of the slow noise, nanoseconds")
    parser.add_argument("--draws", type=int, default=400, help="of the slow noise")
    parser.add_argument("--only", choices=["budgets", "heads"], help="tables 4 and 5, or 6")
    arguments = parser.parse_args()

    if arguments.only == "heads":
        print_heads(arguments.budgets)
        return
    weights = qattn.load_example(head=arguments.head, tokens=arguments.tokens)
    chosen = None if arguments.components is None else range(arguments.components)
    if arguments.only == "budgets":
        print_budgets(arguments, weights, chosen)
        return
    compiled = qattn.compile(
        EXPRESSION, weights, rows=[arguments.row], components=chosen, optimization_level=arguments.level
    )
    print_decoded(compiled, arguments.shots)
    print_estimate(compiled)
    print_decoupled(compiled, arguments)
    print_budgets(arguments, weights, chosen)
    print_heads(arguments.budgets)


def print_decoded(compiled: qattn.Compiled, shots: int) -> None:
    """Table 1."""
    begin = perf_counter()
    exact = compiled.evaluate().ravel()
    noisy = compiled.evaluate(shots=shots, sampler=MACHINE)
    values, bars = np.asarray(noisy).ravel(), noisy.standard_error.ravel()
    print(f"{len(exact)} numbers, {shots} runs each on the noisy {MACHINE}: {perf_counter() - begin:.1f} s\n")
    print(f"{'component':>9}{'exact':>10}{'noisy':>10}{'+-':>9}{'difference / +-':>19}")
    for k, (x, y, bar) in enumerate(zip(exact, values, bars, strict=True)):
        print(f"{k:>9}{x:>10.4f}{y:>10.4f}{bar:>9.4f}{(y - x) / bar:>17.2f}")
    size, error, bar = (np.sqrt((x**2).mean()) for x in (exact, values - exact, bars))
    print(f"root mean square: numbers {size:.4f}, error {error:.4f}, bars {bar:.4f}")


# -- estimated and simulated


@dataclass(frozen=True)
class Seen:
    """What a noise model does to some circuits.

    Attributes:
        fidelity: mean fidelity of the state before read-out.
        slope, offset: noisy expectation = slope * exact one + offset, by least squares over the circuits.
        error: root mean square of the differences of the expectations.
    """

    fidelity: float
    slope: float
    offset: float
    error: float


def seen(circuits: Iterable[cirq.Circuit], model: cirq.NoiseModel, exact: Sequence[float]) -> Seen:
    """Simulate circuits with one measurement at their end on density matrices."""
    states, noisy = [], []
    simulator = cirq.DensityMatrixSimulator(dtype=np.complex128)
    for circuit in circuits:
        qubits = sorted(circuit.all_qubits())
        ideal = circuit[:-1].final_state_vector(qubit_order=qubits)
        density = simulator.simulate(noisy_circuit(circuit[:-1], model, qubits), qubit_order=qubits)
        states.append((ideal.conj() @ density.final_density_matrix @ ideal).real)
        read = noisy_circuit(circuit, model, qubits)
        density = simulator.simulate(read, qubit_order=qubits).final_density_matrix
        (measured,) = circuit[-1].operations
        observable = cirq_results.z_product(measured.qubits)
        places = {q: i for i, q in enumerate(qubits)}
        noisy.append(observable.expectation_from_density_matrix(density, places).real)
    slope, offset = np.polyfit(exact, noisy, 1)
    error = np.sqrt(np.mean((np.array(noisy) - exact) ** 2))
    return Seen(float(np.mean(states)), float(slope), float(offset), float(error))


def noisy_circuit(circuit: cirq.Circuit, model: cirq.NoiseModel, qubits: Sequence[cirq.Qid]) -> cirq.Circuit:
    """The circuit with its noise, and without its measurements."""
    tree = model.noisy_moments(circuit.moments, qubits)
    return cirq.Circuit(op for op in cirq.flatten_to_ops(tree) if not cirq.is_measurement(op))


def noise(*, waiting: bool = True, readout: bool = True) -> cirq.NoiseModel:
    """Google's noise model, or parts of it. Without waiting, gates have the same errors as before."""
    properties = engine.load_device_noise_properties(PROCESSOR)
    if not waiting:
        properties = properties.with_params(t1_ns=NEVER, tphi_ns=NEVER)
    if not readout:
        properties = properties.with_params(readout_errors=(1e-12, 1e-12))
    return cirq_google.NoiseModelFromGoogleNoiseProperties(properties)


def print_estimate(compiled: qattn.Compiled) -> None:
    """Table 2."""
    exact = exact_means(compiled)
    gates = seen(compiled.circuits, noise(waiting=False, readout=False), exact)
    both = seen(compiled.circuits, noise(readout=False), exact)
    whole = seen(compiled.circuits, noise(), exact)
    (structure,) = compiled.report.data["structures"]
    success = structure["execution"]["profile"]["success"]
    lines = [
        ("gates", success["gates_1q"] * success["gates_2q"], gates.fidelity, gates.slope),
        ("waiting", success["idle"], both.fidelity / gates.fidelity, both.slope / gates.slope),
        ("read-out", success["readout"], None, whole.slope / both.slope),
        ("together", success["total"], both.fidelity, whole.slope),
    ]
    print(f"\n{'':<12}{'estimated':>10}{'state':>10}{'slope':>10}")
    for name, *figures in lines:
        print(f"{name:<12}" + "".join(f"{'':>10}" if f is None else f"{f:>10.4f}" for f in figures))
    print(f"offset of the observable {whole.offset:+.4f}; root mean square error {whole.error:.4f}")


def exact_means(compiled: qattn.Compiled) -> list[float]:
    """Exact expectation of each circuit's observable, in the order of the circuits."""
    simulator = cirq.Simulator()
    means = {}
    for readout in compiled.readouts:
        body = compiled.circuits[readout.circuit][:-1]
        means[readout.circuit] = simulator.simulate_expectation_values(body, readout.observable)[0].real
    return [means[k] for k in range(len(compiled.circuits))]


# -- decoupling


def print_decoupled(compiled: qattn.Compiled, arguments: argparse.Namespace) -> None:
    """Table 3."""
    (unit,) = compiled.units
    plain = [unit.fused.member(k) for k in members(compiled)]
    exact = exact_means(compiled)
    model, device = noise(), compiled.target.device
    print(f"\n{'decoupling':<12}{'pulses':>7}{'state':>10}{'slope':>10}{'error':>10}", end="")
    print(f"   slow noise: {'slope':>8}{'error':>10}")
    ways: list[tuple[str, Callable[[Circuit], Circuit]]] = [("none", lambda circuit: circuit)]
    ways += [(name, Decouple(device, name, spacing="moments").run) for name in ("xx", "xy4")]
    for name, way in ways:
        circuits = [way(circuit) for circuit in plain]
        written = [cirq_io.to_cirq(circuit, global_phase=False) for circuit in circuits]
        result = seen(written, model, exact)
        slow = [slow_mean(circuit, unit.observed, device, arguments) for circuit in written]
        slope, error = np.polyfit(exact, slow, 1)[0], np.sqrt(np.mean((np.array(slow) - exact) ** 2))
        added = len(circuits[0]) - len(plain[0])
        print(
            f"{name:<12}{added:>7}{result.fidelity:>10.4f}{result.slope:>10.4f}{result.error:>10.4f}"
            f"{'':>15}{slope:>8.4f}{error:>10.5f}"
        )


# -- exact and budgeted


@dataclass(frozen=True)
class Run:
    """One way to run a row on the noisy machine.

    Attributes:
        name: the budget and the decoupling sequence.
        values, bars: decoded numbers of a run with shots, and their standard errors.
    """

    name: str
    values: np.ndarray
    bars: np.ndarray


def print_budgets(arguments: argparse.Namespace, weights: object, components: range | None) -> None:
    """Tables 4 and 5: decoded numbers of exact and of budgeted compiles, on the noisy machine."""
    exact = None
    model = noise()
    runs: list[Run] = []
    print(f"\n{'':<28}{'by density matrices':>26}{'by shots':>18}")
    print(f"{'max_error':>9}{'CZ':>6}{'fidelity':>9}{'decoupling':>11}{'left out':>10}{'noise':>8}", end="")
    print(f"{'both':>8}{'error':>9}{'+-':>9}")
    for max_error in arguments.budgets:
        compiled = qattn.compile(
            EXPRESSION,
            weights,
            rows=[arguments.row],
            components=components,
            optimization_level=arguments.level,
            max_error=max_error,
        )
        clean = compiled.evaluate().ravel()
        exact = clean if exact is None else exact
        totals = compiled.report.data["totals"]
        mean = totals["gates_2q"] / totals["circuits"]
        fidelity = np.average(
            [unit.execution().fidelity for unit in compiled.units],
            weights=[unit.batch.circuits for unit in compiled.units],
        )
        for sequence in (None, "xx", "xy4"):
            circuits = spaced(compiled, sequence)
            found = decoded(compiled, circuits, model)
            name = sequence or "none"
            run = Run(f"{max_error:g} {name}", *sampled(compiled, circuits, arguments.shots))
            runs.append(run)
            print(
                f"{max_error:>9.3g}{mean:>6.1f}{fidelity:>9.4f}{name:>11}{rms(clean - exact):>10.4f}"
                f"{rms(found - clean):>8.4f}{rms(found - exact):>8.4f}"
                f"{rms(run.values - exact):>9.4f}{rms(run.bars):>9.4f}"
            )
    shown = [run for run in runs if not run.name.endswith("xy4")]
    print("\n" + f"{'':>3}{'exact':>8}" + "".join(f"{run.name:>19}" for run in shown))
    for k, number in enumerate(exact):
        numbers = (f"{run.values[k]:.4f} +- {run.bars[k]:.4f}" for run in shown)
        print(f"{k:>3}{number:>8.4f}" + "".join(f"{words:>19}" for words in numbers))


def rms(values: np.ndarray) -> float:
    """Root mean square."""
    return float(np.sqrt((np.asarray(values) ** 2).mean()))


def spaced(compiled: qattn.Compiled, sequence: str | None) -> list[cirq.Circuit]:
    """The circuits with a decoupling sequence in idle moments, or without."""
    if sequence is None:
        return list(compiled.circuits)
    device = compiled.target.device
    way = Decouple(device, sequence, spacing="moments")
    plain = (cirq_io.from_cirq(circuit, qubits=device.qubits) for circuit in compiled.circuits)
    return [cirq_io.to_cirq(way.run(circuit), global_phase=False) for circuit in plain]


def decoded(compiled: qattn.Compiled, circuits: Sequence[cirq.Circuit], model: cirq.NoiseModel) -> np.ndarray:
    """Output numbers by density matrices with noise."""
    simulator = cirq.DensityMatrixSimulator(dtype=np.complex128)
    out = np.empty(len(compiled.readouts))
    for number, readout in enumerate(compiled.readouts):
        circuit = circuits[readout.circuit]
        qubits = sorted(circuit.all_qubits())
        density = simulator.simulate(noisy_circuit(circuit, model, qubits), qubit_order=qubits)
        places = {q: i for i, q in enumerate(qubits)}
        mean = readout.observable.expectation_from_density_matrix(density.final_density_matrix, places).real
        out[number] = readout.scale * mean + readout.offset
    return out


def sampled(
    compiled: qattn.Compiled, circuits: Sequence[cirq.Circuit], shots: int
) -> tuple[np.ndarray, np.ndarray]:
    """Output numbers by runs of the noisy virtual machine, and their standard errors."""
    again = replace(compiled)
    again.__dict__["circuits"] = tuple(circuits)  # where the cached property keeps them
    estimate = again.evaluate(shots=shots, sampler=MACHINE)
    return np.asarray(estimate).ravel(), estimate.standard_error.ravel()


def print_heads(budgets: Sequence[float]) -> None:
    """Table 6: what a budget saves on all heads of the embedded example."""
    print(f"\n{'tokens':>6}{'max_error':>10}{'mean CZ':>9}{'fidelity':>10}  CZ: circuits")
    for tokens in (8, 16, 32):
        for max_error in budgets:
            counts: Counter[int] = Counter()
            fidelity = 0.0
            for head in (0, 3, 7, 11):
                weights = qattn.load_example(head=head, tokens=tokens)
                for unit in qattn.compile(EXPRESSION, weights, max_error=max_error).units:
                    counts[unit.metrics().gates_2q] += unit.batch.circuits
                    fidelity += unit.execution().fidelity * unit.batch.circuits
            total = counts.total()
            mean = sum(gates * count for gates, count in counts.items()) / total
            words = ", ".join(f"{gates}: {count}" for gates, count in sorted(counts.items()))
            print(f"{tokens:>6}{max_error:>10.3g}{mean:>9.1f}{fidelity / total:>10.3f}  {words}")


def members(compiled: qattn.Compiled) -> list[int]:
    """The unit's member behind each circuit."""
    (unit,) = compiled.units
    first = {int(m): int(p) for m, p in zip(unit.batch.member[::-1], unit.batch.position[::-1], strict=True)}
    return sorted(first, key=first.__getitem__)


def slow_mean(
    circuit: cirq.Circuit, observed: Sequence[int], device: Device, arguments: argparse.Namespace
) -> float:
    """Mean of the observable if every qubit turns about Z at a rate of its own, drawn for each run."""
    rng = np.random.default_rng(0)  # the same draws for all circuits
    qubits = sorted(circuit.all_qubits())
    index = [device.qubits.index(q) for q in qubits]
    rate = rng.normal(0.0, np.sqrt(2) / arguments.t2star, (arguments.draws, len(qubits)))
    builder = Builder(device.qubits)
    turns: list[tuple[int, int, float]] = []
    for moment in circuit[:-1]:
        part = cirq_io.from_cirq(cirq.Circuit(moment))
        number = [device.qubits.index(q) for q in part.qubits]
        for row in range(len(part)):
            gate = GATES[part.op[row]]
            operands = [number[q] for q in part.operands[row, : gate.num_qubits]]
            builder.add(gate.name, operands, part.angles[row, : gate.num_angles].tolist())
        length = float(durations(part, device).max())
        for k, q in enumerate(index):
            turns.append((len(builder), k, length))
            builder.add("rz", [q], [0.0])
    slow = builder.build()
    angles = np.repeat(slow.angles[None], arguments.draws, axis=0)
    for row, k, length in turns:
        angles[:, row, 0] = rate[:, k] * length
    return float(expectation_z(simulate(slow, angles), observed).mean())


if __name__ == "__main__":
    main()
