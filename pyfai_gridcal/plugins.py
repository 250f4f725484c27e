"""Calibrations of detectors as plugins: any package can bring one, and all are found in one place.

pyFAI looks for no plugins by itself. This module agrees on what is open to everybody: entry points of the group
``pyfai.detector_calibration``, each of which names an object that does what :class:`DetectorCalibration` says::

    [project.entry-points."pyfai.detector_calibration"]
    mine = "my_package.module:MyCalibration"

and a name in pyFAI's registry of detectors that leads to plain detectors from files, after ``pyfai_gridcal.register()``
(:func:`register`) or the loading of a member::

    detector_factory("gridcal", {"filename": "/data/detector.h5"})      # a NexusDetector

Nothing of pyFAI is replaced, and nothing happens when this module is imported.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

from .base.errors import UsageError

if TYPE_CHECKING:
    from pyFAI.detectors import Detector


logger = logging.getLogger(__name__)

#: Entry points of this group are detector calibrations.
GROUP = "pyfai.detector_calibration"


@runtime_checkable
class DetectorCalibration(Protocol):
    """What an entry point of the group :data:`GROUP` leads to: an object, or a class that is called without arguments.

    Attributes
    ----------
    name : short, lower case; also a name for :func:`pyFAI.detectors.detector_factory`
    title : one line for people
    needs : argument of :meth:`calibrate` -> what it is, in words; those without which nothing goes

    Two more are optional:

    ``command`` : callable (list of command-line arguments) -> exit status
    ``task`` : callable without arguments that gives a pyFAI ``AbstractCalibrationTask`` for the calibration window
    """

    name: str
    title: str
    needs: Mapping[str, str]

    def calibrate(self, images: Any, **settings: Any) -> Detector:
        """Find the detector from its images: a plain detector of pyFAI, never of a class of one's own."""
        ...


@dataclass(frozen=True)
class Member:
    """An entry point of the group that has not been loaded.

    Attributes
    ----------
    name : of the entry point
    value : where its object is, ``module:attribute``
    distribution : name of the package that brings it
    """

    name: str
    value: str
    distribution: str
    entry: EntryPoint

    def load(self) -> DetectorCalibration:
        """Import the object and check that it does what it must.

        Raises
        ------
        UsageError
            It lacks a part.
        Exception
            Whatever its import raises.
        """
        loaded = self.entry.load()
        one = loaded() if isinstance(loaded, type) else loaded
        missing = [part for part in ("name", "title", "needs", "calibrate") if not hasattr(one, part)]
        if missing or not callable(one.calibrate):
            raise UsageError(
                f"{self.value} lacks {', '.join(missing) or 'a callable calibrate'}", expected="a DetectorCalibration"
            )
        result: DetectorCalibration = one
        return result


def members() -> tuple[Member, ...]:
    """All installed detector calibrations, by name; none of them is imported."""
    found = {}
    for entry in entry_points(group=GROUP):
        distribution = entry.dist.name if entry.dist is not None else "unknown"
        found[entry.name, entry.value] = Member(entry.name, entry.value, distribution, entry)
    return tuple(found[key] for key in sorted(found))


def load_members() -> dict[str, DetectorCalibration]:
    """Load all installed detector calibrations; one that is broken is reported by a warning in the log, and skipped.

    Their names then lead, in pyFAI's registry of detectors, to plain detectors from files (see :func:`register`).
    """
    loaded: dict[str, DetectorCalibration] = {}
    for member in members():
        try:
            one = member.load()
            key = str(one.name).lower()
            if key in loaded:
                logger.warning("%s of %s is passed over: the name %r is taken", member.value, member.distribution, key)
                continue
            loaded[key] = one
        except Exception as error:  # a broken plugin must not take the others with it
            logger.warning(
                "%s of %s cannot be used: %s: %s", member.value, member.distribution, type(error).__name__, error
            )
    register(*loaded)
    return loaded


def register(*names: str) -> tuple[str, ...]:
    """Let names in pyFAI's registry of detectors lead to detectors from files.

    Afterwards ``detector_factory(name, {"filename": "/abs/path.h5"})`` gives a plain ``NexusDetector``, and a PONI
    file written from it says so: whoever reads it needs nothing of this package.

    Parameters
    ----------
    names : besides "gridcal"; names that pyFAI knows already stay as they are

    Returns
    -------
    The names that now lead to a detector from a file.

    Examples
    --------
    >>> from pyfai_gridcal import register
    >>> "gridcal" in register()
    True
    """
    from pyFAI.detectors import ALL_DETECTORS, NexusDetector

    for name in ("gridcal", *names):
        if ALL_DETECTORS.setdefault(name.lower(), NexusDetector) is not NexusDetector:
            logger.info("pyFAI knows a detector %s already; it stays", name)
    return tuple(name for name, one in ALL_DETECTORS.items() if one is NexusDetector)


class GridCalibration:
    """The calibration by the image of a grid of holes, as a member of the group."""

    name: ClassVar[str] = "gridcal"
    title: ClassVar[str] = "Distortion from the image of a grid of holes"
    needs: ClassVar[Mapping[str, str]] = {
        "images": "image of the grid (array or file), or several of one plate",
        "pitch": "distance of neighbouring holes in metres, one or two",
    }

    def calibrate(
        self, images: Any, *, output: str | PathLike[str] | None = None, force: bool = False, **settings: Any
    ) -> Detector:
        """Find the detector.

        Parameters
        ----------
        images : see :func:`pyfai_gridcal.calibration.calibrate`
        output : detector file to write. The detector is then the one read back from it, which PONI files can name;
            without it, it lives in this session only
        force : return a detector also when the result is not to be trusted
        settings : pitch and the others of :class:`pyfai_gridcal.records.settings.Settings`

        Raises
        ------
        CalibrationError
            The images give no trustworthy calibration.
        """
        from .base.errors import CalibrationError
        from .calibration import calibrate

        result = calibrate(images, **settings)
        if result.verdict.level == "failed" and not force:
            raise CalibrationError(
                "; ".join(result.verdict.reasons) or "the checks failed", hint="force=True returns it all the same"
            )
        if output is None:
            return result.detector()
        from pyFAI.detectors import NexusDetector

        return NexusDetector(str(result.save(Path(output))))

    @staticmethod
    def command(arguments: Sequence[str]) -> int:
        """Run ``pyFAI-gridcal calibrate`` with these arguments."""
        from importlib import import_module

        main: Callable[[Sequence[str]], int] = import_module(f"{__package__}.cli").main
        return main(["calibrate", *arguments])

    @staticmethod
    def task() -> Any:
        """The task "Distortion" of the calibration window."""
        from importlib import import_module

        return import_module(f"{__package__}.gui.task").DistortionTask()
