"""Windows without a screen: the application, waiting, and mistakes in slots that must not go unseen."""

from __future__ import annotations

import functools
import gc
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import fabio
import numpy as np
import pytest
import scenes

from pyfai_gridcal.gui.work.state import Bare, ExposureResults, Results
from pyfai_gridcal.gui.work.views import WorkView, prepare_view
from pyfai_gridcal.io.images.images import Image
from pyfai_gridcal.records.distortion import Distortion
from pyfai_gridcal.records.field import SampledField
from pyfai_gridcal.records.fit import DistortionFit, Pose
from pyfai_gridcal.records.plate import Plate
from pyfai_gridcal.records.points import ControlPoints
from pyfai_gridcal.records.spots import Spots

SHAPE, PIXEL = (90, 160), (50e-6, 40e-6)
#: Of :func:`fit`, everywhere.
DISPLACEMENT = np.array([2.0, -3.0])


@pytest.fixture(scope="session")
def qapp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The application of the session, with a cache and settings of its own; icons are painted once."""
    for kind in ("CACHE", "CONFIG"):
        os.environ[f"XDG_{kind}_HOME"] = str(tmp_path_factory.mktemp(kind))
    from pyfai_gridcal.gui.application import application
    from pyfai_gridcal.gui.drawing import artwork

    app = application()
    app.setQuitOnLastWindowClosed(False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(artwork, "_pixmap", functools.cache(artwork._pixmap))
        yield app


@pytest.fixture(scope="package", autouse=True)
def garbage_is_collected_again() -> Iterator[None]:
    """Windows keep garbage from being collected in other threads; other tests have none."""
    yield
    gc.collect()
    gc.enable()


@pytest.fixture(autouse=True)
def slots_do_not_fail(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An exception in a slot, which Qt swallows, fails the test."""
    errors: list[BaseException] = []
    monkeypatch.setattr(sys, "excepthook", lambda kind, value, trace: errors.append(value))
    yield
    if errors:
        raise AssertionError(f"{len(errors)} exceptions in slots, the first: {errors[0]!r}") from errors[0]


@pytest.fixture
def wait(qapp: Any) -> Callable[..., None]:
    """Let the windows live until something is the case."""

    def until(condition: Callable[[], object], seconds: float = 60.0, what: str = "") -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"not within {seconds} s: {what or condition}"
            qapp.processEvents()
            time.sleep(0.002)
        qapp.processEvents()

    return until


@pytest.fixture
def keep(qapp: Any) -> Iterator[Callable[[Any], Any]]:
    """Show a window and take it down after the test. Those of the tests before are collected first, as pytest holds
    them until their tests have ended; what is there then is there to stay, and need not be gone through again."""
    windows: list[Any] = []
    gc.collect()
    gc.freeze()

    def show(window: Any) -> Any:
        windows.append(window)
        window.resize(1100, 800)
        window.show()
        qapp.processEvents()
        return window

    yield show
    for window in reversed(windows):
        task = getattr(window, "task", window)
        if hasattr(task, "stop"):
            task.stop()
        window.hide()
        window.deleteLater()
    qapp.sendPostedEvents(None, 52)  # DeferredDelete
    qapp.processEvents()


@pytest.fixture
def fit() -> DistortionFit:
    """A plate of 2 mm x 1 mm in front of a detector that shifts everything by 2 px up and 3 px left."""
    axes = [np.array([0.0, n - 1.0]) for n in SHAPE]
    field = SampledField(*axes, np.broadcast_to(DISPLACEMENT, (2, 2, 2)))
    mask = np.zeros(SHAPE, bool)
    mask[60:] = True
    distortion = Distortion(field, SHAPE, PIXEL, mask, SampledField(*axes, np.full((2, 2, 2), 0.01)))
    plate, pose = Plate((2e-3, 1e-3)), Pose(0.0, (0.5e-3, 0.3e-3))
    ij = np.stack(np.meshgrid(np.arange(2), np.arange(6), indexing="ij"), axis=-1).reshape(-1, 2)
    yx = pose.corrected(plate.positions(ij), PIXEL) - DISPLACEMENT
    residual = np.tile([0.03, -0.04], (12, 1))
    used = np.arange(12) != 7
    points = ControlPoints(
        yx, np.full((12, 2), 0.02), ij, np.arange(1, 13), np.zeros(12), np.array([[40.0, 0.0], [0.0, 25.0]])
    )
    return DistortionFit(distortion, plate, (points,), (pose,), (residual,), (residual,), (used,))


@pytest.fixture
def work(fit: DistortionFit) -> ExposureResults:
    """The spots of the fit after one that was removed by hand, before one that has no node and one added."""
    points = fit.points[0]
    spots = Spots.from_positions(np.vstack([(3.0, 4.0), (70.0, 80.0), points.yx, (80.0, 10.0)]), sigma=0.02)
    kept = np.arange(15) != 0
    return ExposureResults(spots=spots, kept=kept, points=points)


@pytest.fixture
def plot(qapp: Any, keep: Callable[[Any], Any]) -> Any:
    """A plot of the grid image, on which nothing is drawn yet."""
    from pyfai_gridcal.gui.drawing.plot import GridPlot

    return keep(GridPlot())


@pytest.fixture
def view(fit: DistortionFit, work: ExposureResults) -> WorkView:
    """What is drawn of the fit, over an image that is brighter to the right."""
    picture = Image(np.arange(1.0, SHAPE[0] * SHAPE[1] + 1).reshape(SHAPE), np.zeros(SHAPE, bool))
    return prepare_view(Results((replace(work, picture=picture),), Bare(fit)), 0, "residual")


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """File of the small picture of a grid."""
    path = tmp_path_factory.mktemp("grid") / "grid.edf"
    fabio.edfimage.EdfImage(data=scenes.small().image).write(str(path))
    return path


@pytest.fixture
def window(qapp: Any, keep: Callable[[Any], Any]) -> Any:
    """The window of the task."""
    from pyfai_gridcal.gui.window import GridcalWindow

    return keep(GridcalWindow(core=scenes.QuickCore()))


@pytest.fixture
def go(window: Any, image: Path, wait: Callable[..., None]) -> SimpleNamespace:
    """Steps that most tests begin with."""
    from qtest import LEFT, QTest, write

    task = window.task

    def idle():
        wait(lambda: not task.worker.isBusy and not task.updates.isPending, what="the worker to be idle")

    def load():
        write(task.panel.files["image"].edit, str(image))
        wait(lambda: task.view() is not None and task.view().spots is not None, what="spots")
        idle()

    def calibrated():
        load()
        write(task.panel.editor("pitch"), "1.4mm")
        QTest.mouseClick(task.panel.calibrateButton, LEFT)
        wait(lambda: task.view().fit is not None, what="calibration")
        idle()
        return task

    return SimpleNamespace(load=load, calibrated=calibrated, idle=idle, task=task)


@pytest.fixture
def box(wait: Callable[..., None], qapp: Any) -> Callable[..., tuple[str, str, str]]:
    """The message box that is open, closed after its texts were read."""

    from qtest import qt

    def read(title=""):
        found = []

        def there():
            found[:] = [w for w in qapp.topLevelWidgets() if isinstance(w, qt.QMessageBox) and w.isVisible()]
            return found

        wait(there, 20, "a message box")
        texts = found[0].windowTitle(), found[0].text(), found[0].detailedText()
        found[0].close()
        assert title in texts[0]
        return texts

    return read
