"""The benchmarks: workloads mean what they say, the judge sees faults, runs resume, losses are named."""

from __future__ import annotations

import importlib
import json
import shutil
import sys
from dataclasses import replace
from math import isfinite
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT))

baseline, compilers, judge, machines, main, page, plots, runner, workloads = (
    importlib.import_module(f"benchmarks.{name}")
    for name in (
        *("baseline", "compilers", "judge", "machines", "__main__", "page", "plots", "runner", "workloads"),
    )
)
serve = importlib.import_module("benchmarks.workers.serve")

SMALL = [w for w in workloads.workloads() if w.size <= 1_000]


def state_of(gates, values=None):
    """What a workload makes of |0...0>, one axis a qubit."""
    circuit = judge.source(gates, values or {})
    state = np.zeros((2,) * gates.num_qubits, dtype=complex)
    state[(0,) * gates.num_qubits] = 1
    return judge.apply(state, judge._matrices(circuit)) * np.exp(1j * circuit.phase)


def unitary_of(gates):
    """The whole unitary of a workload."""
    n = gates.num_qubits
    matrices = judge._matrices(judge.source(gates, {}))
    columns = [
        judge.apply(row.reshape((2,) * n), matrices).reshape(-1) for row in np.eye(2**n, dtype=complex)
    ]
    return np.array(columns).T


# -- workloads ----------------------------------------------------------------------------------------------


def test_names_are_unique_and_the_quick_run_has_every_family():
    names = [w.name for w in workloads.workloads()]
    assert len(set(names)) == len(names)
    families = {w.family for w in workloads.workloads()}
    assert {w.family for w in workloads.workloads() if w.quick} == families
    assert {w.size for w in workloads.workloads() if w.size} == {10**3, 10**4, 10**5, 10**6}


@pytest.mark.parametrize("workload", SMALL, ids=lambda w: w.name)
def test_a_workload_is_well_formed_and_always_the_same(workload):
    gates = workload.build()
    assert gates.gates == workload.build().gates
    for _, qubits, angles in gates.gates:
        assert len(set(qubits)) == len(qubits)
        assert all(0 <= q < gates.num_qubits for q in qubits)
        assert all(isfinite(a[1] if isinstance(a, tuple) else a) for a in angles)
    assert dict(workload.values).keys() == dict(workloads.bound(gates)).keys()
    json.dumps(gates.gates)


@pytest.mark.parametrize("k", [1, 2, 3, 5, 8])
def test_preparation_makes_the_state(k):
    rng = np.random.default_rng(k)
    wanted = rng.normal(size=2**k)
    wanted /= np.linalg.norm(wanted)
    gates = workloads.Gates(k)
    workloads.prepare(gates, wanted, range(k))
    assert np.abs(state_of(gates).reshape(-1) - wanted).max() < 1e-12
    assert sum(name == "cx" for name, _, _ in gates.gates) == 2**k - 2


@pytest.mark.parametrize("name", ["rx", "ry", "rz"])
def test_a_multiplexor_turns_by_the_address(name):
    angles = np.random.default_rng(1).normal(size=8)
    gates, wanted = workloads.Gates(4), np.zeros((16, 16), dtype=complex)
    workloads.multiplexed(gates, name, angles, [0, 1, 2], 3)
    for i, angle in enumerate(angles):
        one = workloads.Gates(1)
        one.add(name, 0, angle=angle)
        wanted[2 * i : 2 * i + 2, 2 * i : 2 * i + 2] = unitary_of(one)
    assert np.abs(unitary_of(gates) - wanted).max() < 1e-12


def test_a_weighted_sum_of_minilm_is_the_attention_output():
    arrays = workloads.head(0, 8)
    probabilities = np.abs(state_of(workloads.weighted_sum_minilm(0, 3)).reshape(8, 2)) ** 2
    wanted = arrays["A"][1] @ arrays["V"][:, 0]
    measured = (probabilities[:, 0] - probabilities[:, 1]).sum() * np.abs(arrays["V"][:, 0]).max()
    assert measured == pytest.approx(wanted, abs=1e-12)


def test_a_score_of_minilm_is_the_overlap():
    arrays = workloads.head(7, 8)
    q, k = (row / np.linalg.norm(row) for row in (arrays["Q"][1], arrays["K"][2]))
    assert abs(state_of(workloads.score_minilm(7))[(0,) * 5]) == pytest.approx(abs(q @ k), abs=1e-12)


