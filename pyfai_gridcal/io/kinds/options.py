"""What can be told to a reader or a writer of distortion files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...base.progress import Progress
from ...records.jobs import Convert, Reading

__all__ = ["Reading", "Writing"]


@dataclass(frozen=True)
class Writing:
    """How to write where the kind leaves a choice.

    Attributes
    ----------
    tolerance : largest deviation of a spline, px
    force : write what loses more than that, or what the kind cannot hold
    name : of the detector
    source : path of the detector file that the distortion came from, for pointers
    progress : called with (fraction, text) now and then by what takes long
    """

    tolerance: float = Convert.tolerance
    force: bool = Convert.force
    name: str = Convert.name
    source: Path | None = None
    progress: Progress | None = None
