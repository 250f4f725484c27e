"""What the pixels around a spot should read: the profile of a hole, moved, stretched and lit, on a background."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..base.arrays import AnyArray, Bools, Floats, with_rows
from .light import Light
from .profile import Templates
from .windows import PreparedImage, Windows, powers, ramp

__all__ = ["BentRims", "SpotState", "model_of", "start_from"]


@dataclass(frozen=True, eq=False)
class SpotState:
    """Where a fit stands: columns over N spots, holes positive.

    Attributes
    ----------
    yx, amplitude, background : (N, 2) px, (N,) and (N,) counts
    slope_a, slope_b : (N, 2) relative gradients of the light on hole and background, per px
    stretch : (N, 2, 2) of the holes against the learned one, None for none
    bend : how the field bends the rims, None for not; with it, `yx` is the image of the hole's centre and not the
        middle of its picture
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
    bend: BentRims | None = None

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
            None if self.bend is None else self.bend.select(rows),
        )

    def changed(self, rows: AnyArray, part: SpotState) -> SpotState:
        """The same where the spots `rows` stand as they do in `part`."""
        if len(rows) == len(self):
            return part
        moving = ("yx", "amplitude", "background", "slope_a", "slope_b")
        return with_rows(self, rows, {name: getattr(part, name) for name in moving})

    def lit(self, light: Light, lean: Bools) -> SpotState:
        """The same with the light's slopes, and with its level as a prior for the spots where `lean` (N,) is true."""
        free = np.where(lean, 1.0, np.inf)
        prior = np.stack(
            [light.amplitude, light.amplitude_sigma * free, light.background, light.background_sigma * free], axis=1
        )
        return replace(self, slope_a=light.slope_a, slope_b=light.slope_b, prior=prior)


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
    state: SpotState, windows: Windows, templates: Templates, rest: Floats, out: AnyArray | None = None
) -> tuple[AnyArray, AnyArray]:
    """What the windows should read, and how that changes.

    Parameters
    ----------
    state : N spots, in these windows
    templates, rest : of the class of stretch of these spots, see :class:`~pyfai_gridcal.finding.profile.TemplateBank`
    out : (N, 4, m * m) float32 for the second result

    Returns
    -------
    (N, m * m) float32 counts, and its derivatives by y and x (counts per px), amplitude and background, (N, 4, m * m)
    float32
    """
    row, shift = Templates.phase(state.yx - windows.middle)
    slow, fast, value = (raster.take(row, axis=0) for raster in (templates.slow, templates.fast, templates.value))
    # Light and stretch are polynomials over the window, for all spots the product of two small matrices.
    plane, offset = powers(templates.reach, 1), state.yx - windows.middle
    one = np.ones((len(state), 1))
    on_hole, on_ground = np.concatenate([one, state.slope_a], axis=1), np.concatenate([one, state.slope_b], axis=1)
    along_y, along_x = (way.astype(np.float32) @ plane for way in _ways(offset, shift, rest))
    if state.bend is not None:
        for along, bent in zip((along_y, along_x), state.bend.at(offset, templates.reach), strict=True):
            along += bent
    along_y *= slow
    along_x *= fast
    value += along_y
    value += along_x
    light, ground = on_hole.astype(np.float32) @ plane, on_ground.astype(np.float32) @ plane
    shine = (state.amplitude[:, None] * on_hole).astype(np.float32) @ plane
    level = (state.background[:, None] * on_ground).astype(np.float32) @ plane
    if out is None:
        out = np.empty((len(state), 4, plane.shape[1]), np.float32)
    np.multiply(slow, shine, out=out[:, 0])
    np.multiply(fast, shine, out=out[:, 1])
    np.multiply(value, light, out=out[:, 2])
    out[:, 3] = ground
    value *= shine
    level += value
    return level, out


def _ways(offset: Floats, shift: Floats, rest: Floats) -> tuple[Floats, Floats]:
    """``shift + rest.d``, how far (y, x) a template is moved at the distance d from a hole that lies at `offset` (N, 2)
    from the window's middle, as polynomials of the place in the window
    (:func:`~pyfai_gridcal.finding.windows.powers`), (N, 3)
    each."""
    y, x = offset.T
    along = [
        np.stack([shift[:, k] - y * rest[:, 0, k] - x * rest[:, 1, k], rest[:, 0, k], rest[:, 1, k]], axis=1)
        for k in range(2)
    ]
    return along[0], along[1]


#: Nearer to the middle than this share (square) of the rim's distance a picture is flat: no matter where it is from.
_FLAT = 0.15


@dataclass(frozen=True, eq=False)
class BentRims:
    """How the rims of N holes are displaced, ellipses about the hole's centre to the first order.

    A field that bends moves what lies at the offset d from the centre by the quadratic form u(d). A picture has
    gradients at its rim only, and there, at the offset ρ n, the rim moves by u(ρ n). So all of the picture in the
    direction n moves by that, at whichever distance it is seen: u(d) itself would be too much outside and too little
    inside of the rim, and a fit that believes the dark outside more would be misled. The blur comes afterwards. It
    moves a rim by s²/2 times its curvature, and of what u does to the curvature nothing looks like a shift.

    Attributes
    ----------
    bend : (N, 3, 2) coefficients (per px) of y y, y x and x x in u
    inverse : (N, 3) coefficients of the same in r²/ρ², the square of an offset relative to the rim in its direction
    """

    bend: Floats
    inverse: Floats

    @classmethod
    def of(cls, bend: Floats, stretch: Floats, radius: float) -> BentRims:
        """Rims of round holes of `radius` px after a `stretch` (N, 2, 2), symmetric."""
        back = np.linalg.inv(stretch)
        form = np.matmul(back, back.transpose(0, 2, 1)) / radius**2
        return cls(bend, np.stack([form[:, 0, 0], 2 * form[:, 0, 1], form[:, 1, 1]], axis=1))

    def select(self, rows: AnyArray) -> BentRims:
        """The holes `rows`."""
        return BentRims(self.bend[rows], self.inverse[rows])

    def at(self, offset: Floats, reach: int) -> tuple[AnyArray, AnyArray]:
        """By how much the picture is moved: (y, x) px, each (N, (2 reach + 1)**2), over windows in which the centres
        lie at the `offset` (N, 2) px from the middle."""
        window = powers(reach, 2)

        def over(form: Floats) -> AnyArray:
            return _about(offset, form).astype(np.float32) @ window

        size = np.maximum(over(self.inverse), np.float32(_FLAT))
        y, x = (over(self.bend[..., k]) / size for k in (0, 1))
        return y, x


def _about(offset: Floats, form: Floats) -> Floats:
    """Quadratic forms (N, 3: y y, y x, x x) about the `offset` (N, 2) as polynomials of the place, see
    :func:`~pyfai_gridcal.finding.windows.powers`; (N, 6)."""
    y, x = offset.T
    yy, yx, xx = form.T
    constant = y * y * yy + y * x * yx + x * x * xx
    return np.stack([constant, -2 * y * yy - x * yx, -2 * x * xx - y * yx, yy, yx, xx], axis=1)