def test_the_fourier_transform_is_one():
    n = 4
    wanted = np.exp(2j * np.pi * np.outer(range(2**n), range(2**n)) / 2**n) / 2 ** (n / 2)
    assert np.abs(unitary_of(workloads.qft(n, swaps=True)) - wanted).max() < 1e-12


def test_the_adder_adds():
    bits = 3
    matrix = np.abs(unitary_of(workloads.adder(bits)))
    n = 2 * bits + 2

    def index(a, b, last):
        wires = [0] * n
        for i in range(bits):
            wires[2 + 2 * i], wires[1 + 2 * i] = a >> i & 1, b >> i & 1
        wires[-1] = last
        return int("".join(map(str, wires)), 2)

    for a in range(2**bits):
        for b in range(2**bits):
            total = a + b
            assert matrix[index(a, total % 2**bits, total >> bits), index(a, b, 0)] == pytest.approx(1)


def test_the_toffoli_ladder_flips_when_all_are_set():
    n = 4
    matrix = np.abs(unitary_of(workloads.toffoli_ladder(n)))
    for value in range(2**n):
        begin = value << (n - 1)
        assert matrix[begin | int(value == 2**n - 1), begin] == pytest.approx(1)


def test_givens_layers_keep_one_excitation():
    state = state_of(workloads.givens(5)).reshape(-1)
    weights = np.array([i.bit_count() for i in range(len(state))])
    assert np.abs(state[weights != 1]).max() < 1e-12
    assert np.abs(state[weights == 1]).min() > 1e-6


@pytest.mark.parametrize("build", [workloads.lcu, lambda m: workloads.quixer(m, 2)])
def test_selections_are_unitary_and_not_trivial(build):
    gates = build(4)
    state = state_of(gates)
    assert np.linalg.norm(state) == pytest.approx(1)
    assert abs(state[(0,) * gates.num_qubits]) < 0.999


def test_queko_runs_in_the_layers_that_it_says():
    gates = workloads.queko("willow", 5)
    pairs = [qubits for name, qubits, _ in gates.gates if name == "cx"]
    assert serve.two_qubit_cost(pairs) == (len(pairs), 5)
    names = np.random.default_rng(1305).permutation(gates.num_qubits)
    where = np.argsort(names)
    coupled = set(machines.machine("willow").edges)
    assert all(tuple(sorted((int(where[a]), int(where[b])))) in coupled for a, b in pairs)


# -- the judge ----------------------------------------------------------------------------------------------

LINE = machines.Machine("line", "line:3", 3, ((0, 1), (1, 2)))
FREE = machines.Machine("all-to-all", "full:3", 3, None)
H = ("phased_xz", (np.pi / 2, 0.0, -np.pi / 2))


def bell():
    gates = workloads.Gates(2)
    gates.add("rx", 0, angle=0.3)
    gates.add("cx", 0, 1)
    gates.add("rz", 1, angle=("a", 2.0))
    return gates


GOOD = [
    ("rx", (2,), (0.3,)),
    ("h", (1,), ()),
    ("cz", (2, 1), ()),
    ("h", (1,), ()),
    ("rz", (1,), (0.8,)),
]
"""`bell` with qubit 0 on 2 and qubit 1 on 1, a = 0.4."""


def judged(tmp_path, rows, initial=(2, 1), final=(2, 1), machine=LINE, atol=1e-8):
    case = serve.Case(2, [], 3, None, {}, {})
    serve.write(tmp_path / "r.npz", serve.Answer(rows, list(initial), list(final), 0.5), case)
    result = judge.load(tmp_path / "r.npz", machine.num_qubits)
    return judge.judge(bell(), {"a": 0.4}, machine, result, atol)


def test_a_right_result_has_its_figures(tmp_path):
    figures = judged(tmp_path, GOOD)
    assert figures["error"] < 1e-7
    assert {k: figures[k] for k in ("two_qubit", "two_qubit_depth", "depth", "pulses", "bind_seconds")} == {
        "two_qubit": 1,
        "two_qubit_depth": 1,
        "depth": 3,
        "pulses": 3,
        "bind_seconds": 0.5,
    }


