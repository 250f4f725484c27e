"""What the pixels around a spot should read: the profile of a hole, moved, stretched and lit, on a background."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...base.arrays import AnyArray, Bools, Floats, Ints, largest_of, select_rows, with_rows
from ...base.geometry import inverted, tree_of
from ...base.robust import spread
from ...indexing.prediction import local_frames
from ...records.nodes import NodeTable
from ...records.points import ControlPoints
from .light import STEEPEST, LocalLight, lit_share
from .templates import TemplateBank
from .windows import PreparedImage, Windows, odd_powers, powers, ramp

#: Fewest control points that tell a stretch: the local frames take a quadratic, 6 coefficients, through neighbours.
_FEWEST = 12
#: Spots that tell whether holes are stretched at all: enough for the median and the 90 % quantile of any field.
_SAMPLE = 1000
#: Stretch that a profile notices: by 1 % the rim of a hole of 10 px moves by 0.05 px.
_STRETCHED = 0.01
#: Where neighbouring stretches differ by more than this, what frames say is none: strong lenses, mosaics and wrinkles
#: make them differ by 0.003 to 0.04, pieces of many lattices by 0.08 to 0.6.
_SENSELESS = 0.06
#: Bending within a hole is looked at when it moves rims by so many px: a tenth of the precision of a good spot.
_BENT = 5e-4
#: Bends, in noise of places over a pitch squared, from which on they are those of the field: noise makes 1.5, which is
#: the 90 % quantile (1.64 sigma) of what :func:`~pyfai_gridcal.indexing.prediction.local_frames` makes of it (0.91).
_TOLD = 3.0
#: A hole is thought to be squeezed to 0.4 or stretched to 2.5 of the mean one at most; no optics does more, but frames
#: of false candidates say anything.
_LEAST_STRETCH, _MOST_STRETCH = 0.4, 2.5
#: Light is a plane over a window where it changes by less than this: what the plane leaves out is half of its square.
_STEEP = 0.1
#: Share of what neighbouring stretches differ by that a single one is taken to be wrong by.
_UNSURE = 0.3


#: What a fit changes of a :class:`SpotState`.
_MOVING = ("yx", "amplitude", "background", "slope_a", "slope_b", "ground")


@dataclass(frozen=True, eq=False)
class SpotState:
    """Where a fit stands: columns over N spots, holes positive.

    Attributes
    ----------
    yx, amplitude, background : (N, 2) px, (N,) and (N,) counts
    slope_a, slope_b : (N, 2) relative gradients of the light on hole and background, per px
    ground : (N, 6) what comes on top from elsewhere, counts: odd polynomials over the window, see
        :func:`~pyfai_gridcal.finding.holes.windows.odd_powers`
    stretch : (N, 2, 2) of the holes against the learned one, None for none
    bend : how the field bends the rims, None for not; with it, `yx` is the image of the hole's centre and not the
        middle of its picture
    wider : (N,) factor of the blur, None for that of the learned profile
    room : (N, 3) coefficients of y y, y x and x x of what is 1 half way to neighbours that lie nearer than windows
        reach, 0 for other spots; None where there are none of these
    prior : (N, 4) expected amplitude, its sigma, expected background, its sigma; sigma infinite for no
        expectation; or None
    """

    yx: Floats
    amplitude: Floats
    background: Floats
    slope_a: Floats
    slope_b: Floats
    ground: Floats
    stretch: Floats | None = None
    wider: Floats | None = None
    prior: Floats | None = None
    bend: BentRims | None = None
    room: Floats | None = None

    def __len__(self) -> int:
        return len(self.yx)

    def select(self, rows: AnyArray) -> SpotState:
        """The spots `rows`."""
        part = select_rows(self, rows, *_MOVING, "stretch", "wider", "prior", "room")
        return part if self.bend is None else replace(part, bend=self.bend.select(rows))

    def changed(self, rows: AnyArray, part: SpotState) -> SpotState:
        """The same where the spots `rows` stand as they do in `part`."""
        if len(rows) == len(self):
            return part
        return with_rows(self, rows, {name: getattr(part, name) for name in _MOVING})

    def topped(self, more: Floats, dark: float | None) -> SpotState:
        """The same with more gradients and ground (N, 8), as in
        :attr:`~pyfai_gridcal.finding.holes.refinement.FittedSpots.extra`."""
        return replace(
            self,
            slope_a=np.clip(self.slope_a + more[:, :2], -STEEPEST, STEEPEST),
            slope_b=self.slope_b + more[:, :2] * lit_share(self.background, dark)[:, None],
            ground=self.ground + self.amplitude[:, None] * more[:, 2:],
        )

    def lit(self, light: LocalLight, lean: Bools) -> SpotState:
        """The same with the light's slopes, and with its level as a prior for the spots where `lean` (N,) is true."""
        free = np.where(lean, 1.0, np.inf)
        prior = np.stack(
            [light.amplitude, light.amplitude_sigma * free, light.background, light.background_sigma * free], axis=1
        )
        return replace(self, slope_a=light.slope_a, slope_b=light.slope_b, prior=prior)


