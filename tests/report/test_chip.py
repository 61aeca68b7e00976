"""The drawing of the machine: places, what is drawn, words, pixels."""

from __future__ import annotations

import re
import sys
import xml.etree.ElementTree as ET
from time import process_time

import cirq
import networkx as nx
import numpy as np
import pytest
from report_machine import device, example

from qattn_compiler.circuit.table import Builder
from qattn_compiler.device import Device
from qattn_compiler.errors import TargetError
from qattn_compiler.report.chip import RAMP, draw_chip, to_png
from qattn_compiler.report.places import places

SVG = "{http://www.w3.org/2000/svg}"


def machine(graph: nx.Graph, labels=None) -> Device:
    graph = nx.convert_node_labels_to_integers(graph, ordering="sorted")
    edges = sorted(tuple(sorted(e)) for e in graph.edges)
    return Device("m", tuple(labels or range(len(graph))), np.array(edges).reshape(-1, 2), frozenset({"cz"}))


def heavy_hex(rows: int, columns: int) -> nx.Graph:
    """Rows of qubits with a bridge at every fourth, shifted by two from row to row, as IBM's."""
    graph = nx.Graph()
    for r in range(rows):
        nx.add_path(graph, [(r, c) for c in range(columns)])
    for r in range(rows - 1):
        for c in range(2 * (r % 2), columns, 4):
            nx.add_path(graph, [(r, c), (r, c, "bridge"), (r + 1, c)])
    return graph


# -- places


def test_qubits_are_where_they_say():
    assert places(device()).tolist() == [[0, 0], [1, 0], [2, 0], [0, 1], [1, 1], [2, 1]]

    class At:
        def __init__(self, x, y):
            self.x, self.y = x, y

    apart = machine(nx.path_graph(3), [At(0, 0), At(0.5, 0), At(0.5, 0.5)])
    assert places(apart).tolist() == [[0, 0], [1, 0], [1, 1]]
    on_top = machine(nx.path_graph(3), [At(0, 0), At(0, 0), At(1, 0)])
    assert places(on_top).tolist() == [[0, 0], [1, 0], [2, 0]]


def test_chains_go_back_and_forth():
    chain = places(machine(nx.path_graph(40), cirq.LineQubit.range(40)))
    assert (np.abs(np.diff(chain, axis=0)).sum(axis=1) == 1).all()
    assert chain.max(axis=0).tolist() == [15, 2]
    assert places(machine(nx.path_graph(5)))[:, 1].tolist() == [0] * 5
    two_ways = machine(nx.Graph([(0, 2), (1, 2), (1, 3)]))  # 0 2 1 3
    assert places(two_ways)[:, 0].tolist() == [0, 2, 1, 3]


@pytest.mark.parametrize("graph", [nx.complete_graph(12), nx.empty_graph(12)])
def test_all_alike_stand_in_a_circle(graph):
    where = places(machine(graph))
    centre = where.mean(axis=0)
    assert np.linalg.norm(where - centre, axis=1) == pytest.approx(np.full(12, 0.5 / np.sin(np.pi / 12)))
    assert np.linalg.norm(where[1] - where[0]) == pytest.approx(1)


GRAPHS = {
    "heavy hex": heavy_hex(5, 11),
    "grid": nx.grid_2d_graph(4, 7),
    "ring": nx.cycle_graph(20),
    "star": nx.star_graph(8),
    "tree": nx.balanced_tree(2, 3),
    "apart": nx.disjoint_union(nx.cycle_graph(5), nx.grid_2d_graph(2, 3)),
}


@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
def test_couplings_give_a_legible_layout(graph):
    chip = machine(graph)
    where = places(chip)
    assert where.min(axis=0) == pytest.approx([0, 0])
    apart = np.linalg.norm(where[:, None] - where[None], axis=2)[np.triu_indices(len(where), 1)]
    assert apart.min() > 0.69
    length = np.linalg.norm(where[chip.edges[:, 0]] - where[chip.edges[:, 1]], axis=1)
    assert length.max() < 2.1
    assert np.array_equal(places(machine(graph)), where)


