"""HDF5 files: the one way to open and to make them, and to go through what they hold."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from typing import TYPE_CHECKING, Any, Literal

from .errors import FileFormatError

if TYPE_CHECKING:
    import h5py


#: What every HDF5 file begins with.
HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
#: How to open a file, one after the other: as usual, without its lock, and beside a program that writes it for readers.
_WAYS: tuple[dict[str, bool], ...] = ({}, {"locking": False}, {"locking": False, "swmr": True})
#: What HDF5 says of a file that is marked as being written, and of that or of a lock.
_WRITTEN = "already open for|SWMR"
_IN_USE = f"lock|{_WRITTEN}"


def is_hdf5(path: str | PathLike[str]) -> bool:
    """Whether a file begins as HDF5 files do, whatever its name."""
    with open(path, "rb") as stream:
        return stream.read(len(HDF5_MAGIC)) == HDF5_MAGIC


def open_hdf5(path: str | PathLike[str], *, expected: str = "a complete HDF5 file") -> h5py.File:
    """Open a file to be read; whoever asked closes it.

    Here, and nowhere else, it is decided how. A file is read all the same where another process keeps it locked, where
    the file system has no locks, and while another process writes it for readers (SWMR).

    Raises
    ------
    FileFormatError
        There is no such file, or it is no HDF5 file, or a damaged one, or another process writes it for itself.
    """
    import h5py

    for way in _WAYS:
        try:
            return h5py.File(path, "r", **way)
        except OSError as error:
            if way is _WAYS[-1] or not re.search(_IN_USE, str(error)):
                raise _unreadable(path, error, expected) from error
    raise AssertionError  # the last way returns or raises


def make_hdf5(path: str | PathLike[str], mode: Literal["w", "r+"] = "w", **details: Any) -> h5py.File:
    """Open a file of our own to be written: one that nobody else knows of yet, so that it needs no lock.

    Some file systems have none, and those that fail there would do so after all of the work.

    Parameters
    ----------
    path : of the file
    mode : as h5py has it
    details : more of what h5py.File can be told
    """
    import h5py

    return h5py.File(path, mode, locking=False, **details)


@contextmanager
def reading_hdf5(path: str | PathLike[str], *, expected: str = "a complete HDF5 file") -> Iterator[h5py.File]:
    """The same for as long as it is read; what turns out to be damaged meanwhile is told in the same words."""
    with open_hdf5(path, expected=expected) as file:
        try:
            yield file
        except OSError as error:
            raise _unreadable(path, error, expected) from error


def _unreadable(path: str | PathLike[str], error: OSError, expected: str) -> FileFormatError:
    if not os.path.exists(path):
        return FileFormatError(f"no such file: {path}")
    reason = " ".join(str(error).split())[:200]
    if re.search(_WRITTEN, reason):
        return FileFormatError(
            f"{path} is open for writing in another program, or was left so by one that was killed",
            expected=expected,
            hint="try again when it is closed; if nothing writes it any more, mend a copy of it with h5clear -s",
        )
    return FileFormatError(f"{path} cannot be read as HDF5: {reason}", expected=expected)


def members(group: h5py.Group) -> dict[str, Any]:
    """Name -> member of a group, all opened at once; None for a dangling link.

    To be used instead of ``group.values()`` and ``group.items()``. Their iterators hold the lock of h5py, one for the
    whole process, from the first member to the last. One that is left before its end releases the lock only when it is
    deleted, and only in the thread that began it. A profiler that keeps frames of other threads (each worker of dask
    has one) may delete it in its own: the lock is then held for ever, and the next other thread that uses an object of
    h5py, or only forgets one, waits without end.
    """
    return dict(group.items())


def text_of(value: object) -> str:
    """Text of an attribute or a dataset, which h5py gives as bytes or as a string."""
    return value.decode() if isinstance(value, bytes) else str(value)
