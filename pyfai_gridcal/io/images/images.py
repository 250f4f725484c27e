"""Images, ready to look for holes: one plane of finite numbers, with what to ignore and where it came from."""

from __future__ import annotations

import glob
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from ...base.arrays import AnyArray, AnyDtype, Bools, frozen_array, measured
from ...base.errors import ImageError, UsageError
from ...base.progress import Progress
from .frames import Frames
from .masks import blemishes, dummies, load_mask, saturation_level
from .sources import open_frames

__all__ = ["Combine", "Image", "Source", "load_image"]

Combine = Literal["median", "mean"]

MEMORY = 512 * 2**20  # bytes of frames that are held at once (a small machine has some GB); more go to a temporary file
BLOCK = 64 * 2**20  # bytes of frames that are reduced at once


@dataclass(frozen=True)
class Source:
    """Where an image came from.

    Attributes
    ----------
    path : of the file, absolute; empty for an array
    url : as it was asked for, data path and slice included
    sha256 : of the file, or of the values of an array
    frames : number of frames taken from it
    header : what the file says about the image
    role : image, dark or flat
    """

    path: str
    url: str
    sha256: str
    frames: int = 1
    header: Mapping[str, str] = field(default_factory=dict, repr=False)
    role: str = "image"


@dataclass(frozen=True, eq=False)
class Image:
    """One image.

    Attributes
    ----------
    data : (ny, nx), as recorded, or float32/float64 where frames were combined or corrected; 0 where it was not finite
    mask : (ny, nx), True = ignore
    saturation : counts at which pixels clip, None when nothing clips
    saturated : (ny, nx), True where the recorded value reached it, None when nothing clips. Such pixels are in `mask`
        only when they are few: a white background or flat-topped holes hold most of the image, and ignoring them would
        leave nothing to fit. Whoever fits spots can tell them by this array.
    sources : provenance: images, then darks and flats
    frames : number of frames that were combined
    notes : remarks for the report, in words
    """

    data: AnyArray
    mask: Bools
    saturation: float | None = None
    saturated: Bools | None = None
    sources: tuple[Source, ...] = ()
    frames: int = 1
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "data", frozen_array(self.data, np.asarray(self.data).dtype, 2))
        object.__setattr__(self, "mask", frozen_array(self.mask, np.bool_, 2))
        if self.saturated is not None:
            object.__setattr__(self, "saturated", frozen_array(self.saturated, np.bool_, 2))
        if self.mask.shape != self.data.shape:
            raise UsageError(f"mask of shape {self.mask.shape} for an image of shape {self.data.shape}")

    def __repr__(self) -> str:
        (ny, nx), masked = self.shape, 100 * self.mask.mean()
        return (
            f"<Image: {self.name[-60:]}, {ny} x {nx} {self.data.dtype}, {self.frames} frame(s), {masked:.2g} % masked>"
        )

    @property
    def shape(self) -> tuple[int, int]:
        """(slow, fast) pixels."""
        return self.data.shape[0], self.data.shape[1]

    @property
    def name(self) -> str:
        """Name of the first file, without its folder; ``array`` when there is none."""
        return os.path.basename(self.sources[0].path) if self.sources and self.sources[0].path else "array"


def load_image(
    sources: object,
    *,
    dark: object = None,
    flat: object = None,
    mask: object = None,
    combine: Combine = "median",
    frames: int | slice | Sequence[int] | None = None,
    progress: Progress | None = None,
) -> Image:
    """Read one image, or reduce several to one.

    Parameters
    ----------
    sources : path, silx URL, array, :class:`Image`, or a sequence of paths, URLs and arrays
        Whatever fabio reads, JPEG, PNG, npy, HDF5 (``file.h5::/path``, or a file with one image-like dataset). All
        frames of all of them are reduced to one image.
    dark : sources of the image without light, subtracted
    flat : sources of the image of uniform light, already without its own dark
        The image is divided by it (relative to its median); where it is not positive, pixels are masked.
    mask : file, name of a pyFAI detector, array (True or not 0 = ignore), or a sequence of those
    combine : how frames are reduced
    frames : which frames of the whole list to use (all)
    progress : called with a fraction and a text

    Raises
    ------
    ImageError
        A file is missing or unreadable, there is nothing two-dimensional in it, shapes differ, or all is masked.
    UsageError
        An argument that cannot be meant as it was given.

    Notes
    -----
    Memory: a stack is read frame by frame. A mean needs three planes; a median holds the frames up to 512 MiB, and
    keeps more of them in a temporary file, from which blocks of rows are reduced.

    Masked on top of `mask`: values that are not finite, dummies (negative values that stand out from the data, the
    largest value of an integer type where nothing comes near it), saturated pixels where they are few.
    """
    if isinstance(sources, Image):
        return sources
    if combine not in ("median", "mean"):
        raise UsageError(f"combine {combine!r}", expected="median or mean")
    raw = _reduce(_as_list(sources, "image"), "image", combine, frames, progress)
    camera = {
        role: _reduce(_as_list(given, role), role, combine, None, None)
        for role, given in (("dark", dark), ("flat", flat))
        if given is not None
    }
    return _ready(raw, camera, mask)


