"""Positions of spots at the Cramér-Rao bound: weighted least squares of the learned profile.

Around each candidate the pixels D of a small window are fitted by ``B (1 + b.d) + A (1 + a.d) P(d - t)`` with P the profile of a hole, d the
offset from the window's centre and free position t, amplitude A and background B. The relative slopes a and b of the light are not fitted
spot by spot, where they would cost precision, but taken from the neighbours. Weights are the inverse variances by a noise model that comes
from the residuals of the fit itself, so `sigma_yx` follows from the normal matrix; pixels that contradict the profile (hot ones) are left
out. For independent pixels of variance v the bound is ``1 / sum((dP A / dt)**2 / v)`` for one coordinate, and the fit reaches it.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from ._typing import AnyArray, Bools, Floats
from .errors import PickingError
from .profile import Templates, disk_profile, learned_profile, normalised, profile_radius, window_reach
from .spots import HoleProfile, Noise, Polarity, SpotFlag, Spots

__all__ = ["refine"]

_CHUNK = 2048
_LEARN_FROM = 3000


@dataclass(frozen=True, eq=False)
class _Windows:
    """Pixels around N spots: data (N, m*m) with holes positive, weight 0 where there is no usable pixel."""

    corner: AnyArray
    data: AnyArray
    usable: Bools
    reach: int


@dataclass(frozen=True, eq=False)
class _State:
    """Where the fit stands: columns over the N spots."""

    yx: Floats
    amplitude: Floats
    background: Floats
    slope_a: Floats
    slope_b: Floats

    def select(self, rows: AnyArray) -> _State:
        return _State(
            self.yx[rows], self.amplitude[rows], self.background[rows], self.slope_a[rows], self.slope_b[rows]
        )


@dataclass(frozen=True, eq=False)
class _Fitted:
    yx: Floats
    amplitude: Floats
    background: Floats
    covariance: Floats
    chi2: Floats
    clipped: Bools
    good: Bools


class _Image:
    """An image prepared for cutting windows: padded, holes positive, with a map of usable pixels."""

    def __init__(self, image: AnyArray, mask: Bools | None, polarity: Polarity, saturation: float | None, pad: int):
        data = np.asarray(image, dtype=np.float32)
        usable = np.isfinite(data)
        if mask is not None:
            usable &= ~mask
        self.saturated = None
        if saturation is not None:
            hot = data >= saturation
            if hot.any():
                self.saturated = np.pad(hot, pad)
                usable &= ~hot
        data = np.where(usable, data, 0)
        self.sign = 1.0 if polarity == "bright" else -1.0
        self.data = np.pad(self.sign * data, pad)
        self.usable = np.pad(usable, pad)
        self.shape = image.shape
        self.pad = pad
        self.whole = bool(usable.all())

    def windows(self, yx: Floats, reach: int) -> _Windows:
        corner = np.rint(yx).astype(np.int64)
        ny, nx = self.data.shape
        top = np.clip(corner + self.pad - reach, 0, np.array([ny, nx]) - 2 * reach - 1)
        step = np.arange(2 * reach + 1)
        flat = (step[:, None] * nx + step[None, :]).ravel()
        index = (top[:, 0] * nx + top[:, 1])[:, None] + flat[None, :]
        return _Windows(
            top - self.pad + reach, self.data.ravel()[index], self.usable.ravel()[index], reach
        )

    def saturated_near(self, yx: Floats, reach: int) -> Bools:
        if self.saturated is None:
            return np.zeros(len(yx), bool)
        summed = ndimage.maximum_filter(self.saturated, 2 * reach + 1)
        k = np.clip(np.rint(yx).astype(int) + self.pad, 0, np.array(self.saturated.shape) - 1)
        return summed[k[:, 0], k[:, 1]]


def _model(
    state: _State, centre: AnyArray, templates: Templates, ramp: tuple[AnyArray, AnyArray]
) -> tuple[AnyArray, AnyArray, AnyArray, AnyArray, AnyArray]:
    """(P, dP/dy, dP/dx, light of amplitude, light of background), each (n, m*m) float32."""
    row, rest = Templates.phase(state.yx - centre)
    slow, fast = templates.slow[row], templates.fast[row]
    value = templates.value[row] + rest[:, :1].astype(np.float32) * slow + rest[:, 1:].astype(np.float32) * fast
    y, x = ramp
    la = 1 + state.slope_a[:, :1].astype(np.float32) * y + state.slope_a[:, 1:].astype(np.float32) * x
    lb = 1 + state.slope_b[:, :1].astype(np.float32) * y + state.slope_b[:, 1:].astype(np.float32) * x
    return value, slow, fast, la, lb


def _ramp(reach: int) -> tuple[AnyArray, AnyArray]:
    k = np.arange(-reach, reach + 1, dtype=np.float32)
    y, x = np.meshgrid(k, k, indexing="ij")
    return y.ravel(), x.ravel()


def _fit_chunk(
    image: _Image, state: _State, templates: Templates, noise: Noise | None, iterations: int, limit: float
) -> tuple[_Fitted, AnyArray | None]:
    """Gauss-Newton on one chunk of spots; noise None means equal weights."""
    reach = templates.reach
    windows = image.windows(state.yx, reach)
    start = state.yx
    ramp = _ramp(reach)
    usable = windows.usable.astype(np.float32)
    clipped = np.zeros(len(start), bool)
    normal = np.empty((len(start), 4, 4))
    residual = weight = None
    for step in range(iterations + 1):
        value, slow, fast, la, lb = _model(state, windows.corner, templates, ramp)
        a = state.amplitude[:, None].astype(np.float32)
        jacobian = np.stack([a * slow * la, a * fast * la, value * la, lb], axis=1)
        level = a * jacobian[:, 2] + state.background[:, None].astype(np.float32) * lb
        residual = windows.data - level
        if noise is None:
            weight = usable
        else:
            variance = noise.variance(image.sign * level)
            weight = usable / variance
            if step >= 1:
                # a learned profile is not perfect: what it misses grows with the amplitude
                tolerance = 25 * variance + (0.12 * a) ** 2
                wild = (residual**2 > tolerance) & windows.usable
                few = np.count_nonzero(wild, axis=1) <= 0.2 * np.count_nonzero(windows.usable, axis=1)
                wild &= few[:, None]
                weight = np.where(wild, 0, weight)
                clipped = wild.any(axis=1)
        weighted = jacobian * weight[:, None, :]
        normal = np.matmul(weighted, jacobian.transpose(0, 2, 1)).astype(np.float64)
        if step == iterations:
            break
        right = np.matmul(weighted, residual[:, :, None]).astype(np.float64)
        move = _solve(normal, right[:, :, 0])
        shift = np.clip(move[:, :2], -0.7, 0.7)
        yx = np.clip(state.yx + shift, start - limit, start + limit)
        # the window's phase covers half a pixel; farther, cut it anew
        state = replace(
            state, yx=yx, amplitude=state.amplitude + move[:, 2], background=state.background + move[:, 3]
        )
        if (np.abs(state.yx - windows.corner) > 0.55).any():
            windows = image.windows(state.yx, reach)
            usable = windows.usable.astype(np.float32)
    assert residual is not None
    assert weight is not None
    covariance = _inverse(normal)
    freedom = np.maximum(np.count_nonzero(weight > 0, axis=1) - 4, 1)
    if noise is None:
        chi2 = (residual**2 * weight).sum(axis=1) / freedom
        covariance = covariance * chi2[:, None, None]
    else:
        chi2 = (residual**2 * weight).sum(axis=1) / freedom
    good = (np.abs(state.yx - start).max(axis=1) < 0.98 * limit) & (state.amplitude > 0)
    good &= np.isfinite(covariance).all(axis=(1, 2)) & (covariance[:, 0, 0] > 0) & (covariance[:, 1, 1] > 0)
    fitted = _Fitted(state.yx, state.amplitude, state.background, covariance, chi2, clipped, good)
    return fitted, None


def _damped(normal: Floats) -> Floats:
    diagonal = np.einsum("nii->ni", normal)
    scale = 1 / np.sqrt(np.maximum(diagonal, 1e-30))
    scaled: Floats = normal * scale[:, :, None] * scale[:, None, :]
    scaled[:, np.arange(4), np.arange(4)] += 1e-7
    return scaled


def _solve(normal: Floats, right: Floats) -> Floats:
    scale = 1 / np.sqrt(np.maximum(np.einsum("nii->ni", normal), 1e-30))
    solved: Floats = np.linalg.solve(_damped(normal), (right * scale)[:, :, None])[:, :, 0] * scale
    return solved


def _inverse(normal: Floats) -> Floats:
    scale = 1 / np.sqrt(np.maximum(np.einsum("nii->ni", normal), 1e-30))
    inverse: Floats = np.linalg.inv(_damped(normal)) * scale[:, :, None] * scale[:, None, :]
    return inverse


def _fit(
    image: _Image, state: _State, templates: Templates, noise: Noise | None, *, iterations: int, limit: float, workers: int
) -> _Fitted:
    rows = [np.arange(k, min(k + _CHUNK, len(state.yx))) for k in range(0, len(state.yx), _CHUNK)]

    def run(chunk: AnyArray) -> _Fitted:
        return _fit_chunk(image, state.select(chunk), templates, noise, iterations, limit)[0]

    if workers > 1 and len(rows) > 1:
        with ThreadPoolExecutor(workers) as pool:
            parts = list(pool.map(run, rows))
    else:
        parts = [run(chunk) for chunk in rows]
    names = ("yx", "amplitude", "background", "covariance", "chi2", "clipped", "good")
    return _Fitted(*(np.concatenate([getattr(p, name) for p in parts]) for name in names))


def _light_slopes(yx: Floats, amplitude: Floats, background: Floats, spacing: float) -> tuple[Floats, Floats]:
    """Relative gradients (per px) of amplitude and background at each spot, from smooth fields through all of them."""
    cell = 1.0 * spacing
    low = yx.min(axis=0) - 1.5 * cell
    size = np.ceil((yx.max(axis=0) - low) / cell).astype(int) + 3
    k = (yx - low) / cell
    near = np.rint(k).astype(int)
    flat = near[:, 0] * size[1] + near[:, 1]
    out = []
    reference = np.maximum(ndimage.median(amplitude) if len(amplitude) else 1.0, 1e-9)
    for values in (amplitude, background):
        typical = np.median(values)
        spread = np.median(np.abs(values - typical)) + 1e-9
        clean = np.clip(values, typical - 8 * spread, typical + 8 * spread)
        # moments of a local linear fit: the cells give the mean and the first moments, so uneven filling does no harm
        smooth = _smooth_fit(k, near, flat, size, clean)
        slope = smooth / cell
        least = 0.2 * reference if values is amplitude else 1e-9
        level = np.copysign(np.maximum(np.abs(clean), least), clean)
        out.append(slope / level[:, None])
    return np.clip(out[1], -0.05, 0.05), out[1]


def _smooth_fit(k: Floats, near: AnyArray, flat: AnyArray, size: AnyArray, values: Floats) -> Floats:
    """Gradient (N, 2) per cell of a Gaussian-weighted local linear fit on a raster of cells."""
    n = int(size[0] * size[1])
    y, x = k[:, 0], k[:, 1]
    moments = {}
    for name, v in {
        "1": np.ones(len(y)), "y": y, "x": x, "yy": y * y, "xx": x * x, "yx": y * x, "v": values, "vy": values * y, "vx": values * x
    }.items():
        grid = np.bincount(flat, weights=v, minlength=n).reshape(size)
        moments[name] = ndimage.gaussian_filter(grid, 1.0, mode="constant")[near[:, 0], near[:, 1]]
    w = np.maximum(moments["1"], 1e-12)
    mean = {name: moments[name] / w for name in moments}
    cyy = mean["yy"] - mean["y"] ** 2
    cxx = mean["xx"] - mean["x"] ** 2
    cyx = mean["yx"] - mean["y"] * mean["x"]
    cvy = mean["vy"] - mean["v"] * mean["y"]
    cvx = mean["vx"] - mean["v"] * mean["x"]
    ridge = 0.05
    det = (cyy + ridge) * (cxx + ridge) - cyx**2
    return np.stack([((cxx + ridge) * cvy - cyx * cvx) / det, ((cyy + ridge) * cvx - cyx * cvy) / det], axis=1)


def _noise_from(image: _Image, fitted: _Fitted, state: _State, templates: Templates) -> Noise:
    """Variance against level from the residuals of whole spots, robustly: a straight line through the medians of bins."""
    windows = image.windows(state.yx, templates.reach)
    value, _, _, la, lb = _model(state, windows.corner, templates, _ramp(templates.reach))
    level = state.amplitude[:, None] * value * la + state.background[:, None] * lb
    square = (windows.data - level) ** 2
    ok = windows.usable.ravel()
    # the steep rim shows errors of the profile rather than noise
    steep = templates.slow[0] ** 2 + templates.fast[0] ** 2
    flat = np.broadcast_to(steep < 0.3 * steep.max(), windows.usable.shape).ravel() & ok
    use = flat if flat.sum() > 200 else ok
    level, square = (image.sign * level).ravel()[use], square.ravel()[use]
    if len(level) < 20:
        raise PickingError("too few usable pixels around the spots to judge the noise", hint="check the mask")
    edges = np.quantile(level, np.linspace(0, 1, 13))
    where = np.clip(np.searchsorted(edges, level, side="right") - 1, 0, 11)
    bins = [where == b for b in range(12) if np.count_nonzero(where == b) >= 20]
    # the median of a chi square of one degree of freedom is 0.455
    x = np.array([level[b].mean() for b in bins])
    v = np.array([np.median(square[b]) / 0.4549 for b in bins])
    floor = max(float(v.min()), 1 / 12 if np.all(image.data == np.rint(image.data)) else 0.0, 1e-12)
    span = float(x.max() - x.min())
    gain = 0.0
    if len(x) > 1 and span > 0:
        w = 1 / v**2
        xm, vm = np.average(x, weights=w), np.average(v, weights=w)
        gain = max(0.0, float(np.average((x - xm) * (v - vm), weights=w) / np.average((x - xm) ** 2, weights=w)))
        base = float(vm - gain * (xm - x.min()))
    else:
        base = float(np.median(v))
    base = max(base, 0.3 * floor)
    return Noise(gain, float(np.sqrt(base)), float(x.min()) if len(x) else 0.0)


def refine(
    image: AnyArray,
    yx: Floats,
    *,
    polarity: Polarity,
    radius_px: float,
    mask: Bools | None = None,
    saturation: float | None = None,
    noise: Noise | None = None,
    profile: HoleProfile | None = None,
    flags: AnyArray | None = None,
    workers: int = 2,
) -> Spots:
    """Fit the profile of a hole at every candidate.

    Parameters
    ----------
    image : (ny, nx) counts
    yx : (N, 2) first positions, px, index frame, good to about a third of the radius
    polarity, radius_px : of the holes; 30 % off in the radius does no harm
    mask : (ny, nx), True = ignore this pixel
    saturation : readings from here on are ignored
    noise : known noise model, else it is estimated
    profile : known profile (then only positions are fitted), else it is learned from these spots
    flags : (N,) bits to start from

    Returns
    -------
    Spots, in the order of `yx`; those whose fit failed are dropped

    Raises
    ------
    PickingError
        No candidate could be fitted.
    """
    yx = np.asarray(yx, dtype=float).reshape(-1, 2)
    if not len(yx):
        raise PickingError("no candidates to refine", hint="check polarity and hole size")
    spacing = _spacing(yx)
    reach = window_reach(radius_px, spacing)
    prepared = _Image(image, mask, polarity, saturation, reach + 2)
    limit = max(1.5, 0.6 * radius_px)
    state = _start(prepared, yx, reach, radius_px)
    if profile is None:
        known, state, noise_found, reach = _learn(prepared, state, reach, radius_px, spacing, limit, workers)
        profile, noise = known, noise or noise_found
        prepared = _Image(image, mask, polarity, saturation, reach + 2)
    assert noise is not None
    templates = Templates.of(profile, reach)
    fitted = _fit(prepared, state, templates, noise, iterations=3, limit=limit, workers=workers)
    if len(yx) >= 12 and fitted.good.sum() >= 9:
        ok = fitted.good
        slope_a, slope_b = _light_slopes(fitted.yx[ok], fitted.amplitude[ok], fitted.background[ok], spacing)
        full_a, full_b = np.zeros((len(yx), 2)), np.zeros((len(yx), 2))
        full_a[ok], full_b[ok] = slope_a, slope_b
        state = _State(fitted.yx, fitted.amplitude, fitted.background, full_a, full_b)
        fitted = _fit(prepared, state, templates, noise, iterations=2, limit=limit, workers=workers)
    return _spots(prepared, fitted, profile, noise, polarity, templates, flags)


def _spacing(yx: Floats) -> float:
    """Distance that most spots have to their nearest neighbour, px (low quantile)."""
    if len(yx) < 2:
        return float("inf")
    distance, _ = cKDTree(yx).query(yx, k=2)
    return float(np.quantile(distance[:, 1], 0.25))


def _start(image: _Image, yx: Floats, reach: int, radius: float) -> _State:
    """Amplitude and background from the middle and the rim of each window."""
    windows = image.windows(yx, reach)
    y, x = _ramp(reach)
    r = np.hypot(y, x)
    middle, rim = r <= max(1.0, 0.5 * radius), r >= max(reach - 0.5, 0.9 * r.max() * 0.7)

    def mean(where: AnyArray) -> Floats:
        w = windows.usable[:, where]
        m: Floats = (windows.data[:, where] * w).sum(axis=1) / np.maximum(w.sum(axis=1), 1)
        return m.astype(float)

    background = mean(rim)
    zero = np.zeros((len(yx), 2))
    return _State(yx, np.maximum(mean(middle) - background, 1e-3), background, zero, zero)


def _learn(
    image: _Image, state: _State, reach: int, radius: float, spacing: float, limit: float, workers: int
) -> tuple[HoleProfile, _State, Noise, int]:
    """Profile and noise model from the whole, undisturbed spots."""
    ny, nx = image.shape
    whole = (state.yx > reach + 1).all(axis=1) & (state.yx < np.array([ny, nx]) - reach - 2).all(axis=1)
    if not image.whole:
        k = np.rint(state.yx).astype(int)
        dirty = ndimage.minimum_filter(image.usable, 2 * reach + 3)[
            np.clip(k[:, 0] + image.pad, 0, image.usable.shape[0] - 1), np.clip(k[:, 1] + image.pad, 0, image.usable.shape[1] - 1)
        ]
        whole &= dirty
    rows = np.flatnonzero(whole)
    if len(rows) < 4:
        rows = np.arange(len(state.yx))
    if len(rows) > _LEARN_FROM:
        rows = rows[np.linspace(0, len(rows) - 1, _LEARN_FROM).astype(int)]
    sample = state.select(rows)
    profile = disk_profile(radius, max(0.8, 0.15 * radius), reach)
    noise: Noise | None = None
    for turn in range(4):
        templates = Templates.of(profile, reach)
        fitted = _fit(image, sample, templates, noise, iterations=3 if turn == 0 else 2, limit=limit, workers=workers)
        strong = fitted.good & (fitted.amplitude > 0.3 * np.median(fitted.amplitude[fitted.good])) if fitted.good.any() else fitted.good
        if not strong.any():
            raise PickingError("no candidate looks like a hole", hint="check polarity and hole size")
        typical = np.median(fitted.chi2[strong])
        strong &= fitted.chi2 < 4 * typical + 1e-12
        sample = _State(fitted.yx, fitted.amplitude, fitted.background, sample.slope_a, sample.slope_b).select(np.flatnonzero(strong))
        profile = _relearn(image, sample, templates, profile)
        if turn >= 1:
            noise = _noise_from(image, fitted, sample, Templates.of(profile, reach))
    assert noise is not None
    return profile, state, noise, reach


def _relearn(image: _Image, sample: _State, templates: Templates, profile: HoleProfile) -> HoleProfile:
    windows = image.windows(sample.yx, templates.reach)
    y, x = _ramp(templates.reach)
    value, _, _, la, lb = _model(sample, windows.corner, templates, (y, x))
    level = sample.amplitude[:, None] * value * la + sample.background[:, None] * lb
    residual = (windows.data - level) / sample.amplitude[:, None]
    offset = sample.yx - windows.corner
    scale = np.median(np.abs(residual), axis=0) + 1e-12
    weight = (windows.usable & (np.abs(residual) < 8 * scale)).astype(float)
    weight *= np.minimum(sample.amplitude / np.median(sample.amplitude), 1.0)[:, None] ** 2
    offsets = (y[None, :] - offset[:, :1], x[None, :] - offset[:, 1:])
    per_bin = windows.data.size / profile.table.size
    learned = learned_profile(profile, offsets, residual, weight, fourfold=per_bin < 30)
    return normalised(learned, templates.reach)


def _spots(
    image: _Image, fitted: _Fitted, profile: HoleProfile, noise: Noise, polarity: Polarity, templates: Templates, flags: AnyArray | None
) -> Spots:
    ny, nx = image.shape
    yx, reach = fitted.yx, templates.reach
    bits = np.zeros(len(yx), np.uint8) if flags is None else np.array(flags, np.uint8)
    border = ((yx < reach) | (yx > np.array([ny, nx]) - 1 - reach)).any(axis=1)
    usable = image.windows(yx, reach).usable
    inside = (reach + np.minimum(np.rint(yx), reach)).clip(0) * 0 + 1
    del inside
    bits |= np.where(border, SpotFlag.BORDER, 0).astype(np.uint8)
    bits |= np.where(~usable.all(axis=1) & ~border, SpotFlag.MASKED, 0).astype(np.uint8)
    bits |= np.where(image.saturated_near(yx, reach), SpotFlag.SATURATED, 0).astype(np.uint8)
    bits |= np.where(fitted.clipped, SpotFlag.CLIPPED, 0).astype(np.uint8)
    sigma = np.sqrt(np.abs(np.einsum("nii->ni", fitted.covariance)[:, :2]))
    # chi square beyond its own scatter means that the model is wrong there, and the position less sure than counted
    sigma *= np.sqrt(np.maximum(fitted.chi2, 1.0))[:, None]
    signal = fitted.amplitude / np.sqrt(np.maximum(fitted.covariance[:, 2, 2], 1e-30))
    good = fitted.good & (signal > 4) & (sigma.max(axis=1) < 0.5 * max(profile_radius(profile), 1.0))
    good &= ((yx > -0.5) & (yx < np.array([ny, nx]) - 0.5)).all(axis=1)
    if not good.any():
        raise PickingError("no candidate looks like a hole", hint="check polarity and hole size")
    keep = np.flatnonzero(good)
    return Spots(
        yx[keep],
        sigma[keep],
        fitted.amplitude[keep],
        (image.sign * fitted.background)[keep],
        fitted.chi2[keep],
        bits[keep],
        polarity,
        2 * profile_radius(profile),
        noise,
        profile,
    )
