"""The disease of the field, one confusion at a time: each is found and named."""

from __future__ import annotations

import json
import time
import warnings
from dataclasses import replace

import h5py
import numpy as np
import pytest
from hub import PIXEL, modules, wave

from pyfai_gridcal.base.errors import UsageError
from pyfai_gridcal.io.kinds.conversion import convert
from pyfai_gridcal.io.kinds.kinds import write_distortion
from pyfai_gridcal.io.kinds.options import Writing
from pyfai_gridcal.judging.checking import check_file, difference
from pyfai_gridcal.records.distortion import Distortion
from pyfai_gridcal.records.jobs import Reading

SHAPE = (110, 150)


@pytest.fixture
def nexus(tmp_path):
    return write_distortion(wave(SHAPE), tmp_path / "det.h5")[0]


def detector(file):
    return file["entry_0000/pyFAI/calibrated"]


@pytest.mark.parametrize(
    "name", ["a.h5", "a.spline", "a_e2dx.edf", "a.edf", "a.cbf", "a.tif", "a.npz", "a.poni", "a.json"]
)
def test_good_files_are_good(tmp_path, name):
    written = write_distortion(wave(SHAPE), tmp_path / name)
    path = written[-1] if name.endswith(("poni", "json")) else written[0]
    check = check_file(path, Reading(pixel_size=PIXEL))
    assert check.good, check.report()
    if not name.endswith("npz"):
        opinion = check.opinions[0]
        assert opinion.program == "pyFAI"
        assert opinion.found.agreed, check.report()
    assert "verdict:   good" in check.report()


def test_modules_are_good(tmp_path):
    check = check_file(write_distortion(modules(), tmp_path / "m.h5")[0])
    assert check.good, check.report()


def test_pyfai_ignores_the_headline_of_the_inverse_kind(tmp_path):
    check = check_file(write_distortion(wave(SHAPE), tmp_path / "a.inverse.spline")[0])
    opinion = check.opinions[0]
    assert not opinion.found.agreed
    assert "sign" in opinion.found.dialect


def write(nexus, change):
    with h5py.File(nexus, "r+") as file:
        change(detector(file))
    return check_file(nexus)


def replaced(group, name, values):
    attributes = dict(group[name].attrs)
    del group[name]
    group[name] = values
    group[name].attrs.update(attributes)


def half_pixel(group):
    replaced(group, "pixel_corners", group["pixel_corners"][()] - np.array([0, PIXEL[0] / 2, PIXEL[1] / 2], np.float32))


def micrometres(group):
    replaced(group, "pixel_corners", group["pixel_corners"][()] * np.float32(1e6))


def pixel_in_micrometres(group):
    replaced(group, "pixel_size", group["pixel_size"][()] * 1e6)


def transposed(group):
    replaced(group, "pixel_corners", group["pixel_corners"][()][..., [0, 2, 1]])


def other_order(group):
    replaced(group, "pixel_corners", group["pixel_corners"][()][:, :, [0, 3, 2, 1]])


def without_mask(group):
    del group["mask"]


def turned(group):
    replaced(group, "orientation", np.int32(1))


CONFUSIONS = {
    half_pixel: "half-pixel",
    micrometres: "µm",
    pixel_in_micrometres: "µm",
    transposed: "transposed",
    other_order: "order",
    without_mask: "mask",
    turned: "orientation 1",
}


@pytest.mark.parametrize("change", CONFUSIONS, ids=lambda c: c.__name__)
def test_confusions_within_a_file(tmp_path, change):
    # A small mean displacement, as calibrations have it.
    path = write_distortion(wave(SHAPE, scale=0.02), tmp_path / "det.h5")[0]
    check = write(path, change)
    assert not check.good
    assert CONFUSIONS[change] in check.report()


def test_a_stale_first_entry_is_found(nexus, tmp_path):
    from pyFAI.detectors import detector_factory

    time.sleep(1.1)  # pyFAI tells entries apart by the second
    other = detector_factory(str(write_distortion(wave(SHAPE, scale=0.5), tmp_path / "other.h5")[0]))
    other.save(str(nexus))
    check = check_file(nexus)
    assert not check.good
    assert "stale first entry" in check.report()
    assert check.opinions[0].found.agreed, "pyFAI and we take the same one"


def rotated(d: Distortion, degrees: float, shift: tuple[float, float]) -> Distortion:
    """The same camera, put elsewhere: positions in metres turned about the middle and shifted (px)."""
    size = np.array(d.pixel_size)

    class Turned:
        def at(self, yx):
            yx = np.asarray(yx, float).reshape(-1, 2)
            p = (yx + d.field.at(yx)) * size
            middle = (np.array(d.shape) - 1) / 2 * size
            a = np.radians(degrees)
            r = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
            return ((p - middle) @ r.T + middle) / size + shift - yx

        def on_grid(self, y, x):
            points = np.stack(np.meshgrid(y, x, indexing="ij"), axis=-1)
            return self.at(points).reshape(len(y), len(x), 2)

    return replace(d, field=Turned())


def test_difference_is_free_of_the_rigid_motion():
    a = wave(SHAPE)
    found = difference(a, rotated(a, 0.3, (1.5, -2.25)))
    assert found.raw.rms > 1
    assert found.rms < 1e-9
    assert found.rotation == pytest.approx(0.3, abs=1e-9)
    assert found.shift == pytest.approx((1.5, -2.25), abs=1e-6)
    assert found.scale == pytest.approx(1, abs=1e-12)
    changed = difference(a, rotated(wave(SHAPE, scale=1.01), 0.3, (1.5, -2.25)))
    assert 0.001 < changed.rms < 0.1
    grown = difference(a, replace(a, pixel_size=(PIXEL[0] * 1.001, PIXEL[1] * 1.001)))
    assert grown.scale == pytest.approx(1.001, abs=1e-6)
    assert grown.scaled_rms < 1e-9


