"""Everything that can go wrong, as exceptions whose text says what was given, what was expected and what to do."""

from __future__ import annotations

__all__ = [
    "CalibrationError",
    "FileFormatError",
    "FittingError",
    "GridcalError",
    "ImageError",
    "IndexingError",
    "PickingError",
    "UsageError",
]


class GridcalError(Exception):
    """Root of all errors raised on purpose by this package.

    Parameters
    ----------
    what : what happened, with what was given
    expected : what would have been right
    hint : what the user can do about it

    Examples
    --------
    >>> from pyfai_gridcal import GridcalError, Plate
    >>> try:
    ...     Plate("5 miles")
    ... except GridcalError as error:
    ...     print(error.what)
    pitch_m '5 miles': unknown unit 'miles'
    """

    def __init__(self, what: str, *, expected: str | None = None, hint: str | None = None):
        self.what, self.expected, self.hint = what, expected, hint
        text = what
        if expected:
            text += f"; expected {expected}"
        if hint:
            text += f"; {hint}"
        super().__init__(text)


class UsageError(GridcalError, ValueError):
    """An argument cannot be meant as it was given (exit status 2)."""


class ImageError(GridcalError):
    """An image cannot be read or holds nothing to work on."""


class FileFormatError(GridcalError):
    """A detector or distortion file is not what it should be."""


class CalibrationError(GridcalError):
    """The image was read, but no trustworthy calibration comes out of it (exit status 1)."""


class PickingError(CalibrationError):
    """No usable spots."""


class IndexingError(CalibrationError):
    """The spots do not form a lattice."""


class FittingError(CalibrationError):
    """The control points do not determine a distortion."""
