"""What rings say, drawn: residuals over the azimuth, and where on the detector they are."""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from .judge import RingValidation, Straightness

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Residuals are drawn up to this quantile of their size: a few wild points shall not shrink all others.
_SHOWN = 0.98


def ring_figure(found: RingValidation) -> Figure:
    """Residuals without and with the calibration: over the azimuth, a colour for each ring, and as maps."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 7), layout="constrained")
    top = np.quantile(np.abs(found.before.left), _SHOWN) * 1e3
    axes = figure.subplots(2, 2, sharex="col", width_ratios=(1.6, 1))
    for (curve, plan), one, title in zip(axes, (found.before, found.after), ("without", "with"), strict=True):
        _over_azimuth(curve, found, one, float(np.degrees(top)))
        rms, px = one.rms()
        curve.set_title(f"{title} the calibration: {rms:.2f} mdeg, {px:.3f} px rms")
        y, x = found.points.yx.T
        drawn = plan.scatter(
            x, y, 4, 1e3 * np.degrees(one.left), cmap="coolwarm", vmin=-np.degrees(top), vmax=np.degrees(top)
        )
        plan.set(xlim=(0, found.shape[1]), ylim=(0, found.shape[0]), aspect="equal", ylabel="slow (y), px")
        figure.colorbar(drawn, ax=plan, label="residual, mdeg")
    axes[1, 0].set_xlabel("azimuth, degrees")
    axes[1, 1].set_xlabel("fast (x), px")
    return figure


def _over_azimuth(ax: Any, found: RingValidation, one: Straightness, top: float) -> None:
    for ring, which in found.parts("ring"):
        ax.plot(found.azimuth[which], 1e3 * np.degrees(one.left[which]), ".", ms=3, color=f"C{ring % 10}")
    ax.set(xlim=(-180, 180), ylim=(-1.3 * top, 1.3 * top), ylabel="residual, mdeg")
    ax.axhline(0, color="k", lw=0.6)


def save_ring_figure(found: RingValidation, path: str | PathLike[str]) -> None:
    """Write the figure, in the kind that its suffix says."""
    from ..base.atomic import replacing

    with replacing(path) as beside:
        ring_figure(found).savefig(beside, dpi=110)
