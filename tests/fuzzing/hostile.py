"""What strangers send: texts and files that were valid once. Only QattnErrors may come out."""

from __future__ import annotations

import io
import json
import os
import tempfile
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

import cirq
import numpy as np
from helpers import random_circuit

from fuzzing import circuits
from fuzzing.choices import Choices
from fuzzing.mutate import mutated, reshaped
from qattn_compiler import passes, targets
from qattn_compiler.circuit.text import from_text, to_text
from qattn_compiler.frontends import parse
from qattn_compiler.frontends.weights import check_weights, load_weights
from qattn_compiler.interop import cirq_files
from qattn_compiler.interop.cirq_read import read
from qattn_compiler.job import ENCODINGS, choose, read_job
from qattn_compiler.targets import files
from qattn_compiler.verify.reference import reference

# -- expressions ---------------------------------------------------------------------------------------------

EXPRESSIONS = (
    "softmax(Q @ K.T / sqrt(d)) @ V",
    "softmax(mask(Q @ K.T / sqrt(d), causal)) @ V",
    "softmax(mask(Q @ K.T, M)) @ V",
    "phi(Q) @ (phi(K).T @ V)",
    "2 * (softmax(Q @ K.T) @ V) - V",
    "concat(softmax(Q[0] @ K[0].T) @ V[0], softmax(Q[1] @ K[1].T) @ V[1])",
    "(softmax(Q @ K.T) @ V)[0]",
    "sum(Q * K, axis=1)",
    "sum(w[i] * relu(x[i]) for i in range(n))",
    "sum(w[i] * V[i, :] for i in range(1, n)) / 3 + 2",
    "sum(w[i] * tanh(x[j]) * x[j] for i in range(n) for j in range(n))",
    'gelu(x, approximate="tanh") ** 2',
    "concat_heads(split_heads(Q, 2)) @ W",
    "where(x, maximum(w, 0), -1e-3)",
    "softmax(Q @ transpose(K), axis=-1) @ V[:, 0:2]",
)
TOKENS = (
    *("(", ")", "[", "]", " @ ", " * ", "**", "**-", " / ", " + ", "-", ".T", ",", ":", "=", "0", "1e999"),
    *("x", "Q", "K", "V", "w", "M", "d", "n", "i", "pi", "e", "inf", "nan", "causal", "True", "None"),
    *(
        "softmax(",
        "sum(",
        "mask(",
        "concat(",
        "exp(",
        "log(",
        "sqrt(",
        "phi(",
        "where(",
        "maximum(",
        "split_heads(",
    ),
    *(
        " for i in range(",
        " for j in range(n)",
        "axis=",
        "keepdims=True",
        "[0]",
        "[-1]",
        "[:, 0:2]",
        "[i]",
        "['a']",
    ),
    *(
        "lambda: 0",
        "__import__('os')",
        "{}",
        "{x}",
        "f''",
        "x if x else x",
        ":=",
        ";",
        "#",
        "\\",
        "'''",
        "é",
        "²",
    ),
)


def expression(c: Choices) -> bool:
    """Text that was an expression: refused, or written and read again the same."""
    made = parse(mutated(c, EXPRESSIONS, TOKENS))
    assert parse(str(made)) is made
    repr(made)
    return True


