"""`qattn ...`: reads arguments, calls the API, prints. Everything heavy is imported when a command runs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from qattn_compiler.errors import OptionError, QattnError

DEFAULT_EXPRESSION = "softmax(Q @ K.T / sqrt(d)) @ V"

app = typer.Typer(
    name="qattn",
    help="Compile attention expressions with trained weights to verified, hardware-ready Cirq circuits.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")]
Level = Annotated[
    int, typer.Option("-O", "--optimization-level", help="0 none, 1 light, 2 default, 3 everything.")
]
Seed = Annotated[int, typer.Option(help="Seed of placement and routing.")]
TargetName = Annotated[str, typer.Option("--target", "-t", help="Machine; `qattn targets` lists them.")]


@app.command("compile")
def compile_command(
    expression: Annotated[
        str | None,
        typer.Argument(help=f'The expression. Default: "{DEFAULT_EXPRESSION}".', show_default=False),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(help=".safetensors or .npz with the expression's names, or a BERT-style model."),
    ] = None,
    example: Annotated[str | None, typer.Option(help="Use weights that the package ships: minilm.")] = None,
    target: TargetName = "google.willow",
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Folder for circuits and report.")
    ] = None,
    encoding: Annotated[
        str,
        typer.Option(
            help="amplitude, coherent, coherent-state, unary, block, lcu, hadamard, qcrank, swap, "
            "swap-ancilla (all exact), auto (the cheapest of them on the target), or angle."
        ),
    ] = "amplitude",
    level: Level = 2,
    seed: Seed = 0,
    rows: Annotated[
        str | None, typer.Option(help="Rows to compile, such as 0,3 or 0:8. Default: all.")
    ] = None,
    components: Annotated[str | None, typer.Option(help="Columns to compile. Default: all.")] = None,
    layer: Annotated[int | None, typer.Option(help="Layer of a BERT-style model.")] = None,
    head: Annotated[
        int | None, typer.Option(help="Attention head of a BERT-style model or of the example.")
    ] = None,
    hidden: Annotated[
        Path | None, typer.Option(help="Hidden states that enter the layer, tokens x width.")
    ] = None,
    hidden_key: Annotated[str | None, typer.Option(help="Which array of the hidden states' file.")] = None,
    num_heads: Annotated[int | None, typer.Option(help="Number of heads, if no config.json says it.")] = None,
    tokens: Annotated[int | None, typer.Option(help="Sentence length of the example: 8, 16 or 32.")] = None,
    verify: Annotated[bool, typer.Option(help="Prove the result.")] = True,
    error: Annotated[float, typer.Option(help="Standard error that shots are planned for.")] = 0.01,
    max_error: Annotated[
        float, typer.Option(help="How far an output may be from the exact one, to save gates.")
    ] = 0.0,
    objective: Annotated[str, typer.Option(help="What to save: count, depth or fidelity.")] = "count",
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Compile an expression and its weights; write circuits, decoding and report."""
    with failing(as_json):
        from qattn_compiler import targets

        targets.check_name(target)
        chosen_rows, chosen_components = (
            parse_choice("--rows", rows),
            parse_choice("--components", components),
        )
        if output is not None:
            from qattn_compiler.report.files import check_writable

            check_writable(output)
        text, values = _source(
            expression, weights, example, layer, head, hidden, hidden_key, num_heads, tokens
        )
        from qattn_compiler.compile import check_options, compile  # noqa: A004

        check_options(encoding, level, seed, error)
        with showing(quiet or as_json) as progress:
            compiled = compile(
                text,
                values,
                target=target,
                encoding=encoding,
                optimization_level=level,
                seed=seed,
                rows=chosen_rows,
                components=chosen_components,
                verify=verify,
                error=error,
                max_error=max_error,
                objective=objective,
                progress=progress,
            )
            if output is not None:
                compiled.save(output, progress=progress)
        _print_compiled(compiled, output, as_json, quiet)


def _source(
    expression: str | None,
    weights: Path | None,
    example: str | None,
    layer: int | None,
    head: int | None,
    hidden: Path | None,
    hidden_key: str | None,
    num_heads: int | None,
    tokens: int | None,
) -> tuple[str, Any]:
    """The expression and its weights."""
    if (weights is None) == (example is None):
        raise OptionError("give the weights: either --weights FILE or --example minilm")
    if weights is None:
        assert example is not None
        from qattn_compiler.frontends.example import load_example

        extra = {"head": head, "tokens": tokens}
        return expression or DEFAULT_EXPRESSION, load_example(
            example, **{name: value for name, value in extra.items() if value is not None}
        )
    from qattn_compiler.frontends.from_text import parse
    from qattn_compiler.frontends.weights import load_weights

    if expression is None and layer is None:
        raise OptionError("give the expression, or --layer and --head of a BERT-style model")
    if expression is not None:
        parse(expression)  # a mistake in the text should not wait for the file
    loaded = load_weights(
        weights, layer=layer, head=head, hidden=hidden, hidden_key=hidden_key, num_heads=num_heads
    )
    return expression or DEFAULT_EXPRESSION, loaded


