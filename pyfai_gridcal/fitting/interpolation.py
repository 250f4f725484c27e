"""Fields that pass through the points: thin plates, and the linear or cubic triangles of `scipy.interpolate.griddata`.

They follow the noise of the spots, and outliers too: references to compare with, and a choice for few, exact points.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from ..base.arrays import AnyArray, Bools, Floats, Ints
from ..base.frames import raster_places
from ..records.field import SampledField
from .recipe import FieldFit, Sample

__all__ = ["GridData", "ThinPlate", "held_out", "scattered_folds"]

#: Parts that are left out in turn: with ten, what is left is nearly as dense as all of it.
_FOLDS = 10


def _sampled(predict: Callable[[Floats], Floats], sample: Sample, step: float) -> SampledField:
    """A field sampled over the detector, a rim of half a pixel included."""
    y, x = (
        np.linspace(first - 0.5, first + n - 0.5, max(2, int(np.ceil(n / step)) + 1))
        for first, n in zip(sample.origin, sample.shape, strict=True)
    )
    nodes = raster_places(y, x).reshape(-1, 2)
    return SampledField(y, x, predict(nodes).reshape(len(y), len(x), 2))


class _Interpolant:
    """What is the same for all interpolants: a field sampled by steps, held-out errors of some folds."""

    name: str
    step: float

    def _predict(self, sample: Sample, yx: Floats) -> Floats:
        raise NotImplementedError

    def fit(self, sample: Sample) -> FieldFit:
        """Interpolate the points that are to be used."""
        kept = sample.select(sample.used)
        field = _sampled(lambda yx: self._predict(kept, yx), sample, self.step)
        # the points' own residuals say nothing here, since the field passes through them
        missed = held_out(sample, scattered_folds(len(sample), _FOLDS), self._predict)
        used = sample.used & np.isfinite(missed).all(axis=1)
        missed = np.where(np.isfinite(missed), missed, 0.0)
        scale = np.sqrt(np.mean(missed[used] ** 2)) if used.any() else 1.0
        return FieldFit(
            name=self.name,
            field=field,
            residual=field.at(sample.yx) - sample.d,
            held_out=missed,
            used=used,
            z=missed / max(float(scale), 1e-12),
            leverage=np.full(sample.d.shape, 1 - 1e-9),
            freedom=float(used.sum()),
            note=f"prediction error from {_FOLDS} folds",
            sigma=sample.sigma,
        )


@dataclass(frozen=True)
class ThinPlate(_Interpolant):
    """Thin-plate spline through the points (`scipy.interpolate.RBFInterpolator`).

    Each place from its nearest points.
    """

    neighbours: int = 60
    step: float = 8.0
    name: str = "thinplate"

    def _predict(self, sample: Sample, yx: Floats) -> Floats:
        from scipy.interpolate import RBFInterpolator

        scale = sample.spacing
        count = min(self.neighbours, len(sample))
        return np.asarray(RBFInterpolator(sample.yx / scale, sample.d, neighbors=count)(yx / scale))


@dataclass(frozen=True)
class GridData(_Interpolant):
    """Cubic triangles between the points, the value of the nearest point outside: what tutorials do."""

    step: float = 2.0
    name: str = "griddata"

    def _predict(self, sample: Sample, yx: AnyArray) -> Floats:
        from scipy.interpolate import griddata

        out = np.asarray(griddata(sample.yx, sample.d, yx, method="cubic"))
        outside = ~np.isfinite(out).all(axis=1)
        if outside.any():
            out[outside] = griddata(sample.yx, sample.d, yx[outside], method="nearest")
        return out


def scattered_folds(count: int, folds: int, seed: int = 0) -> Ints:
    """Fold (N,) of each point, drawn at random."""
    order = np.random.default_rng(seed).permutation(count)
    out = np.empty(count, dtype=np.int64)
    out[order] = np.arange(count) % folds
    return out


def held_out(sample: Sample, fold: Ints, predict: Callable[[Sample, Floats], Floats]) -> Floats:
    """Predicted - given displacement (N, 2) of each point by a field that did not see its fold.

    Parameters
    ----------
    sample : the points; only those to be used take part in the fits
    fold : (N,) fold of each point
    predict : (sample, points (M, 2)) -> displacement (M, 2)
    """
    out = np.full(sample.d.shape, np.nan)
    for test in _folds(fold):
        train = sample.select(~test & sample.used)
        if len(train) >= 3:
            out[test] = predict(train, sample.yx[test]) - sample.d[test]
    return out


def _folds(fold: Ints) -> Iterator[Bools]:
    for k in np.unique(fold):
        yield fold == k
