"""Positions of spots at the Cramér-Rao bound: weighted least squares of the learned profile.

Around each candidate the pixels D of a small window are fitted by ``B (1 + b.d) + A (1 + a.d) P(d - t)`` with P the
profile of a hole, d the offset from the window's middle, and free position t, amplitude A and background B. The
relative slopes a and b of the light are not fitted spot by spot, where they would cost precision, but taken from the
neighbours; and where a hole is cut by a border, amplitude and background lean on the neighbours too. Holes stretched
by the distortion are fitted with the profile stretched alike. Weights are the inverse variances by a noise model that
comes from the residuals of the fit itself, so `sigma_yx` follows from the normal matrix; pixels that contradict the
profile (hot ones) are left out. For independent pixels of variance v the bound of one coordinate is ``1 / sum((A
dP/dt)**2 / v)``.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace

import numpy as np

from ._typing import AnyArray, Bools, Floats
from .light import Light
from .profile import TemplateBank, Templates
from .spots import Noise
from .windows import PreparedImage, Windows, ramp

__all__ = ["FittedSpots", "SpotState", "fit_spots", "model_of", "start_from"]

#: Pixels that are fitted at a time, and the least number of spots: few enough for the cache, enough for the calls not
#: to count.
_CHUNK, _LEAST = 1 << 17, 32
#: Below so many pixels threads wait for each other longer than they work.
_WORTH_THREADS = 500_000
#: A pixel is left out when it is this many sigma off the fit ...
_WILD = 5.0
#: ... and also this share of the amplitude, since a learned profile is not perfect.
_TOLERANCE = 0.12
_GLARING = 0.8
#: A spot has come near its place when a step is shorter than this, px: the next one ends it.
_NEAR = 0.03
#: At the start, when neither place nor noise are known, a pixel is left out when it is off by so many amplitudes.
_HOT = 1.5


@dataclass(frozen=True, eq=False)
class SpotState:
    """Where a fit stands: columns over N spots, holes positive.

    Attributes
    ----------
    yx, amplitude, background : (N, 2) px, (N,) and (N,) counts
    slope_a, slope_b : (N, 2) relative gradients of the light on hole and background, per px
    stretch : (N, 2, 2) of the holes against the learned one, None for none
    bend : (N, 4, 2) how the field bends within a hole (:func:`~pyfai_gridcal.completion.local_frames`), None for not;
        with it, `yx` is the image of the hole's centre and not the middle of its picture
    prior : (N, 4) expected amplitude, its sigma, expected background, its sigma; sigma infinite for no
        expectation; or None
    """

    yx: Floats
    amplitude: Floats
    background: Floats
    slope_a: Floats
    slope_b: Floats
    stretch: Floats | None = None
    prior: Floats | None = None
    bend: Floats | None = None

    def __len__(self) -> int:
        return len(self.yx)

    def select(self, rows: AnyArray) -> SpotState:
        """The spots `rows`."""
        return SpotState(
            self.yx[rows],
            self.amplitude[rows],
            self.background[rows],
            self.slope_a[rows],
            self.slope_b[rows],
            None if self.stretch is None else self.stretch[rows],
            None if self.prior is None else self.prior[rows],
            None if self.bend is None else self.bend[rows],
        )

    def changed(self, rows: AnyArray, part: SpotState) -> SpotState:
        """The same where the spots `rows` stand as they do in `part`."""
        if len(rows) == len(self):
            return part
        columns = {}
        for name in ("yx", "amplitude", "background", "slope_a", "slope_b"):
            columns[name] = getattr(self, name).copy()
            columns[name][rows] = getattr(part, name)
        return replace(self, **columns)

    def moved(self, fitted: FittedSpots) -> SpotState:
        """The same spots where a fit left them."""
        return replace(self, yx=fitted.yx, amplitude=fitted.amplitude, background=fitted.background)

    def lit(self, light: Light, lean: Bools) -> SpotState:
        """The same with the light's slopes, and with its level as a prior for the spots where `lean` (N,) is true."""
        free = np.where(lean, 1.0, np.inf)
        prior = np.stack(
            [light.amplitude, light.amplitude_sigma * free, light.background, light.background_sigma * free], axis=1
        )
        return replace(self, slope_a=light.slope_a, slope_b=light.slope_b, prior=prior)


