"""Distortion <-> pyFAI detector, in memory."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pyfai_gridcal.base.errors import FileFormatError
from pyfai_gridcal.io.kinds.conversion import export
from pyfai_gridcal.io.kinds.readout import binned, in_orientation, part_of
from pyfai_gridcal.io.nexus.contents import ORIENTATIONS
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


def tilted_chips() -> Distortion:
    """Tiles that are out of the plane, one tilted along slow."""
    depth = np.zeros(SHAPE, np.float32)
    depth[:35, 46:] = 2e-4
    depth[35:, :46] = -1e-4 + 3e-6 * np.arange(35)[:, None]
    mask = np.zeros(SHAPE, bool)
    mask[60:, 80:] = True
    return Distortion(shifted_tiles(), SHAPE, PIXEL, mask, depth=depth)


def test_modules_out_of_the_plane_are_where_pyfai_puts_them(tmp_path):
    from pyFAI.detectors import detector_factory

    distortion = tilted_chips()
    save_result(distortion, tmp_path / "a.h5")
    for detector in (detector_factory(str(tmp_path / "a.h5")), to_detector(distortion)):
        assert not detector.IS_FLAT
        slow, fast, behind = detector.calc_cartesian_positions()
        np.testing.assert_allclose(behind, distortion.depth, atol=1e-9)
        corners = distortion.pixel_corners().mean(axis=2)
        np.testing.assert_allclose(np.stack([slow, fast], axis=-1), corners[..., 1:], atol=1e-8)
        back = from_detector(detector)
        np.testing.assert_array_equal(back.depth, distortion.depth)
        np.testing.assert_array_equal(back.mask, distortion.mask)


def test_pixels_without_a_place_have_no_depth():
    detector = to_detector(tilted_chips())
    corners = detector.get_pixel_corners().copy()
    corners[3, 60] = np.nan
    detector.set_pixel_corners(corners)
    found = from_detector(detector)
    assert found.mask[3, 60]
    assert np.isfinite(found.depth).all()
    assert found.depth[4, 60] == tilted_chips().depth[4, 60]


@pytest.mark.parametrize("orientation", [1, 2, 4])
def test_depth_turns_with_the_pixels(orientation):
    turned = in_orientation(tilted_chips(), orientation)
    axes = tuple(np.flatnonzero(ORIENTATIONS[orientation]))
    np.testing.assert_array_equal(turned.depth, np.flip(tilted_chips().depth, axes))
    np.testing.assert_array_equal(part_of(tilted_chips(), (30, 40, 41, 50)).depth, tilted_chips().depth[30:40, 41:50])
    assert binned(tilted_chips(), (5, 3)).depth[7, 2] == pytest.approx(tilted_chips().depth[37, 7], abs=1e-9)


def test_formats_of_flat_detectors_say_that_depth_is_lost(tmp_path):
    assert any("up to 200 µm" in remark for remark in export(tilted_chips(), tmp_path / "dy.npy").remarks)


def test_a_poni_file_of_a_detector_in_memory_warns(tmp_path):
    import copy
    import pickle
    import warnings

    from pyFAI.detectors import detector_factory
    from pyFAI.integrator.azimuthal import AzimuthalIntegrator

    detector = to_detector(smooth())
    with pytest.warns(UserWarning, match="in memory only.*detector_factory"):
        AzimuthalIntegrator(detector=detector).save(tmp_path / "a.poni")
    for other in (copy.copy(detector), copy.deepcopy(detector), pickle.loads(pickle.dumps(detector))):
        assert b"pyfai_gridcal" not in pickle.dumps(other)
    assert b"pyfai_gridcal" not in pickle.dumps(detector)
    save_result(smooth(), tmp_path / "a.h5")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        AzimuthalIntegrator(detector=detector_factory(str(tmp_path / "a.h5"))).save(tmp_path / "b.poni")


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
    with pytest.raises(FileFormatError, match="no shape"):
        from_detector(Detector(1e-4, 1e-4))


@pytest.mark.parametrize("orientation", [1, 2, 3, 4])
def test_from_detector_puts_pixels_where_pyfai_does_in_every_orientation(tmp_path, orientation):
    """Regular, with displacements of its own, from a file; a mask belongs to the corners beside it."""
    from pyFAI.detectors import Detector, NexusDetector

    truth = smooth()
    mask = np.asarray(truth.mask, np.int8)
    regular, bent = (Detector(*PIXEL, max_shape=SHAPE, orientation=orientation) for _ in range(2))
    bent.set_dy(truth.displacement_nodes()[0])
    bent.set_dx(truth.displacement_nodes()[1])
    regular.mask = bent.mask = mask
    save_result(truth, tmp_path / "a.h5")
    from_file = NexusDetector(str(tmp_path / "a.h5"), orientation=orientation)
    slow, fast = ORIENTATIONS[orientation]
    for detector in (regular, bent, from_file):
        expected = np.stack(detector.calc_cartesian_positions()[:2], axis=-1)
        found = from_detector(detector)
        np.testing.assert_allclose(found.pixel_corners(np.float64)[..., 1:].mean(axis=2), expected, atol=5e-9)
        turned = detector is not regular
        np.testing.assert_array_equal(found.mask, mask[:: 1 - 2 * (slow and turned), :: 1 - 2 * (fast and turned)])
        # It is as it was before it was asked.
        again = np.stack(detector.calc_cartesian_positions()[:2], axis=-1)
        np.testing.assert_allclose(again, expected, atol=5e-9)
