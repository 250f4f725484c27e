"""Pixels to ignore: masks that are given, and those that the values themselves give away. True = ignore."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from ...base.arrays import AnyArray, AnyDtype, Bools
from ...base.errors import FileFormatError, ImageError, UsageError
from ...base.opening import reading_hdf5
from ...base.silence import quiet
from ...base.units import Region
from ...records.traits import Traits
from ..nexus.contents import find_detector
from .regions import binning_of
from .sources import open_frames

MANY_BLOBS = 9  # 3 x 3 holes are the least that make a grid
LEAST_BLOB = 5  # pixels: a cross is the smallest thing that is more than a zinger and its neighbour
MANY_DUMMIES = 16  # different negative values (detectors have two or three codes); more are noise around zero
FEW_SATURATED = 1e-3  # share of the pixels: hot ones and specks are fewer, a bright background or bright holes far more


def load_mask(source: object, shape: tuple[int, ...], *, region: Region | None = None) -> Bools:
    """Read a mask.

    Parameters
    ----------
    source : file or silx URL (not 0 = ignore), name of a pyFAI detector or of its NeXus file, array, or a sequence of
        those, which are united
    shape : (slow, fast) of the image it is for
    region : part of the detector that the image shows; a mask may be of that part, or of all

    Returns
    -------
    (ny, nx), True = ignore

    Raises
    ------
    ImageError
        It cannot be read, or is of another shape.
    """
    if isinstance(source, Sequence) and not isinstance(source, str) and not _is_numbers(source):
        masks = [load_mask(one, shape, region=region) for one in source]
        return np.logical_or.reduce(masks) if masks else np.zeros(shape, bool)
    if isinstance(source, str | os.PathLike):
        text = os.fspath(source)
        name = f"mask {text}"
        bare = not os.path.exists(text) and "::" not in text and "?" not in text
        if bare and Path(text).suffix == "" and os.sep not in text:
            return detector_mask(text, shape)
        values = _nexus_mask(text) if os.path.exists(text) else None
        if values is None:
            values = _plane(text, name)
    else:
        name, values = "mask", np.asarray(source)
    if region and values.ndim == 2 and values.shape != tuple(shape):
        values = values[region[0] : region[1], region[2] : region[3]]
    if values.shape != tuple(shape):
        raise ImageError(f"{name} has the shape {values.shape}", expected=f"that of the image, {tuple(shape)}")
    ignore: Bools = np.isnan(values) | (values != 0) if values.dtype.kind == "f" else values != 0
    if ignore.all():
        raise ImageError(f"{name} ignores every pixel", hint="pixels to ignore are those that are not 0")
    return ignore


def _is_numbers(values: Sequence[object]) -> bool:
    return isinstance(values, np.ndarray) or (len(values) > 0 and isinstance(values[0], list | tuple | int | bool))


def _plane(text: str, name: str) -> AnyArray:
    with open_frames(text) as frames:
        if frames.count != 1 or len(frames.shape) != 2:
            raise ImageError(f"{name} has {frames.count} frames of shape {frames.shape}", expected="one plane")
        return frames.read(0)


def _nexus_mask(text: str) -> AnyArray | None:
    """Mask of a detector in pyFAI's NeXus form, None when the file is something else."""
    if Path(text).suffix.lower() not in (".h5", ".nxs", ".hdf5"):
        return None
    try:
        with reading_hdf5(text) as file:
            group = find_detector(file)
            return np.asarray(group["mask"][()]) if "pixel_corners" in group and "mask" in group else None
    except (FileFormatError, KeyError, RuntimeError):
        return None


def named_detector(name: str, shape: tuple[int, ...]) -> tuple[tuple[float, float], Bools | None]:
    """Nominal pixel size (slow, fast) in metres and the gaps (ny, nx), True = no pixel, or None where there are none.

    Parameters
    ----------
    name : of a detector that pyFAI knows, or of a detector file
    shape : (slow, fast) of the image it is for; where it divides that of the detector, pixels were read out as one

    Raises
    ------
    UsageError
        pyFAI knows no such detector, or not the size of its pixels.
    ImageError
        It has another shape.
    """
    with quiet("pyFAI"):
        pixel, gaps, _ = _detector(name, shape)
    if pixel is None:
        raise UsageError(f"detector {name!r} has no pixel size", expected="a detector of known pixel size")
    return pixel, gaps if gaps.any() else None