def parse_choice(option: str, text: str | None) -> list[int] | slice | None:
    """`0,3,5` or `0:8` or `2:` as indices.

    Raises:
        OptionError: it is neither.
    """
    if text is None:
        return None
    try:
        if ":" in text:
            bounds = [int(part) if part.strip() else None for part in text.split(":")]
            if len(bounds) > 3:
                raise ValueError
            return slice(*bounds)
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise OptionError(f"{option} {text!r}: indices such as 0,3 or 0:8 were expected") from None


def _print_compiled(compiled: Any, output: Path | None, as_json: bool, quiet: bool) -> None:
    data = compiled.report.data
    totals, proof = data["totals"], data["verification"]
    if as_json:
        print(
            json.dumps(
                {
                    **totals,
                    "shots": data["shots"],
                    "seconds": data["seconds"],
                    "verification": proof,
                    "output": None if output is None else str(output),
                }
            )
        )
        return
    if quiet:
        return
    fidelity = totals["fidelity_min"]
    duration = totals["duration_ns_max"]
    lines = [
        f"{data['expression']}  ->  {data['target']['name']}",
        f"  {totals['outputs']} numbers from {totals['circuits']} circuits "
        f"in {sum(data['seconds'].values()):.1f} s, {len(data['structures'])} structures compiled",
        f"  at most {totals['gates_2q_max']} two-qubit gates, depth {totals['depth_max']}, "
        f"{'unknown' if duration is None else f'{duration:.0f} ns'}, "
        f"estimated fidelity {'unknown' if fidelity is None else f'{fidelity:.3f}'}",
        "  {per_circuit_max} shots a circuit for a standard error of {error}".format(**data["shots"]),
        "  verified: " + _proof_line(proof),
    ]
    lines += [f"  note: {note}" for note in data["notes"]]
    if output is not None:
        lines.append(f"  written to {output}: circuits/, decoding.json, report (md, json, html), chip")
    print("\n".join(lines))


def _proof_line(proof: dict[str, Any]) -> str:
    if proof["passed"] is None:
        return "no"
    return f"largest error of a decoded number {proof['error']:.1e}"


@app.command("transpile")
def transpile_command(
    source: Annotated[Path, typer.Argument(help="A circuit: .qasm (OpenQASM 2 or 3) or Cirq .json.")],
    target: TargetName = "google.willow",
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Where to write it (.json or .qasm).")
    ] = None,
    level: Level = 2,
    seed: Seed = 0,
    atol: Annotated[float, typer.Option(help="Rotations up to this angle (radians) are dropped.")] = 1e-8,
    objective: Annotated[str, typer.Option(help="What to save: count, depth or fidelity.")] = "count",
    effort: Annotated[str, typer.Option(help="usual; or long: level 3 searches much longer.")] = "usual",
    verify: Annotated[bool, typer.Option(help="Prove the result where it is small enough.")] = True,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Bring any circuit onto a machine."""
    with failing(as_json):
        from qattn_compiler import targets

        targets.check_name(target)
        if output is not None and output.suffix not in (".json", ".qasm"):
            raise OptionError(f"{output}: a name ending in .json or .qasm was expected")
        from qattn_compiler.interop.cirq_files import read_circuit, write_circuit
        from qattn_compiler.transpile import transpile

        circuit = read_circuit(source)
        with showing(quiet or as_json) as show:
            result = transpile(
                circuit,
                target=target,
                optimization_level=level,
                seed=seed,
                atol=atol,
                objective=objective,
                effort=effort,
                verify=verify,
                progress=show,
            )
        if output is not None:
            write_circuit(output, result.circuit)
        if as_json:
            print(json.dumps(result.summary() | _layouts(result)))
        elif not quiet:
            print(result.report.to_markdown())


def _layouts(result: Any) -> dict[str, dict[str, str]]:
    """Where qubits start and end, as text."""
    layouts = {"initial_layout": result.initial_layout, "final_layout": result.final_layout}
    return {name: {str(q): str(place) for q, place in layout.items()} for name, layout in layouts.items()}


@app.command("verify")
def verify_command(
    first: Annotated[Path, typer.Argument(help="A circuit: .qasm (OpenQASM 2 or 3) or Cirq .json.")],
    second: Annotated[Path, typer.Argument(help="Another, on as many qubits or more.")],
    initial_layout: Annotated[
        str | None,
        typer.Option(
            help='Where qubits of the first start on the second: \'{"q_0": "q(3, 4)", ...}\', or such a list '
            "in the order of the first's qubits, or a .json file with one of them (or with "
            '"initial_layout" and "final_layout", as `qattn transpile --json` prints).'
        ),
    ] = None,
    final_layout: Annotated[
        str | None, typer.Option(help="Where they end; like --initial-layout if not given.")
    ] = None,
    tolerance: Annotated[float, typer.Option(help="What the two may differ by.")] = 1e-7,
    seed: Annotated[int, typer.Option(help="Seed of random states and parameter values.")] = 0,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Say whether two circuits mean the same: code 0 if so, 1 if not, 3 if it could not be decided."""
    with failing(as_json):
        layouts = {
            f"{name}_layout": _read_layout(name, text)
            for name, text in (("initial", initial_layout), ("final", final_layout))
        }
        from qattn_compiler.interop.cirq_verify import verify

        found = verify(first, second, **layouts, tolerance=tolerance, seed=seed)
        if as_json:
            print(json.dumps(found.to_dict()))
        elif not quiet:
            print(found.describe())
    if found.equal is not True:
        raise typer.Exit(1 if found.equal is False else 3)


