"""How far a long computation has come, told to whoever wants to know."""

from __future__ import annotations

from collections.abc import Callable

from .errors import GridcalError

#: Called with the fraction that is done, 0 to 1, and what is being done; may raise to cancel.
Progress = Callable[[float, str], None]


def untold(fraction: float, what: str) -> None:
    """Nobody wants to know."""


def part_of(progress: Progress, low: float, high: float) -> Progress:
    """The progress of a step of a longer computation, from `low` to `high` of the whole."""
    return lambda fraction, what: progress(low + (high - low) * fraction, what)


class Cancelled(GridcalError):
    """Whoever waited for a computation has stopped it."""

    def __init__(self) -> None:
        super().__init__("cancelled")
