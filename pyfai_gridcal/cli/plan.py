"""``pyFAI-gridcal plan``: predict the uncertainty for a plate and an exposure."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..base.atomic import save_figure
from ..base.errors import UsageError
from ..base.units import format_length
from ..records.budget import PlateBudget
from ..records.options import documented, like, option, told
from ..records.settings import STANDING, Settings
from ._files import check_outputs, tell_both
from ._options import add_fields, job_of
from ._progress import ProgressLine

if TYPE_CHECKING:
    from ..judging.planning import Plan

DESCRIPTION = "Predict how well a calibration would know the detector, before a plate is bought or an image is taken."
EPILOG = """examples:
  pyFAI-gridcal plan --pitch 1mm --hole 0.3mm --shape 2048,2048 --pixel 50um
  pyFAI-gridcal plan --pitch 1mm --hole 0.3mm --shape 2048 --pixel 50um --plate-error 5um --exposures 1,2,3,5,10"""


_LIGHT, _OTHER, _RESULTS = "exposure", "plate and detector", "results"


@documented
@dataclass(frozen=True, kw_only=True)
class Predict:
    """What is to be predicted; lengths in metres.

    {attributes}
    """

    pitch: tuple[float, float] = field(
        metadata=option(
            "distance of neighbouring holes, with its unit (1mm); two for a rectangular grid",
            "lengths",
            names=("-p", "--pitch"),
        )
    )
    hole: float | None = told(None, "diameter of the holes, with its unit", "length")
    shape: tuple[int, int] = field(
        metadata=option("pixels of the detector; one number for a square", "shape", metavar="SLOW,FAST")
    )
    pixel: tuple[float, float] = field(
        metadata=option("pixel size, with its unit (50um)", "lengths", what="pixel size")
    )
    angle: float = told(90.0, "between the axes of the lattice (default: {default})", "positive", unit="degrees")
    peak: float = told(5000.0, "counts that a hole adds (default: {default})", "positive", group=_LIGHT)
    background: float = told(500.0, "counts between the holes (default: {default})", "positive", group=_LIGHT)
    readout: float = told(5.0, "noise of the camera, counts rms (default: {default})", "positive", group=_LIGHT)
    gain: float = told(1.0, "variance per count (default: {default})", "positive", group=_LIGHT)
    blur: float = told(1.0, "of the camera, sigma (default: {default})", "positive", unit="px", group=_LIGHT)
    sigma: float | None = told(
        None,
        "uncertainty of a spot, in place of the one that follows from the light",
        "positive",
        unit="px",
        group=_LIGHT,
    )
    exposures: tuple[int, ...] = told(
        (1,),
        "placements of the plate (default: 1); several, 1,2,3,5, make a table",
        "counts",
        metavar="N",
        group=_LIGHT,
    )
    plate_error: float | None = told(
        None, "of the holes' places, rms (default: 0)", "length", what="plate error", group=_OTHER
    )
    amplitude: float = told(10.0, "of the distortion, rms (default: {default})", "positive", unit="px", group=_OTHER)
    length: float | None = told(
        None,
        "over which the distortion changes (default: a third of the detector)",
        "positive",
        unit="px",
        group=_OTHER,
    )
    tilt: float | None = like(Settings, "tilt", group=_OTHER)
    source: float | str | None = like(Settings, "source", group=_OTHER)
    pitch_tolerance: float | None = like(Settings, "pitch_tolerance", group=_OTHER)
    expansion: float | None = like(Settings, "expansion", group=_OTHER)
    temperature: tuple[float, float] | None = like(Settings, "temperature", group=_OTHER)
    json: str | None = told(None, "the same for machines; - is standard output", "file", group=_RESULTS)
    picture: str | None = told(None, "map of the uncertainty", "file", group=_RESULTS)


def add_options(parser: argparse.ArgumentParser) -> None:
    add_fields(parser, Predict)


def run(options: argparse.Namespace) -> int:
    from ..judging.planning import Illumination, plan
    from ..records.plate import Plate

    job = job_of(Predict, options)
    if job.hole is None and job.sigma is None:
        raise UsageError("neither --hole nor --sigma", expected="the diameter of the holes, or the sigma of a spot")
    standing = {name: getattr(job, name) for name in STANDING if hasattr(job, name)}
    budget = PlateBudget.of(Settings(job.pitch, hole=job.hole, **standing))
    check_outputs([job.json, job.picture], [])
    plate = Plate(job.pitch, job.angle, hole_m=job.hole)
    light = Illumination(job.peak, job.background, job.readout, job.gain, job.blur)
    plans = []
    with ProgressLine() as progress:
        for k, count in enumerate(job.exposures):
            progress(k / len(job.exposures), f"predicting {count} exposure(s)")
            one = plan(
                plate,
                job.shape,
                pixel_size=job.pixel,
                light=light,
                sigma_px=job.sigma,
                plate_error_m=job.plate_error or 0.0,
                exposures=count,
                amplitude_px=job.amplitude,
                length_px=job.length,
                budget=budget,
            )
            plans.append(one)
    records = [_record(count, one) for count, one in zip(job.exposures, plans, strict=True)]
    tell_both({"plans": records}, job.json, "\n".join(_lines(job, plans, budget)))
    if job.picture:
        _draw(plans[-1], job, job.picture)
        if job.json != "-":
            print(f"written: {job.picture}")
    return 0


def _record(exposures: int, one: Plan) -> dict[str, Any]:
    return {
        "exposures": exposures,
        "spots": one.spots,
        "hole_px": one.hole_px,
        "spot_sigma_px": one.spot_sigma_px,
        "rms_px": one.rms_px,
        "worst_px": one.worst_px,
        "plate_px": one.plate_px,
        "with_plate_px": one.with_plate_px,
        "coverage": one.coverage(),
    }


def _lines(job: Predict, plans: list[Plan], budget: PlateBudget) -> Iterator[str]:
    first = plans[0]
    hole = f", holes of {first.hole_px:.1f} px" if first.hole_px else ""
    yield f"{first.spots} holes in view{hole}; a spot is known to {first.spot_sigma_px:.4f} px per axis at best"
    yield f"{'exposures':>10} {'rms px':>9} {'worst px':>9} {'rms':>12}   known to 0.1 px"
    micron = (job.pixel[0] * job.pixel[1]) ** 0.5
    for count, one in zip(job.exposures, plans, strict=True):
        rms = format_length(one.rms_px * micron, digits=3)
        share = 100 * one.coverage()
        yield f"{count:10d} {one.rms_px:9.4f} {one.worst_px:9.4f} {rms:>12}   {share:.1f} % of the detector"
    if budget.told:
        yield f"with the plate {plans[-1].with_plate_px:.4f} px rms: {', '.join(budget.words)}"
    if budget.assumed:
        yield f"assumed: the plate {', '.join(budget.assumed)}"


def _draw(one: Plan, job: Predict, path: str) -> None:
    import numpy as np
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.0, 5.0), layout="constrained")
    ax = figure.subplots()
    shown = np.sqrt((one.sigma.values**2).mean(axis=2))
    top = float(np.percentile(shown[one.inside], 99)) if one.inside.any() else None
    drawn = ax.pcolormesh(one.sigma.x, one.sigma.y, shown, cmap="magma", vmin=0, vmax=top, shading="nearest")
    figure.colorbar(drawn, ax=ax, label="sigma per axis, px")
    ax.set(aspect="equal", xlabel="fast (x), px", ylabel="slow (y), px")
    ax.set_title(f"predicted, {job.exposures[-1]} exposure(s)", loc="left", fontsize="medium")
    save_figure(figure, path)