def start_from(image: PreparedImage, yx: Floats, reach: int, radius: float) -> SpotState:
    """A start at `yx` (N, 2): amplitude and background from the middle and the rim of each window."""
    windows = image.windows(yx, reach)
    r = np.hypot(*ramp(reach))
    middle, rim = r <= max(1.0, 0.5 * radius), r >= reach - 0.5
    # sums over middles and rims of all windows: the product of two matrices
    both, usable = np.stack([middle, rim], axis=1).astype(np.float32), windows.usable
    data, count = windows.data, both.sum(axis=0)
    if not usable.all():
        data, count = data * usable, usable @ both
    inside, background = (data @ both / np.maximum(count, 1)).astype(float).T
    zero = np.zeros((len(yx), 6))
    amplitude = np.maximum(inside - background, 1e-3)
    return SpotState(yx, amplitude, background, zero[:, :2], zero[:, :2], zero)


def model_of(
    state: SpotState, windows: Windows, bank: TemplateBank, out: AnyArray | None = None
) -> tuple[AnyArray, AnyArray]:
    """What the windows should read, and how that changes.

    Parameters
    ----------
    state : N spots, in these windows
    bank : templates of these spots
    out : (N, 4, m * m) float32 for the second result

    Returns
    -------
    (N, m * m) float32 counts, and its derivatives by y and x (counts per px), amplitude and background, (N, 4, m * m)
    float32
    """
    offset = state.yx - windows.middle
    slow, fast, value = bank.at(offset, None if state.bend is None else state.bend.at(offset, bank.reach))
    # light is a polynomial over the window, for all spots the product of two small matrices
    plane = powers(bank.reach, 1)
    one = np.ones((len(state), 1))
    on_hole, on_ground = np.concatenate([one, state.slope_a], axis=1), np.concatenate([one, state.slope_b], axis=1)
    light, ground = on_hole.astype(np.float32) @ plane, on_ground.astype(np.float32) @ plane
    # steep light is no plane: it falls off by the same share from pixel to pixel
    steep = np.flatnonzero(largest_of(state.slope_a) * bank.reach > _STEEP)
    if len(steep):
        light[steep] = np.exp(light[steep] - 1)
    shine = light * state.amplitude[:, None].astype(np.float32)
    level = (state.background[:, None] * on_ground).astype(np.float32) @ plane
    if state.ground.any():
        level += state.ground.astype(np.float32) @ odd_powers(bank.reach)
    # and the derivatives of what is read by all that is fitted
    if out is None:
        out = np.empty((len(state), 4, plane.shape[1]), np.float32)
    np.multiply(slow, shine, out=out[:, 0])
    np.multiply(fast, shine, out=out[:, 1])
    np.multiply(value, light, out=out[:, 2])
    out[:, 3] = ground
    value *= shine
    level += value
    return level, out


