"""What was written is read again before it counts, bit by bit; and what counts, pyFAI opens."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace

import h5py
import numpy as np
import pytest

from pyfai_gridcal.base.errors import FileFormatError
from pyfai_gridcal.io.nexus import groups, result
from pyfai_gridcal.io.nexus.readback import read_back
from pyfai_gridcal.io.nexus.result import save_result
from pyfai_gridcal.records.distortion import Distortion
from pyfai_gridcal.records.field import SampledField
from pyfai_gridcal.synthetic import fields

SHAPE, PIXEL = (361, 137), (48e-6, 51e-6)  # more than one chunk of corners along both axes, the last ones not full


def smooth() -> Distortion:
    y, x = np.linspace(0, SHAPE[0] - 1, 5), np.linspace(0, SHAPE[1] - 1, 7)
    values = np.random.default_rng(3).normal(0, 0.7, (5, 7, 2))
    mask = np.zeros(SHAPE, bool)
    mask[50:, 3:5] = True
    return Distortion(SampledField(y, x, values), SHAPE, PIXEL, mask)


def tiled() -> Distortion:
    return Distortion(fields.tiles(SHAPE, (2, 3), np.random.default_rng(1)), SHAPE, PIXEL)


KINDS = {"smooth": smooth, "tiled": tiled}


@pytest.fixture(scope="module", params=KINDS)
def written(request, tmp_path_factory):
    """A file, and the distortion that it was made from."""
    distortion = KINDS[request.param]()
    return save_result(distortion, tmp_path_factory.mktemp("readback") / "a.h5"), distortion


def ask(path, distortion, **changed):
    """Read back with one of the expected things changed."""
    nodes = changed.pop("nodes", None)
    read_back(path, groups.detector_nodes(distortion) if nodes is None else nodes, replace(distortion, **changed))


def test_pyfai_reads_the_same(written):
    from pyFAI.detectors import NexusDetector, detector_factory

    path, distortion = written
    for detector in (NexusDetector(str(path)), detector_factory(str(path))):
        assert detector.shape == SHAPE
        np.testing.assert_array_equal(detector.get_pixel_corners(), distortion.pixel_corners())
        np.testing.assert_array_equal(
            np.asarray(detector.mask) != 0, np.zeros(SHAPE) if distortion.mask is None else distortion.mask
        )
        assert (detector.pixel1, detector.pixel2) == PIXEL
        assert int(detector.orientation) == 3
        assert (not distortion.is_tiled) == detector.IS_CONTIGUOUS


def test_it_sees_every_difference(written, tmp_path):
    path, distortion = written
    nodes = groups.detector_nodes(distortion)
    ask(path, distortion)
    with pytest.raises(FileFormatError, match="another mask"):
        ask(path, distortion, mask=np.eye(*SHAPE, dtype=bool))
    with pytest.raises(FileFormatError, match="pixel size"):
        ask(path, distortion, pixel_size=(PIXEL[0], np.nextafter(PIXEL[1], 1)))
    with pytest.raises(FileFormatError, match=r"corners off by 0\.01"):
        ask(path, distortion, nodes=nodes + np.float32(0.01 * PIXEL[0]))
    with pytest.raises(FileFormatError, match="shape"):
        ask(path, distortion, nodes=nodes[:-1], mask=None)
    with pytest.raises(FileFormatError, match="no such file"):
        ask(tmp_path / "missing.h5", distortion)


@pytest.mark.parametrize("where", [(0, 0), (255, 70), (257, 70), (360, 136)])
@pytest.mark.parametrize("axis", [0, 1])
def test_the_last_bit_of_any_corner_counts(written, where, axis):
    path, distortion = written
    nodes = groups.detector_nodes(distortion)
    corner = nodes[where] if nodes.ndim == 3 else nodes[where][2]
    corner[axis] = np.nextafter(corner[axis], np.float32(1))
    with pytest.raises(FileFormatError, match="corners off by"):
        ask(path, distortion, nodes=nodes)


def test_nan_is_equal_to_the_same_nan_only(tmp_path):
    distortion = tiled()
    nodes = groups.detector_nodes(distortion)
    nodes[300, 5] = np.nan
    with h5py.File(tmp_path / "a.h5", "w") as file:
        groups.write_detector(groups.new_entry(file, "a"), distortion, nodes=nodes)
    ask(tmp_path / "a.h5", distortion, nodes=nodes)
    with pytest.raises(FileFormatError, match="corners off by inf"):
        ask(tmp_path / "a.h5", distortion)
    nodes[300, 5] = np.array([0x7FC00001], np.uint32).view(np.float32)
    with pytest.raises(FileFormatError, match="corners off by"):
        ask(tmp_path / "a.h5", distortion, nodes=nodes)


@pytest.mark.parametrize(("name", "value"), [("orientation", 2), ("IS_CONTIGUOUS", None), ("mask", None)])
def test_what_pyfai_goes_by_has_to_be_there(tmp_path, name, value):
    path = save_result(smooth(), tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        group = file["entry_0000/pyFAI/calibrated"]
        del group[name]
        if value is not None:
            group[name] = np.int32(value)
    with pytest.raises(FileFormatError, match=name.replace("_", " ")):
        ask(path, smooth())


def refused(path, distortion, match):
    """Saving fails, the old file stays, and nothing lies beside it."""
    before = path.read_bytes()
    with pytest.raises(FileFormatError, match=match):
        save_result(distortion, path)
    assert path.read_bytes() == before
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_one_corner_off_does_not_replace_a_good_file(tmp_path, one_corner_off):
    path = save_result(smooth(), tmp_path / "a.h5")
    one_corner_off((7, 11), 2e-3 * PIXEL[0])
    refused(path, smooth(), "corners off by")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_damaged_byte_does_not_replace_a_good_file(tmp_path, monkeypatch, share):
    """A disk that keeps one byte of the corners otherwise than it was told."""
    path = save_result(smooth(), tmp_path / "a.h5")

    def flipped(beside, *rest, original=read_back):
        with h5py.File(beside, "r") as file:
            chunk = file["entry_0000/pyFAI/calibrated/pixel_corners"].id.get_chunk_info(3)
        data = bytearray(beside.read_bytes())
        data[chunk.byte_offset + int(share * chunk.size)] ^= 0x10
        beside.write_bytes(data)
        original(beside, *rest)

    monkeypatch.setattr(result, "read_back", flipped)
    refused(path, smooth(), "corners off by|cannot be read as HDF5")


def test_a_file_cut_short_does_not_replace_a_good_one(tmp_path, monkeypatch):
    path = save_result(smooth(), tmp_path / "a.h5")

    def cut(beside, *rest, original=read_back):
        beside.write_bytes(beside.read_bytes()[:-1000])
        original(beside, *rest)

    monkeypatch.setattr(result, "read_back", cut)
    refused(path, smooth(), "cannot be read as HDF5")


def test_writing_needs_no_pyfai(tmp_path):
    """In a fresh interpreter: a calibration is written and read again, and nobody has asked for pyFAI."""
    code = f"""
