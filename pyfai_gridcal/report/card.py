"""A calibration at a glance, for notebooks."""

from __future__ import annotations

import html
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from ..records.result import Result
from .data import summary
from .text import figure_rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes


#: Rows of the report that it shows.
_SHOWN = ("plate", "pixel size", "residual", "prediction", "position", "with plate", "coverage")
#: Of the levels of the verdict.
_COLOURS = {"good": "#1a7f37", "doubtful": "#9a6700", "failed": "#cf222e"}


def html_card(calibration: Result) -> str:
    """The verdict, the main figures and two small pictures as a piece of HTML."""
    from . import plots
    from .figures import PageFigure, as_data_uri
    from .pictures import displacement_with_arrows, grid

    s = summary(calibration)
    points = ", ".join(f"{e['control_points']} ({e['outliers']} outliers)" for e in s["exposures"])
    rows = {"control points": points} | {row.short: row.value for row in figure_rows(s) if row.short in _SHOWN}
    if s["verdict"]["reasons"]:
        rows["reasons"] = "; ".join(s["verdict"]["reasons"])
    cells = "".join(
        f'<tr><td style="text-align:left;opacity:.7">{name}</td>'
        f'<td style="text-align:left">{html.escape(value)}</td></tr>'
        for name, value in rows.items()
    )

    def overview(ax: Axes) -> None:
        plots.image(calibration.images[0], ax=ax)
        grid(calibration.points[0], ax=ax, every=int(np.ptp(calibration.points[0].ij, axis=0).max()) // 40 + 1)

    drawn: list[Callable[..., object]] = [overview] if calibration.images else []
    drawn.append(partial(displacement_with_arrows, calibration.distortion))
    images = "".join(
        f'<img style="display:inline-block" src="{as_data_uri(PageFigure("", "", "", draw, (4.4, 3.6)), dpi=80)}">'
        for draw in drawn
    )
    level = s["verdict"]["level"]
    return (
        f'<div><p><b style="color:{_COLOURS[level]}">{level}</b> grid calibration, {html.escape(s["recipe"])}</p>'
        f"<table>{cells}</table><div>{images}</div></div>"
    )