#: Nearer to the middle than this share (square) of the rim's distance a picture is flat: no matter where it is from.
#: The root, 0.39 of the radius, is well inside of a rim that is not blurred over all of the hole.
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
        return cls(bend, _form_of(stretch, radius))

    def select(self, rows: AnyArray) -> BentRims:
        """The holes `rows`."""
        return select_rows(self, rows, "bend", "inverse")

    def at(self, offset: Floats, reach: int) -> tuple[AnyArray, AnyArray]:
        """By how much the picture is moved: (y, x) px, each (N, (2 reach + 1)**2), over windows in which the centres
        lie at the `offset` (N, 2) px from the middle."""
        window = powers(reach, 2)

        def over(form: Floats) -> AnyArray:
            return _about(offset, form).astype(np.float32) @ window

        size = np.maximum(over(self.inverse), np.float32(_FLAT))
        y, x = (over(self.bend[..., k]) / size for k in (0, 1))
        return y, x


def _form_of(stretch: Floats, radius: float) -> Floats:
    """(N, 3) coefficients of y y, y x and x x of the form that is 1 on circles of `radius` px after a `stretch`."""
    back = inverted(stretch)
    form = np.matmul(back, back.transpose(0, 2, 1)) / radius**2
    return np.stack([form[:, 0, 0], 2 * form[:, 0, 1], form[:, 1, 1]], axis=1)


def within_room(room: Floats, offset: Floats, reach: int) -> Bools:
    """(N, (2 reach + 1)**2) pixels that are nearer to holes at the `offset` (N, 2) px from the middle of their windows
    than half way to their neighbours, as :attr:`SpotState.room` has it."""
    return np.asarray(_about(offset, room).astype(np.float32) @ powers(reach, 2) <= 1)


def _about(offset: Floats, form: Floats) -> Floats:
    """Quadratic forms (N, 3: y y, y x, x x) about the `offset` (N, 2) as polynomials of the place, see
    :func:`~pyfai_gridcal.finding.holes.windows.powers`; (N, 6)."""
    y, x = offset.T
    yy, yx, xx = form.T
    constant = y * y * yy + y * x * yx + x * x * xx
    return np.stack([constant, -2 * y * yy - x * yx, -2 * x * xx - y * yx, yy, yx, xx], axis=1)


