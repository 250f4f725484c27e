"""The table of shares, and images on a raster that holds all that is known: no count lost, nothing bleeds."""

from __future__ import annotations

import tracemalloc

import h5py
import numpy as np
import pytest
from hub import Wave, modules, wave

from pyfai_gridcal.base.errors import UsageError
from pyfai_gridcal.correction.corrector import Corrector
from pyfai_gridcal.correction.table import build_table, correct_known, save_image
from pyfai_gridcal.io.kinds.kinds import read_distortion, write_distortion
from pyfai_gridcal.io.nexus.detector import to_detector
from pyfai_gridcal.records.distortion import Distortion
from pyfai_gridcal.records.field import SampledField, TiledField
from pyfai_gridcal.synthetic import fields

SHAPE = (230, 310)
PIXEL = (50e-6, 45e-6)
PLANE = (np.array([-1.0, 2000.0]), np.array([-1.0, 2000.0]))
COUNTS = np.random.default_rng(1).poisson(200, SHAPE).astype(np.uint16)
TAPER = Distortion(fields.taper(SHAPE, np.random.default_rng(2)), SHAPE, PIXEL)


def test_the_builder_prints_nothing(capfd):
    build_table(wave(SHAPE, scale=2.5))
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")


def test_whole_keeps_every_count():
    field = wave(SHAPE)
    table = build_table(field, whole=True)
    image = COUNTS
    out = Corrector(table, coverage=1e-6, dummy=0)(image)
    assert out.sum(dtype=float) == pytest.approx(image.sum(dtype=float), rel=1e-6)
    assert Corrector(table).lost() == pytest.approx(0, abs=1e-6)
    assert Corrector(build_table(field)).lost() > 1e-3


@pytest.mark.parametrize("kind", ["smooth", "tiled"])
def test_known_parts_are_as_pyfai_corrects_them(kind):
    from pyFAI.distortion import Distortion as PyFAIDistortion

    from pyfai_gridcal.base.silence import silenced_stdout

    truth = TAPER if kind == "smooth" else modules()
    mask = np.zeros(truth.shape, bool)
    mask[41:52, 17:19] = True
    image = np.random.default_rng(3).poisson(300, truth.shape).astype(np.float32)
    ours = correct_known(image, truth, mask=mask, same_raster=True)
    if truth.mask is not None:
        mask |= truth.mask
    with silenced_stdout():
        engine = PyFAIDistortion(to_detector(Distortion(truth.field, truth.shape, truth.pixel_size)), mask=False)
        theirs = engine.correct(np.where(mask, 0, image).astype(np.float32))
    known = ~ours.mask
    assert known.mean() > 0.7
    np.testing.assert_allclose(ours.data[known], theirs[known], rtol=1e-6, atol=1e-4)


def test_a_raster_of_its_own_is_the_same_raster_shifted():
    own, same = correct_known(COUNTS, TAPER), correct_known(COUNTS, TAPER, same_raster=True)
    down, right = (-n for n in own.offset)
    part = (slice(down, down + SHAPE[0]), slice(right, right + SHAPE[1]))
    both = ~own.mask[part] & ~same.mask
    assert both.mean() > 0.8
    np.testing.assert_allclose(own.data[part][both], same.data[both], rtol=2e-3)
    assert not (own.mask[0].all() and own.mask[3].all() and own.mask[4].all())


def test_what_is_covered_by_known_pixels_to_98_in_a_hundred_counts_as_known():
    y, x = np.array([-1.0, 400.0]), np.array([-1.0, 400.0])
    for shift, known in ((0.01, True), (0.03, False)):
        field = SampledField(y, x, np.full((2, 2, 2), (shift, 0.0)), clamp=True)
        corrected = correct_known(COUNTS, Distortion(field, SHAPE, PIXEL), same_raster=True)
        assert (not corrected.mask[0].any()) == known
        assert not corrected.mask[1:].any()


