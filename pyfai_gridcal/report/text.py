"""The report in words."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..base.units import format_length
from ..records.result import Result
from .data import summary

__all__ = ["pixel_text", "rounded", "text_report"]


def rounded(value: float) -> str:
    """A positive figure as an uncertainty is written: two digits when small, three when not."""
    return f"{value:.2g}" if value < 0.1 else f"{value:.3g}"


def pixel_text(s: dict[str, Any]) -> str:
    """Pixel size of a summary, with its uncertainty."""
    names = ("slow", "fast")
    parts = []
    for name, size, sigma in zip(names, s["pixel_size_m"], s["pixel_size_sigma_m"], strict=True):
        parts.append(f"{format_length(size, sigma or None, digits=6)} ({name})")
    return " x ".join(parts) + (", nominal" if not any(s["pixel_size_sigma_m"]) else "")


def text_report(calibration: Result) -> str:
    """The report that the command line prints."""
    s = summary(calibration)
    micron = 1e6 * float(np.mean(s["pixel_size_m"]))
    lines = [*_exposures(s)]
    pitch = " x ".join(format_length(p) for p in dict.fromkeys(s["plate"]["pitch_m"]))
    lines += [
        f"plate        {pitch}, {s['plate']['angle_deg']:g}°",
        f"pixel size   {pixel_text(s)}",
        f"model        {s['recipe']}",
        f"residual     {_both(s['residual_px'], micron)}",
        f"held out     {_both(s['held_out_px'], micron)}",
    ]
    if s["expected_error_px"] is not None:
        lines.append(f"field error  {_both(s['expected_error_px'], micron)}, expected among the holes")
    if s["field_sigma_px"]:
        sigma = float(np.hypot(*s["field_sigma_px"]) / np.sqrt(2))
        lines.append(f"uncertainty  {rounded(sigma)} px rms per axis over all calibrated pixels")
    d = s["displacement_px"]
    if d["dy"]:
        lines.append(
            f"displacement dy {d['dy'][0]:+.2f} … {d['dy'][1]:+.2f} px, dx {d['dx'][0]:+.2f} … {d['dx'][1]:+.2f} px"
        )
    lines.append(f"coverage     {100 * s['coverage']:.1f} % of the detector")
    lines += [f"note         {note}" for note in s["notes"]]
    lines.append(f"verdict      {s['verdict']['level'].upper()}")
    lines += [f"             {reason}" for reason in s["verdict"]["reasons"]]
    return "\n".join(lines) + "\n"


def _both(px: float | None, micron: float) -> str:
    if px is None:
        return "not known"
    return f"{rounded(px)} px = {rounded(px * micron)} µm rms per axis"


def _exposures(s: dict[str, Any]) -> list[str]:
    lines = []
    for k, e in enumerate(s["exposures"]):
        head = f"exposure {k + 1}: " if len(s["exposures"]) > 1 else ""
        hole = "" if e["hole_px"] is None else f" of {e['hole_px']:.1f} px"
        lines.append(
            f"{head}{e['spots']} {e['polarity']} spots{hole}, {e['control_points']} with a node, "
            f"{e['outliers']} of them left out; pitch {e['pitch_px'][0]:.2f} x {e['pitch_px'][1]:.2f} px, "
            f"turned by {e['angle_deg']:.2f}°"
        )
        if e["spot_sigma_px"] is not None:
            lines.append(f"{' ' * len(head)}spot positions known to {rounded(e['spot_sigma_px'])} px (median)")
    return lines