def stretched(
    state: SpotState,
    points: ControlPoints | None,
    image: PreparedImage,
    *,
    reach: int,
    radius: float,
    rim: float | None = None,
    places: Floats | None = None,
    sure: Bools | bool = True,
) -> tuple[SpotState, float]:
    """Give every spot the stretch of the lattice around it against the mean lattice.

    Parameters
    ----------
    state : spots
    points : their lattice; None or few points leave the spots as they are
    reach : of the windows, px: who is cut by the border within it does not count
    radius : of a hole, px; `rim` where its profile knows its radius better
    places : (M, 2) of the points, where these have been measured again
    sure : (M,) which of them look as holes do: others get a stretch, but make none

    Returns
    -------
    the spots, and the relative error of a single stretch
    """
    if points is None or len(points) < _FEWEST:
        return state, 0.0
    measured, places = places is not None, points.yx if places is None else places
    # cut spots follow from the stretch, they must not make it
    whole = image.is_whole(places, reach) & sure
    if whole.sum() < _FEWEST:
        whole[:] = True
    turn = np.linalg.inv(points.basis_px)

    def frames_at(rows: AnyArray) -> tuple[Floats, Floats]:
        vectors, bend = local_frames(points.ij[whole], places[whole], points.ij[rows])
        return _bounded(_without_turn(turn @ vectors)), bend

    # some of the points, with their neighbours, tell whether there is anything to be done at all
    some = points.yx[:: max(1, len(points) // _SAMPLE)]
    near = tree_of(points.yx).query(some, k=min(5, len(points)))[1]
    rows, place = np.unique(near, return_inverse=True)
    local, bend = frames_at(rows)
    if (differ := _differ(local[place.reshape(near.shape)])) > _SENSELESS:
        return replace(state, stretch=None, bend=None, room=None), 0.0
    error = _UNSURE * differ
    unround = np.abs(local - np.eye(2)).max() > _STRETCHED
    # what the noise of places seems to bend would move holes
    usual, noise = float(np.quantile(np.abs(bend), 0.9)), _noise_of(points.ij[whole], places[whole])
    bent = usual > max(_BENT / radius**2, _TOLD * noise / min(points.pitch_px) ** 2)
    if not (unround or bent):
        return replace(state, stretch=None, bend=None, room=None), error
    # each spot takes what the nearest point says: of those asked for a start, of all once they have been measured
    if measured and len(rows) < len(points):
        local, bend = frames_at(rows := np.arange(len(points)))
    near = np.asarray(tree_of(points.yx[rows]).query(state.yx, workers=2)[1])
    rims = BentRims.of(np.clip(bend, -5 * usual, 5 * usual), local, rim or radius).select(near) if bent else None
    room = _room_in(local, 0.5 * min(points.pitch_px), reach, near)
    return replace(state, stretch=local[near] if unround else None, bend=rims, room=room), error


def _differ(around: Floats) -> float:
    """How far one of some neighbours (N, n, k, l) is from their mean at most, in the median."""
    return float(np.median(np.abs(around - around.mean(axis=1, keepdims=True)).max(axis=(1, 2, 3))))


def _noise_of(ij: Ints, yx: Floats) -> float:
    """Noise of places (N, 2), px, by fourth differences along lines; infinite where no five are in line."""
    table, asked = NodeTable.of(ij), ij[:: max(1, len(ij) // _SAMPLE)]
    padded, differ = np.vstack([yx, np.full(2, np.nan)]), []
    for step in ((1, 0), (0, 1)):
        line = table.line(asked, step, 2)
        differ.append(sum(weight * padded[line[k]] for k, weight in enumerate((1, -4, 6, -4, 1), -2)))
    known = np.concatenate(differ)
    known = known[np.isfinite(known)]
    return spread(known, about=0.0) / 70**0.5 if len(known) else np.inf


def _room_in(stretch: Floats, half: float, reach: int, rows: AnyArray) -> Floats | None:
    """:attr:`SpotState.room` of spots that have the `rows` of lattices of this `stretch` (N, 2, 2) of which half a
    pitch is `half` px: where the field squeezes them, neighbours come into windows."""
    # the outermost pixels of a window belong to both anyway
    tight = half * _extremes(stretch)[0] < reach - 0.5
    return (_form_of(stretch, half) * tight[:, None])[rows] if tight.any() else None


def _without_turn(matrices: Floats) -> Floats:
    """Symmetric stretches (N, 2, 2) with the effect of `matrices` on a circle: holes are round, a turn changes
    nothing."""
    square = np.matmul(matrices.transpose(0, 2, 1), matrices)
    # the root of a positive matrix of two rows, by the theorem of Cayley and Hamilton
    size = np.abs(np.linalg.det(matrices))
    scale = np.sqrt(np.trace(square, axis1=1, axis2=2) + 2 * size)
    out: Floats = (square + size[:, None, None] * np.eye(2)) / np.maximum(scale, 1e-30)[:, None, None]
    return out


def _bounded(stretch: Floats) -> Floats:
    """Symmetric stretches (N, 2, 2) within what optics does; what is no number is no stretch."""
    least, most = _extremes(stretch)
    beyond = np.flatnonzero(~((least >= _LEAST_STRETCH) & (most <= _MOST_STRETCH)))
    known = np.isfinite(stretch[beyond]).all(axis=(1, 2), keepdims=True)
    size, axes = np.linalg.eigh(np.where(known, stretch[beyond], np.eye(2)))
    size = np.clip(size, _LEAST_STRETCH, _MOST_STRETCH)
    stretch[beyond] = (axes * size[:, None]) @ axes.transpose(0, 2, 1)
    return stretch


def _extremes(stretch: Floats) -> tuple[Floats, Floats]:
    """Least and greatest stretch (N,) along any direction, of symmetric ones (N, 2, 2)."""
    half, skew = 0.5 * (stretch[:, 0, 0] + stretch[:, 1, 1]), 0.5 * (stretch[:, 0, 0] - stretch[:, 1, 1])
    away = np.hypot(skew, stretch[:, 0, 1])
    return half - away, half + away
