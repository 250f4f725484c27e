"""An old calibration brought up to date: only the change is fitted, as stiff as the points ask.

The change is what the points still ask for once they are corrected by the old calibration. Polynomials of the lowest
orders and a spline are compared by what they leave and by the number of their parameters (Akaike's criterion). What
comes out is the old field plus the change, and so are their variances.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..base.arrays import Floats
from ..base.errors import FittingError, UsageError
from ..base.units import format_length
from ..records.distortion import Distortion
from ..records.field import Field, SumField, TiledField
from ..records.fit import TrialScore
from .choice import Choice
from .polynomial import Polynomial
from .recipe import FieldFit, Sample, Uncertainty
from .spline.recipe import BSpline
from .support import support_of
from .view import PlateView

__all__ = ["updated"]

#: Highest order of a polynomial that is tried: with it goes what holders, lenses and temperatures do.
_MOST = 4
#: Of the square of what the points ask for, the share that an old calibration of this camera leaves at most; that of
#: another one as large adds its own.
_LEFT = 0.5
#: A change that needs so large a part of the parameters of the field itself, and more than a polynomial of the highest
#: order has, or that leaves so much more than a new field, is no smooth one.
_AS_ROUGH, _MISFIT = 0.5, 1.3
#: A part of the change is named when it is so many times its uncertainty.
_SEEN = 3.0


@dataclass(frozen=True, eq=False)
class _Both:
    """Variance of an old field and of its change."""

    old: Field | None
    change: Uncertainty

    def variance(self, yx: Floats) -> Floats:
        """(N, 2) px²."""
        return self.change.variance(yx) + (0.0 if self.old is None else self.old.at(yx) ** 2)


def updated(view: PlateView, prior: Distortion) -> Choice:
    """The prior with the change that the points of one exposure ask for.

    Raises
    ------
    UsageError
        A prior of another shape.
    FittingError
        A prior of another camera, or a change that is not smooth.
    """
    if prior.shape != view.shape:
        raise UsageError(f"a prior of shape {prior.shape} for an image of shape {view.shape}")
    if view.pixel_size is not None and not np.allclose(view.pixel_size, prior.pixel_size, rtol=1e-9):
        given, old = format_length(view.pixel_size), format_length(prior.pixel_size)
        raise UsageError(f"a pixel size of {given} and a prior of {old}", expected="none, or that of the prior")
    _, whole = view.placed()
    _, left = view.placed(prior=prior)
    _require_same_camera(whole, left)
    start, sample = replace(view, pixel_size=prior.pixel_size).placed(prior=prior)
    if prior.mask is not None:
        row, column = np.clip(np.rint(sample.yx).astype(int), 0, np.array(prior.shape) - 1).T
        sample = replace(sample, used=sample.used & ~prior.mask[row, column])
    fits = [Polynomial(order=order).fit(sample) for order in range(_MOST + 1)]
    fits.append(BSpline().fit(sample))
    anew = BSpline().fit(whole)
    variance = sample.sigma**2 + min(fit.nugget for fit in fits) ** 2
    scores = [_score(fit, variance) for fit in fits]
    change = fits[int(np.argmin(scores))]
    _require_smooth(change, anew, sample)
    field: Field
    if isinstance(prior.field, TiledField):
        field = TiledField(prior.field.labels, tuple(SumField((f, change.field)) for f in prior.field.fields))
    else:
        field = SumField((prior.field, change.field))
    assert change.uncertainty is not None
    fit = replace(change, name="prior", field=field, uncertainty=_Both(prior.sigma, change.uncertainty))
    trials = (
        TrialScore("prior", change.held_out_px, True, note=f"its change is a {change.name}, {change.note}"),
        TrialScore(anew.name, anew.held_out_px, False, anew.curve, "without the prior"),
    )
    nothing = np.zeros(view.shape, dtype=bool) if prior.mask is None else prior.mask
    words = _words(sample, change, variance)
    return Choice(fit, support_of(fit, sample), start, trials, nothing, (words,))


def _score(fit: FieldFit, variance: Floats) -> float:
    """Akaike's criterion: what is left, in units of the noise, and twice the number of parameters."""
    return float((fit.residual[fit.used] ** 2 / variance[fit.used]).sum()) + _per_outlier(fit) + 4 * fit.freedom


