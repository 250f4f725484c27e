"""A corrector from files: the detector, and what goes with the images (mask, dark, flat)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path

import numpy as np

from ._typing import AnyArray
from .correction import Corrector, Table
from .errors import UsageError
from .io.formats import Reading, locate, open_distortion
from .io.images import load_image
from .io.masks import load_mask
from .io.rawframes import FrameReader
from .io.sources import open_frames
from .tablecache import cached_table, key_of_files

__all__ = ["CorrectorFiles", "open_corrector"]

Files = str | PathLike[str] | Sequence[str | PathLike[str]]


@dataclass(frozen=True)
class CorrectorFiles:
    """What a corrector is made of.

    Attributes
    ----------
    detector : distortion file of any kind that :func:`~pyfai_gridcal.io.formats.open_distortion` reads
    mask, dark, flat : files (None for none); the mask may also be a name of pyFAI
    reading : what the detector file does not tell about itself
    whole : make the corrected image as large as the corrected detector
    coverage : least known part of a corrected pixel
    dummy : value of pixels that are not known
    keep_table : keep the table of shares beside the detector file, for the next time
    """

    detector: Files
    mask: Files | None = None
    dark: Files | None = None
    flat: Files | None = None
    reading: Reading = field(default_factory=Reading)
    whole: bool = False
    coverage: float = 0.5
    dummy: float = float("nan")
    keep_table: bool = True


def open_corrector(
    files: CorrectorFiles, *, device: str | tuple[int, int] | None = None, image: str | PathLike[str] | None = None
) -> tuple[Corrector, str]:
    """The corrector, and a checksum of all that its results depend on besides the images.

    Parameters
    ----------
    files : what it is made of
    device : OpenCL device of pyFAI
    image : one of those to correct; its shape is looked at before the table of shares is made, which takes long

    Raises
    ------
    FileFormatError, ImageError
        A file is missing or not what it should be.
    UsageError
        Something is of another shape than the detector.
    """
    table, key = _table(files, image)
    shape = table.shape_in
    masks = [load_mask(one, shape) for one in _listed(files.mask)]
    mask = np.logical_or.reduce(masks) if masks else None
    corrector = Corrector(
        table,
        mask,
        dark=_plane(files.dark, "dark", shape),
        flat=_plane(files.flat, "flat", shape),
        coverage=files.coverage,
        dummy=files.dummy,
        device=device,
    )
    digest = hashlib.sha256(key.encode())
    for array in (corrector.mask, corrector.dark, corrector.flat):
        digest.update(b"-" if array is None else np.ascontiguousarray(array).tobytes())
    digest.update(repr((files.coverage, files.dummy, device)).encode())
    return corrector, digest.hexdigest()


def _table(files: CorrectorFiles, image: str | PathLike[str] | None) -> tuple[Table, str]:
    name = files.detector
    _, _, paths = locate(name, files.reading)
    key = key_of_files(paths, repr(files.reading), files.whole)
    table = cached_table(None, paths[0], key, whole=files.whole, keep=files.keep_table)
    if table is None:
        distortion = open_distortion(name, files.reading).distortion
        if image is not None:
            with FrameReader([open_frames(image)]) as first:
                first.require(distortion.shape)
        table = cached_table(distortion, paths[0], key, whole=files.whole, keep=files.keep_table)
    assert table is not None
    return table, key


def _plane(names: Files | None, role: str, shape: tuple[int, int]) -> AnyArray | None:
    """The image of that role, NaN where it is not to be used; a flat is relative to its median."""
    if not _listed(names):
        return None
    image = load_image(_listed(names))
    if image.data.shape != shape:
        raise UsageError(f"{role} of {image.data.shape} pixels", expected=f"{shape}, as the detector")
    data: AnyArray = np.where(image.mask, np.nan, image.data.astype(np.float64))
    return data / np.nanmedian(data) if role == "flat" else data


def _listed(names: Files | None) -> list[str | Path]:
    if names is None:
        return []
    return [str(names)] if isinstance(names, str | PathLike) else [str(one) for one in names]