def named_traits(name: str, shape: tuple[int, ...]) -> tuple[Traits, str]:
    """What a detector that pyFAI knows is besides the places of its pixels, and a remark, empty where there is none."""
    from ..nexus.detector import traits_of

    with quiet("pyFAI"):
        detector = _detector(name, shape)[2]
        traits, made = traits_of(detector, tuple(shape)), [str(one) for one in getattr(detector, "SENSORS", ())]
    several = traits.sensor is None and len(made) > 1
    return traits, f"{name} is made with {' or '.join(made)}: --sensor tells which" if several else ""


def detector_mask(name: str, shape: tuple[int, ...]) -> Bools:
    """Mask (ny, nx) of a detector alone; see :func:`named_detector`."""
    with quiet("pyFAI"):
        return _detector(name, shape)[1]


def known_detector(name: str) -> Any:
    """pyFAI's detector of a name, or of a detector file.

    Raises
    ------
    UsageError
        pyFAI knows none of this name; it says which may be meant.
    """
    from pyFAI.detectors import ALL_DETECTORS, detector_factory

    try:
        return detector_factory(name)
    except Exception as error:
        # pyFAI lists each name in several spellings
        spellings = {re.sub("[ _]", "", one): (kind.aliases or [one])[0] for one, kind in ALL_DETECTORS.items()}
        close = difflib.get_close_matches(re.sub("[ _]", "", str(name).lower()), spellings, 3, 0.5)
        near = " or ".join(dict.fromkeys(spellings[one] for one in close))
        meant = f"did you mean {near}? " if near else ""
        raise UsageError(
            f"{name!r} is neither the name nor the file of a detector that pyFAI knows",
            hint=f"{meant}a name is such as Pilatus1M",
        ) from error


def _detector(name: str, shape: tuple[int, ...]) -> tuple[tuple[float, float] | None, Bools, Any]:
    """Pixel size, if it is known, mask, and pyFAI's detector: zeros where there is no mask, what knows no shape has no
    gaps either."""
    detector = known_detector(name)
    own = tuple(int(n) for n in (detector.shape or ()))
    factor = binning_of(shape, own) if own else (1, 1)
    # pyFAI knows which binnings its own detectors have; those from files it does not bin.
    if factor is None or (own and detector.force_pixel and not detector.guess_binning(tuple(shape))):
        raise ImageError(
            f"detector {name!r} has the shape {own}",
            expected=f"that of the image, {tuple(shape)}, or one that it divides",
            hint="for a part of a detector, give pixel size and mask instead",
        )
    mask: Bools = np.asarray(detector.mask) != 0 if own and detector.mask is not None else np.zeros(shape, bool)
    if mask.shape != tuple(shape):
        mask = np.asarray(mask.reshape(shape[0], factor[0], shape[1], factor[1]).any(axis=(1, 3)))
    if not detector.pixel1 or not detector.pixel2:
        return None, mask, detector
    scale = (1, 1) if detector.force_pixel else factor
    return (float(detector.pixel1) * scale[0], float(detector.pixel2) * scale[1]), mask, detector


def dummies(data: AnyArray, dtype: AnyDtype) -> Bools:
    """Pixels that hold a code instead of a measurement.

    Negative values are codes when they are few different ones that stand apart from the data, as -1 and -2 in the gaps
    of a pixel detector; many different ones are the noise of a subtracted background. The largest value of an integer
    type is a code when nothing comes near it, and when it is neither what holes read nor what is around them.

    Parameters
    ----------
    data : (ny, nx), finite
    dtype : as recorded, before frames were combined
    """
    out = np.zeros(data.shape, bool)
    top = _ceiling(dtype)
    if top is not None and data.max() >= top and (dtype.itemsize >= 4 or not _is_light(data, top)):
        out |= data >= top
    if dtype.kind != "u" and data.min() < 0:
        for value in _negative_codes(data):
            out |= data == value
    return out


def _ceiling(dtype: AnyDtype) -> int | None:
    return int(np.iinfo(dtype).max) if dtype.kind in "ui" else None


