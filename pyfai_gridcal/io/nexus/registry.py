"""Names under which records stand in files, whatever module their class lives in.

A name, once written, is for ever: a class may move or be renamed as long as its row here says where to. A record that
is new to files gets a row; a test looks for what may be stored and has none.
"""

from __future__ import annotations

import importlib

_PACKAGE = f"{__name__.partition('.')[0]}."

#: Modules and the records that live in them, which are called in files as the classes are.
_HOMES = {
    "calibration": "Calibration",
    "records.settings": "Settings",
    "records.fit": "DistortionFit Pose Lean TrialScore",
    "records.distortion": "Distortion",
    "records.traits": "Traits Sensor",
    "records.plate": "Plate",
    "records.points": "ControlPoints",
    "records.spots": "Spots Noise HoleProfile",
    "records.verdict": "Verdict Check",
    "io.images.images": "Source",
    "records.field": "SampledField TiledField CornerField SumField",
    "fitting.spline.problem": "SplineField",
    "fitting.spline.basis": "Axis",
    "fitting.polynomial": "PolynomialField",
    "fitting.rigid": "RigidField",
    "fitting.gauge": "MovedField",
    "io.kinds.maps": "CubicField",
    "io.kinds.modules": "Module",
    "io.kinds.inverse": "ExtendedField InverseField",
    "io.kinds.tensor": "TensorSpline",
    "io.kinds.fit2d": "Fit2DSpline",
    "synthetic.fields": "LinearField RadialField PerspectiveField SmoothField",
}
#: Name in the file -> "module:class"; those that are called otherwise than their class come last.
RECORDS: dict[str, str] = {name: f"{module}:{name}" for module, names in _HOMES.items() for name in names.split()} | {
    "Fit2DSplineField": "io.kinds.fit2d:Fit2DField",
    "ZeroField": "fitting.tiles.tiles:_Still",
    "MirroredField": "io.kinds.readout:_Mirrored",
    "BinnedField": "io.kinds.readout:_Binned",
    "UnsignedField": "io.kinds.readout:_Unsigned",
    "PartField": "io.kinds.readout:FieldFrom",
}

#: Modules in which the records lived whose files name them so: versions before 0.2.
_MODULES = {
    "calibration": "Calibration Settings",
    "fit": "DistortionFit Pose TrialScore",
    "distortion": "Distortion",
    "plate": "Plate",
    "points": "ControlPoints",
    "spots": "Spots Noise HoleProfile",
    "verdict": "Verdict Check",
    "io.images": "Source",
    "field": "SampledField TiledField CornerField",
    "bspline": "SplineField",
    "splinebasis": "Axis",
    "polynomial": "PolynomialField",
    "rigid": "RigidField",
    "gauge": "MovedField",
    "io.maps": "CubicField",
    "io.modules": "Module",
    "io.inverse": "ExtendedField InverseField",
    "io.fit2d": "TensorSpline Fit2DSpline",
    "synthetic.fields": "LinearField RadialField PerspectiveField SmoothField SumField",
}
#: What they wrote -> name in the file today; those whose class was called otherwise than they are called now come last.
_BEFORE = {f"{module}:{name}": name for module, names in _MODULES.items() for name in names.split()} | {
    "io.fit2d:SplineField": "Fit2DSplineField",
    "tiles:_Still": "ZeroField",
    "io.reframed:_Mirrored": "MirroredField",
    "io.reframed:_Binned": "BinnedField",
    "io.reframed:_Unsigned": "UnsignedField",
}


def name_of(kind: type) -> str:
    """The name under which records of this class are written; where it lives, for a class of somebody else's.

    Raises
    ------
    TypeError
        A class of this package without a row: its files could not be read after a move.
    """
    home = f"{kind.__module__}:{kind.__qualname__}"
    ours = home.removeprefix(_PACKAGE)
    name = next((name for name, known in RECORDS.items() if known == ours), None)
    if name is None and ours != home:
        raise TypeError(f"{home} has no name in files: give it a row in {__name__}")
    return name or home


def class_of(name: str) -> type | None:
    """The class that a file names, None when there is no such record."""
    home = RECORDS.get(_BEFORE.get(name, name))
    if home is None:
        return None
    module, _, kind = home.partition(":")
    found: type = getattr(importlib.import_module(_PACKAGE + module), kind)
    return found
