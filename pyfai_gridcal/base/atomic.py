"""Files that appear complete and checked under their name, or not at all."""

from __future__ import annotations

import errno
import os
import re
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from os import PathLike
from pathlib import Path
from typing import Any

from .errors import FileFormatError, UsageError

#: What the system says when it is the disk, the folder or the name that is wrong, not the program.
_WRITE_TROUBLE = {
    getattr(errno, name)
    for name in ("EACCES", "EPERM", "ENOSPC", "EDQUOT", "EROFS", "EFBIG", "EIO", "ENAMETOOLONG", "ENOENT", "ENOTDIR")
    if hasattr(errno, name)
}


def _target(path: str | PathLike[str]) -> Path:
    """The file that is meant: a link stays a link to it."""
    path = Path(path)
    if not path.name:
        raise UsageError(f"output {str(path)!r}", expected="the name of a file")
    with suppress(OSError, RuntimeError):
        path = path.resolve()
    if os.path.isdir(path):
        raise UsageError(f"{path} is a folder", expected="the name of a file")
    if not os.path.isdir(path.parent):
        raise UsageError(f"no folder {path.parent} to write {path.name} to", hint="create it or check the name")
    try:
        os.lstat(path)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise _refusal(path, error) from error
    return path


def _refusal(path: Path, error: OSError) -> UsageError:
    reason = error.strerror or str(error) or type(error).__name__
    return UsageError(
        f"{path} cannot be written: {reason}",
        expected="a folder that may be written to and a disk with space",
        hint="existing files were left as they were",
    )


def _create_beside(path: Path) -> Path:
    """An empty file next to `path`, with the rights that a new file gets; the suffix stays, some writers go by it."""
    while True:
        beside = path.with_name(f".{path.stem[:100]}-{secrets.token_hex(4)}{path.suffix}")
        try:
            os.close(os.open(beside, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666))
        except FileExistsError:
            continue
        return beside


def leftovers(path: str | PathLike[str]) -> list[Path]:
    """What a program that was killed left of the file that was to take the place of `path`."""
    path = Path(path).resolve()
    beside = re.compile(rf"\.+{re.escape(path.stem[:100])}(-[0-9a-f]{{8}})+{re.escape(path.suffix)}")
    return [one for one in path.parent.glob(".*") if beside.fullmatch(one.name)]


def check_writable(path: str | PathLike[str]) -> Path:
    """The absolute path of a file that can be written, to be asked before the long work.

    Raises
    ------
    UsageError
        It is a folder, its folder is missing, or nothing can be created there.
    """
    target = _target(path)
    try:
        _create_beside(target).unlink()
    except OSError as error:
        raise _refusal(target, error) from error
    return target


def check_suffix(path: str | PathLike[str], suffixes: Sequence[str], what: str, hint: str | None = None) -> Path:
    """The path of a file whose name says what will be in it.

    Raises
    ------
    UsageError
        It says something else: `what` are the words for what would be written.
    """
    path = Path(path)
    if path.suffix.lower() not in suffixes:
        *most, last = filter(None, suffixes)
        expected = f"a name that ends in {', '.join(most)} or {last}"
        raise UsageError(f"output {path}: {what}", expected=expected, hint=hint)
    return path


@contextmanager
def replacing(path: str | PathLike[str]) -> Iterator[Path]:
    """Give the name of an empty file beside `path` to write to; it takes the place of `path` when all went well.

    Parameters
    ----------
    path : file to write; one that exists already stays as it is until the new one is complete

    Raises
    ------
    UsageError
        Nothing can be written there.
    """
    target = _target(path)
    try:
        beside = _create_beside(target)
    except OSError as error:
        raise _refusal(target, error) from error
    try:
        try:
            yield beside
        except OSError as error:
            if error.errno in _WRITE_TROUBLE and getattr(error, "filename", None) in (None, str(beside), beside):
                raise _refusal(target, error) from error
            raise
        try:
            with suppress(FileNotFoundError):
                os.chmod(beside, target.stat().st_mode & 0o7777)
            with beside.open("rb") as stream:
                os.fsync(stream.fileno())
            os.replace(beside, target)
        except OSError as error:
            raise _refusal(target, error) from error
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)


def existing(path: str | PathLike[str]) -> Path:
    """The path of a file that is there.

    Raises
    ------
    FileFormatError
        There is no such file, or it is no regular one.
    """
    path = Path(path)
    if not path.is_file():
        raise FileFormatError(
            f"{path} is {'not a file' if path.exists() else 'missing'}", expected="the path of a file"
        )
    return path


def read_text(path: str | PathLike[str], max_bytes: int) -> str:
    """The text of a file of at most `max_bytes`.

    Raises
    ------
    FileFormatError
        No such file, not a regular file, larger than that, or binary.
    """
    path = existing(path)
    try:
        with path.open("rb") as stream:
            data = stream.read(max_bytes + 1)
    except OSError as error:
        raise FileFormatError(f"{path} cannot be read: {error.strerror}") from error
    if len(data) > max_bytes:
        raise FileFormatError(f"{path} has more than {max_bytes / 2**20:.0f} MiB", expected="a text file")
    if b"\0" in data[:65536]:
        raise FileFormatError(f"{path} is binary", expected="a text file")
    return data.decode("utf-8-sig", errors="replace")  # with or without a byte-order mark


#: More pixels than this are not believed: 2 GiB of float64.
MAX_PIXELS = 2**28


def save_figure(figure: Any, path: str | PathLike[str]) -> None:
    """Write a figure of Matplotlib, in the kind that its suffix says.

    Raises
    ------
    UsageError
        There is no such kind.
    """
    with replacing(path) as beside:
        try:
            figure.savefig(beside, dpi=110)
        except ValueError as error:
            raise UsageError(f"picture {path}: {error}") from None