def test_only_equal_detectors_are_compared():
    with pytest.raises(UsageError, match="compared"):
        difference(wave(SHAPE), wave((100, 150)))
    with pytest.raises(UsageError, match="no pixel"):
        difference(wave(SHAPE), wave(SHAPE).masked(np.ones(SHAPE, bool)))


def test_imaged11_agrees_with_its_maps(tmp_path):
    pytest.importorskip("ImageD11", reason="ImageD11 is not installed")
    check = check_file(write_distortion(wave(SHAPE), tmp_path / "a_e2dx.edf")[0])
    opinion = next(o for o in check.opinions if o.program == "ImageD11")
    assert opinion.found.largest <= 2e-3, check.report()


def test_imaged11_takes_nexus_corners_for_centres(tmp_path):
    """Its reader leaves half a pixel in, which check says, and does not blame on the file."""
    pytest.importorskip("ImageD11", reason="ImageD11 is not installed")
    path = write_distortion(wave(SHAPE, (50e-6, 50e-6)), tmp_path / "a.h5")[0]
    check = check_file(path)
    opinion = next(o for o in check.opinions if o.program == "ImageD11")
    assert opinion.found.mean == pytest.approx((0.5, 0.5), abs=1e-3)
    assert "half-pixel" in opinion.found.dialect
    assert check.good


def test_imaged11_reads_a_detector_of_the_name_that_it_looks_for(tmp_path):
    """With no more than that name in the file: its maps, half a pixel off as all that it reads from such files."""
    blobcorrector = pytest.importorskip("ImageD11.blobcorrector", reason="ImageD11 is not installed")
    truth = wave(SHAPE, (50e-6, 50e-6))
    path = write_distortion(truth, tmp_path / "a.h5", writing=Writing(name="Eiger2_CdTe_4M"))[0]
    with warnings.catch_warnings(action="ignore"):
        dx, dy = blobcorrector.get_e2dx_from_h5(str(path), "eiger")
    corners = truth.pixel_corners(np.float64)[..., 1:].mean(axis=2) / 50e-6 - np.moveaxis(np.indices(SHAPE), 0, -1)
    np.testing.assert_allclose(np.stack([dy, dx], axis=-1), corners, atol=2e-3)


def test_imaged11_reads_splines_half_a_pixel_off(tmp_path):
    pytest.importorskip("ImageD11", reason="ImageD11 is not installed")
    check = check_file(write_distortion(wave(SHAPE), tmp_path / "a.spline")[0])
    opinion = next(o for o in check.opinions if o.program == "ImageD11")
    assert "evaluated -0.5" in opinion.found.dialect


def test_command(nexus, tmp_path, capsys):
    from pyfai_gridcal.cli import main

    spline = write_distortion(wave(SHAPE), tmp_path / "a.spline")[0]
    assert main(["check", str(nexus), str(spline), "--json", str(tmp_path / "c.json")]) == 0
    out = capsys.readouterr().out
    assert "agrees" in out
    assert "rigid motion" in out
    record = json.loads((tmp_path / "c.json").read_text())
    assert record["good"] is True
    assert record["differences"][0]["rms"] < 0.01
    with h5py.File(nexus, "r+") as file:
        without_mask(detector(file))
    assert main(["check", str(nexus)]) == 1
    assert "wrong" in capsys.readouterr().out
    (tmp_path / "bad.spline").write_text("SPATIAL DISTORTION SPLINE INTERPOLATION COEFFICIENTS\n\n")
    assert main(["check", str(tmp_path / "bad.spline")]) == 1
    assert "cannot be used" in capsys.readouterr().out
    assert main(["check", str(tmp_path / "none.h5")]) == 1
    assert "missing" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["poni", "json"])
def test_the_orientation_of_a_pointer_is_named(nexus, tmp_path, kind):
    config = json.dumps({"filename": str(nexus), "orientation": 4})
    text = f'{{"detector": "NexusDetector", "detector_config": {config}}}'
    if kind == "poni":
        text = f"poni_version: 2.1\nDetector: NexusDetector\nDetector_config: {config}\nDistance: 0.1\n"
    (tmp_path / f"a.{kind}").write_text(text)
    check = check_file(tmp_path / f"a.{kind}")
    assert check.opinions[0].found.agreed, check.report()
    assert "orientation 4" in check.report()
    assert not check.good
    convert(tmp_path / f"a.{kind}", tmp_path / "out.h5")
    mended = check_file(tmp_path / "out.h5")
    assert mended.good, mended.report()
    assert check_file(tmp_path / f"a.{kind}", Reading(orientation=4)).opinions == ()


def test_a_configuration_that_names_files_of_offsets(tmp_path):
    import fabio

    y, x = np.indices((195, 487))
    config = {"orientation": 2}
    for axis, table in (("x", 30 * np.sin(y / 40) + x / 50), ("y", 20 * np.cos(x / 60) + y / 9)):
        config[f"{axis}_offset_file"] = str(tmp_path / f"{axis}.cbf")
        fabio.cbfimage.CbfImage(data=np.rint(table).astype(np.int32)).write(config[f"{axis}_offset_file"])
    (tmp_path / "a.json").write_text(json.dumps({"detector": "Pilatus100k", "detector_config": config}))
    check = check_file(tmp_path / "a.json")
    assert check.opinions[0].found.agreed, check.report()
