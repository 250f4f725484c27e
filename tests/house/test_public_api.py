"""The public names with their arguments and fields: what users write must not change by accident.

When one of these fails, either the change was an accident, or it is a decision: then write it down here and in the
changelog.
"""

from __future__ import annotations

import importlib
import inspect
from dataclasses import fields, is_dataclass
from typing import Any

import pytest

import pyfai_gridcal

FRONT_DOOR = {
    "Calibration",
    "ControlPoints",
    "Distortion",
    "DistortionFit",
    "GridcalError",
    "Plate",
    "Settings",
    "Spots",
    "calibrate",
    "find_spots",
    "fit_distortion",
    "index_spots",
    "register",
}

#: Function -> its arguments; after "*" they are given by name only. New ones may be added behind it, with a default.
FUNCTIONS = {
    "calibrate": "image * pitch mask dark flat progress **settings",
    "find_spots": "image * mask saturation polarity hole_px noise threshold lattice complete workers progress",
    "index_spots": "spots * lattice angle_deg tolerance",
    "fit_distortion": "points * plate shape mask pixel_size model gauge max_sigma labels positions progress",
    "judging.validation.validate": "result image * plate mask polarity hole_px exposure progress",
    "io.nexus.result.save_result": "result path * name settings spots images inputs report progress",
    "io.nexus.result.load_result": "path * images",
    "io.images.images.load_image": "sources * dark flat mask combine frames progress",
    "io.kinds.kinds.read_distortion": "path reading",
    "io.kinds.kinds.write_distortion": "distortion path kind writing",
    "report.write_report": "calibration path * validation",
    "report.report_data": "calibration * validation",
    "report.plots.displacement": "distortion component * ax masked",
    "report.plots.residuals": "fit exposure * ax",
    "plugins.register": "names",
    "synthetic.field_error": "distortion truth * spots step",
}

#: Record -> its fields, in order: they may be given by place, so new ones come last.
RECORDS = {
    "Settings": "pitch pixel detector plate lattice angle polarity hole origin model gauge max_sigma positions",
    "Calibration": "settings images masks spots fit verdict sources notes",
    "Spots": "yx sigma_yx amplitude background chi2 flags polarity hole_px noise profile",
    "ControlPoints": "yx sigma_yx ij spot flags basis_px angle_deg",
    "Plate": "pitch_m angle_deg hole_m error_ij error_yx error_sigma_yx",
    "Distortion": "field shape pixel_size mask sigma gauge",
    "DistortionFit": "distortion plate points poses residual_yx held_out_yx used plate_sigma_px pixel_sigma_m "
    "trials notes",
    "records.verdict.Verdict": "level reasons checks",
    "records.verdict.Check": "name value level text doubtful failed",
    "records.fit.Pose": "angle_rad shift_m",
}

#: Class -> what it can do besides its fields.
METHODS = {
    "Calibration": "detector displacement_maps distortion pixel_size plate plot points report save shape summary "
    "to_spline validate",
    "Distortion": "correct displacement displacement_maps displacement_nodes distort is_tiled jacobian_sign masked "
    "pixel_corners sigma_maps",
    "DistortionFit": "expected_error_px held_out_px recipe residual_px",
    "Spots": "from_positions select",
    "ControlPoints": "pitch_px reindexed select",
    "Plate": "basis positions symmetry",
}


def named(name: str) -> Any:
    module, _, last = name.rpartition(".")
    return getattr(importlib.import_module(".".join(filter(None, ("pyfai_gridcal", module)))), last)


def arguments(function: Any) -> str:
    """Arguments in the notation of the table above."""
    words, star = [], False
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and not star:
            words.append("*")
            star = True
        words.append(("**" if parameter.kind is parameter.VAR_KEYWORD else "") + parameter.name)
    return " ".join(words)


def test_front_door() -> None:
    assert set(pyfai_gridcal.__all__) == FRONT_DOOR
    for name in FRONT_DOOR:
        assert hasattr(pyfai_gridcal, name)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_arguments(name: str) -> None:
    now, then = arguments(named(name)).split(), FUNCTIONS[name].split()
    front = then.index("*") if "*" in then else len(then)
    assert now[:front] == then[:front], "arguments by place have changed"
    assert set(then) <= set(now), f"gone: {set(then) - set(now)}"
    for added in set(now) - set(then):
        assert inspect.signature(named(name)).parameters[added].default is not inspect.Parameter.empty


@pytest.mark.parametrize("name", RECORDS)
def test_fields(name: str) -> None:
    record = named(name)
    assert is_dataclass(record)
    now, then = [f.name for f in fields(record)], RECORDS[name].split()
    assert now[: len(then)] == then


@pytest.mark.parametrize("name", METHODS)
def test_methods(name: str) -> None:
    record = named(name)
    of_fields = {f.name for f in fields(record)}
    now = {n for n in dir(record) if not n.startswith("_")} - of_fields
    assert set(METHODS[name].split()) <= now, f"gone: {set(METHODS[name].split()) - now}"


def test_all_of_the_front_door_is_documented() -> None:
    for name in FRONT_DOOR:
        assert inspect.getdoc(named(name)), name
        if inspect.isclass(named(name)):
            for method in METHODS.get(name, "").split():
                assert inspect.getdoc(getattr(named(name), method)), f"{name}.{method}"


def test_version_is_that_of_the_installation() -> None:
    from importlib.metadata import version

    assert pyfai_gridcal.__version__ == version("pyfai-gridcal")
