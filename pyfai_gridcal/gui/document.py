"""The file behind the work: opened, written, exported, and whether it holds what is shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from silx.gui import qt

from ..base.errors import UsageError
from ..base.progress import Progress
from ..calibration import Calibration
from ..io.kinds.options import Writing
from ..io.nexus.contents import detector_beside
from ..records.spots import Spots
from .work.core import Core
from .work.state import WorkState
from .work.workspace import Workspace
from .worker import BackgroundJob, Worker


class Document(qt.QObject):  # type: ignore[misc]
    """The detector file of a workspace.

    Reading and writing happen in the thread of the worker, on the state of the moment when they were asked for: what
    the user does meanwhile is work that the file does not hold.

    Attributes
    ----------
    exposure : number of the one that is shown
    """

    #: A result file was read; the workspace is as it was when that was written.
    sigOpened = qt.Signal()
    #: Path of a detector file that was written.
    sigSaved = qt.Signal(str)
    #: Path of a file that is about to be written.
    sigWriting = qt.Signal(str)
    #: Paths of all files that were written just now, in words.
    sigWritten = qt.Signal(str)

    def __init__(self, core: Core, workspace: Workspace, worker: Worker):
        super().__init__(worker)
        self._core, self._workspace, self._worker = core, workspace, worker
        self._file: str | None = None
        self.exposure = 0

    def open(self, path: str, *, kept: bool = False) -> None:
        """Take up a calibration where a file left it; one that was only `kept` is still to be saved."""

        def done(opened: tuple[WorkState, Calibration, tuple[Spots, ...]]) -> None:
            state, calibration, found = opened
            self._file = None if kept else path
            self._workspace.reset(state)
            if kept:
                self._workspace.mark_saved(WorkState(state.settings))
            self._workspace.know(calibration, found)
            self.sigOpened.emit()

        self._start("opening", lambda progress: self._core.open(path, progress), done, "Open result")

    def save(self, path: str, *, then: Callable[[str], None] | None = None) -> None:
        """Write the detector file."""
        calibration, state, found = self._contents()
        self.sigWriting.emit(path)

        def done(_: object) -> None:
            self._file = path
            self._workspace.mark_saved(state)
            self.sigWritten.emit(path)
            self.sigSaved.emit(path)
            if then is not None:
                then(path)

        write = lambda progress: self._core.save(calibration, state, found, path, progress)  # noqa: E731
        self._start("writing", write, done, "Save detector")

    def _contents(self) -> tuple[Calibration, WorkState, tuple[Spots, ...]]:
        found = tuple(work.found for work in self._workspace.results().exposures if work.found is not None)
        return self.calibration(), self._workspace.state, found

    def unsaved(self) -> tuple[Calibration, WorkState, tuple[Spots, ...]] | None:
        """What no file holds; None when there is no such calibration."""
        lost = self._workspace.is_modified and self._workspace.calibration is not None
        return self._contents() if lost else None

    def export(self, path: str, kind: str, *, like: str | None = None, relative: bool = False) -> None:
        """Write the distortion as another kind of file; pointers name the file of the detector, and may be `like`
        another PONI file."""
        calibration, saved, exposure = self.calibration(), self.savedFile(), self.exposure
        writing = Writing(source=None if saved is None else Path(saved), relative=relative)

        self.sigWriting.emit(path)

        def done(paths: Sequence[Path]) -> None:
            self.sigWritten.emit(", ".join(map(str, paths)))

        def write(progress: Progress) -> list[Path]:
            return self._core.export(calibration, path, kind, replace(writing, progress=progress), like, exposure)

        self._start("exporting", write, done, "Export")

    def _start(self, name: str, work: Callable[[Progress], object], done: Callable[..., None], title: str) -> None:
        # Lasting: no click shall leave half a file behind.
        self._worker.start(BackgroundJob(name, work, done, title, lasting=True))

    def file(self) -> str | None:
        """The file that holds the work, if any."""
        return self._file

    def savedFile(self) -> str | None:
        """The file that holds the present state of the work; None when there were changes since."""
        return None if self._workspace.is_modified else self._file

    def defaultFile(self) -> str:
        """Name to propose for the detector file: beside the image."""
        exposures = self._workspace.state.exposures
        return self._file or (str(detector_beside(exposures[0].source)) if exposures else "detector.h5")

    def calibration(self) -> Calibration:
        """The present calibration; raises UsageError when there is none."""
        calibration = self._workspace.calibration
        if calibration is None:
            raise UsageError("there is no calibration yet", hint="press Calibrate first")
        return calibration
