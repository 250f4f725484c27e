"""The tasks. What they compute is the core's; they only hand it files and figures.

All of them may be run again at any time, as schedulers do that lose a worker: files appear complete or not at all.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from ewokscore.taskwithprogress import TaskWithProgress

from ..base.errors import CalibrationError, FileFormatError, GridcalError, UsageError
from ..base.progress import Cancelled
from . import models
from .files import beside, latest, opened, pair
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

logger = logging.getLogger(__name__)


class _GridTask(TaskWithProgress, register=False):  # type: ignore[call-arg]
    """Progress, cancelling, and a docstring that lists inputs and outputs."""

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

    def fill(self, **outputs: Any) -> None:
        """Set the outputs."""
        for name, value in outputs.items():
            self.outputs[name] = value

    def run(self) -> None:
        given = self.values()
        try:
            outputs = self.work(given)
        except Cancelled:
            raise
        except GridcalError as error:
            if not given.get("keep_going"):
                raise
            logger.warning("%s: %s", self.label, error)
            outputs = self.refused(given, error)
        if given.get("json_file"):
            write_json(given["json_file"], outputs["summary"])
        self.fill(**outputs)
        self.say(1.0, "done")

    def work(self, given: dict[str, Any]) -> dict[str, Any]:
        """Do it, and return the outputs."""
        raise NotImplementedError

    def refused(self, given: dict[str, Any], error: GridcalError) -> dict[str, Any]:
        """Outputs that tell of a failure."""
        raise NotImplementedError


def _corrections(given: Mapping[str, Any]) -> dict[str, Any]:
    """The files that correct an image, where there are any."""
    return {name: given[name] for name in ("mask", "dark", "flat") if given[name]}


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
    _GridTask,
    input_model=models.CalibrateInputs,  # type: ignore[call-arg]
    output_model=models.CalibrateOutputs,
):
    """Find the distortion of a detector from image(s) of a plate of holes, and write a pyFAI detector file.

    Only the images and the pitch are needed. The file holds the detector, the control points and everything else that
    was found; a result that is not to be trusted is not written.
    """

    def work(self, given: dict[str, Any]) -> dict[str, Any]:
        from ..base.atomic import check_writable
        from ..calibration import calibrate
        from ..io.images.images import load_image
        from ..records.settings import Settings

        images, together = given["images"], given["combine"]
        output = check_writable(given["output"] or beside(images[0]))
        self.say(0.0, "reading")
        exposures = [
            load_image(one, combine=together or "median", **_corrections(given))
            for one in ([images] if together else images)
        ]
        settings = {one.name: given[one.name] for one in fields(Settings)}
        found = calibrate(exposures, progress=lambda fraction, text: self.say(0.02 + 0.78 * fraction, text), **settings)
        summary, level = found.summary(), found.verdict.level
        if found.verdict.is_worse_than(given["accept"]):
            reasons = "; ".join(found.verdict.reasons) or "the checks failed"
            raise CalibrationError(f"{output.name} was not written, the result is {level}: {reasons}")
        found.save(output, progress=lambda fraction, text: self.say(0.8 + 0.15 * fraction, text))
        if given["report"]:
            from ..report import write_report

            self.say(0.95, "writing the report")
            write_report(found, given["report"])
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

    def refused(self, given: dict[str, Any], error: GridcalError) -> dict[str, Any]:
        from ..report import refusal

        nothing = dict.fromkeys(("detector_file", "detector", "detector_config", "held_out_px", "pixel_size"))
        return {**nothing, "verdict": "failed", "reasons": [str(error)], "summary": refusal(error)}


class ValidateGrid(
    _GridTask,
    input_model=models.ValidateInputs,  # type: ignore[call-arg]
    output_model=models.ValidateOutputs,
):
    """Correct an image of the grid with a detector file and measure how straight the grid has become.

    pyFAI corrects the image, the spots are found and indexed anew, and the plate is laid on them: what is left is the
    error of everything together.
    """

    def work(self, given: dict[str, Any]) -> dict[str, Any]:
        from ..io.images.images import load_image
        from ..judging.validation import read_to_validate, validate

        if given["detector_file"] is None:
            raise FileFormatError("no detector file to validate")
        pitch, images = pair(given["pitch"]), not given["images"]
        result, plate = read_to_validate(given["detector_file"], pitch=pitch, angle=given["angle"], images=images)
        image, mask = None, None
        if given["images"]:
            read = load_image(given["images"], combine=given["combine"], **_corrections(given))
            image, mask = read.data, read.mask
        polarity = None if given["polarity"] == "auto" else given["polarity"]
        done = validate(result, image, plate=plate, mask=mask, polarity=polarity, progress=self.say)
        if given["output"]:
            from ..correction.table import save_image

            save_image(given["output"], done.corrected.data, done.corrected.header())
        good = done.mean_misplacement <= given["tolerance"]
        return {
            "good": good,
            "misplacement_mean": done.mean_misplacement,
            "misplacement_max": done.max_misplacement,
            "corrected_file": given["output"],
            "detector_file": given["detector_file"],
            "summary": {**done.summary(), "good": good},
        }

    def refused(self, given: dict[str, Any], error: GridcalError) -> dict[str, Any]:
        nothing = dict.fromkeys(("misplacement_mean", "misplacement_max", "corrected_file"))
        summary = {"good": False, "error": str(error)}
        return {**nothing, "good": False, "detector_file": given["detector_file"], "summary": summary}


class ConvertDetector(
    _GridTask,
    input_model=models.ConvertInputs,  # type: ignore[call-arg]
    output_model=models.ConvertOutputs,
):
    """Read a distortion file of any kind, write it as another one, and measure what was lost.

    Kinds: pyFAI NeXus, Fit2D spline, maps for ImageD11, SPD, XDS and others; see ``pyFAI-gridcal convert --help``.
    """

    def work(self, given: dict[str, Any]) -> dict[str, Any]:
        from ..io.kinds.conversion import convert
        from ..io.kinds.options import Reading, Writing

        source = given["detector_file"]
        pixel = pair(given["pixel"])
        reading = Reading(given["from_kind"], given["shape"], pixel, given["binning"], given["orientation"])
        writing = Writing(given["tolerance"], given["force"], given["name"], progress=self.say)
        done = convert(
            source if len(source) > 1 else source[0],
            given["output"],
            kind=given["kind"],
            reading=reading,
            writing=writing,
        )
        return {
            "detector_file": os.path.abspath(given["output"]),
            "files": [os.path.abspath(one) for one in done.written],
            "kind": done.kind,
            "largest_px": done.largest,
            "rms_px": done.rms,
            "remarks": list(done.remarks),
        }


class CorrectImages(
    _GridTask,
    input_model=models.CorrectInputs,  # type: ignore[call-arg]
    output_model=models.CorrectOutputs,
):
    """Put the counts of images where they belong, by the area of each pixel, into one HDF5 file.

    With `part` only a part of the frames goes to a file of its own, so that many workers can share a large stack;
    JoinCorrected then shows the parts as one dataset. Run again after an interruption, the task goes on behind the last
    frame that is complete, and leaves alone what is done.
    """

    def work(self, given: dict[str, Any]) -> dict[str, Any]:
        from ..correction.opening import CorrectorFiles
        from ..correction.parts import Work, correct_part, part_path
        from ..correction.streams import DATA_PATH

        models.check_part(given["part"])
        mask, dark, flat = (None if given[name] is None else tuple(given[name]) for name in ("mask", "dark", "flat"))
        files = CorrectorFiles(
            tuple(given["detector_file"]),
            mask,
            dark,
            flat,
            whole=given["whole"],
            coverage=given["coverage"],
            dummy=given["dummy"],
        )
        output = Path(given["output"])
        if output.suffix.lower() in (".edf", ".tif", ".tiff", ".npy"):
            return self._single(given, files)
        choices = {name: given[name] for name in ("dtype", "compression", "part", "workers", "patience")}
        done = correct_part(Work(files, tuple(given["images"]), output, **choices), self.say)
        return _frames(part_path(output, given["part"]), done.frames, done.resumed, done.shape, DATA_PATH)

    def _single(self, given: dict[str, Any], files: Any) -> dict[str, Any]:
        from ..correction.opening import open_corrector
        from ..correction.streams import correct_files

        if len(given["images"]) != 1 or given["part"] is not None:
            raise UsageError(f"{len(given['images'])} images for {given['output']}", hint="name an .h5 file")
        corrector, key = open_corrector(files)
        done = correct_files(
            given["images"], corrector, [given["output"]], key=key, dtype=given["dtype"], progress=self.say
        )
        return _frames(given["output"], done.frames, done.resumed, done.shape)


class JoinCorrected(
    _GridTask,
    input_model=models.JoinInputs,  # type: ignore[call-arg]
    output_model=models.CorrectOutputs,
):
    """Show the parts that CorrectImages wrote as one dataset of one HDF5 file.

    The dataset is virtual: the frames stay in the parts, which have to stay beside the file.
    """

    def work(self, given: dict[str, Any]) -> dict[str, Any]:
        from ..correction.parts import join_parts
        from ..correction.streams import DATA_PATH

        done = join_parts(given["output"], given["parts"])
        return _frames(given["output"], 0, done.frames, done.shape, DATA_PATH)


class CompareCalibrations(
    _GridTask,
    input_model=models.CompareInputs,  # type: ignore[call-arg]
    output_model=models.CompareOutputs,
):
    """Has the detector changed? Compare a calibration with an earlier one, in px and in units of their uncertainty.

    A shift and a turn of the whole do not count, for no calibration knows them. Where there is no earlier calibration
    yet, the verdict is "unknown".
    """

    def work(self, given: dict[str, Any]) -> dict[str, Any]:
        from ..judging.comparison import compare

        if given["detector_file"] is None:
            raise FileFormatError("no calibration to compare")
        reference = latest(given["reference"], given["detector_file"])
        if reference is None:
            return self._outputs(given, "unknown", f"nothing to compare with: {given['reference']}")
        c = compare(opened(reference), opened(given["detector_file"]), gauge=given["gauge"])
        verdict = "same" if c.verdict == "different" and c.rms_px <= given["tolerance"] else c.verdict
        sentence = c.sentence if verdict == c.verdict else f"{c.sentence}; not more than {given['tolerance']:g} px"
        if given["strict"] and verdict == "different":
            raise CalibrationError(f"{given['detector_file']} and {reference}: {sentence}")
        return self._outputs(given, verdict, sentence, reference, c.figures())

    def _outputs(
        self,
        given: dict[str, Any],
        verdict: str,
        sentence: str,
        reference: str | None = None,
        figures: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        figures = figures or {"rms_px": None, "worst_px": None}
        return {
            "verdict": verdict,
            "sentence": sentence,
            "rms_px": figures["rms_px"],
            "worst_px": figures["worst_px"],
            "reference": reference,
            "detector_file": given["detector_file"],
            "summary": {
                "comparison": verdict,
                "sentence": sentence,
                "reference": reference,
                "path": given["detector_file"],
                **figures,
            },
        }

    def refused(self, given: dict[str, Any], error: GridcalError) -> dict[str, Any]:
        return self._outputs(given, "unknown", str(error))


class GatherChecks(
    _GridTask,
    input_model=models.GatherInputs,  # type: ignore[call-arg]
    output_model=models.GatherOutputs,
):
    """One table of all cameras: which are as they were, which have changed, and which could not be calibrated."""

    def work(self, given: dict[str, Any]) -> dict[str, Any]:
        table = [row_of(camera, files) for camera, files in sorted(given["records"].items())]
        attention = [row["camera"] for row in table if needs_attention(row)]
        output = given["output"]
        if output:
            write_json(output, {"attention": attention, "cameras": table})
        if given["strict"] and attention:
            raise CalibrationError(f"look at {', '.join(attention)}")
        return {"table": table, "attention": attention, "output": output and os.path.abspath(output)}