def test_pixels_without_corners_neither_share_nor_make_the_raster_larger():
    class Holed(Wave):
        def on_grid(self, y, x):
            values = super().on_grid(y, x)
            values[np.ix_((y > 20) & (y < 25), (x > 30) & (x < 33))] = np.nan
            return values

    whole = Distortion(Wave(), SHAPE, PIXEL)
    table, plain = (build_table(Distortion(f, SHAPE, PIXEL), whole=True) for f in (Holed(), whole.field))
    assert np.abs(np.subtract(table.shape_out, plain.shape_out)).max() <= 1
    given = np.asarray(table.matrix.sum(axis=0)).reshape(SHAPE)
    holes = table.area.reshape(SHAPE) == 0
    assert holes.sum() == 6 * 4
    assert (given[holes] == 0).all()
    np.testing.assert_allclose(given[~holes], 1, rtol=1e-5)


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("kind", ["smooth", "turned", "tiled"])
def test_some_rows_at_a_time_give_the_same_table(kind, whole, monkeypatch):
    turn = np.radians(40)
    turned = np.array([[np.cos(turn) - 1, -np.sin(turn)], [np.sin(turn), np.cos(turn) - 1]])
    yx = np.stack(np.meshgrid([-1.0, 231.0], [-1.0, 311.0], indexing="ij"), axis=-1)
    field = SampledField(np.array([-1.0, 231.0]), np.array([-1.0, 311.0]), (yx - (100, 170)) @ turned.T)
    plain = {"smooth": TAPER, "turned": Distortion(field, SHAPE, PIXEL), "tiled": modules()}[kind]
    mask = np.zeros(plain.shape, bool)
    mask[30:75], mask[120:130, 40:90] = True, True
    made = []
    for rows in (10_000, 17):
        monkeypatch.setattr("pyfai_gridcal.correction.table._ROWS", rows)
        known = correct_known(np.arange(mask.size).reshape(mask.shape), plain, mask=mask)
        made.append((build_table(plain, whole=whole), known))
    (at_once, seen), (in_steps, seen_in_steps) = made
    for name in ("weights", "columns", "rows", "area"):
        np.testing.assert_array_equal(getattr(at_once, name), getattr(in_steps, name), err_msg=name)
    assert (at_once.shape_out, at_once.offset) == (in_steps.shape_out, in_steps.offset)
    np.testing.assert_array_equal(seen.data, seen_in_steps.data)


def test_an_image_squeezed_to_a_third_still_has_a_table():
    y, x = np.array([-1.0, 230.0]), np.array([-1.0, 310.0])
    yx = np.stack(np.meshgrid(y, x, indexing="ij"), axis=-1)
    squeezed = SampledField(y, x, (yx - (115, 155)) * (1 / 3 - 1, 0))
    table = build_table(Distortion(squeezed, SHAPE, PIXEL))
    out = (table.matrix @ np.ones(SHAPE[0] * SHAPE[1], np.float32)).reshape(SHAPE)
    assert out.max() == pytest.approx(3, abs=1e-3)
    assert out.sum() == pytest.approx(SHAPE[0] * SHAPE[1], rel=1e-5)


def test_a_table_takes_little_more_room_than_its_own():
    big = wave((1200, 400))
    build_table(wave((9, 11)))  # what pyFAI loads is no room of the table
    tracemalloc.start()
    try:
        table = build_table(big)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    own = sum(getattr(table, name).nbytes for name in ("weights", "columns", "rows", "area"))
    assert peak < 3 * own


