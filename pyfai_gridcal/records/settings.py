"""All that can be told to a calibration."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from numbers import Real
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from ..base.errors import UsageError
from ..base.geometry import as_pair
from ..base.quantities import QUANTITIES
from ..base.units import Length, Lengths, as_length, as_lengths, as_positions, format_length
from .distortion import Gauge
from .options import documented, option, option_of, told
from .plate import LatticeKind
from .traits import Sensor

LATTICES: tuple[LatticeKind, ...] = get_args(LatticeKind)
POLARITIES = ("auto", "bright", "dark")
#: Recipes for the field, see :mod:`pyfai_gridcal.fitting`; "auto" tries them.
MODELS = ("auto", "spline", "polynomial", "thinplate", "griddata", "rigid", "tiles", "mosaic")
_OPTIONAL, _RINGS = "optional settings", "powder rings"
_STANDING = "the plate as it is: what no image tells, for the uncertainty with the plate"
#: Settings that say how the plate was made and how it stood.
STANDING = ("tilt", "source", "gap", "pitch_tolerance", "expansion", "temperature")


@documented
@dataclass(frozen=True, repr=False)
class Settings:
    """All that can be told to a calibration; only the pitch must be.

    Lengths are metres, or texts with their unit, which become metres here.

    {attributes}

    Raises
    ------
    UsageError
        A value that cannot be meant.

    Examples
    --------
    >>> from pyfai_gridcal import Settings
    >>> Settings(pitch="3mm,2mm", hole="500 um").pitches
    (0.003, 0.002)
    >>> Settings(pitch="5")
    Traceback (most recent call last):
        ...
    pyfai_gridcal.base.errors.UsageError: pitch '5': 5 what?; expected a unit; write 5mm, or 5um
    """

    pitch: float | tuple[float, float] = field(
        metadata=option(
            "distance of neighbouring holes, with its unit (5mm, 500um); two values, 3mm,2mm, are along the axis of "
            "the grid nearest to slow (vertical), then along the other. (In pyFAI-calib2 -p is the pixel size, here "
            "--pixel)",
            "lengths",
            names=("-p", "--pitch"),
            empty="needed, such as 5mm",
        )
    )
    pixel: float | tuple[float, float] | None = told(
        None,
        "nominal pixel size, such as 50um or 50um,48um (slow, fast); by default it is chosen to make the "
        "displacement smallest",
        "lengths",
        what="pixel size",
        group=_OPTIONAL,
    )
    detector: str | None = told(
        None,
        "pyFAI's name of the detector, such as Pilatus1M: pixel size, gaps and modules come from it",
        metavar="NAME",
        names=("-D", "--detector"),
        group=_OPTIONAL,
    )
    plate: Any = told(
        None,
        "result of the same plate, with the measured errors of its holes, or a table of them (.csv): i, j, y_mm, x_mm, "
        "sigma_um",
        metavar="FILE",
        group=_OPTIONAL,
    )
    lattice: LatticeKind = told(
        "auto", "kind of grid (default: what the image tells)", "choice", choices=LATTICES, group=_OPTIONAL
    )
    angle: float | None = told(
        None, "angle between the axes of an oblique grid", "positive", unit="degrees", group=_OPTIONAL
    )
    polarity: str = told(
        "auto", "whether holes are brighter or darker than the plate", "choice", choices=POLARITIES, group=_OPTIONAL
    )
    hole: float | None = told(None, "diameter of the holes, with its unit", "length", group=_OPTIONAL)
    origin: tuple[float, float] | None = told(
        None,
        "the hole nearest to this pixel (slow, fast) gets the index (0, 0)",
        "pair",
        unit="px",
        metavar="Y,X",
        group=_OPTIONAL,
    )
    model: str = told(
        "auto",
        "auto, spline, polynomial, thinplate, griddata (reference only), mosaic, tiles, rigid (default: auto, "
        "the one that predicts left-out holes best)",
        metavar="NAME",
        group=_OPTIONAL,
    )
    gauge: Gauge = told(
        "least displacement",
        "reference frame of the correction: least (the displacement is as small as possible, default), centre (nothing "
        "moves there), or the pixel Y,X that stays where it is",
        "gauge",
        metavar="WHAT",
        group=_OPTIONAL,
    )
    max_sigma: float | None = told(
        None,
        "mask pixels whose position is more uncertain than this",
        "positive",
        unit="px",
        title="Largest sigma",
        group=_OPTIONAL,
    )
    positions: Sequence[tuple[float, float]] | None = told(
        None,
        "where motors had the plate in each of several exposures (slow, fast), with units: 0mm,0mm;2mm,-1mm or "
        "a file with one pair a line. A weak hint: the holes decide",
        "positions",
        metavar="FILE|Y,X;Y,X...",
        group=_OPTIONAL,
    )

    rings: Sequence[str] | None = told(
        None,
        "points of powder rings as pyFAI-calib2 writes them, with the PONI file of the same image; again for more "
        "images. Beside images of the grid, or alone with --detector",
        "files",
        metavar="FILE.npt:GEOMETRY.poni",
        names=("--rings",),
        group=_RINGS,
    )
    distances: str | None = told(
        None,
        "where a motor had the detector in each of these images, from any zero, and how exact its steps are: "
        "'100mm,200mm,300mm ± 1um'. Then rings tell the size of the pixels",
        metavar="D,D,...±SIGMA",
        group=_RINGS,
    )
    depths: bool = told(False, "modules may be tilted, and out of the plane, for the rings", "flag", group=_RINGS)
    sensor: str | None = told(
        None,
        "what the detector absorbs photons in, and how thick it is: CdTe,1mm (default: that of --detector, where there "
        "is one); pyFAI's parallax correction needs it",
        "sensor",
        metavar="MATERIAL,THICKNESS",
        group=_OPTIONAL,
    )
    serial: str | None = told(None, "serial number of the detector, for the report", group=_OPTIONAL)
    comment: str | None = told(None, "what the report shall say besides, such as who, where and when", group=_OPTIONAL)
    prior: Any = told(
        None,
        "older calibration of the same camera: only what has changed is fitted, from one exposure",
        metavar="FILE",
        group=_OPTIONAL,
    )
    tilt: float | None = told(
        None,
        "standard uncertainty of the plate's tilt about each axis, with its unit: 0.2deg",
        "angle",
        group=_STANDING,
    )
    source: float | str | None = told(
        None,
        "distance of the source, or of the lens, with its unit (10m), or parallel (default)",
        "source",
        metavar="LENGTH|parallel",
        group=_STANDING,
    )
    gap: float | None = told(
        None, "known distance of the plate from the sensor, which makes its shadow larger", "length", group=_STANDING
    )
    pitch_tolerance: float | None = told(
        None, "standard uncertainty of the pitch: 20ppm or 2e-5", "share", metavar="SHARE", group=_STANDING
    )
    expansion: float | None = told(
        None,
        "thermal expansion of the plate per kelvin: 16.5e-6 (copper), 4.5e-6 (tungsten)",
        "share",
        metavar="SHARE",
        group=_STANDING,
    )
    temperature: tuple[float, float] | None = told(
        None,
        "of the plate, degrees Celsius with their uncertainty: 23±2; its pitch is that of 20 degrees",
        "temperature",
        metavar="T±DT",
        group=_STANDING,
    )

    if TYPE_CHECKING:  # what may be given is more than what is kept

        def __init__(
            self, pitch: Lengths, pixel: Lengths | None = None, detector: str | None = None, plate: object = None,
            lattice: LatticeKind = "auto", angle: float | None = None, polarity: str = "auto",
            hole: Length | None = None, origin: tuple[float, float] | None = None, model: str = "auto",
            gauge: Gauge = "least displacement", max_sigma: float | None = None,
            positions: Sequence[tuple[Length, Length]] | str | None = None,
            rings: Sequence[str] | str | None = None, distances: str | None = None, depths: bool = False,
            sensor: str | None = None, serial: str | None = None, comment: str | None = None,
            prior: object = None,
            tilt: float | str | None = None, source: Length | None = None, gap: Length | None = None,
            pitch_tolerance: float | str | None = None, expansion: float | str | None = None,
            temperature: float | tuple[float, float] | str | None = None,
        ) -> None: ...  # fmt: skip

    def __post_init__(self) -> None:
        for name, in_metres in (
            ("pixel", as_lengths),
            ("hole", as_length),
            ("positions", as_positions),
            ("gap", as_length),
        ):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, in_metres(getattr(self, name), name=name))
        for name in STANDING:
            if (value := getattr(self, name)) is not None and (kind := option_of(Settings, name).kind) in QUANTITIES:
                object.__setattr__(self, name, QUANTITIES[kind][0](value, name=name))
        object.__setattr__(self, "pitch", as_lengths(self.pitch, name="pitch"))
        object.__setattr__(self, "prior", getattr(self.prior, "distortion", self.prior))
        if self.rings is not None:
            object.__setattr__(self, "rings", (self.rings,) if isinstance(self.rings, str) else tuple(self.rings))
        if max(self.pitches) > 1:
            raise UsageError(
                f"pitch={self.pitch!r} m", expected="a pitch below a metre", hint="lengths are in metres: 5e-3"
            )
        require_model(self.model)
        if self.sensor is not None:
            Sensor.parse(self.sensor)
        if self.polarity not in POLARITIES:
            raise UsageError(f"polarity={self.polarity!r}", expected=_either(POLARITIES))
        if self.lattice not in LATTICES:
            raise UsageError(f"lattice={self.lattice!r}", expected=_either(LATTICES))
        if self.lattice == "oblique" and self.angle is None:
            raise UsageError("an oblique lattice without its angle", hint="give angle=, in degrees")
        first, second = self.pitches
        if first != second and self.lattice in ("square", "hexagonal"):
            raise UsageError(f"two pitches {(first, second)} m for a {self.lattice} lattice", expected="one pitch")

        if self.hole is not None and self.hole >= min(first, second):
            raise UsageError(
                f"holes of {format_length(self.hole)} at a pitch of {format_length(self.pitches)}",
                expected="holes smaller than the pitch",
            )
        if (self.expansion is None) != (self.temperature is None):
            raise UsageError("one of expansion and temperature without the other", expected="both, or neither")
        if self.gap is not None and not isinstance(self.source, float):
            raise UsageError("a gap without the distance of the source", hint="in a parallel beam it does nothing")
        for name in ("angle", "max_sigma"):
            if (value := getattr(self, name)) is not None and not _is_number(value, above=0.0):
                raise UsageError(f"{name}={value!r}", expected="a positive number")
        if self.origin is not None and not _is_point(self.origin):
            raise UsageError(f"origin={self.origin!r}", expected="a pixel (y, x)")
        if not (_is_point(self.gauge) or self.gauge in ("least displacement", "centre")):
            raise UsageError(f"gauge={self.gauge!r}", expected="'least displacement', 'centre' or a pixel (y, x)")
        for name in ("origin", "gauge"):
            if _is_point(getattr(self, name)):
                object.__setattr__(self, name, as_pair(getattr(self, name)))

    def __repr__(self) -> str:
        given = (f"{f.name}={getattr(self, f.name)!r}" for f in fields(self) if getattr(self, f.name) != f.default)
        text = f"Settings({', '.join(given)})"
        return text if len(text) < 180 else f"{text[:176]}...)"

    @property
    def pitches(self) -> tuple[float, float]:
        """(along i, along j), metres."""
        return as_pair(self.pitch)


def require_model(model: str) -> None:
    """Refuse what is no model; UsageError."""
    if model not in MODELS:
        raise UsageError(f"model {model!r}", expected=f"one of {', '.join(MODELS)}")


def _either(choices: Sequence[str]) -> str:
    *most, last = map(repr, choices)
    return f"{', '.join(most)} or {last}"


def _is_number(value: object, *, above: float = -math.inf) -> bool:
    """Whether this is one finite number, above a limit."""
    return isinstance(value, Real) and not isinstance(value, bool) and above < float(value) < math.inf


def _is_point(value: object) -> bool:
    """Whether this is (y, x), finite."""
    return isinstance(value, Sequence | np.ndarray) and len(value) == 2 and all(_is_number(v) for v in value)
