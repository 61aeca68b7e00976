"""Text form: round trip, what it looks like, and every error with its place."""

from __future__ import annotations

import pytest
from helpers import circuits, make
from hypothesis import given
from hypothesis import strategies as st

from qattn_compiler.circuit.params import Parameter
from qattn_compiler.circuit.table import Builder, Extra, same
from qattn_compiler.circuit.text import from_text, to_text
from qattn_compiler.errors import CircuitError

EXAMPLE = """\
qubits 3
labels "x" "y" -7
params a "theta 1"
phase 0.25*a + 1.5
h q0
rz(0.5*a - "theta 1" + 1.25) q1
phased_xz(0.1, -a, 2.0*a - 0.5) q2
cx q0 q2 tags "layer 1" 3
measure q2 q0 key "m" invert 1 0
reset q1 tags "again"
"""


def example():
    builder = Builder(["x", "y", -7])
    builder.parameter("a")
    builder.parameter("theta 1")
    builder.add_phase((1.5, {"a": 0.25}))
    builder.add("h", [0])
    builder.add("rz", [1], [(1.25, {"a": 0.5, "theta 1": -1.0})])
    builder.add("phased_xz", [2], [0.1, (0.0, {"a": -1.0}), (-0.5, {"a": 2.0})])
    builder.add("cx", [0, 2], extra=Extra(tags=("layer 1", 3)))
    builder.measure([2, 0], "m", invert=(True, False))
    builder.reset(1, tags=("again",))
    return builder.build()


def test_what_it_looks_like():
    assert to_text(example()) == EXAMPLE
    assert same(from_text(EXAMPLE), example())


def test_comments_blank_lines_and_other_spacing():
    text = "# a circuit\n\n qubits 2 # two\nparams a\n\trx( - 1*a+2 - .5*a ) q0   \ncx q1 q0\r\n"
    circuit = from_text(text)
    assert same(circuit, from_text("qubits 2\nparams a\nrx(-1.5*a + 2.0) q0\ncx q1 q0"))


def test_no_minus_before_zero():
    builder = Builder(["x"])
    builder.add("rx", [0], [-0.0])
    text = to_text(builder.build())
    assert "rx(0.0)" in text
    assert to_text(from_text(text)) == text


@given(circuits(walls=False))
def test_round_trip(circuit):
    text = to_text(circuit)
    assert same(from_text(text), circuit)
    assert to_text(from_text(text)) == text


@given(st.lists(st.text(), min_size=1, max_size=4, unique=True), st.text(), st.integers())
def test_any_name_and_any_number_survives(labels, key, tag):
    builder = Builder(labels)
    builder.measure(range(len(labels)), key, tags=(tag, key))
    for name in labels:
        builder.add("rz", [0], [(0.0, {name: 1e-300})], Extra())
    circuit = builder.build()
    assert same(from_text(to_text(circuit)), circuit)


@given(circuits())
def test_walls_are_shown_and_refused(circuit):
    text = to_text(circuit)
    if "opaque" in text:
        with pytest.raises(CircuitError, match="cannot be read back") as info:
            from_text(text)
        assert "line " in str(info.value)
    else:
        assert same(from_text(text), circuit)


def test_a_wall_names_qubits_and_keys():
    builder = Builder(range(2))
    builder.opaque([1, 0], 'say "hi"\n<wall>', reads=("m",), writes=("k",))
    assert (
        to_text(builder.build()) == 'qubits 2\nopaque q1 q0 reads "m" writes "k" <"say \\"hi\\"\\n<wall>">\n'
    )


def test_foreign_labels_tags_and_derived_parameters_are_refused():
    builder = Builder([(0, 1)])
    builder.add("z", [0])
    with pytest.raises(CircuitError, match="cannot be read back"):
        from_text(to_text(builder.build()))
    builder = Builder([0])
    builder.parameter("sin(a)", object())
    assert builder.build().params[0] != Parameter("sin(a)")
    with pytest.raises(CircuitError, match="cannot be read back"):
        from_text(to_text(builder.build()))
    builder = Builder([0])
    builder.add("z", [0], extra=Extra(tags=(1.5,)))
    with pytest.raises(CircuitError, match="cannot be read back"):
        from_text(to_text(builder.build()))


def test_an_empty_circuit():
    assert to_text(make(0)) == "qubits 0\n"
    assert same(from_text("qubits 0"), make(0))


