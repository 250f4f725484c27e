"""How good it is: histogram of the residuals, residual against sigma, and the verdict in words."""

from __future__ import annotations

import html
from functools import cached_property

import numpy as np
from matplotlib.ticker import NullFormatter
from silx.gui import qt
from silx.gui.colors import Colormap
from silx.gui.plot import PlotWidget

from ...records.fit import DistortionFit
from ...records.verdict import Verdict
from ..drawing.artwork import icon
from ..drawing.calm import ignore_wheel, when_calm
from ..layouts import column, holder, row

#: Bins of the histogram: of a thousand spots some tens are in those of the middle, enough to see its shape.
BINS = 60
#: Height of the small plots, px on the screen: with it the panel fits a screen of 1000 px.
HEIGHT = 270
#: What each of the plots shows, and what is good.
EXPLAINED = {
    "Residuals": "How far spots are from their places on the fitted grid. Good: both curves narrow, around zero.",
    "Against uncertainty": "Each spot: residual over its uncertainty (dashed: equal). Far above: dirt, or errors "
    "of the plate. Red: not used.",
    "Models": "Error at left-out holes, of all models that were tried (blue: the one taken). Good: it is the lowest.",
}
#: Milliseconds that the plot of the image has for itself before these are drawn.
REST_MS = 80
#: Smallest length on a logarithmic axis, px.
TINY = 1e-6
#: Left out, and used.
TWO_COLOURS = np.array([(220, 60, 60, 255), (60, 120, 220, 255)], np.uint8)


