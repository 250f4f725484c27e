"""Names under which records stand in files, whatever module their class lives in.

A name, once written, is for ever: a class may move or be renamed as long as its row here says where to. A record that
is new to files gets a row; a test looks for what may be stored and has none.
"""

from __future__ import annotations

import importlib

__all__ = ["RECORDS", "class_of", "name_of"]

#: Name in the file -> "module:class".
RECORDS: dict[str, str] = {
    "Calibration": "pyfai_gridcal.calibration:Calibration",
    "Settings": "pyfai_gridcal.records.settings:Settings",
    "DistortionFit": "pyfai_gridcal.records.fit:DistortionFit",
    "Pose": "pyfai_gridcal.records.fit:Pose",
    "TrialScore": "pyfai_gridcal.records.fit:TrialScore",
    "Distortion": "pyfai_gridcal.records.distortion:Distortion",
    "Plate": "pyfai_gridcal.records.plate:Plate",
    "ControlPoints": "pyfai_gridcal.records.points:ControlPoints",
    "Spots": "pyfai_gridcal.records.spots:Spots",
    "Noise": "pyfai_gridcal.records.spots:Noise",
    "HoleProfile": "pyfai_gridcal.records.spots:HoleProfile",
    "Verdict": "pyfai_gridcal.records.verdict:Verdict",
    "Check": "pyfai_gridcal.records.verdict:Check",
    "Source": "pyfai_gridcal.io.images.images:Source",
    "SampledField": "pyfai_gridcal.records.field:SampledField",
    "TiledField": "pyfai_gridcal.records.field:TiledField",
    "CornerField": "pyfai_gridcal.records.field:CornerField",
    "SplineField": "pyfai_gridcal.fitting.spline.problem:SplineField",
    "Axis": "pyfai_gridcal.fitting.spline.basis:Axis",
    "PolynomialField": "pyfai_gridcal.fitting.polynomial:PolynomialField",
    "RigidField": "pyfai_gridcal.fitting.rigid:RigidField",
    "MovedField": "pyfai_gridcal.fitting.gauge:MovedField",
    "CubicField": "pyfai_gridcal.io.kinds.maps:CubicField",
    "Fit2DSplineField": "pyfai_gridcal.io.kinds.fit2d:Fit2DField",
    "ZeroField": "pyfai_gridcal.fitting.tiles.tiles:_Still",
    "Module": "pyfai_gridcal.io.kinds.modules:Module",
    "ExtendedField": "pyfai_gridcal.io.kinds.inverse:ExtendedField",
    "InverseField": "pyfai_gridcal.io.kinds.inverse:InverseField",
    "MirroredField": "pyfai_gridcal.io.kinds.readout:_Mirrored",
    "BinnedField": "pyfai_gridcal.io.kinds.readout:_Binned",
    "UnsignedField": "pyfai_gridcal.io.kinds.readout:_Unsigned",
    "TensorSpline": "pyfai_gridcal.io.kinds.tensor:TensorSpline",
    "Fit2DSpline": "pyfai_gridcal.io.kinds.fit2d:Fit2DSpline",
    "LinearField": "pyfai_gridcal.synthetic.fields:LinearField",
    "RadialField": "pyfai_gridcal.synthetic.fields:RadialField",
    "PerspectiveField": "pyfai_gridcal.synthetic.fields:PerspectiveField",
    "SmoothField": "pyfai_gridcal.synthetic.fields:SmoothField",
    "SumField": "pyfai_gridcal.synthetic.fields:SumField",
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
    name = next((name for name, known in RECORDS.items() if known == home), None)
    if name is None and home.startswith(f"{__name__.partition('.')[0]}."):
        raise TypeError(f"{home} has no name in files: give it a row in {__name__}")
    return name or home


def class_of(name: str) -> type | None:
    """The class that a file names, None when there is no such record."""
    home = RECORDS.get(_BEFORE.get(name, name))
    if home is None:
        return None
    module, _, kind = home.partition(":")
    found: type = getattr(importlib.import_module(module), kind)
    return found
