"""``pyFAI-gridcal plan``: predict the uncertainty for a plate and an exposure."""

from __future__ import annotations

import argparse
from typing import Any

from ..base.errors import UsageError
from ..base.units import format_length
from ._files import check_outputs, write_json
from ._parser import length, lengths, positive, shape
from ._progress import ProgressLine

EPILOG = """examples:
  pyFAI-gridcal plan --pitch 1mm --hole 0.3mm --shape 2048,2048 --pixel 50um
  pyFAI-gridcal plan --pitch 1mm --hole 0.3mm --shape 2048 --pixel 50um --plate-error 5um --exposures 1,2,3,5,10"""


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "plan",
        help="predict the uncertainty for a plate and an exposure",
        description="Predict how well a calibration would know the detector, before a plate is bought or an image is "
        "taken.",
        epilog=EPILOG,
    )
    parser.add_argument(
        "-p",
        "--pitch",
        required=True,
        type=lengths("pitch"),
        metavar="LENGTH",
        help="distance of neighbouring holes, with its unit (1mm); two for a rectangular grid",
    )
    parser.add_argument("--hole", type=length("hole"), metavar="LENGTH", help="diameter of the holes, with its unit")
    parser.add_argument(
        "--shape",
        required=True,
        type=shape("shape"),
        metavar="SLOW,FAST",
        help="pixels of the detector; one number for a square",
    )
    parser.add_argument(
        "--pixel", required=True, type=lengths("pixel size"), metavar="LENGTH", help="pixel size, with its unit (50um)"
    )
    parser.add_argument(
        "--angle",
        type=positive("angle"),
        default=90.0,
        metavar="DEGREES",
        help="between the axes of the lattice (default: %(default)g)",
    )
    light = parser.add_argument_group("exposure")
    light.add_argument(
        "--peak", type=positive("peak"), default=5000.0, help="counts that a hole adds (default: %(default)g)"
    )
    light.add_argument(
        "--background",
        type=positive("background"),
        default=500.0,
        help="counts between the holes (default: %(default)g)",
    )
    light.add_argument(
        "--readout",
        type=positive("readout"),
        default=5.0,
        help="noise of the camera, counts rms (default: %(default)g)",
    )
    light.add_argument("--gain", type=positive("gain"), default=1.0, help="variance per count (default: %(default)g)")
    light.add_argument(
        "--blur", type=positive("blur"), default=1.0, metavar="PX", help="of the camera, sigma (default: %(default)g)"
    )
    light.add_argument(
        "--sigma",
        type=positive("sigma"),
        metavar="PX",
        help="uncertainty of a spot, in place of the one that follows from the light",
    )
    light.add_argument(
        "--exposures",
        type=_counts,
        default=(1,),
        metavar="N",
        help="placements of the plate (default: 1); several, 1,2,3,5, make a table",
    )
    other = parser.add_argument_group("plate and detector")
    other.add_argument(
        "--plate-error", type=length("plate error"), metavar="LENGTH", help="of the holes' places, rms (default: 0)"
    )
    other.add_argument(
        "--amplitude",
        type=positive("amplitude"),
        default=10.0,
        metavar="PX",
        help="of the distortion, rms (default: %(default)g)",
    )
    other.add_argument(
        "--length",
        type=positive("length"),
        metavar="PX",
        help="over which the distortion changes (default: a third of the detector)",
    )
    out = parser.add_argument_group("results")
    out.add_argument("--json", metavar="FILE", help="the same for machines; - is standard output")
    out.add_argument("--picture", metavar="FILE", help="map of the uncertainty")
    return parser


def _counts(text: str) -> tuple[int, ...]:
    try:
        counts = tuple(int(part) for part in text.split(","))
    except ValueError:
        counts = ()
    if not counts or min(counts) < 1 or max(counts) > 100:
        raise argparse.ArgumentTypeError(f"exposures {text!r}; expected numbers from 1 to 100, such as 3 or 1,2,5")
    return counts


def run(options: argparse.Namespace) -> int:
    from ..judging.planning import Illumination, plan
    from ..records.plate import Plate

    if options.hole is None and options.sigma is None:
        raise UsageError("neither --hole nor --sigma", expected="the diameter of the holes, or the sigma of a spot")
    if options.hole is not None and options.hole >= min(options.pitch):
        hole, pitch = format_length(options.hole), format_length(options.pitch)
        raise UsageError(f"holes of {hole} at a pitch of {pitch}", expected="holes smaller than the pitch")
    check_outputs([options.json, options.picture], [])
    plate = Plate(options.pitch, options.angle, hole_m=options.hole)
    light = Illumination(options.peak, options.background, options.readout, options.gain, options.blur)
    plans = []
    with ProgressLine() as progress:
        for k, count in enumerate(options.exposures):
            progress(k / len(options.exposures), f"predicting {count} exposure(s)")
            one = plan(
                plate,
                options.shape,
                pixel_size=options.pixel,
                light=light,
                sigma_px=options.sigma,
                plate_error_m=options.plate_error or 0.0,
                exposures=count,
                amplitude_px=options.amplitude,
                length_px=options.length,
            )
            plans.append(one)
    if options.json:
        records = [_record(count, one) for count, one in zip(options.exposures, plans, strict=True)]
        write_json({"plans": records}, options.json)
    if options.json != "-":
        _print(options, plans)
    if options.picture:
        _draw(plans[-1], options)
        if options.json != "-":
            print(f"written: {options.picture}")
    return 0


def _record(exposures: int, one: Any) -> dict[str, Any]:
    return {
        "exposures": exposures,
        "spots": one.spots,
        "hole_px": one.hole_px,
        "spot_sigma_px": one.spot_sigma_px,
        "rms_px": one.rms_px,
        "worst_px": one.worst_px,
        "coverage": one.coverage(),
    }


def _print(options: argparse.Namespace, plans: list[Any]) -> None:
    first = plans[0]
    hole = f", holes of {first.hole_px:.1f} px" if first.hole_px else ""
    print(f"{first.spots} holes in view{hole}; a spot is known to {first.spot_sigma_px:.4f} px per axis at best")
    print(f"{'exposures':>10} {'rms px':>9} {'worst px':>9} {'rms':>12}   known to 0.1 px")
    micron = (options.pixel[0] * options.pixel[1]) ** 0.5
    for count, one in zip(options.exposures, plans, strict=True):
        rms = format_length(one.rms_px * micron, digits=3)
        share = 100 * one.coverage()
        print(f"{count:10d} {one.rms_px:9.4f} {one.worst_px:9.4f} {rms:>12}   {share:.1f} % of the detector")


def _draw(one: Any, options: argparse.Namespace) -> None:
    import numpy as np
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.0, 5.0), layout="constrained")
    ax = figure.subplots()
    shown = np.sqrt((one.sigma.values**2).mean(axis=2))
    top = float(np.percentile(shown[one.inside], 99)) if one.inside.any() else None
    drawn = ax.pcolormesh(one.sigma.x, one.sigma.y, shown, cmap="magma", vmin=0, vmax=top, shading="nearest")
    figure.colorbar(drawn, ax=ax, label="sigma per axis, px")
    ax.set(aspect="equal", xlabel="fast (x), px", ylabel="slow (y), px")
    ax.set_title(f"predicted, {options.exposures[-1]} exposure(s)", loc="left", fontsize="medium")
    try:
        figure.savefig(options.picture, dpi=120)
    except ValueError as error:
        raise UsageError(f"picture {options.picture}: {error}") from None
