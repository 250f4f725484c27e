"""Frames of a file, of a dataset or of an array, read one at a time.

A source is named by a path (``grid.edf``, ``grid.npy``, ``grid.h5``) or by a silx URL (``grid.h5::/entry/data``,
``grid.h5::/entry/data[3:13]``, ``silx:grid.h5?path=/entry/data&slice=3:13``, ``fabio:grid.edf?slice=2``).
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...base.arrays import AnyArray
from ...base.errors import ImageError, UsageError
from ...base.opening import is_hdf5
from ...base.silence import quiet
from ...records.jobs import Missing
from .frames import Address, Frames, parse_address, select_frames, unreadable

HDF5_SUFFIXES = (".h5", ".hdf5", ".hdf", ".nxs", ".nx", ".nexus", ".cxi")
PILLOW_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".ppm", ".pgm")
MAX_HEADER_ENTRIES = 100  # as many as cameras write; some programs append a log


def open_frames(source: object, *, missing: Missing = "error") -> Frames:
    """Open a source.

    Parameters
    ----------
    source : path, silx URL, or array
        An array has the shape (ny, nx), (n, ny, nx) for a stack or (ny, nx, 3 or 4) for a colour picture.
    missing : what to do about frames of an HDF5 file whose data are not there: "error", "skip" to leave them out, "nan"

    Raises
    ------
    ImageError
        There is no such file, it cannot be read, it holds no image, or frames are missing.
    """
    if not isinstance(source, str | os.PathLike):
        return _open_array(source)
    address = parse_address(source)
    if not address.file:
        raise ImageError(f"{address.text!r} names no file", expected="a path or file.h5::/path/of/dataset")
    path = Path(address.file)
    if path.is_dir():
        raise ImageError(f"{address.file} is a folder", expected="an image file")
    if not path.exists():
        raise ImageError(f"no such file: {address.file}", hint="check the name and the folder")
    if path.stat().st_size == 0:
        raise ImageError(f"{address.file} is empty (0 bytes)", expected="an image file")
    suffix = path.suffix.lower()
    try:
        if address.data_path or suffix in HDF5_SUFFIXES or is_hdf5(path):
            from .hdf5 import hdf5_frames

            return hdf5_frames(address, missing)
        if suffix in PILLOW_SUFFIXES:
            return _open_pillow(address)
        return _open_numpy(address) if suffix == ".npy" else _open_fabio(address)
    except (ImageError, UsageError):
        raise
    except PermissionError as error:
        raise ImageError(f"{address.file} may not be read", hint="check the permissions of the file") from error
    except MemoryError as error:
        raise ImageError(f"{address.file} does not fit in memory", hint="is the file intact?") from error
    except Exception as error:
        raise unreadable(address, error) from error


def _open_array(source: object) -> Frames:
    array = np.asarray(source)
    if array.ndim == 2 or (array.ndim == 3 and array.shape[-1] in (3, 4) and min(array.shape[:2]) > 4):
        return Frames(1, array.shape, array.dtype, lambda _: array)
    if array.ndim == 3:
        return Frames(len(array), array.shape[1:], array.dtype, lambda k: array[k])
    raise ImageError(f"array of shape {array.shape}", expected="two dimensions (slow, fast), or a stack of three")


def _open_numpy(address: Address) -> Frames:
    array = np.load(address.file, mmap_mode="r", allow_pickle=False)
    if array.ndim < 2:
        raise ImageError(f"{address.file} has the shape {array.shape}", expected="two dimensions (slow, fast)")
    frames = _open_array(array)
    if frames.count > 1 or address.index:
        chosen, every = select_frames(frames.count, address.index, address), frames.read
        frames.count, frames.read = len(chosen), lambda k: every(chosen[k])
    return _with_file(frames, address)


def _open_fabio(address: Address) -> Frames:
    with quiet("fabio") as remarks:
        import fabio

        image = fabio.open(address.file)
        data = image.data
    _complain(remarks, address)
    if data is None:
        raise ImageError(f"{address.file} holds no image")
    chosen = select_frames(image.nframes, address.index, address)

    def read(k: int) -> AnyArray:
        with quiet("fabio") as remarks:
            frame = np.asarray(image.data if image.nframes == 1 else image.get_frame(chosen[k]).data)
        _complain(remarks, address)
        return frame

    own = image if image.nframes == 1 or not chosen else image.get_frame(chosen[0])
    header = _tidy(dict(own.header))
    shape, dtype = data.shape, data.dtype
    return _with_file(Frames(len(chosen), shape, dtype, read, header=header, close=image.close), address)


def _complain(remarks: list[str], address: Address) -> None:
    """Fabio fills what is missing of a truncated file with zeros, and only remarks on it."""
    for remark in remarks:
        if "incomplete" in remark.lower() or "truncated" in remark.lower():
            raise unreadable(address, ValueError(remark))


def _open_pillow(address: Address) -> Frames:
    import PIL
    from PIL import ExifTags
    from PIL import Image as pillow

    try:
        with warnings.catch_warnings():
            # A large detector is no decompression bomb; Pillow still refuses more than 179 megapixels.
            warnings.simplefilter("ignore", pillow.DecompressionBombWarning)
            image = pillow.open(address.file)
            with image:
                chosen = select_frames(getattr(image, "n_frames", 1), address.index, address)
                frames = [_picture(image, k) for k in chosen]
                header = _tidy({str(k): v for k, v in image.info.items() if isinstance(v, str | int | float)})
                header["exif_orientation"] = str(image.getexif().get(ExifTags.Base.Orientation, 1))
    except PIL.UnidentifiedImageError:
        return _open_fabio(address)
    if not frames:
        raise ImageError(f"no frame in {address.text}")
    return _with_file(
        Frames(len(frames), frames[0].shape, frames[0].dtype, lambda k: frames[k], header=header), address
    )


def _picture(image: Any, number: int) -> AnyArray:
    image.seek(number)
    plain = {"1": "L", "P": "RGB", "PA": "RGBA", "CMYK": "RGB", "YCbCr": "RGB", "LA": "RGBA"}.get(image.mode)
    return np.array(image.convert(plain) if plain else image)


def _with_file(frames: Frames, address: Address) -> Frames:
    frames.path, frames.url = os.path.abspath(address.file), address.text
    return frames


def _tidy(header: Mapping[str, object]) -> dict[str, str]:
    return {str(k): str(v)[:200] for k, v in list(header.items())[:MAX_HEADER_ENTRIES]}
