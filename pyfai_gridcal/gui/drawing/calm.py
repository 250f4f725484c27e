"""Windows made calm: no axes that nobody reads, no wheel that changes what it scrolls by, nothing done twice."""

from __future__ import annotations

from collections.abc import Callable

from silx.gui import qt
from silx.gui.plot import PlotWidget


def hide_axes(plot: PlotWidget) -> None:
    """Show no axes in a plot.

    silx moves them out of the picture. With matplotlib they are drawn there all the same, which takes as long as
    drawing the image, and where the aspect is kept their ticks come back into sight.
    """
    plot.setAxesDisplayed(False)
    backend = plot.getBackend()
    for name in ("ax", "ax2"):
        axes = getattr(backend, name, None)
        if axes is not None:
            axes.set_axis_off()


def free_keys(*actions: qt.QAction) -> None:
    """Take the short cuts of silx away that are ours, too: of two that mean the same key Qt follows neither."""
    for action in actions:
        action.setShortcut(qt.QKeySequence())


class _Deaf(qt.QObject):  # type: ignore[misc]
    """Leaves the wheel to what is around a widget."""

    def eventFilter(self, _watched: qt.QObject, event: qt.QEvent) -> bool:
        if event.type() != qt.QEvent.Type.Wheel:
            return False
        event.ignore()
        return True


def ignore_wheel(widget: qt.QWidget) -> None:
    """Let the wheel scroll the panel that a widget is on, instead of changing a value while it passes by."""
    widget.installEventFilter(_Deaf(widget))


def when_calm(owner: qt.QObject, milliseconds: int, slot: Callable[[], object]) -> qt.QTimer:
    """A timer that calls `slot` once it was not started again for so long, so that many changes make one update."""
    timer = qt.QTimer(owner)
    timer.setSingleShot(True)
    timer.setInterval(milliseconds)
    timer.timeout.connect(slot)
    return timer
