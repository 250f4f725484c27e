"""``pyFAI-gridcal report``: the report of a result, written again."""

from __future__ import annotations

import argparse
from dataclasses import fields
from pathlib import Path

from ..base.errors import FileFormatError, GridcalError
from ..records.jobs import Validate
from ._files import check_geometry, check_outputs
from ._options import add_fields
from ._progress import ProgressLine
from ._session import tell

DESCRIPTION = "Write the report of a calibration from its result file, as one HTML page or as JSON."
EPILOG = """The result file holds images, spots, control points and the fit. Only the corrected image is computed again.

  pyFAI-gridcal report detector.h5
  pyFAI-gridcal report detector.h5 -o figures.json --no-loop
  pyFAI-gridcal report detector.h5 --rings CeO2.tif --poni CeO2.poni    (does it help these powder rings?)"""


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("result", metavar="RESULT.h5", help="file written by pyFAI-gridcal calibrate")
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="page (.html), plain data (.json), the settings only (.toml) or the errors of the holes of the "
        "plate, for --plate (.csv); default: .html beside the result",
    )
    parser.add_argument(
        "--no-loop",
        action="store_true",
        help="do not correct the image and measure it again, which takes the most time",
    )
    add_fields(parser, Validate, leave={f.name for f in fields(Validate)} - {"rings", "poni", "calibrant"})


def run(options: argparse.Namespace) -> int:
    from ..calibration import Calibration
    from ..io.nexus.result import load_result
    from ..report import report_name, write_report

    output = report_name(options.output or Path(options.result).with_suffix(".html"))
    check_geometry(options.rings, options.poni)
    check_outputs([output], [one for one in (options.result, options.rings, options.poni) if one])
    calibration = load_result(options.result)
    if not isinstance(calibration, Calibration):
        raise FileFormatError(
            f"{options.result} holds a {type(calibration).__name__} only", expected="the result of a calibration"
        )
    validation = None
    if not options.no_loop and calibration.images and output.suffix.lower() not in (".toml", ".csv"):
        from ..judging.validation import validate

        with ProgressLine() as progress:
            try:
                validation = validate(calibration, progress=progress)
            except GridcalError as error:
                tell(f"the corrected image could not be measured: {error}")
    further = None
    if options.rings:
        from ..rings.drawing import judge_files, ring_part

        named = {name: getattr(options, name) for name in ("rings", "poni", "calibrant")}
        job = Validate(detector_file=options.result, **named)
        with ProgressLine() as progress:
            further = ring_part(judge_files(job, progress=progress))
    write_report(calibration, output, validation=validation, detector=options.result, further=further)
    print(f"written: {output}")
    return 0