def _ready(raw: _Reduced, camera: Mapping[str, _Reduced], mask: object) -> Image:
    """The image of what was recorded, with the dark and the flat of the camera taken out."""
    # One plane of finite numbers, as recorded.
    notes, origins = list(raw.notes), list(raw.sources)
    data, ignore = _without_nonfinite(raw.data)
    # What recorded values give away: codes for "no measurement", and where they clip.
    ignore |= dummies(data, raw.dtype)
    level = saturation_level(data, raw.dtype)
    saturated = None
    if level is not None:
        saturated = (data >= level) & ~ignore
        ignore |= blemishes(saturated, notes, level)
    # What is known of the camera: its dark, its flat, its mask.
    for role, corrected in (("dark", _subtract_dark), ("flat", _divide_flat)):
        if role in camera:
            data, bad, more = corrected(data, camera[role])
            ignore, origins = ignore | bad, [*origins, *more]
    if mask is not None:
        ignore |= load_mask(mask, data.shape)
    if ignore.all():
        raise ImageError(f"all {data.size} pixels of {raw.name} are masked or not finite", hint="check the mask")
    return Image(data, ignore, level, saturated, tuple(origins), raw.frames, tuple(notes))


def _as_list(sources: object, role: str) -> list[object]:
    """Sources as a list, wildcards that no shell has expanded included."""
    if isinstance(sources, str | os.PathLike):
        sources = [sources]
    elif isinstance(sources, np.ndarray) or not isinstance(sources, Sequence):
        return [sources]
    out: list[object] = []
    for source in sources:
        if isinstance(source, str) and glob.has_magic(source) and "::" not in source and not os.path.exists(source):
            out += sorted(glob.glob(source)) or [source]
        else:
            out.append(source)
    if out and all(isinstance(row, int | float | list | tuple) for row in out):
        return [np.asarray(out)]  # a nested list of numbers
    if not out:
        raise UsageError(f"no {role} given", expected="at least one file")
    return out


@dataclass(frozen=True, eq=False)
class _Reduced:
    """Frames of a list of sources as one plane; `dtype` is that of the frames."""

    data: AnyArray
    dtype: AnyDtype
    sources: tuple[Source, ...]
    frames: int
    notes: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.sources[0].url or "the array"


def _reduce(
    sources: list[object],
    role: str,
    combine: Combine,
    frames: int | slice | Sequence[int] | None,
    progress: Progress | None,
) -> _Reduced:
    with ExitStack() as stack:
        opened = [stack.enter_context(open_frames(source)) for source in sources]
        table = _chosen([(one, k) for one in opened for k in range(one.count)], frames)
        _check_frames([one for one, _ in table])
        notes = [note for one in opened for note in one.notes]
        if len(table[0][0].shape) == 3:
            notes.append(f"{role}: a colour picture, its channels were averaged to grey")
        if any(one.header.get("exif_orientation", "1") != "1" for one in opened):
            notes.append(f"{role}: the picture's EXIF orientation is ignored, pixels are taken as stored")
        planes = (_grey(one.read(k), one.name) for one, k in table)
        first = table[0][0]
        if len(table) == 1:
            data = np.asarray(next(planes))
        else:
            notes.append(f"{role}: {combine} of {len(table)} frames")
            told = _told(planes, len(table), role, progress)
            data = _mean(told) if combine == "mean" else _median(told, len(table))
        used = [(one, sum(t is one for t, _ in table)) for one in opened]
        origins = tuple(Source(o.path, o.url, o.sha256(), n, dict(o.header), role) for o, n in used if n)
        return _Reduced(data, first.dtype, origins, len(table), tuple(notes))


def _chosen(table: list[tuple[Frames, int]], frames: int | slice | Sequence[int] | None) -> list[tuple[Frames, int]]:
    if not table:
        raise ImageError("no frames found", expected="at least one")
    if frames is None:
        return table
    try:
        numbers = np.atleast_1d(np.arange(len(table))[frames if isinstance(frames, int | slice) else list(frames)])
    except IndexError:
        raise UsageError(f"frames {frames}", expected=f"numbers from 0 to {len(table) - 1}") from None
    if not len(numbers):
        raise UsageError(f"frames {frames} of {len(table)}", expected="at least one")
    return [table[k] for k in numbers]


def _check_frames(opened: list[Frames]) -> None:
    first = opened[0]
    if len(first.shape) < 2:
        raise ImageError(f"{first.name} has {len(first.shape)} dimension(s)", expected="two (slow, fast)")
    if 0 in first.shape:
        raise ImageError(f"{first.name} is empty: shape {first.shape}")
    if first.dtype.kind not in "uifb":
        raise ImageError(f"{first.name} holds {first.dtype}", expected="real numbers")
    for one in opened:
        if one.shape != first.shape:
            raise ImageError(
                f"{one.name} has the shape {one.shape}, {first.name} {first.shape}",
                expected="frames of one shape",
                hint="only frames of one and the same detector can be combined",
            )