@dataclass(frozen=True, eq=False)
class FittedSpots:
    """What a fit found: columns over N spots, holes positive.

    Attributes
    ----------
    yx, amplitude, background : as in :class:`SpotState`
    covariance : (N, 4, 4) of (y, x, amplitude, background), or (N, 6, 6) with (tilt y, tilt x) where that was fitted
    chi2 : (N,) reduced chi square (of the mean square, without a noise model)
    clipped : (N,) whether pixels were left out as wild
    good : (N,) whether the fit stayed near its start with a positive amplitude
    tilt : (N, 2) relative gradient of the light that was found beyond the slopes of the start, per px; 0 unless fitted
    """

    yx: Floats
    amplitude: Floats
    background: Floats
    covariance: Floats
    chi2: Floats
    clipped: Bools
    good: Bools
    tilt: Floats


def start_from(image: PreparedImage, yx: Floats, reach: int, radius: float) -> SpotState:
    """A start at `yx` (N, 2): amplitude and background from the middle and the rim of each window."""
    windows = image.windows(yx, reach)
    y, x = ramp(reach)
    r = np.hypot(y, x)

    def mean(where: AnyArray) -> Floats:
        w = windows.usable[:, where]
        m: Floats = (windows.data[:, where] * w).sum(axis=1, dtype=float) / np.maximum(w.sum(axis=1), 1)
        return m

    background = mean(r >= reach - 0.5)
    zero = np.zeros((len(yx), 2))
    return SpotState(yx, np.maximum(mean(r <= max(1.0, 0.5 * radius)) - background, 1e-3), background, zero, zero)


def model_of(
    state: SpotState, windows: Windows, templates: Templates, rest: Floats
) -> tuple[AnyArray, AnyArray, AnyArray, AnyArray]:
    """(light x profile, its derivatives by y and x, light of the background), each (N, m * m) float32."""
    row, shift = Templates.phase(state.yx - windows.middle)
    slow, fast = templates.slow[row], templates.fast[row]
    y, x = ramp(templates.reach)
    one = np.float32
    along_y, along_x = shift[:, :1].astype(one), shift[:, 1:].astype(one)
    offset = (state.yx - windows.middle).astype(one)
    dy, dx = y - offset[:, :1], x - offset[:, 1:]
    if rest.any():
        e = rest.astype(one)[..., None]
        along_y, along_x = (along + dy * e[:, 0, k] + dx * e[:, 1, k] for k, along in enumerate((along_y, along_x)))
    if state.bend is not None:
        b = state.bend.astype(one)[..., None]
        along_y, along_x = (
            along + b[:, 0, k] + dy * (dy * b[:, 1, k] + dx * b[:, 2, k]) + dx * dx * b[:, 3, k]
            for k, along in enumerate((along_y, along_x))
        )
    value = templates.value[row] + along_y * slow + along_x * fast
    a, b = state.slope_a.astype(one), state.slope_b.astype(one)
    light = 1 + a[:, :1] * y + a[:, 1:] * x
    return value * light, slow * light, fast * light, 1 + b[:, :1] * y + b[:, 1:] * x


@dataclass(frozen=True, eq=False)
class _View:
    """Pixels around spots, from where a fit stands: what they should read, its derivatives (light x profile, those by
    y and x, light of the background), and what is left over."""

    level: AnyArray
    derivatives: tuple[AnyArray, AnyArray, AnyArray, AnyArray]
    residual: AnyArray
    usable: Bools


@dataclass(frozen=True, eq=False)
class _Look:
    """Weights of what is left over, and the equations of the next step."""

    residual: AnyArray
    weight: AnyArray
    wild: Bools
    normal: Floats
    right: Floats


