"""What goes into the tasks and comes out of them, checked by pydantic; inputs are the jobs of the core.

Each input model has the fields of one record of :mod:`pyfai_gridcal.records.jobs`, with its defaults and texts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING
from os import PathLike, fspath
from typing import Annotated, Any, Literal, cast, get_args, get_type_hints

import numpy as np
from ewokscore.model import BaseInputModel, BaseOutputModel
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, create_model, model_validator

from ..base.quantities import as_angle, as_share, as_source, as_temperature
from ..base.units import as_length, as_lengths
from ..records.jobs import Calibrate, CalibrateRings, Compare, Convert, Correct, Validate
from ..records.options import EWOKS, Option, default_of, options_of
from ..records.verdict import Level

Two = tuple[float, float]


def _listed(value: object) -> object:
    """One or several of them -> a list."""
    if value is None or isinstance(value, list):
        return value
    return list(value) if isinstance(value, tuple) else [value]


def _text(value: object) -> object:
    return fspath(value) if isinstance(value, PathLike) else value


def _read(read: Callable[[Any], object]) -> BeforeValidator:
    return BeforeValidator(lambda value: None if value is None else read(value))


Array = Annotated[np.ndarray, WithJsonSchema({"type": "array", "title": "image in memory"})]
File = Annotated[str, BeforeValidator(_text)]
Files = Annotated[list[File], BeforeValidator(_listed)]

#: Kind of an option -> type of the input; of the other kinds, the type of the record's field.
TYPES: dict[str, Any] = {
    "file": File,
    "files": Files,
    "images": Annotated[list[File | Array], BeforeValidator(_listed)],
    "length": Annotated[float, _read(as_length)],
    "lengths": Annotated[float | Two, _read(as_lengths)],
    "angle": Annotated[float, _read(as_angle)],
    "share": Annotated[float, _read(as_share)],
    "temperature": Annotated[Two, _read(as_temperature)],
    "source": Annotated[float | str, _read(as_source)],
}


def _type_of(one: Option, hint: Any, default: object) -> Any:
    """Type of an input."""
    kind = TYPES.get(one.kind, hint)
    if default is MISSING and one.kind in ("files", "images"):
        kind = Annotated[kind, Field(min_length=1)]
    return kind | None if type(None) in get_args(hint) else kind


def _inputs(job: type, doc: str) -> Any:
    """A model with an input for each field of a job, which has to be one that can be meant."""
    hints, what = get_type_hints(job), {}
    options = options_of(job, EWOKS)
    # What must be given comes first.
    for name in sorted(options, key=lambda name: default_of(job, name) is not MISSING):
        default, one = default_of(job, name), options[name]
        limits: dict[str, Any] = dict(one.limits)
        wanted = Field(... if default is MISSING else default, description=one.told(default), **limits)
        what[name] = (_type_of(one, hints[name], default), wanted)

    def meant(model: BaseModel) -> BaseModel:
        """Refuse what cannot be meant before anything is read."""
        job(**{name: getattr(model, name) for name in what})
        return model

    return create_model(
        f"{job.__name__}Inputs",
        __base__=_Inputs,
        __doc__=doc,
        __module__=__name__,
        __validators__=cast("dict[str, Any]", {"meant": model_validator(mode="after")(meant)}),
        **cast("dict[str, Any]", what),
    )


class _Inputs(BaseInputModel):
    model_config = ConfigDict(ser_json_inf_nan="constants")


CalibrateInputs = _inputs(Calibrate, "Inputs of CalibrateGrid: images, and every setting of the core.")
CalibrateRingsInputs = _inputs(CalibrateRings, "Inputs of CalibrateRings.")
ValidateInputs = _inputs(Validate, "Inputs of ValidateGrid.")
ConvertInputs = _inputs(Convert, "Inputs of ConvertDetector.")
CorrectInputs = _inputs(Correct, "Inputs of CorrectImages.")
CompareInputs = _inputs(Compare, "Inputs of CompareCalibrations.")


class _DetectorOutputs(BaseOutputModel):
    """Of what writes a detector file; `detector` and `detector_config` are what ewoksxrpd's tasks take."""

    detector_file: str | None = Field(description="detector file that was written; None when it was refused")
    detector: str | None = Field(description="pyFAI's name for detectors that a file describes")
    detector_config: dict[str, Any] | None = Field(description="arguments of that detector: the file")


