"""Circuits in files: Cirq JSON and OpenQASM, read and written by Cirq's own code."""

from __future__ import annotations

from pathlib import Path

import cirq

from qattn_compiler.errors import CircuitError, OutputError
from qattn_compiler.interop.cirq_read import read
from qattn_compiler.interop.qasm_limits import check_qasm
from qattn_compiler.report.files import write_file

MAX_BYTES = 256 << 20
"""Larger files are refused before they are read."""


def read_circuit(path: Path) -> cirq.Circuit:
    """A circuit from a .json (Cirq) or .qasm (OpenQASM) file.

    Raises:
        CircuitError: no such file, too large, another suffix, or its content is no circuit.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise CircuitError(f"{path} has {path.stat().st_size} bytes; at most {MAX_BYTES} are read")
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CircuitError(f"{path} cannot be read: {error}") from error
    readers = {".json": _from_json, ".qasm": from_qasm}
    if path.suffix not in readers:
        raise CircuitError(f"{path}: a name ending in {' or '.join(readers)} was expected")
    return readers[path.suffix](str(path), text)


def _from_json(path: str, text: str) -> cirq.Circuit:
    try:
        loaded = cirq.read_json(json_text=text)
        if isinstance(loaded, cirq.AbstractCircuit):
            read(loaded)  # Cirq makes objects of anything: qubits of lists, tags of tables
            return loaded.unfreeze()
    except CircuitError as error:
        error.place = error.place or path
        raise
    except Exception as error:  # whatever Cirq, NumPy and sympy raise on nonsense
        raise CircuitError(f"{path} holds no circuit in Cirq's JSON: {_said(error)}") from error
    raise CircuitError(f"{path} holds a {type(loaded).__name__}; a cirq.Circuit was expected")


def _said(error: Exception) -> str:
    """The error in short."""
    return f"{type(error).__name__}: {str(error)[:200]}"


def from_qasm(path: str, text: str) -> cirq.Circuit:
    """The circuit of an OpenQASM text, read from somewhere.

    Raises:
        CircuitError: the text is no such circuit, or stands for too large a one.
    """
    check_qasm(path, text)
    try:
        from qattn_compiler.interop.qasm_gates import parser

        return parser().parse(text).circuit
    except ImportError as error:
        raise CircuitError(f"reading OpenQASM needs the package ply: {error}") from error
    except Exception as error:  # the parser's own, and what arithmetic and gates raise
        raise CircuitError(f"{path} cannot be read as OpenQASM: {_said(error)}") from error


def write_circuit(path: Path, circuit: cirq.AbstractCircuit) -> None:
    """Write a circuit as .json or .qasm, whole or not at all.

    Raises:
        OutputError: the file cannot be written, or the circuit has no such form (symbols have no OpenQASM).
    """
    try:
        text = cirq.to_json(circuit, indent=None) if path.suffix == ".json" else circuit.to_qasm()
    except (TypeError, ValueError) as error:
        raise OutputError(f"{path}: the circuit has no {path.suffix} form: {error}") from error
    write_file(path, text or "")
