"""pyFAI's calibration window with the tasks of all detector calibrations at the head of its list."""

from __future__ import annotations

import logging
import os
from argparse import Namespace
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from silx.gui import qt

from ..plugins import GridCalibration, load_members
from .application import application, fit_screen, run_application, settings
from .drawing.artwork import icon
from .rings_task import RingsTask
from .task import DistortionTask

if TYPE_CHECKING:
    from pyFAI.gui.CalibrationContext import CalibrationContext


logger = logging.getLogger(__name__)


def detector_tasks() -> Iterator[qt.QWidget]:
    """Tasks that calibrate a detector: ours, then those that other members of the group bring.

    A member that fails is reported in the log and left out; see :mod:`pyfai_gridcal.plugins`.
    """
    yield DistortionTask()
    for name, member in load_members().items():
        make: Callable[[], qt.QWidget] | None = getattr(member, "task", None)
        if make is None or isinstance(member, GridCalibration):
            continue
        try:
            yield make()
        except Exception as error:
            logger.warning("the task of %s cannot be used: %s: %s", name, type(error).__name__, error)


def window_class() -> type:
    """The window's class; pyFAI's windows are imported only here."""
    from pyFAI.gui.CalibrationWindow import CalibrationWindow

    class DetectorCalibrationWindow(CalibrationWindow):  # type: ignore[misc]
        """Calibration of the detector first, then of the experiment."""

        def createTasks(self) -> list[qt.QWidget]:
            self.detectorTasks = list(detector_tasks())
            # the rings last: they take the points and the geometry of the tasks before
            rings = RingsTask()
            tasks = [*self.detectorTasks, *super().createTasks(), rings]
            self.detectorTasks.append(rings)
            return tasks

        def __init__(self, context: CalibrationContext):
            super().__init__(context)
            if not settings("calib2").contains("main-window/size"):
                fit_screen(self, 1600, 950)
            self.setWindowTitle("pyFAI calibration with detector distortion")
            self.setWindowIcon(icon("gridcal"))

        def closeEvent(self, event: qt.QCloseEvent) -> None:
            """Ask about unsaved distortions before pyFAI asks about its PONI file."""
            for task in self.detectorTasks:
                if not getattr(task, "mayClose", lambda: True)():
                    event.ignore()
                    return
            super().closeEvent(event)

    return DetectorCalibrationWindow


def main(options: Namespace, *, grid: str | None = None, given: dict[str, object] | None = None) -> int:
    """Open the window.

    Parameters
    ----------
    options : as pyFAI-calib2 parses them
    grid : image of the grid; the image of the options when omitted
    given : settings of the distortion task
    """
    import pyFAI.resources
    import silx
    from pyFAI.app import calib2
    from pyFAI.gui.CalibrationContext import CalibrationContext

    if options.opengl:
        silx.config.DEFAULT_PLOT_BACKEND = "opengl"
    if options.remote_bug:
        os.environ["PYFAI_REMOTE_BUG"] = "1"
    app = application((options.qtargs or "").split())
    pyFAI.resources.silx_integration()
    context = CalibrationContext(settings("calib2"))
    context.restoreSettings()
    calib2.setup_model(context.getCalibrationModel(), options)
    window = window_class()(context)
    task = window.detectorTasks[0].widget
    image = grid or (options.args[0] if len(options.args) == 1 else None)
    taken = task.takeUp()
    if given and not taken:
        task.workspace.set_settings(**given)
    if image is not None and not taken:
        task.openImage(image)
        task.workspace.forget_past()
    status = run_application(app, window)
    context.saveSettings()
    return status