def job(c: Choices) -> bool:
    """An expression with weights of any shapes: refused, or weighted sums that have the reference's value."""
    text = mutated(c, EXPRESSIONS, TOKENS, 2)
    sizes = [c.between(1, 5) for _ in range(3)]
    shapes = {"Q": (0, 1), "K": (0, 1), "V": (0, 2), "W": (1, 2), "x": (0,), "w": (0,), "M": (0, 0)}
    if c.chance(15):
        shapes["Q"] = shapes["K"] = shapes["V"] = (2, 0, 1)
    if c.chance(15):
        shapes[c.pick(sorted(shapes))] = tuple(c.below(3) for _ in range(c.below(4)))
    rng = c.rng()
    size = 10.0 ** c.pick((0, 0, 0, -3, 2, 160, -160, 300))
    weights: dict[str, Any] = {
        name: rng.normal(size=[sizes[axis] for axis in axes]) * size for name, axes in shapes.items()
    }
    weights["M"] = np.tri(*weights["M"].shape[-2:]) if weights["M"].ndim > 1 else weights["M"]
    if c.chance(30):
        weights |= {"n": c.pick((sizes[0], 0, -1, 2.5, 10**9)), "d": c.pick((sizes[1], 0, -4))}
    encoding = c.pick(("amplitude", *ENCODINGS))
    made = read_job(parse(text), {}, weights, {}, encoding)
    choose(
        made,
        c.pick((None, 0, [0, 1], slice(1, None), -1, [7])),
        c.pick((None, 0, [-1], slice(None, None, 2))),
    )
    made.batches(made.values)
    if encoding == "angle":
        return True
    form = made.form(made.values)
    value = (form.weights * form.values).sum(axis=-1) + form.offset
    expected = reference(made.expr, made.values)
    parts = np.abs(form.weights * form.values).sum(axis=-1).max(initial=0.0)
    assert value.shape == np.shape(expected)
    np.testing.assert_allclose(value, expected, rtol=1e-7, atol=1e-9 * max(1.0, float(parts)))
    return True


# -- circuits ------------------------------------------------------------------------------------------------

QASM = (
    'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[3];\ncreg c[3];\nh q[0];\ncx q[0],q[1];\nrz(pi/4) q[2];\n'
    "ccx q[0],q[1],q[2];\nu3(0.1,-pi/2,2*pi) q[1];\nmeasure q -> c;\n",
    'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[2] q;\nbit[2] m;\nx q[0];\nrx(0.5) q[1];\ncz q[0],q[1];\n'
    "m[0] = measure q[0];\n",
    'OPENQASM 2.0;\ninclude "qelib1.inc";\n// a comment\ngate both(t) a,b { rz(t) a; cx a,b; }\nqreg r[2];\n'
    "creg k[1];\nboth(sin(pi/3)^2) r[0],r[1];\nmeasure r[0] -> k[0];\nif (k==1) x r[1];\nreset r[0];\n"
    "swap r[0],r[1];\n",
)
QASM_WORDS = (
    *("qreg a[2];", "qreg q[99999999];", "creg c[0];", "h q;", "cx q,q;", "cx q[0],q[0];", "rx() q[0];"),
    *("rx(1/0) q[0];", "rx(1e400) q[0];", "rx(ln(0)) q[0];", "rx(sqrt(-1)) q[0];", "rx((-1)^0.5) q[0];"),
    *("gate f a { f a; }", "gate g(t) a { rx(t) a; }", "g(pi) q[0];", "if (c==99) x q[0];", "barrier q;"),
    *(
        "opaque o a;",
        "reset q;",
        "measure q[9] -> c[0];",
        "measure q[0] -> m[0];",
        "OPENQASM 2.0;",
        "/*",
        "//",
    ),
    *("include 'x';", "pi", "-", "(", ")", "{", "}", ";", ",", "->", "q[-1]", "^", "é", '"', "9^9^9^9"),
    *(
        "id q[0];",
        "sdg q[1];",
        "tdg q[1];",
        "sx q[0];",
        "cswap q[0],q[1],q[2];",
        "ch q[0],q[1];",
        "u(1,2,3) q[0];",
    ),
    *("cu1(0.1) q[0],q[1];", "rzz(pi) q[0],q[1];", "gphase(pi);", "ctrl @ x q[0],q[1];", "int x = 3;"),
)


def qasm(c: Choices) -> bool:
    """Text that was OpenQASM."""
    read(cirq_files.from_qasm("fuzzed", mutated(c, QASM, QASM_WORDS, 4)))
    return True


LEAVES = (
    *(None, True, 0, 1, -1, 0.5, 1e400, float("nan"), 2**70, "", "a", "Circuit", [], {}, [[]], [None]),
    *({"cirq_type": "Circuit", "moments": []}, {"cirq_type": "Moment", "operations": []}),
    *(
        {"cirq_type": "NamedQubit", "name": "q"},
        {"cirq_type": "LineQubit", "x": 0},
        {"cirq_type": "nonsense"},
    ),
    *({"cirq_type": "sympy.Symbol", "name": "a"}, {"cirq_type": "complex", "real": 0, "imag": 1}),
    *({"cirq_type": "LineQid", "x": 0, "dimension": 3}, {"cirq_type": "_QubitAsQid"}, "a" * 1000),
)