def test_layouts_that_move_are_followed(tmp_path):
    swap = [(name, (a, b), ()) for a, b in ((1, 2), (2, 1), (1, 2)) for name in ("cx",)]
    assert judged(tmp_path, [*GOOD, *swap], final=(1, 2))["error"] < 1e-7
    with pytest.raises(ValueError, match="not equivalent"):
        judged(tmp_path, [*GOOD, *swap])


@pytest.mark.parametrize(
    ("rows", "machine", "message"),
    [
        (GOOD[:-1], LINE, "not equivalent"),
        (GOOD[1:], LINE, "not equivalent"),
        ([*GOOD, ("rz", (2,), (0.01,))], LINE, "not equivalent"),
        ([*GOOD, ("x", (0,), ())], LINE, "not equivalent"),
        ([*GOOD, ("cz", (0, 2), ()), ("cz", (0, 2), ())], LINE, "not coupled"),
        ([*GOOD, ("cz", (0, 2), ()), ("cz", (0, 2), ())], FREE, ""),
        ([*GOOD, ("swap", (0, 1), ())], FREE, "not native: swap"),
        ([*GOOD, ("frobnicate", (0,), ())], FREE, "not native: frobnicate"),
        ([*GOOD, ("x", (3,), ())], FREE, "does not exist"),
    ],
)
def test_the_judge_sees_faults(tmp_path, rows, machine, message):
    if not message:
        assert judged(tmp_path, rows, machine=machine)["error"] < 1e-7
        return
    with pytest.raises(ValueError, match=message):
        judged(tmp_path, rows, machine=machine)


def test_two_qubits_on_one_place_are_seen(tmp_path):
    with pytest.raises(ValueError, match="one place"):
        judged(tmp_path, GOOD, initial=(1, 1))


def test_what_was_dropped_is_allowed_within_the_tolerance(tmp_path):
    assert judged(tmp_path, [*GOOD, ("rz", (1,), (9e-5,))], atol=1e-4)["error"] > 1e-6
    with pytest.raises(ValueError, match="not equivalent"):
        judged(tmp_path, [*GOOD, ("rz", (1,), (9e-5,))], atol=1e-8)


# -- workers and runs ---------------------------------------------------------------------------------------

FAKE = """
import time
from serve import Answer, Compiler, serve

def compile_(circuit, case, number):
    what = case.options["what"]
    if what == "slow":
        time.sleep(60)
    if what == "die":
        raise SystemExit("I am gone")
    if what == "fail":
        raise KeyError("no such gate")
    return number

def finish(found, source, case):
    print("noise on standard output")
    rows = [(name, tuple(q), tuple(a)) for name, q, a in case.gates]
    return Answer(rows if case.options["what"] != "wrong" else rows[1:])

def cost(found):
    return (5 - found, 1)

serve(Compiler(lambda case: None, compile_, finish, cost, ("numpy", "nonsense")))
"""


