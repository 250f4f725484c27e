"""What can be told to a reader or a writer of distortion files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...base.errors import FileFormatError, UsageError
from ...base.progress import Progress
from ...records.jobs import Convert, Reading
from .pointers import NO_EXPERIMENT, Experiment

#: Pixels along one axis beyond which a size is not believed: four times the largest cameras.
MAX_SIDE = 65536
#: Metres between which the side of a pixel is believed: from what light resolves to the largest pads of gas chambers.
_SMALLEST, _LARGEST = 1e-9, 0.1


def believed_size(size: Sequence[float], name: object) -> tuple[float, float]:
    """(slow, fast) pixel size in metres that a file of this name declares.

    Raises
    ------
    FileFormatError
        Not two lengths, or none that pixels can have.
    """
    if len(size) != 2 or not all(_SMALLEST < v < _LARGEST for v in size):
        raise FileFormatError(f"{name} declares a pixel size of {tuple(size)} m", expected="two lengths (slow, fast)")
    return float(size[0]), float(size[1])


def pixel_size_of(told: Sequence[float], reading: Reading, name: object) -> tuple[float, float]:
    """(slow, fast) in metres: what was told, else what the file declares, if it does.

    Raises
    ------
    FileFormatError, UsageError
        None that pixels can have; neither.
    """
    if reading.pixel_size:
        return reading.pixel_size
    if len(told) != 2:
        hint = "give it, slow first: --pixel 50um or --pixel 50um,48um"
        raise UsageError(f"{name} does not tell the pixel size", hint=hint)
    return believed_size(told, name)


@dataclass(frozen=True)
class Writing:
    """How to write where the kind leaves a choice.

    Attributes
    ----------
    tolerance : largest deviation of a spline, px
    force : write what loses more than that, or what the kind cannot hold
    name : of the detector
    source : path of the detector file that the distortion came from, for pointers
    told : what pointers tell besides the detector
    relative : pointers name the detector relative to themselves
    progress : called with (fraction, text) now and then by what takes long
    """

    tolerance: float = Convert.tolerance
    force: bool = Convert.force
    name: str = Convert.name
    source: Path | None = None
    progress: Progress | None = None
    told: Experiment = NO_EXPERIMENT
    relative: bool = Convert.relative
