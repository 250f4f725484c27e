"""The tasks. What they compute is the core's; they only hand it files and figures.

All of them may be run again at any time, as schedulers do that lose a worker: files appear complete or not at all.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar

from ewokscore.taskwithprogress import TaskWithProgress

from ..base.errors import CalibrationError, FileFormatError, GridcalError, UsageError
from ..base.progress import Cancelled, part_of
from ..records.jobs import Calibrate, Compare, Convert, Correct, Validate, corrections_of
from . import models
from .files import beside, latest
from .records import needs_attention, row_of, write_json

__all__ = [
    "CalibrateGrid",
    "CompareCalibrations",
    "ConvertDetector",
    "CorrectImages",
    "GatherChecks",
    "JoinCorrected",
    "ValidateGrid",
]

if TYPE_CHECKING:
    from ..correction.opening import CorrectorFiles

logger = logging.getLogger(__name__)

Outputs = dict[str, Any]


class GridTask(TaskWithProgress, register=False):  # type: ignore[call-arg]
    """Progress, cancelling, and a docstring that lists inputs and outputs."""

    #: Record of the inputs.
    job: ClassVar[Callable[..., Any]] = SimpleNamespace

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        lines = [(cls.__doc__ or "").rstrip()]
        for title, model in (("Inputs", options.get("input_model")), ("Outputs", options.get("output_model"))):
            if model is not None:
                lines += ["", f"    {title}:", ""]
                lines += [f"    - {name}: {one.description}" for name, one in model.model_fields.items()]
        cls.__doc__ = "\n".join(lines) + "\n"

    def say(self, fraction: float, text: str) -> None:
        """Tell how far it is; this is also where it can be stopped."""
        if self.cancelled:
            raise Cancelled
        logger.debug("%s: %3.0f %% %s", self.label, 100 * fraction, text)
        self.progress = int(100 * min(max(fraction, 0.0), 1.0))

    def cancel(self) -> None:
        """Stop at the next occasion."""
        self.cancelled = True

    def values(self) -> dict[str, Any]:
        """The inputs as they were checked."""
        return {name: self.get_input_value(name, None) for name in self.input_names()}

    def run(self) -> None:
        job = self.job(**self.values())
        try:
            outputs = self.work(job)
        except Cancelled:
            raise
        except GridcalError as error:
            if not getattr(job, "keep_going", False):
                raise
            logger.warning("%s: %s", self.label, error)
            outputs = self.refused(job, error)
        if getattr(job, "json_file", None):
            write_json(job.json_file, outputs["summary"])
        for name, value in outputs.items():
            self.outputs[name] = value
        self.say(1.0, "done")

    def work(self, job: Any) -> Outputs:
        """Do it, and return the outputs."""
        raise NotImplementedError

    def refused(self, job: Any, error: GridcalError) -> Outputs:
        """Outputs that tell of a failure."""
        raise NotImplementedError


def _frames(
    output: str | Path, corrected: int, resumed: int, shape: tuple[int, int], inside: str | None = None
) -> dict[str, Any]:
    """Outputs of a task that wrote frames, to the dataset `inside` of an HDF5 file or to an image."""
    path = os.path.abspath(output)
    return {
        "output": path,
        "data_url": f"{path}::{inside}" if inside else None,
        "frames": corrected + resumed,
        "corrected": corrected,
        "resumed": resumed,
        "shape": shape,
    }


class CalibrateGrid(
    GridTask,
    input_model=models.CalibrateInputs,  # type: ignore[call-arg]
    output_model=models.CalibrateOutputs,
):
    """Find the distortion of a detector from image(s) of a plate of holes, and write a pyFAI detector file.

    Only the images and the pitch are needed. The file holds the detector, the control points and everything else that
    was found; a result that is not to be trusted is not written.
    """

    job = Calibrate

    def work(self, job: Calibrate) -> Outputs:
        from ..base.atomic import check_writable
        from ..calibration import calibrate
        from ..io.images.images import load_image

        output = check_writable(job.output or beside(job.images[0]))
        self.say(0.0, "reading")
        exposures = [
            load_image(one, combine=job.combine or "median", **corrections_of(job))
            for one in ([job.images] if job.combine else job.images)
        ]
        found = calibrate(exposures, progress=part_of(self.say, 0.02, 0.8), **job.settings)
        summary, level = found.summary(), found.verdict.level
        if found.verdict.is_worse_than(job.accept):
            reasons = "; ".join(found.verdict.reasons) or "the checks failed"
            raise CalibrationError(f"{output.name} was not written, the result is {level}: {reasons}")
        found.save(output, name=job.name, progress=part_of(self.say, 0.8, 0.95))
        if job.report:
            from ..report import write_report

            self.say(0.95, "writing the report")
            write_report(found, job.report, detector=output)
        return {
            "detector_file": str(output),
            "detector": "NexusDetector",
            "detector_config": {"filename": str(output)},
            "verdict": level,
            "reasons": list(found.verdict.reasons),
            "held_out_px": summary["held_out_px"],
            "pixel_size": found.pixel_size,
            "summary": {**summary, "output": str(output)},
        }

    def refused(self, job: Calibrate, error: GridcalError) -> Outputs:
        from ..report import refusal

        nothing = dict.fromkeys(("detector_file", "detector", "detector_config", "held_out_px", "pixel_size"))
        return {**nothing, "verdict": "failed", "reasons": [str(error)], "summary": refusal(error)}


class ValidateGrid(
    GridTask,
    input_model=models.ValidateInputs,  # type: ignore[call-arg]
    output_model=models.ValidateOutputs,
):
    """Correct an image of the grid with a detector file and measure how straight the grid has become.

    pyFAI corrects the image, the spots are found and indexed anew, and the plate is laid on them: what is left is the
    error of everything together.
    """

    job = Validate

    def work(self, job: Validate) -> Outputs:
        from ..judging.validation import validate_files

        if job.rings is not None:
            return self.rings(job)
        done = validate_files(job, progress=self.say)
        if job.output:
            from ..correction.table import save_image

            save_image(job.output, done.corrected.data, done.corrected.header())
        good = done.mean_misplacement <= job.tolerance
        return {
            "good": good,
            "misplacement_mean": done.mean_misplacement,
            "misplacement_max": done.max_misplacement,
            "corrected_file": job.output,
            "detector_file": job.detector_file,
            "summary": {**done.summary(), "good": good},
        }

    def rings(self, job: Validate) -> Outputs:
        """The same by powder rings."""
        from ..rings.drawing import judge_files

        found = judge_files(job, progress=self.say)
        nothing = dict.fromkeys(("misplacement_mean", "misplacement_max", "corrected_file"))
        good = found.verdict != "harms"
        summary = {**found.summary(), "good": good}
        return {**nothing, "good": good, "detector_file": job.detector_file, "summary": summary}

    def refused(self, job: Validate, error: GridcalError) -> Outputs:
        nothing = dict.fromkeys(("misplacement_mean", "misplacement_max", "corrected_file"))
        summary = {"good": False, "error": str(error)}
        return {**nothing, "good": False, "detector_file": job.detector_file, "summary": summary}


class ConvertDetector(
    GridTask,
    input_model=models.ConvertInputs,  # type: ignore[call-arg]
    output_model=models.ConvertOutputs,
):
    """Read a distortion file of any kind, write it as another one, and measure what was lost.

    Kinds: pyFAI NeXus, Fit2D spline, maps for ImageD11, SPD, XDS and others; see ``pyFAI-gridcal convert --help``.
    """

    job = Convert

    def work(self, job: Convert) -> Outputs:
        from ..io.kinds.conversion import convert_files

        done = convert_files(job, progress=self.say)
        return {
            "detector_file": os.path.abspath(job.output),
            "files": [os.path.abspath(one) for one in done.written],
            "kind": done.kind,
            "largest_px": done.largest,
            "rms_px": done.rms,
            "remarks": list(done.remarks),
        }


class CorrectImages(
    GridTask,
    input_model=models.CorrectInputs,  # type: ignore[call-arg]
    output_model=models.CorrectOutputs,
):
    """Put the counts of images where they belong, by the area of each pixel, into one HDF5 file.

    With `part` only a part of the frames goes to a file of its own, so that many workers can share a large stack;
    JoinCorrected then shows the parts as one dataset. Run again after an interruption, the task goes on behind the last
    frame that is complete, and leaves alone what is done.
    """

    job = Correct

    def work(self, job: Correct) -> Outputs:
        from ..correction.opening import files_of
        from ..correction.parts import Work, correct_part, part_path
        from ..correction.streams import DATA_PATH

        files = files_of(job, job.detector_file)
        output = Path(job.output)
        if output.suffix.lower() in (".edf", ".tif", ".tiff", ".npy"):
            return self._single(job, files)
        choices = {name: getattr(job, name) for name in ("dtype", "compression", "part", "workers", "patience")}
        done = correct_part(Work(files, tuple(job.images), output, **choices), self.say)
        return _frames(part_path(output, job.part), done.frames, done.resumed, done.shape, DATA_PATH)

    def _single(self, job: Correct, files: CorrectorFiles) -> Outputs:
        from ..correction.opening import open_corrector
        from ..correction.streams import correct_files

        if len(job.images) != 1 or job.part is not None:
            raise UsageError(f"{len(job.images)} images for {job.output}", hint="name an .h5 file")
        corrector, key = open_corrector(files)
        done = correct_files(job.images, corrector, [job.output], key=key, dtype=job.dtype, progress=self.say)
        return _frames(job.output, done.frames, done.resumed, done.shape)


class JoinCorrected(
    GridTask,
    input_model=models.JoinInputs,  # type: ignore[call-arg]
    output_model=models.CorrectOutputs,
):
    """Show the parts that CorrectImages wrote as one dataset of one HDF5 file.

    The dataset is virtual: the frames stay in the parts, which have to stay beside the file.
    """

    def work(self, job: SimpleNamespace) -> Outputs:
        from ..correction.parts import join_parts
        from ..correction.streams import DATA_PATH

        done = join_parts(job.output, job.parts)
        return _frames(job.output, 0, done.frames, done.shape, DATA_PATH)


class CompareCalibrations(
    GridTask,
    input_model=models.CompareInputs,  # type: ignore[call-arg]
    output_model=models.CompareOutputs,
):
    """Has the detector changed? Compare a calibration with an earlier one, in px and in units of their uncertainty.

    A shift and a turn of the whole do not count, for no calibration knows them. Where there is no earlier calibration
    yet, the verdict is "unknown".
    """

    job = Compare

    def work(self, job: Compare) -> Outputs:
        from ..judging.comparison import compare, read_to_compare

        if job.detector_file is None:
            raise FileFormatError("no calibration to compare")
        reference = latest(job.reference, job.detector_file)
        if reference is None:
            return self._outputs(job, "unknown", f"nothing to compare with: {job.reference}")
        c = compare(read_to_compare(reference), read_to_compare(job.detector_file), gauge=job.gauge)
        verdict = "same" if c.verdict == "different" and c.rms_px <= job.tolerance else c.verdict
        sentence = c.sentence if verdict == c.verdict else f"{c.sentence}; not more than {job.tolerance:g} px"
        if job.strict and verdict == "different":
            raise CalibrationError(f"{job.detector_file} and {reference}: {sentence}")
        return self._outputs(job, verdict, sentence, reference, c.figures())

    def _outputs(
        self,
        job: Compare,
        verdict: str,
        sentence: str,
        reference: str | None = None,
        figures: Mapping[str, Any] | None = None,
    ) -> Outputs:
        figures = figures or {"rms_px": None, "worst_px": None}
        return {
            "verdict": verdict,
            "sentence": sentence,
            "rms_px": figures["rms_px"],
            "worst_px": figures["worst_px"],
            "reference": reference,
            "detector_file": job.detector_file,
            "summary": {
                "comparison": verdict,
                "sentence": sentence,
                "reference": reference,
                "path": job.detector_file,
                **figures,
            },
        }

    def refused(self, job: Compare, error: GridcalError) -> Outputs:
        return self._outputs(job, "unknown", str(error))


class GatherChecks(
    GridTask,
    input_model=models.GatherInputs,  # type: ignore[call-arg]
    output_model=models.GatherOutputs,
):
    """One table of all cameras: which are as they were, which have changed, and which could not be calibrated."""

    def work(self, job: SimpleNamespace) -> Outputs:
        table = [row_of(camera, files) for camera, files in sorted(job.records.items())]
        attention = [row["camera"] for row in table if needs_attention(row)]
        output = job.output
        if output:
            write_json(output, {"attention": attention, "cameras": table})
        if job.strict and attention:
            raise CalibrationError(f"look at {', '.join(attention)}")
        return {"table": table, "attention": attention, "output": output and os.path.abspath(output)}
