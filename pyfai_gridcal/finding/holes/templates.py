"""The picture of a hole on the pixels of a window, for each stretch and sub-pixel phase that is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, lru_cache
from threading import Lock
from typing import Literal

import numpy as np
from scipy import fft, ndimage, special

from ...base.arrays import AnyArray, Floats, select_rows
from ...base.geometry import inverted
from ...records.spots import HoleProfile
from .profile import disk_and_blur, profile_radius
from .windows import powers

#: Sub-pixel phases per axis for which templates are kept; in between an expansion to the second order is good to 1e-4
#: of the amplitude.
PHASES = 8
#: Widest difference of rims within one class of stretch, in units of the blur: what the second order leaves of it is
#: 0.004 of the amplitude at most, and moves no hole by more than 0.003 px.
_RIM_SHIFT = 0.25
#: Samples of a table between which its second derivatives are taken: half a pixel, below every blur.
_APART = 2
#: Classes along each of the four components of a stretch and of the blur, at most: five of these numbers fit into one
#: of 64 bits.
_CODES = 1 << 12
#: Width of a class of blurs, as a logarithm: of such a difference the first order leaves 2e-4 of the amplitude.
_WIDER = 0.08
#: So many phases at least are sampled together with all others: at five samples a pixel they take as long.
_MANY = 12
#: Numbers in the tables of classes that are kept for more phases of theirs: 50 MB, thousands of classes of small holes.
_TABLED = 12_000_000


class _Stretcher:
    """Tables of a profile whose hole is stretched while its blur, which belongs to the detector, is not.

    Stretching a picture stretches its blur as well. What is wrong by that is known for a blurred disk: the difference
    of two Gaussian factors on the transform of the disk, ``2 J1(k R) / (k R)``.
    """

    def __init__(self, profile: HoleProfile):
        self.profile = profile
        self.radius, self.blur = disk_and_blur(profile)
        n, s = profile.table.shape[0], profile.oversampling
        # what a blur changes ends well within the table, and comes around its end no farther than that
        self.size = fft.next_fast_len(n + n // 4)
        k = 2 * np.pi * fft.fftfreq(self.size, 1 / s)
        self.ky, self.kx = k[:, None], k[None, : self.size // 2 + 1].copy()
        self.kx[0, -1] = abs(self.kx[0, -1])
        length = np.maximum(np.hypot(self.ky, self.kx), 1e-9) * self.radius
        area = np.pi * self.radius**2 * s**2
        self.disk = area * 2 * special.j1(length) / length
        self.unstretched = np.exp(-0.5 * self.blur**2 * (self.ky**2 + self.kx**2))

    def table(self, back: Floats, wider: float = 1.0) -> Floats:
        """Profile table, still on the raster of the unstretched hole, for offsets ``d @ back`` and a blur that is
        `wider`."""
        c = back.T @ back * (wider * self.blur) ** 2
        power = c[0, 0] * self.ky**2 + 2 * c[0, 1] * self.ky * self.kx + c[1, 1] * self.kx**2
        n = self.profile.table.shape[0]
        change = fft.irfft2(self.disk * (np.exp(-0.5 * power) - self.unstretched), (self.size, self.size))
        out: Floats = self.profile.table + np.roll(change, (n // 2, n // 2), axis=(0, 1))[:n, :n]
        return out


def _curvatures(table: Floats, oversampling: int, back: Floats) -> AnyArray:
    """Second derivatives yy, yx and xx per px^2 of the picture of which `table` (n, n) holds the values at offsets
    ``d @ back``, on the raster of the table, (3, n, n) float32."""
    own = np.zeros((3, *table.shape), np.float32)
    up, here, down = slice(2 * _APART, None), slice(_APART, -_APART), slice(-2 * _APART)
    own[0, here] = table[up] + table[down] - 2 * table[here]
    own[1, here, here] = 0.25 * (table[up, up] - table[up, down] - table[down, up] + table[down, down])
    own[2, :, here] = table[:, up] + table[:, down] - 2 * table[:, here]
    (a, b), (c, d) = oversampling / _APART * back
    turn = np.array([(a * a, 2 * a * b, b * b), (a * c, a * d + b * c, b * d), (c * c, 2 * c * d, d * d)], np.float32)
    return np.asarray((turn @ own.reshape(3, -1)).reshape(own.shape))


def sampled(table: StretchedTable, oversampling: int, reach: int, steps: AnyArray) -> AnyArray:
    """Templates of one table: its values on the pixels of a window, and their derivatives.

    Parameters
    ----------
    reach : the window has 2 reach + 1 pixels along each axis
    steps : (P, 2) places of the hole off the middle pixel, (y, x) in 1 / PHASES px

    Returns
    -------
    (6, P, (2 reach + 1)**2) float32 : derivatives with respect to the place of the *hole*, per px, along slow and fast,
        the profile, and the second derivatives yy, yx and xx, per px^2
    """
    scaled, middle = (oversampling / PHASES * table.back).astype(np.float32), np.float32(table.spline.shape[0] // 2)

    def place(y: AnyArray, x: AnyArray) -> AnyArray:
        return np.stack([y * scaled[0, k] + x * scaled[1, k] + middle for k in (0, 1)])

    def read(values: AnyArray, at: AnyArray, order: Literal[1, 3]) -> AnyArray:
        out = ndimage.map_coordinates(values, at, output=np.float32, order=order, mode="nearest", prefilter=False)
        return np.asarray(out)

    pixel, half = PHASES * np.arange(-reach, reach + 1), np.float32(0.5 * PHASES)
    # from the hole to each pixel, in 1 / PHASES px
    y, x = (pixel - steps[:, k, None] for k in (0, 1))
    y, x = y[:, :, None], x[:, None, :]
    there = y.astype(np.float32), x.astype(np.float32)
    if len(steps) > _MANY:
        # one raster of PHASES samples per px has all of them, as every PHASES-th sample
        first = pixel[0] - PHASES // 2 - 1
        fine = np.arange(first, 1 - first, dtype=np.float32)
        whole = read(table.spline, place(fine[:, None], fine), 3)
        up, down, left, right, value = (
            whole[y - first + dy, x - first + dx] for dy, dx in ((-1, 0), (1, 0), (0, -1), (0, 1), (0, 0))
        )
    else:
        # at each pixel, and at a step on each side of it
        aside = np.array([(-1, 0), (1, 0), (0, -1), (0, 1), (0, 0)], np.float32)[:, :, None, None, None]
        up, down, left, right, value = read(table.spline, place(there[0] + aside[:, 0], there[1] + aside[:, 1]), 3)
    # moving the hole by t moves the picture by t
    slow, fast = (up - down) * half, (left - right) * half
    here = place(*there)
    curved = (read(one, here, 1) for one in table.curvatures)
    return np.stack([slow, fast, value, *curved]).reshape(6, len(steps), -1)


@dataclass(frozen=True, eq=False)
class StretchedTable:
    """Picture of a hole that is stretched.

    Attributes
    ----------
    spline : (n, n) coefficients of its cubic spline, of values at offsets ``d @ back``
    back : (2, 2) inverse of the stretch
    curvatures : (3, n, n) see :func:`_curvatures`
    """

    spline: AnyArray
    back: Floats
    curvatures: AnyArray


class _Pool:
    """Templates of all classes of stretch, sampled when first asked for; threads share them.

    Most classes have few holes, which need few of the phases. `sample` makes the templates (6, P, pixels) of one class
    at P phases, see :func:`sampled`.
    """

    def __init__(self, pixels: int, sample: Callable[[int, AnyArray], AnyArray], workers: int):
        self.sample, self.workers, self.lock = sample, workers, Lock()
        self.count, self.rasters = 0, np.empty((6, 0, pixels), np.float32)
        self.place = np.empty((0, (PHASES + 1) ** 2), np.int32)

    def taken(self, label: AnyArray, phase: AnyArray) -> Iterator[AnyArray]:
        """The six templates, (N, pixels) each, of the classes (N,) at the phases (N,)."""
        if (self.place[label, phase] < 0).any():
            with self.lock:
                self._make(label, phase)
        rows = self.place[label, phase]
        return (raster.take(rows, axis=0) for raster in self.rasters)

    def room_for(self, classes: int) -> None:
        """No phase of as many classes as there are now need be known yet."""
        more = classes - len(self.place)
        if more > 0:
            self.place = np.pad(self.place, [(0, more), (0, 0)], constant_values=-1)

    def _make(self, label: AnyArray, phase: AnyArray) -> None:
        # what another thread has made in the meantime is there
        missing = self.place[label, phase] < 0
        asked = np.unique(np.stack([label[missing], phase[missing]], axis=1), axis=0)
        jobs = np.split(asked, np.flatnonzero(np.diff(asked[:, 0])) + 1) if len(asked) else []
        classes = [int(job[0, 0]) for job in jobs]
        phases = [job[:, 1] if len(job) <= _MANY else np.flatnonzero(self.place[job[0, 0]] < 0) for job in jobs]
        if len(jobs) > 1:
            with ThreadPoolExecutor(self.workers) as pool:
                made = list(pool.map(self.sample, classes, phases))
        else:
            made = list(map(self.sample, classes, phases))
        for one, which, new in zip(classes, phases, made, strict=True):
            end = self.count + len(which)
            if end > self.rasters.shape[1]:
                grown = np.empty((6, 2 * end, new.shape[2]), np.float32)
                grown[:, : self.count] = self.rasters[:, : self.count]
                self.rasters = grown
            self.rasters[:, self.count : end] = new
            self.place[one, which] = np.arange(self.count, end)
            self.count = end


@dataclass(frozen=True, eq=False)
class TemplateBank:
    """Templates for N holes that are stretched differently over the image.

    Attributes
    ----------
    pool : templates of all classes of similar stretch
    reach : their windows have 2 reach + 1 pixels along each axis
    label : (N,) class of each hole
    rest : (N, 2, 2) what is left of its stretch: ``rest.d`` px is how far pictures of the class are moved at the
        distance d from the hole
    excess : (N, 3) by how much the blur, which belongs to the detector, is then too wide: half of the difference yy, yx
        and xx of its square, px^2
    """

    pool: _Pool
    reach: int
    label: AnyArray
    rest: Floats
    excess: Floats

    def select(self, rows: AnyArray) -> TemplateBank:
        """The holes `rows`."""
        return select_rows(self, rows, "label", "rest", "excess")

    def at(self, offset: Floats, bent: tuple[AnyArray, AnyArray] | None = None) -> tuple[AnyArray, AnyArray, AnyArray]:
        """Pictures of holes at the `offset` (N, 2) px from the middle of their windows, of which each pixel is moved
        by `bent` (y, x) px besides.

        Those of the nearest phase and class, to the second order of how far these are moved: where a stretched hole is
        moved, its stretched rim is.

        Returns
        -------
        slow, fast, value : (N, (2 reach + 1)**2) derivatives with respect to the place of the hole, per px, and profile
        """
        step = np.clip(np.rint(offset * PHASES).astype(int), -(PHASES // 2), PHASES // 2)
        slow, fast, value, yy, yx, xx = self.pool.taken(self.label, (step + PHASES // 2) @ (PHASES + 1, 1))
        # how far each pixel is moved, (N, P): a polynomial, for all holes the product of two small matrices
        constant = offset - step / PHASES - np.matmul(self.rest, offset[:, :, None])[:, :, 0]
        moves = np.concatenate([constant[:, :, None], self.rest], axis=2).astype(np.float32)
        along_y, along_x = (moves[:, k] @ powers(self.reach, 1) for k in range(2))
        if bent is not None:
            along_y += bent[0]
            along_x += bent[1]
        for curved, size in zip((yy, yx, xx), (self.excess * (1, 2, 1)).astype(np.float32).T, strict=True):
            value -= size[:, None] * curved
        for way, along, by_y, by_x in ((slow, along_y, yy, yx), (fast, along_x, yx, xx)):
            more = by_y * along_y
            more += by_x * along_x
            half = 0.5 * more
            half += way
            half *= along
            value += half
            way += more
        return slow, fast, value


class TemplateMaker:
    """Makes templates of one profile, and keeps them for the next time.

    Parameters
    ----------
    profile, reach : of the holes, and px of the window on each side
    coarseness : classes of stretch are so many times as wide as the profile deserves
    unsure : relative error of the stretches: finer classes than that would tell nothing
    workers : threads
    """

    def __init__(
        self, profile: HoleProfile, reach: int, *, coarseness: float = 1.0, unsure: float = 0.0, workers: int = 2
    ):
        self.profile, self.reach = profile, reach
        self.radius = max(profile_radius(profile), 1.0)
        self.coarseness, self.unsure = coarseness, unsure
        self.codes: dict[int, int] = {}
        self.classes: list[AnyArray] = []
        self.pool = _Pool((2 * reach + 1) ** 2, self._sampled, workers)
        self.tabled = lru_cache(_TABLED // profile.table.size)(self._tabled)

    def bank(self, stretch: Floats | None, count: int, wider: Floats | None = None) -> TemplateBank:
        """Templates for `count` holes with these stretches (N, 2, 2) and factors (N,) of the blur; None stands for
        none."""
        # classes of similar stretch and blur share what is sampled
        flat, left = np.zeros((count, 5), np.int64), np.tile(np.eye(2), (count, 1, 1))
        if stretch is not None:
            flat[:, :4] = np.rint((stretch - np.eye(2)).reshape(-1, 4) / self.step)
        if wider is not None:
            flat[:, 4] = np.rint(np.log(wider) / _WIDER)
        flat = np.clip(flat, 1 - _CODES // 2, _CODES // 2 - 1)
        codes, first, label = np.unique(flat @ _CODES ** np.arange(5), return_index=True, return_inverse=True)
        for code, row in zip(codes.tolist(), first, strict=True):
            if self.codes.setdefault(code, len(self.classes)) == len(self.classes):
                self.classes.append(flat[row])
        self.pool.room_for(len(self.classes))
        known = np.array([self.codes[code] for code in codes.tolist()], int)
        if stretch is not None and count:
            centres = np.eye(2) + self.step * flat[first, :4].reshape(-1, 2, 2)
            left = np.matmul(stretch, np.linalg.inv(centres)[label.ravel()])
        # which stretches the blur of the class, while that of the hole stays as wide as it is
        square = np.exp(2 * _WIDER * flat[:, 4, None, None]) * np.matmul(left, left.transpose(0, 2, 1))
        square -= (1.0 if wider is None else wider[:, None, None] ** 2) * np.eye(2)
        excess = 0.5 * self.blur**2 * square[:, [0, 0, 1], [0, 1, 1]]
        return TemplateBank(self.pool, self.reach, known[label.ravel()], np.eye(2) - inverted(left), excess)

    @cached_property
    def step(self) -> float:
        """Width of a class along each component of the stretch."""
        return max(self.coarseness * max(_RIM_SHIFT * self.blur / self.radius, 0.03), self.unsure)

    @property
    def blur(self) -> float:
        """Standard deviation of the blur of the profile, pixel area included, px."""
        return self.stretcher.blur

    @cached_property
    def stretcher(self) -> _Stretcher:
        """The profile, ready to be stretched."""
        return _Stretcher(self.profile)

    def _tabled(self, label: int) -> StretchedTable:
        """The table of a class."""
        code, profile = self.classes[label], self.profile
        back = np.asarray(np.linalg.inv(np.eye(2) + self.step * code[:4].reshape(2, 2)), dtype=np.float64)
        wider = float(np.exp(_WIDER * code[4]))
        table = self.stretcher.table(back, wider) if code.any() else profile.table
        spline = ndimage.spline_filter(table, order=3, mode="nearest", output=np.float32)
        return StretchedTable(spline, back, _curvatures(table, profile.oversampling, back))

    def _sampled(self, label: int, phase: AnyArray) -> AnyArray:
        steps = np.stack(np.divmod(phase, PHASES + 1), axis=1) - PHASES // 2
        return sampled(self.tabled(label), self.profile.oversampling, self.reach, steps)
