"""Work in a thread: one job at a time, with progress and cancel, its end told in the thread of the windows.

Two threads meet here, in three ways only: jobs go over in a queue; what a job reports and that it has ended comes back
in another one, which the thread of the windows looks into; and an event in each job says that nobody waits for it any
more. The thread of the work knows nothing of Qt. It holds no job that has ended, for the functions of a job hold
widgets, and its part of Python's garbage is collected in the thread of the windows: a dialog that died in the other one
(a file dialog watches its folder) took the program with it. numpy and scipy let the other thread run while they
compute.
"""

from __future__ import annotations

import gc
import logging
import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from silx.gui import qt

from ..base.progress import Cancelled, Progress
from .drawing.calm import when_calm

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
    outcome: tuple[Any, BaseException | None] = (None, None)


#: What a thread tells: the id of a job, how much of it is done, and what is going on; None when it has ended.
_Told = queue.SimpleQueue[tuple[int, float, str | None]]
#: Seconds between two reports of the same that are passed on.
INTERVAL = 0.05
#: Milliseconds between two looks at what the thread told: not seen, and next to nothing to do.
LOOK_MS = 15
#: Milliseconds after which what was to be drawn has at least begun, and seconds that a job waits for its end.
DRAW_MS = 30
PATIENCE = 2.0
#: Milliseconds between two looks whether there is garbage to collect.
GARBAGE_MS = 500
#: Jobs on their way when their window was closed: held to the end, for it would come in the other thread.
_LEFT: list[dict[int, BackgroundJob]] = []


def _work(jobs: queue.SimpleQueue[BackgroundJob | None], told: _Told) -> None:
    """Do jobs until there is none any more: all that runs in the other thread."""
    while (job := jobs.get()) is not None:
        number = id(job)
        if not job.cancelled.is_set():
            if job.patient:
                job.drawn.wait(PATIENCE)
            try:
                job.outcome = job.function(_reporter(job.cancelled, number, told)), None
            except BaseException as reason:  # told to the user in the other thread, never lost
                job.outcome = None, reason
        del job  # the last who holds it is the thread of the windows
        told.put((number, 1.0, None))


def _reporter(cancelled: threading.Event, number: int, told: _Told) -> Progress:
    last, said = 0.0, ""

    def report(fraction: float, text: str) -> None:
        nonlocal last, said
        if cancelled.is_set():
            raise Cancelled
        now = time.monotonic()
        if now - last > INTERVAL or fraction >= 1 or text != said:
            last, said = now, text
            told.put((number, float(fraction), text))

    return report


def _collect_garbage() -> None:
    """Do what Python's collector would do by itself, in whichever thread makes an object."""
    due = [k for k, (n, most) in enumerate(zip(gc.get_count(), gc.get_threshold(), strict=True)) if 0 < most < n]
    if due:
        gc.collect(max(due))


def collect_here() -> None:
    """From now on, collect garbage only in the thread of the windows, which this is."""
    gc.disable()
    app = qt.QApplication.instance()
    if app.findChild(qt.QTimer, "garbage") is None:
        timer = qt.QTimer(app)
        timer.setObjectName("garbage")
        timer.timeout.connect(_collect_garbage)
        timer.start(GARBAGE_MS)


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

    def __init__(self, parent: qt.QObject | None = None):
        super().__init__(parent)
        collect_here()
        self._jobs: queue.SimpleQueue[BackgroundJob | None] = queue.SimpleQueue()
        self._told: _Told = queue.SimpleQueue()
        self._out: dict[int, BackgroundJob] = {}
        self._current: BackgroundJob | None = None
        self._waiting: list[BackgroundJob] = []
        # One shot each: a slot may open a dialog, in whose loop the looks go on.
        self._timer = when_calm(self, LOOK_MS, self._look)
        self._thread = threading.Thread(
            target=_work, args=(self._jobs, self._told), name="pyfai_gridcal worker", daemon=True
        )
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
            qt.QTimer.singleShot(DRAW_MS, job.drawn.set)
        self.sigProgress.emit(0.0, job.name)
        self._out[id(job)] = job
        self._jobs.put(job)
        self._timer.start()

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
        _LEFT.append(self._out)
        self._jobs.put(None)

    def wait(self, seconds: float = 5.0) -> bool:
        """After :meth:`stop`: whether the thread has ended in this time."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _look(self) -> None:
        """Pass on what the thread told."""
        self._timer.start()
        with suppress(queue.Empty):
            while True:
                number, fraction, text = self._told.get_nowait()
                if text is None:
                    job = self._out.pop(number)
                    self._end(job, *job.outcome)
                elif self._out[number] is self._current:
                    self.sigProgress.emit(fraction, text)
        if not self._out:
            self._timer.stop()

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
