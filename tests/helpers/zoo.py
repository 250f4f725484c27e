"""Images that hold no calibration, each with the words that its refusal must contain.

Everything is drawn from a seed. A kind is a function of a random generator that returns the image, or the image and
what is to be told to the calibration besides the pitch.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage

from pyfai_gridcal import calibrate
from pyfai_gridcal.base.errors import GridcalError

SHAPE = (201, 246)
PITCH = 1e-3

Draw = Callable[[np.random.Generator], Any]


@dataclass(frozen=True)
class Kind:
    """A kind of unusable image.

    Attributes
    ----------
    name : what it is
    draw : rng -> image, or (image, settings)
    words : regular expression that one of the reasons must match
    doubt : whether the verdict "doubtful" is an honest answer, too
    """

    name: str
    draw: Draw
    words: str
    doubt: bool = False

    def settings(self, rng: np.random.Generator) -> tuple[Any, dict[str, Any]]:
        """The image, and the settings of the calibration."""
        made = self.draw(rng)
        image, more = made if isinstance(made, tuple) else (made, {})
        return image, {"pitch": PITCH, **more}

    def outcome(self, seed: int) -> tuple[str, str]:
        """What a calibration makes of it: the level of the verdict ("refused" for an error), and what is said."""
        image, settings = self.settings(np.random.default_rng(seed))
        try:
            verdict = calibrate(image, **settings).verdict
        except GridcalError as error:
            return "refused", str(error)
        return verdict.level, "; ".join(verdict.reasons)

    def explains(self, text: str) -> bool:
        """Whether a message holds the right reason."""
        return re.search(self.words, text) is not None


KINDS: dict[str, Kind] = {}


def kind(words: str, *, doubt: bool = False) -> Callable[[Draw], Draw]:
    """Put a function into the zoo under its own name."""

    def put(draw: Draw) -> Draw:
        name = draw.__name__.replace("_", " ")
        KINDS[name] = Kind(name, draw, words, doubt)
        return draw

    return put


# ------------------------------------------------------------------------------------------------- drawing
def axes(shape: tuple[int, int] = SHAPE) -> tuple[np.ndarray, np.ndarray]:
    return np.arange(shape[0], dtype=float)[:, None], np.arange(shape[1], dtype=float)[None, :]


def turned(degrees: float, shape: tuple[int, int] = SHAPE) -> tuple[np.ndarray, np.ndarray]:
    y, x = axes(shape)
    a = np.deg2rad(degrees)
    return np.cos(a) * y - np.sin(a) * x, np.sin(a) * y + np.cos(a) * x


def nodes(
    pitch: float | tuple[float, float] = 19.3,
    angle: float = 6.0,
    skew: float = 0.0,
    offset: tuple[float, float] = (3.1, 5.7),
) -> np.ndarray:
    """Places (N, 2) of a lattice over the image and a little beyond."""
    py, px = np.broadcast_to(np.asarray(pitch, float), (2,))
    n = int(1.5 * max(SHAPE) / min(py, px))
    i, j = (v.ravel() for v in np.mgrid[-n : n + 1, -n : n + 1])
    a, b = np.deg2rad(angle), np.deg2rad(angle + 90 + skew)
    y = i * py * np.sin(b) + j * px * np.sin(a) + SHAPE[0] / 2 + offset[0]
    x = i * py * np.cos(b) + j * px * np.cos(a) + SHAPE[1] / 2 + offset[1]
    near = (y > -20) & (y < SHAPE[0] + 20) & (x > -20) & (x < SHAPE[1] + 20)
    return np.stack([y[near], x[near]], axis=1)


def stamped(
    places: np.ndarray,
    radius: float | np.ndarray = 3.2,
    *,
    corners: int = 0,
    turn: float = 0.3,
    shape: tuple[int, int] = SHAPE,
    blur: float = 0.9,
) -> np.ndarray:
    """Disks, or regular polygons with so many corners, of light 1; drawn three times too fine."""
    fine = 3
    out = np.zeros((shape[0] * fine, shape[1] * fine), np.float32)
    radii = np.broadcast_to(np.asarray(radius, float), (len(places),))
    for (y, x), r in zip(places, radii, strict=True):
        at = np.array([(y + 0.5) * fine, (x + 0.5) * fine])
        low = np.maximum(np.floor(at - (r + 1) * fine * 1.5).astype(int), 0)
        high = np.minimum(np.ceil(at + (r + 1) * fine * 1.5).astype(int) + 1, out.shape)
        if (high <= low).any():
            continue
        dy = (np.arange(low[0], high[0]) + 0.5 - at[0])[:, None] / fine
        dx = (np.arange(low[1], high[1]) + 0.5 - at[1])[None, :] / fine
        rho = np.hypot(dy, dx)
        if corners:
            sector = 2 * np.pi / corners
            phi = np.mod(np.arctan2(dy, dx) - turn, sector) - sector / 2
            inside = rho * np.cos(phi) < r * np.cos(sector / 2) * 1.3
        else:
            inside = rho < r
        part = out[low[0] : high[0], low[1] : high[1]]
        np.maximum(part, inside, out=part)
    small = out.reshape(shape[0], fine, shape[1], fine).mean(axis=(1, 3))
    return ndimage.gaussian_filter(small, blur)


def exposed(
    light: np.ndarray,
    rng: np.random.Generator,
    *,
    peak: float = 4000.0,
    background: float = 600.0,
    readout: float = 6.0,
) -> np.ndarray:
    """Counts of a camera."""
    counts = rng.poisson(background + peak * light) + rng.normal(0, readout, light.shape) + 100
    return np.clip(np.rint(counts), 0, 65535).astype(np.uint16)


def grid(rng: np.random.Generator, **change: Any) -> np.ndarray:
    """A good image, to spoil."""
    return exposed(stamped(nodes(**change)), rng)


def pink(rng: np.random.Generator, exponent: float = 1.0, shape: tuple[int, int] = SHAPE) -> np.ndarray:
    """Noise whose amplitude falls with frequency as 1 / f**exponent, 0 to 1: what most photographs are like."""
    fy, fx = np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None, :]
    size = np.maximum(np.hypot(fy, fx), 1 / max(shape)) ** -exponent
    phase = rng.standard_normal((*size.shape, 2)) @ np.array([1, 1j])
    out = np.fft.irfft2(size * phase, s=shape)
    return (out - out.min()) / np.ptp(out)


def scene_of_things(rng: np.random.Generator) -> np.ndarray:
    """A picture with sky, ground and overlapping things of all sizes and shades, 0 to 1."""
    y, x = axes()
    out = 0.7 - 0.4 * y / SHAPE[0] + 0 * x
    for _ in range(160):
        cy, cx = rng.uniform(0, SHAPE[0]), rng.uniform(0, SHAPE[1])
        a, b = 2 + rng.pareto(1.6, 2) * 6
        t = rng.uniform(0, np.pi)
        u, v = (y - cy) * np.cos(t) + (x - cx) * np.sin(t), (x - cx) * np.cos(t) - (y - cy) * np.sin(t)
        thing = (u / a) ** 2 + (v / b) ** 2 < 1 if rng.random() < 0.6 else (np.abs(u) < a) & (np.abs(v) < b)
        out = np.where(thing, rng.uniform(0, 1) * (0.8 + 0.2 * np.sin(u / 3)), out)
    return ndimage.gaussian_filter(out, 0.8)


NOT_A_GRID = (
    r"no spots|no lattice|no common lattice|piece of lattice|like a hole|found (?:1 spot|\d+ spots)\b|not round|"
    r"left[- ]out|lie on the lattice"
)
NO_SPOTS = r"no spots|stand out|looks like a hole|blank|found (?:1 spot|\d+ spots)\b"


# ------------------------------------------------------------------------------------------------- nothing there
@kind(r"blank|constant")
def blank(rng):
    return np.full(SHAPE, 1000, np.uint16)


@kind(r"blank|saturat|constant")
def saturated_all_over(rng):
    return np.minimum(grid(rng).astype(float) * 1000, 65535).astype(np.uint16)


@kind(r"blank|masked|finite|no pixel")
def nan_everywhere(rng):
    return np.full(SHAPE, np.nan, np.float32)


@kind(r"blank|masked|finite|no pixel")
def infinite_everywhere(rng):
    return np.full(SHAPE, np.inf, np.float32)


@kind(r"mask ignores every pixel")
def all_masked(rng):
    return grid(rng), {"mask": np.ones(SHAPE, bool)}


@kind(r"24 x 24|too small|pixels")
def tiny(rng):
    return grid(rng)[100:118, 100:120]


@kind(r"24 x 24|spots|lattice|points")
def thirty_by_thirty(rng):
    return grid(rng)[100:130, 100:130]


@kind(r"24 x 24|too small|dimension")
def one_row(rng):
    return grid(rng)[150:151]


@kind(NO_SPOTS + "|" + NOT_A_GRID)
def white_noise(rng):
    return rng.normal(1000, 30, SHAPE).astype(np.float32)


@kind(NO_SPOTS + "|" + NOT_A_GRID)
def photon_noise_of_few_counts(rng):
    return rng.poisson(0.4, SHAPE).astype(np.uint16)


@kind(NO_SPOTS + "|" + NOT_A_GRID)
def blurred_noise(rng):
    return (1000 + 300 * ndimage.gaussian_filter(rng.standard_normal(SHAPE), 2.5)).astype(np.float32)


@kind(NO_SPOTS + "|" + NOT_A_GRID)
def salt_and_pepper(rng):
    out = np.full(SHAPE, 1000.0)
    pick = rng.random(SHAPE)
    out[pick < 0.03], out[pick > 0.97] = 0, 4000
    return out + rng.normal(0, 3, SHAPE)


@kind(NO_SPOTS + "|" + NOT_A_GRID)
def noise_that_clips(rng):
    return np.clip(rng.normal(0, 5, SHAPE), 0, 4).astype(np.uint8)


@kind(NO_SPOTS + "|" + NOT_A_GRID)
def gradient(rng):
    y, x = axes()
    return rng.poisson(500 + 3 * y + 5 * x).astype(np.uint16)


@kind(NO_SPOTS + "|" + NOT_A_GRID)
def steps_of_a_gradient(rng):
    y, x = axes()
    return ((y + x) // 40 * 10).astype(np.uint8)


@kind(NO_SPOTS + "|" + NOT_A_GRID)
def grid_drowned_in_noise(rng):
    return exposed(stamped(nodes()), rng, peak=12, background=2000)


@kind(NO_SPOTS + "|" + NOT_A_GRID)
def hot_pixels_on_black(rng):
    out = np.zeros(SHAPE, np.uint16)
    out[rng.integers(0, SHAPE[0], 300), rng.integers(0, SHAPE[1], 300)] = rng.integers(100, 60000, 300)
    return out


# ------------------------------------------------------------------------------------------------- other pictures
@kind(NOT_A_GRID)
def powder_rings(rng):
    y, x = axes()
    r = np.hypot(y - 130.3, x - 140.8)
    light = sum(np.exp(-0.5 * ((r - q) / 2.2) ** 2) for q in np.sqrt(np.arange(1, 40)) * 38)
    return exposed(light, rng)


@kind(NOT_A_GRID)
def spotty_powder_rings(rng):
    phi, radius = rng.uniform(0, 2 * np.pi, 600), 38 * np.sqrt(rng.integers(1, 24, 600))
    places = np.stack([130.3 + radius * np.sin(phi), 140.8 + radius * np.cos(phi)], axis=1)
    return exposed(stamped(places, 2.0), rng)


@kind(NOT_A_GRID)
def single_crystal_diffraction(rng):
    places = nodes((17.0, 23.0), 20, 8)
    keep = rng.random(len(places)) < 0.5
    r = np.hypot(*(places - np.array(SHAPE) / 2).T)
    strength = rng.exponential(1, len(places)) * np.exp(-r / 120)
    light = sum(s * stamped(p[None], 2.0) for p, s in zip(places[keep][:120], strength[keep], strict=False))
    return exposed(light, rng)


@kind(NOT_A_GRID)
def photograph(rng):
    import matplotlib.cbook

    with matplotlib.cbook.get_sample_data("grace_hopper.jpg") as file:
        import matplotlib.image

        return matplotlib.image.imread(file, format="jpg")[..., 1][80:340, 100:420]


@kind(NOT_A_GRID)
def landscape_from_above(rng):
    import matplotlib.cbook

    with matplotlib.cbook.get_sample_data("jacksboro_fault_dem.npz") as data:
        return np.asarray(data["elevation"], float)


@kind(NOT_A_GRID)
def fractal_clouds(rng):
    return exposed(pink(rng, 1.3), rng)


@kind(NOT_A_GRID)
def fractal_rocks(rng):
    return exposed(pink(rng, 0.8), rng)


@kind(NOT_A_GRID)
def picture_of_things(rng):
    return exposed(scene_of_things(rng), rng)


@kind(NOT_A_GRID)
def picture_cut_into_jpeg_blocks(rng):
    out = scene_of_things(rng)[: SHAPE[0] // 8 * 8, : SHAPE[1] // 8 * 8]
    blocks = out.reshape(out.shape[0] // 8, 8, out.shape[1] // 8, 8).mean(axis=(1, 3))
    return (200 * np.kron(blocks, np.ones((8, 8))) + 20).astype(np.uint8)


@kind(NOT_A_GRID)
def page_of_text(rng):
    out = np.full(SHAPE, 1.0)
    for top in range(12, SHAPE[0] - 14, 15):
        x = 14.0
        while x < SHAPE[1] - 20:
            if rng.random() < 0.17:
                x += 7
                continue
            letter = np.zeros((9, 6))
            for _ in range(3):
                if rng.random() < 0.5:
                    letter[:, rng.integers(0, 6)] = 1
                else:
                    letter[rng.integers(0, 9)] = 1
            out[top : top + 9, int(x) : int(x) + 6] -= 0.9 * letter
            x += 8
    return (220 * ndimage.gaussian_filter(out, 0.6) + rng.normal(0, 2, SHAPE)).clip(0, 255).astype(np.uint8)


@kind(NOT_A_GRID)
def bar_code(rng):
    bars = np.repeat(rng.random(SHAPE[1] // 4 + 1) < 0.5, 4)[: SHAPE[1]]
    return exposed(np.broadcast_to(ndimage.gaussian_filter1d(bars.astype(float), 0.8), SHAPE), rng)


@kind(NOT_A_GRID)
def matrix_code(rng):
    cells = rng.random((SHAPE[0] // 9 + 1, SHAPE[1] // 9 + 1)) < 0.5
    light = np.kron(cells, np.ones((9, 9)))[: SHAPE[0], : SHAPE[1]]
    return exposed(ndimage.gaussian_filter(light, 0.8), rng)


@kind(NOT_A_GRID)
def wood(rng):
    y, x = axes()
    return exposed(0.5 + 0.5 * np.sin(0.4 * x + 12 * pink(rng, 1.6) + 0.02 * y), rng)


@kind(NOT_A_GRID)
def cells_under_the_microscope(rng):
    seeds = rng.uniform(0, 1, (150, 2)) * SHAPE
    y, x = axes()
    d = np.sort(np.hypot(y[..., None] - seeds[:, 0], x[..., None] - seeds[:, 1]), axis=2)
    return exposed(ndimage.gaussian_filter(((d[..., 1] - d[..., 0]) > 2.5).astype(float), 1), rng)


# ------------------------------------------------------------------------------------------------- dots, but no lattice
@kind(NOT_A_GRID)
def random_dots(rng):
    return exposed(stamped(rng.uniform(0, 1, (190, 2)) * SHAPE), rng)


@kind(NOT_A_GRID)
def dots_that_keep_their_distance(rng):
    places: list[np.ndarray] = []
    for p in rng.uniform(0, 1, (8000, 2)) * SHAPE:
        if all(np.hypot(*(p - q)) > 15.5 for q in places):
            places.append(p)
    return exposed(stamped(np.array(places)), rng)


@kind(NOT_A_GRID)
def one_row_of_dots(rng):
    x = np.arange(10, SHAPE[1], 19.3)
    return exposed(stamped(np.stack([120 + 0.05 * x, x], axis=1)), rng)


@kind(NOT_A_GRID)
def dots_on_circles(rng):
    places = [(126.2, 153.4)]
    for ring in range(1, 11):
        phi = np.arange(6 * ring) / (6 * ring) * 2 * np.pi
        places += [(126.2 + 18.0 * ring * np.sin(p), 153.4 + 18.0 * ring * np.cos(p)) for p in phi]
    return exposed(stamped(np.array(places)), rng)


@kind(NOT_A_GRID)
def dots_on_rays(rng):
    phi, r = np.meshgrid(np.arange(24) / 24 * 2 * np.pi, np.arange(20, 200, 17.0))
    return exposed(stamped(np.stack([126 + (r * np.sin(phi)).ravel(), 153 + (r * np.cos(phi)).ravel()], axis=1)), rng)


@kind(NOT_A_GRID)
def spiral_of_dots(rng):
    n = np.arange(340)
    r, phi = 9.5 * np.sqrt(n), n * np.pi * (3 - np.sqrt(5))
    return exposed(stamped(np.stack([126 + r * np.sin(phi), 153 + r * np.cos(phi)], axis=1)), rng)


@kind(NOT_A_GRID)
def quasi_crystal(rng):
    y, x = axes()
    waves = sum(np.cos(0.33 * (x * np.cos(k * np.pi / 5) + y * np.sin(k * np.pi / 5))) for k in range(5))
    return exposed(ndimage.gaussian_filter((waves > 2.2).astype(float), 0.8), rng)


@kind(NOT_A_GRID)
def too_few_holes(rng):
    return exposed(stamped(np.array([(100, 100), (101, 120), (120, 99), (121, 119.0)])), rng)


@kind(r"control points|spots|like a hole", doubt=True)
def three_by_four_holes(rng):
    i, j = (v.ravel() for v in np.mgrid[0:3, 0:4])
    return exposed(stamped(np.stack([100.3 + 19 * i + 2 * j, 120.1 + 19 * j - 2 * i], axis=1)), rng)


@kind(NOT_A_GRID)
def grid_shaken_by_a_third_of_the_pitch(rng):
    places = nodes()
    return exposed(stamped(places + rng.uniform(-0.33, 0.33, places.shape) * 19.3), rng)


@kind(NOT_A_GRID + "|plate|scatter|predicted", doubt=True)
def grid_shaken_by_a_tenth_of_the_pitch(rng):
    places = nodes()
    return exposed(stamped(places + rng.normal(0, 0.1, places.shape) * 19.3), rng)


@kind(NOT_A_GRID + "|nodes", doubt=True)
def grid_of_which_eight_tenths_are_missing(rng):
    places = nodes()
    return exposed(stamped(places[rng.random(len(places)) > 0.8]), rng)


@kind(NOT_A_GRID + "|nodes")
def grid_of_which_nine_tenths_are_missing(rng):
    places = nodes()
    return exposed(stamped(places[rng.random(len(places)) > 0.9]), rng)


@kind(r"coverage|only|calibrated|control points", doubt=True)
def grid_in_one_corner(rng):
    places = nodes()
    near = (places[:, 0] < 62) & (places[:, 1] < 62)
    return exposed(stamped(places[near]), rng)


# ------------------------------------------------------------------------------------------------- two grids at once
@kind(r"lattice|grid|exposed")
def two_grids_over_each_other(rng):
    return exposed(np.maximum(stamped(nodes()), stamped(nodes(21.7, 14.0))), rng)


@kind(r"lattice|grid|exposed", doubt=True)
def moire_of_two_grids(rng):
    return exposed(stamped(nodes(12.2, 3.0), 2.6) * 0.5 + stamped(nodes(12.9, 6.5), 2.6) * 0.5, rng)


@kind(r"lattice|grid|exposed")
def exposed_twice_with_a_shift(rng):
    return exposed(0.5 * stamped(nodes()) + 0.5 * stamped(nodes(offset=(3.1 + 8.9, 5.7 + 4.1))), rng)


@kind(r"lattice|grid|exposed")
def exposed_twice_the_second_time_weakly(rng):
    return exposed(0.7 * stamped(nodes()) + 0.3 * stamped(nodes(offset=(3.1 + 8.9, 5.7 + 5.1))), rng)


@kind(r"lattice|grid|exposed|aspect|longer")
def exposed_twice_half_a_pitch_apart(rng):
    a = np.deg2rad(6)
    half = 19.3 / 2 * np.array([np.sin(a), np.cos(a)])
    return exposed(0.5 * stamped(nodes()) + 0.5 * stamped(nodes(offset=(3.1 + half[0], 5.7 + half[1]))), rng)


@kind(r"lattice|grid|exposed|round|shape", doubt=True)
def shaken_camera(rng):
    return exposed(0.5 * stamped(nodes()) + 0.5 * stamped(nodes(offset=(3.1 + 4.2, 5.7 + 2.2))), rng)


# ------------------------------------------------------------------------------------------------- no holes
@kind(NOT_A_GRID + "|round|lines")
def lines(rng):
    u, _ = turned(11)
    return exposed(ndimage.gaussian_filter((np.mod(u, 17.3) < 5).astype(float), 0.8), rng)


@kind(r"round|lines|lattice|holes")
def crossed_lines(rng):
    u, v = turned(11)
    return exposed(ndimage.gaussian_filter(np.maximum(np.mod(u, 21.3) < 3, np.mod(v, 21.3) < 3) * 1.0, 0.8), rng)


@kind(r"round|chess|lattice|holes")
def chessboard(rng):
    u, v = turned(4)
    return exposed(ndimage.gaussian_filter((np.mod(u // 17 + v // 17, 2) < 1).astype(float), 0.8), rng)


@kind(r"round|chess|lattice|holes")
def small_chessboard(rng):
    u, v = turned(27)
    return exposed(ndimage.gaussian_filter((np.mod(u // 8 + v // 8, 2) < 1).astype(float), 0.8), rng)


@kind(r"round|lattice|holes", doubt=True)
def grid_of_triangles(rng):
    return exposed(stamped(nodes(27.3), 7.0, corners=3), rng)


@kind(r"round|lattice|holes|aspect|longer")
def brick_wall(rng):
    y, x = axes()
    row = y // 14
    joint = (np.mod(y, 14) < 2.5) | (np.mod(x + 15 * np.mod(row, 2), 30) < 2.5)
    return exposed(ndimage.gaussian_filter((~joint).astype(float), 0.8), rng)


@kind(r"round|lattice|holes|size|spots", doubt=True)
def halftone_of_a_photograph(rng):
    picture = ndimage.gaussian_filter(pink(rng, 1.5), 1)
    places = nodes(11.0, 45)
    inside = np.clip(np.rint(places).astype(int), 0, np.array(SHAPE) - 1)
    return exposed(stamped(places, 1.0 + 4.6 * picture[tuple(inside.T)]), rng)


@kind(r"lattice|holes|spots|size", doubt=True)
def dots_of_all_sizes(rng):
    places = nodes(24.0)
    return exposed(stamped(places, rng.uniform(1.5, 9, len(places))), rng)


# ------------------------------------------------------------------------------------------------- told something wrong
@kind(r"longer|pitch|order")
def rectangular_grid_given_as_square(rng):
    return exposed(stamped(nodes((28.0, 19.0), 4)), rng)


@kind(r"longer|pitch|order")
def pitches_in_the_wrong_order(rng):
    return exposed(stamped(nodes((28.0, 19.0), 4)), rng), {"pitch": (1.9e-3, 2.8e-3)}


@kind(r"degrees|hexagonal")
def hexagonal_grid_given_as_square(rng):
    return exposed(stamped(nodes((19.3 * np.sqrt(3) / 2, 19.3), 4)), rng), {"lattice": "hexagonal"}


@kind(r"degrees|square")
def square_lattice_expected_hexagonal_found(rng):
    u = 21.0
    i, j = (v.ravel() for v in np.mgrid[-40:40, -40:40])
    places = np.stack([126 + i * u * np.sqrt(3) / 2, 153 + u * (j + 0.5 * i)], axis=1)
    near = (places > -15).all(axis=1) & (places < np.array(SHAPE) + 15).all(axis=1)
    return exposed(stamped(places[near]), rng), {"lattice": "square"}


@kind(r"degrees|angle|oblique|shear")
def oblique_grid_given_as_square(rng):
    return exposed(stamped(nodes(19.3, 5, -17)), rng)


@kind(r"polarity|holes|spots|lattice", doubt=True)
def wrong_polarity(rng):
    return grid(rng), {"polarity": "dark"}


@kind(r"pixel|pitch|nominal|scale")
def pitch_that_contradicts_the_pixel(rng):
    return grid(rng), {"pixel": 2e-5}


@kind(r"folds|mirror|lattice|spots|holes|coverage|only", doubt=True)
def dead_but_for_a_strip(rng):
    out = grid(rng)
    out[:, 58:] = 100
    return out
