"""``pyFAI-gridcal check``: load files with the programs that will use them and compare."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from ._distortions import add_reading, reading_of, split_pair
from ._files import check_outputs, tell_both

DESCRIPTION = (
    "Load distortion files with pyFAI, and with ImageD11 where it is installed, and say how far what "
    "they make of it is from what is meant, in px, with a diagnosis. Of several files, each is compared with the "
    "first."
)
EPILOG = """examples:
  pyFAI-gridcal check detector.h5
  pyFAI-gridcal check e2dx.edf --pixel 50um
  pyFAI-gridcal check old.h5 new.h5          (and the difference of the two, without the rigid motion)

exit status: 0 all is as it should be, 1 something is wrong, 2 wrong usage"""


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", nargs="+", metavar="FILE", help="file, one of a pair of maps, or both: X.edf,Y.edf")
    parser.add_argument("--json", metavar="FILE", help="the same for machines; - is standard output")
    add_reading(parser)


def run(options: argparse.Namespace) -> int:
    from ..judging.checking import check_file, difference

    check_outputs([options.json], options.file)
    reading = reading_of(options)
    checks = [check_file(split_pair(name), reading) for name in options.file]
    usable = [(c.path, c.source.distortion) for c in checks if c.source is not None]
    compared = [(usable[0][0], path, difference(usable[0][1], other)) for path, other in usable[1:]]
    good = all(c.good for c in checks)
    record = {
        "good": good,
        "files": [
            {
                "path": str(c.path),
                "kind": c.source.kind if c.source else None,
                "good": c.good,
                "holds": list(c.source.distortion.traits.words()) if c.source else [],
                "opinions": [asdict(o) for o in c.opinions],
                "findings": [asdict(f) for f in c.findings],
            }
            for c in checks
        ],
        "differences": [{"a": str(a), "b": str(b), **asdict(d)} for a, b, d in compared],
    }
    words = [*(c.report() for c in checks), *(f"{b} - {a}\n{d.report()}" for a, b, d in compared)]
    tell_both(record, options.json, "\n\n".join(words))
    return 0 if good else 1
