"""``pyFAI-gridcal validate``: correct the grid image and measure what distortion is left."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from ._files import check_outputs, write_json
from ._options import POLARITIES, add_image_options
from ._parser import lengths, positive
from ._progress import ProgressLine
from ._session import tell

EPILOG = """The image is corrected by pyFAI, its spots are found and indexed anew, and the plate is laid on them by a
turn and a shift. Only the distortion is taken from the detector file, so that what is left is the error of everything
together.

  pyFAI-gridcal validate detector.h5 grid.edf --pitch 5mm -o corrected.edf"""


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "validate",
        help="correct the grid image and measure what distortion is left",
        description="Closed loop: correct an image of the grid with a detector file, and look how straight it is.",
        epilog=EPILOG,
    )
    parser.add_argument("detector", metavar="DETECTOR.h5", help="detector file, of this program or another's")
    parser.add_argument("image", nargs="+", metavar="IMAGE", help="image of the grid; several are reduced to one")
    parser.add_argument(
        "-p",
        "--pitch",
        type=lengths("pitch"),
        metavar="LENGTH",
        help="distance of neighbouring holes, with its unit; needed when the detector file knows of no plate",
    )
    parser.add_argument(
        "--angle",
        type=positive("angle"),
        metavar="DEGREES",
        help="angle between the axes of the grid (default: that of the detector file, else 90)",
    )
    parser.add_argument("--polarity", choices=POLARITIES, default="auto", help="bright or dark holes")
    parser.add_argument(
        "--tolerance",
        type=positive("tolerance"),
        default=0.01,
        metavar="PITCH",
        help="mean misplacement, in pitch, above which the exit status is 1 (default: %(default)s)",
    )
    out = parser.add_argument_group("results")
    out.add_argument("-o", "--output", metavar="FILE", help="corrected image, .edf, .tif or .h5")
    out.add_argument("--json", metavar="FILE", help="figures for machines; - is standard output")
    add_image_options(parser)
    return parser


def run(options: argparse.Namespace) -> int:
    check_outputs([options.output, options.json], [options.detector, *options.image])
    with ProgressLine() as progress:
        validation = _validate(options, progress)
    good = validation.mean_misplacement <= options.tolerance
    if options.output:
        from ..correction.table import save_image

        save_image(options.output, validation.corrected.data, validation.corrected.header())
    if options.json:
        write_json({**validation.summary(), "good": good}, options.json)
    if options.json != "-":
        print(validation.report())
        if options.output:
            print(f"written: {options.output}")
    if not good:
        sys.stdout.flush()
        tell(
            f"error: the corrected grid is not straight: mean misplacement {validation.mean_misplacement:.4f} pitch; "
            f"expected at most {options.tolerance:g}"
        )
    return 0 if good else 1


def _validate(options: argparse.Namespace, progress: ProgressLine) -> Any:
    from ..io.images.images import load_image
    from ..judging.validation import read_to_validate, validate

    known, plate = read_to_validate(options.detector, pitch=options.pitch, angle=options.angle)
    corrections = {"dark": options.dark, "flat": options.flat, "mask": options.mask}
    image = load_image(
        options.image,
        combine=options.combine or "median",
        progress=progress,
        **{name: value for name, value in corrections.items() if value},
    )
    return validate(
        known,
        image.data,
        plate=plate,
        mask=image.mask,
        polarity=None if options.polarity == "auto" else options.polarity,
        progress=progress,
    )
