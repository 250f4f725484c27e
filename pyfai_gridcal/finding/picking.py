"""Candidates for spots: compact things of about the size of a hole that stand out of their surroundings.

The image, binned so that a hole stays some four pixels wide, is convolved with a disk of the hole's size minus a ring
around it. The peaks of this contrast are the candidates: found by pyFAI's inverse watershed, placed by a quadratic
through their neighbours. A candidate is kept when its contrast is significant against the noise and not small against
that of its neighbourhood; a global threshold would fail on uneven light.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from scipy import fft, ndimage

from ..base.arrays import AnyArray, Floats, freeze, select_rows
from ..records.spots import Polarity
from .survey import binned

#: Hole radius on the image that is searched, px: enough to tell a hole from a hot pixel, few enough pixels to be quick.
_SEARCH_RADIUS = 1.75
#: On more pixels, 256 x 256, or with more maxima, these are listed by a maximum filter: the watershed takes time for
#: every one of them, and to be loaded; the result is the same (a test compares).
_WATERSHED_PIXELS, _WATERSHED_MAXIMA = 1 << 16, 12_000
#: Side of the hills that replace the noise, px, odd: wide enough to be few, low enough to be climbed in seven steps.
_HILL = 15
#: Pixels that are looked at together: few enough for the cache of a core.
_BAND = 1 << 17


@dataclass(frozen=True, eq=False)
class Candidates:
    """Places where a hole may be.

    Attributes
    ----------
    yx : (N, 2) px, index frame of the full image
    contrast : (N,) counts over the surroundings (positive for both polarities)
    relative : (N,) contrast divided by the one that is typical for the neighbourhood
    significance : (N,) contrast over its own noise
    threshold : relative contrast above which candidates were kept
    """

    yx: Floats
    contrast: Floats
    relative: Floats
    significance: Floats
    threshold: float

    def __post_init__(self) -> None:
        freeze(self, 2, "yx")
        freeze(self, 1, "contrast", "relative", "significance")

    def __len__(self) -> int:
        return len(self.yx)

    @property
    def strong_first(self) -> Floats:
        """(N, 2) places, those of the largest relative contrast first."""
        return self.yx[np.argsort(-self.relative, kind="stable")]

    def select(self, which: AnyArray) -> Candidates:
        """The candidates of a boolean mask or an array of indices."""
        return select_rows(self, which, "yx", "contrast", "relative", "significance")


def working_bin(radius_px: float) -> int:
    """Binning at which holes of this radius are searched."""
    return max(1, int(radius_px / _SEARCH_RADIUS))


def _kernel(radius: float) -> AnyArray:
    """Disk minus ring, sum 0, sum of the disk 1; anti-aliased, odd size."""
    outer = 2.0 * radius + 1.0
    half = int(np.ceil(outer))
    fine = (np.arange(-half * 8 - 4, half * 8 + 4) + 0.5) / 8
    r = np.hypot(fine[:, None], fine[None, :])

    def area(inside: AnyArray) -> AnyArray:
        n = 2 * half + 1
        share: AnyArray = inside.astype(np.float32).reshape(n, 8, n, 8).mean(axis=(1, 3))
        return share / share.sum()

    return area(r <= radius) - area((r > 1.3 * radius + 0.5) & (r <= outer))


def contrast_map(image: AnyArray, radius: float, polarity: Polarity) -> tuple[AnyArray, float]:
    """Mean over a disk minus mean over the ring around it, positive at holes; and the noise gain of this filter.

    `image` must have no masked pixels. The second value is the factor from the noise of a pixel to that of the
    contrast.
    """
    kernel = _kernel(radius)
    sign = 1.0 if polarity == "bright" else -1.0
    half = kernel.shape[0] // 2
    padded = np.pad(np.asarray(image, np.float32), half, mode="symmetric")
    size = [fft.next_fast_len(n, real=True) for n in padded.shape]
    product = fft.rfft2(padded, size, workers=2)
    product *= _transform(sign * kernel, size)
    ny, nx = image.shape
    contrast = fft.irfft2(product, size, workers=2)[half : half + ny, half : half + nx]
    contrast = np.ascontiguousarray(contrast, dtype=np.float32)
    return contrast, float(np.sqrt((kernel**2).sum()))


def _transform(kernel: AnyArray, size: list[int]) -> AnyArray:
    """Fourier transform of a small kernel, symmetric along both axes, about its middle: real, (ny, nx // 2 + 1).

    A few cosines for each frequency, which is much less than the transform of a kernel padded to the size of an image.
    """
    half = kernel.shape[0] // 2
    quarter = kernel[half:, half:] * np.where(np.arange(half + 1) > 0, 2.0, 1.0)
    quarter = quarter * np.where(np.arange(half + 1) > 0, 2.0, 1.0)[:, None]
    waves = [
        np.cos(np.outer(2 * np.pi * frequency, np.arange(half + 1)))
        for frequency in (fft.fftfreq(size[0]), fft.rfftfreq(size[1]))
    ]
    out: AnyArray = (waves[0] @ quarter).astype(np.float32) @ waves[1].T.astype(np.float32)
    return out


def _highest_around(values: AnyArray) -> AnyArray:
    """Largest value among each pixel and its eight neighbours."""
    rows = values.copy()
    np.maximum(rows[1:], values[:-1], out=rows[1:])
    np.maximum(rows[:-1], values[1:], out=rows[:-1])
    out = rows.copy()
    np.maximum(out[:, 1:], rows[:, :-1], out=out[:, 1:])
    np.maximum(out[:, :-1], rows[:, 1:], out=out[:, :-1])
    return out


def _by_bands(work: Callable[[int, int], AnyArray], rows: int, width: int, multiple: int = 1) -> AnyArray:
    """What `work` makes of the rows from one up to another, band by band of `multiple` rows times any number: few
    enough pixels of this `width` to stay in the cache, two bands at a time."""
    height = max(1, _BAND // (width * multiple)) * multiple
    starts = range(0, rows, height)
    with ThreadPoolExecutor(2) as pool:
        return np.concatenate(list(pool.map(lambda start: work(start, min(start + height, rows)), starts)))


def _noise_map(image: AnyArray, cell: int = 64) -> AnyArray:
    """Noise of a pixel over cells of the image, by the spread of second differences along the slow axis."""
    second = np.abs(image[:-2:2, ::2] - 2 * image[1:-1:2, ::2] + image[2::2, ::2])
    count = [max(1, n // (cell // 2)) for n in second.shape]
    height, width = (n // c for n, c in zip(second.shape, count, strict=True))
    cells = second[: count[0] * height, : count[1] * width].reshape(count[0], height, count[1], width)
    samples = cells.transpose(0, 2, 1, 3).reshape(*count, height * width)
    rank = int(0.35 * (height * width - 1))
    # 0.454 is the 35 % quantile of |normal|; a lower quantile than the median sees less of the holes
    sigma: AnyArray = np.partition(samples, rank, axis=-1)[..., rank] / (0.454 * np.sqrt(6))
    return sigma


def _peaks(contrast: AnyArray, least: float) -> AnyArray:
    """Indices (N, 2) of the local maxima above `least`."""

    def maxima(start: int, stop: int) -> AnyArray:
        low = max(start - 1, 0)
        part = contrast[low : stop + 1]
        top = (part == _highest_around(part))[start - low : stop - low]
        top &= contrast[start:stop] > least
        return np.argwhere(top) + (start, 0)

    every = _by_bands(maxima, *contrast.shape)
    peaks = _thinned(every, contrast)
    # also the way out for clipped images, and drawings without noise: every pixel of a plateau is a maximum, and the
    # watershed drowns in them
    if contrast.size > _WATERSHED_PIXELS or not 0 < len(peaks) == len(every) <= _WATERSHED_MAXIMA:
        return peaks
    from pyFAI.ext.watershed import InverseWatershed

    watershed = InverseWatershed(_drained(contrast, least))
    watershed.init()
    watershed.merge_singleton()
    index = np.array(sorted({region.index for region in watershed.regions.values() if region.maxi > least}), dtype=int)
    return np.stack(np.unravel_index(index, contrast.shape), axis=1) if len(index) else np.empty((0, 2), int)


def _drained(contrast: AnyArray, least: float) -> AnyArray:
    """The contrast with regular low hills in place of what lies below `least`.

    The watershed takes time for every maximum, and nearly all of them are noise; and it takes time for every step of
    the way up to one, so that neither the noise nor one wide slope would do.
    """
    ny, nx = contrast.shape
    y, x = (np.abs(np.arange(n, dtype=np.float32) % _HILL - _HILL // 2) for n in (ny, nx))
    hills = np.float32(0.5 * least / _HILL) * (_HILL - y[:, None] - x[None, :])
    return np.ascontiguousarray(np.where(contrast > least, contrast, hills), dtype=np.float32)


def _thinned(peaks: AnyArray, contrast: AnyArray) -> AnyArray:
    """One maximum for each plateau: those that touch an equal one are reduced to one of them."""
    if len(peaks) < 2:
        return peaks
    at, nx = np.ravel_multi_index(tuple(peaks.T), contrast.shape), contrast.shape[1]
    if not any(np.isin(at + step, at, assume_unique=True).any() for step in (1, nx - 1, nx, nx + 1)):
        return peaks
    flat = np.zeros(contrast.shape, bool)
    flat[tuple(peaks.T)] = True
    labels, count = ndimage.label(flat, structure=np.ones((3, 3)))
    if count == len(peaks):
        return peaks
    _, first = np.unique(labels[tuple(peaks.T)], return_index=True)
    return peaks[first]


def _place(contrast: AnyArray, peaks: AnyArray) -> Floats:
    """Sub-pixel maxima (N, 2) next to integer ones: those of the quadratic through the neighbours, as pyFAI's
    ``Bilinear.local_maxi`` has them; where these lie off, the middle of what the nine pixels hold."""
    far = np.array(contrast.shape) - 2
    inside = np.asarray(((peaks > 0) & (peaks <= far)).all(axis=1))
    y, x = np.clip(peaks, 1, far).T
    at = {(a, b): contrast[y + a, x + b] for a in (-1, 0, 1) for b in (-1, 0, 1)}
    up, right = (at[1, 0] - at[-1, 0]) / 2, (at[0, 1] - at[0, -1]) / 2
    twice = 2 * at[0, 0].astype(float)  # where it is the difference of large numbers that counts
    yy, xx = (((a - twice) + b).astype(np.float32) for a, b in ((at[1, 0], at[-1, 0]), (at[0, 1], at[0, -1])))
    yx = (at[1, 1] - at[1, -1] - at[-1, 1] + at[-1, -1]) / 4
    total = sum(at.values())
    with np.errstate(divide="ignore", invalid="ignore"):
        step = np.stack([yx * right - xx * up, yx * up - yy * right], axis=1) / (yy * xx - yx * yx)[:, None]
        middle = [sum(value * place[k] for place, value in at.items()) / total for k in (0, 1)]
    step = np.where((np.abs(step) <= 1).all(axis=1)[:, None], step, np.stack(middle, axis=1))
    inside &= (np.abs(step) <= 1.5).all(axis=1)
    return np.asarray(peaks + np.where(inside[:, None], step, 0.0), dtype=np.float64)


def _reference(contrast: AnyArray, reach: float, at: AnyArray) -> AnyArray:
    """Typical contrast of the holes around the pixels `at` (N, 2): a power mean that the strong ones dominate, hot
    pixels clipped."""
    step = max(2, int(contrast.size**0.5) // 1024)
    most = np.quantile(np.clip(contrast[::step, ::step], 0, None), 0.9995)
    # a mean over `reach` needs no finer raster than an eighth of it
    coarse = max(1, min(int(reach / 8), *(n // 4 for n in contrast.shape)))
    size = max(3, int(reach / coarse) | 1)

    def powers(start: int, stop: int) -> AnyArray:
        positive = np.clip(contrast[start:stop], 0, most)
        power = positive * positive * positive
        return np.stack([binned(one, coarse) for one in (power * positive, power)], axis=1)

    rows = contrast.shape[0] // coarse * coarse
    both = _by_bands(powers, rows, contrast.shape[1], coarse)
    above, below = (
        ndimage.uniform_filter(ndimage.uniform_filter(both[:, k], size, mode="reflect"), size, mode="reflect")
        for k in (0, 1)
    )
    typical = above / np.maximum(below, 1e-6 * float(below.max()) + 1e-30)
    out: AnyArray = typical[tuple(np.minimum(at // coarse, np.array(typical.shape) - 1).T)]
    return out


def pick(
    image: AnyArray, *, polarity: Polarity, radius_px: float, threshold: float = 0.35, significance: float = 4.5
) -> Candidates:
    """List the candidates of an image without masked pixels.

    Parameters
    ----------
    image : (ny, nx) float32
    polarity : of the holes
    radius_px : of the holes, px; 30 % off does no harm
    threshold : least contrast relative to the neighbourhood's
    significance : least contrast relative to the noise
    """
    factor = working_bin(radius_px)
    small = binned(image, factor)
    contrast, gain = contrast_map(small, max(1.2, radius_px / factor), polarity)
    noise = _noise_map(small) * gain
    least = significance * float(noise.min())
    peaks = _peaks(contrast, max(least, 1e-6 * float(contrast.max())))
    places = _place(contrast, peaks)
    value = contrast[tuple(peaks.T)].astype(float)
    reference = _reference(contrast, 16 * radius_px / factor, peaks)
    cell = np.minimum((peaks * np.array(noise.shape) / np.array(contrast.shape)).astype(int), np.array(noise.shape) - 1)
    local_noise = noise[tuple(cell.T)]
    relative = value / np.maximum(reference, 1e-12)
    strength = value / np.maximum(local_noise, 1e-12)
    keep = (relative > threshold) & (strength > significance)
    half = (factor - 1) / 2
    return Candidates(factor * places[keep] + half, value[keep], relative[keep], strength[keep], threshold)
