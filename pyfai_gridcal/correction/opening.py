"""A corrector from files: the detector, and what goes with the images (mask, dark, flat)."""

from __future__ import annotations

import hashlib
import logging
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from os import PathLike
from pathlib import Path

import numpy as np

from ..base.arrays import AnyArray
from ..base.atomic import replacing
from ..base.errors import GridcalError, UsageError
from ..io.images.frames import Frames
from ..io.images.images import load_image
from ..io.images.masks import load_mask
from ..io.images.regions import binning_of, binning_told, region_told
from ..io.images.sources import open_frames
from ..io.kinds.kinds import locate, open_distortion, told_traits
from ..records.distortion import Distortion
from ..records.jobs import Correct, Missing, Reading
from ..records.traits import Traits
from .corrector import Corrector
from .frames import require
from .table import Table, build_table

logger = logging.getLogger(__name__)

#: Raise when the meaning of the numbers changes.
VERSION = 1

Files = str | PathLike[str] | Sequence[str | PathLike[str]]


@dataclass(frozen=True)
class CorrectorFiles:
    """What a corrector is made of.

    Attributes
    ----------
    detector : distortion file of any kind that :func:`~pyfai_gridcal.io.kinds.kinds.open_distortion` reads
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
    whole: bool = Correct.whole
    coverage: float = Correct.coverage
    dummy: float = Correct.dummy
    keep_table: bool = True


def files_of(job: Correct, detector: Files, reading: Reading | None = None) -> CorrectorFiles:
    """The files of a job; `detector` is one file or a pair."""
    mask, dark, flat = (None if one is None else tuple(one) for one in (job.mask, job.dark, job.flat))
    return CorrectorFiles(
        detector if isinstance(detector, str | PathLike) else tuple(detector),
        mask,
        dark,
        flat,
        reading=reading or Reading(),
        whole=job.whole,
        coverage=job.coverage,
        dummy=job.dummy,
        keep_table=not job.no_cache,
    )


def open_corrector(
    files: CorrectorFiles,
    *,
    device: str | tuple[int, int] | None = None,
    image: str | PathLike[str] | None = None,
    missing: Missing = "error",
) -> tuple[Corrector, str]:
    """The corrector, and a checksum of all that its results depend on besides the images.

    Parameters
    ----------
    files : what it is made of
    device : OpenCL device of pyFAI
    image : one of those to correct; its shape is looked at before the table of shares is made, which takes long
    missing : what to do about frames of it that are not there

    Raises
    ------
    FileFormatError, ImageError
        A file is missing or not what it should be.
    UsageError
        Something is of another shape than the detector.
    """
    table, key, reading, notes = _table(files, image, missing)
    shape, region = table.shape_in, reading.roi
    traits = told_traits(files.detector, reading)
    masks = [load_mask(one, shape, region=region) for one in _listed(files.mask)]
    mask = np.logical_or.reduce(masks) if masks else None
    corrector = Corrector(
        table,
        mask,
        dark=_plane(files.dark, "dark", shape),
        flat=_plane(files.flat, "flat", shape),
        coverage=files.coverage,
        dummy=files.dummy,
        device=device,
        region=None if region == files.reading.roi else region,
        notes=notes + _left_out(traits, files),
        traits=replace(traits, flat=None, dark=None),  # large, and not for these images
    )
    # Whatever changes the result changes the checksum: table, arrays and options.
    digest = hashlib.sha256(key.encode())
    for array in (corrector.mask, corrector.dark, corrector.flat):
        digest.update(b"-" if array is None else np.ascontiguousarray(array).tobytes())
    digest.update(repr((files.coverage, files.dummy, device)).encode())
    return corrector, digest.hexdigest()


def _table(
    files: CorrectorFiles, image: str | PathLike[str] | None, missing: Missing = "error"
) -> tuple[Table, str, Reading, tuple[str, ...]]:
    """The table, its checksum, the reading with what the image tells of how it was read out, and remarks on that."""
    name, reading = files.detector, files.reading
    kind, named, paths = locate(name, reading)
    orientation = kind.orientation(named[0])
    key = key_of_files(paths, repr(reading), files.whole, orientation)
    turned = f"images are in pyFAI's orientation {orientation}, corrected ones in orientation 3"
    notes = (turned,) if reading.orientation is None and orientation != 3 else ()
    table = cached_table(None, paths[0], key, whole=files.whole, keep=files.keep_table)
    shape = None if table is None else table.shape_in
    distortion = None
    if image is not None:
        with open_frames(image, missing=missing) as frames:
            if frames.shape != shape:
                distortion = open_distortion(name, reading).distortion
                told = _told(reading, frames, distortion.shape)
                if told is not None:
                    table, key, reading, _ = _table(replace(files, reading=told[0]), None)
                    return table, key, reading, (told[1], *notes)
                require(frames, distortion.shape)
    if table is None:
        distortion = distortion or open_distortion(name, reading).distortion
        table = cached_table(distortion, paths[0], key, whole=files.whole, keep=files.keep_table)
    assert table is not None
    return table, key, reading, notes


def _told(reading: Reading, frames: Frames, detector: tuple[int, int]) -> tuple[Reading, str] | None:
    """How images of another shape than the detector were read out, by the header or the shape of one; None where they
    were not, or where it has been told already.
    """
    if frames.shape == detector or reading.roi is not None:
        return None
    region, binning, source, texts = region_told(frames.header, frames.shape), None, "header", []
    if reading.binning == (1, 1):
        binning = binning_told(frames.header)
        if binning is None and not (region and (region[0] or region[2])):
            binning, source = binning_of(frames.shape, detector), "shape"
    if binning and binning != (1, 1):
        reading = replace(reading, binning=binning)
        detector = detector[0] // binning[0], detector[1] // binning[1]
        texts.append(f"by their {source}, the images are binned {binning[0]} x {binning[1]} (slow x fast)")
    if frames.shape != detector:
        if region is None or region[1] > detector[0] or region[3] > detector[1]:
            return None
        reading = replace(reading, roi=region)
        texts.append("by their header, the images show rows {}:{}, columns {}:{} of the detector".format(*region))
    return reading, "; ".join(texts)


def _plane(names: Files | None, role: str, shape: tuple[int, int]) -> AnyArray | None:
    """The image of that role, NaN where it is not to be used; a flat is relative to its median."""
    if not _listed(names):
        return None
    image = load_image(_listed(names))
    if image.data.shape != shape:
        raise UsageError(f"{role} of {image.data.shape} pixels", expected=f"{shape}, as the detector")
    data: AnyArray = image.data.astype(np.float32)
    data[image.mask] = np.nan
    return data / np.nanmedian(data) if role == "flat" else data


def _left_out(traits: Traits, files: CorrectorFiles) -> tuple[str, ...]:
    """What pyFAI would apply by itself to images of the detector, and this does only when it is told."""
    there = {"flat": "flat field", "dark": "dark current"}
    left = [words for name, words in there.items() if getattr(traits, name) is not None and not getattr(files, name)]
    text = f"the {' and the '.join(left)} of the detector file: not applied, for want of --dark and --flat"
    return (text,) if left else ()


def _listed(names: Files | None) -> list[str | Path]:
    if names is None:
        return []
    return [str(names)] if isinstance(names, str | PathLike) else [str(one) for one in names]


def key_of_files(paths: Sequence[Path], *remarks: object) -> str:
    """Checksum of the content of files and of what else decides about the table."""
    digest = hashlib.sha256(repr((VERSION, *remarks)).encode())
    for path in paths:
        with path.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()


def cache_path(beside: Path, key: str) -> Path:
    """Where the table of that key is kept."""
    return beside.with_name(f"{beside.name}.table-{key[:16]}.npz")


def cached_table(
    distortion: Distortion | None, beside: Path, key: str, *, whole: bool, keep: bool = True
) -> Table | None:
    """The table from the cache, else computed and kept there.

    Parameters
    ----------
    distortion : None to look only into the cache
    beside : detector file; tables of its former contents are removed
    key : from :func:`key_of_files`
    whole : see :func:`~pyfai_gridcal.correction.table.build_table`
    keep : whether to look and to keep at all

    Returns
    -------
    None when it is not in the cache and there is no distortion.
    """
    path = cache_path(beside, key)
    if keep:
        try:
            return _load(path, key)
        except FileNotFoundError:
            pass
        except (ValueError, KeyError, IndexError, OSError, EOFError, TypeError, zipfile.BadZipFile) as error:
            logger.info("the kept table %s is not usable (%s); it is computed again", path, error)
    if distortion is None:
        return None
    table = build_table(distortion, whole=whole)
    if keep:
        try:
            _save(path, key, table)
        except (GridcalError, OSError) as error:
            logger.info("the table is not kept: %s", error)
    return table


def _load(path: Path, key: str) -> Table:
    with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
        if str(archive["key"]) != key:
            raise ValueError("it belongs to something else")
        shapes = tuple(int(n) for n in archive["shapes"])
        offset = tuple(float(v) for v in archive["offset"])
        weights, columns, rows, area = (archive[name] for name in ("weights", "columns", "rows", "area"))
        mask = archive.get("mask")
        shape_in, shape_out = (shapes[0], shapes[1]), (shapes[2], shapes[3])
        table = Table(weights, columns, rows, area, shape_in, shape_out, (offset[0], offset[1]), mask)
    pixels_in, pixels_out = int(np.prod(table.shape_in)), int(np.prod(table.shape_out))
    n = len(table.columns)
    consistent = (
        len(table.weights) == n
        and len(table.area) == pixels_in
        and (table.mask is None or table.mask.shape == table.shape_in)
        and len(table.rows) == pixels_out + 1
        and int(table.rows[0]) == 0
        and int(table.rows[-1]) == n
        and bool((np.diff(table.rows) >= 0).all())
        and (n == 0 or (int(table.columns.min()) >= 0 and int(table.columns.max()) < pixels_in))
    )
    if not consistent:
        raise ValueError("its parts do not belong together")
    return table


def _save(path: Path, key: str, table: Table) -> None:
    names = ("weights", "columns", "rows", "area", *(() if table.mask is None else ("mask",)))
    arrays = {name: getattr(table, name) for name in names}
    shapes = np.array([*table.shape_in, *table.shape_out])
    with replacing(path) as temporary, temporary.open("wb") as stream:
        np.savez(stream, key=np.array(key), shapes=shapes, offset=np.array(table.offset), **arrays)
    stem = path.name.rsplit("-", 1)[0]
    for old in path.parent.glob(f"{stem}-*.npz"):
        if old != path:
            with suppress(OSError):
                old.unlink()