def _per_outlier(fit: FieldFit) -> float:
    """What points cost that a model does not explain: as much as the farthest that it may."""
    return 2 * 25.0 * float((~fit.used).sum())


def _square(sample: Sample) -> float:
    """Mean square of what is asked for beyond the noise, px²."""
    return float((sample.d[sample.used] ** 2).mean() - (sample.sigma[sample.used] ** 2).mean())


def _require_same_camera(whole: Sample, left: Sample) -> None:
    """Refuse a prior that explains less than a half of the displacement."""
    before, after = _square(whole), _square(left)
    noise = float((whole.sigma[whole.used] ** 2).mean())
    if after > _LEFT * max(before, 2 * noise):
        raise FittingError(
            f"the prior leaves {np.sqrt(after):.2g} px rms of the displacement of {np.sqrt(max(before, 0)):.2g} px",
            expected="an older calibration of the same camera",
            hint="without the prior it is calibrated anew",
        )


def _require_smooth(change: FieldFit, anew: FieldFit, sample: Sample) -> None:
    """Refuse a change that is as rough as a field, or that is not followed."""
    most = (_MOST + 1) * (_MOST + 2) / 2
    rough = change.freedom > max(_AS_ROUGH * anew.freedom, most)
    misfit = [float((f.residual[f.used] ** 2 / sample.sigma[f.used] ** 2).mean()) for f in (change, anew)]
    if rough or misfit[0] > _MISFIT * max(misfit[1], 1.0):
        raise FittingError(
            f"the change since the prior is not smooth: it needs {change.freedom:.0f} parameters and leaves "
            f"{np.sqrt(misfit[0]):.2g} times the noise",
            expected="a change of low order",
            hint="calibrate anew, without the prior",
        )


def _words(sample: Sample, change: FieldFit, variance: Floats) -> str:
    """What has changed, with its significance."""
    used = change.used
    weight = 1 / variance[used].mean(axis=1)
    yx = sample.yx[used] - np.average(sample.yx[used], axis=0, weights=weight)
    design = np.column_stack([np.ones(len(yx)), yx])
    normal = np.linalg.inv(design.T @ (design * weight[:, None]))
    slopes = (normal @ (design.T @ (sample.d[used] * weight[:, None])))[1:]
    sigma = float(np.sqrt(normal[1, 1] + normal[2, 2])) / 2
    parts = {
        "scale": (slopes[0, 0] + slopes[1, 1]) / 2,
        "stretch": (slopes[0, 0] - slopes[1, 1]) / 2,
        "shear": (slopes[0, 1] + slopes[1, 0]) / 2,
    }
    # places move against what the points ask for: the sign is that of the change of the correction
    seen = [f"{name} {1e6 * v:+.3g} ± {1e6 * sigma:.2g} ppm" for name, v in parts.items() if abs(v) > _SEEN * sigma]
    size = float(np.sqrt(((sample.d + change.residual)[used] ** 2).sum(axis=1).mean()))
    gain = float(((sample.d[used] ** 2 - change.residual[used] ** 2) / variance[used]).sum())
    spare = max(2 * change.freedom - 3, 1.0)
    significance = (gain - spare) / np.sqrt(2 * spare)
    if significance < _SEEN:
        return f"nothing has changed since the prior that the points could tell ({size:.2g} px rms)"
    return (
        f"changed since the prior by {size:.2g} px rms ({significance:.0f} sigma): {', '.join(seen) or 'higher orders'}"
    )
