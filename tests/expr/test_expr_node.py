import copy
import gc
import pickle
import threading
import weakref

import numpy as np
import pytest

from qattn_compiler.errors import ParseError
from qattn_compiler.expr import node as node_module
from qattn_compiler.expr.node import Expr, as_expr, call, getitem, index, make, number, sum_over, tensor
from qattn_compiler.expr.ops import At, Loop, Slice
from qattn_compiler.frontends import parse

Q, K, d = tensor("Q"), tensor("K"), tensor("d")


def test_equal_means_identical():
    assert Q @ K.T is tensor("Q") @ tensor("K").T
    assert call("softmax", Q) is call("softmax", Q, axis=-1)
    assert call("softmax", Q) is not call("softmax", Q, axis=0)


def test_numbers_of_different_kinds_stay_apart():
    assert number(1) is not number(1.0)
    assert number(0.0) is not number(-0.0)
    assert number(np.float32(0.5)) is number(0.5)
    assert number(np.int64(3)) is number(3)
    assert isinstance(number(2**60).value, float)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 10**400, True, 1j, "1", None])
def test_only_finite_real_numbers(bad):
    with pytest.raises(ParseError):
        number(bad)


@pytest.mark.parametrize("bad", ["", "2x", "a b", "lambda", "pi", "causal", "__x", "ﬁ", "a.b"])
def test_names_that_cannot_stand_in_a_text(bad):
    with pytest.raises(ParseError, match="cannot be a name"):
        tensor(bad)
    with pytest.raises(ParseError, match="cannot be a name"):
        index(bad)


def test_minus_number_has_one_form():
    assert -number(2) is number(-2)
    assert parse("-2") is number(-2)


def test_nodes_never_change():
    with pytest.raises(AttributeError):
        Q.op = "x"
    with pytest.raises(AttributeError):
        del Q.args
    with pytest.raises(TypeError):
        Expr()
    with pytest.raises(TypeError):
        bool(Q)
    with pytest.raises(TypeError):
        list(Q)


def test_copies_are_the_same_object():
    e = call("softmax", Q @ K.T)
    assert copy.copy(e) is e
    assert copy.deepcopy([e])[0] is e
    assert pickle.loads(pickle.dumps(e)) is e


def test_operators_with_numbers_on_the_left():
    assert 2 * Q is parse("2 * Q")
    assert np.float64(2) * Q is parse("2.0 * Q")
    assert 1 - Q is parse("1 - Q")
    assert 1 / Q is parse("1 / Q")
    assert 2**Q is parse("2**Q")
    assert 2 + Q is parse("2 + Q")
    assert Q[0, 1:2] is parse("Q[0, 1:2]")
    with pytest.raises(TypeError):
        Q["x"]
    with pytest.raises(ParseError):
        getitem(Q, ())


def test_constructor_refuses_what_the_table_does_not_have():
    for op, args, attrs in [
        ("nothing", (Q,), {}),
        ("relu", (Q, Q), {}),
        ("concat", (), {}),
        ("relu", (Q,), {"axis": 1}),
        ("tensor", (), {}),
    ]:
        with pytest.raises(ParseError):
            make(op, args, attrs)


def test_memory_is_freed():
    e = tensor("only_here") @ K
    alive = weakref.ref(e)
    before = len(node_module._NODES)
    del e
    gc.collect()
    assert alive() is None
    assert len(node_module._NODES) < before


def test_parsed_expressions_are_freed_with_their_places():
    alive = weakref.ref(parse("tanh(only_in_this_test)"))
    gc.collect()
    assert alive() is None


def test_deep_expressions_do_not_recurse():
    e = Q
    for _ in range(20_000):
        e = call("tanh", e + 1)
    assert e.tensors() == ("Q",)
    assert sum(1 for _ in e.walk()) == 40_002
    assert len(str(e)) > 100_000
    assert len(repr(e)) < 100
    del e


def test_shared_graph_with_an_endless_text():
    e = Q
    for _ in range(200):
        e = e + e
    assert len(repr(e)) < 100
    with pytest.raises(ParseError, match="longer than"):
        e.to_text()


def test_interning_holds_between_threads():
    made = []

    def build():
        made.append([tensor(f"t{k}") @ tensor(f"u{k}") for k in range(300)])

    threads = [threading.Thread(target=build) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(a is b for other in made for a, b in zip(made[0], other, strict=True))


def test_free_indices_and_loops():
    body = getitem(tensor("w"), (Loop("i", 1),)) * index("j")
    assert body.free == {"i", "j"}
    closed = sum_over(sum_over(body, "j", 0, 3), "i", 0, tensor("n") - 1)
    assert closed.free == frozenset()
    assert closed.loops == 2


def test_sums_are_checked():
    body = tensor("w")[Loop("i")]
    inner = sum_over(body, "i", 0, 3)
    for arguments in [
        (body, "i", -1, 3),
        (body, "i", 0.5, 3),
        (body, "i", 0, as_expr(2.5)),
        (body, "i", 0, Q @ K),
        (body * inner, "i", 0, 3),
        (body * tensor("i"), "i", 0, 3),
    ]:
        with pytest.raises(ParseError):
            sum_over(*arguments)
    e = body
    for k in range(node_module.MAX_LOOPS):
        e = sum_over(e, f"k{k}", 0, 2)
    with pytest.raises(ParseError, match="nested sums"):
        sum_over(e, "one_more", 0, 2)


def test_tensors_in_the_order_of_the_text():
    assert parse("softmax(Q @ K.T / sqrt(d)) @ V + Q").tensors() == ("Q", "K", "d", "V")


def test_items():
    assert Q[At(1), Slice(0, 2)] is Q[1, 0:2]
