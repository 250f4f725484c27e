"""``pyFAI-gridcal calibrate``: grid image(s) -> detector file."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from ..base.errors import CalibrationError, GridcalError, UsageError
from ..base.units import format_length
from ._files import check_outputs, write_json
from ._options import add_image_options, add_settings, given_settings
from ._parser import lengths
from ._progress import ProgressLine
from ._session import tell

EPILOG = """examples:
  pyFAI-gridcal calibrate grid.edf --pitch 5mm
  pyFAI-gridcal calibrate grid.h5::/entry/data --pitch 3mm,2mm -o detector.h5
  pyFAI-gridcal calibrate A.edf B.edf C.edf --pitch 2mm          (three exposures of one plate)
  pyFAI-gridcal calibrate run_*.cbf --combine median --pitch 2mm (many frames of one exposure)

exit status: 0 good or doubtful (said why), 1 not to be trusted: no detector is written unless --force, 2 wrong usage"""

#: What stands for other kinds of files: a detector under such a name would mislead the program that opens it.
OTHER_KINDS = (".spline", ".edf", ".cbf", ".tif", ".tiff", ".npy", ".npz", ".modules", ".poni", ".json", ".html")


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "calibrate",
        help="grid image(s) -> detector file",
        description="Find the distortion of a detector from the image of a grid of holes, and write a detector file.",
        epilog=EPILOG,
    )
    parser.add_argument(
        "image", nargs="+", metavar="IMAGE", help="file, or file.h5::/path; several are exposures of one plate"
    )
    parser.add_argument(
        "-p",
        "--pitch",
        required=True,
        type=lengths("pitch"),
        metavar="LENGTH",
        help="distance of neighbouring holes, with its unit (5mm, 500um); two values, 3mm,2mm, are along the axis of "
        "the grid nearest to slow (vertical), then along the other",
    )
    out = parser.add_argument_group("results")
    out.add_argument("-o", "--output", metavar="FILE", help="detector file, .h5 (default: beside the image)")
    out.add_argument("--json", metavar="FILE", help="summary with the verdict, for machines; - is standard output")
    out.add_argument("--report", metavar="FILE", help="report as one HTML page")
    out.add_argument("--corrected", metavar="FILE", help="corrected image, .edf, .tif or .h5")
    out.add_argument("--force", action="store_true", help="write the detector even when it is not to be trusted")
    add_image_options(parser)
    add_settings(parser)
    return parser


def run(options: argparse.Namespace) -> int:
    from ..io.nexus.contents import detector_beside

    output = Path(options.output) if options.output else detector_beside(options.image[0])
    check_outputs([output, options.json, options.report, options.corrected], options.image)
    if output.suffix.lower() in OTHER_KINDS:
        raise UsageError(
            f"output {output}: the result of a calibration is HDF5",
            expected="a name that ends in .h5",
            hint=f"pyFAI-gridcal convert makes {output.suffix} files of it",
        )
    try:
        with ProgressLine() as progress:
            calibration = _calibrate(options, progress)
    except CalibrationError as error:
        # No result at all: the summary still tells why, so that a machine need not read standard error.
        if options.json:
            write_json(_refusal(options, error), options.json)
        raise
    failed = calibration.verdict.level == "failed"
    written = not failed or options.force
    if written:
        with ProgressLine() as progress:
            calibration.save(output, progress=progress)
    _tell_result(options, calibration, output if written else None)
    _write_extras(options, calibration, written)
    if not failed:
        return 0
    reasons = "; ".join(calibration.verdict.reasons) or "the checks failed"
    kept = f"{output} was written all the same (--force)" if written else f"{output} was not written; --force does"
    sys.stdout.flush()
    tell(f"error: the result is not to be trusted: {reasons}; {kept}")
    return 1


def _tell_result(options: argparse.Namespace, calibration: Any, output: Path | None) -> None:
    """The summary, for machines and for people."""
    if options.json:
        summary = calibration.summary()
        write_json(summary if output is None else {**summary, "output": str(output.absolute())}, options.json)
    if options.json != "-":
        print(calibration.report().rstrip())
        if output is not None:
            print(f"written: {output}")


def _calibrate(options: argparse.Namespace, progress: ProgressLine) -> Any:
    from ..calibration import calibrate
    from ..io.images.images import load_image
    from ..records.settings import Settings

    given = given_settings(options)
    Settings(pitch=options.pitch, **given)  # what cannot be meant is told before anything is read
    if given.get("hole", 0) >= min(options.pitch):
        hole, pitch = format_length(given["hole"]), format_length(options.pitch)
        raise UsageError(f"holes of {hole} at a pitch of {pitch}", expected="holes smaller than the pitch")
    groups = [options.image] if options.combine else [[one] for one in options.image]
    corrections = {"dark": options.dark, "flat": options.flat, "mask": options.mask}
    corrections = {name: value for name, value in corrections.items() if value}
    images = [
        load_image(group, combine=options.combine or "median", progress=progress, **corrections) for group in groups
    ]
    return calibrate(images if len(images) > 1 else images[0], pitch=options.pitch, progress=progress, **given)


def _refusal(options: argparse.Namespace, error: GridcalError) -> dict[str, Any]:
    from ..report import refusal

    return {**refusal(error), "inputs": [{"url": one} for one in options.image]}


def _write_extras(options: argparse.Namespace, calibration: Any, written: bool) -> None:
    """The corrected image, and the report with what is left of the distortion in it."""
    if not options.report and not (options.corrected and written):
        return
    with ProgressLine() as progress:
        validation = _closed_loop(calibration, progress, needed=bool(options.corrected and written))
    if options.corrected and written:
        from ..correction.table import save_image

        save_image(options.corrected, validation.corrected.data, validation.corrected.header())
        if options.json != "-":
            print(validation.report())
            print(f"written: {options.corrected}")
    if options.report:
        from ..report import write_report

        write_report(calibration, options.report, validation=validation)
        if options.json != "-":
            print(f"written: {options.report}")


def _closed_loop(calibration: Any, progress: ProgressLine, *, needed: bool) -> Any:
    """The validation; None where the corrected image shows no grid and nobody asked for it."""
    from ..judging.validation import validate

    try:
        return validate(calibration, progress=progress)
    except GridcalError:
        if needed:
            raise
        return None
