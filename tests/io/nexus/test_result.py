"""The result file: pyFAI, silx and this package read the same thing from it."""

from __future__ import annotations

import gzip
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from equal import same

from pyfai_gridcal import synthetic
from pyfai_gridcal.base.errors import FileFormatError, UsageError
from pyfai_gridcal.io.nexus import groups, records, result
from pyfai_gridcal.io.nexus.detector import to_detector
from pyfai_gridcal.io.nexus.result import load_result, save_result
from pyfai_gridcal.records.distortion import Distortion
from pyfai_gridcal.records.field import CornerField, SampledField
from pyfai_gridcal.records.fit import DistortionFit, Pose, TrialScore
from pyfai_gridcal.records.plate import Plate
from pyfai_gridcal.records.points import ControlPoints
from pyfai_gridcal.records.spots import HoleProfile, Noise, Spots
from pyfai_gridcal.synthetic import fields

SHAPE = (70, 93)
PIXEL = (48e-6, 51e-6)


def sampled(shape=SHAPE, seed=1) -> SampledField:
    y, x = np.linspace(-9, shape[0] + 8, 13), np.linspace(-9, shape[1] + 8, 17)
    return SampledField(y, x, fields.smooth(shape, 5.0, 40, np.random.default_rng(seed)).on_grid(y, x))


def shifted_tiles():
    return fields.tiles(SHAPE, (2, 2), np.random.default_rng(1))


def make_fit(exposures=2) -> DistortionFit:
    rng = np.random.default_rng(0)
    mask = np.zeros(SHAPE, bool)
    mask[:5, 11:30] = True
    distortion = Distortion(
        sampled(), SHAPE, PIXEL, mask, SampledField([0.0, 69.0], [0.0, 92.0], np.full((2, 2, 2), 0.03))
    )
    i, j = (v.ravel() for v in np.mgrid[-3:4, -2:6])
    points, residual, held_out, used = [], [], [], []
    for k in range(exposures):
        n = len(i) - 5 * k
        ij = np.stack([i, j], axis=1)[:n]
        yx = 40 + ij @ [[9.0, 0.5], [-0.4, 10.0]]
        points.append(
            ControlPoints(yx, rng.uniform(0.01, 0.02, (n, 2)), ij, rng.permutation(n), np.arange(n) % 3, 9 * np.eye(2))
        )
        residual.append(rng.normal(0, 0.02, (n, 2)))
        held_out.append(rng.normal(0, 0.03, (n, 2)))
        used.append(np.arange(n) != 4)
    plate = synthetic.imperfect(Plate((1e-3, 1.1e-3), hole_m=3e-4), 1e-5, span=4)
    poses = tuple(Pose(0.1 * k, (1e-3, 2e-3 + k)) for k in range(exposures))
    trials = (
        TrialScore("spline", 0.021, True, ((0.0, 0.02), (-1.0, 0.04), (1.0, float("nan")))),
        TrialScore("polynomial", 0.3, note="too stiff"),
    )
    return DistortionFit(
        distortion,
        plate,
        tuple(points),
        poses,
        tuple(residual),
        tuple(held_out),
        tuple(used),
        0.01,
        (1e-9, 2e-9),
        trials,
        ("a", "b"),
    )


def make_spots(fit: DistortionFit) -> tuple[Spots, ...]:
    rng = np.random.default_rng(3)
    out = []
    for points in fit.points:
        n = len(points)
        out.append(
            Spots(
                rng.uniform(0, 60, (n, 2)),
                rng.uniform(0.01, 0.1, (n, 2)),
                *rng.uniform(0.5, 200, (3, n)),
                np.arange(n) % 4,
                "dark",
                4.2,
                Noise(1.1, 3.0, 5.0),
                HoleProfile(rng.random((9, 9)), 2),
            )
        )
    return tuple(out)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("result") / "det.h5"
    fit = make_fit()
    images = (np.random.default_rng(5).integers(0, 60000, SHAPE).astype(np.uint16), np.zeros(SHAPE, np.float32))
    save_result(
        fit,
        path,
        name="FReLoN 4",
        settings={"pitch": (5e-3, 5e-3), "mask": None},
        spots=make_spots(fit),
        images=images,
        inputs=[{"path": "/data/grid.edf", "sha256": "ab" * 32, "header": {"a": "b"}}],
        report="all is well",
    )
    return path, fit, images


