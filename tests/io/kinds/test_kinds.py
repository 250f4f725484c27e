"""Every kind of file gives back the corners that were written, and is known by its content."""

from __future__ import annotations

import numpy as np
import pytest
from hub import PIXEL, corner_gap, modules, wave

from pyfai_gridcal.base.errors import FittingError, UsageError
from pyfai_gridcal.io.kinds.kinds import KINDS, kind_for_output, open_distortion, write_distortion
from pyfai_gridcal.io.kinds.options import Writing
from pyfai_gridcal.records.jobs import Reading

#: Kind, output name, largest distance of a corner after the round trip, px.
SMOOTH = [
    ("nexus", "a.h5", 0.001),
    ("spline", "a.spline", 0.01),
    ("spline-inverse", "a.inverse.spline", 0.01),
    ("imaged11", "a_e2dx.edf", 0.001),
    ("spd", "a.edf", 0.001),
    ("xds", "a.cbf", 0.025),
    ("tiff", "a.tif", 0.001),
    ("npy", "a.npy", 0.001),
    ("npz", "a.npz", 0.001),
    ("nabu", "a.nabu.h5", 0.001),
    ("midas", "a.midas.bin", 0.001),
    ("dials", "dx.pickle", 0.001),
    ("poni", "a.poni", 0.001),
    ("json", "a.json", 0.001),
]


def told(kind):
    """What the file does not tell."""
    return Reading(shape=wave().shape if kind == "midas" else None, pixel_size=PIXEL)


@pytest.mark.parametrize(("kind", "name", "limit"), SMOOTH)
def test_corners_come_back(tmp_path, kind, name, limit):
    truth = wave()
    written = write_distortion(truth, tmp_path / name)
    assert all(path.is_file() for path in written)
    assert not list(tmp_path.glob(".*")), "temporary files were left"
    for path in written if kind != "poni" else written[-1:]:
        source = open_distortion(path, told(kind))
        assert source.kind == (kind if kind not in ("poni", "json") or path.suffix != ".h5" else "nexus")
        assert source.distortion.pixel_size == pytest.approx(PIXEL, rel=1e-6)
        assert corner_gap(truth, source.distortion)[0] <= limit


@pytest.mark.parametrize(("kind", "name", "limit"), [s for s in SMOOTH if s[0] not in ("spline-inverse",)])
def test_masked_pixels_do_not_spoil_their_neighbours(tmp_path, kind, name, limit):
    truth = wave(masked=True)
    path = write_distortion(truth, tmp_path / name)[-1]
    back = open_distortion(path, told(kind)).distortion
    if KINDS[kind].keeps_mask or kind in ("poni", "json"):
        assert np.array_equal(back.mask, truth.mask)
    assert corner_gap(truth, back)[0] <= limit


@pytest.mark.parametrize(
    ("name", "limit"), [("m.h5", 0.001), ("m.modules", 0.001), ("m_e2dx.edf", 0.01), ("m.npz", 0.01)]
)
def test_modules_keep_their_edges(tmp_path, name, limit):
    truth = modules()
    path = write_distortion(truth, tmp_path / name)[-1]
    back = open_distortion(path, Reading(pixel_size=PIXEL)).distortion
    assert corner_gap(truth, back)[0] <= limit


@pytest.mark.parametrize("name", ["m.spline", "m.inverse.spline", "m.edf"])
def test_jumps_are_refused_where_they_cannot_be_said(tmp_path, name):
    seamed = modules(gap=0)
    with pytest.raises(FittingError, match=r"apart.*force"):
        write_distortion(seamed, tmp_path / name)
    assert not list(tmp_path.iterdir())
    written = write_distortion(seamed, tmp_path / name, writing=Writing(force=True))
    assert all(path.is_file() for path in written)


def test_gaps_do_not_make_modules_smooth(tmp_path):
    with pytest.raises(FittingError, match="off by up to"):
        write_distortion(modules(), tmp_path / "m.spline")
    first, _ = write_distortion(modules(), tmp_path / "m.edf")
    back = open_distortion(first).distortion
    assert corner_gap(modules(), back)[0] <= 0.001
    assert np.array_equal(back.mask, modules().mask)


def test_kinds_of_output_names(tmp_path):
    names = {"a.h5": "nexus", "a.inverse.spline": "spline-inverse", "a.spline": "spline", "x_e2dy.edf": "imaged11"}
    names |= {"a.edf": "spd", "x_geo_corr.cbf": "xds", "a.TIF": "tiff", "a.poni": "poni", "m.tsv": "modules"}
    names |= {"e2dx.spline": "spline", "my_e2dy_run.h5": "nexus", "e2dx.tif": "tiff", "run_e2dx": "imaged11"}
    assert {name: kind_for_output(name).name for name in names} == names
    with pytest.raises(UsageError, match="--to"):
        kind_for_output("a.jpg")
    with pytest.raises(UsageError, match="nexus"):
        kind_for_output("a.h5", "hexagon")


def test_existing_files_stay_when_writing_fails(tmp_path):
    target = tmp_path / "keep.spline"
    target.write_text("precious")
    with pytest.raises(FittingError):
        write_distortion(modules(), target)
    assert target.read_text() == "precious"
