"""The checks that make the verdict on a calibration."""

from __future__ import annotations

import numpy as np

from ._typing import Floats
from .fit import DistortionFit
from .points import ControlPoints
from .spots import Spots
from .verdict import Check, Verdict, check_above, check_below

__all__ = ["assess"]


def assess(fit: DistortionFit, spots: tuple[Spots, ...], *, pitch_given: int = 1, pixel_given: bool = False) -> Verdict:
    """Judge a fit.

    Parameters
    ----------
    fit : of all exposures
    spots : of each exposure
    pitch_given : how many pitches the user named
    pixel_given : whether the user named a pixel size
    """
    checks = [
        *_amount(fit, spots),
        *_lattice(fit),
        *_accuracy(fit),
        *_geometry(fit, pitch_given, pixel_given),
        *_coverage(fit),
    ]
    return Verdict.of(tuple(checks))


def _amount(fit: DistortionFit, spots: tuple[Spots, ...]) -> list[Check]:
    out = []
    fewest = min(len(p) for p in fit.points)
    out.append(
        check_below("control points", fewest, f"only {fewest} control points", doubtful=25, failed=9),
    )
    share = sum(len(p) for p in fit.points) / max(sum(len(s) for s in spots), 1)
    out.append(
        check_below(
            "share of spots with a node",
            share,
            f"only {100 * share:.0f} % of the spots lie on the lattice",
            doubtful=0.85,
            failed=0.5,
        )
    )
    used = float(np.mean(np.concatenate(fit.used)))
    out.append(
        check_below("share of points used", used, f"{100 * (1 - used):.0f} % outliers", doubtful=0.9, failed=0.6)
    )
    return out


def _fill(points: ControlPoints) -> float:
    """Share of nodes that hold a point, among those between points of the same row and column."""
    low = points.ij.min(axis=0)
    have = np.zeros(tuple(points.ij.max(axis=0) - low + 1), bool)
    have[tuple((points.ij - low).T)] = True

    def between(table: Floats, axis: int) -> Floats:
        ahead = np.maximum.accumulate(table, axis=axis)
        behind = np.flip(np.maximum.accumulate(np.flip(table, axis), axis=axis), axis)
        return ahead & behind

    inside = between(have, 0) & between(have, 1)
    return float(have[inside].mean()) if inside.any() else 0.0


def _lattice(fit: DistortionFit) -> list[Check]:
    fill = min(_fill(p) for p in fit.points)
    return [
        check_below(
            "filling of the lattice",
            fill,
            f"only {100 * fill:.0f} % of the nodes hold a spot",
            doubtful=0.7,
            failed=0.35,
        )
    ]


def _accuracy(fit: DistortionFit) -> list[Check]:
    pitch = min(min(p.pitch_px) for p in fit.points)
    sigma = float(np.sqrt(np.mean([np.median(p.sigma_yx**2) for p in fit.points])))
    held = fit.held_out_px
    out = [
        check_above(
            "held-out error, share of the pitch",
            held / pitch,
            f"points left out are predicted no better than {held:.2g} px",
            doubtful=0.03,
            failed=0.12,
        ),
        check_above(
            "scatter beyond the spots' own sigma, px",
            fit.plate_sigma_px,
            f"points scatter by {fit.plate_sigma_px:.2g} px more than the images of the holes explain "
            f"({sigma:.2g} px): errors of the plate, or jumps of the field",
            doubtful=max(0.02 * pitch, 5 * sigma, 0.5),
            failed=None,
        ),
    ]
    return out


def _geometry(fit: DistortionFit, pitch_given: int, pixel_given: bool) -> list[Check]:
    d = fit.distortion
    aspect = max(d.pixel_size) / min(d.pixel_size)
    out = []
    if not pixel_given:
        text = (
            f"pixels come out {aspect:.2f} times longer one way than the other: "
            "give both pitches of a rectangular plate (--pitch 3mm,2mm), or the right order"
        )
        out.append(check_above("aspect of the pixels", aspect, text, doubtful=1.1, failed=1.35))
    sign = d.jacobian_sign()
    valid = np.ones(d.shape, bool) if d.mask is None else ~d.mask
    folded = 0.0
    if (sign <= 0).any() and valid.any():
        here = np.repeat(np.repeat(sign <= 0, 8, axis=0), 8, axis=1)[: d.shape[0], : d.shape[1]]
        folded = float((here & valid[: here.shape[0], : here.shape[1]]).sum() / valid.sum())
    out.append(check_above("folded over", folded, "the field folds over", doubtful=0.0, failed=0.01))
    return out


def _coverage(fit: DistortionFit) -> list[Check]:
    d = fit.distortion
    known = 1.0 if d.mask is None else float(1 - d.mask.mean())
    text = f"only {100 * known:.1f} % of the detector is calibrated"
    return [check_below("coverage", known, text, doubtful=0.05, failed=0.002)]
