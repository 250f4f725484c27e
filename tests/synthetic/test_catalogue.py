"""Scenes that are ready to be taken."""

from __future__ import annotations

import numpy as np

from pyfai_gridcal import synthetic


def test_same_seed_same_picture():
    pictures = [
        synthetic.random_scene(np.random.default_rng(6)).render(np.random.default_rng(7), bounds=False)
        for _ in range(2)
    ]
    np.testing.assert_array_equal(pictures[0].image, pictures[1].image)
    assert len(pictures[0].truth) > 9
