"""What goes into the tasks and comes out of them, checked by pydantic; the settings are those of the core."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from dataclasses import MISSING, fields
from os import PathLike, fspath
from typing import Annotated, Any, Literal, cast, get_type_hints

import numpy as np
from ewokscore.model import BaseInputModel, BaseOutputModel
from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema, create_model, model_validator

from ..base.errors import UsageError
from ..base.units import parse_length, parse_lengths
from ..records.settings import Settings

__all__ = [
    "CalibrateInputs",
    "CalibrateOutputs",
    "CompareInputs",
    "CompareOutputs",
    "ConvertInputs",
    "ConvertOutputs",
    "CorrectInputs",
    "CorrectOutputs",
    "GatherInputs",
    "GatherOutputs",
    "JoinInputs",
    "ValidateInputs",
    "ValidateOutputs",
]

Two = tuple[float, float]
Verdict = Literal["good", "doubtful", "failed"]

#: Settings that are lengths: a text with its unit is understood too.
LENGTHS = ("pitch", "pixel", "hole")


def _metres(value: object) -> object:
    """``"5mm"`` -> 0.005, ``"3mm,2mm"`` -> (0.003, 0.002); numbers are metres already."""
    if isinstance(value, str):
        return parse_lengths(value) if re.search(r"[,;x×]", value) else parse_length(value)
    return value


def _listed(value: object) -> object:
    """One or several of them -> a list."""
    if value is None or isinstance(value, list):
        return value
    return list(value) if isinstance(value, tuple) else [value]


def _text(value: object) -> object:
    return fspath(value) if isinstance(value, PathLike) else value


Array = Annotated[np.ndarray, WithJsonSchema({"type": "array", "title": "image in memory"})]
File = Annotated[str, BeforeValidator(_text)]
Files = Annotated[list[File], BeforeValidator(_listed)]
Images = Annotated[list[File | Array], BeforeValidator(_listed)]
AtLeastOneFile = Annotated[list[File], Field(min_length=1), BeforeValidator(_listed)]
AtLeastOneImage = Annotated[list[File | Array], Field(min_length=1), BeforeValidator(_listed)]
Length = Annotated[float, BeforeValidator(_metres)]
Lengths = Annotated[float | Two, BeforeValidator(_metres)]


def described(cls: type) -> dict[str, str]:
    """Name -> text of each entry of the section "Attributes" of a docstring."""
    out: dict[str, str] = {}
    section = (inspect.getdoc(cls) or "").partition("Attributes\n----------\n")[2]
    names: list[str] = []
    for line in section.splitlines():
        match = re.match(r"(\w+(?:, \w+)*) : (.*)", line)
        if match:
            names = match[1].split(", ")
            out.update(dict.fromkeys(names, match[2]))
        elif names and line.startswith("    "):
            out.update({name: f"{out[name]} {line.strip()}" for name in names})
        else:
            names = []
    return out


def settings_fields() -> dict[str, Any]:
    """Fields of a model, one for each setting of a calibration, with its type, default and description."""
    texts, hints = described(Settings), get_type_hints(Settings)
    out: dict[str, Any] = {}
    for one in fields(Settings):
        kind = Annotated[hints[one.name], BeforeValidator(_metres)] if one.name in LENGTHS else hints[one.name]
        text = texts.get(one.name, "") + ('; a text with its unit, such as "5mm", too' if one.name in LENGTHS else "")
        out[one.name] = (kind, Field(... if one.default is MISSING else one.default, description=text))
    return out


def _meant(model: Any) -> Any:
    """Refuse settings that cannot be meant before anything is read."""
    Settings(**{one.name: getattr(model, one.name) for one in fields(Settings)})
    return model


def _model(name: str, base: type, what: Mapping[str, Any], doc: str, **validators: Any) -> Any:
    checks = {key: model_validator(mode="after")(check) for key, check in validators.items()}
    return create_model(
        name,
        __base__=base,
        __doc__=doc,
        __module__=__name__,
        __validators__=cast("dict[str, Any]", checks),
        **what,
    )


def _optional(kind: Any, text: str, default: Any = None) -> tuple[Any, Any]:
    return (kind | None if default is None else kind, Field(default, description=text))


def _needed(kind: Any, text: str) -> tuple[Any, Any]:
    return (kind, Field(description=text))


CORRECTIONS: dict[str, Any] = {
    "mask": _optional(Files, "pixels to ignore: files that are not 0 there, or names of pyFAI detectors"),
    "dark": _optional(Files, "image without light, subtracted"),
    "flat": _optional(Files, "image of uniform light, divided by"),
}
COMBINE = _optional(Literal["median", "mean"], "all images are frames of one exposure, reduced to one")
JSON = _optional(File, "file for the figures, for machines")
KEEP_GOING: tuple[Any, Any] = _optional(
    bool, "report a failure in the outputs instead of raising it, so that the rest of a workflow goes on", False
)

CalibrateInputs = _model(
    "CalibrateInputs",
    BaseInputModel,
    {
        "images": _needed(AtLeastOneImage, "image(s) of the grid: files, silx URLs or arrays; several are exposures"),
        **settings_fields(),
        **CORRECTIONS,
        "combine": COMBINE,
        "output": _optional(File, "detector file to write (HDF5); beside the first image by default"),
        "report": _optional(File, "report to write, as one HTML page"),
        "json_file": JSON,
        "accept": _optional(Verdict, "worst verdict with which the detector is written", "doubtful"),
        "keep_going": KEEP_GOING,
    },
    "Inputs of CalibrateGrid: images, and every setting of the core.",
    meant=_meant,
)


class CalibrateOutputs(BaseOutputModel):
    """Outputs of CalibrateGrid; `detector` and `detector_config` are what ewoksxrpd's tasks take."""

    detector_file: str | None = Field(description="detector file that was written; None when it was refused")
    detector: str | None = Field(description="pyFAI's name for detectors that a file describes")
    detector_config: dict[str, Any] | None = Field(description="arguments of that detector: the file")
    verdict: Verdict = Field(description="whether the result can be trusted")
    reasons: list[str] = Field(description="why not, in words")
    held_out_px: float | None = Field(description="error of control points that the fit has not seen, px rms")
    pixel_size: Two | None = Field(description="(slow, fast), metres")
    summary: dict[str, Any] = Field(description="all figures, as the command line writes them with --json")


