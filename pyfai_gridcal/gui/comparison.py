"""The corrected image for the comparison of before and after, made when it is looked for."""

from __future__ import annotations

from collections.abc import Callable

from ..base.progress import Progress
from .drawing.compare import BeforeAfter
from .work.core import Core
from .work.state import Bare
from .work.views import Pair, WorkView, prepare_pair
from .worker import BackgroundJob, Worker


def compare_on_demand(compare: BeforeAfter, view: Callable[[], WorkView | None], core: Core, worker: Worker) -> None:
    """Correct the image of the present `view` whenever `compare` is looked at without one."""

    def correct() -> None:
        shown = view()
        if shown is None or shown.image is None or worker.isBusy:
            return
        calibration = shown.results.calibration
        if calibration is None or isinstance(calibration, Bare):
            return
        compare.note.setText("The image is being corrected by pyFAI.")

        def work(progress: Progress) -> Pair:
            return prepare_pair(shown, core.correct(calibration, shown.exposure, progress))

        def done(pair: Pair) -> None:
            # What was corrected may be out of date by now.
            now = view()
            if now is not None and (now.image, now.fit) == (shown.image, shown.fit):
                compare.setPair(pair)

        worker.start(BackgroundJob("correcting the image", work, done, "Before and after"))

    compare.sigWanted.connect(correct)
