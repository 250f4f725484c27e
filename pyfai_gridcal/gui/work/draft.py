"""The settings while they are being filled in. Free of Qt."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import MISSING, dataclass, field, fields, make_dataclass

from ...base.errors import UsageError
from ...records.settings import Settings

#: The fields of the settings, all of which may be None while they are filled in.
_Fields = make_dataclass(
    "_Fields",
    [(f.name, f.type, field(default=None if f.default is MISSING else f.default)) for f in fields(Settings)],  # type: ignore[misc]
    frozen=True,
)


@dataclass(frozen=True)
class Draft(_Fields):  # type: ignore[valid-type, misc]
    """The core's settings while they are being filled in: what the core needs may still be None."""

    def settings(self) -> Settings:
        """The core's settings.

        Raises
        ------
        UsageError
            Something is missing or contradicts something else.
        """
        if self.pitch is None:
            raise UsageError("no pitch is given", expected="the distance of neighbouring holes", hint="such as 5mm")
        return self.anyway()

    def anyway(self) -> Settings:
        """The core's settings for the stages that need no pitch."""
        given = {f.name: getattr(self, f.name) for f in fields(Settings)}
        any_pitch = 1e-3 if self.hole is None else 2 * self.hole
        return Settings(**given | {"pitch": any_pitch if self.pitch is None else self.pitch})

    @property
    def hole_scale(self) -> tuple[Hashable, ...]:
        """What the size of a hole in pixels depends on."""
        return () if self.hole is None else (self.hole, self.pixel, self.detector, self.pitch)
