"""Frames of a file, of a dataset or of an array, read one at a time.

A source is named by a path (``grid.edf``, ``grid.npy``, ``grid.h5``) or by a silx URL (``grid.h5::/entry/data``,
``grid.h5::/entry/data[3:13]``, ``silx:grid.h5?path=/entry/data&slice=3:13``, ``fabio:grid.edf?slice=2``).
"""

from __future__ import annotations

import hashlib
import os
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import EllipsisType
from typing import Any

import numpy as np

from .._typing import AnyArray
from ..errors import ImageError, UsageError
from .silence import quiet

__all__ = ["Address", "Frames", "open_frames", "parse_address"]

HDF5_SUFFIXES = (".h5", ".hdf5", ".hdf", ".nxs", ".nx", ".nexus", ".cxi")
PILLOW_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".ppm", ".pgm")
MAX_HEADER_ENTRIES = 100

Index = int | slice | EllipsisType


@dataclass(frozen=True)
class Address:
    """Where an image is: file, path inside it (HDF5), frames or index inside that."""

    file: str
    data_path: str | None = None
    index: tuple[Index, ...] | None = None
    text: str = ""


@dataclass(eq=False)
class Frames:
    """Frames of one source; a context manager that closes the file.

    Attributes
    ----------
    count : number of frames
    shape, dtype : of one frame as recorded: (ny, nx), or (ny, nx, channels) for a colour picture
    read : the frame of that number
    path, url : of the file, absolute, and as it was asked for; empty for arrays
    header : what the file says about the image
    """

    count: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    read: Callable[[int], AnyArray]
    path: str = ""
    url: str = ""
    header: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    close: Callable[[], None] = lambda: None

    def __enter__(self) -> Frames:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[AnyArray]:
        return (self.read(k) for k in range(self.count))

    @property
    def name(self) -> str:
        """How to call it in a message."""
        return self.url or "array"

    def sha256(self) -> str:
        """Checksum of the file, or of the values of an array."""
        if not self.path:
            digest = hashlib.sha256()
            for frame in self:
                digest.update(np.ascontiguousarray(frame).tobytes())
            return digest.hexdigest()
        with open(self.path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


def parse_address(text: str | os.PathLike[str]) -> Address:
    """Split the name of a source into file, data path and index.

    Raises
    ------
    UsageError
        A slice that cannot be understood.
    """
    text = os.fspath(text)
    if os.path.exists(text) or not ("::" in text or "?" in text or re.match(r"(silx|fabio):", text)):
        return Address(text, text=text)
    from silx.io.url import DataUrl

    url = DataUrl(text)
    file, path, index = url.file_path() or "", url.data_path(), url.data_slice()
    match = re.fullmatch(r"(?P<path>[^\[\]]*)\[(?P<index>[^\[\]]*)\]", path or "")
    if match:
        path, index = match["path"] or None, tuple(_parse_index(part, text) for part in match["index"].split(","))
    return Address(file, path, None if index is None else tuple(index), text)


def _parse_index(part: str, text: str) -> Index:
    part = part.strip()
    try:
        if part == "...":
            return ...
        if ":" in part:
            return slice(*(int(n) if n.strip() else None for n in part.split(":")))
        return int(part)
    except (ValueError, TypeError):
        raise UsageError(f"slice [{part}] in {text!r}", expected="such as [3], [0:10] or [0:10, :, 0:512]") from None


def open_frames(source: object) -> Frames:
    """Open a source.

    Parameters
    ----------
    source : path, silx URL, or array
        An array has the shape (ny, nx), (n, ny, nx) for a stack or (ny, nx, 3 or 4) for a colour picture.

    Raises
    ------
    ImageError
        There is no such file, it cannot be read, or it holds no image.
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
        if address.data_path or _is_hdf5(path):
            from .hdf5_images import open_hdf5

            return open_hdf5(address)
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


def unreadable(address: Address, error: BaseException) -> ImageError:
    """The error for a file that is no image, or a broken one."""
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return ImageError(
        f"{address.file} cannot be read as an image ({reason})",
        expected="EDF, TIFF, CBF, JPEG, PNG, npy or another format of fabio, or HDF5",
    )


def _is_hdf5(path: Path) -> bool:
    if path.suffix.lower() in HDF5_SUFFIXES:
        return True
    with path.open("rb") as file:
        return file.read(8) == b"\x89HDF\r\n\x1a\n"


def _open_array(source: object) -> Frames:
    array = np.asarray(source)
    if array.ndim == 2 or (array.ndim == 3 and array.shape[-1] in (3, 4) and min(array.shape[:2]) > 4):
        return Frames(1, array.shape, array.dtype, lambda _: array)
    if array.ndim == 3:
        return Frames(len(array), array.shape[1:], array.dtype, lambda k: array[k])
    raise ImageError(f"array of shape {array.shape}", expected="two dimensions (slow, fast), or a stack of three")


def select_frames(count: int, index: tuple[Index, ...] | None, address: Address) -> list[int]:
    """Numbers of the frames that an index picks out of `count`."""
    if not index:
        return list(range(count))
    first = index[0]
    if len(index) > 1 or first is ...:
        raise UsageError(f"slice of {address.text!r}", expected="one index or slice of frames")
    try:
        chosen = np.arange(count)[first]
    except IndexError:
        raise ImageError(f"frame {first} of {address.file}", expected=f"0 to {count - 1}") from None
    return [int(k) for k in np.atleast_1d(chosen)]


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

    header = _tidy(dict(image.header))
    shape, dtype = data.shape, data.dtype
    return _with_file(Frames(len(chosen), shape, dtype, read, header=header, close=image.close), address)


def _complain(remarks: list[str], address: Address) -> None:
    """Fabio fills what is missing of a truncated file with zeros, and only remarks on it."""
    for remark in remarks:
        if "incomplete" in remark.lower() or "truncated" in remark.lower():
            raise unreadable(address, ValueError(remark))


def _open_pillow(address: Address) -> Frames:
    import PIL
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