class QualityView(qt.QTabWidget):  # type: ignore[misc]
    """Small plots: residuals, residuals against sigma, and the held-out error of the models that were tried.

    Each is made when it is first looked at: three of them take most of the time in which a window opens.
    """

    def __init__(self, parent: qt.QWidget | None = None):
        super().__init__(parent)
        for title, text in EXPLAINED.items():
            explained = qt.QLabel(text)
            explained.setWordWrap(True)
            self.addTab(holder(column(explained, spacing=2)), title)
        self.setDocumentMode(True)
        self.setFixedHeight(HEIGHT)
        self._fit: tuple[DistortionFit | None, int] = (None, 0)
        self._timer = when_calm(self, REST_MS, self._draw)
        self.currentChanged.connect(lambda _: self._draw())
        self._draw()

    def _small_plot(self, page: int, x: str, y: str) -> PlotWidget:
        plot = PlotWidget(parent=self)
        plot.setGraphXLabel(x)
        plot.setGraphYLabel(y)
        plot.setDataMargins(0.02, 0.02, 0.0, 0.08)
        plot.setAxesMargins(0.19, 0.06, 0.04, 0.3)  # room for the label below: the plot is low
        plot.setInteractiveMode("select", zoomOnWheel=False)  # a picture, with no button to bring it back
        ignore_wheel(plot.getWidgetHandle())
        self.widget(page).layout().insertWidget(0, plot, 1)
        return plot

    @cached_property
    def histogram(self) -> PlotWidget:
        """Residuals of both axes."""
        return self._small_plot(0, "slow (blue), fast (orange), 0.001 px", "number of spots")

    @cached_property
    def scatter(self) -> PlotWidget:
        """Residual of each spot against its uncertainty."""
        plot = self._small_plot(1, "expected uncertainty of the spot, px", "residual, px")
        plot.getXAxis().setScale("log")
        plot.getYAxis().setScale("log")
        if (axes := getattr(plot.getBackend(), "ax", None)) is not None:
            axes.xaxis.set_minor_formatter(NullFormatter())  # they lie over each other
        return plot

    @cached_property
    def trials(self) -> PlotWidget:
        """Held-out error of the models that were tried."""
        return self._small_plot(2, "smoothness, log10 (0: the one taken)", "error, 0.001 px")

    def setFitLater(self, fit: DistortionFit | None, exposure: int = 0) -> None:
        """Show the residuals of a fit once the windows have drawn what is more urgent."""
        self._fit = (fit, exposure)
        self._timer.start()

    def setFit(self, fit: DistortionFit | None, exposure: int = 0) -> None:
        """Show the residuals of a fit."""
        self._fit = (fit, exposure)
        self._draw()

    def _draw(self) -> None:
        """What is shown of the fit; the other plots follow when they are looked at."""
        fit, exposure = self._fit
        name = ("histogram", "scatter", "trials")[self.currentIndex()]
        getattr(self, name).clear()
        if fit is not None:
            getattr(self, f"_draw_{name}")(fit, exposure)

    def _draw_histogram(self, fit: DistortionFit, exposure: int) -> None:
        residual = 1000 * fit.residual_yx[exposure][fit.used[exposure]]  # short labels: four digits do not fit
        if not len(residual):
            return
        # Both axes over each other: a shift or a shoulder of one of them is seen at once.
        reach = float(np.percentile(np.abs(residual), 99.5)) or 1.0
        edges = np.linspace(-1.2 * reach, 1.2 * reach, BINS + 1)
        for axis, (name, colour) in enumerate((("slow (y)", "#4080e080"), ("fast (x)", "#f0903080"))):
            counts, _ = np.histogram(residual[:, axis], edges)
            self.histogram.addHistogram(counts, edges, legend=name, color=colour, fill=True, resetzoom=False)
        self.histogram.resetZoom()

    def _draw_scatter(self, fit: DistortionFit, exposure: int) -> None:
        used = fit.used[exposure]
        if not used.any():
            return
        # Spots far above the line of equal values are worse than their noise says: outliers, or a plate with errors.
        sigma = np.maximum(np.hypot(*fit.points[exposure].sigma_yx.T), TINY)
        length = np.maximum(np.hypot(*fit.residual_yx[exposure].T), TINY)
        # A picture of the cloud needs no more points than that.
        step = max(1, len(sigma) // 4000)
        self.scatter.addScatter(
            sigma[::step], length[::step], used[::step].astype(float), legend="spots", symbol=".",
            colormap=Colormap(name=None, colors=TWO_COLOURS, vmin=0, vmax=1),
        )  # fmt: skip
        ends = np.array([sigma.min(), sigma.max()])
        self.scatter.addCurve(ends, ends, legend="equal", color="#808080", linestyle="--", symbol="", resetzoom=False)
        low, high = (float(v) for v in np.percentile(length, (1, 100)))
        left = 0.8 * float(ends[0])
        right = max(1.2 * float(ends[1]), 11 * left)  # a decade, for one label at least
        self.scatter.setLimits(left, right, 0.7 * low, 1.4 * high)

    def _draw_trials(self, fit: DistortionFit, _exposure: int) -> None:
        """So that it is seen whether another model is as good: the one that was chosen in blue, others in grey."""
        shown = [trial for trial in fit.trials if trial.held_out_px > 0]
        curves = [np.array(sorted(trial.curve)).T.reshape(2, -1) for trial in shown]
        known = [at for at, _ in curves if len(at) > 1]
        left, right = (min(map(min, known)), max(map(max, known))) if known else (-1.0, 1.0)
        for trial, (at, error) in zip(shown, curves, strict=True):
            colour = "#3c78dc" if trial.chosen else "#909090"
            style = {"linestyle": "-", "symbol": "o"}
            if len(at) < 2:  # a model without a smoothness to choose: one level for all
                at, error = np.array([left, right]), np.full(2, trial.held_out_px)
                style = {"linestyle": "--", "symbol": ""}
            self.trials.addCurve(at, 1000 * error, legend=trial.name, color=colour, resetzoom=False, **style)
            if trial.chosen:
                self.trials.addMarker(
                    0.0, 1000 * trial.held_out_px, legend="chosen", text=trial.name, color=colour, symbol="d"
                )
        if shown:
            levels = 1000 * np.concatenate([[trial.held_out_px for trial in shown], *(error for _, error in curves)])
            # Of much worse models it is enough to see that they are beyond.
            low, high = 0.8 * float(levels.min()), min(1.1 * float(levels.max()), 4 * float(levels.min()))
            self.trials.setLimits(left, right, low, high)


class VerdictLabel(qt.QWidget):  # type: ignore[misc]
    """The verdict: a sign, a word and the reasons."""

    def __init__(self, parent: qt.QWidget | None = None):
        super().__init__(parent)
        self._sign = qt.QLabel(self)
        self._text = qt.QLabel(self)
        self._text.setObjectName("verdict-text")
        self._text.setWordWrap(True)
        self._text.setTextFormat(qt.Qt.TextFormat.RichText)
        self._text.setTextInteractionFlags(qt.Qt.TextInteractionFlag.TextSelectableByMouse)
        row(self._sign, (self._text, 1), on=self).setAlignment(self._sign, qt.Qt.AlignmentFlag.AlignTop)
        self.setVerdict(None)

    def setVerdict(self, verdict: Verdict | None) -> None:
        """Show a verdict of the core, None when there is none yet."""
        self._sign.setVisible(verdict is not None)
        if verdict is None:
            self._text.setText("Not calibrated yet.")
            return
        self._sign.setPixmap(icon(f"verdict-{verdict.level}").pixmap(28, 28))
        reasons = "".join(f"<br/>• {html.escape(reason, quote=False)}" for reason in verdict.reasons)
        self._text.setText(f"<b>{verdict.level}</b>{reasons}")

    def text(self) -> str:
        """What is shown, as rich text."""
        return str(self._text.text())
