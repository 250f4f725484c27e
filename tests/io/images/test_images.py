"""Images from wherever they come."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from pathlib import Path

import fabio
import h5py
import numpy as np
import pytest
from PIL import Image as pillow

from pyfai_gridcal.base.arrays import AnyArray
from pyfai_gridcal.base.errors import ImageError, UsageError
from pyfai_gridcal.exposure import take_exposure
from pyfai_gridcal.io.images import images
from pyfai_gridcal.io.images.images import Image, load_image
from pyfai_gridcal.io.images.masks import named_detector
from pyfai_gridcal.io.kinds.kinds import write_distortion
from pyfai_gridcal.records.settings import Settings

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
@pytest.fixture
def stack_file(tmp_path: Path) -> tuple[Path, AnyArray]:
    stack = np.random.default_rng(5).integers(0, 1000, (2, 3, *SHAPE)).astype(np.uint16)
    path = tmp_path / "scan.h5"
    with h5py.File(path, "w") as file:
        file["entry/measurement/camera"] = stack
        file["entry/measurement/flat"] = np.ones(SHAPE)
        file["entry/loop"] = h5py.SoftLink("/entry")
        file["entry/dangling"] = h5py.SoftLink("/nowhere")
        file["entry/outside"] = h5py.ExternalLink("missing.h5", "/")
    return path, stack


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("{}::/entry/measurement/camera[1, 2]", lambda s: s[1, 2]),
        ("{}::/entry/measurement/camera[0, 0, 2:30, 5:]", lambda s: s[0, 0, 2:30, 5:]),
        ("{}::/entry/measurement/camera[..., 1, :, :]", lambda s: np.median(s[:, 1], axis=0)),
        ("{}::/entry/measurement/camera[:, 0:2]", lambda s: np.median(s[:, :2].reshape(4, *SHAPE), axis=0)),
        ("{}::/entry/measurement/camera", lambda s: np.median(s.reshape(6, *SHAPE), axis=0)),
        ("silx:{}?path=/entry/measurement/camera&slice=1,0", lambda s: s[1, 0]),
        ("{}?path=/entry/measurement/camera&slice=-1", lambda s: np.median(s[-1], axis=0)),
    ],
)
def test_silx_urls(stack_file: tuple[Path, AnyArray], where: str, expected: Callable[[AnyArray], AnyArray]) -> None:
    path, stack = stack_file
    image = load_image(where.format(path))
    assert np.array_equal(image.data, expected(stack))
    assert image.sources[0].url == where.format(path)


def test_ambiguous_hdf5_names_the_choices(stack_file: tuple[Path, AnyArray]) -> None:
    with pytest.raises(ImageError, match=r"/entry/measurement/camera .*/entry/measurement/flat .*name it: .*::/entry"):
        load_image(stack_file[0])
    with pytest.raises(ImageError, match=r"no dataset /nothing .* it holds /entry/measurement/camera"):
        load_image(f"{stack_file[0]}::/nothing")
    with pytest.raises(ImageError, match="index 7"):
        load_image(f"{stack_file[0]}::/entry/measurement/camera[7]")
    with pytest.raises(UsageError, match="whole images"):
        load_image(f"{stack_file[0]}::/entry/measurement/camera[0, 0, 5]")
    with pytest.raises(UsageError, match=r"slice \[a\]"):
        load_image(f"{stack_file[0]}::/entry/measurement/camera[a]")


def test_default_signal_of_nexus_decides(stack_file: tuple[Path, AnyArray]) -> None:
    with h5py.File(stack_file[0], "a") as file:
        file.attrs["default"] = "entry/measurement"
        file["entry/measurement"].attrs["signal"] = "flat"
    assert np.all(load_image(stack_file[0]).data == 1)


def test_series_of_a_master_file(tmp_path: Path) -> None:
    frames = np.random.default_rng(1).integers(0, 99, (4, *SHAPE)).astype(np.uint32)
    for k in (0, 1):
        with h5py.File(tmp_path / f"data_{k}.h5", "w") as file:
            file["entry/data/data"] = frames[2 * k : 2 * k + 2]
    with h5py.File(tmp_path / "master.h5", "w") as file:
        for k in (1, 0):
            file[f"entry/data/data_00000{k + 1}"] = h5py.ExternalLink(f"data_{k}.h5", "/entry/data/data")
    image = load_image(tmp_path / "master.h5", combine="mean")
    assert image.frames == 4
    assert np.allclose(image.data, frames.mean(axis=0))


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


def test_mask_of_a_detector() -> None:
    from pyFAI.detectors import detector_factory

    detector = detector_factory("Pilatus100k")
    data = np.ones(detector.shape, np.float32)
    assert np.array_equal(load_image(data, mask="Pilatus100k").mask, detector.mask != 0)
    with pytest.raises(ImageError, match="shape"):
        load_image(data, mask="Pilatus1M")
    with pytest.raises(UsageError, match="neither the name nor the file of a detector"):
        load_image(data, mask="Pilatus1000M")


def test_named_detector() -> None:
    size, gaps = named_detector("Pilatus 300k", (619, 487))
    assert size == (172e-6, 172e-6)
    assert gaps is not None
    assert gaps[200].all()
    assert named_detector("Perkin", (2048, 2048)) == ((2e-4, 2e-4), None)
    with pytest.raises(UsageError, match=r"pyFAI knows; did you mean pilatus"):
        named_detector("Pilatus 300kk", (619, 487))
    with pytest.raises(ImageError, match=r"\(619, 487\).*each binning on its own"):
        named_detector("Pilatus300k", (10, 10))
    with pytest.raises(UsageError, match="no pixel size"):
        named_detector("Detector", (10, 10))


def test_named_detector_from_a_file(tmp_path: Path) -> None:
    from hub import wave

    true = wave(SHAPE, masked=True)
    write_distortion(true, tmp_path / "det.h5")
    size, gaps = named_detector(str(tmp_path / "det.h5"), SHAPE)
    assert size == true.pixel_size
    assert np.array_equal(gaps, true.mask)
    settings = Settings(pitch=5e-3, detector=str(tmp_path / "det.h5"))
    exposure = take_exposure(np.random.default_rng(0).normal(100, 1, SHAPE), settings)
    assert exposure.mask is not None
    assert exposure.mask[true.mask].all(), "the calibration asks the same"


def test_mask_of_a_detector_file(tmp_path: Path) -> None:
    from pyFAI.detectors import Detector

    detector = Detector(1e-4, 2e-4, max_shape=SHAPE)
    ignore = np.zeros(SHAPE, np.int8)
    ignore[5, 6:9] = 1
    detector.mask = ignore
    # pyFAI's own writer uses a deprecated name.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        detector.get_pixel_corners()
        detector.uniform_pixel = False
        detector.save(str(tmp_path / "det.h5"))
    assert np.array_equal(load_image(np.ones(SHAPE), mask=tmp_path / "det.h5").mask, ignore != 0)


# -- what the values give away
def test_not_finite_is_masked() -> None:
    data = np.random.default_rng(0).normal(100, 1, SHAPE)
    data[2, 3], data[4, 5], data[6, 7] = np.nan, np.inf, -np.inf
    image = load_image(data)
    assert {tuple(x) for x in np.argwhere(image.mask)} == {(2, 3), (4, 5), (6, 7)}
    assert np.isfinite(image.data).all()


def test_gaps_are_masked(picture: AnyArray) -> None:
    data = picture.astype(np.int32)
    data[10:14], data[:, 20:23], data[5, 5] = -1, -1, -2
    image = load_image(data)
    assert np.array_equal(image.mask, data < 0)
    floats = data.astype(np.float32)
    assert np.array_equal(load_image(floats).mask, data < 0)


def test_largest_integer_in_gaps_is_masked(picture: AnyArray) -> None:
    for dtype in (np.uint16, np.uint32):
        data = picture.astype(dtype)
        data[10:14] = np.iinfo(dtype).max
        image = load_image(data)
        assert np.array_equal(image.mask, data == data.max())
        assert image.saturation is None


def test_noise_around_zero_stays() -> None:
    rng = np.random.default_rng(0)
    assert not load_image(rng.normal(0, 3, SHAPE)).mask.any()
    assert not load_image(rng.normal(0, 30, SHAPE).round().astype(np.int32)).mask.any()
    assert not load_image(rng.normal(0, 1, (200, 300)).round().astype(np.int16)).mask.any()


def test_dummy_below_noise() -> None:
    data = np.random.default_rng(0).normal(0, 3, SHAPE).round()
    data[3:6, 3:6] = -999
    assert np.array_equal(load_image(data).mask, data == -999)


def test_few_saturated_pixels_are_masked() -> None:
    data = np.random.default_rng(0).uniform(100, 65535, (200, 300)).astype(np.uint16)
    data[40, 50:60] = 65535
    image = load_image(data)
    assert image.saturation == 65535
    assert np.array_equal(image.mask, data == 65535)
    assert "saturated" in image.notes[-1]


def test_white_background_is_told_but_stays() -> None:
    data = np.full((200, 300), 255, np.uint8)
    data[20:60, 30:80] = np.random.default_rng(0).integers(10, 255, (40, 50))
    image = load_image(data)
    assert image.saturation == 255
    assert image.saturated is not None
    assert image.saturated.mean() > 0.9
    assert not image.mask.any()


def test_plateau_of_a_12_bit_camera() -> None:
    data = np.random.default_rng(0).normal(3000, 700, (200, 300)).clip(0, 4095).astype(np.uint16)
    image = load_image(data)
    assert image.saturation == 4095
    assert image.saturated is not None
    assert np.array_equal(image.saturated, data == 4095)


def test_few_counts_do_not_saturate() -> None:
    assert load_image(np.random.default_rng(0).poisson(3, (300, 400)).astype(np.uint16)).saturation is None
    assert load_image(np.random.default_rng(0).normal(100, 5, (300, 400))).saturation is None


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


def test_corrupt_frame_in_a_stack(tmp_path: Path, picture: AnyArray) -> None:
    for k in range(3):
        write_edf(tmp_path / f"g{k}.edf", picture)
    junk(tmp_path / "g1.edf")
    with pytest.raises(ImageError, match=r"g1\.edf"):
        load_image([tmp_path / f"g{k}.edf" for k in range(3)])


def test_record_checks_itself() -> None:
    with pytest.raises(UsageError, match="mask of shape"):
        Image(np.zeros(SHAPE), np.zeros(SHAPE[::-1], bool))
