"""Work in a thread: one job at a time, with progress and cancel, its end told in the thread of the windows.

Two threads meet here, in three ways only: jobs go over in a queue; what a job reports and how it ends comes back by
signals that are queued, so that all that touches a window runs in the thread of the windows; and an event in each job
says that nobody waits for it any more. numpy and scipy let the other thread run while they compute.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from silx.gui import qt

from ..base.progress import Cancelled, Progress

logger = logging.getLogger(__name__)


@dataclass(eq=False)
class BackgroundJob:
    """Something to do: `function` gets the progress to report to, its result goes to `done`.

    An error is told under its `title`.

    What must be brought to its end, such as writing a file, is `lasting`: a new job waits for it instead of taking its
    place. A `patient` one lets the windows draw first what they have to: beside the work that takes several times as
    long.
    """

    name: str
    function: Callable[[Progress], Any]
    done: Callable[[Any], None]
    title: str = ""
    lasting: bool = False
    patient: bool = False
    cancelled: threading.Event = field(default_factory=threading.Event)
    drawn: threading.Event = field(default_factory=threading.Event)


class Worker(qt.QObject):
    """Runs jobs one after the other in a thread of its own.

    A cancelled job is left to itself: it stops at the next report of its progress, and what it says after that is not
    heard.
    """

    #: Fraction from 0 to 1, and what is going on.
    sigProgress = qt.Signal(float, str)
    #: Whether something is being done.
    sigBusyChanged = qt.Signal(bool)
    #: An exception that ended a job, and the title of the job.
    sigFailed = qt.Signal(object, str)
    sigCancelled = qt.Signal()

    _sigReport = qt.Signal(object, float, str)
    _sigEnd = qt.Signal(object, object, object)

    #: Seconds between two reports of the same that are passed on.
    INTERVAL = 0.05
    #: Milliseconds after which what was to be drawn has at least begun, and seconds that a job waits for its end.
    DRAW_MS = 30
    PATIENCE = 2.0

    def __init__(self, parent: qt.QObject | None = None):
        super().__init__(parent)
        self._jobs: queue.SimpleQueue[BackgroundJob | None] = queue.SimpleQueue()
        self._current: BackgroundJob | None = None
        self._waiting: list[BackgroundJob] = []
        self._sigReport.connect(self._report, qt.Qt.ConnectionType.QueuedConnection)
        self._sigEnd.connect(self._end, qt.Qt.ConnectionType.QueuedConnection)
        self._thread = threading.Thread(target=self._run, name="pyfai_gridcal worker", daemon=True)
        self._thread.start()

    @property
    def isBusy(self) -> bool:
        """Whether a job is running or waiting whose end is of interest."""
        return self._current is not None

    def start(self, job: BackgroundJob) -> None:
        """Do `job`: after a lasting one, or in the place of any other one, that is running or waiting."""
        if self._current is not None and self._current.lasting:
            self._waiting.append(job)
            return
        if self._current is not None:
            self._current.cancelled.set()
        else:
            self.sigBusyChanged.emit(True)
        self._current = job
        if job.patient:
            qt.QTimer.singleShot(self.DRAW_MS, job.drawn.set)
        self.sigProgress.emit(0.0, job.name)
        self._jobs.put(job)

    def cancel(self) -> None:
        """Forget the running job, and those that wait for it."""
        self._waiting.clear()
        if self._current is None:
            return
        self._current.cancelled.set()
        self._current = None
        self.sigBusyChanged.emit(False)
        self.sigCancelled.emit()

    def stop(self) -> None:
        """End the thread, after the running job has noticed."""
        self.cancel()
        self._jobs.put(None)

    def wait(self, seconds: float = 5.0) -> bool:
        """After :meth:`stop`: whether the thread has ended in this time."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    # -- in the other thread
    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            if job.cancelled.is_set():
                continue
            if job.patient:
                job.drawn.wait(self.PATIENCE)
            try:
                result, error = job.function(self._reporter(job)), None
            except BaseException as reason:  # told to the user in the other thread, never lost
                result, error = None, reason
            try:
                self._sigEnd.emit(job, result, error)
            except RuntimeError:
                return  # the windows are gone

    def _reporter(self, job: BackgroundJob) -> Progress:
        last, said = 0.0, ""

        def report(fraction: float, text: str) -> None:
            nonlocal last, said
            if job.cancelled.is_set():
                raise Cancelled
            now = time.monotonic()
            if now - last > self.INTERVAL or fraction >= 1 or text != said:
                last, said = now, text
                self._sigReport.emit(job, float(fraction), text)

        return report

    # -- in the thread of the windows
    def _report(self, job: BackgroundJob, fraction: float, text: str) -> None:
        if job is self._current:
            self.sigProgress.emit(fraction, text)

    def _end(self, job: BackgroundJob, result: Any, error: BaseException | None) -> None:
        if job is not self._current:
            if error is not None and not isinstance(error, Cancelled):
                logger.info("%s, which was cancelled, ended with: %s", job.name, error)
            return
        self._current = None
        self.sigBusyChanged.emit(False)
        waiting, self._waiting = self._waiting, []
        try:
            self._tell(job, result, error)
        finally:
            for other in waiting:
                self.start(other)

    def _tell(self, job: BackgroundJob, result: Any, error: BaseException | None) -> None:
        if error is None:
            job.done(result)
        elif isinstance(error, Cancelled):
            self.sigCancelled.emit()
        else:
            self.sigFailed.emit(error, job.title)