@cache
def _cirq_documents() -> tuple[tuple[Any, ...], tuple[str, ...]]:
    """Circuits as Cirq's JSON: plain data, and texts."""
    texts = []
    for seed in range(60):
        try:
            texts.append(cirq.to_json(circuits.circuit(Choices(seed)), indent=None))
        except (TypeError, ValueError):  # the gates that nobody knows
            continue
    return tuple(map(json.loads, texts)), tuple(texts)


def cirq_json(c: Choices) -> bool:
    """Plain data or text that was a circuit in Cirq's JSON."""
    data, texts = _cirq_documents()
    words = ('"cirq_type":', "null", "[", "]", "{", "}", ",", '"', "1e999", "NaN", '"Circuit"', "\\ud800")
    text = json.dumps(reshaped(c, c.pick(data), LEAVES)) if c.chance(70) else mutated(c, texts, words, 3)
    read(cirq_files._from_json("fuzzed", text))
    return True


@cache
def _circuit_texts() -> tuple[str, ...]:
    rng = np.random.default_rng(5)
    made = [random_circuit(rng, 3, 6, walls=w) for w in (0, 0, 0.2) for _ in range(8)]
    return tuple(to_text(circuit) for circuit in made)


def circuit_text(c: Choices) -> bool:
    """Our own text of circuits: refused, or written and read again the same."""
    words = (
        "qubits 99999999",
        "qubits 0",
        "labels",
        "params a b",
        "phase 0.1",
        "rx 0 1e999",
        "cx 0 0",
        "cz 0 1",
    )
    words += (
        "measure 0 -> m",
        "reset 0",
        "rz 1 2*a",
        "rz 0 nan",
        "#",
        "<",
        ">",
        "if m",
        "tags 'x'",
        "'",
        "[",
        "\n",
    )
    made = from_text(mutated(c, _circuit_texts(), words))
    assert to_text(from_text(to_text(made))) == to_text(made)
    return True


def pipeline_text(c: Choices) -> bool:
    """Text that named passes."""
    names = tuple(passes.registry())
    seeds = ("merge-rotations,cancel-inverses", "drop-negligible{atol=1e-9}", "optimize{level=2,seed=1}")
    words = (*names, ",", "{", "}", "=", "atol", "level", "nan", "-1", "1e999", "9" * 5000, "|", "true", "²")
    steps = passes.parse_pipeline(mutated(c, seeds, words)).passes
    return bool(steps) or True


# -- files ---------------------------------------------------------------------------------------------------


@cache
def _folder() -> Path:
    place = "/dev/shm" if os.path.isdir("/dev/shm") else None
    return Path(tempfile.mkdtemp(prefix="qattn-fuzz-", dir=place))


def _written(name: str, content: bytes) -> Path:
    path = _folder() / f"{os.getpid()}-{name}"
    path.write_bytes(content)
    return path


@cache
def _arrays() -> tuple[dict[str, Any], ...]:
    return (
        {"Q": np.arange(6.0).reshape(2, 3), "K": np.ones((2, 3), np.float32)},
        {"x": np.arange(3), "mask": np.tri(2) > 0, "half": np.ones(2, np.float16)},
        {"s": np.array(1.5)},
    )


@cache
def _npz_files() -> tuple[bytes, ...]:
    out = []
    for save in (np.savez, np.savez_compressed):
        for arrays in _arrays():
            buffer = io.BytesIO()
            save(buffer, **arrays)
            out.append(buffer.getvalue())
    return tuple(out)


@cache
def _npy_members() -> tuple[bytes, ...]:
    out = []
    for array in [array for arrays in _arrays() for array in arrays.values()]:
        buffer = io.BytesIO()
        np.save(buffer, array)
        out.append(buffer.getvalue())
    return tuple(out)