def _grey(frame: AnyArray, name: str) -> AnyArray:
    """One plane; of a colour picture the mean of its channels, transparency left out."""
    if frame.ndim == 2:
        return frame.astype(np.uint8) if frame.dtype == bool else frame
    if frame.ndim != 3:
        raise ImageError(f"{name} has a frame of shape {frame.shape}", expected="two dimensions")
    if frame.shape[-1] == 4 and frame.dtype == np.uint8:
        frame = frame[..., :3]
    return frame.mean(axis=-1, dtype=np.float32)


def _told(planes: Iterator[AnyArray], count: int, role: str, progress: Progress | None) -> Iterator[AnyArray]:
    for k, plane in enumerate(planes):
        if progress is not None:
            progress(k / count, f"reading {role} {k + 1} of {count}")
        yield plane


def _float_for(dtype: AnyDtype) -> type[np.floating[Any]]:
    """float32 holds the values of 8 and 16 bit exactly."""
    return np.float32 if dtype.itemsize <= 2 or dtype == np.float32 else np.float64


def _mean(planes: Iterator[AnyArray]) -> AnyArray:
    """Mean of what is finite; NaN where nothing is. A pixel that is a dummy or clips in one frame is so in the mean."""
    total: AnyArray | None = None
    extreme: AnyArray
    count: AnyArray
    worst: AnyArray
    for plane in planes:
        if total is None:
            total, count = np.zeros(plane.shape), np.zeros(plane.shape, np.int32)
            dtype, worst, extreme = plane.dtype, np.zeros(plane.shape, bool), np.zeros(plane.shape, plane.dtype)
        good = measured(plane) if plane.dtype.kind == "f" else np.ones(plane.shape, bool)
        total += np.where(good, plane, 0)
        count += good
        ends = dummies(plane, plane.dtype)
        level = saturation_level(plane, plane.dtype)
        if level is not None:
            ends |= plane >= level
        extreme[ends], worst = plane[ends], worst | ends
    assert total is not None
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = total / count
    mean[worst] = extreme[worst]
    return mean.astype(_float_for(dtype))


def _median(planes: Iterator[AnyArray], count: int) -> AnyArray:
    """Median of what is finite, by blocks of rows; a stack beyond the memory allowed is kept in a temporary file."""
    first = next(planes)
    shape, dtype = (count, *first.shape), first.dtype
    with ExitStack() as stack:
        frames: AnyArray
        if first.nbytes * count <= MEMORY:
            frames = np.empty(shape, dtype)
        else:
            file = stack.enter_context(tempfile.TemporaryFile(prefix="gridcal-"))
            frames = np.memmap(file, dtype=dtype, mode="w+", shape=shape)
        frames[0] = first
        for k, plane in enumerate(planes, start=1):
            frames[k] = plane
        out: AnyArray = np.empty(first.shape, _float_for(dtype))
        rows = max(1, BLOCK // max(1, count * first.shape[1] * 8))
        for top in range(0, first.shape[0], rows):
            block = np.asarray(frames[:, top : top + rows])
            out[top : top + rows] = _median_of(block)
        return out


def _median_of(block: AnyArray) -> AnyArray:
    if block.dtype.kind != "f" or (good := measured(block)).all():
        return np.median(block, axis=0)
    with np.errstate(invalid="ignore"):
        filled = np.where(good, block, np.nan)
        dead = np.isnan(filled).all(axis=0)
        filled[:, dead] = 0
        out: AnyArray = np.nanmedian(filled, axis=0)
    out[dead] = np.nan
    return out


def _without_nonfinite(data: AnyArray) -> tuple[AnyArray, Bools]:
    if data.dtype.kind != "f":
        return data, np.zeros(data.shape, bool)
    if data.dtype.itemsize == 2:
        data = data.astype(np.float32)
    bad = ~measured(data)
    if bad.any():
        data = np.where(bad, data.dtype.type(0), data)
    return data, bad


def _same_shape(data: AnyArray, other: _Reduced, role: str) -> None:
    if other.data.shape != data.shape:
        raise ImageError(
            f"{role} {other.name} has the shape {other.data.shape}, the image {data.shape}", expected="the same shape"
        )


def _subtract_dark(data: AnyArray, dark: _Reduced) -> tuple[AnyArray, Bools, tuple[Source, ...]]:
    _same_shape(data, dark, "dark")
    values, bad = _without_nonfinite(dark.data)
    bad |= dummies(values, dark.dtype)
    exact = _float_for(np.result_type(data.dtype, values.dtype))
    return data.astype(exact) - np.where(bad, 0, values).astype(exact), bad, dark.sources


def _divide_flat(data: AnyArray, flat: _Reduced) -> tuple[AnyArray, Bools, tuple[Source, ...]]:
    _same_shape(data, flat, "flat")
    values, bad = _without_nonfinite(flat.data)
    bad |= ~(values > 0)
    if bad.all():
        raise ImageError(f"flat {flat.name} is nowhere positive", expected="the image of uniform light")
    exact = _float_for(np.result_type(data.dtype, values.dtype))
    middle = float(np.median(values[~bad]))
    return data.astype(exact) / np.where(bad, 1, values / middle).astype(exact), bad, flat.sources
