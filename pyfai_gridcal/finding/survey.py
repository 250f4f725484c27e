"""A first look at an image: are the holes bright or dark, and about how large are they?

Nothing is assumed about pitch, lattice or light. The image is seen through centre-surround filters of growing size,
each divided by the local level so that uneven light does not count. The scale of the holes is where the filtered
image holds most energy; since holes cover the smaller part of a plate, the sign of the skewness there is the
polarity.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ..base.arrays import AnyArray, Bools, Floats, Ints, block_sums
from ..base.errors import PickingError
from ..records.spots import Polarity

#: Centre and surround of the box filters, px of the (binned) image, and the hole radius they answer to best.
_BOXES = ((3, 7, 1.7), (4, 9, 2.4))
#: Pixels of one level that are looked at; the scale comes in steps of 40 %, and more would not change the answer.
_SAMPLE = 400_000
#: Pixels that are gathered at a time around masked ones: 4 MB.
_GATHERED = 1 << 20


@dataclass(frozen=True)
class HoleGuess:
    """What a first look tells about the holes.

    Attributes
    ----------
    polarity : whether holes are brighter or darker than the plate
    radius_px : their radius, px, good to some 30 %
    """

    polarity: Polarity
    radius_px: float


def filled(image: AnyArray, mask: Bools | None) -> AnyArray:
    """Copy as float32 in which masked pixels hold the mean of their neighbourhood: filters see no edge there."""
    out = np.array(image, dtype=np.float32)
    bad = ~np.isfinite(out)
    if mask is not None:
        bad |= mask
    if not bad.any():
        return out
    if bad.all():
        raise PickingError("all pixels are masked", hint="check the mask: True (non-zero) means ignore")
    out[bad] = 0
    known = out.copy()
    good = (~bad).astype(np.float32)
    rest = np.flatnonzero(bad)
    for size in (5, 17, 65, 257):
        weight, value = _around(good, rest, size), _around(known, rest, size)
        now = weight > 0.05
        out.ravel()[rest[now]] = value[now] / weight[now]
        rest = rest[~now]
        if not len(rest):
            return out
    out.ravel()[rest] = np.median(out[~bad][:: max(1, out.size // 100_000)])
    return out


def _around(image: AnyArray, rows: Ints, size: int) -> AnyArray:
    """(N,) mean over the square of `size` px around the pixels `rows` of the flattened image, mirrored at its border.

    Few pixels are summed up on their own, many by a filter of the whole image, which costs as much as a sum over some
    pixels for each of its own.
    """
    if len(rows) * size**2 > 5 * image.size:
        return np.asarray(ndimage.uniform_filter(image, size).ravel()[rows])
    half, (ny, nx) = size // 2, image.shape
    step = np.arange(-half, half + 1)
    out = np.empty(len(rows), np.float32)
    part = max(1, _GATHERED // size**2)
    for start in range(0, len(rows), part):
        y, x = np.divmod(rows[start : start + part], nx)
        y, x = (_mirrored(at[:, None] + step, n) for at, n in ((y, ny), (x, nx)))
        out[start : start + part] = image[y[:, :, None], x[:, None, :]].mean(axis=(1, 2))
    return out


def _mirrored(at: Ints, count: int) -> Ints:
    """Places 0 .. count - 1 of places beyond, as scipy's filters have them: d c b a | a b c d | d c b a."""
    at = at % (2 * count)
    return np.where(at < count, at, 2 * count - 1 - at)


def squared(image: AnyArray, aspect: float) -> tuple[AnyArray, Floats]:
    """The image on square pixels as large as the shorter side of its own, and how many of these (slow, fast) make one.

    Parameters
    ----------
    aspect : of a pixel, slow over fast
    """
    per = np.maximum([aspect, 1 / aspect], 1.0)
    for axis in np.flatnonzero(per > 1.0):
        n = image.shape[axis]
        at = np.clip((np.arange(int(n * per[axis])) + 0.5) / per[axis] - 0.5, 0, n - 1)
        low = np.minimum(at.astype(int), n - 2)
        part = np.float32(at - low).reshape(-1, *[1] * (1 - axis))
        image = (1 - part) * image.take(low, axis) + part * image.take(low + 1, axis)
    return image, per