NPY_WORDS = (
    *(
        b"{'descr': '<f8', 'fortran_order': True, 'shape': (3,), }",
        b"\x93NUMPY\x01\x00",
        b"\x93NUMPY\x03\x00",
    ),
    *(b"(99999999999,)", b"(-1,)", b"(2, 3)", b"()", b"'|O'", b"'<c16'", b"'<f8'", b"'>i4'", b"'<M8[ns]'"),
    *(b"True", b"[('a', '<f8')]", b"'descr'", b"\xff\xff", b"\0" * 64, b"(" * 200, b"10**10**10", b"'|V0'"),
)


def npz(c: Choices) -> bool:
    """A zip with flipped bytes, or a sound zip of members with flipped bytes."""
    if c.chance(30):
        content = mutated(c, _npz_files(), NPY_WORDS)
    else:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for number in range(c.between(1, 2)):
                name = (
                    c.pick(("Q.npy", "K.npy", "x", "../x.npy", "a b.npy", ".npy", "é.npy"))
                    if c.chance(20)
                    else ""
                )
                archive.writestr(name or f"x{number}.npy", mutated(c, _npy_members(), NPY_WORDS, 3))
        content = buffer.getvalue()
    load_weights(_written("fuzzed.npz", content))
    return True


@cache
def _headers() -> tuple[dict[str, Any], ...]:
    return (
        {
            "Q": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
            "K": {"dtype": "F64", "shape": [2], "data_offsets": [24, 40]},
        },
        {"__metadata__": {"format": "pt"}, "x": {"dtype": "BF16", "shape": [4], "data_offsets": [0, 8]}},
        {"m": {"dtype": "BOOL", "shape": [2, 2], "data_offsets": [0, 4]}, "s": _empty(4)},
    )


def _empty(at: int) -> dict[str, Any]:
    return {"dtype": "I64", "shape": [], "data_offsets": [at, at + 8]}


def safetensors(c: Choices) -> bool:
    """A header that is changed as data or as text, before bytes that fit the old one, more or less."""
    data = c.pick(_headers())
    if c.chance(60):
        leaves = (*LEAVES, "F32", "F8_E4M3", "BOOL", [0, 0], [0, 24], [2, 3], [2**62, 4], [24, 0], 8)
        text = json.dumps(reshaped(c, data, leaves)).encode("utf-8", "surrogatepass")
    else:
        words = (
            b'"F64"',
            b"[",
            b"]",
            b"{",
            b"}",
            b",",
            b'"',
            b"NaN",
            b"1e3",
            b"-1",
            b"\xff",
            b"\\ud800",
            b"[" * 9999,
        )
        text = mutated(c, [json.dumps(data).encode()], words)
    length = len(text) if c.chance(90) else c.pick((0, 1, len(text) - 1, 2**40, 2**63, 99999))
    body = bytes(c.between(0, 1) for _ in range(8)) * 5
    body = body[: c.pick((40, 40, 12, 8, 0, 39))]
    content = max(0, length).to_bytes(8, "little") + text + body
    load_weights(
        _written("fuzzed.safetensors", content if c.chance(95) else content[: c.below(len(content) + 1)])
    )
    return True


def arrays(c: Choices) -> bool:
    """Anything that somebody might call weights."""
    odd = (
        *(
            1,
            1.5,
            True,
            None,
            "x",
            b"x",
            [],
            [[1], [2, 3]],
            [1, None],
            {"a": 1},
            1j,
            float("nan"),
            2**80,
            object(),
        ),
        *([10**400], np.zeros((0, 3)), np.ma.masked_array([1, 2], [0, 1]), np.array(["a"]), np.array([1j])),
        *(
            np.arange(3).astype("M8[s]"),
            np.zeros((1,) * 40) if c.chance(1) else 0,
            [[[[1]]]],
            range(3),
            {1, 2},
        ),
        *(
            np.broadcast_to(1.0, (1 << 20, 1 << 20)),
            np.float128(1e-4000),
            np.float16("inf"),
            memoryview(b"ab"),
        ),
    )
    names = ("Q", "x", "", "1", "for", "é", "a b", 3, None, "__x", "\x1b[31m")
    check_weights({c.pick(names): c.pick(odd) for _ in range(c.between(0, 3))})
    return True


# -- machines ------------------------------------------------------------------------------------------------


