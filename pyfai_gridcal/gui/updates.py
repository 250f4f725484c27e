"""From a state of the work to a picture of it: what has to be computed, when, and in which thread.

A wish of the user changes the state of the workspace (thread of the windows). A moment later, so that several changes
make one update, a job goes to the worker (thread of the work): it computes what is missing for that state and prepares
all that is drawn. The picture comes back to the thread of the windows, where it is thrown away if the state has
changed meanwhile. The threads share the caches of the workspace, which have locks, and records that nobody changes.
"""

from __future__ import annotations

from collections.abc import Callable

from silx.gui import qt

from ..base.errors import ImageError
from ..base.progress import Cancelled, Progress
from .drawing.calm import when_calm
from .work.layers import MapName
from .work.state import STAGES, StageName, WorkState
from .work.views import WorkView, prepare_view
from .work.workspace import Workspace
from .worker import BackgroundJob, Worker

#: Milliseconds that the state has to rest before it is followed: less than a person waits for, more than two clicks.
REST_MS = 150


class Updates(qt.QObject):  # type: ignore[misc]
    """Keeps what is drawn up to date with the workspace.

    Parameters
    ----------
    overlay : tells which map is to lie over the image

    Attributes
    ----------
    exposure : number of the exposure that is shown
    wanted : how far to go when the state changes: as far as the user went before
    automatic : whether fits are made again after each change, or only when the user asks for it
    view : what was drawn last
    """

    #: A :class:`~pyfai_gridcal.gui.work.views.WorkView` to be drawn, and the one before.
    sigView = qt.Signal(object, object)
    #: A stage failed: the error, and whether the user had asked for it.
    sigStopped = qt.Signal(object, bool)

    def __init__(self, workspace: Workspace, worker: Worker, overlay: Callable[[], MapName | None]):
        super().__init__(worker)
        self._workspace, self._worker, self._overlay = workspace, worker, overlay
        self.exposure = 0
        self.wanted: StageName = "found"
        self.automatic = True
        self.view: WorkView | None = None
        self._seen: tuple[WorkState, int] | None = None
        self._later = when_calm(self, REST_MS, self._update)

    @property
    def isPending(self) -> bool:
        """Whether a change waits to be followed."""
        return bool(self._later.isActive())

    def begin(self, wanted: StageName) -> None:
        """Forget how far the work on other images went."""
        self.wanted, self.exposure = wanted, 0

    def follow(self) -> None:
        """Update what is drawn, if the state or the exposure is not the one that was drawn last."""
        state = self._workspace.state
        if not state.exposures:
            self._seen = None  # what is undone to here and done again has to be drawn again
            self._show(prepare_view(self._workspace.results()))
        elif (state, self.exposure) != self._seen:
            self._seen = (state, self.exposure)
            self._later.start()

    def _update(self) -> None:
        """Compute what is missing for what was reached before, where this is wished."""
        wanted = self.wanted
        if not self.automatic and STAGES.index(wanted) > STAGES.index("spots"):
            wanted = "spots"
        if self._workspace.results().missing == "image":
            # The image is drawn before its spots are looked for, which takes long.
            self.start("image", then=lambda: self.start(wanted, patient=True))
        else:
            self.start(wanted)

    def start(
        self,
        upto: StageName | None,
        *,
        then: Callable[[], None] | None = None,
        patient: bool = False,
        asked: bool = False,
    ) -> None:
        """Compute up to a stage (None: nothing) and draw what there is then, before going on with `then`.

        Raises
        ------
        ImageError
            There is none, and the user had `asked` for it.
        """
        workspace, state, exposure, old = self._workspace, self._workspace.state, self.exposure, self.view
        overlay = self._overlay()
        if not state.exposures:
            if asked:
                raise ImageError("there is no image", hint="open one, or drop a file on the window")
            return

        # In the thread of the work: nothing of Qt, and only what is handed over here.
        def work(progress: Progress) -> tuple[WorkView, Exception | None]:
            error: Exception | None = None
            try:
                if upto is not None:
                    workspace.compute(upto, progress, state=state)
            except Cancelled:
                raise
            except Exception as reason:
                error = reason  # what was finished before is drawn all the same
            return prepare_view(workspace.results(state), exposure, overlay, old), error

        # Back in the thread of the windows.
        def done(outcome: tuple[WorkView, Exception | None]) -> None:
            view, error = outcome
            if workspace.state is state:
                self._show(view)
            if error is not None:
                self.sigStopped.emit(error, asked)
            elif then is not None and not self.isPending:
                then()

        self._worker.start(BackgroundJob("working", work, done, "Calibrate", patient=patient))

    def _show(self, view: WorkView) -> None:
        before, self.view = self.view, view
        self.sigView.emit(view, before)

    def stop(self) -> None:
        """Follow no further changes."""
        self._later.stop()
