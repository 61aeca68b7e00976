"""The helper that judges all passes must itself catch each kind of broken pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
from helpers import assert_pass, make, unitary

from qattn_compiler.circuit.table import Builder, Circuit, Extra
from qattn_compiler.errors import CircuitError


@dataclass(frozen=True)
class Broken:
    """A pass that does what it is told."""

    change: Callable[[Circuit], Circuit]
    name: str = "broken"

    def run(self, circuit: Circuit) -> Circuit:
        return self.change(circuit)


def circuit() -> Circuit:
    builder = Builder(range(2))
    builder.add("x", [0])
    builder.measure([0], "m")
    builder.opaque([1], "if m", reads=("m",))
    builder.add("z", [1], extra=Extra(tags=("keep",)))
    builder.add("rz", [1], [(0.5, {"a": 1.0})])
    return builder.build()


def rows(*order: int) -> Callable[[Circuit], Circuit]:
    return lambda c: c.with_rows(np.array(order)) if len(c) == 5 else c


def write(c: Circuit) -> Circuit:
    c.angles.setflags(write=True)
    c.angles[4, 0] += 2 * np.pi
    c.angles.setflags(write=False)
    return c


@pytest.mark.parametrize(
    "change",
    [
        lambda c: replace(c, phase=c.phase + 0.1),  # global phase
        rows(1, 2, 3, 4),  # a gate is gone
        rows(1, 0, 2, 3, 4),  # a gate crosses a measurement
        rows(0, 2, 1, 3, 4),  # the control crosses the measurement that it reads
        rows(0, 1, 2, 4, 3),  # right, but the tagged row moved: a new object each time
        rows(0, 1, 2, 4),  # a tagged row is gone
        lambda c: replace(c),  # a new object for nothing
        lambda c: replace(c, params=()),  # parameters are gone
        lambda c: replace(c, angles=c.angles * 2),  # another angle
        lambda c: replace(c, qubits=("p", "q")),
        write,  # writes into its input
    ],
)
def test_broken_passes_are_caught(change):
    with pytest.raises((AssertionError, CircuitError)):
        assert_pass(Broken(change), circuit())


def test_worse_cost_is_caught():
    twice = Broken(lambda c: make(1, ("h", 0), ("h", 0), ("x", 0)) if len(c) == 1 else c)
    with pytest.raises(AssertionError):
        assert_pass(twice, make(1, ("x", 0)))
    assert len(assert_pass(twice, make(1, ("x", 0)), cost=lambda c: 0)) == 3


def test_doing_nothing_is_right():
    assert_pass(Broken(lambda c: c), circuit())


def test_unitary_of_a_small_circuit():
    bell = unitary(make(2, ("h", 0), ("cx", (0, 1)), ("rz", 1, "s")), {"s": np.pi})
    np.testing.assert_allclose(bell[:, 0], np.array([-1j, 0, 0, 1j]) / np.sqrt(2), atol=1e-12)
