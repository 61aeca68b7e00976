"""Circuits in files: Cirq JSON and OpenQASM, read and written by Cirq's own code."""

from __future__ import annotations

from pathlib import Path

import cirq

from qattn_compiler.errors import CircuitError, OutputError
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
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise CircuitError(f"{path} holds no Cirq JSON: {error}") from error
    if not isinstance(loaded, cirq.AbstractCircuit):
        raise CircuitError(f"{path} holds a {type(loaded).__name__}; a cirq.Circuit was expected")
    return loaded.unfreeze()


def from_qasm(path: str, text: str) -> cirq.Circuit:
    """The circuit of an OpenQASM text, read from somewhere.

    Raises:
        CircuitError: the text is no such circuit.
    """
    from cirq.contrib.qasm_import import QasmException, circuit_from_qasm

    try:
        return circuit_from_qasm(text)
    except QasmException as error:
        raise CircuitError(f"{path} cannot be read as OpenQASM: {error}") from error
    except ImportError as error:
        raise CircuitError(f"reading OpenQASM needs the package ply: {error}") from error


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