@pytest.mark.parametrize("name", ["heavy hex", "grid", "apart"])
def test_planar_machines_have_no_crossings(name):
    chip = machine(GRAPHS[name])
    where = places(chip)
    lines = [(a, b) for a, b in chip.edges.tolist()]

    def side(p, q, r):
        return np.sign(np.cross(np.append(where[q] - where[p], 0), np.append(where[r] - where[p], 0))[2])

    for i, (a, b) in enumerate(lines):
        for c, d in lines[:i]:
            if len({a, b, c, d}) == 4:
                assert side(a, b, c) == side(a, b, d) or side(c, d, a) == side(c, d, b)


@pytest.mark.parametrize(("rows", "columns"), [(4, 7), (2, 9), (5, 5), (9, 3)])
def test_a_grid_stands_upright(rows, columns):
    chip = machine(nx.grid_2d_graph(rows, columns))
    where = places(chip)
    along = where[chip.edges[:, 1]] - where[chip.edges[:, 0]]
    assert np.abs(along).min(axis=1).max() < 0.15
    wide, tall = np.ptp(where, axis=0)
    assert wide > tall - 0.1
    assert (where[0] < np.array([wide, tall]) / 2).all()


def test_dense_machines_have_room():
    almost_all = nx.complete_graph(12)
    almost_all.remove_edge(0, 1)
    where = places(machine(almost_all))
    apart = np.linalg.norm(where[:, None] - where[None], axis=2)[np.triu_indices(12, 1)]
    assert apart.min() == pytest.approx(0.7)


def test_large_machines_take_seconds_at_most():
    begin = process_time()
    places(machine(nx.grid_2d_graph(20, 20)))
    assert process_time() - begin < 10


# -- the drawing


def elements(svg: str, kind: str, look: str) -> list[ET.Element]:
    found = [e for e in ET.fromstring(svg).iter(SVG + kind) if look in e.get("class", "").split()]
    assert all(e.find(SVG + "title") is not None for e in found if look != "casing")
    return found


def tip(element: ET.Element) -> str:
    return element.find(SVG + "title").text


def test_what_is_drawn():
    svg = draw_chip(example(), device(), initial=[1, 0, 4], final=[1, 4, 0])
    assert len(elements(svg, "circle", "idle-qubit")) == 3
    assert len(elements(svg, "line", "idle-edge")) == 5
    used = {tip(e).partition(": ")[0]: e for e in elements(svg, "circle", "rim")}
    assert list(used) == ["q(0, 0)", "q(0, 1)", "q(1, 1)"]
    radii = [float(e.get("r")) for e in used.values()]
    assert radii == sorted(radii, reverse=True) == pytest.approx([16, 14.25, 10.75], abs=0.06)
    edges = {tip(e).partition(": ")[0]: e for e in elements(svg, "line", "edge")}
    assert {name: float(e.get("stroke-width")) for name, e in edges.items()} == {
        "q(0, 1) - q(1, 1)": 5.2,  # 3 + 9 / 4: four gates are the least to be drawn thick
        "q(0, 0) - q(0, 1)": 7.5,
    }
    assert tip(edges["q(0, 0) - q(0, 1)"]).startswith("q(0, 0) - q(0, 1): 2 gates, error 1 % each, ")
    assert "40 ns waiting" in tip(used["q(0, 0)"])
    # The CZ with 4 % is the largest part of the error, and nothing goes wrong on qubit 1 by itself.
    assert edges["q(0, 1) - q(1, 1)"].get("stroke") == RAMP[-1]
    assert used["q(0, 1)"].get("fill") == RAMP[0]
    texts = [e.text for e in ET.fromstring(svg).iter(SVG + "text")]
    numbers = [e.text for e in ET.fromstring(svg).iter(SVG + "text") if "number" in e.get("class", "")]
    assert numbers == ["1", "0", "2"]
    assert [t for t in texts if t and t.startswith("→")] == [
        *["→2"] * 2,
        *["→1"] * 2,
        "→n: logical qubit n ends here",
    ]
    assert "3 of 6 qubits, 3 two-qubit gates, 1 single-qubit pulse, 640 ns" in texts