class ValidateInputs(BaseInputModel):
    """Inputs of ValidateGrid."""

    detector_file: File | None = Field(description="detector file, of CalibrateGrid or another program's")
    images: Images | None = Field(None, description="image of the grid, several are reduced to one; that of the result")
    pitch: Lengths | None = Field(None, description="distance of the holes, needed where the file knows of no plate")
    angle: float | None = Field(None, description="angle between the axes, degrees; that of the file, else 90")
    polarity: Literal["auto", "bright", "dark"] = Field("auto", description="bright or dark holes")
    mask: Files | None = Field(None, description="pixels to ignore")
    dark: Files | None = Field(None, description="image without light, subtracted")
    flat: Files | None = Field(None, description="image of uniform light, divided by")
    combine: Literal["median", "mean"] = Field("median", description="how several images are reduced")
    tolerance: float = Field(0.01, gt=0, description="mean misplacement up to which it is good, in pitch")
    output: File | None = Field(None, description="file for the corrected image, .edf, .tif or .h5")
    json_file: File | None = Field(None, description="file for the figures, for machines")
    keep_going: bool = Field(False, description="report a failure in the outputs instead of raising it")


class ValidateOutputs(BaseOutputModel):
    """Outputs of ValidateGrid."""

    good: bool = Field(description="whether the corrected grid is straight within the tolerance")
    misplacement_mean: float | None = Field(description="mean distance of the spots from their places, in pitch")
    misplacement_max: float | None = Field(description="largest of them, in pitch")
    corrected_file: str | None = Field(description="corrected image that was written")
    detector_file: str | None = Field(description="the detector file, for what comes next")
    summary: dict[str, Any] = Field(description="all figures")


