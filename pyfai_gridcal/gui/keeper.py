"""The work that no file holds yet, kept in a file of the cache: what a crash leaves is offered at the next start."""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from pathlib import Path

from silx.gui import qt

from ..base.atomic import leftovers
from .document import Document
from .drawing.calm import when_calm
from .work.core import Core
from .worker import BackgroundJob, Worker

logger = logging.getLogger(__name__)
#: Milliseconds without a new calibration after which one is kept: editing goes before.
REST_MS = 1500


class Keeper(qt.QObject):  # type: ignore[misc]
    """Writes each calibration that is not saved to a file of its own, in a thread of its own.

    Attributes
    ----------
    path : the file
    timer : to be started when there is something new; the user goes on meanwhile
    """

    def __init__(self, core: Core, document: Document, parent: qt.QObject):
        super().__init__(parent)
        self._core, self._document, self._worker = core, document, Worker(self)
        cache = qt.QStandardPaths.writableLocation(qt.QStandardPaths.StandardLocation.GenericCacheLocation)
        self.path = Path(cache) / "pyfai-gridcal" / f"{os.getpid()}-{id(self):x}.h5"
        qt.QDir().mkpath(str(self.path.parent))
        # Held as long as this program lives; Qt knows of a lock whether its program does.
        self._lock = _lock_of(self.path)
        self._lock.tryLock(0)
        self._worker.sigFailed.connect(lambda error, _: logger.warning("the work cannot be kept: %s", error))
        self.timer = when_calm(self, REST_MS, self.keep)
        document.sigWriting.connect(self._note)
        document.sigSaved.connect(lambda _: self.forget())

    def keep(self) -> None:
        """Write what no file holds."""
        work, core, path = self._document.unsaved(), self._core, str(self.path)
        if work is not None:
            write = lambda progress: core.save(*work, path, progress)  # noqa: E731
            self._worker.start(BackgroundJob("keeping the work", write, lambda _: None))

    def forget(self) -> None:
        """The work is saved, or not wanted any more."""
        self.timer.stop()
        self._worker.cancel()
        self.path.unlink(missing_ok=True)

    def stop(self) -> None:
        """End the thread; nothing is left behind."""
        self._worker.stop()
        self._worker.wait()
        self.forget()
        _journal(self.path).unlink(missing_ok=True)
        self._lock.unlock()

    def _note(self, target: str) -> None:
        """Remember where is written to, for half of a file may be left there."""
        with suppress(OSError), _journal(self.path).open("a") as stream:
            stream.write(f"{os.path.abspath(target)}\n")

    def left(self) -> list[Path]:
        """Files with the work of windows that came to a bad end; what else they left behind is removed."""
        found = []
        for path in {one.with_suffix(".h5") for one in self.path.parent.glob("[!.]*-*.*")}:
            lock, journal = _lock_of(path), _journal(path)
            if lock.tryLock(0):
                targets = journal.read_text().splitlines() if journal.exists() else []
                halves = [half for target in (str(path), *targets) for half in leftovers(target)]
                for one in (journal, *halves):
                    one.unlink(missing_ok=True)
                lock.unlock()
                found += [path] if path.exists() else []
        return sorted(found, key=os.path.getmtime, reverse=True)


def _journal(path: Path) -> Path:
    return path.with_suffix(".written")


def _lock_of(path: Path) -> qt.QLockFile:
    lock = qt.QLockFile(str(path.with_suffix(".lock")))
    lock.setStaleLockTime(0)  # however long a window is open
    return lock
