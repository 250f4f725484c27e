"""What a calibration found, as plain data for a machine."""

from __future__ import annotations

import json
from dataclasses import asdict, fields, is_dataclass
from importlib.resources import files
from math import hypot
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.arrays import Bools
from ..base.atomic import check_suffix
from ..base.errors import GridcalError
from ..base.plain import fields_of, plain
from ..base.robust import rms
from ..judging.measures import quality, worst_spots
from ..records.budget import PlateBudget, plate_figures
from ..records.result import Result
from ..records.spots import SpotFlag

if TYPE_CHECKING:
    from ..judging.validation import Validation


#: Name and version of what :func:`summary` and :func:`report_data` return. A key never changes its meaning within a
#: version; new keys may appear.
SCHEMA = "pyfai_gridcal/summary/1"
#: Plain numbers, strings, lists and dicts; the form of each is stated in the schema.
Data = dict[str, Any]


def report_name(path: str | PathLike[str]) -> Path:
    """The path of a file that may get a report.

    Raises
    ------
    UsageError
        Its name says that it is something else.
    """
    return check_suffix(path, (".htm", ".html", ".json", ".toml", ".csv"), "a report is an HTML page, or plain data")


def schema() -> Data:
    """The JSON schema (draft 2020-12) of :func:`summary` and :func:`report_data`."""
    text = files(__package__).joinpath("schema.json").read_text(encoding="utf-8")
    return dict(json.loads(text))


def _plain(value: object) -> Any:
    """In numbers, text, lists and dicts; of records only their names, and None for what is not finite."""
    return plain(value, finite=True, record=lambda one: type(one).__name__)


def refusal(error: GridcalError) -> Data:
    """What can be said when there is no calibration to summarise: the verdict, and the kind of the error."""
    verdict = {"level": "failed", "reasons": [str(error)], "checks": []}
    return {"verdict": verdict, "error": type(error).__name__, "notes": [*getattr(error, "__notes__", ())]}


def report_data(calibration: Result, *, validation: Validation | None = None) -> Data:
    """All that the page of :func:`~pyfai_gridcal.report.write_report` shows, as plain data: see :func:`schema`."""
    out = summary(calibration)
    out["quality"] = _plain(quality(calibration.fit))
    out["validation"] = None if validation is None else _plain(validation.summary())
    return out


def summary(calibration: Result) -> Data:
    """The figures as plain numbers, strings, lists and dicts; lengths in metres, positions in px.

    The keys are stable: see ``SCHEMA`` and :func:`schema`.
    """
    fit, d = calibration.fit, calibration.distortion
    verdict = calibration.verdict
    budget = PlateBudget.of(calibration.settings)
    valid = np.ones(d.shape, bool) if d.mask is None else ~d.mask
    out = {
        "schema": SCHEMA,
        "verdict": {"level": verdict.level, "reasons": verdict.reasons, "checks": [asdict(c) for c in verdict.checks]},
        "settings": {f.name: getattr(calibration.settings, f.name) for f in fields(calibration.settings)},
        "shape": d.shape,
        "pixel_size_m": d.pixel_size,
        # of a size that was found, not of one that was given; and of the plate, which it was found by
        "pixel_size_sigma_m": [
            s and hypot(s, budget.scale * p) for s, p in zip(fit.pixel_sigma_m, d.pixel_size, strict=True)
        ],
        "sensor": None if d.traits.sensor is None else fields_of(d.traits.sensor),
        "carried": d.traits.words(),
        "gauge": d.gauge,
        "coverage": float(valid.mean()),
        "recipe": fit.recipe,
        "residual_px": fit.residual_px,
        "plain_residual_px": fit.plain_residual_px,
        "held_out_px": fit.held_out_px,
        "expected_error_px": fit.expected_error_px,
        "plate_sigma_px": fit.plate_sigma_px,
        "plate_budget": plate_figures(fit, budget),
        "field_sigma_px": _typical_sigma(calibration, valid),
        "displacement_px": dict(zip(("dy", "dx"), d.extent or (None, None), strict=True)),
        "largest_displacement_px": d.largest_px,
        "plate": {
            "pitch_m": calibration.plate.pitch_m,
            "angle_deg": calibration.plate.angle_deg,
            "known_hole_errors": 0 if calibration.plate.error_ij is None else len(calibration.plate.error_ij),
        },
        "trials": [asdict(t) for t in fit.trials],
        "exposures": [_exposure(calibration, k) for k in range(len(fit.points))],
        "worst_spots": [asdict(one) for one in worst_spots(fit, calibration.spots)],
        "inputs": [asdict(s) if is_dataclass(s) and not isinstance(s, type) else str(s) for s in calibration.sources],
        "notes": [*calibration.notes, *fit.notes],
    }
    return dict(_plain(out))


def _typical_sigma(calibration: Result, valid: Bools) -> list[float] | None:
    """Rms uncertainty of (dy, dx) over the valid pixels, px."""
    sigma = calibration.distortion.sigma_maps(step=8)
    if sigma is None or not valid[::8, ::8].any():
        return None
    return [rms(s[valid[::8, ::8]]) for s in sigma]


def _exposure(calibration: Result, k: int) -> Data:
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