@dataclass(frozen=True, eq=False)
class _Job:
    """What the spots of one class of stretch are fitted with; without a noise model all pixels weigh the same."""

    image: PreparedImage
    templates: Templates
    noise: Noise | None
    tilt: float | None

    def view(self, state: SpotState, windows: Windows, rest: Floats) -> _View:
        value, slow, fast, ground = model_of(state, windows, self.templates, rest)
        a, b = (v[:, None].astype(np.float32) for v in (state.amplitude, state.background))
        level = a * value + b * ground
        return _View(level, (value, a * slow, a * fast, ground), windows.data - level, windows.usable)

    def look(self, state: SpotState, view: _View, tilted: Floats, tolerance: float | None = None) -> _Look:
        """Weigh what is seen; pixels that are off by `tolerance` amplitudes (and much more than their noise) do not
        count."""
        noise, tilt, level, residual = self.noise, self.tilt, view.level, view.residual
        wild = np.zeros(len(state), bool)
        if noise is None:
            weight: AnyArray = view.usable.astype(np.float32)
        else:
            variance: AnyArray = noise.variance(self.image.sign * level)
            weight = view.usable / variance
            if tolerance is not None:
                least = (tolerance * state.amplitude[:, None].astype(np.float32)) ** 2
                far = (residual**2 > _WILD**2 * variance + least) & view.usable
                count = np.count_nonzero(far, axis=1)
                wild = (count > 0) & (count <= 0.2 * np.count_nonzero(view.usable, axis=1))
                weight[far & wild[:, None]] = 0
        jacobian = np.empty((len(state), 4 if tilt is None else 6, level.shape[1]), np.float32)
        jacobian[:, 2], jacobian[:, 0], jacobian[:, 1], jacobian[:, 3] = view.derivatives
        if tilt is not None:
            y, x = ramp(self.templates.reach)
            jacobian[:, 4], jacobian[:, 5] = level * y, level * x
        weighted = jacobian * weight[:, None, :]
        normal = np.matmul(weighted, jacobian.transpose(0, 2, 1)).astype(np.float64)
        right = np.matmul(weighted, residual[:, :, None])[:, :, 0].astype(np.float64)
        # equal weights are not inverse variances: leave the prior to the fits that know the noise
        if state.prior is not None and noise is not None:
            for k, column in ((2, 0), (3, 2)):
                strength = 1 / state.prior[:, column + 1] ** 2
                normal[:, k, k] += strength
                now = state.amplitude if k == 2 else state.background
                right[:, k] += strength * (state.prior[:, column] - now)
        if tilt is not None:
            for k in (4, 5):
                normal[:, k, k] += 1 / tilt**2
                right[:, k] -= tilted[:, k - 4] / tilt**2
        return _Look(residual, weight, wild, normal, right)


def _calm(amplitude: Floats, view: _View) -> Bools:
    """Usable pixels without those that cannot belong to a hole: the start knows neither place nor noise, but nothing of
    a hole is off by more than its amplitude."""
    off = np.abs(view.residual)
    some = off[::8][view.usable[::8]]
    spread = 1.4826 * float(np.median(some)) if len(some) else 0.0
    most = _HOT * np.maximum(amplitude, np.median(amplitude)) + 6 * spread
    out: Bools = view.usable & (off < most[:, None].astype(np.float32))
    return out


def _fit_chunk(job: _Job, state: SpotState, rest: Floats, iterations: int, limit: float) -> FittedSpots:
    """Gauss-Newton on spots of one class of stretch.

    Each spot takes as many steps as it needs to come near its place; then comes one step, and a last look, in which
    wild pixels do not count: while a fit is still on its way only the glaring ones are left out, for rims that are
    misplaced look wild, too.
    """
    start = state.yx
    windows = job.image.windows(start, job.templates.reach)
    tilted = np.zeros((len(start), 2))
    rows = np.arange(len(start))
    for step in range(iterations):
        last = step == iterations - 1 or not len(rows)
        if last:
            rows = np.arange(len(start))
        part, cut = state.select(rows), windows.select(rows)
        view = job.view(part, cut, rest[rows])
        if step == 0:
            view = replace(view, usable=_calm(part.amplitude, view))
            windows = replace(windows, usable=view.usable)
        look = job.look(part, view, tilted[rows], _TOLERANCE if last else _GLARING if step else None)
        move = _solve(look.normal, look.right)
        if job.tilt is not None:
            tilted[rows] += move[:, 4:]
            part = replace(part, slope_a=part.slope_a + move[:, 4:], slope_b=part.slope_b + move[:, 4:])
        yx = np.clip(part.yx + np.clip(move[:, :2], -0.7, 0.7), start[rows] - limit, start[rows] + limit)
        far = np.abs(yx - part.yx).max(axis=1) > _NEAR
        part = replace(part, yx=yx, amplitude=part.amplitude + move[:, 2], background=part.background + move[:, 3])
        state = state.changed(rows, part)
        out = rows[(np.abs(yx - cut.middle) > 0.6).any(axis=1)]
        if len(out):
            windows = windows.changed(out, job.image.windows(state.yx[out], job.templates.reach))
        if last:
            break
        rows = rows[far]
    look = job.look(state, job.view(state, windows, rest), tilted, _TOLERANCE)
    return _summary(state, start, limit, look, job.noise, tilted)


