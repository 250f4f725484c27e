"""The result of fitting a distortion to control points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ..base.arrays import Bools, Floats
from ..base.frames import index_from_edge, raster_places
from ..base.geometry import hull_of, leaning, within_hull
from ..base.robust import rms
from ..base.units import format_length
from .distortion import Distortion
from .plate import Plate
from .points import ControlPoints

__all__ = ["DistortionFit", "Pose", "TrialScore"]


@dataclass(frozen=True)
class Lean:
    """How a plate leans, see :func:`~pyfai_gridcal.base.geometry.leaning`.

    Attributes
    ----------
    tilt_rad : (y, x) by how much it rises along each axis of the detector
    source_m : distance of the source, metres
    foot_m : (y, x) place on the detector plane below the source, where the plate touches it, metres
    """

    tilt_rad: tuple[float, float]
    source_m: float
    foot_m: tuple[float, float]

    def seen(self, places_m: Floats) -> Floats:
        """Where holes of the upright plate at places (N, 2) are seen, metres."""
        return np.asarray(leaning(places_m - self.foot_m, self.tilt_rad, self.source_m) + self.foot_m)

    def tilted(self, further: Floats) -> Lean:
        """The same with a further tilt (2,), rad."""
        return replace(self, tilt_rad=(self.tilt_rad[0] + float(further[0]), self.tilt_rad[1] + float(further[1])))


@dataclass(frozen=True)
class Pose:
    """Where the plate lay in one exposure: corrected (m) = rotation(angle) @ plate position + shift.

    Attributes
    ----------
    angle_rad : turn of the plate; positive turns its +x axis (fast) towards +y (slow)
    shift_m : (y, x) place of the plate's origin on the detector plane, corrected **edge** frame, metres
    lean : how the plate leant, if that was solved for
    """

    angle_rad: float
    shift_m: tuple[float, float]
    lean: Lean | None = None

    def __repr__(self) -> str:
        slow, fast = map(format_length, self.shift_m)
        return f"<Pose: turned by {np.rad2deg(self.angle_rad):+.4f}°, shifted by {slow} (slow), {fast} (fast)>"

    def corrected(self, positions_m: Floats, pixel_size: tuple[float, float]) -> Floats:
        """Plate positions (N, 2) metres -> corrected px, index frame."""
        c, s = np.cos(self.angle_rad), np.sin(self.angle_rad)
        y, x = positions_m[:, 0], positions_m[:, 1]
        on_plane = np.stack([c * y + s * x + self.shift_m[0], -s * y + c * x + self.shift_m[1]], axis=1)
        seen = on_plane if self.lean is None else self.lean.seen(on_plane)
        return index_from_edge(seen / np.asarray(pixel_size))


@dataclass(frozen=True)
class TrialScore:
    """One model that was tried.

    Attributes
    ----------
    name : of the recipe
    held_out_px : rms of the prediction of points that were not used, px per axis
    chosen : whether it was taken
    curve : pairs (log10 of the smoothness relative to the chosen one, held-out rms in px)
    note : in words, why not, if there is more to say
    """

    name: str
    held_out_px: float
    chosen: bool = False
    curve: tuple[tuple[float, float], ...] = ()
    note: str = ""


@dataclass(frozen=True, eq=False)
class DistortionFit:
    """A distortion with all that tells how good it is. Tuples have one entry per exposure.

    Attributes
    ----------
    distortion : the field, its mask and its uncertainty
    plate : with the errors of its holes where several exposures determined them
    points : control points that were given
    poses : placement of the plate in each exposure
    residual_yx : (M, 2) corrected - node, px
    held_out_yx : (M, 2) the same when the point itself was left out of the fit, px
    used : (M,) False for outliers
    plate_sigma_px : rms that the points scatter beyond their own sigma, px (error of the holes or of the model; 0 when
        none is seen)
    pixel_sigma_m : (slow, fast) standard uncertainty of the pixel size, metres; 0 when it was given
    trials : the recipes that were compared, the chosen one among them
    notes : remarks for the report, in words

    Examples
    --------
    >>> import numpy as np
    >>> from pyfai_gridcal import Plate, Spots, fit_distortion, index_spots
    >>> y, x = np.meshgrid(np.arange(10.0, 150, 20), np.arange(12.0, 250, 25), indexing="ij")
    >>> points = index_spots(Spots.from_positions(np.column_stack([y.ravel(), x.ravel()])))
    >>> fit = fit_distortion(points, plate=Plate("1mm,1.25mm"), shape=(160, 260), model="polynomial")
    >>> fit.recipe, round(fit.residual_px, 6)
    ('polynomial', 0.0)
    """

    distortion: Distortion
    plate: Plate
    points: tuple[ControlPoints, ...]
    poses: tuple[Pose, ...]
    residual_yx: tuple[Floats, ...]
    held_out_yx: tuple[Floats, ...]
    used: tuple[Bools, ...]
    plate_sigma_px: float = 0.0
    pixel_sigma_m: tuple[float, float] = (0.0, 0.0)
    trials: tuple[TrialScore, ...] = ()
    notes: tuple[str, ...] = field(default=())

    def __repr__(self) -> str:
        count, many, (ny, nx) = sum(map(len, self.points)), len(self.points), self.distortion.shape
        return (
            f"<DistortionFit: {self.recipe}, {count} control points in {many} exposure{'s' * (many != 1)}, "
            f"residual {self.residual_px:.4f} px, prediction error {self.held_out_px:.4f} px; "
            f"{ny} x {nx} px of {format_length(self.distortion.pixel_size)}>"
        )

    @property
    def recipe(self) -> str:
        """Name of the recipe that was taken."""
        return next((t.name for t in self.trials if t.chosen), "unknown")

    @property
    def residual_px(self) -> float:
        """Rms residual of the points used, px per axis, where uncertain ones count less; see
        :func:`~pyfai_gridcal.base.robust.rms`."""
        return self._rms(self.residual_yx)

    @property
    def plain_residual_px(self) -> float:
        """The same where all points count alike, however uncertain they are: one spot with dirt may make most of it."""
        return rms(used_rows(self, self.residual_yx))

    @property
    def held_out_px(self) -> float:
        """Rms held-out residual of the points used, px per axis; see :func:`~pyfai_gridcal.base.robust.rms`."""
        return self._rms(self.held_out_yx)

    @property
    def expected_error_px(self) -> float:
        """Rms error of the field that is to be expected at the pixels among the holes, px per axis.

        The held-out error holds the noise of the very spot that is predicted, and bridges a gap that the spot itself
        fills as soon as it is used. This is the rms of the map of the uncertainty over the valid pixels within the hull
        of the points used: the same held-out residuals, which scale that map, without both. NaN where no uncertainty is
        known.
        """
        return rms(self.among_holes()[1])

    def among_holes(self) -> tuple[Floats, Floats]:
        """Places (N, 2) of valid pixels on a raster within the hull of the points used, and the uncertainty (N, 2) of
        the displacement there, px; NaN where none is known."""
        d, step = self.distortion, max(1, max(self.distortion.shape) // 200)
        maps = d.sigma_maps(step)
        hull = hull_of(used_rows(self, [p.yx for p in self.points]))
        rows, columns = (np.arange(0, n, step, dtype=float) for n in d.shape)
        at = raster_places(rows, columns).reshape(-1, 2)
        values = np.full(at.shape, np.nan) if maps is None else np.stack(maps, axis=-1).reshape(-1, 2)
        if len(hull) < 3:
            return at[:0], values[:0]
        which = within_hull(hull, at)
        if d.mask is not None:
            which &= ~d.mask[::step, ::step].ravel()
        if maps is not None:
            which &= np.isfinite(values).all(axis=1)
        return at[which], values[which]

    def _rms(self, columns: tuple[Floats, ...]) -> float:
        return rms(used_rows(self, columns), used_rows(self, [p.sigma_yx for p in self.points]))


def used_rows(fit: DistortionFit, columns: Sequence[Floats]) -> Floats:
    """Rows (M, 2) of the used points of all exposures, of columns (N, 2) with one entry per exposure."""
    return np.concatenate([c[u] for c, u in zip(columns, fit.used, strict=True)]).reshape(-1, 2)


def used_sigmas(fit: DistortionFit) -> Floats:
    """Uncertainty (M, 2) of the used points with what they scatter beyond it, px."""
    return np.hypot(used_rows(fit, [p.sigma_yx for p in fit.points]), fit.plate_sigma_px)