def test_pyfai_reads_the_detector(saved):
    from pyFAI.detectors import NexusDetector, detector_factory

    path, fit, _ = saved
    detector = detector_factory(str(path))
    assert type(detector) is NexusDetector
    assert detector.shape == detector.max_shape == SHAPE
    assert int(detector.orientation) == 3
    assert (detector.pixel1, detector.pixel2) == PIXEL
    assert detector.aliases[0] == "FReLoN 4"
    np.testing.assert_array_equal(detector.get_pixel_corners(), fit.distortion.pixel_corners())
    np.testing.assert_array_equal(detector.mask, fit.distortion.mask)
    p1, p2, _ = detector.calc_cartesian_positions()
    centres = fit.distortion.correct(np.stack(np.mgrid[0:70, 0:93], axis=-1).reshape(-1, 2)) + 0.5
    far = np.hypot(p1.ravel() / PIXEL[0] - centres[:, 0], p2.ravel() / PIXEL[1] - centres[:, 1])
    assert far.max() < 0.03  # pyFAI takes the middle of the corners


def test_readable_without_this_package_nor_plugins(saved):
    code = (
        "import sys; sys.modules['pyfai_gridcal'] = None; sys.modules['hdf5plugin'] = None\n"
        f"from pyFAI.detectors import detector_factory; print(detector_factory({str(saved[0])!r}).shape)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(SHAPE)
    with h5py.File(saved[0]) as file:
        filters = set()
        file.visititems(
            lambda _, item: filters.update(getattr(item, "_filters", {})) if isinstance(item, h5py.Dataset) else None
        )
    assert filters <= {"gzip", "shuffle"}


def test_silx_opens_on_the_displacement(saved):
    from silx.io import nxdata

    path, fit, images = saved
    dy, dx = fit.distortion.displacement_maps()
    with h5py.File(path) as file:
        shown = nxdata.get_default(file)
        assert shown.is_valid
        assert shown.is_image
        assert shown.group.name == "/entry_0000/grid_calibration/displacement"
        free = ~fit.distortion.mask
        np.testing.assert_allclose(shown.signal[()][free], np.hypot(dy, dx)[free], atol=2e-4)
        names = [a.name.split("/")[-1] for a in shown.auxiliary_signals]
        assert names == ["dx", "dy"]
        np.testing.assert_allclose(shown.auxiliary_signals[0][()][free], dx[free], atol=1e-4)
        assert np.isnan(shown.auxiliary_signals[1][()][~free]).all()
        process = file["entry_0000/grid_calibration"]
        kinds = {}
        for name, group in process.items():
            if group.attrs.get("NX_class") == "NXdata":
                data = nxdata.NXdata(group)
                assert data.is_valid, (name, data.issues)
                kinds[name] = (data.is_image, data.is_scatter, data.is_curve)
        assert kinds["residuals"][1]
        assert kinds["histogram"][2]
        assert kinds["smoothness"][2]
        assert kinds["sigma"][0]
        assert kinds["grid_image_0"][0]
        assert kinds["grid_image_1"][0]
        assert kinds["before_after_0"][0]
        assert kinds["before_after_1"][0]
        assert file["entry_0000/grid_calibration/grid_image_0/counts"].dtype == np.uint16
        np.testing.assert_array_equal(file["entry_0000/grid_calibration/grid_image_0/counts"][()], images[0])


def test_control_points_and_provenance(saved):
    path, fit, _ = saved
    with h5py.File(path) as file:
        group = file["entry_0000/control_points"]
        n = [len(p) for p in fit.points]
        assert all(group[name].shape == (sum(n),) for name in group)
        assert group["y"].attrs["units"] == group["residual_x"].attrs["units"] == "px"
        np.testing.assert_array_equal(group["x"][: n[0]], fit.points[0].yx[:, 1])
        np.testing.assert_array_equal(group["i"][n[0] :], fit.points[1].ij[:, 0])
        np.testing.assert_array_equal(group["residual_y"][: n[0]], fit.residual_yx[0][:, 0])
        np.testing.assert_array_equal(group["held_out_x"][: n[0]], fit.held_out_yx[0][:, 1])
        np.testing.assert_array_equal(group["sigma_y"][: n[0]], fit.points[0].sigma_yx[:, 0])
        np.testing.assert_array_equal(group["amplitude"][: n[0]], make_spots(fit)[0].amplitude[fit.points[0].spot])
        np.testing.assert_array_equal(group["exposure"][()], np.repeat([0, 1], n))
        assert group["used"][4] == 0
        process = file["entry_0000/grid_calibration"]
        assert process["inputs/input_0/sha256"][()] == b"ab" * 32
        assert b"pitch" in process["configuration/data"][()]
        assert process["report/data"][()] == b"all is well"
        assert process["versions/numpy"][()].decode() == np.__version__


def test_load_gives_equal_records(saved):
    path, fit, _ = saved
    again = load_result(path)
    assert isinstance(again, DistortionFit)
    assert same(fit, again)
    assert again.distortion.mask.dtype == bool
    assert isinstance(again.trials[0].curve[0], tuple)
    assert not same(fit, replace(again, plate_sigma_px=0.011))
    assert not same(fit, replace(again, poses=again.poses[:1]))


@dataclass(frozen=True, eq=False)
class Whole:
    """Looks like a calibration."""

    fit: DistortionFit
    spots: tuple[Spots, ...]
    images: tuple[np.ndarray, ...]
    settings: dict

    def report(self) -> str:
        return "report of the whole"


def test_whole_calibration_round_trip(tmp_path, monkeypatch):
    monkeypatch.setattr(
        records,
        "_class_of",
        lambda name, item, original=records._class_of: Whole if name.endswith(":Whole") else original(name, item),
    )
    fit = make_fit()
    rng = np.random.default_rng(2)
    images = tuple(rng.integers(0, 999, (300, 400)).astype(np.uint16) for _ in range(2))
    whole = Whole(fit, make_spots(fit), images, {"pitch": (1e-3, 2e-3), "x": None, "models": ["a", "b"]})
    save_result(whole, tmp_path / "a.h5")
    again = load_result(tmp_path / "a.h5")
    assert same(whole.spots, again.spots)
    assert same(whole.fit, again.fit)
    assert again.settings == {"pitch": (1e-3, 2e-3), "x": None, "models": ("a", "b")}
    assert again.images[0].dtype == np.uint16
    np.testing.assert_array_equal(again.images[1], images[1])
    assert load_result(tmp_path / "a.h5", images=False).images == ()
    with h5py.File(tmp_path / "a.h5") as file:  # each image is there once
        process = file["entry_0000/grid_calibration"]
        assert process["grid_image_0/counts"] == process["record/images/0"]
        assert process["report/data"][()] == b"report of the whole"


def test_distortion_alone_and_tiles(tmp_path):
    distortion = Distortion(shifted_tiles(), SHAPE, PIXEL)
    save_result(distortion, tmp_path / "tiles.h5")
    again = load_result(tmp_path / "tiles.h5")
    assert same(distortion, again)
    seen = groups.read_detector(tmp_path / "tiles.h5")
    assert isinstance(seen.field, CornerField)
    np.testing.assert_allclose(seen.pixel_corners(), distortion.pixel_corners(), atol=1e-9)


def test_overwriting_leaves_one_entry(tmp_path):
    path = tmp_path / "a.h5"
    save_result(make_fit(), path)
    other = Distortion(sampled(seed=9), SHAPE, PIXEL)
    save_result(other, path)
    with h5py.File(path) as file:
        assert list(file) == ["entry_0000"]
    np.testing.assert_array_equal(to_detector(groups.read_detector(path)).mask, 0)
    assert same(load_result(path), other)
    assert [p.name for p in tmp_path.iterdir()] == ["a.h5"]


def test_wrong_file_never_replaces_a_good_one(tmp_path, monkeypatch, one_corner_off):
    path = tmp_path / "a.h5"
    save_result(make_fit(), path)
    before = path.read_bytes()

    one_corner_off((3, 4), 2e-3 * PIXEL[0])
    with pytest.raises(FileFormatError, match="corners off by"):
        save_result(make_fit(), path)
    monkeypatch.undo()
    monkeypatch.setattr(result, "_write_process", lambda *_: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        save_result(make_fit(), path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.h5"]
    with pytest.raises(UsageError, match="no folder"):
        save_result(make_fit(), tmp_path / "nowhere" / "a.h5")


def test_old_and_new_versions(tmp_path, caplog):
    path = tmp_path / "a.h5"
    save_result(make_fit(), path)
    with h5py.File(path, "r+") as file:  # an older program knew fewer fields, a newer one more
        record = file["entry_0000/grid_calibration/record"]
        del record["notes"]
        del record["trials/0/note"]
        record["something_new"] = 3.0
    assert load_result(path).notes == ()
    with h5py.File(path, "r+") as file:
        del file["entry_0000/grid_calibration/record/points"]
    with pytest.raises(FileFormatError, match="without points"):
        load_result(path)
    with h5py.File(path, "r+") as file:
        file["entry_0000/grid_calibration/record"].attrs["record"] = "os:system"
    with pytest.raises(FileFormatError, match="unknown record"):
        load_result(path)
    with h5py.File(path, "r+") as file:
        del file["entry_0000/grid_calibration/format_version"]
        file["entry_0000/grid_calibration/format_version"] = "3.0"
    with pytest.raises(FileFormatError, match="newer version"):
        load_result(path)


def test_other_files_are_refused_plainly(tmp_path):
    with pytest.raises(FileFormatError, match="no such file"):
        load_result(tmp_path / "a.h5")
    (tmp_path / "b.h5").write_text("text")
    with pytest.raises(FileFormatError, match="HDF5"):
        load_result(tmp_path / "b.h5")
    with pytest.raises(FileFormatError, match="HDF5"):
        groups.read_detector(tmp_path / "b.h5")
    with h5py.File(tmp_path / "c.h5", "w") as file:
        file["x"] = 1
    with pytest.raises(FileFormatError, match="no calibration"):
        load_result(tmp_path / "c.h5")
    with pytest.raises(FileFormatError, match="no NeXus detector"):
        groups.read_detector(tmp_path / "c.h5")


def test_read_detector_agrees_with_pyfai(tmp_path):
    from pyFAI.detectors import Detector

    plain = Detector(1e-4, 2e-4, max_shape=(8, 9), orientation=3)
    plain.save(str(tmp_path / "plain.h5"))
    seen = groups.read_detector(tmp_path / "plain.h5")
    assert (seen.shape, seen.pixel_size) == ((8, 9), (1e-4, 2e-4))
    assert np.abs(seen.displacement_maps()).max() == 0
    bent = Detector(1e-4, 2e-4, max_shape=(8, 9), orientation=3)
    nodes = np.random.default_rng(0).normal(0, 0.1, (2, 9, 10))
    bent.set_dx(nodes[1])
    bent.set_dy(nodes[0])
    bent.mask = np.eye(8, 9)
    bent.save(str(tmp_path / "bent.h5"))
    seen = groups.read_detector(tmp_path / "bent.h5")
    np.testing.assert_allclose(seen.displacement_nodes(), nodes, atol=1e-5)
    np.testing.assert_array_equal(seen.mask, np.eye(8, 9) > 0)


def test_distorted_detector_integrates(tmp_path):
    """The file and the detector in memory give the same pattern, and a peak where geometry says."""
    import pyFAI
    from pyFAI.integrator.azimuthal import AzimuthalIntegrator

    assert pyFAI
    fit = make_fit()
    save_result(fit, tmp_path / "a.h5")
    from pyFAI.detectors import detector_factory

    patterns = []
    for detector in (to_detector(fit.distortion), detector_factory(str(tmp_path / "a.h5"))):
        ai = AzimuthalIntegrator(dist=0.1, poni1=1.7e-3, poni2=2.4e-3, detector=detector)
        radius = np.hypot(
            *(
                fit.distortion.correct(np.stack(np.mgrid[0:70, 0:93], axis=-1).reshape(-1, 2))
                + 0.5
                - np.array([1.7e-3, 2.4e-3]) / PIXEL
            ).T
        )
        image = radius.reshape(SHAPE)
        patterns.append(
            ai.integrate1d(image, 30, unit="r_mm", correctSolidAngle=False, method=("bbox", "csr", "cython"))
        )
    np.testing.assert_allclose(patterns[0].intensity, patterns[1].intensity)
    middle = slice(3, 20)
    assert np.abs(patterns[0].intensity[middle] * 49.5e-3 - patterns[0].radial[middle]).max() < 0.06


@pytest.mark.parametrize("form", ["1_0", "2_0"])
def test_files_of_every_format_are_still_read(tmp_path, form):
    """Written once by the version of that time (and packed by gzip), never to be written again."""
    from pyFAI.detectors import detector_factory

    path = tmp_path / f"result_{form}.h5"
    path.write_bytes(gzip.decompress((Path(__file__).parents[2] / "data" / f"result_{form}.h5.gz").read_bytes()))
    old = load_result(path)
    assert isinstance(old, DistortionFit)
    assert [len(points) for points in old.points] == [56, 51]
    assert old.recipe == "spline"
    assert old.plate.hole_m == 3e-4
    assert old.poses[1].shift_m == (1e-3, 2e-3 + 1)
    detector = detector_factory(str(path))
    np.testing.assert_allclose(detector.get_pixel_corners(), old.distortion.pixel_corners(), atol=1e-9)
