"""What a calibration found, in words for a person and as plain data for a machine."""

from __future__ import annotations

import html
from dataclasses import asdict, fields
from typing import Any

import numpy as np

from .calibration import Calibration
from .quantity import format_length
from .spots import SpotFlag

__all__ = ["SCHEMA", "html_card", "summary", "text_report"]

#: Name and version of what :func:`summary` returns.
SCHEMA = "pyfai_gridcal/summary/1"


def _plain(value: Any) -> Any:
    """JSON-able copy."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float) and not np.isfinite(value):
        return None
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return str(value)


def summary(calibration: Calibration) -> dict[str, Any]:
    """All figures as plain numbers, strings, lists and dicts; lengths in metres, positions in px.

    The keys are stable: see :data:`SCHEMA`.
    """
    fit, d = calibration.fit, calibration.distortion
    valid = np.ones(d.shape, bool) if d.mask is None else ~d.mask
    sigma = d.sigma_maps(step=8)
    typical = None
    if sigma is not None and valid[::8, ::8].any():
        typical = [float(np.sqrt(np.mean(s[valid[::8, ::8]] ** 2))) for s in sigma]
    dy, dx = (m[valid] for m in d.displacement_maps())
    verdict = calibration.verdict
    out = {
        "schema": SCHEMA,
        "verdict": {"level": verdict.level, "reasons": verdict.reasons, "checks": [asdict(c) for c in verdict.checks]},
        "settings": {f.name: getattr(calibration.settings, f.name) for f in fields(calibration.settings)},
        "shape": d.shape,
        "pixel_size_m": d.pixel_size,
        "pixel_size_sigma_m": fit.pixel_sigma_m,
        "gauge": d.gauge,
        "coverage": float(valid.mean()),
        "recipe": fit.recipe,
        "residual_px": fit.residual_px,
        "held_out_px": fit.held_out_px,
        "plate_sigma_px": fit.plate_sigma_px,
        "field_sigma_px": typical,
        "displacement_px": {
            "dy": [float(dy.min()), float(dy.max())] if dy.size else None,
            "dx": [float(dx.min()), float(dx.max())] if dx.size else None,
        },
        "plate": {
            "pitch_m": calibration.plate.pitch_m,
            "angle_deg": calibration.plate.angle_deg,
            "known_hole_errors": 0 if calibration.plate.error_ij is None else len(calibration.plate.error_ij),
        },
        "trials": [asdict(t) for t in fit.trials],
        "exposures": [_exposure(calibration, k) for k in range(len(fit.points))],
        "inputs": [asdict(s) if hasattr(s, "__dataclass_fields__") else str(s) for s in calibration.sources],
        "notes": [*calibration.notes, *fit.notes],
    }
    plain: dict[str, Any] = _plain(out)
    return plain


def _exposure(calibration: Calibration, k: int) -> dict[str, Any]:
    spots, points, fit = calibration.spots[k], calibration.points[k], calibration.fit
    return {
        "polarity": spots.polarity,
        "hole_px": spots.hole_px,
        "spots": len(spots),
        "control_points": len(points),
        "outliers": int((~fit.used[k]).sum()),
        "cut_by_border": int(((spots.flags & SpotFlag.BORDER) > 0).sum()),
        "found_at_second_look": int(((spots.flags & SpotFlag.PREDICTED) > 0).sum()),
        "spot_sigma_px": float(np.median(points.sigma_yx)),
        "pitch_px": points.pitch_px,
        "lattice_angle_deg": points.angle_deg,
        "angle_deg": float(np.rad2deg(fit.poses[k].angle_rad)),
        "noise": None if spots.noise is None else asdict(spots.noise),
    }


def _error(value: float) -> str:
    return f"{value:.2g}" if value < 0.1 else f"{value:.3g}"


def _pixel_text(s: dict[str, Any]) -> str:
    names = ("slow", "fast")
    parts = []
    for name, size, sigma in zip(names, s["pixel_size_m"], s["pixel_size_sigma_m"], strict=True):
        error = f" ± {1e6 * sigma:.2g}" if sigma else ""
        parts.append(f"{1e6 * size:.4f}{error} µm ({name})")
    return " x ".join(parts) + (", nominal" if not any(s["pixel_size_sigma_m"]) else "")


def text_report(calibration: Calibration) -> str:
    """The report that the command line prints."""
    s = summary(calibration)
    micron = 1e6 * float(np.mean(s["pixel_size_m"]))
    lines = []
    for k, e in enumerate(s["exposures"]):
        head = f"exposure {k + 1}: " if len(s["exposures"]) > 1 else ""
        lines.append(
            f"{head}{e['spots']} {e['polarity']} spots of {e['hole_px']:.1f} px, {e['control_points']} with a node, "
            f"{e['outliers']} outliers; pitch {e['pitch_px'][0]:.2f} x {e['pitch_px'][1]:.2f} px, "
            f"turned by {e['angle_deg']:.2f}°"
        )
        lines.append(f"{' ' * len(head)}spot positions known to {_error(e['spot_sigma_px'])} px (median)")
    pitch = " x ".join(format_length(p) for p in dict.fromkeys(s["plate"]["pitch_m"]))
    lines += [
        f"plate        {pitch}, {s['plate']['angle_deg']:g}°",
        f"pixel size   {_pixel_text(s)}",
        f"model        {s['recipe']}",
        f"residual     {_error(s['residual_px'])} px = {_error(s['residual_px'] * micron)} µm rms per axis",
        f"held out     {_error(s['held_out_px'])} px = {_error(s['held_out_px'] * micron)} µm rms per axis",
    ]
    if s["field_sigma_px"]:
        sigma = float(np.hypot(*s["field_sigma_px"]) / np.sqrt(2))
        lines.append(f"uncertainty  {_error(sigma)} px rms per axis over the calibrated pixels")
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


def html_card(calibration: Calibration) -> str:
    """The report as a small piece of HTML, for notebooks."""
    return f"<pre>{html.escape(text_report(calibration))}</pre>"
