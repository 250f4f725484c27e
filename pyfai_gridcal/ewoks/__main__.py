"""``python -m pyfai_gridcal.ewoks``: write a workflow as JSON, for ``ewoks execute``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..base.errors import GridcalError
from .graphs import WORKFLOWS, correction_graph, fleet_graph, workflow

EPILOG = """examples:
  python -m pyfai_gridcal.ewoks nightly_check > nightly_check.json
  python -m pyfai_gridcal.ewoks --parts 64 detector.h5 scan.h5::/entry/data corrected.h5 > correct.json
  python -m pyfai_gridcal.ewoks --fleet cameras.json results/ > fleet.json"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run it with the arguments `argv`, and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m pyfai_gridcal.ewoks",
        description="Write a workflow as JSON to standard output. Names of those that are ready:\n"
        + "\n".join(f"  {name:20} {text}" for name, text in WORKFLOWS.items()),
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("words", nargs="*", metavar="NAME|FILE", help="name of a workflow, or the files of the work")
    parser.add_argument("--parts", type=int, metavar="N", help="DETECTOR IMAGE... OUTPUT: correction in N parts")
    parser.add_argument("--fleet", metavar="CAMERAS.json", help="FOLDER: checks of all cameras of that file")
    options = parser.parse_args(argv)
    try:
        graph = _graph(options, parser)
    except (GridcalError, OSError, ValueError, TypeError) as error:
        sys.stderr.write(f"{parser.prog}: error: {error}\n")
        return 2
    json.dump(graph, sys.stdout, indent=2)
    sys.stdout.write("\n")
    return 0


def _graph(options: argparse.Namespace, parser: argparse.ArgumentParser) -> dict[str, Any]:
    if options.fleet:
        cameras = json.loads(Path(options.fleet).read_text(encoding="utf-8"))
        return fleet_graph(cameras, options.words[0] if options.words else ".")
    if options.parts is not None:
        if len(options.words) < 3:
            parser.error("--parts needs DETECTOR IMAGE... OUTPUT")
        detector, *images, output = options.words
        return correction_graph(detector, images, output, parts=options.parts)
    if len(options.words) != 1:
        parser.error("expected one name of a workflow")
    return workflow(options.words[0])


if __name__ == "__main__":
    sys.exit(main())