class CalibrateOutputs(_DetectorOutputs):
    """Outputs of CalibrateGrid; `detector` and `detector_config` are what ewoksxrpd's tasks take."""

    verdict: Level = Field(description="whether the result can be trusted")
    reasons: list[str] = Field(description="why not, in words")
    held_out_px: float | None = Field(description="error of control points that the fit has not seen, px rms")
    pixel_size: Two | None = Field(description="(slow, fast), metres")
    summary: dict[str, Any] = Field(description="all figures, as the command line writes them with --json")


class CalibrateRingsOutputs(_DetectorOutputs):
    """Outputs of CalibrateRings; `detector` and `detector_config` are what ewoksxrpd's tasks take."""

    held_out_px: float | None = Field(description="error in parts of the rings that the fit has not seen, px rms")
    undetermined: list[str] = Field(description="what the rings do not tell, in words")
    summary: dict[str, Any] = Field(description="all figures, or the error")


class ValidateOutputs(BaseOutputModel):
    """Outputs of ValidateGrid."""

    good: bool = Field(description="whether the corrected grid is straight within the tolerance")
    misplacement_mean: float | None = Field(description="mean distance of the spots from their places, in pitch")
    misplacement_max: float | None = Field(description="largest of them, in pitch")
    corrected_file: str | None = Field(description="corrected image that was written")
    detector_file: str | None = Field(description="the detector file, for what comes next")
    summary: dict[str, Any] = Field(description="all figures")


class ConvertOutputs(BaseOutputModel):
    """Outputs of ConvertDetector."""

    detector_file: str = Field(description="the requested file")
    files: list[str] = Field(description="all files that were written")
    kind: str = Field(description="of the output")
    largest_px: float | None = Field(description="largest loss at a pixel corner, by reading back, px")
    rms_px: float | None = Field(description="the same, rms")
    remarks: list[str] = Field(description="what the kind could not hold, in words")


class CorrectOutputs(BaseOutputModel):
    """Outputs of CorrectImages and JoinCorrected."""

    output: str = Field(description="file that was written")
    data_url: str | None = Field(description="silx URL of the corrected frames, None for a single image")
    frames: int = Field(description="frames in the file")
    corrected: int = Field(description="frames corrected by this run of the task")
    resumed: int = Field(description="frames that an interrupted run had done already")
    shape: tuple[int, int] = Field(description="(slow, fast) pixels of a corrected frame")


class JoinInputs(BaseInputModel):
    """Inputs of JoinCorrected."""

    output: File = Field(description="the output that the parts were told; it becomes the file that shows them all")
    parts: int = Field(ge=1, description="how many there are")


class CompareOutputs(BaseOutputModel):
    """Outputs of CompareCalibrations."""

    verdict: Literal["same", "different", "unknown"] = Field(description="by the uncertainty of both")
    sentence: str = Field(description="the same in words")
    rms_px: float | None = Field(description="of the difference")
    worst_px: float | None = Field(description="of the difference")
    reference: str | None = Field(description="what it was compared with")
    detector_file: str | None = Field(description="the calibration that was looked at, for what comes next")
    summary: dict[str, Any] = Field(description="all figures")


class GatherInputs(BaseInputModel):
    """Inputs of GatherChecks."""

    records: dict[str, Files] = Field(description="name of each camera: files that its tasks wrote with json_file")
    output: File | None = Field(None, description="file for the table, JSON")
    strict: bool = Field(False, description="raise when one of them needs attention")


class GatherOutputs(BaseOutputModel):
    """Outputs of GatherChecks."""

    table: list[dict[str, Any]] = Field(description="one entry for each camera: state, and what was found")
    attention: list[str] = Field(description="the cameras that need somebody to look at them")
    output: str | None = Field(description="file that was written")
