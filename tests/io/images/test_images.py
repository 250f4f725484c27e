"""Images from wherever they come."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import fabio
import h5py
import numpy as np
import pytest
from PIL import ExifTags
from PIL import Image as pillow

from pyfai_gridcal.base.arrays import AnyArray
from pyfai_gridcal.base.errors import ImageError, UsageError
from pyfai_gridcal.io.images import images
from pyfai_gridcal.io.images.images import Image, load_image

SHAPE = (34, 47)


@pytest.fixture
def picture() -> AnyArray:
    return np.random.default_rng(3).integers(100, 3000, SHAPE).astype(np.uint16)


def write_edf(path: Path, data: AnyArray) -> None:
    fabio.edfimage.EdfImage(data=data, header={"motor": "phi", "exposure": "1.5"}).write(str(path))


def write_tiff(path: Path, data: AnyArray) -> None:
    pillow.fromarray(data).save(path)


def write_cbf(path: Path, data: AnyArray) -> None:
    fabio.cbfimage.CbfImage(data=data.astype(np.int32)).write(str(path))


def write_npy(path: Path, data: AnyArray) -> None:
    np.save(path, data)


def write_hdf5(path: Path, data: AnyArray) -> None:
    with h5py.File(path, "w") as file:
        file["entry/data/image"] = data
        file["entry/time"] = np.arange(5.0)


@pytest.mark.parametrize(
    ("suffix", "write"),
    [
        ("edf", write_edf),
        ("tif", write_tiff),
        ("cbf", write_cbf),
        ("npy", write_npy),
        ("png", write_tiff),
        ("h5", write_hdf5),
    ],
)
def test_formats(tmp_path: Path, picture: AnyArray, suffix: str, write: Callable[[Path, AnyArray], None]) -> None:
    path = tmp_path / f"grid.{suffix}"
    write(path, picture)
    image = load_image(path)
    assert np.array_equal(image.data, picture)
    assert not image.mask.any()
    assert image.name == path.name
    (source,) = image.sources
    assert os.path.isabs(source.path)
    assert len(source.sha256) == 64
    assert not image.data.flags.writeable


def test_header_is_kept(tmp_path: Path, picture: AnyArray) -> None:
    write_edf(tmp_path / "grid.edf", picture)
    assert load_image(tmp_path / "grid.edf").sources[0].header["exposure"] == "1.5"


def test_jpeg_and_colour(tmp_path: Path) -> None:
    grey = np.tile(np.linspace(20, 200, SHAPE[1]), (SHAPE[0], 1)).astype(np.uint8)
    pillow.fromarray(grey).save(tmp_path / "grey.jpg", quality=100)
    assert load_image(tmp_path / "grey.jpg").notes == ()
    # a camera that was held upright: pixels are what counts, not how the picture is to be shown
    tags = pillow.Exif()
    tags[ExifTags.Base.Orientation] = 6
    pillow.fromarray(grey).save(tmp_path / "upright.jpg", quality=100, exif=tags)
    upright = load_image(tmp_path / "upright.jpg")
    assert upright.shape == SHAPE
    assert any("EXIF" in note for note in upright.notes)
    colour = np.dstack([grey, grey // 2, grey // 4])
    for name in ("colour.png", "colour.tif", "colour.npy"):
        if name.endswith("npy"):
            np.save(tmp_path / name, colour)
        else:
            pillow.fromarray(colour).save(tmp_path / name)
        image = load_image(tmp_path / name)
        assert image.data == pytest.approx(colour.mean(axis=2), abs=1e-3)
        assert "grey" in image.notes[0]


def test_transparency_is_left_out(tmp_path: Path) -> None:
    rgba = np.full((*SHAPE, 4), (10, 20, 30, 255), np.uint8)
    pillow.fromarray(rgba).save(tmp_path / "a.png")
    assert np.all(load_image(tmp_path / "a.png").data == 20)


def test_one_bit_png(tmp_path: Path) -> None:
    bits = np.random.default_rng(0).random(SHAPE) > 0.5
    pillow.fromarray(bits).save(tmp_path / "a.png")
    assert np.array_equal(load_image(tmp_path / "a.png").data > 0, bits)


# -- HDF5


def test_hdf5_by_content(tmp_path: Path, picture: AnyArray) -> None:
    write_hdf5(tmp_path / "grid.unusual", picture)
    assert np.array_equal(load_image(tmp_path / "grid.unusual").data, picture)


# -- stacks
def test_lists_are_reduced(tmp_path: Path, picture: AnyArray) -> None:
    rng = np.random.default_rng(7)
    frames = [(picture + rng.integers(0, 50, SHAPE)).astype(np.uint16) for _ in range(5)]
    for k, frame in enumerate(frames):
        write_edf(tmp_path / f"grid_{k}.edf", frame)
    names = [str(tmp_path / f"grid_{k}.edf") for k in range(5)]
    median = load_image(names)
    assert np.array_equal(median.data, np.median(frames, axis=0))
    assert [s.frames for s in median.sources] == [1] * 5
    assert "median of 5 frames" in median.notes[0]
    assert np.allclose(load_image(names, combine="mean").data, np.mean(frames, axis=0))
    assert np.array_equal(
        load_image(names, frames=[1, 3], combine="mean").data, np.mean([frames[1], frames[3]], axis=0)
    )
    assert np.array_equal(load_image(names, frames=2).data, frames[2])
    assert load_image(names, frames=2).sources[0].path == names[2]
    assert np.array_equal(load_image(str(tmp_path / "grid_*.edf")).data, median.data)
    assert np.array_equal(load_image(np.stack(frames)).data, median.data)


def test_multi_frame_files(tmp_path: Path, picture: AnyArray) -> None:
    pages = [pillow.fromarray(np.asarray(picture + k, np.uint16)) for k in range(3)]
    pages[0].save(tmp_path / "grid.tif", save_all=True, append_images=pages[1:])
    assert np.array_equal(load_image(tmp_path / "grid.tif").data, picture + 1)
    assert np.array_equal(load_image(f"fabio:{tmp_path / 'grid.tif'}?slice=2").data, picture + 2)
    np.save(tmp_path / "stack.npy", np.stack([picture, picture + 2, picture + 9]))
    assert np.array_equal(load_image(tmp_path / "stack.npy").data, picture + 2)


def test_median_beyond_the_memory(monkeypatch: pytest.MonkeyPatch, picture: AnyArray) -> None:
    stack = np.random.default_rng(2).normal(size=(9, *SHAPE)).astype(np.float32)
    stack[:, 3, 4] = np.nan
    stack[2:, 5, 6] = np.nan
    want = load_image(stack)
    monkeypatch.setattr(images, "MEMORY", 1000)
    monkeypatch.setattr(images, "BLOCK", 9 * SHAPE[1] * 8 * 5)
    got = load_image(stack)
    assert np.array_equal(got.data, want.data)
    assert np.argwhere(got.mask).tolist() == [[3, 4]]
    assert got.data[5, 6] == pytest.approx(stack[:2, 5, 6].mean())


def test_mean_leaves_out_what_is_not_finite() -> None:
    stack = np.ones((4, *SHAPE))
    stack[0] = 3
    stack[1:, 2, 2] = np.nan
    stack[:, 9, 9] = np.inf
    image = load_image(stack, combine="mean")
    assert image.data[2, 2] == 3
    assert np.argwhere(image.mask).tolist() == [[9, 9]]


def test_progress_is_told(picture: AnyArray) -> None:
    told: list[tuple[float, str]] = []
    load_image(np.stack([picture] * 3), progress=lambda fraction, text: told.append((fraction, text)))
    assert [f for f, _ in told] == [0, 1 / 3, 2 / 3]
    assert "2 of 3" in told[1][1]


def test_an_image_is_taken_as_it_is(picture: AnyArray) -> None:
    image = load_image(picture)
    assert load_image(image) is image


# -- dark, flat, mask
def test_dark_and_flat(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    truth, light = rng.uniform(100, 200, SHAPE), rng.uniform(0.5, 2, SHAPE)
    dark = rng.uniform(10, 20, SHAPE)
    flat = light * 1234
    flat[3, 5], flat[7, 8], dark[1, 2] = 0, np.nan, np.nan
    np.save(tmp_path / "dark.npy", dark)
    image = load_image(truth * light + np.nan_to_num(dark), dark=[tmp_path / "dark.npy"], flat=flat)
    assert {tuple(x) for x in np.argwhere(image.mask)} == {(3, 5), (7, 8), (1, 2)}
    ratio = (image.data / truth)[~image.mask]
    assert ratio == pytest.approx(ratio[0], rel=1e-9)
    assert [s.role for s in image.sources] == ["image", "dark", "flat"]


def test_integers_do_not_wrap(picture: AnyArray) -> None:
    image = load_image(picture, dark=np.full(SHAPE, 2000, np.uint16))
    assert image.data.min() < 0
    assert np.array_equal(image.data, picture - 2000.0)
    assert not image.mask.any()


def test_masks(tmp_path: Path, picture: AnyArray) -> None:
    ignore = np.zeros(SHAPE, np.uint8)
    ignore[4:7, 9] = 1
    other = np.zeros(SHAPE, bool)
    other[0] = True
    write_edf(tmp_path / "mask.edf", ignore)
    np.save(tmp_path / "mask.npy", other)
    assert np.array_equal(load_image(picture, mask=tmp_path / "mask.edf").mask, ignore != 0)
    both = load_image(picture, mask=[str(tmp_path / "mask.edf"), other]).mask
    assert np.array_equal(both, (ignore != 0) | other)
    assert np.array_equal(load_image(picture, mask=tmp_path / "mask.npy").mask, other)


# -- what the values give away


# -- what goes wrong
def junk(path: Path) -> Path:
    path.write_bytes(b"this is no image at all, whatever its name says\n" * 20)
    return path


@pytest.mark.parametrize(
    "name", ["a.edf", "a.tif", "a.cbf", "a.jpg", "a.png", "a.h5", "a.npy", "a", "a.nxs", "a.mar3450"]
)
def test_rubbish(tmp_path: Path, name: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ImageError, match=r"read|HDF5"):
        load_image(junk(tmp_path / name))
    assert capfd.readouterr() == ("", "")


def test_truncated_files(tmp_path: Path, picture: AnyArray) -> None:
    for suffix, write in (
        ("edf", write_edf),
        ("h5", write_hdf5),
        ("npy", write_npy),
        ("tif", write_tiff),
        ("png", write_tiff),
    ):
        path = tmp_path / f"grid.{suffix}"
        write(path, picture)
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2])
        with pytest.raises(ImageError):
            load_image(path)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda p: p / "nothing.edf", "no such file"),
        (lambda p: p / "nothing.h5", "no such file"),
        (lambda p: f"{p}/nothing.h5::/entry", "no such file"),
        (lambda p: p, "is a folder"),
        (lambda p: np.zeros(7), r"array of shape \(7,\)"),
        (lambda p: np.zeros((0, 5)), "empty"),
        (lambda p: np.full(SHAPE, np.nan), "all .* pixels"),
        (lambda p: np.zeros(SHAPE, complex), "complex"),
        (lambda p: np.array([["a", "b"]]), "real numbers"),
        (lambda p: [np.zeros((4, 5)), np.zeros((5, 4))], "one shape"),
        (lambda p: np.zeros((2, 3, 4, 50)), "two dimensions"),
    ],
)
def test_errors(tmp_path: Path, make: Callable[[Path], object], says: str) -> None:
    with pytest.raises(ImageError, match=says):
        load_image(make(tmp_path))


def test_empty_and_one_dimensional_files(tmp_path: Path) -> None:
    (tmp_path / "empty.edf").touch()
    with pytest.raises(ImageError, match="0 bytes"):
        load_image(tmp_path / "empty.edf")
    np.save(tmp_path / "line.npy", np.arange(9.0))
    with pytest.raises(ImageError):
        load_image(tmp_path / "line.npy")
    with h5py.File(tmp_path / "line.h5", "w") as file:
        file["x"] = np.arange(9.0)
        file["text"] = "hello"
    with pytest.raises(ImageError, match="no image"):
        load_image(tmp_path / "line.h5")
    with pytest.raises(ImageError, match="two dimensions"):
        load_image(f"{tmp_path / 'line.h5'}::/x")
    with pytest.raises(ImageError):
        load_image(f"{tmp_path / 'line.h5'}::/text")


def test_shapes_must_agree(picture: AnyArray) -> None:
    wrong = np.ones(SHAPE[::-1])
    for what in ("dark", "flat", "mask"):
        with pytest.raises(ImageError, match=f"{what}.*shape"):
            load_image(picture, **{what: wrong})
    with pytest.raises(ImageError, match="nowhere positive"):
        load_image(picture, flat=np.zeros(SHAPE))
    with pytest.raises(ImageError, match="every pixel"):
        load_image(picture, mask=np.ones(SHAPE))
    with pytest.raises(UsageError, match="combine"):
        load_image(picture, combine="sum")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="frames"):
        load_image(picture, frames=3)
    with pytest.raises(UsageError, match="no image given"):
        load_image([])


def test_record_checks_itself() -> None:
    with pytest.raises(UsageError, match="mask of shape"):
        Image(np.zeros(SHAPE), np.zeros(SHAPE[::-1], bool))


def test_corrupt_frame_in_a_stack(tmp_path: Path, picture: AnyArray) -> None:
    for k in range(3):
        write_edf(tmp_path / f"g{k}.edf", picture)
    junk(tmp_path / "g1.edf")
    with pytest.raises(ImageError, match=r"g1\.edf"):
        load_image([tmp_path / f"g{k}.edf" for k in range(3)])
