"""What can be told to a reader or a writer of distortion files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["Reading", "Writing"]

from ...base.progress import Progress


@dataclass(frozen=True)
class Reading:
    """What a file does not tell about itself.

    Attributes
    ----------
    kind : name of the kind, None = told from the content
    shape : (slow, fast) pixels; decides whether maps are at pixel centres or corners
    pixel_size : (slow, fast), metres; also replaces what the file says about it
    binning : (slow, fast) pixels that are read out as one in the images to come
    orientation : pyFAI orientation of the images that the file was made for
    """

    kind: str | None = None
    shape: tuple[int, int] | None = None
    pixel_size: tuple[float, float] | None = None
    binning: tuple[int, int] = (1, 1)
    orientation: int = 3


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

    tolerance: float = 0.01
    force: bool = False
    name: str = "calibrated"
    source: Path | None = None
    progress: Progress | None = None