def test_qubits_that_stay_have_no_arrows():
    stays = draw_chip(example(), device(), initial=[1, 0, 4])
    assert "→" not in stays
    assert "number: logical qubit" in stays
    bare = draw_chip(example(), device())
    assert "logical" not in bare
    leaves = draw_chip(example(), device(), initial=[1], final=[0])
    assert ">→empty<" in leaves
    assert ">→0<" in leaves


def test_the_drawing_as_a_whole(golden):
    svg = draw_chip(example(), device(), initial=[1, 0, 4], final=[1, 4, 0])
    assert svg == draw_chip(example(), device(), initial=[1, 0, 4], final=[1, 4, 0])
    golden(svg)


def test_unknown_errors_are_said():
    blank = {"edge_error": np.zeros(0), "qubit_error": np.zeros(0), "readout_error": np.zeros((0, 2))}
    svg = draw_chip(example(), device(**blank, t1=np.zeros(0), durations={}))
    assert "error rates unknown" in svg
    assert "estimated success unknown" in svg
    assert "nan" not in svg.lower()
    assert not any(f'"{colour}"' in svg for colour in RAMP)
    partly = draw_chip(example(), device(edge_error=np.array([np.nan, *[0.01] * 6])))
    assert "share of the known error (blue: unknown)" in partly
    assert "nan" not in partly.lower()


def test_an_unused_machine_and_an_all_to_all_one():
    empty = draw_chip(Builder(device().qubits).build(), device())
    assert len(elements(empty, "circle", "idle-qubit")) == 6
    assert "0 of 6 qubits" in empty
    everyone = machine(nx.complete_graph(20))
    builder = Builder(everyone.qubits)
    builder.add("cz", [3, 17])
    svg = draw_chip(builder.build(), everyone)
    assert len(elements(svg, "line", "edge")) == 1
    assert not elements(svg, "line", "idle-edge")
    for size in (0, 1):
        draw_chip(Builder(range(size)).build(), machine(nx.empty_graph(size)))


def test_names_of_strangers_stay_text():
    odd = device(qubits=tuple(f"<q{k}&>" for k in range(6)))
    builder = Builder(odd.qubits)
    builder.add("cz", [0, 1])
    svg = draw_chip(builder.build(), odd, title="a < b & " + "c" * 100)
    titles = [e.text for e in ET.fromstring(svg).iter(SVG + "title")]
    assert titles[0].startswith("a < b & c")
    assert any("<q0&> - <q1&>" in t for t in titles)
    (name,) = [e.text for e in ET.fromstring(svg).iter(SVG + "text") if e.get("class") == "name"]
    assert len(name) == 61


def test_nothing_is_drawn_outside_of_the_page():
    for chip in (device(), machine(heavy_hex(3, 7)), machine(nx.path_graph(2))):
        builder = Builder(chip.qubits)
        builder.add("cz", chip.edges[0].tolist())
        svg = draw_chip(builder.build(), chip)
        _, _, width, height = map(float, re.search(r'viewBox="([^"]*)"', svg)[1].split())
        for circle in ET.fromstring(svg).iter(SVG + "circle"):
            x, y, r = (float(circle.get(name)) for name in ("cx", "cy", "r"))
            assert r < x < width - r
            assert r < y < height - r


def test_wrong_circuits():
    builder = Builder(device().qubits)
    builder.add("cz", [0, 5])
    with pytest.raises(TargetError, match="not coupled"):
        draw_chip(builder.build(), device())


# -- pixels


def test_pixels():
    pytest.importorskip("cairosvg")
    data = to_png(draw_chip(example(), device()), scale=1.0)
    assert data.startswith(b"\x89PNG")
    assert int.from_bytes(data[16:20]) == 680  # the width, by the PNG header


def test_no_pixels_without_the_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "cairosvg", None)
    assert to_png(draw_chip(example(), device())) is None
