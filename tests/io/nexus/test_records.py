"""Records as HDF5 groups: what comes back is what was written."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from equal import same

from pyfai_gridcal.base.errors import FileFormatError
from pyfai_gridcal.io.nexus.records import read_record, units_of, write_record
from pyfai_gridcal.records.fit import Pose, TrialScore
from pyfai_gridcal.records.spots import HoleProfile


@pytest.fixture
def file(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as opened:
        yield opened


@pytest.mark.parametrize(
    ("value", "back"),
    [
        (None, None),
        (True, True),
        (3, 3),
        (2.5, 2.5),
        ("text", "text"),
        ("with\0zero", "with\0zero"),
        (Path("a/b"), "a/b"),
        (np.float32(0.5), 0.5),
        ((1.0, 2.0), (1.0, 2.0)),
        ([1, 2, 3], (1, 2, 3)),
        ((1, 2.0, "x", None), (1, 2.0, "x", None)),
        ({"a": (1, [2.0, float("nan")]), "b": {}}, {"a": (1, (2.0, float("nan"))), "b": {}}),
        ((), ()),
        ((np.arange(3), "x"), (np.arange(3), "x")),
        ({"m": np.ones((2, 3), bool)}, {"m": np.ones((2, 3), bool)}),
        (Pose(0.1, (1e-3, 2e-3)), Pose(0.1, (1e-3, 2e-3))),
        ((TrialScore("spline", 0.02, True, ((0.0, 1.0), (2.0, 3.0))),) * 2,) * 2,
        (HoleProfile(np.eye(4)[:, :3], 2), HoleProfile(np.eye(4)[:, :3], 2)),
    ],
)
def test_there_and_back(file, value, back):
    write_record(file, "one", value)
    assert same(read_record(file["one"]), back)


def test_units_go_by_the_names(file):
    assert [units_of(name) for name in ("yx", "shift_m", "angle_rad", "sigma_px", "flags")] == [
        "px",
        "m",
        "rad",
        "px",
        None,
    ]
    write_record(file, "one", Pose(0.1, (1e-3, 2e-3)))
    assert file["one/shift_m"].attrs["units"] == "m"
    assert file["one"].attrs["record"] == "Pose"


def test_known_arrays_are_linked(file):
    image = np.arange(12.0).reshape(3, 4)
    write_record(file, "image", image)
    write_record(file, "one", (image, image + 1), known={id(image): file["image"]})
    assert file["one/0"] == file["image"]
    assert file["one/1"] != file["image"]


def test_what_cannot_be_written_or_read_is_told(file):
    with pytest.raises(TypeError, match="expected a record, an array"):
        write_record(file, "one", object())
    write_record(file, "pose", Pose(0.1, (1e-3, 2e-3)))
    del file["pose/angle_rad"]
    with pytest.raises(FileFormatError, match="Pose without angle_rad"):
        read_record(file["pose"])
