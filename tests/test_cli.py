"""The command line: what a user types, hostile input included. Every error: typed, placed, code 2, no
traceback."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from typer.testing import CliRunner

from qattn_compiler.cli import app, parse_choice
from qattn_compiler.errors import OptionError

EXPRESSION = "softmax(Q @ K.T / sqrt(d)) @ V"


def run(*arguments: object):
    """Run `qattn` in this process; (exit code, stdout, stderr)."""
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def head(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    arrays = {name: rng.normal(size=(4, 3)).astype(np.float32) for name in ("Q", "K", "V")}
    path = tmp_path / "head.safetensors"
    save_file(arrays, path)
    return path


def assert_refused(tmp_path: Path, *arguments: object, says: str | tuple[str, ...]) -> str:
    """Exit code 2, a message with these words, no traceback, no output folder."""
    out = tmp_path / "refused"
    code, _, stderr = run("compile", "-o", out, *arguments)
    assert code == 2, stderr
    for word in (says,) if isinstance(says, str) else says:
        assert word in stderr
    assert "Traceback" not in stderr
    assert not out.exists()
    assert not list(tmp_path.glob("*refused*"))
    return stderr


# -- what works


def test_compile_writes_a_whole_folder(tmp_path, head):
    out = tmp_path / "out"
    code, stdout, _ = run("compile", EXPRESSION, "--weights", head, "--rows", "0,2", "-o", out)
    assert code == 0
    assert "6 numbers from 6 circuits" in stdout
    assert "verified" in stdout
    names = {p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file()}
    circuits = {f"circuits/{i:04d}.json" for i in range(6)}
    assert names - {"chip.png"} == circuits | {
        *("decoding.json", "report.json", "report.md", "report.html", "chip.svg")
    }


def test_saved_circuits_decode_to_the_reference_without_our_help(tmp_path, head):
    import cirq
    from safetensors.numpy import load_file

    out = tmp_path / "out"
    assert run("compile", EXPRESSION, "--weights", head, "--rows", "1", "-o", out)[0] == 0
    decoding = json.loads((out / "decoding.json").read_text())
    w = {k: v.astype(float) for k, v in load_file(head).items()}
    scores = w["Q"] @ w["K"].T / np.sqrt(3)
    weights = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    expected = weights @ w["V"]
    for entry in decoding["readouts"]:
        circuit = cirq.drop_terminal_measurements(cirq.read_json(out / entry["circuit"]))
        labels = {str(q): q for q in circuit.all_qubits()}
        z = cirq.PauliString({labels[name]: cirq.Z for name in entry["observable"]})
        mean = cirq.Simulator(dtype=np.complex128).simulate_expectation_values(circuit, [z])[0].real
        value = entry["scale"] * mean + entry["offset"]
        assert value == pytest.approx(expected[tuple(entry["position"])], abs=1e-9)


def test_json_for_machines(head):
    code, stdout, _ = run("compile", EXPRESSION, "--weights", head, "--components", "0:1", "--json")
    data = json.loads(stdout)
    assert code == 0
    assert data["circuits"] == 4
    assert data["verification"]["passed"] is True


def test_npz_and_a_sum(tmp_path):
    path = tmp_path / "w.npz"
    np.savez(path, w=np.array([1.0, -2.0, 0.5]), x=np.array([3.0, 1.0, -1.0]))
    code, stdout, _ = run("compile", "sum(w[i] * relu(x[i]) for i in range(n))", "--weights", path)
    assert code == 0
    assert "1 numbers from 1 circuits" in stdout


def test_a_bert_style_model(tmp_path):
    rng = np.random.default_rng(1)
    arrays = {}
    for role in ("query", "key", "value"):
        prefix = f"bert.encoder.layer.0.attention.self.{role}"
        arrays[f"{prefix}.weight"] = rng.normal(size=(8, 8)).astype(np.float32)
        arrays[f"{prefix}.bias"] = rng.normal(size=8).astype(np.float32)
    save_file(arrays, tmp_path / "model.safetensors")
    save_file({"hidden_states": rng.normal(size=(4, 8)).astype(np.float32)}, tmp_path / "h.safetensors")
    (tmp_path / "config.json").write_text('{"num_attention_heads": 2}')
    code, stdout, _ = run(
        *("compile", "--weights", tmp_path / "model.safetensors", "--layer", 0, "--head", 1),
        *("--hidden", tmp_path / "h.safetensors", "--rows", 0),
    )
    assert code == 0
    assert "4 numbers from 4 circuits" in stdout


def test_the_embedded_example():
    code, stdout, _ = run("compile", "--example", "minilm", "--rows", 0, "--components", "0,1")
    assert code == 0
    assert "2 numbers from 2 circuits" in stdout


def test_listings():
    assert "google.willow" in run("targets")[1]
    assert "merge-rotations" in run("passes")[1]
    assert "google.willow" in json.loads(run("targets", "--json")[1])


def test_transpile_qasm_to_json(tmp_path):
    import cirq

    source, out = tmp_path / "in.qasm", tmp_path / "out.json"
    source.write_text(
        'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[3];\n'
        "h q[0];\ncx q[0],q[1];\ncx q[0],q[2];\nccx q[0],q[1],q[2];\n"
    )
    code, stdout, _ = run("transpile", source, "-O3", "-o", out, "--json")
    assert code == 0
    assert json.loads(stdout)["passed"] is True
    assert isinstance(cirq.read_json(out), cirq.Circuit)


def test_choices_of_rows():
    assert parse_choice("--rows", None) is None
    assert parse_choice("--rows", "0,3,-1") == [0, 3, -1]
    assert parse_choice("--rows", "1:8:2") == slice(1, 8, 2)
    assert parse_choice("--rows", ":4") == slice(None, 4)
    for bad in ("a", "1,,2", "", "1:2:3:4", "1;2", "0x1"):
        with pytest.raises(OptionError, match="indices such as"):
            parse_choice("--rows", bad)


# -- hostile text

HOSTILE = {
    "import": "__import__('os').system('true')",
    "attribute": "Q.__class__",
    "lambda": "(lambda: 0)()",
    "nesting": "(" * 200 + "Q" + ")" * 200,
    "huge power": "Q @ K.T ** 9**9**9 @",
    "brackets": "[" * 1_000_000,
    "minus signs": "-" * 50_000 + "Q",
    "null byte": "Q \x00 @ V",
    "empty": "",
    "statement": "x = Q @ V",
    "two lines": "Q @ V\nimport os",
    "unfinished": "softmax(Q @ ",
    "string": "'Q' @ V",
    "walrus": "(y := Q) @ V",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_text(tmp_path, head, text):
    message = assert_refused(tmp_path, "--weights", head, "--", text, says="parse error")
    assert len(message) < 5000


def test_a_huge_power_is_not_computed(tmp_path, head):
    assert_refused(tmp_path, "Q @ (K.T * 9**9**9)", "--weights", head, says=("weight error", "387420489"))
    assert_refused(tmp_path, f"Q @ (K.T * {'9' * 5000})", "--weights", head, says="error")


def test_an_unknown_function_names_the_nearest(tmp_path, head):
    message = assert_refused(tmp_path, "sofmax(Q @ K.T) @ V", "--weights", head, says=("sofmax", "softmax"))
    assert "^" in message


def test_what_is_no_weighted_sum(tmp_path, head):
    assert_refused(tmp_path, "relu(Q @ K.T)", "--weights", head, says=("lowering error", "relu"))


# -- bad weights


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite(tmp_path, bad):
    arrays = {name: np.ones((4, 3)) for name in ("Q", "K", "V")}
    arrays["K"][2, 1] = bad
    np.savez(tmp_path / "w.npz", **arrays)
    assert_refused(tmp_path, EXPRESSION, "--weights", tmp_path / "w.npz", says=("weight error", "K"))


def test_shapes_that_do_not_fit(tmp_path):
    np.savez(tmp_path / "w.npz", Q=np.ones((4, 3)), K=np.ones((4, 2)), V=np.ones((4, 3)))
    message = assert_refused(tmp_path, EXPRESSION, "--weights", tmp_path / "w.npz", says="shape error")
    assert "^" in message


def test_a_name_without_weights(tmp_path):
    np.savez(tmp_path / "w.npz", Q=np.ones((4, 3)), K=np.ones((4, 3)))
    assert_refused(tmp_path, EXPRESSION, "--weights", tmp_path / "w.npz", says=("shape error", "V"))


def test_empty_arrays(tmp_path):
    np.savez(tmp_path / "w.npz", Q=np.ones((0, 3)), K=np.ones((0, 3)), V=np.ones((0, 3)))
    assert_refused(tmp_path, EXPRESSION, "--weights", tmp_path / "w.npz", says="weight error")


def test_truncated_safetensors(tmp_path, head):
    whole = head.read_bytes()
    for size in (0, 4, 8, 20, len(whole) // 2, len(whole) - 1):
        cut = tmp_path / "cut.safetensors"
        cut.write_bytes(whole[:size])
        assert_refused(tmp_path, EXPRESSION, "--weights", cut, says=("weight error", "cut.safetensors"))


def _header(entries: dict) -> bytes:
    text = json.dumps(entries).encode()
    return struct.pack("<Q", len(text)) + text


LIES = {
    "length": struct.pack("<Q", 2**62) + b"{}",
    "no json": struct.pack("<Q", 4) + b"oops",
    "beyond the end": _header({"Q": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}),
    "shape": _header({"Q": {"dtype": "F32", "shape": [1000], "data_offsets": [0, 16]}}) + bytes(16),
    "negative": _header({"Q": {"dtype": "F32", "shape": [-4], "data_offsets": [0, 16]}}) + bytes(16),
    "huge": _header({"Q": {"dtype": "F32", "shape": [2**40, 2**40], "data_offsets": [0, 16]}}) + bytes(16),
    "dtype": _header({"Q": {"dtype": "F99", "shape": [4], "data_offsets": [0, 16]}}) + bytes(16),
    "offsets": _header({"Q": {"dtype": "F32", "shape": [4], "data_offsets": [16, 0]}}) + bytes(16),
    "a list": struct.pack("<Q", 2) + b"[]",
    "nested": struct.pack("<Q", 20000) + b"[" * 20000,
}


@pytest.mark.parametrize("content", LIES.values(), ids=LIES.keys())
def test_lying_safetensors(tmp_path, content):
    path = tmp_path / "lie.safetensors"
    path.write_bytes(content)
    assert_refused(tmp_path, EXPRESSION, "--weights", path, says=("weight error", "lie.safetensors"))


def test_files_that_are_not_there_or_of_another_kind(tmp_path):
    assert_refused(tmp_path, EXPRESSION, "--weights", tmp_path / "no.safetensors", says="weight error")
    (tmp_path / "w.bin").write_bytes(b"x")
    assert_refused(tmp_path, EXPRESSION, "--weights", tmp_path / "w.bin", says=(".safetensors", ".npz"))
    (tmp_path / "w.npz").write_bytes(b"PK\x03\x04 not a zip")
    assert_refused(tmp_path, EXPRESSION, "--weights", tmp_path / "w.npz", says="weight error")


# -- options


def test_unknown_names(tmp_path, head):
    said = assert_refused(
        tmp_path, EXPRESSION, "--weights", head, "--target", "google.wilow", says="target error"
    )
    assert "google.willow" in said
    assert_refused(
        tmp_path, EXPRESSION, "--weights", head, "--encoding", "phase", says=("amplitude", "angle")
    )
    assert_refused(tmp_path, "--example", "maxilm", says=("option error", "minilm"))
    assert_refused(tmp_path, EXPRESSION, "--weights", head, "-O", 7, says="optimization level")


@pytest.mark.parametrize("rows", ["9", "-5", "0,0", "x"])
def test_rows_that_are_not_there(tmp_path, head, rows):
    assert_refused(tmp_path, EXPRESSION, "--weights", head, f"--rows={rows}", says="option error")


def test_no_weights_and_both(tmp_path, head):
    assert_refused(tmp_path, EXPRESSION, says="--weights FILE or --example")
    assert_refused(tmp_path, "--weights", head, "--example", "minilm", says="--weights FILE or --example")
    assert_refused(tmp_path, "--weights", head, says="give the expression")


def test_output_that_cannot_be_written(tmp_path, head):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    for out in (blocked, blocked / "below", Path("/proc/qattn-out")):
        code, _, stderr = run("compile", EXPRESSION, "--weights", head, "-o", out)
        assert code == 2
        assert "output error" in stderr
        assert str(out) in stderr
    assert blocked.read_text() == "in the way"


def test_a_folder_of_somebody_else_is_not_touched(tmp_path, head):
    theirs = tmp_path / "thesis"
    theirs.mkdir()
    (theirs / "chapter1.tex").write_text("precious")
    code, _, stderr = run("compile", EXPRESSION, "--weights", head, "-o", theirs)
    assert code == 2
    assert "output error" in stderr
    assert (theirs / "chapter1.tex").read_text() == "precious"


def test_errors_as_json(head):
    code, stdout, _ = run("compile", "relu(Q)", "--weights", head, "--json")
    assert code == 2
    assert json.loads(stdout)["error"] == "LoweringError"


def test_the_installed_command_prints_no_traceback(tmp_path):
    command = [sys.executable, "-m", "qattn_compiler", "compile", "__import__('os')", "--example", "minilm"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=120, check=False)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "parse error" in done.stderr
