"""What rings say, drawn: residuals over the azimuth, and where on the detector they are."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.atomic import save_figure
from ..base.progress import Progress
from ..records.jobs import Validate
from ..report.figures import PageFigure
from ..report.page import PagePart
from .judge import COLUMNS, RingValidation, validate_ring_files

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Residuals are drawn up to this quantile of their size: a few wild points shall not shrink all others.
_SHOWN = 0.98
_BOTH = ("without", "with")


def over_azimuth(found: RingValidation, which: str, *, ax: Any) -> None:
    """Residuals "without" or "with" the calibration, a colour for each ring."""
    one, top = _seen(found, which)
    for ring, here in found.parts("ring"):
        ax.plot(found.azimuth[here], 1e3 * np.degrees(one.left[here]), ".", ms=3, color=f"C{ring % 10}")
    ax.set(xlim=(-180, 180), ylim=(-1.3 * top, 1.3 * top), ylabel="residual, mdeg", xlabel="azimuth, degrees")
    ax.axhline(0, color="k", lw=0.6)
    size, px = one.rms()
    ax.set_title(f"{which} the calibration: {size:.2f} mdeg, {px:.3f} px rms", fontsize="medium")


def on_detector(found: RingValidation, which: str, *, ax: Any) -> None:
    """The same where the points are."""
    one, top = _seen(found, which)
    y, x = found.points.yx.T
    drawn = ax.scatter(x, y, 4, 1e3 * np.degrees(one.left), cmap="coolwarm", vmin=-top, vmax=top)
    ax.set(xlim=(0, found.shape[1]), ylim=(0, found.shape[0]), aspect="equal")
    ax.set(ylabel="slow (y), px", xlabel="fast (x), px")
    ax.figure.colorbar(drawn, ax=ax, label="residual, mdeg")


def _seen(found: RingValidation, which: str) -> tuple[Any, float]:
    """The rings without or with the calibration, and how far is drawn, mdeg, the same both times."""
    top = 1e3 * float(np.degrees(np.quantile(np.abs(found.before.left), _SHOWN)))
    return (found.before if which == "without" else found.after), top


def ring_figure(found: RingValidation) -> Figure:
    """All four pictures."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 7), layout="constrained")
    for pair, which in zip(figure.subplots(2, 2, width_ratios=(1.6, 1)), _BOTH, strict=True):
        over_azimuth(found, which, ax=pair[0])
        on_detector(found, which, ax=pair[1])
    return figure


def judge_files(job: Validate, *, progress: Progress | None = None) -> RingValidation:
    """What rings in files say, with the picture that the job asks for."""
    found = validate_ring_files(job, progress=progress)
    if job.picture:
        save_figure(ring_figure(found), job.picture)
    return found


def ring_part(found: RingValidation) -> PagePart:
    """What the page of a report shows of it."""
    words = "How far points of rings are off, along the radius; pyFAI refined the geometry. Waves are distortion."
    figures = [
        PageFigure("rings", f"{title} {which} the calibration", words, partial(draw, found, which), (7.5, 4.2))
        for title, draw in (("Rings over the azimuth", over_azimuth), ("Rings on the detector", on_detector))
        for which in _BOTH
    ]
    rows = tuple(found.rows())
    text = f"Rings of {found.points.calibrant}: {found.sentence}. The table tells without -> with."
    return PagePart("rings", text, COLUMNS, rows, tuple(figures), found.summary())