def _read_layout(which: str, text: str | None) -> Any:
    """A layout from JSON, or from a file with it.

    Raises:
        OptionError: it is neither.
    """
    if text is None:
        return None
    option = f"--{which}-layout"
    try:
        found = json.loads(Path(text).read_text(encoding="utf-8") if text.endswith(".json") else text)
    except (OSError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise OptionError(f"{option} {text}: {error}", hint='JSON such as \'{"q_0": "q_3"}\'') from None
    if isinstance(found, dict):
        found = found.get(f"{which}_layout", found)
    if not isinstance(found, dict | list) or any(isinstance(q, dict | list) for q in found):
        raise OptionError(f"{option} {text}: an object or a list of qubits was expected")
    return found


@app.command("targets")
def targets_command(as_json: AsJson = False) -> None:
    """List the machines."""
    from qattn_compiler import targets

    listed = targets.names()
    print(json.dumps(listed) if as_json else "\n".join(f"{name:<20} {line}" for name, line in listed.items()))


@app.command("passes")
def passes_command(as_json: AsJson = False) -> None:
    """List the passes."""
    from qattn_compiler import passes

    listed = {name: _first_line(cls) for name, cls in passes.registry().items()}
    print(json.dumps(listed) if as_json else "\n".join(f"{name:<22} {line}" for name, line in listed.items()))


def _first_line(cls: type) -> str:
    return (cls.__doc__ or "").strip().splitlines()[0].replace(" (module docstring)", "")


@app.command("warmup")
def warmup_command(quiet: Quiet = False) -> None:
    """Compile the kernels now, so that the next run starts fast."""
    with failing(False):
        from qattn_compiler import kernel_cache

        every = tuple(kernel_cache.MODULES)
        cold = kernel_cache.is_cold(every)
        with showing(quiet) as show:
            kernel_cache.warm(every, show)
        if not quiet:
            print("kernels compiled" if cold else "kernels were compiled already")


@contextmanager
def failing(as_json: bool) -> Iterator[None]:
    """Turn our errors into a message and exit code 2."""
    try:
        yield
    except QattnError as error:
        if as_json:
            print(json.dumps({"error": type(error).__name__, "message": str(error)}))
        fail(f"{_kind(error)}: {error}")
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        raise typer.Exit(130) from None


def _kind(error: QattnError) -> str:
    return type(error).__name__.removesuffix("Error").lower() + " error"


def fail(message: str) -> NoReturn:
    """Say it on stderr and leave with code 2."""
    print(message, file=sys.stderr)
    raise typer.Exit(2)


@contextmanager
def showing(quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    """A progress bar at a terminal; in a pipe, only the word that kernels are being compiled."""
    from qattn_compiler import progress

    if quiet:
        yield progress.silent
    elif sys.stderr.isatty():
        with progress.bar() as show:
            yield show
    else:
        yield _say_kernels


def _say_kernels(stage: str, done: int, total: int) -> None:
    from qattn_compiler.kernel_cache import MESSAGE

    if stage == MESSAGE and done == 0:
        print(MESSAGE, file=sys.stderr)


def main() -> None:
    """Entry point of the `qattn` command."""
    app()