@cache
def _machine_files() -> tuple[str, ...]:
    folder = Path(files.__file__).parent / "data"
    shipped = tuple(path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.toml")))
    own = (
        'name = "own"\nentanglers = ["cz", "siswap"]\nbasis = "zsx"\nshape = "grid:2x3"\n[numbers]\n'
        "edge_error = 0.01\nt1 = [1e5, 1e5, 1e5, 1e5, 1e5, 1e5]\n[durations]\ncz = 30\nsx = { value = 20 }\n",
        'entanglers = ["rzz"]\nqubits = 3\nedges = [[0, 1], [1, 2]]\nhighest = { rzz = 1.5707963267948966 }\n'
        "resets = false\n[numbers]\nreadout_error = { value = [0.1, 0.2], date = 2026-11-23 }\n",
        'qubits = [[0, 0], [0, 1]]\nedges = [[[0, 0], [0, 1]]]\nentanglers = ["cx"]\n',
    )
    return (*own, *own, *shipped)


TOML_WORDS = (
    *(
        "name = 3\n",
        "edges = [[0, 0]]\n",
        "edges = [[0, 99]]\n",
        "qubits = 0\n",
        "qubits = -1\n",
        "qubits = true\n",
    ),
    *(
        "qubits = 999999999\n",
        "qubits = [0, 0]\n",
        'shape = "line:99999999"\n',
        'shape = "grid:0x0"\n',
        "nan",
        "inf",
    ),
    *(
        "heavy_hex = { rows = 9999999, columns = 99999 , first = 0 }\n",
        "heavy_hex = { rows = 0, columns = 0, first = 0 }",
    ),
    *(
        "heavy_hex = 3\n",
        'heavy_hex = { rows = "a", columns = 3, first = 0 }\n',
        "basis = []\n",
        'entanglers = ["x"]\n',
    ),
    *(
        "[numbers]\n",
        "[durations]\n",
        "edge_error = [0.1]\n",
        "t1 = -5\n",
        "highest = { rzz = 1e9 }\n",
        "[[",
        "]]",
        "=",
        '"',
    ),
    *(
        "resets = 3\n",
        "date = 2026-13-45\n",
        "{",
        "}",
        "0x",
        "1e999",
        "'''",
        "[numbers.t1]\nvalue = {}\n",
        "[",
        "\n",
        "é",
    ),
    *(
        "edges = [[[0, 1], 2]]\n",
        "qubits = [1.5, 2.5]\n",
        "qubits = [[[1]], {}]\n",
        "edges = [[{}, []]]\n",
        "=1979-05-27\n",
    ),
)


def toml(c: Choices) -> bool:
    """A machine's file: TOML, or the same as JSON."""
    text = mutated(c, _machine_files(), TOML_WORDS)
    made = files.read(_written("fuzzed.toml", text.encode("utf-8", "surrogatepass")))
    repr(made)
    return True


@cache
def _machine_data() -> tuple[Any, ...]:
    import tomllib

    return tuple(json.loads(json.dumps(tomllib.loads(text), default=str)) for text in _machine_files())


def machine_json(c: Choices) -> bool:
    """A machine's file as JSON with parts exchanged."""
    leaves = (
        *LEAVES,
        "cz",
        "syc",
        "zsx",
        "grid:2x2",
        "full:5000",
        [[0, 1]],
        {"value": 1},
        {"rows": 3},
        1e-3,
        [0.1],
    )
    files.from_data(reshaped(c, c.pick(_machine_data()), leaves, 24), "fuzzed")
    return True


def machine_name(c: Choices) -> bool:
    """A name of a machine."""
    seeds = (
        "google.willow",
        "grid:3x4?gate=siswap",
        "line:5",
        "heavyhex:3",
        "ring:4?gate=rzz",
        "star:3",
        "full:4",
    )
    words = (
        "?",
        "gate=",
        "=",
        ":",
        "x",
        "99999",
        "0",
        "-1",
        "syc",
        ".toml",
        ".json",
        "/",
        "\0",
        "²",
        "٣",
        "/dev/zero.toml",
    )
    name = mutated(c, seeds, words, 3)
    if len(name) < 200:
        targets.get(name)
    return True