def test_a_detector_of_tiles_takes_the_room_of_its_corners(tmp_path):
    """Those stand in memory once, as they do in the file."""
    labels = np.add.outer(np.arange(1024) // 512, 2 * (np.arange(400) // 200))
    shifts = [SampledField(*PLANE, np.full((2, 2, 2), v)) for v in (0.0, 1.3, -0.6, 2.2)]
    path = tmp_path / "tiles.h5"
    write_distortion(Distortion(TiledField(labels, tuple(shifts)), labels.shape, PIXEL), path)
    build_table(wave((9, 11)))
    tracemalloc.start()
    try:
        distortion = read_distortion(path)
        table = build_table(distortion)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    own = sum(getattr(table, name).nbytes for name in ("weights", "columns", "rows", "area", "mask"))
    with h5py.File(path) as file:
        corners = file["entry_0000/pyFAI/calibrated/pixel_corners"][()]
    np.testing.assert_array_equal(distortion.pixel_corners(), corners)
    assert peak < 1.3 * (own + labels.size * 32)


def test_counts_are_conserved_and_the_raster_holds_everything():
    distortion = Distortion(fields.taper(SHAPE, np.random.default_rng(5), strength=2.0), SHAPE, PIXEL)
    image = np.zeros(SHAPE)
    image[40:190, 30:280] = np.random.default_rng(0).uniform(1, 2, (150, 250))
    corrected = correct_known(image, distortion, empty=-1.0)
    assert corrected.offset[0] < 0
    assert corrected.data[~corrected.mask].sum() == pytest.approx(image.sum(), rel=1e-5)
    assert (corrected.data[corrected.mask] == -1).all()
    assert (~corrected.mask).sum() > SHAPE[0] * SHAPE[1]
    same = correct_known(image, distortion, same_raster=True)
    assert same.data.shape == SHAPE
    assert same.offset == (0, 0)


def test_one_pixel_lands_where_the_distortion_says():
    distortion = Distortion(fields.taper(SHAPE, np.random.default_rng(6)), SHAPE, PIXEL)
    for pixel in ((20, 35), (200, 290), (115, 7)):
        image = np.zeros(SHAPE)
        image[pixel] = 100
        corrected = correct_known(image, distortion)
        assert corrected.data.sum() == pytest.approx(100, rel=1e-4)
        y, x = np.mgrid[: corrected.data.shape[0], : corrected.data.shape[1]]
        centre = np.array([(corrected.data * y).sum(), (corrected.data * x).sum()]) / corrected.data.sum()
        np.testing.assert_allclose(centre + corrected.offset, distortion.correct(np.array([pixel]))[0], atol=0.05)


def test_masked_pixels_do_not_bleed():
    y, x = np.linspace(-1, 232, 20), np.linspace(-1, 312, 20)
    field = SampledField(y, x, np.full((20, 20, 2), (0.4, 0.3)))
    mask = np.zeros(SHAPE, bool)
    mask[100:103] = True
    mask[50, 60] = True
    image = np.where(mask, 1e9, 5.0)
    image[200, 200] = np.nan
    wild = np.zeros((20, 20, 2))
    wild[0, 0] = 1e4  # nonsense where it is masked anyway
    mask[:40, :40] = True
    corrected = correct_known(image, Distortion(SampledField(y, x, field.values + wild), SHAPE, PIXEL, mask))
    inside = ~corrected.mask
    inside[
        200 - corrected.offset[0] : 203 - corrected.offset[0], 200 - corrected.offset[1] : 203 - corrected.offset[1]
    ] = False
    np.testing.assert_allclose(corrected.data[inside], 5.0, rtol=1e-3)
    row = 101 - corrected.offset[0]
    assert corrected.mask[row - 1 : row + 3].all(axis=0)[20:-20].all()
    assert corrected.mask[50 - corrected.offset[0], 60 - corrected.offset[1]]
    assert corrected.data.shape[0] < SHAPE[0] + 20


def test_nonsense_is_refused():
    flat, image = Distortion(fields.linear(SHAPE), SHAPE, PIXEL), np.ones(SHAPE)
    with pytest.raises(UsageError, match="image of shape"):
        correct_known(np.ones((4, 5)), flat)
    with pytest.raises(UsageError, match="all pixels"):
        correct_known(image, flat, mask=np.ones(SHAPE, bool))
    with pytest.raises(UsageError, match="mask of shape"):
        correct_known(image, flat, mask=np.ones((3, 3), bool))
    with pytest.raises(UsageError, match="would have"):
        correct_known(image, Distortion(fields.linear(SHAPE, stretch=300.0), SHAPE, PIXEL))


@pytest.mark.parametrize("suffix", [".edf", ".tif", ".npy", ".h5"])
def test_corrected_image_is_saved(tmp_path, suffix):
    from pyfai_gridcal.io.images.images import load_image

    corrected = correct_known(COUNTS, TAPER)
    path = save_image(tmp_path / f"a{suffix}", corrected.data, corrected.header())
    back = load_image(f"{path}::/entry_0000/image/data" if suffix == ".h5" else str(path))
    np.testing.assert_array_equal(back.data, corrected.data)
    if suffix == ".edf":
        assert "4.5e-05" in path.read_bytes()[:4096].decode("latin-1")


def test_saved_hdf5_opens_on_the_image(tmp_path):
    import h5py
    from silx.io import nxdata

    save_image(tmp_path / "a.h5", np.arange(12.0).reshape(3, 4), {"dummy": "-1"})
    with h5py.File(tmp_path / "a.h5") as file:
        shown = nxdata.get_default(file)
        assert shown.is_image
        assert file["entry_0000/header/dummy"][()] == b"-1"
    with pytest.raises(UsageError, match="image format"):
        save_image(tmp_path / "a.gif", np.zeros((3, 3)))
    with pytest.raises(UsageError, match="no folder"):
        save_image(tmp_path / "no" / "a.h5", np.zeros((3, 3)))
