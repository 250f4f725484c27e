"""Photograph the windows for the documentation: ``python3 doc/make_windows.py [alone] [calib2] [viewers]``.

Calibrates the demo in each window, on a screen or under Xvfb, and grabs the window into ``images/gui-NAME.png``.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fabio
import numpy as np
from make_images import IMAGES, slim
from silx.gui import qt

from pyfai_gridcal import calibrate
from pyfai_gridcal.gui.application import application
from pyfai_gridcal.synthetic import demo_scene

SCENE = demo_scene()
#: A hole into which something else shines, and the part of the plate that is left out by hand.
SPOILT, LEFT_OUT = (898.3, 1128.7), ((250, 1050), (420, 1230))


def live(until: Callable[[], object] = lambda: False, seconds: float = 120.0) -> None:
    """Let the windows live until something is the case, and a second longer to draw it."""
    for condition, most in ((until, seconds), (lambda: False, 1.0)):
        end = time.monotonic() + most
        while not condition() and time.monotonic() < end:
            qt.QApplication.processEvents()
            time.sleep(0.005)


def shoot(window: Any, name: str) -> None:
    """Write the picture of a window."""
    live(seconds=0)
    path = IMAGES / f"gui-{name}.png"
    window.grab().save(str(path))
    slim(path)
    print(f"{name}: {path.stat().st_size / 1e3:.0f} kB", flush=True)


def calibrated(task: Any, image: Path) -> None:
    """Calibrate an image in the task."""
    task.workspace.set_settings(pitch=SCENE.plate.pitch_m)
    task.openImage(str(image))
    live(
        lambda: (
            task.view() is not None
            and task.view().spots is not None
            and not task.worker.isBusy
            and not task.updates.isPending
        )
    )
    task.calibrate()
    live(lambda: task.view().fit is not None and not task.worker.isBusy and not task.updates.isPending)


def alone(image: Path) -> None:
    """The task in its own window, its residuals, and the image before and after."""
    from pyfai_gridcal.gui.window import GridcalWindow
    from pyfai_gridcal.gui.work.edits import Edit

    window = GridcalWindow("mpl")
    window.resize(1500, 950)
    window.show()
    task = window.task
    calibrated(task, image)
    (top, left), (bottom, right) = LEFT_OUT
    task.workspace.toggle_spot(*SPOILT)
    task.workspace.edit(Edit.within("exclude", [(top, left), (top, right), (bottom, right), (bottom, left)]))
    task.layers.action("grid").setChecked(True)
    live(lambda: task.view().fit is not None and not task.worker.isBusy and not task.updates.isPending)
    shoot(window, "task")
    task.layers.action("grid").setChecked(False)
    task.workspace.clear_edits()
    task.layers.maps.setCurrentIndex(task.layers.maps.findData("residual"))
    task.panel.quality.setCurrentIndex(1)
    live(lambda: task.view().fit is not None and not task.worker.isBusy and not task.updates.isPending)
    shoot(window, "residuals")
    task.tabs.setCurrentIndex(1)
    live(lambda: task.compare.images() is not None)
    shoot(window, "before-after")
    task.stop()
    window.hide()


def calib2(image: Path) -> None:
    """The task at the head of pyFAI's."""
    import pyFAI.resources
    from pyFAI.gui.CalibrationContext import CalibrationContext

    from pyfai_gridcal.gui.calib2 import window_class

    pyFAI.resources.silx_integration()
    window = window_class()(CalibrationContext())
    window.resize(1580, 950)
    window.show()
    task = window.detectorTasks[0].widget
    calibrated(task, image)
    task.layers.action("grid").setChecked(True)
    shoot(window, "calib2")
    task.stop()
    window.hide()


def viewers(result: Path) -> None:
    """The result in our viewer and in that of silx."""
    from silx.app.view.Viewer import Viewer

    from pyfai_gridcal.gui.view import ResultWindow

    window = ResultWindow("mpl")
    window.resize(1500, 900)
    window.show()
    window.open(str(result))
    live(lambda: window.view() is not None and not window.worker.isBusy)
    window.table.choose(713)
    window.table.sigPoint.emit(713)
    shoot(window, "view")
    window.close()
    window = Viewer()
    window.resize(1400, 900)
    window.show()
    window.appendFile(str(result))
    live(seconds=4)
    shoot(window, "silx-view")
    window.close()


def main(names: list[str]) -> None:
    application()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # the windows show the names without it
        image, result = Path("grid.edf"), Path("grid.h5")
        picture = SCENE.render(np.random.default_rng(5), bounds=False)
        fabio.edfimage.EdfImage(data=picture.image).write(str(image))
        if not names or "alone" in names:
            alone(image)
        if not names or "calib2" in names:
            calib2(image)
        if not names or "viewers" in names:
            calibrate(str(image), pitch=SCENE.plate.pitch_m).save(result)
            viewers(result)
    total = sum(p.stat().st_size for p in IMAGES.rglob("*") if p.is_file())
    print(f"{total / 1e6:.2f} MB of images")


if __name__ == "__main__":
    main(sys.argv[1:])
