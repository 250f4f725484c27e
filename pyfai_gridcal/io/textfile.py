"""Texts from anywhere: read with a bound on their size and without believing that they are texts."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from ..errors import FileFormatError

__all__ = ["read_text"]


def read_text(path: str | PathLike[str], max_bytes: int) -> str:
    """The text of a file of at most `max_bytes`.

    Raises
    ------
    FileFormatError
        No such file, not a regular file, larger than that, or binary.
    """
    path = Path(path)
    if not path.is_file():
        raise FileFormatError(
            f"{path} is {'not a file' if path.exists() else 'missing'}", expected="the path of a file"
        )
    try:
        with path.open("rb") as stream:
            data = stream.read(max_bytes + 1)
    except OSError as error:
        raise FileFormatError(f"{path} cannot be read: {error.strerror}") from error
    if len(data) > max_bytes:
        raise FileFormatError(f"{path} has more than {max_bytes / 2**20:.0f} MiB", expected="a text file")
    if b"\0" in data[:65536]:
        raise FileFormatError(f"{path} is binary", expected="a text file")
    return data.decode("utf-8", errors="replace")
