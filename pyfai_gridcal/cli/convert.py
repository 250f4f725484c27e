"""``pyFAI-gridcal convert``: from one kind of distortion file to another."""

from __future__ import annotations

import argparse

from ..io.kinds.kinds import KINDS
from ..records.jobs import Convert
from ._distortions import READING, add_reading, kinds_text, split_pair
from ._files import check_outputs, tell_both
from ._options import add_fields, job_of
from ._progress import ProgressLine

DESCRIPTION = "Read a distortion file of any kind, write it as another one, and say what was lost."
EPILOG = f"""kinds (the input's is told by its content, the output's by its suffix):
{kinds_text()}

examples:
  pyFAI-gridcal convert camera.spline camera.h5
  pyFAI-gridcal convert detector.h5 detector.spline --tolerance 0.005
  pyFAI-gridcal convert detector.h5 e2dx.edf                (writes e2dx.edf and e2dy.edf for ImageD11)
  pyFAI-gridcal convert x_geo_corr.cbf detector.h5 --pixel 172um
  pyFAI-gridcal convert detector.h5 experiment.poni
  pyFAI-gridcal convert detector.h5 new.poni --like old.poni         (the experiment of old.poni with this detector)"""


def add_options(parser: argparse.ArgumentParser) -> None:
    add_fields(parser, Convert, leave=READING, choices={"kind": tuple(KINDS)})
    add_reading(parser)


def run(options: argparse.Namespace) -> int:
    from ..io.kinds.conversion import convert_files

    source = split_pair(options.detector_file)
    check_outputs([options.json_file], [source] if isinstance(source, str) else source)
    job = job_of(Convert, options, detector_file=[source] if isinstance(source, str) else source)
    with ProgressLine() as progress:
        done = convert_files(job, progress=progress)
    record = {
        "written": [str(p.absolute()) for p in done.written],
        "kind": done.kind,
        "largest_px": done.largest,
        "rms_px": done.rms,
        "remarks": list(done.remarks),
    }
    tell_both(record, job.json_file, done.report())
    return 0
