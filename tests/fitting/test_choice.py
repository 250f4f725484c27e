"""Which model is taken, and that nothing simpler or more complicated is."""

from __future__ import annotations

import numpy as np
import pytest
from fieldtruth import PLATE, SHAPE, Truth, observe

from pyfai_gridcal.base.errors import UsageError
from pyfai_gridcal.fitting.choice import Choice, choose
from pyfai_gridcal.fitting.view import PlateView
from pyfai_gridcal.synthetic import fields


def chosen(truth: Truth, **options: object) -> Choice:
    return choose(PlateView(truth.points, PLATE, SHAPE, truth.pixel_size), **options)  # type: ignore[arg-type]


def test_two_halves_that_jump_are_tiles() -> None:
    field = fields.tiles(SHAPE, (1, 2), np.random.default_rng(4), jump_px=3.0)
    choice = chosen(observe(field))
    assert choice.fit.name.startswith("tiles")
    assert choice.fit.held_out_px < 0.03
    assert any("seams found" in note for note in choice.notes)
    assert [t.name for t in choice.trials if t.chosen] == [choice.fit.name]


def test_a_smooth_field_is_none_of_tiles() -> None:
    truth = observe(fields.smooth(SHAPE, 4.0, 150.0, np.random.default_rng(1)))
    assert chosen(truth).fit.name == "spline"
    # tiles that are asked for are given, one of them where nothing jumps
    assert "one tile" in chosen(truth, model="tiles").notes[0]


def test_labels_of_the_user_are_numbered_and_their_gaps_closed() -> None:
    field = fields.tiles(SHAPE, (2, 1), np.random.default_rng(5), jump_px=2.0)
    labels = np.where(field.labels == 0, 7, 3)
    labels[SHAPE[0] // 2 - 5 : SHAPE[0] // 2 + 5] = -1
    choice = chosen(observe(field), model="mosaic", labels=labels)
    assert choice.notes[0] == "tiles as given"
    assert np.unique(choice.fit.field.labels).tolist() == [0, 1]  # type: ignore[attr-defined]
    assert choice.fit.held_out_px < 0.05


def test_what_cannot_be() -> None:
    truth = observe(fields.linear(SHAPE, shear=0.01))
    with pytest.raises(UsageError, match="model"):
        chosen(truth, model="magic")
    with pytest.raises(UsageError, match="labels"):
        chosen(truth, labels=np.zeros((3, 4), int))
