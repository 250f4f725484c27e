"""All that is drawn is prepared beforehand."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from pyfai_gridcal.gui.work.views import SLIDER_SIDE, prepare_pair


def test_pair_for_the_slider_is_small_and_at_its_place():
    """silx draws all pixels of both images: large ones are shown as means, at the same place."""
    shape = (1500, 2900)
    raw = np.zeros(shape, np.uint16)
    raw[600:603, 2400:2403] = 900
    corrected = np.zeros(shape)
    corrected[1200:1203, 300:303] = 450.0
    view = SimpleNamespace(image=SimpleNamespace(data=raw), levels=(), limits=(1.0, 900.0))
    pair = prepare_pair(view, corrected)
    assert pair.step == 3
    assert max(pair.coarse[0].shape) <= SLIDER_SIDE
    for image, place, value in zip(pair.coarse, ((200, 800), (400, 100)), (900, 450), strict=True):
        assert image.dtype == np.float32
        assert np.unravel_index(image.argmax(), image.shape) == place
        assert image.max() == value
    assert pair.images[0] is raw
    assert [levels[0].shape for levels in pair.levels] == [shape, shape]
    small = prepare_pair(
        SimpleNamespace(image=SimpleNamespace(data=raw[:900, :1300]), levels=(), limits=(0, 1)), raw[:900, :1300]
    )
    assert small.step == 1