import sys
import numpy as np
from pyfai_gridcal.io.nexus.result import load_result, save_result
from pyfai_gridcal.records.distortion import Distortion
from pyfai_gridcal.records.field import SampledField
field = SampledField([0.0, 9.0], [0.0, 7.0], np.ones((2, 2, 2)))
path = save_result(Distortion(field, (10, 8), (1e-4, 2e-4)), {str(tmp_path / "a.h5")!r}, images=[np.ones((10, 8))])
load_result(path)
print([name for name in sys.modules if name.split(".")[0] == "pyFAI"])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert re.sub(r"\s", "", done.stdout) == "[]", done.stderr


def test_another_sensor_or_flat_is_told(tmp_path):
    from pyfai_gridcal.records.traits import Sensor, Traits

    plain = KINDS[next(iter(KINDS))]()
    flat = np.ones(plain.shape, np.float32)
    traits = Traits(Sensor("Si", 3e-4), flat, dummy=float("nan"))
    distortion = replace(plain, traits=traits)
    path = save_result(distortion, tmp_path / "a.h5")
    ask(path, distortion)
    for name, other in (("sensor", Sensor("Si", 4e-4)), ("flat", flat + 1), ("flat", None), ("dummy", -2.0)):
        with pytest.raises(FileFormatError, match=f"another {name}"):
            ask(path, distortion, traits=replace(traits, **{name: other}))
