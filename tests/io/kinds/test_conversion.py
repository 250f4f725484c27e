"""From one kind to another, with what it cost."""

from __future__ import annotations

import json
from dataclasses import replace

import h5py
import numpy as np
import pytest
from hub import PIXEL, corner_gap, modules, wave

from pyfai_gridcal.base.errors import UsageError
from pyfai_gridcal.io.kinds.conversion import convert, corner_deviation, export
from pyfai_gridcal.io.kinds.kinds import read_distortion, write_distortion
from pyfai_gridcal.io.kinds.readout import mirrored
from pyfai_gridcal.io.nexus.contents import ORIENTATIONS
from pyfai_gridcal.records.jobs import Reading

SHAPE = (51, 74)


def test_the_loss_is_that_of_the_corners(tmp_path):
    truth = wave(SHAPE, masked=True)
    (source,) = write_distortion(truth, tmp_path / "a.h5")
    done = convert(source, tmp_path / "a.cbf")
    assert done.kind == "xds"
    assert done.source.kind == "nexus"
    back = read_distortion(done.written[0], Reading(pixel_size=PIXEL))
    assert done.largest == pytest.approx(corner_deviation(read_distortion(source), back)[0])
    assert 0.003 < done.largest < 0.03, "such a table knows hundredths of a pixel"
    assert any("mask of" in remark for remark in done.remarks)
    assert any("pixel size" in remark for remark in done.remarks)
    for words in ("read:", "written:", "holds:", "loss:", "note:"):
        assert words in done.report()


def test_deviation_by_hand():
    """Three times as far along slow as along fast; masked pixels do not count; another pixel size does."""
    one = wave(SHAPE, scale=0.0)
    two = replace(one, field=wave(SHAPE).field)
    dy, dx = two.displacement_nodes()
    assert corner_deviation(one, two)[0] == pytest.approx(np.hypot(dy, dx).max(), rel=1e-6)
    mask = np.ones(SHAPE, bool)
    mask[20, 30] = False
    around = np.hypot(dy, dx)[20:22, 30:32]
    largest, usual = corner_deviation(one.masked(mask), two)
    assert largest == pytest.approx(around.max(), rel=1e-6)
    assert usual == pytest.approx(np.sqrt(np.mean(around**2)), rel=1e-6)
    wider = replace(one, pixel_size=(PIXEL[0] * 1.1, PIXEL[1]))
    assert corner_deviation(one, wider)[0] == pytest.approx(0.1 * SHAPE[0], rel=1e-6)
    assert np.isnan(corner_deviation(one.masked(np.ones(SHAPE)), two)).all()
    with pytest.raises(UsageError, match="the same shape"):
        corner_deviation(one, wave((9, 9)))


def test_the_input_is_never_the_output(tmp_path):
    (source,) = write_distortion(wave(SHAPE), tmp_path / "a.h5")
    with pytest.raises(UsageError, match="is the input"):
        convert(source, tmp_path / "." / "a.h5")


def test_a_pointer_to_what_is_there_already(tmp_path):
    (source,) = write_distortion(wave(SHAPE), tmp_path / "a.h5")
    done = convert(source, tmp_path / "a.poni")
    assert done.written == (tmp_path / "a.poni",)
    assert done.largest == 0
    done = export(wave(SHAPE), tmp_path / "b.poni")
    assert [path.name for path in done.written] == ["b.h5", "b.poni"]


@pytest.mark.parametrize("truth", [wave((60, 91), masked=True), modules()], ids=["smooth", "modules"])
@pytest.mark.parametrize("orientation", [1, 2, 4])
def test_a_detector_in_another_orientation_becomes_one_in_3_with_the_same_places(tmp_path, truth, orientation):
    """As pyFAI has the centres; its corners agree with them then, which they do not before where tiles jump."""
    from pyFAI.detectors import NexusDetector

    (source,) = write_distortion(truth, tmp_path / "det.h5")
    theirs = NexusDetector(str(source), orientation=orientation)
    expected = np.stack(theirs.calc_cartesian_positions()[:2], axis=-1)
    config = {"filename": str(source), "orientation": orientation}
    (tmp_path / "a.json").write_text(json.dumps({"detector": "NexusDetector", "detector_config": config}))
    with h5py.File(source, "r") as file, h5py.File(tmp_path / "own.h5", "w") as own:
        file.copy("entry_0000", own)
        own["entry_0000/pyFAI/calibrated/orientation"][...] = orientation
    for name in ("a.json", "own.h5"):
        done = convert(tmp_path / name, tmp_path / "out.h5")
        assert done.largest < 1e-4
        assert f"images in pyFAI's orientation {orientation}" in done.report()
        ours = NexusDetector(str(tmp_path / "out.h5"))
        known = ours.mask == 0
        centres = np.stack(ours.calc_cartesian_positions()[:2], axis=-1)
        np.testing.assert_allclose(centres[known], expected[known], atol=5e-9)
        np.testing.assert_allclose(ours.get_pixel_corners()[..., 1:].mean(axis=2)[known], expected[known], atol=5e-9)
        # A pointer to it would say 3: it gets a file of its own.
        (pointed, pointer) = convert(tmp_path / name, tmp_path / f"{name}.poni").written
        assert corner_gap(read_distortion(pointer), read_distortion(tmp_path / "out.h5"))[0] < 1e-9
        assert pointed != tmp_path / name
        # For images that are turned to orientation 3 it is the file that it was; for those as they are, its mirror.
        same = read_distortion(tmp_path / name, Reading(orientation=orientation))
        assert corner_gap(truth, same)[0] < 1e-4
        slow, fast = ORIENTATIONS[orientation]
        as_they_are = read_distortion(tmp_path / name, Reading(orientation=3))
        assert corner_gap(mirrored(truth, slow=slow, fast=fast), as_they_are)[0] < 1e-4