def _is_light(data: AnyArray, top: int) -> bool:
    """Whether pixels at `top` have seen much light rather than none: others come near, or they show holes."""
    where = data >= top
    # a drawing in two levels has no gaps, and what covers most of a picture of holes is its background
    rest = data[~where]
    drawing = not rest.size or bool(rest.min() == rest.max())
    return drawing or _comes_near(data, top) or _are_blobs(where) or (float(where.mean()) > 0.5 and _are_blobs(~where))


def _are_blobs(where: Bools) -> bool:
    """Whether these pixels (ny, nx) mostly lie in many compact pieces of one size, as those of holes do: neither specks
    nor lines nor modules."""
    labels, count = ndimage.label(where)
    if count < MANY_BLOBS:
        return False
    area = np.bincount(labels.ravel())[1:]
    boxes = [[s.stop - s.start for s in box] for box in ndimage.find_objects(labels) if box is not None]
    extent = np.max(boxes, axis=1)
    # the size of the piece that a pixel of them is in, and pieces like it
    order = np.argsort(area)
    typical = area[order][np.searchsorted(np.cumsum(area[order]), 0.5 * area.sum())]
    alike = (area > 0.5 * typical) & (area < 2 * typical) & (area > 0.4 * extent**2) & (8 * extent < max(where.shape))
    return bool(typical >= LEAST_BLOB and alike.sum() >= MANY_BLOBS and area[alike].sum() > 0.5 * area.sum())


def _comes_near(data: AnyArray, top: int) -> bool:
    """Whether values below `top` fill the range up to it, as they do on the flanks of something that clips."""
    return bool(((data < top) & (data >= 0.9 * top)).any())


def _negative_codes(data: AnyArray) -> list[float]:
    negative = data[data < 0]
    values, counts = np.unique(negative, return_counts=True)
    if len(values) <= MANY_DUMMIES and _looks_like_gaps(data < 0):
        return [float(v) for v in values]
    codes = []
    for value, count, above in zip(values[:-1], counts[:-1], values[1:], strict=True):
        # From below: far apart from the next one, and met again and again.
        if count < 2 or above - value < 0.5 * abs(value):
            break
        codes.append(float(value))
    return codes


def _looks_like_gaps(where: Bools) -> bool:
    """Whether pixels are rare, or lie together as gaps and dead columns do, rather than scattered as noise is."""
    share = float(where.mean())
    if share < 1e-3:
        return True
    down, right = where[1:] & where[:-1], where[:, 1:] & where[:, :-1]
    beside = (down.sum() + right.sum()) / max(1, 2 * where.sum())
    return bool(beside > max(0.4, min(0.95, 1.5 * share)))


def saturation_level(data: AnyArray, dtype: AnyDtype) -> float | None:
    """Counts at which pixels clip, None when none does.

    It is the largest value of an integer type up to 16 bit, or a value at the very top that many pixels share exactly
    while the range just below is nearly empty in comparison: 4095 of a 12-bit camera.
    """
    if data.size == 0:
        return None
    top = _ceiling(dtype)
    highest = float(data.max())
    if top is not None and dtype.itemsize <= 2 and highest >= top:
        return float(top) if _is_light(data, top) else None
    codes = dummies(data, dtype)
    if codes.any():
        rest = data[~codes]
        if not rest.size:
            return None
        highest = float(rest.max())
    at_top = int((data == highest).sum())
    if at_top < max(16, 1e-5 * data.size):
        return None
    lower = data[data < highest]
    if not lower.size:
        return None  # blank
    # Counts just below the top: 2 % of the range, and the next value that occurs at the least.
    bound = min(float(lower.max()), highest - 0.02 * (highest - float(lower.mean())))
    return highest if at_top > 3 * int((lower >= bound).sum()) else None


def blemishes(saturated: Bools, notes: list[str], level: float) -> Bools:
    """Saturated pixels that are better ignored: few of them, in specks. Many are a clipped background or flat-topped
    holes."""
    share = float(saturated.mean())
    if share == 0:
        return saturated
    if share <= FEW_SATURATED and not _are_blobs(saturated):
        notes.append(f"{int(saturated.sum())} saturated pixels ({level:g} counts) are ignored")
        return saturated
    notes.append(f"{100 * share:.3g} % of the pixels are saturated ({level:g} counts)")
    return np.zeros_like(saturated)
