"""Rasters of numbers from EDF, CBF, TIFF and npy files: read with a look at the declared size first, written complete
or not at all.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from ...base.arrays import AnyArray
from ...base.atomic import MAX_PIXELS, existing, replacing
from ...base.errors import FileFormatError
from ...base.silence import quiet

#: What the numbers of a CBF image begin with.
CBF_STARTER = b"\x0c\x1a\x04\xd5"
CBF_SIZES = ("-Fastest-Dimension", "-Second-Dimension")


def read_raster(path: str | PathLike[str]) -> tuple[AnyArray, dict[str, str]]:
    """The numbers (any shape that the file has) and the header of a raster file.

    Raises
    ------
    FileFormatError
        Missing, truncated, of no known kind, or larger than it can be.
    """
    path = existing(path)
    with path.open("rb") as stream:
        start = stream.read(2**16)
    size = path.stat().st_size
    if start.startswith(b"\x93NUMPY"):
        return _read_npy(path), {}
    _believe(path, _declared(start), size)
    if path.suffix.lower() == ".cbf" or start.startswith(b"###CBF"):
        return _read_cbf(path), {}
    try:
        with quiet("fabio") as remarks:
            import fabio

            with fabio.open(str(path)) as image:
                if image.nframes > 1:
                    raise FileFormatError(f"{path} holds {image.nframes} images", expected="one map in a file")
                data, header = np.asarray(image.data), {str(k): str(v) for k, v in image.header.items()}
    except FileFormatError:
        raise
    except Exception as error:  # fabio's readers raise whatever their parsers stumble over
        raise FileFormatError(f"{path} cannot be read as an image: {type(error).__name__}: {error}") from error
    if any("incomplete" in r.lower() or "truncated" in r.lower() for r in remarks):
        raise FileFormatError(f"{path} is truncated: {remarks[0]}")
    if data.ndim != 2 or data.dtype.kind not in "fiu":
        raise FileFormatError(f"{path} holds {data.dtype} of shape {data.shape}", expected="a 2D image of numbers")
    return data, header


def _read_cbf(path: Path) -> AnyArray:
    """The numbers of a byte-offset compressed CBF image; fabio's reader searches damaged ones for ever."""
    with path.open("rb") as stream:
        content = stream.read(5 * MAX_PIXELS)
    head, starter, packed = content.partition(CBF_STARTER)
    text = head.decode("latin-1")
    found = {key: re.search(rf"X-Binary-Size{key}:\s*(\d{{1,10}})\s", text) for key in ("", *CBF_SIZES)}
    if not starter or None in found.values() or "BYTE_OFFSET" not in text.upper() or "signed 32-bit" not in text:
        raise FileFormatError(f"{path} is no CBF image of integers, compressed by byte offsets")
    length, fast, slow = (int(match[1]) for match in found.values() if match)
    if length > len(packed) or not 0 < fast * slow <= min(MAX_PIXELS, length):
        raise FileFormatError(f"{path} declares {slow} x {fast} pixels in {length} bytes", hint="it is damaged")
    from fabio.compression import decByteOffset

    try:
        data = decByteOffset(packed[:length], size=fast * slow, dtype="int32")
        return np.asarray(data).reshape(slow, fast)
    except Exception as error:
        raise FileFormatError(f"{path} cannot be unpacked: {error}") from error


def _read_npy(path: Path) -> AnyArray:
    try:
        lazy = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # numpy's parser of the header raises all sorts of things
        raise FileFormatError(f"{path} is not a readable npy file: {error}") from error
    if lazy.dtype.kind not in "fiu" or lazy.size > 2 * MAX_PIXELS:
        raise FileFormatError(
            f"{path} holds {lazy.dtype} of shape {lazy.shape}", expected="numbers of a reasonable amount"
        )
    return np.array(lazy)


def _declared(start: bytes) -> tuple[int, float] | None:
    """Number of pixels that the header declares and the least number of bytes that each of them takes; None when not
    known.
    """
    text = start.decode("latin-1")
    if start.startswith(b"###CBF") or "X-Binary-Size-Fastest-Dimension" in text:
        sizes = re.findall(r"X-Binary-Size-(?:Fastest|Second)-Dimension:\s*(\d+)", text)
        compressed = "CONVERSIONS" in text or "conversions" in text
        return (int(sizes[0]) * int(sizes[1]), 1.0 if compressed else 4.0) if len(sizes) == 2 else None
    if start.lstrip().startswith(b"{"):
        sizes = re.findall(r"(?i)\bDim_[12]\s*=\s*(\d+)", text)
        packed = re.search(r"(?i)\bCOMPRESSION\s*=\s*(?!none)\w", text)
        return (int(sizes[0]) * int(sizes[1]), 0.001 if packed else 1.0) if len(sizes) >= 2 else None
    if start[:4] in (b"II*\0", b"MM\0*"):
        return _tiff_size(start)
    return None


def _tiff_size(start: bytes) -> tuple[int, float] | None:
    order = "<" if start[:2] == b"II" else ">"
    (offset,) = struct.unpack_from(order + "I", start, 4)
    if offset + 2 > len(start):
        return None
    (entries,) = struct.unpack_from(order + "H", start, offset)
    found: dict[int, int] = {}
    for k in range(min(entries, 200)):
        at = offset + 2 + 12 * k
        if at + 12 > len(start):
            break
        tag, kind = struct.unpack_from(order + "HH", start, at)
        if tag in (256, 257, 259) and kind in (3, 4):
            (found[tag],) = struct.unpack_from(order + ("H" if kind == 3 else "I"), start, at + 8)
    if 256 not in found or 257 not in found:
        return None
    return found[256] * found[257], 1.0 if found.get(259, 1) == 1 else 0.0005


def _believe(path: Path, declared: tuple[int, float] | None, size: int) -> None:
    if declared is None:
        return
    pixels, least = declared
    if pixels > MAX_PIXELS or pixels * least > size + 4096:
        raise FileFormatError(
            f"{path} declares {pixels} pixels in a file of {size} bytes", hint="it is truncated or damaged"
        )


def write_raster(path: str | PathLike[str], data: AnyArray, header: Mapping[str, str] | None = None) -> Path:
    """Write a 2D raster as EDF, CBF (int32), TIFF or npy, told by the suffix."""
    path = Path(path)
    suffix = path.suffix.lower()
    with replacing(path) as temporary:
        if suffix == ".npy":
            np.save(temporary, data)
        else:
            image_of(suffix, data, dict(header or {})).write(str(temporary))
        back, _ = read_raster(temporary)
        if not np.array_equal(back, data, equal_nan=data.dtype.kind == "f"):
            raise FileFormatError(f"{path} does not read back as it was written")
    return path


def image_of(suffix: str, data: AnyArray, header: dict[str, str]) -> Any:
    import fabio.cbfimage
    import fabio.edfimage
    import fabio.tifimage

    if suffix == ".edf":
        return fabio.edfimage.EdfImage(data=data, header=header)
    if suffix == ".cbf":
        return fabio.cbfimage.CbfImage(data=data)
    if suffix in (".tif", ".tiff"):
        return fabio.tifimage.TifImage(data=data)
    raise FileFormatError(
        f"no raster is written as {suffix or 'a file without suffix'}", expected=".edf, .cbf, .tif or .npy"
    )
