"""``pyFAI-gridcal validate``: correct the grid image and measure what distortion is left."""

from __future__ import annotations

import argparse
import sys

from ..base.errors import UsageError
from ..records.jobs import Validate
from ._files import check_geometry, check_images, check_outputs, tell_both
from ._options import add_fields, job_of
from ._progress import ProgressLine
from ._session import tell

DESCRIPTION = "Check a detector file: correct an image of the grid with it and measure the grid again."
EPILOG = """pyFAI corrects the image. The spots are found and indexed again, and the plate is placed on them with a
shift and a rotation. Only the distortion is taken from the detector file, so the result shows all errors together.

  pyFAI-gridcal validate detector.h5 grid.edf --pitch 5mm -o corrected.edf

With --rings, powder rings are looked at instead, without and with the calibration; pyFAI refines the geometry both
times.

  pyFAI-gridcal validate detector.h5 --rings CeO2.tif --poni geometry.poni --picture rings.png"""


def add_options(parser: argparse.ArgumentParser) -> None:
    add_fields(parser, Validate)


def run(options: argparse.Namespace) -> int:
    job = job_of(Validate, options)
    if job.rings is not None:
        return _rings(job)
    check_images(job.images or (), after="validate")
    check_outputs([job.output, job.json_file], [options.detector_file, *(job.images or ())])
    from ..judging.validation import validate_files

    with ProgressLine() as progress:
        validation = validate_files(job, progress=progress)
    good = validation.mean_misplacement <= job.tolerance
    if job.output:
        from ..correction.table import save_image

        save_image(job.output, validation.corrected.data, validation.corrected.header())
    written = f"\nwritten: {job.output}" if job.output else ""
    tell_both({**validation.summary(), "good": good}, job.json_file, validation.report() + written)
    if not good:
        sys.stdout.flush()
        tell(
            f"error: the corrected grid is not straight: mean misplacement {validation.mean_misplacement:.4f} pitch; "
            f"expected at most {job.tolerance:g}"
        )
    return 0 if good else 1


def _rings(job: Validate) -> int:
    """What powder rings say; exit status 1 where the calibration harms them."""
    from ..rings.drawing import judge_files

    if job.images or job.output:
        raise UsageError("--rings beside an image of the grid or --output", expected="one of them at a time")
    check_geometry(job.rings, job.poni)
    check_images([job.rings], after="validate --rings")
    inputs = [one for one in (str(job.detector_file), job.rings, job.poni) if one]
    check_outputs([job.picture, job.json_file], inputs)
    with ProgressLine() as progress:
        found = judge_files(job, progress=progress)
    written = f"\nwritten: {job.picture}" if job.picture else ""
    tell_both(found.summary(), job.json_file, found.report() + written)
    return 1 if found.verdict == "harms" else 0
