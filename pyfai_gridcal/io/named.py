"""Detectors that pyFAI knows by name: pixel size and gaps."""

from __future__ import annotations

from .._typing import Bools
from .masks import detector_mask

__all__ = ["named_detector"]


def named_detector(name: str, shape: tuple[int, int]) -> tuple[tuple[float, float], Bools | None]:
    """Pixel size (slow, fast) in metres and gaps (True = no pixel), or None where there are none.

    Raises
    ------
    UsageError
        pyFAI knows no such detector, or its shape is another one.
    """
    from pyFAI.detectors import detector_factory

    gaps = detector_mask(name, shape)
    detector = detector_factory(name)
    pixel = float(detector.pixel1), float(detector.pixel2)
    return pixel, gaps if gaps.any() else None