@pytest.mark.parametrize(
    ("text", "message", "place"),
    [
        ("", "starts with `qubits`", None),
        ("h q0", "`qubits` and their number come first", "line 1, column 1"),
        ("qubits two", "the number of qubits was expected, not 'two'", "line 1, column 8"),
        ("qubits 1.5", "a whole number", "line 1, column 8"),
        ("qubits 99999999999", "a whole number", "line 1, column 8"),
        ("qubits 2\nqubits 2", "stands twice", "line 2, column 1"),
        ("qubits 2\nlabels 1", "2 different labels", "line 2"),
        ("qubits 2\nlabels 1 1", "2 different labels", "line 2"),
        ("qubits 2\nlabels 1 2.5", "a whole number was expected", "line 2, column 10"),
        ("qubits 2\nh q0\nlabels 1 2", "before the first gate", "line 3, column 1"),
        ("qubits 1\nparams a a", "'a' stands twice", "line 2, column 10"),
        ("qubits 1\nparams a\nparams b", "stands twice", "line 3"),
        ("qubits 2\nfoo q0", "the gate table has no 'foo'", "line 2, column 1"),
        ("qubits 2\ncx q0", "acts on 2 different qubits", "line 2, column 1"),
        ("qubits 2\ncx q0 q0", "acts on 2 different qubits", "line 2"),
        ("qubits 2\nh q2", "there are only 2 qubits", "line 2"),
        ("qubits 2\nh r0", "a qubit such as q0 was expected, not 'r0'", "line 2, column 3"),
        ("qubits 2\nh 0", "the end of the line was expected, not '0'", "line 2, column 3"),
        ("qubits 2\nrz q0", "rz has 1 angles, not 0", "line 2"),
        ("qubits 2\nrz() q0", "a number or a parameter was expected", "line 2, column 4"),
        ("qubits 2\nrz(1.0 q0", "`)` or `,` was expected", "line 2, column 8"),
        ("qubits 2\nrz(2*) q0", "a number or a parameter", "line 2, column 6"),
        ("qubits 2\nrz(a) q0", "the circuit has no parameter 'a'", "line 2, column 4"),
        ("qubits 2\nrz(1e999) q0", "too large", "line 2, column 4"),
        ("qubits 2\nrz(1.0; 2.0) q0", "';' means nothing here", "line 2, column 7"),
        ('qubits 2\nrz(__import__("os")) q0', "no parameter '__import__'", "line 2, column 4"),
        ('qubits 2\nz q0 tags "ab', "means nothing here", "line 2, column 11"),
        ('qubits 2\nz q0 tags "\\q"', "the string is damaged", "line 2, column 11"),
        ("qubits 2\nz q0 invert 2", "a bit, 0 or 1", "line 2, column 13"),
        ('qubits 2\nz q0 tags "a" tags "b"', "each once, not 'tags'", "line 2, column 15"),
        ("qubits 2\nmeasure q0", "measure takes qubits", "line 2"),
        ("qubits 2\nmeasure q0 key 5", "a name in double quotes", "line 2, column 16"),
        ('qubits 2\nmeasure q0 q1 key "m" invert 1 0 1', "measure takes qubits", "line 2"),
        ('qubits 2\nmeasure q0 q0 key "m"', "different qubits", "line 2"),
        ("qubits 2\nmeasure(1.0) q0", "takes no angles", "line 2"),
        ("qubits 2\nreset q0 q1", "reset takes one qubit", "line 2"),
        ("qubits 2\nopaque q0", "a wall cannot be read back", "line 2"),
    ],
)
def test_errors(text, message, place):
    with pytest.raises(CircuitError) as info:
        from_text(text)
    assert message in str(info.value)
    if place is not None:
        assert place in str(info.value)
        head, line, caret = info.value.place.split("\n")
        column = int(head.split("column ")[1].rstrip(":"))
        assert caret.index("^") == column + 1
        assert line[2:] == text.split("\n")[int(head.split()[1].rstrip(",")) - 1]


@given(st.text(alphabet='qubits 12\nh(),.*+-"<>az#\\e', max_size=60))
def test_any_text_is_read_or_refused(text):
    try:
        circuit = from_text("qubits 2\n" + text)
    except CircuitError:
        return
    assert same(from_text(to_text(circuit)), circuit)
