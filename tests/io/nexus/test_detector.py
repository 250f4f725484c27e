"""Distortion <-> pyFAI detector, in memory."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pyfai_gridcal.base.errors import FileFormatError
from pyfai_gridcal.io.nexus.detector import from_detector, to_detector
from pyfai_gridcal.io.nexus.result import save_result
from pyfai_gridcal.records.distortion import Distortion
from pyfai_gridcal.records.field import CornerField, SampledField
from pyfai_gridcal.synthetic import fields

SHAPE, PIXEL = (70, 93), (48e-6, 51e-6)


def smooth() -> Distortion:
    y, x = np.linspace(-9, SHAPE[0] + 8, 13), np.linspace(-9, SHAPE[1] + 8, 17)
    values = fields.smooth(SHAPE, 5.0, 40, np.random.default_rng(1)).on_grid(y, x)
    mask = np.zeros(SHAPE, bool)
    mask[:5, 11:30] = True
    return Distortion(SampledField(y, x, values), SHAPE, PIXEL, mask)


def shifted_tiles():
    return fields.tiles(SHAPE, (2, 2), np.random.default_rng(1))


def test_detector_in_memory_equals_the_file(tmp_path):
    import copy

    from pyFAI.detectors import detector_factory

    distortion = smooth()
    save_result(distortion, tmp_path / "a.h5")
    detector = copy.deepcopy(to_detector(distortion))
    loaded = detector_factory(str(tmp_path / "a.h5"))
    np.testing.assert_array_equal(detector.get_pixel_corners(), loaded.get_pixel_corners())
    np.testing.assert_array_equal(detector.mask, loaded.mask)
    assert detector.uniform_pixel is False
    assert detector.IS_CONTIGUOUS == loaded.IS_CONTIGUOUS
    assert int(detector.orientation) == 3
    assert to_detector(replace(distortion, mask=None)).mask.shape == SHAPE


def test_from_detector_inverts_to_detector():
    distortion = smooth()
    back = from_detector(to_detector(distortion))
    assert isinstance(back.field, SampledField)
    probe = np.random.default_rng(1).uniform(-0.4, 69, (200, 2))
    np.testing.assert_allclose(back.displacement(probe), distortion.displacement(probe), atol=0.02)
    np.testing.assert_allclose(back.pixel_corners(), distortion.pixel_corners(), atol=1e-8)
    np.testing.assert_array_equal(back.mask, distortion.mask)


@pytest.mark.slow
def test_from_detector_takes_any_flat_detector():
    from pyFAI.detectors import Detector, detector_factory

    pilatus = from_detector(detector_factory("Pilatus100k"))
    assert np.abs(pilatus.displacement_maps()).max() < 1e-3
    xpad = from_detector(detector_factory("imxpad_s70"))
    assert xpad.displacement_maps()[1].max() > 3  # wide pixels at the borders of its chips
    assert isinstance(from_detector(to_detector(Distortion(shifted_tiles(), SHAPE, PIXEL))).field, CornerField)
    with pytest.raises(FileFormatError, match="square pixels"):
        from_detector(detector_factory("Pixirad1"))
    with pytest.raises(FileFormatError, match="not flat"):
        from_detector(detector_factory("Aarhus"))
    with pytest.raises(FileFormatError, match="orientation 2"):
        from_detector(Detector(1e-4, 1e-4, max_shape=(5, 6), orientation=2))
    with pytest.raises(FileFormatError, match="no shape"):
        from_detector(Detector(1e-4, 1e-4))
