"""The measurements as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..base.atomic import save_figure
from .measurement import Measurement, scaling
from .scenes import SCENES

if TYPE_CHECKING:
    from matplotlib.axes import Axes


#: Of the methods.
_COLOURS = {"gridcal": "#1f77b4", "tutorial": "#d62728", "discorpy": "#ff7f0e", "opencv": "#9467bd"}


def draw(measurements: Sequence[Measurement], path: str | Path) -> None:
    """Error against time, time per stage, and growth, in one picture."""
    from matplotlib.figure import Figure

    scaled = any(one.scene not in SCENES for one in measurements)
    figure = Figure(figsize=(14.0 if scaled else 10.5, 4.6), layout="constrained")
    axes = figure.subplots(1, 3 if scaled else 2, width_ratios=(1, 1.25, 1) if scaled else (1, 1.25))
    _errors(axes[0], measurements)
    _stages(axes[1], measurements)
    if scaled:
        _growth(axes[2], measurements)
    save_figure(figure, path)


def _errors(ax: Axes, measurements: Sequence[Measurement]) -> None:
    """Error of the field against processor time."""
    markers = dict(zip(SCENES, "osD^v", strict=True))
    for one in measurements:
        if one.scene in SCENES and one.best and one.figures.get("field_rms_px"):
            x, y = one.best["cpu"], one.figures["field_rms_px"]
            ax.plot(x, y, markers[one.scene], color=_COLOURS[one.method], markersize=9)
            ax.annotate(one.scene, (x, y), textcoords="offset points", xytext=(7, 4), fontsize=8)
    for name, colour in _COLOURS.items():
        if any(one.method == name and one.figures.get("field_rms_px") for one in measurements):
            ax.plot([], [], "o", color=colour, label=name)
    ax.set(xscale="log", yscale="log", xlabel="processor time, s", ylabel="error of the field, px rms")
    ax.set_title("nearer to the truth is lower, quicker is left", loc="left", fontsize=10)
    ax.grid(True, which="both", alpha=0.2)
    ax.legend()


def _stages(ax: Axes, measurements: Sequence[Measurement]) -> None:
    """Seconds of each stage, one bar for each method and scene, relative to gridcal."""
    from matplotlib.colors import to_rgb

    rows = [one for one in measurements if one.scene in SCENES and one.best and one.method in ("gridcal", "tutorial")]
    names: list[str] = []
    for row, one in enumerate(rows):
        left, best = 0.0, one.best or {}
        for k, stage in enumerate(best["stages"]):
            colour = np.clip(np.array(to_rgb(_COLOURS[one.method])) * (0.75 + 0.5 * (k % 2)), 0, 1)
            ax.barh(row, stage["cpu"], left=left, color=colour, edgecolor="white", linewidth=0.5)
            left += stage["cpu"]
        longest = max(best["stages"], key=lambda stage: stage["cpu"])
        ax.text(left, row, f"  {left:.1f} s, most: {longest['name']}", va="center", fontsize=8)
        names.append(f"{one.method}\n{one.scene}")
    ax.set_yticks(range(len(rows)), names, fontsize=8)
    ax.invert_yaxis()
    ax.set(xlabel="processor time, s (one piece for each stage)", xscale="symlog")
    ax.set_xlim(0, 12 * ax.get_xlim()[1])


def _growth(ax: Axes, measurements: Sequence[Measurement]) -> None:
    """Processor time against megapixels, and against spots."""
    for kind, label in (("pixels", "megapixels, spots 20 px apart"), ("spots", "thousand spots in 4.3 megapixels")):
        rows, size, cpu = scaling(measurements, kind)
        if rows:
            order = np.argsort(size)
            drawn = ax.plot(size[order], cpu[order], "o-", label=label)[0]
            if kind == "pixels":
                ax.plot(size[order], cpu[order][0] * size[order] / size[order][0], ":", color=drawn.get_color())
    ax.set(xscale="log", yscale="log", xlabel="megapixels, or thousand spots", ylabel="processor time, s")
    ax.set_title("growth; dotted is linear", loc="left", fontsize=10)
    ax.grid(True, which="both", alpha=0.2)
    ax.legend(fontsize=8)
