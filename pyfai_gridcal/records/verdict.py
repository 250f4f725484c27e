"""Whether a calibration can be trusted: checks with a limit each, and a verdict in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["good", "doubtful", "failed"]
_ORDER: dict[Level, int] = {"good": 0, "doubtful": 1, "failed": 2}


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes
    ----------
    name : short name
    value : the figure
    doubtful, failed : limits beyond which the result is doubtful, or failed; None for no such limit
    level : what came out
    text : what it means, in words, for the report
    """

    name: str
    value: float
    level: Level
    text: str
    doubtful: float | None = None
    failed: float | None = None


@dataclass(frozen=True)
class Verdict:
    """The worst of all checks, with the reasons.

    Attributes
    ----------
    level : "good", "doubtful" or "failed"
    reasons : in words, the worst first; empty when good
    checks : all that was looked at
    """

    level: Level
    reasons: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()

    @classmethod
    def of(cls, checks: tuple[Check, ...]) -> Verdict:
        """Verdict that follows from the checks."""
        worst: Level = max((c.level for c in checks), key=_ORDER.__getitem__, default="good")
        bad = sorted((c for c in checks if c.level != "good"), key=lambda c: -_ORDER[c.level])
        return cls(worst, tuple(c.text for c in bad), tuple(checks))

    def is_worse_than(self, level: Level) -> bool:
        """Whether this is farther from "good" than `level`."""
        return _ORDER[self.level] > _ORDER[level]

    def __repr__(self) -> str:
        text = str(self)
        return f"<Verdict: {text if len(text) < 150 else text[:147] + '...'} ({len(self.checks)} checks)>"

    def __str__(self) -> str:
        return self.level if not self.reasons else f"{self.level}: " + "; ".join(self.reasons)


def check_above(name: str, value: float, text: str, *, doubtful: float | None, failed: float | None) -> Check:
    """A check whose value should not be above its limits (None: there is no such limit); NaN is beyond all of them."""
    level: Level = "good"
    if failed is not None and not value <= failed:
        level = "failed"
    elif doubtful is not None and not value <= doubtful:
        level = "doubtful"
    return Check(name, float(value), level, text, doubtful, failed)


def check_below(name: str, value: float, text: str, *, doubtful: float | None, failed: float | None) -> Check:
    """A check whose value should not be below its limits (None: there is no such limit); NaN is beyond all of them."""
    level: Level = "good"
    if failed is not None and not value >= failed:
        level = "failed"
    elif doubtful is not None and not value >= doubtful:
        level = "doubtful"
    return Check(name, float(value), level, text, doubtful, failed)
