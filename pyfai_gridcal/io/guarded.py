"""NeXus detector files from anywhere: looked at before they are read."""

from __future__ import annotations

from os import PathLike
from typing import Any

from ..distortion import Distortion
from ..errors import FileFormatError
from .nexus import find_detector, read_detector
from .rasters import MAX_PIXELS

__all__ = ["read_nexus"]

#: A dataset that unpacks to more than this many times its size on disk is not believed (gzip reaches about 1000).
RATIO = 1100


def read_nexus(path: str | PathLike[str]) -> Distortion:
    """The distortion of a pyFAI NeXus detector file.

    Raises
    ------
    FileFormatError
        Not HDF5, truncated, without a detector, with parts outside the file, or of an incredible size.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            group = find_detector(file)
            for name in ("pixel_corners", "mask", "pixel_size", "shape", "max_shape"):
                _look_at(group, name, str(path))
            _look_at_size(group, str(path))
        return read_detector(path)
    except FileFormatError:
        raise
    except (OSError, KeyError, ValueError, TypeError, IndexError, RuntimeError, AttributeError, OverflowError) as error:
        raise FileFormatError(
            f"{path} cannot be read as a NeXus detector: {' '.join(str(error).split())[:200]}"
        ) from error


def _look_at_size(group: Any, path: str) -> None:
    """pyFAI's own detectors have pixels from 1 nm to 10 cm; also those written with µm for m, which check finds."""
    if "pixel_size" not in group:
        raise FileFormatError(f"{path}: detector without pixel_size")
    size = [float(v) for v in group["pixel_size"][()].ravel()]
    if len(size) != 2 or not all(1e-9 < v < 1e5 for v in size):
        raise FileFormatError(f"{path} declares a pixel size of {size} m", expected="two positive lengths (slow, fast)")


def _look_at(group: Any, name: str, path: str) -> None:
    import h5py

    link = group.get(name, getlink=True)
    if link is None:
        return
    if isinstance(link, h5py.ExternalLink):
        raise FileFormatError(
            f"{path}: {name} lies in another file ({link.filename})", expected="all of the detector in one file"
        )
    item = group.get(name)
    if not isinstance(item, h5py.Dataset):
        raise FileFormatError(f"{path}: {name} is not a dataset", expected="numbers")
    if item.external or item.is_virtual:
        raise FileFormatError(f"{path}: {name} lies in another file", expected="all of the detector in one file")
    if item.dtype.kind not in "fiub":
        raise FileFormatError(f"{path}: {name} holds {item.dtype}", expected="numbers")
    most = {"pixel_corners": 12 * MAX_PIXELS, "mask": MAX_PIXELS}.get(name, 8)
    stored = int(item.id.get_storage_size())
    if item.size > most or (item.size > 2**22 and item.nbytes > RATIO * (stored + 4096)):
        raise FileFormatError(
            f"{path}: {name} declares {item.shape} in {stored} bytes", hint="the file is damaged or incomplete"
        )
