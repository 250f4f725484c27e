"""``pyFAI-gridcal convert``: from one kind of distortion file to another."""

from __future__ import annotations

import argparse
from typing import Any

from ..io.kinds.kinds import KINDS
from ._distortions import add_reading, given_reading, kinds_text, split_pair
from ._files import check_outputs, write_json
from ._parser import positive
from ._progress import ProgressLine

EPILOG = """kinds (the input's is told by its content, the output's by its suffix):
{kinds}

examples:
  pyFAI-gridcal convert camera.spline camera.h5
  pyFAI-gridcal convert detector.h5 detector.spline --tolerance 0.005
  pyFAI-gridcal convert detector.h5 e2dx.edf                (writes e2dx.edf and e2dy.edf for ImageD11)
  pyFAI-gridcal convert x_geo_corr.cbf detector.h5 --pixel 172um
  pyFAI-gridcal convert detector.h5 experiment.poni"""


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "convert",
        help="from one kind of distortion file to another",
        description="Read a distortion file of any kind, write it as another one, and say what was lost.",
        epilog=EPILOG.format(kinds=kinds_text()),
    )
    parser.add_argument("input", metavar="IN", help="file, one of a pair of maps, or both of them: X.edf,Y.edf")
    parser.add_argument("output", metavar="OUT", help="file to write; of a pair, the name of one of them")
    parser.add_argument("--to", metavar="KIND", choices=list(KINDS), help="kind of the output")
    parser.add_argument(
        "--tolerance",
        type=positive("tolerance"),
        default=0.01,
        metavar="PX",
        help="largest deviation wanted of a spline; it gets as few knots as reach it (default: %(default)s)",
    )
    parser.add_argument(
        "--force", action="store_true", help="write a spline also of a field that jumps, or that is less close"
    )
    parser.add_argument("--name", default="calibrated", help="of the detector, as pyFAI will show it")
    parser.add_argument("--json", metavar="FILE", help="what was done, for machines; - is standard output")
    add_reading(parser)
    return parser


def run(options: argparse.Namespace) -> int:
    from ..io.kinds.conversion import convert
    from ..io.kinds.options import Writing

    source = split_pair(options.input)
    check_outputs([options.json], [source] if isinstance(source, str) else source)
    with ProgressLine() as progress:
        writing = Writing(options.tolerance, options.force, options.name, progress=progress)
        done = convert(source, options.output, kind=options.to, reading=given_reading(options), writing=writing)
    if options.json:
        record = {
            "written": [str(p.absolute()) for p in done.written],
            "kind": done.kind,
            "largest_px": done.largest,
            "rms_px": done.rms,
            "remarks": list(done.remarks),
        }
        write_json(record, options.json)
    if options.json != "-":
        print(done.report())
    return 0
