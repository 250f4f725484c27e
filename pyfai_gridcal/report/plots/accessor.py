"""``calibration.plot``: the pictures of a calibration by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...base.errors import UsageError
from ...records.distortion import Distortion
from ...records.fit import DistortionFit
from ...records.result import Result
from . import maps, quality

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Plots:
    """Pictures of one calibration.

    Each method draws on `ax`, or on a new axes, and returns it.

    Parameters
    ----------
    calibration : :class:`~pyfai_gridcal.calibration.Calibration`
    """

    def __init__(self, calibration: Result):
        self._calibration = calibration

    def __repr__(self) -> str:
        names = sorted(name for name in vars(type(self)) if not name.startswith("_"))
        return f"pictures: {', '.join(names)}"

    @property
    def _fit(self) -> DistortionFit:
        return self._calibration.fit

    @property
    def _distortion(self) -> Distortion:
        return self._fit.distortion

    def _exposure(self, exposure: int) -> int:
        count = len(self._calibration.images)
        if not 0 <= exposure < count:
            raise UsageError(f"exposure {exposure}", expected=f"a number from 0 to {count - 1}")
        return exposure

    def image(self, exposure: int = 0, *, ax: Axes | None = None) -> Axes:
        """The image as it was used."""
        k = self._exposure(exposure)
        return maps.image(self._calibration.images[k], ax=ax, mask=self._calibration.masks[k])

    def spots(self, exposure: int = 0, *, ax: Axes | None = None, colour: maps.Colouring = "plain") -> Axes:
        """The spots over the image; those that the fit did not use are crossed."""
        import numpy as np

        k = self._exposure(exposure)
        spots, points = self._calibration.spots[k], self._fit.points[k]
        used = np.zeros(len(spots), bool)
        used[points.spot[self._fit.used[k]]] = True
        return maps.spots(spots, ax=ax, data=self._calibration.images[k], used=used, colour=colour)

    def displacement(self, component: maps.Component = "magnitude", *, ax: Axes | None = None) -> Axes:
        """Map of the displacement (corrected - observed): its length, "dy" or "dx", px."""
        return maps.displacement(self._distortion, component, ax=ax)

    def vectors(self, *, ax: Axes | None = None, count: int = 28) -> Axes:
        """The displacement as arrows."""
        return maps.vectors(self._distortion, ax=ax, count=count)

    def sigma(self, *, ax: Axes | None = None) -> Axes:
        """Map of the uncertainty of the displacement, px."""
        return maps.sigma(self._distortion, ax=ax)

    def residuals(self, exposure: int = 0, *, ax: Axes | None = None) -> Axes:
        """Residuals as arrows."""
        return quality.residuals(self._fit, self._exposure(exposure), ax=ax)

    def directions(self, exposure: int = 0, *, ax: Axes | None = None) -> Axes:
        """Directions of the residuals as colours."""
        return quality.residual_directions(self._fit, self._exposure(exposure), ax=ax)

    def histogram(self, *, ax: Axes | None = None) -> Axes:
        """Histogram of the residuals, and of the held-out ones."""
        return quality.residual_histogram(self._fit, ax=ax)

    def pulls(self, *, ax: Axes | None = None) -> Axes:
        """Histogram of the standardised residuals: residuals over the scatter that they should have."""
        return quality.pulls(self._fit, ax=ax)

    def against_sigma(self, *, ax: Axes | None = None) -> Axes:
        """Residual of each spot against its sigma."""
        return quality.residual_against_sigma(self._fit, ax=ax)

    def held_out(self, *, ax: Axes | None = None) -> Axes:
        """Prediction error against the smoothness, for each model that was tried."""
        return quality.held_out(self._fit, ax=ax)

    def subpixel_bias(self, *, ax: Axes | None = None) -> Axes:
        """Mean residual against the place of the spot within its pixel."""
        return quality.subpixel_bias(self._fit, ax=ax)

    def contrast(self, exposure: int = 0, *, ax: Axes | None = None) -> Axes:
        """Histogram of the amplitudes of the spots."""
        return quality.contrast(self._calibration.spots[self._exposure(exposure)], ax=ax)

    def before_after(self, exposure: int = 0, *, axes: Sequence[Axes] | None = None) -> Sequence[Axes]:
        """The image as recorded and as corrected by pyFAI, on two axes."""
        from ...correction.table import correct_known

        raw = self._calibration.images[self._exposure(exposure)]
        corrected = correct_known(raw, self._distortion, same_raster=True)
        return maps.before_after(raw, corrected.data, axes=axes, mask=corrected.mask)
