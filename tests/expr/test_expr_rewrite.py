import pytest

from qattn_compiler.errors import PassError
from qattn_compiler.expr.node import index, make, number, tensor
from qattn_compiler.expr.rewrite import fixpoint, rewrite, substitute
from qattn_compiler.expr.spec import check
from qattn_compiler.frontends import parse


def test_nothing_to_do_gives_the_same_object():
    e = parse("softmax(Q @ K.T / sqrt(d)) @ V")
    assert rewrite(e, lambda node: node) is e
    assert fixpoint(e, lambda node: node) is e


def test_each_node_once():
    e = tensor("x")
    for _ in range(60):
        e = e + e
    seen = []
    rewrite(e, lambda node: seen.append(node) or node)
    assert len(seen) == 61


def test_substitute():
    assert str(substitute(parse("Q @ K.T / sqrt(d)"), {"d": 4})) == "Q @ K.T / sqrt(4)"
    assert (
        str(substitute(parse("sum(w[i] for i in range(n - 1))"), {"n": 4})) == "sum(w[i] for i in range(3))"
    )
    assert (
        str(substitute(parse("sum(w[i] for i in range(1 + n))"), {"n": 4})) == "sum(w[i] for i in range(5))"
    )
    assert substitute(parse("x"), {"x": parse("y @ z")}) is parse("y @ z")


def test_rules_that_undo_each_other_are_reported():
    def swap(node):
        return make(node.op, node.args[::-1]) if node.op == "add" else node

    with pytest.raises(PassError, match="did not settle"):
        fixpoint(parse("a + b"), swap)


def test_spec():
    check(parse("softmax(Q @ K.T / sqrt(2)) @ V"), "parsed")
    with pytest.raises(PassError, match="not folded"):
        check(parse("softmax(Q @ K.T / sqrt(2)) @ V"), "folded")
    check(parse("1 / 0 + x"), "folded")
    with pytest.raises(PassError) as caught:
        check(make("neg", (make("neg", (index("i"),)),)) + number(1) * number(2), "folded")
    assert len(caught.value.errors) == 3
    with pytest.raises(PassError, match="no stage"):
        check(parse("x"), "nothing")
    with pytest.raises(PassError, match="bounds"):
        check(make("sum_over", (tensor("x"), number(0), tensor("n") * 2), {"index": "i"}), "parsed")
    with pytest.raises(PassError, match="left over"):
        check(make("tensor", (), {"name": "?"}), "parsed")