def fake(what, **more):
    return compilers.Entry(f"fake-{what}", "with_fake", "fake", {"what": what}, home=True, **more)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder of workers with one that does what it is told."""
    folder = tmp_path / "workers"
    folder.mkdir()
    shutil.copy(ROOT / "benchmarks" / "workers" / "serve.py", folder)
    (folder / "with_fake.py").write_text(FAKE)
    (folder / "with_broken.py").write_text("import a_compiler_that_is_not_there")
    monkeypatch.setattr(runner, "HERE", folder.parent)
    monkeypatch.setattr(runner, "IMPORTS", {"with_fake": "import json", "with_broken": "import json"})
    monkeypatch.setattr(runner, "digest_of_sources", lambda: "0")
    return tmp_path


def run(out, entries, **more):
    options = {"quick": True, "families": ["GHZ"], "targets": ["all-to-all"], "limit": 0.4, **more}
    said = []
    counts = runner.Run(
        runner.Options(out / "out", compilers=entries, **options), lambda *a: said.append(a)
    ).run()
    rows = runner.read_rows(out / "out" / runner.RESULTS)
    return counts, [row for row in rows if row["kind"] == "case"], said


def test_failures_are_rows_and_the_next_case_runs(here):
    broken = compilers.Entry("broken", "with_broken", "broken", home=True)
    entries = [fake("slow"), fake("die"), fake("fail"), broken, fake("fine", runs=3)]
    counts, rows, said = run(here, entries)
    assert counts == (5, 5)
    assert len(said) == 5
    found = {row["compiler"]: (row["status"], row.get("reason", "")) for row in rows}
    assert found["fake-slow"][0] == "timeout"
    assert found["fake-die"] == ("failed", "I am gone")
    assert found["fake-fail"][0] == "failed"
    assert "KeyError" in found["fake-fail"][1]
    assert "a_compiler_that_is_not_there" in found["broken"][1]
    assert found["fake-fine"][0] == "ok"
    fine = rows[-1]
    assert (fine["runs"], fine["two_qubit"], fine["two_qubit_median"]) == (3, 15, 4)
    assert fine["memory_mb"] > 1


def test_a_resumed_run_does_what_is_left(here):
    run(here, [fake("fine")])
    _, rows, said = run(here, [fake("fine"), fake("fail")])
    assert [row["compiler"] for row in rows] == ["fake-fine", "fake-fail"]
    assert len(said) == 1
    with (here / "out" / runner.RESULTS).open("a") as file:
        file.write('{"kind": "case", "workl')
    _, rows, said = run(here, [fake("fine"), fake("fail")])
    assert len(said) == 0


def test_more_time_is_a_reason_to_try_again():
    row = {"status": "timeout", "limit": 4.0}
    assert runner.worth_again(row, 5.0)
    assert not runner.worth_again(row, 4.0)
    assert not runner.worth_again(row | {"status": "failed"}, 5.0)


def test_a_budget_ends_a_run(here):
    counts, rows, _ = run(here, [fake("fine")], budget=0.0)
    assert counts == (0, 1)
    assert rows == []


def test_size_limits_are_rows(here):
    _, rows, _ = run(here, [fake("fine", most_qubits=3)])
    assert (rows[0]["status"], rows[0]["reason"]) == ("skipped", "not tried above 3 qubits")


def test_other_settings_are_not_tried_after_a_time_out(here):
    _, rows, _ = run(here, [fake("slow"), replace(fake("fine"), after="fake-slow")], limit=0.3)
    assert [(row["status"], row.get("reason")) for row in rows[1:]] == [("skipped", "fake-slow timed out")]
    _, rows, said = run(here, [fake("slow"), replace(fake("fail"), after="fake-slow")], limit=0.3)
    assert rows[-1]["reason"] == "fake-slow timed out"
    assert len(said) == 1


def test_a_real_compiler_runs(tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "import_seconds", lambda *_: 1.0)
    _, (row,), _ = run(tmp_path, [compilers.BY_NAME["cirq"]], families=["LCU"], limit=20.0)
    assert row["status"] == "ok"
    assert row["error"] < 1e-6
    assert row["two_qubit"] > 40


def test_plans_hold_only_what_there_is():
    options = runner.Options(Path(), compilers=compilers.ENTRIES)
    cases = runner.plan(options)
    assert len({case.key for case in cases}) == len(cases)
    assert all(case.target == "all-to-all" for case in cases if case.entry.name == "pytket-greedy")
    assert all(case.entry.symbols for case in cases if case.workload.values)
    quick = runner.plan(runner.Options(Path(), quick=True, compilers=compilers.ENTRIES))
    assert {case.target for case in quick} == set(machines.QUICK)
    assert len(quick) < len(cases) / 3


# -- baseline -----------------------------------------------------------------------------------------------


def row(compiler="ours-3", workload="w", **figures):
    usual = {"two_qubit": 10, "two_qubit_depth": 5, "depth": 11, "pulses": 12, "seconds": 1.0}
    base = {
        "limit": 30.0,
        "kind": "case",
        "family": "GHZ",
        "target": "all-to-all",
        "status": "ok",
        "load": 3.0,
        "error": 0.0,
    }
    base |= {"memory_mb": 100.0, "bind_seconds": None, "size": 0, "known": 0, "qubits": 3, "gates": 9}
    return base | usual | {"workload": workload, "compiler": compiler} | figures


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        ({}, 0, "0 worse, 0 better"),
        ({"two_qubit": 11}, 1, "two_qubit 10 -> 11"),
        ({"pulses": 13}, 1, "pulses 12 -> 13"),
        ({"two_qubit": 9, "pulses": 13}, 0, "two_qubit 10 -> 9"),
        ({"status": "failed", "reason": "oh"}, 1, "ok, now failed oh"),
        ({"seconds": 50.0}, 0, "0 worse"),
        ({"status": "timeout", "limit": 1.0}, 0, "0 worse"),
        ({"status": "timeout", "limit": 1e6}, 1, "now timeout"),
    ],
)
def test_check_names_what_got_worse(capsys, change, code, said):
    assert baseline.check([row(**change)], [row()]) == code
    assert said in capsys.readouterr().out


def test_check_compares_times_beside_the_peer(capsys):
    def both(factor):
        mine = [row(workload=f"w{i}", seconds=factor) for i in range(baseline.FEWEST)]
        return mine + [row("qiskit-3", f"w{i}", seconds=0.5) for i in range(baseline.FEWEST)]

    assert baseline.check(both(1.4), both(1.0)) == 0
    assert baseline.check(both(1.6), both(1.0)) == 1
    assert "1.60 times as slow" in capsys.readouterr().out


def test_check_without_anything_to_compare_says_so():
    assert baseline.check([row("cirq")], [row("cirq")]) == 2


# -- the page -----------------------------------------------------------------------------------------------


def rows_of_a_run():
    hello = {"with_ours": {"versions": {"numba": "1"}, "import_seconds": 0.1}}
    session = {"kind": "machine", "when": "today", "quick": True, "limit": 4, "load": 3.0, "processor": "p"}
    session |= {"cores": 2, "memory_gb": 1, "python": "3", "sources": "abc", "compilers": hello}
    rows = [session]
    for i, theirs in enumerate((8, 10, 12)):
        rows += [row(workload=f"w{i}"), row("qiskit-3", f"w{i}", two_qubit=theirs)]
        rows.append(row("ours-3-exact", f"w{i}"))
    rows += [
        row("pytket", "w0", status="timeout", reason="more than 6 s"),
        row("pytket", "w1", two_qubit_depth=4),
    ]
    rows += [row(workload="line", target="line"), row("qiskit-3", "line", target="line", two_qubit=20)]
    for size in (1_000, 10_000):
        rows += [row("qiskit-3", f"r{size}", size=size), row(workload=f"r{size}", size=size, family="growth")]
    rows += [row(workload="k", known=5), row(workload="s", family="symbols", bind_seconds=1e-5)]
    return rows


def test_the_page_names_every_loss_and_every_failure(tmp_path):
    written = page.write(rows_of_a_run(), tmp_path)
    text = written[0].read_text()
    assert "| w0 | all-to-all | Qiskit 3 | 8 / 5 | 10 / 5 | 1.250 |" in text
    assert "| w1 | all-to-all | pytket | 10 / 4 | 10 / 5 | 1.000 |" in text
    assert "| w2 | all-to-all | Qiskit 3 |" not in text
    assert "| pytket | w0 | all-to-all | timeout | more than 6 s |" in text
    assert "shared with other work" in text
    assert "| line | 0.500 (1) |" in text
    for path in written[1:]:
        assert f"(benchmarks/{path.name})" in text
        ElementTree.fromstring(path.read_text())
    assert {path.name for path in written[1:]} >= {"growth-seconds.svg", "families-two_qubit.svg"}


def test_a_profile_counts_failures_against_a_compiler():
    cases = page.Rows(rows_of_a_run()).on("all-to-all")
    values = page.profile_of(cases, "pytket", "two_qubit", ["pytket", "qiskit-3", "ours-3"])
    assert sorted(values) == [1.0, float("inf")]


# -- the command line ---------------------------------------------------------------------------------------


def test_results_are_not_overwritten(tmp_path, capsys):
    (tmp_path / runner.RESULTS).write_text("")
    assert main.main(["run", "--quick", "--out", str(tmp_path)]) == 2
    assert "--resume" in capsys.readouterr().err
    assert main.main(["page", "--out", str(tmp_path)]) == 2
    assert main.main(["check", "--out", str(tmp_path)]) == 2


def test_the_stored_baseline_can_be_read():
    rows = runner.read_rows(baseline.STORED)
    assert {r["compiler"] for r in rows if r["kind"] == "case"} >= {"ours-2", "ours-3", "qiskit-3"}
    assert not [r for r in rows if r["kind"] == "case" and r["status"] == "wrong"]
