"""A calibration at a glance, for notebooks."""

from __future__ import annotations

import html
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ..base.units import format_length
from ..records.result import Result
from .data import summary
from .text import pixel_text, rounded

__all__ = ["html_card"]

_COLOURS = {"good": "#1a7f37", "doubtful": "#9a6700", "failed": "#cf222e"}


def html_card(calibration: Result) -> str:
    """The verdict, the main figures and two small pictures as a piece of HTML."""
    from . import plots
    from .figures import Picture, as_data_uri
    from .pictures import displacement_with_arrows, grid

    s = summary(calibration)
    micron = 1e6 * float(np.sqrt(np.prod(s["pixel_size_m"])))
    held = "not known" if s["held_out_px"] is None else f"{rounded(s['held_out_px'])} px"
    field = "not known" if s["expected_error_px"] is None else f"{rounded(s['expected_error_px'])} px"
    residual = "not known" if s["residual_px"] is None else f"{rounded(s['residual_px'])} px"
    rows = {
        "control points": ", ".join(f"{e['control_points']} ({e['outliers']} outliers)" for e in s["exposures"]),
        "plate": " x ".join(format_length(p) for p in dict.fromkeys(s["plate"]["pitch_m"])),
        "pixel size": pixel_text(s),
        "residual": f"{residual} rms per axis (1 px = {micron:.4g} µm)",
        "held out": f"{held} rms per axis",
        "field error": f"{field} rms per axis, expected among the holes",
        "coverage": f"{100 * s['coverage']:.1f} %",
    }
    if s["verdict"]["reasons"]:
        rows["reasons"] = "; ".join(s["verdict"]["reasons"])
    cells = "".join(
        f'<tr><td style="text-align:left;opacity:.7">{name}</td>'
        f'<td style="text-align:left">{html.escape(value)}</td></tr>'
        for name, value in rows.items()
    )

    def overview(ax: object) -> None:
        plots.image(calibration.images[0], ax=ax)
        grid(calibration.points[0], ax=ax, every=int(np.ptp(calibration.points[0].ij, axis=0).max()) // 40 + 1)

    drawn: list[Callable[..., Any]] = [overview] if calibration.images else []
    drawn.append(partial(displacement_with_arrows, calibration.distortion))
    images = "".join(
        f'<img style="display:inline-block" src="{as_data_uri(Picture("", "", "", draw, (4.4, 3.6)), dpi=80)}">'
        for draw in drawn
    )
    level = s["verdict"]["level"]
    return (
        f'<div><p><b style="color:{_COLOURS[level]}">{level}</b> grid calibration, {html.escape(s["recipe"])}</p>'
        f"<table>{cells}</table><div>{images}</div></div>"
    )
