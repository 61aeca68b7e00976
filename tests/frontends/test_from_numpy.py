import numpy as np
import pytest

from qattn_compiler.errors import ShapeError, WeightError
from qattn_compiler.expr.evaluate import evaluate
from qattn_compiler.frontends import parse
from qattn_compiler.frontends.from_numpy import from_arrays


def test_product_of_two_arrays():
    weights, values = [[0.5, 0.5], [0, 1]], np.arange(6).reshape(2, 3)
    expr, arrays = from_arrays(weights, values)
    assert expr is parse("W @ V")
    np.testing.assert_array_equal(evaluate(expr, arrays), np.array(weights) @ values)


def test_vectors_and_names():
    expr, arrays = from_arrays([1, 2], [3, 4], names=("a", "b"))
    assert evaluate(expr, arrays) == 11


@pytest.mark.parametrize(
    ("weights", "values", "error"),
    [
        ([[1, 2]], [[1]], ShapeError),
        (1.0, [1], ShapeError),
        (np.ones((2, 2, 2)), [1, 2], ShapeError),
        ([np.nan], [1], WeightError),
        ([1j], [1], WeightError),
        ([], [], WeightError),
        ("text", [1], WeightError),
    ],
)
def test_arrays_that_do_not_fit(weights, values, error):
    with pytest.raises(error):
        from_arrays(weights, values)


def test_both_errors_at_once():
    with pytest.raises(WeightError) as caught:
        from_arrays([np.inf], ["x"])
    assert len(caught.value.errors) == 2
