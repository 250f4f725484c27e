"""NeXus groups: plots for silx, and the detector as it stands in a file."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from hub import PIXEL, corner_gap, modules, wave

from pyfai_gridcal.base.errors import FileFormatError
from pyfai_gridcal.io.kinds.kinds import read_distortion
from pyfai_gridcal.io.nexus import groups
from pyfai_gridcal.io.nexus.contents import ORIENTATIONS
from pyfai_gridcal.records.field import CornerField, SampledField


def written(path, distortion, **options):
    with h5py.File(path, "w") as file:
        groups.write_detector(groups.new_entry(file, "a detector"), distortion, **options)
    return path


@pytest.mark.parametrize(("truth", "kind"), [(wave(masked=True), SampledField), (modules(), CornerField)])
def test_a_detector_comes_back(tmp_path, truth, kind):
    back = groups.read_detector(written(tmp_path / "a.h5", truth))
    assert isinstance(back.field, kind)
    assert back.pixel_size == PIXEL
    np.testing.assert_array_equal(back.mask, truth.mask)
    assert corner_gap(truth, back)[0] < 1e-4


@pytest.mark.parametrize("orientation", [1, 2, 4])
@pytest.mark.parametrize("truth", [wave((21, 34), masked=True), modules()])
def test_corners_of_other_orientations_stand_in_either_order(tmp_path, truth, orientation):
    """As pyFAI saves a detector that it has read, and as it saves one that it has made itself."""
    slow, fast = ORIENTATIONS[orientation]
    path = written(tmp_path / "a.h5", truth)
    with h5py.File(path, "r+") as file:
        group = file["entry_0000/pyFAI/calibrated"]
        group["orientation"][...] = orientation
    assert groups.read_orientation(path) == orientation
    first = groups.read_detector(path)
    assert corner_gap(truth, first)[0] < 1e-4
    with h5py.File(path, "r+") as file:
        group = file["entry_0000/pyFAI/calibrated"]
        order = [(0, 1, 2, 3), (1, 0, 3, 2), (3, 2, 1, 0), (2, 3, 0, 1)][slow + 2 * fast]
        group["pixel_corners"][...] = group["pixel_corners"][()][:: 1 - 2 * slow, :: 1 - 2 * fast][:, :, order]
        group["mask"][...] = group["mask"][()][:: 1 - 2 * slow, :: 1 - 2 * fast]
    second = groups.read_detector(path)
    np.testing.assert_array_equal(second.pixel_corners(), first.pixel_corners())
    np.testing.assert_array_equal(second.mask, truth.mask)


def test_the_mask_of_a_regular_detector_is_that_of_its_images(tmp_path):
    path = written(tmp_path / "a.h5", wave((9, 11)))
    with h5py.File(path, "r+") as file:
        group = file["entry_0000/pyFAI/calibrated"]
        del group["pixel_corners"]
        group["orientation"][...] = 2
        group["mask"][1, 2] = 1
    assert np.argwhere(read_distortion(path).mask).tolist() == [[1, 2]]


def test_names_that_hdf5_has_no_use_for(tmp_path):
    for name, found in (("FReLoN 4/2 ", "FReLoN_4_2"), ("  ", "calibrated")):
        with h5py.File(written(tmp_path / "a.h5", wave((9, 11)), name=name)) as file:
            assert set(file["entry_0000/pyFAI"]) == {"definition_local", found}


def test_a_plot_for_silx(tmp_path):
    from silx.io import nxdata

    with h5py.File(tmp_path / "a.h5", "w") as file:
        y, x, values = np.arange(3.0), np.arange(5.0) * 2, np.arange(15.0).reshape(3, 5)
        file["values"] = values
        group = groups.write_data(
            file,
            "plot",
            "signal",
            {"signal": file["values"], "y": y, "x": x},
            title="a title",
            axes=("y", "x"),
            units={"y": "px"},
            long_names={"x": "along fast"},
            attributes={"interpretation": "image"},
        )
        shown = nxdata.NXdata(group)
        assert shown.is_valid
        assert shown.is_image
        np.testing.assert_array_equal(shown.signal[()], values)
        assert group["y"].attrs["units"] == "px"
        assert group["x"].attrs["long_name"] == "along fast"
        assert file["values"].attrs["interpretation"] == "image"


def corrupted(group, name):
    """A detector with one thing that cannot be meant."""
    if name == "elsewhere":
        del group["mask"]
        group["mask"] = h5py.ExternalLink("other.h5", "/mask")
    elif name == "group":
        del group["mask"]
        group.create_group("mask")
    elif name == "words":
        del group["mask"]
        group["mask"] = "words"
    elif name == "size":
        group["pixel_size"][...] = [0.0, 1e-4]
    elif name == "no size":
        del group["pixel_size"]
    elif name == "orientation":
        group["orientation"][...] = 77
    elif name == "huge":
        del group["pixel_corners"]
        group.create_dataset("pixel_corners", (60000, 60000, 4, 3), np.float32, chunks=(64, 64, 4, 3))
    elif name == "bent":
        group["pixel_corners"][0, 0, 0, 0] = 1e-2


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("elsewhere", "another file"),
        ("group", "not a dataset"),
        ("words", "mask holds"),
        ("size", "pixel size of"),
        ("no size", "without pixel_size"),
        ("orientation", "orientation 77.* 1, 2, 3 or 4"),
        ("huge", "declares"),
        ("bent", "not flat"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path, name, says):
    path = written(tmp_path / "a.h5", wave((9, 11)))
    with h5py.File(path, "r+") as file:
        corrupted(file["entry_0000/pyFAI/calibrated"], name)
    with pytest.raises(FileFormatError, match=says):
        groups.read_detector(path)


def test_versions_of_what_took_part():
    versions = groups.platform()
    assert versions["numpy"] == np.__version__
    assert groups.package_version("no such package at all") == "unknown"