class ConvertInputs(BaseInputModel):
    """Inputs of ConvertDetector."""

    detector_file: AtLeastOneFile = Field(description="distortion file of any kind, or both files of a pair of maps")
    output: File = Field(description="file to write; its suffix tells the kind")
    kind: str | None = Field(None, description="kind of the output, where the suffix does not tell it")
    tolerance: float = Field(0.01, gt=0, description="largest deviation wanted of a spline, px")
    force: bool = Field(False, description="write also what loses more, or what the kind cannot hold")
    name: str = Field("calibrated", description="of the detector, as pyFAI will show it")
    from_kind: str | None = Field(None, description="kind of the input, where its content does not tell it")
    shape: tuple[int, int] | None = Field(None, description="(slow, fast) pixels, where the input does not tell")
    pixel: Lengths | None = Field(None, description="pixel size (slow, fast), where the input does not tell")
    binning: tuple[int, int] = Field((1, 1), description="pixels that are read out as one in the images to come")
    orientation: Literal[1, 2, 3, 4] = Field(3, description="pyFAI orientation that the input was made for")


class ConvertOutputs(BaseOutputModel):
    """Outputs of ConvertDetector."""

    detector_file: str = Field(description="the file that was asked for")
    files: list[str] = Field(description="all files that were written")
    kind: str = Field(description="of the output")
    largest_px: float | None = Field(description="largest loss at a pixel corner, by reading back, px")
    rms_px: float | None = Field(description="the same, rms")
    remarks: list[str] = Field(description="what the kind could not hold, in words")


class CorrectInputs(BaseInputModel):
    """Inputs of CorrectImages."""

    model_config = ConfigDict(ser_json_inf_nan="constants")

    detector_file: AtLeastOneFile = Field(description="distortion file of any kind, or both files of a pair of maps")
    images: AtLeastOneImage = Field(description="images or stacks, in order: files, silx URLs or arrays")
    output: File = Field(description="HDF5 file for the stack; .edf, .tif or .npy for a single image")
    mask: Files | None = Field(None, description="more pixels to ignore")
    dark: Files | None = Field(None, description="image without light, subtracted")
    flat: Files | None = Field(None, description="image of uniform light, divided by")
    coverage: float = Field(0.5, gt=0, le=1, description="least known part of a corrected pixel")
    dummy: float = Field(float("nan"), description="value of pixels that are not known")
    whole: bool = Field(False, description="as large as the corrected detector, nothing is cut off")
    dtype: str | None = Field(None, description="float32, float64, same, or a type of whole numbers")
    compression: str = Field("gzip:1", description="gzip:1 to gzip:9, bitshuffle or none")
    workers: int | None = Field(None, ge=1, description="threads; one for a part, else all processors")
    part: tuple[int, int] | None = Field(
        None, description="(k, n): only the k-th of n parts, k from 0, to its own file"
    )
    patience: float = Field(600.0, ge=0, description="seconds to wait for another process that writes the same file")


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


class CompareInputs(BaseInputModel):
    """Inputs of CompareCalibrations."""

    reference: File | None = Field(description="calibration to compare with; of a pattern (cam_*.h5), the last by name")
    detector_file: File | None = Field(description="the calibration that is looked at")
    gauge: Literal["rigid", "similarity", "affine", "none"] = Field("rigid", description="motion that does not count")
    tolerance: float = Field(0.0, ge=0, description="rms difference that does not matter, px, however certain it is")
    strict: bool = Field(False, description="raise when they are different")
    json_file: File | None = Field(None, description="file for the figures, for machines")
    keep_going: bool = Field(False, description="report a failure in the outputs instead of raising it")


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


def check_part(part: tuple[int, int] | None) -> None:
    """Refuse a part that there is not."""
    if part is not None and not 0 <= part[0] < part[1]:
        raise UsageError(f"part {part}", expected="(k, n) with k from 0 to n - 1")
