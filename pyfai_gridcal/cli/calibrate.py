"""``pyFAI-gridcal calibrate``: grid image(s) -> detector file."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..base.errors import CalibrationError, GridcalError, UsageError
from ..base.progress import part_of
from ..records.jobs import Calibrate, CalibrateRings, corrections_of
from ..records.options import options_of
from ..records.settings import Settings
from ._config import add_config, with_config
from ._files import check_images, check_inputs, check_outputs, tell_both, write_json
from ._options import add_fields, given_settings, job_of
from ._progress import ProgressLine
from ._session import tell

if TYPE_CHECKING:
    from ..calibration import Calibration
    from ..judging.validation import Validation

#: Part of the progress that is told of the reading.
_READ = 0.1

DESCRIPTION = "Find the distortion of a detector from the image of a grid of holes, and write a detector file."
EPILOG = """examples:
  pyFAI-gridcal calibrate grid.edf --pitch 5mm
  pyFAI-gridcal calibrate grid.h5::/entry/data --pitch 3mm,2mm -o detector.h5
  pyFAI-gridcal calibrate A.edf B.edf C.edf --pitch 2mm          (three exposures of one plate)
  pyFAI-gridcal calibrate grid.edf --pitch 2mm --sensor CdTe,1mm (for pyFAI's correction of parallax)
  pyFAI-gridcal calibrate run_*.cbf --combine median --pitch 2mm (many frames of one exposure)
  pyFAI-gridcal calibrate grid.edf --pitch 2mm --rings CeO2.npt:CeO2.poni (with powder rings)
  pyFAI-gridcal calibrate --rings A.npt:A.poni --rings B.npt:B.poni --detector Pilatus1M (by rings alone)

exit status: 0 good or doubtful (said why), 1 not to be trusted: no detector is written unless --force, 2 wrong usage"""


def add_options(parser: argparse.ArgumentParser) -> None:
    add_fields(parser, Settings, "pitch", only_given=True)
    add_config(parser)
    add_fields(parser, Calibrate, leave={f.name for f in fields(Settings)}, only_given=True)
    add_fields(parser, Settings, leave={"pitch"}, only_given=True)
    for action in parser._actions:
        action.required &= action.dest != "images"  # powder rings need none


def _rings_alone(options: argparse.Namespace) -> int:
    """A detector by powder rings, without a plate."""
    if not getattr(options, "rings", None):
        raise UsageError("neither images of a grid nor --rings", expected="IMAGE, or --rings FILE.npt:GEOMETRY.poni")
    given = (f.name for f in fields(Calibrate) if hasattr(options, f.name) and f.name != "images")
    if wrong := sorted(set(given) - set(options_of(CalibrateRings))):
        raise UsageError(f"--{wrong[0].replace('_', '-')} without an image of a grid", expected="rings alone")
    from ..io.nexus.contents import result_name
    from ..rings.doors import calibrate_ring_files
    from ..rings.record import poni_beside

    job = job_of(CalibrateRings, options)
    output = result_name(job.output or Path((job.rings or [""])[0].partition(".npt:")[0] + ".h5"))
    files = check_inputs([], job.rings or ())
    beside = [poni_beside(output, points.name) for points in files[::2]]
    check_outputs([output, job.json_file, *beside], map(str, files))
    with ProgressLine() as progress:
        found = calibrate_ring_files(job, progress=progress)
        found.save(output, name=job.name)
    record = {**found.summary(), "output": str(Path(output).absolute())}
    tell_both(record, job.json_file, f"{found.report()}\nwritten: {output}")
    return 0


def run(options: argparse.Namespace) -> int:
    options = with_config(options)
    if not getattr(options, "images", None):
        return _rings_alone(options)
    if not hasattr(options, "pitch"):
        raise UsageError("no pitch", expected="the distance of neighbouring holes, -p or --pitch, or --config FILE")
    from ..io.nexus.contents import detector_beside, result_name
    from ..report import report_name

    job = job_of(Calibrate, options)
    output = Path(job.output) if job.output else detector_beside(job.images[0])
    check_images(job.images)
    check_inputs([job.prior, job.plate], job.rings or ())
    check_outputs([output, job.json_file, job.report, job.corrected], job.images)
    result_name(output)
    report_name(job.report or "report.html")
    try:
        with ProgressLine() as progress:
            calibration = _calibrate(job, given_settings(options), progress)
    except CalibrationError as error:
        # No result at all: the summary still tells why, so that a machine need not read standard error.
        if job.json_file:
            write_json(_refusal(job, error), job.json_file)
        raise
    failed = calibration.verdict.level == "failed"
    written = not failed or job.force
    if written:
        with ProgressLine() as progress:
            calibration.save(output, name=job.name, progress=progress)
    _tell_result(job, calibration, output if written else None)
    _write_extras(job, calibration, output if written else None)
    if not failed:
        return 0
    # What the report above tells is not told again.
    told = "" if job.json_file != "-" else ": " + ("; ".join(calibration.verdict.reasons) or "the checks failed")
    kept = f"{output} was written all the same (--force)" if written else f"{output} was not written; --force does"
    sys.stdout.flush()
    tell(f"error: the result is not to be trusted{told}; {kept}")
    return 1


def _tell_result(job: Calibrate, calibration: Calibration, output: Path | None) -> None:
    """The summary, for machines and for people."""
    if job.json_file:
        summary = calibration.summary()
        write_json(summary if output is None else {**summary, "output": str(output.absolute())}, job.json_file)
    if job.json_file != "-":
        print(calibration.report().rstrip())
        if output is not None:
            print(f"written: {output}")


def _calibrate(job: Calibrate, settings: Mapping[str, Any], progress: ProgressLine) -> Calibration:
    from ..calibration import calibrate
    from ..io.images.images import load_image

    groups = [job.images] if job.combine else [[one] for one in job.images]
    steps = [part_of(progress, _READ * k / len(groups), _READ * (k + 1) / len(groups)) for k in range(len(groups))]
    images = [
        load_image(group, combine=job.combine or "median", progress=step, **corrections_of(job))
        for group, step in zip(groups, steps, strict=True)
    ]
    return calibrate(images if len(images) > 1 else images[0], progress=part_of(progress, _READ, 1.0), **settings)


def _refusal(job: Calibrate, error: GridcalError) -> dict[str, Any]:
    from ..report import refusal

    return {**refusal(error), "inputs": [{"url": one} for one in job.images]}


def _write_extras(job: Calibrate, calibration: Calibration, written: Path | None) -> None:
    """The corrected image, and the report with what is left of the distortion in it."""
    if not job.report and not (job.corrected and written):
        return
    with ProgressLine() as progress:
        validation = _closed_loop(calibration, progress, needed=bool(job.corrected and written))
    if job.corrected and written:
        assert validation is not None
        from ..correction.table import save_image

        save_image(job.corrected, validation.corrected.data, validation.corrected.header())
        if job.json_file != "-":
            print(validation.report())
            print(f"written: {job.corrected}")
    if job.report:
        from ..report import write_report

        write_report(calibration, job.report, validation=validation, detector=written)
        if job.json_file != "-":
            print(f"written: {job.report}")


def _closed_loop(calibration: Calibration, progress: ProgressLine, *, needed: bool) -> Validation | None:
    """The validation; None where the corrected image shows no grid and nobody asked for it."""
    from ..judging.validation import validate

    try:
        return validate(calibration, progress=progress)
    except GridcalError:
        if needed:
            raise
        return None
