"""What a detector is besides the places of its pixels: its sensor, and what belongs to its images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from ..base.arrays import AnyArray, frozen_array
from ..base.errors import UsageError
from ..base.units import format_length, parse_length

#: Names of what belongs to the images of a detector pixel by pixel.
IMAGES = ("flat", "dark")
#: Materials of which pyFAI knows the absorption (2026.9).
MATERIALS = ("Si", "Ge", "CdTe", "GaAs", "Gd2O2S", "BaFBr0.85I0.15", "Se", "CZT")


@dataclass(frozen=True)
class Sensor:
    """What the photons are absorbed in; pyFAI's parallax correction needs it.

    Attributes
    ----------
    material : by pyFAI's name
    thickness_m : metres; None for so thick that all is absorbed

    Examples
    --------
    >>> from pyfai_gridcal.records.traits import Sensor
    >>> print(Sensor.parse("cdte,1mm"))
    CdTe, 1 mm
    """

    material: str
    thickness_m: float | None = None

    @classmethod
    def parse(cls, text: str) -> Sensor:
        """Understand ``CdTe,1mm``, or ``Si`` for a thick one.

        Raises
        ------
        UsageError
            Not such a text, or a material of which pyFAI knows nothing: it would correct nothing, with no more than a
            line in its log.
        """
        name, comma, length = (part.strip() for part in text.partition(","))
        known = {one.lower(): one for one in MATERIALS}
        if name.lower() not in known:
            expected = f"one of {', '.join(MATERIALS)}, and its thickness"
            raise UsageError(f"sensor {text!r}", expected=expected, hint="such as Si,320um")
        return cls(known[name.lower()], parse_length(length, name="thickness of the sensor") if comma else None)

    def __str__(self) -> str:
        return self.material if self.thickness_m is None else f"{self.material}, {format_length(self.thickness_m)}"

    def config(self) -> dict[str, object]:
        """As pyFAI writes it in the configuration of a detector."""
        return {"material": self.material} | ({} if self.thickness_m is None else {"thickness": self.thickness_m})


@dataclass(frozen=True, eq=False)
class Traits:
    """What a detector is besides the places of its pixels.

    Attributes
    ----------
    sensor : None when it is not known
    flat : (ny, nx), by which pyFAI divides the images of the detector, or None
    dark : (ny, nx), which pyFAI subtracts from them, or None
    dummy : counts that stand for no measurement, or None
    delta_dummy : how far from it counts still do, or None
    """

    sensor: Sensor | None = None
    flat: AnyArray | None = None
    dark: AnyArray | None = None
    dummy: float | None = None
    delta_dummy: float | None = None

    def __post_init__(self) -> None:
        for name in IMAGES:
            if (array := getattr(self, name)) is not None:
                object.__setattr__(self, name, frozen_array(array, array.dtype, 2))

    def seen(self, flat: Callable[[AnyArray], AnyArray], dark: Callable[[AnyArray], AnyArray] | None = None) -> Traits:
        """Those of images that show the detector otherwise: what becomes of the flat, and of the dark where that is
        something else."""
        if self.flat is None and self.dark is None:
            return self
        new = None if self.flat is None else flat(self.flat), None if self.dark is None else (dark or flat)(self.dark)
        return replace(self, flat=new[0], dark=new[1])

    def words(self) -> tuple[str, ...]:
        """What there is, in words."""
        told = {
            f"the sensor ({self.sensor})": self.sensor,
            "the flat field": self.flat,
            "the dark current": self.dark,
            f"the dummy ({self.dummy:g})" if self.dummy is not None else "": self.dummy,
        }
        return tuple(words for words, value in told.items() if value is not None)


#: Of a detector of which nothing else is known.
NO_TRAITS = Traits()
