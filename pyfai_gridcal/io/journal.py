"""What an interrupted work on many files has finished already: one line for each."""

from __future__ import annotations

import json
import os
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from ..errors import UsageError

__all__ = ["Journal"]


class Journal:
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

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._file.close()