def without_lines(image: AnyArray) -> AnyArray:
    """The image (at least 5 x 5) without what is two pixels wide or less along either axis: lines and single pixels,
    not holes."""
    for axis in (0, 1):
        pad = [(2, 2) if k == axis else (0, 0) for k in (0, 1)]
        wide, n = np.pad(image, pad, mode="edge"), image.shape[axis]
        a, b = (wide.take(np.arange(start, start + n), axis) for start in (0, 4))
        image = np.clip(image, np.minimum(a, b), np.maximum(a, b))
    return image


def binned(image: AnyArray, factor: int) -> AnyArray:
    """Mean over blocks of `factor` x `factor` px; what does not fill a block at the far border is dropped."""
    if factor == 1:
        return image
    ny, nx = image.shape[0] // factor, image.shape[1] // factor
    out = block_sums(image[: ny * factor, : nx * factor], factor)
    out /= np.float32(factor**2)
    return out


def _sample(image: AnyArray) -> AnyArray:
    """Every n-th band of rows of a large image, stacked: enough to judge a scale."""
    n = image.size / _SAMPLE
    if n < 2:
        return image
    bands = np.array_split(np.arange(image.shape[0]), 6)
    half = [max(8, int(len(band) / (2 * n))) for band in bands]
    keep = [band[max(0, len(band) // 2 - h) : len(band) // 2 + h] for band, h in zip(bands, half, strict=True)]
    return image[np.concatenate(keep)]


def _energy(image: AnyArray, centre: int, surround: int, floor: float) -> tuple[float, float]:
    """Rms and skewness of the centre-surround contrast, outliers clipped."""
    contrast = ndimage.uniform_filter(image, centre) - ndimage.uniform_filter(image, surround)
    level = np.abs(ndimage.uniform_filter(image, 4 * surround + 1))
    contrast /= level + floor
    low, high = np.quantile(contrast[::3, ::3], (0.01, 0.99))
    clipped = np.clip(contrast, 1.5 * min(low, 0.0), 1.5 * max(high, 0.0))
    square = clipped * clipped
    rms = float(np.sqrt(np.mean(square)))
    return rms, float(np.mean(square * clipped)) / rms**3 if rms > 0 else 0.0


def survey(image: AnyArray, *, polarity: Polarity | None = None, workers: int = 2) -> tuple[HoleGuess, ...]:
    """Look at all scales of an image without masked pixels (see :func:`filled`).

    Parameters
    ----------
    image : (ny, nx) float32
    polarity : known in advance, or None to find it
    workers : threads

    Returns
    -------
    guesses, the most likely one first; later ones are other peaks of the same figure of merit

    Raises
    ------
    PickingError
        The image is constant or too small.
    """
    if min(image.shape) < 24:
        raise PickingError(f"image of {image.shape[0]} x {image.shape[1]} px", expected="at least 24 x 24 px")
    if float(image.max()) == float(image.min()):
        raise PickingError(
            f"the image is blank: every pixel reads {float(image.max()):g}", hint="check the exposure and the file"
        )
    # energy and skewness at scales that grow by the square root of two, on images that are halved
    looks, level, factor = [], image, 1
    with ThreadPoolExecutor(workers) as pool:
        while min(level.shape) >= 40 or factor == 1:
            part = _sample(level)
            floor = 0.02 * float(np.abs(part[::4, ::4]).mean())
            for centre, surround, radius in _BOXES:
                looks.append((factor * radius, pool.submit(_energy, part, centre, surround, floor)))
            level, factor = binned(level, 2), factor * 2
    scales = [(radius, *look.result()) for radius, look in looks]
    # a guess is a scale that has more of both than its neighbours, for either sign of the skewness
    ranked = []
    for name, sign in (("bright", 1.0), ("dark", -1.0)):
        if polarity not in (None, name):
            continue
        merit = [energy * max(sign * skewness, 1e-6) ** 0.5 for _, energy, skewness in scales]
        for k, value in enumerate(merit):
            if value >= max(merit[max(0, k - 1) : k + 2]):
                ranked.append((value, HoleGuess(name, float(scales[k][0]))))  # type: ignore[arg-type]
    ranked.sort(key=lambda item: -item[0])
    return tuple(guess for _, guess in ranked)
