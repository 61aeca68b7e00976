"""The same input, options and seed give the same bytes: over processes, threads and orders of sets."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import cirq
import numpy as np
import pytest

import qattn_compiler as qattn

MADE = """
import sys
from pathlib import Path
import cirq, numpy as np
import qattn_compiler as qattn

folder = Path(sys.argv[1])
rng = np.random.default_rng(3)
weights = {name: rng.normal(size=(4, 3)) for name in "QKV"}
made = qattn.compile("softmax(Q @ K.T / sqrt(d)) @ V", weights, rows=[0, 1], components=[0])
made.save(folder / "head")
given = cirq.testing.random_circuit(cirq.LineQubit.range(5), 10, 0.6, random_state=4)
for level in range(4):
    t = qattn.transpile(given, "grid:2x4", optimization_level=level, seed=5)
    texts = [cirq.to_json(t.circuit), repr(t.initial_layout), repr(t.final_layout)]
    (folder / f"{level}.txt").write_text("\\n".join(texts))
"""
WAYS = {
    "one": {
        "NUMBA_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONHASHSEED": "0",
    },
    "four": {
        "NUMBA_NUM_THREADS": "4",
        "OMP_NUM_THREADS": "4",
        "OPENBLAS_NUM_THREADS": "4",
        "PYTHONHASHSEED": "1",
    },
}


def without_times(data):
    """What a clock says is no part of the result."""
    if isinstance(data, dict):
        return {key: without_times(value) for key, value in data.items() if key != "seconds"}
    return [without_times(value) for value in data] if isinstance(data, list) else data


def contents(folder):
    """{file: bytes} of a folder."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_other_processes_with_other_threads_and_orders(tmp_path):
    places = {name: tmp_path / name for name in WAYS}
    running = []
    for name, environment in WAYS.items():
        places[name].mkdir()
        command = [sys.executable, "-c", MADE, str(places[name])]
        running.append(subprocess.Popen(command, env=os.environ | environment))
    assert [process.wait(timeout=300) for process in running] == [0] * len(running)
    one, four = (contents(folder) for folder in places.values())
    assert {"0.txt", "3.txt", "head/decoding.json", "head/circuits/0001.json", "head/chip.svg"} <= set(one)
    assert set(one) == set(four)
    assert [name for name in one if "/report." not in name and one[name] != four[name]] == []
    reports = [without_times(json.loads(files["head/report.json"])) for files in (one, four)]
    assert reports[0] == reports[1]


def test_again_in_the_same_process():
    """Nothing that was computed before changes what comes now; an order of names says nothing either."""
    rng = np.random.default_rng(4)
    weights = {name: rng.normal(size=(3, 2)) for name in "QKV"}
    texts = []
    for names in ("QKV", "VQK"):
        made = qattn.compile("softmax(Q @ K.T) @ V", {name: weights[name] for name in names}, rows=0)
        texts.append([cirq.to_json(circuit) for circuit in made.circuits])
    assert texts[0] == texts[1]


@pytest.mark.parametrize("level", [1, 3])
def test_a_seed_decides_and_nothing_else(level):
    given = cirq.testing.random_circuit(cirq.LineQubit.range(6), 12, 0.7, random_state=8)
    texts = [
        cirq.to_json(qattn.transpile(given, "grid:3x3", optimization_level=level, seed=seed).circuit)
        for seed in (1, 2, 1)
    ]
    assert texts[0] == texts[2]
