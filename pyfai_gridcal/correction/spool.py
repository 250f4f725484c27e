"""A file to which finished pieces are added one after another, and from which an interrupted work goes on.

It begins with a line of JSON that says what work it belongs to. Each piece has its number, length and checksum; what a
crash left half written at the end is cut off when the file is opened again.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
import threading
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from os import PathLike
from pathlib import Path
from typing import BinaryIO

from ..base.errors import UsageError

#: First line of the file; a new number for another form of the pieces.
MAGIC = b"pyFAI-gridcal spool 1\n"
#: Number, length and checksum before each piece.
_HEAD = struct.Struct("<QQI")

#: Bytes after which what was written is forced to the disk.
SYNC_BYTES = 128 * 2**20

#: How often to open the file anew when another process removes it at that moment.
_ATTEMPTS = 3


def checksum(*what: object) -> str:
    """What tells one work from another: of all that decides about its result."""
    return hashlib.sha256(repr(what).encode()).hexdigest()


class Spool(AbstractContextManager["Spool"]):
    """Pieces of bytes in order, safe against being killed.

    Parameters
    ----------
    path : of the file
    key : what the work is; pieces of another work are thrown away

    Attributes
    ----------
    count : pieces that are complete

    Raises
    ------
    UsageError
        Another process works on the same file, or it cannot be written.
    """

    def __init__(self, path: str | PathLike[str], key: str):
        self.path = Path(path)
        self._offsets: list[tuple[int, int]] = []
        self._unsaved = 0
        self._file: BinaryIO = self._locked()
        try:
            self._head = MAGIC + json.dumps({"key": key}).encode() + b"\n"
            self._recover()
        except BaseException:
            self._file.close()
            raise

    @property
    def count(self) -> int:
        """Number of complete pieces."""
        return len(self._offsets)

    def _locked(self) -> BinaryIO:
        """The file, opened without touching what is in it, and locked."""
        for _ in range(_ATTEMPTS):
            try:
                descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
            except OSError as error:
                raise UsageError(f"{self.path} cannot be written: {error.strerror}") from error
            file = os.fdopen(descriptor, "r+b")
            try:
                if self._lock(file) and self._is_there(file):
                    return file
            except BaseException:
                file.close()
                raise
            file.close()
        raise UsageError(f"another process is writing {self.path.name}", hint="wait for it, or end it")

    @staticmethod
    def _lock(file: BinaryIO) -> bool:
        """Lock the file; False when another process has done so."""
        try:
            import fcntl
        except ImportError:  # not a POSIX system
            return True
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # a file system without locks
            return True
        return True

    def _is_there(self, file: BinaryIO) -> bool:
        """Whether it still is the file of that name, not one that a process has finished and removed just now."""
        try:
            return os.path.samestat(os.fstat(file.fileno()), os.stat(self.path))
        except FileNotFoundError:
            return False

    def _recover(self) -> None:
        """Find the complete pieces of the same work; cut off the rest."""
        self._file.seek(0)
        if self._file.read(len(self._head)) != self._head:
            self._file.seek(0)
            self._file.truncate()
            self._file.write(self._head)
            self._file.flush()
            return
        end = os.fstat(self._file.fileno()).st_size
        at = len(self._head)
        while at + _HEAD.size <= end:
            self._file.seek(at)
            number, length, checksum = _HEAD.unpack(self._file.read(_HEAD.size))
            start = at + _HEAD.size
            if number != self.count or start + length > end or zlib.crc32(self._file.read(length)) != checksum:
                break
            self._offsets.append((start, length))
            at = start + length
        self._file.seek(at)
        self._file.truncate()

    def append(self, data: bytes) -> None:
        """Add the next piece."""
        self._file.seek(0, os.SEEK_END)
        at = self._file.tell()
        self._file.write(_HEAD.pack(self.count, len(data), zlib.crc32(data)) + data)
        self._offsets.append((at + _HEAD.size, len(data)))
        self._unsaved += len(data)
        if self._unsaved > SYNC_BYTES:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._unsaved = 0

    def __iter__(self) -> Iterator[bytes]:
        self._file.flush()
        for start, length in self._offsets:
            self._file.seek(start)
            yield self._file.read(length)

    def close(self, *, remove: bool = False) -> None:
        """Close the file; `remove` it when its work is done."""
        if remove:
            with suppress(OSError):
                self.path.unlink()
        self._file.close()

    def __exit__(self, *_: object) -> None:
        self._file.close()


class Journal(AbstractContextManager["Journal"]):
    """Lines of JSON, added as files are finished; a line that a crash cut short is passed over.

    Parameters
    ----------
    path : of the journal, in the folder of the files
    """

    def __init__(self, path: Path):
        self.path = path
        self._done: dict[str, tuple[str, int, int]] = {}
        self._lock = threading.Lock()
        try:
            text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
            self._file = path.open("a", encoding="utf-8")
        except OSError as error:
            raise UsageError(f"{path.parent} cannot be written to: {error.strerror}") from error
        for line in text.splitlines():
            with suppress(ValueError, KeyError, TypeError):
                record = json.loads(line)
                self._done[str(record["file"])] = (str(record["work"]), int(record["bytes"]), int(record["time"]))
        if text and not text.endswith("\n"):
            self._file.write("\n")

    def has(self, file: Path, work: str) -> bool:
        """Whether the file was finished with the same work and has not been touched since."""
        with suppress(OSError):
            stat = file.stat()
            return self._done.get(file.name) == (work, stat.st_size, stat.st_mtime_ns)
        return False

    def add(self, file: Path, work: str) -> None:
        """Note that the file is finished."""
        stat = file.stat()
        record = {"file": file.name, "work": work, "bytes": stat.st_size, "time": stat.st_mtime_ns}
        with self._lock:
            self._done[file.name] = (work, stat.st_size, stat.st_mtime_ns)
            self._file.write(json.dumps(record) + "\n")
            self._file.flush()
            os.fsync(self._file.fileno())

    def close(self, *, remove: bool = False) -> None:
        """Close the journal; `remove` it when all is done."""
        self._file.close()
        if remove:
            with suppress(OSError):
                self.path.unlink()

    def __exit__(self, *_: object) -> None:
        self._file.close()
