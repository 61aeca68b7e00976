"""Every error a user can meet, in one file, under one root.

A message says what is wrong, where (`place`), what was expected and what to do (`hint`). All errors of
one stage are raised together by `raise_all`, so that a user sees every mistake at once.
"""

from __future__ import annotations

from collections.abc import Sequence


class QattnError(Exception):
    """Root of all errors of this package.

    Args:
        message: what is wrong and what was expected, in one sentence.
        place: where: a line with a caret under it, `file: key`, a gate, a node, a pass.
        hint: what to do about it.
    """

    def __init__(self, message: str, *, place: str | None = None, hint: str | None = None) -> None:
        self.message = message
        self.place = place
        self.hint = hint
        self.others: tuple[QattnError, ...] = ()
        super().__init__(message)

    def _one(self) -> str:
        parts = [self.message]
        if self.place:
            parts.append(self.place)
        if self.hint:
            parts.append(f"hint: {self.hint}")
        return "\n".join(parts)

    def __str__(self) -> str:
        return "\n\n".join(error._one() for error in (self, *self.others))

    @property
    def errors(self) -> tuple[QattnError, ...]:
        """This error and the others of the same stage."""
        return (self, *self.others)


class ParseError(QattnError, ValueError):
    """The expression's text is not in the accepted subset of Python."""


class ShapeError(QattnError, ValueError):
    """Shapes of an expression do not fit together, or do not fit the weights."""


class WeightError(QattnError, ValueError):
    """An array or a weight file is missing, damaged, not finite or of the wrong kind."""


class LoweringError(QattnError, ValueError):
    """The expression has no circuit in the encoding that was asked for."""


class CircuitError(QattnError, ValueError):
    """A circuit breaks the rules of its stage, or a foreign circuit cannot be read."""


class PassError(QattnError, ValueError):
    """A pass or a pipeline cannot run: unknown name, bad option, missing precondition."""


class TargetError(QattnError, ValueError):
    """The target is unknown, too small, or cannot run a gate."""


class OptionError(QattnError, ValueError):
    """An option has a value that means nothing."""


class OutputError(QattnError, OSError):
    """The results cannot be written."""


class VerificationError(QattnError):
    """The result does not mean what the input means. Always a bug; please report it."""


def raise_all(errors: Sequence[QattnError]) -> None:
    """Raise the first of `errors`, carrying the rest with it; return if there is none."""
    if not errors:
        return
    first, *rest = errors
    first.others = tuple(rest)
    raise first
