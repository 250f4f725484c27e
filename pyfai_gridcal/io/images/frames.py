"""Addresses of images, and the frames that they lead to."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import EllipsisType

import numpy as np

from ...base.arrays import AnyArray, AnyDtype
from ...base.errors import ImageError, UsageError

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
    dtype: AnyDtype
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


def unreadable(address: Address, error: BaseException) -> ImageError:
    """The error for a file that is no image, or a broken one."""
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return ImageError(
        f"{address.file} cannot be read as an image ({reason})",
        expected="EDF, TIFF, CBF, JPEG, PNG, npy or another format of fabio, or HDF5",
    )


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
