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
    "Settings": "pyfai_gridcal.calibration:Settings",
    "DistortionFit": "pyfai_gridcal.fit:DistortionFit",
    "Pose": "pyfai_gridcal.fit:Pose",
    "TrialScore": "pyfai_gridcal.fit:TrialScore",
    "Distortion": "pyfai_gridcal.distortion:Distortion",
    "Plate": "pyfai_gridcal.plate:Plate",
    "ControlPoints": "pyfai_gridcal.points:ControlPoints",
    "Spots": "pyfai_gridcal.spots:Spots",
    "Noise": "pyfai_gridcal.spots:Noise",
    "HoleProfile": "pyfai_gridcal.spots:HoleProfile",
    "Verdict": "pyfai_gridcal.verdict:Verdict",
    "Check": "pyfai_gridcal.verdict:Check",
    "Source": "pyfai_gridcal.io.images:Source",
    "SampledField": "pyfai_gridcal.field:SampledField",
    "TiledField": "pyfai_gridcal.field:TiledField",
    "CornerField": "pyfai_gridcal.field:CornerField",
    "SplineField": "pyfai_gridcal.bspline:SplineField",
    "Axis": "pyfai_gridcal.splinebasis:Axis",
    "PolynomialField": "pyfai_gridcal.polynomial:PolynomialField",
    "RigidField": "pyfai_gridcal.rigid:RigidField",
    "MovedField": "pyfai_gridcal.gauge:MovedField",
    "CubicField": "pyfai_gridcal.io.maps:CubicField",
    "Fit2DSplineField": "pyfai_gridcal.io.fit2d:SplineField",
    "ZeroField": "pyfai_gridcal.tiles:_Still",
    "Module": "pyfai_gridcal.io.modules:Module",
    "ExtendedField": "pyfai_gridcal.io.inverse:ExtendedField",
    "InverseField": "pyfai_gridcal.io.inverse:InverseField",
    "MirroredField": "pyfai_gridcal.io.reframed:_Mirrored",
    "BinnedField": "pyfai_gridcal.io.reframed:_Binned",
    "UnsignedField": "pyfai_gridcal.io.reframed:_Unsigned",
    "TensorSpline": "pyfai_gridcal.io.fit2d:TensorSpline",
    "Fit2DSpline": "pyfai_gridcal.io.fit2d:Fit2DSpline",
    "LinearField": "pyfai_gridcal.synthetic.fields:LinearField",
    "RadialField": "pyfai_gridcal.synthetic.fields:RadialField",
    "PerspectiveField": "pyfai_gridcal.synthetic.fields:PerspectiveField",
    "SmoothField": "pyfai_gridcal.synthetic.fields:SmoothField",
    "SumField": "pyfai_gridcal.synthetic.fields:SumField",
}

#: Files of versions before 0.2 name the class by the module in which it lived then.
_BEFORE: dict[str, str] = {
    "calibration:Calibration": "Calibration",
    "calibration:Settings": "Settings",
    "fit:DistortionFit": "DistortionFit",
    "fit:Pose": "Pose",
    "fit:TrialScore": "TrialScore",
    "distortion:Distortion": "Distortion",
    "plate:Plate": "Plate",
    "points:ControlPoints": "ControlPoints",
    "spots:Spots": "Spots",
    "spots:Noise": "Noise",
    "spots:HoleProfile": "HoleProfile",
    "verdict:Verdict": "Verdict",
    "verdict:Check": "Check",
    "io.images:Source": "Source",
    "field:SampledField": "SampledField",
    "field:TiledField": "TiledField",
    "field:CornerField": "CornerField",
    "bspline:SplineField": "SplineField",
    "splinebasis:Axis": "Axis",
    "polynomial:PolynomialField": "PolynomialField",
    "rigid:RigidField": "RigidField",
    "gauge:MovedField": "MovedField",
    "io.maps:CubicField": "CubicField",
    "io.fit2d:SplineField": "Fit2DSplineField",
    "tiles:_Still": "ZeroField",
    "io.modules:Module": "Module",
    "io.inverse:ExtendedField": "ExtendedField",
    "io.inverse:InverseField": "InverseField",
    "io.reframed:_Mirrored": "MirroredField",
    "io.reframed:_Binned": "BinnedField",
    "io.reframed:_Unsigned": "UnsignedField",
    "io.fit2d:TensorSpline": "TensorSpline",
    "io.fit2d:Fit2DSpline": "Fit2DSpline",
    "synthetic.fields:LinearField": "LinearField",
    "synthetic.fields:RadialField": "RadialField",
    "synthetic.fields:PerspectiveField": "PerspectiveField",
    "synthetic.fields:SmoothField": "SmoothField",
    "synthetic.fields:SumField": "SumField",
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