def _summary(
    state: SpotState, start: Floats, limit: float, look: _Look, noise: Noise | None, tilted: Floats
) -> FittedSpots:
    residual, weight = look.residual, look.weight
    freedom = np.maximum(np.count_nonzero(weight > 0, axis=1) - 4, 1)
    chi2 = (residual**2 * weight).sum(axis=1, dtype=float) / freedom
    covariance = _inverse(look.normal)
    if noise is None:
        covariance = covariance * chi2[:, None, None]
    good = (np.abs(state.yx - start).max(axis=1) < 0.98 * limit) & (state.amplitude > 0) & np.isfinite(chi2)
    good &= np.isfinite(covariance).all(axis=(1, 2)) & (covariance[:, 0, 0] > 0) & (covariance[:, 1, 1] > 0)
    return FittedSpots(state.yx, state.amplitude, state.background, covariance, chi2, look.wild, good, tilted)


def _scaled(normal: Floats) -> tuple[Floats, Floats]:
    """Normal matrices with unit diagonal (and a whiff of damping), and their scales."""
    scale: Floats = 1 / np.sqrt(np.maximum(np.einsum("nii->ni", normal), 1e-30))
    out: Floats = normal * scale[:, :, None] * scale[:, None, :]
    k = np.arange(normal.shape[1])
    out[:, k, k] += 1e-7
    return out, scale


def _solve(normal: Floats, right: Floats) -> Floats:
    scaled, scale = _scaled(np.nan_to_num(normal))
    out: Floats = np.linalg.solve(scaled, (np.nan_to_num(right) * scale)[:, :, None])[:, :, 0] * scale
    return out


def _inverse(normal: Floats) -> Floats:
    scaled, scale = _scaled(np.nan_to_num(normal))
    out: Floats = np.linalg.inv(scaled) * scale[:, :, None] * scale[:, None, :]
    return out


def fit_spots(
    image: PreparedImage,
    state: SpotState,
    bank: TemplateBank,
    noise: Noise | None,
    *,
    iterations: int,
    limit: float,
    tilt: float | None = None,
    workers: int = 2,
) -> FittedSpots:
    """Fit the profile of a hole at every spot of `state`.

    Parameters
    ----------
    image : prepared with a padding of at least the reach of the templates
    bank : templates of the profile, made for this state
    noise : variance of the pixels, None for equal weights
    limit : farthest that a spot may move from its start along an axis, px
    tilt : fit the gradient of the light at each spot as well, expected to differ by so much (relative, per px) from the
        slopes of the start; None leaves these as they are
    workers : threads
    """
    order = np.argsort(bank.label, kind="stable")
    sorted_labels = bank.label[order]
    window = (2 * bank.templates[0].reach + 1) ** 2
    size = max(_CHUNK // window, _LEAST)
    jobs = []
    for k, templates in enumerate(bank.templates):
        rows = order[np.searchsorted(sorted_labels, k) : np.searchsorted(sorted_labels, k, side="right")]
        jobs += [(rows[a : a + size], templates) for a in range(0, len(rows), size)]

    def run(piece: tuple[AnyArray, Templates]) -> FittedSpots:
        rows, templates = piece
        job = _Job(image, templates, noise, tilt)
        return _fit_chunk(job, state.select(rows), bank.rest[rows], iterations, limit)

    if workers > 1 and len(jobs) > 1 and len(state) * window > _WORTH_THREADS:
        with ThreadPoolExecutor(workers) as pool:
            parts = list(pool.map(run, jobs))
    else:
        parts = [run(job) for job in jobs]
    back = np.argsort(np.concatenate([rows for rows, _ in jobs]))
    return FittedSpots(*(np.concatenate([getattr(p, f.name) for p in parts])[back] for f in fields(FittedSpots)))
